"""Eight measurements that share two factors, which are integrated out: a covariance of low rank
plus a diagonal. After PyMC's factor analysis; loadings above the diagonal are 0."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(n_factors, n_vars, y=None, n=100):
    mu = numpyro.sample("mu", dist.Normal(0.0, 5.0).expand([n_vars]).to_event(1))
    rows, cols = np.tril_indices(n_vars, -1, n_factors)
    free = numpyro.sample("free", dist.Normal(0.0, 1.0).expand([len(rows)]).to_event(1))
    diagonal = numpyro.sample("diagonal", dist.HalfNormal(1.0).expand([n_factors]).to_event(1))
    loadings = jnp.zeros((n_vars, n_factors)).at[rows, cols].set(free)
    loadings = loadings.at[np.arange(n_factors), np.arange(n_factors)].set(diagonal)
    psi = numpyro.sample("psi", dist.HalfNormal(1.0).expand([n_vars]).to_event(1))
    with numpyro.plate("people", n if y is None else y.shape[0]):
        numpyro.sample("y", dist.LowRankMultivariateNormal(mu, loadings, psi**2), obs=y)


def example_args():
    rng = np.random.default_rng(29)
    loadings = np.tril(rng.normal(size=(8, 2)))
    loadings[[0, 1], [0, 1]] = [1.0, 0.8]
    noise = rng.uniform(0.4, 0.8, size=8) * rng.normal(size=(100, 8))
    return (2, 8), {"y": 3.0 + rng.normal(size=(100, 2)) @ loadings.T + noise}
