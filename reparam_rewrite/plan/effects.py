"""Sites that are sampled as what is standard normal given the data: what is read of their priors.

Each such site is an effect: ``loc + R u``, where u is standard normal a priori and R the scale of
its prior, a number for each element, or of a vector the matrix that makes it of independent ones.
Before the first of them is sampled the scales of all must be known.
"""

from __future__ import annotations

from reparam_rewrite.plan.children import Child, Effects, Snippet, plain_pair
from reparam_rewrite.plan.context import Context
from reparam_rewrite.plan.factors import factor_of
from reparam_rewrite.plan.offset import check_name, is_subsampled
from reparam_rewrite.plan.placement import moments_of, place_offset
from reparam_rewrite.plan.sources import Source, source_of
from reparam_rewrite.plan.values import ConditionalRewrite, Coordinates, Factor, Placement
from reparam_rewrite.survey.data import data_in
from reparam_rewrite.survey.expressions import parsed
from reparam_rewrite.survey.purity import only_computes, reads_of
from reparam_rewrite.survey.scopes import Moment
from reparam_rewrite.survey.values import Site

WAY_OUT = 'say it in the config: [sites.{site}.conditional] and under it scale = "...".'


def conditional(context: Context, child: Child) -> ConditionalRewrite:
    """The rewrite of one of these sites; the first of them has the statement that all share.

    Raises `Stop` with what is in the way.
    """
    effects, site = child.effects, child.site
    assert effects is not None
    refuse(child)
    moments = moments_of(context, site)
    check_name(context, site, moments[0])
    made = None
    shift, variable = context.coordinates or (0, "")
    if not variable:
        shift, made = shared(context, child, effects, moments)
        variable = context.names.new("given")
        context.coordinates = shift, variable
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
    frames = child.site.frames
    plated = next((at for at, frame in enumerate(frames) if frame.items), len(frames))
    inside = frames[plated:]
    only = all(len(frame.plates) == len(frame.items) for frame in inside if frame.kind == "with")
    if not inside:
        return None
    if not only or any(frame.kind != "with" for frame in inside) or inside[0].statement < since:
        raise child.stop(
            "effect-in-a-with",
            "'{site}' stands in {place}, which has more in it than can be sampled after what is "
            "needed before the first site of 'conditional'",
            "sample '{site}' in a with of its own, which has plates only.",
            place=child.site.place.at(inside[0].line),
        )
    return inside[0].statement


def refuse(child: Child) -> None:
    """What can't be an effect. Raises `Stop`."""
    site, effects = child.site, child.effects
    assert effects is not None
    if not effects.data:
        raise child.stop(
            "no-data-yet",
            "what the data say of the sites of 'conditional' isn't known yet",
            "let fit compute it: reparam-rewrite fit MODEL --config CONFIG --args ARGS.",
            effects.place,
        )
    if len(child.places) > 1:
        places = tuple(one.place for one in child.places)
        raise child.stop(
            "effect-in-several-places",
            "'{site}' is sampled in more than one place, and its scale must be known before",
            "take it out of 'conditional'.",
            places=places,
        )
    if site.scan is not None:
        raise child.stop(
            "effect-in-a-scan",
            "'{site}' is sampled in a scan, step by step: all of it is needed at once",
            "take it out of 'conditional', or write the walk as a GaussianRandomWalk.",
        )
    if is_subsampled(site):
        raise child.stop(
            "effect-subsampled",
            "'{site}' is in a subsampled plate ({at}), and what the data say is of all elements",
            "take it out of 'conditional'.",
        )
    if site.prior.support.kind != "real":
        raise child.stop(
            "effect-not-normal",
            "'{site}' isn't known to be real-valued ({at}), and only what is normal, or nearly "
            "so, can be sampled given the data",
            "take it out of 'conditional'; an offset can move it.",
        )


def shared(
    context: Context, child: Child, effects: Effects, moments: list[int]
) -> tuple[int, Coordinates]:
    """The statement that all effects share, and where it goes. Raises `Stop`."""
    scales, sources = [], []
    for name in effects.order:
        site = context.function.find(name)[0]
        said = effects.scales.get(name)
        if said is not None:
            sources.append(of_config(context, child, name, said))
            scales.append((site, Factor("config", sources[-1].expression)))
            continue
        factor = factor_of(context.survey, context.function, site)
        if factor is None:
            text = "the scale of the prior of '{effect}' doesn't show ({where})"
            raise child.stop(
                "effect-scale",
                text,
                WAY_OUT.replace("site", "effect"),
                effect=name,
                where=site.place,
            )
        for text in filter(None, (factor.text, factor.size)):
            sources.append(of_prior(context, child, site, text))
        scales.append((site, factor))
    noise = []
    for name, said in effects.noise.items():
        sources.append(of_config(context, child, name, said))
        noise.append((name, sources[-1].expression))
    given = []
    for name in effects.given:
        site = context.function.find(name)[0]
        if site.variable is None:
            text = "the value of '{other}' isn't bound to a name ({where})"
            hint = "make it a statement of its own."
            raise child.stop("given-without-a-name", text, hint, other=name, where=site.place)
        sources.append(of_config(context, child, name, Snippet(site.variable, child.place)))
        given.append((site, site.variable))
    shift, _ = place_offset(context, child.site, sources, moments)
    made = Coordinates(effects.form, effects.data, tuple(scales), tuple(noise), tuple(given))
    return shift, made


def of_config(context: Context, child: Child, label: str, said: Snippet) -> Source:
    """An expression of the config, where the first effect is sampled."""
    pair = plain_pair(child.name, label, said.place, None, said)
    return source_of(context, child.site, pair)


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
            "compute it before '{site}' is sampled.",
            site.place,
            effect=site.name,
            where=site.place,
        )
    pair = plain_pair(child.name, site.name, child.place, None)
    return Source(pair, reads, text, None, "", (), computes, data_in(moment, node))
