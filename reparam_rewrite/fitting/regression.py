"""Which coefficients make the base site of a child narrowest, and would a basis do so?

With y the child in unconstrained space, times its scale, and g_p what parent p adds to it with a
coefficient of 1, the base site is

    base = y + sum_p xi_p g_p

The diagonal normal that is closest to the posterior p in KL(p || q) has the marginal variances,
and since a shift's determinant is 1, it is the closer the less

    sum_k log var(base_k)

is. For a coefficient of each element that is the least squares of y on -g; for one that elements
share it is that of least squares with the weights 1 / var(base_k), found by turns. A basis is
applied before the variances are taken.

Draws are few, and coefficients that come from them have their noise. They are judged on draws
that were held out, in stretches of chains, as neighbouring draws are alike. Of no offset, shared
coefficients, and ones for each element that are drawn to the shared ones as far as that helps, the
simplest is taken that the next is not clearly better than.

What is left of a site may be wide in a direction that is none of its elements: the mean of a
plate's, of which the data tell the sum with another site's only. In a basis that direction is an
element, and what a diagonal normal loses, the sum of log sd, is less.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import log

import numpy as np
import scipy.fft
from scipy import sparse
from scipy.sparse.linalg import spsolve

from reparam_rewrite.fitting.values import Array, Booleans, Fitted, Integers, Regression

#: Into how many parts draws are split, of which one is held out.
FOLDS = 5

#: What coefficients are drawn to 0, or those of elements to the shared ones, by: parts of the mean
#: square of the regressor. The least is against regressors that say the same.
RIDGES = (1e-6, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)

#: What a coefficient for each element must gain, in nats for each element, to be worth a number.
WORTH = 0.02

#: By how much a base must be narrower than the site as written for an offset to be worth it, on as
#: many elements as that parent moves that moves fewest; and in a basis for that to be said.
NARROWER = 1.02
NARROWER_IN_BASIS = 1.05

#: Or by how much in all (nats): what many elements share may be far narrower, if each is hardly so.
NARROWER_IN_ALL = 0.5

#: Powers of a scale that are tried.
POWERS = tuple(float(power) for power in np.linspace(0, 1, 21))

#: Rounds of weighted least squares, each of which makes the sum of logarithms less.
ROUNDS = 50


def fitted(regression: Regression, chain: Integers) -> Fitted:
    """The coefficients of a child, and the power of its scale where that is a site's.

    chain: (n,), the number of each draw's chain. A power p divides the child by s^p (Gorinova et
    al. 2020), so that the density of the base gains the determinant p sum_k log s_k, which then
    counts too. Around a loc m the base with power p is (child - m) / s^p + (1 - p) m.
    """
    scaled_by, around = regression.scaled_by, regression.around
    if scaled_by is None:
        return of_one_scale(Problem.of(regression, chain))
    determinant = float(np.log(np.abs(scaled_by)).mean(axis=0).sum())

    def scaled(power: float) -> Problem:
        values = regression.values * scaled_by ** (regression.power - power)
        values = values if around is None else values + (1 - power) * around
        return Problem.of(replace(regression, values=values, power=power), chain)

    def left(power: float) -> float:
        problem = scaled(power)
        return problem.spread(problem.shared(RIDGES[0])) + power * determinant

    best = min(POWERS, key=left)
    as_written, problem = scaled(0.0), scaled(best)
    found = of_one_scale(problem)
    gain = as_written.spread(as_written.nothing()) - problem.spread(problem.nothing())
    narrowing = np.exp((gain - best * determinant) / max(1, problem.elements))
    return replace(found, narrowing=float(found.narrowing * narrowing), power=best)


def of_one_scale(problem: Problem) -> Fitted:
    """The coefficients of a child whose scale is as it is."""
    moved = problem.moved
    all_elements = problem.elements / max(1, int(moved.any(axis=1).sum()))
    kind, solution = "none", problem.nothing()
    nothing = score = problem.judged(Problem.nothing)
    shared, ridge = problem.best(Problem.shared)
    if is_better(shared, nothing, 0.0):
        kind, score, solution = "shared", shared, problem.shared(ridge)
    if not problem.regression.several and any(size > 1 for size in problem.sizes):
        each, ridge = problem.best(Problem.each)
        if is_better(each, score, WORTH / all_elements):
            kind, score, solution = "elementwise", each, problem.each(ridge)
    gain = float(nothing.mean()) - float(score.mean())
    narrowing = float(np.exp(all_elements * gain))
    counts = moved.sum(axis=0)
    fewest = counts[counts > 0].min(initial=problem.elements)
    if problem.elements * gain < min(np.log(NARROWER) * fewest, NARROWER_IN_ALL):
        kind, solution, narrowing = "none", problem.nothing(), 1.0
    return Fitted(problem.regression, problem.unpacked(solution, kind), kind, narrowing)


def is_better(score: Array, other: Array, worth: float) -> bool:
    """Is a score by more than `worth` less than another, and by more than the folds differ by?"""
    gain = other - score
    error = float(gain.std(ddof=1)) / np.sqrt(len(gain)) if len(gain) > 1 else 0.0
    return bool(gain.mean() > worth + error)


@dataclass(frozen=True)
class Moments:
    """Of z = (y, g_1, ..., g_P) for each element: how many draws, and the sums of z and z z'.

    total: (K, 1 + P); products: (K, 1 + P, 1 + P).
    """

    draws: int
    total: Array
    products: Array

    @classmethod
    def of(cls, z: Array) -> Moments:
        """Those of (n, K, 1 + P)."""
        return cls(len(z), z.sum(axis=0), np.einsum("nkp,nkq->kpq", z, z, optimize=True))

    def without(self, other: Moments) -> Moments:
        total, products = self.total - other.total, self.products - other.products
        return Moments(self.draws - other.draws, total, products)

    @cached_property
    def mean(self) -> Array:
        mean: Array = self.total / self.draws
        return mean

    @cached_property
    def covariance(self) -> Array:
        square: Array = np.einsum("kp,kq->kpq", self.mean, self.mean)
        return self.products / self.draws - square


@dataclass(frozen=True)
class Problem:
    """Least squares for one child.

    known: of all draws that aren't held out; folds: of each stretch. groups: (K, P), the number of
    the coefficient that a regressor has at each element, where they are not shared; `sizes` are
    how many these are, by regressor. A solution is (K, P): the coefficients at each element.
    """

    regression: Regression
    known: Moments
    folds: tuple[Moments, ...]
    groups: Integers
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, regression: Regression, chain: Integers) -> Problem:
        shape, bases = regression.values.shape[1:], regression.bases
        columns, groups = [regression.values], []
        for one in regression.regressors:
            parts = list(np.moveaxis(one.values, -1, 0)) if one.matrix else [one.values]
            columns += parts
            groups += [group_numbers(() if one.matrix else one.shape, shape, bases)] * len(parts)
        z = np.stack([in_bases(c, bases).reshape(len(c), -1) for c in columns], axis=-1)
        z = z - z.mean(axis=0)  # of sums of squares, what is left is then not rounded away
        numbers = np.array(groups, np.int64).reshape(len(groups), z.shape[1]).T
        sizes = tuple(int(group.max(initial=0)) + 1 for group in groups)
        folds = tuple(Moments.of(z[part]) for part in stretches(chain))
        return cls(regression, Moments.of(z), folds, numbers, sizes)

    @property
    def elements(self) -> int:
        return len(self.known.total)

    @property
    def moved(self) -> Booleans:
        """(K, P): is an element moved by a regressor? In a basis mu moves just the first."""
        squares = np.diagonal(self.known.covariance, axis1=1, axis2=2)[:, 1:]
        found: Booleans = squares > 1e-12 * squares.max(axis=0, initial=0.0)
        return found

    def nothing(self) -> Array:
        return np.zeros((self.elements, len(self.sizes)))

    def shared(self, ridge: float) -> Array:
        """One coefficient for each regressor."""
        if not self.sizes:
            return self.nothing()
        covariance = self.known.covariance
        variances, last = self.at_least(covariance[:, 0, 0]), np.inf
        for _ in range(ROUNDS):
            normal = np.einsum("k,kpq->pq", 1 / variances, covariance)
            penalty = np.diag(ridge * np.diagonal(normal)[1:] + np.finfo(float).tiny)
            found = -np.linalg.lstsq(normal[1:, 1:] + penalty, normal[1:, 0], rcond=None)[0]
            variances = self.variances(np.broadcast_to(found, (self.elements, len(found))))
            left = float(np.log(variances).sum())
            if last - left < 1e-6 * self.elements:
                break
            last = left
        return np.tile(found, (self.elements, 1))

    def each(self, ridge: float) -> Array:
        """A coefficient for each group of elements, drawn to the shared ones by `ridge`."""
        start = self.shared(RIDGES[0])
        covariance = self.known.covariance
        *first, count = np.concatenate([[0], np.cumsum(self.sizes)])
        numbers = self.groups + first  # (K, P), counted over all regressors
        rows = np.broadcast_to(numbers[:, :, None], covariance[:, 1:, 1:].shape)
        columns = np.broadcast_to(numbers[:, None, :], rows.shape)
        at = (rows.ravel(), columns.ravel())
        gap = covariance[:, 1:, 0] + np.einsum("kpq,kq->kp", covariance[:, 1:, 1:], start)
        found = start
        for _ in range(5):
            weights = 1 / self.variances(found)
            blocks = weights[:, None, None] * covariance[:, 1:, 1:]
            normal = sparse.coo_matrix((blocks.ravel(), at), (count, count)).tocsc()
            right = np.bincount(numbers.ravel(), (weights[:, None] * gap).ravel(), minlength=count)
            diagonal = normal.diagonal()
            penalty = sparse.diags(ridge * diagonal + 1e-12 * diagonal.max(initial=0.0) + 1e-300)
            step = spsolve(normal + penalty.tocsc(), -right)
            found = start + np.atleast_1d(step)[numbers]
        return np.asarray(found)

    def at_least(self, variances: Array) -> Array:
        """The variances, but for those that are none beside the child's."""
        widest = self.known.covariance[:, 0, 0].max(initial=0.0)
        return np.maximum(variances, float(1e-20 * widest + np.finfo(float).tiny))

    def variances(self, solution: Array) -> Array:
        return self.at_least(squares(with_child(solution), self.known.covariance))

    def spread(self, solution: Array) -> float:
        """1/2 sum_k log var(base_k), of the draws that it is found from."""
        return float(0.5 * np.log(self.variances(solution)).sum())

    def judged(self, solve: Callable[[Problem], Array]) -> Array:
        """A score by fold: how wide bases are on draws that were held out.

        That is 1/2 log of the mean square error, the mean over elements (nats).
        """
        scores = []
        for fold in self.folds:
            part = replace(self, known=self.known.without(fold))
            weights = with_child(solve(part))
            own, away = ((weights * of.mean).sum(axis=1) for of in (fold, part.known))
            error = squares(weights, fold.products) / fold.draws - 2 * away * own + away**2
            scores.append(0.5 * np.log(self.at_least(error)).mean())
        return np.array(scores)

    def best(self, solve: Callable[..., Array]) -> tuple[Array, float]:
        """The ridge that leaves least, and its score."""
        scores = {ridge: self.judged(partial(solve, ridge=ridge)) for ridge in RIDGES}
        ridge = min(scores, key=lambda ridge: scores[ridge].mean())
        return scores[ridge], ridge

    def unpacked(self, solution: Array, kind: str) -> dict[str, float | Array]:
        """By param: a number where elements share it, else an array of its shape."""
        found: dict[str, float | Array] = {}
        at = 0
        for one in self.regression.regressors:
            own = solution[:, at : at + (one.values.shape[-1] if one.matrix else 1)]
            if one.matrix:
                found[one.param] = own[0].reshape(one.shape)
            elif kind != "elementwise" or self.sizes[at] == 1:
                found[one.param] = float(own[0, 0]) if len(own) else 0.0
            else:
                values = own.reshape(self.regression.values.shape[1:])
                first = (0,) * (values.ndim - len(one.shape))
                ends = tuple(slice(1 if size == 1 else None) for size in one.shape)
                found[one.param] = np.asarray(values[first + ends], float)
            at += own.shape[1]
        return found


