"""The scales of effects as the model writes them, and the sites that these read."""

from __future__ import annotations

import ast

from reparam_rewrite.plan.children import Effects
from reparam_rewrite.plan.values import Factor, FactorKind
from reparam_rewrite.survey.expressions import parsed
from reparam_rewrite.survey.families import FAMILIES
from reparam_rewrite.survey.functions import Function, Survey
from reparam_rewrite.survey.nodes import walk
from reparam_rewrite.survey.priors import DISTRIBUTIONS, arguments
from reparam_rewrite.survey.scopes import Moment
from reparam_rewrite.survey.shapes import shape_of
from reparam_rewrite.survey.values import Site

#: Methods that leave the scale of a distribution what it is.
SPREADING = ("expand", "expand_by", "to_event")

#: Families whose elements have a `loc` and a `scale`, and are moved and stretched by them.
ELEMENTS = frozenset(
    ["Cauchy", "Gumbel", "Laplace", "Logistic", "Normal", "SoftLaplace", "StudentT"]
)

#: The arguments of a vector's normal distribution, and how its scale is made of them.
MATRICES: dict[str, FactorKind] = {
    "scale_tril": "tril",
    "covariance_matrix": "covariance",
    "precision_matrix": "precision",
}


def factor_of(survey: Survey, function: Function, site: Site) -> Factor | None:
    """The scale of a site's prior as the model writes it; None if that doesn't show."""
    if site.call.prior is None or site.through:
        return None
    moment = Moment(survey, function, site.statement)
    node = parsed(site.call.prior.text)
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr not in SPREADING or not isinstance(node.func.value, ast.Call):
            break
        node = node.func.value
    called = moment.resolve(node.func) if isinstance(node, ast.Call) else None
    if not isinstance(node, ast.Call) or called is None or not called.startswith(DISTRIBUTIONS):
        return None
    name = called.removeprefix(DISTRIBUTIONS)
    given = arguments(FAMILIES[name], node) if name in FAMILIES else None
    if given is None:
        return None
    if name in ELEMENTS:
        return Factor("scale", written(given["scale"]) if "scale" in given else "1.0")
    if name == "GaussianRandomWalk":
        scale = given.get("scale", ast.Constant(1.0))
        kind: FactorKind = "walk" if shape_of(moment, scale) == () else "walks"
        return Factor(kind, written(scale), written(given.get("num_steps", ast.Constant(1))))
    if name == "MultivariateNormal":
        said = [key for key in MATRICES if key in given]
        return Factor(MATRICES[said[0]], written(given[said[0]])) if len(said) == 1 else None
    return None


def noise_of(survey: Survey, function: Function, site: Site) -> str | None:
    """The scale of an observed site's normal distribution as the model writes it, if it shows."""
    if site.call.prior is None:
        return None
    moment, node = Moment(survey, function, site.statement), parsed(site.call.prior.text)
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr not in (*SPREADING, "mask") or not isinstance(node.func.value, ast.Call):
            break
        node = node.func.value
    if not isinstance(node, ast.Call) or moment.resolve(node.func) != f"{DISTRIBUTIONS}Normal":
        return None
    scale = (arguments(FAMILIES["Normal"], node) or {}).get("scale", ast.Constant(1.0))
    return written(scale)


def written(node: ast.expr) -> str:
    return ast.unparse(node)


def names_in(text: str) -> set[str]:
    return {part.id for part in walk(parsed(text)) if isinstance(part, ast.Name)}


def needed_by(survey: Survey, function: Function, effects: Effects, first: Site) -> list[Site]:
    """The sites that must be sampled before the first of the effects, and aren't in the model.

    These are those that the scales read by their variables, and those that stay as they are.
    """
    texts = [said.text for said in (*effects.noise.values(), *effects.scales.values())]
    for name in effects.order:
        found = function.find(name)
        factor = factor_of(survey, function, found[0]) if found else None
        if factor is not None and name not in effects.scales:
            texts += [factor.text, factor.size] if factor.size else [factor.text]
    names = set[str]().union(*map(names_in, texts))
    return [
        site
        for site in function.sites
        if site.order > first.order and (site.variable in names or site.name in effects.given)
    ]
