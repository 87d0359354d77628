"""Birds at 80 sites that may be there unseen on all 5 visits: whether they are there is integrated
out by a factor (MacKenzie et al. 2002), as in Stan's and NumPyro's ecology examples."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(forest, wind, seen):
    n_sites, _ = seen.shape
    a0 = numpyro.sample("a0", dist.Normal(0.0, 1.5))
    a1 = numpyro.sample("a1", dist.Normal(0.0, 1.5))
    b0 = numpyro.sample("b0", dist.Normal(0.0, 1.5))
    b1 = numpyro.sample("b1", dist.Normal(0.0, 1.5))
    psi = a0 + a1 * forest
    p = b0 + b1 * wind
    with numpyro.plate("sites", n_sites):
        if_there = dist.Bernoulli(logits=p).log_prob(seen).sum(axis=-1)
        there = jax.nn.log_sigmoid(psi) + if_there
        never = jnp.where(seen.sum(axis=-1) == 0, jax.nn.log_sigmoid(-psi), -jnp.inf)
        numpyro.factor("visits", jnp.logaddexp(there, never))


def example_args():
    rng = np.random.default_rng(37)
    forest, wind = rng.normal(size=80), rng.normal(size=(80, 5))
    there = rng.uniform(size=(80, 1)) < 1 / (1 + np.exp(-(0.3 + forest[:, None])))
    noticed = rng.uniform(size=(80, 5)) < 1 / (1 + np.exp(0.4 + 0.6 * wind))
    return (forest, wind, (there & noticed).astype(int)), {}
