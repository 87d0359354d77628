"""NUTS on a variant, from one key: what its draws are worth and what they cost.

NumPyro's own kernel is run in blocks of draws that are compiled once, so that compiling is told
from sampling, warm-up from draws, and a run can be stopped when its time is over.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
from numpyro.infer import NUTS

from reparam_rewrite.bench.values import Chains, Options, Variant

#: How many draws of every chain a compiled block makes.
BLOCK = 10

#: What a run that was stopped must have to be of use.
FEWEST = 100


class Sampler:
    """NUTS for a variant: what is compiled for one key serves the others."""

    def __init__(
        self,
        variant: Variant,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        names: Sequence[str],
        options: Options,
    ) -> None:
        self.variant, self.args, self.kwargs = variant, tuple(args), dict(kwargs)
        self.names, self.options = names, options
        self._block: Any = None
        self._values: Any = None
        self._compiling = 0.0

    def run(self, key: int) -> tuple[Chains, dict[str, Any]]:
        """The figures, and the values (chains, draws, ...) of the sites of the model as written."""
        options = self.options
        warmup, draws = (BLOCK * math.ceil(n / BLOCK) for n in (options.warmup, options.draws))
        started = time.perf_counter()
        kernel = NUTS(self.variant.model, dense_mass=self.variant.dense)
        keys = jax.random.split(jax.random.PRNGKey(key), options.chains)
        state = kernel.init(keys, warmup, model_args=self.args, model_kwargs=self.kwargs)
        starting = time.perf_counter() - started
        if self._block is None:
            self._compile(kernel, state)
            self._compiling = time.perf_counter() - started - starting
        compiling = starting + self._compiling  # any key alone would have waited for it

        kept: list[Any] = []
        gradients, seconds, divergences = [0, 0], [0.0, 0.0], 0
        for at in range(0, warmup + draws, BLOCK):
            if sum(seconds) > options.limit:
                break
            began = time.perf_counter()
            state, (z, steps, diverging) = jax.device_get(self._block(state))
            phase = int(at >= warmup)
            seconds[phase] += time.perf_counter() - began
            gradients[phase] += int(steps.sum())
            if phase:
                kept.append(z)
                divergences += int(diverging.sum())
        found = BLOCK * len(kept)
        if found < min(FEWEST, draws):
            phase_said = f"{found} draws" if found else "warm-up"
            said = f"stopped in {phase_said} after {options.limit:.0f} s"
            return Chains(key, failed=said, stopped=True), {}
        z = jax.tree.map(lambda *parts: np.concatenate(parts), *kept)
        values = {n: np.swapaxes(np.asarray(v), 0, 1) for n, v in self._values(z).items()}
        least, median, worst = sizes(values)
        made = Chains(
            key=key,
            least=least,
            median=median,
            worst=worst,
            gradients=gradients[1],
            warmup_gradients=gradients[0],
            seconds=seconds[1],
            warmup_seconds=seconds[0],
            compiling=compiling,
            divergences=divergences,
            rhat=largest_rhat(values),
            draws=found,
            stopped=found < draws,
        )
        return made, values

    def _compile(self, kernel: Any, state: Any) -> None:
        def step(state: Any, _: Any) -> Any:
            state = kernel.sample(state, self.args, self.kwargs)
            return state, (state.z, state.num_steps, state.diverging)

        def block(state: Any) -> Any:
            return jax.lax.scan(step, state, None, length=BLOCK)

        self._block = jax.jit(block).lower(state).compile()
        constrained = kernel.postprocess_fn(self.args, self.kwargs)

        def values(z: Any) -> Any:
            found = constrained(z)
            return {name: found[name] for name in self.names}

        self._values = jax.jit(lambda z: jax.lax.map(jax.vmap(values), z))


def sizes(values: Mapping[str, Any]) -> tuple[float, float, str]:
    """The least and the median ESS of all elements, and the site of the least.

    values: (chains, draws, ...). An element that never moved has none.
    """
    every, least = [], {}
    for name, value in values.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.ravel(effective_sample_size(np.asarray(value, float)))
        found = np.where(np.isfinite(found), found, 0.0)
        every.append(found)
        least[name] = float(found.min(initial=math.inf))
    worst = min(least, key=lambda name: least[name])
    return least[worst], float(np.median(np.concatenate(every))), worst


def largest_rhat(values: Mapping[str, Any]) -> float:
    """The greatest split R-hat (Gelman et al. 2013) of any element."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = [np.max(split_gelman_rubin(np.asarray(v, float))) for v in values.values()]
    return float(np.nanmax(found))


def deviations(values: Mapping[str, Any]) -> dict[str, Any]:
    """The sd of every element, over the draws of all chains."""
    return {
        name: np.std(np.asarray(jnp.asarray(v)).reshape(-1, *v.shape[2:]), axis=0)
        for name, v in values.items()
    }
