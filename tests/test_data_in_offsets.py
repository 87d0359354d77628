"""What draws mean must not depend on the data of another call."""

from __future__ import annotations

import ast
import textwrap
import tomllib
from typing import Any

import pytest

from reparam_rewrite.api import rewrite
from reparam_rewrite.messages import Refusal
from tests.support.rewrites import rewritten

HEAD = """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

SCALE = 2.0
TABLE = jnp.arange(3.0)


"""


IMPORTS = "import numpyro\nfrom numpyro.contrib.control_flow import scan\n"


def whole(text: str) -> str:
    return HEAD + textwrap.dedent(text).strip("\n") + "\n"


def model(body: str, arguments: str = "x, y=None") -> str:
    text = textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
    return HEAD + f"def model({arguments}):\n{text}\n"


def by(value: str) -> str:
    return f"[sites.b.offset]\nmu = {{ value = '{value}', init = 1.0, learn = false }}\n"


MU = 'mu = numpyro.sample("mu", dist.Normal(0.0, 1.0))\n'
B = 'b = numpyro.sample("b", dist.Normal(0.0, 1.0))\n'
Y = 'numpyro.sample("y", dist.Normal(mu + b * x, 0.1), obs=y)\n'
PLAIN = MU + B + Y


def reparam_of(code: str) -> str:
    """What the reparameterizer of b is bound to."""
    found, *_ = (
        node.value
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "b_reparam"
    )
    return ast.unparse(found).replace("'", '"')


