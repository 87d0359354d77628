"""Where does a new import go? Into the statement or the sorted block that already has its kind.

It stands at the head of the file if that imports NumPyro, else beside the import of NumPyro that
the function which needs it goes through. What runs before that may decide how JAX is set up, or
whether it is there at all::

    os.environ["JAX_ENABLE_X64"] = "1"          try:
                                                    import numpyro
    def model(n):                               except ImportError:
        import numpyro                              numpyro = None

The lines of a block that an import may stand among are a `range`, the head; so are runs of imports
without blank lines. In a notebook, what nothing else places stands at the start of the head or
below, though there may be imports above.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from reparam_rewrite.emit.blocks import Block, Blocks, Line, imports
from reparam_rewrite.emit.layout import placeholder_of
from reparam_rewrite.emit.spell import Spelling
from reparam_rewrite.emit.wrap import Lines, listed, margin_of
from reparam_rewrite.source.placeholders import MAGIC
from reparam_rewrite.survey.functions import Survey

#: Packages whose imports don't set JAX up, or do no more than the first two.
THIRD_PARTY = ("numpyro", "jax", "numpy", "scipy", "pandas", "arviz", "matplotlib", "optax", "flax")

STANDARD = sys.stdlib_module_names

Order = Callable[[tuple[Any, ...]], tuple[Any, ...]]

#: The orders in use, by `key_of`: isort's own, ``import x`` before ``from x import y``, and by
#: module, whatever the form (force-sort-within-sections).
ORDERS: tuple[Order, Order] = (itemgetter(0, 1, 2), itemgetter(1, 0, 2))

#: The lines of an import in parentheses that has a name a line, each perhaps with a comment:
#: patterns that few files need to be compiled.
OPENING = r"[^()#]*\([ \t]*(#.*)?\r?"
NAME = r"[ \t]*\w+(\s+as\s+\w+)?[ \t]*,[ \t]*(#.*)?\r?"


class Anchor(NamedTuple):
    """An import of NumPyro: the block that it stands in, and where.

    `alone`: it is somewhere in the statement there, and what is new comes behind that.
    """

    block: Block
    at: int
    alone: bool = False


def add_imports(blocks: Blocks, spelling: Spelling, cell: str = "") -> None:
    """Add the imports that the generated code needs to the blocks of a file.

    `cell` is the border of the first cell that is rewritten, if the module is a notebook's.
    """
    module = blocks.module
    for dotted, name in sorted(spelling.new.items()):
        head = head_of(module, cell)
        package = dotted.partition(".")[0]
        # One more import of what is loaded, as the standard library is at any time, does nothing.
        if package in STANDARD or first_import(module, package, head) is not None:
            add(module, dotted, name, head)
            continue
        needed = spelling.needed[dotted]
        for function in sorted(needed) if "" not in needed else [""]:
            anchor = anchor_of(blocks, spelling.survey, function)
            if anchor is None:  # whatever is above the first definition may matter
                add(module, dotted, name, range(head.stop, head.stop))
            else:
                add_beside(anchor, dotted, name)


def head_of(module: Block, cell: str) -> range:
    """What stands before the first definition: imports behind it come too late.

    In a notebook, before the first one of that cell: whoever runs it has run those above it.
    """
    names = [placeholder_of(line.nodes[0]) for line in module.lines]
    start = names.index(cell) + 1 if cell else 0
    while start < len(names) and names[start].startswith(MAGIC):
        start += 1
    below = enumerate(module.lines[start:], start)
    ends = (at for at, line in below if line.kind in ("definition", "border"))
    return range(start, next(ends, len(names)))


def first_import(block: Block, package: str, head: range) -> int | None:
    """Where a package is imported first at the head. NumPyro's import is one of JAX, too."""
    lines = enumerate(block.lines[: head.stop])
    return next((at for at, line in lines if line.imports("numpyro", package)), None)


# -- the import of NumPyro that a function goes through ------------------------------------------


