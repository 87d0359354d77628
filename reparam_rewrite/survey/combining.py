"""What do operators and the functions of JAX and NumPy make of what their operands add up to?"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Protocol

from msgspec.structs import replace

from reparam_rewrite.survey.calls import argument, is_none
from reparam_rewrite.survey.effects import words
from reparam_rewrite.survey.indexing import Item, Pick, indexed, inside, turned
from reparam_rewrite.survey.shapes import ELEMENTWISE
from reparam_rewrite.survey.terms import (
    DATA,
    HOLE,
    Form,
    Term,
    Terms,
    apart,
    both,
    linked,
    lost,
    operand,
    product,
    scaled,
    untold,
    weighted,
)


class Writer(Protocol):
    """Writes a `node` where the function's own names stand, "" if it can't be written there."""

    @property
    def node(self) -> ast.expr: ...
    @property
    def fresh(self) -> Iterator[int]: ...

    def as_is(self) -> str:
        """As it stands in the function."""

    def around(self, part: ast.expr) -> str:
        """With `HOLE` in the place of one of its parts."""

    def variable(self, site: int) -> str:
        """What a site is called."""


#: An operand, as it stands and what it adds up to.
Operand = tuple[ast.expr, Form]

#: The operators that functions of two arguments are.
OPERATORS: dict[str, ast.operator] = {
    "add": ast.Add(),
    "subtract": ast.Sub(),
    "multiply": ast.Mult(),
    "divide": ast.Div(),
    "true_divide": ast.Div(),
    "power": ast.Pow(),
    "float_power": ast.Pow(),
}

CONTRACTING = words("dot einsum inner matmul multi_dot tensordot vdot")

#: What puts the elements of several arrays into one.
JOINING = words("append column_stack concatenate hstack stack vstack")

#: What moves elements, and changes none.
MOVING = JOINING | words(
    """array asarray atleast_1d atleast_2d broadcast_to expand_dims flip moveaxis permute_dims ravel
    repeat reshape roll squeeze swapaxes take tile transpose"""
)
MOVING_METHODS = words("flatten ravel repeat reshape squeeze swapaxes take transpose")

#: Where a part stands alone between commas.
ARGUMENT = re.compile(rf"[(,] ?{HOLE}[,)]")

#: What a test is made of.
TESTING = words("isfinite isinf isnan logical_and logical_not logical_or")


def as_wide(form: Form, other: Form) -> Terms:
    """The summands with as many axes as those of another that they are added to."""
    layouts = [term.layout for term in other.terms]
    if not layouts or None in layouts:
        return form.terms
    width = max(len(layout or ()) for layout in layouts)
    return tuple(
        replace(term, layout=("",) * (width - len(term.layout)) + term.layout)
        if term.layout is not None
        else term
        for term in form.terms
    )


def added(left: Form, right: Form) -> Form:
    """A sum: also of what is there twice."""
    untold = any(term.layout is None for term in (*left.terms, *right.terms))
    loose = untold or left.adds_axes or right.adds_axes
    return Form((*as_wide(left, right), *as_wide(right, left)), loose=loose)


def operation(op: ast.operator, left: Operand, right: Operand, writer: Writer) -> Form:
    """What an operator makes of its two operands."""
    (_, one), (_, other) = left, right
    if not (one.terms or other.terms):
        return Form(mask=one.mask and other.mask)
    match op:
        case ast.Add():
            return added(one, other)
        case ast.Sub():
            return added(one, scaled(other, -1.0))
        case ast.Mult():
            return times(one, other)
        case ast.Div() if other.terms:
            return product(one, other) if one.terms else linked(other, writer.fresh)
        case ast.Div() if other.number:
            return scaled(one, 1 / other.number)
        case ast.Div():
            return weighted(one, f"1 / {operand(other.text)}" if other.text else "")
        case ast.MatMult():
            return contracted([left, right], writer)
        case ast.Pow() if not other.terms:
            return replace(linked(one, writer.fresh), loose=one.loose or other.number is None)
    return lost(ast.unparse(writer.node)[:40], one, other)


def times(left: Form, right: Form) -> Form:
    """A product, with a number or data as weights where only one of both has sites."""
    if left.terms and right.terms:
        return replace(product(left, right), loose=True)
    if right.terms:
        left, right = right, left
    if not left.terms:
        return DATA
    return weighted(left, right.text) if right.number is None else scaled(left, right.number)


def contracted(operands: Sequence[Operand], writer: Writer) -> Form:
    """``X @ beta``, ``jnp.einsum("ij,j->i", X, beta)``"""
    sampled = [one for one in operands if one[1].terms]
    if len(sampled) == 1 and is_table(writer.node):
        (_, design), (_, form) = operands[0], sampled[0]
        layouts = [term.layout for term in form.terms]
        told = not form.loose and all(layout and len(layout) < 3 for layout in layouts)
        if design.one_hot and told and form.pure:
            return indexed(form, [Pick(design.one_hot)], design.one_hot, design.one_hot)
    if len(sampled) == 1:
        return summed(*sampled[0], writer)
    forms = [form for _, form in sampled]
    first = product(*forms[:2]) if forms else DATA
    return Form((*first.terms, *lost("a product of several sites", *forms[2:]).terms))


def is_table(node: ast.expr) -> bool:
    """Is it a product of matrices, ``design @ a``?"""
    name = node.func if isinstance(node, ast.Call) else None
    last = name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", "")
    return isinstance(node, ast.BinOp) or last in ("dot", "matmul")


def summed(part: ast.expr, form: Form, writer: Writer, *, scalar: bool = False) -> Form:
    """``jnp.sum(x * b, axis=-1)``: as a product with data is added up."""
    around, as_is = writer.around(part), writer.as_is()

    def one(term: Term) -> Term:
        made = untold(term, summed=True, scalar=scalar, line=writer.node.lineno, layout=None)
        alone = form.pure or not (form.loose or term.layout is None or "" in term.layout)
        if alone and around and term.core and all(term.weights) and not term.group:
            inner = " * ".join(operand(text) for text in (*term.weights, term.core))
            between = ARGUMENT.search(around) is not None and bool(term.weights)
            core = around.replace(HOLE, inner if between else operand(inner))
            name = writer.variable(term.site)
            written = form.pure and term.factor == 1
            text = as_is if written else name and core.replace(HOLE, name)
            return replace(made, weights=(), core=core, text=text)
        return replace(made, text=as_is if len(form.terms) == 1 and not term.group else "")

    return Form(tuple(map(one, form.terms)), pure=form.pure)


def array_function(name: str, operands: Sequence[Operand], writer: Writer) -> Form:
    """What the function of JAX or NumPy of that name makes of its arguments."""
    node, given = writer.node, [form for _, form in operands]
    assert isinstance(node, ast.Call)
    last, called = name.rpartition(".")[2], f"'{ast.unparse(node.func)}'"
    if not any(form.terms for form in given):
        hot = given[0].text if last == "one_hot" and len(node.args) == 2 == len(given) else ""
        return Form(mask=last in TESTING, one_hot=hot)
    first, plain = given[0], not node.keywords
    if last in OPERATORS and len(given) == 2 and plain:
        return operation(OPERATORS[last], operands[0], operands[1], writer)
    if last == "einsum" and plain and (factors := elementwise(operands)):
        return reduce(times, factors)
    if last in CONTRACTING:
        return contracted(operands, writer)
    if last == "negative":
        return scaled(first, -1.0)
    if last == "where" and len(given) == 3 and plain:
        return chosen(operands, writer)
    if last in ("float32", "float64"):
        return first
    if last in ("softmax", "log_softmax"):  # what is added to all of the argument isn't seen
        axis = argument(node, 1, "axis")
        if (axis is not None and ast.unparse(axis) != "-1") or both(*given[1:]):
            return lost(f"{called} over another axis than the last one", *given)
        return linked(first, writer.fresh, softmax=True)
    if last in JOINING:
        return scattered(*given)
    if last in MOVING:
        return arranged(last, operands, writer)
    if last in ("sum", "mean", "average", "nansum"):
        return summed(*operands[0], writer, scalar=len(given) == 1)
    if last == "cumsum":
        return summed(*operands[0], writer)
    terms = tuple(term for form in given for term in form.terms)
    if last in ELEMENTWISE and sum(bool(form.terms) for form in given) == 1:
        return linked(Form(terms, loose=any(f.adds_axes for f in given)), writer.fresh)
    return lost(called, *given)


def array_method(name: str, owner: Operand, operands: Sequence[Operand], writer: Writer) -> Form:
    """A method of a value: ``a.reshape(...)``."""
    form, given = owner[1], [form for _, form in operands]
    terms = both(form, *given)
    if not terms:
        return DATA
    if name == "astype":
        return form
    if name in MOVING_METHODS and not both(*given):
        return arranged(name, [owner, *operands], writer)
    if name in ("sum", "mean") and not both(*given):
        return summed(*owner, writer, scalar=not given)
    if name == "cumsum" and not both(*given):
        return summed(*owner, writer)
    if name == "dot":
        return contracted([owner, *operands], writer)
    if name in ("clip", "round") and not both(*given):
        return linked(form, writer.fresh)
    return lost(f"'.{name}', which isn't followed", form, *given)


def altered(name: str, whole: Form, part: Form, given: Sequence[Form]) -> Form:
    """``a.at[i].add(b)``, with what `a` and ``a[i]`` add up to."""
    if name == "get" and not both(*given):
        return part
    if name == "set":
        return scattered(part, *given)
    if name == "add":
        return Form((*whole.terms, *scattered(*given).terms), loose=True)
    return lost(f"'.at[...].{name}', which isn't followed", whole, *given)


def scattered(*forms: Form) -> Form:
    """What is in some elements of an array only, which aren't followed."""
    return Form(tuple(untold(term, layout=None) for term in both(*forms)), loose=True)


