"""Plots as lists: each row has its name, its figure and a strip with a mark for every key.

Strips are SVG whose places are percentages, so that they are as wide as the reader's screen and
their text keeps its size. Their colours are those of the page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from reparam_rewrite.benchmarking.tables import cell, figures, short
from reparam_rewrite.benchmarking.values import Row
from reparam_rewrite.pages import shown

T = TypeVar("T")

STYLE = """\
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr));
  gap: 0 2.5rem }
figure { margin: 1rem 0; min-width: 0 } figcaption { font-weight: 600 }
figcaption small { display: block; font-weight: normal; font-size: 14px }
figure ul { list-style: none; margin: .5rem 0 0; padding: 0 }
figure li { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem;
  font-size: 14px; padding-top: .3rem; border-top: 1px solid var(--line) }
li > span + span { margin-left: auto }
li > span { overflow-wrap: anywhere; font-variant-numeric: tabular-nums }
.strip { display: block; width: 100%; height: 20px } .high { height: 44px }
.axis { display: block; width: 100%; height: 18px; overflow: visible;
  border-top: 1px solid var(--line) }
.axis text { font-size: 12px; fill: var(--soft); text-anchor: middle }
.strip line { stroke: var(--line) } .strip .one { stroke: var(--soft) }
.strip circle, .legend circle { fill: var(--mark); stroke: var(--mark); stroke-width: 1.5 }
.strip .range { stroke: var(--mark); stroke-width: 2 }
.strip path { fill: none; stroke: var(--mark); stroke-width: 1.2 }
svg.plain { --mark: var(--soft) }
svg.rival circle, svg.other circle { fill: var(--back) }
svg.other circle { stroke-dasharray: 2 }
.legend { width: 12px; height: 12px; margin-left: 1rem; vertical-align: -1px }
.legend:first-child { margin-left: 0 }
@media print { .plots { grid-template-columns: 1fr 1fr } }
"""

#: The kinds of rows, which have marks of their own.
KINDS = {"config": "a config", "plain": "as written", "rival": "a rival", "other": "another prior"}


class Axis(NamedTuple):
    """A scale of logs between two numbers."""

    low: float
    high: float

    def at(self, value: float) -> str:
        part = (math.log10(value) - self.low) / (self.high - self.low) if value > 0 else 0.0
        return f"{100 * min(max(part, 0), 1):.2f}%"

    @property
    def ticks(self) -> list[float]:
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        every = math.ceil(len(powers) / 6)
        return [
            base * math.pow(10, power)
            for power in powers
            for base in ((1, 2, 5) if len(powers) < 5 else (1,))
            if power % every == 0 and self.low <= math.log10(base) + power <= self.high
        ]

    @classmethod
    def of(cls, values: Iterable[float]) -> Axis:
        """That all of them are on, with some room."""
        logs = [math.log10(value) for value in values if 0 < value < math.inf] or [0.0]
        room = max(0.06 * (max(logs) - min(logs)), 0.1)
        return cls(min(logs) - room, max(logs) + room)


def plots_of_nuts(rows: Sequence[Row]) -> str:
    ess = ("least_ess_per_1000_gradients", "1,000 gradients"), ("least_ess_per_second", "second")
    drawn = "".join(plot_of_ess(rows, column, per) for column, per in ess)
    return f'<div class="plots">\n{drawn}</div>\n<p class="soft">{legend(rows)}</p>\n'


def plots_of_svi(rows: Sequence[Row], compared: bool) -> str:
    drawn = plot_of_elbos(rows) + (plot_of_sds(rows) if compared else "")
    return f'<div class="plots">\n{drawn}</div>\n'


def plot_of_ess(rows: Sequence[Row], column: str, per: str) -> str:
    """A point for each key, on a scale of logs."""
    axis = Axis.of(value for row in rows for value in figures(row, column))

    def strip(row: Row) -> Iterator[str]:
        for y, value in down(figures(row, column)):
            yield f'<circle cx="{axis.at(value)}" cy="{y}" r="4"/>'

    said = (
        "that of the element with the least: a point for each random key, further right is better"
    )
    return plot(rows, f"Least ESS for each {per}", said, column, strip, axis)


def plot_of_sds(rows: Sequence[Row]) -> str:
    """From the least to the greatest ratio, with the median as a point."""
    axis = Axis.of([1.0, *(v for row in rows for run in row.done for v in sds(run))])

    def strip(row: Row) -> Iterator[str]:
        yield f'<line class="one" x1="{axis.at(1)}" x2="{axis.at(1)}" y2="100%"/>'
        for y, run in down(row.done):
            least, median, greatest = map(axis.at, sds(run))
            yield f'<line class="range" x1="{least}" x2="{greatest}" y1="{y}" y2="{y}"/>'
            yield f'<circle cx="{median}" cy="{y}" r="3"/>'

    said = (
        "for each random key the median element as a point, with the least and the greatest; 1, "
        "the line, is the reference's width"
    )
    head = "sd of the guide, as a part of the reference's"
    return plot(rows, head, said, "median_sd_ratio", strip, axis)


def sds(run: Any) -> tuple[float, float, float]:
    return run.least, run.median, run.greatest


def plot_of_elbos(rows: Sequence[Row]) -> str:
    """On the way; what lies far below the best at the end is cut off."""
    ends: list[float] = [run.elbo for row in rows for run in row.done if math.isfinite(run.elbo)]
    ends = ends or [0.0]
    room = max(max(ends) - min(ends), 1.0)
    low, high = min(ends) - room, max(ends) + 0.2 * room

    def y(value: float) -> float:
        return 100 * (high - value) / (high - low)

    def strip(row: Row) -> Iterator[str]:
        yield f'<line class="one" x2="100%" y1="{y(max(ends)):.1f}%" y2="{y(max(ends)):.1f}%"/>'
        for run in row.done:
            last = max(len(run.trace) - 1, 1)
            points = " ".join(
                f"{100 * at / last:.1f},{y(value):.1f}"
                for at, value in enumerate(run.trace)
                if math.isfinite(value)
            )
            path = f'<path vector-effect="non-scaling-stroke" d="M{points}"/>' if points else ""
            yield f'<svg viewBox="0 0 100 100" preserveAspectRatio="none">{path}</svg>'

    said = (
        "on the way through the steps, a curve for each random key; each strip is from "
        f"{low:,.0f} to {high:,.0f}, and the line is the best at the end"
    )
    return plot(rows, "ELBO", said, "elbo", strip)


def plot(
    rows: Sequence[Row],
    head: str,
    said: str,
    column: str,
    strip: Callable[[Row], Iterator[str]],
    axis: Axis | None = None,
) -> str:
    """A figure with a strip for each row that has figures, and the axis below them."""
    rows = [row for row in rows if row.done]
    if not rows:
        return ""
    ticks = [(axis.at(value), value) for value in axis.ticks] if axis is not None else []
    grid = "".join(f'<line x1="{x}" x2="{x}" y2="100%"/>' for x, _ in ticks)
    lines = [f"<figure><figcaption>{head} <small>{said}</small></figcaption><ul>"]
    for row in rows:
        each = ", ".join(map(short, figures(row, column)))
        high, kind = "" if ticks else " high", "other" if row.other_prior else row.kind
        lines.append(
            f"<li><span>{shown(row.name)}</span> <span>{cell(row, column)}</span>"
            f'<svg class="strip{high} {kind}" role="img" aria-label="{head}: {each}">'
            f"{grid}{''.join(strip(row))}</svg></li>"
        )
    lines.append("</ul>")
    if ticks:
        texts = (f'<text x="{x}" y="14">{value:,.10g}</text>' for x, value in ticks)
        lines.append(f'<svg class="axis" aria-hidden="true">{"".join(texts)}</svg>')
    return "\n".join([*lines, "</figure>\n"])


def legend(rows: Sequence[Row]) -> str:
    """What the marks are, of the kinds that there are."""
    there = {"other" if row.other_prior else row.kind for row in rows if row.done}
    mark = '<svg class="legend {}" aria-hidden="true"><circle cx="6" cy="6" r="4"/></svg> {}'
    return " ".join(mark.format(kind, name) for kind, name in KINDS.items() if kind in there)


def down(values: Sequence[T]) -> Iterator[tuple[str, T]]:
    """Each with its place between the top and the bottom of a strip."""
    for at, value in enumerate(values, 1):
        yield f"{15 + 70 * (at - 0.5) / len(values):.0f}%", value
