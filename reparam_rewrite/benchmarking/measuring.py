"""One run of a variant from one key: NUTS, or SVI with a guide; and what guides are compared with.

NUTS is run in blocks of draws, so that compiling is told from sampling, warm-up from draws, and a
run can be stopped when its time is over.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.diagnostics import split_gelman_rubin
from numpyro.infer import SVI, Trace_ELBO, autoguide
from numpyro.infer.initialization import init_to_median, init_to_uniform

from reparam_rewrite.benchmarking.values import Chains, Guided, Options, Reference, Variant
from reparam_rewrite.fitting.pilots import DENSE, PARTICLES, drawn, hessian, training
from reparam_rewrite.fitting.running import sizes
from reparam_rewrite.running.call import Call
from reparam_rewrite.running.sampling import BLOCK, Nuts, joined, unconstrained

#: What a run that was stopped must have to be of use.
FEWEST = 100

#: Draws of a guide, for its ELBO and its sds.
DRAWS = 2_000

#: How many ELBOs of a run are kept, each the mean over its part of the steps.
TRACED = 200

#: Where a guide may start. For a model as written the median does better; the base of a fitted site
#: isn't near that of the plain one: in a basis it is far from it by the root of its size.
STARTS = (init_to_uniform, init_to_median)

#: Beyond this no matrix of second derivatives is made.
LARGEST = 4_000


# -- NUTS ------------------------------------------------------------------------------------------


class Samples(Protocol):
    """NUTS of one kind or another for a variant."""

    def run(self, key: int) -> tuple[Chains, dict[str, Any]]:
        """The figures, and the values (chains, draws, ...) of the sites of the model as written."""


class Sampler:
    """NUTS for a variant: what is compiled for one key serves the others."""

    def __init__(self, variant: Variant, options: Options) -> None:
        self.variant, self.options = variant, options
        self._compiled: Nuts | None = None

    def run(self, key: int) -> tuple[Chains, dict[str, Any]]:
        """As `Samples` has it."""
        options, variant = self.options, self.variant
        warmup, draws = (BLOCK * math.ceil(n / BLOCK) for n in (options.warmup, options.draws))
        began, given, before = time.perf_counter(), None, 0
        if variant.start is not None:
            *given, before = variant.start(variant.call, key, options.chains)
        finding = time.perf_counter() - began
        if self._compiled is None:
            self._compiled = Nuts(variant.call, warmup, options.chains, variant.kernel, given)
        nuts, keys = self._compiled, self._compiled.keys(key)
        began = time.perf_counter()
        state = nuts.start(keys, given)
        # Any key alone would have waited for all of it.
        waited = finding + nuts.compiling + time.perf_counter() - began

        kept: list[Any] = []
        gradients, seconds, divergences = [0, before], [0.0, 0.0], 0  # of draws and of warm-up
        for at in range(0, warmup + draws, BLOCK):
            if sum(seconds) > options.limit:
                break
            began = time.perf_counter()
            state, (z, steps, diverging) = nuts.block(keys, state)
            phase = int(at < warmup)
            seconds[phase] += time.perf_counter() - began
            gradients[phase] += int(steps.sum())
            if not phase:
                kept.append(z)
                divergences += int(diverging.sum())
        lengths = BLOCK * len(kept), draws
        figures = (*gradients, *seconds, waited, divergences)
        return summed_up(
            key, lengths, options.limit, figures, lambda: nuts.values(keys, joined(kept))
        )


def summed_up(
    key: int,
    lengths: tuple[int, int],
    limit: float,
    figures: tuple[Any, ...],
    values: Callable[[], dict[str, Any]],
) -> tuple[Chains, dict[str, Any]]:
    """What a run gives: its `Chains`, and the values of sites, (chains, draws, ...).

    lengths: how many draws each chain has, and how many it should have. figures: those of `Chains`
    from `gradients` to `divergences`.
    """
    found, draws = lengths
    if found < min(FEWEST, draws):
        phase = f"{found} draws" if found else "warm-up"
        return Chains(key, failed=f"stopped in {phase} after {limit:.0f} s", stopped=True), {}
    made = values()
    stopped = found < draws
    figures = (*sizes(made), *figures, largest_rhat(made), found, stopped)
    return Chains(key, *figures), made


def largest_rhat(values: Mapping[str, Any]) -> float:
    """The greatest split R-hat (Gelman et al. 2013) of any element of (chains, draws, ...)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = [np.max(split_gelman_rubin(np.asarray(v, float))) for v in values.values()]
    return float(np.nanmax(found))


# -- SVI -------------------------------------------------------------------------------------------


