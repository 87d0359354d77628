"""Survival by age and class, where a fifth of the ages are missing and sampled. After NumPyro's
Bayesian imputation of the Titanic's passengers; the data are simulated."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(age, cls, missing, survived=None):
    b_cls = numpyro.sample("b_cls", dist.Normal(0, 1).expand([3]).to_event(1))
    b_age = numpyro.sample("b_age", dist.Normal(0, 1))
    age_mu = numpyro.sample("age_mu", dist.Normal(0, 1).expand([3]).to_event(1))
    age_sigma = numpyro.sample("age_sigma", dist.HalfNormal(1).expand([3]).to_event(1))
    age_impute = numpyro.sample(
        "age_impute",
        dist.Normal(age_mu[cls[missing]], age_sigma[cls[missing]]).to_event(1).mask(False),
    )
    age = jnp.asarray(age).at[missing].set(age_impute)
    numpyro.sample("age", dist.Normal(age_mu[cls], age_sigma[cls]), obs=age)
    logits = b_cls[cls] + b_age * age
    with numpyro.plate("passengers", len(cls)):
        numpyro.sample("survived", dist.Bernoulli(logits=logits), obs=survived)


def example_args():
    rng = np.random.default_rng(34)
    cls = rng.choice(3, size=200, p=[0.25, 0.2, 0.55])
    age = np.array([0.5, 0.1, -0.3])[cls] + 0.9 * rng.normal(size=200)
    logits = np.array([1.0, 0.2, -0.8])[cls] - 0.6 * age
    survived = (rng.uniform(size=200) < 1 / (1 + np.exp(-logits))).astype(int)
    missing = np.sort(rng.choice(200, 40, replace=False))
    age[missing] = np.nan
    return (age, cls, missing), {"survived": survived}
