"""The models, data and configs of the benchmarks, where fixtures have none or smaller ones.

A function gives the arguments of a model's call. What is in another package says which one to
install, and what is simulated is the same each time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import gaussian_tensor
from tests.support.cases import FIXTURES
from tests.support.execution import load_model

#: The arguments of a model's call: what it is given, and what it observes.
Arguments = tuple[tuple[Any, ...], dict[str, Any]]

SEED = 0


class Unavailable(Exception):
    """The data of a model isn't there, and what to do about it."""


# -- models --------------------------------------------------------------------------------------

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

POISSON = '''\
"""Counts by place and month, with a slope of the hours that were spent."""

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


def model(site, season, effort, n_sites, n_seasons, count=None):
    b0 = numpyro.sample("b0", dist.Normal(0, 3))
    b1 = numpyro.sample("b1", dist.Normal(0, 1))
    sigma_site = numpyro.sample("sigma_site", dist.HalfNormal(1))
    sigma_season = numpyro.sample("sigma_season", dist.HalfNormal(1))
    with numpyro.plate("sites", n_sites):
        u = numpyro.sample("u", dist.Normal(0, sigma_site))
    with numpyro.plate("seasons", n_seasons):
        v = numpyro.sample("v", dist.Normal(0, sigma_season))
    log_rate = b0 + b1 * effort + u[site] + v[season]
    with numpyro.plate("counts", len(site)):
        numpyro.sample("count", dist.Poisson(jnp.exp(log_rate)), obs=count)
'''


# -- data ----------------------------------------------------------------------------------------


def penicillin() -> Arguments:
    if not find_spec("mixedlm"):
        raise Unavailable("the Penicillin data are in mixedlm: pip install mixedlm")
    arguments: Arguments = load_model(FIXTURES / "crossed" / "example.py", "example_args")()
    return arguments


def radon() -> Arguments:
    """919 houses in 85 counties of Minnesota: Gelman and Hill (2006)."""
    # Found without importing arviz, which takes seconds and more packages than the file needs.
    spec = find_spec("arviz")
    folders = spec.submodule_search_locations if spec else None
    parts = ("data", "example_data", "code", "radon", "radon.json")
    files = [Path(folder, *parts) for folder in folders or []]
    found = next((path for path in files if path.exists()), None)
    if found is None:
        raise Unavailable('the radon data are in arviz: pip install "arviz==0.23.*"')
    data = json.loads(found.read_text())
    county, floor = np.array(data["county"]), np.array(data["x"], dtype=float)
    return (county, floor, data["J"]), {"log_radon": np.array(data["y"])}


def eight_schools() -> Arguments:
    example = FIXTURES / "suggest" / "eight_schools" / "example.py"
    arguments: Arguments = load_model(example, "example_args")()
    return arguments


def item_response() -> Arguments:
    rng = np.random.default_rng(SEED)
    n_persons, n_items = 100, 20
    person, item = (index.ravel() for index in np.indices((n_persons, n_items)))
    ability, difficulty = rng.normal(size=n_persons), 1.5 * rng.normal(size=n_items)
    chance = 1 / (1 + np.exp(-(0.5 + ability[person] - difficulty[item])))
    correct = (rng.uniform(size=len(person)) < chance).astype(int)
    return (person, item, n_persons, n_items), {"correct": correct}


def example(folder: str) -> Callable[[], Arguments]:
    """The data beside a model, where they are of their usual size."""
    return lambda: load_model(FIXTURES / folder / "example.py", "example_args")()


def simulated_tensor(sizes: tuple[int, int, int]) -> Arguments:
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


def poisson() -> Arguments:
    """450 counts of some 10 each, at 25 places in 8 months."""
    rng = np.random.default_rng(11)
    site, season = rng.integers(25, size=450), rng.integers(8, size=450)
    effort = rng.normal(3.0, 1.0, size=450)
    effects = 0.5 * rng.normal(size=25)[site] + 0.5 * rng.normal(size=8)[season]
    count = rng.poisson(np.exp(1.0 + 0.3 * effort + effects))
    return (site, season, effort, 25, 8), {"count": count}


def sparse_counts() -> Arguments:
    """200 counts of the same, two thirds of which are 0."""
    rng = np.random.default_rng(5)
    site, season = rng.integers(25, size=200), rng.integers(8, size=200)
    effort = rng.normal(3.0, 1.0, size=200)
    effects = 0.6 * rng.normal(size=25)[site] + 0.5 * rng.normal(size=8)[season]
    count = rng.poisson(np.exp(-2.0 + 0.3 * effort + effects))
    return (site, season, effort, 25, 8), {"count": count}


