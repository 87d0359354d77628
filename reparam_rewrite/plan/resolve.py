"""Config x survey -> children and pairs: what the config asks for, in terms of the model.

Globs, chains, defaults and names are spelled out here, and it is decided which functions are meant;
here, and here only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.config import keys
from reparam_rewrite.config.rules import (
    Config,
    ParentRule,
    ReparamRule,
    ScaleRule,
    SiteRule,
)
from reparam_rewrite.messages import Diagnostic, Named, OfFile, Place, Problem, Refusal
from reparam_rewrite.plan import alternatives
from reparam_rewrite.plan.alternatives import are_alternatives, nearest
from reparam_rewrite.plan.asked_for import basis_of, centring_of, spec_of
from reparam_rewrite.plan.children import (
    Bound,
    Child,
    Effects,
    Need,
    Pair,
    PowerScale,
    ReparamSpec,
    Snippet,
    Whitening,
    after,
)
from reparam_rewrite.plan.factors import needed_by
from reparam_rewrite.plan.named_axes import with_axes
from reparam_rewrite.plan.naming import as_named, sites_in
from reparam_rewrite.plan.ordering import is_late
from reparam_rewrite.plan.refusals import function as reasons
from reparam_rewrite.plan.reparameterized import sampled_instead
from reparam_rewrite.plan.values import CoefficientSpec
from reparam_rewrite.survey.functions import Function, Survey
from reparam_rewrite.survey.values import Site, Support


class Request(Struct, frozen=True):
    """All that a config asks of a file: the children of each function, in sampling order.

    `unknown` are the functions and sites that it names and that can't be found, and `problems` what
    else is wrong with it: what it says of axes isn't so, or it asks for nothing at all. `dropped`
    are sites that it leaves as they are, as it drops all that a chain would offset them by.
    """

    children: list[Child]
    unknown: list[Problem]
    problems: list[Problem]
    dropped: list[Child] = []

    @property
    def to_rewrite(self) -> list[Child]:
        """The children, but for those that the model says to skip."""
        return [child for child in self.children if not child.site.skip]

    @property
    def is_late(self) -> bool:
        """Is any parent sampled after its child?"""
        children = self.to_rewrite
        return any(is_late(child, pair) for child in children for pair in child.earlier)


def resolve(survey: Survey, config: Config) -> Request:
    """The children that a config asks for, in the functions that it means."""
    survey, config = as_named(survey, config)
    functions, unknown = choose(survey, config)
    problems: list[Problem] = []
    axes = {name: (rule.place, rule.names) for name, rule in config.axes.items()}
    if axes:
        functions = [with_axes(function, axes, problems) for function in functions]
    asking = [Asking(survey, config, function) for function in functions]
    children = [child for one in asking for child in one.children()]
    problems += twice_named(children)
    if not (children or unknown or problems):
        problems.append(nothing_to_do(config))
    return Request(children, unknown, problems, [site for one in asking for site in one.dropped()])


def twice_named(children: list[Child]) -> Iterator[Problem]:
    """``b_age`` and ``b_{name}``, which is that, too."""
    own = {(child.function.name, child.name) for child in children}
    for child in children:
        template = child.site.call.template
        if (child.function.name, template) in own:
            yield child.problem(
                "named-twice",
                "'{site}' is one of '{template}', which the config has too",
                "name either the template or each of its sites.",
                child.place,
                template=template,
            )


def chosen(survey: Survey, config: Config) -> list[Function]:
    """The functions that a config means. Raises `Refusal` if that can't be told."""
    survey, config = as_named(survey, config)
    functions, problems = choose(survey, config)
    if problems:
        raise refusal(survey, config, problems)
    return functions


def is_concerned(survey: Survey, config: Config) -> bool:
    """Does a file have any site that the config would offset? One of many in a tree may not."""
    survey, config = as_named(survey, config)
    listed = {named.name for named in config.functions}
    functions = [f for name, f in survey.own.items() if not listed or name in listed]
    return any(True for function in functions for _ in Asking(survey, config, function).children())


#: Problems that come of a file which can't be read.
UNFOUND = ("no-such-site", "nothing-sampled")


