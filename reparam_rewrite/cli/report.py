"""What became of targets, and the forms in which that is told; each is an entry of `FORMS`.

Only click is imported at the top, as `--help` lists the forms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from reparam_rewrite.cli.exit import CHANGED, DONE, FAILED, please_report
from reparam_rewrite.cli.screen import Screen

if TYPE_CHECKING:
    from reparam_rewrite.cli.main import Request
    from reparam_rewrite.generation import Outcome
    from reparam_rewrite.messages import Diagnostic, Place
    from reparam_rewrite.ordering import MovedUp
    from reparam_rewrite.plan.values import Met
    from reparam_rewrite.rewriting import Rewrite

#: Of the form of the JSON: it grows when a key changes its meaning or goes away.
VERSION = 1


class Report(NamedTuple):
    """The outcomes of a run, and the outputs that were `written`."""

    request: Request
    outcomes: Sequence[Outcome]
    written: Sequence[str] = ()

    @property
    def failed(self) -> bool:
        return any(map(self.problems, self.outcomes))

    @property
    def status(self) -> int:
        """The exit status."""
        if self.failed:
            return FAILED
        request = self.request
        tells = request.check or (request.fail_on_change and request.writes)
        return CHANGED if tells and any(outcome.stale for outcome in self.outcomes) else DONE

    def problems(self, outcome: Outcome) -> list[Diagnostic]:
        """What there is to say against a target: also what an output is not overwritten for."""
        from msgspec.structs import replace

        if outcome.trace:
            hint = please_report("nothing was written. ", self.request.loudness > 1)
            return [replace(problem, hint=hint) for problem in outcome.refused]
        held = outcome.obstacle if self.request.writes and not self.request.force else None
        return [*outcome.refused, *([held] if held else [])]

    def status_of(self, outcome: Outcome) -> str:
        """What became of a target, in a word or two."""
        if self.problems(outcome):
            return "refused" if outcome.refused else "not overwritten"
        if outcome.target.output in self.written:
            return "written"
        return "would change" if outcome.stale else "up to date"


class Lines(Screen):
    """The account in lines on standard error, for a person: of what is up to date only on demand.

    The other forms derive from it. `said` is what `--help` says of a form.
    """

    said = "in lines"

    #: Does it need standard output, and an account of every site?
    is_document = False

    def show(self, report: Report) -> None:
        """Tell what became of the targets."""
        request = report.request
        if request.diff:
            self.diff(b"".join(map(diff_of, report.outcomes)))
        for outcome in report.outcomes:
            if outcome.trace and request.loudness > 1:
                self.note(outcome.trace)
            problems = report.problems(outcome)
            for diagnostic in problems:
                self.error(diagnostic)
            if not problems:
                self.account(lines_of(report, outcome))
                if request.check and outcome.stale:
                    self.show_stale(outcome)
        if request.loudness and request.model is None:
            ended = "; nothing was written" if report.failed and request.writes else ""
            self.account([total(list(map(report.status_of, report.outcomes))) + ended])

    def show_stale(self, outcome: Outcome) -> None:
        """What else is said of an output that would change."""

    def show_refusal(self, diagnostics: Sequence[Diagnostic]) -> bool:
        """Tell why a run came to nothing, unless it is told as that of any command is."""
        return False


class GitHub(Lines):
    """Errors as annotations, which GitHub shows at their lines."""

    said = "as annotations for GitHub"

    def error(self, diagnostic: Diagnostic) -> None:
        self.note(annotated(diagnostic))

    def show_stale(self, outcome: Outcome) -> None:
        from reparam_rewrite.messages import Diagnostic

        model, config, output = outcome.target
        message = f"it is not what {model} and {config} give now"
        hint = "run reparam-rewrite, and commit what it writes."
        self.error(Diagnostic(output, message, hint))


class Json(Lines):
    """For programs."""

    said = "as JSON on standard output"
    is_document = True

    def show(self, report: Report) -> None:
        targets = [target_entry(report, outcome) for outcome in report.outcomes]
        self._show(report.status, targets, ())

    def show_refusal(self, diagnostics: Sequence[Diagnostic]) -> bool:
        self._show(FAILED, [], list(map(error_entry, diagnostics)))
        return True

    def _show(self, status: int, targets: Sequence[Any], errors: Sequence[Any]) -> None:
        import json

        report = {"version": VERSION, "exit_status": status, "targets": targets, "errors": errors}
        self.print(json.dumps(report, indent=2, ensure_ascii=False) + "\n")


#: The forms of the account, by their names for --format. A new one is a class and an entry here.
FORMS: dict[str, type[Lines]] = {"text": Lines, "json": Json, "github": GitHub}


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
    elif request.check and outcome.old is None:
        yield f"{output} does not exist yet"
    elif request.check:
        yield f"{output} would change{f': {outcome.obstacle.message}' if outcome.obstacle else ''}"
    elif output in report.written:
        yield f"wrote {output}"


def total(statuses: list[str]) -> str:
    """``3 targets: 1 written, 2 up to date``"""
    parts = [f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses)]
    return f"{len(statuses)} target{'' if len(statuses) == 1 else 's'}: {', '.join(parts)}"


def diff_of(outcome: Outcome) -> bytes:
    from pathlib import Path

    from reparam_rewrite.source.diff import unified_diff

    if outcome.refused or not outcome.stale:
        return b""
    return unified_diff(outcome.old, outcome.new, Path(outcome.target.output))


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
    lines = [moved_in_words(up) for up in result.moves]
    for account in result.accounts:
        asked_by = f"({account.config.path}:{account.config.line})"
        line = f"{account.path}:{account.line} {account.site} "
        if account.skipped:
            line += "is left alone: # reparam: skip"
            line += f" {asked_by} in {account.function}" if loudness > 1 else ""
        else:
            words = {met.parent: met.value for met in account.meets}
            named = [words.get(parent, parent) for parent in account.parents]
            parents = ", ".join(named) or "nothing"
            line += f"<- {parents} {asked_by}"
            if loudness > 1:
                details = [*account.details, *(by(met) for met in account.meets)]
                line += f" in {account.function}, {'; '.join(details)}"
            if account.sampled is not None:
                line += f", sampled in {account.sampled.path}:{account.sampled.line}"
        lines.append(line)
        lines += [f"{account.path}:{account.line} note: {note}" for note in account.notes]
    kept = [account.as_written or account.skipped for account in result.accounts]
    if all(kept) and not all(account.skipped for account in result.accounts) and not result.moves:
        lines.append("the generated model is the model as written")
    return lines


#: By what is told how a parent meets its child.
EVIDENCE = {
    "as written": "as the config writes it",
    "config": "by the config",
    "frozen": "by the arrays of the config",
    "sum": "by the sum in line {line}",
    "prior": "by the prior in line {line}",
    "axes": "by plates and sizes",
    "number": "one number",
    "nothing in common": "no axis in common",
}


def by(met: Met) -> str:
    """``s by the sum in line 12``"""
    return f"{met.parent} {EVIDENCE[met.evidence].format(line=met.line)}"


def moved_in_words(up: MovedUp) -> str:
    """``model.py:9 s is moved up above line 7, with line 8 (offsets.toml:1)``"""
    from reparam_rewrite.messages import lines_in_words

    beside = f", with {lines_in_words(up.others)}" if up.others else ""
    asked_by = f"({up.config.path}:{up.config.line})"
    above = lines_in_words((up.above,))
    return f"{up.at.path}:{up.at.line} {up.site} is moved up above {above}{beside} {asked_by}"


def annotated(diagnostic: Diagnostic) -> str:
    """``::error file=model.py,line=3,col=5,title=reparam-rewrite::what is wrong``

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    from reparam_rewrite.messages import Place

    place, where = diagnostic.place, {}
    if isinstance(place, Place):
        where = {"file": place.path, "line": str(place.line), "col": str(place.column)}
    elif place is not None:
        where = {"file": place}
    properties = {**where, "title": "reparam-rewrite"}
    where_and_what = ",".join(f"{key}={quoted(value, ':,')}" for key, value in properties.items())
    hint = f"\nhint: {diagnostic.hint}" if diagnostic.hint else ""
    return f"::error {where_and_what}::{quoted(diagnostic.message + hint)}"


