"""Edits by statement number, and the one pass over the tree that applies them.

Only the path to an edited statement is rebuilt; every other node is the one that was parsed, so
that its bytes come out as they went in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst
from msgspec import Struct

from reparam_rewrite.emit import layout

Lines = tuple[str, ...]


class Edit(Struct):
    """What happens at one statement. Statements are given as lines without indent.

    `join` are `with` items to put first in the statement, a `with`, if they fit there; if they
    don't they wrap its body's only statement. `wrap` is a `with` item around the statement.
    `prior` is the variable that takes the place of the distribution written `prior_text` in the
    call of the site `site`.
    """

    before: list[Lines] = []
    after: list[Lines] = []
    join: str = ""
    wrap: str = ""
    prior: str = ""
    prior_text: str = ""


class Mismatch(Exception):
    """The two parsers see different statements; nothing can be edited safely."""


class Editor:
    """Applies `edits` to a module, statement by statement in the order of the survey."""

    def __init__(
        self, module: cst.Module, edits: dict[int, Edit], kinds: Sequence[str], width: int
    ) -> None:
        self._module = module
        self._edits = edits
        self._kinds = kinds
        self._width = width
        self._pending = sorted(edits, reverse=True)
        self._count = 0

    def run(self) -> cst.Module:
        body = self._statements(self._module.body, "")
        if self._count != len(self._kinds):
            raise Mismatch
        return self._module.with_changes(body=body)

    # -- the walk ------------------------------------------------------------------------------

    def _statements(self, body: Sequence[cst.CSTNode], indent: str) -> list[cst.CSTNode]:
        found: list[cst.CSTNode] = []
        for node in body:
            found += self._statement(node, indent)
        return found

    def _statement(self, node: cst.CSTNode, indent: str) -> list[cst.CSTNode]:
        """The statements that one line or compound statement becomes."""
        if isinstance(node, cst.SimpleStatementLine):
            numbers = [self._take(small) for small in node.body]
            wanted = [number for number in numbers if number in self._edits]
            if not wanted:
                return [node]
            if len(numbers) > 1:
                raise Mismatch
            return self._edited(node, self._edits[numbers[0]], indent)
        number = self._take(node)
        changed = self._blocks(node, indent)
        if number in self._edits:
            return self._edited(changed, self._edits[number], indent)
        return [changed]

    def _take(self, node: cst.CSTNode) -> int:
        """The number of the next statement, which must be what the survey saw there."""
        number = self._count
        if number >= len(self._kinds) or not is_kind(node, self._kinds[number]):
            raise Mismatch
        self._count += 1
        return number

    def _blocks(self, node: cst.CSTNode, indent: str) -> cst.CSTNode:
        """A compound statement with the edits in its blocks."""
        changes: dict[str, object] = {}
        for name in ("body", "handlers", "cases", "orelse", "finalbody"):
            part = getattr(node, name, None)
            if part is None:
                continue
            if isinstance(part, (list, tuple)):
                new_parts = [self._blocks(item, indent) for item in part]
                if any(a is not b for a, b in zip(new_parts, part, strict=True)):
                    changes[name] = new_parts
            elif isinstance(part, cst.If):
                (new,) = self._statement(part, indent)
                if new is not part:
                    changes[name] = new
            else:
                new = self._block(part, indent)
                if new is not part:
                    changes[name] = new
        return node.with_changes(**changes) if changes else node

    def _block(self, node: cst.CSTNode, indent: str) -> cst.CSTNode:
        """An indented block, a block behind a colon, or an ``else`` that holds either."""
        if isinstance(node, cst.SimpleStatementSuite):
            for small in node.body:
                if self._take(small) in self._edits:
                    raise Mismatch
            return node
        if not isinstance(node, cst.IndentedBlock):
            return self._blocks(node, indent)
        own = node.indent if node.indent is not None else self._module.default_indent
        body = self._statements(node.body, indent + own)
        if len(body) == len(node.body) and all(
            a is b for a, b in zip(body, node.body, strict=True)
        ):
            return node
        return node.with_changes(body=body)

    # -- one statement -------------------------------------------------------------------------

    def _edited(self, node: cst.CSTNode, edit: Edit, indent: str) -> list[cst.CSTNode]:
        before = [self._parsed(lines) for lines in edit.before]
        if edit.prior:
            node = self._with_prior(node, edit, indent)
        if edit.join:
            node = self._joined(node, edit.join, indent)
        if edit.wrap:
            node = self._wrapped(node, edit.wrap, indent)
        if before:
            # Comments and blank lines above the statement stay above what now belongs to it.
            before[0] = before[0].with_changes(leading_lines=node.leading_lines)  # type: ignore
            node = node.with_changes(leading_lines=[])
        return [*before, node, *(self._parsed(lines) for lines in edit.after)]

    def _parsed(self, lines: Lines) -> cst.CSTNode:
        text = self._module.default_newline.join(lines)
        return cst.parse_statement(text, config=self._module.config_for_parsing)

    def _joined(self, node: cst.CSTNode, item: str, indent: str) -> cst.CSTNode:
        """``with handler, plate:``; with the handler inside if the line gets too long."""
        if not isinstance(node, cst.With):
            raise Mismatch
        header = first_line(self._module, node)
        space: cst.BaseParenthesizableWhitespace = cst.SimpleWhitespace(" ")
        exploded = isinstance(node.lpar, cst.LeftParen) and isinstance(
            node.lpar.whitespace_after, cst.ParenthesizedWhitespace
        )
        if exploded:
            assert isinstance(node.lpar, cst.LeftParen)
            space = node.lpar.whitespace_after
            fits = len(f"{indent}{self._module.default_indent}{item},") <= self._width
        else:
            fits = header.rstrip().endswith(":") or "#" in header
            fits = fits and len(f"{indent}{header}{item}, ") <= self._width
        if fits:
            first = cst.WithItem(
                cst.parse_expression(item, config=self._module.config_for_parsing),
                comma=cst.Comma(whitespace_after=space),
            )
            return node.with_changes(items=[first, *node.items])
        block = node.body
        assert isinstance(block, cst.IndentedBlock)
        own = block.indent if block.indent is not None else self._module.default_indent
        return node.with_changes(
            body=block.with_changes(body=[self._wrapped(block.body[0], item, indent + own)])
        )

    def _wrapped(self, node: cst.CSTNode, item: str, indent: str) -> cst.CSTNode:
        """``with handler:`` around a statement, one step deeper."""
        lines = layout.call(f"with {item}:", self._width - len(indent))
        header = self._parsed((*lines, f"{self._module.default_indent}pass"))
        assert isinstance(header, cst.With)
        assert isinstance(header.body, cst.IndentedBlock)
        inner = self._narrowed(
            node.with_changes(leading_lines=[]), indent, indent + self._module.default_indent
        )
        return header.with_changes(
            leading_lines=node.leading_lines,  # type: ignore[attr-defined]
            body=header.body.with_changes(body=[inner]),
        )

    def _narrowed(self, node: cst.CSTNode, old_indent: str, indent: str) -> cst.CSTNode:
        """The statement, laid out anew if its lines fitted before and no longer do."""
        code = self._module.code_for_node(node).replace(self._module.default_newline, "\n")
        longest = max(len(line) for line in code.split("\n"))
        # Continued lines are shown without the indent that they are written with.
        if longest + len(indent) <= self._width or longest + len(old_indent) > self._width:
            return node
        return self._laid_out(node, code, indent)

    def _laid_out(self, node: cst.CSTNode, code: str, indent: str) -> cst.CSTNode:
        one_line = layout.joined(code.rstrip("\n"))
        if one_line is None or not isinstance(node, cst.SimpleStatementLine):
            return node
        lines = layout.call(one_line, self._width - len(indent))
        new = self._parsed(tuple(lines))
        assert isinstance(new, cst.SimpleStatementLine)
        return node.with_changes(body=new.body)

    def _with_prior(self, node: cst.CSTNode, edit: Edit, indent: str) -> cst.CSTNode:
        """``sample("a", make_prior())`` as ``sample("a", a_prior)``."""
        found = [
            arg.value
            for call in calls_in(node)
            for arg in call.args
            if self._module.code_for_node(arg.value).replace("\r\n", "\n").strip()
            == edit.prior_text.replace("\r\n", "\n").strip()
        ]
        if len(found) != 1:
            raise Mismatch
        changed = node.deep_replace(found[0], cst.Name(edit.prior))
        assert isinstance(changed, cst.SimpleStatementLine)
        if not isinstance(node, cst.SimpleStatementLine):
            raise Mismatch
        code = self._module.code_for_node(changed.with_changes(leading_lines=[]))
        code = code.replace(self._module.default_newline, "\n")
        return self._laid_out(changed, code, indent) if "\n" in code.rstrip("\n") else changed


def calls_in(node: cst.CSTNode) -> Iterator[cst.Call]:
    stack = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, cst.Call):
            yield part
        stack += part.children


def first_line(module: cst.Module, node: cst.CSTNode) -> str:
    """The first line of a statement's own code."""
    code = module.code_for_node(node.with_changes(leading_lines=[]))
    return code.partition("\n")[0].rstrip("\r")


#: What `ast` calls a statement that LibCST calls otherwise.
KINDS = {
    "AsyncFunctionDef": ("FunctionDef",),
    "AsyncFor": ("For",),
    "AsyncWith": ("With",),
    "Delete": ("Del",),
    "AnnAssign": ("AnnAssign",),
}


def is_kind(node: cst.CSTNode, kind: str) -> bool:
    return type(node).__name__ in KINDS.get(kind, (kind,))
