"""The weights of observations: what each of them tells of its predictor, at one point."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from scipy.sparse import csr_array, dia_array, kron

from reparam_rewrite.fitting.values import Array
from reparam_rewrite.running.designs import Point, Probe, observations
from reparam_rewrite.running.predictors import (
    family_of,
    log_density,
    mask_of,
    predicted,
    unwrapped,
)
from reparam_rewrite.running.trace import compiled
from reparam_rewrite.running.values import Site, Values

#: Where a standard normal is looked at for averages, and the share of each place.
NODES, SHARES = hermegauss(7)

#: How many steps the predictor of an observation makes alone, how long one is at most, and how
#: little holds it where it is, as the precision of a prior.
ALONE = 10
LONGEST = 2.0
HELD = 0.1


class Weights(NamedTuple):
    """What the observations of a site tell of their predictors, which are flattened.

    `diagonal` are the weights, and `score` the slopes of the log density. Of classes, whose number
    is `classes`, `shares` are their probabilities: an observation's weights are a matrix, with a
    count of observations w: ``w * (diag(p) - p p')``, and `diagonal` is ``w * p``.
    """

    diagonal: Array
    score: Array
    classes: int = 1
    shares: Array | None = None

    def times(self, of: Any) -> Any:
        """The weights times a sparse matrix or a vector of what each predictor has."""
        if self.shares is None:
            return dia_array((self.diagonal[None], [0]), shape=(of.shape[0],) * 2) @ of
        own = kron(diagonal(np.ones(len(self.shares) // self.classes)), np.ones((1, self.classes)))
        mean = csr_array(own.T @ (own @ (diagonal(self.shares) @ of)))
        return diagonal(self.diagonal) @ (of - mean)


class Likelihood:
    """The observed sites of a model, as a compiled function of a point.

    live: those whose scale is read when the model runs; their weights are counts of observations.
    """

    def __init__(self, probe: Probe, sites: Collection[str], live: Collection[str]) -> None:
        self.probe, self.classes = probe, dict[str, int]()

        def at(deviations: Values, others: Values, discrete: Values, shifts: Values) -> Values:
            trace, _ = probe.run(Point(deviations, others, discrete))
            found = {}
            for name, site in observations(trace):
                if name in sites:
                    shift = shifts.get(name, 0.0)
                    found[name] = self._weighed(name, site, name in live, shift)
            return found

        eta = probe.moved(probe.typical, [])[0]["eta"]
        self.zeros = {name: np.zeros_like(eta[name]) for name in sites if name not in live}
        self._at = compiled(at, *probe.typical, self.zeros)

    def __call__(self, point: Point, shifts: Values | None = None) -> dict[str, Weights]:
        """The weights at a point; of predictors that are shifted the responses are the same."""
        made = jax.tree.map(
            lambda of: np.asarray(of).ravel(), self._at(*point, shifts or self.zeros)
        )
        found = {
            name: Weights(of["weight"], of["score"], self.classes[name], of.get("shares"))
            for name, of in made.items()
        }
        for name, shift in (shifts or {}).items():
            of = found[name]
            found[name] = of._replace(score=of.score + of.times(shift.ravel()))
        return found

    def averaged(self, point: Point, variances: Mapping[str, Array]) -> dict[str, Weights]:
        """The weights on average over predictors that are normal around a point.

        variances: of the predictors, by site. A normal density of the effects with these weights
        and responses is what comes nearest to the posterior, and not only at its mode (Opper and
        Archambeau 2009, doi:10.1162/neco.2008.08-07-592). Classes keep their weights.
        """
        found, slopes, bends = self(point), dict[str, Any](), dict[str, Any]()
        for node, share in zip(NODES, SHARES / SHARES.sum(), strict=True):
            shifts = {
                name: node * np.sqrt(variances[name]).reshape(zero.shape)
                for name, zero in self.zeros.items()
            }
            for name, of in self._at(*point, shifts).items():
                if name in shifts and self.classes[name] == 1:
                    slopes[name] = slopes.get(name, 0.0) + share * np.ravel(of["score"])
                    bends[name] = bends.get(name, 0.0) + share * np.ravel(of["bend"])
        for name, bend in bends.items():
            found[name] = Weights(np.maximum(bend, 0.0), slopes[name])
        return found

    def alone(self, point: Point) -> dict[str, Weights]:
        """The weights where each observation would have its predictor, if it could by itself.

        That is near where all of them together have theirs, from where Newton's steps go a long way
        if they start at the priors' locations.
        """
        shifts = self.zeros
        for _ in range(ALONE):
            made = self._at(*point, shifts)
            shifts = {name: toward(of, made[name]) for name, of in shifts.items()}
        return self(point, shifts)

    def _weighed(self, name: str, site: Site, live: bool, shift: Any) -> Values:
        fn, value = site["fn"], jnp.asarray(site["value"])
        kind, family = family_of(fn)
        assert family is not None
        eta = predicted(fn, family, value.shape) + shift
        self.classes[name] = eta.shape[-1] if family.classes else 1
        shape = eta.shape[:-1] if family.classes else eta.shape
        missing = jnp.isnan(value)
        # 1 is in the support of all families.
        value = jnp.where(missing, 1, value)
        if missing.ndim > len(shape):
            missing = missing.any(-1)
        count = jnp.where(mask_of(fn) & ~missing, site["scale"] or 1.0, 0.0)
        count = jnp.broadcast_to(count, shape)
        if live:
            given = jnp.log(value) if kind == "LogNormal" else value
            return {"weight": count, "score": count * jnp.where(count > 0, given - eta, 0.0)}

        def total(eta: Any) -> Any:
            return jnp.sum(log_density(fn, family, eta, value))

        slope = jax.grad(total)
        if family.classes:
            shares = jax.nn.softmax(eta)
            each = (count * getattr(unwrapped(fn), "total_count", 1))[..., None]
            score = jnp.where(count[..., None] > 0, slope(eta) * count[..., None], 0.0)
            return {"weight": each * shares, "score": score, "shares": shares}
        score, bend = jax.jvp(slope, (eta,), (jnp.ones_like(eta),))
        told = jnp.maximum(-bend, family.told(unwrapped(fn))) if family.told else -bend
        parts = {"weight": told, "score": score, "bend": -bend}
        return {key: jnp.where(count > 0, of * count, 0.0) for key, of in parts.items()}


def toward(shift: Array, at: Values) -> Array:
    """A step of Newton's from a shift of predictors, whose weights and scores are given."""
    weight, score = (np.reshape(at[key], shift.shape) for key in ("weight", "score"))
    return shift + np.clip((score - HELD * shift) / (weight + HELD), -LONGEST, LONGEST)


def diagonal(values: Array) -> dia_array:
    return dia_array((values[None], [0]), shape=(len(values),) * 2)
