"""The usual cause of a difference, from what was computed where it is largest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from reparam_rewrite.verify.change import Change
from reparam_rewrite.verify.points import Point


def cause_of(name: str, change: Change, points: Sequence[Point], worst: Point) -> str:
    """Why the term of a site may differ: another distribution, its volume, or its scale."""
    for explain in (counted_volume, signs, other_arguments, other_kind, constant):
        if cause := explain(name, change, points, worst):
            return cause
    return "its distribution, or a value that it is computed from, is another one"


def counted_volume(name: str, change: Change, points: Sequence[Point], worst: Point) -> str:
    """The gap is the site's own log|det|, once or twice, at every point."""
    for times, words in (
        (1, "log|det| of its map is counted twice"),
        (-1, "log|det| of its map is not counted"),
        (-2, "log|det| of its map has the wrong sign"),
    ):
        own = [p.determinant.by_site.get(name, 0.0) if p.determinant else 0.0 for p in points]
        gaps = [p.gaps[name] for p in points]
        if np.max(np.abs(own), initial=0.0) > 1e-6 and np.allclose(gaps, np.multiply(times, own)):
            return words
    return ""


def other_kind(name: str, change: Change, points: Sequence[Point], worst: Point) -> str:
    old, new = change.kinds.get(name, ("", ""))
    return f"its distribution is {new}, it was {old}" if old != new else ""


def other_arguments(name: str, change: Change, points: Sequence[Point], worst: Point) -> str:
    old, new = worst.at["arguments"].get(name, ({}, {}))
    said = []
    for key, value in old.items():
        other = new.get(key)
        if other is None or not same(value, other):
            said.append(f"{key} is {brief(other)}, it was {brief(value)}")
    return f"in its {change.kinds[name][0]}, {' and '.join(said)}" if said else ""


def signs(name: str, change: Change, points: Sequence[Point], worst: Point) -> str:
    """A base site whose prior moves one way and whose child the other."""
    old, new = worst.at["arguments"].get(name, ({}, {}))
    if name not in worst.at["moved"] or "loc" not in old or "loc" not in new:
        return ""
    base, child = worst.at["moved"][name]
    if np.shape(base) != np.shape(child):
        return ""
    by_prior, by_value = new["loc"] - old["loc"], base - child
    if np.allclose(by_prior, -by_value) and not np.allclose(by_value, 0):
        return "the offset of its prior and that of its value have different signs"
    if not np.allclose(by_prior, by_value) and not np.allclose(by_value, 0):
        if np.allclose(by_prior, 0):
            return "its value is offset and its prior is not, or the other way round"
    return ""


def constant(name: str, change: Change, points: Sequence[Point], worst: Point) -> str:
    gaps = [point.gaps[name] for point in points]
    if len(gaps) > 1 and np.allclose(gaps, gaps[0], rtol=1e-6):
        return "the same everywhere: a constant of its density, or a scale"
    return ""


def same(one: Any, other: Any) -> bool:
    return bool(np.shape(one) == np.shape(other) and np.allclose(one, other, equal_nan=True))


def brief(value: Any) -> str:
    if value is None:
        return "missing"
    array = np.asarray(value)
    return f"{array.flat[0]:.6g}" if array.size and np.ptp(array) == 0 else f"of shape {array.shape}" if array.size > 4 else np.array2string(array, precision=4)
