"""All checks of two models, in the order of the report."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from reparam_rewrite.running.errors import file_of, frame_of, refusal
from reparam_rewrite.running.trace import copied, double_precision, structure
from reparam_rewrite.running.values import Model, Trace
from reparam_rewrite.verify.breaking import broken_line
from reparam_rewrite.verify.change import Change
from reparam_rewrite.verify.checks import CHECKS
from reparam_rewrite.verify.density import (
    density_lines,
    discrete_lines,
    init_lines,
    scale_lines,
    support_lines,
    value_lines,
)
from reparam_rewrite.verify.eager import jit_lines
from reparam_rewrite.verify.effects import effect_lines, gradient_lines, moved_sites
from reparam_rewrite.verify.expected import config_lines
from reparam_rewrite.verify.inference import inference_lines
from reparam_rewrite.verify.offsets import offset_lines
from reparam_rewrite.verify.pairing import pair
from reparam_rewrite.verify.points import Evaluator, Point
from reparam_rewrite.verify.predicting import data_lines
from reparam_rewrite.verify.predictive import predictive_lines
from reparam_rewrite.verify.reaching import reach_lines
from reparam_rewrite.verify.values import Line, Options, Pairing, Report


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
        return Comparison(plain, generated, args, kwargs, options).report()


class Comparison:
    """Two models, and what is known of them so far."""

    def __init__(
        self,
        plain: Model,
        generated: Model,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: Options,
    ) -> None:
        self.plain, self.generated = plain, generated
        self.args, self.kwargs = args, kwargs
        self.options = options
        self.dims = 0

    def report(self) -> Report:
        options = self.options
        lines = [line for line in self.lines() if line.check not in options.skip]
        lines += [Line(check=c, status="skipped", message="switched off") for c in options.skip]
        lines.sort(key=lambda line: CHECKS.index(line.check))
        return Report(points=options.points, seed=options.seed, dims=self.dims, lines=tuple(lines))

    def lines(self) -> Iterator[Line]:
        try:
            plain = structure(self.plain, self.args, self.kwargs, draws=8)
        except Exception as error:
            own = frame_of(error) is not None
            hint = (
                "it must run with these --args, as it does by itself."
                if own
                else "are these the arguments that it takes?"
            )
            said = "the plain model does not run"
            raise refusal(error, file_of(self.plain), said, hint) from error
        try:
            generated = structure(self.generated, self.args, self.kwargs)
        except Exception as error:
            yield broken_line(error, self.generated, self.args, self.kwargs, plain)
            return
        pairing, found = pair(plain, generated, self.options)
        if any(line.check in ("sites", "observed") for line in found):
            yield from found
            return
        self.dims = sum(max(1, math.prod(p.shape)) for p in pairing.pairs)
        yield from matched_lines(plain, pairing)
        yield from self.computed(plain, pairing, found)

    def computed(self, plain: Trace, pairing: Pairing, found: list[Line]) -> Iterator[Line]:
        """What takes numbers: everything but the names and shapes of sites."""
        options = self.options
        names = list(plain)
        try:
            change, evaluator, points = self.points(pairing)
        except Exception as error:
            yield broken_line(error, self.generated, self.args, self.kwargs, plain)
            return
        moved = moved_sites(change, points[0])
        for line in found:  # of params: say which site they are of
            yield replace(line, site=(moved.get(line.site) or [line.site])[0])
        if not any(line.check == "params" for line in found):
            yield params_line(pairing)

        unsupported = list(support_lines(points, options))
        densities = list(scale_lines(points))
        if not unsupported:
            of_discrete = list(discrete_lines(points, options))
            other = [line.site for line in of_discrete]
            densities += of_discrete
            densities += density_lines(points, change, evaluator, options, other)
            densities += gradient_lines(change, points, options)
        yield from [*unsupported, *value_lines(points, change, options), *densities]
        if "support" not in options.skip and not unsupported:
            yield from reach_lines(change, evaluator, points, options)
        yield from init_lines(points[-1])
        yield from effect_lines(change, points)
        if "offsets" not in options.skip and points[0].determinant:
            yield from offset_lines(change, evaluator, points[0], options)
        if options.expected is not None and "config" not in options.skip:
            yield from config_lines(options.expected, change, moved)
        if "jit" not in options.skip:
            yield from jit_lines(change, evaluator, points[0], options)
        differ = bool(unsupported) or any(line.status == "different" for line in densities)
        if differ:
            message = "not compared: the densities differ"
            for check in ("predictive", "data"):
                yield Line(check=check, status="skipped", message=message)
        if "predictive" not in options.skip and not differ:
            yield from predictive_lines(
                self.plain,
                self.generated,
                self.args,
                self.kwargs,
                plain,
                points[0].at["params"],
                options,
            )
        if "data" not in options.skip and not differ:
            yield from data_lines(change, plain, points, options)
        run = (self.plain, self.generated, self.args, self.kwargs)
        yield from inference_lines(*run, names, pairing.subsampled, options)

    def points(self, pairing: Pairing) -> tuple[Change, Evaluator, list[Point]]:
        """Those with random values, and last the point of init values."""
        try:
            change = self.change(pairing, reverse="gradients" not in self.options.skip)
            evaluator = Evaluator(change, self.options)
        except (ValueError, NotImplementedError) as error:
            if "everse-mode" not in str(error):
                raise
            change = self.change(pairing, reverse=False)
            evaluator = Evaluator(change, self.options)
        return change, evaluator, [evaluator.point(at) for at in evaluator.numbers()]

    def change(self, pairing: Pairing, reverse: bool) -> Change:
        run = (self.plain, self.generated, self.args, self.kwargs)
        return Change(*run, pairing, reverse=reverse, rtol=self.options.rtol)


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


def params_line(pairing: Pairing) -> Line:
    kept = len(pairing.params) - len(pairing.new)
    message = f"{len(pairing.new)} new, {kept} of the plain model's"
    return Line(check="params", status="ok", message=message)
