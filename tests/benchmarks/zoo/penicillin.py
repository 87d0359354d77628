"""The diameters of 144 zones by plate and sample, crossed (lme4's Penicillin)."""

import numpy as np
import numpyro
import numpyro.distributions as dist


def model(plate, sample, n_plates, n_samples, diameter=None):
    intercept = numpyro.sample("intercept", dist.Normal(20, 10))
    plate_sd = numpyro.sample("plate_sd", dist.HalfNormal(3))
    sample_sd = numpyro.sample("sample_sd", dist.HalfNormal(3))
    plate_effect = numpyro.sample(
        "plate_effect", dist.Normal(0, plate_sd).expand([n_plates]).to_event(1)
    )
    sample_effect = numpyro.sample(
        "sample_effect", dist.Normal(0, sample_sd).expand([n_samples]).to_event(1)
    )
    sigma = numpyro.sample("sigma", dist.HalfNormal(3))
    mu = intercept + plate_effect[plate] + sample_effect[sample]
    numpyro.sample("diameter", dist.Normal(mu, sigma), obs=diameter)


def example_args():
    from mixedlm.datasets import load_penicillin

    data = load_penicillin()
    plates, plate = np.unique(data["plate"].to_numpy(str), return_inverse=True)
    samples, sample = np.unique(data["sample"].to_numpy(str), return_inverse=True)
    diameter = data["diameter"].to_numpy(float)
    return (plate, sample, len(plates), len(samples)), {"diameter": diameter}
