"""Plain models at random that run.

A model is valid by construction: the sizes of all dims are known here, and every argument of a
distribution is written in axes that broadcast into those of its site. Dims are letters; the same
letter is the same size, whichever way it is written. `Axis.key` and `Axis.plate` say which axes a
reader of the source takes for the same one. Values are kept moderate, so that a density can be
compared to many digits: no exponential of an exponential of an exponential.
"""

from __future__ import annotations

import itertools
import random
import re
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

HEAD = """\
import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


"""


class Axis(NamedTuple):
    """One dim of a value: its letter, its size and how that is written.

    Equal keys are the same size to a reader; each literal has a key of its own.
    """

    letter: str
    size: int
    text: str
    key: str
    plate: str = ""


UNIT = Axis("", 1, "1", "1")
Axes = tuple[Axis, ...]


class Code(NamedTuple):
    """An expression. `told`: a reader of the source surely knows its shape."""

    text: str
    axes: Axes = ()
    told: bool = True


class Prior(NamedTuple):
    """A distribution of a family, its batch axes and its own event axes."""

    text: str
    family: str
    batch: Axes
    own: Axes
    told: bool
    computed_interval: bool


@dataclass
class Variable:
    """A local name and what it holds: "real", or "positive" from a site that may be large."""

    name: str
    axes: Axes
    sort: str
    told: bool
    site: str = ""

    @property
    def large(self) -> bool:
        return self.sort == "positive"


@dataclass
class Site:
    """A latent site. `support` is "real", "positive" (its exponential) or "bounded".

    `free` are its axes in unconstrained space. `path` are the branches it is in, `scope` the
    variables when it is sampled and `past` the number of assignments before.
    """

    name: str
    variable: str
    support: str
    axes: Axes
    free: Axes
    told: bool
    path: tuple[int, ...]
    scope: list[Variable]
    past: int
    event_dims: int
    weighted: bool  # inside of a scale handler
    sparse: bool = False  # some of its elements are always zero
    simplex: bool = False  # its elements sum to one
    computed_interval: bool = False  # between two bounds that aren't literals


#: Arguments are of the sorts "real", "positive", and "small" and "shape" for those of them that
#: must stay near 0 and 1.
FAMILIES = {
    "Normal": ("real", "loc:real scale:positive"),
    "StudentT": ("real", "df:shape loc:real scale:positive"),
    "Cauchy": ("real", "loc:real scale:positive"),
    "Laplace": ("real", "loc:real scale:positive"),
    "HalfNormal": ("positive", "scale:positive"),
    "HalfCauchy": ("positive", "scale:positive"),
    "Exponential": ("positive", "rate:positive"),
    "Gamma": ("positive", "concentration:shape rate:positive"),
    "InverseGamma": ("positive", "concentration:shape rate:positive"),
    "LogNormal": ("positive", "loc:real scale:positive"),
    "Weibull": ("positive", "scale:positive concentration:shape"),
    "Pareto": ("positive", "scale:shape alpha:shape"),
    "Beta": ("bounded", "concentration1:shape concentration0:shape"),
    "Kumaraswamy": ("bounded", "concentration1:shape concentration0:shape"),
    "VonMises": ("bounded", "loc:small concentration:shape"),
    "Uniform": ("bounded", ""),
    "TruncatedNormal": ("positive", ""),
    "GaussianRandomWalk": ("real", "scale:positive"),
    "MultivariateNormal": ("real", ""),
    "Dirichlet": ("bounded", ""),
    "LKJCholesky": ("bounded", ""),
}
WEIGHTS = [8, 1, 1, 1, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 1, 1, 0.5]
NAMES = ["mu", "a", "b", "z", "A", "B", "C", "tau", "sigma_a", "beta", "theta.0", "the effect"]


def is_literal(text: str) -> bool:
    return re.fullmatch(r"-?[\d.]+", text) is not None


def joined(*parts: Axes) -> tuple[Axes, bool]:
    """The parts broadcast, and whether a reader is sure that they fit."""
    axes: list[Axis] = []
    told = True
    for part in parts:
        for back, axis in enumerate(reversed(part)):
            if back == len(axes):
                axes.append(axis)
            elif axes[back] == UNIT:
                axes[back] = axis
            elif axis != UNIT:
                assert axis.size == axes[back].size
                told &= axis.key == axes[back].key or axis.text == axes[back].text
                axes[back] = axes[back] if axes[back].plate else axis
    return tuple(reversed(axes)), told


