"""Random models with random configs, and what each config asks for.

    case = random_case(random.Random(7))
    case.model, case.config         # two texts
    case.args                       # of one call
    case.pairs, case.scales         # all that the config asks for, settings resolved

`python -m tests.support.random_configs 7` prints a case.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.support.random_models import UNIT, Axes, Builder, Site, Variable, is_literal


@dataclass
class Pair:
    """One offset, as the config asks for it."""

    child: str
    parent: str
    settings: dict[str, Any]
    value: str = ""  # instead of the parent's own
    center: str = ""

    @property
    def param(self) -> str:
        """The coefficient's name, empty for a literal."""
        name: str = self.settings["name"].format(child=self.child, parent=self.parent)
        return name if self.settings["learn"] else ""


@dataclass
class Scale:
    """What a child is multiplied by: an expression, times a param, times a power of a site."""

    text: str = "1.0"
    param: str = ""
    by: Pair | None = None
    power: str = ""  # a number or a param


@dataclass
class Case:
    model: str
    config: str
    args: dict[str, Any]
    sites: dict[str, Site]
    pairs: list[Pair]
    scales: dict[str, Scale]
    bases: set[str]
    #: Every assignment that the model makes, in order; `sites["a"]` stands for sampling.
    assignments: list[str] = field(default_factory=list)

    @property
    def coefficients(self) -> set[str]:
        return {pair.param for pair in self.pairs if pair.param}

    @property
    def params(self) -> set[str]:
        """All params that the generated model has."""
        scales = {name for scale in self.scales.values() for name in (scale.param, scale.power)}
        return self.coefficients | {name for name in scales if name and not is_literal(name)}

    @property
    def all_matter(self) -> bool:
        """Must every element of every param have an effect?"""
        parents = [(pair, self.sites[pair.parent]) for pair in self.pairs if not pair.value]
        # The mean over a simplex may be just what is subtracted from it.
        return not any(site.sparse or (site.simplex and pair.center) for pair, site in parents)

    def __str__(self) -> str:
        return f"{self.model}\n--- offsets.toml\n{self.config}\n--- args\n{self.args}"


DEFAULTS = {
    "coefficient": "elementwise",
    "init": 0.0,
    "learn": True,
    "reduce": "mean",
    "name": "xi_{child}_{parent}",
}

#: How large the parents of a child may be: the number of exponentials in them.
LARGEST = {"real": 2, "positive": 1, "bounded": 0}

Table = dict[str, Any]


