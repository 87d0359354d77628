"""Do both models have one log density, but for log|det| of the change of variables?

It is asked of every site, and of their sum, at every point. A difference is told with its cause:
what most often makes such a one, from what was computed where it is largest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from reparam_rewrite.verify.change import Change
from reparam_rewrite.verify.determinant import Singular, Unknown
from reparam_rewrite.verify.outputs import shown
from reparam_rewrite.verify.points import Compared, Evaluator, Point, share
from reparam_rewrite.verify.values import Line, Options, Status

OUTSIDE = (
    "it is moved in its own space: biject_to(support).inv must come first, so that the "
    "unconstrained value is moved"
)


def density_lines(compared: Compared) -> Iterator[Line]:
    """Values outside of their support, scales, discrete latents, then sites and their sum."""
    yield from outside_lines(compared)
    yield from scale_lines(compared.points)
    if not compared.outside:
        of_discrete = list(discrete_lines(compared.points, compared.options))
        yield from of_discrete
        yield from site_lines(compared, [line.site for line in of_discrete])


def outside_lines(compared: Compared) -> Iterator[Line]:
    """``HalfNormal`` shifted as if it were real: values below 0."""
    for name, point in compared.outside.items():
        where = point.where(compared.options.seed)
        yield Line(
            check="density",
            status="different",
            site=name,
            message=f"site {name!r} has a value outside of its support {where}",
            point=point.number,
            cause=OUTSIDE,
        )


def scale_lines(points: Sequence[Point]) -> Iterator[Line]:
    """What `handlers.scale`, masks and subsampled plates multiply the density of a site with."""
    at = points[0].at
    for name, scale in at["plain"]["scale"].items():
        other = at["generated"]["scale"].get(name)
        alike = np.shape(scale) == np.shape(other)
        if other is None or (alike and np.allclose(scale, other, rtol=1e-8, atol=0)):
            continue
        message = f"site {name!r} has scale {shown(other)}, it was {shown(scale)}"
        yield Line(check="density", status="different", site=name, message=message)


def discrete_lines(points: Sequence[Point], options: Options) -> Iterator[Line]:
    """The density of each discrete latent over its support, whatever values it has elsewhere."""
    for name in points[0].at["supports"]:
        worst = max(points, key=lambda point: float(point.at["supports"][name][0]))
        off, value, term = map(float, worst.at["supports"][name])
        if off > options.rtol:
            yield Line(
                check="density",
                status="different",
                site=name,
                message=f"off by {off * max(1.0, abs(term)):.6g} where {name} is {value:g}, "
                f"was {term:.6g}",
                point=worst.number,
                density="site",
                cause="its distribution, or a value that it is computed from, is another one",
            )


def site_lines(compared: Compared, leave: Collection[str]) -> Iterator[Line]:
    """A line for every site but those to `leave`, and one for their sum; differences only where
    there are some.

    The gap of a site counts where it is large beside the site's own terms, or beside those of the
    elements that it comes from, and isn't rounding.
    """
    change, options, evaluator = compared.change, compared.options, compared.evaluator
    points = [point for point in compared.points if point.usable]
    kinds: dict[type[Unknown], Status] = {Singular: "different", Unknown: "unchecked"}
    for kind, status in kinds.items():
        for point in points:
            if isinstance(point.problem, kind):
                yield Line(
                    check="density",
                    status=status,
                    site=point.problem.site,
                    message=f"{point.problem} {point.where(options.seed)}",
                    point=point.number,
                )
                return
    if not points:
        message = "the plain model has no finite log density at any point"
        yield Line(check="density", status="unchecked", message=message)
        return

    different = []
    for name in points[0].gaps:
        if name in leave:
            continue
        at_worst, gap = found_at(name, points, evaluator, options)
        if gap:
            term = float(at_worst.at["plain"]["log_prob"][name])
            line = Line(
                check="density",
                status="different",
                site=name,
                message=f"off by {gap:.6g}, was {term:.6g}",
                off=abs(gap),
                of=abs(term),
                point=at_worst.number,
                density="site",
                cause=cause_of(name, change, points, at_worst),
            )
            different.append((share(gap, at_worst.magnitude), line))
        else:
            yield same_line(name, change, points)
    yield from [line for _, line in sorted(different, key=lambda item: -item[0])]
    worst = max(points, key=lambda point: share(point.gap, point.magnitude))
    where = worst.where(options.seed)
    same = share(worst.gap, worst.magnitude) <= options.rtol
    same = same or (not different and evaluator.is_rounding(worst, lambda point: point.gap))
    yield Line(
        check="density",
        status="ok" if same and not different else "different",
        message=(
            ("too little to show in the sum" if different else "log density and log|det| agree")
            if same
            else f"the log density is {worst.found:.10g} instead of {worst.expected:.10g} {where}"
        ),
        off=abs(worst.gap),
        of=worst.magnitude,
        point=worst.number,
        density="" if same else "model",
    )
    if lost := len(compared.points) - len(points):
        message = (
            f"{lost} of {len(compared.points)} points have no finite log density in either model"
        )
        yield Line(check="density", status="ok", message=message)


def same_line(name: str, change: Change, points: Sequence[Point]) -> Line:
    """That a site has one density in both models, with the most that it is off by."""
    worst = max(points, key=lambda point: point.off(name))
    own = [abs(p.determinant.by_site.get(name, 0.0)) for p in points if p.determinant]
    moved = f", log|det| up to {max(own):.3g}" if max(own, default=0.0) > 1e-12 else ""
    return Line(
        check="density",
        status="ok",
        site=name,
        message=f"{sampled_as(change, name)}same density{moved}",
        off=abs(worst.gaps[name]),
        of=abs(float(worst.at["plain"]["log_prob"][name])),
        point=worst.number,
    )


def found_at(
    name: str, points: Sequence[Point], evaluator: Evaluator, options: Options
) -> tuple[Point, float]:
    """The point where a site's density is most different, and by how much; 0 if it is nowhere."""

    def gap(point: Point) -> float:
        return point.gaps[name]

    def own(point: Point) -> float:
        return point.own(name)

    def size(point: Point) -> float:
        return float(abs(point.own(name)))

    for point in sorted(points, key=lambda point: -point.off(name)):
        if point.off(name) <= options.rtol:
            break
        if not evaluator.is_rounding(point, gap):
            return point, gap(point)
    for point in sorted(points, key=size, reverse=True):
        if size(point) <= options.rtol:
            break
        if not evaluator.is_rounding(point, own):
            return point, own(point)
    return points[0], 0.0


