"""Where Pathfinder has NUTS start: at draws of a normal on the way to a mode, with its covariance.

Source: Zhang, Carpenter, Gelman and Vehtari (2022), as BlackJAX has it.
"""

from __future__ import annotations

from typing import Any, cast

import jax
import numpy as np

from reparam_rewrite.benchmarking.values import Start
from reparam_rewrite.running.call import Call
from reparam_rewrite.running.sampling import unconstrained

#: Of the normals on the way that with the greatest ELBO is taken, by as many densities of each.
DENSITIES = 5

#: How many steps L-BFGS may take, each of which has a normal.
STEPS = 100


def pathfinder(call: Call, key: int, chains: int) -> Start:
    """The start of each chain, and a matrix of inverse masses. Densities count as gradients.

    Raises `RuntimeError` where no normal on the way is one.
    """
    from blackjax.optimizers.lbfgs import lbfgs_inverse_hessian_formula_1
    from blackjax.vi.pathfinder import approximate, sample

    space, finished = unconstrained(call, key), cast(Any, jax.effects_barrier)
    gradients = 0

    def count() -> None:
        nonlocal gradients
        gradients += 1

    @jax.custom_vjp
    def density(x: Any) -> Any:
        return -space.potential(x)

    def forward(x: Any) -> tuple[Any, Any]:
        jax.debug.callback(count)
        value, slope = jax.value_and_grad(lambda x: -space.potential(x))(x)
        return value, slope

    density.defvjp(forward, lambda slope, by: (by * slope,))

    @jax.jit
    def run(keys: Any, start: Any) -> tuple[Any, Any]:
        found, _ = approximate(keys[0], density, start, DENSITIES, maxiter=STEPS)
        draws, _ = sample(keys[1], found, chains)
        return draws, lbfgs_inverse_hessian_formula_1(found.alpha, found.beta, found.gamma)

    draws, inverse_mass = run(jax.random.split(jax.random.PRNGKey(key)), space.start)
    finished()  # counting, too
    try:
        np.linalg.cholesky(np.asarray(inverse_mass))
    except np.linalg.LinAlgError:
        draws = draws * np.nan
    if not np.isfinite(draws).all():
        raise RuntimeError("Pathfinder finds no normal on its way to a mode")
    z = jax.vmap(space.apart)(draws)
    return Start(z, inverse_mass, gradients + DENSITIES * (STEPS + 1))
