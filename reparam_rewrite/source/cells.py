"""The cells of a notebook as one module, so that imports in one and a model in another go together.

::

    _reparam_rewrite_cell_1
    import numpyro
    _reparam_rewrite_cell_2
    def model(): ...
    _reparam_rewrite_cell_3
"""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

from reparam_rewrite.messages import Diagnostic, Place, Refusal
from reparam_rewrite.source.document import Document
from reparam_rewrite.source.encoding import NEWLINE, Source, physical_lines
from reparam_rewrite.source.magics import Hidden, heading, hide, restore
from reparam_rewrite.source.placeholders import BORDER, RESERVED
from reparam_rewrite.survey.names import bound_by

#: What a name is defined by, to be called later.
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Cell(NamedTuple):
    """A cell of Python.

    `path` is what stands for it in the place of a path, ``model.ipynb:cell 4``, and `called` what
    sentences call it, ``cell 4``. `head` are the lines of its cell magics, `hidden` is the code
    below. `above` lines of the cell stand above `text`.
    """

    path: str
    called: str
    text: str
    head: str
    hidden: Hidden
    above: int = 0

    @property
    def lines_above(self) -> int:
        """How many lines of the cell its code stands below."""
        return self.above + len(physical_lines(self.head)) - 1

    def line(self, number: int) -> str:
        """A line of the cell, counted from 1; "" past the last."""
        at = number - 1 - self.above
        return "".join(physical_lines(self.text)[at : at + 1]) if at >= 0 else ""


def cell_of(text: str, path: str, called: str, magics: int, above: int = 0) -> Cell | None:
    """The cell with this text, whose magics are numbered from `magics`; None if it isn't Python."""
    head = heading(text)
    if head is None:
        return None
    code = text[len(head) :]
    # What Python can read as it is has no magics.
    hidden = Hidden(code) if syntax_error(code) is None else hide(code, magics)
    return Cell(path, called, text, head, hidden, above)


def syntax_error(text: str) -> SyntaxError | ValueError | None:
    """What Python has against this code."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError) as error:
        return error
    return None


def problem_of(cell: Cell) -> Diagnostic | None:
    """Why a cell can't be read; None if it can."""
    if RESERVED in cell.text:
        message = f"names with '{RESERVED}' in them are for the rewriter alone"
        return Diagnostic(cell.path, message, "call it something else.")
    error = syntax_error(cell.hidden.text)
    if error is None:
        return None
    if not isinstance(error, SyntaxError) or error.lineno is None:  # NUL, half of a character
        return Diagnostic(cell.path, f"Python can't parse this cell: {error}")
    line = cell.lines_above + error.lineno
    return Diagnostic(
        Place(cell.path, line, max(1, error.offset or 1), cell.called),
        f"not valid Python: {error.msg}",
        "every code cell must parse before the notebook can be rewritten. If it is broken on "
        "purpose, tag it raises-exception or make it a raw cell.",
        cell.line(line),
    )


class CellDocument(Document, frozen=True):
    """A document whose module is made of cells, each below a statement that is its border.

    The kinds of it say what `cells` there are, and what becomes of those that change
    (`with_cells`).
    """

    knows_folder = False

    @property
    def cells(self) -> Sequence[Cell]:
        raise NotImplementedError

    def with_cells(self, changed: dict[Cell, str]) -> bytes:
        raise NotImplementedError

    @property
    def module_path(self) -> str:
        """What messages about the module call it, until their places are those of cells."""
        return self.path

    @cached_property
    def module(self) -> Source:
        found = NEWLINE.search("".join(cell.hidden.text for cell in self.cells))
        newline = found[0] if found else "\n"
        pieces = ("", *(ended(cell.hidden.text, newline) for cell in self.cells))
        text = "".join(
            f"{piece}{BORDER}{number}{newline}" for number, piece in enumerate(pieces, 1)
        )
        return Source(self.module_path, text.encode(), "utf-8", text)

    @cached_property
    def borders(self) -> list[int]:
        """The line of the module in which the border above each cell stands."""
        lengths = (
            len(physical_lines(ended(cell.hidden.text, self.module.newline)))
            for cell in self.cells[:-1]
        )
        return list(accumulate(lengths, initial=1))

    def cell_at(self, line: int) -> tuple[Cell, int]:
        """The cell that a line of the module belongs to, and which of its lines that is."""
        at = max(0, bisect_right(self.borders, line) - 1)
        cell = self.cells[at]
        return cell, line - self.borders[at] + cell.lines_above

    def place(self, place: Place) -> Place:
        if place.path != self.module_path:
            return place
        cell, line = self.cell_at(place.line)
        return Place(cell.path, line, place.column, cell.called)

    def located(self, refusal: Refusal) -> Refusal:
        moved = []
        for diagnostic in refusal.diagnostics:
            place, source = diagnostic.place, diagnostic.source
            if isinstance(place, Place) and place.path == self.module_path:
                cell, line = self.cell_at(place.line)
                source = cell.line(line)
            moved.append(diagnostic.moved(self.place, source))
        return Refusal(moved)

    def border(self, line: int) -> str:
        return f"{BORDER}{bisect_right(self.borders, line)}"

    def imported_before(self, line: int) -> frozenset[str]:
        """What is surely imported when a function in `line` is called.

        In a notebook that is not only what stands above the first definition: whoever runs a cell
        has run those above it.
        """
        names: set[str] = set()
        first = self.borders[bisect_right(self.borders, line) - 1]
        for statement in ast.parse(self.module.text).body:
            if isinstance(statement, DEFINITIONS) and statement.lineno > first:
                break
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                names.update(name for name, _ in bound_by(statement))
        return frozenset(names)

    def with_module(self, data: bytes) -> bytes:
        try:
            changed = self.changed_in(data.decode())
        except ValueError:
            message = "it can't be told which cell the generated code belongs to"
            hint = "please report this notebook."
            raise Refusal(Diagnostic(self.path, message, hint)) from None
        return self.with_cells(changed)

    def changed_in(self, text: str) -> dict[Cell, str]:
        """The cells that another text of the module changes, with their new texts.

        Raises ValueError if it can't be told which cell a line belongs to.
        """
        newline = self.module.newline
        above, *parts = re.split(rf"{BORDER}(\d+){newline}", text)
        numbers, texts = parts[::2], parts[1::2]
        if numbers != [str(n) for n in range(1, len(self.cells) + 2)] or above or texts.pop():
            raise ValueError(BORDER)
        changed: dict[Cell, str] = {}
        for cell, new in zip(self.cells, texts, strict=True):
            if BORDER in new:
                raise ValueError(BORDER)
            old = cell.hidden.text
            if new == ended(old, newline):
                continue
            if ended(old, newline) != old:
                new = new.removesuffix(newline)
            changed[cell] = cell.head + restore(cell.hidden._replace(text=new))
        return changed


def ended(code: str, newline: str) -> str:
    """Cells mostly don't end their last line."""
    return code if code == "" or code.endswith(("\n", "\r")) else code + newline
