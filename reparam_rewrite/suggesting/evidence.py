"""What the source and a run tell of the summands of a location: their axes, and how much data say
of each."""

from __future__ import annotations

from math import prod
from typing import Any

from msgspec import Struct

from reparam_rewrite.plan.context import Context
from reparam_rewrite.plan.meetings import Meeting, Unsure, designs_of, meeting_of
from reparam_rewrite.suggesting.facts import Facts
from reparam_rewrite.suggesting.values import Lines
from reparam_rewrite.survey.expressions import grouped
from reparam_rewrite.survey.sums import Observed, Sums
from reparam_rewrite.survey.terms import Form, Term
from reparam_rewrite.survey.values import Axis, Site

#: What the last axis of logits is called.
CLASS_AXIS = "classes"

#: Families that a shift moves and a scale scales: the rest of the prior stays what it is.
LOCATION_SCALE = frozenset(["Normal", "StudentT", "Cauchy", "Laplace", "Logistic", "Gumbel"])

#: So few observations of an element may say less than its prior.
FEW = 2.0

#: So many times more say observations than the prior where that matters whatever their number is.
PRECISE = 100.0

#: An axis of a site, and what it is in a location: by what it is picked, the classes, or "".
Marked = tuple[Axis, str]


class Summand(Struct, frozen=True):
    """A site in a location, with the term that it is there by; `where` tells the line of that."""

    site: Site
    term: Term
    observed: Observed
    where: str

    @property
    def name(self) -> str:
        return self.site.name

    @property
    def axes(self) -> list[Marked]:
        shape, term = self.site.shape or (), self.term
        marks = list(term.picks or [""] * len(shape))
        if term.softmax and marks:
            marks[-1] = CLASS_AXIS
        # All observations have the one element of an axis of length 1 in common.
        return [(axis, "" if axis.unit else mark) for axis, mark in zip(shape, marks, strict=True)]

    def is_added_to(self, other: Summand) -> bool:
        """Are both in one sum at the same time?"""
        return self.term.group == other.term.group and not self.term.alternative_to(other.term)

    def axes_with(self, other: Summand) -> list[Marked]:
        """The axes that the other has too."""
        return [axis for axis in self.axes if any(meets(axis, own) for own in other.axes)]

    def lined_up(self, child: Summand) -> str | None:
        """Its value as the axes of the child take it; None if that can't be told."""
        variable, mine, theirs = self.site.variable, self.axes, child.axes
        if variable is None or child.site.shape is None or self.site.shape is None:
            return None
        if not mine or (len(mine) == len(theirs) and all(map(meets, mine, theirs))):
            return variable
        return None if self.axes_with(child) else f"jnp.mean({variable})"

    def in_words(self) -> str:
        """``x * beta[group]``"""
        return in_words(self.term, self.site)


def in_words(term: Term, site: Site) -> str:
    """A summand, but for its sign: ``x * beta[group]``"""
    if term.text:
        return term.text
    picked = f"[{term.picked}]" if term.picked else ""
    number = [] if abs(term.factor) == 1 else [f"{abs(term.factor):g}"]
    weights = (*number, *(weight or "..." for weight in term.weights))
    name = (site.variable or site.name) + picked  # which may be no Python
    return " * ".join([*map(grouped, weights), name])


def meets(one: Marked, other: Marked) -> bool:
    """Is it the same axis: by what picks from it if something does from both, else by its size?"""
    if one[1] and other[1]:
        return one[1] == other[1]
    return one[0].same(other[0])


def times(weights: tuple[str, ...]) -> str:
    return " * ".join(grouped(weight) if len(weights) > 1 else weight for weight in weights)


def both_of(words: list[str]) -> str:
    """``'y', 'z' and the prior of 'b'``"""
    *before, last = dict.fromkeys(words)
    return f"{', '.join(before)} and {last}" if before else last


def counted(each: float | None) -> str:
    """The observations of an element in words; each: None where it is one by the source."""
    return "one observation" if each in (None, 1.0) else f"{each:.2g} observations"


