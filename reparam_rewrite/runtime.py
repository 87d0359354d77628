"""Values by the names of the plain model, for a generated model that samples other sites.

A generated model samples ``a_base`` where the plain one samples ``a``. Whatever sets or holds
values by the name of a latent site (`init_to_value`, `condition`, `substitute`, starting points of
chains, draws from elsewhere) must then say ``a_base``, and give its value, which depends on the
coefficients. These functions compute it, from the generated model itself:

    from reparam_rewrite.runtime import from_base, to_base

    start = to_base(model, {"mu": 20.0, "a": a, "sigma": 0.5}, args, kwargs, params=params)
    kernel = NUTS(model, init_strategy=init_to_value(values=start))
    draws = from_base(model, base_draws, args, kwargs, params=params, batch_ndims=1)

What `tune` knows of the posterior is in the arrays beside the generated file: `warm_start` has NUTS
and guides begin with it.

The generated file imports nothing of this. Needs jax and numpyro.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import biject_to

from reparam_rewrite.running.sampling import started
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
from reparam_rewrite.verifying import determinant
from reparam_rewrite.verifying.change import by_parts, spans, unwrapped
from reparam_rewrite.verifying.pairing import conventional_bases, held_fixed

__all__ = ["from_base", "to_base", "warm_start"]

#: Newton's steps that may be needed; each site of a chain of affine maps needs one.
STEPS = 200

CLOSE = 1e-10

#: Up to how many values the whole jacobian is taken, and of a single site where it isn't.
DENSE, LARGEST_BLOCK = 256, 1500

#: How many derivatives are taken at once where there are more values.
AT_ONCE = 64


def from_base(
    model: Model,
    values: Mapping[str, Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    batch_ndims: int = 0,
    bases: Mapping[str, str] | None = None,
) -> Values:
    """Give the values of the plain model's latent sites, from those that a generated one samples.

    `values` are those of the generated `model`'s latents, as a sampler gives them: each in its
    support, and with `batch_ndims` leading axes of draws. For a site of shape (7,) and draws of
    `MCMC.get_samples(group_by_chain=True)`, `batch_ndims` is 2 and the shape (chains, draws, 7).
    Names that are no latents of the model stay as they are. `args` and `kwargs` are those of a
    call of the model. `params` are values of its params, such as SVI learned; others have their
    initial values. `bases`, such as ``{"a": "a_raw"}``, tells the names of a model that was
    written by hand and doesn't use NumPyro's.

    Raises KeyError that lists the base sites that are missing.

    >>> draws = from_base(model, mcmc.get_samples(), args, kwargs, batch_ndims=1)
    >>> draws["a"].shape
    (1000, 7)
    """
    with double_precision():
        made = Bases(model, args, kwargs, params, bases)
        found = over_draws(made.children_of, taken(values, made.names), batch_ndims)
    kept = {name: value for name, value in values.items() if name not in made.child_of}
    return {**kept, **like_inputs(found, values)}


def to_base(
    model: Model,
    values: Mapping[str, Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    batch_ndims: int = 0,
    bases: Mapping[str, str] | None = None,
) -> Values:
    """Give the values of the sites that a generated model samples, from the plain model's.

    `values` are those of all latents of the plain model: each in its support, and with
    `batch_ndims` leading axes of draws. Names that are no latents of it stay as they are. All
    else is as for `from_base`, whose inverse this is. It is computed by Newton's method in
    unconstrained space: in one step for each site of a chain where the map from base values to
    children is affine, as offsets and scales are.

    Raises KeyError that lists the sites that are missing, and ValueError where no base value
    gives the wanted one, as for a value outside of its support.

    >>> start = to_base(model, {"mu": 20.0, "a": a, "sigma": 0.5}, args, kwargs)
    >>> sorted(start)
    ['a_base', 'mu', 'sigma']
    """
    with double_precision():
        made = Bases(model, args, kwargs, params, bases)
        given = taken(values, made.plain_names)
        found = over_draws(made.solve, given, batch_ndims, compiled_once=False)
    kept = {name: value for name, value in values.items() if name not in made.plain_names}
    return {**kept, **like_inputs(found, values)}


def warm_start(path: str | Path) -> dict[str, Any]:
    """Give arguments of NUTS by which it starts in the middle of the posterior, with its widths.

    `path` is that of the .npz that `tune` wrote beside the generated model; it tells this where a
    nested Laplace approximation was the pilot, and not after a run. With these arguments
    200 steps of warm-up are enough, as only the size of steps is adapted. The first of them,
    ``init_strategy``, is what a guide takes as ``init_loc_fn``.

    Raises OSError where the file can't be read, and ValueError where it tells nothing of this.

    >>> kernel = NUTS(model, **warm_start("offsets.npz"))
    >>> guide = AutoDiagonalNormal(model, init_loc_fn=warm_start("offsets.npz")["init_strategy"])
    """
    with np.load(path, allow_pickle=False) as arrays:
        told = {n: arrays[n] for n in arrays.files if n.startswith(("start.", "mass."))}
    if not told:
        wrong = f"{path} doesn't tell where to start: 'reparam-rewrite tune' writes that where a "
        raise ValueError(
            f"{wrong}nested Laplace approximation is its pilot; else NUTS has to find it"
        )
    return started(told)


def taken(values: Mapping[str, Any], names: Sequence[str]) -> Values:
    """The values of these names. Raises KeyError that lists those that are missing."""
    if missing := [name for name in names if name not in values]:
        raise KeyError(f"no values of {', '.join(missing)}")
    return {name: values[name] for name in names}


def like_inputs(found: Values, values: Mapping[str, Any]) -> Values:
    """As arrays of jax, which a scan takes too, in the precision that the values came in."""
    kinds = {np.asarray(value).dtype.name for value in values.values()}
    double = "float64" in kinds and jnp.zeros(()).dtype == np.float64
    dtype = np.float64 if double else np.float32
    return {
        name: jnp.asarray(value.astype(dtype) if value.dtype.kind == "f" else value)
        for name, value in found.items()
    }


def over_draws(
    function: Callable[[Values], Values],
    given: Values,
    batch_ndims: int,
    compiled_once: bool = True,
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
        found = jax.device_get(jax.jit(partial(jax.lax.map, function))(flat))
    else:
        draws = range(math.prod(shape))
        each = [function({name: value[at] for name, value in flat.items()}) for at in draws]
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
        bases: Mapping[str, str] | None,
    ) -> None:
        self.call = model, *copied(args, kwargs or {})
        trace = structure(*self.call)
        fixed = {name: site["value"] for name, site in trace.items() if held_fixed(site)}
        given = {name: jnp.asarray(value) for name, value in (params or {}).items()}
        self.data = {**fixed, **given}
        self.names = [n for n, site in trace.items() if is_latent(site) and n not in fixed]
        replaced = [n for n, site in trace.items() if site["type"] == "deterministic"]
        base_of = {**conventional_bases(replaced, self.names), **(bases or {})}
        self.child_of = {base: child for child, base in base_of.items()}
        self.plain_names = [self.child_of.get(name, name) for name in self.names]
        self.shapes = {name: trace[name]["real_shape"] for name in self.names}
        self.spans, self.dims = spans(self.shapes)
        self.rows = max(1, self.dims if self.dims <= DENSE else AT_ONCE)
        self.splits: dict[str, int] = {}
        self._program: Any = None
        self._blocks: list[determinant.Block] | None = None

    def run(self, values: Values | None = None, u: Any = None) -> Trace:
        """A run at the given values of base sites, or at u, unconstrained ones in one vector."""
        unconstrained = None
        if u is not None:
            unconstrained = {n: u[self.spans[n]].reshape(s) for n, s in self.shapes.items()}
        data = {**self.data, **(values or {})}
        return traced(*self.call, data, cheap_key(0), unconstrained=unconstrained)

    def children_of(self, values: Values) -> Values:
        """The children of base values, in their own space."""
        trace = self.run({name: jnp.asarray(value) for name, value in values.items()})
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
            found = self.at(u + damping * step, wanted, np.eye(self.rows, self.dims))
            size = largest(found["gap"])
            if not size <= 2 * last and damping > 1e-6:
                damping /= 2
                continue
            u = u + damping * step
            if size <= CLOSE * (1 + largest(u)):
                return found["values"]  # type: ignore[no-any-return]
            if not np.isfinite(size):
                break
            last, damping = size, 1.0
            step = self.step(u, wanted, found["gap"])
        gaps = {name: largest(gap) for name, gap in found["gaps"].items()}
        worst = max(gaps, key=lambda name: np.nan_to_num(gaps[name], nan=np.inf))
        message = f"no value of its base site gives {worst!r} this value: is it in its support?"
        raise ValueError(message)

    def compile(self, wanted: Values) -> None:
        """Make the program, after a look at how each base site is made of its child."""
        u = np.random.default_rng(0).normal(size=self.dims)
        alike = jax.jit(lambda u: matches(self.run(u=u), self.child_of))
        for child, same_after in jax.device_get(alike(u)).items():
            self.splits[child] = next((at for at, same in enumerate(same_after) if same), -1)
        self._program = compiled(self.distance, u, wanted, np.zeros((self.rows, self.dims)))

    def at(self, u: Any, wanted: Values, rows: Any) -> dict[str, Any]:
        """`distance`, for any number of rows."""
        return by_parts(partial(self._program, u, wanted), rows, self.rows)

    def step(self, u: Any, wanted: Values, gap: Any) -> Any:
        """Newton's step, or where there are many values that of each site by itself."""

        def along(rows: Any) -> Any:
            return self.at(u, wanted, rows)["along"]

        if self.dims <= DENSE or len(gap) != self.dims:
            return np.linalg.lstsq(along(np.eye(self.dims)).T, -gap, rcond=None)[0]
        if self._blocks is None:
            self._blocks = determinant.blocks(along, self.spans, self.shapes, LARGEST_BLOCK)
        return determinant.inverse(along, self._blocks, once=True)(-gap)

    def distance(self, u: Any, wanted: Values, rows: Any) -> dict[str, Any]:
        """How far the children at u are from those that are wanted, and its derivatives.

        `rows` are directions in u, one a row, as are the derivatives along them.
        """

        def gaps(u: Any) -> tuple[Any, Any]:
            trace = self.run(u=u)
            by_site = {}
            for name, child in zip(self.names, self.plain_names, strict=True):
                to_real = straightened(trace, name, child, self.splits.get(child, -1))
                gap = to_real(trace[child]["value"]) - to_real(wanted[child])
                by_site[child] = jnp.ravel(gap)
            flat = jnp.concatenate([*by_site.values(), jnp.zeros(0)])
            return flat, (by_site, {name: trace[name]["value"] for name in self.names})

        flat, (by_site, values) = gaps(u)
        along = jax.vmap(lambda row: jax.jvp(lambda u: gaps(u)[0], (u,), (row,))[1])(rows)
        return {"gap": flat, "gaps": by_site, "along": along, "values": values}


def largest(values: Any) -> float:
    return float(np.max(np.abs(values), initial=0.0))


def matches(trace: Trace, child_of: Mapping[str, str]) -> dict[str, list[Any]]:
    """By child, after how many of its base site's transforms the values are the child's."""
    found: dict[str, list[Any]] = {}
    for base, child in child_of.items():
        value, wanted = trace[base]["value"], trace[child]["value"]
        found[child] = []
        for transform in reversed(getattr(unwrapped(trace[base]["fn"]), "transforms", ())):
            value = transform.inv(value)
            alike = jnp.shape(value) == jnp.shape(wanted) and jnp.allclose(value, wanted)
            found[child].insert(0, alike)
    return found


def straightened(trace: Trace, base: str, child: str, split: int) -> Any:
    """The map of a site's values to unconstrained space, as far as its support can be told.

    The distribution of a child isn't in the trace; it is that of its base site without the
    transforms from `split` on, if that isn't negative.
    """
    if base == child:
        return biject_to(trace[child]["fn"].support).inv
    if split < 0:
        return lambda x: x
    fn = unwrapped(trace[base]["fn"])
    support = fn.transforms[split - 1].codomain if split else fn.base_dist.support
    return biject_to(support).inv
