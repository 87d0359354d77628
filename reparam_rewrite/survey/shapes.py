"""How is the shape of a value read from its expression? By the broadcasting rules of jax.numpy.

A shape is open where only its last axes show: its first one stands for any number of them. The
plan then asks at run time for what doesn't show.
"""

from __future__ import annotations

import ast

from msgspec.structs import replace

from reparam_rewrite.survey.calls import is_integer
from reparam_rewrite.survey.effects import ARRAY_MODULES, REDUCTIONS, words
from reparam_rewrite.survey.purity import is_repeatable, reads_of
from reparam_rewrite.survey.scopes import Scope
from reparam_rewrite.survey.values import REST, UNIT, Axis, Shape, closed

#: Functions that work element by element: the result broadcasts their positional arguments.
ELEMENTWISE = words(
    """abs absolute add arccos arcsin arctan arctan2 array asarray cbrt clip cos cosh degrees
    divide elu erf exp expit exp2 expm1 float32 float64 float_power floor gammaln gelu int32 log
    log10 log1p log2 log_ndtr log_sigmoid logaddexp logit maximum minimum multiply ndtr negative
    positive power radians reciprocal relu round sigmoid sign sin sinh softplus sqrt square
    subtract tan tanh where xlog1py xlogy"""
)

#: Functions whose first argument is the shape of the result.
SHAPED = frozenset(["zeros", "ones", "full", "empty"])


def unified(left: Axis, right: Axis) -> Axis | None:
    """One axis broadcast against another; None if the source doesn't say that they fit."""
    if not left.unit and not right.unit and Axis(None) in (left, right):
        return left if right == Axis(None) else right
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


def opened(shape: Shape | None) -> Shape:
    return (REST,) if shape is None else shape


def broadcast(*shapes: Shape | None) -> Shape | None:
    return closed(broadcast_open(*map(opened, shapes)))


def broadcast_open(*shapes: Shape) -> Shape:
    result: Shape = ()
    for shape in shapes:
        result = both(result, shape)
    return result


def both(left: Shape, right: Shape) -> Shape:
    """Two shapes, each perhaps open, broadcast: what is sure of the result.

    ``(..., k)`` and ``(n, 1)`` are ``(..., n, k)``: an axis that isn't of size 1 stays what it is,
    whatever it meets. Axes that don't fit, as the source tells it, leave the result open.
    """
    if not left or not right:
        return left or right
    rests = [shape[0] for shape in (left, right) if closed(shape) is None]
    first, second = (shape if closed(shape) is not None else shape[1:] for shape in (left, right))
    axes, fits = list(first if len(first) >= len(second) else second), True
    for back in range(1, len(axes) + 1):
        if back <= min(len(first), len(second)):
            found = unified(first[-back], second[-back])
            fits = fits and found is not None
            plate = next((a for a in (first[-back], second[-back]) if a.plate is not None), None)
            axes[-back] = found or plate or Axis(None)
        elif axes[-back].unit and any(closed(s) is None and len(s) <= back for s in (left, right)):
            axes[-back] = Axis(None)
    if not rests and fits:
        return tuple(axes)
    wide = [s[0] for s in (left, right) if closed(s) is None and len(s) > len(axes)]
    same = len(wide) == len(rests) and len(set(wide)) == 1 and fits
    return (wide[0] if same else REST, *axes)


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


def shape_argument(scope: Scope, node: ast.expr) -> Shape:
    """The axes that a shape expression asks for: ``n``, ``(n, 2)``, ``[n]``, ``batch + (n,)``."""
    if isinstance(node, (ast.Tuple, ast.List)):
        starred = [at for at, size in enumerate(node.elts) if isinstance(size, ast.Starred)]
        shown = node.elts[starred[-1] + 1 :] if starred else node.elts
        axes = tuple(axis_of(scope, size, ast.unparse(size)) for size in shown)
        if starred == [0] and isinstance(node.elts[0], ast.Starred):
            return (rest_of(scope, node.elts[0].value), *axes)
        return (REST, *axes) if starred else axes
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        right = shape_argument(scope, node.right)
        if isinstance(node.right, (ast.Tuple, ast.List)) and closed(right) is not None:
            plain = isinstance(node.left, (ast.Name, ast.Attribute))
            left = (rest_of(scope, node.left),) if plain else shape_argument(scope, node.left)
            return (*left, *right)
        return (REST,)
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return (axis_of(scope, node, str(node.value)),)
    if is_length(scope, node):
        return (axis_of(scope, node, ast.unparse(node)),)
    # A bare name may be a number or a tuple: it isn't told.
    return (REST,)


