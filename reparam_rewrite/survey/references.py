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
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from msgspec import Struct

from reparam_rewrite.survey.bindings import bound_names
from reparam_rewrite.survey.calls import argument, assignment
from reparam_rewrite.survey.imports import bound_by, canonical
from reparam_rewrite.survey.index import RUNNERS, FunctionNode, Index, blocks_of
from reparam_rewrite.survey.nodes import parts_of

#: What something is, and its name: "function", "method" (its object is given), "partial" (some
#: of its arguments are), "class", "object" (of a class), "inherited" (a method of a class of the
#: file that stands in another module), "handler" (by its number), "import", or one of the below.
Value = tuple[str, str]
Values = frozenset[Value]

#: What others hand in: any function of the file, for all that is known.
OUTSIDE: Value = ("outside", "*")
#: Something that another module has made.
FOREIGN: Value = ("foreign", "")
NOTHING: Values = frozenset()

CALLABLE = frozenset(["function", "method", "partial", "class", "object", "handler", "outside"])
HANDLERS = "numpyro.handlers."
MESSENGER = "numpyro.Messenger"
PLATES = ("numpyro.plate", "numpyro.plate_stack")
#: The builtins that call a function that they are given.
CALLING = frozenset(f"builtins.{name}" for name in ("filter", "map", "max", "min", "sorted"))
#: What calls nothing that it is given, and gives nothing of it back.
QUIET = ("jax.numpy.", "numpy.", "math.", "numpyro.distributions.")
QUIETLY = ("sample", "deterministic", "param", "factor", "subsample", "prng_key", "get_mask")
#: But for these.
VECTORIZING = frozenset(["vectorize", "frompyfunc", "apply_along_axis", "apply_over_axes"])
#: Modules whose functions call one argument with the others.
APPLYING = ("builtins.", "functools.", "itertools.", "jax.lax.", "jax.tree", "multiprocessing.")
#: How many dots a name of another module may have.
DEEPEST = 6
#: What enters a context without a `with`, so that nothing shows where it ends.
ENTERING = frozenset(["__enter__", "__aenter__", "enter_context", "enter_async_context"])
PROPERTIES = ("property", "cached_property", "setter")

Frames = tuple[ast.With | ast.AsyncWith, ...]
#: The arguments of a call: a name if they have one, "*" if they are starred, and what they are.
Given = list[tuple[str, Values]]


class Space(Struct, eq=False):
    """Where names are bound: the module, a class, a function or a lambda.

    `node` is what runs the code there: a function or a lambda, "" for the module.
    """

    name: str
    node: str
    names: set[str]
    outer: Space | None = None
    is_class: bool = False


class Made(Struct, eq=False):
    """A handler that the file makes; `given`: it has its function already."""

    kind: str
    call: ast.Call
    node: str
    given: bool
    blocks: list[ast.With | ast.AsyncWith] = []
    entered: bool = False


