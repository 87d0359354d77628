"""Do both models have one log density, but for log|det| of the change of variables?

It is asked of every site, and of their sum, at every point. Then whether its derivatives are finite
wherever those of the plain model are, and whether it is the same when it isn't compiled.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from reparam_rewrite.running import parts
from reparam_rewrite.running.errors import summary
from reparam_rewrite.running.trace import compiled, traced
from reparam_rewrite.verifying.change import Change, terms, unconstrained, unwrapped
from reparam_rewrite.verifying.determinant import Singular
from reparam_rewrite.verifying.points import Compared, Point, Value, share
from reparam_rewrite.verifying.predictions import shown
from reparam_rewrite.verifying.values import Line, Status, different, ok, skipped, unchecked

OTHER = "its distribution, or a value that it is computed from, is another one"

#: The gap of a site in shares of its own log|det|, and how that comes about.
OF_VOLUME = {
    1: "log|det| of its map is counted twice",
    -1: "log|det| of its map is not counted",
    -2: "log|det| of its map has the wrong sign",
}

OUTSIDE = (
    "it is moved in its own space: biject_to(support).inv must come first, so that the "
    "unconstrained value is moved"
)


def density_lines(compared: Compared) -> Iterator[Line]:
    """Values outside of their support, scales, discrete latents, then sites and their sum."""
    # HalfNormal shifted as if it were real: values below 0.
    for name, point in compared.outside.items():
        message = f"site {name!r} has a value outside of its support {compared.where(point)}"
        yield different(name, message, OUTSIDE, point=point.number)
    at = compared.points[0].at
    # What handlers.scale, masks and subsampled plates multiply the density of a site with.
    for name, scale in at["plain"]["scale"].items():
        other = at["generated"]["scale"].get(name)
        alike = np.shape(scale) == np.shape(other)
        if other is not None and not (alike and np.allclose(scale, other, rtol=1e-8, atol=0)):
            message = f"site {name!r} has scale {shown(other)}, it was {shown(scale)}"
            yield different(name, message)
    if not compared.outside:
        of_discrete = list(discrete_lines(compared))
        yield from of_discrete
        yield from site_lines(compared, [line.site for line in of_discrete])


def discrete_lines(compared: Compared) -> Iterator[Line]:
    """The density of each discrete latent over its support, whatever values it has elsewhere."""
    for name in compared.points[0].at["supports"]:
        worst = max(compared.points, key=lambda point: float(point.at["supports"][name][0]))
        off, value, term = map(float, worst.at["supports"][name])
        if off > compared.options.rtol:
            gap = off * max(1.0, abs(term))
            message = f"off by {gap:.6g} where {name} is {value:g}, was {term:.6g}"
            yield different(name, message, OTHER, point=worst.number, density="site")


def site_lines(compared: Compared, leave: Collection[str]) -> Iterator[Line]:
    """A line for every site but those to `leave`, and one for their sum; differences only where
    there are some.

    The gap of a site counts where it is large beside the site's own terms, or beside those of the
    elements that it comes from, and isn't rounding.
    """
    points = [point for point in compared.points if point.usable]
    if problems := [(point, point.problem) for point in points if point.problem]:
        point, problem = min(problems, key=lambda one: not isinstance(one[1], Singular))
        status: Status = "different" if isinstance(problem, Singular) else "unchecked"
        message = f"{problem} {compared.where(point)}"
        yield Line(status=status, site=problem.site, message=message, point=point.number)
        return
    if not points:
        yield unchecked("the plain model has no finite log density at any point")
        return

    found: list[tuple[float, Line]] = []
    for name in points[0].gaps:
        if name in leave:
            continue
        worst, gap = worst_gap(name, points, compared)
        if not gap:
            yield same_line(name, compared.change, points)
            continue
        term = float(worst.at["plain"]["log_prob"][name])
        line = different(
            name,
            f"off by {gap:.6g}, was {term:.6g}",
            cause_of(name, compared, points, worst),
            off=abs(gap),
            of=abs(term),
            point=worst.number,
            density="site",
        )
        found.append((share(gap, worst.magnitude), line))
    yield from [line for _, line in sorted(found, key=lambda item: -item[0])]
    yield sum_line(compared, points, bool(found))
    if lost := len(compared.points) - len(points):
        count = len(compared.points)
        yield ok(f"{lost} of {count} points have no finite log density in either model")


def sum_line(compared: Compared, points: Sequence[Point], found: bool) -> Line:
    """Whether the sum of all sites' terms agrees; `found`: that some site's term doesn't."""
    worst = max(points, key=lambda point: point.share)
    same = worst.share <= compared.options.rtol
    same = same or (not found and compared.wavers(worst, lambda point: point.gap))
    figures: dict[str, Any] = {"off": abs(worst.gap), "of": worst.magnitude, "point": worst.number}
    if same and not found:
        return ok("log density and log|det| agree", **figures)
    if same:
        return different("", "too little to show in the sum", **figures)
    totals = f"{worst.found:.10g} instead of {worst.expected:.10g}"
    message = f"the log density is {totals} {compared.where(worst)}"
    return different("", message, **figures, density="model")


