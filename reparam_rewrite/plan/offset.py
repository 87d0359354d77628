"""One child's offset: where it is computed, from what, and in which shape."""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.plan.alignment import known_shape, value_of
from reparam_rewrite.plan.asking_prior import ask, check_prior_can_move, sized_at
from reparam_rewrite.plan.basis import check_basis, needs_full_shape
from reparam_rewrite.plan.children import Child
from reparam_rewrite.plan.coefficients import (
    check_template,
    structure_of,
    term_of,
)
from reparam_rewrite.plan.context import Context, Stop, stop
from reparam_rewrite.plan.data import data_of, dependence
from reparam_rewrite.plan.placement import joinable, moments_of, place_offset
from reparam_rewrite.plan.scale import scale_of
from reparam_rewrite.plan.sources import Source, source_of
from reparam_rewrite.plan.values import (
    OffsetRewrite,
    OtherRewrite,
    Placement,
    Sizes,
    Term,
    Value,
)
from reparam_rewrite.survey.expressions import identifier
from reparam_rewrite.survey.values import Site


def other(context: Context, child: Child) -> OtherRewrite:
    """The rewrite of a child that another reparameterizer of NumPyro takes care of.

    Raises `Stop`, before any name is taken.
    """
    site, spec = child.site, child.reparam
    assert spec is not None
    sources = [source_of(context, site, child.by)] if child.by is not None else []
    data = data_of(child, sources)
    moments = moments_of(context, site)
    shift, _ = place_offset(context, site, sources, told_at(context, site, data, moments))
    check_name(context, site, shift)
    arguments = ", ".join(f"{key}={value!r}" for key, value in spec.arguments)
    return OtherRewrite(
        site=site,
        function=context.function.name,
        place=Placement(moments[0], shift, joinable(site, shift)),
        reparam=context.names.new(f"{identifier(site.name)}_reparam"),
        name=spec.name,
        arguments=sources[0].expression if sources else arguments,
        data=dependence(context, site, data, shift),
    )


class Reading(Struct, frozen=True):
    """What the code of a child is made of, before it is known where that goes.

    `sources` are those of its parents and then of its scale, if that is made of something. `data`
    are the arguments of the call that they depend on. `subsampled`: a param of its full size stands
    inside of a subsampled plate, which takes its part of it::

        with numpyro.plate("n", n, subsample_size=m):
            a_loc = numpyro.param("xi_a_mu", jnp.zeros(n), event_dim=0) * mu
    """

    child: Child
    sources: list[Source]
    data: tuple[str, ...]
    subsampled: bool


class Candidate(Struct, frozen=True):
    """A place where the code of a child can go, and what can be written there.

    `values` are those of the sources, and `structures` the sizes and products of the coefficients.
    `kept` are the parents, by index, that need another name there. `asks_shape`: the prior is asked
    for the child's shape, of which the plates' sizes are written before the statement `sized`.
    """

    declare: int
    shift: int
    kept: set[int]
    sizes: Sizes
    values: list[Value]
    structures: list[tuple[Sizes, str]]
    full: bool
    asks_shape: bool
    sized: int


def offset(context: Context, child: Child) -> OffsetRewrite:
    """The rewrite of one child whose site and parents have passed their checks.

    Raises `Stop`, before any name is taken.
    """
    reading = read(context, child)
    return written_at(context, reading, outermost(context, reading))


def read(context: Context, child: Child) -> Reading:
    """Read the parents of a child and what its scale is made of. Raises `Stop`."""
    site = child.site
    check_basis(site, child)
    subsampled = is_subsampled(site)
    for pair in child.pairs:
        if subsampled and pair.coefficient.has_shape and not pair.coefficient.learn:
            raise stop(
                pair,
                "subsampled-array",
                "'{child}' is in a subsampled plate, which takes its part of a param only, and "
                "the coefficient of '{parent}' is an array",
                "use learn = true, or one number.",
            )
    by = [child.by] if child.by is not None else []
    sources = [source_of(context, site, pair) for pair in [*child.pairs, *by]]
    learned = [*(pair.coefficient for pair in child.pairs), child.scale_coefficient]
    inside = subsampled and any(one and one.learn and one.structure != "shared" for one in learned)
    return Reading(child, sources, data_of(child, sources), inside)


def outermost(context: Context, reading: Reading) -> Candidate:
    """The outermost place at which all is known that the code of a child says.

    Raises `Stop` with what is in the way at the last one, the statement that samples the child.
    """
    site = reading.child.site
    moments = [site.statement] if reading.subsampled else moments_of(context, site)
    while len(moments) > 1:
        try:
            found = candidate(context, reading, moments)
        except Stop:
            found = None  # it may do further in
        if found is not None:
            return found
        moments = moments[1:]
    found = candidate(context, reading, moments)
    assert found is not None
    return found


