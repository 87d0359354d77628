"""The tables of the config, as TOML writes them.

`ConfigTable`, `SiteTable`, `ParentTable`, `Settings` and the tables in them say which keys there
are, of what type and with what meaning; reading, the lists of valid keys in messages and the JSON
Schema all come from them. A new setting is one field of `Settings` and its line above.

What a value must be besides stands in its type: as the schema says it, and the check of
`allowed_values` that says it in words. What the rest of the program reads is in `rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta

from reparam_rewrite.bases import BASES, KindName
from reparam_rewrite.config import allowed_values as check
from reparam_rewrite.config.toml_places import header
from reparam_rewrite.messages import listed
from reparam_rewrite.reparameterizers import REPARAMETERIZERS
from reparam_rewrite.structures import StructureName

#: A part of a dotted name: no digit first, and of ASCII only letters, digits and underscores; which
#: other characters a name has is for Python to say.
_PART = r"(?![0-9])[^\s!-/:-@\[-\^`{-~]+"
_TEMPLATE = r"^([^{}]|\{\{|\}\}|\{child\}|\{parent\})+$"
_NUMBERS = {"minItems": 1, "items": {"type": ["number", "array"]}}  # nested arrays as they are
_ONCE_EACH = {"minItems": 1, "uniqueItems": True}
#: What only a label may be: a name with a wildcard, of a parent that is given by its value.
_LABEL = {r"[*?\[]": {"$ref": "#/$defs/ParentTable", "required": ["value"]}}
_PARENTS = {
    "minProperties": 1,
    "propertyNames": {"minLength": 1},
    "patternProperties": _LABEL,
}


def _says(**schema: Any) -> Meta:
    """What a JSON Schema says of values besides their type."""
    return Meta(extra_json_schema=schema)


Expression = Annotated[str, _says(pattern=r"\S"), check.expression]
SiteName = Annotated[str, _says(pattern=r"^[^*?\[]+$")]
SiteNames = Annotated[list[SiteName], _says(**_ONCE_EACH)]
FunctionName = Annotated[str, _says(pattern=rf"^{_PART}(\.{_PART})*$")]
FunctionNames = Annotated[list[FunctionName], _says(**_ONCE_EACH)]
ClassName = Annotated[str, _says(enum=list(REPARAMETERIZERS)), check.reparameterizer]
#: Only {child} and {parent} are filled in; other braces are doubled.
Template = Annotated[str, _says(pattern=_TEMPLATE), check.template]
AxisNames = Annotated[list[Annotated[str, _says(minLength=1)]], _says(**_ONCE_EACH)]
Structure = Annotated[StructureName | AxisNames, check.structure]
Shared = Literal["elementwise", "shared"]
#: Of all effects at once; one after the other, for many of them; or of the rows of a full table.
Form = Literal["exact", "sequential", "rotated"]
#: An .npz is beside the generated file.
Arrays = Annotated[str, _says(pattern=r"^[^/\\{}]+\.npz$"), check.arrays]
Initial = Annotated[
    float
    | Annotated[list[Any], _says(**_NUMBERS)]
    | Annotated[str, _says(pattern=r"^[^/\\{}]+\.npz$")],
    check.initial,
]
Center = Annotated[float | Expression, check.center]
Per = Annotated[str, _says(pattern=r"\S"), check.per]
Positive = Annotated[float, _says(exclusiveMinimum=0), check.finite]
Factor = Annotated[Positive | Expression, check.factor]
Tril = Annotated[Annotated[bool, _says(const=True)] | Expression, check.tril]
Power = Annotated[float, _says(minimum=0, maximum=1), check.power]
PowerStart = Annotated[float, _says(minimum=0, maximum=1), check.power_start]
Centered = Annotated[float, _says(minimum=0, maximum=1), check.centered]
CenteredStart = Annotated[
    float, _says(exclusiveMinimum=0, exclusiveMaximum=1), check.centered_start
]
#: Axes, counted from the right.
Dim = Annotated[int, _says(maximum=-1)]
Dims = Annotated[Dim | Annotated[list[Dim], _says(**_ONCE_EACH)], check.dims]

#: The default of a key that stands for nothing where it isn't given.
_NOTHING: Any = UNSET


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the config. Below a blank line, its docstring has a line or two for each key."""


