"""Does the helper that executes models catch what a wrong rewrite would do to one?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import pytest

from tests.support.execution import (
    assert_equivalent,
    assert_infers,
    load_model,
    log_density_jaxpr,
)

pytestmark = pytest.mark.concerns("verifying", "running", "testing.py")

FIXTURES = Path(__file__).parent.parent / "fixtures"
BY_HAND = ["conditional", "grand_mean", "tensor"]

IMPORTS = """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions import biject_to, constraints
from numpyro.distributions.transforms import AffineTransform, DiscreteCosineTransform
from numpyro.handlers import reparam
from numpyro.infer.reparam import ExplicitReparam, LocScaleReparam

"""


def source(case: str, file: str = "by_hand.py") -> str:
    return (FIXTURES / case / file).read_text(encoding="utf-8")


def replaced(text: str, *changes: tuple[str, str]) -> str:
    """The text with each change made in just one place, so that no mutation is an empty one."""
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    return text


def check(plain: str, generated: str, case: str | None = None, **options: Any) -> None:
    args, kwargs = ((), {})
    if case is not None:
        args, kwargs = load_model(FIXTURES / case / "example.py", "example_args")()
    assert_equivalent(
        load_model(plain), load_model(generated), args, kwargs, points=5, **options, anew=True
    )


@pytest.mark.parametrize("case", BY_HAND)
def test_by_hand_is_equivalent(case: str) -> None:
    folder = FIXTURES / case
    args, kwargs = load_model(folder / "example.py", "example_args")()
    by_hand = load_model(folder / "by_hand.py")
    assert_equivalent(load_model(folder / "model.py"), by_hand, args, kwargs, anew=True)


@pytest.mark.parametrize("case", ["conditional", "grand_mean"])
def test_by_hand_infers(case: str) -> None:
    args, kwargs = load_model(FIXTURES / case / "example.py", "example_args")()
    by_hand = load_model(FIXTURES / case / "by_hand.py")
    assert_infers(by_hand, args, kwargs)
    # In this order too: the data that were float32 constants are float64 ones now.
    assert_equivalent(
        load_model(FIXTURES / case / "model.py"), by_hand, args, kwargs, points=1, anew=True
    )


@pytest.mark.parametrize("case", ["crossed", "tensor_broadcast"])
def test_a_model_is_equivalent_to_itself(case: str) -> None:
    check(source(case, "model.py"), source(case, "model.py"), case, coefficients=[])


REPARAM = 'reparam(config={"a": ExplicitReparam(AffineTransform(xi * mu, 1))})'
SAMPLE_A = 'a = numpyro.sample("a", dist.Normal(0, sigma_a))'
SAMPLE_BASE = 'numpyro.sample("a_base", dist.Normal(0, sigma_a))'
BLOCK = f"""\
    with {REPARAM}:
        with numpyro.plate("n_a", n_a):
            {SAMPLE_A}
