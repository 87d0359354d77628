"""`verify` as a function: what it compares, what it can't tell, and what it says."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from reparam_rewrite.messages import Refusal
from reparam_rewrite.running.call import Entry
from reparam_rewrite.running.load import function_in, load
from reparam_rewrite.running.which_function import entry
from reparam_rewrite.testing import assert_equivalent
from reparam_rewrite.verifying import verify
from reparam_rewrite.verifying.values import Options, Report
from tests.support.cases import CASES, FIXTURES, rewritten_case
from tests.support.execution import load_model

#: Every file beside a plain model that is to be the same model.
FILES = [
    case / name
    for case in CASES
    for name in ("model_reparam.py", "by_hand.py")
    if (case / name).exists()
]

#: Where all of a test is what `verify` says of models that are the same in every run.
of_verify = pytest.mark.concerns("verifying", "running", "testing.py", "messages.py", "bases.py")

QUICK = ("jit", "predictive", "data", "AutoNormal", "AutoDiagonalNormal", "NUTS")


def example(case: Path) -> Any:
    return load_model(case / "example.py", "example_args")()


def fixture(name: str, **options: Any) -> Report:
    case = FIXTURES / name
    models = load_model(case / "model.py"), load_model(case / "model_reparam.py")
    return verify(*models, *example(case), Options(**{"points": 2, "skip": QUICK, **options}))


@of_verify
@pytest.mark.parametrize("file", FILES, ids=[f"{f.parent.name}/{f.name}" for f in FILES])
def test_every_fixture_and_every_model_by_hand_passes_all_checks(file: Path) -> None:
    case = file.parent
    expected = None
    if "by_hand" not in file.name:
        expected = load_model(rewritten_case(case).data, beside=file)
    options = Options(points=3, expected=expected)
    report = verify(load_model(case / "model.py"), load_model(file), *example(case), options)
    assert report.equivalent, [line for line in report.lines if line.status != "ok"]
    skipped = {line.check for line in report.lines if line.status == "skipped"}
    subsampled = "NUTS" in runpy.run_path(str(case / "example.py"))
    # The tables of some have no data that could be others, or can't do without observations.
    assert skipped <= {
        "data",
        "effect",
        "offsets",
        *(("NUTS", "AutoDiagonalNormal") if subsampled else ()),
    }


HEAD = """\
import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.contrib.control_flow import cond, scan
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam

"""


def compared(plain: str, generated: str, *args: Any, **options: Any) -> Report:
    models = load_model(HEAD + plain), load_model(HEAD + generated)
    return verify(*models, args, {}, Options(**{"points": 3, "skip": QUICK, **options}))


def found(report: Report, check: str) -> list[tuple[str, str, str]]:
    return [(one.status, one.site, one.message) for one in report.lines if one.check == check]


# What determinants are taken of, and what can't be told


@of_verify
@pytest.mark.parametrize("name", ["random_walks", "constrained", "kalman", "non_centred"])
def test_a_determinant_by_blocks_is_that_of_the_whole(name: str) -> None:
    assert fixture(name, dense=4).equivalent


@of_verify
def test_a_block_that_is_too_large_is_not_passed_over() -> None:
    report = fixture("random_walks", dense=4, largest_block=3)
    (line,) = [line for line in report.lines if line.status == "unchecked"]
    assert (line.check, line.site) == ("density", "z")
    assert line.message.startswith("6 elements of the site mix, more than 3 ")
    assert not report.equivalent
    assert not report.different


INTERTWINED = """
def model():
    def step(carry, _):
        x_before, y_before = carry
        x = numpyro.sample("x", dist.Normal(0, 1))
        y = numpyro.sample("y", dist.Normal(0, 1))
        return (x, y), None
    scan(step, (0.0, 0.0), None, length=5)
"""
INTERTWINED_REPARAM = """
def model():
    xi = numpyro.param("xi", 0.5)
    def step(carry, _):
        x_before, y_before = carry
        x_base = numpyro.sample("x_base", dist.Normal(xi * y_before, 1))
        x = numpyro.deterministic("x", x_base - xi * y_before)
        y_base = numpyro.sample("y_base", dist.Normal(xi * x_before, 1))
        y = numpyro.deterministic("y", y_base - xi * x_before)
        return (x, y), None
    scan(step, (0.0, 0.0), None, length=5)
