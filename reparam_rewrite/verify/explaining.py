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
            said.append(unlike(key, value, other))
    return f"in its {change.kinds[name][0]}, {' and '.join(said)}" if said else ""


def signs(name: str, change: Change, points: Sequence[Point], worst: Point) -> str:
    """``z_base ~ Normal(z_prev + offset, s)`` and another offset in ``z = z_base - offset``."""
    old, new = worst.at["arguments"].get(name, ({}, {}))
    if name not in worst.at["moved"] or name not in change.direct or "loc" not in old:
        return ""
    base, child = worst.at["moved"][name]
    if np.shape(base) != np.shape(child):
        return ""
    by_prior, by_value = new["loc"] - old["loc"], base - child
    if np.allclose(by_prior, by_value):
        return ""
    if np.allclose(by_prior, -by_value):
        return "the offset of its prior and that of its value have different signs"
    if np.allclose(by_prior, 0):
        return "its value is offset and its prior is not"
    if np.allclose(by_value, 0):
        return "its prior is offset and its value is not"
    gap = np.max(np.abs(by_prior - by_value))
    return f"the offset of its prior and that of its value differ, by up to {gap:.3g}"


def constant(name: str, change: Change, points: Sequence[Point], worst: Point) -> str:
    gaps = [point.gaps[name] for point in points]
    if len(gaps) > 1 and np.allclose(gaps, gaps[0], rtol=1e-6):
        return "the same everywhere: a constant of its density, or a scale"
    return ""


def same(one: Any, other: Any) -> bool:
    return bool(np.shape(one) == np.shape(other) and np.allclose(one, other, equal_nan=True))


def unlike(key: str, old: Any, new: Any) -> str:
    """``scale is 9, it was 10``, or how far apart two arrays are."""
    if new is None:
        return f"{key} is missing"
    one, other = np.asarray(old), np.asarray(new)
    if one.shape != other.shape:
        return f"{key} has shape {other.shape}, it was {one.shape}"
    if all(array.size and np.ptp(array) == 0 for array in (one, other)):
        return f"{key} is {other.flat[0]:.6g}, it was {one.flat[0]:.6g}"
    return f"{key} differs by up to {np.max(np.abs(other - one)):.3g}"
