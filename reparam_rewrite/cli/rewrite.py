"""What the command line does when it is called with these options: its files, streams and status.

An up-to-date output is known before anything slow is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from reparam_rewrite.cli.screen import Screen

if TYPE_CHECKING:
    from reparam_rewrite.generation import Outcome
    from reparam_rewrite.source.targets import Target

DONE, CHANGED, FAILED = 0, 1, 2

#: From so many targets on, a terminal shows how far the run is.
WORTH_A_BAR = 4


class Request(NamedTuple):
    """The options that aren't paths. loudness: 0 is quiet, 1 usual, 2 verbose."""

    diff: bool = False
    check: bool = False
    force: bool = False
    fail_on_change: bool = False
    loudness: int = 1
    form: str = "text"

    @property
    def writes(self) -> bool:
        return not (self.diff or self.check)


def run(
    model: str | None, config: str | None, output: str | None, request: Request, screen: Screen
) -> int:
    """Read, rewrite, then write or compare. Raises `Refusal`; nothing is written before that."""
    if request.form != "json":
        return dispatch(model, config, output, request, screen)
    from reparam_rewrite.messages import Refusal

    try:
        return dispatch(model, config, output, request, screen)
    except Refusal as refusal:
        from reparam_rewrite.cli.report import failure

        screen.print(failure(refusal.diagnostics))
        return FAILED


def dispatch(
    model: str | None, config: str | None, output: str | None, request: Request, screen: Screen
) -> int:
    from reparam_rewrite.source.freshness import known_fresh

    if model is None:
        return run_targets(config, output, request, screen)
    if config is None:
        return refused(
            None, "no --config is given", "name the TOML file with the offsets: --config FILE."
        )
    if model.endswith(".toml"):
        hint = f"the model comes first: reparam-rewrite {config} --config {model}"
        hint = hint if config.endswith((".py", ".ipynb")) else "give the Python file of the model."
        return refused(model, "the model is a TOML file", hint)
    if output is None or output == "-":
        return print_rewritten(model, config, request, screen)
    if config == "-":
        hint = "save the config as a file, which the generated one can name."
        return refused(None, "a config on standard input is only for printing the result", hint)
    quick = request.loudness < 2 and not request.force and request.form != "json"
    if quick and known_fresh(model, config, output):
        screen.account([f"{output} is up to date"] if request.loudness else [])
        return DONE
    from reparam_rewrite.source.targets import Target

    return generate([Target(model, config, output)], request, screen, alone=True)


def refused(place: str | None, message: str, hint: str = "") -> int:
    from reparam_rewrite.messages import Diagnostic, Refusal

    raise Refusal(Diagnostic(place, message, hint))


def run_targets(config: str | None, output: str | None, request: Request, screen: Screen) -> int:
    """All targets of the nearest pyproject.toml."""
    if config is not None or output is not None:
        given = "--config" if config is not None else "-o"
        hint = "name the file to rewrite: reparam-rewrite model.py --config offsets.toml"
        return refused(None, f"{given} is given, and no MODEL", hint)
    from pathlib import Path

    from reparam_rewrite.source.freshness import known_fresh
    from reparam_rewrite.source.targets import find_targets

    targets = find_targets(Path())
    quick = request.loudness < 2 and not request.force and request.form != "json"
    if quick and all(known_fresh(*target) for target in targets):
        screen.account([total({"up to date": len(targets)})] if request.loudness else [])
        return DONE
    return generate(targets, request, screen, alone=False)


def total(counts: dict[str, int]) -> str:
    """``3 targets: 1 written, 2 up to date``"""
    count = sum(counts.values())
    parts = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    return f"{count} target{'' if count == 1 else 's'}: {parts}"


def print_rewritten(model: str, config: str, request: Request, screen: Screen) -> int:
    """To standard output, as it is or as a diff."""
    from pathlib import Path

    from reparam_rewrite.cli.report import accounted
    from reparam_rewrite.config.reading import read_config
    from reparam_rewrite.rewriting import rewrite
    from reparam_rewrite.source.diff import unified_diff
    from reparam_rewrite.source.files import read_bytes, read_stdin
    from reparam_rewrite.source.line_length import line_length
    from reparam_rewrite.source.reading import read

    if request.check:
        return refused(None, "--check has no output to compare with", "name it: -o FILE.")
    if request.form == "json":
        message = "--format json goes to standard output, and so does the model"
        return refused(None, message, "name a file for the model: -o FILE.")
    if config == "-":
        if model == "-":
            hint = "save one of them as a file."
            return refused(None, "the model and the config can't both be standard input", hint)
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


def generate(targets: Sequence[Target], request: Request, screen: Screen, alone: bool) -> int:
    """Generate the targets, write all or none, and report. `alone`: it was named by its path."""
    from reparam_rewrite.cli.report import Report
    from reparam_rewrite.generation import generate_all
    from reparam_rewrite.source.files import write_outputs

    with progress(screen, len(targets), request) as ready:
        outcomes = generate_all(targets, request.loudness > 1 or request.force, ready)
    held = [outcome for outcome in outcomes if is_held(outcome, request)]
    report = Report(outcomes, held, request, alone)
    if request.writes and not report.failed:
        report.written = write_outputs([(o.target.output, o.new) for o in outcomes if o.stale])
    if request.form == "json":
        screen.print(report.as_json())
    else:
        if request.diff:
            screen.diff(report.diff())
        report.show(screen)
    return report.status


def is_held(outcome: Outcome, request: Request) -> bool:
    """Is there something that stands against writing the output, and that wasn't waved through?"""
    return request.writes and not request.force and outcome.obstacle is not None


@contextmanager
def progress(screen: Screen, count: int, request: Request) -> Iterator[Callable[[], None]]:
    """What is to be called after each of `count` targets: it moves a bar, on a terminal."""
    if count < WORTH_A_BAR or not request.loudness or not screen.on_terminal:
        yield lambda: None
        return
    import sys

    import click

    with click.progressbar(length=count, label="generating", file=sys.stderr) as bar:
        yield lambda: bar.update(1)
