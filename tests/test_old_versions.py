"""The oldest versions that pyproject.toml allows, in an environment that is made and thrown away.

It needs the index of packages, and some minutes of CPU time:

    python -m pytest -m long tests/test_old_versions.py
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cases import CASES, FIXTURES
from tests.support.cli import ROOT, environment

pytestmark = pytest.mark.long

#: Has a basis, whose transforms NumPyro has from 0.22 on.
HAS_BASIS = {
    case for case in CASES if re.search("basis|DiscreteCosine", (case / "offsets.toml").read_text())
}

#: What their data come in is not installed.
NEEDS_MORE = {case for case in CASES if "mixedlm" in (case / "example.py").read_text()}

ARGS = ("--args", "example.py:example_args")


def oldest() -> list[str]:
    """The lower bounds of what rewrites and of what runs models, each as the version it is."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["models"]]
    assert all(">=" in one for one in wanted)
    return [one.replace(">=", "==") for one in wanted]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Python of an environment that has those versions."""
    folder = tmp_path_factory.mktemp("oldest") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    found = str(folder / "bin" / "python")
    subprocess.run([found, "-m", "pip", "install", "--quiet", *oldest()], check=True)
    yield found
    shutil.rmtree(folder)


def run(python: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    variables = environment(PYTHONPYCACHEPREFIX=str(Path(python).parents[1] / "bytecode"))
    variables.pop("XLA_FLAGS", None)  # of this jaxlib: an older one knows others
    command = [python, "-m", "reparam_rewrite", *words]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)


def copied(case: Path, folder: Path) -> Path:
    """With the arrays that a config may have beside it."""
    return Path(shutil.copytree(case, folder, dirs_exist_ok=True))


def test_the_environment_has_the_oldest_versions(python: str) -> None:
    assert "numpyro==0.16" in oldest()
    code = "import sys, numpyro; print(numpyro.__version__, sys.prefix)"
    said = subprocess.check_output([python, "-c", code], text=True, cwd=os.sep)
    assert said == f"0.16.0 {Path(python).parents[1]}\n"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_generated_is_the_same(python: str, case: Path, tmp_path: Path) -> None:
    words = ("model.py", "--config", "offsets.toml", "-o", "model_reparam.py", "--check", "-v")
    ran = run(python, copied(case, tmp_path), *words)
    assert ran.returncode == 0, ran.stderr
    assert "model_reparam.py is up to date" in ran.stderr


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case not in HAS_BASIS | NEEDS_MORE],
    ids=lambda case: case.name,
)
def test_it_is_the_same_model(python: str, case: Path, tmp_path: Path) -> None:
    ran = run(python, copied(case, tmp_path), "verify", "model.py", "model_reparam.py", *ARGS)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "has no attribute" not in ran.stdout


@pytest.mark.parametrize(("options", "said"), [((), "conditional"), (("--offsets",), "chain")])
def test_suggest(python: str, options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    folder = copied(FIXTURES / "grand_mean", tmp_path)
    ran = run(python, folder, "suggest", "model.py", *options, *ARGS)
    assert ran.returncode == 0, ran.stderr
    assert f'{said} = ["mu", "a"]' in ran.stdout


@pytest.mark.parametrize("pilot", ["nuts", "fullrank"])
def test_fit(python: str, pilot: str, tmp_path: Path) -> None:
    folder = copied(FIXTURES / "grand_mean", tmp_path)
    words = ("fit", "model.py", "--config", "offsets.toml", "--pilot", pilot, "--bases", *ARGS)
    ran = run(python, folder, *words)
    assert ran.returncode == 0, ran.stderr
    fitted = tomllib.loads((folder / "offsets.toml").read_text())["sites"]["a"]
    assert fitted.keys() == {"offset"}  # no basis, which couldn't be imported
    assert fitted["offset"]["mu"]["init"] == pytest.approx(1.0, abs=0.1)


def test_bench(python: str, tmp_path: Path) -> None:
    folder = copied(FIXTURES / "grand_mean", tmp_path)
    words = ("bench", "model.py", "--config", "offsets.toml", *ARGS, "--nuts", "--svi", "--fit")
    short = ("--keys", "1", "--draws", "100", "--warmup", "50", "--steps", "200")
    ran = run(python, folder, *words, *short)
    assert ran.returncode == 0, ran.stderr
    assert "failed" not in ran.stdout
    for row in ("offsets.toml, fitted", "dense_mass=True", "LocScaleReparam(0)", "VIP", "NeuTra"):
        assert re.search(rf"^{re.escape(row)}.* \d", ran.stdout, re.MULTILINE), row


@pytest.mark.parametrize("command", ["verify", "fit"])
def test_a_basis_says_which_version_it_needs(python: str, command: str, tmp_path: Path) -> None:
    folder = copied(FIXTURES / "grand_mean", tmp_path)
    (folder / "offsets.toml").write_text('[sites.a]\noffset = "mu"\nbasis = "dct"\n')
    ran = run(python, folder, command, "model.py", "--config", "offsets.toml", *ARGS)
    assert ran.returncode == 2
    assert (
        "hint: DiscreteCosineTransform came with NumPyro 0.22, and this is 0.16.0: "
        "update NumPyro, or take the basis out of the config.\n"
    ) in ran.stderr
