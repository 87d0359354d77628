"""Three kinds of flowers by four measurements, the last kind being the reference. After PyMC's and
NumPyro's multinomial regressions; the data are simulated."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(x, n_classes, kind=None):
    n, p = x.shape
    with numpyro.plate("classes", n_classes - 1):
        alpha = numpyro.sample("alpha", dist.Normal(0, 2))
        beta = numpyro.sample("beta", dist.Normal(0, 2).expand([p]).to_event(1))
    logits = alpha + x @ beta.T
    logits = jnp.concatenate([logits, jnp.zeros((n, 1))], axis=1)
    with numpyro.plate("flowers", n):
        numpyro.sample("kind", dist.Categorical(logits=logits), obs=kind)


def example_args():
    rng = np.random.default_rng(15)
    kind = rng.integers(3, size=150)
    centre = np.array([[0.0, 0.5, -1.0, -1.0], [0.3, -0.4, 0.2, 0.3], [0.6, 0.0, 1.0, 1.0]])
    x = centre[kind] + 0.8 * rng.normal(size=(150, 4))
    return (x, 3), {"kind": kind}
