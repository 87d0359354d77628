"""Judgements on a scale from 1 to 7 of 60 people, with cutpoints that are sampled in order. After
NumPyro's ordinal regression and McElreath's trolley data, which are simulated here."""

import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.distributions import transforms


def model(person, action, contact, nclasses, response=None):
    bA = numpyro.sample("bA", dist.Normal(0, 0.5))
    bC = numpyro.sample("bC", dist.Normal(0, 0.5))
    sigma = numpyro.sample("sigma", dist.Exponential(1))
    with numpyro.plate("people", 60):
        z = numpyro.sample("z", dist.Normal(0, sigma))
    cutpoints = numpyro.sample(
        "cutpoints",
        dist.TransformedDistribution(
            dist.Normal(0, 1.5).expand([nclasses - 1]).to_event(1),
            transforms.OrderedTransform(),
        ),
    )
    phi = z[person] + bA * action + bC * contact
    with numpyro.plate("N", len(person)):
        numpyro.sample("response", dist.OrderedLogistic(phi, cutpoints), obs=response)


def example_args():
    rng = np.random.default_rng(14)
    person = np.repeat(np.arange(60), 10)
    action, contact = rng.integers(0, 2, size=(2, 600)).astype(float)
    phi = 0.9 * rng.normal(size=60)[person] - 0.6 * action - 0.9 * contact
    latent = phi + rng.logistic(size=600)
    cutpoints = np.array([-2.5, -1.7, -1.1, 0.0, 0.7, 1.6])
    return (person, action, contact, 7), {"response": np.searchsorted(cutpoints, latent)}
