"""How does a parent's value get the axes of its child?

An axis that the child has too is lined up with it; one that it lacks is reduced. Nothing that
comes out of here can widen the child: the result broadcasts into the child's shape.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from reparam_rewrite.plan.values import (
    NOTHING,
    WHOLE,
    Check,
    Part,
    Reduction,
    ShapeAmong,
    ShapeOrdered,
    Span,
    Value,
)
from reparam_rewrite.survey.values import Axis, Shape, closed


class Unaligned(Exception):
    """The axes can't be told apart; the message says which."""


def align(
    expression: str,
    parent: Shape,
    child: Shape,
    reduce: str,
    twice: frozenset[str] = frozenset(),
) -> Value:
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
    have to be reduced, or if it isn't sure which axis of the child a parent's axis is. Either
    shape may be open to the left. `twice`: see `matched`.
    """
    own, there = known(parent), known(child)
    targets = matched(own, there, twice)
    lost = [
        position
        for position, (axis, target) in enumerate(zip(own, targets, strict=True))
        if target is None and not axis.unit
    ]
    if lost and reduce == "error":
        raise Unaligned(f'the child has no axis {described(own[lost[0]])}, and reduce is "error"')
    if closed(parent) is None:
        return beside_rest(expression, parent, child, targets, lost, reduce)
    if closed(child) is None and not there:
        # Nothing of the child shows.
        return Value(expression, checks=() if not own else (among(WHOLE),))
    if all(target is None for target in targets):
        return to_scalar(expression, own, lost, reduce)
    value = lined_up(expression, own, there, targets, lost, reduce)
    return replace(value, checks=checks_of(own, there, targets))


def known(shape: Shape) -> Shape:
    """The axes that show."""
    return shape if closed(shape) is not None else shape[1:]


def checks_of(own: Shape, there: Shape, targets: list[int | None]) -> tuple[Check, ...]:
    """One plate name may stand for two sizes; then the child's shape has the last word."""
    unsure = [
        (position, target)
        for position, target in enumerate(targets)
        if target is not None and not there[target].same_size(own[position])
    ]
    if unsure and targets == list(range(-len(targets), 0)):
        return (among(WHOLE if len(targets) == len(there) else Span(-len(targets))),)
    order = tuple(target for target in targets if target is not None)
    if len(unsure) == len(own):
        return (ShapeOrdered(order),)
    return tuple(ShapeAmong(position, (target,)) for position, target in unsure)


def beside_rest(
    expression: str,
    parent: Shape,
    child: Shape,
    targets: list[int | None],
    lost: list[int],
    reduce: str,
) -> Value:
    """The value of a parent that may have more axes than those that show, left of them.

    ``(..., k)`` in the axes of ``(..., m)`` is ``jnp.mean(w, axis=-1)[..., None]``: what doesn't
    show of the parent must be nothing when the model runs, or what doesn't show of the child.
    """
    own, there = known(parent), known(child)
    kept = [target for target in targets if target is not None]
    dims, shown = len(own), closed(child) is not None
    if not there and shown:
        return Value(expression, Reduction(reduce))  # a scalar
    if not own or not there:
        return Value(expression, checks=(among(NOTHING, WHOLE),))
    if not kept and lost and shown:
        return Value(expression, Reduction(reduce))
    if kept and targets == list(range(-dims, 0)):
        part = WHOLE if dims == len(child) and shown else Span(-dims)
        return Value(expression, checks=(among(part, *([] if shown else [WHOLE])),))
    if not kept:
        reduction = Reduction(reduce, tuple(at - dims for at in lost)) if lost else None
        index = ("...", *["0"] * (dims - len(lost)), *["None"] * len(there))
        value = Value(expression, reduction, index=index)
        width = len(there)
    else:
        value = from_right(lined_up(expression, own, there, targets, lost, reduce), dims)
        if value.order:
            raise Unaligned("its axes would have to be swapped, and it may have more than show")
        keepdims = value.reduction is not None and value.reduction.keepdims
        width = dims if keepdims else -min(kept)
        if value.index:
            items = items_at([t for at, t in enumerate(targets) if at not in lost])
            while items[:1] == [":"]:
                items.pop(0)  # the ellipsis stands for it too
            value = replace(value, index=("...", *items))
        elif not keepdims:
            width = dims - len(lost)
    sizes = tuple(ShapeAmong(at - dims, (t,)) for at, t in enumerate(targets) if t is not None)
    if not shown and parent[0] == child[0] and parent[0].size_key is not None:
        return replace(value, checks=sizes)
    left = () if shown else (Span(None, -width),)
    rest = ShapeAmong(Span(None, -dims), (NOTHING, *left))
    return replace(value, checks=(rest, *sizes))


