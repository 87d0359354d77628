"""The problems that this project stands on, each measured by ``reparam-rewrite bench`` itself.

    python -m tests.benchmarks.problems NAME [--folder FOLDER] [--only ROWS] [--keep] [OPTIONS...]
    python -m tests.benchmarks.problems tables

The model, its data and its configs are written into the folder, build/problems/NAME if none is
named, and `bench` runs there with the options that are the problem's, and those behind its name.
Finished runs are kept there: the same command goes on from them. --only takes the names of configs
and `rivals`, with commas in between: the model as written and these are run. With --keep the
figures go to results/NAME.json beside this file, where they take the place of those of the same
rows; `tables` makes results/README.md of all of those, and the table in docs/benchmarks.md.

The last row is what nothing can beat: N(0, I) of as many dims, run with the same draws and keys.

    tensor         8 x 6 x 10, fixed scales: the posterior is normal, and exactly known
    tensor_large   30 x 20 x 50 of the same, 3,201 dims: a dense mass matrix is out of reach
    tensor_scales  the first, with all seven scales inferred
    tensor_scales_large  the second, with all seven scales inferred
    penicillin     24 plates crossed with 6 samples (lme4)
    insteval       the 60 lecturers with the most ratings, of students who rated 10 (lme4)
    radon          919 houses in 85 counties, each with a level and a slope (Gelman and Hill 2006)
    sleepstudy     18 people on 10 days, each with a level and a slope (lme4)
    eight_schools  what coaching is worth in each of them (Rubin 1981)
    poisson        counts at 25 places in 8 months, with a slope
    sparse_counts  fewer of the same, two thirds of which are 0
    item_response  the answers of 100 persons to 20 items
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from reparam_rewrite.benchmarking.tables import aligned
from tests.benchmarks.data import PROBLEMS, Problem
from tests.benchmarks.tables import (
    CONDITIONAL,
    IDEAL,
    RESULTS,
    SHOWN,
    SHOWN_SVI,
    TUNED,
    cells_of,
    full_tables,
    keep,
    short_table,
)
from tests.support.cli import ROOT

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

NORMAL = '''\
"""What is as easy for NUTS as can be."""

import numpyro
import numpyro.distributions as dist


def model(dims):
    numpyro.sample("x", dist.Normal(0, 1).expand([dims]).to_event(1))
'''


def written(problem: Problem, folder: Path, only: list[str]) -> list[str]:
    """Write everything into the folder; the names of the configs that are asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    args, kwargs = problem.data()
    (folder / "model.py").write_text(problem.model)
    (folder / "normal.py").write_text(NORMAL)
    (folder / "example.py").write_text(EXAMPLE)
    numbered = {f"arg_{at}": value for at, value in enumerate(args)}
    np.savez(folder / "data.npz", **numbered, **kwargs)
    configs = {CONDITIONAL: f"conditional = {json.dumps(problem.conditional.split())}\n"}
    configs |= problem.configs or {"suggested.toml": ""}
    configs[TUNED] = ""
    configs = {name: text for name, text in configs.items() if not only or name in only}
    if "suggested.toml" in configs:
        words = ["suggest", "model.py", "--offsets", "--args", "example.py:example_args"]
        configs["suggested.toml"] = program(folder, *words)
    if TUNED in configs:
        program(folder, "tune", "model.py", "--args", "example.py:example_args", "-c", TUNED)
        configs[TUNED] = (folder / TUNED).read_text()
    for name, text in configs.items():
        (folder / name).write_text(text)
    return list(configs)


def program(folder: Path, *words: str) -> str:
    """What the program prints, run in the folder."""
    ran = subprocess.run(
        [sys.executable, "-m", "reparam_rewrite", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return ran.stdout


def measured(problem: Problem, folder: Path, only: list[str], more: list[str]) -> dict[str, Any]:
    """What `bench` says of the rows that are asked for, all if none is, and of N(0, I)."""
    words = [word for name in written(problem, folder, only) for word in ("--config", name)]
    words += [] if not only or "rivals" in only else ["--no-rivals"]
    asked = ["--nuts", "--fit", *problem.options.split(), *more]
    words += ["--args", "example.py:example_args", *asked]
    found = json.loads(program(folder, "bench", "model.py", *words, "--format", "json"))
    lengths = [
        word
        for name in ("keys", "draws", "warmup", "chains", "limit")
        for word in (f"--{name}", str(found["options"][name]))
    ]
    ideal = ["--args", f"(({found['dims']},), {{}})", "--no-rivals", "--format", "json"]
    normal = json.loads(program(folder, "bench", "normal.py", *ideal, *lengths))
    normal["runs"]["nuts"] = {IDEAL: normal["runs"]["nuts"].pop("as written")}
    normal["rows"][0] |= {"variant": IDEAL, "kind": "ideal"}
    found["rows"] += normal["rows"]
    found["runs"]["nuts"] |= normal["runs"]["nuts"]
    return with_lengths(found)


def with_lengths(found: dict[str, Any]) -> dict[str, Any]:
    """Each row with its kind, how it was run, and the sites of the least ESS; without the runs."""
    runs, options = found.pop("runs"), found["options"]
    for row in found["rows"]:
        of = runs[row["method"]][row["variant"]]
        for config in (CONDITIONAL, TUNED):
            if row["variant"].startswith(Path(config).stem):
                row["kind"] = Path(config).stem
        row["date"] = found["date"]
        row["lengths"] = {name: options[name] for name in ("keys", "warmup", "draws")}
        worst = [run["worst"] for run in of if not run["failed"] and "worst" in run]
        row["worst"] = ", ".join(dict.fromkeys(worst))
    found["ratios"] = {  # by site: the least, median and greatest sd of each key
        variant: [run["ratios"] for run in of if run["ratios"]]
        for variant, of in runs["svi"].items()
        if any(run["ratios"] for run in of)
    }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="tests.benchmarks.problems",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=[*PROBLEMS, "tables"])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep", action="store_true")
    chosen, more = parser.parse_known_args()
    if chosen.name == "tables":
        (RESULTS / "README.md").write_text(full_tables())
        print(short_table(), end="")
        return
    folder = chosen.folder or ROOT / "build" / "problems" / chosen.name
    only = [name for name in chosen.only.split(",") if name]
    found = measured(PROBLEMS[chosen.name], folder, only, more)
    print(f"{chosen.name}, {found['dims']:,} dims: {found['options']}")
    for method, columns in (("nuts", SHOWN), ("svi", SHOWN_SVI)):
        rows = [row for row in found["rows"] if row["method"] == method]
        if rows:
            print("\n" + aligned(cells_of(rows, columns, found["options"])))
    print("\n" + "\n".join([*found["advice"], *found["notes"]]))
    if chosen.keep:
        keep(chosen.name, found, more, only)


if __name__ == "__main__":
    main()
