"""Edits inside of a statement: a sample's name, its prior, its `loc`, and the `xs` of a scan.

Nodes are those of `ast`, which the survey has read; what is written comes from the source's text.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from reparam_rewrite.emit.edit import Mismatch, Moved, Splice
from reparam_rewrite.emit.layout import Layout
from reparam_rewrite.survey.calls import argument
from reparam_rewrite.survey.expressions import is_arithmetic
from reparam_rewrite.survey.nodes import walk
from reparam_rewrite.survey.values import Segment

#: Whose parentheses belong to it.
BRACKETED = (ast.Tuple, ast.GeneratorExp, ast.NamedExpr)


def sample_of(layout: Layout, statement: ast.stmt, name: Segment) -> ast.Call:
    """The call of a statement that samples the site whose name stands there."""
    for part in walk(statement):
        if isinstance(part, ast.Call):
            given = argument(part, 0, "name")
            if given is not None and layout.span(given)[0] == name.start:
                return checked(layout, part)
    raise Mismatch


def checked(layout: Layout, call: ast.Call) -> ast.Call:
    """A call that stands where its node says, which may not be so in an f-string."""
    start, end = layout.span(call)
    try:
        there = ast.parse(f"({layout.source[start:end]})", mode="eval").body
    except (SyntaxError, ValueError):
        raise Mismatch from None
    if ast.dump(there) != ast.dump(call):
        raise Mismatch
    return call


def named(layout: Layout, statement: ast.stmt, call: ast.Call, variable: str) -> Iterator[Splice]:
    """``mu = sample("mu", ...)``, ``x[0] = mu = sample(...)``, ``2 * (mu := sample(...))``"""
    start, end = layout.outer_span(call)
    if isinstance(statement, (ast.Expr, ast.Assign)) and statement.value is call:
        yield Splice(start, start, f"{variable} = ")
        return
    sole = any(isinstance(part, ast.List) and part.elts == [call] for part in walk(statement))
    opening, closing = ("", "") if sole else ("(", ")")  # as in [x := y]
    yield Splice(start, start, f"{opening}{variable} := ")
    if closing:
        yield Splice(end, end, closing)


def with_prior(layout: Layout, call: ast.Call, variable: str) -> Iterator[Splice]:
    """``sample("a", make_prior())`` as ``sample("a", a_prior)``."""
    yield Splice(*layout.span(distribution_of(call)), variable)


def expanded(layout: Layout, call: ast.Call, variable: str) -> Iterator[Splice]:
    """``sample("a", prior, sample_shape=(n,))`` as ``sample("a", prior.expand_by((n,)))``.

    Or with the `variable` that holds the expanded prior, if there is one.
    """
    asked = argument(call, 4, "sample_shape")
    assert asked is not None
    prior = distribution_of(call)
    if variable:
        yield from with_prior(layout, call, variable)
    else:
        start, end = layout.outer_span(prior)
        grouped = isinstance(prior, (ast.Call, ast.Name, ast.Attribute, ast.Subscript))
        if not grouped:
            yield Splice(start, start, "(")
        method = f".expand_by({layout.written(asked)})"
        yield Splice(end, end, method if grouped else f"){method}")
    arguments = arguments_of(layout, call)
    at = next(n for n, (value, _, _) in enumerate(arguments) if value is asked)
    _, start, end = arguments[at]
    if at + 1 < len(arguments):
        yield Splice(start, arguments[at + 1][1], "")
    else:
        yield Splice(arguments[at - 1][2], end, "")


def arguments_of(layout: Layout, call: ast.Call) -> list[tuple[ast.expr, int, int]]:
    """The arguments of a call as they are written, and where each begins and ends."""
    found = [(value, *layout.outer_span(value)) for value in call.args]
    for named_one in call.keywords:
        end = layout.outer_span(named_one.value)[1]
        found.append((named_one.value, layout.span(named_one)[0], end))
    return sorted(found, key=lambda part: part[1])


def distribution_of(call: ast.Call) -> ast.expr:
    prior = argument(call, 1, "fn")
    if prior is None:
        raise Mismatch
    return prior


def moved(layout: Layout, statement: ast.stmt, call: ast.Call, move: Moved) -> Iterator[Splice]:
    """``z_base = sample("z_base", Normal(m + z_loc, s))``"""
    name = argument(call, 0, "name")
    if name is None or not isinstance(statement, ast.Assign):
        raise Mismatch
    yield Splice(*layout.span(statement.targets[0]), move.base)
    yield Splice(*layout.outer_span(name), move.base_site)
    yield with_loc(layout, distribution_of(call), move)


def with_loc(layout: Layout, node: ast.expr, move: Moved) -> Splice:
    """``Normal(m, s).to_event(1)`` as ``Normal(m + z_loc, s).to_event(1)``."""
    assert isinstance(node, ast.Call)
    if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Call):
        return with_loc(layout, node.func.value, move)
    mean = argument(node, move.position, "loc")
    if mean is not None:
        return Splice(*layout.outer_span(mean), plus(layout.written(mean), move.loc))
    arguments = arguments_of(layout, node)
    closing = layout.span(node)[1] - 1
    last = arguments[-1][2] if arguments else closing
    if "," in layout.source[last:closing]:  # a trailing comma
        return Splice(closing, closing, f"loc={move.loc}")
    return Splice(last, last, f"{', ' if arguments else ''}loc={move.loc}")


def plus(mean: str, loc: str) -> str:
    """``m + z_loc``; just ``z_loc`` for a mean of zero."""
    if mean in ("0", "0.0", "0."):
        return loc
    if not is_arithmetic(f"({mean})" if "\n" in mean else mean):
        mean = f"({mean})"
    return f"{mean} + {loc}"


def passed(
    layout: Layout, statement: ast.stmt, body: str, expressions: Iterable[str], *, beside: bool
) -> Splice:
    """``scan(step, init, None)`` as ``scan(step, init, xi_z_mu)``.

    `body` is the function that the scan runs. `beside`: there are slices already, which come first.
    """
    for call in walk(statement):
        if not isinstance(call, ast.Call):
            continue
        run, slices = argument(call, 0, "f"), argument(call, 2, "xs")
        if isinstance(run, ast.Name) and run.id == body and slices is not None:
            checked(layout, call)
            values = [*([layout.written(slices)] if beside else []), *expressions]
            made = values[0] if len(values) == 1 else f"({', '.join(values)})"
            return Splice(*layout.outer_span(slices), made)
    raise Mismatch


def renamed(layout: Layout, statement: ast.stmt, old: str, new: str) -> Splice:
    """``def step(carry, _)`` as ``def step(carry, xi_z_mu_t)``."""
    assert isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef))
    for parameter in (*statement.args.posonlyargs, *statement.args.args):
        if parameter.arg == old:
            start = layout.text.offset(parameter.lineno, parameter.col_offset)
            name = re.compile(r"\w+").match(layout.source, start)
            assert name is not None
            return Splice(start, name.end(), new)
    raise Mismatch
