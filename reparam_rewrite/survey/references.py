"""What of the file may an expression stand for, and which functions may call which?

The file is read as a whole, whatever the order in which it runs: a name stands for all that is
ever bound to it, an attribute for all that any object's attribute of that name is set to, and a
container for what is in it. What is called is found by what it may stand for::

    f = part                    # f is part
    h = handlers.scale(scale=2.0)
    model = h(plain)            # h calls plain
    table = {"a": lambda n: part(n)}
    table["a"](3)               # the lambda, which calls part

A function of another module may call what it is given, and may give it back: ``jax.jit(model)`` is
called as `model` is. So is a decorator that is imported: what it does can't be read here, and
those that are in use (`jit`, `partial`, a registry's) leave densities alone. A parameter of a
function that is never called in the file may be anything, `OUTSIDE`; a method of such an object is
one of a class of the file that is called so.

A statement is read again when there is more of what it was read under.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from reparam_rewrite.survey.calls import assignment
from reparam_rewrite.survey.evaluating import Evaluating
from reparam_rewrite.survey.imports import bound_by
from reparam_rewrite.survey.index import Index, blocks_of
from reparam_rewrite.survey.meanings import (
    ANYTHING,
    Frames,
    Known,
    Space,
    Values,
    With,
    defaults,
    parameters,
)
from reparam_rewrite.survey.nodes import FunctionNode, parts_of
from reparam_rewrite.survey.scopes import bound_in, bound_names

PROPERTIES = ("property", "cached_property", "setter")


class References:
    """Reads the statements of a file for what its expressions may stand for."""

    def __init__(self, index: Index, tree: ast.Module) -> None:
        self._index = index
        self._named = {scoped.node: scoped.name for scoped in index.functions}
        self._classes: dict[ast.ClassDef, str] = {}
        self._jobs: list[tuple[ast.stmt, Space, Frames]] = []
        self.known = Known()
        self._expressions = Evaluating(index, self.known)
        #: The functions of the file that make the context of a `with`.
        self.contexts: dict[With, set[str]] = {}
        #: What each item of a `with` may be.
        self.items: dict[tuple[With, int], Values] = {}
        #: The function in which a `with` stands.
        self.owners: dict[With, str] = {}
        self._read(tree)

    def _read(self, tree: ast.Module) -> None:
        known = self.known
        self._collect(tree.body, Space("", "", own_names(tree.body)), ())
        known.waiting.update(range(len(self._jobs)))
        self._settle()
        for name, signatures in known.signatures.items():
            if name not in known.shown:
                for part in (part for signature in signatures for part in parameters(signature)):
                    known.put((name, part.arg), ANYTHING)
        self._settle()
        for name in sorted(self._index.implicit):  # an operator may stand anywhere
            for place in ("", *known.signatures):
                known.edges.setdefault((place, name, ()), 0)
            for block, owner in self.owners.items():
                if owner != name:
                    known.edges.setdefault((owner, name, (block,)), block.lineno)

    def _settle(self) -> None:
        """Read what is waiting, from top to bottom, until nothing is."""
        known = self.known
        while known.waiting:
            for number, (node, space, frames) in enumerate(self._jobs):
                if number in known.waiting:
                    known.waiting.discard(number)
                    known.reading = number
                    READERS.get(type(node), References._other)(self, node, space, frames)
        known.reading = -1

    def _collect(self, block: list[ast.stmt], space: Space, frames: Frames) -> None:
        """Note what is to be read, where; what a function does is done under no block of a with."""
        for node in block:
            self._jobs.append((node, space, frames))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self._function(node, space)
                continue
            if isinstance(node, ast.ClassDef):
                self._class(node, space, frames)
                continue
            inside = (*frames, node) if isinstance(node, (ast.With, ast.AsyncWith)) else frames
            for inner in blocks_of(node):
                self._collect(inner, space, inside)

    def _function(self, node: FunctionNode, space: Space) -> None:
        name = self._named[node]
        self.known.signatures.setdefault(name, []).append(node.args)
        names = own_names(node.body) | {part.arg for part in parameters(node.args)}
        outer = space.outer if space.is_class else space
        self._collect(node.body, Space(name, name, names, outer), ())
        decorators = {ast.unparse(part).rpartition(".")[2] for part in node.decorator_list}
        if decorators & set(PROPERTIES):
            self.known.properties.add(name)
        if "contextmanager" in decorators:
            self.known.managers[name] = []
        if space.is_class and "staticmethod" not in decorators:
            first = [*node.args.posonlyargs, *node.args.args][:1]
            kind = "class" if "classmethod" in decorators else "object"
            for part in first:
                self.known.put((name, part.arg), [(kind, space.name)])

    def _class(self, node: ast.ClassDef, space: Space, frames: Frames) -> None:
        names = own_names(node.body)
        prefix = f"{space.name}." if space.name and not space.name.startswith("<") else ""
        name = prefix + node.name
        outer = space.outer if space.is_class else space
        self._classes[node] = name
        self.known.classes[name] = node
        for member in names:
            self.known.members.setdefault(member, []).append(name)
        self._collect(node.body, Space(name, space.node, names, outer, True), frames)

    # How each statement is read.

    def _definition(self, node: FunctionNode, space: Space, frames: Frames) -> None:
        name = self._named[node]
        expressions = self._expressions
        for default, part in defaults(node.args):
            self.known.put((name, part.arg), expressions.value(default, space, frames))
        values: Values = frozenset([("function", name)])
        for decorator in reversed(node.decorator_list):
            last = ast.unparse(decorator).rpartition(".")[2]
            if last in (*PROPERTIES, "staticmethod", "classmethod"):
                continue
            callees = expressions.value(decorator, space, frames)
            values = expressions.invoke(callees, [("", values)], decorator, space, frames)
        self.known.bind(node.name, values, space)

    def _class_definition(self, node: ast.ClassDef, space: Space, frames: Frames) -> None:
        name = self._classes[node]
        known, expressions = self.known, self._expressions
        bases = {value for base in node.bases for value in expressions.value(base, space, frames)}
        known.put((name, "bases"), bases)
        waiting = [base for kind, base in bases if kind == "class"]
        for base in waiting:  # `self` may be of a class that inherits
            for method, first in known.own(base):
                if ("object", base) in known.get((f"{base}.{method}", first)):
                    known.put((f"{base}.{method}", first), [("object", name)])
            above = (what for kind, what in known.get((base, "bases")) if kind == "class")
            waiting += [what for what in above if what not in waiting]
        values: Values = frozenset([("class", name)])
        for decorator in reversed(node.decorator_list):
            callees = expressions.value(decorator, space, frames)
            values |= expressions.invoke(callees, [("", values)], decorator, space, frames)
        known.bind(node.name, values, space)

    def _assignment(self, node: ast.Assign | ast.AnnAssign, space: Space, frames: Frames) -> None:
        targets, value = assignment(node)
        for target in targets:
            assert value is not None
            self._pair(target, value, space, frames)

    def _pair(self, target: ast.expr, value: ast.expr, space: Space, frames: Frames) -> None:
        both = isinstance(target, (ast.Tuple, ast.List)) and isinstance(value, ast.Tuple)
        if both and len(target.elts) == len(value.elts):  # type: ignore[attr-defined]
            for one, other in zip(target.elts, value.elts, strict=True):  # type: ignore[attr-defined]
                self._pair(one, other, space, frames)
            return
        values = self._expressions.value(value, space, frames)
        self._expressions.assign(target, values, space, frames)

    def _change(self, node: ast.AugAssign, space: Space, frames: Frames) -> None:
        values = self._expressions.value(node.value, space, frames)
        self._expressions.assign(node.target, values, space, frames)

    def _loop(self, node: ast.For | ast.AsyncFor, space: Space, frames: Frames) -> None:
        values = self._expressions.value(node.iter, space, frames)
        self._expressions.assign(node.target, values, space, frames)

    def _with(self, node: With, space: Space, frames: Frames) -> None:
        for position, item in enumerate(node.items):
            within = (*frames, node) if position else frames
            self.items[node, position] = self._item(node, item, space, within)

    def _item(self, node: With, item: ast.withitem, space: Space, frames: Frames) -> Values:
        known, expressions = self.known, self._expressions
        self.owners[node] = space.node
        values = expressions.value(item.context_expr, space, frames)
        for value in values:
            made = known.handler(value) if value[0] == "handler" else None
            if made is not None and node not in made.blocks:
                made.blocks.append(node)
        called = item.context_expr.func if isinstance(item.context_expr, ast.Call) else None
        if called is not None:
            makers = expressions.value(called, space, frames)
            self.contexts.setdefault(node, set()).update(
                name for value in makers for name in known.run_by(value)
            )
        if item.optional_vars is not None:
            expressions.assign(item.optional_vars, values, space, frames)
        return values

    def _return(self, node: ast.Return, space: Space, frames: Frames) -> None:
        if node.value is not None:
            values = self._expressions.value(node.value, space, frames)
            self.known.put((space.node, "return"), values)

    def _import(self, node: ast.Import | ast.ImportFrom, space: Space, frames: Frames) -> None:
        for name, dotted in bound_by(node):
            self.known.bind(name, [("import", dotted)], space)

    def _match(self, node: ast.Match, space: Space, frames: Frames) -> None:
        values = self._expressions.value(node.subject, space, frames)
        for name in (n for case in node.cases for n in bound_names(case.pattern)):
            self.known.bind(name, values, space)
        for case in node.cases:
            if case.guard is not None:
                self._expressions.value(case.guard, space, frames)

    def _test(self, node: ast.If | ast.While, space: Space, frames: Frames) -> None:
        self._expressions.value(node.test, space, frames)

    def _nothing(self, node: ast.stmt, space: Space, frames: Frames) -> None:
        pass

    def _other(self, node: ast.stmt, space: Space, frames: Frames) -> None:
        for part in parts_of(node):
            if isinstance(part, ast.expr):
                self._expressions.value(part, space, frames)


#: How to read a statement that is more than its expressions.
READERS: dict[type[ast.AST], Callable[[References, Any, Space, Frames], None]] = {
    ast.AnnAssign: References._assignment,
    ast.Assign: References._assignment,
    ast.AsyncFor: References._loop,
    ast.AsyncFunctionDef: References._definition,
    ast.AsyncWith: References._with,
    ast.AugAssign: References._change,
    ast.ClassDef: References._class_definition,
    ast.For: References._loop,
    ast.FunctionDef: References._definition,
    ast.Global: References._nothing,
    ast.If: References._test,
    ast.Import: References._import,
    ast.ImportFrom: References._import,
    ast.Match: References._match,
    ast.Nonlocal: References._nothing,
    ast.Pass: References._nothing,
    ast.Return: References._return,
    ast.Try: References._nothing,
    ast.TryStar: References._nothing,
    ast.While: References._test,
    ast.With: References._with,
}


def own_names(block: list[ast.stmt]) -> set[str]:
    """The names that a block binds in its own scope, but for those that it says are others'."""
    names: set[str] = set()
    others: set[str] = set()
    for node in block:
        stored, _, declared = bound_in(node)
        names |= stored
        others |= declared
    return names - others
