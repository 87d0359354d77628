"""Have deterministic sites and the returned value what they had, put together as they were?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from reparam_rewrite.running.trace import RETURN
from reparam_rewrite.verify.points import Compared
from reparam_rewrite.verify.values import Line


def value_lines(compared: Compared) -> Iterator[Line]:
    """What is different about deterministic sites and about what the model returns."""
    change, points, options = compared.change, compared.points, compared.options
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
