"""Which axes has a summand after ``[...]``, ``jnp.take``, ``.T`` or ``jnp.expand_dims``?

By NumPy's rules: https://numpy.org/doc/stable/user/basics.indexing.html
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from operator import itemgetter
from typing import NamedTuple

from msgspec.structs import replace

from reparam_rewrite.survey.terms import HOLE, Form, Layout, Term, operand, own_layout, untold


class Pick(NamedTuple):
    """What picks from an axis: its `text`, "" if that can't be written.

    It is `one` number, a `part` of the axis such as ``1:``, or else an array.
    """

    text: str
    one: bool = False
    part: bool = False


#: What one item of an index does: "new" makes an axis, "rest" is ``...`` and "whole" is ``:``.
Item = str | Pick

SIGNS = {"new": "None", "whole": ":"}


def layout_after(layout: Layout, items: Sequence[Item]) -> Layout:
    """The axes of a value after ``[...]``; None if they can't be told."""
    found = picked_from(layout, items)
    return None if found is None else found[0]


def picked_from(
    layout: Layout, items: Sequence[Item], units: Container[int | str] = ()
) -> tuple[tuple[int | str, ...], dict[int | str, str]] | None:
    """The axes after ``[...]``, and by what is picked from each that was there before.

    None if that can't be told: where there are more items than axes, where only a part of an axis
    is left, or where what picks can't be written. `units` are axes of one element.
    """
    if layout is None or items.count("rest") > 1:
        return None
    used = sum(item not in ("new", "rest") for item in items)
    if used > len(layout):
        return None
    at = items.index("rest") if "rest" in items else len(items)
    items = [*items[:at], *["whole"] * (len(layout) - used), *items[at + 1 :]]
    left, found, picks = list(layout), list[int | str](), dict[int | str, str]()
    several = any(isinstance(item, Pick) and not (item.one or item.part) for item in items)
    block: list[tuple[int, str]] = []
    starts: list[int] = []  # where what picks together stands
    before = False
    for item in items:
        together = several and isinstance(item, Pick) and not item.part
        if together and not before:
            starts.append(len(found))
        before = together
        if item == "new":
            found.append("")
            continue
        axis = left.pop(0)
        if not isinstance(item, Pick):
            found.append(axis)
        elif axis == "":  # all its elements are one
            found += [""] * item.part
        elif axis in units and not item.part:
            picks[axis] = "0"
        elif item.part or not item.text or (isinstance(axis, str) and "," in axis):
            return None
        else:
            text = item.text if isinstance(axis, int) else f"{operand(axis)}[{item.text}]"
            picks[axis] = text
            block += [(axis if isinstance(axis, int) else 0, text)] * (not item.one)
    if several:
        place = starts[0] if len(starts) == 1 else 0
        # In the order of the site's own axes, whatever ``.T`` has done to them.
        found.insert(place, ", ".join(text for _, text in sorted(block, key=itemgetter(0))))
    return tuple(found), picks


def written(count: int, layout: tuple[int | str, ...], picks: Sequence[str]) -> str:
    """A site of so many axes as it is indexed, with `HOLE` in its place; "" if that isn't told."""
    while layout and layout[0] == "":
        layout = layout[1:]
    blocks = [entry for entry in layout if isinstance(entry, str)]
    own: list[Item] = ["whole"] * count
    for at, text in enumerate(picks):
        gone = is_number(text) or not any(text in block for block in blocks)
        own[at] = Pick(text, one=gone) if text else "whole"
    items, at = list[Item](), 0
    for entry in layout:
        if entry == "":
            items.append("new")
            continue
        if isinstance(entry, int):
            stop = count + entry + 1
        else:
            stop = next((n for n in range(at, count) if own[n] == "whole"), count)
        items += own[at:stop]
        at = max(at, stop)
    items += own[at:]
    if layout_after(own_layout(count), items) != layout:
        return ""
    while items and items[-1] == "whole":
        items.pop()
    shown = (item.text if isinstance(item, Pick) else SIGNS[item] for item in items)
    return f"{HOLE}[{', '.join(shown)}]" if items else HOLE


def is_number(text: str) -> bool:
    return text.removeprefix("-").isdigit()


def indexed(form: Form, items: Sequence[Item], text: str, words: str) -> Form:
    """What ``[...]`` makes of a form; `text` is the index if it can be written, else "".

    `words` are those of the source, for what picks by data.
    """
    picks = [item for item in items if isinstance(item, Pick)]
    single = any(item.one or item.part for item in picks)
    if not any(not (item.one or item.part) for item in picks):
        words = ""

    def one(term: Term) -> Term:
        if term.is_scalar and not term.weights:
            return term
        made = replace(term, picked=term.picked or words, single=term.single or single)
        if not form.loose and not term.weights and term.layout is not None:
            count = len(term.picks) or sum(isinstance(axis, int) for axis in term.layout)
            found = picked_from(term.layout, items, term.units)
            if found is not None:
                own = list(term.picks or [""] * count)
                for axis, pick in found[1].items():
                    own[axis if isinstance(axis, int) else own.index(axis)] = pick
                mine = tuple(own) if any(own) else ()
                core = written(count, found[0], mine)
                if core:
                    return replace(made, layout=found[0], picks=mine, core=core)
        if form.pure and term.core and text and not term.weights:
            return replace(made, layout=None, picks=(), core=f"{operand(term.core)}[{text}]")
        return untold(made, layout=None)

    return Form(tuple(map(one, form.terms)), loose=form.loose, pure=form.pure)


def turned(form: Form, core: str) -> Form:
    """``C.T``: the same with its axes the other way round; `core` is it with `HOLE` for `C`."""

    def one(term: Term) -> Term:
        if term.layout is None or form.loose or term.weights:
            return inside(form, term, core)
        count = len(term.picks) or sum(isinstance(axis, int) for axis in term.layout)
        layout = term.layout[::-1]
        text = written(count, layout, term.picks)
        if not text and layout == own_layout(count)[::-1]:
            text = f"{HOLE}.T"
        text = text or inside(form, term, core).core
        return replace(term, layout=layout, core=text)

    return Form(tuple(map(one, form.terms)), loose=form.loose, pure=form.pure)


def inside(form: Form, term: Term, core: str) -> Term:
    """A summand of a form of which something linear is made that keeps its elements.

    `core` is what is made of it, "" if it can't be written.
    """
    if term.is_scalar and not term.weights:
        return term
    if form.pure and core and term.core and not term.weights:
        return replace(term, core=core.replace(HOLE, term.in_core(HOLE)), layout=None, picks=())
    return untold(term, layout=None)
