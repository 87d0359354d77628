"""What isn't sure is left alone: how many observations there are, what a softmax sees, data."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.rewriting import rewrite
from reparam_rewrite.source.reading import read
from reparam_rewrite.suggesting import to_text
from tests.support.cases import FIXTURES, WIDTH
from tests.support.cli import run
from tests.test_suggest import HEAD, offsets, proposed, reason

# -- the scale of a prior --------------------------------------------------------------------------


def hierarchy(scale: str, observing: str, prior: str = "dist.HalfNormal(1)") -> str:
    body = textwrap.indent(textwrap.dedent(observing).strip(), " " * 8)
    return f"""\
def model(s, x, g, n, y=None, z=None):
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    tau = numpyro.sample("tau", {prior})
    lam = numpyro.sample("lam", dist.HalfNormal(1))
    with numpyro.plate("groups", n):
        t = numpyro.sample("t", dist.Normal(mu, {scale}))
{body}
"""


ONE_EACH = 'numpyro.sample("y", dist.Normal(t, s), obs=y)'


@pytest.mark.parametrize(
    "scale",
    ["jnp.sqrt(tau)", "tau ** 0.5", "2.0 * tau", "jnp.exp(tau)", "tau * lam", "1 / jnp.sqrt(tau)"],
)
def test_a_scale_that_is_an_expression_is_taken_out_with_the_location(scale: str) -> None:
    found = proposed(hierarchy(scale, ONE_EACH))
    (proposal,) = found.proposals
    plain = scale.startswith("jnp")
    text = scale if plain else f"({scale})"
    assert proposal.scale == f"1 / {text}"
    assert offsets(found) == {"t": {"loc": (f"mu / {text}", -1.0)}}


#: What tells of `t` otherwise than by one observation of each element, and what is said then.
MORE_THAN_ONE = {
    "a loop": (
        """
        for k in range(3):
            numpyro.sample(f"y_{k}", dist.Normal(t, 1.0), obs=y[k])
        """,
        "each of its elements has many observations",
    ),
    "another plate": (
        """
        with numpyro.plate("times", 20, dim=-2):
            numpyro.sample("y", dist.Normal(t, 1.0), obs=y)
        """,
        "each of its elements has many observations",
    ),
    "a new axis": (
        'numpyro.sample("y", dist.Normal(t[:, None], 1.0).to_event(1), obs=y)',
        "the source doesn't tell",
    ),
    "broadcast": (
        'numpyro.sample("y", dist.Normal(jnp.broadcast_to(t, (9, 8)), 1.0).to_event(1), obs=y)',
        "the source doesn't tell",
    ),
    "a second outcome": (
        """
        numpyro.sample("y", dist.Normal(t, s), obs=y)
        numpyro.sample("z", dist.Normal(t, 0.1), obs=z)
        """,
        "'y' and 'z' tell of it",
    ),
    "a factor": (
        """
        numpyro.sample("y", dist.Normal(t, s), obs=y)
        numpyro.factor("more", -jnp.sum(t**2))
        """,
        "'y' and a factor tell of it",
    ),
    "a prior": (
        """
        numpyro.sample("y", dist.Normal(t, s), obs=y)
        u = numpyro.sample("u", dist.Normal(t, 1))
        numpyro.sample("z", dist.Normal(u, 1), obs=z)
        """,
        "'y' and the prior of 'u' tell of it",
    ),
    "a part of the rows": (
        """
        with numpyro.plate("rows", n, subsample_size=5, dim=-2):
            numpyro.sample("y", dist.Normal(t, s), obs=y)
        """,
        "each of its elements has many observations",
    ),
    "a weight": (
        'numpyro.sample("y", dist.Normal(x * t, s), obs=y)',
        "the source doesn't tell",
    ),
    "little noise": (
        'numpyro.sample("y", dist.Normal(t, 0.01), obs=y)',
        "'y' is observed so precisely that it says more than the prior",
    ),
}


@pytest.mark.parametrize("name", MORE_THAN_ONE)
def test_a_scale_is_not_taken_out_without_being_sure(name: str) -> None:
    observing, said = MORE_THAN_ONE[name]
    found = proposed(hierarchy("tau", observing))
    assert "t" not in offsets(found)
    assert said in reason(found, "t")


def test_rows_outside_of_plates_are_not_told() -> None:
    """The observations may be (times, groups)."""
    found = proposed("""\
        def model(n, y):
            m = numpyro.sample("m", dist.Normal(0, 1))
            s = numpyro.sample("s", dist.Exponential(1))
            with numpyro.plate("groups", n):
                t = numpyro.sample("t", dist.Normal(m, s))
            numpyro.sample("y", dist.Normal(t, 0.5), obs=y)
        """)
    assert found.is_empty
    assert "the source doesn't tell; --args does" in reason(found, "t")


@pytest.mark.parametrize("weight", ["", " * t / 10.0"])
def test_each_step_of_a_scan_observes(weight: str) -> None:
    found = proposed(f"""\
