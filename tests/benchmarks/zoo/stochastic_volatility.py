"""The daily returns of a share, whose log volatility walks (Hoffman and Gelman 2014). After
NumPyro's stochastic volatility example; 150 days are simulated."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(returns):
    step_size = numpyro.sample("sigma", dist.Exponential(50.0))
    s = numpyro.sample(
        "s", dist.GaussianRandomWalk(scale=step_size, num_steps=jnp.shape(returns)[0])
    )
    nu = numpyro.sample("nu", dist.Exponential(0.1))
    return numpyro.sample("r", dist.StudentT(df=nu, loc=0.0, scale=jnp.exp(s)), obs=returns)


def example_args():
    rng = np.random.default_rng(17)
    s = np.cumsum(0.12 * rng.normal(size=150))
    return (np.exp(s) * rng.standard_t(8, size=150),), {}
