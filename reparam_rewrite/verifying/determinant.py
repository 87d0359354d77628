"""log|det dv/du| from derivatives along a few directions, where all of them would be too many.

The sites of a model are sampled one after another, and what a child is moved by was sampled
before it. In that order dv/du is block triangular, and its determinant is the product of those
of each site's own block. A block is diagonal where a site is moved element by element: one
direction gives it. In a basis the elements of one axis mix: as many directions as the axis is
long give the blocks of all the other axes' elements at once. Where a base has the mean of groups
that are alike first and then their contrasts, a reflection of v takes its elements apart again.

Nothing of that is taken for granted. Each block is multiplied with a random vector and compared
with the derivative along it, and what each site depends on is read off those derivatives:
`Unknown` is raised where the determinant would be a guess.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

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


class Determinant(NamedTuple):
    """log|det| of the whole map, and of each site's own block."""

    total: float
    by_site: Mapping[str, float]


class Block(NamedTuple):
    """A site's block: elements mix along `axes` of `shape` only, along none if it is diagonal.

    That is so once its v is reflected along the axes in `reflected`.
    """

    name: str
    span: slice
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    reflected: tuple[int, ...] = ()

    @property
    def rows(self) -> int:
        """How many elements mix."""
        return math.prod(self.shape[axis] for axis in self.axes)

    @property
    def order(self) -> tuple[int, ...]:
        """The axes, those that mix last."""
        return (*(axis for axis in range(len(self.shape)) if axis not in self.axes), *self.axes)

    def directions(self) -> Any:
        """Of each place along the mixing axes, that place in all the others at once."""
        sizes = (n if axis in self.axes else 1 for axis, n in enumerate(self.shape))
        rows = np.eye(self.rows).reshape(self.rows, *sizes)
        return np.broadcast_to(rows, (self.rows, *self.shape)).reshape(self.rows, -1)

    def matrices(self, found: Any) -> Any:
        """[other elements, v, u] from the derivatives along `directions`."""
        own = self.reflection(found[:, self.span])
        order = [axis + 1 for axis in self.order]
        return own.transpose(*order, 0).reshape(-1, self.rows, self.rows)

    def applied(self, matrices: Any, vector: Any) -> Any:
        """What the matrices make of a vector, flat, before it is reflected."""
        moved = vector.reshape(self.shape).transpose(self.order)
        made = matrices @ moved.reshape(-1, self.rows, 1)
        back = np.argsort(self.order) if self.order else ()
        return made.reshape(moved.shape).transpose(back).ravel()

    def reflection(self, values: Any) -> Any:
        """[row, *shape] of rows of v: what is first along each axis becomes its mean times sqrt(n).

        These are Householder's reflections: each is its own inverse, of determinant -1.
        """
        values = np.reshape(values, (-1, *self.shape))
        for axis in self.reflected:
            n, last = self.shape[axis], np.moveaxis(values, axis + 1, -1)
            w = np.eye(1, n)[0] - n**-0.5
            values = np.moveaxis(last - (last @ w)[..., None] * w / (1 - n**-0.5), -1, axis + 1)
        return values


def dense(jacobian: Any, spans: Mapping[str, slice]) -> Determinant:
    """From the whole jacobian, [v, u].

    Raises `Unknown` for the first site whose block isn't finite, `Singular` if it has no inverse.
    """
    own = {name: log_det(name, jacobian[span, span]) for name, span in spans.items()}
    with np.errstate(all="ignore"):
        return Determinant(float(np.linalg.slogdet(jacobian)[1]) if len(jacobian) else 0.0, own)


def log_det(name: str, matrices: Any) -> float:
    if not np.isfinite(matrices).all():
        raise Unknown(name, "the change of variables has derivatives that are not finite")
    with np.errstate(all="ignore"):
        sign, value = np.linalg.slogdet(matrices) if matrices.size else (1.0, 0.0)
    if not np.all(sign) or not np.all(np.isfinite(value)):
        raise Singular(name, "the change of variables is singular")
    return float(np.sum(value))


def along_each(along: Along, directions: Iterable[tuple[slice, Any]]) -> list[Any]:
    """The derivatives along directions that move one site each: by site an array of rows."""
    own = list(directions)
    counts = [len(rows) for _, rows in own]
    made = np.zeros((sum(counts), max((span.stop for span, _ in own), default=0)))
    ends = np.cumsum(counts)
    for (span, rows), end in zip(own, ends, strict=True):
        made[end - len(rows) : end, span] = rows
    return np.split(along(made), ends[:-1])


