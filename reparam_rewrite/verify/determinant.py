"""log|det dv/du| from derivatives along a few directions, where all of them would be too many.

The sites of a model are sampled one after another, and what a child is moved by was sampled
before it. In that order dv/du is block triangular, and its determinant is the product of those
of each site's own block. A block is diagonal where a site is moved element by element: two
directions show that, and give it. In a basis the elements of one axis mix: as many directions
as the axis is long give the blocks of all the other axes' elements at once.

Nothing of that is taken for granted. Each block is multiplied with a random vector and compared
with the derivative along it, and what each site depends on is read off those derivatives:
`Unknown` is raised where the determinant would be a guess.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from msgspec import Struct

Along = Callable[[Any], Any]
"""From directions in u, one a row, to the derivatives of v along them."""

SAME = 1e-9


class Unknown(Exception):
    """The determinant can't be told; `site` is where, the message a clause."""

    def __init__(self, site: str, message: str) -> None:
        super().__init__(message)
        self.site = site


class Singular(Unknown):
    """There is none: the map has no inverse."""


class Determinant(Struct, frozen=True):
    """log|det| of the whole map, and of each site's own block."""

    total: float
    by_site: Mapping[str, float]


class Block(Struct, frozen=True):
    """A site's block: elements mix along `axes` of `shape` only, along none if it is diagonal."""

    name: str
    span: slice
    shape: tuple[int, ...]
    axes: tuple[int, ...]

    @property
    def rows(self) -> int:
        return math.prod(self.shape[axis] for axis in self.axes)


def dense(jacobian: Any, spans: Mapping[str, slice]) -> Determinant:
    """From the whole jacobian, [v, u]. Raises `Singular`."""
    own = {name: log_det(name, jacobian[span, span]) for name, span in spans.items()}
    if not len(jacobian):
        return Determinant(0.0, {})
    with np.errstate(all="ignore"):
        total = np.linalg.slogdet(jacobian)[1]
    return Determinant(float(total), own)


def log_det(name: str, block: Any) -> float:
    if not np.isfinite(block).all():
        raise Unknown(name, "the change of variables has derivatives that are not finite")
    with np.errstate(all="ignore"):
        sign, value = np.linalg.slogdet(block) if block.size else (1.0, 0.0)
    if not np.all(sign) or not np.all(np.isfinite(value)):
        raise Singular(name, "the change of variables is singular")
    return float(np.sum(value))


def blocks(
    along: Along, spans: Mapping[str, slice], shapes: Mapping[str, tuple[int, ...]], limit: int
) -> list[Block]:
    """How the elements of each site mix, from what single elements and random vectors do.

    Raises `Unknown` for a site of which more than `limit` elements mix.
    """
    names = [name for name, span in spans.items() if span.stop > span.start]
    dims = max((span.stop for span in spans.values()), default=0)
    rng = np.random.default_rng(0)
    rows = []
    for name in names:
        size = spans[name].stop - spans[name].start
        rows += [padded(np.ones(size), spans[name], dims)]
        for at in rng.integers(size, size=3):
            rows.append(padded(np.eye(1, size, at)[0], spans[name], dims))
    found = along(np.array(rows).reshape(len(rows), dims))
    made = []
    for index, name in enumerate(names):
        some = found[4 * index + 1 : 4 * index + 4, spans[name]].reshape(-1, *shapes[name])
        starts = np.array(rows[4 * index + 1 : 4 * index + 4])[:, spans[name]]
        axes = mixed_axes(some, starts.reshape(-1, *shapes[name]))
        block = Block(name, spans[name], shapes[name], axes)
        if block.rows > limit:
            message = f"{block.rows} elements of the site mix, more than {limit}"
            raise Unknown(name, message)
        made.append(block)
    return made


def mixed_axes(reached: Any, started: Any) -> tuple[int, ...]:
    """The axes along which a single element reaches others."""
    axes = set()
    for there, here in zip(reached, started, strict=True):
        start = np.argwhere(here)[0]
        for place in np.argwhere(np.abs(there) > SAME * np.max(np.abs(there), initial=0.0)):
            axes.update(np.flatnonzero(place != start).tolist())
    return tuple(sorted(axes))


