"""A regression on what is only measured with error, so that the true values are sampled. After
McElreath's divorce rates with measurement error."""

import numpy as np
import numpyro
import numpyro.distributions as dist


def model(x_seen, x_sd, y_sd, y_seen=None):
    n = len(x_seen)
    mu_x = numpyro.sample("mu_x", dist.Normal(0, 5))
    sd_x = numpyro.sample("sd_x", dist.Exponential(1))
    a = numpyro.sample("a", dist.Normal(0, 5))
    b = numpyro.sample("b", dist.Normal(0, 2))
    sigma = numpyro.sample("sigma", dist.Exponential(1))
    with numpyro.plate("states", n):
        x_true = numpyro.sample("x_true", dist.Normal(mu_x, sd_x))
        y_true = numpyro.sample("y_true", dist.Normal(a + b * x_true, sigma))
        numpyro.sample("x_seen", dist.Normal(x_true, x_sd), obs=x_seen)
        numpyro.sample("y_seen", dist.Normal(y_true, y_sd), obs=y_seen)


def example_args():
    rng = np.random.default_rng(35)
    x = 2.0 + rng.normal(size=50)
    y = 1.0 + 0.8 * x + 0.5 * rng.normal(size=50)
    x_sd, y_sd = rng.uniform(0.1, 0.6, size=50), rng.uniform(0.2, 0.8, size=50)
    x_seen, y_seen = x + x_sd * rng.normal(size=50), y + y_sd * rng.normal(size=50)
    return (x_seen, x_sd, y_sd), {"y_seen": y_seen}
