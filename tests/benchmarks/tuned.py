"""Is a model that `reparam-rewrite tune` has written ever worse than the model as written?

    python -m tests.benchmarks.tuned [NAME ...] [--keys 3] [--folder FOLDER] [--keep] [--suggested]
    python -m tests.benchmarks.tuned table

Each model of zoo/, all if none is named, is copied into a folder of its own below build/tuned,
and `reparam-rewrite tune` runs there. Then NUTS samples the model as written and, if one was
written, the tuned one: in float64, with a diagonal mass matrix, two chains of 500 + 500 draws for
each key. What ran is kept in runs.jsonl in that folder, and the same command goes on from there:
tune runs again when the program is another, NUTS when what it samples is.

The figure is the least effective sample size (ESS) over all elements of the latent sites of the
model as written, for 1,000 gradients: the median over keys with the least and the greatest. A tuned
model is BELOW if its median is less by more than either figures spread, and the status is 1 then,
or if `tune` failed. With --keep the rows go to results/tuned.json, in the place of those of the
same models, of which `table` makes results/tuned.md.

--suggested has what `suggest` proposes and `fit` leaves in the place of what `tune` writes,
whatever it is worth.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from reparam_rewrite.benchmarking.tables import aligned, short
from reparam_rewrite.running.environment import prepare
from reparam_rewrite.source.stamp import read_stamp
from tests.benchmarks.tables import RESULTS, lines_of, rounded
from tests.support.cli import ROOT

ZOO = Path(__file__).parent / "zoo"
NAMES = sorted(path.stem for path in ZOO.glob("*.py") if path.stem != "__init__")

#: The file of each model's folder that keeps what ran.
RUNS = "runs.jsonl"

#: What `tune` may take, in seconds.
LIMIT = 1_800

#: What a row ends in whose tuned model is worse than the model as written.
BELOW = "BELOW"

HEADS = (
    *("model", "dims", "tune, CPU s", "what it did", "as written", "tuned", "times"),
    *("divergences", "R-hat", ""),
)


@dataclass(frozen=True)
class Tuned:
    """What became of `tune`: seconds of CPU time, what it wrote or said, and why it failed."""

    seconds: float
    said: str
    failed: str = ""


def commands(name: str, suggested: bool) -> Iterator[list[str]]:
    """The words of each command that leads to NAME_reparam.py, if anything does."""
    model, config, output = f"{name}.py", f"{name}.toml", f"{name}_reparam.py"
    args = ["--args", f"{name}.py:example_args"]
    if not suggested:
        yield ["tune", model, *args, "-o", output]
        return
    yield ["suggest", model, *args, "-o", config]
    proposed = tomllib.loads(Path(config).read_text())
    if proposed.get("chain") != []:
        yield ["fit", model, *args, "--config", config]
        yield [model, "--config", config, "-o", output]


def tune(name: str, suggested: bool) -> Tuned:
    """Run it in this folder, where nothing that it wrote before is left."""
    for path in Path().iterdir():
        if path.is_file() and path.name not in (f"{name}.py", RUNS):
            path.unlink()
    said, environment = "", {**os.environ, "PYTHONPATH": str(ROOT)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)

    def result(failed: str = "") -> Tuned:
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = now.ru_utime + now.ru_stime - before.ru_utime - before.ru_stime
        last = said.splitlines()[-1] if said else ""
        return Tuned(spent, what_was_written() or last, failed)

    for words in commands(name, suggested):
        command = [sys.executable, "-m", "reparam_rewrite", *words]
        try:
            ran = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=LIMIT
            )
        except subprocess.TimeoutExpired:
            return result(f"{words[0]} took more than {LIMIT:,} s")
        said += ran.stdout if words[0] != "suggest" else ""
        said += ran.stderr
        if ran.returncode:
            first = next(iter(ran.stderr.splitlines()), f"status {ran.returncode}")
            return result(f"{words[0]} failed: {first}")
    return result()


def what_was_written() -> str:
    """The sites of the config in this folder, by what is done to them; nothing without a config."""
    parts = []
    for path in Path().glob("*.toml"):
        config = tomllib.loads(path.read_text())
        given = config.get("conditional", [])
        given = given["order"] if isinstance(given, dict) else given
        others = [*dict.fromkeys([*config.get("chain", [])[1:], *config.get("sites", {})])]
        parts += ["given the data: " + ", ".join(given)] if given else []
        parts += ["offsets and scales: " + ", ".join(others)] if others else []
    return "; ".join(parts)


def measured(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """The row of a model: run, or as it was kept."""
    from reparam_rewrite.benchmarking.measuring import Sampler
    from reparam_rewrite.benchmarking.state import Kept, digest, digest_of_call
    from reparam_rewrite.benchmarking.values import Chains, Options, Variant
    from reparam_rewrite.fitting.pilots import dims_of
    from reparam_rewrite.messages import Refusal
    from reparam_rewrite.running.call import called
    from reparam_rewrite.running.trace import double_precision

    kept, text = Kept(Path(RUNS)), Path(f"{name}.py").read_text()
    output = Path(f"{name}_reparam.py")
    parts = (path.read_text() for path in sorted((ROOT / "reparam_rewrite").rglob("*.py")))
    identity = ["tune", options.suggested, text, digest([*parts])]
    found = kept.get(identity, Tuned, partial(tune, name, options.suggested))
    row: dict[str, Any] = {"name": name, "date": datetime.date.today().isoformat()}
    row |= {"dims": 0, "tune": asdict(found), "plain": [], "tuned": [], "failed": ""}
    try:
        call = called(f"{name}.py", [], f"{name}.py:example_args", None, "the benchmark")
    except Refusal as refusal:
        return {**row, "failed": str(refusal).splitlines()[0]}
    row["dims"] = dims_of(call.trace)
    variants = {"plain": Variant(call, digest(text))}
    if output.exists():
        stamp = read_stamp(output.read_bytes())
        arrays = [path.read_bytes().hex() for path in sorted(Path().glob("*.npz"))]
        identity = [(stamp.rest if stamp else output.read_bytes()).decode(), *arrays]
        model = call.entry.in_file(str(output), "generated model", call.given)
        variants["tuned"] = Variant(call._replace(model=model), digest(identity))
    lengths = Options(options.keys, options.draws, options.draws, limit=options.limit)
    for which, variant in variants.items():
        sampler = Sampler(variant, lengths)
        for key in range(options.keys):
            identity = [variant.identity, digest_of_call(call.args, call.kwargs), options.draws]
            identity += [options.limit, key, version("numpyro"), version("jax")]

            def run(sampler: Sampler = sampler, key: int = key) -> Chains:
                try:
                    with double_precision():
                        return sampler.run(key)[0]
                except Exception as error:
                    return Chains(key, failed=f"{type(error).__name__}: {error}"[:200])

            row[which].append(asdict(kept.get(identity, Chains, run)))
    return row


def rates(runs: list[dict[str, Any]]) -> list[float]:
    """The least ESS for 1,000 gradients of each key; 0 for one that gave nothing."""
    return [
        0.0 if run["failed"] or not run["gradients"] else 1_000 * run["least"] / run["gradients"]
        for run in runs
    ]


def is_below(row: dict[str, Any]) -> bool:
    """Is the tuned model's median less by more than either figures spread over the keys?"""
    if not row["tuned"]:
        return False
    old, new = rates(row["plain"]), rates(row["tuned"])
    wide = max(max(found) - min(found) for found in (old, new))
    return statistics.median(new) < statistics.median(old) - wide


