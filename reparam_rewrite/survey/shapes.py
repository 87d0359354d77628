"""How is the shape of a value read from its expression? By the broadcasting rules of jax.numpy.

Every function answers None as soon as anything isn't certain; the plan then asks at run time.
"""

from __future__ import annotations

import ast

from reparam_rewrite.survey.purity import ARRAY_MODULES, is_repeatable, reads_of
from reparam_rewrite.survey.scope import Scope
from reparam_rewrite.survey.values import UNIT, Axis, Shape

#: Functions that work element by element: the result broadcasts their positional arguments.
ELEMENTWISE = frozenset(
    [
        "abs",
        "absolute",
        "add",
        "arccos",
        "arcsin",
        "arctan",
        "arctan2",
        "array",
        "asarray",
        "cbrt",
        "clip",
        "cos",
        "cosh",
        "degrees",
        "divide",
        "elu",
        "erf",
        "exp",
        "expit",
        "exp2",
        "expm1",
        "float32",
        "float64",
        "float_power",
        "floor",
        "gammaln",
        "gelu",
        "int32",
        "log",
        "log10",
        "log1p",
        "log2",
        "log_ndtr",
        "log_sigmoid",
        "logaddexp",
        "logit",
        "maximum",
        "minimum",
        "multiply",
        "ndtr",
        "negative",
        "positive",
        "power",
        "radians",
        "reciprocal",
        "relu",
        "round",
        "sigmoid",
        "sign",
        "sin",
        "sinh",
        "softplus",
        "sqrt",
        "square",
        "subtract",
        "tan",
        "tanh",
        "where",
        "xlog1py",
        "xlogy",
    ]
)

#: Functions of NumPyro that give a value that nothing changes in place.
MADE = frozenset(["numpyro.param", "numpyro.sample"])

#: Functions of JAX that give a list of arrays, which may be changed.
SEVERAL = frozenset(
    ["array_split", "broadcast_arrays", "dsplit", "hsplit", "meshgrid", "split", "vsplit"]
)

#: Functions whose first argument is the shape of the result.
SHAPED = frozenset(["zeros", "ones", "full", "empty"])

#: Functions that reduce to a scalar when no axis is given.
REDUCTIONS = frozenset(
    ["amax", "amin", "max", "mean", "median", "min", "prod", "std", "sum", "var"]
)


def unified(left: Axis, right: Axis) -> Axis | None:
    """One axis broadcast against another; None if the source doesn't say that they fit."""
    if left.unit:
        return right
    if right.unit or left == right:
        return left
    if left.plate is None and right.plate is not None:
        left, right = right, left
    if right.plate is not None and right.plate != left.plate:
        return None
    # NumPyro lets a plate of size 1 hold anything, so a plate alone says nothing of the size.
    if not left.same_size(right):
        return None
    return Axis(left.size, left.size_key or right.size_key, left.plate, left.reads)


def broadcast(*shapes: Shape | None) -> Shape | None:
    result: Shape = ()
    for shape in shapes:
        if shape is None:
            return None
        longer, shorter = (result, shape) if len(result) >= len(shape) else (shape, result)
        axes = list(longer)
        for back in range(1, len(shorter) + 1):
            axis = unified(longer[-back], shorter[-back])
            if axis is None:
                return None
            axes[-back] = axis
        result = tuple(axes)
    return result


def axis_of(scope: Scope, size: ast.expr, text: str, plate: str | None = None) -> Axis:
    """The axis whose size is this expression, written `text` in the file."""
    if isinstance(size, ast.Constant) and isinstance(size.value, int):
        if size.value == 1 and plate is None:
            return UNIT
        return Axis(str(size.value), scope.literal_key(size), plate)
    reads = reads_of(scope, size, whole=False)
    if not is_repeatable(scope, size):
        return Axis(None, None, plate, reads)
    versions = ",".join(sorted(f"{r.name}@{r.version}.{r.era}" for r in reads))
    return Axis(text, f"{ast.unparse(size)} {versions}", plate, reads)