from numpyro.contrib.control_flow import scan


def model(y):
    m = numpyro.sample("m", dist.Normal(0, 1))
    s = numpyro.sample("s", dist.Exponential(1))
    with numpyro.plate("series", y.shape[1]):
        level = numpyro.sample("level", dist.Normal(m, s))

    def step(last, t):
        now = numpyro.sample("now", dist.Normal(last + level{weight}, 0.5))
        return now, now

    with numpyro.handlers.condition(data={{"now": y[1:]}}):
        scan(step, y[0], jnp.arange(1, y.shape[0]))
""")
    assert found.is_empty
    assert reason(found, "level").startswith("each of its elements has many observations")


def test_no_scale_without_its_location() -> None:
    """Where the location can't be taken out, neither is the scale."""
    found = proposed("""\
        def model(s, loc, n, y=None):
            mu = numpyro.sample("mu", dist.Normal(loc, 5))
            tau = numpyro.sample("tau", dist.HalfNormal(1))
            with numpyro.plate("groups", n):
                t = numpyro.sample("t", dist.Normal(mu, tau))
                numpyro.sample("y", dist.Normal(t, s), obs=y)
        """)
    assert found.is_empty
    assert "doesn't tell" in reason(found, "t")


def test_a_scale_of_data_is_left_alone() -> None:
    found = proposed(hierarchy("tau * x", ONE_EACH))
    assert found.is_empty
    assert "depends on data" in reason(found, "t")


# -- shares ----------------------------------------------------------------------------------------


def test_what_makes_up_for_a_constant_makes_up_for_a_regressors_mean_alike() -> None:
    found = proposed("""\
        def model(i, j, x, n_i, n_j, y=None):
            beta = numpyro.sample("beta", dist.Normal(0, 1))
            mu = numpyro.sample("mu", dist.Normal(0, 2.5))
            with numpyro.plate("i", n_i):
                u = numpyro.sample("u", dist.Normal(0, 1))
            with numpyro.plate("j", n_j):
                v = numpyro.sample("v", dist.Normal(0, 1))
            numpyro.sample("y", dist.Normal(mu + beta * x + u[i] + v[j], 1), obs=y)
        """)
    mean = "beta * jnp.mean(x)"
    assert offsets(found) == {
        "mu": {"beta": (mean, 1.0)},
        "u": {"beta": 0.5, "mu": 0.5},
        "v": {"beta": 1.0, "mu": 1.0, "u": 1.0},
    }
    assert found.met["v", "beta"].value == "x * beta per j"


def test_slopes_share_what_they_make_up_for() -> None:
    found = proposed("""\
        def model(x, z, y=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
            b = numpyro.sample("b", dist.Normal(0, 1))
            numpyro.sample("y", dist.Normal(mu + a * x + b * z, 1), obs=y)
        """)
    mean = "mu * (jnp.mean({0}) / (jnp.mean({0} ** 2) + 1e-6))"
    assert offsets(found)["a"] == {"mu": (mean.format("x"), 0.5)}
    assert offsets(found)["b"]["mu"] == (mean.format("z"), 1.0)