def elementwise(operands: Sequence[Operand]) -> list[Form]:
    """The factors of an `einsum` that is a product, ``"n,n->n"``, else none."""
    (equation, _), *rest = operands
    if not (isinstance(equation, ast.Constant) and isinstance(equation.value, str)):
        return []
    first, _, result = equation.value.replace(" ", "").partition("->")
    inputs = first.split(",")
    same = len(inputs) == len(rest) and {*inputs} == {result} and len({*result}) == len(result)
    return [form for _, form in rest] if same and result.isalpha() else []


def chosen(operands: Sequence[Operand], writer: Writer) -> Form:
    """``jnp.where(mask, a[i], 0.0)``: a product with ones and zeros."""
    (_, mask), *rest = operands
    node = writer.node
    assert isinstance(node, ast.Call)
    if mask.terms:
        return lost(
            f"'{ast.unparse(node.func)}' of a test that is sampled", *(f for _, f in operands)
        )
    forms = [form for _, form in rest]
    if all(form.terms for form in forms):
        return scattered(apart(forms, writer.fresh))
    values = "1.0, 0.0" if forms[0].terms else "0.0, 1.0"
    text = f"{ast.unparse(node.func)}({mask.text}, {values})" if mask.text else ""
    one, other = forms if forms[0].terms else forms[::-1]
    return replace(weighted(one, text), pure=one.pure and other.number == 0)


