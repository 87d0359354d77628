"""Coefficients that are fitted to draws: what is found, and what becomes of the config."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.fft

from reparam_rewrite.cli.fit import command
from reparam_rewrite.config.reading import read_config
from reparam_rewrite.fitting.regression import better, fitted, in_bases, left_of
from reparam_rewrite.fitting.values import Array, Better, Fitted, Regression, Regressor
from reparam_rewrite.fitting.writing import npz_bytes, with_bases, with_fits
from tests.benchmarks import gaussian_tensor
from tests.support.cases import FIXTURES
from tests.support.cli import run
from tests.support.execution import assert_equivalent, double_precision, load_model

pytestmark = pytest.mark.concerns("")  # all of the program

CROSSED = FIXTURES / "crossed"

# -- least squares ---------------------------------------------------------------------------------

N = 400
CHAIN = np.repeat([0, 1], N // 2)


def noise(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(N, *shape))


def regression(values: Array, *regressors: Array, **more: Any) -> Regression:
    """Of parents p0, p1, ...; every coefficient has the child's shape."""
    shape = values.shape[1:]
    made = [
        Regressor(f"p{at}", f"xi_{at}", np.broadcast_to(g, values.shape), shape)
        for at, g in enumerate(regressors)
    ]
    return Regression("a", "a", values, tuple(made), **more)


def test_shared_coefficients_are_found() -> None:
    mu, other = noise(1, seed=1), noise(1, seed=2)
    found = fitted(regression(0.1 * noise(6) - 0.7 * mu + 0.2 * other, mu, other), CHAIN)
    assert found.kind == "shared"
    assert found.coefficients["xi_0"] == pytest.approx(0.7, abs=0.01)
    assert found.coefficients["xi_1"] == pytest.approx(-0.2, abs=0.01)
    assert found.narrowing == pytest.approx(np.sqrt(0.01 + 0.49 + 0.04) / 0.1, rel=0.1)


def test_elements_that_differ_have_coefficients_of_their_own() -> None:
    mu, wanted = noise(1, seed=1), np.linspace(-1, 1, 6)
    found = fitted(regression(0.1 * noise(6) - wanted * mu, mu), CHAIN)
    assert found.kind == "elementwise"
    np.testing.assert_allclose(found.coefficients["xi_0"], wanted, atol=0.03)


def test_elements_that_are_alike_share_one() -> None:
    """Twenty numbers would only have more noise."""
    mu = noise(1, seed=1)
    assert fitted(regression(noise(20) - 0.5 * mu, mu), CHAIN).kind == "shared"


@pytest.mark.parametrize("seed", range(8))
def test_chance_is_not_fitted(seed: int) -> None:
    parents = [noise(1, seed=100 * seed + at) for at in range(1, 6)]
    found = fitted(regression(noise(10, seed=100 * seed), *parents), CHAIN)
    assert (found.kind, found.narrowing) == ("none", 1.0)
    assert set(found.coefficients.values()) == {0.0}


def test_an_offset_that_moves_one_element_is_judged_by_that() -> None:
    """In a basis mu moves what all elements have in common, one of 50: it is twice as narrow."""
    mu = noise(1, seed=2)
    values = noise(50) + 3**0.5 / 50**0.5 * mu
    dct = (scipy.fft.dct(np.eye(50), axis=0, norm="ortho"), -1)
    found = fitted(regression(values, mu, bases=(dct,)), CHAIN)
    assert found.kind == "shared"
    assert found.coefficients["xi_0"] == pytest.approx(-(3**0.5) / 50**0.5, abs=0.02)
    assert found.narrowing == pytest.approx(2, rel=0.1)


