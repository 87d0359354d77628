"""Fitted coefficients in the TOML that the offsets came from; all else in it stays as it is."""

from __future__ import annotations

import io
import re
import tomllib
import zipfile
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import tomlkit
from tomlkit.items import InlineTable, Item, Table

from reparam_rewrite.config.keys import Config
from reparam_rewrite.fit.values import Array, Better, Fitted, Regressor
from reparam_rewrite.messages import Diagnostic, Refusal

#: Up to how many numbers stand in the config itself.
INLINE = 10

#: The digits that are kept of a coefficient: its noise is larger.
DIGITS = 4


@dataclass(frozen=True)
class Written:
    """The text of a config, and the arrays of the .npz beside it, empty if it needs none."""

    text: str
    arrays: Mapping[str, Array]


def with_fits(
    config: Config, fits: Sequence[Fitted], learn: bool, file: str, inline: int = INLINE
) -> Written:
    """The config with what was fitted.

    learn: coefficients go on to be learned, from there. file: the name of the .npz for arrays that
    have more numbers than `inline`. Raises `Refusal` for a config that can't be edited so
    that it says that and nothing else.
    """
    arrays: dict[str, Array] = {}
    settings = settings_of(config, fits, learn, file, arrays, inline)
    scales = {
        found.regression.key: rounded(found.regression.frozen_scale)
        for found in fits
        if found.regression.frozen_scale is not None
    }
    powers = {found.regression.key: found.power for found in fits if found.power is not None}
    expected = tomllib.loads(config.text)
    edit(expected, settings, powers, scales, learn, lambda site: site.setdefault("offset", {}))
    for new_table in (True, False):
        document = tomlkit.parse(config.text)
        new = partial(new_offset, as_table=new_table)
        edit(document, settings, powers, scales, learn, new)
        try:
            text = checked(document, expected, config, "coefficients", "[sites.a.offset]")
        except Refusal:
            if new_table:
                continue
            raise
        return Written(text, arrays)
    raise AssertionError


def with_bases(config: Config, bases: Sequence[Better]) -> str:
    """The text of the config with the bases that help. Raises `Refusal` as `with_fits` does."""

    def put(document: Any) -> None:
        if "sites" not in document:
            plain = isinstance(document, tomlkit.TOMLDocument)
            document["sites"] = tomlkit.table(is_super_table=True) if plain else {}
        sites = document["sites"]
        for one in bases:
            if one.site not in sites:
                sites[one.site] = inline({}) if isinstance(sites, InlineTable) else {}
            dims = list(one.dims) if len(one.dims) > 1 else one.dims[0]
            said = {"kind": "dct", "dim": dims}
            sites[one.site]["basis"] = "dct" if one.dims == (-1,) else inline(said)

    expected, document = tomllib.loads(config.text), tomlkit.parse(config.text)
    put(expected)
    put(document)
    return checked(document, expected, config, "bases", "[sites.a]")


def checked(document: Any, expected: Any, config: Config, what: str, table: str) -> str:
    """The text of an edited document, if that says what is expected. Raises `Refusal`."""
    text = spaced(tomlkit.dumps(document))
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


def edit(
    document: Any,
    settings: Mapping[tuple[str, str], dict[str, Any] | None],
    powers: Mapping[str, float],
    scales: Mapping[str, float],
    learn: bool,
    new: Any,
) -> None:
    """Write settings into a TOML document, or a dictionary of the same; `new` makes an `offset`."""
    for (key, parent), said in settings.items():
        if "sites" not in document:
            plain = isinstance(document, tomlkit.TOMLDocument)
            document["sites"] = tomlkit.table(is_super_table=True) if plain else {}
        sites = document["sites"]
        if key not in sites:
            if isinstance(sites, InlineTable):
                sites[key] = inline({})
            else:
                sites[key] = tomlkit.table(is_super_table=True) if isinstance(sites, Item) else {}
        site = sites[key]
        offset = site.get("offset")
        if not isinstance(offset, MutableMapping):
            names = [offset] if isinstance(offset, str) else list(offset or [])
            if offset is not None:
                site["offset"] = inline({str(name): inline({}) for name in names})
            offset = site["offset"] if offset is not None else new(site)
        if said is None:
            offset[parent] = False
            continue
        entry = offset.get(parent)
        if isinstance(entry, MutableMapping) and (len(entry) or isinstance(entry, Table)):
            entry.update(said)
        else:
            offset[parent] = inline(said)
    for key, number in scales.items():
        document["sites"][key]["scale"] = number
    for key, power in powers.items():
        scale = document["sites"][key]["scale"]
        if learn and isinstance(scale.get("power"), MutableMapping):
            scale["power"]["init"] = rounded(power)
        else:
            scale["power"] = rounded(power)


