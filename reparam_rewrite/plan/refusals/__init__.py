"""Every reason not to rewrite what a config asks for, one function each.

A rule returns the `Problem` that it finds, or None. All are gathered before anything is refused,
so that a person sees the whole list at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reparam_rewrite.messages import Diagnostic, Place, Problem, Refusal
from reparam_rewrite.plan.children import Child, Pair, Quoted
from reparam_rewrite.plan.refusals import child as of_child
from reparam_rewrite.plan.refusals import handlers as of_handlers
from reparam_rewrite.plan.refusals.asked import AskedChild, AskedPair
from reparam_rewrite.plan.refusals.names import base_taken
from reparam_rewrite.plan.refusals.parent import parent_problems
from reparam_rewrite.survey.functions import Function, Survey

CHILD_RULES = (*of_child.RULES, *of_handlers.RULES, base_taken)


def problems_of(
    survey: Survey, function: Function, child: Child, asked_for: set[tuple[str, str]]
) -> Iterator[Problem]:
    """What speaks against a child and its parents; `asked_for` are all pairs of the function.

    They are names, the child's first.
    """
    asked = AskedChild(survey, function, child)
    yield from of_child.obstacles(asked)
    yield from filter(None, (rule(asked) for rule in CHILD_RULES))
    for pair in [*child.pairs, *([child.by] if child.by is not None else [])]:
        if pair.site is not None:
            backwards = (pair.parent, pair.child) in asked_for
            yield from parent_problems(AskedPair(function, child.site, pair.site, pair, backwards))
        elif pair.value is None:
            yield no_such_parent(function, pair)


def no_such_parent(function: Function, pair: Pair) -> Problem:
    """``mu = true`` in a's offset, where another function samples mu."""
    return Problem(
        "no-such-parent",
        pair.about,
        pair.place,
        "'{function}' samples no site '{parent}'",
        "every parent must be sampled in the same function as its child.",
        {"function": function.name},
    )


def refusal(survey: Survey, config: Quoted, problems: Iterable[Problem]) -> Refusal:
    """The refusal for all of `problems`, each once: those in the model before those in the config.

    Problems of one file are in the order of its lines.
    """
    told = dict.fromkeys(
        Diagnostic.of(problem, source_line(survey, config, problem.place)) for problem in problems
    )
    return Refusal(sorted(told, key=lambda one: (*in_order(config, one.place), one.message)))


def source_line(survey: Survey, config: Quoted, place: Place | str) -> str:
    """The text of the line at a place, which is in the model or in the config."""
    if not isinstance(place, Place):
        return ""
    return config.source_line(place) if place.path == config.path else survey.line(place)


def in_order(config: Quoted, place: Place | str | None) -> tuple[bool, int, int]:
    """What places are sorted by; a whole file comes before its lines."""
    if not isinstance(place, Place):
        return place == config.path, 0, 0
    return place.path == config.path, place.line, place.column
