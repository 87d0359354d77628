"""How do a parent and its child meet in what the observed sites add up?

::

    loc = mu + s[state] + a[county] + (a2[i] + c[i, j]) * x + (d[:, None] + E)

`a` and `s` are picked by different groups of the same observations, so that what `s` adds to those
of a county is projected on them. Every axis of `a2` is one of `c`'s, by what picks from both, and
so is that of `d`, by its place. What a sum shows goes before the names of plates.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import dropwhile

from msgspec import Struct

from reparam_rewrite.plan.alternatives import is_before
from reparam_rewrite.plan.context import Context
from reparam_rewrite.plan.values import Projection, Seen
from reparam_rewrite.survey.calls import is_none
from reparam_rewrite.survey.data import data_in
from reparam_rewrite.survey.expressions import grouped, parsed
from reparam_rewrite.survey.nodes import walk
from reparam_rewrite.survey.purity import only_computes
from reparam_rewrite.survey.scopes import Moment
from reparam_rewrite.survey.sums import Observed
from reparam_rewrite.survey.terms import HOLE, Term
from reparam_rewrite.survey.values import Site

#: What an axis of a site is in a location: the place where it stands, counted from the right, or
#: the text of what picks from it.
Mark = int | str


class Meeting(Struct, frozen=True):
    """How a parent meets its child in the locations of observed sites, or in the child's own prior.

    The parent may have to be projected: `projected` says how, by the name of its value. Else
    `targets` has for each of its axes the one of the child's that it is, counted from the right,
    None where it is none; or `index` are the items of one that looks its elements up. `exact`: with
    its other axes averaged it is what the child makes up for. `reads` are expressions of data, and
    `line` is that of the sum.
    """

    line: int
    targets: tuple[int | None, ...] = ()
    projected: Callable[[str], Projection] | None = None
    index: tuple[str, ...] = ()
    exact: bool = False
    reads: tuple[ast.expr, ...] = ()


class Design(Struct, frozen=True):
    """The summands that a child and a parent are of one location; `theirs` is None if it isn't."""

    observed: Observed
    mine: Term
    theirs: Term | None


class Unsure(Exception):
    """The sums don't tell how the two meet."""


def meeting_of(context: Context, child: Site, parent: Site) -> Meeting | None:
    """What the sums of a function show of a pair; None if they show nothing, or are unsure.

    Where a projection can't be written, what is known of the axes still is: two that are picked by
    different data aren't one because their sizes are equal.
    """
    try:
        designs = list(designs_of(context, child, parent))
    except Unsure:
        return None
    met = [one for one in designs if one.theirs is not None]
    if not met:
        return of_prior(context, child, parent)
    line, found = met[0].observed.line, None
    with suppress(Unsure):
        every = {targets_of(one, child, parent) for one in met}
        found = every.pop() if len(every) == 1 else None
        exact = found is not None and all(is_exact(one, found, child, parent) for one in met)
        exact = exact and len(set(map(ratio, met))) == 1
        if found is not None and exact and len(met) == len(designs):
            return Meeting(line, found, exact=True)
    with suppress(Unsure):
        return projection_of(context, designs, child, parent, line)
    return None if found is None else Meeting(line, of_plates(found, child, parent))


def of_prior(context: Context, child: Site, parent: Site) -> Meeting | None:
    """How a parent stands in the `loc` of the child's own prior: ``Normal(s[state_of], tau)``."""
    made, shape = context.sums.priors.get(child.index), child.shape
    terms = made.arguments["loc"].terms if made is not None and "loc" in made.arguments else ()
    own = [term for term in terms if parent.index in term.sites]
    if len(own) != 1 or not own[0].is_summand or own[0].weights:
        return None
    (term,) = own
    layout = None if term.layout is None else stripped(term.layout)
    wide = layout is not None and shape is not None and len(layout) > len(shape)
    if layout is None or wide or term.summed or term.single:
        return None
    with suppress(Unsure):
        if not any(term.picks):
            marks = marks_of(term, parent)
            return Meeting(term.line, tuple(m if isinstance(m, int) else None for m in marks))
        dims = [axis for axis in layout if isinstance(axis, int)]
        read = [parsed(pick) for pick in sorted({*term.picks} - {""})]
        there = all(is_there(context, tree, child, child.statement, parent) for tree in read)
        if there and dims == sorted(dims):
            items = ("None" if a == "" else ":" if isinstance(a, int) else a for a in layout)
            return Meeting(term.line, index=tuple(items), reads=tuple(read))
    return None


def designs_of(context: Context, child: Site, parent: Site) -> Iterator[Design]:
    """The locations that a child is in. Raises `Unsure` where it isn't simply a summand."""
    theirs = context.summands.get(parent.index, {})
    for number, mine in context.summands.get(child.index, {}).items():
        term, other = single(mine), single(theirs.get(number, ()))
        assert term is not None
        if other is not None and not is_added(term, other):
            raise Unsure
        yield Design(context.sums.observed[number], term, other)


