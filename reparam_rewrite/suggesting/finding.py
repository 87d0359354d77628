"""The suggestion for a file: which of its functions, and what of it the rewriter can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial, reduce
from math import prod

from msgspec.structs import replace

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.messages import (
    Diagnostic,
    OfPair,
    OfSite,
    Place,
    Problem,
    Refusal,
    lines_in_words,
    listed,
    nearest,
)
from reparam_rewrite.ordering import ordered
from reparam_rewrite.plan import plan
from reparam_rewrite.plan.accounts import met_by
from reparam_rewrite.plan.context import Context, Names
from reparam_rewrite.plan.values import OffsetRewrite, Plan, scaled_by, terms_of
from reparam_rewrite.source.document import Document
from reparam_rewrite.suggesting.conditional import Computed, as_if_fitted, conditional
from reparam_rewrite.suggesting.evidence import Evidence
from reparam_rewrite.suggesting.facts import Facts
from reparam_rewrite.suggesting.levels import Later, Pair
from reparam_rewrite.suggesting.proposing import Proposing, propose
from reparam_rewrite.suggesting.values import Conditional, Suggestion
from reparam_rewrite.suggesting.writing import Line, config_lines
from reparam_rewrite.survey import survey
from reparam_rewrite.survey.functions import Survey
from reparam_rewrite.survey.sums import sums_of

#: Why a pair is left alone that a run might tell of.
UNTOLD = "the source doesn't tell both shapes"

#: What messages call a config that is only proposed.
PROPOSED = "<proposed>"


def suggest(
    document: Document,
    function: str | None = None,
    facts: Facts | None = None,
    *,
    offsets: bool = False,
    computed: Computed | None = None,
) -> Suggestion:
    """What is proposed for a model's file, or for one `function` of it, of which `facts` are known.

    Without `function` it is for the first of the file for which there is something to propose.
    offsets: nothing but these, and no sites that are sampled given the data. computed: computes
    what the data of a run say of such sites. Raises `Refusal` if there is no such function, or none
    that is a model.
    """
    try:
        return suggested(document, function, facts, computed, offsets)
    except Refusal as refusal:
        raise document.located(refusal) from None


def suggested(
    document: Document,
    function: str | None,
    facts: Facts | None,
    computed: Computed | None,
    offsets: bool,
) -> Suggestion:
    """`suggest`, with refusals that speak of places in the module."""
    path, text = document.module.path, document.module.text

    def lines(*numbers: int) -> str:
        places = (surveyed.place(Place(path, line, 1)) for line in numbers)
        return lines_in_words(tuple(map(document.place, places)))

    surveyed = survey(path, text)
    known = model_names(surveyed)
    names = [name for name in known if function in (None, name)]
    if not names:
        raise Refusal(no_model(path, known, function))
    found: list[Suggestion] = []
    for name in names:
        context = Context(surveyed, surveyed.functions[name], Names(frozenset()))
        sums = sums_of(surveyed, context.function)
        if not sums.observed and function is None and len(names) > 1:
            continue
        evidence = Evidence(sums, context, facts, lines)
        given = None if offsets else conditional(Proposing(evidence, {}), document, computed)

        def make(
            later: Later, evidence: Evidence = evidence, given: Conditional | None = given
        ) -> Suggestion:
            made = propose(evidence, path, later, named=len(known) > 1)
            return made if given is None else made.with_conditional(given)

        found.append(tried(surveyed, make, facts, document))
    found = found or [Suggestion(path, names[0])]
    first, *rest = sorted(found, key=lambda one: one.is_empty)
    return replace(first, others=tuple(one.function for one in rest if not one.is_empty))


def model_names(surveyed: Survey) -> list[str]:
    """The functions that sample, but for the bodies of scans and guides."""
    guides = {guide.name for guide in surveyed.guides}
    return [
        function.name
        for function in surveyed.own.values()
        if function.sites and not function.runner and function.name not in guides
    ]


def samples(document: Document, name: str) -> bool:
    """Is a function of a file one that samples?"""
    return name in model_names(survey(document.path, document.module.text))


def no_model(path: str, names: list[str], function: str | None) -> Diagnostic:
    if function is None:
        message, hint = "no function of the file samples a site", "name a file with a model."
        return Diagnostic(path, message, hint)
    hint = f"{listed(names) or 'no function of the file'} {'do' if len(names) > 1 else 'does'}."
    if like := nearest(function, names):
        hint = f"did you mean {listed(like, last='or')}?"
    return Diagnostic(path, f"no function '{function}' samples a site", hint)


def non_centred(planned: Plan) -> Iterator[Problem]:
    """The sites that the model itself samples in other coordinates, whose offsets aren't known."""
    for rewrite in planned.rewrites:
        if isinstance(rewrite, OffsetRewrite) and rewrite.instead:
            site = rewrite.site
            text = "'{site}' already has a reparam handler"
            yield Problem("reparam-already", OfSite(site.name), site.place, text, "")


def less_of(suggestion: Suggestion, problems: list[Problem], lines: list[Line]) -> Suggestion:
    """A suggestion without what the problems are about; nothing if that can't be told."""
    less = reduce(partial(dropped, lines=lines), problems, suggestion)
    return less if less != suggestion else emptied(less, problems[0].message)


