"""What does an expression add up to? Which sites, how they are indexed, and what multiplies them.

`sums_of` tells it of the arguments of every observed site of a function, and of every prior::

    mu = numpyro.sample("mu", dist.Normal(0, 1))
    a = numpyro.sample("a", dist.Normal(0, 1).expand([n]))
    numpyro.sample("y", dist.Normal(mu + x * a[group], sigma), obs=y)

The location of `y` has two terms: `mu`, and `a` with the weight ``x``, picked by ``group``. What
isn't known hides what it is given: such a term tells what keeps it from being a summand.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.survey.calls import argument, is_none
from reparam_rewrite.survey.expansion import DEEPEST
from reparam_rewrite.survey.families import FAMILIES
from reparam_rewrite.survey.functions import Function, Survey
from reparam_rewrite.survey.reading import Reading, given_to
from reparam_rewrite.survey.scans import SCAN
from reparam_rewrite.survey.terms import (
    DATA,
    Form,
    Made,
    Term,
    apart,
    both,
    lost,
    own_layout,
    untold,
)
from reparam_rewrite.survey.values import Handler, Site

#: Distributions over classes, of whose logits only the differences are seen.
CLASSES = ("Categorical", "Multinomial")

#: The arguments of distributions that place them; others spread or shape them.
PLACING = ("loc", "logits", "rate", "probs", "mean", "predictor", "log_rate")

#: Distributions that are another one with other axes.
WRAPPING = ("Independent", "ExpandedDistribution", "MaskedDistribution")


class Observed(Struct, frozen=True):
    """An observed site and what its arguments add up to.

    `arguments` are the forms of its distribution's, by their names; `parameter` is the one that
    places it, "" if that can't be told. `line` is the one to tell of its location.
    """

    site: Site
    family: str
    parameter: str
    arguments: dict[str, Form]
    line: int

    @property
    def location(self) -> Form:
        return self.arguments.get(self.parameter, DATA)


class Sums(Struct):
    """What the sites of a function are made of: the observed ones, and the priors of the latent.

    `priors` are by the index of the site. `factors` are the sites that a `numpyro.factor` reads.
    """

    function: Function
    factors: set[int] = set()
    observed: list[Observed] = []
    priors: dict[int, Made] = {}


def sums_of(survey: Survey, function: Function) -> Sums:
    """Expand what a function of the survey samples: its locations and priors as sums of sites.

    Raises `RecursionError` where an expression is nested too deeply.
    """
    reader = Reader(survey, function)
    reader.evaluate_all(reader.at.run)
    return reader.sums


def is_observed(site: Site) -> bool:
    """Has it an `obs`, or is it under a handler that conditions it?"""
    return site.observed or any(
        isinstance(item, Handler)
        and item.qualified == "numpyro.handlers.condition"
        and item.sites is not None
        and site.name in item.sites
        for frame in site.all_frames
        for item in frame.items
    )


class Reader(Reading):
    """Reads what one function samples, and notes it."""

    def __init__(self, survey: Survey, function: Function) -> None:
        super().__init__(survey, function)
        self.sums = Sums(function)

    def sampled(self, node: ast.Call, name: str) -> Form:
        match name:
            case "numpyro.sample":
                return self._sample(node)
            case "numpyro.deterministic":
                value = argument(node, 1, "value")
                return DATA if value is None else self.form(value)
            case "numpyro.factor":
                self.sums.factors.update(*(form.sites for form in self.given(node)))
                return DATA
            case "numpyro.plate":
                return DATA
            case str() if name in SCAN:
                return self._scan(node)
            case str() if name.startswith("numpyro.distributions."):
                return self._distribution(node, name.removeprefix("numpyro.distributions."))
        return self.unfollowed(node, self.given(node))

    def _sample(self, node: ast.Call) -> Form:
        prior_node = argument(node, 1, "fn")
        prior = DATA if prior_node is None else self.form(prior_node)
        made, site = prior.made, self._site_of(node)
        if site is None:
            observed = not is_none(argument(node, 2, "obs"))
            return DATA if observed else lost("an unnamed site", *arguments(prior))
        if is_observed(site):
            if all(one.site.index != site.index for one in self.sums.observed):
                self.sums.observed.append(observed_as(site, prior, node.lineno))
            return DATA
        if made is not None or prior.terms:
            told = made or Made("", {"": Form(both(prior))}, {})
            self.sums.priors.setdefault(site.index, told)
        shown = site.shape is not None and site.step is None
        layout = own_layout(len(site.shape or ())) if shown else None
        term = Term((site.index,), node.lineno, layout=layout, units=units_of(site))
        return Form((term,), pure=True)

    def _site_of(self, node: ast.Call) -> Site | None:
        """The site of the function itself that a call samples, perhaps in the body of a scan."""
        function, own = self.at.run.function, self.sums.function
        index = function.sampled.get(node)
        if index is None or function is own:
            return None if index is None else own.sites[index]
        of_body = (s for s in own.sites if s.scan is not None and s.scan.body == function.name)
        return next((s for s in of_body if s.step is not None and s.step.index == index), None)

    def _scan(self, node: ast.Call) -> Form:
        """``scan(body, init, xs)``: the body is read once, its arguments are data."""
        body, why = argument(node, 0, "f"), "the state of a scan"
        carried = lost(why, *map(self.form, given_to(node)))
        function = self.form(body).function if isinstance(body, ast.Name) else None
        if not isinstance(function, Function) or self.at.depth >= DEEPEST:
            return carried
        declared = function.node.args
        names = [part.arg for part in [*declared.posonlyargs, *declared.args]]
        returned = self.run(function, dict.fromkeys(names, carried))
        state = lost(why, *returned)
        outputs = [form.parts[1] for form in returned if form.parts and len(form.parts) == 2]
        if outputs:
            stacked = self._stacked(outputs[0])
            return Form(both(stacked), parts=(state, stacked))
        return Form(both(carried, state))

    def _stacked(self, form: Form) -> Form:
        """What a step of a scan gives out, of all steps: along a new axis at the left."""
        if form.parts is not None:
            parts = tuple(map(self._stacked, form.parts))
            return replace(apart(parts, self.fresh), parts=parts)

        def one(term: Term) -> Term:
            site = self.sums.function.sites[term.site]
            if not any(self.sums.function.sites[at].scan for at in term.sites):
                return term  # the same in all steps
            if form.pure and term.is_plain and site.shape is not None:
                axes = own_layout(len(site.shape))
                return replace(term, layout=axes, units=units_of(site))
            return term if form.pure and term.is_plain else untold(term, layout=None)

        return Form(tuple(map(one, form.terms)), loose=not form.pure, pure=form.pure)

    def _distribution(self, node: ast.Call, family: str) -> Form:
        known = FAMILIES.get(family)
        names = [name for name, _ in known.arguments] if known else []
        forms, count = self.given(node), len(node.args)
        starred = any(isinstance(part, ast.Starred) for part in node.args)
        if starred or (known and count > len(names)):
            return lost(f"the arguments of {family}", *forms)
        keys = names[:count] if known else [f"{at}" for at in range(count)]
        keys += [keyword.arg or "**" for keyword in node.keywords]
        given = dict(zip(keys, forms, strict=True))
        inner = next((form.made for form in given.values() if form.made), None)
        if inner is not None and family in WRAPPING:
            return Form(made=inner)
        if inner is not None:
            parts = (part for form in given.values() for part in (form, *arguments(form)))
            given = {"": lost(f"the distribution {family}", *parts)}
        nodes = map(ast.unparse, given_to(node)) if self.at.depth == 0 else ()
        return Form(made=Made(family, given, dict(zip(keys, nodes, strict=False))))


def units_of(site: Site) -> frozenset[int]:
    """The axes of a site that have one element."""
    shape = site.shape or ()
    return frozenset(at - len(shape) for at, axis in enumerate(shape) if axis.unit)


def arguments(prior: Form) -> Sequence[Form]:
    return [*prior.made.arguments.values()] if prior.made else [prior]


def observed_as(site: Site, prior: Form, line: int) -> Observed:
    """An observed site whose distribution is this, by a call on that line."""
    made = prior.made
    if made is None:
        return Observed(site, "", "", {"": Form(both(prior))}, line)
    placed = next((name for name in PLACING if name in made.arguments), "")
    forms = made.arguments
    terms = forms[placed].terms if placed else ()
    if placed == "logits" and made.family.removesuffix("Logits") in CLASSES:
        # What is in the argument of a function of logits is no summand of them.
        shown = (term if term.group else replace(term, softmax=True) for term in terms)
        forms = {**forms, placed: Form(tuple(shown))}
    return Observed(site, made.family, placed, forms, terms[0].line if terms else line)
