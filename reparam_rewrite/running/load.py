"""Python files as modules of their own, and the functions in them.

The plain and the generated file are two versions of one module: each gets a name that no import
finds. The folder of a file comes first on `sys.path`, as it does for ``python file.py``, so that
it imports what stands beside it. What a file prints goes to standard error.
"""

from __future__ import annotations

import itertools
import linecache
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import jax

from reparam_rewrite.messages import Diagnostic, Refusal, listed, nearest
from reparam_rewrite.running.errors import refusal
from reparam_rewrite.source import is_notebook
from reparam_rewrite.source.files import read_bytes

_number = itertools.count()

#: Where the code of what JAX makes of a function is.
JAX = Path(jax.__file__).parent


def load(path: str, what: str, data: bytes | None = None, shown: str = "") -> ModuleType:
    """Run the file at `path` as a module; `data`, if given, instead of its content.

    `shown` is the file's name in messages and tracebacks, where it isn't `path`. Raises `Refusal`,
    with its place in the file, for whatever the code raises, and for notebooks.
    """
    if is_notebook(path):
        message = "the file is a notebook, and all of its cells would run"
        hint = "have the model in a .py of its own: jupyter nbconvert --to script, for example."
        raise Refusal(Diagnostic(path, message, hint))
    source = read_bytes(path, what) if data is None else data
    file = Path(path).resolve()
    # The package that the file is in, for its relative imports, and the folder that holds it.
    package, root = "", file.parent
    while (root / "__init__.py").exists():
        package, root = f"{root.name}.{package}", root.parent
    sys.path[:] = [str(root), *(folder for folder in sys.path if folder != str(root))]
    name = f"{package}_verified_{next(_number)}_{file.stem}"
    name = "".join(char if char.isalnum() or char in "._" else "_" for char in name)
    # jax can't take what Python couldn't decode of a path, in the C locale.
    filename = os.fsencode(shown or str(file)).decode("utf-8", "replace")
    module = module_from_spec(ModuleSpec(name, None, origin=filename))
    module.__file__ = str(file)
    if shown or filename != str(file):
        text = source.decode("utf-8", "replace")
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    # Dataclasses and pickles look their module up by name.
    sys.modules[name] = module
    try:
        if package:
            import_module(package[:-1])
        with redirect_stdout(sys.stderr):
            exec(compile(source, filename, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        hint = "it must run by itself, in the Python that reparam-rewrite runs in."
        raise refusal(error, path, f"the {what} can't be imported", hint) from error
    return module


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
        raise Refusal(Diagnostic(path, f"'{name}' is no function"))
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
