"""What may each name of a file stand for? The store of a points-to analysis.

Values are put down by where they are bound, and only grow. Who asks is noted, so that what was
worked out of a value is worked out anew when there is more of it, and only then.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec import Struct

from reparam_rewrite.survey.names import canonical
from reparam_rewrite.survey.nodes import FunctionNode
from reparam_rewrite.survey.values import is_elsewhere

#: What something is, and its name::
#:
#:     function, method, partial   of the file; a method has its object, a partial some arguments
#:     class, object               of the file; an object by the name of its class
#:     inherited                   a method of a class of the file that stands in another module
#:     handler                     by its number
#:     manager                     what a function gives back that makes contexts
#:     import                      by its qualified name
#:     outside, foreign            see below
Value = tuple[str, str]
Values = frozenset[Value]

#: What others hand in: any function of the file, for all that is known.
OUTSIDE: Value = ("outside", "*")
ANYTHING: Values = frozenset([OUTSIDE])
#: Something that another module has made.
FOREIGN: Value = ("foreign", "")
MADE_ELSEWHERE: Values = frozenset([FOREIGN])
NOTHING: Values = frozenset()

FUNCTIONS = frozenset(["function", "method", "partial"])
CALLABLE = FUNCTIONS | {"class", "object", "handler", "outside"}
PLATES = ("numpyro.plate", "numpyro.plate_stack")
MESSENGER = "numpyro.Messenger"
#: How many dots a name of another module may have, to have attributes: ``numpy.random``, and of
#: packages whose functions are known by their names.
DEEPEST, DEEPEST_KNOWN = 1, 3
#: What enters a context without a `with`, so that nothing shows where it ends.
ENTERING = frozenset(["__enter__", "__aenter__", "enter_context", "enter_async_context"])

With = ast.With | ast.AsyncWith
Blocks = tuple[With, ...]
#: The arguments of a call: a name if they have one, "*" if they are starred, and what they are.
Given = list[tuple[str, Values]]
#: Where something is bound, and its name; or "attribute", "return", "bases", ... of something.
Key = tuple[str, str]
#: A call that may be made: by whom, of whom, and in which blocks.
Edge = tuple[str, str, Blocks]


class Space(Struct, eq=False):
    """Where names are bound: the module, a class, a function or a lambda.

    `node` is what runs the code there: a function or a lambda, "" for the module.
    """

    name: str
    node: str
    names: set[str]
    outer: Space | None = None
    is_class: bool = False
    found: dict[str, str] = {}

    @property
    def visible(self) -> Space | None:
        """The innermost space whose names a function that is defined here can read."""
        return self.outer if self.is_class else self

    def where(self, name: str) -> str:
        """The name of the space in which a name is bound; the module's if in none."""
        if name not in self.found:
            space: Space | None = self
            while space is not None and (
                name not in space.names or (space.is_class and space is not self)
            ):
                space = space.outer
            self.found[name] = space.name if space is not None else ""
        return self.found[name]


class At(NamedTuple):
    """Where an expression stands: the space of its names, and the blocks of `with` around it."""

    space: Space
    blocks: Blocks = ()


class Block(Struct):
    """A `with`: the function in which it stands, those that make its contexts, and its items.

    `called` are the items that are calls, with what is called there.
    """

    owner: str
    makers: set[str] = set()
    items: dict[int, Values] = {}
    called: dict[int, Values] = {}


class MadeHandler(Struct, eq=False):
    """A handler that the file makes by a call; `given`: that has its function already."""

    kind: str
    call: ast.Call
    number: int
    given: bool
    blocks: list[With] = []
    entered: bool = False

    @property
    def node(self) -> str:
        """What runs when the handler is called, among functions and lambdas."""
        return f"<handler {self.number}>"


