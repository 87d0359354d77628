"""Reasons why a site can't be a child: nothing can be offset, scaled or reparameterized there."""

from __future__ import annotations

from collections.abc import Iterator

from reparam_rewrite.messages import OfPair, Problem
from reparam_rewrite.plan.alternatives import are_alternatives
from reparam_rewrite.plan.children import PowerScale
from reparam_rewrite.plan.refusals.asked import AskedChild
from reparam_rewrite.survey.expressions import identifier
from reparam_rewrite.survey.naming import may_be


def observed(asked: AskedChild) -> Problem | None:
    """``y = sample("y", Normal(mu, 1), obs=data)``"""
    if not asked.site.observed:
        return None
    return asked.problem(
        "observed-child",
        "'{site}' is observed: there is nothing to reparameterize",
        "only latent sites can be offset; take it out of the config.",
    )


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


def without_density(asked: AskedChild) -> Problem | None:
    """``sample("k", Poisson(3))``, ``sample("x", Delta(0))``, ``sample("z", ZeroSumNormal(1))``

    NumPyro's own reparameterizers know best what they suit.
    """
    kind = asked.site.prior.support.kind
    if kind not in WITHOUT_DENSITY or asked.child.reparam is not None:
        return None
    text, hint = WITHOUT_DENSITY[kind]
    return asked.problem("prior-without-density", text, hint, family=str(asked.site.prior.family))


def sampled_in_several_places(asked: AskedChild) -> Problem | None:
    """``a = sample("a", ...)`` twice, other than in two branches of one ``if``."""
    places = tuple(site.place for site in asked.places)
    if len(places) < 2 or are_alternatives(asked.places):
        return None
    return asked.problem(
        "child-in-several-places",
        "'{site}' is sampled in more than one place ({places})",
        "sample it in one place; its prior may depend on the branch.",
        places[1],
        places=places,
    )


#: What is said of a call that can't be reparameterized where it stands, by what is in the way.
OBSTACLES = {
    "starred": ("is sampled with * or ** arguments", "write the arguments out."),
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


def obstacles(asked: AskedChild) -> Iterator[Problem]:
    """``sample("a", prior, infer={})``, ``if sample("a", prior) > 0:``, ``lambda: sample(...)``"""
    for obstacle in asked.site.call.obstacles:
        text, hint = OBSTACLES[obstacle]
        yield asked.problem(obstacle, f"'{{site}}' {text}", hint, helper=asked.site.through)


def without_distribution(asked: AskedChild) -> Problem | None:
    """``sample("a", rng_key=key)``"""
    if asked.site.call.obstacles or asked.site.call.prior is not None:
        return None
    return asked.problem(
        "no-distribution",
        "'{site}' has no distribution that can be read",
        "give the distribution as the second argument.",
    )


def shares_its_line(asked: AskedChild) -> Problem | None:
    """``n = 1; a = sample("a", ...)``"""
    if asked.site.alone:
        return None
    return asked.problem(
        "child-shares-its-line",
        "'{site}' shares its line with another statement",
        "give it a line of its own.",
    )


def in_a_loop(asked: AskedChild) -> Problem | None:
    """``for k in range(3): a = sample("a", ...)``, of one name for all rounds."""
    for frame in asked.site.all_frames:
        if frame.kind == "while" or (frame.kind == "for" and not asked.site.call.computed):
            return asked.problem(
                "child-in-a-loop",
                "'{site}' is sampled in a loop ({loop})",
                "sites in loops aren't rewritten; a plate does the same without one.",
                loop=asked.line(frame.line),
            )
    return None


def under_a_plate_elsewhere(asked: AskedChild) -> Problem | None:
    """``with plate("n", n): effect()``, where `effect` samples the child: its axes don't show."""
    name = asked.function.name
    for call in asked.survey.plated:
        if call.callee not in asked.running:
            continue
        sure = call.callee == name or call.callee.startswith("<")
        how = "which is called" if sure else "which may be called"
        return asked.problem(
            "plate-elsewhere",
            f"'{{site}}' is sampled in '{{callee}}', {how} under a plate ({{plate}}): it has axes "
            "that don't show here",
            "sample it where the plate is; take it out of the config otherwise.",
            callee=called_as(name),
            plate=asked.line(call.plated),
        )
    return None


def called_as(name: str) -> str:
    """The name that a call of a function has: that of the class, for an ``__init__``."""
    rest, _, last = name.rpartition(".")
    return rest.rpartition(".")[2] if last == "__init__" and rest else last


def in_a_guide_too(asked: AskedChild) -> Problem | None:
    """``def guide(): sample("a", ...)``, written by hand: it would have to sample a's base."""
    for guide in asked.survey.guides:
        twin = next((one for one in guide.sites if may_be(asked.site.name, [one.name])), None)
        if twin is not None and guide is not asked.function:
            return asked.problem(
                "child-in-a-guide",
                "the guide '{guide}' samples '{twin}' too, which the model would sample as "
                "'{site}_base'",
                "use an autoguide, or take the site out of the config.",
                twin.place,
                guide=guide.name,
                twin=twin.name,
            )
    return None


def folded(asked: AskedChild) -> Problem | None:
    """``sample("a", FoldedDistribution(Normal(0, 1)))``"""
    if asked.site.prior.family != "FoldedDistribution":
        return None
    return asked.problem(
        "folded-prior",
        "'{site}' has a FoldedDistribution, which NumPyro can't transform again",
        "take it out of the config.",
    )


def own_log_prob(asked: AskedChild) -> Problem | None:
    """``class Tilted(dist.LogNormal)`` with a `log_prob`, as the prior.

    NumPyro takes a transformed distribution apart when it is transformed again, and forgets a
    `log_prob` of its own. A name may stand for anything; a call of something else is something
    else.
    """
    site, classes = asked.site, sorted(asked.survey.densities)
    if site.prior.family is not None or not classes:
        return None
    text = site.call.prior.text if site.call.prior else ""
    named = [name for name in classes if name in text] or ([] if "(" in text else classes)
    if not named:
        return None
    return asked.problem(
        "own-log-prob",
        "'{site}' may have the prior {prior}, a class of this file with a log_prob of its own, "
        "which NumPyro forgets where it transforms it",
        "take it out of the config.",
        prior=named[0],
    )


def power_of_a_negative(asked: AskedChild) -> Problem | None:
    """``scale = { by = "s", power = 0.5 }`` of a site that may be negative: NaN for half of it.

    A whole power is real, and the determinant takes its absolute value. An expression that the
    config has instead, ``scale = "s ** -0.5"``, is the user's own.
    """
    scale = asked.child.scale
    if not isinstance(scale, PowerScale):
        return None
    by, power = scale.by.site, scale.power
    if by is None or by.prior.support.positive:
        return None
    if isinstance(power, float) and power.is_integer():
        return None
    return Problem(
        "power-of-a-negative",
        OfPair(asked.site.name, by.name),
        scale.by.place,
        "'{parent}' isn't known to be positive ({at}), and {power} of a negative number is NaN: "
        "that part of the posterior would never be seen",
        "use a whole number as its power, or a positive expression instead of '{parent}': "
        'scale = "jnp.exp(-{variable})", for example.',
        {
            "at": by.place,
            "power": f"power {power!r}" if isinstance(power, float) else "a learned power",
            "variable": identifier(by.name),
        },
    )


RULES = (
    observed,
    without_density,
    sampled_in_several_places,
    without_distribution,
    shares_its_line,
    in_a_loop,
    under_a_plate_elsewhere,
    in_a_guide_too,
    folded,
    own_log_prob,
    power_of_a_negative,
)