def same_line(name: str, change: Change, points: Sequence[Point]) -> Line:
    """That a site has one density in both models, with the most that it is off by."""
    worst = max(points, key=lambda point: point.off(name))
    own = max(abs(point.log_det(name)) for point in points)
    base = change.bases.get(name, name)
    sampled = "" if base == name else f"sampled as {base}, "
    moved = f", log|det| up to {own:.3g}" if own > 1e-12 else ""
    return ok(
        f"{sampled}same density{moved}",
        name,
        off=abs(worst.gaps[name]),
        of=abs(float(worst.at["plain"]["log_prob"][name])),
        point=worst.number,
    )


def worst_gap(name: str, points: Sequence[Point], compared: Compared) -> tuple[Point, float]:
    """The point where a site's density is most different, and by how much; 0 if it is nowhere."""
    ways: list[tuple[Value, Value]] = [
        (lambda point: point.gaps[name], lambda point: point.off(name)),
        (lambda point: point.own(name), lambda point: abs(point.own(name))),
    ]
    for gap, size in ways:
        for point in sorted(points, key=size, reverse=True):
            if size(point) <= compared.options.rtol:
                break
            if not compared.wavers(point, gap):
                return point, gap(point)
    return points[0], 0.0


# -- why a site's density may differ --------------------------------------------------------------


def cause_of(name: str, compared: Compared, points: Sequence[Point], worst: Point) -> str:
    """The cause of the gaps of a site: its volume, its arguments, its kind or a constant."""
    gaps = [point.gaps[name] for point in points]
    own = np.array([point.log_det(name) for point in points])
    if np.max(np.abs(own), initial=0.0) > 1e-6:
        for times, words in OF_VOLUME.items():
            if np.allclose(gaps, times * own):
                return words
    base = compared.change.bases.get(name, name)
    fn, other = compared.plain[name]["fn"], compared.generated[base]["fn"]
    kind = type(unwrapped(fn))
    was, now = kind.__name__, type(unwrapped(other, kind)).__name__
    old, new = worst.at["arguments"].get(name, ({}, {}))
    if base != name and type(unwrapped(other)) is kind and "loc" in old:
        moved = worst.at["values"][base], worst.at["values"][name]
        if words := other_offset(*moved, new["loc"] - old["loc"]):
            return words
    if said := [text for key in old if (text := unlike(key, old[key], new.get(key)))]:
        return f"in its {was}, {' and '.join(said)}"
    if was != now:
        return f"its distribution is {now}, it was {was}"
    if len(gaps) > 1 and np.allclose(gaps, gaps[0], rtol=1e-6):
        return "the same everywhere: a constant of its density, or a scale"
    return OTHER


def other_offset(base: Any, child: Any, by_prior: Any) -> str:
    """``z_base ~ Normal(z_prev + offset, s)`` and another offset in ``z = z_base - offset``."""
    if np.shape(base) != np.shape(child):
        return ""
    by_value = base - child
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


