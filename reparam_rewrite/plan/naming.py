"""The names of a config as those that sites have in the file: globs, templates, run-time names."""

from __future__ import annotations

from fnmatch import fnmatchcase

from msgspec.structs import replace

from reparam_rewrite.config.rules import Config, SiteRule
from reparam_rewrite.messages import Named
from reparam_rewrite.plan.known_names import missing, plain_name, with_names
from reparam_rewrite.survey.functions import Survey
from reparam_rewrite.survey.values import Site


def as_named(survey: Survey, config: Config) -> tuple[Survey, Config]:
    """A survey and a config in which sites are called the same."""
    config = with_plain_names(survey, config)
    survey = with_names(survey, (named.name for named in sites_in(config)))
    return survey, spelled_out(survey, config)


def with_plain_names(survey: Survey, config: Config) -> Config:
    """The config with the names that sites have in the file for those that handlers make of them.

    ``with scope(prefix="one"): a = sample("a", ...)`` is "one/a" when the model runs, and what a
    ``reparam(config={"a": LocScaleReparam(0)})`` samples is "a_decentered".
    """
    asked = dict.fromkeys(named.name for named in sites_in(config))
    found = {name: plain_name(survey, name) for name in missing(survey, asked)}
    plain = {name: one for name, one in found.items() if one and one not in asked}
    if not plain:
        return config

    def rule_of(rule: SiteRule) -> SiteRule:
        parents = [replace(one, parent=plain.get(one.parent, one.parent)) for one in rule.parents]
        scale = rule.scale
        if scale is not None and scale.by:
            scale = replace(scale, by=plain.get(scale.by, scale.by))
        own = plain.get(rule.name, rule.name)
        return replace(rule, name=own, parents=tuple(parents), scale=scale)

    rules = map(rule_of, config.sites.values())
    chains = [
        tuple(replace(one, name=plain.get(one.name, one.name)) for one in chain)
        for chain in config.chains
    ]
    return replace(config, sites={rule.name: rule for rule in rules}, chains=tuple(chains))


def spelled_out(survey: Survey, config: Config) -> Config:
    """The config with a table for every site that a glob or a source text means.

    ``[sites."beta_*"]`` means ``"beta_a"`` and ``f"beta_{k}"``, and ``[sites."self.name"]`` the
    site of ``sample(self.name, ...)``. A table of a site's own name comes before these, and an
    earlier one before a later one. What means no site is left as it is, and found missing.
    """
    names = {named.name for named in config.functions}
    sites = {
        site.name: site
        for name, function in survey.own.items()
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


def sites_in(config: Config) -> list[Named]:
    """The sites that a config names, each once, in the order of the file."""
    named = [named for chain in config.chains for named in chain]
    for rule in config.sites.values():
        used = [parent for parent in rule.parents if parent.keep and parent.value is None]
        named += [
            Named(rule.name, rule.place),
            *(Named(parent.parent, parent.place) for parent in used),
        ]
        if rule.scale is not None and rule.scale.by:
            named.append(Named(rule.scale.by, rule.scale.place))
    if config.conditional is not None:
        asked = config.conditional
        named += [*asked.order, *asked.given]
        named += [Named(site, said.place) for site, said in asked.noise.items()]
    found: dict[str, Named] = {}
    for one in named:
        found.setdefault(one.name, one)
    return sorted(found.values(), key=lambda one: (one.place.line, one.place.column))
