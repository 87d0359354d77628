"""What the tables of the config become: the values that the rest of the program reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import msgspec

from reparam_rewrite.config.keys import CenteredTable, Form, PowerTable, ScaleTable, Settings
from reparam_rewrite.messages import Named, Place


class ParentRule(msgspec.Struct, frozen=True):
    """What the config says of one parent of a site.

    `place` is the parent's key in an offset table, else its string. `keep` is False for
    `parent = false`: the pair is dropped from the chain. `value` is the stripped source of the
    expression to offset by; `parent` is then only a label. `center` is a number, or the stripped
    source of an expression, as are `per` and `weight`; `per` may name an .npz instead. Expressions
    parse with `ast.parse(..., mode="eval")`. `places` are those of the values of these keys.
    """

    parent: str
    place: Place
    keep: bool = True
    value: str | None = None
    center: float | str | None = None
    per: str | None = None
    weight: str | None = None
    places: Mapping[str, Place] = {}
    overrides: Mapping[str, Any] = {}

    @property
    def is_frozen(self) -> bool:
        """Does `per` name an .npz?"""
        return self.per is not None and self.per.endswith(".npz")


class ScaleRule(msgspec.Struct, frozen=True):
    """The `scale` of a site.

    A number or the source of an expression in `value`; else `by`, a site's name, to the power
    of minus `power`, which is a number or a table; else a learned one as in `table`. `is_matrix`:
    it is a `scale_tril`, the one in `value` or the prior's own.
    """

    place: Place
    value: float | str | None = None
    table: ScaleTable = ScaleTable()
    by: str = ""
    power: float | PowerTable = 1.0
    is_matrix: bool = False


class CenteredRule(msgspec.Struct, frozen=True):
    """The `centered` of a site: a number, or a table to learn it."""

    place: Place
    value: float | CenteredTable


class BasisRule(msgspec.Struct, frozen=True):
    """The `basis` of a site: which kind, of which axes, and what else it is told."""

    place: Place
    kind: str
    dims: tuple[int, ...] = (-1,)
    settings: Mapping[str, Any] = {}


class ReparamRule(msgspec.Struct, frozen=True):
    """The `reparam` of a site: a class name, its arguments, or the source of a transform."""

    place: Place
    name: str
    args: Mapping[str, Any] = {}
    transform: str = ""
    transform_place: Place | None = None


class Written(msgspec.Struct, frozen=True):
    """A stripped expression of the config, and where it stands."""

    text: str
    place: Place


class ConditionalRule(msgspec.Struct, frozen=True):
    """The `conditional` of a config. `data` is the name of an .npz, "" before `fit` wrote one.

    `noise` is by the names of observed sites.
    """

    place: Place
    order: tuple[Named, ...]
    form: Form | None = None
    data: str = ""
    data_place: Place | None = None
    noise: Mapping[str, Written] = {}
    given: tuple[Named, ...] = ()


class SiteRule(msgspec.Struct, frozen=True):
    """[sites.<name>]. `parents` is empty where the site is only in a chain, or has no offset.

    `effect` is the scale that `conditional` is told.
    """

    name: str
    place: Place
    parents: tuple[ParentRule, ...] = ()
    scale: ScaleRule | None = None
    basis: BasisRule | None = None
    reparam: ReparamRule | None = None
    overrides: Mapping[str, Any] = {}
    effect: Written | None = None
    centered: CenteredRule | None = None


class AxesRule(msgspec.Struct, frozen=True):
    """What the axes of a site are called: equal names are one axis, whatever the source says."""

    place: Place
    names: tuple[str, ...]


class VerifyRule(msgspec.Struct, frozen=True):
    """[verify]. A path in `args` and `predict_args` is from the folder of the config."""

    args: str | None = None
    predict_args: str | None = None
    function: str | None = None


class Config(msgspec.Struct, frozen=True, dict=True):
    """A config that has been read and checked. `text` is the decoded file, without a BOM."""

    path: str
    text: str
    functions: tuple[Named, ...] = ()
    chains: tuple[tuple[Named, ...], ...] = ()
    defaults: Settings = Settings()
    sites: Mapping[str, SiteRule] = {}
    axes: Mapping[str, AxesRule] = {}
    verify: VerifyRule = VerifyRule()
    conditional: ConditionalRule | None = None

    @property
    def is_empty(self) -> bool:
        """Does it say, by an empty chain, that there is nothing to do?"""
        return not (self.chains or self.sites or self.conditional)

    @property
    def files(self) -> tuple[tuple[str, Place], ...]:
        """The .npz files that have coefficients, each once, and where it is named first."""
        said: list[Any] = [self.defaults.init]
        for site in self.sites.values():
            said.append(site.overrides.get("init"))
            said += [parent.overrides.get("init") for parent in site.parents]
            said += [parent.per for parent in site.parents if parent.is_frozen]
        if self.conditional is not None and self.conditional.data:
            said.append(self.conditional.data)
        found = {}
        for name in said:
            if isinstance(name, str) and name not in found:
                before = self.text[: max(0, self.text.find(name) - 1)]
                line = before.count("\n") + 1
                found[name] = Place(self.path, line, len(before) - before.rfind("\n"))
        return tuple(found.items())

    @property
    def frozen(self) -> Iterator[tuple[str, ParentRule]]:
        """By the name of the child, but for globs, what says that an .npz has how both meet."""
        for child, site in self.sites.items():
            if not set(child) & set("*?["):
                yield from ((child, parent) for parent in site.parents if parent.is_frozen)

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
        rules = self.sites[child].parents if child in self.sites else ()
        return next((rule for rule in rules if rule.parent == parent), None)

    def settings(self, child: str, parent: str) -> Settings:
        """The settings of one pair: [defaults], then the site's, then the parent's own."""
        rule = self.rule(child, parent)
        overrides = rule.overrides if rule else {}
        return msgspec.structs.replace(self.settings_of_site(child), **overrides)

    def settings_of_site(self, child: str) -> Settings:
        """The settings of a site: [defaults], then its own."""
        overrides = self.sites[child].overrides if child in self.sites else {}
        return msgspec.structs.replace(self.defaults, **overrides)

    def place_of_pair(self, child: str, parent: str) -> Place:
        """The most specific place that asks for the pair.

        The parent in the child's `offset`, else the child's entry in a chain that has both, else
        whatever else names the child, else the start of the file.
        """
        if rule := self.rule(child, parent):
            return rule.place
        chains = self.chains_of.get(child, [])
        both = [chain for chain in chains if parent in {entry.name for entry in chain}]
        for chain in both or chains:
            return next(entry.place for entry in chain if entry.name == child)
        return self.sites[child].place if child in self.sites else Place(self.path, 1, 1)


def line_of(text: str, line: int) -> str:
    """The 1-based `line` of `text`; only a line feed, after a carriage return or not, ends one."""
    lines = text.split("\n")
    return lines[line - 1].removesuffix("\r") if 0 < line <= len(lines) else ""
