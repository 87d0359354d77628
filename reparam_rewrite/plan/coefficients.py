"""What is a coefficient called, and what is its shape?"""

from __future__ import annotations

import re
from string import ascii_letters

from reparam_rewrite.plan.alignment import described, match
from reparam_rewrite.plan.asking_prior import written
from reparam_rewrite.plan.children import Child, CoefficientSpec, Pair
from reparam_rewrite.plan.context import Context, Stop, stop
from reparam_rewrite.plan.names import Names
from reparam_rewrite.plan.sources import Source
from reparam_rewrite.plan.values import (
    Array,
    Coefficient,
    Name,
    Number,
    Param,
    Sizes,
    Start,
    Stored,
    Term,
    Value,
)
from reparam_rewrite.survey.expressions import identifier
from reparam_rewrite.survey.values import Axis, Shape


def check_template(child: Child, param: str, pair: Pair | None) -> None:
    """A param's name that is put together is an f-string, in which nothing else may be special."""
    by = pair.site if pair is not None else None
    sites = [child.site] if by is None else [child.site, by]
    if not param or not any(site.call.computed for site in sites):
        return
    plain = [site.name for site in sites if not site.call.computed]
    plain += [pair.parent] if pair is not None and by is None else []
    text = re.sub(r"\{[^{}]*\}", "", param)
    if any(set(name) & set("{}") for name in plain) or set(text) & set("\"'\\{}\n\r\t"):
        raise stop(
            pair or child.site,
            "param-not-an-f-string",
            "'{param}' can't be put together as the name of a param",
            'give it a name without quotes, braces and backslashes: {{ name = "..." }}.',
            pair.place if pair is not None else child.place,
            param=param,
        )


def coefficient_of(
    spec: CoefficientSpec, sizes: Sizes, event_dim: int | None, *, computed: bool
) -> Coefficient:
    """A coefficient in the shape that is wanted; `computed`: its name is put together."""
    name = Name(spec.name, computed)
    start: Start
    match spec.init:
        case str(file):
            start = Stored(file, name, sizes)
        case tuple(rows):
            start = Array(rows, sizes)
        case number:
            start = Number(number, sizes if spec.learn else ())
    return Param(name, start, event_dim if sizes else None) if spec.learn else start


def term_of(
    names: Names,
    pair: Pair,
    value: Value,
    sizes: Sizes,
    product: str,
    event_dim: int | None = None,
    *,
    computed: bool = False,
) -> Term:
    """The coefficient of a pair times the parent's value; its variable is taken from `names`."""
    spec = pair.coefficient
    coefficient = coefficient_of(spec, sizes, event_dim, computed=computed)
    variable = names.new(identifier(spec.name)) if spec.has_shape else ""
    return Term(pair.parent, coefficient, value, variable, product)


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
        raise stop(
            pair,
            "shared-array",
            "the coefficient of '{parent}' in '{child}' is shared, so that 'init' must be a number",
            'use coefficient = "elementwise", or one number.',
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


def sizes_by_axes(
    pair: Pair, shape: Shape | None, sizes: tuple[str, ...] | None
) -> tuple[str, ...]:
    """``coefficient = ["i"]``: the child's sizes, 1 for every axis that isn't named.

    ``("n_i", "n_t")`` gives ``("n_i", "1")``. Raises `Stop` for a name that is no axis, or two.
    """
    wanted = pair.coefficient.structure
    assert isinstance(wanted, list)
    if shape is None or sizes is None:
        raise unstructured(pair, "the axes of '{child}' can't be read from the source")
    chosen = set()
    for name in wanted:
        found = [at for at, axis in enumerate(shape) if is_named(axis, name)]
        if len(found) != 1:
            known = ", ".join(described(axis) for axis in shape if not axis.unit) or "none at all"
            what = "no axis" if not found else f"{len(found)} axes"
            reason = "'{child}' has {what} '{name}': its axes are {known}"
            raise unstructured(pair, reason, what=what, name=name, known=known)
        chosen.add(found[0])
    kept = [size if at in chosen else "1" for at, size in enumerate(sizes)]
    while kept and kept[0] == "1" and 0 not in chosen:
        kept.pop(0)
        chosen = {at - 1 for at in chosen}
    return tuple(kept)


def is_named(axis: Axis, name: str) -> bool:
    """Is `name` the axis: its plate, or its size as it is written?"""
    return axis.plate == repr(name) or axis.size == name


def matrix(
    pair: Pair, parent: Shape | None, child: Shape | None, written: dict[Axis, str]
) -> tuple[tuple[str, ...], str]:
    """``coefficient = "matrix"``: the sizes of the weights, and how they meet the parent.

    A weight for every pair of an element of the child's own axes and one of the parent's own; the
    axes that they share stay apart.

    ==============  ==============  ==================  ================
    child           parent          weights             contraction
    ==============  ==============  ==================  ================
    ``(n_i,)``      ``(n_j,)``      ``(n_i, n_j)``      ``xi @ b``
    ``()``          ``(n_j,)``      ``(n_j,)``          ``xi @ b``
    ``(n_i, n_t)``  ``(n_j, n_t)``  ``(n_i, n_j)``      ``ab,bc->ac``
    ==============  ==============  ==================  ================

    `written` are the sizes of axes where params are declared. Raises `Stop` if a shape isn't
    known, or the parent has no axis of its own.
    """
    if not pair.coefficient.learn and isinstance(pair.coefficient.init, float):
        raise unstructured(pair, "a matrix of weights is learned, one number isn't a matrix")
    if parent is None or child is None:
        raise unstructured(pair, "a matrix of weights needs shapes that can be read")
    if any(axis.unit for axis in (*parent, *child)):
        raise unstructured(pair, "a matrix of weights isn't made for dims of size 1")
    letters = iter(ascii_letters)
    of_child = {at - len(child): next(letters) for at in range(len(child))}
    shared = [match(axis, at - len(parent), child) for at, axis in enumerate(parent)]
    of_parent = [next(letters) if at is None else of_child[at] for at in shared]
    own_child = [at for at in of_child if at not in shared]
    own_parent = [at for at, target in enumerate(shared) if target is None]
    if not own_parent:
        raise unstructured(pair, "'{parent}' has no axis that '{child}' lacks")
    axes = [child[at] for at in own_child] + [parent[at] for at in own_parent]
    if any(axis not in written for axis in axes):
        raise unstructured(pair, "the sizes of a matrix of weights can't be written there")
    weights = [of_child[at] for at in own_child] + [of_parent[at] for at in own_parent]
    sizes = tuple(written[axis] for axis in axes)
    if len(parent) == 1 and len(child) <= 1:
        return sizes, "@"
    left, right, result = "".join(weights), "".join(of_parent), "".join(of_child.values())
    return sizes, f"{left},{right}->{result}"


def unstructured(pair: Pair, reason: str, **parts: str) -> Stop:
    """`reason` is the template of a clause, whose holes `parts` fill."""
    return stop(
        pair,
        "coefficient-structure",
        f"the coefficient of '{{parent}}' in '{{child}}' can't have this structure: {reason}",
        'use coefficient = "elementwise" or "shared".',
        None,
        **parts,
    )
