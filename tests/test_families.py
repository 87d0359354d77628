"""The table of distributions against the NumPyro that is installed."""

from __future__ import annotations

import numpyro.distributions as dist
import pytest
from numpyro.distributions import biject_to, constraints

from reparam_rewrite.survey.families import FAMILIES
from tests.support.make_families import TARGET, generate


def test_the_table_is_what_the_script_writes() -> None:
    assert TARGET.read_text() == generate()


FIXED = sorted(
    {
        family.support
        for family in FAMILIES.values()
        if family.support not in ("dependent", "discrete", "atomic", "sphere")
    }
)


@pytest.mark.parametrize("name", FIXED)
def test_every_fixed_support_can_be_unconstrained(name: str) -> None:
    biject_to(getattr(constraints, name))


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (dist.HalfNormal(1.0), "positive"),
        (dist.Beta(1.0, 1.0), "unit_interval"),
        (dist.Normal(0.0, 1.0), "real"),
        (dist.GaussianRandomWalk(1.0, 3), "real_vector"),
        (dist.LogNormal(0.0, 1.0), "positive"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_supports_are_those_of_the_distributions(made: dist.Distribution, name: str) -> None:
    assert FAMILIES[type(made).__name__].support == name
    assert made.support is getattr(constraints, name)
