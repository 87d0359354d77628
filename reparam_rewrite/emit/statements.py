"""One statement with its edit: what goes before it, the handler around it, the prior out of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from reparam_rewrite.emit import layout
from reparam_rewrite.emit.calls import (
    calls_in,
    distribution_of,
    is_called,
    is_sole_item,
    read_name,
    squeezed,
)
from reparam_rewrite.emit.edit import Edit, Lines, Mismatch, Named, Prior, handler_of
from reparam_rewrite.emit.scanning import Moved, Passed, moved, passed, renamed
from reparam_rewrite.survey.expressions import ungrouped

Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement


class Rewriter:
    """Carries out edits in the style of a module; `width` is the line length to keep to."""

    def __init__(self, module: cst.Module, width: int) -> None:
        self._module = module
        self._parsing = module.config_for_parsing  # which is made anew whenever it is asked for
        self._width = width

    def edited(self, node: Statement, edit: Edit, indent: str) -> list[Statement]:
        if edit.parts:
            node = self._split(node, edit, indent)
        before = self._parsed(edit.before)
        for site in edit.expanded:
            node = self._expanded(node, site, indent)
        for named in edit.named:
            node = self._named(node, named, indent)
        for prior in edit.priors:
            node = self._with_prior(node, prior, indent)
        if edit.moved is not None:
            node = self._moved(node, edit.moved, indent)
        for scan in edit.passed:
            node = self._passed(node, scan, indent)
        if edit.renamed is not None:
            assert isinstance(node, cst.FunctionDef)
            node = renamed(node, edit.renamed)
        if edit.wrap:
            node = self._wrapped(node, handler_of(edit.wrap), indent)
        if before:
            # Comments and blank lines above the statement stay above what now belongs to it.
            lines = [*node.leading_lines, *before[0].leading_lines]
            before[0] = before[0].with_changes(leading_lines=lines)
            node = node.with_changes(leading_lines=[])
        return [*before, node, *self._parsed(edit.after)]

    def below(
        self, classes: Sequence[Lines], found: list[Statement], *, top: bool
    ) -> list[Statement]:
        """Statements of the module below definitions; `top`: nothing stands above them."""
        blank = [cst.EmptyLine(indent=False)] * 2
        made = [
            node.with_changes(leading_lines=[] if top and not at else blank)
            for at, node in enumerate(self._parsed(classes))
        ]
        first = found[0]
        if top or not first.leading_lines or first.leading_lines[0].comment is not None:
            first = first.with_changes(leading_lines=[*blank, *first.leading_lines])
        return [*made, first, *found[1:]]

    def _split(self, node: Statement, edit: Edit, indent: str) -> cst.If:
        """``x = sample(...) if c else 0.0`` as an ``if`` with a statement in either block.

        A comment stays behind the part that is edited.
        """
        assert isinstance(node, cst.SimpleStatementLine)
        (small,) = node.body
        choice = getattr(small, "value", None)
        if not isinstance(choice, cst.IfExp):
            raise Mismatch
        test = layout.joined(ungrouped(self._code_of(choice.test)))
        if test is None:
            raise Mismatch
        lines = layout.statement(f"if {test}:", self._width - len(indent))
        pass_ = " " * layout.STEP + "pass"
        (found,) = self._parsed([(*lines, pass_, "else:", pass_)])
        assert isinstance(found, cst.If) and isinstance(found.orelse, cst.Else)
        inner = indent + self._module.default_indent
        body = self._part(node, choice.body, edit, "body", inner)
        orelse = self._part(node, choice.orelse, edit, "orelse", inner)
        assert isinstance(found.body, cst.IndentedBlock)
        otherwise: cst.If | cst.Else = found.orelse.with_changes(
            body=found.body.with_changes(body=orelse)
        )
        return found.with_changes(
            leading_lines=node.leading_lines,
            body=found.body.with_changes(body=body),
            orelse=otherwise,
        )

    def _part(
        self,
        node: cst.SimpleStatementLine,
        value: cst.BaseExpression,
        edit: Edit,
        name: str,
        indent: str,
    ) -> list[Statement]:
        """One block of what a conditional expression becomes: the statement with that value."""
        (small,) = node.body
        kept = name == next(iter(edit.parts))
        behind = node.trailing_whitespace
        if not kept:
            behind = cst.TrailingWhitespace(newline=behind.newline)
        if len(value.lpar) and not isinstance(value, (cst.Tuple, cst.GeneratorExp, cst.NamedExpr)):
            value = value.with_changes(lpar=[], rpar=[])
        part = node.with_changes(
            leading_lines=[],
            body=[small.with_changes(value=value)],
            trailing_whitespace=behind,
        )
        code, comment = self._code(part)
        one_line = layout.joined(code)
        if one_line is None:
            raise Mismatch
        statement = self._laid_out(part, one_line, comment, indent)
        return self.edited(statement, edit.parts.get(name, Edit()), indent)

    def _code_of(self, node: cst.CSTNode) -> str:
        return self._module.code_for_node(node).replace("\r\n", "\n")  # all or some end so

    def _parsed(self, statements: Sequence[Lines]) -> list[Statement]:
        """Generated statements, with the line ends and the indent of the file."""
        if not statements:
            return []
        step = self._module.default_indent
        found: list[str] = []
        for lines in statements:
            strings = layout.lines_in_strings(lines)
            found += (ln if n in strings else stepped(ln, step) for n, ln in enumerate(lines))
        text = self._module.default_newline.join([*found, ""])
        parsed = cst.parse_module(text, config=self._parsing)
        first, *rest = parsed.body
        # A comment above the first statement of a module is the module's own.
        return [first.with_changes(leading_lines=[*parsed.header, *first.leading_lines]), *rest]

    def joined(
        self, node: cst.With, item: str, indent: str, *, last: bool = False
    ) -> cst.With | None:
        """``with handler, plate:``, in parentheses where that is too long; None if it can't be.

        `last`: ``with plate, handler:``
        """
        header, comment = self._header(node)
        listed = header.removeprefix("with").removesuffix(":").strip()
        if not isinstance(node.lpar, cst.LeftParen):
            line = f"with {listed}, {item}:" if last else f"with {item}, {listed}:"
            if "\n" not in header and len(indent) + len(line) + comment <= self._width:
                return self._with_items(node, line)
        elif isinstance(node.lpar.whitespace_after, cst.ParenthesizedWhitespace) and not last:
            return self._with_first_line(node, item, indent)
        else:
            listed = listed.removeprefix("(").removesuffix(")")
        one_line = layout.joined(listed)
        if one_line is None:
            return None
        one_line = one_line.removesuffix(",")
        listed = f"{one_line}, {item}" if last else f"{item}, {one_line}"
        room = self._width - len(indent)
        return self._with_items(node, *layout.statement(f"with ({listed},):", room, comment))

    def _with_items(self, node: cst.With, *lines: str) -> cst.With:
        """A ``with`` that has the items of another, which is given without a body."""
        (found,) = self._parsed([(*lines, " " * layout.STEP + "pass")])
        assert isinstance(found, cst.With)
        return node.with_changes(
            items=found.items,
            lpar=found.lpar,
            rpar=found.rpar,
            whitespace_after_with=found.whitespace_after_with,
            whitespace_before_colon=found.whitespace_before_colon,
        )

    def _header(self, node: cst.With) -> tuple[str, int]:
        """``with plate:``, without rendering the body, and the length of the comment behind it."""
        assert isinstance(node.body, cst.IndentedBlock)
        bare = node.with_changes(leading_lines=[], body=cst.SimpleStatementSuite([cst.Pass()]))
        header = self._code_of(bare).rstrip()
        comment = self._module.code_for_node(node.body.header).rstrip()
        return header.removesuffix("pass").rstrip(), len(comment)

    def _with_first_line(self, node: cst.With, item: str, indent: str) -> cst.With:
        """``with (`` and one item a line, one more; comments stay above or behind what they say.

        ::

            with (  # plates          with (  # plates
                # items                   handler,
                plate_i,                  # items
            ):                            plate_i,
                                      ):
        """
        assert isinstance(node.lpar, cst.LeftParen)
        space = node.lpar.whitespace_after
        assert isinstance(space, cst.ParenthesizedWhitespace)
        newline = cst.TrailingWhitespace(newline=space.first_line.newline)
        made = self._with_items(
            node, *layout.statement(f"with ({item}, item,):", self._width - len(indent))
        )
        comma = cst.Comma(whitespace_after=space.with_changes(first_line=newline))
        first = made.items[0].with_changes(comma=comma)
        return node.with_changes(
            lpar=node.lpar.with_changes(whitespace_after=space.with_changes(empty_lines=[])),
            items=[first, *node.items],
        )

    def _wrapped(self, node: Statement, item: str, indent: str) -> cst.With:
        """``with handler:`` around a statement, which goes one step deeper."""
        lines = layout.statement(f"with {item}:", self._width - len(indent))
        (header,) = self._parsed([(*lines, " " * layout.STEP + "pass")])
        assert isinstance(header, cst.With) and isinstance(header.body, cst.IndentedBlock)
        inner = node.with_changes(leading_lines=[])
        inner = self._narrowed(inner, indent, indent + self._module.default_indent)
        return header.with_changes(
            leading_lines=node.leading_lines, body=header.body.with_changes(body=[inner])
        )

    def _narrowed(self, node: Statement, old_indent: str, indent: str) -> Statement:
        """A statement one step deeper, laid out anew if it was laid out as black would before."""
        code, comment = self._code(node)
        lines = code.split("\n")
        # Continued lines are shown without the indent that they are written with.
        longest = max(*map(len, lines), len(lines[-1]) + comment)
        if longest + len(indent) <= self._width:
            return node
        one_line = layout.joined(code)
        if one_line is None:
            return node
        if layout.statement(one_line, self._width - len(old_indent), comment) != tuple(lines):
            return node
        return self._laid_out(node, one_line, comment, indent)

    def _code(self, node: Statement) -> tuple[str, int]:
        """A simple statement's code without indent and comment, and the length of that comment."""
        if not isinstance(node, cst.SimpleStatementLine):
            raise Mismatch
        bare = node.with_changes(leading_lines=[], trailing_whitespace=cst.TrailingWhitespace())
        comment = ""
        if node.trailing_whitespace.comment is not None:
            comment = self._module.code_for_node(node.trailing_whitespace).rstrip()
        return self._code_of(bare).rstrip("\n"), len(comment)

    def _laid_out(self, node: Statement, one_line: str, comment: int, indent: str) -> Statement:
        (new,) = self._parsed([layout.statement(one_line, self._width - len(indent), comment)])
        assert isinstance(new, cst.SimpleStatementLine)
        return node.with_changes(body=new.body)

    def _spelt(self, node: cst.BaseExpression) -> str:
        """An expression's code without the parentheses around it, and without blanks."""
        code = squeezed(self._module.code_for_node(node))
        around = len(node.lpar) if not isinstance(node, cst.Tuple) else 0
        return code[around : len(code) - around]

    def _with_prior(self, node: Statement, prior: Prior, indent: str) -> Statement:
        """``sample("a", make_prior())`` as ``sample("a", a_prior)``."""
        wanted = squeezed(prior.text)
        found = [
            value
            for call in self._samples(node, prior.site)
            for value in distribution_of(call)
            if self._spelt(value) == wanted
        ]
        if len(found) != 1:
            raise Mismatch
        (old,) = found
        name = cst.Name(prior.variable, lpar=old.lpar, rpar=old.rpar)
        return self._refitted(node.deep_replace(old, name), indent)

    def _expanded(self, node: Statement, site: str, indent: str) -> Statement:
        """``sample("a", prior, sample_shape=(n,))`` as ``sample("a", prior.expand_by((n,)))``."""
        call = self._sample(node, site)
        fifth = call.args[4:5] if all(arg.keyword is None for arg in call.args[:5]) else ()
        (asked,) = fifth or [arg for arg in call.args if is_called(arg, "sample_shape")]
        args, shape = [arg for arg in call.args if arg is not asked], asked.value
        args[-1] = args[-1].with_changes(comma=call.args[-1].comma)
        if isinstance(args[-1].comma, cst.Comma) and len(args) < len(call.args):
            last = call.args[-1].whitespace_after_arg
            args[-1] = args[-1].with_changes(whitespace_after_arg=last)
        (old,) = distribution_of(call)
        base = old
        if not isinstance(base, (cst.Call, cst.Name, cst.Attribute, cst.Subscript)):
            base = old.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        method = cst.Call(cst.Attribute(base, cst.Name("expand_by")), [cst.Arg(shape)])
        args = [arg.with_changes(value=method) if arg.value is old else arg for arg in args]
        return self._refitted(node.deep_replace(call, call.with_changes(args=args)), indent)

    def _named(self, node: Statement, edit: Named, indent: str) -> Statement:
        """``mu = sample("mu", ...)``, ``x[0] = mu = sample(...)``, ``2 * (mu := sample(...))``"""
        call = self._sample(node, edit.site)
        assert isinstance(node, cst.SimpleStatementLine)
        (small,) = node.body
        name = cst.Name(edit.variable)
        changed: cst.CSTNode
        if isinstance(small, cst.Expr) and small.value is call:
            assign = cst.Assign([cst.AssignTarget(name)], call)
            changed = node.with_changes(body=[assign.with_changes(semicolon=small.semicolon)])
        elif isinstance(small, cst.Assign) and small.value is call:
            targets = [*small.targets, cst.AssignTarget(name)]
            changed = node.with_changes(body=[small.with_changes(targets=targets)])
        else:
            bound = cst.NamedExpr(name, call, lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
            if is_sole_item(node, call):  # black takes these parentheses away
                bound = cst.NamedExpr(name, call)
            changed = node.deep_replace(call, bound)
        return self._refitted(changed, indent)

    def _samples(self, node: Statement, site: str) -> Iterator[cst.Call]:
        """The calls that a site's name, as it is written, is given to."""
        for call in calls_in(node):
            if any(self._spelt(arg.value) == squeezed(site) for arg in call.args):
                yield call

    def _sample(self, node: Statement, site: str) -> cst.Call:
        found = list(self._samples(node, site))
        if len(found) != 1:
            raise Mismatch
        return found[0]

    def _moved(self, node: Statement, edit: Moved, indent: str) -> Statement:
        """``z_base = sample("z_base", Normal(m + z_loc, s))``"""
        assert isinstance(node, cst.SimpleStatementLine)
        return self._refitted(moved(node, self._sample(node, edit.site), edit), indent)

    def _passed(self, node: Statement, edit: Passed, indent: str) -> Statement:
        """``scan(step, init, (xs, xi_z_mu))``"""
        found = [
            call
            for call in calls_in(node)
            if any(
                isinstance(a.value, cst.Name) and read_name(a.value) == edit.body for a in call.args
            )
        ]
        if len(found) != 1 or not isinstance(node, cst.SimpleStatementLine):
            raise Mismatch
        return self._refitted(node.deep_replace(found[0], passed(found[0], edit)), indent)

    def _refitted(self, node: cst.CSTNode, indent: str) -> Statement:
        """A changed statement, on as few lines as it needs."""
        assert isinstance(node, cst.SimpleStatementLine)
        code, comment = self._code(node)
        if "\n" not in code and len(indent) + len(code) + comment <= self._width:
            return node
        one_line = layout.joined(code)
        return node if one_line is None else self._laid_out(node, one_line, comment, indent)


def stepped(line: str, step: str) -> str:
    """A line indented by blanks, with the indent of the file instead."""
    code = line.lstrip(" ")
    steps, rest = divmod(len(line) - len(code), layout.STEP)
    return step * steps + " " * rest + code
