"""From what happens at each statement to splices of the file's text.

A statement that is edited inside is laid out anew where it has become too long; all that is added
takes the indent and the line ends of the file. Nothing else of the file is touched.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from reparam_rewrite.emit import wrap
from reparam_rewrite.emit.edit import (
    Change,
    Handled,
    Mismatch,
    Span,
    Splice,
    handler_of,
    spliced,
)
from reparam_rewrite.emit.layout import Layout, is_compound
from reparam_rewrite.emit.splices import BRACKETED
from reparam_rewrite.survey.expressions import ungrouped

#: What stands between the last item of a `with` and its colon.
BEFORE_COLON = re.compile(r"(?:[\s,)\\]|#[^\r\n]*)*(?=:)")


class Editor:
    """Carries out the changes of a file's statements."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._source = layout.source
        self._statements = layout.statements
        self._newline = layout.newline

    def splices(self, changes: dict[int, Change]) -> Iterator[Splice]:
        headers: dict[int, str] = {}
        for number in sorted(changes):
            self._join(number, changes, headers)
        for number in sorted(changes):
            self._merge(number, changes[number], headers)
        for number, header in headers.items():
            yield Splice(*self._header_of(number), header)
        for number in sorted(changes):
            yield from self._statement(number, changes[number])

    # -- a statement -----------------------------------------------------------------------------

    def _statement(self, number: int, change: Change) -> Iterator[Splice]:
        node = self._statements[number]
        start = self._layout.line_start(self._statements[number])
        indent = self._layout.indent_of(self._statements[number])
        if is_compound(node):
            if (
                change.wrap
                or change.parts
                or (change.before and self._layout.is_elif(self._statements[number]))
            ):
                raise Mismatch
            yield from change.splices
            added = [
                self._layout.generated(lines, indent) + self._newline for lines in change.before
            ]
            yield Splice(start, start, "".join(added))
            end = self._layout.end_of(node, indent)
            open_ended = not self._source[:end].endswith(("\n", "\r"))
            added = [self._layout.generated(lines, indent) for lines in change.after]
            if added:
                text = self._newline.join(added)
                yield Splice(end, end, self._newline + text if open_ended else text + self._newline)
            return
        first, end = self._layout.span(node)
        line_end = self._layout.line_end(end)
        behind = self._source[end:line_end]
        if behind.strip() and not behind.lstrip().startswith("#"):
            raise Mismatch
        choice = getattr(node, "value", None) if change.parts else None
        pieces = [(first, end)]
        if choice is not None:
            left, right = self._layout.outer_span(choice)
            pieces = [(first, left), (right, end)]
        yield Splice(start, line_end, self._changed(pieces, choice, change, indent, behind))

    def _changed(
        self,
        pieces: Sequence[Span],
        choice: ast.expr | None,
        change: Change,
        indent: str,
        behind: str,
    ) -> str:
        """A simple statement with its change, and what comes before and after it.

        The statement is the `pieces` of the source with `choice` between them, if there is one.
        `behind` is what stands behind it on its line.
        """
        if change.parts:
            text = self._split(pieces, choice, change, indent, behind)
        else:
            if choice is not None:
                bracketed = isinstance(choice, BRACKETED)
                inner = (self._layout.outer_span if bracketed else self._layout.span)(choice)
                pieces = [pieces[0], inner, pieces[1]]
            code = spliced(self._source, change.splices, pieces)
            if change.splices or choice is not None:
                code = self._fitted(code, indent, behind, anew=choice is not None)
            text = f"{indent}{code}{behind}"
            if change.wrap:
                text = self._wrapped(code, handler_of(change.wrap), indent, behind)
        before = [self._layout.generated(lines, indent) for lines in change.before]
        after = [self._layout.generated(lines, indent) for lines in change.after]
        return self._newline.join([*before, text, *after])

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
        header = wrap.statement(f"with {handler}:", self._layout.width - len(indent))
        inner = indent + self._layout.step
        deeper = reindented(code, indent, inner)
        lines = f"{inner}{deeper}{behind.rstrip()}".replace("\r", "").split("\n")
        if max(map(len, lines)) > self._layout.width:
            deeper = self._fitted(code, inner, behind)
        return f"{self._layout.generated(header, indent)}{self._newline}{inner}{deeper}{behind}"

    def _split(
        self,
        pieces: Sequence[Span],
        choice: ast.expr | None,
        change: Change,
        indent: str,
        behind: str,
    ) -> str:
        """``x = sample(...) if c else 0.0`` as an ``if`` with a statement in either block.

        A comment stays behind the part that is edited.
        """
        if not isinstance(choice, ast.IfExp) or change.splices:
            raise Mismatch
        test = wrap.joined(ungrouped(self._layout.written(choice.test).replace("\r\n", "\n")))
        if test is None:
            raise Mismatch
        header = wrap.statement(f"if {test}:", self._layout.width - len(indent))
        kept = next(iter(change.parts))
        inner = indent + self._layout.step
        body, orelse = (
            self._changed(
                pieces,
                value,
                change.parts.get(name, Change()),
                inner,
                behind if name == kept else "",
            )
            for name, value in (("body", choice.body), ("orelse", choice.orelse))
        )
        return self._newline.join(
            [self._layout.generated(header, indent), body, f"{indent}else:", orelse]
        )

    # -- a `with` --------------------------------------------------------------------------------

    def _join(self, number: int, changes: dict[int, Change], headers: dict[int, str]) -> None:
        """``with handler, plate:``; what can't be goes around the statements inside."""
        sites = changes[number].join
        if not sites:
            return
        header = self._joined(number, sites, headers)
        if header is not None:
            headers[number] = header
            return
        for site in sites:
            changes.setdefault(site.statement, Change()).wrap.append(site)

    def _merge(self, number: int, change: Change, headers: dict[int, str]) -> None:
        """``with mask, handler:`` where the handler's ``with`` would be all that another holds."""
        outer = self._statements[number - 1] if number else None
        if not change.wrap or change.before or change.after or not isinstance(outer, ast.With):
            return
        if outer.body == [self._statements[number]]:
            header = self._joined(number - 1, change.wrap, headers, last=True)
            if header is not None:
                headers[number - 1] = header
                change.wrap = []

    def _joined(
        self, number: int, sites: Sequence[Handled], headers: dict[int, str], *, last: bool = False
    ) -> str | None:
        """``with handler, plate``, in parentheses where that is too long; None if it can't be.

        `last`: ``with plate, handler``
        """
        node = self._statements[number]
        if not isinstance(node, ast.With):
            raise Mismatch
        item = handler_of(sites)
        indent = self._layout.indent_of(self._statements[number])
        start, colon = self._header_of(number)
        comment = len(self._source[colon + 1 : self._layout.line_end(colon)].rstrip())
        header = headers.get(number, self._source[start:colon]).rstrip()
        listed = header.removeprefix("with").strip()
        room = self._layout.width - len(indent)
        if not is_bracketed(listed):
            line = f"with {listed}, {item}" if last else f"with {item}, {listed}"
            if "\n" not in listed and len(line) + 1 + comment <= room:
                return line
        else:
            first_line = re.match(r"\([ \t\f]*(?:#[^\r\n]*)?\r?\n", listed)
            if first_line is not None and not last:
                return self._with_first_line(listed, first_line.end(), item, indent)
            listed = listed[1:-1]
        one_line = wrap.joined(listed.replace("\r\n", "\n"))
        if one_line is None:
            return None
        items = wrap.items_of(one_line)
        items = [*items, item] if last else [item, *items]
        lines = wrap.listed("with (", items, "):", room)
        return self._layout.generated(lines, indent)[len(indent) : -1]

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
        own = re.compile(r"(?:[ \t\f]*(?:#[^\r\n]*)?\r?\n)*([ \t\f]*)").match(listed, at)
        assert own is not None
        return f"with {listed[:at]}{own[1]}{lines.lstrip()}{self._newline}{listed[at:]}"

    def _header_of(self, number: int) -> Span:
        """Where a `with` stands, up to its colon."""
        node = self._statements[number]
        assert isinstance(node, ast.With)
        item = node.items[-1]
        _, end = self._layout.span(item.optional_vars or item.context_expr)
        colon = BEFORE_COLON.match(self._source, end)
        if colon is None:
            raise Mismatch
        return self._layout.text.offset(node.lineno, node.col_offset), colon.end()


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
    if "\n" not in code:
        return code
    lines = code.split("\n")
    strings = wrap.lines_in_strings(lines)
    for number in range(1, len(lines)):
        continued = lines[number - 1].rstrip("\r").endswith("\\")
        if number not in strings and not continued and lines[number].startswith(old):
            lines[number] = indent + lines[number][len(old) :]
    return "\n".join(lines)
