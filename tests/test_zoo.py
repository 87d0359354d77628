"""The models of tests/benchmarks/zoo run with their data, and have a density there."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers
from numpyro.distributions import biject_to
from numpyro.infer.util import log_density

from tests.support.execution import compiled, double_precision, is_latent, load_model

ZOO = Path(__file__).parent / "benchmarks" / "zoo"
NAMES = sorted(path.stem for path in ZOO.glob("*.py") if path.stem != "__init__")


def middle(site: Any) -> Any:
    """The value of a latent site that is 0 in the space in which it is sampled."""
    if not is_latent(site):
        return None
    to_support = biject_to(site["fn"].support)
    return to_support(jnp.zeros(to_support.inverse_shape(site["fn"].shape())))


@pytest.mark.parametrize("name", NAMES)
def test_a_model_of_the_zoo_has_a_finite_log_density(name: str) -> None:
    model = load_model(ZOO / f"{name}.py")
    args, kwargs = load_model(ZOO / f"{name}.py", "example_args")()
    there = handlers.substitute(model, substitute_fn=middle)
    with double_precision():
        found = compiled(lambda: log_density(there, args, kwargs, {})[0])()
    assert np.isfinite(found)
