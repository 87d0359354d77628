"""The arrays of conditional coordinates, by what is made of them: potentials that are flat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers

from reparam_rewrite.fitting.conditional import Conditional, conditional_arrays
from reparam_rewrite.running.call import Call, called
from reparam_rewrite.running.predictors import unwrapped
from tests.support.execution import double_precision, traced

pytestmark = pytest.mark.concerns("fitting", "running")

IMPORTS = """\
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
"""


def call_of(folder: Path, model: str, args: str) -> Call:
    """A call of a model; args: an expression, in which `rng` is a generator of random numbers."""
    path = folder / "model.py"
    path.write_text(f"{IMPORTS}\nrng = np.random.default_rng(0)\n{model}")
    return called(str(path), [], args, None, "fit")


def root(fn: Any) -> Any:
    """R of a prior: what its deviation is a standard normal one times, (rows, k, k)."""
    base = unwrapped(fn)
    shape = fn.shape()
    if type(base).__name__ == "GaussianRandomWalk":
        one = np.asarray(base.scale)[..., None, None] * np.tril(np.ones((shape[-1],) * 2))
    elif hasattr(base, "scale_tril"):
        one = np.asarray(base.scale_tril)
    else:
        return np.broadcast_to(base.scale, shape).reshape(-1, 1, 1)
    return np.broadcast_to(one, (*shape[:-1], shape[-1], shape[-1])).reshape(-1, *one.shape[-2:])


def whole(found: Conditional) -> tuple[Any, Any, Any]:
    """G, h and the given ones' of all elements of the effects one after another."""
    of = {key.removeprefix("conditional."): value for key, value in found.arrays.items()}
    blocks, (count, dense, rows, columns) = int(of["blocks"]), of["G_across"].shape
    sizes = [int(of[f"shapes.{name}"].prod()) for name in found.order]
    inside = sizes[len(sizes) - blocks :]
    starts = dense + np.cumsum([0, *inside])
    element = np.concatenate(
        [
            np.arange(s, s + n).reshape(rows, n // rows)
            for s, n in zip(starts[:-1], inside, strict=True)
        ],
        axis=1,
    )
    assert element.shape == (rows, columns)
    assert dense == sum(sizes[: len(sizes) - blocks])
    G, h = np.zeros((count, sum(sizes), sum(sizes))), np.zeros((count, sum(sizes)))
    given = {name: np.zeros((*h.shape, of[f"given.{name}"].shape[-1])) for name in found.given}
    G[:, :dense, :dense], h[:, :dense], h[:, element] = of["G"], of["h"], of["h_blocks"]
    for row, at in enumerate(element):
        G[:, :dense, at] = of["G_across"][:, :, row]
        G[:, at, :dense] = of["G_across"][:, :, row].transpose(0, 2, 1)
        G[np.ix_(range(count), at, at)] = of["G_blocks"][:, row]
    for name, all_of in given.items():
        all_of[:, :dense] = of[f"given.{name}"][:, :dense]
        all_of[:, element.ravel()] = of[f"given.{name}"][:, dense:]
    return G, h, given


def joint(call: Call, values: Mapping[str, Any], deviations: Mapping[str, Any]) -> tuple[Any, Any]:
    """The trace and the log of the joint density, with effects at their means plus deviations."""

    def placed(site: Any) -> Any:
        if site["name"] not in deviations:
            return None
        base = unwrapped(site["fn"])
        loc = 0.0 if type(base).__name__ == "GaussianRandomWalk" else base.loc
        return loc + deviations[site["name"]]

    def model(*args: Any, **kwargs: Any) -> Any:
        with handlers.substitute(substitute_fn=placed), handlers.substitute(data=dict(values)):
            return call.model(*args, **kwargs)

    trace = traced(model, call.args, call.kwargs)
    total = 0.0
    for site in trace.values():
        if site["type"] == "sample":
            missing = jnp.isnan(jnp.asarray(site["value"], float))
            fn = site["fn"]
            if site["is_observed"] and missing.any():
                fn, site["value"] = fn.mask(~missing), jnp.where(missing, 0.0, site["value"])
            each = fn.log_prob(site["value"])
            total = total + jnp.sum(each * (1.0 if site["scale"] is None else site["scale"]))
    return trace, total


def spread(call: Call, found: Conditional, values: Mapping[str, Any]) -> float:
    """How far ``log density + |base|^2 / 2`` goes over random bases, where scales are fixed."""
    G, h, given = whole(found)
    rng = np.random.default_rng(3)
    with double_precision():
        shapes = {name: call.trace[name]["value"].shape for name in found.order}
        trace, _ = joint(call, values, {name: np.zeros(shape) for name, shape in shapes.items()})
        noise = [unwrapped(trace[name]["fn"]) for name in found.noise]
        s = np.array([float(np.ravel(fn.scale)[0]) for fn in noise] + [1.0] * bool(found.frozen))
        parts = [root(trace[name]["fn"]) for name in found.order]
        R = np.zeros(G.shape[1:])
        at = 0
        for name, part in zip(found.order, parts, strict=True):
            rows, k = found.arrays[f"conditional.shapes.{name}"]
            assert part.shape == (rows, k, k)
            for one in part:
                R[at : at + k, at : at + k] = one
                at += k
        for name, matrix in given.items():
            h = h - matrix @ np.ravel(trace[name]["value"])
        Q = np.eye(len(R)) + R.T @ np.einsum("oij,o->ij", G, s**-2.0) @ R
        L = np.linalg.cholesky(Q)
        y = np.linalg.solve(L, R.T @ (s**-2.0 @ h))
        totals = []
        for _ in range(4):
            base = rng.normal(size=len(R))
            flat = R @ np.linalg.solve(L.T, base + y)
            ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])[:-1]
            pieces = zip(shapes.items(), np.split(flat, ends), strict=True)
            deviations = {name: piece.reshape(shape) for (name, shape), piece in pieces}
            totals.append(float(joint(call, values, deviations)[1]) + base @ base / 2)
    return max(totals) - min(totals)


