"""The record of comparisons that passed: nothing that changed may be taken for one of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.cases import rewritten
from tests.support.shapes import Expected, Shape, assert_executed, usual

MODEL = """\
def model(x):
    mu = numpyro.sample("mu", dist.Normal(x.sum(), 1))
    a = numpyro.sample("a", dist.Normal(0, 1))
"""
SHAPE = Shape(usual(MODEL), call="(np.zeros(3),)", expected=Expected({"a": "xi_a_mu * mu"}))
GENERATED = rewritten(SHAPE.source, SHAPE.config).data


@pytest.mark.parametrize(
    "change",
    [
        {"source": usual(MODEL.replace("0, 1", "0, 2"))},
        {"source": usual(MODEL.replace('"a"', '"a "'))},
        {"call": "(np.ones(3),)"},
        {"expected": Expected({"a": "xi_a_mu"})},
        {"expected": Expected({"a": "xi_a_mu * mu"}, function="other")},
        {"config": '[sites.a]\noffset = { mu = { name = "xi" } }'},
    ],
    ids=str,
)
def test_another_comparison_is_executed(change: dict[str, Any]) -> None:
    changed: Shape = replace(SHAPE, **change)
    assert changed.comparison(GENERATED) != SHAPE.comparison(GENERATED)


def test_another_generated_model_is_executed() -> None:
    changed = GENERATED.replace(b"1))\n    with", b"2))\n    with")
    assert changed != GENERATED
    assert SHAPE.comparison(changed) != SHAPE.comparison(GENERATED)


def test_layout_comments_and_the_order_of_imports_execute_nothing() -> None:
    lines = GENERATED.decode().splitlines()
    lines[:2] = reversed(lines[:2])
    changed = "\n".join(lines).replace("(0, 1)", "(\n        0,  # of it\n        1,\n    )")
    assert SHAPE.comparison(changed.encode()) == SHAPE.comparison(GENERATED)


def test_what_is_not_in_the_record_must_be_right() -> None:
    wrong = replace(SHAPE, expected=Expected({"a": "2.0 * xi_a_mu * mu"}))
    with pytest.raises(AssertionError, match="the offset of 'a'"):
        assert_executed(wrong, GENERATED)
