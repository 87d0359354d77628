"""Handlers that would meet the base site instead of the child, one function each."""

from __future__ import annotations

from collections.abc import Iterator

from reparam_rewrite.plan.pairs import Child
from reparam_rewrite.plan.problems import Problem
from reparam_rewrite.plan.traces import reached, running
from reparam_rewrite.survey.naming import may_be
from reparam_rewrite.survey.values import Addressed, Function, Handler, Site, Survey, weighs

#: Handlers that treat some sites otherwise than others.
CHOOSING = frozenset(["block", "condition", "do", "substitute"])


def no_handler(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """``with handlers.reparam(config={"a": LocScaleReparam(0)}): a = sample("a", ...)``."""
    hint = "take that handler out, or this site out of the config."
    if site.shifted:
        yield Problem(site.place, f"'{site.name}' is sampled with an offset already", hint)
    for frame in site.all_frames:
        for item in frame.items:
            if not isinstance(item, Handler) or item.qualified != "numpyro.handlers.reparam":
                continue
            if item.sites is None or may_be(site.name, item.sites):
                yield Problem(
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
            yield Problem(call.place, what, hint)
            return


def not_addressed(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """``condition(model, {"a": 0.0})``: it would no longer find the site."""
    for call in survey.addressed:
        if call.handler == "reparam" or not speaks_of(call, function, site, survey):
            continue
        if call.sites is None and call.displayed:
            yield Problem(
                call.place,
                f"this {call.handler} handler may address '{site.name}' by name: the keys of its "
                "dictionary are put together",
                "write its keys out.",
            )
            return
        if call.sites is not None and may_be(site.name, call.sites):
            yield Problem(
                call.place,
                f"this {call.handler} handler addresses '{site.name}' by name and would no longer "
                f"find it, as '{site.name}_base' is sampled instead",
                f"take the handler out, and apply it to '{site.name}_base' of the rewritten model.",
            )
            return
    for frame in site.all_frames:
        for item in frame.items:
            if not isinstance(item, Handler) or item.sites is None:
                continue
            if item.qualified == "numpyro.handlers.reparam":
                continue
            if may_be(site.name, item.sites):
                yield Problem(
                    site.place,
                    f"'{site.name}' is addressed by name by the handler in line {frame.line}",
                    "take this site out of the config.",
                )


def speaks_of(call: Addressed, function: Function, site: Site, survey: Survey) -> bool:
    """May a handler be about a site: of the function that it is given, or that its block runs?"""
    if call.runs is not None and not call.lines[0] <= site.place.line <= call.lines[1]:
        if not call.runs:
            return False
        above = running(survey, function)
        return any(name.rpartition(".")[2] in call.runs for name in above)
    own = function.name.rpartition(".")[2]
    return call.target is None or call.target == own or call.target not in survey.functions


def not_entered(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """``stack.enter_context(numpyro.plate("n", n))`` before a site."""
    if not survey.entering:
        return  # the usual case, in which the calls need not be followed
    helpers = reached(survey.calls, {function.name}) - {function.name}
    for name in sorted(helpers):
        other = survey.functions[name]
        if other.entered is not None:
            yield Problem(
                site.place,
                f"'{site.name}' is sampled in a function that calls '{name}', which enters a "
                f"context without a with (line {other.entered[1]}): its plates can't be told",
                "use with statements.",
            )
            return
    if function.entered is not None and function.entered[0] <= site.statement:
        yield Problem(
            site.place,
            f"'{site.name}' is sampled after a context was entered without a with (line "
            f"{function.entered[1]}): its plates and handlers can't be told",
            "use with statements.",
        )


def no_filter(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """Handlers that choose sites in a way that can't be read: they would meet the base site.

    ``block(hide_fn=...)``, ``substitute(substitute_fn=...)``, ``lift()``
    """
    for frame in site.all_frames:
        for item in frame.items:
            if not isinstance(item, Handler):
                continue
            if item.qualified is None:
                called = item.text.partition("(")[0].rpartition(".")[2]
                yield from chooses(survey, site, called, frame.line)
                continue
            last = item.qualified.rpartition(".")[2]
            if not item.qualified.startswith("numpyro.handlers."):
                continue
            if last in ("lift", "replay") or (last in CHOOSING and not item.sites):
                yield Problem(
                    site.place,
                    f"'{site.name}' is sampled inside of a {last} handler (line {frame.line}), "
                    f"which may treat '{site.name}_base' and the params otherwise",
                    "take that handler out, or this site out of the config.",
                )
                return


def chooses(survey: Survey, site: Site, called: str, line: int) -> Iterator[Problem]:
    """``with known(a=1.0):`` where `known` makes a handler that treats some sites otherwise."""
    for other in survey.functions.values():
        found = sorted(other.calls & {*CHOOSING, "lift", "replay"})
        if other.name.rpartition(".")[2] == called and found:
            yield Problem(
                site.place,
                f"'{site.name}' is sampled inside of what '{called}' makes (line {line}), a "
                f"{found[0]} handler, which may address it by name",
                "take that handler out, or this site out of the config.",
            )


def volume_counts(survey: Survey, function: Function, child: Child) -> Iterator[Problem]:
    """A handler that weighs a site's log density weighs the determinant of its map as well.

    ``with handlers.mask(mask=m): sigma = sample("sigma", HalfNormal(1))``, and the same under
    `handlers.scale` or in a subsampled plate: only a shift of a real-valued site has none.
    """
    site = child.site
    if child.reparam is not None or (site.prior.support.kind == "real" and child.scale is None):
        return
    line = next(
        (frame.line for frame in site.frames if any(weighs(item) for item in frame.items)), None
    )
    where = f"the with in line {line} would" if line is not None else ""
    for name in running(survey, function) if survey.weighing else ():
        last = name.rpartition(".")[2]
        handed_on = any(last in giver.mentions for giver in survey.functions.values())
        for other in survey.weighing:
            if not where and last in other.calls_weighed:
                where = (
                    f"the with in line {other.calls_weighed[last]}, where '{last}' is called, may"
                )
            # ``with scale(scale=2.0): f(n)`` in a function that `last` may be given to.
            unknown = [called for called in other.calls_weighed if called in other.timeline]
            if not where and handed_on and unknown:
                where = (
                    f"the with in line {other.calls_weighed[unknown[0]]}, where "
                    f"'{unknown[0]}' is called, may"
                )
    for call in survey.weighed:
        if not where and may_run(survey, call.target, function):
            where = f"the {call.handler} handler in line {call.place.line} would"
    if where:
        what = "has a scale" if child.scale is not None else "isn't known to be real-valued"
        yield Problem(
            site.place,
            f"'{site.name}' {what}, and {where} weigh the determinant of its map too: the "
            "posterior would change",
            "only offsets of real-valued sites are safe there.",
        )


def may_run(survey: Survey, target: str | None, function: Function) -> bool:
    """May what a handler is given, a function by its name or something else, run `function`?"""
    names = [name for name in survey.functions if name.rpartition(".")[2] == target]
    if not names:
        return True
    above = running(survey, function)
    return any(name in above for name in names)