def assert_flat(
    folder: Path, model: str, args: str, order: Sequence[str], values: Mapping[str, Any] = {}
) -> Conditional:
    """The exact coordinates make the potential that of a standard normal, to 1e-8 nats."""
    call = call_of(folder, model, args)
    found = conditional_arrays(call, order)
    assert found.form == "exact"
    assert spread(call, found, values) < 1e-8
    return found


CROSSED = """
def model(i, j, n, m, y=None):
    mu = numpyro.sample("mu", dist.Normal(3, 2))
    tau = numpyro.sample("tau", dist.HalfNormal(1))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1))
    with numpyro.plate("rows", n):
        a = numpyro.sample("a", dist.Normal(0, tau))
    with numpyro.plate("columns", m):
        b = numpyro.sample("b", dist.Normal(0.5, 0.3))
    numpyro.sample("y", dist.Normal(mu + a[i] - b[j], sigma), obs=y)
"""
CALL = "(rng.integers(5, size=40), rng.integers(4, size=40), 6, 4), {'y': rng.normal(size=40)}"


def test_crossed_effects(tmp_path: Path) -> None:
    """One of the six has no observation."""
    found = assert_flat(tmp_path, CROSSED, CALL, ["mu", "b", "a"], {"tau": 0.7, "sigma": 0.2})
    assert found.sizes[:3] == (5, 6, 1)
    assert found.noise == ("y",)
    assert not found.frozen
    assert found.mode is None


def test_what_the_arrays_are(tmp_path: Path) -> None:
    """Counts and sums of what is observed, less what is there without effects."""
    call = call_of(tmp_path, CROSSED, CALL)
    arrays = conditional_arrays(call, ["mu", "b", "a"]).arrays
    i, j, y = *call.args[:2], call.kwargs["y"] - 3 + 0.5
    counts = np.bincount(i, minlength=6)
    np.testing.assert_allclose(arrays["conditional.G_blocks"][0, :, 0, 0], counts)
    np.testing.assert_allclose(arrays["conditional.G_across"][0, 0, :, 0], counts)
    np.testing.assert_allclose(arrays["conditional.G"][0, 0], [40, *-np.bincount(j)])
    np.testing.assert_allclose(arrays["conditional.h_blocks"][0, :, 0], np.bincount(i, y, 6))
    np.testing.assert_allclose(arrays["conditional.h"][0], [y.sum(), *-np.bincount(j, y)])
    assert arrays["conditional.shapes.a"].tolist() == [6, 1]
    assert arrays["conditional.blocks"] == 1


