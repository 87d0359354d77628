"""A config that is a dictionary, as the TOML that would have been read as that dictionary.

So there is one reader of configs, and its messages have a line to show.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from reparam_rewrite.config.toml_places import header
from reparam_rewrite.messages import Diagnostic, Refusal

#: Tables of this depth have a header, [sites.a]; deeper ones stand in a line of it.
DEEPEST = 2


def to_toml(config: Mapping[str, object], path: str) -> str:
    """The text of a config; `path` is what messages call it.

    Raises `Refusal` for a key that isn't a string and a value that TOML doesn't have.
    """
    return "\n".join(lines(config, (), path)) + "\n"


def lines(table: Mapping[str, object], keys: tuple[str, ...], path: str) -> Iterator[str]:
    inner = {}
    for key, value in table.items():
        if isinstance(value, Mapping) and len(keys) < DEEPEST:
            inner[key] = value
        else:
            yield f"{name_of(key, keys, path)} = {value_of(value, (*keys, key), path)}"
    for key, value in inner.items():
        deeper = (*keys, key)
        only_tables = value and all(isinstance(part, Mapping) for part in value.values())
        if len(deeper) == DEEPEST or not only_tables:
            yield f"[{'.'.join(name_of(part, keys, path) for part in deeper)}]"
        yield from lines(value, deeper, path)


def name_of(key: object, keys: tuple[str, ...], path: str) -> str:
    if not isinstance(key, str):
        where = f" of {header(*keys)}" if keys else ""
        raise Refusal(Diagnostic(path, f"the key {key!r}{where} is not a string"))
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else quoted(key, keys, path)


def value_of(value: object, keys: tuple[str, ...], path: str) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(int(value))
        case float():
            return repr(float(value))  # also of a subclass, as NumPy's is
        case str():
            return quoted(value, keys, path)
        case list() | tuple():
            return f"[{', '.join(value_of(part, keys, path) for part in value)}]"
        case Mapping():
            parts = [
                f"{name_of(key, keys, path)} = {value_of(part, (*keys, str(key)), path)}"
                for key, part in value.items()
            ]
            return f"{{ {', '.join(parts)} }}" if parts else "{}"
    where, kind = header(*keys)[1:-1], type(value).__name__
    message = f"the value of {where} is a {kind}, which TOML doesn't have"
    hint = "strings, booleans, numbers, lists and dictionaries can be in a config."
    raise Refusal(Diagnostic(path, message, hint))


def quoted(text: str, keys: tuple[str, ...], path: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        where = f" of {header(*keys)}" if keys else ""
        message = f"{text!a}{where} has half of a character"
        raise Refusal(Diagnostic(path, message)) from None
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