def shape_argument(scope: Scope, node: ast.expr) -> Shape | None:
    """The axes that a shape expression asks for: ``n``, ``(n, 2)`` or ``[n]``."""
    if isinstance(node, (ast.Tuple, ast.List)):
        if any(isinstance(size, ast.Starred) for size in node.elts):
            return None
        return tuple(axis_of(scope, size, ast.unparse(size)) for size in node.elts)
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return (axis_of(scope, node, str(node.value)),)
    if (isinstance(node, ast.Call) and ast.unparse(node.func) == "len") or (
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "shape"
        and not isinstance(node.slice, ast.Slice)
    ):
        return (axis_of(scope, node, ast.unparse(node)),)
    # A bare name may be a number or a tuple: it isn't told.
    return None


def shape_of(scope: Scope, node: ast.expr) -> Shape | None:
    """The shape of the value of an expression, as jax.numpy would have it."""
    match node:
        case ast.Constant(value=bool() | int() | float() | complex()):
            return ()
        case ast.Name(id=name):
            binding = scope.binding(name)
            if binding is not None:
                return binding.shape
            return () if scope.is_constant(name) else None
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            return shape_of(scope, operand)
        case ast.BinOp(op=ast.MatMult()):
            return None
        case ast.BinOp(left=left, right=right):
            return broadcast(shape_of(scope, left), shape_of(scope, right))
        case ast.Subscript():
            return shape_of_subscript(scope, node)
        case ast.Call():
            return shape_of_call(scope, node)
        case ast.NamedExpr(value=value):
            return shape_of(scope, value)
        case ast.IfExp(body=body, orelse=orelse):
            first, second = shape_of(scope, body), shape_of(scope, orelse)
            return first if first == second else None
        case ast.Attribute(attr="pi" | "e" | "inf" | "nan"):
            dotted = scope.resolve(node)
            known = dotted is not None and dotted.startswith(("jax.numpy.", "numpy.", "math."))
            return () if known else None
        case ast.Attribute(value=value, attr="T"):
            shape = shape_of(scope, value)
            return None if shape is None else shape[::-1]
    return None


def shape_of_subscript(scope: Scope, node: ast.Subscript) -> Shape | None:
    """``x[:, None]``, ``x[..., None]``, ``x[0]``; None for an index that may be an array."""
    if isinstance(node.value, ast.Attribute) and node.value.attr == "shape":
        return () if is_integer(node.slice) else None
    shape = shape_of(scope, node.value)
    if shape is None:
        return None
    index = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    consumed = sum(1 for item in index if not is_new_axis(scope, item) and not is_ellipsis(item))
    if consumed > len(shape):
        return None
    axes: list[Axis] = []
    position = 0
    for item in index:
        if is_new_axis(scope, item):
            axes.append(UNIT)
        elif is_ellipsis(item):
            rest = len(shape) - consumed
            axes += shape[position : position + rest]
            position += rest
        elif isinstance(item, ast.Slice):
            if item.lower or item.upper or item.step:
                return None
            axes.append(shape[position])
            position += 1
        elif is_integer(item):
            position += 1
        else:
            return None
    return (*axes, *shape[position:])


