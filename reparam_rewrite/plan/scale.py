"""What a child is multiplied by before its offset is added."""

from __future__ import annotations

from reparam_rewrite.plan.children import (
    Child,
    CoefficientSpec,
    PowerScale,
)
from reparam_rewrite.plan.coefficients import coefficient_of
from reparam_rewrite.plan.context import Context
from reparam_rewrite.plan.values import (
    Expression,
    Learned,
    LearnedPower,
    Param,
    Power,
    Scale,
    Sizes,
    Value,
)
from reparam_rewrite.survey.expressions import identifier


def scale_of(
    context: Context, child: Child, value: Value | None, sizes: Sizes, event_dim: int | None
) -> Scale | None:
    """The scale of a child; `value` is that of the site or expression that it is made of.

    `event_dim` is set inside of a subsampled plate.
    """
    names, by = context.names, child.by.site if child.by is not None else None
    computed = child.site.call.computed or (by is not None and by.call.computed)

    def param(spec: CoefficientSpec) -> Param:
        own = sizes if spec.structure == "elementwise" else ()
        coefficient = coefficient_of(spec, own, event_dim, computed=computed)
        assert isinstance(coefficient, Param)
        return coefficient

    if child.scale is None or isinstance(child.scale, float):
        return child.scale
    variable = names.new(f"{identifier(child.site.name)}_scale")
    if isinstance(child.scale, CoefficientSpec):
        return Learned(variable, param(child.scale))
    assert value is not None
    match child.scale:
        case PowerScale(pair, CoefficientSpec() as spec):
            exponent = names.new(identifier(spec.name))
            return LearnedPower(variable, value, pair.parent, param(spec), exponent)
        case PowerScale(pair, float(power)):
            return Power(variable, value, pair.parent, power)
    return Expression(variable, value)
