"""Regression on eight predictors whose coefficients share a scale that is sampled, centred. After
Bambi's shrinkage priors."""

import jax.numpy as jnp
import numpy as np
import numpyro
from numpyro import distributions as dist
from numpyro import plate, sample


def model(X, y=None):
    n, p = X.shape
    alpha = sample("alpha", dist.Normal(0, 5))
    tau = sample("tau", dist.HalfNormal(1))
    with plate("predictors", p):
        beta = sample("beta", dist.Normal(0, tau))
    sigma = sample("sigma", dist.HalfNormal(2))
    mu = numpyro.deterministic("mu", alpha + jnp.matmul(X, beta))
    with plate("n", n):
        sample("y", dist.Normal(mu, sigma), obs=y)


def example_args():
    rng = np.random.default_rng(5)
    common = rng.normal(size=(80, 1))
    X = 2.0 + common + 0.6 * rng.normal(size=(80, 8))
    beta = 0.4 * rng.normal(size=8)
    return (X,), {"y": 3.0 + X @ beta + rng.normal(size=80)}
