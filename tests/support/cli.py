"""The command line as a user runs it: a process of its own, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

from reparam_rewrite.source.stamp import read_stamp, stamped
from reparam_rewrite.source.up_to_date import Origin

ROOT = Path(__file__).parents[2]

COMMAND = (sys.executable, "-m", "reparam_rewrite")

PROLOGUE = """\
set -o pipefail
reparam-rewrite() { "$THIS_PYTHON" -m reparam_rewrite "$@"; }
"""

#: What a test's own surroundings must not decide.
DECIDED_HERE = ("PYTHONDONTWRITEBYTECODE", "PYTHONWARNINGS", "NO_COLOR", "COLUMNS", "LINES")


class Ran(NamedTuple):
    """What became of a process."""

    status: int
    out: bytes
    err: str


class State(NamedTuple):
    """A file or a folder as it is found; two that are equal were not touched in between."""

    mode: int
    inode: int
    links: int
    modified: int
    content: bytes | str | None


@cache
def bytecode() -> tempfile.TemporaryDirectory[str]:
    """Compiled modules, shared by all processes that this one starts."""
    return tempfile.TemporaryDirectory(prefix="reparam-rewrite-bytecode-")


def environment(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in DECIDED_HERE}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "PYTHONPYCACHEPREFIX": bytecode().name,
        "TERM": "xterm-256color",
        **changes,
    }


def run(folder: Path, *arguments: str | Path, stdin: bytes | None = None, **variables: str) -> Ran:
    """``python -m reparam_rewrite`` with `arguments`, started in `folder`."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=folder,
        env=environment(**variables),
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        timeout=300,
    )
    return Ran(done.returncode, done.stdout, done.stderr.decode())


def shell(folder: Path, line: str, **variables: str) -> Ran:
    """A line of bash, in which ``reparam-rewrite`` is the program; a pipe fails if a part does."""
    done = subprocess.run(
        ["bash", "-c", PROLOGUE + line],
        cwd=folder,
        env=environment(**variables, THIS_PYTHON=sys.executable),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=300,
    )
    return Ran(done.returncode, done.stdout, done.stderr.decode())


def body(data: bytes) -> bytes:
    """A generated file without the stamp that it must have at its head."""
    stamp = read_stamp(data)
    assert stamp is not None and not stamp.edited
    return stamp.rest


def made_before(data: bytes) -> bytes:
    """`data` as an earlier version would have generated it, from other sources."""
    return stamped(data, Origin("0.0.1", "model.py", "offsets.toml", "0" * 16))


def snapshot(folder: Path) -> dict[str, State]:
    """Everything in `folder`, by its path from there; the folder itself is "."."""
    return {str(path.relative_to(folder)): state_of(path) for path in [folder, *folder.rglob("*")]}


def state_of(path: Path) -> State:
    found = path.lstat()
    content: bytes | str | None = None
    if path.is_symlink():
        content = str(path.readlink())
    elif path.is_file():
        content = path.read_bytes()
    return State(found.st_mode, found.st_ino, found.st_nlink, found.st_mtime_ns, content)
