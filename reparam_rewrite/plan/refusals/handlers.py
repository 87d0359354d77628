"""Reasons why a child can't be rewritten under its handlers: they'd meet the base site instead."""

from __future__ import annotations

from collections.abc import Iterator

from reparam_rewrite.bases import BASES
from reparam_rewrite.messages import Problem
from reparam_rewrite.plan.refusals.asked import AskedChild
from reparam_rewrite.survey.callgraph import ANY, reached
from reparam_rewrite.survey.functions import Addressed
from reparam_rewrite.survey.naming import may_be
from reparam_rewrite.survey.values import Frame, Handler, Site, weighs

#: Handlers that treat some sites otherwise than others.
CHOOSING = frozenset(["block", "condition", "do", "substitute"])

#: Reparameterizers whose map keeps volumes, or changes them by a constant.
ROTATING = frozenset(kind.reparameterizer for kind in BASES.values())

OUT = "take that handler out, or this site out of the config."


def around(site: Site, *, reparam: bool) -> Iterator[tuple[Frame, Handler]]:
    """The handlers that a site stands in: those of `reparam`, or the others."""
    for frame in site.all_frames:
        for item in frame.items:
            if not isinstance(item, Handler):
                continue
            if (item.qualified == "numpyro.handlers.reparam") == reparam:
                yield frame, item


def addressed(asked: AskedChild, *handlers: str) -> Iterator[Addressed]:
    """The calls of handlers that are about the child: it is in their block, or they may run it."""
    for call in asked.survey.addressed:
        if call.handler in handlers and (
            ANY in call.targets
            or is_in(call.blocks, asked.site)
            or not call.targets.isdisjoint(asked.running)
        ):
            yield call


def is_in(blocks: tuple[tuple[int, int], ...], site: Site) -> bool:
    return any(first <= site.place.line <= last for first, last in blocks)


def offset_already(asked: AskedChild) -> Problem | None:
    """``sample("a", Normal(m + a_loc, 1))`` with ``a_loc = xi * mu``, as a scan is rewritten."""
    if not asked.site.call.shifted:
        return None
    return asked.problem("offset-already", "'{site}' is sampled with an offset already", OUT)


def reparameterized_already(asked: AskedChild) -> Problem | None:
    """``with handlers.reparam(config={"a": LocScaleReparam(0)}): a = sample("a", ...)``"""
    site, code = asked.site, "reparam-already"
    for frame, item in around(site, reparam=True):
        if item.sites is None or may_be(site.name, item.sites):
            text = "'{site}' already has a reparam handler ({at})"
            if item.sites is None:
                text = "'{site}' is inside a reparam handler whose config can't be read ({at})"
            return asked.problem(code, text, OUT, at=asked.line(frame.line))
    for call in addressed(asked, "reparam"):
        if call.sites is None or may_be(site.name, call.sites):
            text = "'{site}' already has a reparam handler"
            if call.sites is None:
                text = "'{site}' may already have a reparam handler, whose config can't be read"
            return asked.problem(code, text, OUT, call.place)
    return None


def addressed_by_name(asked: AskedChild) -> Problem | None:
    """``condition(model, {"a": 0.0})``: it would no longer find the site."""
    others = {call.handler for call in asked.survey.addressed} - {"reparam", "lift"}
    for call in addressed(asked, *others):
        told = misled(asked, call)
        if told is not None:
            code, text, hint = told
            handler = "handler" if call.handler == "Messenger" else f"{call.handler} handler"
            parts = {"handler": handler, "chooses": call.chooses}
            return asked.problem(code, f"this {{handler}} {text}", hint, call.place, **parts)
    lines = dict.fromkeys(
        asked.line(frame.line)
        for frame, item in around(asked.site, reparam=False)
        if item.sites is not None and may_be(asked.site.name, item.sites)
    )
    if not lines:
        return None
    return asked.problem(
        "handler-by-name",
        "'{site}' is addressed by name by the handler in {lines}",
        "take this site out of the config.",
        lines=tuple(lines),
    )


def misled(asked: AskedChild, call: Addressed) -> tuple[str, str, str] | None:
    """What a handler would do to the base site instead of the child: rule, text and way out."""
    name, unseen = asked.site.name, is_in(call.unseen, asked.site)
    if call.chooses and (unseen or not is_in(call.blocks, asked.site)):
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
    if may_be(name, call.sites):
        return (
            "handler-by-name",
            "addresses '{site}' by name and would no longer find it, as '{site}_base' is sampled "
            "instead",
            "take the handler out, and apply it to '{site}_base' of the rewritten model.",
        )
    if f"{name}_base" in call.sites:
        text = "addresses '{site}_base', which '{site}' would be sampled as"
        return "handler-of-the-base", text, OUT
    return None


