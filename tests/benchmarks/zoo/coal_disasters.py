"""Disasters in British coal mines from 1851 to 1961 (Jarrett 1979), with a log rate that walks.
The data are those of PyMC's case study."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist

#: How many there were in each year.
DISASTERS = (
    "4540143406334026335453144155342522342132211113001011003"
    "10322011101010002100011023311211112420014000100000100101"
)


def model(years, disasters=None):
    log_rate_0 = numpyro.sample("log_rate_0", dist.Normal(0.0, 2.0))
    drift_sd = numpyro.sample("drift_sd", dist.HalfNormal(0.5))
    with numpyro.plate("steps", years - 1):
        step = numpyro.sample("step", dist.Normal(0.0, drift_sd))
    walk = jnp.concatenate([jnp.zeros(1), jnp.cumsum(step)])
    rate = numpyro.deterministic("rate", jnp.exp(log_rate_0 + walk))
    with numpyro.plate("years", years):
        numpyro.sample("disasters", dist.Poisson(rate), obs=disasters)


def example_args():
    return (111,), {"disasters": np.array([*DISASTERS], int)}
