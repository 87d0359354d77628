"""A response that doesn't fall from dose to dose: steps that are a simplex (Bürkner and Charpentier
2020), in 15 clinics. After NumPyro's and brms' monotonic effects."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(dose, clinic, n_doses, response=None):
    base = numpyro.sample("base", dist.Normal(0.0, 10.0))
    total = numpyro.sample("total", dist.HalfNormal(10.0))
    steps = numpyro.sample("steps", dist.Dirichlet(2.0 * jnp.ones(n_doses - 1)))
    effect = total * jnp.concatenate([jnp.zeros(1), jnp.cumsum(steps)])
    sigma_clinic = numpyro.sample("sigma_clinic", dist.HalfNormal(2.0))
    with numpyro.plate("clinics", 15):
        u = numpyro.sample("u", dist.Normal(0.0, sigma_clinic))
    sigma = numpyro.sample("sigma", dist.HalfNormal(3.0))
    with numpyro.plate("patients", dose.shape[0]):
        mu = base + effect[dose] + u[clinic]
        numpyro.sample("response", dist.Normal(mu, sigma), obs=response)


def example_args():
    rng = np.random.default_rng(33)
    dose, clinic = rng.integers(6, size=150), rng.integers(15, size=150)
    effect = np.array([0.0, 0.2, 1.5, 3.0, 3.3, 3.4])
    mu = 10.0 + effect[dose] + 0.8 * rng.normal(size=15)[clinic]
    return (dose, clinic, 6), {"response": mu + rng.normal(size=150)}
