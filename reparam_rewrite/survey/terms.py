"""What a value adds up to, as far as its source tells, and what operators and functions make of it.

Sites are meant by their `index` in a survey's function. `text` is the expression as it can be
written in the function itself, "" if it can't, and `fresh` gives numbers: to the arguments of
nonlinear functions, as only what is in one of them is added up, and to choices.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.survey.calls import argument
from reparam_rewrite.survey.effects import words
from reparam_rewrite.survey.functions import Function
from reparam_rewrite.survey.shapes import ELEMENTWISE, Item, subscripted

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

#: From left to right: the number of an axis of the site itself, counted from its end, "" for a new
#: axis of one element, or the index that picks from an axis. None: the axes can't be told.
Layout = tuple[int | str, ...] | None


#: Branches of which one runs: by a number, or by those of a call and of the branches in it.
Choice = int | tuple[int, int]


class Term(Struct, frozen=True):
    """One summand with latent sites in it.

    `sites` are those of which it is the product, often one. `factor` is a number that is written
    out, `weights` are the data that it is multiplied by, each an expression, "" where that can't
    be written elsewhere. `picked`: what it is indexed by is data, as in ``a[group]``. `single`:
    only some of its elements are meant, ``a[0]``. `summed`: its elements are added up, ``X @ b``;
    `text` is that expression then, as written, and `scalar` says that it is one number. `group`
    tells the argument of a nonlinear function from what is outside of it, as only summands of one
    group are added up. `layout` are the axes that it has where it is added. `picks` are what picks
    from each axis of the site, "" where nothing does. `softmax`: it is added to logits of which
    only the differences are seen. `branches` are the choices that must be made to come to it.
    `through` is what keeps it from being a shift, in words; "" for a summand. `line` is that of
    the summand.
    """

    sites: tuple[int, ...]
    line: int
    factor: float = 1.0
    weights: tuple[str, ...] = ()
    picked: str = ""
    single: bool = False
    summed: bool = False
    text: str = ""
    scalar: bool = False
    group: tuple[int, ...] = ()
    layout: Layout = None
    picks: tuple[str, ...] = ()
    softmax: bool = False
    branches: frozenset[tuple[Choice, int]] = frozenset()
    through: str = ""

    @property
    def site(self) -> int:
        return self.sites[0]

    @property
    def is_summand(self) -> bool:
        return len(self.sites) == 1 and not self.through

    @property
    def is_plain(self) -> bool:
        """Is it a site with nothing done to it?"""
        return self.is_summand and self == Term((self.site,), self.line, layout=self.layout)

    @property
    def is_whole(self) -> bool:
        """Is it known to have the axes of its site, and no others?"""
        return self.layout is not None and self.layout == own_layout(len(self.layout))

    def alternative_to(self, other: Term) -> bool:
        """Is one of them there only where the other isn't?"""
        mine = dict(self.branches)
        return any(mine.get(choice, chosen) != chosen for choice, chosen in other.branches)


Terms = tuple[Term, ...]


class Made(Struct, frozen=True):
    """A distribution: its class and its arguments by their names."""

    family: str
    arguments: dict[str, Form]
    nodes: dict[str, str]  # each argument as it can be written where it stands, "" if it can't


class Form(Struct, frozen=True):
    """What an expression is made of.

    `text` is how a value without latent sites can be written where the function's own names mean
    what they do, "" if it can't. `number` is its value, if it is a literal. `parts` are the
    elements of a tuple. A distribution is `made`, a function of the file `function`. `loose`: it
    may have more axes than its summands, those of data.
    """

    terms: Terms = ()
    text: str = ""
    number: float | None = None
    parts: tuple[Form, ...] | None = None
    made: Made | None = None
    function: Function | ast.Lambda | None = None
    loose: bool = False

    @property
    def is_data(self) -> bool:
        """Is it a value that no site is in, nor a distribution, a function or a tuple?"""
        return not (self.terms or self.made or self.function or self.parts)

    @property
    def sites(self) -> frozenset[int]:
        return frozenset(site for term in self.terms for site in term.sites)


DATA = Form()


