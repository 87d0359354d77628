"""Which functions does a config speak of?"""

from __future__ import annotations

import re

from reparam_rewrite.messages import (
    Named,
    OfFile,
    OfFunction,
    OfSite,
    Place,
    Problem,
    listed,
    nearest,
)
from reparam_rewrite.plan.children import Wanted
from reparam_rewrite.plan.refusals import refusal
from reparam_rewrite.plan.traces import reached
from reparam_rewrite.survey.naming import may_be
from reparam_rewrite.survey.values import Function, Survey


def choose(survey: Survey, wanted: Wanted) -> list[Function]:
    """The functions to rewrite, in the order of the file.

    Those that `functions` lists; without it the only one that samples the configured sites.
    Raises `Refusal` if a listed function doesn't exist, if none samples a configured site, or if
    several do.
    """
    if wanted.functions:
        chosen = listed_functions(survey, wanted)
    else:
        chosen = [only_function(survey, wanted)]
    refuse_redefined(survey, chosen, wanted)
    refuse_enclosed(survey, chosen, wanted)
    known = {name for function in chosen for name in function.by_name}
    unknown = [named for named in wanted.sites if named.name not in known]
    if unknown:
        raise refusal(
            survey, wanted.config, [unknown_site(survey, named, chosen) for named in unknown]
        )
    return chosen


def refuse_redefined(survey: Survey, functions: list[Function], wanted: Wanted) -> None:
    """``if FAST: def model(): ...`` and ``else: def model(): ...``"""
    problems = []
    for function in functions:
        lines = survey.redefined.get(function.name)
        if lines:
            problems.append(
                Problem(
                    "function-redefined",
                    OfFunction(function.name),
                    function.place,
                    "'{function}' is defined in more than one place ({places})",
                    "give each definition a name of its own.",
                    {"places": tuple(function.place.at(line) for line in lines)},
                )
            )
    if problems:
        raise refusal(survey, wanted.config, problems)


def refuse_enclosed(survey: Survey, functions: list[Function], wanted: Wanted) -> None:
    """``cond(x > 0, first, second, None)`` where `first` samples what is configured."""
    problems = []
    for function in functions:
        last = function.name.rpartition(".")[2]
        line = survey.enclosed.get(function.name)
        if line is None:
            continue
        named = {named.name for named in wanted.sites}
        site = next((site for site in function.sites if site.name in named), None)
        place = site.place if site is not None else function.place
        what = "'{site}' is sampled in '{body}', which" if site is not None else "'{body}'"
        problems.append(
            Problem(
                "in-a-control-flow-function",
                OfFunction(function.name) if site is None else OfSite(site.name),
                place,
                f"{what} is given to scan, cond or the like ({{at}})",
                "sites there are only rewritten in a scan of NumPyro's without reverse= and "
                "history=, whose body is a function defined beside it and used nowhere else.",
                {"body": last, "at": function.place.at(line)},
            )
        )
    if problems:
        raise refusal(survey, wanted.config, problems)


def listed_functions(survey: Survey, wanted: Wanted) -> list[Function]:
    problems = []
    for named in wanted.functions:
        if named.name in survey.functions:
            continue
        near = nearest(named.name, survey.functions) or [
            name for name in survey.functions if name.rpartition(".")[2] == named.name
        ]
        known = listed(survey.functions) or "no functions at all"
        problems.append(
            Problem(
                "no-such-function",
                OfFunction(named.name),
                named.place,
                "{path} has no function '{function}'",
                "did you mean {near}?" if near else "it has {known}.",
                {"path": survey.path, "near": listed(near, last="or"), "known": known},
            )
        )
    if problems:
        raise refusal(survey, wanted.config, problems)
    names = {
        # The sites of a scan's body are those of the function that calls scan.
        survey.functions[named.name].runner or named.name
        for named in wanted.functions
    }
    return [function for name, function in survey.functions.items() if name in names]


