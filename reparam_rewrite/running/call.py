"""A model as it is written with its call: what commands that sample it start from."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reparam_rewrite.config.rules import Config
from reparam_rewrite.messages import Diagnostic, Refusal
from reparam_rewrite.rewriting import Rewrite, rewrite
from reparam_rewrite.running.arguments import arguments, bound
from reparam_rewrite.running.entry import entry
from reparam_rewrite.running.errors import cannot_run
from reparam_rewrite.running.load import function_in, load
from reparam_rewrite.running.trace import copied, double_precision, is_latent, structure
from reparam_rewrite.running.values import Arguments, Model, Trace
from reparam_rewrite.source.document import Document
from reparam_rewrite.source.reading import read

WIDTH = 88


@dataclass(frozen=True)
class Call:
    """The function `name` of `document`, as `model` with `args` and `kwargs`, and its `trace`.

    `given`: the arguments as they were given, with those that make an object for a method.
    """

    document: Document
    name: str
    model: Model
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    trace: Trace
    given: Arguments

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
        made = load(self.document.path, "generated model", rewritten.data, shown)
        function = function_in(made, self.name, shown)
        return bound(function, made, self.name, shown, self.given)[0]


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
    module = load(path, "model")
    said = next((c.verify.function for c in configs if c.verify.function), None)
    name = entry(document.data, path, function or said, list(dict.fromkeys(functions)))
    folder = Path()
    if args_given is None:
        saying = next((c for c in configs if c.verify.args is not None), None)
        if saying is not None:
            args_given, folder = saying.verify.args, Path(saying.path).parent
    plain = function_in(module, name, path)
    given = arguments(args_given, folder, plain, module, path, name)
    plain, (args, kwargs) = bound(plain, module, name, path, given)
    try:
        with redirect_stdout(sys.stderr), double_precision():
            trace = structure(plain, *copied(args, kwargs))
    except (Exception, SystemExit) as error:
        raise cannot_run(error, path, name) from error
    refuse_subsampling(trace, path, needs)
    return Call(document, name, plain, args, kwargs, trace, given)


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
