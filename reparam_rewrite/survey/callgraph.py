"""Which functions of a file call which, and under what?

Each answer is worked out once: it is asked of every site of every function.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from reparam_rewrite.survey.values import Function


class Callgraph(Struct, frozen=True, dict=True):
    """The functions of a file by their dotted names, in its order."""

    functions: dict[str, Function]

    @cached_property
    def calls(self) -> dict[str, set[str]]:
        """For each function the dotted names of those that it may call, by the last of its name."""
        by_last: dict[str, list[str]] = {}
        for name in self.functions:
            by_last.setdefault(name.rpartition(".")[2], []).append(name)
        return {
            name: {callee for last in function.calls for callee in by_last.get(last, ())}
            for name, function in self.functions.items()
        }

    @cached_property
    def callers(self) -> dict[str, set[str]]:
        """For each function the dotted names of those that may call it."""
        callers: dict[str, set[str]] = {name: set() for name in self.functions}
        for name, callees in self.calls.items():
            for callee in callees:
                callers[callee].add(name)
        return callers

    @cached_property
    def plated(self) -> dict[str, list[Function]]:
        """For each name the functions that call it under a plate, or have plates and mention it."""
        found: dict[str, list[Function]] = {}
        for function in self.functions.values():
            mentions = function.mentions if function.has_plates else {}
            for name in function.calls_in_plates.keys() | mentions.keys():
                found.setdefault(name, []).append(function)
        return found

    @cached_property
    def guides(self) -> list[Function]:
        """The functions that are called a guide."""
        return [f for f in self.functions.values() if "guide" in f.name.lower()]

    @cached_property
    def entering(self) -> bool:
        """Does any function enter a context without a `with`?"""
        return any(function.entered is not None for function in self.functions.values())

    @cached_property
    def weighing(self) -> list[Function]:
        """The functions that call something under what weighs a log density."""
        return [function for function in self.functions.values() if function.calls_weighed]
