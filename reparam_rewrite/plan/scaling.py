"""What else than an offset may change a child: a scale, and a basis."""

from __future__ import annotations

from reparam_rewrite.config_values import PowerTable, ScaleRule
from reparam_rewrite.expressions import identifier
from reparam_rewrite.plan.context import Context, Stop
from reparam_rewrite.plan.pairs import Child
from reparam_rewrite.plan.problems import Problem
from reparam_rewrite.plan.values import Basis, Coefficient, Scale, Value
from reparam_rewrite.survey.families import FAMILIES
from reparam_rewrite.survey.values import Site


def learned(rule: ScaleRule) -> tuple[str, float, str] | None:
    """The template of a scale's param, its initial value and its structure; None if it has none."""
    if rule.by:
        power = rule.power
        if isinstance(power, PowerTable):
            return power.name, power.init, power.coefficient
        return None
    if rule.value is not None:
        return None
    return rule.table.name, rule.table.init, rule.table.coefficient


def scale_param(child: Child) -> str:
    """The `numpyro.param` site of a child's scale, empty if it has none."""
    found = None if child.scale is None else learned(child.scale)
    if found is None or child.scale is None:
        return ""
    return found[0].format(child=child.site.name, parent=child.scale.by or "scale")


def is_elementwise_scale(rule: ScaleRule) -> bool:
    found = learned(rule)
    return found is not None and found[2] == "elementwise"


def scale_of(
    context: Context,
    child: Child,
    value: Value | None,
    sizes: tuple[str, ...] | None,
    event_dim: int | None,
) -> Scale | None:
    """The scale of a child; `value` is that of the site or expression that it is made of.

    `event_dim` is set inside of a subsampled plate.
    """
    rule = child.scale
    if rule is None:
        return None
    variable = context.names.new(f"{identifier(child.site.name)}_scale")
    coefficient = None
    found = learned(rule)
    if found is not None:
        _, init, structure = found
        name = scale_param(child)
        coefficient = Coefficient(
            init,
            name,
            sizes if structure == "elementwise" else (),
            context.names.new(identifier(name)),
            event_dim=event_dim if structure == "elementwise" else None,
            computed=child.site.computed or (child.by is not None and is_computed(child.by.site)),
        )
    if value is None:
        literal = rule.value if isinstance(rule.value, float) else 1.0
        return Scale(variable, literal, coefficient=coefficient)
    power = rule.power if rule.by and not isinstance(rule.power, PowerTable) else None
    return Scale(variable, value=value, power=power, coefficient=coefficient)


def is_computed(site: Site | None) -> bool:
    return site is not None and site.computed


def check_basis(site: Site, child: Child) -> None:
    """A basis needs an event axis and the whole real line.

    Raises `Stop` for ``sample("a", Normal(0, 1))`` and ``sample("p", Dirichlet(ones(3)))``.
    """
    if child.basis is None:
        return
    table, prior = child.basis.table, site.prior
    if prior.support.kind != "real":
        raise Stop(
            Problem(
                child.basis.place,
                f"'{site.name}' isn't known to be real-valued (line {site.place.line}): it can't "
                f"be sampled in the {table.kind} basis",
                "take the basis out.",
            )
        )
    dims = len(prior.event) if prior.event is not None else event_dims(prior.family)
    if dims < -table.dim:
        raise Stop(
            Problem(
                child.basis.place,
                f"'{site.name}' has {dims} event axes (line {site.place.line}), and a basis needs "
                f"one at dim {table.dim}",
                "plates and batch dims are independent elements; .to_event(1) makes an event axis.",
            )
        )


def event_dims(family: str | None) -> int:
    """The event dims that every distribution of a family has."""
    return (FAMILIES[family].event_dim or 0) if family in FAMILIES else 0


def basis_of(child: Child) -> Basis | None:
    if child.basis is None:
        return None
    table = child.basis.table
    return Basis(table.kind, table.dim, table.smooth, table.flip)
