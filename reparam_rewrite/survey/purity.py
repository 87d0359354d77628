"""Can an expression be written a second time, or elsewhere, and mean the same?"""

from __future__ import annotations

import ast

from reparam_rewrite.survey.nodes import parts_of, walk
from reparam_rewrite.survey.scope import Scope
from reparam_rewrite.survey.values import Read

#: Calls that give the same value each time, whatever else the program does.
PURE_BUILTINS = frozenset(
    ["abs", "bool", "float", "int", "len", "max", "min", "range", "round", "sum", "tuple", "list"]
)


PURE_METHODS = frozenset(
    ["expand", "expand_by", "mask", "max", "mean", "min", "reshape", "sum", "to_event"]
)

#: What may mean something else, or do something, when it is written a second time.
UNREPEATABLE = (
    ast.NamedExpr,
    ast.Await,
    ast.Yield,
    ast.YieldFrom,
    ast.Lambda,
    ast.Starred,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)

#: Modules whose functions only compute.
ARRAY_MODULES = (
    "jax.numpy.",
    "numpy.",
    "jax.nn.",
    "jax.scipy.special.",
    "scipy.special.",
    "jax.lax.",
)


def reads_of(scope: Scope, node: ast.AST, *, whole: bool = True) -> frozenset[Read]:
    """The names that an expression reads, under their present bindings.

    Not `whole`: what it reads are numbers and texts, which nothing changes in place, but for what
    has them: the ``x`` of ``len(x)``.
    """
    found = set()
    for name, alone in names_in(node):
        binding = scope.binding(name.id)
        fixed = (alone and not whole) or (binding is not None and binding.fixed)
        era = None if fixed else scope.era
        if binding is not None:
            found.add(Read(name.id, binding.version, era))
        elif era is not None and scope.resolve(name) is None and not scope.is_constant(name.id):
            found.add(Read(name.id, 0, era))
    return frozenset(found)


def names_in(node: ast.AST) -> list[tuple[ast.Name, bool]]:
    """The names that an expression reads, and whether it reads nothing but their own values.

    Those of the functions that it calls aren't among them.
    """
    found: list[tuple[ast.Name, bool]] = []
    stack: list[tuple[ast.AST, bool]] = [(node, True)]
    while stack:
        part, alone = stack.pop()
        if isinstance(part, ast.Name):
            found.append((part, alone))
        inner = parts_of(part)
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name):
            inner.remove(part.func)
        alone = alone and not isinstance(part, (ast.Attribute, ast.Call, ast.Subscript))
        stack += [(inside, alone) for inside in inner]
    return found


def is_repeatable(scope: Scope, node: ast.AST) -> bool:
    """Can the expression be written a second time, or elsewhere, and mean the same?"""
    for part in walk(node):
        if isinstance(part, UNREPEATABLE):
            return False
        if isinstance(part, ast.Name) and scope.is_unstable(part.id):
            return False
        if isinstance(part, ast.Call) and not is_pure_call(scope, part):
            return False
    return True


def is_pure_call(scope: Scope, call: ast.Call) -> bool:
    """Does the call do nothing but compute: a builtin, an array function, a distribution?"""
    if isinstance(call.func, ast.Name) and call.func.id in PURE_BUILTINS:
        return scope.binding(call.func.id) is None and scope.resolve(call.func) is None
    dotted = scope.resolve(call.func)
    if dotted is not None:
        return dotted.startswith((*ARRAY_MODULES, "numpyro.distributions.")) and not (
            dotted.startswith("numpy.random.")
        )
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Constant):
        return call.func.attr == "format"
    # A method of a pure value: `dist.Normal(0, 1).expand([n])`, `x.mean()`.
    return isinstance(call.func, ast.Attribute) and call.func.attr in PURE_METHODS


def touched_by(scope: Scope, call: ast.Call) -> set[str]:
    """The names of values that a call may change: its object's, and those that it is given.

    ``xs.append(x)``, ``self.shrink()``, ``update(d)``
    """
    dotted = scope.resolve(call.func)
    if is_pure_call(scope, call) or (dotted is not None and dotted.startswith("numpyro.")):
        return set()
    parts = [*call.args, *(keyword.value for keyword in call.keywords)]
    if isinstance(call.func, ast.Attribute) and dotted is None:
        parts.append(call.func.value)
    found = set()
    for part in parts:
        while isinstance(part, (ast.Attribute, ast.Subscript, ast.Starred)):
            part = part.value
        if isinstance(part, ast.Name):
            found.add(part.id)
    return found
