"""The forms of conditional coordinates, as they are generated: how near they are to exact ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reparam_rewrite.messages import Refusal
from reparam_rewrite.verifying import verify
from reparam_rewrite.verifying.values import Options
from tests.support.conditional import Made, made
from tests.support.execution import assert_equivalent
from tests.support.spread import spread

HEAD = """\
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


"""


def written(folder: Path, model: str, args: str, order: str, form: str) -> Made:
    """What a model becomes; args: what ``example_args`` returns, with `rng` for random numbers."""
    example = "import numpy as np\n\n\ndef example_args():\n    rng = np.random.default_rng(0)\n"
    config = f'[conditional]\norder = [{order}]\nform = "{form}"\n'
    return made(folder, HEAD + model.lstrip(), f"{example}    return {args}\n", config)


def spread_of(found: Made) -> float:
    """That of the bases, where the density is right too."""
    args, kwargs = found.call
    assert_equivalent(found.plain, found.generated, args, kwargs, points=5)
    return spread(found.generated, args, kwargs)


ONE_EFFECT = """
def model(i, n, y=None):
    tau = numpyro.sample("tau", dist.HalfNormal(1))
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(1, tau))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1))
    numpyro.sample("y", dist.Normal(a[i], sigma), obs=y)
"""
BALANCED = """
def model(i, j, n, m, y=None):
    mu = numpyro.sample("mu", dist.Normal(1, 3))
    with numpyro.plate("m", m):
        b = numpyro.sample("b", dist.Normal(0, 0.5))
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 0.7))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1))
    numpyro.sample("y", dist.Normal(mu + b[j] + a[i], sigma), obs=y)
"""
ROWS = """
def model(i, x, n, t, y=None):
    L = jnp.array([[1.0, 0.0], [0.3, 0.5]])
    with numpyro.plate("n", n):
        ab = numpyro.sample("ab", dist.MultivariateNormal(0, scale_tril=L))
    numpyro.sample("y", dist.Normal(ab[i, 0] + ab[i, 1] * x, 0.4), obs=y)
    numpyro.sample("x", dist.Normal(ab[i, 0], 0.3), obs=x)
"""
WALKS = """
def model(n, t, y=None):
    scale = jnp.linspace(0.2, 0.4, 2 * n).reshape(2, n)
    with numpyro.plate("n", n), numpyro.plate("two", 2):
        z = numpyro.sample("z", dist.GaussianRandomWalk(scale, num_steps=t))
    numpyro.sample("y", dist.Normal(z, 0.2), obs=y)
"""
ALONE = {
    "one effect": (ONE_EFFECT, "(rng.integers(5, size=30), 7), {'y': rng.normal(size=30)}", '"a"'),
    "nested, of equal sizes": (
        BALANCED,
        "(np.arange(36) // 3, np.arange(36) // 12, 12, 3), {'y': rng.normal(size=36)}",
        '"mu", "b", "a"',
    ),
    "rows, some of which aren't seen": (
        ROWS,
        "(rng.integers(5, size=9), rng.normal(size=9), 7, 2), {'y': rng.normal(size=9)}",
        '"ab"',
    ),
    "walks in two plates": (WALKS, "(3, 4), {'y': rng.normal(size=(2, 3, 4))}", '"z"'),
}


@pytest.mark.parametrize("name", ALONE)
def test_sequential_where_nothing_is_left_out(name: str, tmp_path: Path) -> None:
    """No two rows share what comes later, or all do in the same way: it is exact."""
    model, args, order = ALONE[name]
    assert spread_of(written(tmp_path, model, args, order, "sequential")) < 1e-8


@pytest.mark.parametrize("name", ["rows, some of which aren't seen", "walks in two plates"])
def test_exact(name: str, tmp_path: Path) -> None:
    model, args, order = ALONE[name]
    assert spread_of(written(tmp_path, model, args, order, "exact")) < 1e-8


CROSSED = """
def model(i, j, x, n, m, t, y=None):
    beta = numpyro.sample("beta", dist.Normal(0, 2))
    mu = numpyro.sample("mu", dist.StudentT(7, beta, 3))
    tau = numpyro.sample("tau", dist.HalfNormal(1))
    with numpyro.plate("m", m):
        z = numpyro.sample("z", dist.GaussianRandomWalk(0.3, num_steps=t))
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(mu, tau))
        ab = numpyro.sample("ab", dist.Normal(0, jnp.array([0.6, 0.3])).to_event(1))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1))
    mean = a[i] + z[j, i % t] - ab[i, 0] + ab[i, 1] * x + beta * x
    numpyro.sample("y", dist.Normal(mean[:50], sigma), obs=y)
    numpyro.sample("w", dist.Poisson(jnp.exp(mean[50:])), obs=np.ones(10))
