"""How does a parent's value get the axes of its child, now or when the model runs?"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from reparam_rewrite.messages import Problem
from reparam_rewrite.plan.align import Unaligned, align
from reparam_rewrite.plan.context import Context, Stop
from reparam_rewrite.plan.runtime import written
from reparam_rewrite.plan.sources import Source
from reparam_rewrite.plan.values import (
    WHOLE,
    Check,
    ChildHas,
    ParentHas,
    PlateAt,
    ShapeAmong,
    ShapeOrdered,
    Value,
)
from reparam_rewrite.survey.families import FAMILIES
from reparam_rewrite.survey.priors import RESHAPING
from reparam_rewrite.survey.shapes import broadcast, opened
from reparam_rewrite.survey.values import REST, Axis, Shape, Site


def known_shape(
    context: Context, site: Site, declare: int
) -> tuple[Shape | None, tuple[str, ...] | None]:
    """The child's axes, and its sizes as they can be written before `declare`; None: not known."""
    support = site.prior.support
    if support.reshapes and (support.constraint or not site.claimed):
        return unconstrained_shape(site), None
    if site.shape is None or site.claimed:
        return site.shape, None
    return site.shape, written(context, site.shape, declare)


def unconstrained_shape(site: Site) -> Shape | None:
    """The axes of a child whose support is of vectors or matrices, in unconstrained space.

    The event dims of its family become one vector, of a length that only the prior knows; those
    that `to_event` added stay: ``Dirichlet(c).expand([n]).to_event(1)`` has ``(n, ?)``.
    """
    family, event = FAMILIES.get(site.prior.family or ""), site.prior.event or ()
    if family is None or not site.prior.support.constraint or site.batch is None:
        return None
    # Where the event isn't known, as that of ``LKJCholesky(3)``, it can't have been added to.
    added = event[: max(0, len(event) - (family.event_dim or 0))]
    return (*site.batch, *added, Axis(None))


def value_of(context: Context, source: Source, site: Site, child: Shape | None) -> Value:
    """The parent's value in the child's axes; what can't be told is left to run time."""
    expression, shape = source.expression, source.shape
    if source.pair.site is not None:
        expression = source.pair.site.variable or ""
    if source.pair.coefficient.structure == "matrix":
        return Value(expression, center=source.center)  # it is contracted as it is
    if child is None and shape != () and site.prior.support.constraint in RESHAPING:
        raise Stop(unaligned(source, "its unconstrained shape can't be read", expression))
    if source.pair.site is None:
        # An expression is taken as it is written: it is never reduced, and never widens.
        sure = fits(shape, child) and fits(source.center_shape, child)
        told = not sure and shape is not None and child is not None
        return Value(expression, center=source.center, guarded=not sure, told=told)
    parent = source.pair.site
    reduce = source.pair.reduce
    if (shape is None or (child is None and shape != ())) and reduce == "error":
        raise Stop(unaligned(source, 'its shape can\'t be read, and reduce is "error"', expression))
    seen = shape if shape is not None else opened(parent.seen)
    there = child if child is not None else seen_of_child(site)
    try:
        value = align(expression, seen, there, reduce, context.twice)
    except Unaligned as error:
        raise Stop(unaligned(source, str(error), expression)) from None
    checks = (*of_claims(context, source, site, value, seen), *value.checks)
    guarded = not fits(source.center_shape, child)
    claimed = site.claimed or (parent is not None and parent.claimed)
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
    if parent is not None and parent.claimed and not whole:
        yield ParentHas(len(seen))
    if seen == ():
        return
    if site.claimed and site.shape is not None:
        yield ChildHas(len(site.shape))
    frames = site.frames if parent is None else (*parent.frames, *site.frames)
    for plate in dict.fromkeys(plate for frame in frames for plate in frame.plates):
        if not plate.dim_text or plate.dim is None:
            continue
        if not context.function.timeline.holds(plate.dim_reads, site.statement):
            reason = f"the dim of plate '{plate.name}' can't be asked again there"
            raise Stop(unaligned(source, reason, source.expression or "..."))
        yield PlateAt(plate.dim, plate.dim_text)


def is_of_all(check: Check) -> bool:
    """Does a check tell how many axes the parent has?"""
    match check:
        case ShapeAmong(part):
            return part == WHOLE
    return isinstance(check, ShapeOrdered)


def seen_of_child(site: Site) -> Shape:
    """What shows of the shape of a child that can't be read, in unconstrained space."""
    return (REST,) if site.prior.support.reshapes else opened(site.seen)


def unaligned(source: Source, reason: str, expression: str) -> Problem:
    return Problem(
        "not-lined-up",
        source.pair.about,
        source.pair.place,
        "'{parent}' can't be lined up with '{child}': {reason}",
        'say how: {parent} = {{ value = "jnp.mean({expression})" }}, for example.',
        {"reason": reason, "expression": expression},
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
