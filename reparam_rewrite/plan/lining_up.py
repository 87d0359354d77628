"""How does a parent's value get the axes of its child, now or when the model runs?"""

from __future__ import annotations

from msgspec.structs import replace

from reparam_rewrite.plan.align import Unaligned, align, as_wide, from_right
from reparam_rewrite.plan.context import Context, Stop
from reparam_rewrite.plan.problems import Problem
from reparam_rewrite.plan.runtime import written
from reparam_rewrite.plan.sources import Source
from reparam_rewrite.plan.values import Value
from reparam_rewrite.survey.families import FAMILIES
from reparam_rewrite.survey.priors import RESHAPING
from reparam_rewrite.survey.shapes import broadcast
from reparam_rewrite.survey.values import Axis, Shape, Site


def known_shape(
    context: Context, site: Site, declare: int
) -> tuple[Shape | None, tuple[str, ...] | None]:
    """The child's axes, and its sizes as they can be written before `declare`; None: not known."""
    support = site.prior.support
    if support.reshapes:
        return unconstrained_shape(site), None
    if site.shape is None:
        return None, None
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


def value_of(source: Source, site: Site, child: Shape | None) -> Value:
    """The parent's value in the child's axes; what can't be told is left to run time."""
    expression, shape = source.expression, source.shape
    if source.pair.site is not None:
        expression = source.pair.site.variable or ""
    if source.pair.settings.coefficient == "matrix":
        return Value(expression, center=source.center)  # it is contracted as it is
    if child is None and shape != () and site.prior.support.constraint in RESHAPING:
        raise Stop(unaligned(source, "its unconstrained shape can't be read", expression))
    if source.pair.site is None:
        # An expression is taken as it is written: it is never reduced, and never widens.
        sure = fits(shape, child) and fits(source.center_shape, child)
        return Value(expression, center=source.center, guarded=not sure)
    if shape is None or (child is None and shape != ()):
        if source.pair.settings.reduce == "error":
            raise Stop(
                unaligned(source, 'its shape can\'t be read, and reduce is "error"', expression)
            )
        return replace(at_run_time(source, site, child), center=source.center)
    if child is None:
        value = Value(expression)
    else:
        try:
            value = align(expression, shape, child, source.pair.settings.reduce)
        except Unaligned as error:
            raise Stop(unaligned(source, str(error), expression)) from None
    guarded = value.guarded or not fits(source.center_shape, child)
    return replace(value, center=source.center, guarded=guarded)


def at_run_time(source: Source, site: Site, child: Shape | None) -> Value:
    """The parent's value where not all of the two shapes can be read; `child` is what is known.

    Axes that show, those of plates and events, are lined up; others are averaged if none does,
    else they make it fail. If no axis of the parent shows, it is broadcast as it is.
    """
    parent, reduce = source.pair.site, source.pair.settings.reduce
    assert parent is not None
    expression = parent.variable or ""
    if child == ():
        return Value(expression, reduce)
    axes = source.shape if source.shape is not None else visible_axes(parent)
    there = child if child is not None else visible_axes(site)
    if not axes or not there:
        return Value(expression, guarded=True)
    try:
        value = align(expression, axes, there, reduce)
    except Unaligned as error:
        raise Stop(unaligned(source, str(error), expression)) from None
    if value.reduce and not value.axes:
        return value
    if source.shape is None:
        value = from_right(value, len(axes))
    if source.shape is None and child is not None:
        value = as_wide(value, len(axes), len(child))
    return replace(value, guarded=True)


def visible_axes(site: Site) -> Shape | None:
    """The plates and event dims of a site whose shape can't be read; None if they don't show.

    Where no plate is, a batch dim may be.
    """
    if not site.told or site.plate_shape is None or site.prior.event is None:
        return None
    if site.prior.support.reshapes:
        return None
    axes = (*site.plate_shape, *site.prior.event)
    return tuple(Axis(None) if axis.unit else axis for axis in axes)


def unaligned(source: Source, reason: str, expression: str) -> Problem:
    pair = source.pair
    return Problem(
        pair.place,
        f"'{pair.parent}' can't be lined up with '{pair.child}': {reason}",
        f'say how: {pair.parent} = {{ value = "jnp.mean({expression})" }}, for example.',
    )


def fits(shape: Shape | None, child: Shape | None) -> bool:
    """Is broadcasting against the child sure not to widen it?"""
    if shape == ():
        return True
    if shape is None or child is None or len(shape) > len(child):
        return False
    return broadcast(shape, child) == child