def test_a_slope_leaves_a_constant_to_what_makes_up_for_all_of_it() -> None:
    found = proposed("""\
        def model(g, n, x, y=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            beta = numpyro.sample("beta", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            numpyro.sample("y", dist.Normal(mu + beta * x + a[g], 1), obs=y)
        """)
    assert set(offsets(found)) == {"a"}
    assert reason(found, "beta") == "'a' can make up for all of 'mu' (line 12)"


def test_what_one_regressor_weighs_is_lined_up_by_axes() -> None:
    found = proposed("""\
        def model(i, j, x, n_i, n_j, y=None):
            with numpyro.plate("i", n_i):
                a = numpyro.sample("a", dist.Normal(0, 2.0))
            with numpyro.plate("j", n_j):
                b = numpyro.sample("b", dist.Normal(0, 1.0))
            with numpyro.plate("i2", n_i, dim=-2), numpyro.plate("j2", n_j, dim=-1):
                c = numpyro.sample("c", dist.Normal(0, 1.0))
            numpyro.sample("y", dist.Normal((a[i] + b[j] + c[i, j]) * x, 0.5), obs=y)
        """)
    assert offsets(found) == {"b": {"a": 1.0}, "c": {"a": 1.0, "b": 1.0}}
    source = (FIXTURES / "suggest/crossed_slopes/model.py").read_bytes()
    config = read_config(to_text(found).encode(), "offsets.toml")
    done = rewrite(read("model.py", source), config, WIDTH).data.decode()
    assert ".at[j].add(x * a[i] * x)" in done
    assert "a[:, None]" in done


def test_two_indices_of_one_plate_are_two_axes() -> None:
    """Who sends isn't who receives, though both are people."""
    found = proposed("""\
        def model(sender, receiver, n, y=None):
            with numpyro.plate("people", n):
                a = numpyro.sample("a", dist.Normal(0, 2.0))
                b = numpyro.sample("b", dist.Normal(0, 2.0))
            numpyro.sample("y", dist.Normal(a[sender] - b[receiver], 0.5), obs=y)
        """)
    assert offsets(found) == {"b": {"a": -1.0}}
    assert found.met["b", "a"].value == "a[sender] per receiver"


def test_two_outcomes_that_differ_in_what_they_add_up() -> None:
    found = proposed("""\
        def model(y=None, z=None):
            mu = numpyro.sample("mu", dist.Normal(0, 5))
            a = numpyro.sample("a", dist.Normal(0, 1))
            numpyro.sample("y", dist.Normal(mu + a, 1.0), obs=y)
            numpyro.sample("z", dist.Normal(mu - a, 1.0), obs=z)
        """)
    assert found.is_empty
    assert reason(found, "a").startswith("'y' and 'z' tell of it, but not alike")


# -- logits and cutpoints --------------------------------------------------------------------------

LIKELIHOODS = {
    "logits": "dist.Categorical(logits={0})",
    "probs": "dist.Categorical(probs=jax.nn.softmax({0}, axis=-1))",
    "log probs": "dist.Categorical(logits=jax.nn.log_softmax({0}))",
    "counts": "dist.Multinomial(9, logits={0})",
    "counts by probs": "dist.Multinomial(9, probs=jax.nn.softmax({0}))",
}


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_classes_are_lined_up(name: str) -> None:
    """The mean over classes is the one direction that a softmax can't see.

    Of rare classes data say little: it starts as written.
    """
    likelihood = LIKELIHOODS[name].format("base + a[g]")
    model = f"""\
import jax


def model(g, n, y=None):
    base = numpyro.sample("base", dist.Normal(0, 3).expand([3]).to_event(1))
    with numpyro.plate("g", n):
        a = numpyro.sample("a", dist.Normal(jnp.zeros(3), 1).to_event(1))
    numpyro.sample("y", {likelihood}, obs=y)
"""
    found = proposed(model)
    assert found.chains == (("base", "a"),)
    assert found.axes == {"base": ("classes",), "a": ("g", "classes")}
    assert offsets(found) == {"a": {"base": 0.0}}
    config = read_config(to_text(found).encode(), "offsets.toml")
    done = rewrite(read("model.py", (HEAD + model).encode()), config, WIDTH).data.decode()
    assert "jnp.mean" not in done
    assert " * base" in done


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_what_is_added_to_all_logits_is_not_seen(name: str) -> None:
    likelihood = LIKELIHOODS[name].format("(a + u)[None, :] + (b + v)[None, :] * t[:, None]")
    found = proposed(f"""\
import jax


def model(t, k, y=None):
    a = numpyro.sample("a", dist.Normal(0, 1))
    b = numpyro.sample("b", dist.Normal(0, 1))
    with numpyro.plate("kinds", k):
        u = numpyro.sample("u", dist.Normal(0, 1))
        v = numpyro.sample("v", dist.Normal(0, 1))
    numpyro.sample("y", {likelihood}, obs=y)
""")
    assert found.is_empty
    for name in ("a", "b"):
        assert reason(found, name).startswith("it is added alike to all logits of 'y'")


