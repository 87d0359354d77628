"""How does a parent's value get the axes of its child, now or when the model runs?

An axis that the child has too is lined up with it; one that it lacks is reduced. Nothing that
comes out of here can widen the child: the result broadcasts into the child's shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import dropwhile

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.plan.asking_prior import written
from reparam_rewrite.plan.children import Stop
from reparam_rewrite.plan.context import Context
from reparam_rewrite.plan.seen import check_elements
from reparam_rewrite.plan.sources import Source
from reparam_rewrite.plan.values import (
    NOTHING,
    WHOLE,
    Check,
    Claim,
    Evidence,
    FrozenProjection,
    Part,
    Reduction,
    ShapeAmong,
    Sizes,
    Span,
    Value,
)
from reparam_rewrite.survey.families import FAMILIES
from reparam_rewrite.survey.priors import RESHAPING
from reparam_rewrite.survey.shapes import broadcast, opened
from reparam_rewrite.survey.values import REST, Axis, Shape, Site, closed


def known_shape(context: Context, site: Site, declare: int) -> tuple[Shape | None, Sizes]:
    """The child's axes, and its sizes as they can be written before `declare`; None: not known.

    The axes of a support of vectors or matrices are those in unconstrained space: the event dims of
    its family become one vector, of a length that only the prior knows; those that `to_event` added
    stay: ``Dirichlet(c).expand([n]).to_event(1)`` has ``(n, ?)``.
    """
    support, extent, event = site.prior.support, site.extent, site.prior.event or ()
    if support.reshapes and (support.constraint or not extent.claimed):
        family = FAMILIES.get(site.prior.family or "")
        if family is None or not support.constraint or extent.batch is None:
            return None, None
        # Where the event isn't known, as that of ``LKJCholesky(3)``, it can't have been added to.
        added = event[: max(0, len(event) - (family.event_dim or 0))]
        return (*extent.batch, *added, Axis(None)), None
    if site.shape is None or extent.claimed:
        return site.shape, None
    return site.shape, written(context, site.shape, declare)


def value_of(context: Context, source: Source, site: Site, child: Shape | None) -> Value:
    """The parent's value in the child's axes; what can't be told is left to run time.

    Raises `Stop` where they can't be lined up.
    """
    expression, shape, parent = source.expression, source.shape, source.pair.site
    if parent is not None:
        expression = parent.variable or ""
    if source.is_projected:
        return projected(source, site, expression, child)
    if source.pair.coefficient.kind.contracted:
        return Value(expression, center=source.center)  # it is contracted as it is
    both = shape is not None and child is not None
    if child is None and shape != () and site.prior.support.constraint in RESHAPING:
        raise unaligned(source, "its unconstrained shape can't be read", expression)
    if parent is None:
        # An expression is taken as it is written: it is never reduced, and never widens.
        sure = fits(shape, child) and fits(source.center_shape, child)
        return Value(expression, center=source.center, guarded=not sure, told=not sure and both)
    told = None if source.meeting is None else list(source.meeting.targets)
    if source.meeting is not None and source.meeting.index:
        line, index = source.meeting.line, source.meeting.index
        return Value(expression, None, (), index, source.center, True, evidence="prior", line=line)
    reduce = source.pair.reduce
    if (shape is None or (child is None and shape != ())) and reduce == "error":
        raise unaligned(source, 'its shape can\'t be read, and reduce is "error"', expression)
    seen = shape if shape is not None else opened(parent.extent.seen)
    there = child
    if there is None:  # what shows of it, in unconstrained space
        there = (REST,) if site.prior.support.reshapes else opened(site.extent.seen)
    try:
        if told is not None and len(told) != len(seen):
            told = None  # not all of it shows
        value = align(expression, seen, there, reduce, context.twice, told)
    except Unaligned as error:
        raise unaligned(source, str(error), expression) from None
    checks = (*claims_of(context, source, parent, site, value, seen), *value.checks)
    claimed = site.extent.claimed or parent.extent.claimed
    return replace(
        value,
        center=source.center,
        guarded=not fits(source.center_shape, child),
        checks=checks,
        told=bool(checks) and both and not claimed,
        evidence=evidence_of(source, value, seen, told=told is not None),
        line=source.meeting.line if source.meeting is not None and seen else 0,
    )


def evidence_of(source: Source, value: Value, seen: Shape, *, told: bool) -> Evidence:
    """By what a parent and its child were lined up."""
    if seen == ():
        return "number"
    if source.pair.has_named_axes:
        return "config"
    if told:
        return "sum"
    lost = value.reduction is not None and not value.reduction.axes
    return "nothing in common" if lost else "axes"


def projected(source: Source, site: Site, expression: str, child: Shape | None) -> Value:
    """What a child can make up for of a parent, as the config, the model or an .npz tells it.

    Raises `Stop` where the child's elements aren't those of unconstrained space.
    """
    pair = source.pair
    check_elements(pair, site, expression)
    if pair.weight is not None and pair.per is None and child != ():
        raise pair.stop(
            "weight-without-per",
            "'{child}' isn't known to be one number, so that 'weight' needs 'per'",
            'say which element each observation has: per = "county", for example.',
            pair.weight.place,
        )
    guarded = not fits(source.center_shape, child)
    value = Value(expression, center=source.center, guarded=guarded)
    if pair.per is not None and pair.is_frozen:
        return replace(value, projection=FrozenProjection(pair.per.text), evidence="frozen")
    assert source.meeting is not None and source.meeting.projected is not None
    evidence: Evidence = "config" if pair.value is not None else "sum"
    # A parent without a name gets one later.
    made, line = source.meeting.projected(expression or "_"), source.meeting.line
    return replace(value, projection=made, evidence=evidence, line=line)


def claims_of(
    context: Context, source: Source, parent: Site, site: Site, value: Value, seen: Shape
) -> Iterator[Check]:
    """What the config says of the axes of parent and child is checked, where the source doesn't."""
    if value.reduction is not None and not value.reduction.axes:
        return  # a scalar
    whole = any(isinstance(one, ShapeAmong) and one.part == WHOLE for one in value.checks)
    if parent.extent.claimed and not whole:
        yield Claim("parent", len(seen))
    if seen == ():
        return
    if site.extent.claimed and site.shape is not None:
        yield Claim("child", len(site.shape))
    frames = (*parent.frames, *site.frames)
    for plate in dict.fromkeys(plate for frame in frames for plate in frame.plates):
        if not plate.dim_text or plate.dim is None:
            continue
        if not context.function.timeline.holds(plate.dim_reads, site.statement):
            reason = f"the dim of plate '{plate.name}' can't be asked again there"
            raise unaligned(source, reason, source.expression or "...")
        yield Claim(plate.dim_text, plate.dim)


