"""Config x survey -> children and pairs: what the config asks for, in terms of the model.

Globs, chains, defaults and names are spelled out here, and here only.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from msgspec.structs import replace

from reparam_rewrite.bases import BASES
from reparam_rewrite.config.keys import (
    BasisRule,
    Config,
    ParentRule,
    PowerTable,
    ReparamRule,
    ScaleTable,
    Settings,
    SiteRule,
)
from reparam_rewrite.messages import Named, OfFile, Place, Problem
from reparam_rewrite.plan.alternatives import (
    are_alternatives,
    exclusive,
    is_before,
    nearest,
    shared_variable,
)
from reparam_rewrite.plan.basis import count_of_events
from reparam_rewrite.plan.children import (
    Child,
    CoefficientSpec,
    Found,
    Pair,
    PowerScale,
    ReparamSpec,
    Request,
    ScaleSpec,
    Snippet,
    Wanted,
)
from reparam_rewrite.plan.named_axes import with_axes
from reparam_rewrite.plan.refusals import refusal
from reparam_rewrite.plan.values import Basis
from reparam_rewrite.plan.which_function import choose
from reparam_rewrite.survey.functions import Function, Survey
from reparam_rewrite.survey.values import Site


def resolve(survey: Survey, config: Config) -> Request:
    """The children that a config asks for, in the functions that it means."""
    config = spelled_out(survey, config)
    choice = choose(survey, wanted(config))
    functions = list(choice.functions)
    problems: list[Problem] = []
    if config.axes:
        axes = {name: (rule.place, rule.names) for name, rule in config.axes.items()}
        named = [with_axes(function, axes) for function in functions]
        functions = [function for function, _ in named]
        problems = [problem for _, wrong in named for problem in wrong]
    found = with_children(functions, config)
    return Request(found, choice.problems, problems, nothing_to_do(config), config)


def chosen(survey: Survey, config: Config) -> list[Function]:
    """The functions that a config means. Raises `Refusal` if that can't be told."""
    choice = choose(survey, wanted(spelled_out(survey, config)))
    if choice.problems:
        raise refusal(survey, config, choice.problems)
    return list(choice.functions)


def is_concerned(survey: Survey, config: Config) -> bool:
    """Does a file have any site that the config would offset? One of many in a tree may not."""
    config = spelled_out(survey, config)
    listed = {named.name for named in config.functions}
    functions = [f for name, f in survey.functions.items() if not listed or name in listed]
    return bool(with_children(functions, config))


def with_children(functions: list[Function], config: Config) -> Found:
    """The functions that have a site to be reparameterized, with those sites."""
    found = [(function, children(function, config)) for function in functions]
    return [(function, sites) for function, sites in found if sites]


# -- names ----------------------------------------------------------------------------------------


def spelled_out(survey: Survey, config: Config) -> Config:
    """The config with a table for every site that a glob or a source text means.

    ``[sites."beta_*"]`` means ``"beta_a"`` and ``f"beta_{k}"``, and ``[sites."self.name"]`` the
    site of ``sample(self.name, ...)``. A table of a site's own name comes before these, and an
    earlier one before a later one. What means no site is left as it is, and found missing.
    """
    names = {named.name for named in config.functions}
    sites = {
        site.name: site
        for name, function in survey.functions.items()
        if not names or name in names
        for site in function.sites
    }
    if all(name in sites for name in config.sites):
        return config
    found: dict[str, SiteRule] = {}
    for key, rule in config.sites.items():
        parents = {parent.parent for parent in rule.parents}
        meant = [name for name in sites if name not in parents and means(key, sites[name])]
        meant = [key] if key in sites else meant
        for name in meant or [key]:
            if name == key or (name not in config.sites and name not in found):
                found[name] = replace(rule, name=name)
    return replace(config, sites=found)


def means(key: str, site: Site) -> bool:
    """Is the site meant by a glob, or by how its name is written?"""
    if site.observed or site.prior.support.kind in ("discrete", "atomic"):
        return False
    return fnmatchcase(site.name, key) or (site.call.computed and site.call.name.text == key)


