"""Reasons why it can't be told which functions a config means, and which sites of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence, Set

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
from reparam_rewrite.survey.functions import Function, Survey, reached
from reparam_rewrite.survey.names import may_be
from reparam_rewrite.survey.nodes import root_of, walk
from reparam_rewrite.survey.transformed import transformed_by


def no_such_function(survey: Survey, named: Named) -> Problem:
    """``functions = ["modle"]``"""
    near = nearest(named.name, survey.own) or [
        name for name in survey.own if name.rpartition(".")[2] == named.name
    ]
    return Problem(
        "no-such-function",
        OfFunction(named.name),
        named.place,
        "{path} has no function '{function}'",
        "did you mean {near}?" if near else "it has {known}.",
        {
            "path": survey.path,
            "near": listed(near, last="or"),
            "known": listed(survey.own) or "no functions at all",
        },
    )


def several_functions(functions: Sequence[Function], place: Place, config: str) -> Problem:
    """``def model(): ...`` and ``def other(): ...``, and both sample what the config names."""
    names = listed(function.name for function in functions)
    return Problem(
        "several-functions",
        OfFunction(functions[0].name),
        place,
        f"{'{names} all' if len(functions) > 2 else 'both {names}'} sample the configured sites "
        "({places:path})",
        'say which: functions = ["{function}"] at the top of {config}.',
        {"names": names, "places": tuple(f.place for f in functions), "config": config},
    )


def redefined(survey: Survey, functions: Sequence[Function]) -> Iterator[Problem]:
    """``if FAST: def model(): ...`` and ``else: def model(): ...``"""
    for function in functions:
        lines = survey.redefined.get(function.name)
        if lines:
            yield Problem(
                "function-redefined",
                OfFunction(function.name),
                function.place,
                "'{function}' is defined in more than one place ({places})",
                "give each definition a name of its own.",
                {"places": tuple(map(function.place.at, lines))},
            )


def transformed(survey: Survey, functions: Sequence[Function]) -> Iterator[Problem]:
    """``@jax.jit def model(): ...``"""
    for function in functions:
        found = transformed_by(survey, function)
        if found is None:
            continue
        by, line = found
        yield Problem(
            "transformed",
            OfFunction(function.name),
            function.place.at(line),
            "{by} is around '{function}', and NumPyro doesn't see what is sampled inside of it",
            "take it off: MCMC, SVI and Predictive compile the model that they are given.",
            {"by": by, "function": function.name},
        )


#: How a function is run that others run, and the way out; then of a scan that runs backwards.
RUN = (
    (
        "run-by-control-flow",
        "is given to scan, cond or the like ({at})",
        "sites there are only rewritten in a scan of NumPyro's without reverse= and history=, "
        "whose body is a function defined beside it and used nowhere else.",
    ),
    (
        "scan-reversed",
        "is run by a scan with reverse= ({at}): NumPyro records the values of its sites in the "
        "order of xs, but gives them to its steps in the other one, so that draws can't be used "
        "again",
        "scan forward, over xs in the other order, such as x[::-1], and reverse what comes back.",
    ),
)


def run_by_others(
    survey: Survey, functions: Sequence[Function], sites: Set[str]
) -> Iterator[Problem]:
    """``cond(x > 0, first, second, None)`` where `first` samples one of `sites`."""
    for function in functions:
        line = survey.enclosed.get(function.name)
        if line is None or transformed_by(survey, function):
            continue
        site = next((site for site in function.sites if site.name in sites), None)
        what = "'{site}' is sampled in '{body}', which" if site is not None else "'{body}'"
        code, text, hint = RUN[function.name in survey.backwards]
        yield Problem(
            code,
            OfFunction(function.name) if site is None else OfSite(site.name),
            function.place if site is None else site.place,
            f"{what} {text}",
            hint,
            {"body": function.name.rpartition(".")[2], "at": function.place.at(line)},
        )


def nothing_sampled(survey: Survey) -> Problem:
    """A file without any site: that is said once, not for every site of the config."""
    functions, place = survey.own.values(), survey.path
    unreadable = [place for function in functions for place in function.unreadable]
    imported = {dotted.partition(".")[0] for dotted in survey.aliases.values()}
    if unreadable:
        text = "the model samples no site whose name can be told"
        hint = "only those can be named in a config; give the sites literal names."
    elif not any(line.strip() for line in survey.lines):
        text = "the model is empty"
        hint = "give it a function that samples a site, or name another file."
    elif "numpyro" not in imported and not any(function.imports for function in functions):
        text, hint = "the model doesn't import numpyro", "is it the right file?"
    else:
        text = "the model samples no site in any function"
        hint = "only calls inside functions count, of a numpyro.sample that the file imports."
    hint, elsewhere = hint + ELSEWHERE, of_other_files(survey, "", [*functions])
    at, parts = next(iter(unreadable), place), {"elsewhere": elsewhere}
    return Problem("nothing-sampled", OfFile(), at, text, hint, parts)


def no_such_site(survey: Survey, named: Named, functions: Sequence[Function]) -> Problem:
    """``chain = ["mu", "aa"]``, where the functions sample ``mu`` and ``a``."""
    one = len(functions) == 1
    # What only means something in a helper can't be written in a config, but a glob can.
    sites = {site.name for function in functions for site in function.sites}
    known = sorted({re.sub(r"\{[^{}]*@[^{}]*\}", "*", name) for name in sites})
    # ``c_W_emb``, of ``f"{cls}_W_emb"``, if that is put together of more than what is computed
    fixed = {site: re.sub(r"\{[^{}]*\}|\*", "", site) for site in known}
    templates = [site for site in known if 0 < len(fixed[site]) < len(site)]
    near = [one for one in templates if may_be(named.name, [one.replace("*", "{}")])]
    inside = [one for one in known if re.search(rf"\W{re.escape(one)}$", named.name)]
    near = near or inside or nearest(named.name, known)  # "a" for "one/a", too
    helpers = [] if near else unfollowed_helpers(survey, named.name, functions)
    if helpers:
        hint = (
            "{names} may sample it, and isn't called in a way that can be followed: write out "
            "its parameters and arguments, and call it by its name."
        )
    elif near:
        hint = "did you mean {names}?"
    elif known:
        hint = f"{'it samples' if one else 'they sample'} {{names}}."
    else:
        hint = "only numpyro.sample calls inside functions count, with the name as a string."
    unreadable = sum(len(function.unreadable) for function in functions)
    if unreadable == 1:
        hint += " (The name of one more can't be told: it can't be matched.)"
    elif unreadable:
        hint += " (The names of {unreadable} more can't be told: they can't be matched.)"
    hint, elsewhere = hint + ELSEWHERE, of_other_files(survey, named.name, functions)
    where = "'{function}' samples" if one else "the functions of the model file sample"
    names = listed(helpers or near, last="or") or listed(known)
    return Problem(
        "no-such-site",
        OfSite(named.name),
        named.place,
        f"{where} no site '{{site}}'",
        hint,
        {
            "function": functions[0].name,
            "names": names,
            "unreadable": unreadable,
            "elsewhere": elsewhere,
        },
    )


#: What is said of other files at the end of a hint, if there is anything to say.
ELSEWHERE = "{elsewhere}"


def of_other_files(survey: Survey, name: str, functions: Sequence[Function]) -> str:
    """What may sample a site, or any, of other files: sentences, each with a blank before it.

    Functions of other files that no call leads to, and what is called of which nothing is known.
    """
    running = reached(survey.calls, {function.name for function in functions})
    there = [f for other, f in survey.functions.items() if other not in survey.own]
    told = [
        f" '{function.name}' samples it, of another file: {place.path}:{place.line}. Only what "
        "is called by its name can be followed there."
        for function in there
        if function.name not in running
        for site in (function.find(name) if name else function.sites)[:1]
        for place in [survey.place(site.place)]
    ]
    nodes = [survey.functions[one].node for one in sorted(running & survey.functions.keys())]
    calls = [part.func for node in nodes for part in walk(node) if isinstance(part, ast.Call)]
    called = {root.id for root in map(root_of, calls) if isinstance(root, ast.Name)}
    told += [
        f" '{one.name}' of '{one.module}' may sample it, and can't be read: {one.why}."
        for one in survey.missing
        if one.root in called and not told
    ]
    return "".join(told)


def unfollowed_helpers(survey: Survey, name: str, functions: Sequence[Function]) -> list[str]:
    """What the functions call that may sample a site, in a way that the survey can't follow."""
    own = {function.name for function in functions}
    followed = {site.through for function in functions for site in function.sites}
    return [
        helper
        for helper in sorted(reached(survey.calls, own) - own - followed)
        if helper in survey.functions
        and may_be(name, [site.name for site in survey.functions[helper].sites])
    ]
