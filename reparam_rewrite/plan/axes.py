"""Axes by the names that the config gives them, over what the source says."""

from __future__ import annotations

from msgspec.structs import replace

from reparam_rewrite.config_values import AxesRule, Config
from reparam_rewrite.diagnostics import Diagnostic, Refusal
from reparam_rewrite.survey.values import Axis, Function, Shape, Site


def with_axes(function: Function, config: Config) -> Function:
    """The function with the axes of its sites called as the config says.

    Raises `Refusal` for a site that the function doesn't sample, and for another number of axes.
    """
    if not config.axes:
        return function
    problems = []
    sites = {site.index: site for site in function.sites}
    for name, rule in config.axes.items():
        found = function.find(name)
        if not found:
            message = f"'{function.name}' samples no site '{name}'"
            problems.append(diagnostic(config, rule, message))
        for site in found:
            if site.shape is None or len(site.shape) != len(rule.names):
                dims = "an unknown number of" if site.shape is None else str(len(site.shape))
                message = (
                    f"'{name}' has {dims} axes (line {site.place.line}), not {len(rule.names)}"
                )
                problems.append(diagnostic(config, rule, message))
                continue
            sites[site.index] = renamed(site, site.shape, rule.names)
    if problems:
        raise Refusal(problems)
    by_name: dict[str, list[Site]] = {}
    for site in sites.values():
        by_name.setdefault(site.name, []).append(site)
    return replace(function, sites=list(sites.values()), by_name=by_name)


def renamed(site: Site, shape: Shape, names: tuple[str, ...]) -> Site:
    """The identity of a named axis is as a plate's of that name."""
    axes = tuple(called(axis, name) for axis, name in zip(shape, names, strict=True))
    batch = axes[: len(site.batch)] if site.batch is not None else None
    return replace(site, shape=axes, batch=batch)


def called(axis: Axis, name: str) -> Axis:
    return axis if axis.unit else replace(axis, plate=repr(name))


def diagnostic(config: Config, rule: AxesRule, message: str) -> Diagnostic:
    return Diagnostic(
        rule.place,
        message,
        "name every axis of the site's value, from left to right.",
        config.source_line(rule.place),
    )
