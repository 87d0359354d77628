"""Radon in houses of counties, whose levels are around a line in the soil's uranium. After Gelman
and Hill (2006) and PyMC's primer on multilevel modelling; the data are simulated."""

import numpy as np
import numpyro
import numpyro.distributions as dist


def model(county, floor, log_uranium, log_radon=None):
    n_counties = log_uranium.shape[0]
    gamma_0 = numpyro.sample("gamma_0", dist.Normal(0.0, 10.0))
    gamma_1 = numpyro.sample("gamma_1", dist.Normal(0.0, 10.0))
    sigma_a = numpyro.sample("sigma_a", dist.Exponential(1.0))
    mu_a = numpyro.deterministic("mu_a", gamma_0 + gamma_1 * log_uranium)
    with numpyro.plate("county", n_counties):
        alpha = numpyro.sample("alpha", dist.Normal(mu_a, sigma_a))
    beta = numpyro.sample("beta", dist.Normal(0.0, 10.0))
    sigma_y = numpyro.sample("sigma_y", dist.Exponential(1.0))
    theta = alpha[county] + beta * floor
    with numpyro.plate("homes", county.shape[0]):
        numpyro.sample("log_radon", dist.Normal(theta, sigma_y), obs=log_radon)


def example_args():
    rng = np.random.default_rng(7)
    log_uranium = 0.4 * rng.normal(size=50)
    county = np.concatenate([np.arange(50), rng.choice(50, 450, p=rng.dirichlet(np.ones(50)))])
    floor = (rng.uniform(size=500) < 0.17).astype(float)
    alpha = 1.5 + 0.7 * log_uranium + 0.15 * rng.normal(size=50)
    return (county, floor, log_uranium), {
        "log_radon": alpha[county] - 0.7 * floor + 0.75 * rng.normal(size=500)
    }
