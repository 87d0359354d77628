"""What can be wrong with a generated file: mutations of the right ones in fixtures/, as text.

``python -m tests.verify_mutations`` runs `verify` on each of them and prints what it says.
"""

from __future__ import annotations

import inspect
import time
from typing import Any, NamedTuple

from tests.support.cases import FIXTURES, rewritten_case
from tests.support.executed import code_of, code_of_program, digest_of
from tests.support.execution import load_model


class Mutation(NamedTuple):
    """A fixture's generated file with some places changed, each of which is there just once.

    sites: what the explanation must name first. by_config: the model is the same in coordinates
    that the config doesn't ask for; only a comparison with the config can tell.
    """

    case: str
    what: str
    sites: tuple[str, ...]
    changes: tuple[tuple[str, str], ...]
    by_config: bool = False


def mutation(case: str, what: str, site: str, *changes: str, by_config: bool = False) -> Mutation:
    pairs = tuple(zip(changes[::2], changes[1::2], strict=True))
    return Mutation(case, what, tuple(site.split()), pairs, by_config)


A_BLOCK = """\
    a_loc = numpyro.param("xi_a_mu", jnp.zeros(n_a)) * mu
    a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))
    with numpyro.handlers.reparam(config={"a": a_reparam}), numpyro.plate("n_a", n_a):
        a = numpyro.sample("a", dist.Normal(0, sigma_a))
"""
A_INSIDE = """\
    with numpyro.plate("n_a", n_a):
        a_loc = numpyro.param("xi_a_mu", jnp.zeros(n_a)) * mu
        a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))
        with numpyro.handlers.reparam(config={"a": a_reparam}):
            a = numpyro.sample("a", dist.Normal(0, sigma_a))
"""
A_UNPLATED = A_BLOCK.replace(', numpyro.plate("n_a", n_a):', ":").replace(
    "sigma_a))\n", "sigma_a).expand([n_a]))\n"
)
SIGMA = '    sigma = numpyro.sample("sigma", dist.HalfNormal(1))\n'
SIGMA_SHIFTED = """\
    sigma_reparam = ExplicitReparam(AffineTransform(mu, 1))
    with numpyro.handlers.reparam(config={"sigma": sigma_reparam}):
        sigma = numpyro.sample("sigma", dist.HalfNormal(1))
"""
SAMPLE_SHARE = 'share = numpyro.sample("share", dist.Beta(2.0, 2.0))'

