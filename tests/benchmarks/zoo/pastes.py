"""The strength of a paste from casks in batches, nested (lme4's Pastes)."""

import numpy as np
import numpyro
import numpyro.distributions as dist


def model(batch_of_cask, cask, strength=None):
    mu = numpyro.sample("mu", dist.Normal(60, 10))
    sigma_batch = numpyro.sample("sigma_batch", dist.HalfNormal(5))
    sigma_cask = numpyro.sample("sigma_cask", dist.HalfNormal(5))
    sigma = numpyro.sample("sigma", dist.HalfNormal(5))
    with numpyro.plate("batches", 10):
        batch = numpyro.sample("batch", dist.Normal(mu, sigma_batch))
    with numpyro.plate("casks", len(batch_of_cask)):
        level = numpyro.sample("level", dist.Normal(batch[batch_of_cask], sigma_cask))
    with numpyro.plate("assays", len(cask)):
        numpyro.sample("strength", dist.Normal(level[cask], sigma), obs=strength)


def example_args():
    from mixedlm.datasets import load_pastes

    data = load_pastes()
    _, first, cask = np.unique(data["sample"].to_numpy(str), return_index=True, return_inverse=True)
    batch = np.unique(data["batch"].to_numpy(str), return_inverse=True)[1]
    return (batch[first], cask), {"strength": data["strength"].to_numpy(float)}
