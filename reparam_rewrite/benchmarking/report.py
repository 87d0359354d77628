"""One page of HTML with everything in it: tables, plots, diffs and the advice."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from reparam_rewrite.benchmarking.tables import figures, headline, sections
from reparam_rewrite.benchmarking.values import Results, Row

STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; max-width: 84rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; font-size: 14px; display: block; overflow-x: auto }
td, th { padding: .25rem .6rem; border-bottom: 1px solid #ccc }
td, th { text-align: left; white-space: nowrap }
pre { font-size: 13px; overflow-x: auto; background: #f6f6f6; padding: .6rem }
ins { text-decoration: none; color: #116329 } del { text-decoration: none; color: #a40e26 }
img { max-width: 100% } code { font-size: 14px }
@media (prefers-color-scheme: dark) {
  body { background: #16181c; color: #e4e4e4 } pre { background: #22252b }
  td, th { border-color: #444 } ins { color: #6fd08c } del { color: #ff8f8f }
  img { background: #fff }
}
"""


def page(results: Results, advice: Sequence[str]) -> str:
    """The page as HTML; it needs no other file and no network."""
    title = escape(f"{results.model}: which parameterization?")
    return "\n".join(
        [
            "<!DOCTYPE html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<style>{STYLE}</style></head><body>",
            f"<h1>{title}</h1>",
            f"<pre>{escape(headline(results))}</pre>",
            *listed("Advice", advice),
            *tables(results),
            *diffs([*results.nuts, *results.svi]),
            *listed("Notes", results.notes),
            "</body></html>\n",
        ]
    )


def listed(head: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"<h2>{head}</h2><ul>"
        yield from (f"<li>{escape(line)}</li>" for line in lines)
        yield "</ul>"


def tables(results: Results) -> Iterator[str]:
    for title, how, lines in sections(results):
        yield f"<h2>{title}</h2><p>{escape(how)} * is another prior.</p>"
        yield from html_table(lines)
        if title == "NUTS":
            yield plot_of_ess(results.nuts)
        else:
            yield plot_of_elbos(results.svi)
            if results.reference is not None:
                yield plot_of_sds(results.svi)


def html_table(lines: Sequence[Sequence[str]]) -> Iterator[str]:
    heads, *rows = lines
    yield "<table><tr>" + "".join(f"<th>{escape(head)}</th>" for head in heads) + "</tr>"
    for row in rows:
        span = f' colspan="{len(heads) - 1}"' if len(row) < len(heads) else ""
        cells = (f"<td{span * (at > 0)}>{escape(cell)}</td>" for at, cell in enumerate(row))
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</table>"


def diffs(rows: Sequence[Row]) -> Iterator[str]:
    """Each once, under the name of the first row that has it."""
    names: dict[str, str] = {}
    for row in rows:
        names.setdefault(row.diff, row.name)
    for diff, name in names.items():
        if diff:
            yield f"<h2>The diff of {escape(name)}</h2><pre>"
            for line in diff.splitlines():
                tag = {"+": "ins", "-": "del"}.get(line[:1])
                yield f"<{tag}>{escape(line)}</{tag}>" if tag else escape(line)
            yield "</pre>"


def plot_of_ess(rows: Sequence[Row]) -> str:
    """A point for each key, on a scale of logs."""
    figure, axes = subplots(rows, 2)
    heads = {
        "least_ess_per_1000_gradients": "least ESS per 1,000 gradients",
        "least_ess_per_second": "least ESS per second",
    }
    for ax, (column, head) in zip(axes, heads.items(), strict=True):
        for at, row in by_row(ax, rows):
            values = figures(row, column)
            mark = "o" if not row.other_prior else "x"
            ax.plot(values, [at] * len(values), mark, color="tab:blue", alpha=0.7)
        ax.set_ylim(-0.6, len(rows) - 0.4)
        ax.grid(axis="x", alpha=0.3)
        ax.set_xlabel(head)
        if any(value > 0 for row in rows for value in figures(row, column)):
            ax.set_xscale("log")
    axes[1].set_yticklabels([])
    return image(figure, "The least effective sample size of each variant, a point for each key.")


def plot_of_sds(rows: Sequence[Row]) -> str:
    """From the least to the greatest ratio, with the median as a point."""
    figure, (ax,) = subplots(rows, 1)
    for at, row in by_row(ax, rows):
        for run in row.done:
            ax.plot([run.least, run.greatest], [at, at], color="tab:blue", alpha=0.5, linewidth=2)
            ax.plot([run.median], [at], "o", color="tab:blue", alpha=0.7)
    ax.axvline(1, color="grey", linewidth=1)
    ax.set_xscale("log")
    ax.set_xlabel("sd of the guide / sd of the reference: least, median, greatest element")
    return image(figure, "How wide each guide is, of the reference's width.")


def plot_of_elbos(rows: Sequence[Row]) -> str:
    """Of the first key; what lies far below the best at the end is cut off."""
    figure, (ax,) = subplots(rows, 1, height=4)
    ends = []
    for row in rows:
        for run in row.done[:1]:
            ax.plot(np.linspace(0, 1, len(run.trace)), run.trace, label=row.name, linewidth=1)
            ends.append(run.elbo)
    if ends:
        room = max(max(ends) - min(ends), 1.0)
        ax.set_ylim(min(ends) - room, max(ends) + 0.2 * room)
        ax.legend(fontsize=8)
    ax.set_xlabel("part of the steps")
    ax.set_ylabel("ELBO")
    return image(figure, "The ELBO of each guide on the way, for the first key.")


def subplots(rows: Sequence[Row], columns: int, height: float = 0.0) -> tuple[Figure, Any]:
    """A figure that is as high as its rows need, if no height is given."""
    figure = Figure(figsize=(10, height or 0.4 * len(rows) + 1.4), layout="constrained")
    return figure, figure.subplots(1, columns, squeeze=False)[0]


def by_row(ax: Any, rows: Sequence[Row]) -> Iterator[tuple[int, Row]]:
    """The rows from the lowest on, with their places on the axis, which has their names."""
    ax.set_yticks(range(len(rows)), [row.name for row in reversed(rows)])
    yield from enumerate(reversed(rows))


def image(figure: Figure, said: str) -> str:
    # The same figures give the same page: no date, and ids that are no random numbers.
    with matplotlib.rc_context({"svg.hashsalt": "reparam-rewrite"}):
        stream = io.BytesIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    data = base64.b64encode(stream.getvalue()).decode()
    return f'<p><img alt="{escape(said)}" src="data:image/svg+xml;base64,{data}"></p>'
