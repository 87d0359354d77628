"""The story of `verify`: run both models, match their sites, compute points, ask every check."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from reparam_rewrite.running.errors import file_of, frame_of, refusal
from reparam_rewrite.running.trace import copied, double_precision, structure
from reparam_rewrite.running.values import Model, Trace
from reparam_rewrite.verify.breaking import broken_line
from reparam_rewrite.verify.change import Change
from reparam_rewrite.verify.checks import CHECKS
from reparam_rewrite.verify.coefficients import effect_lines, init_lines, offset_lines
from reparam_rewrite.verify.density import density_lines
from reparam_rewrite.verify.eager import jit_lines
from reparam_rewrite.verify.expected import config_lines
from reparam_rewrite.verify.gradients import gradient_lines
from reparam_rewrite.verify.inference import WAYS, inference_lines
from reparam_rewrite.verify.outputs import value_lines
from reparam_rewrite.verify.pairing import pair
from reparam_rewrite.verify.points import Compared, Evaluator
from reparam_rewrite.verify.predicting import data_lines
from reparam_rewrite.verify.predictive import predictive_lines
from reparam_rewrite.verify.reaching import reach_lines
from reparam_rewrite.verify.values import Line, Options, Pairing, Report


def params_lines(compared: Compared) -> Iterator[Line]:
    """What pairing found of params, each with the site that it is of."""
    moved, pairing = compared.moved, compared.change.pairing
    for line in compared.params:
        yield replace(line, site=(moved.get(line.site) or [line.site])[0])
    if not compared.params:
        kept = len(pairing.params) - len(pairing.new)
        message = f"{len(pairing.new)} new, {kept} of the plain model's"
        yield Line(check="params", status="ok", message=message)


#: Every check that takes numbers, by its name.
OF_NUMBERS: dict[str, Callable[[Compared], Iterator[Line]]] = {
    "params": params_lines,
    "density": density_lines,
    "gradients": gradient_lines,
    "values": value_lines,
    "support": reach_lines,
    "init": init_lines,
    "effect": effect_lines,
    "offsets": offset_lines,
    "config": config_lines,
    "jit": jit_lines,
    "predictive": predictive_lines,
    "data": data_lines,
    **{way: partial(inference_lines, way=way) for way in WAYS},
}

#: Those that tell nothing of models that have different densities.
OF_EQUAL_DENSITIES = ("predictive", "data")


def compare(
    plain: Model,
    generated: Model,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    options: Options,
) -> Report:
    """The report. Raises `Refusal` where the plain model itself doesn't run."""
    args, kwargs = copied(args, kwargs)
    with double_precision(), warnings.catch_warnings():
        # What NumPyro thinks of the plain model is not the question here.
        warnings.simplefilter("ignore")
        dims, found = differences(plain, generated, args, kwargs, options)
    lines = [line for line in found if line.check not in options.skip]
    lines += [Line(check=c, status="skipped", message="switched off") for c in options.skip]
    lines.sort(key=lambda line: list(CHECKS).index(line.check))
    return Report(points=options.points, seed=options.seed, dims=dims, lines=tuple(lines))


def differences(
    plain: Model,
    generated: Model,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    options: Options,
) -> tuple[int, list[Line]]:
    """How many unconstrained latent values there are, and the lines of all checks.

    It ends where the sites don't match, or the generated model doesn't run.
    """
    trace = traced_plain(plain, args, kwargs)
    try:
        other = structure(generated, args, kwargs)
    except Exception as error:
        return 0, [broken_line(error, generated, args, kwargs, trace)]
    pairing, lines = pair(trace, other, options)
    if any(line.check in ("sites", "observed") for line in lines):
        return 0, lines
    dims = sum(max(1, math.prod(pair.shape)) for pair in pairing.pairs)
    matched = list(matched_lines(trace, pairing))
    try:
        change, evaluator = changed(plain, generated, args, kwargs, pairing, options)
        points = tuple(evaluator.point(number) for number in evaluator.numbers())
    except Exception as error:
        return dims, [*matched, broken_line(error, generated, args, kwargs, trace)]
    compared = Compared(trace, tuple(lines), change, evaluator, points, options)
    return dims, [*matched, *computed_lines(compared)]


def computed_lines(compared: Compared) -> list[Line]:
    """The lines of all checks that take numbers."""
    lines: list[Line] = []
    for name, check in OF_NUMBERS.items():
        if name in compared.options.skip:
            continue
        if name in OF_EQUAL_DENSITIES and any(
            line.status == "different" and line.check in ("density", "gradients") for line in lines
        ):
            message = "not compared: the densities differ"
            lines.append(Line(check=name, status="skipped", message=message))
        else:
            lines += check(compared)
    return lines


def traced_plain(plain: Model, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Trace:
    try:
        return structure(plain, args, kwargs, draws=8)
    except Exception as error:
        own = frame_of(error) is not None
        hint = (
            "it must run with these --args, as it does by itself."
            if own
            else "are these the arguments that it takes?"
        )
        said = "the plain model does not run"
        raise refusal(error, file_of(plain), said, hint) from error


def changed(
    plain: Model,
    generated: Model,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    pairing: Pairing,
    options: Options,
) -> tuple[Change, Evaluator]:
    """The change of variables, with gradients unless a model has none in reverse mode."""

    def made(reverse: bool) -> tuple[Change, Evaluator]:
        run = (plain, generated, args, kwargs)
        change = Change(*run, pairing, reverse=reverse, rtol=options.rtol)
        return change, Evaluator(change, options)

    try:
        return made("gradients" not in options.skip)
    except (ValueError, NotImplementedError) as error:
        if "everse-mode" not in str(error):
            raise
        return made(reverse=False)


def matched_lines(plain: Trace, pairing: Pairing) -> Iterator[Line]:
    observed = [n for n, s in plain.items() if s["type"] == "sample" and s["is_observed"]]
    said = f"the same values of {', '.join(observed)}" if observed else "there are none"
    yield Line(check="observed", status="ok", message=said)
    pairs = {pair.name: pair.base for pair in pairing.pairs}
    moved = sum(name != base for name, base in pairs.items())
    message = f"{len(pairs)} latent, {moved} of them sampled as another site"
    if discrete := [n for n in pairing.fixed if plain[n]["type"] == "sample"]:
        message += f", and {', '.join(discrete)} discrete, at values of their own"
    yield Line(check="sites", status="ok", message=f"{message}: shapes, dtypes and plates agree")
