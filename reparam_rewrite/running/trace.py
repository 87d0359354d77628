"""Runs of a model: its sites under given values, with or without compiling it."""

from __future__ import annotations

import copy
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
from numpyro import handlers
from numpyro.distributions import ImproperUniform, biject_to, constraints
from numpyro.primitives import Messenger

from reparam_rewrite.running import parts
from reparam_rewrite.running.environment import IN_TURN
from reparam_rewrite.running.values import Model, Site, Trace, Values

#: What makes XLA compile faster: most of the time goes to the compiler. Each is for an XLA that
#: doesn't know an option of those before it; without the last the program is as fast.
HASTY: tuple[dict[str, Any], ...] = (
    IN_TURN,  # where who calls this has set up jax themselves
    # Halves the time of the compiler.
    {"xla_cpu_use_fusion_emitters": False},
    {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True},
)

#: A generator of jax whose random numbers are weaker than the default's.
CHEAP = "unsafe_rbg"

#: The key of a trace under which the returned value is: not a name that a site may have.
RETURN = "<return>"


@contextmanager
def double_precision() -> Iterator[None]:
    """A block in which jax computes in float64: what users run is float32, so no global switch.

    jax remembers NumPy's arrays that a model reads from outside by the precision that they first
    had, and can't trace it any more in the other one: it has to forget both before and after.
    """
    known: Any = jax  # it has no types for these
    if known.config.jax_enable_x64:
        yield
        return
    # It lived elsewhere before jax 0.8.
    module = jax if hasattr(jax, "enable_x64") else import_module("jax.experimental")
    known.clear_caches()
    try:
        with module.enable_x64(True):
            yield
    finally:
        known.clear_caches()


