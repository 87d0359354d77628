"""Places in the joined module as places in cells: ``model.ipynb:cell 4:12:5``."""

from __future__ import annotations

import re

from msgspec.structs import replace

from reparam_rewrite.messages import Diagnostic, Place, Refusal
from reparam_rewrite.notebooks.joining import Joined
from reparam_rewrite.plan.values import Account

#: How messages speak of lines: ``(line 7)``, ``lines 3, 7 and 9``.
LINES = re.compile(r"\blines? (\d+(?:, \d+)*(?: and \d+)?)")


def in_cells(joined: Joined, refusal: Refusal) -> Refusal:
    """A refusal of the module as one of the notebook."""
    return Refusal([moved(joined, diagnostic) for diagnostic in refusal.diagnostics])


def moved(joined: Joined, diagnostic: Diagnostic) -> Diagnostic:
    place, source = diagnostic.place, diagnostic.source
    if isinstance(place, Place) and place.path == joined.source.path:
        cell, line = joined.cell_of(place.line)
        place, source = cell.place(place.path, line, place.column), cell.line(line)
    return Diagnostic(
        place, retold(joined, diagnostic.message), retold(joined, diagnostic.hint), source
    )


def retold(joined: Joined, message: str) -> str:
    """``in a loop (line 47)`` as ``in a loop (line 3 of cell 4)``"""

    def lines(found: re.Match[str]) -> str:
        places = [joined.cell_of(int(number)) for number in re.findall(r"\d+", found[1])]
        *others, last = [f"line {line} of {cell.called}" for cell, line in places]
        return f"{', '.join(others)} and {last}" if others else last

    def place(found: re.Match[str]) -> str:
        cell, line = joined.cell_of(int(found[1]))
        return f"{cell.where(joined.source.path)}:{line}"

    message = LINES.sub(lines, message)
    return re.sub(rf"{re.escape(joined.source.path)}:(\d+)", place, message)


def accounted(joined: Joined, account: Account) -> Account:
    """A line of the report with its place in the cell."""
    cell, line = joined.cell_of(account.line)
    notes = tuple(retold(joined, note) for note in account.notes)
    return replace(account, path=cell.where(account.path), line=line, notes=notes)
