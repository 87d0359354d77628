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

from reparam_rewrite.verify.tracing import RETURN, compiled, constraint_of, full_value, traced
from reparam_rewrite.verify.values import Model, Pairing, Site, Trace, Values

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
    ) -> None:
        self.plain, self.generated = plain, generated
        self.args, self.kwargs = args, kwargs
        self.pairing = pairing
        self.reverse = reverse
        self.spans = spans({pair.name: pair.shape for pair in pairing.pairs})
        self.dims = sum(math.prod(pair.shape) for pair in pairing.pairs)
        self.param_shapes = {
            name: biject_to(constraint_of(site)).inverse_shape(jnp.shape(full_value(site)))
            for name, site in pairing.params.items()
        }
        self.param_spans = spans(self.param_shapes)
        self.param_dims = sum(map(math.prod, self.param_shapes.values()))
        #: By site, the class of its distribution in the plain and in the generated model.
        self.kinds: dict[str, tuple[str, str]] = {}
        #: The latents whose base site has a distribution of the child's own kind.
        self.direct: set[str] = set()
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
            value = biject_to(constraint_of(site)).inv(jnp.asarray(full_value(site), float))
            flat[self.param_spans[name]] = np.clip(np.ravel(value), -BORDER, BORDER)
        return flat

    # -- the models ------------------------------------------------------------------------------

    def params(self, p: Any) -> Values:
        """The values of all params."""
        return {
            name: biject_to(constraint_of(self.pairing.params[name]))(p[span].reshape(shape))
            for (name, span), shape in zip(
                self.param_spans.items(), self.param_shapes.values(), strict=True
            )
        }

    def given(self, u: Any) -> Values:
        """The unconstrained values of the base sites, by their names."""
        return {
            pair.base: u[self.spans[pair.name]].reshape(pair.shape) for pair in self.pairing.pairs
        }

    def traces(self, u: Any, p: Any) -> tuple[Trace, Trace]:
        """The generated model at u, and the plain one at the values that it implies."""
        data = {**self.pairing.fixed, **self.params(p)}
        run = (self.args, self.kwargs)
        generated = traced(self.generated, *run, data, unconstrained=self.given(u))
        implied = {pair.name: generated[pair.name]["value"] for pair in self.pairing.pairs}
        return generated, traced(self.plain, *run, {**data, **implied})

    def v(self, plain: Trace) -> Any:
        flat = [jnp.ravel(unconstrained(plain[pair.name])) for pair in self.pairing.pairs]
        return jnp.concatenate(flat) if flat else jnp.zeros(0)

    def compare(self, u: Any, p: Any) -> dict[str, Any]:
        """All that must agree at one point."""
        generated, plain = self.traces(u, p)
        names = {pair.base: pair.name for pair in self.pairing.pairs}
        return {
            "v": self.v(plain),
            "generated": terms(generated, names),
            "plain": terms(plain, {pair.name: pair.name for pair in self.pairing.pairs}),
            "supported": {
                pair.name: jnp.all(plain[pair.name]["fn"].support(plain[pair.name]["value"]))
                for pair in self.pairing.pairs
            },
            "told_apart": jnp.all(
                jnp.array([told_apart(plain[pair.name]) for pair in self.pairing.pairs])
            ),
            "same": {
                name: tuple(jax.tree.leaves(t[name]["value"]) for t in (plain, generated))
                for name in [*self.pairing.deterministic, RETURN]
            },
            "totals": {
                pair.name: jnp.sum(plain[pair.name]["value"]) for pair in self.pairing.pairs
            },
            "arguments": dict(self.arguments(plain, generated)),
            "moved": {
                pair.name: (generated[pair.base]["value"], generated[pair.name]["value"])
                for pair in self.pairing.pairs
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

    def _at(self, u: Any, p: Any, along_u: Any, along_p: Any) -> dict[str, Any]:
        def v(u: Any, p: Any) -> Any:
            return self.v(self.traces(u, p)[1])

        def both(u: Any, p: Any) -> tuple[tuple[Any, Any], dict[str, Any]]:
            compared = self.compare(u, p)
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
        self._program = compiled(self._at, *(jnp.zeros(shape) for shape in like))

    def at(self, u: Any, p: Any, along_u: Any, along_p: Any | None = None) -> dict[str, Any]:
        """`compare`, the derivatives of v along the given directions, one a row, and gradients."""
        along_u = np.asarray(along_u, float).reshape(-1, self.dims)
        if along_p is None:
            along_p = np.zeros((len(along_u), self.param_dims))
        found: dict[str, Any] = {}
        parts = []
        for start in range(0, max(len(along_u), 1), self._rows):
            some_u, some_p = (a[start : start + self._rows] for a in (along_u, along_p))
            padding = ((0, self._rows - len(some_u)), (0, 0))
            found = jax.device_get(
                self._program(u, p, np.pad(some_u, padding), np.pad(some_p, padding))
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


def told_apart(site: Site) -> Any:
    """Whether values of a site are so far from the border of its support that numbers show the
    next ones: the logistic function of 40 is 1, and the change of variables seems singular there.
    """
    to_support = biject_to(site["fn"].support)
    v = to_support.inv(site["value"])
    lost = [jnp.abs(to_support.inv(to_support(near)) - near) > 0.5 for near in (v - 1.0, v + 1.0)]
    return ~jnp.any(jnp.stack(lost))


def terms(trace: Trace, sampled: Mapping[str, str]) -> dict[str, Any]:
    """Each site's part of what a sampler sees, under the plain model's names, and its scale."""
    found: dict[str, Any] = {"log_prob": {}, "scale": {}}
    for name, site in trace.items():
        if site["type"] != "sample":
            continue
        scale = 1.0 if site["scale"] is None else site["scale"]
        log_prob = jnp.sum(scale * site["fn"].log_prob(site["value"]))
        if name in sampled:
            to_support = biject_to(site["fn"].support)
            u = to_support.inv(site["value"])
            log_prob += jnp.sum(to_support.log_abs_det_jacobian(u, site["value"]))
        found["log_prob"][sampled.get(name, name)] = log_prob
        found["scale"][sampled.get(name, name)] = jnp.asarray(scale, float)
    return found


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
