"""Every reason why a site can't be the parent of another."""

from __future__ import annotations

from collections.abc import Iterator

from reparam_rewrite.messages import Place, Problem
from reparam_rewrite.plan.alternatives import are_alternatives, is_before, is_bound, nearest
from reparam_rewrite.plan.pairs import Child, Pair
from reparam_rewrite.plan.refusals import told
from reparam_rewrite.survey.expressions import identifier
from reparam_rewrite.survey.values import Frame, Function, Site


def lines_of(places: list[Place]) -> str:
    """``lines 7, 9 and 12``"""
    *others, last = [str(place.line) for place in places]
    return f"lines {', '.join(others)} and {last}"


def parent_problems(
    function: Function, child: Child, pair: Pair, backwards: bool
) -> Iterator[Problem]:
    """Everything that speaks against a site as a parent; `pair.site` is set.

    `backwards`: the config also asks for the child as a parent of the parent.
    """
    parent = pair.site
    assert parent is not None
    value_hint = f'give an expression instead: {pair.parent} = {{ value = "..." }}.'
    found = function.find(parent.name)
    own = are_alternatives(found) and nearest(function, found, child.site) is parent
    if len(found) > 1 and not own:
        lines = lines_of([other.place for other in function.find(parent.name)])
        yield told(
            pair.named,
            f"'{parent.name}' is sampled in more than one place ({lines})",
            value_hint,
        )
        return
    if parent.order == child.site.order and parent.through and child.site.through:
        yield told(
            pair.place,
            f"'{parent.name}' and '{child.site.name}' are both sampled by what is called in line "
            f"{parent.place.line}",
            f'name that function too: functions = ["{parent.through}", "{function.name}"].',
        )
        return
    if parent.order == child.site.order:
        yield told(
            pair.place,
            f"'{parent.name}' is sampled in the same statement as '{child.site.name}' (line "
            f"{parent.place.line})",
            "give each a statement of its own.",
        )
        return
    if parent.order > child.site.order:
        if backwards:
            yield told(
                pair.place,
                f"'{child.site.name}' and '{parent.name}' would each be offset by the other",
                "an offset can only use what was sampled before; keep one of the two.",
            )
        else:
            yield told(
                pair.place,
                f"'{parent.name}' is sampled after '{child.site.name}' (line "
                f"{parent.place.line}, after line {child.site.place.line})",
                "an offset can only use what was sampled before; swap the two or drop one.",
            )
        return
    if not is_before(parent.path, child.site.path) and not is_bound(function, parent, child.site):
        frame = branch_of(parent, child.site)
        yield told(
            pair.place,
            f"'{parent.name}' is sampled in another branch than '{child.site.name}' "
            f"({frame.kind} in line {frame.line}): it may have no value there",
            way_to(function, child.site, parent, frame, value_hint),
        )
        return
    yield from same_subsample(child.site, pair, parent)
    if parent.prior.support.kind == "discrete" and not parent.observed:
        yield told(
            pair.named,
            f"'{parent.name}' is discrete ({parent.prior.family}): when NumPyro enumerates it, its "
            "value has more dims than the model shows",
            "leave it out, or if it is never enumerated, give it as an expression: "
            f'{pair.parent} = {{ value = "{parent.variable or "..."}" }}.',
        )
    same_scan = parent.scan is not None and parent.scan == child.site.scan
    step = parent.step if same_scan and parent.step else parent
    # What a scan gives back has no call of its own that could be given a name.
    nameable = step.nameable and (same_scan or parent.scan is None)
    if step.variable is None and parent.through:
        yield told(
            pair.place,
            f"'{parent.name}' is sampled by '{parent.through}', and no name is bound to its value "
            f"here (line {parent.place.line})",
            f"{value_hint[:-1]}, with what holds it.",
        )
        return
    if step.variable is None and not nameable:
        yield told(
            parent.place,
            f"the value of '{parent.name}' isn't bound to a name: nothing can be offset by it",
            "make it a statement of its own: "
            f'{identifier(parent.name)} = numpyro.sample("{parent.name}", ...).',
        )


def way_to(function: Function, site: Site, parent: Site, frame: Frame, value_hint: str) -> str:
    """How can a site be offset by what another branch, the block `frame`, samples?"""
    variable = parent.variable or identifier(parent.name)
    binding = function.timeline.before(variable, site.statement)
    if parent.variable is not None and binding is None:
        return "drop the pair: it never has one."
    if binding is not None and binding.certain:
        return value_hint
    if frame.kind not in ("if", "match"):
        return f"sample it outside of that {frame.kind}."
    return f"bind {variable} in every branch, to 0.0 where '{parent.name}' isn't sampled."


def same_subsample(site: Site, pair: Pair, parent: Site) -> Iterator[Problem]:
    """``with plate("n", n, subsample_size=m): mu = ...`` and ``a`` elsewhere."""
    own = {plate.place for frame in site.all_frames for plate in frame.plates}
    for frame in parent.all_frames:
        for plate in frame.plates:
            if plate.subsampled and plate.place not in own:
                yield told(
                    pair.place,
                    f"'{parent.name}' is in the subsampled plate '{plate.name}' (line "
                    f"{plate.place.line}) and '{site.name}' isn't: it would be offset by what was "
                    "drawn this time",
                    "sample both under one plate, or drop the pair.",
                )
                return


def branch_of(parent: Site, child: Site) -> Frame:
    """The first branch that the parent is in and the child isn't."""
    blocks = set(child.path)
    return next(frame for frame in parent.all_frames if frame.block not in (None, *blocks))
