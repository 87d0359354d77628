"""A config may name a site by a name that it has when the model runs, ``b_age`` of ``b_{name}``."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable

from msgspec.structs import replace

from reparam_rewrite.plan.children import Child
from reparam_rewrite.plan.reparameterized import sampled_instead
from reparam_rewrite.survey.calls import argument
from reparam_rewrite.survey.expressions import parsed
from reparam_rewrite.survey.functions import Function, Survey
from reparam_rewrite.survey.names import may_be
from reparam_rewrite.survey.values import Handler, Site

#: What a name has that is a glob, or a template itself.
UNPLAIN = frozenset("*?{")


def missing(survey: Survey, names: Iterable[str]) -> list[str]:
    """Those of some names, each once, that no site has in the file, but for globs and templates."""
    known = {name for function in survey.own.values() for name in function.by_name}
    return [one for one in dict.fromkeys(names) if one not in known and not UNPLAIN & {*one}]


def plain_name(survey: Survey, name: str) -> str:
    """What a site is called in the file that handlers call `name`; empty if none or several are."""
    functions = survey.own.values()
    found = {
        (site.name, len(function.find(site.name)))
        for function in functions
        for site in function.sites
        if name.startswith(site.name) or name.endswith(site.name)
        if name in (in_scopes(site), sampled_instead(survey, function, site))
    }
    return next(iter(found))[0] if [count for _, count in found] == [1] else ""


def in_scopes(site: Site) -> str:
    """What the scopes around a site make of its name, if they show: "one/a" """
    name = site.name
    for frame in reversed(site.all_frames):
        for item in reversed(frame.items):
            if not isinstance(item, Handler) or item.qualified != "numpyro.handlers.scope":
                continue
            made = parsed(item.text)
            assert isinstance(made, ast.Call)
            match [argument(made, 1, "prefix"), argument(made, 2, "divider")]:
                case [ast.Constant(value=str(prefix)), None]:
                    name = f"{prefix}/{name}"
                case [ast.Constant(value=str(prefix)), ast.Constant(value=str(divider))]:
                    name = f"{prefix}{divider}{name}"
    return name


def with_names(survey: Survey, names: Iterable[str]) -> Survey:
    """The survey with a site for each of some names that only a template may be.

    Where it shows which names the template has, it has to be among them; where it doesn't, it has
    to fit, and no other template may.
    """
    wanted = missing(survey, names)
    if not wanted:
        return survey
    functions = {name: named(f, wanted) for name, f in survey.own.items()}
    return replace(survey, functions={**survey.functions, **functions})


def named(function: Function, names: list[str]) -> Function:
    """A function with the sites of its templates that have one of some names."""
    templates = [site for site in function.sites if site.call.computed]
    found: dict[int, list[str]] = {}
    for name in names:
        fitting = [site for site in templates if has_name(site, name)]
        if len(fitting) == 1:
            found.setdefault(fitting[0].index, []).append(name)
    if not found:
        return function
    sites: list[Site] = []
    for site in function.sites:
        sites.append(site)
        sites += [one_of(site, name) for name in found.get(site.index, [])]
    return replace(function, sites=sites)


def has_name(site: Site, name: str) -> bool:
    """May a template have a name when the model runs?"""
    if site.call.names is not None:
        return name in site.call.names
    return bool(re.sub(r"\{[^{}]*\}", "", site.name)) and may_be(name, [site.name])


def one_of(template: Site, name: str) -> Site:
    """The site that a template is in the round in which it has a name."""
    call = template.call
    quote = repr if "'" in call.name.text and not template.through else json.dumps
    written = replace(call.name, text=quote(name))
    # What is asked of a prior that the rounds of a comprehension make is asked in its own round.
    told = names_in(call.prior.text) if call.prior is not None else set()
    own_round = (*call.rounds, f"if {call.name.text} == {written.text}:")
    rounds = own_round if call.rounds and not told.isdisjoint(call.bound) else ()
    obstacles = tuple(why for why in call.obstacles if why != "chosen")
    own = replace(
        call,
        name=written,
        computed=False,
        template=template.name,
        rounds=rounds,
        obstacles=obstacles,
    )
    return replace(template, name=name, call=own)


def check_rounds(child: Child, *texts: str) -> None:
    """Raises `Stop` where a param's shape is another one in other rounds of a loop.

    It would have that of the first, in which the site has another name.
    """
    call = child.site.call
    if call.template and not call.rounds and any(call.bound & names_in(text) for text in texts):
        raise child.stop(
            "shape-of-the-round",
            "the shape of '{site}' depends on the round of its loop ({at}), and a coefficient of "
            "'{template}' would have that of the first",
            "ask for '{template}', or use coefficient = \"shared\".",
            template=call.template,
        )


def names_in(text: str) -> set[str]:
    return {part.id for part in ast.walk(parsed(text)) if isinstance(part, ast.Name)}


def in_one_round(site: Site, other: Site) -> bool:
    """Have both their names in one round of one loop? ``tau_age`` and ``b_age``"""
    loops = [[f.statement for f in one.frames if f.kind == "for"][-1:] for one in (site, other)]
    values = [value_of_hole(one.call.template, one.name) for one in (site, other)]
    return bool(loops[0]) and loops[0] == loops[1] and None not in values and values[0] == values[1]


def value_of_hole(template: str, name: str) -> tuple[str, str] | None:
    """What the only hole of a template stands for in a name: ("{k}", "age")"""
    match re.split(r"(\{[^{}]*\})", template):
        case [before, hole, after] if name.startswith(before) and name.endswith(after):
            return hole, name[len(before) : len(name) - len(after)]
    return None
