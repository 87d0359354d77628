"""Ticks on grouse chicks of broods at places, by year and height (lme4's grouseticks, Elston et al.
2001)."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(year, height, brood, place_of_brood, ticks=None):
    n_broods, n_places = len(place_of_brood), int(place_of_brood.max()) + 1
    beta_year = numpyro.sample("beta_year", dist.Normal(0, 2).expand([3]).to_event(1))
    beta_height = numpyro.sample("beta_height", dist.Normal(0, 1))
    sigma_place = numpyro.sample("sigma_place", dist.HalfNormal(1))
    sigma_brood = numpyro.sample("sigma_brood", dist.HalfNormal(1))
    with numpyro.plate("places", n_places):
        place = numpyro.sample("place", dist.Normal(0, sigma_place))
    with numpyro.plate("broods", n_broods):
        u = numpyro.sample("u", dist.Normal(0, sigma_brood))
    both = place[place_of_brood] + u
    log_mean = beta_year[year] + beta_height * height + both[brood]
    with numpyro.plate("chicks", len(brood)):
        numpyro.sample("ticks", dist.Poisson(jnp.exp(log_mean)), obs=ticks)


def example_args():
    from mixedlm.datasets import load_grouseticks

    data = load_grouseticks()
    year = np.unique(data["YEAR"].to_numpy(str), return_inverse=True)[1]
    _, first, brood = np.unique(data["BROOD"].to_numpy(str), return_index=True, return_inverse=True)
    place = np.unique(data["LOCATION"].to_numpy(str)[first], return_inverse=True)[1]
    height = data["cHEIGHT"].to_numpy(float) / 30.0
    return (year, height, brood, place), {"ticks": data["TICKS"].to_numpy(int)}