def own_layout(axes: int) -> tuple[int, ...]:
    """That of a site itself: ``(-2, -1)``"""
    return tuple(range(-axes, 0))


def each(terms: Iterable[Term], **fields: Any) -> Terms:
    """The same with other values of some fields."""
    return tuple(replace(term, **fields) for term in terms)


def both(*forms: Form) -> Terms:
    """The summands of all of them, each once."""
    return tuple(dict.fromkeys(term for form in forms for term in form.terms))


def hidden(terms: Iterable[Term], through: str) -> Terms:
    """The same, not as summands any more; what is one already for another reason keeps that."""
    return tuple(replace(term, through=term.through or through) for term in terms)


def lost(through: str, *forms: Form) -> Form:
    """What is made of forms in a way that hides what they add up to."""
    return Form(hidden(both(*forms), through))


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


def scaled(form: Form, factor: float) -> Form:
    """Times a number."""
    terms = tuple(replace(term, factor=term.factor * factor) for term in form.terms)
    return Form(terms, number=None if form.number is None else form.number * factor)


def weighted(form: Form, weight: str) -> Form:
    """The summands times data; those in the argument of a function stay what they are."""
    return Form(
        tuple(
            term if term.group else replace(term, weights=(*term.weights, weight))
            for term in form.terms
        )
    )


def product(left: Form, right: Form) -> Form:
    """Two forms that both have sites, multiplied.

    What stands in the argument of a function is added up there all the same.
    """
    found = [term for term in (*left.terms, *right.terms) if term.group]
    mine, others = ([term for term in form.terms if not term.group] for form in (left, right))
    for one in mine:
        for other in others:
            joint, branches = one.sites + other.sites, one.branches | other.branches
            through = one.through or other.through
            found.append(Term(joint, one.line, branches=branches, through=through))
    if not mine or not others:
        found += hidden((*mine, *others), "a product with a function of other sites")
    return Form(tuple(dict.fromkeys(found)))


def in_branch(form: Form, choice: Choice, position: int, common: Iterable[Term] = ()) -> Form:
    """As it is where one of several blocks ran; what is `common` to all is as it was."""
    chosen = (choice, position)
    terms = tuple(
        term if term in common else replace(term, branches=term.branches | {chosen})
        for term in form.terms
    )
    return replace(form, terms=terms)


def either(forms: Sequence[tuple[int, Form]], choice: Choice) -> Form:
    """What a value is of which branches make one or the other, each by its position."""
    common = set.intersection(*(set(form.terms) for _, form in forms))
    return merged([in_branch(form, choice, position, common) for position, form in forms])


def merged(forms: Sequence[Form]) -> Form:
    """What is one of several values, or a distribution if one of them is."""
    return Form(both(*forms), made=next((form.made for form in forms if form.made), None))


def layout_after(layout: Layout, items: Sequence[Item[str]]) -> Layout:
    """The axes of a value after ``[...]``; None if they can't be told."""
    if layout is None or sum(isinstance(item, tuple) for item in items) > 1:
        return None
    return subscripted(layout, items, "")


def picks_of(term: Term, items: Sequence[Item[str]]) -> tuple[str, ...]:
    """What picks from each axis of a site of which none is gone; () if that isn't told."""
    if term.layout is None or "rest" in items:
        return ()
    own = tuple(axis for axis in term.layout if axis != "")
    picks = [item[0] if isinstance(item, tuple) else "" for item in items if item != "new"]
    if own != own_layout(len(own)) or len(picks) > len(term.layout):
        return ()
    pairs = zip_longest(term.layout, picks, fillvalue="")
    mine = tuple(pick for axis, pick in pairs if axis != "")
    return mine if any(mine) else ()


def at_line(form: Form, line: int) -> Form:
    """A name's meaning where it is read: a lone summand is told by that line."""
    if len(form.terms) != 1 or form.terms[0].weights or form.terms[0].group:
        return form
    return replace(form, terms=each(form.terms, line=line))


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
    loose = any(form.loose or not (form.terms or form.number is not None) for form in (left, right))
    return replace(made, loose=loose or untold)


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
