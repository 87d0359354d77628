"""What operators and functions of arrays make of sums.

`text` is the expression as it can be written in the function itself, "" if it can't, and `fresh`
gives numbers: to the arguments of nonlinear functions, as only what is in one of them is added
up, and to choices.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from reparam_rewrite.survey.calls import argument
from reparam_rewrite.survey.shapes import ELEMENTWISE
from reparam_rewrite.survey.terms import (
    DATA,
    Form,
    Term,
    as_wide,
    both,
    hidden,
    in_branch,
    laid_out,
    product,
    scaled,
    weighted,
)

#: Sums and products of the first two arguments: by what the second is multiplied, 0 for a product.
ADDING = {"add": 1.0, "subtract": -1.0, "multiply": 0.0}

#: What moves elements, and changes none. Of those that take several arrays all are meant.
MOVING = frozenset(
    [
        "append",
        "array",
        "asarray",
        "atleast_1d",
        "atleast_2d",
        "broadcast_to",
        "column_stack",
        "concatenate",
        "expand_dims",
        "flip",
        "hstack",
        "moveaxis",
        "ravel",
        "repeat",
        "reshape",
        "roll",
        "squeeze",
        "stack",
        "swapaxes",
        "tile",
        "transpose",
        "vstack",
    ]
)

#: Those of them that put the elements of several arrays into one.
JOINING = frozenset(["append", "column_stack", "concatenate", "hstack", "stack", "vstack"])

#: Of the argument only the differences along an axis are seen.
SOFTMAX = frozenset(["softmax", "log_softmax"])

MOVING_METHODS = frozenset(
    [
        "add",
        "astype",
        "flatten",
        "ravel",
        "repeat",
        "reshape",
        "set",
        "squeeze",
        "swapaxes",
        "transpose",
    ]
)

ELEMENTWISE_METHODS = frozenset(["clip", "round"])


def operation(node: ast.BinOp, left: Form, right: Form, text: str, fresh: Iterator[int]) -> Form:
    """What an operator makes of its two operands."""
    untold = any(term.layout is None for term in (*left.terms, *right.terms))
    loose = left.is_loose or right.is_loose or untold
    return replace(combined(node, left, right, text, fresh), loose=loose)


def combined(node: ast.BinOp, left: Form, right: Form, text: str, fresh: Iterator[int]) -> Form:
    """What an operator makes of its two operands, but for whether they have other axes."""
    match node.op:
        case ast.Add() | ast.Sub():
            other = right if isinstance(node.op, ast.Add) else scaled(right, -1.0)
            # Also what is there twice.
            return Form((*as_wide(left, other), *as_wide(other, left)))
        case ast.Mult():
            return times(left, right)
        case ast.Div():
            if right.terms:
                return Form(product(left, right) if left.terms else linked(right, fresh))
            if right.number:
                return scaled(left, 1 / right.number)
            return Form(weighted(left, f"1 / ({right.text})" if right.text else ""))
        case ast.MatMult():
            return contracted(node, [left, right], text)
        case ast.Pow() if not right.terms:
            return Form(linked(left, fresh))
    return Form(hidden(both(left, right), ast.unparse(node)[:40]))


def times(left: Form, right: Form) -> Form:
    """A product, with a number or data as weights where only one of both has sites."""
    if left.terms and right.terms:
        return Form(product(left, right))
    if right.terms:
        left, right = right, left
    if not left.terms:
        return DATA
    if right.number is not None:
        return scaled(left, right.number)
    return Form(weighted(left, right.text))


def contracted(node: ast.expr, operands: Sequence[Form], text: str) -> Form:
    """``X @ beta``, ``jnp.einsum("ij,j->i", X, beta)``"""
    sampled = [form for form in operands if form.terms]
    if len(sampled) == 1:
        return summed(node, sampled[0], text)
    terms = product(sampled[0], sampled[1]) if sampled else ()
    return Form((*terms, *hidden(both(*sampled[2:]), "a product of several sites")))


def summed(node: ast.expr, form: Form, text: str, *, scalar: bool | None = None) -> Form:
    """``jnp.sum(x * b, axis=-1)``: as a product with data is added up."""
    return Form(
        tuple(
            replace(
                term,
                summed=True,
                scalar=term.scalar if scalar is None else scalar,
                text=text,
                line=node.lineno,
                layout=None,
            )
            for term in form.terms
        )
    )


def linked(form: Form, fresh: Iterator[int]) -> tuple[Term, ...]:
    """What is added up in the argument of a function that works element by element."""
    group = next(fresh)
    return tuple(replace(term, group=(*term.group, group)) for term in form.terms)


def apart(forms: Sequence[Form], fresh: Iterator[int]) -> tuple[Term, ...]:
    """The summands of the elements of one array: they are never added to each other."""
    if sum(bool(form.terms) for form in forms) < 2:
        return both(*forms)
    choice = next(fresh)
    return both(*(in_branch(form, choice, at) for at, form in enumerate(forms)))


def array_function(
    node: ast.Call, name: str, given: Sequence[Form], text: str, fresh: Iterator[int]
) -> Form:
    """What the function of JAX or NumPy of that name makes of its arguments."""
    last = name.rpartition(".")[2]
    if last in ("einsum", "dot", "matmul", "inner", "tensordot", "vdot", "multi_dot"):
        return contracted(node, given, text)
    if not any(form.terms for form in given):
        return DATA
    called = ast.unparse(node.func)
    if last in ADDING and len(given) >= 2:
        first, second = given[:2]
        if ADDING[last] == 0:
            return times(first, second)
        return Form(both(first, scaled(second, ADDING[last])))
    if last == "negative":
        return scaled(given[0], -1.0)
    if last == "where" and len(given) == 3:
        return Form(apart(given[1:], fresh))
    if last in ("clip", "float32", "float64"):
        return Form(given[0].terms)
    if last in SOFTMAX:
        return Form(softmax(node, given, fresh))
    if last in MOVING:
        moved = given if last in JOINING else given[:1]
        return Form(laid_out(both(*moved), None))
    if last in ("take",):
        picked = ast.unparse(node.args[1]) if len(node.args) > 1 else "an index"
        taken = laid_out(given[0].terms, None)
        return Form(tuple(replace(t, picked=t.picked or picked) for t in taken))
    if last in ("sum", "mean", "average", "nansum"):
        return summed(node, given[0], text, scalar=len(given) == 1)
    if last in ELEMENTWISE and len([form for form in given if form.terms]) == 1:
        return Form(linked(Form(both(*given)), fresh))
    return Form(hidden(both(*given), f"'{called}'"))


def softmax(node: ast.Call, given: Sequence[Form], fresh: Iterator[int]) -> tuple[Term, ...]:
    """``softmax(eta, axis=-1)``: what is added to all of eta isn't seen."""
    axis = argument(node, 1, "axis")
    called = ast.unparse(node.func)
    if (axis is not None and ast.unparse(axis) != "-1") or both(*given[1:]):
        return hidden(both(*given), f"'{called}' over another axis than the last one")
    return tuple(replace(term, softmax=True) for term in linked(given[0], fresh))


def array_method(
    node: ast.Call, name: str, owner: Form, given: Sequence[Form], text: str, fresh: Iterator[int]
) -> Form:
    """A method of a value: ``a.reshape(...)``."""
    terms = both(owner, *given)
    if not terms:
        return DATA
    if name in MOVING_METHODS:
        return Form(terms if name == "astype" else laid_out(terms, None))
    if name in ("sum", "mean"):
        return summed(node, owner, text, scalar=not given)
    if name in ("dot",):
        return contracted(node, [owner, *given], text)
    if name in ELEMENTWISE_METHODS and not both(*given):
        return Form(linked(owner, fresh))
    return Form(hidden(terms, f"'.{name}', which isn't followed"))
