"""In which basis is a child sampled, and can it be?"""

from __future__ import annotations

from collections.abc import Sequence

from reparam_rewrite.plan.children import Child
from reparam_rewrite.plan.context import stop
from reparam_rewrite.plan.values import Value
from reparam_rewrite.survey.families import FAMILIES
from reparam_rewrite.survey.values import UNIT, Axis, Shape, Site


def check_basis(child: Child) -> None:
    """A basis needs an axis of a site that lives on the whole real line.

    Raises `Stop` for ``sample("mu", Normal(0, 1))`` and ``sample("p", Dirichlet(ones(3)))``.
    """
    site, basis, code = child.site, child.basis, "no-axis-for-a-basis"
    if basis is None:
        return
    if site.prior.support.kind != "real":
        text = "'{site}' isn't known to be real-valued ({at}): it can't be sampled in the "
        hint = "take the basis out."
        raise stop(site, code, text + "{kind} basis", hint, basis.place, kind=basis.kind)
    for dim in basis.over_plates:
        wrong = over_plate(site, dim)
        if wrong:
            hint = "take the basis out, or name another axis."
            raise stop(site, code, wrong, hint, basis.place, dim=dim)


def over_plate(site: Site, dim: int) -> str:
    """Why a site can't be sampled in a basis over a plate; empty if it can."""
    if any(plate.subsampled for frame in site.all_frames for plate in frame.plates):
        return "'{site}' is in a subsampled plate ({at}), and a basis needs all its elements"
    shape = site.extent.batch if site.extent.batch is not None else site.extent.plates
    if site.prior.event is None or site.extent.plates is None or shape is None:
        return "the source doesn't tell whether '{site}' has an axis at dim {dim} ({at})"
    if axis_at(shape, dim + count_of_events(site)) in (None, UNIT):
        return "'{site}' has no axis at dim {dim} ({at}), and a basis needs one"
    return ""


def axis_at(shape: Shape, dim: int) -> Axis | None:
    return shape[dim] if len(shape) >= -dim else None


def needs_full_shape(child: Child, values: Sequence[Value]) -> bool:
    """Must the prior of a child have its whole shape before a basis mixes the elements?

    NumPyro draws a prior that is the same along a plate before that gives it its axis, where there
    is nothing to mix yet: draws from it would then be wrong, though its density is right. An axis
    that neither the prior nor the offset has at all does no harm.
    """
    site, batch, events = child.site, child.site.prior.batch, count_of_events(child.site)
    over_plates = child.basis.over_plates if child.basis is not None else frozenset()
    if any(batch is None or axis_at(batch, dim + events) == UNIT for dim in over_plates):
        return True
    moved = bool(values) or child.scale is not None
    keepdims = any(value.reduction is not None and value.reduction.keepdims for value in values)
    return bool(over_plates) and moved and (site.shape is None or len(site.shape) > 1 or keepdims)


def count_of_events(site: Site) -> int:
    """The event dims of a site; where they don't show, those that its whole family has."""
    if site.prior.event is not None:
        return len(site.prior.event)
    family = FAMILIES.get(site.prior.family or "")
    return (family.event_dim or 0) if family is not None else 0
