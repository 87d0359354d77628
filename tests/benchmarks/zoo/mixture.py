"""Three normal components in order, with their weights; which one a value is of is integrated out.
After NumPyro's and PyMC's Gaussian mixture models."""

import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import OrderedTransform


def model(K, data=None, size=200):
    weights = numpyro.sample("weights", dist.Dirichlet(concentration=np.full(K, 2.0)))
    means = numpyro.sample(
        "means",
        dist.TransformedDistribution(
            dist.Normal(0.0, 5.0).expand([K]).to_event(1), OrderedTransform()
        ),
    )
    with numpyro.plate("components", K):
        scales = numpyro.sample("scales", dist.LogNormal(0.0, 1.0))
    mixture = dist.MixtureSameFamily(dist.Categorical(weights), dist.Normal(means, scales))
    with numpyro.plate("data", size if data is None else len(data)):
        numpyro.sample("obs", mixture, obs=data)


def example_args():
    rng = np.random.default_rng(25)
    which = rng.choice(3, size=200, p=[0.5, 0.3, 0.2])
    data = np.array([-4.0, 0.0, 5.0])[which] + np.array([1.0, 0.7, 1.5])[which] * rng.normal(
        size=200
    )
    return (3,), {"data": data}
