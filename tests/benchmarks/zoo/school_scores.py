"""Scores of pupils in classes in schools, with a mean of all: three levels, each around the one
above it, with the same scale for a level. After Bambi's and lme4's nested designs."""

import numpy as np
import numpyro
import numpyro.distributions as dist


def model(school_of_class, class_of_pupil, hours, score=None):
    n_classes, n_schools = len(school_of_class), int(np.max(school_of_class)) + 1
    mu = numpyro.sample("mu", dist.Normal(50.0, 20.0))
    sigma = numpyro.sample("sigma", dist.HalfNormal(10.0).expand([3]).to_event(1))
    beta = numpyro.sample("beta", dist.Normal(0.0, 5.0))
    with numpyro.plate("schools", n_schools):
        school = numpyro.sample("school", dist.Normal(0.0, sigma[0]))
    with numpyro.plate("classes", n_classes):
        klass = numpyro.sample("klass", dist.Normal(0.0, sigma[1]))
    group = school[school_of_class] + klass
    with numpyro.plate("pupils", len(class_of_pupil)):
        mean = mu + beta * hours + group[class_of_pupil]
        numpyro.sample("score", dist.Normal(mean, sigma[2]), obs=score)


def example_args():
    rng = np.random.default_rng(38)
    school_of_class = np.repeat(np.arange(12), 3)
    klass = np.repeat(np.arange(36), 12)
    hours = rng.gamma(4.0, 1.0, size=len(klass))
    group = 5.0 * rng.normal(size=12)[school_of_class] + 3.0 * rng.normal(size=36)
    score = 55.0 + 2.0 * hours + group[klass] + 6.0 * rng.normal(size=len(klass))
    return (school_of_class, klass, hours), {"score": score}
