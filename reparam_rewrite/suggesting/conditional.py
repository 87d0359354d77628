"""Which sites are proposed to be sampled as what is standard normal given the data.

These are the effects: what the locations of observed sites add up, and what the priors of these are
around, as far as they are normal or nearly so. The source must show the scale of each. ::

    mu = numpyro.sample("mu", dist.Normal(0, 1))
    a = numpyro.sample("a", dist.Normal(mu, tau))        # in a plate of groups
    numpyro.sample("y", dist.Normal(a[group], sigma), obs=y)

What the rewriter refuses isn't proposed, nor what can't be computed of the data of a run.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.config.rules import Config
from reparam_rewrite.config.writing import value_of
from reparam_rewrite.messages import OfPair, OfSite, Problem, Refusal, listed
from reparam_rewrite.ordering import ordered
from reparam_rewrite.plan import plan
from reparam_rewrite.plan.factors import factor_of
from reparam_rewrite.plan.scales import Factor
from reparam_rewrite.source.document import Document
from reparam_rewrite.suggesting.evidence import Summand, is_looped
from reparam_rewrite.suggesting.levels import Pair
from reparam_rewrite.suggesting.offsets import is_unseen, why_unseen
from reparam_rewrite.suggesting.proposing import Proposing
from reparam_rewrite.suggesting.values import Conditional
from reparam_rewrite.survey.expressions import parsed
from reparam_rewrite.survey.nodes import walk
from reparam_rewrite.survey.sums import Observed, is_observed
from reparam_rewrite.survey.terms import Term
from reparam_rewrite.survey.values import Site

#: Families of observed sites whose predictors are known, whatever these are written as.
PREDICTED = frozenset(
    [
        "Normal",
        "LogNormal",
        "StudentT",
        "Laplace",
        "SoftLaplace",
        "AsymmetricLaplace",
        "Cauchy",
        "Logistic",
        "Gumbel",
        "Bernoulli",
        "Binomial",
        "Poisson",
        "GammaPoisson",
        "NegativeBinomial",
        "NegativeBinomial2",
        "Gamma",
        "Exponential",
        "OrderedLogistic",
        "Categorical",
        "Multinomial",
    ]
)

#: Those of which the data tell the same wherever the effects are.
NORMAL = ("Normal", "LogNormal")

#: Arguments whose logarithm is a sum.
MEANS = ("rate", "mean")

#: Priors that are normal; of others only the scale counts.
NORMAL_PRIORS = ("Normal", "MultivariateNormal", "GaussianRandomWalk")

#: Why a parent that the model samples later isn't moved up.
UNMOVED = ("parent-after-child", "pair-both-ways")

#: Computes what the data of a run say of effects in an order. Raises `Refusal`.
Computed = Callable[[Sequence[str]], Any]


class Found(Struct):
    """What can be an effect, and by name why others that observations see can't.

    `factors` are the scales of the effects' priors, and `joined` pairs of effects of which one can
    make up for the other, or is around it.
    """

    factors: dict[str, Factor]
    why: dict[str, str]
    joined: set[Pair]


class Effects:
    """The effects of one function.

    `blocked` are sites that can't be effects, with why: it grows as the rewriter refuses some.
    `later` are effects that stay before one that is coarser. `seen` are the terms by which
    locations have a site, by its index, and `met` the pairs that are added to each other.
    """

    def __init__(self, proposing: Proposing) -> None:
        self.proposing, self.model = proposing, proposing.model
        self.sites, self.at = proposing.sites, proposing.evidence.at
        self.context = proposing.evidence.context
        self.blocked: dict[str, str] = {}
        self.later: dict[Pair, str] = {}
        self.seen: dict[int, list[Term]] = {}
        self.met: set[Pair] = set()
        for observed in self.model.observed:
            self.look_at(observed)

    def block(self, index: int, reason: str) -> None:
        if not is_observed(self.sites[index]):
            self.blocked.setdefault(self.sites[index].name, reason)

    def look_at(self, observed: Observed) -> None:
        """What an observed site adds up, and what else of it is made of sites."""
        called, line = f"'{observed.site.name}'", self.at(observed.line)
        at = self.proposing.at(observed.site)
        why = self.why_unpredicted(observed)
        for name, form in observed.arguments.items():
            for index in form.sites if why or name != observed.parameter else ():
                part = f"the {name} of {called}" if name else called
                self.block(index, why or f"it is part of {part} ({at})")
        if why:
            return
        terms = observed.location.terms
        # What multiplies a mean, as the shape does in ``Gamma(shape, shape / jnp.exp(eta))``, adds
        # to its logarithm.
        counts = [one for one in terms if one.is_summand] if observed.parameter in MEANS else terms
        groups = {term.group for term in counts}
        group = () if len(groups) > 1 else next(iter(groups), ())
        for index, term in ((index, one) for one in terms for index in one.sites):
            site = self.sites[index]
            if not term.is_summand:
                own = [one for one in terms if index in one.sites]
                self.block(index, self.proposing.why_no_summand(site, own, observed))
            elif term.group != group:
                self.block(index, f"what it adds to {called} isn't linear in it ({line})")
            elif term.softmax and is_unseen(term):
                self.block(index, why_unseen(Summand(site, term, observed, line)))
            else:
                self.seen.setdefault(index, []).append(term)
        added = [term for term in terms if term.is_summand and term.group == group]
        for one, other in combinations(added, 2):
            if not one.alternative_to(other):
                self.met.add((self.sites[one.site].name, self.sites[other.site].name))

    def why_unpredicted(self, observed: Observed) -> str:
        """Why nothing is known of how an observed site depends on a sum; "" if it is."""
        site, family = observed.site, observed.family
        called, at = f"'{site.name}'", f"({self.proposing.at(site)})"
        for ending in ("Logits", "Probs"):
            family = family.removesuffix(ending)
        if family not in PREDICTED or not observed.parameter:
            what = f"a {observed.family}" if observed.family else "a distribution"
            return f"{called} is {what} {at}, of which no sum is known that the data tell of"
        if site.subsampled:
            return f"{called} is in a subsampled plate {at}, and all of the data are needed at once"
        return ""

    def why_no_effect(self, site: Site) -> str:
        """Why a site can't be an effect; "" if it can."""
        at, family = f"({self.proposing.at(site)})", site.prior.family
        if len(self.context.function.find(site.name)) > 1:
            return f"it is sampled in more than one place {at}"
        if site.scan is not None or is_looped(site):
            return f"it is sampled step by step {at}, and all of it is needed at once"
        if site.subsampled:
            return f"it is in a subsampled plate {at}, and the data tell of all of its elements"
        if site.prior.support.kind != "real":
            called = f"a {family}" if family else "a prior that can't be read"
            return f"{called} isn't known to be nearly normal {at}"
        if factor_of(self.context.survey, self.context.function, site) is None:
            if site.through:
                made = f"its scale is made in the call of '{site.through}' {at}"
                return f"{made}, where it has to be an argument"
            return f"the scale of its prior doesn't show where it is sampled {at}"
        return ""

    def found(self) -> Found:
        """The effects as far as it is known what is refused."""
        factors: dict[str, Factor] = {}
        why, joined = dict(self.blocked), {pair for pair in self.met if pair[0] != pair[1]}
        waiting = sorted(self.seen)
        while waiting:
            site = self.sites[index := waiting.pop()]
            if site.name in factors or is_observed(site):
                continue
            reason = why.setdefault(site.name, "") or self.why_no_effect(site)
            factor = factor_of(self.context.survey, self.context.function, site)
            if reason or factor is None:
                why[site.name] = reason
                continue
            del why[site.name]
            factors[site.name] = factor
            made = self.model.priors.get(index)
            for name, form in made.arguments.items() if made else ():
                for term in form.terms:
                    if name == "loc" and term.is_summand and not term.group:
                        joined.add((site.name, self.sites[term.site].name))
                        waiting.append(term.site)
                        continue
                    for read in term.sites:
                        reads = f"it is in the {name} of the prior of '{site.name}'"
                        self.block(read, f"{reads} ({self.proposing.at(site)})")
        if self.blocked.keys() & factors.keys():  # by what was read later
            return self.found()
        joined = {pair for pair in joined if factors.keys() >= {*pair}}
        return self.without_idle(Found(factors, why, joined))

    def without_idle(self, found: Found) -> Found:
        """Without effects that the data see alone, and whose elements are independent as it is."""
        met = {name for pair in found.joined for name in pair}
        sites = {site.name: site for site in self.sites}
        for name, factor in [*found.factors.items()]:
            site = sites[name]
            alone = name not in met and factor.kind == "scale"
            if alone and not (self.has_sampled_scale(site) or self.is_summed(site)):
                del found.factors[name]
        return found

    def order(self, found: Found) -> list[str]:
        """Effects as they are to be sampled: the coarse first, and what others are around."""
        sites = {site.name: site for site in self.sites if site.name in found.factors}
        ranks = self.proposing.levels.ranked(sites, self.later)
        return sorted(sites, key=lambda name: ranks[sites[name].index])

    def is_near(self, name: str) -> bool:
        """Does a location of what is observed, or of a prior, read a site?"""
        forms = [observed.location for observed in self.model.observed]
        priors = self.model.priors.values()
        forms += [made.arguments["loc"] for made in priors if "loc" in made.arguments]
        return any(self.sites[at].name == name for form in forms for at in form.sites)

    def refused(self, problem: Problem, found: Found) -> bool:
        """Take note of what is refused of an order; False where that is about no effect."""
        about, said = problem.about, problem.message
        blamed = [effect for effect in [str(problem.parts.get("effect", ""))] if effect]
        if isinstance(about, OfPair) and not blamed:
            pair = about.child, about.parent
            known = pair in self.later or problem.code not in UNMOVED
            if {*pair} <= found.factors.keys() and not known:
                self.later[pair] = said
                return True
            names = {about.parent, *(s.variable for s in self.sites if s.name == about.parent)}
            readers = [
                site.name
                for site in self.sites
                if site.name in found.factors and names & read_by(found.factors[site.name])
            ]
            blamed = readers or [about.child]
            if readers:
                blamed, said = self.of_later(about.child, readers, said)
        elif isinstance(about, OfSite) and problem.code == "effect-scale-later":
            blamed, said = self.of_later(about.site, blamed, said)
        elif isinstance(about, OfSite) and not blamed:
            blamed = [about.site]
        blamed = [name for name in blamed if name in found.factors]
        self.blocked |= dict.fromkeys(blamed, said)
        return bool(blamed)

    def of_later(self, first: str, readers: list[str], said: str) -> tuple[list[str], str]:
        """Which effects stay as written where scales of others aren't known at the first one, and
        why: that one, if it is in no funnel and others are, with several elements.

        The cure of a funnel is worth more, and works given what stays as it is.
        """
        several = [s for s in self.sites if s.shape or any(f.plates for f in s.all_frames)]
        funnels = {site.name for site in several if self.has_sampled_scale(site)}
        if first in funnels or not funnels & {*readers}:
            return readers, said
        at = next(self.proposing.at(site) for site in self.sites if site.name == first)
        return [first], f"the scale of {listed(readers)} isn't known before it is sampled ({at})"

    # -- what is said of it ------------------------------------------------------------------------

    def reasons(self, order: Sequence[str], found: Found, form: str | None) -> Iterator[str]:
        """Why these are proposed, what is approximate, and what to do next."""
        model, places = self.model, {site.name: site for site in self.sites}
        told = list(map(self.proposing.location, self.proposing.groups, model.observed))
        for one in told:
            if len({*one.sites} & {*order}) > 1:
                loses = "What one of them gains another can lose and the data don't notice."
                yield f"{one.where}: the {one.parameter} of '{one.observed}' is {one.text}. {loses}"
        funnels = [name for name in order if self.has_sampled_scale(places[name])]
        if funnels:
            where = self.at(*(places[name].place.line for name in funnels))
            lone = len(funnels) == 1
            whose = f"the scale{'' if lone else 's'} of the prior{'' if lone else 's'} of"
            small = "where it is" if lone else "where one is"
            yield (
                f"{where}: {whose} {listed(funnels)} {'is' if lone else 'are'} sampled, and "
                f"{small} small the effects must be small too, a funnel."
            )
        vectors = [name for name in order if found.factors[name].kind != "scale"]
        if vectors:
            where = self.at(*(places[name].place.line for name in vectors))
            yield f"{where}: the elements of {listed(vectors)} depend on each other by their prior."
        summed = [name for name in order if self.is_summed(places[name])]
        if summed:
            where = self.at(*(self.seen[places[name].index][0].line for name in summed))
            yield f"{where}: the data tell of sums of the elements of {listed(summed)}."
        yield (
            "So each is sampled as what is standard normal given the data and those before it, "
            "whatever the scales are. There is no coefficient to be learned."
        )
        observed = (one for one in model.observed if one.family not in NORMAL)
        others = [one.site.name for one in observed if self.adds_to(order, one)]
        if others:
            what = f"{listed(others)} {'is' if len(others) == 1 else 'are'} not normal"
            yield f"As {what}, what they tell is that of the nearest normal, which 'fit' finds."
        heavy = [name for name in order if places[name].prior.family not in NORMAL_PRIORS]
        if heavy:
            yield f"Of the prior of {listed(heavy)}, which isn't normal, only the scale counts."
        if form == "sequential":
            yield "They are many: what is sampled later counts as noise, as wide as its prior."

    def is_summed(self, site: Site) -> bool:
        return any(term.summed for term in self.seen.get(site.index, ()))

    def adds_to(self, order: Sequence[str], observed: Observed) -> bool:
        return any(self.sites[index].name in order for index in observed.location.sites)

    def has_sampled_scale(self, site: Site) -> bool:
        made = self.model.priors.get(site.index)
        arguments = made.arguments.items() if made else ()
        return any(form.sites for name, form in arguments if name != "loc")