"""


@of_verify
def test_sites_that_depend_on_each_other_need_the_whole_jacobian() -> None:
    assert compared(INTERTWINED, INTERTWINED_REPARAM).equivalent
    report = compared(INTERTWINED, INTERTWINED_REPARAM, dense=4)
    assert not report.equivalent
    assert not report.different
    assert report.unchecked[0].message.startswith(("x and y depend on each other", "its elements"))


FAR = """
def model():
    a = numpyro.sample("a", dist.Normal(0, 1))
    z = numpyro.sample("z", dist.VonMises(0.0, 1.0))
"""
FAR_REPARAM = """
def model():
    a = numpyro.sample("a", dist.Normal(0, 1))
    z_loc = numpyro.param("xi_z_a", 0.5) * 1e4 * a
    circular = dist.transforms.biject_to(dist.constraints.circular)
    moved = ExplicitReparam([circular.inv, AffineTransform(z_loc, 1)])
    with numpyro.handlers.reparam(config={"z": moved}):
        z = numpyro.sample("z", dist.VonMises(0.0, 1.0))
"""


@of_verify
def test_a_point_where_all_values_look_alike_is_compared_nearer() -> None:
    # At 40, a value is pi to the last bit, and the map seems to have no inverse.
    assert compared(FAR, FAR_REPARAM).equivalent
    wrong = FAR_REPARAM.replace("dist.Normal(0, 1)", "dist.Normal(0, 2)")
    (line, *_) = compared(FAR, wrong).different
    assert (line.check, line.site) == ("density", "a")
    report = compared(FAR, FAR_REPARAM.replace("1e4", "1e9"))
    assert [line.check for line in report.unchecked] == ["density"]
    assert not report.different


BOUNDED = """
def model():
    mu = numpyro.sample("mu", dist.TruncatedNormal(0.0, 1.0, high=2.0))
    a = numpyro.sample("a", dist.Normal(0, 1))
"""
BOUNDED_REPARAM = """
def model():
    mu = numpyro.sample("mu", dist.TruncatedNormal(0.0, 1.0, high=2.0))
    moved = ExplicitReparam(AffineTransform(numpyro.param("xi_a_mu", 0.0) * mu, 1))
    with numpyro.handlers.reparam(config={"a": moved}):
        a = numpyro.sample("a", dist.Normal(0, 1))
"""


@of_verify
def test_the_sign_of_an_offset_on_a_parent_below_a_bound() -> None:
    # Its value falls where its unconstrained value grows.
    assert compared(BOUNDED, BOUNDED_REPARAM).equivalent
    (line,) = compared(
        BOUNDED, BOUNDED_REPARAM.replace("(numpyro.param", "(-numpyro.param")
    ).different
    assert line.message == "'a' is offset by xi_a_mu with the wrong sign"


# What models may hold


BRANCHES = """
def model(which):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    def low(_):
        return numpyro.sample("a", dist.Normal(0, 1))
    def high(_):
        return numpyro.sample("a", dist.Normal(2, 3))
    a = cond(which, low, high, None)
    k = numpyro.sample("k", dist.Poisson(3.0))
    numpyro.sample("y", dist.Normal(a + mu + k, 1), obs=1.0)
"""
BRANCHES_REPARAM = BRANCHES.replace(
    '    mu = numpyro.sample("mu", dist.Normal(0, 1))\n',
    '    shift = ExplicitReparam(AffineTransform(numpyro.param("xi", 0.0), 1))\n'
    '    with numpyro.handlers.reparam(config={"mu": shift}):\n'
    '        mu = numpyro.sample("mu", dist.Normal(0, 1))\n',
)


@of_verify
def test_branches_and_discrete_latents() -> None:
    assert compared(BRANCHES, BRANCHES_REPARAM, True).equivalent
    wrong = BRANCHES_REPARAM.replace("dist.Normal(2, 3)", "dist.Normal(2, 4)")
    assert compared(BRANCHES, wrong, True).equivalent
    assert compared(BRANCHES, wrong, False).different[0].site == "a"
    other = BRANCHES_REPARAM.replace("Poisson(3.0)", "Poisson(4.0)")
    assert compared(BRANCHES, other, True).different[0].site == "k"


RAW = """
def model():
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    with numpyro.plate("n", 3):
        a = numpyro.sample("a", dist.Normal(mu, 2))
