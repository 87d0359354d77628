"""How does a parent's value get the axes of its child, now or when the model runs?

An axis that the child has too is lined up with it; one that it lacks is reduced. Nothing that
comes out of here can widen the child: the result broadcasts into the child's shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from reparam_rewrite.plan.asking_prior import written
from reparam_rewrite.plan.context import Context, Stop, stop
from reparam_rewrite.plan.sources import Source
from reparam_rewrite.plan.values import (
    NOTHING,
    WHOLE,
    Check,
    ChildHas,
    ParentHas,
    Part,
    PlateAt,
    Reduction,
    ShapeAmong,
    ShapeOrdered,
    Span,
    Value,
)
from reparam_rewrite.survey.families import FAMILIES
from reparam_rewrite.survey.priors import RESHAPING
from reparam_rewrite.survey.shapes import broadcast, opened
from reparam_rewrite.survey.values import REST, Axis, Shape, Site, closed


def known_shape(
    context: Context, site: Site, declare: int
) -> tuple[Shape | None, tuple[str, ...] | None]:
    """The child's axes, and its sizes as they can be written before `declare`; None: not known."""
    support = site.prior.support
    if support.reshapes and (support.constraint or not site.extent.claimed):
        return unconstrained_shape(site), None
    if site.shape is None or site.extent.claimed:
        return site.shape, None
    return site.shape, written(context, site.shape, declare)


def unconstrained_shape(site: Site) -> Shape | None:
    """The axes of a child whose support is of vectors or matrices, in unconstrained space.

    The event dims of its family become one vector, of a length that only the prior knows; those
    that `to_event` added stay: ``Dirichlet(c).expand([n]).to_event(1)`` has ``(n, ?)``.
    """
    family, event = FAMILIES.get(site.prior.family or ""), site.prior.event or ()
    if family is None or not site.prior.support.constraint or site.extent.batch is None:
        return None
    # Where the event isn't known, as that of ``LKJCholesky(3)``, it can't have been added to.
    added = event[: max(0, len(event) - (family.event_dim or 0))]
    return (*site.extent.batch, *added, Axis(None))


def value_of(context: Context, source: Source, site: Site, child: Shape | None) -> Value:
    """The parent's value in the child's axes; what can't be told is left to run time."""
    expression, shape = source.expression, source.shape
    if source.pair.site is not None:
        expression = source.pair.site.variable or ""
    if source.pair.coefficient.structure == "matrix":
        return Value(expression, center=source.center)  # it is contracted as it is
    if child is None and shape != () and site.prior.support.constraint in RESHAPING:
        raise unaligned(source, "its unconstrained shape can't be read", expression)
    if source.pair.site is None:
        # An expression is taken as it is written: it is never reduced, and never widens.
        sure = fits(shape, child) and fits(source.center_shape, child)
        told = not sure and shape is not None and child is not None
        return Value(expression, center=source.center, guarded=not sure, told=told)
    parent = source.pair.site
    reduce = source.pair.reduce
    if (shape is None or (child is None and shape != ())) and reduce == "error":
        raise unaligned(source, 'its shape can\'t be read, and reduce is "error"', expression)
    seen = shape if shape is not None else opened(parent.extent.seen)
    there = child if child is not None else seen_of_child(site)
    try:
        value = align(expression, seen, there, reduce, context.twice)
    except Unaligned as error:
        raise unaligned(source, str(error), expression) from None
    checks = (*of_claims(context, source, site, value, seen), *value.checks)
    guarded = not fits(source.center_shape, child)
    claimed = site.extent.claimed or (parent is not None and parent.extent.claimed)
    told = bool(checks) and shape is not None and child is not None and not claimed
    return replace(value, center=source.center, guarded=guarded, checks=checks, told=told)


def of_claims(
    context: Context, source: Source, site: Site, value: Value, seen: Shape
) -> Iterator[Check]:
    """What the config says of the axes of parent and child is checked, where the source doesn't."""
    parent = source.pair.site
    if value.reduction is not None and not value.reduction.axes:
        return  # a scalar
    whole = any(is_of_all(check) for check in value.checks)
    if parent is not None and parent.extent.claimed and not whole:
        yield ParentHas(len(seen))
    if seen == ():
        return
    if site.extent.claimed and site.shape is not None:
        yield ChildHas(len(site.shape))
    frames = site.frames if parent is None else (*parent.frames, *site.frames)
    for plate in dict.fromkeys(plate for frame in frames for plate in frame.plates):
        if not plate.dim_text or plate.dim is None:
            continue
        if not context.function.timeline.holds(plate.dim_reads, site.statement):
            reason = f"the dim of plate '{plate.name}' can't be asked again there"
            raise unaligned(source, reason, source.expression or "...")
        yield PlateAt(plate.dim, plate.dim_text)


def is_of_all(check: Check) -> bool:
    """Does a check tell how many axes the parent has?"""
    match check:
        case ShapeAmong(part):
            return part == WHOLE
    return isinstance(check, ShapeOrdered)


def seen_of_child(site: Site) -> Shape:
    """What shows of the shape of a child that can't be read, in unconstrained space."""
    return (REST,) if site.prior.support.reshapes else opened(site.extent.seen)


def unaligned(source: Source, reason: str, expression: str) -> Stop:
    return stop(
        source.pair,
        "not-lined-up",
        "'{parent}' can't be lined up with '{child}': {reason}",
        'say how: {parent} = {{ value = "jnp.mean({expression})" }}, for example.',
        reason=reason,
        expression=expression,
    )


def fits(shape: Shape | None, child: Shape | None) -> bool:
    """Is broadcasting against the child sure not to widen it?"""
    if shape == ():
        return True
    if shape is None or child is None or len(shape) > len(child):
        return False
    if any(axis.size is None for axis in shape):
        return False
    return broadcast(shape, child) == child


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
    """An axis in the words of a message: by its plate, else by its size."""
    if axis.plate is not None:
        return f"of plate {axis.plate.split(' ')[0]}"
    return f"of size {axis.size or '(not readable)'}"
