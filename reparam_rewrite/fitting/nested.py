"""Draws from a posterior without a run: its effects are normal given all else, or nearly so.

In conditional coordinates the bases of effects are standard normal given the data and the other
sites theta, so that the potential where all bases are 0 is that of theta with the effects
integrated out: exactly where the noise is normal, and else Laplace's approximation of it (Tierney
and Kadane 1986). Theta is a few scales. Its mode and the curvature there give a distribution with
heavier tails, from which designed points are taken; each counts as the density there says (Rue,
Martino and Chopin 2009, doi:10.1111/j.1467-9868.2008.00700.x). With bases that are drawn afresh,
what the model makes of both are independent draws of all sites.

A model without effects is all theta, and its posterior must be nearly normal for this to do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from msgspec import Struct
from numpyro import handlers
from numpyro.infer.util import potential_energy
from scipy.optimize import minimize
from scipy.stats import chi2, multivariate_t, norm, qmc

from reparam_rewrite.fitting.values import Array, Pilot
from reparam_rewrite.running.call import Call
from reparam_rewrite.running.spread import starts
from reparam_rewrite.running.trace import compiled, double_precision, traced
from reparam_rewrite.running.values import Values
from reparam_rewrite.verifying.change import terms, unconstrained

#: How many draws there are where nobody says how many.
DRAWS = 1_000

#: Up to how many values theta may have.
LARGEST = 100

#: How many points of theta are looked at, of a model with few values in all and of one with many.
NODES, FEWER, MANY = 1024, 256, 2_000

#: The degrees of freedom of the tails.
TAILS = 6.0

#: How often the distribution of theta is taken anew from its points, and which part of the points
#: must count in the end, and in which case it isn't taken anew any more.
ROUNDS, FEWEST, ENOUGH = 4, 0.05, 0.3

#: How far the bases may be from standard normal, as the sd of the density's logarithm (nats).
FARTHEST = 3.0

#: How far from the mode the optimiser may stop, as half the Newton decrement squared (nats).
STILL = 1e-3

#: The distance of gradients whose difference is the curvature, in unconstrained space.
APART = 1e-4


class NotNested(Exception):
    """Why there are no such draws, in words that follow "because"."""


class Theta(NamedTuple):
    """What the data say of the sites beside the effects, in unconstrained space.

    mean (dims,), covariance (dims, dims); `spans` says which of the dims are which site's.
    """

    mean: Array
    covariance: Array
    spans: Mapping[str, slice]

    def sd(self, site: str) -> Array:
        """Of each value of a site: (size,)."""
        return np.sqrt(np.diagonal(self.covariance)[self.spans[site]])


class Compared(Struct, frozen=True):
    """What draws of a generated model are in both models' coordinates.

    draws: of the plain model's sites, (n, *shape). bases: of what the generated model samples for
    each of these, and `sites` of themselves, both in unconstrained space. determinants: by site the
    mean log|det| of the change of variables (nats). potential: of the generated model, (n,).
    """

    draws: Mapping[str, Array]
    bases: Mapping[str, Array]
    sites: Mapping[str, Array]
    determinants: Mapping[str, float]
    potential: Array

    def gain(self, name: str) -> float:
        """By how many nats a diagonal normal is closer to the bases of a site than to the site.

        It is the difference of the sums of log sd, less the determinant.
        """
        before, after = (
            float(np.log(np.maximum(of[name].std(axis=0), 1e-300)).sum())
            for of in (self.sites, self.bases)
        )
        return before - after - self.determinants[name]


class Nested(Struct, frozen=True):
    """Draws of all sites, and what they were made of.

    left: how far bases are from standard normal, as the sd of the density's logarithm (nats).
    counted: how many of `nodes` points count.
    """

    pilot: Pilot
    theta: Theta
    compared: Compared
    left: float
    counted: float
    nodes: int

    @property
    def too_far(self) -> float:
        """The divergence of the draws from the posterior (nats), to second order."""
        return self.left**2 / 2


def nested(
    plain: Call,
    generated: Call,
    base_of: Mapping[str, str],
    shapes: Mapping[str, tuple[int, ...]],
    effects: Collection[str],
    draws: int,
) -> Nested:
    """Draws of the posterior of a model, by the one that was generated of it.

    base_of: by site of the plain model what is sampled for it, of which `shapes` are those in
    unconstrained space. effects: those whose bases are standard normal given all else. Raises
    `NotNested`, and what the models raise.
    """
    with double_precision():
        return Pilots(plain, generated, base_of, shapes, effects).run(draws)


class Pilots:
    """The two models of a pilot, and programs of theta and the bases."""

    def __init__(
        self,
        plain: Call,
        generated: Call,
        base_of: Mapping[str, str],
        shapes: Mapping[str, tuple[int, ...]],
        effects: Collection[str],
    ) -> None:
        self.plain, self.generated = plain, generated
        self.base_of = base_of
        bases = [base_of[name] for name in effects]
        others = [base for base in base_of.values() if base not in bases]
        count = sum(math.prod(shapes[name]) for name in others)
        if count > LARGEST:
            what = "beside the effects" if bases else "without effects"
            raise NotNested(f"there are {count:,} values {what}, more than {LARGEST}")
        start, self.theta_of = ravel_pytree({name: jnp.zeros(shapes[name]) for name in others})
        self.start = np.asarray(start, float)
        zeros, self.bases_of = ravel_pytree({name: jnp.zeros(shapes[name]) for name in bases})
        self.zeros = np.asarray(zeros, float)
        self.others, self.effects = others, bases
        self.gradients = 0
        self._slope = compiled(jax.value_and_grad(self._potential), self.start)

    def _potential(self, theta: Any) -> Any:
        call = self.generated
        values = {**self.theta_of(theta), **self.bases_of(jnp.asarray(self.zeros))}
        model = handlers.seed(call.model, 0)
        return potential_energy(model, call.args, dict(call.kwargs), values)

    def height(self, theta: Array) -> tuple[float, Array]:
        """The potential of theta and its slope; where it is no number, one that is too high."""
        self.gradients += 1
        value, slope = jax.device_get(self._slope(theta))
        if not (np.isfinite(value) and np.isfinite(slope).all()):
            return 1e300, np.zeros_like(theta)
        return float(value), np.asarray(slope, float)

    def mode(self) -> tuple[Array, Array]:
        """Theta at its mode, and the curvature there. Raises `NotNested` where there is none."""
        if not self.start.size:
            return self.start, np.zeros((0, 0))
        try:
            return self.mode_from(self.start)
        except NotNested:
            call = self.generated
            found = starts(call.model, call.args, call.kwargs, self.effects)[1][0].others
            start, _ = ravel_pytree({name: jnp.asarray(found[name]) for name in self.others})
            return self.mode_from(np.asarray(start, float))

    def mode_from(self, start: Array) -> tuple[Array, Array]:
        options = {"maxiter": 1_000, "ftol": 1e-13, "gtol": 1e-6}
        found = minimize(self.height, start, jac=True, method="L-BFGS-B", options=options).x
        for _ in range(3):
            slopes = [
                (self.height(found + step)[1] - self.height(found - step)[1]) / (2 * APART)
                for step in APART * np.eye(len(found))
            ]
            curvature = np.array(slopes)
            curvature = (curvature + curvature.T) / 2
            if not np.isfinite(curvature).all() or np.linalg.eigvalsh(curvature)[0] <= 0:
                raise NotNested("the density of the other sites has no mode with a curvature")
            step = np.linalg.solve(curvature, slope := self.height(found)[1])
            if slope @ step / 2 < STILL:
                return found, curvature
            found = found - step
        raise NotNested("the density of the other sites has no mode that is found")

    def run(self, draws: int) -> Nested:
        theta, weights, points = self.points()
        counted = float(1 / np.sum(weights**2))
        if counted < FEWEST * len(weights):
            said = f"only {counted:.0f} of {len(weights):,} points count"
            raise NotNested(f"its posterior is far from normal: {said}")
        rng = np.random.default_rng(0)
        place = (np.arange(draws) + rng.uniform()) / draws
        at = np.searchsorted(np.cumsum(weights), place).clip(0, len(weights) - 1)
        at = rng.permutation(at)  # so that parts of the draws are alike
        bases = rng.normal(size=(draws, len(self.zeros)))

        def unconstrained_at(of: tuple[Any, Any]) -> Values:
            return {**self.theta_of(of[0]), **self.bases_of(of[1])}

        compared = compare(
            self.plain, self.generated, self.base_of, (points[at], bases), unconstrained_at
        )
        wrong = [name for name, values in compared.draws.items() if not np.isfinite(values).all()]
        if wrong:
            raise NotNested(f"draws of '{wrong[0]}' are no numbers")
        left = float(np.std(compared.potential - self.heights[at] - (bases**2).sum(1) / 2))
        if not left < FARTHEST:
            said = f"their density is {left:.2g} nats from it"
            raise NotNested(f"the effects aren't nearly normal given all else: {said}")
        how = f"nested Laplace: {draws:,} draws"
        pilot = Pilot(compared.draws, np.zeros(draws, np.int64), how, self.gradients)
        return Nested(pilot, theta, compared, left, counted, len(weights))

    def points(self) -> tuple[Theta, Array, Array]:
        """The distribution of theta, with points (n, dims) and their weights (n,)."""
        mode, curvature = self.mode()
        dims = len(mode)
        spans, end = {}, 0
        for name, value in self.theta_of(jnp.asarray(mode)).items():
            spans[name] = slice(end, end := end + np.size(value))
        mean: Array = mode
        covariance: Array = np.asarray(np.linalg.inv(curvature)) if dims else curvature
        if not dims:
            self.heights = np.array([self.height(mode)[0]])
            return Theta(mean, covariance, spans), np.ones(1), mode[None]
        count = NODES if dims + len(self.zeros) < MANY else FEWER
        spread = 2.0 * covariance if dims == 1 else covariance
        for _ in range(ROUNDS):
            points, density = designed(mean, spread, count)
            self.heights = np.array([self.height(one)[0] for one in points])
            weights = np.exp(-self.heights - density - np.max(-self.heights - density))
            weights /= weights.sum()
            own = weights @ points
            covariance = (points - own).T @ ((points - own) * weights[:, None])
            if 1 / np.sum(weights**2) > ENOUGH * count:
                break
            # What a few points say of the covariance may be singular.
            mean, spread = own, covariance + 0.1 * np.diag(np.diagonal(spread))
        return Theta(own, covariance, spans), weights, points


def compare(
    plain: Call,
    generated: Call,
    base_of: Mapping[str, str],
    draws: Any,
    unconstrained_at: Callable[[Any], Values],
) -> Compared:
    """What draws are in both models' coordinates.

    `unconstrained_at` makes of one of the draws the values of what the generated model samples.
    """
    bases = {name: base_of[name] for name in plain.latents}

    def at(draw: Any) -> Values:
        given = unconstrained_at(draw)
        other = traced(generated.model, generated.args, generated.kwargs, unconstrained=given)
        values = {name: other[name]["value"] for name in bases}
        own = traced(plain.model, plain.args, plain.kwargs, values)
        new, _ = terms(other, {base: name for name, base in bases.items()})
        old, _ = terms(own, {name: name for name in bases})
        return {
            "draws": values,
            "bases": {name: given[base] for name, base in bases.items()},
            "sites": {name: unconstrained(own[name]) for name in bases},
            "determinants": {n: new["log_prob"][n] - old["log_prob"][n] for n in bases},
            "potential": -sum(new["log_prob"].values(), jnp.zeros(())),
        }

    with double_precision():
        found = jax.device_get(jax.jit(partial(jax.lax.map, at))(draws))
    found["determinants"] = {name: float(np.mean(v)) for name, v in found["determinants"].items()}
    return Compared(**found)


def designed(mean: Array, covariance: Array, count: int) -> tuple[Array, Array]:
    """Points (count, dims) of a distribution with tails, and the log of its density there.

    They are from Sobol's sequence, which fills space evenly, scrambled.
    """
    dims = len(mean)
    even = qmc.Sobol(dims + 1, seed=0).random(count)
    wide = np.sqrt(TAILS / chi2.ppf(even[:, -1], TAILS))
    points = mean + (norm.ppf(even[:, :-1]) * wide[:, None]) @ np.linalg.cholesky(covariance).T
    density = multivariate_t(mean, covariance, df=TAILS).logpdf(points)
    return points, np.reshape(density, count)
