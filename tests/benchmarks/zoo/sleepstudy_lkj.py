"""Reaction times of people who are kept awake, with correlated levels and slopes (lme4's
sleepstudy). After PyMC's LKJ example and NumPyro's tutorial on correlated random effects."""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def model(subject, days, n_subjects, reaction=None):
    a = numpyro.sample("a", dist.Normal(250.0, 50.0))
    b = numpyro.sample("b", dist.Normal(10.0, 10.0))
    sigma_subj = numpyro.sample("sigma_subj", dist.HalfNormal(30.0).expand([2]).to_event(1))
    L_Rho = numpyro.sample("L_Rho", dist.LKJCholesky(2, concentration=2.0))
    L = sigma_subj[:, None] * L_Rho
    with numpyro.plate("subjects", n_subjects):
        ab = numpyro.sample("ab", dist.MultivariateNormal(jnp.stack([a, b]), scale_tril=L))
    a_subj, b_subj = ab[:, 0], ab[:, 1]
    mu = a_subj[subject] + b_subj[subject] * days
    sigma = numpyro.sample("sigma", dist.HalfNormal(50.0))
    with numpyro.plate("obs", len(subject)):
        numpyro.sample("reaction", dist.Normal(mu, sigma), obs=reaction)


def example_args():
    from mixedlm.datasets import load_sleepstudy

    data = load_sleepstudy()
    names, subject = np.unique(data["Subject"].to_numpy(str), return_inverse=True)
    days, reaction = data["Days"].to_numpy(float), data["Reaction"].to_numpy(float)
    return (subject, days, len(names)), {"reaction": reaction}
