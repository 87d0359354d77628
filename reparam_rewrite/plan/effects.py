"""Sites that are sampled as what is standard normal given the data: what is read of their priors.

Each such site is an effect: ``loc + R u``, where u is standard normal a priori and R the scale of
its prior, a number for each element, or of a vector the matrix that makes it of independent ones.
Before the first of them is sampled the scales of all must be known.
"""

from __future__ import annotations

from reparam_rewrite.plan.children import Child, Effects, Snippet, plain_pair
from reparam_rewrite.plan.context import Context
from reparam_rewrite.plan.factors import STANDARDIZED, factor_of
from reparam_rewrite.plan.offset import is_subsampled
from reparam_rewrite.plan.placement import holds_site, moments_of, place_offset
from reparam_rewrite.plan.scales import Coordinates, Factor
from reparam_rewrite.plan.sources import Source, source_of
from reparam_rewrite.plan.values import ConditionalRewrite, Placement
from reparam_rewrite.survey.data import data_in
from reparam_rewrite.survey.expressions import parsed
from reparam_rewrite.survey.purity import only_computes, reads_of
from reparam_rewrite.survey.scopes import Moment
from reparam_rewrite.survey.values import Site

OUT = "take it out of 'conditional'"


def conditional(context: Context, child: Child) -> ConditionalRewrite:
    """The rewrite of one of these sites; the first of them has the statement that all share.

    Raises `Stop` with what is in the way.
    """
    effects, site = child.effects, child.site
    assert effects is not None
    refuse(child)
    refuse_scale(context, child, effects)
    moments = moments_of(context, site)
    made = None
    if context.coordinates is None:
        context.coordinates = moments[0], context.names.new("given")  # what is wrong is said once
        shift, made = shared(context, child, effects, moments)
        context.coordinates = shift, context.coordinates[1]
    shift, variable = context.coordinates
    return ConditionalRewrite(
        site=site,
        function=context.function.name,
        place=Placement(moments[0], shift, around(child, shift)),
        reparam=variable,
        coordinates=made,
    )


def around(child: Child, since: int) -> int | None:
    """The outermost `with` of plates, which the handler goes around: the site has its shape there.

    None without one. Raises `Stop` where that is before the statement `since`, which all share.
    """
    # Not those of a helper that samples it.
    frames = [frame for frame in child.site.frames if frame.statement < child.site.statement]
    plated = next((at for at, frame in enumerate(frames) if frame.items), len(frames))
    inside = frames[plated:]
    only = all(len(frame.plates) == len(frame.items) for frame in inside if frame.kind == "with")
    if not inside:
        return None
    if not only or any(frame.kind != "with" for frame in inside) or inside[0].statement < since:
        raise child.stop(
            "effect-in-a-with",
            "'{site}' stands in {block}, which has more in it than can be sampled after what is "
            "needed before the first site of 'conditional'",
            "sample '{site}' in a with of its own, which has plates only.",
            block=child.site.place.at(inside[0].line),
        )
    return inside[0].statement


def refuse(child: Child) -> None:
    """What can't be an effect. Raises `Stop`."""
    site, effects = child.site, child.effects
    assert effects is not None
    missing = [name for name in effects.order if not child.function.find(name)]
    if missing:
        raise child.stop(
            "effects-elsewhere",
            "'{function}' samples no '{missing}', and what the data say is of all sites of "
            "'conditional'",
            "take '{function}' out of 'functions'.",
            effects.place,
            function=child.function.name,
            missing=missing[0],
        )
    if len(child.places) > 1:
        raise child.stop(
            "effect-in-several-places",
            "'{site}' is sampled in more than one place ({places}), and its scale must be known "
            "before",
            f"{OUT}, or sample it in one place.",
            places=tuple(one.place for one in child.places),
        )
    if site.scan is not None:
        raise child.stop(
            "effect-in-a-scan",
            "'{site}' is sampled in a scan, step by step: all of it is needed at once",
            f"{OUT}, or write the walk as a GaussianRandomWalk.",
        )
    if site.call.computed:  # ``for k in range(3): sample(f"b_{k}", ...)``
        raise child.stop(
            "effect-with-a-computed-name",
            "the name of '{site}' is put together ({at}), and its scale must be known before",
            f"{OUT}, or write its name out.",
        )
    if is_subsampled(site):
        raise child.stop(
            "effect-subsampled",
            "'{site}' is in a subsampled plate ({at}), and what the data say is of all elements",
            f"{OUT}.",
        )
    if any(frame.kind == "try" for frame in site.frames):
        raise child.stop(
            "error-swallowed",
            "'{site}' is sampled in a try, which may swallow the error of data that don't fit when "
            "the model runs",
            f"sample it outside, or {OUT}.",
        )
    if site.prior.support.kind != "real" or site.prior.family not in STANDARDIZED:
        known = "isn't known to be normal"
        if site.prior.family is not None:
            known = "has the prior {family}"
        raise child.stop(
            "effect-not-normal",
            f"'{{site}}' {known} ({{at}}): only what has a location and a scale, as the normal "
            "has, can be sampled given the data",
            f"{OUT}; an offset may move it.",
        )
    if not effects.data:
        raise child.stop(
            "no-data-yet",
            "what the data say of the sites of 'conditional' isn't known yet",
            "let fit compute it: reparam-rewrite fit MODEL --config CONFIG --args ARGS.",
            effects.place,
        )


