"""Rewrite a source in process, without files."""

from __future__ import annotations

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.rewriting import rewrite
from reparam_rewrite.source.encoding import decode


def rewritten(plain: str | bytes, config: str, width: int = 88) -> str:
    """The rewritten source as text; line ends stay what they are."""
    data = plain.encode() if isinstance(plain, str) else plain
    return rewritten_bytes(data, config, width).decode()


def rewritten_bytes(plain: bytes, config: str, width: int = 88) -> bytes:
    """Raises `Refusal` where the program would refuse."""
    read = read_config(config.encode(), "offsets.toml")
    return rewrite(decode("model.py", plain), read, width).data