def test_slopes_around_their_means(tmp_path: Path) -> None:
    """The intercept and the slope of a county are one block."""
    model = """
def model(county, floor, n, y=None):
    mu_a = numpyro.sample("mu_a", dist.Normal(0, 5))
    mu_b = numpyro.sample("mu_b", dist.Normal(0, 5))
    s_a = numpyro.sample("s_a", dist.HalfNormal(1))
    s_b = numpyro.sample("s_b", dist.HalfNormal(1))
    with numpyro.plate("counties", n):
        a = numpyro.sample("a", dist.Normal(mu_a, s_a))
        b = numpyro.sample("b", dist.Normal(mu_b, s_b))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1))
    with numpyro.plate("houses", len(county)):
        numpyro.sample("y", dist.Normal(a[county] + b[county] * floor, sigma), obs=y)
"""
    args = (
        "(rng.integers(8, size=50), rng.integers(2, size=50) * 1.0, 9), {'y': rng.normal(size=50)}"
    )
    values = {"s_a": 0.4, "s_b": 1e-3, "sigma": 0.8}
    found = assert_flat(tmp_path, model, args, ["mu_a", "mu_b", "a", "b"], values)
    assert found.sizes[:3] == (2, 9, 2)
    assert found.arrays["conditional.blocks"] == 2


def test_effects_that_are_left_as_they_are(tmp_path: Path) -> None:
    """Sampled before the first: its value is read; its weight is in the arrays."""
    model = """
def model(county, X, n, y=None):
    beta = numpyro.sample("beta", dist.Normal(0, 1).expand([2]).to_event(1))
    shift = numpyro.sample("shift", dist.HalfNormal(1))
    tau = numpyro.sample("tau", dist.HalfNormal(1))
    with numpyro.plate("counties", n):
        a = numpyro.sample("a", dist.Normal(shift, tau))
    numpyro.sample("y", dist.Normal(a[county] + X @ beta, 0.5), obs=y)
"""
    args = "(rng.integers(4, size=30), rng.normal(size=(30, 2)), 4), {'y': rng.normal(size=30)}"
    values = {"beta": np.array([1.5, -3.0]), "shift": 2.0, "tau": 0.3}
    found = assert_flat(tmp_path, model, args, ["a"], values)
    assert found.given == ("beta", "shift")
    assert found.arrays["conditional.given.beta"].shape == (1, 4, 2)


def test_nested_effects(tmp_path: Path) -> None:
    model = """
def model(state_of, county, n, m, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    with numpyro.plate("states", m):
        s = numpyro.sample("s", dist.Normal(mu, 0.8))
    with numpyro.plate("counties", n):
        a = numpyro.sample("a", dist.Normal(s[state_of], 0.4))
    numpyro.sample("y", dist.Normal(a[county], 0.7), obs=y)
"""
    args = "(np.arange(9) % 3, rng.integers(9, size=40), 9, 3), {'y': rng.normal(size=40)}"
    assert_flat(tmp_path, model, args, ["mu", "s", "a"])


def test_a_random_walk_beside_an_intercept(tmp_path: Path) -> None:
    model = """
def model(t, T, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    scale = numpyro.sample("scale", dist.HalfNormal(1))
    z = numpyro.sample("z", dist.GaussianRandomWalk(scale, num_steps=T))
    numpyro.sample("y", dist.Normal(mu + z[t], 0.3), obs=y)
"""
    args = "(rng.integers(6, size=30), 7), {'y': rng.normal(size=30)}"
    found = assert_flat(tmp_path, model, args, ["mu", "z"], {"scale": 0.4})
    assert found.sizes[:3] == (1, 1, 7)
    assert found.arrays["conditional.shapes.z"].tolist() == [1, 7]


def test_correlated_intercepts_and_slopes(tmp_path: Path) -> None:
    model = """
def model(i, x, n, y=None):
    mean = numpyro.sample("mean", dist.Normal(0, 5).expand([2]).to_event(1))
    L = numpyro.sample("L", dist.LKJCholesky(2, 2.0))
    sd = numpyro.sample("sd", dist.HalfNormal(1).expand([2]).to_event(1))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1))
    with numpyro.plate("people", n):
        ab = numpyro.sample("ab", dist.MultivariateNormal(mean, scale_tril=sd[:, None] * L))
    numpyro.sample("y", dist.Normal(ab[i, 0] + ab[i, 1] * x, sigma), obs=y)
"""
    args = "(np.arange(36) % 6, rng.normal(size=36), 6), {'y': rng.normal(size=36)}"
    L = np.array([[1.0, 0.0], [-0.6, 0.8]])
    values = {"L": L, "sd": np.array([0.5, 2.0]), "sigma": 0.3}
    found = assert_flat(tmp_path, model, args, ["mean", "ab"], values)
    assert found.sizes[:3] == (2, 6, 2)


