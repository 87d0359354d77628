"""What `suggest` proposes to sample given the data, what not and why, and that it can be done."""

from __future__ import annotations

import json
import textwrap
import tomllib
from pathlib import Path

import pytest

from reparam_rewrite.source.reading import read
from reparam_rewrite.suggesting import Suggestion, suggest, to_text
from reparam_rewrite.suggesting.conditional import PREDICTED
from tests.support.cases import FIXTURES
from tests.support.cli import run
from tests.test_suggest import AT_PEACE, HEAD, LOCATIONS

#: The folders of models for which these sites are proposed.
GIVEN = sorted(path.parent for path in FIXTURES.rglob("suggestion_offsets.toml"))


@pytest.mark.parametrize("folder", GIVEN, ids=lambda folder: folder.name)
def test_golden(folder: Path) -> None:
    ran = run(folder, "suggest", "model.py")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == (folder / "suggestion.toml").read_bytes()


#: Models of each kind, with a config that was written by hand.
BY_HAND = sorted(path for path in FIXTURES.glob("conditional_*"))


@pytest.mark.parametrize("folder", BY_HAND, ids=lambda folder: folder.name)
def test_what_is_written_by_hand_is_proposed(folder: Path) -> None:
    order = tomllib.loads((folder / "offsets.toml").read_text())["conditional"]["order"]
    found = suggest(read(str(folder / "model.py")))
    assert set(found.order) == set(order)


#: Of the proposals those that are fitted each time; the others are in the long tests.
FITTED = ("ar2", "crossed", "disasters", "eight_schools", "item_response")


@pytest.mark.parametrize(
    "folder",
    [
        pytest.param(
            folder, id=folder.name, marks=[] if folder.name in FITTED else pytest.mark.long
        )
        for folder in GIVEN
    ],
)
def test_every_proposal_can_be_fitted_and_is_the_same_model(folder: Path, tmp_path: Path) -> None:
    from tests.support.conditional import made
    from tests.support.execution import assert_equivalent

    files = ("model.py", "example.py", "suggestion.toml")
    found = made(tmp_path, *((folder / name).read_text() for name in files))
    args, kwargs = found.call
    assert_equivalent(found.plain, found.generated, args, kwargs, points=3)


def proposed(model: str) -> Suggestion:
    return suggest(read("model.py", (HEAD + textwrap.dedent(model)).encode()))


def why(suggestion: Suggestion) -> dict[str, str]:
    return {one.site: one.reason for one in suggestion.alone}


@pytest.mark.parametrize("name", AT_PEACE)
def test_nothing_is_proposed_where_nothing_is_in_the_way(name: str) -> None:
    found = proposed(f"def model(x, y=None):{textwrap.indent(AT_PEACE[name], '    ')}")
    assert found.is_empty


#: Locations, as in the tests of offsets, and the sites that are sampled given the data.
ORDERS = {
    "a sum": "mu alpha",
    "a difference": "mu alpha",
    "a number as a factor": "mu alpha",
    "a link": "mu alpha",
    "two functions": "",
    "a sum beside a function": "",
    "a slope": "alpha beta",
    "either of two": "",
    "a product of sites": "",
    "an unknown function": "",
    "an unknown function of one": "",
    "twice the same": "mu alpha",
    "picked": "mu a",
    "a product with a matrix": "mu a",
    "an einsum": "mu a",
}


@pytest.mark.parametrize("name", ORDERS)
def test_which_sites_of_a_location(name: str) -> None:
    found = proposed(f"""\
        def model(x, g, n, y=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            alpha = numpyro.sample("alpha", dist.Normal(0, 1))
            beta = numpyro.sample("beta", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            numpyro.sample("y", dist.Normal({LOCATIONS[name][0]}, 1), obs=y)
        """)
    assert " ".join(found.order) == ORDERS[name]


