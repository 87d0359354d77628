"""A line on the way to being broken, and a line broken at a pair of brackets."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from reparam_rewrite.emit.tokens import COMMA, Token

STEP = 4


class Line(Struct, eq=False):
    """Tokens on one line, `depth` steps in; `inside`: it is all of what some brackets hold.

    `explode`: break it between its items even if it fits. `suffix`: how much of the line its
    comment takes.
    """

    tokens: list[Token]
    depth: int = 0
    inside: bool = False
    explode: bool = False
    suffix: int = 0

    def __str__(self) -> str:
        return " " * (STEP * self.depth) + self.code

    @property
    def code(self) -> str:
        return "".join(
            [token.text if not at else token.space + token.text for at, token in self.visible]
        )

    @property
    def visible(self) -> Iterator[tuple[int, Token]]:
        return enumerate(token for token in self.tokens if token.text)

    def delimiters(self) -> dict[int, int]:
        """The ranks of the places outside all brackets where it may be broken: after which token.

        Like black's, it knows none of a line that has only one bracket of a pair.
        """
        if not self.inside:
            return {}
        found: dict[int, int] = {}
        depth = 0
        for position, token in enumerate(self.tokens):
            depth -= token.closes
            if depth == 0 and not token.shielded:
                if token.before and position:
                    found[position - 1] = token.before
                elif token.text == ",":
                    found[position] = COMMA
            depth += token.opens
        return found

    def magic(self) -> bool:
        """Has it a pair of brackets with a trailing comma, which asks for one item a line?"""
        here = set(map(id, self.tokens))
        return any(token.magic and id(token.pair) in here for token in self.tokens)


class Halves(Struct, eq=False):
    """A line broken at a pair of brackets."""

    head: Line
    body: Line
    tail: Line
    opening: Token
    closing: Token


def fits(line: Line, room: int) -> bool:
    return len(str(line)) + line.suffix <= room
