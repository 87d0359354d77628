"""What must the generated code ask of the prior when it runs, and may it?"""

from __future__ import annotations

import ast

from reparam_rewrite.plan.alternatives import innermost_branch
from reparam_rewrite.plan.context import Context, Stop, TooEarly
from reparam_rewrite.plan.names import Names
from reparam_rewrite.plan.problems import Problem
from reparam_rewrite.plan.values import Runtime
from reparam_rewrite.survey.values import Shape, Site


def written(context: Context, shape: Shape, moment: int) -> tuple[str, ...] | None:
    """The sizes of a shape as expressions that hold at `moment`."""
    sizes = []
    for axis in shape:
        if axis.size is None or not context.function.timeline.holds(axis.reads, moment):
            return None
        sizes.append(axis.size)
    return tuple(sizes)


def check_shape_can_be_asked(context: Context, site: Site, declare: int) -> None:
    """The plates' part of the shape must be known; the prior tells the rest."""
    check_prior_is_here(site)
    way_out = 'use coefficient = "shared" and parents that are scalars.'
    plates = site.plate_shape if site.plate_shape is not None else site.stacked
    if plates is None:
        frame = next(frame for frame in site.frames if frame.kind == "with")
        if any(plate.dim_text for frame in site.frames for plate in frame.plates):
            way_out = (
                "say what its axes, and its parents', are called, from left to right, with the "
                f'plates\' names: axes = {{ {site.name} = ["...", "..."] }}.'
            )
        raise Stop(
            Problem(
                site.place,
                f"the shape of '{site.name}' can't be told: the with in line {frame.line} holds "
                "something that isn't a plate with a known dim",
                way_out,
            )
        )
    if written(context, plates, declare) is None:
        raise TooEarly(
            Problem(
                site.place,
                f"the size of a plate of '{site.name}' isn't known before its outermost with",
                f"bind the size to a name first, or {way_out}",
            )
        )


def check_prior_is_here(site: Site) -> None:
    """``a = prior("a", n)``, where the distribution is made by the helper."""
    if site.through:
        raise Stop(
            Problem(
                site.place,
                f"the shape or support of '{site.name}' can't be read from the source, and its "
                f"prior is made by '{site.through}'",
                'use coefficient = "shared" and parents that are scalars, or a prior whose shape '
                "and support show.",
            )
        )


def check_prior_can_move(context: Context, site: Site, moment: int) -> None:
    """The prior is made before `moment` instead of in the statement; that must change nothing."""
    check_prior_is_here(site)
    if site.prior_segment is not None and is_binding(site.prior_segment.text):
        raise Stop(
            Problem(
                site.place,
                f"the shape or support of '{site.name}' can't be read from the source, and its "
                "prior binds a name",
                "bind it in a statement of its own.",
            )
        )
    moves = moment != site.statement
    branch = innermost_branch(site)
    if moves and moment <= branch < site.statement:
        raise TooEarly(
            Problem(
                site.place,
                f"the shape or support of '{site.name}' can't be read from the source, and its "
                "prior can't be made before its plate: it is only made in a branch",
                "bind the prior to a name before the plate.",
            )
        )
    if moves and not context.function.timeline.holds(site.prior_reads, moment):
        raise TooEarly(
            Problem(
                site.place,
                f"the shape or support of '{site.name}' can't be read from the source, and its "
                "prior can't be made before its plate: it uses names that are bound inside",
                "bind those names before the plate, or use a prior whose shape and support show.",
            )
        )
    if moves and not site.prior_is_pure:
        raise TooEarly(
            Problem(
                site.place,
                f"the shape or support of '{site.name}' can't be read from the source, and its "
                "prior can't be made before its plate: it makes calls that may sample",
                "bind the prior to a name before the plate.",
            )
        )


def is_binding(text: str) -> bool:
    """``prior := make_prior()``, which can't be assigned without parentheses around it"""
    return ":=" in text and isinstance(ast.parse(f"({text})", mode="eval").body, ast.NamedExpr)


def ask(names: Names, base: str, site: Site, *, bijects: bool, shape: bool) -> Runtime:
    """The variables that hold what only the prior can tell."""
    assert site.prior_segment is not None
    text = site.prior_segment.text
    hoisted = not text.isidentifier()
    around = site.plate_shape if site.plate_shape is not None else site.stacked
    plates = tuple(axis.size or "" for axis in around or ())
    reshapes = site.prior.support.reshapes and bijects
    return Runtime(
        prior=names.new(f"{base}_prior") if hoisted else text,
        hoisted=hoisted,
        bijects=bijects,
        asks_shape=shape,
        bijector=names.new(f"{base}_bijector") if reshapes and shape else "",
        shape=names.new(f"{base}_shape") if shape and (plates or reshapes) else "",
        plates=plates,
    )