GRAND_MEAN = [
    ("a prior constant", "mu", "dist.Normal(0, 10)", "dist.Normal(0, 9)"),
    (
        "a dropped hyperprior",
        "sigma_a",
        'sigma_a = numpyro.sample("sigma_a", dist.HalfNormal(1))',
        "sigma_a = 1.0",
    ),
    ("a sign", "a", "AffineTransform(a_loc, 1)", "AffineTransform(-a_loc, 1)"),
    (
        "a widened shape",
        "a",
        "jnp.zeros(n_a)",
        "jnp.zeros((n_a, 1))",
        "mu + a[group]",
        "mu + a[0][group]",
    ),
    ("an observed site unobserved", "y", ", obs=y)", ")"),
    ("other observations", "y", ", obs=y)", ", obs=y + 1)"),
    ("a prior that is moved too", "a", "dist.Normal(0, sigma_a)", "dist.Normal(mu, sigma_a)"),
    ("an offset left in the likelihood", "y", "mu + a[group]", "mu + (a + a_loc)[group]"),
    ("a support broken", "sigma", SIGMA, SIGMA_SHIFTED),
    (
        "a jacobian added by hand",
        "a_log_det",
        '    with numpyro.plate("n_y"',
        '    numpyro.factor("a_log_det", jnp.log(sigma_a))\n    with numpyro.plate("n_y"',
    ),
    ("a coefficient of nothing", "a", "jnp.zeros(n_a)) * mu", "jnp.zeros(n_a)) * 0.0"),
    (
        "a renamed site",
        "a",
        '{"a": a_reparam}',
        '{"alpha": a_reparam}',
        'numpyro.sample("a"',
        'numpyro.sample("alpha"',
    ),
    ("a lost plate", "n_a a", A_BLOCK, A_UNPLATED),
    (
        "an element of a coefficient of nothing",
        "a",
        "jnp.zeros(n_a)) * mu",
        "jnp.zeros(n_a)).at[2].set(0.0) * mu",
    ),
]
CONDITIONAL = [
    ("a likelihood constant", "y", "dist.Normal(z + a, 0.1)", "dist.Normal(z + a, 0.2)"),
    ("another loc of a prior", "z", '"z", dist.Normal(0, 1)', '"z", dist.Normal(1, 1)'),
    ("another family", "a", '"a", dist.Normal(0, 1)', '"a", dist.Laplace(0, 1)'),
    (
        "a site computed otherwise",
        "y",
        "dist.Normal(z + a, 0.1)",
        "dist.Normal(z + a - a_loc, 0.1)",
    ),
    ("a smaller plate", "n a y", 'numpyro.plate("n", n)', 'numpyro.plate("n", n - 1)'),
]
CONSTRAINED = [
    (
        "an unconstrained shift of a positive site",
        "rate",
        "[biject_to(constraints.positive).inv, AffineTransform(rate_loc, 1)]",
        "AffineTransform(rate_loc, 1)",
    ),
    (
        "the support of another site",
        "share",
        "biject_to(constraints.unit_interval).inv",
        "biject_to(constraints.positive).inv",
    ),
    ("another prior in a helper", "extra", "TruncatedNormal(0.0, 2.0", "TruncatedNormal(0.0, 1.5"),
    (
        "another concentration",
        "mix",
        "mix_prior = dist.Dirichlet(jnp.ones(4))",
        "mix_prior = dist.Dirichlet(2 * jnp.ones(4))",
    ),
    ("another rate", "counts", "dist.Poisson(mean)", "dist.Poisson(mean + 1)"),
    (
        "swapped parents",
        "rate",
        "xi_rate_level * level + xi_rate_tau * jnp.log(tau)",
        "xi_rate_tau * level + xi_rate_level * jnp.log(tau)",
    ),
    (
        "a masked prior",
        "share",
        SAMPLE_SHARE,
        f"with numpyro.handlers.mask(mask=False):\n                {SAMPLE_SHARE}",
    ),
]
CROSSED = [
    (
        "swapped parents",
        "b_sample",
        '"xi_b_sample_mu", jnp.zeros(n_samples)) * mu',
        '"xi_b_sample_mu", jnp.zeros(n_samples)) * sample_a_plate',
        '"xi_b_sample_a_plate", jnp.zeros(n_samples)) * sample_a_plate',
        '"xi_b_sample_a_plate", jnp.zeros(n_samples)) * mu',
    ),
    (
        "the sign of what is projected",
        "b_sample",
        ".add(a_plate[plate])",
        ".add(-a_plate[plate])",
    ),
    (
        "an element that only one group has",
        "b_sample",
        ".at[sample].add(a_plate[plate])",
        ".at[sample * 0].add(a_plate[plate])",
    ),
    (
        "a hyperprior dropped without a word",
        "sigma_sample",
        'sigma_sample = numpyro.sample("sigma_sample", dist.HalfNormal(5))',
        "sigma_sample = 5.0",
    ),
    (
        "another scale of a prior",
        "a_plate",
        "dist.Normal(0, sigma_plate)",
        "dist.Normal(0, sigma_sample)",
    ),
    ("another index", "diameter", "b_sample[sample]", "b_sample[plate % n_samples]"),
    (
        "a scaled likelihood",
        "diameter",
        'with numpyro.plate("observations", len(plate)):',
        'with numpyro.handlers.scale(scale=2.0), numpyro.plate("observations", len(plate)):',
    ),
    (
        "a scaled prior",
        "a_plate",
        'config={"a_plate": a_plate_reparam})',
        'config={"a_plate": a_plate_reparam}), numpyro.handlers.scale(scale=0.5)',
    ),
]
NESTED = [
    ("another likelihood", "y", "bc[county]) * x", "bc[county]) * x * 1.1"),
    (
        "the sign of what is projected",
        "c",
        ".add(s[state]) / county_count",
        ".add(-s[state]) / county_count",
    ),
    (
        "swapped parents",
        "c",
        '"xi_c_s", 0.0) * county_s',
        '"xi_c_s", 0.0) * county_bs',
        '"xi_c_bs", 0.0) * county_bs',
        '"xi_c_bs", 0.0) * county_s',
    ),
]
INSTEVAL = [
    ("another index", "rating", "b[lecturer] + c[dept]", "b[lecturer] + c[dept - 1]"),
    (
        "a projected parent left in the likelihood",
        "rating",
        "mean = mu + a[student]",
        "mean = mu + (a + a_loc)[student]",
    ),
]
MULTILEVEL = [
    ("another sum of one of two", "retest", "shift + level", "shift + level + w[klass]"),
    (
        "an element of what is projected",
        "v",
        '"xi_v_mu", jnp.zeros(n_schools))',
        '"xi_v_mu", jnp.zeros(n_schools)).at[1].set(0.0)',
    ),
]
KALMAN = [
    ("a sign in a scan", "z", "z_base - z_loc", "z_base + z_loc"),
    ("a prior in a scan not moved", "A", "dist.Normal(A_prev + A_loc", "dist.Normal(A_prev"),
    ("an offset counted twice", "B", "B_base - B_loc", "B_base - 2 * B_loc"),
    ("another start of a scan", "z", "start = (0.0,", "start = (1.0,"),
    (
        "swapped coefficients",
        "z",
        "            xi_z_a_t,\n            xi_z_b_t,\n",
        "            xi_z_b_t,\n            xi_z_a_t,\n",
    ),
]
NON_CENTRED = [
    ("another prior of a scaled site", "a", "dist.Normal(0, sigma_a)", "dist.Normal(0, sigma)"),
    ("a scale of the real line", "sigma", "[biject_to(constraints.positive).inv, Aff", "[Aff"),
    ("another noise", "y", "b[group % n_b], sigma)", "b[group % n_b], sigma_a)"),
    (
        "a scale without its jacobian",
        "a",
        'with numpyro.handlers.reparam(config={"a": a_reparam}), numpyro.plate("n_a", n_a):\n'
        '        a = numpyro.sample("a", dist.Normal(0, sigma_a))',
        'with numpyro.plate("n_a", n_a):\n'
        '        a_base = numpyro.sample("a_base", dist.Normal(0, sigma_a))\n'
        '        a = numpyro.deterministic("a", (a_base - a_loc) / a_scale)',
    ),
    (
        "a site averaged after it is sampled",
        "y",
        'b = numpyro.sample("b", dist.Normal(0, sigma_b))',
        'b = numpyro.sample("b", dist.Normal(0, sigma_b))\n        b = jnp.mean(b) + 0 * b',
    ),
]
OTHERS = [
    ("another loc", "a", '"a", dist.Normal(mu, tau)', '"a", dist.Normal(0, tau)'),
    ("another transform", "b", "AffineTransform(mu, tau)", "AffineTransform(mu, 1.0)"),
    ("another walk", "z", "dist.GaussianRandomWalk(tau", "dist.GaussianRandomWalk(0.5"),
]
WALKS = [
    ("a step size", "A", "dist.GaussianRandomWalk(0.3", "dist.GaussianRandomWalk(0.2"),
    ("a covariance", "trend", "jnp.eye(n_t)", "2 * jnp.eye(n_t)"),
    ("another mean of the data", "y", "mu + z + trend + A", "mu + z + 2 * trend + A"),
    (
        "a longer walk",
        "z",
        '"z", dist.GaussianRandomWalk(0.5, num_steps=n_t',
        '"z", dist.GaussianRandomWalk(0.5, num_steps=n_t + 1',
    ),
]
PLATE_BASES = [
    (
        "a determinant of a basis",
        "a A C",
        "        return jnp.zeros_like(x)\n\n\nclass PlateHaar",
        "        return jnp.ones_like(x)\n\n\nclass PlateHaar",
    ),
    ("a prior moved with its base", "b", "dist.StudentT(5, 0, 1)", "dist.StudentT(5, b_loc, 1)"),
    ("another step", "A", "dist.GaussianRandomWalk(0.3", "dist.GaussianRandomWalk(0.4"),
]
STRUCTURED = [
    ("a matrix of nothing", "by_day", "@ weather\n", "@ (0 * weather)\n"),
    (
        "swapped parents",
        "both",
        "xi_both_by_store * by_store",
        "xi_both_by_store * by_day",
        "xi_both_by_day * by_day",
        "xi_both_by_day * by_store",
    ),
    ("another spread", "both", "dist.Normal(0, spread)", "dist.Normal(0, spread + 1)"),
    ("a contribution left out", "y", "base + by_store + by_day", "base + by_day"),
    (
        "a plate at another dim",
        "store by_store",
        '        numpyro.plate("store", n_store, dim=-2),\n    ):\n        by_store =',
        '        numpyro.plate("store", n_store, dim=-3),\n    ):\n        by_store =',
    ),
]
SUBSAMPLED = [
    ("a smaller subsample", "n a c y", "subsample_size=m", "subsample_size=m - 1"),
    (
        "coefficients of places in the draw",
        "a",
        'numpyro.param("xi_a_mu", jnp.zeros(n), event_dim=0)',
        'numpyro.param("xi_a_mu", jnp.zeros(m))',
    ),
    ("another spread", "a", "dist.Normal(0, sigma)", "dist.Normal(0, 2 * sigma)"),
    ("a sign", "c", "AffineTransform(c_loc, 1)", "AffineTransform(-c_loc, 1)"),
    (
        "a scale in a subsampled plate",
        "a",
        "AffineTransform(a_loc, 1)",
        "AffineTransform(a_loc, sigma)",
    ),
]
TENSOR = [
    ("a sign", "A", "AffineTransform(A_loc, 1)", "AffineTransform(-A_loc, 1)"),
    (
        "a shape that does not run",
        "C",
        "dist.Normal(0, sigma_C).expand([n_j]).to_event(1)",
        "dist.Normal(0, sigma_C).expand([n_j])",
    ),
    ("another mean of the data", "y", "C[:, :, None]", "C[:, :, None] + a[:, None, None]"),
]
BROADCAST = [
    (
        "a widened site",
        "b",
        'param("xi_b_mu", jnp.zeros((n_j, 1)))',
        'param("xi_b_mu", jnp.zeros((n_j, n_j)))',
    ),
    ("another plate", "A", '{"A": A_reparam}), plate_i, plate_t', '{"A": A_reparam}), plate_i'),
    (
        "swapped parents",
        "b",
        "xi_b_mu * mu + xi_b_a * jnp.mean(a)",
        "xi_b_a * mu + xi_b_mu * jnp.mean(a)",
    ),
]

