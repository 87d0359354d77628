"""The command line: options, streams and exit codes.

Only click is imported at the top. `--help` and mistakes in the options cost its start-up and no
more; the rest is imported by the run that needs it.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, NoReturn

import click

from reparam_rewrite import __version__
from reparam_rewrite.commands import COMMANDS

if TYPE_CHECKING:
    from reparam_rewrite.diagnostics import Diagnostic
    from reparam_rewrite.rewriting import Rewrite

DONE, CHANGED, FAILED = 0, 1, 2
# What shells report of a program that Ctrl-C (SIGINT) or a closed pipe (SIGPIPE) ended. Not 1,
# which is what click makes of both: that would mean that --check found a change.
INTERRUPTED, CUT_OFF = 130, 141

EPILOG = """\b
Examples:
  Print the rewritten model, or write it to a file:
    reparam-rewrite model.py --config offsets.toml
    reparam-rewrite model.py --config offsets.toml -o model_reparam.py
  Show what changes, or tell whether the file is up to date:
    reparam-rewrite model.py --config offsets.toml --diff
    reparam-rewrite model.py --config offsets.toml -o model_reparam.py --check

\b
Exit status:
  0  done, or up to date
  1  --check found that the output would change
  2  an error; nothing was written
"""


#: What the hint about a missing MODEL says, by the name of the click command.
EXAMPLES = {
    "main": "name the file to rewrite: reparam-rewrite model.py --config offsets.toml",
    "verify": "name the plain model: reparam-rewrite verify model.py model_reparam.py",
}


class Program(click.Command):
    """A command that ends with one of the exit codes above, and never with a traceback."""

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


class Rewriter(Program):
    """The program itself: a command, unless its first argument is the name of another.

    A model that has such a name, without an ending, is reached as ``./verify``.
    """

    def main(self, *arguments: Any, **options: Any) -> NoReturn:
        given = arguments[0] if arguments else options.pop("args", None)
        words = list(sys.argv[1:] if given is None else given)
        if words and words[0] in COMMANDS:
            from importlib import import_module

            found = import_module(f"reparam_rewrite.commands.{words[0]}").command
            name = options.pop("prog_name", None) or detected_name()
            found.main(words[1:], prog_name=f"{name} {words[0]}", **options)
        super().main(words, **options)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def detected_name() -> str:
    """What the program was called as, as click finds it out."""
    from click.utils import _detect_program_name

    return _detect_program_name()


def mistake(error: click.UsageError, command: click.Command) -> Diagnostic:
    """What click says of the arguments, in the form of every other message."""
    from reparam_rewrite.diagnostics import Diagnostic, nearest

    if isinstance(error, click.MissingParameter) and error.param is not None:
        if error.param.name == "model":
            return Diagnostic(
                None,
                "no MODEL is given",
                EXAMPLES.get(command.name or "", EXAMPLES["main"]),
            )
        return Diagnostic(
            None,
            f"no --{error.param.name} is given",
            "name the TOML file with the offsets: --config FILE.",
        )
    if isinstance(error, click.NoSuchOption):
        options = [name for param in command.params for name in param.opts if name.startswith("--")]
        near = nearest(error.option_name.lstrip("-"), [name[2:] for name in options])
        hint = f"did you mean --{near[0]}?" if near else "--help lists all of them."
        return Diagnostic(None, f"there is no option {error.option_name}", hint)
    said = error.format_message().rstrip(".")
    return Diagnostic(None, said[:1].lower() + said[1:], "--help shows how to call it.")


def unwritable(error: OSError | None) -> Diagnostic:
    """Standard output took nothing, for the reason `error`, or None if it was closed before."""
    from reparam_rewrite.diagnostics import Diagnostic
    from reparam_rewrite.files import os_reason

    discard(sys.stdout)
    reason = os_reason(error) if error else "it is closed"
    message = f"cannot write to standard output: {reason}"
    return Diagnostic(None, message, "redirect it to a place that can be written.")


def discard(stream: IO[str] | None) -> None:
    """Drop what `stream` still holds: Python would try again at exit, and complain."""
    with suppress(OSError, AttributeError):  # None, or no file behind it
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # type: ignore[union-attr]


@click.command(
    cls=Rewriter,
    name="main",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.argument("model", metavar="MODEL")
@click.option("--config", "-c", metavar="FILE", required=True, help="The offsets, a TOML file.")
@click.option("--output", "-o", metavar="FILE", help="Write here instead of to standard output.")
@click.option("--diff", is_flag=True, help="Print a unified diff and write nothing.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if the output would change.")
@click.option("--quiet", "-q", is_flag=True, help="No account of the configured sites.")
@click.option("--verbose", "-v", is_flag=True, help="A longer account.")
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colour; auto is on a terminal, unless NO_COLOR is set.",
)
@click.version_option(__version__, "--version", "-V", message="reparam-rewrite %(version)s")
def main(
    model: str,
    config: str,
    output: str | None,
    diff: bool,
    check: bool,
    quiet: bool,
    verbose: bool,
    color: str,
) -> int:
    """Rewrite the NumPyro model in MODEL with the offsets that a config asks for.

    MODEL is a Python file, a Jupyter notebook (.ipynb), or - for Python on standard input. It is
    never changed: the rewritten model goes to standard output, or to the file that -o names. What
    was done to every configured site goes to standard error. A file that is called like a command
    below is written with its folder, ./verify.
    """
    screen = Screen(color)
    loudness = 0 if quiet else 1 + verbose
    hint = "nothing was written. Please report this; -v shows the traceback."

    def work() -> int:
        return run(model, config, output, diff, check, loudness, screen)

    return guarded(work, model, verbose, screen, hint)


def guarded(work: Callable[[], int], model: str, verbose: bool, screen: Screen, hint: str) -> int:
    """The exit status of `work`; what it raises is shown, with a `hint` if it is our mistake."""
    from reparam_rewrite.diagnostics import Diagnostic, Refusal

    try:
        return work()
    except Refusal as refusal:
        if verbose and refusal.__cause__ is not None:  # of code of the user's that was run
            import traceback

            screen.note("".join(traceback.format_exception(refusal.__cause__)).rstrip())
        for diagnostic in refusal.diagnostics:
            screen.error(diagnostic)
    except BrokenPipeError:  # `| head` has seen enough
        discard(sys.stdout)
        return CUT_OFF
    except RecursionError:
        message = "an expression, or an if with many elif, is nested too deeply to be read"
        screen.error(Diagnostic(None if model == "-" else model, message, "take it apart."))
    except Exception as error:
        if verbose:
            import traceback

            screen.note(traceback.format_exc().rstrip())
            hint = hint.replace("; -v shows the traceback.", ", with the traceback above.")
        message = f"internal error: {type(error).__name__}: {error}"
        screen.error(Diagnostic(None if model == "-" else model, message, hint))
    return FAILED


def run(
    model: str,
    config: str,
    output: str | None,
    diff: bool,
    check: bool,
    loudness: int,
    screen: Screen,
) -> int:
    """Read, rewrite, then write or compare. Raises `Refusal`; nothing is written before that."""
    from pathlib import Path

    from reparam_rewrite.config import read_config
    from reparam_rewrite.diagnostics import Diagnostic, Refusal
    from reparam_rewrite.files import (
        line_length,
        read_bytes,
        read_source,
        refuse_other_kind,
        refuse_same_file,
        unified_diff,
        write_output,
    )
    from reparam_rewrite.rewriting import rewrite

    to_file = output is not None and output != "-"
    if check and not to_file:
        raise Refusal(
            Diagnostic(None, "--check has no output to compare with", "name it: -o FILE.")
        )
    settings = read_config(read_bytes(config, "config"), config)
    source = read_source(model)
    if output is not None and to_file:
        refuse_same_file(model, output)
        refuse_same_file(config, output, "config")
        refuse_other_kind(model, output)
    result = rewrite(source, settings, line_length(Path() if model == "-" else Path(model)))
    account = accounted(result, loudness)

    if output is None or not to_file:
        path = Path(source.path)
        if diff:
            screen.diff(unified_diff(source.data, result.data, path, path))
        else:
            screen.write(result.data)
        screen.account(account)
        return DONE

    # Unlike Path.exists, without an error for a path that is too long: to write there gives it.
    exists = os.path.exists(output)  # noqa: PTH110
    old = read_bytes(output, "output") if exists else b""
    stale = not exists or old != result.data
    if diff:
        path = Path(output)
        screen.diff(unified_diff(old, result.data, path if exists else None, path))
    elif not check:
        write_output(output, result.data)
    if loudness and not stale:
        account.append(f"{output} is up to date")
    elif loudness and check:
        account.append(f"{output} would change" if exists else f"{output} does not exist yet")
    elif loudness and not diff:
        account.append(f"wrote {output}")
    screen.account(account)
    return CHANGED if check and stale else DONE


def accounted(result: Rewrite, loudness: int) -> list[str]:
    """A line for every configured site; none at `loudness` 0, longer ones at 2."""
    if not loudness:
        return []
    if result.already:
        return [
            f"{result.accounts[0].path} is rewritten already: nothing changed. "
            "To apply another config, rewrite the plain model."
        ]
    lines = []
    for account in result.accounts:
        line = (
            f"{account.path}:{account.line} {account.site} <- {', '.join(account.parents)} "
            f"({account.config.path}:{account.config.line})"
        )
        if loudness > 1:
            line += f" in {account.function}, {'; '.join(account.details)}"
        lines.append(line)
        lines += [f"{account.path}:{account.line} note: {note}" for note in account.notes]
    return lines


class Screen:
    """Standard output and standard error, each with or without colour."""

    def __init__(self, color: str) -> None:
        self._color = color

    def _colored(self, stream: IO[str]) -> bool:
        if self._color != "auto":
            return self._color == "always"
        if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            return False
        return stream is not None and stream.isatty()

    def note(self, text: str) -> None:
        """A line to standard error; if that is gone, there is nobody to tell."""
        try:
            click.echo(text, err=True, color=True)
        except OSError:
            discard(sys.stderr)

    def account(self, lines: list[str]) -> None:
        from reparam_rewrite.diagnostics import printable

        for line in lines:
            self.note(printable(line))

    def error(self, diagnostic: Diagnostic) -> None:
        head, *rest = str(diagnostic).split("\n")
        if self._colored(sys.stderr):
            place = f"{diagnostic.place}:" if diagnostic.place else ""
            head = click.style(place, bold=True) + click.style(head[len(place) :], fg="red")
            rest = [
                click.style(line, fg="red", bold=True)
                if line.strip() == "^"
                else click.style(line, fg="cyan")
                if line.startswith("hint: ")
                else line
                for line in rest
            ]
        self.note("\n".join([head, *rest]))

    def write(self, data: bytes) -> None:
        """Bytes as they are to standard output. Raises `Refusal` and BrokenPipeError."""
        from reparam_rewrite.diagnostics import Refusal

        if sys.stdout is None:  # as after `>&-`
            raise Refusal(unwritable(None))
        try:
            rest = memoryview(data)
            while rest:
                # Under `python -u` a write stops where a pipe breaks or a disk is full, and only
                # the next one says why.
                written = sys.stdout.buffer.write(rest)
                rest = rest[written:]
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Refusal(unwritable(error)) from None

    def report(self, lines: list[str]) -> None:
        """Lines to standard output, the word that begins each in its colour on a terminal."""
        colors = {"ok": "green", "DIFFERENT": "red", "UNKNOWN": "yellow", "skipped": "cyan"}
        if self._colored(sys.stdout):
            for at, line in enumerate(lines):
                word = line.split(" ")[0]
                if word in colors:
                    lines[at] = click.style(word, fg=colors[word]) + line[len(word) :]
        self.write("".join(f"{line}\n" for line in lines).encode())

    def diff(self, data: bytes) -> None:
        """A diff, coloured line by line on a terminal."""
        if not self._colored(sys.stdout):
            self.write(data)
            return
        colors = {b"+": b"\x1b[32m", b"-": b"\x1b[31m", b"@": b"\x1b[36m"}
        lines = []
        for line in data.split(b"\n")[: -1 if data.endswith(b"\n") else None]:
            color = b"\x1b[1m" if line[:4] in (b"diff", b"--- ", b"+++ ") else colors.get(line[:1])
            lines.append(color + line + b"\x1b[0m\n" if color else line + b"\n")
        self.write(b"".join(lines))
