"""One child's offset: where it is computed, from what, and in which shape."""

from __future__ import annotations

import re

from msgspec.structs import replace

from reparam_rewrite.expressions import identifier
from reparam_rewrite.plan.align import Unaligned, align, as_wide, from_right
from reparam_rewrite.plan.alternatives import innermost_branch
from reparam_rewrite.plan.context import Context, Stop, TooEarly
from reparam_rewrite.plan.pairs import Child, Pair
from reparam_rewrite.plan.place import candidates, joinable, place_offset
from reparam_rewrite.plan.problems import Problem
from reparam_rewrite.plan.runtime import (
    ask,
    check_prior_can_move,
    check_shape_can_be_asked,
    written,
)
from reparam_rewrite.plan.scaling import (
    basis_of,
    check_basis,
    is_elementwise_scale,
    scale_of,
    scale_param,
)
from reparam_rewrite.plan.sources import Source, source_of
from reparam_rewrite.plan.structure import matrix, sizes_by_axes
from reparam_rewrite.plan.values import Coefficient, Other, Rewrite, Term, Value
from reparam_rewrite.survey.families import FAMILIES
from reparam_rewrite.survey.priors import RESHAPING
from reparam_rewrite.survey.shapes import broadcast
from reparam_rewrite.survey.values import Axis, Shape, Site


def other(context: Context, child: Child) -> Rewrite:
    """The rewrite of a child that another reparameterizer of NumPyro takes care of.

    Raises `Stop`, before any name is taken.
    """
    site, rule = child.site, child.reparam
    assert rule is not None
    sources = [source_of(context, site, child.by)] if child.by is not None else []
    declare, moments = candidates(site, within=branch_of(context, site))
    shift, _ = place_offset(context, site, sources, moments)
    check_name(context, site, shift)
    arguments = ", ".join(f"{key}={value!r}" for key, value in rule.args.items())
    base = identifier(site.name)
    return Rewrite(
        site=site,
        function=context.function.name,
        terms=(),
        sizes=None,
        declare=declare,
        shift=shift,
        join=joinable(site, shift),
        loc="",
        reparam=context.names.new(f"{base}_reparam"),
        other=Other(rule.name, sources[0].expression if sources else arguments),
    )


def offset(context: Context, child: Child) -> Rewrite:
    """The rewrite of one child whose site and parents have passed their checks.

    Raises `Stop`, before any name is taken.
    """
    site = child.site
    _, moments = candidates(site, within=branch_of(context, site))
    if has_full_size_param(site, child):
        moments = [site.statement]
    first: TooEarly | None = None
    for position in range(len(moments)):
        try:
            return offset_from(context, child, moments[position:])
        except TooEarly as stop:
            first = first or stop
    assert first is not None
    raise first


def branch_of(context: Context, site: Site) -> int:
    """The branch that all of a rewrite stays in, as the site is sampled in others too; or -1."""
    several = len(context.function.find(site.name)) > 1
    return innermost_branch(site) if several or site.choices else -1


def offset_from(context: Context, child: Child, moments: list[int]) -> Rewrite:
    """The rewrite with the coefficients declared before the first of `moments`.

    Raises `TooEarly` if a later one might do, and `Stop` otherwise; no name is taken then.
    """
    site, declare = child.site, moments[0]
    check_basis(site, child)
    sources = [source_of(context, site, pair) for pair in child.pairs]
    scaling = [source_of(context, site, child.by)] if child.by is not None else []
    inside = has_full_size_param(site, child)
    shift, kept = place_offset(context, site, [*sources, *scaling], moments)
    shape, sizes = known_shape(context, site, declare)
    values = [value_of(source, site, shape) for source in [*sources, *scaling]]
    structures = [structure_of(context, source, shape, sizes, declare) for source in sources]
    asks_shape = sizes is None and (
        any(value.guarded for value in values)
        or any(is_elementwise(source.pair) for source in sources)
        or (child.scale is not None and is_elementwise_scale(child.scale))
    )
    bijects = site.prior.support.kind == "runtime"
    prior_at = declare if asks_shape else shift
    if is_subsampled(site) and (asks_shape or any(value.guarded for value in values)):
        raise Stop(shape_of_subsample(site))
    for param, pair in [(param_name(pair), pair) for pair in child.pairs]:
        check_template(child, param, pair)
    check_template(child, scale_param(child), child.by)
    check_name(context, site, min(declare, shift))
    for source in sources:
        if source.pair.site is not None:
            check_name(context, source.pair.site, declare)
    if any(value.guarded for value in values) and any(f.kind == "try" for f in site.frames):
        raise Stop(swallowed(site))
    if asks_shape:
        check_shape_can_be_asked(context, site, declare)
    if asks_shape or bijects:
        check_prior_can_move(context, site, prior_at)

    # Nothing can fail from here on: names may be taken.
    names, base, support = context.names, identifier(site.name), site.prior.support
    runtime = None
    if asks_shape or bijects:
        runtime = ask(names, base, site, bijects=bijects, shape=asks_shape)
    values = [
        named(context, source, value, kept)
        for source, value in zip([*sources, *scaling], values, strict=True)
    ]
    terms = []
    for source, value, structure in zip(sources, values, structures, strict=False):
        coefficient = coefficient_of(source.pair, *structure)
        by = source.pair.site
        if site.computed or (by is not None and by.computed):
            coefficient = replace(coefficient, computed=True)
        if inside and coefficient.sizes:
            coefficient = replace(coefficient, event_dim=len(site.prior.event or ()))
        if coefficient.param:
            coefficient = replace(coefficient, variable=names.new(identifier(coefficient.param)))
        terms.append(Term(source.pair.parent, coefficient, value))
    return Rewrite(
        site=site,
        function=context.function.name,
        terms=tuple(terms),
        sizes=sizes,
        declare=declare,
        shift=shift,
        join=None if inside else joinable(site, shift),
        loc=names.new(f"{base}_loc"),
        reparam=names.new(f"{base}_reparam"),
        constraint=support.constraint if support.kind == "fixed" else "",
        runtime=runtime,
        scale=scale_of(
            context,
            child,
            values[-1] if scaling else None,
            sizes,
            len(site.prior.event or ()) if inside else None,
        ),
        basis=basis_of(child),
    )


