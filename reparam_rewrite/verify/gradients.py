"""Are the derivatives of the generated log density finite wherever those of the plain one are?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from reparam_rewrite.running.trace import compiled, traced
from reparam_rewrite.verify.change import Change, terms, unconstrained
from reparam_rewrite.verify.points import INITIAL, Compared, Point
from reparam_rewrite.verify.values import Line


def gradient_lines(compared: Compared) -> Iterator[Line]:
    """By every latent value and every param; nothing where a value has no density."""
    change = compared.change
    if compared.outside:
        return
    if not change.reverse:
        message = "the model has no reverse-mode derivatives"
        yield Line(check="gradients", status="skipped", message=message)
        return
    points = [point for point in compared.points if point.usable]
    for point in points:
        if point.number == INITIAL or not (endless := endless_at(change, point)):
            continue
        if not plain_is_finite(change, point):
            message = "those of the plain model are not finite"
            yield Line(check="gradients", status="skipped", message=message)
            return
        kind, name = endless
        where = point.where(compared.options.seed)
        yield Line(
            check="gradients",
            status="different",
            site=name,
            message=f"the gradient of {kind} {name!r} is not finite {where}",
            point=point.number,
        )
        return
    message = f"{change.dims + change.param_dims} of them, finite at {len(points)} points"
    yield Line(check="gradients", status="ok", message=message)


def endless_at(change: Change, point: Point) -> tuple[str, str] | None:
    """The kind and the name of the first site or param whose gradient is not finite."""
    by_u, by_p = point.at["gradient"]
    for spans, gradient, kind in (
        (change.spans, by_u, "site"),
        (change.param_spans, by_p, "param"),
    ):
        for name, span in spans.items():
            if not np.isfinite(gradient[span]).all():
                return kind, name
    return None


def plain_is_finite(change: Change, point: Point) -> bool:
    """Whether the plain model has finite derivatives by its latents and params at a point."""
    names = {pair.name: pair.name for pair in change.pairing.pairs}
    shapes: dict[str, tuple[int, ...]] = {}

    def density(v: Any, p: Any) -> Any:
        data = {**change.pairing.fixed, **point.held, **change.params(p)}
        given = {n: v[span].reshape(shapes[n]) for n, span in change.spans.items()}
        trace = traced(change.plain, change.args, change.kwargs, data, unconstrained=given)
        return sum(terms(trace, names)[0]["log_prob"].values(), jnp.zeros(()))

    def gradients(u: Any, p: Any) -> Any:
        plain = change.traces(u, p, point.held)[1]
        for name in names:
            shapes[name] = jnp.shape(unconstrained(plain[name]))
        return jax.grad(density, argnums=(0, 1))(change.v(plain), p)

    found = compiled(gradients, point.u, point.p)(point.u, point.p)
    return all(bool(np.isfinite(one).all()) for one in jax.device_get(found))
