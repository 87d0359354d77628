"""Models with subsampled plates: `fit` runs them on all of the data."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.cases import FIXTURES
from tests.support.cli import run
from tests.support.execution import assert_equivalent, double_precision, load_model

HEAD = """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


"""

#: Items that the data say everything of, and items that they say next to nothing of.
UNEVEN = """\
def model(scales, m, y):
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    with numpyro.plate("n", len(scales), subsample_size=m):
        a = numpyro.sample("a", dist.Normal(0, 1))
        s = numpyro.subsample(scales, event_dim=0)
        numpyro.sample("y", dist.Normal(mu + a, s), obs=numpyro.subsample(y, event_dim=0))
"""
ARGS = "(jnp.array([0.01, 5.0] * 6), 4, 3 + jnp.arange(12.0) % 5), {}"


def fit(folder: Path, model: str, args: str, *words: str) -> Any:
    (folder / "model.py").write_text(HEAD + model)
    (folder / "o.toml").write_text('chain = ["mu", "a"]\n')
    command = ["fit", "model.py", "--config", "o.toml", "--args", args, "--pilot", "laplace"]
    return run(folder, *command, *words)


def test_batches_estimate_the_density_of_the_whole() -> None:
    """On average over a partition, with coefficients of which each batch has its part."""
    import jax.numpy as jnp
    from numpyro import handlers
    from numpyro.infer.util import log_density

    from reparam_rewrite.running.whole import whole

    model = load_model(FIXTURES / "subsampled" / "model_reparam.py")
    rng = np.random.default_rng(0)
    with double_precision():
        args = (6, 3, 2, jnp.asarray(rng.normal(size=(2, 6))))
        params = {"xi_a_mu": (6,), "xi_a_b": (6,), "xi_c_mu": (2, 6), "xi_c_a": (2, 6)}
        shapes = {"mu": (), "b_base": (2, 1), "a_base": (6,), "c_base": (2, 6)}
        values = {n: jnp.asarray(rng.normal(size=s)) for n, s in {**shapes, **params}.items()}
        values["sigma"] = jnp.asarray(0.7)

        def density(model: Any, at: Any) -> float:
            local = {n: values[n][..., at] for n in ("a_base", "c_base")}
            with handlers.substitute(data={"n": at}):
                return float(log_density(model, args, {}, {**values, **local})[0])

        batches = [density(model, jnp.asarray(at)) for at in ([0, 2, 5], [1, 3, 4])]
        assert density(whole(model), jnp.arange(6)) == pytest.approx(np.mean(batches), rel=1e-12)


def test_coefficients_of_elements_stay_params(tmp_path: Path) -> None:
    """Only of a param a batch takes its part; the generated model is the plain one all the same."""
    ran = fit(tmp_path, UNEVEN, ARGS)
    assert (ran.status, ran.out) == (0, b"")
    config = tomllib.loads((tmp_path / "o.toml").read_text())
    assert config["sites"]["a"]["offset"]["mu"].get("learn", True)
    found = np.load(tmp_path / "o.npz")["xi_a_mu"]
    np.testing.assert_allclose(found, [1.0, 0.0] * 6, atol=0.15)
    assert run(tmp_path, "model.py", "--config", "o.toml", "-o", "made.py").status == 0
    with double_precision():
        import jax.numpy as jnp

        args = eval(ARGS, {"jnp": jnp})[0]
        plain, made = (load_model(tmp_path / name) for name in ("model.py", "made.py"))
        assert_equivalent(plain, made, args, {}, points=2)


def test_one_coefficient_becomes_a_number(tmp_path: Path) -> None:
    ran = fit(tmp_path, UNEVEN, "(0.1 * jnp.ones(6), 2, 3 + jnp.arange(6.0)), {}")
    assert ran.status == 0, ran.err
    mu = tomllib.loads((tmp_path / "o.toml").read_text())["sites"]["a"]["offset"]["mu"]
    assert mu["learn"] is False and mu["init"] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("observed", "y", "message"),
    [
        pytest.param(
            'numpyro.sample("y", dist.Normal(mu, 1), obs=y)',
            "jnp.ones(2)",
            "model.py: the plate 'n' is subsampled, and all of the data are needed at once: 'y' "
            "has 2 of its 6 elements",
            id="a batch in the arguments",
        ),
        pytest.param(
            'numpyro.sample("y", dist.Normal(mu + jnp.zeros(m), 1), obs=y[i])',
            "jnp.ones(6)",
            "model.py:10:9: 'model' can't be run with all elements of 'n', which is needed: "
            "ValueError: Incompatible shapes",
            id="the size of the batch",
        ),
    ],
)
def test_what_has_batches_only_is_refused(
    observed: str, y: str, message: str, tmp_path: Path
) -> None:
    model = f"""\
def model(m, y):
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    a = numpyro.sample("a", dist.Normal(0, 1))
    with numpyro.plate("n", 6, subsample_size=m) as i:
        {observed}
"""
    ran = fit(tmp_path, model, f"(2, {y}), {{}}")
    assert ran.status == 2 and ran.err.startswith(message)
    assert "hint: give all of the data in --args, and let the model take its part" in ran.err
