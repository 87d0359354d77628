"""Regression by a Gaussian process that is integrated out, with three hyperparameters. After
NumPyro's Gaussian process example."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def kernel(X, Z, var, length, noise, jitter=1.0e-6):
    deltaXsq = jnp.power((X[:, None] - Z) / length, 2.0)
    k = var * jnp.exp(-0.5 * deltaXsq)
    return k + (noise + jitter) * jnp.eye(X.shape[0])


def model(X, Y=None):
    var = numpyro.sample("kernel_var", dist.LogNormal(0.0, 3.0))
    noise = numpyro.sample("kernel_noise", dist.LogNormal(0.0, 3.0))
    length = numpyro.sample("kernel_length", dist.LogNormal(0.0, 1.0))
    k = kernel(X, X, var, length, noise)
    numpyro.sample(
        "Y",
        dist.MultivariateNormal(loc=jnp.zeros(X.shape[0]), covariance_matrix=k),
        obs=Y,
    )


def example_args():
    rng = np.random.default_rng(22)
    X = np.linspace(-1.0, 1.0, 30)
    Y = X + 0.2 * X**3 + 0.5 * (0.5 + X) ** 2 * np.sin(4.0 * X) + 0.1 * rng.normal(size=30)
    return (X,), {"Y": (Y - Y.mean()) / Y.std()}
