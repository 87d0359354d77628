"""What generated models are compared with where scales are tiny is right itself."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.gaussian_reference import Normal, gradient

DESIGNS = np.random.default_rng(0).normal(size=(3, 9, 2))


def problem(scale: object, noise: object = 0.7) -> Normal:
    """Three effects of two elements each, the second with a factor that is a matrix."""
    rng = np.random.default_rng(1)
    factors = {"a": scale, "b": np.array([[1.0, 0], [0.5, 2.0]]), "c": np.array([0.3, 0.9])}
    return Normal(rng.normal(size=9), dict(zip("abc", DESIGNS, strict=True)), factors, noise)


def bases(seed: int) -> dict[str, np.ndarray]:
    return {name: np.random.default_rng(seed).normal(size=2) for name in "abc"}


@pytest.mark.parametrize("scale", [1.0, 1e-6])
@pytest.mark.parametrize("noise", [1.0, 1e-6])
def test_bases_are_standard_normal_given_the_data(scale: float, noise: float) -> None:
    """And what remains is the evidence, which needs no coordinates."""
    normal = problem(scale, noise)
    columns = np.concatenate(
        [
            design @ np.diag(np.broadcast_to(factor, 2)) if np.ndim(factor) < 2 else design @ factor
            for design, factor in zip(DESIGNS, normal.factors.values(), strict=True)
        ],
        axis=1,
    )
    covariance = columns @ columns.T + noise**2 * np.eye(9)
    evidence = -np.linalg.slogdet(2 * np.pi * covariance)[1] / 2
    evidence -= normal.left @ np.linalg.solve(covariance, normal.left) / 2
    for seed in range(3):
        base = bases(seed)
        squares = sum((value**2).sum() / 2 for value in base.values())
        found = normal.log_density(base) + squares + 6 * np.log(2 * np.pi) / 2
        assert float(found) == pytest.approx(evidence, rel=1e-3 if noise < 1 else 1e-12)


def test_gradients_are_those_of_differences() -> None:
    def density(values: dict[str, np.ndarray]) -> object:
        return problem(np.exp(values["scale"]), np.exp(values["noise"])).log_density(values)

    at = {"scale": np.array(-1.0), "noise": np.array(-0.5), **bases(0)}
    slopes = gradient(density, at)
    for name, value in at.items():
        for k in range(value.size):
            step = np.zeros(value.size, np.longdouble)
            step[k] = 1e-6
            step = step.reshape(value.shape)
            higher, lower = (density({**at, name: value + s}) for s in (step, -step))
            assert float((higher - lower) / 2e-6) == pytest.approx(
                float(slopes[name].flat[k]), rel=1e-8, abs=1e-9
            )
