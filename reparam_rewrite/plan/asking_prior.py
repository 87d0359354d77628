"""What must the generated code ask of the prior when it runs, and may it?"""

from __future__ import annotations

import ast

from reparam_rewrite.plan.children import Asked, Stop
from reparam_rewrite.plan.context import Context, Names
from reparam_rewrite.plan.values import AskedPrior, AskedShape, Constrained
from reparam_rewrite.survey.values import Shape, Site


def written(context: Context, shape: Shape, moment: int) -> tuple[str, ...] | None:
    """The sizes of a shape as expressions that hold at `moment`."""
    timeline = context.function.timeline
    sizes = [axis.size for axis in shape if axis.size and timeline.holds(axis.reads, moment)]
    return tuple(sizes) if len(sizes) == len(shape) else None


def sized_at(context: Context, site: Site, moments: list[int]) -> int:
    """The last of `moments` at which the plates' part of the shape can be written.

    The prior tells the rest, at the statement.
    """
    way_out = 'use coefficient = "shared" and parents that are scalars.'
    plates = plates_around(site)
    if plates is None:
        frame = next(frame for frame in site.frames if frame.kind == "with")
        if any(plate.dim_text for frame in site.frames for plate in frame.plates):
            way_out = (
                "say what its axes, and its parents', are called, from left to right, with the "
                'plates\' names: axes = {{ {site} = ["...", "..."] }}.'
            )
        raise Asked(site).stop(
            "plate-without-a-dim",
            "the shape of '{site}' can't be told: the with in {at} holds something that "
            "isn't a plate with a known dim",
            way_out,
            at=site.place.at(frame.line),
        )
    for moment in reversed(moments):
        if written(context, plates, moment) is not None:
            return moment
    raise Asked(site).stop(
        "plate-size-too-late",
        "the size of a plate of '{site}' isn't known before its outermost with",
        f"bind the size to a name first, or {way_out}",
    )


def plates_around(site: Site) -> Shape | None:
    """The plates' part of a site's shape, as it can be written."""
    return site.extent.plates if site.extent.plates is not None else site.extent.stack


def check_prior_can_move(site: Site) -> None:
    """The prior is made in a statement of its own, before the one that samples the site.

    Nothing that this one evaluates before may change what the prior is::

        y = (s := 2.0) * numpyro.sample("a", dist.Normal(s * q, 1))
    """
    untold = "the shape or support of '{site}' can't be read from the source, and its prior"
    if site.through:
        raise Asked(site).stop(
            "prior-of-a-helper",
            f"{untold} is made by '{{helper}}'",
            'use coefficient = "shared" and parents that are scalars, or a prior whose shape '
            "and support show.",
        )
    text = site.call.prior.text if site.call.prior is not None else ""
    tree = ast.parse(f"({text})") if ":=" in text else ast.Pass()
    if any(isinstance(part, ast.NamedExpr) for part in ast.walk(tree)):
        hint = "bind it in a statement of its own."
        raise Asked(site).stop("prior-binds", f"{untold} binds a name", hint)
    if site.unsettled:
        raise unsettled(site, "its prior, whose shape or support can't be read from it")


def unsettled(site: Site, what: str) -> Stop:
    """``y = xs.pop() * numpyro.sample("a", dist.Normal(len(xs) * q, 1))``"""
    text = "the statement that samples '{site}' does other things before, which may change {what}"
    hint = "give '{site}' a statement of its own."
    if site.through:
        text = "'{helper}' does other things before it samples '{site}', which may change {what}"
        hint = "sample '{site}' first, or in a function that does nothing else."
    return Asked(site).stop("other-things-before", text, hint, what=what)


def ask(
    names: Names, base: str, site: Site, sized: int, *, shape: bool, prior: bool
) -> tuple[AskedPrior | None, Constrained | None]:
    """The variables that hold what only the prior can tell, and the child's support.

    `shape`: the prior must tell the child's shape; `prior`: it must be there. `sized` is where the
    sizes of the plates can be written.
    """
    support = site.prior.support
    bijects = support.kind == "runtime"
    own = Constrained(support.constraint) if support.kind == "fixed" else None
    if not (prior or shape):
        return None, own
    assert site.call.prior is not None
    text = site.call.prior.text
    moved = not text.isidentifier()
    variable = names.new(f"{base}_prior") if moved else text
    reshapes = support.reshapes and bijects
    if bijects:
        own = Constrained("", names.new(f"{base}_bijector") if reshapes and shape else "")
    asked = None
    if shape:
        plates = tuple(axis.size or "" for axis in plates_around(site) or ())
        holds_shape = names.new(f"{base}_shape") if plates or reshapes else ""
        holds_sizes = names.new(f"{base}_plates") if sized != site.statement else ""
        asked = AskedShape(holds_shape, plates, sized, holds_sizes)
    return AskedPrior(variable, moved, asked), own