class Settings(Table, frozen=True):
    """How one offset is made. Valid in [defaults], for a site and for a parent.

    coefficient: One coefficient per element of the child, one scalar, one per element of the named
        axes, or a weight for every pair of elements.
    init: The coefficient's initial value: 0 is the model as written. A number, an array of one for
        each element, or an .npz that has the array by the param's name.
    learn: False writes the initial value as a literal, not a param.
    reduce: What happens to a parent's axis that the child lacks.
    name: The coefficient's param site, from {child} and {parent}.
    """

    coefficient: Structure = "elementwise"
    init: Initial = 0.0
    learn: bool = True
    reduce: Literal["mean", "sum", "error"] = "mean"
    name: Template = "xi_{child}_{parent}"


class ParentTable(Settings, frozen=True):
    """[sites.<child>.offset.<parent>]: one offset.

    value: A Python expression to offset by, where it is not a site's value.
    center: A number or a Python expression that is subtracted from the parent.
    per: The index by which each observation picks its element of the child, where the value is
        one number for each observation: the child gets what makes up for them. Or an .npz that has
        how the elements of both meet.
    weight: What the child is multiplied by in each observation, as the slope of it.
    """

    value: Expression = _NOTHING
    center: Center = _NOTHING
    per: Per = _NOTHING
    weight: Expression = _NOTHING


class PowerTable(Table, frozen=True):
    """A learned power, in [0, 1]: 0 is the site as written, 1 non-centred.

    init: Where it starts, from 0 to 1.
    coefficient: One per element, or one for all.
    name: The param site.
    """

    init: PowerStart = 0.5
    coefficient: Shared = "shared"
    name: Template = "power_{child}_{parent}"


class ScaleTable(Table, frozen=True):
    """A learned scale, or with `by` a power of a site's value.

    init: Where a learned scale starts, above 0.
    coefficient: One per element, or one for all.
    name: The param site.
    by: The site whose value the child is divided by.
    power: To which power: a number from 0 to 1, or a table to learn it.
    """

    init: Positive = 1.0
    coefficient: Shared = "elementwise"
    name: Template = "scale_{child}"
    by: SiteName = _NOTHING
    power: Power | PowerTable = _NOTHING


class CenteredTable(Table, frozen=True):
    """A learned centring, between 0 and 1: 1 is the site as written, 0 non-centred.

    init: Where it starts, between 0 and 1.
    coefficient: One per element, or one for all.
    name: The param site.
    """

    init: CenteredStart = 0.5
    coefficient: Shared = "shared"
    name: Template = "centered_{child}"


if TYPE_CHECKING:
    BasisTable = Table
else:
    _SETTINGS = [basis.setting for basis in BASES.values()]
    _TYPES = {float: Annotated[float, check.finite], bool: bool}
    BasisTable = msgspec.defstruct(
        "BasisTable",
        [
            ("kind", KindName),
            ("dim", Dims, -1),
            *((one.name, _TYPES[one.type], one.default) for one in _SETTINGS),
        ],
        bases=(Table,),
        namespace={
            "__doc__": "A basis with settings of its own.\n\n"
            "    kind: Which basis.\n"
            "    dim: The axis, from the right, or several: -1 is the last one of the site.\n"
            + "".join(f"    {one.name}: {one.description}\n" for one in _SETTINGS)
        },
        module=__name__,
        frozen=True,
    )


Parents = Annotated[dict[str, Annotated[bool, _says(const=False)] | ParentTable], _says(**_PARENTS)]


class EffectTable(Table, frozen=True):
    """[sites.<site>.conditional]: a site that is sampled as what is standard normal given the data.

    scale: The scale of its prior, as an expression: a number for all or for each element, or of a
        vector the matrix that makes it of independent ones.
    """

    scale: Expression = _NOTHING


class ConditionalTable(Table, frozen=True):
    """[conditional]: sites that are sampled as what is standard normal given the data.

    order: The sites, in the order in which they are sampled: best from few groups to many.
    form: All at once, one after the other, or by the rows of a full table; `fit` chooses by size.
    data: The .npz beside the generated file that has what the data say, which `fit` writes.
    noise: Of observed sites with a normal distribution its scale, one number, as an expression.
    given: Sites that add to the same observations and are sampled before, as they are.
    """

    order: SiteNames
    form: Form = _NOTHING
    data: Arrays = _NOTHING
    noise: dict[str, Expression] = _NOTHING
    given: SiteNames = _NOTHING


