"""What was executed once need not be executed again: a record of pairs of models that are equal.

Most of the suite's time would go to compiling models that are, byte for byte, what they were when
they were last compared. `tests/executed.txt` holds a digest of each comparison that passed: of the
plain model, of the generated one, of the arguments, of all else that is expected of the pair, and
of the versions of NumPyro and JAX. So a change that alters no output executes nothing anew, and one
that alters some executes these.

    pytest --execute=all     executes all of them, whatever the record says
    pytest --record          adds to the record what was executed and passed
    pytest --execute=all --record    makes the record anew
"""

from __future__ import annotations

import functools
import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

RECORD = Path(__file__).parents[1] / "executed.txt"


def add_options(parser: pytest.Parser) -> None:
    """The options above, for conftest.py."""
    parser.addoption("--execute", choices=["new", "all"], default="new")
    parser.addoption("--record", action="store_true")


def configure(config: pytest.Config) -> None:
    """Take note of the options; empty the record where it is to be made anew."""
    executed.trusting = config.getoption("--execute") == "new"
    executed.recording = bool(config.getoption("--record"))
    first = not hasattr(config, "workerinput")  # not a process of pytest-xdist's
    if executed.recording and not executed.trusting and first:
        RECORD.write_text("")


def finish(config: pytest.Config) -> None:
    """Leave the record in order, so that two of them can be compared."""
    if executed.recording and not hasattr(config, "workerinput"):
        RECORD.write_text("".join(f"{line}\n" for line in sorted(set(lines()))))


class Executed:
    """The record, read once in each process."""

    trusting = True
    recording = False

    @functools.cached_property
    def known(self) -> frozenset[str]:
        return frozenset(lines()) if self.trusting else frozenset()

    def __contains__(self, digest: str | None) -> bool:
        return digest in self.known

    def add(self, digest: str | None) -> None:
        """Remember a comparison that passed."""
        if self.recording and digest is not None:
            with RECORD.open("a") as file:  # short enough to be written as a whole
                file.write(f"{digest}\n")


executed = Executed()


def lines() -> list[str]:
    return RECORD.read_text().split() if RECORD.exists() else []


@functools.cache
def versions() -> str:
    return f"numpyro {version('numpyro')}, jax {version('jax')}"


def digest_of(*what: Any) -> str | None:
    """A digest of a comparison; None if it can't be told from another, as it holds an object."""
    try:
        text = repr((versions(), *map(plain_value, what)))
    except TypeError:
        return None
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def plain_value(value: Any) -> Any:
    """`value` as something whose `repr` tells it from all others. Raises `TypeError`."""
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    if isinstance(value, np.ndarray) or hasattr(value, "__jax_array__"):
        array = np.asarray(value)
        return "array", str(array.dtype), array.shape, array.tobytes()
    if isinstance(value, (list, tuple)):
        return type(value).__name__, tuple(map(plain_value, value))
    if isinstance(value, dict):
        return "dict", tuple((plain_value(k), plain_value(v)) for k, v in value.items())
    if type(value).__module__.startswith("jax"):
        return plain_value(np.asarray(value))
    raise TypeError(f"{value!r} has no text of its own")
