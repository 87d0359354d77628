"""Bases that are exactly standard normal given the data, in every normal fixture.

What is wrong in coordinates shows in the same figure: tests/test_verify_conditional.py.
"""

from __future__ import annotations

import pytest

from reparam_rewrite.running.spread import spread_of
from tests.support.cases import FIXTURES
from tests.support.execution import double_precision, is_latent, load_model, structure

#: Normal models of which all noise is read while they run, and whose priors are normal.
EXACT = ["births", "correlated", "crossed", "nested", "slopes", "studies", "tensor", "walks"]


@pytest.mark.parametrize("name", EXACT)
def test_bases_are_exactly_standard_normal(name: str) -> None:
    """At several values of the scales: the coordinates are right for all of them."""
    case = FIXTURES / f"conditional_{name}"
    args, observed = load_model(case / "example.py", "example_args")()
    model = load_model(case / "model_reparam.py")
    with double_precision():
        sites = structure(model, args, observed).items()
        bases = [name for name, site in sites if is_latent(site) and name.endswith("_base")]
        assert spread_of(model, args, observed, bases) < 1e-8
