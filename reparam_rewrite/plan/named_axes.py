"""Axes by the names that the config gives them, over what the source says."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from reparam_rewrite.messages import Filler, OfSite, Place, Problem
from reparam_rewrite.survey.contexts import plate_shape
from reparam_rewrite.survey.families import FAMILIES
from reparam_rewrite.survey.functions import Function
from reparam_rewrite.survey.shapes import broadcast_open, opened
from reparam_rewrite.survey.values import Axis, Frame, Plate, Shape, Site, closed

#: By site, the names of its axes from left to right, and where the config says so.
Axes = Mapping[str, tuple[Place, tuple[str, ...]]]


def with_axes(function: Function, axes: Axes, problems: list[Problem]) -> Function:
    """The function with the axes of its sites called as the config says.

    Sites that it doesn't sample, and other numbers of axes, go to `problems`.
    """

    def wrong(name: str, place: Place, text: str, **parts: Filler) -> None:
        hint = "name every axis of the site's value, from left to right."
        problems.append(Problem("axes-of-a-site", OfSite(name), place, text, hint, parts))

    sites = {site.index: site for site in function.sites}
    for name, (place, names) in axes.items():
        found = function.find(name)
        if not found:
            wrong(name, place, "'{function}' samples no site '{site}'", function=function.name)
        for site in found:
            is_open = site.shape is None
            known = opened(site.extent.seen)[1:] if site.shape is None else site.shape
            if len(known) > len(names) or (len(known) < len(names) and not is_open):
                dims = f"{'at least ' if is_open else ''}{len(known)}"
                text = "'{site}' has {dims} axes ({at}), not {count}"
                wrong(name, place, text, dims=dims, at=site.place, count=len(names))
            else:
                sites[site.index] = claimed(site, names) if is_open else named(site, known, names)
    return replace(function, sites=list(sites.values()))


def named(site: Site, shape: Shape, names: tuple[str, ...]) -> Site:
    """The identity of a named axis is as a plate's of that name."""
    axes = tuple(called(axis, name) for axis, name in zip(shape, names, strict=True))
    batch = axes[: len(site.extent.batch)] if site.extent.batch is not None else None
    return replace(site, extent=replace(site.extent, shape=axes, batch=batch))


def claimed(site: Site, names: tuple[str, ...]) -> Site:
    """A site whose shape can't be read, with the axes that the config says it has.

    A plate around it by such a name tells the size. Where the dim of a plate can't be read, its
    place among the names tells it, and with that perhaps all of the shape.
    """
    event = site.prior.event
    frames = tuple(with_dims(frame, names, len(event or ())) for frame in site.frames)
    around = plate_shape(frames, site.name)
    seen = opened(site.extent.seen)[1:]
    if event is not None and site.extent.plates is None and around is not None:
        batch = broadcast_open(around, opened(site.prior.batch))
        shape, extent = (*batch, *event), replace(site.extent, plates=around)
        site = replace(site, frames=frames, extent=extent)
        if closed(shape) is not None and len(shape) == len(names):
            extent = replace(extent, shape=shape, batch=batch)
            return named(replace(site, extent=extent), shape, names)
        seen = shape[1:] if closed(shape) is None else shape
    plates = {plate.name: plate.axis for frame in site.frames for plate in frame.plates}
    padded = ((Axis(None),) * len(names) + seen)[len(seen) :]
    shape = tuple(
        called(plates.get(name, axis) if axis == Axis(None) else axis, name)
        for name, axis in zip(names, padded, strict=True)
    )
    batch = shape[: len(names) - count_of_events(site)]
    extent = replace(site.extent, shape=shape, batch=batch, seen=shape, claimed=True)
    return replace(site, extent=extent)


def with_dims(frame: Frame, names: tuple[str, ...], event: int) -> Frame:
    """A frame with plates where the config has their names, if only the run tells otherwise."""
    items = []
    for item in frame.items:
        if isinstance(item, Plate) and item.dim_text and item.name in names:
            dim = names.index(item.name) - len(names) + event
            item = replace(item, dim=dim) if dim < 0 else item
        items.append(item)
    return replace(frame, items=tuple(items))


def called(axis: Axis, name: str) -> Axis:
    return axis if axis.unit else replace(axis, plate=repr(name))


def count_of_events(site: Site) -> int:
    """The event dims of a site; where they don't show, those that its whole family has."""
    if site.prior.event is not None:
        return len(site.prior.event)
    family = FAMILIES.get(site.prior.family or "")
    return (family.event_dim or 0) if family is not None else 0
