"""What proposed configs are worth to NUTS, on models with data of their usual size.

    python -m tests.benchmarks.suggestions [NAMES...] [--keys 3] [--draws N] [--source-only]
        [--config NAME=PATH.toml ...]

NUTS runs on each model as it is written and as the proposed config rewrites it, in float64, with a
diagonal mass matrix, target_accept 0.8 and max_tree_depth 10, two chains for each key. The figure
is the least effective sample size (ESS) for every 1,000 gradients. It is the least over all
elements of the latent sites of the model as written, which the rewritten model gives as
deterministic values: the same quantities are compared. Gradients are NUTS's own `num_steps`, summed
over the draws of both chains; of neither model is warm-up counted.

The figures are medians over keys, with the least and the greatest; the ratio is one for every key,
both models started from the same. Below the line of what the source alone leads to is that of
`suggest --args`, unless both propose the same. `--config` puts a file in the place of what is
proposed for a model.

No proposal is to be below the model as written by more than the figures spread: a line that is ends
in BELOW, and the status is 1 then.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import statistics
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.diagnostics import effective_sample_size
from numpyro.infer import MCMC, NUTS

from reparam_rewrite.running.facts import facts_of
from reparam_rewrite.running.load import load
from reparam_rewrite.source.reading import read
from reparam_rewrite.suggesting import suggest, to_text
from tests.benchmarks.data import (
    SEED,
    Arguments,
    Unavailable,
    eight_schools,
    example,
    item_response,
    penicillin,
    radon,
)
from tests.support.cases import FIXTURES, rewritten
from tests.support.execution import (
    Model,
    double_precision,
    is_latent,
    load_model,
    structure,
)

CHAINS = 2

#: What a line ends in whose proposal is worse than nothing.
BELOW = "BELOW"


# -- data ----------------------------------------------------------------------------------------

SIZES = (8, 6, 10)


def tensor_parts(walks: bool) -> dict[str, Any]:
    """The contributions to a three-way table, each with its own axes only."""
    rng = np.random.default_rng(SEED)
    n_i, n_j, n_t = SIZES

    def over_time(scale: float, *shape: int) -> Any:
        steps = scale * rng.normal(size=shape)
        return np.cumsum(steps, axis=-1) if walks else steps

    return {
        "a": rng.normal(size=n_i),
        "b": rng.normal(size=n_j),
        "z": over_time(0.5, n_t),
        "A": over_time(0.3, n_i, n_t),
        "B": over_time(0.3, n_j, n_t),
        "C": 0.5 * rng.normal(size=(n_i, n_j)),
        "noise": 0.1 * rng.normal(size=SIZES),
    }


def tensor_table(walks: bool) -> Any:
    part = tensor_parts(walks)
    items = part["a"][:, None, None] + part["b"][:, None] + part["C"][:, :, None]
    return 5 + items + part["z"] + part["A"][:, None] + part["B"] + part["noise"]


def tensor() -> Arguments:
    return SIZES, {"y": tensor_table(walks=True)}


def tensor_broadcast() -> Arguments:
    return SIZES, {"y": tensor_table(walks=False)}


def tensor_long() -> Arguments:
    i, j, t = (index.ravel() for index in np.indices(SIZES))
    return (i, j, t, *SIZES), {"y": tensor_table(walks=True).ravel()}


def ar2() -> Arguments:
    rng = np.random.default_rng(SEED)
    y = [1.5, 1.5]
    for _ in range(100):
        y.append(0.3 + 1.2 * y[-1] - 0.4 * y[-2] + 0.5 * rng.normal())
    return (jnp.array(y),), {}


def horseshoe() -> Arguments:
    rng = np.random.default_rng(SEED)
    X = rng.normal(size=(50, 10))
    betas = np.array([2.0, -1.0, 0.5, *np.zeros(7)])
    return (X,), {"y": X @ betas + 0.5 * rng.normal(size=50)}


# -- what is proposed ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """A line of the table: a model, its data, and how many draws of each chain are kept."""

    name: str
    folder: str
    data: Callable[[], Arguments]
    draws: int = 1_000

    @property
    def model(self) -> Path:
        return FIXTURES / self.folder / "model.py"


#: Where the trees of the model as written have their greatest depth, draws are few.
ENTRIES = [
    Entry("tensor", "tensor", tensor, 500),
    Entry("tensor_broadcast", "tensor_broadcast", tensor_broadcast, 500),
    Entry("tensor_long", "suggest/tensor_long", tensor_long, 500),
    Entry("penicillin", "crossed", penicillin),
    Entry("radon", "suggest/radon", radon),
    Entry("eight_schools", "suggest/eight_schools", eight_schools),
    Entry("ar2", "suggest/ar2", ar2),
    Entry("item_response", "suggest/item_response", item_response),
    Entry("horseshoe", "suggest/horseshoe", horseshoe),
    Entry("nested", "nested", example("nested")),
    Entry("insteval", "insteval", example("insteval"), 500),
    Entry("multilevel", "multilevel", example("multilevel")),
    *(
        Entry(name, f"suggest/{name}", example(f"suggest/{name}"))
        for name in (
            "drifting_series",
            "group_slopes",
            "multinomial",
            "crossed_regression",
            "crossed_slopes",
            "group_variance",
            "classes",
        )
    ),
]


def suggested(model_path: Path, arguments: Arguments | None = None) -> str:
    """The offsets that are proposed for a model; empty if it is to be left alone.

    arguments: those of a run that tells what the source doesn't.
    """
    source, facts = read(str(model_path)), None
    if arguments is not None:
        module = load(str(model_path), "model")
        facts = facts_of(module.model, *arguments, module)
    suggestion = suggest(source, None, facts, offsets=True)
    return "" if suggestion.is_empty else to_text(suggestion)


# -- what it is worth ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """What came of the chains of one key. `worst`: the site of the least ESS."""

    ess: float
    worst: str
    gradients: int
    divergences: int

    @property
    def rate(self) -> float:
        """The least ESS for every 1,000 gradients."""
        return 1_000 * self.ess / self.gradients


def latent_sites(model: Model, arguments: Arguments) -> list[str]:
    """The names of what the model samples."""
    return [name for name, site in structure(model, *arguments).items() if is_latent(site)]


def runs(
    model: Model, arguments: Arguments, sites: Sequence[str], keys: int, draws: int
) -> list[Run]:
    """NUTS from each key, with as many draws for warming up as are kept.

    The chains of all keys run side by side in one program; they have nothing else in common.
    """
    args, kwargs = arguments
    kernel = NUTS(model, dense_mass=False, target_accept_prob=0.8, max_tree_depth=10)
    mcmc = MCMC(
        kernel,
        num_warmup=draws,
        num_samples=draws,
        num_chains=CHAINS * keys,
        chain_method="vectorized",
        progress_bar=False,
    )
    starts = [jax.random.split(jax.random.PRNGKey(key), CHAINS) for key in range(keys)]
    mcmc.run(jnp.concatenate(starts), *args, extra_fields=("num_steps", "diverging"), **kwargs)
    values = {name: np.asarray(mcmc.get_samples(group_by_chain=True)[name]) for name in sites}
    fields = {n: np.asarray(v) for n, v in mcmc.get_extra_fields(group_by_chain=True).items()}
    found = []
    for key in range(keys):
        own = slice(CHAINS * key, CHAINS * (key + 1))
        least = {name: least_ess(value[own]) for name, value in values.items()}
        worst = min(least, key=lambda name: least[name])
        gradients = int(fields["num_steps"][own].sum())
        divergences = int(fields["diverging"][own].sum())
        found.append(Run(least[worst], worst, gradients, divergences))
    return found


def least_ess(value: Any) -> float:
    """The least ESS over the elements of a site. One that never moved has none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        sizes = np.asarray(effective_sample_size(value))
    return float(np.where(np.isfinite(sizes), sizes, 0.0).min())


