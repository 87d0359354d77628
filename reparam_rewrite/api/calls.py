"""What the functions that run a model start from, and what they say while they do."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from reparam_rewrite.config.rules import Config
from reparam_rewrite.messages import Diagnostic, Refusal
from reparam_rewrite.rewriting import rewrite_plain
from reparam_rewrite.running.environment import ready
from reparam_rewrite.running.values import Arguments

if TYPE_CHECKING:
    from reparam_rewrite.running.call import Call

#: What a model is: a function, or the path of a file.
Model = os.PathLike[str] | Callable[..., Any]


def path_of(model: Model) -> str | None:
    """The path of a model that is a file; None for a function. Raises TypeError for other things.

    A str is none, as in `rewrite`.
    """
    if isinstance(model, os.PathLike):
        return os.fspath(model)
    if not callable(model):
        raise TypeError(f"a model is a function or the Path of a file, not {type(model).__name__}")
    return None


def arguments_of(args: Sequence[Any], kwargs: Mapping[str, Any] | None) -> Arguments:
    """The arguments of one call. Raises TypeError for what isn't a sequence and a mapping."""
    if isinstance(args, str) or not isinstance(args, Sequence):
        kind = type(args).__name__
        raise TypeError(f"args is a tuple of the model's arguments, not {kind}: write (x,) for one")
    if not isinstance(kwargs, Mapping | None):
        raise TypeError(f"kwargs is a dictionary of arguments, not {type(kwargs).__name__}")
    return tuple(args), dict(kwargs or {})


def call_of(
    model: Model,
    configs: Sequence[Config],
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None,
    function: str | None,
    needs: str = "",
) -> tuple[Call, list[Config]]:
    """Run a model once, with these arguments; also the configs, each for this function alone.

    needs: what is measured of the model as it is, which subsampled plates don't go
    with. Raises `Refusal`.
    """
    path, given = path_of(model), arguments_of(args, kwargs)
    from reparam_rewrite.fitting.coordinates import as_if_frozen
    from reparam_rewrite.running.call import called

    if path is None:
        if function is not None:
            message = f"function names one of a file, and '{function}' is given with a function"
            raise Refusal(Diagnostic(None, message, "leave it out."))
        return call_of_function(model, configs, given, needs)
    return called(path, [*map(as_if_frozen, configs)], given, function, needs), list(configs)


def call_of_function(
    model: Model, configs: Sequence[Config], given: Arguments, needs: str
) -> tuple[Call, list[Config]]:
    """The same of a function."""
    from reparam_rewrite.fitting.coordinates import as_if_frozen
    from reparam_rewrite.running.call import WIDTH, on_all_data, run_once
    from reparam_rewrite.running.functions import Live, aimed_at

    live, document, instance = Live.of_function(model)
    aimed = [aimed_at(live.name, document, config) for config in configs]
    for config in aimed:
        rewrite_plain(document, as_if_frozen(config), WIDTH)
    call = run_once(document, live, ((*instance, *given[0]), given[1]))
    return on_all_data(call, needs), aimed


def is_shown(progress: bool | None) -> bool:
    """Is told how far a run is? If nobody says so, at a terminal and in a notebook."""
    if progress is not None:
        return progress
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    in_notebook = shell is not None and hasattr(shell, "kernel")
    return in_notebook or (sys.stderr is not None and sys.stderr.isatty())


@contextmanager
def running(who: str) -> Iterator[None]:
    """A block that runs models, in float64. Raises `Refusal` without jax, which `who` needs."""
    ready(who)
    from reparam_rewrite.running.trace import double_precision

    with double_precision():
        yield


@contextmanager
def telling(shown: bool) -> Iterator[Callable[[str], None]]:
    """A line that says what is being done, which a notebook shows, too; gone at the end."""
    if not shown:
        yield lambda text: None
        return
    from tqdm.auto import tqdm

    with tqdm(bar_format="{desc} ({elapsed})", leave=False) as line:
        yield line.set_description_str
