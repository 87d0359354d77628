"""How long patients live in 12 hospitals, by treatment, where some are still alive: their survival
is a factor. After PyMC's and Stan's Weibull survival models."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(hospital, treated, time, died):
    beta_0 = numpyro.sample("beta_0", dist.Normal(0.0, 3.0))
    beta_1 = numpyro.sample("beta_1", dist.Normal(0.0, 1.0))
    shape = numpyro.sample("shape", dist.LogNormal(0.0, 0.5))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1.0))
    with numpyro.plate("hospitals", 12):
        frailty = numpyro.sample("frailty", dist.Normal(0.0, sigma))
    log_scale = beta_0 + beta_1 * treated + frailty[hospital]
    ratio = jnp.exp(shape * (jnp.log(time) - log_scale))
    log_hazard = jnp.log(shape) - jnp.log(time) + shape * (jnp.log(time) - log_scale)
    with numpyro.plate("patients", time.shape[0]):
        numpyro.factor("likelihood", died * log_hazard - ratio)


def example_args():
    rng = np.random.default_rng(27)
    hospital, treated = rng.integers(12, size=240), rng.integers(2, size=240).astype(float)
    scale = np.exp(2.5 + 0.5 * treated + 0.3 * rng.normal(size=12)[hospital])
    time = scale * rng.weibull(1.4, size=240)
    end = rng.uniform(5.0, 30.0, size=240)
    return (hospital, treated, np.minimum(time, end), (time <= end).astype(float)), {}
