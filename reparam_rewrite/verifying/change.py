"""The change of variables between two models, as one compiled function of plain arrays.

u are the unconstrained latent values of the generated model, v those of the plain model's sites
that they imply, both flat, site after site in the order of sampling; p are the unconstrained
values of all params of the generated model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

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
    is_real,
    same_constraint,
    traced,
)
from reparam_rewrite.running.values import Arguments, Model, Site, Trace, Values
from reparam_rewrite.verifying.discrete import over_support
from reparam_rewrite.verifying.pairing import Pairing
from reparam_rewrite.verifying.values import Options

#: Where a param that starts on the border of its constraint is moved to, in unconstrained space.
BORDER = 30.0


class Models(NamedTuple):
    """Two models, and the call in which they are compared."""

    plain: Model
    generated: Model
    call: Arguments


class Change:
    """`at(u, p, ...)` is all that two models compute at a point.

    It has gradients too where the models have derivatives in reverse mode, unless that is skipped.
    """

    def __init__(self, models: Models, pairing: Pairing, options: Options) -> None:
        self.models, self.pairing, self.rtol = models, pairing, options.rtol
        self.reverse = "gradients" not in options.skip
        self.bases, self.shapes = pairing.bases, pairing.shapes
        #: The latents that are sampled as another site, and that.
        self.moved = {name: base for name, base in self.bases.items() if base != name}
        self.spans, self.dims = spans(self.shapes)
        self.param_shapes = {name: param_shape(site) for name, site in pairing.params.items()}
        self.param_spans, self.param_dims = spans(self.param_shapes)
        #: The latents that are in the generated model what they are in the plain one, with the
        #: same support.
        self.kept: set[str] = set()
        #: How what is compared in "same" is put together, in both models.
        self.forms: dict[str, tuple[Any, Any]] = {}
        self.weights = np.random.default_rng(1).normal(size=self.dims)

    def draw(self, seed: int, point: int) -> tuple[Any, Any]:
        """Random u and p. By numpy: each call of jax's generator costs time to compile."""
        rng = np.random.default_rng([seed, point])
        return rng.normal(size=self.dims), rng.normal(size=self.param_dims)

    def initial(self) -> Any:
        """The p of the initial values of all params."""
        flat = np.zeros(self.param_dims)
        for name, site in self.pairing.params.items():
            inverse = biject_to(constraint_of(site)).inv
            values = [inverse(jnp.asarray(one, float)) for one in varied(full_value(site))]
            if values:
                value = np.concatenate([np.ravel(one) for one in values])
                flat[self.param_spans[name]] = np.clip(value, -BORDER, BORDER)
        return flat

    # -- the models ------------------------------------------------------------------------------

    def params(self, p: Any) -> Values:
        """The values of all params."""
        found = {}
        for name, site in self.pairing.params.items():
            value, flat = full_value(site), p[self.param_spans[name]]
            if parts.is_array(value):
                shaped = flat.reshape(self.param_shapes[name])
                found[name] = biject_to(constraint_of(site))(shaped)
            else:
                found[name] = replanted(value, flat)
        return found

    def given(self, u: Any) -> Values:
        """The unconstrained values of the base sites, by their names."""
        return {b: u[self.spans[n]].reshape(self.shapes[n]) for n, b in self.bases.items()}

    def traces(self, u: Any, p: Any, held: Values) -> tuple[Trace, Trace]:
        """The generated model at u, and the plain one at the values that it implies."""
        plain, generated, call = self.models
        data = {**self.pairing.fixed, **held, **self.params(p)}
        other = traced(generated, *call, data, unconstrained=self.given(u))
        implied = {name: other[name]["value"] for name in self.bases}
        return other, traced(plain, *call, {**data, **implied})

    def flat(self, plain: Trace, function: Callable[[Site], Any]) -> Any:
        """What a function gives of the plain model's latents: v, where it is `unconstrained`."""
        found = [jnp.ravel(function(plain[name])) for name in self.bases]
        return jnp.concatenate([*found, jnp.zeros(0)])

    def compare(self, u: Any, p: Any, held: Values) -> dict[str, Any]:
        """All that must agree at one point, and what tells why it doesn't."""
        generated, plain = self.traces(u, p, held)
        old, old_elements = terms(plain, {name: name for name in self.bases})
        new, new_elements = terms(generated, {base: name for name, base in self.bases.items()})
        unmoved = self.bases.keys() - self.moved.keys()
        self.kept = {name for name in unmoved if same_support(plain[name], generated[name])}
        names = (*self.pairing.deterministic, RETURN)
        same = {name: [trace[name]["value"] for trace in (plain, generated)] for name in names}
        self.forms = {
            name: (parts.form(one), parts.form(other)) for name, (one, other) in same.items()
        }
        return {
            "v": self.flat(plain, unconstrained),
            "params": self.params(p),
            "generated": new,
            "plain": old,
            "elements": {
                name: apart(term, new_elements[name], self.rtol)
                for name, term in old_elements.items()
                if name in new_elements and name not in self.moved
            },
            "supports": {
                name: over_support(plain[name], generated[name], discrete)
                for name, discrete in self.pairing.discrete.items()
                if discrete.single
            },
            "supported": {name: supported(plain[name]) for name in self.bases},
            "values": {n: generated[n]["value"] for n in (*self.bases, *self.bases.values())},
            "blur": self.flat(plain, blurred),
            "same": {name: tuple(map(parts.arrays, two)) for name, two in same.items()},
            "arguments": dict(self.arguments(plain, generated)),
        }

    def arguments(self, plain: Trace, generated: Trace) -> Iterator[tuple[str, Any]]:
        """What the distribution of each site is made of, in both models, where they can be told."""
        for name, site in plain.items():
            other = generated.get(self.bases.get(name, name), {})
            if site["type"] == other.get("type") == "sample":
                old = unwrapped(site["fn"])
                new = unwrapped(other["fn"], type(old))
                if type(old) is type(new):
                    yield name, (arguments_of(old), arguments_of(new))

    # -- the program -----------------------------------------------------------------------------

    def compile(self, rows: int) -> None:
        """Make the program for `rows` directions at once. Raises what the models raise."""
        held = {name: self.pairing.fixed[name] for name in self.pairing.discrete}
        like = (self.dims, self.param_dims, (rows, self.dims + self.param_dims))
        u, p, along = map(jnp.zeros, like)
        self._rows = rows
        try:
            self._program = compiled(self._at, u, p, held, along)
        except (ValueError, NotImplementedError) as error:
            if not self.reverse or "everse-mode" not in str(error):
                raise
            self.reverse = False
            self._program = compiled(self._at, u, p, held, along)

    def at(self, u: Any, p: Any, held: Values, along: Any) -> dict[str, Any]:
        """`compare`, the derivatives of v along directions of u and p, one a row, and gradients."""
        return by_parts(lambda rows: self._program(u, p, held, rows), along, self._rows)

    def _at(self, u: Any, p: Any, held: Values, along: Any) -> dict[str, Any]:
        def v(u: Any, p: Any) -> Any:
            return self.flat(self.traces(u, p, held)[1], unconstrained)

        def derivative(row: Any) -> Any:
            return jax.jvp(v, (u, p), (row[: self.dims], row[self.dims :]))[1]

        def both(u: Any, p: Any) -> tuple[tuple[Any, Any], dict[str, Any]]:
            compared = self.compare(u, p, held)
            total = sum(compared["generated"]["log_prob"].values(), jnp.zeros(()))
            return (total, compared["v"] @ self.weights), compared

        found = {"along": jax.vmap(derivative)(along)}
        if not self.reverse:
            return {**both(u, p)[1], **found}
        _, pullback, compared = jax.vjp(both, u, p, has_aux=True)
        one, none = jnp.ones(()), jnp.zeros(())
        found |= {"gradient": pullback((one, none)), "effect": pullback((none, one))[1]}
        return {**compared, **found}


