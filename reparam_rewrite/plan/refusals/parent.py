"""Reasons why a site can't be the parent of another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from reparam_rewrite.messages import Problem
from reparam_rewrite.plan.alternatives import are_alternatives, is_before, is_bound, nearest
from reparam_rewrite.plan.children import Child, Pair
from reparam_rewrite.plan.known_names import in_one_round
from reparam_rewrite.plan.ordering import in_the_way
from reparam_rewrite.survey.expressions import identifier
from reparam_rewrite.survey.functions import Survey
from reparam_rewrite.survey.values import Frame, Site

if TYPE_CHECKING:
    from reparam_rewrite.plan.moving import Wanted

#: The way out of most of these: what the source doesn't tell the config can.
VALUE = 'give an expression instead: {parent} = {{ value = "..." }}'


def parent_problems(
    survey: Survey, child: Child, pair: Pair, parent: Site, wanted: Wanted
) -> Iterator[Problem]:
    """Everything that speaks against a site as a parent.

    If it isn't sampled before the child, there is nothing else to be said. `wanted` are all pairs
    of the function.
    """
    unordered = not_before(survey, child, pair, parent, wanted)
    if unordered is not None:
        yield or_the_step_before(unordered, child, parent)
        return
    in_a_loop = parent.call.template and parent.call.bound
    if in_a_loop and not in_one_round(parent, child.site):
        yield pair.problem(
            "parent-of-another-round",
            "'{parent}' is sampled in one round of a loop ({at}), as '{template}': by the time "
            "'{child}' is sampled, its variable may be another round's",
            VALUE,
            template=parent.call.template,
        )
    if child.site.call.template and parent.call.computed:
        yield pair.problem(
            "parent-of-every-round",
            "'{child}' is sampled in one round of a loop, and '{parent}' in each",
            "ask for '{template}', or name the parent as it is called in that round.",
            template=child.site.call.template,
        )
    own = {plate.place for frame in child.site.all_frames for plate in frame.plates}
    plates = [plate for frame in parent.all_frames for plate in frame.plates if plate.subsampled]
    apart = next((plate for plate in plates if plate.place not in own), None)
    if apart is not None:  # with plate("n", n, subsample_size=m): mu = ..., and a elsewhere
        yield pair.problem(
            "parent-subsampled",
            "'{parent}' is in the subsampled plate '{plate}' ({at}) and '{child}' isn't: "
            "it would be offset by what was drawn this time",
            "sample both under one plate, or drop the pair.",
            plate=apart.name,
            at=apart.place,
        )
    # k = sample("k", Poisson(3)), which NumPyro may enumerate
    if parent.prior.support.kind == "discrete" and not parent.observed:
        yield pair.problem(
            "parent-discrete",
            "'{parent}' is discrete ({family}): when NumPyro enumerates it, its value has more "
            "dims than the model shows",
            "leave it out, or if it is never enumerated, give it as an expression: "
            '{parent} = {{ value = "{variable}" }}.',
            pair.named,
            variable=parent.variable or "...",
        )
    # ``return sample("mu", ...) + 1``: nothing stands for the value of mu; and what a scan gives
    # back has no call of its own that could be given a name.
    in_one_scan = parent.scan is not None and parent.scan == child.site.scan
    step = parent.step if in_one_scan and parent.step else parent
    if step.variable is not None:
        return
    if parent.through:
        yield pair.problem(
            "parent-without-a-name",
            "'{parent}' is sampled by '{helper}', and no name is bound to its value here ({at})",
            f"{VALUE}, with what holds it.",
        )
    elif not step.call.nameable or (parent.scan is not None and not in_one_scan):
        yield pair.problem(
            "parent-without-a-name",
            "the value of '{parent}' isn't bound to a name: nothing can be offset by it",
            'make it a statement of its own: {variable} = numpyro.sample("{parent}", ...).',
            parent.place,
            variable=identifier(parent.name),
        )


def or_the_step_before(problem: Problem, child: Child, parent: Site) -> Problem:
    """What a later site of a scan's body was in the step before is there, under another name."""
    scan = parent.scan if parent.scan == child.site.scan else None
    last = dict(scan.last).get(parent.name) if scan is not None else None
    if last is None:
        return problem
    hint = (
        'swap the two, or take what it was in the step before: {parent} = {{ value = "{last}" }}.'
    )
    return replace(problem, hint=hint, parts={**problem.parts, "last": last})


def not_before(
    survey: Survey, child: Child, pair: Pair, parent: Site, wanted: Wanted
) -> Problem | None:
    """Why the parent has no value when the child is sampled: the first reason that there is."""
    places, site = child.function.find(parent.name), child.site
    own = are_alternatives(places) and nearest(child.function, places, site) is parent
    if len(places) > 1 and not own:  # mu = sample("mu", ...) twice, neither on the child's way
        return pair.problem(
            "parent-in-several-places",
            "'{parent}' is sampled in more than one place ({places})",
            f"{VALUE}.",
            pair.named,
            places=tuple(place.place for place in places),
        )
    together = parent.order == site.order
    if together and parent.through and site.through:  # mu, a = effects(), which samples both
        return pair.problem(
            "parent-in-the-same-call",
            "'{parent}' and '{child}' are both sampled by what is called in {at}",
            'name that function too: functions = ["{helper}", "{function}"].'
            if parent.through in survey.own
            else "sample one of them in '{function}' itself.",
            function=child.function.name,
        )
    if together:  # mu, a = sample("mu", ...), sample("a", ...)
        return pair.problem(
            "parent-in-the-same-statement",
            "'{parent}' is sampled in the same statement as '{child}' ({at})",
            "give each a statement of its own.",
        )
    if parent.order > site.order:
        return in_the_way(survey, child, pair, wanted)
    # if wide: mu = sample("mu", ...), and then a = sample("a", ...)
    if is_before(parent.path, site.path) or is_bound(child.function, parent, site):
        return None
    # The first branch that the parent is in and the child isn't.
    outside = (None, *site.path)
    frame = next(frame for frame in parent.all_frames if frame.block not in outside)
    return pair.problem(
        "parent-in-another-branch",
        "'{parent}' is sampled in another branch than '{child}' ({kind} in {at}): it may have no "
        "value there",
        way_to(child, parent, frame),
        kind=frame.kind,
        at=parent.place.at(frame.line),
    )


def way_to(child: Child, parent: Site, frame: Frame) -> str:
    """How can a child be offset by what another branch, the block `frame`, samples?"""
    variable = parent.variable or identifier(parent.name)
    binding = child.function.timeline.before(variable, child.site.statement)
    if parent.variable is not None and binding is None:
        return "drop the pair: it never has one."
    if binding is not None and binding.certain:
        return f"{VALUE}."
    if frame.kind not in ("if", "match"):
        return "sample it outside of that {kind}."
    return "bind {variable} in every branch, to 0.0 where '{parent}' isn't sampled."
