"""Random designs: what an observed location adds up to, as a model's text and as arrays of numpy.

A design knows by itself which element of each effect every observation has and what multiplies it,
as it drew that. From this numpy projects what a parent adds to the observations on its child:
`offset` never reads what the program takes a model for. This imports neither jax nor numpyro.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import numpy as np

#: Observations, or rows.
N = 8

#: By name: the values of effects, or the arguments of a call.
Values = dict[str, np.ndarray]


@dataclass(frozen=True)
class Effect:
    """A latent site with the groups that its axes are, and how it is sampled: see `statement`."""

    name: str
    groups: tuple[str, ...]
    style: str


@dataclass(frozen=True)
class Summand:
    """An effect in a location, what multiplies it there, and its sign."""

    effect: Effect
    weights: tuple[str, ...]
    sign: int


@dataclass(frozen=True)
class Design:
    """A model with one observed site, or two.

    kind: "long", a row for each observation, which arrays of numbers pick effects for; "table",
    whose axes are the groups; or "rows", a table of which each row is picked, with time along it.
    sizes: of the groups. data: the arguments that are arrays. picks: of each location, by group,
    the text that picks its elements. effects: in the order of the source; chain: in that of the
    config. given: pairs (child, parent) that the config tells by `per` and `weight`. taken: an
    effect that is picked by `jnp.take`.
    """

    kind: str
    sizes: dict[str, int]
    data: Values
    picks: list[dict[str, str]]
    effects: list[Effect]
    chain: list[str]
    locations: list[list[Summand]]
    texts: list[str]
    families: list[str]
    plates: dict[tuple[str, str], str]
    given: list[tuple[str, str]] = field(default_factory=list)
    coefficient: str = "elementwise"
    scales: dict[str, float] = field(default_factory=dict)
    taken: str = ""

    # -- the text ----------------------------------------------------------------------------------

    @property
    def arguments(self) -> list[str]:
        """The names of the model's arguments; what is observed comes behind them."""
        return [*self.data, *(f"n_{group}" for group in self.sizes)]

    @property
    def source(self) -> str:
        lines = ["import jax.numpy as jnp", "import numpyro"]
        lines += ["import numpyro.distributions as dist", "", ""]
        observed = [f"y{at or ''}=None" for at in range(len(self.locations))]
        lines.append(f"def model({', '.join([*self.arguments, *observed])}):")
        body = [line for effect in self.effects for line in self.statement(effect)]
        for at, (text, family) in enumerate(zip(self.texts, self.families, strict=True)):
            name = f"y{at or ''}"
            loc, *rest = text.split("\n")
            body += [f"loc{at or ''} = {loc}", *rest]
            observed_as = family.format(loc=f"loc{at or ''}")
            body.append(f'numpyro.sample("{name}", {observed_as}, obs={name})')
        lines += [f"    {line}" for line in body]
        if any("total(" in text for text in self.texts):
            lines += ["", "", "def total(first, second):", "    return first + second"]
        return "\n".join([*lines, ""])

    def statement(self, effect: Effect) -> list[str]:
        """The lines that sample an effect."""
        sizes = [f"n_{group}" for group in effect.groups]
        call = f'{effect.name} = numpyro.sample("{effect.name}", dist.Normal(0, 1)'
        if effect.style == "plates" or not sizes:
            inner, event = sizes, []
        elif effect.style == "events":
            inner, event = sizes[:1], sizes[1:]
        else:
            ending = f".to_event({len(sizes)})" if effect.style == "vector" else ""
            return [f"{call}.expand([{', '.join(sizes)}]){ending})"]
        if event:
            call += f".expand([{', '.join(event)}]).to_event({len(event)})"
        if not inner:
            return [f"{call})"]
        names = [self.plates[effect.name, group] for group in effect.groups]
        dims = [f", dim={at - len(inner)}" if len(inner) > 1 else "" for at in range(len(inner))]
        plates = zip(names, inner, dims, strict=False)
        items = [f'numpyro.plate("{name}", {size}{dim})' for name, size, dim in plates]
        return [f"with {', '.join(items)}:", f"    {call})"]

    @property
    def config(self) -> str:
        chain = ", ".join(f'"{name}"' for name in self.chain)
        lines = [f"chain = [{chain}]", "[defaults]", f'coefficient = "{self.coefficient}"']
        for child in self.chain:
            tables = []
            for name, parent in self.given:
                if name == child:
                    mine, theirs = self.summand(child), self.summand(parent)
                    value = " * ".join([*theirs.weights, self.picked(theirs.effect, 0)])
                    per = ", ".join(self.picks[0][group] for group in mine.effect.groups)
                    weight = " * ".join(mine.weights)
                    more = f', weight = "{weight}"' if weight else ""
                    tables.append(f'{parent} = {{ value = "{value}", per = "{per}"{more} }}')
            if child in self.scales:
                lines += [f"[sites.{child}]", f"scale = {self.scales[child]}"]
            if tables:
                lines += [f"[sites.{child}.offset]", *tables]
        return "\n".join([*lines, ""])

    def picked(self, effect: Effect, at: int) -> str:
        """An effect as it stands in a location: ``c[i, j]``, ``a[:, None]``."""
        picks = self.picks[at]
        if not effect.groups:
            return effect.name
        if self.kind == "long" and self.taken == effect.name:
            return f"jnp.take({effect.name}, {picks[effect.groups[0]]})"
        if self.kind == "long":
            return f"{effect.name}[{', '.join(picks[group] for group in effect.groups)}]"
        if self.kind == "table":
            items = [":" if group in effect.groups else "None" for group in self.sizes]
            while items[0] == "None":
                items.pop(0)
            return f"{effect.name}[{', '.join(items)}]" if "None" in items else effect.name
        rows = ", ".join(picks[group] for group in effect.groups if group != "t")
        text = f"{effect.name}[{rows}]" if rows else effect.name
        return text if "t" in effect.groups else f"{text}[:, None]"

    def summand(self, name: str) -> Summand:
        """What an effect is in the first location."""
        return next(s for s in self.locations[0] if s.effect.name == name)

    def is_told(self, child: str) -> bool:
        """Is it promised how a child meets its parents in the data?

        Where rows are picked, it is of a child that is picked and has their time, ``A[i]``; of
        tables with weights, where no parent has an axis that the child lacks, nor other weights.
        """
        mine = self.summand(child)
        groups = mine.effect.groups
        if self.kind == "rows":
            return not groups or (len(groups) > 1 and "t" in groups)
        parents = [self.summand(name) for name in self.chain[: self.chain.index(child)]]
        alike = all(one.weights == mine.weights for one in parents)
        within = all({*one.effect.groups} <= {*groups} for one in parents)
        return self.kind == "long" or not self.data or (alike and within)

    # -- the numbers -------------------------------------------------------------------------------

    def shape(self, at: int) -> tuple[int, ...]:
        """That of a location."""
        if self.kind == "table":
            return tuple(self.sizes.values())
        rows = N if self.picks[at] is self.picks[0] else N - 2
        return (rows,) if self.kind == "long" else (rows, self.sizes["t"])

    def elements(self, effect: Effect, at: int) -> np.ndarray:
        """By observation of a location: the flat number of the element that it has of an effect."""
        found = np.zeros(self.shape(at), int)
        for group in effect.groups:
            if self.kind == "table":
                place = list(self.sizes).index(group)
                one = np.arange(self.sizes[group])
                one = one.reshape([-1 if axis == place else 1 for axis in range(len(self.sizes))])
            elif group == "t":
                one = np.arange(self.sizes["t"])
            else:
                one = eval(self.picks[at][group], dict(self.data))
                one = one if self.kind == "long" else one[:, None]
            found = found * self.sizes[group] + one
        return np.broadcast_to(found, self.shape(at)).ravel()

    def weight(self, summand: Summand, at: int) -> np.ndarray:
        """By observation of a location: what multiplies an effect, but for its sign."""
        found = np.ones(self.shape(at))
        for name in summand.weights:
            one = eval(name, dict(self.data))
            found = found * one
        return found.ravel()

    def size(self, effect: Effect) -> int:
        return int(np.prod(self.dims(effect), dtype=int))

    def dims(self, effect: Effect) -> tuple[int, ...]:
        return tuple(self.sizes[group] for group in effect.groups)

    def offset(self, child: str, values: Values) -> np.ndarray:
        """What a child is offset by where all coefficients are 1, from its parents' values."""
        effects = {effect.name: effect for effect in self.effects}
        own = effects[child]
        total = np.zeros(self.size(own))
        for parent in self.chain[: self.chain.index(child)]:
            told = (child, parent) in self.given
            total += self.from_parent(own, effects[parent], values[parent].ravel(), told)
        return total.reshape(self.dims(own))

    def from_parent(self, own: Effect, parent: Effect, value: np.ndarray, told: bool) -> np.ndarray:
        """The projection on the child of what a parent adds to its observations.

        Of two numbers it is the parent's, as a coefficient tells all. Where the parent has but
        groups of the child's with the same weights, it is the parent's element in each, those
        without observations too. The sign of a summand is the coefficient's.
        """
        pairs = []
        for at, location in enumerate(self.locations[:1] if told else self.locations):
            found = {s.effect.name: s for s in location}
            if own.name in found:
                pairs.append((at, found[own.name], found.get(parent.name)))
        if not own.groups and not parent.groups:
            return value
        same = all(p is not None and p.weights == c.weights for _, c, p in pairs)
        if same and not told and {*parent.groups} <= {*own.groups}:
            of_axes = np.indices(self.dims(own)).reshape(len(own.groups), -1)
            picked = [of_axes[own.groups.index(group)] for group in parent.groups]
            dims = self.dims(parent)
            return value[np.ravel_multi_index(picked, dims)] if dims else value
        above, below = np.zeros(self.size(own)), np.zeros(self.size(own))
        for at, mine, theirs in pairs:
            k, w = self.elements(own, at), self.weight(mine, at)
            np.add.at(below, k, w**2)
            if theirs is not None:
                added = self.weight(theirs, at) * value[self.elements(parent, at)]
                np.add.at(above, k, w * added)
        return above / np.where(below > 0, below, 1)


