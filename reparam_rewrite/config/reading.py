"""Reading a config: the bytes of a TOML file become a `Config`, or a `Refusal` with all its faults.

What is left to check needs the model: that sites exist, their order and scopes, cycles, clashes.
A chain is not expanded here, as only the model says which of its sites it has: its pairs are
(child, every member before it). A pair that is asked for twice is one pair.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

from reparam_rewrite.config.checking import Reader
from reparam_rewrite.config.keys import Settings
from reparam_rewrite.config.rules import Config, ParentRule, SiteRule, line_of
from reparam_rewrite.config.toml_places import KeyPath, KeyPlace, header, places
from reparam_rewrite.messages import Diagnostic, Named, Place, Refusal
from reparam_rewrite.source.encoding import refusal_at
from reparam_rewrite.source.files import read_bytes

__all__ = ["Config", "Named", "ParentRule", "Settings", "SiteRule", "config_at", "read_config"]


def read_config(data: bytes, path: str) -> Config:
    """The config in `data`, the content of a TOML file; `path` only appears in messages.

    Raises `Refusal` for bytes that are not UTF-8, for what is not TOML, and otherwise for
    everything that is wrong with keys, types and values at once, in the order of the file.
    """
    text = _decoded(data, path)
    reader = Reader(path, text, *_parsed(text, path))
    config = reader.config()
    if reader.problems:
        raise Refusal([problem for _, problem in sorted(reader.problems, key=lambda p: p[0])])
    return config


def config_at(path: str) -> Config:
    """The config in the file at `path`. Raises `Refusal` as `read_bytes` and `read_config` do."""
    return read_config(read_bytes(path, "config"), path)


def _decoded(data: bytes, path: str) -> str:
    """The text; a byte order mark, which TOML does not have but editors write, is no part of it."""
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        message = f"not UTF-8: the byte 0x{data[error.start]:02x}"
        raise refusal_at(path, data, error.start, message, "save the file as UTF-8.") from None


def _parsed(text: str, path: str) -> tuple[dict[str, Any], dict[KeyPath, KeyPlace]]:
    """What `tomllib` reads, and where it stands."""
    try:
        return tomllib.loads(text), places(text)
    except RecursionError:
        reason, line, column = "values are nested too deeply", 1, 1
    except ValueError as error:  # TOMLDecodeError, or int() on thousands of digits
        reason, line, column = _reason(str(error), text)
    hint = _other_language(text, path) or (
        "strings need quotes, brackets come in pairs, a table is there once: see toml.io."
    )
    place = Place(path, line, column)
    raise Refusal(Diagnostic(place, f"not TOML: {reason}", hint, line_of(text, line)))


def _other_language(text: str, path: str) -> str:
    """What to do where the file isn't meant to be TOML, "" where it seems to be."""
    example = '[sites.a] and, on the next line, offset = "mu"'
    if path.endswith((".json", ".jsonc")) or text.lstrip().startswith("{"):
        return f"this looks like JSON, and a config is TOML: {example}."
    if path.endswith((".yaml", ".yml")) or re.search(r"^[\w-]+:(\s|$)", text, re.MULTILINE):
        return f"this looks like YAML, and a config is TOML: {example}."
    if path.endswith(".py") or re.search(r"^(import|from) \w|^def \w", text, re.MULTILINE):
        return "this looks like Python: give the model as MODEL, and the TOML file with --config."
    return ""


def _reason(message: str, text: str) -> tuple[str, int, int]:
    """What tomllib complains of, as a clause, with the line and column it ends its message with."""
    import ast  # costs as much as all of tomllib, for one kind of message

    place = r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)"
    ended = re.fullmatch(place, message, re.DOTALL)
    reason, line, column = (ended[1] if ended else message), 1, 1
    if ended and ended[2]:
        line, column = int(ended[2]), int(ended[3])
    elif ended:  # what is missing is missing after the last mark
        written = text.rstrip().split("\n")
        line, column = len(written), len(written[-1]) + 1
    # tomllib shows the keys of a table as its own tuple: "Cannot declare ('sites', 'a') twice".
    if shown := re.match(r"(Cannot [a-z ]+)(\(.+\))( twice)?$", reason):
        reason = f"{shown[1]}{header(*ast.literal_eval(shown[2]))}{shown[3] or ''}"
    return reason[:1].lower() + reason[1:], line, column
