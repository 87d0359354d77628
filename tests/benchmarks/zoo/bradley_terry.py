"""Who wins: 20 players in 200 matches, whose strengths are known but for a constant, and who is
first has an advantage (Bradley and Terry 1952)."""

import numpy as np
import numpyro
import numpyro.distributions as dist


def model(first, second, n_players, first_won=None):
    sigma = numpyro.sample("sigma", dist.HalfNormal(2.0))
    advantage = numpyro.sample("advantage", dist.Normal(0.0, 1.0))
    with numpyro.plate("players", n_players):
        strength = numpyro.sample("strength", dist.Normal(0.0, sigma))
    with numpyro.plate("matches", first.shape[0]):
        margin = advantage + strength[first] - strength[second]
        numpyro.sample("first_won", dist.Bernoulli(logits=margin), obs=first_won)


def example_args():
    rng = np.random.default_rng(9)
    pairs = np.array([rng.choice(20, 2, replace=False) for _ in range(200)])
    strength = 1.2 * rng.normal(size=20)
    margin = 0.3 + strength[pairs[:, 0]] - strength[pairs[:, 1]]
    won = (rng.uniform(size=200) < 1 / (1 + np.exp(-margin))).astype(int)
    return (pairs[:, 0], pairs[:, 1], 20), {"first_won": won}
