"""Fitted coefficients in the TOML that the offsets came from; all else in it stays as it is."""

from __future__ import annotations

import io
import re
import tomllib
import zipfile
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tomlkit
from tomlkit.items import InlineTable, Item

from reparam_rewrite.config.keys import CenteredTable, PowerTable
from reparam_rewrite.config.rules import Config
from reparam_rewrite.fitting.values import Array, Better, Fitted, Meeting, Regressor
from reparam_rewrite.messages import Diagnostic, Refusal

#: Up to how many numbers stand in the config itself.
INLINE = 10

#: The digits that are kept of a coefficient: its noise is larger.
DIGITS = 4

#: Where something is to stand, and what: a value, or the entries of a table.
Change = tuple[tuple[str, ...], Any]


class Written(NamedTuple):
    """The text of a config, and the arrays of the .npz beside it, empty if it needs none."""

    text: str
    arrays: Mapping[str, Array]


def with_fits(
    config: Config, fits: Sequence[Fitted], learn: bool, file: str, inline: int = INLINE
) -> Written:
    """The config with what was fitted.

    learn: coefficients go on to be learned, from there. file: the name of the .npz for arrays that
    have more numbers than `inline`, and for where a child and its parents meet in data; without
    one these stay as they are. Raises `Refusal` for a config that can't be edited so
    that it says that and nothing else.
    """
    arrays: dict[str, Array] = {}

    def initial(value: float | Array, name: str) -> Any:
        array = np.asarray(value, float)
        if array.size > inline and array.ndim:
            arrays[name] = array
            return file
        return np.vectorize(rounded, otypes=[float])(array).tolist()

    def frozen(met: Mapping[str, Meeting], parent: str) -> dict[str, Any]:
        if not file:
            return {}
        means = {one.mean for one in met.values()}
        if len(means) == 1 and "" not in means:
            return {"value": means.pop(), "per": None, "weight": None}
        for name, one in met.items():
            arrays.update(one.arrays(name))
        first = next(iter(met.values()))
        value = None if first.site == parent else first.variable
        return {"value": value, "per": file, "weight": None}

    changes = [*offsets(config, fits, learn, initial, frozen), *scales(config, fits, learn)]
    try:
        return Written(edited(config, changes, "coefficients", "[sites.a.offset]", True), arrays)
    except Refusal:
        return Written(edited(config, changes, "coefficients", "[sites.a.offset]"), arrays)


def with_bases(config: Config, bases: Sequence[Better]) -> str:
    """The text of the config with the bases that help. Raises `Refusal` as `with_fits` does."""
    changes: list[Change] = []
    for one in bases:
        dims = list(one.dims) if len(one.dims) > 1 else one.dims[0]
        said = "dct" if one.dims == (-1,) else {"kind": "dct", "dim": dims}
        changes.append((("sites", one.site, "basis"), said))
    return edited(config, changes, "bases", "[sites.a]")


def edited(
    config: Config, changes: Iterable[Change], what: str, table: str, headers: bool = False
) -> str:
    """The text of the config with changes, if it then says these and nothing else.

    headers: an `offset` that isn't there gets a header, ``[sites.a.offset]``, not a line. Raises
    `Refusal` where the text can't be changed so: `what` can't be written without tables like
    `table`.
    """
    expected: Any = tomllib.loads(config.text)
    document: Any = tomlkit.parse(config.text)
    for path, value in changes:
        put(expected, path, value, headers)
        put(document, path, value, headers)
    # An empty line before each header that follows a line of another table.
    text = re.sub(r"(\n[^\s#\[][^\n]*\n)(?=\[)", r"\1\n", tomlkit.dumps(document))
    if config.text.endswith("\n") and not text.endswith("\n"):
        text += "\n"
    if "\r\n" in config.text:
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    try:
        if tomllib.loads(text) == expected:
            return text
    except tomllib.TOMLDecodeError:
        pass
    message = f"the {what} can't be written into the config as it is laid out"
    hint = f"give the sites tables of their own: {table}."
    raise Refusal(Diagnostic(config.path, message, hint))


def put(table: Any, path: Sequence[str], value: Any, headers: bool) -> None:
    """Write a value into a TOML document, or a dictionary of the same, in tables that it may lack.

    What is there stays, but for what becomes None, and ``offset = ["mu"]`` becomes a table:
    ``offset = { mu = {} }``.
    """
    *above, last = path
    for depth, key in enumerate(above, 2):
        inner = table.get(key)
        if isinstance(inner, str | list):
            names = [inner] if isinstance(inner, str) else inner
            table[key] = inline({str(name): inline({}) for name in names})
        elif inner is None and type(table) is dict:
            table[key] = {}
        elif inner is None and (isinstance(table, InlineTable) or (depth == 4 and not headers)):
            table[key] = inline({})  # the offset as a line of its site
        elif inner is None:
            # Where a table is all that is in it, it has no header of its own.
            table[key] = tomlkit.table(is_super_table=depth < len(path) or None)
        table = table[key]
    entry = table.get(last)
    if not isinstance(value, dict):
        table[last] = value
        return
    if isinstance(entry, MutableMapping) and not isinstance(entry, InlineTable):
        for name, one in value.items():
            if one is not None:
                entry[name] = one
            else:
                entry.pop(name, None)
        return
    # A table in a line is written anew: tomlkit has no spaces around what is added to one.
    said = {**(entry or {}), **value}
    table[last] = inline({name: one for name, one in said.items() if one is not None})


