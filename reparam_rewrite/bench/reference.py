"""What sds are compared with: exact ones of a normal posterior, else those of a long run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from reparam_rewrite.bench.chains import Sampler, deviations
from reparam_rewrite.bench.values import Options, Reference, Variant
from reparam_rewrite.fit.pilots import DENSE, Run, hessian, unconstrained
from reparam_rewrite.running.call import Call

#: Beyond this no matrix of second derivatives is made.
LARGEST = 4_000


def exact(call: Call, seed: int = 0) -> Reference | None:
    """The sds of a posterior whose density has the same second derivatives everywhere.

    They are compared at two points, in unconstrained space: both must agree to 1e-8 of the largest.
    """
    if not all(site_is_real(call.trace[name]) for name in call.latents):
        return None
    space = unconstrained(Run(call.model, call.args, call.kwargs, call.latents), seed)
    dims = len(space.start)
    if dims > LARGEST:
        return None
    slope = jax.grad(space.potential)
    rng = np.random.default_rng(seed)
    first = np.asarray(hessian(space)(space.start))
    # A product with a few directions tells the second matrix apart, and costs next to nothing.
    elsewhere = jnp.asarray(space.start + rng.normal(size=dims))
    directions = jnp.asarray(rng.normal(size=(3, dims)))
    products = jax.jit(jax.vmap(lambda v: jax.jvp(slope, (elsewhere,), (v,))[1]))(directions)
    if not np.allclose(products, directions @ first, rtol=0, atol=1e-8 * np.abs(first).max()):
        return None
    try:
        covariance = np.linalg.inv(np.linalg.cholesky(0.5 * (first + first.T)))
    except np.linalg.LinAlgError:
        return None
    sd = space.apart(jnp.asarray(np.sqrt((covariance**2).sum(axis=0))))
    found = {name: np.asarray(sd[name]).tolist() for name in call.latents}
    return Reference("exact, as the posterior is normal", True, found)


def site_is_real(site: Mapping[str, Any]) -> bool:
    shape = np.shape(site["value"]) if not hasattr(site["value"], "shape") else site["value"].shape
    support = site["fn"].support
    support = getattr(support, "base_constraint", support)
    return type(support).__name__ == "_Real" and tuple(site["real_shape"]) == tuple(shape)


def long_run(call: Call, variant: Variant, dims: int, options: Options) -> Reference:
    """NUTS on `variant`, of twice the chains and twice the length of the others."""
    longer = Options(
        draws=2 * options.draws,
        warmup=2 * options.warmup,
        chains=2 * options.chains,
        limit=4 * options.limit,
    )
    dense = dims <= DENSE
    sampled = Variant(variant.name, variant.kind, variant.model, variant.identity, dense=dense)
    found, values = Sampler(sampled, call.args, call.kwargs, call.latents, longer).run(key=12_345)
    if found.failed or not math.isfinite(found.least):
        raise RuntimeError(f"the long run for reference: {found.failed or 'no numbers'}")
    mass = "a dense" if dense else "a diagonal"
    how = f"NUTS on '{variant.name}' with {mass} mass matrix, {longer.chains} x {found.draws} draws"
    sd = {name: value.tolist() for name, value in deviations(values).items()}
    return Reference(how, False, sd, found.least)
