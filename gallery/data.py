"""Makes the data of the demos anew, from packages that carry them: ``python -m gallery.data``.

pip install "arviz==0.23.*" mixedlm statsmodels arch
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

DEMOS = Path(__file__).parents[1] / "reparam_rewrite" / "demos"

Table = tuple[Sequence[str], Iterable[Sequence[Any]]]


def radon() -> Table:
    """The houses of Minnesota, from arviz (Apache-2.0)."""
    folder = Path(find_spec("arviz").submodule_search_locations[0])
    data = json.loads((folder / "data/example_data/code/radon/radon.json").read_text())
    county = [data["county_name"][index].title() for index in data["county"]]
    floor, level = map(int, data["x"]), (f"{value:.4f}" for value in data["y"])
    return ("county", "floor", "log_radon"), zip(county, floor, level, strict=True)


def penicillin() -> Table:
    from mixedlm.datasets import load_penicillin

    data = load_penicillin()[["plate", "sample", "diameter"]]
    return ("plate", "sample", "diameter"), data.to_numpy()


def insteval() -> Table:
    """The 25 busiest lecturers, and who rated at least eight of them."""
    from mixedlm.datasets import load_insteval

    data = load_insteval()
    data = data[data["d"].isin(data["d"].value_counts().index[:25])]
    counts = data["s"].value_counts()
    data = data[data["s"].isin(counts.index[counts >= 8])]
    return ("student", "lecturer", "dept", "rating"), data[["s", "d", "dept", "y"]].to_numpy()


def sleepstudy() -> Table:
    from mixedlm.datasets import load_sleepstudy

    data = load_sleepstudy()
    rows = zip(data["Subject"], data["Days"].astype(int), data["Reaction"], strict=True)
    return ("subject", "days", "reaction"), rows


def tensor() -> Table:
    """A draw of the model: random walks over the last axis, noise of 0.1."""
    rng = np.random.default_rng(0)
    sizes = n_i, n_j, n_t = 8, 6, 10

    def walks(scale: float, *shape: int) -> Any:
        return np.cumsum(scale * rng.normal(size=shape), axis=-1)

    a, b, c = rng.normal(size=n_i), rng.normal(size=n_j), 0.5 * rng.normal(size=(n_i, n_j))
    mean = 5 + a[:, None, None] + b[:, None] + c[:, :, None] + walks(0.5, n_t)
    mean = mean + walks(0.3, n_i, n_t)[:, None] + walks(0.3, n_j, n_t)
    y = mean + 0.1 * rng.normal(size=sizes)
    return ("i", "j", "t", "y"), ((*at, f"{value:.3f}") for at, value in np.ndenumerate(y))


def local_trend() -> Table:
    """The flow of the Nile, from statsmodels (public domain)."""
    from statsmodels.datasets import nile

    data = nile.load_pandas().data.astype(int)
    return ("year", "volume"), data[["year", "volume"]].to_numpy()


def item_response() -> Table:
    """The first 100 persons of the study of verbal aggression."""
    from mixedlm.datasets import load_verbagg

    data = load_verbagg()
    data = data[data["id"].astype(int) <= 100]
    yes = (data["r2"].to_numpy(str) == "Y").astype(int)
    return ("person", "item", "yes"), zip(data["id"], data["item"], yes, strict=True)


def stochastic_volatility() -> Table:
    """The price of West Texas oil, by the U.S. Energy Information Administration, from arch."""
    from arch.data import wti

    price = wti.load()["DCOILWTICO"].dropna()
    returns = (100 * np.log(price).diff()).loc["2014-01":"2015-12"]
    days = (day.date().isoformat() for day in returns.index)
    return ("day", "returns"), zip(days, (f"{value:.4f}" for value in returns), strict=True)


MADE: list[Callable[[], Table]] = [
    *(radon, penicillin, insteval, sleepstudy),
    *(tensor, local_trend, item_response, stochastic_volatility),
]

if __name__ == "__main__":
    for make in MADE:
        columns, rows = make()
        file = DEMOS / make.__name__ / "data.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w", newline="", encoding="utf-8") as stream:
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(columns)
            table.writerows(rows)
        print(f"{file.parent.name}: {file.stat().st_size:,} bytes")
