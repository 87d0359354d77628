"""Notebooks as text, written by `json` so that every form of the file can be had."""

from __future__ import annotations

import json
from typing import Any

from reparam_rewrite.rewriting import Rewrite
from tests.support.cases import WIDTH, rewritten

IMPORTS = "import numpyro\nimport numpyro.distributions as dist"

MODEL = """\
def model(n, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
        numpyro.sample("y", dist.Normal(mu + a, 1), obs=y)"""

OFFSETS = '[sites.a]\noffset = "mu"\n'

#: What the two cells become.
IMPORTS_AFTER = """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam"""

MODEL_AFTER = """\
def model(n, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    a_loc = numpyro.param("xi_a_mu", jnp.zeros(n)) * mu
    a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))
    with numpyro.plate("n", n):
        with numpyro.handlers.reparam(config={"a": a_reparam}):
            a = numpyro.sample("a", dist.Normal(0, 1))
        numpyro.sample("y", dist.Normal(mu + a, 1), obs=y)"""


def code(source: str, **more: Any) -> dict[str, Any]:
    """A code cell, with outputs and metadata that nobody may touch."""
    return {
        "cell_type": "code",
        "execution_count": 3,
        "metadata": {"tags": ["é"], "collapsed": False},
        "outputs": [{"name": "stdout", "output_type": "stream", "text": ["ξ = 1.0\n"]}],
        "source": source,
        **more,
    }


def text(source: str, kind: str = "markdown") -> dict[str, Any]:
    return {"cell_type": kind, "metadata": {}, "source": source}


def notebook(
    *cells: str | dict[str, Any],
    minor: int = 5,
    form: type = list,
    metadata: dict[str, Any] | None = None,
    **dumped: Any,
) -> bytes:
    """The file of a notebook; a str is a code cell. `form`: what sources are, list or str."""
    found = [dict(cell) if isinstance(cell, dict) else code(cell) for cell in cells]
    for number, cell in enumerate(found):
        if form is list:
            cell["source"] = cell["source"].splitlines(True)
        if minor >= 5:
            cell["id"] = f"cell-{number}"
    if metadata is None:
        metadata = {"kernelspec": {"display_name": "π", "language": "python", "name": "python3"}}
    whole = {"cells": found, "metadata": metadata, "nbformat": 4, "nbformat_minor": minor}
    dumped = {"indent": 1, "ensure_ascii": False, **dumped}
    return (json.dumps(whole, **dumped) + "\n").encode()


def sources(data: bytes) -> list[str]:
    """The text of every cell."""
    return ["".join(cell["source"]) for cell in json.loads(data)["cells"]]


def rewritten_notebook(data: bytes, config: str = OFFSETS, width: int = WIDTH) -> Rewrite:
    """Rewrite a notebook as the command line would. Raises `Refusal`."""
    return rewritten(data, config, width, path="model.ipynb")
