"""Draws from the posterior to fit coefficients to: a short run of one kind or another, or a file.

A run is one of the generated model as the config has it, since that is where the person expects
the posterior to be easier; what it gives are values of the sites of the model as written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer import SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoMultivariateNormal
from numpyro.infer.initialization import init_to_median
from numpyro.optim import Adam
from scipy.optimize import minimize
from tqdm.auto import tqdm

from reparam_rewrite.fitting.values import Pilot
from reparam_rewrite.messages import Diagnostic, Refusal, listed
from reparam_rewrite.running.call import Call
from reparam_rewrite.running.errors import first_line
from reparam_rewrite.running.sampling import BLOCK, Nuts, Space, is_finite, joined, unconstrained
from reparam_rewrite.running.trace import compiled, copied, double_precision, is_latent
from reparam_rewrite.running.values import Model, Trace

#: Up to how many values a whole matrix of masses is adapted, and one of covariances is learned.
DENSE = 500
LARGEST_GUIDE = 2_000

#: Beyond this the matrix of second derivatives doesn't fit: 8 GB.
LARGEST_HESSIAN = 10_000

#: A transition of warm-up may take this many doublings, one after it numpyro's default.
DEPTHS = (8, 10)

#: What is asked of the mode: the Newton decrement, twice the height that is left (nats).
CLOSE = 1e-8
NEWTONS = 100

#: Of the optimiser of a guide: how many steps of which size, and how many draws for each gradient.
STEPS = 10_000
RATE = 0.01
PARTICLES = 8

#: How many of them are compiled as one: the bar moves after each.
SHOWN = 100


class Options(NamedTuple):
    """How long a run is. `draws` are of all chains together; `bar`: show one."""

    draws: int = 1_000
    warmup: int = 500
    chains: int = 2
    seed: int = 0
    bar: bool = False


def run_pilot(kind: str, call: Call, options: Options) -> Pilot:
    """Draws from a run of the `kind` "nuts", "laplace" or "fullrank".

    Raises `Refusal` where it can't be made, or gives numbers that are none.
    """
    return of_latents(run_whole(kind, call, options, call.latents), call)


def run_whole(kind: str, call: Call, options: Options, names: Sequence[str]) -> Pilot:
    """The same, with draws of other sites, as of what a generated model samples."""
    kinds = {"nuts": nuts, "laplace": laplace, "fullrank": fullrank}
    with double_precision():
        args, kwargs = copied(call.args, call.kwargs)
        return kinds[kind](call._replace(args=args, kwargs=kwargs), options, names)


def of_latents(pilot: Pilot, call: Call) -> Pilot:
    """The draws of the plain model's sites, if all are numbers. Raises `Refusal`."""
    draws = {name: np.asarray(pilot.draws[name]) for name in call.latents}
    return checked(pilot._replace(draws=draws), pilot.how)


def checked(pilot: Pilot, source: str) -> Pilot:
    """The pilot, if all of its draws are numbers. Raises `Refusal`."""
    wrong = [name for name, values in pilot.draws.items() if not np.isfinite(values).all()]
    if wrong:
        message = f"{source} has values of {listed(wrong)} that are no numbers"
        raise Refusal(Diagnostic(None, message, "try another --pilot."))
    return pilot


# -- NUTS ------------------------------------------------------------------------------------------


def nuts(call: Call, options: Options, names: Sequence[str]) -> Pilot:
    """A short run of NUTS, with a whole matrix of masses where that is affordable.

    Source: Hoffman and Gelman (2014).
    """
    dense = dims_of(call.trace) <= DENSE
    count = math.ceil(options.draws / options.chains)
    warmup, total = options.warmup, options.warmup + count
    gradients, kept = [], []
    with tqdm(total=total, desc="compiling", disable=not options.bar) as bar:
        kernel = {"dense_mass": dense, "max_tree_depth": DEPTHS}
        sampler = Nuts(call, warmup, options.chains, kernel, quick=True, names=names)
        keys = sampler.keys(options.seed)
        try:
            state = sampler.start(keys)
        except RuntimeError as error:
            if "valid initial parameters" not in str(error):  # as NumPyro says
                raise
            raise Refusal(no_start(call)) from None
        bar.reset()  # the time left is that of steps alone
        for at in range(0, total, BLOCK):
            bar.set_description("warmup" if at < warmup else "sample")
            state, (z, steps, diverging) = sampler.block(keys, state)
            gradients.append(steps)
            if at + BLOCK > warmup:
                kept.append((z, diverging))
            bar.update(min(BLOCK, total - at))
    first = warmup % BLOCK
    z, diverging = jax.tree.map(lambda draws: draws[first : first + count], joined(kept))
    mass = "a dense mass matrix" if dense else "a diagonal mass matrix"
    return Pilot(
        {name: v.reshape(-1, *v.shape[2:]) for name, v in sampler.values(keys, z).items()},
        np.repeat(np.arange(options.chains), count),
        f"NUTS with {mass}: {options.chains} chains, {warmup} + {count} draws each",
        int(np.concatenate(gradients)[:total].sum()),
        int(diverging.sum()),
    )


