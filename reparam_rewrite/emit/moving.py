"""Statements that go up, as whole lines: every line stays what it is, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from reparam_rewrite.source.encoding import NEWLINE, Source

#: A line with its end.
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")


def moved(source: Source, taken: Iterable[tuple[int, int]], above: int) -> tuple[Source, list[int]]:
    """The source with some of its lines above another, and for each line which one it was.

    `taken` are the first and last lines of what goes up, which all stand below `above`. Blank lines
    between two of them go with them; where what is left would have two blank lines in place of the
    lines that went, those above them go.
    """
    lines = LINE.findall(source.text)
    ended = NEWLINE.search(lines[-1]) is not None
    if not ended:
        lines[-1] += source.newline

    def is_blank(number: int) -> bool:
        return number > len(lines) or not lines[number - 1].strip(" \t\r\n")

    def below(number: int) -> int:
        """The first line from a number on that isn't blank."""
        while number <= len(lines) and is_blank(number):
            number += 1
        return number

    spans: list[tuple[int, int]] = []
    for first, last in sorted(taken):
        if spans and below(spans[-1][1] + 1) >= first:
            first, _ = spans.pop()
        spans.append((first, last))
    up = [number for first, last in spans for number in range(first, last + 1)]
    gone = set(up)
    for first, last in spans:
        while first - 1 not in gone and is_blank(first - 1) and is_blank(last + 1):
            first -= 1
            gone.add(first)
    order = [*range(1, above), *up]
    order += [number for number in range(above, len(lines) + 1) if number not in gone]
    text = "".join(lines[number - 1] for number in order)
    if not ended:
        text = text.removesuffix(source.newline)
    data = text.encode(source.encoding)
    return Source(source.path, data, source.encoding, text), order


def composed(order: Sequence[int], before: Sequence[int]) -> list[int]:
    """Which lines of the first text those of the last one were; `before` tells those between."""
    return [before[number - 1] for number in order]
