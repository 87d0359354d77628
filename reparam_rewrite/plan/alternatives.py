"""Which sites are one, sampled in several branches of which one runs?

::

    if wide:
        a = numpyro.sample("a", dist.Normal(0, 10))
    else:
        a = numpyro.sample("a", dist.Normal(0, 1))
"""

from __future__ import annotations

import ast
from itertools import combinations

from reparam_rewrite.survey.calls import DECIDING
from reparam_rewrite.survey.functions import Function
from reparam_rewrite.survey.values import Shape, Site


def is_before(path: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Is everything in `other` reached only through `path`?"""
    return other[: len(path)] == path


def exclusive(one: Site, other: Site) -> bool:
    """Do the two stand in different branches of one ``if`` or ``match``?"""
    branches = [[f for f in site.all_frames if f.block is not None] for site in (one, other)]
    for first, second in zip(*branches, strict=False):
        if first.block != second.block:
            same = first.statement == second.statement and first.kind == second.kind
            return same and first.kind in ("if", "match")
    return False


def are_alternatives(sites: list[Site]) -> bool:
    """Is at most one of them sampled, whatever happens?"""
    called = [site.statement for site in sites if site.through]
    if any(site.scan is not None for site in sites) or len({*called}) < len(called):
        return False  # one handler is around all that a helper does
    return all(exclusive(one, other) for one, other in combinations(sites, 2))


def is_bound(function: Function, parent: Site, child: Site) -> bool:
    """Does the parent's variable surely stand for it where `child` is sampled?

    It may have been sampled in a branch that is only taken if this one is, or the child's own
    prior reads it.
    """
    name = parent.variable
    binding = function.timeline.before(name, child.statement) if name is not None else None
    if name is None or binding is None or name in function.unstable:
        return False
    if binding.certain:
        return binding.site == parent.index
    only = binding.sites == (parent.index,) and not binding.else_value
    return only and is_read(child, name, binding.version)


def is_read(site: Site, name: str, version: int) -> bool:
    """Does the prior of a site surely read a name, so that it is bound there?"""
    call = site.call
    reads = any(read.name == name and read.version == version for read in call.prior_reads)
    if call.prior is None or site.through or not reads:
        return False
    prior = ast.parse(f"({call.prior.text})", mode="eval")
    return not any(type(part) in DECIDING for part in ast.walk(prior))


def nearest(function: Function, sites: list[Site], child: Site) -> Site | None:
    """The one of alternatives that is sampled on the way to `child`."""
    found = [s for s in sites if is_before(s.path, child.path) or is_bound(function, s, child)]
    return found[0] if len(found) == 1 else None


def shared_variable(function: Function, sites: list[Site], child: Site) -> str | None:
    """The variable that is one of the alternatives where `child` is sampled, whichever ran.

    Or, where there is one site only, what stands for it in the other branches.
    """

    def alike(one: Shape, other: Shape) -> bool:
        """Have they the same axes in the same places, for all that is known?"""
        return len(one) == len(other) and all(
            axis.same(across) or (axis.plate is across.plate is None and axis.same_size(across))
            for axis, across in zip(one, other, strict=True)
        )

    (variable, *others) = {site.variable for site in sites}
    if others or variable is None or any(site.order >= child.order for site in sites):
        return None
    if any(site.prior.support.kind == "discrete" for site in sites):
        return None
    if any(plate.subsampled for s in sites for frame in s.frames for plate in frame.plates):
        return None
    shapes = [site.shape for site in sites if site.shape is not None]
    if not all(alike(one, other) for one, other in combinations(shapes, 2)):
        return None
    binding = function.timeline.before(variable, child.statement)
    if binding is None or not binding.certain:
        return None
    own = {*binding.sites} == {site.index for site in sites}
    return variable if own and (len(sites) == 1 or not binding.else_value) else None