def wanted(config: Config) -> Wanted:
    """The names that a config gives: of sites each once, in the order of the file."""
    found: dict[str, Named] = {}
    for chain in config.chains:
        for named in chain:
            found.setdefault(named.name, named)
    children = frozenset({*found, *config.sites})
    for rule in config.sites.values():
        found.setdefault(rule.name, Named(rule.name, rule.place))
        for parent in rule.parents:
            if parent.keep and parent.value is None:
                found.setdefault(parent.parent, Named(parent.parent, parent.place))
        if rule.scale is not None and rule.scale.by:
            found.setdefault(rule.scale.by, Named(rule.scale.by, rule.scale.place))
    sites = sorted(found.values(), key=lambda named: (named.place.line, named.place.column))
    return Wanted(config.functions, tuple(sites), children, config)


def nothing_to_do(config: Config) -> Problem:
    """``chain = ["mu", "a"]`` with ``mu = false`` in a's offset, or with the two in two models."""
    dropped = [
        parent.place for rule in config.sites.values() for parent in rule.parents if not parent.keep
    ]
    chained = [named.place for chain in config.chains for named in chain]
    text = "none of the chain's sites is sampled after another: there is nothing to offset"
    hint = "list the sites of one function."
    if dropped:
        text = "every offset that the chain asks for is dropped: there is nothing to do"
        hint = "keep one of them."
    place = next(iter([*dropped, *chained]), config.path)
    return Problem("nothing-to-do", OfFile(), place, text, hint)


# -- children -------------------------------------------------------------------------------------


def children(function: Function, config: Config) -> list[Child]:
    """The sites of `function` to be reparameterized, in sampling order, each with its parents.

    Parents come in sampling order, then values in the order of the config. A site of a chain that
    nothing precedes is no child.
    """
    found: list[Child] = []
    names: set[str] = set()
    for site in function.sites:
        places = function.find(site.name)
        several = len(places) > 1 and are_alternatives(places)
        if site.name in names and not several:
            continue  # sampled twice: refused as a child, with both places
        if several and site.observed and not all(place.observed for place in places):
            continue  # there is nothing to do where it is observed
        rule = config.sites.get(site.name)
        pairs = tuple(pairs_of(function, config, site))
        does = rule is not None and bool(rule.scale or rule.basis or rule.reparam)
        if not pairs and not does:
            continue
        names.add(site.name)
        if rule is None:
            first, *_ = config.chains_of[site.name]
            place = next(named.place for named in first if named.name == site.name)
            found.append(Child(site, place, pairs))
            continue
        found.append(
            Child(
                site,
                rule.place,
                pairs,
                scale=scale_spec(function, config, rule, site),
                basis=basis_of(rule.basis, site) if rule.basis is not None else None,
                reparam=reparam_spec(config, rule, rule.reparam) if rule.reparam else None,
            )
        )
    return found


def pairs_of(function: Function, config: Config, child: Site) -> list[Pair]:
    """What a child is offset by: what its own table names, and what its chains have before it."""
    rule = config.sites.get(child.name)
    rules = {parent.parent: parent for parent in rule.parents} if rule else {}
    names = dict.fromkeys(name for name, parent in rules.items() if parent.keep)
    for chain in config.chains_of.get(child.name, []):
        for name in dict.fromkeys(named.name for named in chain):
            if name == child.name or (name in rules and not rules[name].keep):
                continue
            if any(comes_before(function, site, child, config) for site in function.find(name)):
                names.setdefault(name)
    pairs = []
    for name in names:
        parent = rules.get(name)
        own = [site for site in function.find(name) if in_one_call(site, child)]
        if own and (parent is None or parent.value is None) and is_listed(config, own[0].through):
            continue  # it is offset in the helper
        pairs.append(pair_of(function, config, child, name, parent))
    return sorted(pairs, key=lambda p: (p.site is None, p.site.index if p.site else 0))


def pair_of(
    function: Function, config: Config, child: Site, name: str, rule: ParentRule | None
) -> Pair:
    """A child and one parent, of which the child's own table says `rule`."""
    place = config.place_of_pair(child.name, name)
    chained = [named for chain in config.chains_of.get(child.name, []) for named in chain]
    named = next((one.place for one in chained if one.name == name), place)
    value = site = None
    center: float | Snippet | None = None
    if rule is not None:
        named = rule.place
        if rule.value is not None:
            value = Snippet(rule.value, rule.value_place or rule.place)
        if isinstance(rule.center, str):
            center = Snippet(rule.center, rule.center_place or rule.place)
        else:
            center = rule.center
    found = function.find(name) if value is None else []
    if found:
        site = found[0]
        if are_alternatives(found):
            before = nearest(function, found, child)
            site = before or site
            variable = shared_variable(function, found, child)
            if before is None and variable is not None:
                # Whichever of them was sampled, this is its value.
                value, site = Snippet(variable, place), None
    settings = config.settings(child.name, name)
    return Pair(
        child.name,
        name,
        place,
        named,
        coefficient_spec(settings, child.name, name, place),
        settings.reduce,
        site,
        value,
        center,
    )


