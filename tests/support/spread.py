"""How far a generated model's bases are from what is standard normal given the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer.util import potential_energy

from reparam_rewrite.running.trace import double_precision, is_latent, structure
from reparam_rewrite.running.values import Model


def spread(
    model: Model, args: Sequence[Any], kwargs: Mapping[str, Any], seed: int = 0, points: int = 6
) -> float:
    """The greatest difference, in nats, of `potential - |base|**2 / 2` between random bases.

    All that isn't a base stays where it is, at one random place. Where the bases are exactly
    standard normal given the data and the rest it is 0, but for rounding.
    """
    with double_precision():
        rng = np.random.default_rng(seed)
        shapes = {
            name: site["real_shape"]
            for name, site in structure(model, args, kwargs).items()
            if is_latent(site)
        }
        bases = [name for name in shapes if name.endswith("_base")]
        held = {name: jnp.asarray(0.5 * rng.normal(size=shapes[name])) for name in shapes}

        @jax.jit
        def left(base: dict[str, Any]) -> Any:
            potential = potential_energy(model, args, kwargs, {**held, **base})
            return potential - sum((value**2).sum() for value in base.values()) / 2

        found = [
            float(left({name: jnp.asarray(rng.normal(size=shapes[name])) for name in bases}))
            for _ in range(points)
        ]
        return max(found) - min(found)
