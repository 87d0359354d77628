"""A level that drifts from year to year, under noise: a local level and a trend, in a scan."""

import numpyro
import numpyro.distributions as dist
from numpyro.contrib.control_flow import scan


def model(n_years, flow=None):
    """flow: what the Nile carried in each year."""
    sigma_level = numpyro.sample("sigma_level", dist.HalfNormal(1))
    sigma = numpyro.sample("sigma", dist.HalfNormal(2))
    start = numpyro.sample("start", dist.Normal(10, 5))
    trend = numpyro.sample("trend", dist.Normal(0, 0.1))

    def step(last, _):
        level = numpyro.sample("level", dist.Normal(last + trend, sigma_level))
        return level, level

    _, levels = scan(step, start, None, length=n_years)
    with numpyro.plate("years", n_years):
        numpyro.sample("flow", dist.Normal(levels, sigma), obs=flow)
