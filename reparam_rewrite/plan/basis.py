"""In which basis is a child sampled, and can it be?"""

from __future__ import annotations

from collections.abc import Sequence

from reparam_rewrite.messages import Filler
from reparam_rewrite.plan.children import (
    Child,
)
from reparam_rewrite.plan.context import stop
from reparam_rewrite.plan.values import (
    Value,
)
from reparam_rewrite.survey.families import FAMILIES
from reparam_rewrite.survey.values import UNIT, Axis, Shape, Site


def check_basis(site: Site, child: Child) -> None:
    """A basis needs an axis of a site that lives on the whole real line.

    Raises `Stop` for ``sample("mu", Normal(0, 1))`` and ``sample("p", Dirichlet(ones(3)))``.
    """
    rule = child.basis
    if rule is None:
        return
    message, hint, dim = None, "take the basis out, or name another axis.", 0
    if site.prior.support.kind != "real":
        message = "'{site}' isn't known to be real-valued ({at}): it can't be sampled in the "
        message, hint = message + "{kind} basis", "take the basis out."
    else:
        for dim in rule.over_plates:
            message = over_plate(site, dim)
            if message is not None:
                break
    if message is not None:
        parts: dict[str, Filler] = {"at": site.place, "kind": rule.kind, "dim": dim}
        raise stop(site, "no-axis-for-a-basis", message, hint, rule.place, **parts)


def count_of_events(site: Site) -> int:
    event = site.prior.event
    return len(event) if event is not None else event_dims(site.prior.family)


def over_plate(site: Site, dim: int) -> str | None:
    """Why a site can't be sampled in a basis over a plate; None if it can."""
    if any(plate.subsampled for frame in site.all_frames for plate in frame.plates):
        return "'{site}' is in a subsampled plate ({at}), and a basis needs all its elements"
    shape = site.extent.batch if site.extent.batch is not None else site.extent.plates
    if site.prior.event is None or site.extent.plates is None or shape is None:
        return "the source doesn't tell whether '{site}' has an axis at dim {dim} ({at})"
    if axis_at(shape, dim + count_of_events(site)) in (None, UNIT):
        return "'{site}' has no axis at dim {dim} ({at}), and a basis needs one"
    return None


def axis_at(shape: Shape, dim: int) -> Axis | None:
    return shape[dim] if len(shape) >= -dim else None


def needs_full_shape(site: Site, child: Child, values: Sequence[Value]) -> bool:
    """Must the prior of a child have its whole shape before a basis mixes the elements?

    NumPyro draws a prior that is the same along a plate before that gives it its axis, where there
    is nothing to mix yet: draws from it would then be wrong, though its density is right. An axis
    that neither the prior nor the offset has at all does no harm.
    """
    if child.basis is None:
        return False
    events, batch = count_of_events(site), site.prior.batch
    for dim in child.basis.over_plates:
        if batch is None or axis_at(batch, dim + events) == UNIT:
            return True
    moved = bool(values) or child.scale is not None
    several = (
        site.shape is None or len(site.shape) > 1 or any(keeps_dims(value) for value in values)
    )
    return bool(child.basis.over_plates) and moved and several


def keeps_dims(value: Value) -> bool:
    return value.reduction is not None and value.reduction.keepdims


def event_dims(family: str | None) -> int:
    """The event dims that every distribution of a family has."""
    return (FAMILIES[family].event_dim or 0) if family in FAMILIES else 0
