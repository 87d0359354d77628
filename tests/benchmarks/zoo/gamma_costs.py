"""What stays in hospital cost, positive and skewed, by ward and days. After Bambi's gamma
regression; the data are simulated."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(ward, days, cost=None):
    b0 = numpyro.sample("b0", dist.Normal(0, 5))
    b1 = numpyro.sample("b1", dist.Normal(0, 1))
    s = numpyro.sample("s", dist.HalfNormal(1))
    shape = numpyro.sample("shape", dist.Gamma(2.0, 0.5))
    with numpyro.plate("wards", 18):
        w = numpyro.sample("w", dist.Normal(0, s))
    mean = jnp.exp(b0 + b1 * jnp.log(days) + w[ward])
    with numpyro.plate("stays", ward.shape[0]):
        numpyro.sample("cost", dist.Gamma(shape, shape / mean), obs=cost)


def example_args():
    rng = np.random.default_rng(39)
    ward, days = rng.integers(18, size=260), rng.integers(1, 20, size=260).astype(float)
    mean = np.exp(5.0 + 0.8 * np.log(days) + 0.4 * rng.normal(size=18)[ward])
    return (ward, days), {"cost": mean * rng.gamma(3.0, 1 / 3.0, size=260)}
