"""What may an expression stand for?

What is called on the way is carried out, and what is bound on the way is put down.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from reparam_rewrite.survey.index import Index
from reparam_rewrite.survey.invoking import Invoking, keeps_out
from reparam_rewrite.survey.meanings import (
    CALLABLE,
    ENTERING,
    MADE_ELSEWHERE,
    NOTHING,
    OUTSIDE,
    Frames,
    Given,
    Known,
    Space,
    Value,
    Values,
    defaults,
    parameters,
)
from reparam_rewrite.survey.nodes import parts_of


class Evaluating:
    """Reads expressions, each in the space and under the blocks in which it stands."""

    def __init__(self, index: Index, known: Known) -> None:
        self._index = index
        self._known = known
        self._spaces: dict[ast.Lambda, Space] = {}
        self.invoke = Invoking(known).invoke

    def value(self, node: ast.AST, space: Space, frames: Frames) -> Values:
        """What a node may stand for."""
        reader = READERS.get(type(node))
        if reader is None:  # of a container, a choice: any of its parts
            return self._any(node, space, frames)
        return reader(self, node, space, frames)

    def assign(self, target: ast.expr, values: Values, space: Space, frames: Frames) -> None:
        """A target stands for these values from now on, and for what it did before."""
        match target:
            case ast.Name():
                self._known.bind(target.id, values, space)
            case ast.Attribute():
                self.value(target.value, space, frames)
                self._known.put(("attribute", target.attr), values)
            case ast.Starred():
                self.assign(target.value, values, space, frames)
            case ast.Subscript():
                called = target.value.func if isinstance(target.value, ast.Call) else None
                key = target.slice.value if isinstance(target.slice, ast.Constant) else None
                if isinstance(called, ast.Name) and called.id == "globals" and key:
                    self._known.put(("", str(key)), values)  # globals()["model"] = ...
                elif values:
                    self.assign(target.value, values, space, frames)
            case ast.Tuple() | ast.List():
                for part in target.elts:
                    self.assign(part, values, space, frames)
            case _:
                pass

    def _nothing(self, node: ast.expr, space: Space, frames: Frames) -> Values:
        return NOTHING

    def _any(self, node: ast.AST, space: Space, frames: Frames) -> Values:
        found: set[Value] = set()
        for part in parts_of(node):
            if isinstance(part, ast.expr) and type(part) is not ast.Constant:
                found |= self.value(part, space, frames)
        return frozenset(found)

    def _none(self, node: ast.AST, space: Space, frames: Frames) -> Values:
        """A comparison, a text: its parts are read, and it is none of them."""
        for part in parts_of(node):
            if isinstance(part, ast.expr) and type(part) is not ast.Constant:
                self.value(part, space, frames)
        return NOTHING

    def _operation(self, node: ast.BinOp, space: Space, frames: Frames) -> Values:
        joins = isinstance(node.op, (ast.Add, ast.BitOr))
        return (self._any if joins else self._none)(node, space, frames)

    def _name(self, node: ast.Name, space: Space, frames: Frames) -> Values:
        where = space.where(node.id)
        if not where and node.id not in self._index.module_names:
            return frozenset([("import", f"builtins.{node.id}")])
        return self._known.get((where, node.id))

    def _attribute(self, node: ast.Attribute, space: Space, frames: Frames) -> Values:
        values = self.value(node.value, space, frames)
        return self._known.attribute(values, node, space, frames)

    def _lambda(self, node: ast.Lambda, space: Space, frames: Frames) -> Values:
        name = f"<lambda {node.lineno}:{node.col_offset}>"
        if node not in self._spaces:
            outer = space.outer if space.is_class else space
            names = {part.arg for part in parameters(node.args)}
            self._spaces[node] = Space(name, name, names, outer)
            self._known.signatures[name] = [node.args]
        for default, part in defaults(node.args):
            self._known.put((name, part.arg), self.value(default, space, frames))
        self._known.put((name, "return"), self.value(node.body, self._spaces[node], ()))
        return frozenset([("function", name)])

    def _binding(self, node: ast.NamedExpr, space: Space, frames: Frames) -> Values:
        values = self.value(node.value, space, frames)
        self._known.bind(node.target.id, values, space)
        return values

    def _comprehension(
        self,
        node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp,
        space: Space,
        frames: Frames,
    ) -> Values:
        for loop in node.generators:
            self.assign(loop.target, self.value(loop.iter, space, frames), space, frames)
            for test in loop.ifs:
                self.value(test, space, frames)
        element = node.value if isinstance(node, ast.DictComp) else node.elt
        return self.value(element, space, frames)

    def _pause(
        self, node: ast.Await | ast.Yield | ast.YieldFrom, space: Space, frames: Frames
    ) -> Values:
        values = self.value(node.value, space, frames) if node.value else NOTHING
        if isinstance(node, ast.Await):
            self._known.edge(space, OUTSIDE[1], node, frames)  # meanwhile others run
        else:
            self._known.yields(space.node, frames)
        self._known.put((space.node, "return"), values)
        return values

    def _call(self, node: ast.Call, space: Space, frames: Frames) -> Values:
        called, held = node.func, NOTHING
        if isinstance(called, ast.Attribute):
            held = self.value(called.value, space, frames)
            callees = self._known.attribute(held, called, space, frames)
        else:
            callees = self.value(called, space, frames)
        given: Given = []
        for part in node.args:
            starred = "*" if isinstance(part, ast.Starred) else ""
            given.append((starred, self.value(part, space, frames)))
        for keyword in node.keywords:
            given.append((keyword.arg or "*", self.value(keyword.value, space, frames)))
        if len(callees) == 1:
            ((kind, what),) = callees
            if kind == "import" and keeps_out(what):
                return MADE_ELSEWHERE  # most calls
        found = self.invoke(callees, given, node, space, frames)
        if isinstance(called, ast.Attribute):
            if called.attr in ENTERING:
                for value in (value for _, values in given for value in values):
                    if value[0] == "handler":
                        self._known.handler(value).entered = True
            if any(kind in ("function", "method", "partial", "handler") for kind, _ in held):
                found |= held  # ``table.get("a")``
            put = frozenset(v for _, vs in given for v in vs if v[0] in CALLABLE)
            plain = isinstance(called.value, (ast.Name, ast.Attribute))
            if put and plain and not callees - MADE_ELSEWHERE:
                self.assign(called.value, put, space, frames)  # parts.append(f)
        return found


#: How to read what isn't any of its parts. What isn't here is.
READERS: dict[type[ast.AST], Callable[[Evaluating, Any, Space, Frames], Values]] = {
    ast.Attribute: Evaluating._attribute,
    ast.Await: Evaluating._pause,
    ast.BinOp: Evaluating._operation,
    ast.Call: Evaluating._call,
    ast.Compare: Evaluating._none,
    ast.Constant: Evaluating._nothing,
    ast.DictComp: Evaluating._comprehension,
    ast.FormattedValue: Evaluating._none,
    ast.GeneratorExp: Evaluating._comprehension,
    ast.JoinedStr: Evaluating._none,
    ast.Lambda: Evaluating._lambda,
    ast.ListComp: Evaluating._comprehension,
    ast.Name: Evaluating._name,
    ast.NamedExpr: Evaluating._binding,
    ast.SetComp: Evaluating._comprehension,
    ast.UnaryOp: Evaluating._none,
    ast.Yield: Evaluating._pause,
    ast.YieldFrom: Evaluating._pause,
}