def test_a_parent_that_moves_one_element_counts_beside_one_that_moves_all() -> None:
    """Three times as narrow in what 100 elements share: the mean over them is 1.01."""
    mu, other = noise(1, seed=2), noise(100, seed=3)
    values = noise(100) + 8**0.5 / 100**0.5 * mu
    dct = (scipy.fft.dct(np.eye(100), axis=0, norm="ortho"), -1)
    found = fitted(regression(values, mu, other, bases=(dct,)), CHAIN)
    assert found.kind == "shared"
    assert found.coefficients["xi_0"] == pytest.approx(-(8**0.5) / 100**0.5, abs=0.02)
    assert found.coefficients["xi_1"] == pytest.approx(0, abs=0.02)


def test_wide_elements_do_not_outweigh_narrow_ones() -> None:
    """The best diagonal normal gains by ratios: as much for an element of sd 0.01 as of sd 100."""
    mu = noise(1, seed=1)
    scale = np.array([100.0, 0.01, 0.01, 0.01, 0.01])
    values = scale * noise(5) - np.array([30.0, 1, 1, 1, 1]) * mu
    made = regression(values, mu)
    one = Regressor(made.regressors[0].parent, "xi_0", made.regressors[0].values, ())
    found = fitted(Regression("a", "a", values, (one,)), CHAIN)
    assert found.coefficients["xi_0"] == pytest.approx(1.0, abs=0.05)


def test_a_basis_comes_in_before_the_width() -> None:
    """Only what is narrow in the basis tells the coefficient; there it is known to 1 %."""
    basis = np.linalg.qr(np.random.default_rng(3).normal(size=(4, 4)))[0]
    scale, mu = np.array([50.0, 0.01, 0.01, 0.01]), noise(1, seed=1)
    values = in_bases(scale * noise(4), [(basis.T, -1)]) - 0.6 * mu
    made = regression(values, mu, bases=((basis, -1),))
    assert fitted(made, CHAIN).coefficients["xi_0"] == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize(("informed", "power"), [(0.05, (0.0, 0.2)), (50.0, (0.8, 1.0))])
def test_the_power_of_a_scale(informed: float, power: tuple[float, float]) -> None:
    """Groups that the data tell are best as written, others non-centred (Gorinova et al. 2020)."""
    sigma = np.exp(0.5 * noise(1, seed=4))
    centre = np.linspace(-2, 2, 8)
    weight = sigma**2 / (sigma**2 + informed**2)
    values = weight * centre + np.sqrt(weight) * informed * noise(8)
    made = Regression("a", "a", values, (), scaled_by=np.broadcast_to(sigma, values.shape))
    found = fitted(made, CHAIN)
    assert found.power is not None and power[0] <= found.power <= power[1]


@pytest.mark.parametrize(("informed", "power"), [(0.05, (0.0, 0.2)), (50.0, (0.8, 1.0))])
def test_how_far_a_site_stays_centred_around_a_loc(
    informed: float, power: tuple[float, float]
) -> None:
    """The same, where the groups are around a mean that the posterior doesn't know either."""
    sigma, mu = np.exp(0.5 * noise(1, seed=4)), 3 + noise(1, seed=5)
    centre = np.linspace(1, 5, 8)
    weight = sigma**2 / (sigma**2 + informed**2)
    values = weight * centre + (1 - weight) * mu + np.sqrt(weight) * informed * noise(8)
    made = Regression(
        *("a", "a", (values - mu) / sigma, ()),
        scaled_by=np.broadcast_to(sigma, values.shape),
        power=1.0,
        around=np.broadcast_to(mu, values.shape),
    )
    found = fitted(made, CHAIN)
    assert found.power is not None and power[0] <= found.power <= power[1]


def test_weights_of_a_matrix() -> None:
    parents, wanted = noise(3, seed=1), np.array([[1.0, 0, -0.5], [0, 0.5, 0]])
    values = 0.1 * noise(2) - parents @ wanted.T
    adds = np.zeros((N, 2, 6))
    for row in range(2):
        adds[:, row, 3 * row : 3 * row + 3] = parents
    one = Regressor("b", "xi", adds, (2, 3), matrix=True)
    found = fitted(Regression("a", "a", values, (one,)), CHAIN)
    np.testing.assert_allclose(found.coefficients["xi"], wanted, atol=0.03)


