"""The pairs of a location that can trade with each other, and by how much."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from math import prod

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.messages import listed
from reparam_rewrite.plan.meetings import Meeting
from reparam_rewrite.suggesting.evidence import Evidence, Marked, Summand, meets, times
from reparam_rewrite.suggesting.facts import Facts
from reparam_rewrite.suggesting.values import Offset
from reparam_rewrite.survey.expressions import grouped
from reparam_rewrite.survey.terms import Term

#: Up to how many numbers stand in an expression.
INLINE = 10

#: So small a part of data, beside their root mean square, is nothing.
NEGLIGIBLE = 1e-2

#: What keeps a slope finite where all of the data that it is of are zero.
TINY = "1e-6"


def offsets_of(evidence: Evidence, summands: list[Summand]) -> Iterator[tuple[int, Offset | str]]:
    """The pairs of one location that can trade with each other, by the index of the child.

    A str in the place of an offset is the reason why there is none.
    """
    unseen = {s.site.index: why_unseen(s) for s in summands if s.term.softmax}
    seen = [s for s in summands if not unseen.get(s.site.index)]
    for child in summands:
        index = child.site.index
        parents = [s for s in seen if evidence.precedes(s.site, child.site)]
        parents = [s for s in parents if s.is_added_to(child)]
        slope = child.term.weights and child.site.shape != ()
        if slope and evidence.has_sampled_scale(child.site) and not evidence.weighed:
            # How far it goes is for the slopes of what it is in: it may have little to say.
            parents = [s for s in parents if s.term.weights == child.term.weights]
        if reason := unseen.get(index):
            yield index, reason
        elif not parents:
            continue
        elif reason := evidence.why_no_child(child):
            yield index, reason
        else:
            for parent in parents:
                yield index, Pair(evidence, summands, child, parent).offset()


class Pair(Struct, dict=True, frozen=True):
    """Two of the summands of a location.

    Where a method gives an `Offset` or a str, the str is the reason why there is none: "" where
    that isn't worth a word.
    """

    evidence: Evidence
    summands: list[Summand]
    child: Summand
    parent: Summand

    @property
    def common(self) -> list[Marked]:
        """The axes that both have."""
        return self.parent.axes_with(self.child)

    @cached_property
    def meeting(self) -> Meeting | None:
        """How the rewriter lets the parent meet the child by itself."""
        return self.evidence.meeting(self.child.site, self.parent.site)

    def rivals(self) -> list[Summand]:
        """The summands after the child that can make up for all that is left of the parent."""
        return [
            s
            for s in self.summands
            if self.evidence.precedes(self.child.site, s.site)
            and s.is_added_to(self.child)
            and not (s.term.summed or s.term.single)
            and not self.evidence.why_no_child(s)
            and all(any(meets(axis, own) for own in s.axes) for axis in self.common)
        ]

    def offset(self) -> Offset | str:
        """How far the child must go to make up for a step of the parent."""
        child, parent, facts = self.child, self.parent, self.evidence.facts
        mine, theirs = child.term, parent.term
        if theirs.single or (facts is not None and not facts.meet(child.name, parent.name)):
            return ""
        if mine.summed:
            all_of = f"depends on all of {mine.text or 'a sum'} ({child.where})"
            could = f"sampled before '{parent.name}' it could be the parent"
            return f"how its elements make up for a constant {all_of}; {could}"
        alike = mine.weights == theirs.weights and not theirs.summed
        constant = not self.common and not (alike and mine.weights)
        # A constant moves cutpoints that are sampled as it moves the rest.
        cutpoints = child.observed.arguments.get("cutpoints")
        if constant and cutpoints is not None and cutpoints.sites:
            whose = f"the cutpoints of '{child.observed.site.name}'"
            return f"{whose} can make up for '{parent.name}' too ({child.where})"
        where = self.evidence.at(*sorted({theirs.line, mine.line}))
        ratio = theirs.factor / mine.factor
        offset = Offset(child.name, parent.name, ratio, ratio=ratio, where=where)
        if alike and mine.softmax:
            # Of what is added to all logits, and of rare classes, data say nothing.
            return replace(offset, init=0.0)
        if alike and all(mine.weights):
            return self.shared(offset)
        seen = self.meeting is not None and self.meeting.projected is not None
        return self.projected(offset) if seen else self.regressed(offset)

    def shared(self, offset: Offset) -> Offset:
        """The part of what makes up for the parent that is the child's.

        With data that tell the sum alone, each of those that can make up for the parent does by
        the variance of its prior along the parent's axes: V_child / (V_child + the later ones'
        V). Where that isn't known the shares are equal, and those with more axes than the child,
        whose mean hardly varies, have none.
        """
        child, rivals = self.child, self.rivals()
        if not child.term.weights or child.term.weights == self.parent.term.weights:
            rivals = [s for s in rivals if s.term.weights == child.term.weights]
        spreads = [self.evidence.spread(s, self.common) for s in (child, *rivals)]
        known = [spread for spread in spreads if spread is not None]
        total = sum(known, 0.0)
        if len(known) == len(spreads) and total:
            share = round(known[0] / total, 2)
        else:
            size = len(child.site.shape or ())
            rivals = [s for s in rivals if len(s.site.shape or ()) <= size]
            share = round(1 / (1 + len(rivals)), 2)
        names = tuple(s.name for s in rivals) if share < 1 else ()
        return replace(offset, init=rounded(offset.init * share), rivals=names)

    def projected(self, offset: Offset) -> Offset | str:
        """Where observations tell how far each element makes up for the parent, for itself."""
        child, parent = self.child, self.parent
        exact = [s.name for s in self.rivals() if s.term.weights == parent.term.weights]
        if exact and not (parent.term.summed or self.evidence.weighed):
            return f"{listed(exact)} can make up for all of '{parent.name}' ({child.where})"
        return self.shared(offset)

    def regressed(self, offset: Offset) -> Offset | str:
        """With data as weights the step is a regression's: mean(w_p * w_c) / mean(w_c ** 2)."""
        child, parent, facts = self.child, self.parent, self.evidence.facts
        mine, theirs = child.term, parent.term
        makes_up, where = f"makes up for '{parent.name}'", f"({child.where})"
        if mine.softmax:
            untold = f"which one number for each element doesn't tell {where}"
            return f"it {makes_up} only in differences of logits, {untold}"
        if not all((*mine.weights, *theirs.weights)) or (theirs.summed and not theirs.text):
            by = f"what '{(parent if all(mine.weights) else child).name}' is multiplied by"
            nameless = f"which has no name where it is sampled {where}"
            return f"how it {makes_up} depends on {by}, {nameless}"
        exact = [s.name for s in self.rivals() if s.term.weights == theirs.weights]
        if exact and not (theirs.summed or self.evidence.weighed):
            return f"{listed(exact)} can make up for all of '{parent.name}' {where}"
        if theirs.summed and mine.weights:
            return ""
        own, other = times(mine.weights), times(theirs.weights)
        if theirs.summed:
            what = theirs.text if theirs.scalar else f"the mean of {theirs.text}"
            value = theirs.text if theirs.scalar else f"jnp.mean({theirs.text})"
        elif mine.weights:
            what = f"the slope of {other or 'a constant'} on {own}"
            joint = times((*theirs.weights, *mine.weights))
            value = f"(jnp.mean({joint}) / (jnp.mean({grouped(own)} ** 2) + {TINY}))"
        else:
            what, value = f"the mean of {other}", f"jnp.mean({other})"
        offset = replace(offset, reason=what)
        if facts is not None:
            found = self.summed_numbers(offset, facts) if theirs.summed else self.numbers(offset)
            untold = f"how it {makes_up} depends on data that a run doesn't tell {where}"
            return untold if found is None else found
        taken = parent.lined_up(child)
        if not theirs.summed and taken is None:
            return ""
        value = value if theirs.summed else f"{taken} * {value}"
        return self.shared(replace(offset, value=value, label=parent.name))

    def numbers(self, offset: Offset) -> Offset | str | None:
        """The step as a number, where a run tells what the data are; None if it doesn't."""
        from reparam_rewrite.running.facts import regression

        members = (self.child, *self.rivals())
        columns = [(s, self.evidence.column(s.term)) for s in members]
        target, own = self.evidence.column(self.parent.term), columns[0][1]
        if target is None or own is None:
            return None
        known = [(s, column) for s, column in columns if column is not None]
        variances = [self.evidence.spread(s, self.common) or 1.0 for s, _ in known]
        try:
            step = regression(target, [column for _, column in known], variances, NEGLIGIBLE)
        except ValueError:  # they don't broadcast
            return None
        return "" if step is None else replace(offset, init=rounded(offset.init * step))

    def summed_numbers(self, offset: Offset, facts: Facts) -> Offset | str | None:
        """For ``X @ b`` as the parent: what the mean of it is for a step of each element."""
        from reparam_rewrite.running.facts import unit

        name, variable = self.parent.name, self.parent.site.variable
        shape = facts.shapes.get(name)
        if shape is None or variable is None or len(shape) > 1:
            return ""
        if prod(shape) > INLINE:
            elements = f"a number for each of its {shape[0]} elements ({self.child.where})"
            return f"to make up for '{name}' takes {elements}"
        steps = []
        for at in range(prod(shape)):
            value = facts.evaluate(self.parent.term.text, {variable: unit(shape, at)})
            if value is None:
                return None
            steps.append(rounded(float(value.mean())))
        if not any(abs(step) > NEGLIGIBLE for step in steps):
            return ""
        offset = self.shared(offset)
        if not shape:
            return replace(offset, init=rounded(offset.init * steps[0]))
        return replace(offset, value=f"jnp.array({steps!r}) @ {variable}", label=name)


def rounded(number: float) -> float:
    """To four digits: data don't tell more."""
    return float(f"{number:.4g}") + 0.0


def is_unseen(term: Term) -> bool:
    """Is it the same for all logits, of which only the differences are seen?"""
    # The same along the last axis: ``t[:, None]``
    columns = all(weight.endswith("None]") for weight in term.weights)
    alike = term.layout is not None and (term.layout[-1] if term.layout else "") == ""
    return alike and columns


def why_unseen(summand: Summand) -> str:
    """What speaks against a part of logits of which only the differences are seen."""
    term, where = summand.term, f"'{summand.observed.site.name}' ({summand.where})"
    last = term.layout[-1] if term.layout else ""
    if term.layout is not None and isinstance(last, int):
        return ""
    if is_unseen(term):
        return f"it is added alike to all logits of {where}, of which only differences are seen"
    return f"to which of the logits of {where} it is added isn't followed"
