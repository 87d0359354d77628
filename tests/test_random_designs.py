"""Random designs: generated offsets are what numpy projects, and no density is another one.

python -m pytest tests/test_random_designs.py -m long     # 2,000 of them
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers
from numpyro.infer.util import log_density

from tests.support.cases import rewritten
from tests.support.executed import code_of, digest_of, executed
from tests.support.execution import double_precision, load_model
from tests.support.random_designs import Design, random_design

#: As many are run each time; the others in the long run, which goes by hundreds.
FEW, ALL, STEP = 30, 2000, 100


def assert_projected(seed: int) -> None:
    """Assert that a design's generated model has its offsets, and the density of the plain one."""
    design = random_design(seed)
    print(f"seed {seed}\n{design.source}\n{design.config}")
    generated = rewritten(design.source, design.config).data.decode()
    print(generated)
    comparison = digest_of(code_of(design.source), code_of(generated), design.config, str(seed))
    if comparison in executed:
        return
    rng = np.random.default_rng([seed, 1])
    bases = {e.name: rng.normal(size=design.dims(e)) for e in design.effects}
    children = design.chain[1:]
    with double_precision():
        args, observed = call_of(design, rng)
        model = load_model(generated)
        based = {*children, *design.scales}
        given = {f"{n}_base" if n in based else n: jnp.asarray(v) for n, v in bases.items()}
        ones = handlers.substitute(model, substitute_fn=one_for_each_coefficient)
        found, trace = log_density(ones, args, observed, given)
        drawn = {name: trace[name]["value"] for name in bases}
        plain, _ = log_density(load_model(design.source), args, observed, drawn)
        densities = float(found), float(plain)
    values = {name: np.asarray(value) for name, value in drawn.items()}
    for child in children:
        scale = design.scales.get(child, 1.0)
        assert values[child].shape == bases[child].shape
        offset = bases[child] - scale * values[child]
        wanted = design.offset(child, values)
        if design.is_told(child):
            np.testing.assert_allclose(offset, wanted, rtol=1e-9, atol=1e-9, err_msg=child)
    determinant = sum(bases[name].size * np.log(scale) for name, scale in design.scales.items())
    np.testing.assert_allclose(densities[0], densities[1] - determinant, rtol=1e-9)
    executed.add(comparison)


def one_for_each_coefficient(site: dict[str, Any]) -> Any:
    if site["type"] == "param" and site["name"].startswith("xi_"):
        return jnp.ones(jnp.shape(site["args"][0]))
    return None


def call_of(design: Design, rng: np.random.Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of one call, with zeros and ones observed."""
    args = (*design.data.values(), *design.sizes.values())
    places = range(len(design.locations))
    return args, {f"y{at or ''}": rng.integers(0, 2, size=design.shape(at)) for at in places}


@pytest.mark.parametrize("seed", range(FEW))
def test_offsets_are_what_numpy_projects(seed: int) -> None:
    assert_projected(seed)


@pytest.mark.long
@pytest.mark.parametrize("first", range(FEW, ALL, STEP))
def test_two_thousand_of_them(first: int) -> None:
    for seed in range(first, min(first + STEP, ALL)):
        assert_projected(seed)
