"""Functions that are there already, imported or typed in a notebook, as models to be rewritten.

Their source is read where Python has it, and what is generated becomes a function beside them:
of all statements only those that define something, and that changed or call what changed, are run
once more, with the names that the function sees. So no data are loaded twice, and the module of
the function stays as it is.
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import shutil
import sys
import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.config.rules import Config
from reparam_rewrite.config.writing import value_of
from reparam_rewrite.messages import Refusal
from reparam_rewrite.plan.resolve import chosen
from reparam_rewrite.rewriting import already
from reparam_rewrite.running.call import Entry, refuse
from reparam_rewrite.running.errors import refusal, relative
from reparam_rewrite.running.load import FUTURE, function_in, is_transformed
from reparam_rewrite.running.values import Arguments, Model
from reparam_rewrite.running.which_function import calls_of_functions, last
from reparam_rewrite.source.cells import DEFINITIONS
from reparam_rewrite.source.document import Document
from reparam_rewrite.source.reading import read
from reparam_rewrite.source.session import names_of, workspace
from reparam_rewrite.survey import survey

IMPORTS = (ast.Import, ast.ImportFrom)

#: What is bound once more in a copy of the names that a function sees.
AGAIN = (*DEFINITIONS, *IMPORTS)

#: The name by which what is generated keeps its arrays.
HELD = "__reparam_rewrite_arrays__"

#: What files of generated code are called by tracebacks, and by `inspect`.
GENERATED: set[str] = set()


class Live(Entry):
    """A function that is there already; `module` has a copy of the names that it sees."""

    __slots__ = ()

    @classmethod
    def of_function(cls, given: Any) -> tuple[Live, Document, tuple[Any, ...]]:
        """A function as a model, its source, and the instance that it is a method of, if it is.

        Raises `Refusal` for what isn't a function of which the source is known.
        """
        is_method = isinstance(given, MethodType)
        instance = (given.__self__,) if is_method else ()
        found: Model = given.__func__ if is_method else given
        function = plain(found)
        document = document_of(function)
        module = ModuleType(function.__module__ or "__main__")
        vars(module).update(function.__globals__)
        name = function.__qualname__
        if found is not function and vars(module).get(name) is not found:
            message = f"'{name}' is not what this name stands for where it is defined"
            refuse(document.path, message, "give the function itself.")
        return cls(document.path, module, name, found), document, instance

    def rewritten(
        self, document: Document, data: bytes, given: Arguments, shown: str, beside: Path | None
    ) -> Model:
        names = remade(self.name, vars(self.module), document, data, shown, beside)
        if names is None:
            return self.bound(given)[0]
        module = ModuleType(self.module.__name__)
        vars(module).update(names)
        # Functions see what they were defined with, and that is `names`.
        function = function_in(module, self.name, shown)
        return Live(shown, module, self.name, function).bound(given)[0]


def plain(given: Any) -> FunctionType:
    """The function itself, below its decorators. Raises `Refusal` for anything else."""
    if isinstance(given, functools.partial):
        message = f"the model is a partial of '{getattr(given.func, '__name__', 'a function')}'"
        hint = "give the function itself, and what the partial binds with the arguments."
        refuse(None, message, hint)
    if is_transformed(given):
        name = getattr(given, "__name__", "the model")
        message = f"JAX compiles or transforms '{name}', and NumPyro doesn't see what it samples"
        hint = "give the function that jax.jit, or what else is around it, was given."
        refuse(None, message, hint)
    found = given
    while not isinstance(found, FunctionType) and hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    if not isinstance(found, FunctionType):
        message = f"a model is a function or the Path of a file, not {type(given).__name__}"
        refuse(None, message)
    if found.__code__.co_filename in GENERATED:
        raise already(None)
    if found.__name__ == "<lambda>":
        refuse(None, "the model is a lambda, which has no name", "write it with def.")
    if "<locals>" in found.__qualname__:
        message = f"'{found.__qualname__}' is made inside of another function"
        hint = "define the model at the top of a file or a cell, or give the Path of its file."
        refuse(None, message, hint)
    return found


def document_of(function: FunctionType) -> Document:
    """The file or the cell that a function is from. Raises `Refusal` if its source isn't known."""
    code = function.__code__
    lines = linecache.getlines(code.co_filename, function.__globals__)
    name, text = function.__qualname__, "".join(lines)
    if not lines:
        message = f"the source of '{name}' is not known"
        hint = "save it in a file and import it, or type it in a notebook."
        refuse(None, message, hint)
    path = Path(code.co_filename)
    if path.is_file():
        document = read(relative(code.co_filename))
        text = document.text
    else:
        labels = cells()
        label = labels.get(code.co_filename, f"<{name}>")
        document = workspace(text, label, function.__globals__, labels)
    if code not in codes_in(text, code.co_filename, code.co_flags & FUTURE):
        message = f"'{name}' is no longer what its source says"
        hint = (
            "import it again: restart Python, or importlib.reload its module. What changes code "
            "while it is imported, as pytest does with asserts, can't be followed."
        )
        refuse(document.path, message, hint)
    return document


