"""A series with a level that drifts by a slope, which drifts itself, step by step."""

import numpyro
import numpyro.distributions as dist
from numpyro.contrib.control_flow import scan


def model(n_steps, y=None):
    """y: the series, in units in which it moves by about 1 a step."""
    sigma_level = numpyro.sample("sigma_level", dist.HalfNormal(1))
    sigma_slope = numpyro.sample("sigma_slope", dist.HalfNormal(0.5))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1))
    start = numpyro.sample("start", dist.Normal(0, 10))
    growth = numpyro.sample("growth", dist.Normal(0, 1))

    def step(state, _):
        last_level, last_slope = state
        slope = numpyro.sample("slope", dist.Normal(last_slope, sigma_slope))
        level = numpyro.sample("level", dist.Normal(last_level + slope, sigma_level))
        return (level, slope), level

    _, level = scan(step, (start, growth), None, length=n_steps)
    with numpyro.plate("steps", n_steps):
        numpyro.sample("y", dist.Normal(level, sigma), obs=y)