def anchor_of(blocks: Blocks, survey: Survey, function: str) -> Anchor | None:
    """That of a function, by its dotted name: its own, or of what it stands in."""
    names = function.split(".")
    around = (".".join(names[:count]) for count in range(len(names), 0, -1))
    known = [survey.functions[name].first for name in around if name in survey.functions]
    bodies = [body for first in known for _, body in blocks.inside(survey.written[first])]
    for block in filter(None, [*bodies, blocks.module]):
        lines = [[*imports_at(blocks, block, at)] for at in range(len(block.lines))]
        found = [anchor for anchors in lines for anchor in anchors]
        sole = len({id(anchor.block) for anchor in found}) == 1
        fitting = [anchor for anchor in found if sole or anchor.block is block]
        if found:
            at = next(at for at, anchors in enumerate(lines) if anchors)
            return next(iter(fitting), Anchor(block, at, alone=True))
    return None


def imports_at(blocks: Blocks, block: Block, at: int) -> Iterator[Anchor]:
    """The imports of NumPyro in a line of a block and what it holds, but for other functions'."""
    line = block.lines[at]
    if line.imports("numpyro"):
        yield Anchor(block, at)
    elif line.kind != "definition":
        inside = [*blocks.inside(line.nodes[0])]
        if any(deeper is None and imports(nodes, "numpyro") for nodes, deeper in inside):
            yield Anchor(block, at, alone=True)
            return
        for deeper in filter(None, (deeper for _, deeper in inside)):
            for below in range(len(deeper.lines)):
                yield from imports_at(blocks, deeper, below)


def add_beside(anchor: Anchor, dotted: str, name: str) -> None:
    """Add an import beside that of NumPyro which the function goes through, unless it is there."""
    block, at, alone = anchor
    known = [import_of(line) for line in block.lines if line.kind == "import"]
    if any(name == (alias.asname or alias.name) for node in known for alias in node.names):
        return
    if alone:
        block.lines.insert(run_end(block, at, len(block.lines)), new_line(block, dotted, name))
        return
    others = [n for n, line in enumerate(block.lines) if line.kind == "definition"]
    start = max((n + 1 for n in others if n < at), default=0)
    end = min((n for n in others if n > at), default=len(block.lines))
    add(block, dotted, name, range(start, end))


# -- one more name in an import that is there ----------------------------------------------------


def alias_of(dotted: str, name: str) -> tuple[str, str]:
    """``numpyro.distributions``, ``constraints as c``; the package is empty for ``import jax``."""
    package, _, last = dotted.rpartition(".")
    if dotted in ("jax.numpy", "numpyro"):
        package, last = "", dotted
    return package, last if last == name else f"{last} as {name}"


def new_line(block: Block, dotted: str, name: str) -> Line:
    package, alias = alias_of(dotted, name)
    lines = import_from(package, [alias], block.room) if package else (f"import {alias}",)
    return block.new(lines)


def import_from(package: str, names: Sequence[str], room: int) -> Lines:
    """``from package import a, b``, with a name a line if that is too long."""
    line = f"from {package} import {', '.join(names)}"
    return (line,) if len(line) <= room else listed(f"from {package} import (", names, ")", room)


def add(block: Block, dotted: str, name: str, head: range) -> None:
    """Add an import to a block: one more name in a statement that is there, or a new statement."""
    package, alias = alias_of(dotted, name)
    for line in block.lines[: head.stop] if package else ():
        found = import_of(line) if line.kind == "import" else None
        if isinstance(found, ast.ImportFrom) and (found.level, found.module) == (0, package):
            code = with_name(block, line, found, alias)
            if code:
                line.code, line.nodes = code, ast.parse(code).body
                return
    insert(block, new_line(block, dotted, name), head)


