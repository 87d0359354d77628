"""Conditional coordinates and predictions: draws of a site count by its name, whatever the data.

What a base means is in the .npz, and so draws of the generated model mean the same with any data.
Draws of the plain model, which have no bases, are those sites' values too, and groups of other
sizes than those of the .npz can be predicted from them.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from numpyro import handlers
from numpyro.infer import Predictive

from tests.support.conditional import Made, made
from tests.support.execution import load_model, log_density_jaxpr

MODEL = """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


def model(i, j, n, m, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 3))
    tau = numpyro.sample("tau", dist.HalfNormal(1))
    nu = numpyro.sample("nu", dist.HalfNormal(1))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1))
    with numpyro.plate("m", m):
        b = numpyro.sample("b", dist.Normal(0, nu * jnp.ones(m)))
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, tau))
    numpyro.sample("y", dist.Normal(mu + a[i] + b[j], sigma), obs=y)
"""

EXAMPLE = """\
import numpy as np


def example_args():
    i, j = np.repeat(np.arange(5), 6), np.tile(np.arange(3), 10)
    y = 1 + 0.1 * np.random.default_rng(0).normal(size=30) + 0.3 * i - 0.4 * j
    return (i, j, 5, 3), {"y": y}
"""

Draws = dict[str, Any]


@pytest.fixture(scope="module")
def crossed(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return made(
        tmp_path_factory.mktemp("crossed"), MODEL, EXAMPLE, 'conditional = ["mu", "b", "a"]'
    )


def drawn(model: Any, args: Any, **data: Any) -> Draws:
    """Two draws of all sites but the observed one."""
    found: Draws = Predictive(model, num_samples=2)(jax.random.PRNGKey(0), *args, **data)
    return {name: value for name, value in found.items() if name != "y"}


def assert_predicts_alike(one: Made, draws: Draws, args: Any, **data: Any) -> None:
    key = jax.random.PRNGKey(1)
    wanted, found = (
        Predictive(model, draws)(key, *args, **data) for model in (one.plain, one.generated)
    )
    assert "y" in wanted or data
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-5, err_msg=name)


#: Other observations of the same groups, and of other groups.
SAME = (np.array([4, 0, 0, 2]), np.array([0, 0, 2, 1]), 5, 3)
OTHER = (np.array([1, 0, 6]), np.array([3, 3, 2]), 7, 4)


@pytest.mark.parametrize("sampled", ["plain", "generated"])
@pytest.mark.parametrize("data", [{}, {"y": np.array([1.0, 2.0, 3.0, 4.0])}], ids=["new", "seen"])
def test_draws_of_either_model_predict_what_the_plain_one_predicts(
    crossed: Made, sampled: str, data: Draws
) -> None:
    args, observed = crossed.call
    model = crossed.plain if sampled == "plain" else crossed.generated
    draws = drawn(model, args, **observed)
    assert ("a_base" in draws) == (sampled == "generated")
    assert_predicts_alike(crossed, draws, SAME, **data)


def test_draws_of_groups_of_other_sizes_predict_by_their_names(crossed: Made) -> None:
    draws = drawn(crossed.plain, OTHER)
    assert draws["a"].shape == (2, 7)
    assert_predicts_alike(crossed, draws, OTHER)


def test_groups_of_other_sizes_are_refused_without_draws_of_all_effects(crossed: Made) -> None:
    draws = drawn(crossed.plain, OTHER)
    del draws["a"]
    wrong = r"'fitted.npz' doesn't have what the data say \(Incompatible .*fit' again"
    with pytest.raises(ValueError, match=wrong):
        Predictive(crossed.generated, draws)(jax.random.PRNGKey(1), *OTHER)


def test_an_effect_of_another_size_says_which(crossed: Made) -> None:
    i, j, _, m = SAME
    with pytest.raises(
        ValueError, match=r"'a' has the shape \(7,\), not \(5,\) as in 'fitted.npz'"
    ):
        handlers.seed(crossed.generated, 0)(i, j, 7, m)


def test_bases_alone_are_draws(crossed: Made) -> None:
    """As a guide has them."""
    args, observed = crossed.call
    draws = drawn(crossed.generated, args, **observed)
    bases = {name: value for name, value in draws.items() if name not in ("mu", "a", "b")}
    key = jax.random.PRNGKey(1)
    wanted, found = (Predictive(crossed.generated, of)(key, *SAME) for of in (draws, bases))
    np.testing.assert_allclose(found["y"], wanted["y"], rtol=1e-5)


def test_an_effect_without_draws_is_drawn_from_its_prior(crossed: Made) -> None:
    """What has no draws is no function of what has some."""
    args, _ = crossed.call
    many: Draws = Predictive(crossed.plain, num_samples=2000)(jax.random.PRNGKey(0), *args)
    draws = {name: 0 * many[name] + 0.5 for name in ("mu", "b", "tau", "nu", "sigma")}
    found = Predictive(crossed.generated, draws)(jax.random.PRNGKey(1), *args)
    np.testing.assert_allclose(np.mean(found["a"], 0), 0, atol=0.05)
    np.testing.assert_allclose(np.std(found["a"], 0), 0.5, atol=0.05)
    np.testing.assert_allclose(found["b"], 0.5)


def test_draws_count_under_a_scope(crossed: Made) -> None:
    def scoped(model: Any) -> Any:
        return handlers.scope(model, prefix="g")

    draws = drawn(scoped(crossed.plain), OTHER)
    draws.pop("g/y", None)
    key = jax.random.PRNGKey(1)
    wanted, found = (
        Predictive(scoped(model), draws)(key, *OTHER)["g/y"]
        for model in (crossed.plain, crossed.generated)
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_asking_for_draws_costs_nothing_where_there_are_none(crossed: Made) -> None:
    """The program that samplers run is the same without it."""
    args, observed = crossed.call
    text = (crossed.folder / "generated.py").read_text()
    without = crossed.folder / "without.py"
    without.write_text(text.replace('return given["value"]', "return None"))
    assert without.read_text() != text
    one, other = (
        log_density_jaxpr(model, args, observed)
        for model in (crossed.generated, load_model(without))
    )
    assert one == other
