"""The statements of a block as lines, which imports and definitions can be put between."""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from reparam_rewrite.emit.layout import Layout, Span, Splice, is_compound, placeholder_of
from reparam_rewrite.emit.wrap import Lines
from reparam_rewrite.source.placeholders import BORDER
from reparam_rewrite.survey.index import blocks_of
from reparam_rewrite.survey.text import lines_of


class Line:
    """A compound statement, or the simple ones that share a line.

    `above` are the blank lines and comments above it, and `behind` is what stands behind it. `code`
    is the text of one that is new, or has its line for itself. `places` are those of `above` and
    `code` in the source, which a line that is new doesn't have.
    """

    def __init__(self, nodes: list[ast.stmt], code: str) -> None:
        self.nodes, self.code = nodes, code
        self.above: list[str] = []
        self.behind = ""
        self.places: tuple[Span, Span] | None = None

    @property
    def kind(self) -> str:
        """What it is alone: an "import" may be sorted, and a "border" begins a notebook's cell."""
        match self.nodes:
            case [ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef()]:
                return "definition"
            case [ast.ImportFrom(module="__future__")]:
                return "future"
            case [ast.Import() | ast.ImportFrom()] if "isort:" not in self.behind:
                return "import"
            case [ast.Expr(ast.Constant(str() | bytes()))]:
                return "docstring"
            case [node] if placeholder_of(node).startswith(BORDER):
                return "border"
        return ""

    @property
    def has_blank_above(self) -> bool:
        return not all(map(str.strip, self.above))

    def imports(self, *packages: str) -> bool:
        return imports(self.nodes, *packages)


def imports(nodes: Sequence[ast.stmt], *packages: str) -> bool:
    """Do statements that share a line import any of these packages, or of what is in them?"""
    modules: list[str] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules.append(node.module or "")
    return any(module.partition(".")[0] in packages for module in modules)


class Block:
    """The lines of a block, which may change; `parent` is None for the block of the module."""

    def __init__(self, layout: Layout, nodes: Sequence[ast.stmt], parent: ast.stmt | None) -> None:
        self._layout = layout
        self.is_module, self.blank = parent is None, layout.newline
        self._indent = "" if parent is None else layout.before(nodes[0])
        #: How long its lines may be without their indent.
        self.room = layout.width - len(self._indent)
        self._end = 0 if parent is None else layout.below(lines_of(parent)[-1])
        groups: list[list[ast.stmt]] = []
        for node in nodes:
            if groups and layout.shares_line(groups[-1][-1], node):
                groups[-1].append(node)
            else:
                groups.append([node])
        self.lines = [self._line(group) for group in groups]

    def _line(self, nodes: list[ast.stmt]) -> Line:
        source, start = self._layout.source, self._layout.line_start(nodes[0])
        place = begin, end = self._layout.span(nodes[-1])
        line = Line(nodes, "" if is_compound(nodes[-1]) else source[begin:end])
        line.behind = source[end : self._layout.line_end(end)]
        for above in reversed(re.findall(r".*\n", source[self._end : start])):
            if above.strip()[:1] not in ("", "#"):
                break
            line.above.insert(0, above)
        top = start - sum(map(len, line.above))
        if self._end and source[self._end : top].strip() == "\\":  # which what follows goes on from
            line.above, top, start = [], self._end, self._end
        line.places = (top, start), place
        self._end = self._layout.end_of(nodes[-1], self._indent)
        return line

    def new(self, lines: Lines) -> Line:
        """A statement that is to be put into the block."""
        return Line(ast.parse("\n".join(lines)).body, self.written(lines))

    def written(self, lines: Lines) -> str:
        """Generated lines as they stand in the block, without the indent of the first."""
        return self._layout.continued(lines, self._indent)

    def __getitem__(self, run: range) -> list[Line]:
        return self.lines[run.start : run.stop]

    def is_first(self, at: int) -> bool:
        """Is nothing above a line, at least in its cell?"""
        return at == 0 or self.lines[at - 1].kind == "border"

    def splices(self) -> Iterator[Splice]:
        """What turns the block's text in the source into the lines as they are now."""
        source, added = self._layout.source, ""
        for line in self.lines:
            text = added + "".join(line.above)
            if line.places is None:
                added = f"{text}{self._indent}{line.code}{line.behind}{self.blank}"
                continue
            above, code = line.places
            if text != source[slice(*above)]:
                yield Splice(*above, text)
            if line.code and line.code != source[slice(*code)]:
                yield Splice(*code, line.code)
            added = ""
        if added and not source.endswith(("\n", "\r"), 0, self._end):
            added = self.blank + added.removesuffix(self.blank)
        if added:
            yield Splice(self._end, self._end, added)


class Blocks:
    """The blocks of a file, each made when it is first asked for."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._made: dict[int, Block] = {}
        top: list[ast.stmt] = []
        for node in layout.statements:  # those inside of a statement come right after it
            if not top or layout.start_of(node) >= layout.span(top[-1])[1]:
                top.append(node)
        self.module = Block(layout, top, None)

    def line_of(self, number: int) -> int:
        """In which line of the module a statement stands."""
        node = self._layout.statements[number]
        ends = [line.nodes[-1].end_lineno or 0 for line in self.module.lines]
        return bisect_left(ends, node.lineno)

    def inside(self, parent: ast.stmt) -> Iterator[tuple[list[ast.stmt], Block | None]]:
        """The statements inside of a compound one; what stands behind a colon is no block.

        Those of ``if TYPE_CHECKING:`` never run.
        """
        blocks = blocks_of(parent)
        match parent:
            case ast.If(ast.Name("TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                del blocks[0]
        for nodes in blocks:
            if self._layout.is_elif(nodes[0]):
                yield from self.inside(nodes[0])
            elif not self._layout.begins_line(nodes[0]):
                yield nodes, None
            else:
                if id(nodes) not in self._made:
                    self._made[id(nodes)] = Block(self._layout, nodes, parent)
                yield nodes, self._made[id(nodes)]

    def splices(self) -> Iterator[Splice]:
        """What turns the source into the blocks as they are now."""
        # Where two blocks end at the same place, what is added to the inner one comes first.
        for block in sorted((self.module, *self._made.values()), key=lambda block: block.room):
            yield from block.splices()
