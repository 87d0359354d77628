"""Weights of observations that aren't normal, frozen at a mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from reparam_rewrite.fitting import layout
from reparam_rewrite.fitting.conditional import conditional_arrays
from reparam_rewrite.running.trace import double_precision
from tests.test_conditional_arrays import call_of, joint, root, whole

pytestmark = pytest.mark.concerns("fitting", "running")

#: What is observed, and how, where the effects add up to `eta`: 40 of them.
FAMILIES = {
    "poisson": ("dist.Poisson(2 * jnp.exp(eta))", "rng.poisson(3, size=40)"),
    "no counts": ("dist.Poisson(jnp.exp(eta))", "np.zeros(40)"),
    "bernoulli": ("dist.Bernoulli(logits=eta)", "rng.integers(2, size=40)"),
    "chances": ("dist.Bernoulli(jax.nn.sigmoid(eta))", "rng.integers(2, size=40)"),
    "binomial": ("dist.Binomial(9, logits=eta)", "rng.integers(9, size=40)"),
    "negative binomial": (
        "dist.NegativeBinomial2(jnp.exp(eta), shape)",
        "rng.negative_binomial(3, 0.4, size=40)",
    ),
    "its logits": (
        "dist.NegativeBinomial(5, logits=eta)",
        "rng.negative_binomial(5, 0.6, size=40)",
    ),
    "gamma": ("dist.Gamma(shape, shape / jnp.exp(eta))", "rng.gamma(3, size=40)"),
    "exponential": ("dist.Exponential(jnp.exp(-eta))", "rng.exponential(size=40)"),
    "student": ("dist.StudentT(4, eta, shape)", "rng.standard_t(4, size=40)"),
    "cauchy": ("dist.Cauchy(eta, 0.5)", "rng.normal(size=40)"),
    "logistic": ("dist.Logistic(eta, 0.5)", "rng.normal(size=40)"),
    "gumbel": ("dist.Gumbel(eta, 0.5)", "rng.gumbel(size=40)"),
    "ordered": (
        "dist.OrderedLogistic(eta, jnp.array([-1.0, 1.0]))",
        "rng.integers(3, size=40)",
    ),
    "noise of each": ("dist.Normal(eta, shape * (1 + np.arange(40) / 40))", "rng.normal(size=40)"),
    "another link": ("dist.Poisson(jax.nn.softplus(3 * eta))", "rng.poisson(2, size=40)"),
    "probit": ("dist.Bernoulli(jax.scipy.stats.norm.cdf(eta))", "rng.integers(2, size=40)"),
    "rows": (
        "dist.Poisson(jnp.exp(eta)).mask(np.arange(40) > 10).to_event(1)",
        "rng.poisson(3, size=40)",
    ),
    "classes": (
        "dist.Categorical(logits=jnp.stack([eta, -eta, 0 * eta], -1))",
        "rng.integers(3, size=40)",
    ),
    "chances of classes": (
        "dist.Categorical(jax.nn.softmax(jnp.stack([eta, -eta, 0 * eta], -1)))",
        "rng.integers(3, size=40)",
    ),
    "counts of classes": (
        "dist.Multinomial(7, logits=jnp.stack([eta, -eta, 0 * eta], -1))",
        "rng.multinomial(7, [0.5, 0.3, 0.2], size=40)",
    ),
}

MODEL = """
def model(i, j, n, m, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 2))
    tau = numpyro.sample("tau", dist.HalfNormal(1))
    shape = numpyro.sample("shape", dist.LogNormal(0, 1))
    with numpyro.plate("rows", n):
        a = numpyro.sample("a", dist.Normal(mu, tau))
    with numpyro.plate("columns", m):
        b = numpyro.sample("b", dist.Normal(0, 0.5))
    eta = a[i] - b[j]
    numpyro.sample("y", FAMILY, obs=y)
"""


@pytest.mark.parametrize("name", FAMILIES)
def test_the_normal_of_the_arrays_is_the_nearest(name: str, tmp_path: Path) -> None:
    """On average over it the log density has no slope, and its curvature is the precision."""
    family, y = FAMILIES[name]
    args = f"(np.arange(40) % 5, np.arange(40) % 4, 6, 4), {{'y': {y}}}"
    call = call_of(tmp_path, MODEL.replace("FAMILY", family), args)
    found = conditional_arrays(call, ["mu", "b", "a"])
    assert found.form == "exact"
    assert found.noise == ()
    assert found.mode is not None
    assert [note.code for note in found.notes] == ["linearised"] * (
        name in ("another link", "probit")
    )
    (G,), (h,), _ = whole(found)
    with double_precision():
        shapes = {one: call.trace[one]["value"].shape for one in found.order}
        zeros = {one: np.zeros(shape) for one, shape in shapes.items()}
        trace, _ = joint(call, found.mode, zeros)
        R = np.concatenate([root(trace[one]["fn"]).ravel() for one in found.order])
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])[:-1]

        def total(u: Any) -> Any:
            pieces = jax.numpy.split(R * u, ends)
            deviations = {
                one: piece.reshape(shape)
                for (one, shape), piece in zip(shapes.items(), pieces, strict=True)
            }
            return joint(call, found.mode, deviations)[1]

        Q = np.eye(len(R)) + R[:, None] * G * R
        u = np.linalg.solve(Q, R * h)
        noise = np.random.default_rng(0).normal(size=(100, len(R)))
        draws = u + np.linalg.solve(np.linalg.cholesky(Q).T, np.concatenate([noise, -noise]).T).T
        slope = np.mean(jax.vmap(jax.grad(total))(draws), 0)
        bend = -np.mean(jax.vmap(jax.hessian(total))(draws), 0)
    rough = name in ("no counts", "cauchy", "another link")
    assert slope @ np.linalg.solve(Q, slope) < (0.5 if rough else 0.05)
    np.testing.assert_allclose(bend, Q, atol=(0.25 if rough else 0.1) * np.abs(Q).max())


@pytest.mark.parametrize("border", [400, 0])
def test_the_mode_of_scales(border: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Effects are integrated out, here exactly: the marginal density has no slope there.

    Beyond the border of the exact form the determinant is that of the rows of each site alone.
    """
    monkeypatch.setattr(layout, "BORDER", border)
    family = "dist.Normal(eta, shape * (1 + np.arange(40) / 40))"
    y = "rng.normal(size=40) + np.arange(40) % 5"
    args = f"(np.arange(40) % 5, np.arange(40) % 4, 6, 4), {{'y': {y}}}"
    call = call_of(tmp_path, MODEL.replace("FAMILY", family), args)
    found = conditional_arrays(call, ["mu", "b", "a"])
    assert found.form == ("exact" if border else "sequential")
    assert found.frozen == {"y": "scales"}
    assert found.mode is not None
    i, j = call.args[:2]
    A, B = np.eye(6)[i], np.eye(4)[j]

    def marginal(logs: Any) -> Any:
        tau, shape = np.exp(logs)
        noise = shape * (1 + np.arange(40) / 40)
        cov = 4 + tau**2 * A @ A.T + 0.25 * B @ B.T + np.diag(noise**2)
        prior = -(tau**2) / 2 + logs[0] - logs[1] ** 2 / 2
        return multivariate_normal(np.zeros(40), cov).logpdf(call.kwargs["y"]) + prior

    at = np.log([found.mode["tau"], found.mode["shape"]])
    near = [
        marginal(at + step) for step in np.array([[0, 0], [0.3, 0], [-0.3, 0], [0, 0.3], [0, -0.3]])
    ]
    assert near[0] == max(near)
