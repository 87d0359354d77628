"""How are a prior's support and axes read from its distribution expression?"""

from __future__ import annotations

import ast

from msgspec.structs import replace

from reparam_rewrite.bases import BASES
from reparam_rewrite.survey.calls import is_none, is_starred
from reparam_rewrite.survey.effects import words
from reparam_rewrite.survey.families import FAMILIES, Family
from reparam_rewrite.survey.scopes import Scope
from reparam_rewrite.survey.shapes import axis_of, broadcast_open, seen_of, shape_argument
from reparam_rewrite.survey.values import REST, UNKNOWN_PRIOR, Axis, Prior, Shape, Support, closed

DISTRIBUTIONS = "numpyro.distributions."

TRANSFORMS = f"{DISTRIBUTIONS}transforms."

#: Supports whose unconstrained values are vectors of another length, in place of all event dims.
RESHAPING = words(
    """simplex zero_sum corr_cholesky corr_matrix positive_definite positive_semidefinite
    lower_cholesky scaled_unit_lower_cholesky"""
)

#: What is known of distributions by the support of their family.
SUPPORTS = {
    **dict.fromkeys(words("real real_vector real_matrix"), Support("real")),
    **{kind: Support(kind) for kind in ("discrete", "atomic", "sphere")},
    **{kind: Support("runtime", kind, reshapes=True) for kind in RESHAPING},
    **{kind: Support("fixed", kind, positive=True) for kind in ("positive", "unit_interval")},
}

#: Families without negative values wherever their bounds are.
BOUNDED = words("LogUniform Pareto DoublyTruncatedPowerLaw LowerTruncatedPowerLaw")

#: Families that are only moved by an addition to their `loc`.
LOCATED = words(
    """AsymmetricLaplace Cauchy Gumbel Laplace Logistic LowRankMultivariateNormal MultivariateNormal
    MultivariateStudentT Normal SoftLaplace StudentT"""
)

#: Arguments that say how a distribution is made and are no part of its batch shape.
NOT_ARRAYS = words("dimension sample_method is_sparse")

#: Transforms that keep the shape, with the number of their event dims; None is for those that do
#: so without arguments, on vectors.
SAME_SHAPE: dict[str, int | None] = {
    **dict.fromkeys(words("AbsTransform ExpTransform PowerTransform"), 0),
    **dict.fromkeys(words("SigmoidTransform SoftplusTransform"), 0),
    "OrderedTransform": 1,
    **{kind.transform: None for kind in BASES.values()},
}


def support_of(name: str, family: Family) -> Support:
    if name == "ZeroSumNormal":
        return Support("zero_sum")
    # Where the bijection is asked of the distribution at run time, of an elementwise family at
    # least the shape is known.
    if family.support == "dependent":
        return Support("runtime", reshapes=family.event_dim != 0)
    return SUPPORTS.get(family.support) or Support("fixed", family.support)


def prior_of(scope: Scope, node: ast.expr | None) -> Prior:
    """What can be read of a distribution expression; never None, `UNKNOWN_PRIOR` at the worst."""
    if isinstance(node, ast.Name):
        binding = scope.binding(node.id)
        return binding.prior if binding and binding.prior else UNKNOWN_PRIOR
    if not isinstance(node, ast.Call) or any(isinstance(a, ast.Starred) for a in node.args):
        return UNKNOWN_PRIOR
    dotted = scope.resolve(node.func) or ""
    if dotted.startswith(DISTRIBUTIONS):
        family = dotted.removeprefix(DISTRIBUTIONS)
        return prior_of_family(scope, family, node) if family in FAMILIES else UNKNOWN_PRIOR
    if isinstance(node.func, ast.Attribute):
        return prior_of_method(scope, node.func.value, node.func.attr, node)
    return UNKNOWN_PRIOR


