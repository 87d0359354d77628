"""From what a model adds up to, what to do about it, and why."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.suggest.facts import Facts
from reparam_rewrite.suggest.forms import Made, Term
from reparam_rewrite.suggest.reading import Observed, Reading, is_observed
from reparam_rewrite.suggest.values import Alone, Drawn, Offset, Proposal, Suggestion, Sum
from reparam_rewrite.survey.values import Axis, Site

#: So few observations of an element say less than its prior, and so many more.
FEW, MANY = 2.0, 10.0

#: So small a mean of data, beside their root mean square, is zero.
NEGLIGIBLE = 1e-3

#: What keeps a slope finite where all of the data that it is of are zero.
TINY = "1e-6"

#: Why the first of a chain is left alone.
AROUND = "the others are sampled around it"

#: Families that a shift moves and a scale scales: the rest of the prior stays what it is.
LOCATION_SCALE = frozenset(["Normal", "StudentT", "Cauchy", "Laplace", "Logistic", "Gumbel"])


class Summand(Struct, frozen=True):
    """A site in a location, with the term that it is there by."""

    site: Site
    term: Term
    observed: Observed


def propose(reading: Reading, path: str, facts: Facts | None = None) -> Suggestion:
    """What a function's source has to say, before anything of it is tried."""
    return Proposing(reading, path, facts).suggestion()