# -- drawing ---------------------------------------------------------------------------------------


def random_design(seed: int) -> Design:
    """A design by its number. Sizes are few, so that arrays of jax are compiled for once."""
    rng = np.random.default_rng(seed)
    kind = str(rng.choice(["long", "table", "rows"], p=[0.65, 0.2, 0.15]))
    groups = {
        "long": "ijk"[: rng.integers(2, 4)],
        "table": "ijt"[: rng.integers(2, 4)],
        "rows": "ijt",
    }
    equal = rng.random() < 0.5
    sizes = {g: 3 if equal else size for g, size in zip(groups[kind], (3, 4, 2), strict=False)}
    data, picked = indices(rng, kind, sizes)
    count = rng.integers(3, 6)
    names = iter("abcdefgh")
    effects = [] if rng.random() < 0.2 else [Effect("mu", (), "plates")]
    while len(effects) < count:
        effects.append(drawn(rng, next(names), list(sizes)))
    effects = [effects[at] for at in rng.permutation(len(effects))]
    weighted = rng.choice(["none", "common", "slopes", "several"], p=[0.4, 0.2, 0.3, 0.1])
    shape = tuple(sizes.values()) if kind == "table" else (N,)
    for name in {"none": "", "several": "xz"}.get(weighted, "x"):
        data[name] = np.round(rng.normal(size=shape), 2) + 0.005
    ending = "[:, None]" if kind == "rows" else ""
    first = []
    for effect in effects:
        weights = tuple(name + ending for name in "xz" if name in data)
        if weighted != "common":
            weights = tuple(weight for weight in weights if rng.random() < 0.4)
        first.append(Summand(effect, weights, -1 if rng.random() < 0.1 else 1))
    locations = [first]
    if len(effects) > 2 and rng.random() < 0.15 and any(e.groups for e in effects):
        part = [s for s in first if rng.random() < 0.6 and s.effect.groups]
        locations += [part] if part and covers(kind, part) else []
    picks = [picked, picked][: len(locations)]
    if len(picks) > 1 and rng.random() < 0.5:  # other observations, with arrays of their own
        names = {name: f"{name}1" for name in data if name != "outer"}
        data.update({new: rng.permutation(data[old])[: N - 2] for old, new in names.items()})
        picks[1] = {group: re.sub(r"\b[ijk]\b", r"\g<0>1", text) for group, text in picked.items()}
        renamed = {f"{name}{ending}": f"{new}{ending}" for name, new in names.items()}
        locations[1] = [
            replace(s, weights=tuple(renamed[weight] for weight in s.weights)) for s in part
        ]
    order = rng.permutation(len(effects)) if rng.random() < 0.3 else range(len(effects))
    plates = {}
    for effect in effects:
        shared = len(effect.groups) == 1 and rng.random() < 0.5
        for group in effect.groups:
            plates[effect.name, group] = f"g_{group}" if shared else f"{effect.name}{group}"
    families = [
        "dist.Normal({loc}, 1)",
        "dist.Bernoulli(logits={loc})",
        "dist.Poisson(jnp.exp({loc}))",
    ]
    design = Design(
        kind=kind,
        sizes=sizes,
        data=data,
        picks=picks,
        effects=effects,
        chain=[effects[at].name for at in order],
        locations=locations,
        texts=[],
        families=[str(rng.choice(families, p=[0.8, 0.1, 0.1])) for _ in locations],
        plates=plates,
        coefficient=str(rng.choice(["elementwise", "shared"])),
        taken=str(rng.choice(["", *(e.name for e in effects if len(e.groups) == 1)])),
        scales={e.name: 0.5 for e in effects if rng.random() < 0.05},
    )
    design.texts.extend(written(rng, design, at) for at in range(len(locations)))
    if kind == "long" and rng.random() < 0.3:
        later = [n for n in design.chain[1:] if design.summand(n).effect.groups]
        for child in later[:1]:
            before = design.chain[: design.chain.index(child)]
            design.given.append((child, str(rng.choice(before))))
    return design