def comes_before(function: Function, site: Site, child: Site, config: Config) -> bool:
    """May a site of a chain have been sampled when `child` is?

    Where both are sampled by one call of a helper, that is the helper's own matter, if the config
    lists it.
    """
    if in_one_call(site, child):
        return site.index < child.index and not is_listed(config, site.through)
    if site.order >= child.order or exclusive(site, child):
        return False
    inside = is_before(site.path, child.path) or site.variable is None
    return inside or function.timeline.before(site.variable or "", child.statement) is not None


def in_one_call(site: Site, child: Site) -> bool:
    """Are both sampled by one call of a helper?"""
    return bool(site.through) and site.through == child.through and site.place == child.place


def is_listed(config: Config, function: str) -> bool:
    """Does the config name the function among those to be rewritten?"""
    return any(named.name == function for named in config.functions)


# -- settings -------------------------------------------------------------------------------------


def coefficient_spec(
    table: Settings | ScaleTable | PowerTable, child: str, parent: str, place: Place
) -> CoefficientSpec:
    """What a table asks for of a coefficient; a scale and a power are always learned."""
    learn = table.learn if isinstance(table, Settings) else True
    name = table.name.format(child=child, parent=parent)
    init: Any = table.init  # arrays are read as tuples
    return CoefficientSpec(table.coefficient, init, learn, name, place)


def scale_spec(function: Function, config: Config, rule: SiteRule, child: Site) -> ScaleSpec | None:
    """What a site's own table asks for of its scale."""
    scale, name = rule.scale, rule.name
    if scale is None:
        return None
    place = scale.place
    if isinstance(scale.value, str):
        return expression(config, name, "scale", scale.value, place)
    if scale.value is not None:
        return scale.value
    if not scale.by:
        return coefficient_spec(scale.table, name, "scale", place)
    found = function.find(scale.by)
    own = nearest(function, found, child) if are_alternatives(found) else None
    # The coefficient is that of the offset, which the scale has nothing to do with; nor has it
    # with what the offset by the same site says of itself.
    settings = replace(config.settings_of_site(name), coefficient="elementwise")
    by = Pair(
        name,
        scale.by,
        place,
        place,
        coefficient_spec(settings, name, scale.by, place),
        settings.reduce,
        own or next(iter(found), None),
    )
    power = scale.power
    if isinstance(power, PowerTable):
        return PowerScale(by, coefficient_spec(power, name, scale.by, place))
    return PowerScale(by, power)


def basis_of(rule: BasisRule, site: Site) -> Basis:
    """The basis of a site; axes to the left of its events are those of plates or of the batch."""
    setting = BASES[rule.kind].setting
    value = rule.settings.get(setting.name, setting.default)
    settings = f", {setting.name}={value!r}" if value != setting.default else ""
    over_plates = frozenset(dim for dim in rule.dims if dim < -count_of_events(site))
    return Basis(rule.place, rule.kind, rule.dims, settings, over_plates)


def reparam_spec(config: Config, rule: SiteRule, reparam: ReparamRule) -> ReparamSpec:
    """Another reparameterizer of a site, whose transform is read and placed as a parent is."""
    place = reparam.transform_place or reparam.place
    by = None
    if reparam.transform:
        by = expression(config, rule.name, "transform", reparam.transform, place)
    return ReparamSpec(reparam.place, reparam.name, tuple(reparam.args.items()), by)


def expression(config: Config, child: str, label: str, text: str, place: Place) -> Pair:
    """An expression that something else than an offset is made of, as a pair."""
    settings = config.settings(child, label)
    coefficient = coefficient_spec(settings, child, label, place)
    value = Snippet(text, place)
    return Pair(child, label, place, place, coefficient, settings.reduce, value=value)