class Builder:
    """Writes one model, from top to bottom."""

    def __init__(self, rng: random.Random, most: int) -> None:
        self.rng = rng
        self.wanted = rng.randint(2, most)
        self.lines: list[str] = []
        self.args: dict[str, Any] = {}
        self.sites: list[Site] = []
        self.scope: list[Variable] = []
        self.assignments: list[str] = []
        self.plates: dict[int, Axis] = {}  # those around, by dim
        self.weighted = False
        self.path: tuple[int, ...] = ()
        self.indent = 1
        self.numbers = itertools.count(1)
        self.held: dict[str, tuple[int, tuple[int, ...], Axis]] = {}  # letter: dim, path, axis
        self.dims: dict[str, int] = {}
        self.fixed_dims = self.chance(0.8)
        sizes = rng.sample([2, 3, 4], 3)
        if self.chance(0.15):
            sizes[rng.randrange(3)] = rng.choice([1, 2, 3])
        self.sizes = dict(zip("ijtk", [*sizes, rng.choice([2, 3])], strict=True))
        self.written = {letter: self.size_written(letter) for letter in self.sizes}
        style = rng.choice(["{}", "n_{}", "{} plate"])
        self.plate_names = {letter: style.format(letter) for letter in "ijt"}
        names = rng.sample(NAMES, len(NAMES))
        self.names = iter(names)
        while len(self.sites) < self.wanted:
            self.statement()
        self.ending()

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    # -- text ----------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        self.lines += ["    " * self.indent + text]

    def assign(self, name: str, value: str, remembered: str | None = None) -> None:
        self.line(f"{name} = {value}")
        self.assignments.append(f"{name} = {remembered or value}")

    def argument(self, name: str, value: Any) -> str:
        """The name of an argument of the model, now if it had none by that name."""
        self.args.setdefault(name, value)
        return name

    def data(self, letters: str) -> str:
        shape = [self.sizes.get(letter, 1) for letter in letters]
        values = np.random.default_rng(len(self.args)).uniform(0.5, 1.5, shape)
        return self.argument(f"x_{letters}", values)

    def size_written(self, letter: str) -> str:
        """How the size of a dim is written in this model."""
        style = self.rng.choice(["n", "n", "n", "literal", "len", "shape", "local"])
        return self.size(letter, style)

    def size(self, letter: str, style: str) -> str:
        if style == "literal":
            return str(self.sizes[letter])
        if style == "len":
            return f"len({self.data(letter)})"
        if style == "shape":
            return f"{self.data(letter)}.shape[0]"
        if style == "local":
            name = f"num_{letter}"
            if f"{name} = len(x_{letter})" not in self.assignments:
                self.assign(name, f"len({self.data(letter)})")
            return name
        return self.argument(f"n_{letter}", self.sizes[letter])

    def axis(self, letter: str, plate: str = "") -> Axis:
        text = self.written[letter]
        if self.chance(0.05):
            text = self.size(letter, self.rng.choice(["n", "literal", "len"]))
        key = f"literal {next(self.numbers)}" if text.isdigit() else text
        if text == "1" and not plate:
            return UNIT
        return Axis(letter, self.sizes[letter], text, key, plate)

    # -- expressions ---------------------------------------------------------------------------

    def number(self, sort: str) -> Code:
        if sort in ("real", "small"):
            return Code(self.rng.choice(["0", "0.0", "0.5", "-0.3", "1"]))
        # NumPyro can't differentiate some densities with integers for concentrations.
        return Code(self.rng.choice(["1.0", "0.5", "2.0"] + ["1"] * (sort == "positive")))

    def array(self, target: Axes, sort: str) -> Code:
        """An array in the last axes of the target."""
        axes = tuple(
            UNIT if axis == UNIT or self.chance(0.1) else self.rewritten(axis)
            for axis in target[self.rng.randrange(len(target)) :]
        )
        if self.chance(0.3):
            return Code(self.data("".join(axis.letter or "1" for axis in axes)), axes, told=False)
        sizes = ", ".join(axis.text for axis in axes)
        if len(axes) == 1 and self.chance(0.5):
            return Code(f"jnp.ones({sizes})", axes, told=False)
        name = self.rng.choice(["zeros", "ones"] if sort in ("real", "small") else ["ones"])
        return Code(f"jnp.{name}(({sizes}{',' if len(axes) == 1 else ''}))", axes)

    def rewritten(self, axis: Axis) -> Axis:
        """The same axis as an expression elsewhere has it: no plate, a literal of its own."""
        if axis.text.isdigit() and axis != UNIT:
            return axis._replace(plate="", key=f"literal {next(self.numbers)}")
        return axis._replace(plate="")

    def reading(self, variable: Variable, target: Axes) -> Code:
        """A variable in axes of the target, indexed or reduced."""
        name, axes = variable.name, variable.axes
        if not axes:
            return Code(name, (), variable.told)
        places: list[int] = []
        for axis in axes:
            if axis != UNIT:
                found = [at for at, other in enumerate(target) if other.letter == axis.letter]
                places += found[:1] if len(found) == 1 else [-1]
        if -1 in places or places != sorted(set(places)) or not places or self.chance(0.1):
            if self.chance(0.7):
                return Code(f"jnp.mean({name})")
            return Code(f"{name}.mean()", (), variable.told)
        following = iter(axes)
        items, left = [], []
        for at in range(places[0], len(target)):
            if at not in places:
                items.append("None")
                left.append(UNIT)
                continue
            for axis in following:
                items.append("0" if axis == UNIT else ":")
                if axis != UNIT:
                    left.append(axis)
                    break
        items += ["0" for _ in following]
        while items and items[-1] == ":":
            items.pop()
        index = f"[{', '.join(items)}]" if items else ""
        return Code(f"{name}{index}", tuple(left), variable.told)

    def expression(self, target: Axes, sort: str) -> Code:
        """Any expression of a sort whose axes broadcast into the target."""
        roll = self.rng.random()
        if roll < 0.4 or (roll > 0.55 and not self.scope):
            return self.number(sort)
        if roll < 0.5 and target:
            return self.array(target, sort)
        if roll < 0.55:
            return Code(self.argument(self.rng.choice(["s", "r"]), 0.8), (), told=False)
        variable = self.rng.choice(self.scope)
        code = self.reading(variable, target)
        text = code.text
        if sort == "small":
            forms = ["jnp.tanh({})"]
        elif sort == "shape":
            forms = ["1.5 + jnp.tanh({})", "jnp.exp(jnp.tanh({}))", "(2 - jnp.cos({}))"]
        elif sort == "positive" and variable.large:
            forms = ["{}", "{}", "{}", "0.5 * {}", "jnp.sqrt({})", "1 / jnp.sqrt({})"]
        elif sort == "positive":
            forms = [
                "jnp.exp(jnp.tanh({}))",
                "0.1 + jax.nn.softplus({})",
                "0.5 + jnp.abs({})",
                "(1 + {} ** 2)",
            ]
        else:
            forms = ["{}", "{}", "{}", "0.5 * {}", "-{}", "({} - 0.1)"]
        form = self.rng.choice(forms)
        if form.startswith("-") and text.startswith("-"):
            form = "{}"
        code = code._replace(text=form.format(text))
        if sort == "real" and self.chance(0.2):
            other = self.expression(target, "real")
            axes, told = joined(code.axes, other.axes)
            text = f"{code.text} + {other.text}".replace("+ -", "- ")
            return Code(text, axes, told and code.told and other.told)
        return code

    # -- sites ---------------------------------------------------------------------------------

    def around(self) -> Axes:
        """The batch shape that the plates ask for."""
        deepest = min(self.plates, default=0)
        return tuple(self.plates.get(dim, UNIT) for dim in range(deepest, 0))

    def site(self) -> None:
        name = next(self.names)
        around = self.around()
        (family,) = self.rng.choices(list(FAMILIES), WEIGHTS)
        target = self.target(around, family)
        events = self.events(around, family)
        whole = (*target, *events)
        prior = self.prior(family, whole)
        text, batch, own = prior.text, prior.batch, prior.own
        expand = self.chance(0.8) if events else self.chance(0.15)
        if expand and whole:
            brackets = self.rng.choice(["[{}]", "[{}]", "({},)"])
            if len(whole) > 1:
                brackets = brackets.replace(",", "")
            text += f".expand({brackets.format(', '.join(axis.text for axis in whole))})"
            batch = tuple(self.rewritten(axis) for axis in whole)
        count = min(len(events), len(batch))
        if count:
            argument = "" if count == len(batch) and self.chance(0.5) else str(count)
            text += f".to_event({argument})"
        split = len(batch) - count
        batch, events = batch[:split], batch[split:]
        batch, fits = joined(around, batch)
        axes = free = (*batch, *events, *own)
        if family == "Dirichlet":
            free = (*batch, *events, Axis("", own[0].size - 1, "?", "", "?"))
        elif family == "LKJCholesky":
            size = own[0].size
            free = (*batch, *events, Axis("", size * (size - 1) // 2, "?", "", "?"))
        prior = prior._replace(text=text, told=prior.told and fits)
        self.sampled(name, prior, axes, free, len(events) + len(own))

    def target(self, around: Axes, family: str) -> Axes:
        """The axes of the batch of a prior, of those of the plates and others."""
        if not around and self.chance(0.85):
            return ()
        unused = [letter for letter in "ijt" if letter not in {a.letter for a in around}]
        target = list(around[self.rng.choice([0, 0, len(around)]) :])
        for at, axis in enumerate(target):
            if axis == UNIT and unused and self.chance(0.25):
                target[at] = self.axis(unused.pop())
            elif self.chance(0.1):
                target[at] = UNIT
        if unused and len(target) == len(around) and self.chance(0.08):
            target.insert(0, self.axis(unused.pop()))
        while target and target[0] == UNIT:
            del target[0]
        return tuple(target)

    def events(self, around: Axes, family: str) -> Axes:
        """The axes that `to_event` turns into event dims."""
        if not self.chance(0.25):
            return ()
        used = {axis.letter for axis in around} if self.chance(0.95) else set()
        letters = [letter for letter in "ijtk" if letter not in used]
        count = min(len(letters), self.rng.choice([1, 1, 1, 2]))
        return tuple(self.axis(letter) for letter in self.rng.sample(letters, count))

    def prior(self, family: str, target: Axes) -> Prior:
        given: dict[str, Code] = {}
        own: Axes = ()
        if family == "Uniform":
            given = self.bounds(target)
        elif family == "TruncatedNormal":
            given["loc"] = self.expression(target, "small")
            given["scale"] = self.expression(target, "shape")
            chosen = self.rng.choice([["low"], ["high"], ["low", "high"]])
            # NumPyro stacks two bounds: they must be of one shape.
            bounds = self.bounds(target, alike=len(chosen) == 2)
            given |= {bound: bounds[bound] for bound in chosen}
        elif family == "LKJCholesky":
            axis = self.axis("k")
            own = (axis, axis)
            given["dimension"] = Code(axis.text, (), told=False)
            given["concentration"] = self.expression(target, "shape")
        elif family in ("MultivariateNormal", "Dirichlet"):
            own = (self.axis(self.rng.choice("kt") if family == "Dirichlet" else "t"),)
            own = own if own[0].size > 1 else (self.axis("k"),)
            sort = "real" if family == "MultivariateNormal" else "shape"
            size = own[0].text
            vector = Code(f"jnp.ones(({size},))", own)
            if self.chance(0.3):
                vector = Code(self.data(own[0].letter), own, told=False)
            loc = self.expression((*target, *own), sort)
            axes, told = joined(loc.axes, vector.axes)
            text = vector.text if self.chance(0.4) else f"({loc.text}) * {vector.text}"
            told &= loc.told and vector.told
            loc = vector if text == vector.text else Code(text, axes, told)
            given["loc" if sort == "real" else "concentration"] = loc._replace(axes=loc.axes[:-1])
            if sort == "real":
                scale = self.rng.choice(["", "0.5 * ", "s * "])
                if scale == "s * ":
                    self.argument("s", 0.8)
                name = self.rng.choice(["scale_tril", "covariance_matrix"])
                given[name] = Code(f"{scale}jnp.eye({size})", (), told=False)
        else:
            for part in FAMILIES[family][1].split():
                argument, sort = part.split(":")
                given[argument] = self.expression(target, sort)
            if family == "GaussianRandomWalk":
                own = (self.axis("t"),)
                given["num_steps"] = Code(own[0].text)
        batch, fits = joined(*(code.axes for code in given.values()))
        told = fits and all(code.told for code in given.values())
        # How many are given by position; those of the others that may be are no neighbours.
        most = {"TruncatedNormal": 0, "MultivariateNormal": 1}.get(family, len(given))
        plain = self.rng.randint(0, most)
        arguments = [
            code.text if at < plain else f"{argument}={code.text}"
            for at, (argument, code) in enumerate(given.items())
        ]
        text = f"dist.{family}({', '.join(arguments)})"
        bounds = [given[bound].text for bound in ("low", "high") if bound in given]
        computed = len(bounds) == 2 and not all(map(is_literal, bounds))
        return Prior(text, family, batch, own, told, computed)

    def bounds(self, target: Axes, *, alike: bool = False) -> dict[str, Code]:
        """``low`` and ``high``, the one below the other; `alike`: of one shape."""
        # A site with computed bounds is always rewritten, and one that is weighted can't be.
        style = self.rng.choice(["literal", "literal"] + ["one", "both"] * (not self.weighted))
        style = "both" if alike and style == "one" else style
        low = Code(self.rng.choice(["0", "-1.0", "-2"]))
        high = Code(self.rng.choice(["1", "2.5"]))
        if style == "both":
            middle = self.expression(target, "small")
            low = middle._replace(text=f"{middle.text} - 1.0")
            high = middle._replace(text=f"{middle.text} + 2.0")
        elif style == "one":
            high = self.expression(target, "shape")
            high = high._replace(text=f"1 + {high.text}")
        return {"low": low, "high": high}

    def sampled(self, name: str, prior: Prior, axes: Axes, free: Axes, event_dims: int) -> None:
        """The statement, and what follows from it."""
        text = prior.text
        variable = re.sub(r"\W", "_", name)
        if self.chance(0.15):
            variable = self.rng.choice([f"{variable}_value", f"{variable}_value", "value"])
        if self.chance(0.03 if self.plates else 0.1):
            self.line(f"{variable}_prior = {text}")
            text = f"{variable}_prior"
        elif self.chance(0.05):
            text = f"fn={text}"
        sample = f'numpyro.sample("{name}", {text})'
        kind = FAMILIES[prior.family][0]
        site = Site(
            name=name,
            variable=variable,
            support=kind,
            axes=axes,
            free=free,
            told=prior.told,
            path=self.path,
            scope=[replace(known) for known in self.scope],
            past=len(self.assignments),
            event_dims=event_dims,
            weighted=self.weighted,
            sparse=prior.family == "LKJCholesky",
            simplex=prior.family == "Dirichlet",
            computed_interval=prior.computed_interval,
        )
        self.sites.append(site)
        if self.chance(0.04):
            site.variable = ""
            self.line(self.rng.choice([sample, f"found = [{sample}]"]))
            return
        self.assign(variable, sample, f"sites[{name!r}]")
        sort = "positive" if kind == "positive" and prior.family != "TruncatedNormal" else "real"
        self.bind(Variable(variable, axes, sort, prior.told, name))
        if self.chance(0.1):
            self.reassign(self.scope[-1])

    def bind(self, variable: Variable) -> None:
        self.scope = [other for other in self.scope if other.name != variable.name]
        self.scope.append(variable)

    def reassign(self, variable: Variable) -> None:
        """``mu = mu * 2.0`` after mu has been sampled."""
        name, axes, sort = variable.name, variable.axes, variable.sort
        form = self.rng.choice(["{} * 2.0", "jnp.tanh({})", "{}[..., None]", "jnp.mean({})"])
        if "None" in form:
            axes = (*axes, UNIT)
        elif "mean" in form:
            axes = ()
        sort = "real" if "tanh" in form else sort
        self.assign(name, form.format(name))
        told = variable.told or "mean" in form
        self.bind(Variable(name, axes, sort, told))

    # -- statements ----------------------------------------------------------------------------

    def statement(self) -> None:
        roll = self.rng.random()
        if roll < 0.5:
            self.site()
        elif roll < 0.85:
            self.plated()
        elif roll < 0.91 and len(self.path) < 2:
            self.branch()
        elif roll < 0.95 and self.scope:
            self.reassign(self.rng.choice(self.scope))
        elif self.scope and self.chance(0.5):
            value = self.expression((), "real")
            self.line(f'numpyro.deterministic("twice_{next(self.numbers)}", 2 * ({value.text}))')

    def block(self) -> None:
        """What is inside a `with` or an `if`: at least one site or another block."""
        self.indent += 1
        before = len(self.lines)
        for _ in range(self.rng.choice([1, 1, 1, 2, 3])):
            if len(self.sites) < self.wanted:
                self.statement()
        if len(self.lines) == before:
            self.line("pass")
        self.indent -= 1

    def plated(self) -> None:
        """``with plate:``, or several plates, or a handler."""
        plates = dict(self.plates)
        items: list[str] = []
        for _ in range(self.rng.choice([1, 1, 1, 1, 2, 2, 3])):
            used = {axis.letter for axis in plates.values()}
            free = [letter for letter in "ijt" if letter not in used]
            if free and len(plates) < 3:
                self.plate(self.rng.choice(free), plates, items)
        outer = self.plates, self.weighted
        if self.chance(0.12):
            self.weighted = True
            scale = f"numpyro.handlers.scale(scale={self.rng.choice(['0.5', '2.0'])})"
            items.insert(self.rng.randint(0, len(items)), scale)
        if not items:
            return
        form = self.rng.choice(["with {}:"] * 5 + ["with ({}):"])
        self.line(form.format(", ".join(items)))
        self.plates = plates
        self.block()
        self.plates, self.weighted = outer

    def plate(self, letter: str, plates: dict[int, Axis], items: list[str]) -> None:
        """Add a plate to a `with`."""
        name = self.plate_names[letter]
        dim, path, axis = self.held.get(letter, (0, (), UNIT))
        if dim and dim not in plates and path == self.path[: len(path)] and self.chance(0.7):
            plates[dim] = axis
            items.append(f"plate_{letter}")
            return
        axis = self.axis(letter, name)
        dim = self.dims.get(letter, 0) if self.fixed_dims else 0
        automatic = next(-dim for dim in itertools.count(1) if -dim not in plates)
        if not dim:
            dim = automatic - (1 if self.chance(0.15) else 0)
        if dim in plates or dim < -3:
            return
        self.dims[letter] = dim
        is_held = self.chance(0.2)
        around = self.plates if is_held else plates
        automatic = next(-dim for dim in itertools.count(1) if -dim not in around)
        text = f'numpyro.plate("{name}", {axis.text})'
        if dim != automatic or self.chance(0.25):
            text = f'numpyro.plate("{name}", {axis.text}, dim={dim})'
        if is_held:
            self.line(f"plate_{letter} = {text}")
            text = f"plate_{letter}"
            self.held[letter] = dim, self.path, axis
        elif self.chance(0.05):
            text += f" as {letter}_index"
        plates[dim] = axis
        items.append(text)

    def branch(self) -> None:
        self.line(f"if {self.argument('flag', True)}:")
        known = {variable.name for variable in self.scope}
        self.path = (*self.path, next(self.numbers))
        self.block()
        self.path = self.path[:-1]
        # What the branch has bound may not be there after it, as a reader sees it.
        self.scope = [
            replace(variable, told=False) for variable in self.scope if variable.name in known
        ]
        if self.chance(0.3):
            self.line("else:")
            self.line("    skipped = True")

    def ending(self) -> None:
        if self.chance(0.8):
            reads = self.rng.sample(self.scope, min(3, len(self.scope)))
            loc = " + ".join(f"jnp.mean({variable.name})" for variable in reads) or "0"
            self.argument("y", 0.3)
            self.line(f'numpyro.sample("y", dist.Normal({loc}, 1.0), obs=y)')
        if self.scope and self.chance(0.3):
            reads = self.rng.sample(self.scope, min(2, len(self.scope)))
            self.line(f"return {', '.join(variable.name for variable in reads)}")

    def text(self) -> str:
        """Arguments are known only now."""
        return f"{HEAD}def model({', '.join(self.args)}):\n" + "\n".join(self.lines) + "\n"
