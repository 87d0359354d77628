"""Which sites does a key of [sites] mean? Globs and source texts are spelled out here."""

from __future__ import annotations

from fnmatch import fnmatchcase

from msgspec.structs import replace

from reparam_rewrite.config.rules import Config, SiteRule
from reparam_rewrite.survey.values import Site, Survey


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
    return fnmatchcase(site.name, key) or (site.computed and site.name_segment.text == key)