"""
RAW_REPARAM = """
def model():
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    with numpyro.plate("n", 3):
        a_raw = numpyro.sample("a_raw", dist.Normal(0, 1))
        a = numpyro.deterministic("a", mu + 2 * a_raw)
"""


@of_verify
def test_a_model_by_hand_may_call_its_base_sites_otherwise() -> None:
    assert compared(RAW, RAW_REPARAM).equivalent
    eps = RAW_REPARAM.replace('"a_raw"', '"eps"')
    assert compared(RAW, eps).equivalent
    wrong = compared(RAW, eps.replace("mu + 2 *", "mu + 3 *"))
    assert wrong.different[0].site == "a"


# Each check sees what it is for


STATEFUL = """
def model():
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    scale = 1.0 if isinstance(mu, jax.core.Tracer) else 2.0
    numpyro.sample("y", dist.Normal(mu, scale), obs=1.0)
"""


def test_what_differs_only_without_jit() -> None:
    plain = STATEFUL.replace(" if isinstance(mu, jax.core.Tracer) else 2.0", "")
    skip = tuple(check for check in QUICK if check != "jit")
    report = compared(plain, STATEFUL, skip=skip)
    assert [(line.check, line.site) for line in report.different] == [("jit", "y")]


TREES = """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


def model():
    p = numpyro.param("p", {"loc": jnp.zeros(2), "shift": jnp.ones(2)})
    mu = numpyro.sample("mu", dist.Normal(p["loc"] + p["shift"], 1).to_event(1))
    numpyro.sample("y", dist.Normal(mu.sum(), 1), obs=0.5)
"""


def test_params_that_are_trees_run_uncompiled_too() -> None:
    skip = tuple(check for check in QUICK if check != "jit")
    assert compared(TREES, TREES, points=1, skip=skip).equivalent


RETURNED = """
def model():
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    numpyro.deterministic("d", 2 * mu)
    return numpyro.deterministic("e", 3 * mu)
"""


@of_verify
def test_what_is_different_is_not_called_the_same_as_well() -> None:
    report = compared(RETURNED, RETURNED.replace("2 * mu", "4 * mu"))
    (wrong, right) = found(report, "values")
    assert wrong[:2] == ("different", "d")
    assert right == ("ok", "", "the same: the returned value, e")


OWN_DRAWS = """
class Own(dist.Normal):
    def sample(self, key, sample_shape=()):
        return {} * super().sample(jax.random.fold_in(key, 1), sample_shape)


def model():
    mu = numpyro.sample("mu", Own(0.0, 1.0))
"""


@of_verify
def test_draws_of_other_keys_are_compared_by_their_moments() -> None:
    skip = tuple(check for check in QUICK if check != "predictive")
    plain = OWN_DRAWS.replace("Own(0.0", "dist.Normal(0.0")
    same = compared(plain, OWN_DRAWS.format("1.0"), skip=skip)
    assert same.equivalent
    ((_, _, message),) = found(same, "predictive")
    assert message.startswith("draws differ by their keys, and agree in mean and spread")
    other = compared(plain, OWN_DRAWS.format("1.5"), skip=skip)
    assert [(line.check, line.site) for line in other.different] == [("predictive", "mu")]


WALK = """
def model():
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    xi = numpyro.param("xi", 0.0)
    def step(before, _):
        with numpyro.handlers.reparam(config={}):
            z = numpyro.sample("z", dist.Normal(before, 1))
        return z, None
    scan(step, 0.0, None, length=4)