def covers(kind: str, part: list[Summand]) -> bool:
    """Has the location that a part adds up to all axes of the first?"""
    groups = {group for summand in part for group in summand.effect.groups}
    return kind == "long" or (kind == "rows" and "t" in groups and len(groups) > 1)


def indices(
    rng: np.random.Generator, kind: str, sizes: dict[str, int]
) -> tuple[Values, dict[str, str]]:
    """The arrays that pick elements for each observation, and how each group is picked.

    Of some groups an element has no observations. A group may be nested in another, which is then
    picked by its own array, or through that of the inner one.
    """
    if kind == "table":
        return {}, {}
    data, picks = {}, {}
    for group, size in sizes.items():
        if group == "t":
            continue
        seen = rng.permutation(size)[: size - int(rng.random() < 0.4)]
        data[group] = rng.choice(seen, size=N)
        picks[group] = group
    if "i" in data and "j" in data and rng.random() < 0.5:
        outer = rng.integers(0, sizes["i"], size=sizes["j"])
        if rng.random() < 0.5:
            del data["i"]
            data["outer"], picks["i"] = outer, "outer[j]"
        else:
            data["i"] = outer[data["j"]]
    return data, picks


def drawn(rng: np.random.Generator, name: str, groups: list[str]) -> Effect:
    """An effect over one of the groups or several, in their order."""
    most = len(groups)
    count = int(rng.choice([1, 2, 3], p=[0.65, 0.3, 0.05]))
    kept = sorted(rng.permutation(most)[: min(count, most)])
    styles = ["plates", "expand", "vector"] if len(kept) == 1 else ["plates", "events", "expand"]
    return Effect(name, tuple(groups[at] for at in kept), str(rng.choice(styles)))


