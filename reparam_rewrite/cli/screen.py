"""Standard output and standard error, with or without colour; each may be closed or full."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import IO, TYPE_CHECKING

import click

if TYPE_CHECKING:
    from reparam_rewrite.messages import Diagnostic

#: The colours of the words that begin the lines of a report.
VERDICTS = {
    "ok": "green",
    "warning": "yellow",
    "DIFFERENT": "red",
    "UNKNOWN": "yellow",
    "skipped": "cyan",
}


class Screen:
    """Standard output and standard error, each with or without colour."""

    def __init__(self, color: str) -> None:
        self._color = color

    @property
    def on_terminal(self) -> bool:
        """Does somebody watch standard error, and can lines on it be overwritten?"""
        stream = sys.stderr
        return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"

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

    def account(self, lines: Iterable[str]) -> None:
        """Lines to standard error, with control characters as Python writes them."""
        from reparam_rewrite.messages import printable

        for line in lines:
            self.note(printable(line))

    def error(self, diagnostic: Diagnostic) -> None:
        """A message to standard error, its parts in colours."""
        head, *rest = str(diagnostic).split("\n")
        if self._colored(sys.stderr):
            place = f"{diagnostic.place}:" if diagnostic.place else ""
            head = click.style(place, bold=True) + click.style(head[len(place) :], fg="red")
            for at, line in enumerate(rest):
                if line.strip() == "^":
                    rest[at] = click.style(line, fg="red", bold=True)
                elif line.startswith("hint: "):
                    rest[at] = click.style(line, fg="cyan")
        self.note("\n".join([head, *rest]))

    def write(self, data: bytes) -> None:
        """Bytes as they are to standard output. Raises `Refusal` and BrokenPipeError."""
        from reparam_rewrite.messages import Refusal

        if sys.stdout is None:  # as after `>&-`
            raise Refusal(unwritable(None))
        try:
            rest = memoryview(data)
            while rest:
                # Under `python -u` a write stops where a pipe breaks or a disk is full, and only
                # the next one says why.
                rest = rest[sys.stdout.buffer.write(rest) :]
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Refusal(unwritable(error)) from None

    def print(self, text: str) -> None:
        """Text to standard output; of paths the bytes that they were given in."""
        self.write(text.encode("utf-8", "surrogateescape"))

    def report(self, lines: Iterable[str]) -> None:
        """Lines to standard output, the verdict that begins each in its colour on a terminal."""
        shown = []
        for line in lines:
            word = line.split(" ")[0]
            if word in VERDICTS and self._colored(sys.stdout):
                line = click.style(word, fg=VERDICTS[word]) + line[len(word) :]
            shown.append(f"{line}\n")
        self.print("".join(shown))

    def diff(self, data: bytes) -> None:
        """A diff to standard output, coloured line by line on a terminal."""
        if not self._colored(sys.stdout):
            self.write(data)
            return
        from reparam_rewrite.source.diff import colored

        self.write(colored(data))


def unwritable(error: OSError | None) -> Diagnostic:
    """Standard output took nothing, for the reason `error`, or None if it was closed before."""
    from reparam_rewrite.messages import Diagnostic
    from reparam_rewrite.source.files import os_reason

    discard(sys.stdout)
    reason = os_reason(error) if error else "it is closed"
    message = f"cannot write to standard output: {reason}"
    return Diagnostic(None, message, "redirect it to a place that can be written.")


def discard(stream: IO[str] | None) -> None:
    """Drop what `stream` still holds: Python would try again at exit, and complain."""
    with suppress(OSError, AttributeError):  # None, or no file behind it
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # type: ignore[union-attr]
