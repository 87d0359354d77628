"""The best diagonal normal where a posterior is Gaussian: how close it comes, in any coordinates.

With its scales held a linear model is Gaussian, and so is its posterior, in the coordinates of any
parameterization that the program writes. With Lambda the precision in these coordinates, the
diagonal normal q that is closest to the posterior p has its mean and the precisions Lambda_ii, and

    KL(q || p) = 1/2 (sum_i log Lambda_ii - log det Lambda)

Lambda is the Hessian of a model's own log density in its own latents, and learned coefficients are
those that minimise the KL, from where the config starts them. No data are sampled: of the values
that are observed Lambda and so the KL are independent.
"""

from __future__ import annotations

import datetime
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
from jax.flatten_util import ravel_pytree
from numpyro import handlers
from numpyro.infer.util import log_density

from tests.support.execution import Model, is_latent, structure


@dataclass(frozen=True)
class Figures:
    """What is known of a parameterization at the best values of its coefficients."""

    dims: int
    coefficients: int
    kl: float
    sd_mu: float
    exact_sd_mu: float
    log_evidence: float
    iterations: int


def figures(
    model: Model, args: Sequence[Any], kwargs: Mapping[str, Any], iterations: int = 10_000
) -> Figures:
    """The best diagonal normal over the latents of a model, and its best coefficients.

    args, kwargs: of a call, with what is observed; one of the latents is the scalar mu. To be
    called in `double_precision`. Raises RuntimeError if the minimum isn't found, or if what
    the formulae take for granted isn't so.
    """
    trace = structure(model, args, dict(kwargs))
    start, restore = ravel_pytree(
        {name: site["args"][0] for name, site in trace.items() if site["type"] == "param"}
    )
    latents = {n: jnp.zeros(s["value"].shape) for n, s in trace.items() if is_latent(s)}
    origin, to_latents = ravel_pytree(latents)
    # Which of the coordinates is mu?
    is_mu, _ = ravel_pytree({name: jnp.full(v.shape, name == "mu") for name, v in latents.items()})
    (mu,) = np.flatnonzero(is_mu)

    seeded = handlers.seed(model, rng_seed=0)

    def density(latents: jax.Array, coefficients: jax.Array) -> jax.Array:
        values = {**restore(coefficients), **to_latents(latents)}
        total: jax.Array = log_density(seeded, args, dict(kwargs), values)[0]
        return total

    hessian = jax.hessian(density)
    best, steps = start, 0
    if start.size:
        best, steps = _minimum(
            lambda coefficients: -hessian(origin, coefficients), start, iterations
        )

    @jax.jit
    def at(latents: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        value, slope = jax.value_and_grad(density)(latents, best)
        return value, slope, -hessian(latents, best)

    # A quadratic's Newton step from anywhere ends at its maximum, where its gradient is zero.
    _, slope, precision = map(np.asarray, at(origin))
    covariance = np.linalg.inv(precision)
    value, slope, elsewhere = map(np.asarray, at(jnp.asarray(covariance @ slope)))
    little = 1e-9 * np.abs(precision).max()
    if np.abs(elsewhere - precision).max() > little or np.abs(slope).max() > little:
        raise RuntimeError("the log density is not quadratic")
    log_det = np.linalg.slogdet(precision)[1]
    return Figures(
        dims=origin.size,
        coefficients=start.size,
        kl=float(0.5 * (np.log(np.diagonal(precision)).sum() - log_det)),
        sd_mu=float(precision[mu, mu] ** -0.5),
        exact_sd_mu=float(covariance[mu, mu] ** 0.5),
        log_evidence=float(value + 0.5 * origin.size * np.log(2 * np.pi) - 0.5 * log_det),
        iterations=steps,
    )


def _minimum(
    precision: Callable[[jax.Array], jax.Array], start: jax.Array, iterations: int
) -> tuple[jax.Array, int]:
    """The coefficients of least KL and the number of iterations. Raises RuntimeError."""

    @jax.jit
    def kl_and_slope(coefficients: jax.Array) -> tuple[jax.Array, jax.Array]:
        # The derivative of log det is the inverse. Written out, as that of jax's own Cholesky
        # factor takes ten times as long.
        value, pull_back = jax.vjp(precision, coefficients)
        diagonal = jnp.diagonal(value)
        kl = 0.5 * (jnp.sum(jnp.log(diagonal)) - jnp.linalg.slogdet(value)[1])
        (slope,) = pull_back(0.5 * (jnp.diag(1 / diagonal) - jnp.linalg.inv(value)))
        return kl, slope

    # The valley is narrow here too: with less memory than this it takes many more steps.
    options = {"maxcor": 30, "ftol": 1e-8, "maxiter": iterations, "maxfun": 2 * iterations}
    found = scipy.optimize.minimize(
        kl_and_slope, start, jac=True, method="L-BFGS-B", options=options
    )
    if not found.success:
        raise RuntimeError(f"no minimum after {found.nit} iterations: {found.message}")
    return jnp.asarray(found.x), int(found.nit)


def check_same_posterior(plain: Figures, other: Figures) -> None:
    """A parameterization changes neither the evidence nor the posterior of mu."""
    pairs = {
        "log evidence": (plain.log_evidence, other.log_evidence),
        "posterior sd of mu": (plain.exact_sd_mu, other.exact_sd_mu),
    }
    for what, (expected, found) in pairs.items():
        if not np.isclose(expected, found, rtol=1e-6, atol=0):
            raise RuntimeError(f"the {what} is {found:.10g} and was {expected:.10g}")


def heading(name: str) -> str:
    """When, how and with what a benchmark was run, in three lines."""
    packages = ("reparam-rewrite", "numpyro", "jax", "scipy")
    versions = [f"Python {platform.python_version()}", *(f"{p} {version(p)}" for p in packages)]
    command = " ".join([f"python -m tests.benchmarks.{name}", *sys.argv[1:]])
    return f"{datetime.date.today().isoformat()}\n{command}\n{', '.join(versions)}\n"
