"""``python -m tests.benchmarks.large_groups [FOLDER]``: what large groups that meet in data cost.

100,000 observations of 10,000 people who rate 3,000 things, crossed at random, and the people
sampled around what the things add to each: the model as written, as `chain` generates it, which
adds up all observations in each gradient, and frozen, as `fit` leaves it. Of each, how long a
gradient of its potential takes, by turns in one process, and the peak of memory in one of its own;
and of `fit`, from a file of 200 draws, its CPU time and peak.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.support.cli import environment

OBSERVATIONS, PEOPLE, THINGS, DRAWS = 100_000, 10_000, 3_000, 200
ROUNDS, EACH = 60, 20

MODEL = '''\
"""Ratings: people and things are crossed."""

import numpyro
import numpyro.distributions as dist


def model(person, thing, n_people, n_things, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    with numpyro.plate("things", n_things):
        b = numpyro.sample("b", dist.Normal(0, 1))
    with numpyro.plate("people", n_people):
        a = numpyro.sample("a", dist.Normal(0, 1))
    with numpyro.plate("ratings", len(person)):
        numpyro.sample("y", dist.Normal(mu + b[thing] + a[person], 1), obs=y)
'''

EXAMPLE = f"""\
import numpy as np


def example_args():
    rng = np.random.default_rng(0)
    person = rng.integers({PEOPLE}, size={OBSERVATIONS})
    thing = rng.integers({THINGS}, size={OBSERVATIONS})
    y = (rng.normal(size={PEOPLE})[person] + rng.normal(size={THINGS})[thing]).astype(np.float32)
    return (person, thing, {PEOPLE}, {THINGS}), {{"y": y}}
"""

CONFIG = """\
chain = ["mu", "b", "a"]

[defaults]
coefficient = "shared"
init = 1.0
learn = false
"""


def written(folder: Path) -> None:
    """The model, its data, and draws whose people are around what the things add to them."""
    (folder / "model.py").write_text(MODEL)
    (folder / "example.py").write_text(EXAMPLE)
    (folder / "live.toml").write_text(CONFIG)
    names: dict[str, object] = {}
    exec(EXAMPLE, names)
    (person, thing, *_), _ = names["example_args"]()  # type: ignore[operator]
    rng = np.random.default_rng(1)
    mu, b = rng.normal(size=DRAWS), rng.normal(size=(DRAWS, THINGS))
    b -= mu[:, None]
    count = np.maximum(np.bincount(person, minlength=PEOPLE), 1)
    each = [np.bincount(person, m + d[thing], PEOPLE) / count for m, d in zip(mu, b, strict=True)]
    a = 0.1 * rng.normal(size=(DRAWS, PEOPLE)) - np.array(each)
    np.savez(folder / "draws.npz", mu=mu, b=b, a=a)


def program(folder: Path, *words: str) -> tuple[float, float]:
    """CPU seconds and the peak in MB of the program, and what it says on the screen."""
    measured = "import resource, runpy, sys; sys.argv[0] = 'reparam-rewrite'\n"
    measured += "try: runpy.run_module('reparam_rewrite', run_name='__main__')\n"
    measured += "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    words = (sys.executable, "-c", measured, *words)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run(
        words, cwd=folder, env=environment(), check=True, stdout=subprocess.PIPE, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, int(ran.stdout.split()[-1]) / 1024


def step_of(path: str) -> Callable[[], object]:
    """What computes one gradient of a model's potential, which has been compiled."""
    import jax
    from numpyro.infer.util import initialize_model

    from reparam_rewrite.running.load import load

    args, kwargs = load("example.py", "file").example_args()
    model = load(path, "file").model
    found = initialize_model(jax.random.PRNGKey(0), model, model_args=args, model_kwargs=kwargs)
    gradient, z = jax.jit(jax.value_and_grad(found.potential_fn)), found.param_info.z

    def step() -> object:
        return jax.block_until_ready(gradient(z))

    step()
    return step


def peak() -> None:
    """Print the peak of memory in MB after one gradient."""
    step_of(sys.argv[2])
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def rates() -> None:
    """Print the milliseconds that a gradient of each model takes, by turns."""
    steps = [step_of(path) for path in sys.argv[2:]]
    times: list[list[float]] = [[] for _ in steps]
    for _ in range(ROUNDS):
        for step, found in zip(steps, times, strict=True):
            start = time.perf_counter()
            for _ in range(EACH):
                step()
            found.append((time.perf_counter() - start) / EACH)
    print(*(1000 * statistics.median(found) for found in times))


def itself(folder: Path, *words: str) -> list[float]:
    """The numbers that this script prints in another process."""
    command = (sys.executable, "-m", "tests.benchmarks.large_groups", *words)
    ran = subprocess.run(
        command, cwd=folder, env=environment(), check=True, stdout=subprocess.PIPE, text=True
    )
    return [*map(float, ran.stdout.split())]


def main(folder: Path) -> None:
    written(folder)
    program(folder, "model.py", "-c", "live.toml", "-o", "live.py")
    words = ("--args", "example.py:example_args", "--pilot", "draws.npz", "-o", "frozen.toml")
    cpu, most = program(folder, "fit", "model.py", "-c", "live.toml", *words)
    print(f"fit: {cpu:.0f} s of CPU time, {most:,.0f} MB")
    program(folder, "model.py", "-c", "frozen.toml", "-o", "frozen.py")
    print(f"frozen.npz: {(folder / 'frozen.npz').stat().st_size / 1e6:.1f} MB")
    paths = ("model.py", "live.py", "frozen.py")
    for path, time_of_one in zip(paths, itself(folder, "--rates", *paths), strict=True):
        (most,) = itself(folder, "--peak", path)
        print(f"{path}: {time_of_one:.2f} ms a gradient, {most:,.0f} MB")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--peak", _]:
            peak()
        case ["--rates", *_]:
            rates()
        case [folder]:
            Path(folder).mkdir(parents=True, exist_ok=True)
            main(Path(folder))
        case _:
            with tempfile.TemporaryDirectory() as temporary:
                main(Path(temporary))
