"""What stands around the calls of a file: plates, and handlers that weigh or address sites."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from reparam_rewrite.survey.aliases import MESSENGER, PLATES, MadeHandler, With
from reparam_rewrite.survey.calls import is_none
from reparam_rewrite.survey.contexts import (
    ADDRESSING,
    addressed_sites,
    chooses,
    is_displayed,
    is_plate,
)
from reparam_rewrite.survey.functions import ANY, Addressed, Call, Function
from reparam_rewrite.survey.index import YIELDS, Index, dotted_name
from reparam_rewrite.survey.nodes import walk
from reparam_rewrite.survey.references import References
from reparam_rewrite.survey.text import Text
from reparam_rewrite.survey.values import Handler, Plate, weighs

WEIGHING = ("numpyro.handlers.mask", "numpyro.handlers.scale", MESSENGER)


def calls_of(
    index: Index, references: References, functions: Mapping[str, Function]
) -> Iterator[Call]:
    """All calls of the file, with what they are under.

    A block whose handler isn't known only counts where something of the file does weigh.
    """
    handlers = references.aliases.handlers
    weighing = any(map(is_weighing, handlers))
    plates = {block for made in handlers if made.kind in PLATES for block in made.blocks}
    blocks: dict[ast.AST, tuple[bool, bool]] = {}

    def kind_of(block: With) -> tuple[bool, bool]:
        """Is it, or may it be, a plate, and may it weigh?"""
        if block not in blocks:
            items = index.items.get(block) or tuple(items_of(index, block))
            plated, weighed = block in plates, False
            for position, item in enumerate(items):
                same = len(items) == len(block.items)  # a stack of plates is several
                made = made_by(references, block, position) if same else []
                if made:  # ``with h:`` where h is a handler
                    weighed = weighed or any(map(is_weighing, made))
                    continue
                known = isinstance(item, Plate) or item.qualified is not None
                plated = plated or is_plate(item)
                weighed = weighed or (weighs(item) and (weighing or known))
            blocks[block] = plated, weighed
        return blocks[block]

    def is_held(block: With) -> bool:
        """``with checks.soft:`` is no plate for what another module may call, or may not."""
        return all(dotted_name(index.aliases, item.context_expr) for item in block.items)

    for (caller, callee, frames), line in references.aliases.edges.items():
        plated = weighed = 0
        handed = (caller, callee, frames) in references.aliases.handed
        for block in frames:
            is_plated, is_weighed = kind_of(block)
            is_plated = is_plated and not (handed and is_held(block))
            plated = plated or (line if is_plated else 0)
            weighed = weighed or (block.lineno if is_weighed else 0)
        function = functions.get(caller)
        if function is not None and function.entered is not None and function.entered[1] <= line:
            plated = plated or line
            weighed = weighed or (function.entered[1] if weighing else 0)
        yield Call(caller, callee, line, plated, weighed)
    for made in handlers:
        line = made.call.lineno
        plated, weighed = line * (made.kind in PLATES), line * is_weighing(made)
        for callee in sorted(references.aliases.may_be(made)):
            yield Call(made.node, callee, line, plated, weighed)
    for block, owner in references.owners.items():
        if yields_to_anyone(index, block, owner):
            _, is_weighed = kind_of(block)
            yield Call(owner, ANY, block.lineno, 0, block.lineno * is_weighed)


def made_by(references: References, block: With, position: int) -> list[MadeHandler]:
    """The handlers that an item of a `with` is one of, if it can't be anything else."""
    values = references.items.get((block, position), ())
    if not all(kind == "handler" for kind, _ in values):
        return []
    return [references.aliases.handlers[int(number)] for _, number in values]


def yields_to_anyone(index: Index, block: With, owner: str) -> bool:
    """Does a block yield, and not as a context manager does, for the block of another `with`?"""
    if index.holds.isdisjoint(YIELDS):
        return False
    inside = (part for statement in block.body for part in walk(statement))
    if not any(isinstance(part, YIELDS) for part in inside):
        return False
    nodes = (scoped.node for scoped in index.functions if scoped.name == owner)
    decorators = (ast.unparse(part) for node in nodes for part in node.decorator_list)
    return not any(decorator.endswith("contextmanager") for decorator in decorators)


def is_weighing(made: MadeHandler) -> bool:
    """``scale(scale=0.5)``, ``mask(mask=m)``, and a plate of which a part is taken."""
    if made.kind not in PLATES:
        return made.kind in WEIGHING
    if any(keyword.arg is None for keyword in made.call.keywords) or len(made.call.args) > 2:
        return True
    return any(
        keyword.arg == "subsample_size" and not is_none(keyword.value)
        for keyword in made.call.keywords
    )


def items_of(index: Index, block: With) -> Iterator[Handler]:
    """The items of a `with` of the module itself."""
    for item in block.items:
        node = item.context_expr
        called = node.func if isinstance(node, ast.Call) else node
        yield Handler(dotted_name(index.aliases, called), ast.unparse(node))


def blocks_of_handler(references: References, made: MadeHandler) -> set[With]:
    """The blocks that a handler is around, also by ``with known():`` where `known` yields in it."""
    found = set(made.blocks)
    for block in made.blocks:
        inside = (part for statement in block.body for part in walk(statement))
        if any(isinstance(part, (ast.Yield, ast.YieldFrom)) for part in inside):
            maker = references.owners.get(block, ANY)
            for outer, makers in references.contexts.items():
                if maker in makers:
                    found.add(outer)
    return found


def addressed(index: Index, references: References, source: Text) -> Iterator[Addressed]:
    """The handlers that address sites of a function by name, or choose them in another way."""
    for made in references.aliases.handlers:
        last = made.kind.rpartition(".")[2]
        if last not in ADDRESSING:
            continue
        blocks = blocks_of_handler(references, made)
        targets = set(references.aliases.may_be(made))
        for (_, callee, frames), _ in references.aliases.edges.items():
            if not blocks.isdisjoint(frames):
                targets.add(callee)
        if any(yields_to_anyone(index, b, references.owners[b]) for b in made.blocks):
            targets.add(ANY)
        if not blocks and not targets:
            continue
        yield Addressed(
            handler=last,
            sites=addressed_sites(index, made.kind, made.call),
            targets=frozenset(targets),
            place=source.place(made.call),
            displayed=is_displayed(index, made.call),
            chooses=chooses(last, made.call),
            blocks=tuple(sorted(lines_of(block) for block in blocks)),
            unseen=tuple(sorted(lines_of(b) for b in blocks if not is_shown(index, made, b))),
        )


def is_shown(index: Index, made: MadeHandler, block: With) -> bool:
    """Is the handler an item of the `with` that was read as one?"""
    items = index.items.get(block, ())
    if all(item.context_expr is not made.call for item in block.items):
        return False
    return any(isinstance(item, Handler) and item.qualified == made.kind for item in items)


def lines_of(block: With) -> tuple[int, int]:
    """The first and the last line of what stands in a block."""
    return block.body[0].lineno, block.end_lineno or 0