def no_start(call: Call) -> Diagnostic:
    """NUTS has no point to start from, and what may be the reason."""
    message = f"the log density of '{call.name}' is finite at no point that NUTS could start from"
    observed = {n: site["value"] for n, site in call.trace.items() if site.get("is_observed")}
    wrong = [name for name, value in observed.items() if not np.isfinite(value).all()]
    hint = "look at what is observed: the priors may not allow it."
    if wrong:
        hint = f"what is observed of {listed(wrong)} has values that aren't finite."
    return Diagnostic(call.document.path, message, hint)


def dims_of(trace: Trace) -> int:
    """How many unconstrained latent values there are."""
    return sum(math.prod(site.get("real_shape", ())) for site in trace.values() if is_latent(site))


# -- the normal at the mode ------------------------------------------------------------------------


def laplace(call: Call, options: Options, names: Sequence[str]) -> Pilot:
    """Draws of the normal that has the mode's curvature, in unconstrained space.

    Source: Tierney and Kadane (1986); exact where the posterior is normal. Raises `Refusal` for a
    posterior without a mode, and for more values than `LARGEST_HESSIAN`.
    """
    space = unconstrained(call, options.seed)
    dims = len(space.start)
    if dims > LARGEST_HESSIAN:
        message = f"the model has {dims:,} values: their second derivatives don't fit in memory"
        raise Refusal(Diagnostic(None, message, "use --pilot nuts."))
    value_and_slope, curvature = jax.jit(jax.value_and_grad(space.potential)), hessian(space)
    count = 0

    def height(x: Any) -> Any:
        nonlocal count
        count += 1
        value, slope = jax.device_get(value_and_slope(x))
        return (float(value), np.asarray(slope, float)) if np.isfinite(value) else (1e300, 0 * x)

    more = {"maxiter": 2_000}
    x = minimize(height, np.asarray(space.start), jac=True, method="L-BFGS-B", options=more).x
    for _ in range(NEWTONS):
        matrix = np.asarray(curvature(x))
        count += 2 * dims
        factor, damped = cholesky(0.5 * (matrix + matrix.T))
        value, slope = height(x)
        half = np.linalg.solve(factor, slope)
        step = np.linalg.solve(factor.T, half)
        if half @ half < CLOSE and not damped:
            break
        length = 1.0
        while length > 1e-10 and not height(x - length * step)[0] < value:
            length /= 2
        if length <= 1e-10:
            if damped or half @ half > 1e-3:
                raise Refusal(NO_MODE)
            break
        x = x - length * step
    else:
        raise Refusal(NO_MODE)
    noise = np.random.default_rng(options.seed).normal(size=(dims, options.draws))
    values = x + np.linalg.solve(factor.T, noise).T
    draws = jax.device_get(jax.jit(lambda rows: jax.lax.map(space.sites, rows))(values))
    how = f"the normal at the posterior's mode: {options.draws} draws"
    draws = {name: draws[name] for name in names}
    return Pilot(draws, np.zeros(options.draws, np.int64), how, count)


NO_MODE = Diagnostic(
    None,
    "the posterior has no mode at which its density is curved in every direction",
    "as that of a hierarchical model often hasn't: use --pilot nuts.",
)


def cholesky(matrix: Any) -> tuple[Any, bool]:
    """The factor of a matrix, of one with more on its diagonal where it has none.

    Raises `Refusal` for a matrix with elements that are no numbers.
    """
    try:
        return np.linalg.cholesky(matrix), False
    except np.linalg.LinAlgError:
        if not np.isfinite(matrix).all():
            raise Refusal(NO_MODE) from None
        lowest, largest = np.linalg.eigvalsh(matrix)[[0, -1]]
        more = max(1e-6, -1.5 * lowest, 1e-12 * largest) * np.eye(len(matrix))
        return np.linalg.cholesky(matrix + more), True


def hessian(space: Space) -> Callable[[Any], Any]:
    """The second derivatives of the potential at a point, (dims, dims), 64 rows at a time."""
    slope = jax.grad(space.potential)

    def found(x: Any) -> Any:
        units = jnp.eye(len(space.start))
        return jax.lax.map(lambda unit: jax.jvp(slope, (x,), (unit,))[1], units, batch_size=64)

    return jax.jit(found)


# -- a guide ---------------------------------------------------------------------------------------


