"""Days of absence by school and mathematics score, overdispersed. After Bambi's negative binomial
regression, with 20 schools; the data are simulated."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(school, math, days=None):
    alpha = numpyro.sample("alpha", dist.Normal(0.0, 3.0))
    beta = numpyro.sample("beta", dist.Normal(0.0, 1.0))
    sd = numpyro.sample("sd", dist.HalfNormal(1.0))
    concentration = numpyro.sample("concentration", dist.Exponential(0.5))
    with numpyro.plate("schools", 20):
        u = numpyro.sample("u", dist.Normal(0.0, sd))
    mean = jnp.exp(alpha + beta * math + u[school])
    with numpyro.plate("pupils", len(school)):
        numpyro.sample("days", dist.NegativeBinomial2(mean, concentration), obs=days)


def example_args():
    rng = np.random.default_rng(13)
    school, math = rng.integers(20, size=320), rng.normal(size=320)
    mean = np.exp(1.6 - 0.3 * math + 0.4 * rng.normal(size=20)[school])
    return (school, math), {"days": rng.poisson(mean * rng.gamma(1.5, 1 / 1.5, size=320))}
