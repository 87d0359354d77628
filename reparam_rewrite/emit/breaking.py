"""Where does black break a statement that is too long? A port of the part that concerns us.

Statements come without comments and without strings of several lines. The rules are those of
black's `linegen.py`, `lines.py` and `brackets.py` (https://github.com/psf/black, MIT): at the last
bracket first, then between the operands or items inside it. Functions are named after theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from reparam_rewrite.emit.lines import STEP, Halves, Line, fits
from reparam_rewrite.emit.optional import can_omit_optional, prefers_other
from reparam_rewrite.emit.tokens import COMMA, DOT, Token, tokens_of


class CannotSplit(Exception):
    """This way of splitting a line does not apply to it."""


Lines = list[Line]
Split = Callable[[Line, int, bool], Lines]


def broken(text: str, room: int, comment: int = 0) -> list[str]:
    """The lines, without the indent of the first, that a statement on one line becomes.

    `comment` is the length of a comment behind it with the blanks before it.
    """
    line = Line(tokens_of(text), suffix=comment)
    return [str(part) for part in transform_line(line, room)]


def transform_line(line: Line, room: int, force: bool = False) -> Lines:
    """`force`: optional parentheses are used where there are any."""
    if not line.explode and not line.magic() and fits(line, room):
        return [line]
    ways: list[Split] = [delimiter_split] if line.inside else []
    for split in (*ways, right_hand_split):
        try:
            return run_transformer(line, split, room, force)
        except CannotSplit:
            continue
    return [line]


def run_transformer(line: Line, split: Split, room: int, force: bool) -> Lines:
    """Split a line and its parts; with its optional parentheses if the first is still too long."""
    result: Lines = []
    before = line.code
    for part in split(line, room, force):
        if part.code == before:
            raise CannotSplit
        result += transform_line(part, room, force)
    optional = [token for token in line.tokens if token.optional]
    if force or split is not right_hand_split or not optional or fits(result[0], room):
        return result
    if any(token.text for part in result for token in part.tokens if token.optional):
        return result
    second = run_transformer(line, split, room, True)
    return second if all(fits(part, room) for part in second) else result


def delimiter_split(line: Line, room: int, force: bool) -> Lines:
    """``a, b`` as ``a,`` and ``b,``; ``a + b`` as ``a`` and ``+ b``."""
    delimiters = line.delimiters()
    last = len(line.tokens) - 1
    ranks = [rank for position, rank in delimiters.items() if position != last]
    if not ranks:
        raise CannotSplit
    rank = max(ranks)
    if rank == DOT and ranks.count(DOT) == 1:
        raise CannotSplit
    parts: Lines = []
    start = 0
    for position in [*(at for at, found in delimiters.items() if found == rank), last]:
        tokens = line.tokens[start : position + 1]
        if tokens:
            parts.append(Line(tokens, line.depth, inside=True))
        start = position + 1
    if rank == COMMA and parts[-1].tokens[-1].text != ",":
        parts[-1].tokens = [*parts[-1].tokens, Token(",")]
    return parts


def right_hand_split(line: Line, room: int, force: bool) -> Lines:
    """At the last bracket, or at an earlier one if what is behind that fits on a line with it."""
    first: Lines | None = None
    for omit in trailers_to_omit(line, room):
        lines = without_optional(first_right_hand_split(line, omit), line, room, force, omit)
        if fits(lines[0], room):
            return lines
        if not omit:
            first = lines
    if first is not None:
        return first
    return without_optional(first_right_hand_split(line, set()), line, room, force, set())


def trailers_to_omit(line: Line, room: int) -> Iterator[set[int]]:
    """Which closing brackets, by id, to leave alone: none, the last, the last two, ..."""
    omit: set[int] = set()
    if not line.magic():
        yield set(omit)
    length = STEP * line.depth
    opening = closing = None
    inner: set[int] = set()
    for position in range(len(line.tokens) - 1, -1, -1):
        token = line.tokens[position]
        length += len(token.text) + (len(token.space) if position else 0)
        if length > room or (line.suffix and position == len(line.tokens) - 1):
            return
        previous = line.tokens[position - 1] if position else None
        if opening is not None:
            if token is opening:
                opening = None
            elif token.closes:
                if token.magic:
                    return
                inner.add(id(token))
        elif token.closes:
            if previous is not None and previous.opens:
                inner.add(id(token))
                continue
            if closing is not None:
                omit |= {id(closing), *inner}
                inner.clear()
                yield set(omit)
            if token.magic:
                return
            if token.text:
                opening, closing = token.pair, token


def first_right_hand_split(line: Line, omit: set[int]) -> Halves:
    """Head, body and tail at the last pair of brackets that isn't to be left alone."""
    tokens = line.tokens
    here = {id(token): position for position, token in enumerate(tokens)}
    end = len(tokens)
    while True:
        end -= 1
        if end < 0:
            raise CannotSplit
        closing = tokens[end]
        if not closing.closes or id(closing) in omit:
            continue
        start = here.get(id(closing.pair), -1)
        if start < 0:
            raise CannotSplit
        if start < end - 1:
            break
        end = start
    head, body, tail = tokens[: start + 1], tokens[start + 1 : end], tokens[end:]
    opening = tokens[start]
    inner = Line(body, line.depth + 1, inside=True)
    inner.explode = should_split_line(inner, opening)
    return Halves(
        Line(head, line.depth),
        inner,
        Line(tail, line.depth, suffix=line.suffix),
        opening,
        closing,
    )


def should_split_line(body: Line, opening: Token) -> bool:
    """Is it a list, tuple or dictionary of several items, or has it a trailing comma?"""
    delimiters = body.delimiters()
    trailing = bool(body.tokens) and body.tokens[-1].text == ","
    if trailing:
        del delimiters[len(body.tokens) - 1]
    return bool(delimiters) and max(delimiters.values()) == COMMA and (trailing or opening.literal)


def without_optional(halves: Halves, line: Line, room: int, force: bool, omit: set[int]) -> Lines:
    """The three lines; without optional parentheses if it reads well without."""
    optional = halves.closing.optional and not halves.closing.text
    if not force and optional and can_omit_optional(halves, room):
        try:
            omit = {id(halves.closing), *omit}
            other = first_right_hand_split(line, omit)
            if prefers_other(other, halves, room):
                return without_optional(other, line, room, force, omit)
        except CannotSplit:
            chained = sum(token.text == "=" for token in line.tokens) > 1
            if not chained and len(halves.body.tokens) < 2 and not fits(halves.body, room):
                raise
    if optional:
        halves.head.tokens[-1] = halves.opening.shown("(")
        halves.tail.tokens[0] = halves.closing.shown(")")
    return [part for part in (halves.head, halves.body, halves.tail) if part.tokens]
