"""A notebook's JSON in, the same JSON out but for the sources of cells that were rewritten.

The form of a notebook: https://nbformat.readthedocs.io/en/latest/format_description.html. What
can't be rewritten safely is refused.
"""

from __future__ import annotations

import json
import warnings
from functools import cached_property
from typing import Any

from reparam_rewrite.messages import Diagnostic, Place, Refusal
from reparam_rewrite.source.cells import Cell, CellDocument, cell_of, problem_of
from reparam_rewrite.source.encoding import Source, physical_lines
from reparam_rewrite.source.json_text import Span, after_blank, joined, parts, splice

INSTALL = 'install it: pip install "reparam-rewrite[notebooks]"'

SAVE = "open it in Jupyter and save it, or convert it: jupyter nbconvert --to notebook FILE."


class Notebook(CellDocument, frozen=True):
    """A Jupyter notebook, whose text is its JSON."""

    @cached_property
    def spans(self) -> dict[Cell, Span]:
        """The cells that hold Python, and where the source of each stands in the JSON.

        Raises `Refusal` if there are none, and as `read_cells` does.
        """
        cells = read_cells(self)
        if not cells:
            raise Refusal(Diagnostic(self.path, "the notebook has no cell of Python"))
        return cells

    @property
    def cells(self) -> tuple[Cell, ...]:
        return tuple(self.spans)

    def with_cells(self, changed: dict[Cell, str]) -> bytes:
        text = splice(self.text, [(self.spans[cell], new) for cell, new in changed.items()])
        return text.encode(self.encoding)


def in_cell(path: str, number: int) -> str:
    """The path of a cell in messages, as ruff has it: ``model.ipynb:cell 4``."""
    return f"{path}:cell {number}"


def read_cells(source: Source) -> dict[Cell, Span]:
    """The cells of a notebook that hold Python, and where their sources stand in the JSON.

    Cells are counted from 1 among all of them, as Jupyter and ruff do. Cells of another language,
    by a cell magic such as ``%%bash`` or as the editor has it, are left out, and so are broken ones
    that are tagged as such.

    Raises `Refusal` for what isn't a notebook of format 4 whose language is Python, for cells that
    Python couldn't read, and if nbformat isn't installed.
    """
    notebook = parsed(source)
    validate(source.path, notebook)
    refuse_other_languages(source.path, notebook)
    cells: dict[Cell, Span] = {}
    problems: list[Diagnostic] = []
    count = 0
    array = members(source, after_blank(source.text))["cells"]
    spans = [members(source, one.start).get("source") for _, one in parts(source.text, array.start)]
    for number, (entry, span) in enumerate(zip(notebook["cells"], spans, strict=True), 1):
        if entry["cell_type"] != "code" or span is None or not is_python(entry):
            continue
        place = in_cell(source.path, number)
        cell = cell_of(joined(entry["source"]), place, f"cell {number}", count)
        if cell is None:
            continue
        if (problem := problem_of(cell)) is None:
            count += len(cell.hidden.magics)
            cells[cell] = span
        elif "raises-exception" not in entry["metadata"].get("tags", []):
            problems.append(problem)
    if problems:
        raise Refusal(problems)
    return cells


def parsed(source: Source) -> dict[str, Any]:
    """The JSON as a dictionary, of which it is sure that it says to be a notebook of format 4."""
    try:
        notebook = json.loads(source.text)
    except json.JSONDecodeError as error:
        message = f"not a notebook, as it isn't JSON: {error.msg}"
        raise Refusal(in_json(source, error.pos, message)) from None
    except ValueError as error:  # a number with too many digits
        message = f"not a notebook that Python can read: {error}"
        raise Refusal(Diagnostic(source.path, message)) from None
    if not isinstance(notebook, dict) or "nbformat" not in notebook:
        raise Refusal(Diagnostic(source.path, "not a notebook: it says no nbformat", SAVE))
    version = notebook["nbformat"]
    if isinstance(version, int) and version < 4:
        message = f"a notebook of format {version}, and only format 4 can be rewritten"
        raise Refusal(Diagnostic(source.path, message, SAVE))
    if version != 4:
        raise Refusal(Diagnostic(source.path, f"no notebook format {version!r} is known, only 4"))
    return notebook


def validate(path: str, notebook: dict[str, Any]) -> None:
    """Ask nbformat whether this is a notebook. Raises `Refusal` with what it says."""
    try:
        import nbformat
    except ImportError:
        message = "notebooks are read with nbformat, which isn't installed"
        raise Refusal(Diagnostic(path, message, INSTALL)) from None
    cells = notebook.get("cells")
    for number, cell in enumerate(cells if isinstance(cells, list) else []):
        # Editors leave ids out, which matters to them alone.
        if isinstance(cell, dict) and notebook.get("nbformat_minor", 0) >= 5:
            cell.setdefault("id", f"cell-{number}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nbformat.validate(notebook, relax_add_props=True)
    except nbformat.ValidationError as error:
        where = list(getattr(error, "absolute_path", ()))
        place = in_cell(path, where[1] + 1) if len(where) > 1 and where[0] == "cells" else path
        reason = str(error.message).split("\n")[0]
        reason = reason if len(reason) <= 200 else f"{reason[:200]}..."
        raise Refusal(Diagnostic(place, f"not a valid notebook: {reason}", SAVE)) from None


def refuse_other_languages(path: str, notebook: dict[str, Any]) -> None:
    """``"kernelspec": {"language": "R"}``"""
    metadata = notebook["metadata"]
    for table, key in (("kernelspec", "language"), ("language_info", "name")):
        language = metadata.get(table, {}).get(key)
        if isinstance(language, str) and not language.lower().startswith("python"):
            raise Refusal(Diagnostic(path, f"a notebook in {language}, not in Python"))


def is_python(cell: dict[str, Any]) -> bool:
    """Is the cell in the notebook's own language? VS Code lets each have another."""
    editor = cell["metadata"].get("vscode", {})
    return isinstance(editor, dict) and editor.get("languageId", "python") == "python"


def members(source: Source, start: int) -> dict[str, Span]:
    """The values of the object at `start` by their keys. Refuses keys that are there twice."""
    values: dict[str, Span] = {}
    for key, span in parts(source.text, start):
        if key in values:
            message = f"the key '{key}' is there twice: which one counts?"
            raise Refusal(in_json(source, span.key, message, SAVE))
        values[key] = span
    return values


def in_json(source: Source, at: int, message: str, hint: str = "") -> Diagnostic:
    """A message about a place in the JSON, whose lines may be too long to show."""
    before = physical_lines(source.text[:at])
    place = Place(source.path, len(before), len(before[-1]) + 1)
    line = source.line(place.line)
    return Diagnostic(place, message, hint, line if len(line) <= 200 else "")
