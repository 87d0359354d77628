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
from reparam_rewrite.running.values import Model, Site, Trace
from reparam_rewrite.verify.change import Change
from reparam_rewrite.verify.points import Compared
from reparam_rewrite.verify.values import Line


def config_lines(compared: Compared) -> Iterator[Line]:
    """The params of both, then the values that both give the sites at one point."""
    expected, change = compared.options.expected, compared.change
    if expected is None:
        return
    try:
        wanted = structure(expected, change.args, change.kwargs)
    except Exception as error:
        message = f"what the config gives does not run: {summary(error)}"
        yield Line(check="config", status="unchecked", message=message)
        return
    lines = list(unlike_params(wanted, compared))
    if not any(line.site == "" for line in lines):
        lines += unlike_values(expected, wanted, change)
    yield from lines
    if not lines:
        count = len(change.pairing.new)
        message = f"{count} params as in the config, and the same values of the sites"
        yield Line(check="config", status="ok", message=message)


def unlike(site: str, message: str) -> Line:
    return Line(check="config", status="different", site=site, message=message)


def unlike_params(wanted: Trace, compared: Compared) -> Iterator[Line]:
    change = compared.change
    found = change.pairing.params
    sampled = {name for name, site in wanted.items() if is_latent(site)}
    for pair in change.pairing.pairs:
        if pair.base not in sampled:
            other = next((n for n in sampled if n.startswith(f"{pair.name}_")), "another site")
            what = pair.name if pair.name in sampled else other
            yield unlike(
                pair.name, f"{pair.name!r} is sampled as {pair.base!r}, in the config as {what!r}"
            )
    for name, site in wanted.items():
        if site["type"] != "param":
            continue
        if name not in found:
            yield unlike("", f"the config has a param {name!r}, the generated file has none")
            continue
        old, new = np.asarray(full_value(site)), np.asarray(full_value(found[name]))
        child = compared.child_of(name)
        if old.shape != new.shape:
            message = f"param {name!r} has shape {new.shape}, by the config {old.shape}"
            yield unlike(child, message)
        elif not np.allclose(old, new):
            message = f"param {name!r} starts at {start(new)}, by the config at {start(old)}"
            yield unlike(child, message)
        elif kind(site) != kind(found[name]):
            yield unlike(child, f"param {name!r} has another constraint than by the config")
        elif around(site) != around(found[name]):
            here, there = (", ".join(around(one)) or "none" for one in (found[name], site))
            message = f"param {name!r} is declared inside of plates: {here}; by the config: {there}"
            yield unlike(child, message)
    for name in change.pairing.new:
        if name not in wanted:
            yield unlike("", f"param {name!r} isn't in the config")


def around(param: Site) -> list[str]:
    """The plates that a param is declared in."""
    return sorted(frame.name for frame in param.get("cond_indep_stack", ()))


def kind(param: Site) -> str:
    return type(constraint_of(param)).__name__


def start(value: Any) -> str:
    return f"{value.flat[0]:.6g}" if value.size else "nothing"


def unlike_values(expected: Model, wanted: Trace, change: Change) -> Iterator[Line]:
    """The first site, in the order of sampling, that gets another value from the same base site."""
    u, p = change.draw(0, 0)
    try:
        names = {pair.name for pair in change.pairing.pairs}
        if any(pair.base not in wanted for pair in change.pairing.pairs):
            return

        def values(model: Model, u: Any, p: Any) -> dict[str, Any]:
            data = {**change.pairing.fixed, **change.params(p)}
            trace = traced(model, change.args, change.kwargs, data, unconstrained=change.given(u))
            return {name: trace[name]["value"] for name in names}

        def both(u: Any, p: Any) -> tuple[dict[str, Any], dict[str, Any]]:
            return values(expected, u, p), values(change.generated, u, p)

        program = compiled(both, jnp.asarray(u), jnp.asarray(p))
        old, new = jax.device_get(program(u, p))
    except Exception as error:
        yield Line(check="config", status="unchecked", message=f"no values: {summary(error)}")
        return
    for pair in change.pairing.pairs:
        one, other = old[pair.name], new[pair.name]
        size = float(np.max(np.abs(one), initial=1.0))
        if np.shape(one) != np.shape(other) or not np.allclose(one, other, 1e-9, 1e-9 * size):
            gap = float(np.max(np.abs(one - other))) if np.shape(one) == np.shape(other) else None
            yield Line(
                check="config",
                status="different",
                site=pair.name,
                message=f"{pair.base} gives {pair.name!r} another value than by the config",
                off=gap,
                cause="another parent, sign, scale or basis than the config says",
            )
            return
