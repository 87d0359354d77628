"""Reading a config: the bytes of a TOML file become a `Config`, or a `Refusal` with all its faults.

What the rest of the program uses:

- `read_config(data, path)` gives a `Config`. All of its values are frozen and have been checked.
- `Config.functions` are the functions to rewrite, `Named` (`name`, `place`); empty: not given.
- `Config.chains` are tuples of `Named`. A chain is not expanded, as only the model has the order of
  sampling: the pairs of a chain are (child, every member sampled before it).
- `Config.sites` maps the name of each site that has a table to its `SiteRule`, in the file's order.
  The pairs of a child are those of its chains and those of its `SiteRule.parents`, less the parents
  whose `ParentRule.keep` is False. A pair that is asked for twice is one pair.
- `Config.rule(child, parent)` is the `ParentRule` of a pair, with `value` and `center`, or None.
- `Config.settings(child, parent)` are the resolved `Settings` of a pair, of a chain or not.
- `Config.verify` is the `VerifyRule`, `args` and `function`, of the command of that name.
- `Config.place_of_pair(child, parent)` and `Config.source_line(place)` are for diagnostics.

What is left to check needs the model: that sites exist, their order and scopes, cycles, clashes.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

from reparam_rewrite.config.keys import Config, ParentRule, Settings, SiteRule, line_of
from reparam_rewrite.config.tables import Reader
from reparam_rewrite.config.toml_places import header, places
from reparam_rewrite.messages import Diagnostic, Named, Place, Refusal

__all__ = ["Config", "Named", "ParentRule", "Settings", "SiteRule", "read_config"]


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


def _decoded(data: bytes, path: str) -> str:
    """The text; a byte order mark, which TOML does not have but editors write, is no part of it."""
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8").removeprefix("\ufeff").split("\n")
        place = Place(path, len(before), len(before[-1]) + 1)
        message = f"not UTF-8: the byte 0x{data[error.start]:02x}"
        line = data.split(b"\n")[len(before) - 1].decode("utf-8", "replace")
        source = line.removeprefix("\ufeff").removesuffix("\r")
        raise Refusal(Diagnostic(place, message, "save the file as UTF-8.", source)) from None


def _parsed(text: str, path: str) -> tuple[dict[str, Any], dict[Any, Any]]:
    """What `tomllib` reads, and where it stands."""
    try:
        return tomllib.loads(text), places(text)
    except RecursionError:
        reason, line, column = "values are nested too deeply", 1, 1
    except ValueError as error:  # TOMLDecodeError, or int() on thousands of digits
        reason, line, column = _reason(str(error), text)
    problem = f"not TOML: {reason}"
    hint = _other_language(text, path) or (
        "strings need quotes, brackets come in pairs, a table is there once: see toml.io."
    )
    raise Refusal(Diagnostic(Place(path, line, column), problem, hint, line_of(text, line)))


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

    ended = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", message, re.S)
    if ended is None:
        reason, line, column = message, 1, 1
    elif ended[2]:
        reason, line, column = ended[1], int(ended[2]), int(ended[3])
    else:  # what is missing is missing after the last mark
        written = text.rstrip().split("\n")
        reason, line, column = ended[1], len(written), len(written[-1]) + 1
    # tomllib shows the keys of a table as its own tuple: "Cannot declare ('sites', 'a') twice".
    if shown := re.match(r"(Cannot [a-z ]+)(\(.+\))( twice)?$", reason):
        reason = f"{shown[1]}{header(*ast.literal_eval(shown[2]))}{shown[3] or ''}"
    return reason[:1].lower() + reason[1:], line, column
