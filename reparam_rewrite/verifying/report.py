"""The report as text, a line for every check and site, or as JSON."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from msgspec import to_builtins

from reparam_rewrite.messages import printable
from reparam_rewrite.verifying.values import Line, Report

WORDS = {
    "ok": "ok",
    "warning": "warning",
    "different": "DIFFERENT",
    "unchecked": "UNKNOWN",
    "skipped": "skipped",
}


class Subject(NamedTuple):
    """What was compared: two files, or a file and what a config makes of it."""

    plain: str
    generated: str
    function: str


def as_text(report: Report, subject: Subject, quiet: bool = False) -> list[str]:
    """The report, at `quiet` only what is not in order."""
    points = f"{report.points} points" if report.points != 1 else "1 point"
    heading = (
        f"{subject.plain} and {subject.generated}, {subject.function}: {report.dims} latent dims, "
        f"{points} of seed {report.seed}, float64"
    )
    shown = [one for one in report.lines if not quiet or one.status not in ("ok", "skipped")]
    texts = [text for line in shown for text in texts_of(line)]
    made = [*([] if quiet else [heading]), *texts, verdict(report, subject)]
    return list(map(printable, made))


def texts_of(line: Line) -> list[str]:
    """A line of the report as one line of text, or two with its cause."""
    name = f"{line.check} {line.site}".rstrip()
    text = f"{WORDS[line.status]:<9} {name:<20} {line.message}"
    if line.off is not None:
        if line.status == "ok":
            text += f"; off by at most {line.off:.1e}"
            text += "" if line.of is None else f" of {line.of:.4g}"
        if line.point is not None and line.density != "model":
            text += " at init values" if line.point < 0 else f" at point {line.point}"
    return [text, f"{'':<30} cause: {line.cause}"] if line.cause else [text]


def verdict(report: Report, subject: Subject) -> str:
    if report.different:
        sites = dict.fromkeys(line.site for line in report.different if line.site)
        where = f": see {', '.join(sites)}" if sites else ""
        return f"{subject.generated} is not equivalent to {subject.plain}{where}"
    if report.unchecked:
        return f"{subject.generated} could not be checked"
    return f"{subject.generated} is equivalent to {subject.plain}"


def as_json(report: Report, subject: Subject, status: int) -> str:
    """The report as one object of JSON, whose "equivalent" is null where nobody can tell."""
    found: dict[str, Any] = {
        "version": 1,
        "exit_status": status,
        "equivalent": report.equivalent if not report.unchecked or report.different else None,
        **subject._asdict(),
        "points": report.points,
        "seed": report.seed,
        "latent_dims": report.dims,
        "checks": [
            {key: finite(value) for key, value in to_builtins(line).items() if key != "density"}
            for line in report.lines
        ],
    }
    return json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def finite(value: Any) -> Any:
    """JSON has no infinity: a difference of NaN or infinity is null."""
    return None if isinstance(value, float) and value - value != 0 else value
