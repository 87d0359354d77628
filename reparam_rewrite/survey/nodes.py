"""The parts of a node of the syntax tree, without those that say nothing here.

`ast.walk` asks every field of every node, and half of what it gives are operators and ``Load()``.
The survey goes through every statement many times, so that what is in a node is found once and
kept with it, which holds as long as nobody changes the node: `copied` gives one to be changed.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, TypeVar

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

Node = TypeVar("Node", bound=ast.AST)
Found = TypeVar("Found")

#: Fields that hold no nodes, or only operators and contexts.
BARE = frozenset(["arg", "attr", "conversion", "ctx", "id", "kind", "op", "ops", "type_comment"])


def kinds(names: str) -> frozenset[type[ast.AST]]:
    """The classes of nodes of those names."""
    return frozenset(getattr(ast, name) for name in names.split())


#: The fields of each class of nodes that may hold parts.
FIELDS: dict[type[ast.AST], tuple[str, ...]] = {ast.Constant: ()}

#: More than half of all nodes.
LEAVES = frozenset([ast.Constant, ast.Name])

#: Where what is known of a node is kept with it.
MARK = "_known_"

#: Where an argument that stands in the place of a helper's parameter has its value as it is given.
GIVEN = "given"


def remembered(function: Callable[[ast.AST], Found]) -> Callable[[ast.AST], Found]:
    """Keep what a function says of a node with the node."""
    name = MARK + function.__name__

    def found(node: ast.AST) -> Found:
        known = node.__dict__
        if name not in known:
            known[name] = function(node)
        return known[name]  # type: ignore[no-any-return]

    return found


def parts_of(node: ast.AST) -> tuple[ast.AST, ...]:
    """The parts of a node, as in `ast.iter_child_nodes`."""
    kind = type(node)
    if kind in LEAVES:
        return ()
    known: tuple[ast.AST, ...] | None = getattr(node, "_known_parts", None)
    if known is not None:
        return known
    if kind not in FIELDS:
        FIELDS[kind] = tuple(name for name in kind._fields if name not in BARE)
    found: list[ast.AST] = []
    for name in FIELDS[kind]:
        value = getattr(node, name, None)
        if isinstance(value, list):
            found += [item for item in value if isinstance(item, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    known = tuple(found)
    node.__dict__["_known_parts"] = known
    return known


def walk(node: ast.AST) -> list[ast.AST]:
    """A node and all its parts, in the order of `ast.walk`."""
    return [node] if type(node) in LEAVES else [node, *below(node)]


@remembered
def below(node: ast.AST) -> tuple[ast.AST, ...]:
    """All that is in a node, without itself."""
    found = list(parts_of(node))
    for part in found:  # which grows meanwhile
        if type(part) not in LEAVES:
            found += parts_of(part)
    return tuple(found)


def copied(node: Node) -> Node:
    """A node with all that is in it, without what was found out about it.

    Nor with what other programs keep with it: Python has one ``Load()`` for all trees, to which
    those that IPython shows errors with give a parent.
    """
    if isinstance(node, (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)):
        return node
    made = type(node)()
    for name in node._fields:
        if hasattr(node, name):
            setattr(made, name, copied_value(getattr(node, name)))
    if GIVEN in node.__dict__:
        setattr(made, GIVEN, getattr(node, GIVEN))
    return ast.copy_location(made, node)


def copied_value(value: Any) -> Any:
    if isinstance(value, ast.AST):
        return copied(value)
    return [copied_value(item) for item in value] if isinstance(value, list) else value
