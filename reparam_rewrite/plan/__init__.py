"""Survey and config in, `Plan` out: what will be done to each configured site, or why not."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import groupby

from reparam_rewrite.config.rules import Config
from reparam_rewrite.messages import About, OfPair, OfSite, Problem
from reparam_rewrite.plan.accounts import account_of, noted
from reparam_rewrite.plan.children import Child, Stop, left_alone
from reparam_rewrite.plan.context import Context, Names, reserved_in
from reparam_rewrite.plan.effects import conditional
from reparam_rewrite.plan.offset import offset, other
from reparam_rewrite.plan.ordering import wanted_by
from reparam_rewrite.plan.placement import with_handlers
from reparam_rewrite.plan.refusals.child import problems_of
from reparam_rewrite.plan.refusals.together import (
    centred_in_plates,
    comment_problems,
    moved_from_company,
    offset_twice,
    param_problems,
    params_of,
)
from reparam_rewrite.plan.resolve import Request, refusal, resolve
from reparam_rewrite.plan.scan import offset_in_scan
from reparam_rewrite.plan.values import Plan, Rewrite
from reparam_rewrite.survey.functions import Survey
from reparam_rewrite.survey.values import Handler

__all__ = ["plan"]


def plan(survey: Survey, config: Config, request: Request | None = None) -> Plan:
    """Decide everything before anything is edited.

    `request` is what the config asks of the survey, where that is known already. Raises `Refusal`
    with every reason that was found, in the order of the files.
    """
    request = request or resolve(survey, config)
    children = request.to_rewrite
    skipped = [account_of(survey, one, skipped=True) for one in left_alone(request.children)]
    accounts = [account_of(survey, child) for child in children]
    already = bool(children) and all(map(was_rewritten, children))
    if request.unknown and (already or not request.children):
        raise refusal(survey, config, request.unknown)
    if already:
        return Plan((), (), (*accounts, *skipped), already=True)
    unknown = {problem.about for problem in request.unknown}
    # With one of them missing, nothing can be said of the others yet: they need each other.
    children = [child for child in children if not needs_one_of(child, unknown)]
    problems = [
        *request.unknown,
        *request.problems,
        *comment_problems(survey, request.children),
        *param_problems(survey, children),
    ]
    reserved = reserved_in(survey.identifiers)
    plans = []
    for _, own in groupby(children, key=lambda child: child.function.name):
        first, *others = own
        context = Context(survey, first.function, Names(reserved))
        plans.append(planned(context, [first, *others], problems))
    rewrites = with_handlers([rewrite for one in plans for rewrite in one.rewrites])
    problems += [*moved_from_company(rewrites), *offset_twice(rewrites)]
    problems += centred_in_plates(rewrites)
    if problems:
        raise refusal(survey, config, without_repeats(problems))
    dropped = [account_of(survey, one) for one in request.dropped]
    accounts = list(noted([*accounts, *dropped], rewrites))
    if skipped or dropped:  # in the order of the file
        accounts = sorted([*accounts, *skipped], key=lambda account: account.line)
    return Plan(
        tuple(rewrites),
        tuple(keep for one in plans for keep in one.keeps),
        tuple(accounts),
        tuple(thread for one in plans for thread in one.threads),
        frozenset(name for one in plans for name in one.names),
    )


def was_rewritten(child: Child) -> bool:
    """Is a child under a handler already, with every coefficient declared?"""
    explicit = child.is_shifted
    items = [item for frame in child.site.all_frames for item in frame.items]
    handled = child.site.call.shifted or any(
        isinstance(item, Handler)
        and item.qualified == "numpyro.handlers.reparam"
        and child.sampled in (item.sites or ())
        and (item.explicit or not explicit)
        for item in items
    )
    declared = {param.name for param in params_of(child)} if explicit else set()
    return handled and declared <= child.function.params


def needs_one_of(child: Child, unknown: Collection[About]) -> bool:
    """Is a child sampled given the data together with a site that isn't there?"""
    order = child.effects.order if child.effects is not None else ()
    return any(OfSite(name) in unknown for name in order)


def without_repeats(problems: list[Problem]) -> list[Problem]:
    """That nothing samples a site is said of the site, and not of each of its children again."""
    unknown = {problem.about for problem in problems if problem.code == "no-such-site"}

    def repeats(problem: Problem) -> bool:
        about = problem.about if problem.code == "no-such-parent" else None
        return isinstance(about, OfPair) and OfSite(about.parent) in unknown

    return [problem for problem in problems if not repeats(problem)]


def planned(context: Context, children: list[Child], problems: list[Problem]) -> Plan:
    """The part of the plan that is about one function; what is wrong goes to `problems`."""
    names = context.names
    rewrites: list[Rewrite] = []
    wanted = wanted_by(children)
    before: dict[str, Names] = {}  # the names in use before a child's first place
    for child in children:
        wrong = list(problems_of(context.survey, child, wanted))
        problems += wrong
        if wrong:
            continue
        context.names = names
        if len(child.places) > 1:
            # Only one of its places is ever come to: what is made up may have the same names.
            context.names = before.setdefault(child.name, names.copy()).copy()
            context.names.own.update(keep.name for keep in context.keeps.values())
        made: Callable[[Context, Child], Rewrite] = offset if child.reparam is None else other
        if child.effects is not None:
            made = conditional
        elif child.site.scan is not None:
            made = offset_in_scan
        try:
            rewrites.append(made(context, child))
        except Stop as stop:
            problems.append(stop.problem)
        names.own |= context.names.own
    scans = context.scans.values()
    contexts = (context, *(scan.body for scan in scans))
    keeps = [keep for used in contexts for keep in used.keeps.values()]
    threads = [scan.threading() for scan in scans if scan.carried]
    return Plan(tuple(rewrites), tuple(keeps), (), tuple(threads), frozenset(names.own))
