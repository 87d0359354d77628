"""How golfers putt, by distance: an angle that must be small enough, and what is left over (Berry
1996; Gelman and Nolan 2002). After PyMC's golf putting."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.scipy.stats import norm

BALL, CUP = 1.68 / 2 / 12, 4.25 / 2 / 12  # radii in feet


def model(distance, tries, successes=None):
    sigma_angle = numpyro.sample("sigma_angle", dist.HalfNormal(0.1))
    sigma_y = numpyro.sample("sigma_y", dist.HalfNormal(0.1))
    p = 2 * norm.cdf(jnp.arcsin((CUP - BALL) / distance) / sigma_angle) - 1
    p = numpyro.deterministic("p", p)
    rate = None if successes is None else successes / tries
    sd = jnp.sqrt(p * (1 - p) / tries + sigma_y**2)
    numpyro.sample("rate", dist.Normal(p, sd), obs=rate)


def example_args():
    tries = "1443 694 455 353 272 256 240 217 200 237 202 192 174 167 201 195 191 147 152"
    made = "1346 577 337 208 149 136 111 69 67 75 52 46 54 28 27 31 33 20 24"
    distance = np.arange(2.0, 21.0)
    return (distance, np.array(tries.split(), int)), {"successes": np.array(made.split(), int)}
