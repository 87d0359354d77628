"""The keys of the config as tables: from those that read it, by way of the JSON Schema."""

from __future__ import annotations

import json
import re
from typing import Any

from reparam_rewrite.config.schema import config_schema

#: What the tables are called where their docstring has no header of TOML.
TITLES = {
    "ConfigTable": "The top of the file",
    "Settings": "[defaults]",
    "ScaleTable": "[sites.&lt;child&gt;.scale]",
    "PowerTable": "[sites.&lt;child&gt;.scale.power]",
    "CenteredTable": "[sites.&lt;child&gt;.centered]",
    "BasisTable": "[sites.&lt;child&gt;.basis]",
}

#: The order in which the tables are told.
ORDER = (
    *("ConfigTable", "Settings", "SiteTable", "ParentTable", "ScaleTable", "PowerTable"),
    *("CenteredTable", "BasisTable", "ConditionalTable", "EffectTable", "VerifyTable"),
)


def tables() -> str:
    """A heading and a table of keys for each table of the config."""
    found = config_schema()["$defs"]
    assert sorted(found) == sorted(ORDER), "docs/making/keys.py has to know all tables"
    return "\n\n".join(section(name, found[name]) for name in ORDER)


def section(name: str, table: dict[str, Any]) -> str:
    title = table.get("title") or TITLES[name]
    title = title.replace("<", "&lt;").replace(">", "&gt;")
    required = table.get("required", [])
    rows = [row(key, value, key in required) for key, value in table["properties"].items()]
    head = ["| key | value | what it is |", "|---|---|---|"]
    heading = f"### {title} {{ #{anchor(name)} }}"
    return "\n".join([heading, "", table["description"], "", *head, *rows])


def anchor(name: str) -> str:
    return "keys-" + re.sub(r"Table$", "", name).lower()


def row(key: str, value: dict[str, Any], required: bool) -> str:
    may_be = kind(value)
    if required:
        may_be += "; has to be there"
    elif "default" in value:
        may_be += f"; `{json.dumps(value['default'])}` without it"
    cells = [f"`{key}`", may_be, value["description"]]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def kind(value: dict[str, Any]) -> str:
    """What a value may be, in words; `value` is a part of a JSON Schema."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[a table](#{anchor(name)})"
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(kind(one) for one in value["anyOf"]))
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    if "enum" in value:
        return " or ".join(f"`{json.dumps(one)}`" for one in value["enum"])
    return KINDS.get(value.get("type", ""), lambda _: "anything")(value)


def array(value: dict[str, Any]) -> str:
    inner = value.get("items", {})
    if isinstance(inner.get("type"), list):
        return "a list of numbers, or of such lists"
    items = kind(inner)
    plural = {"a text": "texts", "a whole number": "whole numbers", "a list of texts": "lists"}
    return f"a list of {plural.get(items, 'values')}"


def table_of(value: dict[str, Any]) -> str:
    inner = value.get("additionalProperties")
    if not isinstance(inner, dict) or not inner:
        return "a table"
    refs = re.findall(r'"\$ref": "#/\$defs/(\w+)"', json.dumps(inner))
    return f"[tables](#{anchor(refs[0])}) by name" if refs else f"a table: {kind(inner)} by name"


KINDS = {
    "string": lambda value: "an `.npz`" if value.get("pattern", "").endswith(r"npz$") else "a text",
    "number": lambda value: "a number" + bounds(value),
    "integer": lambda value: "a whole number" + bounds(value),
    "boolean": lambda value: "`true` or `false`",
    "array": array,
    "object": table_of,
}


def bounds(value: dict[str, Any]) -> str:
    if "minimum" in value and "maximum" in value:
        return f" from {value['minimum']:g} to {value['maximum']:g}"
    if "exclusiveMinimum" in value and "exclusiveMaximum" in value:
        return f" between {value['exclusiveMinimum']:g} and {value['exclusiveMaximum']:g}"
    if "exclusiveMinimum" in value:
        return f" above {value['exclusiveMinimum']:g}"
    return f" up to {value['maximum']:g}" if "maximum" in value else ""
