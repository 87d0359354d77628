"""How are a prior's support and axes read from its distribution expression?"""

from __future__ import annotations

import ast

from msgspec.structs import replace

from reparam_rewrite.bases import BASES
from reparam_rewrite.survey.families import FAMILIES, Family
from reparam_rewrite.survey.scopes import Scope
from reparam_rewrite.survey.shapes import (
    axis_of,
    broadcast,
    broadcast_open,
    seen_of,
    shape_argument,
)
from reparam_rewrite.survey.values import (
    REST,
    UNIT,
    UNKNOWN_PRIOR,
    Axis,
    Prior,
    Shape,
    Support,
    closed,
)

DISTRIBUTIONS = "numpyro.distributions."

#: Supports whose unconstrained values are vectors of another length, in place of all event dims.
RESHAPING = frozenset(
    [
        "simplex",
        "zero_sum",
        "corr_cholesky",
        "corr_matrix",
        "positive_definite",
        "positive_semidefinite",
        "lower_cholesky",
        "scaled_unit_lower_cholesky",
    ]
)

#: Supports that are the real line already, whatever the number of event dims.
REAL = frozenset(("real", "real_vector", "real_matrix"))


#: Supports without negative values.
POSITIVE = frozenset(("positive", "unit_interval"))

#: Families without negative values wherever their bounds are.
BOUNDED = frozenset(("LogUniform", "Pareto", "DoublyTruncatedPowerLaw", "LowerTruncatedPowerLaw"))

AFFINE = "numpyro.distributions.transforms.AffineTransform"

#: Arguments that say how a distribution is made and are no part of its batch shape.
NOT_ARRAYS = frozenset(["dimension", "sample_method", "is_sparse"])


def support_of(family: Family) -> Support:
    if family.support in ("discrete", "atomic"):
        return Support(family.support)
    if family.support in REAL:
        return Support("real")
    if family.support == "sphere":
        return Support("sphere")
    # Where the bijection is asked of the distribution at run time, of an elementwise family at
    # least the shape is known.
    if family.support in RESHAPING:
        return Support("runtime", family.support, reshapes=True)
    if family.support == "dependent":
        return Support("runtime", reshapes=family.event_dim != 0)
    return Support("fixed", family.support, positive=family.support in POSITIVE)


def prior_of(scope: Scope, node: ast.expr) -> Prior:
    """What can be read of a distribution expression; never None, `UNKNOWN_PRIOR` at the worst."""
    if isinstance(node, ast.Name):
        binding = scope.binding(node.id)
        return binding.prior if binding and binding.prior else UNKNOWN_PRIOR
    if not isinstance(node, ast.Call) or any(isinstance(a, ast.Starred) for a in node.args):
        return UNKNOWN_PRIOR
    dotted = scope.resolve(node.func)
    if dotted is not None and dotted.startswith(DISTRIBUTIONS):
        name = dotted[len(DISTRIBUTIONS) :]
        return prior_of_family(scope, name, node) if name in FAMILIES else UNKNOWN_PRIOR
    if isinstance(node.func, ast.Attribute):
        return prior_of_method(scope, node.func.value, node.func.attr, node)
    return UNKNOWN_PRIOR


def prior_of_family(scope: Scope, name: str, call: ast.Call) -> Prior:
    """``dist.Normal(loc, scale)``: the batch shape is that of the arguments, broadcast."""
    family = FAMILIES[name]
    support = support_of(family)
    if name == "ZeroSumNormal":
        support = Support("zero_sum")
    given = arguments(family, call)
    if name == "TransformedDistribution" and is_moved_line(scope, given or {}):
        support = Support("real")
    if name in BOUNDED or is_not_negative((given or {}).get("low")):
        support = replace(support, positive=True)
    dims = family.event_dim
    unknown = Prior(name, support, None, None if dims is None else (Axis(None),) * dims)
    if given is None:
        return unknown
    if name in READERS:
        return READERS[name](scope, unknown, given)
    if dims is None:
        return unknown
    batch: Shape = ()
    events: list[Shape] = []
    sizes = dict(family.arguments)
    for argument, value in given.items():
        if isinstance(value, ast.Constant) and (value.value is None or value.value is False):
            continue
        if argument in NOT_ARRAYS:
            continue
        own = sizes[argument]
        if own is None or 0 < own < dims:
            return unknown
        shape = seen_of(scope, value)
        known = shape if closed(shape) is not None else shape[1:]
        if closed(shape) is not None and len(shape) < own:
            return unknown  # ``MultivariateNormal(0.0, cov)``
        batch = broadcast_open(batch, shape[: len(shape) - own] if len(known) >= own else (REST,))
        if own >= dims > 0:
            missing = (Axis(None),) * (dims - len(known))
            events.append((*missing, *known[max(0, len(known) - dims) :]))
    # ``MultivariateNormal(jnp.zeros(1), cov)``: a mean of one element is broadcast too.
    event = broadcast(*events) if events else unknown.event
    return seen_as(unknown, batch, event if event is not None else unknown.event)


