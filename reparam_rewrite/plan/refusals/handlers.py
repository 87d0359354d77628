"""Reasons why a child can't be rewritten under its handlers: they'd meet the base site instead."""

from __future__ import annotations

from collections.abc import Iterator

from reparam_rewrite.bases import BASES
from reparam_rewrite.messages import Place, Problem
from reparam_rewrite.plan.children import Child
from reparam_rewrite.survey.functions import ANY, Addressed, Survey, reached
from reparam_rewrite.survey.names import may_be
from reparam_rewrite.survey.values import Handler, Site, weighs

#: Handlers that treat some sites otherwise than others.
CHOOSING = frozenset(["block", "condition", "do", "substitute"])

#: Reparameterizers whose map keeps volumes, or changes them by a constant.
ROTATING = frozenset(kind.reparameterizer for kind in BASES.values())

OUT = "take that handler out, or this site out of the config."

#: The handlers that a child stands in, each with the line of its `with`.
Around = list[tuple[Place, Handler]]


def handler_problems(survey: Survey, child: Child, running: set[str]) -> Iterator[Problem]:
    """What speaks against a child under the handlers of its file.

    These may stand around it, or be given what runs its function, which is one of `running`.
    """
    site, reparams, others = child.site, Around(), Around()
    for frame in site.all_frames:
        for item in frame.items:
            if isinstance(item, Handler):
                of_reparam = item.qualified == "numpyro.handlers.reparam"
                (reparams if of_reparam else others).append((site.place.at(frame.line), item))
    calls = [
        call
        for call in survey.addressed
        if ANY in call.targets or is_in(call.blocks, site) or not call.targets.isdisjoint(running)
    ]
    if site.call.shifted:  # Normal(m + a_loc, 1) with a_loc = xi * mu, as a scan is rewritten
        yield child.problem("offset-already", "'{site}' is sampled with an offset already", OUT)
    found = (
        reparameterized_already(child, reparams, calls),
        addressed_by_name(child, others, calls),
        chosen_unread(child, others),
        lifted(child, calls),
        entered_by_hand(survey, child),
        determinant_weighed(survey, child, running),
    )
    yield from filter(None, found)


def is_in(blocks: tuple[tuple[int, int], ...], site: Site) -> bool:
    return any(first <= site.place.line <= last for first, last in blocks)


def reparameterized_already(child: Child, around: Around, calls: list[Addressed]) -> Problem | None:
    """``with handlers.reparam(config={"a": LocScaleReparam(0)}): a = sample("a", ...)``"""
    code = "reparam-already"
    for at, item in around:
        if item.sites is None:
            text = "'{site}' is inside a reparam handler whose config can't be read ({at})"
            return child.problem(code, text, OUT, at=at)
        if may_be(child.name, item.sites):
            return child.problem(code, "'{site}' already has a reparam handler ({at})", OUT, at=at)
    for call in (call for call in calls if call.handler == "reparam"):
        if call.sites is None:
            text = "'{site}' may already have a reparam handler, whose config can't be read"
            return child.problem(code, text, OUT, call.place)
        if may_be(child.name, call.sites):
            return child.problem(code, "'{site}' already has a reparam handler", OUT, call.place)
    return None


def addressed_by_name(child: Child, around: Around, calls: list[Addressed]) -> Problem | None:
    """``condition(model, {"a": 0.0})``: it would no longer find the site."""
    for call in calls:
        told = None if call.handler in ("reparam", "lift") else misled(child.site, call)
        if told is not None:
            code, text, hint = told
            named = "handler" if call.handler == "Messenger" else f"{call.handler} handler"
            parts = {"handler": named, "chooses": call.chooses}
            return child.problem(code, f"this {{handler}} {text}", hint, call.place, **parts)
    lines = [at for at, item in around if item.sites and may_be(child.name, item.sites)]
    if not lines:
        return None
    return child.problem(
        "handler-by-name",
        "'{site}' is addressed by name by the handler in {lines}",
        "take this site out of the config.",
        lines=tuple(dict.fromkeys(lines)),
    )


def misled(site: Site, call: Addressed) -> tuple[str, str, str] | None:
    """What a handler would do to the base site instead of the child: rule, text and way out."""
    unseen = is_in(call.unseen, site)
    if call.chooses and (unseen or not is_in(call.blocks, site)):
        return (
            "handler-chooses",
            "is around '{site}' and may treat '{site}_base' and the params otherwise than "
            "'{site}', as it chooses by {chooses}",
            OUT,
        )
    if call.sites is None:
        text = "is around '{site}' and may address it by name: its keys can't be read"
        if call.displayed:
            text = "may address '{site}' by name: the keys of its dictionary are put together"
        unread = call.displayed or unseen
        return ("handler-keys-unread", text, "write its keys out.") if unread else None
    if may_be(site.name, call.sites):
        return (
            "handler-by-name",
            "addresses '{site}' by name and would no longer find it, as '{site}_base' is sampled "
            "instead",
            "take the handler out, and apply it to '{site}_base' of the rewritten model.",
        )
    if f"{site.name}_base" in call.sites:
        text = "addresses '{site}_base', which '{site}' would be sampled as"
        return "handler-of-the-base", text, OUT
    return None


