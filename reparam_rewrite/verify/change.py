"""The change of variables between two models, as one compiled function of plain arrays.

u are the unconstrained latent values of the generated model, v those of the plain model's sites
that they imply, both flat, site after site in the order of sampling; p are the unconstrained
values of all params of the generated model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.distributions import biject_to

from reparam_rewrite.running import parts
from reparam_rewrite.running.trace import (
    RETURN,
    compiled,
    constraint_of,
    full_value,
    same_constraint,
    traced,
)
from reparam_rewrite.running.values import Model, Site, Trace, Values
from reparam_rewrite.verify.values import Discrete, Pairing

#: Where a param that starts on the border of its constraint is moved to, in unconstrained space.
BORDER = 30.0


class Change:
    """`at(u, p)` is all that two models compute at a point, `rows` directions their derivatives."""

    def __init__(
        self,
        plain: Model,
        generated: Model,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        pairing: Pairing,
        reverse: bool = True,
        rtol: float = 1e-8,
    ) -> None:
        self.plain, self.generated = plain, generated
        self.args, self.kwargs = args, kwargs
        self.pairing = pairing
        self.reverse = reverse
        self.rtol = rtol
        #: The discrete latents' values as they were first drawn.
        self.held = {name: pairing.fixed[name] for name in pairing.discrete}
        self.spans = spans({pair.name: pair.shape for pair in pairing.pairs})
        self.dims = sum(math.prod(pair.shape) for pair in pairing.pairs)
        self.param_shapes = {name: param_shape(site) for name, site in pairing.params.items()}
        self.param_spans = spans(self.param_shapes)
        self.param_dims = sum(map(math.prod, self.param_shapes.values()))
        #: By site, the class of its distribution in the plain and in the generated model.
        self.kinds: dict[str, tuple[str, str]] = {}
        #: The latents whose base site has a distribution of the child's own kind.
        self.direct: set[str] = set()
        #: The latents of which any real value will do, and those that are in the generated model
        #: what they are in the plain one, with the same support.
        self.real: set[str] = set()
        self.kept: set[str] = set()
        #: How what is compared in "same" is put together, in both models.
        self.forms: dict[str, tuple[Any, Any]] = {}
        self.weights = np.random.default_rng(1).normal(size=self.dims)
        self._program: Any = None
        self._rows = 0

    # -- points ----------------------------------------------------------------------------------

    def draw(self, seed: int, point: int) -> tuple[Any, Any]:
        """Random u and p. By numpy: each call of jax's generator costs time to compile."""
        rng = np.random.default_rng([seed, point])
        return rng.normal(size=self.dims), rng.normal(size=self.param_dims)

    def initial(self) -> Any:
        """The p of the initial values of all params."""
        flat = np.zeros(self.param_dims)
        for name, site in self.pairing.params.items():
            to_support = biject_to(constraint_of(site))
            values = [to_support.inv(jnp.asarray(one, float)) for one in varied(full_value(site))]
            if values:
                value = np.concatenate([np.ravel(one) for one in values])
                flat[self.param_spans[name]] = np.clip(value, -BORDER, BORDER)
        return flat

    # -- the models ------------------------------------------------------------------------------

    def params(self, p: Any) -> Values:
        """The values of all params."""
        found = {}
        for name, span in self.param_spans.items():
            site, shape = self.pairing.params[name], self.param_shapes[name]
            to_support = biject_to(constraint_of(site))
            if parts.is_array(full_value(site)):
                found[name] = to_support(p[span].reshape(shape))
            else:
                found[name] = replanted(full_value(site), p[span])
        return found

    def given(self, u: Any) -> Values:
        """The unconstrained values of the base sites, by their names."""
        return {
            pair.base: u[self.spans[pair.name]].reshape(pair.shape) for pair in self.pairing.pairs
        }

    def traces(self, u: Any, p: Any, held: Values) -> tuple[Trace, Trace]:
        """The generated model at u, and the plain one at the values that it implies."""
        data = {**self.pairing.fixed, **held, **self.params(p)}
        run = (self.args, self.kwargs)
        generated = traced(self.generated, *run, data, unconstrained=self.given(u))
        implied = {pair.name: generated[pair.name]["value"] for pair in self.pairing.pairs}
        return generated, traced(self.plain, *run, {**data, **implied})

    def v(self, plain: Trace) -> Any:
        flat = [jnp.ravel(unconstrained(plain[pair.name])) for pair in self.pairing.pairs]
        return jnp.concatenate(flat) if flat else jnp.zeros(0)

    def compare(self, u: Any, p: Any, held: Values) -> dict[str, Any]:
        """All that must agree at one point."""
        generated, plain = self.traces(u, p, held)
        pairs = self.pairing.pairs
        old, old_elements = terms(plain, {pair.name: pair.name for pair in pairs})
        new, new_elements = terms(generated, {pair.base: pair.name for pair in pairs})
        for pair in pairs:
            supports = plain[pair.name]["fn"].support, generated[pair.base]["fn"].support
            if is_real(supports[0]):
                self.real.add(pair.name)
            if pair.base == pair.name and surely_same(*supports):
                self.kept.add(pair.name)
        same = [*self.pairing.deterministic, RETURN]
        for name in same:
            self.forms[name] = (
                parts.form(plain[name]["value"]),
                parts.form(generated[name]["value"]),
            )
        moved = {pair.name for pair in pairs if pair.base != pair.name}
        blurs = [jnp.ravel(blurred(plain[pair.name])) for pair in pairs]
        return {
            "v": self.v(plain),
            "params": self.params(p),
            "generated": new,
            "plain": old,
            "elements": {
                name: apart(term, new_elements[name], self.rtol)
                for name, term in old_elements.items()
                if name in new_elements and name not in moved
            },
            "supports": {
                name: over_support(plain[name], generated[name], discrete)
                for name, discrete in self.pairing.discrete.items()
                if discrete.single
            },
            "supported": {pair.name: supported(plain[pair.name]) for pair in pairs},
            "nan": {pair.name: jnp.any(jnp.isnan(plain[pair.name]["value"])) for pair in pairs},
            "values": {pair.base: generated[pair.base]["value"] for pair in pairs},
            "blur": jnp.concatenate([*blurs, jnp.zeros(0)]),
            "told_apart": jnp.all(jnp.array([jnp.all(blur <= 0.5) for blur in blurs])),
            "same": {
                name: tuple(parts.arrays(t[name]["value"]) for t in (plain, generated))
                for name in same
            },
            "totals": {pair.name: jnp.sum(plain[pair.name]["value"]) for pair in pairs},
            "arguments": dict(self.arguments(plain, generated)),
            "moved": {
                pair.name: (generated[pair.base]["value"], generated[pair.name]["value"])
                for pair in pairs
                if pair.base != pair.name
            },
        }

    def arguments(self, plain: Trace, generated: Trace) -> Iterator[tuple[str, Any]]:
        """What the distribution of each site is made of, in both models, where they can be told."""
        bases = {pair.name: pair.base for pair in self.pairing.pairs}
        for name, site in plain.items():
            other = generated.get(bases.get(name, name), {})
            if site["type"] == other.get("type") == "sample":
                old = unwrapped(site["fn"])
                new = unwrapped(other["fn"], type(old))
                self.kinds[name] = type(old).__name__, type(new).__name__
                if type(unwrapped(other["fn"])) is type(old) and name in bases:
                    self.direct.add(name)
                if type(old) is type(new):
                    yield name, (arguments_of(old), arguments_of(new))

    # -- the program -----------------------------------------------------------------------------

    def _at(self, u: Any, p: Any, held: Values, along_u: Any, along_p: Any) -> dict[str, Any]:
        def v(u: Any, p: Any) -> Any:
            return self.v(self.traces(u, p, held)[1])

        def both(u: Any, p: Any) -> tuple[tuple[Any, Any], dict[str, Any]]:
            compared = self.compare(u, p, held)
            total = sum(compared["generated"]["log_prob"].values(), jnp.zeros(()))
            return (total, compared["v"] @ self.weights), compared

        along = jax.vmap(lambda u_, p_: jax.jvp(v, (u, p), (u_, p_))[1])(along_u, along_p)
        if not self.reverse:
            return {**both(u, p)[1], "along": along}
        _, pullback, compared = jax.vjp(both, u, p, has_aux=True)
        one, none = jnp.ones(()), jnp.zeros(())
        gradient = pullback((one, none))
        effect = pullback((none, one))[1]
        return {**compared, "along": along, "gradient": gradient, "effect": effect}

    def compile(self, rows: int) -> None:
        """Make the program for `rows` directions at once. Raises what the models raise."""
        self._rows = rows
        like = (self.dims, self.param_dims, (rows, self.dims), (rows, self.param_dims))
        u, p, along_u, along_p = (jnp.zeros(shape) for shape in like)
        self._program = compiled(self._at, u, p, self.held, along_u, along_p)

    def at(
        self, u: Any, p: Any, along_u: Any, along_p: Any | None = None, held: Values | None = None
    ) -> dict[str, Any]:
        """`compare`, the derivatives of v along the given directions, one a row, and gradients."""
        held = self.held if held is None else held
        along_u = np.asarray(along_u, float).reshape(len(along_u), self.dims)
        if along_p is None:
            along_p = np.zeros((len(along_u), self.param_dims))
        found: dict[str, Any] = {}
        parts = []
        for start in range(0, max(len(along_u), 1), self._rows):
            some_u, some_p = (a[start : start + self._rows] for a in (along_u, along_p))
            padding = ((0, self._rows - len(some_u)), (0, 0))
            found = jax.device_get(
                self._program(u, p, held, np.pad(some_u, padding), np.pad(some_p, padding))
            )
            parts.append(found["along"][: len(some_u)])
        return {**found, "along": np.concatenate(parts)}


