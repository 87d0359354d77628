"""Runs that are done, in a file of JSON lines: a bench that was killed goes on from there."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar, cast

import jax
import msgspec
import numpy as np

from reparam_rewrite.messages import Diagnostic, Refusal

T = TypeVar("T")


class Kept:
    """The file at `path`; a last line that a kill cut off is not one of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: dict[str, Any] = {}
        self.resumed = 0
        self.oldest = ""  # when the oldest of what was taken from the file was made
        try:
            data = path.read_bytes() if path.exists() else b""
        except OSError as error:
            raise Refusal(
                Diagnostic(str(path), f"the file of finished runs can't be read: {error.strerror}")
            ) from None
        for line in data.splitlines():
            try:
                entry = json.loads(line)
                self._lines[entry["id"]] = {"result": entry["result"], "on": str(entry["on"])}
            except (ValueError, KeyError, TypeError):
                continue
        self._cut_off = bool(data) and not data.endswith(b"\n")

    def get(self, identity: Any, made: type[T], make: Callable[[], T]) -> T:
        """The result that is kept under `identity`; if none is, `make` makes it and it is kept.

        One that has `failed` isn't, the next run tries again, unless it was `stopped` at a limit.
        """
        name = digest(identity)
        if name in self._lines:
            kept = self._lines[name]
            self.resumed += 1
            self.oldest = min(self.oldest or kept["on"], kept["on"])
            return msgspec.convert(kept["result"], made)
        result: Any = make()
        if not getattr(result, "failed", "") or getattr(result, "stopped", False):
            today = datetime.date.today().isoformat()
            entry = {"id": name, "on": today, "of": identity, "result": asdict(result)}
            line = ("\n" if self._cut_off else "") + json.dumps(entry) + "\n"
            try:
                with self.path.open("ab") as file:
                    file.write(line.encode())
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                message = f"the file of finished runs can't be written: {error.strerror}"
                raise Refusal(Diagnostic(str(self.path), message)) from None
            self._cut_off = False
        return cast(T, result)


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:24]


def digest_of_call(args: Any, kwargs: Any) -> str:
    """Of what a model is called with: arrays by their numbers, all else by what it prints as."""
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
