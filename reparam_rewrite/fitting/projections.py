"""Projections as numbers: what a parent adds where it meets a child in the data of one call.

The generated model is run once, and where it samples a child the expressions that its projection is
made of are computed with its own names, for other values of the parent. What a parent adds is
linear in it: where it is one element for each observation, all ones give its weight and all
different numbers tell which; else each of its elements is set to 1 in turn. What comes of it
is compared with the projection that the model itself has computed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpyro.infer.reparam import ExplicitReparam

from reparam_rewrite.emit.projecting import square_of, times
from reparam_rewrite.fitting.freezing import ROUNDING, Reader, names_in
from reparam_rewrite.fitting.values import Array, Integers, Meeting, Regression, Regressor
from reparam_rewrite.plan.values import Projection, Seen
from reparam_rewrite.running.call import Call
from reparam_rewrite.running.errors import INSTALLED
from reparam_rewrite.running.trace import copied, double_precision, traced

#: How many numbers there may be of what each element of a parent adds to each observation.
LARGEST = 10_000_000

#: What a name stands for where a child is sampled.
Scope = Mapping[str, Any]


class Unfrozen(Exception):
    """A projection can't be told in numbers; the message says why."""


def meetings(
    call: Call, found: Sequence[Regression], reads: Reader, draws: Mapping[str, Any]
) -> tuple[dict[str, Meeting], dict[str, str]]:
    """The projections of all children in numbers, and why others can't be told, by param.

    call: of the generated model that has these projections. draws: of the pilot, by site. Raises
    what the model raises.
    """
    wanted = {one.child: one for one in found if any(map(projection_of, one.regressors))}
    made: dict[str, Meeting] = {}
    failed: dict[str, str] = {}
    original = ExplicitReparam.__call__

    def called(self: Any, name: str, fn: Any, obs: Any) -> Any:
        regression = wanted.pop(name, None)
        for one in regression.regressors if regression is not None else ():
            seen = projection_of(one)
            try:
                if seen is not None and regression is not None:
                    shape = regression.values.shape[1:]
                    made[one.param] = meeting(seen, one, regression, shape, reads)
            except Unfrozen as error:
                failed[one.param] = str(error)
            except Exception as error:  # of an expression of the model's
                failed[one.param] = f"{type(error).__name__}: {error}".split("\n")[0]
        return original(self, name, fn, obs)

    if wanted:
        with double_precision(), patch.object(ExplicitReparam, "__call__", called):
            args, kwargs = copied(call.args, call.kwargs)
            last = {name: np.asarray(values[-1]) for name, values in draws.items()}
            traced(call.model, args, kwargs, {n: v for n, v in last.items() if n not in wanted})
    for regression in wanted.values():
        failed |= {one.param: "it isn't sampled" for one in regression.regressors}
    return made, failed


def projection_of(one: Regressor) -> Projection | None:
    """How a parent meets the child in the data, if it does."""
    made = one.met.projection if one.met is not None else None
    return made if isinstance(made, Projection) else None


def meeting(
    made: Projection,
    one: Regressor,
    regression: Regression,
    shape: tuple[int, ...],
    reads: Reader,
) -> Meeting:
    """Which elements of the child and a parent meet, where the child is just being sampled.

    shape: the child's. Raises `Unfrozen`.
    """
    site, parent = parent_of(one, regression.function, reads)
    texts = [part for seen in made.seen for part in (seen.index, seen.weight, seen.added) if part]
    scope = scope_with({parent, made.variable, *names_of(texts)})
    value = np.asarray(scope[parent], float)
    count, size = int(np.prod(shape)), value.size
    elements = np.arange(count).reshape(shape)
    rows, columns, weights, squares = [], [], [], np.zeros(count)
    for seen in made.seen:
        own = picked(seen, elements, scope)
        inside = own >= 0
        square = np.asarray(evaluated(square_of(seen.weight), scope), float)
        if not seen.index:
            squares += square.mean()
        else:
            each = np.broadcast_to(square, own.shape)[inside]
            squares += np.bincount(own[inside], each, minlength=count)
        if not seen.added:
            continue
        for column, weight in linear(partial(added, seen, parent, scope), value.shape):
            full = own.shape if seen.index else np.broadcast_shapes(column.shape, weight.shape)
            column, weight = np.broadcast_to(column, full), np.broadcast_to(weight, full)
            at = np.broadcast_to(own, full)
            kept = (at >= 0) & (weight != 0)
            rows.append(at[kept])
            columns.append(column[kept])
            weights.append(weight[kept] / (1 if seen.index else max(1, weight.size)))
    keys, which = np.unique(
        np.concatenate(rows).astype(np.int64) * size + np.concatenate(columns),
        return_inverse=True,
    )
    at, column = np.divmod(keys, max(1, size))
    total = np.zeros(len(keys))
    np.add.at(total, which.ravel(), np.concatenate(weights))
    if any(seen.weight for seen in made.seen):
        total /= np.where(squares > 0, squares, 1)[at]
    elif made.seen[0].index:
        total /= np.maximum(squares, 1)[at]
    found = Meeting(site, parent, at, column, total, shape, value.shape)
    check(found, value, np.asarray(scope[made.variable], float))
    return found