def with_name(block: Block, line: Line, found: ast.ImportFrom, name: str) -> str:
    """``from package import a, b`` with one more name, in its place if they are sorted.

    Comments stay above or behind the names they are about. Empty if it is written in a way that
    takes no more, such as with a backslash, or if a sorter would not leave the name there: it gives
    each ``x as y`` a line of its own.
    """
    names = [*map(written, found.names)]
    renamed = any(alias.asname for alias in found.names)
    welcome = len(names) > 1 if renamed else " as " not in name
    if names == ["*"] or not welcome or "\\" in line.code:
        return ""
    at = len(names)
    if names == sorted(names, key=member_key):
        at = sum(member_key(text) < member_key(name) for text in names)
    if "#" not in line.code:
        names.insert(at, name)
        room = 0 if "\n" in line.code else block.room - len(line.behind.rstrip())
        return block.written(import_from(found.module or "", names, room))
    lines = line.code.split("\n")
    places = [number for number, text in enumerate(lines) if re.fullmatch(NAME, text)]
    if not re.fullmatch(OPENING, lines[0]) or len(places) != len(names):
        return ""
    above = places[at - 1] if at else 0
    indent, end = margin_of(lines[places[0]]), "\r" * lines[above].endswith("\r")
    lines.insert(above + 1, f"{indent}{name},{end}")
    return "\n".join(lines)


# -- one more import -----------------------------------------------------------------------------


def insert(block: Block, new: Line, head: range) -> None:
    """Add an import to the run of imports that has NumPyro or JAX, where sorting puts it.

    One of the standard library goes to the run that has nothing else. A notebook may install
    NumPyro below its other imports.
    """
    package = package_of(new)
    runs = runs_of(block, head)
    near = [run for run in runs if run.start >= head.start]
    if package in STANDARD:
        fitting, first = [run for run in near if is_standard(block, run)], None
    else:
        fitting = [run for run in runs if "numpyro" in packages_in(block, run)]
        fitting += [run for run in near if package in packages_in(block, run)]
        first = first_import(block, package, head)
    if fitting:
        insert_sorted(block, new, fitting[0], runs)
    elif first is not None and first >= head.start:
        block.lines.insert(run_end(block, first, head.stop), new)
    else:
        insert_alone(block, new, runs, head)


def insert_sorted(block: Block, new: Line, run: range, runs: Sequence[range]) -> None:
    """Add an import to a run of them. It isn't put above what may set JAX up."""
    if all("noqa" in line.behind and "E402" in line.behind for line in block[run]):
        new.behind = "  # noqa: E402"  # they come late, which linters were told of line by line
    fitting = (order for order in ORDERS if all(is_sorted(block, run, order) for run in runs))
    order = next(fitting, ORDERS[0])
    run = section(run, runs, block, order)
    position = run.stop
    if is_sorted(block, run, order):
        smaller = sum(order(key_of(line)) < order(key_of(new)) for line in block[run])
        position = run.start + max(smaller, unsure(block, run))
    if position == run.start:  # below the blank lines; comments stay with what they are about
        old = block.lines[position]
        new.above, own = parted(block, position, keep=True)
        old.above = [block.blank, *own] if own else []  # as sorters set off a comment
    block.lines.insert(position, new)


def insert_alone(block: Block, new: Line, runs: Sequence[range], head: range) -> None:
    """Add an import behind the docstring, ``from __future__`` and the standard library's.

    In a notebook, at the top of the cell that needs it.
    """
    position = head.start
    for at in head:
        kinds = [Line([node], "").kind for node in block.lines[at].nodes]
        if "future" in kinds or (kinds[0] == "docstring" and at == position):
            position = at + 1
    position = max([position, *(run.stop for run in runs if is_standard(block, run))])
    new.above = [block.blank]
    if position < len(block.lines):
        following = block.lines[position]
        own = following.above
        if block.is_first(position):
            new.above, own = parted(block, position, keep=False)
        if not own or own[0].strip():
            own = [block.blank] * (2 if following.kind == "definition" else 1) + own
        following.above = own
    block.lines.insert(position, new)


