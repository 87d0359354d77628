"""Discrete latents: which values they have at each point, and their densities over all of them.

They aren't transformed: both models are given the same values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reparam_rewrite.running.values import Site, Values

#: Values of an unbounded discrete latent at which log densities are compared, rare ones too.
COUNTS = np.array([*range(16), 20, 30, 50, 100, 300])

#: How many log densities of a discrete latent are compared at most.
MOST_VALUES = 10**6

#: Up to how many combinations of all elements' values each of them is looked at.
COMBINATIONS = 200


class Discrete(NamedTuple):
    """A discrete latent: values that were drawn, and those that an element may have at all.

    support: None where they are too many, or not known. single: an element is a value by itself.
    """

    drawn: Sequence[Any]
    support: Any
    single: bool

    @classmethod
    def of(cls, site: Site) -> Discrete:
        """That of a site in a trace with draws."""
        drawn = [np.asarray(value) for value in (site["value"], *site.get("draws", ()))]
        return cls(drawn, site.get("support"), site["fn"].event_dim == 0)

    @property
    def listed(self) -> bool:
        """Whether the values of each element are known."""
        return self.single and self.support is not None and np.size(self.support) > 0

    @property
    def like(self) -> Any:
        """A value of all elements: an array of its shape and dtype."""
        return self.drawn[0]


class Schedule:
    """The values of all discrete latents at each point.

    Where all elements together have few combinations, each comes once, in a random order; else
    each element takes all of its values in an order of its own. What isn't known to have few is
    what was drawn.
    """

    def __init__(self, discrete: Mapping[str, Discrete], seed: int) -> None:
        self.discrete, self.seed = discrete, seed
        self.listed = {n: np.asarray(d.support) for n, d in discrete.items() if d.listed}
        #: Of each element of those how many values it may have.
        self.sizes = [len(v) for n, v in self.listed.items() for _ in range(discrete[n].like.size)]
        self.combined = sum(map(math.log, self.sizes)) <= math.log(COMBINATIONS)
        longest = (*self.sizes, *(len(one.drawn) for one in discrete.values()))
        #: How many points it takes to see all of the values.
        self.count = max(longest, default=0)
        if self.combined and self.listed:
            self.count = math.prod(self.sizes)

    def at(self, number: int) -> Iterator[Values]:
        """The values at a point, and others, in case there is no density with those."""
        drawn = {name: d.drawn[number % len(d.drawn)] for name, d in self.discrete.items()}
        others = self.combination(number) if self.combined else self.orders(number)
        if number % 2:
            others |= self.counts(number)
        if others:
            yield {**drawn, **others}
        yield drawn

    def counts(self, number: int) -> Values:
        """Of those whose values aren't listed, some that are seldom drawn."""
        rng = np.random.default_rng([self.seed, 6, number])
        free = {n: d.like for n, d in self.discrete.items() if d.single and not d.listed}
        return {n: rng.choice(COUNTS, one.shape).astype(one.dtype) for n, one in free.items()}

    def combination(self, number: int) -> Values:
        """One combination of the values of all elements."""
        if not self.listed:
            return {}
        order = np.random.default_rng([self.seed, 4]).permutation(self.count)
        flat: Any = np.unravel_index(order[number % self.count], self.sizes)
        found, start = {}, 0
        for name, values in self.listed.items():
            like = self.discrete[name].like
            index = np.array(flat[start : start + like.size], int)
            start += like.size
            found[name] = values[index].reshape(like.shape).astype(like.dtype)
        return found

    def orders(self, number: int) -> Values:
        """Of each element the next value in its own order."""
        found = {}
        for at, (name, values) in enumerate(self.listed.items()):
            like, count = self.discrete[name].like, len(values)
            rng = np.random.default_rng([self.seed, 5, at, number // count])
            orders = np.argsort(rng.uniform(size=(like.size, count)), axis=1)
            index = orders[:, number % count]
            found[name] = values[index].reshape(like.shape).astype(like.dtype)
        return found


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
        for fn in (plain["fn"], generated["fn"]):
            found.append(jnp.where(fn.support(of_all), fn.log_prob(of_all), -jnp.inf))
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
