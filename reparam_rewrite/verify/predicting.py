"""Do draws mean the same with the data of another call?

`Predictive(generated, draws)(key, *new)` computes a child from its base site again. If its offset
reads what the model is called with, that is another child than the one that was drawn, and
nothing says so. So one point is taken as a draw: the values of the generated model's latents, and
of the plain model's that they give. Both models are run with them once more, with other data and
without the observations, as a prediction is, and must give every site the same value.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from msgspec import Struct

from reparam_rewrite.running import parts
from reparam_rewrite.running.errors import summary
from reparam_rewrite.running.trace import RETURN, compiled_with_key, traced
from reparam_rewrite.running.values import Arguments, Model, Site, Trace, Values
from reparam_rewrite.verify.change import Change
from reparam_rewrite.verify.outputs import made_otherwise, shown, unlike
from reparam_rewrite.verify.points import INITIAL, Compared, Point
from reparam_rewrite.verify.values import Line

CAUSE = (
    "its offset reads what the model is called with: freeze that as numbers, or sample the site "
    "plainly where the observations are None"
)


def data_lines(compared: Compared) -> Iterator[Line]:
    """Both models' predictions from one draw, with the second arguments."""
    change, plain = compared.change, compared.plain
    usable = [point for point in compared.points if point.usable and point.number != INITIAL]
    if not usable:
        yield skipped("there is no point to take as a draw")
        return
    given = compared.options.predict_args
    tries = [given] if given is not None else list(others(change, plain))
    if not tries:
        yield skipped("the model is called with no data that could be other")
        return
    for args, kwargs in tries:
        lines = list(predicted_lines(change, plain, usable[0], args, kwargs, given is not None))
        if lines:
            yield from lines
            return
    yield skipped("the plain model predicts from no other data without its observations")


def skipped(message: str) -> Line:
    return Line(check="data", status="skipped", message=message)


class Prediction(Struct):
    """What a model gives when it predicts: by site its arrays and how they are put together, the
    latents that it samples, and what is observed even so.
    """

    values: Values
    forms: Mapping[str, Any]
    sampled: set[str]
    observed: set[str]


def predicted_lines(
    change: Change,
    plain: Trace,
    point: Point,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    asked: bool,
) -> Iterator[Line]:
    """What differs; nothing where the plain model can't be run like this, unless it is `asked`."""
    bases = point.at["values"]
    # A subsample is the same one: its latents are those of its elements.
    draw = {**change.pairing.fixed, **point.held, **point.at["params"], **bases}
    draw |= {name: child for name, (_, child) in point.at["moved"].items()}
    try:
        old = predicted(change.plain, args, kwargs, draw)
    except Exception as error:
        if asked:
            message = f"the plain model does not predict: {summary(error)}"
            yield Line(check="data", status="unchecked", message=message)
        return
    if not asked and old.observed & given_data(plain, change):
        return
    try:
        new = predicted(change.generated, args, kwargs, draw)
    except Exception as error:
        message = f"the generated model does not predict: {summary(error)}"
        yield Line(check="data", status="different", message=message, cause=CAUSE)
        return
    yield from predictions(change, old, new)


def predicted(
    model: Model, args: Sequence[Any], kwargs: Mapping[str, Any], draw: Values
) -> Prediction:
    """A run with the values of a draw for all latents and params that are in it."""
    found = Prediction({}, {}, set(), set())

    def run(key: Any, draw: Values) -> Values:
        def drawn(site: Site) -> Any:
            kinds = ("sample", "param", "plate")
            return draw.get(site["name"]) if site["type"] in kinds else None

        trace = traced(model, args, kwargs, None, key, substitute=drawn)
        samples = {name: site for name, site in trace.items() if site["type"] == "sample"}
        found.sampled = {name for name, site in samples.items() if not site["is_observed"]}
        found.observed = samples.keys() - found.sampled
        values = {n: s["value"] for n, s in trace.items() if s["type"] not in ("plate", "param")}
        found.forms = {name: parts.form(value) for name, value in values.items()}
        return {name: parts.arrays(value) for name, value in values.items()}

    program, make_key = compiled_with_key(run, draw)
    found.values = jax.device_get(program(make_key(0), draw))
    return found