def failed(row: dict[str, Any]) -> str:
    """Why there is nothing to compare, if that is so."""
    of_runs = (run["failed"] for run in [*row["plain"], *row["tuned"]])
    return str(row["tune"]["failed"] or row["failed"] or next(filter(None, of_runs), ""))


def cells(row: dict[str, Any]) -> list[str]:
    """The row in words."""

    def figures(runs: list[dict[str, Any]]) -> str:
        found = rates(runs)
        ends = f" ({short(min(found))} to {short(max(found))})" if len(found) > 1 else ""
        return short(statistics.median(found)) + ends if found else ""

    def both(of: Any) -> str:
        return " / ".join(of(row[which]) for which in ("plain", "tuned") if row[which])

    done = row["plain"] and row["tuned"]
    before = statistics.median(rates(row["plain"])) if done else 0.0
    times = short(statistics.median(rates(row["tuned"])) / before) if before else ""
    tuned = figures(row["tuned"]) or "nothing written"
    return [
        *(row["name"], str(row["dims"]), f"{row['tune']['seconds']:.0f}"),
        *(row["tune"]["said"].replace("|", "/")[:120], figures(row["plain"]), tuned, times),
        both(lambda runs: str(sum(run["divergences"] for run in runs))),
        both(lambda runs: f"{max(run['rhat'] for run in runs):.2f}"),
        " ".join(filter(None, [BELOW if is_below(row) else "", failed(row).replace("|", "/")])),
    ]