"""

# What is wrong with a rewrite of grand_mean, the changes that make it so, and the message.
WRONG = {
    "another prior": (
        [("dist.Normal(0, 10)", "dist.Normal(0, 9)")],
        r"log density is .* at point 0 \(seed 0\); by site:\n  mu: off by \S+, was \S+$",
    ),
    "another prior of the child": (
        [("dist.Normal(0, sigma_a)", "dist.Normal(0, 1.5 * sigma_a)")],
        r"by site:\n  a: off by \S+, was \S+$",
    ),
    "another likelihood": (
        [("dist.Normal(mu + a[group], sigma)", "dist.StudentT(30, mu + a[group], sigma)")],
        r"by site:\n  y: off by",
    ),
    "a dropped site": (
        [('numpyro.sample("sigma", dist.HalfNormal(1))', "1.0")],
        r"^site 'sigma' is missing from the generated model",
    ),
    "a renamed site": (
        [('"a": Exp', '"alpha": Exp'), ('sample("a"', 'sample("alpha"')],
        r"^site 'a' is missing from the generated model",
    ),
    "a renamed observation": (
        [('sample("y"', 'sample("obs"')],
        r"^site 'y' is missing from the generated model",
    ),
    "a new site": (
        [("    mu = ", '    numpyro.sample("nu", dist.Normal())\n    mu = ')],
        r"^sample site 'nu' is not in the plain model",
    ),
    "an observation made latent": (
        [(", obs=y)", ")")],
        r"^site 'y' was observed and is not any more",
    ),
    "other observations": (
        [(", obs=y)", ", obs=jnp.array(y).at[3].add(1.0))")],
        r"^site 'y' has 1 other observed values",
    ),
    "observations of another dtype": (
        [(", obs=y)", ', obs=y.astype("float32"))')],
        r"^site 'y' has dtype float32, it was float64",
    ),
    "a latent site made an observation": (
        [('"sigma", dist.HalfNormal(1)', '"sigma", dist.HalfNormal(1), obs=1.0')],
        r"^site 'sigma' was latent and is not any more",
    ),
    "a widened site": (
        [("xi * mu, 1", "(xi * mu)[:, None], 1"), ("mu + a[group]", "mu + a[0][group]")],
        r"^site 'a' has shape \(7, 7\), it was \(7,\)",
    ),
    "a model that does not run": (
        [("xi * mu, 1", "(xi * mu)[:, None], 1")],
        r"^the generated model does not run: ",
    ),
    "a lost plate": (
        [
            ('with numpyro.plate("n_a", n_a):', "if True:"),
            ("dist.Normal(0, sigma_a)", "dist.Normal(0, sigma_a).expand([n_a])"),
        ],
        r"^site 'n_a' is missing from the generated model",
    ),
    "a plate of another name": (
        [('numpyro.plate("n_a"', 'numpyro.plate("groups"')],
        r"^site 'n_a' is missing from the generated model",
    ),
    "a plate around more": (
        [("    sigma = ", '    with numpyro.plate("one", 1, dim=-2):\n        sigma = ')],
        r"^site 'sigma' has shape \(1, 1\), it was \(\)",
    ),
    "a plate that no longer holds the site": (
        [
            (BLOCK, f"    {SAMPLE_A}\n    with numpyro.plate('n_a', n_a):\n        pass\n"),
            ("dist.Normal(0, sigma_a))\n", "dist.Normal(0, sigma_a).expand([n_a]))\n"),
        ],
        r"^site 'a' is in the plates \[\], 'a' was in \[\('n_a', -1, 7\)\]",
    ),
    "a base site with the prior of its child": (
        [
            (REPARAM, "reparam(config={})"),
            (SAMPLE_A, f'a = numpyro.deterministic("a", {SAMPLE_BASE} - xi * mu)'),
        ],
        r"by site:\n  a: off by",
    ),
    "a scale without its change of volume": (
        [
            (REPARAM, "reparam(config={})"),
            (SAMPLE_A, f'a = numpyro.deterministic("a", 2 * {SAMPLE_BASE} + 0 * xi)'),
        ],
        r"by site:\n  a: off by",
    ),
    "a base site that does not determine its child": (
        [
            (REPARAM, "reparam(config={})"),
            (SAMPLE_A, f'a = numpyro.deterministic("a", {SAMPLE_BASE}.mean() + xi)'),
        ],
        r"^the change of variables is singular at point 0",
    ),
    "a base site of another name": (
        [
            (REPARAM, "reparam(config={})"),
            (
                SAMPLE_A,
                'a = numpyro.deterministic("a", '
                'numpyro.sample("a_raw", dist.Normal(xi * mu, sigma_a)) - xi * mu)',
            ),
        ],
        r"^site 'a' became deterministic, and there is no latent 'a_base'",
    ),
    "an offset that reaches the likelihood only": (
        [(REPARAM, "reparam(config={})"), ("mu + a[group]", "mu + (a - xi * mu)[group]")],
        r"by site:\n  y: off by",
    ),
    "an offset left in the likelihood": (
        [("mu + a[group]", "mu + (a + xi * mu)[group]")],
        r"by site:\n  y: off by",
    ),
    "a coefficient without effect": (
        [("xi * mu, 1", "0 * xi * mu, 1")],
        r"^7 of 7 elements of param 'xi_a_mu' without effect on any site",
    ),
    "an element of a coefficient without effect": (
        [("xi * mu, 1", "xi.at[2].set(0.0) * mu, 1")],
        r"^1 of 7 elements of param 'xi_a_mu' without effect on any site",
    ),
    "a param of another name": (
        [('"xi_a_mu"', '"xi_mu"')],
        r"^the new params are \['xi_mu'\], not \['xi_a_mu'\]",
    ),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_catches(mistake: str) -> None:
    changes, message = WRONG[mistake]
    generated = replaced(source("grand_mean"), *changes)
    with pytest.raises(AssertionError, match=message):
        check(source("grand_mean", "model.py"), generated, "grand_mean", coefficients=["xi_a_mu"])


def test_coefficients_without_effect_may_be_allowed() -> None:
    generated = replaced(source("grand_mean"), ("xi * mu, 1", "0 * xi * mu, 1"))
    check(source("grand_mean", "model.py"), generated, "grand_mean", coefficients_matter=False)


def test_cannot_tell_one_offset_from_another() -> None:
    """What the equivalence leaves open, and the programs of the two densities tell."""
    other = replaced(source("tensor"), ("jnp.mean(A, axis=0)", "jnp.mean(A)"))
    check(source("tensor", "model.py"), other, "tensor")
    args, kwargs = load_model(FIXTURES / "tensor" / "example.py", "example_args")()
    programs = [
        log_density_jaxpr(load_model(text), args, kwargs) for text in (source("tensor"), other)
    ]
    assert programs[0] != programs[1]


def shifted(
    transform: str, prior: str, *, n: str = "3", plate: str = "", loc: str = "xi * mu"
) -> str:
    """A model with a site x that is shifted by mu; `transform` of "" leaves it as it is."""
    reparam = f'reparam(config={{"x": {transform}}})' if transform else "reparam(config={})"
    return (
        IMPORTS
        + f"""
