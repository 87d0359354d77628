"""Which values discrete latents have at which point: all of them if they are few."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from reparam_rewrite.running.values import Values
from reparam_rewrite.verify.values import Discrete

#: Values of an unbounded discrete latent at which log densities are compared, rare ones too.
COUNTS = np.array([*range(16), 20, 30, 50, 100, 300])

#: Up to how many combinations of all elements' values each of them is looked at.
COMBINATIONS = 200


class Schedule:
    """The values of all discrete latents at each point.

    Where all elements together have few combinations, each comes once, in a random order; else
    each element takes all of its values in an order of its own. What isn't known to have few is
    what was drawn.
    """

    def __init__(self, discrete: Mapping[str, Discrete], seed: int) -> None:
        self.discrete = discrete
        self.seed = seed
        self.small = {n: np.asarray(d.support) for n, d in discrete.items() if listed(d)}
        elements = {n: int(np.size(discrete[n].drawn[0])) for n in self.small}
        logs = [elements[n] * math.log(len(values)) for n, values in self.small.items()]
        self.product = [
            range(len(values)) for n, values in self.small.items() for _ in range(elements[n])
        ]
        self.combined = sum(logs) <= math.log(COMBINATIONS)
        if not discrete:
            self.count = 0
        elif self.combined and self.small:
            self.count = math.prod(map(len, self.product))
        else:
            sizes = [len(values) for values in self.small.values()]
            self.count = max([*sizes, *(len(d.drawn) for d in discrete.values())])

    def at(self, number: int) -> Iterator[Values]:
        """The values at a point, and others, in case there is no density with those."""
        drawn = {n: d.drawn[number % len(d.drawn)] for n, d in self.discrete.items()}
        others = self.chosen(number) if self.small else {}
        if number % 2:
            others |= self.counts(number)
        if others:
            yield {**drawn, **others}
        yield drawn

    def counts(self, number: int) -> Values:
        """Of those whose values aren't listed, some that are seldom drawn."""
        rng = np.random.default_rng([self.seed, 6, number])
        return {
            name: rng.choice(COUNTS, np.shape(d.drawn[0])).astype(np.asarray(d.drawn[0]).dtype)
            for name, d in self.discrete.items()
            if d.single and not listed(d)
        }

    def chosen(self, number: int) -> Values:
        flat: Any
        if self.combined:
            order = np.random.default_rng([self.seed, 4]).permutation(self.count)
            combination = order[number % self.count]
            sizes = [len(one) for one in self.product]
            flat = np.array(np.unravel_index(combination, sizes)).reshape(-1)
        found, start = {}, 0
        for at, (name, values) in enumerate(self.small.items()):
            like = np.asarray(self.discrete[name].drawn[0])
            if self.combined:
                index = flat[start : start + like.size]
                start += like.size
            else:
                rng = np.random.default_rng([self.seed, 5, at, number // len(values)])
                orders = np.argsort(rng.uniform(size=(like.size, len(values))), axis=1)
                index = orders[:, number % len(values)]
            found[name] = values[index].reshape(like.shape).astype(like.dtype)
        return found


def listed(discrete: Discrete) -> bool:
    """Whether the values of each element are known."""
    return discrete.single and discrete.support is not None and np.size(discrete.support) > 0
