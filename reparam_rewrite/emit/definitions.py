"""A basis over a plate is a class of its own: NumPyro's transforms mix elements of one event.

In a plate the elements are the batch. NumPyro's transform would make one event of them, which the
plate would then repeat. The class keeps them a batch: each has the log density of its own value,
and their sum is that of all, since the determinant is 1.
"""

from __future__ import annotations

from msgspec import Struct

from reparam_rewrite.emit import layout
from reparam_rewrite.emit.spelling import Spelling
from reparam_rewrite.plan.values import Plan
from reparam_rewrite.survey.values import Survey

CLASS = '''\
class {name}({transform}):
    """Mixes the elements of a plate: all of them must be there."""

    domain = codomain = {constraints}.real

    def forward_shape(self, shape):
        return shape

    inverse_shape = forward_shape

    def log_abs_det_jacobian(self, x, y, intermediates=None):
        return {jnp}.zeros_like(x)'''


class Definitions(Struct, frozen=True):
    """Classes as lines without indent, and the statement that they stand above."""

    classes: tuple[layout.Lines, ...] = ()
    before: int = 0


def definitions_of(plan: Plan, survey: Survey, spelling: Spelling) -> Definitions:
    """What the generated code needs above the first function that has a basis over a plate."""
    functions = [
        survey.functions[rewrite.function].first
        for rewrite in plan.rewrites
        if rewrite.basis is not None and rewrite.basis.over_plates
    ]
    if not functions:
        return Definitions()
    classes = []
    for transform, name in spelling.classes.items():
        text = CLASS.format(
            name=name,
            transform=spelling.above(f"numpyro.distributions.transforms.{transform}"),
            constraints=spelling.above("numpyro.distributions.constraints"),
            jnp=spelling.above("jax.numpy"),
        )
        classes.append(tuple(text.split("\n")))
    return Definitions(tuple(classes), min(functions))
