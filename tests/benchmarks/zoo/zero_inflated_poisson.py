"""How many fish visitors of a park catch, many of whom don't fish at all. After NumPyro's
zero-inflated Poisson regression; the data are simulated."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(X, Y=None):
    D_X = X.shape[1]
    b1 = numpyro.sample("b1", dist.Normal(0.0, 1.0).expand([D_X]).to_event(1))
    b2 = numpyro.sample("b2", dist.Normal(0.0, 1.0).expand([D_X]).to_event(1))
    q = jnp.dot(X, b1).reshape(-1)
    lam = jnp.exp(jnp.dot(X, b2)).reshape(-1)
    with numpyro.plate("obs", X.shape[0]):
        numpyro.sample("Y", dist.ZeroInflatedPoisson(gate=jax.nn.sigmoid(q), rate=lam), obs=Y)


def example_args():
    rng = np.random.default_rng(12)
    X = np.column_stack([np.ones(250), rng.integers(0, 4, 250), rng.integers(1, 5, 250)])
    gate = 1 / (1 + np.exp(-X @ np.array([-0.5, 0.8, -0.2])))
    count = rng.poisson(np.exp(X @ np.array([0.2, -0.6, 0.5])))
    return (X.astype(float),), {"Y": np.where(rng.uniform(size=250) < gate, 0, count)}
