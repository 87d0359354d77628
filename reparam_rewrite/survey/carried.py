"""What may the steps of a scan have put into the carry, by the time that one of them reads it?"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from reparam_rewrite.survey.calls import argument, assignment, is_starred
from reparam_rewrite.survey.data import data_in
from reparam_rewrite.survey.nodes import FunctionNode, walk
from reparam_rewrite.survey.state import State
from reparam_rewrite.survey.values import GIVING, Handler

#: The blocks of a body that say nothing of what is carried on.
AROUND = ("numpyro.plate", "numpyro.handlers.mask", "numpyro.handlers.scale")

SIMPLE = (ast.Assign, ast.AnnAssign, ast.Expr, ast.With, ast.Pass, ast.Return)


def data_carried(
    state: State, body: FunctionNode, parameters: tuple[str, str], xs: ast.expr | None
) -> frozenset[str]:
    """The data that earlier steps may have put into the carry, other than through latent sites.

    `parameters` are those of the body, its carry and its slices.
    """
    handed = handed_on(state, body)
    read: list[ast.AST | None] = [xs, *body.body]
    if handed is not None:
        waiting, known = [handed], set[str]()
        read = []
        while waiting:
            part = waiting.pop()
            if is_latent(state, part):
                continue
            read.append(part)
            new = {node.id for node in walk(part) if isinstance(node, ast.Name)} - known
            known |= new
            for name in sorted(new):
                waiting += bound_to(body, name)
            read += [xs] * (parameters[1] in new)
    return frozenset[str]().union(*(data_in(state, part) for part in read))


def handed_on(state: State, body: FunctionNode) -> ast.expr | None:
    """What a body gives to the next step, if it shows what that is made of."""
    for part in walk(body):
        match part:
            case ast.With(items=items):
                made = (item.context_expr for item in items)
                calls = [part for part in made if isinstance(part, ast.Call)]
                known = all(state.resolve(call.func) in AROUND for call in calls)
                simple = known and len(calls) == len(items)
            case ast.Expr(value=ast.Call() as call):
                simple = (state.resolve(call.func) or "").startswith("numpyro.")
            case ast.Expr(value=value):
                simple = isinstance(value, ast.Constant)
            case ast.stmt():
                simple = part is body or isinstance(part, SIMPLE)
            case _:
                simple = not isinstance(part, (ast.NamedExpr, ast.Lambda))
        if not simple:
            return None
    match body.body[-1]:
        case ast.Return(value=ast.Tuple(elts=[handed, _])):
            returns = sum(isinstance(part, ast.Return) for part in walk(body))
            return handed if returns == 1 else None
    return None


def bound_to(body: FunctionNode, name: str) -> Iterator[ast.expr]:
    """All that a name of a body, or a part of it, is assigned."""
    for part in walk(body):
        if isinstance(part, ast.stmt):
            targets, value = assignment(part)
            names = {node.id for t in targets for node in walk(t) if isinstance(node, ast.Name)}
            if name in names and value is not None:
                yield value


def is_latent(state: State, node: ast.expr) -> bool:
    """Does it sample a site that no data are given to, as far as the scan shows?"""
    if not isinstance(node, ast.Call) or state.resolve(node.func) != "numpyro.sample":
        return False
    name = argument(node, 0, "name")
    if is_starred(node) or not (isinstance(name, ast.Constant) and isinstance(name.value, str)):
        return False
    given = argument(node, 2, "obs"), argument(node, 6, "obs_mask")
    items = [item for frame in state.frames for item in frame.items if isinstance(item, Handler)]
    left = (item.leaves(name.value) for item in items if item.qualified in GIVING)
    return not any(given) and all(left)
