"""What does a helper of the file make, or sample? ``with rows(n):``, ``a = prior("a", n)``

What stands in it is read as if it stood where it is called, with the arguments in the place of the
parameters.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Callable, Container

from reparam_rewrite.survey.effects import PURE_BUILTINS
from reparam_rewrite.survey.index import Index
from reparam_rewrite.survey.nodes import GIVEN, FunctionNode, copied, walk
from reparam_rewrite.survey.purity import UNREPEATABLE
from reparam_rewrite.survey.scopes import bound_names, own_names
from reparam_rewrite.survey.timeline import Assigned

PROPERTIES = ("property", "cached_property", "functools.cached_property")


def made_by(index: Index, caller: str, hidden: Container[str], node: ast.expr) -> ast.expr | None:
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
    for part in walk(returned):
        if isinstance(part, ast.Name) and part.id not in given:
            known = part.id in index.module_names or hasattr(builtins, part.id)
            if not known or part.id in hidden or not isinstance(part.ctx, ast.Load):
                return None
    made: ast.expr = Substitution(given).visit(copied(returned))
    for part in walk(made):
        if isinstance(part, ast.expr):
            ast.copy_location(part, node)
    return made


def helper_of(
    index: Index, caller: str, hidden: Container[str], node: ast.expr
) -> tuple[FunctionNode, str] | None:
    """The function that `node` calls, with the name of the object whose method that is."""
    called = node.func if isinstance(node, ast.Call) else node
    if isinstance(called, ast.Name) and isinstance(node, ast.Call):
        if called.id in hidden:
            return None
        if called.id in index.rebound or "globals" in index.identifiers:
            return None
        found = [s for s in index.by_last.get(called.id, ()) if s.name == called.id]
        plain = len(found) == 1 and not found[0].node.decorator_list
        return (found[0].node, "") if plain and not is_patched(index) else None
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
    fits = fits and called.attr not in index.attributes and not is_patched(index)
    return (found[0].node, called.value.id) if fits else None


def is_patched(index: Index) -> bool:
    """Does the file set what functions are made of? ``prior.__defaults__ = (1,)``"""
    return not index.attributes.keys().isdisjoint(("__code__", "__defaults__", "__kwdefaults__"))


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
        positional.insert(0, ast.copy_location(ast.Name(receiver, ast.Load()), node))
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


def sampled_by(
    index: Index,
    caller: str,
    hidden: Container[str],
    call: ast.Call,
    evaluated: Callable[[ast.expr], Assigned],
) -> tuple[str, list[ast.stmt]] | None:
    """The body of the function that is called, as it would stand here, and its dotted name.

    None if it samples nothing, or can't be followed. Its own names are written ``name@function``,
    which nothing else is. `evaluated` tells the value of an argument.
    """
    helper = helper_of(index, caller, hidden, call)
    if helper is None or helper[0].name not in index.samplers or not is_plain(helper[0]):
        return None
    function, receiver = helper
    given = arguments(function, call, receiver)
    if given is None:
        return None
    stored = set().union(*(bound_names(part, in_place=False) for part in function.body))
    reads = Counter(
        part.id
        for statement in function.body
        for part in walk(statement)
        if isinstance(part, ast.Name)
    )
    local = own_names(function)
    for part in (part for statement in function.body for part in walk(statement)):
        if isinstance(part, ast.Name) and part.id in hidden and part.id not in local:
            return None
    bound: list[ast.stmt] = []
    names: dict[str, ast.expr] = {}
    for name in sorted(local):
        own = f"{name}@{function.name}"
        once = name not in given or reads[name] < 2 or not makes_mutable(given[name])
        if name in given and name not in stored and once and is_simple(given[name]):
            names[name] = given_as(given[name], evaluated)
            continue
        names[name] = ast.Name(own, ast.Load())
        if name in given:
            target = ast.Name(own, ast.Store())
            assign = ast.Assign([target], given_as(given[name], evaluated))
            bound.append(ast.fix_missing_locations(ast.copy_location(assign, call)))
    substitution = Substitution(names)
    body = [substitution.visit(copied(statement)) for statement in function.body]
    (name,) = (s.name for s in index.by_last[function.name] if s.node is function)
    return name, [*bound, *body]


def given_as(argument: ast.expr, evaluated: Callable[[ast.expr], Assigned]) -> ast.expr:
    """An argument to stand in the place of a parameter, with its value as it is given."""
    made = copied(argument)
    setattr(made, GIVEN, evaluated(argument))
    return made


def is_plain(function: FunctionNode) -> bool:
    """Can its body stand elsewhere? Not if it has functions or scopes of its own, or is async."""
    apart = (
        ast.AsyncFunctionDef,
        ast.Await,
        ast.ClassDef,
        ast.FunctionDef,
        ast.Global,
        ast.Lambda,
        ast.Nonlocal,
        ast.Yield,
        ast.YieldFrom,
    )
    inside = (part for statement in function.body for part in walk(statement))
    return isinstance(function, ast.FunctionDef) and not any(isinstance(p, apart) for p in inside)


def is_simple(node: ast.expr) -> bool:
    """Is an argument the same wherever it is written: ``n``, ``self.n``, ``2 * len(x)``?"""
    for part in walk(node):
        if type(part) in UNREPEATABLE:
            return False
        if isinstance(part, ast.Call):
            called = part.func
            if not isinstance(called, ast.Name) or called.id not in PURE_BUILTINS:
                return False
    return True


def makes_mutable(node: ast.expr) -> bool:
    """Is an argument an object that may be changed in place, as ``{"i": n}`` is?"""
    mutable = (ast.Dict, ast.List, ast.Set)
    return any(isinstance(part, mutable) for part in walk(node))


def returned_at_end(function: list[ast.stmt]) -> ast.Return | None:
    """The only ``return`` of a body, if that is its last statement, perhaps of a ``with``."""
    found = [p for statement in function for p in walk(statement) if isinstance(p, ast.Return)]
    last = function[-1] if function else None
    while isinstance(last, ast.With):
        last = last.body[-1]
    return last if isinstance(last, ast.Return) and found == [last] else None


class Substitution(ast.NodeTransformer):
    """Puts arguments in the place of parameters."""

    def __init__(self, given: dict[str, ast.expr]) -> None:
        self._given = given

    def _named(self, name: str | None) -> str | None:
        """What a name that isn't a node is called: ``case v:``, ``import math as v``."""
        made = self._given.get(name) if name else None
        return made.id if isinstance(made, ast.Name) else name

    def _rename(self, node: ast.MatchAs | ast.MatchStar | ast.ExceptHandler) -> ast.AST:
        node.name = self._named(node.name)
        return self.generic_visit(node)

    visit_MatchAs = visit_MatchStar = visit_ExceptHandler = _rename

    def visit_MatchMapping(self, node: ast.MatchMapping) -> ast.AST:
        node.rest = self._named(node.rest)
        return self.generic_visit(node)

    def visit_alias(self, node: ast.alias) -> ast.AST:
        if node.asname or "." not in node.name:
            node.asname = self._named(node.asname or node.name)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in self._given:
            return node
        made = copied(self._given[node.id])
        if isinstance(made, ast.Name):
            made.ctx = node.ctx
        for part in walk(made):
            if isinstance(part, ast.expr):
                ast.copy_location(part, node)
        return made
