"""Results as a table for a terminal, and as rows for programs."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from reparam_rewrite.bench.values import Cost, Results, Row

VERSION = 1
"""Of the form of the JSON: it grows when a key changes its meaning or goes away."""

Figure = Callable[[Any, Cost], float]

#: What the columns of NUTS are, from a run and what was paid before it.
NUTS: dict[str, Figure] = {
    "least_ess_per_1000_gradients": lambda run, cost: 1_000 * per(run.least, run.gradients),
    "median_ess_per_1000_gradients": lambda run, cost: 1_000 * per(run.median, run.gradients),
    "least_ess_per_1000_gradients_all_in": lambda run, cost: (
        1_000 * per(run.least, run.gradients + run.warmup_gradients + cost.gradients)
    ),
    "least_ess_per_second": lambda run, cost: per(run.least, run.seconds),
    "median_ess_per_second": lambda run, cost: per(run.median, run.seconds),
    "least_ess_per_second_all_in": lambda run, cost: per(
        run.least, run.seconds + run.warmup_seconds + run.compiling + cost.seconds
    ),
    "divergences": lambda run, cost: float(run.divergences),
    "rhat": lambda run, cost: run.rhat,
}

SVI: dict[str, Figure] = {
    "elbo": lambda run, cost: run.elbo,
    "least_sd_ratio": lambda run, cost: run.least,
    "median_sd_ratio": lambda run, cost: run.median,
    "greatest_sd_ratio": lambda run, cost: run.greatest,
    "seconds": lambda run, cost: run.seconds,
}

HEADS = {
    "least_ess_per_1000_gradients": "least ESS/1k grad.",
    "median_ess_per_1000_gradients": "median",
    "least_ess_per_1000_gradients_all_in": "least, all in",
    "least_ess_per_second": "least ESS/s",
    "median_ess_per_second": "median",
    "least_ess_per_second_all_in": "least, all in",
    "divergences": "div.",
    "rhat": "R-hat",
    "elbo": "ELBO",
    "least_sd_ratio": "least sd ratio",
    "median_sd_ratio": "median",
    "greatest_sd_ratio": "greatest",
    "seconds": "seconds",
}


def per(amount: float, count: float) -> float:
    return amount / count if count else 0.0


def figures(row: Row, column: str) -> list[float]:
    """Of every key that ran."""
    made = {**NUTS, **SVI}[column]
    return [made(run, row.cost) for run in row.done]


def middle(row: Row, column: str) -> float:
    """The median over keys; of nothing, 0."""
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
    """Three digits, and all of those before the point."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def as_text(results: Results) -> str:
    """Tables with their heads, as wide as they need to be."""
    options, parts = results.options, [headline(results)]
    keys = f"{options.keys} keys" if options.keys > 1 else "1 key"
    if results.nuts:
        parts.append(
            f"NUTS, {options.chains} chains of {options.warmup} + {options.draws} draws, {keys}: "
            'median (least to greatest). "All in" counts warm-up,\npilots and training too, and in '
            "seconds compiling."
        )
        parts.append(laid_out(results.nuts, list(NUTS), with_ratio=True))
    if results.svi:
        parts.append(
            f"SVI, {options.steps:,} steps, {keys}. sd ratios are those of all elements to the "
            f"reference: {reference_text(results)}."
        )
        parts.append(laid_out(results.svi, list(SVI), with_ratio=False))
    if any(row.other_prior for row in [*results.nuts, *results.svi]):
        parts.append("* another prior, and so another posterior.")
    parts += [f"note: {note}" for note in results.notes]
    return "\n\n".join(parts) + "\n"


def headline(results: Results) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in results.versions.items())
    return f"{results.command}\n{results.date}, {versions}; {results.dims:,} dims"


def reference_text(results: Results) -> str:
    reference = results.reference
    if reference is None:
        return "none could be made"
    ess = f", least ESS {reference.least_ess:.0f}" if reference.least_ess is not None else ""
    return reference.how + ess


def laid_out(rows: Sequence[Row], columns: Sequence[str], with_ratio: bool) -> str:
    return aligned(table(rows, columns, with_ratio))


def table(rows: Sequence[Row], columns: Sequence[str], with_ratio: bool) -> list[list[str]]:
    """The cells, the heads first. A row that failed says why in its first cell."""
    heads = ["", *(HEADS[column] for column in columns)]
    if with_ratio:
        heads.insert(2, "ratio")
    lines = [heads]
    base = middle(rows[0], columns[0]) if rows else 0.0
    for row in rows:
        name = row.name + (" *" if row.other_prior else "")
        if not row.done:
            lines.append([name, f"failed: {row.why}"])
            continue
        cells = [cell(row, column) for column in columns]
        if with_ratio:
            ratio = middle(row, columns[0]) / base if base else 0.0
            cells.insert(1, f"{ratio:.3g}" if ratio else "")
        failed = len(row.runs) - len(row.done)
        stopped = sum(getattr(run, "stopped", False) for run in row.done)
        if failed or stopped:
            said = [f"{failed} keys failed"] * bool(failed)
            said += [f"{stopped} stopped at the limit"] * bool(stopped)
            name += f" ({', '.join(said)})"
        lines.append([name, *cells])
    return lines


def aligned(lines: Sequence[Sequence[str]]) -> str:
    full = [line for line in lines if len(line) == len(lines[0])]
    widths = [max(len(cell) for cell in column) for column in zip(*full, strict=True)]
    widths[0] = max(len(line[0]) for line in lines)
    return "\n".join(
        "  ".join(part.ljust(width) for part, width in zip(line, widths, strict=False)).rstrip()
        for line in lines
    )


def records(results: Results) -> Iterable[dict[str, Any]]:
    """A line for each row: medians over keys, with least and greatest."""
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
    reference = results.reference

    found = {
        "version": VERSION,
        "model": results.model,
        "command": results.command,
        "date": results.date,
        "versions": dict(results.versions),
        "options": asdict(results.options),
        "dims": results.dims,
        "reference": None
        if reference is None
        else {"how": reference.how, "exact": reference.exact, "least_ess": reference.least_ess},
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
    """One table of all rows; columns of the other method are empty."""
    rows = list(records(results))
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
