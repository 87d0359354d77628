"""The record of comparisons that passed: nothing that changed may be taken for one of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.executed import digest_of, executed
from tests.support.shapes import Shape, assert_shape

SHAPE = Shape(
    """
    def model(x):
        mu = numpyro.sample("mu", dist.Normal(x.sum(), 1))
        a = numpyro.sample("a", dist.Normal(0, 1))
    """,
    args=(np.zeros(3),),
    offsets={"a": "xi_a_mu * mu"},
)


@pytest.mark.parametrize(
    "change",
    [
        {"source": str(SHAPE.source).replace("0, 1", "0, 2")},
        {"args": (np.ones(3),)},
        {"args": (np.zeros((3, 1)),)},
        {"args": (np.zeros(3, np.float32),)},
        {"args": (np.zeros(3, np.int64),)},
        {"offsets": {"a": "xi_a_mu"}},
        {"config": '[sites.a]\noffset = { mu = { name = "xi" } }'},
        {"function": "other"},
    ],
    ids=str,
)
def test_another_comparison_is_executed(change: dict[str, Any]) -> None:
    changed: Shape = replace(SHAPE, **change)
    assert changed.comparison(b"generated") != SHAPE.comparison(b"generated")


def test_another_generated_model_is_executed() -> None:
    assert SHAPE.comparison(b"generated") != SHAPE.comparison(b"Generated")


def test_what_holds_an_object_is_always_executed() -> None:
    assert digest_of((object(),)) is None
    assert digest_of((object(),)) not in executed


def test_what_is_not_in_the_record_must_be_right() -> None:
    with pytest.raises(AssertionError, match="the offset of 'a'"):
        assert_shape(replace(SHAPE, offsets={"a": "2.0 * xi_a_mu * mu"}))
