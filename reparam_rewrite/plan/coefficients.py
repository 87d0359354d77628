"""What is a coefficient called, and what is its shape?"""

from __future__ import annotations

import re

from reparam_rewrite.messages import OfSite, Problem
from reparam_rewrite.plan.children import Child, CoefficientSpec, Pair
from reparam_rewrite.plan.context import Context, Stop
from reparam_rewrite.plan.runtime import written
from reparam_rewrite.plan.sources import Source
from reparam_rewrite.plan.structure import matrix, sizes_by_axes
from reparam_rewrite.plan.values import Array, Coefficient, Name, Number, Param, Sizes, Stored
from reparam_rewrite.survey.values import Axis, Shape


def check_template(child: Child, param: str, pair: Pair | None) -> None:
    """A param's name that is put together is an f-string, in which nothing else may be special."""
    by = pair.site if pair is not None else None
    sites = [child.site] if by is None else [child.site, by]
    if not param or not any(site.computed for site in sites):
        return
    plain = [site.name for site in sites if not site.computed]
    plain += [pair.parent] if pair is not None and by is None else []
    text = re.sub(r"\{[^{}]*\}", "", param)
    if any(set(name) & set("{}") for name in plain) or set(text) & set("\"'\\{}\n\r\t"):
        raise Stop(
            Problem(
                "param-not-an-f-string",
                pair.about if pair is not None else OfSite(child.site.name),
                pair.place if pair is not None else child.place,
                "'{param}' can't be put together as the name of a param",
                'give it a name without quotes, braces and backslashes: {{ name = "..." }}.',
                {"param": param},
            )
        )


def coefficient_of(
    spec: CoefficientSpec, sizes: Sizes, event_dim: int | None, *, computed: bool
) -> Coefficient:
    """A coefficient in the shape that is wanted; `computed`: its name is put together."""
    name = Name(spec.name, computed)
    start: Number | Array | Stored
    match spec.init:
        case str(file):
            start = Stored(file, name, sizes)
        case tuple(rows):
            start = Array(rows, sizes)
        case number:
            start = Number(number, sizes if spec.learn else ())
    return Param(name, start, event_dim if sizes else None) if spec.learn else start


def structure_of(
    context: Context,
    source: Source,
    shape: Shape | None,
    sizes: Sizes,
    declare: int,
) -> tuple[Sizes, str]:
    """The sizes of a coefficient, and its product with the parent's value."""
    pair, spec = source.pair, source.pair.coefficient
    structure = spec.structure
    if structure == "shared" and not isinstance(spec.init, float):
        raise Stop(
            Problem(
                "shared-array",
                pair.about,
                pair.place,
                "the coefficient of '{parent}' in '{child}' is shared, so that 'init' must be a "
                "number",
                'use coefficient = "elementwise", or one number.',
            )
        )
    if structure == "matrix":
        return matrix(pair, source.shape, shape, written_axes(context, source, shape, declare))
    if structure == "shared" or not spec.has_shape:
        return (), "*"
    if isinstance(structure, list):
        return sizes_by_axes(pair, shape, sizes), "*"
    return sizes, "*"


def written_axes(
    context: Context, source: Source, shape: Shape | None, declare: int
) -> dict[Axis, str]:
    """The axes of a child and its parent whose sizes can be written before `declare`."""
    found = {}
    for axis in (*(shape or ()), *(source.shape or ())):
        size = written(context, (axis,), declare)
        if size is not None:
            found[axis] = size[0]
    return found
