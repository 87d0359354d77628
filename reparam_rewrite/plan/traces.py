"""Which functions of a file may run in one model, and so share one space of site names?"""

from __future__ import annotations

from reparam_rewrite.survey.values import Function, Survey


def together(survey: Survey, function: Function) -> set[str]:
    """The dotted names of all functions that a model with this one in it may run.

    By name: what calls something called as `function` is, and what that calls in turn.
    """
    return reached(calls_of(survey), running(survey, function))


def running(survey: Survey, function: Function) -> set[str]:
    """The dotted names of all functions that may run this one, with itself."""
    calls = calls_of(survey)
    callers: dict[str, set[str]] = {name: set() for name in calls}
    for name, callees in calls.items():
        for callee in callees:
            callers[callee].add(name)
    return reached(callers, {function.name})


def calls_of(survey: Survey) -> dict[str, set[str]]:
    """For each function the dotted names of those that it may call."""
    by_last: dict[str, list[str]] = {}
    for name in survey.functions:
        by_last.setdefault(name.rpartition(".")[2], []).append(name)
    return {
        name: {callee for last in other.calls for callee in by_last.get(last, ())}
        for name, other in survey.functions.items()
    }


def reached(graph: dict[str, set[str]], start: set[str]) -> set[str]:
    """All that can be reached from `start`, with itself."""
    found, waiting = set(start), list(start)
    while waiting:
        for name in graph[waiting.pop()]:
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found
