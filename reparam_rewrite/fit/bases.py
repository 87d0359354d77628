"""Would a site be narrower in a basis? A pilot's draws tell, as they tell coefficients.

What is left of a site when its offset is taken away may be wide in a direction that is none of its
elements: the mean of a plate's, of which the data tell the sum with another site's only. In a
basis that direction is an element, and what a diagonal normal loses, the sum of log sd, is less.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np
import scipy.fft
from msgspec import structs

from reparam_rewrite.config.keys import BasisRule, Config, SiteRule
from reparam_rewrite.fit.regression import Problem, Score, in_bases
from reparam_rewrite.fit.values import Array, Better, Fitted, Integers, Regression
from reparam_rewrite.messages import Place

#: By how much a site must be narrower in a basis for that to be said.
NARROWER = 1.05


def left_of(fit: Fitted) -> Array:
    """The base site in unconstrained space, in the bases that it has: (n, *shape)."""
    found = fit.regression.values
    for one in fit.regression.regressors:
        coefficient = np.asarray(fit.coefficients[one.param])
        if one.pair.matrix:
            found = found + one.values @ coefficient.ravel()
        else:
            found = found + one.values * coefficient
    return in_bases(found, fit.regression.bases)


def better(values: Array, chain: Integers, known: Sequence[int]) -> tuple[tuple[int, ...], float]:
    """The axes, besides those `known`, that a basis over makes a site narrower, and how much.

    values: (n, *shape). They are added one by one, as long as that helps on draws held out.
    """
    dims: tuple[int, ...] = ()
    start = best = judged(values, chain)
    while True:
        tried = []
        for dim in range(-1, -values.ndim, -1):
            if values.shape[dim] > 1 and dim not in (*known, *dims):
                mixed = scipy.fft.dct(values, axis=dim, norm="ortho")
                tried.append((judged(mixed, chain), dim, mixed))
        if not tried:
            break
        score, dim, mixed = min(tried, key=lambda one: one[0].mean)
        if not score.is_better_than(best, log(NARROWER)):
            break
        best, values, dims = score, mixed, (*dims, dim)
    return dims, float(np.exp(start.mean - best.mean))


def judged(values: Array, chain: Integers) -> Score:
    problem = Problem.of(Regression("", "", values, ()), chain)
    return problem.judged(lambda part: part.nothing())


def with_basis(config: Config, found: Better) -> Config:
    """The config with one more basis."""
    known = config.sites.get(found.site)
    rule = known or SiteRule(name=found.site, place=Place(config.path, 1, 1))
    rule = structs.replace(rule, basis=BasisRule(place=rule.place, kind="dct", dims=found.dims))
    return structs.replace(config, sites={**config.sites, found.site: rule})


def asked_for(config: Config, site: str) -> tuple[int, ...] | None:
    """The axes of the dct that a config has for a site; None if it has another basis."""
    rule = config.sites.get(site)
    if rule is None or rule.basis is None:
        return ()
    plain = rule.basis.kind == "dct" and not rule.basis.settings.get("smooth")
    return rule.basis.dims if plain else None


def candidates(config: Config, fits: Sequence[Fitted], chain: Integers) -> list[Better]:
    """What bases would do for the children, as far as the draws tell."""
    found = []
    for fit in fits:
        site, known = fit.regression.child, asked_for(config, fit.regression.child)
        if fit.regression.several or known is None:
            continue
        dims, narrowing = better(left_of(fit), chain, known)
        if dims:
            found.append(Better(site, (*known, *dims), narrowing))
    return found
