"""The story of `verify`: run both models, match their sites, compute points, ask every check."""

from __future__ import annotations

import math
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import jax
import jax.numpy as jnp
from msgspec.structs import replace
from numpyro import handlers

from reparam_rewrite.running import errors
from reparam_rewrite.running.trace import double_precision, is_latent, structure
from reparam_rewrite.running.values import Trace
from reparam_rewrite.verifying import (
    coefficients,
    coordinates,
    density,
    inference,
    predictions,
    reaching,
)
from reparam_rewrite.verifying.change import Change, Models
from reparam_rewrite.verifying.pairing import Pairing, pair
from reparam_rewrite.verifying.points import Compared
from reparam_rewrite.verifying.values import Line, Options, Report, different, ok, skipped


def params_lines(compared: Compared) -> Iterator[Line]:
    """What pairing found of params, each with the site that it is of."""
    moved, pairing = compared.moved_at(compared.points[0]), compared.change.pairing
    for line in compared.params:
        yield replace(line, site=(moved.get(line.site) or [line.site])[0])
    if not compared.params:
        kept = len(pairing.params) - len(pairing.new)
        yield ok(f"{len(pairing.new)} new, {kept} of the plain model's")


#: Every check that takes numbers, by its name, in the order in which they are asked.
OF_NUMBERS: dict[str, Callable[[Compared], Iterable[Line]]] = {
    "params": params_lines,
    "density": density.density_lines,
    "gradients": density.gradient_lines,
    "values": predictions.value_lines,
    "support": reaching.reach_lines,
    "init": coefficients.init_lines,
    "effect": coefficients.effect_lines,
    "offsets": coefficients.offset_lines,
    "config": coefficients.config_lines,
    "coordinates": coordinates.coordinate_lines,
    "jit": density.jit_lines,
    "predictive": predictions.predictive_lines,
    "data": predictions.data_lines,
    **{way: partial(inference.inference_lines, way=way) for way in inference.WAYS},
}

#: Those that tell nothing of models whose densities differ.
DENSITIES, OF_EQUAL_DENSITIES = ("density", "gradients"), ("coordinates", "predictive", "data")


def compare(models: Models, options: Options, checks: Sequence[str]) -> Report:
    """The report, in the order of all `checks`.

    Raises `Refusal` where the plain model itself doesn't run.
    """
    with double_precision(), warnings.catch_warnings():
        # What NumPyro thinks of the plain model is not the question here.
        warnings.simplefilter("ignore")
        dims, found = differences(models, options)
    lines = [line for line in found if line.check not in options.skip]
    lines += [skipped("switched off", check=check) for check in options.skip]
    lines.sort(key=lambda line: checks.index(line.check))
    return Report(points=options.points, seed=options.seed, dims=dims, lines=tuple(lines))


def differences(models: Models, options: Options) -> tuple[int, list[Line]]:
    """How many unconstrained latent values there are, and the lines of all checks.

    It ends where the sites don't match, or the generated model doesn't run.
    """
    try:
        plain = structure(models.plain, *models.call, draws=8)
    except Exception as error:
        own = "it must run with these arguments, as it does by itself."
        hint = own if errors.frame_of(error) else "are these the arguments that it takes?"
        said = "the plain model does not run"
        raise errors.refusal(error, errors.file_of(models.plain), said, hint) from error
    dims, lines = 0, list[Line]()
    try:
        generated = structure(models.generated, *models.call)
        pairing, found = pair(plain, generated, options)
        if any(line.check in ("sites", "observed") for line in found):
            return 0, found
        dims = sum(max(1, math.prod(shape)) for shape in pairing.shapes.values())
        lines += matched_lines(plain, pairing)
        change = Change(models, pairing, options)
        compared = Compared(plain, generated, found, change, options)
    except Exception as error:
        return dims, [*lines, broken_line(error, models, plain)]
    for name, check in OF_NUMBERS.items():
        differ = any(line.status == "different" and line.check in DENSITIES for line in lines)
        if differ and name in OF_EQUAL_DENSITIES:
            lines.append(skipped("not compared: the densities differ", check=name))
        elif name not in options.skip:
            lines += [replace(line, check=name) for line in check(compared)]
    return dims, lines


def matched_lines(plain: Trace, pairing: Pairing) -> Iterator[Line]:
    """That the sites match: the observed ones, and the others."""
    names = ", ".join(name for name, _ in predictions.observations(plain))
    said = f"the same values of {names}" if names else "there are none"
    yield ok(said, check="observed")
    moved = sum(name != base for name, base in pairing.bases.items())
    message = f"{len(pairing.bases)} latent, {moved} of them sampled as another site"
    if pairing.discrete:
        message += f", and {', '.join(pairing.discrete)} discrete, at values of their own"
    yield ok(f"{message}: shapes, dtypes and plates agree", check="sites")


# -- a generated model that does not run -----------------------------------------------------------


def broken_line(error: Exception, models: Models, plain: Trace) -> Line:
    """A difference, with the first site of another shape, or the one that was being sampled."""
    said = f"the generated model does not run: {errors.summary(error)}"
    if frame := errors.frame_of(error):
        said += f" ({errors.relative(frame.filename)}:{frame.lineno})"
    reached = shapes_until(models)
    for name, shape in reached.items():
        if name in plain and plain[name]["type"] != "param":
            expected = jnp.shape(plain[name]["value"])
            if shape != expected:
                cause = f"before that, site {name!r} has shape {shape}, it was {expected}"
                return different(name, said, cause, check="sites")
    # The site whose numpyro.sample raised it, by the frames that it went through, or one it names.
    for inner, _ in traceback.walk_tb(error.__traceback__):
        sampling = inner.f_code.co_name == "sample" and "numpyro" in inner.f_code.co_filename
        if sampling and (name := str(inner.f_locals.get("name"))) in plain:
            return different(name, said, check="sites")
    # Or the next one, whose offset was being computed.
    following = (name for name, site in plain.items() if is_latent(site) and name not in reached)
    return different(errors.site_of(error, plain) or next(following, ""), said, check="sites")


def shapes_until(models: Models) -> dict[str, tuple[int, ...]]:
    """The shapes of the sites that a run of the generated model gets to before it fails."""
    args, kwargs = models.call
    found: dict[str, tuple[int, ...]] = {}

    def run(key: jax.Array) -> None:
        tracer = handlers.trace()
        try:
            with handlers.seed(rng_seed=key), tracer as trace:
                models.generated(*args, **kwargs)
        except Exception:
            for name, site in trace.items():
                if site["type"] in ("sample", "deterministic", "plate"):
                    found[name] = jnp.shape(site["value"])

    jax.eval_shape(run, jax.random.key(0))
    return found
