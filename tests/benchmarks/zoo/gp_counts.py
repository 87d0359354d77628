"""Counts along a line, whose log rate is a Gaussian process with a mean, sampled in its prior's
coordinates. After PyMC's latent Gaussian processes."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(x, counts=None):
    n = x.shape[0]
    mean = numpyro.sample("mean", dist.Normal(0.0, 2.0))
    eta = numpyro.sample("eta", dist.HalfNormal(1.0))
    ell = numpyro.sample("ell", dist.InverseGamma(5.0, 5.0))
    K = eta**2 * jnp.exp(-0.5 * ((x[:, None] - x) / ell) ** 2)
    L = jnp.linalg.cholesky(K + 1e-6 * jnp.eye(n))
    with numpyro.plate("n", n):
        z = numpyro.sample("z", dist.Normal(0.0, 1.0))
    f = numpyro.deterministic("f", mean + L @ z)
    with numpyro.plate("bins", n):
        numpyro.sample("counts", dist.Poisson(jnp.exp(f)), obs=counts)


def example_args():
    rng = np.random.default_rng(23)
    x = np.linspace(0.0, 10.0, 40)
    return (x,), {"counts": rng.poisson(np.exp(1.5 + np.sin(x) + 0.3 * np.cos(2.3 * x)))}
