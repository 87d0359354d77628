"""Radon in houses: each county has its own level, and its own effect of the floor."""

import numpyro
import numpyro.distributions as dist


def model(county, floor, n_counties, log_radon=None):
    """The log of the radon measured on a floor (0: the basement) of a county's houses."""
    mu_a = numpyro.sample("mu_a", dist.Normal(0, 5))
    sigma_a = numpyro.sample("sigma_a", dist.HalfNormal(1))
    mu_b = numpyro.sample("mu_b", dist.Normal(0, 5))
    sigma_b = numpyro.sample("sigma_b", dist.HalfNormal(1))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1))

    with numpyro.plate("counties", n_counties):
        a = numpyro.sample("a", dist.Normal(mu_a, sigma_a))
        b = numpyro.sample("b", dist.Normal(mu_b, sigma_b))

    mean = a[county] + b[county] * floor
    with numpyro.plate("houses", len(county)):
        numpyro.sample("log_radon", dist.Normal(mean, sigma), obs=log_radon)