class SiteTable(Settings, frozen=True):
    """[sites.<child>]: one reparameterized site.

    offset: A parent, several, or a table of them; false drops one of the chain.
    scale: What the child is multiplied by, before the offset is added.
    centered: How far the child stays centred on the loc of its prior, and as wide as its scale: 1
        is the site as written, 0 non-centred; or a table to learn it. The offset is added then.
    scale_tril: The triangular matrix that a vector, less the loc of its prior, is sampled in units
        of, with its offset: true is its prior's own, or an expression of another one.
    basis: The basis that axes are sampled in, the last one or those of `dim`.
    reparam: Another reparameterizer of numpyro.infer.reparam, by its class name.
    args: The arguments of that reparameterizer.
    transform: The transform of reparam = "ExplicitReparam".
    conditional: What has to be said of a site of `conditional` that the model doesn't show.
    """

    offset: SiteName | SiteNames | Parents = _NOTHING
    scale: Positive | Expression | ScaleTable = _NOTHING
    centered: Centered | CenteredTable = _NOTHING
    scale_tril: Tril = _NOTHING
    basis: KindName | BasisTable = _NOTHING
    reparam: ClassName = _NOTHING
    args: dict[str, Any] = _NOTHING
    transform: Expression = _NOTHING
    conditional: EffectTable = _NOTHING


class VerifyTable(Table, frozen=True):
    """[verify]: how the models are called when they are compared.

    args: "example.py:example_args", which gives (args, kwargs), or an expression.
    predict_args: The arguments of a prediction from draws, as `args` has those of a fit.
    function: The function to call, where several may be the model.
    """

    args: Annotated[str, _says(pattern=r"\S")] = _NOTHING
    predict_args: Annotated[str, _says(pattern=r"\S")] = _NOTHING
    function: FunctionName = _NOTHING


class ConfigTable(Table, frozen=True):
    """The whole file.

    functions: The functions to rewrite; those that sample the sites if not given.
    chain: Sites, in the order in which they are to be sampled, that are each offset by all before.
    conditional: Sites that are sampled as what is standard normal given the data, in their order.
    defaults: For every offset.
    axes: By site name, what its axes are called, from left to right.
    sites: By site name.
    verify: For the command `verify`.
    """

    functions: FunctionNames = _NOTHING
    chain: list[str | list[str]] = _NOTHING
    conditional: SiteNames | ConditionalTable = _NOTHING
    defaults: Settings = _NOTHING
    axes: dict[str, Annotated[list[str], _says(uniqueItems=True)]] = _NOTHING
    sites: Annotated[dict[str, SiteTable], _says(propertyNames={"minLength": 1})] = _NOTHING
    verify: VerifyTable = _NOTHING


@cache
def keys_of(table: type[msgspec.Struct]) -> Mapping[str, Any]:
    """The keys of a table and the type of each value."""
    return {field.name: field.type for field in msgspec.structs.fields(table)}


#: Where the keys of a table go, in the order in which they are looked for.
GOES = {
    ConfigTable: "to the top of the file, before the first [table].",
    Settings: "in [defaults], [sites.<site>] or the table of a parent.",
    SiteTable: "in [sites.<site>].",
    ConditionalTable: "in [conditional].",
    ParentTable: "in the table of a parent, in [sites.<site>.offset].",
}


def hint_for_unknown(key: str, value: object, above: tuple[str, ...], table: type[Table]) -> str:
    """What was probably meant by a `key` that `table`, which stands at `above`, does not have.

    A known key may be in the wrong table: in TOML a key belongs to the header before it, so that
    `chain` below `[defaults]` is a key of `defaults`.
    """
    for known, where in GOES.items():
        if key in keys_of(known):
            return f"'{key}' goes {where}"
    if hint := check.meant(key, keys_of(table)):
        return hint
    if table is SiteTable and isinstance(value, dict):
        return f"a site whose name has a dot is quoted: {header('sites', f'{above[-1]}.{key}')}."
    return f"the valid keys are {listed(keys_of(table), limit=20)}."
