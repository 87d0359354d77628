"""Where the statements of a file stand, how they are written, and how what is added is indented."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from reparam_rewrite.emit import wrap
from reparam_rewrite.emit.wrap import Lines
from reparam_rewrite.source.encoding import Source
from reparam_rewrite.source.placeholders import RESERVED
from reparam_rewrite.survey.text import Text

#: Where something begins and ends, in characters.
Span = tuple[int, int]

#: What stands before the parenthesis of a call, rather than of an expression in parentheses.
CALLED = re.compile(r"(\w+|[\])\"'])[ \t]*\Z")

#: What stands between two statements that share a line, which may go on below.
BETWEEN = re.compile(r"(?:[ \t\f;]|\\\r?\n)*")


class Mismatch(Exception):
    """An edit can't be made where the survey says; nothing is edited then."""


class Splice(NamedTuple):
    """The characters `[start, end)` of the source become `text`."""

    start: int
    end: int
    text: str


def spliced(source: str, splices: Iterable[Splice], start: int = 0, end: int | None = None) -> str:
    """The source from `start` to `end` with the splices carried out.

    Splices at the same place come one after the other. Raises `Mismatch` if two overlap, or if one
    isn't in that part of the source.
    """
    parts: list[str] = []
    end = len(source) if end is None else end
    for splice in sorted(splices, key=lambda splice: splice[:2]):
        if not start <= splice.start <= splice.end <= end:
            raise Mismatch
        parts += (source[start : splice.start], splice.text)
        start = splice.end
    return "".join([*parts, source[start:end]])


class Layout:
    """The text of a file and its statements, and the indent and line ends of what is added to it.

    Nodes are those of `ast`, which the survey has read. `step` is the indent of the first block,
    and `width` the line length to keep to.
    """

    def __init__(self, source: Source, statements: Sequence[ast.stmt], width: int) -> None:
        self.source, self.newline = source.text, source.newline
        self.statements, self.width = statements, width
        self._text = Text(source.path, source.text)
        self.step = next(self._indents(), " " * wrap.STEP)

    def _indents(self) -> Iterator[str]:
        """The indents of statements, and of each first ``case``, which is no statement."""
        for node in self.statements:
            if node.col_offset and self.begins_line(node):
                yield self.before(node)
            elif isinstance(node, ast.Match):
                yield wrap.margin_of(self._text.lines[node.cases[0].pattern.lineno - 1])

    def start_of(self, node: ast.expr | ast.stmt | ast.keyword | ast.arg) -> int:
        return self._text.offset(node.lineno, node.col_offset)

    def span(self, node: ast.expr | ast.stmt | ast.keyword) -> Span:
        """Where a node stands, without the parentheses around it."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.start_of(node), self._text.offset(node.end_lineno, node.end_col_offset)

    def outer_span(self, node: ast.expr) -> Span:
        """Where an expression stands, with the parentheses around it."""
        source = self.source
        start, end = before, after = self.span(node)
        while True:
            while source[before - 1 : before].isspace():
                before -= 1
            while source[after : after + 1].isspace():
                after += 1
            if source[before - 1 : before] != "(" or source[after : after + 1] != ")":
                return start, end
            called = CALLED.search(source, source.rfind("\n", 0, before) + 1, before - 1)
            if called is not None and not keyword.iskeyword(called[1]):
                return start, end
            start, end = before, after = before - 1, after + 1

    def written(self, node: ast.expr) -> str:
        """An expression as it is written, with the parentheses around it."""
        return self.source[slice(*self.outer_span(node))]

    def line_start(self, node: ast.stmt) -> int:
        """Where the first line of a statement begins, which may be a decorator's."""
        decorators: list[ast.expr] = getattr(node, "decorator_list", [])
        return self._text.offset(min([node.lineno, *(part.lineno for part in decorators)]), 0)

    def line_end(self, at: int) -> int:
        """Where the line ends that something stands in, before its line end."""
        end = self.source.find("\n", at)
        line = self.source[at : end if end >= 0 else None]
        return at + len(line.removesuffix("\r"))

    def before(self, node: ast.stmt) -> str:
        """What stands before a statement on its line."""
        return self.source[self._text.offset(node.lineno, 0) : self.start_of(node)]

    def begins_line(self, node: ast.stmt) -> bool:
        """Does nothing stand before a statement, on its line or on one that goes on there?"""
        above = self._text.lines[node.lineno - 2] if node.lineno > 1 else ""
        continued = above.rstrip("\r\0").endswith("\\") and "#" not in above
        return not self.before(node).strip() and not continued

    def shares_line(self, node: ast.stmt, following: ast.stmt) -> bool:
        """Is there no more than a semicolon between two statements, and perhaps a backslash?"""
        end = self.span(node)[1]
        return BETWEEN.fullmatch(self.source, end, self.start_of(following)) is not None

    def indent_of(self, node: ast.stmt) -> str:
        """The indent of a statement. Raises `Mismatch` if code stands before it."""
        indent = self.before(node)
        if indent.strip():
            raise Mismatch
        return indent

    def below(self, line: int) -> int:
        """Where the line below one begins; the end of the text where there is none."""
        lines = self._text.lines
        return self._text.offset(line + 1, 0) if line < len(lines) else len(self.source)

    def end_of(self, node: ast.stmt, indent: str) -> int:
        """Where the last line of a statement ends, with deeper comments below a compound one."""
        lines, last = self._text.lines, node.end_lineno or node.lineno
        behind = self.source[self.span(node)[1] : self.line_end(self.span(node)[1])]
        if behind.strip(" \t\f;") == "\\":  # the blank line below is the statement's, too
            return self.below(last + 1)
        for number in range(last, len(lines) if is_compound(node) else 0):
            code = lines[number].lstrip(" \t\f")
            if code.startswith("#") and len(lines[number]) - len(code) > len(indent):
                last = number + 1
            elif code.strip("\r\0"):
                break
        return self.below(last)

    def is_elif(self, node: ast.stmt) -> bool:
        return self.source.startswith("elif", self.start_of(node))

    def generated(self, lines: Lines, indent: str = "") -> str:
        """Generated lines with the indent and the line ends of the file."""
        strings = wrap.lines_in_strings(lines)
        made = []
        for number, line in enumerate(lines):
            if line and number not in strings:
                code = line.lstrip(" ")
                steps, rest = divmod(len(line) - len(code), wrap.STEP)
                line = indent + self.step * steps + " " * rest + code
            made.append(line)
        return self.newline.join(made)

    def continued(self, lines: Lines, indent: str) -> str:
        """The same without the indent of the first."""
        return self.generated(lines, indent)[len(indent) :]


def is_compound(node: ast.stmt) -> bool:
    return hasattr(node, "body") or hasattr(node, "cases")


def placeholder_of(node: ast.stmt) -> str:
    """The name that a statement consists of, or of whose call, if it stands in for something."""
    value = node.value if isinstance(node, ast.Expr) else None
    name = value.func if isinstance(value, ast.Call) else value
    return name.id if isinstance(name, ast.Name) and name.id.startswith(RESERVED) else ""