def test_vectors_with_a_scale_each(tmp_path: Path) -> None:
    """Rows have two columns, though the prior's scale is a diagonal."""
    model = """
def model(i, x, n, y=None):
    mean = numpyro.sample("mean", dist.Normal(0, 5).expand([2]).to_event(1))
    with numpyro.plate("people", n):
        ab = numpyro.sample("ab", dist.Normal(mean, jnp.array([1.0, 0.3])).to_event(1))
    numpyro.sample("y", dist.Normal(ab[i, 0] + ab[i, 1] * x, 0.4), obs=y)
"""
    args = "(np.arange(36) % 6, rng.normal(size=36), 6), {'y': rng.normal(size=36)}"
    found = assert_flat(tmp_path, model, args, ["mean", "ab"])
    assert found.sizes[:3] == (2, 6, 2)
    assert found.arrays["conditional.shapes.ab"].tolist() == [12, 1]


@pytest.mark.parametrize("mask", ["observed", "handler", "nan", "obs_mask"])
def test_what_is_not_observed_counts_for_nothing(tmp_path: Path, mask: str) -> None:
    fn = "dist.Normal(mu + a[i], 0.5)"
    sample = f'numpyro.sample("y", {fn}, obs=y)'
    if mask == "observed":
        sample = f'numpyro.sample("y", {fn}.mask(seen), obs=y)'
    elif mask == "handler":
        sample = f"with numpyro.handlers.mask(mask=seen):\n        {sample}"
    elif mask == "obs_mask":
        sample = f'numpyro.sample("y", {fn}, obs=y, obs_mask=seen)'
    model = f"""
def model(i, n, seen, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    a = numpyro.sample("a", dist.Normal(0, 1).expand([n]).to_event(1))
    {sample}
"""
    y = (
        "np.where(np.arange(20) % 5 > 0, rng.normal(size=20), np.nan)"
        if mask == "nan"
        else "rng.normal(size=20)"
    )
    args = f"(np.arange(20) % 4, 4, np.arange(20) % 5 > 0), {{'y': {y}}}"
    call = call_of(tmp_path, model, args)
    found = conditional_arrays(call, ["mu", "a"])
    seen = np.arange(20) % 5 > 0
    counts = np.bincount((np.arange(20) % 4)[seen], minlength=4)
    np.testing.assert_allclose(found.arrays["conditional.G_blocks"][0, :, 0, 0], counts)
    if mask != "obs_mask":
        assert spread(call, found, {}) < 1e-8


def test_two_observed_sites_with_scales_of_their_own(tmp_path: Path) -> None:
    model = """
def model(i, j, n, y=None, z=None):
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    s = numpyro.sample("s", dist.HalfNormal(1).expand([2]).to_event(1))
    with numpyro.plate("groups", n):
        a = numpyro.sample("a", dist.Normal(mu, 0.6))
    numpyro.sample("y", dist.Normal(a[i], s[0]), obs=y)
    numpyro.sample("z", dist.LogNormal(2 * a[j] - mu, s[1]), obs=z)
"""
    args = (
        "(np.arange(30) % 5, np.arange(12) % 4, 5), "
        "{'y': rng.normal(size=30), 'z': rng.gamma(2, size=12)}"
    )
    found = assert_flat(tmp_path, model, args, ["mu", "a"], {"s": np.array([0.3, 0.9])})
    assert found.noise == ("y", "z")
    assert found.arrays["conditional.G"].shape == (2, 1, 1)


def test_known_scales_are_in_the_arrays(tmp_path: Path) -> None:
    model = """
def model(sigma, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    tau = numpyro.sample("tau", dist.HalfCauchy(5))
    with numpyro.plate("schools", len(sigma)):
        theta = numpyro.sample("theta", dist.Normal(mu, tau))
        numpyro.sample("y", dist.Normal(theta, sigma), obs=y)
"""
    args = "(np.array([15.0, 10, 16, 11, 9, 11, 10, 18]),), {'y': 8 * rng.normal(size=8)}"
    found = assert_flat(tmp_path, model, args, ["mu", "theta"], {"tau": 4.0})
    assert found.noise == ()
    assert found.frozen == {"y": "known"}
    assert found.mode is None


