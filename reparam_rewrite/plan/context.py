"""What the offsets of one function share, and how one of them gives up."""

from __future__ import annotations

from collections import Counter
from functools import cached_property

from msgspec import Struct

from reparam_rewrite.messages import Filler, OfSite, Place, Problem
from reparam_rewrite.plan.children import Pair
from reparam_rewrite.plan.names import Names
from reparam_rewrite.plan.values import Keep
from reparam_rewrite.survey.expressions import identifier
from reparam_rewrite.survey.functions import Function, Survey
from reparam_rewrite.survey.shapes import opened
from reparam_rewrite.survey.values import Site


class Stop(Exception):
    """A child can't be rewritten; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def stop(
    about: Pair | Site, code: str, text: str, hint: str, place: Place | None = None, **parts: Filler
) -> Stop:
    """A child can't be rewritten for a reason that is about a pair or a site.

    That is where the config asks for the pair, or the site is sampled, if no `place` is given.
    """
    subject = about.about if isinstance(about, Pair) else OfSite(about.name)
    return Stop(Problem(code, subject, place or about.place, text, hint, parts))


class Context(Struct, dict=True):
    """What the offsets of one function share: names in use, and values that must be kept."""

    survey: Survey
    function: Function
    names: Names
    keeps: dict[int, Keep] = {}  # by the index of the site

    @cached_property
    def twice(self) -> frozenset[str]:
        """The sizes that some site of the function has two axes of."""
        found: set[str] = set()
        for site in self.function.sites:
            keys = [axis.size_key for axis in opened(site.extent.seen) if axis.size_key is not None]
            plates = [plate.axis.size_key for frame in site.all_frames for plate in frame.plates]
            for several in (keys, plates):
                found.update(key for key, count in Counter(several).items() if key and count > 1)
        return frozenset(found)

    def keep(self, site: Site) -> Keep:
        if site.index not in self.keeps:
            variable, base = site.variable or "", identifier(site.name)
            # A value without a name has the site's, if nothing else in the file has.
            free = not variable and self.names.is_free(base)
            own = variable if variable.isidentifier() else base
            if variable and not variable.isidentifier():
                free = self.names.is_free(base)
            name = self.names.new(base if free else f"{own or base}_site")
            self.keeps[site.index] = Keep(site.statement, name, variable, site.call.name)
        return self.keeps[site.index]