def test_a_direction_that_is_none_of_the_elements_asks_for_a_basis() -> None:
    """Elements that share a wide mean: in the basis it is one of 12, and 20 times the others."""
    values = 0.1 * noise(12) + noise(1, seed=1) * 2 / np.sqrt(12)
    dims, narrowing = better(values, CHAIN, ())
    assert dims == (-1,)
    marginal = np.sqrt((2**2 + 12 * 0.1**2) / 12)
    assert narrowing == pytest.approx(marginal / (0.1 ** (11 / 12) * 2 ** (1 / 12)), rel=0.1)


def test_only_axes_that_gain_are_named() -> None:
    walks = np.cumsum(0.1 * noise(3, 4, 10), axis=-1)
    assert better(walks, CHAIN, ())[0] == (-1,)
    rows = walks + 2 * np.cumsum(noise(1, 1, 10, seed=1), axis=-1)
    assert set(better(rows, CHAIN, ())[0]) == {-1, -2, -3}
    assert -1 not in better(rows, CHAIN, (-1,))[0]


@pytest.mark.parametrize("seed", range(4))
def test_chance_asks_for_no_basis(seed: int) -> None:
    scales = np.exp(np.random.default_rng(seed).normal(size=8))
    assert better(scales * noise(8, seed=seed), CHAIN, ()) == ((), 1.0)


def test_bases_are_judged_after_the_offset() -> None:
    mu, own = noise(1, seed=1), 0.1 * noise(6)
    found = fitted(regression(own - 0.7 * mu, mu), CHAIN)
    np.testing.assert_allclose(left_of(found), own, atol=0.1)
    assert better(left_of(found), CHAIN, ())[0] == ()


# -- into the config -------------------------------------------------------------------------------


def fits_of(
    *keys: str,
    far: float = 0.0,
    power: float | None = None,
    kind: str = "shared",
    around: Array | None = None,
) -> Any:
    found = []
    for key in keys:
        regressors = tuple(Regressor(p, f"xi_{key}_{p}", noise(3) + far, (3,)) for p in ("mu", "x"))
        made = Regression(key, key, noise(3), regressors, around=around)
        coefficients = {f"xi_{key}_mu": 0.123456, f"xi_{key}_x": -1.5}
        found.append(Fitted(made, coefficients, kind, 2.0, power))
    return found


def written(text: str, fits: list[Fitted], learn: bool = False) -> str:
    return with_fits(read_config(text.encode(), "o.toml"), fits, learn, "o.npz").text


MU, X = "mu = { init = 0.1235, learn = false }", "x = { init = -1.5, learn = false }"