def named(context: Context, source: Source, value: Value, kept: set[int]) -> Value:
    """The value by the name that it has where the offset is computed."""
    parent = source.pair.site
    if parent is None:
        return value
    variable = context.keep(parent).name if parent.index in kept else parent.variable
    return replace(value, expression=variable or "")


def is_subsampled(site: Site) -> bool:
    return any(plate.subsampled for frame in site.frames for plate in frame.plates)


def has_full_size_param(site: Site, child: Child) -> bool:
    """Is there a param of which a subsampled plate must take its part, so that it stands inside?

    ::

        with numpyro.plate("n", n, subsample_size=m):
            a_loc = numpyro.param("xi_a_mu", jnp.zeros(n), event_dim=0) * mu
    """
    return is_subsampled(site) and (
        any(pair.settings.learn and pair.settings.coefficient != "shared" for pair in child.pairs)
        or (child.scale is not None and is_elementwise_scale(child.scale))
    )


def shape_of_subsample(site: Site) -> Problem:
    return Problem(
        site.place,
        f"'{site.name}' is in a subsampled plate, and not all shapes can be read from the source",
        'use coefficient = "shared" and parents whose shapes show.',
    )


def check_name(context: Context, site: Site, moment: int) -> None:
    """A name that is put together is written again before `moment`, and must be the same there."""
    if site.computed and not context.function.timeline.holds(site.name_reads, moment):
        raise TooEarly(
            Problem(
                site.place,
                f"the name of '{site.name}' is put together of what is bound later than its "
                "coefficients are declared, or changes",
                "bind what its name is made of before the outermost plate.",
            )
        )


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
                pair.place if pair is not None else child.place,
                f"'{param}' can't be put together as the name of a param",
                'give it a name without quotes, braces and backslashes: { name = "..." }.',
            )
        )


def swallowed(site: Site) -> Problem:
    return Problem(
        site.place,
        f"'{site.name}' is sampled in a try, which may swallow the error of a parent that doesn't "
        "fit when the model runs",
        "sample it outside, or use parents whose shapes show.",
    )


def is_elementwise(pair: Pair) -> bool:
    return pair.settings.learn and pair.settings.coefficient == "elementwise"


def coefficient_of(pair: Pair, sizes: tuple[str, ...] | None, contract: str) -> Coefficient:
    settings = pair.settings
    if not settings.learn:
        return Coefficient(settings.init)
    return Coefficient(settings.init, param_name(pair), sizes, contract=contract)


def structure_of(
    context: Context,
    source: Source,
    shape: Shape | None,
    sizes: tuple[str, ...] | None,
    declare: int,
) -> tuple[tuple[str, ...] | None, str]:
    """The sizes of a coefficient, None for the child's at run time, and its contraction."""
    pair = source.pair
    structure = pair.settings.coefficient
    if structure == "matrix":
        return matrix(pair, source.shape, shape, written_axes(context, source, shape, declare))
    if structure == "shared" or not pair.settings.learn:
        return (), ""
    if isinstance(structure, list):
        return sizes_by_axes(pair, shape, sizes), ""
    return sizes, ""


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


