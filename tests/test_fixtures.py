"""Every case in fixtures/, as text: what is generated, byte for byte."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from difflib import ndiff
from pathlib import Path

import black
import pytest

from tests.support.cases import CASES, FIXTURES, WIDTH, golden, rewritten, rewritten_case
from tests.support.cli import ROOT, Ran, run

case_of = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def test_the_cases_are_there() -> None:
    names = {case.name for case in CASES}
    assert {"conditional", "crossed", "grand_mean", "tensor", "tensor_broadcast"} <= names


@case_of
def test_golden(case: Path) -> None:
    assert rewritten_case(case).data == golden(case)


def test_the_stamps_are_up_to_date() -> None:
    """All of them are targets of this project's own pyproject.toml."""
    assert run(ROOT, "--check") == Ran(0, b"", f"{len(CASES)} targets: {len(CASES)} up to date\n")


@case_of
def test_second_pass_changes_nothing(case: Path) -> None:
    given = (case / "model_reparam.py").read_bytes()
    again = rewritten(given, (case / "offsets.toml").read_bytes())
    assert again.already
    assert again.data == given


@case_of
def test_same_bytes_in_another_process(case: Path) -> None:
    """Sets and dictionaries are ordered by hash, which differs from process to process."""
    command = [sys.executable, "-m", "reparam_rewrite", case / "model.py", "-q"]
    result = subprocess.run(
        [*command, "--config", case / "offsets.toml"], capture_output=True, check=True
    )
    assert result.stdout == golden(case)


@case_of
@pytest.mark.parametrize("name", ["model.py", "model_reparam.py"])
def test_stable_under_black(case: Path, name: str) -> None:
    text = (case / name).read_text()
    assert black.format_str(text, mode=black.Mode(line_length=WIDTH)) == text


def test_stable_under_ruff() -> None:
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--check", FIXTURES]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_imports_stay_sorted() -> None:
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "I", FIXTURES]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


@case_of
def test_the_model_is_kept_line_by_line(case: Path) -> None:
    """Only headers that gained a handler and statements that were wrapped may differ."""
    plain = (case / "model.py").read_text().splitlines()
    generated = golden(case).decode().splitlines()
    lost = [line[2:] for line in ndiff(plain, generated) if line.startswith("- ") and line[2:]]
    everything = "".join("".join(generated).split()).replace(
        ",)", ")"
    )  # a statement may be broken anew
    for line in lost:
        if f"{line.split()[0]}_prior = " in "\n".join(generated):
            continue  # its distribution has moved to a line of its own
        if re.search(r"def evolve\(|scan\(|[zAB] = numpyro.sample", line) and case.name == "kalman":
            continue  # what a scan runs is changed in place
        kept = line.strip()
        if kept.startswith("with "):  # its items may have a line each now
            kept = kept.removeprefix("with ").removesuffix(":")
        assert "".join(kept.split()).replace(",)", ")") in everything, line
    gained = len(generated) - len(plain)
    assert len(lost) < gained


@case_of
def test_nothing_of_ours_is_imported(case: Path) -> None:
    tree = ast.parse((case / "model_reparam.py").read_bytes())
    modules = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])
        + [alias.name for alias in node.names if isinstance(node, ast.Import)]
    }
    assert modules <= {"jax", "numpyro", *sys.stdlib_module_names}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ('[sites.a]\noffset = "mu"', 'numpyro.param("xi_a_mu", jnp.zeros(n_a)) * mu'),
        ('[sites.a]\noffset = "mu"\ninit = 1.0', 'numpyro.param("xi_a_mu", jnp.ones(n_a)) * mu'),
        ('[sites.a]\noffset = "mu"\ninit = 0.5', "jnp.full(n_a, 0.5)) * mu"),
        ('[sites.a]\noffset = "mu"\ncoefficient = "shared"', 'param("xi_a_mu", 0.0) * mu'),
        ('[sites.a]\noffset = "mu"\nlearn = false\ninit = 0.25', "a_loc = 0.25 * mu"),
        ('[sites.a]\noffset = "mu"\nlearn = false\ninit = 1', "a_loc = mu\n"),
        ('[sites.a]\noffset = "mu"\nlearn = false\ninit = -1', "a_loc = -mu\n"),
        ("[sites.a.offset]\nmu = { center = 20.0 }", "jnp.zeros(n_a)) * (mu - 20.0)"),
        ("[sites.a.offset]\nmu = { center = -2 }", "jnp.zeros(n_a)) * (mu + 2.0)"),
        ('[sites.a.offset]\nx = { value = "2 * mu" }', "jnp.zeros(n_a)) * (2 * mu)\n"),
        ('[sites.a.offset]\nx = { value = "group" }', "jnp.broadcast_to(group, (n_a,))"),
        ('[sites.a]\noffset = "mu"\nname = "w_{parent}"', 'param("w_mu", jnp.zeros(n_a)) * mu'),
    ],
    ids=lambda value: value.replace("\n", " ") if value.startswith("[") else "",
)
def test_one_line_of_config_is_another_parameterization(config: str, expected: str) -> None:
    case = FIXTURES / "grand_mean"
    before = (case / "model.py").read_bytes()
    assert expected in rewritten_case(case, config).data.decode()
    assert (case / "model.py").read_bytes() == before
