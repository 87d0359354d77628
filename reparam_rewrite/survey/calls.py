"""What a `numpyro.sample` call says of itself: arguments, target, and what stands in the way."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from reparam_rewrite.survey.nodes import kinds, parts_of


class FoundCall(Struct, frozen=True):
    """A call inside a statement, and whether it is sure to run exactly once, now."""

    node: ast.Call
    conditional: bool
    deferred: bool


#: Parts of an expression that decide whether, or when, the calls inside of them run.
DECIDING = kinds("BoolOp DictComp GeneratorExp IfExp Lambda ListComp SetComp")


def calls_in(parts: Sequence[ast.AST]) -> list[FoundCall]:
    """All calls of an expression or a simple statement, in the order of the source.

    `parts` are it and all that is in it.
    """
    calls = [part for part in parts if isinstance(part, ast.Call)]
    if calls and not DECIDING.isdisjoint(map(type, parts)):
        found = list(judged(parts[0]))
    else:
        found = [FoundCall(call, False, False) for call in calls]
    return sorted(found, key=lambda call: (call.node.lineno, call.node.col_offset))


def judged(root: ast.AST) -> Iterator[FoundCall]:
    """All calls of an expression, with what decides whether they run."""
    stack: list[tuple[ast.AST, bool, bool]] = [(root, False, False)]
    while stack:
        node, conditional, deferred = stack.pop()
        if isinstance(node, ast.Call):
            yield FoundCall(node, conditional, deferred)
        if isinstance(node, ast.Lambda):
            stack += [(default, conditional, deferred) for default in node.args.defaults]
            stack.append((node.body, conditional, True))
        elif isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            stack += [(child, conditional, True) for child in parts_of(node)]
        elif isinstance(node, ast.IfExp):
            stack.append((node.test, conditional, deferred))
            stack += [(part, True, deferred) for part in (node.body, node.orelse)]
        elif isinstance(node, ast.BoolOp):
            stack.append((node.values[0], conditional, deferred))
            stack += [(value, True, deferred) for value in node.values[1:]]
        else:
            stack += [
                (child, conditional, deferred)
                for child in parts_of(node)
                if not isinstance(child, ast.stmt)
            ]


def is_starred(call: ast.Call) -> bool:
    """``f(*args)``, ``f(**kw)``: what is given doesn't show"""
    starred = any(isinstance(arg, ast.Starred) for arg in call.args)
    return starred or any(keyword.arg is None for keyword in call.keywords)


def argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    """What a call is given at a position, or by a name; None if nothing shows."""
    if len(call.args) > position:
        return call.args[position]
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def is_none(node: ast.expr | None) -> bool:
    """Is it left out, or written as ``None``?"""
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


def is_integer(node: ast.expr) -> bool:
    """Is it an integer that is written out, perhaps with a minus?"""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return isinstance(node, ast.Constant) and type(node.value) is int


def assignment(node: ast.stmt) -> tuple[list[ast.expr], ast.expr | None]:
    """The targets and the value of a statement that binds names to a value."""
    if isinstance(node, ast.Assign):
        return node.targets, node.value
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return [node.target], node.value
    return [], None


def variable_of(statement: ast.stmt, call: ast.Call) -> str | None:
    """The name that ``a = numpyro.sample(...)`` binds to just the sampled value."""
    targets, value = assignment(statement)
    if value is not call:
        return None
    return next((target.id for target in targets if isinstance(target, ast.Name)), None)


def is_assignment(statement: ast.stmt, call: ast.Call) -> bool:
    """Is it ``a = numpyro.sample(...)``, with one name and nothing else?"""
    return (
        isinstance(statement, ast.Assign)
        and statement.value is call
        and len(statement.targets) == 1
        and isinstance(statement.targets[0], ast.Name)
    )


def is_nameable(statement: ast.stmt, call: FoundCall, header: bool) -> bool:
    """Can the call's value be given a name where it stands, for what comes after?"""
    simple = isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr))
    return simple and not (header or call.conditional or call.deferred)


def shape_asked(call: ast.Call) -> ast.expr | None:
    """The `sample_shape` of a call, by name or as the fifth argument."""
    return None if is_starred(call) else argument(call, 4, "sample_shape")


def expanded(prior: ast.expr, shape: ast.expr) -> ast.expr:
    """``prior.expand_by(shape)``, where a call of sample has `sample_shape`."""
    method = ast.copy_location(ast.Attribute(prior, "expand_by", ast.Load()), prior)
    return ast.copy_location(ast.Call(method, [shape], []), prior)


#: Why a call of `numpyro.sample` can't be reparameterized where it stands: what its arguments
#: are, which expression or statement it is in, and what it has in the function that samples it.
Obstacle = Literal[
    "starred",
    "header",
    "deferred",
    "conditional",
    "infer",
    "obs_mask",
    "handler",
    "subsampled",
    "sample_shape",
]


def obstacles(call: FoundCall, header: bool) -> Iterator[Obstacle]:
    """Why a call can't be reparameterized where it stands."""
    given = {keyword.arg for keyword in call.node.keywords}
    if len(call.node.args) > 3:
        given |= set(("rng_key", "sample_shape", "infer", "obs_mask")[: len(call.node.args) - 3])
    if is_starred(call.node):
        yield "starred"
    if header:
        yield "header"
    if call.deferred:
        yield "deferred"
    if call.conditional:
        yield "conditional"
    if "infer" in given:
        yield "infer"
    if "obs_mask" in given:
        yield "obs_mask"
