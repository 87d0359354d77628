"""Bases that are exactly standard normal given the data, in every normal fixture.

What is wrong in coordinates shows in the same figure: tests/test_verify_conditional.py.
"""

from __future__ import annotations

import jax
import numpy as np
import pytest
from numpyro.infer import init_to_median
from numpyro.infer.util import initialize_model

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


@pytest.mark.parametrize("name", ["crossed", "walks"])
def test_several_draws_of_a_base_at_once(name: str) -> None:
    """As NumPyro's `init_to_median` asks for."""
    case = FIXTURES / f"conditional_{name}"
    args, observed = load_model(case / "example.py", "example_args")()
    model = load_model(case / "model_reparam.py")
    start = init_to_median(num_samples=3)
    found = initialize_model(
        jax.random.PRNGKey(0), model, init_strategy=start, model_args=args, model_kwargs=observed
    )
    assert all(np.isfinite(value).all() for value in found.param_info.z.values())
