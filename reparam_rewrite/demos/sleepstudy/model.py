"""Reaction times of people who are kept awake: a level and a slope for each of them."""

import numpyro
import numpyro.distributions as dist


def model(subject, days, n_subjects, reaction=None):
    """The mean reaction time (ms) of a subject after some days of little sleep."""
    level = numpyro.sample("level", dist.Normal(250, 50))
    slope = numpyro.sample("slope", dist.Normal(0, 20))
    sigma_a = numpyro.sample("sigma_a", dist.HalfNormal(50))
    sigma_b = numpyro.sample("sigma_b", dist.HalfNormal(20))
    sigma = numpyro.sample("sigma", dist.HalfNormal(50))

    with numpyro.plate("subjects", n_subjects):
        a = numpyro.sample("a", dist.Normal(0, sigma_a))
        b = numpyro.sample("b", dist.Normal(0, sigma_b))

    mean = level + a[subject] + (slope + b[subject]) * days
    with numpyro.plate("observations", len(subject)):
        numpyro.sample("reaction", dist.Normal(mean, sigma), obs=reaction)