#: What the offset reads, and what must be given for it to be made; empty: it is always made.
CONDITIONS = {
    "an argument": (model(PLAIN), by("mu * jnp.mean(x)"), "y"),
    "a draw": (model(PLAIN), by("mu * 2.0"), ""),
    "constants of the module": (model(PLAIN), by("mu * SCALE + TABLE[0]"), ""),
    "an argument that only makes a shape": (
        model(MU + 'with numpyro.plate("n", n):\n    ' + B + Y, "n, x, y=None"),
        by("mu * jnp.ones(n)"),
        "",
    ),
    "a name that is bound to a computation on an argument": (
        model("x_bar = jnp.mean(x)\n" + PLAIN),
        by("mu * x_bar"),
        "y",
    ),
    "a name that is bound to a draw": (model(MU + "twice = 2 * mu\n" + B + Y), by("twice"), ""),
    "a draw whose prior reads an argument": (
        model('mu = numpyro.sample("mu", dist.Normal(x.mean(), 1.0))\n' + B + Y),
        by("mu * 2.0"),
        "",
    ),
    "a draw and an argument, in one name": (
        model(MU + "moved = mu + x[0]\n" + B + Y),
        by("moved"),
        "y",
    ),
    "a name that a branch on an argument binds": (
        model("if wide:\n    s = 2.0\nelse:\n    s = 1.0\n" + PLAIN, "x, wide, y=None"),
        by("mu * s"),
        "y",
    ),
    "an array that an argument is put into": (
        model("w = [0.0]\nw[0] = x[0]\n" + PLAIN),
        by("mu * w[0]"),
        "y",
    ),
    "a list that an argument is appended to": (
        model("w = []\nw.append(x[0])\n" + PLAIN),
        by("mu * w[0]"),
        "y",
    ),
    "a sum that an argument is added to": (
        model("s = 1.0\ns += x[0]\n" + PLAIN),
        by("mu * s"),
        "y",
    ),
    "unpacked parts of an argument": (
        model("first, last = x[0], x[-1]\n" + PLAIN),
        by("mu * last"),
        "y",
    ),
    "an element of a dictionary": (
        model(PLAIN.replace("b * x", 'b * data["x"]').replace("=y", '=data["y"]'), "data"),
        by('mu * data["x"].mean()'),
        'data["y"]',
    ),
    "an element of a dictionary that is observed in a branch": (
        model(
            MU + B + 'if "y" in data:\n    numpyro.sample("y", dist.Normal(b, 1), obs=data["y"])\n',
            "data",
        ),
        by('mu * data["x"].mean()'),
        "nothing can be told",
    ),
    "observations by another name": (
        model("seen = y\n" + PLAIN.replace("=y)", "=seen)")),
        by("mu * x[0]"),
        "seen",
    ),
    "observations that are computed before the site": (
        model("z = None if y is None else jnp.log(y)\n" + PLAIN.replace("=y)", "=z)")),
        by("mu * x[0]"),
        "z",
    ),
    "observations that are computed after the site": (
        model(MU + B + "y = None if y is None else jnp.log(y)\n" + Y),
        by("mu * x[0]"),
        "y",
    ),
    "observations that are computed in the call": (
        model(PLAIN.replace("=y)", "=jnp.log(y))")),
        by("mu * x[0]"),
        "y",
    ),
    "observations that are None in the call": (
        model(PLAIN.replace("=y)", "=None if y is None else y[:, 0])")),
        by("mu * x[0]"),
        "y",
    ),
    "observations that a flag decides on": (
        model(MU + B + "y = y if train else None\n" + Y, "x, train, y=None"),
        by("mu * x[0]"),
        "nothing can be told",
    ),
    "observations that a flag decides on before the site": (
        model("y = y if train else None\n" + PLAIN, "x, train, y=None"),
        by("mu * x[0]"),
        "y",
    ),
    "two observed sites": (
        model(PLAIN + 'numpyro.sample("z", dist.Normal(b, 1), obs=z)\n', "x, y=None, z=None"),
        by("mu * x[0]"),
        "y z",
    ),
    "two observed sites of one argument": (
        model(PLAIN + 'numpyro.sample("z", dist.Normal(b, 1), obs=y)\n'),
        by("mu * x[0]"),
        "y",
    ),
    "a factor of constants beside": (
        model(PLAIN + 'numpyro.sample("z", dist.Normal(b, 1), obs=0.0)\n'),
        by("mu * x[0]"),
        "y",
    ),
    "no observed site": (model(MU + B), by("mu * x[0]"), "nothing can be told"),
    "an observed parent": (
        model('mu = numpyro.sample("mu", dist.Normal(0, 1), obs=x)\n' + B + Y),
        '[sites.b]\noffset = "mu"\n',
        "x y",
    ),
    "a centre": (
        model(PLAIN),
        '[sites.b.offset]\nmu = { center = "x.mean()" }\n',
        "y",
    ),
    "a scale": (model(PLAIN), '[sites.b]\nscale = "1 / x.std()"\n', "y"),
    "a learned coefficient": (
        model(PLAIN),
        '[sites.b.offset]\nv = { value = "x[0]", name = "xi" }\n',
        "y",
    ),
    "bounds of the support": (
        model(MU + 'b = numpyro.sample("b", dist.Uniform(0, x.max()))\n' + Y),
        '[sites.b]\noffset = "mu"\n',
        "y",
    ),
    "bounds of the support that are numbers": (
        model(MU + 'b = numpyro.sample("b", dist.TruncatedNormal(x[0], 1, low=0.0))\n' + Y),
        '[sites.b]\noffset = "mu"\n',
        "",
    ),
    "a prior by name": (
        model(MU + "prior = dist.Uniform(0, x.max())\n" + 'b = numpyro.sample("b", prior)\n' + Y),
        '[sites.b]\noffset = "mu"\n',
        "y",
    ),
    "a prior on the real line that reads an argument": (
        model(MU + 'b = numpyro.sample("b", dist.Normal(x.mean(), 1.0))\n' + Y),
        '[sites.b]\noffset = "mu"\n',
        "",
    ),
    "the loc that LocScaleReparam takes apart": (
        model(MU + 'b = numpyro.sample("b", dist.Normal(mu * x.mean(), 1.0))\n' + Y),
        '[sites.b]\nreparam = "LocScaleReparam"\n',
        "y",
    ),
    "a loc of draws that LocScaleReparam takes apart": (
        model(MU + 'b = numpyro.sample("b", dist.Normal(mu, 1.0))\n' + Y),
        '[sites.b]\nreparam = "LocScaleReparam"\n',
        "",
    ),
    "a random walk whose length is an argument": (
        model(MU + 'b = numpyro.sample("b", dist.GaussianRandomWalk(mu, num_steps=x))\n' + Y),
        '[sites.b]\nreparam = "LocScaleReparam"\n',
        "",
    ),
    "an attribute of an object": (
        whole("""
            class Model:
                def run(self, y=None):
                    mu = numpyro.sample("mu", dist.Normal(0.0, 1.0))
                    b = numpyro.sample("b", dist.Normal(0.0, 1.0))
                    numpyro.sample("y", dist.Normal(mu + b, 0.1), obs=y)
            """),
        by("mu * self.x_bar"),
        "y",
    ),
    "observations of an object": (
        whole("""
            class Model:
                def run(self):
                    mu = numpyro.sample("mu", dist.Normal(0.0, 1.0))
                    b = numpyro.sample("b", dist.Normal(0.0, 1.0))
                    numpyro.sample("y", dist.Normal(mu + b, 0.1), obs=self.y)
            """),
        by("mu * self.x_bar"),
        "self.y",
    ),
    "an argument of a function around": (
        whole("""
            def make(x):
                def model(y=None):
                    mu = numpyro.sample("mu", dist.Normal(0.0, 1.0))
                    b = numpyro.sample("b", dist.Normal(0.0, 1.0))
                    numpyro.sample("y", dist.Normal(mu + b * x, 0.1), obs=y)
                return model
            """),
        by("mu * x.mean()"),
        "y",
    ),
    "an import of a function around": (
        whole("""
            def make():
                import numpy as np

                def model(y=None):
                    mu = numpyro.sample("mu", dist.Normal(0.0, 1.0))
                    b = numpyro.sample("b", dist.Normal(0.0, 1.0))
                    numpyro.sample("y", dist.Normal(mu + b, 0.1), obs=y)
                return model
            """),
        by("mu * np.pi"),
        "",
    ),
    "a global that a function sets": (
        whole("""
            def fit(x):
                global SCALE
                SCALE = x.std()

            def model(y=None):
                mu = numpyro.sample("mu", dist.Normal(0.0, 1.0))
                b = numpyro.sample("b", dist.Normal(0.0, 1.0))
                numpyro.sample("y", dist.Normal(mu + b, 0.1), obs=y)
            """),
        by("mu * SCALE"),
        "y",
    ),
    "a function of the file that is given an argument": (
        whole("""
            def summary(x):
                return x.mean()

            def model(x, y=None):
                mu = numpyro.sample("mu", dist.Normal(0.0, 1.0))
                b = numpyro.sample("b", dist.Normal(0.0, 1.0))
                numpyro.sample("y", dist.Normal(mu + b, 0.1), obs=y)
            """),
        by("mu * summary(x)"),
        "y",
    ),
    "a function inside that reads an argument": (
        model("def summary(s):\n    return s * x.mean()\n\n\n" + PLAIN),
        by("summary(mu)"),
        "y",
    ),
    "the site of a helper": (
        whole("""
            def effect(name):
                return numpyro.sample(name, dist.Normal(0.0, 1.0))

            def model(x, y=None):
                mu = numpyro.sample("mu", dist.Normal(0.0, 1.0))
                b = effect("b")
                numpyro.sample("y", dist.Normal(mu + b * x, 0.1), obs=y)
            """),
        by("mu * x.mean()"),
        "y",
    ),
    "observations in a helper": (
        whole("""
            def observe(loc, seen):
                numpyro.sample("y", dist.Normal(loc, 0.1), obs=seen)

            def model(x, y=None):
                mu = numpyro.sample("mu", dist.Normal(0.0, 1.0))
                b = numpyro.sample("b", dist.Normal(0.0, 1.0))
                observe(mu + b * x, y)
            """),
        by("mu * x.mean()"),
        "y",
    ),
    "an index of a plate": (
        model(MU + 'with numpyro.plate("n", 3) as i:\n    ' + B + Y),
        by("mu * TABLE[i]"),
        "",
    ),
    "a branch": (
        model(MU + "if wide:\n    " + B + "else:\n    b = 0.0\n" + Y, "x, wide, y=None"),
        by("mu * x.mean()"),
        "y",
    ),
    "observations that are looked up in an argument": (
        model(MU + B + Y.replace("obs=y", 'obs=data.get("y")'), "x, data"),
        by("mu * x.mean()"),
        "nothing can be told",
    ),
    "observations that a function gives": (
        model(MU + B + Y.replace("obs=y", "obs=observed(data)"), "x, data"),
        by("mu * x.mean()"),
        "nothing can be told",
    ),
    "observations that are looked up after the site": (
        model(MU + B + 'y = getattr(data, "y", None)\n' + Y, "x, data"),
        by("mu * x.mean()"),
        "nothing can be told",
    ),
    "observations that are looked up before the site": (
        model('y = data.get("y")\n' + PLAIN, "x, data"),
        by("mu * x.mean()"),
        "y",
    ),
    "observations of another type": (
        model(MU + B + Y.replace("obs=y", "obs=y.astype(float)"), "x, y"),
        by("mu * x.mean()"),
        "y",
    ),
    "a site that is observed in the other branch": (
        model(
            MU
            + 'if known is not None:\n    b = numpyro.sample("b", dist.Normal(0, 1), obs=known)\n'
            + "else:\n    "
            + B
            + Y,
            "x, known=None, y=None",
        ),
        by("mu * x.mean()"),
        "y",
    ),
}


