"""The pairs of a location that can trade with each other, and by how much."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.messages import listed
from reparam_rewrite.suggest.evidence import Evidence
from reparam_rewrite.suggest.shared_axes import (
    Summand,
    axes_of,
    axes_of_both,
    counted,
    is_column,
    lined_up,
    meets,
    rounded,
    squared,
    times,
)
from reparam_rewrite.suggest.values import Offset
from reparam_rewrite.survey.sums import Observed

#: Up to how many numbers stand in an expression.
INLINE = 10

#: Why it isn't told whether data say more of a site than its prior does.
UNTOLD = "the source doesn't tell how many observations each of its elements has"

#: So small a part of data, beside their root mean square, is nothing.
NEGLIGIBLE = 1e-2

#: What keeps a slope finite where all of the data that it is of are zero.
TINY = "1e-6"


class Offsets(Struct, frozen=True):
    """Weighs pairs of summands; `reasons` gathers why a site, by its index, is no child."""

    evidence: Evidence
    reasons: dict[int, str]

    def at(self, *lines: int) -> str:
        """Lines of the model, as messages tell them."""
        return self.evidence.at(*lines)

    def offsets(self, summands: list[Summand]) -> Iterator[Offset]:
        """The pairs of one location that can trade with each other."""
        unseen = {s.site.index: self.why_unseen(s) for s in summands if s.term.softmax}
        for child in summands:
            if unseen.get(child.site.index):
                self.reasons.setdefault(child.site.index, unseen[child.site.index])
                continue
            others = [s for s in summands if s.site.order < child.site.order]
            others = [s for s in others if s.term.group == child.term.group]
            others = [s for s in others if not s.term.alternative_to(child.term)]
            others = [s for s in others if not unseen.get(s.site.index)]
            if not others or self.evidence.is_scaled_slope(child):
                continue
            reason = self.why_no_child(child)
            if reason:
                self.reasons.setdefault(child.site.index, reason)
                continue
            for parent in others:
                if self.evidence.facts and not self.evidence.facts.meet(
                    child.site.name, parent.site.name
                ):
                    continue
                offset = self.offset(child, parent, summands)
                if offset is not None:
                    yield offset

    def why_unseen(self, summand: Summand) -> str:
        """What speaks against a part of logits of which only the differences are seen."""
        term, observed = summand.term, summand.observed
        where = f"'{observed.site.name}' ({self.at(term.line)})"
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
        spreads = [self.evidence.spread(s, common) for s in (child, *rivals)]
        if all(spread is not None for spread in spreads) and sum(spreads):  # type: ignore[arg-type]
            share = round(spreads[0] / sum(spreads), 2)  # type: ignore[operator, arg-type]
        else:
            size = len(child.site.shape or ())
            rivals = [s for s in rivals if len(s.site.shape or ()) <= size]
            share = round(1 / (1 + len(rivals)), 2)
        names = tuple(s.site.name for s in rivals) if share < 1 else ()
        return replace(offset, init=rounded(offset.init * share), rivals=names)

    def why_no_child(self, child: Summand) -> str:
        """What speaks against a shift of it that isn't for the rewriter to say; "" if nothing."""
        site, term = child.site, child.term
        prior = site.prior
        where = f"({self.at(term.line)})"
        real = self.evidence.facts is not None and site.name in self.evidence.facts.real
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
        rows, each = self.evidence.rows(child)
        if rows == "one":
            number = counted(each)
            return f"each of its elements has {number} {where}, which may say less than its prior"
        if rows == "unknown":
            return f"{UNTOLD} {where}"
        return ""

    def offset(self, child: Summand, parent: Summand, summands: list[Summand]) -> Offset | None:
        """How far the child must go to make up for a step of the parent."""
        where = self.at(*sorted({parent.term.line, child.term.line}))
        mine, theirs = child.term, parent.term
        base = Offset(child.site.name, parent.site.name, where=where)
        base = replace(base, init=theirs.factor / mine.factor)
        if theirs.single:
            return None
        if mine.summed:
            self.reasons.setdefault(
                child.site.index,
                "how its elements make up for a constant depends on all of "
                f"{mine.text or 'a sum'} ({self.at(mine.line)}); sampled before "
                f"'{parent.site.name}' it could be the parent",
            )
            return None
        alike = mine.weights == theirs.weights and not theirs.summed
        constant = not axes_of_both(parent, child) and not (alike and mine.weights)
        if constant and self.is_cut(child.observed):
            self.reasons.setdefault(
                child.site.index,
                f"the cutpoints of '{child.observed.site.name}' can make up for "
                f"'{parent.site.name}' too ({self.at(mine.line)})",
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
            self.reasons.setdefault(
                child.site.index,
                f"it makes up for '{parent.site.name}' only in differences of logits, which one "
                f"number for each element doesn't tell ({self.at(mine.line)})",
            )
            return None
        if not all((*mine.weights, *theirs.weights)) or (theirs.summed and not theirs.text):
            whose = child if not all(mine.weights) else parent
            self.reasons.setdefault(
                child.site.index,
                f"how it makes up for '{parent.site.name}' depends on what '{whose.site.name}' is "
                f"multiplied by, which has no name where it is sampled ({self.at(mine.line)})",
            )
            return None
        exact = [
            s.site.name
            for s in self.rivals(child, parent, summands)
            if s.term.weights == theirs.weights and not theirs.summed
        ]
        if exact:
            self.reasons.setdefault(
                child.site.index,
                f"{listed(exact)} can make up for all of '{parent.site.name}' "
                f"({self.at(mine.line)})",
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
        if self.evidence.facts is not None:
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

    def numbers(
        self, child: Summand, parent: Summand, base: Offset, summands: list[Summand]
    ) -> Offset | None:
        """The step as a number, where a run tells what the data are."""
        if parent.term.summed:
            return self.summed_numbers(child, parent, base, summands)
        later = self.rivals(child, parent, summands)
        columns = [self.evidence.column(s.term) for s in (parent, child)]
        if any(column is None for column in columns):
            self.reasons.setdefault(child.site.index, self.untold_data(child, parent))
            return None
        known = [(s, column) for s in later if (column := self.evidence.column(s.term)) is not None]
        members = [child, *(s for s, _ in known)]
        common = axes_of_both(parent, child)
        from reparam_rewrite.running.facts import regression

        try:
            step = regression(
                columns[0],
                [columns[1], *(column for _, column in known)],
                [self.evidence.spread(s, common) or 1.0 for s in members],
                NEGLIGIBLE,
            )
        except ValueError:  # they don't broadcast
            self.reasons.setdefault(child.site.index, self.untold_data(child, parent))
            return None
        if step is None:
            return None
        return replace(base, init=rounded(base.init * step), rivals=())

    def untold_data(self, child: Summand, parent: Summand) -> str:
        return (
            f"how it makes up for '{parent.site.name}' depends on data that a run doesn't tell "
            f"({self.at(child.term.line)})"
        )

    def summed_numbers(
        self, child: Summand, parent: Summand, base: Offset, summands: list[Summand]
    ) -> Offset | None:
        """For ``X @ b`` as the parent: what the mean of it is for a step of each element."""
        assert self.evidence.facts is not None
        shape, variable = self.evidence.facts.shapes.get(parent.site.name), parent.site.variable
        if shape is None or variable is None or len(shape) > 1:
            return None
        if prod(shape) > INLINE:
            self.reasons.setdefault(
                child.site.index,
                f"to make up for '{parent.site.name}' takes a number for each of its {shape[0]} "
                f"elements ({self.at(child.term.line)})",
            )
            return None
        from reparam_rewrite.running.facts import unit

        steps = []
        for at in range(prod(shape)):
            value = self.evidence.facts.evaluate(parent.term.text, {variable: unit(shape, at)})
            if value is None:
                self.reasons.setdefault(child.site.index, self.untold_data(child, parent))
                return None
            steps.append(rounded(float(value.mean())))
        if not any(abs(step) > NEGLIGIBLE for step in steps):
            return None
        offset = self.shared(base, child, parent, summands)
        if not shape:
            return replace(offset, init=rounded(offset.init * steps[0]))
        value = f"jnp.array({steps!r}) @ {variable}"
        return replace(offset, value=value, label=parent.site.name)
