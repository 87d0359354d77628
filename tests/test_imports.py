"""New imports are sorted as those of the file are; tests/cases/imports/ has where they land."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cases import rewritten, rewritten_text
from tests.support.shapes import is_plain, names, read_case

CONFIG = '[sites.a]\noffset = "mu"\n'

MODEL = """
def model(n):
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    a = numpyro.sample("a", dist.Normal(0, 1).expand([n]))
    return mu + a
"""

PLAIN = "import numpyro\nimport numpyro.distributions as dist\n"

#: How ruff sorts by itself, and the other order in use.
ORDERS: list[list[str]] = [[], ["--config", "lint.isort.force-sort-within-sections = true"]]


def unsorted(folder: Path, order: list[str]) -> set[str]:
    """The names of the files that ruff would sort otherwise."""
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", "I"]
    command = [*ruff, "--output-format", "concise", *order, str(folder)]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return {Path(line.partition(":")[0]).stem for line in lines.splitlines() if ".py:" in line}


@pytest.mark.parametrize("order", ORDERS, ids=["isort's order", "by module"])
def test_sorted_imports_stay_sorted(order: list[str], tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    for name in names("imports"):
        case = read_case(name)
        if case.is_rewritten and is_plain(case.shape.source):
            file = f"{Path(name).name}.py"
            (before / file).write_bytes(case.shape.source)
            (after / file).write_bytes(rewritten(case.shape.source, case.shape.config).data)
    wrong = unsorted(after, order) - unsorted(before, order)
    own = {"an-import-of-ones-own-may-set-up-jax"}  # and stays in front
    # These are sorted either way, and nothing in the file tells which way is meant.
    assert wrong == own | ({"sections", "in-the-function-around"} if order else set())


def test_a_long_import_has_a_name_a_line() -> None:
    plain = f"{PLAIN}\nAffineTransform = 3\n{MODEL}"
    output = rewritten_text(plain, CONFIG, width=72)
    package = "numpyro.distributions.transforms"
    assert f"from {package} import (\n    AffineTransform as AffineTransform_2,\n)\n" in output


def test_a_longer_line_takes_more_names() -> None:
    head = "import numpyro\nimport numpyro.distributions as dist\n"
    names = "CircularReparam, LocScaleReparam, NeuTraReparam"
    plain = f"{head}from numpyro.infer.reparam import {names}\n\n{MODEL}"
    wide = rewritten_text(plain, CONFIG, width=100)
    assert f"import {names.replace('L', 'ExplicitReparam, L', 1)}\n" in wide
