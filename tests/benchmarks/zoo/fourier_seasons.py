"""Ten years of monthly passengers: a trend and Fourier terms of the year. After PyMC's air
passengers with a model like Prophet's; the data are simulated."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(t, fourier, y=None):
    alpha = numpyro.sample("alpha", dist.Normal(0.0, 5.0))
    trend = numpyro.sample("trend", dist.Normal(0.0, 5.0))
    with numpyro.plate("terms", fourier.shape[-1]):
        beta = numpyro.sample("beta", dist.Normal(0.0, 0.5))
    sigma = numpyro.sample("sigma", dist.HalfNormal(0.5))
    seasonality = numpyro.deterministic("seasonality", jnp.dot(fourier, beta))
    mu = alpha + trend * t + seasonality
    with numpyro.plate("months", t.shape[0]):
        numpyro.sample("y", dist.Normal(mu, sigma), obs=y)


def example_args():
    rng = np.random.default_rng(20)
    months = np.arange(120)
    angles = 2 * np.pi * months[:, None] * np.arange(1, 6) / 12
    fourier = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    beta = 0.15 * rng.normal(size=10) / np.tile(np.arange(1, 6), 2)
    t = months / 120.0
    y = 4.8 + 1.2 * t + fourier @ beta + 0.05 * rng.normal(size=120)
    return (t, fourier), {"y": y}
