"""Do both models give the same values: at each point, in draws from their priors, with other data?

A base site is drawn by transforming a draw of its child's prior, so with one key both models give
the same draws, whatever the coefficients are. A model by hand may draw otherwise: then means and
spreads are compared, of values that are squashed first, as some priors have no moments.

`Predictive(generated, draws)(key, *new)` computes a child from its base site again. If its offset
reads what the model is called with, that is another child than the one that was drawn, and
nothing says so. So one point is taken as a draw: the values of the generated model's latents, and
of the plain model's that they give. Both models are run with them once more, with other data and
without the observations, as a prediction is, and must give every site the same value.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from reparam_rewrite.running import parts
from reparam_rewrite.running.errors import first_line, summary
from reparam_rewrite.running.trace import (
    RETURN,
    Unconditioned,
    compiled,
    compiled_with_key,
    is_subsampled,
    traced,
)
from reparam_rewrite.running.values import Arguments, Model, Site, Trace, Values
from reparam_rewrite.verifying.points import Compared, Point
from reparam_rewrite.verifying.values import Line, Options, different, ok, skipped, unchecked

# -- at each point ---------------------------------------------------------------------------------


def value_lines(compared: Compared) -> list[Line]:
    """What is different about deterministic sites and about what the model returns."""
    found = {name: value_difference(name, compared) for name in compared.points[0].at["same"]}
    lines = [line for line in found.values() if line]
    same = [name for name, line in found.items() if not line and name != RETURN]
    if not found[RETURN]:
        same = ["the returned value", *same]
    return [*lines, ok(f"the same: {', '.join(same)}")] if same else lines


def value_difference(name: str, compared: Compared) -> Line | None:
    what, site = named(name)
    if message := made_otherwise(what, *compared.change.forms[name]):
        return different(site, message)
    for point in compared.points:
        (old, new), where = point.at["same"][name], compared.where(point)
        if message := unlike(what, old, new, compared.options.rtol, where):
            return different(site, message, point=point.number)
    return None


def named(name: str) -> tuple[str, str]:
    """What a value is called in a sentence, and the site that it is of."""
    return ("the returned value", "") if name == RETURN else (f"site {name!r}", name)


def made_otherwise(what: str, old: Sequence[Any], new: Sequence[Any]) -> str:
    """What is different about how a value is put together, and about its texts."""
    was, now = dict(old), dict(new)
    for where in {**was, **now}:
        place = f"{what} at {where}" if where else what
        if where not in now:
            return f"{place} is missing, it was {was[where]}"
        if where not in was:
            return f"{place} is {now[where]}, and was not there"
        if was[where] != now[where]:
            return f"{place} is {now[where]}, it was {was[where]}"
    return ""


def unlike(what: str, old: Sequence[Any], new: Sequence[Any], rtol: float, where: str) -> str:
    """The first array of a value that has another shape, or other numbers `where` it was seen."""
    if len(old) != len(new):
        return f"{what} has {len(new)} arrays, it had {len(old)}"
    for one, other in zip(map(np.asarray, old), map(np.asarray, new), strict=True):
        if one.shape != other.shape:
            return f"{what} has shape {other.shape}, it was {one.shape}"
        size = np.max(np.abs(one), initial=1.0, where=np.isfinite(one)) if one.size else 1.0
        if not np.allclose(one, other, rtol, rtol * float(size), equal_nan=True):
            return f"{what} is {shown(other)} and was {shown(one)} {where}"
    return ""


def shown(value: Any) -> str:
    """An array in a sentence, with its middle left out where it is long."""
    if not np.shape(value):
        return str(np.asarray(value).item())
    return np.array2string(np.asarray(value), threshold=6, edgeitems=2, precision=6)


# -- draws from the priors -------------------------------------------------------------------------

#: Standard errors by which a moment may be off; one in 10 ** 8 is by chance.
ERRORS = 6.0

#: Draws that are larger leave no digits for what is added to them.
LARGEST = 1e8


def predictive_lines(compared: Compared) -> Iterator[Line]:
    """Draws with equal keys; where those differ, whether they are draws of one distribution.

    Observed sites are drawn too; `factor` statements have no draws.
    """
    plain, generated, call = compared.change.models
    options, data = compared.options, compared.points[0].at["params"]
    names = [
        name
        for name, site in compared.plain.items()
        if site["type"] == "sample" and type(site["fn"]).__name__ not in ("Unit", "Delta")
    ]

    def draws(model: Model, key: jax.Array, data: Values) -> Values:
        trace = traced(Unconditioned(model), *call, data, key)
        return {name: trace[name]["value"] for name in names}

    def overflowing(found: Values) -> str:
        """The first site with a value that is not finite or too large to add to."""
        large = (n for n in names if not np.all(np.abs(np.asarray(found[n], float)) <= LARGEST))
        return next(large, "")

    def both(key: jax.Array, data: Values) -> tuple[Values, ...]:
        return draws(plain, key, data), draws(generated, key, data)

    def many(key: jax.Array, data: Values) -> tuple[Values, ...]:
        # Keys of their own: draws that are shared in part would look more alike than they are.
        keys = jax.random.split(key, (2, options.draws))
        models = zip((plain, generated), keys, strict=True)
        return tuple(jax.lax.map(lambda k, m=m: draws(m, k, data), some) for m, some in models)

    try:
        program, make_key = compiled_with_key(both, data)
    except Exception as error:
        said = first_line(error) or type(error).__name__
        yield skipped(f"no draws can be made with the observed sites free: {said}")
        return
    keys = range(options.seed, options.seed + options.keys)
    pairs = [jax.device_get(program(make_key(key), data)) for key in keys]
    held = [two for two in pairs if not any(map(overflowing, two))]
    other = [n for n in names if not all(same(old[n], new[n], 1e-7, 1e-7) for old, new in held)]
    if not held:
        site = next(filter(None, map(overflowing, pairs[0])))
        yield skipped(f"nothing to compare: draws of {site} from the prior overflow")
    elif other:
        key = jax.random.key(options.seed)
        old, new = map(within, jax.device_get(compiled(many, key, data)(key, data)))
        yield from moment_lines(old, new, other, options)
    else:
        message = f"the same draws with {len(held)} keys, of {len(names)} sites"
        yield ok(message + left(len(pairs) - len(held)))


def left(count: int) -> str:
    return f"; {count} more, which overflow, are not compared" if count else ""


def moment_lines(
    old: Values, new: Values, other: Sequence[str], options: Options
) -> Iterator[Line]:
    """For the sites whose draws differ: are they draws of one distribution?"""
    kept = min(len(old[other[0]]), len(new[other[0]]))
    if kept < options.draws / 10:
        yield skipped(f"nothing to compare: but {kept} of {options.draws} draws do not overflow")
        return
    errors = {name: errors_apart(old[name], new[name]) for name in other}
    draws = f"with {options.draws} draws of key {options.seed}"
    for name, size in errors.items():
        if size > ERRORS:
            message = f"draws of {name!r} from the prior are {size:.1f} standard errors apart"
            cause = "its prior, or that of a site which it depends on, is another one"
            yield different(name, f"{message}, {draws}", cause, off=size)
    worst = max(errors.values())
    if worst <= ERRORS:
        at = [name for name, size in errors.items() if size == worst][-1]
        message = f"draws differ by their keys, and agree in mean and spread: {at} is {worst:.1f}"
        yield ok(f"{message} standard errors apart, {draws}{left(options.draws - kept)}", off=worst)


def within(draws: Values) -> Values:
    """The draws in which no site overflows."""
    found = {name: np.asarray(value, float) for name, value in draws.items()}
    sizes = (np.abs(value).reshape(len(value), -1) for value in found.values())
    kept = np.all([np.all(size <= LARGEST, axis=1) for size in sizes], axis=0)
    return {name: value[kept] for name, value in found.items()}


def errors_apart(old: Any, new: Any) -> float:
    """By how many standard errors means and mean squares of two sets of draws differ at most.

    Welch's statistic of each element, after tanh of a third of its distance from the median, in
    median absolute deviations.
    """
    old, new = old.reshape(len(old), -1), new.reshape(len(new), -1)
    if not old.size:
        return 0.0
    middle = np.median(old, axis=0)
    spread = np.median(np.abs(old - middle), axis=0)
    squashed = (np.tanh((d - middle) / (3 * np.where(spread > 0, spread, 1.0))) for d in (old, new))
    one, other = (np.stack([draws, draws**2]) for draws in squashed)
    error = np.sqrt(np.var(one, axis=1) / len(old) + np.var(other, axis=1) / len(new))
    gap = np.abs(np.mean(one, axis=1) - np.mean(other, axis=1))
    with np.errstate(all="ignore"):
        ratio = np.where(gap > 1e-9, gap / error, 0.0)
    return float(np.max(np.nan_to_num(ratio, nan=np.inf)))


# -- other data ------------------------------------------------------------------------------------

CAUSE = (
    "its offset reads what the model is called with, and draws of the site itself don't count: "
    "freeze that as numbers, as 'reparam-rewrite fit' does, or rewrite the plain model anew"
)


def data_lines(compared: Compared) -> list[Line]:
    """Both models' predictions from one draw, with the second arguments."""
    points, given = compared.random_points(), compared.options.predict_args
    if not points:
        return [skipped("there is no point to take as a draw")]
    tries = [given] if given is not None else list(others(compared))
    if not tries:
        return [skipped("the model is called with no data that could be other")]
    for call in tries:
        if lines := predicted_lines(compared, points[0], call):
            return lines
    return [skipped("the plain model predicts from no other data without its observations")]