"""


@of_verify
def test_what_only_a_guide_refuses() -> None:
    """The density is right, and autoguides can't follow a handler in the body of a scan."""
    plain = WALK.replace('    xi = numpyro.param("xi", 0.0)\n', "")
    shift = "{'z': ExplicitReparam(AffineTransform(xi * mu, 1))}"
    report = compared(plain, WALK.replace("config={}", f"config={shift}"), skip=("jit",))
    assert {line.check for line in report.different} == {"AutoNormal", "AutoDiagonalNormal"}
    assert "takes the plain model, and not the generated one" in report.different[0].message


@of_verify
def test_what_takes_the_plain_model_neither_is_no_difference() -> None:
    """One plate at two dims."""
    plain = """
def model():
    with numpyro.plate("n", 3, dim=-1):
        a = numpyro.sample("a", dist.Normal(0, 1))
    with numpyro.plate("n", 3, dim=-2):
        b = numpyro.sample("b", dist.Normal(0, 1))
"""
    report = compared(plain, plain, skip=("jit",))
    assert [status for status, _, _ in found(report, "AutoNormal")] == ["skipped"]
    assert report.equivalent


def test_a_difference_is_explained() -> None:
    report = compared(RAW, RAW.replace("Normal(0, 10)", "Normal(0, 9)"))
    line = report.different[0]
    assert (line.check, line.site, line.cause) == (
        "density",
        "mu",
        "in its Normal, scale is 9, it was 10",
    )
    assert line.message.startswith("off by 0.10")


def test_a_model_that_does_not_run_is_different_and_says_where(tmp_path: Path) -> None:
    file = tmp_path / "generated.py"
    file.write_text(HEAD + RAW.replace("dist.Normal(mu, 2)", "dist.Normal(jnp.zeros(2), 2)"))
    report = verify(load_model(HEAD + RAW), load_model(file))
    (line,) = report.different
    assert line.site == "a"
    assert line.message.startswith("the generated model does not run: ValueError: Incompatible")
    assert line.message.endswith(f"({file}:13)")


@of_verify
def test_where_an_offset_can_not_be_computed_its_site_is_named() -> None:
    """By the site that comes next: what jax says of it has no name."""
    loc = "a_loc = jnp.zeros(2).at[jnp.arange(2)].add(jnp.ones(3))"
    wrong = RAW.replace("    with", f"    {loc}\n    with")
    (line,) = compared(RAW, wrong).different
    assert (line.check, line.site) == ("sites", "a")


@of_verify
def test_points_are_those_of_the_seed() -> None:
    wrong = RAW.replace("Normal(0, 10)", "Normal(0, 9)")
    first, again, other = (compared(RAW, wrong, seed=seed) for seed in (0, 0, 1))
    assert first.lines == again.lines
    assert first.lines != other.lines


@of_verify
def test_the_helper_of_test_suites() -> None:
    plain, good = load_model(HEAD + RAW), load_model(HEAD + RAW_REPARAM)
    assert assert_equivalent(plain, good, skip=QUICK, points=2).equivalent
    bad = load_model(HEAD + RAW_REPARAM.replace("2 * a_raw", "3 * a_raw"))
    with pytest.raises(AssertionError, match=r"^the log density is .*; by site:\n  a: off by"):
        assert_equivalent(plain, bad, skip=QUICK, points=2)
    with pytest.raises(Refusal, match="the plain model does not run: TypeError"):
        assert_equivalent(plain, good, (1, 2))


# Files, functions and arguments


FORECASTER = """\
class Base:
    def helper(self):
        return "base"


class Forecaster(Base):
    def __init__(self, width):
        self.width = width

    def helper(self):
        return {helper!r}

    def model(self, n, y=None):
        return self.helper(), self.width, n, y
"""


