"""What the program does when it is asked to rewrite: its files, its streams and its exit status.

An up-to-date output is known before anything slow is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reparam_rewrite.cli.exit import DONE, EXAMPLES, refused
from reparam_rewrite.cli.report import Lines, Report, accounted, total

if TYPE_CHECKING:
    from reparam_rewrite.cli.main import Request

#: From so many targets on, a terminal shows how far the run is.
WORTH_A_BAR = 4


def run(request: Request, screen: Lines) -> int:
    """Print the rewritten model, or generate one target or all, unless they are up to date.

    Raises `Refusal`; nothing is written before that.
    """
    model, config, output = request.model, request.config, request.output
    if model is None:
        if config is not None or output is not None:
            given = "--config" if config is not None else "-o"
            refused(None, f"{given} is given, and no MODEL", EXAMPLES["main"])
        return generate(None, request, screen)
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
    return generate((model, config, output), request, screen)


def print_rewritten(model: str, config: str, request: Request, screen: Lines) -> int:
    """Rewrite a model to standard output, as it is or as a diff."""
    from pathlib import Path

    from reparam_rewrite.config.reading import config_at, read_config
    from reparam_rewrite.rewriting import rewrite
    from reparam_rewrite.source.diff import unified_diff
    from reparam_rewrite.source.files import read_stdin
    from reparam_rewrite.source.reading import read

    if request.check:
        refused(None, "--check has no output to compare with", "name it: -o FILE.")
    if screen.is_document:
        message = f"--format {request.form} goes to standard output, and so does the model"
        refused(None, message, "name a file for the model: -o FILE.")
    if model == config == "-":
        hint = "save one of them as a file."
        refused(None, "the model and the config can't both be standard input", hint)
    settings = read_config(read_stdin("config"), "<stdin>") if config == "-" else config_at(config)
    document = read(model)
    result = rewrite(document, settings)
    if request.diff:
        path = Path(document.path)
        screen.diff(unified_diff(document.data, result.data, path))
    else:
        screen.write(result.data)
    screen.account(accounted(result, request.loudness))
    return DONE


def generate(one: tuple[str, str, str] | None, request: Request, screen: Lines) -> int:
    """Generate `one` target, or all of the nearest pyproject.toml, and report.

    All are written, or none.
    """
    from pathlib import Path

    from reparam_rewrite.source.stamp import known_fresh

    if one is None:
        from reparam_rewrite.source.targets import find_targets

        given: Sequence[tuple[str, str, str]] = find_targets(Path())
    else:
        given = [one]
    told_all = request.loudness > 1 or request.force or screen.is_document
    if not told_all and all(known_fresh(*target, alone=True) for target in given):
        said = f"{one[2]} is up to date" if one else total(["up to date"] * len(given))
        screen.account([said] if request.loudness else [])
        return DONE
    from reparam_rewrite.generation import generate_all
    from reparam_rewrite.source.files import write_outputs
    from reparam_rewrite.source.targets import Target

    targets = [Target(*target) for target in given]
    with progress(screen, len(targets), request) as ready:
        report = Report(request, generate_all(targets, told_all, ready))
    if request.writes and not report.failed:
        stale = [
            (outcome.target.output, outcome.new) for outcome in report.outcomes if outcome.stale
        ]
        report = report._replace(written=write_outputs(stale))
    screen.show(report)
    return report.status


@contextmanager
def progress(screen: Lines, count: int, request: Request) -> Iterator[Callable[[], None]]:
    """What is to be called after each of `count` targets: it moves a bar, on a terminal."""
    if count < WORTH_A_BAR or request.quiet or not screen.on_terminal:
        yield lambda: None
        return
    import sys

    import click

    with click.progressbar(length=count, label="generating", file=sys.stderr) as bar:
        yield lambda: bar.update(1)
