"""What a comprehension does round by round: ``for k in ks:`` for ``[sample(f"b_{k}", ...) ...]``.

A handler around its statement needs an entry for each name before that runs. So the rounds are gone
through once more, which must do nothing else and use nothing up.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from reparam_rewrite.survey.nodes import FunctionNode, kinds, walk
from reparam_rewrite.survey.purity import is_repeatable
from reparam_rewrite.survey.state import State

#: Comprehensions whose rounds are over when their value is there.
WHOLE = kinds("DictComp ListComp SetComp")

#: Builtins that go through all of a generator at once.
DRAINING = frozenset(["all", "any", "dict", "list", "max", "min", "set", "sorted", "sum", "tuple"])

#: The methods of a dictionary that give what can be gone through.
VIEWS = ("items", "keys", "values")

#: What is there to be gone through again, and builtins that make such a thing.
KEPT = kinds("BinOp Constant Dict DictComp List ListComp Set SetComp Tuple")
KEEPING = frozenset(["dict", "frozenset", "list", "range", "set", "sorted", "str", "tuple"])


def rounds_of(state: State, root: ast.AST, call: ast.Call) -> tuple[str, ...] | None:
    """The headers of the loops and conditions that lead to a call in comprehensions.

    None where it stands in something else that runs later, or where going through the rounds
    beforehand might change them, or a variable of the function.
    """
    generators: list[ast.comprehension] = []
    inside: list[ast.AST] = []
    for outer, part in path_to(root, call):
        if isinstance(outer, ast.Lambda) or isinstance(part, ast.comprehension):
            return None
        if not (type(part) in WHOLE or isinstance(part, ast.GeneratorExp)):
            continue
        if isinstance(part, ast.GeneratorExp) and not is_drained(state, outer, part):
            return None
        inside.append(part)
        generators += part.generators  # type: ignore[attr-defined]
    variables = {name for one in generators for name in names_in(one.target)}
    whole = state.function.node
    if not generators or not variables.isdisjoint(mentioned(whole, inside[0], variables)):
        return None
    headers = []
    for one in generators:
        if one.is_async or not can_be_repeated(state, whole, one.iter, variables):
            return None
        headers.append(f"for {written(state, one.target)} in {written(state, one.iter)}:")
        for test in one.ifs:
            if not is_repeatable(state, test):
                return None
            headers.append(f"if {written(state, test)}:")
    return tuple(headers)


def path_to(root: ast.AST, call: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """The nodes that a call is in, outermost first, each after the one that it is in."""
    node = root
    while node is not call:
        part = next(part for part in ast.iter_child_nodes(node) if call in walk(part))
        yield node, part
        node = part


def is_drained(state: State, outer: ast.AST, part: ast.AST) -> bool:
    """``sum(sample(...) for k in ks)``"""
    match outer:
        case ast.Call(func=ast.Name(id=name), args=[first]) if first is part:
            return name in DRAINING and name not in state.locals | state.index.module_names
    return False


def mentioned(function: FunctionNode, inside: ast.AST, names: set[str]) -> set[str]:
    """Those of some names that a function speaks of outside of a comprehension of its own."""
    own = set(walk(inside))
    arguments = {part.arg for part in walk(function.args) if isinstance(part, ast.arg)}
    others = [part for part in walk(function) if part not in own]
    for part in others:
        bound = getattr(part, "generators", ())
        if bound and (hidden := names.intersection(*[names_in(one.target) for one in bound])):
            own.update(p for p in walk(part) if isinstance(p, ast.Name) and p.id in hidden)
    said = {p.id for p in others if isinstance(p, ast.Name) and p not in own}
    declared = (p.names for p in others if isinstance(p, (ast.Global, ast.Nonlocal)))
    return names & (said | arguments).union(*declared)


def can_be_repeated(
    state: State, function: FunctionNode, over: ast.expr, variables: set[str]
) -> bool:
    """Can an iterable be gone through twice? An argument can: the model is called many times."""
    match over:
        case ast.Call(func=ast.Attribute(value=held, attr=view), args=[]) if view in VIEWS:
            over = over if view in state.facts.own else held
    if not is_repeatable(state, over):
        return False
    names = [part.id for part in walk(over) if isinstance(part, ast.Name)]
    return all(
        is_kept(state, value)
        for name in names
        if name in state.locals and name not in variables
        for value in bound_to(function, name)
    )


def bound_to(function: FunctionNode, name: str) -> Iterator[ast.expr | None]:
    """The values that a function binds to a name; None for one that doesn't show."""
    shown: set[ast.AST] = set()
    for part in walk(function):
        match part:
            case ast.Assign(targets=[ast.Name(id=target) as node], value=value) if target == name:
                shown.add(node)
                yield value
            case ast.Name(id=other, ctx=ast.Store()) if other == name and part not in shown:
                yield None


def is_kept(state: State, value: ast.expr | None) -> bool:
    """Is it no iterator, which is used up when it is gone through?"""
    if type(value) in KEPT:
        return True
    match value:
        case ast.Call(func=ast.Name(id=name)):
            return name in KEEPING and name not in state.locals | state.index.module_names
        case ast.Call(func=called):
            return (state.resolve(called) or "").startswith(("jax.", "numpy."))
    return False


def names_in(target: ast.expr) -> set[str]:
    return {part.id for part in walk(target) if isinstance(part, ast.Name)}


def written(state: State, node: ast.expr) -> str:
    """An expression as the file has it, on one line."""
    text = state.text.segment(node).text
    return ast.unparse(node) if "\n" in text else text