# -- problems ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """A model, its data, the sites of `conditional`, configs by file name, and options of `bench`.

    What suggested.toml has is what `suggest --args` proposes; without a config it is that.
    """

    model: str
    data: Callable[[], Arguments]
    conditional: str
    configs: dict[str, str] = field(default_factory=dict)
    options: str = ""


def model_of(folder: str) -> str:
    return (FIXTURES / folder / "model.py").read_text()


CHAINS = {
    "chain.toml": gaussian_tensor.CHAIN,
    "chain_dct.toml": gaussian_tensor.CHAIN + gaussian_tensor.DCT,
    "chain_all_dct.toml": gaussian_tensor.CHAIN + gaussian_tensor.DCT_OF_ALL,
}
LARGE_CHAINS = {name: CHAINS[name] for name in ("chain_dct.toml", "chain_all_dct.toml")}

# The limit is what each has: without it the model as written takes hours to converge.
LARGE = "--pilot laplace --keys 1 --draws 700 --warmup 300 --limit 200"

CROSSED = (FIXTURES / "crossed" / "offsets.toml").read_text()
BASIS = f'{CROSSED}\n[sites.a_plate]\nbasis = "dct"\n'

# One over the sds of their logs, about: else the first steps are as short as that of sigma wants.
INSTEVAL_SCALES = """\
conditional = ["mu", "c", "b", "a"]
[sites.sigma]
scale = 129.0
[sites.sigma_student]
scale = 20.0
[sites.sigma_lecturer]
scale = 8.0
[sites.sigma_dept]
scale = 2.5
"""

#: About sqrt(2 n) of n cells, or of n elements with that scale: 1 / the sd of its logarithm.
TENSOR_SCALES = """\
conditional = ["mu", "a", "b", "z", "A", "B", "C"]
[sites]
sigma = { scale = 245.0 }
sigma_C = { scale = 35.0 }
sigma_A = { scale = 54.0 }
sigma_B = { scale = 44.0 }
sigma_z = { scale = 10.0 }
sigma_a = { scale = 7.7 }
sigma_b = { scale = 6.2 }
"""

PROBLEMS = {
    "tensor": Problem(
        gaussian_tensor.MODEL,
        lambda: simulated_tensor((8, 6, 10)),
        "mu a b z A B C",
        CHAINS,
        "--svi --pilot laplace",
    ),
    "tensor_large": Problem(
        gaussian_tensor.MODEL,
        lambda: simulated_tensor((30, 20, 50)),
        "mu a b z A B C",
        LARGE_CHAINS,
        LARGE,
    ),
    "tensor_scales": Problem(
        model_of("tensor"),
        lambda: simulated_tensor((8, 6, 10)),
        "mu a b z A B C",
        {"chain_all_dct.toml": CHAINS["chain_all_dct.toml"]},
    ),
    "tensor_scales_large": Problem(
        model_of("tensor"),
        lambda: simulated_tensor((30, 20, 50)),
        "mu a b z A B C",
        {
            "conditional_scales.toml": TENSOR_SCALES,
            "chain_all_dct.toml": CHAINS["chain_all_dct.toml"],
        },
        LARGE,
    ),
    "penicillin": Problem(
        model_of("crossed"),
        penicillin,
        "mu b_sample a_plate",
        {"offsets.toml": CROSSED, "basis.toml": BASIS},
    ),
    "insteval": Problem(
        INSTEVAL,
        insteval,
        "mu c b a",
        {"conditional_scales.toml": INSTEVAL_SCALES, "suggested.toml": ""},
    ),
    "radon": Problem(model_of("suggest/radon"), radon, "mu_a mu_b a b"),
    "sleepstudy": Problem(SLEEPSTUDY, sleepstudy, "level slope a b"),
    "eight_schools": Problem(model_of("suggest/eight_schools"), eight_schools, "mu theta"),
    "poisson": Problem(POISSON, poisson, "b0 b1 v u"),
    "sparse_counts": Problem(POISSON, sparse_counts, "b0 b1 v u"),
    "item_response": Problem(
        model_of("suggest/item_response"), item_response, "mu difficulty ability"
    ),
}
