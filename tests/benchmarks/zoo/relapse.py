"""Weeks to a relapse, exponential and right-censored, by a masked pair of observed sites. After
NumPyro's tutorial on censored data and BUGS' Mice and Leuk."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro import handlers


def model(X, weeks, censored):
    b0 = numpyro.sample("b0", dist.Normal(0, 5))
    b = numpyro.sample("b", dist.Normal(0, 1).expand([X.shape[1]]).to_event(1))
    log_rate = b0 + X @ b
    with numpyro.plate("patients", X.shape[0]):
        with handlers.mask(mask=~censored):
            numpyro.sample("relapsed", dist.Exponential(jnp.exp(log_rate)), obs=weeks)
        with handlers.mask(mask=censored):
            still_well = jnp.exp(-jnp.exp(log_rate) * weeks)
            numpyro.sample("well", dist.Bernoulli(still_well), obs=jnp.ones(X.shape[0]))


def example_args():
    rng = np.random.default_rng(28)
    X = np.column_stack([rng.integers(2, size=120), 3.0 + rng.normal(size=120)]).astype(float)
    time = rng.exponential(np.exp(1.5 + 1.2 * X[:, 0] - 0.3 * X[:, 1]) * 3.0)
    end = rng.uniform(4.0, 35.0, size=120)
    return (X, np.minimum(time, end), time > end), {}