def prior_of_family(scope: Scope, name: str, call: ast.Call) -> Prior:
    """``dist.Normal(loc, scale)``: the batch shape is that of the arguments, broadcast."""
    family = FAMILIES[name]
    support, dims, given = support_of(name, family), family.event_dim, arguments(family, call)
    low = (given or {}).get("low")  # ``Uniform(0, 5)``; a minus is an operator
    is_number = isinstance(low, ast.Constant) and type(low.value) in (int, float)
    if name in BOUNDED or is_number:
        support = replace(support, positive=True)
    unknown = Prior(name, support, None if dims is None else (Axis(None),) * dims)
    if given is None:
        return unknown
    match name:
        case "Independent" if len(given) == 2:  # the long way to write `to_event`
            base, count = given["base_dist"], given["reinterpreted_batch_ndims"]
            made = to_event(prior_of(scope, base), count)
            return made if made.event is not None else unknown
        case "TransformedDistribution":
            return transformed(scope, unknown, given)
        case "GaussianRandomWalk" | "LKJ" | "LKJCholesky":
            return sized(scope, unknown, given)
    if dims is None:
        return unknown
    batch: Shape = ()
    events: list[Shape] = []
    sizes = dict(family.arguments)
    for argument, value in given.items():
        omitted = isinstance(value, ast.Constant) and (value.value is None or value.value is False)
        if omitted or argument in NOT_ARRAYS:
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
    event = closed(broadcast_open(*events)) if events else None
    return replace(unknown, seen=batch, event=unknown.event if event is None else event)


def arguments(family: Family, call: ast.Call) -> dict[str, ast.expr] | None:
    """The arguments by the names of the constructor; None if they can't be told apart."""
    names = [name for name, _ in family.arguments]
    named = {k.arg or "**": k.value for k in call.keywords if k.arg != "validate_args"}
    if len(call.args) > len(names) or not named.keys() <= {*names[len(call.args) :]}:
        return None
    return {**dict(zip(names, call.args, strict=False)), **named}


def sized(scope: Scope, unknown: Prior, given: dict[str, ast.expr]) -> Prior:
    """``GaussianRandomWalk(scale, num_steps=n)``: n steps, else one; ``LKJ(d)``: d by d."""
    walk = unknown.family == "GaussianRandomWalk"
    values, size = given.get("scale" if walk else "concentration"), given.get("dimension")
    if walk:
        size = given.get("num_steps", ast.Constant(1))
    if size is None:
        return unknown
    axis = axis_of(scope, size, ast.unparse(size))
    batch = () if values is None else seen_of(scope, values)
    return replace(unknown, seen=batch, event=(axis,) if walk else (axis, axis))


def transformed(scope: Scope, unknown: Prior, given: dict[str, ast.expr]) -> Prior:
    """``TransformedDistribution(Normal(0, 1).expand([n]), OrderedTransform())``

    What only moves the real line, ``AffineTransform(loc, scale)``, leaves it the real line.
    """
    base, transforms = given.get("base_distribution"), given.get("transforms")
    if base is None or transforms is None:
        return unknown
    parts = transforms.elts if isinstance(transforms, (ast.List, ast.Tuple)) else [transforms]
    calls = [part for part in parts if transform_of(scope, part) and isinstance(part, ast.Call)]
    prior = prior_of(scope, base)
    moved = len(calls) == len(parts) and all(is_move(scope, call) for call in calls)
    if moved and prior.support.kind == "real":
        unknown = replace(unknown, support=Support("real"))
    if prior.event is None or prior.support.reshapes or len(calls) < len(parts):
        return unknown
    shape, dims = (*prior.seen, *prior.event), len(prior.event)
    for call in calls:
        name = transform_of(scope, call)
        own = SAME_SHAPE.get(name, 0)
        if name == "AffineTransform" and not is_starred(call):
            given_ = [*call.args, *(k.value for k in call.keywords if k.arg != "domain")]
            shape = broadcast_open(shape, *(seen_of(scope, value) for value in given_[:2]))
        elif name not in SAME_SHAPE or (own is None and (call.args or call.keywords)):
            return unknown
        dims = max(dims, 1 if own is None else own)
    if closed(shape) is None and len(shape) <= dims:
        return unknown
    split = len(shape) - dims
    support = replace(unknown.support, reshapes=False)
    return replace(unknown, support=support, seen=shape[:split], event=shape[split:])


