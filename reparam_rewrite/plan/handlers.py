"""Handlers that would meet the base site instead of the child, one function each."""

from __future__ import annotations

from collections.abc import Iterator

from reparam_rewrite.messages import Problem
from reparam_rewrite.plan.coefficients import param_name
from reparam_rewrite.plan.pairs import Child
from reparam_rewrite.plan.refusals import told
from reparam_rewrite.plan.scaling import scale_param
from reparam_rewrite.plan.traces import reached, running
from reparam_rewrite.survey.callgraph import ANY
from reparam_rewrite.survey.naming import may_be
from reparam_rewrite.survey.values import Addressed, Function, Handler, Site, Survey, weighs

#: Handlers that treat some sites otherwise than others.
CHOOSING = frozenset(["block", "condition", "do", "substitute"])

#: Reparameterizers whose map keeps volumes, or changes them by a constant.
ROTATING = frozenset(["DiscreteCosineReparam", "HaarReparam"])


def no_handler(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """``with handlers.reparam(config={"a": LocScaleReparam(0)}): a = sample("a", ...)``."""
    hint = "take that handler out, or this site out of the config."
    if site.shifted:
        yield told(site.place, f"'{site.name}' is sampled with an offset already", hint)
    for frame in site.all_frames:
        for item in frame.items:
            if not isinstance(item, Handler) or item.qualified != "numpyro.handlers.reparam":
                continue
            if item.sites is None or may_be(site.name, item.sites):
                yield told(
                    site.place,
                    f"'{site.name}' already has a reparam handler (line {frame.line})"
                    if item.sites is not None
                    else f"'{site.name}' is inside a reparam handler whose config can't be read "
                    f"(line {frame.line})",
                    hint,
                )
                return
    for call in survey.addressed:
        if call.handler != "reparam" or not speaks_of(call, function, site, survey):
            continue
        if call.sites is None or may_be(site.name, call.sites):
            what = (
                f"'{site.name}' already has a reparam handler"
                if call.sites is not None
                else f"'{site.name}' may already have a reparam handler, whose config can't be read"
            )
            yield told(call.place, what, hint)
            return


def not_addressed(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """``condition(model, {"a": 0.0})``: it would no longer find the site."""
    out = "take that handler out, or this site out of the config."
    for call in survey.addressed:
        if call.handler in ("reparam", "lift") or not speaks_of(call, function, site, survey):
            continue
        unseen = any(first <= site.place.line <= last for first, last in call.unseen)
        if call.chooses and (unseen or not is_inside(call, site)):
            name = "handler" if call.handler == "Messenger" else f"{call.handler} handler"
            yield told(
                call.place,
                f"this {name} is around '{site.name}' and may treat '{site.name}_base' and the "
                f"params otherwise than '{site.name}', as it chooses by {call.chooses}",
                out,
            )
            return
        if call.sites is None and (call.displayed or unseen):
            yield told(
                call.place,
                f"this {call.handler} handler may address '{site.name}' by name: the keys of its "
                "dictionary are put together"
                if call.displayed
                else f"this {call.handler} handler is around '{site.name}' and may address it by "
                "name: its keys can't be read",
                "write its keys out.",
            )
            return
        if call.sites is not None and may_be(site.name, call.sites):
            yield told(
                call.place,
                f"this {call.handler} handler addresses '{site.name}' by name and would no longer "
                f"find it, as '{site.name}_base' is sampled instead",
                f"take the handler out, and apply it to '{site.name}_base' of the rewritten model.",
            )
            return
        if call.sites is not None and f"{site.name}_base" in call.sites:
            yield told(
                call.place,
                f"this {call.handler} handler addresses '{site.name}_base', which '{site.name}' "
                "would be sampled as",
                out,
            )
            return
    for frame in site.all_frames:
        for item in frame.items:
            if not isinstance(item, Handler) or item.sites is None:
                continue
            if item.qualified == "numpyro.handlers.reparam":
                continue
            if may_be(site.name, item.sites):
                yield told(
                    site.place,
                    f"'{site.name}' is addressed by name by the handler in line {frame.line}",
                    "take this site out of the config.",
                )


def not_lifted(survey: Survey, function: Function, child: Child) -> Iterator[Problem]:
    """``lift(model, prior=dist.Normal(0, 1))``: a coefficient would become a latent site."""
    params = {param_name(pair) for pair in child.pairs} | {scale_param(child)}
    for call in survey.addressed:
        if call.handler != "lift" or not speaks_of(call, function, child.site, survey):
            continue
        for param in sorted(params - {""}):
            if call.sites is None or may_be(param, call.sites):
                yield told(
                    call.place,
                    f"this lift handler is around '{child.site.name}' and would make a site of "
                    f"its coefficient '{param}'",
                    "take that handler out, use learn = false, or take this site out of the "
                    "config.",
                )
                return


def is_inside(call: Addressed, site: Site) -> bool:
    """Does a site stand in a block of a handler?"""
    return any(first <= site.place.line <= last for first, last in call.blocks)


def speaks_of(call: Addressed, function: Function, site: Site, survey: Survey) -> bool:
    """May a handler be about a site: does it stand in its block, or may the handler run it?"""
    if ANY in call.targets or is_inside(call, site):
        return True
    return not call.targets.isdisjoint(running(survey, function))


def not_entered(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """``stack.enter_context(numpyro.plate("n", n))`` before a site."""
    if not survey.entering:
        return  # the usual case, in which the calls need not be followed
    helpers = reached(survey.calls, {function.name}) - {function.name}
    for name in sorted(helpers & survey.functions.keys()):
        other = survey.functions[name]
        by_with = name.rpartition(".")[2] in ("__enter__", "__aenter__")
        if other.entered is not None and not by_with:
            yield told(
                site.place,
                f"'{site.name}' is sampled in a function that calls '{name}', which enters a "
                f"context without a with (line {other.entered[1]}): its plates can't be told",
                "use with statements.",
            )
            return
    if function.entered is not None and function.entered[0] <= site.statement:
        yield told(
            site.place,
            f"'{site.name}' is sampled after a context was entered without a with (line "
            f"{function.entered[1]}): its plates and handlers can't be told",
            "use with statements.",
        )


def no_filter(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """Handlers that choose sites in a way that can't be read: they would meet the base site.

    ``block(hide_fn=...)``, ``substitute(substitute_fn=...)``
    """
    for frame in site.all_frames:
        for item in frame.items:
            if not isinstance(item, Handler) or item.qualified is None:
                continue
            last = item.qualified.rpartition(".")[2]
            if not item.qualified.startswith("numpyro.handlers."):
                continue
            if last == "replay" or (last in CHOOSING and not item.sites):
                yield told(
                    site.place,
                    f"'{site.name}' is sampled inside of a {last} handler (line {frame.line}), "
                    f"which may treat '{site.name}_base' and the params otherwise",
                    "take that handler out, or this site out of the config.",
                )
                return


def volume_counts(survey: Survey, function: Function, child: Child) -> Iterator[Problem]:
    """A handler that weighs a site's log density weighs the determinant of its map as well.

    ``with handlers.mask(mask=m): sigma = sample("sigma", HalfNormal(1))``, and the same under
    `handlers.scale` or in a subsampled plate: only a shift or a rotation of a real-valued site has
    none. `LocScaleReparam` has that of its scale.
    """
    site, by = child.site, child.reparam
    if by is not None:
        moved = by.name in ROTATING
    else:
        moved = site.prior.support.kind == "real" and child.scale is None
    if moved:
        return
    line = next(
        (frame.line for frame in site.frames if any(weighs(item) for item in frame.items)), None
    )
    where = f"the with in line {line} would" if line is not None else ""
    above = running(survey, function)
    for call in survey.weighed:
        if where or not (call.callee == ANY or call.callee in above):
            continue
        called = f"where '{last_of(call.callee, function)}' is called, may"
        if call.callee == ANY:
            called = "where what others hand in is called, may"
        where = (
            f"the with in line {call.weighed}, {called}"
            if call.in_with
            else f"the handler in line {call.weighed} would"
        )
    if where:
        what = "has a scale" if child.scale is not None else "isn't known to be real-valued"
        if by is not None:
            what = f"is sampled by {by.name}"
        yield told(
            site.place,
            f"'{site.name}' {what}, and {where} weigh the determinant of its map too: the "
            "posterior would change",
            "only offsets of real-valued sites are safe there.",
        )


def last_of(callee: str, function: Function) -> str:
    """What to call a function in a message: a lambda has no name."""
    return (function.name if callee.startswith("<") else callee).rpartition(".")[2]
