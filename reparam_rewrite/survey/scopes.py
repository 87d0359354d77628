"""Which names does a statement or a function bind, and what do they mean at one place?"""

from __future__ import annotations

import ast
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Protocol

from reparam_rewrite.survey.effects import EXPANDING, FileFacts
from reparam_rewrite.survey.functions import Function, Survey
from reparam_rewrite.survey.names import bound_by, dotted
from reparam_rewrite.survey.nodes import (
    DEFINITIONS,
    NAMED,
    FunctionNode,
    kinds,
    parts_of,
    remembered,
    root_of,
    walk,
)
from reparam_rewrite.survey.timeline import Binding

#: What binds a name, or has a scope of its own; most nodes are neither.
BINDING = NAMED.keys() | kinds("Attribute Global Import ImportFrom Lambda Nonlocal Subscript")

STORING = BINDING | {ast.Name}

#: What holds no statements, most often.
PLAIN = (ast.expr, ast.AnnAssign, ast.Assign, ast.AugAssign, ast.Expr, ast.Return)

NO_NAMES: frozenset[str] = frozenset()


def is_read(node: ast.AST) -> bool:
    """Is a name, an attribute or an element read, rather than bound?"""
    return type(getattr(node, "ctx", None)) is ast.Load


def bound_names(node: ast.AST, *, in_place: bool = True) -> frozenset[str]:
    """The names that a statement and all in it may bind in its own scope.

    `in_place`: also those whose values it may change.
    """
    stored, changed, _ = bound_in(node)
    return stored | changed if in_place and changed else stored


@remembered
def bound_in(node: ast.AST) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """The names that a node binds, those whose values it may change in place, and others' names.

    These are what it declares `global` or `nonlocal`.
    """
    if isinstance(node, PLAIN):
        parts = [part for part in walk(node) if type(part) in STORING and not is_read(part)]
        names = [part.id for part in parts if isinstance(part, ast.Name)]
        if len(names) == len(parts):
            return frozenset(names), NO_NAMES, NO_NAMES
    found: set[str] = set()
    changed: set[str] = set()
    others: set[str] = set()
    stack: list[ast.AST] = [node]
    while stack:
        part = stack.pop()
        kind = type(part)
        if isinstance(part, ast.stmt) and part is not node:
            for mine, its in zip((found, changed, others), bound_in(part), strict=True):
                mine |= its
            continue
        if kind not in STORING:
            stack += parts_of(part)
            continue
        if isinstance(part, ast.Name) and not is_read(part):
            found.add(part.id)
        elif kind in NAMED and getattr(part, NAMED[kind]):
            found.add(getattr(part, NAMED[kind]))
        elif isinstance(part, (ast.Import, ast.ImportFrom)):
            found.update(name for name, _ in bound_by(part))
        elif isinstance(part, (ast.Global, ast.Nonlocal)):
            others.update(part.names)
        elif isinstance(part, (ast.Attribute, ast.Subscript)) and not is_read(part):
            root = root_of(part)  # `self.n = 3` changes what `self.n` means
            if isinstance(root, ast.Name):
                changed.add(root.id)
        if isinstance(part, DEFINITIONS):
            stack += part.decorator_list
        elif kind is not ast.Lambda:
            stack += parts_of(part)
    return frozenset(found), frozenset(changed), frozenset(others)


def names_of(block: list[ast.stmt], *, in_place: bool = False) -> set[str]:
    """The names that a block binds in its own scope, but for those that it says are others'."""
    names: set[str] = set()
    others: set[str] = set()
    for node in block:
        stored, changed, declared = bound_in(node)
        names |= stored | changed if in_place else stored
        others |= declared
    return names - others


def own_names(node: FunctionNode) -> set[str]:
    """The local names of a function: its arguments and all that it binds."""
    names = {part.arg for part in walk(node.args) if isinstance(part, ast.arg)}
    # `x.y = 1` alone doesn't make x local, but it does change what x stands for, so it stays.
    return names | names_of(node.body, in_place=True)


