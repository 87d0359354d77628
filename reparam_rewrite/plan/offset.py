"""One child's offset: where it is computed, from what, and in which shape."""

from __future__ import annotations

import re

from msgspec.structs import replace

from reparam_rewrite.messages import OfSite, Problem
from reparam_rewrite.plan.children import Child, Pair
from reparam_rewrite.plan.coefficients import (
    check_template,
    coefficient_of,
    structure_of,
)
from reparam_rewrite.plan.context import Context, Stop
from reparam_rewrite.plan.data import data_of, dependence
from reparam_rewrite.plan.lining_up import known_shape, value_of
from reparam_rewrite.plan.place import candidates, joinable, place_offset
from reparam_rewrite.plan.runtime import ask, check_prior_can_move, sized_at
from reparam_rewrite.plan.scaling import (
    basis_of,
    check_basis,
    needs_full_shape,
    scale_of,
)
from reparam_rewrite.plan.sources import Source, source_of
from reparam_rewrite.plan.values import OffsetRewrite, OtherRewrite, Placement, Term, Value
from reparam_rewrite.survey.expressions import identifier
from reparam_rewrite.survey.values import Site


def other(context: Context, child: Child) -> OtherRewrite:
    """The rewrite of a child that another reparameterizer of NumPyro takes care of.

    Raises `Stop`, before any name is taken.
    """
    site, rule = child.site, child.reparam
    assert rule is not None
    sources = [source_of(context, site, child.by)] if child.by is not None else []
    data = data_of(child, sources)
    moments = candidates(context, site)
    shift, _ = place_offset(context, site, sources, told_at(context, site, data, moments))
    check_name(context, site, shift)
    arguments = ", ".join(f"{key}={value!r}" for key, value in rule.arguments)
    base = identifier(site.name)
    return OtherRewrite(
        site=site,
        function=context.function.name,
        place=Placement(moments[0], shift, joinable(site, shift)),
        reparam=context.names.new(f"{base}_reparam"),
        name=rule.name,
        arguments=sources[0].expression if sources else arguments,
        data=dependence(context, site, data, shift),
    )


def offset(context: Context, child: Child) -> OffsetRewrite:
    """The rewrite of one child whose site and parents have passed their checks.

    Raises `Stop`, before any name is taken.
    """
    site = child.site
    moments = candidates(context, site)
    if has_full_size_param(site, child):
        moments = [site.statement]
    for position in range(len(moments) - 1):
        try:
            found = offset_from(context, child, moments, position)
        except Stop:
            continue  # it may do further in
        if found is not None:
            return found
    found = offset_from(context, child, moments, len(moments) - 1)
    assert found is not None
    return found


def offset_from(
    context: Context, child: Child, moments: list[int], position: int
) -> OffsetRewrite | None:
    """The rewrite with the coefficients declared before the one of `moments` at `position`.

    None if their shapes aren't known there; at the last, the statement that samples the child, the
    prior is asked for them. Raises `Stop`; no name is taken then.
    """
    site, declare, statement = child.site, moments[position], moments[-1]
    check_basis(site, child)
    for pair in child.pairs:
        if is_subsampled(site) and pair.coefficient.has_shape and not pair.coefficient.learn:
            raise Stop(array_in_subsample(pair))
    sources = [source_of(context, site, pair) for pair in child.pairs]
    scaling = [source_of(context, site, child.by)] if child.by is not None else []
    inside, scaled = has_full_size_param(site, child), child.scale_coefficient
    data = data_of(child, [*sources, *scaling])
    bijects = site.prior.support.kind == "runtime"
    places = [statement] if bijects else told_at(context, site, data, moments[position:])
    shift, kept = place_offset(context, site, [*sources, *scaling], places)
    shape, sizes = known_shape(context, site, declare)
    values = [value_of(context, source, site, shape) for source in [*sources, *scaling]]
    structures = [structure_of(context, source, shape, sizes, declare) for source in sources]
    full = needs_full_shape(site, child, values)
    broadcasts = full or any(value.at_run_time for value in values)
    if broadcasts and sizes is not None and known_shape(context, site, shift)[1] is None:
        return None  # it is broadcast where the offset is computed
    asks_shape = sizes is None and (
        broadcasts
        or any(source.pair.coefficient.is_elementwise for source in sources)
        or (scaled is not None and scaled.is_elementwise)
    )
    if asks_shape and declare != statement:
        return None
    if is_subsampled(site) and (asks_shape or any(value.at_run_time for value in values)):
        raise Stop(shape_of_subsample(site))
    for pair in child.pairs:
        check_template(child, pair.coefficient.param, pair)
    check_template(child, scaled.name if scaled is not None else "", child.by)
    check_name(context, site, min(declare, shift))
    for source in sources:
        if source.pair.site is not None:
            check_name(context, source.pair.site, declare)
    if any(value.at_run_time for value in values) and any(f.kind == "try" for f in site.frames):
        raise Stop(swallowed(site))
    if asks_shape or bijects:
        check_prior_can_move(site)
    sized = sized_at(context, site, moments) if asks_shape else statement

    # Nothing can fail from here on: names may be taken.
    names, base = context.names, identifier(site.name)
    prior, support = ask(names, base, site, sized, bijects=bijects, shape=asks_shape)
    values = [
        named(context, source, value, kept)
        for source, value in zip([*sources, *scaling], values, strict=True)
    ]
    terms = []
    event_dim = len(site.prior.event or ()) if inside else None
    for source, value, (size, product) in zip(sources, values, structures, strict=False):
        pair = source.pair
        computed = site.computed or (pair.site is not None and pair.site.computed)
        coefficient = coefficient_of(pair.coefficient, size, event_dim, computed=computed)
        held = pair.coefficient.has_shape
        variable = names.new(identifier(pair.coefficient.name)) if held else ""
        terms.append(Term(pair.parent, coefficient, value, variable, product))
    return OffsetRewrite(
        site=site,
        function=context.function.name,
        terms=tuple(terms),
        sizes=sizes,
        place=Placement(declare, shift, None if inside else joinable(site, shift)),
        loc=names.new(f"{base}_loc"),
        reparam=names.new(f"{base}_reparam"),
        support=support,
        prior=prior,
        scale=scale_of(context, child, values[-1] if scaling else None, sizes, event_dim),
        basis=basis_of(child),
        full=full and not any(covers(term, sizes) for term in terms),
        data=dependence(context, site, data, shift),
    )


