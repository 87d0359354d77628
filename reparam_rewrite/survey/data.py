"""What of a value comes from the data of the call, rather than from what is sampled?

Draws are used again with the data of other calls, so that what comes from these has to be known.
"""

from __future__ import annotations

import ast
from typing import NamedTuple

from reparam_rewrite.survey.calls import argument, is_starred
from reparam_rewrite.survey.effects import EXPANDING
from reparam_rewrite.survey.families import FAMILIES
from reparam_rewrite.survey.nodes import kinds, parts_of, remembered
from reparam_rewrite.survey.scopes import Scope

#: What takes a shape, which says nothing of the values: at that position, or by those keywords.
SHAPED = {**dict.fromkeys(EXPANDING, 0), "GaussianRandomWalk": 1, "broadcast_to": 1}
SIZES = ("num_steps", "shape")

REFERRING = kinds("Attribute Name Subscript")

NO_DATA: frozenset[str] = frozenset()


class Reference(NamedTuple):
    """What an expression reads: ``x``, ``self.x`` or ``data["x"]``, by its root's name."""

    root: str
    text: str


def reference(node: ast.AST) -> Reference | None:
    """The reference that a node is; None if it is something else."""
    root = node
    while isinstance(root, ast.Attribute) or (
        isinstance(root, ast.Subscript) and isinstance(root.slice, ast.Constant)
    ):
        root = root.value
    if not isinstance(root, ast.Name) or not isinstance(root.ctx, ast.Load):
        return None
    text = root.id if root is node else ast.unparse(node)
    return Reference(root.id, text if '"' in text else text.replace("'", '"'))


@remembered
def references(node: ast.AST) -> tuple[Reference, ...]:
    """All that is read for the value of an expression; what only makes shapes doesn't count."""
    found: list[Reference] = []
    stack = [node]
    while stack:
        part = stack.pop()
        known = reference(part) if type(part) in REFERRING else None
        if known is not None:
            found.append(known)
        elif isinstance(part, ast.Call):
            called = part.func
            shape = SHAPED.get(getattr(called, "attr", "") or getattr(called, "id", ""))
            stack += [argument for at, argument in enumerate(part.args) if at != shape]
            stack += [keyword.value for keyword in part.keywords if keyword.arg not in SIZES]
            stack.append(called.value if isinstance(called, ast.Attribute) else called)
        else:
            stack += parts_of(part)
    return tuple(found)


def data_in(scope: Scope, node: ast.AST | None) -> frozenset[str]:
    """The arguments of the call that a value is computed of, as they are written.

    Not those that only what it is sampled from is computed of: sites are draws. What can't be
    told counts, by its own name.
    """
    found = references(node) if node is not None else ()
    return NO_DATA.union(*(data_of(scope, known) for known in found))


def bounds_in(scope: Scope, family: str | None, prior: ast.expr | None) -> frozenset[str]:
    """The arguments of the call that the support of a distribution expression depends on."""
    known = FAMILIES.get(family or "")
    if known is not None and known.support != "dependent":
        return NO_DATA
    node = prior
    while (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Call)
    ):
        node = node.func.value
    names = [name for name, _ in known.arguments] if known is not None else []
    bounds = [name for name in names if name in ("low", "high")]
    if not isinstance(node, ast.Call) or not bounds or "base_dist" in names or is_starred(node):
        return data_in(scope, prior)
    given = [argument(node, names.index(name), name) for name in bounds]
    return NO_DATA.union(*(data_in(scope, bound) for bound in given))


def data_of(scope: Scope, read: Reference) -> frozenset[str]:
    """The arguments of the call that a reference reads, through what local names stand for."""
    binding = scope.binding(read.root)
    own = frozenset([read.text])
    if scope.is_unstable(read.root):
        return own
    if binding is None:
        return own if scope.is_captured(read.root) else NO_DATA
    return own if binding.data == {read.root} else binding.data