def among(*parts: Part) -> Check:
    """All of the parent's shape must be one of these parts of the child's."""
    return ShapeAmong(WHOLE, parts)


def items_at(targets: Sequence[int | None]) -> list[str]:
    """The items of an index that puts axes in the child's order at their targets."""
    kept = [target for target in targets if target is not None]
    items: list[str] = []
    for target in targets:
        if target is None:
            items.append("0")
            continue
        following = next((other for other in kept if other > target), 0)
        items += [":", *["None"] * (following - target - 1)]
    return items


def from_right(value: Value, dims: int) -> Value:
    """Axes counted from the right, for a parent that may have more than `dims` of them."""
    if value.reduction is None:
        return value
    axes = tuple(axis if axis < 0 else axis - dims for axis in value.reduction.axes)
    return replace(value, reduction=replace(value.reduction, axes=axes))


def lined_up(
    expression: str,
    parent: Shape,
    child: Shape,
    targets: list[int | None],
    lost: list[int],
    reduce: str,
) -> Value:
    """Reduce the lost axes, in the way that needs the least indexing afterwards."""
    axes = counted(lost, len(parent))
    reduced = Value(expression, Reduction(reduce, axes) if lost else None)
    left = [target for position, target in enumerate(targets) if position not in lost]
    if in_place(left, child):
        return reduced
    if lost and in_place(targets, child):
        # What is reduced can stay as a dim of size 1, and everything else where it is.
        axes = tuple(position - len(parent) for position in lost)
        return Value(expression, Reduction(reduce, axes, keepdims=True))
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
        return Value(expression, Reduction(reduce))
    # Unit axes only: one element, which must not bring its dims along.
    return Value(expression, index=("0",) * len(parent))


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
    items = items_at(targets)
    while items[-1:] == [":"]:
        items.pop()
    return replace(value, order=order, index=tuple(items))


def matched(parent: Shape, child: Shape, twice: frozenset[str]) -> list[int | None]:
    """For each axis of the parent the child's that is the same, counted from the right.

    First by the plates' names and the sizes of axes that are no plates. Then two plates of
    different names are one axis if they have one size expression, as NumPyro wants one name at one
    dim; unless there is another axis on either side that it could be, or the size is one of
    `twice`: those that some site has two axes of, so that they don't tell which. Nor are they if
    both sites are in one plate each at the same dim, which then needed no second name.
    """
    targets = [match(axis, position - len(parent), child) for position, axis in enumerate(parent)]
    kept = [target for target in targets if target is not None]
    if len(set(kept)) != len(kept):
        raise Unaligned("two of its axes would be the same axis of the child")
    for position, axis in enumerate(parent):
        key = axis.size_key
        if targets[position] is not None or key is None or key in twice:
            continue
        here = [at for at, other in enumerate(parent) if other.size_key == key]
        there = [at - len(child) for at, other in enumerate(child) if other.size_key == key]
        if len(here) == 1 and len(there) == 1 and there[0] not in kept:
            if axis.dim == child[there[0]].dim and is_alone(parent) and is_alone(child):
                continue
            targets[position] = there[0]
    return targets


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


def is_alone(shape: Shape) -> bool:
    """Has it just one axis of a plate?"""
    return sum(axis.plate is not None for axis in shape) == 1


def described(axis: Axis) -> str:
    if axis.plate is not None:
        return f"of plate {axis.plate.split(' ')[0]}"
    return f"of size {axis.size or '(not readable)'}"
