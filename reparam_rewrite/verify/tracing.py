"""Runs of a model: its sites under given values, with or without compiling it."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers
from numpyro.distributions import biject_to, constraints
from numpyro.primitives import Messenger

from reparam_rewrite.verify.values import Model, Site, Trace, Values

#: What makes XLA compile faster and the program slower: most of the time goes to the compiler.
HASTY: dict[str, Any] = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
}

#: The key of a trace under which the returned value is: not a name that a site may have.
RETURN = "<return>"


def double_precision() -> AbstractContextManager[Any]:
    """A block in which jax computes in float64.

    A context rather than a global switch: what users run is float32.
    """
    made: AbstractContextManager[Any]
    if hasattr(jax, "enable_x64"):
        made = jax.enable_x64(True)
    else:  # where it lived before jax 0.8
        made = importlib.import_module("jax.experimental").enable_x64()
    return made


def copied(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
    """The arguments with arrays of their own.

    jax may remember by its identity an array that was a float32 constant in an earlier run.
    """
    copies: tuple[Any, Any] = jax.tree.map(copy.copy, (tuple(args), dict(kwargs)))
    return copies


def compiled(function: Any, *like: Any) -> Any:
    """`function` compiled for arguments like these, fast rather than well."""
    return jax.jit(function).lower(*like).compile(compiler_options=HASTY)


class Unconditioned(Messenger):  # type: ignore[misc]
    """Draws observed sites too: ``handlers.uncondition``, which NumPyro 0.16 doesn't have."""

    def process_message(self, msg: dict[str, Any]) -> None:
        if msg["type"] == "sample" and msg["is_observed"]:
            msg["is_observed"], msg["value"] = False, None


def cheap_key(seed: int) -> jax.Array:
    """A key whose random numbers are weaker than the default's, but compile in half the time."""
    return jax.random.key(seed, impl="unsafe_rbg")


def traced(
    model: Model,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    data: Values | None = None,
    key: jax.Array | int = 0,
    unconstrained: Values | None = None,
) -> Trace:
    """The trace of one seeded run with the given values of sites.

    unconstrained: values of latents in the space that samplers see, mapped to their supports.
    """

    def constrain(site: Site) -> Any:
        value = (unconstrained or {}).get(site["name"])
        if value is None or site["type"] != "sample":
            return None
        return biject_to(site["fn"].support)(value)

    with (
        handlers.seed(rng_seed=key),
        handlers.trace() as trace,
        handlers.substitute(data=data or {}),
        handlers.substitute(substitute_fn=constrain),
    ):
        returned = model(*args, **kwargs)
    numbers = (jax.Array, np.ndarray, np.generic, float, int)
    arrays = [leaf for leaf in jax.tree.leaves(returned) if isinstance(leaf, numbers)]
    return {**trace, RETURN: {"type": "return", "value": arrays}}


def structure(model: Model, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Trace:
    """A trace of which only these values are computed: observed, plates, params, discrete latents.

    The values of other sites are a shape and a dtype; "real_shape" is that of a latent value in
    unconstrained space. That and compiling the run as a whole takes
    a hundredth of the time of a plain trace, which compiles each operation by itself.
    """
    sites: dict[str, Site] = {}

    def run(key: jax.Array) -> Values:
        sites.update(traced(model, args, kwargs, key=key))
        del sites[RETURN]
        values = {}
        for name, site in sites.items():
            value = site["value"]
            if is_latent(site) and not is_discrete(site):
                to_support = biject_to(site["fn"].support)
                site["real_shape"] = to_support.inverse_shape(jnp.shape(value))
            if site["type"] == "param":
                values[name] = {"value": value, "args": site["args"]}
            elif site["type"] == "deterministic" or (is_latent(site) and not is_discrete(site)):
                site["value"] = shaped(value)
            else:
                values[name] = {"value": value}
        return values

    try:
        values = jax.jit(run)(cheap_key(0))
    except NotImplementedError:  # of Poisson draws, with such keys
        sites.clear()
        values = jax.jit(run)(jax.random.key(0))
    return {name: {**site, **values.get(name, {})} for name, site in sites.items()}


def shaped(value: Any) -> Any:
    """The shape and dtype of a value, without the value."""
    return jax.eval_shape(lambda: jnp.asarray(value))


def is_discrete(site: Site) -> bool:
    return bool(site["fn"].support.is_discrete)


def is_latent(site: Site) -> bool:
    return bool(site["type"] == "sample" and not site["is_observed"])


def full_value(param: Site) -> Any:
    """The initial value of a param; in the trace of a subsampled plate there is only a part."""
    return param["args"][0] if param["args"] else param["value"]


def constraint_of(param: Site) -> constraints.Constraint:
    constraint: constraints.Constraint = param["kwargs"].get("constraint", constraints.real)
    return constraint
