"""What it is worth that parents meet their children in the data, and not as means over axes.

    python -m tests.benchmarks.meeting [NAMES...]

The KL divergence of the best diagonal normal from the posterior (gaussian.py), with one coefficient
for each pair, of the model as it is written; with every parent averaged over the axes that its
child doesn't have by name, as a config has it with ``value = "jnp.mean(...)"``; and of what
``chain`` alone generates. The scales are held, so that the posterior is Gaussian:

    insteval        ratings of the 60 lecturers who have the most by the 696 students who rated 10
                    of them (mixedlm): 11 departments, lecturers, students. sd of the effects 0.15,
                    0.515 and 0.325, of a rating 1.177: lme4's of all 73,421.
    nested          fixtures/nested: 12 states, 120 counties, 1,200 observations with sd 0.3; levels
                    only. sd of states 0.8, of counties 0.5.
    holes           the same where 10 of the counties have no observation.
    slopes          without holes, with a slope for each state and each county; their sd 0.4, 0.3.
    tensor          8 x 6 x 10, as in gaussian_tensor.py, but the plates of A, B and C have names of
                    their own: `ci` is the `i` of a. With z, A and B in the DCT basis, but in the
                    first column.
    tensor_plain    the same without a basis.
    multilevel      fixtures/multilevel: 900 pupils in 60 classes in 15 schools, two tests with sd
                    0.5. sd of schools 0.6, of their slopes 0.3, of classes 0.4.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
from numpyro import handlers

from tests.benchmarks import gaussian_tensor
from tests.benchmarks.data import Arguments, insteval
from tests.benchmarks.gaussian import Figures, check_same_posterior, figures, heading
from tests.support.cases import FIXTURES, rewritten_text
from tests.support.execution import double_precision, load_model, structure

SHARED = gaussian_tensor.SHARED


class Row(NamedTuple):
    """A line of the table.

    means: by child, the value of each of its parents, as it would be without the data.
    more: what the configs of both columns have besides.
    held: the sites that have a known value.
    """

    model: str
    data: Callable[[], Arguments]
    means: Mapping[str, Mapping[str, str]]
    more: str = ""
    held: Mapping[str, Any] = {}

    @property
    def through_data(self) -> str:
        """The config of the chain alone: the sites in the order in which they are sampled."""
        last = list(self.means)[-1]
        return f"chain = {[*self.means[last], last]}\n{SHARED}{self.more}".replace("'", '"')

    @property
    def as_means(self) -> str:
        tables = [SHARED, self.more]
        for child, parents in self.means.items():
            values = (f'{p} = {{ value = "{value}" }}\n' for p, value in parents.items())
            tables.append(f"[sites.{child}.offset]\n{''.join(values)}")
        return "".join(tables)


def fixture(name: str) -> tuple[str, Callable[[], Arguments]]:
    """The model and the data of a fixture."""
    folder = FIXTURES / name
    example: Callable[[], Arguments] = load_model(folder / "example.py", "example_args")
    return (folder / "model.py").read_text(), example


def nested(empty: int) -> tuple[str, Callable[[], Arguments]]:
    """The model and the data of fixtures/nested, with so many counties without observations."""
    model, data = fixture("nested")
    return model, functools.partial(data, empty=empty)


def with_other_names() -> str:
    """The tensor model, in which each of A, B and C has a plate of its own."""
    model = gaussian_tensor.MODEL
    for site, plate in (("A", "i"), ("B", "j"), ("C", "i")):
        old = f'numpyro.plate("{plate}", n_{plate}):\n        {site} ='
        assert old in model
        model = model.replace(old, old.replace(f'"{plate}"', f'"{site.lower()}{plate}"'))
    return model


def tensor_data() -> Arguments:
    return gaussian_tensor.SIZES, {"y": gaussian_tensor.simulated()}


MU = {"mu": "mu"}

TENSOR_MEANS = {
    "a": MU,
    "b": {**MU, "a": "jnp.mean(a)"},
    "z": {**MU, "a": "jnp.mean(a)", "b": "jnp.mean(b)"},
    "A": {**MU, "a": "jnp.mean(a)", "b": "jnp.mean(b)", "z": "z"},
    "B": {
        **MU,
        "a": "jnp.mean(a)",
        "b": "jnp.mean(b)",
        "z": "z",
        "A": "jnp.mean(A, axis=0)",
    },
    "C": {
        **MU,
        "a": "jnp.mean(a)",
        "b": "b",
        "z": "jnp.mean(z)",
        "A": "jnp.mean(A)",
        "B": "jnp.mean(B, axis=-1)",
    },
}

SLOPE = {**MU, "beta": "beta"}

LEVELS = {"s": MU, "c": {**MU, "s": "jnp.mean(s)"}}

STATES = {**SLOPE, "s": "jnp.mean(s)", "bs": "jnp.mean(bs)"}

SCALES_OF_NESTED = {
    "sigma_s": 0.8,
    "sigma_bs": 0.4,
    "sigma_c": 0.5,
    "sigma_bc": 0.3,
    "sigma": 0.3,
}

ROWS = {
    "insteval": Row(
        fixture("insteval")[0],
        insteval,
        {
            "c": MU,
            "b": {**MU, "c": "jnp.mean(c)"},
            "a": {**MU, "c": "jnp.mean(c)", "b": "jnp.mean(b)"},
        },
        held={"sigma_student": 0.325, "sigma_lecturer": 0.515, "sigma_dept": 0.15, "sigma": 1.177},
    ),
    "nested": Row(*nested(0), LEVELS, held={**SCALES_OF_NESTED, "beta": 0, "bs": 0, "bc": 0}),
    "holes": Row(*nested(10), LEVELS, held={**SCALES_OF_NESTED, "beta": 0, "bs": 0, "bc": 0}),
    "slopes": Row(
        *nested(0),
        {
            "beta": MU,
            "s": SLOPE,
            "bs": {**SLOPE, "s": "s"},
            "c": STATES,
            "bc": {**STATES, "c": "c"},
        },
        held=SCALES_OF_NESTED,
    ),
    "tensor": Row(with_other_names(), tensor_data, TENSOR_MEANS, gaussian_tensor.DCT),
    "tensor_plain": Row(with_other_names(), tensor_data, TENSOR_MEANS),
    "multilevel": Row(
        *fixture("multilevel"),
        {
            "beta": MU,
            "shift": SLOPE,
            "v": {**SLOPE, "shift": "shift"},
            "u": {**SLOPE, "shift": "shift", "v": "v"},
            "w": {**SLOPE, "shift": "shift", "v": "jnp.mean(v)", "u": "jnp.mean(u)"},
        },
        held={"sigma_u": 0.6, "sigma_v": 0.3, "sigma_w": 0.4, "sigma": 0.5},
    ),
}


def measured(row: Row) -> list[Figures]:
    """As written, means over axes, through the data. To be called in `double_precision`."""
    args, kwargs = row.data()
    sites = structure(load_model(row.model), args, kwargs)
    held = {name: jnp.full(sites[name]["value"].shape, value) for name, value in row.held.items()}
    configs = (row.as_means, row.through_data)
    found = []
    for source in [row.model, *(rewritten_text(row.model, config) for config in configs)]:
        model = handlers.condition(load_model(source), data=held)
        found.append(figures(model, args, kwargs))
        check_same_posterior(found[0], found[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="tests.benchmarks.meeting",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", choices=[*ROWS, []], metavar="NAMES")
    names = parser.parse_args().names or [*ROWS]
    print(heading("meeting"))
    columns = ("KL", "dims", "as written", "means over axes", "through the data", "seconds")
    print("{:14} {:>5} {:>11} {:>16} {:>17} {:>8}".format(*columns))
    with double_precision():
        for name in names:
            started = time.perf_counter()
            plain, means, data = measured(ROWS[name])
            print(
                f"{name:14} {plain.dims:5} {plain.kl:11.2f} {means.kl:16.2f} {data.kl:17.2f}"
                f" {time.perf_counter() - started:8.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
