"""What is proposed for models, why, and that it holds: the proposal rewrites and is equivalent."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.messages import Refusal
from reparam_rewrite.rewriting import rewrite
from reparam_rewrite.source.reading import read
from reparam_rewrite.suggesting import Suggestion, suggest, to_text
from tests.support.cases import FIXTURES, WIDTH, rewritten
from tests.support.cli import run

HEAD = """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from jax.scipy.special import expit


"""

#: The folders of models with a proposal beside them, which is as an expert would have it.
GOLDEN = sorted(path.parent for path in FIXTURES.rglob("suggestion.toml"))


def test_what_is_golden() -> None:
    names = {folder.name for folder in GOLDEN}
    assert names == {
        "ar2",
        "classes",
        "crossed",
        "crossed_regression",
        "crossed_slopes",
        "disasters",
        "drifting_series",
        "eight_schools",
        "group_slopes",
        "group_variance",
        "horseshoe",
        "insteval",
        "item_response",
        "multilevel",
        "multinomial",
        "nested",
        "radon",
        "tensor",
        "tensor_broadcast",
        "tensor_long",
    }


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda folder: folder.name)
def test_golden(folder: Path) -> None:
    ran = run(folder, "suggest", "model.py", *(["--offsets"] if is_given(folder) else []))
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == offsets_of(folder).read_bytes()


def is_given(folder: Path) -> bool:
    """Are sites proposed there to be sampled given the data?"""
    return (folder / "suggestion_offsets.toml").exists()


def offsets_of(folder: Path) -> Path:
    """The offsets that are proposed for a fixture."""
    return folder / ("suggestion_offsets.toml" if is_given(folder) else "suggestion.toml")


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda folder: folder.name)
def test_every_proposal_is_the_same_model(folder: Path) -> None:
    from tests.support.execution import assert_equivalent, load_model

    source = (folder / "model.py").read_text()
    result = rewritten(source, offsets_of(folder).read_bytes())
    if "chain = []" in offsets_of(folder).read_text():
        assert result.data == source.encode()
        return
    assert result.data != source.encode()
    namespace: dict[str, object] = {}
    exec(compile((folder / "example.py").read_text(), "example.py", "exec"), namespace)
    args, kwargs = namespace["example_args"]()  # type: ignore[operator]
    generated = load_model(result.data.decode())
    assert_equivalent(load_model(source), generated, args, kwargs, points=5)


def proposed(model: str, function: str | None = None) -> Suggestion:
    """The offsets that are suggested for a model, without a word of the rewriter."""
    source = HEAD + textwrap.dedent(model)
    document = read("model.py", source.encode())
    found = suggest(document, function, offsets=True)
    again = rewrite(document, read_config(to_text(found).encode(), "offsets.toml"), WIDTH)
    assert (again.data == document.data) == found.is_empty
    compile(again.data, "model.py", "exec")
    return found


def offsets(suggestion: Suggestion) -> dict[str, dict[str, object]]:
    """By child and parent: the initial value, with the expression if there is one."""
    return {
        proposal.site.name: {
            offset.parent: (offset.value, offset.init) if offset.value else offset.init
            for offset in proposal.offsets
        }
        for proposal in suggestion.proposals
    }


def reason(suggestion: Suggestion, site: str) -> str:
    return next(one.reason for one in suggestion.alone if one.site == site)


SLOPE = "alpha * (jnp.mean(x) / (jnp.mean(x ** 2) + 1e-6))"

#: Locations, as they may be written, of a model with mu, alpha, beta and a vector a; and offsets.
LOCATIONS = {
    "a sum": ("mu + alpha", {"alpha": {"mu": 1.0}}),
    "a difference": ("mu - alpha", {"alpha": {"mu": -1.0}}),
    "a number as a factor": ("mu + 2 * alpha", {"alpha": {"mu": 0.5}}),
    "a number below": ("mu / 4 + alpha / 2", {"alpha": {"mu": 0.5}}),
    "a link": ("expit(mu + alpha)", {"alpha": {"mu": 1.0}}),
    "a link and an exposure": ("x * jnp.exp(mu + alpha)", {"alpha": {"mu": 1.0}}),
    "a link below": ("2.0 / jnp.exp(mu + alpha)", {"alpha": {"mu": 1.0}}),
    "two functions": ("jnp.exp(mu) + jnp.exp(alpha)", {}),
    "a sum beside a function": ("mu + jnp.exp(alpha)", {}),
    "a slope": ("alpha + beta * x", {"beta": {"alpha": (SLOPE, 1.0)}}),
    "a slope with a minus": ("alpha - x * beta", {"beta": {"alpha": (SLOPE, -1.0)}}),
    "jnp.add": ("jnp.add(mu, alpha)", {"alpha": {"mu": 1.0}}),
    "jnp.subtract": ("jnp.subtract(mu, alpha)", {"alpha": {"mu": -1.0}}),
    "sum of a list": ("sum([mu, alpha])", {"alpha": {"mu": 1.0}}),
    "either of two": ("jnp.where(x > 0, mu, alpha)", {}),
    "one beside either": ("mu + jnp.where(x > 0, alpha, beta)", {"alpha": {"mu": 1.0}}),
    "stacked": ("jnp.stack([mu, alpha])", {}),
    "a product of sites": ("mu + alpha * beta", {}),
    "a quotient of sites": ("mu + alpha / beta", {}),
    "a power": ("(mu + alpha) ** 2", {"alpha": {"mu": 1.0}}),
    "a power of each": ("mu**2 + alpha**2", {}),
    "deterministic": ('numpyro.deterministic("m", mu + alpha)', {"alpha": {"mu": 1.0}}),
    "an unknown function": ("unknown(mu + alpha)", {}),
    "an unknown function of one": ("mu + unknown(alpha)", {}),
    "reshaped": ("jnp.reshape(mu, ()) + alpha.astype(float)", {"alpha": {"mu": 1.0}}),
    "twice the same": ("mu + mu + alpha", {}),
    "picked": ("mu + a[g]", {"a": {"mu": 1.0}}),
    "a new axis": ("mu + a[:, None] + x", {}),
    "one element": ("mu + a[0]", {}),
    "a conditional expression": ("mu + alpha if n > 1 else mu", {"alpha": {"mu": 1.0}}),
    "a name that was bound again": ("(m := mu) + alpha", {"alpha": {"mu": 1.0}}),
    "cumulated": ("mu + jnp.cumsum(a)", {}),
    "a product with a matrix": ("mu + x @ a", {}),
    "an einsum": ("mu + jnp.einsum('ij,j->i', x, a)", {}),
}


@pytest.mark.parametrize("name", LOCATIONS)
def test_what_a_location_adds_up(name: str) -> None:
    location, expected = LOCATIONS[name]
    model = f"""\
        def model(x, g, n, y=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            alpha = numpyro.sample("alpha", dist.Normal(0, 1))
            beta = numpyro.sample("beta", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            numpyro.sample("y", dist.Normal({location}, 1), obs=y)
        """
    found = offsets(proposed(model))
    kept = found if name == "one beside either" else {**found}
    if name == "one beside either":
        assert kept == {"alpha": {"mu": 1.0}, "beta": {"mu": 1.0}}
        return
    assert kept == expected


BODIES = {
    "steps": """
        eta = mu
        eta = eta + alpha
        numpyro.sample("y", dist.Poisson(jnp.exp(eta)), obs=y)
        """,
    "in place": """
        eta = mu
        eta += alpha
        numpyro.sample("y", dist.Bernoulli(logits=eta), obs=y)
        """,
    "a dictionary": """
        effects = {}
        effects["mu"] = mu
        effects["alpha"] = alpha
        numpyro.sample("y", dist.Normal(effects["mu"] + effects["alpha"], 1), obs=y)
        """,
    "a tuple": """
        one, other = mu, alpha
        numpyro.sample("y", dist.Normal(one + other, 1), obs=y)
        """,
    "a branch": """
        eta = mu
        if x is not None:
            eta = eta + alpha
        numpyro.sample("y", dist.Normal(eta, 1), obs=y)
        """,
    "a helper": """
        numpyro.sample("y", dist.Normal(added(mu, alpha), 1), obs=y)
        """,
    "a helper that observes": """
        observe(mu + alpha, y)
        """,
    "a function inside": """
        def line():
            return mu + alpha

        numpyro.sample("y", dist.Normal(line(), 1), obs=y)
        """,
    "a lambda": """
        line = lambda first: first + alpha
        numpyro.sample("y", dist.Normal(line(mu), 1), obs=y)
        """,
    "a distribution with a name": """
        likelihood = dist.Normal(mu + alpha, 1).to_event(0)
        numpyro.sample("y", likelihood, obs=y)
        """,
    "a handler that observes": """
        with numpyro.handlers.condition(data={"y": y}):
            numpyro.sample("y", dist.Normal(mu + alpha, 1))
        """,
}


@pytest.mark.parametrize("name", BODIES)
def test_ways_to_write_a_sum(name: str) -> None:
    helpers = """
def added(first, second):
    total = first
    total += second
    return total


def observe(mean, y):
    numpyro.sample("y", dist.Normal(mean, 1), obs=y)


def model(x, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    alpha = numpyro.sample("alpha", dist.Normal(0, 1))
"""
    body = textwrap.indent(textwrap.dedent(BODIES[name]), "    ")
    assert offsets(proposed(helpers + body, "model")) == {"alpha": {"mu": 1.0}}


#: Models in which no two sites are added up so that they can make up for each other.
AT_PEACE = {
    "one site": """
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        numpyro.sample("y", dist.Normal(mu, 1), obs=y)
        """,
    "location and scale": """
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        sigma = numpyro.sample("sigma", dist.HalfNormal(1))
        numpyro.sample("y", dist.Normal(mu, sigma), obs=y)
        """,
    "a beta-binomial": """
        p = numpyro.sample("p", dist.Beta(1, 1))
        numpyro.sample("y", dist.Binomial(10, probs=p), obs=y)
        """,
    "a mixture": """
        w = numpyro.sample("w", dist.Dirichlet(jnp.ones(2)))
        m = numpyro.sample("m", dist.Normal(0, 1).expand([2]))
        numpyro.sample("y", dist.MixtureSameFamily(dist.Categorical(w), dist.Normal(m, 1)), obs=y)
        """,
    "a Gaussian process": """
        length = numpyro.sample("length", dist.LogNormal(0, 1))
        noise = numpyro.sample("noise", dist.LogNormal(0, 1))
        K = jnp.exp(-0.5 * (x[:, None] - x) ** 2 / length) + noise * jnp.eye(len(x))
        numpyro.sample("y", dist.MultivariateNormal(0.0, covariance_matrix=K), obs=y)
        """,
    "a non-centred hierarchy": """
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        tau = numpyro.sample("tau", dist.HalfNormal(1))
        z = numpyro.sample("z", dist.Normal(0, 1).expand([4]))
        numpyro.sample("y", dist.Normal(mu + tau * z, 1), obs=y)
        """,
    "a horseshoe": """
        tau = numpyro.sample("tau", dist.HalfCauchy(1))
        lam = numpyro.sample("lam", dist.HalfCauchy(jnp.ones(3)))
        z = numpyro.sample("z", dist.Normal(0, jnp.ones(3)))
        numpyro.sample("y", dist.Normal(x @ (tau * lam * z), 1), obs=y)
        """,
    "positive contributions": """
        a = numpyro.sample("a", dist.HalfNormal(1))
        b = numpyro.sample("b", dist.HalfNormal(1))
        numpyro.sample("y", dist.Normal(a + b, 1), obs=y)
        """,
    "two outcomes": """
        a = numpyro.sample("a", dist.Normal(0, 1))
        b = numpyro.sample("b", dist.Normal(0, 1))
        numpyro.sample("y", dist.Normal(a, 1), obs=y)
        numpyro.sample("z", dist.Normal(b, 1), obs=y)
        """,
    "a neural network": """
        w1 = numpyro.sample("w1", dist.Normal(jnp.zeros((2, 3)), 1))
        w2 = numpyro.sample("w2", dist.Normal(jnp.zeros((3, 1)), 1))
        numpyro.sample("y", dist.Normal(jnp.tanh(x @ w1) @ w2, 1), obs=y)
        """,
    "an ODE": """
        theta = numpyro.sample("theta", dist.LogNormal(0, 1))
        z0 = numpyro.sample("z0", dist.LogNormal(0, 1))
        numpyro.sample("y", dist.Normal(solve(theta, z0, x), 1), obs=y)
        """,
    "nothing observed": """
        mu = numpyro.sample("mu", dist.Normal(0, 1))
        numpyro.sample("z", dist.Normal(mu, 1))
        """,
}


@pytest.mark.parametrize("name", AT_PEACE)
def test_nothing_is_proposed_without_a_conflict(name: str) -> None:
    body = textwrap.indent(textwrap.dedent(AT_PEACE[name]), "    ")
    found = proposed(f"def model(x, y=None):{body}")
    assert found.is_empty
    assert all(one.reason for one in found.alone)
    assert "chain = []\n" in to_text(found)


def test_shares() -> None:
    """Of those that can make up for a parent each gets its part, the last what is left."""
    found = proposed("""\
        def model(g, h, k, n, m, l, y=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            with numpyro.plate("m", m):
                b = numpyro.sample("b", dist.Normal(0, 1))
            with numpyro.plate("l", l):
                c = numpyro.sample("c", dist.Normal(0, 1))
            numpyro.sample("y", dist.Normal(mu + a[g] - b[h] + c[k], 1), obs=y)
        """)
    assert found.chains == (("mu", "a", "b", "c"),)
    assert offsets(found) == {
        "a": {"mu": 0.33},
        "b": {"mu": -0.5, "a": -0.5},
        "c": {"mu": 1.0, "a": 1.0, "b": -1.0},
    }


def test_scales() -> None:
    """One observation of each element: non-centred; what is picked may have few or many."""
    found = proposed("""\
        def model(g, n, m, x, y=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            tau = numpyro.sample("tau", dist.HalfNormal(1))
            with numpyro.plate("n", n):
                theta = numpyro.sample("theta", dist.Normal(mu, tau))
                numpyro.sample("y", dist.Normal(theta, 1), obs=y)
            with numpyro.plate("m", m):
                b = numpyro.sample("b", dist.Normal(0, tau))
            numpyro.sample("z", dist.Normal(b[g], 1), obs=x)
        """)
    (theta,) = found.proposals
    assert (theta.by, theta.power) == ("tau", 1.0)
    assert offsets(found)["theta"] == {"loc": ("mu / tau", -1.0)}
    assert reason(found, "b") == (
        "its prior has the scale 'tau' (line 14), which is better taken out only where its "
        "elements have few observations, and the source doesn't tell; --args does"
    )


def test_a_random_walk_gets_a_basis() -> None:
    found = proposed("""\
        def model(n, y=None):
            s = numpyro.sample("s", dist.HalfNormal(1))
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            z = numpyro.sample("z", dist.GaussianRandomWalk(s, num_steps=n))
            with numpyro.plate("rows", 10), numpyro.plate("n", n):
                numpyro.sample("y", dist.Normal(mu + z, 1), obs=y)
        """)
    assert [proposal.basis for proposal in found.proposals] == ["dct"]


def test_what_the_rewriter_refuses_is_left_alone_for_its_reason() -> None:
    found = proposed("""\
        def model(x, y=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            for k in range(3):
                a = numpyro.sample("a", dist.Normal(0, 1))
            with numpyro.handlers.condition(data={"b": 1.0}):
                b = numpyro.sample("b", dist.Normal(0, 1))
            c = numpyro.sample("c", dist.Normal(0, 1))
            numpyro.sample("y", dist.Normal(mu + a + b + c, 1), obs=y)
        """)
    assert reason(found, "a").startswith("'a' is sampled in a loop")
    assert "a" not in offsets(found)
    assert offsets(found)["c"]["mu"] == 1.0


def test_a_site_that_the_model_non_centres_itself_is_left_alone() -> None:
    found = proposed("""\
        def model(i, n, y=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            tau = numpyro.sample("tau", dist.HalfNormal(1))
            how = {"a": numpyro.infer.reparam.LocScaleReparam(0)}
            with numpyro.handlers.reparam(config=how), numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, tau))
            numpyro.sample("y", dist.Normal(mu + a[i], 1), obs=y)
        """)
    assert found.is_empty
    assert "'a' already has a reparam handler" in to_text(found)


def test_every_line_of_the_model_is_named() -> None:
    text = offsets_of(FIXTURES / "crossed").read_text()
    assert "# line 19: the loc of 'diameter' is mu + a_plate[plate] + b_sample[sample]." in text
    assert "#   sigma (line 12): the scale of 'diameter' (line 21) and no part of a sum\n" in text


def test_the_first_of_several_models_that_has_something() -> None:
    model = """\
        def flat(y=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            numpyro.sample("y", dist.Normal(mu, 1), obs=y)


        def first(y=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
            numpyro.sample("y", dist.Normal(mu + a, 1), obs=y)


        def second(y=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            b = numpyro.sample("b", dist.Normal(0, 1))
            numpyro.sample("y", dist.Normal(mu + b, 1), obs=y)
        """
    found = proposed(model)
    assert (found.function, found.others) == ("first", ("second",))
    assert 'functions = ["first"]\n' in to_text(found)
    assert proposed(model, "second").function == "second"
    assert proposed(model, "flat").is_empty


def test_no_such_function() -> None:
    source = read("model.py", (FIXTURES / "crossed/model.py").read_bytes())
    with pytest.raises(Refusal) as error:
        suggest(source, "modle")
    assert str(error.value) == (
        "model.py: no function 'modle' samples a site\nhint: did you mean 'model'?"
    )


def test_an_alias_and_an_awkward_name() -> None:
    model = """\
from numpyro import sample
import numpyro.distributions as D


def model(y=None):
    level = sample("the level", D.Normal(0, 1))
    other = sample("a.b", D.Normal(0, 1))
    sample("y", D.Normal(level + other, 1), obs=y)
"""
    source = read("model.py", model.encode())
    text = to_text(suggest(source, offsets=True))
    assert 'chain = ["the level", "a.b"]' in text
    assert rewrite(source, read_config(text.encode(), "o.toml"), WIDTH).data != source.data


# -- the command ---------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("model.py", "example.py"):
        (tmp_path / name).write_bytes((FIXTURES / "crossed" / name).read_bytes())
    return tmp_path


def test_it_is_piped_into_the_rewriter(folder: Path) -> None:
    config = run(folder, "suggest", "model.py", "--offsets").out
    ran = run(folder, "model.py", "--config", "-", stdin=config)
    assert ran.status == 0
    assert b'numpyro.param("xi_b_sample_a_plate", jnp.ones(n_samples))' in ran.out
    assert "a_plate <- mu (<stdin>:" in ran.err


def test_a_config_on_standard_input_is_only_for_printing(folder: Path) -> None:
    ran = run(folder, "model.py", "--config", "-", "-o", "out.py", stdin=b"chain = []\n")
    assert ran.status == 2
    assert ran.err.startswith("a config on standard input is only for printing the result\n")
    both = run(folder, "-", "--config", "-", stdin=b"chain = []\n")
    assert both.err.startswith("the model and the config can't both be standard input\n")


def test_an_empty_chain_says_that_nothing_is_meant(folder: Path) -> None:
    ran = run(folder, "model.py", "--config", "-", stdin=b"chain = []\n")
    assert ran.out == (folder / "model.py").read_bytes()
    assert (ran.status, ran.err) == (0, "the chain is empty, and nothing changed\n")


def test_write_never_over_another_file(folder: Path) -> None:
    first = run(folder, "suggest", "model.py", "--write", "offsets.toml")
    assert (first.status, first.out, first.err) == (0, b"", "wrote offsets.toml\n")
    again = run(folder, "suggest", "model.py", "--write", "offsets.toml")
    assert (again.status, again.err) == (0, "offsets.toml is up to date\n")
    (folder / "offsets.toml").write_text("# mine\n")
    refused = run(folder, "suggest", "model.py", "--write", "offsets.toml")
    said = "offsets.toml: the file exists\nhint: --force overwrites it.\n"
    assert (refused.status, refused.err) == (2, said)
    assert (folder / "offsets.toml").read_text() == "# mine\n"
    forced = run(folder, "suggest", "model.py", "--write", "offsets.toml", "--force")
    assert forced.status == 0
    assert (folder / "offsets.toml").read_text().startswith("# What 'reparam-rewrite suggest'")


def test_a_dash_is_standard_output(folder: Path) -> None:
    shown = run(folder, "suggest", "model.py")
    dashed = run(folder, "suggest", "model.py", "-o", "-")
    assert (dashed.status, dashed.out) == (0, shown.out)
    assert not (folder / "-").exists()


def test_neither_file_is_written_if_one_can_not_be(folder: Path) -> None:
    (folder / "dag.html").write_text("mine")
    ran = run(folder, "suggest", "model.py", "-o", "o.toml", "--dag", "dag.html")
    assert ran.status == 2
    assert not (folder / "o.toml").exists()
    over = run(folder, "suggest", "model.py", "--write", "model.py", "--force")
    assert over.status == 2
    assert "never overwritten" in over.err


def test_dag_that_can_not_be_drawn(folder: Path) -> None:
    other = run(folder, "suggest", "model.py", "--dag", "dag.pdf")
    assert other.err == (
        "dag.pdf: it can't be told how to draw it\n"
        "hint: name a file that ends in .svg, .png, .html or .dot.\n"
    )


def test_json(folder: Path) -> None:
    found = json.loads(run(folder, "suggest", "model.py", "--offsets", "--format", "json").out)
    assert found["chains"] == [["mu", "a_plate", "b_sample"]]
    assert [site["site"] for site in found["sites"]] == ["a_plate", "b_sample"]
    assert found["sites"][0]["offsets"] == [
        {
            "parent": "mu",
            "init": 0.5,
            "value": None,
            "reason": None,
            "meets": {"value": "mu", "evidence": "number", "line": None},
        }
    ]
    assert found["config"] == run(folder, "suggest", "model.py", "--offsets").out.decode()


def test_a_run_tells_the_shares(folder: Path) -> None:
    """6 samples, whose spread is the greater, and 24 plates, which make up for what is left."""
    ran = run(folder, "suggest", "model.py", "--offsets", "--args", "example.py:example_args")
    assert (ran.status, ran.err) == (0, "")
    text = ran.out.decode()
    assert 'chain = ["mu", "b_sample", "a_plate"]' in text
    share = float(text.partition("[sites.b_sample]")[2].partition("init = ")[2].split()[0])
    # The medians of sigma ** 2 are as 2 ** 2 and 5 ** 2, and there are 24 and 6 of them.
    assert share == pytest.approx((25 / 6) / (4 / 24 + 25 / 6), abs=0.02)
    words = " ".join(text.replace("#", "").split())
    assert "by how many observations there are, at scales that are typical of the priors" in words
    assert "Every plate meets every sample." in words


RUN = """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


def make(prior):
    return prior


def model(x, g, y=None, z=None):
    alpha = numpyro.sample("alpha", dist.Normal(0, 1))
    beta = numpyro.sample("beta", dist.Normal(0, 1))
    with numpyro.plate("groups", 4):
        a = numpyro.sample("a", make(dist.Normal(0, 1)))
    numpyro.sample("y", dist.Normal(alpha + beta * x + a[g], 1), obs=y)
"""


def test_a_run_drops_what_can_not_interact(folder: Path) -> None:
    """A regressor whose mean is 0 makes up for no constant; a run also knows any prior."""
    (folder / "run.py").write_text(RUN)
    given = "(jnp.array({}), jnp.array([0, 1, 2, 3])), {{'y': jnp.ones(4)}}"
    plain = run(folder, "suggest", "run.py", "--offsets").out.decode()
    assert "[sites.beta.offset]" in plain
    centred = given.format("[-1.0, 1.0, -2.0, 2.0]")
    ran = run(folder, "suggest", "run.py", "--offsets", "--args", centred)
    assert ran.status == 0, ran.err
    assert "[sites.beta.offset]" not in ran.out.decode()
    ran = run(
        folder, "suggest", "run.py", "--offsets", "--args", given.format("[1.0, 2.0, 3.0, 4.0]")
    )
    assert "[sites.beta.offset]" in ran.out.decode()


SEVERAL = """\
import numpyro
import numpyro.distributions as dist
from numpyro.infer import MCMC, NUTS


def flat(y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    numpyro.sample("y", dist.Normal(mu, 1), obs=y)


def grouped(group, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    with numpyro.plate("n", 3):
        a = numpyro.sample("a", dist.Normal(0, 1))
    numpyro.sample("y", dist.Normal(mu + a[group], 1.0), obs=y)


def sloped(group, x, y=None):
    nu = numpyro.sample("nu", dist.Normal(0, 5))
    with numpyro.plate("n", 3):
        b = numpyro.sample("b", dist.Normal(0, 1))
    numpyro.sample("y", dist.Normal(nu + b[group] * x, 1.0), obs=y)
"""

MAIN = """

def main():
    MCMC(NUTS(grouped), num_warmup=1, num_samples=1)
"""


@pytest.mark.parametrize(
    ("source", "args", "function", "another"),
    [
        (SEVERAL, "({group},), {{'y': {y}}}", "grouped", "sloped"),
        (SEVERAL, "({group}, {x}), {{'y': {y}}}", "sloped", "grouped"),
        (SEVERAL, "(), {{'y': {y}}}", "flat", "grouped, sloped"),
        (SEVERAL + MAIN, "({group},), {{'y': {y}}}", "grouped", "sloped"),
    ],
)
def test_a_run_is_of_the_function_that_takes_the_arguments(
    folder: Path, source: str, args: str, function: str, another: str
) -> None:
    (folder / "several.py").write_text(source)
    given = args.format(group="np.arange(3)", x="np.ones(3)", y="np.ones(3)")
    ran = run(folder, "suggest", "several.py", "--args", given)
    assert ran.status == 0, ran.err
    text = ran.out.decode()
    assert text.startswith(f"# What 'reparam-rewrite suggest' proposes for '{function}' of")
    assert text.endswith(f"# --function names another: {another}.\n")


def test_no_function_takes_the_arguments(folder: Path) -> None:
    (folder / "several.py").write_text(SEVERAL)
    ran = run(folder, "suggest", "several.py", "--args", "(1, 2, 3, 4), {}")
    assert ran.err.startswith(
        "several.py: 'grouped' can't be run with these arguments: TypeError: "
    )
    assert ran.err.endswith("give it what it takes, or name another function (--function).\n")


COMPILED = """\
import jax
import numpyro
import numpyro.distributions as dist


{}def prior(tau):
    return numpyro.sample("a", dist.Normal(0, tau))


{}def model(y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    numpyro.sample("y", dist.Normal(mu + prior(2.0), 1), obs=y)
"""


@pytest.mark.parametrize(
    ("decorators", "said"),
    [
        (("", "@jax.jit\n"), "take jax.jit, or what else is around it, off"),
        (("", "@jax.vmap\n"), "take jax.jit, or what else is around it, off"),
        (("@jax.jit\n", ""), "what samples can't be inside of jax.jit, jax.vmap or the like"),
    ],
)
def test_what_jax_transforms_can_not_be_run(
    folder: Path, decorators: tuple[str, str], said: str
) -> None:
    (folder / "compiled.py").write_text(COMPILED.format(*decorators))
    ran = run(folder, "suggest", "compiled.py", "--args", "(np.ones(3),)")
    assert ran.status == 2
    assert f"hint: {said}" in ran.err


def test_what_the_model_raises_has_its_place(folder: Path) -> None:
    ran = run(folder, "suggest", "model.py", "--args", "(1, 2, 3, 4), {}")
    assert ran.status == 2
    assert ran.err.startswith("model.py:")
    assert "Traceback" not in ran.err


def test_a_notebook_is_told_by_its_cells(tmp_path: Path) -> None:
    source = (FIXTURES / "crossed/model.py").read_text()
    cell = {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "execution_count": None,
        "outputs": [],
        "source": source.splitlines(keepends=True),
    }
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "model.ipynb").write_text(json.dumps(notebook))
    ran = run(tmp_path, "suggest", "model.ipynb", "--offsets")
    assert ran.status == 0, ran.err
    assert "# line 19 of cell 1: the loc of 'diameter' is" in ran.out.decode()
    assert "sigma (line 12 of cell 1)" in ran.out.decode()
    piped = run(tmp_path, "model.ipynb", "--config", "-", stdin=ran.out)
    assert piped.status == 0


def test_a_site_whose_name_is_put_together_is_told_of_by_that() -> None:
    found = proposed("""\
def model(n, x, s, y=None):
    (a := numpyro.sample(f"a_{n}", dist.Normal(0, 1)))
    numpyro.sample("y", dist.Normal(s * a[x], 1), obs=y)
""")
    assert [one.site for one in found.alone] == ["a_{n}"]


def test_a_site_that_is_sampled_twice_is_told_of_at_both_places() -> None:
    found = proposed("""\
def model(y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    s = numpyro.sample("s", dist.HalfNormal(1))
    a = numpyro.sample("a", dist.Normal(0, s))
    numpyro.sample("y", dist.Normal(mu + a, 1), obs=y)
    a = numpyro.sample("a", dist.Normal(0, 1))
""")
    reasons = [one.reason for one in found.alone if one.site == "a"]
    assert len(reasons) == 2
    assert all("is sampled in more than one place" in reason for reason in reasons)
