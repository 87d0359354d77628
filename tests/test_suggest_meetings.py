"""Where contributions meet in the data, as `suggest` knows it: the order, how far, and why."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from reparam_rewrite.running.shares import Design, Meetings, Member
from tests.support.cases import FIXTURES, rewritten
from tests.support.cli import run
from tests.test_suggest import offsets, proposed

# -- from the source -------------------------------------------------------------------------------

LOCATIONS = {
    "numbers first": ("a[g] + mu", ("mu", "a")),
    "fewer axes first": ("c[g, h] + a[g] + mu", ("mu", "a", "c")),
    "groups before those within them": ("a[g] + b[outer[g]]", ("b", "a")),
    "otherwise as it is sampled": ("b[h] + a[g]", ("a", "b")),
}


@pytest.mark.parametrize("name", LOCATIONS)
def test_the_order_that_the_source_shows(name: str) -> None:
    location, chain = LOCATIONS[name]
    found = proposed(f"""\
        def model(g, h, outer, n, m, y=None):
            with numpyro.plate("n", n, dim=-2):
                with numpyro.plate("m", m, dim=-1):
                    c = numpyro.sample("c", dist.Normal(0, 1))
            with numpyro.plate("n2", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            with numpyro.plate("m2", m):
                b = numpyro.sample("b", dist.Normal(0, 1))
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            numpyro.sample("y", dist.Normal({location}, 1), obs=y)
        """)
    assert found.chains == (chain,)


def test_what_can_not_be_moved_up_stays_in_its_order() -> None:
    found = proposed("""\
        def model(g, n, y=None):
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            if a is None:
                return
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            numpyro.sample("y", dist.Normal(mu + a[g], 1), obs=y)
        """)
    assert found.chains == (("a", "mu"),)
    (note,) = found.notes
    assert note.startswith("'a' stays before 'mu': 'mu' is sampled after 'a'")


def test_what_is_projected_stays_in_the_chain() -> None:
    """The slope is one of each group; a number by a number is a regression still."""
    found = proposed("""\
        def model(g, x, n, y=None):
            beta = numpyro.sample("beta", dist.Normal(0, 1))
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            numpyro.sample("y", dist.Normal(mu + x * beta + a[g], 1), obs=y)
        """)
    assert found.chains == (("beta", "mu", "a"),)
    assert offsets(found) == {
        "mu": {"beta": ("beta * jnp.mean(x)", 1.0)},
        "a": {"mu": 1.0, "beta": 1.0},
    }
    assert found.met["a", "beta"].value == "x * beta per g"


# -- from a run ------------------------------------------------------------------------------------


def args_of(folder: Path, *options: str) -> str:
    words = ("--offsets", "--args", "example.py:example_args", *options)
    ran = run(folder, "suggest", "model.py", *words)
    assert (ran.status, ran.err) == (0, "")
    return ran.out.decode()


def test_counties_in_states() -> None:
    text = args_of(FIXTURES / "nested")
    assert "# Every county is in one state.\n" in text
    assert 'chain = ["mu", "beta", "s", "bs", "c", "bc"]\n' in text
    # Slopes and levels of a county aren't apart in its data.
    slopes = text.partition("[sites.bc.offset]")[2]
    assert "c = { init = 0." in slopes


def test_a_scale_is_taken_out_as_far_as_the_prior_holds_a_site() -> None:
    """What observations say of a state its counties can make up for: its prior holds it."""
    text = args_of(FIXTURES / "nested")
    site = tomllib.loads(text)["sites"]["s"]
    assert site["scale"]["by"] == "sigma_s"
    assert 0.1 < site["scale"]["power"]["init"] < 0.3


def test_json_has_how_they_meet() -> None:
    found = json.loads(args_of(FIXTURES / "insteval", "--format", "json"))
    sites = {site["site"]: site["offsets"] for site in found["sites"]}
    meets = {offset["parent"]: offset["meets"] for offset in sites["b"]}
    assert meets == {
        "mu": {"value": "mu", "evidence": "number", "line": None},
        "c": {"value": "c[dept] per lecturer", "evidence": "sum", "line": 22},
    }


KLASS = """\
import numpyro
import numpyro.distributions as dist


def model(klass_of, school_of_class, n_classes, n_schools, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    with numpyro.plate("schools", n_schools):
        school = numpyro.sample("school", dist.Normal(mu, 1))
    with numpyro.plate("classes", n_classes):
        klass = numpyro.sample("klass", dist.Normal(school[school_of_class], 0.5))
    with numpyro.plate("pupils", len(klass_of)):
        numpyro.sample("y", dist.Normal(klass[klass_of], 1), obs=y)
"""


def test_what_a_prior_looks_up(tmp_path: Path) -> None:
    """Four pupils of each class say as much of it as its school does."""
    (tmp_path / "model.py").write_text(KLASS)
    given = "(np.arange(40) % 10, np.arange(10) % 3, 10, 3), {'y': np.ones(40)}"
    example = f"import numpy as np\n\n\ndef example_args():\n    return {given}\n"
    (tmp_path / "example.py").write_text(example)
    text = args_of(tmp_path)
    assert "# line 10: its prior expects school[school_of_class]. It is sampled around" in text
    init = float(text.partition("school = { init = ")[2].partition(" ")[0])
    # The variances of a class are 1 / 4 of the data's and 1 / 4 of the prior's.
    assert init == pytest.approx(-0.5, abs=0.05)
    generated = rewritten(KLASS, text.encode()).data.decode()
    assert generated.count("school[school_of_class]") == 2


def test_the_order_of_a_table_stays_where_the_other_is_worse() -> None:
    """Walks in the basis of cosines come before what makes up for their means."""
    text = args_of(FIXTURES / "suggest" / "tensor_long")
    assert 'chain = ["mu", "a", "b", "z", "A", "B", "C"]\n' in text


# -- how far ---------------------------------------------------------------------------------------

PAIRS = [("s", "mu"), ("a", "mu"), ("b", "mu"), ("a", "s"), ("b", "s"), ("b", "a")]


def table() -> tuple[Meetings, dict[str, np.ndarray]]:
    """Counties in states and slopes of another group, and the design of each."""
    rng = np.random.default_rng(0)
    county, item, x = rng.integers(0, 12, 60), rng.integers(0, 5, 60), 1 + rng.normal(size=60)
    indices = {"mu": 0 * county, "s": county % 3, "a": county, "b": item}
    sizes, variances = {"mu": 1, "s": 3, "a": 12, "b": 5}, {"mu": 9.0, "s": 1.0, "a": 0.5, "b": 0.2}
    weights = {name: x if name == "b" else np.ones(60) for name in indices}
    members = {
        name: Member(name, sizes[name], variances[name], {0: Design(index, weights[name])})
        for name, index in indices.items()
    }
    designs = {
        name: np.eye(sizes[name])[index] * weights[name][:, None] for name, index in indices.items()
    }
    return Meetings(members, [0.3]), designs


def divergence(meetings: Meetings, designs: dict[str, np.ndarray], found: dict) -> float:
    """Half the sum of the logarithms of the diagonal of the precision in the new coordinates."""
    names = list(designs)
    starts = dict(
        zip(names, np.cumsum([0, *(designs[name].shape[1] for name in names)]), strict=False)
    )
    whole = np.concatenate([designs[name] for name in names], axis=1)
    variances = np.concatenate(
        [np.full(designs[n].shape[1], meetings.members[n].variance) for n in names]
    )
    to_base = np.eye(whole.shape[1])
    for (child, parent), xi in found.items():
        mine, theirs = designs[child], designs[parent]
        rows = slice(starts[child], starts[child] + mine.shape[1])
        columns = slice(starts[parent], starts[parent] + theirs.shape[1])
        to_base[rows, columns] = xi * (mine.T @ theirs) / (mine**2).sum(axis=0)[:, None]
    precision = whole.T @ whole / meetings.noise[0] + np.diag(1 / variances)
    back = np.linalg.inv(to_base)
    return 0.5 * float(np.log(np.diag(back.T @ precision @ back)).sum())


def test_the_coefficients_are_those_of_the_least_divergence() -> None:
    meetings, designs = table()
    found, least, _ = meetings.coefficients(PAIRS)
    assert divergence(meetings, designs, found) == pytest.approx(least, abs=1e-9)
    assert divergence(meetings, designs, {}) > least + 5
    for pair, step in ((pair, step) for pair in PAIRS for step in (-0.05, 0.05)):
        moved = {**found, pair: found[pair] + step}
        # A later parent's coefficients are the best for it, and not for all together.
        assert divergence(meetings, designs, moved) > least - 0.01


def test_without_offsets_it_is_as_written() -> None:
    meetings, designs = table()
    found, plain, _ = meetings.coefficients([])
    assert (found, plain) == ({}, pytest.approx(divergence(meetings, designs, {})))
