"""The effects given the data, in JAX: their mean, and the determinant of their precision.

With R the scales of the priors, u standard normal a priori and d = R u, the precision of u given
the data is ``Q = I + R' (sum_o G_o / s_o**2) R``, and its mean ``inv(Q) R' sum_o h_o / s_o**2``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import block_diag, cho_solve, solve_triangular
from jax.scipy.sparse.linalg import cg

from reparam_rewrite.running.predictors import unwrapped
from reparam_rewrite.running.values import Values

#: How many steps of conjugate gradients there are at most, and how near they come.
STEPS = 200
NEAR = 1e-5

#: The scales of the priors of effects, by site: (size,), or matrices (rows, k, k).
Roots = Mapping[str, Any]


def root(fn: Any) -> Any:
    """The scale of a prior, R, with which its deviation is R times what is standard normal."""
    base, shape = unwrapped(fn), fn.shape()
    if not base.event_shape:
        return jnp.broadcast_to(base.scale, shape).ravel()
    size = int(np.prod(base.event_shape, dtype=int))
    if type(base).__name__ == "GaussianRandomWalk":
        found = jnp.asarray(base.scale)[..., None, None] * jnp.tril(jnp.ones((size, size)))
    elif hasattr(base, "scale_tril"):
        found = base.scale_tril
    elif hasattr(base, "precision_matrix") and not hasattr(base, "covariance_matrix"):
        eye = jnp.eye(size)
        lower = jnp.linalg.cholesky(base.precision_matrix[..., ::-1, ::-1])[..., ::-1, ::-1]
        found = solve_triangular(lower, jnp.broadcast_to(eye, lower.shape), trans=1)
    else:
        found = jnp.linalg.cholesky(base.covariance_matrix)
    rows = shape[: len(shape) - len(base.event_shape)]
    return jnp.broadcast_to(found, (*rows, size, size)).reshape(-1, size, size)


def times(scale: Any, u: Any) -> Any:
    """R u, of flattened u."""
    if scale.ndim == 1:
        return scale * u
    return jnp.einsum("nij,nj->ni", scale, u.reshape(scale.shape[:2])).ravel()


def matrix(scale: Any, rows: int) -> Any:
    """R of each of so many rows: (rows, k, k)."""
    if scale.ndim == 1:
        return jax.vmap(jnp.diag)(scale.reshape(rows, -1))
    parts = scale.reshape(rows, -1, *scale.shape[1:])
    return jax.vmap(lambda of: block_diag(*of))(parts)


def block_rows(parts: list[Any]) -> Any:
    """Matrices of rows as one with all of them on its diagonal: (rows, K, K)."""
    return jax.vmap(lambda *of: block_diag(*of))(*parts)


def exact_mean(
    data: Values, roots: Roots, blocks: int, weights: Any, given: Values
) -> tuple[Values, Any]:
    """The means of u by site, flattened, and half the log of the determinant of Q.

    data: the arrays of the exact form, with so many sites in blocks. weights: ``1 / s_o**2``.
    given: the values of the sites that add to the observations too.
    """
    one = {key: jnp.tensordot(weights, of, 1) for key, of in data.items()}
    dense, rows, columns = one["G_across"].shape
    h, h_blocks = one["h"], one["h_blocks"]
    for name, value in given.items():
        known = one[f"given.{name}"] @ jnp.ravel(value)
        h, h_blocks = h - known[:dense], h_blocks - known[dense:].reshape(rows, columns)
    split = len(roots) - blocks
    front, back = [*roots][:split], [*roots][split:]
    R_blocks = block_rows([matrix(roots[name], rows) for name in back])
    lower = jnp.linalg.cholesky(
        jnp.eye(columns) + R_blocks.transpose(0, 2, 1) @ one["G_blocks"] @ R_blocks
    )
    right = jnp.einsum("nji,nj->ni", R_blocks, h_blocks)
    right = solve_triangular(lower, right[..., None], lower=True)[..., 0]
    half = jnp.log(jnp.diagonal(lower, axis1=1, axis2=2)).sum()
    found: Values = {}
    if front:
        R = block_diag(*(matrix(roots[name], 1)[0] for name in front))
        across = jnp.einsum("nji,dnj,de->nie", R_blocks, one["G_across"], R)
        across = solve_triangular(lower, across, lower=True)
        left = R.T @ one["G"] @ R - jnp.einsum("nkd,nke->de", across, across)
        L = jnp.linalg.cholesky(jnp.eye(dense) + left)
        u = cho_solve((L, True), R.T @ h - jnp.einsum("nkd,nk->d", across, right))
        right = right - across @ u
        half = half + jnp.log(jnp.diag(L)).sum()
        ends = np.cumsum([size_of(roots[name]) for name in front])[:-1]
        found = dict(zip(front, jnp.split(u, ends), strict=True))
    left = solve_triangular(lower, right[..., None], lower=True, trans=1)[..., 0]
    ends = np.cumsum([size_of(roots[name]) // rows for name in back])[:-1]
    parts = zip(back, jnp.split(left, ends, axis=1), strict=True)
    return found | {name: part.ravel() for name, part in parts}, half


def sparse_mean(data: Values, roots: Roots, weights: Any, given: Values) -> tuple[Values, Any]:
    """The same of the arrays of `layout.sparse`, by conjugate gradients.

    The determinant is that of the rows of each site alone.
    """
    ends = np.cumsum([size_of(of) for of in roots.values()])
    count = int(ends[-1])

    def of_each(function: Any, flat: Any) -> Any:
        parts = zip(roots, jnp.split(flat, ends[:-1]), strict=True)
        return jnp.concatenate([function(name, part) for name, part in parts])

    def scaled(flat: Any) -> Any:
        return of_each(lambda name, part: times(roots[name], part), flat)

    def unscaled(flat: Any) -> Any:
        def back(name: str, part: Any) -> Any:
            of = roots[name]
            return times(of if of.ndim == 1 else of.transpose(0, 2, 1), part)

        return of_each(back, flat)

    def product(key: str, flat: Any) -> Any:
        values = weights @ data[f"{key}.values"]
        terms = values * flat[data[f"{key}.columns"]]
        return jax.ops.segment_sum(terms, data[f"{key}.rows"], num_segments=count)

    lowers, half = {}, jnp.zeros(())
    for name, of in roots.items():
        G = jnp.tensordot(weights, data[f"rows.{name}"], 1)
        R = matrix(of, len(G))
        lowers[name] = jnp.linalg.cholesky(jnp.eye(G.shape[-1]) + R.transpose(0, 2, 1) @ G @ R)
        half = half + jnp.log(jnp.diagonal(lowers[name], axis1=1, axis2=2)).sum()

    def near(name: str, part: Any) -> Any:
        lower = jax.lax.stop_gradient(lowers[name])
        made = part.reshape(*lower.shape[:2], 1)
        for trans in (0, 1):
            made = solve_triangular(lower, made, lower=True, trans=trans)
        return made.ravel()

    pull = weights @ data["pull"]
    for name, value in given.items():
        pull = pull - product(f"given.{name}", jnp.ravel(value))
    solve: Any = cg
    u, _ = solve(
        lambda flat: flat + unscaled(product("gram", scaled(flat))),
        unscaled(pull),
        M=lambda flat: of_each(near, flat),
        tol=NEAR,
        maxiter=STEPS,
    )
    return dict(zip(roots, jnp.split(u, ends[:-1]), strict=True)), half


def size_of(scale: Any) -> int:
    """How many elements a site has with this scale."""
    return int(np.prod(scale.shape[:2], dtype=int))