class Aliases:
    """All that the expressions of a file may stand for, and who may call whom."""

    def __init__(self) -> None:
        self._values: dict[Key, Values] = {}
        self._askers: defaultdict[Key, set[int]] = defaultdict(set)
        #: What is being read, by its number, and what is still to be read.
        self.reading = -1
        self.waiting: set[int] = set()
        self.signatures: dict[str, list[ast.arguments]] = {}
        self.members: dict[str, list[str]] = {}  # by a name, the classes that define it
        self.classes: dict[str, ast.ClassDef] = {}
        self.properties: set[str] = set()
        self.managers: dict[str, list[Blocks]] = {}  # context managers, with where they yield
        self.shown: set[str] = set()  # functions whose arguments are written in the file
        self.edges: dict[Edge, int] = {}  # who calls whom, with the line
        self.handed: set[Edge] = set()  # those that another module may make, which is given them
        self.inherited: set[Edge] = set()  # and by a method that a class of the file inherits
        self.handlers: list[MadeHandler] = []
        self.enclosed: dict[str, int] = {}  # functions given to scan, cond, vmap..., with the line
        self.backwards: set[str] = set()  # those that a scan of NumPyro's runs from the last step

    def put(self, key: Key, values: Iterable[Value]) -> None:
        """Note that something stands for these values, too; who asked for it is read again."""
        known = self._values.get(key, NOTHING)
        more = known.union(values)
        if len(more) > len(known):
            self._values[key] = more
            self.waiting.update(self._askers.get(key, ()))

    def get(self, key: Key) -> Values:
        """All that something is known to stand for; what is being read depends on it."""
        self._askers[key].add(self.reading)
        return self._values.get(key, NOTHING)

    def bind(self, name: str, values: Iterable[Value], space: Space) -> None:
        """Note what a name stands for that is bound in that space."""
        self.put((space.where(name), name), values)

    def handler(self, value: Value) -> MadeHandler:
        """The handler that a value names by its number."""
        return self.handlers[int(value[1])]

    def edge(
        self, at: At, callee: str, node: ast.expr, *, handed: bool = False, inherited: bool = False
    ) -> None:
        """What stands there may call `callee`; `handed`, `inherited`: another module may."""
        key = at.space.node, callee, at.blocks
        if not (handed or inherited):
            self.handed.discard(key)
            self.inherited.discard(key)
        elif key not in self.edges or self.is_guessed(key):
            (self.inherited if inherited else self.handed).add(key)
        self.edges.setdefault(key, node.lineno)

    def is_guessed(self, edge: Edge) -> bool:
        """Does only another module make a call, if anything does?"""
        return edge in self.handed or edge in self.inherited

    def yields(self, at: At) -> None:
        """A function yields there."""
        name, blocks = at.space.node, self.managers.get(at.space.node)
        if blocks is not None and at.blocks not in blocks:
            blocks.append(at.blocks)
            self.put((name, "yields"), [("block", str(len(blocks)))])

    def yielding(self, name: str) -> list[Blocks]:
        """The blocks in which a context manager yields."""
        self.get((name, "yields"))
        return self.managers[name]

    def methods(self, name: str) -> Iterator[tuple[str, str]]:
        """The methods of a class, and what they call their object."""
        for part in self.classes[name].body:
            if isinstance(part, FunctionNode):
                for first in [*part.args.posonlyargs, *part.args.args][:1]:
                    yield part.name, first.arg

    def bases(self, name: str) -> Iterator[Value]:
        """All that a class of the file inherits, those of the file's own bases included."""
        waiting = [name]
        for one in waiting:  # which grows meanwhile
            for value in self.get((one, "bases")):
                yield value
                if value[0] == "class" and value[1] not in waiting:
                    waiting.append(value[1])

    def member(self, owner: str, name: str, *, bound: bool) -> set[Value]:
        """An attribute of a class of the file, or of its objects."""
        found = set(self.get(("attribute", name)))
        waiting, foreign = [owner], False
        for one in waiting:  # which grows meanwhile
            if one in self.members.get(name, ()):
                for kind, what in self.get((one, name)):
                    found.add(("method" if bound and kind == "function" else kind, what))
                return found
            for kind, what in self.get((one, "bases")):
                if kind != "class":
                    foreign = foreign or what not in ("builtins.object", "abc.ABC")
                elif what not in waiting:
                    waiting.append(what)
        if not found and foreign:
            found.add(("inherited", owner))
        return found

    def attribute(self, values: Values, node: ast.Attribute, at: At) -> Values:
        """What ``x.y`` may be, where `values` are what ``x`` may be."""
        if not values:
            return NOTHING
        found: set[Value] = set()
        name = node.attr
        for value in values:
            kind, what = value
            if kind == "import" and what.startswith("sys.modules"):
                found |= self.get(("", name))  # perhaps this one
            elif kind == "import":
                known = what.startswith(("jax.", "numpyro."))
                # ``v = v.pi`` has no end, and with ``v = v.e`` there are ever more of them.
                deep = what.count(".") > (DEEPEST_KNOWN if known else DEEPEST)
                deep = deep or what.startswith("builtins.")
                found.add(FOREIGN if deep else ("import", canonical(f"{what}.{name}")))
            elif kind in ("object", "class"):
                found |= self.member(what, name, bound=kind == "object")
            elif kind == "outside":
                found |= self.get(("attribute", name))
                for owner in self.members.get(name, ()):
                    found |= self.member(owner, name, bound=True)
            elif kind == "handler" and name in ENTERING:
                self.handler(value).entered = True
            elif kind not in ("foreign", "inherited", "manager"):
                found.add(value)  # of a container, or ``kernel.model``
        for kind, what in list(found):
            if kind in ("method", "function") and what in self.properties:
                self.edge(at, what, node)
                found |= self.get((what, "return"))
        return frozenset(found) or MADE_ELSEWHERE

    def is_elsewhere(self, value: Value) -> bool:
        """Is it of a module that knows of no plates? ``open``, ``self.assertRaises``"""
        kind, what = value
        if kind == "inherited":
            bases = [name for kind, name in self.bases(what) if kind != "class"]
            return bool(bases) and all(map(is_elsewhere, bases))
        return kind == "import" and is_elsewhere(what)

    def run_by(self, value: Value) -> Iterator[str]:
        """Whom a call of something may run first."""
        kind, what = value
        if kind in FUNCTIONS:
            yield what
        elif kind == "handler":
            yield self.handler(value).node
        elif kind == "outside":
            yield OUTSIDE[1]
        elif kind == "class":
            yield from (maker for _, maker in self.member(what, "__init__", bound=True))
        elif kind == "object":
            for one in self.member(what, "__call__", bound=True):
                yield from self.run_by(one)
        elif kind == "inherited":
            for member, _ in self.methods(what):
                values = self.get((what, member))
                yield from (name for kind, name in values if kind == "function")

    def may_be(self, made: MadeHandler) -> set[str]:
        """What a handler is given to run: functions, lambdas and handlers."""
        values = self.get((made.node, "inner"))
        found = {name for value in values for name in self.run_by(value)}
        return found | ({OUTSIDE[1]} if made.entered else set())


def parameters(arguments: ast.arguments) -> list[ast.arg]:
    """All parameters that a function or a lambda declares."""
    extra = [part for part in (arguments.vararg, arguments.kwarg) if part]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *extra]


def defaults(arguments: ast.arguments) -> Iterator[tuple[ast.expr, ast.arg]]:
    """The default values of a function, each with its parameter."""
    places = [*arguments.posonlyargs, *arguments.args]
    with_default = places[len(places) - len(arguments.defaults) :]
    yield from zip(arguments.defaults, with_default, strict=True)
    for value, part in zip(arguments.kw_defaults, arguments.kwonlyargs, strict=True):
        if value is not None:
            yield value, part
