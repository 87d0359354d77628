"""Is the map onto the support: does each base value give a value in it, and is each one reached?

A density tells nothing of values that no point came to, nor of those outside of the support: many
of NumPyro's distributions have one there as well. So the base site of one latent at a time is
sent far out, to both sides of each of its elements. Its values must stay in the support, and
unconstrained they must go on and on, in the direction in which they went in the middle: a smooth
map with an inverse around every value is onto, and has one inverse, just when it sends nothing that
is far out to what is not (Hadamard's global inverse function theorem).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from reparam_rewrite.verifying.determinant import SAME
from reparam_rewrite.verifying.points import Compared, Point
from reparam_rewrite.verifying.values import Line, different, ok, skipped

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
    own = {n for n in change.bases if n in change.kept or compared.is_real(n)} - {*change.moved}
    names = [n for n, span in change.spans.items() if n not in own and span.stop > span.start]
    if not names:
        return [skipped("each site is sampled in its own support")]
    if not points:
        return [skipped("no point to start from")]
    lines = [line for name in names for line in differences(name, compared, points[0])]
    return lines or [ok(f"each value in it is reached, and none outside, of {len(names)} sites")]


def differences(name: str, compared: Compared, start: Point) -> Iterator[Line]:
    """The first thing that is wrong with a site of the generated model, far out in its base, where
    all other sites are where they were.
    """
    change, span = compared.change, compared.change.spans[name]
    size = span.stop - span.start
    signs = np.random.default_rng([compared.options.seed, 7]).choice([-1.0, 1.0], size)
    own = np.eye(size) if size <= DENSE else signs[None]
    rows = np.zeros((len(own), change.dims + change.param_dims))
    rows[:, span] = own

    def there(values: Any) -> dict[str, Any]:
        u = start.u.copy()
        u[span] = values
        at = change.at(u, start.p, start.held, rows)
        return {**at, "along": at["along"][:, span], "v": at["v"][span], "blur": at["blur"][span]}

    middle = there(start.u[span])
    block = np.abs(middle["along"])
    if size <= DENSE:
        off = block - np.diag(np.diag(block))
        alone = bool(np.max(off, initial=0.0) <= SAME * np.max(block, initial=0.0))
    else:
        blocks = compared.blocks or []
        alone = any(b.name == name and not b.axes and not b.reflected for b in blocks)
    slope, side, _ = slopes(middle, signs, alone)
    for distance in (FAR,) if compared.is_real(name) else (NEAR, FARTHEST):
        # All elements, to both sides; where they mix, some of them by themselves too.
        ways = [distance * signs, -distance * signs]
        for one in np.eye(0 if alone else min(size, MIXED), size):
            ways += [start.u[span] + distance * one, start.u[span] - distance * one]
        ends = []
        for at in map(there, ways):
            if not np.any(np.isnan(at["values"][name])) and not at["supported"][name]:
                message = f"site {name!r} has values outside of its support where its base site is"
                yield different(name, f"{message} far out, at {distance:g}", OUTSIDE)
                return
            ends.append(slopes(at, signs, alone))
        if any(np.any(known & (np.abs(end) < STILL * np.abs(slope))) for end, _, known in ends):
            message = f"not every value of {name!r} can be reached: it stays where it is while its"
            yield different(name, f"{message} base site goes on, at {distance:g}", PART)
            return
        if any(np.any(known & (sign * side < 0)) for _, sign, known in ends):
            message = f"two values of its base site give {name!r} the same value"
            yield different(name, message, TURNS)
            return


def slopes(at: dict[str, Any], signs: Any, alone: bool) -> tuple[Any, Any, Any]:
    """How fast the values of a site move with its base site, to which side, and whether numbers
    show it: of each element if it moves `alone`, else of all as the least that any direction has.

    Next to the border of a support numbers don't show it.
    """
    along, square = at["along"], len(at["along"]) == len(signs)
    known = np.isfinite(at["v"]) & (at["blur"] <= 1e-3)
    if not np.isfinite(along).all():
        return 0.0, 0.0, np.array(False)
    if alone:
        slope = np.diag(along) if square else along[0] * signs
        return slope, np.sign(slope), known
    if not square:
        return np.linalg.norm(along, axis=1), 1.0, np.all(known)
    return np.linalg.svd(along, compute_uv=False)[-1], np.linalg.slogdet(along)[0], np.all(known)
