"""CPU time of whole processes, side by side.

Every round runs each command once, in turn, so that a machine that slows down slows all of them:
medians, and ratios within a round, are what to quote.
"""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Command(NamedTuple):
    """What is run, and in how many of the rounds. `statuses` are those that are no failure."""

    words: Sequence[str]
    rounds: int = 15
    statuses: tuple[int, ...] = (0,)


class Times:
    """Seconds of every command in every round that it took part in."""

    def __init__(self, rounds: list[dict[str, float]]) -> None:
        self._rounds = rounds

    def seconds(self, name: str) -> float:
        return statistics.median(times[name] for times in self._rounds if name in times)

    def ratio(self, name: str, other: str) -> float:
        """How much longer the first took than the second, in the rounds that have both."""
        both = [times for times in self._rounds if name in times and other in times]
        return statistics.median(times[name] / times[other] for times in both)


def measured(commands: Mapping[str, Command], folder: Path) -> Times:
    """Run the commands, once more than counted; `folder` is for what they keep."""
    # Compiled modules are read from a cache, as of any installed program, but black reads the file.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    rounds: list[dict[str, float]] = []
    for number in range(-1, max(command.rounds for command in commands.values())):
        environment["BLACK_CACHE_DIR"] = str(folder / f"black{number}")
        times = {
            name: cpu_seconds(command, environment)
            for name, command in commands.items()
            if number < command.rounds
        }
        if number >= 0:
            rounds.append(times)
    return Times(rounds)


def cpu_seconds(command: Command, environment: dict[str, str]) -> float:
    """User and system time of one process and its children."""
    process = subprocess.Popen(
        command.words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in command.statuses:
        raise SystemExit(f"{' '.join(command.words)} failed")
    return usage.ru_utime + usage.ru_stime