LAID_OUT = {
    "a chain": (
        'chain = ["mu", "x", "a"]  # all\n',
        f'chain = ["mu", "x", "a"]  # all\n\n[sites.a.offset]\n{MU}\n{X}\n',
    ),
    "a table without an offset": (
        'chain = ["mu", "x", "a"]\n\n[sites.a]\nscale = 0.5  # half\n\n[verify]\nargs = "1"\n',
        'chain = ["mu", "x", "a"]\n\n[sites.a]\nscale = 0.5  # half\n\n'
        f'[sites.a.offset]\n{MU}\n{X}\n\n[verify]\nargs = "1"\n',
    ),
    "a string": (
        '[sites.a]\noffset = "mu"  # why\nreduce = "sum"\n',
        f'[sites.a]\noffset = {{ {MU}, {X}}}  # why\nreduce = "sum"\n',
    ),
    "an array": (
        '[sites.a]\noffset = ["mu", "x"]\n',
        f"[sites.a]\noffset = {{ {MU}, {X}}}\n",
    ),
    "tables of parents, with comments": (
        "[sites.a.offset]\n# one\nmu = { init = 1.0, center = 3.0 }  # two\n"
        "x = {}\nb = {}\n# end\n",
        "[sites.a.offset]\n# one\nmu = { init = 0.1235, center = 3.0, learn = false}  # two\n"
        f"{X}\nb = {{}}\n# end\n",
    ),
    "a line for the site": (
        'sites.a = { offset = "mu" }\n',
        f"sites.a = {{ offset = {{ {MU}, {X}}} }}\n",
    ),
    "a line for the site, without an offset": (
        'chain = ["mu", "x", "a"]\nsites.a = { scale = 0.5 }\n',
        f'chain = ["mu", "x", "a"]\nsites.a = {{ scale = 0.5, offset = {{ {MU}, {X}}} }}\n',
    ),
    "tables of other sites, with another one between": (
        'chain = ["mu", "x", "a"]\n\n[sites.b]\nscale = 0.5\n\n[verify]\nargs = "1"\n\n'
        "[sites.c]\nscale = 2.0\n",
        'chain = ["mu", "x", "a"]\n\n[sites.b]\nscale = 0.5\n\n[sites.a.offset]\n'
        f'{MU}\n{X}\n\n[verify]\nargs = "1"\n\n[sites.c]\nscale = 2.0\n',
    ),
    "dotted keys": (
        '[sites]\na.offset = "mu"\na.init = 0.5\n',
        f"[sites]\na.offset = {{ {MU}, {X}}}\na.init = 0.5\n",
    ),
}


@pytest.mark.parametrize(("before", "after"), LAID_OUT.values(), ids=LAID_OUT)
def test_everything_else_in_the_config_stays(before: str, after: str) -> None:
    found = written(before, fits_of("a"))
    assert "".join(found.split()) == "".join(after.split())  # inline tables differ in blanks
    assert tomllib.loads(found) == tomllib.loads(after)
    assert found.endswith("\n") and not found.endswith("\n\n")
    assert [line for line in before.splitlines() if "#" in line and "=" not in line] == [
        line for line in found.splitlines() if "#" in line and "=" not in line
    ]


WITH_BASES = {
    "a chain": (
        'chain = ["a", "z"]  # all\n',
        'chain = ["a", "z"]  # all\n\n[sites.a]\nbasis = "dct"\n\n[sites.z]\n'
        'basis = { kind = "dct", dim = [-1, -2] }\n',
    ),
    "tables of their own": (
        "[sites.a.offset]\nmu = {}  # why\n\n"
        '[sites.z.basis]\nkind = "dct"\n\n[verify]\nargs = "1"\n',
        '[sites.a]\nbasis = "dct"\n\n[sites.a.offset]\nmu = {}  # why\n\n[sites.z]\n'
        'basis = { kind = "dct", dim = [-1, -2] }\n\n[verify]\nargs = "1"\n',
    ),
    "lines": (
        'sites.a = { offset = "mu" }\nsites.z.offset = "mu"\n',
        'sites.a = { offset = "mu", basis = "dct" }\nsites.z.offset = "mu"\n'
        'sites.z.basis = { kind = "dct", dim = [-1, -2] }\n',
    ),
}


@pytest.mark.parametrize(("before", "after"), WITH_BASES.values(), ids=WITH_BASES)
def test_bases_in_the_config(before: str, after: str) -> None:
    bases = [Better("a", (-1,), 2.0), Better("z", (-1, -2), 3.0)]
    found = with_bases(read_config(before.encode(), "o.toml"), bases)
    assert tomllib.loads(found) == tomllib.loads(after)
    assert found.count("#") == before.count("#")
    read_config(found.encode(), "o.toml")


def test_line_ends_stay() -> None:
    found = written('chain = ["mu", "x", "a"]\r\n# end\r\n', fits_of("a"))
    assert found.count("\r\n") == found.count("\n") > 3