def conditional(proposing: Proposing, document: Document, computed: Computed | None) -> Conditional:
    """What is proposed of one function, as far as the rewriter does it, and `computed` can."""
    effects = Effects(proposing)
    name = proposing.model.function.name
    if not document.knows_folder:
        said = "a notebook's code doesn't know where the arrays are"
        return Conditional(why=dict.fromkeys(effects.found().factors, said))
    while True:
        found = effects.found()
        why = {name: reason for name, reason in found.why.items() if effects.is_near(name)}
        if not found.factors:
            return Conditional(why=why)
        order = effects.order(found)
        try:
            if is_rewritten(effects, document, order, name):
                return Conditional()
            form = computed(order).form if computed is not None else None
        except Refusal as refusal:
            problems = [problem.moved(document.place) for problem in refusal.problems]
            known = [effects.refused(problem, found) for problem in problems]
            if not any(known):
                said = refusal.diagnostics[0].message
                return Conditional(why=dict.fromkeys(order, said))
            continue
        return Conditional(tuple(order), tuple(effects.reasons(order, found, form)), why)


def read_by(factor: Factor) -> set[str]:
    """The names in the text of a scale."""
    return {part.id for part in walk(parsed(factor.text)) if isinstance(part, ast.Name)}


def is_rewritten(effects: Effects, document: Document, order: Sequence[str], name: str) -> bool:
    """Whether the file is a generated one. Raises `Refusal` for what can't be sampled so."""
    written = {"functions": [name], "conditional": order}
    lines = [f"{key} = {value_of(value, (), '')}" for key, value in written.items()]
    config = as_if_fitted(read_config("\n".join(lines).encode(), "<proposed>"))
    found = ordered(document.module, config, effects.context.survey)
    try:
        return plan(found.survey, config, found.request).already
    except Refusal as refusal:
        raise found.located(refusal) from None


def as_if_fitted(config: Config) -> Config:
    """A config as it is once `fit` has written what the data say."""
    rule = config.conditional
    return config if rule is None else replace(config, conditional=replace(rule, data="fitted.npz"))