def is_moved_line(scope: Scope, given: dict[str, ast.expr]) -> bool:
    """``TransformedDistribution(Normal(0, 1), AffineTransform(loc, scale))``: the real line."""
    base, transforms = given.get("base_distribution"), given.get("transforms")
    if base is None or transforms is None or prior_of(scope, base).support.kind != "real":
        return False
    several = isinstance(transforms, (ast.List, ast.Tuple))
    return all(
        isinstance(part, ast.Call)
        and scope.resolve(part.func) == AFFINE
        and len(part.args) <= 2  # the third is another domain
        and {keyword.arg for keyword in part.keywords} <= {"loc", "scale"}
        for part in (transforms.elts if several else [transforms])  # type: ignore[attr-defined]
    )


def is_not_negative(low: ast.expr | None) -> bool:
    """``Uniform(0, 5)``, ``TruncatedNormal(0.3, 0.1, low=0.0)``"""
    value = low.value if isinstance(low, ast.Constant) else None
    return type(value) in (int, float)  # a minus is an operator


def seen_as(prior: Prior, batch: Shape, event: Shape | None) -> Prior:
    """A prior of this batch, of which perhaps only the last axes show."""
    return replace(prior, batch=closed(batch), seen=batch, event=event)


def unread(prior: Prior) -> Prior:
    return replace(prior, batch=None, seen=(REST,))


def random_walk(scope: Scope, unknown: Prior, given: dict[str, ast.expr]) -> Prior:
    """``GaussianRandomWalk(scale, num_steps=n)``: one event axis of n steps, else of one."""
    scale, steps = given.get("scale"), given.get("num_steps")
    batch = () if scale is None else seen_of(scope, scale)
    event = UNIT if steps is None else axis_of(scope, steps, ast.unparse(steps))
    return seen_as(unknown, batch, (event,))


def correlations(scope: Scope, unknown: Prior, given: dict[str, ast.expr]) -> Prior:
    """``LKJ(d, concentration)``: two event axes of the same size."""
    dimension, concentration = given.get("dimension"), given.get("concentration")
    if dimension is None:
        return unknown
    axis = axis_of(scope, dimension, ast.unparse(dimension))
    batch = () if concentration is None else seen_of(scope, concentration)
    return seen_as(unknown, batch, (axis, axis))


def independent(scope: Scope, unknown: Prior, given: dict[str, ast.expr]) -> Prior:
    """``Independent(Normal(jnp.zeros(n), 1), 1)``, the long way to write `to_event`."""
    base, count = given.get("base_dist"), given.get("reinterpreted_batch_ndims")
    if base is None or count is None:
        return unknown
    made = to_event(prior_of(scope, base), count)
    return made if made.event is not None else unknown


#: Transforms that keep the shape, with the number of their event dims.
SAME_SHAPE = {
    "AbsTransform": 0,
    "ExpTransform": 0,
    "OrderedTransform": 1,
    "PowerTransform": 0,
    "SigmoidTransform": 0,
    "SoftplusTransform": 0,
    **{kind.transform: None for kind in BASES.values()},
}


