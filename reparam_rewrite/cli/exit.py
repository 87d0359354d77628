"""How a command ends: its exit status, and what is said of an error; never with a traceback."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from reparam_rewrite.cli.screen import Screen, discard, unwritable

if TYPE_CHECKING:
    from reparam_rewrite.cli.options import Request
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


def told(error: Exception, request: Request, screen: Screen, left: str) -> Sequence[Diagnostic]:
    """What to tell of an error; the traceback of one that isn't a refusal goes to the screen."""
    import traceback

    from reparam_rewrite.messages import Diagnostic, Refusal, too_deep

    place = None if request.model == "-" else request.model
    if isinstance(error, RecursionError):
        return [too_deep(place)]
    # What a refusal was raised from is an error in code of the user's.
    shown = error.__cause__ if isinstance(error, Refusal) else error
    if request.verbose and shown is not None:
        screen.note("".join(traceback.format_exception(shown)).rstrip())
    if isinstance(error, Refusal):
        return error.diagnostics
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


class Extra(click.UsageError):
    """There are more arguments than a command takes: these `words`."""

    def __init__(self, words: Sequence[str]) -> None:
        plural = "s" if len(words) > 1 else ""
        super().__init__(f"got unexpected extra argument{plural} ({' '.join(words)})")
        self.words = words


class Program(click.Command):
    """A command that ends with one of the exit codes above.

    Its function takes a request, of the class `request`, and the screen of that. What it raises is
    shown; if it is a mistake of ours, the hint begins with what is `left`.
    """

    allow_extra_args = True  # so that `parse_args` sees them

    def __init__(self, *, request: type[Request], left: str, **settings: Any) -> None:
        super().__init__(**settings)
        self._request, self._left = request, left

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        extra = super().parse_args(ctx, args)
        if extra and not ctx.resilient_parsing:
            raise Extra(extra)
        return extra

    def invoke(self, ctx: click.Context) -> int:
        """Do what is asked for, and give the exit status."""
        assert self.callback is not None
        request = self._request(**ctx.params)
        screen = request.screen
        try:
            status: int = self.callback(request, screen)
            return status
        except BrokenPipeError:  # `| head` has seen enough
            discard(sys.stdout)
            return CUT_OFF
        except Exception as error:
            for diagnostic in told(error, request, screen, self._left):
                screen.error(diagnostic)
        return FAILED

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
    message = error.format_message().rstrip(".")
    message = message[:1].lower() + message[1:]
    hint = "--help shows how to call it."
    match error:
        case click.MissingParameter():  # no other is required
            message = "no MODEL is given"
            hint = EXAMPLES.get(command.name or "", EXAMPLES["main"])
        case click.NoSuchOption(option_name=name):
            near = nearest(name.lstrip("-"), [one[2:] for one in known if one.startswith("--")])
            message = f"there is no option {name}"
            hint = f"did you mean --{near[0]}?" if near else "--help lists all of them."
        case Extra(words=words) if "--config" in known:
            configs = [word for word in words if word.endswith(".toml")]
            if configs:
                hint = f"a config has an option before its name: --config {configs[0]}"
    return Diagnostic(None, message, hint)