def with_child(solution: Array) -> Array:
    """(K, 1 + P): what z is weighed with to be the base site."""
    return np.concatenate([np.ones((len(solution), 1)), solution], axis=1)


def squares(weights: Array, products: Array) -> Array:
    """(K,): the quadratic form of each element."""
    found: Array = np.einsum("kp,kpq,kq->k", weights, products, weights)
    return found


def stretches(chain: Integers) -> list[Integers]:
    """Which draws are held out together: of each chain the same fifth."""
    place = np.zeros(len(chain))
    for number in np.unique(chain):
        own = np.flatnonzero(chain == number)
        place[own] = np.arange(len(own)) / len(own)
    folds = [np.flatnonzero((place * FOLDS).astype(int) == fold) for fold in range(FOLDS)]
    return [fold for fold in folds if len(fold)]


def in_bases(values: Array, bases: Sequence[tuple[Array, int]]) -> Array:
    """Values (n, *shape) after each basis in turn."""
    for matrix, axis in bases:
        values = np.moveaxis(np.moveaxis(values, axis, -1) @ matrix.T, -1, axis)
    return values


def group_numbers(
    param: Sequence[int], shape: tuple[int, ...], bases: Sequence[tuple[Array, int]]
) -> Integers:
    """For each element of a child the number of its coefficient.

    Along the axis of a basis there is one: it mixes the elements.
    """
    kept = [1] * (len(shape) - len(param)) + list(param)
    for _, axis in bases:
        kept[axis % len(shape)] = 1
    numbers = np.arange(int(np.prod(kept))).reshape(kept)
    return np.broadcast_to(numbers, shape).astype(np.int64)


