"""Which names does a statement, or a function, bind?"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from reparam_rewrite.survey.imports import bound_by
from reparam_rewrite.survey.nodes import LEAVES, parts_of, remembered, walk

if TYPE_CHECKING:
    from reparam_rewrite.survey.index import FunctionNode, Scoped

#: What binds a name, or has a scope of its own; most nodes are neither.
BINDING = frozenset(
    [
        ast.AsyncFunctionDef,
        ast.Attribute,
        ast.ClassDef,
        ast.ExceptHandler,
        ast.FunctionDef,
        ast.Global,
        ast.Import,
        ast.ImportFrom,
        ast.Lambda,
        ast.MatchAs,
        ast.MatchMapping,
        ast.MatchStar,
        ast.Nonlocal,
        ast.Subscript,
    ]
)


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
    found: set[str] = set()
    changed: set[str] = set()
    others: set[str] = set()
    stack: list[ast.AST] = [node]
    while stack:
        part = stack.pop()
        if type(part) in LEAVES:
            if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
                found.add(part.id)
            continue
        if isinstance(part, ast.stmt) and part is not node:
            for mine, its in zip((found, changed, others), bound_in(part), strict=True):
                mine |= its
            continue
        if type(part) not in BINDING:
            stack += parts_of(part)
            continue
        if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(part.name)
            stack += part.decorator_list
            continue
        if isinstance(part, ast.Lambda):
            continue
        if isinstance(part, (ast.Import, ast.ImportFrom)):
            found.update(name for name, _ in bound_by(part))
        elif isinstance(part, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and part.name:
            found.add(part.name)
        elif isinstance(part, (ast.Global, ast.Nonlocal)):
            others.update(part.names)
        elif isinstance(part, ast.MatchMapping) and part.rest:
            found.add(part.rest)
        elif isinstance(part, (ast.Attribute, ast.Subscript)) and not isinstance(
            part.ctx, ast.Load
        ):
            # `self.n = 3` changes what `self.n` means.
            root: ast.expr = part
            while isinstance(root, (ast.Attribute, ast.Subscript)):
                root = root.value
            if isinstance(root, ast.Name):
                changed.add(root.id)
        stack += parts_of(part)
    return frozenset(found), frozenset(changed), frozenset(others)


def own_names(node: FunctionNode) -> set[str]:
    """The local names of a function: its arguments and all that it binds."""
    names = {part.arg for part in walk(node.args) if isinstance(part, ast.arg)}
    stores: set[str] = set()
    outer: set[str] = set()
    for statement in node.body:
        stored, changed, others = bound_in(statement)
        stores |= stored | changed
        outer |= others
    # `x.y = 1` alone doesn't make x local, but it does change what x stands for, so it stays.
    return names | stores - outer


def sizes_in(scoped: Scoped, meaning: Callable[[ast.expr], str]) -> set[str]:
    """The names that are used where only a number can stand, and are bound only once.

    ``plate("i", n)``, ``num_steps=n``, ``range(n)``, ``jnp.zeros((n, k))``, ``.expand([n])``,
    ``scan(..., length=n)``; `meaning` tells what is called, by its dotted name.
    """
    found: set[str] = set()
    stored: set[str] = set()
    for part in scoped.parts:
        kind = type(part)
        if kind is ast.Name and not isinstance(part.ctx, ast.Load):  # type: ignore[attr-defined]
            stored.add(part.id)  # type: ignore[attr-defined]
        elif isinstance(part, ast.Call):
            found.update(s.id for s in sizes_of(part, meaning) if isinstance(s, ast.Name))
    return found - stored


def sizes_of(call: ast.Call, meaning: Callable[[ast.expr], str]) -> Iterator[ast.expr]:
    """The arguments of a call that must be numbers."""
    dotted = meaning(call.func)
    module, _, name = dotted.rpartition(".")
    by_name = {keyword.arg: keyword.value for keyword in call.keywords}
    wanted: tuple[str, ...] = ()
    if module == "numpyro.distributions":
        wanted = ("num_steps",)
    elif dotted == "numpyro.plate":
        yield from call.args[1:2]
        wanted = ("size",)
    elif dotted == "builtins.range" or name in ("arange", "eye"):
        yield from call.args
    elif name == "scan":
        yield from call.args[3:4]
        wanted = ("length",)
    elif name in ("zeros", "ones", "full", "empty", "expand", "expand_by", "reshape"):
        for argument in call.args[:1]:
            if isinstance(argument, (ast.Tuple, ast.List)):
                yield from argument.elts
    yield from (by_name[name] for name in wanted if name in by_name)
