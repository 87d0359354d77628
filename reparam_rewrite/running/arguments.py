"""What the models are called with: ``example.py:example_args``, an expression, or nothing."""

from __future__ import annotations

import copy
import inspect
import re
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from reparam_rewrite.messages import Diagnostic, Refusal
from reparam_rewrite.running.errors import refusal
from reparam_rewrite.running.load import class_of, function_in, load
from reparam_rewrite.running.values import Arguments, Model

FILE = re.compile(r"(?P<path>[^()\[\]{}]+\.py):(?P<function>[^\W\d][\w.]*)")


def arguments(
    given: str | None, folder: Path, model: Model, module: ModuleType, path: str, name: str
) -> Arguments:
    """The arguments of the function `name` of the file at `path`.

    given: as in ``--args``; a path in it is from `folder`. Without it, a model that needs no
    arguments is called without. Raises `Refusal` that says what to write.
    """
    if given is None:
        needed = needs(model, name, module)
        if needed:
            raise Refusal(Diagnostic(path, f"'{name}' needs arguments", template(model, needed)))
        return (), {}
    if found := FILE.fullmatch(given.strip()):
        file = str(folder / found["path"])
        file = found["path"] if folder == Path() else file
        function = function_in(load(file, "file of the arguments"), found["function"], file)
        try:
            with redirect_stdout(sys.stderr):
                value = function()
        except (Exception, SystemExit) as error:
            said = f"'{found['function']}' gives no arguments"
            raise refusal(error, file, said) from error
        where = f"{file}:{found['function']}"
        if not is_pair(value):
            message = f"{where} returns {type(value).__name__}, not (args, kwargs)"
            raise Refusal(Diagnostic(None, message, "return (8, 6), {'y': None}, for example."))
        return tuple(value[0]), dict(value[1])
    return evaluated(given, module)


def evaluated(expression: str, module: ModuleType) -> Arguments:
    """``(8, 6), {'y': None}``: the names in it are the model file's, np and jnp."""
    import jax.numpy as jnp
    import numpy as np

    names = {"np": np, "jnp": jnp, **vars(module)}
    try:
        value = eval(compile(expression.strip(), "<--args>", "eval"), names)
    except SyntaxError as error:
        message = f"--args is no expression, and no file.py:function: {error.msg}"
        raise Refusal(Diagnostic(None, message, "write \"(8, 6), {'y': None}\".")) from None
    except Exception as error:
        message = f"--args can't be computed: {type(error).__name__}: {error}"
        raise Refusal(Diagnostic(None, message)) from None
    if is_pair(value):
        return tuple(value[0]), dict(value[1])
    if isinstance(value, dict):
        return (), value
    return (value if isinstance(value, tuple) else (value,)), {}


def is_pair(value: Any) -> bool:
    """Whether a value is (args, kwargs)."""
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and isinstance(value[0], tuple | list)
        and isinstance(value[1], dict)
    )


def needs(model: Model, name: str, module: ModuleType) -> list[str]:
    """The parameters without a default; the `self` of a method isn't counted."""
    try:
        parameters = list(inspect.signature(model).parameters.values())
    except (TypeError, ValueError):
        return []
    if class_of(module, name) and is_method(class_of(module, name), name):
        parameters = parameters[1:]
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in kinds]


def template(model: Model, needed: list[str]) -> str:
    """What to write, made from the model's signature."""
    optional = [
        name
        for name, parameter in inspect.signature(model).parameters.items()
        if parameter.default is not parameter.empty
    ]
    args = f"({', '.join(f'<{name}>' for name in needed)}{',' if len(needed) == 1 else ''})"
    kwargs = "{" + ", ".join(f"'{name}': <{name}>" for name in optional) + "}"
    return (
        f'write --args "{args}, {kwargs}", or --args "example.py:example_args", the name of a '
        "function that returns such a pair."
    )


def is_method(owner: Any, name: str) -> bool:
    return not isinstance(inspect.getattr_static(owner, name.rpartition(".")[2]), staticmethod)


def bound(
    model: Model, module: ModuleType, name: str, path: str, found: Arguments
) -> tuple[Callable[..., Any], Arguments]:
    """A method with its instance: one that is the first argument, else one made without any.

    An instance that is given gets the class of the file that the method is from: what the method
    calls on it must be that file's too.
    """
    owner = class_of(module, name)
    if owner is None or not is_method(owner, name):
        return model, found
    if isinstance(inspect.getattr_static(owner, name.rpartition(".")[2]), classmethod):
        return model, found
    args, kwargs = found
    if args and type(args[0]).__name__ == owner.__name__:
        instance = copy.copy(args[0])
        try:
            instance.__class__ = owner
        except TypeError as error:
            message = f"the first argument can't be made a '{owner.__name__}' of this file: {error}"
            raise Refusal(Diagnostic(path, message)) from None
        return getattr(instance, name.rpartition(".")[2]), (args[1:], kwargs)
    try:
        with redirect_stdout(sys.stderr):
            instance = owner()
    except Exception as error:
        hint = f'give one as the first of the args: --args "({owner.__name__}(...), ...), {{}}".'
        message = f"'{name}' is a method, and no '{owner.__name__}' can be made without arguments"
        raise refusal(error, path, message, hint) from error
    return getattr(instance, name.rpartition(".")[2]), found
