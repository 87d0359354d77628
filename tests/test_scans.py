"""What is written where a scan samples the child is as black has it, and non-centred children."""

from __future__ import annotations

import black
import jax.numpy as jnp
import pytest

from tests.support.cases import rewritten_text
from tests.support.execution import assert_equivalent, assert_infers, double_precision, load_model
from tests.support.shapes import is_plain, names, outcome_of, read_case

CASES = {name: read_case(name) for name in names("scans")}


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.is_executed])
def test_stable_under_black(name: str) -> None:
    """Where the model is as black has it, so is what is generated, at any line length."""
    shape = CASES[name].shape
    if not is_plain(shape.source):
        return
    for width in (60, 72, 88, 100):
        mode = black.Mode(line_length=width)
        plain = black.format_str(shape.source.decode(), mode=mode)
        generated = rewritten_text(plain, shape.config, width)
        if width < 88 and "def stepwise" in generated:  # a definition is as wide as it is
            generated = generated[generated.index("def model") :]
        assert black.format_str(generated, mode=mode) == generated


CENTRED = {
    "a-learned-centring": "z_decentered_base",
    "non-centred-and-offset": "z_decentered_base",
    "non-centred-around-a-sum": "z_decentered",
    "non-centred-in-a-plate-of-the-body": "z_decentered_base",
    "partially-non-centred": "z_decentered",
}


@pytest.mark.parametrize(("name", "base"), CENTRED.items(), ids=CENTRED)
def test_non_centred_is_the_plain_model(name: str, base: str) -> None:
    shape = CASES[f"scans/{name}"].shape
    _, generated = outcome_of(shape)
    assert generated is not None
    with double_precision():
        plain, model = load_model(shape.source), load_model(generated)
        args = (3, jnp.arange(3.0))
    assert_equivalent(plain, model, args, points=5, bases={"z": base}, anew=True)
    if "plate" not in name:
        assert_infers(model, args, nuts=False)
