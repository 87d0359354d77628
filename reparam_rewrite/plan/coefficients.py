"""What is a coefficient called, and what is its shape?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_letters

from reparam_rewrite.plan.alignment import described, match
from reparam_rewrite.plan.asking_prior import written
from reparam_rewrite.plan.children import Child, Pair, Stop, Whitening
from reparam_rewrite.plan.context import Context, Names
from reparam_rewrite.plan.sources import Source
from reparam_rewrite.plan.values import (
    Centring,
    Coefficient,
    CoefficientSpec,
    Learned,
    Power,
    Scale,
    Sizes,
    Term,
    Value,
    Whitened,
)
from reparam_rewrite.survey.expressions import identifier
from reparam_rewrite.survey.families import FAMILIES
from reparam_rewrite.survey.values import Axis, Shape, Site


def check_templates(child: Child) -> None:
    """The name of a param or of arrays that is put together is an f-string.

    Nothing else in it may be special.

    Raises `Stop`.
    """
    named = [(pair.coefficient, pair) for pair in child.pairs]
    scale = child.scale_coefficient
    for spec, pair in [*named, *([] if scale is None else [(scale, child.by)])]:
        by = pair.site if pair is not None else None
        sites = [child.site] if by is None else [child.site, by]
        written = spec.has_shape or (pair is not None and pair.is_frozen)
        if not written or not is_computed(child.site, pair):
            continue
        plain = [site.name for site in sites if not site.call.computed]
        plain += [pair.parent] if pair is not None and by is None else []
        text = re.sub(r"\{[^{}]*\}", "", spec.name)
        if any(set(name) & set("{}") for name in plain) or set(text) & set("\"'\\{}\n\r\t"):
            raise (pair or child).stop(
                "param-not-an-f-string",
                "'{param}' can't be put together as the name of a param",
                'give it a name without quotes, braces and backslashes: {{ name = "..." }}.',
                (pair or child).place,
                param=spec.name,
            )


def term_of(
    names: Names,
    site: Site,
    pair: Pair,
    value: Value,
    structure: tuple[Sizes, str],
    event_dim: int | None = None,
) -> Term:
    """The coefficient of a pair times the parent's value; its variable is taken from `names`."""
    spec, (sizes, product) = pair.coefficient, structure
    coefficient = Coefficient(spec, sizes, is_computed(site, pair), event_dim)
    variable = names.new(identifier(spec.name)) if spec.has_shape else ""
    return Term(pair.parent, coefficient, value, variable, product)


def scale_of(
    names: Names, child: Child, value: Value | None, sizes: Sizes, event_dim: int | None
) -> Scale | None:
    """What a child is multiplied by; `value` is that of the site or expression it is made of.

    `event_dim` is set inside of a subsampled plate.
    """
    scale, computed = child.scale, is_computed(child.site, child.by)
    if child.centered == 1:
        return 1.0

    def param(spec: CoefficientSpec) -> Coefficient:
        return Coefficient(spec, sizes if spec.is_elementwise else (), computed, event_dim)

    if scale is None or isinstance(scale, float):
        return scale
    if isinstance(scale, Whitening):
        return Whitened(value, names.new(f"{identifier(child.name)}_tril") if value else "")
    variable = names.new(f"{identifier(child.name)}_scale")
    if isinstance(scale, CoefficientSpec):
        return Learned(variable, param(scale))
    assert value is not None
    if isinstance(scale, Pair):
        return Power(variable, value)
    label, power = scale.by.parent, scale.power
    if isinstance(power, float):
        return Power(variable, value, power, label)
    return Power(variable, value, param(power), label, names.new(identifier(power.name)))


def centring_of(names: Names, child: Child, sizes: Sizes, event_dim: int | None) -> Centring | None:
    """How far a child stays centred around the loc of its prior, if the config says it."""
    spec = child.centered
    if spec is None or not child.is_decentered:
        return None
    # Without more to it the variable of the reparameterizer holds that.
    variable = names.new(f"{identifier(child.name)}_centered") if child.is_shifted else ""
    arguments = FAMILIES[child.site.prior.family or "Normal"].arguments
    shape_params = tuple(name for name, _ in arguments if name not in ("loc", "scale"))
    if isinstance(spec, float):
        return Centring(variable, spec, shape_params=shape_params)
    of_each = sizes if spec.is_elementwise else ()
    param = Coefficient(spec, of_each, is_computed(child.site, None), event_dim)
    return Centring(variable, param, names.new(identifier(spec.name)), shape_params)


def is_computed(site: Site, pair: Pair | None) -> bool:
    """Is the name put together of a param that is called after a site, and perhaps its parent?"""
    by = pair.site if pair is not None else None
    return site.call.computed or (by is not None and by.call.computed)


