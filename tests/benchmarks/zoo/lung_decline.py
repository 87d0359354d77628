"""How the lungs of patients decline, in decilitres: each has an intercept and a slope around those
of all. After NumPyro's Bayesian hierarchical linear regression, with its Greek names."""

import numpy as np
import numpyro
import numpyro.distributions as dist


def model(patient_code, Weeks, FVC_obs=None):
    μ_α = numpyro.sample("μ_α", dist.Normal(0.0, 50.0))
    σ_α = numpyro.sample("σ_α", dist.HalfNormal(10.0))
    μ_β = numpyro.sample("μ_β", dist.Normal(0.0, 1.0))
    σ_β = numpyro.sample("σ_β", dist.HalfNormal(1.0))

    n_patients = len(np.unique(patient_code))

    with numpyro.plate("Participants", n_patients):
        α = numpyro.sample("α", dist.Normal(μ_α, σ_α))
        β = numpyro.sample("β", dist.Normal(μ_β, σ_β))

    σ = numpyro.sample("σ", dist.HalfNormal(10.0))
    FVC_est = α[patient_code] + β[patient_code] * Weeks

    with numpyro.plate("data", len(patient_code)):
        numpyro.sample("obs", dist.Normal(FVC_est, σ), obs=FVC_obs)


def example_args():
    rng = np.random.default_rng(6)
    patient = np.repeat(np.arange(30), 7)
    weeks = rng.integers(5, 60, size=210).astype(float)
    level, slope = 20.0 + 4.0 * rng.normal(size=30), -0.04 + 0.03 * rng.normal(size=30)
    fvc = level[patient] + slope[patient] * weeks + 1.2 * rng.normal(size=210)
    return (patient, weeks), {"FVC_obs": fvc}
