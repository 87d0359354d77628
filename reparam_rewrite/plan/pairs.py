"""Which sites does a config offset, by which parents? Chains are spelled out here."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.config.rules import (
    BasisRule,
    Config,
    Named,
    ParentRule,
    ReparamRule,
    ScaleRule,
    Settings,
    SiteRule,
)
from reparam_rewrite.messages import OfPair, Place
from reparam_rewrite.plan.alternatives import (
    are_alternatives,
    exclusive,
    is_before,
    nearest,
    shared_variable,
)
from reparam_rewrite.survey.values import Function, Site


class Pair(Struct, frozen=True):
    """A parent of a child, with its settings. `site` is None for a `value`.

    `place` is where the config asks for the pair, `named` where it names the parent; in a chain
    these are the entries of the child and of the parent.
    """

    child: str
    parent: str
    settings: Settings
    rule: ParentRule | None
    place: Place
    named: Place
    site: Site | None

    @property
    def about(self) -> OfPair:
        """The pair as problems name it."""
        return OfPair(self.child, self.parent)


class Child(Struct, frozen=True):
    """A site to be offset, and where the config says so first."""

    site: Site
    place: Place
    pairs: tuple[Pair, ...]
    scale: ScaleRule | None = None
    basis: BasisRule | None = None
    reparam: ReparamRule | None = None
    by: Pair | None = None  # what the scale or the transform is made of


def named_sites(config: Config) -> list[Named]:
    """Every site that the config names, each once, in the order of the file."""
    found: dict[str, Named] = {}
    for chain in config.chains:
        for named in chain:
            found.setdefault(named.name, named)
    for rule in config.sites.values():
        found.setdefault(rule.name, Named(rule.name, rule.place))
        for parent in rule.parents:
            if parent.keep and parent.value is None:
                found.setdefault(parent.parent, Named(parent.parent, parent.place))
        if rule.scale is not None and rule.scale.by:
            found.setdefault(rule.scale.by, Named(rule.scale.by, rule.scale.place))
    return sorted(found.values(), key=lambda named: (named.place.line, named.place.column))


def place_of(config: Config, child: str) -> Place:
    """Where the config first asks for something to be done to `child`."""
    if child in config.sites:
        return config.sites[child].place
    first = config.chains_of[child][0]
    return next(named.place for named in first if named.name == child)


def place_named(config: Config, child: str, parent: str) -> Place:
    """Where the config names `parent`, be it for `child` or, in a chain, for others too."""
    rule = config.rule(child, parent)
    if rule is not None:
        return rule.place
    for chain in config.chains_of.get(child, []):
        places = {named.name: named.place for named in chain}
        if parent in places:
            return places[parent]
    return config.place_of_pair(child, parent)


def children(function: Function, config: Config) -> list[Child]:
    """The sites of `function` to be offset, in sampling order, each with its parents.

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
        pairs = pairs_of(function, config, site)
        rule = config.sites.get(site.name)
        if rule is None:
            rule = SiteRule(name=site.name, place=place_of(config, site.name)) if pairs else None
        if rule is not None and (pairs or rule.scale or rule.basis or rule.reparam):
            names.add(site.name)
            found.append(
                Child(
                    site,
                    place_of(config, site.name),
                    tuple(pairs),
                    rule.scale,
                    rule.basis,
                    rule.reparam,
                    making_pair(function, config, rule, site),
                )
            )
    return found


def making_pair(function: Function, config: Config, rule: SiteRule, child: Site) -> Pair | None:
    """What a scale or transform is made of, as a parent, so that it is read and placed alike."""
    scale, reparam = rule.scale, rule.reparam
    if scale is not None and scale.by:
        found = function.find(scale.by)
        own = nearest(function, found, child) if are_alternatives(found) else None
        site = own or (found[0] if found else None)
        # The coefficient is that of the offset, which the scale has nothing to do with; nor has it
        # with what the offset by the same site says of itself.
        settings = replace(config.settings_of_site(rule.name), coefficient="elementwise")
        return Pair(rule.name, scale.by, settings, None, scale.place, scale.place, site)
    if scale is not None and isinstance(scale.value, str):
        label, text, place = "scale", scale.value, scale.place
    elif reparam is not None and reparam.transform:
        label, text = "transform", reparam.transform
        place = reparam.transform_place or reparam.place
    else:
        return None
    made = ParentRule(parent=label, place=place, value=text, value_place=place)
    return Pair(rule.name, label, config.settings(rule.name, label), made, place, place, None)


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
    return any(named.name == function for named in config.functions)


def pairs_of(function: Function, config: Config, child: Site) -> list[Pair]:
    rule = config.sites.get(child.name)
    rules = {parent.parent: parent for parent in rule.parents} if rule else {}
    wanted = dict.fromkeys(name for name, parent in rules.items() if parent.keep)
    dropped = {name for name, parent in rules.items() if not parent.keep}
    for chain in config.chains_of.get(child.name, []):
        for name in dict.fromkeys(named.name for named in chain):
            if name in dropped or name == child.name:
                continue
            if any(comes_before(function, site, child, config) for site in function.find(name)):
                wanted.setdefault(name)
    pairs = []
    for name in wanted:
        said = rules.get(name)
        is_value = said is not None and said.value is not None
        found = [] if is_value else function.find(name)
        own = [site for site in found if in_one_call(site, child)]
        if own and is_listed(config, own[0].through):
            continue  # it is offset in the helper
        place = config.place_of_pair(child.name, name)
        site = found[0] if found else None
        if site is not None and are_alternatives(found):
            before = nearest(function, found, child)
            site = before or site
            variable = shared_variable(function, found, child)
            if before is None and variable is not None:
                # Whichever of them was sampled, this is its value.
                said = replace(
                    said or ParentRule(parent=name, place=place), value=variable, value_place=place
                )
                site = None
        pairs.append(
            Pair(
                child.name,
                name,
                config.settings(child.name, name),
                said,
                place,
                place_named(config, child.name, name),
                site,
            )
        )
    order = {name: position for position, name in enumerate(wanted)}
    return sorted(
        pairs,
        key=lambda pair: (
            pair.site is None,
            pair.site.index if pair.site else order[pair.parent],
        ),
    )
