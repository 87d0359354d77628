"""What each observed location adds up to, as tests/sums.txt has it, and that it is so."""

from __future__ import annotations

from pathlib import Path

import pytest

from reparam_rewrite.survey.indexing import Item, Pick, layout_after
from reparam_rewrite.survey.terms import Layout
from tests.support.sums import Case, read_cases, sums_in, told, written_cases, wrong

FILE = Path(__file__).parent / "sums.txt"

CASES = read_cases(FILE.read_text())


def test_the_file_is_what_its_cases_write(request: pytest.FixtureRequest) -> None:
    lines = {case.name: list(case.lines) for case in CASES}
    if request.config.getoption("--golden"):
        lines = {case.name: list(told(sums_in(case.source))) for case in CASES}
        FILE.write_text(written_cases(CASES, lines))
    assert len(lines) == len(CASES)
    assert FILE.read_text() == written_cases(CASES, lines)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_a_location_adds_up_to(case: Case) -> None:
    assert tuple(told(sums_in(case.source))) == case.lines


@pytest.mark.concerns("survey")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_that_the_model_adds_it_up(case: Case) -> None:
    assert wrong(case, sums_in(case.source)) == []


@pytest.mark.parametrize(
    ("layout", "items", "expected"),
    [
        ((-2, -1), ["whole"], (-2, -1)),
        ((-2, -1), [Pick("g")], ("g", -1)),
        ((-1,), ["new", "whole"], ("", -1)),
        ((-1,), ["whole", "new"], (-1, "")),
        ((-2, -1), ["rest", "new"], (-2, -1, "")),
        ((-2, -1), ["rest", Pick("g")], (-2, "g")),
        ((-2, -1), [Pick("i"), Pick("j")], ("i, j",)),
        ((-2, -1), [Pick("0", one=True)], (-1,)),
        ((-2, -1), [Pick("i"), Pick("0", one=True)], ("i",)),
        ((-3, -2, -1), [Pick("i"), "whole", Pick("j")], ("i, j", -2)),
        ((-3, -2, -1), ["whole", Pick("i"), Pick("j")], (-3, "i, j")),
        (("g",), [Pick("j")], ("g[j]",)),
        ((-1,), [Pick("1:", part=True)], None),
        ((-1,), [Pick("")], None),
        (("i, j",), [Pick("k")], None),
        ((), ["whole"], None),
        (None, [Pick("g")], None),
    ],
)
def test_axes_after_an_index(layout: Layout, items: list[Item], expected: Layout) -> None:
    assert layout_after(layout, items) == expected