def written(rng: np.random.Generator, design: Design, of: int) -> str:
    """A location as an expression; with more statements below it, on lines of their own."""

    def added(parts: list[tuple[int, str]]) -> str:
        (first, text), *rest = parts
        made = f"-({text})" if first < 0 else text
        return made + "".join(f" {'-' if sign < 0 else '+'} {text}" for sign, text in rest)

    terms: dict[tuple[str, ...], list[tuple[int, str]]] = {}
    location, name = design.locations[of], f"loc{of or ''}"
    for at in rng.permutation(len(location)):
        summand = location[at]
        text = design.picked(summand.effect, of)
        terms.setdefault(summand.weights, []).append((summand.sign, text))
    parts: list[tuple[int, str]] = []
    for weights, group in terms.items():
        if not weights:
            parts += group
        elif len(group) > 1 and rng.random() < 0.6:
            parts.append((1, " * ".join([f"({added(group)})", *weights])))
        else:
            for sign, text in group:
                # Two are told to be those of another summand where they are written like them.
                at = rng.integers(0, 2) if len(weights) == 1 else 0
                parts.append((sign, " * ".join([*weights[:at], text, *weights[at:]])))
    if len(parts) > 1 and rng.random() < 0.3:
        cut = int(rng.integers(1, len(parts)))
        sign, text = parts[cut]
        rest = added(parts[cut:])
        how = rng.choice(["{0} = {0} + {1}", "{0} += {1}"])
        return f"{added(parts[:cut])}\n{str(how).format(name, rest)}"
    if len(parts) > 1 and rng.random() < 0.15:
        cut = int(rng.integers(1, len(parts)))
        return f"total({added(parts[:cut])}, {added(parts[cut:])})"
    if rng.random() < 0.1:
        return f'numpyro.deterministic("{name}", {added(parts)})'
    return added(parts)