def check(found: Meeting, value: Array, live: Array) -> None:
    """It must be what the model itself has computed. Raises `Unfrozen`."""
    mine = np.broadcast_to(found.of(value), live.shape)
    scale = np.abs(live).max(initial=0.0)
    if not np.abs(mine - live).max(initial=0.0) <= ROUNDING * max(scale, np.finfo(float).tiny):
        raise Unfrozen("the numbers aren't what the model computes")


def parent_of(one: Regressor, function: str, reads: Reader) -> tuple[str, str]:
    """The one site that a parent is, or is computed of, and its variable. Raises `Unfrozen`."""
    assert one.met is not None
    expression = one.met.expression
    if one.met.evidence == "sum":
        return one.parent, expression
    sites = reads(expression, function).sites
    if len(sites) != 1 or not sites.keys() <= names_of([expression]):
        raise Unfrozen("it isn't made of one site alone")
    return next((site, variable) for variable, site in sites.items())


def names_of(texts: Sequence[str]) -> set[str]:
    return {name for text in texts for name in names_in(ast.parse(text, mode="eval"))}


def scope_with(names: set[str]) -> dict[str, Any]:
    """What names stand for in the innermost function, of those being called, that has them all."""
    frame = sys._getframe(1)
    while frame is not None:
        known = {**vars(__import__("builtins")), **frame.f_globals, **frame.f_locals}
        own = not str(Path(frame.f_code.co_filename)).startswith(INSTALLED)
        if own and names <= known.keys():
            return known
        frame = frame.f_back  # type: ignore[assignment]
    raise Unfrozen("the names in it aren't known where it is sampled")


def evaluated(text: str, scope: Scope, **given: Any) -> Any:
    """The value of an expression, in which comprehensions see all names too."""
    return eval(text, {**scope, **given})


def picked(seen: Seen, elements: Integers, scope: Scope) -> Integers:
    """The flat number of the child's element of each observation, -1 where it has none."""
    if not seen.index:
        return np.zeros((), np.int64)
    import jax.numpy as jnp

    text = f"_elements.at[{seen.index}].get(mode='fill', fill_value=-1)"
    return np.asarray(evaluated(text, scope, _elements=jnp.asarray(elements)), np.int64)


def added(seen: Seen, parent: str, scope: Scope, value: Array) -> Array:
    """What the parent adds to the observations where it has these values."""
    import jax.numpy as jnp

    text = times(seen.weight, seen.added)
    return np.asarray(evaluated(text, scope, **{parent: jnp.asarray(value)}), float)


def linear(
    function: Callable[[Array], Array], shape: tuple[int, ...]
) -> list[tuple[Integers, Array]]:
    """The numbers of elements that a linear function has, and their weights, by what it gives.

    Each pair has the shape of what it gives. Raises `Unfrozen` for one that isn't linear.
    """
    size = int(np.prod(shape))
    tried = np.random.default_rng(0).normal(size=shape)
    expected = function(tried)
    close = 1e-10 * np.abs(expected).max(initial=0.0)
    number: Array = np.arange(1.0, 1.0 + size)
    weight, numbered = function(np.ones(shape)), function(number.reshape(shape))
    column = np.rint(numbered / np.where(weight == 0, 1, weight) - 1).astype(np.int64)
    column = np.clip(column, 0, size - 1)
    if np.abs(weight * tried.ravel()[column] - expected).max(initial=0.0) <= close:
        return [(column, weight)]
    if size * max(size, expected.size) > LARGEST:
        raise Unfrozen(f"each of its {size:,} elements may add to all observations")
    units: Array = np.eye(size).reshape(size, *shape)
    pairs = [(np.full(expected.shape, at), function(unit)) for at, unit in enumerate(units)]
    total = sum((each * tried.ravel()[at] for at, (_, each) in enumerate(pairs)), 0.0)
    if np.abs(total - expected).max(initial=0.0) > 1e3 * close:
        raise Unfrozen("it isn't linear in its parent")
    return pairs
