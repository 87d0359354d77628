"""A straight line through points with outliers, by a StudentT. After PyMC's and Bambi's robust
regression."""

import numpy as np
import numpyro
import numpyro.distributions as dist


def model(x, y=None):
    intercept = numpyro.sample("intercept", dist.Normal(0, 20))
    slope = numpyro.sample("slope", dist.Normal(0, 20))
    sigma = numpyro.sample("sigma", dist.HalfCauchy(10))
    nu = numpyro.sample("nu", dist.Gamma(2.0, 0.1))
    mean = numpyro.deterministic("mean", intercept + slope * x)
    with numpyro.plate("data", x.shape[0]):
        numpyro.sample("y", dist.StudentT(nu, mean, sigma), obs=y)


def example_args():
    rng = np.random.default_rng(2)
    x = np.linspace(3.0, 6.0, 100)
    y = 1.0 + 2.0 * x + 0.5 * rng.normal(size=100)
    y[::12] += rng.uniform(5.0, 12.0, size=9)
    return (x,), {"y": y}