class Configurer:
    """Writes a config for a model."""

    def __init__(self, rng: random.Random, built: Builder) -> None:
        self.rng = rng
        self.built = built
        self.sites = {site.name: site for site in built.sites}
        self.pairs: list[Pair] = []
        self.scales: dict[str, Scale] = {}
        self.bases: set[str] = set()
        self.size: dict[str, int] = {}  # exponentials in a site's value
        self.tables: dict[str, Table] = {}
        self.defaults = self.settings(0.25)
        names = list(self.sites)
        self.chains: list[list[str]] = []
        for _ in range(rng.choice([0, 0, 1, 1, 1, 2])):
            # What is sampled in another order is moved up: `random_orders` has that.
            chain = rng.sample(names, rng.randint(2, len(names)))
            self.chains.append(sorted(chain, key=names.index))
        for site in built.sites:
            self.child(site)
        if not self.pairs and not self.scales and not self.bases:
            self.last_resort()

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def settings(self, probability: float) -> Table:
        found: Table = {}
        if self.chance(probability):
            found["coefficient"] = self.rng.choice(["shared", "elementwise"])
        if self.chance(probability):
            found["init"] = self.rng.choice([1.0, 1, -1, 0.5, -0.25])
        if self.chance(probability / 2):
            found["learn"] = False
        if self.chance(probability / 2):
            found["reduce"] = self.rng.choice(["sum", "mean"])
        if self.chance(probability / 4):
            found["name"] = self.rng.choice(["w_{parent}_in_{child}", "{child}/{parent}"])
        return found

    def resolved(self, *tables: Table) -> Table:
        return {**DEFAULTS, **self.defaults, **dict(item for t in tables for item in t.items())}

    def child(self, site: Site) -> None:
        before = list(self.sites)[: list(self.sites).index(site.name)]
        chained = {n for chain in self.chains if site.name in chain for n in chain} & {*before}
        own = {n for n in before if self.chance(0.5 if len(before) < 3 else 0.3)}
        own = own if self.chance(0.5 if self.chains else 0.9) else set()
        table = self.settings(0.08) if chained or own else {}
        offset: Table = {}
        rules: dict[str, Table] = {}
        for name in before:
            if name not in chained | own:
                continue
            rule = self.rule(self.sites[name], site)
            if rule is None:
                if name in chained:
                    offset[name] = False
                continue
            self.structure(self.sites[name], site, table, rule)
            if site.support == "bounded" and not self.resolved(table, rule)["learn"]:
                # Values must stay away from the bounds.
                rule.update(init=-0.25, reduce="mean")
            if rule or name in own:
                offset[name] = rule
            rules[name] = rule
        rule = self.value_rule(site) if self.chance(0.15) else None
        scaled = self.scaled(site, table)
        if site.computed_interval and not rules and not scaled:
            # `assert_equivalent` can only ask a base site for the shape of its unconstrained value.
            rule = {"value": "0.5"}
        if rule:
            offset["x"] = rules["x"] = rule
        for name, rule in rules.items():
            self.pair(site, name, table, rule)
        self.size[site.name] = self.grown(site, rules)
        plain = offset and not any(rule or rule is False for rule in offset.values())
        if plain:
            names = list(offset)
            short = len(names) == 1 and self.chance(0.7)
            table["offset"] = names[0] if short else names
        elif offset:
            table["offset"] = offset
        if offset or scaled or (table and chained):
            self.tables[site.name] = table

    def rule(self, parent: Site, child: Site) -> Table | None:
        """The table of a parent; None if it can't be one."""
        visible = child.path[: len(parent.path)] == parent.path
        if not parent.variable or not visible or self.is_fixed(child):
            return None if self.chance(0.99) else {}
        found = self.settings(0.1)
        variable = next((v for v in child.scope if v.site == parent.name), None)
        if self.size[parent.name] > LARGEST[child.support]:
            if variable is None:
                return None
            logged = variable.large and self.size[parent.name] - 1 <= LARGEST[child.support]
            found["value"] = self.reading(variable, child, "log" if logged else "tanh")
        elif not (parent.told and child.told) and not fits(parent.axes, child.free):
            # The generated code would stop at run time, as the source doesn't tell the axes.
            if variable is not None and self.chance(0.95):
                found["value"] = self.reading(variable, child)
            elif self.chance(0.9):
                return None
        if self.chance(0.12):
            found["center"] = self.center()
        return found

    def is_fixed(self, child: Site) -> bool:
        """Would it be refused, as a scale handler would weigh the determinant of its map?"""
        return child.weighted and child.support != "real"

    def reading(self, variable: Variable, child: Site, function: str = "") -> str:
        """An expression of a variable that broadcasts into the child."""
        text = self.built.reading(variable, child.free).text
        return f"jnp.{function}({text})" if function else text

    def structure(self, parent: Site, child: Site, table: Table, rule: Table) -> None:
        """A coefficient for some of the axes, or a matrix of weights."""
        learned = self.resolved(table, rule)["learn"]
        if not child.told or any(axis.text == "?" for axis in child.free) or not learned:
            return
        names = []
        for axis in child.free:
            name = axis.plate or axis.text
            if sum(name in (other.plate, other.text) for other in child.free) == 1:
                names.append(name)
        if names and self.chance(0.06):
            rule["coefficient"] = self.rng.sample(names, self.rng.randint(1, len(names)))
            return
        units = UNIT in (*parent.axes, *child.free)
        told = parent.told and "value" not in rule and has_own(parent.axes, child.free)
        if told and not units and self.chance(0.06):
            rule["coefficient"] = "matrix"

    def center(self) -> float | str:
        arrays = [name for name, value in self.built.args.items() if np.ndim(value)]
        if arrays and self.chance(0.3):
            return f"jnp.mean({self.rng.choice(arrays)}) - 0.1"
        found: float | str = self.rng.choice([0.35, -1.25, 2, "1 / 7"])
        return found

    def value_rule(self, child: Site) -> Table | None:
        """``x = { value = "0.5 * mu" }``: an expression of variables as they are at the child."""
        if not child.scope or self.is_fixed(child):
            return None
        text = self.reading(self.rng.choice(child.scope), child, self.rng.choice(["tanh", "cos"]))
        text = self.rng.choice(["{}", "2 * {}", "1.5 + {}"]).format(text)
        return {**self.settings(0.1), "value": text}

    def scaled(self, site: Site, table: Table) -> bool:
        """Perhaps a scale or a basis."""
        if site.support == "real" and site.event_dims and site.told and self.chance(0.15):
            self.bases.add(site.name)
            dct = {"kind": "dct", "smooth": 1.0}
            table["basis"] = self.rng.choice(["dct", "haar", dct, {"kind": "haar", "flip": True}])
        elif site.support == "real" and site.told and self.chance(0.15):
            long = [at for at in range(-len(site.free), 0) if site.free[at] != UNIT]
            if long:
                self.bases.add(site.name)
                dims = self.rng.sample(long, self.rng.randint(1, len(long)))
                kind = self.rng.choice(["dct", "haar"])
                table["basis"] = {"kind": kind, "dim": self.rng.choice([dims, dims[0]])}
        if not self.chance(0.1) or site.weighted:
            return site.name in self.bases
        structure = self.rng.choice([{}, {"coefficient": "shared"}])
        style = self.rng.choice(["number", "learned", "text", "by", "by"])
        large = [
            v
            for v in site.scope
            if v.large and v.site and self.sites[v.site].variable and self.size[v.site] == 1
        ]
        scale = Scale()
        if style == "learned":
            table["scale"] = {"init": 2.0, **structure}
            scale.param = f"scale_{site.name}"
        elif style == "text" and large and site.support == "real":
            scale.text = f"1 / {self.reading(self.rng.choice(large), site)}"
            table["scale"] = scale.text
        elif style == "by" and large and site.support == "real":
            by = self.rng.choice(large).site
            parent = self.sites[by]
            if not (parent.told and site.told) and not fits(parent.axes, site.free):
                return site.name in self.bases
            scale.by = Pair(site.name, by, self.resolved(table))
            power = self.rng.choice([0.5, 1, 0, {}, structure])
            table["scale"] = {"by": by, "power": power}
            scale.power = f"power_{site.name}_{by}" if isinstance(power, dict) else str(power)
        else:
            table["scale"] = self.rng.choice([0.5, 2, 1.25])
            scale.text = str(table["scale"])
        self.scales[site.name] = scale
        return True

    def grown(self, site: Site, rules: dict[str, Table]) -> int:
        """The exponentials in a site's value."""
        if site.support == "bounded":
            return 0
        sizes = [0]
        for name, rule in rules.items():
            value = rule.get("value")
            if value is None or (name != "x" and "jnp.log" not in value and "tanh" not in value):
                sizes.append(self.size[name])
            elif "jnp.log" in value:
                sizes.append(self.size[name] - 1)
        scale = self.scales.get(site.name)
        if scale and (scale.by or scale.text.startswith("1 /")):
            sizes.append(1)
        return max(sizes) + (site.support == "positive")

    def pair(self, child: Site, parent: str, table: Table, rule: Table) -> None:
        settings = self.resolved(table, rule)
        center, value = str(settings.pop("center", "")), settings.pop("value", "")
        self.pairs.append(Pair(child.name, parent, settings, value, center))

    def last_resort(self) -> None:
        """An offset by a number, if there is nothing else."""
        site = next((site for site in self.sites.values() if not self.is_fixed(site)), None)
        if site is None:
            (site, *_) = self.sites.values()
        table = self.tables.setdefault(site.name, {})
        table["offset"] = {**table.get("offset", {}), "x": {"value": "0.5"}}
        self.pair(site, "x", table, {"value": "0.5"})

    def text(self) -> str:
        lines = []
        if self.chains:
            one = len(self.chains) == 1
            lines.append(f"chain = {json.dumps(self.chains[0] if one else self.chains)}")
        if self.defaults:
            lines += ["", "[defaults]", *entries(self.defaults)]
        for name, table in self.tables.items():
            offset = table.get("offset")
            lines += ["", f"[sites.{key(name)}]", *entries(table)]
            if isinstance(offset, dict):
                lines += ["", f"[sites.{key(name)}.offset]", *entries(offset)]
        return "\n".join(lines).lstrip() + "\n"


