"""Every reason not to rewrite what a config asks for.

A rule yields the `Problem` that it finds, if any. All are gathered before anything is refused, so
that a person sees the whole list at once.
"""

from __future__ import annotations

from collections.abc import Iterator

from reparam_rewrite.messages import Problem
from reparam_rewrite.plan.children import Child, about
from reparam_rewrite.plan.refusals.child import child_problems
from reparam_rewrite.plan.refusals.handlers import handler_problems
from reparam_rewrite.plan.refusals.parent import parent_problems
from reparam_rewrite.survey.functions import Survey


def problems_of(survey: Survey, child: Child, asked: set[tuple[str, str]]) -> Iterator[Problem]:
    """What speaks against a child and its parents.

    `asked` are the names of all pairs of its function, the child's first.
    """
    running = survey.running(child.function.name)
    yield from child_problems(survey, child, running)
    yield from handler_problems(survey, child, running)
    for pair in child.all_pairs:
        if pair.site is not None:
            backwards = (pair.parent, pair.child) in asked
            yield from parent_problems(child, pair, pair.site, backwards=backwards)
        elif pair.value is None:  # ``mu = true`` in a's offset, where another function samples mu
            yield about(
                pair,
                "no-such-parent",
                "'{function}' samples no site '{parent}'",
                "every parent must be sampled in the same function as its child.",
                function=child.function.name,
            )