def blockwise(along: Along, made: list[Block]) -> Determinant:
    """From each block's own directions at one point. Raises `Unknown`."""
    dims = max((block.span.stop for block in made), default=0)
    rows: list[Any] = []
    starts = []
    rng = np.random.default_rng(1)
    for block in made:
        starts.append(len(rows))
        rows += [padded(row.ravel(), block.span, dims) for row in directions(block)]
        rows.append(padded(rng.normal(size=math.prod(block.shape)), block.span, dims))
    found = along(np.array(rows).reshape(len(rows), dims))
    by_site, reaches = {}, {}
    for block, start in zip(made, starts, strict=True):
        own = found[start : start + block.rows, block.span]
        check, at = found[start + block.rows], rows[start + block.rows][block.span]
        matrices = as_matrices(own, block)
        by_site[block.name] = log_det(block.name, matrices)
        predicted = applied(matrices, at, block)
        size = np.max(np.abs(predicted), initial=1.0)
        if not np.allclose(predicted, check[block.span], rtol=SAME, atol=SAME * size):
            raise Unknown(block.name, "its elements mix in a way that is none of axes")
        reaches[block.name] = {
            other.name
            for other in made
            if other.name != block.name and np.any(np.abs(check[other.span]) > SAME * size)
        }
    if cycle := cyclic(reaches):
        raise Unknown(cycle[0], f"{' and '.join(cycle)} depend on each other")
    return Determinant(sum(by_site.values()), by_site)


class Inverse:
    """The inverse of the map's derivative at one point, from its blocks: [v] to [u].

    `own` solves each block by itself; `of` goes on until the whole is solved, in one step for
    each site of a chain.
    """

    def __init__(self, along: Along, made: list[Block]) -> None:
        self.along, self.made = along, made
        self.dims = max((block.span.stop for block in made), default=0)
        rows = [padded(row.ravel(), b.span, self.dims) for b in made for row in directions(b)]
        found = along(np.array(rows).reshape(len(rows), self.dims))
        start, self.inverses = 0, []
        for block in made:
            some = found[start : start + block.rows, block.span]
            start += block.rows
            self.inverses.append(np.linalg.pinv(as_matrices(some, block)))

    def own(self, wanted: Any) -> Any:
        solution = np.zeros(self.dims)
        for block, inverse in zip(self.made, self.inverses, strict=True):
            solution[block.span] = applied(inverse, wanted[block.span], block)
        return solution

    def of(self, wanted: Any) -> Any:
        solution, left = np.zeros(self.dims), wanted
        for _ in range(len(self.made) + 1):
            solution = solution + self.own(left)
            left = wanted - self.along(solution[None])[0]
            if np.max(np.abs(left), initial=0.0) < SAME:
                break
        return solution


def padded(part: Any, span: slice, dims: int) -> Any:
    row = np.zeros(dims)
    row[span] = part
    return row


def directions(block: Block) -> Any:
    """Of each place along the mixing axes, that place in all the others at once."""
    sizes = tuple(n if axis in block.axes else 1 for axis, n in enumerate(block.shape))
    rows = np.eye(block.rows).reshape(block.rows, *sizes)
    return np.broadcast_to(rows, (block.rows, *block.shape))


def as_matrices(own: Any, block: Block) -> Any:
    """[other elements, v, u] from the derivatives along `directions`."""
    found = own.reshape(block.rows, *block.shape)
    mixing = [axis + 1 for axis in block.axes]
    others = [axis for axis in range(1, found.ndim) if axis not in mixing]
    return found.transpose(*others, *mixing, 0).reshape(-1, block.rows, block.rows)


def applied(matrices: Any, vector: Any, block: Block) -> Any:
    """What the blocks make of a vector, flat."""
    others = [axis for axis in range(len(block.shape)) if axis not in block.axes]
    order = (*others, *block.axes)
    moved = vector.reshape(block.shape).transpose(order)
    made = matrices @ moved.reshape(-1, block.rows, 1)
    back = np.argsort(order) if order else ()
    return made.reshape(moved.shape).transpose(back).ravel()


def cyclic(reaches: Mapping[str, set[str]]) -> list[str]:
    """Sites that reach each other, if there are any: what is left when the others are taken out."""
    left = {name: set(others) for name, others in reaches.items()}
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    return list(left)
