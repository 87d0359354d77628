"""Reasons why a comment can't do what it seems to say: ``# reparam: skip``.

Where it can't be told what a comment is about nothing is done, as a site that is rewritten although
a comment seems to say otherwise would mislead.
"""

from __future__ import annotations

from collections.abc import Iterator

from reparam_rewrite.messages import About, OfFile, OfSite, Place, Problem
from reparam_rewrite.plan.children import Child, about, left_alone
from reparam_rewrite.survey.functions import Survey
from reparam_rewrite.survey.values import SKIP, Comment


def comment_problems(survey: Survey, children: list[Child]) -> Iterator[Problem]:
    """Every comment that can't be followed; `children` are all that the config asks for."""
    for comment in survey.stray:
        if comment.kind == "misspelt":
            yield misspelt(comment, OfFile())
        else:  # ``n = 3  # reparam: skip``
            yield Problem(
                "comment-on-no-site",
                OfFile(),
                comment.place,
                "'{comment}' stands on no statement that samples, and would do nothing",
                "put it at the end of a line of the statement that samples the site.",
                {"comment": comment.text},
            )
    for child in children:
        for comment in child.site.comments:
            if comment.kind == "misspelt":
                yield misspelt(comment, OfSite(child.name))
    yield from partly_skipped(survey, children)


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


def partly_skipped(survey: Survey, children: list[Child]) -> Iterator[Problem]:
    """A site of two branches with the comment in one of them: is the other to be rewritten?"""
    functions = {child.function.name: child.function for child in children}
    for child in left_alone(children):
        together = survey.together(child.function.name)
        bare: list[Place] = []
        marked: list[Place] = []
        for name in sorted(together & functions.keys()):
            found = functions[name].find(child.name)
            # Not where it is observed, unless it always is.
            for site in [site for site in found if not site.observed] or found:
                (marked if site.skip else bare).append(site.place)
        if bare:
            text = "'{site}' is sampled here too, without the '{skip}' that it has in {at}"
            hint = "put the comment on each of its statements, or on none."
            yield about(child, "partly-skipped", text, hint, bare[0], skip=SKIP, at=marked[0])
