"""A scan that goes on after its data forecasts with a generated model as with the plain one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.infer import Predictive

from tests.support.cases import rewritten_text
from tests.support.execution import double_precision, load_model, structure

HEAD = """\
import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.contrib.control_flow import scan


"""

IDIOM = """\
def model(T, H=0, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    s = numpyro.sample("s", dist.HalfNormal(1))

    def step(carry, t):
        (prev,) = carry
        level = numpyro.sample("level", dist.Normal(prev, s))
        out = numpyro.sample("y", dist.Normal(level + mu, 1))
        return (level,), out

    with numpyro.handlers.condition(data={"y": y}):
        _, ys = scan(step, (0.0,), SLICES)
    numpyro.deterministic("ys", ys)
"""

#: What the scan runs along.
SLICES = {
    "arange": "jnp.arange(T + H)",
    "from-one": "jnp.arange(1, T + H + 1)",
    "by-twos": "jnp.arange(0, 2 * (T + H), 2)",
    "length": "None, length=T + H",
    "tuple": "(jnp.arange(T + H), jnp.ones((T + H, 2)))",
    "dictionary": '{"t": jnp.arange(T + H), "x": jnp.ones((T + H, 2))}',
}

T, H = 4, 3
OFFSET = '[sites.level]\noffset = "mu"\n'


def forecasts(
    source: str, config: str, beside: Path | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the plain and the generated model forecast from draws of the latter.

    Its coefficients are of the steps that have data.
    """
    with double_precision():
        data = jnp.linspace(-1.0, 2.0, T)
        generated = rewritten_text(source, config)
        if beside is not None:
            beside.write_text(generated)
        models = [load_model(text, beside=beside) for text in (source, generated)]
        started = structure(models[1], (T,), {"y": data})
        params = {
            name: jnp.asarray(
                0.3 + 0.7 * np.random.default_rng(1).uniform(size=site["value"].shape)
            )
            for name, site in started.items()
            if site["type"] == "param"
        }
        predicted = Predictive(models[1], params=params, num_samples=2)
        drawn = predicted(jax.random.PRNGKey(0), T, y=data)
        draws = {name: value for name, value in drawn.items() if name not in ("y", "ys")}
        plain, found = (
            Predictive(model, draws, params=params)(jax.random.PRNGKey(1), T, H, data)
            for model in models
        )
    return plain, found


def assert_same(plain: dict[str, Any], generated: dict[str, Any]) -> None:
    assert plain["ys"].shape == (2, T + H)
    np.testing.assert_allclose(generated["ys"], plain["ys"], rtol=1e-7)


@pytest.mark.parametrize("slices", SLICES.values(), ids=SLICES)
def test_coefficients_of_the_steps_that_have_data_are_those_of_the_forecast(slices: str) -> None:
    assert_same(*forecasts(HEAD + IDIOM.replace("SLICES", slices), OFFSET))


def test_shared_coefficients_forecast() -> None:
    source = HEAD + IDIOM.replace("SLICES", SLICES["arange"])
    assert_same(*forecasts(source, f'{OFFSET}coefficient = "shared"\n'))


@pytest.mark.parametrize("learn", ["true", "false"])
def test_numbers_of_the_steps_that_have_data_are_those_of_the_forecast(learn: str) -> None:
    source = HEAD + IDIOM.replace("SLICES", SLICES["arange"])
    assert_same(*forecasts(source, f"{OFFSET}init = [0.5, 1.0, 0.1, 2.0]\nlearn = {learn}\n"))


@pytest.mark.parametrize("learn", ["true", "false"])
def test_a_file_of_the_steps_that_have_data_is_that_of_the_forecast(
    learn: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "fitted.npz", xi_level_mu=np.array([0.5, 1.0, 0.1, 2.0]))
    source = HEAD + IDIOM.replace("SLICES", SLICES["arange"])
    config = f'{OFFSET}init = "fitted.npz"\nlearn = {learn}\n'
    assert_same(*forecasts(source, config, tmp_path / "model.py"))


def test_a_coefficient_for_each_element_of_each_step_forecasts() -> None:
    source = HEAD + IDIOM.replace("SLICES", SLICES["arange"]).replace("0.0,", "jnp.zeros(2),")
    source = source.replace("level + mu", "level.sum() + mu")
    assert_same(*forecasts(source, OFFSET))


WALK = HEAD + IDIOM.replace("SLICES", SLICES["arange"])

FORMS = {
    "scale": (WALK, f"{OFFSET}scale = 2.0\n"),
    "learned-scale": (WALK, f"{OFFSET}scale = {{ init = 1.5 }}\n"),
    "power": (WALK, f'{OFFSET}scale = {{ by = "s", power = {{ init = 0.5 }} }}\n'),
    "non-centred": (WALK, f"{OFFSET}centered = 0.0\n"),
    "learned-centring": (WALK, f"{OFFSET}centered = {{ init = 0.5 }}\n"),
    "gamma": (WALK.replace("Normal(prev, s)", "Gamma(2.0, 1 + s)"), OFFSET),
    "runtime": (WALK.replace("Normal(prev, s)", "Uniform(prev - s, prev + s)"), OFFSET),
}


@pytest.mark.parametrize(("source", "config"), FORMS.values(), ids=FORMS)
def test_reparameterized_sites_forecast(source: str, config: str) -> None:
    assert_same(*forecasts(source, config))


def test_numbers_for_more_steps_than_there_are_say_so() -> None:
    source = HEAD + IDIOM.replace("SLICES", SLICES["arange"])
    with pytest.raises(ValueError, match=r"'level' can't use 'xi_level_mu' of shape \(5,\)"):
        forecasts(source, f"{OFFSET}init = [0.5, 1.0, 0.1, 2.0, 3.0]\nlearn = false\n")


def test_a_sum_in_a_variable_forecasts() -> None:
    source = HEAD + IDIOM.replace("SLICES", "jnp.arange(n)")
    source = source.replace("    with numpyro", "    n = T + H\n    with numpyro")
    assert_same(*forecasts(source, OFFSET))
