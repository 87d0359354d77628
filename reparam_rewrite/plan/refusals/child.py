"""Reasons why a site can't be a child: nothing can be offset, scaled or reparameterized there.

All that speaks against a child and its parents comes together here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reparam_rewrite.messages import Problem
from reparam_rewrite.plan.alternatives import are_alternatives
from reparam_rewrite.plan.children import Child, PowerScale, Whitening
from reparam_rewrite.plan.factors import around_vector, has_loc_and_scale, shows_loc_and_scale
from reparam_rewrite.plan.ordering import in_the_way, is_late
from reparam_rewrite.plan.refusals.handlers import handler_problems
from reparam_rewrite.plan.refusals.parent import parent_problems
from reparam_rewrite.reparameterizers import DECENTERED
from reparam_rewrite.survey.expressions import identifier
from reparam_rewrite.survey.functions import Survey
from reparam_rewrite.survey.names import may_be

if TYPE_CHECKING:
    from reparam_rewrite.plan.moving import Wanted

#: What is said of a prior that nothing can be shifted in, by the kind of its support.
WITHOUT_DENSITY = {
    "discrete": (
        "'{site}' is discrete ({family}): it can't be shifted",
        "only continuous latent sites can be offset; take it out of the config.",
    ),
    "atomic": (
        "'{site}' has a {family} prior, which isn't a density: it can't be shifted",
        "take it out of the config.",
    ),
    "sphere": (
        "'{site}' lives on a sphere ({family}), which has no unconstrained space",
        "take it out of the config; ProjectedNormalReparam is what suits it.",
    ),
    "zero_sum": (
        "'{site}' sums to zero (ZeroSumNormal): an offset would break that",
        "leave it as it is, or give it a Normal prior.",
    ),
}

#: What is said of a call that can't be reparameterized where it stands, by what is in the way.
OBSTACLES = {
    "starred": ("is sampled with * or ** arguments", "write the arguments out."),
    "chosen": (
        "is called one thing or another when the model runs",
        "ask for it by one of these names.",
    ),
    "header": ("is sampled in the header of a statement", "give it a statement of its own."),
    "deferred": ("is sampled in a lambda or a comprehension", "give it a statement of its own."),
    "conditional": ("is sampled in a conditional expression", "give it a statement of its own."),
    "infer": (
        "has infer=, which ExplicitReparam doesn't hand on",
        "remove infer= or leave this site as it is.",
    ),
    "obs_mask": ("has obs_mask=, which splits the site in two", "leave this site as it is."),
    "handler": (
        "is sampled by '{helper}' inside of a handler of its own",
        "take that handler out, or this site out of the config.",
    ),
    "subsampled": ("is sampled by '{helper}' in a subsampled plate", "sample it here."),
    "sample_shape": (
        "is sampled by '{helper}' with a sample_shape, which ExplicitReparam drops",
        "use .expand_by(sample_shape) on the distribution.",
    ),
}


def problems_of(survey: Survey, child: Child, wanted: Wanted) -> Iterator[Problem]:
    """What speaks against a child and its parents; `wanted` are all pairs of its function."""
    running = survey.running(child.function.name)
    yield from of_prior(survey, child)
    yield from of_place(child)
    rest = (in_a_plate_elsewhere(survey, child, running), in_a_guide_too(survey, child))
    of_scale = (
        *(power_of_a_negative(child), without_loc_and_scale(survey, child)),
        without_a_matrix(survey, child),
    )
    yield from filter(None, (*rest, *of_scale))
    yield from handler_problems(survey, child, running)
    for pair in child.all_pairs:
        if pair.site is not None:
            yield from parent_problems(survey, child, pair, pair.site, wanted)
        elif is_late(child, pair):  # s = { value = "s[state]" }, and s can't be moved up
            yield in_the_way(survey, child, pair, wanted)
        elif pair.value is None:  # ``mu = true`` in a's offset, where another function samples mu
            yield pair.problem(
                "no-such-parent",
                "'{function}' samples no site '{parent}'",
                "every parent must be sampled in the same function as its child.",
                function=child.function.name,
            )
    for pair in child.after:
        if is_late(child, pair):
            yield in_the_way(survey, child, pair, wanted)
    own = [DECENTERED.format(child.name)] if child.is_decentered else []
    bases = [base for base in dict.fromkeys((*own, child.base)) if base in child.function.taken]
    for base in bases:  # a_base = sample("a_base", ...) beside the child a
        yield child.problem(
            "base-taken",
            "'{site}' would be sampled as '{base}', which the model has already",
            "rename that site.",
            base=base,
        )


def of_prior(survey: Survey, child: Child) -> Iterator[Problem]:
    """What is sampled, if it is, has no density that can be moved."""
    site, prior, classes = child.site, child.site.prior, sorted(survey.densities)
    if site.observed:  # y = sample("y", Normal(mu, 1), obs=data)
        yield child.problem(
            "observed-child",
            "'{site}' is observed: there is nothing to reparameterize",
            "only latent sites can be offset; take it out of the config.",
        )
    if not site.call.obstacles and site.call.prior is None:  # sample("a", rng_key=key)
        yield child.problem(
            "no-distribution",
            "'{site}' has no distribution that can be read",
            "give the distribution as the second argument.",
        )
    # sample("k", Poisson(3)); NumPyro's own reparameterizers know best what they suit.
    if child.reparam is None and prior.support.kind in WITHOUT_DENSITY:
        yield child.problem("prior-without-density", *WITHOUT_DENSITY[prior.support.kind])
    if prior.family == "FoldedDistribution":
        yield child.problem(
            "folded-prior",
            "'{site}' has a FoldedDistribution, which NumPyro can't transform again",
            "take it out of the config.",
        )
    # ``class Tilted(dist.LogNormal)`` with a `log_prob`: NumPyro takes a transformed distribution
    # apart when it is transformed again, and forgets that. A name may stand for anything, a call of
    # something else is something else.
    text = site.call.prior.text if site.call.prior else ""
    named = [name for name in classes if name in text] or ([] if "(" in text else classes)
    if prior.family is None and named:
        yield child.problem(
            "own-log-prob",
            "'{site}' may have the prior {prior}, a class of this file with a log_prob of its own, "
            "which NumPyro forgets where it transforms it",
            "take it out of the config.",
            prior=named[0],
        )


def of_place(child: Child) -> Iterator[Problem]:
    """It is sampled where nothing can be written, or more often than once."""
    site, places = child.site, tuple(site.place for site in child.places)
    for obstacle in site.call.obstacles:  # ``if sample("a", prior) > 0:``, ``lambda: sample(...)``
        text, hint = OBSTACLES[obstacle]
        yield child.problem(obstacle, f"'{{site}}' {text}", hint)
    if len(places) > 1 and not are_alternatives(child.places):
        yield child.problem(
            "child-in-several-places",
            "'{site}' is sampled in more than one place ({places})",
            "sample it in one place; its prior may depend on the branch.",
            places[1],
            places=places,
        )
    if not site.alone:  # n = 1; a = sample("a", ...)
        yield child.problem(
            "child-shares-its-line",
            "'{site}' shares its line with another statement",
            "give it a line of its own.",
        )
    loops = ("while",) if site.call.computed or site.call.template else ("while", "for")
    loop = next((frame for frame in site.all_frames if frame.kind in loops), None)
    if loop is not None:  # for k in range(3): a = sample("a", ...), of one name for all rounds
        yield child.problem(
            "child-in-a-loop",
            "'{site}' is sampled in a loop ({loop})",
            "sites in loops aren't rewritten; a plate does the same without one.",
            loop=site.place.at(loop.line),
        )


def in_a_plate_elsewhere(survey: Survey, child: Child, running: set[str]) -> Problem | None:
    """``with plate("n", n): effect()``, where `effect` samples the child: its axes don't show."""
    calls = (call for call in survey.plated if call.callee in running)
    may = (call for call in calls if survey.may_reach(call, child.function, child.site))
    call = next(may, None)
    if call is None:
        return None
    name = child.function.name
    sure = not call.handed and (call.callee == name or call.callee.startswith("<"))
    rest, _, last = name.rpartition(".")
    return child.problem(
        "plate-elsewhere",
        f"'{{site}}' is sampled in '{{callee}}', which {'is' if sure else 'may be'} called under a "
        "plate ({plate}): it has axes that don't show here",
        "sample it where the plate is; take it out of the config otherwise.",
        # The class is what is called where its ``__init__`` is.
        callee=rest.rpartition(".")[2] if last == "__init__" and rest else last,
        plate=child.site.place.at(call.plated),
    )


