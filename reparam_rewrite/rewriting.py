"""The pipeline: a source and a config in, the rewritten bytes and an account out."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from reparam_rewrite.config.rules import Config
from reparam_rewrite.plan.values import Account
from reparam_rewrite.source.encoding import Source, is_notebook


class Rewrite(Struct, frozen=True):
    """What became of a file. `already`: it had been rewritten before, and `data` is its own."""

    data: bytes
    accounts: tuple[Account, ...]
    already: bool


def rewrite(source: Source, config: Config, width: int) -> Rewrite:
    """Rewrite a model as its config says; `width` is the line length of generated code.

    A source whose path ends in ".ipynb" is the JSON of a notebook, and so is what it becomes.

    Raises `Refusal` with all the reasons if anything in the config can't be done.
    """
    if config.is_empty:
        return Rewrite(source.data, (), already=False)
    with garbage_left():
        if is_notebook(source.path):
            from reparam_rewrite.notebooks import rewrite_notebook

            return rewrite_notebook(source, config, width)
        return rewrite_module(source, config, width)


def rewrite_module(source: Source, config: Config, width: int) -> Rewrite:
    """`rewrite` of a Python file."""
    # LibCST is half of the program's start-up: a config with errors never gets to it.
    from reparam_rewrite.plan import plan
    from reparam_rewrite.survey import survey

    surveyed = survey(source.path, source.text)
    planned = plan(surveyed, config)
    if planned.already or not planned.rewrites:  # all that is asked for is to be left alone
        return Rewrite(source.data, planned.accounts, already=planned.already)
    from reparam_rewrite.emit import emit

    return Rewrite(emit(planned, surveyed, source, width), planned.accounts, already=False)


@contextmanager
def garbage_left() -> Iterator[None]:
    """Without the cyclic garbage collector, which would go through the growing trees many times.

    These have no cycles, so that they are freed all the same as soon as nothing holds them.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
