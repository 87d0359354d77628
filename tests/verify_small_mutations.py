"""What can be wrong with a generated file and shows in few places: mutations of small models.

Each model is right as it is generated, and wrong with one place changed, which is there just once.
``python -m tests.verify_small_mutations`` runs `verify` on all of them, and on the right ones.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from tests.support.cases import rewritten
from tests.support.execution import load_model

HEAD = """\
import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions import biject_to, constraints
from numpyro.distributions.transforms import AffineTransform, ExpTransform, OrderedTransform
from numpyro.infer.reparam import ExplicitReparam


class Shrunk(dist.transforms.ParameterFreeTransform):
    domain = codomain = constraints.simplex

    def __call__(self, x):
        return 0.9 * x + 0.025

    def _inverse(self, y):
        return (y - 0.025) / 0.9

    def log_abs_det_jacobian(self, x, y, intermediates=None):
        return jnp.full(jnp.shape(x)[:-1], (x.shape[-1] - 1) * jnp.log(0.9))


"""
CONFIG = '[sites.a]\noffset = "mu"\n'


class Small(NamedTuple):
    """A plain model, and a generated one by hand if the config is not to make it."""

    name: str
    args: tuple[Any, ...]
    plain: str
    by_hand: str = ""
    kwargs: Mapping[str, Any] = MappingProxyType({})
    config: str = CONFIG

    def right(self) -> str:
        made = self.by_hand and HEAD + self.by_hand
        return made or rewritten((HEAD + self.plain).encode(), self.config).data.decode()


class Change(NamedTuple):
    """check, site: what the report must name first. "config": by a comparison with the config."""

    model: Small
    check: str
    site: str
    old: str
    new: str

    def wrong(self) -> str:
        text = self.model.right()
        assert text.count(self.old) == 1, f"{self.old!r} is there {text.count(self.old)} times"
        return text.replace(self.old, self.new)


Y = np.array([0.1, 0.2, -0.4])
MASK = np.array([True, False])
X = np.linspace(1.0, 3.0, 8)
GROUP = np.array([0, 0, 1, 1, 1, 2, 2, 2])

DISCRETE = Small(
    "discrete latents",
    (3, Y),
    """\
