"""Where does a new import go? Into the statement or the sorted block that already has its kind."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import libcst as cst
from msgspec import Struct

from reparam_rewrite.emit.anchors import Anchor, Block, Definition, anchor_of, depth_in, imports
from reparam_rewrite.emit.import_names import (
    alias_text,
    dotted_of,
    import_from,
    is_welcome,
    member_key,
    with_name,
)
from reparam_rewrite.emit.spell import Spelling
from reparam_rewrite.source.placeholders import BORDER, MAGIC, RESERVED

ImportStatement = cst.Import | cst.ImportFrom

#: Packages whose imports don't set JAX up, or do no more than the first two.
THIRD_PARTY = ("numpyro", "jax", "numpy", "scipy", "pandas", "arviz", "matplotlib", "optax", "flax")


def add_imports(module: cst.Module, spelling: Spelling, width: int, cell: str = "") -> cst.Module:
    """The module with the imports that the generated code needs.

    They stand at the head if that imports NumPyro, else where the functions that need them do.
    `cell` is the border of the first cell that is rewritten, if the module is a notebook's.
    """
    for dotted, name in sorted(spelling.new.items()):
        head = head_of(module, cell)
        if is_loaded(module, dotted, head):
            module = added(module, dotted, name, width, head)
            continue
        needed = spelling.needed[dotted]
        for function in sorted(needed) if "" not in needed else [""]:
            anchor = anchor_of(module, function)
            if anchor is None:  # whatever is above the first definition may matter
                module = added(module, dotted, name, width, Head(head.end, head.end))
            elif not is_there(anchor.block, name):
                module = added_by(module, anchor, dotted, name, width)
    return module


def is_loaded(module: cst.Module, dotted: str, head: Head) -> bool:
    """Does the head import what this is in, so that one import more of it does nothing?

    The standard library's is there at any time.
    """
    package = dotted.partition(".")[0]
    if package in sys.stdlib_module_names:
        return True
    return first_import(module, package, head) is not None


def first_import(module: cst.Module, package: str, head: Head) -> int | None:
    """Where a package is imported first at the head. NumPyro's import is one of JAX, too."""
    packages = ("numpyro", package)
    return next((at for at in range(head.end) if imports(module.body[at], packages)), None)


def added(module: cst.Module, dotted: str, name: str, width: int, head: Head) -> cst.Module:
    package, _, last = dotted.rpartition(".")
    if dotted in ("jax.numpy", "numpyro"):
        line = f"import {dotted}" + (f" as {name}" if name != dotted else "")
        return insert(module, line, head)
    alias = last if last == name else f"{last} as {name}"
    extended = extend(module, package, alias, width, head)
    return extended or insert(module, import_from(package, [alias], module, width), head)


def added_by(module: cst.Module, anchor: Anchor, dotted: str, name: str, width: int) -> cst.Module:
    """The import beside the one of NumPyro that the function goes through."""
    block = anchor.block
    inside = module if block is module else module.with_changes(body=block.body, header=[])
    room = width - depth_in(module, block) * len(module.default_indent)
    if anchor.alone:
        line = added(inside.with_changes(body=[]), dotted, name, room, Head(0, 0)).body
        line = [line[0].with_changes(leading_lines=[])]
        position = behind(inside, anchor.at, len(inside.body))
        changed = replaced(inside, position, position, line)
    else:
        others = [at for at, part in enumerate(block.body) if isinstance(part, Definition)]
        start = max((at + 1 for at in others if at < anchor.at), default=0)
        end = min((at for at in others if at > anchor.at), default=len(block.body))
        changed = added(inside, dotted, name, room, Head(start, end))
    if block is module:
        return changed
    first, *below = changed.body
    first = first.with_changes(leading_lines=[*changed.header, *leading_lines(first)])
    return module.with_deep_changes(block, body=[first, *below])


def is_there(block: Block, name: str) -> bool:
    """Has another function had the import put there already?"""
    names = (imported for statement in block.body if (imported := import_of(statement)))
    return any(name in bound_by(found) for found in names)


def bound_by(found: ImportStatement) -> list[str]:
    """The names that an import binds, but for a star."""
    if isinstance(found.names, cst.ImportStar):
        return []
    return [alias_text(alias).rpartition(" ")[2] for alias in found.names]


