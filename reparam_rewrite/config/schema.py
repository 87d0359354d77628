"""The JSON Schema of configs and of targets, for editors: made from the tables that read them.

Keys, types, defaults and descriptions are those of `config.keys`; what its checks ask for besides
is added here, as far as a schema can say it. Whatever the schema refuses the reader refuses too: an
editor must not complain of a config that works. `python -m reparam_rewrite.config.schema` writes
the files that are shipped.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from reparam_rewrite.bases import BASES
from reparam_rewrite.config.keys import ConfigTable, ScaleTable, Settings, SiteName, Table, keys_of
from reparam_rewrite.reparameterizers import REPARAMETERIZERS

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"

FOLDER = Path(__file__).parents[1] / "schemas"

FilePath = Annotated[str, Meta(extra_json_schema={"minLength": 1})]

#: What stands before the description of a value, unless that may be left out without a default.
BOUNDS = (
    *("pattern", "minLength", "minimum", "maximum"),
    *("exclusiveMinimum", "exclusiveMaximum"),
)


class TargetTable(Table, frozen=True):
    """[[tool.reparam-rewrite.targets]]: what is generated, of what. Paths are from this file.

    model: The plain model, a Python file or a notebook; or a glob of several.
    config: The offsets: one TOML file for all, or a glob with the model's part.
    output: The file to generate, with the wildcards of the model's glob.
    """

    model: FilePath
    config: FilePath
    output: FilePath


class ToolTable(Table, frozen=True):
    """[tool.reparam-rewrite]: what `reparam-rewrite` does without a model.

    targets: The files to keep up to date.
    """

    targets: list[TargetTable] = msgspec.field(default_factory=list)


def config_schema() -> Schema:
    """The schema of offsets.toml."""
    found = schema_of(ConfigTable, "reparam-rewrite: offsets")
    tables = found["$defs"]
    for key in keys_of(Settings):  # below [defaults], it says what is the default
        for table in ("SiteTable", "ParentTable"):
            del tables[table]["properties"][key]["default"]
    found["anyOf"] = [
        {"required": ["chain"]},
        {"required": ["conditional"]},
        {"required": ["sites"], "properties": {"sites": {"minProperties": 1}}},
    ]
    keys = tables["ConfigTable"]["properties"]
    one = {"type": "array", "minItems": 2, "uniqueItems": True}
    one["items"] = msgspec.json.schema(SiteName)
    several = {"type": "array", "items": one}
    keys["chain"] = {"description": keys["chain"]["description"], "anyOf": [one, several]}
    add_rules(tables)
    return found


def targets_schema() -> Schema:
    """The schema of the table [tool.reparam-rewrite] in pyproject.toml."""
    return schema_of(ToolTable, "reparam-rewrite: targets")


def schema_of(table: type[Table], title: str) -> Schema:
    """What msgspec says of a table, with what the tables in it and their keys are about."""
    found = msgspec.json.schema(table)
    about = descriptions(Table)
    for name, inner in found["$defs"].items():
        head, colon, rest = about[name].partition(": ")
        if colon and head.startswith("["):
            inner |= {"title": head, "description": rest[:1].upper() + rest[1:]}
        else:
            inner.pop("title")
            inner["description"] = head + colon + rest
        for key, value in inner["properties"].items():
            is_first = "default" in value or key in inner["required"]
            bounds = {bound: value[bound] for bound in value if is_first and bound in BOUNDS}
            inner["properties"][key] = {**bounds, "description": about[f"{name}.{key}"], **value}
        if not inner["required"]:
            del inner["required"]
    return {"$schema": DRAFT, "title": title, **found}


def descriptions(table: type[Table], above: dict[str, str] | None = None) -> dict[str, str]:
    """What the docstrings of tables say: of ``SiteTable`` itself, and of ``SiteTable.scale``."""
    head, _, rest = inspect.cleandoc(table.__doc__ or "").partition("\n\n")
    pairs = re.findall(r"^(\w+): (.*(?:\n    .*)*)", rest, re.MULTILINE)
    keys = {**(above or {}), **{key: re.sub(r"\n +", " ", text) for key, text in pairs}}
    name = table.__name__
    found = {name: head, **{f"{name}.{key}": text for key, text in keys.items()}}
    for inner in table.__subclasses__():
        found |= descriptions(inner, keys)
    return found


def without(*keys: str) -> Schema:
    """A table that has none of some keys."""
    return {"not": {"anyOf": [{"required": [key]} for key in keys]}}


def add_rules(tables: Schema) -> None:
    """Which keys go together, in the tables of which some do and some don't."""
    rules = []
    for name, found in REPARAMETERIZERS.items():
        then: Schema = {"properties": {"args": {"propertyNames": {"enum": [*found.arguments]}}}}
        then |= {"required": ["transform"]} if name == "ExplicitReparam" else without("transform")
        is_named = {"required": ["reparam"], "properties": {"reparam": {"const": name}}}
        rules.append({"if": is_named, "then": then})
    tables["SiteTable"] |= {
        "dependentRequired": {"args": ["reparam"], "transform": ["reparam"]},
        "dependentSchemas": {
            "reparam": without("offset", "scale", "centered", "basis"),
            "centered": without("scale"),
        },
        "allOf": rules,
    }
    learned = [key for key in keys_of(ScaleTable) if key not in ("by", "power")]
    tables["ScaleTable"] |= {
        "dependentRequired": {"power": ["by"]},
        "dependentSchemas": {"by": without(*learned)},
    }
    frozen = {"required": ["per"], "properties": {"per": {"pattern": r"\.npz$"}}}
    tables["ParentTable"] |= {
        "dependentRequired": {"weight": ["value"]},
        "if": {"required": ["per"], "not": frozen},
        "then": {"required": ["value"]},
        "dependentSchemas": {"weight": {"not": frozen}},
    }
    settings = {kind: basis.setting.name for kind, basis in BASES.items()}
    tables["BasisTable"]["allOf"] = [
        {
            "if": {"properties": {"kind": {"const": kind}}},
            "then": without(*(key for other, key in settings.items() if other != kind)),
        }
        for kind in BASES
    ]


#: By the name that the command has for it: the shipped file, and what makes it.
SCHEMAS: dict[str, tuple[str, Callable[[], Schema]]] = {
    "config": ("offsets.schema.json", config_schema),
    "targets": ("targets.schema.json", targets_schema),
}


def text_of(schema: Schema) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for file, make in SCHEMAS.values():
        (FOLDER / file).write_text(text_of(make()), encoding="utf-8")
