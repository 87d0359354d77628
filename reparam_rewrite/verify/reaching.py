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

from reparam_rewrite.running.trace import is_real
from reparam_rewrite.verify.determinant import SAME
from reparam_rewrite.verify.points import Compared, Point
from reparam_rewrite.verify.values import Line, different, ok, skipped

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
TURNS = "its map turns round somewhere: it has no inverse"


def reach_lines(compared: Compared) -> list[Line]:
    """What is wrong with each site that is sampled as another one, or in another support."""
    change = compared.change
    if compared.outside:
        return []
    points = [point for point in compared.random_points() if point.determinant]
    names = [
        name
        for name, span in change.spans.items()
        if name in change.moved
        or not (name in change.kept or is_real(compared.plain[name]["fn"].support))
        if span.stop > span.start
    ]
    if not names:
        return [skipped("each site is sampled in its own support")]
    if not points:
        return [skipped("no point to start from")]
    lines = [line for name in names for line in Look(name, compared, points[0]).differences()]
    return lines or [ok(f"each value in it is reached, and none outside, of {len(names)} sites")]


Slopes = tuple[Any, Any, Any]
"""How fast the values of a site move with its base site, to which side, and whether numbers show
it: of each element by itself, or of all as the least that any direction has.

Next to the border of a support numbers don't show it.
"""


class Look:
    """One site of the generated model, far out in its base, all other sites where they were."""

    def __init__(self, name: str, compared: Compared, start: Point) -> None:
        self.name, self.change, self.start = name, compared.change, start
        self.distances = (FAR,) if is_real(compared.plain[name]["fn"].support) else (NEAR, FARTHEST)
        self.span = self.change.spans[name]
        self.size = self.span.stop - self.span.start
        self.signs = np.random.default_rng([compared.options.seed, 7]).choice(
            [-1.0, 1.0], self.size
        )
        self.dense = self.size <= DENSE
        own = np.eye(self.size) if self.dense else self.signs[None]
        self.rows = np.zeros((len(own), self.change.dims + self.change.param_dims))
        self.rows[:, self.span] = own
        at = self.at(start.u[self.span])
        #: Whether each element moves by itself.
        self.diagonal = any(b.name == name and not b.axes for b in compared.blocks or [])
        if self.dense:
            block = at["along"][:, self.span]
            off = np.abs(block - np.diag(np.diag(block)))
            least = SAME * np.max(np.abs(block), initial=0.0)
            self.diagonal = bool(np.max(off, initial=0.0) <= least)
        self.middle = self.slopes(at)

    def at(self, values: Any) -> dict[str, Any]:
        u = np.array(self.start.u)
        u[self.span] = values
        return self.change.at(u, self.start.p, self.start.held, self.rows)

    def differences(self) -> Iterator[Line]:
        """The first thing that is wrong far out."""
        name = self.name
        middle, side, _ = self.middle
        for distance in self.distances:
            ends = []
            for values in self.ways(distance):
                at = self.at(values)
                if not np.any(np.isnan(at["values"][name])) and not at["supported"][name]:
                    message = f"site {name!r} has values outside of its support where its base site"
                    yield different(name, f"{message} is far out, at {distance:g}", OUTSIDE)
                    return
                ends.append(self.slopes(at))
            least = STILL * np.abs(middle)
            if any(np.any(known & (np.abs(slope) < least)) for slope, _, known in ends):
                message = f"not every value of {name!r} can be reached: it stays where it is while"
                yield different(name, f"{message} its base site goes on, at {distance:g}", PART)
                return
            if any(np.any(known & (sign * side < 0)) for _, sign, known in ends):
                message = f"two values of its base site give {name!r} the same value"
                yield different(name, message, TURNS)
                return

    def ways(self, distance: float) -> Iterator[Any]:
        """All elements far out, to both sides; where they mix, some of them by themselves too."""
        yield from (distance * self.signs, -distance * self.signs)
        for at in range(0 if self.diagonal else min(self.size, MIXED)):
            for way in (distance, -distance):
                yield self.start.u[self.span] + way * np.eye(1, self.size, at)[0]

    def slopes(self, at: dict[str, Any]) -> Slopes:
        along, blur = at["along"][:, self.span], at["blur"][self.span]
        known = np.isfinite(at["v"][self.span]) & (blur <= 1e-3)
        if not np.isfinite(along).all():
            return np.zeros(1), np.zeros(1), np.zeros(1, bool)
        if self.diagonal:
            slope = np.diag(along) if self.dense else along[0] * self.signs
            return slope, np.sign(slope), known
        if not self.dense:
            return np.linalg.norm(along, axis=1), np.ones(1), np.all(known)
        least = np.linalg.svd(along, compute_uv=False)[-1]
        return least, np.linalg.slogdet(along)[0], np.all(known)
