"""`centered`: partially non-centred around the prior's loc, with offsets; what is refused."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
import pytest
from jax import random
from numpyro.infer import MCMC, NUTS, SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoNormal
from numpyro.optim import Adam

from tests.support.cases import FIXTURES, rewritten, rewritten_case
from tests.support.execution import assert_equivalent, load_model, traced

GRAND_MEAN = FIXTURES / "grand_mean"
EXAMPLE = load_model(GRAND_MEAN / "example.py", "example_args")

HEAD = """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


def model(y=None):
    nu = numpyro.sample("nu", dist.Normal(3, 1))
    mu = numpyro.sample("mu", dist.Normal(0, 2))
    tau = numpyro.sample("tau", dist.LogNormal(0, 1))
"""

#: What samples a, of a loc that isn't 0.
MODELS = {
    "a number": """\
    a = numpyro.sample("a", dist.Normal(mu, tau))
""",
    "a plate": """\
    with numpyro.plate("n", 3):
        a = numpyro.sample("a", dist.Normal(mu, tau))
""",
    "plates": """\
    with numpyro.plate("m", 2), numpyro.plate("n", 3):
        a = numpyro.sample("a", dist.Normal(mu, tau))
""",
    "an expanded prior": """\
    a = numpyro.sample("a", dist.Normal(mu, tau).expand([2, 3]))
""",
    "an event": """\
    with numpyro.plate("n", 3):
        a = numpyro.sample("a", dist.StudentT(5, mu, tau).expand([2]).to_event(1))
""",
    "elements of its own": """\
    a = numpyro.sample("a", dist.Laplace(mu + jnp.arange(3.0), tau * jnp.ones(3)))
""",
    "another site in its plate": """\
    with numpyro.plate("n", 3):
        b = numpyro.sample("b", dist.Normal(nu, 1))
        a = numpyro.sample("a", dist.Normal(b, tau))
""",
    "an asymmetric prior": """\
    with numpyro.plate("n", 3):
        a = numpyro.sample("a", dist.AsymmetricLaplace(mu, tau, 0.7))
""",
    "a name of its own": """\
    for k in range(2):
        a = numpyro.sample(f"a_{k}", dist.Normal(mu + k, tau))
""",
    "a comprehension": """\
    a = sum([numpyro.sample(f"a_{k}", dist.Normal(mu + k, tau)) for k in range(2)])
""",
}

LIKELIHOOD = """\
    numpyro.sample("y", dist.Normal(nu + jnp.sum(a), 1), obs=1.0)
"""

CONFIGS = [
    "centered = 0.5",
    'centered = 0\noffset = ["nu", "mu"]',
    'centered = { init = 0.4 }\noffset = { nu = { coefficient = "shared", center = 2.0 } }',
]


def assert_same_density(model: str, config: str) -> None:
    generated = rewritten(model, f'[sites."a*"]\n{config}').data
    base = "{}_decentered_base" if "offset" in config or "basis" in config else "{}_decentered"
    names = ("a_0", "a_1") if "a_{k}" in model else ("a",)
    bases = {name: base.format(name) for name in names}
    assert_equivalent(load_model(model), load_model(generated), points=3, bases=bases)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("case", MODELS)
def test_same_density(case: str, config: str) -> None:
    model = HEAD + MODELS[case] + LIKELIHOOD
    assert_same_density(model, config)


@pytest.mark.parametrize("case", ["a plate", "plates", "an expanded prior", "an event"])
@pytest.mark.parametrize("more", ["", 'offset = "nu"', 'offset = "nu"\nbasis = "dct"'])
def test_a_centring_of_each_element(case: str, more: str) -> None:
    model = HEAD + MODELS[case] + LIKELIHOOD
    assert_same_density(model, f'centered = {{ coefficient = "elementwise" }}\n{more}')


@pytest.mark.parametrize("centered", [0.0, 0.25, 0.5])
def test_it_is_the_formula_of_gorinova(centered: float) -> None:
    """The base of a is Normal(c mu, tau^c), moved by what a is offset by."""
    model = HEAD + MODELS["a plate"] + LIKELIHOOD
    config = (
        f"[sites.a]\ncentered = {centered}\noffset = {{ nu = {{ init = 2.0, learn = false }} }}"
    )
    trace = traced(load_model(rewritten(model, config).data), (), {})
    mu, tau, nu, a = (trace[name]["value"] for name in ("mu", "tau", "nu", "a"))
    base = trace["a_decentered_base"]
    expected = mu * centered + tau ** (centered - 1) * (a - mu) + 2 * nu
    assert jnp.allclose(base["value"], expected, rtol=1e-4)
    prior = dist.Normal(centered * mu + 2 * nu, tau**centered)
    assert jnp.allclose(base["fn"].log_prob(base["value"]), prior.log_prob(expected), atol=1e-3)


def test_all_centered_is_the_site_as_written() -> None:
    offset = '[sites.a]\noffset = "mu"'
    assert rewritten_case(GRAND_MEAN, f"{offset}\ncentered = 1").data == (
        rewritten_case(GRAND_MEAN, offset).data
    )


def test_a_tiny_scale_around_a_loc_is_not_rounded_away() -> None:
    """The prior of the base doesn't subtract the loc from the site, which is all loc."""
    model = HEAD + MODELS["a plate"] + LIKELIHOOD
    generated = load_model(rewritten(model, "[sites.a]\ncentered = 0").data)

    def log_prob(tau: float) -> jax.Array:
        values = {"mu": 3.0, "nu": 1.0, "tau": tau, "a_decentered": jnp.array([0.3, -1.0, 2.0])}
        fn = traced(generated, (), {}, values)["a_decentered"]
        return fn["fn"].log_prob(fn["value"])

    assert jnp.array_equal(log_prob(1e-9), log_prob(1.0))


LEARNED = '[sites.a]\ncentered = { init = 0.4 }\noffset = "mu"'


def test_a_learned_centring_is_learned_by_svi() -> None:
    args, kwargs = EXAMPLE()
    model = load_model(rewritten_case(GRAND_MEAN, LEARNED).data)
    svi = SVI(model, AutoNormal(model), Adam(0.02), Trace_ELBO())
    found = svi.run(random.key(0), 100, *args, progress_bar=False, **kwargs).params
    assert 0 < found["centered_a"] < 1 and abs(found["centered_a"] - 0.4) > 0.01


def test_a_learned_centring_runs_under_nuts() -> None:
    args, kwargs = EXAMPLE()
    model = load_model(rewritten_case(GRAND_MEAN, LEARNED).data)
    mcmc = MCMC(NUTS(model), num_warmup=50, num_samples=50, progress_bar=False)
    mcmc.run(random.key(0), *args, **kwargs)
    draws = mcmc.get_samples()
    assert draws["a"].shape == draws["a_decentered_base"].shape
