"""Lines of the report on what must agree at every point: support, values, scales, log density."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from reparam_rewrite.running.trace import RETURN
from reparam_rewrite.verify.change import Change
from reparam_rewrite.verify.explaining import cause_of
from reparam_rewrite.verify.points import INITIAL, Evaluator, Point, share
from reparam_rewrite.verify.values import Line, Options

OUTSIDE = (
    "it is moved in its own space: biject_to(support).inv must come first, so that the "
    "unconstrained value is moved"
)


def support_lines(points: Sequence[Point], options: Options) -> Iterator[Line]:
    """``HalfNormal`` shifted as if it were real: values below 0."""
    for name in points[0].at["supported"]:
        for point in points:
            if not point.at["supported"][name]:
                where = point.where(options.seed)
                yield Line(
                    check="density",
                    status="different",
                    site=name,
                    message=f"site {name!r} has a value outside of its support {where}",
                    point=point.number,
                    cause=OUTSIDE,
                )
                break


def value_lines(points: Sequence[Point], change: Change, options: Options) -> Iterator[Line]:
    """Deterministic sites and what the model returns."""
    for name in points[0].at["same"]:
        what, site = ("the returned value", "") if name == RETURN else (f"site {name!r}", name)
        if message := made_otherwise(what, *change.forms[name]):
            yield Line(check="values", status="different", site=site, message=message)
            continue
        for point in points:
            old, new = point.at["same"][name]
            if message := unlike(what, old, new, options.rtol, point.where(options.seed)):
                yield Line(
                    check="values",
                    status="different",
                    site=site,
                    message=message,
                    point=point.number,
                )
                break
    names = [name for name in points[0].at["same"] if name != RETURN]
    what = f"the returned value{''.join(f', {name}' for name in names)}"
    yield Line(check="values", status="ok", message=f"the same: {what}")


def made_otherwise(what: str, old: Sequence[Any], new: Sequence[Any]) -> str:
    """What is different about how a value is put together, and about its texts."""
    was, now = dict(old), dict(new)
    for where in [*was, *(where for where in now if where not in was)]:
        place = f"{what} at {where}" if where else what
        if where not in now:
            return f"{place} is missing, it was {was[where]}"
        if where not in was:
            return f"{place} is {now[where]}, and was not there"
        if was[where] != now[where]:
            return f"{place} is {now[where]}, it was {was[where]}"
    return ""


def unlike(what: str, old: Sequence[Any], new: Sequence[Any], rtol: float, where: str) -> str:
    if len(old) != len(new):
        return f"{what} has {len(new)} arrays, it had {len(old)}"
    for one, other in zip(old, new, strict=True):
        if np.shape(one) != np.shape(other):
            return f"{what} has shape {np.shape(other)}, it was {np.shape(one)}"
        one, other = (np.asarray(value) for value in (one, other))
        size = np.max(np.abs(one), initial=1.0, where=np.isfinite(one)) if one.size else 1.0
        if not np.allclose(one, other, rtol, rtol * float(size), equal_nan=True):
            return f"{what} is {shown(other)} and was {shown(one)} {where}"
    return ""


def shown(value: Any) -> str:
    if not np.shape(value):
        return str(np.asarray(value).item())
    return np.array2string(np.asarray(value), threshold=6, edgeitems=2, precision=6)


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
                cause="its distribution, or a value that it is computed from, is another one",
            )


def density_lines(
    points: Sequence[Point],
    change: Change,
    evaluator: Evaluator,
    options: Options,
    leave: Collection[str] = (),
) -> Iterator[Line]:
    """A line for every site but those to `leave`, and one for their sum; differences only where
    there are some.

    The gap of a site counts where it is large beside the site's own terms, or beside those of the
    elements that it comes from, and isn't rounding.
    """
    for kind in ("singular", "unknown"):
        for point in points:
            if point.usable and (at := getattr(point, kind)):
                message = f"{at[1]} {point.where(options.seed)}"
                status: Any = "different" if kind == "singular" else "unchecked"
                yield Line(
                    check="density", status=status, site=at[0], message=message, point=point.number
                )
                return
    usable = [point for point in points if point.usable]
    if not usable:
        message = "the plain model has no finite log density at any point"
        yield Line(check="density", status="unchecked", message=message)
        return

    different = []
    for name in usable[0].gaps:
        if name in leave:
            continue
        at_worst, gap = found_at(name, usable, evaluator, options)
        off = share(gap, at_worst.magnitude)
        term = float(at_worst.at["plain"]["log_prob"][name])
        if not gap:
            at_worst = max(usable, key=lambda point: point.off(name))
            gap = at_worst.gaps[name]
            term = float(at_worst.at["plain"]["log_prob"][name])
            own = [
                abs(point.determinant.by_site.get(name, 0.0))
                for point in usable
                if point.determinant
            ]
            moved = f", log|det| up to {max(own):.3g}" if max(own, default=0.0) > 1e-12 else ""
            message = f"{sampled_as(change, name)}same density{moved}"
            yield Line(
                check="density",
                status="ok",
                site=name,
                message=message,
                off=abs(gap),
                of=abs(term),
                point=at_worst.number,
            )
        else:
            different.append(
                (
                    off,
                    Line(
                        check="density",
                        status="different",
                        site=name,
                        message=f"off by {gap:.6g}, was {term:.6g}",
                        off=abs(gap),
                        of=abs(term),
                        point=at_worst.number,
                        cause=cause_of(name, change, usable, at_worst),
                    ),
                )
            )
    yield from [line for _, line in sorted(different, key=lambda item: -item[0])]
    worst = max(usable, key=lambda point: share(point.gap, point.magnitude))
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
    )
    if lost := len(points) - len(usable):
        message = f"{lost} of {len(points)} points have no finite log density in either model"
        yield Line(check="density", status="ok", message=message)


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


def init_lines(point: Point) -> Iterator[Line]:
    """Where every param has its initial value: is each base site its child?"""
    same: list[str] = []
    moved: list[str] = []
    for name, (base, child) in point.at["moved"].items():
        kept = np.shape(base) == np.shape(child) and np.allclose(base, child, 1e-6, 1e-6)
        (same if kept else moved).append(name)
    parts = []
    if same:
        parts.append(f"{', '.join(same)} as in the plain model")
    if moved:
        parts.append(f"{', '.join(moved)} in other coordinates from the start")
    message = "; ".join(parts) or "no site is sampled as another one"
    yield Line(check="init", status="ok", message=message, point=INITIAL)
