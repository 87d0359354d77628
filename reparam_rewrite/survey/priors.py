"""How are a prior's support and axes read from its distribution expression?"""

from __future__ import annotations

import ast

from msgspec.structs import replace

from reparam_rewrite.survey.families import FAMILIES, Family
from reparam_rewrite.survey.scope import Scope
from reparam_rewrite.survey.shapes import axis_of, broadcast, shape_argument, shape_of
from reparam_rewrite.survey.values import UNKNOWN_PRIOR, Prior, Shape, Support

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
    unread = Prior(name, support, None, () if family.event_dim == 0 else None)
    if given is None or family.event_dim is None:
        return unread
    if name == "GaussianRandomWalk":
        return random_walk(scope, unread, given)
    batches: list[Shape | None] = []
    events: list[Shape | None] = []
    sizes = dict(family.arguments)
    for argument, value in given.items():
        if isinstance(value, ast.Constant) and (value.value is None or value.value is False):
            continue
        if argument in NOT_ARRAYS:
            continue
        dims = sizes[argument]
        if dims is None:
            return unread
        shape = shape_of(scope, value)
        if shape is None or len(shape) < dims:
            return unread
        batches.append(shape[: len(shape) - dims])
        if dims >= family.event_dim > 0:
            events.append(shape[len(shape) - family.event_dim :])
        elif dims:
            return unread
    event: Shape | None = ()
    if family.event_dim:
        # ``MultivariateNormal(jnp.zeros(1), cov)``: a mean of one element is broadcast too.
        event = broadcast(*events) if events else None
    return replace(unread, batch=broadcast(*batches), event=event)


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


def random_walk(scope: Scope, unread: Prior, given: dict[str, ast.expr]) -> Prior:
    """``GaussianRandomWalk(scale, num_steps=n)``: one event axis of n steps."""
    scale, steps = given.get("scale"), given.get("num_steps")
    batch: Shape | None = () if scale is None else shape_of(scope, scale)
    event = None if steps is None else (axis_of(scope, steps, ast.unparse(steps)),)
    return replace(unread, batch=batch, event=event)


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
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    if method in ("expand", "expand_by"):
        shape = expansion(scope, given[0]) if len(given) == 1 else None
        if method == "expand_by" and shape is not None:
            shape = None if prior.batch is None else (*shape, *prior.batch)
        return replace(prior, batch=shape)
    if method == "to_event":
        return to_event(prior, given[0] if given else None)
    if method == "mask":
        scalar = len(given) == 1 and shape_of(scope, given[0]) == ()
        return prior if scalar else replace(prior, batch=None)
    return UNKNOWN_PRIOR


def expansion(scope: Scope, node: ast.expr) -> Shape | None:
    return shape_argument(scope, node) if isinstance(node, (ast.Tuple, ast.List)) else None


def to_event(prior: Prior, count: ast.expr | None) -> Prior:
    """Without an argument all batch dims become event dims."""
    unread = replace(prior, batch=None, event=None)
    if prior.batch is None or prior.event is None:
        return unread
    if count is None or (isinstance(count, ast.Constant) and count.value is None):
        dims = len(prior.batch)
    elif isinstance(count, ast.Constant) and type(count.value) is int:
        dims = count.value
    else:
        return unread
    if not 0 <= dims <= len(prior.batch):
        return unread
    split = len(prior.batch) - dims
    return replace(prior, batch=prior.batch[:split], event=(*prior.batch[split:], *prior.event))
