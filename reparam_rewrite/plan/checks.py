"""Every reason not to rewrite, one function each.

A check yields `Problem`s: what is wrong, where, and the way out. All are gathered before anything
is refused, so that a person sees the whole list at once.
"""

from __future__ import annotations

from collections.abc import Iterator

from reparam_rewrite.messages import Problem
from reparam_rewrite.plan.alternatives import are_alternatives
from reparam_rewrite.plan.handlers import (
    no_filter,
    no_handler,
    not_addressed,
    not_entered,
    not_lifted,
    volume_counts,
)
from reparam_rewrite.plan.pairs import Child
from reparam_rewrite.plan.parents import lines_of
from reparam_rewrite.plan.refusals import told
from reparam_rewrite.plan.scaling import power_is_real
from reparam_rewrite.plan.traces import running
from reparam_rewrite.reparameterizers import REPARAMETERIZERS
from reparam_rewrite.survey.naming import may_be
from reparam_rewrite.survey.values import Function, Site, Survey


def child_problems(survey: Survey, function: Function, child: Child) -> Iterator[Problem]:
    """Everything that speaks against touching a child at all."""
    for check in (
        not_observed,
        has_density,
        sampled_once,
        plain_call,
        runs_once,
        no_handler,
        not_addressed,
        not_entered,
        no_filter,
    ):
        if check is has_density and child.reparam is not None:
            continue  # NumPyro's reparameterizers know best what they suit
        yield from check(survey, function, child.site)
    yield from not_lifted(survey, function, child)
    yield from runs_as_written(survey, function, child.site)
    yield from no_guide(survey, function, child.site)
    yield from volume_counts(survey, function, child)
    yield from own_density(survey, child.site)
    yield from base_is_free(function, child)
    yield from power_is_real(child)


def not_observed(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """``y = sample("y", Normal(mu, 1), obs=data)`` as a child."""
    if site.observed:
        yield told(
            site.place,
            f"'{site.name}' is observed: there is nothing to reparameterize",
            "only latent sites can be offset; take it out of the config.",
        )


def has_density(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """``sample("k", Poisson(3))``, ``sample("x", Delta(0))`` or ZeroSumNormal as a child."""
    family, kind = site.prior.family, site.prior.support.kind
    if kind == "discrete":
        yield told(
            site.place,
            f"'{site.name}' is discrete ({family}): it can't be shifted",
            "only continuous latent sites can be offset; take it out of the config.",
        )
    elif kind == "atomic":
        yield told(
            site.place,
            f"'{site.name}' has a {family} prior, which isn't a density: it can't be shifted",
            "take it out of the config.",
        )
    elif kind == "sphere":
        yield told(
            site.place,
            f"'{site.name}' lives on a sphere ({family}), which has no unconstrained space",
            "take it out of the config; ProjectedNormalReparam is what suits it.",
        )
    elif kind == "zero_sum":
        yield told(
            site.place,
            f"'{site.name}' sums to zero (ZeroSumNormal): an offset would break that",
            "leave it as it is, or give it a Normal prior.",
        )


def sampled_once(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """The same name sampled twice, other than in two branches of an ``if``."""
    places = [other.place for other in function.find(site.name)]
    if len(places) > 1 and not are_alternatives(function.find(site.name)):
        yield told(
            places[1],
            f"'{site.name}' is sampled in more than one place ({lines_of(places)})",
            "sample it in one place; its prior may depend on the branch.",
        )


def plain_call(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """``infer=``, ``obs_mask=``, a call in a lambda, ``n = 1; a = sample(...)``."""
    for message, hint in site.obstacles:
        yield told(site.place, f"'{site.name}' {message}", hint)
    if not site.obstacles and site.prior_segment is None:
        yield told(
            site.place,
            f"'{site.name}' has no distribution that can be read",
            "give the distribution as the second argument.",
        )
    if not site.alone:
        yield told(
            site.place,
            f"'{site.name}' shares its line with another statement",
            "give it a line of its own.",
        )


def runs_once(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """``for k in range(3): a = sample("a", ...)``."""
    for frame in site.all_frames:
        if frame.kind == "while" or (frame.kind == "for" and not site.computed):
            yield told(
                site.place,
                f"'{site.name}' is sampled in a loop (line {frame.line})",
                "sites in loops aren't rewritten; a plate does the same without one.",
            )
            return


def runs_as_written(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """``with plate("n", n): effect()``: axes that don't show."""
    last = called_as(function.name)
    above = running(survey, function)
    for call in survey.plated:
        if call.callee in above and (call.callee == function.name or call.callee.startswith("<")):
            how = f"which is called under a plate (line {call.plated})"
        elif call.callee in above:
            how = f"which may be called under a plate (line {call.plated})"
        else:
            continue
        yield told(
            site.place,
            f"'{site.name}' is sampled in '{last}', {how}: it has axes that don't show here",
            "sample it where the plate is; take it out of the config otherwise.",
        )
        return


def called_as(name: str) -> str:
    """The name that a call of a function has: that of the class, for an ``__init__``."""
    rest, _, last = name.rpartition(".")
    return rest.rpartition(".")[2] if last == "__init__" and rest else last


def no_guide(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """A guide written by hand samples the child too, and would have to sample its base."""
    for other in survey.guides:
        if other is function:
            continue
        for twin in other.sites:
            if may_be(site.name, [twin.name]):
                yield told(
                    twin.place,
                    f"the guide '{other.name}' samples '{twin.name}' too, which the model would "
                    f"sample as '{site.name}_base'",
                    "use an autoguide, or take the site out of the config.",
                )
                return


def own_density(survey: Survey, site: Site) -> Iterator[Problem]:
    """``class Tilted(dist.LogNormal)`` with a `log_prob`, and FoldedDistribution.

    NumPyro takes a transformed distribution apart when it is transformed again, and forgets a
    `log_prob` of its own.
    """
    family, text = site.prior.family, site.prior_segment.text if site.prior_segment else ""
    if family == "FoldedDistribution":
        yield told(
            site.place,
            f"'{site.name}' has a FoldedDistribution, which NumPyro can't transform again",
            "take it out of the config.",
        )
    elif family is None and survey.densities:
        # A name may stand for anything; a call of something else is something else.
        name = next((name for name in sorted(survey.densities) if name in text), "")
        name = name or (min(survey.densities) if "(" not in text else "")
        if name:
            yield told(
                site.place,
                f"'{site.name}' may have the prior {name}, a class of this file with a log_prob "
                "of its own, which NumPyro forgets where it transforms it",
                "take it out of the config.",
            )


def base_is_free(function: Function, child: Child) -> Iterator[Problem]:
    """A site called ``a_base`` beside the child ``a``."""
    site = child.site
    template = "{}_base" if child.reparam is None else REPARAMETERIZERS[child.reparam.name].base
    base = template.format(site.name)
    if base in function.taken:
        yield told(
            site.place,
            f"'{site.name}' would be sampled as '{base}', which the model has already",
            "rename that site.",
        )
