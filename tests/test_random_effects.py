"""Random effects in conditional coordinates: no density is another one, and normal ones are exact.

python -m pytest tests/test_random_effects.py -m long     # 300 of them
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.conditional import fitted
from tests.support.execution import assert_equivalent, load_model
from tests.support.random_effects import random_effects
from tests.support.spread import spread

#: As many are run each time; the others in the long run.
FEW, ALL, STEP = 3, 300, 10


def assert_normal_given_the_data(seed: int, folder: Path) -> None:
    """Assert that a model has its density, and bases that are normal given the data if they can."""
    made = random_effects(seed)
    print(f"seed {seed}\n{made.source}\n{made.config}")
    found = fitted(folder, made.source.encode(), made.config, made.call)
    print(found.config.text, found.generated.read_text().rpartition("\n\n\ndef ")[2], sep="\n")
    plain, generated = load_model(found.plain), load_model(found.generated)
    args, kwargs = found.call.args, dict(found.call.kwargs)
    assert_equivalent(plain, generated, args, kwargs, points=3, offsets=False)
    if made.exact:
        assert spread(generated, args, kwargs) < 1e-8


@pytest.mark.parametrize("seed", range(FEW))
def test_effects_of_a_few_models(seed: int, tmp_path: Path) -> None:
    assert_normal_given_the_data(seed, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("first", range(FEW, ALL, STEP))
def test_effects_of_many_models(first: int, tmp_path: Path) -> None:
    for seed in range(first, min(first + STEP, ALL)):
        folder = tmp_path / str(seed)
        folder.mkdir()
        assert_normal_given_the_data(seed, folder)
