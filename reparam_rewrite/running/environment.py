"""Are there the devices that JAX is told to use?"""

from __future__ import annotations

import jax

from reparam_rewrite.messages import Diagnostic, Refusal


def refuse_missing_devices(platforms: str) -> None:
    """JAX_PLATFORMS=cuda, where there is no GPU: jax would fail in the model's first line."""
    try:
        jax.devices()
    except Exception as error:
        said = str(error).strip().split("\n")[0]
        message = f"jax finds no device for JAX_PLATFORMS={platforms}" + (said and f": {said}")
        hint = "unset JAX_PLATFORMS, or set it to cpu: models are checked and fitted on the CPU."
        raise Refusal(Diagnostic(None, message, hint)) from error
