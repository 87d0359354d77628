"""The typed definition of the config: the tables as TOML writes them, and the values they become.

`ConfigTable`, `SiteTable`, `ParentTable` and `Settings` say which keys there are, of what type and
with what meaning; reading, the lists of valid keys in messages and a JSON Schema all come from
them. A new setting is one field of `Settings`.

What a value must be besides stands with its type, as a JSON Schema says it; the reader has the same
rules in `allowed_values`, with the words for a person.

`Config`, `SiteRule`, `ParentRule` and `Named` are what the rest of the program reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from reparam_rewrite.bases import BASES, KindName
from reparam_rewrite.config.toml_places import header
from reparam_rewrite.messages import Named, Place, listed, nearest
from reparam_rewrite.reparameterizers import REPARAMETERIZERS

Keys = tuple[str, ...]

#: A part of a dotted name: no digit first, and of ASCII only letters, digits and underscores; which
#: other characters a name has is for Python to say.
_PART = r"(?![0-9])[^\s!-/:-@\[-\^`{-~]+"

Expression = Annotated[str, Meta(extra_json_schema={"pattern": r"\S"})]
SiteName = Annotated[str, Meta(extra_json_schema={"pattern": r"^[^*?\[]+$"})]
FunctionName = Annotated[str, Meta(extra_json_schema={"pattern": rf"^{_PART}(\.{_PART})*$"})]
#: Only {child} and {parent} are filled in; other braces are doubled.
Template = Annotated[
    str,
    Meta(extra_json_schema={"pattern": r"^([^{}]|\{\{|\}\}|\{child\}|\{parent\})+$"}),
]
#: A file beside the generated one.
ArrayFile = Annotated[str, Meta(extra_json_schema={"pattern": r"^[^/\\{}]+\.npz$"})]
#: Nested arrays are not looked into.
Numbers = Annotated[
    list[Any],
    Meta(extra_json_schema={"minItems": 1, "items": {"type": ["number", "array"]}}),
]
_ONCE_EACH = {"minItems": 1, "uniqueItems": True}
SiteNames = Annotated[list[SiteName], Meta(extra_json_schema=_ONCE_EACH)]
FunctionNames = Annotated[list[FunctionName], Meta(extra_json_schema=_ONCE_EACH)]
AxisNames = Annotated[
    list[Annotated[str, Meta(extra_json_schema={"minLength": 1})]],
    Meta(extra_json_schema=_ONCE_EACH),
]
Positive = Annotated[float, Meta(extra_json_schema={"exclusiveMinimum": 0})]
Share = Annotated[float, Meta(extra_json_schema={"minimum": 0, "maximum": 1})]
#: An axis, counted from the right.
Dim = Annotated[int, Meta(extra_json_schema={"maximum": -1})]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one offset is made. Valid in [defaults], for a site and for a parent."""

    coefficient: Annotated[
        Literal["elementwise", "shared", "matrix"] | AxisNames,
        Meta(
            description="One coefficient per element of the child, one scalar, one per element "
            "of the named axes, or a weight for every pair of elements."
        ),
    ] = "elementwise"
    init: Annotated[
        float | Numbers | ArrayFile,
        Meta(
            description="The coefficient's initial value: 0 is the model as written. A number, an "
            "array of one for each element, or an .npz that has the array by the param's name."
        ),
    ] = 0.0
    learn: Annotated[
        bool, Meta(description="False writes the initial value as a literal, not a param.")
    ] = True
    reduce: Annotated[
        Literal["mean", "sum", "error"],
        Meta(description="What happens to a parent's axis that the child lacks."),
    ] = "mean"
    name: Annotated[
        Template, Meta(description="The coefficient's param site, from {child} and {parent}.")
    ] = "xi_{child}_{parent}"


