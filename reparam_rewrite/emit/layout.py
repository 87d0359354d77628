"""How is generated code broken into lines? As black and ruff would.

Statements come on one line without their indent, and go as lines without the indent of the first.
`room` is what the line length leaves for them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from reparam_rewrite.emit.breaking import broken
from reparam_rewrite.emit.lines import STEP
from reparam_rewrite.emit.tokens import lexed, tokens_of
from reparam_rewrite.survey.expressions import ungrouped

__all__ = ["STEP", "Lines", "added_up", "joined", "kept", "lines_in_strings", "statement", "sum_of"]

Lines = tuple[str, ...]

#: Brackets that a line may end with, and begin with, when it is continued.
OPENING, CLOSING = ("(", "[", "{"), (")", "]", "}")

LONG_QUOTES = ('"""', "'''")


def statement(text: str, room: int, comment: int = 0) -> Lines:
    """A statement on as few lines as it needs; `comment` is the length of one behind it."""
    if comment == 0 and len(text) <= room and ",)" not in text and ",]" not in text:
        return (text,)
    return tuple(broken(text, room, comment))


def sum_of(target: str, terms: list[str], room: int) -> Lines | None:
    """``target = term + term``: on one line, else one term a line inside parentheses.

    A term after the first starts with its sign. None where black would tear a term apart.
    """
    if len(terms) == 1:
        terms = [ungrouped(terms[0])]
    lines = statement(f"{target} = {' '.join(terms)}", room)
    if len(lines) > 1 and [line.strip() for line in lines[1:-1]] != terms:
        return None
    return lines


def added_up(target: str, terms: list[str], room: int) -> list[Lines]:
    """A sum as statements of its own, ``target = term`` and ``target += term``."""
    first, *rest = terms
    signed = [f"{target} {term[0]}= {ungrouped(term[2:])}" for term in rest]
    return [statement(text, room) for text in (f"{target} = {ungrouped(first)}", *signed)]


def raised(error: str, words: str, room: int) -> Lines:
    """``raise ValueError("...")`` inside of an ``if``; long words are several strings."""
    line = f"{' ' * STEP}raise {error}({words})"
    if len(line) <= room:
        return (line,)
    quote, inner = words[0], " " * 2 * STEP
    parts = [words]
    if len(inner) + len(words) > room:
        width = max(20, room - len(inner) - 3)
        pieces = textwrap.wrap(words[1:-1], width, break_long_words=False, break_on_hyphens=False)
        parts = [f"{piece} " for piece in pieces[:-1]] + pieces[-1:]
        parts = [f"{quote}{part}{quote}" for part in parts]
    return (
        f"{' ' * STEP}raise {error}(",
        *(f"{inner}{part}" for part in parts),
        f"{' ' * STEP})",
    )


def joined(code: str) -> str | None:
    """A statement of several lines on one, as it would stand there.

    None if it holds a comment, a line continuation, or a string of several lines.
    """
    if "\n" not in code:
        return code
    if any(mark in code for mark in (*LONG_QUOTES, "\\\n")):
        return None
    text = ""
    for line in code.split("\n"):
        piece = line.strip()
        tight = text.endswith(OPENING) or piece.startswith((*CLOSING, "."))
        text += piece if tight or not text else f" {piece}"
    return None if has_comment(text) else text


def has_comment(text: str) -> bool:
    return "#" in text and any(token.text.startswith("#") for token in tokens_of(text))


def kept(target: str, expression: str, room: int) -> Lines:
    """An assignment of an expression of several lines that are kept as they are, moved left.

    In parentheses where its first line would be too long, or its lines would not hold together.

    ::

        sample(
            "a",                                    a_prior = dist.Normal(
            dist.Normal(                                0,  # centred
                0,  # centred                       )
            ),
        )
    """
    lines = expression.split("\n")
    strings = lines_in_strings(lines)
    movable = [number for number in range(1, len(lines)) if number not in strings]
    margins = [margin_of(lines[number]) for number in movable if lines[number]]
    margin = min(margins, key=len, default="")
    for number in movable:
        lines[number] = lines[number].removeprefix(margin)
    first, *rest = lines
    if is_closed(expression) and len(f"{target} = {first}") <= room:
        return (f"{target} = {first}", *rest)
    moved = [line if n in strings else " " * STEP + line for n, line in enumerate(lines)]
    return (f"{target} = (", *moved, ")")


def margin_of(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def is_closed(expression: str) -> bool:
    """Are all its line ends inside of brackets?"""
    depth = 0
    for token in tokens_of(expression):
        depth += token.opens - token.closes
        if token.text == "\n" and depth == 0:
            return False
    return True


def lines_in_strings(lines: Sequence[str]) -> frozenset[int]:
    """The numbers of the lines that begin inside of a string, whose first blanks are its own.

    That may be one in single quotes, too, where the line above ends with a backslash.
    """
    text = "\n".join(lines)
    if not any(mark in text for mark in (*LONG_QUOTES, "\\\n")):
        return frozenset()
    found: list[int] = []
    number = 0
    for token in lexed(text):
        ends = token.text.count("\n")
        if token.text != "\n":
            found += range(number + 1, number + ends + 1)
        number += ends
    return frozenset(found)