def predicted_lines(compared: Compared, point: Point, call: Arguments) -> list[Line]:
    """What differs; nothing where the plain model can't be run like this, unless that is asked."""
    change, asked = compared.change, compared.options.predict_args is not None
    plain, generated, given = change.models
    # A subsample is the same one: its latents are those of its elements.
    draw = {**change.pairing.fixed, **point.held, **point.at["params"], **point.at["values"]}
    try:
        old, was_observed = predicted(plain, call, draw)
    except Exception as error:
        said = f"the plain model does not predict: {summary(error)}"
        return [unchecked(said)] if asked else []
    observed = [value for name, value in observations(compared.plain) if was_observed.get(name)]
    data = [leaf for _, leaf in parts.parts(list(given)) if big(leaf)]
    if not asked and any(same(leaf, value) for leaf in data for value in observed):
        return []
    try:
        new, is_observed = predicted(generated, call, draw)
    except Exception as error:
        return [different("", f"the generated model does not predict: {summary(error)}", CAUSE)]
    lines: list[Line] = []
    latents = [name for name in change.bases if name in old]
    # Nothing that follows from latents after a difference of one of them.
    for name in [*latents, *(name for name in old if name not in latents)]:
        if lines and name not in latents:
            break
        what, site = named(name)
        when = "when the generated model predicts"
        if name not in new:
            message = f"{what} is missing {when}"
        else:
            (form, one), (new_form, other) = old[name], new[name]
            message = made_otherwise(what, form, new_form) or unlike(what, one, other, 1e-6, when)
            if message and name in latents and is_observed.get(name, True):
                message = (
                    f"a draw means another {name!r} with other data: {shown(one[0])} was drawn, "
                    f"and {change.bases[name]} gives {shown(other[0])} {when}"
                )
        lines += [different(site, message, CAUSE)] if message else []
    return lines or [ok("with other data both models predict the same from one draw")]


