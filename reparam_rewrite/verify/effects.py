"""Lines of the report on coefficients: which site each one moves, and that gradients are finite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from reparam_rewrite.verify.change import Change
from reparam_rewrite.verify.points import INITIAL, Point
from reparam_rewrite.verify.values import Line, Options


def moved_sites(change: Change, point: Point) -> dict[str, list[str]]:
    """By new param, the sites that move with it, in the order of sampling."""
    rows = dict(zip(change.pairing.new, point.at["by_param"], strict=True))
    return {
        param: [name for name, span in change.spans.items() if np.any(row[span] != 0)]
        for param, row in rows.items()
    }


def of_child(param: str, change: Change) -> str:
    """The site that a param without effect is most likely of: the longest name in its own."""
    names = sorted((pair.name for pair in change.pairing.pairs), key=len, reverse=True)
    kinds = ("xi", "scale", "power")
    found = (n for n in names if f"{param}_".startswith(tuple(f"{kind}_{n}_" for kind in kinds)))
    return next(found, param)


def effect_lines(change: Change, points: Sequence[Point]) -> Iterator[Line]:
    """Every element of every coefficient moves a site; with a subsampled plate, any element."""
    points = [point for point in points if point.at["told_apart"]]
    if not points:
        message = "at no point can a value be told from the next one"
        yield Line(check="effect", status="skipped", message=message)
        return
    point = next((point for point in points if point.number != INITIAL), points[0])
    moved = moved_sites(change, point)
    fine: dict[str, list[str]] = {}
    for name in change.pairing.new:
        span, shape = change.param_spans[name], change.param_shapes[name]
        size = span.stop - span.start
        idle = 0 if moved[name] else size
        if change.reverse:
            idle = int(np.sum(np.all([p.at["effect"][span] == 0 for p in points], axis=0)))
        child = moved[name][0] if moved[name] else ""
        if idle < size and (not idle or change.pairing.subsampled):
            fine.setdefault(child, []).append(f"{name} ({size})" if shape else name)
            continue
        what = f"{idle} of {size} elements of " if shape else ""
        yield Line(
            check="effect",
            status="different",
            site=child or of_child(name, change),
            message=f"{what}param {name!r} without effect on any site",
            cause="what it is multiplied by is zero, or it is used nowhere",
        )
    for child, names in fine.items():
        message = f"each element of {', '.join(names)} moves it"
        yield Line(check="effect", status="ok", site=child, message=message)
    if not change.pairing.new:
        message = "the generated model has no params of its own"
        yield Line(check="effect", status="skipped", message=message)


def gradient_lines(change: Change, points: Sequence[Point], options: Options) -> Iterator[Line]:
    """Those of the log density, by every latent value and every param."""
    if not change.reverse:
        message = "the model has no reverse-mode derivatives"
        yield Line(check="gradients", status="skipped", message=message)
        return
    points = [point for point in points if point.usable]
    endless = False
    for point in points:
        if endless:
            break
        by_u, by_p = point.at["gradient"]
        for spans, gradient, kind in (
            (change.spans, by_u, "site"),
            (change.param_spans, by_p, "param"),
        ):
            for name, span in spans.items():
                if point.number != INITIAL and not np.isfinite(gradient[span]).all():
                    if not change.plain_gradient_is_finite(point.u, point.p, point.held):
                        endless = True  # such are those of the plain model too
                        break
                    where = point.where(options.seed)
                    yield Line(
                        check="gradients",
                        status="different",
                        site=name,
                        message=f"the gradient of {kind} {name!r} is not finite {where}",
                        point=point.number,
                    )
                    return
    if endless:
        message = "those of the plain model are not finite"
        yield Line(check="gradients", status="skipped", message=message)
        return
    message = f"{change.dims + change.param_dims} of them, finite at {len(points)} points"
    yield Line(check="gradients", status="ok", message=message)
