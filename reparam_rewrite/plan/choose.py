"""Which functions does a config speak of?"""

from __future__ import annotations

import re

from reparam_rewrite.config.rules import Config, Named
from reparam_rewrite.messages import Diagnostic, Refusal, listed, nearest
from reparam_rewrite.plan.globs import spelled_out
from reparam_rewrite.plan.pairs import children, named_sites
from reparam_rewrite.plan.traces import reached
from reparam_rewrite.survey.naming import may_be
from reparam_rewrite.survey.values import Function, Survey


def choose(survey: Survey, config: Config) -> list[Function]:
    """The functions to rewrite, in the order of the file.

    Those that `functions` lists; without it the only one that samples the configured sites.
    Raises `Refusal` if a listed function doesn't exist, if none samples a configured site, or if
    several do.
    """
    if config.functions:
        chosen = listed_functions(survey, config)
    else:
        chosen = [only_function(survey, config)]
    refuse_redefined(survey, chosen)
    refuse_enclosed(survey, chosen, config)
    known = {name for function in chosen for name in function.by_name}
    unknown = [named for named in named_sites(config) if named.name not in known]
    if unknown:
        raise Refusal([unknown_site(survey, config, named, chosen) for named in unknown])
    return chosen


def is_concerned(survey: Survey, config: Config) -> bool:
    """Does a file have any site that the config would offset? One of many in a tree may not."""
    config = spelled_out(survey, config)
    listed_names = {named.name for named in config.functions}
    return any(
        children(function, config)
        for name, function in survey.functions.items()
        if not listed_names or name in listed_names
    )


def refuse_redefined(survey: Survey, functions: list[Function]) -> None:
    """``if FAST: def model(): ...`` and ``else: def model(): ...``"""
    problems = []
    for function in functions:
        lines = survey.redefined.get(function.name)
        if lines:
            *others, last = [str(line) for line in lines]
            problems.append(
                Diagnostic(
                    function.place,
                    f"'{function.name}' is defined in more than one place "
                    f"(lines {', '.join(others)} and {last})",
                    "give each definition a name of its own.",
                    survey.line(function.place),
                )
            )
    if problems:
        raise Refusal(problems)


def refuse_enclosed(survey: Survey, functions: list[Function], config: Config) -> None:
    """``cond(x > 0, first, second, None)`` where `first` samples what is configured."""
    problems = []
    for function in functions:
        last = function.name.rpartition(".")[2]
        line = survey.enclosed.get(function.name)
        if line is None:
            continue
        named = {named.name for named in named_sites(config)}
        site = next((site for site in function.sites if site.name in named), None)
        place = site.place if site is not None else function.place
        what = f"'{site.name}' is sampled in '{last}', which" if site is not None else f"'{last}'"
        problems.append(
            Diagnostic(
                place,
                f"{what} is given to scan, cond or the like (line {line})",
                "sites there are only rewritten in a scan of NumPyro's without reverse= and "
                "history=, whose body is a function defined beside it and used nowhere else.",
                survey.line(place),
            )
        )
    if problems:
        raise Refusal(problems)


def listed_functions(survey: Survey, config: Config) -> list[Function]:
    problems = []
    for named in config.functions:
        if named.name in survey.functions:
            continue
        near = nearest(named.name, survey.functions) or [
            name for name in survey.functions if name.rpartition(".")[2] == named.name
        ]
        hint = (
            f"did you mean {listed(near, last='or')}?"
            if near
            else "it has " + (listed(survey.functions) or "no functions at all") + "."
        )
        problems.append(
            Diagnostic(
                named.place,
                f"{survey.path} has no function '{named.name}'",
                hint,
                config.source_line(named.place),
            )
        )
    if problems:
        raise Refusal(problems)
    wanted = {
        # The sites of a scan's body are those of the function that calls scan.
        survey.functions[named.name].runner or named.name
        for named in config.functions
    }
    return [function for name, function in survey.functions.items() if name in wanted]


