"""Does `verify` see what shows in few places, and nothing in what is right?"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.cases import CASES, rewritten, rewritten_case
from tests.support.execution import load_model
from tests.support.shapes import names, read_case
from tests.verify_small_mutations import (
    CHANGES,
    MODELS,
    RIGHT,
    SKIPPED,
    Change,
    first,
    of_change,
    verified,
)

#: One of each kind in every run of the tests: each costs seconds.
QUICK = (
    "[0.35, 0.15, 0.5]",
    "-0.4 * mu**2",
    "interval(0.0, 1.2)",
    "xi_b_s.at[3].set(0.0) *",
    ".at[county].add(s[county])",
)


@pytest.mark.parametrize(
    "one",
    [pytest.param(one, marks=[pytest.mark.long] * (one.new not in QUICK)) for one in CHANGES],
    ids=lambda one: f"{one.model.name}: {one.site} {one.new[:30]}",
)
def test_a_change_is_seen_at_its_site(one: Change) -> None:
    assert first(of_change(one)) == (one.check, one.site)


def test_what_meets_no_observation_may_do_nothing() -> None:
    model = MODELS["where contributions meet"]
    skip = [check for check in (*SKIPPED, "data") if check != "gradients"]
    lines = verified(model, model.right(), skip=skip).lines
    assert [line.message for line in lines if line.check == "effect"] == [
        "1 of 5 elements of xi_a_s may move nothing: no observation has them",
        *(
            f"2 of 5 elements of xi_b_{parent} may move nothing: what {parent} adds to their "
            "observations is 0 or cancels"
            for parent in ("mu", "s", "a")
        ),
        "each element of xi_s_mu (2) moves it",
        "each element of xi_a_mu (5) moves it",
    ]


def test_what_the_config_gives_may_have_elements_that_do_nothing() -> None:
    """The x of the second county's observations cancel, and no name says what it multiplies."""
    met = MODELS["where contributions meet"]
    model = met._replace(
        config='[sites.a.offset]\nt = { value = "x * mu", per = "county" }\n',
    )
    skip = [check for check in (*SKIPPED, "data") if check != "gradients"]
    alone = verified(model, model.right(), skip=skip)
    assert first(alone) == ("effect", "a")
    asked = verified(model, model.right(), skip=skip, expected=load_model(model.right()))
    assert alarms(asked) == []
    wrong = model.right().replace("jnp.zeros(n_county)) *", "jnp.zeros(n_county)).at[3].set(0) *")
    asked = verified(model, wrong, skip=skip, expected=load_model(model.right()))
    assert {line.check for line in asked.different} == {"effect", "config"}


def test_there_are_many_of_them() -> None:
    assert len(CHANGES) >= 40


def alarms(report: Any) -> list[str]:
    return [line.message for line in report.lines if line.status in ("different", "unchecked")]


@pytest.mark.long
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_model_passes_all_checks(name: str) -> None:
    model = MODELS[name]
    assert alarms(verified(model, model.right(), points=20)) == []


@pytest.mark.long
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_fixture_passes_all_checks_at_many_points(case: Any) -> None:
    from reparam_rewrite.verifying import verify
    from reparam_rewrite.verifying.values import Options

    args, kwargs = load_model(case / "example.py", "example_args")()
    expected = load_model(rewritten_case(case).data)
    models = load_model(case / "model.py"), load_model(case / "model_reparam.py")
    assert alarms(verify(*models, args, kwargs, Options(points=20, expected=expected))) == []


@pytest.mark.long
@pytest.mark.parametrize("name", names())
def test_a_case_passes_all_checks(name: str) -> None:
    from reparam_rewrite.verifying import verify
    from reparam_rewrite.verifying.values import Options
    from tests.support.equivalence import arguments

    case = read_case(name)
    if not case.is_executed:
        return
    shape, expected = case.shape, case.shape.expected
    sources = shape.source, rewritten(shape.source, shape.config).data
    models = [load_model(source, expected.function) for source in sources]
    skip = () if expected.matter else ("effect", "offsets")
    assert alarms(verify(*models, arguments(shape), {}, Options(points=4, skip=skip))) == []


# What no change of a model shows


def test_draws_that_overflow_are_said_to_be_left_out() -> None:
    vague = MODELS["a vague prior"]
    skip = ("gradients", "jit", "data", "AutoNormal", "AutoDiagonalNormal", "NUTS")
    report = verified(vague, vague.right(), skip=skip)
    assert alarms(report) == []
    (line,) = [line for line in report.lines if line.check == "predictive"]
    assert line.message == "nothing to compare: draws of s2 from the prior overflow"


def test_a_prediction_for_fewer_observations() -> None:
    model = MODELS["where contributions meet"]
    county, state, x, *sizes = model.args
    skip = [check for check in SKIPPED if check != "data"]
    fewer = (county[2:4], state[2:4], x[2:4] + 1, *sizes), {}
    report = verified(model, model.right(), predict_args=fewer, skip=skip)
    assert alarms(report) == []
    (line,) = [line for line in report.lines if line.check == "data"]
    assert line.message == "with other data both models predict the same from one draw"


@pytest.mark.long
def test_a_prediction_from_data_that_are_given() -> None:
    careless = next(one for one in CHANGES if one.check == "data" and "mean(x)" in one.new)
    same = careless.model.args
    report = verified(careless.model, careless.wrong(), predict_args=(same, {}))
    assert alarms(report) == []
    x, group = same
    other = (2 * x, group), {}
    (line,) = verified(careless.model, careless.wrong(), predict_args=other).different
    assert (line.check, line.site) == ("data", "b")
    assert line.message.startswith("a draw means another 'b' with other data: ")


def test_the_sign_of_the_data_is_not_that_of_a_coefficient() -> None:
    model = MODELS["a negative mean of data"]
    skip = ("jit", "predictive", "data", "AutoNormal", "AutoDiagonalNormal", "NUTS")
    assert alarms(verified(model, model.right(), skip=skip)) == []


def test_a_call_without_latents_is_no_alarm() -> None:
    from reparam_rewrite.verifying import verify
    from reparam_rewrite.verifying.values import Options

    source = (
        "import numpyro\nimport numpyro.distributions as dist\n\n\ndef model(wide):\n"
        '    if wide:\n        mu = numpyro.sample("mu", dist.Normal(0, 1))\n'
        '    numpyro.sample("y", dist.Normal(0, 1), obs=1.0)\n'
    )
    skip = ("jit", "predictive", "data", "AutoNormal", "AutoDiagonalNormal", "NUTS")
    models = load_model(source), load_model(source)
    assert alarms(verify(*models, (False,), {}, Options(points=2, skip=skip))) == []
