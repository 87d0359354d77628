"""From what a model adds up to, what to do about it, and why."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.suggest.facts import Facts
from reparam_rewrite.suggest.values import Alone, Drawn, Lines, Offset, Proposal, Suggestion, Sum
from reparam_rewrite.survey.sums import Observed, Sums, is_observed
from reparam_rewrite.survey.terms import Form, Made, Term
from reparam_rewrite.survey.values import Axis, Site

#: So few observations of an element may say less than its prior.
FEW = 2.0

#: So many times more say observations than the prior where that matters whatever their number is.
PRECISE = 100.0

#: Up to how many numbers stand in an expression.
INLINE = 10

#: What the last axis of logits is called.
CLASS_AXIS = "classes"

#: The blocks that run several times.
LOOPS = ("for", "while")

#: Why it isn't told whether data say more of a site than its prior does.
UNTOLD = "the source doesn't tell how many observations each of its elements has"

#: So small a part of data, beside their root mean square, is nothing.
NEGLIGIBLE = 1e-2

#: What keeps a slope finite where all of the data that it is of are zero.
TINY = "1e-6"

#: Families that a shift moves and a scale scales: the rest of the prior stays what it is.
LOCATION_SCALE = frozenset(["Normal", "StudentT", "Cauchy", "Laplace", "Logistic", "Gumbel"])


class Summand(Struct, frozen=True):
    """A site in a location, with the term that it is there by."""

    site: Site
    term: Term
    observed: Observed


def propose(model: Sums, path: str, facts: Facts | None, lines: Lines) -> Suggestion:
    """What a function's source has to say, before anything of it is tried."""
    return Proposing(model, path, facts, lines).suggestion()


