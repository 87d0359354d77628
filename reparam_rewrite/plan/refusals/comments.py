"""Reasons why a comment can't do what it seems to say: ``# reparam: skip``.

Where it can't be told what a comment is about nothing is done, as a site that is rewritten although
a comment seems to say otherwise would mislead.
"""

from __future__ import annotations

from collections.abc import Iterator

from reparam_rewrite.messages import About, OfFile, OfSite, Problem
from reparam_rewrite.plan.children import Found, left_alone
from reparam_rewrite.survey.functions import Function, Survey
from reparam_rewrite.survey.values import SKIP, Comment, Site


def comment_problems(survey: Survey, functions: Found) -> Iterator[Problem]:
    """Every comment that can't be followed; `functions` have all that the config asks for."""
    for comment in survey.stray:
        yield misspelt(comment, OfFile()) if comment.kind == "misspelt" else stray(comment)
    for _, children in functions:
        for child in children:
            for comment in child.site.comments:
                if comment.kind == "misspelt":
                    yield misspelt(comment, OfSite(child.site.name))
    yield from partly_skipped(survey, functions)


def misspelt(comment: Comment, about: About) -> Problem:
    """``# reparam: skpi``"""
    return Problem(
        "comment-misspelt",
        about,
        comment.place,
        "'{comment}' is not a comment that the rewriter knows",
        "did you mean '{skip}'?",
        {"comment": comment.text, "skip": SKIP},
    )


def stray(comment: Comment) -> Problem:
    """``n = 3  # reparam: skip``"""
    return Problem(
        "comment-on-no-site",
        OfFile(),
        comment.place,
        "'{comment}' stands on no statement that samples, and would do nothing",
        "put it at the end of a line of the statement that samples the site.",
        {"comment": comment.text},
    )


def partly_skipped(survey: Survey, functions: Found) -> Iterator[Problem]:
    """A site of two branches with the comment in one of them: is the other to be rewritten?"""
    by_name = {function.name: function for function, _ in functions}
    for function, children in left_alone(functions):
        together = survey.together(function.name)
        others = [by_name[name] for name in sorted(together & by_name.keys())]
        for child in children:
            places = [place for other in others for place in places_of(other, child.site.name)]
            bare = [place.place for place in places if not place.skip]
            if bare:
                marked = next(place.place for place in places if place.skip)
                yield Problem(
                    "partly-skipped",
                    OfSite(child.site.name),
                    bare[0],
                    "'{site}' is sampled here too, without the '{skip}' that it has in {at}",
                    "put the comment on each of its statements, or on none.",
                    {"skip": SKIP, "at": marked},
                )


def places_of(function: Function, name: str) -> list[Site]:
    """Where a site is sampled, and not observed unless it always is."""
    places = function.find(name)
    return [place for place in places if not place.observed] or places
