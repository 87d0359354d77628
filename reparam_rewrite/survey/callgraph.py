"""Which functions of a file call which, and under what?

Each answer is worked out once: it is asked of every site of every function. Beside functions, what
calls and is called may be a lambda, a handler that holds a function, or the module, called "".
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from reparam_rewrite.survey.values import Function

#: Called where anything that another module hands in is called.
ANY = "*"


class Call(Struct, frozen=True):
    """A call that may be of `callee`; both are dotted names.

    `plated`: under what may be a plate, in the line of the `with` or of the call; `weighed`: under
    what may weigh a log density. 0 where it isn't.
    """

    caller: str
    callee: str
    line: int
    plated: int = 0
    weighed: int = 0

    @property
    def in_with(self) -> bool:
        """Is it a `with` that weighs, and no handler that is called?"""
        return not self.caller.startswith("<handler")


class Callgraph(Struct, frozen=True, dict=True):
    """The functions of a file by their dotted names, in its order, and all calls."""

    functions: dict[str, Function]
    edges: tuple[Call, ...]

    @cached_property
    def calls(self) -> dict[str, set[str]]:
        """For each function, lambda and handler those that it may call."""
        found: dict[str, set[str]] = {}
        for call in self.edges:
            found.setdefault(call.caller, set()).add(call.callee)
        return found

    @cached_property
    def callers(self) -> dict[str, set[str]]:
        """For each function, lambda and handler those that may call it."""
        found: dict[str, set[str]] = {}
        for call in self.edges:
            found.setdefault(call.callee, set()).add(call.caller)
        return found

    @cached_property
    def plated(self) -> list[Call]:
        """The calls under what may be a plate."""
        return [call for call in self.edges if call.plated]

    @cached_property
    def weighed(self) -> list[Call]:
        """The calls under what may weigh a log density."""
        return [call for call in self.edges if call.weighed]

    @cached_property
    def guides(self) -> list[Function]:
        """The functions that are called a guide."""
        return [f for f in self.functions.values() if "guide" in f.name.lower()]

    @cached_property
    def entering(self) -> bool:
        """Does any function enter a context without a `with`?"""
        return any(function.entered is not None for function in self.functions.values())