def single(terms: Sequence[Term]) -> Term | None:
    """The summand that a site is of a location, None if it isn't in it. Raises `Unsure`."""
    if len(terms) > 1 or not all(term.is_summand for term in terms):
        raise Unsure
    return terms[0] if terms else None


def is_added(one: Term, other: Term) -> bool:
    """Are both in one sum at the same time?"""
    same = one.group == other.group and not one.alternative_to(other)
    return same and not (one.softmax or other.softmax)


def marks_of(term: Term, site: Site) -> list[Mark | None]:
    """What each axis of a site is in a location, None for one of size 1. Raises `Unsure`."""
    layout, shape = term.layout, site.shape
    if shape == ():
        return []
    count = len(term.picks or shape or ()) or sum(isinstance(one, int) for one in layout or ())
    if not count or term.single or term.summed:
        raise Unsure
    picks = term.picks or ("",) * count
    places = {own: at - len(layout or ()) for at, own in enumerate(layout or ())}
    units = [axis.unit for axis in shape] if shape else [False] * count
    marks = [pick or places.get(at - count) for at, pick in enumerate(picks)]
    if None in (mark for mark, unit in zip(marks, units, strict=True) if not unit):
        raise Unsure
    found = [None if unit else mark for mark, unit in zip(marks, units, strict=True)]
    if len({*filter(None, found)}) < len(found) - found.count(None):
        raise Unsure  # A[i, i]
    return found


def ratio(design: Design) -> float:
    """What numbers multiply a parent, for one of the child."""
    assert design.theirs is not None
    return design.theirs.factor / design.mine.factor


def targets_of(design: Design, child: Site, parent: Site) -> tuple[int | None, ...]:
    """For each of the parent's axes the child's that stands in its place, or is picked alike.

    Raises `Unsure` where that isn't told.
    """
    assert design.theirs is not None
    there = marks_of(design.mine, child)
    return tuple(
        there.index(mark) - len(there) if mark is not None and mark in there else None
        for mark in marks_of(design.theirs, parent)
    )


def is_exact(design: Design, targets: tuple[int | None, ...], child: Site, parent: Site) -> bool:
    """Does a parent, with its other axes averaged, need no data to be what the child makes up for?

    That is so where both have the same weights, and the child is the same along all of each axis
    that it lacks.
    """
    mine, theirs = design.mine, design.theirs
    assert theirs is not None
    if mine.weights != theirs.weights or not all((mine.core, theirs.core, *mine.weights)):
        return False
    marks = zip(marks_of(theirs, parent), targets, strict=True)
    lost = [mark for mark, target in marks if target is None and mark is not None]
    return all(isinstance(mark, int) and is_constant_along(mine, mark, child) for mark in lost)


def of_plates(targets: tuple[int | None, ...], child: Site, parent: Site) -> tuple[int | None, ...]:
    """The targets, with axes that both have by the name of a plate, where the sum shows none."""
    own, there = parent.shape or (), child.shape or ()
    if len(own) != len(targets):
        return targets
    left = [at for at in range(-len(there), 0) if at not in targets and there[at].plate is not None]
    named = {there[at].plate: at for at in left}
    return tuple(
        named.get(axis.plate) if at is None and axis.plate is not None else at
        for at, axis in zip(targets, own, strict=True)
    )


def is_constant_along(term: Term, place: int, site: Site) -> bool:
    """Is a summand the same along the axis of the location at that place?"""
    if site.shape == ():
        return True
    layout, shape = term.layout, site.shape
    if layout is None:
        return False
    own = layout[place] if -place <= len(layout) else ""
    return own == "" or (isinstance(own, int) and shape is not None and shape[own].unit)


def projection_of(
    context: Context, designs: Sequence[Design], child: Site, parent: Site, line: int
) -> Meeting:
    """The meeting where a parent is projected on its child. Raises `Unsure` where it can't be."""
    if child.shape == () and (parent.shape == () or len(designs) > 1):
        raise Unsure  # of two numbers a coefficient tells all
    seen = []
    for one in designs:
        index, weight = index_of(one.mine, child), product(one.mine.weights)
        theirs = one.theirs
        if theirs is not None:
            if not theirs.contribution("_"):
                raise Unsure
            reach(one.mine, theirs, child, parent)
        seen.append((index, weight, theirs))
    if len({ratio(one) for one in designs if one.theirs is not None}) > 1:
        raise Unsure

    def projected(name: str) -> Projection:
        parts = [Seen(i, w, "" if t is None else t.contribution(name)) for i, w, t in seen]
        alike = all(part == parts[0] for part in parts)
        return Projection(tuple(parts[:1] if alike else parts))

    reads: dict[str, ast.expr] = {}
    here = Moment(context.survey, context.function, child.statement)
    for one in designs:
        terms = [one.mine] if one.theirs is None else [one.mine, one.theirs]
        texts = dict.fromkeys(text for term in terms for text in read_by(term))
        reads |= {text: parsed(text) for text in texts if text not in reads}
        trees, last = [reads[text] for text in texts], one.observed.site.statement
        if not all(is_there(context, tree, child, last, parent) for tree in trees):
            raise Unsure
        if any(is_drawn_anew(here, name) for tree in trees for name in data_in(here, tree)):
            raise Unsure
        if not is_come_to(context, one, child):
            missing = missing_in(context, child)
            if any(ast.unparse(part) in missing for tree in trees for part in walk(tree)):
                raise Unsure
    return Meeting(line, (), projected, reads=tuple(reads.values()))


