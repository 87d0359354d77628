"""How far a bench is: runs that are done, in a file from which it goes on, and what is left."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import jax
import msgspec
import numpy as np

from reparam_rewrite.messages import Diagnostic, Refusal

T = TypeVar("T")


class Kept:
    """Results in a file of JSON lines; a last line that a kill cut off is not one of it.

    Without a path they are forgotten. resumed: how many of them were taken from it. shared: how
    many were made while others were, in this run or in one before. Raises `Refusal` for a file that
    can't be read, or written.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.resumed = self.shared = 0
        self.oldest = ""  # when the oldest of what was taken from the file was made
        self._lines: dict[str, Any] = {}
        try:
            data = path.read_bytes() if path is not None and path.exists() else b""
        except OSError as error:
            raise self._refusal("read", error) from None
        for line in data.splitlines():
            with suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                shared = bool(entry.get("shared"))
                kept = {"result": entry["result"], "on": str(entry["on"]), "shared": shared}
                self._lines[entry["id"]] = kept
        self._start = "\n" if data and not data.endswith(b"\n") else ""

    def _refusal(self, done: str, error: OSError) -> Refusal:
        message = f"the file of finished runs can't be {done}: {error.strerror}"
        return Refusal(Diagnostic(str(self.path), message))

    def get(self, identity: Any, made: type[T], make: Callable[[], T]) -> T:
        """The result that is kept under `identity`; if none is, `make` makes it and it is kept."""
        found = self.find(identity, made)
        return found if found is not None else self.keep(identity, make())

    def find(self, identity: Any, made: type[T]) -> T | None:
        """The result that is kept under `identity`, if there is one."""
        kept = self._lines.get(digest(identity))
        if kept is None:
            return None
        self.resumed += 1
        self.shared += kept["shared"]
        self.oldest = min(self.oldest or kept["on"], kept["on"])
        return msgspec.convert(kept["result"], made)

    def keep(self, identity: Any, result: T, shared: bool = False) -> T:
        """Keep a result; `shared`: others were made while it was.

        One that has `failed` isn't, the next run tries again, unless it was `stopped` at a limit.
        """
        made: Any = result
        if getattr(made, "failed", "") and not getattr(made, "stopped", False):
            return result
        self.shared += shared
        if self.path is None:
            return result
        today = datetime.date.today().isoformat()
        entry = {"id": digest(identity), "on": today, "of": identity, "result": asdict(made)}
        entry |= {"shared": True} if shared else {}
        try:
            with self.path.open("ab") as file:
                file.write(f"{self._start}{json.dumps(entry)}\n".encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._refusal("written", error) from None
        self._start = ""
        return result


class Remembered(Kept):
    """What another process has made already, by identity; nothing is written."""

    def __init__(self, results: Mapping[str, Any]) -> None:
        self.results = results

    def find(self, identity: Any, made: type[T]) -> T | None:
        result = self.results.get(digest(identity))
        return None if result is None else msgspec.convert(result, made)

    def keep(self, identity: Any, result: T, shared: bool = False) -> T:
        return result


def write_arrays(path: Path, data: bytes) -> None:
    """An .npz in a folder of its own, for a generated model that reads it."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:24]


def digest_of_call(args: Any, kwargs: Any) -> str:
    """A digest of a model's arguments: arrays by their numbers, all else by what it prints as."""
    made = hashlib.sha256()
    leaves, tree = jax.tree.flatten((args, kwargs))
    made.update(str(tree).encode())
    for leaf in leaves:
        if isinstance(leaf, (jax.Array, np.ndarray, np.generic)):
            array = np.asarray(leaf)
            made.update(f"{array.dtype}{array.shape}".encode())
            made.update(array.tobytes())
        else:
            made.update(repr(leaf).encode())
    return made.hexdigest()[:24]


class Progress:
    """Counts runs, and tells `said` a line before each that isn't kept.

    `planned` is how many there are, as far as is known yet, and `at_once` how many are run so.
    """

    def __init__(self, said: Callable[[str], None]) -> None:
        self._said = said
        self.at_once = 1
        self.planned = self.done = self._made = self._running = 0
        self._seconds = 0.0
        self._started = time.monotonic()

    def run(self, what: str, make: Callable[[], T]) -> Callable[[], T]:
        """`make`, announced and timed when it is called."""

        def told() -> T:
            end = self.begin(what)
            try:
                return make()
            finally:
                end()

        return told

    def begin(self, what: str) -> Callable[[], None]:
        """Announce a run; what is returned is to be called when it ends."""
        began = time.monotonic()
        self._said(f"{what}: {self.line(began - self._started)}")
        self._running += 1

        def end() -> None:
            self._running -= 1
            self._made += 1
            self._seconds += time.monotonic() - began

        return end

    def line(self, spent: float) -> str:
        """``run 3 of 12, 1 min 20 s spent, about 4 min left``"""
        number = self.done + self._running + 1
        planned = max(self.planned, number)
        text = f"run {number} of {planned}, {spoken(spent)} spent"
        if not self._made:
            return text
        left = (planned - self.done) * self._seconds / self._made / self.at_once
        return f"{text}, about {spoken(left)} left"


def spoken(seconds: float) -> str:
    """``8 s``, ``4 min`` or ``2 h 5 min``"""
    if round(seconds) < 60:
        return f"{round(seconds)} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