def fullrank(call: Call, options: Options, names: Sequence[str]) -> Pilot:
    """Draws of a normal guide with a whole covariance matrix.

    Raises `Refusal` for more values than `LARGEST_GUIDE`.
    """
    dims = dims_of(call.trace)
    if dims > LARGEST_GUIDE:
        message = f"the model has {dims:,} values, and as many squared are a lot to learn"
        raise Refusal(Diagnostic(None, message, "use --pilot nuts or laplace."))
    key, own = (jax.random.PRNGKey(options.seed + at) for at in (0, 1))

    def started(key: Any) -> tuple[SVI, Any]:
        svi = training(call.model, AutoMultivariateNormal, init_to_median, STEPS)
        return svi, svi.init(key, *call.args, **call.kwargs)

    def steps(key: Any, state: Any) -> Any:
        svi = started(key)[0]

        def step(state: Any, _: Any) -> Any:
            return svi.update(state, *call.args, **call.kwargs)

        return jax.lax.scan(step, state, None, length=SHOWN)

    def draws(key: Any, own: Any, state: Any) -> Any:
        svi = started(key)[0]
        found = drawn(svi.guide, own, svi.get_params(state), options.draws, call)
        return {name: found[name] for name in names}

    with tqdm(total=STEPS, desc="compiling", disable=not options.bar) as bar:
        state = compiled(lambda key: started(key)[1], key)(key)
        block = compiled(steps, key, state, well=True)
        bar.set_description("training")
        bar.reset()
        for at in range(0, STEPS, SHOWN):
            state, losses = block(key, state)
            if at == 0 and not is_finite(losses):
                started(key)  # which says where it has no start
            bar.set_postfix(loss=float(losses.mean()), refresh=False)
            bar.update(SHOWN)
    found = compiled(draws, key, own, state)(key, own, state)
    how = f"a guide with a whole covariance matrix: {options.draws} draws"
    return Pilot(found, np.zeros(options.draws, np.int64), how, PARTICLES * STEPS)


def training(model: Model, kind: Callable[..., Any], start: Any, steps: int) -> SVI:
    """SVI of a kind of guide from a start, with a step size that falls to a hundredth."""
    guide = kind(model, init_loc_fn=start)
    loss = Trace_ELBO(num_particles=PARTICLES, vectorize_particles=True)
    return SVI(model, guide, Adam(lambda step: RATE * 0.01 ** (step / steps)), loss)


def drawn(guide: Any, key: Any, params: Any, count: int, call: Call) -> Mapping[str, Any]:
    """Draws of a trained guide, which NumPyro 0.16 doesn't ask for the model's arguments."""
    draw, args, kwargs = guide.sample_posterior, call.args, call.kwargs
    if "args" not in signature(draw).parameters:
        args, kwargs = (), {}
    found: Mapping[str, Any] = draw(key, params, *args, sample_shape=(count,), **kwargs)
    return found


# -- a file ----------------------------------------------------------------------------------------


def read_pilot(path: str, call: Call) -> Pilot:
    """Draws that are in a file: .npz of ``mcmc.get_samples()``, or NetCDF of arviz.

    Arrays have one or two axes of draws in front, (draw, ...) or (chain, draw, ...). Raises
    `Refusal` for what can't be read, and for sites that are missing or have another shape.
    """
    found = from_npz(path) if path.endswith(".npz") else from_netcdf(path)
    names = call.latents
    missing = [name for name in names if name not in found]
    if missing:
        bases = [name for name in missing if f"{name}_base" in found]
        hint = "the values of all latent sites of the model as written are needed."
        if bases:
            hint = f"it has {bases[0]}_base; save {bases[0]} too, which is in get_samples()."
        raise Refusal(Diagnostic(path, f"the file has no draws of {listed(missing)}", hint))
    draws, chain = {}, None
    for name in names:
        values, shape = np.asarray(found[name], float), call.trace[name]["value"].shape
        front = values.shape[: values.ndim - len(shape)]
        if values.shape[len(front) :] != shape or not 1 <= len(front) <= 2:
            message = f"the file has draws of '{name}' of the shape {values.shape}"
            hint = f"the site has the shape {shape}, with an axis of draws or two in front."
            raise Refusal(Diagnostic(path, message, hint))
        number = np.repeat(np.arange(front[0] if len(front) == 2 else 1), front[-1])
        if chain is not None and len(number) != len(chain):
            count, first = len(chain), names[0]
            message = f"the file has {len(number)} draws of '{name}', and {count} of '{first}'"
            raise Refusal(Diagnostic(path, message))
        chain = number if chain is None or len(front) == 2 else chain
        draws[name] = values.reshape(-1, *shape)
    if chain is None or len(chain) < 10:
        raise Refusal(Diagnostic(path, "the file has too few draws: at least 10 are needed"))
    return checked(Pilot(draws, chain, f"{len(chain):,} draws of {path}"), path)


def from_npz(path: str) -> Mapping[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise Refusal(Diagnostic(path, f"the file cannot be read as .npz: {error}")) from None


def from_netcdf(path: str) -> Mapping[str, Any]:
    """The group "posterior" of the file that ``InferenceData.to_netcdf`` writes."""
    try:
        import arviz
    except ImportError:
        message = "NetCDF is read by arviz, which is not installed"
        hint = "pip install arviz, or save the draws as .npz: numpy.savez(path, **get_samples())."
        raise Refusal(Diagnostic(path, message, hint)) from None
    if not Path(path).exists():
        raise Refusal(Diagnostic(path, "there is no such file"))
    try:
        read: Any = arviz.from_netcdf
        posterior = read(path).posterior
    except Exception as error:
        message = f"the file cannot be read as NetCDF: {first_line(error)}"
        raise Refusal(Diagnostic(path, message)) from None
    return {str(name): np.asarray(values) for name, values in posterior.data_vars.items()}
