"""Stops by the police for 3 groups in 40 precincts, with past arrests as the exposure and an effect
of every cell. After Gelman and Hill (2006); the data are simulated."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(group, precinct, arrests, stops=None, n_groups=3, n_precincts=40):
    mu = numpyro.sample("mu", dist.Normal(0, 3))
    sigma_precinct = numpyro.sample("sigma_precinct", dist.HalfNormal(1))
    sigma_cell = numpyro.sample("sigma_cell", dist.HalfNormal(1))
    with numpyro.plate("groups", n_groups):
        alpha = numpyro.sample("alpha", dist.Normal(0, 1))
    with numpyro.plate("precincts", n_precincts):
        beta = numpyro.sample("beta", dist.Normal(0, sigma_precinct))
    with numpyro.plate("cells", len(group)):
        epsilon = numpyro.sample("epsilon", dist.Normal(0, sigma_cell))
        log_rate = jnp.log(arrests) + mu + alpha[group] + beta[precinct] + epsilon
        numpyro.sample("stops", dist.Poisson(jnp.exp(log_rate)), obs=stops)


def example_args():
    rng = np.random.default_rng(11)
    group, precinct = (index.ravel() for index in np.indices((3, 40)))
    arrests = rng.integers(20, 400, size=120).astype(float)
    log_rate = -1.0 + np.array([0.4, 0.3, -0.4])[group] + 0.5 * rng.normal(size=40)[precinct]
    stops = rng.poisson(arrests * np.exp(log_rate + 0.3 * rng.normal(size=120)))
    return (group, precinct, arrests), {"stops": stops}