def inline(values: Mapping[str, Any]) -> InlineTable:
    """``{ init = 0.5, learn = false }``"""
    items = {
        tomlkit.key(name).as_string(): value if isinstance(value, Item) else tomlkit.item(value)
        for name, value in values.items()
    }
    said = ", ".join(f"{name} = {value.as_string()}" for name, value in items.items())
    made: Any = tomlkit.parse(f"x = {{ {said} }}" if values else "x = {}")["x"]
    return made  # type: ignore[no-any-return]


def offsets(
    config: Config, fits: Sequence[Fitted], learn: bool, initial: Any, frozen: Any
) -> Iterator[Change]:
    """What is to be said of each pair: the settings that change, or False for no offset.

    A glob, or a name that is put together, has one setting for several sites. `initial` makes an
    `init` of a coefficient and the name of its param, and `frozen` settings of where both meet, by
    param, and the parent's name.
    """
    found: dict[tuple[str, str], list[tuple[Fitted, Regressor]]] = {}
    for fit in fits:
        for one in fit.regression.regressors:
            found.setdefault((fit.regression.key, one.parent), []).append((fit, one))
    for (key, parent), several in found.items():
        path = ("sites", key, "offset", parent)
        chained = any(parent == named.name for c in config.chains_of.get(key, []) for named in c)
        if chained and not learn and all(fit.kind == "none" for fit, _ in several):
            yield path, False
            continue
        values = [fit.coefficients[one.param] for fit, one in several]
        value = values[0] if len(values) == 1 else float(np.mean([np.mean(v) for v in values]))
        fit, one = several[0]
        rule, said = config.rule(key, parent), config.settings(key, parent)
        settings: dict[str, Any] = {}
        numbers = fit.frozen.get(one.param)
        met = {o.param: f.meetings[o.param] for f, o in several if o.param in f.meetings}
        if len(met) == len(several):
            settings |= frozen(met, parent)
        if numbers is not None:
            settings["value"] = numbers.expression
            value = np.asarray(value) * np.asarray(numbers.factor)
            if value.shape != np.shape(values[0]) and said.coefficient != "elementwise":
                settings["coefficient"] = "elementwise"
        settings["init"] = initial(value, one.param)
        learned = learn or stays_a_param(fit, value)
        if said.learn != learned:
            settings["learn"] = learned
        center = center_of(*several[-1])
        has_center = rule is not None and rule.center is not None
        if center is not None and (center or numbers is None or has_center):
            settings["center"] = center
        yield path, settings


def stays_a_param(fit: Fitted, value: float | Array) -> bool:
    """Is it an array of which a batch takes its part?"""
    return fit.regression.subsampled and np.ndim(value) > 0


def scales(config: Config, fits: Sequence[Fitted], learn: bool) -> Iterator[Change]:
    """The numbers that scales of data are, and the powers of others."""
    for fit in fits:
        path = ("sites", fit.regression.key, "scale")
        if fit.scale is not None:
            yield path, rounded(fit.scale)
        if fit.power is not None and fit.regression.around is not None:
            said = config.sites[fit.regression.key].centered
            learned = learn and said is not None and isinstance(said.value, CenteredTable)
            centered = rounded(1 - fit.power)
            if learned:  # from between 0 and 1
                yield (*path[:2], "centered", "init"), min(max(centered, 0.01), 0.99)
            else:
                yield (*path[:2], "centered"), centered
        elif fit.power is not None:
            rule = config.sites[fit.regression.key].scale
            learned = learn and rule is not None and isinstance(rule.power, PowerTable)
            yield (*path, "power", *["init"] * learned), rounded(fit.power)


def center_of(fit: Fitted, one: Regressor) -> float | None:
    """What is subtracted from the parent, if that is to be said.

    That is its posterior mean, if it is so far from 0 that this matters, beside what is subtracted
    already. None: what the config has stays.
    """
    numbers = fit.frozen.get(one.param)
    center = one.center if numbers is None else numbers.center
    values = one.values if numbers is None else numbers.draws - numbers.center
    if center is not None and values.size:
        mean, spread = float(values.mean()), float(values.std())
        if abs(mean) > 2 * spread:
            return rounded(center + mean, digits=3)
    return None if numbers is None else rounded(numbers.center)


def rounded(value: float, digits: int = DIGITS) -> float:
    return float(f"{value:.{digits}g}") + 0.0


def with_frozen(arrays: Mapping[str, Array], path: Path) -> dict[str, Any]:
    """The arrays for an .npz, with those that the one at `path` has of where contributions meet."""
    found = dict(arrays)
    if path.is_file():
        with np.load(path) as before:
            kept = (
                name
                for name in before
                if name.endswith((".rows", ".columns", ".weights", ".shapes"))
            )
            found = {**{name: before[name] for name in kept}, **found}
    return found


def npz_bytes(arrays: Mapping[str, Array]) -> bytes:
    """The bytes of an .npz: the same for the same arrays, as the times in it are those of 1980."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    return buffer.getvalue()
