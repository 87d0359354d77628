"""The daily returns of a price, whose log volatility walks."""

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


def model(n_days, returns=None):
    """The returns in per cent; Hoffman and Gelman (2014)."""
    sigma = numpyro.sample("sigma", dist.Exponential(50))
    nu = numpyro.sample("nu", dist.Exponential(0.1))
    s = numpyro.sample("s", dist.GaussianRandomWalk(sigma, num_steps=n_days))
    with numpyro.plate("days", n_days):
        numpyro.sample("returns", dist.StudentT(nu, 0, jnp.exp(s)), obs=returns)
