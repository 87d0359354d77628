"""Results as a table for a terminal, and as rows for programs."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from reparam_rewrite.benchmarking.values import Cost, Results, Row

VERSION = 1
"""Of the form of the JSON: it grows when a key changes its meaning or goes away."""


class Column(NamedTuple):
    """Its head, and what it has of a run and of what was paid before it."""

    head: str
    of: Callable[[Any, Cost], float]


def per(amount: float, count: float) -> float:
    return amount / count if count else 0.0


def rate(head: str, what: str, unit: str, all_in: bool = False) -> Column:
    """ESS for each 1,000 gradients or second: of the draws, or of all that was paid for them."""

    def of(run: Any, cost: Cost) -> float:
        paid = getattr(run, unit)
        if all_in:
            compiling = run.compiling if unit == "seconds" else 0
            paid = paid + getattr(run, f"warmup_{unit}") + compiling + getattr(cost, unit)
        return (1_000 if unit == "gradients" else 1) * per(getattr(run, what), paid)

    return Column(head, of)


NUTS = {
    "least_ess_per_1000_gradients": rate("least ESS/1k grad.", "least", "gradients"),
    "median_ess_per_1000_gradients": rate("median", "median", "gradients"),
    "least_ess_per_1000_gradients_all_in": rate("least, all in", "least", "gradients", True),
    "least_ess_per_second": rate("least ESS/s", "least", "seconds"),
    "median_ess_per_second": rate("median", "median", "seconds"),
    "least_ess_per_second_all_in": rate("least, all in", "least", "seconds", True),
    "divergences": Column("div.", lambda run, _: float(run.divergences)),
    "rhat": Column("R-hat", lambda run, _: run.rhat),
}

SVI = {
    "elbo": Column("ELBO", lambda run, _: run.elbo),
    "least_sd_ratio": Column("least sd ratio", lambda run, _: run.least),
    "median_sd_ratio": Column("median", lambda run, _: run.median),
    "greatest_sd_ratio": Column("greatest", lambda run, _: run.greatest),
    "seconds": Column("seconds", lambda run, _: run.seconds),
}


def figures(row: Row, column: str) -> list[float]:
    """The figures of a row in a column, one for every key that ran."""
    made = (NUTS | SVI)[column].of
    return [made(run, row.cost) for run in row.done]


def middle(row: Row, column: str) -> float:
    """The median of a row's figures; 0 if there are none."""
    found = figures(row, column)
    return statistics.median(found) if found else 0.0


def cell(row: Row, column: str) -> str:
    """``0.156 (0.14 to 0.17)``: the median over keys, with the least and the greatest."""
    found = figures(row, column)
    if column == "divergences":
        return f"{sum(found):.0f}"
    if column == "rhat":
        return f"{max(found):.2f}"
    shown = "{:,.1f}".format if column == "elbo" else short
    median = shown(statistics.median(found))
    return median if len(found) == 1 else f"{median} ({shown(min(found))} to {shown(max(found))})"


