"""How far each of several summands is to make up for another, by the data and the priors.

A step of a parent moves the observations. What the later ones don't take back of that, and what it
costs their priors to do so, is the energy of the step: the less there is, the nearer the parent is
to being independent of its children: half the sum of the logarithms of the energies is what the
KL divergence of the best diagonal normal has beside a constant. An energy is a quadratic in the
coefficients of the parent's children, once those among the children are known, and so the last
parents come first::

    mu = +1:  c = -share, b = -share * (what c left), a = -(what both left)

The scales are those that are typical of the priors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct
from scipy.fft import idct
from scipy.sparse import csr_array

#: How many elements of a parent take a step each; of more, so many tell of the others.
STEPS = 200

#: How often a minimum is come nearer to.
ROUNDS = 20

#: What keeps a coefficient finite that nothing depends on, beside what others are by.
RIDGE = 1e-9

Pair = tuple[str, str]


class Design(NamedTuple):
    """Which element of a site each of some values has, by a flat index, times which weight."""

    index: Any
    weight: Any


class Member(Struct, frozen=True):
    """A site: how many elements it has, and the variance of its prior.

    `seen` are its designs by the locations that it is in, `around` those of others in the location
    of its prior. `steps`: if it is a random walk, the length of one, of which this is the variance
    of a step.
    """

    name: str
    size: int
    variance: float
    seen: Mapping[int, Design]
    around: Mapping[str, Design] = {}
    steps: int = 0


class Weighed(NamedTuple):
    """What is found of sites in an order.

    `coefficients` are by child and parent. `divergence` is what the order is worth: the KL
    divergence of the best diagonal normal, but for a constant that all orders have, in nats. `held`
    is by site how much of what tells of its elements is its prior, from 0 to 1, on average: what
    later ones can make up for tells nothing.
    """

    coefficients: dict[Pair, float]
    divergence: float
    held: dict[str, float]


class Meetings(Struct, dict=True, frozen=True):
    """Sites in an order, and the variances of the noise in the locations that they are in."""

    members: Mapping[str, Member]
    noise: Sequence[float]

    def product(self, one: str, other: str, *, precisions: bool) -> Any:
        """The products of the designs of two sites, added up: a sparse matrix of their elements."""
        mine, theirs = self.members[one], self.members[other]
        total = csr_array((mine.size, theirs.size))
        for at in sorted(mine.seen.keys() & theirs.seen.keys()):
            a, b = mine.seen[at], theirs.seen[at]
            values = a.weight * b.weight / (self.noise[at] if precisions else 1.0)
            total += csr_array((values, (a.index, b.index)), shape=total.shape)
        return total

    @cached_property
    def joint(self) -> dict[Pair, Any]:
        """What the likelihood's precision has between the elements of any two sites."""
        names = [*self.members]
        return {(a, b): self.product(a, b, precisions=True) for a in names for b in names}

    def projection(self, child: str, parent: str) -> Any:
        """What a child can make up for of each element of a parent: (child's size, parent's).

        Where observations see but one of them, it is what the child is expected to be by its prior.
        """
        made = self.product(child, parent, precisions=False)
        mine, theirs = self.members[child], self.members[parent]
        if not mine.seen.keys() & theirs.seen.keys():
            return self.expected(child, parent)
        squares = np.zeros(mine.size)
        for design in mine.seen.values():
            squares += np.bincount(design.index, design.weight**2, mine.size)
        return csr_array(made.multiply(1 / np.where(squares > 0, squares, 1.0)[:, None]))

    def expected(self, child: str, parent: str) -> Any:
        """How the prior of a child follows each element of a parent, perhaps by those between."""
        mine = self.members[child]
        shape = (mine.size, self.members[parent].size)
        if parent in mine.around:
            index, weight = mine.around[parent]
            return csr_array((weight, (range(mine.size), index)), shape=shape)
        return csr_array(shape)

    def are_numbers(self, one: str, other: str) -> bool:
        """Is each of two sites one number?"""
        return self.members[one].size == 1 == self.members[other].size

    def part(self, child: str, parent: str) -> float:
        """How much of what a parent adds to the observations a child can make up for, at most 1."""
        mine = self.projection(child, parent)
        whole = self.product(parent, parent, precisions=False).diagonal().sum()
        seen = self.product(child, child, precisions=False).diagonal()
        return float((mine.multiply(mine).sum(axis=1) @ seen / (whole or 1.0)) ** 0.5)

    def moved(self, member: Member, moves: Mapping[str, Any]) -> Any:
        """How far a site goes from what its prior expects, in prior standard deviations."""
        nothing = np.zeros((member.size, next(iter(moves.values())).shape[1]))
        off = moves.get(member.name, nothing)
        for name, design in member.around.items():
            if name in moves:
                off = off - design.weight[:, None] * moves[name][design.index]
        if member.steps:
            rows = off.reshape(-1, member.steps, off.shape[1])
            off = np.diff(rows, axis=1, prepend=0.0).reshape(off.shape)
        return off / member.variance**0.5

    def energy(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> Any:
        """The bilinear form of two movements, for each of the steps that began them."""
        total = 0.0
        for name, move in one.items():
            for another, made in other.items():
                total = total + (move * (self.joint[name, another] @ made)).sum(axis=0)
        for member in self.members.values():
            if member.around or (member.name in one and member.name in other):
                total = total + (self.moved(member, one) * self.moved(member, other)).sum(axis=0)
        return total

    def coefficients(self, pairs: Iterable[Pair]) -> Weighed:
        """The best coefficients of the offsets of children by parents, each a number for all.

        `pairs` are (child, parent) where what the parent adds is projected on the child.
        """
        wanted, order = set(pairs), [*self.members]
        projections = {pair: self.projection(*pair) for pair in wanted}
        found: dict[Pair, float] = {}
        held: dict[str, float] = {}
        divergence = 0.0

        def answered(start: Mapping[str, Any]) -> dict[str, Any]:
            """All movements that follow from some, by what is found already."""
            moves = dict(start)
            for child in order:
                for parent, move in [*moves.items()]:
                    if (child, parent) in found:
                        step = found[child, parent] * (projections[child, parent] @ move)
                        moves[child] = moves.get(child, 0.0) - step
            return moves

        for parent in reversed(order):
            children = [child for child in order if (child, parent) in wanted]
            alone = {parent: steps_of(self.members[parent])}
            each = [answered({c: -(projections[c, parent] @ alone[parent])}) for c in children]
            own = self.energy(alone, alone)
            if each:
                gram = np.array([[self.energy(a, b) for b in each] for a in each])
                aim = np.array([self.energy(a, alone) for a in each])
                best = least(gram, aim, own)
                found |= {(c, parent): float(x) for c, x in zip(children, best, strict=True)}
                own = own + 2 * best @ aim + np.einsum("a,abn,b->n", best, gram, best)
            divergence += 0.5 * self.members[parent].size * float(np.log(own).mean())
            held[parent] = float((1 / (self.members[parent].variance * own)).mean())
        return Weighed(found, divergence, held)


def least(gram: Any, aim: Any, alone: Any) -> Any:
    """The coefficients x of the least sum of log(alone + 2 aim x + x gram x), over the last axis.

    Each round takes the logarithms' tangents, which are above them: no round makes it more, and the
    first is from no offsets at all.
    """
    best = np.zeros(len(aim))
    for _ in range(ROUNDS):
        energies = alone + 2 * best @ aim + np.einsum("a,abn,b->n", best, gram, best)
        weight = 1 / np.maximum(energies, RIDGE * alone)
        whole = gram @ weight
        whole += RIDGE * (np.trace(whole) or 1.0) * np.eye(len(best))
        best = -np.linalg.solve(whole, aim @ weight)
    return best


def steps_of(member: Member) -> Any:
    """Steps of what is sampled for a site, (its size, steps): of all elements or of some.

    A random walk is sampled in the basis of cosines.
    """
    chosen = np.random.default_rng(0).permutation(member.size)[:STEPS]
    made = np.zeros((member.size, len(chosen)))
    made[chosen, range(len(chosen))] = 1.0
    if not member.steps:
        return made
    rows = made.reshape(-1, member.steps, len(chosen))
    return idct(rows, axis=1, norm="ortho").reshape(made.shape)


def numbered(shape: tuple[int, ...]) -> Any:
    """The elements of an array of that shape, by their flat indices."""
    return np.arange(int(np.prod(shape))).reshape(shape)


def design_of(index: Any, weight: Any, shape: tuple[int, ...]) -> Design | None:
    """A design of values of that shape; None if what it is made of doesn't broadcast to it."""
    try:
        index, weight = (np.broadcast_to(one, shape).ravel() for one in (index, weight))
    except ValueError:
        return None
    return Design(index.astype(int), weight.astype(float))


def looked_up(draws: Any, design: Design, shape: tuple[int, ...]) -> Any:
    """What draws of a site, (draws, *its shape), add to the location of another of that shape."""
    rows = draws.reshape(len(draws), -1)
    return (design.weight * rows[:, design.index]).reshape(-1, *shape)


def levels(design: Design) -> int:
    """How many elements are seen."""
    return len(np.unique(design.index))


def met(one: Design, other: Design) -> int:
    """How many pairs of elements of two sites are seen together."""
    return len(np.unique(one.index * (int(other.index.max(initial=0)) + 1) + other.index))


def variance(draws: Any, steps: int = 0) -> float:
    """The typical variance of the elements of a site, of which there are (draws, *shape).

    If it is a random walk of so many `steps`, it is that of the steps. It is the median over
    draws, as the scale of a prior may be one of heavy tails; that of k squares of a normal is less
    than their mean.
    """
    if steps:
        draws = np.diff(draws, axis=-1, prepend=0.0)
    rows = draws.reshape(len(draws), -1)
    squares = ((rows - rows.mean(axis=0)) ** 2).mean(axis=1)
    return float(np.median(squares) / (1 - 2 / (9 * rows.shape[1])) ** 3) or 1.0
