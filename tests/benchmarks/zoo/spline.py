"""A smooth curve by a cubic B-spline, whose coefficients walk around a level (Lang and Brezger
2004). After PyMC's cherry blossoms; the data are simulated."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(B, y=None):
    a = numpyro.sample("a", dist.Normal(100.0, 10.0))
    tau = numpyro.sample("tau", dist.HalfNormal(3.0))
    w = numpyro.sample("w", dist.GaussianRandomWalk(tau, num_steps=B.shape[1]))
    sigma = numpyro.sample("sigma", dist.Exponential(0.2))
    mu = numpyro.deterministic("mu", a + jnp.dot(B, w))
    with numpyro.plate("years", B.shape[0]):
        numpyro.sample("y", dist.Normal(mu, sigma), obs=y)


def basis(x, inner, degree=3):
    """B-splines over equal steps in [0, 1], one a column."""
    step = 1.0 / inner
    knots = step * np.arange(-degree, inner + degree + 1)
    found = ((knots[:-1] <= x[:, None]) & (x[:, None] < knots[1:])).astype(float)
    for d in range(1, degree + 1):
        left = (x[:, None] - knots[: -d - 1]) / (d * step)
        right = (knots[d + 1 :] - x[:, None]) / (d * step)
        found = left * found[:, :-1] + right * found[:, 1:]
    return found


def example_args():
    rng = np.random.default_rng(24)
    x = np.linspace(0.0, 0.999, 250)
    curve = 104.0 - 6.0 * x**2 + 3.0 * np.sin(9.0 * x)
    return (basis(x, 17),), {"y": curve + 4.0 * rng.normal(size=250)}
