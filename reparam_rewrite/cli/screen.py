"""Standard output and standard error, with or without colour; each may be closed or full."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING

import click

if TYPE_CHECKING:
    from reparam_rewrite.messages import Diagnostic


class Screen:
    """Standard output and standard error, each with or without colour.

    form: "github" makes annotations of errors, which GitHub shows at their lines.
    """

    def __init__(self, color: str, form: str = "text") -> None:
        self._color = color
        self._form = form

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

    def account(self, lines: list[str]) -> None:
        from reparam_rewrite.messages import printable

        for line in lines:
            self.note(printable(line))

    def annotation(self, level: str, diagnostic: Diagnostic) -> None:
        """For GitHub alone: an "error" or a "warning" at its place."""
        if self._form == "github":
            self.note(annotated(level, diagnostic))

    def error(self, diagnostic: Diagnostic) -> None:
        if self._form == "github":
            self.annotation("error", diagnostic)
            return
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
        from reparam_rewrite.messages import Refusal

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

    def print(self, text: str) -> None:
        """Text to standard output; of paths the bytes that they were given in."""
        self.write(text.encode("utf-8", "surrogateescape"))

    def report(self, lines: list[str]) -> None:
        """Lines to standard output, the word that begins each in its colour on a terminal."""
        colors = {"ok": "green", "DIFFERENT": "red", "UNKNOWN": "yellow", "skipped": "cyan"}
        if self._colored(sys.stdout):
            for at, line in enumerate(lines):
                word = line.split(" ")[0]
                if word in colors:
                    lines[at] = click.style(word, fg=colors[word]) + line[len(word) :]
        self.print("".join(f"{line}\n" for line in lines))

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


def annotated(level: str, diagnostic: Diagnostic) -> str:
    """``::error file=model.py,line=3,col=5,title=reparam-rewrite::what is wrong``

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    from reparam_rewrite.messages import Place

    place = diagnostic.place
    where = {}
    if isinstance(place, Place):
        where = {"file": place.path, "line": str(place.line), "col": str(place.column)}
    elif place is not None:
        where = {"file": place}
    properties = {**where, "title": "reparam-rewrite"}
    where_and_what = ",".join(f"{key}={quoted(value, ':,')}" for key, value in properties.items())
    hint = f"\nhint: {diagnostic.hint}" if diagnostic.hint else ""
    return f"::{level} {where_and_what}::{quoted(diagnostic.message + hint)}"


def quoted(text: str, marks: str = "") -> str:
    """With what would end a workflow command, or a property of it, as its code."""
    return "".join(f"%{ord(c):02X}" if c in "%\r\n" + marks else c for c in text)


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
