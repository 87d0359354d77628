"""What a value adds up to, as far as its source tells: summands, each a site times data.

Sites are meant by their `index` in a survey's function. A `text` is an expression as it can be
written in the function itself, where its names mean what they do at its end; "" if it can't.
`fresh` gives numbers: to the arguments of nonlinear functions, as only what is in one of them is
added up, and to choices.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.survey.expressions import is_atom
from reparam_rewrite.survey.functions import Function

#: Where a summand's variable stands in its `core`; no expression that is written has it.
HOLE = "\0"

#: From left to right: the number of an axis of the site itself, counted from its end, "" for a new
#: axis of one element, or the index that picks from an axis: of several at once ``i, t``. None: the
#: axes can't be told.
Layout = tuple[int | str, ...] | None


#: Branches of which one runs: by a number, or by those of a call and of the branches in it.
Choice = int | tuple[int, int]


class Term(Struct, frozen=True):
    """One summand with latent sites in it.

    `sites` are those of which it is the product, often one. `factor` is a number that is written
    out, `weights` are the data that it is multiplied by, each an expression, "" where that can't
    be written elsewhere. `core` is the rest of it, with `HOLE` in the place of the site's variable:
    ``a[county]``, "" where that can't be told. What is done to the axes of a product with data
    takes the core away, as then the weights aren't lined up with the location any more. `units` are
    the axes of the site that have one element.

    `picked`: what it is indexed by is data, as in ``a[group]``, in the words of the source.
    `single`: only some of its elements are meant, ``a[0]``. `summed`: its elements are added up,
    ``X @ b``; `text` is that expression then, as written, and `scalar` says that it is one number.
    `group` tells the argument of a nonlinear function from what is outside of it, as only summands
    of one group are added up. `layout` are the axes that it has where it is added; there may be
    more of one element at their left. `picks` are what picks from each axis of the site, "" where
    nothing does; () where that isn't told, or where nothing picks from any. `softmax`: it is added
    to logits of which only the differences are seen. `branches` are the choices that must be made
    to come to it. `through` is what keeps it from being a shift, in words; "" for a summand. `line`
    is that of the summand.
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
    core: str = HOLE
    units: frozenset[int] = frozenset()

    @property
    def site(self) -> int:
        return self.sites[0]

    @property
    def is_summand(self) -> bool:
        return len(self.sites) == 1 and not self.through

    @property
    def is_plain(self) -> bool:
        """Is it a site with nothing done to it?"""
        plain = Term((self.site,), self.line, layout=self.layout, units=self.units)
        return self.is_summand and self == plain

    @property
    def is_whole(self) -> bool:
        """Is it known to have the axes of its site, and no others?"""
        return self.layout is not None and self.layout == own_layout(len(self.layout))

    @property
    def is_scalar(self) -> bool:
        """Is it known to be one number for all of the location, but for its weights?"""
        return self.scalar or (self.layout is not None and not any(self.layout))

    def contribution(self, variable: str) -> str:
        """The summand without its `factor`, where its site is called `variable`.

        ``s[state]``, ``x * s[state]``, ``A[i, t]``, ``a[:, None]``, ``X @ b``: it broadcasts to the
        location as it is. "" if it can't be written. Of a summand in the argument of a function it
        is what is added up there.
        """
        if not (self.is_summand and self.core and all(self.weights)):
            return ""
        return " * ".join([*map(operand, self.weights), self.in_core(variable, bare=True)])

    def in_core(self, variable: str, *, bare: bool = False) -> str:
        """The core, where the site is called `variable`; in parentheses, but for one that is `bare`
        and has no weights to be multiplied with."""
        made = self.core.replace(HOLE, operand(variable))
        return made if bare and not self.weights else operand(made)

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
    what they do at its end, "" if it can't. `number` is its value, if it is a literal; `mask`: it
    is a test. `one_hot` is the text of what it is a table of zeros and ones for. `parts` are the
    elements of a tuple, and `entries` those of a dictionary by their keys. A distribution is
    `made`, a function of the file `function`. `loose`: it may have more axes than its summands,
    those of data. `pure`: it is its only term, with nothing added.
    """

    terms: Terms = ()
    text: str = ""
    number: float | None = None
    mask: bool = False
    one_hot: str = ""
    parts: tuple[Form, ...] | None = None
    entries: dict[Any, Form] | None = None
    made: Made | None = None
    function: Function | ast.Lambda | None = None
    loose: bool = False
    pure: bool = False

    @property
    def is_data(self) -> bool:
        """Is it a value that no site is in, nor a distribution or a function?"""
        return not (self.terms or self.made or self.function)

    @property
    def adds_axes(self) -> bool:
        """May it have axes that none of its terms has?"""
        return self.loose or not (self.terms or self.number is not None)

    @property
    def sites(self) -> frozenset[int]:
        return frozenset(site for term in self.terms for site in term.sites)


DATA = Form()


def own_layout(axes: int) -> tuple[int, ...]:
    """That of a site itself: ``(-2, -1)``"""
    return tuple(range(-axes, 0))


def operand(text: str) -> str:
    """An expression as a factor of a product; the core of a summand is no Python yet."""
    return text if is_atom(text.replace(HOLE, "_")) else f"({text})"


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
    return Form(hidden(both(*forms), through), loose=True)


def untold(term: Term, **fields: Any) -> Term:
    """A summand of which it isn't told any more how its elements come to the location."""
    return replace(term, core="", picks=(), **fields)


