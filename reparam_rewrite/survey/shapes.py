"""How is the shape of a value read from its expression? By the broadcasting rules of jax.numpy.

A shape is open where only its last axes show: its first one stands for any number of them. The
plan then asks at run time for what doesn't show.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from functools import reduce
from typing import TypeVar

from msgspec.structs import replace

from reparam_rewrite.survey.calls import is_integer
from reparam_rewrite.survey.effects import ARRAY_MODULES, FILLING, REDUCTIONS, words
from reparam_rewrite.survey.expressions import parsed
from reparam_rewrite.survey.names import is_of_module, is_written
from reparam_rewrite.survey.nodes import copied, walk
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

#: What nothing is known of.
OPEN: Shape = (REST,)

A = TypeVar("A")

#: What one item of an index does: "new" makes an axis, "rest" is ``...`` and "whole" is ``:``. Else
#: it is what takes the place of an axis.
Item = str | tuple[A, ...]


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
    return OPEN if shape is None else shape


def broadcast(*shapes: Shape | None) -> Shape | None:
    """The shape that these are broadcast to; None if one isn't known, or if they may not fit."""
    return closed(broadcast_open(*map(opened, shapes)))


def broadcast_open(*shapes: Shape) -> Shape:
    """What is sure of the shape that these are broadcast to, each perhaps open."""
    return reduce(both, shapes, ())


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
    shown = text if is_written(size) else spelt_here(scope, size)
    return Axis(shown, f"{ast.unparse(size)} {versions}", plate, reads)


def spelt_here(scope: Scope, size: ast.expr) -> str | None:
    """How an expression with constants of other modules can be written; None if it can't be."""
    instead: dict[ast.AST, ast.AST] = {}
    for part in walk(size):
        if isinstance(part, ast.Name) and is_of_module(part.id):
            text = scope.facts.spelt.get(part.id, "")
            hidden = text.partition(".")[0] in scope.function.hidden
            if not text or hidden or not scope.is_constant(part.id):
                return None
            instead[part] = parsed(text)
    return ast.unparse(copied(size, instead))


def shape_argument(scope: Scope, node: ast.expr) -> Shape:
    """The axes that a shape expression asks for: ``n``, ``(n, 2)``, ``[n]``, ``batch + (n,)``."""
    match node:
        case ast.Tuple(elts=sizes) | ast.List(elts=sizes):
            starred = [at for at, size in enumerate(sizes) if isinstance(size, ast.Starred)]
            shown = sizes[starred[-1] + 1 :] if starred else sizes
            axes = tuple(axis_of(scope, size, ast.unparse(size)) for size in shown)
            if starred == [0] and isinstance(sizes[0], ast.Starred):
                return (rest_of(scope, sizes[0].value), *axes)
            return (REST, *axes) if starred else axes
        case ast.BinOp(left=first, op=ast.Add(), right=(ast.Tuple() | ast.List()) as last):
            right = shape_argument(scope, last)
            if closed(right) is None:
                return OPEN
            plain = isinstance(first, (ast.Name, ast.Attribute))
            return (*([rest_of(scope, first)] if plain else shape_argument(scope, first)), *right)
        case ast.Constant(value=int()):
            return (axis_of(scope, node, str(node.value)),)
        case ast.Call(func=ast.Name(id="len")):
            told = scope.is_builtin("len")
        case ast.Subscript(value=held, slice=index):
            told = is_shape(scope, held) and not isinstance(index, ast.Slice)
        case _:
            told = False  # a bare name may be a number or a tuple
    return (axis_of(scope, node, ast.unparse(node)),) if told else OPEN


def rest_of(scope: Scope, node: ast.expr) -> Axis:
    """The axes of a shape that has a name: ``batch`` in ``batch + (n,)``."""
    return replace(axis_of(scope, node, ast.unparse(node)), size=None, several=True)


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
            if binding is not None:
                return binding.seen
            return () if scope.is_constant(name) else OPEN
        case ast.Constant(value=bool() | int() | float() | complex()):
            return ()
        case ast.BinOp(op=ast.MatMult()):
            return OPEN
        case ast.BinOp(left=left, right=right):
            return both(seen_of(scope, left), seen_of(scope, right))
        case ast.Call():
            return seen_of_call(scope, node)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=inner) | ast.NamedExpr(value=inner):
            return seen_of(scope, inner)
        case ast.IfExp(body=body, orelse=orelse):
            first, second = seen_of(scope, body), seen_of(scope, orelse)
            return first if first == second else OPEN
        case ast.Subscript():
            return opened(shape_of_subscript(scope, node))
        case ast.Attribute(value=value, attr="T"):
            shape = shape_of(scope, value)
            return OPEN if shape is None else shape[::-1]
        case ast.Attribute(attr="pi" | "e" | "inf" | "nan"):
            if (scope.resolve(node) or "").startswith(("jax.numpy.", "numpy.", "math.")):
                return ()
    return OPEN


