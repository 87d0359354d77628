"""Numbers in the place of expressions of data: what a draw means must not depend on another call.

A child's draws are computed from those of its base whenever the generated model runs, with the
arguments of *that* call. So where an offset reads what the model is called with,

    mu = { value = "jnp.mean(x) * mu", init = 0.9 }

what it multiplies is told from the draws of the pilot, and becomes part of the coefficient:

    mu = { value = "mu", init = 1.83 }
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from reparam_rewrite.config.keys import Config
from reparam_rewrite.fit.values import Array, Child, Fitted, Frozen, Regression, Regressor
from reparam_rewrite.plan.values import Account
from reparam_rewrite.running.trace import double_precision
from reparam_rewrite.survey.expressions import grouped
from reparam_rewrite.survey.functions import Survey

#: What rounding may leave of a difference, as a part of the values.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Reads:
    """What an expression depends on: arguments of the call, and the sites of variables."""

    arguments: tuple[str, ...]
    sites: Mapping[str, str]


def reader(tree: ast.Module, called: str, survey: Survey) -> Callable[[str, str], Reads]:
    """A function of an expression and the function that it stands in to what it depends on.

    called: the function whose parameters are the arguments; those inside of it see its names.
    """
    bound: dict[str, dict[str, list[ast.AST]]] = {}
    parameters: dict[str, list[str]] = {}

    def walk(body: Sequence[ast.AST], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                name = f"{prefix}{node.name}"
                if isinstance(node, ast.FunctionDef):
                    parameters[name] = [one.arg for one in all_parameters(node.args)]
                    bound[name] = bindings(node)
                walk(node.body, f"{name}.")
            else:
                walk(list(ast.iter_child_nodes(node)), prefix)

    walk(tree.body, "")

    def reads(expression: str, function: str) -> Reads:
        inside = function == called or function.startswith(f"{called}.")
        scopes = [called, function] if inside else [function]
        names, arguments, sites = names_in(ast.parse(expression, mode="eval")), [], {}
        variables = {
            site.variable: site.name
            for scope in scopes
            if scope in survey.functions
            for site in survey.functions[scope].sites
            if site.variable
        }
        done: set[str] = set()
        while names:
            name = names.pop()
            if name in done:
                continue
            done.add(name)
            if name in variables:
                sites[name] = variables[name]
                continue
            own = [value for scope in scopes for value in bound.get(scope, {}).get(name, [])]
            names += [found for value in own for found in names_in(value)]
            if name in parameters.get(scopes[0], ()):
                arguments.append(name)
        return Reads(tuple(sorted(arguments)), sites)

    return reads


def all_parameters(args: ast.arguments) -> Iterator[ast.arg]:
    yield from (*args.posonlyargs, *args.args, *args.kwonlyargs)
    yield from (one for one in (args.vararg, args.kwarg) if one is not None)


def bindings(function: ast.FunctionDef) -> dict[str, list[ast.AST]]:
    """By name, what it may be bound to in the function: expressions, and functions inside."""
    found: dict[str, list[ast.AST]] = {}
    for node in ast.walk(function):
        targets: list[ast.expr] = []
        value: ast.AST | None = None
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
            targets, value = [node.target], node.value
        elif isinstance(node, ast.For | ast.comprehension):
            targets, value = [node.target], node.iter
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            targets, value = [node.optional_vars], node.context_expr
        elif isinstance(node, ast.FunctionDef) and node is not function:
            found.setdefault(node.name, []).append(node)
        if value is not None:
            for name in (name for target in targets for name in names_in(target)):
                found.setdefault(name, []).append(value)
    return found


def names_in(node: ast.AST) -> list[str]:
    """The names that it reads, but for those in calls that sample.

    A draw is a number, whatever its prior has read.
    """
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Call):
        called = node.func
        if getattr(called, "attr", getattr(called, "id", "")) == "sample":
            return []
    return [name for child in ast.iter_child_nodes(node) for name in names_in(child)]


def frozen(
    fits: Sequence[Fitted],
    config: Config,
    children: Sequence[Child],
    accounts: Sequence[Account],
    reads: Callable[[str, str], Reads],
    draws: Mapping[str, Any],
    names_of: Mapping[str, Any],
) -> tuple[list[Fitted], list[str]]:
    """The fits with numbers for what reads data, and a sentence for each expression that stays.

    names_of: the names of the module that the model is in.
    """
    functions = {account.site: account.function for account in accounts}
    names = {child.key: child.name for child in children}
    found, stay = [], []
    for fit in fits:
        regression = fit.regression
        function = functions.get(names.get(regression.key, ""), "")
        regressors = []
        for one in regression.regressors:
            rule = config.rule(regression.key, one.pair.parent)
            texts = [rule.value, rule.center] if rule is not None else []
            said = [reads(text, function) for text in texts if isinstance(text, str)]
            arguments = sorted({name for each in said for name in each.arguments})
            if arguments:
                made = None
                if not regression.several and rule is not None:
                    text = rule.value or one.pair.parent
                    made = as_numbers(one, candidates(text, function, reads, draws, names_of))
                if made is None:
                    stay.append(
                        stays(f"the offset of {regression.child} by {one.pair.parent}", arguments)
                    )
                else:
                    one = replace(one, frozen=made)
            regressors.append(one)
        regression = replace(regression, regressors=tuple(regressors))
        site = config.sites.get(regression.key)
        if site is not None and site.scale is not None and isinstance(site.scale.value, str):
            arguments = list(reads(site.scale.value, function).arguments)
            number = None if regression.several else constant(regression)
            if arguments and number is None:
                stay.append(stays(f"the scale of {regression.child}", arguments))
            elif arguments:
                regression = replace(regression, frozen_scale=number)
        found.append(replace(fit, regression=regression))
    return found, stay


def stays(what: str, arguments: Sequence[str]) -> str:
    return (
        f"{what} reads {' and '.join(arguments)} of the call, which no number can stand for: "
        "predict with the plain model, as with other data the generated one gives other values"
    )


def constant(regression: Regression) -> float | None:
    """The scale, if it is one number for all elements and draws."""
    scale = regression.scale
    if scale is None or not scale.size or np.ptp(scale) > ROUNDING * np.abs(scale).max():
        return None
    return float(scale.flat[0])


def candidates(
    text: str,
    function: str,
    reads: Callable[[str, str], Reads],
    draws: Mapping[str, Any],
    names_of: Mapping[str, Any],
) -> dict[str, Array]:
    """Expressions without data that `text` may be a multiple of, and their values (n, ...).

    The sites in it, and what is left of a product without the factors that are data.
    """
    sites = {v: s for v, s in reads(text, function).sites.items() if s in draws}
    known = {variable: np.asarray(draws[site], float) for variable, site in sites.items()}
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
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        yield from factors(node.left, inverse)
        yield from factors(node.right, inverse ^ isinstance(node.op, ast.Div))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield from factors(node.operand, inverse)
    else:
        yield node, inverse


def as_numbers(regressor: Regressor, candidates: Mapping[str, Array]) -> Frozen | None:
    """``factor * (expression - center)``, if that is what the regressor is at every draw.

    The expression is a number for all elements of the child, or one for each. None if none is it.
    """
    values = regressor.values
    if regressor.pair.matrix or not values.size:
        return None
    for expression, draw in candidates.items():
        shape = values.shape[1:]
        extra = len(shape) - (draw.ndim - 1)
        if extra < 0:
            continue
        draw = draw.reshape(len(draw), *[1] * extra, *draw.shape[1:])
        if any(own not in (1, size) for own, size in zip(draw.shape[1:], shape, strict=True)):
            continue
        draw = np.broadcast_to(draw, values.shape)
        apart, own = values - values.mean(axis=0), draw - draw.mean(axis=0)
        square = (own**2).sum(axis=0)
        factor = (own * apart).sum(axis=0) / np.where(square > 0, square, 1.0)
        close = ROUNDING * max(np.abs(values).max(), np.abs(factor * draw).max())
        left = values - factor * draw
        if np.abs(left - left.mean(axis=0)).max() > close:
            continue
        center = centered(left.mean(axis=0), factor, close)
        if center is None:
            continue
        if np.ptp(factor) <= ROUNDING * np.abs(factor).max():
            return Frozen(expression, float(np.mean(factor)), center, draw)
        return Frozen(expression, factor, center, draw)
    return None


def centered(left: Array, factor: Array, close: float) -> float | None:
    """The one number that is subtracted from the site, where `left` is minus `factor` times it."""
    if np.abs(left).max() <= close:
        return 0.0
    if not np.all(factor):
        return None
    centers = -left / factor
    spread = np.ptp(centers * factor)
    alike = np.ptp(centers) * np.abs(factor).max() <= close or spread == 0
    return float(centers.mean()) if alike else None
