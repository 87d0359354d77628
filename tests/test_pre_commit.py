"""The real pre-commit in real repositories: the paste of the README, and our own hooks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reparam_rewrite.source.stamp import read_stamp
from tests.support.cases import CASES, FIXTURES
from tests.support.cli import ROOT
from tests.support.pages import PAGES, blocks

GRAND_MEAN = FIXTURES / "grand_mean"
(SHOWN,) = [block for block in blocks("toml") if "targets" in block]
TARGETS = SHOWN.replace("schools", "model")  # as the files of the fixture are called
(PASTE,) = blocks("yaml")
(ARGS,) = re.findall(r"`(args: \[.*?\])`", PAGES["docs/pre-commit.md"])


class Repository:
    """A repository with a model, its config and pre-commit installed as a git hook."""

    def __init__(self, folder: Path, hooks: str, targets: str | None) -> None:
        self.folder = folder
        folder.mkdir()
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
            "PATH": path,
            "HOME": str(folder.parent),
            "PRE_COMMIT_HOME": str(folder.parent / "cache"),
        }
        for name in ("model.py", "offsets.toml"):
            shutil.copy(GRAND_MEAN / name, folder / name)
        if targets is not None:
            (folder / "pyproject.toml").write_text(targets)
        (folder / ".pre-commit-config.yaml").write_text(hooks)
        self.run("git", "init", "-q")
        self.run("git", "config", "user.name", "t")
        self.run("git", "config", "user.email", "t@example.org")
        assert self.run("pre-commit", "install").returncode == 0

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True
        )

    def commit(self) -> tuple[bool, str]:
        """Stage everything and commit it: whether the hooks let it pass, and what was said."""
        self.run("git", "add", ".")
        done = self.run("git", "commit", "-m", "a change")
        return done.returncode == 0, done.stdout + done.stderr

    @property
    def output(self) -> bytes:
        return (self.folder / "model_reparam.py").read_bytes()


def assert_life_of_a_hook(repository: Repository) -> None:
    """It writes once and then passes; each source alone brings it back; others don't."""
    passed, said = repository.commit()
    assert not passed, said
    assert repository.output == (GRAND_MEAN / "model_reparam.py").read_bytes(), said
    passed, said = repository.commit()
    assert passed, said
    config, model = repository.folder / "offsets.toml", repository.folder / "model.py"
    for file, change in (
        (config, ('offset = "mu"', 'offset = "mu"\ninit = 0.5')),
        (model, ("Normal(0, 10)", "Normal(0, 20)")),
    ):
        before = repository.output
        file.write_text(file.read_text().replace(*change))
        passed, said = repository.commit()
        assert not passed, said
        assert "wrote model_reparam.py" in said
        assert repository.output != before
        passed, said = repository.commit()
        assert passed, said
    (repository.folder / "notes.md").write_text("nothing of this is a model\n")
    passed, said = repository.commit()
    assert passed
    assert "(no files to check)Skipped" in said


def test_the_paste_of_the_readme(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "r", PASTE, TARGETS)
    assert_life_of_a_hook(repository)
    # What was edited by hand is not lost, and the way out is in the message.
    out = repository.folder / "model_reparam.py"
    out.write_bytes(out.read_bytes() + b"# mine\n")
    passed, said = repository.commit()
    assert not passed
    assert "the output was edited since it was generated" in said
    assert "--force" in said
    assert out.read_bytes().endswith(b"# mine\n")


@pytest.fixture(scope="module")
def cloned(tmp_path_factory: pytest.TempPathFactory) -> str:
    """This repository as it stands, committed, for pre-commit to install from."""
    folder = tmp_path_factory.mktemp("source") / "reparam-rewrite"
    kept = shutil.ignore_patterns(".git", ".*_cache", "__pycache__", ".venv", ".hypothesis")
    for name in ("reparam_rewrite", ".pre-commit-hooks.yaml", "pyproject.toml", "README.md"):
        place = ROOT / name
        if place.is_dir():
            shutil.copytree(place, folder / name, ignore=kept)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(place, folder / name)
    shutil.copy(ROOT / "LICENSE", folder / "LICENSE")
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "all"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=True
    )
    return f"  - repo: {folder}\n    rev: {head.stdout.strip()}\n    hooks:\n"


