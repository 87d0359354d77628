"""What each coefficient does: at its initial value, to which site, and with which sign.

And is a generated file what its config asks for? Another offset, scale or initial value is the same
model in other coordinates, and only the config says that it isn't meant.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from reparam_rewrite.running.errors import summary
from reparam_rewrite.running.trace import (
    compiled,
    constraint_of,
    full_value,
    is_latent,
    structure,
    traced,
)
from reparam_rewrite.running.values import Site, Trace, Values
from reparam_rewrite.verifying.change import varied
from reparam_rewrite.verifying.idle import Met, met
from reparam_rewrite.verifying.pairing import declared_in
from reparam_rewrite.verifying.points import INITIAL, Compared, Point
from reparam_rewrite.verifying.values import Line, different, ok, skipped, unchecked

STEP = 1e-5

#: Below this share of what it would be, a parent has no part in an offset.
NONE = 1e-4


def effect_lines(compared: Compared) -> Iterator[Line]:
    """Every element of every coefficient moves a site; with a subsampled plate, any element.

    One that meets nothing in the observations needn't.
    """
    change = compared.change
    points = [point for point in compared.points if point.told_apart]
    if not points:
        yield skipped("at no point can a value be told from the next one")
        return
    point = next((point for point in points if point.number != INITIAL), points[0])
    fine: dict[str, list[str]] = {}
    idle: dict[str, Any] = {}
    for name, moved in compared.moved_at(point).items():
        span, shape = change.param_spans[name], change.param_shapes[name]
        still = np.full(shape, not moved)
        if change.reverse:
            still = np.all([p.at["effect"][span] == 0 for p in points], axis=0).reshape(shape)
        if still.all() or (still.any() and not change.pairing.subsampled):
            idle[name] = still
            continue
        child = moved[0] if moved else ""
        fine.setdefault(child, []).append(f"{name} ({still.size})" if shape else name)
    if idle:
        yield from idle_lines(compared, points, idle)
    for child, names in fine.items():
        yield ok(f"each element of {', '.join(names)} moves it", child)
    if not change.pairing.new:
        yield skipped("the generated model has no params of its own")


def idle_lines(compared: Compared, points: list[Point], idle: dict[str, Any]) -> Iterator[Line]:
    """Whether the elements of coefficients that move nothing should; `idle` has them by name."""
    children = {name: compared.child_of(name, points[0]) for name in idle}
    parents = {n: n.removeprefix(f"xi_{child}_") for n, child in children.items()}
    meeting: Met | None = None
    if compared.change.reverse:
        meeting = met(compared, points, [(children[n], parents[n]) for n in idle])
    lines = config_lines(compared)
    asked_for = bool(lines) and all(line.status == "ok" for line in lines)
    for name, still in idle.items():
        child, count = children[name], f"{still.sum()} of {still.size} elements of "
        reason = meeting.excuse(child, parents[name], still) if meeting else ""
        if asked_for and not still.all():
            reason = reason or "nor do they in what the config gives"
        if reason:
            what = f"{count}{name}" if still.ndim else name
            yield ok(f"{what} may move nothing: {reason}", child)
            continue
        message = f"{count if still.ndim else ''}param {name!r} without effect on any site"
        cause = "what it is multiplied by is zero, or it is used nowhere"
        yield different(child, message, cause)


def init_lines(compared: Compared) -> list[Line]:
    """Where every param has its initial value: is each base site its child?"""
    same, other = "as in the plain model", "in other coordinates from the start"
    told: dict[str, list[str]] = {same: [], other: []}
    values = compared.points[-1].at["values"]
    for name in sorted(compared.change.moved):
        base, child = values[compared.change.moved[name]], values[name]
        kept = np.shape(base) == np.shape(child) and np.allclose(base, child, 1e-6, 1e-6)
        told[same if kept else other].append(name)
    said = "; ".join(f"{', '.join(names)} {what}" for what, names in told.items() if names)
    return [ok(said or "no site is sampled as another one", point=INITIAL)]


def offset_lines(compared: Compared) -> Iterator[Line]:
    """Whether a coefficient called ``xi_a_mu`` is that of mu in the offset of a, with its sign.

    Any offset leaves the model as it is, so nothing else would tell a swapped parent or a wrong
    sign. With a_base = a + xi * mu the value of a falls by mu for every unit of xi, in the
    unconstrained space and at given values of the other sites. What is looked at is how that
    derivative changes when only mu does.
    """
    change, point = compared.change, compared.points[0]
    if not point.determinant:
        return
    pairs = itertools.product(change.bases, repeat=2)
    names = {f"xi_{child}_{parent}": (child, parent) for child, parent in pairs}
    named = [n for n in change.pairing.new if n in {*names} - {*compared.options.other_offsets}]
    if not named:
        yield skipped(
            "no coefficient is called after its child and its parent, xi_<child>_<parent>"
        )
        return
    responses = {p: responding(compared, point, p) for p in {names[n][1]: 0 for n in named}}
    wrong = False
    for name in named:
        if not np.any(point.at["by_param"][name]):
            continue  # whether it may do nothing is another question
        child, parent = names[name]
        own, (constant, moved_by) = change.spans[child], responses[parent]
        moved = moved_by[name][own]
        size = float(np.max(np.abs(point.at["v"][change.spans[parent]]), initial=0.0))
        whole = float(np.max(np.abs(point.at["by_param"][name][own]), initial=0.0)) / (1 + size)
        if not np.max(np.abs(moved), initial=0.0) > NONE * whole:
            if constant:
                continue  # the mean of a simplex is the same wherever it is
            message = f"{name} does not multiply {parent!r} in the offset of {child!r}"
            cause = "its parent is another one, or it belongs to another child"
        elif np.all(moved > -NONE * whole) and unweighted(compared, point, name, child, parent):
            message = f"{child!r} is offset by {name} with the wrong sign"
            cause = f"{child}_base is {child} - xi * {parent} instead of {child} + xi * {parent}"
        else:
            continue
        wrong = True
        yield different(child, message, cause)
    if not wrong:
        count = f"{len(change.pairing.new)} new params"
        yield ok(f"the child and the parent that its name says, for {len(named)} of {count}")


def responding(compared: Compared, point: Point, parent: str) -> tuple[bool, dict[str, Any]]:
    """Whether the sum of a parent stays as it is when all of its elements grow, and no other site
    moves; and how fast the derivatives along each new param change with it.
    """
    change, span = compared.change, compared.change.spans[parent]
    along = np.zeros(change.dims)
    # By different amounts.
    along[span] = 0.5 + np.random.default_rng(3).uniform(size=span.stop - span.start)
    u = point.u + STEP * compared.inverse(point)(along)
    there = compared.evaluated(u, point.p, point.held)
    before, after = (np.sum(at["values"][parent]) for at in (point.at, there))
    constant = abs(after - before) <= NONE * STEP * max(1.0, abs(before))
    # A value below an upper bound falls where its unconstrained one grows.
    step = STEP if after >= before else -STEP
    rows = point.at["by_param"].items()
    return constant, {name: (there["by_param"][name] - row) / step for name, row in rows}


def unweighted(compared: Compared, point: Point, name: str, child: str, parent: str) -> bool:
    """Whether an offset is a multiple of its parent, or of means or sums over its axes, and of
    nothing else: the sign of a coefficient of ``mean(x) * mu`` is that of the data as well.
    """
    change, shape = compared.change, compared.change.shapes[parent]
    along, row = np.zeros(change.dims), np.zeros((1, change.dims + change.param_dims))
    along[change.spans[parent]] = row[:, change.dims :][:, change.param_spans[name]] = 1.0
    step = STEP * compared.inverse(point)(along)
    here, there = (change.at(u, point.p, point.held, row) for u in (point.u, point.u + step))
    moved = np.abs(there["along"] - here["along"])[0, change.spans[child]] / STEP
    total = abs(np.sum(there["values"][parent] - here["values"][parent])) / STEP
    sizes = range(len(shape) + 1)
    counts = {math.prod(n) for size in sizes for n in itertools.combinations(shape, size)}
    expected = [*counts, *(total / count for count in counts)]
    close = [np.abs(moved - one) <= 1e-3 * max(1.0, one) for one in expected]
    return bool(np.all(np.any([*close, moved == 0], axis=0)))


# -- against what the config gives now -------------------------------------------------------------


def config_lines(compared: Compared) -> list[Line]:
    """What is different from what the config gives; it is asked once."""
    if compared.by_config is None:
        compared.by_config = differences_from_config(compared)
    return compared.by_config


def differences_from_config(compared: Compared) -> list[Line]:
    """The params of both, then the values that both give the sites at one point."""
    expected, change = compared.options.expected, compared.change
    if expected is None:
        return []
    try:
        wanted = structure(expected, *change.models.call)
    except Exception as error:
        return [unchecked(f"what the config gives does not run: {summary(error)}")]
    lines = list(unlike_params(wanted, compared))
    if all(line.site for line in lines):
        lines += unlike_values(wanted, compared)
    count = len(change.pairing.new)
    return lines or [ok(f"{count} params as in the config, and the same values of the sites")]


def unlike_params(wanted: Trace, compared: Compared) -> Iterator[Line]:
    """Base sites of other names, and params that are missing, other ones, or too many."""
    pairing = compared.change.pairing
    sampled = {name for name, site in wanted.items() if is_latent(site)}
    for name, base in pairing.bases.items():
        if base not in sampled:
            other = next((one for one in sampled if one.startswith(f"{name}_")), "another site")
            what = name if name in sampled else other
            yield different(name, f"{name!r} is sampled as {base!r}, in the config as {what!r}")
    for name, site in wanted.items():
        if site["type"] == "param":
            if name not in pairing.params:
                message = f"the config has a param {name!r}, the generated file has none"
                yield different("", message)
            elif message := param_differs(site, pairing.params[name]):
                yield different(compared.child_of(name), f"param {name!r} {message}")
    for name in pairing.new:
        if name not in wanted:
            yield different("", f"param {name!r} isn't in the config")


def param_differs(wanted: Site, found: Site) -> str:
    """What is different about a param, as a clause; "" if nothing is."""
    trees = [varied(full_value(site)) for site in (wanted, found)]
    if len(trees[0]) != len(trees[1]):
        return "has other arrays in its tree than by the config"
    for old, new in (map(np.asarray, pair) for pair in zip(*trees, strict=True)):
        if old.shape != new.shape:
            return f"has shape {new.shape}, by the config {old.shape}"
        if not np.allclose(old, new):
            start, asked = (f"{one.flat[0]:.6g}" if one.size else "nothing" for one in (new, old))
            return f"starts at {start}, by the config at {asked}"
    if type(constraint_of(wanted)).__name__ != type(constraint_of(found)).__name__:
        return "has another constraint than by the config"
    plates = [sorted(declared_in(one)) for one in (found, wanted)]
    here, there = (", ".join(names) or "none" for names in plates)
    return f"is declared inside of plates: {here}; by the config: {there}" if here != there else ""


def unlike_values(wanted: Trace, compared: Compared) -> list[Line]:
    """The first site, in the order of sampling, that gets another value from the same base site."""
    change, point, expected = compared.change, compared.points[0], compared.options.expected
    if any(base not in wanted for base in change.bases.values()):
        return []
    data = {**change.pairing.fixed, **point.held, **point.at["params"]}

    def values(u: Any) -> Values:
        trace = traced(expected, *change.models.call, data, unconstrained=change.given(u))
        return {name: trace[name]["value"] for name in change.bases}

    try:
        old = jax.device_get(compiled(values, point.u)(point.u))
    except Exception as error:
        return [unchecked(f"no values: {summary(error)}")]
    for name, base in change.bases.items():
        one, other = old[name], point.at["values"][name]
        alike = np.shape(one) == np.shape(other)
        size = float(np.max(np.abs(one), initial=1.0))
        if not alike or not np.allclose(one, other, 1e-9, 1e-9 * size):
            message = f"{base} gives {name!r} another value than by the config"
            cause = "another parent, sign, scale or basis than the config says"
            gap = float(np.max(np.abs(one - other))) if alike else None
            return [different(name, message, cause, off=gap)]
    return []
