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

from reparam_rewrite.survey.calls import assignment
from reparam_rewrite.survey.index import Index, blocks_of
from reparam_rewrite.survey.invoking import Invoking, keeps_out
from reparam_rewrite.survey.names import bound_by
from reparam_rewrite.survey.nodes import FunctionNode, parts_of
from reparam_rewrite.survey.points_to import (
    ANYTHING,
    CALLABLE,
    ENTERING,
    FUNCTIONS,
    MADE_ELSEWHERE,
    NOTHING,
    OUTSIDE,
    Aliases,
    At,
    Block,
    Space,
    Values,
    With,
    defaults,
    parameters,
)
from reparam_rewrite.survey.scopes import bound_names, names_of

PROPERTIES = ("property", "cached_property", "setter")

#: Decorators that leave a function what it is.
KEEPING = (*PROPERTIES, "staticmethod", "classmethod")


class References:
    """Reads the statements and expressions of a file, each in the space in which it stands."""

    def __init__(self, index: Index, tree: ast.Module) -> None:
        self.aliases = aliases = Aliases()
        self.blocks: dict[With, Block] = {}
        self._index = index
        self._lambdas: dict[ast.Lambda, Space] = {}
        self._jobs: list[tuple[ast.stmt, At]] = []
        self._invoke = Invoking(aliases).invoke
        self._collect(tree.body, At(Space("", "", names_of(tree.body))))
        aliases.waiting.update(range(len(self._jobs)))
        self._settle()
        for name, signatures in aliases.signatures.items():
            for signature in () if name in aliases.shown else signatures:
                for part in parameters(signature):
                    aliases.put((name, part.arg), ANYTHING)
        self._settle()
        for name in sorted(index.implicit):  # an operator may stand anywhere
            for place in ("", *aliases.signatures):
                aliases.edges.setdefault((place, name, ()), 0)
            for node, block in self.blocks.items():
                if block.owner != name:
                    aliases.edges.setdefault((block.owner, name, (node,)), node.lineno)

    def _settle(self) -> None:
        """Read what is waiting, from top to bottom, until nothing is."""
        aliases = self.aliases
        while aliases.waiting:
            for number, (node, at) in enumerate(self._jobs):
                if number in aliases.waiting:
                    aliases.waiting.discard(number)
                    aliases.reading = number
                    self._read(node, at)
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
        aliases, name = self.aliases, self._index.named[node]
        aliases.signatures.setdefault(name, []).append(node.args)
        names = names_of(node.body) | {part.arg for part in parameters(node.args)}
        self._collect(node.body, At(Space(name, name, names, space.visible)))
        decorators = set(map(last_name, node.decorator_list))
        if not decorators.isdisjoint(PROPERTIES):
            aliases.properties.add(name)
        if "contextmanager" in decorators:
            aliases.managers[name] = []
        if space.is_class and "staticmethod" not in decorators:
            kind = "class" if "classmethod" in decorators else "object"
            for part in [*node.args.posonlyargs, *node.args.args][:1]:
                aliases.put((name, part.arg), [(kind, space.name)])

    def _class(self, node: ast.ClassDef, at: At) -> None:
        space, names = at.space, names_of(node.body)
        name = self._index.named[node]
        self.aliases.classes[name] = node
        for member in names:
            self.aliases.members.setdefault(member, []).append(name)
        inner = Space(name, space.node, names, space.visible, True)
        self._collect(node.body, at._replace(space=inner))

    # What a statement does.

    def _read(self, node: ast.stmt, at: At) -> None:
        """Read a statement, but for the statements in it."""
        match node:  # the most frequent first
            case ast.Expr(value=given):
                self.value(given, at)
            case ast.Import() | ast.ImportFrom():
                for name, dotted in bound_by(node):
                    self.aliases.bind(name, [("import", dotted)], at.space)
            case ast.Assign() | ast.AnnAssign():
                targets, value = assignment(node)
                for target in targets:
                    assert value is not None
                    self._pair(target, value, at)
            case ast.Return(value=ast.expr() as value):
                self.aliases.put((at.space.node, "return"), self.value(value, at))
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self._define(node, at)
            case ast.With() | ast.AsyncWith():
                block = self.blocks.setdefault(node, Block(at.space.node))
                for position, item in enumerate(node.items):
                    inside = at._replace(blocks=(*at.blocks, node)) if position else at
                    self._enter(block, node, position, item, inside)
            case ast.For(target=target, iter=given) | ast.AsyncFor(target=target, iter=given):
                self._assign(target, self.value(given, at), at)
            case ast.AugAssign(target=target, value=given):
                self._assign(target, self.value(given, at), at)
            case ast.Match(subject=subject, cases=cases):
                values = self.value(subject, at)
                for case in cases:
                    for name in bound_names(case.pattern):
                        self.aliases.bind(name, values, at.space)
                    if case.guard is not None:
                        self.value(case.guard, at)
            case _:
                for part in parts_of(node):
                    if isinstance(part, ast.expr):
                        self.value(part, at)

    def _define(self, node: FunctionNode | ast.ClassDef, at: At) -> None:
        aliases, name = self.aliases, self._index.named[node]
        is_class = isinstance(node, ast.ClassDef)
        if isinstance(node, ast.ClassDef):
            aliases.put((name, "bases"), {v for base in node.bases for v in self.value(base, at)})
            for kind, base in aliases.bases(name):  # `self` may be of a class that inherits
                for method, first in aliases.methods(base) if kind == "class" else ():
                    if ("object", base) in aliases.get((f"{base}.{method}", first)):
                        aliases.put((f"{base}.{method}", first), [("object", name)])
        else:
            self._defaults(name, node.args, at)
        values: Values = frozenset([("class" if is_class else "function", name)])
        for decorator in reversed(node.decorator_list):
            if is_class or last_name(decorator) not in KEEPING:
                callees = self.value(decorator, at)
                made = self._invoke(callees, [("", values)], decorator, at)
                values = values | made if is_class else made
        aliases.bind(node.name, values, at.space)

    def _enter(self, block: Block, node: With, position: int, item: ast.withitem, at: At) -> None:
        values = block.items[position] = self.value(item.context_expr, at)
        for value in values:
            made = self.aliases.handler(value) if value[0] == "handler" else None
            if made is not None and node not in made.blocks:
                made.blocks.append(node)
        if isinstance(item.context_expr, ast.Call):
            makers = block.called[position] = self.value(item.context_expr.func, at)
            block.makers.update(name for value in makers for name in self.aliases.run_by(value))
        if item.optional_vars is not None:
            self._assign(item.optional_vars, values, at)

    def _pair(self, target: ast.expr, value: ast.expr, at: At) -> None:
        match target, value:
            case ((ast.Tuple(elts=names) | ast.List(elts=names)), ast.Tuple(elts=values)) if len(
                names
            ) == len(values):
                for name, given in zip(names, values, strict=True):
                    self._pair(name, given, at)
            case _:
                self._assign(target, self.value(value, at), at)

    def _assign(self, target: ast.expr, values: Values, at: At) -> None:
        """A target stands for these values from now on, and for what it did before."""
        match target:
            case ast.Name(id=name):
                self.aliases.bind(name, values, at.space)
            case ast.Attribute(value=held, attr=name):
                self.value(held, at)
                self.aliases.put(("attribute", name), values)
            case ast.Subscript(
                value=ast.Call(func=ast.Name(id="globals")), slice=ast.Constant(value=key)
            ) if key:
                self.aliases.put(("", str(key)), values)  # globals()["model"] = ...
            case ast.Subscript(value=held) if values:
                self._assign(held, values, at)
            case ast.Starred(value=inner):
                self._assign(inner, values, at)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    self._assign(part, values, at)

    # What an expression stands for.

    def value(self, node: ast.AST, at: At) -> Values:
        """What a node may stand for; of a container or a choice that is any of its parts."""
        match node:  # the most frequent first
            case ast.Name(id=name):
                return self._name(name, at.space)
            case ast.Attribute(value=held):
                return self.aliases.attribute(self.value(held, at), node, at)
            case ast.Call():
                return self._call(node, at)
            case ast.Constant():
                return NOTHING
            case ast.BinOp(op=ast.Add() | ast.BitOr()) | ast.Tuple() | ast.List():
                pass  # what it joins is in it
            case (
                ast.BinOp() | ast.Compare() | ast.FormattedValue() | ast.JoinedStr() | ast.UnaryOp()
            ):
                self._any(node, at)
                return NOTHING
            case ast.Lambda():
                return self._lambda(node, at)
            case ast.NamedExpr(target=ast.Name(id=name), value=inner):
                values = self.value(inner, at)
                self.aliases.bind(name, values, at.space)
                return values
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                for loop in node.generators:
                    self._assign(loop.target, self.value(loop.iter, at), at)
                    for test in loop.ifs:
                        self.value(test, at)
                return self.value(node.value if isinstance(node, ast.DictComp) else node.elt, at)
            case ast.Await() | ast.Yield() | ast.YieldFrom():
                values = self.value(node.value, at) if node.value else NOTHING
                if isinstance(node, ast.Await):
                    self.aliases.edge(at, OUTSIDE[1], node)  # meanwhile others run
                else:
                    self.aliases.yields(at)
                self.aliases.put((at.space.node, "return"), values)
                return values
        return self._any(node, at)

    def _any(self, node: ast.AST, at: At) -> Values:
        parts = (part for part in parts_of(node) if isinstance(part, ast.expr))
        return NOTHING.union(*(self.value(part, at) for part in parts))

    def _name(self, name: str, space: Space) -> Values:
        where = space.where(name)
        if not where and name not in self._index.module_names:
            return frozenset([("import", f"builtins.{name}")])
        values = self.aliases.get((where, name))
        if space.is_class and space.outer is not None and name in space.names:
            values |= self._name(name, space.outer)  # ``part = staticmethod(part)``
        return values

    def _lambda(self, node: ast.Lambda, at: At) -> Values:
        name = f"<lambda {node.lineno}:{node.col_offset}>"
        if node not in self._lambdas:
            names = {part.arg for part in parameters(node.args)}
            self._lambdas[node] = Space(name, name, names, at.space.visible)
            self.aliases.signatures[name] = [node.args]
        self._defaults(name, node.args, at)
        self.aliases.put((name, "return"), self.value(node.body, At(self._lambdas[node])))
        return frozenset([("function", name)])

    def _defaults(self, name: str, arguments: ast.arguments, at: At) -> None:
        for default, part in defaults(arguments):
            self.aliases.put((name, part.arg), self.value(default, at))

    def _call(self, node: ast.Call, at: At) -> Values:
        called, held = node.func, NOTHING
        if isinstance(called, ast.Attribute):
            held = self.value(called.value, at)
            callees = self.aliases.attribute(held, called, at)
        else:
            callees = self.value(called, at)
        given = [
            ("*" if isinstance(part, ast.Starred) else "", self.value(part, at))
            for part in node.args
        ]
        given += [(part.arg or "*", self.value(part.value, at)) for part in node.keywords]
        if len(callees) == 1:
            ((kind, what),) = callees
            if kind == "import" and keeps_out(what):
                return MADE_ELSEWHERE  # most calls
        found = self._invoke(callees, given, node, at)
        if isinstance(called, ast.Attribute):
            put = frozenset(v for _, values in given for v in values if v[0] in CALLABLE)
            for value in put if called.attr in ENTERING else ():
                if value[0] == "handler":
                    made, block = self.aliases.handler(value), at.blocks[-1] if at.blocks else None
                    if block is not None and is_stack(block, called.value):
                        made.blocks.append(block)
                    else:
                        made.entered = True
            if any(kind in FUNCTIONS or kind == "handler" for kind, _ in held):
                found |= held  # ``table.get("a")``
            plain = isinstance(called.value, (ast.Name, ast.Attribute))
            if put and plain and not callees - MADE_ELSEWHERE:
                self._assign(called.value, put, at)  # parts.append(f)
        return found


def is_stack(block: With, node: ast.expr) -> bool:
    """``with ExitStack() as stack:``, of ``stack.enter_context(plate)``"""
    name = node.id if isinstance(node, ast.Name) else None
    return any(
        isinstance(item.context_expr, ast.Call)
        and last_name(item.context_expr.func) == "ExitStack"
        and isinstance(item.optional_vars, ast.Name)
        and item.optional_vars.id == name
        for item in block.items
    )


def last_name(node: ast.expr) -> str:
    """``dist.Normal`` -> "Normal" """
    return ast.unparse(node).rpartition(".")[2]