class Trainer:
    """SVI with a variant's guide: what is compiled for one key serves the others."""

    def __init__(self, variant: Variant, options: Options) -> None:
        self.variant, call = variant, variant.call
        self.block = max(1, options.steps // TRACED)
        self.steps = self.block * max(1, round(options.steps / self.block))
        self.gradients = self.steps * PARTICLES
        kind = getattr(autoguide, variant.guide)
        self.svi, self.other = (training(call.model, kind, at, self.steps) for at in STARTS)
        self.guide = self.svi.guide
        self._block: Any = None
        self._loss: Any = jax.jit(lambda at: self.svi.evaluate(at, *call.args, **call.kwargs))
        self._elbo: Any = jax.jit(self._evaluated)

    def train(self, key: int) -> tuple[dict[str, Any], list[float], float]:
        """The params, the ELBOs on the way, and the seconds that it took without compiling."""
        state = self.start(key)
        if self._block is None:

            def step(state: Any, _: Any) -> Any:
                return self.svi.update(state, *self.variant.call.args, **self.variant.call.kwargs)

            def block(state: Any) -> Any:
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

        def started(svi: SVI) -> tuple[Any, float]:
            call = self.variant.call
            state = svi.init(jax.random.PRNGKey(key), *call.args, **call.kwargs)
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
        loss, call = Trace_ELBO(num_particles=DRAWS, vectorize_particles=False), self.variant.call
        return -loss.loss(key, params, call.model, self.guide, *call.args, **call.kwargs)

    def run(self, reference: Reference | None, key: int) -> Guided:
        """The ELBO of a trained guide, and its sds as parts of those of a reference."""
        params, trace, seconds = self.train(key)
        own = jax.random.split(jax.random.PRNGKey(key + 1_000))
        elbo = float(self._elbo(own[0], params))
        if not np.isfinite(elbo):
            return Guided(key, failed="the ELBO is no number")
        found = {}
        if reference is not None:
            draws = drawn(self.guide, own[1], params, DRAWS, self.variant.call)
            for name, sd in reference.sd.items():
                width = np.std(np.asarray(draws[name], float), axis=0)
                found[name] = np.ravel(width) / np.ravel(sd)
        together = np.concatenate([*found.values()] or [np.zeros(1)])
        ratios = {name: spread(each) for name, each in found.items()}
        return Guided(key, elbo, ratios, *spread(together), tuple(trace), seconds)


def spread(values: Any) -> tuple[float, float, float]:
    """The least, the median and the greatest."""
    return float(values.min()), float(np.median(values)), float(values.max())


# -- the reference ---------------------------------------------------------------------------------


def exact(call: Call, seed: int = 0) -> Reference | None:
    """The sds of a posterior whose density has the same second derivatives everywhere.

    They are compared at two points, in unconstrained space: both must agree to 1e-8 of the largest.
    None if the posterior isn't normal, or has more values than `LARGEST`.
    """
    for site in (call.trace[name] for name in call.latents):
        support = getattr(site["fn"].support, "base_constraint", site["fn"].support)
        as_it_is = tuple(site["real_shape"]) == np.shape(site["value"])
        if type(support).__name__ != "_Real" or not as_it_is:
            return None
    space = unconstrained(call, seed)
    dims = len(space.start)
    if dims > LARGEST:
        return None
    slope = jax.grad(space.potential)
    rng = np.random.default_rng(seed)
    first = np.asarray(hessian(space)(space.start))
    # A product with a few directions tells the second matrix apart, and costs next to nothing.
    elsewhere = jnp.asarray(space.start + rng.normal(size=dims))
    directions = jnp.asarray(rng.normal(size=(3, dims)))
    products = jax.jit(jax.vmap(lambda v: jax.jvp(slope, (elsewhere,), (v,))[1]))(directions)
    if not np.allclose(products, directions @ first, rtol=0, atol=1e-8 * np.abs(first).max()):
        return None
    try:
        covariance = np.linalg.inv(np.linalg.cholesky(0.5 * (first + first.T)))
    except np.linalg.LinAlgError:
        return None
    sd = space.apart(jnp.asarray(np.sqrt((covariance**2).sum(axis=0))))
    found = {name: np.asarray(sd[name]).tolist() for name in call.latents}
    return Reference("exact, as the posterior is normal", True, found)


def long_run(variant: Variant, dims: int, options: Options) -> Reference:
    """NUTS on `variant`, of twice the chains and twice the length of the others.

    Raises `RuntimeError` where it fails.
    """
    twice = {name: 2 * getattr(options, name) for name in ("draws", "warmup", "chains")}
    longer = options._replace(**twice, limit=4 * options.limit)
    dense = dims <= DENSE
    found, values = Sampler(variant._replace(kernel={"dense_mass": dense}), longer).run(key=12_345)
    if found.failed or not math.isfinite(found.least):
        raise RuntimeError(f"the long run for reference: {found.failed or 'no numbers'}")
    mass = "a dense" if dense else "a diagonal"
    how = f"NUTS on '{variant.name}' with {mass} mass matrix, {longer.chains} x {found.draws} draws"
    sd = {name: np.std(v.reshape(-1, *v.shape[2:]), axis=0).tolist() for name, v in values.items()}
    return Reference(how, False, sd, found.least)
