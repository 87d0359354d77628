"""What is published: the version, the extras that are named, and what the distributions hold."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from reparam_rewrite import __version__
from tests.support.cli import ROOT
from tests.support.pages import PAGES

PACKAGE = ROOT / "reparam_rewrite"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = {
    path.name: path.read_text(encoding="utf-8") for path in ROOT.glob(".github/workflows/*.yml")
}


def files(folder: Path) -> set[str]:
    """The files of the project, but for what .gitignore names, as a clone in `folder` sees them."""
    subprocess.run(["git", "init", "-q", folder], check=True)
    listing = ["ls-files", "--others", "--exclude-standard", "-z"]
    command = ["git", f"--git-dir={folder}/.git", f"--work-tree={ROOT}", *listing]
    return set(subprocess.check_output(command, cwd=ROOT, text=True).strip("\0").split("\0"))


def test_the_version_stands_in_one_place_and_what_tells_it_agrees() -> None:
    assert "version" in PROJECT["dynamic"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    (cited,) = re.findall(r"^version: (.*)$", citation, re.MULTILINE)
    (released,) = re.findall(r'^date-released: "(.*)"$', citation, re.MULTILINE)
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert cited == __version__
    assert re.findall(r"^## (.*)$", changes, re.MULTILINE)[0] == f"{__version__} ({released})"


def test_the_extras_that_are_named_are_there() -> None:
    files = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]
    texts = [*PAGES.values(), *WORKFLOWS.values(), *files, (ROOT / ".ci/run").read_text()]
    found = re.findall(r"(?:reparam-rewrite|[\"' ]\.)\[([a-z][a-z,]*)\]", "\n".join(texts))
    named = {extra for names in found for extra in names.split(",")}
    assert {"models", "notebooks", "test"} <= named
    assert named <= PROJECT["optional-dependencies"].keys()


def test_the_pythons_that_are_claimed_are_those_that_are_tested() -> None:
    claimed = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    suite = WORKFLOWS["tests.yml"].partition("matrix:")[2].partition("steps:")[0]
    assert re.findall(r"3\.\d+", suite) == claimed
    assert PROJECT["requires-python"] == f">={claimed[0]}"


def test_no_file_of_the_package_is_ignored(tmp_path: Path) -> None:
    """What .gitignore names is neither committed nor built in."""
    there = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert {path.relative_to(ROOT).as_posix() for path in there} <= files(tmp_path)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The source distribution, and the wheel that is made of it, as they are uploaded."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "-o", folder, ROOT], check=True)
    return {path.suffix: path for path in folder.iterdir()}


@pytest.mark.long
def test_the_wheel_has_the_package_and_nothing_else(built: dict[str, Path], tmp_path: Path) -> None:
    with zipfile.ZipFile(built[".whl"]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        metadata = message_from_bytes(
            wheel.read(f"reparam_rewrite-{__version__}.dist-info/METADATA")
        )
    assert names == {name for name in files(tmp_path) if name.startswith("reparam_rewrite/")}
    assert {"reparam_rewrite/py.typed", "reparam_rewrite/schemas/offsets.schema.json"} <= names
    assert metadata["Version"] == __version__
    links = re.findall(r"\]\(([^)\s]+)\)", metadata.get_payload())
    assert links and all(link.startswith("https://") for link in links)


@pytest.mark.long
def test_the_sdist_has_all_files(built: dict[str, Path], tmp_path: Path) -> None:
    with tarfile.open(built[".gz"]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert names == files(tmp_path) | {"PKG-INFO"}


@pytest.mark.long
def test_the_wheel_rewrites_where_nothing_else_is_installed(
    built: dict[str, Path], tmp_path: Path
) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", built[".whl"]], check=True)
    case = ROOT / "fixtures" / "grand_mean"
    words = [case / "model.py", "--config", case / "offsets.toml", "-q"]
    made = subprocess.check_output([tmp_path / "venv/bin/reparam-rewrite", *words], cwd=tmp_path)
    assert (case / "model_reparam.py").read_bytes().endswith(made)
