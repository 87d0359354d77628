"""Generated code that is too long gets one item a line in its outermost brackets.

Statements come on one line without their indent, and go as lines without the indent of the first.
`room` is what the line length leaves for them. This makes code readable; a formatter may do better,
and the stamp of a generated file lets it (`source.stamp`).
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from reparam_rewrite.survey.expressions import ungrouped

#: A statement of one or more lines, without the indent of its first.
Lines = tuple[str, ...]

#: How much deeper the lines in a bracket are.
STEP = 4

#: What can be told of code without parsing it. A string may have line ends.
PART = re.compile(
    r"""
      (?P<string> [A-Za-z]{0,2} (?: \"{3}(?:\\.|[^\\])*?\"{3} | '{3}(?:\\.|[^\\])*?'{3}
        | "(?:\\(?:\r\n|.)|[^"\\\n])*" | '(?:\\(?:\r\n|.)|[^'\\\n])*' ) )
    | (?P<comment> \#[^\n]* )
    | (?P<open> [(\[{] )
    | (?P<close> [)\]}] )
    | (?P<comma> , )
    | (?P<operator> [ ](?: [-+*/@%] | // | or | and | if | else | for )[ ] )
    | (?P<other> \w+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)

#: Where a line is broken first, if there are no commas.
LOOSEST: list[tuple[str, ...]] = [("if", "else"), ("or",), ("and",), ("+", "-")]

#: Where one in parentheses is broken last.
TIGHTEST = ("*", "/", "//", "@", "%")

#: Where parentheses may be put around something.
VALUE = re.compile(r"(?P<head>(?:if|return|[\w.\[\], ]+? [-+]?=) )(?P<value>.+?)(?P<tail>:?)")


def statement(text: str, room: int, comment: int = 0) -> Lines:
    """A statement on as few lines as it needs; `comment` is the length of one behind it."""
    if len(text) + comment <= room:
        return (text,)
    ways = [broken(text, room)]
    found = VALUE.fullmatch(text)
    if found is not None:
        value = ungrouped(found["value"])
        loose = bool(pairs_of(value)) and value[-1] not in ")]}"
        loose |= len(split(value, ",", *(word for words in LOOSEST for word in words))) > 1
        lines = indented(in_brackets(value, room - STEP))
        ways.insert(0 if loose else 1, [f"{found['head']}(", *lines, f"){found['tail']}"])
    ways = [lines for lines in ways if same(lines, text)]

    def excess(lines: Iterable[str]) -> int:
        return sum(max(0, len(line) - room) for line in lines)

    return tuple(min(ways, key=excess, default=[text]))


def same(lines: Sequence[str], text: str) -> bool:
    """Are the lines the same code? What only looks like a comma or a bracket isn't broken at."""
    rest = "\n    pass" if text.endswith(":") else ""
    try:
        return ast.dump(ast.parse("\n".join(lines) + rest)) == ast.dump(ast.parse(text + rest))
    except SyntaxError:
        return False


def broken(text: str, room: int) -> list[str]:
    """The lines of code that must not go on, but in its brackets."""
    pairs = pairs_of(text) if len(text) > room else []
    if not pairs:
        return [text]
    start, end = max(pairs, key=lambda pair: pair[1] - pair[0])
    head, inner, tail = text[: start + 1], text[start + 1 : end], text[end:]
    return [*broken(head, room), *indented(in_brackets(inner, room - STEP)), *broken(tail, room)]


def in_brackets(text: str, room: int) -> list[str]:
    """The lines of what stands in brackets, where they may end between any two items."""
    items, loosest = items_of(text), LOOSEST
    if len(split(text, "for")) > 1:  # the commas of a comprehension separate no items
        items, loosest = [text], [("for", "if")]
    if len(items) > 1 or text.endswith(","):
        return with_commas(in_brackets(item, room - 1) for item in items)
    if len(text) <= room:
        return [text]
    for words in (*loosest, TIGHTEST):
        parts = split(text, *words)
        if len(parts) > 1:
            return [line for part in parts for line in broken(part.strip(), room)]
    return broken(text, room)


def items_of(text: str) -> list[str]:
    """``a, f(b, c)`` as ``a`` and ``f(b, c)``."""
    parts = (part.removeprefix(",").strip() for part in split(text, ","))
    return [part for part in parts if part]


def indented(lines: Iterable[str]) -> list[str]:
    return [" " * STEP + line for line in lines]


def with_commas(items: Iterable[Sequence[str]]) -> list[str]:
    """The lines of several items, each with a comma behind its last."""
    return [line for *before, last in items for line in [*before, f"{last},"]]


def listed(opening: str, items: Sequence[str], closing: str, room: int) -> Lines:
    """``with (``, an item a line with a comma each, ``):``"""
    lines = with_commas(broken(item, room - STEP - 1) for item in items)
    return (opening, *indented(lines), closing)


# -- what stands where -------------------------------------------------------------------------


def parts_of(text: str) -> Iterator[tuple[re.Match[str], int]]:
    """The parts of code, each with the number of brackets that it stands in."""
    depth = 0
    for part in PART.finditer(text):
        depth -= part.lastgroup == "close"
        yield part, depth
        depth += part.lastgroup == "open"


def pairs_of(text: str) -> list[tuple[int, int]]:
    """Where brackets that stand in no others open and close, if something is in them."""
    opened: list[int] = []
    found: list[tuple[int, int]] = []
    for part in PART.finditer(text):
        if part.lastgroup == "open":
            opened.append(part.start())
        elif part.lastgroup == "close" and opened:
            start = opened.pop()
            if not opened and part.start() > start + 1:
                found.append((start, part.start()))
    return found


def split(text: str, *marks: str) -> list[str]:
    """Code in pieces, each of which but the first begins with a mark, outside of brackets."""
    starts = [
        part.start()
        for part, depth in parts_of(text)
        if depth == 0 and part.lastgroup in ("comma", "operator") and part[0].strip() in marks
    ]
    return [text[a:b] for a, b in zip([0, *starts], [*starts, None], strict=True)]


def lines_in_strings(lines: Sequence[str]) -> frozenset[int]:
    """The numbers of the lines that begin inside of a string, whose first blanks are its own.

    That may be one in single quotes, too, where the line above ends with a backslash.
    """
    text = "\n".join(lines)
    found: set[int] = set()
    for part in PART.finditer(text) if "\n" in text else ():
        if part.lastgroup == "string" and "\n" in part[0]:
            first = text.count("\n", 0, part.start()) + 1
            found.update(range(first, first + part[0].count("\n")))
    return frozenset(found)


# -- statements of several parts ---------------------------------------------------------------


def joined(code: str) -> str | None:
    """A statement of several lines on one, as it would stand there: with no comma at an end.

    None if it holds a comment, a line continuation, or a string of several lines.
    """
    if "\n" not in code:
        return code
    commented = any(part.lastgroup == "comment" for part in PART.finditer(code))
    if "\\\n" in code or commented or lines_in_strings(code.split("\n")):
        return None
    text = ""
    for line in map(str.strip, code.split("\n")):
        tight = not text or text.endswith(("(", "[", "{")) or line.startswith((")", "]", "}", "."))
        text += line if tight else f" {line}"
    for comma in reversed(list(re.finditer(r",(?=[)\]}])", text))):
        shorter = text[: comma.start()] + text[comma.end() :]
        text = shorter if same([shorter], text) else text  # not that of ``(a,)``
    return text


def sum_of(target: str, terms: list[str], room: int) -> Lines | None:
    """``target = term + term``: on one line, else one term a line inside parentheses.

    A term after the first starts with its sign. None where names for its parts read better: a
    term doesn't fit on a line, or there are one or two, with a call at the end.
    """
    line = f"{target} = {ungrouped(terms[0]) if len(terms) == 1 else ' '.join(terms)}"
    if len(line) <= room:
        return (line,)
    calls = len(terms) < 3 and terms[-1].endswith(")")
    if calls or any(STEP + len(term) > room for term in terms):
        return None
    whole = " ".join(terms)
    return (f"{target} = (", *indented([whole] if STEP + len(whole) <= room else terms), ")")


def added_up(target: str, terms: list[str], room: int) -> list[Lines]:
    """A sum as statements of its own, ``target = term`` and ``target += term``."""
    first, *rest = terms
    signed = [f"{target} {term[0]}= {ungrouped(term[2:])}" for term in rest]
    return [statement(text, room) for text in (f"{target} = {ungrouped(first)}", *signed)]


def raised(error: str, words: str, room: int) -> list[str]:
    """``raise ValueError("...")`` inside of an ``if``; long words are several strings."""
    line, quote, parts = f"raise {error}({words})", words[0], [words]
    if len(line) + STEP <= room:
        return indented([line])
    if 2 * STEP + len(words) > room:
        width = max(20, room - 2 * STEP - 3)
        *pieces, last = textwrap.wrap(
            words[1:-1], width, break_long_words=False, break_on_hyphens=False
        )
        parts = [*(f"{quote}{piece} {quote}" for piece in pieces), f"{quote}{last}{quote}"]
    return indented([f"raise {error}(", *indented(parts), ")"])


def kept(target: str, expression: str, room: int) -> Lines:
    """An assignment of an expression as the file has it.

    One that can't be on one line keeps its lines, moved left; in parentheses where the first would
    be too long, or they would not hold together.

    ::

        sample(
            "a",                                    a_prior = dist.Normal(
            dist.Normal(                                0,  # centred
                0,  # centred                       )
            ),
        )
    """
    one_line = joined(expression)
    if one_line is not None:
        return statement(f"{target} = {one_line}", room)
    lines = expression.split("\n")
    strings = lines_in_strings(lines)
    movable = [number for number in range(1, len(lines)) if number not in strings]
    margin = min((margin_of(lines[n]) for n in movable if lines[n]), key=len, default="")
    for number in movable:
        lines[number] = lines[number].removeprefix(margin)
    closed = all(depth or part[0] != "\n" for part, depth in parts_of(expression))
    if closed and len(f"{target} = {lines[0]}") <= room:
        return (f"{target} = {lines[0]}", *lines[1:])
    moved = [line if n in strings else " " * STEP + line for n, line in enumerate(lines)]
    return (f"{target} = (", *moved, ")")


def margin_of(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