@pytest.mark.parametrize("shape", CONDITIONS)
def test_condition(shape: str) -> None:
    plain, config, expected = CONDITIONS[shape]
    found = rewrite(plain, tomllib.loads(config))
    code = found.code
    statement = reparam_of(code)
    assert " if " not in statement
    if not expected:
        assert "plain model" not in code and "by_name" not in code
        return
    assert "predict with the plain model" in " ".join(code.replace("# ", "").split())
    (account,) = found.sites
    assert any(note.endswith("predict with the plain model") for note in account.notes)
    if expected == "nothing can be told":
        assert "by_name" not in code
    else:
        missing = " or ".join(f"{name} is None" for name in expected.split())
        assert f"if {missing}:\n" in code
        assert "b_reparam = by_name(b_reparam)\n" in code


def test_account_and_comment() -> None:
    found = rewrite(model(PLAIN), tomllib.loads(by("mu * jnp.mean(x)")))
    assert found.sites[0].notes == (
        "how 'b' comes from its base depends on x, so that draws of 'b' itself count first "
        "where y is None: predict with the plain model",
    )
    assert (
        "    # How b comes from its base depends on x: predict with the plain model.\n"
        "    b_reparam = ExplicitReparam(AffineTransform(b_loc, 1))\n"
        "    if y is None:\n"
        "        b_reparam = by_name(b_reparam)\n"
    ) in found.code


