"""The suggestion for a file: which of its functions, and what of it the rewriter can do."""

from __future__ import annotations

from collections.abc import Callable
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
from reparam_rewrite.plan import plan
from reparam_rewrite.plan.values import scaled_by, terms_of
from reparam_rewrite.source.document import Document
from reparam_rewrite.source.encoding import Source
from reparam_rewrite.suggest.facts import Facts, broadcasts
from reparam_rewrite.suggest.proposing import propose
from reparam_rewrite.suggest.values import Alone, Proposal, Suggestion
from reparam_rewrite.suggest.writing import Line, config_lines
from reparam_rewrite.survey import survey
from reparam_rewrite.survey.functions import Function, Survey
from reparam_rewrite.survey.sums import sums_of

#: Why the first of a chain is left alone.
AROUND = "the others are sampled around it"

#: Why a site is left alone that another one would have been sampled around.
NOBODY = "what could be sampled around it is left as it is"

#: Why a pair is left alone that a run might tell of.
UNTOLD = "the source doesn't tell both shapes"

#: Says where a user finds a place of the module: in a notebook, in a cell.
Moved = Callable[[Place], Place]

#: What messages call a config that is only proposed.
PROPOSED = "<proposed>"


def suggest(
    document: Document, function: str | None = None, facts: Facts | None = None
) -> Suggestion:
    """What is proposed for a model's file, or for one `function` of it, of which `facts` are known.

    Without `function` it is for the first of the file for which there is something to propose.
    Raises `Refusal` if there is no such function, or none that is a model.
    """
    try:
        return suggested(document.module, function, facts, document.place)
    except Refusal as refusal:
        raise document.located(refusal) from None


def suggested(
    source: Source, function: str | None, facts: Facts | None, place: Moved
) -> Suggestion:
    """`suggest` of a module; `place` says where a user finds a place of it."""

    def lines(*numbers: int) -> str:
        return lines_in_words(tuple(place(Place(source.path, line, 1)) for line in numbers))

    surveyed = survey(source.path, source.text)
    models = models_of(surveyed)
    if function is not None:
        models = [model for model in models if model.name == function]
    if not models:
        raise Refusal(no_model(source.path, surveyed, function))
    found: list[Suggestion] = []
    for model in models:
        sums = sums_of(surveyed, model)
        if not sums.observed and function is None and len(models) > 1:
            continue
        suggestion = propose(sums, source.path, facts, lines)
        several = len(models_of(surveyed)) > 1
        found.append(tried(surveyed, suggestion, facts, place, named=several))
    found = found or [Suggestion(source.path, models[0].name)]
    found = [settled(one) for one in found]
    proposed = [one for one in found if not one.is_empty]
    first, *rest = [*proposed, *(one for one in found if one.is_empty)]
    return replace(first, others=tuple(one.function for one in rest if not one.is_empty))


def settled(suggestion: Suggestion) -> Suggestion:
    """With the sites that are left alone in the order of the model, and for reasons that hold."""
    parents = {offset.parent for p in suggestion.proposals for offset in p.offsets}
    order = {one.name: at for at, one in enumerate(suggestion.model)}
    alone = [
        replace(one, reason=AROUND if one.site in parents else NOBODY) if one.around else one
        for one in suggestion.alone
    ]
    return replace(suggestion, alone=tuple(sorted(alone, key=lambda one: order[one.site])))


def models_of(surveyed: Survey) -> list[Function]:
    """The functions that sample, but for the bodies of scans and guides."""
    guides = {guide.name for guide in surveyed.guides}
    return [
        function
        for function in surveyed.functions.values()
        if function.sites and not function.runner and function.name not in guides
    ]


def samples(document: Document, name: str) -> bool:
    """Is a function of a file one that samples?"""
    surveyed = survey(document.path, document.module.text)
    return name in {model.name for model in models_of(surveyed)}


def no_model(path: str, surveyed: Survey, function: str | None) -> Diagnostic:
    names = [model.name for model in models_of(surveyed)]
    if function is None:
        return Diagnostic(
            path, "no function of the file samples a site", "name a file with a model."
        )
    if like := nearest(function, names):
        hint = f"did you mean {listed(like, last='or')}?"
    elif names:
        hint = f"{listed(names)} {'do' if len(names) > 1 else 'does'}."
    else:
        hint = "no function of the file does."
    return Diagnostic(path, f"no function '{function}' samples a site", hint)