def refuse_scale(context: Context, child: Child, effects: Effects) -> None:
    """A scale that doesn't show, or that is made of another effect. Raises `Stop`."""
    survey, function, site = context.survey, context.function, child.site
    said = effects.scales.get(child.name)
    factor = factor_of(survey, function, site) if said is None else Factor("config", said.text)
    if factor is None and site.through:  # def prior(name): tau = sample(f"{name}_tau", ...)
        raise child.stop(
            "effect-scale-in-a-helper",
            "the scale of the prior of '{site}' is made in the call of '{helper}' ({at})",
            f"give it to '{{helper}}' as a name of '{{function}}', or {OUT}.",
            helper=site.through,
            function=function.name,
        )
    if factor is None:
        raise child.stop(
            "effect-scale",
            "the scale of the prior of '{site}' doesn't show ({at})",
            'say it in the config: [sites.{site}.conditional] and under it scale = "...".',
        )
    for other in effects_in(context, site, factor.text, effects):  # Normal(0, jnp.exp(b))
        raise child.stop(
            "effect-scale-of-an-effect",
            "the scale of '{site}' ({at}) is made of '{other}', which is in 'conditional' too: "
            "scales must be known before all of these",
            "take '{other}' out of 'conditional'.",
            other=other,
        )


def effects_in(context: Context, site: Site, text: str, effects: Effects) -> list[str]:
    """The effects whose values an expression of a site's prior reads."""
    moment = Moment(context.survey, context.function, site.statement)
    bound = [moment.binding(read.name) for read in reads_of(moment, parsed(text))]
    drawn = {at for binding in bound if binding is not None for at in binding.drawn}
    names = [context.function.sites[at].name for at in sorted(drawn)]
    return [name for name in names if name in effects.order]


def shared(
    context: Context, child: Child, effects: Effects, moments: list[int]
) -> tuple[int, Coordinates]:
    """The statement that all effects share, and where it goes. Raises `Stop`."""
    scales, noise, given, sources = [], [], [], []
    for name in effects.order:
        for site in context.function.find(name)[:1]:
            said = effects.scales.get(name)
            if said is not None:
                sources.append(of_config(context, child, site, said))
                scales.append((site, Factor("config", sources[-1].expression)))
                continue
            factor = factor_of(context.survey, context.function, site)
            if factor is not None and not effects_in(context, site, factor.text, effects):
                texts = filter(None, (factor.text, factor.size))
                sources += [of_prior(context, child, site, text) for text in texts]
                scales.append((site, factor))
    for name, said in effects.noise.items():
        observed = next(iter(context.function.find(name)), child.site)
        sources.append(of_config(context, child, observed, said))
        noise.append((name, sources[-1].expression))
    for name in effects.given:
        for site in context.function.find(name)[:1]:
            if site.variable is None or not holds_site(context, site, child.site.statement):
                text = "the value of '{other}' has no name where '{site}' is sampled ({where})"
                hint = "make it a statement of its own, and don't bind that name again."
                raise child.stop("given-without-a-name", text, hint, other=name, where=site.place)
            said = Snippet(site.variable, child.place)
            sources.append(of_config(context, child, child.site, said))
            given.append((site, site.variable))
    shift, _ = place_offset(context, child.site, sources, moments)
    made = Coordinates(effects.form, effects.data, tuple(scales), tuple(noise), tuple(given))
    return shift, made


def of_config(context: Context, child: Child, site: Site, said: Snippet) -> Source:
    """An expression of the config about a site, where the first effect is sampled.

    It must mean the same as where that site is.
    """
    pair = plain_pair(child.name, site.name, said.place, None, said)
    source = source_of(context, child.site, pair)
    of_prior(context, child, site, source.expression)
    return source


def of_prior(context: Context, child: Child, site: Site, text: str) -> Source:
    """An expression of a site's prior, which must mean the same where the first is sampled."""
    moment, node = Moment(context.survey, context.function, site.statement), parsed(text)
    reads = reads_of(moment, node)
    timeline, at = context.function.timeline, child.site.statement
    computes = only_computes(moment, node)
    if site is not child.site and not (computes and timeline.holds(reads, at)):
        later = next(
            (use.name for use in sorted(reads, key=str) if not timeline.holds([use], at)), ""
        )
        what = (
            f"'{later}', which isn't known yet where" if later else "more than it computes before"
        )
        raise child.stop(
            "effect-scale-later",
            "the scale of '{effect}' ({where}) needs " + what + " '{site}' is sampled ({at})",
            "bind it to a name before '{site}' is sampled, and use that.",
            site.place,
            effect=site.name,
            where=site.place,
        )
    pair = plain_pair(child.name, site.name, child.place, None)
    return Source(pair, reads, text, None, "", (), computes, data_in(moment, node))