def model(n, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    z = numpyro.sample("z", dist.Categorical(jnp.array([0.2, 0.3, 0.5])))
    w = numpyro.sample("w", dist.Bernoulli(0.3))
    with numpyro.plate("n", n):
        k = numpyro.sample("k", dist.Categorical(jnp.array([0.97, 0.02, 0.01])))
        a = numpyro.sample("a", dist.Normal(0, 1))
        loc = jnp.where(k == 2, 5.0, 0.0) + a + mu
        numpyro.sample("y", dist.Normal(loc, 1 + z + w), obs=y)
""",
)
COUNTS = Small(
    "counts",
    (3, Y),
    """\
def model(n, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    c = numpyro.sample("c", dist.Poisson(3.0))
    b = numpyro.sample("b", dist.Binomial(10, 0.3))
    g = numpyro.sample("g", dist.Geometric(0.4))
    u = numpyro.sample("u", dist.DiscreteUniform(0, 4))
    m = numpyro.sample("m", dist.Multinomial(5, jnp.array([0.5, 0.3, 0.2])))
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
        loc = a + mu + g + jnp.where(c > 12, 1.0, 0.0) + m[0]
        numpyro.sample("y", dist.Normal(loc, 1 + b + u), obs=y)
""",
)
MANY = Small(
    "many classes",
    (3, Y),
    """\
def model(n, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    k = numpyro.sample("k", dist.Categorical(jnp.full(40, 1 / 40)))
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
        numpyro.sample("y", dist.Normal(a + mu + (k == 33) * 1.0, 1.0), obs=y)
""",
)
LARGE = Small(
    "small terms beside large ones",
    (200, np.linspace(-1, 1, 200), np.array([0.1, 0.3]), MASK),
    """\
def model(n, y, y2, m):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    with numpyro.handlers.scale(scale=0.5):
        s = numpyro.sample("s", dist.HalfNormal(1.0))
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
        numpyro.sample("y", dist.Normal(a + mu, 1e-4), obs=y)
    with numpyro.handlers.mask(mask=m):
        numpyro.sample("y2", dist.Normal(mu, 1 + s), obs=y2)
    sd = jnp.array([1e-5, 1e-5, 0.7])
    numpyro.sample("few", dist.Normal(mu, sd), obs=jnp.zeros(3))
    numpyro.factor("f", -0.5 * mu**2)
""",
)
PARAMS = Small(
    "params",
    (3, Y),
    """\
def model(n, y=None):
    s = numpyro.param("s", 1.5, constraint=constraints.positive)
    r = numpyro.param("r", jnp.full(n, 0.5), constraint=constraints.unit_interval, event_dim=0)
    g = numpyro.param("g", 2.0, constraint=constraints.greater_than(1.0))
    t = numpyro.param("t", {"k": jnp.zeros(2), "b": jnp.zeros(())})
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
        loc = a + mu + r + t["b"] + jnp.sum(t["k"])
        numpyro.sample("y", dist.Normal(loc, s + g), obs=y)
""",
)
RETURNED = Small(
    "what is returned, and infer",
    (3, Y),
    """\
def model(n, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    z = numpyro.sample("z", dist.Bernoulli(0.5), infer={"enumerate": "parallel"})
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
        numpyro.sample("y", dist.Normal(a + mu + z, 1), obs=y)
    numpyro.deterministic("d", {"one": mu})
    return {"a": a, "m": mu, 5: None, "name": "x", "pair": (mu, a)}
""",
)


def moved(name: str, prior: str, transform: str, support: str) -> Small:
    """One child, whose map is `transform`, and the wrong ones instead of it."""
    plain = f"""\
def model():
    mu = numpyro.sample("mu", dist.Normal(0.0, 1.0))
    u = numpyro.sample("u", {prior})
    numpyro.sample("y", dist.Normal(mu + jnp.sum(u), 0.5), obs=0.4)
"""
    by_hand = f"""\
def model():
    mu = numpyro.sample("mu", dist.Normal(0.0, 1.0))
    u_loc = numpyro.param("xi_u_mu", 0.0) * mu
    maps = [{transform.format(support)}AffineTransform(u_loc, 1)]
    with numpyro.handlers.reparam(config={{"u": ExplicitReparam(maps)}}):
        u = numpyro.sample("u", {prior})
    numpyro.sample("y", dist.Normal(mu + jnp.sum(u), 0.5), obs=0.4)
"""
    return Small(name, (), plain, by_hand)


BIJECTION = "biject_to(constraints.{}).inv, "
UNIFORM = moved("an interval", "dist.Uniform(0.0, 1.0)", BIJECTION, "interval(0.0, 1.0)")
POSITIVE = moved(
    "a half line", "dist.TruncatedNormal(1.0, 1.0, low=0.0)", BIJECTION, "greater_than(0.0)"
)
REAL = moved("the real line", "dist.Normal(0.0, 1.0)", "", "")
SHARES = moved("a simplex", "dist.Dirichlet(jnp.ones(4))", BIJECTION, "simplex")
ORDERED = moved(
    "an ordered vector",
    "dist.TransformedDistribution(dist.Normal(jnp.zeros(3), 1.0).to_event(1), OrderedTransform())",
    BIJECTION,
    "ordered_vector",
)
MATRIX = moved("a correlation", "dist.LKJCholesky(3)", BIJECTION, "corr_cholesky")
FOLDED = Small(
    "a site by hand",
    (),
    REAL.plain,
    """\
def model():
    mu = numpyro.sample("mu", dist.Normal(0.0, 1.0))
    u_base = numpyro.sample("u_base", dist.Normal(0.0, 1.0))
    u = numpyro.deterministic("u", u_base)
    numpyro.sample("y", dist.Normal(mu + jnp.sum(u), 0.5), obs=0.4)
""",
)
PLAINLY = "{'b': b_reparam} if y is not None else {}"
DATA = Small(
    "data in an offset",
    (X, GROUP),
    """\
def model(x, group, y=None):
    mu = numpyro.sample("mu", dist.Normal(0.0, 1.0))
    b = numpyro.sample("b", dist.Normal(0.0, 1.0))
    numpyro.sample("y", dist.Normal(mu + b * x, 0.1), obs=y)
    return b
""",
    f"""\
def model(x, group, y=None):
    mu = numpyro.sample("mu", dist.Normal(0.0, 1.0))
    b_reparam = ExplicitReparam(AffineTransform(mu * 2.0, 1))
    with numpyro.handlers.reparam(config={PLAINLY}):
        b = numpyro.sample("b", dist.Normal(0.0, 1.0))
    numpyro.sample("y", dist.Normal(mu + b * x, 0.1), obs=y)
    return b
""",
    {"y": 0.5 + 2 * X},
)
#: The offset reads x where the observations are there only.
CAREFUL = DATA._replace(name="data, and care", by_hand=DATA.by_hand.replace("2.0", "jnp.mean(x)"))
#: Numbers of the fit: nothing to be careful of.
FROZEN = DATA._replace(
    name="data, frozen", by_hand=DATA.by_hand.replace(PLAINLY, "{'b': b_reparam}")
)
NEGATIVE = Small(
    "a negative mean of data",
    (-X, GROUP),
    DATA.plain,
    """\
def model(x, group, y=None):
    mu = numpyro.sample("mu", dist.Normal(0.0, 1.0))
    b_loc = numpyro.param("xi_b_mu", 0.5) * (jnp.mean(x) * mu)
    config = {"b": ExplicitReparam(AffineTransform(b_loc, 1))} if y is not None else {}
    with numpyro.handlers.reparam(config=config):
        b = numpyro.sample("b", dist.Normal(0.0, 1.0))
    numpyro.sample("y", dist.Normal(mu + b * x, 0.1), obs=y)
    return b
""",
    DATA.kwargs,
)
MISSING = Small(
    "missing values under a mask",
    (3, np.array([np.nan, 1.0, 2.0]), np.array([False, True, True])),
    """\
def model(n, y=None, m=None):
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
        with numpyro.handlers.mask(mask=m):
            numpyro.sample("y", dist.Normal(a + mu, 1), obs=y)
""",
)
PARTLY_OBSERVED = Small(
    "missing values, drawn",
    (np.array([np.nan, 1.0, 2.0]),),
    """\
def model(y):
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    with numpyro.plate("g", 3):
        a = numpyro.sample("a", dist.Normal(0, 1))
        numpyro.sample("y", dist.Normal(mu + a, 1), obs=y, obs_mask=~jnp.isnan(y))
""",
)
VAGUE = Small(
    "a vague prior",
    (),
    """\
def model(y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 2))
    s2 = numpyro.sample("s2", dist.InverseGamma(0.001, 0.001))
    with numpyro.plate("arm", 4):
        a = numpyro.sample("a", dist.Normal(mu, jnp.sqrt(s2)))
        numpyro.sample("y", dist.BinomialLogits(a, 20), obs=y)
""",
    kwargs={"y": np.array([0, 1, 9, 10])},
)
#: A county without observations, and one in which the slopes' x cancel.
MEETING = Small(
    "where contributions meet",
    (np.array([0, 1, 1, 3, 4, 4]), np.array([0, 0, 0, 1, 1, 0]), np.arange(6.0) - 1.5, 5, 2),
    """\
def model(county, state, x, n_county, n_state, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    with numpyro.plate("state", n_state):
        s = numpyro.sample("s", dist.Normal(0, 1))
    with numpyro.plate("county", n_county):
        a = numpyro.sample("a", dist.Normal(0, 1))
        b = numpyro.sample("b", dist.Normal(0, 1))
    loc = mu + s[state] + a[county] + b[county] * x
    with numpyro.plate("n", len(county)):
        numpyro.sample("y", dist.Normal(loc, 1), obs=y)
""",
    kwargs={"y": np.linspace(-1, 1, 6)},
    config='chain = ["mu", "s", "a", "b"]\n',
)
#: A slope whose x is 0 in every observation.
MEETS_NOTHING = MEETING._replace(
    name="weights that are all 0", args=(*MEETING.args[:2], np.zeros(6), *MEETING.args[3:])
)
KEYS = Small(
    "an argument with keys of two types",
    ({"n": 3, 5: "x", None: np.zeros(2)},),
    """\
def model(cfg, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    with numpyro.plate("n", cfg["n"]):
        a = numpyro.sample("a", dist.Normal(0, 1))
    return cfg
""",
)


def changes() -> Iterator[Change]:
    def of(model: Small, check: str, *rows: tuple[str, str, str]) -> Iterator[Change]:
        for site, old, new in rows:
            yield Change(model, check, site, old, new)

    yield from of(
        DISCRETE,
        "density",
        ("z", "[0.2, 0.3, 0.5]", "[0.35, 0.15, 0.5]"),
        ("z", "[0.2, 0.3, 0.5]", "[0.2, 0.3, 0.4, 0.1]"),
        ("w", "dist.Bernoulli(0.3)", "dist.Bernoulli(0.31)"),
        ("k", "[0.97, 0.02, 0.01]", "[0.97, 0.01, 0.02]"),
        ("y", "k == 2, 5.0", "k == 2, 50.0"),
        ("y", "k == 2, 5.0", "k == 1, 5.0"),
        ("y", "1 + z + w", "1 + z + 2 * w"),
        ("y", "1 + z + w", "1 + z + w + 3.0 * (z == 1) * w"),
        ("y", "1 + z + w", "1 + 2 * z + w"),
    )
    yield from of(
        COUNTS,
        "density",
        ("c", "dist.Poisson(3.0)", "dist.Poisson(3.01)"),
        ("b", "dist.Binomial(10, 0.3)", "dist.Binomial(10, 0.31)"),
        ("g", "dist.Geometric(0.4)", "dist.Geometric(0.41)"),
        ("u", "dist.DiscreteUniform(0, 4)", "dist.DiscreteUniform(0, 5)"),
        ("m", "[0.5, 0.3, 0.2]", "[0.5, 0.2, 0.3]"),
        ("y", "c > 12, 1.0", "c > 12, 2.0"),
        ("y", "+ m[0]", "+ m[1]"),
    )
    yield from of(MANY, "density", ("y", "k == 33", "k == 32"), ("y", "* 1.0", "* 1.1"))
    yield from of(
        LARGE,
        "density",
        ("f", "-0.5 * mu**2", "-0.4 * mu**2"),
        ("f", "-0.5 * mu**2", "0.5 * mu**2"),
        ("y2", "mask=m", "mask=True"),
        ("y2", "mask=m", "mask=~m"),
        ("few", "0.7", "0.8"),
        ("s", "dist.HalfNormal(1.0)", "dist.HalfNormal(1.1)"),
        ("s", "scale=0.5", "scale=0.6"),
        ("y2", "dist.Normal(mu, 1 + s)", "dist.Normal(mu, 1.1 + s)"),
    )
    yield from of(
        PARAMS,
        "params",
        ("s", "constraints.positive", "constraints.interval(0.5, 2.0)"),
        ("s", "constraints.positive", "constraints.softplus_positive"),
        ("r", "constraint=constraints.unit_interval, ", ""),
        ("r", ", event_dim=0", ""),
        ("g", "greater_than(1.0)", "greater_than(0.5)"),
        ("t", '"b": jnp.zeros(())', '"b": jnp.ones(())'),
        ("t", '"k": jnp.zeros(2)', '"k": jnp.zeros(3)'),
    )
    yield from of(
        RETURNED,
        "values",
        ("", '"m": mu', '"q": mu'),
        ("", '"name": "x"', '"name": "q"'),
        ("", "(mu, a)", "[mu, a]"),
        ("", "(mu, a)", "(mu, a, mu)"),
        ("", "5: None", "5: 0"),
    )
    yield from of(
        RETURNED,
        "sites",
        ("d", '{"one": mu}', '{"two": mu}'),
        ("z", ', infer={"enumerate": "parallel"}', ""),
        ("z", '"parallel"', '"sequential"'),
    )
    maps = [
        (UNIFORM, "interval(0.0, 1.0)", "interval(0.0, 1.2)"),
        (UNIFORM, "interval(0.0, 1.0)", "interval(0.0, 0.8)"),
        (UNIFORM, "interval(0.0, 1.0)", "interval(-0.001, 1.0)"),
        (UNIFORM, "interval(0.0, 1.0)", "interval(0.0, 0.999)"),
        (POSITIVE, "greater_than(0.0)", "greater_than(0.1)"),
        (POSITIVE, "greater_than(0.0)", "interval(0.0, 50.0)"),
        (REAL, "maps = [", "maps = [ExpTransform().inv, "),
        (REAL, "maps = [", "maps = [biject_to(constraints.interval(-30.0, 30.0)).inv, "),
        (SHARES, "maps = [", "maps = [Shrunk().inv, "),
        (SHARES, "maps = [", "maps = [Shrunk(), "),
        (ORDERED, "constraints.ordered_vector", "constraints.positive_ordered_vector"),
        (FOLDED, '"u", u_base', '"u", jnp.abs(u_base)'),
        (FOLDED, '"u", u_base', '"u", jnp.where(u_base > 0, u_base, -u_base)'),
    ]
    for model, old, new in maps:
        yield Change(model, "support", "u", old, new)
    yield from of(
        DATA,
        "data",
        ("b", CARE, READS.format("x")),
        ("b", CARE, READS.format("group")),
        ("", "return b", "return b + (0.0 if y is not None else 1.0)"),
    )
    of_a = 'numpyro.param("xi_a_s", jnp.zeros(n_county))'
    yield from of(
        MEETING,
        "effect",
        ("a", f"{of_a} *", f"{of_a}.at[3].set(0.0) *"),
        ("a", ".at[county].add(s[state])", ".at[state].add(s[state])"),
        ("b", "xi_b_s *", "xi_b_s.at[3].set(0.0) *"),
    )
    yield from of(
        MEETING,
        "offsets",
        ("a", "AffineTransform(a_loc", "AffineTransform(-a_loc"),
        ("a", ".at[county].add(s[state])", ".at[county].add(-s[state])"),
        ("b", "add(x * s[state])", "add(x * a[county])"),
    )
    yield from of(
        MEETING,
        "config",
        ("a", ".at[county].add(s[state])", ".at[county].add(s[county])"),
        ("a", "jnp.maximum(jnp.zeros(n_county).at[county].add(1), 1)", "1"),
        ("b", "add(x * s[state])", "add(s[state])"),
        ("b", "add(x**2.0)", "add(1)"),
        ("b", "add(x * a[county])", "add(x * a[state])"),
    )
    yield from of(MEETING, "data", ("a", "a_reparam = by_name(", "a_reparam = ("))


CARE = f"2.0, 1))\n    with numpyro.handlers.reparam(config={PLAINLY}"
READS = "jnp.mean({}), 1))\n    with numpyro.handlers.reparam(config={{'b': b_reparam}}"

CHANGES = list(changes())

#: Right as they are, though much about them looks otherwise.
RIGHT = [
    *dict.fromkeys(change.model.name for change in CHANGES),
    *(m.name for m in (MATRIX, CAREFUL, FROZEN, NEGATIVE, MISSING, PARTLY_OBSERVED, VAGUE, KEYS)),
    MEETS_NOTHING.name,
]
MODELS = {m.name: m for m in vars().copy().values() if isinstance(m, Small)}

#: What these don't need, and most of the time.
SKIPPED = ("gradients", "jit", "predictive", "AutoNormal", "AutoDiagonalNormal", "NUTS")


def verified(model: Small, generated: str, points: int = 3, **options: Any) -> Any:
    """The report of a generated text."""
    from reparam_rewrite.verifying import verify
    from reparam_rewrite.verifying.values import Options

    models = load_model(HEAD + model.plain), load_model(generated)
    return verify(*models, model.args, model.kwargs, Options(points=points, **options))


def of_change(one: Change) -> Any:
    skip = {*SKIPPED, "data"} - ({"gradients"} if one.check == "effect" else {one.check})
    expected = load_model(one.model.right()) if one.check == "config" else None
    return verified(one.model, one.wrong(), skip=[*skip], expected=expected)


def first(report: Any) -> tuple[str, str]:
    return next(((line.check, line.site) for line in report.different), ("", ""))


def main() -> None:
    caught = 0
    for one in CHANGES:
        start = time.process_time()
        report = of_change(one)
        seconds = time.process_time() - start
        right = first(report) == (one.check, one.site)
        caught += bool(report.different)
        note = "" if right else f"  <- {first(report)}, not {(one.check, one.site)}"
        print(f"{one.model.name}: {one.new!r} ({seconds:.1f} s){note}", flush=True)
    alarms = 0
    for name in RIGHT:
        report = verified(MODELS[name], MODELS[name].right(), points=20)
        wrong = [line for line in report.lines if line.status in ("different", "unchecked")]
        alarms += bool(wrong)
        print(f"{name}, right: {[line.message for line in wrong] or 'equivalent'}", flush=True)
    print(f"{caught} of {len(CHANGES)} caught, {alarms} false alarms of {len(RIGHT)} models")
    print(f"{time.process_time():.0f} s of CPU time")


if __name__ == "__main__":
    main()
