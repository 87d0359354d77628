"""The figures of the site as SVG that has the colours of its theme."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "tests" / "benchmarks" / "results"

LEAST = "least_ess_per_1000_gradients_all_in"
PER_SECOND = "least_ess_per_second_all_in"

#: What is compared with the model as written: a class of the style sheet, and what it is called.
SERIES = {
    "tuned": (("tuned",), "what tune writes"),
    "config": (("conditional", "config"), "best other config"),
    "rival": (("rival",), "best rival"),
}

WIDTH, LEFT, RIGHT = 720, 120, 60


def results() -> dict[str, dict[str, Any]]:
    """What `tests.benchmarks.problems` kept, by problem."""
    files = [file for file in RESULTS.glob("*.json") if file.stem != "tuned"]
    return {file.stem: json.loads(file.read_text()) for file in sorted(files)}


def times(rows: Sequence[dict[str, Any]], kinds: Sequence[str], column: str) -> float | None:
    """How many times the model as written the best of some kinds has, by a column."""
    done = [r for r in rows if r["method"] == "nuts" and not r["failed"] and not r["other_prior"]]
    plain = next((row[column] for row in done if row["kind"] == "plain"), None)
    found = [row[column] for row in done if row["kind"] in kinds]
    return max(found) / plain if plain and found else None


def worth(column: str, series: Sequence[str] = tuple(SERIES), ended: int = 2) -> str:
    """Of each problem, what is best of each kind, on a logarithmic axis from the model as written.

    A problem of which fewer kinds than `ended` ended has no bars to compare.
    """
    found = {
        name: {key: times(one["rows"], SERIES[key][0], column) for key in series}
        for name, one in results().items()
    }
    found = {n: f for n, f in found.items() if sum(v is not None for v in f.values()) >= ended}
    names = sorted(found, key=lambda name: -max(v or 0 for v in found[name].values()))
    groups = [(name.replace("_", " "), list(found[name].items())) for name in names]
    what = "a second" if column == PER_SECOND else "1,000 gradients"
    return bars(groups, f"Least effective sample size for {what}, as written = 1")


def models() -> str:
    """Of each model that `tune` rewrites, how many times the model as written it has."""
    from statistics import median

    kept = json.loads((RESULTS / "tuned.json").read_text())["rows"]

    def least(runs: Sequence[dict[str, Any]]) -> float:
        return median(1000 * run["least"] / run["gradients"] for run in runs)

    ratios = {r["name"]: least(r["tuned"]) / least(r["plain"]) for r in kept if r["tuned"]}
    groups = [
        (name.replace("_", " "), [("tuned", ratios[name])])
        for name in sorted(ratios, key=lambda name: -ratios[name])
    ]
    return bars(groups, "Least effective sample size for 1,000 gradients, as written = 1", 14)


def bars(
    groups: list[tuple[str, list[tuple[str, float | None]]]], title: str, height: int = 13
) -> str:
    """Horizontal bars on a logarithmic axis, which begin at 1."""
    values = [value for _, group in groups for _, value in group if value]
    low = min(0, math.floor(math.log10(min(values)) * 2) / 2)
    high = max(1, math.ceil(math.log10(max(values))))
    across = WIDTH - LEFT - RIGHT

    def x(value: float) -> float:
        return LEFT + across * (math.log10(value) - low) / (high - low)

    top, drawn = 44, []
    used = list(dict.fromkeys(key for _, group in groups for key, _ in group))
    for name, group in groups:
        middle = top + height * len(group) / 2
        drawn.append(label(LEFT - 8, middle, name, "end"))
        for key, value in group:
            if value is None:
                drawn.append(label(x(1) + 4, top + height / 2, "not run, or didn't end", "start"))
            else:
                ends = sorted((x(1), x(value)))
                drawn.append(
                    f'<rect class="{key}" x="{ends[0]:.1f}" y="{top + 1}" '
                    f'width="{ends[1] - ends[0]:.1f}" height="{height - 2}"/>'
                )
                drawn.append(label(ends[1] + 4, top + height / 2, number(value), "start"))
            top += height
        top += 8 if len(group) > 1 else 2
    ticks = [10**n for n in range(math.ceil(low), high + 1)]
    lines = [
        f'<line x1="{x(t):.1f}" x2="{x(t):.1f}" y1="38" y2="{top}"/>'
        + label(x(t), 30, f"{t:,g}", "middle")
        for t in ticks
    ]
    key = legend(used) if len(used) > 1 else ""
    head = label(LEFT, 10, title, "start")
    return framed(svg(top + 4, title, head + "".join(lines) + "".join(drawn))) + key


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def label(x: float, y: float, said: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(said)}</text>'


def legend(used: Sequence[str]) -> str:
    parts = [f'<span class="{key}"></span>{SERIES[key][1]}' for key in used]
    return f'\n<p class="key">{" ".join(f"<span>{part}</span>" for part in parts)}</p>'


def svg(height: float, title: str, inner: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" '
        f'aria-label="{escape(title)}">{inner}</svg>'
    )


def framed(drawn: str) -> str:
    """A figure in what scrolls where the page is narrow."""
    return f'<div class="figure">{drawn}</div>'


def figure(name: str) -> str:
    """A figure that a script drew from draws: `docs/making/valley.py`."""
    return framed((ROOT / "docs" / "assets" / "figures" / f"{name}.svg").read_text())


CHARTS: dict[str, Callable[[], str]] = {
    "short": partial(worth, LEAST, ("tuned", "rival")),
    "gradients": partial(worth, LEAST),
    "seconds": partial(worth, PER_SECOND),
    "models": models,
}
