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

from reparam_rewrite.survey.aliases import (
    ANYTHING,
    CALLABLE,
    ENTERING,
    MADE_ELSEWHERE,
    NOTHING,
    OUTSIDE,
    Aliases,
    At,
    Given,
    Space,
    Value,
    Values,
    With,
    defaults,
    parameters,
)
from reparam_rewrite.survey.calls import assignment
from reparam_rewrite.survey.imports import bound_by
from reparam_rewrite.survey.index import Index, blocks_of
from reparam_rewrite.survey.invoking import Invoking, keeps_out
from reparam_rewrite.survey.nodes import FunctionNode, parts_of
from reparam_rewrite.survey.scopes import bound_in, bound_names

PROPERTIES = ("property", "cached_property", "setter")


class References:
    """Reads the statements and expressions of a file, each in the space in which it stands."""

    def __init__(self, index: Index, tree: ast.Module) -> None:
        self._index = index
        self._named: dict[ast.AST, str] = {scoped.node: scoped.name for scoped in index.functions}
        self._spaces: dict[ast.Lambda, Space] = {}
        self._jobs: list[tuple[ast.stmt, At]] = []
        self.aliases = Aliases()
        self._invoke = Invoking(self.aliases).invoke
        #: The functions of the file that make the context of a `with`.
        self.contexts: dict[With, set[str]] = {}
        #: What each item of a `with` may be.
        self.items: dict[tuple[With, int], Values] = {}
        #: The function in which a `with` stands.
        self.owners: dict[With, str] = {}
        self._read(tree)

    def _read(self, tree: ast.Module) -> None:
        aliases = self.aliases
        self._collect(tree.body, At(Space("", "", own_names(tree.body))))
        aliases.waiting.update(range(len(self._jobs)))
        self._settle()
        for name, signatures in aliases.signatures.items():
            if name not in aliases.shown:
                for part in (part for signature in signatures for part in parameters(signature)):
                    aliases.put((name, part.arg), ANYTHING)
        self._settle()
        for name in sorted(self._index.implicit):  # an operator may stand anywhere
            for place in ("", *aliases.signatures):
                aliases.edges.setdefault((place, name, ()), 0)
            for block, owner in self.owners.items():
                if owner != name:
                    aliases.edges.setdefault((owner, name, (block,)), block.lineno)

    def _settle(self) -> None:
        """Read what is waiting, from top to bottom, until nothing is."""
        aliases = self.aliases
        while aliases.waiting:
            for number, (node, at) in enumerate(self._jobs):
                if number in aliases.waiting:
                    aliases.waiting.discard(number)
                    aliases.reading = number
                    STATEMENTS.get(type(node), References._other)(self, node, at)
        aliases.reading = -1

    # What is to be read, and where.

    def _collect(self, block: list[ast.stmt], at: At) -> None:
        """Note what is to be read; what a function does is done under no block of a `with`."""
        for node in block:
            self._jobs.append((node, at))
            if isinstance(node, FunctionNode):
                self._function(node, at.space)
            elif isinstance(node, ast.ClassDef):
                self._class(node, at)
            else:
                inside = at._replace(blocks=(*at.blocks, node)) if isinstance(node, With) else at
                for inner in blocks_of(node):
                    self._collect(inner, inside)

    def _function(self, node: FunctionNode, space: Space) -> None:
        aliases, name = self.aliases, self._named[node]
        aliases.signatures.setdefault(name, []).append(node.args)
        names = own_names(node.body) | {part.arg for part in parameters(node.args)}
        self._collect(node.body, At(Space(name, name, names, space.visible)))
        decorators = {ast.unparse(part).rpartition(".")[2] for part in node.decorator_list}
        if decorators & set(PROPERTIES):
            aliases.properties.add(name)
        if "contextmanager" in decorators:
            aliases.managers[name] = []
        if space.is_class and "staticmethod" not in decorators:
            first = [*node.args.posonlyargs, *node.args.args][:1]
            kind = "class" if "classmethod" in decorators else "object"
            for part in first:
                aliases.put((name, part.arg), [(kind, space.name)])

    def _class(self, node: ast.ClassDef, at: At) -> None:
        space, names = at.space, own_names(node.body)
        prefix = f"{space.name}." if space.name and not space.name.startswith("<") else ""
        name = self._named[node] = prefix + node.name
        self.aliases.classes[name] = node
        for member in names:
            self.aliases.members.setdefault(member, []).append(name)
        inner = Space(name, space.node, names, space.visible, True)
        self._collect(node.body, at._replace(space=inner))

    # How each statement is read.

    def _definition(self, node: FunctionNode, at: At) -> None:
        name = self._named[node]
        self._defaults(name, node.args, at)
        values: Values = frozenset([("function", name)])
        for decorator in reversed(node.decorator_list):
            last = ast.unparse(decorator).rpartition(".")[2]
            if last not in (*PROPERTIES, "staticmethod", "classmethod"):
                callees = self.value(decorator, at)
                values = self._invoke(callees, [("", values)], decorator, at)
        self.aliases.bind(node.name, values, at.space)

    def _class_definition(self, node: ast.ClassDef, at: At) -> None:
        aliases, name = self.aliases, self._named[node]
        aliases.put((name, "bases"), {v for base in node.bases for v in self.value(base, at)})
        for kind, base in aliases.bases(name):  # `self` may be of a class that inherits
            for method, first in aliases.methods(base) if kind == "class" else ():
                if ("object", base) in aliases.get((f"{base}.{method}", first)):
                    aliases.put((f"{base}.{method}", first), [("object", name)])
        values: Values = frozenset([("class", name)])
        for decorator in reversed(node.decorator_list):
            values |= self._invoke(self.value(decorator, at), [("", values)], decorator, at)
        aliases.bind(node.name, values, at.space)

    def _assignment(self, node: ast.Assign | ast.AnnAssign, at: At) -> None:
        targets, value = assignment(node)
        for target in targets:
            assert value is not None
            self._pair(target, value, at)

    def _pair(self, target: ast.expr, value: ast.expr, at: At) -> None:
        match target, value:
            case ((ast.Tuple(elts=names) | ast.List(elts=names)), ast.Tuple(elts=values)) if len(
                names
            ) == len(values):
                for name, given in zip(names, values, strict=True):
                    self._pair(name, given, at)
            case _:
                self._assign(target, self.value(value, at), at)

    def _change(self, node: ast.AugAssign, at: At) -> None:
        self._assign(node.target, self.value(node.value, at), at)

    def _loop(self, node: ast.For | ast.AsyncFor | ast.comprehension, at: At) -> None:
        self._assign(node.target, self.value(node.iter, at), at)

    def _with(self, node: With, at: At) -> None:
        for position, item in enumerate(node.items):
            within = at._replace(blocks=(*at.blocks, node)) if position else at
            self.items[node, position] = self._item(node, item, within)

    def _item(self, node: With, item: ast.withitem, at: At) -> Values:
        aliases = self.aliases
        self.owners[node] = at.space.node
        values = self.value(item.context_expr, at)
        for value in values:
            made = aliases.handler(value) if value[0] == "handler" else None
            if made is not None and node not in made.blocks:
                made.blocks.append(node)
        if isinstance(item.context_expr, ast.Call):
            makers = self.value(item.context_expr.func, at)
            self.contexts.setdefault(node, set()).update(
                name for value in makers for name in aliases.run_by(value)
            )
        if item.optional_vars is not None:
            self._assign(item.optional_vars, values, at)
        return values

    def _return(self, node: ast.Return, at: At) -> None:
        if node.value is not None:
            self.aliases.put((at.space.node, "return"), self.value(node.value, at))

    def _import(self, node: ast.Import | ast.ImportFrom, at: At) -> None:
        for name, dotted in bound_by(node):
            self.aliases.bind(name, [("import", dotted)], at.space)

    def _match(self, node: ast.Match, at: At) -> None:
        values = self.value(node.subject, at)
        for case in node.cases:
            for name in bound_names(case.pattern):
                self.aliases.bind(name, values, at.space)
            if case.guard is not None:
                self.value(case.guard, at)

    def _test(self, node: ast.If | ast.While, at: At) -> None:
        self.value(node.test, at)

    def _nothing(self, node: ast.AST, at: At) -> Values:
        return NOTHING

    def _other(self, node: ast.stmt, at: At) -> None:
        for part in parts_of(node):
            if isinstance(part, ast.expr):
                self.value(part, at)

    # What an expression stands for.

    def value(self, node: ast.AST, at: At) -> Values:
        """What a node may stand for; of a container or a choice that is any of its parts."""
        reader = EXPRESSIONS.get(type(node))
        return self._any(node, at) if reader is None else reader(self, node, at)

    def _assign(self, target: ast.expr, values: Values, at: At) -> None:
        """A target stands for these values from now on, and for what it did before."""
        match target:
            case ast.Name():
                self.aliases.bind(target.id, values, at.space)
            case ast.Attribute():
                self.value(target.value, at)
                self.aliases.put(("attribute", target.attr), values)
            case ast.Starred():
                self._assign(target.value, values, at)
            case ast.Subscript(
                value=ast.Call(func=ast.Name(id="globals")), slice=ast.Constant(value=key)
            ) if key:
                self.aliases.put(("", str(key)), values)  # globals()["model"] = ...
            case ast.Subscript() if values:
                self._assign(target.value, values, at)
            case ast.Tuple() | ast.List():
                for part in target.elts:
                    self._assign(part, values, at)

    def _defaults(self, name: str, arguments: ast.arguments, at: At) -> None:
        for default, part in defaults(arguments):
            self.aliases.put((name, part.arg), self.value(default, at))

    def _any(self, node: ast.AST, at: At) -> Values:
        found: set[Value] = set()
        for part in parts_of(node):
            if isinstance(part, ast.expr) and type(part) is not ast.Constant:
                found |= self.value(part, at)
        return frozenset(found)

    def _none(self, node: ast.AST, at: At) -> Values:
        """A comparison, a text: its parts are read, and it is none of them."""
        self._any(node, at)
        return NOTHING

    def _operation(self, node: ast.BinOp, at: At) -> Values:
        joins = isinstance(node.op, (ast.Add, ast.BitOr))
        return (self._any if joins else self._none)(node, at)

    def _name(self, node: ast.Name, at: At) -> Values:
        space = at.space
        values = self._named_in(space, node.id)
        if space.is_class and space.outer is not None and node.id in space.names:
            values |= self._named_in(space.outer, node.id)  # ``part = staticmethod(part)``
        return values

    def _named_in(self, space: Space, name: str) -> Values:
        where = space.where(name)
        if not where and name not in self._index.module_names:
            return frozenset([("import", f"builtins.{name}")])
        return self.aliases.get((where, name))

    def _attribute(self, node: ast.Attribute, at: At) -> Values:
        return self.aliases.attribute(self.value(node.value, at), node, at)

    def _lambda(self, node: ast.Lambda, at: At) -> Values:
        name = f"<lambda {node.lineno}:{node.col_offset}>"
        if node not in self._spaces:
            names = {part.arg for part in parameters(node.args)}
            self._spaces[node] = Space(name, name, names, at.space.visible)
            self.aliases.signatures[name] = [node.args]
        self._defaults(name, node.args, at)
        self.aliases.put((name, "return"), self.value(node.body, At(self._spaces[node])))
        return frozenset([("function", name)])

    def _binding(self, node: ast.NamedExpr, at: At) -> Values:
        values = self.value(node.value, at)
        self.aliases.bind(node.target.id, values, at.space)
        return values

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, at: At
    ) -> Values:
        for loop in node.generators:
            self._loop(loop, at)
            for test in loop.ifs:
                self.value(test, at)
        return self.value(node.value if isinstance(node, ast.DictComp) else node.elt, at)

    def _pause(self, node: ast.Await | ast.Yield | ast.YieldFrom, at: At) -> Values:
        values = self.value(node.value, at) if node.value else NOTHING
        if isinstance(node, ast.Await):
            self.aliases.edge(at, OUTSIDE[1], node)  # meanwhile others run
        else:
            self.aliases.yields(at)
        self.aliases.put((at.space.node, "return"), values)
        return values

    def _call(self, node: ast.Call, at: At) -> Values:
        called, held = node.func, NOTHING
        if isinstance(called, ast.Attribute):
            held = self.value(called.value, at)
            callees = self.aliases.attribute(held, called, at)
        else:
            callees = self.value(called, at)
        given: Given = []
        for part in node.args:
            starred = "*" if isinstance(part, ast.Starred) else ""
            given.append((starred, self.value(part, at)))
        for keyword in node.keywords:
            given.append((keyword.arg or "*", self.value(keyword.value, at)))
        if len(callees) == 1:
            ((kind, what),) = callees
            if kind == "import" and keeps_out(what):
                return MADE_ELSEWHERE  # most calls
        found = self._invoke(callees, given, node, at)
        if isinstance(called, ast.Attribute):
            if called.attr in ENTERING:
                for value in (value for _, values in given for value in values):
                    if value[0] == "handler":
                        self.aliases.handler(value).entered = True
            if any(kind in ("function", "method", "partial", "handler") for kind, _ in held):
                found |= held  # ``table.get("a")``
            put = frozenset(v for _, vs in given for v in vs if v[0] in CALLABLE)
            plain = isinstance(called.value, (ast.Name, ast.Attribute))
            if put and plain and not callees - MADE_ELSEWHERE:
                self._assign(called.value, put, at)  # parts.append(f)
        return found


