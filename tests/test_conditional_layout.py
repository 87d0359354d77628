"""What is generated for conditional coordinates is as formatters want it, at their usual widths."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from reparam_rewrite.emit.conditional import FORMS
from tests.support.cases import rewritten_text
from tests.support.shapes import HEAD

MODEL = """\
def model(g, n, number_of_lecturers, y=None):
    mean_of_all_ratings = numpyro.sample("mean_of_all_ratings", dist.Normal(0.0, 2.0))
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0.0, 1.5))
    # the lecturers
    sigma_of_the_lecturers = numpyro.sample("sigma_of_the_lecturers", dist.HalfNormal(1.0))
    with numpyro.plate("number_of_lecturers", number_of_lecturers):
        b = numpyro.sample("effect_of_the_lecturer", dist.Normal(0.0, sigma_of_the_lecturers))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1.0))
    numpyro.sample("y", dist.Normal(mean_of_all_ratings + a[g] + b[g], sigma), obs=y)
"""

CONFIG = """\
[conditional]
order = ["mean_of_all_ratings", "a", "effect_of_the_lecturer"]
form = "{form}"
data = "fitted.npz"
noise = {{ y = "sigma" }}
"""


def formatted(command: list[str], source: str) -> str:
    ran = subprocess.run(command, input=source, capture_output=True, text=True, check=True)
    return ran.stdout


@pytest.mark.parametrize("width", [79, 88, 100, 120])
@pytest.mark.parametrize("form", FORMS)
def test_formatters_leave_it_alone(form: str, width: int) -> None:
    black = [sys.executable, "-m", "black", "-q", "-l", str(width), "-"]
    ruff = [shutil.which("ruff") or "", "format", "--isolated", "--line-length", str(width), "-"]
    source = formatted(black, HEAD.rstrip() + "\n\n\n" + MODEL)
    generated = rewritten_text(source, CONFIG.format(form=form), width)
    assert formatted(black, generated) == generated
    assert formatted(ruff, generated) == generated
