"""Numbers in the place of expressions of data: what a draw means must not depend on another call.

A child's draws are computed from those of its base whenever the generated model runs, with the
arguments of *that* call. So where an offset reads what the model is called with,

    mu = { value = "jnp.mean(x) * mu", init = 0.9 }

what it multiplies is told from the draws of the pilot, and becomes part of the coefficient:

    mu = { value = "mu", init = 1.83 }
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np

from reparam_rewrite.config.rules import Config
from reparam_rewrite.fitting.values import Array, Child, Fitted, Frozen, Meeting, Regressor
from reparam_rewrite.messages import joined
from reparam_rewrite.running.trace import double_precision
from reparam_rewrite.survey.expressions import grouped
from reparam_rewrite.survey.functions import Survey

#: What rounding may leave of a difference, as a part of the values.
ROUNDING = 1e-9


class Reads(NamedTuple):
    """What an expression depends on: arguments of the call, and the sites of variables."""

    arguments: tuple[str, ...]
    sites: Mapping[str, str]


#: Of an expression, and the dotted name of the function that it stands in.
Reader = Callable[[str, str], Reads]


def reader(called: str, survey: Survey) -> Reader:
    """What tells the arguments that an expression depends on, through whatever local names.

    called: the function whose parameters are the arguments; those inside of it see its names.
    """
    functions = survey.functions
    bound = {name: bindings(function.node) for name, function in functions.items()}

    def reads(expression: str, function: str) -> Reads:
        inside = function == called or function.startswith(f"{called}.")
        scopes = [name for name in ([called, function] if inside else [function]) if name in bound]
        variables = {site.variable: site.name for name in scopes for site in functions[name].sites}
        names, known = [*names_in(ast.parse(expression, mode="eval"))], set[str]()
        while names:
            name = names.pop()
            if name not in known and name not in variables:
                values = (value for scope in scopes for value in bound[scope].get(name, ()))
                names += (read for value in values for read in names_in(value))
            known.add(name)
        given = (ast.iter_child_nodes(functions[s].node.args) for s in scopes[:1])
        parameters = {one.arg for args in given for one in args if isinstance(one, ast.arg)}
        sites = {name: site for name, site in variables.items() if name in known}
        return Reads(tuple(sorted(known & parameters - sites.keys())), sites)

    return reads


def bindings(function: ast.AST) -> dict[str, list[ast.AST]]:
    """By name, what it may be bound to in the function: expressions, and functions inside."""
    found: dict[str, list[ast.AST]] = {}
    for node in ast.walk(function):
        targets: list[ast.expr | None] = []
        value: ast.AST | None = None
        match node:
            case ast.Assign():
                targets, value = [*node.targets], node.value
            case ast.AnnAssign() | ast.AugAssign() | ast.NamedExpr():
                targets, value = [node.target], node.value
            case ast.For() | ast.comprehension():
                targets, value = [node.target], node.iter
            case ast.withitem():
                targets, value = [node.optional_vars], node.context_expr
            case ast.FunctionDef() if node is not function:
                targets, value = [ast.Name(node.name)], node
        for name in (name for target in targets if target for name in names_in(target)):
            found.setdefault(name, []).extend([value] if value else [])
    return found


def names_in(node: ast.AST) -> Iterator[str]:
    """The names that it reads, but for those in calls that sample.

    A draw is a number, whatever its prior has read.
    """
    if isinstance(node, ast.Name):
        yield node.id
    called = getattr(node, "func", None)
    if getattr(called, "attr", getattr(called, "id", "")) != "sample":
        for child in ast.iter_child_nodes(node):
            yield from names_in(child)


def frozen(
    fits: Sequence[Fitted],
    config: Config,
    children: Sequence[Child],
    reads: Reader,
    draws: Mapping[str, Any],
    names_of: Mapping[str, Any],
    meetings: Mapping[str, Meeting],
    failed: Mapping[str, str],
) -> tuple[list[Fitted], list[str]]:
    """The fits with numbers for what reads data, and a sentence for each expression that stays.

    draws: of the pilot, by site. names_of: the names of the module that the model is in. meetings:
    by param, where parents are met in the data; failed: why others can't be told.
    """
    functions = {child.key: child.asked.function.name for child in children}
    variables = {child.key: {s.variable for s in child.asked.function.sites} for child in children}
    found, stay = [], []
    for fit in fits:
        regression = fit.regression
        key, function = regression.key, functions.get(regression.key, "")

        def arguments(*texts: Any, function: str = function) -> list[str]:
            said = (reads(text, function) for text in texts if isinstance(text, str))
            return sorted({name for each in said for name in each.arguments})

        numbers = {}
        for one in regression.regressors:
            if one.param in failed:
                stay.append(unfrozen(regression.child, one, failed[one.param]))
            if one.param in failed or one.param in meetings:
                continue
            rule = config.rule(key, one.parent)
            given = arguments(rule.value, rule.center) if rule is not None else []
            if rule is None or not given:
                continue
            made = None
            if not regression.several:
                text = rule.value or one.parent
                made = as_numbers(one, candidates(text, function, reads, draws, names_of))
            if made is not None:
                numbers[one.param] = made
            else:
                stay.append(stays(f"the offset of {regression.child} by {one.parent}", given))
        site, scale = config.sites.get(key), None
        given = arguments(site.scale.value) if site is not None and site.scale is not None else []
        if given:
            scale = None if regression.several else constant(regression.scale)
            if scale is None:
                stay.append(stays(f"the scale of {regression.child}", given))
        met = {
            one.param: with_mean(meetings[one.param], variables.get(key, ()), names_of)
            for one in regression.regressors
            if one.param in meetings
        }
        found.append(replace(fit, frozen=numbers, scale=scale, meetings=met))
    return found, stay


def with_mean(met: Meeting, variables: Collection[str | None], names: Mapping[str, Any]) -> Meeting:
    """A meeting with the expression for it where it is a mean that the model's names can spell."""
    spelled = [name for name, value in names.items() if value is jax.numpy]
    if spelled and met.is_mean and met.variable in variables:
        return met._replace(mean=f"{spelled[0]}.mean({met.variable})")
    return met


