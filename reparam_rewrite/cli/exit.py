"""How a command ends: its exit status, and what is said of an error; never with a traceback."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

import click

from reparam_rewrite.cli.screen import Screen, discard, unwritable

if TYPE_CHECKING:
    from reparam_rewrite.messages import Diagnostic

DONE, CHANGED, FAILED = 0, 1, 2

#: What shells report of a program that Ctrl-C (SIGINT) or a closed pipe (SIGPIPE) ended. Not 1,
#: which is what click makes of both: that would mean that --check found a change.
INTERRUPTED, CUT_OFF = 130, 141

#: What the hint about a missing MODEL says, by the name of the click command.
EXAMPLES = {
    "main": "name the file to rewrite: reparam-rewrite model.py --config offsets.toml",
    "suggest": "name the plain model: reparam-rewrite suggest model.py",
    "verify": "name the plain model: reparam-rewrite verify model.py model_reparam.py",
}


class Request(Protocol):
    """What a command is asked for: a value of its options."""

    @property
    def model(self) -> str | None: ...
    @property
    def color(self) -> str: ...
    @property
    def form(self) -> str: ...
    @property
    def verbose(self) -> bool: ...


Asked = TypeVar("Asked", bound=Request)


def guarded(
    run: Callable[[Asked, Screen], int], request: Asked, left: str = "nothing was written. "
) -> int:
    """Do what is asked for, and give the exit status.

    What `run` raises is shown. If it is a mistake of ours, the hint begins with what is `left`.
    """
    screen = Screen(request.color, request.form)
    try:
        return run(request, screen)
    except BrokenPipeError:  # `| head` has seen enough
        discard(sys.stdout)
        return CUT_OFF
    except Exception as error:
        for diagnostic in told(error, request, screen, left):
            screen.error(diagnostic)
    return FAILED


def told(error: Exception, request: Request, screen: Screen, left: str) -> Sequence[Diagnostic]:
    """What to tell of an error; the traceback of one that isn't a refusal goes to the screen."""
    import traceback

    from reparam_rewrite.messages import Diagnostic, Refusal, too_deep

    place = None if request.model == "-" else request.model
    if isinstance(error, Refusal):
        if request.verbose and error.__cause__ is not None:  # of code of the user's that was run
            screen.note("".join(traceback.format_exception(error.__cause__)).rstrip())
        return error.diagnostics
    if isinstance(error, RecursionError):
        return [too_deep(place)]
    if request.verbose:
        screen.note("".join(traceback.format_exception(error)).rstrip())
    message = f"internal error: {type(error).__name__}: {error}"
    return [Diagnostic(place, message, please_report(left, request.verbose))]


def please_report(left: str, shown: bool) -> str:
    """The hint of a mistake of ours: what is `left`, and whether its traceback was `shown`."""
    traceback = ", with the traceback above" if shown else "; -v shows the traceback"
    return f"{left}Please report this{traceback}."


def refused(place: str | None, message: str, hint: str = "") -> NoReturn:
    """Raise a `Refusal` for one reason."""
    from reparam_rewrite.messages import Diagnostic, Refusal

    raise Refusal(Diagnostic(place, message, hint))


class Program(click.Command):
    """A command that ends with one of the exit codes above."""

    def main(self, *arguments: Any, **options: Any) -> NoReturn:
        # When it ends Python looks for cycles in all that there is, for as long as parsing takes.
        atexit.register(gc.freeze)
        screen = Screen("auto")
        try:
            status = super().main(*arguments, **{**options, "standalone_mode": False})
        except click.UsageError as error:
            screen.error(mistake(error, self))
            status = FAILED
        except click.Abort:
            screen.note("interrupted")
            status = INTERRUPTED
        except OSError as error:  # of --help and --version
            screen.error(unwritable(error))
            status = FAILED
        sys.exit(status)


def mistake(error: click.UsageError, command: click.Command) -> Diagnostic:
    """What click says of the arguments, in the form of every other message."""
    from reparam_rewrite.messages import Diagnostic, nearest

    known = [name for param in command.params for name in param.opts]
    if isinstance(error, click.MissingParameter) and error.param is not None:
        if error.param.name == "model":
            hint = EXAMPLES.get(command.name or "", EXAMPLES["main"])
            return Diagnostic(None, "no MODEL is given", hint)
        hint = "name the TOML file with the offsets: --config FILE."
        return Diagnostic(None, f"no --{error.param.name} is given", hint)
    if isinstance(error, click.NoSuchOption):
        long = [name[2:] for name in known if name.startswith("--")]
        near = nearest(error.option_name.lstrip("-"), long)
        hint = f"did you mean --{near[0]}?" if near else "--help lists all of them."
        return Diagnostic(None, f"there is no option {error.option_name}", hint)
    message = error.format_message().rstrip(".")
    message = message[:1].lower() + message[1:]
    extra = message.partition("got unexpected extra argument")[2].strip("s ()")
    configs = [word for word in extra.split() if word.endswith(".toml")]
    if "--config" in known and configs:
        hint = f"a config has an option before its name: --config {configs[0]}"
        return Diagnostic(None, message, hint)
    return Diagnostic(None, message, "--help shows how to call it.")
