"""Reasons why a site or a param can't have the name that it would get: the model has it already."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from reparam_rewrite.messages import About, OfSite, Place, Problem
from reparam_rewrite.plan.children import Child, Found
from reparam_rewrite.plan.refusals.asked import AskedChild
from reparam_rewrite.reparameterizers import REPARAMETERIZERS
from reparam_rewrite.survey.functions import Survey


def base_taken(asked: AskedChild) -> Problem | None:
    """``a_base = sample("a_base", ...)`` beside the child ``a``."""
    by = asked.child.reparam
    template = "{}_base" if by is None else REPARAMETERIZERS[by.name].base
    base = template.format(asked.site.name)
    if base not in asked.function.taken:
        return None
    return asked.problem(
        "base-taken",
        "'{site}' would be sampled as '{base}', which the model has already",
        "rename that site.",
        base=base,
    )


def param_problems(survey: Survey, functions: Found) -> Iterator[Problem]:
    """Two coefficients with ``name = "xi"``, or one that is named like a site of its model.

    That two places of one site, in two branches, share their coefficients is as it should be.
    """
    hint = 'give it another name: {{ name = "..." }}, or use {{child}} and {{parent}} in it.'
    seen: dict[tuple[str, str], WantedParam] = {}  # by function and name
    for function, children in functions:
        others = sorted(survey.together(function.name) & survey.functions.keys())
        taken = {name for other in others for name in survey.functions[other].taken}
        taken |= {f"{child.site.name}_base" for child in children}
        for param in (param for child in children for param in params_of(child)):
            name, parts = param.name, {"what": param.what, "name": param.name}
            other = next((seen[o, name] for o in others if (o, name) in seen), None)
            seen.setdefault((function.name, name), param)
            if other is not None and other.what != param.what:
                code, text = "param-named-twice", "{what} would be named '{name}', as {other} is"
                parts["other"] = other.again or other.what
            elif other is None and name in taken:
                code = "param-named-as-a-site"
                text = "{what} would be named '{name}', which the model has already"
            else:
                continue
            yield Problem(code, param.about, param.place, text, hint, parts)


class WantedParam(Struct, frozen=True):
    """A param that a child asks for: where, and what it is, in words and as a value.

    `again` are the words where another coefficient has just been spoken of.
    """

    name: str
    place: Place
    what: str
    about: About
    again: str = ""


def params_of(child: Child) -> Iterator[WantedParam]:
    about, site = OfSite(child.site.name), child.site.name
    for pair in child.pairs:
        if pair.coefficient.learn:
            what = f"of '{pair.parent}' in '{pair.child}'"
            name, words = pair.coefficient.name, (f"the coefficient {what}", f"that {what}")
            yield WantedParam(name, pair.place, words[0], pair.about, words[1])
    learned, by = child.scale_coefficient, child.reparam
    if learned is not None:
        yield WantedParam(learned.name, learned.place, f"the scale of '{site}'", about)
    if by is not None and by.name == "LocScaleReparam" and "centered" not in dict(by.arguments):
        yield WantedParam(f"{site}_centered", by.place, f"the centring of '{site}'", about)