def predicted(model: Model, call: Arguments, draw: Values) -> tuple[Values, dict[str, bool]]:
    """What a run gives with the values of a draw for all latents and params that are in it: by site
    how its value is put together, and its arrays; and whether each sampled site is observed.

    Raises what the model raises.
    """
    forms: dict[str, Any] = {}
    observed: dict[str, bool] = {}

    def run(key: Any, draw: Values) -> Values:
        def drawn(site: Site) -> Any:
            # As Predictive does it; but a plate with all of its elements may have others now.
            kept = site["type"] not in ("deterministic", "plate") or is_subsampled(site)
            return draw.get(site["name"]) if kept else None

        trace = traced(model, *call, None, key, substitute=drawn)
        observed.update({n: s["is_observed"] for n, s in trace.items() if s["type"] == "sample"})
        values = {n: s["value"] for n, s in trace.items() if s["type"] not in ("plate", "param")}
        forms.update({name: parts.form(value) for name, value in values.items()})
        return {name: parts.arrays(value) for name, value in values.items()}

    program, make_key = compiled_with_key(run, draw)
    arrays = jax.device_get(program(make_key(0), draw))
    return {name: (forms[name], of_site) for name, of_site in arrays.items()}, observed


def others(compared: Compared) -> Iterator[Arguments]:
    """The arguments with other data and without the observations, the best first.

    Rows of arrays are drawn anew from those that there are, the same of all arrays of a length,
    in their order: sizes stay as they are, and values are such as there may be.
    """
    for without in unobserved(compared):
        for whole_numbers in (True, False):
            made = resampled(without, whole_numbers)
            if not parts.equal(made, without):
                yield made


def observations(plain: Trace) -> list[tuple[str, Any]]:
    """(name, value) of each observed site."""
    sites = plain.items()
    return [(n, s["value"]) for n, s in sites if s["type"] == "sample" and s["is_observed"]]


def unobserved(compared: Compared) -> Iterator[Arguments]:
    """The arguments without what is observed: None instead of it, or for each default None."""
    plain, _, (args, kwargs) = compared.change.models
    values = [value for _, value in observations(compared.plain)]

    def removed(value: Any) -> Any:
        return None if big(value) and any(same(value, other) for other in values) else value

    yield parts.mapped(removed, (args, kwargs))
    try:
        signature = inspect.signature(plain)
        given = signature.bind(*args, **kwargs)
    except (TypeError, ValueError):
        yield args, kwargs
        return
    for name in given.arguments:
        if signature.parameters[name].default is None:
            given.arguments[name] = None
    yield given.args, given.kwargs


def big(value: Any) -> bool:
    """Whether it is an array that can be told from others by its values."""
    return parts.is_array(value) and np.ndim(value) > 0 and np.size(value) > 0


def same(one: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    if np.shape(one) != np.shape(other):
        return False
    one, other = (np.asarray(array, float) for array in (one, other))
    return bool(np.allclose(one, other, rtol, atol, equal_nan=True))


def resampled(value: Any, whole_numbers: bool) -> Any:
    """Arrays with some of their rows twice and others not at all."""

    def of_array(array: Any) -> Any:
        if not big(array) or not (parts.inexact(array) or whole_numbers):
            return array
        count = np.shape(array)[0]
        if np.shape(array)[1:2] == (count,):
            return array[::-1, ::-1]  # distances, covariances: of each row its column
        found = array[np.arange(count) ** 2 // count]
        return found * 1.5 if count == 1 and parts.inexact(array) else found

    return parts.mapped(of_array, value)
