"""How does a parent's value get the axes of its child?

An axis that the child has too is lined up with it; one that it lacks is reduced. Nothing that
comes out of here can widen the child: the result broadcasts into the child's shape.
"""

from __future__ import annotations

from msgspec.structs import replace

from reparam_rewrite.plan.values import Value
from reparam_rewrite.survey.values import Axis, Shape


class Unaligned(Exception):
    """The axes can't be told apart; the message says which."""


def align(expression: str, parent: Shape, child: Shape, reduce: str) -> Value:
    """The parent's value in the child's axes.

    ========================  ====================  =========================================
    parent                    child                 value
    ========================  ====================  =========================================
    ``()``                    any                   ``mu``
    ``(n_i,)``                ``(n_i,)``            ``a``
    ``(n_i,)``                ``(n_i, n_t)``        ``a[:, None]``
    ``(n_j,)``                ``(n_i, n_t)``        ``jnp.mean(b)``
    ``(n_i, n_t)``            ``(n_j, n_t)``        ``jnp.mean(A, axis=0)``
    ``(n_j, n_t)``            ``(n_i, n_j)``        ``jnp.mean(B, axis=1)``
    ``(n_i, 1, n_t)``         ``(n_i, n_j, 1)``     ``jnp.mean(A, axis=-1, keepdims=True)``
    ``(n_t, n_i)``            ``(n_i, n_t)``        ``jnp.transpose(D)``
    ========================  ====================  =========================================

    `reduce` is "mean", "sum" or "error"; raises `Unaligned` if it is "error" and an axis would
    have to be reduced, or if it isn't sure which axis of the child a parent's axis is.
    """
    targets = [match(axis, position - len(parent), child) for position, axis in enumerate(parent)]
    kept = [target for target in targets if target is not None]
    if len(set(kept)) != len(kept):
        raise Unaligned("two of its axes would be the same axis of the child")
    lost = [
        position
        for position, (axis, target) in enumerate(zip(parent, targets, strict=True))
        if target is None and not axis.unit
    ]
    if lost and reduce == "error":
        raise Unaligned(
            f'the child has no axis {described(parent[lost[0]])}, and reduce is "error"'
        )
    if not kept:
        return to_scalar(expression, parent, lost, reduce)
    value = lined_up(expression, parent, child, targets, lost, reduce)
    sure = all(
        child[target].same_size(axis)
        for axis, target in zip(parent, targets, strict=True)
        if target is not None
    )
    # One plate name may stand for two sizes; then the child's shape has the last word.
    return value if sure else replace(value, guarded=True)


def from_right(value: Value, dims: int) -> Value:
    """Axes counted from the right, for a parent that may have more than `dims` of them."""
    axes = tuple(axis if axis < 0 else axis - dims for axis in value.axes)
    return replace(value, axes=axes)


def as_wide(value: Value, dims: int, width: int) -> Value:
    """A parent of `dims` axes with new ones on the left until it has `width`.

    If it has more axes than that after all, it is wider than the child, and fails.
    """
    items = value.index[1:-1].split(", ") if value.index else []
    dims -= 0 if value.keepdims else len(value.axes)
    dims += items.count("None") - items.count("0")
    items = ["None"] * (width - dims) + items
    return replace(value, index=f"[{', '.join(items)}]" if items else "")


def lined_up(
    expression: str,
    parent: Shape,
    child: Shape,
    targets: list[int | None],
    lost: list[int],
    reduce: str,
) -> Value:
    """Reduce the lost axes, in the way that needs the least indexing afterwards."""
    reduced = Value(expression, reduce, counted(lost, len(parent))) if lost else Value(expression)
    left = [target for position, target in enumerate(targets) if position not in lost]
    if in_place(left, child):
        return reduced
    if lost and in_place(targets, child):
        # What is reduced can stay as a dim of size 1, and everything else where it is.
        axes = tuple(position - len(parent) for position in lost)
        return Value(expression, reduce, axes, keepdims=True)
    return indexed(reduced, left)


def in_place(targets: list[int | None], child: Shape) -> bool:
    """Do the dims line up with the child's as they are? None stands for a dim of size 1."""
    return len(targets) <= len(child) and all(
        target is None or target == position - len(targets)
        for position, target in enumerate(targets)
    )


def counted(lost: list[int], dims: int) -> tuple[int, ...]:
    """Axes as one writes them: the trailing ones from the right, others from the left."""
    trailing = lost == list(range(dims - len(lost), dims))
    return tuple(position - dims if trailing else position for position in lost)


def to_scalar(expression: str, parent: Shape, lost: list[int], reduce: str) -> Value:
    """A parent none of whose axes the child has: everything is reduced, to a scalar."""
    if lost:
        return Value(expression, reduce)
    # Unit axes only: one element, which must not bring its dims along.
    return Value(expression, index=f"[{', '.join('0' for _ in parent)}]" if parent else "")


def indexed(value: Value, targets: list[int | None]) -> Value:
    """Drop unit axes, reorder and insert new ones until what is kept stands at its targets.

    `targets` are those of the axes that are left when the value is reduced, None for unit axes.
    """
    order: tuple[int, ...] = ()
    kept = [target for target in targets if target is not None]
    if kept != sorted(kept):
        # Unit axes go first, out of the way; the rest in the child's order.
        order = tuple(
            sorted(range(len(targets)), key=lambda at: (targets[at] is not None, targets[at] or 0))
        )
        targets = [targets[at] for at in order]
        kept.sort()
    items: list[str] = []
    for target in targets:
        if target is None:
            items.append("0")
            continue
        following = next((other for other in kept if other > target), 0)
        items += [":", *["None"] * (following - target - 1)]
    while items and items[-1] == ":":
        items.pop()
    index = f"[{', '.join(items)}]" if items else ""
    return replace(value, order=order, index=index)


def match(axis: Axis, position: int, child: Shape) -> int | None:
    """The child's axis, counted from the right, that is this one; None if it has none."""
    if axis.unit:
        return None
    found = [at - len(child) for at, other in enumerate(child) if axis.same(other)]
    if axis.plate is not None:
        # A plate of the same name is the axis, whatever else has its size.
        named = [at for at in found if child[at].plate == axis.plate]
        found = named or found
    else:
        # So is an axis that is the very same size and no plate.
        bare = [at for at in found if child[at].plate is None]
        found = bare if len(bare) == 1 and len(found) > 1 else found
    if len(found) > 1:
        raise Unaligned(f"the child has {len(found)} axes that could be its axis {described(axis)}")
    return found[0] if found else None


def described(axis: Axis) -> str:
    if axis.plate is not None:
        return f"of plate {axis.plate.split(' ')[0]}"
    return f"of size {axis.size or '(not readable)'}"
