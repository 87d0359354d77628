"""What reads any table of a config, key by key, and gathers what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from reparam_rewrite.config import keys as typed
from reparam_rewrite.config.allowed_values import Wrong, checked, found
from reparam_rewrite.config.rules import line_of
from reparam_rewrite.config.toml_places import KeyPath, KeyPlace, header
from reparam_rewrite.messages import Diagnostic, Named, Place

Value = TypeVar("Value")
Keys = tuple[str, ...]


class Tables:
    """The tables of one file; `problems` gathers what is wrong, each with its place."""

    def __init__(
        self, path: str, text: str, raw: dict[str, Any], places: dict[KeyPath, KeyPlace]
    ) -> None:
        self.path = path
        self.text = text
        self.raw = raw
        self.places = places
        self.problems: list[tuple[Place, Diagnostic]] = []

    def given(self, keys: Keys, raw: dict[str, Any], table: type[typed.Table]) -> dict[str, Any]:
        """What `raw` gives of the keys of a table, checked; there may be no others."""
        self.refuse_unknown(keys, raw, table)
        return self.values(keys, raw, table)

    def values(self, keys: Keys, raw: dict[str, Any], table: type[typed.Table]) -> dict[str, Any]:
        """What `raw` gives of the keys of a table, checked."""
        values = {
            key: self.attempt(self.at(*keys, key), checked, key, kind, raw[key])
            for key, kind in typed.keys_of(table).items()
            if key in raw
        }
        return {key: value for key, value in values.items() if value is not None}

    def expressions(self, keys: Keys, raw: Any) -> dict[str, str]:
        """``noise = { y = "sigma" }``"""
        if not self.is_table(keys, raw):
            return {}
        checked_ = {
            key: self.attempt(self.at(*keys, key), checked, key, typed.Expression, one)
            for key, one in raw.items()
        }
        return {key: text for key, text in checked_.items() if text is not None}

    def names(
        self, keys: KeyPath, raw: list[Any], check: Callable[[str], str]
    ) -> tuple[Named, ...]:
        """The strings of an array, each of which `check` has passed."""
        names: dict[str, Named] = {}
        key = next(key for key in reversed(keys) if isinstance(key, str))
        for index, name in enumerate(raw):
            place = self.at(*keys, index)
            if not isinstance(name, str):
                self.wrong(place, f"'{key}' must hold strings, not {found(name)}")
            elif name in names:
                self.wrong(place, f"'{name}' is already in this array", "take one of them out.")
            elif self.attempt(place, check, name) is not None:
                names[name] = Named(name, place)
        return tuple(names.values())

    def table(self, key: str) -> dict[str, Any]:
        """The table at the top of the file; empty where there is none."""
        raw = self.raw.get(key, {})
        return raw if self.is_table((key,), raw) else {}

    def is_table(self, keys: Keys, raw: Any) -> bool:
        if not isinstance(raw, dict):
            message = f"{header(*keys)} must be a table, not {found(raw)}"
            hint = f"write a line {header(*keys)}, and its keys below."
            self.wrong(self.at(*keys), message, hint)
        return isinstance(raw, dict)

    def refuse_unknown(self, keys: Keys, raw: dict[str, Any], table: type[typed.Table]) -> None:
        where = f" in {header(*keys)}" if keys else ""
        for key in [key for key in raw if key not in typed.keys_of(table)]:
            hint = typed.hint_for_unknown(key, raw[key], keys, table)
            self.wrong(self.key(*keys, key), f"unknown key '{key}'{where}", hint)

    def attempt(self, place: Place, check: Callable[..., Value], *raw: Any) -> Value | None:
        """What `check` makes of a raw value; None, which TOML does not have, if it is refused."""
        try:
            return check(*raw)
        except Wrong as wrong:
            self.wrong(place, wrong.message, wrong.hint)
            return None

    def wrong(self, place: Place, message: str, hint: str = "") -> None:
        source = line_of(self.text, place.line)
        self.problems.append((place, Diagnostic(place, message, hint, source)))

    def key(self, *keys: str | int) -> Place:
        """Where the key at the end of a path of keys stands."""
        return Place(self.path, *self.places[keys].key)

    def at(self, *keys: str | int) -> Place:
        """Where the value at a path of keys stands."""
        return Place(self.path, *self.places[keys].value)