def model():
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    xi = numpyro.param("xi", jnp.zeros({n})) if {bool(transform)} else 0
    loc = {loc if transform else "None"}
    with {", ".join(filter(None, [reparam, plate]))}:
        x = numpyro.sample("x", {prior})
    numpyro.sample("y", dist.Normal(x.sum() + mu, 1), obs=1.0)
"""
    )


SHIFT = "AffineTransform(loc, 1)"
ROWS = 'numpyro.plate("rows", 2)'
WALKS = "dist.GaussianRandomWalk(0.3, num_steps=3)"
# The reparameterizer's transform around the shift, the prior, the coefficient's shape, the plate.
SITES = {
    "positive": ("[biject_to(constraints.positive).inv, {}]", "dist.Gamma(jnp.ones(3))", "3", ""),
    "interval": ("[biject_to(constraints.unit_interval).inv, {}]", "dist.Beta(2, 3)", "()", ""),
    "simplex": ("[biject_to(constraints.simplex).inv, {}]", "dist.Dirichlet(jnp.ones(4))", "3", ""),
    "event dim": ("{}", "dist.MultivariateNormal(jnp.ones(3), jnp.eye(3))", "3", ""),
    "rows": ("{}", WALKS, "(2, 3)", ROWS),
    "basis": ("[{}, DiscreteCosineTransform(dim=-1)]", WALKS, "(2, 3)", ROWS),
    "matrix": ("{}", "dist.Normal(0, 1).expand([2, 3]).to_event(2)", "(2, 3)", ""),
}


@pytest.mark.parametrize("kind", SITES)
def test_kinds_of_sites(kind: str) -> None:
    transform, prior, n, plate = SITES[kind]
    transform = f"ExplicitReparam({transform.format(SHIFT)})"
    plain = shifted("", prior, plate=plate)
    check(plain, shifted(transform, prior, n=n, plate=plate), coefficients=["xi"])
    with pytest.raises(AssertionError, match="x: off by"):
        wrong = replaced(
            shifted(transform, prior, n=n, plate=plate), (prior, f"{prior}.mask(False)")
        )
        check(plain, wrong)


def test_catches_a_positive_site_shifted_as_if_it_were_real() -> None:
    prior = "dist.HalfNormal(jnp.ones(3))"
    with pytest.raises(AssertionError, match=r"^site 'x' has a value outside of its support at"):
        check(shifted("", prior), shifted(f"ExplicitReparam({SHIFT})", prior))


def test_learned_positive_scale() -> None:
    scale = 'numpyro.param("s", 1.0, constraint=constraints.positive)'
    generated = shifted(
        f"ExplicitReparam(AffineTransform(loc, {scale}))", "dist.Normal(jnp.ones(3), 2)"
    )
    check(shifted("", "dist.Normal(jnp.ones(3), 2)"), generated, coefficients=["xi", "s"])


def test_other_reparameterizers_name_their_base_otherwise() -> None:
    prior = "dist.Normal(mu, 2)"
    generated = shifted("LocScaleReparam()", prior, n="()", loc="None")
    bases = {"x": "x_decentered"}
    check(shifted("", prior), generated, bases=bases, coefficients_matter=False)


SUBSAMPLED = (
    IMPORTS
    + """
