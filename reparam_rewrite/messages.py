"""What is wrong, where, and the way out: the one form of every message a user sees.

A `Problem` is a rule of the rewriter that a model breaks, as values: which rule, and which sites,
functions and places it is about. A `Diagnostic` is what a user reads of it, and raising `Refusal`
with one or more of them is how every step of the pipeline says no. Printing them is the command
line's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from string import Formatter
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace


class Place(Struct, frozen=True, order=True):
    """A position in a file as editors count it: `line` and `column` are 1-based characters.

    Where the line is one of a cell of a notebook, `cell` is what sentences call that cell, and
    `path` is how a path names it: ``Place("model.ipynb:cell 4", 3, 1, "cell 4")``. In a file other
    than the model's it is what they call that file.
    """

    path: str
    line: int
    column: int
    cell: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"

    def at(self, line: int) -> Place:
        """The start of another line of the same file."""
        return replace(self, line=line, column=1)


class Named(Struct, frozen=True):
    """A name that a file gives, and where."""

    name: str
    place: Place


class OfSite(Struct, frozen=True):
    """A problem is about one site."""

    site: str


class OfPair(Struct, frozen=True):
    """A problem is about the offset of one site by another, or by an expression's label."""

    child: str
    parent: str


class OfFunction(Struct, frozen=True):
    """A problem is about a function of the model's file."""

    function: str


class OfFile(Struct, frozen=True):
    """A problem is about all of the model's file, or all of the config."""


About = OfSite | OfPair | OfFunction | OfFile

#: What a user calls a name.
Spelt = Callable[[str], str]

#: What fills a hole of a message. Places are told in words: ``line 7``, ``lines 3, 7 and 9``.
Filler = str | int | Place | tuple[Place, ...]


class Problem(Struct, frozen=True):
    """A rule that a model or a config breaks, where, and the way out.

    `code` is the name of the rule, and `about` says which sites it was broken by. `text` and
    `hint` are templates in the syntax of `str.format`, whose holes have the names of the fields
    of `about` and of `parts`; what fills a hole is never read as a template itself. ``{at:path}``
    tells a place as ``model.py:7`` and not as ``line 7``.
    """

    code: str
    about: About
    place: Place | str
    text: str
    hint: str
    parts: Mapping[str, Filler] = {}

    @property
    def message(self) -> str:
        """What is wrong: a clause without a final full stop."""
        return self._filled(self.text)

    def _filled(self, template: str) -> str:
        return FILLING.vformat(template, (), {**asdict(self.about), **self.parts})

    def told(self, source: str) -> Diagnostic:
        """What a user reads of it; `source` is the text of the line where it is."""
        return Diagnostic(self.place, self.message, self._filled(self.hint), source, self)

    def moved(self, to: Callable[[Place], Place], spelt: Spelt = str) -> Problem:
        """The same problem in another file: `to` gives for every place where that is now.

        `spelt` gives for every name what a user calls it.
        """

        def there(part: Any) -> Any:
            if isinstance(part, tuple):
                return tuple(map(to, part))
            if isinstance(part, str):
                return spelt(part)
            return to(part) if isinstance(part, Place) else part

        parts = {name: there(part) for name, part in self.parts.items()}
        about = replace(self.about, **{name: spelt(it) for name, it in asdict(self.about).items()})
        place = to(self.place) if isinstance(self.place, Place) else self.place
        return replace(self, place=place, parts=parts, about=about)


class Filling(Formatter):
    """Fills the holes of a message: text as it is, and places in words or as paths."""

    def format_field(self, value: Any, spec: str) -> str:
        places = value if isinstance(value, tuple) else (value,)
        if not isinstance(places[0], Place):
            return str(value)
        if spec == "path":
            return ", ".join(f"{place.path}:{place.line}" for place in places)
        return lines_in_words(places)


FILLING = Filling()


def lines_in_words(places: tuple[Place, ...]) -> str:
    """``line 7``, ``lines 7, 9 and 12``, or ``line 1 of cell 2 and line 3 of cell 4``."""
    if len(places) > 1 and not any(place.cell for place in places):
        return f"lines {joined([str(place.line) for place in places])}"
    cells = (f" of {place.cell}" if place.cell else "" for place in places)
    return joined([f"line {at.line}{cell}" for at, cell in zip(places, cells, strict=True)])


class Diagnostic(Struct, frozen=True):
    """One thing that is wrong.

    `message` is a clause without a final full stop; `hint` is the way out, a whole sentence or
    empty; `source` is the text of the line at `place`, empty where there is none to show.
    `place` is None for what has no file (an option that is missing, say). `problem` is what it
    tells, where that was a `Problem`.
    """

    place: Place | str | None
    message: str
    hint: str = ""
    source: str = ""
    problem: Problem | None = None

    def moved(self, to: Callable[[Place], Place], source: str, spelt: Spelt = str) -> Diagnostic:
        """The same in another file, as in `Problem.moved`."""
        if self.problem is not None:
            return self.problem.moved(to, spelt).told(source)
        place = to(self.place) if isinstance(self.place, Place) else self.place
        told = {"message": spelt(self.message), "hint": spelt(self.hint)}
        return replace(self, place=place, source=source, **told)

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
            diagnostics = (diagnostics,)
        self.diagnostics = tuple(diagnostics)
        super().__init__(self.diagnostics)  # from which it is made again in other processes

    def __str__(self) -> str:
        return "\n".join(map(str, self.diagnostics))

    def _render_traceback_(self) -> list[str]:
        """What IPython shows of it: the message, without the frames that it came through."""
        return f"Refusal: {self}".split("\n")

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The rules that are broken, in the same order; other diagnostics are of no rule."""
        return tuple(told.problem for told in self.diagnostics if told.problem is not None)


def too_deep(place: str | None) -> Diagnostic:
    """What a RecursionError means: Python, or LibCST, reads nothing that is nested so deeply."""
    message = "an expression, or an if with many elif, is nested too deeply to be read"
    return Diagnostic(place, message, "take it apart.")


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
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)


def nearest(wrong: str, known: Iterable[str], cutoff: float = 0.6) -> list[str]:
    """The names most like `wrong`, best first: at most three, possibly none."""
    from difflib import get_close_matches  # which only mistakes need

    folded = {name.casefold(): name for name in sorted(set(known))}
    found = get_close_matches(wrong.casefold(), list(folded), n=3, cutoff=cutoff)
    return [folded[name] for name in found]


def listed(names: Iterable[str], limit: int = 8, last: str = "and") -> str:
    """`'a', 'b' and 'c'`, cut after `limit` names."""
    quoted = [f"'{name}'" for name in names]
    if len(quoted) > limit:
        quoted = [*quoted[:limit], f"{len(quoted) - limit} more"]
    return joined(quoted, last)


def joined(words: list[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``; empty if there are none."""
    *before, final = words or [""]
    return f"{', '.join(before)} {last} {final}" if before else final
