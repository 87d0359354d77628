"""Values by the names of the plain model: to base sites and back, for every fixture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers
from numpyro.infer import MCMC, NUTS, init_to_value

from reparam_rewrite import runtime
from reparam_rewrite.running.trace import double_precision
from reparam_rewrite.runtime import from_base, to_base
from tests.support.cases import CASES, FIXTURES
from tests.support.execution import is_latent, load_model, structure, traced

pytestmark = pytest.mark.concerns("runtime.py", "running", "verifying")


def loaded(case: Path) -> tuple[Any, Any, Any, Any]:
    args, kwargs = load_model(case / "example.py", "example_args")()
    return load_model(case / "model.py"), load_model(case / "model_reparam.py"), args, kwargs


def random_params(model: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    trace = structure(model, args, kwargs)
    rng = np.random.default_rng(0)
    return {
        name: rng.uniform(0.2, 0.8, size=np.shape(site["args"][0]))
        for name, site in trace.items()
        if site["type"] == "param"
    }


#: Those that take longest.
LENGTHY = ("constrained", "tensor_broadcast", "random_walks", "structured_coefficients")


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, marks=[pytest.mark.long] * (c.name in LENGTHY)) for c in CASES],
    ids=[c.name for c in CASES],
)
def test_there_and_back(case: Path) -> None:
    """A draw of the plain model is what the generated one gives at the base values of it."""
    plain, generated, args, kwargs = loaded(case)
    with double_precision():
        params = random_params(generated, args, kwargs)
        trace = jax.jit(
            lambda key: {
                name: site["value"]
                for name, site in traced(plain, args, kwargs, key=key).items()
                if site["type"] == "sample" and is_latent(site)
            }
        )(jax.random.key(0))
        values = jax.device_get(trace)
        bases = to_base(generated, values, args, kwargs, params)
        back = from_base(generated, bases, args, kwargs, params)
        moved = [name for name in bases if name not in values]
        assert moved, "no site is sampled as another one"
        assert {name.rpartition("_")[0] for name in moved} <= values.keys()
        for name, value in values.items():
            np.testing.assert_allclose(back[name], value, rtol=1e-6, atol=1e-7, err_msg=name)


def test_the_base_of_a_shift_is_the_sum() -> None:
    _, generated, args, kwargs = loaded(FIXTURES / "grand_mean")
    xi = np.linspace(0, 1, 7)
    values = {"mu": 5.0, "sigma": 0.5, "sigma_a": 2.0, "a": np.arange(7.0), "other": "kept"}
    bases = to_base(generated, values, args, kwargs, {"xi_a_mu": xi})
    np.testing.assert_allclose(bases.pop("a_base"), np.arange(7.0) + xi * 5.0, 1e-6, 1e-6)
    assert bases.pop("other") == "kept"
    assert {name: float(value) for name, value in bases.items()} == pytest.approx(
        {"mu": 5.0, "sigma": 0.5, "sigma_a": 2.0}
    )


def test_draws_have_axes_in_front() -> None:
    _, generated, args, kwargs = loaded(FIXTURES / "grand_mean")
    params = {"xi_a_mu": np.full(7, 0.5)}
    draws = {"mu": np.ones((2, 3)), "sigma": np.ones((2, 3)), "sigma_a": np.ones((2, 3))}
    draws["a"] = np.random.default_rng(0).normal(size=(2, 3, 7))
    bases = to_base(generated, draws, args, kwargs, params, batch_ndims=2)
    np.testing.assert_allclose(bases["a_base"], draws["a"] + 0.5, rtol=1e-6)
    back = from_base(generated, bases, args, kwargs, params, batch_ndims=2)
    np.testing.assert_allclose(back["a"], draws["a"], rtol=1e-5, atol=1e-6)


def test_a_chain_starts_where_it_is_told() -> None:
    _, generated, args, kwargs = loaded(FIXTURES / "grand_mean")
    params = {"xi_a_mu": jnp.full(7, 0.7)}
    model = handlers.substitute(generated, data=params)
    values = {"mu": 5.0, "sigma": 0.5, "sigma_a": 0.8, "a": np.linspace(-1, 1, 7)}
    start = to_base(generated, values, args, kwargs, params)
    kernel = NUTS(
        model,
        init_strategy=init_to_value(values=start),
        step_size=1e-6,
        adapt_step_size=False,
        max_tree_depth=1,
    )
    mcmc = MCMC(kernel, num_warmup=0, num_samples=1, progress_bar=False)
    mcmc.run(jax.random.key(0), *args, **kwargs)
    np.testing.assert_allclose(mcmc.get_samples()["a"][0], values["a"], atol=1e-4)


SCAN = """\
import numpyro
import numpyro.distributions as dist
from numpyro.contrib.control_flow import scan


def model(n):
    mu = numpyro.sample("mu", dist.Normal(0, 1))

    def step(carry, _):
        z_base = numpyro.sample("z_base", dist.Normal(carry + 0.5 * mu, 1))
        z = numpyro.deterministic("z", z_base - 0.5 * mu)
        return z, z

    _, zs = scan(step, 0.0, None, length=n)
    numpyro.sample("y", dist.Normal(zs[-1], 1), obs=0.3)
"""


def test_a_scan_is_conditioned_on_what_is_given_back() -> None:
    """Its arrays must be jax's: a scan takes no others, whatever the values came as."""
    model, zs = load_model(SCAN), np.array([0.1, -0.4, 0.7])
    bases = to_base(model, {"mu": 1.0, "z": zs}, (3,))
    conditioned = handlers.condition(model, data=bases)
    trace = handlers.trace(handlers.seed(conditioned, 0)).get_trace(3)
    np.testing.assert_allclose(trace["z"]["value"], zs, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(from_base(model, bases, (3,))["z"], zs, rtol=1e-5, atol=1e-6)


def test_what_is_missing_is_named() -> None:
    _, generated, args, kwargs = loaded(FIXTURES / "grand_mean")
    with pytest.raises(KeyError, match="no values of sigma_a, sigma"):
        to_base(generated, {"mu": 1.0, "a": np.zeros(7)}, args, kwargs)
    with pytest.raises(KeyError, match="no values of a_base"):
        from_base(generated, {"mu": 1.0, "sigma": 1.0, "sigma_a": 1.0}, args, kwargs)


def test_a_value_outside_of_the_support_has_no_base() -> None:
    _, generated, args, kwargs = loaded(FIXTURES / "grand_mean")
    values = {"mu": 5.0, "sigma": 0.5, "sigma_a": -2.0, "a": np.zeros(7)}
    with pytest.raises(ValueError, match="gives 'sigma_a' this value"):
        to_base(generated, values, args, kwargs)


def test_many_values_go_by_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "DENSE", 8)
    test_there_and_back(FIXTURES / "random_walks")
    test_there_and_back(FIXTURES / "constrained")
