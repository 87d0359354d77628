"""Is the log density of the generated model the same when it isn't compiled?"""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from reparam_rewrite.running import parts
from reparam_rewrite.running.errors import summary
from reparam_rewrite.running.trace import compiled, traced
from reparam_rewrite.verify.change import terms
from reparam_rewrite.verify.points import Compared
from reparam_rewrite.verify.values import Line


def jit_lines(compared: Compared) -> Iterator[Line]:
    """One run, operation by operation, against the compiled one. Python code that asks for a
    value, or keeps one from an earlier run, shows here.
    """
    change, point, options = compared.change, compared.points[0], compared.options
    given = change.pairing.fixed, point.held, point.at["params"], point.at["values"]
    data = {n: parts.mapped(jnp.asarray, v) for values in given for n, v in values.items()}
    try:
        trace = traced(change.generated, change.args, change.kwargs, data)
    except Exception as error:
        message = f"the generated model runs only when compiled: {summary(error)}"
        yield Line(check="jit", status="different", message=message, point=point.number)
        return
    names = {pair.base: pair.name for pair in change.pairing.pairs}
    # The values of the sites are known: their densities are numpyro's, and of no Python code here.
    found = jax.device_get(compiled(lambda: terms(trace, names)[0]["log_prob"])())
    known, sizes = point.at["generated"]["log_prob"], point.at["generated"]["size"]
    apart = {name: float(abs(found.get(name, np.nan) - term)) for name, term in known.items()}
    for name, gap in apart.items():
        if gap <= options.rtol * max(1.0, sizes[name]) or not np.isfinite(known[name]):
            continue
        if not compared.evaluator.wavers(point, name, gap):
            yield Line(
                check="jit",
                status="different",
                site=name,
                message=f"compiled, its log density is {known[name]:.10g}, "
                f"and {found.get(name, np.nan):.10g} otherwise {point.where(options.seed)}",
                off=gap,
                point=point.number,
            )
            return
    finite = [gap for name, gap in apart.items() if np.isfinite(known[name])]
    message = "the same compiled and not"
    yield Line(
        check="jit",
        status="ok",
        message=message,
        off=max(finite, default=0.0),
        of=point.magnitude,
        point=point.number,
    )