class Proposing:
    """Weighs the summands of one function."""

    def __init__(self, model: Sums, path: str, facts: Facts | None, lines: Lines) -> None:
        self._facts = facts
        self._at = lines
        self._model = model
        self._path = path
        self._sites = model.function.sites
        self._reasons: dict[int, str] = {}
        self._alone: dict[int, str] = {}
        self._scales: dict[int, str] = {}  # why the scale of a prior isn't taken out

    def suggestion(self) -> Suggestion:
        summands = [list(self.summands(observed)) for observed in self._model.observed]
        found: dict[tuple[str, str], list[Offset]] = {}
        for group in summands:
            for offset in self.offsets(group):
                found.setdefault((offset.child, offset.parent), []).append(offset)
        offsets = {pair: several[0] for pair, several in found.items() if self.agree(several)}
        proposals = []
        for site in self._sites:
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
            for site in self._sites
            if not is_observed(site) and site.name not in proposed
        ]
        return Suggestion(
            path=self._path,
            function=self._model.function.name,
            sums=tuple(self.sums(summands, offsets)),
            chains=tuple(chains_of(summands, offsets)),
            proposals=tuple(proposals),
            alone=tuple({one.site: one for one in alone}.values()),
            latents=tuple(site for site in self._sites if not is_observed(site)),
            model=tuple({site.name: drawn(site) for site in self._sites}.values()),
            priors=tuple(dict.fromkeys(self.prior_edges())),
            locations=tuple(dict.fromkeys(self.location_edges())),
            ran=self._facts is not None,
            axes=self.axes(summands, offsets),
        )

    def agree(self, several: list[Offset]) -> bool:
        """Are the offsets of a pair one, and do they hold for all that tells of the child?"""
        first = several[0]
        index = next(site.index for site in self._sites if site.name == first.child)
        told, others = self.tells(index)
        alike = all(replace(one, where=first.where) == first for one in several)
        if alike and not others and len(told) == len(several):
            return True
        self._alone.setdefault(
            index,
            f"{both_of([*told, *others])} tell of it, but not alike how it makes up for "
            f"'{first.parent}' ({first.where})",
        )
        return False

    # What a picture shows

    def prior_edges(self) -> Iterator[tuple[str, str]]:
        for index, made in self._model.priors.items():
            for form in made.arguments.values():
                for other in sorted(form.sites):
                    yield self._sites[other].name, self._sites[index].name
        for observed in self._model.observed:
            for name, form in observed.arguments.items():
                for other in sorted(form.sites) if name != observed.parameter else ():
                    yield self._sites[other].name, observed.site.name

    def location_edges(self) -> Iterator[tuple[str, str]]:
        for observed in self._model.observed:
            for other in sorted(observed.location.sites):
                yield self._sites[other].name, observed.site.name

    # Summands

    def summands(self, observed: Observed) -> Iterator[Summand]:
        """The sites that a location adds up, each once."""
        terms = observed.location.terms
        for site in self._sites:
            own = [term for term in terms if site.index in term.sites]
            if not own:
                continue
            alternatives = all(
                one.alternative_to(other) for one in own for other in own if one is not other
            )
            if alternatives and all(term.is_summand for term in own):
                yield Summand(site, own[0], observed)
            else:
                self._alone.setdefault(site.index, self.why_no_summand(site, own, observed))

    def why_no_summand(self, site: Site, own: list[Term], observed: Observed) -> str:
        where = f"({self._at(own[0].line)})"
        products = [term for term in own if len(term.sites) > 1]
        if products:
            others = {self._sites[i].name for term in products for i in term.sites} - {site.name}
            by = f"multiplied by {quoted(sorted(others))}" if others else "multiplied by itself"
            return f"{by} {where}, so that what it adds isn't its own"
        through = next((term.through for term in own if term.through), "")
        if through:
            return f"it comes to '{observed.site.name}' through {through} {where}"
        return f"it is in more than one summand of '{observed.site.name}' {where}"

    # Offsets

    def offsets(self, summands: list[Summand]) -> Iterator[Offset]:
        """The pairs of one location that can trade with each other."""
        unseen = {s.site.index: self.why_unseen(s) for s in summands if s.term.softmax}
        for child in summands:
            if unseen.get(child.site.index):
                self._alone.setdefault(child.site.index, unseen[child.site.index])
                continue
            others = [s for s in summands if s.site.order < child.site.order]
            others = [s for s in others if s.term.group == child.term.group]
            others = [s for s in others if not s.term.alternative_to(child.term)]
            others = [s for s in others if not unseen.get(s.site.index)]
            if not others or self.is_scaled_slope(child):
                continue
            reason = self.why_no_child(child)
            if reason:
                self._alone.setdefault(child.site.index, reason)
                continue
            for parent in others:
                if self._facts and not self._facts.meet(child.site.name, parent.site.name):
                    continue
                offset = self.offset(child, parent, summands)
                if offset is not None:
                    yield offset

    def why_unseen(self, summand: Summand) -> str:
        """What speaks against a part of logits of which only the differences are seen."""
        term, observed = summand.term, summand.observed
        where = f"'{observed.site.name}' ({self._at(term.line)})"
        last = term.layout[-1] if term.layout else ""
        if term.layout is not None and isinstance(last, int):
            return ""
        alike = term.layout is not None and last == "" and all(map(is_column, term.weights))
        if alike:
            return f"it is added alike to all logits of {where}, of which only differences are seen"
        return f"to which of the logits of {where} it is added isn't followed"

    def rivals(self, child: Summand, parent: Summand, summands: list[Summand]) -> list[Summand]:
        """The summands after the child that can make up for all that is left of the parent."""
        common = axes_of_both(parent, child)
        return [
            s
            for s in summands
            if s.site.order > child.site.order
            and s.term.group == child.term.group
            and not (s.term.summed or s.term.single)
            and not s.term.alternative_to(child.term)
            and not self.why_no_child(s)
            and all(any(meets(axis, own) for own in axes_of(s)) for axis in common)
        ]

    def shared(
        self, offset: Offset, child: Summand, parent: Summand, summands: list[Summand]
    ) -> Offset:
        """The part of what makes up for the parent that is the child's.

        With data that tell the sum alone, each of those that can make up for the parent does by
        the variance of its prior along the parent's axes: V_child / (V_child + the later ones'
        V). Where that isn't known the shares are equal, and those with more axes than the child,
        whose mean hardly varies, have none.
        """
        common = axes_of_both(parent, child)
        rivals = self.rivals(child, parent, summands)
        if not child.term.weights or child.term.weights == parent.term.weights:
            rivals = [s for s in rivals if s.term.weights == child.term.weights]
        spreads = [self.spread(s, common) for s in (child, *rivals)]
        if all(spread is not None for spread in spreads) and sum(spreads):  # type: ignore[arg-type]
            share = round(spreads[0] / sum(spreads), 2)  # type: ignore[operator, arg-type]
        else:
            size = len(child.site.shape or ())
            rivals = [s for s in rivals if len(s.site.shape or ()) <= size]
            share = round(1 / (1 + len(rivals)), 2)
        names = tuple(s.site.name for s in rivals) if share < 1 else ()
        return replace(offset, init=rounded(offset.init * share), rivals=names)

    def spread(self, summand: Summand, axes: list[Marked]) -> float | None:
        """The prior variance of a site's mean over all but some axes."""
        if self._facts is None or summand.site.shape is None:
            return None
        own = axes_of(summand)
        kept = [
            at - len(own)
            for at, axis in enumerate(own)
            if any(meets(axis, other) for other in axes)
        ]
        return self._facts.spread(summand.site.name, tuple(kept))

    def why_no_child(self, child: Summand) -> str:
        """What speaks against a shift of it that isn't for the rewriter to say; "" if nothing."""
        site, term = child.site, child.term
        prior = site.prior
        where = f"({self._at(term.line)})"
        real = self._facts is not None and site.name in self._facts.real
        if (not real and prior.support.kind not in ("real", "runtime")) or prior.family is None:
            family = prior.family or "a prior that can't be read"
            if prior.support.kind == "fixed":
                return (
                    f"{family} isn't on the whole real line, and a shift of its logarithm or logit "
                    f"isn't one of the sum {where}"
                )
            if prior.support.kind in ("discrete", "atomic", "sphere", "zero_sum"):
                return f"{family} can't be shifted {where}"
        if prior.support.kind == "runtime" and not real:
            return f"its prior doesn't tell whether it is on the whole real line {where}"
        if term.single:
            return f"only some of its elements are in the sum {where}"
        rows, each = self.rows(child)
        if rows == "one":
            number = counted(each)
            return f"each of its elements has {number} {where}, which may say less than its prior"
        if rows == "unknown":
            return f"{UNTOLD} {where}"
        return ""

    def offset(self, child: Summand, parent: Summand, summands: list[Summand]) -> Offset | None:
        """How far the child must go to make up for a step of the parent."""
        where = self._at(*sorted({parent.term.line, child.term.line}))
        mine, theirs = child.term, parent.term
        base = Offset(child.site.name, parent.site.name, where=where)
        base = replace(base, init=theirs.factor / mine.factor)
        if theirs.single:
            return None
        if mine.summed:
            self._alone.setdefault(
                child.site.index,
                "how its elements make up for a constant depends on all of "
                f"{mine.text or 'a sum'} ({self._at(mine.line)}); sampled before "
                f"'{parent.site.name}' it could be the parent",
            )
            return None
        alike = mine.weights == theirs.weights and not theirs.summed
        constant = not axes_of_both(parent, child) and not (alike and mine.weights)
        if constant and self.is_cut(child.observed):
            self._alone.setdefault(
                child.site.index,
                f"the cutpoints of '{child.observed.site.name}' can make up for "
                f"'{parent.site.name}' too ({self._at(mine.line)})",
            )
            return None
        if alike and mine.softmax:
            # Of what is added to all logits, and of rare classes, data say nothing.
            return replace(base, init=0.0)
        if alike and all(mine.weights):
            return self.shared(base, child, parent, summands)
        return self.regressed(child, parent, base, summands)

    def is_cut(self, observed: Observed) -> bool:
        """Is it between cutpoints that are sampled, which a constant moves as it moves the rest?"""
        cutpoints = observed.arguments.get("cutpoints")
        return cutpoints is not None and bool(cutpoints.sites)

    def regressed(
        self, child: Summand, parent: Summand, base: Offset, summands: list[Summand]
    ) -> Offset | None:
        """With data as weights the step is a regression's: mean(w_p * w_c) / mean(w_c ** 2)."""
        mine, theirs = child.term, parent.term
        if mine.softmax:
            self._alone.setdefault(
                child.site.index,
                f"it makes up for '{parent.site.name}' only in differences of logits, which one "
                f"number for each element doesn't tell ({self._at(mine.line)})",
            )
            return None
        if not all((*mine.weights, *theirs.weights)) or (theirs.summed and not theirs.text):
            whose = child if not all(mine.weights) else parent
            self._alone.setdefault(
                child.site.index,
                f"how it makes up for '{parent.site.name}' depends on what '{whose.site.name}' is "
                f"multiplied by, which has no name where it is sampled ({self._at(mine.line)})",
            )
            return None
        exact = [
            s.site.name
            for s in self.rivals(child, parent, summands)
            if s.term.weights == theirs.weights and not theirs.summed
        ]
        if exact:
            self._alone.setdefault(
                child.site.index,
                f"{quoted(exact)} can make up for all of '{parent.site.name}' "
                f"({self._at(mine.line)})",
            )
            return None
        if theirs.summed and mine.weights:
            return None
        own, other = times(mine.weights), times(theirs.weights)
        if theirs.summed:
            what = theirs.text if theirs.scalar else f"the mean of {theirs.text}"
        elif mine.weights:
            what = f"the slope of {other or 'a constant'} on {own}"
        else:
            what = f"the mean of {other}"
        base = replace(base, reason=what)
        if self._facts is not None:
            return self.numbers(child, parent, base, summands)
        if theirs.summed:
            value = theirs.text if theirs.scalar else f"jnp.mean({theirs.text})"
        else:
            taken = lined_up(child, parent)
            if taken is None:
                return None
            if mine.weights:
                joint = times((*theirs.weights, *mine.weights))
                value = f"{taken} * (jnp.mean({joint}) / (jnp.mean({squared(own)}) + {TINY}))"
            else:
                value = f"{taken} * jnp.mean({other})"
        offset = replace(base, value=value, label=parent.site.name)
        return self.shared(offset, child, parent, summands)

    # What the data of a run come to

    def numbers(
        self, child: Summand, parent: Summand, base: Offset, summands: list[Summand]
    ) -> Offset | None:
        """The step as a number, where a run tells what the data are."""
        if parent.term.summed:
            return self.summed_numbers(child, parent, base, summands)
        later = self.rivals(child, parent, summands)
        columns = [self.column(s.term) for s in (parent, child)]
        if any(column is None for column in columns):
            self._alone.setdefault(child.site.index, self.untold_data(child, parent))
            return None
        known = [(s, column) for s in later if (column := self.column(s.term)) is not None]
        members = [child, *(s for s, _ in known)]
        common = axes_of_both(parent, child)
        from reparam_rewrite.running.facts import regression

        try:
            step = regression(
                columns[0],
                [columns[1], *(column for _, column in known)],
                [self.spread(s, common) or 1.0 for s in members],
                NEGLIGIBLE,
            )
        except ValueError:  # they don't broadcast
            self._alone.setdefault(child.site.index, self.untold_data(child, parent))
            return None
        if step is None:
            return None
        return replace(base, init=rounded(base.init * step), rivals=())

    def untold_data(self, child: Summand, parent: Summand) -> str:
        return (
            f"how it makes up for '{parent.site.name}' depends on data that a run doesn't tell "
            f"({self._at(child.term.line)})"
        )

    def summed_numbers(
        self, child: Summand, parent: Summand, base: Offset, summands: list[Summand]
    ) -> Offset | None:
        """For ``X @ b`` as the parent: what the mean of it is for a step of each element."""
        assert self._facts is not None
        shape, variable = self._facts.shapes.get(parent.site.name), parent.site.variable
        if shape is None or variable is None or len(shape) > 1:
            return None
        if prod(shape) > INLINE:
            self._alone.setdefault(
                child.site.index,
                f"to make up for '{parent.site.name}' takes a number for each of its {shape[0]} "
                f"elements ({self._at(child.term.line)})",
            )
            return None
        from reparam_rewrite.running.facts import unit

        steps = []
        for at in range(prod(shape)):
            value = self._facts.evaluate(parent.term.text, {variable: unit(shape, at)})
            if value is None:
                self._alone.setdefault(child.site.index, self.untold_data(child, parent))
                return None
            steps.append(rounded(float(value.mean())))
        if not any(abs(step) > NEGLIGIBLE for step in steps):
            return None
        offset = self.shared(base, child, parent, summands)
        if not shape:
            return replace(offset, init=rounded(offset.init * steps[0]))
        value = f"jnp.array({steps!r}) @ {variable}"
        return replace(offset, value=value, label=parent.site.name)

    def column(self, term: Term) -> Any:
        """What the data make of a step of a summand; None if a run didn't tell."""
        assert self._facts is not None
        known = all(term.weights) and not term.summed
        return self._facts.evaluate(times(term.weights) or "1.0", {}) if known else None

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

    # One site

    def proposal(self, site: Site, offsets: tuple[Offset, ...], place: Summand | None) -> Proposal:
        """Everything for one site: offsets, the scale of its prior, a basis."""
        reasons: dict[str, str] = {}
        made = self._model.priors.get(site.index)
        where = self._at(site.place.line)
        proposal = Proposal(site, where, offsets, reasons=reasons)
        if place is not None and place.term.picked and any(o.chained for o in offsets):
            reasons["coefficient"] = place.term.picked
            proposal = replace(proposal, elementwise=bool(site.shape is None or site.shape))
        if place is not None and made is not None and made.family == "GaussianRandomWalk":
            reasons["basis"] = (
                f"{self._at(site.place.line)}: the steps of a random walk move together; its slow "
                "and fast movements don't"
            )
            proposal = replace(proposal, basis="dct")
        if made is not None and not offsets:
            proposal = self.with_scale(proposal, made, place)
        return proposal

    def with_scale(self, proposal: Proposal, made: Made, place: Summand | None) -> Proposal:
        """``theta ~ Normal(mu, tau)`` with one observation of each theta: non-centred."""
        site = proposal.site
        if place is None or not self.has_sampled_scale(site) or site.prior.support.kind != "real":
            return proposal
        by, text = self.scale_site(made), made.nodes.get("scale", "")
        called = f"'{by.name}'" if by is not None else text
        reason = self.why_no_scale(site, made, place)
        if reason:
            self._scales.setdefault(site.index, reason)
            return proposal
        number = counted(self.rows(place)[1])
        reasons = proposal.reasons
        reasons["scale"] = (
            f"{self._at(site.place.line)}: its prior has the scale {called}, and each element has "
            f"{number}: where {called} is small it must be small too, a funnel"
        )
        divided = grouped(text)
        loc = made.arguments.get("loc")
        offsets = proposal.offsets
        if loc is not None and loc.number != 0:
            reasons["loc"] = (
                f"{self._at(site.place.line)}: minus the location of its prior on that scale"
            )
            value = f"{grouped(made.nodes['loc'])} / {divided}"
            offsets = (Offset(site.name, "loc", -1.0, value, "loc"),)
        self._alone.pop(site.index, None)
        scale = f"1 / {divided}" if by is None else ""
        return replace(proposal, by=by.name if by else "", scale=scale, offsets=offsets)

    def why_no_scale(self, site: Site, made: Made, place: Summand) -> str:
        """What speaks against taking the scale of a prior out; "" if nothing."""
        where = f"({self._at(site.place.line)})"
        scale, loc = made.arguments["scale"], made.arguments.get("loc")
        text = made.nodes.get("scale", "")
        by = self.scale_site(made)
        called = f"'{by.name}'" if by is not None else text
        if not text or (by is not None and by.variable is None):
            return f"the scale of its prior has no name where it is sampled {where}"
        if any(term.weights or term.picked or term.summed for term in scale.terms):
            return f"the scale of its prior, {text}, depends on data {where}"
        if loc is not None and loc.number != 0 and not made.nodes.get("loc"):
            return f"the location of its prior has no name where it is sampled {where}"
        rows, each = self.rows(place)
        if rows == "many":
            number = "many" if each is None else f"{each:.3g}"
            return (
                f"each of its elements has {number} observations ({self._at(place.term.line)}), "
                "which may say more than the prior"
            )
        if rows == "elsewhere":
            told, others = self.tells(site.index)
            return f"{both_of([*told, *others])} tell of it, which may say more than its prior"
        if rows != "one":
            tells = "; --args does" if self._facts is None else ""
            return (
                f"its prior has the scale {called} {where}, which is better taken out only where "
                f"its elements have few observations, and the source doesn't tell{tells}"
            )
        if self.is_precise(place, each):
            return (
                f"'{place.observed.site.name}' is observed so precisely that it says more than the "
                f"prior ({self._at(place.observed.line)})"
            )
        return ""

    def has_sampled_scale(self, site: Site) -> bool:
        """Is its prior one of a location and a scale that is sampled?"""
        made = self._model.priors.get(site.index)
        scale = made.arguments.get("scale") if made is not None else None
        return bool(
            made is not None and made.family in LOCATION_SCALE and scale is not None and scale.sites
        )

    def scale_site(self, made: Made) -> Site | None:
        """The site that is the scale of a prior, with nothing done to it."""
        scale = made.arguments.get("scale")
        if scale is None or len(scale.terms) != 1 or not scale.terms[0].is_plain:
            return None
        return self._sites[scale.terms[0].site]

    def is_scaled_slope(self, child: Summand) -> bool:
        """Is it multiplied by data, with a prior whose scale is sampled: better non-centred?"""
        weighted = bool(child.term.weights) and child.site.shape != ()
        return weighted and self.has_sampled_scale(child.site)

    def is_precise(self, place: Summand, each: float | None) -> bool:
        """Do observations say far more of an element than its prior, as far as can be told?"""
        observed = place.observed
        made = self._model.priors[place.site.index]
        noise = observed.arguments.get("scale")
        by = self.scale_site(made)
        prior = self._model.priors.get(by.index) if by is not None else None
        reach = self._facts.reach(place.site.name) if self._facts is not None else None
        if reach is None and prior is not None:
            wide = prior.arguments.get("scale", prior.arguments.get("rate"))
            if wide is not None and wide.number:
                reach = (wide.number if "scale" in prior.arguments else 1 / wide.number) ** 2
        if noise is None or observed.family not in LOCATION_SCALE or reach is None:
            return False
        size = noise.number
        if size is None and self._facts is not None:
            if len(noise.terms) == 1 and noise.terms[0].is_plain:
                size = self._facts.typical(self._sites[noise.terms[0].site].name)
            elif noise.text and not noise.terms:
                value = self._facts.evaluate(noise.text, {})
                size = None if value is None else float((value**2).mean()) ** 0.5
        return bool(size) and (each or 1.0) * reach >= PRECISE * size**2  # type: ignore[operator]

    def rows(self, child: Summand) -> tuple[str, float | None]:
        """How many observations each element of a site has.

        "one", "many", "unknown" as only a run tells, "picked" as that depends on the data that
        pick, or "elsewhere" as it is seen in other ways too; and the number, if a run told.
        """
        site, observed, term = child.site, child.observed.site, child.term
        told, elsewhere = self.tells(site.index)
        if len(told) > 1 or elsewhere:
            return "elsewhere", None
        plates = [plate for frame in observed.all_frames for plate in frame.plates]
        subsampled = any(plate.subsampled for plate in plates)
        if self._facts is not None and not (term.summed or subsampled):
            counts = not is_single(child.observed.family)
            each = self._facts.observations_each(observed.name, site.name, counts)
            weights = self.column(term)
            if each is not None and weights is not None:
                classes = self._facts.shapes[site.name][-1:] if term.softmax else ()
                each *= float((weights**2).mean()) * term.factor**2 * prod(classes)
                return "one" if each < FEW else "many", each
        if term.picked or term.summed:
            return "picked", None
        if site.shape is None:
            return "unknown", None
        others = child.observed.location.sites - {site.index}
        axes = [axis for other in others for axis in self._sites[other].shape or ()]
        axes += [plate.axis for plate in plates]
        if not site.shape or not all(any(axis.same(own) for own in site.shape) for axis in axes):
            return "many", None
        looped = observed.step is not None or is_looped(observed)
        if looped and site.step is None and not is_looped(site):
            return "many", None
        covered = all(any(own.same(plate.axis) for plate in plates) for own in site.shape)
        sure = covered and term.is_whole and not (term.weights or looped or subsampled)
        sure = sure and is_single(child.observed.family)
        return ("one" if sure and not observed.through else "unknown"), None

    def tells(self, index: int) -> tuple[list[str], list[str]]:
        """What tells of a site, in words: the observed ones, and what else reads it."""
        observed = [one.site for one in self._model.observed if reads(one.arguments, index)]
        others = [
            f"the prior of '{self._sites[other].name}'"
            for other, made in self._model.priors.items()
            if reads(made.arguments, index)
        ]
        others += ["a factor"] if index in self._model.factors else []
        return [f"'{site.name}'" for site in observed], others

    # Those that are left alone

    def alone(self, site: Site, parents: set[str]) -> Alone:
        around = site.index not in self._alone and site.name in parents
        reason = "" if around else self.why_alone(site)
        return Alone(site.name, self._at(site.place.line), reason, around)

    def why_alone(self, site: Site) -> str:
        if site.index in self._alone:
            return self._alone[site.index]
        if site.index in self._scales:
            return self._scales[site.index]
        if site.index in self._model.factors:
            return "a factor reads it, which isn't followed"
        for observed in self._model.observed:
            for name, form in observed.arguments.items():
                own = [term for term in form.terms if site.index in term.sites]
                if not own:
                    continue
                if name == observed.parameter:
                    alone = len(form.sites) == 1
                    nobody = (
                        "nothing is added to it" if alone else "no other can be sampled around it"
                    )
                    where = f"'{observed.site.name}' ({self._at(own[0].line)})"
                    return f"{nobody} in the location of {where}"
                what = (
                    f"the {name} of '{observed.site.name}'" if name else f"'{observed.site.name}'"
                )
                place = f"({self._at(observed.site.place.line)})"
                if own[0].is_summand and name:
                    return f"{what} {place} and no part of a sum"
                return f"it is part of {what} {place} and not of its location"
        for index, made in self._model.priors.items():
            for name, form in made.arguments.items():
                if site.index in form.sites:
                    other = self._sites[index]
                    what = f"the {name} of" if name else "part of"
                    own = [term for term in form.terms if site.index in term.sites]
                    only = "" if len(own) == 1 == len(form.sites) and own[0].is_summand else "in "
                    return (
                        f"{only if name else ''}{what} the prior of '{other.name}' "
                        f"({self._at(other.place.line)})"
                    )
        return "no observed site of this function can be seen to depend on it"

    def sums(
        self, summands: list[list[Summand]], offsets: dict[tuple[str, str], Offset]
    ) -> Iterator[Sum]:
        for group, observed in zip(summands, self._model.observed, strict=True):
            names = [s.site.name for s in group]
            if any(child in names and parent in names for child, parent in offsets):
                text = added([(told(s.term, s.site), s.term.factor) for s in group])
                linked = any(s.term.group for s in group)
                yield Sum(
                    observed.site.name,
                    observed.parameter,
                    self._at(observed.line),
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


#: An axis of a site, and what it is in a location: by what it is picked, the classes, or "".
Marked = tuple[Axis, str]


def axes_of(summand: Summand) -> list[Marked]:
    shape, term = summand.site.shape or (), summand.term
    marks = list(term.picks or [""] * len(shape))
    if term.softmax and marks:
        marks[-1] = CLASS_AXIS
    # All observations have the one element of an axis of length 1 in common.
    return [(axis, "" if axis.unit else mark) for axis, mark in zip(shape, marks, strict=True)]


def meets(one: Marked, other: Marked) -> bool:
    """Is it the same axis: by what picks from it if something does from both, else by its size?"""
    if one[1] and other[1]:
        return one[1] == other[1]
    return one[0].same(other[0])


def axes_of_both(parent: Summand, child: Summand) -> list[Marked]:
    """The axes of the parent that the child has too."""
    own = axes_of(child)
    return [axis for axis in axes_of(parent) if any(meets(axis, other) for other in own)]


def told(term: Term, site: Site) -> str:
    """A summand in a few words: ``x * beta[group]``"""
    if term.text:
        return term.text
    name = site.variable or site.name
    if term.picked:
        name += f"[{term.picked}]"
    weights = [weight if weight else "..." for weight in term.weights]
    number = [] if abs(term.factor) == 1 else [f"{abs(term.factor):g}"]
    return times((*number, *weights, name))


def added(parts: list[tuple[str, float]]) -> str:
    """``mu + a - b``"""
    text = ""
    for part, factor in parts:
        sign = "-" if factor < 0 else "+"
        text += f" {sign} {part}" if text else ("-" if factor < 0 else "") + part
    return text


def quoted(names: list[str]) -> str:
    from reparam_rewrite.messages import listed

    return listed(names)


def grouped(text: str) -> str:
    from reparam_rewrite.survey.expressions import grouped as in_parentheses

    return in_parentheses(text)


def times(weights: tuple[str, ...]) -> str:
    return " * ".join(grouped(weight) if len(weights) > 1 else weight for weight in weights)


def squared(text: str) -> str:
    return f"{grouped(text)} ** 2"


def lined_up(child: Summand, parent: Summand) -> str | None:
    """The parent's value as the child's axes take it; None if that can't be told."""
    variable, mine, theirs = parent.site.variable, axes_of(child), axes_of(parent)
    if variable is None or child.site.shape is None or parent.site.shape is None:
        return None
    if not theirs:
        return variable
    if len(theirs) == len(mine) and all(map(meets, theirs, mine)):
        return variable
    return None if axes_of_both(parent, child) else f"jnp.mean({variable})"


def is_column(weight: str) -> bool:
    """Is it the same along the last axis? ``t[:, None]``"""
    return weight.endswith("None]")


def reads(arguments: dict[str, Form], index: int) -> bool:
    return any(index in form.sites for form in arguments.values())


def both_of(words: list[str]) -> str:
    """``'y', 'z' and the prior of 'b'``"""
    *before, last = dict.fromkeys(words)
    return f"{', '.join(before)} and {last}" if before else last


def is_single(family: str) -> bool:
    """Is an observation of the family one, and no count of what was seen?"""
    return family in LOCATION_SCALE or family.startswith(("Bernoulli", "Categorical", "Ordered"))


def is_looped(site: Site) -> bool:
    return any(frame.kind in LOOPS for frame in site.all_frames)


def counted(each: float | None) -> str:
    """The observations of an element in words; each: None where it is one by the source."""
    return "one observation" if each in (None, 1.0) else f"{each:.2g} observations"


def rounded(number: float) -> float:
    """To four digits: data don't tell more."""
    return float(f"{number:.4g}") + 0.0


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
