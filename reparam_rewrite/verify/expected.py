"""Is a generated file what its config asks for? It is compared with what the config gives now.

Another offset, scale or initial value is the same model in other coordinates, and only the config
says that it isn't meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
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
from reparam_rewrite.running.values import Model, Site, Trace, Values
from reparam_rewrite.verify.change import Change
from reparam_rewrite.verify.pairing import declared_in
from reparam_rewrite.verify.points import Compared
from reparam_rewrite.verify.values import Line, different, ok, unchecked


def config_lines(compared: Compared) -> list[Line]:
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
        lines += unlike_values(expected, wanted, change)
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
    old, new = np.asarray(full_value(wanted)), np.asarray(full_value(found))
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


def unlike_values(expected: Model, wanted: Trace, change: Change) -> list[Line]:
    """The first site, in the order of sampling, that gets another value from the same base site."""
    if any(base not in wanted for base in change.bases.values()):
        return []
    _, generated, call = change.models

    def values(model: Model, u: Any, p: Any) -> Values:
        data = {**change.pairing.fixed, **change.params(p)}
        trace = traced(model, *call, data, unconstrained=change.given(u))
        return {name: trace[name]["value"] for name in change.bases}

    def both(u: Any, p: Any) -> tuple[Values, Values]:
        return values(expected, u, p), values(generated, u, p)

    u, p = map(jnp.asarray, change.draw(0, 0))
    try:
        old, new = jax.device_get(compiled(both, u, p)(u, p))
    except Exception as error:
        return [unchecked(f"no values: {summary(error)}")]
    for name, base in change.bases.items():
        one, other = old[name], new[name]
        alike = np.shape(one) == np.shape(other)
        size = float(np.max(np.abs(one), initial=1.0))
        if not alike or not np.allclose(one, other, 1e-9, 1e-9 * size):
            message = f"{base} gives {name!r} another value than by the config"
            cause = "another parent, sign, scale or basis than the config says"
            gap = float(np.max(np.abs(one - other))) if alike else None
            return [different(name, message, cause, off=gap)]
    return []
