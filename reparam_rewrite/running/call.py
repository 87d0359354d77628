"""The model of a file, what it is called with, and one run: what commands that run one start from.

Arguments are given as ``example.py:example_args``, as an expression, or not at all.
"""

from __future__ import annotations

import copy
import inspect
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, NoReturn

from reparam_rewrite.config.rules import Config
from reparam_rewrite.messages import Diagnostic, Refusal, listed
from reparam_rewrite.rewriting import Rewrite, rewrite_plain
from reparam_rewrite.running.errors import cannot_run, refusal
from reparam_rewrite.running.load import (
    class_of,
    function_in,
    in_folder,
    load,
    load_also,
    model_in,
)
from reparam_rewrite.running.trace import (
    copied,
    double_precision,
    is_discrete,
    is_latent,
    structure,
)
from reparam_rewrite.running.values import Arguments, Model, Trace
from reparam_rewrite.running.which_function import entry, last
from reparam_rewrite.running.whole import HINT, check_whole, subsampled, whole
from reparam_rewrite.source import is_notebook
from reparam_rewrite.source.document import Document
from reparam_rewrite.source.reading import read

WIDTH = 88

#: What ``--args`` gives that is no expression.
FILE = re.compile(r"(?P<path>[^()\[\]{}]+\.(?:py|ipynb)):(?P<function>[^\W\d][\w.]*)")


def refuse(path: str | None, message: str, hint: str = "") -> NoReturn:
    raise Refusal(Diagnostic(path, message, hint)) from None