def unfrozen(child: str, one: Regressor, reason: str) -> str:
    met = one.met.in_words if one.met is not None else one.parent
    return (
        f"the offset of {child} by {met} reads data, which no arrays can stand for ({reason}): "
        "predict with the plain model, as with other data the generated one gives other values"
    )


def stays(what: str, arguments: Sequence[str]) -> str:
    return (
        f"{what} reads {joined([*arguments])} of the call, which no number can stand for: "
        "predict with the plain model, as with other data the generated one gives other values"
    )


def constant(scale: Array | None) -> float | None:
    """The scale, if it is one number for all elements and draws."""
    if scale is None or not scale.size or np.ptp(scale) > ROUNDING * np.abs(scale).max():
        return None
    return float(scale.flat[0])


def candidates(
    text: str, function: str, reads: Reader, draws: Mapping[str, Any], names_of: Mapping[str, Any]
) -> dict[str, Array]:
    """Expressions without data that `text` may be a multiple of, and their values (n, ...).

    The sites in it, and what is left of a product without the factors that are data.
    """
    sites = reads(text, function).sites.items()
    known = {name: np.asarray(draws[site], float) for name, site in sites if site in draws}
    above: list[str] = []
    below: list[str] = []
    for factor, inverse in factors(ast.parse(text, mode="eval").body):
        said = reads(ast.unparse(factor), function)
        if said.sites and said.arguments:
            return known
        if said.sites:
            (below if inverse else above).append(grouped(ast.unparse(factor)))
    product = " / ".join([" * ".join(above) or "1", *below])
    if (above or below) and product not in known:
        code = compile(product, "<value>", "eval")
        try:
            with double_precision():
                made = jax.vmap(lambda values: eval(code, {**names_of, **values}))(known)
        except Exception:  # of a name that is bound in the model only
            return known
        known[product] = np.asarray(made, float)
    return known


def factors(node: ast.expr, inverse: bool = False) -> Iterator[tuple[ast.expr, bool]]:
    """``-a * b / c``: a, b and the inverse of c. The sign is a number too."""
    match node:
        case ast.BinOp(left, ast.Mult() | ast.Div() as operator, right):
            yield from factors(left, inverse)
            yield from factors(right, inverse ^ isinstance(operator, ast.Div))
        case ast.UnaryOp(ast.USub(), operand):
            yield from factors(operand, inverse)
        case _:
            yield node, inverse


def as_numbers(regressor: Regressor, candidates: Mapping[str, Array]) -> Frozen | None:
    """``factor * (expression - center)``, if that is what the regressor is at every draw.

    The expression is a number for all elements of the child, or one for each. None if none is it.
    """
    values = regressor.values
    if regressor.matrix or not values.size:
        return None
    shape = values.shape[1:]
    for expression, draw in candidates.items():
        own = (1,) * (len(shape) - draw.ndim + 1) + draw.shape[1:]
        if len(own) > len(shape) or any(a not in (1, b) for a, b in zip(own, shape, strict=True)):
            continue
        draw = np.broadcast_to(draw.reshape(len(draw), *own), values.shape)
        apart = draw - draw.mean(axis=0)
        square = (apart**2).sum(axis=0)
        slope = (apart * (values - values.mean(axis=0))).sum(axis=0)
        factor = slope / np.where(square > 0, square, 1.0)
        close = ROUNDING * max(np.abs(values).max(), np.abs(factor * draw).max())
        left = values - factor * draw
        if np.abs(left - left.mean(axis=0)).max() > close:
            continue
        center = centered(left.mean(axis=0), factor, close)
        if center is None:
            continue
        alike = np.ptp(factor) <= ROUNDING * np.abs(factor).max()
        return Frozen(expression, float(np.mean(factor)) if alike else factor, center, draw)
    return None


def centered(left: Array, factor: Array, close: float) -> float | None:
    """The one number that is subtracted from the site, where `left` is minus `factor` times it."""
    square, center = (factor**2).sum(), 0.0
    if square > 0 and np.abs(left).max() > close:
        center = -float((factor * left).sum() / square)
    return center if np.abs(left + factor * center).max() <= close else None
