"""Every reason not to rewrite, one function each.

A check yields `Problem`s: what is wrong, where, and the way out. All are gathered before anything
is refused, so that a person sees the whole list at once.
"""

from __future__ import annotations

from collections.abc import Iterator

from reparam_rewrite.diagnostics import Place
from reparam_rewrite.expressions import identifier
from reparam_rewrite.plan.alternatives import are_alternatives, is_before, nearest
from reparam_rewrite.plan.pairs import Child, Pair
from reparam_rewrite.plan.problems import Problem
from reparam_rewrite.plan.traces import calls_of, reached, running
from reparam_rewrite.reparameterizers import REPARAMETERIZERS
from reparam_rewrite.survey.naming import may_be
from reparam_rewrite.survey.values import (
    Addressed,
    Frame,
    Function,
    Handler,
    Site,
    Survey,
    weighs,
)

#: Handlers that treat some sites otherwise than others.
CHOOSING = frozenset(["block", "condition", "do", "substitute"])


def child_problems(survey: Survey, function: Function, child: Child) -> Iterator[Problem]:
    """Everything that speaks against touching a child at all."""
    for check in (
        not_observed,
        has_density,
        sampled_once,
        plain_call,
        runs_once,
        no_handler,
        not_addressed,
        not_entered,
        no_filter,
    ):
        if check is has_density and child.reparam is not None:
            continue  # NumPyro's reparameterizers know best what they suit
        yield from check(survey, function, child.site)
    yield from runs_as_written(survey, function, child.site)
    yield from no_guide(survey, function, child.site)
    yield from volume_counts(survey, function, child)
    yield from own_density(survey, child.site)
    yield from base_is_free(function, child)