def scaled(form: Form, factor: float) -> Form:
    """Times a number."""
    number = None if form.number is None else form.number * factor
    terms = tuple(replace(term, factor=term.factor * factor) for term in form.terms)
    return Form(terms, number=number, loose=form.loose, pure=form.pure)


def weighted(form: Form, weight: str) -> Form:
    """The summands times data; those in the argument of a function stay what they are."""
    terms = tuple(
        term if term.group else replace(term, weights=(*term.weights, weight))
        for term in form.terms
    )
    return Form(terms, loose=True, pure=form.pure)


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
            found.append(Term(joint, one.line, branches=branches, through=through, core=""))
    if not mine or not others:
        found += hidden((*mine, *others), "a product with a function of other sites")
    return Form(tuple(dict.fromkeys(found)))


def in_branch(form: Form, choice: Choice, position: int) -> Form:
    """As it is where one of several blocks ran."""
    chosen = (choice, position)
    terms = (replace(term, branches=term.branches | {chosen}) for term in form.terms)
    return replace(form, terms=tuple(terms))


def either(forms: Sequence[tuple[int, Form]], choice: Choice) -> Form:
    """What a value is of which branches make one or the other, each by its position.

    What is common to all is as it was, wherever it is written. It is a distribution if one of them
    is.
    """
    lists = [[replace(term, line=0) for term in form.terms] for _, form in forms]
    common = Counter(lists[0])
    for terms in lists[1:]:
        common &= Counter(terms)
    found: list[Term] = []
    for place, (position, form) in enumerate(forms):
        left = Counter(common)
        marked = in_branch(form, choice, position).terms
        for term, other, key in zip(form.terms, marked, lists[place], strict=True):
            stays = left[key] > 0
            left[key] -= stays
            found += [] if stays and place else [term if stays else other]
    loose = any(form.adds_axes for _, form in forms)
    made = next((form.made for _, form in forms if form.made), None)
    return Form(tuple(found), made=made, loose=loose)


def repeated(now: Form, before: Form, is_looped: Callable[[int], bool]) -> Form:
    """What a value is after a block that ran any number of times, by what one run makes of it.

    A summand that every run adds, of a site that is the same in all, is there as often as it ran.
    """
    if now.made or now.function:
        return now
    was = [placeless(term) for term in before.terms]
    stays = [term for term in now.terms if placeless(term) in was]
    if len(stays) < len(was):  # what was there is made into something else
        return replace(lost("a loop", now, before), loose=True)
    again = (
        term
        if term.single or "" in term.weights or all(map(is_looped, term.sites))
        else replace(term, weights=(*term.weights, ""))
        for term in now.terms
        if term not in stays
    )
    return Form((*stays, *again), loose=True)


def placeless(term: Term) -> Term:
    """The same wherever it is added."""
    return replace(term, layout=None, line=0)


def at_line(form: Form, line: int) -> Form:
    """A name's meaning where it is read: a lone summand is told by that line."""
    if len(form.terms) != 1 or form.terms[0].weights or form.terms[0].group:
        return form
    return replace(form, terms=each(form.terms, line=line))


def apart(forms: Sequence[Form], fresh: Iterator[int]) -> Form:
    """The elements of one array: their summands are never added to each other."""
    if sum(bool(form.terms) for form in forms) > 1:
        choice = next(fresh)
        forms = [in_branch(form, choice, at) for at, form in enumerate(forms)]
    return Form(both(*forms), loose=any(form.adds_axes for form in forms))


def linked(form: Form, fresh: Iterator[int], **fields: bool) -> Form:
    """What is added up in the argument of a function that works element by element."""
    group = next(fresh)
    terms = each(form.terms, **fields)
    terms = tuple(replace(term, group=(*term.group, group)) for term in terms)
    return Form(terms, loose=form.loose)
