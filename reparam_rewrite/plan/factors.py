"""The scales of effects as the model writes them, and the sites that these read."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping

from reparam_rewrite.plan.children import Bound, Effects, Need
from reparam_rewrite.plan.scales import Factor, FactorKind
from reparam_rewrite.survey.expressions import parsed
from reparam_rewrite.survey.families import FAMILIES
from reparam_rewrite.survey.functions import Function, Survey
from reparam_rewrite.survey.priors import DISTRIBUTIONS, arguments
from reparam_rewrite.survey.purity import reads_in_order
from reparam_rewrite.survey.scopes import Moment
from reparam_rewrite.survey.shapes import shape_of
from reparam_rewrite.survey.timeline import Assigned
from reparam_rewrite.survey.values import Site, Use

#: Methods that leave the scale of a distribution what it is.
SPREADING = ("expand", "expand_by", "to_event")

#: Families whose elements have a `loc` and a `scale`, and are moved and stretched by them.
ELEMENTS = frozenset(
    ["Cauchy", "Gumbel", "Laplace", "Logistic", "Normal", "SoftLaplace", "StudentT"]
)

#: Families of vectors that are moved by a `loc` and stretched by a `scale_tril`.
VECTORS = frozenset(["MultivariateNormal", "MultivariateStudentT"])

ASYMMETRIC = frozenset(["AsymmetricLaplace", "AsymmetricLaplaceQuantile"])

#: Families that the generated code takes apart: into a location, a scale and what is standard.
STANDARDIZED = (ELEMENTS | ASYMMETRIC) | {
    "GaussianRandomWalk",
    "Independent",
    "MultivariateNormal",
}

#: The arguments of a vector's normal distribution, and how its scale is made of them.
MATRICES: dict[str, FactorKind] = {
    "scale_tril": "tril",
    "covariance_matrix": "covariance",
    "precision_matrix": "precision",
}


def factor_of(survey: Survey, function: Function, site: Site) -> Factor | None:
    """The scale of a site's prior as the model writes it; None if that doesn't show."""
    moment = Moment(survey, function, site.statement)
    name, given = made_by(moment, site, SPREADING)
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


def has_loc_and_scale(family: str) -> bool:
    """Has each element of a family a `loc` and a `scale`?"""
    return family in ELEMENTS or family in ASYMMETRIC


def shows_loc_and_scale(survey: Survey, function: Function, site: Site) -> bool:
    """Has the prior of a site, as the model shows it, a `loc` and a `scale` of each element?"""
    name, _ = made_by(Moment(survey, function, site.statement), site, SPREADING)
    return has_loc_and_scale(name)


def around_vector(survey: Survey, function: Function, site: Site) -> str | None:
    """What is called of a vector's distribution with a `loc` and a `scale_tril` in a site's prior.

    ``.expand([n])`` of ``dist.MultivariateNormal(mu, scale_tril=L).expand([n])``; "" of that alone,
    which may be behind a name. None where the prior doesn't show to be one.
    """
    text = site.call.prior.text if site.call.prior is not None else ""
    moment = Moment(survey, function, site.statement)
    node = ast.parse(f"({text})", mode="eval").body
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr not in SPREADING:
            break
        node = node.func.value
    inner = ast.get_source_segment(f"({text})", node) or ""
    if isinstance(node, ast.Name):
        binding = moment.binding(node.id)
        made = binding.value if binding is not None and binding.prior is not None else None
        node = made.node if isinstance(made, Assigned) else node
    called = (moment.resolve(node.func) if isinstance(node, ast.Call) else None) or ""
    family = called.removeprefix(DISTRIBUTIONS)
    shown = family in VECTORS and family != called and not site.through
    return text.removeprefix(inner) if shown and text.startswith(inner) else None


def noise_of(survey: Survey, function: Function, site: Site) -> str | None:
    """The scale of an observed site's normal distribution as the model writes it, if it shows."""
    moment = Moment(survey, function, site.statement)
    name, given = made_by(moment, site, (*SPREADING, "mask"))
    return written(given.get("scale", ast.Constant(1.0))) if name == "Normal" else None


def made_by(
    moment: Moment, site: Site, methods: Collection[str]
) -> tuple[str, Mapping[str, ast.expr]]:
    """The family of a site's prior below calls of `methods`, and its arguments, where both show.

    The family is "" where they don't.
    """
    prior = site.call.prior.text if site.call.prior is not None else ""
    text = site.call.outside if site.through else prior
    node = parsed(text) if text else None
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr not in methods or not isinstance(node.func.value, ast.Call):
            break
        node = node.func.value
    called = moment.resolve(node.func) if isinstance(node, ast.Call) else None
    if site.through and isinstance(node, ast.Call):
        called = ast.unparse(node.func)
    if not isinstance(node, ast.Call) or called is None:
        return "", {}
    name = called.removeprefix(DISTRIBUTIONS)
    family = FAMILIES.get(name) if called.startswith(DISTRIBUTIONS) else None
    given = arguments(family, node) if family is not None else None
    return (name, given) if given is not None else ("", {})


def written(node: ast.expr) -> str:
    return ast.unparse(node)


def texts_of(survey: Survey, function: Function, effects: Effects) -> list[tuple[str, Site]]:
    """The scales of effects and of the noise, each with the site whose prior it is of."""
    found: list[tuple[str, Site]] = []
    for name in effects.order:
        for site in function.find(name)[:1]:
            said = effects.scales.get(name)
            factor = factor_of(survey, function, site) if said is None else None
            if said is not None:
                found.append((said.text, site))
            elif factor is not None:
                found += [(text, site) for text in (factor.text, factor.size) if text]
    for name, said in effects.noise.items():
        found += [(said.text, site) for site in function.find(name)[:1]]
    return found


def needed_by(
    survey: Survey, function: Function, effects: Effects, first: Site
) -> dict[str, tuple[Site | Bound, Need]]:
    """What must be known before the first of the effects is sampled, and isn't in the model.

    That is what the scales read, and what stays as it is.
    """
    found: dict[str, tuple[Site | Bound, Need]] = {}
    for name in effects.given:
        for site in function.find(name)[:1]:
            if site.order > first.order:
                found[name] = site, "given"
    for text, site in texts_of(survey, function, effects):
        moment = Moment(survey, function, site.statement)
        lates = [
            late
            for read in reads_in_order(moment, parsed(text))
            if (late := bound_later(survey, function, read, site, first)) is not None
        ]
        for late in sorted(lates, key=lambda late: late.order):
            if late.name not in effects.order:
                found.setdefault(late.name, (late, "scale"))
    return found


def bound_later(
    survey: Survey, function: Function, read: Use, site: Site, first: Site
) -> Site | Bound | None:
    """What the prior of a site reads, if that is sampled or bound after the first effect."""
    binding = function.timeline.before(read.name, site.statement)
    if binding is None or not read.version:
        return None
    if binding.site is not None:
        drawn = function.sites[binding.site]
        return drawn if drawn.order > first.order else None
    at = function.timeline.bound_at(read.name, binding.version)
    if at is None or at <= first.statement:
        return None
    line = getattr(survey.statements[at], "lineno", first.place.line)
    return Bound(read.name, at, first.place.at(line), first.frames)
