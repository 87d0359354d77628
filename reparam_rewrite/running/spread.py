"""How far bases are from standard normal given all else: in nats, without sampling any.

Where that is what they are, ``potential - |base|**2 / 2`` is one number, wherever the bases are.
How much it varies over a few random bases is the spread.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from numpyro import handlers
from numpyro.distributions import biject_to
from numpyro.infer.util import potential_energy

from reparam_rewrite.running.trace import (
    RETURN,
    compiled,
    compiled_with_key,
    is_discrete,
    is_latent,
    is_real,
    traced,
)
from reparam_rewrite.running.values import Model, Values

#: At how many random bases it is looked at, of each start.
BASES = 6

#: How many starts have typical values, and of how many draws these are in the middle.
TYPICAL, DRAWS = 3, 9

#: How much smaller the logarithm of a scale is where scales are small.
SMALL = 5.0


class Start(NamedTuple):
    """Unconstrained values of all latents but the bases, which stay what they are."""

    others: Values
    small: bool = False


class Spread(NamedTuple):
    """In nats; and of what size, in nats too, the terms are whose sum it is of."""

    nats: float
    size: float


#: The potential without ``|base|**2 / 2`` and the size of its terms, at unconstrained values.
Left = Callable[[Mapping[str, Any]], tuple[float, float]]


def starts(
    model: Model, args: Sequence[Any], kwargs: Mapping[str, Any], bases: Collection[str]
) -> tuple[dict[str, tuple[int, ...]], list[Start]]:
    """The shapes of all latents in unconstrained space, and some values of those but the bases.

    These are draws of their priors, halfway to the median of several: some have heavy tails. In the
    last one all that is positive is small. Discrete sites have none.
    """
    real: dict[str, bool] = {}

    def run(key: jax.Array) -> Values:
        found = {}
        for name, site in traced(model, args, kwargs, key=key).items():
            if name != RETURN and is_latent(site) and not is_discrete(site):
                found[name] = biject_to(site["fn"].support).inv(site["value"])
                real[name] = is_real(site["fn"].support)
        return found

    program, key = compiled_with_key(run)
    drawn = [jax.device_get(program(key(seed))) for seed in range(DRAWS)]
    shapes = {name: np.shape(value) for name, value in drawn[0].items()}
    made: list[dict[str, Any]] = [{} for _ in range(TYPICAL)]
    for name in shapes:
        if name not in bases:
            values = np.stack([np.clip(np.nan_to_num(one[name]), -30.0, 30.0) for one in drawn])
            middle = np.median(values, axis=0)
            for one, value in zip(made, values, strict=False):
                one[name] = (value + middle) / 2
    small = {name: value if real[name] else value - SMALL for name, value in made[0].items()}
    return shapes, [*map(Start, made), Start(small, small=True)]


def spread(
    left: Left,
    shapes: Mapping[str, tuple[int, ...]],
    start: Start,
    bases: Collection[str],
    moved: str | None = None,
) -> Spread:
    """The spread at a start; where only one of the bases moves, if it is named.

    It is NaN where the density isn't finite.
    """
    rng = np.random.default_rng(0)
    still = {name: rng.normal(size=shapes[name]) for name in bases}
    found = []
    for _ in range(BASES):
        new = {name: rng.normal(size=shapes[name]) for name in bases}
        at = new if moved is None else {**still, moved: new[moved]}
        found.append(left({**start.others, **at}))
    values, sizes = np.array(found).T
    return Spread(float(np.ptp(values)), float(np.max(sizes)))


def spread_of(
    model: Model, args: Sequence[Any], kwargs: Mapping[str, Any], bases: Collection[str]
) -> float:
    """The largest spread of a model at typical values of all else, in nats."""
    shapes, all_starts = starts(model, args, kwargs, bases)

    def potential(values: Values) -> Any:
        return potential_energy(handlers.seed(model, 0), args, dict(kwargs), values)

    like = {name: np.zeros(shape) for name, shape in shapes.items()}
    program = compiled(potential, like)

    def left(values: Mapping[str, Any]) -> tuple[float, float]:
        found = float(program(dict(values)))
        squares = sum(float(np.sum(np.square(values[base]))) for base in bases)
        return found - squares / 2, abs(found)

    found = [spread(left, shapes, start, bases).nats for start in all_starts if not start.small]
    return max(found)
