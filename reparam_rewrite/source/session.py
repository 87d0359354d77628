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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import FunctionType, ModuleType

from reparam_rewrite.messages import Diagnostic, Place, Refusal
from reparam_rewrite.source.cells import Cell, CellDocument, cell_of, problem_of
from reparam_rewrite.source.encoding import Source
from reparam_rewrite.source.magics import Hidden
from reparam_rewrite.source.placeholders import MAGIC
from reparam_rewrite.survey.imports import bound_by
from reparam_rewrite.survey.scopes import bound_names

#: What the survey follows by its dotted name.
KNOWN = ("jax", "numpyro")


@dataclass(frozen=True)
class Session(CellDocument):
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
    return Session(Source(label, text.encode(), "utf-8", text, "\n"), own, names, labels)


def surroundings(names: Mapping[str, object], cell: Cell, labels: Mapping[str, str]) -> list[Cell]:
    """What a cell finds, as cells above it.

    `names` is the namespace; `labels` says which cell a function is from, by the name of the file
    that its code object has.
    """
    own = bound_in(ast.parse(cell.hidden.text))
    lines: list[str] = []
    functions: list[Cell] = []
    for name, value in names.items():
        if name.startswith("_") or not name.isidentifier() or name in own:
            continue
        written = imported(name, value)
        if written is not None:
            # What shares its line with something else is no place for further imports.
            lines.append(f"{written}; pass")
            continue
        function = defined(name, value, names, labels)
        if function is not None:
            functions.append(function)
        else:
            lines.append(f"{name} = {MAGIC}{len(cell.hidden.magics) + len(lines)}()")
    text = "\n".join(lines)
    return [Cell("<namespace>", "<namespace>", text, "", Hidden(text)), *functions]


def bound_in(tree: ast.Module) -> set[str]:
    """The names that a cell binds itself, which mean something else from now on."""
    return set().union(*(set(names_of(statement)) for statement in tree.body))


def names_of(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
        return
    yield from bound_names(statement, in_place=False)
    for part in ast.walk(statement):
        if isinstance(part, (ast.Import, ast.ImportFrom)):
            yield from (name for name, _ in bound_by(part))
        elif isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield part.name


def imported(name: str, value: object) -> str | None:
    """The import that would have bound `name` to a module, or to something of NumPyro's or JAX's.

    Only what is sure to be found there again under that name.
    """
    if isinstance(value, ModuleType):
        dotted = value.__name__
        if sys.modules.get(dotted) is not value or not identifies(dotted):
            return None
        return f"import {dotted}" if dotted == name else f"import {dotted} as {name}"
    module = getattr(value, "__module__", None)
    last = getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(last, str) or not identifies(module):
        return None
    if module.partition(".")[0] not in KNOWN or not last.isidentifier():
        return None
    if getattr(sys.modules.get(module), last, None) is not value:
        return None
    return f"from {module} import {last}" + ("" if last == name else f" as {name}")


def identifies(dotted: str) -> bool:
    """Is it a name that can be imported? Not "__main__", which is this very notebook."""
    return all(part.isidentifier() for part in dotted.split(".")) and dotted != "__main__"


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
    if len(body) != 1 or not isinstance(body[0], (ast.FunctionDef, ast.AsyncFunctionDef)):
        return None
    if body[0].name != name:
        return None
    label = labels.get(value.__code__.co_filename, f"<{name}>")
    above = value.__code__.co_firstlineno - 1 if label.startswith("In[") else 0
    return Cell(label, label, text, "", Hidden(text), above)