"""


def test_sequential_with_all_there_is(tmp_path: Path) -> None:
    """Vectors, rows of several elements, two observed sites, a given one: it isn't far off."""
    args = """(
        rng.integers(8, size=60), rng.integers(5, size=60), rng.normal(size=60), 9, 6, 4
    ), {'y': rng.normal(size=50)}"""
    found = written(tmp_path, CROSSED, args, '"mu", "z", "a", "ab"', "sequential")
    assert spread_of(found) < 5


TABLE = """
def model(x, n, m, t, y=None):
    beta = numpyro.sample("beta", dist.Normal(0, 2))
    mu = numpyro.sample("mu", dist.Normal(1, 3))
    tau = numpyro.sample("tau", dist.HalfNormal(1))
    with numpyro.plate("n", n):
        a = numpyro.sample("a", PRIOR)
    z = numpyro.sample("z", dist.GaussianRandomWalk(0.3, num_steps=t))
    with numpyro.plate("m", m):
        B = numpyro.sample("B", dist.GaussianRandomWalk(tau, num_steps=t))
    C = numpyro.sample("C", dist.Normal(0, 0.5).expand([m, n]).to_event(2))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1))
    mean = mu + a[:, None, None] + z + B + C.T[:, :, None] + beta * x
    numpyro.sample("y", dist.Normal(mean, sigma), obs=y)
"""
CELLS = "(rng.normal(size=(4, 3, 5)), 4, 3, 5), {'y': rng.normal(size=(4, 3, 5))}"
EFFECTS = '"mu", "a", "z", "B", "C"'


@pytest.mark.parametrize("prior", ["dist.Normal(0, tau)", "dist.StudentT(5, 0, tau)"])
def test_rotated(prior: str, tmp_path: Path) -> None:
    """Two axes, in another order in one of the sites; the third is that of a walk."""
    found = written(tmp_path, TABLE.replace("PRIOR", prior), CELLS, EFFECTS, "rotated")
    of = np.load(tmp_path / "fitted.npz")
    strata = {key[-2:]: of[key].shape for key in of if "strata" in key}
    # mu, a, z, B, C; those of n's contrasts, a and C; of m's, B and C; and C alone.
    assert sorted(shape[-1] for shape in strata.values()) == [1, 2, 6, 13]
    assert (spread_of(found) < 1e-8) == ("Normal" in prior)


@pytest.mark.concerns("verifying", "running", "fitting", "emit", "plan", "survey")
def test_a_large_rotated_table_is_verified_by_the_length_of_its_walks(tmp_path: Path) -> None:
    """Of the axes of each site only that of the walks mixes, once means and contrasts are apart."""
    model = TABLE.replace("PRIOR", "dist.Normal(0, tau)")
    found = written(tmp_path, model, CELLS, EFFECTS, "rotated")
    skipped = ("jit", "predictive", "data", "AutoNormal", "AutoDiagonalNormal", "NUTS")
    options = Options(points=1, skip=skipped, dense=4, largest_block=5)
    assert verify(found.plain, found.generated, *found.call, options).equivalent
    found.edit("jnp.log(jnp.diagonal(U))", "2 * jnp.log(jnp.diagonal(U))")
    assert verify(found.plain, found.generated, *found.call, options).different


def test_a_cell_that_is_missing(tmp_path: Path) -> None:
    model = TABLE.replace("PRIOR", "dist.Normal(0, tau)")
    cells = CELLS.replace(
        "'y': rng.normal(size=(4, 3, 5))",
        "'y': np.where(rng.normal(size=(4, 3, 5)) > -1, 1.0, np.nan)",
    )
    model = model.replace("dist.Normal(mean, sigma)", "dist.Normal(mean, sigma).mask(~np.isnan(y))")
    with pytest.raises(Refusal, match="no axis of a full table"):
        written(tmp_path, model, cells, EFFECTS, "rotated")
