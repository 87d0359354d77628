"""Does `verify` catch what is wrong with a generated file, and name the site that it is about?"""

from __future__ import annotations

import pytest

from tests.support.cases import CASES
from tests.verify_mutations import MUTATIONS, Mutation, first_site, verified


@pytest.mark.parametrize("one", MUTATIONS, ids=lambda one: f"{one.case}: {one.what}")
def test_a_mutation_is_caught_and_its_site_is_named(one: Mutation) -> None:
    report = verified(one)
    assert report.different, "the mutation is not caught"
    assert first_site(report) in one.sites, [line.message for line in report.different]


def test_there_are_mutations_of_every_fixture() -> None:
    assert len(MUTATIONS) >= 60
    assert {one.case for one in MUTATIONS} == {case.name for case in CASES}