def test_what_is_on_the_way_to_be_learned_goes_on() -> None:
    text = "[defaults]\nlearn = false\n[sites.a.offset]\nmu = { init = 1.0 }\nx = {}\n"
    found = tomllib.loads(written(text, fits_of("a"), learn=True))
    assert found["sites"]["a"]["offset"]["mu"] == {"init": 0.1235, "learn": True}
    kept = tomllib.loads(written(text, fits_of("a")))
    assert kept["sites"]["a"]["offset"]["x"] == {"init": -1.5}  # [defaults] says the rest


def test_a_parent_far_from_zero_is_centred() -> None:
    said = tomllib.loads(written('[sites.a]\noffset = ["mu", "x"]\n', fits_of("a", far=23.0)))
    center = said["sites"]["a"]["offset"]["mu"]["center"]
    assert center == pytest.approx(23, abs=0.1) and len(str(center)) <= 4


def test_an_offset_that_gains_nothing_is_dropped_from_its_chain() -> None:
    found = written('chain = ["mu", "x", "a"]\n', fits_of("a", kind="none"))
    assert tomllib.loads(found)["sites"] == {"a": {"offset": {"mu": False, "x": False}}}


@pytest.mark.parametrize("learn", [False, True])
def test_a_power(learn: bool) -> None:
    text = '[sites.a]\noffset = ["mu", "x"]\nscale = { by = "s", power = { init = 0.5 } }  # s\n'
    found = tomllib.loads(written(text, fits_of("a", power=0.35), learn))["sites"]["a"]["scale"]
    assert found == {"by": "s", "power": {"init": 0.35} if learn else 0.35}


@pytest.mark.parametrize("learn", [False, True])
def test_a_centring(learn: bool) -> None:
    text = '[sites.a]\noffset = ["mu", "x"]\ncentered = { init = 0.5 }  # c\n'
    fits = fits_of("a", power=0.35, around=noise(3))
    found = tomllib.loads(written(text, fits, learn))["sites"]["a"]["centered"]
    assert found == ({"init": 0.65} if learn else 0.65)


def test_large_arrays_go_to_a_file_and_small_ones_do_not(tmp_path: Path) -> None:
    fit = fits_of("a")[0]
    large, small = np.linspace(0, 1, 30), np.array([0.123456, 1, 2])
    made = Fitted(fit.regression, {"xi_a_mu": large, "xi_a_x": small}, "elementwise", 2.0)
    config = read_config(b'[sites.a]\noffset = ["mu", "x"]\n', "o.toml")
    found = with_fits(config, [made], False, "o.npz")
    said = tomllib.loads(found.text)["sites"]["a"]["offset"]
    assert said["mu"]["init"] == "o.npz" and said["x"]["init"] == [0.1235, 1.0, 2.0]
    (tmp_path / "o.npz").write_bytes(npz_bytes(found.arrays))
    np.testing.assert_array_equal(np.load(tmp_path / "o.npz")["xi_a_mu"], large)
    assert npz_bytes(found.arrays) == npz_bytes(found.arrays)


# -- a problem whose answer is known ---------------------------------------------------------------


def kl_of(config: str, y: Any) -> tuple[float, float]:
    """KL of the best diagonal normal, and its sd of mu as a part of the exact one."""
    source = gaussian_tensor.source_of(gaussian_tensor.Entry("fitted", config))
    with double_precision():
        found = gaussian_tensor.figures(source, y)
    assert found.coefficients == 0
    return found.kl, found.sd_mu / found.exact_sd_mu