class Head(Struct, frozen=True):
    """The statements that imports may stand among: those before `end`.

    In a notebook, an import that nothing else places stands at `start` or below.
    """

    start: int
    end: int


def head_of(module: cst.Module, cell: str = "") -> Head:
    """What stands before the first definition: imports behind it come too late.

    In a notebook, before the first one of that cell: whoever runs it has run those above it.
    """
    borders = [at for at in range(len(module.body)) if cell and stands_in(module, at) == cell]
    start = borders[0] + 1 if borders else 0
    while start < len(module.body) and stands_in(module, start).startswith(MAGIC):
        start += 1
    for position, statement in enumerate(module.body[start:], start):
        if isinstance(statement, (cst.FunctionDef, cst.ClassDef)) or is_border(module, position):
            return Head(start, position)
    return Head(start, len(module.body))


def stands_in(module: cst.Module, position: int) -> str:
    """The name that a statement consists of, or of whose call, if it stands in for something."""
    statement = module.body[position]
    if isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1:
        small = statement.body[0]
        value = small.value if isinstance(small, cst.Expr) else None
        name = value.func if isinstance(value, cst.Call) else value
        if isinstance(name, cst.Name) and name.value.startswith(RESERVED):
            return name.value
    return ""


def is_border(module: cst.Module, position: int) -> bool:
    return stands_in(module, position).startswith(BORDER)


def comment_behind(statement: cst.BaseStatement) -> str:
    """``# isort: skip``"""
    if not isinstance(statement, cst.SimpleStatementLine):
        return ""
    comment = statement.trailing_whitespace.comment
    return comment.value if comment is not None else ""


def import_of(statement: cst.BaseStatement) -> ImportStatement | None:
    """The import that a line consists of, if it is one that may be sorted."""
    if isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1:
        small = statement.body[0]
        if "isort:" in comment_behind(statement):
            return None
        if isinstance(small, (cst.Import, cst.ImportFrom)):
            return small
    return None


def extend(
    module: cst.Module, package: str, alias: str, width: int, head: Head
) -> cst.Module | None:
    """``from package import a, b`` with one more name; None if there is no such statement."""
    for position, statement in enumerate(module.body[: head.end]):
        found = import_of(statement)
        if not isinstance(found, cst.ImportFrom) or found.relative:
            continue
        if dotted_of(found.module) != package or isinstance(found.names, cst.ImportStar):
            continue
        if is_welcome(alias, found.names):
            assert isinstance(statement, cst.SimpleStatementLine)
            changed = with_name(statement, alias, module, width)
            if changed is not None:
                return replaced(module, position, position + 1, [changed])
    return None


def replaced(module: cst.Module, start: int, end: int, new: Sequence[cst.CSTNode]) -> cst.Module:
    return module.with_changes(body=[*module.body[:start], *new, *module.body[end:]])


# -- one more import -----------------------------------------------------------------------------


class Run(Struct, frozen=True):
    """A run of imports without blank lines: ``body[start:end]``."""

    start: int
    end: int
    imports: tuple[ImportStatement, ...]

    @property
    def tops(self) -> set[str]:
        """The packages it imports from, "" for relative imports."""
        return {key_of(found)[1].partition(".")[0] for found in self.imports}


def insert(module: cst.Module, line: str, head: Head) -> cst.Module:
    """The new import in the block of imports that has NumPyro or JAX, where sorting puts it.

    It isn't put above what may set JAX up. One of the standard library goes to the block that has
    nothing else.
    """
    new = cst.parse_statement(line, config=module.config_for_parsing)
    assert isinstance(new, cst.SimpleStatementLine)
    found = import_of(new)
    assert found is not None
    blocks = blocks_of(module, head)
    package = key_of(found)[1].partition(".")[0]
    if package in sys.stdlib_module_names:
        block = next((b for b in blocks if b.start >= head.start and is_standard(b)), None)
    else:
        block = third_party(blocks, head, package)
        first = first_import(module, package, head)
        if block is None and first is not None and first >= head.start:
            position = behind(module, first, head.end)
            return replaced(module, position, position, [new])
    if block is None:
        return insert_block(module, new, blocks, head)
    lines = module.body[block.start : block.end]
    if all("noqa" in said and "E402" in said for said in map(comment_behind, lines)):
        # They come late, which linters were told of line by line.
        space, late = cst.SimpleWhitespace("  "), cst.Comment("# noqa: E402")
        behind_it = new.trailing_whitespace.with_changes(whitespace=space, comment=late)
        new = new.with_changes(trailing_whitespace=behind_it)
    order = order_of(blocks)
    block = section(block, blocks, module, order)
    own = order(key_of(found))
    keys = [order(key_of(other)) for other in block.imports]
    position = block.end
    if keys == sorted(keys):
        position = block.start + max(sum(key < own for key in keys), unsure(block))
    return insert_at(module, new, position, block)


