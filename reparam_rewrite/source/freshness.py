"""Is an output what its model and config give now? Answered from digests, without parsing any.

Whatever is unusual (a file that can't be read, one without a stamp) is no answer: then the output
is generated, and compared.
"""

from __future__ import annotations

from pathlib import Path

from reparam_rewrite import __version__
from reparam_rewrite.source import STDIN
from reparam_rewrite.source.line_length import line_length
from reparam_rewrite.source.stamp import read_stamp
from reparam_rewrite.source.up_to_date import origin


def known_fresh(model: str, config: str, output: str) -> bool:
    """Whether the file `output` says of itself that it is up to date, and was not edited."""
    if STDIN in (model, output):
        return False
    try:
        if not all(Path(path).is_file() for path in (model, config, output)):
            return False  # a pipe, say, is read once
        made = Path(output).read_bytes()
        sources = (model, Path(model).read_bytes()), (config, Path(config).read_bytes())
    except (OSError, ValueError):
        return False
    stamp = read_stamp(made, output)
    return stamp is not None and stamp.is_fresh(
        origin(__version__, output, *sources, line_length(Path(model)))
    )