def cells() -> dict[str, str]:
    """What the cells of this notebook are called, ``In[4]``, by the file names of their code."""
    ipython = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython is not None else None
    numbers = getattr(getattr(shell, "compile", None), "_filename_map", {})
    return {name: f"In[{number}]" for name, number in numbers.items()}


def codes_in(text: str, filename: str, flags: int) -> Iterator[CodeType]:
    """The code of all functions of a module, however deep, and as IPython compiles them: each
    statement by itself, which makes other code of calls of what the same cell imports.
    """
    try:
        units: list[Any] = [text, *(ast.Module([one], []) for one in ast.parse(text).body)]
        found = [compile(unit, filename, "exec", flags, dont_inherit=True) for unit in units]
    except (SyntaxError, ValueError):
        return
    while found:
        code = found.pop()
        yield code
        found += [one for one in code.co_consts if isinstance(one, CodeType)]


def remade(
    name: str,
    names: Mapping[str, Any],
    document: Document,
    data: bytes,
    path: str,
    folder: Path | None,
) -> dict[str, Any] | None:
    """The names that a rewritten model sees, itself among them; None if nothing changed.

    name: of the model. names: what it sees as it is. data: its source, rewritten. path: what that
    is called in tracebacks. folder: where the arrays are that it loads, if there are any. Raises
    `Refusal` for what a definition raises, and for what can't be made without running the rest.
    """
    old, new = ast.parse(document.data), ast.parse(data)
    again = changed(old, new, document.path)
    if not again:
        return None
    by_name: dict[str, list[ast.stmt]] = {}
    for statement in new.body:
        for bound in names_of(statement):
            by_name.setdefault(bound, []).append(statement)
    # What the model may read, and of that what was made of something that is rewritten.
    needed, unread = {id(s): s for s in again}, [name.partition(".")[0]]
    while unread:
        for statement in by_name.pop(unread.pop(), []):
            needed[id(statement)] = statement
            unread += reads(statement)
    anew = {bound for statement in again for bound in names_of(statement)}
    while more := [s for s in needed.values() if s not in again and anew & reads(s)]:
        for statement in more:
            if not isinstance(statement, DEFINITIONS):
                bound = next(names_of(statement), "what it makes")
                message = f"'{bound}' was made of what is rewritten, and the model reads it"
                hint = "give the Path of the file, or make it inside of the model."
                refuse(f"{document.path}:{statement.lineno}", message, hint)
        again += more
        anew |= {bound for statement in more for bound in names_of(statement)}
    path = remembered(path, data)
    made = dict(names)
    if folder is not None:
        made["__file__"] = str(folder / "model.py")
    flags = flags_of(new)
    try:
        for statement in new.body:
            if statement in again:
                code = compile(ast.Module([statement], []), path, "exec", flags, dont_inherit=True)
                exec(code, made)
    except (Exception, SystemExit) as error:
        raise refusal(error, path, f"the rewritten '{name}' can't be defined") from error
    return made


