"""Is a model one that was generated before, so that there is nothing to be done?"""

from __future__ import annotations

from reparam_rewrite.plan.children import Child
from reparam_rewrite.plan.refusals.names import params_of
from reparam_rewrite.survey.functions import Function
from reparam_rewrite.survey.values import Handler, Site


def was_rewritten(function: Function, found: list[Child]) -> bool:
    """Is every child under a handler already, with every coefficient declared?"""
    for child in found:
        if not is_handled(child.site, explicit=child.reparam is None):
            return False
        declared = {param.name for param in params_of(child)} if child.reparam is None else set()
        if not declared <= function.params:
            return False
    return True


def is_handled(site: Site, *, explicit: bool) -> bool:
    """Is it under a reparam handler, and is that an `ExplicitReparam` if it must be?"""
    return site.call.shifted or any(
        isinstance(item, Handler)
        and item.qualified == "numpyro.handlers.reparam"
        and item.sites is not None
        and site.name in item.sites
        and (item.explicit or not explicit)
        for frame in site.frames
        for item in frame.items
    )
