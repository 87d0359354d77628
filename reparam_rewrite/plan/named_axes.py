"""Axes by the names that the config gives them, over what the source says."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from reparam_rewrite.messages import Filler, OfSite, Place, Problem
from reparam_rewrite.survey.families import FAMILIES
from reparam_rewrite.survey.functions import Function
from reparam_rewrite.survey.plates import plate_shape
from reparam_rewrite.survey.shapes import broadcast_open, opened
from reparam_rewrite.survey.values import Axis, Handler, Plate, Shape, Site, closed

Parts = Mapping[str, Filler]

#: By site, the names of its axes from left to right, and where the config says so.
Axes = Mapping[str, tuple[Place, tuple[str, ...]]]


def with_axes(function: Function, axes: Axes) -> tuple[Function, list[Problem]]:
    """The function with the axes of its sites called as the config says.

    The problems are sites that the function doesn't sample, and other numbers of axes.
    """
    problems = []
    sites = {site.index: site for site in function.sites}
    for name, (place, names) in axes.items():
        found = function.find(name)
        if not found:
            text = "'{function}' samples no site '{site}'"
            problems.append(problem(place, name, text, {"function": function.name}))
        for site in found:
            known = site.shape if site.shape is not None else opened(site.extent.seen)[1:]
            open_left = site.shape is None
            if len(known) > len(names) or (len(known) < len(names) and not open_left):
                dims = f"{'at least ' if open_left else ''}{len(known)}"
                text = "'{site}' has {dims} axes ({at}), not {count}"
                parts: Parts = {"dims": dims, "at": site.place, "count": len(names)}
                problems.append(problem(place, name, text, parts))
            elif open_left:
                sites[site.index] = claimed(site, names)
            else:
                sites[site.index] = renamed(site, known, names)
    by_name: dict[str, list[Site]] = {}
    for site in sites.values():
        by_name.setdefault(site.name, []).append(site)
    return replace(function, sites=list(sites.values()), by_name=by_name), problems


def renamed(site: Site, shape: Shape, names: tuple[str, ...]) -> Site:
    """The identity of a named axis is as a plate's of that name."""
    axes = tuple(called(axis, name) for axis, name in zip(shape, names, strict=True))
    batch = axes[: len(site.extent.batch)] if site.extent.batch is not None else None
    return replace(site, extent=replace(site.extent, shape=axes, batch=batch))


def claimed(site: Site, names: tuple[str, ...]) -> Site:
    """A site whose shape can't be read, with the axes that the config says it has.

    A plate around it by such a name tells the size. Where the dim of a plate can't be read, its
    place among the names tells it, and with that perhaps all of the shape.
    """
    plates = {plate.name: plate for frame in site.frames for plate in frame.plates}
    event = 0 if site.prior.event is None else len(site.prior.event)
    frames = tuple(
        replace(frame, items=tuple(at_dim(item, names, event) for item in frame.items))
        for frame in site.frames
    )
    around = plate_shape(frames, site.name)
    seen = opened(site.extent.seen)[1:]
    if site.prior.event is not None and site.extent.plates is None and around is not None:
        site = replace(site, frames=frames, extent=replace(site.extent, plates=around))
        batch = broadcast_open(around, opened(site.prior.batch))
        shape = (*batch, *(site.prior.event or ()))
        if closed(shape) is not None and len(shape) == len(names):
            extent = replace(site.extent, shape=shape, batch=batch)
            return renamed(replace(site, extent=extent), shape, names)
        seen = shape[1:] if closed(shape) is None else shape
    axes = []
    for back in range(len(names), 0, -1):
        name = names[-back]
        axis = seen[-back] if back <= len(seen) else Axis(None)
        if axis == Axis(None) and name in plates:
            axis = plates[name].axis
        axes.append(called(axis, name))
    dims = event if site.prior.event is not None else events_of(site)
    batch = tuple(axes[: len(axes) - dims])
    shape = tuple(axes)
    extent = replace(site.extent, shape=shape, batch=batch, seen=shape, claimed=True)
    return replace(site, extent=extent)


def events_of(site: Site) -> int:
    family = FAMILIES.get(site.prior.family or "")
    return (family.event_dim or 0) if family is not None else 0


def at_dim(item: Plate | Handler, names: tuple[str, ...], event: int) -> Plate | Handler:
    """A plate at the dim where the config has its name, if only the run tells it otherwise."""
    if not isinstance(item, Plate) or not item.dim_text or item.name not in names:
        return item
    dim = names.index(item.name) - len(names) + event
    return replace(item, dim=dim) if dim < 0 else item


def called(axis: Axis, name: str) -> Axis:
    return axis if axis.unit else replace(axis, plate=repr(name))


def problem(place: Place, site: str, text: str, parts: Parts) -> Problem:
    return Problem(
        "axes-of-a-site",
        OfSite(site),
        place,
        text,
        "name every axis of the site's value, from left to right.",
        parts,
    )