def tried(
    surveyed: Survey, make: Callable[[Later], Suggestion], facts: Facts | None, document: Document
) -> Suggestion:
    """What is left of a suggestion by the rewriter, with its reasons for what isn't.

    `make` proposes it with some pairs in the order in which the model samples them, which it gets
    with the reasons why their parents aren't moved up.
    """
    later: dict[Pair, str] = {}
    suggestion = make(later)
    while suggestion.proposals:
        lines = config_lines(suggestion)
        text = "".join(f"{line.text}\n" for line in lines)
        config = as_if_fitted(read_config(text.encode(), PROPOSED))
        found = ordered(document.module, config, surveyed)
        try:
            planned = plan(found.survey, config, found.request)
        except Refusal as refusal:
            refusal = found.located(refusal)
            problems = [problem.moved(document.place) for problem in refusal.problems]
            stay = {pair: one.message for one in problems if (pair := unmoved(one))}
            if not stay.keys() <= later.keys():
                later |= stay
                suggestion = make(later)
                continue
            suggestion = less_of(suggestion, problems, lines)
            continue
        if planned.already:
            return emptied(suggestion, "is rewritten already")
        problems = [*non_centred(planned)]
        if problems:
            suggestion = less_of(suggestion, problems, lines)
            continue
        made = {
            (rewrite.site.name, term.label): term
            for rewrite in planned.rewrites
            for term in terms_of(rewrite)
        }
        stay = {pair: "" for pair in suggestion.late if pair not in made}
        if not stay.keys() <= later.keys():
            later |= stay
            suggestion = make(later)
            continue
        pairs = [pair for pair, term in made.items() if term.value.at_run_time]
        scales = [
            (rewrite.site.name, "")
            for rewrite in planned.rewrites
            if (scale := scaled_by(rewrite)) is not None and scale[1].at_run_time
        ]
        unsure = [pair for pair in (*pairs, *scales) if not fits(suggestion, facts, *pair)]
        if not unsure:
            met = {pair: met_by(term) for pair, term in made.items()}
            met = {pair: replace(one, line=found.line(one.line)) for pair, one in met.items()}
            return replace(suggestion, met=met)
        for child, parent in unsure:
            suggestion = without(suggestion, child, parent, UNTOLD)
    return suggestion


def unmoved(problem: Problem) -> Pair | None:
    """The child and its parent, if a problem is that the model samples the parent later."""
    about = problem.about
    if problem.code in ("parent-after-child", "pair-both-ways") and isinstance(about, OfPair):
        return about.child, about.parent
    return None


def fits(suggestion: Suggestion, facts: Facts | None, child: str, label: str) -> bool:
    """Does a run tell that what a child is offset by has its axes, or with no label its scale?

    Of another site only one number is sure to: equal sizes don't make two axes one.
    """
    proposal = next(one for one in suggestion.proposals if one.site.name == child)
    offset = next((o for o in proposal.offsets if label and label in (o.label, o.parent)), None)
    if facts is None or child not in facts.shapes:
        return False
    written = (offset.reason if offset.expected else offset.value) if offset is not None else ""
    if offset is not None and not written:
        return prod(facts.shapes.get(offset.parent, (2,))) == 1
    latents = [one.site for one in suggestion.each]
    draws = {
        site.variable: facts.draws[site.name][0]
        for site in latents
        if site.variable and site.name in facts.draws
    }
    by = next((site.variable for site in latents if site.name == proposal.by), None)
    value = facts.evaluate(written or proposal.scale or by or "", draws)
    if value is None:
        return False
    # Does it broadcast to the child's shape, as it is?
    outer, inner = facts.shapes[child], value.shape
    ends = zip(reversed(inner), reversed(outer), strict=False)
    return len(inner) <= len(outer) and all(size in (1, other) for size, other in ends)


def dropped(suggestion: Suggestion, problem: Problem, lines: list[Line]) -> Suggestion:
    """Without what a problem of the rewriter is about; `lines` are those of the config."""
    place, parent = problem.place, ""
    if isinstance(place, Place) and place.path == PROPOSED:
        parent = lines[place.line - 1].parent
    match problem.about:
        case OfPair(child, parent):
            return without(suggestion, child, parent, problem.message)
        case OfSite(site):
            if any(one.site.name == site for one in suggestion.proposals):
                return without(suggestion, site, parent, problem.message)
            for one in suggestion.proposals:
                if any(offset.parent == site for offset in one.offsets):
                    return without(suggestion, one.site.name, site, problem.message)
    return suggestion


def without(suggestion: Suggestion, child: str, parent: str, reason: str) -> Suggestion:
    """Without one offset, or what else the config says of the pair.

    With "" as the `parent`, or where nothing would be left, it is without all that is proposed for
    the child, which may still be a parent.
    """
    every = dict(enumerate(suggestion.each))
    own = {at: one for at, one in every.items() if one.site.name == child and not one.is_empty}
    less = {at: one.without(parent, reason) for at, one in own.items()}
    unchanged = all((less[at].offsets, less[at].by) == (o.offsets, o.by) for at, o in own.items())
    freed = any(less[at].by != one.by for at, one in own.items())
    # The scale of a prior without its location is another one.
    scaled = any(one.is_scaled and not one.learned for one in own.values())
    whole = unchanged or scaled or (not parent and not freed)
    if whole or all(one.is_empty for one in less.values()):
        less = {at: one.left_alone(reason) for at, one in own.items()}
    return replace(suggestion, each=tuple({**every, **less}.values()))


def emptied(suggestion: Suggestion, reason: str) -> Suggestion:
    """Nothing, as the rewriter refuses something that isn't about one site."""
    each = (one if one.is_empty else one.left_alone(reason) for one in suggestion.each)
    return replace(suggestion, each=tuple(each))
