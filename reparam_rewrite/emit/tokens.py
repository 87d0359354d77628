"""The tokens of a statement on one line, with what black knows of each."""

from __future__ import annotations

import re

from msgspec import Struct

# The ranks of places to break at, as in black's `brackets.py`; the highest is taken first.
COMPREHENSION, COMMA, TERNARY, LOGIC, STRING, COMPARATOR, DOT = 20, 18, 16, 14, 12, 10, 1
ARITHMETIC = {
    "|": 9,
    "^": 8,
    "&": 7,
    "<<": 6,
    ">>": 6,
    "+": 5,
    "-": 5,
    "*": 4,
    "/": 4,
    "//": 4,
    "%": 4,
    "@": 4,
    "**": 2,
}
COMPARATORS = ("==", "!=", "<", ">", "<=", ">=")
ASSIGNMENTS = ("=", ":=", "+=", "-=", "*=", "/=", "//=", "%=", "@=", "&=", "|=", "^=", "**=")

WORDS = ["and", "or", "not", "in", "is", "if", "else", "for", "async", "await", "lambda"]
KEYWORDS = frozenset([*WORDS, "return", "yield", "from", "del", "with"])

TOKEN = re.compile(
    r"""(?P<space>[ \t\f]*)(?P<text>
        [A-Za-z]{0,2}(?:"{3}(?:\\.|[^\\])*?"{3}|'{3}(?:\\.|[^\\])*?'{3})
      | [A-Za-z]{0,2}(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
      | \#[^\n]*
      | (?:\d\w*\.?\w*|\.\d\w*)(?:(?<=[eE])[+-]\d+)?
      | \w+
      | \*\*=|//=|>>=|<<=|:=|==|!=|<=|>=|->|\*\*|//|<<|>>|[-+*/@%&|^]=|\.\.\.
      | .
    )""",
    re.VERBOSE | re.DOTALL,
)


class Token(Struct, eq=False):
    """One token; `space` stands before it unless it begins a line.

    `before` is the rank of a break before it, 0 where none may be. `opens` and `closes` are 1 for
    brackets; a closing one knows its other half, `pair`, which doesn't know it: so nothing is left
    to the garbage collector. `literal`: they make a tuple, list, set or dictionary; `magic`: a
    trailing comma stands before this closing one. `optional`: a pair of parentheses
    that black may write. `shielded`: between ``for`` and ``in`` or ``lambda`` and its colon.
    """

    text: str
    space: str = ""
    before: int = 0
    opens: int = 0
    closes: int = 0
    pair: Token | None = None
    literal: bool = False
    magic: bool = False
    optional: bool = False
    shielded: bool = False

    def shown(self, text: str) -> Token:
        """This optional parenthesis as one that is written."""
        return Token(text, self.space, opens=self.opens, closes=self.closes, optional=True)

    @property
    def operand(self) -> bool:
        """Can an expression end with it?"""
        if self.closes:
            return True
        return self.text[:1].isalnum() or (self.text[:1] in "_\"'." and self.text != ".")


def tokens_of(text: str) -> list[Token]:
    """The tokens of a statement, with optional parentheses around the right sides of ``=``."""
    tokens = lexed(text.strip())
    match_brackets(tokens)
    rank(tokens)
    return with_optional(tokens)


def lexed(text: str) -> list[Token]:
    return [Token(found["text"], found["space"]) for found in TOKEN.finditer(text)]


def match_brackets(tokens: list[Token]) -> None:
    opened: list[int] = []
    for position, token in enumerate(tokens):
        previous = tokens[position - 1] if position else None
        if token.text in ("(", "[", "{"):
            token.opens = 1
            token.literal = previous is None or not is_operand(previous)
            opened.append(position)
        elif token.text in (")", "]", "}") and opened:
            start = opened.pop()
            token.closes = 1
            token.pair = tokens[start]
            token.literal = tokens[start].literal
            token.magic = (
                previous is not None
                and previous.text == ","
                and (token.text == "}" or not is_single(tokens[start : position + 1]))
            )


