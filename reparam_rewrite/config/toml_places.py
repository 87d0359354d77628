"""Where each key and value of a TOML text stands, which `tomllib` does not say.

The scanner trusts its input: it is run on text that `tomllib` has accepted, so it looks only for
the few marks that structure a document and checks nothing. The grammar is https://toml.io/en/v1.0.0;
line ends and comments inside inline tables, new in TOML 1.1, are skipped like any other.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections import Counter
from typing import NamedTuple

Position = tuple[int, int]
KeyPath = tuple[str | int, ...]


class KeyPlace(NamedTuple):
    """Where a key and its value start: (line, column), both 1-based, columns in characters.

    An element of an array has no key: `key` is where the element starts. A table that a header
    or a dotted key makes has no value of its own: `value` is where its key starts.
    """

    key: Position
    value: Position


# Possessive quantifiers: what has been scanned is never scanned again.
_SPACE = re.compile(r"[ \t]*+")
_BLANK = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_BARE = re.compile(r"[A-Za-z0-9_-]++")
_SCALAR = re.compile(r"[^,\]}\r\n#]++")
# The closing quotes of a multi-line string may have one or two quotes of its text before them.
_STRING = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+"{3,5}+'
    r"|'''(?:[^']++|'(?!''))*+'{3,5}+"
    r'|"(?:[^"\\]++|\\.)*+"'
    r"|'[^']*+'",
    re.DOTALL,
)


def places(text: str) -> dict[KeyPath, KeyPlace]:
    """The place of every key path of `text`, a document that `tomllib.loads` accepts.

    A path is made of keys and of indices into arrays, arrays of tables included:
    `[[x]]` over `a = [{b = 1}]` gives `("x",)`, `("x", 0)`, `("x", 0, "a")`, `("x", 0, "a", 0)` and
    `("x", 0, "a", 0, "b")`. A table that a longer header only implies is placed where it is named
    there, unless it has a header of its own.
    """
    scanner = _Scanner(text)
    scanner.document()
    starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def position(offset: int) -> Position:
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    return {
        path: KeyPlace(position(key), position(value))
        for path, (key, value) in scanner.offsets.items()
    }


def header(*keys: str) -> str:
    """`[a."b c"]`: the header of the table at a path of keys, for messages."""
    escaped = (key.replace("\\", "\\\\").replace('"', '\\"') for key in keys)
    parts = [key if _BARE.fullmatch(key) else f'"{key}"' for key in escaped]
    return f"[{'.'.join(parts)}]"


class _Scanner:
    """One pass over `text`; `offsets` gathers where the key and the value of each path start."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.offsets: dict[KeyPath, tuple[int, int]] = {}
        self.tables_in: Counter[KeyPath] = Counter()  # how many [[path]] there were so far

    def skip(self, pattern: re.Pattern[str]) -> str:
        """Step over what `pattern` matches here, and return it."""
        found = pattern.match(self.text, self.at)
        if found is None:
            raise ValueError(f"not TOML at offset {self.at}")
        self.at = found.end()
        return found[0]

    def step(self, mark: str) -> bool:
        """Step over `mark` if it stands here."""
        here = self.text.startswith(mark, self.at)
        self.at += len(mark) if here else 0
        return here

    def document(self) -> None:
        table: KeyPath = ()
        self.skip(_BLANK)
        while self.at < len(self.text):
            if self.step("["):
                is_array = self.step("[")
                table, start = self.key(())
                if is_array:
                    self.offsets.setdefault(table, (start, start))
                    self.tables_in[table] += 1
                    table = (*table, self.tables_in[table] - 1)
                self.offsets[table] = start, start
                self.step("]]" if is_array else "]")
            else:
                self.pair(table)
            self.skip(_BLANK)

    def key(self, table: KeyPath) -> tuple[KeyPath, int]:
        """A key, dotted or not: its path from the top, and where its last part starts."""
        path = table
        while True:
            self.skip(_SPACE)
            start = self.at
            if self.text[start] in "\"'":
                path = (*path, tomllib.loads(f"key = {self.skip(_STRING)}")["key"])
            else:
                path = (*path, self.skip(_BARE))
            self.skip(_SPACE)
            if not self.step("."):
                return path, start
            self.offsets.setdefault(path, (start, start))
            if path in self.tables_in:
                path = (*path, self.tables_in[path] - 1)

    def pair(self, table: KeyPath) -> None:
        """`key = value`, in a table or an inline table."""
        path, start = self.key(table)
        self.step("=")
        self.skip(_SPACE)
        self.offsets[path] = start, self.at
        self.value(path)

    def value(self, path: KeyPath) -> None:
        """A value and, for an array or an inline table, all that is in it."""
        if self.step("["):
            index = 0
            while self.inside("]"):
                self.offsets[(*path, index)] = self.at, self.at
                self.value((*path, index))
                index += 1
        elif self.step("{"):
            while self.inside("}"):
                self.pair(path)
        else:
            self.skip(_STRING if self.text[self.at] in "\"'" else _SCALAR)

    def inside(self, closing: str) -> bool:
        """Go to the next element of a bracketed value: False if it was closed instead."""
        self.skip(_BLANK)
        if self.step(","):
            self.skip(_BLANK)
        return not self.step(closing)