@pytest.mark.parametrize(
    ("extra", "best"),
    [
        pytest.param("", 43.4, id="chain"),
        pytest.param(gaussian_tensor.DCT, 12.3, id="chain, DCT"),
        pytest.param(gaussian_tensor.DCT_OF_ALL, 2.62, id="chain, DCT of all axes"),
    ],
)
@pytest.mark.long
def test_the_gaussian_tensor(extra: str, best: float, tmp_path: Path) -> None:
    """Within 10 % of the least KL that the coefficients of the config can reach."""
    with double_precision():
        y = np.asarray(gaussian_tensor.simulated())
    (tmp_path / "model.py").write_text(gaussian_tensor.MODEL)
    (tmp_path / "o.toml").write_text(gaussian_tensor.CHAIN + extra)
    np.save(tmp_path / "y.npy", y)
    words = ["fit", "model.py", "--config", "o.toml", "--pilot", "laplace"]
    sizes = gaussian_tensor.SIZES
    ran = run(tmp_path, *words, "--args", f"({sizes}, {{'y': np.load('y.npy')}})")
    assert ran.status == 0, ran.err
    kl, ratio = kl_of((tmp_path / "o.toml").read_text(), y)
    assert kl < 1.1 * best
    assert 0.9 < ratio < 1.1


# -- the command -----------------------------------------------------------------------------------

SHORT = ["--warmup", "150", "--draws", "200"]
ARGS = ["--args", "example.py:example_args"]


def copied(tmp_path: Path, case: Path = CROSSED, config: str = "") -> Path:
    for name in ("model.py", "example.py", "offsets.toml"):
        (tmp_path / name).write_bytes((case / name).read_bytes())
    if config:
        (tmp_path / "offsets.toml").write_text(config)
    return tmp_path


def fit(folder: Path, *words: str) -> Any:
    command = ["fit", "model.py", "--config", "offsets.toml", *ARGS, *words]
    return run(folder, *command)


@pytest.mark.long
@pytest.mark.parametrize("case", ["crossed", "kalman", "non_centred", "plate_bases"])
def test_the_model_stays_what_it_is(case: str, tmp_path: Path) -> None:
    folder = copied(tmp_path, FIXTURES / case)
    before = (folder / "offsets.toml").read_text()
    ran = fit(folder, *SHORT)
    assert (ran.status, ran.out) == (0, b"")
    after = (folder / "offsets.toml").read_text()
    assert after != before and "learn = false" in after
    for line in before.splitlines():
        assert not line.startswith("#") or line in after
    words = ["--config", "offsets.toml", "-o", "made.py"]
    assert run(folder, "model.py", *words).status == 0
    args, kwargs = load_model(folder / "example.py", "example_args")()
    made = load_model(folder / "made.py")
    assert "numpyro.param" not in (folder / "made.py").read_text() or case == "non_centred"
    assert_equivalent(load_model(folder / "model.py"), made, args, kwargs, points=2)


