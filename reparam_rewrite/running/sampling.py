"""NumPyro's samplers in two programs: one that starts, and one of a block of steps that goes on.

Started op by op, as NumPyro does it, every operation is compiled by itself. A kernel or a guide
keeps values of its start, which only the program that computed them can have, so each program makes
its own and starts it; XLA drops what of that isn't used.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from numpyro.infer import NUTS
from numpyro.infer.initialization import init_to_median, init_to_value
from numpyro.infer.util import initialize_model

from reparam_rewrite.running.call import Call
from reparam_rewrite.running.trace import compiled

#: How many draws of every chain a compiled block makes.
BLOCK = 10


def is_finite(tree: Any) -> bool:
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(tree))


def started(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of NUTS from ``start.<site>``, values, and ``mass.<site>``, variances."""
    start, mass = (
        {
            name.removeprefix(f"{kind}."): jnp.asarray(values)
            for name, values in arrays.items()
            if name.startswith(f"{kind}.")
        }
        for kind in ("start", "mass")
    )
    return {
        "init_strategy": init_to_value(values=start),
        "inverse_mass_matrix": {(name,): widths for name, widths in mass.items()},
        "adapt_mass_matrix": False,
    }


# -- NUTS ------------------------------------------------------------------------------------------


class Nuts:
    """NUTS for a call, with `kernel` as its options: what is compiled serves any keys.

    given: where the chains start, with a matrix of inverse masses; `start` takes others of these
    shapes. quick: compile fast, as what runs once should be; else as JAX does it. names: the sites
    whose values are wanted, those of the model as written if there are none. `compiling` is how
    many seconds that took.
    """

    def __init__(
        self,
        call: Call,
        warmup: int,
        chains: int,
        kernel: Mapping[str, Any],
        given: Sequence[Any] | None = None,
        quick: bool = False,
        names: Sequence[str] = (),
    ) -> None:
        self.call, self.warmup, self.chains, self.kernel = call, warmup, chains, kernel
        self.given, self.names = given, names or call.latents
        began, keys = time.perf_counter(), self.keys(0)
        start = jax.jit(lambda keys, given: self._started(keys, given)[1])
        state = jax.eval_shape(start, keys, given)
        if quick:
            self._start = compiled(start, keys, given)
            self._block = compiled(self._steps, keys, given, state, well=True)
        else:
            self._start = start.lower(keys, given).compile()
            self._block = jax.jit(self._steps).lower(keys, given, state).compile()
        self._values: Any = jax.jit(self._constrained)
        self.compiling = time.perf_counter() - began

    def keys(self, seed: int) -> Any:
        return jax.random.split(jax.random.PRNGKey(seed), self.chains)

    def start(self, keys: Any, given: Sequence[Any] | None = None) -> Any:
        """The state of all chains. Raises what NumPyro raises where there is none."""
        self.given = given
        state = self._start(keys, given)
        if not is_finite((state.potential_energy, state.z_grad)):
            state = self._started(keys, given)[1]  # which says what is wrong
        return state

    def block(self, keys: Any, state: Any) -> tuple[Any, tuple[Any, Any, Any]]:
        """The next state, and of `BLOCK` draws (draws, chains, ...) z, gradients, divergence."""
        found: tuple[Any, tuple[Any, Any, Any]] = jax.device_get(
            self._block(keys, self.given, state)
        )
        return found

    def values(self, keys: Any, z: Any) -> dict[str, Any]:
        """The values (chains, draws, ...) of the sites that are wanted."""
        found = self._values(keys, self.given, z)
        return {name: np.swapaxes(np.asarray(v), 0, 1) for name, v in found.items()}

    def _started(self, keys: Any, given: Sequence[Any] | None) -> tuple[NUTS, Any]:
        z, mass = given or (None, None)
        more = {} if mass is None else {"inverse_mass_matrix": mass}
        call, kernel = self.call, NUTS(self.call.model, **{**self.kernel, **more})
        return kernel, kernel.init(keys, self.warmup, z, call.args, call.kwargs)

    def _steps(self, keys: Any, given: Sequence[Any] | None, state: Any) -> Any:
        call, kernel = self.call, self._started(keys, given)[0]

        def step(state: Any, _: Any) -> Any:
            state = kernel.sample(state, call.args, call.kwargs)
            return state, (state.z, state.num_steps, state.diverging)

        return jax.lax.scan(step, state, None, length=BLOCK)

    def _constrained(self, keys: Any, given: Sequence[Any] | None, z: Any) -> Any:
        call, kernel = self.call, self._started(keys, given)[0]
        constrained = kernel.postprocess_fn(call.args, call.kwargs)

        def values(z: Any) -> Any:
            found = constrained(z)
            return {name: found[name] for name in self.names}

        return jax.lax.map(jax.vmap(values), z)


def joined(blocks: Iterable[Any]) -> Any:
    """Blocks of draws, one after another."""
    return jax.tree.map(lambda *parts: np.concatenate(parts), *blocks)


# -- unconstrained space ---------------------------------------------------------------------------


class Space(NamedTuple):
    """The unconstrained space of a model, whose points are vectors (dims,).

    `start` is one of them, `potential` the energy there, minus the log of the density, and `sites`
    gives the values of all sites; both are to be compiled. `apart` takes a vector apart by site.
    """

    start: Any
    potential: Callable[[Any], Any]
    sites: Callable[[Any], Any]
    apart: Callable[[Any], Any]


def unconstrained(call: Call, seed: int) -> Space:
    """The space that samplers see, with a start at the median of draws from the prior."""
    initialize = partial(
        initialize_model,
        model=call.model,
        init_strategy=init_to_median(num_samples=15),
        model_args=call.args,
        model_kwargs=dict(call.kwargs),
    )
    key = jax.random.PRNGKey(seed)
    found = compiled(lambda key: initialize(key).param_info, key)(key)
    if not is_finite(found):
        found = initialize(key).param_info  # which says what is wrong
    start, apart = ravel_pytree(found.z)
    return Space(
        start,
        lambda x: initialize(key).potential_fn(apart(x)),
        lambda x: initialize(key).postprocess_fn(apart(x)),
        apart,
    )
