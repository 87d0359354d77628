"""Which functions of a file may run in one model, and so share one space of site names?"""

from __future__ import annotations

from reparam_rewrite.survey.functions import Function, Survey


def together(survey: Survey, function: Function) -> set[str]:
    """The dotted names of all functions that a model with this one in it may run.

    What may call `function`, and what that calls in turn.
    """
    found = reached(survey.calls, running(survey, function))
    return {name for name in found if name in survey.functions}


def running(survey: Survey, function: Function) -> set[str]:
    """All that may run this function, with itself: functions, lambdas and handlers."""
    return reached(survey.callers, {function.name})


def reached(graph: dict[str, set[str]], start: set[str]) -> set[str]:
    """All that can be reached from `start`, with itself."""
    found, waiting = set(start), list(start)
    while waiting:
        for name in graph.get(waiting.pop(), ()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found
