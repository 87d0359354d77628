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
from reparam_rewrite.survey.effects import words
from reparam_rewrite.survey.shapes import ELEMENTWISE
from reparam_rewrite.survey.terms import (
    DATA,
    Form,
    as_wide,
    both,
    each,
    in_branch,
    lost,
    product,
    scaled,
    weighted,
)

#: Sums and products of the first two arguments: by what the second is multiplied, 0 for a product.
ADDING = {"add": 1.0, "subtract": -1.0, "multiply": 0.0}

CONTRACTING = words("dot einsum inner matmul multi_dot tensordot vdot")

#: What puts the elements of several arrays into one.
JOINING = words("append column_stack concatenate hstack stack vstack")

#: What moves elements, and changes none.
MOVING = JOINING | words(
    """array asarray atleast_1d atleast_2d broadcast_to expand_dims flip moveaxis ravel repeat
    reshape roll squeeze swapaxes tile transpose"""
)
MOVING_METHODS = words("add flatten ravel repeat reshape set squeeze swapaxes transpose")


def operation(node: ast.BinOp, left: Form, right: Form, text: str, fresh: Iterator[int]) -> Form:
    """What an operator makes of its two operands."""
    match node.op:
        case ast.Add() | ast.Sub():
            other = right if isinstance(node.op, ast.Add) else scaled(right, -1.0)
            # Also what is there twice.
            made = Form((*as_wide(left, other), *as_wide(other, left)))
        case ast.Mult():
            made = times(left, right)
        case ast.Div() if right.terms:
            made = product(left, right) if left.terms else linked(right, fresh)
        case ast.Div() if right.number:
            made = scaled(left, 1 / right.number)
        case ast.Div():
            made = weighted(left, f"1 / ({right.text})" if right.text else "")
        case ast.MatMult():
            made = contracted(node, [left, right], text)
        case ast.Pow() if not right.terms:
            made = linked(left, fresh)
        case _:
            made = lost(ast.unparse(node)[:40], left, right)
    untold = any(term.layout is None for term in (*left.terms, *right.terms))
    return replace(made, loose=left.is_loose or right.is_loose or untold)


def times(left: Form, right: Form) -> Form:
    """A product, with a number or data as weights where only one of both has sites."""
    if left.terms and right.terms:
        return product(left, right)
    if right.terms:
        left, right = right, left
    if not left.terms:
        return DATA
    return weighted(left, right.text) if right.number is None else scaled(left, right.number)


def contracted(node: ast.expr, operands: Sequence[Form], text: str) -> Form:
    """``X @ beta``, ``jnp.einsum("ij,j->i", X, beta)``"""
    sampled = [form for form in operands if form.terms]
    if len(sampled) == 1:
        return summed(node, sampled[0], text)
    first = product(sampled[0], sampled[1]) if sampled else DATA
    return Form((*first.terms, *lost("a product of several sites", *sampled[2:]).terms))


def summed(node: ast.expr, form: Form, text: str, **fields: bool) -> Form:
    """``jnp.sum(x * b, axis=-1)``: as a product with data is added up."""
    return Form(each(form.terms, summed=True, text=text, line=node.lineno, layout=None, **fields))


def linked(form: Form, fresh: Iterator[int], **fields: bool) -> Form:
    """What is added up in the argument of a function that works element by element."""
    group = next(fresh)
    terms = each(form.terms, **fields)
    return Form(tuple(replace(term, group=(*term.group, group)) for term in terms))


def apart(forms: Sequence[Form], fresh: Iterator[int]) -> Form:
    """The elements of one array: their summands are never added to each other."""
    if sum(bool(form.terms) for form in forms) > 1:
        choice = next(fresh)
        forms = [in_branch(form, choice, at) for at, form in enumerate(forms)]
    return Form(both(*forms))


def array_function(
    node: ast.Call, name: str, given: Sequence[Form], text: str, fresh: Iterator[int]
) -> Form:
    """What the function of JAX or NumPy of that name makes of its arguments."""
    last, called = name.rpartition(".")[2], f"'{ast.unparse(node.func)}'"
    if last in CONTRACTING:
        return contracted(node, given, text)
    if not any(form.terms for form in given):
        return DATA
    first = given[0]
    if last in ADDING and len(given) >= 2:
        sign = ADDING[last]
        return Form(both(first, scaled(given[1], sign))) if sign else times(first, given[1])
    if last == "negative":
        return scaled(first, -1.0)
    if last == "where" and len(given) == 3:
        return apart(given[1:], fresh)
    if last in ("clip", "float32", "float64"):
        return Form(first.terms)
    if last in ("softmax", "log_softmax"):  # what is added to all of the argument isn't seen
        axis = argument(node, 1, "axis")
        if (axis is not None and ast.unparse(axis) != "-1") or both(*given[1:]):
            return lost(f"{called} over another axis than the last one", *given)
        return linked(first, fresh, softmax=True)
    if last in MOVING:
        return Form(each(both(*(given if last in JOINING else given[:1])), layout=None))
    if last == "take":
        index = ast.unparse(node.args[1]) if len(node.args) > 1 else "an index"
        return Form(tuple(replace(t, layout=None, picked=t.picked or index) for t in first.terms))
    if last in ("sum", "mean", "average", "nansum"):
        return summed(node, first, text, scalar=len(given) == 1)
    if last in ELEMENTWISE and sum(bool(form.terms) for form in given) == 1:
        return linked(Form(both(*given)), fresh)
    return lost(called, *given)


def array_method(
    node: ast.Call, name: str, owner: Form, given: Sequence[Form], text: str, fresh: Iterator[int]
) -> Form:
    """A method of a value: ``a.reshape(...)``."""
    terms = both(owner, *given)
    if not terms or name == "astype":
        return Form(terms)
    if name in MOVING_METHODS:
        return Form(each(terms, layout=None))
    if name in ("sum", "mean"):
        return summed(node, owner, text, scalar=not given)
    if name == "dot":
        return contracted(node, [owner, *given], text)
    if name in ("clip", "round") and not both(*given):
        return linked(owner, fresh)
    return lost(f"'.{name}', which isn't followed", owner, *given)
