"""Through which import does a function get NumPyro? New imports stand there, not above it.

What runs before it may decide how JAX is set up, or whether it is there at all::

    os.environ["JAX_ENABLE_X64"] = "1"          try:
                                                    import numpyro
    def model(n):                               except ImportError:
        import numpyro                              numpyro = None
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst
from msgspec import Struct

from reparam_rewrite.emit.import_names import dotted_of

Block = cst.Module | cst.IndentedBlock
Definition = (cst.FunctionDef, cst.ClassDef)


class Anchor(Struct, frozen=True, eq=False):
    """An import of NumPyro: the block that it stands in, and where.

    `alone`: it is somewhere in the statement there, and what is new comes behind that.
    """

    block: Block
    at: int
    alone: bool = False


def anchor_of(module: cst.Module, function: str) -> Anchor | None:
    """That of a function, by its dotted name: its own, or of what it stands in."""
    for block in [*blocks_around(module, function.split(".")), module]:
        found = list(imports_in(block))
        for anchor in found:
            if anchor.block is block or len({id(other.block) for other in found}) == 1:
                return anchor
        if found:
            at = next(at for at, part in enumerate(block.body) if any(imports_below(part)))
            return Anchor(block, at, alone=True)
    return None


def blocks_around(block: Block, names: Sequence[str]) -> list[Block]:
    """The body of the function that is called so, and of those around it, from inside out."""
    found: list[Block] = []
    for node in definitions_in(block.body):
        if node.name.value == names[0] and isinstance(node.body, cst.IndentedBlock):
            inner = blocks_around(node.body, names[1:]) if names[1:] else []
            own = [node.body] if isinstance(node, cst.FunctionDef) else []
            if inner or not names[1:]:
                found = [*inner, *own]  # of several, the last counts
    return found


def definitions_in(body: Sequence[cst.CSTNode]) -> Iterator[cst.FunctionDef | cst.ClassDef]:
    for statement in body:
        if isinstance(statement, Definition):
            yield statement
        else:
            for block in blocks_of(statement):
                yield from definitions_in(block.body)


def blocks_of(statement: cst.CSTNode) -> Iterator[cst.IndentedBlock]:
    """The blocks of a compound statement; that of ``if TYPE_CHECKING:`` never runs."""
    if isinstance(statement, cst.If) and dotted_of(statement.test).endswith("TYPE_CHECKING"):
        parts = [statement.orelse]
    else:
        names = ("body", "handlers", "cases", "orelse", "finalbody")
        parts = [getattr(statement, name, None) for name in names]
    for part in parts:
        for node in part if isinstance(part, (list, tuple)) else [part]:
            if isinstance(node, cst.IndentedBlock):
                yield node
            elif isinstance(node, cst.CSTNode) and not isinstance(node, cst.BaseSuite):
                yield from blocks_of(node)


def lines_behind_colons(statement: cst.CSTNode) -> list[cst.SimpleStatementSuite]:
    """``if x: import numpyro``"""
    parts = [getattr(statement, name, None) for name in ("body", "orelse", "finalbody")]
    found = [part for part in parts if isinstance(part, cst.SimpleStatementSuite)]
    for part in parts[1:]:
        if isinstance(part, (cst.Else, cst.If, cst.Finally)):
            found += lines_behind_colons(part)
    return found


def imports_in(block: Block) -> Iterator[Anchor]:
    """The imports of NumPyro in a block and those inside, but for other functions'."""
    for at, statement in enumerate(block.body):
        if imports(statement, ("numpyro",)):
            yield Anchor(block, at)
        elif isinstance(statement, Definition):
            continue
        elif any(imports(line, ("numpyro",)) for line in lines_behind_colons(statement)):
            yield Anchor(block, at, alone=True)
        else:
            yield from imports_below(statement)


def imports_below(statement: cst.CSTNode) -> Iterator[Anchor]:
    for block in blocks_of(statement):
        yield from imports_in(block)


def imports(statement: cst.CSTNode, packages: Sequence[str]) -> bool:
    """Does a line import any of these packages, or of what is in them?"""
    if not isinstance(statement, (cst.SimpleStatementLine, cst.SimpleStatementSuite)):
        return False
    dotted: list[str] = []
    for small in statement.body:
        if isinstance(small, cst.Import):
            dotted += [dotted_of(alias.name) for alias in small.names]
        elif isinstance(small, cst.ImportFrom) and not small.relative:
            dotted.append(dotted_of(small.module))
    return any(name.partition(".")[0] in packages for name in dotted)


def depth_in(outer: Block, block: Block) -> int:
    """How deep a block is in another; -1 if it isn't."""
    if outer is block:
        return 0
    for statement in outer.body:
        for inner in blocks_of(statement):
            depth = depth_in(inner, block)
            if depth >= 0:
                return depth + 1
    return -1