def chosen_unread(child: Child, around: Around) -> Problem | None:
    """``with block(hide_fn=hidden):``, ``with substitute(substitute_fn=fixed):``

    Such a handler chooses sites in a way that can't be read: it would meet the base site.
    """
    for at, item in around:
        module, _, last = (item.qualified or "").rpartition(".")
        chooses = last == "replay" or (last in CHOOSING and not item.sites)
        if module == "numpyro.handlers" and chooses:
            return child.problem(
                "handler-chooses",
                "'{site}' is sampled inside of a {handler} handler ({at}), which may treat "
                "'{site}_base' and the params otherwise",
                OUT,
                handler=last,
                at=at,
            )
    return None


def lifted(child: Child, calls: list[Addressed]) -> Problem | None:
    """``lift(model, prior=dist.Normal(0, 1))``: a coefficient would become a latent site."""
    params = sorted({spec.name for spec in child.coefficients if spec.learn})
    for call in (call for call in calls if call.handler == "lift"):
        for param in params:
            if call.sites is None or may_be(param, call.sites):
                return child.problem(
                    "param-lifted",
                    "this lift handler is around '{site}' and would make a site of its "
                    "coefficient '{param}'",
                    "take that handler out, use learn = false, or take this site out of the "
                    "config.",
                    call.place,
                    param=param,
                )
    return None


def entered_by_hand(survey: Survey, child: Child) -> Problem | None:
    """``stack.enter_context(numpyro.plate("n", n))`` before the child."""
    if not survey.entering:
        return None  # the usual case, in which the calls need not be followed
    code, function, hint = "entered-by-hand", child.function, "use with statements."
    helpers = reached(survey.calls, {function.name}) - {function.name}
    for name in sorted(helpers & survey.functions.keys()):
        entered = survey.functions[name].entered
        by_with = name.rpartition(".")[2] in ("__enter__", "__aenter__")
        if entered is not None and not by_with:
            text = (
                "'{site}' is sampled in a function that calls '{helper}', which enters a context "
                "without a with ({at}): its plates can't be told"
            )
            at = child.site.place.at(entered[1])
            return child.problem(code, text, hint, helper=name, at=at)
    if function.entered is not None and function.entered[0] <= child.site.statement:
        text = (
            "'{site}' is sampled after a context was entered without a with ({at}): its plates "
            "and handlers can't be told"
        )
        return child.problem(code, text, hint, at=child.site.place.at(function.entered[1]))
    return None


def determinant_weighed(survey: Survey, child: Child, running: set[str]) -> Problem | None:
    """``with handlers.mask(mask=m): sigma = sample("sigma", HalfNormal(1))``

    A handler that weighs a site's log density weighs the determinant of its map as well: `mask`,
    `scale` and a subsampled plate. Only a shift or a rotation of a real-valued site has none;
    `LocScaleReparam` has that of its scale.
    """
    if child.reparam is not None:
        constant, what = child.reparam.name in ROTATING, f"is sampled by {child.reparam.name}"
    elif child.scale is not None:
        constant, what = False, "has a scale"
    else:
        constant = child.site.prior.support.kind == "real"
        what = "isn't known to be real-valued"
    where = None if constant else weighed(survey, child, running)
    if where is None:
        return None
    line, how, callee = where
    return child.problem(
        "determinant-weighed",
        f"'{{site}}' {what}, and the {how} weigh the determinant of its map too: the posterior "
        "would change",
        "only offsets of real-valued sites are safe there.",
        at=child.site.place.at(line),
        callee=callee.rpartition(".")[2],
    )


def weighed(survey: Survey, child: Child, running: set[str]) -> tuple[int, str, str] | None:
    """What weighs the density of the child: its line, how so, and what is called in it."""
    for frame in child.site.frames:
        if any(weighs(item) for item in frame.items):
            return frame.line, "with in {at} would", ""
    for call in survey.weighed:
        if call.callee != ANY and call.callee not in running:
            continue
        if not call.in_with:
            return call.weighed, "handler in {at} would", ""
        if call.callee == ANY:
            return call.weighed, "with in {at}, where what others hand in is called, may", ""
        # A lambda has no name, but runs the function.
        callee = child.function.name if call.callee.startswith("<") else call.callee
        return call.weighed, "with in {at}, where '{callee}' is called, may", callee
    return None
