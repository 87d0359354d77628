"""Penicillin: 24 plates of bacteria crossed with 6 samples of the antibiotic."""

import numpyro
import numpyro.distributions as dist


def model(plate, sample, n_plates, n_samples, diameter=None):
    """The diameter (mm) of the zone in which each sample stops growth on each plate."""
    mu = numpyro.sample("mu", dist.Normal(20, 10))
    sigma_plate = numpyro.sample("sigma_plate", dist.HalfNormal(2))
    sigma_sample = numpyro.sample("sigma_sample", dist.HalfNormal(5))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1))

    with numpyro.plate("plates", n_plates):
        a_plate = numpyro.sample("a_plate", dist.Normal(0, sigma_plate))
    with numpyro.plate("samples", n_samples):
        b_sample = numpyro.sample("b_sample", dist.Normal(0, sigma_sample))

    mean = mu + a_plate[plate] + b_sample[sample]
    with numpyro.plate("zones", len(plate)):
        numpyro.sample("diameter", dist.Normal(mean, sigma), obs=diameter)
