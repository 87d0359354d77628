"""Why the log density of a site may differ: what most often makes such a difference.

It is told from what was computed where the difference is largest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from reparam_rewrite.verify.change import Change
from reparam_rewrite.verify.points import Point

OTHER = "its distribution, or a value that it is computed from, is another one"

#: The gap of a site in shares of its own log|det|, and how that comes about.
OF_VOLUME = {
    1: "log|det| of its map is counted twice",
    -1: "log|det| of its map is not counted",
    -2: "log|det| of its map has the wrong sign",
}


def cause_of(name: str, change: Change, points: Sequence[Point], worst: Point) -> str:
    """The cause of the gaps of a site: its volume, its arguments, its kind or a constant."""
    gaps = [point.gaps[name] for point in points]
    own = np.array([point.log_det(name) for point in points])
    if np.max(np.abs(own), initial=0.0) > 1e-6:
        for times, words in OF_VOLUME.items():
            if np.allclose(gaps, times * own):
                return words
    old, new = worst.at["arguments"].get(name, ({}, {}))
    kinds = change.kinds.get(name, (object, object, object))
    moved = worst.at["moved"].get(name)
    direct = moved and kinds[0] is kinds[2] and "loc" in old
    if direct and (words := other_offset(moved, new["loc"] - old["loc"])):
        return words
    if said := [text for key in old if (text := unlike(key, old[key], new.get(key)))]:
        return f"in its {kinds[0].__name__}, {' and '.join(said)}"
    if kinds[0].__name__ != kinds[1].__name__:
        return f"its distribution is {kinds[1].__name__}, it was {kinds[0].__name__}"
    if len(gaps) > 1 and np.allclose(gaps, gaps[0], rtol=1e-6):
        return "the same everywhere: a constant of its density, or a scale"
    return OTHER


def other_offset(moved: Any, by_prior: Any) -> str:
    """``z_base ~ Normal(z_prev + offset, s)`` and another offset in ``z = z_base - offset``."""
    base, child = moved
    if np.shape(base) != np.shape(child):
        return ""
    by_value = base - child
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


def unlike(key: str, old: Any, new: Any) -> str:
    """``scale is 9, it was 10``, or how far apart two arrays are; "" if they are alike."""
    if new is None:
        return f"{key} is missing"
    one, other = np.asarray(old), np.asarray(new)
    if one.shape != other.shape:
        return f"{key} has shape {other.shape}, it was {one.shape}"
    if np.allclose(one, other, equal_nan=True):
        return ""
    if all(np.ptp(array) == 0 for array in (one, other)):
        return f"{key} is {other.flat[0]:.6g}, it was {one.flat[0]:.6g}"
    return f"{key} differs by up to {np.max(np.abs(other - one)):.3g}"