def left_of(fit: Fitted) -> Array:
    """The base site in unconstrained space, in the bases that it has: (n, *shape)."""
    found = fit.regression.values
    for one in fit.regression.regressors:
        coefficient = np.asarray(fit.coefficients[one.param])
        found = found + (
            one.values @ coefficient.ravel() if one.matrix else one.values * coefficient
        )
    return in_bases(found, fit.regression.bases)


def better(values: Array, chain: Integers, known: Sequence[int]) -> tuple[tuple[int, ...], float]:
    """The axes, besides those `known`, that a basis over makes a site narrower, and how much.

    values: (n, *shape). They are added one by one, as long as that helps on draws held out.
    """

    def judged(values: Array) -> Array:
        return Problem.of(Regression("", "", values, ()), chain).judged(Problem.nothing)

    dims: tuple[int, ...] = ()
    start = best = judged(values)
    axes = [dim for dim in range(-1, -values.ndim, -1) if values.shape[dim] > 1]
    while left := [dim for dim in axes if dim not in (*known, *dims)]:
        mixed = {dim: scipy.fft.dct(values, axis=dim, norm="ortho") for dim in left}
        scores = {dim: judged(mixed[dim]) for dim in left}
        dim = min(scores, key=lambda dim: scores[dim].mean())
        if not is_better(scores[dim], best, log(NARROWER_IN_BASIS)):
            break
        best, values, dims = scores[dim], mixed[dim], (*dims, dim)
    return dims, float(np.exp(float(start.mean()) - float(best.mean())))