def by_parts(program: Any, along: Any, size: int) -> dict[str, Any]:
    """What a program for `size` directions gives, with "along" for all of them, one a row."""
    found: dict[str, Any] = {}
    rows = []
    for start in range(0, max(len(along), 1), size):
        some = along[start : start + size]
        padded = np.pad(some, ((0, size - len(some)), (0, 0)))
        found = jax.device_get(program(padded))
        rows.append(found["along"][: len(some)])
    return {**found, "along": np.concatenate(rows)}


def spans(shapes: Mapping[str, tuple[int, ...]]) -> tuple[dict[str, slice], int]:
    """Where each name's values are in the flat vector of all of them, and its length."""
    start, found = 0, {}
    for name, shape in shapes.items():
        found[name] = slice(start, start := start + math.prod(shape))
    return found, start


# -- values and their supports ---------------------------------------------------------------------


def unconstrained(site: Site) -> Any:
    return biject_to(site["fn"].support).inv(site["value"])


def blurred(site: Site) -> Any:
    """How far an unconstrained value may be from what is found again of it, by element.

    The logistic function of 40 is 1: next to the border of a support numbers don't show which
    value it was, and the change of variables seems singular there.
    """
    support, value = jax.lax.stop_gradient((site["fn"].support, site["value"]))
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
    support, value = jax.lax.stop_gradient((site["fn"].support, site["value"]))
    if is_real(support):
        return jnp.all(support(value) | jnp.any(jnp.isinf(value)))
    to_support = biject_to(support)
    middle = to_support(jnp.zeros(to_support.inverse_shape(jnp.shape(value))))
    near = 1e-9 * (middle - value)
    inwards = 1e-9 * jnp.maximum(1.0, jnp.max(jnp.abs(value), initial=0.0)) * middle
    inside = support(value) | support(value + near) | support(value + inwards)
    event = range(jnp.ndim(inside) - jnp.ndim(value), 0)
    return jnp.all(inside | jnp.any(jnp.isinf(value), axis=tuple(event)))


