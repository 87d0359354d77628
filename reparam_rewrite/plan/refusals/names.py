"""Reasons why a site or a param can't have the name that it would get: the model has it already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reparam_rewrite.messages import OfSite, Place, Problem
from reparam_rewrite.plan.children import Child, Found
from reparam_rewrite.plan.refusals.asked import AskedChild
from reparam_rewrite.plan.traces import together
from reparam_rewrite.reparameterizers import REPARAMETERIZERS
from reparam_rewrite.survey.values import Survey


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
    seen: dict[tuple[str, str], str] = {}  # what has it, by function and name
    for function, children in functions:
        others = together(survey, function)
        taken = {name for other in others for name in survey.functions[other].taken}
        taken |= {f"{child.site.name}_base" for child in children}
        for child in children:
            about = OfSite(child.site.name)
            for name, place, what in params_of(child):
                other = next((seen[o, name] for o in sorted(others) if (o, name) in seen), None)
                seen.setdefault((function.name, name), what)
                parts = {"what": what, "name": name}
                if other is not None and other != what:
                    parts["other"] = other.replace("the coefficient of", "that of")
                    text = "{what} would be named '{name}', as {other} is"
                    yield Problem("param-named-twice", about, place, text, hint, parts)
                elif other is None and name in taken:
                    text = "{what} would be named '{name}', which the model has already"
                    yield Problem("param-named-as-a-site", about, place, text, hint, parts)


def params_of(child: Child) -> Iterable[tuple[str, Place, str]]:
    """The params that a child asks for: name, place, and what they are in words."""
    for pair in child.pairs:
        if pair.coefficient.learn:
            name = pair.coefficient.name
            yield name, pair.place, f"the coefficient of '{pair.parent}' in '{pair.child}'"
    learned, by = child.scale_coefficient, child.reparam
    if learned is not None and child.scale is not None:
        yield learned.name, child.scale.place, f"the scale of '{child.site.name}'"
    if by is not None and by.name == "LocScaleReparam" and "centered" not in dict(by.arguments):
        yield f"{child.site.name}_centered", by.place, f"the centring of '{child.site.name}'"
