"""Does the helper that executes models catch what a wrong rewrite would do to one?"""

from __future__ import annotations

from pathlib import Path

import jax
import pytest

from tests.support.execution import (
    assert_equivalent,
    assert_infers,
    load_model,
    log_density_jaxpr,
)

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


def check(plain: str, generated: str, case: str | None = None, **options: object) -> None:
    args, kwargs = ((), {})
    if case is not None:
        args, kwargs = load_model(FIXTURES / case / "example.py", "example_args")()
    assert_equivalent(load_model(plain), load_model(generated), args, kwargs, points=5, **options)


@pytest.mark.parametrize("case", BY_HAND)
def test_by_hand_is_equivalent(case: str) -> None:
    folder = FIXTURES / case
    args, kwargs = load_model(folder / "example.py", "example_args")()
    by_hand = load_model(folder / "by_hand.py")
    assert_equivalent(load_model(folder / "model.py"), by_hand, args, kwargs)


@pytest.mark.parametrize("case", ["conditional", "grand_mean"])
def test_by_hand_infers(case: str) -> None:
    args, kwargs = load_model(FIXTURES / case / "example.py", "example_args")()
    assert_infers(load_model(FIXTURES / case / "by_hand.py"), args, kwargs)


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
        [("    mu = ", '    with numpyro.plate("one", 1, dim=-2):\n        mu = ')],
        r"^site 'mu' has shape \(1, 1\), it was \(\)",
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
            (SAMPLE_A, f'a = numpyro.deterministic("a", {SAMPLE_BASE}.mean() + 0 * xi + mu)'),
        ],
        r"^site 'a' has shape|^the change of variables is singular",
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
    "a positive site shifted as if it were real": (
        [('"a": Exp', '"sigma_a": ExplicitReparam(AffineTransform(3 * mu, 1)), "a": Exp')]
        # The handler must hold sigma_a too.
        + [(f"    with {REPARAM}:\n", ""), ("    mu = ", f"    with {REPARAM}:\n        mu = ")],
        r"",
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
del WRONG["a positive site shifted as if it were real"]  # below, on a model of its own


@pytest.mark.parametrize("mistake", WRONG)
def test_catches(mistake: str) -> None:
    changes, message = WRONG[mistake]
    generated = replaced(source("grand_mean"), *changes)
    with pytest.raises(AssertionError, match=message):
        check(source("grand_mean", "model.py"), generated, "grand_mean", coefficients=["xi_a_mu"])
