"""The cells of a notebook that are run: those that a function needs, as they stand in the file.

That is each cell of Python down to the one that defines the function, without its magics. What is
below isn't run: there the model is sampled, which may take hours. The arguments' function alone may
be further down, in a cell of nothing but functions and imports.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from reparam_rewrite.messages import Diagnostic, Refusal, listed, nearest
from reparam_rewrite.source.cells import Cell, CellDocument

#: What a cell may have that is run for the sake of its functions.
HARMLESS = (ast.FunctionDef, ast.Import, ast.ImportFrom)


class Piece(NamedTuple):
    """Code that is compiled as one, under a name; `text` is what an error shows a line of.

    `standins` are the names of functions that stand for magics, and do nothing.
    """

    filename: str
    code: bytes | str
    text: str
    standins: tuple[str, ...] = ()


def cells_down_to(document: CellDocument, name: str) -> Sequence[Cell]:
    """The cells down to the last one that defines a name: a function, or else any variable.

    Raises `Refusal` if there is none.
    """
    cells, first = document.cells, name.partition(".")[0]
    for found in (functions_of, names_of):
        having = [at for at, cell in enumerate(cells) if first in found(cell)]
        if having:
            return cells[: having[-1] + 1]
    own = [one for cell in cells for one in functions_of(cell)]
    like = nearest(first, own)
    hint = f"did you mean '{like[0]}'?" if like else f"it has {listed(own) or 'none'}."
    raise Refusal(Diagnostic(document.path, f"no cell has a function '{first}'", hint))


def cell_of_functions(document: CellDocument, name: str) -> Cell:
    """The cell that defines a function, and nothing but functions. Raises `Refusal`."""
    cell = cells_down_to(document, name)[-1]
    if all(isinstance(one, HARMLESS) for one in ast.parse(cell.hidden.text).body):
        return cell
    message = f"the cell of '{name}' is below the model's, and does more than define functions"
    hint = "give it a cell of its own, or move it up: cells below the model's aren't run."
    raise Refusal(Diagnostic(cell.path, message, hint))


def functions_of(cell: Cell) -> list[str]:
    """The functions and classes that a cell defines."""
    table = symtable.symtable(cell.hidden.text, cell.path, "exec")
    return [one.get_name() for one in table.get_symbols() if one.is_namespace()]


def names_of(cell: Cell) -> Iterator[str]:
    """All that a cell gives a value."""
    table = symtable.symtable(cell.hidden.text, cell.path, "exec")
    for one in table.get_symbols():
        if one.is_assigned() or one.is_imported():
            yield one.get_name()


def piece_of(cell: Cell, path: str) -> Piece:
    """A cell, its lines numbered as they are in it; `path` is the notebook's in tracebacks."""
    code = "\n" * cell.lines_above + cell.hidden.text + "\n"
    standins = tuple(standin.partition("(")[0] for standin, _ in cell.hidden.magics)
    return Piece(f"{path}:{cell.called}", code, cell.text, standins)
