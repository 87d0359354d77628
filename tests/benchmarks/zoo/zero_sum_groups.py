"""Means of 8 groups with few values each, as deviations that sum to zero from a mean. After PyMC's
ZeroSumNormal."""

import numpy as np
import numpyro
import numpyro.distributions as dist


def model(group, n_groups, y=None):
    mean = numpyro.sample("mean", dist.Normal(0, 10))
    sd = numpyro.sample("sd", dist.HalfNormal(3))
    deviation = numpyro.sample("deviation", dist.ZeroSumNormal(sd, event_shape=(n_groups,)))
    sigma = numpyro.sample("sigma", dist.HalfNormal(3))
    with numpyro.plate("values", len(group)):
        numpyro.sample("y", dist.Normal(mean + deviation[group], sigma), obs=y)


def example_args():
    rng = np.random.default_rng(32)
    group = np.repeat(np.arange(8), rng.integers(2, 6, size=8))
    y = 5.0 + 1.5 * rng.normal(size=8)[group] + rng.normal(size=len(group))
    return (group, 8), {"y": y}