def model():
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    with numpyro.plate("rows", 6, subsample_size=2):
        {}
        numpyro.sample("y", dist.Normal(a + mu, 1), obs=1.0)
"""
)
WITHIN = """xi = numpyro.param("xi", jnp.zeros(6), event_dim=0)
        with reparam(config={"a": ExplicitReparam(AffineTransform(xi * mu, 1))}):
            a = numpyro.sample("a", dist.Normal(0, 1))"""


def test_subsampled_plate() -> None:
    plain = SUBSAMPLED.format('a = numpyro.sample("a", dist.Normal(0, 1))')
    generated = SUBSAMPLED.replace("{}", WITHIN)
    check(plain, generated, coefficients=["xi"])
    with pytest.raises(AssertionError, match=r"^site 'rows' has shape \(3,\), it was \(2,\)"):
        check(plain, replaced(generated, ("subsample_size=2", "subsample_size=3")))
    larger = replaced(generated, ('"rows", 6', '"rows", 8'), ("zeros(6)", "zeros(8)"))
    with pytest.raises(AssertionError, match=r"^plate 'rows' has .* \(8, 2\), it was \(6, 2\)"):
        check(plain, larger)


def test_the_scale_of_a_subsampled_plate_counts() -> None:
    """It multiplies the prior and not the change to unconstrained space, which must stay apart."""
    plain = SUBSAMPLED.format('a = numpyro.sample("a", dist.Exponential(1))')
    transform = "[biject_to(constraints.positive).inv, AffineTransform(xi * mu, 1)]"
    shifted = (
        ("AffineTransform(xi * mu, 1)", transform),
        ("dist.Normal(0, 1))", "dist.Exponential(1))"),
    )
    within = replaced(WITHIN, *shifted)
    with pytest.raises(AssertionError, match=r"by site:\n  a: off by"):
        check(plain, SUBSAMPLED.replace("{}", within))


MIXTURE = (
    IMPORTS
    + """
def model():
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    k = numpyro.sample("k", dist.Bernoulli(0.3))
    a = numpyro.sample("a", dist.Normal(0, 1 + k))
    numpyro.sample("y", dist.Normal(a + mu, 1), obs=1.0)
"""
)


def test_discrete_latent_keeps_its_value() -> None:
    offset = """
    xi = numpyro.param("xi", 0.0)
    with reparam(config={"a": ExplicitReparam(AffineTransform(xi * mu, 1))}):
        a = """
    generated = replaced(MIXTURE, ("\n    a = ", offset))
    check(MIXTURE, generated)
    with pytest.raises(AssertionError, match=r"by site:\n  k: off by"):
        check(MIXTURE, replaced(generated, ("Bernoulli(0.3)", "Bernoulli(0.4)")))


SCAN = (
    IMPORTS
    + """from numpyro.contrib.control_flow import scan


def model():
    mu = numpyro.sample("mu", dist.Normal(0, 1))
{declared}
    def step(z, t):
{body}
        return z, None

    scan(step, 0.0, jnp.arange(4))
"""
)


def test_scan() -> None:
    plain = SCAN.format(declared="", body='        z = numpyro.sample("z", dist.Normal(z, 1))')
    body = """\
        z_base = numpyro.sample("z_base", dist.Normal(z + xi[t] * mu, 1))
        z = numpyro.deterministic("z", z_base - xi[t] * mu)"""
    declared = '    xi = numpyro.param("xi", jnp.zeros(4))\n'
    check(plain, SCAN.format(declared=declared, body=body), coefficients=["xi"])
    with pytest.raises(AssertionError, match="z: off by"):
        wrong = body.replace("dist.Normal(z + xi[t] * mu, 1)", "dist.Normal(z, 1)")
        check(plain, SCAN.format(declared=declared, body=wrong))


RETURNING = (
    IMPORTS
    + """
