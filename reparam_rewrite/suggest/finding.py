"""The suggestion for a file: which of its functions, and what of it the rewriter can do."""

from __future__ import annotations

from math import prod

from msgspec.structs import replace

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.messages import Diagnostic, Place, Refusal, listed, nearest
from reparam_rewrite.plan import plan
from reparam_rewrite.plan.values import scaled_by, terms_of
from reparam_rewrite.source.document import Document
from reparam_rewrite.source.encoding import Source
from reparam_rewrite.suggest.facts import Facts, broadcasts
from reparam_rewrite.suggest.proposing import AROUND, propose
from reparam_rewrite.suggest.reading import read
from reparam_rewrite.suggest.values import Alone, Proposal, Suggestion
from reparam_rewrite.suggest.writing import Line, config_lines
from reparam_rewrite.survey import parse, survey
from reparam_rewrite.survey.index import index
from reparam_rewrite.survey.text import Text
from reparam_rewrite.survey.values import Function, Survey

#: Why a site is left alone that another one would have been sampled around.
NOBODY = "what could be sampled around it is left as it is"

#: Why a pair is left alone that a run might tell of.
UNTOLD = "the source doesn't tell both shapes"

#: What messages call a config that is only proposed.
PROPOSED = "<proposed>"


def suggest(
    document: Document, function: str | None = None, facts: Facts | None = None
) -> Suggestion:
    """What is proposed for a model's file, or for one `function` of it, of which `facts` are known.

    Without `function` it is for the first of the file for which there is something to propose.
    Raises `Refusal` if there is no such function, or none that is a model.
    """
    module = document.module
    try:
        found = suggested(module, function, facts)
    except Refusal as refusal:
        raise document.located(refusal) from None
    return found.retold(document.retold)


def suggested(source: Source, function: str | None, facts: Facts | None) -> Suggestion:
    """`suggest` of a module, of which it tells the lines."""
    surveyed = survey(source.path, source.text)
    models = models_of(surveyed)
    if function is not None:
        models = [model for model in models if model.name == function]
    if not models:
        raise Refusal(no_model(source.path, surveyed, function))
    found: list[Suggestion] = []
    for model in models:
        text = Text(source.path, source.text)
        reading = read(surveyed, index(parse(source.path, source.text)), text, model)
        if not reading.observed and function is None and len(models) > 1:
            continue
        suggestion = propose(reading, source.path, facts)
        several = len(models_of(surveyed)) > 1
        found.append(tried(surveyed, suggestion, facts, named=several))
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
        replace(one, reason=NOBODY) if one.reason == AROUND and one.site not in parents else one
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
    surveyed: Survey, suggestion: Suggestion, facts: Facts | None, *, named: bool
) -> Suggestion:
    """What is left of a suggestion by the rewriter, with its reasons for what isn't."""
    suggestion = replace(suggestion, named=named)
    while not suggestion.is_empty:
        lines = config_lines(suggestion)
        config = read_config("".join(f"{line.text}\n" for line in lines).encode(), PROPOSED)
        try:
            planned = plan(surveyed, config)
        except Refusal as refusal:
            less = suggestion
            for diagnostic in refusal.diagnostics:
                less = without(less, lines, diagnostic)
            suggestion = less if less != suggestion else emptied(less, refusal.diagnostics[0])
            continue
        if planned.already:
            return emptied(suggestion, Diagnostic(None, "is rewritten already"))
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


def without(suggestion: Suggestion, lines: list[Line], diagnostic: Diagnostic) -> Suggestion:
    """Without what a diagnostic of the rewriter is about."""
    place = diagnostic.place
    reason = diagnostic.message
    if isinstance(place, Place) and place.path == PROPOSED:
        line = lines[place.line - 1]
        if line.parent:
            return without_pair(suggestion, line.child, line.parent, reason)
        if line.child:
            return without_site(suggestion, line.child, reason)
    for offset in (offset for p in suggestion.proposals for offset in p.offsets):
        if f"'{offset.child}'" in reason and f"'{offset.parent}'" in reason:
            return without_pair(suggestion, offset.child, offset.parent, reason)
    named = [p.site.name for p in suggestion.proposals if f"'{p.site.name}'" in reason]
    at_place = [p.site.name for p in suggestion.proposals if is_at(place, p.site.place.line)]
    for name in named[:1] or at_place[:1]:
        return without_site(suggestion, name, reason)
    there = [one.name for one in suggestion.model if is_at(place, one.line)]
    there += [one.name for one in suggestion.model if f"'{one.name}'" in reason]
    for parent in there:
        for proposal in suggestion.proposals:
            if any(offset.parent == parent for offset in proposal.offsets):
                return without_pair(suggestion, proposal.site.name, parent, reason)
    return suggestion


def is_at(place: Place | str | None, line: int) -> bool:
    return isinstance(place, Place) and place.line == line


def without_site(suggestion: Suggestion, child: str, reason: str) -> Suggestion:
    """Without a proposal; the site may still be a parent."""
    gone = [one for one in suggestion.proposals if one.site.name == child]
    left = tuple(one for one in suggestion.proposals if one.site.name != child)
    alone = tuple(
        Alone(one.site.name, f"line {one.site.place.line}", reason)
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


def emptied(suggestion: Suggestion, diagnostic: Diagnostic) -> Suggestion:
    """Nothing, as the rewriter refuses something that isn't about one site."""
    for proposal in suggestion.proposals:
        suggestion = without_site(suggestion, proposal.site.name, diagnostic.message)
    return replace(suggestion, proposals=(), chains=(), sums=())
