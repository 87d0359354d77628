"""What a rule looks at: a site that the config asks something for, or a pair of two sites."""

from __future__ import annotations

from functools import cached_property

from msgspec import Struct

from reparam_rewrite.messages import Filler, OfSite, Place, Problem
from reparam_rewrite.plan.alternatives import are_alternatives
from reparam_rewrite.plan.children import Child, Pair
from reparam_rewrite.survey.functions import Function, Survey
from reparam_rewrite.survey.values import Site


class AskedChild(Struct, frozen=True, dict=True):
    """A child, and the function and the file that sample it."""

    survey: Survey
    function: Function
    child: Child

    @property
    def site(self) -> Site:
        return self.child.site

    @cached_property
    def places(self) -> list[Site]:
        """Where the child is sampled: one site, or several of one name."""
        return self.function.find(self.site.name)

    @cached_property
    def running(self) -> set[str]:
        """All that may run the child's function, with itself: functions, lambdas and handlers."""
        return self.survey.running(self.function.name)

    def line(self, number: int) -> Place:
        """A line of the model's file."""
        return self.site.place.at(number)

    def problem(
        self, code: str, text: str, hint: str, place: Place | None = None, **parts: Filler
    ) -> Problem:
        """A problem about the child, which is where the child is sampled if no place is given."""
        return Problem(code, OfSite(self.site.name), place or self.site.place, text, hint, parts)


class AskedPair(Struct, frozen=True, dict=True):
    """A child and one of its parents that is a site.

    `backwards`: the config also asks for the child as a parent of the parent.
    """

    function: Function
    child: Site
    parent: Site
    pair: Pair
    backwards: bool

    @cached_property
    def places(self) -> list[Site]:
        """Where the parent is sampled: one site, or several of one name."""
        return self.function.find(self.parent.name)

    @cached_property
    def alternatives(self) -> bool:
        """Is the parent sampled in several branches of which one runs?"""
        return are_alternatives(self.places)

    def problem(
        self, code: str, text: str, hint: str, place: Place | None = None, **parts: Filler
    ) -> Problem:
        """A problem about the pair, which is where the config asks for it if no place is given."""
        return Problem(code, self.pair.about, place or self.pair.place, text, hint, parts)