def model():
    with numpyro.handlers.scale(scale=3.0):
        a = numpyro.sample("a", dist.Normal(0, 1))
    numpyro.deterministic("twice", 2 * a)
    w = numpyro.param("w", 0.5)
    return a, {"w": w}
"""
)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("scale=3.0", "scale=1.5", "^site 'a' has scale 1.5, it was 3.0"),
        ('"twice", 2 * a', '"twice", 3 * a', "^site 'twice' is .* and was .* at point 0"),
        ('"twice", 2 * a', '"twice", 2 * a[None]', r"^site 'twice' has shape \(1,\), it was \(\)"),
        ("return a,", "return a + 1,", "^the returned value is .* and was .* at point 0"),
        ('{"w": w}', "None", r"^the returned value at \[1\] is None, it was a dict of 1"),
        ('param("w", 0.5)', 'param("w", 0.6)', "^param 'w' has another initial value"),
        ('param("w"', 'param("v"', "^param 'w' is missing from the generated model"),
    ],
)
def test_catches_what_else_a_model_gives(old: str, new: str, message: str) -> None:
    check(RETURNING, RETURNING)
    with pytest.raises(AssertionError, match=message):
        check(RETURNING, replaced(RETURNING, (old, new)))


def test_a_generated_model_without_params() -> None:
    """Coefficients that aren't learned are literals."""
    changes = [('numpyro.param("xi_a_mu", jnp.zeros(n_a))', "1.0")]
    generated = replaced(source("grand_mean"), *changes)
    check(source("grand_mean", "model.py"), generated, "grand_mean", coefficients=[])


def test_jaxpr_does_not_see_how_the_source_puts_it() -> None:
    args, kwargs = load_model(FIXTURES / "grand_mean" / "example.py", "example_args")()
    texts = [
        source("grand_mean"),
        # Another place for the param, another initial value, other variables, another handler.
        replaced(
            source("grand_mean"),
            ('    xi = numpyro.param("xi_a_mu", jnp.zeros(n_a))\n\n', ""),
            (
                f"    with {REPARAM}:\n",
                '    shift = numpyro.param("xi_a_mu", jnp.full(n_a, 0.3)) * mu\n'
                '    affine = {"a": ExplicitReparam(AffineTransform(shift, 1))}\n'
                "    with numpyro.handlers.reparam(config=affine):\n",
            ),
        ),
        replaced(source("grand_mean"), ("dist.Normal(0, 10)", "dist.Normal(0, 9)")),
        replaced(source("grand_mean"), ("xi * mu", "xi * (mu - 1)")),
        replaced(source("grand_mean"), ('"xi_a_mu"', '"xi"')),
        replaced(source("grand_mean"), ("obs=y", "obs=y + 1")),
    ]
    same, alike, *others = [log_density_jaxpr(load_model(text), args, kwargs) for text in texts]
    assert same == alike
    assert same not in others
    assert "param xi_a_mu: float32[7]" in same.splitlines()
    assert "latent a_base: float32[7]" in same.splitlines()


def test_infers_catches_what_is_not_finite() -> None:
    model = (
        IMPORTS
        + """
def model():
    a = numpyro.sample("a", dist.Normal(0, 1))
    numpyro.factor("f", jnp.where(a > 100.0, 0.0, jnp.nan))
"""
    )
    with pytest.raises((AssertionError, RuntimeError)):
        assert_infers(load_model(model), nuts=False)


def test_computes_in_float32_elsewhere() -> None:
    """Double precision is the helper's own and doesn't leak into other tests."""
    check(RETURNING, RETURNING)
    assert jax.numpy.zeros(()).dtype == "float32"


LOADED = """\
# -*- coding: latin-1 -*-
from __future__ import annotations
from dataclasses import dataclass


@dataclass
class Forecaster:
    width: float = 2.0
    name: str = "\xe4"

    def model(self):
        return self.width, self.name


def outer():
    def inner():
        return "inner"

    return inner
"""


def test_loads_functions_by_dotted_name(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_bytes(LOADED.encode("latin-1"))
    for form in (path, path.read_bytes(), LOADED):
        assert load_model(form, "Forecaster.model")() == (2.0, "\xe4")
        assert load_model(form, "outer.inner")() == "inner"
    with pytest.raises(AttributeError, match="Forecaster"):
        load_model(LOADED, "Forecaster.guide")
