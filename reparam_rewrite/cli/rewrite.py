"""What the program does when it is asked to rewrite: its files, its streams and its exit status.

An up-to-date output is known before anything slow is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reparam_rewrite.cli.exit import DONE, FAILED, refused
from reparam_rewrite.cli.request import Request
from reparam_rewrite.cli.screen import Screen

if TYPE_CHECKING:
    from reparam_rewrite.source.targets import Target

#: From so many targets on, a terminal shows how far the run is.
WORTH_A_BAR = 4

EXAMPLE = "name the file to rewrite: reparam-rewrite model.py --config offsets.toml"


def run(request: Request, screen: Screen) -> int:
    """Read, rewrite, then write or compare. Raises `Refusal`; nothing is written before that."""
    if request.form != "json":
        return dispatch(request, screen)
    from reparam_rewrite.messages import Refusal

    try:
        return dispatch(request, screen)
    except Refusal as refusal:
        from reparam_rewrite.cli.report import failure

        screen.print(failure(refusal.diagnostics))
        return FAILED


def dispatch(request: Request, screen: Screen) -> int:
    model, config, output = request.model, request.config, request.output
    if model is None:
        return rewrite_targets(request, screen)
    if config is None:
        refused(None, "no --config is given", "name the TOML file with the offsets: --config FILE.")
    if model.endswith(".toml"):
        hint = f"the model comes first: reparam-rewrite {config} --config {model}"
        hint = hint if config.endswith((".py", ".ipynb")) else "give the Python file of the model."
        refused(model, "the model is a TOML file", hint)
    if output is None or output == "-":
        return print_rewritten(model, config, request, screen)
    if config == "-":
        hint = "save the config as a file, which the generated one can name."
        refused(None, "a config on standard input is only for printing the result", hint)
    from reparam_rewrite.source.freshness import known_fresh

    if request.trusts_digests and known_fresh(model, config, output):
        screen.account([f"{output} is up to date"] if request.loudness else [])
        return DONE
    from reparam_rewrite.source.targets import Target

    return generate([Target(model, config, output)], request, screen)


def rewrite_targets(request: Request, screen: Screen) -> int:
    """Rewrite all targets of the nearest pyproject.toml."""
    if request.config is not None or request.output is not None:
        given = "--config" if request.config is not None else "-o"
        refused(None, f"{given} is given, and no MODEL", EXAMPLE)
    from pathlib import Path

    from reparam_rewrite.source.freshness import known_fresh
    from reparam_rewrite.source.targets import find_targets

    targets = find_targets(Path())
    if request.trusts_digests and all(known_fresh(*target) for target in targets):
        count = f"{len(targets)} target{'' if len(targets) == 1 else 's'}"
        screen.account([f"{count}: {len(targets)} up to date"] if request.loudness else [])
        return DONE
    return generate(targets, request, screen)


def print_rewritten(model: str, config: str, request: Request, screen: Screen) -> int:
    """Rewrite a model to standard output, as it is or as a diff."""
    from pathlib import Path

    from reparam_rewrite.cli.report import accounted
    from reparam_rewrite.config.reading import read_config
    from reparam_rewrite.rewriting import rewrite
    from reparam_rewrite.source.diff import unified_diff
    from reparam_rewrite.source.files import read_bytes, read_stdin
    from reparam_rewrite.source.line_length import line_length
    from reparam_rewrite.source.reading import read

    if request.check:
        refused(None, "--check has no output to compare with", "name it: -o FILE.")
    if request.form == "json":
        message = "--format json goes to standard output, and so does the model"
        refused(None, message, "name a file for the model: -o FILE.")
    if config == "-":
        if model == "-":
            hint = "save one of them as a file."
            refused(None, "the model and the config can't both be standard input", hint)
        settings = read_config(read_stdin("config"), "<stdin>")
    else:
        settings = read_config(read_bytes(config, "config"), config)
    document = read(model)
    result = rewrite(document, settings, line_length(Path() if model == "-" else Path(model)))
    if request.diff:
        path = Path(document.path)
        screen.diff(unified_diff(document.data, result.data, path, path))
    else:
        screen.write(result.data)
    screen.account(accounted(result, request.loudness))
    return DONE


def generate(targets: Sequence[Target], request: Request, screen: Screen) -> int:
    """Generate the targets, write all of them or none, and report."""
    from reparam_rewrite.cli.report import Report, as_json, show
    from reparam_rewrite.generation import generate_all
    from reparam_rewrite.source.files import write_outputs

    with progress(screen, len(targets), request) as ready:
        outcomes = generate_all(targets, request.loudness > 1 or request.force, ready)
    report = Report(outcomes, request)
    if request.writes and not report.failed:
        stale = [(outcome.target.output, outcome.new) for outcome in outcomes if outcome.stale]
        report = report.after(write_outputs(stale))
    if request.form == "json":
        screen.print(as_json(report))
    else:
        show(report, screen)
    return report.status


@contextmanager
def progress(screen: Screen, count: int, request: Request) -> Iterator[Callable[[], None]]:
    """What is to be called after each of `count` targets: it moves a bar, on a terminal."""
    if count < WORTH_A_BAR or request.quiet or not screen.on_terminal:
        yield lambda: None
        return
    import sys

    import click

    with click.progressbar(length=count, label="generating", file=sys.stderr) as bar:
        yield lambda: bar.update(1)
