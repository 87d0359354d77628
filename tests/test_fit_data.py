"""Offsets that read what the model is called with: `fit` writes numbers for them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reparam_rewrite.fitting.freezing import as_numbers, candidates, reader
from reparam_rewrite.fitting.values import Regressor
from reparam_rewrite.survey import survey
from tests.support.cases import rewritten
from tests.support.cli import run
from tests.support.execution import load_model

MODEL = """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


def model(x, group, n, y=None):
    x_bar = jnp.mean(x)
    square = x_bar * jnp.mean(x)
    half = 0.5
    mu = numpyro.sample("mu", dist.Normal(x_bar, 1.0))
    nu = numpyro.sample("nu", dist.HalfNormal(1.0))
    twice = 2 * mu
    slope = mu * x_bar
    b = numpyro.sample("b", dist.Normal(0.0, 1.0))
    scaled = numpyro.sample("scaled", dist.Normal(x_bar, 1.0)) * jnp.max(x)
    free = 2 * numpyro.sample("free", dist.Normal(x_bar, 1.0))

    def weighed(z):
        return z * x_bar

    with numpyro.plate("n", n) as at:
        a = numpyro.sample("a", dist.Normal(0.0, 1.0))
    numpyro.sample("y", dist.Normal(mu + b * x + nu * a[group], 0.1), obs=y)