def same_support(one: Site, other: Site) -> bool:
    """Whether two sites have one support, as far as that can be told before there are numbers."""
    try:
        return same_constraint(one["fn"].support, other["fn"].support)
    except Exception:
        return False


# -- params ----------------------------------------------------------------------------------------


def param_shape(site: Site) -> tuple[int, ...]:
    """The shape of a param in unconstrained space; of a tree's numbers, one after another."""
    value = full_value(site)
    if parts.is_array(value):
        return tuple(biject_to(constraint_of(site)).inverse_shape(jnp.shape(value)))
    return (sum(math.prod(jnp.shape(one)) for one in varied(value)),)


def is_varied(value: Any) -> bool:
    return parts.is_array(value) and parts.inexact(value)


def varied(value: Any) -> list[Any]:
    """The arrays of a param that take other values: in a tree, those of real numbers."""
    return [value] if parts.is_array(value) else list(filter(is_varied, jax.tree.leaves(value)))


def replanted(value: Any, flat: Any) -> Any:
    """A tree with the numbers of `flat` in its arrays."""
    leaves, form = jax.tree.flatten(value)
    start = 0
    for at, leaf in enumerate(leaves):
        if is_varied(leaf):
            end = start + math.prod(jnp.shape(leaf))
            leaves[at], start = flat[start:end].reshape(jnp.shape(leaf)), end
    return jax.tree.unflatten(form, leaves)


# -- densities -------------------------------------------------------------------------------------


def terms(trace: Trace, sampled: Mapping[str, str]) -> tuple[dict[str, Values], Values]:
    """Each site's part of what a sampler sees, its scale, and the size of what it is the sum of,
    under the plain model's names; and apart from them the log densities by element.

    sampled: by latent site its name in the plain model.
    """
    found: dict[str, Values] = {"log_prob": {}, "scale": {}, "size": {}}
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
        name = sampled.get(name, name)
        found["log_prob"][name], found["size"][name] = log_prob, size
        found["scale"][name], elements[name] = jnp.asarray(scale, float), of_elements
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


WRAPPERS = ("ExpandedDistribution", "Independent", "MaskedDistribution")


def unwrapped(fn: Any, until: type | None = None) -> Any:
    """The distribution inside of what wraps it: of anything up to the class `until`, if given."""
    while hasattr(fn, "base_dist"):
        if type(fn) is until or (until is None and type(fn).__name__ not in WRAPPERS):
            break
        fn = fn.base_dist
    return fn


def arguments_of(fn: Any) -> Values:
    """The arrays that a distribution is made of; computed ones, such as a Normal's mean, not."""
    names = [name for name in getattr(fn, "arg_constraints", {}) if name in vars(fn)]
    return {name: jnp.asarray(vars(fn)[name]) for name in names}
