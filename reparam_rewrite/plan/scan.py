"""A child that a scan samples: its offset is added to the `loc` of its prior, step by step.

NumPyro's autoguides can't follow `ExplicitReparam` inside a scan, so that the base site is sampled
from the shifted distribution itself. The map is a shift, so its determinant is one::

    def step(z_prev, xi_z_mu_t):
        z_loc = xi_z_mu_t * mu
        z_base = numpyro.sample("z_base", dist.Normal(z_prev + z_loc, sigma_z))
        z = numpyro.deterministic("z", z_base - z_loc)
        return z, z

    xi_z_mu = numpyro.param("xi_z_mu", jnp.zeros(n_t))
    _, z = scan(step, 0.0, xi_z_mu, length=n_t)
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.messages import joined
from reparam_rewrite.plan.alignment import known_shape, unaligned, value_of
from reparam_rewrite.plan.asking_prior import ask, check_prior_can_move, written
from reparam_rewrite.plan.children import Child, Pair, Whitening
from reparam_rewrite.plan.coefficients import (
    centring_of,
    matrix,
    scale_of,
    structure_of,
    term_of,
    written_axes,
)
from reparam_rewrite.plan.context import Context, ScanContext
from reparam_rewrite.plan.data import data_of
from reparam_rewrite.plan.placement import can_keep, holds_site, not_kept
from reparam_rewrite.plan.sources import Source, source_of
from reparam_rewrite.plan.values import (
    Centring,
    Coefficient,
    Learned,
    OffsetRewrite,
    Placement,
    Power,
    Scale,
    ScanRewrite,
    Sizes,
    Term,
    Value,
)
from reparam_rewrite.survey.expressions import identifier
from reparam_rewrite.survey.priors import loc_position
from reparam_rewrite.survey.values import Handler, Plate, Site


def offset_in_scan(outer: Context, child: Child) -> ScanRewrite | OffsetRewrite:
    """The rewrite of a child that a scan samples. Raises `Stop`, before names are taken."""
    site, scan = unconstrained(child.site), child.site.scan
    assert scan is not None
    check_form(child)
    context = outer.of_scan(scan)
    step = one_step(site)
    parents = [parent_in(context, site, step, pair) for pair in child.all_pairs]
    values = [value_in(context, parent, step) for parent in parents]
    of_pairs = parents[: len(child.pairs)]
    structures = [structure_in(context, parent, site, step) for parent in of_pairs]
    data = data_of(child, [])
    if data:
        raise child.stop(
            "scan-depends-on-data",
            "'{site}' is sampled by a scan ({scan}), and how it comes from its base depends on "
            "{data}: with the data of another call its draws would mean something else",
            "take its 'centered' out, or give its prior numbers as bounds.",
            scan=scan.place,
            data=joined([*data]),
        )
    learned, sizes = child.scale_coefficient, known_shape(outer, site, scan.statement)[1]
    if learned is not None and learned.is_elementwise and sizes is None:
        raise child.stop("steps-unknown", UNKNOWN + "its scale", WAY_OUT, scan=scan.place)
    shifted = shifts_loc(child)
    if not shifted and site.prior.support.kind == "runtime":
        check_prior_can_move(step)
    names, base = outer.names, identifier(site.name)
    terms = [
        term_in(context, site, parent, value, structure)
        for parent, value, structure in zip(of_pairs, values, structures, strict=False)
    ]
    place, loc = Placement(scan.statement, step.statement), names.new(f"{base}_loc")
    if shifted:
        return ScanRewrite(
            site=step,
            function=scan.body,
            place=place,
            terms=tuple(terms),
            loc=loc,
            base=names.new(f"{step.variable}_base"),
            position=loc_position(site.prior.family or ""),
            indent=scan.indent,
        )
    bijects = site.prior.support.kind == "runtime"
    prior, support = ask(names, base, step, step.statement, shape=False, prior=bijects)
    scaled = [
        replace(value, expression=name_in(context, parent) or value.expression)
        for parent, value in zip(parents[len(terms) :], values[len(terms) :], strict=True)
    ]
    return OffsetRewrite(
        site=step,
        function=scan.body,
        place=place,
        terms=tuple(terms),
        sizes=(),
        loc=loc,
        reparam=names.new(f"{base}_reparam"),
        support=support,
        prior=prior,
        scale=scale_in(context, child, scaled[0] if scaled else None, sizes),
        basis=child.basis,
        centring=centring_in(context, child, sizes),
        indent=scan.indent,
    )


def shifts_loc(child: Child) -> bool:
    """Is it the `loc` of its prior that its offset is added to?"""
    step = child.site.step
    more = child.scale or child.basis or child.is_decentered
    return not more and step is not None and step.call.located and step.call.assigns


def unconstrained(site: Site) -> Site:
    """The site with the axes that it has in unconstrained space, if these are known."""
    if not site.prior.support.reshapes:
        return site
    return replace(site, extent=replace(site.extent, shape=None))


def scale_in(context: ScanContext, child: Child, value: Value | None, sizes: Sizes) -> Scale | None:
    """What the child is multiplied by, and the part of that that each step has."""
    scale = scale_of(context.outer.names, child, value, sizes, None)
    match scale:
        case Learned(variable, param):
            param, step = of_step(context, param, variable, rest=1)
            return replace(scale, param=param, step=step)
        case Power(power=Coefficient() as power, exponent=variable):
            power, step = of_step(context, power, variable, rest=0)
            return replace(scale, power=power, step=step)
    return scale


def centring_in(context: ScanContext, child: Child, sizes: Sizes) -> Centring | None:
    """How far it stays centred, and the part of that that each step has."""
    centring = centring_of(context.outer.names, child, sizes, None)
    if centring is None or isinstance(centring.centered, float):
        return centring
    centered, step = of_step(context, centring.centered, centring.learned, rest=1)
    return replace(centring, centered=centered, step=step)


def of_step(
    context: ScanContext, param: Coefficient, variable: str, rest: int
) -> tuple[Coefficient, str]:
    """A coefficient with elements for all steps, and the name of a step's part of it."""
    if not param.sizes:
        return param, ""
    param = replace(param, rest=rest) if context.scan.forecasts else param
    return param, context.carry(variable, f"{variable}_t")