#: How to read a statement that is more than its expressions.
STATEMENTS: dict[type[ast.AST], Callable[[References, Any, At], object]] = {
    ast.AnnAssign: References._assignment,
    ast.Assign: References._assignment,
    ast.AsyncFor: References._loop,
    ast.AsyncFunctionDef: References._definition,
    ast.AsyncWith: References._with,
    ast.AugAssign: References._change,
    ast.ClassDef: References._class_definition,
    ast.For: References._loop,
    ast.FunctionDef: References._definition,
    ast.If: References._test,
    ast.Import: References._import,
    ast.ImportFrom: References._import,
    ast.Match: References._match,
    ast.Return: References._return,
    ast.Try: References._nothing,
    ast.TryStar: References._nothing,
    ast.While: References._test,
    ast.With: References._with,
}

#: How to read an expression that isn't any of its parts.
EXPRESSIONS: dict[type[ast.AST], Callable[[References, Any, At], Values]] = {
    ast.Attribute: References._attribute,
    ast.Await: References._pause,
    ast.BinOp: References._operation,
    ast.Call: References._call,
    ast.Compare: References._none,
    ast.Constant: References._nothing,
    ast.DictComp: References._comprehension,
    ast.FormattedValue: References._none,
    ast.GeneratorExp: References._comprehension,
    ast.JoinedStr: References._none,
    ast.Lambda: References._lambda,
    ast.ListComp: References._comprehension,
    ast.Name: References._name,
    ast.NamedExpr: References._binding,
    ast.SetComp: References._comprehension,
    ast.UnaryOp: References._none,
    ast.Yield: References._pause,
    ast.YieldFrom: References._pause,
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
