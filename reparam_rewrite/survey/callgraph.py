"""The call graph of a file: which of its functions may call which, and under what.

Each answer is worked out once, as it is asked of every site of every function. Beside functions,
what calls and is called may be a lambda, a handler that holds a function, or the module, called "".
"""

from __future__ import annotations

from functools import cached_property

from msgspec import Struct

#: The callee where anything that another module hands in may be called.
ANY = "*"


class Call(Struct, frozen=True):
    """A call that `caller` may make of `callee`; both are dotted names.

    `plated` is the line of the `with`, or of the call, if it may be made in a plate, and `weighed`
    that of what may weigh the log density of what it samples. They are 0 otherwise.
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
    """All calls of a file that may be made."""

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

    def running(self, function: str) -> set[str]:
        """All that may run a function, with itself: functions, lambdas and handlers."""
        return reached(self.callers, {function})

    def together(self, function: str) -> set[str]:
        """All that a model may run that runs this function: what may call it, and their calls.

        Such functions share one space of site names.
        """
        return reached(self.calls, self.running(function))


def reached(graph: dict[str, set[str]], start: set[str]) -> set[str]:
    """All that can be reached from `start`, with itself."""
    found, waiting = set(start), list(start)
    while waiting:
        for name in graph.get(waiting.pop(), ()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found