def given_data(plain: Trace, change: Change) -> set[str]:
    """The observed sites whose values come from the arguments."""
    leaves = [
        leaf for _, leaf in parts.parts([list(change.args), dict(change.kwargs)]) if big(leaf)
    ]
    return {
        name
        for name, site in plain.items()
        if site["type"] == "sample"
        and site["is_observed"]
        and any(same(leaf, site["value"]) for leaf in leaves)
    }


def predictions(change: Change, old: Prediction, new: Prediction) -> Iterator[Line]:
    """The latents first, then what follows from them; nothing after a difference of a latent."""
    bases = {pair.name: pair.base for pair in change.pairing.pairs}
    different: list[str] = []
    for name in [*bases, *(name for name in old.values if name not in bases)]:
        if different and name not in bases:
            break
        site = "" if name == RETURN else name
        what = f"site {name!r}" if site else "the returned value"
        if name not in old.values:
            continue
        if name not in new.values:
            message = f"{what} is missing when the generated model predicts"
        else:
            one, other = old.values[name], new.values[name]
            message = made_otherwise(what, old.forms[name], new.forms[name])
            message = message or unlike(what, one, other, 1e-6, "when the generated model predicts")
            if message and name in bases and name not in new.sampled:
                message = (
                    f"a draw means another {name!r} with other data: {shown(one[0])} was drawn, "
                    f"and {bases[name]} gives {shown(other[0])} when the generated model predicts"
                )
        if message:
            different.append(name)
            yield Line(check="data", status="different", site=site, message=message, cause=CAUSE)
    if not different:
        message = "with other data both models predict the same from one draw"
        yield Line(check="data", status="ok", message=message)


# -- other data ----------------------------------------------------------------------------------


def others(change: Change, plain: Trace) -> Iterator[Arguments]:
    """The arguments with other data and without the observations, the best first.

    Rows of arrays are drawn anew from those that there are, the same of all arrays of a length,
    in their order: sizes stay as they are, and values are such as there may be.
    """
    for without in unobserved(change, plain):
        for whole_numbers in (True, False):
            args, kwargs = (resampled(one, whole_numbers) for one in without)
            if not same_data([args, kwargs], list(without)):
                yield args, kwargs


def unobserved(change: Change, plain: Trace) -> Iterator[Arguments]:
    """The arguments without what is observed: None instead of it."""
    values = [s["value"] for s in plain.values() if s["type"] == "sample" and s["is_observed"]]

    def removed(value: Any) -> Any:
        if type(value) is dict:
            return {key: removed(one) for key, one in value.items()}
        if type(value) in (list, tuple):
            return type(value)(removed(one) for one in value)
        return None if big(value) and any(same(value, other) for other in values) else value

    args, kwargs = tuple(map(removed, change.args)), removed(dict(change.kwargs))
    yield args, kwargs
    yield with_default_none(change.plain, change.args, change.kwargs)


def with_default_none(model: Model, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Arguments:
    """None for each parameter whose default it is."""
    try:
        parameters = inspect.signature(model).parameters
        bound = inspect.signature(model).bind(*args, **kwargs)
    except (TypeError, ValueError):
        return tuple(args), dict(kwargs)
    for name in bound.arguments:
        if parameters[name].default is None:
            bound.arguments[name] = None
    return bound.args, bound.kwargs


def big(value: Any) -> bool:
    """Whether it is an array that can be told from others by its values."""
    return parts.is_array(value) and np.ndim(value) > 0 and np.size(value) > 0


def same(one: Any, other: Any) -> bool:
    if np.shape(one) != np.shape(other):
        return False
    return bool(np.allclose(np.asarray(one, float), np.asarray(other, float), equal_nan=True))


def same_data(one: Any, other: Any) -> bool:
    pairs = zip(parts.arrays(one), parts.arrays(other), strict=True)
    return all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in pairs)


def resampled(value: Any, whole_numbers: bool) -> Any:
    """Arrays with some of their rows twice and others not at all."""

    def of_array(array: Any) -> Any:
        if not big(array) or not parts.is_array(array):
            return array
        if not parts.inexact(array) and not whole_numbers:
            return array
        count = np.shape(array)[0]
        if np.ndim(array) >= 2 and np.shape(array)[1] == count:
            return array[::-1, ::-1]  # distances, covariances: of each row its column
        rows = np.arange(count) ** 2 // count
        found = array[rows]
        if count == 1 and parts.inexact(array):
            found = found * 1.5
        return found

    return parts.mapped(of_array, value)
