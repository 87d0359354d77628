"""Scales, bases and the other reparameterizers: limits that must hold, and what is refused."""

from __future__ import annotations

import jax.numpy as jnp
import numpyro.distributions as dist
import pytest
from jax import random
from numpyro.infer import MCMC, NUTS

from reparam_rewrite.messages import Refusal
from tests.support.cases import FIXTURES, rewritten, rewritten_case, without_layout
from tests.support.execution import assert_equivalent, load_model, log_density_jaxpr, traced

GRAND_MEAN = FIXTURES / "grand_mean"
EXAMPLE = load_model(GRAND_MEAN / "example.py", "example_args")


def code(config: str) -> str:
    return rewritten_case(GRAND_MEAN, f"[sites.a]\n{config}").data.decode()


def test_power_0_is_the_site_as_written() -> None:
    args, kwargs = EXAMPLE()
    scaled = load_model(code('offset = "mu"\nscale = { by = "sigma_a", power = 0 }'))
    plain = load_model(code('offset = "mu"'))
    assert log_density_jaxpr(scaled, args, kwargs) == log_density_jaxpr(plain, args, kwargs)


def test_power_1_is_non_centred() -> None:
    """The base site is standard normal, whatever sigma_a is."""
    args, kwargs = EXAMPLE()
    trace = traced(load_model(code('scale = { by = "sigma_a" }')), args, kwargs)
    base = trace["a_base"]
    expected = dist.Normal(0, 1).log_prob(base["value"])
    assert jnp.allclose(base["fn"].log_prob(base["value"]), expected, atol=1e-5)


def test_power_1_is_dividing_by_the_site() -> None:
    by = code('scale = { by = "sigma_a", power = 1 }')
    assert by == code('scale = "1 / sigma_a"')


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("scale = 0.5", "AffineTransform(0, 0.5)"),
        ('scale = "1 / sigma_a"', "a_scale = 1 / sigma_a\n"),
        (
            "scale = { init = 2.0 }",
            '"scale_a", jnp.full(n_a, 2.0), constraint=constraints.positive',
        ),
        (
            'scale = { coefficient = "shared", name = "s" }',
            'numpyro.param("s", 1.0, constraint=constraints.positive)',
        ),
        ('scale = { by = "sigma_a", power = 0.5 }', "a_scale = sigma_a**-0.5\n"),
        (
            'scale = { by = "sigma_a", power = {} }',
            '"power_a_sigma_a", 0.5, constraint=constraints.unit_interval',
        ),
        ('offset = "mu"\nscale = 2', "AffineTransform(a_loc, 2.0)"),
        # A vector of unknown length must not widen the child.
        ('scale = "group"', "a_scale = jnp.broadcast_to(group, (n_a,))\n"),
    ],
)
def test_what_is_written(config: str, expected: str) -> None:
    assert without_layout(expected) in without_layout(code(config))


@pytest.mark.parametrize(
    "config",
    [
        "scale = 0.5",
        'scale = "1 / (1 + sigma_a)"',
        'scale = { init = 2.0 }\noffset = ["mu", "sigma_a"]',
        'scale = { by = "sigma_a", power = 0.5 }',
        'scale = { by = "sigma_a", power = { coefficient = "elementwise" } }\noffset = "mu"',
    ],
)
def test_same_density(config: str) -> None:
    args, kwargs = EXAMPLE()
    plain = load_model(GRAND_MEAN / "model.py")
    assert_equivalent(plain, load_model(code(config)), args, kwargs, points=5)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            '[sites.mu]\nbasis = "dct"',
            "'mu' has no axis at dim -1 (line 8), and a basis needs one",
        ),
        (
            '[sites.sigma]\nbasis = "haar"',
            "'sigma' isn't known to be real-valued (line 10): "
            "it can't be sampled in the haar basis",
        ),
        (
            '[sites.sigma_a]\nscale = { by = "a" }',
            "'a' is sampled after 'sigma_a' (line 12, after line 9) and can't be moved up: "
            "line 12 needs 'sigma_a' of line 9",
        ),
        (
            '[sites.a]\nscale = { by = "sigma_b" }',
            "'model' samples no site 'sigma_b'",
        ),
        (
            '[sites.a]\nscale = "1 / sigma_b"',
            "there is no name 'sigma_b' where 'a' is sampled (model.py:12)",
        ),
        (
            '[sites.a]\nscale = { name = "mu" }',
            "the scale of 'a' would be named 'mu', which the model has already",
        ),
        (
            '[sites.y]\nreparam = "LocScaleReparam"',
            "'y' is observed: there is nothing to reparameterize",
        ),
    ],
)
def test_refused(config: str, message: str) -> None:
    with pytest.raises(Refusal) as caught:
        rewritten_case(GRAND_MEAN, config)
    assert [diagnostic.message for diagnostic in caught.value.diagnostics] == [message]


CIRCULAR = """\
import numpyro
import numpyro.distributions as dist


def model():
    numpyro.sample("angle", dist.VonMises(0.5, 4.0))
"""


def test_circular_reparam_runs_under_nuts() -> None:
    """It samples an improper base, which has no prior draws to compare."""
    generated = rewritten(CIRCULAR, '[sites.angle]\nreparam = "CircularReparam"').data
    mcmc = MCMC(NUTS(load_model(generated)), num_warmup=50, num_samples=100, progress_bar=False)
    mcmc.run(random.key(0))
    assert set(mcmc.get_samples()) == {"angle", "angle_unwrapped"}


def test_projected_normal_reparam_runs_under_nuts() -> None:
    source = CIRCULAR.replace("VonMises(0.5, 4.0)", "ProjectedNormal(jax.numpy.ones(2))")
    source = f"import jax\n{source}"
    generated = rewritten(source, '[sites.angle]\nreparam = "ProjectedNormalReparam"').data
    mcmc = MCMC(NUTS(load_model(generated)), num_warmup=50, num_samples=100, progress_bar=False)
    mcmc.run(random.key(0))
    assert set(mcmc.get_samples()) == {"angle", "angle_normal"}


def test_an_offset_by_the_same_site_says_nothing_of_the_scale() -> None:
    """`reduce` in the table of an offset is that offset's own."""
    model = """\
import numpyro
import numpyro.distributions as dist


def model(n):
    with numpyro.plate("n", n):
        s = numpyro.sample("s", dist.HalfNormal(1))
    x = numpyro.sample("x", dist.Normal(0, 1))
"""
    config = """\
[sites.x]
scale = { by = "s" }

[sites.x.offset]
s = { reduce = "sum" }
"""
    source = rewritten(model, config).data.decode()
    assert 'x_loc = numpyro.param("xi_x_s", 0.0) * jnp.sum(s)' in source
    assert "x_scale = 1 / jnp.mean(s)" in source
