"""``reparam-rewrite fit``: its options, and where the coefficients go."""

from __future__ import annotations

from typing import Any

import click

from reparam_rewrite.cli.completion import files
from reparam_rewrite.cli.main import (
    CONTEXT,
    Program,
    args_option,
    color_option,
    config_option,
    function_option,
    guarded,
)
from reparam_rewrite.cli.rewrite import DONE
from reparam_rewrite.cli.screen import Screen

EPILOG = """\b
Examples:
  From a short run of NUTS, which is shown; the config then has the coefficients:
    reparam-rewrite fit model.py --config offsets.toml --args example.py:example_args
  From draws that are there, numpy.savez("draws.npz", **mcmc.get_samples()):
    reparam-rewrite fit model.py -c offsets.toml --args example.py:example_args --pilot draws.npz

\b
Exit status:
  0  done, or the model is better left as written, which is said
  2  an error; nothing was written
"""

PILOTS = ("nuts", "laplace", "fullrank")


@click.command(
    cls=Program,
    name="fit",
    epilog=EPILOG,
    context_settings=CONTEXT,
)
@click.argument("model", metavar="MODEL", shell_complete=files(".py"))
@config_option
@args_option
@function_option
@click.option(
    "--pilot",
    metavar="PILOT",
    default="nuts",
    show_default=True,
    help="Where the draws are from: a run of nuts, laplace or fullrank, or a file, .npz or .nc.",
    shell_complete=files(".npz", ".nc"),
)
@click.option(
    "--draws",
    type=click.IntRange(20),
    default=1000,
    show_default=True,
    help="How many draws to make, of all chains together.",
)
@click.option(
    "--warmup",
    type=click.IntRange(1),
    default=500,
    show_default=True,
    help="How many draws each chain of NUTS is warmed up with, before those.",
)
@click.option(
    "--chains",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="How many chains of NUTS to run.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="The seed of the draws."
)
@click.option(
    "--learn",
    is_flag=True,
    help="Keep the coefficients as params, which SVI goes on to learn from where fit leaves them.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write the fitted config to this file instead of into the config itself.",
    shell_complete=files(".toml"),
)
@click.option(
    "--bases", is_flag=True, help="Also write the bases that make a site narrower into the config."
)
@click.option(
    "--diff", is_flag=True, help="Show what would change in the config, and write nothing."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Say what was found in lines or as JSON.",
)
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but errors and warnings.")
@click.option(
    "--verbose", "-v", is_flag=True, help="Show the traceback of an error in the model's code."
)
@color_option
def command(model: str, color: str, verbose: bool, **options: Any) -> int:
    """Fit the coefficients of a config to draws from MODEL's posterior.

    Each child is regressed on its parents, in unconstrained space. The coefficients are written
    into the config, as literals: `init` with `learn = false`, and `center` for parents far from 0.
    All else in it stays as it is. Coefficients that gain nothing on draws that were held out are
    not written; if none gains anything, the model is better left as it is.
    """
    screen = Screen(color)
    hint = "nothing was written. Please report this; -v shows the traceback."
    return guarded(lambda: run(model, screen=screen, **options), model, verbose, screen, hint)


def run(
    model: str,
    config: str | None,
    args_given: str | None,
    function: str | None,
    pilot: str,
    draws: int,
    warmup: int,
    chains: int,
    seed: int,
    learn: bool,
    bases: bool,
    output: str | None,
    diff: bool,
    form: str,
    quiet: bool,
    screen: Screen,
) -> int:
    """Run, regress, then write or show. Raises `Refusal`; nothing is written before that."""
    from pathlib import Path

    from reparam_rewrite.cli.verify import prepare
    from reparam_rewrite.config.reading import read_config
    from reparam_rewrite.messages import Diagnostic, Refusal
    from reparam_rewrite.source.diff import unified_diff
    from reparam_rewrite.source.files import read_bytes, refuse_same_file, write_outputs

    if config is None or config == "-":
        hint = "name the TOML file with the offsets: --config FILE."
        raise Refusal(Diagnostic(None, "there is no config to fit the coefficients of", hint))
    if model == "-":
        hint = "save it as a file: fit runs it, with what it imports from beside it."
        raise Refusal(Diagnostic(None, "fit takes no model on standard input", hint))
    if pilot not in PILOTS and not pilot.endswith((".npz", ".nc")):
        hint = f"name one of {', '.join(PILOTS)}, or a file that ends in .npz or .nc."
        raise Refusal(Diagnostic(None, f"there is no pilot '{pilot}'", hint))
    settings = read_config(read_bytes(config, "config"), config)
    if settings.is_empty:
        raise Refusal(
            Diagnostic(config, "the config asks for no offset, so there is nothing to fit")
        )
    written_to = output or config
    refuse_same_file(model, written_to)
    prepare("fit")

    from reparam_rewrite.fit.pilots import Options
    from reparam_rewrite.fit.reporting import as_json, as_text, is_worth_it
    from reparam_rewrite.fit.running import Fitting
    from reparam_rewrite.fit.values import Bases, Better
    from reparam_rewrite.fit.writing import npz_bytes, with_bases, with_fits
    from reparam_rewrite.running.call import called

    call = called(model, [settings], args_given, function, "a pilot")
    fitting = Fitting.of(call, settings)
    bar = screen.on_terminal and not quiet
    options = Options(draws=draws, warmup=warmup, chains=chains, seed=seed, bar=bar)
    found = fitting.pilot(pilot, options)
    fits, warnings, least = fitting.fits(found)
    written_bases: tuple[Better, ...] = ()
    helpful = fitting.bases(fits, found)
    while bases and helpful:
        # The draws are of the plain model's sites, and so as good for one config as for another.
        settings = read_config(with_bases(settings, helpful).encode(), config)
        written_bases += helpful
        fitting = Fitting.of(call, settings)
        fits, warnings, least = fitting.fits(found)
        helpful = fitting.bases(fits, found)
    known = Bases(written_bases, helpful)
    worth = is_worth_it(fits) or bool(written_bases)
    arrays_path = Path(written_to).with_suffix(".npz")
    made = with_fits(settings, fits, learn, arrays_path.name) if worth else None
    outputs: list[tuple[str, bytes]] = []
    if made is not None:
        if made.arrays:
            outputs.append((str(arrays_path), npz_bytes(made.arrays)))
        outputs.append((written_to, made.text.encode()))
        fitting.check(made, written_to)
    written = [] if diff else write_outputs(outputs)
    if diff and made is not None:
        before = read_bytes(config, "config")
        screen.diff(unified_diff(before, made.text.encode(), Path(config), Path(config)))
    if form == "json":
        path = written_to if written else None
        screen.print(as_json(fits, known, found, least, warnings, path))
    elif not quiet:
        screen.account(as_text(fits, known, found, least, warnings))
        screen.account([f"wrote {path}" for path in written])
    elif warnings:
        screen.account([f"warning: {warning}" for warning in warnings])
    return DONE
