"""What formatters and sorters make of generated files is up to date; linters find nothing new."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.rewriting import rewrite
from reparam_rewrite.source.reading import read
from reparam_rewrite.source.stamp import read_stamp, stamped
from reparam_rewrite.source.up_to_date import origin
from tests.support.cases import CASES

WIDTHS = (72, 79, 88, 100, 120)
RULES = "E,F,I,B,SIM,UP"

#: What changes the files in place; the width is that of another file than the generated one.
TOOLS = {
    "black": ["black", "-q", "-l", "50"],
    "black to come": ["black", "-q", "-l", "50", "--preview", "--unstable"],
    "ruff format": ["ruff", "format", "-q", "--isolated", "--line-length", "50"],
    "ruff format to come": [
        "ruff",
        "format",
        "-q",
        "--isolated",
        "--preview",
        "--line-length",
        "50",
    ],
    "ruff format with tabs and other line ends": [
        *["ruff", "format", "-q", "--isolated"],
        *["--config", "format.indent-style='tab'", "--config", "format.quote-style='single'"],
        *["--config", "format.line-ending='cr-lf'"],
    ],
    "ruff check": ["ruff", "check", "-q", "--isolated", "--select", RULES, "--fix", "--exit-zero"],
    "isort": ["isort", "-q", "--settings-path", "{folder}"],
    "isort for black": ["isort", "-q", "--settings-path", "{folder}", "--profile", "black"],
    "isort for google": ["isort", "-q", "--settings-path", "{folder}", "--profile", "google"],
    "isort for lines": [
        *["isort", "-q", "--settings-path", "{folder}", "--force-single-line-imports"],
        *["--line-width", "60", "--force-sort-within-sections"],
    ],
    "yapf": ["yapf", "--in-place", "--recursive", "--no-local-style"],
    "yapf for google": ["yapf", "-i", "-r", "--no-local-style", "--style", "google"],
    "yapf for facebook": ["yapf", "-i", "-r", "--no-local-style", "--style", "facebook"],
}


@cache
def generated(case: Path, width: int) -> bytes:
    """What a fixture becomes where lines may be so long."""
    config = read_config((case / "offsets.toml").read_bytes(), "offsets.toml")
    return rewrite(read("model.py", (case / "model.py").read_bytes()), config, width).data


def with_header(case: Path, width: int, head: bytes = b"") -> bytes:
    data = (case / "model.py").read_bytes()
    made_from = origin("0.1.0", "out.py", ("model.py", data), ("offsets.toml", b""), width)
    return stamped(head + generated(case, width), made_from)


@pytest.fixture
def files(tmp_path: Path) -> dict[Path, bytes]:
    """Generated files, narrow ones, with a shebang and so on, and what they hold."""
    made = {}
    for case in CASES:
        made[tmp_path / f"{case.name}.py"] = with_header(case, 72)
    heads = {
        "shebang": b"#!/usr/bin/env python\n",
        "encoding": b"# -*- coding: latin-1 -*-\n",
        "comment": b"# A comment of the model.\n",
        "all": b"#!/usr/bin/env python\n# coding: latin-1\n# A comment of the model.\n",
        "future": b"from __future__ import annotations\n",
    }
    for name, head in heads.items():
        made[tmp_path / f"{name}.py"] = with_header(CASES[0], 88, head)
    for file, data in made.items():
        file.write_bytes(data)
    return made


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_what_a_formatter_makes_of_generated_files_is_up_to_date(
    tool: list[str], files: dict[Path, bytes], tmp_path: Path
) -> None:
    """And it leaves them alone when it comes by again."""
    command = [part.replace("{folder}", str(tmp_path)) for part in tool]
    for _ in range(2):
        before = {file: file.read_bytes() for file in files}
        done = subprocess.run(
            [sys.executable, "-m", *command, str(tmp_path)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
    for file, data in files.items():
        stamp, other = read_stamp(file.read_bytes()), read_stamp(data)
        assert stamp is not None and other is not None, file.name
        assert not stamp.edited, file.name
        assert stamp.same(other)
        assert file.read_bytes() == before[file]
    assert any(file.read_bytes() != files[file] for file in files) or tool[1] == "check"


def findings(folder: Path, width: int) -> dict[str, Counter[str]]:
    """By file, the rules that ruff finds broken, with the line of the source that it is."""
    command = ["ruff", "check", "--isolated", "--no-cache", "--select", RULES, "--exit-zero"]
    command += ["--line-length", str(width), "--output-format", "json", str(folder)]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, check=True)
    found: dict[str, Counter[str]] = {}
    for said in json.loads(done.stdout):
        file = Path(said["filename"])
        line = file.read_text().splitlines()[said["location"]["row"] - 1]
        text = line.strip() if said["code"] == "E501" else ""
        found.setdefault(file.name, Counter())[f"{said['code']} {text}"] += 1
    return found


@pytest.mark.parametrize("width", WIDTHS)
def test_ruff_finds_nothing_new(width: int, tmp_path: Path) -> None:
    """With the header, and without it; the classes of effects given the data are 79 wide."""
    for name in ("plain", "generated"):
        (tmp_path / name).mkdir()
    for case in CASES:
        if width < 79 and case.name.startswith("conditional_"):
            continue
        name = f"{case.name}.py"
        shutil.copy(case / "model.py", tmp_path / "plain" / name)
        (tmp_path / "generated" / name).write_bytes(generated(case, width))
        (tmp_path / "generated" / f"whole_{name}").write_bytes(with_header(case, width))
    plain, found = (findings(tmp_path / name, width) for name in ("plain", "generated"))
    new = {
        name: said - plain.get(name.removeprefix("whole_"), Counter())
        for name, said in found.items()
    }
    assert {name: said for name, said in new.items() if said} == {}
