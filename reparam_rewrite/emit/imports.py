"""Where does a new import go? Into the statement or the sorted block that already has its kind.

It stands at the head of the file if that imports NumPyro, else beside the import of NumPyro that
the function which needs it goes through. What runs before that may decide how JAX is set up, or
whether it is there at all::

    os.environ["JAX_ENABLE_X64"] = "1"          try:
                                                    import numpyro
    def model(n):                               except ImportError:
        import numpyro                              numpyro = None
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from reparam_rewrite.emit.blocks import Block, Blocks, Import, Line, imports
from reparam_rewrite.emit.import_names import (
    Order,
    import_from,
    is_welcome,
    key_of,
    order_of,
    top_of,
    with_name,
)
from reparam_rewrite.emit.layout import placeholder_of
from reparam_rewrite.emit.spell import Spelling
from reparam_rewrite.emit.wrap import Lines
from reparam_rewrite.source.placeholders import MAGIC

#: Packages whose imports don't set JAX up, or do no more than the first two.
THIRD_PARTY = ("numpyro", "jax", "numpy", "scipy", "pandas", "arviz", "matplotlib", "optax", "flax")


class Head(NamedTuple):
    """The lines of a block that imports may stand among: those before `end`.

    In a notebook, an import that nothing else places stands at `start` or below.
    """

    start: int
    end: int


class Anchor(NamedTuple):
    """An import of NumPyro: the block that it stands in, and where.

    `alone`: it is somewhere in the statement there, and what is new comes behind that.
    """

    block: Block
    at: int
    alone: bool = False


class Run(NamedTuple):
    """A run of imports without blank lines: those of the lines from `start` to `end`."""

    start: int
    end: int
    imports: tuple[Import, ...]

    @property
    def tops(self) -> set[str]:
        """The packages it imports from, "" for relative imports."""
        return {*map(top_of, self.imports)}

    @property
    def is_standard(self) -> bool:
        return self.tops <= sys.stdlib_module_names


def add_imports(blocks: Blocks, spelling: Spelling, cell: str = "") -> None:
    """Add the imports that the generated code needs to the blocks of a file.

    `cell` is the border of the first cell that is rewritten, if the module is a notebook's.
    """
    module = blocks.module
    for dotted, name in sorted(spelling.new.items()):
        head = head_of(module, cell)
        package = dotted.partition(".")[0]
        # One more import of what is loaded, as the standard library is at any time, does nothing.
        if package in sys.stdlib_module_names or first_import(module, package, head) is not None:
            add(module, dotted, name, head)
            continue
        needed = spelling.needed[dotted]
        for function in sorted(needed) if "" not in needed else [""]:
            anchor = anchor_of(blocks, spelling, function)
            if anchor is None:  # whatever is above the first definition may matter
                add(module, dotted, name, Head(head.end, head.end))
            elif name not in anchor.block.imported_names:
                add_beside(anchor, dotted, name)


def head_of(module: Block, cell: str) -> Head:
    """What stands before the first definition: imports behind it come too late.

    In a notebook, before the first one of that cell: whoever runs it has run those above it.
    """
    names = [placeholder_of(line.nodes[0]) for line in module.lines]
    start = names.index(cell) + 1 if cell else 0
    while start < len(names) and names[start].startswith(MAGIC):
        start += 1
    below = enumerate(module.lines[start:], start)
    ends = (at for at, line in below if line.is_definition or line.is_border)
    return Head(start, next(ends, len(names)))


def first_import(block: Block, package: str, head: Head) -> int | None:
    """Where a package is imported first at the head. NumPyro's import is one of JAX, too."""
    lines = enumerate(block.lines[: head.end])
    return next((at for at, line in lines if line.imports("numpyro", package)), None)


# -- the import of NumPyro that a function goes through ------------------------------------------