def is_operand(token: Token) -> bool:
    return token.operand and token.text not in KEYWORDS


def is_single(bracketed: list[Token]) -> bool:
    """``(a,)`` and ``x[a,]``: the comma makes the tuple."""
    if bracketed[0].text == "(" and not bracketed[0].literal:
        return False
    if bracketed[0].text == "[" and bracketed[0].literal:
        return False
    depth = commas = 0
    for token in bracketed[1:-1]:
        depth += token.opens - token.closes
        commas += depth == 0 and token.text == ","
    return commas < 2


def rank(tokens: list[Token]) -> None:
    """Say of every token whether a line may be broken before it."""
    # For every open bracket: is a `for` behind us, and are we in its target or lambda arguments?
    comprehension, shield = [False], [""]
    for position, token in enumerate(tokens):
        previous = tokens[position - 1] if position else None
        if token.opens:
            comprehension.append(False)
            shield.append("")
        elif token.closes:
            comprehension.pop()
            shield.pop()
        if token.text == shield[-1]:
            shield[-1] = ""
            token.shielded = token.text == "in"
            continue
        token.shielded = bool(shield[-1])
        if token.text in ("for", "lambda"):
            shield[-1] = "in" if token.text == "for" else ":"
            comprehension[-1] |= token.text == "for"
        if previous is not None:
            token.before = rank_before(token, previous, tokens, position, comprehension[-1])


def rank_before(
    token: Token, previous: Token, tokens: list[Token], position: int, comprehension: bool
) -> int:
    text = token.text
    if text == ".":
        return DOT if previous.closes else 0
    if text in ARITHMETIC:
        return ARITHMETIC[text] if is_operand(previous) else 0
    if text in COMPARATORS:
        return COMPARATOR
    if text[-1] in "\"'" and previous.text[-1] in "\"'":
        return STRING
    following = tokens[position + 1].text if position + 1 < len(tokens) else ""
    if text in ("async", "for"):
        return 0 if previous.text == "async" else COMPREHENSION
    if text in ("if", "else"):
        return COMPREHENSION if text == "if" and comprehension else TERNARY
    if text in ("and", "or"):
        return LOGIC
    if text == "is" or (text == "in" and previous.text != "not"):
        return COMPARATOR
    return COMPARATOR if text == "not" and following == "in" else 0


def with_optional(tokens: list[Token]) -> list[Token]:
    """Optional parentheses behind ``return`` and ``if`` and around what follows each assignment.

    Those that are written there, without need, count as optional.
    """
    depth = 0
    header = tokens[0].text == "if" and tokens[-1].text == ":"
    starts = [1] if header or tokens[0].text == "return" else []
    for position, token in enumerate(tokens):
        depth += token.opens - token.closes
        if depth == 0 and token.text in ASSIGNMENTS and not token.shielded:
            starts.append(position + 1)
    found = list(tokens)
    end = len(tokens) - header
    for start in reversed(starts):
        if start < end - 1 and is_wrapped(tokens[start:end]):
            for token in (tokens[start], tokens[end - 1]):
                token.text, token.optional = "", True
            tokens[start + 1].space = tokens[start].space
            end = start - 1
            continue
        opening = Token("", tokens[start].space, opens=1, literal=True, optional=True)
        closing = Token("", closes=1, pair=opening, literal=True, optional=True)
        found[start:end] = [opening, *tokens[start:end], closing]
        end = start - 1
    return found


def is_wrapped(tokens: list[Token]) -> bool:
    """Are there parentheses around it all, which don't make a tuple?"""
    inner = tokens[1:-1]
    depth = 0
    for token in inner:
        depth += token.opens - token.closes
        if token.text == "," and depth == 0:
            return False
    return bool(inner) and tokens[0].text == "(" and tokens[-1].pair is tokens[0]