def one_step(site: Site) -> Site:
    """What one call of the body samples, with the axes called as those of the stacked site."""
    assert site.step is not None
    shape = None if site.shape is None else site.shape[1:]
    batch = None if site.extent.batch is None else site.extent.batch[1:]
    return replace(site.step, extent=replace(site.step.extent, shape=shape, batch=batch))


#: What stands in the way of a shift of `loc`, or of the lines that it takes, and the way out.
FORMS = {
    "vector": ("a scale_tril isn't written there", "take it out, or give it a scale."),
    "else": (
        "no other reparameterizer is written there",
        "take it out; LocScaleReparam(0) is centered = 0.0.",
    ),
    "over_plates": (
        "a basis mixes the elements of one event there, and it isn't known to have one",
        "take its basis out, or make an event of the axis, with .to_event(1).",
    ),
    "shares": ("it shares its line with another statement there", "give it a line of its own."),
    "computed": ("names there must be plain strings", "write the name out."),
    "around": (
        "the scan stands in a with, whose handlers reach into it",
        "put the scan outside, or take the site out of the config.",
    ),
    "plate": (
        "the scan stands in a plate, where NumPyro runs none",
        "put the plate into the body, around what it samples.",
    ),
    "subsampled": ("a subsampled plate stands around it there", "take the site out of the config."),
    "projected": (
        "observations see all of its steps, and an offset is added to one at a time",
        "take 'per' and 'weight' out, and give a 'value' that is a number, as jnp.mean is.",
    ),
}


def check_form(child: Child) -> None:
    """What a shift of `loc` can do, and where it can be written. Raises `Stop`."""
    site, scan, step = child.site, child.site.scan, child.site.step
    assert scan is not None and step is not None
    names = [site.name, f"{site.name}_base", *(pair.parent for pair in child.pairs)]
    sites = [site, *(pair.site for pair in child.pairs if pair.site is not None)]

    seen = [said.place for pair in child.pairs if (said := pair.per or pair.weight)]

    def leaves_alone(item: Plate | Handler) -> bool:  # as ``condition(data={"y": y})`` does
        return isinstance(item, Handler) and all(map(item.leaves, names))

    wrong = {
        "else": child.reparam is not None,
        "vector": isinstance(child.scale, Whitening),
        "over_plates": child.basis is not None and bool(child.basis.over_plates),
        "shares": not step.alone,
        "computed": any(one.call.computed for one in sites),
        "plate": any(frame.plates for frame in site.frames),
        "around": not all(leaves_alone(item) for frame in site.frames for item in frame.items),
        "subsampled": any(plate.subsampled for frame in step.frames for plate in frame.plates),
        "projected": bool(seen),
    }
    for form in (form for form, is_wrong in wrong.items() if is_wrong):
        message, hint = FORMS[form]
        text = f"'{{site}}' is sampled by a scan ({{scan}}): {message}"
        name = identifier(site.name)
        place = seen[0] if form == "projected" else None
        raise child.stop("not-offset-in-a-scan", text, hint, place, scan=scan.place, variable=name)


UNKNOWN = "the shape of '{site}', which a scan samples ({scan}), can't be written before that, for "
WAY_OUT = (
    "give the scan a length= and an init whose shape shows, such as 0.0 or jnp.zeros((n,)), or "
    'use coefficient = "shared".'
)


