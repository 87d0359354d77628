"""``reparam-rewrite bench``: its options, and where the figures go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from reparam_rewrite.cli import options
from reparam_rewrite.cli.exit import DONE, refused
from reparam_rewrite.cli.fit import PILOTS
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


class Request(options.Request):
    """What is asked for. `keys` to `limit` say how long the runs are."""

    model: str = options.model(*options.MODELS)
    configs: tuple[str, ...] = options.file(
        "A TOML file that says which sites to offset; give several to compare them.",
        *("--config", "-c"),
        endings=[".toml"],
        multiple=True,
    )
    args_given: str | None = options.args()
    function: str | None = options.function()
    nuts: bool = options.flag(
        "Compare under NUTS, which is done too if neither --nuts nor --svi is given."
    )
    svi: bool = options.flag("Compare guides that are trained with SVI.")
    fit: bool = options.flag(
        "Compare each config also as `fit` leaves it; what its pilot costs is counted."
    )
    pilot: str = options.choice("What --fit takes its draws from.", of=PILOTS)
    bases: bool = options.flag("Let --fit write the bases that make a site narrower too.")
    no_rivals: bool = options.flag("Compare only the model as written and the configs.")
    keys: int = options.number(3, 1, "With how many random keys everything is run.")
    draws: int = options.number(1000, 100, "How many draws each chain keeps.")
    warmup: int = options.number(
        1000, 25, "How many draws each chain is warmed up with, before those."
    )
    chains: int = options.number(2, 2, "How many chains each key runs.")
    steps: int = options.number(10_000, 100, "How many steps SVI takes.")
    limit: float = options.option(
        type=click.FloatRange(1),
        default=600,
        show_default=True,
        help="After how many seconds the run of one key is stopped.",
    )
    jobs: int = options.number(1, 1, "How many processes make runs at once.")
    dask: str | None = options.option(
        metavar="ADDRESS", help="Have the workers of the Dask scheduler at this address make runs."
    )
    state: str | None = options.file(
        "The file that keeps finished runs; without it, MODEL.bench.jsonl in this folder.",
        endings=[".jsonl"],
    )
    report: str | None = options.file(
        "Also write a page of HTML with plots and diffs to this file.", endings=[".html"]
    )
    form: str = options.form("Print tables, JSON or CSV.", "text", "json", "csv")
    quiet: bool = options.quiet("Don't say what is running, and how much of it is left.")

    @property
    def kept(self) -> str:
        """The path of the file that keeps finished runs."""
        return self.state or f"{Path(self.model).stem}.bench.jsonl"


@options.command("bench", Request, EPILOG, "finished runs are kept. ")
def command(request: Request, screen: Screen) -> int:
    """Measure what configs are worth to NUTS and SVI on MODEL.

    The model as written and each config are compared with what else a person would try: a dense
    mass matrix, LocScaleReparam, VIP, ZeroSumNormal, and guides with covariances. Finished runs are
    kept in a file, from which the same command goes on after it was stopped; delete it to start
    anew.
    """
    import os
    import sys
    from contextlib import nullcontext
    from shlex import join

    from reparam_rewrite.config.reading import config_at
    from reparam_rewrite.running.environment import prepare
    from reparam_rewrite.source.files import write_outputs

    refuse_paths(request)
    refuse_ways(request)
    for path in request.configs:
        config_at(path)  # what is wrong with it is told before jax is imported
    # Threads for a Cholesky factor of 70 rows wait for each other ten times as long as it takes.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    prepare("bench")

    from reparam_rewrite.benchmarking.advice import advice
    from reparam_rewrite.benchmarking.asking import bench_of
    from reparam_rewrite.benchmarking.crews import Cluster, Processes
    from reparam_rewrite.benchmarking.state import Kept
    from reparam_rewrite.benchmarking.tables import as_csv, as_json, as_text
    from reparam_rewrite.benchmarking.values import Asked, Options

    def tell(text: str) -> None:
        if not request.quiet:
            screen.account([text])

    asked = Asked(
        str(Path.cwd()),
        request.model,
        request.configs,
        request.args_given,
        request.function,
        Options(**{name: getattr(request, name) for name in Options._fields}),
        request.pilot if request.fit else "",
        request.bases,
        not request.no_rivals,
    )
    words = join(["reparam-rewrite", *sys.argv[1:]])
    made_by: Any = nullcontext()
    if request.dask is not None:
        made_by = Cluster(request.dask)
    elif request.jobs > 1:
        made_by = Processes(request.jobs)
    with made_by as crew:
        bench = bench_of(asked, Kept(Path(request.kept)), tell, crew)
        results = bench.results(words, request.nuts or not request.svi, request.svi)
    sentences = advice(results)
    if request.report is not None:
        from reparam_rewrite.benchmarking.report import page

        write_outputs([(request.report, page(results, sentences).encode())])
    if request.form == "json":
        text = as_json(results, sentences)
    elif request.form == "csv":
        text = as_csv(results)
    else:
        text = as_text(results) + "".join(f"\n{sentence}" for sentence in sentences) + "\n"
    screen.print(text)
    if request.report is not None:
        tell(f"wrote {request.report}")
    return DONE


def refuse_paths(request: Request) -> None:
    """Refuse what can't be read or written, before anything runs."""
    import os

    from reparam_rewrite.source.files import refuse_same_file, refuse_unwritable

    if request.model == "-" or "-" in request.configs:
        hint = "save it as a file: bench runs it for a while, and goes on after it was stopped."
        refused(None, "bench takes nothing on standard input", hint)
    report = request.report
    outputs = [request.kept] if report is None else [request.kept, report]
    for path in outputs:
        for other in (request.model, *request.configs):
            refuse_same_file(other, path)
    for path in outputs:
        refuse_unwritable(path)
    if len({os.path.realpath(path) for path in outputs}) < len(outputs):
        hint = "finished runs are kept in it: give --report another path."
        refused(report, "--report and --state name one file", hint)


def refuse_ways(request: Request) -> None:
    """Refuse options that don't go together, and a cluster that can't be asked."""
    from importlib.util import find_spec

    of_fit = {"--bases": request.bases, "--pilot": request.pilot != PILOTS[0]}
    for option in [name for name, given in of_fit.items() if given and not request.fit]:
        refused(None, f"{option} is of --fit, which isn't asked for", "add --fit.")
    if request.dask is not None and request.jobs > 1:
        hint = "leave one of them out: the cluster's workers are as many as it has."
        refused(None, "--jobs is of this machine, and --dask of a cluster", hint)
    if request.dask is not None and find_spec("distributed") is None:
        hint = 'install it with pip install "reparam-rewrite[dask]".'
        refused(None, "--dask needs the package distributed, which isn't installed", hint)