def candidate(context: Context, reading: Reading, moments: list[int]) -> Candidate | None:
    """The code of a child with its coefficients declared before the first of `moments`.

    None if their shapes aren't known there; at the statement that samples the child the prior is
    asked for them. Raises `Stop`.
    """
    child, sources = reading.child, reading.sources
    site, declare, statement = child.site, moments[0], moments[-1]
    bijects = site.prior.support.kind == "runtime"
    places = [statement] if bijects else told_at(context, site, reading.data, moments)
    shift, kept = place_offset(context, site, sources, places)
    shape, sizes = known_shape(context, site, declare)
    values = [value_of(context, source, site, shape) for source in sources]
    of_pairs = sources[: len(child.pairs)]
    structures = [structure_of(context, source, shape, sizes, declare) for source in of_pairs]
    at_run_time = any(value.at_run_time for value in values)
    full = needs_full_shape(site, child, values)
    if (full or at_run_time) and sizes is not None and known_shape(context, site, shift)[1] is None:
        return None  # it is broadcast where the offset is computed
    specs = [*(pair.coefficient for pair in child.pairs), child.scale_coefficient]
    elementwise = any(spec is not None and spec.is_elementwise for spec in specs)
    asks_shape = sizes is None and (full or at_run_time or elementwise)
    if asks_shape and declare != statement:
        return None
    if is_subsampled(site) and (asks_shape or at_run_time):
        raise stop(
            site,
            "subsampled-shape",
            "'{site}' is in a subsampled plate, and not all shapes can be read from the source",
            'use coefficient = "shared" and parents whose shapes show.',
        )
    for pair in child.pairs:
        check_template(child, pair.coefficient.param, pair)
    check_template(child, child.scale_coefficient.name if child.scale_coefficient else "", child.by)
    check_name(context, site, min(declare, shift))
    for pair in child.pairs:
        if pair.site is not None:
            check_name(context, pair.site, declare)
    if at_run_time and any(frame.kind == "try" for frame in site.frames):
        raise stop(
            site,
            "error-swallowed",
            "'{site}' is sampled in a try, which may swallow the error of a parent that "
            "doesn't fit when the model runs",
            "sample it outside, or use parents whose shapes show.",
        )
    if asks_shape or bijects:
        check_prior_can_move(site)
    outer = [statement] if reading.subsampled else moments_of(context, site)
    sized = sized_at(context, site, outer) if asks_shape else statement
    return Candidate(declare, shift, kept, sizes, values, structures, full, asks_shape, sized)


def written_at(context: Context, reading: Reading, where: Candidate) -> OffsetRewrite:
    """The rewrite of a child at a place; the names that it takes are taken here."""
    child, names = reading.child, context.names
    site, shift, sizes = child.site, where.shift, where.sizes
    base = identifier(site.name)
    prior, support = ask(names, base, site, where.sized, shape=where.asks_shape)
    values = [
        named(context, source, value, where.kept)
        for source, value in zip(reading.sources, where.values, strict=True)
    ]
    event_dim = len(site.prior.event or ()) if reading.subsampled else None
    terms = []
    for pair, value, structure in zip(child.pairs, values, where.structures, strict=False):
        computed = site.call.computed or is_computed(pair.site)
        terms.append(term_of(names, pair, value, *structure, event_dim, computed=computed))
    scaled = values[-1] if len(values) > len(terms) else None
    return OffsetRewrite(
        site=site,
        function=context.function.name,
        place=Placement(
            where.declare, shift, None if reading.subsampled else joinable(site, shift)
        ),
        terms=tuple(terms),
        sizes=sizes,
        loc=names.new(f"{base}_loc"),
        reparam=names.new(f"{base}_reparam"),
        support=support,
        prior=prior,
        scale=scale_of(context, child, scaled, sizes, event_dim),
        basis=child.basis,
        full=where.full and not any(covers(term, sizes) for term in terms),
        data=dependence(context, site, reading.data, shift),
    )


def told_at(context: Context, site: Site, data: tuple[str, ...], moments: list[int]) -> list[int]:
    """Those of `moments` at which can be told whether there are observations, if that matters.

    All of them, if it can be told at none.
    """
    if not data:
        return moments
    found = [dependence(context, site, data, moment) for moment in moments]
    told = [0 if one is None else len(one.optional) for one in found]
    return [
        moment
        for moment, count in zip(moments, told, strict=True)
        if count == max(told) or moment == site.statement
    ]


def covers(term: Term, sizes: Sizes) -> bool:
    """Has a term the child's whole shape, whatever the others have?"""
    return bool(term.variable) and term.coefficient.sizes == sizes and term.product == "*"


def named(context: Context, source: Source, value: Value, kept: set[int]) -> Value:
    """The value by the name that it has where the offset is computed."""
    parent = source.pair.site
    if parent is None:
        return value
    variable = context.keep(parent).name if parent.index in kept else parent.variable
    return replace(value, expression=variable or "")


def is_subsampled(site: Site) -> bool:
    return any(plate.subsampled for frame in site.frames for plate in frame.plates)


def is_computed(site: Site | None) -> bool:
    return site is not None and site.call.computed


def check_name(context: Context, site: Site, moment: int) -> None:
    """A name that is put together is written again before `moment`, and must be the same there."""
    if site.call.computed and not context.function.timeline.holds(site.call.name_reads, moment):
        raise stop(
            site,
            "name-made-later",
            "the name of '{written}' is put together of what is bound later than its "
            "coefficients are declared, or changes",
            "bind what its name is made of once, before the outermost plate."
            if "@" not in site.name
            else "sample it in '{function}' itself, where its name is made.",
            written=re.sub("@[^{}]*", "", site.name),
            function=context.function.name,
        )
