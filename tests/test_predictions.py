"""Draws of a generated model mean the same with other data: it predicts what the plain one does.

On every fixture, from draws of all its sites, and with new data: without the observations, with
those that belong to the new data, and where there are several, with one of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.infer import Predictive

from tests.support.cases import CASES
from tests.support.executed import executed
from tests.support.execution import comparison_of, is_latent, load_model, structure

#: Models that are never called without observations, as they count them.
OBSERVING = {"non_centred"}


def reversed_rows(value: Any) -> Any:
    """Other data of the same sizes."""
    return value[::-1] if np.ndim(value) else value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_predictions_are_those_of_the_plain_model(case: Path) -> None:
    example = load_model(case / "example.py", "example_args")
    args, observed = example()
    names = list(observed)
    if "new_args" in example.__globals__:
        new, _ = load_model(case / "example.py", "new_args")()
        others = {name: observed[name][: len(new[0])] for name in names}
    else:
        new = tuple(map(reversed_rows, args))
        others = {name: reversed_rows(value) for name, value in observed.items()}
    models = [load_model(case / f"{name}.py") for name in ("model", "model_reparam")]
    comparison = comparison_of(models, (args, observed, new, others))
    if comparison is not None and comparison in executed:
        return
    keys = jax.random.split(jax.random.PRNGKey(0))
    sites = structure(models[1], args, observed).items()
    starts = {name: site["args"][0] for name, site in sites if site["type"] == "param"}
    params = {name: jnp.full(jnp.shape(start), 0.7) for name, start in starts.items()}
    drawn = Predictive(models[1], params=params, num_samples=2)(keys[0], *args, **observed)
    draws = {name: value for name, value in drawn.items() if name not in names}
    plain = structure(models[0], args, observed)
    assert {name for name, site in plain.items() if is_latent(site)} <= {*draws}
    given = [
        *([{}] if case.name not in OBSERVING else []),
        others,
        *([{n: others[n]} for n in names] if len(names) > 1 else []),
    ]
    for kwargs in given:
        predicting = (Predictive(model, draws, params=params) for model in models)
        wanted, found = (predict(keys[1], *new, **kwargs) for predict in predicting)
        for name, value in wanted.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-5, err_msg=name)
    if comparison is not None:
        executed.add(comparison)
