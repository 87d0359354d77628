"""The cases in fixtures/ and the program as a function of text. Imports neither jax nor numpyro."""

from __future__ import annotations

import re
from pathlib import Path

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.rewriting import Rewrite, rewrite
from reparam_rewrite.source.reading import read
from reparam_rewrite.source.stamp import read_stamp

FIXTURES = Path(__file__).parents[2] / "fixtures"

#: Every folder is a case: adding one is all that it takes to have it tested.
CASES = sorted(folder for folder in FIXTURES.iterdir() if (folder / "model.py").exists())

#: Black's and ruff's own default, which the fixtures are written in.
WIDTH = 88


def golden(case: Path) -> bytes:
    """What a fixture's model becomes, without the stamp that the file has at its head."""
    stamp = read_stamp((case / "model_reparam.py").read_bytes())
    assert stamp is not None and not stamp.edited
    return stamp.rest


def rewritten(
    model: str | bytes, config: str | bytes, width: int = WIDTH, *, path: str = "model.py"
) -> Rewrite:
    """Rewrite a source as the command line would. Raises `Refusal`."""
    source = model.encode() if isinstance(model, str) else model
    settings = config.encode() if isinstance(config, str) else config
    return rewrite(read(path, source), read_config(settings, "offsets.toml"), width)


def rewritten_text(model: str | bytes, config: str, width: int = WIDTH) -> str:
    """The rewritten source as text; line ends stay what they are."""
    return rewritten(model, config, width).data.decode()


def without_layout(code: str) -> str:
    """Code without blanks, line ends and trailing commas: it matters not where it is broken."""
    return re.sub(r",?\s+(?=[)\]}])|\s+", "", code)


def rewritten_case(case: Path, config: str | bytes | None = None) -> Rewrite:
    """Rewrite a fixture's model, with its own config or another."""
    if config is None:
        config = (case / "offsets.toml").read_bytes()
    return rewritten((case / "model.py").read_bytes(), config)