def told_at(context: Context, site: Site, data: tuple[str, ...], moments: list[int]) -> list[int]:
    """Those of `moments` at which can be told whether there are observations, if that matters.

    All of them, if it can be told at none.
    """
    if not data:
        return moments
    found = [dependence(context, site, data, moment) for moment in moments]
    told = [0 if one is None else len(one.optional) for one in found]
    best = max(told)
    return [
        moment
        for moment, count in zip(moments, told, strict=True)
        if count == best or moment == site.statement
    ]


def covers(term: Term, sizes: tuple[str, ...] | None) -> bool:
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


def has_full_size_param(site: Site, child: Child) -> bool:
    """Is there a param of which a subsampled plate must take its part, so that it stands inside?

    ::

        with numpyro.plate("n", n, subsample_size=m):
            a_loc = numpyro.param("xi_a_mu", jnp.zeros(n), event_dim=0) * mu
    """
    specs = [*(pair.coefficient for pair in child.pairs), child.scale_coefficient]
    return is_subsampled(site) and any(
        spec is not None and spec.learn and spec.structure != "shared" for spec in specs
    )


def shape_of_subsample(site: Site) -> Problem:
    return Problem(
        "subsampled-shape",
        OfSite(site.name),
        site.place,
        "'{site}' is in a subsampled plate, and not all shapes can be read from the source",
        'use coefficient = "shared" and parents whose shapes show.',
    )


def array_in_subsample(pair: Pair) -> Problem:
    return Problem(
        "subsampled-array",
        pair.about,
        pair.place,
        "'{child}' is in a subsampled plate, which takes its part of a param only, and the "
        "coefficient of '{parent}' is an array",
        "use learn = true, or one number.",
    )


def check_name(context: Context, site: Site, moment: int) -> None:
    """A name that is put together is written again before `moment`, and must be the same there."""
    if site.computed and not context.function.timeline.holds(site.name_reads, moment):
        raise Stop(
            Problem(
                "name-made-later",
                OfSite(site.name),
                site.place,
                "the name of '{written}' is put together of what is bound later than its "
                "coefficients are declared, or changes",
                "bind what its name is made of once, before the outermost plate."
                if "@" not in site.name
                else "sample it in '{function}' itself, where its name is made.",
                {
                    "written": re.sub("@[^{}]*", "", site.name),
                    "function": context.function.name,
                },
            )
        )


def swallowed(site: Site) -> Problem:
    return Problem(
        "error-swallowed",
        OfSite(site.name),
        site.place,
        "'{site}' is sampled in a try, which may swallow the error of a parent that doesn't "
        "fit when the model runs",
        "sample it outside, or use parents whose shapes show.",
    )
