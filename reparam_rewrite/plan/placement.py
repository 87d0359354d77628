"""Where does the generated code of a child go?"""

from __future__ import annotations

from collections import Counter

from msgspec.structs import replace

from reparam_rewrite.messages import OfPair, Problem
from reparam_rewrite.plan.alternatives import innermost_branch, is_before, is_bound
from reparam_rewrite.plan.context import Context, Stop
from reparam_rewrite.plan.sources import Source
from reparam_rewrite.plan.values import Rewrite, ScanRewrite
from reparam_rewrite.survey.values import Handler, Site


def moments_of(context: Context, site: Site) -> list[int]:
    """Before which statements params may be declared and the offset computed, outermost first.

    Params go before the outermost `with` that is, or may be, a plate; without one, to the
    offset. The offset goes as far out as its parents allow, between there and the statement::

        xi_a_mu = numpyro.param("xi_a_mu", jnp.zeros(n))     # declare
        with numpyro.plate("n", n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a_loc = xi_a_mu * mu                             # shift
            ...

    All of it goes inside of the branches that the site stands in, and after what may leave them:
    nothing is computed that the model wouldn't come to.
    """
    timeline = context.function.timeline
    outermost = next(
        (
            position
            for position, frame in enumerate(site.frames)
            if frame.plates
            or any(
                isinstance(item, Handler) and item.opaque and not item.leaves(site.name)
                for item in frame.items
            )
        ),
        None,
    )
    if outermost is None:
        return [site.statement]
    within = innermost_branch(site)
    inside = [
        frame.statement
        for frame in site.frames[outermost:]
        if frame.kind == "with" and within < frame.statement < site.statement
    ]
    return [m for m in inside if not timeline.is_guarded(m, site.statement)] + [site.statement]


def path_before(site: Site, statement: int) -> tuple[int, ...]:
    """The branches that have been taken when `statement`, which holds the site, starts."""
    return tuple(
        frame.block
        for frame in site.frames
        if frame.block is not None and frame.statement < statement
    )


def place_offset(
    context: Context, site: Site, sources: list[Source], moments: list[int]
) -> tuple[int, set[int]]:
    """The outermost moment at which all that the offset reads is there.

    Also the parents, by index, that are read under another name since their variable is bound to
    something else by then.
    """
    timeline = context.function.timeline
    for may_keep in (False, True):
        for moment in moments:
            kept = set()
            for source in sources:
                # At the statement itself the names mean what they were read as.
                if moment != moments[-1] and not source.movable:
                    break
                if moment != moments[-1] and not timeline.holds(source.reads, moment):
                    break
                parent = source.pair.site
                if parent is None or holds_site(context, parent, moment):
                    continue
                if is_read_there(context, parent, site, moment):
                    continue
                if not may_keep or not can_keep(parent, site, moment):
                    break
                kept.add(parent.index)
            else:
                return moment, kept
    # What is left is a parent whose value would have to be kept behind a semicolon.
    parent = next(
        source.pair.site
        for source in sources
        if source.pair.site is not None and not can_keep(source.pair.site, site, moments[-1])
    )
    raise Stop(not_kept(parent, site.name))


def not_kept(parent: Site, child: str) -> Problem:
    """``x = 1; mu = sample("mu", ...)``, and mu is bound to something else further down."""
    return Problem(
        "parent-shares-its-line",
        OfPair(child, parent.name),
        parent.place,
        "'{parent}' shares its line with another statement, so its value can't be kept for the "
        "offset of '{child}'",
        "give it a line of its own.",
    )


def holds_site(context: Context, parent: Site, moment: int) -> bool:
    """Is the parent's variable still just its value when `moment` comes?"""
    if parent.variable is None:
        return False
    timeline = context.function.timeline
    binding = timeline.before(parent.variable, moment)
    if binding is None or not binding.certain or timeline.is_unstable(parent.variable):
        return False
    return binding.site == parent.index


def is_read_there(context: Context, parent: Site, site: Site, moment: int) -> bool:
    """Is the parent's variable bound at `moment`, as the prior of the site is sure to read it?

    All branches around the site must have been taken then, and the variable bound for the last
    time.
    """
    if path_before(site, moment) != path_before(site, site.statement):
        return False
    timeline, variable = context.function.timeline, parent.variable or ""
    there, here = (timeline.before(variable, at) for at in (moment, site.statement))
    same = there is not None and here is not None and there.version == here.version
    return same and is_bound(context.function, parent, site)


def can_keep(parent: Site, child: Site, moment: int) -> bool:
    before = parent.statement < moment and is_before(parent.path, path_before(child, moment))
    return before and (parent.alone if parent.variable is not None else parent.call.nameable)


def joinable(site: Site, shift: int) -> int | None:
    """The `with` whose first item the handler can be: it holds this statement and plates only.

    The handler would be outside of any other item of that `with`, a scope for instance.
    """
    if not site.frames:
        return None
    last = site.frames[-1]
    if last.statement == site.statement:
        return None  # it is in the helper that samples the site
    fits = last.kind == "with" and last.sole and len(last.plates) == len(last.items)
    return last.statement if fits and last.items and shift <= last.statement else None


def sharing(rewrites: list[Rewrite]) -> list[Rewrite]:
    """Two children or more of one `with` of plates have their handler in front of these.

    ::

        with numpyro.handlers.reparam(config={"a": a_reparam, "b": b_reparam}), plate_i:
            a = numpyro.sample("a", ...)
            b = numpyro.sample("b", ...)
    """
    count = Counter(front(rewrite) for rewrite in rewrites)
    return [
        replace(rewrite, place=replace(rewrite.place, join=front(rewrite)))
        if count[front(rewrite)] > 1
        else rewrite
        for rewrite in rewrites
    ]


def front(rewrite: Rewrite) -> int | None:
    """The `with` of plates that the child stands in, if its offset is computed before that."""
    frames = rewrite.site.frames
    if not frames or isinstance(rewrite, ScanRewrite) or rewrite.site.through:
        return rewrite.place.join
    last = frames[-1]
    plates = last.kind == "with" and last.items and len(last.plates) == len(last.items)
    return (
        last.statement if plates and rewrite.place.shift <= last.statement else rewrite.place.join
    )
