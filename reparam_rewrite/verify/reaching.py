"""Is the map onto the support: does each base value give a value in it, and is each one reached?

A density tells nothing of values that no point came to, nor of those outside of the support: many
of NumPyro's distributions have one there as well. So the base site of one latent at a time is
sent far out, to both sides of each of its elements. Its values must stay in the support, and
unconstrained they must go on and on, in the direction in which they went in the middle: a smooth
map that has an inverse everywhere is onto just when it leaves no bounded part for the far values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from reparam_rewrite.verify.change import Change
from reparam_rewrite.verify.determinant import SAME
from reparam_rewrite.verify.points import INITIAL, Compared, Evaluator, Point
from reparam_rewrite.verify.values import Line, Options, Pair

#: How far out a base site is sent: the first where its support is all real values, both where it
#: is less. The logistic function of 12 isn't 1 yet, that of 100 is.
FAR, NEAR, FARTHEST = 30.0, 12.0, 100.0

#: A slope that is less than this share of that in the middle has come to its end.
STILL = 1e-3

#: How many elements of a site that mix are sent out by themselves.
MIXED = 4

#: Up to how many values of a site their own derivatives are taken.
DENSE = 256

OUTSIDE = (
    "the support of its map is not that of its distribution: biject_to(support).inv must come "
    "first, with the bounds of this support"
)
PART = "its map has the support of another site, or is a transform whose values are only a part"


def reach_lines(compared: Compared) -> Iterator[Line]:
    change, evaluator, options = compared.change, compared.evaluator, compared.options
    if compared.outside:
        return
    usable = [p for p in compared.points if p.usable and p.determinant and p.number != INITIAL]
    pairs = [
        pair
        for pair in change.pairing.pairs
        if not (pair.base == pair.name and pair.name in change.real | change.kept)
        and change.spans[pair.name].stop > change.spans[pair.name].start
    ]
    if not usable or not pairs:
        message = "no point to start from" if pairs else "each site is sampled in its own support"
        yield Line(check="support", status="skipped", message=message)
        return
    wrong = False
    for pair in pairs:
        line = next(differences(pair, change, evaluator, usable[0], options), None)
        if line is not None:
            wrong = True
            yield line
    if not wrong:
        message = f"each value in it is reached, and none outside, of {len(pairs)} sites"
        yield Line(check="support", status="ok", message=message)


def differences(
    pair: Pair, change: Change, evaluator: Evaluator, start: Point, options: Options
) -> Iterator[Line]:
    look = Look(pair, change, evaluator, start, options.seed)
    name = pair.name
    for distance in (FAR,) if name in change.real else (NEAR, FARTHEST):
        ends = []
        for u in look.ways(distance):
            at = look.at(u)
            if not at["nan"][name] and not at["supported"][name]:
                message = (
                    f"site {name!r} has values outside of its support where its base site is far "
                    f"out, at {distance:g}"
                )
                yield different(name, message, OUTSIDE)
                return
            ends.append(look.slopes(at))
        for end in ends:
            if np.any(end.known & (np.abs(end.slope) < STILL * np.abs(look.middle.slope))):
                message = (
                    f"not every value of {name!r} can be reached: it stays where it is while its "
                    f"base site goes on, at {distance:g}"
                )
                yield different(name, message, PART)
                return
        if any(np.any(one.known & (one.sign * look.middle.sign < 0)) for one in ends):
            message = f"two values of its base site give {name!r} the same value"
            yield different(name, message, "its map turns round somewhere: it has no inverse")
            return


def different(site: str, message: str, cause: str) -> Line:
    return Line(check="support", status="different", site=site, message=message, cause=cause)


class Slopes:
    """How fast the values of a site move with its base site: of each element by itself, or of all
    as the least that any direction has.

    known: whether numbers show it. Next to the border of a support they don't.
    """

    def __init__(self, slope: Any, sign: Any, known: Any) -> None:
        self.slope, self.sign, self.known = slope, sign, known & np.isfinite(slope)


class Look:
    """One site of the generated model, far out in its base, all other sites where they were."""

    def __init__(
        self, pair: Pair, change: Change, evaluator: Evaluator, start: Point, seed: int
    ) -> None:
        self.change, self.evaluator, self.start = change, evaluator, start
        self.span = change.spans[pair.name]
        size = self.span.stop - self.span.start
        rng = np.random.default_rng([seed, 7])
        self.signs = rng.choice([-1.0, 1.0], size)
        self.dense = size <= DENSE
        own = np.eye(size) if self.dense else self.signs[None]
        self.rows = np.zeros((len(own), change.dims))
        self.rows[:, self.span] = own
        self.size = size
        at = self.at(self.start.u)
        self.diagonal = self.mixes_nothing(at, pair)
        self.middle = self.slopes(at)

    def ways(self, distance: float) -> Iterator[Any]:
        """All elements far out, to both sides; where they mix, some of them by themselves too."""
        far = [distance * self.signs, -distance * self.signs]
        if not self.diagonal:
            middle = self.start.u[self.span]
            for at in range(min(self.size, MIXED)):
                far += [middle + way * np.eye(1, self.size, at)[0] for way in (distance, -distance)]
        for values in far:
            u = np.array(self.start.u)
            u[self.span] = values
            yield u

    def at(self, u: Any) -> dict[str, Any]:
        return self.change.at(u, self.start.p, self.rows, held=self.start.held)

    def mixes_nothing(self, at: dict[str, Any], pair: Pair) -> bool:
        if self.dense:
            block = at["along"][:, self.span]
            off = np.abs(block - np.diag(np.diag(block)))
            return bool(np.max(off, initial=0.0) <= SAME * np.max(np.abs(block), initial=0.0))
        blocks = self.evaluator.blocks or []
        return any(block.name == pair.name and not block.axes for block in blocks)

    def slopes(self, at: dict[str, Any]) -> Slopes:
        along, blur = at["along"][:, self.span], at["blur"][self.span]
        known = np.isfinite(at["v"][self.span]) & (blur <= 1e-3)
        if not np.isfinite(along).all():
            return Slopes(np.full(1, np.nan), np.zeros(1), np.zeros(1, bool))
        if self.diagonal and self.dense:
            slope = np.diag(along)
            return Slopes(slope, np.sign(slope), known)
        if self.diagonal:
            slope = along[0] * self.signs
            return Slopes(slope, np.sign(slope), known)
        if self.dense:
            least = np.linalg.svd(along, compute_uv=False)[-1:]
            sign = np.linalg.slogdet(along)[0] if along.shape[0] == along.shape[1] else 1.0
            return Slopes(least, np.array([sign]), np.array([np.all(known)]))
        return Slopes(np.linalg.norm(along, axis=1), np.ones(1), np.array([np.all(known)]))
