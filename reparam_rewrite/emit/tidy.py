"""An expression of the config, spaced and quoted as black would have it in the model."""

from __future__ import annotations

import re

from reparam_rewrite.emit.tokens import (
    ARITHMETIC,
    COMPARATORS,
    KEYWORDS,
    Token,
    lexed,
    match_brackets,
    rank,
)

PLAIN_STRING = re.compile(r"""([A-Za-z]*)(["'])([^"'\\]*)\2""")


def tidied(text: str, quote: str) -> str:
    """``f( x,'k' )*-y`` as ``f(x, "k") * -y``; as it is where that would take more thought."""
    if text.isidentifier():
        return text
    tokens = lexed(text.strip())
    match_brackets(tokens)
    rank(tokens)
    if is_complicated(tokens):
        return text
    shown = [
        ("" if position == 0 else space(tokens, position)) + quoted(token.text, quote)
        for position, token in enumerate(tokens)
    ]
    return "".join(shown)


def is_complicated(tokens: list[Token]) -> bool:
    """Has it lines, comments, lambdas, dictionaries, or slices of more than names and numbers?"""
    opened: list[int] = []
    for position, token in enumerate(tokens):
        if token.text in ("\n", "\\", "lambda", "{") or token.text.startswith("#"):
            return True
        if token.opens:
            opened.append(position)
        elif token.closes and opened:
            inner = tokens[opened.pop() + 1 : position]
            if any(other.text == ":" for other in inner) and not all(map(is_simple, inner)):
                return True
    return False


def is_simple(token: Token) -> bool:
    return not is_binary(token) and token.text != "("


def space(tokens: list[Token], position: int) -> str:
    """What stands before the token at `position`."""
    previous, token = tokens[position - 1], tokens[position]
    if previous.opens or token.closes or token.text in (",", ".") or previous.text == ".":
        return ""
    if previous.text == ",":
        return " "
    for operator, at in ((token, position), (previous, position - 1)):
        if is_binary(operator):
            return "" if operator.text == "**" and hugs(tokens, at) else " "
    if token.text == "=" or previous.text == "=" or is_unary(previous):
        return ""
    if token.opens and not token.literal:
        return ""
    return " " if token.space else ""


def is_binary(token: Token) -> bool:
    return bool(token.before) and (token.text in ARITHMETIC or token.text in COMPARATORS)


def is_unary(token: Token) -> bool:
    return not token.before and (token.text in ARITHMETIC or token.text == "~")


def hugs(tokens: list[Token], position: int) -> bool:
    """``x**2`` and ``x.y**-z``: both operands are names, attributes or numbers."""
    before, after = tokens[position - 1], tokens[position + 1 :]
    if is_unary(after[0]):
        after = after[1:]
    if not is_part_of_name(before) or not is_part_of_name(after[0]):
        return False
    follows = next((token for token in after if not is_part_of_name(token)), None)
    return follows is None or not follows.opens or follows.literal


def is_part_of_name(token: Token) -> bool:
    if token.text in KEYWORDS:
        return False
    return token.text == "." or token.text[-1].isalnum() or token.text[-1] == "_"


def quoted(text: str, quote: str) -> str:
    """A string literal with the quotes of the file, if it holds none."""
    found = PLAIN_STRING.fullmatch(text)
    return f"{found[1]}{quote}{found[3]}{quote}" if found else text