class Entry(NamedTuple):
    """The function that is a model: `name` is its dotted name in `module`, loaded from `path`."""

    path: str
    module: ModuleType
    name: str
    function: Model

    @classmethod
    def of(cls, document: Document, asked: str | None, rewritten: Sequence[str] = ()) -> Entry:
        """Load a file and find its model: the function `asked` for, or the one that samples.

        With `rewritten`, it must be or call one of those functions. Raises `Refusal`.
        """
        path = document.path
        try:
            name = entry(document.module.data, path, asked, rewritten)
        except (SyntaxError, ValueError) as error:
            raise refusal(error, path, "the model can't be imported") from error
        module = load(path, "model", name)
        return cls(path, module, name, model_in(module, name, path))

    def taking(self, given: Arguments, others: Sequence[str]) -> Entry:
        """It, or if it doesn't take the arguments the first of the other functions that does."""
        entries = [self]
        for name in others:
            function = model_in(self.module, name, self.path)
            entries.append(self._replace(name=name, function=function))
        return next((entry for entry in entries if entry.takes(given)), self)

    def takes(self, given: Arguments) -> bool:
        """Can it be called with these arguments, by its signature?"""
        try:
            function, (args, kwargs) = self.bound(given)
            inspect.signature(function).bind(*args, **kwargs)
        except (Refusal, TypeError, ValueError):
            return False
        return True

    def arguments(self, given: str | None, by_config: tuple[str, str] | None = None) -> Arguments:
        """What the model is called with: as an option gives it, or else a config, by its path.

        Files that a config names are found from its folder. Without either, a model that needs no
        arguments is called without. Raises `Refusal` that says what to write.
        """
        folder = Path()
        if given is None and by_config is not None:
            given, folder = by_config[0], Path(by_config[1]).parent
        if given is None:
            if needed := self.needed():
                hint = template(self.function, needed)
                refuse(self.path, f"'{self.name}' needs arguments", hint)
            return (), {}
        if found := FILE.fullmatch(given.strip()):
            path = found["path"] if folder == Path() else str(folder / found["path"])
            return self.from_file(path, found["function"])
        return evaluated(given, self.module)

    def from_file(self, path: str, name: str) -> Arguments:
        """What a function of a file, or of this notebook, returns. Raises `Refusal`."""
        if is_notebook(path) and Path(path).resolve() == Path(self.path).resolve():
            load_also(module := self.module, path, name)
        else:
            module = load(path, "file of the arguments", name)
        function = function_in(module, name, path)
        try:
            with redirect_stdout(sys.stderr), in_folder(path):
                value = function()
        except (Exception, SystemExit) as error:
            raise refusal(error, path, f"'{name}' gives no arguments") from error
        if pair := as_pair(value):
            return pair
        message = f"{path}:{name} returns {type(value).__name__}, not (args, kwargs)"
        refuse(None, message, "return (8, 6), {'y': None}, for example.")

    def owner(self) -> type | None:
        """The class whose instance the function takes first; None for what is no such method."""
        owner = class_of(self.module, self.name)
        found = owner and inspect.getattr_static(owner, last(self.name))
        return None if isinstance(found, staticmethod) else owner

    def needed(self) -> list[str]:
        """The parameters without a default; the `self` of a method isn't counted."""
        try:
            parameters = list(inspect.signature(self.function).parameters.values())
        except (TypeError, ValueError):
            return []
        if self.owner():
            parameters = parameters[1:]
        kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        return [p.name for p in parameters if p.default is p.empty and p.kind not in kinds]

    def bound(self, given: Arguments) -> tuple[Model, Arguments]:
        """A method with its instance: one that is the first argument, else one made without any.

        An instance that is given gets the class of the file that the method is from: what the
        method calls on it must be that file's too. Raises `Refusal`.
        """
        owner, method, (args, kwargs) = self.owner(), last(self.name), given
        if owner is None or isinstance(inspect.getattr_static(owner, method), classmethod):
            return self.function, given
        if args and type(args[0]).__name__ == owner.__name__:
            instance = copy.copy(args[0])
            try:
                instance.__class__ = owner
            except TypeError as error:
                what = f"a '{owner.__name__}' of this file: {error}"
                refuse(self.path, f"the first argument can't be made {what}")
            return getattr(instance, method), (args[1:], kwargs)
        try:
            with redirect_stdout(sys.stderr):
                instance = owner()
        except Exception as error:
            kind = owner.__name__
            what = f"'{self.name}' is a method, and no '{kind}' can be made without arguments"
            hint = f'give one as the first of the args: --args "({kind}(...), ...), {{}}".'
            raise refusal(error, self.path, what, hint) from error
        return getattr(instance, method), given

    def in_file(
        self,
        path: str,
        what: str,
        given: Arguments,
        data: bytes | None = None,
        shown: str = "",
        beside: Path | None = None,
    ) -> Model:
        """The function of this name in another file, or in other `data`; it takes the same call.

        It finds the arrays that it loads in the folder `beside`, if that is another one.
        """
        module = load(path, what, self.name, data, shown)
        if beside is not None:
            module.__file__ = str(beside / Path(path).name)
        function = function_in(module, self.name, shown or path)
        return Entry(shown or path, module, self.name, function).bound(given)[0]

    def rewritten(
        self, document: Document, data: bytes, given: Arguments, shown: str, beside: Path | None
    ) -> Model:
        """The function in what its document was rewritten into, which is `shown` by that name."""
        return self.in_file(document.path, "generated model", given, data, shown, beside)


#: What `--args` may be.
ARGS = "write \"(8, 6), {'y': None}\", or example.py:example_args for what a function returns."


def evaluated(expression: str, module: ModuleType) -> Arguments:
    """``(8, 6), {'y': None}``: the names in it are the model file's, np and jnp."""
    import jax.numpy as jnp
    import numpy as np

    names = {"np": np, "jnp": jnp, **vars(module)}
    try:
        value = eval(compile(expression.strip(), "<--args>", "eval"), names)
    except SyntaxError as error:
        message = f"--args is no expression, and no file.py:function: {error.msg}"
        refuse(None, message, ARGS)
    except Exception as error:
        refuse(None, f"--args can't be computed: {type(error).__name__}: {error}", ARGS)
    return arguments_in(value)


def arguments_in(value: Any) -> Arguments:
    """What a value means as arguments: a pair (args, kwargs), kwargs, args, or the only one."""
    if pair := as_pair(value):
        return pair
    return (value if isinstance(value, tuple) else (value,)), {}


def as_pair(value: Any) -> Arguments | None:
    """A value as (args, kwargs), of which a dictionary is the second; None for any other one."""
    match value:
        case dict():
            return (), value
        case (tuple() | list() as args, dict() as kwargs) if isinstance(value, tuple):
            return tuple(args), dict(kwargs)
    return None