def unsure(block: Run) -> int:
    """How many imports of a block are up to the last before NumPyro that may set JAX up."""
    tops = [key_of(found)[1].partition(".")[0] for found in block.imports]
    first = next((at for at, top in enumerate(tops) if top in THIRD_PARTY[:2]), 0)
    known = {*THIRD_PARTY, *sys.stdlib_module_names}
    others = [at for at in range(first) if not tops[at].startswith("jax") and tops[at] not in known]
    return max(others, default=-1) + 1


Key = tuple[bool, str, tuple[int, str, str]]
Order = Callable[[Key], tuple[object, ...]]


def key_of(found: ImportStatement) -> Key:
    """Is it a ``from`` import, of which module, and what is its first name?"""
    if isinstance(found, cst.ImportFrom):
        star = isinstance(found.names, cst.ImportStar)
        first = "*" if isinstance(found.names, cst.ImportStar) else alias_text(found.names[0])
        member = (-1, "", "") if star else member_key(first)
        return True, "." * len(found.relative) + dotted_of(found.module).lower(), member
    first = alias_text(found.names[0])
    return False, dotted_of(found.names[0].name).lower(), (-1, first.lower(), first)


def straight_first(key: Key) -> tuple[object, ...]:
    """isort's order: ``import x`` before ``from x import y``."""
    return key


def by_module(key: Key) -> tuple[object, ...]:
    """The other order in use (force-sort-within-sections): by module, whatever the form."""
    return key[1], key[0], key[2]


def order_of(blocks: Sequence[Run]) -> Order:
    """The order that all blocks of the file are in; isort's own if they are in none."""
    keys = [[key_of(found) for found in block.imports] for block in blocks]
    for order in (straight_first, by_module):
        if all(block == sorted(block, key=order) for block in keys):
            return order
    return straight_first


def blocks_of(module: cst.Module, head: Head) -> list[Run]:
    """The runs of imports at the head of the file."""
    blocks: list[Run] = []
    start, found = 0, list[ImportStatement]()
    for position, statement in enumerate([*module.body[: head.end], None]):
        imported = None if statement is None or is_future(statement) else import_of(statement)
        ends = imported is None or (statement is not None and has_blank_line(statement))
        if found and ends:
            blocks.append(Run(start, position, tuple(found)))
            found = []
        if imported is not None:
            start = start if found else position
            found.append(imported)
    return blocks


def third_party(blocks: Sequence[Run], head: Head, package: str) -> Run | None:
    """The block that NumPyro's imports belong to, and that of JAX those of JAX.

    A notebook may install NumPyro below its other imports.
    """
    near = [block for block in blocks if block.start >= head.start]
    for wanted in ("numpyro", package):
        for block in blocks if wanted == "numpyro" else near:
            if wanted in block.tops:
                return block
    return None


def section(block: Run, blocks: Sequence[Run], module: cst.Module, order: Order) -> Run:
    """The block with its neighbours of the same section: sorters set off what has a comment.

    ::

        import jax

        # The language of the model
        import numpyro
    """
    for other in blocks:
        first, second = sorted((block, other), key=lambda part: part.start)
        if first.end != second.start or is_standard(other) or "" in other.tops:
            continue
        _, *above = leading_lines(module.body[second.start])
        imports = (*first.imports, *second.imports)
        keys = [order(key_of(found)) for found in imports]
        if keys == sorted(keys) and above and all(line.comment for line in above):
            block = Run(first.start, second.end, imports)
    return block


def is_standard(block: Run) -> bool:
    return block.tops <= sys.stdlib_module_names


def is_future(statement: cst.BaseStatement) -> bool:
    found = import_of(statement)
    return isinstance(found, cst.ImportFrom) and dotted_of(found.module) == "__future__"


