"""Reasons why a child can't be rewritten under its handlers: they'd meet the base site instead."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

from reparam_rewrite.bases import BASES
from reparam_rewrite.messages import Place, Problem
from reparam_rewrite.plan.children import Child
from reparam_rewrite.survey.functions import ANY, Addressed, Survey, reached
from reparam_rewrite.survey.names import may_be
from reparam_rewrite.survey.values import Handler, Site, weighs

#: Handlers that treat some sites otherwise than others, unless they name these.
CHOOSING = frozenset(["block", "condition", "do", "substitute"])

#: Reparameterizers whose map keeps volumes, or changes them by a constant.
ROTATING = frozenset(kind.reparameterizer for kind in BASES.values())

OUT = "take that handler out, or this site out of the config."


def handler_problems(survey: Survey, child: Child, running: set[str]) -> Iterator[Problem]:
    """What speaks against a child under the handlers of its file, of each kind the first.

    These may stand around it, or be given what runs its function, which is one of `running`.
    """
    site = child.site
    calls = [
        call
        for call in survey.addressed
        if ANY in call.targets or is_in(call.blocks, site) or not call.targets.isdisjoint(running)
    ]
    if site.call.shifted:  # Normal(m + a_loc, 1) with a_loc = xi * mu, as a scan is rewritten
        yield child.problem("offset-already", "'{site}' is sampled with an offset already", OUT)
    found = (
        reparameterized_already(survey, child, calls),
        addressed_by_name(survey, child, calls),
        chosen_unread(child),
        lifted(child, calls),
        entered_by_hand(survey, child),
        determinant_weighed(survey, child, running),
    )
    for problems in found:
        yield from islice(problems, 1)


def is_in(blocks: tuple[tuple[int, int], ...], site: Site) -> bool:
    return any(first <= site.place.line <= last for first, last in blocks)


def around(child: Child, *, reparam: bool) -> list[tuple[Place, Handler]]:
    """The handlers that a child stands in, each with the line of its `with`."""
    return [
        (child.site.place.at(frame.line), item)
        for frame in child.site.all_frames
        for item in frame.items
        if isinstance(item, Handler) and (item.qualified == "numpyro.handlers.reparam") == reparam
    ]


def reparameterized_already(
    survey: Survey, child: Child, calls: list[Addressed]
) -> Iterator[Problem]:
    """``with handlers.reparam(config={"a": LocScaleReparam(0)}): a = sample("a", ...)``"""
    code = "reparam-already"
    # Where it has one whose own site is offset, the question is what that has.
    name, known = child.sampled, {child.name} if child.instead else set()
    for at, item in around(child, reparam=True):
        if item.sites is None:
            text = "'{site}' is inside a reparam handler whose config can't be read ({at})"
            yield child.problem(code, text, OUT, at=at)
        elif is_called(survey, name, item.sites - known):
            yield child.problem(code, "'{site}' already has a reparam handler ({at})", OUT, at=at)
    for call in (call for call in calls if call.handler == "reparam"):
        if call.sites is None:
            text = "'{site}' may already have a reparam handler, whose config can't be read"
            yield child.problem(code, text, OUT, call.place)
        elif is_called(survey, name, call.sites - known):
            yield child.problem(code, "'{site}' already has a reparam handler", OUT, call.place)


def addressed_by_name(survey: Survey, child: Child, calls: list[Addressed]) -> Iterator[Problem]:
    """``condition(model, {"a": 0.0})``: it would no longer find the site."""
    for call in calls:
        told = None if call.handler in ("reparam", "lift") else misled(survey, child, call)
        if told is not None:
            code, text, hint = told
            named = "handler" if call.handler == "Messenger" else f"{call.handler} handler"
            parts = {"handler": named, "chooses": call.chooses, "base": child.base}
            yield child.problem(code, f"this {{handler}} {text}", hint, call.place, **parts)
    given = [
        at
        for at, item in around(child, reparam=False)
        if item.qualified == "numpyro.handlers.condition" and child.name in (item.sites or ())
    ]
    if given:
        text = "'{site}' is observed: the condition handler in {at} gives its value"
        hint = "only latent sites can be offset; take it out of the config."
        yield child.problem("observed-child", text, hint, at=given[0])
    lines = dict.fromkeys(
        at
        for at, item in around(child, reparam=False)
        if item.sites and is_named(survey, child, item.sites)
    )
    if lines:
        text = "'{site}' is addressed by name by the handler in {lines}"
        hint = "take this site out of the config."
        yield child.problem("handler-by-name", text, hint, lines=tuple(lines))


def is_named(survey: Survey, child: Child, sites: Collection[str]) -> bool:
    """Does a handler address a child, or what the model samples instead of it, by name?"""
    return is_called(survey, child.name, sites) or is_called(survey, child.sampled, sites)


def is_called(survey: Survey, name: str, sites: Collection[str]) -> bool:
    """May one of some names be that of a site? In a scope "a" is also called "one/a"."""
    return may_be(name, sites) or (survey.scopes and any(site.endswith(name) for site in sites))


def misled(survey: Survey, child: Child, call: Addressed) -> tuple[str, str, str] | None:
    """What a handler would do to the base site instead of the child: rule, text and way out."""
    site = child.site
    unseen = is_in(call.unseen, site)
    if call.chooses and (unseen or not is_in(call.blocks, site)):
        return (
            "handler-chooses",
            "is around '{site}' and may treat '{base}' and the params otherwise than "
            "'{site}', as it chooses by {chooses}",
            OUT,
        )
    if call.sites is None:
        text = "is around '{site}' and may address it by name: its keys can't be read"
        if call.displayed:
            text = "may address '{site}' by name: the keys of its dictionary are put together"
        unread = call.displayed or unseen
        return ("handler-keys-unread", text, "write its keys out.") if unread else None
    if is_named(survey, child, call.sites):
        return (
            "handler-by-name",
            "addresses '{site}' by name and would no longer find it, as '{base}' is sampled "
            "instead",
            "take the handler out, and apply it to '{base}' of the rewritten model.",
        )
    if child.base in call.sites:
        text = "addresses '{base}', which '{site}' would be sampled as"
        return "handler-of-the-base", text, OUT
    return None


def chosen_unread(child: Child) -> Iterator[Problem]:
    """``with block(hide_fn=hidden):``, ``with substitute(substitute_fn=fixed):``

    Such a handler chooses sites in a way that can't be read: it would meet the base site.
    """
    for at, item in around(child, reparam=False):
        module, _, last = (item.qualified or "").rpartition(".")
        chooses = last == "replay" or (last in CHOOSING and not item.sites)
        if module == "numpyro.handlers" and chooses:
            yield child.problem(
                "handler-chooses",
                "'{site}' is sampled inside of a {handler} handler ({at}), which may treat "
                "'{base}' and the params otherwise",
                OUT,
                handler=last,
                base=child.base,
                at=at,
            )


def lifted(child: Child, calls: list[Addressed]) -> Iterator[Problem]:
    """``lift(model, prior=dist.Normal(0, 1))``: a coefficient would become a latent site."""
    params = sorted({spec.name for spec in child.coefficients if spec.learn})
    for call in (call for call in calls if call.handler == "lift"):
        for param in params:
            if call.sites is None or may_be(param, call.sites):
                yield child.problem(
                    "param-lifted",
                    "this lift handler is around '{site}' and would make a site of its "
                    "coefficient '{param}'",
                    "take that handler out, use learn = false, or take this site out of the "
                    "config.",
                    call.place,
                    param=param,
                )


def entered_by_hand(survey: Survey, child: Child) -> Iterator[Problem]:
    """``stack.enter_context(numpyro.plate("n", n))`` before the child."""
    if not survey.entering:
        return  # the usual case, in which the calls need not be followed
    function, code, hint = child.function, "entered-by-hand", "use with statements."
    helpers = reached(survey.calls, {function.name}) - {function.name}
    for name in sorted(helpers & survey.functions.keys()):
        entered = survey.functions[name].entered
        if entered is not None and name.rpartition(".")[2] not in ("__enter__", "__aenter__"):
            text = (
                "'{site}' is sampled in a function that calls '{helper}', which enters a context "
                "without a with ({at}): its plates can't be told"
            )
            at = child.site.place.at(entered[1])
            yield child.problem(code, text, hint, helper=name, at=at)
    if function.entered is not None and function.entered[0] <= child.site.statement:
        text = (
            "'{site}' is sampled after a context was entered without a with ({at}): its plates "
            "and handlers can't be told"
        )
        yield child.problem(code, text, hint, at=child.site.place.at(function.entered[1]))


def determinant_weighed(survey: Survey, child: Child, running: set[str]) -> Iterator[Problem]:
    """``with handlers.mask(mask=m): sigma = sample("sigma", HalfNormal(1))``

    A handler that weighs a site's log density weighs the determinant of its map as well: `mask`,
    `scale` and a subsampled plate. Only a shift or a rotation of a real-valued site has none;
    `LocScaleReparam` has that of its scale.
    """
    if child.reparam is not None:
        constant, what = child.reparam.name in ROTATING, f"is sampled by {child.reparam.name}"
    elif child.effects is not None:
        constant, what = False, "is in 'conditional'"
    elif child.scale is not None or child.is_decentered:
        constant = False
        what = "is partially non-centred" if child.is_decentered else "has a scale"
    else:
        constant = child.site.prior.support.kind == "real"
        what = "isn't known to be real-valued"
    for line, how, callee in weighing(survey, child, running) if not constant else ():
        yield child.problem(
            "determinant-weighed",
            f"'{{site}}' {what}, and the {how} weigh the determinant of its map too: the posterior "
            "would change",
            ("" if child.effects is None else "take it out of 'conditional': ")
            + "only offsets of real-valued sites are safe there.",
            at=child.site.place.at(line),
            callee=callee.rpartition(".")[2],
        )


def weighing(survey: Survey, child: Child, running: set[str]) -> Iterator[tuple[int, str, str]]:
    """What weighs the density of the child: its line, how so, and what is called in it."""
    for frame in child.site.all_frames:
        if any(weighs(item) for item in frame.items):
            yield frame.line, "with in {at} would", ""
    for call in survey.weighed:
        # A lambda has no name, but runs the function.
        callee = child.function.name if call.callee.startswith("<") else call.callee
        if call.callee != ANY and call.callee not in running:
            continue
        if not survey.may_reach(call, child.function, child.site):
            continue
        if not call.in_with:
            yield call.weighed, "handler in {at} would", ""
        elif call.callee == ANY:
            yield call.weighed, "with in {at}, where what others hand in is called, may", ""
        else:
            yield call.weighed, "with in {at}, where '{callee}' is called, may", callee
