"""Which names has a site whose name is put together, where the loops around it show that?

``for k in ["x", "y"]: sample(f"b_{k}", ...)`` samples b_x and b_y. The values are those of
literals, in the loop or in a variable that is bound once, and of `range`, `enumerate`, `zip` and
the views of dictionaries of them.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reparam_rewrite.survey.calls import assignment
from reparam_rewrite.survey.index import Scoped
from reparam_rewrite.survey.names import chosen_names
from reparam_rewrite.survey.nodes import kinds, walk
from reparam_rewrite.survey.rounds import VIEWS, path_to
from reparam_rewrite.survey.scopes import is_read
from reparam_rewrite.survey.state import State

#: What a name may be made of to be worked out here.
PARTS = kinds("Add BinOp Constant FormattedValue JoinedStr Load Mod Mult Name Sub")

#: More names than these aren't told.
MOST_NAMES = 1000

BUILTINS: dict[str, Any] = {
    "enumerate": enumerate,
    "list": list,
    "range": range,
    "sorted": sorted,
    "tuple": tuple,
    "zip": zip,
}

Values = dict[str, object]


class Unknown(Exception):
    """The source doesn't tell a value."""


def known_names(
    state: State, name: ast.expr, root: ast.AST, call: ast.Call
) -> frozenset[str] | None:
    """The names that a site has in the rounds of the loops around it; None if they don't show."""
    choice = chosen_names(name)
    if choice:
        return frozenset(choice)
    if not PARTS.issuperset(map(type, ast.walk(name))):
        return None
    holes = {part.id for part in walk(name) if isinstance(part, ast.Name)}
    if rebound(state, holes):
        return None
    rounds: list[Values] = [{}]
    for target, over in loops_around(state, root, call):
        if holes.isdisjoint(part.id for part in walk(target) if isinstance(part, ast.Name)):
            continue
        try:
            values = list(itertools.islice(values_of(state, over), MOST_NAMES + 1))
            rounds = [{**one, **bound(target, value)} for one in rounds for value in values]
        except Unknown:
            return None
        if len(rounds) > MOST_NAMES:
            return None
    if any(type(one.get(hole)) not in (bool, float, int, str) for one in rounds for hole in holes):
        return None
    code = compile(ast.Expression(name), "<name>", "eval")
    try:
        return frozenset(str(eval(code, {"__builtins__": {}}, one)) for one in rounds)
    except (ArithmeticError, TypeError, ValueError):
        return None


def loops_around(
    state: State, root: ast.AST, call: ast.Call
) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The targets and the iterables of the loops around a call, outermost first."""
    for frame in state.frames:
        node = state.index.statements[frame.statement] if frame.kind == "for" else None
        if isinstance(node, ast.For):
            yield node.target, node.iter
    for _, part in path_to(root, call):
        for one in getattr(part, "generators", ()):
            yield one.target, one.iter


def bound_by_loops(state: State, root: ast.AST, call: ast.Call) -> frozenset[str]:
    """The names that the loops around a call bind, in their heads or inside."""
    frames = (frame.statement for frame in state.frames if frame.kind in ("for", "while"))
    nodes: list[ast.AST] = [state.index.statements[at] for at in frames]
    nodes += [target for target, _ in loops_around(state, root, call)]
    parts = (part for node in nodes for part in walk(node))
    return frozenset(p.id for p in parts if isinstance(p, ast.Name) and not is_read(p))


def bound(target: ast.expr, value: object) -> Values:
    """What a loop binds in one round. Raises `Unknown`."""
    if isinstance(target, ast.Name):
        return {target.id: value}
    if not isinstance(target, (ast.Tuple, ast.List)) or not isinstance(value, (tuple, list)):
        raise Unknown
    if len(target.elts) != len(value):
        raise Unknown
    found: Values = {}
    for part, one in zip(target.elts, value, strict=True):
        found |= bound(part, one)
    return found


def values_of(state: State, over: ast.expr) -> Iterable[Any]:
    """What an iterable has, in its order. Raises `Unknown`."""
    value = value_of(state, over)
    if not isinstance(value, Iterable):
        raise Unknown
    return value


def value_of(state: State, node: ast.expr) -> object:
    """The value of an expression; of what doesn't show in it, an `Unknown` thing. Raises that."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return tuple(part_of(state, part) for part in parts)
        case ast.Dict(keys=keys, values=values) if None not in keys:
            told = (part_of(state, key) for key in keys if key is not None)
            return dict(zip(told, (part_of(state, value) for value in values), strict=True))
        case ast.Name(id=name) if name not in BUILTINS:
            return value_of(state, only_value(state, name))
        case ast.Call(func=ast.Attribute(value=held, attr=view), args=[]) if view in VIEWS:
            kept = value_of(state, held)
            if isinstance(kept, Mapping):
                return list(getattr(kept, view)())
        case ast.Call(func=ast.Name(id=name), args=given, keywords=[]) if name in BUILTINS:
            if name not in state.locals | state.index.module_names:
                try:
                    return BUILTINS[name](*(value_of(state, part) for part in given))
                except (TypeError, ValueError):
                    raise Unknown from None
    raise Unknown


def part_of(state: State, node: ast.expr) -> object:
    """An element: what doesn't show is an object that is nothing else."""
    try:
        return value_of(state, node)
    except Unknown:
        return object()


def only_value(state: State, name: str) -> ast.expr:
    """What a name is bound to, in the only place of the file that does so. Raises `Unknown`."""
    index = state.index
    if index.stores.get(name) != 1 or name in index.changed or name in index.aliases:
        raise Unknown
    if name in {part.arg for part in walk(state.function.node.args) if isinstance(part, ast.arg)}:
        raise Unknown
    for statement in index.statements:
        targets, value = assignment(statement)
        target = targets[0] if targets else None
        if isinstance(target, ast.Name) and target.id == name and value is not None:
            seen = {state.function.name, *(one.name for one in around(state))}
            if all(f.name in seen for f in index.functions if statement in f.parts):
                return value
    raise Unknown


def around(state: State) -> tuple[Scoped, ...]:
    """The functions around the one that is read."""
    own = (one for one in state.index.functions if one.node is state.function.node)
    return next((one.around for one in own), ())


def rebound(state: State, names: set[str]) -> bool:
    """Does the function bind any of some names otherwise than in the heads of loops?"""
    node = state.function.node
    loops = [part for part in walk(node) if isinstance(part, (ast.For, ast.comprehension))]
    heads = {part for loop in loops for part in walk(loop.target)}
    names_in = (part for part in walk(node) if isinstance(part, ast.Name) and part not in heads)
    return any(part.id in names and not isinstance(part.ctx, ast.Load) for part in names_in)
