"""When does black do without the parentheses that it may put around a right side?

As in black's `lines.py` and `linegen.py`: `can_omit_invisible_parens`,
`_prefer_split_rhs_oop_over_rhs` and what they call.
"""

from __future__ import annotations

from reparam_rewrite.emit.lines import STEP, Halves, Line, fits
from reparam_rewrite.emit.tokens import DOT, Token


def can_omit_optional(halves: Halves, room: int) -> bool:
    body = halves.body
    delimiters = body.delimiters()
    if not delimiters:
        return True
    rank = max(delimiters.values())
    if list(delimiters.values()).count(rank) > 1:
        return False
    if rank == DOT:
        return True
    first, second = body.tokens[:2]
    if first.opens and not second.closes and opening_suffices(body, first, room):
        return True
    *_, penultimate, last = body.tokens
    if last.text in (")", "}") or (last.text == "]" and last.pair and last.pair.literal):
        return not penultimate.opens and closing_suffices(body, last, room)
    return False


def opening_suffices(body: Line, first: Token, room: int) -> bool:
    """Would the lines behind the first pair of brackets fit?"""
    remainder = False
    length = STEP * body.depth
    for position, token in enumerate(body.tokens):
        if token.closes and token.pair is first:
            remainder = True
        if remainder:
            length += len(token.text) + (len(token.space) if position else 0)
            if length > room:
                return False
            if token.opens:
                remainder = False
    return True


def closing_suffices(body: Line, last: Token, room: int) -> bool:
    """Would the lines before the last pair of brackets fit?"""
    length = STEP * body.depth
    others = False
    for position, token in enumerate(body.tokens):
        length += len(token.text) + (len(token.space) if position else 0)
        if token is last.pair:
            if others or length <= room:
                return True
        elif token.opens:
            others = True
    return False


def prefers_other(other: Halves, halves: Halves, room: int) -> bool:
    """Is the split inside of the optional parentheses better than one at them?"""
    head = halves.head.tokens
    if not (len(head) >= 2 and head[-2].text == "="):
        return True
    if not any(token.opens or token.closes for token in head[:-1]):
        return True
    if not fits(halves.head, room - 1) or halves.head.magic():
        return True
    equals = sum(token.text == "=" for token in head)
    others = sum(token.text == "=" for token in other.head.tokens)
    if equals > 1 and equals > others:
        return False
    for token in reversed(other.head.tokens):
        if token.text == "=":
            break
        if token.closes:
            return True
    return others > 0 and fits(other.head, room)
