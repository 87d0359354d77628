"""Is a coefficient that is called ``xi_a_mu`` the one of mu in the offset of a, with its sign?

Any offset leaves the model as it is, so nothing else would tell a swapped parent or a wrong sign.
With a_base = a + xi * mu the value of a falls by mu for every unit of xi, in the unconstrained
space and at given values of the other sites. What is looked at is how that derivative changes
when only mu does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from reparam_rewrite.verify.change import Change
from reparam_rewrite.verify.points import Evaluator, Point
from reparam_rewrite.verify.values import Line, Options

STEP = 1e-3


def named_pairs(change: Change, leave: Sequence[str]) -> list[tuple[str, str, str]]:
    """(param, child, parent) of the new params whose names tell both."""
    sites = [pair.name for pair in change.pairing.pairs]
    names = {f"xi_{child}_{parent}": (child, parent) for child in sites for parent in sites}
    return [(n, *names[n]) for n in change.pairing.new if n in names and n not in leave]


def offset_lines(
    change: Change, evaluator: Evaluator, point: Point, options: Options
) -> Iterator[Line]:
    pairs = named_pairs(change, options.other_offsets)
    if not pairs:
        message = "no coefficient is called after its child and its parent, xi_<child>_<parent>"
        yield Line(check="offsets", status="skipped", message=message)
        return
    if not evaluator.small:
        message = f"read off the whole jacobian, of up to {options.dense} latent dims"
        yield Line(check="offsets", status="skipped", message=message)
        return
    jacobian = point.at["along"][: change.dims].T
    before = derivatives(change, point.at)
    different = False
    responses: dict[str, Any] = {}
    for name, child, parent in pairs:
        if parent not in responses:
            responses[parent] = response(change, evaluator, point, jacobian, parent, before)
        moved = responses[parent][name][change.spans[child]]
        if np.max(np.abs(moved), initial=0.0) < STEP:
            message = f"{name} does not multiply {parent!r} in the offset of {child!r}"
            cause = "its parent is another one, or it belongs to another child"
        elif np.sum(moved) > 0:
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


def derivatives(change: Change, at: Any) -> dict[str, Any]:
    """By new param, the derivative of all values along it."""
    return dict(zip(change.pairing.new, at["by_param"], strict=True))


def response(
    change: Change, evaluator: Evaluator, point: Point, jacobian: Any, parent: str, before: Any
) -> dict[str, Any]:
    """By new param, how the derivatives along it change by all of a parent's elements together."""
    along = np.zeros(change.dims)
    along[change.spans[parent]] = 1.0
    step = np.linalg.solve(jacobian, along)
    after = derivatives(change, evaluator.whole(point.u + STEP * step, point.p))
    return {name: (after[name] - before[name]) / STEP for name in before}
