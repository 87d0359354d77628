"""What the offsets of one function share, and how one of them gives up."""

from __future__ import annotations

from msgspec import Struct

from reparam_rewrite.plan.names import Names
from reparam_rewrite.plan.problems import Problem
from reparam_rewrite.plan.values import Keep
from reparam_rewrite.survey.values import Function, Site, Survey


class Stop(Exception):
    """A child can't be rewritten; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Context(Struct):
    """What the offsets of one function share: names in use, and values that must be kept."""

    survey: Survey
    function: Function
    names: Names
    keeps: dict[int, Keep] = {}  # by the index of the site

    def keep(self, site: Site) -> Keep:
        assert site.variable is not None
        if site.index not in self.keeps:
            name = self.names.new(f"{site.variable}_site")
            self.keeps[site.index] = Keep(site.statement, name, site.variable)
        return self.keeps[site.index]
