"""SVI with an autoguide on a variant, from one key: how close the guide comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from numpyro.infer import SVI, Trace_ELBO, autoguide
from numpyro.infer.initialization import init_to_median, init_to_uniform

from reparam_rewrite.bench.values import Cost, Guided, Options, Reference, Variant
from reparam_rewrite.fit.pilots import PARTICLES, drawn, training

#: Draws of the guide, for its ELBO and its sds.
DRAWS = 2_000

#: How many ELBOs of a run are kept, each the mean over its part of the steps.
TRACED = 200

#: Where a guide may start. For a model as written the median does better; the base of a fitted site
#: isn't near that of the plain one: in a basis it is far from it by the root of its size.
STARTS = (init_to_uniform, init_to_median)


class Trainer:
    """SVI for a variant: what is compiled for one key serves the others."""

    def __init__(
        self, variant: Variant, args: Sequence[Any], kwargs: Mapping[str, Any], options: Options
    ) -> None:
        self.args, self.kwargs = tuple(args), dict(kwargs)
        self.block = max(1, options.steps // TRACED)
        self.steps = self.block * max(1, round(options.steps / self.block))
        self.svi, self.other = (self._from(variant, where) for where in STARTS)
        self.guide = self.svi.guide
        self.variant = variant
        self._block: Any = None
        self._loss: Any = jax.jit(lambda at: self.svi.evaluate(at, *self.args, **self.kwargs))
        self._elbo: Any = jax.jit(self._evaluated)

    def _from(self, variant: Variant, where: Callable[..., Any]) -> SVI:
        guide = getattr(autoguide, variant.guide)(variant.model, init_loc_fn=where)
        return training(variant.model, guide, self.steps)

    def train(self, key: int) -> tuple[dict[str, Any], list[float], float]:
        """The params, the ELBOs on the way, and the seconds that it took without compiling."""
        state = self.start(key)
        if self._block is None:

            def block(state: Any) -> Any:
                def step(state: Any, _: Any) -> Any:
                    return self.svi.update(state, *self.args, **self.kwargs)

                state, losses = jax.lax.scan(step, state, None, length=self.block)
                return state, losses.mean()

            self._block = jax.jit(block).lower(state).compile()
        began = time.perf_counter()
        trace = []
        for _ in range(self.steps // self.block):
            state, loss = self._block(state)
            trace.append(-float(loss))
        seconds = time.perf_counter() - began
        return self.svi.get_params(state), trace, seconds

    def start(self, key: int) -> Any:
        """Where SVI starts: the better of `STARTS`. The guide then knows the model."""
        seed = jax.random.PRNGKey(key)

        def started(svi: SVI) -> tuple[Any, float]:
            state = svi.init(seed, *self.args, **self.kwargs)
            loss = float(self._loss(state))
            return state, loss if np.isfinite(loss) else np.inf

        state, loss = started(self.svi)
        try:
            other, less = started(self.other)
        except Exception:  # an improper prior has no median
            return state
        return other if less < loss else state

    def _evaluated(self, key: Any, params: dict[str, Any]) -> Any:
        """The ELBO of trained params."""
        loss = Trace_ELBO(num_particles=DRAWS, vectorize_particles=False)
        call = (self.variant.model, self.guide, *self.args)
        return -loss.loss(key, params, *call, **self.kwargs)

    @property
    def gradients(self) -> int:
        return self.steps * PARTICLES

    def cost(self, seconds: float) -> Cost:
        return Cost(self.gradients, seconds)

    def run(self, key: int, reference: Reference | None) -> Guided:
        params, trace, seconds = self.train(key)
        own = jax.random.split(jax.random.PRNGKey(key + 1_000))
        elbo = float(self._elbo(own[0], params))
        if not np.isfinite(elbo):
            return Guided(key, failed="the ELBO is no number")
        ratios: dict[str, tuple[float, float, float]] = {}
        every = []
        if reference is not None:
            draws = drawn(self.guide, own[1], params, DRAWS, self.args, self.kwargs)
            for name, sd in reference.sd.items():
                found = np.ravel(np.std(np.asarray(draws[name], float), axis=0)) / np.ravel(sd)
                ratios[name] = (float(found.min()), float(np.median(found)), float(found.max()))
                every.append(found)
        together = np.concatenate(every) if every else np.zeros(1)
        return Guided(
            key=key,
            elbo=elbo,
            ratios=ratios,
            least=float(together.min()),
            median=float(np.median(together)),
            greatest=float(together.max()),
            trace=tuple(trace),
            seconds=seconds,
        )