def anchor_of(blocks: Blocks, spelling: Spelling, function: str) -> Anchor | None:
    """That of a function, by its dotted name: its own, or of what it stands in."""
    names = function.split(".")
    around = (spelling.survey.functions.get(".".join(names[:n])) for n in range(len(names), 0, -1))
    bodies = (blocks.body_of(known.first) for known in around if known is not None)
    for block in [*(body for body in bodies if body is not None), blocks.module]:
        found = [
            (at, anchor)
            for at in range(len(block.lines))
            for anchor in imports_at(blocks, block, at)
        ]
        sole = len({id(anchor.block) for _, anchor in found}) == 1
        for _, anchor in found:
            if sole or anchor.block is block:
                return anchor
        if found:
            return Anchor(block, found[0][0], alone=True)
    return None


def imports_at(blocks: Blocks, block: Block, at: int) -> Iterator[Anchor]:
    """The imports of NumPyro in a line of a block and what it holds, but for other functions."""
    line = block.lines[at]
    if line.imports("numpyro"):
        yield Anchor(block, at)
    elif not line.is_definition:
        inner, behind_colons = blocks.inside(line.nodes[0])
        if any(imports(nodes, "numpyro") for nodes in behind_colons):
            yield Anchor(block, at, alone=True)
        else:
            for deeper in inner:
                for below in range(len(deeper.lines)):
                    yield from imports_at(blocks, deeper, below)


def add_beside(anchor: Anchor, dotted: str, name: str) -> None:
    """Add an import beside the one of NumPyro that the function goes through."""
    block, at, alone = anchor
    if alone:
        new = block.new(statement_of(dotted, name, block.room))
        block.lines.insert(behind(block, at, len(block.lines)), new)
        return
    others = [other for other, line in enumerate(block.lines) if line.is_definition]
    start = max((other + 1 for other in others if other < at), default=0)
    end = min((other for other in others if other > at), default=len(block.lines))
    add(block, dotted, name, Head(start, end))


# -- one more import -----------------------------------------------------------------------------


def alias_of(dotted: str, name: str) -> tuple[str, str]:
    """``numpyro.distributions``, ``constraints as c``; the package is empty for ``import jax``."""
    package, _, last = dotted.rpartition(".")
    if dotted in ("jax.numpy", "numpyro"):
        package, last = "", dotted
    return package, last if last == name else f"{last} as {name}"


def statement_of(dotted: str, name: str, room: int) -> Lines:
    package, alias = alias_of(dotted, name)
    return import_from(package, [alias], room) if package else (f"import {alias}",)


def add(block: Block, dotted: str, name: str, head: Head) -> None:
    """Add an import to a block: one more name in a statement that is there, or a new statement."""
    package, alias = alias_of(dotted, name)
    for line in block.lines[: head.end] if package else ():
        found = line.imported
        if not isinstance(found, ast.ImportFrom) or found.level or found.module != package:
            continue
        if found.names[0].name != "*" and is_welcome(alias, found.names):
            code = with_name(block, line, found, alias)
            if code is not None:
                line.code, line.nodes = code, ast.parse(code).body
                return
    insert(block, block.new(statement_of(dotted, name, block.room)), head)


def insert(block: Block, new: Line, head: Head) -> None:
    """Add an import to the run of imports that has NumPyro or JAX, where sorting puts it.

    It isn't put above what may set JAX up. One of the standard library goes to the run that has
    nothing else.
    """
    assert new.imported is not None
    package = top_of(new.imported)
    runs = runs_of(block, head)
    if package in sys.stdlib_module_names:
        run = next((run for run in runs if run.start >= head.start and run.is_standard), None)
    else:
        run = third_party(runs, head, package)
        first = first_import(block, package, head)
        if run is None and first is not None and first >= head.start:
            block.lines.insert(behind(block, first, head.end), new)
            return
    if run is None:
        insert_alone(block, new, runs, head)
        return
    said = [line.behind for line in block.lines[run.start : run.end]]
    if all("noqa" in comment and "E402" in comment for comment in said):
        new.behind = "  # noqa: E402"  # they come late, which linters were told of line by line
    order = order_of(run.imports for run in runs)
    run = section(run, runs, block, order)
    keys = [order(key_of(found)) for found in run.imports]
    position = run.end
    if keys == sorted(keys):
        smaller = sum(key < order(key_of(new.imported)) for key in keys)
        position = run.start + max(smaller, unsure(run))
    if position == run.start:  # below the blank lines; comments stay with what they are about
        old = block.lines[position]
        new.above, own = parted(block, position, keep=True)
        old.above = [block.blank, *own] if own else []  # as sorters set off a comment
    block.lines.insert(position, new)


