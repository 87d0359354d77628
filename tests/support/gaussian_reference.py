"""The density of a normal model in conditional coordinates, by plain formulas in long doubles.

It is what generated models are compared with where scales are tiny: no line is shared with them,
nothing is eliminated in blocks, and all sums are of 18 digits where the machine has them. With
effects `loc + R u`, u standard normal, the observations are `eta0 + sum Z R u + noise`, and

    Q = I + (Z R / s)' (Z R / s),  r = (Z R / s)' (y - eta0) / s,  U U' = Q,  base = U' u - U^-1 r

with an upper triangular U: an element's base is that of what it is given all elements before it,
with those after it integrated out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


class Normal(NamedTuple):
    """A normal model at some values of its scales.

    left: (n,), the observations without what they are where all u are 0: y - eta0.
    designs: for each effect, in the order in which they are sampled, what each element of
    `effect - loc` adds to the observations: (n, size). What it adds through the loc of others
    counts.
    factors: R of each effect: a number, (size,) for a diagonal or (size, size).
    noise: the observations' standard deviations, a number or (n,).
    """

    left: Array
    designs: Mapping[str, Array]
    factors: Mapping[str, Any]
    noise: Any

    def standardized(self) -> tuple[Array, Array]:
        """Z R / s, (n, all elements), and (y - eta0) / s, (n,)."""
        noise = np.broadcast_to(wide(self.noise), len(self.left))[:, None]
        columns = []
        for name in self.designs:
            design, factor = wide(self.designs[name]), wide(self.factors[name])
            columns.append(design @ factor if factor.ndim == 2 else design * factor)
        return np.concatenate(columns, axis=1) / noise, wide(self.left) / noise[:, 0]

    def coordinates(self) -> tuple[Array, Array]:
        """U' of Q = U U', and U^-1 r."""
        columns, left = self.standardized()
        last_first = columns[:, ::-1]
        factor = cholesky(np.eye(columns.shape[1]) + last_first.T @ last_first)
        shift = forward(factor, last_first.T @ left)
        return factor.T[::-1, ::-1], shift[::-1]

    def log_density(self, base: Mapping[str, Array]) -> Any:
        """The log of the density of the observations and the effects' bases.

        base: for each effect (size,). What is complex gives what is complex, and its derivatives.
        """
        factor, shift = self.coordinates()
        bases = np.concatenate([np.ravel(base[name]) for name in self.designs])
        u = forward(factor, wide(bases) + shift)
        columns, left = self.standardized()
        rest = left - columns @ u
        noise = np.broadcast_to(wide(self.noise), len(left))
        constant = (len(u) + len(left)) * np.log(2 * np.arccos(np.longdouble(-1))) / 2
        squares = (u @ u + rest @ rest) / 2
        return -squares - constant - np.log(np.diag(factor)).sum() - np.log(noise).sum()


def gradient(
    function: Callable[[dict[str, Array]], Any], values: Mapping[str, Any]
) -> dict[str, Array]:
    """The derivatives of a function that takes complex numbers, at real values.

    By the step i * 1e-200: the imaginary part of what comes out is the derivative times 1e-200,
    without a difference that could cancel.
    """
    step, at = 1e-200, {name: wide(value) for name, value in values.items()}
    found = {}
    for name, value in at.items():
        slopes = np.empty(value.size, np.longdouble)
        for k in range(value.size):
            moved = value.astype(np.clongdouble)
            moved.flat[k] += 1j * step
            slopes[k] = np.imag(function({**at, name: moved})) / step
        found[name] = slopes.reshape(value.shape)
    return found


def wide(value: Any) -> Array:
    """A long double, or a complex one."""
    array = np.asarray(value)
    return array.astype(np.clongdouble if np.iscomplexobj(array) else np.longdouble)


def cholesky(matrix: Array) -> Array:
    """The lower triangular L with L L' = matrix, which is symmetric and may be complex."""
    lower = np.zeros_like(matrix)
    for k in range(len(matrix)):
        column = matrix[k:, k] - lower[k:, :k] @ lower[k, :k]
        lower[k:, k] = column / np.sqrt(column[0])
    return lower


def forward(lower: Array, right: Array) -> Array:
    """x with lower x = right."""
    x = np.zeros_like(lower[0] * right)
    for k in range(len(lower)):
        x[k] = (right[k] - lower[k, :k] @ x[:k]) / lower[k, k]
    return x
