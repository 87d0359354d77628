"""The answers of 80 persons to 15 items that discriminate more or less (2PL). After the examples of
py-irt and PyMC's discourse."""

import numpy as np
import numpyro
import numpyro.distributions as dist


def model(n_persons, n_items, answers=None):
    persons = numpyro.plate("persons", n_persons, dim=-2)
    items = numpyro.plate("items", n_items, dim=-1)
    mu_b = numpyro.sample("mu_b", dist.Normal(0.0, 2.0))
    sigma_b = numpyro.sample("sigma_b", dist.HalfNormal(2.0))
    with persons:
        ability = numpyro.sample("ability", dist.Normal(0.0, 1.0))
    with items:
        difficulty = numpyro.sample("difficulty", dist.Normal(mu_b, sigma_b))
        discrimination = numpyro.sample("discrimination", dist.LogNormal(0.0, 0.5))
    with persons, items:
        logits = discrimination * (ability - difficulty)
        numpyro.sample("answers", dist.Bernoulli(logits=logits), obs=answers)


def example_args():
    rng = np.random.default_rng(8)
    ability, difficulty = rng.normal(size=(80, 1)), 0.5 + rng.normal(size=15)
    logits = np.exp(0.4 * rng.normal(size=15)) * (ability - difficulty)
    answers = (rng.uniform(size=(80, 15)) < 1 / (1 + np.exp(-logits))).astype(int)
    return (80, 15), {"answers": answers}
