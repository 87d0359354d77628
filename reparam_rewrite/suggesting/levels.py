"""In what order the summands of locations are to be sampled: the coarse before the fine.

What few groups add can be made up for by many, each for its own observations, and hardly the other
way round. Numbers come first, then what has fewer groups, and groups before those within them.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import combinations, permutations
from math import inf, prod
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.suggesting.evidence import LOCATION_SCALE, Evidence, Summand, is_single, times
from reparam_rewrite.survey.expressions import parsed
from reparam_rewrite.survey.nodes import walk
from reparam_rewrite.survey.terms import Term
from reparam_rewrite.survey.values import Site

if TYPE_CHECKING:
    from reparam_rewrite.running.shares import Design, Meetings

#: By what an expression of a summand calls its site, where it is evaluated.
OWN = "_own"

#: The variance of what is observed of yes and no, in logits.
OF_LOGITS = 4.0

#: Two sites: a child and its parent.
Pair = tuple[str, str]

#: Pairs whose child stays before the parent, as the model samples them, and why.
Later = Mapping[Pair, str]


class Levels(Struct, dict=True):
    """What a source or a run tells of the groups that summands have.

    `groups` are the summands of each location. Without the facts of a run there are no `designs`.
    """

    evidence: Evidence
    groups: Sequence[Sequence[Summand]]

    @cached_property
    def places(self) -> dict[tuple[int, tuple[int, ...]], int]:
        """The sums of which summands are part, by what is observed and the function around it."""
        keys = ((at, s.term.group) for at, group in enumerate(self.groups) for s in group)
        return {key: number for number, key in enumerate(dict.fromkeys(keys))}

    @cached_property
    def designs(self) -> dict[str, dict[int, Design]]:
        """By site and place: what a run tells of how observations see the site's elements."""
        found: dict[str, dict[int, Design]] = {}
        for at, group in enumerate(self.groups):
            for s in group:
                design = self.design(s.site, s.term, s.observed.site)
                if design is not None and not s.term.softmax:
                    found.setdefault(s.name, {})[self.places[at, s.term.group]] = design
        return found

    def design(self, site: Site, term: Term, of: Site) -> Design | None:
        """The element of a site in each of the values of another, as far as a run tells."""
        facts = self.evidence.facts
        if facts is None or term.summed or term.single or not all(term.weights):
            return None
        shape, own = facts.shapes.get(of.name), facts.shapes.get(site.name)
        if shape is None or own is None:
            return None
        text = replace(term, weights=()).contribution(OWN)
        if not text:
            if not (len(shape) == len(own) == 1 and term.picked):
                return None
            text = f"{OWN}[{term.picked}]"
        from reparam_rewrite.running.shares import design_of, numbered

        index = facts.evaluate(text, {OWN: numbered(own)})
        weight = facts.evaluate(times(term.weights) or "1.0", {})
        if index is None or weight is None:
            return None
        return design_of(index, weight * term.factor, shape)

    def ranks(self, later: Iterable[Pair]) -> dict[int, int]:
        """The places of sites in the order that is wanted, by their indices.

        `later` are pairs of which the first stays before the second, as the model has it.
        """
        return self.ranked(self.sites, later)

    def ranked(self, sites: Mapping[str, Site], later: Iterable[Pair]) -> dict[int, int]:
        """The same of some sites, by their names."""
        left = sorted(sites.values(), key=lambda site: (self.count(site), site.index))
        before = {*later} | self.outer | self.expected
        ordered: list[Site] = []
        while left:
            free = (
                site
                for site in left
                if not any((other.name, site.name) in before for other in left)
            )
            ordered.append(first := next(free, left[0]))
            left.remove(first)
        places = {site.name: at for at, site in enumerate(ordered)}
        every = self.evidence.sites  # one name may be sampled in two branches
        return {site.index: places[site.name] for site in every if site.name in places}

    def count(self, site: Site) -> float:
        """How many groups a site has, or as the source tells it how many axes.

        What is added up itself, ``X @ beta``, can be nothing but a parent.
        """
        facts = self.evidence.facts
        if site.index in self.added_up:
            return 0.0
        if facts is None:
            axes = 1 if site.shape is None else sum(not axis.unit for axis in site.shape)
            return float(axes)
        seen = self.designs.get(site.name)
        if seen:
            from reparam_rewrite.running.shares import levels

            return max(levels(design) for design in seen.values())
        return float(prod(facts.shapes[site.name])) if site.name in facts.shapes else inf

    @cached_property
    def sites(self) -> dict[str, Site]:
        """The summands, and what the priors of some are expected to be like."""
        found = {s.name: s.site for group in self.groups for s in group}
        around = (terms for terms in self.around.values())
        return found | {name: self.evidence.sites[t.site] for terms in around for name, t in terms}

    @cached_property
    def added_up(self) -> set[int]:
        return {s.site.index for group in self.groups for s in group if s.term.summed}

    @cached_property
    def expected(self) -> set[Pair]:
        """What is sampled first, as the prior of the other reads it."""
        priors = self.evidence.model.priors.items()
        forms = ((at, form) for at, made in priors for form in made.arguments.values())
        names = [site.name for site in self.evidence.sites]
        return {(names[read], names[at]) for at, form in forms for read in form.sites}

    @cached_property
    def around(self) -> dict[str, list[tuple[str, Term]]]:
        """By site: what its prior's location adds up, where data look elements of that up.

        That is so where a run tells it: ``klass ~ Normal(school[school_of], tau)``. What these are
        expected to be like themselves counts too.
        """
        found: dict[str, list[tuple[str, Term]]] = {}
        seen = [s.site for group in self.groups for s in group] if self.evidence.facts else []
        for site in seen:  # which grows meanwhile
            made = self.evidence.model.priors.get(site.index)
            form = made.arguments.get("loc") if made and made.family in LOCATION_SCALE else None
            terms = form.terms if form is not None else ()
            parents = [self.evidence.sites[term.site] for term in terms]
            looked_up = site.name in found or any(any(term.picks) for term in terms)
            plain = all(term.is_summand and not (term.weights or term.group) for term in terms)
            told = [self.design(p, t, site) for p, t in zip(parents, terms, strict=True)]
            once = len({p.name for p in parents}) == len(parents) > 0
            if site.name in found or not (looked_up and plain and once) or None in told:
                continue
            found[site.name] = [(p.name, term) for p, term in zip(parents, terms, strict=True)]
            seen += parents
        return found

    @cached_property
    def outer(self) -> set[Pair]:
        """Groups and those within them, as an index tells: ``s[state[county]] + a[county]``."""
        found: set[Pair] = set()
        if self.evidence.facts is not None:
            return found
        for group in self.groups:
            for one, other in permutations(group, 2):
                inner = set(other.term.picks) - {""}
                reads = (parsed(pick) for pick in one.term.picks if pick and pick not in inner)
                names = {part.id for tree in reads for part in walk(tree) if hasattr(part, "id")}
                if len(inner) == 1 and inner <= names:
                    found.add((one.name, other.name))
        return found

    @cached_property
    def meetings(self) -> Meetings | None:
        """The sites with their designs and priors, for shares; None if a run doesn't tell all."""
        from reparam_rewrite.running.shares import Meetings, Member, looked_up, variance

        facts, model = self.evidence.facts, self.evidence.model
        if facts is None:
            return None
        noise: list[float] = []
        for at, _ in self.places:
            size = self.variance(at)
            if size is None:
                return None
            noise.append(size)
        members: dict[str, Member] = {}
        for name, site in sorted(self.sites.items(), key=self.rank_of):
            is_summand = any(s.name == name for group in self.groups for s in group)
            if (is_summand and name not in self.designs) or name not in facts.draws:
                continue
            made, shape = model.priors.get(site.index), facts.shapes[name]
            walks = made is not None and made.family == "GaussianRandomWalk"
            steps = shape[-1] if walks else 0
            terms = self.around.get(name, ())
            looked = {other: self.design(self.sites[other], term, site) for other, term in terms}
            around = {other: design for other, design in looked.items() if design is not None}
            drawn = ((facts.draws[other], design) for other, design in around.items())
            expected = sum(looked_up(draws, design, shape) for draws, design in drawn)
            members[name] = Member(
                name=name,
                size=prod(shape),
                variance=variance(facts.draws[name] - expected, steps),
                seen=self.designs.get(name, {}),
                around=around,
                steps=steps,
            )
        return Meetings(members, noise)

    def rank_of(self, item: tuple[str, Site]) -> int:
        return self.evidence.ranks.get(item[1].index, 0)

    def variance(self, at: int) -> float | None:
        """That of what is observed, on the scale of the sum."""
        observed, facts = self.groups[at][0].observed, self.evidence.facts
        assert facts is not None
        if "scale" in observed.arguments:
            size = self.evidence.noise(observed)
            return size**2 if size else None
        if observed.family in LOCATION_SCALE:
            return 1.0
        if is_single(observed.family):
            return OF_LOGITS
        return 1 / max(facts.sizes.get(observed.site.name, 1.0), 0.1)

    def told(self, names: Container[str]) -> Iterator[str]:
        """What a run tells of the groups of sites: which are within others, or meet all of them."""
        from reparam_rewrite.running.shares import levels, met

        known = [s for group in self.groups for s in group if s.name in names]
        each = {s.name: s for s in known if s.name in self.designs and called(s)}
        for one, other in combinations(each.values(), 2):
            mine, theirs = self.designs[one.name], self.designs[other.name]
            shared = sorted(mine.keys() & theirs.keys())
            if not shared or called(one) == called(other):
                continue
            few, many = (levels(designs[shared[0]]) for designs in (mine, theirs))
            pairs = met(mine[shared[0]], theirs[shared[0]])
            if 1 < few < many == pairs:
                yield f"Every {called(other)} is in one {called(one)}."
            elif pairs == few * many > many:
                yield f"Every {called(other)} meets every {called(one)}."


def called(summand: Summand) -> str:
    """What the groups of a site are called: by what picks from it."""
    picks = [pick for pick in summand.term.picks if pick]
    return picks[0] if len(picks) == 1 and picks[0].isidentifier() else ""
