"""Where do the values of a JSON text stand in it? So that some can be replaced and the rest kept.

The text is known to be valid JSON; only where its values begin and end is asked here. To dump the
whole text anew would not do: what wrote a notebook may have been JavaScript (``1e-7``, which Python
writes as ``1e-07``), Colab (``\\u003c`` for ``<``), jq or a formatter, each with a form of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from io import StringIO
from typing import Any, NamedTuple

#: What stands between two values, and between a key and its value.
BETWEEN = re.compile(r"[ \t\n\r,:]*")

#: The inside of a JSON string, to each end of a line in it.
LINE = re.compile(r"(?:[^\\]|\\(?!n|u000[aA]).)*(?:\\n|\\u000[aA])?", re.DOTALL)

#: An escape that JSON doesn't ask for.
NOT_ASCII = re.compile(r"\\u(?!00[0-7])[0-9a-fA-F]{4}")

DECODER = json.JSONDecoder()


class Span(NamedTuple):
    """A value: ``text[start:end]``. In an object, its key stands at `key`."""

    start: int
    end: int
    key: int


def after_blank(text: str, at: int = 0) -> int:
    """Where the next value begins, or the bracket ends that there are no more of in."""
    found = BETWEEN.match(text, at)
    assert found is not None
    return found.end()


def parts(text: str, start: int) -> Iterator[tuple[Any, Span]]:
    """What is in the object or the array at `start`: each key or index, and where its value is."""
    at, index = after_blank(text, start + 1), 0
    while text[at] not in "]}":
        key, begin = index, at
        if text[start] == "{":
            key, at = DECODER.raw_decode(text, at)
            at = after_blank(text, at)
        span = Span(at, DECODER.raw_decode(text, at)[1], begin)
        yield key, span
        at, index = after_blank(text, span.end), index + 1


def joined(source: Any) -> Any:
    """The source of a cell: nbformat allows a string and a list of lines."""
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        return "".join(source)
    return source


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
    """The JSON of a new source where `span` holds the old; `escape`: only ASCII may be in it.

    Lines that were there are written as they were.
    """
    items = [item for _, item in parts(text, span.start)] if text[span.start] == "[" else []
    raw = [text[item.start + 1 : item.end - 1] for item in items]
    raw = raw or LINE.findall(text, span.start + 1, span.end - 1)
    values = [json.loads(f'"{line}"') for line in raw]
    known = dict(zip(values, raw, strict=True))
    lines = list(StringIO(code))
    # nbformat breaks lines at more characters than a new line.
    if items and values == "".join(values).splitlines(True):
        lines = code.splitlines(True)
    new = [known.get(line) or json.dumps(line, ensure_ascii=escape)[1:-1] for line in lines]
    if not items:
        return f'"{"".join(new)}"'
    blank = text[span.start + 1 : items[0].start] or " " * (text[span.start - 1] == " ")
    between = text[items[0].end : items[1].start] if len(items) > 1 else f",{blank}"
    elements = between.join(f'"{line}"' for line in new)
    return f"{text[span.start : items[0].start]}{elements}{text[items[-1].end : span.end]}"