def test_the_hooks_of_this_repository_from_a_clean_cache(cloned: str, tmp_path: Path) -> None:
    hooks = f"repos:\n{cloned}      - id: reparam-rewrite\n"
    assert_life_of_a_hook(Repository(tmp_path / "targets", hooks, TARGETS))
    # The environment is installed once: what follows finds it.
    hooks = f"repos:\n{cloned}      - id: reparam-rewrite\n        {ARGS}\n"
    assert_life_of_a_hook(Repository(tmp_path / "args", hooks, None))

    hooks = f"repos:\n{cloned}      - id: reparam-rewrite-check\n"
    repository = Repository(tmp_path / "check", hooks, TARGETS)
    passed, said = repository.commit()
    assert not passed
    assert "model_reparam.py does not exist yet" in said
    assert not (repository.folder / "model_reparam.py").exists()
    assert repository.run("reparam-rewrite").returncode == 0
    passed, said = repository.commit()
    assert passed, said
    config = repository.folder / "offsets.toml"
    config.write_text(config.read_text() + "init = 0.5\n")
    before = repository.output
    passed, said = repository.commit()
    assert not passed
    assert "model_reparam.py would change" in said
    assert repository.output == before


# -- among other hooks -------------------------------------------------------------------------

ENTRIES = {
    "ruff": "ruff check --fix --no-cache",
    "black": "black --quiet",
    "isort": "isort --quiet",
    "reparam-rewrite": "reparam-rewrite --fail-on-change",
}

#: E501 is of the docstrings of the models, which are written for lines of 88.
SETTINGS = """\
[tool.black]
line-length = {width}

[tool.isort]
profile = "black"
line_length = {width}

[tool.ruff]
line-length = {width}
lint.select = ["E", "F", "I", "B", "SIM", "UP"]
lint.ignore = ["E501"]

[[tool.reparam-rewrite.targets]]
model = "*/model.py"
config = "*/offsets.toml"
output = "*/model_reparam.py"
"""


def hooks_of(order: list[str]) -> str:
    lines = ["repos:", "- repo: local", "  hooks:"]
    for name in order:
        lines += [f"  - id: {name}", f"    name: {name}", f"    entry: {ENTRIES[name]}"]
        lines += ["    language: system", "    types: [python]"]
        lines += ["    pass_filenames: false"] if name == "reparam-rewrite" else []
    return "\n".join(lines) + "\n"


def assert_settles(folder: Path, cases: list[Path], width: int, order: list[str]) -> None:
    """The hooks pass at the third run at the latest, and it changes nothing any more."""
    repository = Repository(folder, hooks_of(order), SETTINGS.format(width=width))
    for name in ("model.py", "offsets.toml"):
        (folder / name).unlink()
    for case in cases:
        (folder / case.name).mkdir()
        for name in ("model.py", "offsets.toml"):
            shutil.copy(case / name, folder / case.name / name)
    for _ in range(2):
        repository.run("git", "add", ".")
        repository.run("pre-commit", "run", "--all-files")
    repository.run("git", "add", ".")
    done = repository.run("pre-commit", "run", "--all-files")
    assert done.returncode == 0, done.stdout
    assert repository.run("git", "diff", "--exit-code").returncode == 0
    for case in cases:
        made = (folder / case.name / "model_reparam.py").read_bytes()
        assert read_stamp(made) is not None
    assert repository.run("reparam-rewrite", "--check").returncode == 0


def test_it_settles_among_formatters(tmp_path: Path) -> None:
    assert_settles(tmp_path / "first", [FIXTURES / "crossed"], 72, list(reversed(ENTRIES)))


@pytest.mark.long
@pytest.mark.parametrize("width", [72, 79, 88, 100, 120])
def test_every_fixture_settles_among_formatters(width: int, tmp_path: Path) -> None:
    assert_settles(tmp_path / "last", CASES, width, list(ENTRIES))
    assert_settles(tmp_path / "first", CASES, width, list(reversed(ENTRIES)))
