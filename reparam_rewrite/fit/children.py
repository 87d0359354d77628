"""Which coefficients does a config ask for, and which configs show what they multiply?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from reparam_rewrite.config.rules import Config, PowerTable, ScaleRule, SiteRule
from reparam_rewrite.fit.values import Child, Pair
from reparam_rewrite.plan.resolve import spelled_out
from reparam_rewrite.rewriting import Rewrite
from reparam_rewrite.source.document import Document
from reparam_rewrite.survey import survey
from reparam_rewrite.survey.values import Survey


def children_of(document: Document, config: Config, rewritten: Rewrite) -> list[Child]:
    """What the config offsets or scales of what was rewritten, in the order of the file."""
    spelled = spelled_out(surveyed(document), config)
    keys = {rule.place: key for key, rule in config.sites.items()}
    found = {}
    for account in rewritten.accounts:
        rule = spelled.sites.get(account.site)
        if account.skipped or (rule is not None and rule.reparam is not None):
            continue
        known = {parent.parent: parent for parent in rule.parents} if rule is not None else {}
        chained = {n.name for c in config.chains_of.get(account.site, []) for n in c}
        pairs = []
        for parent in account.parents:
            if parent not in known and parent not in chained:
                continue  # "scale", or the name of a basis
            settings = spelled.settings(account.site, parent)
            center = known[parent].center if parent in known else None
            pairs.append(
                Pair(
                    parent=parent,
                    param=settings.name.format(child=account.site, parent=parent),
                    center=None if isinstance(center, str) else float(center or 0.0),
                    matrix=settings.coefficient == "matrix",
                )
            )
        power = None
        if rule is not None and rule.scale is not None and rule.scale.by:
            power = power_of(rule.scale)
        if pairs or power is not None:
            key = keys[rule.place] if rule is not None else account.site
            found[account.site] = Child(key, account.site, tuple(pairs), power)
    return list(found.values())


def starts_as_written(document: Document, config: Config, rewritten: Rewrite) -> bool:
    """Is the generated model the plain one until its coefficients are learned: are they all 0?"""
    spelled = spelled_out(surveyed(document), config)
    for account in rewritten.accounts:
        rule = spelled.sites.get(account.site)
        if account.skipped:
            continue
        if rule is not None and (rule.scale or rule.basis or rule.reparam):
            return False
        if any(spelled.settings(account.site, parent).init != 0.0 for parent in account.parents):
            return False
    return bool(rewritten.accounts)


def surveyed(document: Document) -> Survey:
    """The survey of a document's module."""
    return survey(document.module.path, document.module.text)


def probe(config: Config) -> Config:
    """The config with one learned coefficient for each pair, 0 at the start, and powers of 1.

    What a coefficient of 1 adds to a child is then what the coefficients of its elements multiply.
    """

    def shared(table: Mapping[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in table.items() if key not in ("init", "learn")}
        if kept.get("coefficient", "matrix") != "matrix":
            kept["coefficient"] = "shared"
        return kept

    structure = config.defaults.coefficient
    defaults = replace(
        config.defaults,
        coefficient=structure if structure == "matrix" else "shared",
        init=0.0,
        learn=True,
    )
    return with_tables(replace(config, defaults=defaults), shared)


def learning(config: Config) -> Config:
    """The config with every coefficient learned, in the shape that it asks for."""

    def learned(table: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in table.items() if key not in ("init", "learn")}

    return with_tables(
        replace(config, defaults=replace(config.defaults, init=0.0, learn=True)), learned
    )


def with_tables(config: Config, changed: Any) -> Config:
    def rule_of(rule: SiteRule) -> SiteRule:
        parents = tuple(replace(p, overrides=changed(p.overrides)) for p in rule.parents)
        scale = rule.scale
        if scale is not None and scale.by:
            scale = replace(scale, power=1.0)
        return replace(rule, parents=parents, overrides=changed(rule.overrides), scale=scale)

    return replace(config, sites={key: rule_of(rule) for key, rule in config.sites.items()})


def power_of(scale: ScaleRule) -> float:
    return scale.power.init if isinstance(scale.power, PowerTable) else scale.power


def instances(child: Child, names: Mapping[str, Any]) -> dict[str, dict[str, Pair]]:
    """By site of the trace, the params of its offsets: ``xi_beta_0_mu`` of beta_0.

    A site whose name is put together is there under each of its names.
    """
    parts = re.split(r"(\{[^{}]*\})", child.name)
    pattern = "".join("(.+)" if part.startswith("{") else re.escape(part) for part in parts)
    holes = [part for part in parts if part.startswith("{")]
    found: dict[str, dict[str, Pair]] = {}
    for name in names:
        match = re.fullmatch(pattern, name)
        if match is None or f"{name}_base" not in names:
            continue
        params = {}
        for pair in child.pairs:
            param = pair.param
            for hole, text in zip(holes, match.groups(), strict=True):
                param = param.replace(hole, text)
            if param in names:
                params[param] = pair
        found[name] = params
    return found
