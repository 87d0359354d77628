"""What does a helper of the file make? ``with rows(n):`` where `rows` returns a plate.

Only helpers that are one ``return`` are followed. What they return is read as if it stood where
they are called, with the arguments in the place of the parameters.
"""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Collection

from reparam_rewrite.survey.index import FunctionNode, Index

PROPERTIES = ("property", "cached_property", "functools.cached_property")


def made_by(index: Index, caller: str, hidden: Collection[str], node: ast.expr) -> ast.expr | None:
    """What `node` stands for, a call of a helper or a property of `self`; None if it isn't one.

    `caller` is the dotted name of the function in which `node` stands, and `hidden` are the names
    that mean something of their own there. Every part of the result has the place of `node`.
    """
    helper = helper_of(index, caller, hidden, node)
    if helper is None:
        return None
    function, receiver = helper
    returned = returned_by(function)
    given = arguments(function, node, receiver)
    if returned is None or given is None:
        return None
    for part in ast.walk(returned):
        if isinstance(part, ast.Name) and part.id not in given:
            known = part.id in index.module_names or hasattr(builtins, part.id)
            if not known or part.id in hidden or not isinstance(part.ctx, ast.Load):
                return None
    made: ast.expr = Substitution(given).visit(copy.deepcopy(returned))
    for part in ast.walk(made):
        if isinstance(part, ast.expr):
            ast.copy_location(part, node)
    return made


def helper_of(
    index: Index, caller: str, hidden: Collection[str], node: ast.expr
) -> tuple[FunctionNode, str] | None:
    """The function that `node` calls, with the name of the object whose method that is."""
    called = node.func if isinstance(node, ast.Call) else node
    if isinstance(called, ast.Name) and isinstance(node, ast.Call):
        if called.id in hidden:
            return None
        found = [s for s in index.by_last.get(called.id, ()) if s.name == called.id]
        plain = len(found) == 1 and not found[0].node.decorator_list
        return (found[0].node, "") if plain else None
    if not isinstance(called, ast.Attribute) or not isinstance(called.value, ast.Name):
        return None
    if called.value.id != self_of(index, caller):
        return None
    # Whatever class `self` is of, if nothing else in the file has that name it's this method.
    found = index.by_last.get(called.attr, [])
    if len(found) != 1 or found[0].name.rpartition(".")[0] not in index.classes:
        return None
    decorators = [ast.unparse(part) for part in found[0].node.decorator_list]
    is_property = len(decorators) == 1 and decorators[0] in PROPERTIES
    fits = not decorators if isinstance(node, ast.Call) else is_property
    return (found[0].node, called.value.id) if fits else None


def self_of(index: Index, caller: str) -> str | None:
    """What a method calls the object that it is a method of."""
    if caller.rpartition(".")[0] not in index.classes:
        return None
    last = caller.rpartition(".")[2]
    found = [scoped.node for scoped in index.by_last.get(last, ()) if scoped.name == caller]
    arguments = [*found[-1].args.posonlyargs, *found[-1].args.args] if found else []
    return arguments[0].arg if arguments else None


def returned_by(function: FunctionNode) -> ast.expr | None:
    """The expression of a function that is one ``return``, perhaps below a docstring."""
    body = function.body
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    if len(body) != 1 or not isinstance(body[0], ast.Return):
        return None
    return body[0].value


def arguments(function: FunctionNode, node: ast.expr, receiver: str) -> dict[str, ast.expr] | None:
    """What each parameter stands for in a call; None if the call can't be followed."""
    declared = function.args
    if declared.vararg or declared.kwarg:
        return None
    names = [part.arg for part in [*declared.posonlyargs, *declared.args]]
    keywords = [part.arg for part in declared.kwonlyargs]
    defaults = dict(
        zip(names[len(names) - len(declared.defaults) :], declared.defaults, strict=True)
    )
    defaults |= {
        name: value
        for name, value in zip(keywords, declared.kw_defaults, strict=True)
        if value is not None
    }
    given: dict[str, ast.expr] = {
        name: value for name, value in defaults.items() if is_literal(value)
    }
    positional = list(node.args) if isinstance(node, ast.Call) else []
    if receiver:
        positional.insert(0, ast.Name(receiver, ast.Load()))
    if len(positional) > len(names) or any(isinstance(part, ast.Starred) for part in positional):
        return None
    given.update(zip(names, positional, strict=False))
    for keyword in node.keywords if isinstance(node, ast.Call) else []:
        if keyword.arg not in (*names, *keywords):
            return None
        given[keyword.arg] = keyword.value
    return given if given.keys() >= {*names, *keywords} else None


def is_literal(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return isinstance(node, ast.Constant)


class Substitution(ast.NodeTransformer):
    """Puts arguments in the place of parameters."""

    def __init__(self, given: dict[str, ast.expr]) -> None:
        self._given = given

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return copy.deepcopy(self._given.get(node.id, node))