def template(model: Model, needed: Sequence[str]) -> str:
    """What to write, made from the model's signature."""
    parameters = inspect.signature(model).parameters.values()
    args = f"({', '.join(f'<{name}>' for name in needed)}{',' if len(needed) == 1 else ''})"
    optional = [f"'{p.name}': <{p.name}>" for p in parameters if p.default is not p.empty]
    return (
        f'write --args "{args}, {{{", ".join(optional)}}}", or --args "example.py:example_args", '
        "the name of a function that returns such a pair."
    )


class Call(NamedTuple):
    """A model, as `model` with `args` and `kwargs`, and the `trace` of one run.

    `given`: the arguments as they were given, with those that make an object for a method.
    `all_data`: subsampled plates are made whole.
    """

    document: Document
    entry: Entry
    model: Model
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    trace: Trace
    given: Arguments
    all_data: bool = False

    @property
    def name(self) -> str:
        """The dotted name of the model."""
        return self.entry.name

    @property
    def latents(self) -> tuple[str, ...]:
        """The continuous latent sites."""
        return tuple(n for n, s in self.trace.items() if is_latent(s) and not is_discrete(s))

    @property
    def is_observed(self) -> bool:
        """Are there observations?"""
        return any(s["type"] == "sample" and s["is_observed"] for s in self.trace.values())

    def generated(self, rewritten: Rewrite, shown: str, beside: Path | None = None) -> Call:
        """The same call of the function in a module that was made of the file.

        beside: the folder of the arrays that it loads, if that isn't the model's.
        """
        model = self.entry.rewritten(self.document, rewritten.data, self.given, shown, beside)
        return self._replace(model=whole(model) if self.all_data else model)


def called(
    path: str,
    configs: Sequence[Config],
    args_given: str | Arguments | None,
    function: str | None,
    needs: str = "",
) -> Call:
    """Load the model of a file and run it once, on all of its data.

    args_given, function: as in the options, or the arguments themselves; the first config that says
    so decides where they don't. needs: what is measured of the model as it is, for a refusal of
    subsampled plates, which else are made whole. Raises `Refusal`.
    """
    document = read(path)
    functions: list[str] = []
    for config in configs:
        rewritten = rewrite_plain(document, config, WIDTH)
        functions += [account.function for account in rewritten.accounts]
    said = next((c.verify.function for c in configs if c.verify.function), None)
    found = Entry.of(document, function or said, functions)
    in_configs = ((c.verify.args, c.path) for c in configs if c.verify.args is not None)
    if isinstance(args_given, tuple):
        given = args_given
    else:
        given = found.arguments(args_given, next(in_configs, None))
    if not (function or said):  # ``main``, which runs the model, isn't it
        found = found.taking(given, functions)
    return on_all_data(run_once(document, found, given), needs)


def on_all_data(call: Call, needs: str) -> Call:
    """The call with plates that are whole, or refused where something `needs` the model as it is.

    Raises `Refusal` where it can't be run so, too.
    """
    plates = subsampled(call.trace)
    if plates and needs:
        message = f"the plate '{plates[0]}' is subsampled: {needs} needs all of the data"
        hint = "give arguments with which it isn't, such as subsample_size=None."
        refuse(call.document.path, message, hint)
    if not plates:
        return call
    path, model = call.document.path, whole(call.model)
    try:
        with redirect_stdout(sys.stderr), double_precision():
            trace = structure(model, *copied(call.args, call.kwargs))
    except (Exception, SystemExit) as error:
        what = f"'{call.name}' can't be run with all elements of {listed(plates)}, which is needed"
        raise refusal(error, path, what, HINT) from error
    check_whole(call.trace, trace, plates, path)
    return call._replace(model=model, trace=trace, all_data=True)


def run_once(document: Document, found: Entry, given: Arguments) -> Call:
    """A call of the model of a file that is loaded. Raises `Refusal` for what it raises."""
    plain, (args, kwargs) = found.bound(given)
    try:
        with redirect_stdout(sys.stderr), double_precision():
            trace = structure(plain, *copied(args, kwargs))
    except (Exception, SystemExit) as error:
        raise cannot_run(error, document.path, found.name) from error
    return Call(document, found, plain, args, kwargs, trace, given)
