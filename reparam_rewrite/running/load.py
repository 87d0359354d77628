"""Python files and notebooks as modules of their own, and the functions in them.

The plain and the generated file are two versions of one module: each gets a name that no import
finds. The folder of a file comes first on `sys.path`, as it does for ``python file.py``, so that
it imports what stands beside it. What a file prints goes to standard error. The cells of a notebook
are run in its folder, as Jupyter runs them.
"""

from __future__ import annotations
import __future__

import functools
import itertools
import linecache
import operator
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, chdir, nullcontext, redirect_stdout
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import jax

from reparam_rewrite.messages import Diagnostic, Refusal, listed, nearest
from reparam_rewrite.running.errors import refusal
from reparam_rewrite.running.notebooks import Piece, cell_of_functions, cells_down_to, piece_of
from reparam_rewrite.source import is_notebook
from reparam_rewrite.source.cells import CellDocument
from reparam_rewrite.source.files import read_bytes
from reparam_rewrite.source.reading import read

_number = itertools.count()

#: The flags of code that imports from __future__.
FUTURE = functools.reduce(
    operator.or_, (getattr(__future__, n).compiler_flag for n in __future__.all_feature_names)
)

#: Where the code of what JAX makes of a function is.
JAX = Path(jax.__file__).parent


def load(path: str, what: str, name: str, data: bytes | None = None, shown: str = "") -> ModuleType:
    """Run the file at `path` as a module; `data`, if given, instead of its content.

    Of a notebook the cells down to that which defines `name` are run, of any other file all.
    `shown` is the file's name in messages and tracebacks, where it isn't `path`. Raises `Refusal`,
    with its place in the file, for whatever the code raises.
    """
    source = read_bytes(path, what) if data is None else data
    file = Path(path).resolve()
    # The package that the file is in, for its relative imports, and the folder that holds it.
    package, root = "", file.parent
    while (root / "__init__.py").exists():
        package, root = f"{root.name}.{package}", root.parent
    sys.path[:] = [str(root), *(folder for folder in sys.path if folder != str(root))]
    called = f"{package}_verified_{next(_number)}_{file.stem}"
    called = "".join(char if char.isalnum() or char in "._" else "_" for char in called)
    # jax can't take what Python couldn't decode of a path, in the C locale.
    filename = os.fsencode(shown or str(file)).decode("utf-8", "replace")
    module = module_from_spec(ModuleSpec(called, None, origin=filename))
    module.__file__ = str(file)
    pieces = [Piece(filename, source, source.decode("utf-8", "replace"))]
    if is_notebook(path):
        cells = cells_down_to(notebook(path, source), name)
        pieces = [piece_of(cell, filename) for cell in cells]
    # Dataclasses and pickles look their module up by name.
    sys.modules[called] = module
    try:
        if package:
            import_module(package[:-1])
        run(module, path, pieces)
    except (Exception, SystemExit) as error:
        hint = "it must run by itself, in the Python that reparam-rewrite runs in."
        raise refusal(error, path, f"the {what} can't be imported", hint) from error
    return module


def notebook(path: str, source: bytes) -> CellDocument:
    document = read(path, source)
    assert isinstance(document, CellDocument)
    return document


def run(module: ModuleType, path: str, pieces: Sequence[Piece]) -> None:
    """Run pieces of code of a file in a module, one after another. Raises what they raise."""
    flags = 0
    with redirect_stdout(sys.stderr), in_folder(path):
        for filename, code, text, standins in pieces:
            lines = text.splitlines(keepends=True)
            linecache.cache[filename] = (len(text), None, lines, filename)
            vars(module).update(dict.fromkeys(standins, nothing))
            made = compile(code, filename, "exec", flags, dont_inherit=True)
            flags |= made.co_flags & FUTURE  # it holds in the cells below
            exec(made, module.__dict__)


def in_folder(path: str) -> AbstractContextManager[Any]:
    """A block that is run where Jupyter runs a notebook; for other files, where the user is."""
    if not is_notebook(path):
        return nullcontext()
    os.environ.setdefault("MPLBACKEND", "agg")  # where nobody looks, plt.show() must not wait
    return chdir(Path(path).resolve().parent)


def nothing() -> None:
    """What a magic does here."""


def load_also(module: ModuleType, path: str, name: str) -> None:
    """Define a function that is further down in the notebook of a module. Raises `Refusal`."""
    if hasattr(module, name.partition(".")[0]):
        return
    cell = cell_of_functions(notebook(path, read_bytes(path, "notebook")), name)
    try:
        run(module, path, [piece_of(cell, str(Path(path).resolve()))])
    except (Exception, SystemExit) as error:
        raise refusal(error, path, f"the cell of '{name}' can't be run") from error


def function_in(module: ModuleType, name: str, path: str) -> Callable[..., Any]:
    """The function of a dotted name: of a class it is unbound, of a function it is what that
    function returns when it is called without arguments.

    Raises `Refusal` if there is none.
    """
    found: Any = module
    outer = ""
    for part in name.split("."):
        if isinstance(found, FunctionType):
            try:
                with redirect_stdout(sys.stderr):
                    found = found()
            except Exception as error:
                hint = f"'{name}' is what '{outer}' returns when called without arguments."
                raise refusal(error, path, f"'{outer}' can't be called", hint) from error
            if getattr(found, "__name__", None) != part:
                message = f"'{outer}' returns no function '{part}' when called without arguments"
                raise Refusal(Diagnostic(path, message))
        elif hasattr(found, part):
            found = getattr(found, part)
        else:
            own = [
                key
                for key, value in vars(found).items()
                if callable(value) and getattr(value, "__module__", "") == module.__name__
            ]
            like = nearest(part, own)
            hint = f"did you mean '{like[0]}'?" if like else f"it has {listed(own) or 'none'}."
            raise Refusal(Diagnostic(path, f"there is no function '{name}'", hint))
        outer = part
    if not callable(found):
        hint = f"write --args '({name},), {{}}' for a value that the model's file has."
        raise Refusal(Diagnostic(path, f"'{name}' is no function", hint))
    return found  # type: ignore[no-any-return]


def model_in(module: ModuleType, name: str, path: str) -> Callable[..., Any]:
    """The same of a model, which isn't what JAX has made of one. Raises `Refusal`."""
    found = function_in(module, name, path)
    if is_transformed(found):
        message = f"JAX compiles or transforms '{name}', and NumPyro doesn't see what it samples"
        hint = "take jax.jit, or what else is around it, off: MCMC and SVI compile the model."
        raise Refusal(Diagnostic(path, message, hint))
    return found


def is_transformed(function: Any) -> bool:
    """Is a function what ``jax.jit``, ``jax.vmap`` or the like made of one?"""
    code = getattr(function, "__code__", None)
    made_by_jax = code is not None and Path(code.co_filename).is_relative_to(JAX)
    return made_by_jax or type(function).__module__.partition(".")[0] in ("jax", "jaxlib")


def class_of(module: ModuleType, name: str) -> type | None:
    """The class that a dotted name is a method of, None where it is none."""
    found: Any = module
    for part in name.split(".")[:-1]:
        found = getattr(found, part, None)
    return found if isinstance(found, type) else None