def read_by(term: Term) -> Iterator[str]:
    """The expressions of data that tell how a summand stands in its location."""
    yield from term.weights
    yield term.core.replace(HOLE, "(0)")


def is_come_to(context: Context, design: Design, child: Site) -> bool:
    """Is a location computed, with both summands, wherever the child is sampled?"""
    terms, site = (design.mine, design.theirs), design.observed.site
    guarded = context.function.timeline.is_guarded(child.statement, site.statement)
    whole = not any(term.branches for term in terms if term is not None)
    return whole and is_before(site.path, child.path) and not guarded


def missing_in(context: Context, child: Site) -> set[str]:
    """What may not be there where a child is sampled: ``x`` by ``x=None`` or ``if x is not None``.

    In a branch whose test asks for it, it is there if it is read.
    """
    given = context.function.node.args
    last = [*given.posonlyargs, *given.args][::-1]
    pairs = [*zip(last, given.defaults[::-1], strict=False)]
    pairs += [
        (arg, value)
        for arg, value in zip(given.kwonlyargs, given.kw_defaults, strict=True)
        if value
    ]
    found = {arg.arg for arg, value in pairs if is_none(value)}
    found |= asked_for(context.function.node)
    for frame in child.frames:
        node = context.survey.statements[frame.statement]
        if isinstance(node, ast.If):
            found -= asked_for(node.test)
    return found


def asked_for(node: ast.AST) -> set[str]:
    """What is looked whether it is there: ``data.x is not None``, ``"x" in data``."""
    found = set()
    for part in walk(node):
        match part:
            case ast.Compare(left, [ast.Is() | ast.IsNot()], [ast.Constant(None)]):
                found.add(ast.unparse(left))
            case ast.Compare(key, [ast.In() | ast.NotIn()], [held]):
                found.add(f"{ast.unparse(held)}[{ast.unparse(key)}]")
    return found


def index_of(term: Term, site: Site) -> str:
    """What picks a child's elements for the observations, ``i, t``; "" if it is one number.

    Raises `Unsure` where not all of its axes are picked or go to the end of the location.
    """
    if term.summed or term.single or not term.core or not all(term.weights):
        raise Unsure
    if site.shape == ():
        return ""
    picks = list(term.picks)
    if not any(picks):
        raise Unsure
    while not picks[-1]:
        picks.pop()
    return ", ".join(pick or ":" for pick in picks)


def reach(mine: Term, theirs: Term, child: Site, parent: Site) -> None:
    """Raise `Unsure` unless what a parent adds surely has no axis that the child's summand lacks.

    A location may be a table of which each row is picked: ``a[group][:, None] + B``.
    """
    if theirs.summed:
        if theirs.scalar or mine.layout is None or len(stripped(mine.layout)) == 1:
            return
        raise Unsure
    if mine.layout is not None and "" in stripped(mine.layout):
        raise Unsure
    if child.shape == () or parent.shape == ():
        return
    whole = not all(theirs.picks) or not theirs.picks
    if mine.layout is None or theirs.layout is None:
        if whole or not all(mine.picks):
            raise Unsure
        return
    own, there = stripped(theirs.layout), stripped(mine.layout)
    if len(own) > len(there):
        raise Unsure


def stripped(layout: Sequence[int | str]) -> Sequence[int | str]:
    """A layout without the new axes at its left."""
    return list(dropwhile(lambda axis: axis == "", layout))


def product(factors: Sequence[str]) -> str:
    """``x * s[state]``"""
    return " * ".join(map(grouped, factors)) if len(factors) > 1 else "".join(factors)


def is_there(context: Context, tree: ast.expr, child: Site, last: int, parent: Site) -> bool:
    """Can an expression be computed where the child is sampled, and be what it is in the location?

    `last` is the statement with that. The parent's own value is looked after elsewhere.
    """
    here = Moment(context.survey, context.function, child.statement)
    there = Moment(context.survey, context.function, last)
    own = parent.variable
    for part in walk(tree):
        if not isinstance(part, ast.Name) or part.id == own:
            continue
        now, then = here.binding(part.id), there.binding(part.id)
        same = (now and now.version) == (then and then.version)
        if not same or not here.is_bound(part.id):
            return False
    return only_computes(here, tree)


def is_drawn_anew(moment: Moment, name: str) -> bool:
    """Is it what a subsampled plate has drawn this time: ``plate("n", n, 5) as i``?"""
    binding = moment.binding(name)
    return binding is not None and binding.anew
