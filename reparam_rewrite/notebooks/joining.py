"""The cells as one module, so that imports in one and a model in another are read together.

::

    _reparam_rewrite_cell_1
    import numpyro
    _reparam_rewrite_cell_2
    def model(): ...
    _reparam_rewrite_cell_3
"""

from __future__ import annotations

import ast
from bisect import bisect_right

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.notebooks.magics import restore
from reparam_rewrite.notebooks.reading import Cell
from reparam_rewrite.source.encoding import Source, first_newline, physical_lines
from reparam_rewrite.source.standins import BORDER
from reparam_rewrite.survey.imports import bound_by


class Joined(Struct, frozen=True):
    """The module, and the line in which the border above each cell stands."""

    source: Source
    cells: tuple[Cell, ...]
    borders: tuple[int, ...]

    def cell_of(self, line: int) -> tuple[Cell, int]:
        """The cell that a line of the module belongs to, and which of its lines that is."""
        at = max(0, bisect_right(self.borders, line) - 1)
        cell = self.cells[at]
        return cell, line - self.borders[at] + cell.lines_above

    def border_of(self, line: int) -> str:
        """The statement that begins the cell with a line of the module."""
        return f"{BORDER}{bisect_right(self.borders, line)}"


def join(path: str, cells: list[Cell]) -> Joined:
    """The module of all cells; `path` is the notebook's, for messages."""
    newline = first_newline("".join(cell.hidden.text for cell in cells))
    pieces: list[str] = []
    borders: list[int] = []
    line = 1
    for number, cell in enumerate(cells, 1):
        code = ended(cell.hidden.text, newline)
        pieces += [f"{BORDER}{number}{newline}", code]
        borders.append(line)
        line += len(physical_lines(code))
    pieces.append(f"{BORDER}{len(cells) + 1}{newline}")
    text = "".join(pieces)
    return Joined(Source(path, text.encode(), "utf-8", text, newline), tuple(cells), tuple(borders))


def ended(code: str, newline: str) -> str:
    """Cells mostly don't end their last line."""
    return code if code == "" or code.endswith(("\n", "\r")) else code + newline


def part(joined: Joined, text: str) -> dict[Cell, str]:
    """The cells that changed, with their new text, from the module as it was rewritten.

    Raises ValueError if it can't be told which cell a line belongs to.
    """
    newline = joined.source.newline
    changed: dict[Cell, str] = {}
    for number, cell in enumerate(joined.cells, 1):
        before, border, text = text.partition(f"{BORDER}{number + 1}{newline}")
        first = f"{BORDER}{number}{newline}"
        if number == 1:
            if not before.startswith(first):
                raise ValueError(first)
            before = before.removeprefix(first)
        if not border or BORDER in before:
            raise ValueError(f"{BORDER}{number + 1}")
        old = cell.hidden.text
        if before == ended(old, newline):
            continue
        if ended(old, newline) != old:
            before = before.removesuffix(newline)
        changed[cell] = cell.head + restore(replace(cell.hidden, text=before))
    if text:
        raise ValueError(text)
    return changed


def imported_before(joined: Joined, line: int) -> frozenset[str]:
    """The names that are imported, whatever happens, before a function in `line` can be called.

    In a notebook that is not only what stands above the first definition: whoever runs a cell has
    run those above it.
    """
    found: set[str] = set()
    first = joined.borders[bisect_right(joined.borders, line) - 1]
    for statement in ast.parse(joined.source.text).body:
        definition = isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        if definition and statement.lineno > first:
            break
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            found.update(name for name, _ in bound_by(statement))
    return frozenset(found)
