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

    like: the first of the former. support: the latter, None where they are too many, or not known.
    single: an element is a value by itself. listed: the values of each element are known.
    """

    drawn: Sequence[Any]
    like: Any
    support: Any
    single: bool
    listed: bool

    @classmethod
    def of(cls, site: Site) -> Discrete:
        """That of a site in a trace with draws."""
        drawn = [np.asarray(value) for value in (site["value"], *site.get("draws", ()))]
        support = None if site.get("support") is None else np.asarray(site["support"])
        single = site["fn"].event_dim == 0
        listed = single and support is not None and support.size > 0
        return cls(drawn, drawn[0], support, single, listed)


class Schedule:
    """The values of all discrete latents at each point.

    Where all elements together have few combinations, each comes once, in a random order; else
    each element takes all of its values in an order of its own. What isn't known to have few is
    what was drawn. `count`: how many points it takes to see all of the values.
    """

    def __init__(self, discrete: Mapping[str, Discrete], seed: int) -> None:
        self.discrete, self.seed = discrete, seed
        self.listed = {name: one for name, one in discrete.items() if one.listed}
        #: Of each element of those how many values it may have.
        self.sizes = [len(d.support) for d in self.listed.values() for _ in range(d.like.size)]
        self.combined = sum(map(math.log, self.sizes)) <= math.log(COMBINATIONS)
        longest = (*self.sizes, *(len(one.drawn) for one in discrete.values()))
        in_all = self.combined and self.listed
        self.count = math.prod(self.sizes) if in_all else max(longest, default=0)

    def at(self, number: int) -> Iterator[Values]:
        """The values at a point, and others, in case there is no density with those."""
        drawn = {name: d.drawn[number % len(d.drawn)] for name, d in self.discrete.items()}
        others = {
            name: d.support[index].reshape(d.like.shape).astype(d.like.dtype)
            for (name, d), index in zip(self.listed.items(), self.indices(number), strict=True)
        }
        if number % 2:
            # Of those whose values aren't listed, some that are seldom drawn.
            rng = np.random.default_rng([self.seed, 6, number])
            for name, d in self.discrete.items():
                if d.single and not d.listed:
                    others[name] = rng.choice(COUNTS, d.like.shape).astype(d.like.dtype)
        if others:
            yield {**drawn, **others}
        yield drawn

    def indices(self, number: int) -> Iterator[Any]:
        """For each latent whose values are listed, which of them its elements have."""
        flat: Any = ()
        if self.combined and self.listed:
            order = np.random.default_rng([self.seed, 4]).permutation(self.count)
            flat = np.array(np.unravel_index(order[number % self.count], self.sizes), int)
        for at, d in enumerate(self.listed.values()):
            count, size = len(d.support), d.like.size
            if self.combined:
                yield flat[:size]
                flat = flat[size:]
            else:
                rng = np.random.default_rng([self.seed, 5, at, number // count])
                yield np.argsort(rng.uniform(size=(size, count)), axis=1)[:, number % count]


def over_support(plain: Site, generated: Site, discrete: Discrete) -> Any:
    """The largest difference of a discrete latent's log density over its support, and where.

    [difference, value, log density in the plain model].
    """
    shape, dtype = jnp.shape(plain["value"]), jnp.result_type(plain["value"])
    values = COUNTS if discrete.support is None else discrete.support
    values = values[:: 1 + len(values) * math.prod(shape) // MOST_VALUES]

    def log_probs(value: Any) -> list[Any]:
        all_of = jnp.full(shape, value, dtype)
        fns = (plain["fn"], generated["fn"])
        return [jnp.where(fn.support(all_of), fn.log_prob(all_of), -jnp.inf) for fn in fns]

    old, new = jax.vmap(log_probs)(jnp.asarray(values))
    if jnp.shape(old) != jnp.shape(new):
        return jnp.array([jnp.nan, 0.0, jnp.nan])
    gap = jnp.where(old == new, 0.0, (new - old) / jnp.maximum(1.0, jnp.abs(old)))
    gap = jnp.where(jnp.isnan(old) & jnp.isnan(new), 0.0, gap).reshape(len(values), -1)
    off = jnp.max(jnp.nan_to_num(jnp.abs(gap), nan=jnp.inf), axis=1, initial=0.0)
    worst = jnp.argmax(off)
    element = jnp.argmax(jnp.abs(gap[worst])) if gap.shape[1] else 0
    shown = old.reshape(len(values), -1)[worst, element] if gap.shape[1] else 0.0
    return jnp.array([off[worst], jnp.asarray(values, float)[worst], shown])