def quoted(text: str, marks: str = "") -> str:
    """With what would end a workflow command, or a property of it, as its code."""
    return "".join(f"%{ord(c):02X}" if c in "%\r\n" + marks else c for c in text)


#: What is told of a site.
SITE = ("site", "function", "path", "line", "parents", "config", "details", "notes", "skipped")


def target_entry(report: Report, outcome: Outcome) -> dict[str, Any]:
    result = outcome.rewrite
    accounts = () if result is None or result.already else result.accounts
    sites = [{key: getattr(account, key) for key in SITE} for account in accounts]
    for site, account in zip(sites, accounts, strict=True):
        site["meets"] = [meets_entry(met) for met in account.meets]
        if account.sampled is not None:
            site["sampled"] = place_entry(account.sampled)
    moves = result.moves if result is not None else ()
    entry = {
        **outcome.target._asdict(),
        "status": report.status_of(outcome),
        "sites": [{**site, "config": place_entry(site["config"])} for site in sites],
        "moves": list(map(move_entry, moves)),
        "errors": list(map(error_entry, report.problems(outcome))),
    }
    if report.request.diff:
        entry["diff"] = diff_of(outcome).decode("utf-8", "replace")
    return entry


def meets_entry(met: Met) -> dict[str, Any]:
    told = {"parent": met.parent, "value": met.value, "evidence": met.evidence}
    return {**told, "line": met.line or None}


def move_entry(up: MovedUp) -> dict[str, Any]:
    """What is told of a site that is moved up, with the lines that go with it."""
    return {
        "site": up.site,
        "function": up.function,
        "path": up.at.path,
        "line": up.at.line,
        "above": up.above.line,
        "with": [place.line for place in up.others],
        "config": place_entry(up.config),
    }


def error_entry(diagnostic: Diagnostic) -> dict[str, Any]:
    told = {"message": diagnostic.message, "hint": diagnostic.hint}
    return {**place_entry(diagnostic.place), **told}


def place_entry(place: Place | str | None) -> dict[str, Any]:
    from reparam_rewrite.messages import Place

    if isinstance(place, Place):
        return {"path": place.path, "line": place.line, "column": place.column}
    return {"path": place}