def tried(
    surveyed: Survey, suggestion: Suggestion, facts: Facts | None, place: Moved, *, named: bool
) -> Suggestion:
    """What is left of a suggestion by the rewriter, with its reasons for what isn't.

    `place` says where a user finds a place of the module.
    """
    suggestion = replace(suggestion, named=named)
    while not suggestion.is_empty:
        lines = config_lines(suggestion)
        config = read_config("".join(f"{line.text}\n" for line in lines).encode(), PROPOSED)
        try:
            planned = plan(surveyed, config)
        except Refusal as refusal:
            problems = [problem.moved(place) for problem in refusal.problems]
            less = suggestion
            for problem in problems:
                less = without(less, problem, lines)
            suggestion = less if less != suggestion else emptied(less, problems[0].message)
            continue
        if planned.already:
            return emptied(suggestion, "is rewritten already")
        unsure = [
            (rewrite.site.name, term.label)
            for rewrite in planned.rewrites
            for term in terms_of(rewrite)
            if term.value.at_run_time and not fits(suggestion, facts, rewrite.site.name, term.label)
        ]
        scales = [
            rewrite.site.name
            for rewrite in planned.rewrites
            if (scale := scaled_by(rewrite)) is not None
            and scale[1].at_run_time
            and not fits(suggestion, facts, rewrite.site.name, "")
        ]
        if not unsure and not scales:
            return suggestion
        for child, parent in unsure:
            suggestion = without_pair(suggestion, child, parent, UNTOLD)
        for child in scales:
            suggestion = without_site(suggestion, child, UNTOLD)
    return suggestion


def fits(suggestion: Suggestion, facts: Facts | None, child: str, label: str) -> bool:
    """Does a run tell that what a child is offset by has its axes, or with no label its scale?

    Of another site only one number is sure to: equal sizes don't make two axes one.
    """
    proposal = next(one for one in suggestion.proposals if one.site.name == child)
    offset = next((o for o in proposal.offsets if label and label in (o.label, o.parent)), None)
    if facts is None or child not in facts.shapes:
        return False
    if offset is not None and not offset.value:
        return prod(facts.shapes.get(offset.parent, (2,))) == 1
    draws = {
        site.variable: facts.draws[site.name][0]
        for site in suggestion.latents
        if site.variable and site.name in facts.draws
    }
    by = next((s.variable for s in suggestion.latents if s.name == proposal.by), None)
    value = facts.evaluate(offset.value if offset else proposal.scale or by or "", draws)
    return value is not None and broadcasts(value.shape, facts.shapes[child])


def without(suggestion: Suggestion, problem: Problem, lines: list[Line]) -> Suggestion:
    """Without what a problem of the rewriter is about; `lines` are those of the config."""
    about, place = problem.about, problem.place
    line = (
        lines[place.line - 1] if isinstance(place, Place) and place.path == PROPOSED else Line("")
    )
    match about:
        case OfPair(child, parent):
            return without_pair(suggestion, child, parent, problem.message)
        case OfSite(site) if any(one.site.name == site for one in suggestion.proposals):
            if line.parent:
                return without_pair(suggestion, site, line.parent, problem.message)
            return without_site(suggestion, site, problem.message)
        case OfSite(site):
            for proposal in suggestion.proposals:
                if any(offset.parent == site for offset in proposal.offsets):
                    return without_pair(suggestion, proposal.site.name, site, problem.message)
    return suggestion


def without_site(suggestion: Suggestion, child: str, reason: str) -> Suggestion:
    """Without a proposal; the site may still be a parent."""
    gone = [one for one in suggestion.proposals if one.site.name == child]
    left = tuple(one for one in suggestion.proposals if one.site.name != child)
    alone = tuple(
        Alone(one.site.name, one.where, reason)
        for one in gone
        if not any(known.site == child for known in suggestion.alone)
    )
    return rechained(replace(suggestion, proposals=left, alone=(*suggestion.alone, *alone)))


def without_pair(suggestion: Suggestion, child: str, parent: str, reason: str) -> Suggestion:
    """Without one offset, or what else the config says of the pair."""
    proposals: list[Proposal] = []
    dropped = False
    for one in suggestion.proposals:
        if one.site.name == child:
            if one.is_scaled:
                # The scale of a prior without its location is another one.
                return without_site(suggestion, child, reason)
            kept = tuple(o for o in one.offsets if parent not in (o.parent, o.label))
            dropped = dropped or kept != one.offsets
            one = replace(one, offsets=kept, reasons={**one.reasons, parent: reason})
        if not one.is_empty:
            proposals.append(one)
    if not dropped:
        return without_site(suggestion, child, reason)
    if not any(one.site.name == child for one in proposals):
        return without_site(suggestion, child, reason)
    return rechained(replace(suggestion, proposals=tuple(proposals)))


def rechained(suggestion: Suggestion) -> Suggestion:
    """With only those in a chain that something is still done with."""
    pairs = {(o.child, o.parent) for p in suggestion.proposals for o in p.offsets if o.chained}
    chains = []
    for chain in suggestion.chains:
        left = tuple(
            name
            for name in chain
            if any(name in pair and set(pair) <= set(chain) for pair in pairs)
        )
        if len(left) > 1:
            chains.append(left)
    known = {name for chain in chains for name in chain}
    sums = tuple(one for one in suggestion.sums if known & set(one.sites))
    return replace(suggestion, chains=tuple(chains), sums=sums)


def emptied(suggestion: Suggestion, reason: str) -> Suggestion:
    """Nothing, as the rewriter refuses something that isn't about one site."""
    for proposal in suggestion.proposals:
        suggestion = without_site(suggestion, proposal.site.name, reason)
    return replace(suggestion, proposals=(), chains=(), sums=())