def spans(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, slice]:
    """Where each name's values are in the flat vector of all of them."""
    start, found = 0, {}
    for name, shape in shapes.items():
        found[name] = slice(start, start := start + math.prod(shape))
    return found


def unconstrained(site: Site) -> Any:
    return biject_to(site["fn"].support).inv(site["value"])


def blurred(site: Site) -> Any:
    """How far an unconstrained value may be from what is found again of it, by element.

    The logistic function of 40 is 1: next to the border of a support numbers don't show which
    value it was, and the change of variables seems singular there.
    """
    support, value = quietly(site)
    to_support = biject_to(support)
    v = to_support.inv(value)
    if is_real(support):
        return jnp.zeros(jnp.shape(v))
    lost = [jnp.abs(to_support.inv(to_support(v + step)) - (v + step)) for step in (-1.0, 1.0)]
    return jnp.maximum(*lost)


def supported(site: Site) -> Any:
    """Whether a value is in the support of its site, but for rounding: e**-800 is 0.

    A value on the border is in the support once it is moved a bit towards one in its middle.
    """
    support, value = quietly(site)
    if is_real(support):
        return jnp.all(support(value) | jnp.any(jnp.isinf(value)))
    to_support = biject_to(support)
    middle = to_support(jnp.zeros(to_support.inverse_shape(jnp.shape(value))))
    near = 1e-9 * (middle - value)
    inwards = 1e-9 * jnp.maximum(1.0, jnp.max(jnp.abs(value), initial=0.0)) * middle
    checked = [support(one) for one in (value, value + near, value + inwards)]
    endless = jnp.isinf(value)
    for _ in range(jnp.ndim(value) - jnp.ndim(checked[0])):
        endless = jnp.any(endless, axis=-1)
    return jnp.all(checked[0] | checked[1] | checked[2] | endless)


