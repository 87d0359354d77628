"""IPython's own syntax, hidden from Python line by line and put back as it was.

What IPython would take for itself is, where a statement may begin (see IPython's
`core/inputtransformer2.py`):

    %matplotlib inline     !pip install numpyro     ?dist.Normal     dist.Normal?
    files = !ls            value = %env HOME        pip install numpyro

Each becomes a call that takes as many lines, so that all others keep their numbers.
"""

from __future__ import annotations

import re

from msgspec import Struct

from reparam_rewrite.source.placeholders import MAGIC

#: Cell magics whose cell runs as Python among the other cells.
PYTHON = frozenset(["capture", "prun", "time", "timeit"])

CELL_MAGIC = re.compile(r"[ \t]*%%(\S*)[^\r\n]*(?:\r\n|\r|\n|$)")

BLANK_LINES = re.compile(r"(?:[ \t]*(?:\r\n|\r|\n))*")

NEWLINE = re.compile(r"\r\n|\r|\n")

#: To the end of the line; a line that ends with a backslash goes on.
REST = re.compile(r"[^\r\n]*?(?:\\(?:\r\n|\r|\n)[^\r\n]*?)*(?=[\r\n]|$)")

#: Magics that need no percent sign, before what can't follow a name in Python.
AUTOMAGIC = re.compile(
    r"(?:apt|apt-get|cat|cd|conda|config|cp|env|history|less|load|load_ext|ls|mamba|man|matplotlib"
    r"|mkdir|more|mv|pip|pycat|pylab|reload_ext|rm|run|set_env|time|timeit|uv|who|whos)[ \t]+"
    r"(?!(?:and|if|in|is|not|or)\b)(?:[A-Za-z_./~\"'{$]|--?[A-Za-z])"
)

PART = re.compile(
    r"""
      (?P<newline> \r\n | \r | \n )
    | (?P<blank> [ \t\f]+ | \\(?:\r\n|\r|\n) )
    | (?P<comment> \#[^\r\n]* )
    | (?P<string> (?P<quotes>'''|\"\"\") (?:\\.|[^\\])*? (?:(?P=quotes)|\Z)
        | (?P<quote>['"]) (?:\\(?:\r\n|.)|[^\\\r\n])*? (?P=quote) )
    | (?P<open> [(\[{] )
    | (?P<close> [)\]}] )
    | (?P<assign> (?<![=!<>:+\-*/%&|^@~]) = (?!=) )
    | (?P<word> \w+ )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)


class Hidden(Struct, frozen=True):
    """Code without magics: `text` has each stand-in of `magics` once, in this order."""

    text: str
    magics: tuple[tuple[str, str], ...] = ()  # each stand-in, and what it stands for


def heading(text: str) -> str | None:
    """The cell magics that a cell begins with, as whole lines; None if what follows isn't Python.

    ::

        %%time                      %%bash
        def model(): ...            ls
    """
    at = end_of_blank_lines(text, 0)
    head = 0
    while match := CELL_MAGIC.match(text, at):
        if match[1] not in PYTHON:
            return None
        head = match.end()
        at = end_of_blank_lines(text, head)
    return text[:head]


def end_of_blank_lines(text: str, at: int) -> int:
    match = BLANK_LINES.match(text, at)
    assert match is not None
    return match.end()


def hide(text: str, first: int = 0) -> Hidden:
    """The code of a cell with every magic hidden; the stand-ins are numbered from `first`."""
    pieces: list[str] = []
    magics: list[tuple[str, str]] = []
    done = 0
    for start, end in magics_of(text):
        magic = text[start:end]
        standin = f"{MAGIC}{first + len(magics)}({''.join(NEWLINE.findall(magic))})"
        pieces += [text[done:start], standin]
        magics.append((standin, magic))
        done = end
    return Hidden("".join([*pieces, text[done:]]), tuple(magics))


def restore(hidden: Hidden) -> str:
    """The code with its magics. Raises ValueError if a stand-in was lost or doubled."""
    pieces: list[str] = []
    text = hidden.text
    for standin, magic in hidden.magics:
        before, separator, text = text.partition(standin)
        if not separator:
            raise ValueError(standin)
        pieces += [before, magic]
    pieces.append(text)
    if any(MAGIC in piece for piece in pieces):
        raise ValueError(MAGIC)
    return "".join(pieces)


def magics_of(text: str) -> list[tuple[int, int]]:
    """Where the magics stand, as ``text[start:end]``, without the ends of their last lines."""
    magics: list[tuple[int, int]] = []
    at = depth = 0
    start: int | None = None  # of the statement, once there is one
    asked = 0  # the end of a question mark that is the last of the line so far
    while at < len(text):
        if start is None and (end := magic_at(text, at)):
            magics.append((at, end))
            at = end
            continue
        part = PART.match(text, at)
        assert part is not None
        kind = part.lastgroup
        at = part.end()
        if kind in ("blank", "comment"):
            continue
        if kind == "newline":
            if start is not None and asked and depth <= 0 and one_line(text, start, asked):
                magics.append((start, asked))
            asked = 0
            start = start if depth > 0 else None
            continue
        start = part.start() if start is None else start
        asked = at if part[0] == "?" else 0
        depth += (kind == "open") - (kind == "close")
        if kind == "assign" and depth == 0 and (value := assigned_magic(text, at)):
            magics.append(value)
            at = value[1]
    if start is not None and asked and depth <= 0 and one_line(text, start, asked):
        magics.append((start, asked))
    return magics


def magic_at(text: str, at: int) -> int:
    """Where a magic that begins at `at` ends, 0 if there is none."""
    if text[at] in "%!?" or AUTOMAGIC.match(text, at):
        return end_of_line(text, at)
    return 0


def assigned_magic(text: str, at: int) -> tuple[int, int] | None:
    """``!ls`` behind ``files =``"""
    while text[at : at + 1] in (" ", "\t"):
        at += 1
    return (at, end_of_line(text, at)) if text[at : at + 1] in ("!", "%") else None


def end_of_line(text: str, at: int) -> int:
    match = REST.match(text, at)
    assert match is not None
    return match.end()


def one_line(text: str, start: int, end: int) -> bool:
    return not NEWLINE.search(text, start, end)