def is_single(family: str) -> bool:
    """Is an observation of the family one, and no count of what was seen?"""
    return family in LOCATION_SCALE or family.startswith(("Bernoulli", "Categorical", "Ordered"))


def is_looped(site: Site) -> bool:
    return any(frame.kind in ("for", "while") for frame in site.all_frames)


class Evidence(Struct, frozen=True):
    """A model's sums, the facts of a run if there was one, and how lines are told.

    `context` is what the rewriter knows of it. `ranks` are the places of sites in the order that is
    wanted, by their indices: without any it is that of sampling. `weighed`: a run tells how the
    elements of all summands are seen, from which coefficients will be computed.
    """

    model: Sums
    context: Context
    facts: Facts | None
    at: Lines
    ranks: dict[int, int] = {}
    weighed: bool = False

    @property
    def sites(self) -> list[Site]:
        return self.model.function.sites

    def precedes(self, one: Site, other: Site) -> bool:
        """Is a site to be sampled before another, or can it be?"""
        mine, theirs = self.ranks.get(one.index), self.ranks.get(other.index)
        if mine is None or theirs is None:
            return one.order < other.order
        return one.order != other.order and mine < theirs

    def meeting(self, child: Site, parent: Site) -> Meeting | None:
        """How the rewriter lets a parent meet its child by itself, if that is all it can do."""
        found = meeting_of(self.context, child, parent)
        if found is None and parent.shape == () and self.are_alike(child, parent):
            found = Meeting(0, exact=True)  # of a child whose axes aren't told
        if child.prior.support.reshapes or found is None or found.index:
            return None
        if found.projected is None:
            return found if found.exact else None
        moved = child.prior.support.kind in ("real", "runtime") and not child.unsettled
        return found if moved and not child.subsampled else None

    def are_alike(self, child: Site, parent: Site) -> bool:
        """Have both the same weights, wherever the child is?"""
        try:
            designs = list(designs_of(self.context, child, parent))
        except Unsure:
            return False
        same = [d.theirs is not None and d.theirs.weights == d.mine.weights for d in designs]
        return (
            bool(same)
            and all(same)
            and all(weight for design in designs for weight in design.mine.weights)
        )

    def spread(self, summand: Summand, axes: list[Marked]) -> float | None:
        """The prior variance of a site's mean over all but some axes."""
        if self.facts is None or summand.site.shape is None:
            return None
        own = summand.axes
        kept = [at for at, axis in enumerate(own) if any(meets(axis, other) for other in axes)]
        return self.facts.spread(summand.name, tuple(at - len(own) for at in kept))

    def column(self, term: Term) -> Any:
        """What the data make of a step of a summand; None if a run didn't tell."""
        if self.facts is None or term.summed or not all(term.weights):
            return None
        return self.facts.evaluate(times(term.weights) or "1.0", {})

    def noise(self, observed: Observed) -> float | None:
        """The scale of what is observed, if it has one and that can be told."""
        noise, facts = observed.arguments.get("scale"), self.facts
        if noise is None or observed.family not in LOCATION_SCALE:
            return None
        size, site = noise.number, self.plain_site(noise)
        if size is None and facts is not None:
            if site is not None:
                size = facts.typical(site.name)
            elif noise.text and not noise.terms:
                value = facts.evaluate(noise.text, {})
                size = None if value is None else float((value**2).mean()) ** 0.5
        return size

    def is_precise(self, place: Summand, each: float | None) -> bool:
        """Do observations say far more of an element than its prior, as far as can be told?"""
        facts = self.facts
        by = self.plain_site(self.model.priors[place.site.index].arguments.get("scale"))
        prior = self.model.priors.get(by.index) if by is not None else None
        reach = facts.reach(place.name) if facts is not None else None
        if reach is None and prior is not None:
            wide = prior.arguments.get("scale", prior.arguments.get("rate"))
            if wide is not None and wide.number:
                reach = (wide.number if "scale" in prior.arguments else 1 / wide.number) ** 2
        size = self.noise(place.observed)
        return bool(size and reach) and (each or 1.0) * reach >= PRECISE * size**2  # type: ignore[operator]

    def plain_site(self, form: Form | None) -> Site | None:
        """The site that a form is, with nothing done to it."""
        plain = form is not None and len(form.terms) == 1 and form.terms[0].is_plain
        return self.sites[form.terms[0].site] if form is not None and plain else None

    def is_standard(self, index: int) -> bool:
        """Is its prior a standard normal?"""
        made = self.model.priors.get(index)
        if made is None or made.family != "Normal":
            return False
        loc, scale = (made.arguments.get(name) for name in ("loc", "scale"))
        return (loc is None or loc.number == 0) and (scale is None or scale.number == 1)

    def has_sampled_scale(self, site: Site) -> bool:
        """Is its prior one of a location and a scale that is sampled?"""
        made = self.model.priors.get(site.index)
        scale = made.arguments.get("scale") if made and made.family in LOCATION_SCALE else None
        return scale is not None and bool(scale.sites)

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
        if self.facts is not None and not (term.summed or subsampled):
            counts = not is_single(child.observed.family)
            each = self.facts.observations_each(observed.name, site.name, counts)
            weights = self.column(term)
            if each is not None and weights is not None:
                classes = self.facts.shapes[site.name][-1:] if term.softmax else ()
                each *= float((weights**2).mean()) * term.factor**2 * prod(classes)
                return "one" if each < FEW else "many", each
        if term.picked or term.summed:
            return "picked", None
        if site.shape is None:
            return "unknown", None
        others = child.observed.location.sites - {site.index}
        axes = [axis for other in others for axis in self.sites[other].shape or ()]
        axes += [plate.axis for plate in plates]
        looped = observed.step is not None or is_looped(observed)
        alone = looped and site.step is None and not is_looped(site)
        if alone or not site.shape:
            return "many", None
        if not all(any(axis.same(own) for own in site.shape) for axis in axes):
            return "many", None
        covered = all(any(own.same(plate.axis) for plate in plates) for own in site.shape)
        sure = covered and term.is_whole and not (term.weights or looped or subsampled)
        sure = sure and is_single(child.observed.family) and not observed.through
        return ("one" if sure else "unknown"), None

    def why_no_child(self, child: Summand) -> str:
        """What speaks against a shift of it that isn't for the rewriter to say; "" if nothing."""
        facts, where = self.facts, f"({child.where})"
        family, kind = child.site.prior.family, child.site.prior.support.kind
        real = facts is not None and child.name in facts.real
        if (not real and kind not in ("real", "runtime")) or family is None:
            called = family or "a prior that can't be read"
            if kind == "fixed":
                shift = "a shift of its logarithm or logit isn't one of the sum"
                return f"{called} isn't on the whole real line, and {shift} {where}"
            if kind in ("discrete", "atomic", "sphere", "zero_sum"):
                return f"{called} can't be shifted {where}"
        if kind == "runtime" and not real:
            return f"its prior doesn't tell whether it is on the whole real line {where}"
        if child.term.single:
            return f"only some of its elements are in the sum {where}"
        rows, each = self.rows(child)
        if rows == "one":
            number = counted(each)
            return f"each of its elements has {number} {where}, which may say less than its prior"
        untold = "the source doesn't tell how many observations each of its elements has"
        return f"{untold} {where}" if rows == "unknown" else ""

    def tells(self, index: int) -> tuple[list[str], list[str]]:
        """What tells of a site, in words: the observed ones, and what else reads it."""

        def reads(arguments: dict[str, Form]) -> bool:
            return any(index in form.sites for form in arguments.values())

        priors = [other for other, made in self.model.priors.items() if reads(made.arguments)]
        others = [f"the prior of '{self.sites[other].name}'" for other in priors]
        others += ["a factor"] if index in self.model.factors else []
        observed = [one.site.name for one in self.model.observed if reads(one.arguments)]
        return [f"'{name}'" for name in observed], others
