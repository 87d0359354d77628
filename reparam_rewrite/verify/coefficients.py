"""What each coefficient does: at its initial value, to which site, and with which sign."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from reparam_rewrite.verify.change import Change
from reparam_rewrite.verify.points import INITIAL, Compared, Evaluator, Point, called_after
from reparam_rewrite.verify.values import Line

STEP = 1e-5

#: Below this share of what it would be, a parent has no part in an offset.
NONE = 1e-4


def effect_lines(compared: Compared) -> Iterator[Line]:
    """Every element of every coefficient moves a site; with a subsampled plate, any element."""
    change = compared.change
    points = [point for point in compared.points if point.at["told_apart"]]
    if not points:
        message = "at no point can a value be told from the next one"
        yield Line(check="effect", status="skipped", message=message)
        return
    point = next((point for point in points if point.number != INITIAL), points[0])
    moved = compared.moved_at(point)
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
            site=child or called_after(name, change),
            message=f"{what}param {name!r} without effect on any site",
            cause="what it is multiplied by is zero, or it is used nowhere",
        )
    for child, names in fine.items():
        message = f"each element of {', '.join(names)} moves it"
        yield Line(check="effect", status="ok", site=child, message=message)
    if not change.pairing.new:
        message = "the generated model has no params of its own"
        yield Line(check="effect", status="skipped", message=message)


def init_lines(compared: Compared) -> Iterator[Line]:
    """Where every param has its initial value: is each base site its child?"""
    point = compared.points[-1]
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


def named_pairs(change: Change, leave: Sequence[str]) -> list[tuple[str, str, str]]:
    """(param, child, parent) of the new params whose names tell both."""
    sites = [pair.name for pair in change.pairing.pairs]
    names = {f"xi_{child}_{parent}": (child, parent) for child in sites for parent in sites}
    return [(n, *names[n]) for n in change.pairing.new if n in names and n not in leave]


def offset_lines(compared: Compared) -> Iterator[Line]:
    """Whether a coefficient called ``xi_a_mu`` is that of mu in the offset of a, with its sign.

    Any offset leaves the model as it is, so nothing else would tell a swapped parent or a wrong
    sign. With a_base = a + xi * mu the value of a falls by mu for every unit of xi, in the
    unconstrained space and at given values of the other sites. What is looked at is how that
    derivative changes when only mu does.
    """
    change, evaluator, point = compared.change, compared.evaluator, compared.points[0]
    if not point.determinant:
        return
    pairs = named_pairs(change, compared.options.other_offsets)
    if not pairs:
        message = "no coefficient is called after its child and its parent, xi_<child>_<parent>"
        yield Line(check="offsets", status="skipped", message=message)
        return
    before = dict(zip(change.pairing.new, point.at["by_param"], strict=True))
    different = False
    responses: dict[str, Any] = {}
    constant: set[str] = set()
    for name, child, parent in pairs:
        if parent not in responses:
            along = np.zeros(change.dims)
            span = change.spans[parent]
            # All of the parent's elements grow, by different amounts, and no other site moves.
            along[span] = 0.5 + np.random.default_rng(3).uniform(size=span.stop - span.start)
            there = moved_along(evaluator, point, along)
            after = dict(zip(change.pairing.new, there["by_param"], strict=True))
            total, before_it = there["totals"][parent], point.at["totals"][parent]
            if abs(total - before_it) <= NONE * STEP * max(1.0, abs(before_it)):
                constant.add(parent)
            # A value below an upper bound falls where its unconstrained one grows.
            way = 1.0 if total >= before_it else -1.0
            responses[parent] = {n: way * (after[n] - before[n]) / STEP for n in before}
        own = change.spans[child]
        moved = responses[parent][name][own]
        size = float(np.max(np.abs(point.at["v"][change.spans[parent]]), initial=0.0))
        whole = float(np.max(np.abs(before[name][own]), initial=0.0)) / (1 + size)
        if not np.max(np.abs(moved), initial=0.0) > NONE * whole:
            if parent in constant:
                continue  # the mean of a simplex is the same wherever it is
            message = f"{name} does not multiply {parent!r} in the offset of {child!r}"
            cause = "its parent is another one, or it belongs to another child"
        elif np.all(moved > -NONE * whole) and unweighted(change, evaluator, point, name, parent):
            message = f"{child!r} is offset by {name} with the wrong sign"
            cause = f"{child}_base is {child} - xi * {parent} instead of {child} + xi * {parent}"
        else:
            continue
        different = True
        yield Line(check="offsets", status="different", site=child, message=message, cause=cause)
    if not different:
        count = f"{len(change.pairing.new)} new params"
        message = f"the child and the parent that its name says, for {len(pairs)} of {count}"
        yield Line(check="offsets", status="ok", message=message)


def moved_along(evaluator: Evaluator, point: Point, along: Any) -> dict[str, Any]:
    """What is a small step away in v."""
    u = point.u + STEP * evaluator.inverse(point)(along)
    return evaluator.evaluated(u, point.p, point.held)


def unweighted(change: Change, evaluator: Evaluator, point: Point, name: str, parent: str) -> bool:
    """Whether an offset is a multiple of its parent, or of means or sums over its axes, and of
    nothing else: the sign of a coefficient of ``mean(x) * mu`` is that of the data as well.
    """
    span = change.spans[parent]
    shape = next(pair.shape for pair in change.pairing.pairs if pair.name == parent)
    along, row = np.zeros(change.dims), np.zeros((1, change.param_dims))
    along[span], row[:, change.param_spans[name]] = 1.0, 1.0
    step = STEP * evaluator.inverse(point)(along)
    none = np.zeros((1, change.dims))
    here, there = (change.at(u, point.p, none, row, point.held) for u in (point.u, point.u + step))
    child = next(c for n, c, p in named_pairs(change, ()) if (n, p) == (name, parent))
    moved = np.abs(there["along"] - here["along"])[0, change.spans[child]] / STEP
    total = abs(there["totals"][parent] - here["totals"][parent]) / STEP
    counts = {
        math.prod(axes)
        for size in range(len(shape) + 1)
        for axes in itertools.combinations(shape, size)
    }
    expected = [*counts, *(total / count for count in counts)]
    close = [np.abs(moved - one) <= 1e-3 * max(1.0, one) for one in expected]
    return bool(np.all(np.any([*close, moved == 0], axis=0)))
