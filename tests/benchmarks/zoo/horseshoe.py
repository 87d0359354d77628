"""Sparse regression with a horseshoe prior (Carvalho et al. 2010), non-centred by hand. After
NumPyro's horseshoe example."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(X, Y=None):
    D_X = X.shape[1]
    lambdas = numpyro.sample("lambdas", dist.HalfCauchy(jnp.ones(D_X)))
    tau = numpyro.sample("tau", dist.HalfCauchy(jnp.ones(1)))
    unscaled_betas = numpyro.sample("unscaled_betas", dist.Normal(0.0, jnp.ones(D_X)))
    scaled_betas = numpyro.deterministic("betas", tau * lambdas * unscaled_betas)
    mean_function = jnp.dot(X, scaled_betas)
    prec_obs = numpyro.sample("prec_obs", dist.Gamma(3.0, 1.0))
    sigma_obs = 1.0 / jnp.sqrt(prec_obs)
    numpyro.sample("Y", dist.Normal(mean_function, sigma_obs), obs=Y)


def example_args():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(60, 12))
    betas = np.array([2.0, -1.5, 0.7, *np.zeros(9)])
    return (X,), {"Y": X @ betas + 0.5 * rng.normal(size=60)}
