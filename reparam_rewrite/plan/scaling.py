"""What else than an offset may change a child: a scale, and a basis."""

from __future__ import annotations

from reparam_rewrite.config_values import BasisRule, PowerTable, ScaleRule
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
    """A basis needs an axis of a site that lives on the whole real line.

    Raises `Stop` for ``sample("mu", Normal(0, 1))`` and ``sample("p", Dirichlet(ones(3)))``.
    """
    rule = child.basis
    if rule is None:
        return
    prior, where = site.prior, f"(line {site.place.line})"
    if prior.support.kind != "real":
        message = f"'{site.name}' isn't known to be real-valued {where}"
        message += f": it can't be sampled in the {rule.table.kind} basis"
        raise Stop(Problem(rule.place, message, "take the basis out."))
    if is_over_plate(site, rule):
        found = over_plate(site, rule)
        if found is not None:
            message, hint = found
            raise Stop(Problem(rule.place, message.format(where=where), hint))


def is_over_plate(site: Site, rule: BasisRule) -> bool:
    """Is the axis of a basis left of the event axes: one of a plate, or of the batch?"""
    return count_of_events(site) < -rule.table.dim


def count_of_events(site: Site) -> int:
    event = site.prior.event
    return len(event) if event is not None else event_dims(site.prior.family)


def over_plate(site: Site, rule: BasisRule) -> tuple[str, str] | None:
    """Why a site can't be sampled in a basis over a plate, and the way out; None if it can.

    The elements of other priors than normal ones would be drawn wrongly: NumPyro draws a prior
    that is the same along a plate before it has the plate's axis, where there is nothing to mix.
    """
    name, table, prior = site.name, rule.table, site.prior
    events = count_of_events(site)
    to_event = "an event axis, which .to_event(1) makes outside of the plate, can have it."
    if events:
        message = f"'{name}' has {events} event axes {{where}}: a basis over a plate needs a site "
        return message + "without", f"name one of its event axes, -1 to -{events}."
    if any(plate.subsampled for frame in site.all_frames for plate in frame.plates):
        message = f"'{name}' is in a subsampled plate {{where}}, and a basis needs all elements"
        return message, "take the basis out."
    shape = site.batch if site.batch is not None else site.plate_shape
    if shape is None or prior.event is None or site.plate_shape is None:
        return f"the source doesn't tell the axes of '{name}' {{where}}", to_event
    if len(shape) < -table.dim or shape[table.dim].unit:
        message = f"'{name}' has no axis at dim {table.dim} {{where}}, and a basis needs one"
        return message, "take the basis out, or name another axis."
    if prior.family != "Normal":
        message = f"'{name}' isn't known to be Normal {{where}}, as it must be for a basis over a "
        return message + "plate", to_event
    if table.smooth:
        message = f"'{name}' is in a plate {{where}}: its elements have no order, which 'smooth' "
        return message + "is about", "take 'smooth' out; " + to_event
    return None


def event_dims(family: str | None) -> int:
    """The event dims that every distribution of a family has."""
    return (FAMILIES[family].event_dim or 0) if family in FAMILIES else 0


def basis_of(child: Child) -> Basis | None:
    if child.basis is None:
        return None
    table = child.basis.table
    over_plate = is_over_plate(child.site, child.basis)
    return Basis(table.kind, table.dim, table.smooth, table.flip, over_plate)