def arranged(name: str, operands: Sequence[Operand], writer: Writer) -> Form:
    """What moves the elements of its first operand and changes none."""
    (part, form), *rest = operands
    node, count = writer.node, len(form.terms)
    assert isinstance(node, ast.Call)
    keys = [keyword.arg or "**" for keyword in node.keywords]
    places = rest[: len(rest) - len(keys)]
    named = dict(zip(keys, rest[len(places) :], strict=True))
    text = writer.around(part) if form.pure else ""
    if name in ("array", "asarray") and form.parts is None and named.keys() <= {"dtype", "copy"}:
        return form
    if name in ("array", "asarray"):
        return scattered(form)
    if name == "broadcast_to":
        wide = (
            term if term.layout is None else replace(term, layout=("", *term.layout))
            for term in form.terms
        )
        return Form(tuple(wide), loose=True)
    if name in ("transpose", "permute_dims") and not rest:
        return turned(form, text)
    if name == "take" and (places or "indices" in named):
        node_index, index = places[0] if places else named["indices"]
        axis = places[1] if len(places) > 1 else named.get("axis")
        items = items_at(axis, form, Pick(index.text, one=index.number is not None))
        if index.terms or named.keys() - {"indices", "axis", "mode"}:
            return lost("an index that is sampled", form, index)
        if items is not None:
            return indexed(form, items, "", ast.unparse(node_index))
        picked = indexed(form, ["rest", Pick("")], "", ast.unparse(node_index))
        flat = (inside(form, term, text) for term in form.terms)
        terms = (
            replace(term, picked=by.picked, single=by.single)
            for term, by in zip(flat, picked.terms, strict=True)
        )
        return Form(tuple(terms), loose=form.loose, pure=form.pure)
    lone = not form.loose and count and all(len(t.layout or "12") < 2 for t in form.terms)
    items = None
    if name == "expand_dims" and len(rest) == 1:
        items = items_at((places or [*named.values()])[0], form, "new")
    elif lone and not named and name in ("ravel", "flatten") and not places:
        return form
    elif lone and not named and name == "reshape":
        sizes = places
        if len(places) == 1 and isinstance(places[0][0], (ast.Tuple, ast.List)):
            sizes = [(ast.Constant(0), one) for one in places[0][1].parts or ()]
        items = RESHAPED.get(tuple(size.number for _, size in sizes))
    if items is not None:
        return indexed(form, items, "", "")
    return Form(
        tuple(inside(form, term, text) for term in form.terms), loose=form.loose, pure=form.pure
    )


#: What a shape makes of a value of one axis, as an index.
RESHAPED: dict[tuple[float | None, ...], list[Item]] = {
    (-1.0,): ["whole"],
    (-1.0, 1.0): ["whole", "new"],
    (1.0, -1.0): ["new", "whole"],
}


def items_at(axis: Operand | None, form: Form, item: Item) -> list[Item] | None:
    """An index that is `item` at an axis and leaves what is at its left; None if untold.

    Without an axis it is that of a value that has no other.
    """
    if axis is None or is_none(axis[0]):
        lone = not form.loose and all(len(t.layout or "12") < 2 for t in form.terms)
        return [item] if lone else None
    place = axis[1].number
    if place is None or place != int(place):
        return None
    return [*["whole"] * int(place), item] if place >= 0 else last_but(int(place), item)


def last_but(place: int, item: Item) -> list[Item]:
    """An index that is `item` at an axis counted from the end, which is -1."""
    return ["rest", item, *["whole"] * (-place - 1)]