def short(number: float) -> str:
    """A number with three digits, and all of those before the point."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def as_text(results: Results) -> str:
    """The tables for a terminal, as wide as they need to be, with the notes below them."""
    parts = [headline(results)]
    for title, how, lines in sections(results):
        parts += [f"{title}, {how}", aligned(lines)]
    if any(row.other_prior for row in [*results.nuts, *results.svi]):
        parts.append("* another prior, and so another posterior.")
    return "\n\n".join([*parts, *(f"note: {note}" for note in results.notes)]) + "\n"


def sections(results: Results) -> Iterator[tuple[str, str, list[list[str]]]]:
    """The title, how it was run and the table of NUTS and of SVI, if they were."""
    options = results.options
    keys = f"{options.keys} keys" if options.keys > 1 else "1 key"
    if results.nuts:
        how = (
            f"{options.chains} chains of {options.warmup} + {options.draws} draws, {keys}: "
            'median (least to greatest). "All in" counts warm-up,\npilots and training too, and in '
            "seconds compiling."
        )
        yield "NUTS", how, table(results.nuts, NUTS)
    if results.svi:
        reference = results.reference
        known = reference.how if reference is not None else "none could be made"
        if reference is not None and reference.least_ess is not None:
            known += f", least ESS {reference.least_ess:.0f}"
        how = f"{options.steps:,} steps, {keys}. sd ratios are those of all elements to the "
        yield "SVI", f"{how}reference: {known}.", table(results.svi, SVI)


def headline(results: Results) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in results.versions.items())
    return f"{results.command}\n{results.date}, {versions}; {results.dims:,} dims"


def table(rows: Sequence[Row], columns: Mapping[str, Column]) -> list[list[str]]:
    """The cells, the heads first; those of NUTS with the ratio to the first row.

    A row that failed says why in its first cell.
    """
    first, *_ = columns
    base, has_ratio = middle(rows[0], first), columns is NUTS
    heads = ["", *(column.head for column in columns.values())]
    lines = [[*heads[:2], "ratio", *heads[2:]] if has_ratio else heads]
    for row in rows:
        name = row.name + (" *" if row.other_prior else "")
        if not row.done:
            lines.append([name, f"failed: {row.why}"])
            continue
        failed = len(row.runs) - len(row.done)
        stopped = sum(getattr(run, "stopped", False) for run in row.done)
        said = [f"{failed} {'key' if failed == 1 else 'keys'} failed"] * bool(failed)
        said += [f"{stopped} stopped at the limit"] * bool(stopped)
        name += f" ({', '.join(said)})" if said else ""
        cells = [cell(row, column) for column in columns]
        if has_ratio:
            ratio = per(middle(row, first), base)
            cells.insert(1, f"{ratio:.3g}" if ratio else "")
        lines.append([name, *cells])
    return lines


def aligned(lines: Sequence[Sequence[str]]) -> str:
    full = [line for line in lines if len(line) == len(lines[0])]
    widths = [max(map(len, column)) for column in zip(*full, strict=True)]
    widths[0] = max(len(line[0]) for line in lines)
    return "\n".join(
        "  ".join(part.ljust(width) for part, width in zip(line, widths, strict=False)).rstrip()
        for line in lines
    )


def records(results: Results) -> Iterator[dict[str, Any]]:
    """The rows for programs: medians over keys, with the least and the greatest figure."""
    for method, rows, columns in (("nuts", results.nuts, NUTS), ("svi", results.svi, SVI)):
        for row in rows:
            found: dict[str, Any] = {
                "method": method,
                "variant": row.name,
                "kind": row.kind,
                "other_prior": row.other_prior,
                "keys": len(row.done),
                "failed": "" if row.done else row.why,
            }
            for column in columns:
                values = figures(row, column)
                for what, of in (("", statistics.median), ("_min", min), ("_max", max)):
                    found[f"{column}{what}"] = of(values) if values else None
            yield found


def as_json(results: Results, advice: Sequence[str]) -> str:
    """The results as JSON: rows as in the tables, every run, and the advice."""
    reference = asdict(results.reference) if results.reference is not None else None
    if reference is not None:
        del reference["sd"]
    found = {
        "version": VERSION,
        "model": results.model,
        "command": results.command,
        "date": results.date,
        "versions": dict(results.versions),
        "options": results.options._asdict(),
        "dims": results.dims,
        "reference": reference,
        "rows": list(records(results)),
        "runs": {
            method: {row.name: [asdict(run) for run in row.runs] for row in rows}
            for method, rows in (("nuts", results.nuts), ("svi", results.svi))
        },
        "advice": list(advice),
        "notes": results.notes,
    }
    return json.dumps(found, indent=2) + "\n"


def as_csv(results: Results) -> str:
    """The rows as one table of CSV; columns of the other method are empty."""
    rows = list(records(results))
    text = io.StringIO()
    names = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(text, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
