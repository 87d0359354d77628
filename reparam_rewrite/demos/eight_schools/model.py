"""What coaching is worth in eight schools, each around a common mean."""

import numpyro
import numpyro.distributions as dist


def model(sigma, y=None):
    """y: the estimate of each school's effect; sigma: its standard error."""
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    tau = numpyro.sample("tau", dist.HalfCauchy(5))
    with numpyro.plate("schools", len(sigma)):
        theta = numpyro.sample("theta", dist.Normal(mu, tau))
        numpyro.sample("y", dist.Normal(theta, sigma), obs=y)
