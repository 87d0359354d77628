"""From what happens at each statement to splices of the file's text.

A statement that is edited inside is laid out anew where it has become too long; all that is added
takes the indent and the line ends of the file. Nothing else of the file is touched.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from reparam_rewrite.emit import wrap
from reparam_rewrite.emit.layout import Layout, Mismatch, Span, Splice, is_compound, spliced
from reparam_rewrite.emit.wrap import Lines
from reparam_rewrite.source.encoding import Source
from reparam_rewrite.survey.expressions import ungrouped

#: What stands between the last item of a `with` and its colon.
BEFORE_COLON = re.compile(r"(?:[\s,)\\]|#[^\r\n]*)*(?=:)")

#: ``(`` that ends its line, and the comments below it up to the indent of what comes then.
ABOVE = re.compile(r"(\([ \t\f]*(?:#[^\r\n]*)?\r?\n)(?:[ \t\f]*(?:#[^\r\n]*)?\r?\n)*([ \t\f]*)")

#: Whose parentheses belong to it.
BRACKETED = ast.Tuple | ast.GeneratorExp | ast.NamedExpr


class Handled(NamedTuple):
    """A site that a reparam handler takes care of.

    `handler` is how that is called here. `config` has the site's name as it is written, with the
    variable that holds the reparameterizer, and that of a site which this one samples instead, if
    there is more to do. `statement` is the one that samples the site. `whole` is a variable that
    holds the config of a site of a comprehension.
    """

    handler: str
    config: tuple[tuple[str, str], ...]
    statement: int
    whole: str = ""


def handler_of(sites: Sequence[Handled]) -> str:
    """``handlers.reparam(config={"a": a_reparam, "b": b_reparam})``"""
    if len(sites) == 1 and sites[0].whole:
        return f"{sites[0].handler}(config={sites[0].whole})"
    entries = [f"{key}: {reparam}" for site in sites for key, reparam in site.config]
    entries += [f"**{site.whole}" for site in sites if site.whole]
    return f"{sites[0].handler}(config={{{', '.join(entries)}}})"


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
        self.parts = defaultdict[str, Change](Change)


class Editor(Layout):
    """A file whose statements change.

    `changes` are those of the statements, by their numbers, and `_headers` the `with` statements
    that get one more item, up to the colon.
    """

    def __init__(self, source: Source, statements: Sequence[ast.stmt], width: int) -> None:
        super().__init__(source, statements, width)
        self.changes = defaultdict[int, Change](Change)
        self._headers: dict[int, str] = {}

    def splices(self) -> Iterator[Splice]:
        """The edits that all the changes come to. Raises `Mismatch`."""
        for number in sorted(self.changes):
            sites = self.changes[number].join
            if sites and not self._joins(number, sites):
                for site in sites:
                    self.changes[site.statement].wrap.append(site)
        for number in sorted(self.changes):
            self._merge(number, self.changes[number])
        for number, header in self._headers.items():
            yield Splice(*self._header_of(number), header)
        for number in sorted(self.changes):
            node = self.statements[number]
            change = self._compound if is_compound(node) else self._simple
            yield from change(node, self.changes[number], self.indent_of(node))

    # -- a statement -----------------------------------------------------------------------------

    def _compound(self, node: ast.stmt, change: Change, indent: str) -> Iterator[Splice]:
        if change.wrap or change.parts or (change.before and self.is_elif(node)):
            raise Mismatch
        yield from change.splices
        start, end = self.line_start(node), self.end_of(node, indent)
        for lines in change.before:
            yield Splice(start, start, self.generated(lines, indent) + self.newline)
        ended = self.source.endswith(("\n", "\r"), 0, end)
        for lines in change.after:
            text = self.generated(lines, indent)
            yield Splice(end, end, text + self.newline if ended else self.newline + text)

    def _simple(self, node: ast.stmt, change: Change, indent: str) -> Iterator[Splice]:
        _, end = self.span(node)
        line_end = self.line_end(end)
        behind = self.source[end:line_end]
        if behind.strip() and not behind.lstrip().startswith("#"):
            raise Mismatch
        text = self._changed(node, None, change, indent, behind)
        yield Splice(self.line_start(node), line_end, text)

    def _changed(
        self, node: ast.stmt, choice: ast.expr | None, change: Change, indent: str, behind: str
    ) -> str:
        """A simple statement with its change, and what comes before and after it.

        If there is a `choice`, it stands in the place of the conditional expression that it is a
        part of: ``x = a``. `behind` is what stands behind the statement on its line.
        """
        if change.parts:
            text = self._split(node, choice, change, indent, behind)
        else:
            splices = [*change.splices]
            if choice is not None:
                left, right = self.outer_span(value_of(node))
                bracketed = isinstance(choice, BRACKETED)
                start, end = self.outer_span(choice) if bracketed else self.span(choice)
                splices += [Splice(left, start, ""), Splice(end, right, "")]
            code = spliced(self.source, splices, *self.span(node))
            if splices:
                code = self._fitted(code, indent, behind, anew=choice is not None)
            text = f"{indent}{code}{behind}"
            if change.wrap:
                text = self._wrapped(code, handler_of(change.wrap), indent, behind)
        before = [self.generated(lines, indent) for lines in change.before]
        after = [self.generated(lines, indent) for lines in change.after]
        return self.newline.join([*before, text, *after])

    def _split(
        self, node: ast.stmt, choice: ast.expr | None, change: Change, indent: str, behind: str
    ) -> str:
        """``x = sample(...) if c else 0.0`` as an ``if`` with a statement in either block.

        A comment stays behind the part that is edited.
        """
        choice = choice or value_of(node)
        if not isinstance(choice, ast.IfExp) or change.splices:
            raise Mismatch
        test = wrap.joined(ungrouped(self.written(choice.test).replace("\r\n", "\n")))
        if test is None:
            raise Mismatch
        header = wrap.statement(f"if {test}:", self.width - len(indent))
        edited, inner = next(iter(change.parts)), indent + self.step
        body, orelse = (
            self._changed(node, part, change.parts[name], inner, behind if name == edited else "")
            for name, part in (("body", choice.body), ("orelse", choice.orelse))
        )
        return self.newline.join([self.generated(header, indent), body, f"{indent}else:", orelse])

    def _fitted(self, code: str, indent: str, behind: str, *, anew: bool = False) -> str:
        """A changed statement, on as few lines as it needs; `anew`: whatever it is like."""
        room, comment = self.width - len(indent), len(behind.rstrip())
        if not anew and "\n" not in code and len(code) + comment <= room:
            return code
        one_line = wrap.joined(code.replace("\r\n", "\n"))
        if one_line is not None:
            return self.continued(wrap.statement(one_line, room, comment), indent)
        if anew:
            raise Mismatch
        return code

    def _wrapped(self, code: str, handler: str, indent: str, behind: str) -> str:
        """``with handler:`` around a statement, which goes one step deeper.

        It is laid out anew where it gets too long.
        """
        header = wrap.statement(f"with {handler}:", self.width - len(indent))
        inner = indent + self.step
        deeper = reindented(code, indent, inner)
        if "\n" in code and not wrap.same([deeper], code):
            deeper = code  # a line that was taken for code is a string's
        lines = f"{inner}{deeper}{behind.rstrip()}".replace("\r", "").split("\n")
        if max(map(len, lines)) > self.width:
            deeper = self._fitted(code, inner, behind)
        return f"{self.generated(header, indent)}{self.newline}{inner}{deeper}{behind}"

    # -- a `with` --------------------------------------------------------------------------------

    def _merge(self, number: int, change: Change) -> None:
        """``with mask, handler:`` where the handler's ``with`` would be all that another holds."""
        outer = self.statements[number - 1] if number else None
        alone = isinstance(outer, ast.With) and outer.body == [self.statements[number]]
        bare = change.wrap and not (change.before or change.after)
        if alone and bare and self._joins(number - 1, change.wrap, last=True):
            change.wrap = []

    def _joins(self, number: int, sites: Sequence[Handled], *, last: bool = False) -> bool:
        """Make it ``with handler, plate``, in parentheses where that is too long, if it can be.

        `last`: ``with plate, handler``. Where there is one item a line, comments stay above or
        behind what they say::

            with (  # plates          with (  # plates
                # items                   handler,
                plate_i,                  # items
            ):                            plate_i,
                                      ):
        """
        item, indent = handler_of(sites), self.indent_of(self.statements[number])
        start, colon = self._header_of(number)
        comment = len(self.source[colon + 1 : self.line_end(colon)].rstrip())
        header = self._headers.get(number, self.source[start:colon]).rstrip()
        listed = header.removeprefix("with").strip()
        room = self.width - len(indent)
        if is_bracketed(listed):
            if not last and (own := ABOVE.match(listed)):
                _, *added, _ = wrap.listed("", [item], "", room)
                text = f"{own[2]}{self.generated(tuple(added), indent).lstrip()}{self.newline}"
                head, rest = listed[: own.end(1)], listed[own.end(1) :]
                self._headers[number] = f"with {head}{text}{rest}"
                return True
            listed = listed[1:-1]
        else:
            line = f"with {listed}, {item}" if last else f"with {item}, {listed}"
            if "\n" not in listed and len(line) + 1 + comment <= room:
                self._headers[number] = line
                return True
        one_line = wrap.joined(listed.replace("\r\n", "\n"))
        if one_line is not None:
            items = wrap.items_of(one_line)
            items = [*items, item] if last else [item, *items]
            lines = wrap.listed("with (", items, ")", room)
            self._headers[number] = self.continued(lines, indent)
        return one_line is not None

    def _header_of(self, number: int) -> Span:
        """Where a `with` stands, up to its colon."""
        node = self.statements[number]
        if not isinstance(node, ast.With):
            raise Mismatch
        item = node.items[-1]
        _, end = self.span(item.optional_vars or item.context_expr)
        colon = BEFORE_COLON.match(self.source, end)
        if colon is None:
            raise Mismatch
        return self.start_of(node), colon.end()


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
