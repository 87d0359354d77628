"""Edits by statement number, and the one pass over the tree that applies them.

Only the path to an edited statement is rebuilt; every other node is the one that was parsed, so
that its bytes come out as they went in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import libcst as cst

from reparam_rewrite.emit.definitions import Definitions
from reparam_rewrite.emit.edit import Edit, Mismatch, handler_of
from reparam_rewrite.emit.imports import is_border
from reparam_rewrite.emit.statements import Rewriter, Statement

__all__ = ["Edit", "Editor", "Mismatch"]

#: A compound statement, or a clause of one.
Part = TypeVar("Part", bound=cst.CSTNode)


class Editor:
    """Applies `edits` to a module, statement by statement in the order of the survey."""

    def __init__(
        self, module: cst.Module, edits: dict[int, Edit], kinds: Sequence[str], width: int
    ) -> None:
        self._module = module
        self._edits = edits
        self._kinds = kinds
        self._rewriter = Rewriter(module, width)
        self._count = 0

    def run(self, definitions: Definitions) -> cst.Module:
        body: list[Statement] = []
        for position, node in enumerate(self._module.body):
            first = self._count
            found = self._statement(node, "")
            if definitions.made and first <= definitions.before < self._count:
                top = not position or is_border(self._module, position - 1)
                found = self._rewriter.below(definitions.made, found, top=top)
            body += found
        if self._count != len(self._kinds):
            raise Mismatch
        return self._module.with_changes(body=body)

    # -- the walk ------------------------------------------------------------------------------

    def _statements(self, body: Sequence[cst.BaseStatement], indent: str) -> list[Statement]:
        found: list[Statement] = []
        for node in body:
            found += self._statement(node, indent)
        return found

    def _statement(self, node: cst.BaseStatement, indent: str) -> list[Statement]:
        """The statements that one line or compound statement becomes."""
        if isinstance(node, cst.SimpleStatementLine):
            numbers = [self._take(small) for small in node.body]
            wanted = [number for number in numbers if number in self._edits]
            if not wanted:
                return [node]
            if len(numbers) > 1:
                raise Mismatch
            return self._rewriter.edited(node, self._edits[numbers[0]], indent)
        assert isinstance(node, cst.BaseCompoundStatement)
        number = self._take(node)
        if number in self._edits and self._edits[number].join:
            node = self._joined(node, number, indent)
        if isinstance(node, cst.With):
            node = self._merged(node, number + 1, indent)
        changed: Statement = self._blocks(node, indent)
        if number in self._edits:
            return self._rewriter.edited(changed, self._edits[number], indent)
        return [changed]

    def _joined(self, node: Statement, number: int, indent: str) -> cst.With:
        """``with handler, plate:``; what can't be goes around the statements inside."""
        if not isinstance(node, cst.With):
            raise Mismatch
        sites = self._edits[number].join
        joined = self._rewriter.joined(node, handler_of(sites), indent)
        if joined is not None:
            return joined
        for site in sites:
            self._edits.setdefault(site.statement, Edit()).wrap.append(site)
        return node

    def _merged(self, node: cst.With, inner: int, indent: str) -> cst.With:
        """``with mask, handler:`` where the handler's ``with`` would be all that another holds.

        `inner` is the number of the first statement inside.
        """
        edit = self._edits.get(inner, Edit())
        sole = len(node.body.body) == 1 and not (edit.before or edit.after)
        if not edit.wrap or not sole or node.asynchronous is not None:
            return node
        joined = self._rewriter.joined(node, handler_of(edit.wrap), indent, last=True)
        if joined is None:
            return node
        edit.wrap = []
        return joined

    def _take(self, node: cst.CSTNode) -> int:
        """The number of the next statement, which must be what the survey saw there."""
        number = self._count
        if number >= len(self._kinds) or not is_kind(node, self._kinds[number]):
            raise Mismatch
        self._count += 1
        return number

    def _blocks(self, node: Part, indent: str) -> Part:
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
                (otherwise,) = self._statement(part, indent)
                if otherwise is not part:
                    changes[name] = otherwise
            else:
                block = self._block(part, indent)
                if block is not part:
                    changes[name] = block
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


#: What `ast` calls a statement that LibCST calls otherwise.
KINDS = {
    "AsyncFunctionDef": "FunctionDef",
    "AsyncFor": "For",
    "AsyncWith": "With",
    "Delete": "Del",
}


def is_kind(node: cst.CSTNode, kind: str) -> bool:
    return type(node).__name__ == KINDS.get(kind, kind)
