"""The yield of six batches, five times each (lme4's Dyestuff): one scale that six numbers tell."""

import numpy as np
import numpyro
from numpyro.distributions import HalfCauchy, Normal


def model(batch, yields=None):
    mu = numpyro.sample("mu", Normal(1500.0, 100.0))
    tau = numpyro.sample("tau", HalfCauchy(50.0))
    sigma = numpyro.sample("sigma", HalfCauchy(50.0))
    with numpyro.plate("batch", 6):
        b = numpyro.sample("b", Normal(mu, tau))
    numpyro.sample("yields", Normal(b[batch], sigma), obs=yields)


def example_args():
    from mixedlm.datasets import load_dyestuff

    data = load_dyestuff()
    batch = np.unique(data["Batch"].to_numpy(str), return_inverse=True)[1]
    return (batch,), {"yields": data["Yield"].to_numpy(float)}
