"""May something that is evaluated change a value in place, or a name that others read?

What exactly a call changes, and through which of the names of an object, isn't looked into: an
expression that reads what can be changed at all means the same before and after only what is known
to change nothing. So few things have to be known here, and what isn't known does no harm.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from reparam_rewrite.survey.effects import PURE_BUILTINS
from reparam_rewrite.survey.index import RUNNERS, Index
from reparam_rewrite.survey.nodes import parts_of, walk
from reparam_rewrite.survey.scope import Scope
from reparam_rewrite.survey.shapes import ELEMENTWISE, REDUCTIONS, SHAPED, is_fixed

#: Builtins that change nothing, whatever they are given.
BUILTINS = PURE_BUILTINS | frozenset(
    [
        "all",
        "any",
        "dict",
        "divmod",
        "enumerate",
        "frozenset",
        "hasattr",
        "isinstance",
        "pow",
        "print",
        "repr",
        "reversed",
        "set",
        "slice",
        "sorted",
        "str",
        "type",
        "zip",
    ]
)

#: Those of them that run what they are given, if that is a generator.
ITERATING = frozenset(
    [
        "all",
        "any",
        "dict",
        "frozenset",
        "list",
        "max",
        "min",
        "set",
        "sorted",
        "sum",
        "tuple",
    ]
)

#: Methods of arrays, strings, dictionaries and distributions that change nothing.
METHODS = frozenset(
    [
        "all",
        "any",
        "argmax",
        "argmin",
        "astype",
        "copy",
        "cumprod",
        "cumsum",
        "dot",
        "endswith",
        "expand",
        "expand_by",
        "flatten",
        "format",
        "get",
        "item",
        "items",
        "join",
        "keys",
        "lower",
        "mask",
        "max",
        "mean",
        "min",
        "prod",
        "ravel",
        "repeat",
        "replace",
        "reshape",
        "round",
        "split",
        "squeeze",
        "startswith",
        "std",
        "strip",
        "sum",
        "swapaxes",
        "to_event",
        "tolist",
        "transpose",
        "upper",
        "values",
        "var",
    ]
)

#: Functions of NumPy that change nothing, unless they are told where to put the result.
NUMPY = (
    ELEMENTWISE
    | SHAPED
    | REDUCTIONS
    | frozenset(
        [
            "arange",
            "atleast_1d",
            "atleast_2d",
            "bincount",
            "broadcast_to",
            "column_stack",
            "concatenate",
            "cumsum",
            "diff",
            "dot",
            "expand_dims",
            "eye",
            "full_like",
            "hstack",
            "identity",
            "isfinite",
            "isnan",
            "linspace",
            "max",
            "min",
            "ndim",
            "ones_like",
            "outer",
            "repeat",
            "reshape",
            "shape",
            "size",
            "squeeze",
            "stack",
            "tile",
            "transpose",
            "unique",
            "vstack",
            "zeros_like",
        ]
    )
)

#: Functions of JAX that run a function that they are given, which may do anything.
RUNNING = RUNNERS | frozenset(
    [
        "apply_along_axis",
        "apply_over_axes",
        "associative_scan",
        "custom_root",
        "frompyfunc",
        "map",
        "piecewise",
        "reduce",
        "vectorize",
    ]
)

JAX = ("jax.numpy.", "jax.nn.", "jax.scipy.", "jax.lax.", "jax.random.")

#: Methods that run without a call but say nothing of what an operator does.
NO_OPERATORS = frozenset(["__call__", "__enter__", "__exit__", "__repr__", "__str__", "__hash__"])

OPERATIONS = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.Subscript)

#: All that may act; most nodes are names and constants.
ACTING = frozenset(
    [
        *OPERATIONS,
        ast.Assign,
        ast.Attribute,
        ast.AugAssign,
        ast.Await,
        ast.Call,
        ast.ClassDef,
        ast.For,
        ast.Starred,
        ast.Yield,
        ast.YieldFrom,
        ast.comprehension,
    ]
)


def acts(scope: Scope, part: ast.AST, index: Index) -> bool:
    """May this node by itself, without its parts, change something in place?"""
    if isinstance(part, ast.Call):
        return not is_quiet(scope, part, index)
    if type(part) not in ACTING:
        return False
    match part:
        case ast.Await() | ast.Yield() | ast.YieldFrom() | ast.ClassDef():
            return True
        case ast.Attribute() | ast.Subscript() if not isinstance(part.ctx, ast.Load):
            return True
        case ast.Attribute(attr=attr):
            return not index.hooks.isdisjoint((attr, "__getattr__", "__getattribute__"))
        case ast.For(iter=given) | ast.comprehension(iter=given) | ast.Starred(value=given):
            return index.lazy and may_run(scope, given)
        case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[given]) if index.lazy:
            return may_run(scope, given)
        case ast.Assign(targets=[ast.Tuple() | ast.List()], value=given):
            return index.lazy and may_run(scope, given)
        case ast.AugAssign(target=ast.Name(id=name)):
            binding = scope.binding(name)
            return binding is None or not binding.fixed
    return isinstance(part, OPERATIONS) and has_operators(index.hooks)


def has_operators(hooks: set[str]) -> bool:
    return any(name.startswith("__") and name not in NO_OPERATORS for name in hooks)


def is_quiet(scope: Scope, call: ast.Call, index: Index) -> bool:
    """Does the call itself change nothing?"""
    function, given = call.func, {keyword.arg for keyword in call.keywords}
    own = index.by_last
    dotted = scope.resolve(function)
    if dotted is not None:
        name = dotted.rpartition(".")[2]
        if dotted.startswith("numpyro."):
            return not dotted.startswith("numpyro.contrib.")
        if dotted.startswith(JAX):
            return name not in RUNNING
        if dotted.startswith(("numpy.", "scipy.special.")):
            most = 3 if name == "where" else 2
            plain = name in NUMPY and dotted.count(".") == dotted.startswith("scipy") + 1
            return plain and len(call.args) <= most and not given & {"out", "copy", None}
        return dotted.startswith("math.")
    if isinstance(function, ast.Name):
        known = function.id in BUILTINS and function.id not in own
        if (
            index.lazy
            and function.id in ITERATING
            and any(may_run(scope, value) for value in call.args)
        ):
            return False
        return known and scope.binding(function.id) is None
    if not isinstance(function, ast.Attribute) or function.attr in own:
        return False
    if isinstance(function.value, ast.Subscript):  # x.at[0].set(1.0)
        at = function.value.value
        if isinstance(at, ast.Attribute) and at.attr == "at":
            return True
    return function.attr in METHODS and not given & {"out", None}


def may_run(scope: Scope, given: ast.expr) -> bool:
    """May iterating over it run code? What is held somewhere may be a generator."""
    held = isinstance(given, (ast.Attribute, ast.Name, ast.Subscript))
    return held and not is_fixed(scope, given)


def before(root: ast.AST, node: ast.AST) -> list[ast.AST]:
    """What `root` evaluates before it comes to `node`, which is in it."""
    around = {part: outer for outer in walk(root) for part in parts_of(outer)}
    found: list[ast.AST] = []
    while node is not root:
        outer = around[node]
        parts = in_order(outer)
        found += parts[: parts.index(node)] if node in parts else []
        node = outer
    return found


def in_order(node: ast.AST) -> Sequence[ast.AST]:
    """The parts of a node as they are evaluated, without the targets of an assignment."""
    match node:
        case ast.Assign() | ast.AnnAssign():
            return [node.value] if node.value is not None else []
        case ast.Dict():
            items = zip(node.keys, node.values, strict=True)
            return [part for item in items for part in item if part is not None]
    return parts_of(node)


def bindings_in(node: ast.AST) -> list[ast.NamedExpr]:
    """``(s := 2.0)``, wherever it stands in an expression"""
    return [part for part in walk(node) if type(part) is ast.NamedExpr]


def read_again(node: ast.expr) -> set[str]:
    """The names that an expression binds and reads elsewhere: not of ``dist.Normal(m := -m, 1)``"""
    found = set()
    for binding in bindings_in(node):
        within = set(walk(binding))
        found |= {
            part.id
            for part in walk(node)
            if isinstance(part, ast.Name) and part.id == binding.target.id and part not in within
        }
    return found