def rest_of(scope: Scope, node: ast.expr) -> Axis:
    """The axes of a shape that has a name: ``batch`` in ``batch + (n,)``."""
    return replace(axis_of(scope, node, ast.unparse(node)), size=None, several=True)


def is_length(scope: Scope, node: ast.expr) -> bool:
    """Is it ``len(x)`` or ``x.shape[0]``?"""
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) == "len" and scope.is_builtin("len")
    if not isinstance(node, ast.Subscript) or isinstance(node.slice, ast.Slice):
        return False
    return is_shape(scope, node.value)


def is_shape(scope: Scope, node: ast.expr) -> bool:
    """Is it ``x.shape``, and not a `shape` of the file's own?"""
    own = "shape" in scope.facts.own | scope.facts.fields
    return isinstance(node, ast.Attribute) and node.attr == "shape" and not own


def shape_of(scope: Scope, node: ast.expr) -> Shape | None:
    """The shape of the value of an expression, as jax.numpy would have it; None if not certain."""
    return closed(seen_of(scope, node))


def seen_of(scope: Scope, node: ast.expr) -> Shape:
    """What shows of the shape of the value of an expression, perhaps open to the left."""
    match node:
        case ast.Name(id=name):
            binding = scope.binding(name)
            return binding.seen if binding is not None else opened(constant(scope, name))
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            return seen_of(scope, operand)
        case ast.BinOp(op=ast.MatMult()):
            return (REST,)
        case ast.BinOp(left=left, right=right):
            return broadcast_open(seen_of(scope, left), seen_of(scope, right))
        case ast.Call():
            return seen_of_call(scope, node)
        case ast.NamedExpr(value=value):
            return seen_of(scope, value)
        case ast.IfExp(body=body, orelse=orelse):
            first, second = seen_of(scope, body), seen_of(scope, orelse)
            return first if first == second else (REST,)
    return opened(shape_of_other(scope, node))


def constant(scope: Scope, name: str) -> Shape | None:
    return () if scope.is_constant(name) else None


def shape_of_other(scope: Scope, node: ast.expr) -> Shape | None:
    match node:
        case ast.Constant(value=bool() | int() | float() | complex()):
            return ()
        case ast.Subscript():
            return shape_of_subscript(scope, node)
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
    if is_shape(scope, node.value):
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


def seen_of_call(scope: Scope, node: ast.Call) -> Shape:
    if any(isinstance(arg, ast.Starred) for arg in node.args):
        return (REST,)
    if isinstance(node.func, ast.Name) and node.func.id in ("float", "int", "len"):
        return () if scope.is_builtin(node.func.id) else (REST,)
    dotted = scope.resolve(node.func)
    if dotted is None:
        return opened(shape_of_method(scope, node))
    if dotted == "numpyro.deterministic" and len(node.args) == 2:
        return seen_of(scope, node.args[1])
    module, _, name = dotted.rpartition(".")
    if f"{module}." not in ARRAY_MODULES or not node.args:
        return (REST,)
    keywords = {keyword.arg for keyword in node.keywords}
    first, plain = node.args[0], not keywords - {"dtype"}
    if name in ("array", "asarray") and plain:
        return opened(shape_of_literal(scope, first))
    if name in SHAPED and not keywords - {"dtype", "fill_value"}:
        return sizes_given(scope, first)
    if name in ("zeros_like", "ones_like", "full_like") and plain and len(node.args) <= 2:
        return seen_of(scope, first)
    if name == "eye" and len(node.args) == 1 and not keywords:
        axis = sizes_given(scope, first)
        return (REST,) if closed(axis) is None else axis * 2
    if name == "arange" and len(node.args) == 1 and plain:
        return sizes_given(scope, first)
    if name in REDUCTIONS and len(node.args) == 1 and not keywords:
        return ()
    if name in ELEMENTWISE and plain and (name != "where" or len(node.args) == 3):
        return broadcast_open(*(seen_of(scope, arg) for arg in node.args))
    return (REST,)


def sizes_given(scope: Scope, node: ast.expr) -> Shape:
    """The axes that ``jnp.zeros(...)`` is asked for, also by the name of a number."""
    if isinstance(node, ast.Name) and shape_of(scope, node) == ():
        return (axis_of(scope, node, node.id),)
    return shape_argument(scope, node)


def shape_of_method(scope: Scope, node: ast.Call) -> Shape | None:
    if not isinstance(node.func, ast.Attribute):
        return None
    if node.func.attr in REDUCTIONS and not node.args and not node.keywords:
        return () if shape_of(scope, node.func.value) is not None else None
    if node.func.attr == "astype" and len(node.args) == 1:
        return shape_of(scope, node.func.value)
    return None