def test_account_where_nothing_is_observed() -> None:
    found = rewrite(model(MU + B), tomllib.loads(by("mu * x[0]")))
    assert found.sites[0].notes[1:] == (
        "how 'b' comes from its base depends on x[0], and the source doesn't tell when there are "
        "no observations: predict with the plain model",
    )


def test_comment_is_broken_at_the_line_length() -> None:
    value = 'mu * x.mean() * data["weights"].mean() * data["exposures"].max()'
    found = rewrite(model(PLAIN, "x, data, y=None"), tomllib.loads(by(value)), line_length=60)
    comment = [line for line in found.code.splitlines() if line.strip().startswith("#")]
    assert len(comment) > 1
    assert max(map(len, comment)) <= 60


def test_rewritten_again() -> None:
    config = by("mu * jnp.mean(x)")
    code = rewrite(model(PLAIN), tomllib.loads(config)).code
    assert rewrite(code, tomllib.loads(config)).code == code


SCAN = """
    def step(z, x_t):
        z = numpyro.sample("z", dist.Normal(z, 1.0))
        return z, z

    mu = numpyro.sample("mu", dist.Normal(0.0, 1.0))
    _, z = scan(step, 0.0, x, length=3)
    numpyro.sample("y", dist.Normal(mu + z, 0.1), obs=y)
"""