def new_offset(site: Any, as_table: bool) -> Any:
    """The `offset` of a site that has none: ``[sites.a.offset]``, or a line of its table."""
    site["offset"] = tomlkit.table() if as_table else inline({})
    return site["offset"]


def inline(values: Mapping[str, Any]) -> InlineTable:
    """``{ init = 0.5, learn = false }``"""
    said = ", ".join(
        f"{tomlkit.key(name).as_string()} = {text(value)}" for name, value in values.items()
    )
    made: Any = tomlkit.parse(f"x = {{ {said} }}" if values else "x = {}")["x"]
    return made  # type: ignore[no-any-return]


def text(value: Any) -> str:
    return value.as_string() if isinstance(value, Item) else tomlkit.item(value).as_string()


def spaced(written: str) -> str:
    """With an empty line before each header that follows a line of another table."""
    return re.sub(r"(\n[^\s#\[][^\n]*\n)(?=\[)", r"\1\n", written)


def settings_of(
    config: Config,
    fits: Sequence[Fitted],
    learn: bool,
    file: str,
    arrays: dict[str, Array],
    most: int,
) -> dict[tuple[str, str], dict[str, Any] | None]:
    """By the child's key in the config and the parent what is to be said; None: no offset."""
    found: dict[tuple[str, str], list[tuple[Fitted, Regressor]]] = {}
    centers: dict[tuple[str, str], float | None] = {}
    for fit in fits:
        for regressor in fit.regression.regressors:
            pair = regressor.pair
            key = fit.regression.key
            found.setdefault((key, pair.parent), []).append((fit, regressor))
            numbers = regressor.frozen
            centers[key, pair.parent] = (
                center_of(pair.center, regressor.values)
                if numbers is None
                else center_of(numbers.center, numbers.draws - numbers.center)
            )
    said: dict[tuple[str, str], dict[str, Any] | None] = {}
    for (key, parent), several in found.items():
        values = [fit.coefficients[regressor.param] for fit, regressor in several]
        chained = any(parent == named.name for c in config.chains_of.get(key, []) for named in c)
        if all(fit.kind == "none" for fit, _ in several) and chained and not learn:
            said[key, parent] = None
            continue
        # A glob, or a name that is put together, has one setting for several sites.
        value = values[0] if len(values) == 1 else float(np.mean([np.mean(v) for v in values]))
        regressor = several[0][1]
        numbers = regressor.frozen
        settings: dict[str, Any] = {}
        if numbers is not None:
            settings["value"] = numbers.expression
            value = multiplied(value, numbers.factor)
            own = config.settings(key, parent).coefficient
            if np.ndim(value) and not np.ndim(values[0]) and own != "elementwise":
                settings["coefficient"] = "elementwise"
        settings["init"] = initial(value, regressor.param, file, arrays, most)
        if config.settings(key, parent).learn != learn:
            settings["learn"] = learn
        center = centers[key, parent]
        if center is None and numbers is not None:
            center = rounded(numbers.center)
        if center is not None and (center or numbers is None or has_center(config, key, parent)):
            settings["center"] = center
        said[key, parent] = settings
    return said


def multiplied(value: float | Array, factor: float | Array) -> float | Array:
    """A coefficient times what its parent is multiplied by: an array if one of them is."""
    found = np.asarray(value) * np.asarray(factor)
    return found if found.ndim else float(found)


def has_center(config: Config, child: str, parent: str) -> bool:
    rule = config.rule(child, parent)
    return rule is not None and rule.center is not None


def center_of(center: float | None, values: Array) -> float | None:
    """The parent's posterior mean, if it is so far from 0 that subtracting it matters.

    values: (n, ...) of the parent less its present center. None: the config's stays.
    """
    if center is None or not values.size:
        return None
    mean, spread = float(values.mean()), float(values.std())
    if abs(mean) <= 2 * spread:
        return None
    return rounded(center + mean, digits=3)


def initial(value: float | Array, name: str, file: str, arrays: dict[str, Array], most: int) -> Any:
    """What `init` is: a number, an array of `most` numbers, or the file that has it."""
    if np.ndim(value) == 0:
        return rounded(float(value))
    array = np.asarray(value, float)
    if array.size <= most:
        return np.vectorize(rounded)(array).tolist()
    arrays[name] = array
    return file


def rounded(value: float, digits: int = DIGITS) -> float:
    return float(f"{value:.{digits}g}") + 0.0


def npz_bytes(arrays: Mapping[str, Array]) -> bytes:
    """The same arrays give the same bytes: the times in the archive are those of 1980."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(arrays[name], float), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    return buffer.getvalue()
