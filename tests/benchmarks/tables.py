"""What `problems` keeps of its runs, and the tables of it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Collection
from pathlib import Path
from typing import Any

from reparam_rewrite.benchmarking.tables import short
from tests.benchmarks.data import PROBLEMS

#: The names of the last row, of the config that has one line, and of that which `tune` writes.
IDEAL, CONDITIONAL, TUNED = "N(0, I)", "conditional.toml", "tuned.toml"

#: What is compared with the model as written.
KINDS = ("tuned", "conditional", "config", "rival")

#: The kinds of rows that a column of the short table is of.
COLUMNS = (("plain",), ("tuned",), ("conditional", "config"), ("rival",), ("ideal",))

RESULTS = Path(__file__).parent / "results"

#: Of the columns of NUTS, what the tables show.
SHOWN = {
    "least_ess_per_1000_gradients": "least ESS / 1,000 gradients",
    "least_ess_per_1000_gradients_all_in": "all in",
    "least_ess_per_second": "least ESS / s",
    "least_ess_per_second_all_in": "all in",
    "divergences": "divergences",
    "rhat": "R-hat",
    "worst": "site of the least ESS",
}

SHOWN_SVI = {
    "elbo": "ELBO",
    "least_sd_ratio": "least sd / reference",
    "median_sd_ratio": "median",
    "greatest_sd_ratio": "greatest",
    "seconds": "seconds",
}


def keep(name: str, found: dict[str, Any], more: list[str], only: list[str]) -> None:
    """Write what the tables need; rows that weren't run stay as they were."""
    path = RESULTS / f"{name}.json"
    found["command"] = " ".join(["python -m tests.benchmarks.problems", name, *more])
    if only and path.exists():
        found = merged(json.loads(path.read_text()), found)
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(rounded(found), indent=1, ensure_ascii=False) + "\n")