def in_a_guide_too(survey: Survey, child: Child) -> Problem | None:
    """``def guide(): sample("a", ...)``, written by hand: it would have to sample a's base."""
    for guide in survey.guides:
        twin = next((site for site in guide.sites if may_be(child.sampled, [site.name])), None)
        if twin is not None and guide is not child.function:
            return child.problem(
                "child-in-a-guide",
                "the guide '{guide}' samples '{twin}' too, which the model would sample as "
                "'{base}'",
                "use an autoguide, or take the site out of the config.",
                twin.place,
                guide=guide.name,
                twin=twin.name,
                base=child.base,
            )
    return None


def power_of_a_negative(child: Child) -> Problem | None:
    """``scale = { by = "s", power = 0.5 }`` of a site that may be negative: NaN for half of it.

    A whole power is real, and the determinant takes its absolute value. An expression that the
    config has instead, ``scale = "s ** -0.5"``, is the user's own.
    """
    scale = child.scale
    if not isinstance(scale, PowerScale) or scale.by.site is None:
        return None
    by, number = scale.by.site, scale.power if isinstance(scale.power, float) else None
    if by.prior.support.positive or (number is not None and number.is_integer()):
        return None
    return scale.by.problem(
        "power-of-a-negative",
        "'{parent}' isn't known to be positive ({at}), and {power} of a negative number is NaN: "
        "that part of the posterior would never be seen",
        "use a whole number as its power, or a positive expression instead of '{parent}': "
        'scale = "jnp.exp(-{variable})", for example.',
        power="a learned power" if number is None else f"power {number!r}",
        variable=identifier(by.name),
    )


