"""Models with subsampled plates, run with all of their elements: the density that batches estimate.

A plate of which a part is drawn weighs the log densities in it by how many times larger it is. What
that is on average over the parts is the sum over all elements, with a weight of one.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import wraps
from typing import Any

import jax.numpy as jnp
from numpyro.primitives import Messenger

from reparam_rewrite.messages import Diagnostic, Refusal, listed
from reparam_rewrite.running.trace import is_subsampled
from reparam_rewrite.running.values import Model, Trace


class Whole(Messenger):  # type: ignore[misc]
    """Makes each plate whole: its indices are those of all elements, in their order."""

    def process_message(self, msg: dict[str, Any]) -> None:
        if is_subsampled(msg):
            size = msg["args"][0]
            msg["args"], msg["value"] = (size, size), jnp.arange(size)


def whole(model: Model) -> Model:
    """The model with plates that are whole, whatever their subsample size."""

    @wraps(model)
    def made(*args: Any, **kwargs: Any) -> Any:
        with Whole():
            return model(*args, **kwargs)

    return made


#: What makes a plate one that can be made whole.
HINT = (
    "give all of the data in --args, and let the model take its part by the plate's indices: "
    "`with numpyro.plate(...) as i` and `y[i]`, or `numpyro.subsample(y, event_dim=0)`."
)


def subsampled(trace: Trace) -> list[str]:
    return [name for name, site in trace.items() if is_subsampled(site)]


def check_whole(before: Trace, after: Trace, plates: Collection[str], path: str) -> None:
    """All elements must be observed where a part was. Raises `Refusal` for a part that stays one.

    before, after: traces of the model as it is, and with `plates` made whole.
    """
    for name, site in after.items():
        if site["type"] != "sample" or not site["is_observed"]:
            continue
        for frame in site["cond_indep_stack"]:
            if frame.name not in plates or frame.size == 1:
                continue
            part = before[frame.name]["args"][1]
            found, was = (elements(one, frame.dim) for one in (site, before.get(name, site)))
            if found not in (frame.size, None) and not (found == was == 1 < part):
                message = (
                    f"the plate {listed([frame.name])} is subsampled, and all of the data are "
                    f"needed at once: '{name}' has {found} of its {frame.size} elements"
                )
                raise Refusal(Diagnostic(path, message, HINT))


def elements(site: Any, dim: int) -> int | None:
    """How many elements an observed value has along the axis of a plate, None without that axis."""
    shape = jnp.shape(site["value"])
    shape = shape[: len(shape) - site["fn"].event_dim]
    return shape[dim] if len(shape) >= -dim else None