"""

X, GROUP = np.array([1.0, 2.0, 4.0, 5.0]), np.array([0, 1, 1, 2])
DRAWS = {
    name: np.random.default_rng(seed).normal(size=(50, *shape))
    for seed, (name, shape) in enumerate({"mu": (), "b": (), "nu": (), "a": (3,)}.items())
}
DRAWS["nu"] = np.exp(DRAWS["nu"])

READS = reader("model", survey("model.py", MODEL))


@pytest.mark.parametrize(
    ("expression", "arguments"),
    [
        ("mu", ()),
        ("twice + nu", ()),
        ("half * mu", ()),
        ("jnp.mean(a)", ()),
        ("mu * jnp.mean(x)", ("x",)),
        ("mu * x_bar", ("x",)),
        ("mu * square", ("x",)),
        ("slope", ("x",)),
        ("a[group] / n", ("group", "n")),
        ("scaled", ("x",)),
        ("free", ()),
        ("weighed(mu)", ("x",)),
        ("jnp.take(b, at)", ("n",)),
    ],
)
def test_what_an_expression_reads(expression: str, arguments: tuple[str, ...]) -> None:
    assert READS(expression, "model").arguments == arguments


def numbers(expression: str, added: Any, shape: tuple[int, ...] = ()) -> Any:
    """What stands for an expression, of which `added` are the values at the draws."""
    import jax.numpy as jnp

    values = np.broadcast_to(added, (50, *shape))
    known = candidates(expression, "model", READS, DRAWS, {"jnp": jnp})
    found = as_numbers(Regressor("p", "xi", values, shape), known)
    if found is None:
        return None
    np.testing.assert_allclose(values, found.factor * (found.draws - found.center))
    return found.expression, found.factor, found.center


def test_a_number_times_a_site() -> None:
    expression, factor, center = numbers("-mu / x_bar", -DRAWS["mu"] / 3)
    assert (expression, center) == ("mu", 0.0)
    assert factor == pytest.approx(-1 / 3)


def test_a_center_that_is_read_from_data() -> None:
    expression, factor, center = numbers("2 * mu - x_bar", 2 * DRAWS["mu"] - 3)
    assert expression == "mu"
    assert (factor, center) == (pytest.approx(2), pytest.approx(1.5))


def test_a_local_name_that_is_a_multiple_of_a_site() -> None:
    assert numbers("slope", 3 * DRAWS["mu"])[0] == "mu"


def test_what_is_left_of_a_product() -> None:
    found = numbers("jnp.log(nu) * x_bar / b", 3 * np.log(DRAWS["nu"]) / DRAWS["b"])
    assert found[0] == "jnp.log(nu) / b"
    assert found[1] == pytest.approx(3)


def test_a_number_for_each_element() -> None:
    weights = np.array([1.0, 6.0, 5.0])
    expression, factor, _ = numbers(
        "b * jnp.bincount(group, x, length=n)", DRAWS["b"][:, None] * weights, (3,)
    )
    assert expression == "b"
    np.testing.assert_allclose(factor, weights)


def test_a_vector_times_a_number_for_each_element() -> None:
    weights = np.array([1.0, 6.0, 5.0])
    expression, factor, _ = numbers("a * w", DRAWS["a"] * weights, (3,))
    assert expression == "a"
    np.testing.assert_allclose(factor, weights)


@pytest.mark.parametrize(
    ("expression", "added", "shape"),
    [
        ("jnp.exp(mu * x_bar)", np.exp(3 * DRAWS["mu"]), ()),
        ("mu * x_bar + b", 3 * DRAWS["mu"] + DRAWS["b"], ()),
        ("a[group]", DRAWS["a"][:, GROUP], (4,)),
        ("a[group[:3]]", DRAWS["a"][:, GROUP[:3]], (3,)),
        ("x_bar - jnp.zeros(n) * mu", np.full((50, 3), 3.0), (3,)),
    ],
)
def test_what_no_number_can_stand_for(expression: str, added: Any, shape: tuple[int, ...]) -> None:
    assert numbers(expression, added, shape) is None


def test_draws_of_a_fitted_config_predict_from_other_data(tmp_path: Path) -> None:
    """As the plain model does; before they don't."""
    import jax
    from numpyro.infer import Predictive

    config = (
        '[sites.b]\nscale = "1 / jnp.std(x)"\noffset = { mu = { value = "mu * jnp.mean(x)" } }\n'
        '[sites.a.offset]\nnu = { value = "jnp.exp(nu * jnp.mean(x))" }\n'
    )
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "offsets.toml").write_text(config)
    mu = 1 + DRAWS["mu"]
    noise = 0.1 * DRAWS["b"]
    others = {"scaled": noise, "free": noise}
    draws = {**DRAWS, **others, "mu": mu, "b": 2.0 - mu + noise}
    np.savez(tmp_path / "draws.npz", **draws)
    call = f"(np.array({X.tolist()}), np.array({GROUP.tolist()}), 3), {{'y': None}}"
    words = ("fit", "model.py", "--config", "offsets.toml", "--pilot", "draws.npz")
    ran = run(tmp_path, *words, "--args", call.replace("None", "np.zeros(4)"))
    assert ran.status == 0, ran.err
    assert "warning: the offset of a by nu reads x of the call" in ran.err
    fitted = (tmp_path / "offsets.toml").read_text()
    site = tomllib.loads(fitted)["sites"]["b"]
    assert site["offset"]["mu"]["value"] == "mu"
    assert site["offset"]["mu"]["init"] == pytest.approx(1 / np.std(X), rel=0.1)
    assert site["scale"] == pytest.approx(1 / np.std(X), rel=1e-3)

    other = np.array([1.0, 10.0, 1.0, 1.0])
    before = {name: values for name, values in draws.items() if name != "b"}

    def slopes(text: str) -> list[Any]:
        """What draws of the generated model mean with these data and with other ones."""
        model = load_model(rewritten(MODEL, text.partition("[sites.a")[0]).data)
        predictive = Predictive(model, {**before, "b_base": np.zeros(50)}, params={"xi_b_mu": 0.5})
        return [predictive(jax.random.PRNGKey(0), x, GROUP, 3)["b"] for x in (X, other)]

    same, still = slopes(fitted)
    np.testing.assert_allclose(same, still, rtol=1e-5)
    same, moved = slopes(config)
    assert np.abs(np.asarray(same) - np.asarray(moved)).min() > 0.001


def test_numbers_for_data_along_an_axis_more_than_the_coefficient_has(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("""\
import numpyro
import numpyro.distributions as dist


def model(x, n, m, y=None):
    mu = numpyro.sample("mu", dist.Normal(1, 2))
    with numpyro.plate("i", n, dim=-2), numpyro.plate("j", m, dim=-1):
        a = numpyro.sample("a", dist.Normal(mu, 1))
        numpyro.sample("y", dist.Normal(x[:, None] * a, 1), obs=y)
""")
    value = '{ mu = { value = "x[:, None] * mu" } }'
    (tmp_path / "offsets.toml").write_text(f'[sites.a]\ncoefficient = ["j"]\noffset = {value}\n')
    call = "(np.array([0.9, 1.0, 1.1, 1.2]), 4, 3), {'y': np.ones((4, 3))}"
    words = ("fit", "model.py", "--config", "offsets.toml", "--pilot", "laplace")
    ran = run(tmp_path, *words, "--args", call)
    assert ran.status == 0, ran.err
    fitted = tomllib.loads((tmp_path / "offsets.toml").read_text())["sites"]["a"]["offset"]["mu"]
    assert (fitted["value"], fitted["coefficient"]) == ("mu", "elementwise")
