"""What the cure is worth where it can be computed exactly: an additive tensor with fixed scales.

    python -m tests.benchmarks.gaussian_tensor

With its scales fixed the model is Gaussian, and so is its posterior, in the coordinates of any
parameterization that the program writes. With Lambda the precision in these coordinates, the
diagonal normal q that is closest to the posterior p has its mean and the precisions Lambda_ii, and

    KL(q || p) = 1/2 (sum_i log Lambda_ii - log det Lambda)

Every parameterization is rewritten by the program, Lambda is the Hessian of the generated model's
own log density in its own latents, and learned coefficients are those that minimise the KL, from
where the config starts them. mu has no parents: its sd under q is 1 / sqrt(Lambda_mu,mu). Nothing
is sampled besides the data, of which Lambda and so the table are independent.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import sys
import time
from collections.abc import Callable
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

from reparam_rewrite.messages import Refusal
from tests.support.cases import rewritten
from tests.support.execution import (
    Model,
    double_precision,
    is_latent,
    load_model,
    structure,
    traced,
)

SIZES = (8, 6, 10)
SEED = 0

MODEL = '''\
"""An additive model of a three-way table with known scales."""

import numpyro
import numpyro.distributions as dist


def model(n_i, n_j, n_t, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    with numpyro.plate("i", n_i):
        a = numpyro.sample("a", dist.Normal(0, 1))
    with numpyro.plate("j", n_j):
        b = numpyro.sample("b", dist.Normal(0, 1))
    z = numpyro.sample("z", dist.GaussianRandomWalk(0.5, num_steps=n_t))
    with numpyro.plate("i", n_i):
        A = numpyro.sample("A", dist.GaussianRandomWalk(0.3, num_steps=n_t))
    with numpyro.plate("j", n_j):
        B = numpyro.sample("B", dist.GaussianRandomWalk(0.3, num_steps=n_t))
    with numpyro.plate("i", n_i):
        C = numpyro.sample("C", dist.Normal(0, 0.5).expand([n_j]).to_event(1))

    mean = mu + a[:, None, None] + b[:, None] + z + A[:, None] + B + C[:, :, None]
    numpyro.sample("y", dist.Normal(mean, 0.1), obs=y)
'''

CHAIN = 'chain = ["mu", "a", "b", "z", "A", "B", "C"]\n'
MU_ONLY = """\
chain = [["mu", "a"], ["mu", "b"], ["mu", "z"], ["mu", "A"], ["mu", "B"], ["mu", "C"]]
"""
SHARED = '[defaults]\ncoefficient = "shared"\n'
ONES = "[defaults]\ninit = 1.0\nlearn = false\n"
DCT = '[sites.z]\nbasis = "dct"\n[sites.A]\nbasis = "dct"\n[sites.B]\nbasis = "dct"\n'
DCT_OF_ALL = "".join(f'[sites.{site}]\nbasis = "dct"\n' for site in "abz") + "".join(
    f'[sites.{site}.basis]\nkind = "dct"\ndim = [-1, -2]\n' for site in "ABC"
)


@dataclass(frozen=True)
class Entry:
    """A line of the table. `needs`: what the generated source must contain to be what it says."""

    name: str
    config: str | None
    needs: str = ""


PLAIN = Entry("as written", None)
CHAIN_OF_ONES = Entry("full chain, coefficients 1", CHAIN + ONES)
ENTRIES = [
    PLAIN,
    Entry("offsets by mu only, shared", MU_ONLY + SHARED),
    Entry("offsets by mu only, elementwise", MU_ONLY),
    CHAIN_OF_ONES,
    Entry("full chain, shared", CHAIN + SHARED),
    Entry("full chain, elementwise", CHAIN),
    Entry("full chain, shared, DCT", CHAIN + SHARED + DCT, needs="DiscreteCosineTransform("),
    Entry("full chain, elementwise, DCT", CHAIN + DCT, needs="DiscreteCosineTransform("),
    Entry("full chain, shared, DCT of all axes", CHAIN + SHARED + DCT_OF_ALL, needs="PlateDCT("),
]


class Unsupported(Exception):
    """The program does not write the parameterization of an entry."""


@dataclass(frozen=True)
class Figures:
    """What is known of a parameterization at the best values of its coefficients."""

    coefficients: int
    kl: float
    sd_mu: float
    exact_sd_mu: float
    log_evidence: float
    iterations: int


def source_of(entry: Entry) -> str:
    """The model as the program rewrites it. Raises `Unsupported`."""
    if entry.config is None:
        return MODEL
    try:
        source = rewritten(MODEL, entry.config).data.decode()
    except Refusal as refusal:
        if entry.needs:
            raise Unsupported(f"refused: {str(refusal).splitlines()[0]}") from refusal
        raise
    if entry.needs not in source:
        # A key that is read and then ignored must not pass for what it promises.
        raise Unsupported(f"accepted, but the generated model has no {entry.needs.rstrip('(')}")
    return source


def simulated() -> jax.Array:
    """Data drawn from the model as written."""
    y: jax.Array = traced(load_model(MODEL), SIZES, {}, key=SEED)["y"]["value"]
    return y


def figures(source: str, y: jax.Array, iterations: int = 10_000) -> Figures:
    """The best diagonal normal over the latents of a model, and its best coefficients.

    To be called in `double_precision`. Raises RuntimeError if the minimum isn't found, or if what
    the formulae take for granted isn't so.
    """
    model = load_model(source)
    trace = structure(model, SIZES, {"y": y})
    start, restore = ravel_pytree(
        {name: site["args"][0] for name, site in trace.items() if site["type"] == "param"}
    )
    latents = {n: jnp.zeros(s["value"].shape) for n, s in trace.items() if is_latent(s)}
    origin, to_latents = ravel_pytree(latents)
    # Which of the coordinates is mu?
    is_mu, _ = ravel_pytree({name: jnp.full(v.shape, name == "mu") for name, v in latents.items()})
    (mu,) = np.flatnonzero(is_mu)

    density = _density(model, y, restore, to_latents)
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
        coefficients=start.size,
        kl=float(0.5 * (np.log(np.diagonal(precision)).sum() - log_det)),
        sd_mu=float(precision[mu, mu] ** -0.5),
        exact_sd_mu=float(covariance[mu, mu] ** 0.5),
        log_evidence=float(value + 0.5 * origin.size * np.log(2 * np.pi) - 0.5 * log_det),
        iterations=steps,
    )


def _density(
    model: Model,
    y: jax.Array,
    to_params: Callable[[jax.Array], dict[str, Any]],
    to_latents: Callable[[jax.Array], dict[str, Any]],
) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """The log density of latents and data as a function of flat latents and coefficients."""
    seeded = handlers.seed(model, rng_seed=0)

    def density(latents: jax.Array, coefficients: jax.Array) -> jax.Array:
        values = {**to_params(coefficients), **to_latents(latents)}
        total: jax.Array = log_density(seeded, SIZES, {"y": y}, values)[0]
        return total

    return density


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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--iterations", type=int, default=10_000, help="at most, of L-BFGS-B")
    iterations = parser.parse_args().iterations

    packages = ("reparam-rewrite", "numpyro", "jax", "scipy")
    print(datetime.date.today().isoformat())
    print(" ".join(["python -m tests.benchmarks.gaussian_tensor", *sys.argv[1:]]))
    print(
        ", ".join([f"Python {platform.python_version()}"] + [f"{p} {version(p)}" for p in packages])
    )
    print()
    heading = ("parameterization", "coefficients", "KL", "sd(mu)/exact", "iterations", "seconds")
    print("{:34} {:>12} {:>6} {:>12} {:>10} {:>7}".format(*heading))
    with double_precision():
        y = simulated()
        plain = figures(MODEL, y)
        for entry in ENTRIES:
            started = time.perf_counter()
            try:
                source = source_of(entry)
            except Unsupported as reason:
                print(f"{entry.name:34} skipped, {reason}")
                continue
            result = figures(source, y, iterations)
            check_same_posterior(plain, result)
            print(
                f"{entry.name:34} {result.coefficients:12} {result.kl:6.1f}"
                f" {result.sd_mu / result.exact_sd_mu:12.3f} {result.iterations:10}"
                f" {time.perf_counter() - started:7.1f}",
                flush=True,
            )
    print()
    print(f"log evidence {plain.log_evidence:.3f}, exact sd(mu) {plain.exact_sd_mu:.4f} in all")


if __name__ == "__main__":
    main()
