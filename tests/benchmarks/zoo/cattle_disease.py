"""New cases of a disease in 15 herds over 4 periods (lme4's cbpp). The herds' logits are sampled
around a level."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(herd, period, size, incidence=None):
    level = numpyro.sample("level", dist.Normal(-1, 2))
    with numpyro.plate("later_periods", 3):
        change = numpyro.sample("change", dist.Normal(0, 2))
    by_period = jnp.concatenate([jnp.zeros(1), change])
    sd = numpyro.sample("sd", dist.Exponential(1))
    with numpyro.plate("herds", 15):
        theta = numpyro.sample("theta", dist.Normal(level, sd))
    with numpyro.plate("rows", len(herd)):
        logit = theta[herd] + by_period[period]
        numpyro.sample("incidence", dist.Binomial(size, logits=logit), obs=incidence)


def example_args():
    from mixedlm.datasets import load_cbpp

    data = load_cbpp()
    herd = np.unique(data["herd"].to_numpy(str), return_inverse=True)[1]
    period = np.unique(data["period"].to_numpy(str), return_inverse=True)[1]
    size = data["size"].to_numpy(int)
    return (herd, period, size), {"incidence": data["incidence"].to_numpy(int)}