def entries(table: Table) -> Iterator[str]:
    for name, value in table.items():
        if name == "offset" and isinstance(value, dict):
            continue
        yield f"{key(name)} = {toml(value)}"


def key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name) else json.dumps(name)


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(entries(value)) + " }" if value else "{}"
    return json.dumps(value)


def fits(axes: Axes, child: Axes) -> bool:
    """Do they broadcast into those of the child?"""
    pairs = zip(axes[::-1], child[::-1], strict=False)
    return len(axes) <= len(child) and all(a.size in (1, other.size) for a, other in pairs)


class Ambiguous(Exception):
    """The child has two axes that could be the one of the parent, or the other way round."""


def place(axis: Any, child: Axes) -> int | None:
    """Where the child has the same axis: a plate of that name, else an axis of that size."""
    if axis == UNIT:
        return None
    bare = [at for at, other in enumerate(child) if not other.plate and other.key == axis.key]
    if axis.plate:
        found = [at for at, other in enumerate(child) if other.plate == axis.plate] or bare
    else:
        found = bare or [at for at, other in enumerate(child) if other.key == axis.key]
    if len(found) > 1:
        raise Ambiguous
    return found[0] if found else None


def has_own(axes: Axes, child: Axes) -> bool:
    """Is there surely an axis that the child lacks?"""
    try:
        return None in [place(axis, child) for axis in axes]
    except Ambiguous:
        return False


def random_case(rng: random.Random, most: int = 8) -> Case:
    """A model of two to `most` sites and a config for it."""
    built = Builder(rng, most)
    config = Configurer(rng, built)
    return Case(
        model=built.text(),
        config=config.text(),
        args=built.args,
        sites={site.name: site for site in built.sites},
        pairs=config.pairs,
        scales=config.scales,
        bases=config.bases,
        assignments=built.assignments,
    )


if __name__ == "__main__":
    print(random_case(random.Random(int(sys.argv[1]))))