def structure_of(
    context: Context, source: Source, shape: Shape | None, sizes: Sizes, declare: int
) -> tuple[Sizes, str]:
    """The sizes of a coefficient, and its product with the parent's value. Raises `Stop`."""
    pair, spec = source.pair, source.pair.coefficient
    if spec.kind.single and not isinstance(spec.init, float):
        raise pair.stop(
            "shared-array",
            "the coefficient of '{parent}' in '{child}' is shared, so that 'init' must be a number",
            'use coefficient = "elementwise", or one number.',
        )
    if spec.kind.contracted:
        told = source.meeting.targets if source.meeting is not None else ()
        axes = written_axes(context, source, shape, declare)
        return matrix(pair, source.shape, shape, axes, told)
    if spec.kind.single or not spec.has_shape:
        return (), "*"
    if isinstance(spec.structure, list):
        return sizes_by_axes(pair, spec.structure, shape, sizes), "*"
    return sizes, "*"


def written_axes(
    context: Context, source: Source, shape: Shape | None, declare: int
) -> dict[Axis, str]:
    """The axes of a child and its parent whose sizes can be written before `declare`."""
    axes = dict.fromkeys((*(shape or ()), *(source.shape or ())))
    sizes = {axis: written(context, (axis,), declare) for axis in axes}
    return {axis: size[0] for axis, size in sizes.items() if size is not None}


def sizes_by_axes(
    pair: Pair, wanted: list[str], shape: Shape | None, sizes: Sizes
) -> tuple[str, ...]:
    """``coefficient = ["i"]``: the child's sizes, 1 for every axis that isn't named.

    ``("n_i", "n_t")`` gives ``("n_i", "1")``. Raises `Stop` for a name that is no axis, or two.
    """
    if shape is None or sizes is None:
        raise unstructured(pair, "the axes of '{child}' can't be read from the source")
    chosen = set()
    for name in wanted:
        # An axis is called by its size as it is written, or by its plate.
        called = enumerate((axis.size, axis.plate) for axis in shape)
        found = [at for at, (size, plate) in called if name == size or repr(name) == plate]
        if len(found) != 1:
            known = ", ".join(described(axis) for axis in shape if not axis.unit) or "none at all"
            what = "no axis" if not found else f"{len(found)} axes"
            reason = "'{child}' has {what} '{name}': its axes are {known}"
            raise unstructured(pair, reason, what=what, name=name, known=known)
        chosen.add(found[0])
    kept = tuple(size if at in chosen else "1" for at, size in enumerate(sizes))
    return kept[min(chosen) :]


def matrix(
    pair: Pair,
    parent: Shape | None,
    child: Shape | None,
    written: dict[Axis, str],
    told: Sequence[int | None] = (),
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

    `written` are the sizes of axes where params are declared. `told` has for each of the parent's
    axes the child's that it is, if a sum of the model tells that. Raises `Stop` if a shape isn't
    known, or the parent has no axis of its own.
    """
    if not pair.coefficient.has_shape:
        raise unstructured(pair, "a matrix of weights is learned, one number isn't a matrix")
    if parent is None or child is None:
        raise unstructured(pair, "a matrix of weights needs shapes that can be read")
    if any(axis.unit for axis in (*parent, *child)):
        raise unstructured(pair, "a matrix of weights isn't made for dims of size 1")
    letters = iter(ascii_letters)
    of_child = [next(letters) for _ in child]
    known = len(told) == len(parent)
    shared = list(told) if known else [match(axis, child) for axis in parent]
    of_parent = [next(letters) if at is None else of_child[at] for at in shared]
    if None not in shared:
        raise unstructured(pair, "'{parent}' has no axis that '{child}' lacks")
    axes = dict(zip(of_child + of_parent, (*child, *parent), strict=True))
    weights = [one for one in axes if (one in of_child) != (one in of_parent)]
    if any(axes[one] not in written for one in weights):
        raise unstructured(pair, "the sizes of a matrix of weights can't be written there")
    sizes = tuple(written[axes[one]] for one in weights)
    if len(parent) == 1 and len(child) <= 1:
        return sizes, "@"
    return sizes, f"{''.join(weights)},{''.join(of_parent)}->{''.join(of_child)}"


def unstructured(pair: Pair, reason: str, **parts: str) -> Stop:
    """`reason` is the template of a clause, whose holes `parts` fill."""
    text = f"the coefficient of '{{parent}}' in '{{child}}' can't have this structure: {reason}"
    hint = 'use coefficient = "elementwise" or "shared".'
    return pair.stop("coefficient-structure", text, hint, None, **parts)
