"""Survey and config in, `Plan` out: what will be done to each configured site, or why not."""

from __future__ import annotations

from reparam_rewrite.config.keys import Config
from reparam_rewrite.messages import OfPair, OfSite, Problem
from reparam_rewrite.plan.accounts import accounts_of, in_file_order, noted
from reparam_rewrite.plan.already import was_rewritten
from reparam_rewrite.plan.children import Child, left_alone, to_rewrite
from reparam_rewrite.plan.context import Context, Stop
from reparam_rewrite.plan.names import Names, reserved_in
from reparam_rewrite.plan.offset import offset, other
from reparam_rewrite.plan.placement import sharing
from reparam_rewrite.plan.refusals import problems_of, refusal
from reparam_rewrite.plan.refusals.comments import comment_problems
from reparam_rewrite.plan.refusals.names import param_problems
from reparam_rewrite.plan.refusals.together import moved_from_company, offset_twice
from reparam_rewrite.plan.resolve import resolve
from reparam_rewrite.plan.scan import ScanContext, offset_in_scan
from reparam_rewrite.plan.values import Plan, Rewrite
from reparam_rewrite.survey.functions import Survey

__all__ = ["plan"]


def plan(survey: Survey, config: Config) -> Plan:
    """Decide everything before anything is edited.

    Raises `Refusal` with every reason that was found, in the order of the files.
    """
    request = resolve(survey, config)
    functions = to_rewrite(request.functions)
    skipped = accounts_of(survey, left_alone(request.functions), skipped=True)
    accounts = accounts_of(survey, functions)
    if functions and all(was_rewritten(function, found) for function, found in functions):
        if request.unknown:
            raise refusal(survey, config, request.unknown)
        return Plan((), (), (*accounts, *skipped), already=True)
    if not request.functions and request.unknown:
        raise refusal(survey, config, request.unknown)
    problems = [
        *request.unknown,
        *request.problems,
        *comment_problems(survey, request.functions),
        *([] if functions or skipped or request.unknown or request.problems else [request.nothing]),
        *param_problems(survey, functions),
    ]
    reserved = reserved_in(survey.identifiers)
    plans = [
        planned(Context(survey, function, Names(reserved)), children, problems)
        for function, children in functions
    ]
    rewrites = [rewrite for one in plans for rewrite in one.rewrites]
    problems += [*moved_from_company(rewrites), *offset_twice(rewrites)]
    if problems:
        raise refusal(survey, config, without_repeats(problems))
    return Plan(
        tuple(sharing(rewrites)),
        tuple(keep for one in plans for keep in one.keeps),
        in_file_order((*noted(accounts, rewrites), *skipped)),
        tuple(thread for one in plans for thread in one.threads),
        frozenset(name for one in plans for name in one.names),
    )


def without_repeats(problems: list[Problem]) -> list[Problem]:
    """That nothing samples a site is said of the site, and not of each of its children again."""
    unknown = {problem.about for problem in problems if problem.code == "no-such-site"}
    return [
        problem
        for problem in problems
        if problem.code != "no-such-parent"
        or not isinstance(problem.about, OfPair)
        or OfSite(problem.about.parent) not in unknown
    ]


def planned(context: Context, children: list[Child], problems: list[Problem]) -> Plan:
    """The part of the plan that is about one function; what is wrong goes to `problems`."""
    survey, function, names = context.survey, context.function, context.names
    scans: dict[str, ScanContext] = {}
    rewrites: list[Rewrite] = []
    asked = {(pair.child, pair.parent) for child in children for pair in child.pairs}
    before: dict[str, Names] = {}  # the names in use before a child's first place
    for child in children:
        wrong = list(problems_of(survey, function, child, asked))
        problems += wrong
        if wrong:
            continue
        context.names = names
        if len(function.find(child.site.name)) > 1:
            # Only one of its places is ever come to: what is made up may have the same names.
            context.names = before.setdefault(child.site.name, names.copy()).copy()
            context.names.take(keep.name for keep in context.keeps.values())
        try:
            rewrites.append(rewritten(context, scans, child))
        except Stop as stop:
            problems.append(stop.problem)
        if context.names is not names:
            names.take(context.names.own)
    contexts = (context, *(scan.body for scan in scans.values()))
    keeps = [keep for used in contexts for keep in used.keeps.values()]
    threads = [scan.threading() for scan in scans.values() if scan.carried]
    return Plan(tuple(rewrites), tuple(keeps), (), tuple(threads), frozenset(names.own))


def rewritten(context: Context, scans: dict[str, ScanContext], child: Child) -> Rewrite:
    """The rewrite of one child; `scans` are known by their bodies. Raises `Stop`."""
    scan = child.site.scan
    if scan is None:
        return other(context, child) if child.reparam is not None else offset(context, child)
    if scan.body not in scans:
        function = context.survey.functions[scan.body]
        body = Context(context.survey, function, context.names)
        scans[scan.body] = ScanContext(scan, context, body)
    return offset_in_scan(scans[scan.body], child)