class References:
    """All that is known of what the expressions of a file stand for; read by `read`."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._named = {scoped.node: scoped.name for scoped in index.functions}
        self._known: dict[tuple[str, str], set[Value]] = {}
        self._changed = True
        self._signatures: dict[str, list[ast.arguments]] = {}
        self._members: dict[str, list[str]] = {}  # by a name, the classes that define it
        self._classes: dict[str, tuple[ast.ClassDef, Space]] = {}
        self._properties: set[str] = set()
        self._managers: dict[str, list[Frames]] = {}  # context managers, with where they yield
        self._jobs: list[tuple[ast.AST, Space, Frames]] = []
        self._spaces: dict[ast.AST, Space] = {}
        self._shown: set[str] = set()  # functions whose arguments are written in the file
        self._made: dict[tuple[ast.AST, str], Made] = {}
        self._calls: dict[ast.AST, ast.Call] = {}
        #: Who calls whom, in which blocks, with the line.
        self.edges: dict[tuple[str, str, Frames], int] = {}
        self.handlers: list[Made] = []
        #: Those of them that another module may make, with what it is given.
        self.handed: set[tuple[str, str, Frames]] = set()
        #: Functions that are given to scan, cond, vmap..., with the line.
        self.enclosed: dict[str, int] = {}
        #: The functions of the file that make the context of a `with`.
        self.contexts: dict[ast.With | ast.AsyncWith, set[str]] = {}
        #: What each item of a `with` may be.
        self.items: dict[tuple[ast.With | ast.AsyncWith, int], Values] = {}
        #: The function in which a `with` stands.
        self.owners: dict[ast.With | ast.AsyncWith, str] = {}

    def read(self, tree: ast.Module) -> None:
        module = Space("", "", own_names(tree.body))
        self._collect(tree.body, module, ())
        self._settle()
        for name, signatures in self._signatures.items():
            if name not in self._shown:
                for part in (part for signature in signatures for part in parameters(signature)):
                    self._put((name, part.arg), [OUTSIDE])
        self._settle()
        for name in sorted(self._index.implicit):  # an operator may stand anywhere
            for place in ("", *self._signatures):
                self.edges.setdefault((place, name, ()), 0)
            for block, owner in self.owners.items():
                if owner != name:
                    self.edges.setdefault((owner, name, (block,)), block.lineno)

    def may_be(self, made: Made) -> set[str]:
        """What a handler is given to run: functions, lambdas and handlers."""
        values = self._known.get((made.node, "inner"), ())
        found = {name for value in values for name in self._run_by(value)}
        return found | ({OUTSIDE[1]} if made.entered else set())

    def _settle(self) -> None:
        self._changed = True
        while self._changed:
            self._changed = False
            for node, space, frames in self._jobs:
                self._job(node, space, frames)

    def _put(self, key: tuple[str, str], values: Iterable[Value]) -> None:
        known = self._known.setdefault(key, set())
        before = len(known)
        known.update(values)
        self._changed = self._changed or len(known) > before

    def _get(self, key: tuple[str, str]) -> Iterable[Value]:
        return self._known.get(key, NOTHING)

    # The statements.

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
        self._signatures.setdefault(name, []).append(node.args)
        names = own_names(node.body) | {part.arg for part in parameters(node.args)}
        outer = space.outer if space.is_class else space
        self._collect(node.body, Space(name, name, names, outer), ())
        decorators = {ast.unparse(part).rpartition(".")[2] for part in node.decorator_list}
        if decorators & set(PROPERTIES):
            self._properties.add(name)
        if "contextmanager" in decorators:
            self._managers[name] = []
        if space.is_class and "staticmethod" not in decorators:
            first = [*node.args.posonlyargs, *node.args.args][:1]
            kind = "class" if "classmethod" in decorators else "object"
            for part in first:
                self._put((name, part.arg), [(kind, space.name)])

    def _class(self, node: ast.ClassDef, space: Space, frames: Frames) -> None:
        names = own_names(node.body)
        prefix = f"{space.name}." if space.name and not space.name.startswith("<") else ""
        name = prefix + node.name
        outer = space.outer if space.is_class else space
        self._classes[name] = node, space
        for member in names:
            self._members.setdefault(member, []).append(name)
        self._collect(node.body, Space(name, space.node, names, outer, True), frames)

    def _job(self, node: ast.AST, space: Space, frames: Frames) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._definition(node, space, frames)
            case ast.ClassDef():
                self._class_definition(node, space, frames)
            case ast.Assign() | ast.AnnAssign():
                targets, value = assignment(node)
                for target in targets:
                    assert value is not None
                    self._pair(target, value, space, frames)
            case ast.AugAssign():
                self._assign(node.target, self._value(node.value, space, frames), space, frames)
            case ast.For() | ast.AsyncFor():
                self._assign(node.target, self._value(node.iter, space, frames), space, frames)
            case ast.With() | ast.AsyncWith():
                for position, item in enumerate(node.items):
                    within = (*frames, node) if position else frames
                    self.items[node, position] = self._item(node, item, space, within)
            case ast.Return():
                if node.value is not None:
                    self._put((space.node, "return"), self._value(node.value, space, frames))
            case ast.Import() | ast.ImportFrom():
                for name, dotted in bound_by(node):
                    self._bind(name, [("import", dotted)], space)
            case ast.Match():
                values = self._value(node.subject, space, frames)
                for name in (n for case in node.cases for n in bound_names(case.pattern)):
                    self._bind(name, values, space)
                for case in node.cases:
                    if case.guard is not None:
                        self._value(case.guard, space, frames)
            case ast.If() | ast.While():
                self._value(node.test, space, frames)
            case ast.Try() | ast.TryStar() | ast.Global() | ast.Nonlocal() | ast.Pass():
                pass
            case _:
                for part in parts_of(node):
                    if isinstance(part, ast.expr):
                        self._value(part, space, frames)

    def _definition(self, node: FunctionNode, space: Space, frames: Frames) -> None:
        name = self._named[node]
        for default, part in defaults(node.args):
            self._put((name, part.arg), self._value(default, space, frames))
        values: Values = frozenset([("function", name)])
        for decorator in reversed(node.decorator_list):
            last = ast.unparse(decorator).rpartition(".")[2]
            if last in (*PROPERTIES, "staticmethod", "classmethod"):
                continue
            callees = self._value(decorator, space, frames)
            values = self._invoke(callees, [("", values)], decorator, space, frames)
        self._bind(node.name, values, space)

    def _class_definition(self, node: ast.ClassDef, space: Space, frames: Frames) -> None:
        name = next(n for n, (found, _) in self._classes.items() if found is node)
        bases = {value for base in node.bases for value in self._value(base, space, frames)}
        self._put((name, "bases"), bases)
        waiting = [base for kind, base in bases if kind == "class"]
        for base in waiting:  # `self` may be of a class that inherits
            for method, first in self._own(base):
                if ("object", base) in self._get((f"{base}.{method}", first)):
                    self._put((f"{base}.{method}", first), [("object", name)])
            above = (what for kind, what in self._get((base, "bases")) if kind == "class")
            waiting += [what for what in above if what not in waiting]
        values: Values = frozenset([("class", name)])
        for decorator in reversed(node.decorator_list):
            callees = self._value(decorator, space, frames)
            values |= self._invoke(callees, [("", values)], decorator, space, frames)
        self._bind(node.name, values, space)

    def _own(self, name: str) -> Iterator[tuple[str, str]]:
        """The methods of a class, and what they call their object."""
        for part in self._classes[name][0].body:
            if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
                for first in [*part.args.posonlyargs, *part.args.args][:1]:
                    yield part.name, first.arg

    def _item(
        self, node: ast.With | ast.AsyncWith, item: ast.withitem, space: Space, frames: Frames
    ) -> Values:
        self.owners[node] = space.node
        values = self._value(item.context_expr, space, frames)
        for kind, name in values:
            made = self.handlers[int(name)] if kind == "handler" else None
            if made is not None and node not in made.blocks:
                made.blocks.append(node)
                self._changed = True
        called = item.context_expr.func if isinstance(item.context_expr, ast.Call) else None
        if called is not None:
            makers = self._value(called, space, frames)
            self.contexts.setdefault(node, set()).update(
                name for value in makers for name in self._run_by(value)
            )
        if item.optional_vars is not None:
            self._assign(item.optional_vars, values, space, frames)
        return values

    def _pair(self, target: ast.expr, value: ast.expr, space: Space, frames: Frames) -> None:
        both = isinstance(target, (ast.Tuple, ast.List)) and isinstance(value, ast.Tuple)
        if both and len(target.elts) == len(value.elts):  # type: ignore[attr-defined]
            for one, other in zip(target.elts, value.elts, strict=True):  # type: ignore[attr-defined]
                self._pair(one, other, space, frames)
            return
        self._assign(target, self._value(value, space, frames), space, frames)

    def _assign(self, target: ast.expr, values: Values, space: Space, frames: Frames) -> None:
        match target:
            case ast.Name():
                self._bind(target.id, values, space)
            case ast.Attribute():
                self._value(target.value, space, frames)
                self._put(("attribute", target.attr), values)
            case ast.Starred():
                self._assign(target.value, values, space, frames)
            case ast.Subscript():
                called = target.value.func if isinstance(target.value, ast.Call) else None
                key = target.slice.value if isinstance(target.slice, ast.Constant) else None
                if isinstance(called, ast.Name) and called.id == "globals" and key:
                    self._put(("", str(key)), values)  # globals()["model"] = ...
                elif values:
                    self._assign(target.value, values, space, frames)
            case ast.Tuple() | ast.List():
                for part in target.elts:
                    self._assign(part, values, space, frames)
            case _:
                pass

    def _bind(self, name: str, values: Iterable[Value], space: Space) -> None:
        self._put((self._where(name, space), name), values)

    def _where(self, name: str, space: Space) -> str:
        """The name of the space in which a name is bound; the module's if in none."""
        inner: Space | None = space
        while inner is not None:
            if name in inner.names and (inner is space or not inner.is_class):
                return inner.name
            inner = inner.outer
        return ""

    # The expressions.

    def _value(self, node: ast.expr, space: Space, frames: Frames) -> Values:
        match node:
            case ast.Constant():
                return NOTHING
            case ast.Name():
                where = self._where(node.id, space)
                if not where and node.id not in self._index.module_names:
                    return frozenset([("import", f"builtins.{node.id}")])
                return frozenset(self._get((where, node.id)))
            case ast.Attribute():
                values = self._value(node.value, space, frames)
                return self._attribute(values, node, space, frames) if values else NOTHING
            case ast.Call():
                return self._call(node, space, frames)
            case ast.Lambda():
                return self._lambda(node, space, frames)
            case ast.NamedExpr():
                values = self._value(node.value, space, frames)
                self._bind(node.target.id, values, space)
                return values
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                for loop in node.generators:
                    self._assign(loop.target, self._value(loop.iter, space, frames), space, frames)
                    for test in loop.ifs:
                        self._value(test, space, frames)
                element = node.value if isinstance(node, ast.DictComp) else node.elt
                return self._value(element, space, frames)
            case ast.Await() | ast.Yield() | ast.YieldFrom():
                values = self._value(node.value, space, frames) if node.value else NOTHING
                if isinstance(node, ast.Await):
                    self._edge(space, OUTSIDE[1], node, frames)  # meanwhile others run
                elif frames not in self._managers.get(space.node, [frames]):
                    self._managers[space.node].append(frames)
                self._put((space.node, "return"), values)
                return values
            case ast.BinOp() if not isinstance(node.op, (ast.Add, ast.BitOr)):
                self._value(node.left, space, frames)
                self._value(node.right, space, frames)
                return NOTHING
            case ast.Compare() | ast.UnaryOp() | ast.JoinedStr() | ast.FormattedValue():
                for part in parts_of(node):
                    if isinstance(part, ast.expr):
                        self._value(part, space, frames)
                return NOTHING
            case _:  # of a container, a choice, a sum: any of its parts
                found: set[Value] = set()
                for part in parts_of(node):
                    if isinstance(part, ast.expr) and type(part) is not ast.Constant:
                        found |= self._value(part, space, frames)
                return frozenset(found)

    def _lambda(self, node: ast.Lambda, space: Space, frames: Frames) -> Values:
        name = f"<lambda {node.lineno}:{node.col_offset}>"
        if node not in self._spaces:
            outer = space.outer if space.is_class else space
            names = {part.arg for part in parameters(node.args)}
            self._spaces[node] = Space(name, name, names, outer)
            self._signatures[name] = [node.args]
        for default, part in defaults(node.args):
            self._put((name, part.arg), self._value(default, space, frames))
        self._put((name, "return"), self._value(node.body, self._spaces[node], ()))
        return frozenset([("function", name)])

    def _attribute(
        self, values: Values, node: ast.Attribute, space: Space, frames: Frames
    ) -> Values:
        found: set[Value] = set()
        name = node.attr
        for value in values:
            kind, what = value
            if kind == "import" and what.startswith("sys.modules"):
                found.update(self._get(("", name)))  # perhaps this one
            elif kind == "import":
                deep = what.count(".") > DEEPEST  # ``v = v.pi`` has no end
                found.add(FOREIGN if deep else ("import", canonical(f"{what}.{name}")))
            elif kind in ("object", "class"):
                found |= self._member(what, name, bound=kind == "object")
            elif kind == "outside":
                for owner in self._members.get(name, ()):
                    found |= self._member(owner, name, bound=True)
                found.update(self._get(("attribute", name)))
            elif kind == "handler" and name in ENTERING:
                self.handlers[int(what)].entered = True
            elif kind not in ("foreign", "inherited", "manager"):
                found.add(value)  # of a container, or ``kernel.model``
        for kind, what in list(found):
            if kind in ("method", "function") and what in self._properties:
                self._edge(space, what, node, frames)
                found |= set(self._get((what, "return")))
        return frozenset(found) or frozenset([FOREIGN])

    def _member(self, owner: str, name: str, *, bound: bool) -> set[Value]:
        """An attribute of a class of the file, or of its objects."""
        found = set(self._get(("attribute", name)))
        seen: set[str] = set()
        waiting = [owner]
        foreign = False
        while waiting:
            one = waiting.pop(0)
            if one in seen:
                continue
            seen.add(one)
            if one in self._members.get(name, ()):
                for kind, what in self._get((one, name)):
                    is_bound = bound and kind == "function"
                    found.add(("method" if is_bound else kind, what))
                return found
            for kind, what in self._get((one, "bases")):
                if kind == "class":
                    waiting.append(what)
                else:
                    foreign = foreign or what not in ("builtins.object", "abc.ABC")
        if not found and foreign:
            found.add(("inherited", owner))
        return found

    # The calls.

    def _call(self, node: ast.Call, space: Space, frames: Frames) -> Values:
        callees = self._value(node.func, space, frames)
        given: Given = []
        for part in node.args:
            starred = "*" if isinstance(part, ast.Starred) else ""
            given.append((starred, self._value(part, space, frames)))
        for keyword in node.keywords:
            given.append((keyword.arg or "*", self._value(keyword.value, space, frames)))
        found = self._invoke(callees, given, node, space, frames)
        if isinstance(node.func, ast.Attribute):
            if node.func.attr in ENTERING:
                for kind, what in (value for _, values in given for value in values):
                    if kind == "handler":
                        self.handlers[int(what)].entered = True
            held = self._value(node.func.value, space, frames)
            if any(kind in ("function", "method", "partial", "handler") for kind, _ in held):
                found |= held  # ``table.get("a")``
            values = frozenset(v for _, vs in given for v in vs if v[0] in CALLABLE)
            if (
                values
                and not callees - {FOREIGN}
                and isinstance(node.func.value, (ast.Name, ast.Attribute))
            ):
                self._assign(node.func.value, values, space, frames)  # parts.append(f)
        return found

    def _invoke(
        self, callees: Values, given: Given, node: ast.expr, space: Space, frames: Frames
    ) -> Values:
        """What a call gives back; it is noted who is called with what."""
        found: set[Value] = set()
        for value in callees or (FOREIGN,):
            kind, what = value
            if kind in ("function", "method", "partial"):
                self._edge(space, what, node, frames)
                self._pass(value, given)
                found.update(self._get((what, "return")))
                if what in self._managers:
                    found.add(("manager", what))
            elif kind == "manager":  # ``@tempered()`` calls it inside of the blocks that yield
                for inner in (one for _, values in given for one in values):
                    for callee in self._run_by(inner):
                        for around in self._managers[what]:
                            self.edges.setdefault((what, callee, around), node.lineno)
                            self._edge(space, what, node, frames)
                    found.add(inner)
            elif kind == "class":
                found |= self._instance(what, given, node, space, frames)
            elif kind == "object":
                called = self._member(what, "__call__", bound=True)
                found |= self._invoke(frozenset(called), given, node, space, frames)
            elif kind == "handler":
                made = self.handlers[int(what)]
                self._edge(space, made.node, node, frames)
                if not made.given:
                    self._put((made.node, "inner"), given[0][1] if given else ())
                if any(value[0] in CALLABLE for _, values in given for value in values):
                    found.add(value)  # it is given its function
                for inner in list(self._get((made.node, "inner"))):
                    if made.given:
                        self._pass(inner, given)
                    found.update(self._get((inner[1], "return")))
            elif kind == "import":
                found |= self._imported(what, given, node, space, frames)
            else:
                for one in self._run_by(value):
                    self._edge(space, one, node, frames)
                found |= self._foreign(given, node, space, frames, "")
        return frozenset(found)

    def _instance(
        self, name: str, given: Given, node: ast.expr, space: Space, frames: Frames
    ) -> Values:
        """``Part(n)``: an object, or a handler where the class is one of those."""
        base = self._handler_base(name)
        if base:
            return self._handler(base, given, node)
        makers = [
            value
            for method in ("__init__", "__new__", "__post_init__")
            for value in self._member(name, method, bound=True)
        ]
        for value in makers:
            if value[0] == "method":
                self._invoke(frozenset([value]), given, node, space, frames)
        if not any(what.endswith("__init__") for _, what in makers):
            fields = [
                part.target.id
                for part in self._classes[name][0].body
                if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
            ]
            for position, (label, values) in enumerate(given):
                field = label or (fields[position] if position < len(fields) else "*")
                self._put(("attribute", field), values)
        return frozenset([("object", name)])

    def _handler_base(self, name: str) -> str:
        seen, waiting = set(), [name]
        while waiting:
            one = waiting.pop()
            seen.add(one)
            for kind, what in self._get((one, "bases")):
                if kind == "import" and what.startswith((HANDLERS, MESSENGER)):
                    return MESSENGER
                if kind == "class" and what not in seen:
                    waiting.append(what)
        return ""

    def _imported(
        self, dotted: str, given: Given, node: ast.expr, space: Space, frames: Frames
    ) -> Values:
        if dotted.startswith(HANDLERS) or dotted in (*PLATES, MESSENGER):
            return self._handler(dotted, given, node)
        first = given[0][1] if given else NOTHING
        called = node if isinstance(node, ast.Call) else None
        if dotted in ("functools.partial", "functools.partialmethod"):
            found: set[Value] = set()
            for kind, what in first:
                if kind == "import" and called is not None and called.args:
                    made = ast.Call(called.args[0], called.args[1:], called.keywords)
                    made = self._calls.setdefault(called, ast.copy_location(made, called))
                    if what.startswith(HANDLERS):
                        found |= self._handler(what, given[1:], made)
                        continue
                if kind in ("function", "method"):
                    self._pass((kind, what), given[1:])
                    kind = "partial"
                found.add((kind, what))
            return frozenset(found)
        if dotted == "functools.wraps":
            return frozenset([FOREIGN])
        if dotted == "builtins.super":
            return frozenset([OUTSIDE])
        if dotted == "builtins.getattr" and called is not None and len(called.args) > 1:
            name = called.args[1]
            if isinstance(name, ast.Constant):
                attribute = ast.Attribute(called.args[0], str(name.value), ast.Load())
                ast.copy_location(attribute, called)
                return self._attribute(first, attribute, space, frames) if first else NOTHING
            return frozenset([OUTSIDE])
        if dotted == "builtins.setattr" and called is not None and len(given) == 3:
            name = called.args[1]
            key = str(name.value) if isinstance(name, ast.Constant) else "*"
            self._put(("attribute", key), given[2][1])
        if dotted in ("builtins.globals", "builtins.locals", "builtins.vars"):
            return frozenset([OUTSIDE])
        if dotted in ("builtins.eval", "builtins.exec"):
            self._edge(space, OUTSIDE[1], node, frames)
            return frozenset([OUTSIDE])
        if dotted.rpartition(".")[2] in RUNNERS:
            for kind, what in (value for _, values in given for value in values):
                if kind in ("function", "method", "partial"):
                    self.enclosed.setdefault(what, node.lineno)
        return self._foreign(given, node, space, frames, dotted)

    def _foreign(
        self, given: Given, node: ast.expr, space: Space, frames: Frames, dotted: str
    ) -> Values:
        """A call of what stands in another module: it may call what it is given."""
        quiet = dotted.startswith(QUIET) and dotted.rpartition(".")[2] not in VECTORIZING
        if quiet or dotted.removeprefix("numpyro.") in QUIETLY:
            return frozenset([FOREIGN])
        everything = frozenset(v for _, vs in given for v in vs if v[0] in CALLABLE)
        for value in everything:
            kind, what = value
            if kind == "outside" or (dotted.startswith("builtins.") and dotted not in CALLING):
                continue
            if kind in ("function", "method", "partial"):
                others = everything - {value}
                if others and dotted.startswith(APPLYING):
                    self._pass(("partial", what), [("", others)], shown=False)
            for one in self._run_by(value):
                key = space.node, one, frames
                handed = key not in self.edges or key in self.handed
                self._edge(space, one, node, frames)
                if handed:
                    self.handed.add(key)
        return everything | {FOREIGN}

    def _handler(self, dotted: str, given: Given, node: ast.expr) -> Values:
        """``handlers.scale(model, scale=2.0)``, with or without the model."""
        if (node, dotted) not in self._made:
            call = node if isinstance(node, ast.Call) else ast.Call(node, [], [])
            name = f"<handler {len(self.handlers)}>"
            fn = dotted not in PLATES and argument(call, 0, "fn")
            made = Made(dotted, ast.copy_location(call, node), name, bool(fn))
            if isinstance(fn, ast.Constant):
                made.given = False
            self._made[node, dotted] = made
            self.handlers.append(made)
            self._changed = True
        made = self._made[node, dotted]
        if dotted not in PLATES:
            for position, (label, values) in enumerate(given):
                if label == "fn" or (not label and not position):
                    self._put((made.node, "inner"), values)
        return frozenset([("handler", str(self.handlers.index(made)))])

    def _run_by(self, value: Value) -> Iterator[str]:
        """Whom a call of something may run first."""
        kind, what = value
        if kind in ("function", "method", "partial"):
            yield what
        elif kind == "handler":
            yield self.handlers[int(what)].node
        elif kind == "outside":
            yield OUTSIDE[1]
        elif kind == "class":
            for _, name in self._member(what, "__init__", bound=True):
                yield name
        elif kind == "object":
            for one in self._member(what, "__call__", bound=True):
                yield from self._run_by(one)
        elif kind == "inherited":
            for member, _ in self._own(what):
                for one in list(self._get((what, member))):
                    if one[0] == "function":
                        yield one[1]

    def _edge(self, space: Space, callee: str, node: ast.expr, frames: Frames) -> None:
        key = space.node, callee, frames
        self.handed.discard(key)
        if key not in self.edges:
            self.edges[key] = node.lineno
            self._changed = True

    def _pass(self, callee: Value, given: Given, *, shown: bool = True) -> None:
        """Bind the parameters of a function to what it is given."""
        kind, name = callee
        if shown:
            self._shown.add(name)
        for signature in self._signatures.get(name, ()):
            places = [*signature.posonlyargs, *signature.args]
            if kind == "method" or (kind == "partial" and self._is_method(name)):
                places = places[1:]
            names = {part.arg for part in (*places, *signature.kwonlyargs)}
            rest = [part.arg for part in (signature.vararg, signature.kwarg) if part]
            for position, (label, values) in enumerate(given):
                if not values:
                    continue
                if label in names:
                    targets = [label]
                elif kind == "partial" or label == "*":
                    targets = [*names, *rest]
                elif not label and position < len(places):
                    targets = [places[position].arg]
                else:
                    targets = rest
                for target in targets:
                    self._put((name, target), values)

    def _is_method(self, name: str) -> bool:
        return name.rpartition(".")[0] in self._classes


def parameters(arguments: ast.arguments) -> list[ast.arg]:
    extra = [part for part in (arguments.vararg, arguments.kwarg) if part]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *extra]


def defaults(arguments: ast.arguments) -> Iterator[tuple[ast.expr, ast.arg]]:
    places = [*arguments.posonlyargs, *arguments.args]
    with_default = places[len(places) - len(arguments.defaults) :]
    yield from zip(arguments.defaults, with_default, strict=True)
    for value, part in zip(arguments.kw_defaults, arguments.kwonlyargs, strict=True):
        if value is not None:
            yield value, part


def own_names(block: list[ast.stmt]) -> set[str]:
    """The names that a block binds in its own scope, but for those that it says are others'."""
    names = {name for node in block for name in bound_names(node, in_place=False)}
    stack: list[ast.AST] = list(block)
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            names -= set(node.names)
        if isinstance(node, ast.stmt) and not isinstance(
            node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        ):
            stack += [part for block in blocks_of(node) for part in block]
    return names
