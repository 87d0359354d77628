"""Which functions does a config speak of?"""

from __future__ import annotations

from msgspec import Struct

from reparam_rewrite.messages import Problem
from reparam_rewrite.plan.children import Wanted
from reparam_rewrite.plan.refusals.function import (
    no_such_function,
    no_such_site,
    nothing_sampled,
    redefined,
    run_by_others,
    several_functions,
)
from reparam_rewrite.survey.functions import Function, Survey


class Choice(Struct, frozen=True):
    """The functions that a config means, in the order of the file, and what is wrong with that."""

    functions: tuple[Function, ...]
    problems: tuple[Problem, ...]


def choose(survey: Survey, wanted: Wanted) -> Choice:
    """The functions that the config lists; without any the only one that samples its sites."""
    choice = listed(survey, wanted) if wanted.functions else best(survey, wanted)
    if not choice.functions:
        return choice
    sites = frozenset(named.name for named in wanted.sites)
    known = {name for function in choice.functions for name in function.by_name}
    unfit = (
        *redefined(survey, choice.functions),
        *run_by_others(survey, choice.functions, sites),
    )
    if unfit:
        return Choice((), unfit)  # which sites there are is another question then
    unknown = (named for named in wanted.sites if named.name not in known)
    problems = (no_such_site(survey, named, choice.functions) for named in unknown)
    return Choice(choice.functions, tuple(problems))


def listed(survey: Survey, wanted: Wanted) -> Choice:
    """The functions of a list; the sites of a scan's body are those of what calls the scan."""
    unknown = [named for named in wanted.functions if named.name not in survey.functions]
    if unknown:
        return Choice((), tuple(no_such_function(survey, named) for named in unknown))
    names = {survey.functions[named.name].runner or named.name for named in wanted.functions}
    return Choice(tuple(f for name, f in survey.functions.items() if name in names), ())


def best(survey: Survey, wanted: Wanted) -> Choice:
    """The function that samples most of the configured children and, among equals, parents."""
    sites = {named.name for named in wanted.sites}
    score = {
        name: (
            len(wanted.children & {*function.by_name}),
            len(sites & {*function.by_name}),
            # A function that samples them itself, before one that calls it.
            sum(site.name in sites and not site.through for site in function.sites),
        )
        for name, function in survey.functions.items()
        if not function.runner
    }
    most = max(score.values(), default=(0, 0, 0))
    if not any(most):
        functions = list(survey.functions.values())
        if not any(function.sites for function in functions):
            return Choice((), (nothing_sampled(survey),))
        unknown = (no_such_site(survey, named, functions) for named in wanted.sites)
        return Choice((), tuple(unknown))
    found = tuple(survey.functions[name] for name, count in score.items() if count == most)
    if len(found) == 1:
        return Choice(found, ())
    place, path = wanted.sites[0].place, wanted.config.path
    return Choice((), (several_functions(found, place, path),))
