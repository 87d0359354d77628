"""What the cure is worth where it can be computed exactly: an additive tensor with fixed scales.

    python -m tests.benchmarks.gaussian_tensor

Every parameterization is rewritten by the program, and gaussian.py has the KL divergence of the
best diagonal normal from the posterior. mu has no parents: its sd under q is
1 / sqrt(Lambda_mu,mu).
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import jax

from reparam_rewrite.messages import Refusal
from tests.benchmarks import gaussian
from tests.benchmarks.gaussian import Figures, check_same_posterior, heading
from tests.support.cases import rewritten
from tests.support.execution import double_precision, load_model, traced

SIZES = (8, 6, 10)
SEED = 0

MODEL = '''\
"""An additive model of a three-way table with known scales."""

import numpyro
import numpyro.distributions as dist


def model(n_i, n_j, n_t, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 10))
    with numpyro.plate("i", n_i):
        a = numpyro.sample("a", dist.Normal(0, 1))
    with numpyro.plate("j", n_j):
        b = numpyro.sample("b", dist.Normal(0, 1))
    z = numpyro.sample("z", dist.GaussianRandomWalk(0.5, num_steps=n_t))
    with numpyro.plate("i", n_i):
        A = numpyro.sample("A", dist.GaussianRandomWalk(0.3, num_steps=n_t))
    with numpyro.plate("j", n_j):
        B = numpyro.sample("B", dist.GaussianRandomWalk(0.3, num_steps=n_t))
    with numpyro.plate("i", n_i):
        C = numpyro.sample("C", dist.Normal(0, 0.5).expand([n_j]).to_event(1))

    mean = mu + a[:, None, None] + b[:, None] + z + A[:, None] + B + C[:, :, None]
    numpyro.sample("y", dist.Normal(mean, 0.1), obs=y)
'''

CHAIN = 'chain = ["mu", "a", "b", "z", "A", "B", "C"]\n'
MU_ONLY = """\
chain = [["mu", "a"], ["mu", "b"], ["mu", "z"], ["mu", "A"], ["mu", "B"], ["mu", "C"]]
"""
SHARED = '[defaults]\ncoefficient = "shared"\n'
ONES = "[defaults]\ninit = 1.0\nlearn = false\n"
DCT = '[sites.z]\nbasis = "dct"\n[sites.A]\nbasis = "dct"\n[sites.B]\nbasis = "dct"\n'
DCT_OF_ALL = "".join(f'[sites.{site}]\nbasis = "dct"\n' for site in "abz") + "".join(
    f'[sites.{site}.basis]\nkind = "dct"\ndim = [-1, -2]\n' for site in "ABC"
)


@dataclass(frozen=True)
class Entry:
    """A line of the table. `needs`: what the generated source must contain to be what it says."""

    name: str
    config: str | None
    needs: str = ""


PLAIN = Entry("as written", None)
CHAIN_OF_ONES = Entry("full chain, coefficients 1", CHAIN + ONES)
ENTRIES = [
    PLAIN,
    Entry("offsets by mu only, shared", MU_ONLY + SHARED),
    Entry("offsets by mu only, elementwise", MU_ONLY),
    CHAIN_OF_ONES,
    Entry("full chain, shared", CHAIN + SHARED),
    Entry("full chain, elementwise", CHAIN),
    Entry("full chain, shared, DCT", CHAIN + SHARED + DCT, needs="DiscreteCosineTransform("),
    Entry("full chain, elementwise, DCT", CHAIN + DCT, needs="DiscreteCosineTransform("),
    Entry("full chain, shared, DCT of all axes", CHAIN + SHARED + DCT_OF_ALL, needs="PlateDCT("),
]


class Unsupported(Exception):
    """The program does not write the parameterization of an entry."""


def source_of(entry: Entry) -> str:
    """The model as the program rewrites it. Raises `Unsupported`."""
    if entry.config is None:
        return MODEL
    try:
        source = rewritten(MODEL, entry.config).data.decode()
    except Refusal as refusal:
        if entry.needs:
            raise Unsupported(f"refused: {str(refusal).splitlines()[0]}") from refusal
        raise
    if entry.needs not in source:
        # A key that is read and then ignored must not pass for what it promises.
        raise Unsupported(f"accepted, but the generated model has no {entry.needs.rstrip('(')}")
    return source


def simulated() -> jax.Array:
    """Data drawn from the model as written."""
    y: jax.Array = traced(load_model(MODEL), SIZES, {}, key=SEED)["y"]["value"]
    return y


def figures(source: str, y: jax.Array, iterations: int = 10_000) -> Figures:
    """What `gaussian.figures` says of the model of a source, with these data."""
    return gaussian.figures(load_model(source), SIZES, {"y": y}, iterations)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--iterations", type=int, default=10_000, help="at most, of L-BFGS-B")
    iterations = parser.parse_args().iterations

    print(heading("gaussian_tensor"))
    columns = ("parameterization", "coefficients", "KL", "sd(mu)/exact", "iterations", "seconds")
    print("{:34} {:>12} {:>6} {:>12} {:>10} {:>7}".format(*columns))
    with double_precision():
        y = simulated()
        plain = figures(MODEL, y)
        for entry in ENTRIES:
            started = time.perf_counter()
            try:
                source = source_of(entry)
            except Unsupported as reason:
                print(f"{entry.name:34} skipped, {reason}")
                continue
            result = figures(source, y, iterations)
            check_same_posterior(plain, result)
            print(
                f"{entry.name:34} {result.coefficients:12} {result.kl:6.1f}"
                f" {result.sd_mu / result.exact_sd_mu:12.3f} {result.iterations:10}"
                f" {time.perf_counter() - started:7.1f}",
                flush=True,
            )
    print()
    print(f"log evidence {plain.log_evidence:.3f}, exact sd(mu) {plain.exact_sd_mu:.4f} in all")


if __name__ == "__main__":
    main()
