"""The settings that JAX needs before it is imported, and whether it can run here at all."""

from __future__ import annotations

import logging
import os
import sys
from importlib.metadata import version
from importlib.util import find_spec

from reparam_rewrite.interrupts import leave_at_once
from reparam_rewrite.messages import Diagnostic, Refusal

#: The options that have XLA do one thing after another. As many batches of matrices as there are
#: cores, factored at once, never end in JAX 0.10: each waits in the pool of threads for its parts.
IN_TURN = {"xla_cpu_scheduler_type": "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED"}


def ready(who: str) -> None:
    """Refuse where jax or numpyro, which `who` needs, aren't there; keep XLA from waiting for ever.

    That is only done where jax isn't imported yet. Raises `Refusal`.
    """
    for package in ("jax", "numpyro"):
        if find_spec(package) is None:
            hint = 'install it with pip install "reparam-rewrite[models]".'
            message = f"{who} runs models, and {package} is not installed"
            raise Refusal(Diagnostic(None, message, hint))
    if "jax" not in sys.modules and version("jaxlib").startswith("0.10."):
        flags = " ".join(f"--{name}={value}" for name, value in IN_TURN.items())
        os.environ["XLA_FLAGS"] = f"{flags} {os.environ.get('XLA_FLAGS', '')}".strip()


def prepare(who: str) -> None:
    """Set what jax reads when it is imported; from here on Ctrl-C ends the process at once.

    For a process that is ours alone. `who` is what needs jax, for the `Refusal` that is raised
    where it isn't there.
    """
    ready(who)
    # The comparison is one of float64, and small: looking for a GPU takes longer than it does.
    os.environ["JAX_ENABLE_X64"] = "1"
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("jax").setLevel(logging.ERROR)
    leave_at_once()
    platforms = os.environ["JAX_PLATFORMS"]
    if platforms not in ("", "cpu"):
        # With JAX_PLATFORMS=cuda and no GPU, jax would fail in the model's first line.
        import jax

        try:
            jax.devices()
        except Exception as error:
            said = str(error).strip().split("\n")[0]
            message = f"jax finds no device for JAX_PLATFORMS={platforms}" + (said and f": {said}")
            hint = (
                "unset JAX_PLATFORMS, or set it to cpu: models are checked and fitted on the CPU."
            )
            raise Refusal(Diagnostic(None, message, hint)) from error
