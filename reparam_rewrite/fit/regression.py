"""Which coefficients make the base site of a child narrowest?

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
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

from reparam_rewrite.fit.values import Array, Booleans, Fitted, Integers, Regression

#: Into how many parts draws are split, of which one is held out.
FOLDS = 5

#: What coefficients are drawn to 0, or those of elements to the shared ones, by: parts of the mean
#: square of the regressor. The least is against regressors that say the same.
RIDGES = (1e-6, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)

#: What a coefficient for each element must gain, in nats for each element, to be worth a number.
WORTH = 0.02

#: By how much a base must be narrower than the site as written for an offset to be worth it: on as
#: many elements as that parent moves that moves fewest.
NARROWER = 1.02

#: Powers of a scale that are tried.
POWERS = tuple(float(power) for power in np.linspace(0, 1, 21))

#: Rounds of weighted least squares, each of which makes the sum of logarithms less.
ROUNDS = 50


def fitted(regression: Regression, chain: Integers) -> Fitted:
    """The coefficients of a child, and the power of its scale where that is a site's.

    A power p divides the child by s^p, so that the density of the base gains the determinant
    p sum_k log s_k, which then counts too.
    """
    scaled_by = regression.scaled_by
    if scaled_by is None:
        return of_one_scale(regression, chain)
    determinant = float(np.log(np.abs(scaled_by)).mean(axis=0).sum())

    def scaled(power: float) -> Regression:
        values = regression.values * scaled_by ** (regression.power - power)
        return replace(regression, values=values, power=power)

    def left(power: float) -> float:
        problem = Problem.of(scaled(power), chain)
        return problem.spread(problem.shared(RIDGES[0])) + power * determinant

    best = min(POWERS, key=left)
    as_written = Problem.of(scaled(0.0), chain)
    found = of_one_scale(scaled(best), chain)
    problem = Problem.of(scaled(best), chain)
    gain = as_written.spread(as_written.nothing()) - problem.spread(problem.nothing())
    narrowing = np.exp((gain - best * determinant) / max(1, problem.elements))
    return replace(found, narrowing=float(found.narrowing * narrowing), power=best)


def of_one_scale(regression: Regression, chain: Integers) -> Fitted:
    problem = Problem.of(regression, chain)
    moved = problem.moved
    all_elements = problem.elements / max(1, int(moved.any(axis=1).sum()))
    nothing = problem.judged(lambda part: part.nothing())
    shared, ridge = problem.best(lambda part, ridge: part.shared(ridge))
    kind, score, solution = "none", nothing, problem.nothing()
    if shared.is_better_than(nothing, 0.0):
        kind, score, solution = "shared", shared, problem.shared(ridge)
    if problem.is_finer:
        each, ridge = problem.best(lambda part, ridge: part.each(ridge))
        if each.is_better_than(score, WORTH / all_elements):
            kind, score, solution = "elementwise", each, problem.each(ridge)
    gain = nothing.mean - score.mean
    narrowing = float(np.exp(all_elements * gain))
    counts = moved.sum(axis=0)
    fewest = counts[counts > 0].min(initial=problem.elements)
    if problem.elements * gain < np.log(NARROWER) * fewest:
        kind, solution, narrowing = "none", problem.nothing(), 1.0
    return Fitted(regression, problem.unpacked(solution, kind), kind, narrowing)


@dataclass(frozen=True)
class Score:
    """How wide bases are on draws that were held out: by fold, 1/2 log of the mean square error,
    the mean over elements (nats).
    """

    by_fold: Array

    @property
    def mean(self) -> float:
        return float(self.by_fold.mean())

    def is_better_than(self, other: Score, worth: float) -> bool:
        """By more than `worth`, and more than the folds differ by."""
        gain = other.by_fold - self.by_fold
        error = float(gain.std(ddof=1)) / np.sqrt(len(gain)) if len(gain) > 1 else 0.0
        return bool(gain.mean() > worth + error)


@dataclass(frozen=True)
class Moments:
    """Of z = (y, g_1, ..., g_P) for each element: how many draws, and the sums of z and z z'.

    total: (K, 1 + P); products: (K, 1 + P, 1 + P).
    """

    count: int
    total: Array
    products: Array

    def __sub__(self, other: Moments) -> Moments:
        return Moments(
            self.count - other.count, self.total - other.total, self.products - other.products
        )

    @property
    def mean(self) -> Array:
        mean: Array = self.total / self.count
        return mean

    @property
    def covariance(self) -> Array:
        square: Array = np.einsum("kp,kq->kpq", self.mean, self.mean)
        return self.products / self.count - square


def moments(z: Array) -> Moments:
    """Of (n, K, 1 + P)."""
    return Moments(len(z), z.sum(axis=0), np.einsum("nkp,nkq->kpq", z, z, optimize=True))


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
        shape = regression.values.shape[1:]
        columns = [regression.values]
        groups: list[Integers] = []
        sizes: list[int] = []
        for regressor in regression.regressors:
            if regressor.pair.matrix:
                parts = np.moveaxis(regressor.values, -1, 0)
                columns += list(parts)
                groups += [np.zeros(shape, np.int64)] * len(parts)
                sizes += [1] * len(parts)
            else:
                columns.append(regressor.values)
                numbers = group_numbers(regressor.shape, shape, regression.bases)
                groups.append(numbers)
                sizes.append(int(numbers.max(initial=0)) + 1)
        based = [in_bases(column, regression.bases) for column in columns]
        z = np.stack([column.reshape(len(column), -1) for column in based], axis=-1)
        z = z - z.mean(axis=0)  # of sums of squares, what is left is then not rounded away
        folds = tuple(moments(z[part]) for part in stretches(chain))
        known = moments(z)
        numbers = np.zeros((z.shape[1], len(groups)), np.int64)
        for at, group in enumerate(groups):
            numbers[:, at] = group.ravel()
        return cls(regression, known, folds, numbers, tuple(sizes))

    @property
    def elements(self) -> int:
        return len(self.known.total)

    @property
    def moved(self) -> Booleans:
        """(K, P): is an element moved by a regressor? In a basis mu moves just the first."""
        squares = np.diagonal(self.known.covariance, axis1=1, axis2=2)[:, 1:]
        found: Booleans = squares > 1e-12 * squares.max(axis=0, initial=0.0)
        return found

    @property
    def is_finer(self) -> bool:
        """May coefficients differ between elements?"""
        return not self.regression.several and any(size > 1 for size in self.sizes)

    # -- solutions ---------------------------------------------------------------------------------

    def nothing(self) -> Array:
        return np.zeros((self.elements, len(self.sizes)))

    def shared(self, ridge: float) -> Array:
        """One coefficient for each regressor."""
        if not self.sizes:
            return self.nothing()
        covariance = self.known.covariance
        weights = 1 / np.maximum(covariance[:, 0, 0], tiny(covariance))
        found, last = np.zeros(len(self.sizes)), np.inf
        for _ in range(ROUNDS):
            normal = np.einsum("k,kpq->pq", weights, covariance)
            penalty = np.diag(ridge * np.diagonal(normal)[1:] + np.finfo(float).tiny)
            found = -np.linalg.lstsq(normal[1:, 1:] + penalty, normal[1:, 0], rcond=None)[0]
            variances = self.variances(np.broadcast_to(found, (self.elements, len(found))))
            weights = 1 / np.maximum(variances, tiny(covariance))
            left = float(np.log(np.maximum(variances, tiny(covariance))).sum())
            if last - left < 1e-6 * self.elements:
                break
            last = left
        return np.tile(found, (self.elements, 1))

    def each(self, ridge: float) -> Array:
        """A coefficient for each group of elements, drawn to the shared ones by `ridge`."""
        start = self.shared(RIDGES[0])
        covariance = self.known.covariance
        first = np.concatenate([[0], np.cumsum(self.sizes)])
        numbers = self.groups + first[:-1]  # (K, P), counted over all regressors
        rows = np.broadcast_to(numbers[:, :, None], covariance[:, 1:, 1:].shape)
        columns = np.broadcast_to(numbers[:, None, :], rows.shape)
        found = start
        for _ in range(5):
            weights = 1 / np.maximum(self.variances(found), tiny(covariance))
            blocks = weights[:, None, None] * covariance[:, 1:, 1:]
            shape = (first[-1], first[-1])
            normal = sparse.coo_matrix((blocks.ravel(), (rows.ravel(), columns.ravel())), shape)
            gap = covariance[:, 1:, 0] + np.einsum("kpq,kq->kp", covariance[:, 1:, 1:], start)
            right = np.bincount(
                numbers.ravel(), (weights[:, None] * gap).ravel(), minlength=first[-1]
            )
            normal = normal.tocsc()
            diagonal = normal.diagonal()
            penalty = sparse.diags(ridge * diagonal + 1e-12 * diagonal.max(initial=0.0) + 1e-300)
            step = spsolve(normal + penalty.tocsc(), -right)
            found = start + np.atleast_1d(step)[numbers]
        return np.asarray(found)

    # -- what they are worth -----------------------------------------------------------------------

    def variances(self, solution: Array) -> Array:
        weights = np.concatenate([np.ones((self.elements, 1)), solution], axis=1)
        found: Array = np.einsum("kp,kpq,kq->k", weights, self.known.covariance, weights)
        return found

    def spread(self, solution: Array) -> float:
        """1/2 sum_k log var(base_k), of the draws that it is found from."""
        variances = np.maximum(self.variances(solution), tiny(self.known.covariance))
        return float(0.5 * np.log(variances).sum())

    def judged(self, solve: Callable[[Problem], Array]) -> Score:
        """How wide bases are where they were held out."""
        scores = []
        for fold in self.folds:
            part = replace(self, known=self.known - fold)
            weights = np.concatenate([np.ones((self.elements, 1)), solve(part)], axis=1)
            square = np.einsum("kp,kpq,kq->k", weights, fold.products, weights) / fold.count
            away = (weights * part.known.mean).sum(axis=1), (weights * fold.mean).sum(axis=1)
            error = square - 2 * away[0] * away[1] + away[0] ** 2
            scores.append(0.5 * np.log(np.maximum(error, tiny(self.known.covariance))).mean())
        return Score(np.array(scores))

    def best(self, solve: Callable[[Problem, float], Array]) -> tuple[Score, float]:
        """The ridge that leaves least, and what it leaves."""

        def judged(ridge: float) -> Score:
            return self.judged(lambda part: solve(part, ridge))

        scores = {ridge: judged(ridge) for ridge in RIDGES}
        ridge = min(scores, key=lambda ridge: scores[ridge].mean)
        return scores[ridge], ridge

    # -- back to params ----------------------------------------------------------------------------

    def unpacked(self, solution: Array, kind: str) -> dict[str, float | Array]:
        """By param: a number where elements share it, else an array of its shape."""
        found: dict[str, float | Array] = {}
        at = 0
        shape = self.regression.values.shape[1:]
        for regressor in self.regression.regressors:
            if regressor.pair.matrix:
                size = regressor.values.shape[-1]
                found[regressor.param] = solution[0, at : at + size].reshape(regressor.shape)
                at += size
                continue
            values = solution[:, at]
            at += 1
            if kind != "elementwise" or self.sizes[at - 1] == 1:
                found[regressor.param] = float(values[0]) if len(values) else 0.0
            else:
                found[regressor.param] = taken(values.reshape(shape), regressor.shape)
        return found


def tiny(covariance: Array) -> float:
    """A variance that is none, beside those of the child."""
    return float(1e-20 * covariance[:, 0, 0].max(initial=0.0) + np.finfo(float).tiny)


def stretches(chain: Integers) -> list[Integers]:
    """Which draws are held out together: of each chain the same fifth."""
    place = np.zeros(len(chain))
    for number in np.unique(chain):
        own = np.flatnonzero(chain == number)
        place[own] = np.arange(len(own)) / len(own)
    folds = [np.flatnonzero((place * FOLDS).astype(int) == fold) for fold in range(FOLDS)]
    return [fold for fold in folds if len(fold)]


def in_bases(values: Array, bases: Sequence[tuple[Array, int]]) -> Array:
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


def taken(values: Array, param: Sequence[int]) -> Array:
    """The coefficients in the shape of the param, from those at each element of the child."""
    extra = values.ndim - len(param)
    at = tuple([0] * extra) + tuple(slice(0, 1) if size == 1 else slice(None) for size in param)
    return np.asarray(values[at], float)