def parted(block: Block, position: int, *, keep: bool) -> tuple[list[str], list[str]]:
    """The lines above a statement up to the last blank one, and those below it.

    Comments that begin the file, or a cell, are about that, `keep`, or about the statement, if no
    blank line comes between. ``#!/usr/bin/env python`` and the encoding stay at the top.
    """
    lines = block.lines[position].above
    marks = 0
    if block.is_module and position == 0:
        first = enumerate(lines[:2], 1)
        kept = (n for n, line in first if line.lstrip().startswith("#!") or "coding" in line)
        marks = max(kept, default=0)
    blank = [at + 1 for at, line in enumerate(lines) if at >= marks and not line.strip()]
    cut = max(blank, default=len(lines) if keep and block.is_first(position) else marks)
    return lines[:cut], lines[cut:]


# -- runs of imports and their order -------------------------------------------------------------


def run_end(block: Block, at: int, end: int) -> int:
    """Where the imports end that belong to what is at the position: no blank line is between."""
    below = enumerate(block.lines[at + 1 : end], at + 1)
    others = (at for at, line in below if line.kind != "import" or line.has_blank_above)
    return next(others, end)


def runs_of(block: Block, head: range) -> list[range]:
    """The runs of imports at the head of a block."""
    runs: list[range] = []
    for at in range(head.stop):
        if block.lines[at].kind == "import" and (not runs or at >= runs[-1].stop):
            runs.append(range(at, run_end(block, at, head.stop)))
    return runs


def packages_in(block: Block, run: range) -> set[str]:
    """The packages that a run imports from, "" for relative imports."""
    return {*map(package_of, block[run])}


def is_standard(block: Block, run: range) -> bool:
    return packages_in(block, run) <= STANDARD


def section(run: range, runs: Sequence[range], block: Block, order: Order) -> range:
    """The run with its neighbours of the same section: sorters set off what has a comment.

    ::

        import jax

        # The language of the model
        import numpyro
    """
    for other in runs:
        first, second = sorted((run, other), key=lambda part: part.start)
        packages = packages_in(block, other)
        if first.stop == second.start and not packages <= STANDARD and "" not in packages:
            both = range(first.start, second.stop)
            _, *above = block.lines[second.start].above
            if is_sorted(block, both, order) and above and all(map(str.strip, above)):
                run = both
    return run


def unsure(block: Block, run: range) -> int:
    """How many imports of a run are up to the last before NumPyro that may set JAX up."""
    packages = [*map(package_of, block[run])]
    first = next((at for at, each in enumerate(packages) if each in THIRD_PARTY[:2]), 0)
    above = enumerate(packages[:first], 1)
    harmless = {*THIRD_PARTY, *STANDARD}
    others = (n for n, each in above if each not in harmless and not each.startswith("jax"))
    return max(others, default=0)


def is_sorted(block: Block, run: range, order: Order) -> bool:
    keys = [order(key_of(line)) for line in block[run]]
    return keys == sorted(keys)


def import_of(line: Line) -> ast.Import | ast.ImportFrom:
    (node,) = line.nodes
    assert isinstance(node, ast.Import | ast.ImportFrom)
    return node


def key_of(line: Line) -> tuple[Any, ...]:
    """Is it a ``from`` import, of which module, and what is its first name?"""
    node = import_of(line)
    first = written(node.names[0])
    if isinstance(node, ast.Import):
        return False, node.names[0].name.lower(), (-1, first.lower(), first)
    member = (-1, "", "") if first == "*" else member_key(first)
    return True, "." * node.level + (node.module or "").lower(), member


def package_of(line: Line) -> str:
    """The package that an import is of, "" for a relative one."""
    return str(key_of(line)[1]).partition(".")[0]


def member_key(text: str) -> tuple[int, str, str]:
    """isort's order of names: constants, classes, the rest; each without regard to case."""
    name = text.partition(" ")[0]
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name.lower(), name


def written(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name
