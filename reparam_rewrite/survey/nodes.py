"""The parts of a node of the syntax tree, without those that say nothing here.

`ast.walk` asks every field of every node, and half of what it gives are operators and ``Load()``.
The survey goes through every statement many times, so that what is in a node is found once and
kept with it, which holds as long as nobody changes the node: `copied` gives one to be changed.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

#: The same, and classes: for `isinstance`, which is slow with a union.
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

Node = TypeVar("Node")
Found = TypeVar("Found")


def kinds(names: str) -> frozenset[type[ast.AST]]:
    """The classes of nodes of those names."""
    return frozenset(getattr(ast, name) for name in names.split())


#: Fields that hold no nodes, or only operators and contexts.
BARE = frozenset(["arg", "attr", "conversion", "ctx", "id", "kind", "op", "ops", "type_comment"])

#: The fields of each class of nodes that may hold parts.
FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}

#: More than half of all nodes.
LEAVES = frozenset([ast.Constant, ast.Name])

#: The field in which a node has a name that it binds, if that isn't a node itself.
NAMED: dict[type[ast.AST], str] = {
    **dict.fromkeys(
        kinds("AsyncFunctionDef ClassDef ExceptHandler FunctionDef MatchAs MatchStar"), "name"
    ),
    ast.MatchMapping: "rest",
}

#: Where an argument that stands in the place of a helper's parameter has its value as it is given.
GIVEN = "given"


def remembered(function: Callable[[ast.AST], Found]) -> Callable[[ast.AST], Found]:
    """Keep what a function says of a node with the node."""
    name = f"_known_{function.__name__}"

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
    if known is None:
        if kind not in FIELDS:
            FIELDS[kind] = tuple(name for name in kind._fields if name not in BARE)
        found: list[ast.AST] = []
        for name in FIELDS[kind]:
            value = getattr(node, name, None)
            if isinstance(value, list):
                found += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST):
                found.append(value)
        known = node.__dict__["_known_parts"] = tuple(found)
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


def root_of(node: ast.AST) -> ast.AST:
    """The ``x`` of ``x.y[i].z``."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node


def copied(node: Node, instead: Mapping[Any, ast.AST] | None = None) -> Node:
    """A node or a list of them with all that is in it, and others `instead` of some.

    Without what was found out about it, and what other programs keep with it: Python has one
    ``Load()`` for all trees, to which those that IPython shows errors with give a parent.
    """
    made: Any
    if isinstance(node, list):
        made = [copied(item, instead) for item in node]
    elif instead and isinstance(node, ast.AST) and node in instead:
        made = instead[node]
    elif not isinstance(node, ast.AST) or not (node._fields or isinstance(node, ast.stmt)):
        made = node
    else:
        made = ast.AST.__new__(type(node))  # from Python 3.15 on a call wants all the fields
        for name in node._fields:
            if hasattr(node, name):
                setattr(made, name, copied(getattr(node, name), instead))
        if GIVEN in node.__dict__:
            setattr(made, GIVEN, getattr(node, GIVEN))
        ast.copy_location(made, node)
    return made  # type: ignore[no-any-return]
