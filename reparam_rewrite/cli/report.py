"""What became of targets, in lines for a person, as JSON, or as annotations for GitHub."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reparam_rewrite.cli.rewrite import CHANGED, DONE, FAILED, Request, total
from reparam_rewrite.cli.screen import Screen
from reparam_rewrite.generation import Outcome
from reparam_rewrite.messages import Diagnostic, Place
from reparam_rewrite.plan.values import Account
from reparam_rewrite.rewriting import Rewrite
from reparam_rewrite.source.diff import unified_diff

VERSION = 1
"""Of the form of the JSON: it grows when a key changes its meaning or goes away."""


class Report:
    """The outcomes of a run. `written`: the outputs that were, once they are."""

    def __init__(
        self,
        outcomes: Sequence[Outcome],
        held: Sequence[Outcome],
        request: Request,
        alone: bool,
    ) -> None:
        self.outcomes, self.held = outcomes, held
        self.request, self.alone = request, alone
        self.written: list[str] = []

    @property
    def failed(self) -> bool:
        return bool(self.held) or any(outcome.refused for outcome in self.outcomes)

    @property
    def status(self) -> int:
        if self.failed:
            return FAILED
        stale = any(outcome.stale for outcome in self.outcomes)
        tells = self.request.check or (self.request.fail_on_change and self.request.writes)
        return CHANGED if tells and stale else DONE

    def diff(self) -> bytes:
        return b"".join(map(diff_of, self.outcomes))

    def status_of(self, outcome: Outcome) -> str:
        """What became of a target, in a word or two."""
        if outcome.refused:
            return "refused"
        if outcome in self.held:
            return "not overwritten"
        if outcome.target.output in self.written:
            return "written"
        return "would change" if outcome.stale else "up to date"

    # -- for a person ----------------------------------------------------------------------------

    def show(self, screen: Screen) -> None:
        """All lines, those of targets that are up to date only where they are asked for."""
        for outcome in self.outcomes:
            if outcome.trace and self.request.loudness > 1:
                screen.note(outcome.trace)
            for diagnostic in self.problems(outcome):
                screen.error(diagnostic)
            if not outcome.refused and outcome not in self.held:
                screen.account(list(self.lines(outcome)))
                if self.request.check and outcome.stale:
                    screen.annotation("error", said_stale(outcome))
        if self.request.loudness and not self.alone:
            counts: dict[str, int] = {}
            for outcome in self.outcomes:
                word = self.status_of(outcome)
                counts[word] = counts.get(word, 0) + 1
            ended = "; nothing was written" if self.failed and self.request.writes else ""
            screen.account([total(counts) + ended])

    def problems(self, outcome: Outcome) -> Iterator[Diagnostic]:
        for problem in outcome.refused:
            shown = outcome.trace and self.request.loudness > 1
            hint = problem.hint.replace("; -v shows the traceback.", ", with the traceback above.")
            yield replace(problem, hint=hint) if shown else problem
        if outcome in self.held and outcome.obstacle is not None:
            yield outcome.obstacle

    def lines(self, outcome: Outcome) -> Iterator[str]:
        loudness = self.request.loudness
        if not loudness or not (outcome.stale or self.alone or loudness > 1):
            return
        if outcome.rewrite is not None:
            yield from accounted(outcome.rewrite, loudness)
        output = outcome.target.output
        if not outcome.stale:
            yield f"{output} is up to date"
        elif self.request.check:
            why = f": {outcome.obstacle.message}" if outcome.obstacle else ""
            missing = outcome.old is None
            yield f"{output} does not exist yet" if missing else f"{output} would change{why}"
        elif output in self.written:
            yield f"wrote {output}"

    # -- for programs ----------------------------------------------------------------------------

    def as_json(self) -> str:
        found = {
            "version": VERSION,
            "exit_status": self.status,
            "targets": [self.entry(outcome) for outcome in self.outcomes],
            "errors": [],
        }
        return dumped(found)

    def entry(self, outcome: Outcome) -> dict[str, Any]:
        found = {
            **outcome.target._asdict(),
            "status": self.status_of(outcome),
            "sites": [site_entry(account) for account in sites_of(outcome.rewrite)],
            "errors": [error_entry(problem) for problem in self.problems(outcome)],
        }
        if self.request.diff:
            found["diff"] = diff_of(outcome).decode("utf-8", "replace")
        return found


def failure(diagnostics: Sequence[Diagnostic]) -> str:
    """The JSON of a run that came to nothing."""
    errors = [error_entry(diagnostic) for diagnostic in diagnostics]
    found = {"version": VERSION, "exit_status": FAILED, "targets": [], "errors": errors}
    return dumped(found)


def dumped(found: dict[str, Any]) -> str:
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def diff_of(outcome: Outcome) -> bytes:
    if outcome.refused or not outcome.stale:
        return b""
    path = Path(outcome.target.output)
    old = outcome.old
    return unified_diff(old or b"", outcome.new, None if old is None else path, path)


def said_stale(outcome: Outcome) -> Diagnostic:
    model, config, output = outcome.target
    message = f"it is not what {model} and {config} give now"
    return Diagnostic(output, message, "run reparam-rewrite, and commit what it writes.")


def sites_of(result: Rewrite | None) -> tuple[Account, ...]:
    return () if result is None or result.already else result.accounts


def site_entry(account: Account) -> dict[str, Any]:
    return {
        "site": account.site,
        "function": account.function,
        "path": account.path,
        "line": account.line,
        "parents": list(account.parents),
        "config": place_entry(account.config),
        "details": list(account.details),
        "notes": list(account.notes),
        "skipped": account.skipped,
    }


def place_entry(place: Place) -> dict[str, Any]:
    return {"path": place.path, "line": place.line, "column": place.column}


def error_entry(diagnostic: Diagnostic) -> dict[str, Any]:
    place = diagnostic.place
    where = place_entry(place) if isinstance(place, Place) else {"path": place}
    return {**where, "message": diagnostic.message, "hint": diagnostic.hint}


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
