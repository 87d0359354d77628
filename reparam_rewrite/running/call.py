"""The model of a file, and its call: what every command that runs one starts from."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from reparam_rewrite.config.keys import Config
from reparam_rewrite.messages import Diagnostic, Refusal
from reparam_rewrite.rewriting import Rewrite, rewrite
from reparam_rewrite.running.arguments import arguments, bound
from reparam_rewrite.running.errors import cannot_run
from reparam_rewrite.running.load import function_in, load
from reparam_rewrite.running.trace import copied, double_precision, is_latent, structure
from reparam_rewrite.running.values import Arguments, Model, Trace
from reparam_rewrite.running.which_function import entry
from reparam_rewrite.source.document import Document
from reparam_rewrite.source.reading import read

WIDTH = 88


@dataclass(frozen=True)
class Entry:
    """The function that is the model of a file: `name` is its dotted name in `module`."""

    document: Document
    module: ModuleType
    name: str
    function: Model

    @classmethod
    def of(cls, document: Document, asked: str | None, rewritten: Sequence[str] = ()) -> Entry:
        """Load a file and find its model: the function `asked` for, or the one that samples.

        With `rewritten`, it must be or call one of those functions. Raises `Refusal`.
        """
        module = load(document.path, "model")
        name = entry(document.data, document.path, asked, list(dict.fromkeys(rewritten)))
        return cls(document, module, name, function_in(module, name, document.path))

    def arguments(self, given: str | None, by_config: tuple[str, str] | None = None) -> Arguments:
        """What the model is called with: as an option gives it, or else a config, by its path.

        Files that a config names are found from its folder. Raises `Refusal`.
        """
        folder = Path()
        if given is None and by_config is not None:
            given, folder = by_config[0], Path(by_config[1]).parent
        path = self.document.path
        return arguments(given, folder, self.function, self.module, path, self.name)

    def bound(self, given: Arguments) -> tuple[Model, Arguments]:
        """The model and its arguments: a method has its instance, which isn't one of those."""
        return bound(self.function, self.module, self.name, self.document.path, given)

    def in_file(
        self, path: str, what: str, given: Arguments, data: bytes | None = None, shown: str = ""
    ) -> Model:
        """The function of this name in another file, or in other `data`; it takes the same call."""
        module = load(path, what, data, shown)
        shown = shown or path
        function = function_in(module, self.name, shown)
        return bound(function, module, self.name, shown, given)[0]


@dataclass(frozen=True)
class Call:
    """A model, as `model` with `args` and `kwargs`, and the `trace` of one run.

    `given`: the arguments as they were given, with those that make an object for a method.
    """

    entry: Entry
    model: Model
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    trace: Trace
    given: Arguments

    @property
    def document(self) -> Document:
        return self.entry.document

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def latents(self) -> tuple[str, ...]:
        """The continuous latent sites."""
        return tuple(
            name
            for name, site in self.trace.items()
            if is_latent(site) and not site["fn"].support.is_discrete
        )

    def generated(self, rewritten: Rewrite, shown: str) -> Model:
        """The function of a module that was made of the file; it takes the same call."""
        path = self.document.path
        return self.entry.in_file(path, "generated model", self.given, rewritten.data, shown)


def called(
    path: str,
    configs: Sequence[Config],
    args_given: str | None,
    function: str | None,
    needs: str,
) -> Call:
    """Load the model of a file and run it once.

    args_given, function: as in the options; the first config that says so decides where they don't.
    needs: what needs all of the data, for a refusal of subsampled plates. Raises `Refusal`.
    """
    document = read(path)
    functions: list[str] = []
    for config in configs:
        rewritten = rewrite(document, config, WIDTH)
        if rewritten.already:
            raise Refusal(
                Diagnostic(path, "the model is rewritten already", "give the plain model.")
            )
        functions += [account.function for account in rewritten.accounts]
    said = next((c.verify.function for c in configs if c.verify.function), None)
    found = Entry.of(document, function or said, functions)
    in_configs = ((c.verify.args, c.path) for c in configs if c.verify.args is not None)
    given = found.arguments(args_given, next(in_configs, None))
    plain, (args, kwargs) = found.bound(given)
    try:
        with redirect_stdout(sys.stderr), double_precision():
            trace = structure(plain, *copied(args, kwargs))
    except (Exception, SystemExit) as error:
        raise cannot_run(error, path, found.name) from error
    refuse_subsampling(trace, path, needs)
    return Call(found, plain, args, kwargs, trace, given)


def refuse_subsampling(trace: Trace, path: str, needs: str) -> None:
    wrong = [
        name
        for name, site in trace.items()
        if site["type"] == "plate" and site["args"][1] not in (None, site["args"][0])
    ]
    if wrong:
        message = f"the plate '{wrong[0]}' is subsampled: {needs} needs all of the data"
        hint = "give --args with which it isn't, such as subsample_size=None."
        raise Refusal(Diagnostic(path, message, hint))
