"""From what a model adds up to, what to do about it, and why."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from reparam_rewrite.messages import listed
from reparam_rewrite.suggest.evidence import Evidence
from reparam_rewrite.suggest.facts import Facts
from reparam_rewrite.suggest.offsets import Offsets
from reparam_rewrite.suggest.shared_axes import (
    CLASS_AXIS,
    Marked,
    Summand,
    added,
    axes_of,
    both_of,
    counted,
    meets,
    told,
)
from reparam_rewrite.suggest.values import Alone, Drawn, Lines, Offset, Proposal, Suggestion, Sum
from reparam_rewrite.survey.expressions import grouped
from reparam_rewrite.survey.sums import Observed, Sums, is_observed
from reparam_rewrite.survey.terms import Made, Term
from reparam_rewrite.survey.values import Site


def propose(model: Sums, path: str, facts: Facts | None, lines: Lines) -> Suggestion:
    """What a function's source has to say, before anything of it is tried."""
    return Proposing(Evidence(model, facts, lines), path).suggestion()


class Proposing:
    """Weighs the summands of one function.

    `reasons` says why a site, by its index, is left alone, and `scales` why the scale of a prior
    isn't taken out.
    """

    def __init__(self, evidence: Evidence, path: str) -> None:
        self.evidence = evidence
        self.path = path
        self.reasons: dict[int, str] = {}
        self.scales: dict[int, str] = {}

    def at(self, *lines: int) -> str:
        """Lines of the model, as messages tell them."""
        return self.evidence.at(*lines)

    def suggestion(self) -> Suggestion:
        summands = [list(self.summands(observed)) for observed in self.evidence.model.observed]
        found: dict[tuple[str, str], list[Offset]] = {}
        for group in summands:
            for offset in Offsets(self.evidence, self.reasons).offsets(group):
                found.setdefault((offset.child, offset.parent), []).append(offset)
        offsets = {pair: several[0] for pair, several in found.items() if self.agree(several)}
        proposals = []
        for site in self.evidence.sites:
            if is_observed(site):
                continue
            own = tuple(o for (child, _), o in offsets.items() if child == site.name)
            place = next((s for group in summands for s in group if s.site is site), None)
            proposal = self.proposal(site, own, place)
            if not proposal.is_empty:
                proposals.append(proposal)
        parents = {parent for _, parent in offsets}
        proposed = {proposal.site.name for proposal in proposals}
        alone = [
            self.alone(site, parents)
            for site in self.evidence.sites
            if not is_observed(site) and site.name not in proposed
        ]
        return Suggestion(
            path=self.path,
            function=self.evidence.model.function.name,
            sums=tuple(self.sums(summands, offsets)),
            chains=tuple(chains_of(summands, offsets)),
            proposals=tuple(proposals),
            alone=tuple({one.site: one for one in alone}.values()),
            latents=tuple(site for site in self.evidence.sites if not is_observed(site)),
            model=tuple({site.name: drawn(site) for site in self.evidence.sites}.values()),
            priors=tuple(dict.fromkeys(self.prior_edges())),
            locations=tuple(dict.fromkeys(self.location_edges())),
            ran=self.evidence.facts is not None,
            axes=self.axes(summands, offsets),
        )

    def agree(self, several: list[Offset]) -> bool:
        """Are the offsets of a pair one, and do they hold for all that tells of the child?"""
        first = several[0]
        index = next(site.index for site in self.evidence.sites if site.name == first.child)
        told, others = self.evidence.tells(index)
        alike = all(replace(one, where=first.where) == first for one in several)
        if alike and not others and len(told) == len(several):
            return True
        self.reasons.setdefault(
            index,
            f"{both_of([*told, *others])} tell of it, but not alike how it makes up for "
            f"'{first.parent}' ({first.where})",
        )
        return False

    def prior_edges(self) -> Iterator[tuple[str, str]]:
        for index, made in self.evidence.model.priors.items():
            for form in made.arguments.values():
                for other in sorted(form.sites):
                    yield self.evidence.sites[other].name, self.evidence.sites[index].name
        for observed in self.evidence.model.observed:
            for name, form in observed.arguments.items():
                for other in sorted(form.sites) if name != observed.parameter else ():
                    yield self.evidence.sites[other].name, observed.site.name

    def location_edges(self) -> Iterator[tuple[str, str]]:
        for observed in self.evidence.model.observed:
            for other in sorted(observed.location.sites):
                yield self.evidence.sites[other].name, observed.site.name

    def summands(self, observed: Observed) -> Iterator[Summand]:
        """The sites that a location adds up, each once."""
        terms = observed.location.terms
        for site in self.evidence.sites:
            own = [term for term in terms if site.index in term.sites]
            if not own:
                continue
            alternatives = all(
                one.alternative_to(other) for one in own for other in own if one is not other
            )
            if alternatives and all(term.is_summand for term in own):
                yield Summand(site, own[0], observed)
            else:
                self.reasons.setdefault(site.index, self.why_no_summand(site, own, observed))

    def why_no_summand(self, site: Site, own: list[Term], observed: Observed) -> str:
        where = f"({self.at(own[0].line)})"
        products = [term for term in own if len(term.sites) > 1]
        if products:
            others = {self.evidence.sites[i].name for term in products for i in term.sites} - {
                site.name
            }
            by = f"multiplied by {listed(sorted(others))}" if others else "multiplied by itself"
            return f"{by} {where}, so that what it adds isn't its own"
        through = next((term.through for term in own if term.through), "")
        if through:
            return f"it comes to '{observed.site.name}' through {through} {where}"
        return f"it is in more than one summand of '{observed.site.name}' {where}"

    def axes(
        self, summands: list[list[Summand]], offsets: dict[tuple[str, str], Offset]
    ) -> dict[str, tuple[str, ...]]:
        """What axes are called, where they are one by how they are added and not by their sizes."""
        found: dict[str, tuple[str, ...]] = {}
        for group in summands:
            pairs = {pair for pair, offset in offsets.items() if not offset.value}
            members = [s for s in group if any(s.site.name in pair for pair in pairs)]
            every = [axis for s in members for axis in axes_of(s)]
            if all(meets(a, b) == a[0].same(b[0]) for a in every for b in every):
                continue
            known: list[tuple[Marked, str]] = []
            for s in (s for s in members if s.site.shape):
                for at, axis in enumerate(axes_of(s)):
                    plain = (axis[0].plate or axis[0].size or "").strip("\"'")
                    own = plain if plain.isidentifier() else f"{s.site.name}_{at}"
                    if any(own == name for _, name in known):
                        own = f"{s.site.name}_{at}"
                    own = CLASS_AXIS if axis[1] == CLASS_AXIS else own
                    name = next((name for one, name in known if meets(one, axis)), own)
                    known.append((axis, name))
                    found[s.site.name] = (*found.get(s.site.name, ()), name)
        return found

    def proposal(self, site: Site, offsets: tuple[Offset, ...], place: Summand | None) -> Proposal:
        """Everything for one site: offsets, the scale of its prior, a basis."""
        reasons: dict[str, str] = {}
        made = self.evidence.model.priors.get(site.index)
        where = self.at(site.place.line)
        proposal = Proposal(site, where, offsets, reasons=reasons)
        if place is not None and place.term.picked and any(o.chained for o in offsets):
            reasons["coefficient"] = place.term.picked
            proposal = replace(proposal, elementwise=bool(site.shape is None or site.shape))
        if place is not None and made is not None and made.family == "GaussianRandomWalk":
            reasons["basis"] = (
                f"{self.at(site.place.line)}: the steps of a random walk move together; its slow "
                "and fast movements don't"
            )
            proposal = replace(proposal, basis="dct")
        if made is not None and not offsets:
            proposal = self.with_scale(proposal, made, place)
        return proposal

    def with_scale(self, proposal: Proposal, made: Made, place: Summand | None) -> Proposal:
        """``theta ~ Normal(mu, tau)`` with one observation of each theta: non-centred."""
        site = proposal.site
        if (
            place is None
            or not self.evidence.has_sampled_scale(site)
            or site.prior.support.kind != "real"
        ):
            return proposal
        by, text = self.evidence.scale_site(made), made.nodes.get("scale", "")
        called = f"'{by.name}'" if by is not None else text
        reason = self.why_no_scale(site, made, place)
        if reason:
            self.scales.setdefault(site.index, reason)
            return proposal
        number = counted(self.evidence.rows(place)[1])
        reasons = proposal.reasons
        reasons["scale"] = (
            f"{self.at(site.place.line)}: its prior has the scale {called}, and each element has "
            f"{number}: where {called} is small it must be small too, a funnel"
        )
        divided = grouped(text)
        loc = made.arguments.get("loc")
        offsets = proposal.offsets
        if loc is not None and loc.number != 0:
            reasons["loc"] = (
                f"{self.at(site.place.line)}: minus the location of its prior on that scale"
            )
            value = f"{grouped(made.nodes['loc'])} / {divided}"
            offsets = (Offset(site.name, "loc", -1.0, value, "loc"),)
        self.reasons.pop(site.index, None)
        scale = f"1 / {divided}" if by is None else ""
        return replace(proposal, by=by.name if by else "", scale=scale, offsets=offsets)

    def why_no_scale(self, site: Site, made: Made, place: Summand) -> str:
        """What speaks against taking the scale of a prior out; "" if nothing."""
        where = f"({self.at(site.place.line)})"
        scale, loc = made.arguments["scale"], made.arguments.get("loc")
        text = made.nodes.get("scale", "")
        by = self.evidence.scale_site(made)
        called = f"'{by.name}'" if by is not None else text
        if not text or (by is not None and by.variable is None):
            return f"the scale of its prior has no name where it is sampled {where}"
        if any(term.weights or term.picked or term.summed for term in scale.terms):
            return f"the scale of its prior, {text}, depends on data {where}"
        if loc is not None and loc.number != 0 and not made.nodes.get("loc"):
            return f"the location of its prior has no name where it is sampled {where}"
        rows, each = self.evidence.rows(place)
        if rows == "many":
            number = "many" if each is None else f"{each:.3g}"
            return (
                f"each of its elements has {number} observations ({self.at(place.term.line)}), "
                "which may say more than the prior"
            )
        if rows == "elsewhere":
            told, others = self.evidence.tells(site.index)
            return f"{both_of([*told, *others])} tell of it, which may say more than its prior"
        if rows != "one":
            tells = "; --args does" if self.evidence.facts is None else ""
            return (
                f"its prior has the scale {called} {where}, which is better taken out only where "
                f"its elements have few observations, and the source doesn't tell{tells}"
            )
        if self.evidence.is_precise(place, each):
            return (
                f"'{place.observed.site.name}' is observed so precisely that it says more than the "
                f"prior ({self.at(place.observed.line)})"
            )
        return ""

    def alone(self, site: Site, parents: set[str]) -> Alone:
        around = site.index not in self.reasons and site.name in parents
        reason = "" if around else self.why_alone(site)
        return Alone(site.name, self.at(site.place.line), reason, around)

    def why_alone(self, site: Site) -> str:
        if site.index in self.reasons:
            return self.reasons[site.index]
        if site.index in self.scales:
            return self.scales[site.index]
        if site.index in self.evidence.model.factors:
            return "a factor reads it, which isn't followed"
        for observed in self.evidence.model.observed:
            for name, form in observed.arguments.items():
                own = [term for term in form.terms if site.index in term.sites]
                if not own:
                    continue
                if name == observed.parameter:
                    alone = len(form.sites) == 1
                    nobody = (
                        "nothing is added to it" if alone else "no other can be sampled around it"
                    )
                    where = f"'{observed.site.name}' ({self.at(own[0].line)})"
                    return f"{nobody} in the location of {where}"
                what = (
                    f"the {name} of '{observed.site.name}'" if name else f"'{observed.site.name}'"
                )
                place = f"({self.at(observed.site.place.line)})"
                if own[0].is_summand and name:
                    return f"{what} {place} and no part of a sum"
                return f"it is part of {what} {place} and not of its location"
        for index, made in self.evidence.model.priors.items():
            for name, form in made.arguments.items():
                if site.index in form.sites:
                    other = self.evidence.sites[index]
                    what = f"the {name} of" if name else "part of"
                    own = [term for term in form.terms if site.index in term.sites]
                    only = "" if len(own) == 1 == len(form.sites) and own[0].is_summand else "in "
                    return (
                        f"{only if name else ''}{what} the prior of '{other.name}' "
                        f"({self.at(other.place.line)})"
                    )
        return "no observed site of this function can be seen to depend on it"

    def sums(
        self, summands: list[list[Summand]], offsets: dict[tuple[str, str], Offset]
    ) -> Iterator[Sum]:
        for group, observed in zip(summands, self.evidence.model.observed, strict=True):
            names = [s.site.name for s in group]
            if any(child in names and parent in names for child, parent in offsets):
                text = added([(told(s.term, s.site), s.term.factor) for s in group])
                linked = any(s.term.group for s in group)
                yield Sum(
                    observed.site.name,
                    observed.parameter,
                    self.at(observed.line),
                    f"a function of {text}" if linked else text,
                    tuple(names),
                )


def drawn(site: Site) -> Drawn:
    axes = [(axis.plate or axis.size or "?").strip("\"'") for axis in site.shape or ()]
    return Drawn(
        name=site.name,
        observed=is_observed(site),
        family=site.prior.family or "",
        axes=tuple(axes),
        line=site.place.line,
    )


def chains_of(
    summands: list[list[Summand]], offsets: dict[tuple[str, str], Offset]
) -> Iterator[tuple[str, ...]]:
    """The sites of each location that are offset by those before, without any more to say."""
    seen: set[tuple[str, ...]] = set()
    for group in summands:
        names = [s.site.name for s in sorted(group, key=lambda s: s.site.order)]
        pairs = {pair for pair, o in offsets.items() if o.chained and set(pair) <= set(names)}
        chain = tuple(name for name in names if any(name in pair for pair in pairs))
        if len(chain) > 1 and chain not in seen:
            seen.add(chain)
            yield chain
