"""A generated model that does not run where the plain one does: which site is it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import jax
import jax.numpy as jnp
from numpyro import handlers

from reparam_rewrite.running.errors import place_of, site_of, summary
from reparam_rewrite.running.values import Model, Trace
from reparam_rewrite.verify.values import Line


def broken_line(
    error: Exception,
    model: Model,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    plain: Trace,
) -> Line:
    """A difference, with the first site of another shape, or the one that was being sampled."""
    said = f"the generated model does not run: {summary(error)}"
    if place := place_of(error):
        said += f" ({place})"
    site, cause = "", ""
    for name, shape in shapes_until(model, args, kwargs).items():
        if name in plain and plain[name]["type"] != "param":
            expected = jnp.shape(plain[name]["value"])
            if shape != expected:
                site = name
                cause = f"before that, site {name!r} has shape {shape}, it was {expected}"
                break
    site = site or sampled_in(error, plain) or site_of(error, list(plain))
    return Line(check="sites", status="different", site=site, message=said, cause=cause)


def shapes_until(
    model: Model, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, tuple[int, ...]]:
    """The shapes of the sites that a run gets to before it fails."""
    found: dict[str, tuple[int, ...]] = {}

    def run(key: jax.Array) -> None:
        tracer = handlers.trace()
        try:
            with handlers.seed(rng_seed=key), tracer as trace:
                model(*args, **kwargs)
        except Exception:
            for name, site in trace.items():
                if site["type"] in ("sample", "deterministic", "plate"):
                    found[name] = jnp.shape(site["value"])

    jax.eval_shape(run, jax.random.key(0))
    return found


def sampled_in(error: Exception, plain: Trace) -> str:
    """The site whose `numpyro.sample` raised an error, by the frames that it went through."""
    names = []
    frames: TracebackType | None = error.__traceback__
    while frames is not None:
        frame = frames.tb_frame
        if frame.f_code.co_name == "sample" and "numpyro" in frame.f_code.co_filename:
            names.append(str(frame.f_locals.get("name")))
        frames = frames.tb_next
    return next((name for name in names if name in plain), "")
