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

from reparam_rewrite.fitting.writing import with_frozen
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
    return load(str(folder / "made.py"), "file", "model").model


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


TABLE = (
    HEAD
    + """
def model(i, j, n, m, y=None):
    with numpyro.plate("j", m):
        b = numpyro.sample("b", dist.Normal(0, 1))
    with numpyro.plate("i", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
    with numpyro.plate("ratings", len(i)):
        numpyro.sample("y", dist.Normal(a[i] + b[j], 1), obs=y)
"""
)


@pytest.mark.parametrize("full", [True, False])
def test_a_full_table_is_a_mean(full: bool, tmp_path: Path) -> None:
    i, j = (of.ravel()[: None if full else -1] for of in np.mgrid[:3, :4])
    draws = draws_of(b=(4,), a=(3,))
    draws["a"] = 0.1 * draws["a"] - draws["b"].mean(axis=1, keepdims=True)
    call = f"(np.array({i.tolist()}), np.array({j.tolist()}), 3, 4), {{'y': np.zeros({len(i)})}}"
    config = 'chain = ["b", "a"]\ndefaults.coefficient = "shared"\n'
    fit(tmp_path, TABLE, config, draws, call)
    said = tomllib.loads((tmp_path / "fitted.toml").read_text())["sites"]["a"]["offset"]["b"]
    assert said["init"] == pytest.approx(1, abs=0.1)
    assert said.get("value") == ("jnp.mean(b)" if full else None)
    assert (tmp_path / "fitted.npz").exists() == (not full)
    assert_equivalent(load_model(TABLE), generated(tmp_path), (i, j, 3, 4), {}, points=3)


def test_each_site_of_a_glob_has_arrays_of_its_own(tmp_path: Path) -> None:
    model = (
        HEAD
        + """
def model(group, of, n, y=None):
    with numpyro.plate("of", 2):
        z = numpyro.sample("z", dist.Normal(0, 1))
    loc = z[of]
    for k in range(2):
        with numpyro.plate(f"g_{k}", n):
            beta = numpyro.sample(f"beta_{k}", dist.Normal(0, 1))
        loc = loc + beta[group[k]]
    numpyro.sample("y", dist.Normal(loc, 1), obs=y)
"""
    )
    config = """\
[sites."beta_*".offset]
z = { value = "z[of]", per = "group[k]", coefficient = "shared" }
"""
    draws = draws_of(z=(2,), beta_0=(3,), beta_1=(3,))
    groups, of = np.array([[0, 1, 1, 2], [2, 2, 0, 1]]), np.array([0, 1, 0, 1])
    for k in range(2):
        each = [projected(groups[k], z[of], np.ones(4), 3) for z in draws["z"]]
        draws[f"beta_{k}"] = 0.1 * draws[f"beta_{k}"] - np.array(each)
    call = f"(np.array({groups.tolist()}), np.array({of.tolist()}), 3), {{'y': np.zeros(4)}}"
    ran = fit(tmp_path, model, config, draws, call)
    assert "z[of] per group[k], frozen" in ran.err
    said = tomllib.loads((tmp_path / "fitted.toml").read_text())["sites"]["beta_*"]["offset"]["z"]
    assert said == {
        "coefficient": "shared",
        "per": "fitted.npz",
        "init": said["init"],
        "learn": False,
    }
    with np.load(tmp_path / "fitted.npz") as arrays:
        for k, rows in enumerate(([0, 1, 1, 2], [0, 1, 2, 2])):
            assert arrays[f"xi_beta_{k}_z.rows"].tolist() == [rows]
    made = generated(tmp_path)
    assert_equivalent(load_model(model), made, (groups, of, 3), {"y": np.zeros(4)}, points=3)


