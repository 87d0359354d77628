"""What happens at one statement: the values that are made of a plan and carried out."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from reparam_rewrite.emit import layout
from reparam_rewrite.emit.scanning import Moved, Passed, Renamed

Lines = layout.Lines


class Prior(Struct, frozen=True):
    """The distribution `text` of the site whose name is written `site`, held by `variable`."""

    variable: str
    text: str
    site: str


class Named(Struct, frozen=True):
    """The value of the site whose name is written `site` gets a `variable`."""

    site: str
    variable: str


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


class Edit(Struct):
    """What happens at one statement. Statements are given as lines without indent.

    `join` are sites whose handler is put first in the statement, a `with`, if it fits there;
    else each has one around its own statement. `wrap` are sites of the statement whose handler
    is put around it. `expanded` are sites whose `sample_shape` becomes an `expand_by`, `named`
    those whose values get a name. `priors` are distributions in the statement that variables
    take the place of. `moved`, `passed` and `renamed` change a sample, a call of scan and the
    `def` of its body. `parts` are the edits of the parts, "body" and "orelse", of the conditional
    expression that the statement is about: it becomes an ``if``.
    """

    before: list[Lines] = []
    after: list[Lines] = []
    join: list[Handled] = []
    wrap: list[Handled] = []
    expanded: list[str] = []
    named: list[Named] = []
    priors: list[Prior] = []
    moved: Moved | None = None
    passed: list[Passed] = []
    renamed: Renamed | None = None
    parts: dict[str, Edit] = {}


class Mismatch(Exception):
    """The two parsers see different statements; nothing can be edited safely."""
