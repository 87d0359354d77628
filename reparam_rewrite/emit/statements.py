"""From what happens at each statement to splices of the file's text.

A statement that is edited inside is laid out anew where it has become too long; all that is added
takes the indent and the line ends of the file. Nothing else of the file is touched.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from reparam_rewrite.emit import wrap
from reparam_rewrite.emit.layout import Layout, Mismatch, Span, Splice, is_compound, spliced
from reparam_rewrite.emit.wrap import Lines
from reparam_rewrite.survey.expressions import ungrouped

#: What stands between the last item of a `with` and its colon.
BEFORE_COLON = re.compile(r"(?:[\s,)\\]|#[^\r\n]*)*(?=:)")

#: ``with (`` that ends its line, and what stands above the first item, or behind it there.
FIRST_LINE = re.compile(r"\([ \t\f]*(?:#[^\r\n]*)?\r?\n")
ABOVE = re.compile(r"(?:[ \t\f]*(?:#[^\r\n]*)?\r?\n)*([ \t\f]*)")

#: Whose parentheses belong to it.
BRACKETED = ast.Tuple | ast.GeneratorExp | ast.NamedExpr


class Handled(NamedTuple):
    """A site that a reparam handler takes care of.

    `handler` is how that is called here, `key` the site's name as it is written and `reparam` the
    variable that holds the reparameterizer. `statement` is the one that samples the site.
    """

    handler: str
    key: str
    reparam: str
    statement: int


class Change:
    """What happens at one statement. Generated statements are given as lines without indent.

    `splices` are edits inside of it. `join` are sites whose handler is put first in the statement,
    a `with`, if it fits there; else each has one around its own statement. `wrap` are sites of the
    statement whose handler is put around it. `parts` are the changes of the parts, "body" and
    "orelse", of the conditional expression that the statement is about: it becomes an ``if``.
    """

    def __init__(self) -> None:
        self.before: list[Lines] = []
        self.after: list[Lines] = []
        self.splices: list[Splice] = []
        self.join: list[Handled] = []
        self.wrap: list[Handled] = []
        self.parts: dict[str, Change] = {}

    def part(self, name: str) -> Change:
        return self.parts.setdefault(name, Change())


class Changes(dict[int, Change]):
    """What happens at statements, by their numbers."""

    def __missing__(self, number: int) -> Change:
        return self.setdefault(number, Change())


def handler_of(sites: Sequence[Handled]) -> str:
    """``handlers.reparam(config={"a": a_reparam, "b": b_reparam})``"""
    config = ", ".join(f"{site.key}: {site.reparam}" for site in sites)
    return f"{sites[0].handler}(config={{{config}}})"


class Editor:
    """Carries out the changes of a file's statements."""

    def __init__(self, layout: Layout, changes: Changes) -> None:
        self._layout, self._source = layout, layout.source
        self._changes = changes
        #: Those of the `with` statements that get one more item, up to the colon.
        self._headers: dict[int, str] = {}

    def splices(self) -> Iterator[Splice]:
        """The edits that all the changes come to. Raises `Mismatch`."""
        for number in sorted(self._changes):
            self._join(number, self._changes[number].join)
        for number in sorted(self._changes):
            self._merge(number, self._changes[number])
        for number, header in self._headers.items():
            yield Splice(*self._header_of(number), header)
        for number in sorted(self._changes):
            node, change = self._layout.statements[number], self._changes[number]
            yield from (self._compound if is_compound(node) else self._simple)(node, change)

    # -- a statement -----------------------------------------------------------------------------

    def _compound(self, node: ast.stmt, change: Change) -> Iterator[Splice]:
        layout, newline = self._layout, self._layout.newline
        start, indent = layout.line_start(node), layout.indent_of(node)
        if change.wrap or change.parts or (change.before and layout.is_elif(node)):
            raise Mismatch
        yield from change.splices
        before = [layout.generated(lines, indent) + newline for lines in change.before]
        yield Splice(start, start, "".join(before))
        after = [layout.generated(lines, indent) for lines in change.after]
        if after:
            end = layout.end_of(node, indent)
            text = newline.join(after)
            ended = self._source[:end].endswith(("\n", "\r"))
            yield Splice(end, end, text + newline if ended else newline + text)

    def _simple(self, node: ast.stmt, change: Change) -> Iterator[Splice]:
        start, indent = self._layout.line_start(node), self._layout.indent_of(node)
        _, end = self._layout.span(node)
        line_end = self._layout.line_end(end)
        behind = self._source[end:line_end]
        if behind.strip() and not behind.lstrip().startswith("#"):
            raise Mismatch
        yield Splice(start, line_end, self._changed(node, None, change, indent, behind))

    def _changed(
        self, node: ast.stmt, choice: ast.expr | None, change: Change, indent: str, behind: str
    ) -> str:
        """A simple statement with its change, and what comes before and after it.

        If there is a `choice`, it stands in the place of the conditional expression that it is a
        part of. `behind` is what stands behind the statement on its line.
        """
        layout = self._layout
        if change.parts:
            text = self._split(node, choice, change, indent, behind)
        else:
            splices = [*change.splices, *self._chosen(node, choice)]
            code = spliced(self._source, splices, *layout.span(node))
            if splices:
                code = self._fitted(code, indent, behind, anew=choice is not None)
            text = f"{indent}{code}{behind}"
            if change.wrap:
                text = self._wrapped(code, handler_of(change.wrap), indent, behind)
        before = [layout.generated(lines, indent) for lines in change.before]
        after = [layout.generated(lines, indent) for lines in change.after]
        return layout.newline.join([*before, text, *after])

    def _chosen(self, node: ast.stmt, choice: ast.expr | None) -> Iterator[Splice]:
        """``x = a if c else b`` as ``x = a``: what is cut off before and behind the choice."""
        if choice is not None:
            left, right = self._layout.outer_span(value_of(node))
            bracketed = isinstance(choice, BRACKETED)
            start, end = (self._layout.outer_span if bracketed else self._layout.span)(choice)
            yield Splice(left, start, "")
            yield Splice(end, right, "")

    def _split(
        self, node: ast.stmt, choice: ast.expr | None, change: Change, indent: str, behind: str
    ) -> str:
        """``x = sample(...) if c else 0.0`` as an ``if`` with a statement in either block.

        A comment stays behind the part that is edited.
        """
        choice = choice or value_of(node)
        if not isinstance(choice, ast.IfExp) or change.splices:
            raise Mismatch
        written = self._layout.written(choice.test).replace("\r\n", "\n")
        test = wrap.joined(ungrouped(written))
        if test is None:
            raise Mismatch
        header = wrap.statement(f"if {test}:", self._layout.width - len(indent))
        kept = next(iter(change.parts))
        inner = indent + self._layout.step
        body, orelse = (
            self._changed(
                node,
                getattr(choice, name),
                change.parts.get(name, Change()),
                inner,
                behind if name == kept else "",
            )
            for name in ("body", "orelse")
        )
        lines = [self._layout.generated(header, indent), body, f"{indent}else:", orelse]
        return self._layout.newline.join(lines)

    def _fitted(self, code: str, indent: str, behind: str, *, anew: bool = False) -> str:
        """A changed statement, on as few lines as it needs; `anew`: whatever it is like."""
        room, comment = self._layout.width - len(indent), len(behind.rstrip())
        if not anew and "\n" not in code and len(code) + comment <= room:
            return code
        one_line = wrap.joined(code.replace("\r\n", "\n"))
        if one_line is not None:
            lines = wrap.statement(one_line, room, comment)
            return self._layout.generated(lines, indent)[len(indent) :]
        if anew:
            raise Mismatch
        return code

    def _wrapped(self, code: str, handler: str, indent: str, behind: str) -> str:
        """``with handler:`` around a statement, which goes one step deeper.

        It is laid out anew where it gets too long.
        """
        layout = self._layout
        header = wrap.statement(f"with {handler}:", layout.width - len(indent))
        inner = indent + layout.step
        deeper = reindented(code, indent, inner)
        lines = f"{inner}{deeper}{behind.rstrip()}".replace("\r", "").split("\n")
        if max(map(len, lines)) > layout.width:
            deeper = self._fitted(code, inner, behind)
        return f"{layout.generated(header, indent)}{layout.newline}{inner}{deeper}{behind}"

    # -- a `with` --------------------------------------------------------------------------------

    def _join(self, number: int, sites: list[Handled]) -> None:
        """``with handler, plate:``; what can't be goes around the statements inside."""
        if sites and not self._has_joined(number, sites):
            for site in sites:
                self._changes[site.statement].wrap.append(site)

    def _merge(self, number: int, change: Change) -> None:
        """``with mask, handler:`` where the handler's ``with`` would be all that another holds."""
        statements = self._layout.statements
        outer = statements[number - 1] if number else None
        if not change.wrap or change.before or change.after or not isinstance(outer, ast.With):
            return
        alone = outer.body == [statements[number]]
        if alone and self._has_joined(number - 1, change.wrap, last=True):
            change.wrap = []

    def _has_joined(self, number: int, sites: Sequence[Handled], *, last: bool = False) -> bool:
        """Make it ``with handler, plate``, in parentheses where that is too long, if it can be.

        `last`: ``with plate, handler``
        """
        layout, node = self._layout, self._layout.statements[number]
        item, indent = handler_of(sites), layout.indent_of(node)
        start, colon = self._header_of(number)
        comment = len(self._source[colon + 1 : layout.line_end(colon)].rstrip())
        header = self._headers.get(number, self._source[start:colon]).rstrip()
        listed = header.removeprefix("with").strip()
        room = layout.width - len(indent)
        if not is_bracketed(listed):
            line = f"with {listed}, {item}" if last else f"with {item}, {listed}"
            if "\n" not in listed and len(line) + 1 + comment <= room:
                self._headers[number] = line
                return True
        else:
            first_line = FIRST_LINE.match(listed)
            if first_line is not None and not last:
                at = first_line.end()
                self._headers[number] = self._with_first_line(listed, at, item, indent)
                return True
            listed = listed[1:-1]
        one_line = wrap.joined(listed.replace("\r\n", "\n"))
        if one_line is not None:
            items = wrap.items_of(one_line)
            items = [*items, item] if last else [item, *items]
            lines = wrap.listed("with (", items, "):", room)
            self._headers[number] = layout.generated(lines, indent)[len(indent) : -1]
        return one_line is not None

    def _with_first_line(self, listed: str, at: int, item: str, indent: str) -> str:
        """``with (`` and one item a line, one more; comments stay above or behind what they say.

        ::

            with (  # plates          with (  # plates
                # items                   handler,
                plate_i,                  # items
            ):                            plate_i,
                                      ):
        """
        _, *added, _ = wrap.listed("", [item], "", self._layout.width - len(indent))
        lines = self._layout.generated(tuple(added), indent)
        own = ABOVE.match(listed, at)
        assert own is not None
        return f"with {listed[:at]}{own[1]}{lines.lstrip()}{self._layout.newline}{listed[at:]}"

    def _header_of(self, number: int) -> Span:
        """Where a `with` stands, up to its colon."""
        node = self._layout.statements[number]
        if not isinstance(node, ast.With):
            raise Mismatch
        item = node.items[-1]
        start, _ = self._layout.span(node)
        _, end = self._layout.span(item.optional_vars or item.context_expr)
        colon = BEFORE_COLON.match(self._source, end)
        if colon is None:
            raise Mismatch
        return start, colon.end()


def value_of(node: ast.stmt) -> ast.expr:
    """The right-hand side of a statement. Raises `Mismatch` if it has none."""
    value = getattr(node, "value", None)
    if not isinstance(value, ast.expr):
        raise Mismatch
    return value


def is_bracketed(items: str) -> bool:
    """Are the items of a `with` in parentheses of its own? Not so in ``with (p := plate):``.

    Then there could be one more item in them.
    """
    return items.startswith("(") and count_items(f"(_, {items[1:]}") == count_items(items) + 1


def count_items(items: str) -> int:
    try:
        (node,) = ast.parse(f"with {items}:\n    pass").body
    except SyntaxError:
        return 0
    return len(node.items) if isinstance(node, ast.With) else 0


def reindented(code: str, old: str, indent: str) -> str:
    """A statement with another indent of its continued lines, but for those that are a string's."""
    lines = code.split("\n")
    strings = wrap.lines_in_strings(lines)
    for number in range(1, len(lines)):
        continued = lines[number - 1].rstrip("\r").endswith("\\")
        if number not in strings and not continued and lines[number].startswith(old):
            lines[number] = indent + lines[number][len(old) :]
    return "\n".join(lines)
