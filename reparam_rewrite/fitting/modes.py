"""The mode at which the weights of observations are frozen, where they aren't normal.

Two steps alternate. Given the other sites theta, Newton's steps go to the mode of the effects.
Given weights and responses, the effects are integrated out, and theta goes to the mode of

    log p(effects(theta), theta, y) - 1/2 log det Q(theta)

which is Laplace's approximation of the marginal density (Tierney and Kadane 1986), and the density
that conditional coordinates have where all bases are 0. Scales that are wrong by a factor of two
hardly matter to the coordinates, and so neither goes on for long. The weights are then averaged
over what the effects may be, which matters more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from numpyro.distributions import biject_to
from scipy.linalg import block_diag
from scipy.optimize import minimize

from reparam_rewrite.fitting.elimination import exact_mean, matrix, root, sparse_mean, times
from reparam_rewrite.fitting.layout import (
    Designs,
    added,
    data_at,
    designed,
    effects_of,
    exact,
    sparse,
)
from reparam_rewrite.fitting.values import Array
from reparam_rewrite.fitting.weights import Likelihood, Weights
from reparam_rewrite.messages import Refusal
from reparam_rewrite.running.designs import Point, Probe, wrong
from reparam_rewrite.running.predictors import NORMAL, unwrapped
from reparam_rewrite.running.summing import Sums
from reparam_rewrite.running.trace import compiled
from reparam_rewrite.running.values import Site, Values

#: How often the two steps alternate, and how far theta may still go in the last, all in all.
ROUNDS = 6
NEAR = 0.1

#: Of Newton: how many steps, how often a step is halved, and how much higher the last may go.
NEWTONS = 30
HALVINGS = 12
STILL = 0.01

#: How many steps theta makes at most with the same weights, and by how much each has to be better.
STEPS = 30
FLAT = 0.01

#: Up to how many elements weights are averaged over the posterior, and how often.
AVERAGED = 1_500
AVERAGES = 3

#: How many numbers are computed at once.
AT_ONCE = 10_000_000


class At(NamedTuple):
    """What there is at a theta: the height without the determinant, u by site, and the point.

    `roots` are the scales of the effects' priors, `weights` ``1 / s**2`` of all that is observed.
    """

    height: Any
    u: Any
    point: Point
    roots: Any
    weights: Any


class Marginal:
    """The density of theta with effects at their means, as a compiled function.

    live: the observed sites whose scales are read; `summands` the other sites that add to the
    observations. The function is of theta, what the observations tell as arrays, and where u was
    and how far it goes from there to its mean, from 0 to 1.
    """

    def __init__(self, probe: Probe, live: Sequence[str], summands: Sequence[str]) -> None:
        self.probe, self.live, self.summands = probe, live, summands
        start, self.apart = ravel_pytree(probe.middle)
        self.start = np.asarray(start)
        self._compiled: Any = None

    def __call__(self, theta: Array, data: Values, blocks: int, u: Values, step: float) -> Any:
        """(height, its slope in theta), and `At`."""
        given = (theta, data, u, step, self.probe.typical.discrete)
        if self._compiled is None:
            program = jax.value_and_grad(partial(self._height, blocks), has_aux=True)
            self._compiled = compiled(program, *given)
        (height, at), slope = self._compiled(*given)
        found = At(*at)
        return (float(height), np.asarray(slope)), found._replace(height=float(found.height))

    def _height(
        self, blocks: int, theta: Any, data: Values, before: Values, step: Any, discrete: Values
    ) -> Any:
        probe, real = self.probe, self.apart(theta)
        zeros = {name: jnp.zeros(probe.shapes[name]) for name in probe.order}
        trace, _ = probe.run(Point(zeros, {}, discrete), real)
        roots = {name: root(trace[name]["fn"]) for name in probe.order}
        others = {name: trace[name]["value"] for name in probe.others}
        scales = [jnp.ravel(unwrapped(trace[name]["fn"]).scale)[0] for name in self.live]
        kinds = len(data["h" if blocks else "pull"])
        weights = jnp.ones(kinds).at[: len(scales)].set(jnp.array(scales) ** -2)
        given = {name: others[name] for name in self.summands}
        if blocks:
            mean, half = exact_mean(data, roots, blocks, weights, given)
        else:
            mean, half = sparse_mean(data, roots, weights, given)
        u = {name: before[name] + step * (of - before[name]) for name, of in mean.items()}
        moved = {n: times(roots[n], of).reshape(probe.shapes[n]) for n, of in u.items()}
        trace, _ = probe.run(Point(moved, {}, discrete), real)
        height = -sum(jnp.sum(of**2) for of in u.values()) / 2
        for name, site in trace.items():
            if site["type"] == "sample" and name not in probe.order:
                height = height + jnp.sum(density(site)) + volume(site, real.get(name))
        return height - half, (height, u, Point(moved, others, discrete), roots, weights)


def density(site: Site) -> Any:
    """The log density of a site's value; what is missing has none."""
    fn, value = site["fn"], site["value"]
    if site["is_observed"] and value is not None and jnp.issubdtype(jnp.result_type(value), float):
        missing = jnp.isnan(value)
        batch = missing.shape[: missing.ndim - fn.event_dim]
        fn, value = fn.mask(~missing.reshape(*batch, -1).any(-1)), jnp.where(missing, 1, value)
    found = fn.log_prob(value)
    return found if site["scale"] is None else site["scale"] * found


