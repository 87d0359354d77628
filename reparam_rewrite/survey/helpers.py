"""What does a helper of the file make, or sample? ``with rows(n):``, ``a = prior("a", n)``

What stands in it is read as if it stood where it is called, with the arguments in the place of the
parameters.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

from reparam_rewrite.survey.effects import PURE_BUILTINS
from reparam_rewrite.survey.functions import Function
from reparam_rewrite.survey.index import Index, Scoped
from reparam_rewrite.survey.nodes import GIVEN, NAMED, FunctionNode, copied, kinds, walk
from reparam_rewrite.survey.points_to import defaults
from reparam_rewrite.survey.purity import UNREPEATABLE
from reparam_rewrite.survey.scopes import bound_names, own_names
from reparam_rewrite.survey.timeline import Assigned

Node = TypeVar("Node", bound=ast.AST)

PROPERTIES = ("property", "cached_property", "functools.cached_property")

#: What has a scope of its own, or runs in another way, so that it can't stand elsewhere.
APART = kinds("AsyncFunctionDef Await ClassDef FunctionDef Global Lambda Nonlocal Yield YieldFrom")

MUTABLE = kinds("Dict List Set")


def made_by(index: Index, caller: Function, node: ast.expr) -> ast.expr | None:
    """What `node` stands for, a call of a helper or a property of `self`; None if it isn't one.

    `caller` is the function in which `node` stands. Every part of the result has its place.
    """
    helper = helper_of(index, caller, node)
    if helper is None:
        return None
    returned = returned_by(helper[0].node)
    given = arguments(helper[0].node, helper[1], node)
    if returned is None or given is None:
        return None
    for part in walk(returned):
        if isinstance(part, ast.Name) and part.id not in given:
            known = part.id in index.module_names or hasattr(builtins, part.id)
            if not known or part.id in caller.hidden or not isinstance(part.ctx, ast.Load):
                return None
    return placed(substituted(returned, given), node)


def placed(made: Node, node: ast.expr) -> Node:
    """The expression, with all its parts at the place of `node`."""
    for part in walk(made):
        if isinstance(part, ast.expr):
            ast.copy_location(part, node)
    return made


def helper_of(index: Index, caller: Function, node: ast.expr) -> tuple[Scoped, str] | None:
    """The function that `node` calls, with the name of the object whose method that is."""
    is_call = isinstance(node, ast.Call)
    if is_patched(index):
        return None
    match node.func if isinstance(node, ast.Call) else node:
        case ast.Name(id=name) if is_call:
            if name in caller.hidden or name in index.rebound or "globals" in index.identifiers:
                return None
            found = [s for s in index.by_last.get(name, ()) if s.name == name]
            receiver = ""
        case ast.Attribute(value=ast.Name(id=receiver), attr=name):
            # Whatever class `self` is of, if nothing else in the file has that name it's this
            # method.
            found = index.by_last.get(name, [])
            own = receiver == self_of(index, caller) and name not in index.attributes
            if not own or not found or found[0].name.rpartition(".")[0] not in index.classes:
                return None
        case _:
            return None
    if len(found) != 1:
        return None
    has = [ast.unparse(part) for part in found[0].node.decorator_list]
    fits = not has if is_call else len(has) == 1 and has[0] in PROPERTIES
    return (found[0], receiver) if fits else None


def is_patched(index: Index) -> bool:
    """Does the file set what functions are made of? ``prior.__defaults__ = (1,)``"""
    return not index.attributes.keys().isdisjoint(("__code__", "__defaults__", "__kwdefaults__"))


def self_of(index: Index, caller: Function) -> str | None:
    """What a method calls the object that it is a method of."""
    declared, is_method = caller.node.args, caller.name.rpartition(".")[0] in index.classes
    first = [part.arg for part in [*declared.posonlyargs, *declared.args][:1]]
    return first[0] if first and is_method else None


def returned_by(function: FunctionNode) -> ast.expr | None:
    """The expression of a function that is one ``return``, perhaps below a docstring."""
    match function.body:
        case [ast.Return(value=value)] | [ast.Expr(value=ast.Constant()), ast.Return(value=value)]:
            return value
    return None


def matched(
    declared: ast.arguments, call: ast.expr, receiver: ast.expr | None = None
) -> dict[str, ast.expr | None] | None:
    """What each parameter of a function is given in a call, else its default, else None.

    `receiver` is the object whose method it is. None if it can't be told from the call, or if
    there are more arguments than parameters.
    """
    places = [part.arg for part in [*declared.posonlyargs, *declared.args]]
    found: dict[str, ast.expr | None] = dict.fromkeys(places)
    found |= dict.fromkeys(part.arg for part in declared.kwonlyargs)
    found |= {part.arg: value for value, part in defaults(declared)}
    positional = [] if receiver is None else [receiver]
    keywords = []
    if isinstance(call, ast.Call):
        positional, keywords = [*positional, *call.args], call.keywords
    starred = any(isinstance(part, ast.Starred) for part in positional)
    if declared.vararg or declared.kwarg or starred or len(positional) > len(places):
        return None
    named = {keyword.arg or "**": keyword.value for keyword in keywords}
    if not named.keys() <= found.keys():
        return None
    return {**found, **dict(zip(places, positional, strict=False)), **named}


def arguments(function: FunctionNode, receiver: str, node: ast.expr) -> dict[str, ast.expr] | None:
    """What each parameter stands for in a call; None if the call can't be followed."""
    holder = ast.copy_location(ast.Name(receiver, ast.Load()), node) if receiver else None
    found = matched(function.args, node, holder)
    if found is None:
        return None
    elsewhere = [value for value, _ in defaults(function.args) if not is_literal(value)]
    given = {name: v for name, v in found.items() if v is not None and v not in elsewhere}
    return given if len(given) == len(found) else None


