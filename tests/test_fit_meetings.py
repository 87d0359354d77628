"""Where contributions meet in the data: `fit` writes what that comes to as arrays."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from numpyro import handlers
from numpyro.infer import Predictive

from reparam_rewrite.running.load import load
from tests.support.cli import Ran, run
from tests.support.execution import assert_equivalent, double_precision, load_model

HEAD = """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

"""

COUNTIES = (
    HEAD
    + """
def model(county, state, x, n_county, n_state, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    with numpyro.plate("state", n_state):
        s = numpyro.sample("s", dist.Normal(0, 1))
    with numpyro.plate("county", n_county):
        a = numpyro.sample("a", dist.Normal(0, 1))
        b = numpyro.sample("b", dist.Normal(0, 1))
    loc = mu + s[state] + a[county] + b[county] * x
    with numpyro.plate("n", len(county)):
        numpyro.sample("y", dist.Normal(loc, 0.1), obs=y)
"""
)

COUNTY = np.array([0, 0, 1, 2, 2, 4, 4, 4])
STATE = np.array([0, 0, 0, 1, 0, 1, 1, 1])
X = np.array([1.0, -2.0, 0.5, 1.5, 2.0, 0.0, -1.0, 1.0])
ARGS = "(np.array({}), np.array({}), np.array({}), {}, 2)"
CALL = ARGS.format(COUNTY.tolist(), STATE.tolist(), X.tolist(), 5)


def draws_of(**shapes: tuple[int, ...]) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=(200, *shape)) for name, shape in shapes.items()}


def fit(
    folder: Path, model: str, config: str, draws: dict[str, Any], call: str, *words: str
) -> Ran:
    """`fit` from a file of draws, which writes fitted.toml and its arrays."""
    (folder / "model.py").write_text(model)
    (folder / "offsets.toml").write_text(config)
    np.savez(folder / "draws.npz", **draws)
    said = ("fit", "model.py", "-c", "offsets.toml", "--pilot", "draws.npz", "--args", call)
    ran = run(folder, *said, "-o", "fitted.toml", *words)
    assert ran.status == 0, ran.err
    return ran


def generated(folder: Path) -> Any:
    ran = run(folder, "model.py", "-c", "fitted.toml", "-o", "made.py")
    assert ran.status == 0, ran.err
    return load(str(folder / "made.py"), "file").model


def projected(county: Any, added: Any, weight: Any, n: int) -> Any:
    """Least squares, with a loop."""
    found = np.zeros(n)
    for k in range(n):
        own = county == k
        square = (weight[own] ** 2).sum()
        found[k] = (weight[own] * added[own]).sum() / square if square else 0.0
    return found


def counties(folder: Path, config: str = 'chain = ["mu", "s", "a", "b"]\n', *words: str) -> Ran:
    draws = draws_of(mu=(), s=(2,), a=(5,), b=(5,))
    noise = {name: 0.1 * values for name, values in draws.items()}
    draws["s"] = draws["s"] - draws["mu"][:, None]
    for at, (s, mu) in enumerate(zip(draws["s"], draws["mu"], strict=True)):
        rest = mu + s[STATE]
        draws["a"][at] = noise["a"][at] - projected(COUNTY, rest, np.ones(8), 5)
        rest = rest + draws["a"][at][COUNTY]
        draws["b"][at] = noise["b"][at] - projected(COUNTY, rest, X, 5)
    return fit(folder, COUNTIES, config, draws, f"{CALL}, {{'y': np.zeros(8)}}", *words)


def test_what_is_written_and_what_it_means(tmp_path: Path) -> None:
    ran = counties(tmp_path)
    text = (tmp_path / "fitted.toml").read_text()
    said = {child: site["offset"] for child, site in tomllib.loads(text)["sites"].items()}
    assert said["a"]["s"].keys() == {"per", "init", "learn"}
    assert said["a"]["s"]["per"] == "fitted.npz"
    assert "per" not in said["a"]["mu"]
    assert said["b"]["a"]["init"] == pytest.approx(1, abs=0.05)
    assert "s[state] per county, frozen" in ran.err
    assert "a[county] per county by x, frozen" in ran.err
    assert "warning" not in ran.err
    with np.load(tmp_path / "fitted.npz") as arrays:
        assert arrays["xi_a_s.shapes"].tolist() == [5, -1, 2]
        assert arrays["xi_a_s.rows"].tolist() == [[0, 1, 2, 2, 4]]
        assert arrays["xi_a_s.columns"].tolist() == [[0, 0, 0, 1, 1]]
        np.testing.assert_allclose(arrays["xi_a_s.weights"], [1, 1, 0.5, 0.5, 1])
        assert arrays["xi_b_mu.shapes"].tolist() == [5, -1]
        assert arrays["xi_b_mu.columns"].shape == (0, 4)
    model, args = generated(tmp_path), (COUNTY, STATE, X, 5, 2)
    assert_equivalent(load_model(COUNTIES), model, args, {"y": np.zeros(8)}, points=3)
    bases = {f"{name}_base": np.zeros(n) for name, n in {"s": 2, "a": 5, "b": 5}.items()}
    with double_precision():
        given = handlers.seed(handlers.substitute(model, {**bases, "mu": 0.7}), 0)
        trace = handlers.trace(given).get_trace(*args)
        values = {name: np.asarray(trace[name]["value"]) for name in ("mu", "s", "a", "b")}
    init = {(c, p): one["init"] for c, of in said.items() for p, one in of.items()}
    parts = {"mu": np.full(8, values["mu"]), "s": values["s"][STATE], "a": values["a"][COUNTY]}
    for child, weight, parents in (("a", np.ones(8), ("mu", "s")), ("b", X, ("mu", "s", "a"))):
        each = {p: projected(COUNTY, parts[p], weight, 5) for p in parents}
        each |= {"mu": np.full(5, values["mu"])} if child == "a" else {}
        expected = -sum(init[child, p] * each[p] for p in parents)
        np.testing.assert_allclose(values[child], expected, rtol=1e-9)


def test_draws_predict_from_other_data(tmp_path: Path) -> None:
    """With and without observations, as the plain model does."""
    counties(tmp_path, 'chain = ["mu", "s", "a", "b"]\ndefaults.coefficient = "shared"\n')
    plain, model = load_model(COUNTIES), generated(tmp_path)
    keys = jax.random.split(jax.random.PRNGKey(0))
    drawn = Predictive(model, num_samples=5)(keys[0], COUNTY, STATE, X, 5, 2, y=np.zeros(8))
    draws = {name: value for name, value in drawn.items() if name != "y"}
    other = (COUNTY[::-1], STATE[::-1] * 0, X + 1, 5, 2)
    first, second = (Predictive(one, draws)(keys[1], *other)["y"] for one in (plain, model))
    np.testing.assert_allclose(first, second, rtol=1e-5)
    of_base = {name: draws[name] for name in ("mu", "s_base", "a_base", "b_base")}
    again = Predictive(model, of_base)(keys[1], *other)["y"]
    np.testing.assert_allclose(first, again, rtol=1e-4, atol=1e-4)
    more = (np.array([0, 5]), np.array([0, 1]), np.ones(2), 6, 2)
    message = "the offset of 'a' can't use 'xi_a_s' of fitted.npz .it was made for other sizes"
    with pytest.raises(ValueError, match=message):
        Predictive(model, num_samples=1)(keys[0], *more)


CHAIN = "defaults.coefficient = 'shared'\nchain = ['mu', 's', 'a']\n"


@pytest.mark.parametrize(
    ("damage", "at_rewriting", "when_run"),
    [
        (
            lambda path: path.unlink(),
            "fitted.toml:9:13: there is no 'fitted.npz' beside made.py, which would load it",
            "can't use 'xi_a_s' of fitted.npz .*No such file",
        ),
        (
            lambda path: path.write_bytes(b"PK"),
            "fitted.toml:9:13: 'fitted.npz' is no .npz: File is not a zip file",
            "can't use 'xi_a_s' of fitted.npz",
        ),
        (
            lambda path: np.savez(path, other=np.zeros(3)),
            "fitted.toml:9:13: 'fitted.npz' has no arrays 'xi_a_s' for the offset of 'a'",
            "can't use 'xi_a_s' of fitted.npz .*xi_a_s.shapes is not a file in the archive",
        ),
    ],
)
def test_arrays_that_are_not_there(
    damage: Any, at_rewriting: str, when_run: str, tmp_path: Path
) -> None:
    """It is said of which site, and what to run, when rewriting and when the model is run."""
    counties(tmp_path, CHAIN)
    model = generated(tmp_path)
    damage(tmp_path / "fitted.npz")
    ran = run(tmp_path, "model.py", "-c", "fitted.toml", "-o", "made.py", "--force")
    assert ran.status == 2
    assert ran.err.startswith(at_rewriting)
    message = f"the offset of 'a' {when_run}.*: run 'reparam-rewrite fit' again"
    with pytest.raises(ValueError, match=message):
        Predictive(model, num_samples=1)(jax.random.PRNGKey(0), COUNTY, STATE, X, 5, 2)