def insert_alone(block: Block, new: Line, runs: Sequence[Run], head: Head) -> None:
    """Add an import behind the docstring, ``from __future__`` and the standard library's.

    In a notebook, at the top of the cell that needs it.
    """
    position = head.start
    for at, line in enumerate(block.lines[head.start : head.end], head.start):
        if (at == position and line.is_docstring) or line.is_future:
            position = at + 1
    position = max([position, *(run.end for run in runs if run.is_standard)])
    new.above = [block.blank]
    if position < len(block.lines):
        following = block.lines[position]
        own = following.above
        if block.is_first(position):
            new.above, own = parted(block, position, keep=False)
        if not own or own[0].strip():
            own = [block.blank] * (2 if following.is_definition else 1) + own
        following.above = own
    block.lines.insert(position, new)


def parted(block: Block, position: int, *, keep: bool) -> tuple[list[str], list[str]]:
    """The lines above a statement up to the last blank one, and those below it.

    Comments that begin the file, or a cell, are about that, `keep`, or about the statement, if no
    blank line comes between.
    """
    lines = block.lines[position].above
    marks = sum(map(is_mark, lines[:2])) if block.is_module and position == 0 else 0
    blank = [at + 1 for at, line in enumerate(lines) if at >= marks and not line.strip()]
    cut = max(blank, default=len(lines) if keep and block.is_first(position) else marks)
    return lines[:cut], lines[cut:]


def is_mark(line: str) -> bool:
    """``#!/usr/bin/env python`` or a declaration of the encoding"""
    return line.lstrip().startswith("#!") or "coding" in line


def behind(block: Block, position: int, end: int) -> int:
    """Where a new import goes that belongs to what is at the position."""
    below = range(position + 1, end)
    return next((at for at in below if not block.lines[at].follows), end)


# -- runs of imports -----------------------------------------------------------------------------


def runs_of(block: Block, head: Head) -> list[Run]:
    """The runs of imports at the head of a block."""
    runs: list[Run] = []
    start, found = 0, list[Import]()
    for position, line in enumerate([*block.lines[: head.end], None]):
        imported = line.imported if line is not None and not line.is_future else None
        if found and (imported is None or (line is not None and line.has_blank_above)):
            runs.append(Run(start, position, tuple(found)))
            found = []
        if imported is not None:
            start = start if found else position
            found.append(imported)
    return runs


def third_party(runs: Sequence[Run], head: Head, package: str) -> Run | None:
    """The run that NumPyro's imports belong to, and that of JAX those of JAX.

    A notebook may install NumPyro below its other imports.
    """
    wanted = [run for run in runs if "numpyro" in run.tops]
    wanted += [run for run in runs if run.start >= head.start and package in run.tops]
    return next(iter(wanted), None)


def section(run: Run, runs: Sequence[Run], block: Block, order: Order) -> Run:
    """The run with its neighbours of the same section: sorters set off what has a comment.

    ::

        import jax

        # The language of the model
        import numpyro
    """
    for other in runs:
        first, second = sorted((run, other))
        if first.end != second.start or other.is_standard or "" in other.tops:
            continue
        _, *above = block.lines[second.start].above
        both = (*first.imports, *second.imports)
        keys = [order(key_of(found)) for found in both]
        if keys == sorted(keys) and above and all(map(str.strip, above)):
            run = Run(first.start, second.end, both)
    return run


def unsure(run: Run) -> int:
    """How many imports of a run are up to the last before NumPyro that may set JAX up."""
    tops = [*map(top_of, run.imports)]
    first = next((at for at, top in enumerate(tops) if top in THIRD_PARTY[:2]), 0)
    known = {*THIRD_PARTY, *sys.stdlib_module_names}
    others = [at for at in range(first) if not tops[at].startswith("jax") and tops[at] not in known]
    return max(others, default=-1) + 1
