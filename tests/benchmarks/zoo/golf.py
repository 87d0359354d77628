"""How golfers putt, by distance: an angle and a length that both must be near enough (Berry 1996;
Gelman and Nolan 2002). After PyMC's golf putting."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.scipy.stats import norm

BALL, CUP = 1.68 / 2 / 12, 4.25 / 2 / 12  # radii in feet


def model(distance, tries, successes=None):
    sigma_angle = numpyro.sample("sigma_angle", dist.HalfNormal(0.1))
    sigma_distance = numpyro.sample("sigma_distance", dist.HalfNormal(0.3))
    hits_angle = 2 * norm.cdf(jnp.arcsin((CUP - BALL) / distance) / sigma_angle) - 1
    spread = (distance + 1.0) * sigma_distance
    hits_length = norm.cdf(2.0 / spread) - norm.cdf(-1.0 / spread)
    p = numpyro.deterministic("p", hits_angle * hits_length)
    numpyro.sample("successes", dist.Binomial(tries, probs=p), obs=successes)


def example_args():
    tries = "1443 694 455 353 272 256 240 217 200 237 202 192 174 167 201 195 191 147 152"
    made = "1346 577 337 208 149 136 111 69 67 75 52 46 54 28 27 31 33 20 24"
    distance = np.arange(2.0, 21.0)
    return (distance, np.array(tries.split(), int)), {"successes": np.array(made.split(), int)}
