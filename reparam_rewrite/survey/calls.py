"""Which calls has an expression, when do they run, and what are they given?"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from reparam_rewrite.survey.nodes import kinds, walk

COMPREHENSIONS = kinds("DictComp GeneratorExp ListComp SetComp")

#: Parts of an expression that decide whether, or when, the calls inside of them run.
DECIDING = COMPREHENSIONS | kinds("BoolOp IfExp Lambda")


def calls_in(parts: Sequence[ast.AST]) -> list[tuple[ast.Call, list[str]]]:
    """All calls of an expression or a simple statement, in the order of the source.

    `parts` are it and all that is in it. With each call stands why it isn't sure to run exactly
    once, now: it is "deferred" or "conditional".
    """
    deferred: set[ast.AST] = set()
    conditional: set[ast.AST] = set()
    for part in parts if not DECIDING.isdisjoint(map(type, parts)) else ():
        if isinstance(part, ast.Lambda):
            deferred.update(walk(part.body))
        elif type(part) in COMPREHENSIONS:
            deferred.update(walk(part))
        elif isinstance(part, ast.IfExp):
            conditional.update(walk(part.body), walk(part.orelse))
        elif isinstance(part, ast.BoolOp):
            conditional.update(*map(walk, part.values[1:]))
    reasons = {"deferred": deferred, "conditional": conditional}
    calls = [part for part in parts if isinstance(part, ast.Call)]
    calls.sort(key=lambda call: (call.lineno, call.col_offset))
    return [(call, [why for why, inside in reasons.items() if call in inside]) for call in calls]


def is_starred(call: ast.Call) -> bool:
    """``f(*args)``, ``f(**kw)``: what is given doesn't show"""
    starred = any(isinstance(arg, ast.Starred) for arg in call.args)
    return starred or any(keyword.arg is None for keyword in call.keywords)


def given(call: ast.Call, parameters: Sequence[str]) -> dict[str, ast.expr]:
    """What shows of a call's arguments, by the names of the parameters in their order.

    Where "*" is among them, some are starred: not all shows.
    """
    found = {keyword.arg or "*": keyword.value for keyword in call.keywords}
    found |= zip(parameters, call.args, strict=False)
    starred = [part for part in call.args if isinstance(part, ast.Starred)]
    return {**found, "*": starred[0]} if starred else found


def argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    """What a call is given at a position, or by a name; None if nothing shows."""
    if len(call.args) > position:
        return call.args[position]
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def is_none(node: ast.expr | None) -> bool:
    """Is it left out, or written as ``None``?"""
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


def is_reversed(scan: ast.Call) -> bool:
    """Does a scan run from the last step on, as far as its call shows?"""
    reverse = argument(scan, 4, "reverse")
    return reverse is not None and not (isinstance(reverse, ast.Constant) and not reverse.value)


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
    names = (target.id for target in targets if isinstance(target, ast.Name))
    return next(names, None) if value is call else None
