"""Files of models that others wrote, each with a config that asks for as much as can be done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from reparam_rewrite.messages import Refusal
from tests.corpus.asking import candidates
from tests.corpus.finding import Site, sites_of
from tests.corpus.reading import Source, sources
from tests.support.cases import rewritten

#: Rewrites all files that it is given, each by the config beside it, in one process.
LOOP = """
import sys
from reparam_rewrite.config.reading import read_config
from reparam_rewrite.messages import Refusal
from reparam_rewrite.source.files import read_bytes
from reparam_rewrite.source.reading import read
from reparam_rewrite.rewriting import rewrite

for model in sys.argv[1:]:
    config = model.removesuffix(".py") + ".toml"
    try:
        rewrite(read(model), read_config(read_bytes(config, "config"), config), 88)
    except Refusal:
        pass  # a file in which there is nothing to do
"""


class Asked(NamedTuple):
    """A site with what is asked for, as TOML."""

    site: Site
    what: str


def prepared(folder: Path, target: Path) -> dict[Path, int]:
    """Copies of the files in `folder`, with their configs beside them, and how many sites each has.

    A file in which no site can be offset by an earlier one has a site scaled, if it has any.
    """
    found = {}
    for number, source in enumerate(sources([folder])):
        if isinstance(source, str):
            continue
        asked = everything(source)
        model = target / f"{number}_{Path(source.name).name}"
        model.write_bytes(source.data)
        config = config_of(asked) if asked else '[sites.none]\noffset = "at all"\n'
        model.with_suffix(".toml").write_text(config)
        found[model] = len(asked)
    return found


def everything(source: Source) -> list[Asked]:
    """An offset of every latent continuous site that has an earlier one, as far as it can be."""
    sites = [
        site
        for site in sites_of(source.tree)
        if site.latent and site.continuous and site.function and not site.in_guide
    ]
    asked: list[Asked] = []
    for site in sites:
        for parent in candidates(site):
            more = Asked(site, f"offset = {json.dumps(parent)}")
            if can_be_done(source, [*asked, more]):
                asked.append(more)
                break
    scaled = ([Asked(site, "scale = { init = 1.0 }")] for site in sites)
    return asked or next((one for one in scaled if can_be_done(source, one)), [])


def can_be_done(source: Source, asked: list[Asked]) -> bool:
    try:
        rewritten(source.data, config_of(asked))
    except Refusal:
        return False
    return True


def config_of(asked: list[Asked]) -> str:
    functions = list(dict.fromkeys(one.site.function for one in asked))
    tables = {one.site.key: one.what for one in asked}
    texts = [f"[sites.{json.dumps(key)}]\n{what}\n" for key, what in tables.items()]
    return "\n".join([f"functions = {json.dumps(functions)}\n", *texts])
