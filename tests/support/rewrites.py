"""Rewrite a source in process, without files."""

from __future__ import annotations

import re

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.rewriting import rewrite
from reparam_rewrite.source.reading import read


def rewritten(plain: str | bytes, config: str, width: int = 88) -> str:
    """The rewritten source as text; line ends stay what they are."""
    data = plain.encode() if isinstance(plain, str) else plain
    return rewritten_bytes(data, config, width).decode()


def rewritten_bytes(plain: bytes, config: str, width: int = 88) -> bytes:
    """Raises `Refusal` where the program would refuse."""
    settings = read_config(config.encode(), "offsets.toml")
    return rewrite(read("model.py", plain), settings, width).data


def without_layout(code: str) -> str:
    """Code without blanks, line ends and trailing commas: it matters not where it is broken."""
    return re.sub(r",?\s+(?=[)\]}])|\s+", "", code)