def test_effects_without_a_plate_and_tables(tmp_path: Path) -> None:
    """A full table: effects of both axes, and of each cell."""
    model = """
def model(n, m, t, y=None):
    mu = numpyro.sample("mu", dist.Normal(1, 5))
    a = numpyro.sample("a", dist.Normal(jnp.zeros(n), 0.5).to_event(1))
    b = numpyro.sample("b", dist.Normal(0.2, 0.5).expand([m]).mask(True))
    with numpyro.plate("n", n):
        z = numpyro.sample("z", dist.GaussianRandomWalk(0.3, num_steps=t))
    c = numpyro.sample("c", dist.Normal(0, 0.4).expand([n, m]).to_event(2))
    mean = mu + a[:, None, None] + b[:, None] + z[:, None] + c[..., None]
    numpyro.sample("y", dist.Normal(mean, 0.2), obs=y)
"""
    args = "(3, 4, 5), {'y': rng.normal(size=(3, 4, 5))}"
    found = assert_flat(tmp_path, model, args, ["mu", "a", "b", "z", "c"])
    assert found.sizes[:3] == (1 + 3 + 4 + 15, 12, 1)


def test_the_sequential_form_has_the_same_numbers(tmp_path: Path) -> None:
    call = call_of(tmp_path, CROSSED, CALL)
    G, h, _ = whole(conditional_arrays(call, ["mu", "b", "a"]))
    found = conditional_arrays(call, ["mu", "b", "a"], form="sequential")
    assert found.form == "sequential"
    of = {key.removeprefix("conditional."): value for key, value in found.arrays.items()}
    np.testing.assert_allclose(of["b.G"][0, :, 0, 0], np.diag(G[0])[1:5])
    np.testing.assert_allclose(of["a.h"][0, :, 0], h[0, 5:])
    across = np.zeros((4, 6))
    across[of["b.a.rows"], of["b.a.columns"]] = of["b.a.values"][0, :, 0, 0]
    np.testing.assert_allclose(across, G[0, 1:5, 5:])
    assert of["b.a.rows"].dtype == np.int32


def test_rows_of_the_sequential_form(tmp_path: Path) -> None:
    """Elements that observations couple are in one row, as far as that has few columns."""
    model = """
def model(i, x, X, n, y=None):
    beta = numpyro.sample("beta", dist.Normal(0, 1).expand([X.shape[1]]).to_event(1))
    with numpyro.plate("people", n):
        ab = numpyro.sample("ab", dist.Normal(0, jnp.array([1.0, 0.3])).to_event(1))
    numpyro.sample("y", dist.Normal(X @ beta + ab[i, 0] + ab[i, 1] * x, 0.4), obs=y)
"""
    X = "rng.normal(size=(90, 70))"
    args = f"(np.arange(90) % 6, rng.normal(size=90), {X}, 6, rng.normal(size=90))"
    found = conditional_arrays(call_of(tmp_path, model, args), ["beta", "ab"], form="sequential")
    assert found.arrays["conditional.ab.G"].shape == (1, 6, 2, 2)
    assert found.arrays["conditional.beta.G"].shape == (1, 70, 1, 1)
    assert found.arrays["conditional.shapes.ab"].tolist() == [12, 1]
    assert [tuple(note) for note in found.notes] == [("within-rows", ("beta",))]


def test_what_a_site_adds_that_is_sampled_later(tmp_path: Path) -> None:
    """It isn't known yet, and counts as what it is at the mode; a discrete site does too."""
    model = """
def model(i, n, y=None):
    k = numpyro.sample("k", dist.Bernoulli(0.5))
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    a = numpyro.sample("a", dist.Normal(2, 1).expand([n]).to_event(1))
    numpyro.sample("y", dist.Normal(mu + a[i] + k, 0.5), obs=y)
"""
    args = "(np.arange(20) % 4, 4), {'y': rng.normal(size=20) + 9}"
    found = conditional_arrays(call_of(tmp_path, model, args), ["mu"])
    assert found.given == ()
    assert found.mode is not None
    assert found.mode["a"].mean() > 2.1
    assert [tuple(note) for note in found.notes] == [("at-mode", ("a", "k"))]
