"""What is written where a scan samples the child is as black has it."""

from __future__ import annotations

import black
import pytest

from tests.support.cases import rewritten_text
from tests.support.shapes import is_plain, names, read_case

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
        assert black.format_str(generated, mode=mode) == generated
