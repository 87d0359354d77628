"""Reasons why what is asked for can't be done together, or not beside the comments of the model.

Two params may have one name, and two rewrites may meet in one statement or at one site.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby

from msgspec import Struct

from reparam_rewrite.messages import OfFile, OfSite, Place, Problem
from reparam_rewrite.plan.children import Asked, Child, left_alone
from reparam_rewrite.plan.values import Coefficient, OffsetRewrite, Rewrite, terms_of
from reparam_rewrite.survey.functions import Survey
from reparam_rewrite.survey.values import SKIP, Comment


class WantedParam(Struct, frozen=True):
    """A param that a child asks for: where, and what it is, in words and as a value.

    `again` are the words where another coefficient has just been spoken of.
    """

    name: str
    place: Place
    what: str
    asked: Asked
    again: str = ""


def params_of(child: Child) -> Iterator[WantedParam]:
    """The params that the generated code has for a child."""
    site = child.name
    for pair in child.pairs:
        if pair.coefficient.learn:
            what = f"of '{pair.parent}' in '{pair.child}'"
            name, words = pair.coefficient.name, (f"the coefficient {what}", f"that {what}")
            yield WantedParam(name, pair.place, words[0], pair, words[1])
    learned, by = child.scale_coefficient, child.reparam
    if learned is not None:
        what = "scale" if child.centered is None else "centring"
        yield WantedParam(learned.name, learned.place, f"the {what} of '{site}'", child)
    if by is not None and by.name == "LocScaleReparam" and "centered" not in dict(by.arguments):
        yield WantedParam(f"{site}_centered", by.place, f"the centring of '{site}'", child)


def param_problems(survey: Survey, children: list[Child]) -> Iterator[Problem]:
    """Two coefficients with ``name = "xi"``, or one that is named like a site of its model.

    That two places of one site, in two branches, share their coefficients is as it should be.
    """
    hint = 'give it another name: {{ name = "..." }}, or use {{child}} and {{parent}} in it.'
    seen: dict[tuple[str, str], WantedParam] = {}  # by function and name
    for own, group in groupby(children, key=lambda child: child.function.name):
        others = sorted(survey.together(own) & survey.functions.keys())
        taken = {name for other in others for name in survey.functions[other].taken}
        asked = list(group)
        taken |= {child.base for child in asked}
        for param in (param for child in asked for param in params_of(child)):
            name, parts = param.name, {"what": param.what, "name": param.name}
            other = next((seen[o, name] for o in others if (o, name) in seen), None)
            seen.setdefault((own, name), param)
            if other is not None and other.what != param.what:
                code, text = "param-named-twice", "{what} would be named '{name}', as {other} is"
                parts["other"] = other.again or other.what
            elif other is None and name in taken:
                code = "param-named-as-a-site"
                text = "{what} would be named '{name}', which the model has already"
            else:
                continue
            yield param.asked.problem(code, text, hint, param.place, **parts)


def moved_from_company(rewrites: list[Rewrite]) -> Iterable[Problem]:
    """``a = sample("a", Normal(sample("b", ...), x))`` with both rewritten, and a's prior moved."""
    # By the statement that samples a child, or the part of a conditional expression in that.
    parts = [(one.function, one.site.statement, one.site.choices) for one in rewrites]
    count = Counter(parts)
    for rewrite, part in zip(rewrites, parts, strict=True):
        prior = rewrite.prior if isinstance(rewrite, OffsetRewrite) else None
        if prior is not None and prior.moved and count[part] > 1:
            yield Asked(rewrite.site).problem(
                "prior-moves-from-others",
                "'{site}' shares its statement with another rewritten site, and its prior would "
                "have to move",
                "give each a statement of its own.",
            )


def centred_in_plates(rewrites: Iterable[Rewrite]) -> Iterator[Problem]:
    """``centered = { coefficient = "elementwise" }``, and the handler is inside of a plate.

    There a prior that is the same for all elements doesn't have its axis yet, and NumPyro makes
    another one of it and the elements of the centring, which do.
    """
    for rewrite in rewrites:
        centring = rewrite.centring if isinstance(rewrite, OffsetRewrite) else None
        param, site = centring.centered if centring is not None else None, rewrite.site
        each = isinstance(param, Coefficient) and param.sizes != ()
        batch, axes = site.prior.batch, site.extent.batch
        has_axes = batch is not None and axes is not None and len(batch) == len(axes)
        has_axes = has_axes and not any(axis.unit for axis in batch or ())
        plated = [frame.statement for frame in site.frames if frame.plates]
        inside = bool(plated) and rewrite.place.join != plated[0]
        if each and inside and not has_axes:
            yield Asked(site).problem(
                "centred-in-a-plate",
                "'{site}' is sampled in a plate together with others ({at}), where its prior "
                "doesn't show to have an element for each of its centrings",
                'use coefficient = "shared", or a with of its own that has all its plates.',
            )


def offset_twice(rewrites: list[Rewrite]) -> Iterable[Problem]:
    """``r`` is offset in a helper and where that is called: only the inner handler finds it."""
    own = {(rewrite.function, rewrite.site.name) for rewrite in rewrites}
    for rewrite in rewrites:
        site = rewrite.site
        if site.through and (site.through, site.name) in own:
            label = next((term.label for term in terms_of(rewrite)), "")
            way_out = "take '{helper}' out of 'functions'."
            if label:
                way_out = (
                    "drop what it is offset by in one of the two: {label} = false in "
                    "[sites.{site}.offset], for example."
                )
            yield Asked(site).problem(
                "offset-twice",
                "'{site}' would be offset where '{helper}' is called and again inside of that, "
                "which NumPyro doesn't do twice",
                way_out,
                label=label,
            )


def comment_problems(survey: Survey, children: list[Child]) -> Iterator[Problem]:
    """Every ``# reparam: skip`` that can't be followed; `children` are all that are asked for.

    Where it can't be told what a comment is about nothing is done, as a site that is rewritten
    although a comment seems to say otherwise would mislead.
    """
    found: list[tuple[Comment, OfFile | OfSite]] = [(comment, OfFile()) for comment in survey.stray]
    found += [(comment, OfSite(one.name)) for one in children for comment in one.site.comments]
    for comment, about in found:
        if comment.kind == "misspelt":  # ``# reparam: skpi``
            text = "'{comment}' is not a comment that the rewriter knows"
            code, hint = "comment-misspelt", "did you mean '{skip}'?"
        elif isinstance(about, OfFile):  # ``n = 3  # reparam: skip``
            text = "'{comment}' stands on no statement that samples, and would do nothing"
            hint = "put it at the end of a line of the statement that samples the site."
            code = "comment-on-no-site"
        else:
            continue
        parts = {"comment": comment.text, "skip": SKIP}
        yield Problem(code, about, comment.place, text, hint, parts)
    functions = {child.function.name: child.function for child in children}
    for child in left_alone(children):  # in one of two branches: is the other to be rewritten?
        together = sorted(survey.together(child.function.name) & functions.keys())
        bare, marked = list[Place](), list[Place]()
        for places in (functions[name].find(child.name) for name in together):
            # Not where it is observed, unless it always is.
            for site in [site for site in places if not site.observed] or places:
                (marked if site.skip else bare).append(site.place)
        if bare:
            text = "'{site}' is sampled here too, without the '{skip}' that it has in {at}"
            hint = "put the comment on each of its statements, or on none."
            yield child.problem("partly-skipped", text, hint, bare[0], skip=SKIP, at=marked[0])
