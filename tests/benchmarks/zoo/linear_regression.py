"""A regression on two correlated predictors that are centred nowhere. After NumPyro's tutorial on
divorce rates, with a helper variable for each summand."""

import numpy as np
import numpyro
import numpyro.distributions as dist


def model(marriage=None, age=None, divorce=None):
    a = numpyro.sample("a", dist.Normal(0.0, 10.0))
    M, A = 0.0, 0.0
    if marriage is not None:
        bM = numpyro.sample("bM", dist.Normal(0.0, 1.0))
        M = bM * marriage
    if age is not None:
        bA = numpyro.sample("bA", dist.Normal(0.0, 1.0))
        A = bA * age
    sigma = numpyro.sample("sigma", dist.Exponential(1.0))
    mu = a + M + A
    numpyro.sample("obs", dist.Normal(mu, sigma), obs=divorce)


def example_args():
    rng = np.random.default_rng(1)
    age = 26.0 + 1.3 * rng.normal(size=50)
    marriage = 20.0 - 2.0 * (age - 26.0) + 2.5 * rng.normal(size=50)
    divorce = 36.0 - 1.0 * age + 0.02 * marriage + 1.4 * rng.normal(size=50)
    return (), {"marriage": marriage, "age": age, "divorce": divorce}
