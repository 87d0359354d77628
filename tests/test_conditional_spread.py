"""How good conditional coordinates are, and that wrong ones are told apart by it.

Any data in the .npz, and any coordinates that are a bijection given what was sampled before, leave
the density as it is: `verify` can't tell them from the right ones. The spread of
`potential - |base|**2 / 2` can.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.cases import FIXTURES
from tests.support.execution import assert_equivalent, load_model
from tests.support.spread import spread

#: Normal models of which all noise is read while they run, and whose priors are normal.
EXACT = ["births", "correlated", "crossed", "nested", "slopes", "studies", "tensor", "walks"]

Arrays = dict[str, Any]


@pytest.mark.parametrize("name", EXACT)
def test_bases_are_exactly_standard_normal(name: str) -> None:
    """At several values of the scales: the coordinates are right for all of them."""
    case = FIXTURES / f"conditional_{name}"
    args, observed = load_model(case / "example.py", "example_args")()
    model = load_model(case / "model_reparam.py")
    for seed in range(3):
        assert spread(model, args, observed, seed) < 1e-8


def wrong_gain(data: Arrays) -> None:
    for name in ("G", "G_across", "G_blocks"):
        data[f"conditional.{name}"] *= 1.5


def wrong_sign(data: Arrays) -> None:
    for name in ("h", "h_blocks"):
        data[f"conditional.{name}"] *= -1


def no_later_summand(data: Arrays) -> None:
    """What comes last isn't known to add to the same observations as those before."""
    data["conditional.G_across"] *= 0


def no_earlier_summand(data: Arrays) -> None:
    """The first isn't known to be in the data."""
    data["conditional.G"][:, 0] = data["conditional.G"][:, :, 0] = 0
    data["conditional.G_across"][:, 0] = 0


def other_observations(data: Arrays) -> None:
    """As of observations that were made anew: only the responses are others."""
    for name in ("conditional.h", "conditional.h_blocks"):
        data[name] += np.random.default_rng(0).normal(size=data[name].shape)


@pytest.mark.parametrize(
    "damage", [wrong_gain, wrong_sign, no_later_summand, no_earlier_summand, other_observations]
)
@pytest.mark.parametrize("name", ["crossed", "slopes"])
def test_wrong_data_leave_the_density_and_show_in_the_spread(
    tmp_path: Path, name: str, damage: Callable[[Arrays], None]
) -> None:
    case = shutil.copytree(FIXTURES / f"conditional_{name}", tmp_path / "case")
    with np.load(case / "offsets.npz") as file:
        data = dict(file)
    damage(data)
    np.savez(case / "offsets.npz", **data)
    args, observed = load_model(case / "example.py", "example_args")()
    plain, generated = load_model(case / "model.py"), load_model(case / "model_reparam.py")
    assert_equivalent(plain, generated, args, observed, points=3)
    assert spread(generated, args, observed) > 0.1