def only_function(survey: Survey, wanted: Wanted) -> Function:
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
    best = max(score.values(), default=(0, 0, 0))
    if not any(best):
        functions = list(survey.functions.values())
        if not any(function.sites for function in functions):
            raise refusal(survey, wanted.config, [nothing_sampled(survey)])
        problems = [unknown_site(survey, named, functions) for named in wanted.sites]
        raise refusal(survey, wanted.config, problems)
    found = [survey.functions[name] for name, count in score.items() if count == best]
    if len(found) > 1:
        first = next(iter(wanted.sites))
        problem = Problem(
            "several-functions",
            OfFunction(found[0].name),
            first.place,
            "{names} all sample the configured sites ({places:path})"
            if len(found) > 2
            else "both {names} sample the configured sites ({places:path})",
            'say which: functions = ["{function}"] at the top of {config}.',
            {
                "names": listed(function.name for function in found),
                "places": tuple(function.place for function in found),
                "config": wanted.config.path,
            },
        )
        raise refusal(survey, wanted.config, [problem])
    return found[0]


def nothing_sampled(survey: Survey) -> Problem:
    """The file has no site at all: that is said once, not for every site of the config."""
    unreadable = [place for f in survey.functions.values() for place in f.unreadable]
    imported = {dotted.partition(".")[0] for dotted in survey.aliases.values()}
    place: Place | str = survey.path
    if unreadable:
        place = unreadable[0]
        text = "the model samples no site whose name can be told"
        hint = "only those can be named in a config; give the sites literal names."
    elif not any(line.strip() for line in survey.lines):
        text = "the model is empty"
        hint = "give it a function that samples a site, or name another file."
    elif "numpyro" not in imported and not any(f.imports for f in survey.functions.values()):
        text, hint = "the model doesn't import numpyro", "is it the right file?"
    else:
        text = "the model samples no site in any function"
        hint = "only calls inside functions count, of a numpyro.sample that the file imports."
    return Problem("nothing-sampled", OfFile(), place, text, hint)


def is_template(site: str, name: str) -> bool:
    """Is it put together of more than what is computed, and may it come to be `name`?"""
    fixed = re.sub(r"\{[^{}]*\}|\*", "", site)
    return 0 < len(fixed) < len(site) and may_be(name, [site.replace("*", "{}")])


def unknown_site(survey: Survey, named: Named, functions: list[Function]) -> Problem:
    # What only means something in a helper can't be written in a config, but a glob can.
    sites = {site.name for function in functions for site in function.sites}
    known = sorted({re.sub(r"\{[^{}]*@[^{}]*\}", "*", name) for name in sites})
    names = ""
    where = (
        "'{function}' samples" if len(functions) == 1 else "the functions of the model file sample"
    )
    # ``c_W_emb``, of ``f"{cls}_W_emb"``
    near = [site for site in known if is_template(site, named.name)]
    near = near or nearest(named.name, known)
    own = {function.name for function in functions}
    followed = {site.through for function in functions for site in function.sites}
    helpers = [
        name
        for name in sorted(reached(survey.calls, own) - own - followed)
        if name in survey.functions
        and may_be(named.name, [site.name for site in survey.functions[name].sites])
    ]
    if helpers and not near:
        hint = (
            "{names} may sample it, and isn't called in a way that can be followed: write out "
            "its parameters and arguments, and call it by its name."
        )
        names = listed(helpers, last="or")
    elif near:
        hint, names = "did you mean {names}?", listed(near, last="or")
    elif known:
        hint = f"{'it samples' if len(functions) == 1 else 'they sample'} {{names}}."
        names = listed(known)
    else:
        hint = "only numpyro.sample calls inside functions count, with the name as a string."
    unreadable = sum(len(function.unreadable) for function in functions)
    if unreadable == 1:
        hint += " (The name of one more can't be told: it can't be matched.)"
    elif unreadable:
        hint += " (The names of {unreadable} more can't be told: they can't be matched.)"
    return Problem(
        "no-such-site",
        OfSite(named.name),
        named.place,
        f"{where} no site '{{site}}'",
        hint,
        {"function": functions[0].name, "names": names, "unreadable": unreadable},
    )
