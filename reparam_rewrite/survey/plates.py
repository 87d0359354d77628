"""How are plates read: dim, size, identity, and the batch shape that they give a site?"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from reparam_rewrite.survey.calls import argument, is_none
from reparam_rewrite.survey.purity import reads_of
from reparam_rewrite.survey.scope import Scope
from reparam_rewrite.survey.shapes import axis_of
from reparam_rewrite.survey.text import Text
from reparam_rewrite.survey.values import UNIT, Frame, Handler, Plate, Shape


def plate_of(scope: Scope, text: Text, call: ast.Call, frames: Sequence[Frame]) -> Plate | None:
    """``numpyro.plate("n_a", n_a, dim=-2)``, made inside `frames`; None for any other call."""
    if scope.resolve(call.func) != "numpyro.plate":
        return None
    name, size = argument(call, 0, "name"), argument(call, 1, "size")
    if name is None or size is None or any(isinstance(a, ast.Starred) for a in call.args):
        return None
    literal = isinstance(name, ast.Constant) and isinstance(name.value, str)
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        label, identity = name.value, repr(name.value)
    else:
        versions = ",".join(sorted(f"{r.name}@{r.version}" for r in reads_of(scope, name)))
        label, identity = ast.unparse(name), f"{ast.unparse(name)} {versions}"
    written = text.segment(size).text
    return Plate(
        axis=axis_of(scope, size, ast.unparse(size) if "\n" in written else written, identity),
        name=label,
        literal=literal,
        dim=dim_of(argument(call, 3, "dim"), frames),
        subsampled=not is_none(argument(call, 2, "subsample_size")),
        place=text.place(call),
    )


def dim_of(given: ast.expr | None, frames: Sequence[Frame]) -> int | None:
    """The dim that is asked for, else the rightmost that no plate around has; None if unknown.

    NumPyro takes it when the plate is made, not when it is entered.
    """
    if given is not None and not is_none(given):
        try:
            dim = ast.literal_eval(given)
        except ValueError:
            return None
        return dim if type(dim) is int and dim < 0 else None
    plates = plates_by_dim(frames)
    if plates is None:
        return None
    return next(-d for d in range(1, len(plates) + 2) if -d not in plates)


def plate_shape(frames: Sequence[Frame]) -> Shape | None:
    """The batch shape that the plates around a statement ask for; None if it can't be told."""
    plates = plates_by_dim(frames)
    if plates is None:
        return None
    return tuple(plates[d].axis if d in plates else UNIT for d in range(min(plates, default=0), 0))


def plates_by_dim(frames: Sequence[Frame]) -> dict[int, Plate] | None:
    """The plates of the frames by their dims; None where something may be an unknown plate."""
    found: dict[int, Plate] = {}
    for frame in frames:
        for item in frame.items:
            if isinstance(item, Handler):
                if item.opaque:
                    return None
            elif item.dim is None or item.dim in found:
                return None
            else:
                found[item.dim] = item
    return found