def refusal(survey: Survey, config: Config, problems: Iterable[Problem]) -> Refusal:
    """The refusal for all of `problems`, each once: those in the model before those in the config.

    Problems of one file are in the order of its lines, and a whole file comes before its lines.
    """

    def line(place: Place | str) -> str:
        if not isinstance(place, Place):
            return ""
        return config.source_line(place) if place.path == config.path else survey.line(place)

    def order(one: Diagnostic) -> tuple[bool, int, int, str]:
        at = one.place if isinstance(one.place, Place) else Place(str(one.place), 0, 0)
        return at.path == config.path, at.line, at.column, one.message

    once: dict[str, Diagnostic] = {}
    for problem in problems:
        told = problem.told(line(problem.place))
        once.setdefault(str(told), told)
    broken = [one.problem for one in survey.missing if one.problem is not None]
    unfound = any(told.problem and told.problem.code in UNFOUND for told in once.values())
    return Refusal([*sorted(once.values(), key=order), *(broken if unfound else [])])


def nothing_to_do(config: Config) -> Problem:
    """``chain = ["mu", "a"]`` with ``mu = false`` in a's offset, or with the two in two models."""
    rules = [parent for rule in config.sites.values() for parent in rule.parents]
    dropped = [parent.place for parent in rules if not parent.keep]
    chained = [named.place for chain in config.chains for named in chain]
    text = "none of the chain's sites is sampled after another: there is nothing to offset"
    hint = "list the sites of one function."
    if dropped:
        text = "every offset that the chain asks for is dropped: there is nothing to do"
        hint = "keep one of them."
    place = next(iter([*dropped, *chained]), config.path)
    return Problem("nothing-to-do", OfFile(), place, text, hint)


# -- functions ------------------------------------------------------------------------------------


def choose(survey: Survey, config: Config) -> tuple[list[Function], list[Problem]]:
    """The functions that a config means, in the order of the file, and what is wrong with that.

    These are the functions that it lists; without any the only one that samples its sites.
    """
    sites = sites_in(config)
    if config.functions:
        missing = [named for named in config.functions if named.name not in survey.own]
        if missing:
            return [], [reasons.no_such_function(survey, named) for named in missing]
        # The sites of a scan's body are those of what calls the scan.
        names = {survey.functions[named.name].runner or named.name for named in config.functions}
        functions = [f for name, f in survey.own.items() if name in names]
    else:
        functions = best(survey, config, sites)
        if not functions:
            functions = list(survey.own.values())
            if not any(function.sites for function in functions):
                return [], [reasons.nothing_sampled(survey)]
            return [], [reasons.no_such_site(survey, named, functions) for named in sites]
        if len(functions) > 1:
            return [], [reasons.several_functions(functions, sites[0].place, config.path)]
    unfit = [
        *reasons.redefined(survey, functions),
        *reasons.transformed(survey, functions),
        *reasons.run_by_others(survey, functions, {named.name for named in sites}),
    ]
    if unfit:
        return [], unfit  # which sites there are is another question then
    known = {name for function in functions for name in function.by_name}
    missing = [named for named in sites if named.name not in known]
    return functions, [reasons.no_such_site(survey, named, functions) for named in missing]


def best(survey: Survey, config: Config, sites: list[Named]) -> list[Function]:
    """The functions that sample most of the configured children and, among equals, parents."""
    names = {named.name for named in sites}
    children = {named.name for chain in config.chains for named in chain} | {*config.sites}
    if config.conditional is not None:
        children |= {named.name for named in config.conditional.order}
    score = {
        name: (
            len(children & {*function.by_name}),
            len(names & {*function.by_name}),
            # A function that samples them itself, before one that calls it.
            sum(site.name in names and not site.through for site in function.sites),
        )
        for name, function in survey.own.items()
        if not function.runner
    }
    most = max(score.values(), default=(0, 0, 0))
    return [survey.functions[name] for name in score if any(most) and score[name] == most]


# -- children -------------------------------------------------------------------------------------


