"""Points of both teams in a tournament, by home advantage, attack and defence, whose means are
taken off. After PyMC's rugby example (Baio and Blangiardo 2010); the data are simulated."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(home_team, away_team, n_teams, home_points=None, away_points=None):
    home = numpyro.sample("home", dist.Normal(0, 1))
    intercept = numpyro.sample("intercept", dist.Normal(3, 1))
    sd_att = numpyro.sample("sd_att", dist.HalfNormal(2))
    sd_def = numpyro.sample("sd_def", dist.HalfNormal(2))
    with numpyro.plate("teams", n_teams):
        atts_star = numpyro.sample("atts_star", dist.Normal(0, sd_att))
        defs_star = numpyro.sample("defs_star", dist.Normal(0, sd_def))
    atts = numpyro.deterministic("atts", atts_star - jnp.mean(atts_star))
    defs = numpyro.deterministic("defs", defs_star - jnp.mean(defs_star))
    home_theta = jnp.exp(intercept + home + atts[home_team] + defs[away_team])
    away_theta = jnp.exp(intercept + atts[away_team] + defs[home_team])
    with numpyro.plate("matches", len(home_team)):
        numpyro.sample("home_points", dist.Poisson(home_theta), obs=home_points)
        numpyro.sample("away_points", dist.Poisson(away_theta), obs=away_points)


def example_args():
    rng = np.random.default_rng(10)
    rounds = [(i, j) for i in range(6) for j in range(6) if i != j] * 2
    home, away = np.array(rounds).T
    att, dfc = 0.3 * rng.normal(size=6), 0.2 * rng.normal(size=6)
    home_points = rng.poisson(np.exp(2.9 + 0.15 + att[home] + dfc[away]))
    away_points = rng.poisson(np.exp(2.9 + att[away] + dfc[home]))
    return (home, away, 6), {"home_points": home_points, "away_points": away_points}