def only_function(survey: Survey, config: Config) -> Function:
    """The function that samples most of the configured children and, among equals, parents."""
    wanted = {named.name for named in named_sites(config)}
    offset = {named.name for chain in config.chains for named in chain} | {*config.sites}
    score = {
        name: (
            len(offset & {*function.by_name}),
            len(wanted & {*function.by_name}),
            # A function that samples them itself, before one that calls it.
            sum(site.name in wanted and not site.through for site in function.sites),
        )
        for name, function in survey.functions.items()
        if not function.runner
    }
    best = max(score.values(), default=(0, 0, 0))
    if not any(best):
        functions = list(survey.functions.values())
        if not any(function.sites for function in functions):
            raise Refusal(nothing_sampled(survey))
        raise Refusal(
            [unknown_site(survey, config, named, functions) for named in named_sites(config)]
        )
    found = [survey.functions[name] for name, count in score.items() if count == best]
    if len(found) > 1:
        first = next(iter(named_sites(config)))
        names = listed(function.name for function in found)
        lines = ", ".join(f"{survey.path}:{function.place.line}" for function in found)
        raise Refusal(
            Diagnostic(
                first.place,
                f"{names} all sample the configured sites ({lines})"
                if len(found) > 2
                else f"both {names} sample the configured sites ({lines})",
                f'say which: functions = ["{found[0].name}"] at the top of {config.path}.',
                config.source_line(first.place),
            )
        )
    return found[0]


def nothing_sampled(survey: Survey) -> Diagnostic:
    """The file has no site at all: that is said once, not for every site of the config."""
    unreadable = [place for f in survey.functions.values() for place in f.unreadable]
    if unreadable:
        return Diagnostic(
            unreadable[0],
            "the model samples no site whose name can be told",
            "only those can be named in a config; give the sites literal names.",
            survey.line(unreadable[0]),
        )
    if not any(line.strip() for line in survey.lines):
        hint = "give it a function that samples a site, or name another file."
        return Diagnostic(survey.path, "the model is empty", hint)
    imported = {dotted.partition(".")[0] for dotted in survey.aliases.values()}
    if "numpyro" not in imported and not any(f.imports for f in survey.functions.values()):
        return Diagnostic(survey.path, "the model doesn't import numpyro", "is it the right file?")
    hint = "only calls inside functions count, of a numpyro.sample that the file imports."
    return Diagnostic(survey.path, "the model samples no site in any function", hint)


def is_template(site: str, name: str) -> bool:
    """Is it put together of more than what is computed, and may it come to be `name`?"""
    fixed = re.sub(r"\{[^{}]*\}|\*", "", site)
    return 0 < len(fixed) < len(site) and may_be(name, [site.replace("*", "{}")])


def unknown_site(
    survey: Survey, config: Config, named: Named, functions: list[Function]
) -> Diagnostic:
    # What only means something in a helper can't be written in a config, but a glob can.
    names = {site.name for function in functions for site in function.sites}
    known = sorted({re.sub(r"\{[^{}]*@[^{}]*\}", "*", name) for name in names})
    where = (
        f"'{functions[0].name}' samples"
        if len(functions) == 1
        else "the functions of the model file sample"
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
            f"{listed(helpers, last='or')} may sample it, and isn't called in a way that can be "
            "followed: write out its parameters and arguments, and call it by its name."
        )
    elif near:
        hint = f"did you mean {listed(near, last='or')}?"
    elif known:
        hint = f"{'it samples' if len(functions) == 1 else 'they sample'} {listed(known)}."
    else:
        hint = "only numpyro.sample calls inside functions count, with the name as a string."
    unreadable = sum(len(function.unreadable) for function in functions)
    if unreadable == 1:
        hint += " (The name of one more can't be told: it can't be matched.)"
    elif unreadable:
        hint += f" (The names of {unreadable} more can't be told: they can't be matched.)"
    return Diagnostic(
        named.place,
        f"{where} no site '{named.name}'",
        hint,
        config.source_line(named.place),
    )
