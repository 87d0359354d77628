"""Ratings of lectures by students, lecturers and departments, with a slope of the lecture's age
(lme4's InstEval, the 20 busiest lecturers)."""

import numpy as np
import numpyro
import numpyro.distributions as dist


def model(students, lecturers, depts, age, rating=None):
    mu = numpyro.sample("mu", dist.Normal(3, 2))
    b_age = numpyro.sample("b_age", dist.Normal(0, 1))
    sd = {}
    for name in ("student", "lecturer", "dept"):
        sd[name] = numpyro.sample(f"sd_{name}", dist.HalfNormal(1))
    with numpyro.plate("student", int(students.max()) + 1):
        s = numpyro.sample("s", dist.Normal(0, sd["student"]))
    with numpyro.plate("lecturer", int(lecturers.max()) + 1):
        d = numpyro.sample("d", dist.Normal(0, sd["lecturer"]))
    with numpyro.plate("dept", int(depts.max()) + 1):
        k = numpyro.sample("k", dist.Normal(0, sd["dept"]))
    sigma = numpyro.sample("sigma", dist.HalfNormal(2))
    loc = mu + b_age * age + s[students] + d[lecturers] + k[depts]
    with numpyro.plate("rows", len(rating) if rating is not None else len(students)):
        numpyro.sample("rating", dist.Normal(loc, sigma), obs=rating)


def example_args():
    from mixedlm.datasets import load_insteval

    data = load_insteval()
    data = data[data["d"].isin(data["d"].value_counts().index[:20])]
    counts = data["s"].value_counts()
    data = data[data["s"].isin(counts.index[counts >= 9])]
    codes = [
        np.unique(data[column].to_numpy(str), return_inverse=True)[1]
        for column in ("s", "d", "dept")
    ]
    age = data["lectage"].to_numpy(float)
    return (*codes, age), {"rating": data["y"].to_numpy(float)}
