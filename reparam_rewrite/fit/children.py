"""Which coefficients does a config ask for, and which configs show what they multiply?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from reparam_rewrite.config.keys import Config, SiteRule
from reparam_rewrite.fit.values import Child, Pair
from reparam_rewrite.plan.children import Child as Asked
from reparam_rewrite.plan.children import CoefficientSpec, PowerScale, ScaleSpec, Snippet
from reparam_rewrite.plan.resolve import resolve
from reparam_rewrite.source.document import Document
from reparam_rewrite.survey import survey
from reparam_rewrite.survey.functions import Survey


def children_of(document: Document, config: Config) -> list[Child]:
    """What the config offsets or scales, in the order of the file."""
    keys = {rule.place: key for key, rule in config.sites.items()}
    found = {}
    for child in asked_for(document, config):
        pairs = tuple(
            Pair(
                parent=pair.parent,
                param=pair.coefficient.name,
                center=None if isinstance(pair.center, Snippet) else float(pair.center or 0.0),
                matrix=pair.coefficient.structure == "matrix",
            )
            for pair in child.pairs
        )
        power = power_of(child.scale)
        if child.reparam is None and (pairs or power is not None):
            name = child.site.name
            found[name] = Child(keys.get(child.place, name), name, pairs, power)
    return list(found.values())


def power_of(scale: ScaleSpec | None) -> float | None:
    """The power of a site that a child is divided by, or where it starts from."""
    match scale:
        case PowerScale(power=float(power)):
            return power
        case PowerScale(power=CoefficientSpec(init=float(init))):
            return init
    return None


def starts_as_written(document: Document, config: Config) -> bool:
    """Is the generated model the plain one until its coefficients are learned: are they all 0?"""
    return not config.is_empty and not any(
        child.scale
        or child.basis
        or child.reparam
        or any(pair.coefficient.init != 0.0 for pair in child.pairs)
        for child in asked_for(document, config)
    )


def asked_for(document: Document, config: Config) -> list[Asked]:
    """The sites that a config asks something for, but for those that the model says to skip."""
    request = resolve(surveyed(document), config)
    return [child for _, children in request.functions for child in children if not child.site.skip]


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
