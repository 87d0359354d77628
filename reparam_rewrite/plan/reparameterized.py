"""What NumPyro samples instead of a site where the model has a reparam handler already.

``with reparam(config={"a": LocScaleReparam(0)}): a = sample("a", Normal(mu, tau))`` samples
"a_decentered", and this is what can be offset: by a handler for that name, in any place inside.
"""

from __future__ import annotations

import ast

from reparam_rewrite.reparameterizers import REPARAMETERIZERS
from reparam_rewrite.survey.expressions import parsed
from reparam_rewrite.survey.families import FAMILIES
from reparam_rewrite.survey.functions import Addressed, Function, Survey
from reparam_rewrite.survey.names import may_be
from reparam_rewrite.survey.references import last_name
from reparam_rewrite.survey.values import Site


def sampled_instead(survey: Survey, function: Function, site: Site) -> str:
    """The name of what is sampled instead of a site; empty if that is itself, or can't be told.

    The handler has to be there whenever the site is sampled: around it in its function, or as a
    decorator of that.
    """
    handlers = [
        handler
        for handler in survey.addressed
        if handler.handler == "reparam"
        and (is_around(handler, site) or function.name in handler.targets)
    ]
    naming = [handler for handler in handlers if site.name in (handler.sites or ())]
    if len(naming) != 1 or site.scan is not None or site.step is not None:
        return ""
    handler = naming[0]
    kind = dict(handler.reparams).get(site.name, "")
    always = is_around(handler, site) or handler.decorates == function.name
    moves = kind == "LocScaleReparam" or (kind == "TransformReparam" and is_affine(site))
    if not (always and moves):
        return ""
    instead = REPARAMETERIZERS[kind].base.format(site.name)
    others = (one for one in handlers if one is not handler)
    unsure = any(one.sites is None or may_be(site.name, one.sites - {instead}) for one in others)
    return "" if unsure else instead


def is_around(handler: Addressed, site: Site) -> bool:
    """Does the `with` that a site stands in show the handler?"""
    line = site.place.line
    within = any(first <= line <= last for first, last in handler.blocks)
    return within and not any(first <= line <= last for first, last in handler.unseen)


def is_affine(site: Site) -> bool:
    """``TransformedDistribution(Normal(0, 1), AffineTransform(mu, sigma))``: its base is real."""
    match parsed(site.call.prior.text) if site.call.prior else None:
        case ast.Call(args=[ast.Call(func=base), transforms]) as call if not call.keywords:
            only = transforms.elts if isinstance(transforms, ast.List) else [transforms]
            of_base = FAMILIES.get(last_name(base))
            return (
                last_name(call.func) == "TransformedDistribution"
                and of_base is not None
                and of_base.support == "real"
                and [isinstance(one, ast.Call) and last_name(one.func) for one in only]
                == ["AffineTransform"]
            )
    return False