class Parent(Struct, frozen=True):
    """A parent of a child in a scan, as the body reads it.

    `site` is sampled `where` its variable is bound: `inner`, by one call of the body, or outside.
    There `axis` is the scan's own, if it has that: every step has its part of it. `holds`: its
    variable stands for its value where the body reads it.
    """

    pair: Pair
    source: Source
    site: Site | None
    where: Context
    inner: bool = False
    axis: int | None = None
    holds: bool = True


def parent_in(context: ScanContext, site: Site, step: Site, pair: Pair) -> Parent:
    """`site` is the stacked child, `step` what one call of the body samples of it."""
    parent, scan = pair.site, context.scan
    inner = parent is not None and parent.scan == scan
    own = one_step(parent) if parent is not None and inner else parent
    source = source_of(context.body, step, replace(pair, site=own))
    if source.data:
        raise pair.stop(
            "scan-depends-on-data",
            "'{child}' is sampled by a scan ({scan}), and its offset by '{parent}' depends on "
            "{data}: with the data of another call its draws would mean something else",
            "write numbers in the place of {data}.",
            scan=scan.place,
            data=" and ".join(sorted(source.data)),
        )
    if parent is None or own is None:
        return Parent(pair, source, None, context.body)
    if inner:
        where, child, moment, axis = context.body, step, step.statement, None
    else:
        where, child, moment = context.outer, site, scan.statement
        source, axis = sliced(source, parent, site)
    hidden = not inner and (own.variable or "") in context.body.function.timeline
    holds = not hidden and holds_site(where, own, moment)
    if not holds and not can_keep(own, child, moment):
        raise not_kept(pair)
    return Parent(pair, source, own, where, inner, axis, holds)


def sliced(source: Source, parent: Site, site: Site) -> tuple[Source, int | None]:
    """What one step has of an outer parent, and the axis that the scan runs along, if it does."""
    shape, stacked = parent.shape or (), site.shape or ()
    found = [at for at, axis in enumerate(shape) if stacked and axis.same(stacked[0])]
    if not found:
        return source, None
    at = found[0]
    source = replace(source, shape=(*shape[:at], *shape[at + 1 :]))
    if at and len(shape) > 2:
        reason = "the scan runs along another axis of it than the first"
        raise unaligned(source, reason, parent.variable or "")
    return source, at


def value_in(context: ScanContext, parent: Parent, step: Site) -> Value:
    """The parent's value in the axes of one step's child."""
    value = value_of(context.body, parent.source, step, step.shape)
    if value.at_run_time:
        raise parent.pair.stop(
            "wider-than-a-scan",
            "'{parent}' isn't known to fit '{child}', which a scan samples ({scan}): it may be "
            "wider",
            'say how it is to be read: {parent} = {{ value = "jnp.mean(...)" }}, for example.',
            scan=context.scan.place,
        )
    return value


def structure_in(
    context: ScanContext, parent: Parent, site: Site, step: Site
) -> tuple[tuple[str, ...], str, bool]:
    """The coefficient's sizes, its product, and whether each step has its part of it."""
    spec, shape = parent.pair.coefficient, site.shape
    outer, declare = context.outer, context.scan.statement
    sizes = None if shape is None else written(outer, shape, declare)
    if shape is not None and spec.kind.contracted:
        # One for all steps if the parent is the step's own, else one for each.
        axes = written_axes(outer, parent.source, shape, declare)
        own, product = matrix(parent.pair, parent.source.shape, step.shape, axes)
        if parent.inner or parent.axis is not None:
            return own, product, False
        if shape[0] in axes:
            return (axes[shape[0]], *own), product, True
    elif sizes is not None or not spec.has_shape or spec.kind.single:
        found: Sizes = ()
        if shape is not None:
            found, _ = structure_of(outer, parent.source, shape, sizes, declare)
        return found or (), "*", bool(found) and len(found or ()) == len(shape or ())
    text = UNKNOWN.replace("{site}", "{child}") + "its coefficients of '{parent}'"
    raise parent.pair.stop("steps-unknown", text, WAY_OUT, site.place, scan=context.scan.place)


def term_in(
    context: ScanContext,
    child: Site,
    parent: Parent,
    value: Value,
    structure: tuple[tuple[str, ...], str, bool],
) -> Term:
    """The coefficient times the value, by the names that these have in the body."""
    term = term_of(context.outer.names, child, parent.pair, value, structure[:2])
    if structure[2] and term.variable:
        coefficient, step = of_step(context, term.coefficient, term.variable, rest=0)
        term = replace(term, coefficient=coefficient, step=step)
    name = name_in(context, parent)
    return replace(term, value=replace(value, expression=name)) if name else term


def name_in(context: ScanContext, parent: Parent) -> str:
    """The name of a parent's value in the body; none for an expression."""
    if parent.site is None:
        return ""
    name = (parent.site.variable or "") if parent.holds else parent.where.keep(parent.site)
    if parent.axis is not None:
        name = context.carry(name if parent.axis == 0 else f"{name}.T", f"{name}_t")
    return name
