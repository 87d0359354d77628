"""One target: what its output is to become, and whether that may be written. Writes nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from reparam_rewrite import __version__, rewriting
from reparam_rewrite.beside import refuse_missing_arrays
from reparam_rewrite.config.reading import read_config
from reparam_rewrite.config.rules import Config
from reparam_rewrite.messages import Diagnostic, Refusal, too_deep
from reparam_rewrite.rewriting import Rewrite
from reparam_rewrite.source import STDIN, is_notebook
from reparam_rewrite.source.files import read_bytes, refuse_same_file
from reparam_rewrite.source.line_length import line_length
from reparam_rewrite.source.overwriting import refusal_to_overwrite
from reparam_rewrite.source.reading import read
from reparam_rewrite.source.stamp import known_fresh, read_stamp, stamped
from reparam_rewrite.source.targets import Target
from reparam_rewrite.source.up_to_date import origin

#: Below so many bytes of models, starting other processes takes longer than they save.
WORTH_SHARING = 60_000


class Outcome(Struct, frozen=True):
    """What became of a target.

    old: the output as it is, None if there is none. new: what it is to be. rewrite: what was done
    to the model, None where the digests say that the output is up to date. obstacle: why `old` is
    not overwritten without being asked to. refused: why there is nothing to write; trace: of the
    mistake of ours that it is.
    """

    target: Target
    old: bytes | None = None
    new: bytes = b""
    rewrite: Rewrite | None = None
    obstacle: Diagnostic | None = None
    refused: tuple[Diagnostic, ...] = ()
    trace: str = ""

    @property
    def stale(self) -> bool:
        return self.old != self.new


def generate(target: Target) -> Outcome:
    """The outcome of a target. Raises `Refusal`."""
    given = read_bytes(target.config, "config")
    return of_config(target, given, lambda config: refuse_missing_arrays(config, target.output))


def of_config(target: Target, given: bytes, arrays_are_there: Callable[[Config], None]) -> Outcome:
    """The outcome for a config that `given` is, whatever is in its file. Raises `Refusal`.

    `arrays_are_there` refuses a config whose arrays won't be beside the output.
    """
    model, config, output = target
    settings = read_config(given, config)
    document = read(model)
    refuse_same_file(model, output)
    refuse_same_file(config, output, "config")
    refuse_other_kind(model, output)
    width = line_length(Path() if model == STDIN else Path(model))
    result = rewriting.rewrite(document, settings, width)
    arrays_are_there(settings)
    made_from = origin(
        __version__, output, (model, document.data), (config, given), width, result.read
    )
    new = stamped(result.data, made_from, output)
    # Unlike Path.exists, without an error for a path that is too long: to write there gives it.
    old = read_bytes(output, "output") if os.path.exists(output) else None  # noqa: PTH110
    stamp, other = read_stamp(old or b"", output), read_stamp(new, output)
    if old and stamp and other and stamp.same(other):
        return Outcome(target, old, old, result)
    obstacle = refusal_to_overwrite(output, old, new) if old is not None else None
    return Outcome(target, old, new, result, obstacle)


def refuse_other_kind(given: str, output: str) -> None:
    """Refuse an output that is a notebook where the model isn't one, or the other way round."""
    if is_notebook(given) == is_notebook(output):
        return
    message = "the model is Python, and what it is rewritten into is no notebook"
    ending = ".py"
    if is_notebook(given):
        message, ending = "the model is a notebook, and so is what it is rewritten into", ".ipynb"
    raise Refusal(Diagnostic(output, message, f"name an output that ends in {ending}."))


def attempt(target: Target) -> Outcome:
    """`generate`, with a refusal as an outcome, and an error of ours too: others go on."""
    try:
        return generate(target)
    except Refusal as refusal:
        return Outcome(target, refused=refusal.diagnostics)
    except RecursionError:
        return Outcome(target, refused=(too_deep(target.model),))
    except Exception as error:
        import traceback

        problem = Diagnostic(target.model, f"internal error: {type(error).__name__}: {error}")
        return Outcome(target, refused=(problem,), trace=traceback.format_exc().rstrip())


def generate_all(
    targets: Sequence[Target],
    thorough: bool = False,
    ready: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """The outcomes of all targets, in their order; `ready` is called after each.

    Those that are up to date by their digests, which `thorough` doesn't trust in, are found first;
    the others are shared among the processors where that pays.
    """
    known: dict[Target, Outcome] = {}
    for target in targets:
        if not thorough and known_fresh(*target):
            known[target] = fresh(target)
            ready()
    left = [target for target in targets if target not in known]
    for outcome in outcomes(left):
        known[outcome.target] = outcome
        ready()
    return [known[target] for target in targets]


def fresh(target: Target) -> Outcome:
    """The outcome of a target whose output is up to date, if the arrays that it loads are there."""
    same = read_bytes(target.output, "output")
    if b".npz" in same:
        try:
            config = read_config(read_bytes(target.config, "config"), target.config)
            refuse_missing_arrays(config, target.output)
        except Refusal as refusal:
            return Outcome(target, refused=refusal.diagnostics)
    return Outcome(target, same, same)


def outcomes(targets: Sequence[Target]) -> Iterator[Outcome]:
    """Those of targets that are to be generated, in their order."""
    processes = min(len(targets), os.cpu_count() or 1)
    if processes < 2 or sum(map(size_of, targets)) < WORTH_SHARING:
        yield from map(attempt, targets)
        return
    from concurrent.futures import ProcessPoolExecutor

    # Ctrl-C is for the parent alone: each child would print a traceback.
    ignore = (signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(processes, initializer=signal.signal, initargs=ignore) as pool:
        yield from pool.map(attempt, targets)


def size_of(target: Target) -> int:
    try:
        return Path(target.model).stat().st_size
    except (OSError, ValueError):
        return 0
