"""``suggest --args``: the model is run once, and its trace says what the source doesn't.

What data say of data is told by regressions of one on the other.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from functools import cache
from math import prod
from types import FrameType, ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer.inspect import get_dependencies

from reparam_rewrite.running.call import Call
from reparam_rewrite.running.errors import cannot_run
from reparam_rewrite.running.trace import (
    compiled,
    copied,
    double_precision,
    is_latent,
    is_real,
    structure,
    traced,
)
from reparam_rewrite.running.values import Model
from reparam_rewrite.suggesting.facts import Facts

#: What makes a regression on the same column twice one by their variances.
RIDGE = 1e-6

#: How many draws from the prior tell how far a site can go.
DRAWS = 200


def facts_of_call(call: Call) -> Facts:
    """What a call of a model tells. Raises `Refusal` also for what the model's code raises."""
    try:
        with redirect_stdout(sys.stderr):
            return facts_of(call.model, call.args, call.kwargs, call.entry.module)
    except (Exception, SystemExit) as error:
        raise cannot_run(error, call.document.path, call.name) from error


def facts_of(
    model: Model, args: Sequence[Any], kwargs: Mapping[str, Any], module: ModuleType
) -> Facts:
    """What a run of a model tells, abstract but for its data."""
    with double_precision():
        args, kwargs = copied(args, kwargs)
        trace = structure(model, args, kwargs)
        sites = {name: site for name, site in trace.items() if site["type"] == "sample"}
        latent = [name for name, site in sites.items() if is_latent(site)]
        draws = drawn(model, args, kwargs, latent)
        found: Any = get_dependencies(model, tuple(args), dict(kwargs))
    meeting = found["posterior_dependencies"].items()
    names = {"np": np, "jnp": jnp, **vars(module), **named(model, args, kwargs)}

    @cache
    def computed() -> dict[str, Any]:
        with double_precision():
            return locals_of(model, args, kwargs)

    def evaluate(expression: str, values: Mapping[str, Any]) -> Any:
        for known in (dict, computed):
            try:
                with redirect_stdout(sys.stderr):
                    found = np.asarray(eval(expression, {**names, **known(), **values}))
                    return found if np.isfinite(found.astype(float)).all() else None
            except Exception:
                continue
        return None

    return Facts(
        shapes={name: tuple(site["value"].shape) for name, site in sites.items()},
        real=frozenset(name for name in latent if is_real(sites[name]["fn"].support)),
        meeting=frozenset(frozenset((one, other)) for one, others in meeting for other in others),
        evaluate=evaluate,
        draws=draws,
        sizes={
            name: float(np.abs(np.asarray(site["value"], dtype=float)).mean())
            for name, site in sites.items()
            if site["is_observed"] and np.size(site["value"])
        },
    )


def locals_of(model: Model, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """What the names of a model stand for at its end, in a run that isn't compiled."""
    code = getattr(inspect.unwrap(model), "__code__", None)
    found: dict[str, Any] = {}

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and frame.f_code is code:
            found.update(frame.f_locals)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        traced(model, args, kwargs)
    finally:
        sys.setprofile(before)
    return found


def drawn(
    model: Model, args: Sequence[Any], kwargs: Mapping[str, Any], names: Sequence[str]
) -> dict[str, Any]:
    """Values from the prior, by the name of the latent site."""

    def one(key: jax.Array) -> dict[str, Any]:
        trace = traced(model, args, kwargs, key=key)
        return {name: trace[name]["value"] for name in names}

    keys = jax.random.split(jax.random.key(0), DRAWS)
    values = compiled(jax.vmap(one), keys)(keys)
    return {name: np.asarray(value) for name, value in values.items()}


def named(model: Model, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by the names of the parameters."""
    try:
        given = inspect.signature(model).bind(*args, **kwargs)
    except (TypeError, ValueError):
        return dict(kwargs)
    given.apply_defaults()
    return dict(given.arguments)


def unit(shape: tuple[int, ...], at: int) -> Any:
    """Zeros, and a one."""
    return np.eye(1, prod(shape), at).reshape(shape)


def regression(
    target: Any, columns: list[Any], variances: list[float], least: float
) -> float | None:
    """The first column's coefficient in the regression of data on data.

    None where it makes up for less than `least` of the target, by their root mean squares. Of
    columns that make up for the same, each does by its variance.
    """
    aim, *made = (one.ravel() for one in np.broadcast_arrays(target, *columns))
    design = np.stack(made, axis=1).astype(float)
    gram = design.T @ design
    ridge = RIDGE * (np.trace(gram) or 1.0) * np.diag(1 / np.array(variances))
    step = float(np.linalg.solve(gram + ridge, design.T @ aim)[0])
    size = abs(step) * float((made[0] ** 2).mean()) ** 0.5
    return step if size > least * float((aim**2).mean()) ** 0.5 else None
