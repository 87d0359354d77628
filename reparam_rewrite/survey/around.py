"""The handlers of a file that address sites, and what they are around."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from reparam_rewrite.survey.addressing import ADDRESSING, addressed_sites, chooses, is_displayed
from reparam_rewrite.survey.blocks import blocks_of_handler, yields_to_anyone
from reparam_rewrite.survey.callgraph import ANY
from reparam_rewrite.survey.index import Index
from reparam_rewrite.survey.meanings import Made
from reparam_rewrite.survey.references import References
from reparam_rewrite.survey.text import Text
from reparam_rewrite.survey.values import Addressed, Handler


def addressed(index: Index, references: References, source: Text) -> Iterator[Addressed]:
    """The handlers that address sites of a function by name, or choose them in another way."""
    for made in references.known.handlers:
        last = made.kind.rpartition(".")[2]
        if last not in ADDRESSING:
            continue
        blocks = blocks_of_handler(references, made)
        targets = set(references.known.may_be(made))
        for (_, callee, frames), _ in references.known.edges.items():
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


def is_shown(index: Index, made: Made, block: ast.With | ast.AsyncWith) -> bool:
    """Is the handler an item of the `with` that was read as one?"""
    items = index.items.get(block, ())
    if all(item.context_expr is not made.call for item in block.items):
        return False
    return any(isinstance(item, Handler) and item.qualified == made.kind for item in items)


def lines_of(block: ast.With | ast.AsyncWith) -> tuple[int, int]:
    return block.body[0].lineno, block.end_lineno or 0
