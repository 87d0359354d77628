"""Can an expression be written a second time, or elsewhere, and mean the same?"""

from __future__ import annotations

import ast

from reparam_rewrite.survey.effects import PURE_BUILTINS, PURE_METHODS, is_pure_function
from reparam_rewrite.survey.nodes import parts_of, walk
from reparam_rewrite.survey.scope import Scope
from reparam_rewrite.survey.values import Read

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

#: Attributes of arrays, whose values do nothing.
OF_ARRAYS = frozenset(["T", "dtype", "ndim", "shape", "size"])

#: Packages whose modules hold functions, classes and numbers.
PACKAGES = ("jax.", "math.", "numpy.", "numpyro.", "scipy.")


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
            inner = inner[1:]
        alone = alone and not isinstance(part, (ast.Attribute, ast.Call, ast.Subscript))
        stack += [(inside, alone) for inside in inner]
    return found


def is_repeatable(scope: Scope, node: ast.AST) -> bool:
    """Can the expression be written a second time, or elsewhere, and mean the same?

    As far as the file shows: see `only_computes` for where an object from elsewhere may do more.
    """
    called = {part.func for part in walk(node) if isinstance(part, ast.Call)}
    for part in walk(node):
        if isinstance(part, UNREPEATABLE):
            return False
        if isinstance(part, ast.Name) and scope.is_unstable(part.id):
            return False
        if isinstance(part, ast.Call) and not is_pure_call(scope, part):
            return False
        if (
            isinstance(part, ast.Attribute)
            and part.attr in scope.effects.impure
            and part not in called
            and not is_array(scope, part.value)
        ):
            return False  # a property
        if scope.effects.hooked and isinstance(part, ast.Name) and not is_plain(scope, part):
            return False
    return True


def only_computes(scope: Scope, node: ast.AST) -> bool:
    """Is the expression repeatable, whatever the objects in it are that the file doesn't show?

    ``net.loc``, ``params["loc"]`` and ``p.mean()`` may sample; an argument of the model is taken
    for an array or a plain container.
    """
    for part in walk(node):
        if isinstance(part, ast.Attribute):
            asked = part.attr not in OF_ARRAYS and not is_known(scope, part)
        else:
            asked = isinstance(part, ast.Subscript)
        if asked and is_opaque(scope, part):
            return False
    return is_repeatable(scope, node)


def is_opaque(scope: Scope, node: ast.AST) -> bool:
    """May what ``x.y`` or ``x[i]`` reads of `x` be more than a part of an array or a container?"""
    attribute = node.attr if isinstance(node, ast.Attribute) else ""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        if isinstance(node, ast.Attribute) and node.attr in OF_ARRAYS:
            return False
        node = node.value
    if not isinstance(node, ast.Name):
        return False
    if node.id in ("self", "cls"):
        return attribute not in scope.effects.fields | scope.effects.own
    binding = scope.binding(node.id)
    if binding is not None:
        return binding.opaque
    return not scope.is_constant(node.id)


def is_known(scope: Scope, node: ast.expr) -> bool:
    """Is it of a package that is known to do nothing where it is read?"""
    dotted = scope.resolve(node)
    return dotted is not None and f"{dotted}.".startswith(PACKAGES)


def is_plain(scope: Scope, node: ast.Name) -> bool:
    """Is a name known to be a number, an array, a distribution, a module or a function?"""
    if scope.is_builtin(node.id) or scope.is_constant(node.id) or is_known(scope, node):
        return True
    return is_array(scope, node) or node.id in scope.effects.own


def is_array(scope: Scope, node: ast.expr) -> bool:
    """Is it known to be the value of a site or an array, or a distribution?"""
    binding = scope.binding(node.id) if isinstance(node, ast.Name) else None
    if binding is None:
        return False
    return binding.shape is not None or binding.site is not None or binding.prior is not None


def is_pure_call(scope: Scope, call: ast.Call) -> bool:
    """Does the call do nothing but compute: a builtin, an array function, a distribution?"""
    if any(keyword.arg in ("out", "key") for keyword in call.keywords):
        return False  # ``np.exp(x, out=x)``, ``max(xs, key=f)``
    if isinstance(call.func, ast.Name) and call.func.id in PURE_BUILTINS:
        return scope.is_builtin(call.func.id)
    dotted = scope.resolve(call.func)
    if dotted is not None:
        return is_pure_function(dotted)
    if not isinstance(call.func, ast.Attribute):
        return False
    method, holder = call.func.attr, call.func.value
    if isinstance(holder, ast.Constant):
        return method == "format"
    # A method of a pure value: `dist.Normal(0, 1).expand([n])`, `x.mean()`.
    return method in PURE_METHODS and (
        method not in scope.effects.own or is_array(scope, holder) or isinstance(holder, ast.Call)
    )


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