def leading_lines(statement: cst.BaseStatement) -> Sequence[cst.EmptyLine]:
    assert isinstance(statement, (cst.SimpleStatementLine, cst.BaseCompoundStatement))
    return statement.leading_lines


def behind(module: cst.Module, position: int, end: int) -> int:
    """Where a new import goes that belongs to what is at the position."""
    below = range(position + 1, end)
    return next((at for at in below if not follows(module.body[at])), end)


def follows(statement: cst.BaseStatement) -> bool:
    """Is it an import that belongs to those right above it?"""
    return import_of(statement) is not None and not has_blank_line(statement)


def has_blank_line(statement: cst.BaseStatement) -> bool:
    return any(line.comment is None for line in leading_lines(statement))


def insert_at(
    module: cst.Module, new: cst.SimpleStatementLine, position: int, block: Run
) -> cst.Module:
    """A new first line of a block goes below the blank lines; comments stay with theirs."""
    if position > block.start:
        return replaced(module, position, position, [new])
    old = module.body[position]
    header, above, own = parted(module, position, keep=True)
    first = new.with_changes(leading_lines=above)
    if own:
        own = [cst.EmptyLine(indent=False), *own]  # as sorters set off a comment
    module = module.with_changes(header=header)
    return replaced(module, position, position + 1, [first, old.with_changes(leading_lines=own)])


def parted(
    module: cst.Module, position: int, *, keep: bool
) -> tuple[list[cst.EmptyLine], list[cst.EmptyLine], list[cst.EmptyLine]]:
    """The header of the file, the lines above a statement up to the last blank one, and its own.

    LibCST counts all that stands above the first statement as the header. Comments that begin the
    file are about the file, `keep`, or about the statement, if no blank line comes between.
    """
    header = list(module.header)
    if position and is_border(module, position - 1):
        above, own = at_last_blank(list(leading_lines(module.body[position])))
        return (header, own, []) if keep and not above else (header, above, own)
    if position:
        return (header, *at_last_blank(list(leading_lines(module.body[position]))))
    marks = sum(is_mark(line) for line in header[:2])
    above, own = at_last_blank([*header[marks:], *leading_lines(module.body[0])])
    if keep and not above:
        return [*header[:marks], *own], [], []
    return [*header[:marks], *above], [], own


def is_mark(line: cst.EmptyLine) -> bool:
    """``#!/usr/bin/env python`` or a declaration of the encoding"""
    return line.comment is not None and (
        line.comment.value.startswith("#!") or "coding" in line.comment.value
    )


def at_last_blank(lines: list[cst.EmptyLine]) -> tuple[list[cst.EmptyLine], list[cst.EmptyLine]]:
    cut = max((at + 1 for at, line in enumerate(lines) if line.comment is None), default=0)
    return lines[:cut], lines[cut:]


def insert_block(
    module: cst.Module, new: cst.SimpleStatementLine, blocks: Sequence[Run], head: Head
) -> cst.Module:
    """A block of its own: behind the docstring, ``from __future__`` and the standard library's.

    In a notebook, at the top of the cell that needs it.
    """
    blank = cst.EmptyLine(indent=False)
    position = head.start
    for at, statement in enumerate(module.body[head.start : head.end], head.start):
        if (at == position and is_docstring(statement)) or is_future(statement):
            position = at + 1
    standard = [block.end for block in blocks if is_standard(block)]
    position = max([position, *standard])
    if position == len(module.body):
        return replaced(module, position, position, [new.with_changes(leading_lines=[blank])])
    following = module.body[position]
    if position == 0 or is_border(module, position - 1):
        header, above, own = parted(module, position, keep=False)
        module = module.with_changes(header=header)
        new = new.with_changes(leading_lines=above)
    else:
        new = new.with_changes(leading_lines=[blank])
        own = list(leading_lines(following))
    wanted = 2 if isinstance(following, (cst.FunctionDef, cst.ClassDef)) else 1
    if own and own[0].comment is None:
        wanted = 0
    following = following.with_changes(leading_lines=[*[blank] * wanted, *own])
    return replaced(module, position, position + 1, [new, following])


def is_docstring(statement: cst.BaseStatement) -> bool:
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return False
    small = statement.body[0]
    return isinstance(small, cst.Expr) and isinstance(
        small.value, (cst.SimpleString, cst.ConcatenatedString)
    )
