"""What the tables of a config become that say how a site is scaled, centred or rotated."""

from __future__ import annotations

from typing import Any

from reparam_rewrite.bases import BASES
from reparam_rewrite.config import keys
from reparam_rewrite.config.rules import BasisRule, SiteRule
from reparam_rewrite.messages import Place
from reparam_rewrite.plan.named_axes import count_of_events
from reparam_rewrite.plan.values import Basis, CoefficientSpec
from reparam_rewrite.survey.values import Site


def centring_of(rule: SiteRule, child: str) -> float | CoefficientSpec | None:
    """How far a site stays centred, if its table says it."""
    said = rule.centered
    if said is None:
        return None
    if isinstance(said.value, float):
        return said.value
    return spec_of(said.value, child, "", said.place)


Learned = keys.Settings | keys.ScaleTable | keys.PowerTable | keys.CenteredTable


def spec_of(table: Learned, child: str, parent: str, place: Place) -> CoefficientSpec:
    """What a table asks for of a coefficient; a scale and a power are always learned."""
    learn = table.learn if isinstance(table, keys.Settings) else True
    name = table.name.format(child=child, parent=parent)
    init: Any = table.init  # arrays are read as tuples
    return CoefficientSpec(table.coefficient, init, learn, name, place)


def basis_of(rule: BasisRule, site: Site) -> Basis:
    """The basis of a site; axes to the left of its events are those of plates or of the batch."""
    setting = BASES[rule.kind].setting
    value = rule.settings.get(setting.name, setting.default)
    settings = f", {setting.name}={value!r}" if value != setting.default else ""
    over_plates = frozenset(dim for dim in rule.dims if dim < -count_of_events(site))
    return Basis(rule.place, rule.kind, rule.dims, settings, over_plates)
