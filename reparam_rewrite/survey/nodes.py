"""The parts of a node of the syntax tree, without those that say nothing here.

`ast.walk` asks every field of every node, and half of what it gives are operators and ``Load()``.
The survey goes through every statement several times, so that this is most of what it costs.
"""

from __future__ import annotations

import ast

#: Fields that hold no nodes, or only operators and contexts.
BARE = frozenset(["arg", "attr", "conversion", "ctx", "id", "kind", "op", "ops", "type_comment"])

#: The fields of each class of nodes that may hold parts.
FIELDS: dict[type[ast.AST], tuple[str, ...]] = {ast.Constant: ()}

#: More than half of all nodes.
LEAVES = frozenset([ast.Constant, ast.Name])


def parts_of(node: ast.AST) -> list[ast.AST]:
    """The parts of a node, as in `ast.iter_child_nodes`."""
    kind = type(node)
    if kind not in FIELDS:
        FIELDS[kind] = tuple(name for name in kind._fields if name not in BARE)
    found: list[ast.AST] = []
    for name in FIELDS[kind]:
        value = getattr(node, name, None)
        if isinstance(value, list):
            found += [item for item in value if isinstance(item, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


def walk(node: ast.AST) -> list[ast.AST]:
    """A node and all its parts, in the order of `ast.walk`."""
    found = [node]
    for part in found:  # which grows meanwhile
        if type(part) not in LEAVES:
            found += parts_of(part)
    return found
