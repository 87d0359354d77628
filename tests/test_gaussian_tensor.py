"""Do offsets that the program writes bring a diagonal normal as close as they should?

The figures are exact and independent of the data, so they are known beforehand. Those of learned
coefficients take a minimisation each: `python -m tests.benchmarks.gaussian_tensor`.
"""

from __future__ import annotations

import jax
import pytest

from tests.benchmarks import gaussian, gaussian_tensor
from tests.benchmarks.gaussian import Figures
from tests.support.execution import double_precision


@pytest.fixture(scope="module")
def data() -> jax.Array:
    with double_precision():
        return gaussian_tensor.simulated()


@pytest.fixture(scope="module")
def plain(data: jax.Array) -> Figures:
    with double_precision():
        return gaussian_tensor.figures(gaussian_tensor.MODEL, data)


def test_plain(plain: Figures) -> None:
    assert plain.kl == pytest.approx(128.5, abs=0.1)
    assert plain.sd_mu / plain.exact_sd_mu == pytest.approx(0.006, abs=0.001)


def test_chain_of_ones(data: jax.Array, plain: Figures) -> None:
    source = gaussian_tensor.source_of(gaussian_tensor.CHAIN_OF_ONES)
    with double_precision():
        chain = gaussian_tensor.figures(source, data)
    assert chain.kl == pytest.approx(50.2, abs=0.1)
    assert chain.sd_mu / chain.exact_sd_mu == pytest.approx(0.47, abs=0.01)
    gaussian.check_same_posterior(plain, chain)
