"""The arrays of conditional coordinates for full tables, whose axes can be rotated.

Along an axis whose rows are exchangeable, in the data and in the priors, the mean of the rows and
their contrasts have nothing to do with each other, and all contrasts are alike. With all such axes
rotated so, the precision falls apart into strata: for each set of axes, the contrasts along these
and the means along the others, in which the effects count that have all of the set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from reparam_rewrite.fitting.elimination import root
from reparam_rewrite.fitting.layout import Data, Sizes, shapes
from reparam_rewrite.fitting.values import Array
from reparam_rewrite.running.designs import Probe

#: How many elements there may be.
LARGEST = 6_000

#: What counts as equal, beside the greatest of the numbers.
CLOSE = 1e-9

#: The dimension of each site's value that is one axis.
Axis = Mapping[str, int]


class Strata(NamedTuple):
    """What is rotated, and the effects' elements that each stratum has once, by "01" and the like.

    The sign is 1 for the contrasts of an axis. grams: (parts, k, k).
    """

    axes: Sequence[Axis]
    grams: Mapping[str, Array]

    @property
    def largest(self) -> int:
        return max(int(gram.shape[-1]) for gram in self.grams.values())


def strata_of(probe: Probe, data: Sequence[Data]) -> Strata | None:
    """The strata of all axes that can be rotated; None if there are none."""
    if sum(map(probe.size, probe.order)) > LARGEST:
        return None
    axes: list[Axis] = []
    for axis in axes_of(probe, data):
        if decoupled(probe, data, [*axes, axis]):
            axes.append(axis)
    found = decoupled(probe, data, axes) if axes else None
    return Strata(axes, found) if found else None


def rotated(
    probe: Probe, data: Sequence[Data], given: Sequence[str], strata: Strata
) -> tuple[dict[str, Any], Sizes]:
    """The arrays of the rotated form; h and the given ones' are those of rotated elements."""
    arrays: dict[str, Any] = shapes(probe)
    for name in probe.order:
        arrays[f"axes.{name}"] = np.array([axis.get(name, -1) for axis in strata.axes], np.int64)
    arrays["h"] = np.stack([turned_rows(probe, of.pull, strata.axes) for of in data])
    for name in given:
        all_of = [turned_rows(probe, of.given[name].toarray(), strata.axes) for of in data]
        arrays[f"given.{name}"] = np.stack(all_of)
    arrays |= {f"strata.{key}": gram for key, gram in strata.grams.items()}
    nonzero = sum(gram.size for gram in strata.grams.values())
    return arrays, Sizes(strata.largest, 0, 0, nonzero)


def axes_of(probe: Probe, data: Sequence[Data]) -> Iterator[Axis]:
    """The dimensions that may be axes: those of different sites that meet aren't full tables."""
    gram = csr_array(sum(abs(of.gram) for of in data))
    span = spans(probe)
    alike = [(name, dim) for name in probe.order for dim in alike_dims(probe, name)]
    classes = [{one} for one in alike]
    for at, (name, dim) in enumerate(alike):
        for other, its in alike[:at]:
            n = probe.shapes[name][dim]
            if other == name or n != probe.shapes[other][its]:
                continue
            block = csr_array(gram[span[name]][:, span[other]])
            met = picked(probe, name, dim).T @ block @ picked(probe, other, its)
            if np.ptp(met.toarray()) > CLOSE * abs(met).max():
                one = next(of for of in classes if (name, dim) in of)
                two = next(of for of in classes if (other, its) in of)
                if one is not two:
                    classes.remove(two)
                    one |= two
    for found in classes:
        axis = dict(found)
        if len(axis) == len(found):
            yield axis


def alike_dims(probe: Probe, name: str) -> list[int]:
    """The dimensions of a site's value whose rows have one scale, wherever that is."""
    shape = probe.shapes[name]
    columns = probe.columns[name]
    rows = shape[: len(shape) - (columns > 1)]
    kept = {dim for dim, size in enumerate(rows) if size > 1}
    for point in (probe.typical, probe.another):
        scale = np.asarray(root(probe.run(point)[0][name]["fn"]))
        scale = scale.reshape((*rows, *scale.shape[1:]))
        kept = {dim for dim in kept if np.ptp(scale, axis=dim).max() <= CLOSE * abs(scale).max()}
    return sorted(kept)


def picked(probe: Probe, name: str, dim: int) -> Any:
    """Which row of an axis each element of a site is in: (elements, rows)."""
    rows = np.indices(probe.shapes[name])[dim].ravel()
    shape = len(rows), probe.shapes[name][dim]
    return csr_array((np.ones(len(rows)), (np.arange(len(rows)), rows)), shape)


def spans(probe: Probe) -> dict[str, slice]:
    ends = np.cumsum([probe.size(name) for name in probe.order])
    parts = zip(probe.order, ends, strict=True)
    return {name: slice(end - probe.size(name), end) for name, end in parts}


def turned(x: Array, axis: int) -> Array:
    """Reflected along an axis: the first is the sum by sqrt(n), and the others are contrasts."""
    n = x.shape[axis]
    w = np.eye(1, n)[0] - n**-0.5
    x = np.moveaxis(x, axis, -1)
    return np.moveaxis(x - (x @ w)[..., None] * w / (1 - n**-0.5), -1, axis)


def turned_rows(probe: Probe, x: Array, axes: Sequence[Axis]) -> Array:
    """The elements of all effects along the first axis, rotated."""
    parts = []
    for name, own in spans(probe).items():
        part = x[own].reshape((*probe.shapes[name], *x.shape[1:]))
        for axis in axes:
            part = turned(part, axis[name]) if name in axis else part
        parts.append(part.reshape(-1, *x.shape[1:]))
    return np.concatenate(parts)


def decoupled(probe: Probe, data: Sequence[Data], axes: Sequence[Axis]) -> dict[str, Array] | None:
    """The Gram matrices of the strata; None if rotated elements of several of them meet."""
    grams: dict[str, list[Array]] = {}
    for of in data:
        gram = turned_rows(probe, of.gram.toarray(), axes)
        gram = turned_rows(probe, gram.T, axes)
        expected = np.zeros_like(gram)
        for stratum in product((0, 1), repeat=len(axes)):
            rows = rows_in(probe, axes, stratum)
            if not rows.size:
                continue
            own = gram[np.ix_(rows[0], rows[0])]
            for each in rows:
                expected[np.ix_(each, each)] = own
            grams.setdefault("".join(map(str, stratum)), []).append(own)
        if abs(gram - expected).max() > CLOSE * abs(gram).max():
            return None
    return {key: np.stack(parts) for key, parts in grams.items()}


def rows_in(probe: Probe, axes: Sequence[Axis], stratum: Sequence[int]) -> Array:
    """The elements that are in a stratum, of all effects: (contrasts, k)."""
    found = []
    for name, own in spans(probe).items():
        if any(contrast and name not in axis for axis, contrast in zip(axes, stratum, strict=True)):
            continue
        dims = [axis[name] for axis in axes if name in axis]
        signs = [one for axis, one in zip(axes, stratum, strict=True) if name in axis]
        number = np.arange(own.start, own.stop).reshape(probe.shapes[name])
        number = np.moveaxis(number, dims, range(len(dims)))
        number = number[tuple(slice(1, None) if one else 0 for one in signs)]
        count = int(np.prod(number.shape[: sum(signs)], dtype=int))
        found.append(number.reshape(count, -1))
    return np.concatenate(found, 1) if found else np.zeros((0, 0), int)
