"""The problems that this project stands on, each measured by ``reparam-rewrite bench`` itself.

    python -m tests.benchmarks.problems NAME [--folder FOLDER] [--keep] [OPTIONS OF BENCH...]
    python -m tests.benchmarks.problems tables

The model, its data and its configs are written into the folder, build/problems/NAME if none is
named, and `bench` runs there with the options that are the problem's, and those behind its name.
Finished runs are kept there: the same command goes on from them. With --keep the figures go to
results/NAME.json beside this file; `tables` makes results/README.md of all of those, and the table
in docs/fit-and-bench.md.

    tensor        8 x 6 x 10, fixed scales: the posterior is normal, and exactly known
    tensor_large  30 x 20 x 50 of the same, 3,201 dims: a dense mass matrix is out of reach
    penicillin    24 plates crossed with 6 samples (lme4)
    insteval      ratings of the 60 lecturers who have the most, by the students who rated 10 (lme4)
    radon         919 houses in 85 counties, varying intercepts and slopes (Gelman and Hill 2006)
    sleepstudy    18 people on 10 days, varying intercepts and slopes (lme4)
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from reparam_rewrite.bench.tables import short
from tests.benchmarks import gaussian_tensor, suggestions
from tests.support.cases import FIXTURES
from tests.support.cli import ROOT

Arguments = suggestions.Arguments

EXAMPLE = '''\
"""The data beside this file."""

from pathlib import Path

import numpy as np


def example_args():
    """The arguments of one call of the model: (args, kwargs)."""
    with np.load(Path(__file__).with_name("data.npz")) as data:
        found = {name: data[name] if data[name].ndim else data[name].item() for name in data}
    args = sorted(name for name in found if name.startswith("arg_"))
    return tuple(found.pop(name) for name in args), found
'''

SLEEPSTUDY = '''\
"""Reaction times of people who are kept awake: a level and a slope for each of them."""

import numpyro
import numpyro.distributions as dist


def model(subject, days, n_subjects, reaction=None):
    """reaction: in ms."""
    level = numpyro.sample("level", dist.Normal(250, 50))
    slope = numpyro.sample("slope", dist.Normal(0, 20))
    sigma_a = numpyro.sample("sigma_a", dist.HalfNormal(50))
    sigma_b = numpyro.sample("sigma_b", dist.HalfNormal(20))
    sigma = numpyro.sample("sigma", dist.HalfNormal(50))
    with numpyro.plate("subjects", n_subjects):
        a = numpyro.sample("a", dist.Normal(0, sigma_a))
        b = numpyro.sample("b", dist.Normal(0, sigma_b))
    mean = level + a[subject] + (slope + b[subject]) * days
    with numpyro.plate("observations", len(subject)):
        numpyro.sample("reaction", dist.Normal(mean, sigma), obs=reaction)
'''

INSTEVAL = '''\
"""Ratings of lectures: students, lecturers and departments are crossed."""

import numpyro
import numpyro.distributions as dist


def model(student, lecturer, dept, n_students, n_lecturers, n_depts, rating=None):
    mu = numpyro.sample("mu", dist.Normal(3, 2))
    sigma_student = numpyro.sample("sigma_student", dist.HalfNormal(1))
    sigma_lecturer = numpyro.sample("sigma_lecturer", dist.HalfNormal(1))
    sigma_dept = numpyro.sample("sigma_dept", dist.HalfNormal(1))
    sigma = numpyro.sample("sigma", dist.HalfNormal(2))
    with numpyro.plate("students", n_students):
        a = numpyro.sample("a", dist.Normal(0, sigma_student))
    with numpyro.plate("lecturers", n_lecturers):
        b = numpyro.sample("b", dist.Normal(0, sigma_lecturer))
    with numpyro.plate("depts", n_depts):
        c = numpyro.sample("c", dist.Normal(0, sigma_dept))
    mean = mu + a[student] + b[lecturer] + c[dept]
    with numpyro.plate("ratings", len(student)):
        numpyro.sample("rating", dist.Normal(mean, sigma), obs=rating)
'''


def tensor_data(sizes: tuple[int, int, int]) -> Arguments:
    """A draw of the model: random walks over the last axis, noise of 0.1."""
    rng = np.random.default_rng(0)
    n_i, n_j, n_t = sizes

    def walks(scale: float, *shape: int) -> Any:
        return np.cumsum(scale * rng.normal(size=shape), axis=-1)

    a, b, c = rng.normal(size=n_i), rng.normal(size=n_j), 0.5 * rng.normal(size=(n_i, n_j))
    mean = 5 + a[:, None, None] + b[:, None] + c[:, :, None] + walks(0.5, n_t)
    mean = mean + walks(0.3, n_i, n_t)[:, None] + walks(0.3, n_j, n_t)
    return sizes, {"y": mean + 0.1 * rng.normal(size=sizes)}


def sleepstudy() -> Arguments:
    from mixedlm.datasets import load_sleepstudy

    data = load_sleepstudy()
    names, subject = np.unique(data["Subject"].to_numpy(str), return_inverse=True)
    days = data["Days"].to_numpy(float)
    return (subject, days, len(names)), {"reaction": data["Reaction"].to_numpy(float)}


def insteval() -> Arguments:
    from mixedlm.datasets import load_insteval

    data = load_insteval()
    busiest = data["d"].value_counts().index[:60]
    data = data[data["d"].isin(busiest)]
    counts = data["s"].value_counts()
    data = data[data["s"].isin(counts.index[counts >= 10])]
    codes, sizes = [], []
    for column in ("s", "d", "dept"):
        names, code = np.unique(data[column].to_numpy(str), return_inverse=True)
        codes.append(code)
        sizes.append(len(names))
    return (*codes, *sizes), {"rating": data["y"].to_numpy(float)}


@dataclass(frozen=True)
class Problem:
    """A model, its data, configs by file name, and the options of `bench`.

    Without a config, that of `suggest --args` is taken, suggested.toml.
    """

    model: str
    data: Callable[[], Arguments]
    configs: dict[str, str] = field(default_factory=dict)
    options: str = ""


CHAINS = {
    "chain.toml": gaussian_tensor.CHAIN,
    "chain_dct.toml": gaussian_tensor.CHAIN + gaussian_tensor.DCT,
    "chain_all_dct.toml": gaussian_tensor.CHAIN + gaussian_tensor.DCT_OF_ALL,
}

CROSSED = (FIXTURES / "crossed" / "offsets.toml").read_text()

PROBLEMS = {
    "tensor": Problem(
        gaussian_tensor.MODEL,
        lambda: tensor_data((8, 6, 10)),
        CHAINS,
        "--svi --pilot laplace",
    ),
    "tensor_large": Problem(
        gaussian_tensor.MODEL,
        lambda: tensor_data((30, 20, 50)),
        {name: CHAINS[name] for name in ("chain_dct.toml", "chain_all_dct.toml")},
        # The limit is what each has: without it the model as written takes hours to converge.
        "--pilot laplace --keys 1 --draws 700 --warmup 300 --limit 200",
    ),
    "penicillin": Problem(
        (FIXTURES / "crossed" / "model.py").read_text(),
        suggestions.penicillin,
        {"offsets.toml": CROSSED, "basis.toml": f'{CROSSED}\n[sites.a_plate]\nbasis = "dct"\n'},
        "--keys 5",
    ),
    "insteval": Problem(INSTEVAL, insteval, options="--draws 200 --warmup 200"),
    "radon": Problem((FIXTURES / "suggest" / "radon" / "model.py").read_text(), suggestions.radon),
    "sleepstudy": Problem(SLEEPSTUDY, sleepstudy),
}


def written(problem: Problem, folder: Path) -> list[str]:
    """Write everything into the folder; the names of the configs."""
    folder.mkdir(parents=True, exist_ok=True)
    args, kwargs = problem.data()
    (folder / "model.py").write_text(problem.model)
    (folder / "example.py").write_text(EXAMPLE)
    numbered = {f"arg_{at}": value for at, value in enumerate(args)}
    np.savez(folder / "data.npz", **numbered, **kwargs)
    configs = dict(problem.configs)
    if not configs:
        words = ["suggest", "model.py", "--args", "example.py:example_args"]
        configs["suggested.toml"] = program(folder, *words, capture=True)
    for name, text in configs.items():
        (folder / name).write_text(text)
    return list(configs)


def program(folder: Path, *words: str, capture: bool = False) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "reparam_rewrite", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE if capture else None,
        check=True,
        text=True,
    )
    return ran.stdout or ""


# -- figures that are kept -------------------------------------------------------------------------

RESULTS = Path(__file__).parent / "results"

#: Of the columns of NUTS, what the tables show.
SHOWN = {
    "least_ess_per_1000_gradients": "least ESS / 1,000 gradients",
    "least_ess_per_1000_gradients_all_in": "all in",
    "least_ess_per_second": "least ESS / s",
    "least_ess_per_second_all_in": "all in",
    "divergences": "divergences",
    "rhat": "R-hat",
}

SHOWN_SVI = {
    "elbo": "ELBO",
    "least_sd_ratio": "least sd / reference",
    "median_sd_ratio": "median",
    "greatest_sd_ratio": "greatest",
    "seconds": "seconds",
}


def keep(name: str, text: str, more: list[str]) -> None:
    """What the tables need of the JSON that `bench` printed."""
    found = json.loads(text)
    runs = found.pop("runs")["svi"]
    found["command"] = " ".join(["python -m tests.benchmarks.problems", name, *more])
    found["ratios"] = {  # by site: the least, median and greatest sd of each key
        variant: [run["ratios"] for run in of if run["ratios"]]
        for variant, of in runs.items()
        if any(run["ratios"] for run in of)
    }
    RESULTS.mkdir(exist_ok=True)
    made = json.dumps(rounded(found), indent=1, ensure_ascii=False)
    (RESULTS / f"{name}.json").write_text(made + "\n")


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


def number(value: float | None) -> str:
    return "" if value is None else short(value)


def spread(row: dict[str, Any], column: str) -> str:
    """The median over keys, with the least and the greatest."""
    middle, least, greatest = (row[f"{column}{what}"] for what in ("", "_min", "_max"))
    if column == "divergences":
        return f"{middle:.0f}" if least == greatest else f"{least:.0f} to {greatest:.0f}"
    if column == "rhat":
        return f"{greatest:.2f}"
    if column == "elbo":
        return f"{middle:,.1f} ({least:,.1f} to {greatest:,.1f})"
    ends = "" if least == greatest else f" ({short(least)} to {short(greatest)})"
    return short(middle) + ends


def lines_of(rows: list[dict[str, Any]], columns: dict[str, str]) -> list[str]:
    made = ["| | " + " | ".join(columns.values()) + " |", "|---|" + "---:|" * len(columns)]
    for row in rows:
        name = row["variant"] + (" *" if row["other_prior"] else "")
        if row["failed"]:
            cells = [row["failed"], *[""] * (len(columns) - 1)]
        else:
            cells = [spread(row, column) for column in columns]
        made.append(f"| {name} | " + " | ".join(cells) + " |")
    return made


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
        versions = ", ".join(f"{package} {number}" for package, number in found["versions"].items())
        parts += [
            f"## {name}",
            f"`{found['command']}`, {found['date']}:\n{found['dims']:,} dims, "
            f"{options['chains']} chains of {options['warmup']} + {options['draws']} draws, "
            f"{options['keys']} key{'s' * (options['keys'] > 1)}; "
            f"{versions}.",
        ]
        for method, columns in (("nuts", SHOWN), ("svi", SHOWN_SVI)):
            rows = [row for row in found["rows"] if row["method"] == method]
            if rows:
                title = "NUTS" if method == "nuts" else "SVI"
                if method == "svi" and found["reference"]:
                    title += f"; the reference is {found['reference']['how']}"
                parts += [title, "\n".join(lines_of(rows, columns))]
        if found["ratios"]:
            title = (
                "sd of the guide as a part of the reference's, at the median element of each site"
            )
            parts += [title, "\n".join(lines_of_sites(found["ratios"]))]
        notes = [f"- {note}" for note in found["notes"] if "were kept in" not in note]
        parts.append("\n".join([*(f"- {sentence}" for sentence in found["advice"]), *notes]))
    return "\n\n".join(parts) + "\n"


def short_table() -> str:
    """The table of docs/fit-and-bench.md: the best config and the best rival of each problem."""
    column, seconds = "least_ess_per_1000_gradients", "least_ess_per_second_all_in"
    made = [
        "| | as written | best config | best rival | best of all per second, all in |",
        "|---|---:|---|---|---|",
    ]
    for name, found in kept().items():
        rows = [row for row in found["rows"] if row["method"] == "nuts"]
        done = [row for row in rows if not row["failed"] and not row["other_prior"]]
        plain = next((row for row in done if row["kind"] == "plain"), None)

        def best(kind: str, rows: Any = rows, done: Any = done, plain: Any = plain) -> str:
            of = [row for row in done if row["kind"] == kind]
            if not of:
                return "none ended" if any(row["kind"] == kind for row in rows) else "not run"
            row = max(of, key=lambda row: row[column])
            ratio = f", {short(row[column] / plain[column])} times" if plain else ""
            return f"{row['variant']}: {spread(row, column)}{ratio}"

        fastest = max(done, key=lambda row: row[seconds])
        keys = found["options"]["keys"]
        of = f"{name}: {found['dims']:,} dims, {keys} key{'s' * (keys > 1)}, {found['date']}"
        shown = spread(plain, column) if plain else "didn't end"
        made.append(
            f"| {of} | {shown} | {best('config')} | {best('rival')} "
            f"| {fastest['variant']}: {spread(fastest, seconds)} |"
        )
    return "\n".join(made) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="tests.benchmarks.problems",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=[*PROBLEMS, "tables"])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--keep", action="store_true")
    chosen, more = parser.parse_known_args()
    if chosen.name == "tables":
        (RESULTS / "README.md").write_text(full_tables())
        print(short_table(), end="")
        return
    folder = chosen.folder or ROOT / "build" / "problems" / chosen.name
    problem = PROBLEMS[chosen.name]
    words = [word for name in written(problem, folder) for word in ("--config", name)]
    asked = f"--args example.py:example_args --nuts --fit {problem.options}"
    words += [*asked.split(), *more]
    if chosen.keep:
        text = program(folder, "bench", "model.py", *words, "--format", "json", capture=True)
        keep(chosen.name, text, more)
    else:
        program(folder, "bench", "model.py", *words)


if __name__ == "__main__":
    main()
