"""Sites that the model itself says are to be left alone: ``# reparam: skip``.

They stay parents of others. Where it can't be told what a comment is about nothing is done, as a
site that is rewritten although a comment seems to say otherwise would mislead.
"""

from __future__ import annotations

from collections.abc import Iterator

from reparam_rewrite.messages import Problem
from reparam_rewrite.plan.pairs import Child
from reparam_rewrite.plan.refusals import told
from reparam_rewrite.plan.traces import together
from reparam_rewrite.survey.values import Comment, Function, Site, Survey

Found = list[tuple[Function, list[Child]]]

SKIP = "# reparam: skip"


def left_alone(functions: Found) -> Found:
    """The children that are skipped, by their functions; of several places, the first."""
    found: Found = []
    for function, children in functions:
        skipped = {child.site.name: child for child in children[::-1] if child.site.skip}
        if skipped:
            found.append((function, list(skipped.values())[::-1]))
    return found


def to_rewrite(functions: Found) -> Found:
    """The functions that have other children, with those."""
    found = [
        (function, [c for c in children if not c.site.skip]) for function, children in functions
    ]
    return [(function, children) for function, children in found if children]


def comment_problems(survey: Survey, functions: Found) -> Iterator[Problem]:
    """Comments that can't do what they seem to say."""
    for comment in survey.stray:
        yield (
            misspelt(comment)
            if comment.kind == "misspelt"
            else told(
                comment.place,
                f"'{comment.text}' stands on no statement that samples, and would do nothing",
                "put it at the end of a line of the statement that samples the site.",
            )
        )
    seen: set[Comment] = set()
    for _, children in functions:
        for child in children:
            for comment in child.site.comments:
                if comment.kind == "misspelt" and comment not in seen:
                    seen.add(comment)
                    yield misspelt(comment)
    yield from partly_skipped(survey, functions)


def misspelt(comment: Comment) -> Problem:
    return told(
        comment.place,
        f"'{comment.text}' is not a comment that the rewriter knows",
        f"did you mean '{SKIP}'?",
    )


def partly_skipped(survey: Survey, functions: Found) -> Iterator[Problem]:
    """A site of two branches with the comment in one of them: is the other to be rewritten?"""
    by_name = {function.name: function for function, _ in functions}
    for function, children in left_alone(functions):
        others = [by_name[name] for name in sorted(together(survey, function)) if name in by_name]
        for child in children:
            places = [place for other in others for place in places_of(other, child.site.name)]
            bare = [place.place for place in places if not place.skip]
            if bare:
                marked = [place.place.line for place in places if place.skip]
                yield told(
                    bare[0],
                    f"'{child.site.name}' is sampled here too, without the '{SKIP}' that it has "
                    f"in line {marked[0]}",
                    "put the comment on each of its statements, or on none.",
                )


def places_of(function: Function, name: str) -> list[Site]:
    """Where a site is sampled, and not observed unless it always is."""
    places = function.find(name)
    return [place for place in places if not place.observed] or places


def remarks(site: Site) -> Iterator[str]:
    """What the account says of a comment on a rewritten site that may be prose."""
    for comment in site.comments:
        if comment.kind == "unknown":
            yield f"'{comment.text}' does nothing: '{SKIP}' would leave the site alone"