def sampled_as(change: Change, name: str) -> str:
    base = next((pair.base for pair in change.pairing.pairs if pair.name == name), name)
    return "" if base == name else f"sampled as {base}, "


# -- causes ----------------------------------------------------------------------------------------


def cause_of(name: str, change: Change, points: Sequence[Point], worst: Point) -> str:
    """Why the term of a site may differ: another distribution, its volume, or its scale."""
    for explain in (counted_volume, signs, other_arguments, other_kind, constant):
        if cause := explain(name, change, points, worst):
            return cause
    return "its distribution, or a value that it is computed from, is another one"


def counted_volume(name: str, change: Change, points: Sequence[Point], worst: Point) -> str:
    """The gap is the site's own log|det|, once or twice, at every point."""
    for times, words in (
        (1, "log|det| of its map is counted twice"),
        (-1, "log|det| of its map is not counted"),
        (-2, "log|det| of its map has the wrong sign"),
    ):
        own = [p.determinant.by_site.get(name, 0.0) if p.determinant else 0.0 for p in points]
        gaps = [p.gaps[name] for p in points]
        if np.max(np.abs(own), initial=0.0) > 1e-6 and np.allclose(gaps, np.multiply(times, own)):
            return words
    return ""


def other_kind(name: str, change: Change, points: Sequence[Point], worst: Point) -> str:
    old, new = change.kinds.get(name, ("", ""))
    return f"its distribution is {new}, it was {old}" if old != new else ""


def other_arguments(name: str, change: Change, points: Sequence[Point], worst: Point) -> str:
    old, new = worst.at["arguments"].get(name, ({}, {}))
    said = []
    for key, value in old.items():
        other = new.get(key)
        if other is None or not same(value, other):
            said.append(unlike(key, value, other))
    return f"in its {change.kinds[name][0]}, {' and '.join(said)}" if said else ""


def signs(name: str, change: Change, points: Sequence[Point], worst: Point) -> str:
    """``z_base ~ Normal(z_prev + offset, s)`` and another offset in ``z = z_base - offset``."""
    old, new = worst.at["arguments"].get(name, ({}, {}))
    if name not in worst.at["moved"] or name not in change.direct or "loc" not in old:
        return ""
    base, child = worst.at["moved"][name]
    if np.shape(base) != np.shape(child):
        return ""
    by_prior, by_value = new["loc"] - old["loc"], base - child
    if np.allclose(by_prior, by_value):
        return ""
    if np.allclose(by_prior, -by_value):
        return "the offset of its prior and that of its value have different signs"
    if np.allclose(by_prior, 0):
        return "its value is offset and its prior is not"
    if np.allclose(by_value, 0):
        return "its prior is offset and its value is not"
    gap = np.max(np.abs(by_prior - by_value))
    return f"the offset of its prior and that of its value differ, by up to {gap:.3g}"


def constant(name: str, change: Change, points: Sequence[Point], worst: Point) -> str:
    gaps = [point.gaps[name] for point in points]
    if len(gaps) > 1 and np.allclose(gaps, gaps[0], rtol=1e-6):
        return "the same everywhere: a constant of its density, or a scale"
    return ""


def same(one: Any, other: Any) -> bool:
    return bool(np.shape(one) == np.shape(other) and np.allclose(one, other, equal_nan=True))


def unlike(key: str, old: Any, new: Any) -> str:
    """``scale is 9, it was 10``, or how far apart two arrays are."""
    if new is None:
        return f"{key} is missing"
    one, other = np.asarray(old), np.asarray(new)
    if one.shape != other.shape:
        return f"{key} has shape {other.shape}, it was {one.shape}"
    if all(array.size and np.ptp(array) == 0 for array in (one, other)):
        return f"{key} is {other.flat[0]:.6g}, it was {one.flat[0]:.6g}"
    return f"{key} differs by up to {np.max(np.abs(other - one)):.3g}"