def test_several_elements_of_the_parent_in_one_observation(tmp_path: Path) -> None:
    """A matrix times a vector, with a weight, of a value under a label of its own."""
    model = (
        HEAD
        + """
def model(x, w, group, n, y=None):
    b = numpyro.sample("b", dist.Normal(0, 1).expand([3]).to_event(1))
    with numpyro.plate("g", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
    numpyro.sample("y", dist.Normal(x @ b + a[group] * w, 1), obs=y)
"""
    )
    config = """\
[sites.a.offset]
of_x = { value = "x @ b", per = "group", weight = "w", coefficient = "shared" }
"""
    rng = np.random.default_rng(3)
    x, w, group = rng.normal(size=(5, 3)), rng.normal(size=5), np.array([0, 1, 1, 3, 3])
    draws = draws_of(b=(3,), a=(4,))
    each = [projected(group, x @ b, w, 4) for b in draws["b"]]
    draws["a"] = 0.1 * draws["a"] - np.array(each)
    np.savez(tmp_path / "data.npz", x=x, w=w, group=group)
    (tmp_path / "example.py").write_text(
        "import numpy as np\n\n\ndef args():\n    data = np.load('data.npz')\n"
        "    return (data['x'], data['w'], data['group'], 4), {'y': np.zeros(5)}\n"
    )
    fit(tmp_path, model, config, draws, "example.py:args")
    said = tomllib.loads((tmp_path / "fitted.toml").read_text())["sites"]["a"]["offset"]["of_x"]
    assert (said["value"], said["per"]) == ("b", "fitted.npz") and "weight" not in said
    made, b = generated(tmp_path), np.array([0.5, -1.0, 2.0])
    with double_precision():
        given = handlers.substitute(made, {"b": b, "a_base": np.zeros(4)})
        trace = handlers.trace(handlers.seed(given, 0)).get_trace(x, w, group, 4)
    expected = -said["init"] * projected(group, x @ b, w, 4)
    np.testing.assert_allclose(trace["a"]["value"], expected, rtol=1e-9)


def test_what_only_the_file_has_stays_in_it(tmp_path: Path) -> None:
    path = tmp_path / "fitted.npz"
    assert with_frozen({"xi": np.ones(2)}, path).keys() == {"xi"}
    old = {"xi": np.zeros(2), "xi_other": np.zeros(3), "xi_a_s.rows": np.zeros((1, 2))}
    np.savez(path, **old)
    found = with_frozen({"xi": np.ones(2)}, path)
    assert found.keys() == {"xi", "xi_a_s.rows"}
    assert found["xi"].tolist() == [1, 1]


def test_what_is_frozen_is_told_anew(tmp_path: Path) -> None:
    """Of data of other sizes too, in the config that fit wrote itself."""
    counties(tmp_path, CHAIN)
    text = (tmp_path / "fitted.toml").read_text()
    county, state = np.arange(12) % 6, np.arange(12) % 6 // 2
    draws = draws_of(mu=(), s=(3,), a=(6,), b=(6,))
    draws["a"] = 0.1 * draws["a"] - draws["mu"][:, None] - draws["s"][:, np.arange(6) // 2]
    call = ARGS.format(county.tolist(), state.tolist(), [1.0] * 12, 6).replace(", 2)", ", 3)")
    fit(tmp_path, COUNTIES, text, draws, f"{call}, {{'y': np.zeros(12)}}")
    assert (tmp_path / "fitted.toml").read_text().count("fitted.npz") == 1
    with np.load(tmp_path / "fitted.npz") as arrays:
        assert arrays["xi_a_s.shapes"].tolist() == [6, -1, 3]
        assert arrays["xi_a_s.columns"].tolist() == [[0, 0, 1, 1, 2, 2]]


def test_what_no_arrays_can_stand_for_stays(tmp_path: Path) -> None:
    model = COUNTIES.replace("s[state] + a", "jnp.exp(s)[state] + a")
    config = '[sites.a.offset]\ns = { value = "jnp.exp(s)[state]", per = "county" }\n'
    draws = draws_of(mu=(), s=(2,), a=(5,), b=(5,))
    each = [projected(COUNTY, np.exp(s)[STATE], np.ones(8), 5) for s in draws["s"]]
    draws["a"] = 0.1 * draws["a"] - np.array(each)
    ran = fit(tmp_path, model, config, draws, f"{CALL}, {{'y': np.zeros(8)}}")
    words = "warning: the offset of a by jnp.exp(s)[state] per county reads data, which no arrays "
    assert f"{words}can stand for (it isn't linear in its parent)" in ran.err
    assert 'value = "jnp.exp(s)[state]", per = "county"' in (tmp_path / "fitted.toml").read_text()