def is_move(scope: Scope, call: ast.Call) -> bool:
    """``AffineTransform(loc, scale)``, without the third argument, which is another domain"""
    names = {keyword.arg for keyword in call.keywords}
    plain = len(call.args) <= 2 and names <= {"loc", "scale"}
    return plain and transform_of(scope, call) == "AffineTransform"


def transform_of(scope: Scope, node: ast.expr) -> str:
    """The name of NumPyro's transform that a call makes, empty for anything else."""
    dotted = scope.resolve(node.func) if isinstance(node, ast.Call) else None
    return dotted.removeprefix(TRANSFORMS) if dotted and dotted.startswith(TRANSFORMS) else ""


def prior_of_method(scope: Scope, base: ast.expr, method: str, call: ast.Call) -> Prior:
    """``.expand([n])``, ``.expand_by([n])``, ``.to_event(k)``, ``.mask(m)`` on a distribution."""
    prior = prior_of(scope, base)
    if prior is UNKNOWN_PRIOR:
        return UNKNOWN_PRIOR
    if is_starred(call):
        return replace(prior, seen=(REST,), event=None if method == "to_event" else prior.event)
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    only = given[0] if len(given) == 1 else None
    match method:
        case "to_event":
            return to_event(prior, given[0] if given else None)
        case "expand":
            seen = expansion(scope, only)
        case "expand_by" if closed(prior.seen) is None:
            seen = prior.seen
        case "expand_by":
            seen = (*expansion(scope, only), *prior.seen)
        case "mask":
            mask = (REST,) if only is None else seen_of(scope, only)
            seen = broadcast_open(prior.seen, mask)
        case _:
            return UNKNOWN_PRIOR
    return replace(prior, seen=seen)


def expansion(scope: Scope, node: ast.expr | None) -> Shape:
    """The axes that ``.expand(...)`` is asked for."""
    written = isinstance(node, (ast.Tuple, ast.List, ast.BinOp))
    return shape_argument(scope, node) if node is not None and written else (REST,)


def to_event(prior: Prior, count: ast.expr | None) -> Prior:
    """Without an argument all batch dims become event dims."""
    seen, nothing = prior.seen, replace(prior, seen=(REST,), event=None)
    is_open = closed(seen) is None
    known = len(seen) - is_open
    if is_none(count):
        dims = -1 if is_open else known
    else:
        value = count.value if isinstance(count, ast.Constant) else None
        dims = value if type(value) is int else -1
    if prior.event is None or dims < 0 or (dims > known and not is_open):
        return nothing
    if dims > known:
        seen = (seen[0], *[Axis(None)] * (dims - known), *seen[1:])
    split = len(seen) - dims
    return replace(prior, seen=seen[:split], event=(*seen[split:], *prior.event))


def is_located(scope: Scope, node: ast.expr, *, in_plate: bool) -> bool:
    """May an offset be added to the `loc` of a distribution expression, and shift just that?

    ``dist.Normal(z, 1)``, also with ``.to_event(1)`` and, outside of plates, ``.expand([n])``,
    since either leaves room for a `loc` of the shape of the site.
    """
    methods = ("to_event",) if in_plate else ("to_event", "expand")
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if not isinstance(node.func.value, ast.Call) or node.func.attr not in methods:
            break
        node = node.func.value
    if not isinstance(node, ast.Call) or is_starred(node):
        return False
    module, _, family = (scope.resolve(node.func) or "").rpartition(".")
    return f"{module}." == DISTRIBUTIONS and family in LOCATED


def loc_position(family: str) -> int:
    """Which argument of a family's constructor is its `loc`."""
    return [name for name, _ in FAMILIES[family].arguments].index("loc")
