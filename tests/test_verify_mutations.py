"""Does `verify` catch what is wrong with a generated file, and name the site that it is about?"""

from __future__ import annotations

import pytest

from tests.support.cases import CASES
from tests.support.executed import executed
from tests.verify_mutations import MUTATIONS, Mutation, digest, first_site, verified


@pytest.mark.parametrize("one", MUTATIONS, ids=lambda one: f"{one.case}: {one.what}")
def test_a_mutation_is_caught_and_its_site_is_named(one: Mutation) -> None:
    known = digest(one)
    if known in executed:
        return  # by this very code of `verify`
    report = verified(one)
    assert report.different, "the mutation is not caught"
    assert first_site(report) in one.sites, [line.message for line in report.different]
    executed.add(known)


def test_there_are_mutations_of_every_fixture() -> None:
    assert len(MUTATIONS) >= 60
    """Those of effects given the data are broken in test_verify_conditional."""
    names = {case.name for case in CASES if not case.name.startswith("conditional_")}
    assert names <= {one.case for one in MUTATIONS}
