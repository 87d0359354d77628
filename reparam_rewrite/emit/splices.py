"""Edits inside of a statement: a sample's name, its prior, its `loc`, and the `xs` of a scan."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from reparam_rewrite.emit.layout import Layout, Mismatch, Splice
from reparam_rewrite.plan.values import OffsetRewrite, Rewrite, ScanRewrite
from reparam_rewrite.survey.calls import argument
from reparam_rewrite.survey.expressions import grouped, is_arithmetic
from reparam_rewrite.survey.nodes import walk
from reparam_rewrite.survey.values import Segment

#: What follows an argument that isn't the last.
COMMA = re.compile(r"\s*,")


def given(call: ast.Call, position: int, name: str) -> ast.expr:
    """What a call is given. Raises `Mismatch` if that doesn't show."""
    found = argument(call, position, name)
    if found is None:
        raise Mismatch
    return found


def sample_of(layout: Layout, statement: ast.stmt, name: Segment) -> ast.Call:
    """The call of a statement that samples the site whose name stands there."""
    for call in calls_in(statement):
        called = argument(call, 0, "name")
        if called is not None and layout.start_of(called) == name.start:
            return checked(layout, call)
    raise Mismatch


def calls_in(statement: ast.stmt) -> Iterator[ast.Call]:
    return (part for part in walk(statement) if isinstance(part, ast.Call))


def checked(layout: Layout, call: ast.Call) -> ast.Call:
    """A call that stands where its node says, which may not be so in an f-string."""
    try:
        there = ast.parse(f"({layout.source[slice(*layout.span(call))]})", mode="eval").body
    except (SyntaxError, ValueError):
        raise Mismatch from None
    if ast.dump(there) != ast.dump(call):
        raise Mismatch
    return call


def named(layout: Layout, statement: ast.stmt, site: Segment, variable: str) -> Iterator[Splice]:
    """``mu = sample("mu", ...)``, ``x[0] = mu = sample(...)``, ``2 * (mu := sample(...))``"""
    call = sample_of(layout, statement, site)
    start, end = layout.outer_span(call)
    if isinstance(statement, ast.Expr | ast.Assign) and statement.value is call:
        yield Splice(start, start, f"{variable} = ")
    elif any(isinstance(part, ast.List) and part.elts == [call] for part in walk(statement)):
        yield Splice(start, start, f"{variable} := ")  # as in [x := y]
    else:
        yield Splice(start, start, f"({variable} := ")
        yield Splice(end, end, ")")


def of_child(layout: Layout, rewrite: Rewrite, base_site: str) -> Iterator[Splice]:
    """What happens inside of a child's statement.

    ::

        sample("a", make_prior())                   sample("a", a_prior)
        sample("a", prior, sample_shape=(n,))       sample("a", prior.expand_by((n,)))
        z = sample("z", Normal(m, s))               z_base = sample("z_base", Normal(m + z_loc, s))
    """
    site = rewrite.site
    statement = layout.statements[site.statement]
    asked = rewrite.prior if isinstance(rewrite, OffsetRewrite) else None
    here = asked is not None and asked.moved and not rewrite.site.call.rounds
    variable = asked.variable if here and asked is not None else ""
    if not (variable or site.call.expands or isinstance(rewrite, ScanRewrite)):
        return
    call = sample_of(layout, statement, site.call.name)
    prior = given(call, 1, "fn")
    if isinstance(rewrite, ScanRewrite):
        if not isinstance(statement, ast.Assign):
            raise Mismatch
        yield Splice(*layout.span(statement.targets[0]), rewrite.base)
        yield Splice(*layout.outer_span(given(call, 0, "name")), base_site)
        yield with_loc(layout, prior, rewrite)
    if variable:
        yield Splice(*layout.span(prior), variable)
    if site.call.expands:
        yield from expanded(layout, call, moved=bool(variable))


def expanded(layout: Layout, call: ast.Call, *, moved: bool) -> Iterator[Splice]:
    """The `sample_shape` of a call as ``prior.expand_by(...)``, unless the prior is `moved`."""
    asked, prior = given(call, 4, "sample_shape"), given(call, 1, "fn")
    if not moved:
        text = grouped(layout.written(prior))
        yield Splice(*layout.outer_span(prior), f"{text}.expand_by({layout.written(asked)})")
    arguments = arguments_of(layout, call)
    at = next(n for n, (value, _, _) in enumerate(arguments) if value is asked)
    _, start, end = arguments[at]
    following = at + 1 < len(arguments)
    gone = (start, arguments[at + 1][1]) if following else (arguments[at - 1][2], end)
    if "#" in layout.source[slice(*gone)]:  # comments stay
        comma = COMMA.match(layout.source, end)
        gone = (start, comma.end() if comma else end)
    yield Splice(*gone, "")


def arguments_of(layout: Layout, call: ast.Call) -> list[tuple[ast.expr, int, int]]:
    """The arguments of a call as they are written, and where each begins and ends."""
    found = [(value, *layout.outer_span(value)) for value in call.args]
    for each in call.keywords:
        found.append((each.value, layout.start_of(each), layout.outer_span(each.value)[1]))
    return sorted(found, key=lambda part: part[1])


def with_loc(layout: Layout, prior: ast.expr, rewrite: ScanRewrite) -> Splice:
    """``Normal(m, s).to_event(1)`` as ``Normal(m + z_loc, s).to_event(1)``."""
    assert isinstance(prior, ast.Call)
    if isinstance(prior.func, ast.Attribute) and isinstance(prior.func.value, ast.Call):
        return with_loc(layout, prior.func.value, rewrite)
    mean = argument(prior, rewrite.position, "loc")
    if mean is not None:
        return Splice(*layout.outer_span(mean), plus(layout.written(mean), rewrite.loc))
    arguments = arguments_of(layout, prior)
    closing = layout.span(prior)[1] - 1
    last = arguments[-1][2] if arguments else closing
    behind = re.sub(r"#[^\r\n]*", "", layout.source[last:closing])
    if "," in behind:  # a trailing comma
        return Splice(closing, closing, f"loc={rewrite.loc}")
    return Splice(last, last, f"{', ' if arguments else ''}loc={rewrite.loc}")


def plus(mean: str, loc: str) -> str:
    """``m + z_loc``; just ``z_loc`` for a mean of zero."""
    if mean in ("0", "0.0", "0."):
        return loc
    return f"{mean} + {loc}" if is_arithmetic(f"({mean})") else f"({mean}) + {loc}"


def passed(
    layout: Layout, statement: ast.stmt, body: str, expressions: Iterable[str], *, beside: bool
) -> Splice:
    """``scan(step, init, None)`` as ``scan(step, init, xi_z_mu)``.

    `body` is the function that the scan runs. `beside`: there are slices already, which come first.
    """
    for call in calls_in(statement):
        run, slices = argument(call, 0, "f"), argument(call, 2, "xs")
        if isinstance(run, ast.Name) and run.id == body and slices is not None:
            checked(layout, call)
            values = [*([layout.written(slices)] if beside else []), *expressions]
            made = values[0] if len(values) == 1 else f"({', '.join(values)})"
            return Splice(*layout.outer_span(slices), made)
    raise Mismatch


def renamed(layout: Layout, statement: ast.stmt, old: str, new: str) -> Splice:
    """``def step(carry, _)`` as ``def step(carry, xi_z_mu_t)``."""
    assert isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
    for parameter in (*statement.args.posonlyargs, *statement.args.args):
        if parameter.arg == old:
            name = re.compile(r"\w+").match(layout.source, layout.start_of(parameter))
            assert name is not None
            return Splice(*name.span(), new)
    raise Mismatch