def test_logits_that_are_put_together_are_left_alone() -> None:
    found = proposed("""\
        def model(x, y=None):
            a = numpyro.sample("a", dist.Normal(0, 1))
            b = numpyro.sample("b", dist.Normal(0, 1))
            eta = jnp.stack([jnp.zeros_like(x), a + b * x], axis=-1)
            numpyro.sample("y", dist.Categorical(logits=eta), obs=y)
        """)
    assert found.is_empty
    assert reason(found, "b").endswith("it is added isn't followed")


CUTPOINTS = """\
def model(g, h, n, m, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    with numpyro.plate("g", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
    {cut}
    numpyro.sample("y", dist.OrderedLogistic(mu + a[g], c), obs=y)
"""


def test_cutpoints_make_up_for_a_constant() -> None:
    ordered = "dist.transforms.OrderedTransform()"
    prior = f"dist.TransformedDistribution(dist.Normal(jnp.zeros(3), 1).to_event(1), {ordered})"
    found = proposed(CUTPOINTS.format(cut=f'c = numpyro.sample("c", {prior})'))
    assert found.is_empty
    assert reason(found, "a") == "the cutpoints of 'y' can make up for 'mu' too (line 12)"


def test_cutpoints_that_are_known_do_not() -> None:
    found = proposed(CUTPOINTS.format(cut="c = jnp.arange(3.0)"))
    assert offsets(found) == {"a": {"mu": 1.0}}


# -- with a run ------------------------------------------------------------------------------------

RUN = """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


def regression(x, X, y=None):
    z = x - 1.0
    beta = numpyro.sample("beta", dist.Normal(0, 1).expand([2]).to_event(1))
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    b = numpyro.sample("b", dist.Normal(0, 1))
    numpyro.sample("y", dist.Normal(mu + b * z + X @ beta, 1), obs=y)
"""


def test_numbers_in_the_place_of_data(tmp_path: Path) -> None:
    """No draw depends on the data of another call; what the model computes of them is known."""
    (tmp_path / "run.py").write_text(RUN)
    given = "(jnp.array([2.0, 3.0, 4.0]), jnp.array([[1.0, 2.0]] * 3)), {'y': jnp.ones(3)}"
    words = ["suggest", "run.py", "--offsets", "--args", given, "--format", "json"]
    ran = run(tmp_path, *words)
    assert (ran.status, ran.err) == (0, "")
    found = json.loads(ran.out)
    said = {
        (site["site"], offset["parent"]): (offset["value"], offset["init"])
        for site in found["sites"]
        for offset in site["offsets"]
    }
    assert said == {
        ("mu", "beta"): ("jnp.array([1.0, 2.0]) @ beta", 1.0),
        # (1 + 2 + 3) / (1 + 4 + 9), and the variances of noise and of the prior are as one
        ("b", "mu"): (None, pytest.approx(6 / 15, abs=0.02)),
    }
    assert f"mu = {{ init = {said['b', 'mu'][1]} }}" in found["config"]
    assert "jnp.mean" not in found["config"]