#: The same model in coordinates that nobody asked for.
BY_CONFIG = [
    (
        "nested",
        "an index of the child for one of the parent",
        "c",
        ".add(s[state]) / county_count",
        ".add(s[county]) / county_count",
    ),
    ("nested", "a lost weight", "bc", ".add(x * c[county])", ".add(c[county])"),
    ("insteval", "groups of others", "a", ".at[student].add(b[", ".at[lecturer].add(b["),
    (
        "multilevel",
        "one observed site of two",
        "w",
        "jnp.zeros(n_classes).at[klass].add(1).at[klass].add(1)",
        "jnp.zeros(n_classes).at[klass].add(1)",
    ),
    (
        "crossed",
        "another index of what is projected",
        "b_sample",
        ".add(a_plate[plate])",
        ".add(a_plate[sample % n_plates])",
    ),
    ("crossed", "the groups of the parent", "b_sample", ".at[sample].add(a", ".at[plate].add(a"),
    (
        "crossed",
        "a sum for a mean",
        "b_sample",
        ".add(a_plate[plate]) / sample_count",
        ".add(a_plate[plate])",
    ),
    ("grand_mean", "a scale", "a", "AffineTransform(a_loc, 1)", "AffineTransform(a_loc, 2)"),
    ("grand_mean", "a param inside a plate", "a", A_BLOCK, A_INSIDE),
    ("grand_mean", "another start", "a", "jnp.zeros(n_a)", "jnp.ones(n_a)"),
    ("conditional", "another start", "a", '"alpha", 0.0', '"alpha", 0.5'),
    ("non_centred", "the scale of another site", "a", "1 / sigma_a", "1 / sigma_b"),
    ("non_centred", "the sign of a power", "b", "sigma_b**-power", "sigma_b**power"),
    (
        "other_reparameterizers",
        "another centering",
        "a",
        "LocScaleReparam(centered=0.0)",
        "LocScaleReparam(centered=0.5)",
    ),
    (
        "plate_bases",
        "a lost basis",
        "b",
        "[AffineTransform(b_loc, 1), PlateHaar(dim=-1)]",
        "AffineTransform(b_loc, 1)",
    ),
    (
        "plate_bases",
        "an offset of the basis' elements",
        "C",
        "AffineTransform(jnp.broadcast_to(C_loc, (n_i, n_j)), 1),\n            PlateDCT(dim=-2),",
        "PlateDCT(dim=-2),\n            AffineTransform(jnp.broadcast_to(C_loc, (n_i, n_j)), 1),",
    ),
    ("plate_bases", "another axis", "A", "PlateDCT(dim=-2)]\n", "PlateDCT(dim=-1)]\n"),
    (
        "random_walks",
        "another scale",
        "A",
        "AffineTransform(A_loc, 2.0)",
        "AffineTransform(A_loc, 3.0)",
    ),
]

