"""The predictors of observed sites: what effects add up to, by the family of the distribution.

A predictor is the location, the logits, or the logarithm of a mean: what a model usually writes as
a sum. Of a family that isn't here, none is known.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpyro.distributions as dist

#: What stands around a distribution without changing its parameters.
WRAPPERS = ("Independent", "ExpandedDistribution", "MaskedDistribution")


class Family(NamedTuple):
    """A family of observed sites.

    `predictor` reads it from a distribution, whose other parameters are called `fixed`; `moved` is
    the distribution with another one. `told` is Fisher's information of an observation, where the
    second derivative of its log density isn't always negative; None where it is. `classes`: the
    last axis of the predictor is one of classes, which only together are that of an observation.
    """

    predictor: Callable[[Any], Any]
    moved: Callable[[Any, Any], Any]
    fixed: tuple[str, ...] = ()
    told: Callable[[Any], Any] | None = None
    classes: bool = False


def with_loc(fn: Any, eta: Any) -> Any:
    found = copy.copy(fn)
    found.loc = eta
    return found


def location(*fixed: str, told: Callable[[Any], Any] | float | None = None) -> Family:
    """A family with a location and a scale; told: what is told of it where the scale is 1."""

    def scaled(fn: Any) -> Any:
        return (told(fn) if callable(told) else told) / fn.scale**2

    return Family(lambda fn: fn.loc, with_loc, fixed, None if told is None else scaled)


def log_odds(fn: Any) -> Any:
    """The logits, also of a distribution that has probabilities."""
    return fn.logits if "logits" in fn.arg_constraints else jnp.log(fn.probs) - jnp.log1p(-fn.probs)


def log_chances(fn: Any) -> Any:
    """The logits of classes; of probabilities so that their logarithms add up to 0.

    That is linear in what a softmax was given, as the logarithms themselves are not.
    """
    if "logits" in fn.arg_constraints:
        return fn.logits
    logs = jnp.log(fn.probs)
    return logs - logs.mean(-1, keepdims=True)


#: By the name of the class, or the first of its parents that is here.
FAMILIES = {
    "Normal": location("scale"),
    "StudentT": location("df", "scale", told=lambda fn: (fn.df + 1) / (fn.df + 3)),
    "Laplace": location("scale", told=1.0),
    "SoftLaplace": location("scale", told=0.5),
    "AsymmetricLaplace": location("scale", "asymmetry", told=1.0),
    "Cauchy": location("scale", told=0.5),
    "Logistic": location("scale"),
    "Gumbel": location("scale"),
    "LogNormal": Family(
        lambda fn: fn.loc, lambda fn, eta: dist.LogNormal(eta, fn.scale), ("scale",)
    ),
    "BernoulliLogits": Family(log_odds, lambda fn, eta: dist.BernoulliLogits(eta)),
    "BinomialLogits": Family(
        log_odds, lambda fn, eta: dist.BinomialLogits(eta, fn.total_count), ("total_count",)
    ),
    "Poisson": Family(lambda fn: jnp.log(fn.rate), lambda fn, eta: dist.Poisson(jnp.exp(eta))),
    "GammaPoisson": Family(
        lambda fn: jnp.log(fn.concentration) - jnp.log(fn.rate),
        lambda fn, eta: dist.GammaPoisson(fn.concentration, fn.concentration * jnp.exp(-eta)),
        ("concentration",),
    ),
    "Gamma": Family(
        lambda fn: jnp.log(fn.concentration) - jnp.log(fn.rate),
        lambda fn, eta: dist.Gamma(fn.concentration, fn.concentration * jnp.exp(-eta)),
        ("concentration",),
    ),
    "Exponential": Family(
        lambda fn: -jnp.log(fn.rate), lambda fn, eta: dist.Exponential(jnp.exp(-eta))
    ),
    "OrderedLogistic": Family(
        lambda fn: fn.predictor,
        lambda fn, eta: dist.OrderedLogistic(eta, fn.cutpoints),
        ("cutpoints",),
    ),
    "CategoricalLogits": Family(
        log_chances, lambda fn, eta: dist.CategoricalLogits(eta), classes=True
    ),
    "MultinomialLogits": Family(
        log_chances,
        lambda fn, eta: dist.MultinomialLogits(eta, fn.total_count),
        ("total_count",),
        classes=True,
    ),
}
for name in ("Bernoulli", "Binomial", "Categorical", "Multinomial"):
    FAMILIES[f"{name}Probs"] = FAMILIES[f"{name}Logits"]

#: Families that are normal in what is observed, or its logarithm: their weights are exact.
NORMAL = ("Normal", "LogNormal")


def family_of(fn: Any) -> tuple[str, Family | None]:
    """The name of a distribution's family, and the family if it is known."""
    base = unwrapped(fn)
    for kind in type(base).__mro__:
        if kind.__name__ in FAMILIES:
            return kind.__name__, FAMILIES[kind.__name__]
    return type(base).__name__, None


def unwrapped(fn: Any) -> Any:
    """The distribution without what only says which of its axes are events, or masks it."""
    while type(fn).__name__ in WRAPPERS:
        fn = fn.base_dist
    return fn


def mask_of(fn: Any) -> Any:
    """Which observations count, by all masks of a distribution; it broadcasts against them.

    The axes are those of the distribution without wrappers, without that of its own events.
    """
    own, found = len(unwrapped(fn).event_shape), jnp.ones((), bool)
    while type(fn).__name__ in WRAPPERS:
        if type(fn).__name__ == "MaskedDistribution":
            mask = jnp.asarray(fn._mask, bool)
            events = len(fn.event_shape) - own
            found = found & mask.reshape(mask.shape + (1,) * (events if mask.ndim else 0))
        fn = fn.base_dist
    return found


def predicted(fn: Any, family: Family, shape: tuple[int, ...]) -> Any:
    """The predictor of each observation of a site; shape: that of its value.

    With classes it has one more axis than the observations have, the last.
    """
    base = unwrapped(fn)
    eta = jnp.asarray(family.predictor(base), float)
    if not family.classes:
        return jnp.broadcast_to(eta, jnp.broadcast_shapes(eta.shape, shape))
    shape = shape[: len(shape) - len(base.event_shape)]
    return jnp.broadcast_to(eta, (*jnp.broadcast_shapes(eta.shape[:-1], shape), eta.shape[-1]))


def log_density(fn: Any, family: Family, eta: Any, value: Any) -> Any:
    """The log of the density of each observation with another predictor."""
    return family.moved(unwrapped(fn), eta).log_prob(value)