class ParentTable(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[sites.<child>.offset.<parent>]: one offset."""

    value: Annotated[
        Expression | UnsetType,
        Meta(description="A Python expression to offset by, where it is not a site's value."),
    ] = UNSET
    center: Annotated[
        float | Expression | UnsetType,
        Meta(description="A number or a Python expression that is subtracted from the parent."),
    ] = UNSET


class PowerTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A learned power, in [0, 1]: 0 is the site as written, 1 non-centred."""

    init: Annotated[Share, Meta(description="Where it starts, from 0 to 1.")] = 0.5
    coefficient: Annotated[
        Literal["elementwise", "shared"], Meta(description="One per element, or one for all.")
    ] = "shared"
    name: Annotated[Template, Meta(description="The param site.")] = "power_{child}_{parent}"


class ScaleTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A learned scale, or with `by` a power of a site's value."""

    init: Annotated[Positive, Meta(description="Where a learned scale starts, above 0.")] = 1.0
    coefficient: Annotated[
        Literal["elementwise", "shared"], Meta(description="One per element, or one for all.")
    ] = "elementwise"
    name: Annotated[Template, Meta(description="The param site.")] = "scale_{child}"
    by: Annotated[
        SiteName | UnsetType, Meta(description="The site whose value the child is divided by.")
    ] = UNSET
    power: Annotated[
        Share | PowerTable | UnsetType,
        Meta(description="To which power: a number from 0 to 1, or a table to learn it."),
    ] = UNSET


class AnyBasisTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A basis without what only some kinds can be told."""

    kind: Annotated[KindName, Meta(description="Which basis.")]
    dim: Annotated[
        Dim | Annotated[list[Dim], Meta(extra_json_schema=_ONCE_EACH)],
        Meta(description="The axis, from the right, or several: -1 is the last one of the site."),
    ] = -1


if TYPE_CHECKING:
    BasisTable = AnyBasisTable
else:
    BasisTable = msgspec.defstruct(
        "BasisTable",
        [
            (name, Annotated[kind, Meta(description=description)], default)
            for name, kind, default, description in (basis.setting for basis in BASES.values())
        ],
        bases=(AnyBasisTable,),
        namespace={"__doc__": "A basis with settings of its own."},
        module=__name__,
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )


#: What only a label may be: a name with a wildcard, of a parent that is given by its value.
_LABEL = {r"[*?\[]": {"$ref": "#/$defs/ParentTable", "required": ["value"]}}
Parents = Annotated[
    dict[str, Annotated[bool, Meta(extra_json_schema={"const": False})] | ParentTable],
    Meta(
        extra_json_schema={
            "minProperties": 1,
            "propertyNames": {"minLength": 1},
            "patternProperties": _LABEL,
        }
    ),
]
ClassName = Annotated[str, Meta(extra_json_schema={"enum": list(REPARAMETERIZERS)})]


class SiteTable(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[sites.<child>]: one reparameterized site."""

    offset: Annotated[
        SiteName | SiteNames | Parents | UnsetType,
        Meta(description="A parent, several, or a table of them; false drops one of the chain."),
    ] = UNSET
    scale: Annotated[
        Positive | Expression | ScaleTable | UnsetType,
        Meta(description="What the child is multiplied by, before the offset is added."),
    ] = UNSET
    basis: Annotated[
        KindName | BasisTable | UnsetType,
        Meta(description="The basis that axes are sampled in, the last one or those of `dim`."),
    ] = UNSET
    reparam: Annotated[
        ClassName | UnsetType,
        Meta(description="Another reparameterizer of numpyro.infer.reparam, by its class name."),
    ] = UNSET
    args: Annotated[
        dict[str, Any] | UnsetType, Meta(description="The arguments of that reparameterizer.")
    ] = UNSET
    transform: Annotated[
        Expression | UnsetType, Meta(description='The transform of reparam = "ExplicitReparam".')
    ] = UNSET


class VerifyTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[verify]: how the models are called when they are compared."""

    args: Annotated[
        Expression | UnsetType,
        Meta(
            description='"example.py:example_args", which gives (args, kwargs), or an expression.'
        ),
    ] = UNSET
    predict_args: Annotated[
        Expression | UnsetType,
        Meta(description="The arguments of a prediction from draws, as `args` has those of a fit."),
    ] = UNSET
    function: Annotated[
        FunctionName | UnsetType,
        Meta(description="The function to call, where several may be the model."),
    ] = UNSET


class ConfigTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    functions: Annotated[
        FunctionNames | UnsetType,
        Meta(description="The functions to rewrite; those that sample the sites if not given."),
    ] = UNSET
    chain: Annotated[
        list[str | list[str]] | UnsetType,
        Meta(description="Sites that are each offset by all of them that were sampled before."),
    ] = UNSET
    defaults: Annotated[Settings | UnsetType, Meta(description="For every offset.")] = UNSET
    axes: Annotated[
        dict[str, Annotated[list[str], Meta(extra_json_schema={"uniqueItems": True})]] | UnsetType,
        Meta(description="By site name, what its axes are called, from left to right."),
    ] = UNSET
    sites: Annotated[
        Annotated[dict[str, SiteTable], Meta(extra_json_schema={"propertyNames": {"minLength": 1}})]
        | UnsetType,
        Meta(description="By site name."),
    ] = UNSET
    verify: Annotated[VerifyTable | UnsetType, Meta(description="For the command `verify`.")] = (
        UNSET
    )


@cache
def keys_of(table: type[msgspec.Struct]) -> Mapping[str, Any]:
    """The keys of a table and the type of each value."""
    return {field.name: field.type for field in msgspec.structs.fields(table)}


def hint_for_unknown(key: str, value: object, above: Keys, table: type[msgspec.Struct]) -> str:
    """What was probably meant by a `key` that `table`, which stands at `above`, does not have.

    A known key may be in the wrong table: in TOML a key belongs to the header before it, so that
    `chain` below `[defaults]` is a key of `defaults`.
    """
    if key in keys_of(ConfigTable):
        return f"'{key}' goes to the top of the file, before the first [table]."
    if key in keys_of(Settings):
        return f"'{key}' goes in [defaults], [sites.<site>] or the table of a parent."
    if key in keys_of(SiteTable):
        return f"'{key}' goes in [sites.<site>]."
    if key in keys_of(ParentTable):
        return f"'{key}' goes in the table of a parent, in [sites.<site>.offset]."
    if like := nearest(key, keys_of(table)):
        return f"did you mean '{like[0]}'?"
    if table is SiteTable and isinstance(value, dict):
        return f"a site whose name has a dot is quoted: {header('sites', f'{above[-1]}.{key}')}."
    return f"the valid keys are {listed(keys_of(table), limit=20)}."


class ParentRule(msgspec.Struct, frozen=True, kw_only=True):
    """What the config says of one parent of a site.

    `place` is the parent's key in an offset table, else its string. `keep` is False for
    `parent = false`: the pair is dropped from the chain. `value` is the stripped source of the
    expression to offset by; `parent` is then only a label. `center` is a number, or the stripped
    source of an expression. Both parse with `ast.parse(..., mode="eval")`.
    """

    parent: str
    place: Place
    keep: bool = True
    value: str | None = None
    value_place: Place | None = None
    center: float | str | None = None
    center_place: Place | None = None
    overrides: Mapping[str, Any] = {}


class ScaleRule(msgspec.Struct, frozen=True, kw_only=True):
    """The `scale` of a site.

    A number or the source of an expression in `value`; else `by`, a site's name, to the power
    of minus `power`, which is a number or a table; else a learned one as in `table`.
    """

    place: Place
    value: float | str | None = None
    table: ScaleTable = ScaleTable()
    by: str = ""
    power: float | PowerTable = 1.0


class BasisRule(msgspec.Struct, frozen=True, kw_only=True):
    """The `basis` of a site: which kind, of which axes, and what else it is told."""

    place: Place
    kind: str
    dims: tuple[int, ...] = (-1,)
    settings: Mapping[str, Any] = {}


class ReparamRule(msgspec.Struct, frozen=True, kw_only=True):
    """The `reparam` of a site: a class name, its arguments, or the source of a transform."""

    place: Place
    name: str
    args: Mapping[str, Any] = {}
    transform: str = ""
    transform_place: Place | None = None


class SiteRule(msgspec.Struct, frozen=True, kw_only=True):
    """[sites.<name>]. `parents` is empty where the site is only in a chain, or has no offset."""

    name: str
    place: Place
    parents: tuple[ParentRule, ...] = ()
    scale: ScaleRule | None = None
    basis: BasisRule | None = None
    reparam: ReparamRule | None = None
    overrides: Mapping[str, Any] = {}


class AxesRule(msgspec.Struct, frozen=True, kw_only=True):
    """What the axes of a site are called: equal names are one axis, whatever the source says."""

    place: Place
    names: tuple[str, ...]


class VerifyRule(msgspec.Struct, frozen=True, kw_only=True):
    """[verify]. A path in `args` and `predict_args` is from the folder of the config."""

    args: str | None = None
    predict_args: str | None = None
    function: str | None = None


class Config(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A config that has been read and checked. `text` is the decoded file, without a BOM."""

    path: str
    text: str
    functions: tuple[Named, ...] = ()
    chains: tuple[tuple[Named, ...], ...] = ()
    defaults: Settings = Settings()
    sites: Mapping[str, SiteRule] = {}
    axes: Mapping[str, AxesRule] = {}
    verify: VerifyRule = VerifyRule()

    @property
    def is_empty(self) -> bool:
        """Does it say, by an empty chain, that there is nothing to do?"""
        return not (self.chains or self.sites)

    @property
    def files(self) -> tuple[tuple[str, Place], ...]:
        """The .npz files that have coefficients, each once, and where it is named first."""
        said: list[Any] = [self.defaults.init]
        for site in self.sites.values():
            said += [
                table.get("init")
                for table in (site.overrides, *(p.overrides for p in site.parents))
            ]
        found = {}
        for name in said:
            if isinstance(name, str) and name not in found:
                before = self.text[: max(0, self.text.find(name) - 1)]
                line = before.count("\n") + 1
                found[name] = Place(self.path, line, len(before) - before.rfind("\n"))
        return tuple(found.items())

    def source_line(self, place: Place) -> str:
        """The line of the config at `place`, without its end; empty past the end of the file."""
        return line_of(self.text, place.line)

    @cached_property
    def chains_of(self) -> dict[str, list[tuple[Named, ...]]]:
        """The chains that have a site, by its name."""
        found: dict[str, list[tuple[Named, ...]]] = {}
        for chain in self.chains:
            for name in {entry.name for entry in chain}:
                found.setdefault(name, []).append(chain)
        return found

    def rule(self, child: str, parent: str) -> ParentRule | None:
        """What an `offset` says of the pair; None where only a chain makes it."""
        site = self.sites.get(child)
        if site is None:
            return None
        return next((rule for rule in site.parents if rule.parent == parent), None)

    def settings(self, child: str, parent: str) -> Settings:
        """The settings of one pair: [defaults], then the site's, then the parent's own."""
        site = self.sites.get(child)
        rule = self.rule(child, parent)
        overrides = {**(site.overrides if site else {}), **(rule.overrides if rule else {})}
        return msgspec.structs.replace(self.defaults, **overrides)

    def settings_of_site(self, child: str) -> Settings:
        """The settings of a site: [defaults], then its own."""
        site = self.sites.get(child)
        return msgspec.structs.replace(self.defaults, **(site.overrides if site else {}))

    def place_of_pair(self, child: str, parent: str) -> Place:
        """The most specific place that asks for the pair.

        The parent in the child's `offset`, else the child's entry in a chain that has both, else
        whatever else names the child, else the start of the file.
        """
        rule = self.rule(child, parent)
        if rule is not None:
            return rule.place
        chains = self.chains_of.get(child, [])
        with_parent = [c for c in chains if parent in {entry.name for entry in c}]
        if chains:
            first = (with_parent or chains)[0]
            return next(entry.place for entry in first if entry.name == child)
        site = self.sites.get(child)
        return site.place if site else Place(self.path, 1, 1)


def line_of(text: str, line: int) -> str:
    """The 1-based `line` of `text`; only a line feed, after a carriage return or not, ends one."""
    lines = text.split("\n")
    return lines[line - 1].removesuffix("\r") if 0 < line <= len(lines) else ""
