"""A table of rows by columns, three times each: mu + a_i + b_j + C_ij, lined up by plates."""

import numpy as np
import numpyro
import numpyro.distributions as dist


def model(n_i, n_j, n_k, y=None):
    rows = numpyro.plate("rows", n_i, dim=-2)
    cols = numpyro.plate("cols", n_j, dim=-1)
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    s_a = numpyro.sample("s_a", dist.HalfNormal(1))
    s_b = numpyro.sample("s_b", dist.HalfNormal(1))
    s_c = numpyro.sample("s_c", dist.HalfNormal(1))
    s_y = numpyro.sample("s_y", dist.HalfNormal(1))
    with rows:
        a = numpyro.sample("a", dist.Normal(0, s_a))
    with cols:
        b = numpyro.sample("b", dist.Normal(0, s_b))
    with rows, cols:
        C = numpyro.sample("C", dist.Normal(0, s_c))
    with numpyro.plate("repeats", n_k, dim=-3), rows, cols:
        numpyro.sample("y", dist.Normal(mu + a + b + C, s_y), obs=y)


def example_args():
    rng = np.random.default_rng(30)
    mean = 4.0 + rng.normal(size=(10, 1)) + 0.7 * rng.normal(size=8)
    mean = mean + 0.4 * rng.normal(size=(10, 8))
    return (10, 8, 3), {"y": mean + 0.3 * rng.normal(size=(3, 10, 8))}