def is_new_axis(scope: Scope, node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return node.value is None
    dotted = scope.resolve(node)
    return dotted in ("jax.numpy.newaxis", "numpy.newaxis")


def is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is Ellipsis


def is_integer(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return isinstance(node, ast.Constant) and type(node.value) is int


def shape_of_literal(scope: Scope, node: ast.expr) -> Shape | None:
    """The shape of a nested list of scalars, as `jnp.array` takes it."""
    if not isinstance(node, (ast.List, ast.Tuple)):
        return shape_of(scope, node)
    if not node.elts or any(isinstance(item, ast.Starred) for item in node.elts):
        return None
    rows = [shape_of_literal(scope, item) for item in node.elts]
    if rows[0] is None or any(row is None or len(row) != len(rows[0]) for row in rows):
        return None
    count = len(node.elts)
    first = UNIT if count == 1 else Axis(str(count), scope.literal_key(node))
    return (first, *rows[0])


def shape_of_call(scope: Scope, node: ast.Call) -> Shape | None:
    if any(isinstance(arg, ast.Starred) for arg in node.args):
        return None
    if isinstance(node.func, ast.Name) and node.func.id in ("float", "int", "len"):
        return () if scope.binding(node.func.id) is None else None
    dotted = scope.resolve(node.func)
    if dotted is None:
        return shape_of_method(scope, node)
    if dotted == "numpyro.deterministic" and len(node.args) == 2:
        return shape_of(scope, node.args[1])
    if not dotted.startswith(ARRAY_MODULES):
        return None
    name = dotted.rpartition(".")[2]
    keywords = {keyword.arg for keyword in node.keywords}
    if name in ("array", "asarray") and node.args and not keywords - {"dtype"}:
        return shape_of_literal(scope, node.args[0])
    if name in SHAPED and node.args and not keywords - {"dtype", "fill_value"}:
        return sizes_given(scope, node.args[0])
    if name in ("zeros_like", "ones_like", "full_like") and node.args and not keywords - {"dtype"}:
        return shape_of(scope, node.args[0])
    if name == "eye" and len(node.args) == 1 and not keywords:
        axis = sizes_given(scope, node.args[0])
        return None if axis is None else axis * 2
    if name == "arange" and len(node.args) == 1 and not keywords - {"dtype"}:
        return sizes_given(scope, node.args[0])
    if name in REDUCTIONS and len(node.args) == 1 and not keywords:
        return ()
    if name in ELEMENTWISE and node.args and not keywords - {"dtype"}:
        return broadcast(*(shape_of(scope, arg) for arg in node.args))
    return None


def sizes_given(scope: Scope, node: ast.expr) -> Shape | None:
    """The axes that ``jnp.zeros(...)`` is asked for, also by the name of a number."""
    shape = shape_argument(scope, node)
    if shape is None and isinstance(node, ast.Name) and shape_of(scope, node) == ():
        return (axis_of(scope, node, node.id),)
    return shape


def shape_of_method(scope: Scope, node: ast.Call) -> Shape | None:
    if not isinstance(node.func, ast.Attribute):
        return None
    if node.func.attr in REDUCTIONS and not node.args and not node.keywords:
        return () if shape_of(scope, node.func.value) is not None else None
    if node.func.attr == "astype" and len(node.args) == 1:
        return shape_of(scope, node.func.value)
    return None


def is_fixed(scope: Scope, node: ast.expr) -> bool:
    """Is it a value that nothing can change in place: a number, or an array of JAX?"""
    match node:
        case ast.Constant():
            return True
        case ast.Name(id=name):
            binding = scope.binding(name)
            return binding.fixed if binding is not None else scope.is_constant(name)
        case ast.BinOp(left=left, right=right):
            return is_fixed(scope, left) and is_fixed(scope, right)
        case ast.UnaryOp(operand=value) | ast.Starred(value=value) | ast.NamedExpr(value=value):
            return is_fixed(scope, value)
        case ast.Attribute(attr="T", value=value):
            return is_fixed(scope, value)
        case ast.Subscript(value=ast.Attribute(attr="shape")):
            return is_integer(node.slice)
        case ast.Subscript(value=value):
            return is_fixed(scope, value)
        case ast.IfExp(body=body, orelse=orelse):
            return is_fixed(scope, body) and is_fixed(scope, orelse)
        case ast.Tuple(elts=parts):
            return all(is_fixed(scope, part) for part in parts)
        case ast.Call(func=ast.Name(id="float" | "int" | "len" as name)):
            return scope.binding(name) is None and scope.resolve(node.func) is None
        case ast.Call(func=function):
            dotted = scope.resolve(function)
            if dotted == "numpyro.deterministic":
                return len(node.args) == 2 and is_fixed(scope, node.args[1])
            if dotted is not None:
                array = dotted.startswith(("jax.numpy.", "jax.nn.", "jax.scipy.", "jax.random."))
                return dotted in MADE or (array and dotted.rpartition(".")[2] not in SEVERAL)
            if not isinstance(function, ast.Attribute):
                return False
            reduces = function.attr in REDUCTIONS and not node.args and not node.keywords
            return reduces or is_fixed(scope, function.value)
    return scope.resolve(node) is not None
