"""Where do the values of a JSON text stand in it? So that some can be replaced and the rest kept.

The text is known to be valid JSON; only where its values begin and end is asked here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]

from msgspec import Struct

BLANK = re.compile(r"[ \t\n\r]*")

DECODER = json.JSONDecoder()


class Span(Struct, frozen=True):
    """A value: ``text[start:end]``."""

    start: int
    end: int


class Repeated(Exception):
    """An object has a key twice; `at` is where the second one stands."""

    def __init__(self, key: str, at: int) -> None:
        self.key, self.at = key, at
        super().__init__(key)


def whole(text: str) -> Span:
    """The one value that the text consists of."""
    start = after_blank(text, 0)
    return Span(start, end_of(text, start))


def members(text: str, start: int) -> dict[str, Span]:
    """The values of the object at `start` by their keys. Raises `Repeated`."""
    found: dict[str, Span] = {}
    at = after_blank(text, start + 1)
    while text[at] != "}":
        key, colon = scanstring(text, at + 1)
        if key in found:
            raise Repeated(key, at)
        value = after_blank(text, after_blank(text, colon) + 1)
        found[key] = Span(value, end_of(text, value))
        at = after_blank(text, found[key].end)
        if text[at] == ",":
            at = after_blank(text, at + 1)
    return found


def items(text: str, start: int) -> Iterator[Span]:
    """The values of the array at `start`."""
    at = after_blank(text, start + 1)
    while text[at] != "]":
        span = Span(at, end_of(text, at))
        yield span
        at = after_blank(text, span.end)
        if text[at] == ",":
            at = after_blank(text, at + 1)


def after_blank(text: str, at: int) -> int:
    found = BLANK.match(text, at)
    assert found is not None
    return found.end()


def end_of(text: str, start: int) -> int:
    _, end = DECODER.raw_decode(text, start)
    return end