def table(found: dict[str, Any]) -> str:
    """results/tuned.md: what was kept."""
    rows = found["rows"]
    written = [row for row in rows if row["tuned"]]
    count = f"{len(rows)} models, {len(written)} of which `tune` rewrote, "
    below = ", ".join(row["name"] for row in written if is_below(row))
    title = "# What `tune` is worth, and that it is never worse"
    said = (
        "Written by `python -m tests.benchmarks.tuned table`; the head of tests/benchmarks/tuned.py"
        "\nsays what was measured. Least ESS for 1,000 gradients, the median over keys with the"
        "\nleast and the greatest; divergences of all keys and the greatest R-hat, as written / "
        "tuned."
    )
    how = ", ".join(f"{name} {what}" for name, what in found["how"].items())
    counted = f"{count}{below or 'none'} below the model as written ({how})."
    return "\n\n".join([title, said, counted, "\n".join(lines_of([[*HEADS], *map(cells, rows)]))])


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="tests.benchmarks.tuned",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="table, or some of the models")
    parser.add_argument("--keys", type=int, default=3)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--limit", type=float, default=300.0, help="seconds of NUTS for a key")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "tuned")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--suggested", action="store_true")
    options = parser.parse_args()
    kept = RESULTS / "tuned.json"
    if options.names == ["table"]:
        (RESULTS / "tuned.md").write_text(table(json.loads(kept.read_text())) + "\n")
        return
    if unknown := sorted({*options.names} - {*NAMES}):
        parser.error(f"no model is called {', '.join(unknown)}")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    prepare("the benchmark")

    import jax

    rows, folder = [], options.folder.resolve()
    for name in options.names or NAMES:
        own = folder / (f"{name}_suggested" if options.suggested else name)
        own.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ZOO / f"{name}.py", own / f"{name}.py")
        os.chdir(own)
        rows.append(measured(name, options))
        jax.clear_caches()
        print("; ".join(filter(None, cells(rows[-1]))), flush=True)
    print("\n" + aligned([[*HEADS], *map(cells, rows)]))
    if options.keep:
        old = json.loads(kept.read_text())["rows"] if kept.exists() else []
        by_name = {row["name"]: row for row in [*old, *rows]}
        packages = {name: version(name) for name in ("reparam-rewrite", "numpyro", "jax")}
        how = {"keys": options.keys, "draws": options.draws, "Python": platform.python_version()}
        made = {"how": how | packages, "rows": [by_name[name] for name in sorted(by_name)]}
        kept.write_text(json.dumps(rounded(made), indent=1, ensure_ascii=False) + "\n")
    if any(is_below(row) or row["tune"]["failed"] for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