def quietly(site: Site) -> tuple[Any, Any]:
    """The support and the value of a site, of which no derivatives are to be taken."""
    support = jax.tree.map(jax.lax.stop_gradient, site["fn"].support)
    return support, jax.lax.stop_gradient(site["value"])


def is_real(support: Any) -> bool:
    while hasattr(support, "base_constraint"):
        support = support.base_constraint
    return type(support).__name__ in ("_Real", "_RealVector", "_RealMatrix")


def surely_same(one: Any, other: Any) -> bool:
    """Are two supports the same, as far as that can be told before there are numbers?"""
    try:
        return same_constraint(one, other)
    except Exception:
        return False


def param_shape(site: Site) -> tuple[int, ...]:
    """The shape of a param in unconstrained space; of a tree's numbers, one after another."""
    value, to_support = full_value(site), biject_to(constraint_of(site))
    if parts.is_array(value):
        shape: tuple[int, ...] = to_support.inverse_shape(jnp.shape(value))
        return shape
    return (sum(math.prod(jnp.shape(one)) for one in varied(value)),)


def varied(value: Any) -> list[Any]:
    """The arrays of a param that take other values: in a tree, those of real numbers."""
    if parts.is_array(value):
        return [value]
    return [leaf for leaf in jax.tree.leaves(value) if parts.is_array(leaf) and parts.inexact(leaf)]


def replanted(value: Any, flat: Any) -> Any:
    """A tree with the numbers of `flat` in its arrays."""
    leaves, form = jax.tree.flatten(value)
    start = 0
    for at, leaf in enumerate(leaves):
        if parts.is_array(leaf) and parts.inexact(leaf):
            size = math.prod(jnp.shape(leaf))
            leaves[at] = flat[start : start + size].reshape(jnp.shape(leaf))
            start += size
    return jax.tree.unflatten(form, leaves)


