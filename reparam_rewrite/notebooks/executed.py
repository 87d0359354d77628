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
from types import FunctionType, ModuleType

from reparam_rewrite.messages import Diagnostic, Refusal
from reparam_rewrite.notebooks.magics import Hidden, heading
from reparam_rewrite.notebooks.positions import Span
from reparam_rewrite.notebooks.reading import Cell, code_of, problem_of
from reparam_rewrite.source.encoding import physical_lines
from reparam_rewrite.source.standins import MAGIC
from reparam_rewrite.survey.bindings import bound_names
from reparam_rewrite.survey.imports import bound_by

#: What the survey follows by its dotted name.
KNOWN = ("jax", "numpyro")


class Executed(Cell, frozen=True):
    """Code that was executed, or is about to be.

    `label` is what the cell is called, ``In[4]``, and `above` how many of its lines stand above
    the code.
    """

    label: str = ""
    above: int = 0

    @property
    def lines_above(self) -> int:
        return self.above + len(physical_lines(self.head)) - 1

    @property
    def called(self) -> str:
        return self.label

    def where(self, path: str) -> str:
        return self.label

    def line(self, number: int) -> str:
        return super().line(number - self.above)


def executed(text: str, label: str, above: int, magics: int = 0) -> Executed:
    """A cell of Python; its magics are numbered from `magics`. Raises `Refusal` if it is none."""
    head = heading(text)
    if head is None:
        raise Refusal(Diagnostic(label, "the cell isn't Python", "take the other cell magic out."))
    hidden = code_of(text[len(head) :], magics)
    cell = Executed(0, Span(0, 0), text, head, hidden, label=label, above=above)
    problem = problem_of(label, cell)
    if problem is not None:
        raise Refusal(Diagnostic(problem.place, problem.message, source=problem.source))
    return cell


def surroundings(
    names: Mapping[str, object], cell: Executed, labels: Mapping[str, str]
) -> list[Executed]:
    """What a cell finds, as cells above it.

    `names` is the namespace; `labels` says which cell a function is from, by the name of the file
    that its code object has.
    """
    own = bound_in(ast.parse(cell.hidden.text))
    lines: list[str] = []
    functions: list[Executed] = []
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
    return [Executed(0, Span(0, 0), text, "", Hidden(text), label="<namespace>"), *functions]


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
) -> Executed | None:
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
    return Executed(0, Span(0, 0), text, "", Hidden(text), label=label, above=above)