def unaligned(source: Source, reason: str, expression: str) -> Stop:
    """There is no telling, for a `reason`, how the `expression` meets the child's axes."""
    return source.pair.stop(
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
    return all(axis.size is not None for axis in shape) and broadcast(shape, child) == child


# -- which axes are one, and what becomes of the others -------------------------------------------


class Unaligned(Exception):
    """The axes can't be told apart; the message says which."""


class Meeting(Struct, frozen=True):
    """The axes of a parent and a child that show: `own` and `there`.

    Either may have more, left of these: those are the ones that are not `all_own` or `all_there`.
    `targets` has for each of the parent's the one of the child's that it is, counted from the
    right; `lost` are the positions of those that are none, and are reduced.
    """

    expression: str
    own: Shape
    there: Shape
    all_own: bool
    all_there: bool
    targets: list[int | None]
    lost: list[int]
    reduce: str

    @property
    def is_suffix(self) -> bool:
        """Are the parent's axes the last ones of the child?"""
        return self.targets == list(range(-len(self.own), 0))

    def reduced(self, axes: tuple[int, ...] = (), *, keepdims: bool = False) -> Value:
        """The value reduced over some axes, or all of them."""
        return Value(self.expression, Reduction(self.reduce, axes, keepdims))


def align(
    expression: str,
    parent: Shape,
    child: Shape,
    reduce: str,
    twice: frozenset[str] = frozenset(),
    told: list[int | None] | None = None,
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
    shape may be open to the left. `twice`: see `matched`. `told` are the targets of the parent's
    axes where they are known, whatever these are called.
    """
    all_own, all_there = closed(parent) is not None, closed(child) is not None
    own = parent if all_own else parent[1:]
    there = child if all_there else child[1:]
    targets = matched(own, there, twice) if told is None else told
    lost = [at for at, axis in enumerate(own) if targets[at] is None and not axis.unit]
    if lost and reduce == "error":
        raise Unaligned(f'the child has no axis {described(own[lost[0]])}, and reduce is "error"')
    meeting = Meeting(expression, own, there, all_own, all_there, targets, lost, reduce)
    if not all_own:
        same_rest = not all_there and parent[0] == child[0] and parent[0].size_key is not None
        return beside_rest(meeting, same_rest=same_rest)
    if not all_there and not there:
        # Nothing of the child shows.
        return Value(expression, checks=() if not own else (among(WHOLE),))
    if any(target is not None for target in targets):
        return replace(lined_up(meeting), checks=checks_of(meeting))
    # The child has none of its axes: a scalar. One element mustn't bring its dims along.
    return meeting.reduced() if lost else Value(expression, index=("0",) * len(own))


def checks_of(meeting: Meeting) -> tuple[Check, ...]:
    """One plate name may stand for two sizes; then the child's shape has the last word."""
    own, there, targets = meeting.own, meeting.there, meeting.targets
    unsure = [
        ShapeAmong(at, (target,))
        for at, target in enumerate(targets)
        if target is not None and not there[target].same_size(own[at])
    ]
    if unsure and meeting.is_suffix:
        return (among(WHOLE if len(targets) == len(there) else Span(-len(targets))),)
    if len(unsure) == len(own):
        return (among(tuple(target for target in targets if target is not None)),)
    return tuple(unsure)


def beside_rest(meeting: Meeting, *, same_rest: bool) -> Value:
    """The value of a parent that may have more axes than those that show, left of them.

    ``(..., k)`` in the axes of ``(..., m)`` is ``jnp.mean(w, axis=-1)[..., None]``: what doesn't
    show of the parent must be nothing when the model runs, or what doesn't show of the child. With
    `same_rest` it is known to be that.
    """
    targets, lost, shown = meeting.targets, meeting.lost, meeting.all_there
    dims, there = len(meeting.own), len(meeting.there)
    kept = [target for target in targets if target is not None]
    if shown and (not there or (lost and not kept)):
        return meeting.reduced()
    if not dims or not there:
        return Value(meeting.expression, checks=(among(NOTHING, WHOLE),))
    if meeting.is_suffix:
        part = WHOLE if shown and dims == there else Span(-dims)
        return Value(meeting.expression, checks=(among(part, *([] if shown else [WHOLE])),))
    if kept:
        value = lined_up(meeting)
        if value.order:
            raise Unaligned("its axes would have to be swapped, and it may have more than show")
        width = dims
        if value.index:
            width = -min(kept)
        elif not (value.reduction is not None and value.reduction.keepdims):
            width = dims - len(lost)
    else:
        value = Value(meeting.expression)
        if lost:
            value = meeting.reduced(tuple(at - dims for at in lost))
        index = ("...", *["0"] * (dims - len(lost)), *["None"] * there)
        value, width = replace(value, index=index), there
    sizes = tuple(ShapeAmong(at - dims, (t,)) for at, t in enumerate(targets) if t is not None)
    if same_rest:
        return replace(value, checks=sizes)
    left = () if shown else (Span(None, -width),)
    return replace(value, checks=(ShapeAmong(Span(None, -dims), (NOTHING, *left)), *sizes))


def among(*parts: Part) -> Check:
    """All of the parent's shape must be one of these parts of the child's."""
    return ShapeAmong(WHOLE, parts)


def lined_up(meeting: Meeting) -> Value:
    """Reduce the lost axes, in the way that needs the least indexing afterwards.

    Then drop unit axes, reorder and insert new ones until what is kept stands at its targets.
    """
    lost, dims, there = meeting.lost, len(meeting.own), len(meeting.there)
    # As one writes them: the trailing ones from the right, and others from the left.
    from_right = tuple(at - dims for at in lost)
    trailing = from_right == tuple(range(-len(lost), 0)) or not meeting.all_own
    value = Value(meeting.expression)
    if lost:
        value = meeting.reduced(from_right if trailing else tuple(lost))
    targets = [target for at, target in enumerate(meeting.targets) if at not in lost]
    if in_place(targets, there):
        return value
    if lost and in_place(meeting.targets, there):
        # What is reduced can stay as a dim of size 1, and everything else where it is.
        return meeting.reduced(from_right, keepdims=True)
    order: tuple[int, ...] = ()
    kept = [target for target in targets if target is not None]
    if kept != sorted(kept):
        # Unit axes go first, out of the way; the rest in the child's order.
        order = tuple(
            sorted(range(len(targets)), key=lambda at: (targets[at] is not None, targets[at] or 0))
        )
        targets = [targets[at] for at in order]
    items = items_at(targets)
    if not meeting.all_own:  # the ellipsis stands for what is left of the others, too
        return replace(value, order=order, index=("...", *dropwhile(":".__eq__, items)))
    while items[-1:] == [":"]:
        items.pop()
    return replace(value, order=order, index=tuple(items))


def in_place(targets: list[int | None], dims: int) -> bool:
    """Do the axes line up with the child's as they are? None stands for a dim of size 1."""
    return len(targets) <= dims and all(
        target in (None, at - len(targets)) for at, target in enumerate(targets)
    )


def items_at(targets: list[int | None]) -> list[str]:
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


def matched(parent: Shape, child: Shape, twice: frozenset[str]) -> list[int | None]:
    """For each axis of the parent the child's that is the same, counted from the right.

    First by the plates' names and the sizes of axes that are no plates. Then two plates of
    different names are one axis if they have one size expression, as NumPyro wants one name at one
    dim; unless there is another axis on either side that it could be, or the size is one of
    `twice`: those that some site has two axes of, so that they don't tell which. Nor are they if
    both sites are in one plate each at the same dim, which then needed no second name.
    """
    targets = [match(axis, child) for axis in parent]
    kept = [target for target in targets if target is not None]
    if len(set(kept)) != len(kept):
        raise Unaligned("two of its axes would be the same axis of the child")
    alone = all(sum(axis.plate is not None for axis in shape) == 1 for shape in (parent, child))
    for position, axis in enumerate(parent):
        key = axis.size_key
        if targets[position] is not None or key is None or key in twice:
            continue
        here = [other for other in parent if other.size_key == key]
        there = [at for at in range(-len(child), 0) if child[at].size_key == key]
        if len(here) == len(there) == 1 and there[0] not in kept:
            beside = alone and axis.dim == child[there[0]].dim
            targets[position] = None if beside else there[0]
    return targets


def match(axis: Axis, child: Shape) -> int | None:
    """The child's axis, counted from the right, that is this one; None if it has none."""
    if axis.unit:
        return None
    found = [at for at in range(-len(child), 0) if axis.same(child[at])]
    alike = [at for at in found if child[at].plate == axis.plate]
    # A plate of the same name is the axis, whatever else has its size; so is an axis that is the
    # very same size and no plate.
    if alike and (axis.plate is not None or len(alike) == 1):
        found = alike
    if len(found) > 1:
        raise Unaligned(f"the child has {len(found)} axes that could be its axis {described(axis)}")
    return found[0] if found else None


def described(axis: Axis) -> str:
    """An axis in the words of a message: by its plate, else by its size."""
    if axis.plate is not None:
        return f"of plate {axis.plate.split(' ')[0]}"
    return f"of size {axis.size or '(not readable)'}"