def terms(trace: Trace, sampled: Mapping[str, str]) -> tuple[dict[str, Any], Values]:
    """Each site's part of what a sampler sees, under the plain model's names, its scale, and the
    size of what it is the sum of; and apart from them the log densities by element.
    """
    found: dict[str, Any] = {"log_prob": {}, "scale": {}, "size": {}}
    elements: Values = {}
    for name, site in trace.items():
        if site["type"] != "sample":
            continue
        scale = 1.0 if site["scale"] is None else site["scale"]
        of_elements = scale * site["fn"].log_prob(site["value"])
        log_prob = jnp.sum(of_elements)
        of_elements = jax.lax.stop_gradient(of_elements)
        size = jnp.sum(jnp.abs(of_elements))
        if name in sampled:
            to_support = biject_to(site["fn"].support)
            u = to_support.inv(site["value"])
            volume = to_support.log_abs_det_jacobian(u, site["value"])
            log_prob += jnp.sum(volume)
            size += jnp.sum(jnp.abs(jax.lax.stop_gradient(volume)))
        found["log_prob"][sampled.get(name, name)] = log_prob
        found["scale"][sampled.get(name, name)] = jnp.asarray(scale, float)
        found["size"][sampled.get(name, name)] = size
        elements[sampled.get(name, name)] = of_elements
    return found, elements


def apart(old: Any, new: Any, rtol: float) -> Any:
    """By how much the log densities of elements differ, where they do: their sum, and that of
    their sizes. What differs in a small one shows beside large ones that don't.
    """
    if jnp.shape(old) != jnp.shape(new):
        return jnp.zeros(2)
    gap = jnp.where(old == new, 0.0, new - old)
    gap = jnp.where(jnp.abs(gap) > rtol * jnp.maximum(1.0, jnp.abs(old)), gap, 0.0)
    return jnp.stack([jnp.sum(gap), jnp.sum(jnp.abs(gap))])


#: Values of an unbounded discrete latent at which log densities are compared, rare ones too.
COUNTS = np.array([*range(16), 20, 30, 50, 100, 300])

#: How many log densities of a discrete latent are compared at most.
MOST_VALUES = 10**6


def over_support(plain: Site, generated: Site, discrete: Discrete) -> Any:
    """The largest difference of a discrete latent's log density over its support, and where.

    [difference, value, log density in the plain model].
    """
    shape, dtype = jnp.shape(plain["value"]), jnp.result_type(plain["value"])
    values = COUNTS if discrete.support is None else np.asarray(discrete.support)
    values = values[:: 1 + len(values) * math.prod(shape) // MOST_VALUES]

    def log_prob(value: Any) -> tuple[Any, Any]:
        of_all = jnp.full(shape, value, dtype)
        found = []
        for site in (plain, generated):
            inside = site["fn"].support(of_all)
            found.append(jnp.where(inside, site["fn"].log_prob(of_all), -jnp.inf))
        return found[0], found[1]

    old, new = jax.vmap(log_prob)(jnp.asarray(values))
    if jnp.shape(old) != jnp.shape(new):
        return jnp.array([jnp.nan, 0.0, jnp.nan])
    gap = jnp.where(old == new, 0.0, (new - old) / jnp.maximum(1.0, jnp.abs(old)))
    gap = jnp.where(jnp.isnan(old) & jnp.isnan(new), 0.0, gap).reshape(len(values), -1)
    off = jnp.max(jnp.nan_to_num(jnp.abs(gap), nan=jnp.inf), axis=1, initial=0.0)
    worst = jnp.argmax(off)
    element = jnp.argmax(jnp.abs(gap[worst])) if gap.shape[1] else 0
    shown = old.reshape(len(values), -1)[worst, element] if gap.shape[1] else 0.0
    return jnp.array([off[worst], jnp.asarray(values, float)[worst], shown])


WRAPPERS = ("ExpandedDistribution", "Independent", "MaskedDistribution")


def unwrapped(fn: Any, until: type | None = None) -> Any:
    """The distribution inside of what wraps it: of anything up to the class `until`, if given."""
    inner = fn
    while hasattr(inner, "base_dist"):
        if type(inner) is until or (until is None and type(inner).__name__ not in WRAPPERS):
            return inner
        inner = inner.base_dist
    return inner


def arguments_of(fn: Any) -> Values:
    """The arrays that a distribution is made of; computed ones, such as a Normal's mean, not."""
    names = [name for name in getattr(fn, "arg_constraints", {}) if name in vars(fn)]
    return {name: jnp.asarray(vars(fn)[name]) for name in names}
