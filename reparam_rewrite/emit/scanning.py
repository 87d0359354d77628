"""Edits of a scan: what goes through its `xs`, and distributions whose `loc` is moved."""

from __future__ import annotations

import libcst as cst
from msgspec import Struct

from reparam_rewrite.emit.calls import is_called, keyword_of, read_name
from reparam_rewrite.survey.expressions import is_arithmetic


class Moved(Struct, frozen=True):
    """``z = sample("z", Normal(m, s))`` as ``z_base = sample("z_base", Normal(m + z_loc, s))``.

    `site` is the name's literal, `base_site` that of its base; `variable` is what the statement
    binds, `base` what it binds instead. `loc` is added to the argument at `position`.
    """

    site: str
    base_site: str
    base: str
    loc: str
    position: int


class Passed(Struct, frozen=True):
    """Expressions that go through the `xs` of the scan whose body is called `body`.

    `beside`: there are slices already, which come first.
    """

    body: str
    expressions: tuple[str, ...]
    beside: bool


class Renamed(Struct, frozen=True):
    """The second parameter of a scan's body, and its new name."""

    old: str
    new: str


def moved(node: cst.SimpleStatementLine, call: cst.Call, edit: Moved) -> cst.SimpleStatementLine:
    """`call` is the `numpyro.sample` of the statement."""
    (statement,) = node.body
    assert isinstance(statement, cst.Assign)
    name = cst.parse_expression(edit.base_site)
    args = list(call.args)
    for at, arg in enumerate(args):
        keyword = keyword_of(arg)
        if keyword == "name" or (keyword is None and at == 0):
            args[at] = arg.with_changes(value=name)
        elif keyword == "fn" or (keyword is None and at == 1):
            args[at] = arg.with_changes(value=with_loc(arg.value, edit))
    target = statement.targets[0].with_changes(target=cst.Name(edit.base))
    changed = statement.with_changes(targets=[target], value=call.with_changes(args=args))
    return node.with_changes(body=[changed])


def with_loc(node: cst.BaseExpression, edit: Moved) -> cst.BaseExpression:
    """``Normal(m, s).to_event(1)`` as ``Normal(m + z_loc, s).to_event(1)``."""
    assert isinstance(node, cst.Call)
    if isinstance(node.func, cst.Attribute) and isinstance(node.func.value, cst.Call):
        inner = with_loc(node.func.value, edit)
        return node.with_changes(func=node.func.with_changes(value=inner))
    loc = cst.Name(edit.loc)
    args = list(node.args)
    for at, arg in enumerate(args):
        by_name = is_called(arg, "loc")
        if by_name or (arg.keyword is None and at == edit.position):
            args[at] = arg.with_changes(value=plus(arg.value, loc))
            return node.with_changes(args=args)
    keyword = cst.Arg(
        loc,
        cst.Name("loc"),
        equal=cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace("")),
    )
    if args and not isinstance(args[-1].comma, cst.Comma):
        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
        args[-1] = args[-1].with_changes(comma=comma)
    return node.with_changes(args=[*args, keyword])


def plus(node: cst.BaseExpression, loc: cst.Name) -> cst.BaseExpression:
    """``m + z_loc``; just ``z_loc`` for a mean of zero."""
    code = cst.Module([]).code_for_node(node)
    if code in ("0", "0.0", "0."):
        return loc
    if not is_arithmetic(f"({code})" if "\n" in code else code):
        node = node.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    return cst.BinaryOperation(node, cst.Add(), loc)


def passed(call: cst.Call, edit: Passed) -> cst.Call:
    """``scan(step, init, None)`` as ``scan(step, init, xi_z_mu)``."""
    args = list(call.args)
    for at, arg in enumerate(args):
        keyword = keyword_of(arg)
        if keyword == "xs" or (keyword is None and at == 2):
            args[at] = arg.with_changes(value=together(arg.value, edit))
            return call.with_changes(args=args)
    raise AssertionError("scan has no xs")


def together(old: cst.BaseExpression, edit: Passed) -> cst.BaseExpression:
    values: list[cst.BaseExpression] = [cst.parse_expression(text) for text in edit.expressions]
    if edit.beside:
        if isinstance(old, cst.Tuple) and not old.lpar:
            old = old.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        values.insert(0, old)
    return values[0] if len(values) == 1 else cst.Tuple([cst.Element(value) for value in values])


def renamed(node: cst.FunctionDef, edit: Renamed) -> cst.FunctionDef:
    """``def step(carry, _)`` as ``def step(carry, xi_z_mu_t)``."""
    parameters = node.params
    changes = {
        kind: [
            param.with_changes(name=cst.Name(edit.new))
            if read_name(param.name) == edit.old
            else param
            for param in getattr(parameters, kind)
        ]
        for kind in ("posonly_params", "params")
    }
    return node.with_changes(params=parameters.with_changes(**changes))