def transformed(scope: Scope, unknown: Prior, given: dict[str, ast.expr]) -> Prior:
    """``TransformedDistribution(Normal(0, 1).expand([n]), OrderedTransform())``"""
    base, listed = given.get("base_distribution"), given.get("transforms")
    if base is None or listed is None:
        return unknown
    prior = prior_of(scope, base)
    batch = prior.batch if prior.batch is not None else prior.seen
    if prior.event is None or prior.support.reshapes:
        return unknown
    shape, dims = (*batch, *prior.event), len(prior.event)
    for part in listed.elts if isinstance(listed, (ast.List, ast.Tuple)) else [listed]:
        name = transform_of(scope, part)
        if name == "AffineTransform" and isinstance(part, ast.Call):
            arguments = [*part.args, *(k.value for k in part.keywords if k.arg != "domain")]
            starred = any(isinstance(a, ast.Starred) for a in arguments)
            if starred or any(keyword.arg is None for keyword in part.keywords):
                return unknown
            shape = broadcast_open(shape, *(seen_of(scope, a) for a in arguments[:2]))
        elif name in SAME_SHAPE and isinstance(part, ast.Call):
            own = SAME_SHAPE[name]
            if own is None:
                if part.args or part.keywords:
                    return unknown
                own = 1
            dims = max(dims, own)
        else:
            return unknown
    if closed(shape) is None and len(shape) <= dims:
        return unknown
    support = replace(unknown.support, reshapes=False)
    made = replace(unknown, support=support)
    return seen_as(made, shape[: len(shape) - dims], shape[len(shape) - dims :])


def transform_of(scope: Scope, node: ast.expr) -> str:
    """The name of NumPyro's transform that a call makes, empty for anything else."""
    dotted = scope.resolve(node.func) if isinstance(node, ast.Call) else None
    module, _, name = (dotted or "").rpartition(".")
    return name if module == "numpyro.distributions.transforms" else ""


#: Families whose shape isn't that of their arguments.
READERS = {
    "GaussianRandomWalk": random_walk,
    "Independent": independent,
    "LKJ": correlations,
    "LKJCholesky": correlations,
    "TransformedDistribution": transformed,
}


def arguments(family: Family, call: ast.Call) -> dict[str, ast.expr] | None:
    """The arguments by the names of the constructor; None if they can't be told apart."""
    names = [name for name, _ in family.arguments]
    if len(call.args) > len(names):
        return None
    given = dict(zip(names, call.args, strict=False))
    for keyword in call.keywords:
        if keyword.arg == "validate_args":
            continue
        if keyword.arg is None or keyword.arg not in names or keyword.arg in given:
            return None
        given[keyword.arg] = keyword.value
    return given


def prior_of_method(scope: Scope, base: ast.expr, method: str, call: ast.Call) -> Prior:
    """``.expand([n])``, ``.expand_by([n])``, ``.to_event(k)``, ``.mask(m)`` on a distribution."""
    prior = prior_of(scope, base)
    if prior is UNKNOWN_PRIOR:
        return UNKNOWN_PRIOR
    if any(keyword.arg is None for keyword in call.keywords):
        return replace(unread(prior), event=None if method == "to_event" else prior.event)
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    before = prior.batch if prior.batch is not None else prior.seen
    if method in ("expand", "expand_by"):
        shape = expansion(scope, given[0]) if len(given) == 1 else (REST,)
        if method == "expand_by":
            shape = (*shape, *before) if closed(before) is not None else before
        return seen_as(prior, shape, prior.event)
    if method == "to_event":
        return to_event(prior, given[0] if given else None)
    if method == "mask":
        mask = seen_of(scope, given[0]) if len(given) == 1 else (REST,)
        return seen_as(prior, broadcast_open(before, mask), prior.event)
    return UNKNOWN_PRIOR


def expansion(scope: Scope, node: ast.expr) -> Shape:
    written = isinstance(node, (ast.Tuple, ast.List, ast.BinOp))
    return shape_argument(scope, node) if written else (REST,)


def to_event(prior: Prior, count: ast.expr | None) -> Prior:
    """Without an argument all batch dims become event dims."""
    nothing = replace(unread(prior), event=None)
    batch = prior.batch if prior.batch is not None else prior.seen
    if prior.event is None:
        return nothing
    known = len(batch) if closed(batch) is not None else len(batch) - 1
    if count is None or (isinstance(count, ast.Constant) and count.value is None):
        if closed(batch) is None:
            return nothing
        dims = len(batch)
    elif isinstance(count, ast.Constant) and type(count.value) is int:
        dims = count.value
    else:
        return nothing
    if dims < 0 or (dims > known and closed(batch) is not None):
        return nothing
    batch = (batch[0], *[Axis(None)] * (dims - known), *batch[1:]) if dims > known else batch
    split = len(batch) - dims
    return seen_as(prior, batch[:split], (*batch[split:], *prior.event))
