"""From what a model adds up to, what to do about it, and why."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from msgspec.structs import replace

from reparam_rewrite.messages import listed
from reparam_rewrite.plan.meetings import meeting_of
from reparam_rewrite.suggesting.evidence import (
    CLASS_AXIS,
    Evidence,
    Marked,
    Summand,
    both_of,
    counted,
    in_words,
    meets,
)
from reparam_rewrite.suggesting.levels import Later, Levels, Pair
from reparam_rewrite.suggesting.offsets import NEGLIGIBLE, offsets_of, rounded
from reparam_rewrite.suggesting.values import BY_HAND, Offset, Proposal, Suggestion, Sum
from reparam_rewrite.survey.expressions import grouped
from reparam_rewrite.survey.sums import Observed, is_observed
from reparam_rewrite.survey.terms import Made, Term
from reparam_rewrite.survey.values import Site

#: So much of what holds a site must be its prior for its scale to be worth a power.
HELD = 0.05


def propose(evidence: Evidence, path: str, later: Later, *, named: bool) -> Suggestion:
    """What a function's source has to say, before anything of it is tried.

    `later` are pairs that stay in the order in which the model samples them.
    """
    model = evidence.model
    weighed = Proposing(evidence, later)
    if weighed.late:
        # Where a run tells that it is no better than the order of the model, nothing is moved.
        unmoved = Proposing(evidence, {**later, **dict.fromkeys(weighed.late, "")})
        weighed = min(weighed, unmoved, key=lambda one: one.divergence)
    each = [weighed.proposal(site) for site in weighed.sites if not is_observed(site)]
    return Suggestion(
        path=path,
        function=model.function.name,
        locations=tuple(map(weighed.location, weighed.groups, model.observed)),
        each=tuple(replace(one, alone=weighed.why_alone(one)) for one in each),
        named=named,
        model=model,
        ran=evidence.facts is not None,
        axes=weighed.axes(),
        notes=tuple(weighed.notes(later)),
        late=weighed.late,
    )


class Proposing:
    """Weighs the summands of one function, which are grouped by the locations that they are in.

    `reasons` says why a site, by its index, is left alone, and `scales` why the scale of a prior
    isn't taken out. `offsets` are by child and parent. `divergence` is what a run tells of the
    order: the less the better, 0 where it doesn't. `held` is how much of what it tells of a site is
    the prior's.
    """

    def __init__(self, evidence: Evidence, later: Later) -> None:
        self.evidence, self.model, self.sites = evidence, evidence.model, evidence.sites
        self.reasons: dict[int, str] = {}
        self.scales: dict[int, str] = {}
        groups = [list(self.summands(observed)) for observed in self.model.observed]
        ranks = Levels(evidence, groups).ranks(later)
        evidence = self.evidence = replace(evidence, ranks=ranks)
        self.groups = [sorted(group, key=lambda s: ranks[s.site.index]) for group in groups]
        self.levels = Levels(evidence, self.groups)
        if self.levels.meetings is not None:
            evidence = self.evidence = replace(evidence, weighed=True)
        found: dict[tuple[str, str], list[Offset]] = {}
        for group in self.groups:
            for index, offset in offsets_of(evidence, group):
                if isinstance(offset, Offset):
                    found.setdefault((offset.child, offset.parent), []).append(offset)
                elif offset:
                    self.reasons.setdefault(index, offset)
        self.offsets = {pair: several[0] for pair, several in found.items() if self.agree(several)}
        self.offsets |= self.by_priors()
        self.divergence, self.held = 0.0, dict[str, float]()
        told = {**self.offsets, **self.by_run()}
        self.offsets = {pair: offset for pair, offset in told.items() if offset is not None}

    @property
    def late(self) -> tuple[Pair, ...]:
        """The pairs whose parent the model samples after the child."""
        orders = {site.name: site.order for site in self.sites}
        return tuple(pair for pair in self.offsets if orders[pair[0]] < orders[pair[1]])

    def by_priors(self) -> dict[Pair, Offset]:
        """What sites are expected to be like, where data look that up and they are seen often.

        ``klass ~ Normal(school[school_of], tau)``: as far as observations leave it to the prior, it
        is better sampled around its location. A run tells how far that is.
        """
        if not self.evidence.weighed:
            return {}
        found, places = {}, {s.name: s for group in self.groups for s in group}
        for child, terms in self.levels.around.items():
            site, place = self.levels.sites[child], places.get(child)
            why = self.evidence.why_no_child(place) if place is not None else ""
            if why or site.prior.support.kind != "real":
                self.reasons.setdefault(site.index, why)
                continue
            for parent, term in terms:
                where, text = self.evidence.at(term.line), in_words(term, self.sites[term.site])
                offset = Offset(child, parent, -1.0, ratio=term.factor, reason=text, where=where)
                if meeting_of(self.evidence.context, site, self.sites[term.site]):
                    found[child, parent] = replace(offset, expected=True)
        return {pair: offset for pair, offset in found.items() if pair not in self.offsets}

    def by_run(self) -> dict[Pair, Offset | None]:
        """The offsets with coefficients by what a run tells; None for one that has no part.

        These are those in chains, and of two numbers. What another site of the model takes of a
        parent in ways that aren't told leaves all of its children as they are.
        """
        meetings, sites = self.levels.meetings, {site.name: site for site in self.sites}
        offsets = {pair: one for pair, one in self.offsets.items() if not one.value and one.init}
        if meetings is None:
            return {}

        def is_told(child: str, parent: str) -> bool:
            known = child in meetings.members and parent in meetings.members
            free = known and meetings.are_numbers(child, parent)
            free = free or offsets[child, parent].expected
            return known and (free or bool(self.evidence.meeting(sites[child], sites[parent])))

        others = {parent for child, parent in offsets if not is_told(child, parent)}
        pairs = [pair for pair in offsets if pair[1] not in others]
        found: dict[Pair, Offset | None] = {}
        shares, self.divergence, self.held = meetings.coefficients(pairs)
        for pair, share in shares.items():
            offset = offsets[pair]
            if meetings.are_numbers(*pair):
                step = share * meetings.projection(*pair).toarray().item()
                init = rounded(step) if offset.reason else round(step, 2)
            else:
                init = round(share * offset.ratio, 2)
            part = 0.1 * abs(share) if offset.expected else meetings.part(*pair) * abs(share)
            found[pair] = replace(offset, init=init, weighed=True) if part > NEGLIGIBLE else None
        return found

    def at(self, site: Site) -> str:
        """The line of a site, as messages tell it."""
        return self.evidence.at(site.place.line)

    def summands(self, observed: Observed) -> Iterator[Summand]:
        """The sites that a location adds up, each once."""
        for site in self.sites:
            own = [term for term in observed.location.terms if site.index in term.sites]
            if not own:
                continue
            alternatives = all(one.alternative_to(other) for one, other in permutations(own, 2))
            if alternatives and all(term.is_summand for term in own):
                yield Summand(site, own[0], observed, self.evidence.at(own[0].line))
            else:
                self.reasons.setdefault(site.index, self.why_no_summand(site, own, observed))

    def by_hand(self, site: Site, products: list[Term]) -> str:
        """What is said of ``tau * raw``, which is non-centred by hand, and of its scale."""
        pairs = [{*term.sites} - {site.index} for term in products]
        if len(pairs) != 1 or len(pairs[0]) != 1:
            return ""
        (other,) = pairs[0]
        real, positive = site, self.sites[other]
        if positive.prior.support.kind == "real":
            real, positive = positive, real
        if not self.evidence.is_standard(real.index) or positive.prior.support.kind == "real":
            return ""
        if real is not site:
            return f"the scale of '{real.name}', which is {BY_HAND}"
        return (
            f"{BY_HAND}: with the prior dist.Normal(0, {positive.name}), and without "
            f"'{positive.name}' as a factor, it can be sampled given the data"
        )

    def why_no_summand(self, site: Site, own: list[Term], observed: Observed) -> str:
        where = f"({self.evidence.at(own[0].line)})"
        products = [term for term in own if len(term.sites) > 1]
        if products:
            by_hand = self.by_hand(site, products)
            if by_hand:
                return f"{by_hand} {where}"
            others = {self.sites[i].name for term in products for i in term.sites} - {site.name}
            by = listed(sorted(others)) or "itself"
            return f"multiplied by {by} {where}, so that what it adds isn't its own"
        through = next((term.through for term in own if term.through), "")
        if through:
            return f"it comes to '{observed.site.name}' through {through} {where}"
        return f"it is in more than one summand of '{observed.site.name}' {where}"

    def agree(self, several: list[Offset]) -> bool:
        """Are the offsets of a pair one, and do they hold for all that tells of the child?"""
        first = several[0]
        sites = {site.name: site for site in reversed(self.sites)}
        child, parent = sites[first.child], sites[first.parent]
        index = child.index
        told, others = self.evidence.tells(index)
        alike = all(replace(one, where=first.where) == first for one in several)
        meeting = self.evidence.meeting(child, parent)
        if meeting is not None and (meeting.projected or self.evidence.weighed):
            # All that is observed of it counts.
            told, alike = told[: len(several)], len({one.ratio for one in several}) == 1
        if alike and not others and len(told) == len(several):
            return True
        self.reasons.setdefault(
            index,
            f"{both_of([*told, *others])} tell of it, but not alike how it makes up for "
            f"'{first.parent}' ({first.where})",
        )
        return False

    def proposal(self, site: Site) -> Proposal:
        """Everything for one site: offsets, the scale of its prior, a basis."""
        offsets = tuple(o for (child, _), o in self.offsets.items() if child == site.name)
        place = next((s for group in self.groups for s in group if s.site is site), None)
        made = self.model.priors.get(site.index)
        where, reasons = self.at(site), dict[str, str]()
        proposal = Proposal(site, where, offsets, reasons=reasons)
        if place is None:
            return proposal
        if place.term.picked and any(o.chained for o in offsets):
            reasons["coefficient"] = place.term.picked
            proposal = replace(proposal, elementwise=bool(site.shape is None or site.shape))
        if made is not None and made.family == "GaussianRandomWalk":
            steps = "the steps of a random walk move together; its slow and fast movements don't"
            reasons["basis"] = f"{where}: {steps}"
            proposal = replace(proposal, basis="dct")
        if made is not None and not offsets:
            proposal = self.with_scale(proposal, made, place)
        elif made is not None and not proposal.basis:
            proposal = self.with_power(proposal, made)
        return proposal

    def with_power(self, proposal: Proposal, made: Made) -> Proposal:
        """``a ~ Normal(0, tau)`` beside its offsets: as much of its scale taken out as it is held.

        Where all that observations say of it the later sites can make up for, its prior is all that
        holds it: a funnel, which no offset cures.
        """
        site, held = proposal.site, self.held.get(proposal.site.name, 0.0)
        scale, loc = made.arguments.get("scale"), made.arguments.get("loc")
        by = self.evidence.plain_site(scale)
        number = loc is None or loc.number == 0
        if held < HELD or by is None or by.variable is None or scale is None or not number:
            return proposal
        plain = not any(term.weights or term.picked or term.summed for term in scale.terms)
        if (
            not plain
            or site.prior.support.kind != "real"
            or not self.evidence.has_sampled_scale(site)
        ):
            return proposal
        proposal.reasons["scale"] = (
            f"{proposal.where}: a funnel as far as its prior, of scale '{by.name}', is all that "
            "holds it. This power of that is taken out; SVI and 'reparam-rewrite fit' go on from it"
        )
        return replace(proposal, by=by.name, power=round(held, 2), learned=True)

    def with_scale(self, proposal: Proposal, made: Made, place: Summand) -> Proposal:
        """``theta ~ Normal(mu, tau)`` with one observation of each theta: non-centred."""
        site, reasons, where = proposal.site, proposal.reasons, proposal.where
        if not self.evidence.has_sampled_scale(site) or site.prior.support.kind != "real":
            return proposal
        by = self.evidence.plain_site(made.arguments.get("scale"))
        text = made.nodes.get("scale", "")
        called = f"'{by.name}'" if by is not None else text
        reason = self.why_no_scale(site, made, place, called)
        if reason:
            self.scales.setdefault(site.index, reason)
            return proposal
        has = f"each element has {counted(self.evidence.rows(place)[1])}"
        funnel = f"where {called} is small it must be small too, a funnel"
        reasons["scale"] = f"{where}: its prior has the scale {called}, and {has}: {funnel}"
        divided, loc = grouped(text), made.arguments.get("loc")
        if loc is not None and loc.number != 0:
            reasons["loc"] = f"{where}: minus the location of its prior on that scale"
            value = f"{grouped(made.nodes['loc'])} / {divided}"
            proposal = replace(proposal, offsets=(Offset(site.name, "loc", -1.0, value, "loc"),))
        self.reasons.pop(site.index, None)
        if by is None:
            return replace(proposal, scale=f"1 / {divided}")
        return replace(proposal, by=by.name)

    def why_no_scale(self, site: Site, made: Made, place: Summand, called: str) -> str:
        """What speaks against taking the scale of a prior out; "" if nothing."""
        where = f"({self.at(site)})"
        scale, loc = made.arguments["scale"], made.arguments.get("loc")
        text, by = made.nodes.get("scale", ""), self.evidence.plain_site(scale)
        if not text or (by is not None and by.variable is None):
            return f"the scale of its prior has no name where it is sampled {where}"
        if any(term.weights or term.picked or term.summed for term in scale.terms):
            return f"the scale of its prior, {text}, depends on data {where}"
        if loc is not None and loc.number != 0 and not made.nodes.get("loc"):
            return f"the location of its prior has no name where it is sampled {where}"
        rows, each = self.evidence.rows(place)
        if rows == "many":
            number = "many" if each is None else f"{each:.3g}"
            observations = f"{number} observations ({place.where})"
            return f"each of its elements has {observations}, which may say more than the prior"
        if rows == "elsewhere":
            told, others = self.evidence.tells(site.index)
            return f"{both_of([*told, *others])} tell of it, which may say more than its prior"
        if rows != "one":
            tells = "; --args does" if self.evidence.facts is None else ""
            few = "its elements have few observations, and the source doesn't tell" + tells
            better = f"which is better taken out only where {few}"
            return f"its prior has the scale {called} {where}, {better}"
        if self.evidence.is_precise(place, each):
            more = f"that it says more than the prior ({self.evidence.at(place.observed.line)})"
            return f"'{place.observed.site.name}' is observed so precisely {more}"
        return ""

    def why_alone(self, proposal: Proposal) -> str:
        """Why nothing is proposed for a site; "" if something is, or if it is a parent for that."""
        site = proposal.site
        reason = self.reasons.get(site.index)
        if not proposal.is_empty or (not reason and any(site.name == p for _, p in self.offsets)):
            return ""
        if reason or site.index in self.scales:
            return reason or self.scales[site.index]
        if site.index in self.model.factors:
            return "a factor reads it, which isn't followed"
        for observed in self.model.observed:
            called = f"'{observed.site.name}'"
            for name, form in observed.arguments.items():
                own = [term for term in form.terms if site.index in term.sites]
                if own and name == observed.parameter:
                    nobody = "no other can be sampled around it"
                    nobody = "nothing is added to it" if len(form.sites) == 1 else nobody
                    return f"{nobody} in the location of {called} ({self.evidence.at(own[0].line)})"
                if own:
                    what = f"{f'the {name} of ' if name else ''}{called} ({self.at(observed.site)})"
                    if own[0].is_summand and name:
                        return f"{what} and no part of a sum"
                    return f"it is part of {what} and not of its location"
        for index, made in self.model.priors.items():
            for name, form in made.arguments.items():
                if site.index in form.sites:
                    own = [term for term in form.terms if site.index in term.sites]
                    only = len(own) == 1 == len(form.sites) and own[0].is_summand
                    what = f"{'' if only else 'in '}the {name} of" if name else "part of"
                    other = self.sites[index]
                    return f"{what} the prior of '{other.name}' ({self.at(other)})"
        return "no observed site of this function can be seen to depend on it"

    def notes(self, later: Later) -> Iterator[str]:
        """What data say of the groups of summands, and which order is as the model has it."""
        paired = {name for pair in self.offsets for name in pair}
        yield from self.levels.told(paired)
        for (child, parent), why in later.items():
            yield f"'{child}' stays before '{parent}'{f': {why}' if why else ''}."

    def location(self, group: list[Summand], observed: Observed) -> Sum:
        """The sum of one observed site in words: ``mu + a - b``"""
        written = sorted(group, key=lambda s: s.site.index)
        text = "".join(f" {'-' if s.term.factor < 0 else '+'} {s.in_words()}" for s in written)
        text = f"-{text[3:]}" if text.startswith(" -") else text[3:]
        text = f"a function of {text}" if any(s.term.group for s in group) else text
        where, sites = self.evidence.at(observed.line), tuple(s.name for s in group)
        return Sum(observed.site.name, observed.parameter, where, text, sites)

    def axes(self) -> dict[str, tuple[str, ...]]:
        """What axes are called, where they are one by how they are added and not by their sizes.

        The rewriter sees most of that by itself.
        """
        found: dict[str, tuple[str, ...]] = {}
        sites = {site.name: site for site in self.sites}
        pairs = [pair for pair, offset in self.offsets.items() if not offset.value]
        pairs = [(c, p) for c, p in pairs if not self.evidence.meeting(sites[c], sites[p])]
        paired = {name for pair in pairs for name in pair}
        for group in self.groups:
            members = [s for s in group if s.name in paired]
            every = [axis for s in members for axis in s.axes]
            if all(meets(a, b) == a[0].same(b[0]) for a in every for b in every):
                continue
            known: list[tuple[Marked, str]] = []
            for s in members:
                for at, axis in enumerate(s.axes):
                    plain = (axis[0].plate or axis[0].size or "").strip("\"'")
                    taken = any(plain == name for _, name in known) or not plain.isidentifier()
                    own = f"{s.name}_{at}" if taken else plain
                    own = CLASS_AXIS if axis[1] == CLASS_AXIS else own
                    name = next((name for one, name in known if meets(one, axis)), own)
                    known.append((axis, name))
                    found[s.name] = (*found.get(s.name, ()), name)
        return found
