"""IPython's own syntax, hidden from Python line by line and put back as it was.

What IPython would take for itself is, where a statement may begin (see IPython's
`core/inputtransformer2.py`):

    %matplotlib inline     !pip install numpyro     ?dist.Normal     dist.Normal?
    files = !ls            value = %env HOME        pip install numpyro

Each becomes a call that takes as many lines, so that all others keep their numbers.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from reparam_rewrite.source.placeholders import MAGIC

#: Cell magics whose cell runs as Python among the other cells.
PYTHON = frozenset(["capture", "prun", "time", "timeit"])

#: A cell magic, with the blank lines above it.
CELL_MAGIC = re.compile(r"(?:[ \t]*(?:\r\n|\r|\n))*[ \t]*%%(\S*)[^\r\n]*(?:\r\n|\r|\n|$)")

NEWLINE = re.compile(r"\r\n|\r|\n")

#: To the end of the line; a line that ends with a backslash goes on.
REST = re.compile(r"[^\r\n]*?(?:\\(?:\r\n|\r|\n)[^\r\n]*?)*(?=[\r\n]|$)")

#: What begins a magic. Some need no percent sign, before what can't follow a name in Python.
FIRST = re.compile(
    r"[%!?]|(?:apt|apt-get|cat|cd|conda|config|cp|env|history|less|load|load_ext|ls|mamba|man"
    r"|matplotlib|mkdir|more|mv|pip|pycat|pylab|reload_ext|rm|run|set_env|time|timeit|uv|who|whos)"
    r"[ \t]+(?!(?:and|if|in|is|not|or)\b)(?:[A-Za-z_./~\"'{$]|--?[A-Za-z])"
)

#: ``!ls`` behind ``files =``
ASSIGNED = re.compile(r"[ \t]*(?=[!%])")

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


class Hidden(NamedTuple):
    """Code without magics: `text` has each stand-in of `magics` once, in this order."""

    text: str
    magics: tuple[tuple[str, str], ...] = ()  # each stand-in, and what it stands for


def heading(text: str) -> str | None:
    """The cell magics that a cell begins with, as whole lines; None if what follows isn't Python.

    ::

        %%time                      %%bash
        def model(): ...            ls
    """
    end = 0
    while magic := CELL_MAGIC.match(text, end):
        if magic[1] not in PYTHON:
            return None
        end = magic.end()
    return text[:end]


def hide(text: str, first: int = 0) -> Hidden:
    """The code of a cell with every magic hidden; the stand-ins are numbered from `first`."""
    hidden = ""
    magics: list[tuple[str, str]] = []
    done = 0
    for start, end in magics_of(text):
        magic = text[start:end]
        standin = f"{MAGIC}{first + len(magics)}({''.join(NEWLINE.findall(magic))})"
        hidden += text[done:start] + standin
        magics.append((standin, magic))
        done = end
    return Hidden(hidden + text[done:], tuple(magics))


def restore(hidden: Hidden) -> str:
    """The code with its magics. Raises ValueError if a stand-in was lost or doubled."""
    done, text = "", hidden.text
    for standin, magic in hidden.magics:
        before, separator, text = text.partition(standin)
        if not separator or MAGIC in before:
            raise ValueError(standin)
        done += before + magic
    if MAGIC in text:
        raise ValueError(MAGIC)
    return done + text


def magics_of(text: str) -> list[tuple[int, int]]:
    """Where the magics stand, as ``text[start:end]``, without the ends of their last lines."""
    magics: list[tuple[int, int]] = []
    at = depth = 0
    start: int | None = None  # of the statement, once there is one
    asked = 0  # the end of a question mark that is the last of the line so far
    while True:
        if start is None and FIRST.match(text, at):
            magics.append((at, end_of_line(text, at)))
            at = magics[-1][1]
            continue
        part = PART.match(text, at)
        kind = part.lastgroup if part else "end"
        if kind in ("newline", "end"):
            asked_in_one_line = asked and depth <= 0 and not NEWLINE.search(text, start or 0, asked)
            if start is not None and asked_in_one_line:
                magics.append((start, asked))
            asked = 0
            start = start if depth > 0 else None
        if part is None:
            return magics
        at = part.end()
        if kind in ("newline", "blank", "comment"):
            continue
        start = part.start() if start is None else start
        asked = at if part[0] == "?" else 0
        depth += (kind == "open") - (kind == "close")
        if kind == "assign" and depth == 0 and (value := ASSIGNED.match(text, at)):
            at = end_of_line(text, value.end())
            magics.append((value.end(), at))


def end_of_line(text: str, at: int) -> int:
    found = REST.match(text, at)
    assert found is not None
    return found.end()
