"""Values by the names of the plain model, for a generated model that samples other sites.

A generated model samples ``a_base`` where the plain one samples ``a``. Whatever sets or holds
values by the name of a latent site (`init_to_value`, `condition`, `substitute`, starting points of
chains, draws from elsewhere) must then say ``a_base``, and give its value, which depends on the
coefficients. These functions compute it, from the generated model itself:

    from reparam_rewrite.runtime import from_base, to_base

    start = to_base(model, {"mu": 20.0, "a": a, "sigma": 0.5}, args, kwargs, params=params)
    kernel = NUTS(model, init_strategy=init_to_value(values=start))
    draws = from_base(model, base_draws, args, kwargs, params=params, batch_ndims=1)

`params` are values of the model's params, such as SVI learned; others have their initial values.
`bases`, such as ``{"a": "a_raw"}``, tells the names of a model by hand that aren't NumPyro's.
The generated file imports nothing of this. Needs jax and numpyro.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import biject_to

from reparam_rewrite.running.trace import (
    cheap_key,
    compiled,
    copied,
    double_precision,
    is_latent,
    structure,
    traced,
)
from reparam_rewrite.running.values import Model, Trace, Values
from reparam_rewrite.verify import determinant
from reparam_rewrite.verify.change import by_parts, spans, unwrapped
from reparam_rewrite.verify.pairing import conventional_bases, held_fixed

__all__ = ["from_base", "to_base"]

#: Newton's steps that may be needed; each site of a chain of affine maps needs one.
STEPS = 200

CLOSE = 1e-10

#: Up to how many values the whole jacobian is taken, and of a single site where it isn't.
DENSE, LARGEST_BLOCK = 256, 1500


def from_base(
    model: Model,
    values: Mapping[str, Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    batch_ndims: int = 0,
    bases: Mapping[str, str] | None = None,
) -> Values:
    """The values of the plain model's latent sites, from those of the sites that are sampled.

    values: of the generated model's latents, as a sampler gives them, each in its support and with
    `batch_ndims` leading axes of draws. Names that are no latents of the model stay as they are,
    and so does a child whose base site is not there.

    Raises KeyError that lists the base sites that are missing.
    """
    with double_precision():
        made = Bases(model, args, kwargs, params, bases)
        given = {name: jnp.asarray(value) for name, value in taken(values, made.names).items()}
        found = over_draws(made.children_of, given, batch_ndims)
    other = {name: value for name, value in values.items() if name not in made.names}
    kept = {n: values[n] for n in made.names if n not in made.child_of}
    return {**other, **kept, **like_inputs(found, values)}


def to_base(
    model: Model,
    values: Mapping[str, Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    batch_ndims: int = 0,
    bases: Mapping[str, str] | None = None,
) -> Values:
    """The values of the sites that the generated model samples, from those of the plain model's.

    values: of all latents of the plain model, each in its support and with `batch_ndims` leading
    axes of draws. Names that are no latents of it stay as they are.

    The map from base values to children is inverted by Newton's method in unconstrained space: in
    one step for each site of a chain where it is affine, as offsets and scales are.

    Raises KeyError that lists the sites that are missing, ValueError where no base value gives the
    wanted one, as for a value outside of its support.
    """
    with double_precision():
        made = Bases(model, args, kwargs, params, bases)
        given = taken(values, made.plain_names)
        found = over_draws(made.solve, given, batch_ndims, compiled_once=False)
    other = {name: value for name, value in values.items() if name not in made.plain_names}
    return {**other, **like_inputs(found, values)}


def taken(values: Mapping[str, Any], names: Sequence[str]) -> Values:
    """The values of these names. Raises KeyError that lists those that are missing."""
    if missing := [name for name in names if name not in values]:
        raise KeyError(f"no values of {', '.join(missing)}")
    return {name: values[name] for name in names}


def like_inputs(found: Values, values: Mapping[str, Any]) -> Values:
    """As arrays of jax, which a scan takes too, in the precision that the values came in."""
    kinds = [np.asarray(v).dtype for v in values.values()]
    double = any(kind == np.float64 for kind in kinds if kind.kind == "f")
    double = double and jnp.zeros(()).dtype == np.float64
    dtype = np.float64 if double else np.float32
    return {
        name: jnp.asarray(value.astype(dtype) if value.dtype.kind == "f" else value)
        for name, value in found.items()
    }


def over_draws(
    function: Any, given: Values, batch_ndims: int, compiled_once: bool = True
) -> Values:
    """`function` of every draw, with the axes of draws in front."""
    if not batch_ndims:
        return jax.device_get(function(given))  # type: ignore[no-any-return]
    shape = next((np.shape(value)[:batch_ndims] for value in given.values()), ())
    flat = {
        name: jnp.reshape(value, (-1, *np.shape(value)[batch_ndims:]))
        for name, value in given.items()
    }
    if compiled_once:
        found = jax.device_get(jax.jit(lambda some: jax.lax.map(function, some))(flat))
    else:
        count = int(np.prod(shape))
        each = [function({name: value[at] for name, value in flat.items()}) for at in range(count)]
        found = {name: np.stack([one[name] for one in each]) for name in each[0]}
    return {name: np.reshape(value, (*shape, *value.shape[1:])) for name, value in found.items()}


class Bases:
    """The latents of a generated model, and the children that they give.

    names: what it samples. child_of: by base site, the deterministic site that replaces it.
    plain_names: the children, and the latents that are sampled as themselves.
    """

    def __init__(
        self,
        model: Model,
        args: Sequence[Any],
        kwargs: Mapping[str, Any] | None,
        params: Mapping[str, Any] | None,
        bases: Mapping[str, str] | None = None,
    ) -> None:
        self.model = model
        self.args, self.kwargs = copied(args, kwargs or {})
        self.params = {name: jnp.asarray(value) for name, value in (params or {}).items()}
        trace = structure(model, self.args, self.kwargs)
        self.fixed = {n: s["value"] for n, s in trace.items() if held_fixed(s)}
        self.names = [n for n, s in trace.items() if is_latent(s) and n not in self.fixed]
        self.child_of = children(trace, self.names, bases)
        self.plain_names = [self.child_of.get(name, name) for name in self.names]
        self.shapes = {name: trace[name]["real_shape"] for name in self.names}
        self.spans, self.dims = spans(self.shapes)
        self.splits: dict[str, int] = {}
        self._program: Any = None
        self._blocks: list[determinant.Block] | None = None

    def run(self, data: Values | None = None, unconstrained: Values | None = None) -> Trace:
        data = {**self.fixed, **self.params, **(data or {})}
        run = (self.model, self.args, self.kwargs, data, cheap_key(0))
        return traced(*run, unconstrained=unconstrained)

    def given(self, u: Any) -> Values:
        return {name: u[self.spans[name]].reshape(shape) for name, shape in self.shapes.items()}

    def children_of(self, values: Values) -> Values:
        """The children of base values, in their own space."""
        trace = self.run(data=values)
        return {child: trace[child]["value"] for child in self.child_of.values()}

    def solve(self, values: Values) -> Values:
        """The base values of plain ones. Raises ValueError if there are none."""
        wanted = {name: jnp.asarray(values[name], float) for name in self.plain_names}
        if self._program is None:
            self.compile(wanted)
        u = step = np.zeros(self.dims)
        last, damping = np.inf, 1.0
        found: dict[str, Any] = {}
        for _ in range(STEPS):
            found = self.at(u + damping * step, wanted)
            size = float(np.max(np.abs(found["gap"]), initial=0.0))
            if not size <= 2 * last and damping > 1e-6:
                damping /= 2
                continue
            u = u + damping * step
            if size <= CLOSE * (1 + float(np.max(np.abs(u), initial=0.0))):
                return found["values"]  # type: ignore[no-any-return]
            if not np.isfinite(size):
                break
            last, damping = size, 1.0
            step = self.step(u, wanted, found["gap"])
        gaps = {n: float(np.max(np.abs(gap), initial=0.0)) for n, gap in found["gaps"].items()}
        worst = max(gaps, key=lambda name: np.nan_to_num(gaps[name], nan=np.inf))
        message = f"no value of its base site gives {worst!r} this value: is it in its support?"
        raise ValueError(message)

    def compile(self, wanted: Values) -> None:
        """Make the programs, after a look at how each base site is made of its child."""
        u = np.random.default_rng(0).normal(size=self.dims)

        def alike(u: Any) -> dict[str, list[Any]]:
            return matches(self.run(None, self.given(u)), self.child_of)

        for child, same_after in jax.device_get(jax.jit(alike)(u)).items():
            self.splits[child] = next((at for at, same in enumerate(same_after) if same), -1)
        rows = self.dims if self.dims <= DENSE else 64
        like = (u, wanted, np.zeros((max(1, rows), self.dims)))
        self._program = compiled(self.distance, *like)

    def at(self, u: Any, wanted: Values, rows: Any = None) -> dict[str, Any]:
        size = max(1, self.dims if self.dims <= DENSE else 64)
        rows = np.eye(size, self.dims) if rows is None else rows
        return by_parts(lambda some: jax.device_get(self._program(u, wanted, some)), size, rows)

    def step(self, u: Any, wanted: Values, gap: Any) -> Any:
        """Newton's step, or where there are many values that of each site by itself."""
        if self.dims <= DENSE or len(gap) != self.dims:
            jacobian = self.at(u, wanted, np.eye(self.dims))["along"].T
            return np.linalg.lstsq(jacobian, -gap, rcond=None)[0]

        def along(rows: Any) -> Any:
            return self.at(u, wanted, rows)["along"]

        if self._blocks is None:
            self._blocks = determinant.blocks(along, self.spans, self.shapes, LARGEST_BLOCK)
        return determinant.inverse_of_blocks(along, self._blocks)(-gap)

    def distance(self, u: Any, wanted: Values, rows: Any) -> dict[str, Any]:
        """How far the children of unconstrained base values are from those that are wanted."""

        def gaps(u: Any) -> tuple[Any, Any]:
            trace = self.run(None, self.given(u))
            by_site = {}
            for name in self.names:
                child = self.child_of.get(name, name)
                to_real = straightened(trace, name, child, self.splits.get(child, -1))
                gap = to_real(trace[child]["value"]) - to_real(wanted[child])
                by_site[child] = jnp.ravel(gap)
            flat = jnp.concatenate([*by_site.values(), jnp.zeros(0)])
            return flat, (by_site, {name: trace[name]["value"] for name in self.names})

        flat, (by_site, values) = gaps(u)
        along = jax.vmap(lambda row: jax.jvp(lambda u: gaps(u)[0], (u,), (row,))[1])(rows)
        return {"gap": flat, "gaps": by_site, "along": along, "values": values}