def changed(old: ast.Module, new: ast.Module, path: str) -> list[ast.stmt]:
    """The statements of a rewritten module that are new, or others.

    Raises `Refusal` for one that does more than to define something.
    """
    known = {ast.dump(statement) for statement in old.body}
    found = [statement for statement in new.body if ast.dump(statement) not in known]
    before = {bound for statement in old.body for bound in names_of(statement)}
    for statement in found:
        is_new = isinstance(statement, ast.Assign) and before.isdisjoint(names_of(statement))
        if not (is_new or isinstance(statement, AGAIN)):
            message = f"line {statement.lineno} is rewritten, and would have to run once more"
            hint = "give the Path of the file, or define the model at its top."
            refuse(path, message, hint)
    return found


def remembered(path: str, data: bytes) -> str:
    """A name like `path` by which tracebacks and `inspect` find this source, and no other."""
    lines = data.decode("utf-8", "replace").splitlines(keepends=True)
    stem, number = path.removesuffix(">"), 1
    while (known := linecache.cache.get(path)) is not None and known[2:3] != (lines,):
        number += 1
        path = f"{stem} {number}>"
    linecache.cache[path] = (len(data), None, lines, path)
    GENERATED.add(path)
    return path


def flags_of(module: ast.Module) -> int:
    """The flags of code that imports from __future__ as a module does."""
    head: list[ast.stmt] = [
        s for s in module.body if isinstance(s, ast.ImportFrom) and s.module == "__future__"
    ]
    code = compile(ast.Module(head, []), "<head>", "exec", dont_inherit=True)
    return int(code.co_flags & FUTURE)


def reads(statement: ast.stmt) -> set[str]:
    """The names that a statement may read, at once or when what it defines is called."""
    return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and n.id}


def aimed_at(name: str, document: Document, config: Config) -> Config:
    """A config for a function and those that it calls, where others sample the same sites."""
    if config.functions or config.is_empty:
        return config
    module = document.module
    calls = dict(calls_of_functions(ast.parse(module.text)))
    reached = {name}
    while more := {n for n in calls if any(last(n) in calls.get(r, ()) for r in reached)} - reached:
        reached |= more
    sampling = {n for n in calls if "sample" in calls[n]}
    if sampling <= reached:
        return config
    with suppress(Refusal):
        found = chosen(survey(module.path, module.text), config)
        if {function.name for function in found} <= reached:
            return config
    names = [n for n in calls if n in reached & sampling]
    line = f"functions = {value_of(names, (), '')}\n"
    return read_config(f"{line}{config.text}".encode(), config.path)


def changed_text(old: bytes, new: bytes) -> str:
    """The statements of a rewritten module that are new, or others, one below the other."""
    lines = new.decode("utf-8", "replace").splitlines(keepends=True)
    text, above = "", False
    for statement in changed(ast.parse(old), ast.parse(new), ""):
        decorators = statement.decorator_list if isinstance(statement, DEFINITIONS) else []
        first = min([statement.lineno, *(one.lineno for one in decorators)])
        is_import = isinstance(statement, IMPORTS)
        text += "" if not text or (is_import and above) else "\n\n"
        text += "".join(lines[first - 1 : statement.end_lineno])
        above = is_import
    return text


class Held:
    """A folder of arrays, which is deleted when no model reads it, or at last when Python ends."""

    def __init__(self) -> None:
        self.folder = Path(mkdtemp(prefix="reparam-rewrite-"))
        self._finalize = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def by(self, model: Model) -> Model:
        """A model that reads it: it is there as long as what the model sees."""
        function: Any = inspect.unwrap(getattr(model, "__func__", model))
        function.__globals__[HELD] = self
        return model
