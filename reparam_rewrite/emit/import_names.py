"""In which order do sorters put imports and the names in one, and where does one more name go?"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from reparam_rewrite.emit.blocks import Block, Import, Line
from reparam_rewrite.emit.wrap import Lines, margin_of

#: The lines of an import in parentheses that has a name a line, each perhaps with a comment.
OPENING = re.compile(r"[^()#]*\([ \t]*(#.*)?\r?")
NAME = re.compile(r"[ \t]*\w+(\s+as\s+\w+)?[ \t]*,[ \t]*(#.*)?\r?")

#: Is it a ``from`` import, of which module, and what is its first name?
Key = tuple[bool, str, tuple[int, str, str]]
Order = Callable[[Key], Any]


def key_of(found: Import) -> Key:
    first = written(found.names[0])
    if isinstance(found, ast.Import):
        return False, found.names[0].name.lower(), (-1, first.lower(), first)
    member = (-1, "", "") if first == "*" else member_key(first)
    return True, "." * found.level + (found.module or "").lower(), member


def top_of(found: Import) -> str:
    """The package that an import is of, "" for a relative one."""
    return key_of(found)[1].partition(".")[0]


def straight_first(key: Key) -> Any:
    """isort's order: ``import x`` before ``from x import y``."""
    return key


def by_module(key: Key) -> Any:
    """The other order in use (force-sort-within-sections): by module, whatever the form."""
    return key[1], key[0], key[2]


def order_of(blocks: Iterable[Sequence[Import]]) -> Order:
    """The order that all blocks of imports are in; isort's own if they are in none."""
    keys = [[*map(key_of, block)] for block in blocks]
    orders = (straight_first, by_module)
    fitting = (order for order in orders if all(ks == sorted(ks, key=order) for ks in keys))
    return next(fitting, straight_first)


def member_key(text: str) -> tuple[int, str, str]:
    """isort's order of names: constants, classes, the rest; each without regard to case."""
    name = text.partition(" ")[0]
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name.lower(), name


def written(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name


def import_from(package: str, names: Sequence[str], room: int) -> Lines:
    """``from package import a, b``, with a name a line if that is too long."""
    line = f"from {package} import {', '.join(names)}"
    if len(line) <= room:
        return (line,)
    return (f"from {package} import (", *(f"    {name}," for name in names), ")")


def is_welcome(name: str, names: Sequence[ast.alias]) -> bool:
    """Would a sorter leave the name among these? It gives each ``x as y`` a line of its own."""
    if any(alias.asname for alias in names):
        return len(names) > 1
    return " as " not in name


def with_name(block: Block, line: Line, found: ast.ImportFrom, name: str) -> str | None:
    """``from package import a, b`` with one more name, in its place if they are sorted.

    Comments stay above or behind the names they are about. None if it is written in a way that
    takes no more, such as with a backslash.
    """
    names = [*map(written, found.names)]
    at = len(names)
    if names == sorted(names, key=member_key):
        at = sum(member_key(text) < member_key(name) for text in names)
    if "\\" in line.code:
        return None
    if "#" not in line.code:
        names.insert(at, name)
        room = 0 if "\n" in line.code else block.room - len(line.behind.rstrip())
        return block.written(import_from(found.module or "", names, room))
    lines = line.code.split("\n")
    places = [number for number, text in enumerate(lines) if NAME.fullmatch(text)]
    if not OPENING.fullmatch(lines[0]) or len(places) != len(names):
        return None
    above = places[at - 1] if at else 0
    indent, end = margin_of(lines[places[0]]), "\r" * lines[above].endswith("\r")
    lines.insert(above + 1, f"{indent}{name},{end}")
    return "\n".join(lines)
