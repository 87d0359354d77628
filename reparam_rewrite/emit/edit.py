"""Edits as values: text that takes the place of other text, and what happens at one statement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

#: Where something begins and ends, in characters.
Span = tuple[int, int]

#: A statement of one or more lines, without the indent of its first.
Lines = tuple[str, ...]


class Mismatch(Exception):
    """An edit can't be made where the survey says; nothing is edited then."""


class Splice(Struct, frozen=True):
    """The characters `[start, end)` of the source become `text`."""

    start: int
    end: int
    text: str


def spliced(source: str, splices: Iterable[Splice], pieces: Sequence[Span] = ()) -> str:
    """The `pieces` of the source, one behind the other, with the splices carried out.

    No pieces are all of it. Splices at the same place come one after the other. Raises `Mismatch`
    if two overlap, or if one isn't in just one of the pieces.
    """
    parts: list[str] = []
    left = sorted(splices, key=lambda splice: (splice.start, splice.end))
    for start, end in pieces or [(0, len(source))]:
        at = start
        while left and left[0].start <= end:
            splice = left.pop(0)
            if not at <= splice.start <= splice.end <= end:
                raise Mismatch
            parts += (source[at : splice.start], splice.text)
            at = splice.end
        parts.append(source[at:end])
    if left:
        raise Mismatch
    return "".join(parts)


class Handled(Struct, frozen=True):
    """A site that a reparam handler takes care of.

    `handler` is how that is called here, `key` the site's name as it is written and `reparam` the
    variable that holds the reparameterizer. `statement` is the one that samples the site.
    """

    handler: str
    key: str
    reparam: str
    statement: int


def handler_of(sites: Sequence[Handled]) -> str:
    """``handlers.reparam(config={"a": a_reparam, "b": b_reparam})``"""
    config = ", ".join(f"{site.key}: {site.reparam}" for site in sites)
    return f"{sites[0].handler}(config={{{config}}})"


class Moved(Struct, frozen=True):
    """``z = sample("z", Normal(m, s))`` as ``z_base = sample("z_base", Normal(m + z_loc, s))``.

    `base_site` is the literal of the base's name, and `base` the variable that the statement binds
    then. `loc` is added to the argument of the distribution at `position`.
    """

    base_site: str
    base: str
    loc: str
    position: int


class Change(Struct):
    """What happens at one statement. Generated statements are given as lines without indent.

    `splices` are edits inside of it. `join` are sites whose handler is put first in the statement,
    a `with`, if it fits there; else each has one around its own statement. `wrap` are sites of the
    statement whose handler is put around it. `parts` are the changes of the parts, "body" and
    "orelse", of the conditional expression that the statement is about: it becomes an ``if``.
    """

    before: list[Lines] = []
    after: list[Lines] = []
    splices: list[Splice] = []
    join: list[Handled] = []
    wrap: list[Handled] = []
    parts: dict[str, Change] = {}
