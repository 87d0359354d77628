"""The JSON Schema of configs and of targets, for editors: made from the tables that read them.

Keys, types, defaults and descriptions are those of `config.keys`; what its checks ask for besides
is added here, as far as a schema can say it. Whatever the schema refuses the reader refuses too: an
editor must not complain of a config that works. `python -m reparam_rewrite.config.schema` writes
the files that are shipped.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from reparam_rewrite.bases import BASES
from reparam_rewrite.config.keys import ConfigTable, Settings, SiteName, keys_of
from reparam_rewrite.reparameterizers import REPARAMETERIZERS

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"

FOLDER = Path(__file__).parents[1] / "schemas"

FilePath = Annotated[str, Meta(extra_json_schema={"minLength": 1})]


class TargetTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[[tool.reparam-rewrite.targets]]: what is generated, of what. Paths are from this file."""

    model: Annotated[
        FilePath,
        Meta(description="The plain model, a Python file or a notebook; or a glob of several."),
    ]
    config: Annotated[
        FilePath,
        Meta(description="The offsets: one TOML file for all, or a glob with the model's part."),
    ]
    output: Annotated[
        FilePath, Meta(description="The file to generate, with the wildcards of the model's glob.")
    ]


class ToolTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[tool.reparam-rewrite]: what `reparam-rewrite` does without a model."""

    targets: Annotated[list[TargetTable], Meta(description="The files to keep up to date.")] = []


def config_schema() -> Schema:
    """The schema of offsets.toml."""
    found = schema_of(ConfigTable, "reparam-rewrite: offsets")
    tables = found["$defs"]
    for key in keys_of(Settings):  # below [defaults], it says what is the default
        for table in ("SiteTable", "ParentTable"):
            del tables[table]["properties"][key]["default"]
    found |= {
        "anyOf": [
            {"required": ["chain"]},
            {"required": ["sites"], "properties": {"sites": {"minProperties": 1}}},
        ]
    }
    tables["ConfigTable"]["properties"]["chain"] = chain(tables["ConfigTable"])
    for add_rules in (site_rules, scale_rules, basis_rules):
        add_rules(tables)
    return found


def targets_schema() -> Schema:
    """The schema of the table [tool.reparam-rewrite] in pyproject.toml."""
    return schema_of(ToolTable, "reparam-rewrite: targets")


def schema_of(table: type[msgspec.Struct], title: str) -> Schema:
    """What msgspec says of a table, with a title of its own for each of the tables in it."""
    found = msgspec.json.schema(table)
    for inner in found["$defs"].values():
        head, colon, rest = inner["description"].partition(": ")
        if colon and head.startswith("["):
            inner |= {"title": head, "description": rest[:1].upper() + rest[1:]}
        else:
            inner.pop("title")
        if not inner["required"]:
            del inner["required"]
    return {"$schema": DRAFT, "title": title, **found}


def chain(table: Schema) -> Schema:
    """One chain of names, or several; none says that nothing is meant."""
    one = {
        "type": "array",
        "minItems": 2,
        "uniqueItems": True,
        "items": msgspec.json.schema(SiteName),
    }
    description = table["properties"]["chain"]["description"]
    several = {"type": "array", "items": one}
    return {"description": description, "anyOf": [one, several]}


def without(*keys: str) -> Schema:
    """A table that has none of some keys."""
    return {"not": {"anyOf": [{"required": [key]} for key in keys]}}


def site_rules(tables: Schema) -> None:
    """What `reparam` goes with, and which arguments each reparameterizer has."""
    rules = []
    for name, found in REPARAMETERIZERS.items():
        arguments: Schema = {"propertyNames": {"enum": list(found.arguments)}}
        then: Schema = {"properties": {"args": arguments}}
        then |= {"required": ["transform"]} if name == "ExplicitReparam" else without("transform")
        rules.append(
            {
                "if": {"required": ["reparam"], "properties": {"reparam": {"const": name}}},
                "then": then,
            }
        )
    tables["SiteTable"] |= {
        "dependentRequired": {"args": ["reparam"], "transform": ["reparam"]},
        "dependentSchemas": {"reparam": without("offset", "scale", "basis")},
        "allOf": rules,
    }


def scale_rules(tables: Schema) -> None:
    """A power of a site, or a learned scale."""
    learned = [key for key in tables["ScaleTable"]["properties"] if key not in ("by", "power")]
    tables["ScaleTable"] |= {
        "dependentRequired": {"power": ["by"]},
        "dependentSchemas": {"by": without(*learned)},
    }


def basis_rules(tables: Schema) -> None:
    """What is for one kind of basis only."""
    settings = [(kind, basis.setting.name) for kind, basis in BASES.items()]
    tables["BasisTable"]["allOf"] = [
        {
            "if": {"properties": {"kind": {"const": kind}}},
            "then": without(*(key for other, key in settings if other != kind)),
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
