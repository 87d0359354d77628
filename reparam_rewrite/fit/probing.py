"""What do the offsets of a generated model multiply, and what is left of a child without them?

The generated model is run with the children's values in their place: it is given draws of the plain
model's sites, and `ExplicitReparam` is made to hand on the draw, and to write down its location
and scale, where it would sample the base site. Offsets are linear in their coefficients, so that
what one of 1 adds is the location with it less that without.

A child in the body of a scan has no `ExplicitReparam`; its base site is given values, which are
corrected by what the child then lacks until it has its draw. Only a child whose parents are in the
carry needs more than one correction: one for each step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import transforms
from numpyro.distributions.transforms import AffineTransform, ComposeTransform
from numpyro.infer.reparam import ExplicitReparam

from reparam_rewrite.bases import BASES, Kind
from reparam_rewrite.fit.children import instances
from reparam_rewrite.fit.values import Array, Child, Pair, Pilot, Regression, Regressor
from reparam_rewrite.messages import Diagnostic, Refusal
from reparam_rewrite.running.trace import copied, double_precision, structure, traced
from reparam_rewrite.running.values import Model, Values

#: The most weights of a matrix that are fitted.
LARGEST_MATRIX = 100

CLOSE = 1e-6

#: The transforms of a basis: NumPyro has none before 0.22, and no generated model then does.
TRANSFORMS: dict[Any, Kind] = {
    getattr(transforms, kind.transform): kind
    for kind in BASES.values()
    if hasattr(transforms, kind.transform)
}


@dataclass(frozen=True)
class Probe:
    """A generated model with a coefficient for each pair, and its call.

    `shapes`: of the params in the model that the config asks for.
    """

    model: Model
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]]


def regressions(probe: Probe, children: Sequence[Child], pilot: Pilot) -> list[Regression]:
    """The regression of every child, in the order in which the model samples them."""
    with double_precision():
        args, kwargs = copied(probe.args, probe.kwargs)
        trace = structure(probe.model, args, kwargs)
        sites: dict[str, dict[str, Pair]] = {}  # by child in the trace: params and their pairs
        said: dict[str, Child] = {}
        for one in children:
            for name, params in instances(one, trace).items():
                sites.setdefault(name, params)
                said.setdefault(name, one)
        counts = Counter(one.key for one in said.values())
        scanned = [c for c in sites if f"{c}_base" in trace and has_no_transform(trace, c)]
        program = Program(probe.model, args, kwargs, pilot.draws, list(sites), scanned)
        coefficients = {
            param: np.zeros(np.shape(trace[param]["value"]))
            for params in sites.values()
            for param in params
        }
        without = program.run(coefficients)
        found = []
        for child in [name for name in trace if name in sites]:
            regressors = []
            for param, pair in sites[child].items():
                size = coefficients[param].size
                shape = probe.shapes.get(param, ())
                if not pair.matrix:
                    ones = {**coefficients, param: np.ones_like(coefficients[param])}
                    values = program.run(ones)[child].location - without[child].location
                elif size <= LARGEST_MATRIX:
                    parts = []
                    for unit in np.eye(size):
                        given = {**coefficients, param: unit.reshape(coefficients[param].shape)}
                        parts.append(program.run(given)[child].location - without[child].location)
                    values, shape = np.stack(parts, axis=-1), coefficients[param].shape
                else:
                    continue
                regressors.append(Regressor(pair, param, values, shape))
            own = without[child]
            found.append(
                Regression(
                    child=child,
                    key=said[child].key,
                    values=own.values * own.scale,
                    regressors=tuple(regressors),
                    bases=own.bases,
                    scaled_by=None if said[child].power is None else 1 / own.scale,
                    power=0.0 if said[child].power is None else 1.0,
                    several=counts[said[child].key] > 1,
                    scale=own.scale,
                )
            )
    return found


@dataclass(frozen=True)
class Placed:
    """A child in unconstrained space: its values, its location and scale, (n, *shape) each."""

    values: Array
    location: Array
    scale: Array
    bases: tuple[tuple[Array, int], ...]


class Program:
    """The generated model at draws of the plain one's latents, as a function of coefficients."""

    def __init__(
        self,
        model: Model,
        args: Any,
        kwargs: Any,
        draws: Mapping[str, Any],
        children: Sequence[str],
        scanned: Sequence[str],
    ) -> None:
        self.draws = {
            name: jnp.asarray(value, float)
            if np.asarray(value).dtype.kind == "f"
            else jnp.asarray(value)
            for name, value in draws.items()
        }
        self.scanned = scanned
        self.bases = {name: self.draws[name] for name in scanned}
        self.kinds: dict[str, list[Any]] = {}

        def one(values: Values, bases: Values, coefficients: Values) -> Any:
            found: dict[str, Any] = {}
            own = {n: value for n, value in values.items() if n not in bases}
            data = {**own, **coefficients, **{f"{n}_base": v for n, v in bases.items()}}
            with recorded({n: values[n] for n in children if n not in bases}, found, self.kinds):
                trace = traced(model, args, kwargs, data)
            return found, {name: trace[name]["value"] for name in scanned}

        def every(values: Values, bases: Values, coefficients: Values) -> Any:
            return jax.lax.map(
                lambda both: one(both[0], both[1], coefficients), (values, bases), batch_size=32
            )

        self.every: Callable[..., Any] = jax.jit(every)

    def run(self, coefficients: Mapping[str, Any]) -> dict[str, Placed]:
        """Where the children are. Raises `Refusal` if a child of a scan can't be put there."""
        steps = max((np.shape(self.draws[name])[-1] for name in self.scanned), default=0)
        steps = max([steps, *(max(np.shape(self.draws[n])) for n in self.scanned)])
        for _ in range(steps + len(self.scanned) + 2):
            found, reached = jax.device_get(self.every(self.draws, self.bases, dict(coefficients)))
            gaps = {name: np.asarray(self.draws[name]) - reached[name] for name in self.scanned}
            self.bases = {name: self.bases[name] + gaps[name] for name in self.scanned}
            if all(np.abs(gap).max(initial=0.0) < CLOSE for gap in gaps.values()):
                break
        else:
            message = f"the offset of {', '.join(self.scanned)} in a scan can't be told"
            raise Refusal(Diagnostic(None, message))
        placed = {
            name: Placed(
                np.asarray(values),
                np.asarray(location),
                np.broadcast_to(scale, np.shape(values)),
                tuple(basis_of(one, np.shape(values)) for one in self.kinds.get(name, ())),
            )
            for name, (values, location, scale) in found.items()
        }
        for name in self.scanned:
            values = np.asarray(self.draws[name])
            shift = np.asarray(self.bases[name]) - values
            placed[name] = Placed(values, shift, np.ones_like(values), ())
        return placed


