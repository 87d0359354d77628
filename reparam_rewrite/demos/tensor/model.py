"""An additive model of a three-way table: items i and j at times t.

y_ijt = mu + a_i + b_j + z_t + A_it + B_jt + C_ij + noise. What has no order is shrunk
towards zero, what evolves in time is a random walk. Every site has just the axes it
needs; they are lined up by hand where the sites are added.
"""

import numpyro
import numpyro.distributions as dist


def model(n_i, n_j, n_t, y=None):
    sigma_a = numpyro.sample("sigma_a", dist.HalfNormal(1))
    sigma_b = numpyro.sample("sigma_b", dist.HalfNormal(1))
    sigma_z = numpyro.sample("sigma_z", dist.HalfNormal(0.5))
    sigma_A = numpyro.sample("sigma_A", dist.HalfNormal(0.3))
    sigma_B = numpyro.sample("sigma_B", dist.HalfNormal(0.3))
    sigma_C = numpyro.sample("sigma_C", dist.HalfNormal(0.5))
    sigma = numpyro.sample("sigma", dist.HalfNormal(0.1))

    mu = numpyro.sample("mu", dist.Normal(0, 10))
    with numpyro.plate("i", n_i):
        a = numpyro.sample("a", dist.Normal(0, sigma_a))
    with numpyro.plate("j", n_j):
        b = numpyro.sample("b", dist.Normal(0, sigma_b))
    z = numpyro.sample("z", dist.GaussianRandomWalk(sigma_z, num_steps=n_t))
    with numpyro.plate("i", n_i):
        A = numpyro.sample("A", dist.GaussianRandomWalk(sigma_A, num_steps=n_t))
    with numpyro.plate("j", n_j):
        B = numpyro.sample("B", dist.GaussianRandomWalk(sigma_B, num_steps=n_t))
    with numpyro.plate("i", n_i):
        # The autoguides want a plate at one dim throughout the model: j has -1 from b.
        C = numpyro.sample("C", dist.Normal(0, sigma_C).expand([n_j]).to_event(1))

    mean = mu + a[:, None, None] + b[:, None] + z + A[:, None] + B + C[:, :, None]
    numpyro.sample("y", dist.Normal(mean, sigma), obs=y)
