"""Nested Laplace pilots against posteriors that are known: by algebra, or by sums over a grid."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss
from scipy.stats import halfcauchy, halfnorm, norm, poisson

from reparam_rewrite.fitting.automatic import nested_pilot
from reparam_rewrite.fitting.nested import NotNested
from reparam_rewrite.fitting.values import Pilot
from reparam_rewrite.running.call import called
from tests.support.cli import run

HEAD = """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

"""


def pilot(folder: Path, model: str, args: str, draws: int = 4_000) -> Pilot:
    path = folder / "model.py"
    path.write_text(HEAD + dedent(model))
    return nested_pilot(called(str(path), [], args, None, "a pilot"), draws)


SCHOOLS = """
    def model(sd, y):
        tau = numpyro.sample("tau", dist.HalfCauchy(5))
        mu = numpyro.sample("mu", dist.Normal(0, 5))
        with numpyro.plate("J", len(sd)):
            theta = numpyro.sample("theta", dist.Normal(mu, tau))
            numpyro.sample("y", dist.Normal(theta, sd), obs=y)
"""

SD = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
Y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])


def moments(values: object, weights: object) -> tuple[float, float]:
    values, weights = np.asarray(values), np.asarray(weights)
    mean = float(weights @ values / weights.sum())
    return mean, float(np.sqrt(weights @ (values - mean) ** 2 / weights.sum()))


def test_eight_schools(tmp_path: Path) -> None:
    found = pilot(tmp_path, SCHOOLS, f"((np.array({SD.tolist()}), np.array({Y.tolist()})), {{}})")
    log_tau = np.linspace(-9, 6, 3_000)
    tau = np.exp(log_tau)[:, None]
    variance = SD**2 + tau**2
    of_mu = 1 / 25 + (1 / variance).sum(1)
    mean = (Y / variance).sum(1) / of_mu
    log_density = halfcauchy(scale=5).logpdf(tau[:, 0]) + log_tau - np.log(of_mu) / 2
    log_density += (of_mu * mean**2 - (Y**2 / variance + np.log(variance)).sum(1)) / 2
    weights = np.exp(log_density - log_density.max())
    drawn = np.log(found.draws["tau"])
    assert moments(log_tau, weights) == pytest.approx((drawn.mean(), drawn.std()), rel=0.06)
    assert found.draws["mu"].mean() == pytest.approx(moments(mean, weights)[0], abs=0.2)
    theta = (Y[0] * tau[:, 0] ** 2 + mean * SD[0] ** 2) / (tau[:, 0] ** 2 + SD[0] ** 2)
    assert found.draws["theta"][:, 0].mean() == pytest.approx(moments(theta, weights)[0], abs=0.3)


COUNTS = np.array([0, 1, 1, 2, 3, 5, 8, 14])


def test_counts(tmp_path: Path) -> None:
    model = """
        def model(y):
            tau = numpyro.sample("tau", dist.HalfNormal(1))
            with numpyro.plate("J", len(y)):
                u = numpyro.sample("u", dist.Normal(0, tau))
                numpyro.sample("y", dist.Poisson(jnp.exp(1 + u)), obs=y)
    """
    found = pilot(tmp_path, model, f"((np.array({COUNTS.tolist()}),), {{}})")
    log_tau = np.linspace(-6, 2, 400)
    nodes, shares = hermegauss(80)
    rates = np.exp(1 + np.exp(log_tau)[:, None] * nodes)
    each = np.stack([(poisson.pmf(y, rates) * shares).sum(1) for y in COUNTS])
    weights = np.exp(np.log(each).sum(0)) * halfnorm.pdf(np.exp(log_tau)) * np.exp(log_tau)
    drawn = np.log(found.draws["tau"])
    assert moments(log_tau, weights) == pytest.approx((drawn.mean(), drawn.std()), abs=0.05)


def test_a_model_without_effects_is_all_theta(tmp_path: Path) -> None:
    """A regression whose posterior is skewed: draws count by the density, not by the curvature."""
    model = """
        def model(y):
            sigma = numpyro.sample("sigma", dist.HalfCauchy(2))
            numpyro.sample("y", dist.Normal(0, sigma), obs=y)
    """
    y = np.array([0.3, -1.2, 2.0])
    found = pilot(tmp_path, model, f"((np.array({y.tolist()}),), {{}})")
    log_sigma = np.linspace(-3, 6, 2_000)
    sigma = np.exp(log_sigma)
    log_density = norm.logpdf(y[:, None], 0, sigma).sum(0) + log_sigma
    weights = np.exp(log_density) * halfcauchy.pdf(sigma, scale=2)
    drawn = np.log(found.draws["sigma"])
    assert moments(log_sigma, weights) == pytest.approx((drawn.mean(), drawn.std()), abs=0.03)


FUNNEL = """
    def model(y):
        v = numpyro.sample("v", dist.Normal(0, 3))
        with numpyro.plate("n", 9):
            x = numpyro.sample("x", dist.Laplace(0, jnp.exp(v / 2)))
        numpyro.sample("y", dist.Normal(jnp.sum(x**2), 1), obs=y)
"""

MANY = """
    def model(y):
        beta = numpyro.sample("beta", dist.HalfNormal(1).expand([120]))
        numpyro.sample("y", dist.Normal(beta.sum(), 1), obs=y)
"""


@pytest.mark.parametrize(
    ("model", "why"),
    [
        pytest.param(FUNNEL, "mode|far from normal", id="a funnel"),
        pytest.param(MANY, "there are 120 values without effects, more than 100", id="many values"),
    ],
)
def test_why_there_is_none(model: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(NotNested, match=why):
        pilot(tmp_path, model, "((0.5,), {})")


SLOPES = HEAD + dedent("""
    def model(y):
        mu = numpyro.sample("mu", dist.Normal(0, 10))
        with numpyro.plate("groups", 120):
            a = numpyro.sample("a", dist.HalfNormal(jnp.exp(mu)))
            numpyro.sample("y", dist.Normal(a, 1.0), obs=y)
""")


def fit_said(folder: Path, pilot: str) -> tuple[int, str]:
    (folder / "model.py").write_text(SLOPES.replace("jnp.exp(mu)", "jnp.exp(0 * mu)"))
    (folder / "o.toml").write_text("[sites.a]\noffset = { mu = { init = 0.5 } }\n")
    words = ("--args", "((np.ones(120),), {})", "--pilot", pilot, "--draws", "40", "--warmup", "40")
    ran = run(folder, "fit", "model.py", "-c", "o.toml", "--diff", *words)
    return ran.status, ran.err


def test_it_is_refused_where_it_is_asked_for(tmp_path: Path) -> None:
    status, said = fit_said(tmp_path, "nested")
    assert status == 2
    why = "there are 121 values without effects, more than 100"
    assert f"model.py: there is no nested pilot of 'model': {why}" in said
    assert "hint: --pilot auto then runs NUTS." in said


def test_auto_then_runs_nuts_and_says_why(tmp_path: Path) -> None:
    status, said = fit_said(tmp_path, "auto")
    assert status == 0, said
    assert "pilot: NUTS with" in said
    assert "as there are 121 values without effects" in said