def without_loc_and_scale(survey: Survey, child: Child) -> Problem | None:
    """``centered = 0.5`` of a ``GaussianRandomWalk(s)``, or of what a function makes.

    NumPyro would find out when the model runs, and says so in words of its own.
    """
    if not child.is_decentered or shows_loc_and_scale(survey, child.function, child.site):
        return None
    family = child.site.prior.family
    if family is None or has_loc_and_scale(family):  # it doesn't show in the call that samples
        return child.problem(
            "no-loc-and-scale",
            "'{site}' can't be partially non-centred ({at}): the loc and the scale of its prior "
            "don't show",
            "write its distribution in the call that samples it, without a mask; or use "
            "reparam = \"LocScaleReparam\" in the place of 'centered', without an offset.",
        )
    return child.problem(
        "no-loc-and-scale",
        "'{site}' can't be partially non-centred ({at}): its prior, a {family}, has no loc and "
        "scale as a Normal has",
        "take 'centered' out; where a site is its scale, scale = {{ by = \"sigma\", power = 0.5 }} "
        "does the same for a prior around 0.",
    )


def without_a_matrix(survey: Survey, child: Child) -> Problem | None:
    """``scale_tril = true`` of a ``Normal(0, 1)``, or of what a helper samples."""
    whitened = isinstance(child.scale, Whitening)
    if not whitened or around_vector(survey, child.function, child.site) is not None:
        return None
    return child.problem(
        "no-scale-tril",
        "'{site}' can't be sampled in units of a scale_tril ({at}): its prior doesn't show to be a "
        "MultivariateNormal, or a MultivariateStudentT",
        "write it so in the call that samples it, or without more to it in a name before.",
    )
