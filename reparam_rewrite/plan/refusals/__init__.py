"""Every reason not to rewrite what a config asks for, one function each."""

from __future__ import annotations

from collections.abc import Iterable

from reparam_rewrite.config.rules import Config
from reparam_rewrite.messages import Diagnostic, OfFile, Place, Problem, Refusal
from reparam_rewrite.survey.values import Survey


def refusal(survey: Survey, config: Config, problems: Iterable[Problem]) -> Refusal:
    """The refusal for all of `problems`, each once: those in the model before those in the config.

    Problems of one file are in the order of its lines.
    """
    told = dict.fromkeys(
        Diagnostic.of(problem, source_line(survey, config, problem.place)) for problem in problems
    )
    return Refusal(sorted(told, key=lambda one: (*in_order(config, one.place), one.message)))


def source_line(survey: Survey, config: Config, place: Place | str) -> str:
    """The text of the line at a place, which is in the model or in the config."""
    if not isinstance(place, Place):
        return ""
    return config.source_line(place) if place.path == config.path else survey.line(place)


def in_order(config: Config, place: Place | str | None) -> tuple[bool, int, int]:
    """What places are sorted by; a whole file comes before its lines."""
    if not isinstance(place, Place):
        return place == config.path, 0, 0
    return place.path == config.path, place.line, place.column


def told(place: Place, message: str, hint: str) -> Problem:
    return Problem("", OfFile(), place, "{m}", "{h}", {"m": message, "h": hint})