def lifted(asked: AskedChild) -> Problem | None:
    """``lift(model, prior=dist.Normal(0, 1))``: a coefficient would become a latent site."""
    learned = asked.child.scale_coefficient
    params = {pair.coefficient.param for pair in asked.child.pairs}
    params |= {learned.name} if learned is not None else set()
    for call in addressed(asked, "lift"):
        for param in sorted(params - {""}):
            if call.sites is None or may_be(param, call.sites):
                return asked.problem(
                    "param-lifted",
                    "this lift handler is around '{site}' and would make a site of its "
                    "coefficient '{param}'",
                    "take that handler out, use learn = false, or take this site out of the "
                    "config.",
                    call.place,
                    param=param,
                )
    return None


def entered_by_hand(asked: AskedChild) -> Problem | None:
    """``stack.enter_context(numpyro.plate("n", n))`` before the child."""
    if not asked.survey.entering:
        return None  # the usual case, in which the calls need not be followed
    code, function = "entered-by-hand", asked.function
    helpers = reached(asked.survey.calls, {function.name}) - {function.name}
    for name in sorted(helpers & asked.survey.functions.keys()):
        entered = asked.survey.functions[name].entered
        by_with = name.rpartition(".")[2] in ("__enter__", "__aenter__")
        if entered is not None and not by_with:
            return asked.problem(
                code,
                "'{site}' is sampled in a function that calls '{helper}', which enters a context "
                "without a with ({at}): its plates can't be told",
                "use with statements.",
                helper=name,
                at=asked.line(entered[1]),
            )
    if function.entered is not None and function.entered[0] <= asked.site.statement:
        return asked.problem(
            code,
            "'{site}' is sampled after a context was entered without a with ({at}): its plates "
            "and handlers can't be told",
            "use with statements.",
            at=asked.line(function.entered[1]),
        )
    return None


def chosen_unread(asked: AskedChild) -> Problem | None:
    """``with block(hide_fn=hidden):``, ``with substitute(substitute_fn=fixed):``

    Such a handler chooses sites in a way that can't be read: it would meet the base site.
    """
    for frame, item in around(asked.site, reparam=False):
        module, _, last = (item.qualified or "").rpartition(".")
        if module != "numpyro.handlers":
            continue
        if last == "replay" or (last in CHOOSING and not item.sites):
            return asked.problem(
                "handler-chooses",
                "'{site}' is sampled inside of a {handler} handler ({at}), which may treat "
                "'{site}_base' and the params otherwise",
                OUT,
                handler=last,
                at=asked.line(frame.line),
            )
    return None


def determinant_weighed(asked: AskedChild) -> Problem | None:
    """``with handlers.mask(mask=m): sigma = sample("sigma", HalfNormal(1))``

    A handler that weighs a site's log density weighs the determinant of its map as well: `mask`,
    `scale` and a subsampled plate. Only a shift or a rotation of a real-valued site has none;
    `LocScaleReparam` has that of its scale.
    """
    site, by = asked.site, asked.child.reparam
    if by is not None:
        constant, what = by.name in ROTATING, "is sampled by {reparam}"
    else:
        constant = site.prior.support.kind == "real" and asked.child.scale is None
        scaled = asked.child.scale is not None
        what = "has a scale" if scaled else "isn't known to be real-valued"
    where = None if constant else weighed(asked)
    if where is None:
        return None
    line, how, callee = where
    return asked.problem(
        "determinant-weighed",
        f"'{{site}}' {what}, and the {how} weigh the determinant of its map too: the posterior "
        "would change",
        "only offsets of real-valued sites are safe there.",
        reparam=by.name if by is not None else "",
        at=asked.line(line),
        callee=callee.rpartition(".")[2],
    )


def weighed(asked: AskedChild) -> tuple[int, str, str] | None:
    """What weighs the density of the child: its line, how so, and what is called in it."""
    for frame in asked.site.frames:
        if any(weighs(item) for item in frame.items):
            return frame.line, "with in {at} would", ""
    for call in asked.survey.weighed:
        if call.callee != ANY and call.callee not in asked.running:
            continue
        if not call.in_with:
            return call.weighed, "handler in {at} would", ""
        if call.callee == ANY:
            return call.weighed, "with in {at}, where what others hand in is called, may", ""
        # A lambda has no name, but runs the function.
        callee = asked.function.name if call.callee.startswith("<") else call.callee
        return call.weighed, "with in {at}, where '{callee}' is called, may", callee
    return None


RULES = (
    offset_already,
    reparameterized_already,
    addressed_by_name,
    entered_by_hand,
    chosen_unread,
    lifted,
    determinant_weighed,
)
