"""What became of targets, as values, and rendered: in lines for a person or GitHub, and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reparam_rewrite.cli.exit import CHANGED, DONE, FAILED, please_report
from reparam_rewrite.cli.request import Request
from reparam_rewrite.cli.screen import Screen
from reparam_rewrite.generation import Outcome
from reparam_rewrite.messages import Diagnostic, Place
from reparam_rewrite.plan.values import Account
from reparam_rewrite.rewriting import Rewrite
from reparam_rewrite.source.diff import unified_diff

VERSION = 1
"""Of the form of the JSON: it grows when a key changes its meaning or goes away."""


@dataclass(frozen=True)
class Report:
    """The outcomes of a run, and the outputs that were `written`."""

    outcomes: Sequence[Outcome]
    request: Request
    written: Sequence[str] = ()

    def after(self, written: Sequence[str]) -> Report:
        return replace(self, written=written)

    @property
    def failed(self) -> bool:
        return any(outcome.refused or self.is_held(outcome) for outcome in self.outcomes)

    @property
    def status(self) -> int:
        """The exit status."""
        if self.failed:
            return FAILED
        request = self.request
        tells = request.check or (request.fail_on_change and request.writes)
        return CHANGED if tells and any(outcome.stale for outcome in self.outcomes) else DONE

    def is_held(self, outcome: Outcome) -> bool:
        """Does something stand against writing the output, that wasn't waved through?"""
        return self.request.writes and not self.request.force and outcome.obstacle is not None

    def status_of(self, outcome: Outcome) -> str:
        """What became of a target, in a word or two."""
        if outcome.refused:
            return "refused"
        if self.is_held(outcome):
            return "not overwritten"
        if outcome.target.output in self.written:
            return "written"
        return "would change" if outcome.stale else "up to date"

    def problems(self, outcome: Outcome) -> Iterator[Diagnostic]:
        """What there is to say against a target."""
        for problem in outcome.refused:
            hint = please_report("nothing was written. ", self.request.loudness > 1)
            yield replace(problem, hint=hint) if outcome.trace else problem
        if self.is_held(outcome) and outcome.obstacle is not None:
            yield outcome.obstacle


# -- for a person --------------------------------------------------------------------------------


def show(report: Report, screen: Screen) -> None:
    """All lines, those of targets that are up to date only where they are asked for."""
    request = report.request
    if request.diff:
        screen.diff(b"".join(map(diff_of, report.outcomes)))
    for outcome in report.outcomes:
        if outcome.trace and request.loudness > 1:
            screen.note(outcome.trace)
        for diagnostic in report.problems(outcome):
            screen.error(diagnostic)
        if not outcome.refused and not report.is_held(outcome):
            screen.account(list(lines_of(report, outcome)))
            if request.check and outcome.stale:
                model, config, output = outcome.target
                message = f"it is not what {model} and {config} give now"
                hint = "run reparam-rewrite, and commit what it writes."
                screen.annotation("error", Diagnostic(output, message, hint))
    if request.loudness and request.model is None:
        counts = Counter(map(report.status_of, report.outcomes))
        ended = "; nothing was written" if report.failed and request.writes else ""
        screen.account([total(counts) + ended])


def lines_of(report: Report, outcome: Outcome) -> Iterator[str]:
    """What is said of a target that nothing stands against."""
    request, output = report.request, outcome.target.output
    alone = request.model is not None
    if not request.loudness or not (outcome.stale or alone or request.loudness > 1):
        return
    if outcome.rewrite is not None:
        yield from accounted(outcome.rewrite, request.loudness)
    if not outcome.stale:
        yield f"{output} is up to date"
    elif request.check:
        why = f": {outcome.obstacle.message}" if outcome.obstacle else ""
        missing = outcome.old is None
        yield f"{output} does not exist yet" if missing else f"{output} would change{why}"
    elif output in report.written:
        yield f"wrote {output}"


def total(counts: Counter[str]) -> str:
    """``3 targets: 1 written, 2 up to date``"""
    count = counts.total()
    parts = ", ".join(f"{number} {what}" for what, number in counts.items())
    return f"{count} target{'' if count == 1 else 's'}: {parts}"


def diff_of(outcome: Outcome) -> bytes:
    if outcome.refused or not outcome.stale:
        return b""
    path = Path(outcome.target.output)
    old = outcome.old
    return unified_diff(old or b"", outcome.new, None if old is None else path, path)


def accounted(result: Rewrite, loudness: int) -> list[str]:
    """A line for every configured site; none at `loudness` 0, longer ones at 2."""
    if not loudness:
        return []
    if result.already:
        return [
            f"{result.accounts[0].path} is rewritten already: nothing changed. "
            "To apply another config, rewrite the plain model."
        ]
    if not result.accounts:
        return ["the chain is empty, and nothing changed"]
    lines = []
    for account in result.accounts:
        asked_by = f"({account.config.path}:{account.config.line})"
        line = f"{account.path}:{account.line} {account.site} "
        if account.skipped:
            line += "is left alone: # reparam: skip"
            lines.append(line + (f" {asked_by} in {account.function}" if loudness > 1 else ""))
            continue
        line += f"<- {', '.join(account.parents)} {asked_by}"
        if loudness > 1:
            line += f" in {account.function}, {'; '.join(account.details)}"
        lines.append(line)
        lines += [f"{account.path}:{account.line} note: {note}" for note in account.notes]
    return lines


# -- for programs --------------------------------------------------------------------------------


def as_json(report: Report) -> str:
    return dumped(report.status, [target_entry(report, outcome) for outcome in report.outcomes])


def failure(diagnostics: Sequence[Diagnostic]) -> str:
    """The JSON of a run that came to nothing."""
    return dumped(FAILED, [], list(map(error_entry, diagnostics)))


def dumped(status: int, targets: list[Any], errors: Sequence[Any] = ()) -> str:
    report = {"version": VERSION, "exit_status": status, "targets": targets, "errors": errors}
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def target_entry(report: Report, outcome: Outcome) -> dict[str, Any]:
    result = outcome.rewrite
    accounts = () if result is None or result.already else result.accounts
    entry = {
        **outcome.target._asdict(),
        "status": report.status_of(outcome),
        "sites": list(map(site_entry, accounts)),
        "errors": list(map(error_entry, report.problems(outcome))),
    }
    if report.request.diff:
        entry["diff"] = diff_of(outcome).decode("utf-8", "replace")
    return entry


def site_entry(account: Account) -> dict[str, Any]:
    return {
        "site": account.site,
        "function": account.function,
        "path": account.path,
        "line": account.line,
        "parents": account.parents,
        "config": place_entry(account.config),
        "details": account.details,
        "notes": account.notes,
        "skipped": account.skipped,
    }


def place_entry(place: Place) -> dict[str, Any]:
    return {"path": place.path, "line": place.line, "column": place.column}


def error_entry(diagnostic: Diagnostic) -> dict[str, Any]:
    place = diagnostic.place
    where = place_entry(place) if isinstance(place, Place) else {"path": place}
    return {**where, "message": diagnostic.message, "hint": diagnostic.hint}
