"""A series that depends on its last two values, which are data: a scan without latent states. After
NumPyro's AR(2) example."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.contrib.control_flow import scan


def model(y):
    alpha_1 = numpyro.sample("alpha_1", dist.Normal(0, 1))
    alpha_2 = numpyro.sample("alpha_2", dist.Normal(0, 1))
    const = numpyro.sample("const", dist.Normal(0, 1))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1))

    def transition(carry, y):
        y_prev, y_prev_prev = carry
        m_t = const + alpha_1 * y_prev + alpha_2 * y_prev_prev
        numpyro.sample("y", dist.Normal(m_t, sigma), obs=y)
        return (y, y_prev), m_t

    _, mu = scan(transition, (y[1], y[0]), y[2:])
    numpyro.deterministic("mu", mu)


def example_args():
    rng = np.random.default_rng(19)
    y = [5.0, 5.0]
    for _ in range(120):
        y.append(1.5 + 1.1 * y[-1] - 0.4 * y[-2] + 0.5 * rng.normal())
    return (jnp.array(y),), {}
