"""A level that walks under noisy observations, a fifth of which are missing. After the local level
models of NumPyro's and PyMC's forums."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(n_steps, y=None, seen=None):
    sigma_level = numpyro.sample("sigma_level", dist.HalfNormal(1.0))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1.0))
    start = numpyro.sample("start", dist.Normal(0.0, 10.0))
    walk = numpyro.sample("walk", dist.GaussianRandomWalk(scale=sigma_level, num_steps=n_steps))
    level = numpyro.deterministic("level", start + walk)
    mask = jnp.ones(n_steps, dtype=bool) if seen is None else seen
    with numpyro.plate("time", n_steps), numpyro.handlers.mask(mask=mask):
        numpyro.sample("y", dist.Normal(level, sigma), obs=y)


def example_args():
    rng = np.random.default_rng(16)
    level = 12.0 + np.cumsum(0.4 * rng.normal(size=100))
    seen = rng.uniform(size=100) < 0.8
    y = np.where(seen, level + 0.8 * rng.normal(size=100), 0.0)
    return (100,), {"y": y, "seen": seen}
