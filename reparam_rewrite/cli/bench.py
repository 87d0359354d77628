"""``reparam-rewrite bench``: its options, and where the figures go."""

from __future__ import annotations

from typing import Any

import click

from reparam_rewrite.cli.completion import files
from reparam_rewrite.cli.fit import PILOTS
from reparam_rewrite.cli.main import (
    CONTEXT,
    Program,
    args_option,
    color_option,
    function_option,
    guarded,
)
from reparam_rewrite.cli.rewrite import DONE
from reparam_rewrite.cli.screen import Screen

EPILOG = """\b
Examples:
  What a config is worth to NUTS, as it is and with fitted coefficients:
    reparam-rewrite bench model.py --config offsets.toml --args example.py:example_args --fit
  Two configs, for NUTS and for SVI, with a page to show:
    reparam-rewrite bench model.py --config a.toml --config b.toml --nuts --svi --report report.html

\b
Exit status:
  0  done; runs that failed are rows that say so
  2  an error, before anything ran
"""


@click.command(
    cls=Program,
    name="bench",
    epilog=EPILOG,
    context_settings=CONTEXT,
)
@click.argument("model", metavar="MODEL", shell_complete=files(".py"))
@click.option(
    "--config",
    "-c",
    "configs",
    metavar="FILE",
    multiple=True,
    help="A TOML file that says which sites to offset; give several to compare them.",
    shell_complete=files(".toml"),
)
@args_option
@function_option
@click.option(
    "--nuts",
    is_flag=True,
    help="Compare under NUTS, which is done too if neither --nuts nor --svi is given.",
)
@click.option("--svi", is_flag=True, help="Compare guides that are trained with SVI.")
@click.option(
    "--fit",
    is_flag=True,
    help="Compare each config also as `fit` leaves it; what its pilot costs is counted.",
)
@click.option(
    "--pilot",
    type=click.Choice(PILOTS),
    default="nuts",
    show_default=True,
    help="What --fit takes its draws from.",
)
@click.option(
    "--no-rivals", is_flag=True, help="Compare only the model as written and the configs."
)
@click.option(
    "--keys",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="With how many random keys everything is run.",
)
@click.option(
    "--draws",
    type=click.IntRange(100),
    default=1000,
    show_default=True,
    help="How many draws each chain keeps.",
)
@click.option(
    "--warmup",
    type=click.IntRange(25),
    default=1000,
    show_default=True,
    help="How many draws each chain is warmed up with, before those.",
)
@click.option(
    "--chains",
    type=click.IntRange(2),
    default=2,
    show_default=True,
    help="How many chains each key runs.",
)
@click.option(
    "--steps",
    type=click.IntRange(100),
    default=10_000,
    show_default=True,
    help="How many steps SVI takes.",
)
@click.option(
    "--limit",
    type=click.FloatRange(1),
    default=600,
    show_default=True,
    help="After how many seconds the run of one key is stopped.",
)
@click.option(
    "--state",
    metavar="FILE",
    help="The file that keeps finished runs; without it, MODEL.bench.jsonl in this folder.",
    shell_complete=files(".jsonl"),
)
@click.option(
    "--report",
    metavar="FILE",
    help="Also write a page of HTML with plots and diffs to this file.",
    shell_complete=files(".html"),
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "csv"]),
    default="text",
    show_default=True,
    help="Print tables, JSON or CSV.",
)
@click.option(
    "--quiet", "-q", is_flag=True, help="Don't say what is running, and how much of it is left."
)
@click.option(
    "--verbose", "-v", is_flag=True, help="Show the traceback of an error in the model's code."
)
@color_option
def command(model: str, color: str, verbose: bool, **options: Any) -> int:
    """Measure what configs are worth to NUTS and SVI on MODEL.

    The model as written and each config are compared with what else a person would try: a dense
    mass matrix, LocScaleReparam, VIP, ZeroSumNormal, and guides with covariances. Finished runs are
    kept in a file, from which the same command goes on after it was stopped; delete it to start
    anew.
    """
    screen = Screen(color)
    hint = "finished runs are kept. Please report this; -v shows the traceback."
    return guarded(lambda: run(model, screen=screen, **options), model, verbose, screen, hint)


def run(
    model: str,
    configs: tuple[str, ...],
    args_given: str | None,
    function: str | None,
    nuts: bool,
    svi: bool,
    fit: bool,
    pilot: str,
    no_rivals: bool,
    keys: int,
    draws: int,
    warmup: int,
    chains: int,
    steps: int,
    limit: float,
    state: str | None,
    report: str | None,
    form: str,
    quiet: bool,
    screen: Screen,
) -> int:
    """Load, run what isn't kept, print. Raises `Refusal` before anything runs."""
    import os
    import sys
    from importlib.util import find_spec
    from pathlib import Path
    from shlex import join

    from reparam_rewrite.cli.verify import prepare
    from reparam_rewrite.config.reading import read_config
    from reparam_rewrite.messages import Diagnostic, Refusal
    from reparam_rewrite.source.files import (
        read_bytes,
        refuse_same_file,
        refuse_unwritable,
        write_outputs,
    )

    if model == "-" or "-" in configs:
        hint = "save it as a file: bench runs it for a while, and goes on after it was stopped."
        raise Refusal(Diagnostic(None, "bench takes nothing on standard input", hint))
    if report is not None and find_spec("matplotlib") is None:
        hint = 'install it with pip install "reparam-rewrite[report]".'
        raise Refusal(
            Diagnostic(None, "--report draws with matplotlib, which isn't installed", hint)
        )
    kept = Path(state or f"{Path(model).stem}.bench.jsonl")
    for path in (str(kept), *([report] if report else [])):
        for other in (model, *configs):
            refuse_same_file(other, path)
    refuse_unwritable(str(kept))
    if report is not None:
        refuse_unwritable(report)
        if os.path.realpath(report) == os.path.realpath(kept):
            hint = "finished runs are kept in it: give --report another path."
            raise Refusal(Diagnostic(report, "--report and --state name one file", hint))
    settings = [read_config(read_bytes(path, "config"), path) for path in configs]
    prepare("bench")

    from reparam_rewrite.bench.advice import advice
    from reparam_rewrite.bench.running import Bench
    from reparam_rewrite.bench.state import Kept
    from reparam_rewrite.bench.tables import as_csv, as_json, as_text
    from reparam_rewrite.bench.values import Options
    from reparam_rewrite.bench.variants import named
    from reparam_rewrite.running.call import called

    call = called(model, settings, args_given, function, "bench")
    bench = Bench(
        call,
        dict(zip(named(configs), settings, strict=True)),
        Options(keys=keys, draws=draws, warmup=warmup, chains=chains, steps=steps, limit=limit),
        Kept(kept),
        pilot if fit else "",
        not no_rivals,
        (lambda text: None) if quiet else (lambda text: screen.account([text])),
    )
    words = join(["reparam-rewrite", *sys.argv[1:]])
    results = bench.results(words, nuts or not svi, svi)
    sentences = advice(results)
    if report is not None:
        from reparam_rewrite.bench.report import page

        write_outputs([(report, page(results, sentences).encode())])
    if form == "json":
        text = as_json(results, sentences)
    elif form == "csv":
        text = as_csv(results)
    else:
        text = as_text(results) + "".join(f"\n{sentence}" for sentence in sentences) + "\n"
    screen.print(text)
    if not quiet and report is not None:
        screen.account([f"wrote {report}"])
    return DONE
