"""How is generated code broken into lines? As black and ruff would.

The functions take a statement written on one line, without its indent, and give the lines that it
becomes, each without the indent of the first. `room` is what the line length leaves for them.
"""

from __future__ import annotations

OPENING = "([{"
CLOSING = ")]}"
STEP = 4


def sum_of(target: str, terms: list[str], room: int) -> list[str] | None:
    """``target = term + term``: on one line, else one term a line inside parentheses.

    A term after the first starts with its sign. None where black would tear a term apart: it
    only keeps the parentheses around three terms or more, and only while each fits on a line.
    """
    line = f"{target} = {' '.join(terms)}"
    if len(line) <= room:
        return [line]
    if len(terms) < 3 or any(len(term) > room - STEP for term in terms):
        return None
    return [f"{target} = (", *indented(terms), ")"]


def added_up(target: str, terms: list[str], room: int) -> list[list[str]]:
    """A sum as statements of its own, ``target = term`` and ``target += term``."""
    first, *rest = terms
    statements = [call(f"{target} = {first}", room)]
    for term in rest:
        sign, value = term[0], term[2:]
        statements.append(call(f"{target} {sign}= {value}", room))
    return statements


def parenthesized(target: str, expression: str, room: int) -> list[str]:
    """An assignment of an expression that doesn't end in a bracket."""
    line = f"{target} = {expression}"
    return [line] if len(line) <= room else [f"{target} = (", *indented([expression]), ")"]


def call(text: str, room: int) -> list[str]:
    """A statement or expression that ends in a bracket, opened up there if it is too long.

    Its content goes on one line; if that is too long too, on one line an item.
    """
    if len(text) <= room:
        return [text]
    opened = last_bracket(text)
    if opened is None:
        return [text]
    head, body, tail = opened
    items = [item.strip() for item in split(body, ",")]
    trailing = items[-1] == ""
    if trailing:
        items.pop()
    if not items:
        return [text]
    inner = room - STEP
    if not trailing and len(", ".join(items)) <= inner:
        lines = [", ".join(items)]
    elif len(items) == 1 and not trailing:
        lines = call(items[0], inner)
    else:
        lines = []
        for item in items:
            lines += call(f"{item},", inner)
    return [head, *indented(lines), tail]


def indented(lines: list[str]) -> list[str]:
    return [" " * STEP + line for line in lines]


def last_bracket(text: str) -> tuple[str, str, str] | None:
    """``x = f(a)(b, c)`` as ``x = f(a)(``, ``b, c`` and ``)``; a comma or colon may follow."""
    end = len(text)
    while end and text[end - 1] in ",:":
        end -= 1
    if not end or text[end - 1] not in CLOSING:
        return None
    opened: list[int] = []
    match = -1
    for position, char in brackets(text):
        if char in OPENING:
            opened.append(position)
        else:
            match = opened.pop()
            if position == end - 1:
                break
    return text[: match + 1], text[match + 1 : end - 1], text[end - 1 :]


def brackets(text: str) -> list[tuple[int, str]]:
    """The brackets of a piece of code that are not inside a string."""
    return [
        (position, text[position])
        for position in outside_strings(text)
        if text[position] in OPENING + CLOSING
    ]


def outside_strings(text: str) -> list[int]:
    """The positions of a piece of code that no string literal covers."""
    found = []
    position = 0
    while position < len(text):
        char = text[position]
        if char in "\"'":
            quote = text[position : position + 3]
            quote = quote if quote in ('"""', "'''") else char
            position += len(quote)
            while position < len(text) and not text.startswith(quote, position):
                position += 2 if text[position] == "\\" else 1
            position += len(quote)
            continue
        found.append(position)
        position += 1
    return found


def split(text: str, separator: str) -> list[str]:
    """The pieces between separators that stand outside of brackets and strings."""
    pieces, depth, start = [], 0, 0
    for position in outside_strings(text):
        char = text[position]
        if char in OPENING:
            depth += 1
        elif char in CLOSING:
            depth -= 1
        elif depth == 0 and position >= start and text.startswith(separator, position):
            pieces.append(text[start:position])
            start = position + len(separator)
    return [*pieces, text[start:]]


def joined(code: str) -> str | None:
    """A statement of several lines as black would write it on one, if it may.

    None if it holds a comment, a string of several lines, or a trailing comma that asks for one
    item a line.
    """
    lines = code.split("\n")
    text = lines[0].rstrip()
    for line in lines[1:]:
        piece = line.strip()
        if text.endswith(",") and piece[:1] in tuple(CLOSING):
            return None
        glue = "" if text[-1:] in tuple(OPENING) or piece[:1] in tuple(CLOSING) else " "
        text += glue + piece
    if '"""' in text or "'''" in text or "\\" in text:
        return None
    outside = set(outside_strings(text))
    if any(text[position] == "#" for position in outside):
        return None
    return text
