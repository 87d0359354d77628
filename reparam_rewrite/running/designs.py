"""What each effect adds to each observation, by probing the running model.

The model is run with every effect at the location of its prior and a deviation from it: the
predictor of the observations is then a function of the deviations, and of the other sites. Its
derivatives in a few directions tell what an effect adds, also by what other effects are around it::

    mu = d_mu;  a = mu + d_a;  y ~ Normal(a[i] + x * b, s)      d_mu adds 1, d_a the element i

All arrays are float64.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from numpyro.distributions import biject_to
from numpyro.primitives import Messenger
from scipy.sparse import csr_array, vstack

from reparam_rewrite.messages import OfSite, Problem, Refusal
from reparam_rewrite.running.call import Call
from reparam_rewrite.running.predictors import family_of, predicted, unwrapped
from reparam_rewrite.running.trace import (
    compiled,
    compiled_with_key,
    copied,
    is_discrete,
    is_latent,
    is_real,
    traced,
)
from reparam_rewrite.running.values import Site, Trace, Values

Array = NDArray[np.float64]

#: Of how many draws from the prior the medians are taken.
DRAWS = 25

#: How far an effect is moved to see whether anything but a sum comes of it, in the predictor.
STEP = 0.3

#: What is left where numbers are equal but for rounding.
CLOSE = 1e-7

#: What is 0 but for rounding, beside the greatest of the numbers.
ROUNDING = 1e-12

#: How many numbers may be computed for a design, and how many of them may not be 0.
LARGEST = 1_000_000_000
LARGEST_FILLED = 30_000_000


class Point(NamedTuple):
    """Where the model is run: the deviations of effects, and the values of other latent sites."""

    deviations: Mapping[str, Any]
    others: Mapping[str, Any]
    discrete: Mapping[str, Any]


class Deviating(Messenger):  # type: ignore[misc]
    """Sets sites to the locations of their priors plus deviations; `locations` are those."""

    def __init__(self, call: Call, deviations: Mapping[str, Any]) -> None:
        super().__init__(call.model)
        self.call, self.deviations, self.locations = call, deviations, dict[str, Any]()

    def process_message(self, msg: dict[str, Any]) -> None:
        if msg["type"] != "sample" or msg["name"] not in self.deviations:
            return
        if msg["value"] is not None:  # it was sampled before, in a scan
            return
        deviation = self.deviations[msg["name"]]
        loc = location(self.call, msg["name"], msg["fn"])
        self.locations[msg["name"]] = jnp.broadcast_to(loc, deviation.shape)
        msg["value"] = loc + deviation


def wrong(call: Call, code: str, site: str, text: str, hint: str, **parts: str) -> Refusal:
    """A refusal that is about a site of the model."""
    return Refusal(Problem(code, OfSite(site), call.document.path, text, hint, parts).told(""))


def location(call: Call, name: str, fn: Any) -> Any:
    """The location of a prior. Raises `Refusal` for a prior without one."""
    base = unwrapped(fn)
    if is_real(fn.support):
        if type(base).__name__ == "GaussianRandomWalk":
            return jnp.zeros(())
        if hasattr(base, "loc"):
            return base.loc
    text = "the prior of '{site}', a {kind}, has no location from which it deviates"
    hint = "take '{site}' out of the order; it can have an offset instead."
    raise wrong(call, "no-location", name, text, hint, kind=type(base).__name__)


def parameters(fn: Any) -> tuple[Any, ...]:
    """All parameters of a prior but its location."""
    base = unwrapped(fn)
    found = [vars(base).get(name) for name in base.arg_constraints if name != "loc"]
    return tuple(jnp.asarray(value, float) for value in found if value is not None)


def leaves(fn: Any) -> list[Any]:
    """All the numbers that a distribution has, whatever it is."""
    return [
        leaf for leaf in jax.tree.leaves(fn) if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
    ]


def drawn_first(draws: Any) -> Any:
    return draws[0]


def drawn_otherwise(draws: Any) -> Any:
    """Of each element the first draw that differs from that of all, if any does."""
    found = jnp.argmax(draws != draws[0], axis=0)
    return jnp.take_along_axis(draws, found[None], axis=0)[0]


class Probe:
    """A model that is run at points, and moved from there.

    `order` are the effects in the order in which they are to be sampled, `others` the further
    latent sites with real values. `shapes` are those of all of these, `columns` how many elements
    of an effect the scale of its prior takes at once, and `families` the names of the families of
    observed sites. `typical` is a point at the medians of the others' priors, which are `middle`
    without constraints, and `another` one near. Raises `Refusal` for sites that aren't such, and
    what the model raises.
    """

    def __init__(self, call: Call, order: Sequence[str]) -> None:
        args, kwargs = copied(call.args, call.kwargs)
        self.call = call = call._replace(args=args, kwargs=kwargs)
        self.order = tuple(order)
        for at, name in enumerate(order):
            hint = "take it out of the order."
            if name not in call.latents:
                text = "'{site}' isn't a site that this call of the model samples with real values"
                raise wrong(call, "no-such-site", name, text, hint)
            if name in order[:at]:
                raise wrong(call, "twice", name, "'{site}' is in the order twice", "name it once.")
        self.others = tuple(name for name in call.latents if name not in order)
        shapes = {name: np.shape(call.trace[name]["value"]) for name in call.latents}
        self.shapes: Mapping[str, tuple[int, ...]] = shapes
        self.families: dict[str, str] = {}
        self.columns: dict[str, int] = {}
        self.middle, self.typical, self.another = self._points()
        zero = self.lanes([{}])
        self._moved = compiled(self._all, *self.typical, zero)

    # -- runs --------------------------------------------------------------------------------------

    def run(self, point: Point, unconstrained: Values | None = None, key: Any = 0) -> Any:
        """The trace of a run at a point, and the locations of the effects' priors in it."""
        call = self.call
        model = Deviating(call, point.deviations)
        trace = traced(
            model, call.args, call.kwargs, {**point.others, **point.discrete}, key, unconstrained,
            proper,
        )  # fmt: skip
        return trace, model.locations

    def _points(self) -> tuple[Values, Point, Point]:
        """The medians of what isn't an effect, by its prior, and a point near it."""
        zeros = {name: jnp.zeros(self.shapes[name]) for name in self.order}
        free = Point(zeros, {}, {})

        def real(trace: Trace) -> Values:
            return {
                n: biject_to(trace[n]["fn"].support).inv(trace[n]["value"]) for n in self.others
            }

        def run(key: Any) -> Any:
            def draw(one: Any) -> Any:
                trace, _ = self.run(free, key=one)
                discrete = [n for n, s in trace.items() if is_latent(s) and is_discrete(s)]
                return real(trace), {name: trace[name]["value"] for name in discrete}

            drawn, discrete = jax.vmap(draw)(jax.random.split(key, DRAWS))
            middle = jax.tree.map(lambda values: jnp.median(values, 0), drawn)
            found = []
            for at, step in enumerate((0.0, STEP)):
                own = {
                    name: (drawn_first, drawn_otherwise)[at](of) for name, of in discrete.items()
                }
                moved = jax.tree.map(lambda m, d, s=step: m + s * jnp.tanh(d[0] - m), middle, drawn)
                trace, _ = self.run(Point(zeros, {}, own), moved, key)
                values = {name: trace[name]["value"] for name in self.others}
                found.append(Point(zeros, values, own))
            return middle, *found

        program, key = compiled_with_key(run)
        middle, one, other = program(key(0))
        return middle, Point(*one), Point(*other)

    def look(self, deviations: Values, others: Values, discrete: Values) -> Values:
        """What of a run may move: of observed sites and of the effects' priors, by name."""
        trace, locations = self.run(Point(deviations, others, discrete))
        found: Values = {"eta": {}, "rest": {}, "loc": locations, "prior": {}}
        if missing := [name for name in self.order if name not in locations]:
            text = "'{site}' is sampled in a scan or the like, where it can't be moved from outside"
            raise wrong(self.call, "not-reached", missing[0], text, "take it out of the order.")
        for name in self.order:
            fn = trace[name]["fn"]
            found["prior"][name] = parameters(fn)
            self.columns[name] = int(np.prod(unwrapped(fn).event_shape, dtype=int))
        for name in observed(trace):
            site = trace[name]
            kind, family = family_of(site["fn"])
            self.families[name] = kind
            base = unwrapped(site["fn"])
            fixed = [getattr(base, one) for one in family.fixed] if family else leaves(base)
            rest = (site["value"], *fixed)
            found["rest"][name] = tuple(jnp.asarray(value, float) for value in rest)
            if family is not None:
                found["eta"][name] = predicted(site["fn"], family, jnp.shape(site["value"]))
        return found

    def _all(self, deviations: Values, others: Values, discrete: Values, lanes: Values) -> Any:
        def of(values: Values) -> Values:
            return self.look(
                {name: values[name] for name in self.order},
                {name: values[name] for name in self.others},
                discrete,
            )

        at = {**deviations, **others}
        return of(at), jax.vmap(lambda lane: jax.jvp(of, (at,), (lane,))[1])(lanes)

    @cached_property
    def width(self) -> int:
        """How many directions are taken at once."""
        sizes = [np.size(site["value"]) for _, site in observations(self.call.trace)]
        return int(np.clip(1_000_000 // max(1, sum(sizes)), 4, 32))

    def size(self, site: str) -> int:
        """How many elements a site has."""
        return int(np.prod(self.shapes[site], dtype=int))

    def lanes(self, directions: Sequence[Mapping[str, Array]]) -> Values:
        """Directions as one value for all of them, with zeros where a site isn't moved."""
        found: Values = {}
        for name in (*self.order, *self.others):
            found[name] = np.zeros((self.width, *self.shapes[name]))
            for at, direction in enumerate(directions):
                if name in direction:
                    found[name][at] = np.reshape(direction[name], self.shapes[name])
        return found

    def moved(
        self, point: Point, directions: Sequence[Mapping[str, Array]]
    ) -> tuple[Values, Values]:
        """What `look` gives at a point, and its derivatives, by an axis of directions in front."""
        parts = []
        for at in range(0, max(1, len(directions)), self.width):
            now, made = self._moved(*point, self.lanes(directions[at : at + self.width]))
            parts.append(jax.tree.map(np.asarray, made))
        made = jax.tree.map(lambda *of: np.concatenate(of)[: len(directions)], *parts)
        return jax.tree.map(np.asarray, now), made

    # -- designs -----------------------------------------------------------------------------------

    def design(self, point: Point, site: str) -> dict[str, csr_array]:
        """What each element of a site adds to each observation: (predictors, elements) by site.

        The sites are the observed ones; predictors and elements are flattened. Raises `Refusal`
        where too many elements add to too many observations.
        """
        shape, size = self.shapes[site], self.size(site)
        tried = np.random.default_rng(1).normal(size=size)
        number = np.arange(1.0, 1.0 + size)
        whole = np.zeros(size, np.int64)
        several = [np.indices(shape)[at].ravel() for at, of in enumerate(shape) if of < size]
        expected = flat(self.moved(point, [{site: tried}])[1])
        for axis in sorted((whole, *several), key=lambda of: int(of.max(initial=0))):
            count = int(axis.max(initial=0)) + 1
            if count > max(1, 2 * self.width):
                continue
            parts = [axis == at for at in range(count)]
            directions = [{site: part * by} for part in parts for by in (np.ones(size), number)]
            made = flat(self.moved(point, directions)[1])
            found = {name: picked(made[name], parts) for name in made}
            if all(same(found[name] @ tried, expected[name][0]) for name in made):
                return found
        total = sum(of.shape[1] for of in expected.values())
        if size * total > LARGEST:
            raise self.too_large(site, size)
        columns: dict[str, list[Any]] = {name: [] for name in expected}
        filled = 0
        for start in range(0, size, self.width):
            units = np.eye(min(self.width, size - start), size, start)
            for name, of in flat(self.moved(point, [{site: unit} for unit in units])[1]).items():
                columns[name].append(csr_array(of))
                filled += columns[name][-1].nnz
            if filled > LARGEST_FILLED:
                raise self.too_large(site, size)
        return {name: csr_array(vstack(of).T) for name, of in columns.items()}

    def too_large(self, site: str, size: int) -> Refusal:
        text = "each of the {size} elements of '{site}' may add to all observations"
        hint = "that is too much to be computed: take '{site}' out of the order."
        return wrong(self.call, "large-design", site, text, hint, size=f"{size:,}")


def proper(site: Site) -> Any:
    """A value for what can't be drawn, as its prior is improper."""
    if site["type"] == "sample" and type(unwrapped(site["fn"])).__name__ == "ImproperUniform":
        to = biject_to(site["fn"].support)
        return to(jnp.zeros(to.inverse_shape(site["fn"].shape())))
    return None


def observations(trace: Trace) -> list[tuple[str, Site]]:
    """The observed sites: what `numpyro.factor` makes isn't one."""
    return [
        (name, site)
        for name, site in trace.items()
        if site["type"] == "sample" and site["is_observed"]
        if type(unwrapped(site["fn"])).__name__ != "Unit"
    ]


def observed(trace: Trace) -> list[str]:
    return [name for name, _ in observations(trace)]


def flat(moved: Values) -> dict[str, Array]:
    """The derivatives of predictors: (directions, predictors) by observed site."""
    found = {name: of.reshape(len(of), -1) for name, of in moved["eta"].items()}
    for of in found.values():
        of[np.abs(of) <= ROUNDING * np.abs(of).max(initial=0.0)] = 0.0
    return found


def picked(made: Array, parts: Sequence[Any]) -> csr_array:
    """A design of which each predictor has one element of each part at most.

    made: (2 * parts, predictors), in turn the weights and those times the elements' numbers.
    """
    weights, numbered = made[0::2], made[1::2]
    size = len(parts[0])
    number = np.rint(numbered / np.where(weights == 0, 1.0, weights) - 1).astype(np.int64)
    part, row = np.nonzero(weights)
    column, weight = np.clip(number[part, row], 0, size - 1), weights[part, row]
    return csr_array((weight, (row, column)), shape=(made.shape[1], size))


def same(one: Array, other: Array, close: float = CLOSE) -> bool:
    """Whether arrays are equal but for rounding, by their greatest numbers."""
    scale = max(np.abs(one).max(initial=0.0), np.abs(other).max(initial=0.0))
    return bool(np.abs(one - other).max(initial=0.0) <= close * scale)
