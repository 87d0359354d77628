"""What is wrong, where, and the way out: the one form of every message a user sees.

A `Diagnostic` is a value; raising `Refusal` with one or more of them is how every step of the
pipeline says no. Rendering them is the command line's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Place:
    """A position in a file as editors count it: `line` and `column` are 1-based characters."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Diagnostic:
    """One thing that is wrong.

    `message` is a clause without a final full stop; `hint` is the way out, a whole sentence or
    empty; `source` is the text of the line at `place`, empty where there is none to show.
    `place` is None for what has no file (an option that is missing, say).
    """

    place: Place | str | None
    message: str
    hint: str = ""
    source: str = ""

    def __str__(self) -> str:
        """The message as printed without colour::

        model.py:12:9: 'a' is observed
            a = numpyro.sample("a", dist.Normal(0, 1), obs=y)
                ^
        hint: only latent sites can be offset.
        """
        head = f"{self.place}: {self.message}" if self.place else self.message
        lines = [printable(head)]
        if self.source.strip() and isinstance(self.place, Place):
            text, caret = excerpt(self.source, self.place.column)
            lines += [f"    {text}", f"    {caret}^"]
        if self.hint:
            lines.append(printable(f"hint: {self.hint}"))
        return "\n".join(lines)


class Refusal(Exception):
    """Nothing can be written, for one or more reasons.

    Raised by every step of the pipeline; `diagnostics` is never empty and is in the order in
    which the reasons should be read.
    """

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]) -> None:
        if isinstance(diagnostics, Diagnostic):
            diagnostics = [diagnostics]
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(str(d) for d in self.diagnostics))

    def __reduce__(self) -> tuple[type[Refusal], tuple[tuple[Diagnostic, ...]]]:
        """As other processes send it back, from the diagnostics and not from their text."""
        return type(self), (self.diagnostics,)


def excerpt(source: str, column: int) -> tuple[str, str]:
    """The source line without its indent, and the padding that puts a caret under `column`.

    Tabs inside the padding are kept as tabs, so that the caret lines up however they are shown.
    Control characters that would move the terminal's cursor are shown as a replacement mark.
    """
    line = source.rstrip("\r\n")
    text = line.lstrip(" \t\f")
    before = text[: max(0, column - 1 - (len(line) - len(text)))]
    padding = "".join("\t" if char == "\t" else " " for char in before)
    shown = "".join(char if char.isprintable() or char == "\t" else "\ufffd" for char in text)
    return shown, padding


def printable(line: str) -> str:
    """`line` with control characters as Python writes them: a path or a name may hold any.

    A line break would end the message, and an escape sequence might colour all that follows. What
    Python couldn't decode of a path, in the C locale, is UTF-8 nearly always.
    """
    if not line.isascii():
        with suppress(UnicodeEncodeError):  # a surrogate that stands for no byte
            line = line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return line if line.isprintable() else "".join(map(escaped, line))


def escaped(char: str) -> str:
    return char if char.isprintable() else ascii(char)[1:-1]


def nearest(wrong: str, known: Iterable[str], cutoff: float = 0.6) -> list[str]:
    """The names most like `wrong`, best first: at most three, possibly none."""
    from difflib import get_close_matches  # which only mistakes need

    known = sorted(set(known))
    folded = {name.casefold(): name for name in known}
    found = get_close_matches(wrong.casefold(), list(folded), n=3, cutoff=cutoff)
    return [folded[name] for name in found]


def listed(names: Iterable[str], limit: int = 8, last: str = "and") -> str:
    """`'a', 'b' and 'c'`, cut after `limit` names."""
    quoted = [f"'{name}'" for name in names]
    if len(quoted) > limit:
        quoted = [*quoted[:limit], f"{len(quoted) - limit} more"]
    if len(quoted) <= 1:
        return "".join(quoted)
    return f"{', '.join(quoted[:-1])} {last} {quoted[-1]}"