@pytest.mark.parametrize("value", ["mu * x[0]", "mu * x_t", "mu * SHIFT"])
def test_data_in_a_scan_is_refused(value: str) -> None:
    plain = model(SCAN).replace("import numpyro\n", IMPORTS, 1)
    plain += "\n\ndef fit(x):\n    global SHIFT\n    SHIFT = x[0]\n"
    config = f"[sites.z.offset]\nv = {{ value = '{value}', learn = false }}\n"
    with pytest.raises(Refusal) as refusal:
        rewritten(plain.replace("SCALE =", "SHIFT = 1.0\nSCALE ="), config)
    (found,) = refusal.value.diagnostics
    assert "its offset by 'v' depends on " in found.message
    assert found.hint.startswith("write numbers in the place of ")


@pytest.mark.parametrize("value", ["mu * 2.0", "mu * SCALE"])
def test_numbers_in_a_scan(value: str) -> None:
    plain = model(SCAN).replace("import numpyro\n", IMPORTS, 1)
    config = f"[sites.z.offset]\nv = {{ value = '{value}', learn = false }}\n"
    assert 'numpyro.deterministic("z", z_base - z_loc)' in rewritten(plain, config)


@pytest.mark.parametrize(
    "shape",
    [
        "an argument",
        pytest.param("a scale", marks=pytest.mark.long),
        "bounds of the support",
        "the loc that LocScaleReparam takes apart",
        pytest.param("the site of a helper", marks=pytest.mark.long),
        "observations that are computed after the site",
    ],
)
def test_predictions_from_new_data(shape: str) -> None:
    """The generated model and the plain one predict the same from draws that were made with y."""
    import jax
    import jax.numpy as jnp
    from numpyro.infer import Predictive

    from tests.support.execution import load_model

    plain, config, _ = CONDITIONS[shape]
    models = [load_model(plain), load_model(rewritten(plain, config))]
    x, y = jnp.array([1.0, 2.0, 3.0]), jnp.array([2.5, 4.5, 6.5])
    keys = jax.random.split(jax.random.PRNGKey(0))
    drawn: dict[str, Any] = Predictive(models[1], num_samples=3)(keys[0], x, y)
    assert {"b_base", "b_decentered"} & {*drawn}
    draws = {name: value for name, value in drawn.items() if name != "y"}
    new = jnp.array([1.0, 10.0, 4.0])
    first, second = (Predictive(m, draws)(keys[1], new)["y"] for m in models)
    assert jnp.allclose(first, second)


def test_draws_of_a_guide_mean_what_they_meant() -> None:
    """A guide has draws of the base only: with the data of its training they give the child."""
    import jax
    import jax.numpy as jnp
    from numpyro.infer import Predictive

    from tests.support.execution import load_model

    plain, config, _ = CONDITIONS["an argument"]
    generated = load_model(rewritten(plain, config))
    x, y = jnp.array([1.0, 2.0, 3.0]), jnp.array([2.5, 4.5, 6.5])
    drawn = Predictive(generated, num_samples=3)(jax.random.PRNGKey(0), x, y)
    of_guide = {name: drawn[name] for name in ("mu", "b_base")}
    found = Predictive(generated, of_guide)(jax.random.PRNGKey(1), x)
    assert jnp.allclose(found["b"], drawn["b"])


def test_what_is_defined_has_names_of_its_own() -> None:
    plain = "from numpyro import distributions\n" + model(PLAIN).replace("SCALE", "by_name")
    code = rewritten(plain, by("mu * jnp.mean(x)"))
    assert "def by_name_2(reparam):" in code
    assert "b_reparam = by_name_2(b_reparam)\n" in code


def test_two_children_share_what_is_defined() -> None:
    config = by("mu * jnp.mean(x)") + "[sites.mu.offset]\none = { value = 'x[0]' }\n"
    code = rewritten(model(PLAIN), config)
    assert code.count("def by_name(reparam):") == 1
    assert code.count("= by_name(") == 2