def shape_of_subscript(scope: Scope, node: ast.Subscript) -> Shape | None:
    """``x[:, None]``, ``x[..., None]``, ``x[0]``; None for an index that may be an array."""
    if is_shape(scope, node.value):
        return () if is_integer(node.slice) else None
    shape = shape_of(scope, node.value)
    index = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    items = [item for item in (item_of(scope.resolve, part) for part in index) if item is not None]
    if shape is None or len(items) < len(index):
        return None
    return subscripted(shape, items, UNIT)


def item_of(resolve: Callable[[ast.expr], str | None], node: ast.expr) -> Item[Axis] | None:
    """What one index does; None if it may be an array, or takes a part of an axis."""
    match node:
        case ast.Constant(value=None):
            return "new"
        case ast.Constant(value=value) if value is Ellipsis:
            return "rest"
        case ast.Slice(lower=None, upper=None, step=None):
            return "whole"
    if resolve(node) in ("jax.numpy.newaxis", "numpy.newaxis"):
        return "new"
    return () if is_integer(node) else None


def subscripted(axes: Sequence[A], items: Sequence[Item[A]], new: A) -> tuple[A, ...] | None:
    """The axes of a value after ``[...]``; None if there are more items than axes."""
    used = sum(item not in ("new", "rest") for item in items)
    if used > len(axes):
        return None
    found: list[A] = []
    left = list(axes)
    for item in (*items, *([] if "rest" in items else ["rest"])):
        if item == "rest":
            found += left[: len(axes) - used]
            del left[: len(axes) - used]
        elif item == "new":
            found.append(new)
        else:
            axis = left.pop(0)
            found += [axis] if isinstance(item, str) else item
    return tuple(found)


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
    """The same of a call of an array function, or of a method."""
    called, given = node.func, node.args
    if any(isinstance(arg, ast.Starred) for arg in given):
        return OPEN
    if isinstance(called, ast.Name) and called.id in ("float", "int", "len"):
        return () if scope.is_builtin(called.id) else OPEN
    dotted = scope.resolve(called)
    keywords = {keyword.arg for keyword in node.keywords}
    count, plain = len(given), keywords <= {"dtype"}
    if dotted is None and isinstance(called, ast.Attribute):
        if called.attr in REDUCTIONS and not given and not keywords:
            return () if shape_of(scope, called.value) is not None else OPEN
        astype = called.attr == "astype" and count == 1
        return opened(shape_of(scope, called.value)) if astype else OPEN
    if dotted == "numpyro.deterministic" and count == 2:
        return seen_of(scope, given[1])
    module, _, name = (dotted or "").rpartition(".")
    if f"{module}." not in ARRAY_MODULES or not given:
        return OPEN
    if name in ("array", "asarray") and plain:
        return opened(shape_of_literal(scope, given[0]))
    if name in ("zeros_like", "ones_like", "full_like") and plain and count <= 2:
        return seen_of(scope, given[0])
    if name in REDUCTIONS and count == 1 and not keywords:
        return ()
    if name in ELEMENTWISE and plain and (name != "where" or count == 3):
        return broadcast_open(*(seen_of(scope, arg) for arg in given))
    filled = name in FILLING and keywords <= {"dtype", "fill_value"}
    if filled:
        return sizes_given(scope, given[0])
    if name == "arange" and plain and (size := counted(given)) is not None:
        # What isn't an integer is no size, and fails as such.
        return (axis_of(scope, size, ast.unparse(size)),)
    if name == "eye" and count == 1 and not keywords:
        axis = sizes_given(scope, given[0])
        return OPEN if closed(axis) is None else axis * 2
    return OPEN


def counted(given: Sequence[ast.expr]) -> ast.expr | None:
    """How many numbers ``arange(n)``, ``arange(0, n)`` and ``arange(k, n + k)`` count."""
    match given:
        case [size] | [ast.Constant(value=0), size]:
            return size
        case [ast.Constant(value=int() as first), ast.BinOp(size, ast.Add(), ast.Constant(last))]:
            return size if first == last else None
    return None


def sizes_given(scope: Scope, node: ast.expr) -> Shape:
    """The axes that ``jnp.zeros(...)`` is asked for, also by the name of a number."""
    if isinstance(node, ast.Name) and shape_of(scope, node) == ():
        return (axis_of(scope, node, node.id),)
    return shape_argument(scope, node)