@pytest.mark.parametrize(
    ("folder", "scaled"),
    [
        pytest.param("drifting_series", [], marks=pytest.mark.long),
        pytest.param("group_slopes", [], marks=pytest.mark.long),
        ("radon", ["b"]),
    ],
)
def test_a_run_tells_how_many_observations_there_are(folder: str, scaled: list[str]) -> None:
    """Of many the scale stays; radon's slopes are seen by 1.2 houses of a county each."""
    words = [
        "suggest",
        "model.py",
        "--offsets",
        "--args",
        "example.py:example_args",
        "--format",
        "json",
    ]
    ran = run(FIXTURES / "suggest" / folder, *words)
    assert (ran.status, ran.err) == (0, "")
    assert [site["site"] for site in json.loads(ran.out)["sites"]] == scaled


# -- a site in a chain for what is sampled around it -----------------------------------------------

SEEN_TWICE = """\
def model(g, h, n, m, y=None, z=None):
    base = numpyro.sample("base", dist.Normal(0, 5))
    with numpyro.plate("players", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
    with numpyro.plate("courts", m):
        b = numpyro.sample("b", dist.Normal(0, 1))
    rate = base + a[g] + b[h]
    numpyro.sample("y", dist.Normal(rate, 1), obs=y)
    other = numpyro.sample("other", dist.Normal(0, 5))
    numpyro.sample("z", dist.Normal(2 * a[g] + rate + other, 1), obs=z)
"""


def test_what_a_config_says_is_left_alone_is() -> None:
    """The chain has `a` and `b` as parents of `other`, and doesn't make children of them."""
    suggestion = proposed(SEEN_TWICE)
    config = read_config(to_text(suggestion).encode(), "offsets.toml")
    result = rewrite(read("model.py", (HEAD + SEEN_TWICE).encode()), config, WIDTH)
    children = {account.site for account in result.accounts}
    assert "other" in children
    assert children.isdisjoint(one.site for one in suggestion.alone)


# -- sites that meet in an array before it is indexed ----------------------------------------------


@pytest.mark.parametrize("index", ["[i, j]", "[i]", "[:, j]", "[i, :]", "[j, i]"])
def test_axes_of_a_sum_that_is_indexed(index: str) -> None:
    """`rows` has a column of length 1; `columns` has the axis of the table that `j` picks from."""
    model = f"""\
def model(i, j, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    with numpyro.plate("r", 6, dim=-2):
        rows = numpyro.sample("rows", dist.Normal(0, 1))
    with numpyro.plate("c", 4, dim=-1):
        columns = numpyro.sample("columns", dist.Normal(0, 1))
    with numpyro.plate("r", 6, dim=-2), numpyro.plate("c", 4, dim=-1):
        table = numpyro.sample("table", dist.Normal(0, 1))
    numpyro.sample("y", dist.Normal((mu + rows + columns + table){index}, 1), obs=y)
"""
    config = read_config(to_text(proposed(model)).encode(), "offsets.toml")
    code = rewrite(read("model.py", (HEAD + model).encode()), config, WIDTH).data.decode()
    assert 'param("xi_table_columns", jnp.ones((6, 4))) * columns' in code
    assert 'param("xi_table_rows", jnp.ones((6, 4))) * rows' in code


# -- a function that only calls the model ----------------------------------------------------------


def test_a_run_of_what_makes_the_object_of_the_model(tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text(
        HEAD
        + """\
class Groups:
    def __init__(self, n):
        self.n = n

    def model(self, g, y=None):
        mu = numpyro.sample("mu", dist.Normal(0, 5))
        with numpyro.plate("groups", self.n):
            a = numpyro.sample("a", dist.Normal(0, 1))
        numpyro.sample("y", dist.Normal(mu + a[g], 1), obs=y)


def run(n, g, y=None):
    Groups(n).model(g, y)
"""
    )
    given = "(2, jnp.array([0, 1, 1])), {'y': jnp.ones(3)}"
    ran = run(tmp_path, "suggest", "run.py", "--offsets", "--args", given, "--format", "json")
    assert (ran.status, ran.err) == (0, "")
    assert json.loads(ran.out)["function"] == "Groups.model"
