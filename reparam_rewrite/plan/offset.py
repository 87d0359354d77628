"""One child's offset: where it is computed, from what, in which shape and basis."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.plan.alignment import known_shape, value_of
from reparam_rewrite.plan.asking_prior import ask, check_prior_can_move, sized_at
from reparam_rewrite.plan.children import Asked, Child, Stop, Whitening
from reparam_rewrite.plan.coefficients import (
    centring_of,
    check_templates,
    scale_of,
    structure_of,
    term_of,
)
from reparam_rewrite.plan.context import Context, Names
from reparam_rewrite.plan.data import data_of
from reparam_rewrite.plan.factors import around_vector
from reparam_rewrite.plan.known_names import check_rounds
from reparam_rewrite.plan.named_axes import count_of_events
from reparam_rewrite.plan.placement import moments_of, place_offset
from reparam_rewrite.plan.sources import Source, as_they_meet, source_of
from reparam_rewrite.plan.values import (
    Claim,
    OffsetRewrite,
    OtherRewrite,
    Placement,
    Projection,
    Value,
)
from reparam_rewrite.survey.expressions import identifier
from reparam_rewrite.survey.values import UNIT, Site


def other(context: Context, child: Child) -> OtherRewrite:
    """The rewrite of a child that another reparameterizer of NumPyro takes care of.

    Raises `Stop`, before any name is taken.
    """
    site, spec, by = child.site, child.reparam, child.by
    assert spec is not None
    sources = [source_of(context, site, by)] if by is not None else []
    moments = moments_of(context, site)
    shift, _ = place_offset(context, site, sources, moments)
    check_name(context, site, shift)
    arguments = ", ".join(f"{key}={value!r}" for key, value in spec.arguments)
    return OtherRewrite(
        site=site,
        function=context.function.name,
        place=Placement(moments[0], shift),
        reparam=context.names.new(held_by(site)),
        name=spec.name,
        arguments=sources[0].expression if sources else arguments,
        data=data_of(child, sources),
    )


def held_by(site: Site) -> str:
    """What the variable is called that holds a reparameterizer, or those of a comprehension."""
    return f"{identifier(site.name)}_reparam{'s' if site.call.rounds else ''}"


class Draft(Struct, frozen=True):
    """What the code of a child is made of, before it is known where that goes.

    `sources` are those of its parents and then of its scale, if that is made of something. Before
    one of the `moments` its coefficients are declared. `subsampled`: a param of its full size
    stands inside of a subsampled plate, which takes its part of it::

        with numpyro.plate("n", n, subsample_size=m):
            a_loc = numpyro.param("xi_a_mu", jnp.zeros(n), event_dim=0) * mu
    """

    context: Context
    child: Child
    sources: list[Source]
    moments: list[int]
    subsampled: bool


class TooEarly(Exception):
    """Not all is known before a statement that the code there would have to say."""


def offset(context: Context, child: Child) -> OffsetRewrite:
    """The rewrite of one child whose site and parents have passed their checks.

    Its code goes to the outermost place at which all is known that it says. Raises `Stop`, before
    any name is taken, with what is in the way at the last one: the statement of the child.
    """
    site, subsampled = child.site, is_subsampled(child.site)
    check_basis(child)
    for pair in child.pairs:
        if subsampled and pair.coefficient.has_shape and not pair.coefficient.learn:
            raise pair.stop(
                "subsampled-array",
                "'{child}' is in a subsampled plate, which takes its part of a param only, and "
                "the coefficient of '{parent}' is an array",
                "use learn = true, or one number.",
            )
    sources = [
        as_they_meet(context, site, source_of(context, site, pair), projected=pair is not child.by)
        for pair in child.all_pairs
    ]
    subsampled &= any(spec.learn and not spec.kind.single for spec in child.coefficients)
    moments = [site.statement] if subsampled else moments_of(context, site)
    draft = Draft(context, child, sources, moments, subsampled)
    for first in range(len(moments) - 1):
        with suppress(Stop, TooEarly):
            return written(draft, moments[first:])
    return written(draft, moments[-1:])


def written(draft: Draft, moments: list[int]) -> OffsetRewrite:
    """The rewrite of a child with its coefficients declared before the first moment.

    Raises `TooEarly` if their shapes aren't known there; at the statement that samples the child
    the prior is asked for them. Raises `Stop` if it can't be written there.
    """
    context, child, sources = draft.context, draft.child, draft.sources
    site, declare, statement = child.site, moments[0], moments[-1]
    whitened = child.scale if isinstance(child.scale, Whitening) else None
    asked = site.prior.support.kind == "runtime" or whitened is not None
    shift, kept = place_offset(context, site, sources, [statement] if asked else moments)
    shape, sizes = known_shape(context, site, declare)
    values = [
        matrix_of(source)
        if whitened is not None and source.pair is whitened.by
        else value_of(context, source, site, shape)
        for source in sources
    ]
    of_pairs = sources[: len(child.pairs)]
    structures = [structure_of(context, source, shape, sizes, declare) for source in of_pairs]
    at_run_time = any(value.at_run_time for value in values)
    full = needs_full_shape(child, values)
    projected = shape != () and any(value.projection is not None for value in values)
    asks_shape = full or at_run_time or projected
    if asks_shape and sizes is not None and known_shape(context, site, shift)[1] is None:
        raise TooEarly  # it is broadcast where the offset is computed
    elementwise = any(spec.is_elementwise for spec in child.coefficients)
    asks_shape = sizes is None and (asks_shape or elementwise)
    if asks_shape and declare != statement:
        raise TooEarly
    check_written(context, child, declare, shift, asks_shape, at_run_time)
    if asks_shape or asked:
        check_prior_can_move(site)
    of_shape = [site.call.prior.text] if asks_shape and site.call.prior is not None else []
    check_rounds(child, *of_shape, *(sizes or ()) if elementwise else ())
    sized = sized_at(context, site, draft.moments) if asks_shape else statement
    # From here on names are taken: those by which the values are known where they are used first.
    names, base = context.names, identifier(site.name)
    prior, support = ask(names, base, site, sized, shape=asks_shape, prior=asked)
    if prior is not None and whitened is not None:
        around = around_vector(context.survey, context.function, site) or ""
        vector = names.new(f"{base}_vector") if around else prior.variable
        prior = replace(prior, vector=vector, around=around)
    for at, parent in enumerate(source.pair.site for source in sources):
        if parent is not None:
            name = context.keep(parent) if parent.index in kept else parent.variable
            meeting, value = sources[at].meeting, values[at]
            if isinstance(value.projection, Projection) and meeting and meeting.projected:
                value = replace(value, projection=meeting.projected(name or ""))
            values[at] = replace(value, expression=name or "")
    values = with_variables(names, base, sources, values)
    event_dim = len(site.prior.event or ()) if draft.subsampled else None
    terms = tuple(
        term_of(names, site, pair, value, structure, event_dim)
        for pair, value, structure in zip(child.pairs, values, structures, strict=False)
    )
    scaled = values[-1] if len(values) > len(terms) else None
    whole = [term for term in terms if term.variable and term.product == "*"]
    covered = any(term.coefficient.sizes == sizes for term in whole)
    return OffsetRewrite(
        site=site,
        function=context.function.name,
        place=Placement(declare, shift),
        terms=terms,
        sizes=sizes,
        loc=names.new(f"{base}_loc"),
        reparam=names.new(held_by(site)),
        support=support,
        prior=prior,
        scale=scale_of(names, child, scaled, sizes, event_dim),
        basis=child.basis,
        full=full and not covered,
        data=data_of(child, sources),
        centring=centring_of(names, child, sizes, event_dim),
        instead=child.instead,
    )


def matrix_of(source: Source) -> Value:
    """``scale_tril = "sigma[:, None] * L"``: one matrix, whose axes are lined up with nothing."""
    shape = source.shape
    if shape is not None and len(shape) != 2:
        raise source.pair.stop(
            "no-matrix",
            "the scale_tril of '{child}' must be a matrix, and {expression} has {dims}",
            "write that of all its vectors; scale_tril = true is the prior's own, of each.",
            expression=source.expression,
            dims=f"{len(shape)} axes" if len(shape) != 1 else "one axis",
        )
    return Value(source.expression, checks=() if shape else (Claim("matrix", 2),))


def with_variables(
    names: Names, base: str, sources: Sequence[Source], values: Sequence[Value]
) -> list[Value]:
    """The values with names for their projections, and for the sums that these have in common."""
    squares: dict[tuple[tuple[str, str], ...], str] = {}
    found = []
    for source, value in zip(sources, values, strict=True):
        made = value.projection
        if isinstance(made, Projection):
            index, weight = made.design[0]
            by = index if index.isidentifier() else base
            if made.design not in squares and (index or weight):
                squares[made.design] = names.new(f"{by}_{'squares' if weight else 'count'}")
            variable = names.new(f"{by}_{identifier(source.pair.parent)}")
            made = replace(made, variable=variable, squares=squares.get(made.design, ""))
        elif made is not None:
            made = replace(made, variable=names.new(f"{base}_{identifier(source.pair.parent)}"))
        found.append(replace(value, projection=made))
    return found


def check_written(
    context: Context, child: Child, declare: int, shift: int, asks_shape: bool, at_run_time: bool
) -> None:
    """What is left to the run must fail as it should, and names must be as they are at the site."""
    site = child.site
    if is_subsampled(site) and (asks_shape or at_run_time):
        raise child.stop(
            "subsampled-shape",
            "'{site}' is in a subsampled plate, and not all shapes can be read from the source",
            'use coefficient = "shared" and parents whose shapes show.',
        )
    check_templates(child)
    check_name(context, site, min(declare, shift))
    for parent in (pair.site for pair in child.pairs if pair.site is not None):
        check_name(context, parent, declare)
    if at_run_time and any(frame.kind == "try" for frame in site.frames):
        raise child.stop(
            "error-swallowed",
            "'{site}' is sampled in a try, which may swallow the error of a parent that "
            "doesn't fit when the model runs",
            "sample it outside, or use parents whose shapes show.",
        )


def is_subsampled(site: Site) -> bool:
    return any(plate.subsampled for frame in site.frames for plate in frame.plates)


def check_name(context: Context, site: Site, moment: int) -> None:
    """A name that is put together is written again before `moment`, and must be the same there."""
    if site.call.computed and not context.function.timeline.holds(site.call.name_reads, moment):
        raise Asked(site).stop(
            "name-made-later",
            "the name of '{written}' is put together of what is bound later than its "
            "coefficients are declared, or changes",
            "bind what its name is made of once, before the outermost plate."
            if "@" not in site.name
            else "sample it in '{function}' itself, where its name is made.",
            written=re.sub("@[^{}]*", "", site.name),
            function=context.function.name,
        )


# -- the basis that it is sampled in --------------------------------------------------------------


def check_basis(child: Child) -> None:
    """A basis needs an axis of a site that lives on the whole real line.

    Raises `Stop` for ``sample("mu", Normal(0, 1))`` and ``sample("p", Dirichlet(ones(3)))``.
    """
    site, basis, code = child.site, child.basis, "no-axis-for-a-basis"
    if basis is None:
        return
    if site.prior.support.kind != "real":
        text = "'{site}' isn't known to be real-valued ({at}): it can't be sampled in the "
        hint = "take the basis out."
        raise child.stop(code, text + "{kind} basis", hint, basis.place, kind=basis.kind)
    for dim in basis.over_plates:
        wrong = over_plate(site, dim)
        if wrong:
            hint = "take the basis out, or name another axis."
            raise child.stop(code, wrong, hint, basis.place, dim=dim)


def over_plate(site: Site, dim: int) -> str:
    """Why a site can't be sampled in a basis over a plate; empty if it can."""
    if site.subsampled:
        return "'{site}' is in a subsampled plate ({at}), and a basis needs all its elements"
    shape = site.extent.batch if site.extent.batch is not None else site.extent.plates
    if site.prior.event is None or site.extent.plates is None or shape is None:
        return "the source doesn't tell whether '{site}' has an axis at dim {dim} ({at})"
    at = dim + count_of_events(site)
    if len(shape) < -at or shape[at] == UNIT:
        return "'{site}' has no axis at dim {dim} ({at}), and a basis needs one"
    return ""


def needs_full_shape(child: Child, values: Sequence[Value]) -> bool:
    """Must the prior of a child have its whole shape before a basis mixes the elements?

    NumPyro draws a prior that is the same along a plate before that gives it its axis, where there
    is nothing to mix yet: draws from it would then be wrong, though its density is right. An axis
    that neither the prior nor the offset has at all does no harm.
    """
    site, batch = child.site, child.site.prior.batch
    over_plates = child.basis.over_plates if child.basis is not None else ()
    for at in (dim + count_of_events(site) for dim in over_plates):
        if batch is None or (len(batch) >= -at and batch[at] == UNIT):
            return True
    moved = bool(values or child.instead) or child.scale is not None or child.is_decentered
    keepdims = any(value.reduction is not None and value.reduction.keepdims for value in values)
    return bool(over_plates) and moved and (site.shape is None or len(site.shape) > 1 or keepdims)