def check_same_model(plain: Model, other: Model, arguments: Arguments, sites: list[str]) -> None:
    """Has the rewritten model all the sites, with the shapes that they had?"""
    args, kwargs = arguments
    before, after = (structure(model, args, kwargs) for model in (plain, other))
    for name in sites:
        if name not in after or before[name]["value"].shape != after[name]["value"].shape:
            raise RuntimeError(f"{name} isn't what it was")


def spread(numbers: Sequence[float]) -> str:
    median, low, high = statistics.median(numbers), min(numbers), max(numbers)
    return f"{median:.3g} ({low:.3g}-{high:.3g})" if len(numbers) > 1 else f"{median:.3g}"


def cells(found: Sequence[Run]) -> list[str]:
    """Of one model: the least ESS for 1,000 gradients, the site that has it, and divergences."""
    middle = sorted(found, key=lambda run: run.rate)[len(found) // 2]
    divergences = sum(run.divergences for run in found)
    return [spread([run.rate for run in found]), middle.worst, str(divergences)]


def line(columns: Sequence[str]) -> str:
    widths = (18, 22, 16, 5, 22, 16, 5, 20, 7, 5)
    return " ".join(f"{column:{width}}" for column, width in zip(columns, widths, strict=False))


def is_below(before: Sequence[Run], after: Sequence[Run]) -> bool:
    """Is the median less by more than either figures spread over the keys?"""
    old, new = ([run.rate for run in found] for found in (before, after))
    wide = max(max(rates) - min(rates) for rates in (old, new))
    return statistics.median(new) < statistics.median(old) - wide


def compare(entry: Entry, path: str | None, options: argparse.Namespace) -> Iterator[str]:
    """The lines of a model in the table."""
    started = time.perf_counter()
    try:
        arguments = entry.data()
    except Unavailable as reason:
        yield f"{entry.name:16} skipped: {reason}"
        return
    keys, draws = options.keys, options.draws or entry.draws
    configs = {entry.name: Path(path).read_text() if path else suggested(entry.model)}
    if not (path or options.source_only):
        ran = suggested(entry.model, arguments)
        if said_of(ran) != said_of(configs[entry.name]):
            configs["  with --args"] = ran
    plain = load_model(entry.model)
    sites = latent_sites(plain, arguments)
    before = runs(plain, arguments, sites, keys, draws) if any(configs.values()) else []
    for name, config in configs.items():
        if config:
            model = load_model(rewritten(entry.model.read_bytes(), config).data)
            check_same_model(plain, model, arguments, sites)
            after = runs(model, arguments, sites, keys, draws)
            ratios = [new.rate / old.rate for new, old in zip(after, before, strict=True)]
            below = [BELOW] if is_below(before, after) else []
            rest = [*cells(after), spread(ratios)]
        else:
            rest, below = ["nothing proposed, left alone", "", "", "1"], []
        first = cells(before) if before else ["", "", ""]
        yield line([name, *first, *rest, f"{time.perf_counter() - started:.0f} s", *below])


def said_of(config: str) -> dict[str, Any]:
    """What a config says beside its comments."""
    return tomllib.loads(config)


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.suggestions", description=__doc__)
    names = [entry.name for entry in ENTRIES]
    parser.add_argument("names", nargs="*", metavar="NAMES", help=", ".join(names))
    parser.add_argument("--keys", type=int, default=3, help="how often each model is run")
    parser.add_argument("--draws", type=int, help="how many each chain keeps")
    parser.add_argument("--source-only", action="store_true", help="without what --args proposes")
    parser.add_argument("--config", action="append", default=[], metavar="NAME=PATH")
    options = parser.parse_args()
    configs = dict(text.split("=", 1) for text in options.config)
    unknown = sorted({*options.names, *configs} - set(names))
    if unknown:
        parser.error(f"no model is called {', '.join(unknown)}")

    packages = ("reparam-rewrite", "numpyro", "jax")
    print(datetime.date.today().isoformat())
    print(" ".join(["python -m tests.benchmarks.suggestions", *sys.argv[1:]]))
    print(
        ", ".join([f"Python {platform.python_version()}"] + [f"{p} {version(p)}" for p in packages])
    )
    print(f"least ESS for 1,000 gradients: median (range) over {options.keys} keys")
    print()
    half = ("worst site", "div.")
    print(line(["model", "as written", *half, "as proposed", *half, "ratio"]), flush=True)
    below = False
    with double_precision():
        for entry in ENTRIES:
            if not options.names or entry.name in options.names:
                for text in compare(entry, configs.get(entry.name), options):
                    print(text, flush=True)
                    below |= text.rstrip().endswith(BELOW)
    if below:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