def has_no_transform(trace: Mapping[str, Any], child: str) -> bool:
    """Is the child offset by its distribution's location, as in a scan?"""
    fn = trace[f"{child}_base"]["fn"]
    while hasattr(fn, "base_dist") and not hasattr(fn, "transforms"):
        fn = fn.base_dist
    parts = [part for transform in getattr(fn, "transforms", ()) for part in parts_of(transform)]
    return not any(isinstance(part, AffineTransform) for part in parts)


@contextmanager
def recorded(
    values: Mapping[str, Any], found: dict[str, Any], kinds: dict[str, list[Any]]
) -> Iterator[None]:
    """Children that have the given values, each with (values, location, scale) in `found`."""
    original = ExplicitReparam.__call__

    def called(self: Any, name: str, fn: Any, obs: Any) -> Any:
        if name not in values:
            return original(self, name, fn, obs)
        at = values[name]
        kinds[name] = []
        for transform in parts_of(self.transform):
            if isinstance(transform, AffineTransform):
                shape = jnp.shape(at)
                scale = jnp.broadcast_to(transform.scale, shape)
                found[name] = (at, jnp.broadcast_to(transform.loc, shape), scale)
            elif isinstance(transform, tuple(TRANSFORMS)):
                kinds[name].append(transform)
            elif name not in found:
                at = transform(at)
        return None, values[name]

    ExplicitReparam.__call__ = called
    try:
        yield
    finally:
        ExplicitReparam.__call__ = original


def parts_of(transform: Any) -> Iterator[Any]:
    """Transforms in the order in which they are applied."""
    if isinstance(transform, ComposeTransform):
        for part in transform.parts:
            yield from parts_of(part)
    else:
        yield transform


def basis_of(transform: Any, shape: tuple[int, ...]) -> tuple[Array, int]:
    """The matrix of a basis and its axis; `shape` is that of the values."""
    (made,) = (made for made in TRANSFORMS if isinstance(transform, made))
    setting = getattr(transform, TRANSFORMS[made].setting.name)
    return matrix_of(made, setting, shape[transform.dim]), transform.dim


@cache
def matrix_of(transform: Any, setting: Any, size: int) -> Array:
    """The orthonormal matrix of a transform with its setting: (size, size)."""
    return np.asarray(jax.vmap(transform(-1, setting))(jnp.eye(size))).T
