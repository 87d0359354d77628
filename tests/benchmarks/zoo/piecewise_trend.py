"""A trend whose slope changes at ten given times, mostly by little, with a Laplace prior. After
Prophet's model (Taylor and Letham 2018) as it is written for PyMC."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(t, changepoints, y=None):
    k = numpyro.sample("k", dist.Normal(0.0, 5.0))
    m = numpyro.sample("m", dist.Normal(0.0, 5.0))
    tau = numpyro.sample("tau", dist.HalfNormal(1.0))
    with numpyro.plate("changes", changepoints.shape[0]):
        delta = numpyro.sample("delta", dist.Laplace(0.0, tau))
    A = (t[:, None] > changepoints) * 1.0
    growth = k + jnp.dot(A, delta)
    offset = m + jnp.dot(A, -changepoints * delta)
    sigma = numpyro.sample("sigma", dist.HalfNormal(0.5))
    numpyro.sample("y", dist.Normal(growth * t + offset, sigma), obs=y)


def example_args():
    rng = np.random.default_rng(21)
    t, changepoints = np.linspace(0.0, 1.0, 150), np.linspace(0.05, 0.85, 10)
    slopes = np.array([0, 0, 2.0, 0, 0, -3.0, 0.3, 0, 0, 0])
    trend = 1.0 + 0.5 * t + np.maximum(t[:, None] - changepoints, 0) @ slopes
    return (t, changepoints), {"y": trend + 0.08 * rng.normal(size=150)}
