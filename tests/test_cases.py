"""Every shape in tests/cases/ becomes what its file says, and is executed if that is new.

    pytest tests/test_cases.py --golden     writes down what becomes of them now

`tests/support/shapes.py` says what stands in a file.
"""

from __future__ import annotations

import pytest

from tests.support.shapes import (
    assert_executed,
    assert_rewritten,
    names,
    outcome_of,
    read_case,
    write_outcome,
)


@pytest.mark.parametrize("name", names())
def test_case(name: str, pytestconfig: pytest.Config) -> None:
    case = read_case(name)
    outcome, generated = outcome_of(case.shape)
    if pytestconfig.getoption("--golden") and outcome != case.outcome:
        write_outcome(name, outcome)
    else:
        assert outcome == case.outcome
    if generated is not None:
        assert_rewritten(case.shape, generated)
    elif case.shape.call:
        assert_executed(case.shape)


def test_cases_are_unlike() -> None:
    shapes = {name: read_case(name).shape for name in names()}
    asked = {name: (shape.source, shape.config, shape.call) for name, shape in shapes.items()}
    assert len(set(asked.values())) == len(asked)
