"""Cases of a disease in a ring of 40 districts, with neighbours that are alike: an intrinsic
autoregression by a factor (Besag et al. 1991). After PyMC's and NumPyro's lip cancer models."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(left, right, expected, x, cases=None):
    n = expected.shape[0]
    beta0 = numpyro.sample("beta0", dist.Normal(0.0, 2.0))
    beta1 = numpyro.sample("beta1", dist.Normal(0.0, 1.0))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1.0))
    spatial = numpyro.sample(
        "spatial", dist.ImproperUniform(dist.constraints.real_vector, (), (n,))
    )
    numpyro.factor("icar", -0.5 * jnp.sum((spatial[left] - spatial[right]) ** 2))
    numpyro.factor("sum_to_zero", dist.Normal(0.0, 0.001 * n).log_prob(jnp.sum(spatial)))
    log_risk = beta0 + beta1 * x + sigma * spatial
    with numpyro.plate("districts", n):
        numpyro.sample("cases", dist.Poisson(expected * jnp.exp(log_risk)), obs=cases)


def example_args():
    rng = np.random.default_rng(36)
    left = np.concatenate([np.arange(40), np.arange(40)])
    right = np.concatenate([(np.arange(40) + 1) % 40, (np.arange(40) + 2) % 40])
    expected, x = rng.uniform(2.0, 20.0, size=40), rng.normal(size=40)
    smooth = 0.5 * np.sin(np.arange(40) * 2 * np.pi / 40)
    cases = rng.poisson(expected * np.exp(0.1 + 0.2 * x + smooth))
    return (left, right, expected, x), {"cases": cases}
