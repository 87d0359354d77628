"""Where does the generated code of a child go?"""

from __future__ import annotations

from collections import Counter

from msgspec.structs import replace

from reparam_rewrite.plan.alternatives import is_before, is_bound
from reparam_rewrite.plan.children import Pair, Stop
from reparam_rewrite.plan.context import Context
from reparam_rewrite.plan.sources import Source
from reparam_rewrite.plan.values import ConditionalRewrite, Rewrite, ScanRewrite
from reparam_rewrite.survey.values import Frame, Handler, Site


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

    if site.call.rounds:
        return [site.statement]  # each round needs a coefficient of its own

    def may_be_plate(frame: Frame) -> bool:
        handlers = [item for item in frame.items if isinstance(item, Handler)]
        opaque = any(item.opaque and not item.leaves(site.name) for item in handlers)
        return opaque or bool(frame.plates)

    plated = list(map(may_be_plate, site.frames))
    frames = site.frames[plated.index(True) :] if any(plated) else ()
    # The innermost branch that it stands in, other than those of a helper that samples it.
    branches = [frame.statement for frame in site.frames if frame.block is not None]
    within = max((at for at in branches if not site.through or at < site.statement), default=-1)
    guarded = context.function.timeline.is_guarded
    withs = [frame.statement for frame in frames if frame.kind == "with"]
    inside = [at for at in withs if within < at < site.statement]
    return [*(at for at in inside if not guarded(at, site.statement)), site.statement]


def path_before(site: Site, statement: int) -> tuple[int, ...]:
    """The branches that have been taken when `statement`, which holds the site, starts."""
    blocks = (frame.block for frame in site.frames if frame.statement < statement)
    return tuple(block for block in blocks if block is not None)


def place_offset(
    context: Context, site: Site, sources: list[Source], moments: list[int]
) -> tuple[int, set[int]]:
    """The outermost moment at which all that the offset reads is there.

    Also the parents, by index, that are read under another name since their variable is bound to
    something else by then. Raises `Stop` for one whose value would have to be kept behind a
    semicolon.
    """
    timeline, last = context.function.timeline, moments[-1]
    pairs = [source.pair for source in sources if source.pair.site is not None]
    parents = [pair.site for pair in pairs if pair.site is not None]
    for may_keep in (False, True):
        for moment in moments:
            # At the statement itself the names mean what they were read as.
            if moment != last and not all(
                source.movable and timeline.holds(source.reads, moment) for source in sources
            ):
                continue
            lost = [
                parent
                for parent in parents
                if not holds_site(context, parent, moment)
                and not is_read_there(context, parent, site, moment)
            ]
            if not lost or (may_keep and all(can_keep(parent, site, moment) for parent in lost)):
                return moment, {parent.index for parent in lost}
    kept = [can_keep(parent, site, last) for parent in parents]
    raise not_kept(pairs[kept.index(False)])


def not_kept(pair: Pair) -> Stop:
    """``x = 1; mu = sample("mu", ...)``, and mu is bound to something else further down."""
    return pair.stop(
        "parent-shares-its-line",
        "'{parent}' shares its line with another statement, so its value can't be kept for the "
        "offset of '{child}'",
        "give it a line of its own.",
        pair.site.place if pair.site is not None else None,
    )


def holds_site(context: Context, parent: Site, moment: int) -> bool:
    """Is the parent's variable still just its value when `moment` comes?"""
    timeline, variable = context.function.timeline, parent.variable
    binding = timeline.before(variable, moment) if variable is not None else None
    if variable is None or binding is None or timeline.is_unstable(variable):
        return False
    return binding.certain and binding.site == parent.index


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
    """Can the value of a parent be given another name, for `moment`?"""
    before = parent.statement < moment and is_before(parent.path, path_before(child, moment))
    return before and (parent.alone if parent.variable is not None else parent.call.nameable)


def with_handlers(rewrites: list[Rewrite]) -> list[Rewrite]:
    """The rewrites, with the handler in a `with` of plates that its statement has to itself.

    Two children or more of one such `with` share it, too. Around any other item, a scope for
    instance, the handler would be outside of that::

        with numpyro.handlers.reparam(config={"a": a_reparam, "b": b_reparam}), plate_i:
            a = numpyro.sample("a", ...)
            b = numpyro.sample("b", ...)
    """

    def front(rewrite: Rewrite) -> Frame | None:
        """The innermost `with` that a child stands in, if its handler can be the first item."""
        last = rewrite.site.frames[-1] if rewrite.site.frames else None
        placed = isinstance(rewrite, ScanRewrite | ConditionalRewrite)
        if last is None or placed or last.kind != "with":
            return None
        plates = last.items and len(last.plates) == len(last.items)
        outside = rewrite.place.shift <= last.statement < rewrite.site.statement
        return last if plates and outside and (last.sole or not rewrite.site.through) else None

    fronts = list(map(front, rewrites))
    count = Counter(last.statement for last in fronts if last is not None)
    return [
        replace(rewrite, place=replace(rewrite.place, join=last.statement))
        if last is not None and (last.sole or count[last.statement] > 1)
        else rewrite
        for rewrite, last in zip(rewrites, fronts, strict=True)
    ]