#: Models of which some sites, or none, can be sampled given the data; and why not the others.
PARTS = {
    "what a prior is around": (
        """
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        tau = numpyro.sample("tau", dist.HalfNormal(1))
        with numpyro.plate("n", n):
            a = numpyro.sample("a", dist.Normal(mu, tau))
        numpyro.sample("y", dist.Normal(a[g], 1), obs=y)
        """,
        "mu a",
        {"tau": "the scale of the prior of 'a' (line 11)"},
    ),
    "a funnel of a site that is alone": (
        """
        tau = numpyro.sample("tau", dist.HalfNormal(1))
        with numpyro.plate("n", n):
            a = numpyro.sample("a", dist.Normal(0, tau))
        numpyro.sample("y", dist.Poisson(jnp.exp(a[g])), obs=y)
        """,
        "a",
        {"tau": "the scale of the prior of 'a' (line 10)"},
    ),
    "the logarithm of a scale that is normal": (
        """
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        nu = numpyro.sample("nu", dist.Normal(0, 1))
        with numpyro.plate("n", n):
            a = numpyro.sample("a", dist.Normal(mu, jnp.exp(nu)))
        numpyro.sample("y", dist.Normal(a[g], 1), obs=y)
        """,
        "mu a",
        {"nu": "the scale of the prior of 'a' (line 11)"},
    ),
    "a part of the noise": (
        """
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        a = numpyro.sample("a", dist.Normal(0, 1))
        b = numpyro.sample("b", dist.Normal(0, 1))
        numpyro.sample("y", dist.Normal(mu + a + b, jnp.exp(b)), obs=y)
        """,
        "mu a",
        {"b": "it is part of the scale of 'y' (line 11)"},
    ),
    "a positive summand": (
        """
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        a = numpyro.sample("a", dist.Normal(0, 1))
        b = numpyro.sample("b", dist.HalfNormal(1))
        numpyro.sample("y", dist.Normal(mu + a + b, 1), obs=y)
        """,
        "mu a",
        {"b": "a HalfNormal isn't known to be nearly normal (line 10)"},
    ),
    "a family that isn't known": (
        """
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        a = numpyro.sample("a", dist.Normal(0, 1))
        numpyro.sample("y", dist.VonMises(mu + a, 1.0), obs=y)
        """,
        "",
        {"mu": "the others are sampled around it"},
    ),
    "a minibatch": (
        """
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        a = numpyro.sample("a", dist.Normal(0, 1))
        with numpyro.plate("rows", 100, subsample_size=10):
            numpyro.sample("y", dist.Normal(mu + a, 1), obs=y)
        """,
        "",
        {},
    ),
    "a loop": (
        """
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        b = numpyro.sample("b", dist.Normal(0, 1))
        for k in range(3):
            a = numpyro.sample("a", dist.Normal(0, 1))
        numpyro.sample("y", dist.Normal(mu + a + b, 1), obs=y)
        """,
        "mu b",
        {"a": "it is sampled step by step (line 11), and all of it is needed at once"},
    ),
    "a scale that doesn't show": (
        """
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        b = numpyro.sample("b", dist.Normal(0, 1))
        prior = dist.Normal(0, 2)
        a = numpyro.sample("a", prior)
        numpyro.sample("y", dist.Normal(mu + a + b, 1), obs=y)
        """,
        "mu b",
        {"a": "the scale of its prior doesn't show where it is sampled (line 11)"},
    ),
    "a scale that is made of what is sampled late": (
        """
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        b = numpyro.sample("b", dist.Normal(0, 1))
        if n:
            tau = numpyro.sample("tau", dist.HalfNormal(1))
        a = numpyro.sample("a", dist.Normal(0, tau))
        numpyro.sample("y", dist.Normal(mu + a + b, 1), obs=y)
        """,
        "mu b",
        {},
    ),
    "a funnel whose scale is made of what is sampled late": (
        """
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        sds = {}
        for one in ("a", "b"):
            sds[one] = numpyro.sample(f"sd_{one}", dist.HalfNormal(1))
        with numpyro.plate("n", 4):
            a = numpyro.sample("a", dist.Normal(0, sds["a"]))
        with numpyro.plate("m", 3):
            b = numpyro.sample("b", dist.Normal(0, sds["b"]))
        numpyro.sample("y", dist.Normal(mu + a[i] + b[j], 1), obs=y)
        """,
        "a b",
        {"mu": "the scale of 'a' and 'b' isn't known before it is sampled (line 8)"},
    ),
    "two outcomes": (
        """
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        with numpyro.plate("n", n):
            a = numpyro.sample("a", dist.Normal(0, 1))
        b = numpyro.sample("b", dist.Normal(0, 1))
        numpyro.sample("y", dist.Normal(mu + a[g], 1), obs=y)
        numpyro.sample("z", dist.Normal(mu + b * x, 1), obs=x)
        """,
        "mu b a",
        {},
    ),
    "a random walk": (
        """
        z = numpyro.sample("z", dist.GaussianRandomWalk(1.0, num_steps=n))
        numpyro.sample("y", dist.Normal(z, 1), obs=y)
        """,
        "z",
        {},
    ),
    "a regression": (
        """
        beta = numpyro.sample("beta", dist.Normal(0, 1).expand([n]).to_event(1))
        numpyro.sample("y", dist.Bernoulli(logits=x @ beta), obs=y)
        """,
        "beta",
        {},
    ),
}


