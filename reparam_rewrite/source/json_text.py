"""Where do the values of a JSON text stand in it? So that some can be replaced and the rest kept.

The text is known to be valid JSON; only where its values begin and end is asked here. To dump the
whole text anew would not do: what wrote a notebook may have been JavaScript (``1e-7``, which Python
writes as ``1e-07``), Colab (``\\u003c`` for ``<``), jq or a formatter, each with a form of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]

from msgspec import Struct

BLANK = re.compile(r"[ \t\n\r]*")

DECODER = json.JSONDecoder()

#: A character of a JSON string, as it is written.
CHARACTER = re.compile(r"\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL)

#: An escape that JSON doesn't ask for.
NOT_ASCII = re.compile(r"\\u(?!00[0-7])[0-9a-fA-F]{4}")


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
    values: dict[str, Span] = {}
    at = after_blank(text, start + 1)
    while text[at] != "}":
        key, colon = scanstring(text, at + 1)
        if key in values:
            raise Repeated(key, at)
        value = after_blank(text, after_blank(text, colon) + 1)
        values[key] = Span(value, end_of(text, value))
        at = after_blank(text, values[key].end)
        if text[at] == ",":
            at = after_blank(text, at + 1)
    return values


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
    match = BLANK.match(text, at)
    assert match is not None
    return match.end()


def end_of(text: str, start: int) -> int:
    _, end = DECODER.raw_decode(text, start)
    return end


def splice(text: str, changes: Iterable[tuple[Span, str]]) -> str:
    """The JSON text with new sources for some cells, in the order of the file."""
    escape = text.isascii() and NOT_ASCII.search(text) is not None
    pieces: list[str] = []
    done = 0
    for span, code in changes:
        pieces += [text[done : span.start], spelled(text, span, code, escape)]
        done = span.end
    return "".join([*pieces, text[done:]])


def spelled(text: str, span: Span, code: str, escape: bool) -> str:
    """The JSON of a new source where `span` holds the old; `escape`: only ASCII may be in it."""
    if text[span.start] == '"':
        raw = text[span.start + 1 : span.end - 1]
        known = {json.loads(f'"{line}"'): line for line in raw_lines(raw)}
        inside = [known.get(line) or quoted(line, escape)[1:-1] for line in split(code)]
        return f'"{"".join(inside)}"'
    old = list(items(text, span.start))
    values = [json.loads(text[item.start : item.end]) for item in old]
    by_value = {value: text[item.start : item.end] for value, item in zip(values, old, strict=True)}
    # nbformat breaks lines at more characters than a new line.
    lines = code.splitlines(True) if values == "".join(values).splitlines(True) else split(code)
    between = separator(text, span, old)
    elements = [by_value.get(line) or quoted(line, escape) for line in lines]
    before = text[span.start : old[0].start]
    return f"{before}{between.join(elements)}{text[old[-1].end : span.end]}"


def separator(text: str, span: Span, old: list[Span]) -> str:
    """What stands between two lines of a list."""
    if len(old) > 1:
        return text[old[0].end : old[1].start]
    blank = text[span.start + 1 : old[0].start]
    if not blank and text[span.start - 1] == " ":
        blank = " "
    return f",{blank}"


def split(code: str) -> list[str]:
    """The lines with their ends."""
    *lines, last = code.split("\n")
    return [f"{line}\n" for line in lines] + ([last] if last else [])


def raw_lines(raw: str) -> Iterator[str]:
    """The inside of a JSON string, after each line's end."""
    line: list[str] = []
    for character in CHARACTER.findall(raw):
        line.append(character)
        if character in (r"\n", r"\u000a", r"\u000A"):
            yield "".join(line)
            line = []
    if line:
        yield "".join(line)


def quoted(line: str, escape: bool) -> str:
    return json.dumps(line, ensure_ascii=escape)