def is_literal(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return isinstance(node, ast.Constant)


def sampled_by(
    index: Index, caller: Function, call: ast.Call, evaluated: Callable[[ast.expr], Assigned]
) -> tuple[str, list[ast.stmt]] | None:
    """The body of the function that is called, as it would stand here, and its dotted name.

    None if it samples nothing, or can't be followed. Its own names are written ``name@function``,
    which nothing else is. `evaluated` tells the value of an argument.
    """
    helper = helper_of(index, caller, call)
    if helper is None or helper[0].node.name not in index.samplers:
        return None
    function, given = helper[0].node, arguments(helper[0].node, helper[1], call)
    parts = [part for statement in function.body for part in walk(statement)]
    apart = isinstance(function, ast.AsyncFunctionDef) or not APART.isdisjoint(map(type, parts))
    reads = Counter(part.id for part in parts if isinstance(part, ast.Name))
    local = own_names(function)
    if given is None or apart or any(name in caller.hidden for name in reads.keys() - local):
        return None
    stored = set().union(*(bound_names(part, in_place=False) for part in function.body))
    bound: list[ast.stmt] = []
    names: dict[str, ast.expr] = {}
    for name in sorted(local):
        own, argument = f"{name}@{function.name}", None
        if name in given:
            argument = copied(given[name])
            setattr(argument, GIVEN, evaluated(given[name]))
            if name not in stored and is_simple(argument, once=reads[name] < 2):
                names[name] = argument
                continue
            assign = ast.Assign([ast.Name(own, ast.Store())], argument)
            bound.append(ast.fix_missing_locations(ast.copy_location(assign, call)))
        names[name] = ast.Name(own, ast.Load())
    return helper[0].name, [*bound, *(substituted(part, names) for part in function.body)]


def is_simple(node: ast.expr, *, once: bool) -> bool:
    """Is an argument the same wherever it is written: ``n``, ``self.n``, ``2 * len(x)``?

    `once`: it is read once, and so may be an object that can be changed in place, ``{"i": n}``.
    """
    parts = walk(node)
    called = (part.func for part in parts if isinstance(part, ast.Call))
    if not all(isinstance(func, ast.Name) and func.id in PURE_BUILTINS for func in called):
        return False
    return (UNREPEATABLE if once else UNREPEATABLE | MUTABLE).isdisjoint(map(type, parts))


def returned_at_end(function: list[ast.stmt]) -> ast.Return | None:
    """The only ``return`` of a body, if that is its last statement, perhaps of a ``with``."""
    found = [p for statement in function for p in walk(statement) if isinstance(p, ast.Return)]
    last = function[-1] if function else None
    while isinstance(last, ast.With):
        last = last.body[-1]
    return last if isinstance(last, ast.Return) and found == [last] else None


def substituted(node: Node, given: Mapping[str, ast.expr]) -> Node:
    """A copy of what stands in a helper, with arguments in the place of parameters."""
    names = (part for part in walk(node) if isinstance(part, ast.Name) and part.id in given)
    instead: dict[ast.AST, ast.AST] = {}
    for part in names:
        made = instead[part] = placed(copied(given[part.id]), part)
        if isinstance(made, ast.Name):
            made.ctx = part.ctx
    found = copied(node, instead)
    for inner in walk(found):  # what a name that isn't a node is called: ``import math as v``
        field = "asname" if isinstance(inner, ast.alias) else NAMED.get(type(inner), "")
        name = getattr(inner, field, None)
        if isinstance(inner, ast.alias) and name is None and "." not in inner.name:
            name = inner.name
        known = given.get(name or "")
        if isinstance(known, ast.Name):
            setattr(inner, field, known.id)
    return found
