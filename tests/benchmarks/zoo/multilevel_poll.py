"""Who votes how, by sex and race, age, education, state and region, for poststratification (Gelman
and Little 1997). After Bambi's and NumPyro's MRP; the data are simulated."""

import numpy as np
import numpyro
import numpyro.distributions as dist


def model(poll, region_of_state, votes=None):
    alpha = numpyro.sample("alpha", dist.Normal(0.0, 2.0))
    beta_female = numpyro.sample("beta_female", dist.Normal(0.0, 1.0))

    def group(name, size):
        scale = numpyro.sample(f"sigma_{name}", dist.HalfNormal(1.0))
        with numpyro.plate(f"{name}s", size):
            return numpyro.sample(name, dist.Normal(0.0, scale))

    age = group("age", 4)
    edu = group("edu", 4)
    region = group("region", 5)
    state = group("state", 40)
    place = region[region_of_state] + state
    logit = alpha + beta_female * poll["female"] + age[poll["age"]] + edu[poll["edu"]]
    logit = logit + place[poll["state"]]
    with numpyro.plate("people", len(poll["state"])):
        numpyro.sample("votes", dist.Bernoulli(logits=logit), obs=votes)


def example_args():
    rng = np.random.default_rng(40)
    region = rng.integers(5, size=40)
    poll = {
        "female": rng.integers(2, size=500).astype(float),
        "age": rng.integers(4, size=500),
        "edu": rng.integers(4, size=500),
        "state": rng.integers(40, size=500),
    }
    place = 0.4 * rng.normal(size=5)[region] + 0.3 * rng.normal(size=40)
    logit = 0.2 - 0.2 * poll["female"] + 0.3 * rng.normal(size=4)[poll["age"]]
    logit = logit + 0.2 * rng.normal(size=4)[poll["edu"]] + place[poll["state"]]
    votes = (rng.uniform(size=500) < 1 / (1 + np.exp(-logit))).astype(int)
    return (poll, region), {"votes": votes}