def blocks(
    along: Along, spans: Mapping[str, slice], shapes: Mapping[str, tuple[int, ...]], limit: int
) -> list[Block]:
    """How the elements of each site mix, from what some of its single elements reach.

    Raises `Unknown` for a site of which more than `limit` elements mix.
    """
    own = [Block(n, span, shapes[n], ()) for n, span in spans.items() if span.stop > span.start]
    plain = mixing(along, own)
    apart = mixing(along, [block._replace(reflected=block.axes) for block in plain])
    made = [min(two, key=lambda block: block.rows) for two in zip(plain, apart, strict=True)]
    for block in made:
        if block.rows > limit:
            raise Unknown(block.name, f"{block.rows} elements of the site mix, more than {limit}")
    return made


def mixing(along: Along, own: Sequence[Block]) -> list[Block]:
    """The blocks with the axes along which three single elements of each reach others."""
    rng = np.random.default_rng(0)
    starts = [rng.integers(math.prod(block.shape), size=3) for block in own]
    pairs = list(zip(own, starts, strict=True))
    found = along_each(
        along, ((b.span, at[:, None] == np.arange(math.prod(b.shape))) for b, at in pairs)
    )
    made = []
    for (block, at), derivatives in zip(pairs, found, strict=True):
        reached_by = np.abs(block.reflection(derivatives[:, block.span])).reshape(len(at), -1)
        axes: set[int] = set()
        for start, there in zip(at, reached_by, strict=True):
            reached = np.flatnonzero(there > SAME * np.max(there, initial=0.0))
            places = np.array(np.unravel_index([start, *reached], (*block.shape, 1)))
            axes.update(np.flatnonzero(np.any(places != places[:, :1], axis=1)).tolist())
        made.append(block._replace(axes=tuple(sorted(axes))))
    return made


def blockwise(along: Along, made: Sequence[Block]) -> Determinant:
    """From each block's own directions at one point. Raises `Unknown`."""
    rng = np.random.default_rng(1)
    random = [rng.normal(size=math.prod(block.shape)) for block in made]
    rows = ((b.span, [*b.directions(), at]) for b, at in zip(made, random, strict=True))
    by_site: dict[str, float] = {}
    reaches: dict[str, set[str]] = {}
    for block, at, (*own, check) in zip(made, random, along_each(along, rows), strict=True):
        matrices = block.matrices(np.array(own))
        by_site[block.name] = log_det(block.name, matrices)
        predicted = block.reflection(block.applied(matrices, at)).ravel()
        least = SAME * np.max(np.abs(predicted), initial=1.0)
        if not np.allclose(predicted, check[block.span], rtol=SAME, atol=least):
            raise Unknown(block.name, "its elements mix in a way that is none of axes")
        reached = {other.name for other in made if np.any(np.abs(check[other.span]) > least)}
        reaches[block.name] = reached - {block.name}
    # What is left when sites that reach none of the others are taken out depends on itself.
    while free := [name for name, others in reaches.items() if not others & reaches.keys()]:
        for name in free:
            del reaches[name]
    if reaches:
        raise Unknown(next(iter(reaches)), f"{' and '.join(reaches)} depend on each other")
    return Determinant(sum(by_site.values()), by_site)


def inverse(along: Along, made: Sequence[Block], once: bool = False) -> Along:
    """From a change of v to that of u at one point: each site by itself, then what that left.

    That is Jacobi's iteration by blocks. It ends after one step for each site of a chain, as the
    derivative is block triangular; `once` takes just the first.
    """
    found = along_each(along, ((block.span, block.directions()) for block in made))
    inverses = [np.linalg.pinv(b.matrices(rows)) for b, rows in zip(made, found, strict=True)]

    def solve(wanted: Any) -> Any:
        solution, left = np.zeros_like(wanted), wanted
        for _ in range(len(made) + 1):
            for block, inverse in zip(made, inverses, strict=True):
                reflected = block.reflection(left[block.span]).ravel()
                solution[block.span] += block.applied(inverse, reflected)
            if once:
                break
            left = wanted - along(solution[None])[0]
            if np.max(np.abs(left), initial=0.0) < SAME:
                break
        return solution

    return solve