def unlike(key: str, old: Any, new: Any) -> str:
    """``scale is 9, it was 10``, or how far apart two arrays are; "" if they are alike."""
    if new is None:
        return f"{key} is missing"
    one, other = np.asarray(old), np.asarray(new)
    if one.shape != other.shape:
        return f"{key} has shape {other.shape}, it was {one.shape}"
    if np.allclose(one, other, equal_nan=True):
        return ""
    if all(np.ptp(array) == 0 for array in (one, other)):
        return f"{key} is {other.flat[0]:.6g}, it was {one.flat[0]:.6g}"
    return f"{key} differs by up to {np.max(np.abs(other - one)):.3g}"


# -- derivatives -----------------------------------------------------------------------------------


def gradient_lines(compared: Compared) -> list[Line]:
    """By every latent value and every param; nothing where a value has no density."""
    change = compared.change
    if compared.outside:
        return []
    if not change.reverse:
        return [skipped("the model has no reverse-mode derivatives")]
    kinds = (("site", change.spans), ("param", change.param_spans))
    for point in compared.random_points():
        endless = [
            (kind, name)
            for (kind, spans), gradient in zip(kinds, point.at["gradient"], strict=True)
            for name, span in spans.items()
            if not np.isfinite(gradient[span]).all()
        ]
        if endless:
            if not plain_is_finite(change, point):
                return [skipped("those of the plain model are not finite")]
            kind, name = endless[0]
            message = f"the gradient of {kind} {name!r} is not finite {compared.where(point)}"
            return [different(name, message, point=point.number)]
    count = sum(point.usable for point in compared.points)
    return [ok(f"{change.dims + change.param_dims} of them, finite at {count} points")]


def plain_is_finite(change: Change, point: Point) -> bool:
    """Whether the plain model has finite derivatives by its latents and params at a point."""
    plain, _, call = change.models
    names = {name: name for name in change.bases}
    shapes: dict[str, tuple[int, ...]] = {}

    def density(v: Any, p: Any) -> Any:
        data = {**change.pairing.fixed, **point.held, **change.params(p)}
        given = {name: v[span].reshape(shapes[name]) for name, span in change.spans.items()}
        trace = traced(plain, *call, data, unconstrained=given)
        return sum(terms(trace, names)[0]["log_prob"].values(), jnp.zeros(()))

    def gradients(u: Any, p: Any) -> Any:
        trace = change.traces(u, p, point.held)[1]
        shapes.update({name: jnp.shape(unconstrained(trace[name])) for name in names})
        return jax.grad(density, argnums=(0, 1))(change.flat(trace, unconstrained), p)

    found = compiled(gradients, point.u, point.p)(point.u, point.p)
    return all(bool(np.isfinite(one).all()) for one in jax.device_get(found))


# -- without compiling it --------------------------------------------------------------------------


def jit_lines(compared: Compared) -> list[Line]:
    """One run, operation by operation, against the compiled one. Python code that asks for a
    value, or keeps one from an earlier run, shows here.
    """
    change, point = compared.change, compared.points[0]
    _, generated, call = change.models
    bases = {base: point.at["values"][base] for base in change.bases.values()}
    given = {**change.pairing.fixed, **point.held, **point.at["params"], **bases}
    data = {name: parts.mapped(jnp.asarray, value) for name, value in given.items()}
    try:
        trace = traced(generated, *call, data)
    except Exception as error:
        message = f"the generated model runs only when compiled: {summary(error)}"
        return [different("", message, point=point.number)]
    names = {base: name for name, base in change.bases.items()}
    # The values of the sites are known: their densities are numpyro's, and of no Python code here.
    found = jax.device_get(compiled(lambda: terms(trace, names)[0]["log_prob"])())
    sizes, worst = point.at["generated"]["size"], 0.0
    for name, term in point.at["generated"]["log_prob"].items():
        other = found.get(name, np.nan)
        gap = float(abs(other - term)) if np.isfinite(term) else 0.0
        small = gap <= compared.options.rtol * max(1.0, sizes[name])
        if not small and not compared.wavers(point, partial(Point.term, name=name), gap):
            said = f"compiled, its log density is {term:.10g}, and {other:.10g} otherwise"
            message = f"{said} {compared.where(point)}"
            return [different(name, message, off=gap, point=point.number)]
        worst = max(worst, gap)
    return [ok("the same compiled and not", off=worst, of=point.magnitude, point=point.number)]
