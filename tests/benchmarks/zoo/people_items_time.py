"""Scores of people on items over time: people and items have levels, time has a walk, and a person
has a slope in time. Rows are missing at random, so that there is a row for each score."""

import numpy as np
import numpyro
import numpyro.distributions as dist


def model(person, item, time, n_people, n_items, n_times, score=None):
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    sigma_person = numpyro.sample("sigma_person", dist.HalfNormal(2))
    sigma_slope = numpyro.sample("sigma_slope", dist.HalfNormal(1))
    sigma_item = numpyro.sample("sigma_item", dist.HalfNormal(2))
    sigma_time = numpyro.sample("sigma_time", dist.HalfNormal(1))
    sigma = numpyro.sample("sigma", dist.HalfNormal(2))
    slope_mean = numpyro.sample("slope_mean", dist.Normal(0, 1))
    with numpyro.plate("people", n_people):
        level = numpyro.sample("level", dist.Normal(0, sigma_person))
        slope = numpyro.sample("slope", dist.Normal(slope_mean, sigma_slope))
    with numpyro.plate("items", n_items):
        easiness = numpyro.sample("easiness", dist.Normal(0, sigma_item))
    season = numpyro.sample("season", dist.GaussianRandomWalk(sigma_time, num_steps=n_times))
    centred = time - (n_times - 1) / 2
    from_people = level[person] + slope[person] * centred
    loc = mu + from_people + easiness[item] + season[time]
    with numpyro.plate("scores", len(score) if score is not None else len(person)):
        numpyro.sample("score", dist.Normal(loc, sigma), obs=score)


def example_args():
    rng = np.random.default_rng(31)
    person, item, time = (index.ravel() for index in np.indices((25, 8, 10)))
    kept = rng.uniform(size=len(person)) < 0.5
    person, item, time = person[kept], item[kept], time[kept]
    level, slope = rng.normal(size=25), 0.1 + 0.1 * rng.normal(size=25)
    walk = np.cumsum(0.3 * rng.normal(size=10))
    mean = 6.0 + level[person] + slope[person] * (time - 4.5) + walk[time]
    mean = mean + 0.8 * rng.normal(size=8)[item]
    args = (person, item, time, 25, 8, 10)
    return args, {"score": mean + 0.7 * rng.normal(size=len(person))}