class Asking(NamedTuple):
    """What a config asks of one function."""

    survey: Survey
    config: Config
    function: Function

    def children(self) -> Iterator[Child]:
        """The sites to be reparameterized, in sampling order, each with its parents.

        Parents come in sampling order, then values in the order of the config. A site of a chain
        that nothing precedes is no child.
        """
        names: set[str] = set()
        for site in self.function.sites:
            places = self.function.find(site.name)
            several = len(places) > 1 and are_alternatives(places)
            if site.name in names and not several:
                continue  # sampled twice: refused as a child, with both places
            if several and site.observed and not all(place.observed for place in places):
                continue  # there is nothing to do where it is observed
            rule = self.config.sites.get(site.name)
            pairs = tuple(self.pairs(site, rule))
            if site.name in self.effects.order:
                names.add(site.name)
                yield self.effect(site, pairs)
            elif rule is not None and (pairs or does_more(rule)):
                names.add(site.name)
                scale = self.scale(site, rule.scale) if rule.scale is not None else None
                basis = basis_of(rule.basis, site) if rule.basis is not None else None
                reparam = self.reparam(site, rule.reparam) if rule.reparam is not None else None
                child = Child(site, self.function, rule.place, pairs, scale, basis, reparam)
                child = replace(child, centered=centring_of(rule, site.name))
                yield self.reparameterized(child)
            elif pairs:
                names.add(site.name)
                chain = self.config.chains_of[site.name][0]
                place = next(named.place for named in chain if named.name == site.name)
                yield self.reparameterized(Child(site, self.function, place, pairs))

    def reparameterized(self, child: Child) -> Child:
        """A child of which the model samples something else already, and only offsets that."""
        other = child.reparam is not None or child.centered is not None
        instead = "" if other else sampled_instead(self.survey, self.function, child.site)
        if not instead:
            return child
        prior = replace(child.site.prior, support=Support("real"))
        return replace(child, instead=instead, site=replace(child.site, prior=prior))

    def dropped(self) -> Iterator[Child]:
        """The sites that a table is about which drops all that they would be offset by."""
        for name, rule in self.config.sites.items():
            for site in self.function.find(name)[:1]:
                if rule.parents and not (does_more(rule) or self.pairs(site, rule)):
                    yield Child(site, self.function, rule.place, ())

    @property
    def effects(self) -> Effects:
        """What the config asks for of the sites that are sampled given the data, if it does."""
        rule = self.config.conditional
        if rule is None:
            return Effects()
        own = {name: site.effect for name, site in self.config.sites.items() if site.effect}
        return Effects(
            order=tuple(one.name for one in rule.order),
            place=rule.place,
            form=rule.form or "exact",
            data=rule.data,
            noise={name: Snippet(said.text, said.place) for name, said in rule.noise.items()},
            given=tuple(one.name for one in rule.given),
            scales={name: Snippet(said.text, said.place) for name, said in own.items()},
        )

    def effect(self, site: Site, pairs: tuple[Pair, ...]) -> Child:
        """A site that is sampled given the data: after the one before it, and the first after all
        that their scales read.
        """
        rule, effects = self.config.conditional, self.effects
        assert rule is not None
        place = next(one.place for one in rule.order if one.name == site.name)
        before = effects.before(site.name)[-1:]
        earlier: list[tuple[Site | Bound, Need]]
        earlier = [(other, "order") for name in before for other in self.function.find(name)[:1]]
        if not before:
            earlier += needed_by(self.survey, self.function, effects, site).values()
        pairs_after = tuple(after(site.name, one, place, need) for one, need in earlier)
        return Child(site, self.function, place, pairs, effects=effects, after=pairs_after)

    def pairs(self, child: Site, own: SiteRule | None) -> list[Pair]:
        """What a child is offset by: what its own table names, and what is before it in a chain."""
        rules = {rule.parent: rule for rule in own.parents} if own is not None else {}
        names = {name: rule.keep for name, rule in rules.items()}
        for named in self.chained(child):
            if named.name not in names:
                sites = self.function.find(named.name)
                names[named.name] = any(self.comes_before(site, child) for site in sites)
        pairs = []
        for name in (name for name, keep in names.items() if keep):
            rule = rules.get(name)
            found = self.function.find(name) if rule is None or rule.value is None else []
            if any(in_one_call(site, child) and self.lists(site.through) for site in found):
                continue  # it is offset in the helper
            pairs.append(self.pair(child, name, rule, found))
        return sorted(pairs, key=lambda p: (p.site is None, p.site.index if p.site else 0))

    def pair(self, child: Site, name: str, rule: ParentRule | None, found: list[Site]) -> Pair:
        """A child and a parent, of which its table says `rule`: one of the sites `found`."""
        place = self.place(child, name)
        named = next((one.place for one in self.chained(child) if one.name == name), place)
        said: dict[str, Snippet] = {}
        center: float | Snippet | None = None
        if rule is not None:
            named, center = rule.place, None if isinstance(rule.center, str) else rule.center
            texts = {key: getattr(rule, key) for key in rule.places}
            said = {
                key: Snippet(text, rule.places[key])
                for key, text in texts.items()
                if isinstance(text, str)
            }
            center = said.get("center", center)
        value = said.get("value")
        site = next(iter(found), None)
        if found and are_alternatives(found):
            before = nearest(self.function, found, child)
            variable = alternatives.shared_variable(self.function, found, child)
            site = before or site
            if before is None and variable is not None:
                # Whichever of them was sampled, this is its value.
                value, site = Snippet(variable, place), None
        made = self.expression(child, name, value, place)
        axes = self.config.axes
        return replace(
            made,
            named=named,
            site=site,
            center=center,
            per=said.get("per"),
            weight=said.get("weight"),
            has_named_axes=child.name in axes and name in axes,
        )

    def place(self, child: Site, parent: str) -> Place:
        """Where the config asks for a pair: in a chain, where the parent stands before the child.

        It is the child's entry then; what an `offset` says comes first.
        """
        if self.config.rule(child.name, parent) is None:
            for chain in self.config.chains_of.get(child.name, []):
                names = [named.name for named in chain]
                if parent in names[: names.index(child.name)]:
                    return chain[names.index(child.name)].place
        return self.config.place_of_pair(child.name, parent)

    def chained(self, child: Site) -> list[Named]:
        """The entries before a child in the chains that it is in, whose order is the one wanted."""
        found = []
        for chain in self.config.chains_of.get(child.name, []):
            found += list(takewhile(lambda named: named.name != child.name, chain))
        return found

    def comes_before(self, site: Site, child: Site) -> bool:
        """May a site have been sampled when `child` is, which comes later in a chain?

        Where the model samples it later, it must be moved up. Where both are sampled by one call of
        a helper, that is the helper's own matter, if the config lists it.
        """
        if in_one_call(site, child):
            return not self.lists(site.through)
        if site.order == child.order or alternatives.exclusive(site, child):
            return False
        if site.order > child.order or site.variable is None:
            return True
        if alternatives.is_before(site.path, child.path):
            return True
        return self.function.timeline.before(site.variable, child.statement) is not None

    def lists(self, function: str) -> bool:
        """Does the config name a function among those to be rewritten?"""
        return any(named.name == function for named in self.config.functions)

    def scale(
        self, child: Site, scale: ScaleRule
    ) -> float | CoefficientSpec | Pair | PowerScale | Whitening:
        """What a site's own table asks for of its scale."""
        place, name, by = scale.place, child.name, scale.by
        if scale.is_matrix:
            text = scale.value if isinstance(scale.value, str) else ""
            value = Snippet(text, place)
            made = self.expression(child, "scale_tril", value, place) if text else None
            return Whitening(place, made)
        if isinstance(scale.value, str):
            return self.expression(child, "scale", Snippet(scale.value, place), place)
        if scale.value is not None:
            return scale.value
        if not by:
            return spec_of(scale.table, name, "scale", place)
        found = self.function.find(by)
        own = nearest(self.function, found, child) if are_alternatives(found) else None
        # The coefficient is that of the offset, which the scale has nothing to do with; nor has it
        # with what the offset by the same site says of itself.
        settings = replace(self.config.settings_of_site(name), coefficient="elementwise")
        spec = spec_of(settings, name, by, place)
        site = own or next(iter(found), None)
        pair = Pair(site, name, by, place, place, spec, settings.reduce)
        if isinstance(scale.power, keys.PowerTable):
            return PowerScale(pair, spec_of(scale.power, name, by, place))
        return PowerScale(pair, scale.power)

    def reparam(self, child: Site, rule: ReparamRule) -> ReparamSpec:
        """Another reparameterizer of a site, whose transform is read and placed as a parent is."""
        place = rule.transform_place or rule.place
        text = Snippet(rule.transform, place)
        by = self.expression(child, "transform", text, place) if rule.transform else None
        return ReparamSpec(rule.place, rule.name, tuple(rule.args.items()), by)

    def expression(self, child: Site, label: str, value: Snippet | None, place: Place) -> Pair:
        """A pair of a child and, for example, an expression."""
        settings = self.config.settings(child.name, label)
        spec = spec_of(settings, child.name, label, place)
        return Pair(None, child.name, label, place, place, spec, settings.reduce, value)


def in_one_call(site: Site, child: Site) -> bool:
    """Are both sampled by one call of a helper?"""
    return bool(site.through) and site.through == child.through and site.place == child.place


def does_more(rule: SiteRule) -> bool:
    """Does a table ask for more of a site than offsets?"""
    return bool(rule.scale or rule.centered or rule.basis or rule.reparam)