def volume(site: Site, real: Any) -> Any:
    """The log of how much more room the values have than those without constraints."""
    if real is None:
        return 0.0
    to = biject_to(site["fn"].support)
    return jnp.sum(to.log_abs_det_jacobian(real, site["value"]))


class Moded(NamedTuple):
    """The weights of all observed sites, and the point around which they are."""

    point: Point
    weights: Mapping[str, Weights]


def mode_of(
    probe: Probe, likelihood: Likelihood, sums: Sums, live: Sequence[str], designs: Designs
) -> Moded:
    """The values of the sites that aren't effects, the effects' deviations, and weights there."""
    frozen = [one for one in sums.seen if one not in live]
    kinds = [*([one] for one in live), *([frozen] if frozen else [])]
    marginal = Marginal(probe, live, sums.adding)
    blocks = 1

    def told(point: Point, weights: Mapping[str, Weights]) -> Values:
        nonlocal blocks
        made = designed(probe, point, [*designs]) if sums.linked else designs
        found = data_at(probe, weights, point, made, sums.adding)
        parts = [added([found[one] for one in kind]) for kind in kinds]
        small = exact(probe, parts, sums.adding, None) if blocks else None
        if small is None:
            blocks = 0
            return sparse(probe, parts, sums.adding)
        arrays = {key: of for key, of in small[0].items() if key[:7] != "shapes."}
        blocks = int(arrays.pop("blocks"))
        return arrays

    at = At(-np.inf, {n: np.zeros(probe.size(n)) for n in probe.order}, probe.typical, {}, ())
    theta, near = marginal.start, not len(marginal.start)
    weights: Mapping[str, Weights] | None = likelihood.alone(probe.typical)
    for number in range(ROUNDS):
        at = at._replace(height=-np.inf)
        for _ in range(NEWTONS):
            before, data = at, told(at.point, weights or likelihood(at.point))
            weights = None
            steps = (marginal(theta, data, blocks, before.u, 0.5**n)[1] for n in range(HALVINGS))
            higher = (tried for tried in steps if tried.height > before.height - 1e-6)
            at = next(higher, before)
            if not at.height - before.height >= STILL:
                break
        if near or number == ROUNDS - 1:
            break
        last, options = theta, {"maxiter": STEPS, "ftol": FLAT / max(1.0, abs(at.height))}

        def falling(theta: Array, data: Values = data, u: Values = at.u) -> Any:
            (value, slope), _ = marginal(theta, data, blocks, u, 1.0)
            return (-value, -slope) if np.isfinite(value) else (1e300, 0 * slope)

        theta = minimize(falling, theta, jac=True, method="L-BFGS-B", options=options).x
        at = marginal(theta, data, blocks, at.u, 1.0)[1]
        near = bool(np.abs(theta - last).max() < NEAR)
    if not np.isfinite(at.height):
        raise no_number(probe, [*frozen, *live][0])
    if sums.linked:
        designs = designed(probe, at.point, [*designs])
    bent = [one for one in frozen if one in sums.linked or probe.families[one] not in NORMAL]
    if not bent or sum(map(probe.size, probe.order)) > AVERAGED:
        return Moded(at.point, likelihood(at.point))
    precisions = dict.fromkeys(frozen, 1.0) | dict(zip(live, at.weights, strict=False))
    return around(probe, likelihood, designs, at, precisions)


def no_number(probe: Probe, site: str) -> Refusal:
    text = "what '{site}' tells of the effects isn't a number, or isn't finite"
    hint = "are its values possible ones? Mask those that are to be left out."
    return wrong(probe.call, "no-number", site, text, hint)


def around(
    probe: Probe,
    likelihood: Likelihood,
    designs: Designs,
    at: At,
    precisions: Mapping[str, float],
) -> Moded:
    """The weights on average over the effects, as the data and their priors leave them.

    precisions: ``1 / s**2`` by observed site.
    """
    point, weights = at.point, likelihood(at.point)
    R = np.asarray(block_diag(*(matrix(at.roots[name], 1)[0] for name in probe.order)))
    ends = np.cumsum([probe.size(name) for name in probe.order])[:-1]
    for _ in range(AVERAGES):
        data = data_at(probe, weights, point, designs, ())
        gram = sum(precisions[one] * of.gram.toarray() for one, of in data.items())
        pull = sum(precisions[one] * of.pull for one, of in data.items())
        cov = R @ np.linalg.solve(np.eye(len(R)) + R.T @ gram @ R, R.T)
        pieces = zip(probe.order, np.split(cov @ pull, ends), strict=True)
        moved = {name: piece.reshape(probe.shapes[name]) for name, piece in pieces}
        point = point._replace(deviations=moved)
        weights = likelihood.averaged(
            point, {one: variances(effects_of(probe, designs, one), cov) for one in data}
        )
    return Moded(point, weights)


def variances(effects: Any, cov: Array) -> Array:
    """The variance of each predictor, of the effects' covariance."""
    step = max(1, AT_ONCE // len(cov))
    parts = [effects[at : at + step] for at in range(0, effects.shape[0], step)]
    return np.concatenate([np.asarray(part.multiply(part @ cov).sum(1)).ravel() for part in parts])