def copied(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
    """The arguments with arrays of their own.

    jax may remember by its identity an array that was a float32 constant in an earlier run.
    """
    return parts.mapped(copy.copy, tuple(args)), parts.mapped(copy.copy, dict(kwargs))


def compiled(function: Any, *like: Any, well: bool = False) -> Any:
    """`function` compiled for arguments like these, fast; with `well` it is fast when it runs."""
    options = options_of(len(HASTY) - well)
    return jax.jit(function).lower(*like).compile(compiler_options=options)


@cache
def options_of(count: int) -> dict[str, Any]:
    """The first of `HASTY`, as many as `count`, or as many from their end as this XLA knows."""
    for start in range(count):
        options = dict(ChainMap(*HASTY[start:count]))
        try:
            jax.jit(lambda: 0).lower().compile(compiler_options=options)
        except Exception:
            continue
        return options
    return {}


def cheap_key(seed: int) -> jax.Array:
    """A key whose random numbers are weaker than the default's, but compile in half the time."""
    return jax.random.key(seed, impl=CHEAP)


def compiled_with_key(
    function: Any, *like: Any
) -> tuple[Callable[..., Any], Callable[[int], jax.Array]]:
    """`function` of a key and of arguments like these, compiled, and what makes its keys of seeds.

    The keys are cheap ones, unless the function draws what there is no algorithm for with these.
    """
    try:
        return compiled(function, cheap_key(0), *like), cheap_key
    except NotImplementedError:
        return compiled(function, jax.random.key(0), *like), jax.random.key


class Unconditioned(Messenger):  # type: ignore[misc]
    """Draws observed sites too: ``handlers.uncondition``, which NumPyro 0.16 doesn't have."""

    def process_message(self, msg: dict[str, Any]) -> None:
        if msg["type"] == "sample" and msg["is_observed"]:
            msg["is_observed"], msg["value"] = False, None


class KeysForCounts(Messenger):  # type: ignore[misc]
    """Gives a distribution of counts a key of JAX's own generator, where the key is a cheap one.

    Poisson draws have an algorithm for those alone, and compile in a third of the time of a program
    in which all draws are made with them.
    """

    def process_message(self, msg: dict[str, Any]) -> None:
        key = msg["kwargs"].get("rng_key") if msg["type"] == "sample" else None
        if key is None or not msg["fn"].support.is_discrete:
            return
        typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
        if typed and str(jax.random.key_impl(key)) == CHEAP:
            bits = jax.random.key_data(key)[..., :2]
            msg["kwargs"]["rng_key"] = jax.random.wrap_key_data(bits, impl="threefry2x32")


class FromNowhere(Messenger):  # type: ignore[misc]
    """Gives sites whose prior is improper, from which nothing can be drawn, a value of it.

    It is that of 0 in unconstrained space.
    """

    def process_message(self, msg: dict[str, Any]) -> None:
        if msg["type"] == "sample" and msg["value"] is None:
            fn = msg["fn"]
            while hasattr(fn, "base_dist"):
                fn = fn.base_dist
            if isinstance(fn, ImproperUniform):
                to_support = biject_to(msg["fn"].support)
                shape = (*msg["kwargs"].get("sample_shape", ()), *msg["fn"].shape())
                msg["value"] = to_support(jnp.zeros(to_support.inverse_shape(shape)))


def traced(
    model: Model,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    data: Values | None = None,
    key: jax.Array | int = 0,
    unconstrained: Values | None = None,
    substitute: Callable[[Site], Any] | None = None,
) -> Trace:
    """The trace of one seeded run with the given values of sites.

    unconstrained: values of latents in the space that samplers see, mapped to their supports.
    substitute: gives the value of any other site, None to leave it alone.
    """

    def constrain(site: Site) -> Any:
        value = (unconstrained or {}).get(site["name"])
        if value is None or site["type"] != "sample":
            return substitute(site) if substitute else None
        return biject_to(site["fn"].support)(value)

    with (
        FromNowhere(),
        KeysForCounts(),
        handlers.seed(rng_seed=key),
        handlers.trace() as trace,
        handlers.substitute(data=data or {}),
        handlers.substitute(substitute_fn=constrain),
    ):
        returned = model(*args, **kwargs)
    return {**trace, RETURN: {"type": "return", "value": returned}}


def structure(
    model: Model, args: Sequence[Any], kwargs: Mapping[str, Any], draws: int = 0
) -> Trace:
    """A trace of which only these values are computed: observed, plates, params, discrete latents.

    draws: how many further values of each discrete latent are to be drawn, as "draws", beside its
    "support"; a param gets "random", whether its initial value changes with the key.

    The values of other sites are a shape and a dtype; "real_shape" is that of a latent value in
    unconstrained space. That and compiling the run as a whole takes a hundredth of the time of a
    plain trace, which compiles each operation by itself. Raises what the model raises.
    """
    sites: dict[str, Site] = {}

    def run(key: jax.Array) -> Values:
        sites.clear()
        sites.update(traced(model, args, kwargs, key=key))
        del sites[RETURN]
        return {name: computed(site, draws) for name, site in sites.items()}

    program, key = compiled_with_key(run)
    values = program(key(0))
    found = {name: {**site, **values[name]} for name, site in sites.items()}
    discrete = [name for name, site in found.items() if is_latent(site) and is_discrete(site)]
    others = [program(key(1 + at)) for at in range(draws if discrete else min(draws, 1))]
    for name in discrete:
        found[name]["draws"] = [other[name]["value"] for other in others]
    for name, site in found.items():
        if site["type"] == "param" and others:
            site["random"] = not parts.equal(site["value"], others[0][name]["value"])
    return found


def computed(site: Site, draws: int) -> Values:
    """What of a site is computed; the value of one of which nothing is becomes its shape."""
    value, continuous = site["value"], is_latent(site) and not is_discrete(site)
    if continuous:
        site["real_shape"] = biject_to(site["fn"].support).inverse_shape(jnp.shape(value))
    if continuous or site["type"] == "deterministic":
        site["value"] = parts.mapped(shape_of, value)
        return {}
    if site["type"] == "param":
        # A program can return a constraint whose bounds are numbers, which may be computed in it.
        constraint = site["kwargs"].get("constraint", constraints.real)
        numbers = all(map(parts.is_array, jax.tree.leaves(constraint)))
        constraint = constraint if numbers else None
        return {"value": value, "args": site["args"], "constraint": constraint}
    found = {"value": value}
    if is_latent(site) and draws:
        try:
            found["support"] = jnp.ravel(site["fn"].enumerate_support(expand=False))
        except Exception:
            found["support"] = None  # its elements may have any number of values
    return found


def shape_of(leaf: Any) -> Any:
    """The shape and dtype of an array, without its values; anything else as it is."""
    return jax.eval_shape(lambda: jnp.asarray(leaf)) if parts.is_array(leaf) else leaf


def is_discrete(site: Site) -> bool:
    return bool(site["fn"].support.is_discrete)


def is_latent(site: Site) -> bool:
    return bool(site["type"] == "sample" and not site["is_observed"])


def is_subsampled(site: Site) -> bool:
    """Whether a site is a plate with a part of its elements only."""
    # The arguments of a plate are its size and its subsample size or None.
    return site["type"] == "plate" and site["args"][1] not in (None, site["args"][0])


def is_real(support: Any) -> bool:
    """Whether a support is all real numbers, vectors or matrices."""
    while hasattr(support, "base_constraint"):
        support = support.base_constraint
    return type(support).__name__ in ("_Real", "_RealVector", "_RealMatrix")


def full_value(param: Site) -> Any:
    """The initial value of a param; in the trace of a subsampled plate there is only a part."""
    return param["args"][0] if param["args"] else param["value"]


def constraint_of(param: Site) -> Any:
    return param.get("constraint") or param["kwargs"].get("constraint", constraints.real)


def same_constraint(one: Any, other: Any) -> bool:
    """Whether two constraints of params are of one kind, with equal bounds."""
    if one is other:
        return True
    if not isinstance(one, constraints.Constraint):
        return parts.equal(one, other)
    if type(one) is not type(other) or vars(one).keys() != vars(other).keys():
        return False
    return all(same_constraint(value, vars(other)[name]) for name, value in vars(one).items())