def param_name(pair: Pair) -> str:
    """The coefficient's `numpyro.param` site, empty for a literal."""
    if not pair.settings.learn:
        return ""
    return pair.settings.name.format(child=pair.child, parent=pair.parent)


def known_shape(
    context: Context, site: Site, declare: int
) -> tuple[Shape | None, tuple[str, ...] | None]:
    """The child's axes, and its sizes as they can be written before `declare`; None: not known."""
    support = site.prior.support
    if support.reshapes:
        return unconstrained_shape(site), None
    if site.shape is None:
        return None, None
    return site.shape, written(context, site.shape, declare)


def unconstrained_shape(site: Site) -> Shape | None:
    """The axes of a child whose support is of vectors or matrices, in unconstrained space.

    The event dims of its family become one vector, of a length that only the prior knows; those
    that `to_event` added stay: ``Dirichlet(c).expand([n]).to_event(1)`` has ``(n, ?)``.
    """
    family, event = FAMILIES.get(site.prior.family or ""), site.prior.event or ()
    if family is None or not site.prior.support.constraint or site.batch is None:
        return None
    # Where the event isn't known, as that of ``LKJCholesky(3)``, it can't have been added to.
    added = event[: max(0, len(event) - (family.event_dim or 0))]
    return (*site.batch, *added, Axis(None))


def value_of(source: Source, site: Site, child: Shape | None) -> Value:
    """The parent's value in the child's axes; what can't be told is left to run time."""
    expression, shape = source.expression, source.shape
    if source.pair.site is not None:
        expression = source.pair.site.variable or ""
    if source.pair.settings.coefficient == "matrix":
        return Value(expression, center=source.center)  # it is contracted as it is
    if child is None and shape != () and site.prior.support.constraint in RESHAPING:
        raise Stop(unaligned(source, "its unconstrained shape can't be read", expression))
    if source.pair.site is None:
        # An expression is taken as it is written: it is never reduced, and never widens.
        sure = fits(shape, child) and fits(source.center_shape, child)
        return Value(expression, center=source.center, guarded=not sure)
    if shape is None or (child is None and shape != ()):
        if source.pair.settings.reduce == "error":
            raise Stop(
                unaligned(source, 'its shape can\'t be read, and reduce is "error"', expression)
            )
        return replace(at_run_time(source, site, child), center=source.center)
    if child is None:
        value = Value(expression)
    else:
        try:
            value = align(expression, shape, child, source.pair.settings.reduce)
        except Unaligned as error:
            raise Stop(unaligned(source, str(error), expression)) from None
    guarded = value.guarded or not fits(source.center_shape, child)
    return replace(value, center=source.center, guarded=guarded)


def at_run_time(source: Source, site: Site, child: Shape | None) -> Value:
    """The parent's value where not all of the two shapes can be read; `child` is what is known.

    Axes that show, those of plates and events, are lined up; others are averaged if none does,
    else they make it fail. If no axis of the parent shows, it is broadcast as it is.
    """
    parent, reduce = source.pair.site, source.pair.settings.reduce
    assert parent is not None
    expression = parent.variable or ""
    if child == ():
        return Value(expression, reduce)
    axes = source.shape if source.shape is not None else visible_axes(parent)
    there = child if child is not None else visible_axes(site)
    if not axes or not there:
        return Value(expression, guarded=True)
    try:
        value = align(expression, axes, there, reduce)
    except Unaligned as error:
        raise Stop(unaligned(source, str(error), expression)) from None
    if value.reduce and not value.axes:
        return value
    if source.shape is None:
        value = from_right(value, len(axes))
    if source.shape is None and child is not None:
        value = as_wide(value, len(axes), len(child))
    return replace(value, guarded=True)


def visible_axes(site: Site) -> Shape | None:
    """The plates and event dims of a site whose shape can't be read; None if they don't show.

    Where no plate is, a batch dim may be.
    """
    if not site.told or site.plate_shape is None or site.prior.event is None:
        return None
    if site.prior.support.reshapes:
        return None
    axes = (*site.plate_shape, *site.prior.event)
    return tuple(Axis(None) if axis.unit else axis for axis in axes)


def unaligned(source: Source, reason: str, expression: str) -> Problem:
    pair = source.pair
    return Problem(
        pair.place,
        f"'{pair.parent}' can't be lined up with '{pair.child}': {reason}",
        f'say how: {pair.parent} = {{ value = "jnp.mean({expression})" }}, for example.',
    )


def fits(shape: Shape | None, child: Shape | None) -> bool:
    """Is broadcasting against the child sure not to widen it?"""
    if shape == ():
        return True
    if shape is None or child is None or len(shape) > len(child):
        return False
    return broadcast(shape, child) == child
