"""One run of a variant from one key by nutpie, which learns masses from gradients too.

The mass matrix is diagonal, or that and a few directions (Seyboldt, Carlson and Carpenter 2024). It
is run as its users run it: each chain in a thread of its own, as far as there are cores.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from reparam_rewrite.benchmarking.measuring import summed_up
from reparam_rewrite.benchmarking.values import Chains, Options, Variant
from reparam_rewrite.running.sampling import unconstrained
from reparam_rewrite.running.trace import double_precision


class Programs(NamedTuple):
    """The log density and its gradient at a vector, the sites of many, and where chains start."""

    density: Callable[[Any], tuple[float, Any]]
    sites: Callable[[Any], Any]
    start: Any


class Nutpie:
    """nutpie for a variant: what is compiled for one key serves the others.

    `Variant.kernel` has further arguments of ``nutpie.sample``.
    """

    def __init__(self, variant: Variant, options: Options) -> None:
        self.variant, self.options = variant, options
        self._programs: Programs | None = None
        self._compiling = 0.0

    def run(self, key: int) -> tuple[Chains, dict[str, Any]]:
        """As `measuring.Samples` has it."""
        began = time.perf_counter()
        if self._programs is None:
            self._programs = self._compiled()
            self._compiling = time.perf_counter() - began
        options, sites = self.options, self._programs.sites
        with warnings.catch_warnings(action="ignore"):  # ArviZ tells of its own future
            trace, seconds = self._sampled(self._programs, key)
        x = np.asarray(trace.posterior["x"])
        found = int(np.isfinite(x).all(axis=2).sum(axis=1).min())  # others wait for the last
        stats = [trace.sample_stats, trace.warmup_sample_stats]
        gradients = [int(np.sum(of["n_steps"])) for of in stats]
        divergences = int(np.sum(stats[0]["diverging"]))

        def values() -> dict[str, Any]:
            return {name: np.asarray(v) for name, v in sites(jnp.asarray(x[:, :found])).items()}

        figures = (*gradients, *seconds, self._compiling, divergences)
        return summed_up(key, (found, options.draws), options.limit, figures, values)

    def _compiled(self) -> Programs:
        call = self.variant.call
        space = unconstrained(call, seed=0)
        slope = jax.value_and_grad(lambda x: -space.potential(x))
        compiled = jax.jit(slope).lower(space.start).compile()

        def density(x: Any) -> tuple[float, Any]:
            with double_precision():  # each thread has its own
                height, gradient = compiled(x)
                return float(height), np.asarray(gradient)

        def values(x: Any) -> Any:
            found = space.sites(x)
            return {name: found[name] for name in call.latents}

        sites = jax.jit(lambda x: jax.lax.map(jax.vmap(values), x))
        return Programs(density, sites, np.asarray(space.start, float))

    def _sampled(self, programs: Programs, key: int) -> tuple[Any, tuple[float, float]]:
        """All draws as ArviZ has them, and the seconds of those that are kept and of warm-up."""
        import nutpie
        from nutpie.compiled_pyfunc import from_pyfunc

        options, dims = self.options, len(programs.start)
        clocks: list[list[float]] = []  # for each chain, when it made which draw

        def drawing(*_: Any) -> Callable[[Any], dict[str, Any]]:
            clock: list[float] = []
            clocks.append(clock)

            def drawn(x: Any) -> dict[str, Any]:
                clock.append(time.perf_counter())
                return {"x": np.asarray(x)}

            return drawn

        kinds = [np.dtype(float)]
        model = from_pyfunc(dims, lambda: programs.density, drawing, kinds, [(dims,)], ["x"])
        began = time.perf_counter()
        running = nutpie.sample(
            model,
            draws=options.draws,
            tune=options.warmup,
            chains=options.chains,
            seed=key,
            init_mean=programs.start,
            progress_bar=False,
            blocking=False,
            **self.variant.kernel,
        )
        try:
            trace = running.wait(timeout=options.limit)
        except TimeoutError:
            trace = running.abort()
        # Chains end at different times: the seconds of all together are shared as theirs are.
        ran = [clock for clock in clocks if clock]
        ends = [clock[-1] - began for clock in ran]
        warmups = [clock[: options.warmup][-1] - began for clock in ran]
        warmup = max(ends, default=0.0) * sum(warmups) / sum(ends) if ends else 0.0
        return trace, (max(ends, default=0.0) - warmup, warmup)
