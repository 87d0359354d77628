"""Settings for all tests. It imports nothing heavy: most tests never touch jax."""

import os

import pytest

from tests.support import executed

# The tests are small: looking for an accelerator takes longer than running them.
os.environ.setdefault("JAX_PLATFORMS", "cpu")


def pytest_addoption(parser: pytest.Parser) -> None:
    executed.add_options(parser)
    parser.addoption("--golden", action="store_true", help="write the outcomes of all cases anew")


def pytest_configure(config: pytest.Config) -> None:
    executed.configure(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    executed.finish(config)