BY_CASE: dict[str, list[Any]] = {
    "grand_mean": GRAND_MEAN,
    "conditional": CONDITIONAL,
    "constrained": CONSTRAINED,
    "crossed": CROSSED,
    "insteval": INSTEVAL,
    "kalman": KALMAN,
    "multilevel": MULTILEVEL,
    "nested": NESTED,
    "non_centred": NON_CENTRED,
    "other_reparameterizers": OTHERS,
    "plate_bases": PLATE_BASES,
    "random_walks": WALKS,
    "structured_coefficients": STRUCTURED,
    "subsampled": SUBSAMPLED,
    "tensor": TENSOR,
    "tensor_broadcast": BROADCAST,
}

MUTATIONS = [mutation(case, *row) for case, rows in BY_CASE.items() for row in rows] + [
    mutation(*row, by_config=True) for row in BY_CONFIG
]


def mutated(one: Mutation) -> str:
    """The changed file. AssertionError if a change is none."""
    text = (FIXTURES / one.case / "model_reparam.py").read_text(encoding="utf-8")
    before = text
    for old, new in one.changes:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    assert text != before
    return text


#: What adds no mutation to those that are caught, and most of the time.
SKIPPED = ("jit", "predictive", "data", "AutoNormal", "AutoDiagonalNormal", "NUTS")