def children(
    trace: Trace, latents: Sequence[str], bases: Mapping[str, str] | None
) -> dict[str, str]:
    """By base site its child: what `bases` says, and what NumPyro's reparameterizers call it."""
    names = [n for n, s in trace.items() if s["type"] == "deterministic"]
    child_bases = {**conventional_bases(names, latents), **(bases or {})}
    return {base: child for child, base in child_bases.items()}


def transformed(fn: Any) -> Any:
    """The distribution inside of what wraps it, if it is a transformed one, else None."""
    inner = unwrapped(fn)
    return inner if hasattr(inner, "transforms") else None


def matches(trace: Trace, child_of: Mapping[str, str]) -> dict[str, list[Any]]:
    """By child, after how many of its base site's transforms the values are the child's."""
    found: dict[str, list[Any]] = {}
    for base, child in child_of.items():
        if (fn := transformed(trace[base]["fn"])) is None:
            continue
        value, spaces = trace[base]["value"], []
        for transform in reversed(fn.transforms):
            value = transform.inv(value)
            spaces.append(value)
        wanted = trace[child]["value"]
        found[child] = [
            jnp.allclose(space, wanted) if jnp.shape(space) == jnp.shape(wanted) else False
            for space in reversed(spaces)
        ]
    return found


def straightened(trace: Trace, base: str, child: str, split: int) -> Any:
    """The map of a site's values to unconstrained space, as far as its support can be told.

    The distribution of a child isn't in the trace; it is that of its base site without the
    transforms from `split` on.
    """
    if base == child:
        return biject_to(trace[child]["fn"].support).inv
    fn = transformed(trace[base]["fn"])
    if fn is None or split < 0:
        return lambda x: x
    support = fn.transforms[split - 1].codomain if split else fn.base_dist.support
    return biject_to(support).inv