def test_draws_from_a_file_and_what_is_said(tmp_path: Path) -> None:
    """b_sample is mu's and a_plate's mirror image here; a_plate has to do with nothing."""
    folder = copied(tmp_path)
    mu, a = 20 + noise(seed=1), noise(24, seed=2)
    b = -0.9 * (mu - 20)[:, None] - 0.8 * a.mean(axis=1, keepdims=True) + 0.05 * noise(6, seed=3)
    scales = {n: np.exp(noise(seed=4)) for n in ("sigma_plate", "sigma_sample", "sigma")}
    np.savez(folder / "draws.npz", mu=mu, a_plate=a, b_sample=b, **scales)
    ran = fit(folder, "--pilot", "draws.npz", "--diff")
    assert ran.status == 0
    assert re.search(rb"[+]mu = { init = 0.9\d*, learn = false, center = (20|19.9) }", ran.out)
    assert "400 draws of draws.npz; least effective sample size" in ran.err
    assert "a_plate   no offset makes it narrower\n" in ran.err
    assert (folder / "offsets.toml").read_bytes() == (CROSSED / "offsets.toml").read_bytes()
    ran = fit(folder, "--pilot", "draws.npz", "-o", "fitted.toml", "--format", "json")
    found = json.loads(ran.out)
    assert found["written"] == "fitted.toml" and found["worth_it"]
    child = next(one for one in found["children"] if one["site"] == "b_sample")
    assert [round(c["init"], 1) for c in child["coefficients"]] == [0.9, 0.8]
    assert (folder / "offsets.toml").read_bytes() == (CROSSED / "offsets.toml").read_bytes()
    chains = {
        n: v.reshape(2, N // 2, *v.shape[1:]) for n, v in np.load(folder / "draws.npz").items()
    }
    np.savez(folder / "chains.npz", **chains)
    again = fit(folder, "--pilot", "chains.npz", "-o", "again.toml")
    assert again.status == 0
    assert tomllib.loads((folder / "again.toml").read_text())["sites"]["b_sample"]["offset"]["mu"][
        "init"
    ] == pytest.approx(0.9, abs=0.02)


def test_bases_are_proposed_and_written(tmp_path: Path) -> None:
    """The plates' mean is b_sample's mirror image: what sets plates apart is narrower."""
    folder = copied(tmp_path)
    mean = 0.3 * noise(1, seed=2)
    mu, a = 20 + noise(seed=1), 0.1 * noise(24, seed=5) + mean
    b = -(mu - 20)[:, None] - mean + 0.05 * noise(6, seed=3)
    scales = {n: np.exp(noise(seed=4)) for n in ("sigma_plate", "sigma_sample", "sigma")}
    np.savez(folder / "draws.npz", mu=mu, a_plate=a, b_sample=b, **scales)
    ran = fit(folder, "--pilot", "draws.npz", "-o", "fitted.toml")
    proposed = r"^a_plate would be [23]\.\d+ times narrower in a basis: write \[sites.a_plate\] "
    assert re.search(proposed + 'basis = "dct"', ran.err, re.MULTILINE)
    assert "basis" not in (folder / "fitted.toml").read_text()
    ran = fit(folder, "--pilot", "draws.npz", "-o", "bases.toml", "--bases")
    written = r'^a_plate is [23]\.\d+ times narrower in a basis: basis = "dct"$'
    assert re.search(written, ran.err, re.MULTILINE)
    assert "would be" not in ran.err
    assert tomllib.loads((folder / "bases.toml").read_text())["sites"]["a_plate"] == {
        "basis": "dct",
        "offset": {"mu": False},
    }
    ran = fit(folder, "--pilot", "draws.npz", "-o", "x.toml", "--bases", "--format", "json")
    (one,) = json.loads(ran.out)["bases"]
    assert (one["site"], one["dim"], one["in_config"]) == ("a_plate", [-1], True)
    again = run(folder, "model.py", "--config", "bases.toml")
    assert b"ExplicitReparam(PlateDCT(dim=-1))" in again.out
    (folder / "only.toml").write_text('chain = ["mu", "a_plate"]\n')
    command = ["fit", "model.py", "--config", "only.toml", *ARGS, "--pilot", "draws.npz"]
    ran = run(folder, *command)
    assert "\nno offset is worth it: " in ran.err and "wrote" not in ran.err
    ran = run(folder, *command, "--bases")
    assert "wrote only.toml" in ran.err
    assert tomllib.loads((folder / "only.toml").read_text())["sites"]["a_plate"]["basis"] == "dct"


def test_no_basis_is_proposed_that_cannot_be_written(tmp_path: Path) -> None:
    """A mask may broadcast, so that the source doesn't tell the plate's axis."""
    chain = 'chain = ["mu", "a_plate"]\n\n[defaults]\ncoefficient = "shared"\n'
    folder = copied(tmp_path, config=chain)
    text = (folder / "model.py").read_text()
    masked = text.replace(
        'with numpyro.plate("plates", n_plates):',
        'with numpyro.plate("plates", n_plates), numpyro.handlers.mask(mask=True):',
    )
    (folder / "model.py").write_text(masked)
    scales = {n: np.exp(noise(seed=4)) for n in ("sigma_plate", "sigma_sample", "sigma")}
    a = 0.1 * noise(24, seed=5) + 0.3 * noise(1, seed=2)
    np.savez(folder / "draws.npz", mu=noise(), a_plate=a, b_sample=noise(6, seed=3), **scales)
    ran = fit(folder, "--pilot", "draws.npz", "--diff")
    assert ran.status == 0 and "basis" not in ran.err
    # Nor does it tell that b_sample lacks that axis: what is generated stops at run time.
    longer = chain.replace('"a_plate"', '"a_plate", "b_sample"')
    (folder / "offsets.toml").write_text(longer)
    ran = fit(folder, "--pilot", "draws.npz", "--diff")
    assert ran.status == 2 and "internal" not in ran.err
    start = (
        r"<model.py with offsets.toml>:\d+:\d+: the generated model of 'model' failed: ValueError: "
    )
    assert re.match(start, ran.err) and "'a_plate' can't be lined up with 'b_sample'" in ran.err


def test_a_model_that_is_better_left_as_written(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    scales = {n: np.exp(noise(seed=9)) for n in ("sigma_plate", "sigma_sample", "sigma")}
    draws = {"mu": noise(seed=1), "a_plate": noise(24, seed=2), "b_sample": noise(6, seed=3)}
    np.savez(folder / "draws.npz", **draws, **scales)
    ran = fit(folder, "--pilot", "draws.npz")
    assert ran.status == 0
    assert "leave the model as written" in ran.err and "wrote" not in ran.err
    assert (folder / "offsets.toml").read_bytes() == (CROSSED / "offsets.toml").read_bytes()


def test_draws_that_cannot_be_used(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    np.savez(folder / "part.npz", mu=noise(), b_sample_base=noise(6))
    said = fit(folder, "--pilot", "part.npz").err
    assert said.startswith("part.npz: the file has no draws of ")
    full = {n: noise() for n in ("mu", "sigma_plate", "sigma_sample", "sigma")}
    np.savez(folder / "shape.npz", **full, a_plate=noise(23), b_sample=noise(6))
    said = fit(folder, "--pilot", "shape.npz").err
    assert said.startswith("shape.npz: the file has draws of 'a_plate' of the shape (400, 23)\n")
    np.savez(folder / "nan.npz", **full, a_plate=np.full((N, 24), np.nan), b_sample=noise(6))
    assert "values of 'a_plate' that are no numbers" in fit(folder, "--pilot", "nan.npz").err
    (folder / "junk.npz").write_bytes(b"junk")
    assert "junk.npz: the file cannot be read as .npz" in fit(folder, "--pilot", "junk.npz").err
    assert "there is no pilot 'hmc'" in fit(folder, "--pilot", "hmc").err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "model.py"], "there is no config to fit the coefficients of"),
        (["fit", "-", "--config", "offsets.toml"], "fit takes no model on standard input"),
        (
            ["fit", "model.py", "--config", "none.toml"],
            "offsets.toml: the config asks for no offset",
        ),
        (["fit", "model.py", "--config", "offsets.toml"], "model.py: 'model' needs arguments"),
        (
            ["fit", "model.py", "--config", "offsets.toml", *ARGS, "-o", "model.py"],
            "model.py: ",
        ),
    ],
)
def test_refused(words: list[str], message: str, tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "none.toml").write_text("chain = []\n")
    ran = run(folder, *words)
    assert ran.status == 2 and ran.out == b""
    assert message.replace("offsets.toml: the", "none.toml: the") in ran.err


def test_a_config_without_offsets(tmp_path: Path) -> None:
    folder = copied(tmp_path, config='[sites.a_plate]\nscale = "1 / sigma_plate"\n')
    assert "offsets.toml: the config asks for no offset and no power of a scale" in fit(folder).err


def test_a_posterior_without_a_mode_is_refused(tmp_path: Path) -> None:
    ran = fit(copied(tmp_path), "--pilot", "laplace")
    assert ran.status == 2
    assert "the posterior has no mode at which its density is curved in every" in ran.err


def test_help(tmp_path: Path) -> None:
    text = run(tmp_path, "fit", "--help", COLUMNS="80").out.decode()
    for parameter in command.params:
        assert max(parameter.opts, key=len) in text or parameter.name == "model"
