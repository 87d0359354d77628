"""Density and gradients of conditional coordinates where scales are tiny: nothing divides by them.

Scales go down to 1e-6 in float32 and float64, one by one and all, and what is generated is compared
with a reference in long doubles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.infer.util import potential_energy

from tests.support.cases import FIXTURES
from tests.support.execution import double_precision, load_model
from tests.support.gaussian_reference import Array, Normal, gradient

Scales = Mapping[str, Any]


class Case(NamedTuple):
    """A fixture, the sd of the half-normal prior of each scale, and its model by hand."""

    fixture: str
    priors: Mapping[str, float]
    normal: Callable[[Any, Any, Scales], Normal]


def picked(index: Any, size: int) -> Array:
    """(n, size): element index[n] counts in observation n."""
    return np.eye(size)[np.asarray(index)]


def crossed(args: Any, observed: Any, scale: Scales) -> Normal:
    plate, sample, n_plates, n_samples = args
    return Normal(
        observed["diameter"] - 20,
        {
            "mu": np.ones((len(plate), 1)),
            "b": picked(sample, n_samples),
            "a": picked(plate, n_plates),
        },
        {"mu": 10.0, "b": scale["sigma_sample"], "a": scale["sigma_plate"]},
        scale["sigma"],
    )


def slopes(args: Any, observed: Any, scale: Scales) -> Normal:
    county, floor, n_counties = args
    a = picked(county, n_counties)
    b = a * floor[:, None]
    # The means are in the location through the levels and slopes that have them.
    means = {"mu_a": a.sum(1, keepdims=True), "mu_b": b.sum(1, keepdims=True)}
    return Normal(
        observed["log_radon"],
        {**means, "a": a, "b": b},
        {"mu_a": 5.0, "mu_b": 5.0, "a": scale["sigma_a"], "b": scale["sigma_b"]},
        scale["sigma"],
    )


CASES = [
    Case("conditional_crossed", {"sigma_plate": 2, "sigma_sample": 5, "sigma": 1}, crossed),
    Case("conditional_slopes", {"sigma_a": 1, "sigma_b": 1, "sigma": 1}, slopes),
]


def density(case: Case, args: Any, observed: Any) -> Callable[[Mapping[str, Any]], Any]:
    """The log density by hand, of the logs of the scales and the bases by their sites' names."""

    def of(values: Mapping[str, Any]) -> Any:
        prior: Any = 0
        scales = {name: np.exp(values[name]) for name in case.priors}
        for name, sd in case.priors.items():
            prior += np.log(2 / np.pi) / 2 - np.log(sd) - (scales[name] / sd) ** 2 / 2
            prior += values[name]  # log |d scale / d log scale|
        base = {name.removesuffix("_base"): value for name, value in values.items()}
        return prior + case.normal(args, observed, scales).log_density(base)

    return of


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fixture)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_density_and_gradient(case: Case, precision: str) -> None:
    folder = FIXTURES / case.fixture
    args, observed = load_model(folder / "example.py", "example_args")()
    model, by_hand = load_model(folder / "model_reparam.py"), density(case, args, observed)
    shapes = {f"{name}_base": d.shape[1] for name, d in sizes(case, args, observed).items()}
    wide = precision == "float64"
    with double_precision() if wide else nullcontext():
        found = jax.jit(jax.value_and_grad(lambda z: -potential_energy(model, args, observed, z)))
        for tiny in [[name] for name in case.priors] + [[*case.priors][:-1], [*case.priors]]:
            for size in (1.0, 1e-2, 1e-4, 1e-6):
                rng = np.random.default_rng(0)
                at = {name: np.log(size if name in tiny else 0.7) for name in case.priors}
                at |= {name: rng.normal(size=n) for name, n in shapes.items()}
                at = {name: np.asarray(v, np.float32).astype(float) for name, v in at.items()}
                wanted, slopes = by_hand(at), gradient(by_hand, at)
                given = {n: jnp.reshape(jnp.asarray(v), shape_of(v)) for n, v in at.items()}
                value, grad = found(given)
                rtol = 1e-9 if wide else 2e-3
                place = f"{tiny} at {size}"
                np.testing.assert_allclose(value, float(wanted), rtol=rtol, err_msg=place)
                length = max(float(abs(s).max()) for s in slopes.values())
                for name, slope in slopes.items():
                    np.testing.assert_allclose(
                        np.ravel(grad[name]),
                        slope.ravel().astype(float),
                        atol=rtol * length,
                        rtol=rtol,
                        err_msg=f"{name}: {place}",
                    )


def shape_of(value: Array) -> tuple[int, ...]:
    """A base of one element is that of a scalar site."""
    return () if value.size == 1 else value.shape


def sizes(case: Case, args: Any, observed: Any) -> Mapping[str, Array]:
    return case.normal(args, observed, dict.fromkeys(case.priors, 1.0)).designs