@pytest.mark.parametrize("name", PARTS)
def test_which_sites_of_a_model(name: str) -> None:
    body, order, reasons = PARTS[name]
    found = proposed(f"def model(x, g, n, y=None):{textwrap.indent(body, '    ')}")
    assert " ".join(found.order) == order
    assert {site: why(found)[site][: len(text)] for site, text in reasons.items()} == reasons


HELPERS = {
    "a scale that is an argument": ("dist.Normal(0, 2 * tau)", "", "mu a"),
    "a scale of its own": ("dist.Normal(0, own)", "own = 3 * tau", ""),
    "a scale that it samples": (
        "dist.Normal(0, own)",
        'own = numpyro.sample(f"{name}_sd", dist.HalfNormal(tau))',
        "",
    ),
}


@pytest.mark.parametrize("name", HELPERS)
def test_which_sites_of_a_helper(name: str) -> None:
    prior, before, order = HELPERS[name]
    found = proposed(f"""\
        def effect(name, n, tau):
            {before}
            with numpyro.plate(f"{{name}}_plate", n):
                return numpyro.sample(name, {prior})

        def model(g, n, y=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            sd = numpyro.sample("sd", dist.HalfNormal(1))
            a = effect("a", n, sd)
            numpyro.sample("y", dist.Normal(mu + a[g], 1), obs=y)
        """)
    assert " ".join(found.order) == order
    left = {
        "a": "its scale is made in the call of 'effect' (line 15), where it has to be an argument"
    }
    told = found.conditional.why if found.conditional else {}
    assert told == ({} if order else left)


def test_what_is_moved_stays_where_that_can_not_be() -> None:
    found = proposed("""\
        def model(g, n, y=None):
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            if a is None:
                return
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            numpyro.sample("y", dist.Normal(mu + a[g], 1), obs=y)
        """)
    assert found.order == ("a", "mu")


def test_other_sites_keep_their_offsets() -> None:
    found = proposed("""\
        def model(g, n, y=None, z=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            b = numpyro.sample("b", dist.Normal(0, 1))
            c = numpyro.sample("c", dist.Normal(0, 1))
            numpyro.sample("y", dist.Normal(mu + a[g], 1), obs=y)
            numpyro.sample("z", dist.VonMises(b + c, 1.0), obs=z)
        """)
    assert (found.order, found.chains) == (("mu", "a"), (("b", "c"),))
    assert 'conditional = ["mu", "a"]\n' in to_text(found)
    assert 'chain = ["b", "c"]\n' in to_text(found)


def test_why_offsets_are_all_there_is() -> None:
    text = to_text(
        proposed("""\
        def model(y=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
            numpyro.sample("y", dist.VonMises(mu + a, 1.0), obs=y)
        """)
    )
    assert text.splitlines()[2:5] == [
        "# 'mu' can't be sampled given the data ('conditional'): 'y' is a VonMises (line 10), of",
        "# which no sum is known that the data tell of; the same goes for 'a'.",
        "# line 10: the loc of 'y' is mu + a. What one of them gains another can lose and the",
    ]


def test_a_notebook_can_not_load_what_the_data_say(tmp_path: Path) -> None:
    source = (FIXTURES / "crossed/model.py").read_text()
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "source": source}
    cell |= {"execution_count": None}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "model.ipynb").write_text(json.dumps(notebook))
    text = run(tmp_path, "suggest", "model.ipynb").out.decode()
    words = " ".join(text.replace("\n# ", " ").split())
    assert "('conditional'): a notebook's code doesn't know where the arrays are" in words
    assert 'chain = ["mu", "a_plate", "b_sample"]' in text


def test_a_site_of_two_branches_is_left_as_it_is() -> None:
    found = proposed("""\
        def model(g, n, y=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            b = numpyro.sample("b", dist.Normal(0, 1))
            if n > 2:
                a = numpyro.sample("a", dist.Normal(0, 1).expand([n]))
            else:
                a = numpyro.sample("a", dist.Normal(0, 2).expand([n]))
            numpyro.sample("y", dist.Normal(mu + b + a[g], 1), obs=y)
        """)
    assert found.order == ("mu", "b")
    assert why(found)["a"].startswith("it is sampled in more than one place (line ")


def test_families_are_those_that_fit_knows() -> None:
    from reparam_rewrite.running.predictors import FAMILIES

    known = {name.removesuffix("Logits").removesuffix("Probs") for name in FAMILIES}
    # Those of NumPyro that are one of these by another name.
    assert known | {"NegativeBinomial", "NegativeBinomial2"} == PREDICTED


