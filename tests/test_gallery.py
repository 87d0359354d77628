"""The notebooks of the gallery: they were executed, and what they show is so."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
import pytest

from reparam_rewrite.cli.demo import DEMOS
from tests.support.cli import ROOT

GALLERY = sorted((ROOT / "gallery").glob("*.ipynb"))

SITE = "https://reparam-rewrite.github.io/reparam-rewrite/"


def cells(notebook: Any, kind: str = "code") -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def printed(notebook: Any) -> str:
    """What its cells have written to standard output."""
    outputs = [output for cell in cells(notebook) for output in cell.outputs]
    return "".join(output.text for output in outputs if output.get("name") == "stdout")


def times(notebook: Any) -> list[float]:
    """How many times as much as before it says to be worth for a gradient."""
    found = re.findall(r"for a gradient ([\d.e+]+) times as much", printed(notebook))
    return [float(number) for number in found]


def code_of(path: Path) -> str:
    """A digest of all that a notebook runs, by which a test of it is another if that is."""
    source = [cell.source for cell in cells(nbformat.read(path, as_version=4))]
    demo = ROOT / "reparam_rewrite" / "demos" / path.stem
    files = [file.read_text() for file in sorted(demo.iterdir()) if file.is_file()]
    return hashlib.sha256(repr((source, files)).encode()).hexdigest()[:12]


each_notebook = pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)


def test_there_is_one_for_each_demo_but_the_smallest() -> None:
    assert {path.stem for path in GALLERY} == DEMOS.keys() - {"eight_schools"}


@each_notebook
def test_it_was_executed_in_order_and_without_errors(path: Path) -> None:
    found = cells(nbformat.read(path, as_version=4))
    assert [cell.execution_count for cell in found] == list(range(1, len(found) + 1))
    outputs = [output for cell in found for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]


@each_notebook
def test_it_begins_with_the_command_that_writes_its_demo(path: Path) -> None:
    first, *others = cells(nbformat.read(path, as_version=4))
    assert f"!reparam-rewrite demo {path.stem} --to {path.stem} --quiet\n" in first.source
    assert not [cell for cell in others if "reparam-rewrite demo" in cell.source]


@each_notebook
def test_it_says_what_the_tuning_was_worth(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert max(times(notebook)) > 3
    assert "in one short run" in printed(notebook)


@each_notebook
def test_its_pictures_are_small(path: Path) -> None:
    outputs = [out for cell in cells(nbformat.read(path, as_version=4)) for out in cell.outputs]
    pictures = [out.data["image/png"] for out in outputs if "image/png" in out.get("data", {})]
    assert len(pictures) >= 3
    assert max(len(base64.b64decode(picture)) for picture in pictures) < 60_000


@each_notebook
def test_its_links_lead_to_pages(path: Path) -> None:
    text = "\n".join(cell.source for cell in cells(nbformat.read(path, as_version=4), "markdown"))
    linked = re.findall(re.escape(SITE) + r"([\w-]+)/(?:#([\w-]+))?\)", text)
    assert linked
    for page, heading in linked:
        there = (ROOT / "docs" / f"{page}.md").read_text()
        headings = re.findall(r"^#+ (.*)$", there, re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", one).strip().lower().replace(" ", "-") for one in headings}
        assert heading in {"", *slugs}, f"{page}#{heading}"


@pytest.mark.skipif(
    not (find_spec("nbclient") and find_spec("ipykernel") and find_spec("arviz")),
    reason='the notebooks need pip install "reparam-rewrite[gallery]"',
)
@pytest.mark.parametrize(
    "path", [pytest.param(path, id=f"{path.stem}-{code_of(path)}") for path in GALLERY]
)
@pytest.mark.concerns("api/tuning.py", "tuning", "demos")
def test_executed_anew_it_shows_the_same(path: Path) -> None:
    """But for what other versions, processors and one short run leave to chance."""
    from gallery.__main__ import executed

    anew, shown = times(executed(path)), times(nbformat.read(path, as_version=4))
    assert len(anew) == len(shown)
    for now, then in zip(anew, shown, strict=True):
        assert then / 5 < now < 5 * then
