"""A logistic regression on eight predictors with a vector of coefficients. After NumPyro's CovType
example, with an intercept."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(data, labels=None):
    dim = data.shape[1]
    coefs = numpyro.sample("coefs", dist.Normal(jnp.zeros(dim), jnp.ones(dim)).to_event(1))
    offset = numpyro.sample("offset", dist.Normal(0, 3))
    logits = jnp.dot(data, coefs) + offset
    return numpyro.sample("obs", dist.Bernoulli(logits=logits), obs=labels)


def example_args():
    rng = np.random.default_rng(3)
    shared = rng.normal(size=(300, 1))
    data = 1.0 + 0.7 * shared + 0.7 * rng.normal(size=(300, 8))
    logits = data @ np.array([1.0, -1.0, 0.5, 0.0, 0.0, 0.8, -0.4, 0.0]) - 1.0
    labels = (rng.uniform(size=300) < 1 / (1 + np.exp(-logits))).astype(int)
    return (data,), {"labels": labels}
