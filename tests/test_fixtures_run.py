"""Every case in fixtures/, executed: the generated model is the plain one in other coordinates."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from numpyro.infer.autoguide import AutoDiagonalNormal, AutoNormal

from tests.support.cases import CASES, FIXTURES, rewritten_case
from tests.support.execution import (
    assert_equivalent,
    assert_infers,
    load_model,
    log_density_jaxpr,
)

case_of = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def arguments(case: Path) -> tuple[tuple[Any, ...], dict[str, Any]]:
    example: tuple[tuple[Any, ...], dict[str, Any]] = load_model(
        case / "example.py", "example_args"
    )()
    return example


@case_of
def test_same_density_with_log_determinant(case: Path) -> None:
    args, kwargs = arguments(case)
    plain, generated = load_model(case / "model.py"), load_model(case / "model_reparam.py")
    bases = runpy.run_path(str(case / "example.py")).get("BASES")
    assert_equivalent(plain, generated, args, kwargs, points=20, bases=bases)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=[] if case.name == "constrained" else [pytest.mark.long])
        for case in CASES
    ],
    ids=lambda case: case.name,
)
def test_nuts_and_both_guides_run(case: Path) -> None:
    """To the end; that they start on every case is one of the checks of `verify`."""
    args, kwargs = arguments(case)
    example = runpy.run_path(str(case / "example.py"))
    assert_infers(
        load_model(case / "model_reparam.py"),
        args,
        kwargs,
        guides=example.get("GUIDES", (AutoNormal, AutoDiagonalNormal)),
        nuts=example.get("NUTS", True),
    )


@pytest.mark.parametrize("name", ["conditional", "grand_mean", "tensor"])
def test_same_program_as_an_expert_writes(name: str) -> None:
    case = FIXTURES / name
    args, kwargs = arguments(case)
    by_hand = log_density_jaxpr(load_model(case / "by_hand.py"), args, kwargs)
    assert log_density_jaxpr(load_model(case / "model_reparam.py"), args, kwargs) == by_hand


@pytest.mark.parametrize(
    "config",
    [
        'chain = ["mu", "a"]',
        '[sites.a]\noffset = "mu"\nlearn = false\ninit = 1.0',
        '[sites.a]\noffset = "mu"\nlearn = false\ninit = -0.5',
        '[sites.a]\noffset = "mu"\ncoefficient = "shared"\ninit = 0.7',
        "[sites.a.offset]\nmu = { center = 20.0, init = 0.5 }",
        '[sites.a.offset]\nmu = {}\nspread = { value = "jnp.log(sigma_a)" }',
        'chain = ["sigma_a", "sigma", "a"]\n[sites.sigma.offset]\nsigma_a = { init = 0.3 }',
    ],
    ids=lambda config: config.replace("\n", " "),
)
def test_every_config_is_another_valid_parameterization(config: str) -> None:
    case = FIXTURES / "grand_mean"
    args, kwargs = arguments(case)
    generated = load_model(rewritten_case(case, config).data)
    assert_equivalent(load_model(case / "model.py"), generated, args, kwargs, points=5)
