"""A line that breaks at a time that is sampled: two slopes that meet there. After McElreath's and
PyMC's change points, made continuous."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(t, y=None):
    tau = numpyro.sample("tau", dist.Uniform(0.0, 10.0))
    level = numpyro.sample("level", dist.Normal(0.0, 20.0))
    before = numpyro.sample("before", dist.Normal(0.0, 5.0))
    after = numpyro.sample("after", dist.Normal(0.0, 5.0))
    sigma = numpyro.sample("sigma", dist.HalfNormal(5.0))
    since = t - tau
    mu = level + before * jnp.minimum(since, 0.0) + after * jnp.maximum(since, 0.0)
    numpyro.sample("y", dist.Normal(mu, sigma), obs=y)


def example_args():
    rng = np.random.default_rng(26)
    t = np.linspace(0.0, 10.0, 80)
    mu = 15.0 + 0.5 * np.minimum(t - 6.0, 0.0) + 3.0 * np.maximum(t - 6.0, 0.0)
    return (t,), {"y": mu + rng.normal(size=80)}
