"""Survey and config in, `Plan` out: what will be done to each configured site, or why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from msgspec.structs import replace

from reparam_rewrite.config.rules import Config
from reparam_rewrite.messages import OfFile, OfSite, Problem
from reparam_rewrite.plan.accounts import accounts_of, in_file_order, skipped_accounts
from reparam_rewrite.plan.axes import with_axes
from reparam_rewrite.plan.choose import choose
from reparam_rewrite.plan.context import Context, Stop
from reparam_rewrite.plan.data import remark
from reparam_rewrite.plan.globs import spelled_out
from reparam_rewrite.plan.names import Names, reserved_in
from reparam_rewrite.plan.offset import offset, other
from reparam_rewrite.plan.pairs import Child, children
from reparam_rewrite.plan.refusals import problems_of, refusal
from reparam_rewrite.plan.refusals.comments import comment_problems
from reparam_rewrite.plan.refusals.names import param_problems, params_of
from reparam_rewrite.plan.scans import ScanContext, offset_in_scan
from reparam_rewrite.plan.sharing import sharing
from reparam_rewrite.plan.skipping import left_alone, remarks, to_rewrite
from reparam_rewrite.plan.values import (
    Account,
    Keep,
    OffsetRewrite,
    Plan,
    Rewrite,
    Threading,
    terms_of,
)
from reparam_rewrite.survey.values import Function, Handler, Site, Survey

__all__ = ["plan"]


def plan(survey: Survey, config: Config) -> Plan:
    """Decide everything before anything is edited.

    Raises `Refusal` with every reason that was found, in the order of the files.
    """
    config = spelled_out(survey, config)
    chosen = choose(survey, config)
    asked_for = with_children(chosen, config)
    functions = to_rewrite(asked_for)
    accounts = tuple(accounts_of(survey, functions))
    skipped = tuple(skipped_accounts(survey, left_alone(asked_for)))
    if functions and all(was_rewritten(function, found) for function, found in functions):
        return Plan((), (), (*accounts, *skipped), already=True)
    if config.axes:
        with_names = [with_axes(survey, function, config) for function in chosen]
        functions = to_rewrite(with_children(with_names, config))
    problems = list(comment_problems(survey, asked_for))
    rewrites: list[Rewrite] = []
    keeps: list[Keep] = []
    threads: list[Threading] = []
    made_up: set[str] = set()
    if not functions and not skipped:
        problems.append(nothing_to_do(config))
    problems += param_problems(survey, functions)
    reserved = reserved_in(survey.identifiers)
    for function, found in functions:
        names = Names(reserved)
        context = Context(survey, function, names)
        scans: dict[str, ScanContext] = {}
        asked = {(pair.child, pair.parent) for child in found for pair in child.pairs}
        before: dict[str, Names] = {}  # the names in use before a child's first place
        for child in found:
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
        for used in (context, *(scan.body for scan in scans.values())):
            keeps += used.keeps.values()
        threads += (scan.threading() for scan in scans.values() if scan.carried)
        made_up |= names.own
    problems += hoisted_from_company(rewrites)
    problems += offset_twice(rewrites)
    if problems:
        raise refusal(survey, config, problems)
    accounts = (*noted(accounts, rewrites), *skipped)
    return Plan(
        tuple(sharing(rewrites)),
        tuple(keeps),
        in_file_order(accounts),
        tuple(threads),
        frozenset(made_up),
    )


def with_children(chosen: list[Function], config: Config) -> list[tuple[Function, list[Child]]]:
    """The functions that have a site to be rewritten, with those sites."""
    found = [(function, children(function, config)) for function in chosen]
    return [(function, sites) for function, sites in found if sites]


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


def noted(accounts: tuple[Account, ...], rewrites: list[Rewrite]) -> Iterable[Account]:
    """The accounts, with a word on every parent that is left to run time."""
    left = {
        (rewrite.function, rewrite.site.name): [
            f"'{term.label}' must broadcast to '{rewrite.site.name}' when the model runs: the "
            f"source doesn't tell {'that their sizes fit' if term.value.told else 'both shapes'}"
            for term in terms_of(rewrite)
            if term.value.at_run_time
        ]
        + [text for text in (remark(rewrite),) if text]
        + list(remarks(rewrite.site))
        for rewrite in rewrites
    }
    for account in accounts:
        notes = left.get((account.function, account.site), [])
        yield replace(account, notes=tuple(notes))


def nothing_to_do(config: Config) -> Problem:
    """``chain = ["mu", "a"]`` with ``mu = false`` in a's offset, or with the two in two models."""
    dropped = [
        parent for rule in config.sites.values() for parent in rule.parents if not parent.keep
    ]
    if dropped:
        return Problem(
            "nothing-to-do",
            OfFile(),
            dropped[0].place,
            "every offset that the chain asks for is dropped: there is nothing to do",
            "keep one of them.",
        )
    return Problem(
        "nothing-to-do",
        OfFile(),
        next(named.place for chain in config.chains for named in chain),
        "none of the chain's sites is sampled after another: there is nothing to offset",
        "list the sites of one function.",
    )


def hoisted_from_company(rewrites: list[Rewrite]) -> Iterable[Problem]:
    """``a = sample("a", Normal(sample("b", ...), x))`` with both rewritten, and a's prior moved."""
    count = Counter(map(part_of, rewrites))
    for rewrite in rewrites:
        prior = rewrite.prior if isinstance(rewrite, OffsetRewrite) else None
        if prior is not None and prior.moved and count[part_of(rewrite)] > 1:
            yield Problem(
                "prior-moves-from-others",
                OfSite(rewrite.site.name),
                rewrite.site.place,
                "'{site}' shares its statement with another rewritten site, and its prior would "
                "have to move",
                "give each a statement of its own.",
            )


def offset_twice(rewrites: list[Rewrite]) -> Iterable[Problem]:
    """``r`` is offset in a helper and where that is called: only the inner handler finds it."""
    own = {(rewrite.function, rewrite.site.name) for rewrite in rewrites}
    for rewrite in rewrites:
        site = rewrite.site
        if site.through and (site.through, site.name) in own:
            label = next((term.label for term in terms_of(rewrite)), "")
            yield Problem(
                "offset-twice",
                OfSite(site.name),
                site.place,
                "'{site}' would be offset where '{helper}' is called and again inside of that, "
                "which NumPyro doesn't do twice",
                "drop what it is offset by in one of the two: {label} = false in "
                "[sites.{site}.offset], for example."
                if label
                else "take '{helper}' out of 'functions'.",
                {"helper": site.through, "label": label},
            )


def part_of(rewrite: Rewrite) -> tuple[str, int, tuple[str, ...]]:
    """The statement that samples a child, or the part of a conditional expression."""
    return rewrite.function, rewrite.site.statement, rewrite.site.choices


def was_rewritten(function: Function, found: list[Child]) -> bool:
    """Is every child under a handler already, with every coefficient declared?"""
    for child in found:
        if not is_handled(child.site, explicit=child.reparam is None):
            return False
        declared = {name for name, _, _ in params_of(child)} if child.reparam is None else set()
        if not declared <= function.params:
            return False
    return True


def is_handled(site: Site, *, explicit: bool) -> bool:
    """Is it under a reparam handler, and is that an `ExplicitReparam` if it must be?"""
    return site.shifted or any(
        isinstance(item, Handler)
        and item.qualified == "numpyro.handlers.reparam"
        and item.sites is not None
        and site.name in item.sites
        and (item.explicit or not explicit)
        for frame in site.frames
        for item in frame.items
    )
