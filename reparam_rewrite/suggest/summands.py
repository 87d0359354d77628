"""The summands of a location: a site with the term that it is there by, its axes, and its words."""

from __future__ import annotations

from msgspec import Struct

from reparam_rewrite.survey.expressions import grouped
from reparam_rewrite.survey.sums import Observed
from reparam_rewrite.survey.terms import Term
from reparam_rewrite.survey.values import Axis, Site

#: What the last axis of logits is called.
CLASS_AXIS = "classes"

#: Families that a shift moves and a scale scales: the rest of the prior stays what it is.
LOCATION_SCALE = frozenset(["Normal", "StudentT", "Cauchy", "Laplace", "Logistic", "Gumbel"])

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

    def in_words(self) -> str:
        """``x * beta[group]``"""
        term, name = self.term, self.site.variable or self.name
        if term.text:
            return term.text
        picked = f"[{term.picked}]" if term.picked else ""
        number = [] if abs(term.factor) == 1 else [f"{abs(term.factor):g}"]
        return times((*number, *(weight or "..." for weight in term.weights), name + picked))


def meets(one: Marked, other: Marked) -> bool:
    """Is it the same axis: by what picks from it if something does from both, else by its size?"""
    if one[1] and other[1]:
        return one[1] == other[1]
    return one[0].same(other[0])


def axes_of_both(parent: Summand, child: Summand) -> list[Marked]:
    """The axes of the parent that the child has too."""
    return [axis for axis in parent.axes if any(meets(axis, other) for other in child.axes)]


def lined_up(child: Summand, parent: Summand) -> str | None:
    """The parent's value as the child's axes take it; None if that can't be told."""
    variable, mine, theirs = parent.site.variable, child.axes, parent.axes
    if variable is None or child.site.shape is None or parent.site.shape is None:
        return None
    if not theirs or (len(theirs) == len(mine) and all(map(meets, theirs, mine))):
        return variable
    return None if axes_of_both(parent, child) else f"jnp.mean({variable})"


def added(summands: list[Summand]) -> str:
    """``mu + a - b``"""
    text = "".join(f" {'-' if s.term.factor < 0 else '+'} {s.in_words()}" for s in summands)
    return text.removeprefix(" + ") if text.startswith(" +") else f"-{text[3:]}"


def times(weights: tuple[str, ...]) -> str:
    return " * ".join(grouped(weight) if len(weights) > 1 else weight for weight in weights)


def both_of(words: list[str]) -> str:
    """``'y', 'z' and the prior of 'b'``"""
    *before, last = dict.fromkeys(words)
    return f"{', '.join(before)} and {last}" if before else last


def counted(each: float | None) -> str:
    """The observations of an element in words; each: None where it is one by the source."""
    return "one observation" if each in (None, 1.0) else f"{each:.2g} observations"


def rounded(number: float) -> float:
    """To four digits: data don't tell more."""
    return float(f"{number:.4g}") + 0.0


def is_single(family: str) -> bool:
    """Is an observation of the family one, and no count of what was seen?"""
    return family in LOCATION_SCALE or family.startswith(("Bernoulli", "Categorical", "Ordered"))


def is_looped(site: Site) -> bool:
    return any(frame.kind in ("for", "while") for frame in site.all_frames)
