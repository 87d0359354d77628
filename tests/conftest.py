"""Settings for all tests. It imports nothing heavy: most tests never touch jax."""

import os
import signal
from importlib.metadata import version

import pytest

from tests.support import executed

# The tests are small: looking for an accelerator takes longer than running them.
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# What they run for is next to nothing beside the time of the compiler, which this halves. An XLA
# ends the process at a flag that it doesn't know, so only those that do are given them.
JAXLIB = tuple(map(int, version("jaxlib").split(".")[:2]))
if (0, 7) <= JAXLIB <= (0, 10):
    HASTY = (
        "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=0 "
        "--xla_llvm_disable_expensive_passes=true"
    )
    # Without it tests may never end: `reparam_rewrite/running/environment.py` says why.
    if JAXLIB == (0, 10):
        HASTY += " --xla_cpu_scheduler_type=CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"
    os.environ.setdefault("XLA_FLAGS", HASTY)


# A shell starts what is in its background without Ctrl-C, which all that tests start would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    executed.add_options(parser)
    parser.addoption("--golden", action="store_true", help="write the outcomes of all cases anew")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    return executed.run_if_changed(pyfuncitem)


def pytest_configure(config: pytest.Config) -> None:
    executed.configure(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    executed.finish(config)