def not_observed(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """``y = sample("y", Normal(mu, 1), obs=data)`` as a child."""
    if site.observed:
        yield Problem(
            site.place,
            f"'{site.name}' is observed: there is nothing to reparameterize",
            "only latent sites can be offset; take it out of the config.",
        )


def has_density(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """``sample("k", Poisson(3))``, ``sample("x", Delta(0))`` or ZeroSumNormal as a child."""
    family, kind = site.prior.family, site.prior.support.kind
    if kind == "discrete":
        yield Problem(
            site.place,
            f"'{site.name}' is discrete ({family}): it can't be shifted",
            "only continuous latent sites can be offset; take it out of the config.",
        )
    elif kind == "atomic":
        yield Problem(
            site.place,
            f"'{site.name}' has a {family} prior, which isn't a density: it can't be shifted",
            "take it out of the config.",
        )
    elif kind == "sphere":
        yield Problem(
            site.place,
            f"'{site.name}' lives on a sphere ({family}), which has no unconstrained space",
            "take it out of the config; ProjectedNormalReparam is what suits it.",
        )
    elif kind == "zero_sum":
        yield Problem(
            site.place,
            f"'{site.name}' sums to zero (ZeroSumNormal): an offset would break that",
            "leave it as it is, or give it a Normal prior.",
        )


def sampled_once(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """The same name sampled twice, other than in two branches of an ``if``."""
    places = [other.place for other in function.find(site.name)]
    if len(places) > 1 and not are_alternatives(function.find(site.name)):
        yield Problem(
            places[1],
            f"'{site.name}' is sampled in more than one place ({lines_of(places)})",
            "sample it in one place; its prior may depend on the branch.",
        )


def plain_call(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """``infer=``, ``obs_mask=``, a call in a lambda, ``n = 1; a = sample(...)``."""
    for message, hint in site.obstacles:
        yield Problem(site.place, f"'{site.name}' {message}", hint)
    if not site.obstacles and site.prior_segment is None:
        yield Problem(
            site.place,
            f"'{site.name}' has no distribution that can be read",
            "give the distribution as the second argument.",
        )
    if not site.alone:
        yield Problem(
            site.place,
            f"'{site.name}' shares its line with another statement",
            "give it a line of its own.",
        )


def lines_of(places: list[Place]) -> str:
    """``lines 7, 9 and 12``"""
    *others, last = [str(place.line) for place in places]
    return f"lines {', '.join(others)} and {last}"


def runs_once(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """``for k in range(3): a = sample("a", ...)``."""
    for frame in site.all_frames:
        if frame.kind == "while" or (frame.kind == "for" and not site.computed):
            yield Problem(
                site.place,
                f"'{site.name}' is sampled in a loop (line {frame.line})",
                "sites in loops aren't rewritten; a plate does the same without one.",
            )
            return


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


def runs_as_written(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """``with plate("n", n): effect()``: axes that don't show."""
    last = called_as(function)
    for other in survey.functions.values():
        if last in other.calls_in_plates:
            yield Problem(
                site.place,
                f"'{site.name}' is sampled in '{last}', which is called under a plate (line "
                f"{other.calls_in_plates[last]}): it has axes that don't show here",
                "sample it where the plate is; take it out of the config otherwise.",
            )
            return
        if other is not function and other.has_plates and last in other.mentions:
            yield Problem(
                site.place,
                f"'{site.name}' is sampled in '{last}', which may be called under a plate of "
                f"'{other.name}', where it is handed on (line {other.mentions[last]})",
                "call it by its name, outside of plates.",
            )
            return


def called_as(function: Function) -> str:
    """The name that a call of it has: that of the class, for an ``__init__``."""
    rest, _, last = function.name.rpartition(".")
    return rest.rpartition(".")[2] if last == "__init__" and rest else last


def not_entered(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """``stack.enter_context(numpyro.plate("n", n))`` before a site."""
    if all(other.entered is None for other in survey.functions.values()):
        return  # the usual case, in which the calls need not be followed
    helpers = reached(calls_of(survey), {function.name}) - {function.name}
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


def no_guide(survey: Survey, function: Function, site: Site) -> Iterator[Problem]:
    """A guide written by hand samples the child too, and would have to sample its base."""
    for other in survey.functions.values():
        if other is function or "guide" not in other.name.lower():
            continue
        for twin in other.sites:
            if may_be(site.name, [twin.name]):
                yield Problem(
                    twin.place,
                    f"the guide '{other.name}' samples '{twin.name}' too, which the model would "
                    f"sample as '{site.name}_base'",
                    "use an autoguide, or take the site out of the config.",
                )
                return


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
    weighing = [other for other in survey.functions.values() if other.calls_weighed]
    for name in running(survey, function) if weighing else ():
        last = name.rpartition(".")[2]
        for other in weighing:
            if not where and last in other.calls_weighed:
                where = (
                    f"the with in line {other.calls_weighed[last]}, where '{last}' is called, may"
                )
            # ``with scale(scale=2.0): f(n)`` in a function that `last` may be given to.
            handed_on = any(last in giver.mentions for giver in survey.functions.values())
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


def own_density(survey: Survey, site: Site) -> Iterator[Problem]:
    """``class Tilted(dist.LogNormal)`` with a `log_prob`, and FoldedDistribution.

    NumPyro takes a transformed distribution apart when it is transformed again, and forgets a
    `log_prob` of its own.
    """
    family, text = site.prior.family, site.prior_segment.text if site.prior_segment else ""
    if family == "FoldedDistribution":
        yield Problem(
            site.place,
            f"'{site.name}' has a FoldedDistribution, which NumPyro can't transform again",
            "take it out of the config.",
        )
    elif family is None and survey.densities:
        # A name may stand for anything; a call of something else is something else.
        name = next((name for name in sorted(survey.densities) if name in text), "")
        name = name or (min(survey.densities) if "(" not in text else "")
        if name:
            yield Problem(
                site.place,
                f"'{site.name}' may have the prior {name}, a class of this file with a log_prob "
                "of its own, which NumPyro forgets where it transforms it",
                "take it out of the config.",
            )


def base_is_free(function: Function, child: Child) -> Iterator[Problem]:
    """A site called ``a_base`` beside the child ``a``."""
    site = child.site
    template = "{}_base" if child.reparam is None else REPARAMETERIZERS[child.reparam.name].base
    base = template.format(site.name)
    if base in function.taken:
        yield Problem(
            site.place,
            f"'{site.name}' would be sampled as '{base}', which the model has already",
            "rename that site.",
        )


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
    own = are_alternatives(found) and nearest(found, child.site) is parent
    if len(found) > 1 and not own:
        lines = lines_of([other.place for other in function.find(parent.name)])
        yield Problem(
            pair.named,
            f"'{parent.name}' is sampled in more than one place ({lines})",
            value_hint,
        )
        return
    if parent.order == child.site.order and parent.through and child.site.through:
        yield Problem(
            pair.place,
            f"'{parent.name}' and '{child.site.name}' are both sampled by what is called in line "
            f"{parent.place.line}",
            f'name that function too: functions = ["{parent.through}", "{function.name}"].',
        )
        return
    if parent.order == child.site.order:
        yield Problem(
            pair.place,
            f"'{parent.name}' is sampled in the same statement as '{child.site.name}' (line "
            f"{parent.place.line})",
            "give each a statement of its own.",
        )
        return
    if parent.order > child.site.order:
        if backwards:
            yield Problem(
                pair.place,
                f"'{child.site.name}' and '{parent.name}' would each be offset by the other",
                "an offset can only use what was sampled before; keep one of the two.",
            )
        else:
            yield Problem(
                pair.place,
                f"'{parent.name}' is sampled after '{child.site.name}' (line "
                f"{parent.place.line}, after line {child.site.place.line})",
                "an offset can only use what was sampled before; swap the two or drop one.",
            )
        return
    if not is_before(parent.path, child.site.path):
        frame = branch_of(parent, child.site)
        yield Problem(
            pair.place,
            f"'{parent.name}' is sampled in another branch than '{child.site.name}' "
            f"({frame.kind} in line {frame.line}): it may have no value there",
            value_hint,
        )
        return
    yield from same_subsample(child.site, pair, parent)
    if parent.prior.support.kind == "discrete" and not parent.observed:
        yield Problem(
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
        yield Problem(
            pair.place,
            f"'{parent.name}' is sampled by '{parent.through}', and no name is bound to its value "
            f"here (line {parent.place.line})",
            f"{value_hint[:-1]}, with what holds it.",
        )
        return
    if step.variable is None and not nameable:
        yield Problem(
            parent.place,
            f"the value of '{parent.name}' isn't bound to a name: nothing can be offset by it",
            "make it a statement of its own: "
            f'{identifier(parent.name)} = numpyro.sample("{parent.name}", ...).',
        )


def same_subsample(site: Site, pair: Pair, parent: Site) -> Iterator[Problem]:
    """``with plate("n", n, subsample_size=m): mu = ...`` and ``a`` elsewhere."""
    own = {plate.place for frame in site.all_frames for plate in frame.plates}
    for frame in parent.all_frames:
        for plate in frame.plates:
            if plate.subsampled and plate.place not in own:
                yield Problem(
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
