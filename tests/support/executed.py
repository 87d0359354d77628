"""What was executed once need not be executed again: a record of pairs of models that are equal.

Most of the suite's time would go to compiling models that are what they were when they were last
compared. `tests/executed.txt` holds a digest of each comparison that passed: of the code of both
models, of the arguments, of all else that is expected of the pair, and of the versions of NumPyro
and JAX. So a change that alters no output, or only its layout, executes nothing anew, and one that
alters some executes these.

A test that concerns only a part of the program says so, and is not run again as long as that part,
its own file, what that imports of the tests and the fixtures are what they were::

    pytestmark = pytest.mark.concerns("verifying", "running")

    pytest --execute=all     executes all of them, whatever the record says
    pytest --record          adds to the record what was executed and passed
    pytest --execute=all --record    makes the record anew
"""

from __future__ import annotations

import ast
import functools
import hashlib
import itertools
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

TESTS = Path(__file__).parents[1]

RECORD = TESTS / "executed.txt"

PACKAGE = TESTS.parent / "reparam_rewrite"


def add_options(parser: pytest.Parser) -> None:
    """The options above, for conftest.py."""
    parser.addoption("--execute", choices=["new", "all"], default="new")
    parser.addoption("--record", action="store_true")


def run_if_changed(item: pytest.Function) -> bool | None:
    """For the hook that calls a test: call one that concerns a part of the program, or leave it."""
    marker = item.get_closest_marker("concerns")
    if marker is None:
        return None
    program = code_of_program(*marker.args)
    digest = digest_of(item.nodeid, program, surroundings(item.path))
    if digest not in executed:
        names = item._fixtureinfo.argnames
        item.obj(**{name: item.funcargs[name] for name in names})
        executed.add(digest)
    return True


@functools.cache
def surroundings(test: Path) -> str:
    """The code of a file of tests, of what that imports of the tests, and of the fixtures."""
    files, found = [test], {test}
    for file in files:
        new = imported_of_tests(file) - found
        found |= new
        files += sorted(new)
    fixtures = sorted((TESTS.parent / "fixtures").rglob("*.py"))
    return "\n".join(code_of(file.read_bytes()) for file in [*sorted(found), *fixtures])


def imported_of_tests(file: Path) -> set[Path]:
    """The modules of the tests that a file imports somewhere."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    paths = {TESTS.parent / f"{name.replace('.', '/')}.py" for name in found}
    return {path for path in paths if path.is_relative_to(TESTS) and path.exists()}


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

    def __contains__(self, digest: str) -> bool:
        return digest in self.known

    def add(self, digest: str) -> None:
        """Remember a comparison that passed."""
        if self.recording:
            with RECORD.open("a") as file:  # short enough to be written as a whole
                file.write(f"{digest}\n")


executed = Executed()


def lines() -> list[str]:
    return RECORD.read_text().split() if RECORD.exists() else []


@functools.cache
def versions() -> str:
    return f"numpyro {version('numpyro')}, jax {version('jax')}"


def digest_of(*what: str) -> str:
    """A digest of a comparison, with the versions of what executes it."""
    return hashlib.sha256(repr((versions(), *what)).encode()).hexdigest()[:20]


def code_of(source: bytes | str) -> str:
    """What a module does, whatever its layout and comments: a new one needs no new comparison.

    Imports that follow each other are put in order.
    """
    tree = ast.parse(source)
    body: list[ast.stmt] = []
    for imported, nodes in itertools.groupby(tree.body, key=is_import):
        parts = [part for node in nodes for part in single(node)]
        body += sorted(parts, key=ast.unparse) if imported else parts
    return "\n".join(map(ast.unparse, body))


@functools.cache
def code_of_program(*places: str) -> str:
    """The code of folders and files of the program: what the outcome of a test of them depends on.

    Without docstrings, and without the order of files.
    """
    found = [PACKAGE / place for place in places]
    files = sorted(file for path in found for file in (path.rglob("*.py"), [path])[path.is_file()])
    return "\n".join(without_docstrings(file.read_bytes()) for file in files)


def without_docstrings(source: bytes) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                body[0] = ast.Pass()
    return ast.unparse(tree)


def is_import(node: ast.stmt) -> bool:
    return isinstance(node, (ast.Import, ast.ImportFrom))


def single(node: ast.stmt) -> Iterator[ast.stmt]:
    """A statement, or one for each name that it imports."""
    if isinstance(node, ast.Import):
        yield from (ast.Import([alias]) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (ast.ImportFrom(node.module, [alias], node.level) for alias in node.names)
    else:
        yield node


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
    if isinstance(value, type):
        return value.__qualname__
    if type(value).__module__.startswith("jax"):
        return plain_value(np.asarray(value))
    raise TypeError(f"{value!r} has no text of its own")