class Proposing:
    """Weighs the summands of one function."""

    def __init__(self, reading: Reading, path: str, facts: Facts | None) -> None:
        self._facts = facts
        self._reading = reading
        self._path = path
        self._sites = reading.function.sites
        self._reasons: dict[int, str] = {}
        self._alone: dict[int, str] = {}

    def suggestion(self) -> Suggestion:
        summands = [list(self.summands(observed)) for observed in self._reading.observed]
        offsets: dict[tuple[str, str], Offset] = {}
        for group in summands:
            for offset in self.offsets(group):
                offsets.setdefault((offset.child, offset.parent), offset)
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
            Alone(site.name, f"line {site.place.line}", self.why_alone(site, parents))
            for site in self._sites
            if not is_observed(site) and site.name not in proposed
        ]
        return Suggestion(
            path=self._path,
            function=self._reading.function.name,
            sums=tuple(self.sums(summands, offsets)),
            chains=tuple(chains_of(summands, offsets)),
            proposals=tuple(proposals),
            alone=tuple({one.site: one for one in alone}.values()),
            model=tuple({site.name: drawn(site) for site in self._sites}.values()),
            priors=tuple(dict.fromkeys(self.prior_edges())),
            locations=tuple(dict.fromkeys(self.location_edges())),
            ran=self._facts is not None,
        )

    # What a picture shows

    def prior_edges(self) -> Iterator[tuple[str, str]]:
        for index, made in self._reading.priors.items():
            for form in made.arguments.values():
                for other in sorted(form.sites):
                    yield self._sites[other].name, self._sites[index].name
        for observed in self._reading.observed:
            for name, form in observed.arguments.items():
                for other in sorted(form.sites) if name != observed.parameter else ():
                    yield self._sites[other].name, observed.site.name

    def location_edges(self) -> Iterator[tuple[str, str]]:
        for observed in self._reading.observed:
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
        where = f"(line {own[0].line})"
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
        for child in summands:
            others = [s for s in summands if s.site.order < child.site.order]
            others = [s for s in others if s.term.group == child.term.group]
            others = [s for s in others if not s.term.alternative_to(child.term)]
            if not others:
                continue
            if self.is_scaled_slope(child):
                continue
            reason = self.why_no_child(child, summands)
            if reason:
                self._alone.setdefault(child.site.index, reason)
                continue
            for parent in others:
                if self._facts and not self._facts.meet(child.site.name, parent.site.name):
                    continue
                offset = self.offset(child, parent)
                if offset is not None and offset.chained:
                    yield self.shared(offset, child, parent, summands)
                elif offset is not None:
                    yield offset

    def shared(
        self, offset: Offset, child: Summand, parent: Summand, summands: list[Summand]
    ) -> Offset:
        """The part of what makes up for the parent that is the child's.

        With data that tell the sum alone, each of those that can make up for the parent does by
        the variance of its prior along the parent's axes: V_child / (V_child + the later ones'
        V). Where that isn't known the shares are equal, and those with more axes than the child,
        whose mean hardly varies, have none.
        """
        common = axes_of_both(parent.site, child.site)
        rivals = [
            s
            for s in summands
            if s.site.order > child.site.order
            and s.term.group == child.term.group
            and not (s.term.weights or s.term.summed or s.term.single)
            and not s.term.alternative_to(child.term)
            and not self.why_no_child(s, summands)
            and all(any(axis.same(own) for own in s.site.shape or ()) for axis in common)
        ]
        spreads = [self.spread(s.site, common) for s in (child, *rivals)]
        if all(spread is not None for spread in spreads) and sum(spreads):  # type: ignore[arg-type]
            share = round(spreads[0] / sum(spreads), 2)  # type: ignore[operator, arg-type]
        else:
            size = len(child.site.shape or ())
            rivals = [s for s in rivals if len(s.site.shape or ()) <= size]
            share = round(1 / (1 + len(rivals)), 2)
        names = tuple(s.site.name for s in rivals) if share < 1 else ()
        return replace(offset, init=round(offset.init * share, 4), rivals=names)

    def spread(self, site: Site, axes: tuple[Axis, ...]) -> float | None:
        """The prior variance of a site's mean over all but some axes."""
        if self._facts is None or site.shape is None:
            return None
        kept = [
            at - len(site.shape)
            for at, axis in enumerate(site.shape)
            if any(axis.same(other) for other in axes)
        ]
        return self._facts.spread(site.name, tuple(kept))

    def why_no_child(self, child: Summand, summands: list[Summand]) -> str:
        """What speaks against a shift of it that isn't for the rewriter to say; "" if nothing."""
        site, term = child.site, child.term
        prior = site.prior
        where = f"(line {term.line})"
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
        if self.few_each(child, summands):
            return (
                f"each of its elements has one observation {where}, which may say less than its "
                "prior"
            )
        return ""

    def offset(self, child: Summand, parent: Summand) -> Offset | None:
        """How far the child must go to make up for a step of the parent."""
        lines = sorted({parent.term.line, child.term.line})
        where = f"line{'s' if len(lines) > 1 else ''} {' and '.join(map(str, lines))}"
        base = Offset(child.site.name, parent.site.name, where=where)
        if parent.term.single:
            return None
        mine, theirs = child.term, parent.term
        if not (mine.weights or theirs.weights or mine.summed or theirs.summed):
            return replace(base, init=theirs.factor / mine.factor)
        if mine.summed:
            self._alone.setdefault(
                child.site.index,
                "how its elements make up for a constant depends on all of "
                f"{mine.text or 'a sum'} (line {mine.line}); sampled before "
                f"'{parent.site.name}' it could be the parent",
            )
            return None
        return self.regressed(child, parent, base)

    def regressed(self, child: Summand, parent: Summand, base: Offset) -> Offset | None:
        """With data as weights the step is a regression's: mean(w_p * w_c) / mean(w_c ** 2)."""
        mine, theirs = child.term, parent.term
        if not all((*mine.weights, *theirs.weights)) or (theirs.summed and not theirs.text):
            whose = child if not all(mine.weights) else parent
            self._alone.setdefault(
                child.site.index,
                f"how it makes up for '{parent.site.name}' depends on what '{whose.site.name}' is "
                f"multiplied by, which has no name where it is sampled (line {mine.line})",
            )
            return None
        variable = parent.site.variable
        if theirs.summed:
            if mine.weights:
                return None
            value, what = theirs.text, theirs.text
            if not theirs.scalar:
                value, what = f"jnp.mean({theirs.text})", f"the mean of {theirs.text}"
            both = ""
        else:
            if variable is None:
                return None
            taken = lined_up(child.site, parent.site, variable, self._facts)
            if taken is None:
                return None
            value = taken
            own, other = times(mine.weights), times(theirs.weights)
            if mine.weights:
                both = times((*theirs.weights, *mine.weights))
                value = f"{value} * (jnp.mean({both}) / (jnp.mean({squared(own)}) + {TINY}))"
                what = f"the slope of {other or 'a constant'} on {own}"
            else:
                value = f"{value} * jnp.mean({other})"
                what = f"the mean of {other}"
                both = other
        if self._facts is not None and both:
            mean = self._facts.evaluate(both)
            size = self._facts.evaluate(squared(both))
            if mean is not None and size is not None and abs(mean) <= NEGLIGIBLE * size**0.5:
                return None
        init = theirs.factor / mine.factor
        return replace(base, value=value, init=init, label=parent.site.name, reason=what)

    # One site

    def proposal(self, site: Site, offsets: tuple[Offset, ...], place: Summand | None) -> Proposal:
        """Everything for one site: offsets, the scale of its prior, a basis."""
        reasons: dict[str, str] = {}
        made = self._reading.priors.get(site.index)
        proposal = Proposal(site, offsets, reasons=reasons)
        if place is not None and place.term.picked and any(o.chained for o in offsets):
            reasons["coefficient"] = place.term.picked
            proposal = replace(proposal, elementwise=bool(site.shape is None or site.shape))
        if place is not None and made is not None and made.family == "GaussianRandomWalk":
            reasons["basis"] = (
                f"line {site.place.line}: the steps of a random walk move together; its slow and "
                "fast movements don't"
            )
            proposal = replace(proposal, basis="dct")
        if made is not None and not offsets:
            proposal = self.with_scale(proposal, made, place)
        return proposal

    def with_scale(self, proposal: Proposal, made: Made, place: Summand | None) -> Proposal:
        """``theta ~ Normal(mu, tau)`` with one observation of each theta: non-centred."""
        site = proposal.site
        by = self.scale_site(made)
        if by is None or place is None or made.family not in LOCATION_SCALE:
            return proposal
        if site.prior.support.kind != "real" or by.variable is None:
            return proposal
        reasons = proposal.reasons
        group = list(self.summands(place.observed))
        few = self.few_each(place, group) or self.is_scaled_slope(place)
        each = self.observations_each(place)
        if not few and each is not None and each >= MANY:
            self._alone.setdefault(
                site.index,
                f"each of its elements has {each:.3g} observations, which say more than the prior",
            )
            return proposal
        power = 1.0 if few else 0.5
        if self.is_scaled_slope(place):
            why = f"is seen through {times(place.term.weights)}"
        else:
            why = "has one observation" if few else "may have few observations"
            why = why if each is None else f"has {each:.3g} observations"
        reasons["scale"] = (
            f"line {site.place.line}: its prior has the scale '{by.name}', and each element {why}: "
            f"where '{by.name}' is small it must be small too, a funnel"
        )
        divided = f"{by.variable}" if few else f"jnp.sqrt({by.variable})"
        loc, text = made.arguments.get("loc"), made.nodes.get("loc", "")
        offsets = proposal.offsets
        if loc is not None and loc.number != 0:
            if not text:
                return proposal
            reasons["loc"] = (
                f"line {site.place.line}: minus the location of its prior on that scale"
            )
            value = f"{grouped(text)} / {divided}"
            offsets = (Offset(site.name, "loc", -1.0, value, "loc"),)
        self._alone.pop(site.index, None)
        return replace(proposal, by=by.name, power=power, offsets=offsets)

    def scale_site(self, made: Made) -> Site | None:
        """The site that is the scale of a prior, with nothing done to it."""
        scale = made.arguments.get("scale")
        if scale is None or len(scale.terms) != 1:
            return None
        term = scale.terms[0]
        plain = term.is_summand and term == Term((term.site,), term.line)
        return self._sites[term.site] if plain else None

    def is_scaled_slope(self, child: Summand) -> bool:
        """Is it multiplied by data, with a prior whose scale is a site: better non-centred?"""
        made = self._reading.priors.get(child.site.index)
        by = self.scale_site(made) if made is not None else None
        return bool(child.term.weights) and by is not None and child.site.shape != ()

    def observations_each(self, child: Summand) -> float | None:
        """How many observations an element of a site has, if a run told."""
        if self._facts is None or child.term.summed:
            return None
        return self._facts.observations_each(child.observed.site.name, child.site.name)

    def few_each(self, child: Summand, summands: list[Summand]) -> bool:
        """Has each element of a site one observation, or hardly more?"""
        each = self.observations_each(child)
        return one_each(child, summands) if each is None else each < FEW

    # Those that are left alone

    def why_alone(self, site: Site, parents: set[str]) -> str:
        if site.index in self._alone:
            return self._alone[site.index]
        if site.name in parents:
            return AROUND
        for observed in self._reading.observed:
            for name, form in observed.arguments.items():
                own = [term for term in form.terms if site.index in term.sites]
                if not own:
                    continue
                if name == observed.parameter:
                    alone = len(form.sites) == 1
                    nobody = (
                        "nothing is added to it" if alone else "no other can be sampled around it"
                    )
                    return (
                        f"{nobody} in the location of '{observed.site.name}' (line {own[0].line})"
                    )
                what = (
                    f"the {name} of '{observed.site.name}'" if name else f"'{observed.site.name}'"
                )
                place = f"(line {observed.site.place.line})"
                if own[0].is_summand and name:
                    return f"{what} {place} and no part of a sum"
                return f"it is part of {what} {place} and not of its location"
        for index, made in self._reading.priors.items():
            for name, form in made.arguments.items():
                if site.index in form.sites:
                    other = self._sites[index]
                    what = f"the {name} of" if name else "part of"
                    own = [term for term in form.terms if site.index in term.sites]
                    only = "" if len(own) == 1 == len(form.sites) and own[0].is_summand else "in "
                    return (
                        f"{only if name else ''}{what} the prior of '{other.name}' (line "
                        f"{other.place.line})"
                    )
        return "no observed site of this function can be seen to depend on it"

    def sums(
        self, summands: list[list[Summand]], offsets: dict[tuple[str, str], Offset]
    ) -> Iterator[Sum]:
        for group, observed in zip(summands, self._reading.observed, strict=True):
            names = [s.site.name for s in group]
            if any(child in names and parent in names for child, parent in offsets):
                text = added([(told(s.term, s.site), s.term.factor) for s in group])
                linked = any(s.term.group for s in group)
                yield Sum(
                    observed.site.name,
                    observed.parameter,
                    f"line {observed.line}",
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


def axes_of_both(parent: Site, child: Site) -> tuple[Axis, ...]:
    """The axes of the parent that the child has too."""
    return tuple(
        axis for axis in parent.shape or () if any(axis.same(own) for own in child.shape or ())
    )


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
    from reparam_rewrite.diagnostics import listed

    return listed(names)


def grouped(text: str) -> str:
    from reparam_rewrite.expressions import grouped as in_parentheses

    return in_parentheses(text)


def times(weights: tuple[str, ...]) -> str:
    return " * ".join(grouped(weight) if len(weights) > 1 else weight for weight in weights)


def squared(text: str) -> str:
    return f"{grouped(text)} ** 2"


def lined_up(child: Site, parent: Site, variable: str, facts: Facts | None) -> str | None:
    """The parent's value as the child's axes take it; None if that can't be told."""
    if facts is not None and child.name in facts.shapes and parent.name in facts.shapes:
        if facts.fits(parent.name, child.name):
            return variable
        return f"jnp.mean({variable})" if prod(facts.shapes[child.name]) == 1 else None
    if child.shape is None or parent.shape is None:
        return None
    if not parent.shape:
        return variable
    if len(parent.shape) == len(child.shape) and all(
        one.same(other) for one, other in zip(parent.shape, child.shape, strict=True)
    ):
        return variable
    common = [axis for axis in parent.shape if any(axis.same(other) for other in child.shape)]
    return None if common else f"jnp.mean({variable})"


def one_each(child: Summand, summands: list[Summand]) -> bool:
    """Has each element of a site one observation, as far as the source tells?

    So it is if it isn't picked from, and no other summand and no plate of what is observed has an
    axis that it lacks.
    """
    site = child.site
    if child.term.picked or child.term.summed or not site.shape:
        return False
    observed = child.observed.site
    others = [s for s in summands if s.site is not site]
    if any(s.term.picked or s.term.summed for s in others):
        return all_axes_in(observed, site)
    axes = [axis for s in others for axis in s.site.shape or ()]
    plates = [plate.axis for frame in observed.all_frames for plate in frame.plates]
    return all(any(axis.same(own) for own in site.shape) for axis in (*axes, *plates))


def all_axes_in(observed: Site, site: Site) -> bool:
    plates = [plate.axis for frame in observed.all_frames for plate in frame.plates]
    return bool(plates) and all(any(a.same(own) for own in site.shape or ()) for a in plates)


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