def digest(one: Mutation) -> str:
    """The digest of all that decides what `verify` says of a mutation."""
    case = FIXTURES / one.case
    files = [code_of((case / name).read_bytes()) for name in ("model.py", "example.py")]
    asked = code_of(rewritten_case(case).data) if one.by_config else ""
    said = inspect.getsource(verified), repr(SKIPPED), repr(one.sites)
    program = code_of_program("verifying", "running")
    return digest_of(program, *files, code_of(mutated(one).encode()), asked, *said)


def verified(one: Mutation, points: int = 2) -> Any:
    """The report of a mutation."""
    from reparam_rewrite.verifying import verify
    from reparam_rewrite.verifying.values import Options

    case = FIXTURES / one.case
    # Reverse derivatives are half of what is compiled, and tell single elements of coefficients.
    skip = SKIPPED if "element" in one.what else (*SKIPPED, "gradients")
    args, kwargs = load_model(case / "example.py", "example_args")()
    expected = load_model(rewritten_case(case).data) if one.by_config else None
    options = Options(points=points, skip=skip, expected=expected)
    models = load_model(case / "model.py"), load_model(mutated(one))
    return verify(*models, args, kwargs, options)


def first_site(report: Any) -> str:
    """What the explanation names first."""
    return next((line.site for line in report.different if line.site), "")


def main() -> None:
    caught = explained = 0
    for one in MUTATIONS:
        start = time.process_time()
        report = verified(one)
        seconds = time.process_time() - start
        right = first_site(report) in one.sites
        caught += bool(report.different)
        explained += right
        print(f"{one.case}: {one.what} ({seconds:.1f} s)", "" if right else "  <- NOT EXPLAINED")
        for line in report.different[:2]:
            print(f"    {line.check} {line.site}: {line.message}; {line.cause}")
    print(f"{caught} of {len(MUTATIONS)} caught, {explained} explained by the right site")
    print(f"{time.process_time():.0f} s of CPU time")


if __name__ == "__main__":
    main()
