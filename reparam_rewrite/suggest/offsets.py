"""The pairs of a location that can trade with each other, and by how much."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.messages import listed
from reparam_rewrite.suggest.evidence import Evidence, Summand, counted, meets, times
from reparam_rewrite.suggest.values import Offset
from reparam_rewrite.survey.expressions import grouped

#: Up to how many numbers stand in an expression.
INLINE = 10

#: Why it isn't told whether data say more of a site than its prior does.
UNTOLD = "the source doesn't tell how many observations each of its elements has"

#: So small a part of data, beside their root mean square, is nothing.
NEGLIGIBLE = 1e-2

#: What keeps a slope finite where all of the data that it is of are zero.
TINY = "1e-6"


class Location(Struct, frozen=True):
    """The summands of one location, and what is known of them.

    Where a method gives an `Offset` or a str, the str is the reason why there is none: "" where
    that isn't worth a word.
    """

    evidence: Evidence
    summands: list[Summand]

    def offsets(self) -> Iterator[tuple[int, Offset | str]]:
        """The pairs that can trade with each other, and why a site, by its index, is no child."""
        unseen = {s.site.index: why_unseen(s) for s in self.summands if s.term.softmax}
        for child in self.summands:
            index = child.site.index
            seen = (s for s in self.summands if not unseen.get(s.site.index))
            parents = [s for s in seen if s.site.order < child.site.order and s.is_added_to(child)]
            if reason := unseen.get(index):
                yield index, reason
            elif not parents or self.evidence.is_scaled_slope(child):
                continue
            elif reason := self.why_no_child(child):
                yield index, reason
            else:
                yield from ((index, self.offset(child, parent)) for parent in parents)

    def rivals(self, child: Summand, parent: Summand) -> list[Summand]:
        """The summands after the child that can make up for all that is left of the parent."""
        common = parent.axes_with(child)
        return [
            s
            for s in self.summands
            if s.site.order > child.site.order
            and s.is_added_to(child)
            and not (s.term.summed or s.term.single)
            and not self.why_no_child(s)
            and all(any(meets(axis, own) for own in s.axes) for axis in common)
        ]

    def why_no_child(self, child: Summand) -> str:
        """What speaks against a shift of it that isn't for the rewriter to say; "" if nothing."""
        facts, where = self.evidence.facts, f"({child.where})"
        family, kind = child.site.prior.family, child.site.prior.support.kind
        real = facts is not None and child.name in facts.real
        if (not real and kind not in ("real", "runtime")) or family is None:
            called = family or "a prior that can't be read"
            if kind == "fixed":
                return (
                    f"{called} isn't on the whole real line, and a shift of its logarithm or logit "
                    f"isn't one of the sum {where}"
                )
            if kind in ("discrete", "atomic", "sphere", "zero_sum"):
                return f"{called} can't be shifted {where}"
        if kind == "runtime" and not real:
            return f"its prior doesn't tell whether it is on the whole real line {where}"
        if child.term.single:
            return f"only some of its elements are in the sum {where}"
        rows, each = self.evidence.rows(child)
        if rows == "one":
            number = counted(each)
            return f"each of its elements has {number} {where}, which may say less than its prior"
        return f"{UNTOLD} {where}" if rows == "unknown" else ""

    def offset(self, child: Summand, parent: Summand) -> Offset | str:
        """How far the child must go to make up for a step of the parent."""
        mine, theirs, facts = child.term, parent.term, self.evidence.facts
        if theirs.single or (facts is not None and not facts.meet(child.name, parent.name)):
            return ""
        if mine.summed:
            return (
                "how its elements make up for a constant depends on all of "
                f"{mine.text or 'a sum'} ({child.where}); sampled before "
                f"'{parent.name}' it could be the parent"
            )
        alike = mine.weights == theirs.weights and not theirs.summed
        constant = not parent.axes_with(child) and not (alike and mine.weights)
        # A constant moves cutpoints that are sampled as it moves the rest.
        cutpoints = child.observed.arguments.get("cutpoints")
        if constant and cutpoints is not None and cutpoints.sites:
            return (
                f"the cutpoints of '{child.observed.site.name}' can make up for "
                f"'{parent.name}' too ({child.where})"
            )
        where = self.evidence.at(*sorted({theirs.line, mine.line}))
        offset = Offset(child.name, parent.name, theirs.factor / mine.factor, where=where)
        if alike and mine.softmax:
            # Of what is added to all logits, and of rare classes, data say nothing.
            return replace(offset, init=0.0)
        if alike and all(mine.weights):
            return self.shared(offset, child, parent)
        return self.regressed(offset, child, parent)

    def shared(self, offset: Offset, child: Summand, parent: Summand) -> Offset:
        """The part of what makes up for the parent that is the child's.

        With data that tell the sum alone, each of those that can make up for the parent does by
        the variance of its prior along the parent's axes: V_child / (V_child + the later ones'
        V). Where that isn't known the shares are equal, and those with more axes than the child,
        whose mean hardly varies, have none.
        """
        common = parent.axes_with(child)
        rivals = self.rivals(child, parent)
        if not child.term.weights or child.term.weights == parent.term.weights:
            rivals = [s for s in rivals if s.term.weights == child.term.weights]
        spreads = [self.evidence.spread(s, common) for s in (child, *rivals)]
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

    def regressed(self, offset: Offset, child: Summand, parent: Summand) -> Offset | str:
        """With data as weights the step is a regression's: mean(w_p * w_c) / mean(w_c ** 2)."""
        mine, theirs = child.term, parent.term
        if mine.softmax:
            return (
                f"it makes up for '{parent.name}' only in differences of logits, which one "
                f"number for each element doesn't tell ({child.where})"
            )
        if not all((*mine.weights, *theirs.weights)) or (theirs.summed and not theirs.text):
            whose = parent if all(mine.weights) else child
            return (
                f"how it makes up for '{parent.name}' depends on what '{whose.name}' is "
                f"multiplied by, which has no name where it is sampled ({child.where})"
            )
        rivals = self.rivals(child, parent)
        exact = [s.name for s in rivals if s.term.weights == theirs.weights]
        if exact and not theirs.summed:
            return f"{listed(exact)} can make up for all of '{parent.name}' ({child.where})"
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
        if self.evidence.facts is not None:
            numbers = self.summed_numbers if theirs.summed else self.numbers
            return numbers(offset, child, parent)
        taken = parent.lined_up(child)
        if not theirs.summed and taken is None:
            return ""
        value = value if theirs.summed else f"{taken} * {value}"
        return self.shared(replace(offset, value=value, label=parent.name), child, parent)

    def numbers(self, offset: Offset, child: Summand, parent: Summand) -> Offset | str:
        """The step as a number, where a run tells what the data are."""
        from reparam_rewrite.running.facts import regression

        members = [child, *self.rivals(child, parent)]
        columns = [(s, self.evidence.column(s.term)) for s in members]
        target, own = self.evidence.column(parent.term), columns[0][1]
        if target is None or own is None:
            return untold_data(child, parent)
        common = parent.axes_with(child)
        known = [(s, column) for s, column in columns if column is not None]
        variances = [self.evidence.spread(s, common) or 1.0 for s, _ in known]
        try:
            step = regression(target, [column for _, column in known], variances, NEGLIGIBLE)
        except ValueError:  # they don't broadcast
            return untold_data(child, parent)
        return "" if step is None else replace(offset, init=rounded(offset.init * step))

    def summed_numbers(self, offset: Offset, child: Summand, parent: Summand) -> Offset | str:
        """For ``X @ b`` as the parent: what the mean of it is for a step of each element."""
        from reparam_rewrite.running.facts import unit

        facts, variable = self.evidence.facts, parent.site.variable
        shape = facts.shapes.get(parent.name) if facts is not None else None
        if facts is None or shape is None or variable is None or len(shape) > 1:
            return ""
        if prod(shape) > INLINE:
            return (
                f"to make up for '{parent.name}' takes a number for each of its {shape[0]} "
                f"elements ({child.where})"
            )
        steps = []
        for at in range(prod(shape)):
            value = facts.evaluate(parent.term.text, {variable: unit(shape, at)})
            if value is None:
                return untold_data(child, parent)
            steps.append(rounded(float(value.mean())))
        if not any(abs(step) > NEGLIGIBLE for step in steps):
            return ""
        offset = self.shared(offset, child, parent)
        if not shape:
            return replace(offset, init=rounded(offset.init * steps[0]))
        return replace(offset, value=f"jnp.array({steps!r}) @ {variable}", label=parent.name)


def rounded(number: float) -> float:
    """To four digits: data don't tell more."""
    return float(f"{number:.4g}") + 0.0


def why_unseen(summand: Summand) -> str:
    """What speaks against a part of logits of which only the differences are seen."""
    term, where = summand.term, f"'{summand.observed.site.name}' ({summand.where})"
    last = term.layout[-1] if term.layout else ""
    if term.layout is not None and isinstance(last, int):
        return ""
    # The same along the last axis: ``t[:, None]``
    columns = all(weight.endswith("None]") for weight in term.weights)
    if term.layout is not None and last == "" and columns:
        return f"it is added alike to all logits of {where}, of which only differences are seen"
    return f"to which of the logits of {where} it is added isn't followed"


def untold_data(child: Summand, parent: Summand) -> str:
    return (
        f"how it makes up for '{parent.name}' depends on data that a run doesn't tell "
        f"({child.where})"
    )
