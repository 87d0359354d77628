"""Weekly counts whose log rate is around a mean that it comes back to, step by step in a scan.
After NumPyro's tutorial on time series and its AR(2) example."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.contrib.control_flow import scan


def model(n_weeks, counts=None):
    mu = numpyro.sample("mu", dist.Normal(0.0, 3.0))
    phi = numpyro.sample("phi", dist.Uniform(0.0, 1.0))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1.0))
    start = numpyro.sample("start", dist.Normal(mu, sigma / jnp.sqrt(1.0 - phi**2)))

    def step(before, _):
        state = numpyro.sample("state", dist.Normal(mu + phi * (before - mu), sigma))
        return state, state

    _, states = scan(step, start, jnp.arange(n_weeks))
    with numpyro.plate("weeks", n_weeks):
        numpyro.sample("counts", dist.Poisson(jnp.exp(states)), obs=counts)


def example_args():
    rng = np.random.default_rng(18)
    state, states = 2.0, []
    for _ in range(80):
        state = 2.0 + 0.8 * (state - 2.0) + 0.3 * rng.normal()
        states.append(state)
    return (80,), {"counts": rng.poisson(np.exp(states))}