# -- the command -----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("model.py", "example.py"):
        (tmp_path / name).write_bytes((FIXTURES / "crossed" / name).read_bytes())
    return tmp_path


def test_a_run_tells_the_order_and_that_it_can_be_computed(folder: Path) -> None:
    ran = run(folder, "suggest", "model.py", "--args", "example.py:example_args")
    assert (ran.status, ran.err) == (0, "")
    assert 'conditional = ["mu", "b_sample", "a_plate"]\n' in ran.out.decode()


def test_a_run_leaves_out_what_can_not_be_computed(folder: Path) -> None:
    """The source doesn't show that what a function gives is no sum."""
    source = (folder / "model.py").read_text()
    (folder / "model.py").write_text(
        source.replace("+ b_sample[sample]", "+ b_sample[sample] + c * jnp.sin(a_plate)[plate]")
        .replace("import numpyro\n", "import jax.numpy as jnp\nimport numpyro\n", 1)
        .replace("    sigma = ", '    c = numpyro.sample("c", dist.Normal(0, 1))\n    sigma = ')
    )
    ran = run(folder, "suggest", "model.py", "--args", "example.py:example_args")
    assert (ran.status, ran.err) == (0, "")
    said = ran.out.decode().replace("\n#     ", " ")
    assert "a_plate (line 17): it is in more than one summand of 'diameter' (line 21)" in said
    assert "'mu' can't be sampled given the data" in said


TROLLEY = """\
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.distributions import transforms


def model(person, x, y=None):
    b = numpyro.sample("b", dist.Normal(0, 0.5))
    sigma = numpyro.sample("sigma", dist.Exponential(1))
    with numpyro.plate("people", 30):
        z = numpyro.sample("z", dist.Normal(0, sigma))
    ordered = transforms.OrderedTransform()
    prior = dist.TransformedDistribution(dist.Normal(0, 1.5).expand([4]).to_event(1), ordered)
    cutpoints = numpyro.sample("cutpoints", prior)
    numpyro.sample("y", dist.OrderedLogistic(z[person] + b * x, cutpoints), obs=y)


def example_args():
    rng = np.random.default_rng(0)
    person, x = np.repeat(np.arange(30), 5), rng.normal(size=150)
    latent = rng.normal(size=30)[person] - 0.5 * x + rng.logistic(size=150)
    return (person, x), {"y": np.searchsorted([-2.0, -0.5, 0.5, 2.0], latent)}
"""


def test_what_gains_nothing_by_a_pilot_is_not_proposed(tmp_path: Path) -> None:
    """What the cutpoints are moves all of 'z', and nothing that is given says where they are."""
    (tmp_path / "model.py").write_text(TROLLEY)
    words = ("suggest", "model.py", "--args", "model.py:example_args", "--format", "json")
    ran = run(tmp_path, *words)
    assert ran.status == 0, ran.err
    found = json.loads(ran.out)["conditional"]
    assert found["order"] == []
    assert found["not"]["z"].startswith("sampled given the data 'b' and 'z' would be")


def test_without_observations_the_source_decides(folder: Path) -> None:
    given = "(jnp.array([0, 1]), jnp.array([1, 0]), 2, 2), {}"
    ran = run(folder, "suggest", "model.py", "--args", given)
    assert (ran.status, ran.err) == (0, "")
    assert 'conditional = ["mu", "a_plate", "b_sample"]\n' in ran.out.decode()


def test_offsets_alone(folder: Path) -> None:
    found = run(folder, "suggest", "model.py", "--offsets").out.decode()
    assert "conditional" not in found
    assert 'chain = ["mu", "a_plate", "b_sample"]\n' in found


def test_json(folder: Path) -> None:
    found = json.loads(run(folder, "suggest", "model.py", "--format", "json").out)
    assert found["conditional"]["order"] == ["mu", "a_plate", "b_sample"]
    assert found["conditional"]["reasons"][0].startswith("line 19: the loc of 'diameter' is")
    assert (found["chains"], found["sites"]) == ([], [])


def test_from_the_model_to_the_generated_file(folder: Path) -> None:
    args = ("--args", "example.py:example_args")
    assert run(folder, "suggest", "model.py", *args, "-o", "offsets.toml").status == 0
    refused = run(folder, "model.py", "-c", "offsets.toml")
    assert "isn't known yet" in refused.err
    assert run(folder, "fit", "model.py", "-c", "offsets.toml", *args).status == 0
    ran = run(folder, "model.py", "-c", "offsets.toml", "-o", "generated.py")
    assert ran.status == 0, ran.err
    assert "Conditional(" in (folder / "generated.py").read_text()