def merged(before: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """New rows in the place of those of the same name. What was said of all rows together goes."""
    lengths = {name: before["options"][name] for name in ("keys", "warmup", "draws")}
    for row in before["rows"]:
        row.setdefault("lengths", lengths)
        row.setdefault("date", before["date"])
    rows = {(row["method"], row["variant"]): row for row in [*before["rows"], *found["rows"]]}
    kinds = ("plain", *KINDS, "ideal")
    order = sorted(rows.values(), key=lambda row: kinds.index(row["kind"]))
    ratios = before["ratios"] | found["ratios"]
    return {**found, "rows": order, "ratios": ratios, "advice": [], "notes": []}


def rounded(value: Any) -> Any:
    """Floats have six digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list) else value


def kept() -> dict[str, Any]:
    """The results there are, in the order of the problems."""
    files = {name: RESULTS / f"{name}.json" for name in PROBLEMS}
    return {name: json.loads(file.read_text()) for name, file in files.items() if file.exists()}


def spread(row: dict[str, Any], column: str) -> str:
    """The median over keys, with the least and the greatest."""
    if column == "worst":
        return str(row.get(column, ""))
    middle, least, greatest = (row[f"{column}{what}"] for what in ("", "_min", "_max"))
    if column == "divergences":
        return f"{middle:.0f}" if least == greatest else f"{least:.0f} to {greatest:.0f}"
    if column == "rhat":
        return f"{greatest:.3f}"
    if column == "elbo":
        return f"{middle:,.1f} ({least:,.1f} to {greatest:,.1f})"
    ends = "" if least == greatest else f" ({short(least)} to {short(greatest)})"
    return short(middle) + ends


def counted(keys: int) -> str:
    return f"{keys} key{'s' * (keys > 1)}"


def cells_of(
    rows: list[dict[str, Any]], columns: dict[str, str], options: dict[str, Any]
) -> list[list[str]]:
    """A table: its heads and rows. One that was run for other lengths than `options` says so."""
    made = [["", *columns.values()]]
    for row in rows:
        name = row["variant"] + (" *" if row["other_prior"] else "")
        lengths = row.get("lengths", {})
        if any(options[what] != length for what, length in lengths.items()):
            name += f", {counted(lengths['keys'])}, {lengths['warmup']} + {lengths['draws']} draws"
        if row["failed"]:
            made.append([name, row["failed"], *[""] * (len(columns) - 1)])
        else:
            made.append([name, *(spread(row, column) for column in columns)])
    return made


def lines_of(cells: list[list[str]]) -> list[str]:
    """A table of Markdown."""
    heads, *rows = [f"| {' | '.join(row)} |" for row in cells]
    return [heads.replace("|  |", "| |", 1), "|---|" + "---:|" * (len(cells[0]) - 1), *rows]


def lines_of_sites(ratios: dict[str, list[dict[str, list[float]]]]) -> list[str]:
    """The sd of each site's median element as a part of the reference's: medians over keys."""
    sites = list(next(iter(ratios.values()))[0])
    made = ["| | " + " | ".join(sites) + " |", "|---|" + "---:|" * len(sites)]
    for variant, keys in ratios.items():
        cells = [short(statistics.median(key[site][1] for key in keys)) for site in sites]
        made.append(f"| {variant} | " + " | ".join(cells) + " |")
    return made


def full_tables() -> str:
    """results/README.md: every row of every problem."""
    parts = [
        "# What offsets are worth, and what else there is",
        "Written by `python -m tests.benchmarks.problems tables` from the files beside this one. "
        "Figures are\nmedians over keys, with the least and the greatest; R-hat is the greatest, "
        '"all in" counts warm-up,\npilots and training too, and in seconds compiling. * is another '
        "prior, and so another posterior.",
    ]
    for name, found in kept().items():
        options = found["options"]
        dates = sorted({row.get("date", found["date"]) for row in found["rows"]})
        made = " to ".join(dict.fromkeys([dates[0], dates[-1]]))
        versions = ", ".join(f"{package} {number}" for package, number in found["versions"].items())
        parts += [
            f"## {name}",
            f"`{found['command']}`, {made}:\n{found['dims']:,} dims, "
            f"{options['chains']} chains of {options['warmup']} + {options['draws']} draws, "
            f"{counted(options['keys'])}; {versions}.",
        ]
        for method, columns in (("nuts", SHOWN), ("svi", SHOWN_SVI)):
            rows = [row for row in found["rows"] if row["method"] == method]
            if rows:
                title = "NUTS" if method == "nuts" else "SVI"
                if method == "svi" and found["reference"]:
                    title += f"; the reference is {found['reference']['how']}"
                parts += [title, "\n".join(lines_of(cells_of(rows, columns, options)))]
        if found["ratios"]:
            title = (
                "sd of the guide as a part of the reference's, at the median element of each site"
            )
            parts += [title, "\n".join(lines_of_sites(found["ratios"]))]
        notes = [f"- {note}" for note in found["notes"] if "were kept in" not in note]
        parts.append("\n".join([*(f"- {sentence}" for sentence in found["advice"]), *notes]))
    return "\n\n".join(parts) + "\n"


def short_table() -> str:
    """The table of docs/benchmarks.md: what is best of each kind for each problem, all in."""
    column, seconds = "least_ess_per_1000_gradients_all_in", "least_ess_per_second_all_in"
    made = [
        "| | as written | tuned | best other config | best rival | N(0, I) "
        "| tuned, per second | best rival, per second |",
        "|---|---:|---|---|---|---:|---|---|",
    ]
    for name, found in kept().items():
        rows = [row for row in found["rows"] if row["method"] == "nuts"]
        cells = [best(rows, kinds, column) for kinds in COLUMNS]
        cells += [best(rows, kinds, seconds) for kinds in (("tuned",), ("rival",))]
        made.append(f"| {name}: {found['dims']:,} dims | {' | '.join(cells)} |")
    return "\n".join(made) + "\n"


def comparable(row: dict[str, Any]) -> bool:
    return not row["failed"] and not row["other_prior"]


def best(rows: list[dict[str, Any]], kinds: Collection[str], column: str) -> str:
    """The best of some kinds by a column, and how many times that of the model as written it is."""
    done = [row for row in rows if comparable(row)]
    plain = next((row for row in done if row["kind"] == "plain"), None)
    of = [row for row in done if row["kind"] in kinds]
    if not of:
        return "didn't end" if any(row["kind"] in kinds for row in rows) else "not run"
    row = max(of, key=lambda row: row[column])
    if not {*kinds} & {*KINDS}:
        return spread(row, column)
    ratio = f", {short(row[column] / plain[column])} times" if plain else ""
    name = row["variant"].removeprefix(TUNED).lstrip(", ")
    return f"{name}: ".removeprefix(": ") + spread(row, column) + ratio
