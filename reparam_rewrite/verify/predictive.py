"""Do both models draw the same from their priors?

A base site is drawn by transforming a draw of its child's prior, so with one key both models give
the same draws, whatever the coefficients are. A model by hand may draw otherwise: then means and
spreads are compared, of values that are squashed first, as some priors have no moments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from reparam_rewrite.running.errors import first_line
from reparam_rewrite.running.trace import Unconditioned, compiled, compiled_with_key, traced
from reparam_rewrite.running.values import Model, Trace, Values
from reparam_rewrite.verify.points import Compared
from reparam_rewrite.verify.values import Line, Options

#: Standard errors by which a moment may be off; one in 10 ** 8 is by chance.
ERRORS = 6.0


def drawing(
    model: Model, args: Sequence[Any], kwargs: Mapping[str, Any], names: Sequence[str]
) -> Callable[[jax.Array, Values], Values]:
    """A function from a key and values of params to a draw of the named sites.

    Observed sites are drawn too.
    """

    def draw(key: jax.Array, data: Values) -> Values:
        free = Unconditioned(model)
        trace = traced(free, args, kwargs, data, key)
        return {name: trace[name]["value"] for name in names}

    return draw


def drawn_sites(plain: Trace) -> list[str]:
    """The sites that have draws: `factor` statements have none."""
    return [
        name
        for name, site in plain.items()
        if site["type"] == "sample" and type(site["fn"]).__name__ not in ("Unit", "Delta")
    ]


def predictive_lines(compared: Compared) -> Iterator[Line]:
    """Draws with equal keys; where those differ, whether they are draws of one distribution."""
    change, options = compared.change, compared.options
    data = compared.points[0].at["params"]
    names = drawn_sites(compared.plain)
    models = (change.plain, change.generated)
    both = [drawing(model, change.args, change.kwargs, names) for model in models]

    def draw(key: jax.Array, data: Values) -> tuple[Values, ...]:
        return tuple(one(key, data) for one in both)

    try:
        program, make_key = compiled_with_key(draw, data)
    except Exception as error:
        said = first_line(error) or type(error).__name__
        message = f"no draws can be made with the observed sites free: {said}"
        yield Line(check="predictive", status="skipped", message=message)
        return
    keys = range(options.seed, options.seed + options.keys)
    pairs = [jax.device_get(program(make_key(key), data)) for key in keys]
    held = [p for p in pairs if not any(overflows(draws, names) for draws in p)]
    other = [n for n in names if not all(alike(old[n], new[n]) for old, new in held)]
    if not held:
        site = next(filter(None, (overflows(draws, names) for draws in pairs[0])))
        message = f"nothing to compare: draws of {site} from the prior overflow"
        yield Line(check="predictive", status="skipped", message=message)
    elif not other:
        message = f"the same draws with {len(held)} keys, of {len(names)} sites"
        yield Line(check="predictive", status="ok", message=message + left(len(pairs) - len(held)))
    else:
        yield from moment_lines(both, data, names, other, options)


#: Draws that are larger leave no digits for what is added to them.
LARGEST = 1e8


def overflows(draws: Values, names: Sequence[str]) -> str:
    """The first site with a value that is not finite or too large to add to; "" if none has one."""
    for name in names:
        if not np.all(np.abs(np.asarray(draws[name], float)) <= LARGEST):
            return name
    return ""


def left(count: int) -> str:
    return f"; {count} more, which overflow, are not compared" if count else ""


def alike(one: Any, other: Any) -> bool:
    return bool(
        np.shape(one) == np.shape(other)
        and np.allclose(one, other, rtol=1e-7, atol=1e-7, equal_nan=True)
    )


def moment_lines(
    both: Sequence[Callable[[jax.Array, Values], Values]],
    data: Values,
    names: Sequence[str],
    other: Sequence[str],
    options: Options,
) -> Iterator[Line]:
    """For the sites whose draws differ: are they draws of one distribution?"""

    def draws(key: jax.Array, data: Values) -> tuple[Values, ...]:
        # Keys of their own: draws that are shared in part would look more alike than they are.
        keys = jax.random.split(key, (2, options.draws))
        return tuple(
            jax.lax.map(lambda k, one=one: one(k, data), some)
            for one, some in zip(both, keys, strict=True)
        )

    key = jax.random.key(options.seed)
    old, new = (within(one) for one in jax.device_get(compiled(draws, key, data)(key, data)))
    kept = min(len(old[other[0]]), len(new[other[0]]))
    if kept < options.draws / 10:
        message = f"nothing to compare: but {kept} of {options.draws} draws do not overflow"
        yield Line(check="predictive", status="skipped", message=message)
        return
    worst, at = 0.0, other[0]
    for name in other:
        errors = apart(np.asarray(old[name], float), np.asarray(new[name], float))
        if errors > ERRORS:
            yield Line(
                check="predictive",
                status="different",
                site=name,
                message=f"draws of {name!r} from the prior are {errors:.1f} standard errors apart, "
                f"with {options.draws} draws of key {options.seed}",
                off=errors,
                cause="its prior, or that of a site which it depends on, is another one",
            )
        if errors >= worst:
            worst, at = errors, name
    if worst <= ERRORS:
        message = (
            f"draws differ by their keys, and agree in mean and spread: {at} is {worst:.1f} "
            f"standard errors apart, with {options.draws} draws of key {options.seed}"
        ) + left(options.draws - kept)
        yield Line(check="predictive", status="ok", message=message, off=worst)


def within(draws: Values) -> Values:
    """The draws in which no site overflows."""
    count = len(next(iter(draws.values())))
    kept = np.ones(count, bool)
    for value in draws.values():
        sizes = np.abs(np.asarray(value, float)).reshape(count, -1)
        kept &= np.all(sizes <= LARGEST, axis=1)
    return {name: np.asarray(value)[kept] for name, value in draws.items()}


def apart(old: Any, new: Any) -> float:
    """By how many standard errors means and mean squares of two sets of draws differ at most."""
    old, new = old.reshape(len(old), -1), new.reshape(len(new), -1)
    if not old.size:
        return 0.0
    middle = np.median(old, axis=0)
    spread = np.median(np.abs(old - middle), axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    one, other = (np.tanh((draws - middle) / (3 * spread)) for draws in (old, new))
    found = 0.0
    for power in (1, 2):
        a, b = one**power, other**power
        error = np.sqrt(np.var(a, axis=0) / len(a) + np.var(b, axis=0) / len(b))
        gap = np.abs(np.mean(a, axis=0) - np.mean(b, axis=0))
        with np.errstate(all="ignore"):
            ratio = np.where(gap > 1e-9, gap / error, 0.0)
        found = max(found, float(np.max(np.nan_to_num(ratio, nan=np.inf))))
    return found
