"""The batting averages of 18 players on the scale of log odds (Efron and Morris 1975). After
NumPyro's baseball example, partially pooled with logits."""

import numpy as np
import numpyro
import numpyro.distributions as dist


def model(at_bats, hits=None):
    loc = numpyro.sample("loc", dist.Normal(-1, 1))
    scale = numpyro.sample("scale", dist.HalfCauchy(1))
    num_players = at_bats.shape[0]
    with numpyro.plate("num_players", num_players):
        alpha = numpyro.sample("alpha", dist.Normal(loc, scale))
        return numpyro.sample("obs", dist.Binomial(at_bats, logits=alpha), obs=hits)


def example_args():
    hits = np.array([18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7])
    return (np.full(18, 45),), {"hits": hits}
