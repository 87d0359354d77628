"""Who would curse, scold or shout: a Rasch model of 100 persons and 24 items with effects of anger
and gender (lme4's VerbAgg). After De Boeck et al. (2011)."""

import numpy as np
import numpyro
import numpyro.distributions as dist


def model(person, item, anger, male, n_persons, n_items, yes=None):
    b0 = numpyro.sample("b0", dist.Normal(0, 2))
    b_anger = numpyro.sample("b_anger", dist.Normal(0, 1))
    b_male = numpyro.sample("b_male", dist.Normal(0, 1))
    sigma_person = numpyro.sample("sigma_person", dist.HalfNormal(2))
    sigma_item = numpyro.sample("sigma_item", dist.HalfNormal(2))
    with numpyro.plate("persons", n_persons):
        theta = numpyro.sample("theta", dist.Normal(0, sigma_person))
    with numpyro.plate("items", n_items):
        easiness = numpyro.sample("easiness", dist.Normal(0, sigma_item))
    fixed = b0 + b_anger * anger + b_male * male
    eta = fixed + theta[person] + easiness[item]
    with numpyro.plate("answers", len(person)):
        numpyro.sample("yes", dist.BernoulliLogits(eta), obs=yes)


def example_args():
    from mixedlm.datasets import load_verbagg

    data = load_verbagg()
    data = data[data["id"].astype(int) <= 100]
    persons, person = np.unique(data["id"].to_numpy(int), return_inverse=True)
    items, item = np.unique(data["item"].to_numpy(str), return_inverse=True)
    anger = data["Anger"].to_numpy(float)
    male = (data["Gender"].to_numpy(str) == "M").astype(float)
    yes = (data["r2"].to_numpy(str) == "Y").astype(int)
    args = (person, item, (anger - 20.0) / 5.0, male, len(persons), len(items))
    return args, {"yes": yes}
