"""Is a parent sampled after its child, and can it be moved up above it?

::

    a = numpyro.sample("a", dist.Normal(0, 1))          tau = numpyro.sample("tau", ...)
    tau = numpyro.sample("tau", dist.HalfNormal(1))     s = numpyro.sample("s", dist.Normal(0, tau))
    s = numpyro.sample("s", dist.Normal(0, tau))        a = numpyro.sample("a", dist.Normal(0, 1))

What moves are whole statements of the block that both stand in: the parent's, and those between
that bind what it reads or sample what the config wants before it. They only sample and compute, and
nothing that they are moved over binds, changes or reads what they bind or read. So each means what
it meant, and the density is the same.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from reparam_rewrite.messages import Filler, Problem
from reparam_rewrite.plan.children import Bound, Child, Pair, Stop
from reparam_rewrite.survey.functions import Survey
from reparam_rewrite.survey.nodes import walk
from reparam_rewrite.survey.values import Site

if TYPE_CHECKING:
    from reparam_rewrite.plan.moving import Move, Wanted


def wanted_by(children: list[Child]) -> dict[str, dict[str, Pair]]:
    """The pairs of children of one function."""
    found: dict[str, dict[str, Pair]] = {}
    for child in children:
        for pair in child.earlier:
            if parent_of(child, pair) is not None:
                found.setdefault(child.name, {}).setdefault(pair.parent, pair)
    return found


def parent_of(child: Child, pair: Pair) -> Site | Bound | None:
    """What must be sampled before a child: also a site of which the config has a `value`.

    ``s = { value = "s[state]" }`` reads the site s, if that is what it is called in the model.
    """
    if pair.site is not None or pair.value is None:
        return pair.site or pair.bound
    found = child.function.find(pair.parent)
    if len(found) != 1 or found[0].variable is None:
        return None
    parts = walk(ast.parse(pair.value.text, mode="eval"))
    read = any(isinstance(part, ast.Name) and part.id == found[0].variable for part in parts)
    return found[0] if read else None


def is_late(child: Child, pair: Pair) -> bool:
    """Is a parent sampled after its child?"""
    parent = parent_of(child, pair)
    return parent is not None and parent.order > child.site.order


def next_move(survey: Survey, children: list[Child]) -> Move | None:
    """The first of the moves that bring parents before their children, None if none is left.

    Each mends a pair and breaks none, so that they come to an end.
    """
    late = [(child, pair) for child in children for pair in child.earlier if is_late(child, pair)]
    for child, pair in late:
        own = [other for other in children if other.function.name == child.function.name]
        try:
            return moved_up(survey, child, pair, wanted_by(own))
        except Stop:
            continue  # the plan says why
    return None


def in_the_way(survey: Survey, child: Child, pair: Pair, wanted: Wanted) -> Problem:
    """Why a parent that is sampled after its child isn't moved up."""
    from reparam_rewrite.plan.moving import LATE, WAYS_OUT

    try:
        move = moved_up(survey, child, pair, wanted)
    except Stop as stop:
        return stop.problem
    at: dict[str, Filler] = {"parent_at": move.at, "child_at": child.site.place}
    text, hint = LATE[pair.need], WAYS_OUT[pair.need]
    return pair.problem("parent-after-child", text, hint, None, **at)


def moved_up(survey: Survey, child: Child, pair: Pair, wanted: Wanted) -> Move:
    """The move of a parent above its child. Raises `Stop` with what is in the way."""
    from reparam_rewrite.plan.moving import Moving  # which most models don't need

    parent = parent_of(child, pair)
    assert parent is not None
    back = way(wanted, pair.parent, pair.child)
    if back:  # chain = [["mu", "a"], ["a", "mu"]], and around more corners
        text = "'{child}' and '{parent}' would each be offset by the other ({back:path})"
        if len(back) > 1:
            text = (
                "'{child}' would be offset by '{parent}', which is to come after it ({back:path})"
            )
        raise pair.stop(
            "pair-both-ways",
            text,
            "an offset can only use what was sampled before; keep one of the two.",
            back=tuple(one.place for one in back),
        )
    return Moving(survey, child, pair, parent, wanted).move()


def way(wanted: Wanted, start: str, end: str) -> list[Pair]:
    """The pairs by which `end` is to be sampled before `start`; none if they don't say so."""
    came: dict[str, list[Pair]] = {start: []}
    waiting = [start]
    for name in waiting:  # which grows meanwhile
        for parent, pair in wanted.get(name, {}).items():
            if parent == end:
                return [*came[name], pair]
            if parent not in came:
                came[parent] = [*came[name], pair]
                waiting.append(parent)
    return []
