"""Reasons why a site can't be the parent of another."""

from __future__ import annotations

from collections.abc import Iterator

from reparam_rewrite.messages import Problem
from reparam_rewrite.plan.alternatives import is_before, is_bound, nearest
from reparam_rewrite.plan.refusals.asked import AskedPair
from reparam_rewrite.survey.expressions import identifier
from reparam_rewrite.survey.values import Frame, Site

#: The way out of most of these: what the source doesn't tell the config can.
VALUE = 'give an expression instead: {parent} = {{ value = "..." }}'


def sampled_in_several_places(asked: AskedPair) -> Problem | None:
    """``mu = sample("mu", ...)`` twice, and neither is on the child's way."""
    places = asked.places
    own = asked.alternatives and nearest(asked.function, places, asked.child) is asked.parent
    if len(places) < 2 or own:
        return None
    return asked.problem(
        "parent-in-several-places",
        "'{parent}' is sampled in more than one place ({places})",
        f"{VALUE}.",
        asked.pair.named,
        places=tuple(site.place for site in places),
    )


def sampled_in_one_call(asked: AskedPair) -> Problem | None:
    """``mu, a = effects()``, where `effects` samples both."""
    together = asked.parent.order == asked.child.order
    if not (together and asked.parent.through and asked.child.through):
        return None
    return asked.problem(
        "parent-in-the-same-call",
        "'{parent}' and '{child}' are both sampled by what is called in {at}",
        'name that function too: functions = ["{helper}", "{function}"].',
        at=asked.parent.place,
        helper=asked.parent.through,
        function=asked.function.name,
    )


def sampled_in_one_statement(asked: AskedPair) -> Problem | None:
    """``mu, a = sample("mu", ...), sample("a", ...)``"""
    if asked.parent.order != asked.child.order:
        return None
    return asked.problem(
        "parent-in-the-same-statement",
        "'{parent}' is sampled in the same statement as '{child}' ({at})",
        "give each a statement of its own.",
        at=asked.parent.place,
    )


def each_by_the_other(asked: AskedPair) -> Problem | None:
    """``[sites.a.offset] mu = true`` and ``[sites.mu.offset] a = true``"""
    if asked.parent.order <= asked.child.order or not asked.backwards:
        return None
    return asked.problem(
        "pair-both-ways",
        "'{child}' and '{parent}' would each be offset by the other",
        "an offset can only use what was sampled before; keep one of the two.",
    )


def sampled_after(asked: AskedPair) -> Problem | None:
    """``a = sample("a", ...)`` is offset by ``mu = sample("mu", ...)`` further down."""
    if asked.parent.order <= asked.child.order:
        return None
    return asked.problem(
        "parent-after-child",
        "'{parent}' is sampled after '{child}' ({at}, after {child_at})",
        "an offset can only use what was sampled before; swap the two or drop one.",
        at=asked.parent.place,
        child_at=asked.child.place,
    )


def in_another_branch(asked: AskedPair) -> Problem | None:
    """``if wide: mu = sample("mu", ...)`` and then ``a = sample("a", ...)``"""
    parent, child = asked.parent, asked.child
    if is_before(parent.path, child.path) or is_bound(asked.function, parent, child):
        return None
    # The first branch that the parent is in and the child isn't.
    outside = (None, *child.path)
    frame = next(frame for frame in parent.all_frames if frame.block not in outside)
    return asked.problem(
        "parent-in-another-branch",
        "'{parent}' is sampled in another branch than '{child}' ({kind} in {at}): it may have no "
        "value there",
        way_to(asked, frame),
        kind=frame.kind,
        at=parent.place.at(frame.line),
        variable=variable_of(parent),
    )


def way_to(asked: AskedPair, frame: Frame) -> str:
    """How can a site be offset by what another branch, the block `frame`, samples?"""
    parent = asked.parent
    binding = asked.function.timeline.before(variable_of(parent), asked.child.statement)
    if parent.variable is not None and binding is None:
        return "drop the pair: it never has one."
    if binding is not None and binding.certain:
        return f"{VALUE}."
    if frame.kind not in ("if", "match"):
        return "sample it outside of that {kind}."
    return "bind {variable} in every branch, to 0.0 where '{parent}' isn't sampled."


def variable_of(parent: Site) -> str:
    return parent.variable or identifier(parent.name)


def subsampled_apart(asked: AskedPair) -> Problem | None:
    """``with plate("n", n, subsample_size=m): mu = ...``, and ``a`` elsewhere."""
    own = {plate.place for frame in asked.child.all_frames for plate in frame.plates}
    for frame in asked.parent.all_frames:
        for plate in frame.plates:
            if plate.subsampled and plate.place not in own:
                return asked.problem(
                    "parent-subsampled",
                    "'{parent}' is in the subsampled plate '{plate}' ({at}) and '{child}' isn't: "
                    "it would be offset by what was drawn this time",
                    "sample both under one plate, or drop the pair.",
                    plate=plate.name,
                    at=plate.place,
                )
    return None


def discrete(asked: AskedPair) -> Problem | None:
    """``k = sample("k", Poisson(3))``, which NumPyro may enumerate."""
    parent = asked.parent
    if parent.prior.support.kind != "discrete" or parent.observed:
        return None
    return asked.problem(
        "parent-discrete",
        "'{parent}' is discrete ({family}): when NumPyro enumerates it, its value has more dims "
        "than the model shows",
        "leave it out, or if it is never enumerated, give it as an expression: "
        '{parent} = {{ value = "{variable}" }}.',
        asked.pair.named,
        family=str(parent.prior.family),
        variable=parent.variable or "...",
    )


def without_a_name(asked: AskedPair) -> Problem | None:
    """``return sample("mu", ...) + 1``: nothing stands for the value of mu.

    What a scan gives back has no call of its own that could be given a name.
    """
    parent = asked.parent
    in_one_scan = parent.scan is not None and parent.scan == asked.child.scan
    step = parent.step if in_one_scan and parent.step else parent
    if step.variable is not None:
        return None
    if parent.through:
        return asked.problem(
            "parent-without-a-name",
            "'{parent}' is sampled by '{helper}', and no name is bound to its value here ({at})",
            f"{VALUE}, with what holds it.",
            helper=parent.through,
            at=parent.place,
        )
    if step.call.nameable and (in_one_scan or parent.scan is None):
        return None
    return asked.problem(
        "parent-without-a-name",
        "the value of '{parent}' isn't bound to a name: nothing can be offset by it",
        'make it a statement of its own: {variable} = numpyro.sample("{parent}", ...).',
        parent.place,
        variable=identifier(parent.name),
    )


#: The first of these that is broken leaves nothing to be said about the others, nor about `RULES`.
ORDER_RULES = (
    sampled_in_several_places,
    sampled_in_one_call,
    sampled_in_one_statement,
    each_by_the_other,
    sampled_after,
    in_another_branch,
)

RULES = (subsampled_apart, discrete, without_a_name)


def parent_problems(asked: AskedPair) -> Iterator[Problem]:
    """Everything that speaks against a site as a parent."""
    first = next(filter(None, (rule(asked) for rule in ORDER_RULES)), None)
    if first is not None:
        yield first
    else:
        yield from filter(None, (rule(asked) for rule in RULES))