def test_an_instance_gets_the_class_of_each_file(tmp_path: Path) -> None:
    for name, helper in (("plain", "of plain"), ("other", "of other")):
        (tmp_path / f"{name}.py").write_text(FORECASTER.format(helper=helper))
    (tmp_path / "example.py").write_text(
        "from plain import Forecaster\n\n\ndef args():\n    return (Forecaster(3), 4), {'y': 5}\n"
    )
    name, results = "Forecaster.model", []
    for file in ("plain", "other"):
        path = str(tmp_path / f"{file}.py")
        module = load(path, "model", "model")
        function = function_in(module, name, path)
        found = Entry(path, module, name, function)
        given = found.arguments(None, ("example.py:args", str(tmp_path / "offsets.toml")))
        method, (args, kwargs) = found.bound(given)
        results.append(method(*args, **kwargs))
    assert results == [("of plain", 3, 4, 5), ("of other", 3, 4, 5)]


def test_a_method_without_an_instance_says_how_to_give_one(tmp_path: Path) -> None:
    path = tmp_path / "plain.py"
    path.write_text(FORECASTER.format(helper=""))
    module = load(str(path), "model", "model")
    name = "Forecaster.model"
    found = Entry(str(path), module, name, function_in(module, name, str(path)))
    given = found.arguments("(4,)")
    with pytest.raises(Refusal) as refusal:
        found.bound(given)
    (diagnostic,) = refusal.value.diagnostics
    assert "no 'Forecaster' can be made without arguments" in diagnostic.message
    assert diagnostic.hint == (
        'give one as the first of the args: --args "(Forecaster(...), ...), {}".'
    )


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("(8, 6), {'y': None}", ((8, 6), {"y": None})),
        ("(8, 6)", ((8, 6), {})),
        ("8", ((8,), {})),
        ("{'y': SIZE}", ((), {"y": 7})),
        ("(), {}", ((), {})),
        ("([1, 2], 3)", (([1, 2], 3), {})),
    ],
)
def test_arguments_as_an_expression(given: str, wanted: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text("SIZE = 7\n\n\ndef model(*args, **kwargs):\n    pass\n")
    module = load(str(path), "model", "model")
    assert Entry(str(path), module, "model", module.model).arguments(given) == wanted


SEVERAL = """\
import numpyro


def effects(n):
    return numpyro.sample("a", n)


def model_a():
    effects(1)


def model_b():
    numpyro.sample("b", 1)


def unrelated():
    pass
"""


@pytest.mark.parametrize(
    ("source", "asked", "rewritten", "wanted"),
    [
        (SEVERAL, None, ["effects"], "model_a"),
        (SEVERAL, None, ["model_b"], "model_b"),
        (SEVERAL, "model_b", ["effects"], "model_b"),
        (SEVERAL.replace("model_b", "model"), None, [], "model"),
        (
            FORECASTER.format(helper="").replace("self.helper(), ", "numpyro.sample('a', 1), "),
            None,
            [],
            "Forecaster.model",
        ),
        (
            "def f(n):\n    def g(x):\n        return sample('a', x)\n    return g\n",
            None,
            [],
            "f.g",
        ),
        ("def f():\n    def g(c, x):\n        sample('a', x)\n    scan(g, 0, 1)\n", None, [], "f"),
    ],
)
def test_which_function_is_the_model(
    source: str, asked: str | None, rewritten: list[str], wanted: str
) -> None:
    assert entry(source.encode(), "model.py", asked, rewritten) == wanted


def test_several_functions_that_may_be_the_model_are_listed() -> None:
    with pytest.raises(Refusal) as refusal:
        entry(SEVERAL.encode(), "model.py", None)
    assert str(refusal.value) == (
        "model.py: several functions may be the model: 'model_a' and 'model_b'\n"
        "hint: name one of them: --function model_a."
    )


def test_a_file_finds_what_is_beside_it_and_in_its_package(tmp_path: Path) -> None:
    package = tmp_path / "models_of_this_test"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "sizes.py").write_text("N = 3\n")
    (package / "model.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "from .sizes import N\n\n\n@dataclass\nclass Data:\n    n: int = N\n"
    )
    (tmp_path / "beside.py").write_text("from helpers_of_this_test import M\n")
    (tmp_path / "helpers_of_this_test.py").write_text("M = 4\n")
    assert load(str(package / "model.py"), "model", "Data").Data().n == 3
    assert load(str(tmp_path / "beside.py"), "model", "M").M == 4
