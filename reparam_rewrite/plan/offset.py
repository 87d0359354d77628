"""One child's offset: where it is computed, from what, and in which shape."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.plan.alignment import known_shape, value_of
from reparam_rewrite.plan.asking_prior import ask, check_prior_can_move, sized_at
from reparam_rewrite.plan.basis import check_basis, needs_full_shape
from reparam_rewrite.plan.children import Child
from reparam_rewrite.plan.coefficients import check_templates, scale_of, structure_of, term_of
from reparam_rewrite.plan.context import Context, Stop, stop
from reparam_rewrite.plan.data import data_of, dependence
from reparam_rewrite.plan.placement import joinable, moments_of, place_offset
from reparam_rewrite.plan.sources import Source, source_of
from reparam_rewrite.plan.values import OffsetRewrite, OtherRewrite, Placement, Sizes, Term, Value
from reparam_rewrite.survey.expressions import identifier
from reparam_rewrite.survey.values import Site


def other(context: Context, child: Child) -> OtherRewrite:
    """The rewrite of a child that another reparameterizer of NumPyro takes care of.

    Raises `Stop`, before any name is taken.
    """
    site, spec, by = child.site, child.reparam, child.by
    assert spec is not None
    sources = [source_of(context, site, by)] if by is not None else []
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


class Draft(Struct, frozen=True):
    """What the code of a child is made of, before it is known where that goes.

    `sources` are those of its parents and then of its scale, if that is made of something. `data`
    are the arguments of the call that they depend on. Before one of the `moments` its coefficients
    are declared. `subsampled`: a param of its full size stands inside of a subsampled plate, which
    takes its part of it::

        with numpyro.plate("n", n, subsample_size=m):
            a_loc = numpyro.param("xi_a_mu", jnp.zeros(n), event_dim=0) * mu
    """

    context: Context
    child: Child
    sources: list[Source]
    data: tuple[str, ...]
    moments: list[int]
    subsampled: bool


def offset(context: Context, child: Child) -> OffsetRewrite:
    """The rewrite of one child whose site and parents have passed their checks.

    Its code goes to the outermost place at which all is known that it says. Raises `Stop`, before
    any name is taken, with what is in the way at the last one: the statement of the child.
    """
    site, subsampled = child.site, is_subsampled(child.site)
    check_basis(child)
    for pair in child.pairs:
        if subsampled and pair.coefficient.has_shape and not pair.coefficient.learn:
            raise stop(
                pair,
                "subsampled-array",
                "'{child}' is in a subsampled plate, which takes its part of a param only, and "
                "the coefficient of '{parent}' is an array",
                "use learn = true, or one number.",
            )
    sources = [source_of(context, site, pair) for pair in child.all_pairs]
    subsampled &= any(spec.learn and spec.structure != "shared" for spec in child.coefficients)
    moments = [site.statement] if subsampled else moments_of(context, site)
    draft = Draft(context, child, sources, data_of(child, sources), moments, subsampled)
    for first in range(len(moments) - 1):
        try:
            written = candidate(draft, moments[first:])
        except Stop:
            continue  # it may do further in
        if written is not None:
            return written()
    written = candidate(draft, moments[-1:])
    assert written is not None
    return written()


def candidate(draft: Draft, moments: list[int]) -> Callable[[], OffsetRewrite] | None:
    """What makes the rewrite of a child with its coefficients declared before the first moment.

    None if their shapes aren't known there; at the statement that samples the child the prior is
    asked for them. Raises `Stop`.
    """
    context, child, sources = draft.context, draft.child, draft.sources
    site, declare, statement = child.site, moments[0], moments[-1]
    bijects = site.prior.support.kind == "runtime"
    places = [statement] if bijects else told_at(context, site, draft.data, moments)
    shift, kept = place_offset(context, site, sources, places)
    shape, sizes = known_shape(context, site, declare)
    values = [value_of(context, source, site, shape) for source in sources]
    of_pairs = sources[: len(child.pairs)]
    structures = [structure_of(context, source, shape, sizes, declare) for source in of_pairs]
    at_run_time = any(value.at_run_time for value in values)
    full = needs_full_shape(child, values)
    if (full or at_run_time) and sizes is not None and known_shape(context, site, shift)[1] is None:
        return None  # it is broadcast where the offset is computed
    elementwise = any(spec.is_elementwise for spec in child.coefficients)
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
    check_names(context, child, declare, shift)
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
    sized = sized_at(context, site, draft.moments) if asks_shape else statement

    def written() -> OffsetRewrite:
        """All names are taken here."""
        names, base = context.names, identifier(site.name)
        prior, support = ask(names, base, site, sized, shape=asks_shape)
        called = [named(context, *both, kept) for both in zip(sources, values, strict=True)]
        event_dim = len(site.prior.event or ()) if draft.subsampled else None
        terms = tuple(
            term_of(names, site, pair, value, structure, event_dim)
            for pair, value, structure in zip(child.pairs, called, structures, strict=False)
        )
        scaled = called[-1] if len(called) > len(terms) else None
        join = None if draft.subsampled else joinable(site, shift)
        return OffsetRewrite(
            site=site,
            function=context.function.name,
            place=Placement(declare, shift, join),
            terms=terms,
            sizes=sizes,
            loc=names.new(f"{base}_loc"),
            reparam=names.new(f"{base}_reparam"),
            support=support,
            prior=prior,
            scale=scale_of(names, child, scaled, sizes, event_dim),
            basis=child.basis,
            full=full and not any(covers(term, sizes) for term in terms),
            data=dependence(context, site, draft.data, shift),
        )

    return written


def told_at(context: Context, site: Site, data: tuple[str, ...], moments: list[int]) -> list[int]:
    """Those of `moments` at which can be told whether there are observations, if that matters.

    All of them, if it can be told at none.
    """
    found = [dependence(context, site, data, moment) for moment in moments]
    told = [0 if one is None else len(one.optional) for one in found]
    both = zip(moments, told, strict=True)
    return [at for at, count in both if count == max(told) or at == site.statement]


def covers(term: Term, sizes: Sizes) -> bool:
    """Has a term the child's whole shape, whatever the others have?"""
    return bool(term.variable) and term.coefficient.sizes == sizes and term.product == "*"


def named(context: Context, source: Source, value: Value, kept: set[int]) -> Value:
    """The value by the name that it has where the offset is computed."""
    parent = source.pair.site
    if parent is None:
        return value
    variable = context.keep(parent) if parent.index in kept else parent.variable
    return replace(value, expression=variable or "")


def is_subsampled(site: Site) -> bool:
    return any(plate.subsampled for frame in site.frames for plate in frame.plates)


def check_names(context: Context, child: Child, declare: int, shift: int) -> None:
    """The names of params, and of the sites that they are made of, must be written there too."""
    check_templates(child)
    check_name(context, child.site, min(declare, shift))
    for pair in child.pairs:
        if pair.site is not None:
            check_name(context, pair.site, declare)


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
