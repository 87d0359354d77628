"""One cell of a running notebook, with what stands around it: the names that are there now.

What was executed before counts, in whatever order, so the cells above are not what matters; the
namespace is. Modules and what comes from NumPyro become imports again, functions their source, and
of all other names it is only known that they are there::

    import numpyro.distributions as dist; pass
    n_a = _reparam_rewrite_magic_0()
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from types import FunctionType, ModuleType
from typing import Any

from msgspec.structs import replace

from reparam_rewrite.messages import Diagnostic, Place, Refusal
from reparam_rewrite.source.cells import (
    DEFINITIONS,
    Cell,
    CellDocument,
    cell_of,
    ended,
    problem_of,
)
from reparam_rewrite.source.magics import Hidden
from reparam_rewrite.source.placeholders import MAGIC
from reparam_rewrite.survey.names import bound_by
from reparam_rewrite.survey.scopes import bound_names

#: What the survey follows by its dotted name.
KNOWN = ("jax", "numpyro")


class Session(CellDocument, frozen=True):
    """A cell that IPython is about to run, below those that it may refer to.

    `own` is the cell, of which the first line, its magic, is not in `own.text`. `names` and
    `labels` are as for `surroundings`.
    """

    own: Cell
    names: Mapping[str, object]
    labels: Mapping[str, str]

    @property
    def module_path(self) -> str:
        return "<notebook>"

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        return (*surroundings(self.names, self.own, self.labels), self.own)

    @property
    def first_line(self) -> int:
        return self.borders[-1] + 1

    def refuse_elsewhere(self, place: Place, site: str, function: str) -> None:
        if place.path != self.own.path:
            message = f"'{site}' is sampled in '{function}', of another cell"
            hint = "write %%reparam above that cell, and execute it again."
            raise Refusal(Diagnostic(place, message, hint))

    def with_cells(self, changed: dict[Cell, str]) -> bytes:
        if not {*changed} <= {self.own}:
            message = "another cell would have to change with this one"
            raise Refusal(Diagnostic(self.path, message, "put both into one cell."))
        return changed[self.own].encode()


class Workspace(Session, frozen=True):
    """A cell that has run, with what else is there: all of it may change, as it does so in memory.

    What is read is the text of all cells one below the other, and so is what becomes of it.
    """

    knows_folder = True

    @property
    def first_line(self) -> int:
        return 1

    def refuse_elsewhere(self, place: Place, site: str, function: str) -> None:
        """Nothing is elsewhere."""

    def with_cells(self, changed: dict[Cell, str]) -> bytes:
        return joined(changed.get(cell, cell.text) for cell in self.cells)


def joined(texts: Iterable[str]) -> bytes:
    """Cells one below the other."""
    return "".join(ended(text, "\n") for text in texts).encode()


def session(
    text: str, label: str, names: Mapping[str, object], labels: Mapping[str, str]
) -> Session:
    """The document of a cell called `label`, ``In[4]``, with this `text` below its magic.

    `names` and `labels` are as for `surroundings`. Raises `Refusal` if the cell isn't Python.
    """
    own = cell_of(text, label, label, magics=0, above=1)
    if own is None:
        raise Refusal(Diagnostic(label, "the cell isn't Python", "take the other cell magic out."))
    problem = problem_of(own)
    if problem is not None:
        raise Refusal(replace(problem, hint=""))
    return Session(label, text.encode(), "utf-8", text, own, names, labels)


def workspace(
    text: str, label: str, names: Mapping[str, object], labels: Mapping[str, str]
) -> Workspace:
    """What there is around a function of the cell called `label`, whose whole text is `text`.

    `names` and `labels` are as for `surroundings`. Raises `Refusal` if the cell isn't Python.
    """
    cell = session(text, label, names, labels)
    own = cell.own._replace(above=0)
    data = joined(each.text for each in (*cell.cells[:-1], own))
    return Workspace(label, data, "utf-8", data.decode(), own, names, labels)


def surroundings(names: Mapping[str, object], cell: Cell, labels: Mapping[str, str]) -> list[Cell]:
    """What a cell finds, as cells above it.

    `names` is the namespace; `labels` says which cell a function is from, by the name of the file
    that its code object has.
    """
    own = {name for node in ast.parse(cell.hidden.text).body for name in names_of(node)}
    lines: list[str] = []
    functions: list[Cell] = []
    for name, value in names.items():
        if name.startswith("_") or not name.isidentifier() or name in own:
            continue
        if written := imported(name, value):
            # What shares its line with something else is no place for further imports.
            lines.append(f"{written}; pass")
        elif function := defined(name, value, names, labels):
            functions.append(function)
        else:
            lines.append(f"{name} = {MAGIC}{len(cell.hidden.magics) + len(lines)}()")
    text = "\n".join(lines)
    return [Cell("<namespace>", "<namespace>", text, "", Hidden(text)), *functions]


def names_of(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement of a cell binds, which mean something else from now on."""
    if not isinstance(statement, DEFINITIONS):
        yield from bound_names(statement, in_place=False)
    for part in [statement] if isinstance(statement, DEFINITIONS) else ast.walk(statement):
        if isinstance(part, (ast.Import, ast.ImportFrom)):
            yield from (name for name, _ in bound_by(part))
        elif isinstance(part, DEFINITIONS):
            yield part.name


def imported(name: str, value: object) -> str:
    """The import that would have bound `name` to a module, or to something of NumPyro's or JAX's.

    Only what is sure to be found there again under that name; else "".
    """
    is_module = isinstance(value, ModuleType)
    path: Any = getattr(value, "__name__" if is_module else "__module__", None)
    last: Any = "" if is_module else getattr(value, "__qualname__", None)
    if not isinstance(path, str) or not isinstance(last, str):
        return ""
    found = sys.modules.get(path)
    if not is_module:
        if path.partition(".")[0] not in KNOWN or not last.isidentifier():
            return ""
        found = getattr(found, last, None)
    # "__main__" is this very notebook.
    importable = path != "__main__" and all(map(str.isidentifier, path.split(".")))
    if found is not value or not importable:
        return ""
    renamed = "" if (last or path) == name else f" as {name}"
    return f"from {path} import {last}{renamed}" if last else f"import {path}{renamed}"


def defined(
    name: str, value: object, names: Mapping[str, object], labels: Mapping[str, str]
) -> Cell | None:
    """The source of a function that another cell defined, if it can be had and says all."""
    if not isinstance(value, FunctionType) or value.__globals__ is not names:
        return None
    if value.__closure__ or value.__name__ != name or hasattr(value, "__wrapped__"):
        return None
    try:
        text = textwrap.dedent(inspect.getsource(value))
        body = ast.parse(text).body
    except (OSError, TypeError, SyntaxError):
        return None
    match body:
        case [ast.FunctionDef(name=found) | ast.AsyncFunctionDef(name=found)] if found == name:
            label = labels.get(value.__code__.co_filename, f"<{name}>")
            above = value.__code__.co_firstlineno - 1 if label.startswith("In[") else 0
            return Cell(label, label, text, "", Hidden(text), above)
    return None
