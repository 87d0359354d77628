"""What stands around the calls of a file: plates, and handlers that weigh or address sites."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache

from reparam_rewrite.survey.calls import is_none
from reparam_rewrite.survey.contexts import (
    ADDRESSING,
    addressed_sites,
    chooses,
    is_displayed,
    is_plate,
    reparams_of,
)
from reparam_rewrite.survey.functions import ANY, Addressed, Call, Function
from reparam_rewrite.survey.index import YIELDS, Index, dotted_name
from reparam_rewrite.survey.nodes import walk
from reparam_rewrite.survey.points_to import MESSENGER, PLATES, MadeHandler, With
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
    aliases = references.aliases
    weighing = any(map(is_weighing, aliases.handlers))
    plates = {block for made in aliases.handlers if made.kind in PLATES for block in made.blocks}

    @cache
    def kind_of(block: With) -> tuple[bool, bool]:
        """Is it, or may it be, a plate, and may it weigh?"""
        items = index.items.get(block) or tuple(items_of(index, block))
        plated, weighed = block in plates, False
        for position, item in enumerate(items):
            same = len(items) == len(block.items)  # a stack of plates is several
            read = references.blocks[block]
            values = read.items[position] if same else frozenset()
            called = read.called.get(position) if same else None
            if called and all(map(aliases.is_elsewhere, called)):
                continue  # ``with open(path) as file:``
            if values and all(kind == "handler" for kind, _ in values):
                # ``with h:`` where h is a handler
                weighed = weighed or any(is_weighing(aliases.handler(value)) for value in values)
                continue
            known = isinstance(item, Plate) or item.qualified is not None
            plated = plated or is_plate(item)
            weighed = weighed or (weighs(item) and (weighing or known))
        return plated, weighed

    def is_held(block: With) -> bool:
        """``with checks.soft:`` is no plate for what another module may call, or may not."""
        return all(dotted_name(index.aliases, item.context_expr) for item in block.items)

    for edge, line in aliases.edges.items():
        caller, callee, frames = edge
        plated = weighed = 0
        for block in frames:
            is_plated, is_weighed = kind_of(block)
            given = edge in aliases.handed and edge not in aliases.inherited
            if is_plated and not (given and is_held(block)):
                plated = line
            if is_weighed:
                weighed = block.lineno
        function = functions.get(caller)
        if function is not None and function.entered is not None and function.entered[1] <= line:
            plated = plated or line
            weighed = weighed or (function.entered[1] if weighing else 0)
        yield Call(caller, callee, line, plated, weighed, aliases.is_guessed(edge))
    for made in aliases.handlers:
        line = made.call.lineno
        plated, weighed = line * (made.kind in PLATES), line * is_weighing(made)
        for callee in sorted(aliases.may_be(made)):
            yield Call(made.node, callee, line, plated, weighed)
    for block, read in references.blocks.items():
        if yields_to_anyone(index, references, block):
            _, is_weighed = kind_of(block)
            yield Call(read.owner, ANY, block.lineno, 0, block.lineno * is_weighed)


def is_weighing(made: MadeHandler) -> bool:
    """``scale(scale=0.5)``, ``mask(mask=m)``, and a plate of which a part is taken."""
    if made.kind not in PLATES:
        return made.kind in WEIGHING
    given = {keyword.arg: keyword.value for keyword in made.call.keywords}
    return len(made.call.args) > 2 or None in given or not is_none(given.get("subsample_size"))


def items_of(index: Index, block: With) -> Iterator[Handler]:
    """The items of a `with` of the module itself."""
    for item in block.items:
        node = item.context_expr
        called = node.func if isinstance(node, ast.Call) else node
        yield Handler(dotted_name(index.aliases, called), ast.unparse(node))


def has_yield(block: With) -> bool:
    inside = (part for statement in block.body for part in walk(statement))
    return any(isinstance(part, YIELDS) for part in inside)


def yields_to_anyone(index: Index, references: References, block: With) -> bool:
    """Does a block yield, and not as a context manager does, for the block of another `with`?"""
    if index.holds.isdisjoint(YIELDS) or not has_yield(block):
        return False
    owners = (one for one in index.functions if one.name == references.blocks[block].owner)
    decorators = (decorator for scoped in owners for decorator in scoped.decorators)
    return not any(decorator.endswith("contextmanager") for decorator in decorators)


def addressed(index: Index, references: References, source: Text) -> Iterator[Addressed]:
    """The handlers that address sites of a function by name, or choose them in another way."""
    decorated = [function for function in index.functions if function.node.decorator_list]
    for made in references.aliases.handlers:
        last = made.kind.rpartition(".")[2]
        if last not in ADDRESSING:
            continue
        blocks = set(made.blocks)
        for block in made.blocks:  # ``with known():`` where `known` yields in it
            maker = references.blocks[block].owner if has_yield(block) else None
            blocks |= {outer for outer, of in references.blocks.items() if maker in of.makers}
        targets = set(references.aliases.may_be(made))
        for _, callee, frames in references.aliases.edges:
            if not blocks.isdisjoint(frames):
                targets.add(callee)
        if any(yields_to_anyone(index, references, block) for block in made.blocks):
            targets.add(ANY)
        if not blocks and not targets:
            continue
        read = next(filter(None, (item_of(index, made, block) for block in made.blocks)), None)
        yield Addressed(
            handler=last,
            sites=read.sites if read else addressed_sites(index, made.kind, made.call),
            targets=frozenset(targets),
            place=source.place(made.call),
            displayed=is_displayed(index, made.call),
            chooses=chooses(index, last, made.call),
            blocks=tuple(sorted(map(lines_of, blocks))),
            unseen=tuple(sorted(lines_of(b) for b in blocks if not item_of(index, made, b))),
            decorates=next((f.name for f in decorated if made.call in f.node.decorator_list), ""),
            reparams=read.reparams if read else reparams_of(index, made.kind, made.call),
        )


def item_of(index: Index, made: MadeHandler, block: With) -> Handler | None:
    """The handler as an item of a `with` that was read as one."""
    if all(item.context_expr is not made.call for item in block.items):
        return None
    handlers = (item for item in index.items.get(block, ()) if isinstance(item, Handler))
    text = ast.unparse(made.call)
    return next((one for one in handlers if one.qualified == made.kind and one.text == text), None)


def lines_of(block: With) -> tuple[int, int]:
    """The first and the last line of what stands in a block."""
    return block.body[0].lineno, block.end_lineno or 0
