"""Who would curse, scold or shout: how inclined people are, and how easy an answer is."""

import numpyro
import numpyro.distributions as dist


def model(person, item, n_persons, n_items, yes=None):
    """Was an answer yes? One row for each person's answer to an item."""
    mu = numpyro.sample("mu", dist.Normal(0, 2))
    sigma_person = numpyro.sample("sigma_person", dist.HalfNormal(2))
    sigma_item = numpyro.sample("sigma_item", dist.HalfNormal(2))

    with numpyro.plate("items", n_items):
        easiness = numpyro.sample("easiness", dist.Normal(0, sigma_item))
    with numpyro.plate("persons", n_persons):
        anger = numpyro.sample("anger", dist.Normal(0, sigma_person))

    logits = mu + anger[person] + easiness[item]
    with numpyro.plate("answers", len(person)):
        numpyro.sample("yes", dist.Bernoulli(logits=logits), obs=yes)
