"""How far a bench is: what it runs now, of how many, the time that took and what is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Progress:
    """Counts runs. `said` hears a line before each that isn't kept.

    `planned` is how many there are, as far as is known yet.
    """

    def __init__(self, said: Callable[[str], None]) -> None:
        self._said = said
        self.planned = 0
        self.done = 0
        self._made = 0
        self._seconds = 0.0
        self._started = time.monotonic()

    def run(self, what: str, make: Callable[[], T]) -> Callable[[], T]:
        """`make`, announced and timed when it is called."""

        def told() -> T:
            self._said(f"{what}: {self.line(time.monotonic() - self._started)}")
            began = time.monotonic()
            try:
                return make()
            finally:
                self._made += 1
                self._seconds += time.monotonic() - began

        return told

    def line(self, spent: float) -> str:
        """``run 3 of 12, 1 min 20 s spent, about 4 min left``"""
        number = self.done + 1
        planned = max(self.planned, number)
        text = f"run {number} of {planned}, {spoken(spent)} spent"
        if not self._made:
            return text
        left = (planned - self.done) * self._seconds / self._made
        return f"{text}, about {spoken(left)} left"


def spoken(seconds: float) -> str:
    """``8 s``, ``4 min`` or ``2 h 5 min``"""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