def sizes_in(parts: Iterable[ast.AST], meaning: Callable[[ast.expr], str]) -> set[str]:
    """The names that a function uses where only a number can stand, and binds only once.

    ``plate("i", n)``, ``num_steps=n``, ``range(n)``, ``jnp.zeros((n, k))``, ``.expand([n])``,
    ``scan(..., length=n)``; `meaning` tells what is called, by its dotted name.
    """
    found: set[str] = set()
    stored: set[str] = set()
    for part in parts:
        if isinstance(part, ast.Name) and not is_read(part):
            stored.add(part.id)
        elif isinstance(part, ast.Call):
            found.update(s.id for s in sizes_of(part, meaning) if isinstance(s, ast.Name))
    return found - stored


def sizes_of(call: ast.Call, meaning: Callable[[ast.expr], str]) -> Iterator[ast.expr]:
    """The arguments of a call that must be numbers."""
    dotted = meaning(call.func)
    module, _, name = dotted.rpartition(".")
    wanted = ""
    if module == "numpyro.distributions":
        wanted = "num_steps"
    elif dotted == "numpyro.plate":
        yield from call.args[1:2]
        wanted = "size"
    elif dotted == "builtins.range" or name in ("arange", "eye"):
        yield from call.args
    elif name == "scan":
        yield from call.args[3:4]
        wanted = "length"
    elif name in EXPANDING or name == "reshape":
        for argument in call.args[:1]:
            if isinstance(argument, (ast.Tuple, ast.List)):
                yield from argument.elts
    yield from (part.value for part in call.keywords if wanted and part.arg == wanted)


class Scope(Protocol):
    """What the reader of an expression must know of the place where it stands.

    `function` is the one that it stands in, `facts` are what the file's own functions may do, and
    `constants` the module-level names that are bound once, to a number.
    """

    function: Function
    facts: FileFacts
    constants: Container[str]

    @property
    def era(self) -> int:
        """How many statements may have changed something in place until here."""

    def resolve(self, node: ast.expr) -> str | None:
        """The dotted name that an expression was imported as."""

    def binding(self, name: str) -> Binding | None:
        """What a local name stands for here."""

    def literal_key(self, node: ast.expr) -> str:
        """A key that no other literal has."""

    def is_builtin(self, name: str) -> bool:
        """Does a name mean here what Python has it for?"""
        return name in self.facts.builtins and name not in self.function.hidden

    def is_constant(self, name: str) -> bool:
        """Is this a module-level name bound once, to a number?"""
        return name in self.constants and name not in self.function.hidden

    def is_captured(self, name: str) -> bool:
        """Is this a name of a function around this one, other than of what that imports?"""
        own = self.function.hidden.by[0]
        return name in self.function.captured and name not in own

    def is_unstable(self, name: str) -> bool:
        """May any call bind this name anew: is it `nonlocal` or `global` in some function?"""
        return name in self.function.unstable


#: By this name an expression of the config may use jax.numpy, whether the file imports it or not.
JNP = "jnp"


class Moment(Scope):
    """The `Scope` of an expression that would be evaluated before `statement`."""

    def __init__(self, survey: Survey, function: Function, statement: int) -> None:
        self.survey, self.function, self.statement = survey, function, statement
        self.facts, self.constants = survey.facts, survey.constants
        # The generated code has jax.numpy as jnp, unless the file has it, or the name, already.
        taken = JNP in survey.identifiers or "jax.numpy" in survey.aliases.values()
        self._free = frozenset() if taken else frozenset([JNP])

    @property
    def era(self) -> int:
        return self.function.timeline.era_before(self.statement)

    def resolve(self, node: ast.expr) -> str | None:
        return dotted(node, self._meaning)

    def _meaning(self, name: str) -> str | None:
        if name in self.function.hidden:
            binding = self.binding(name)
            return binding.qualified if binding else None
        return "jax.numpy" if name in self._free else self.survey.aliases.get(name)

    @property
    def runner(self) -> Function:
        """The function whose scan runs this one."""
        return self.survey.functions[self.function.runner]

    def binding(self, name: str) -> Binding | None:
        if name not in self.function.timeline and self.function.runner:
            return self.runner.timeline.before(name, self.function.run_at)
        return self.function.timeline.before(name, self.statement)

    def literal_key(self, node: ast.expr) -> str:
        return f"literal in the config {node.lineno}:{node.col_offset}"

    def is_bound(self, name: str) -> bool:
        """Can `name` be read here without a NameError?"""
        run = self.function.runner and name in self.runner.timeline
        if run or name in self.function.timeline:
            binding = self.binding(name)
            return binding is not None and binding.certain
        return any(name in names for names in (*self.function.visible, self._free))
