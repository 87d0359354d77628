"""Random models whose statements stand in any order, and what they sample without running JAX.

    case = random_model(random.Random(7))
    case.source                     # a module with a function model(flag, x)
    sampled(case.source, flag=True) # what each site is sampled from, and under what

Beside samples, plates and arithmetic they have what keeps a statement from being moved: names that
are bound anew, changes in place, aliases, closures, generators, branches, loops, early returns,
helpers, attributes. `sampled` runs a model on texts in the place of arrays, so that thousands can
be compared: two models with the same sites of the same priors under the same plates have the same
density.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

HEAD = """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

state = [1.5]
plain = 2.0


def helper(name, value):
    return numpyro.sample(name, dist.Normal(value, 1.0))


def twice(value):
    return value * 2


def count(values):
    values.append(0.5)
    return len(values)


def advance():
    state[0] = state[0] + 1.0


class Box:
    def __init__(self):
        self.value = 0.25

    def grow(self):
        self.value = self.value + 1.0
        return self.value


"""


@dataclass
class Model:
    source: str
    sites: list[str]


@dataclass
class Writer:
    """Writes one model, from top to bottom; `known` are the names that are surely bound."""

    rng: random.Random
    risky: float = 0.35
    lines: list[str] = field(default_factory=list)
    sites: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=lambda: ["x", "plain", "n"])
    functions: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    plates: list[str] = field(default_factory=list)
    depth: int = 1
    inside: int = 0

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def line(self, text: str) -> None:
        margin = "    " * self.depth
        if self.chance(0.06) and self.lines[-1:] != [""]:
            self.lines.append("")
        if self.chance(0.1):
            self.lines.append(f"{margin}# above {len(self.lines)}")
        behind = f"  # behind {len(self.lines)}" if self.chance(0.08) else ""
        self.lines.append(f"{margin}{text}{behind}")

    def value(self) -> str:
        """A real expression of what is known."""
        names = self.rng.choices(self.known, k=2)
        recent = self.known[-self.rng.randint(1, 3) :]
        names[0] = self.rng.choice([names[0], *recent])
        forms = ["{a}", "{a}", "{a} + {b}", "0.5 * {a}", "jnp.sin({a})", "({a} - {b}) / 2", "0.3"]
        if self.chance(self.risky):
            forms += ["twice({a})", "sum([{a}, {b}])", "({a} if flag else {b})", "[{a}, {b}][0]"]
            forms += ["sum(v for v in [{a}])", "state[0]", "box.value", "box.grow()", "d['k']"]
            forms += [f"{name}()" for name in self.functions[-2:]]
            forms += [f"{name}[0]" for name in self.lists[-2:]]
            forms += ["count({c})"] if self.lists else []
            if not self.inside:
                forms += ["({w} := {a})"]
        other = self.rng.choice(self.lists) if self.lists else ""
        text = self.rng.choice(forms)
        walrus = self.rng.choice(["t", "u", "v"])
        found = text.format(a=names[0], b=names[1], c=other, w=walrus)
        if "{w}" in text:
            self.know(walrus)
        return found

    def know(self, name: str) -> None:
        if name not in self.known:
            self.known.append(name)

    def sample(self) -> str:
        name = f"s{len(self.sites)}"
        self.sites.append(name)
        prior = f"dist.Normal({self.value()}, {self.rng.choice(['1.0', '2.0', '0.5'])})"
        if self.chance(0.25):
            prior = f"dist.Normal({self.value()}, jnp.exp(0.1 * jnp.sin({self.value()})))"
        call = f'numpyro.sample("{name}", {prior})'
        if self.chance(0.08):
            call = f'numpyro.sample(\n        "{name}",\n        {prior},\n    )'
            call = call.replace("\n", "\n" + "    " * (self.depth - 1))
        if self.chance(0.05 * self.risky):
            call = f'helper("{name}", {self.value()})'
        target = name
        if self.chance(self.risky * 0.2):
            target = self.rng.choice(["t", "u", "v"])
        if self.chance(self.risky * 0.08):
            call = f"2 * {call}"
        if self.chance(self.risky * 0.06):
            target = self.rng.choice(["box.value", "d['k']", "state[0]"])
        self.line(f"{target} = {call}")
        return target

    def scalar(self, name: str) -> None:
        """Bind a name to a number, whatever plate it was sampled in."""
        if name.isidentifier():
            self.know(name)

    def block(self, statements: int, keeps: bool = True) -> None:
        """Some statements one step deeper; what they bind is known after, if the block `keeps`."""
        before = list(self.known), list(self.functions), list(self.lists), list(self.plates)
        self.depth += 1
        start = len(self.lines)
        for _ in range(statements):
            self.statement()
        if not any(map(str.strip, self.lines[start:])):
            self.lines.append("    " * self.depth + "pass")
        if not self.lines[-1].strip():
            self.lines.pop()
        self.depth -= 1
        if not keeps:
            self.known, self.functions, self.lists, self.plates = before

    def statement(self) -> None:
        roll = self.rng.random()
        deep = self.depth > 3
        if roll < 0.45:
            self.scalar(self.sample())
        elif roll < 0.6:
            name = self.rng.choice(["t", "u", "v", f"w{len(self.lines)}", f"w{len(self.lines)}"])
            self.line(f"{name} = {self.value()}")
            self.know(name)
        elif roll < 0.72 and not deep:
            size = self.rng.choice(["1", "n"])
            plate = f'numpyro.plate("p{len(self.lines)}", {size})'
            if self.plates and self.chance(0.3) and not self.inside:
                plate = self.rng.choice(self.plates)
            inner = f" as i{len(self.lines)}" if self.chance(0.1) else ""
            self.line(f"with {plate}{inner}:")
            self.inside += 1
            self.block(self.rng.choice([1, 1, 1, 2, 3]))
            self.inside -= 1
        elif roll < 0.75 and not self.inside:
            self.line(f'p{len(self.lines)} = numpyro.plate("q{len(self.lines)}", 1)')
            self.plates.append(self.lines[-1].split()[0])
        elif roll < 0.78:
            self.line(f'numpyro.deterministic("d{len(self.lines)}", {self.value()})')
        elif self.chance(1 - self.risky):
            self.line(
                f'numpyro.sample("y{len(self.lines)}", dist.Normal({self.value()}, 1.0), obs=0.5)'
            )
        else:
            self.risk(deep)

    def risk(self, deep: bool) -> None:
        """What may keep others from being moved."""
        rng, known = self.rng, self.known
        locals_ = [name for name in known if name not in ("x", "plain", "n")] or ["x"]
        roll = rng.randrange(20)
        if roll == 0:
            self.line(f"l{len(self.lines)} = [{self.value()}, {self.value()}]")
            self.lists.append(self.lines[-1].split()[0])
        elif roll == 1 and self.lists:
            self.line(f"{rng.choice(self.lists)}[0] = {self.value()}")
        elif roll == 2 and self.lists:
            self.line(f"l{len(self.lines)} = {rng.choice(self.lists)}")
            self.lists.append(self.lines[-1].split()[0])
        elif roll == 3 and self.lists:
            self.line(f"{rng.choice(self.lists)}.insert(0, {self.value()})")
        elif roll == 4:
            self.line(f"f{len(self.lines)} = lambda: {rng.choice(locals_)}")
            self.functions.append(self.lines[-1].split()[0])
        elif roll == 5:
            name = f"g{len(self.lines)}"
            self.line(f"def {name}():")
            self.lines.append("    " * (self.depth + 1) + f"return {rng.choice(locals_)}")
            self.functions.append(name)
        elif roll == 6:
            self.line(rng.choice(["advance()", "box.grow()", "d['k'] = " + self.value()]))
        elif roll == 7:
            self.line(f"box.value = {self.value()}")
        elif roll == 8 and not deep:
            self.line(rng.choice(["if flag:", "if not flag:", "if n > 2:"]))
            self.block(rng.choice([1, 2]), keeps=False)
            if self.chance(0.4):
                self.line("else:")
                self.block(rng.choice([1, 2]), keeps=False)
        elif roll == 9 and not deep:
            self.line("if flag:")
            self.lines.append(
                "    " * (self.depth + 1) + rng.choice(["return 0", "raise KeyError"])
            )
        elif roll == 10:
            name = rng.choice(["t", "u", "v"])
            if name in known:
                self.line(f"{name} += {self.value()}")
        elif roll == 11 and not deep:
            self.line("try:")
            self.block(rng.choice([1, 2]), keeps=False)
            self.line("except ValueError:")
            self.lines.append("    " * (self.depth + 1) + "pass")
        elif roll == 12:
            self.line(f"assert {rng.choice(['n', 'not flag'])}")
        elif roll == 13:
            self.line(f"a{len(self.lines)}, t = {self.value()}, {self.value()}")
            self.know("t")
        elif roll == 14:
            self.line(f"t = {self.value()}; u = {self.value()}")
            self.know("t")
            self.know("u")
        elif roll == 15:
            name = f"g{len(self.lines)}"
            if self.depth == 1 and any(line.startswith("    t = ") for line in self.lines):
                self.line(f"def {name}():")
                inner = "    " * (self.depth + 1)
                self.lines += [f"{inner}nonlocal t", f"{inner}t = 0.75", f"{inner}return t"]
                self.functions.append(name)
        elif roll == 16:
            self.line(f"m{len(self.lines)} = (v for v in [{rng.choice(locals_)}])")
            self.line(f"{rng.choice(['t', 'u'])} = sum({self.lines[-1].split()[0]})")
        elif roll == 17 and not deep:
            self.line("with numpyro.handlers.scale(scale=2.0):")
            self.block(rng.choice([1, 2]))
        elif roll == 18 and not deep:
            self.line("for k in range(2):")
            start = len(self.lines)
            self.block(1, keeps=False)
            if any("sample(" in line or "plate(" in line for line in self.lines[start:]):
                # One name for all rounds.
                self.lines[start:] = ["    " * (self.depth + 1) + "t = k"]
        elif roll == 19:
            self.line(f"print({rng.choice(known)})")


def random_model(rng: random.Random, most: int = 8, risky: float = 0.35) -> Model:
    """A model of up to about so many sites, which may raise an error when it runs."""
    writer = Writer(rng, risky)
    wanted = rng.randint(2, most)
    while len(writer.sites) < wanted and len(writer.lines) < 60:
        writer.statement()
    body = ["    box = Box()", "    d = {'k': 0.125}", *writer.lines]
    body.append(f"    return {rng.choice(writer.known)}")
    source = HEAD + "def model(flag, x, n=1):\n" + "\n".join(body) + "\n"
    return Model(source, [name for name in writer.sites if f'"{name}"' in source])


def random_config(rng: random.Random, sites: list[str]) -> str:
    """Chains, and perhaps offsets, that want the sites in another order."""
    count = rng.randint(2, min(len(sites), 5))
    chain = rng.sample(sites, count)
    roll = rng.random()
    if roll < 0.6:
        return f"chain = {chain!r}\n".replace("'", '"')
    if roll < 0.8:
        return f"[sites.{chain[0]}]\noffset = {chain[1:]!r}\n".replace("'", '"')
    other = rng.sample(sites, 2)
    return f"chain = [{chain!r}, {other!r}]\n".replace("'", '"')


# -- what a model samples, in texts ---------------------------------------------------------------


class Text:
    """An immutable value that is known by how it was computed."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def _with(self, sign: str, other: object) -> Text:
        return Text(f"({self!r} {sign} {other!r})")

    def __add__(self, other: object) -> Text:
        return self._with("+", other)

    def __radd__(self, other: object) -> Text:
        return Text(f"({other!r} + {self!r})")

    def __sub__(self, other: object) -> Text:
        return self._with("-", other)

    def __rsub__(self, other: object) -> Text:
        return Text(f"({other!r} - {self!r})")

    def __mul__(self, other: object) -> Text:
        return self._with("*", other)

    __rmul__ = __mul__

    def __truediv__(self, other: object) -> Text:
        return self._with("/", other)


class Functions:
    """A module whose functions give the texts of their calls."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Callable[..., Text]:
        def called(*args: object, **named: object) -> Text:
            given = [*map(repr, args), *(f"{key}={value!r}" for key, value in named.items())]
            return Text(f"{self._name}.{name}({', '.join(given)})")

        return called


def sampled(source: str, **given: object) -> dict[str, object]:
    """What each site and deterministic is computed of, and the blocks around it, and the result.

    Raises what the model raises.
    """
    found: dict[str, object] = {}
    around: list[str] = []

    def record(name: str, value: object) -> None:
        assert name not in found, f"{name} is there twice"
        found[name] = f"{value!r} in {around}"

    def sample(name: str, prior: object, obs: object = None) -> Text:
        record(name, f"{prior!r} {obs!r}")
        return Text(name)

    def deterministic(name: str, value: object) -> object:
        record(name, value)
        return value

    class Block:
        def __init__(self, text: str) -> None:
            self.text = text

        def __enter__(self) -> Text:
            around.append(self.text)
            return Text(self.text)

        def __exit__(self, *_: object) -> None:
            around.pop()

    numpyro = SimpleNamespace(
        sample=sample,
        deterministic=deterministic,
        plate=lambda name, size: Block(f"plate {name} {size} after {around}"),
        handlers=SimpleNamespace(scale=lambda scale: Block(f"scale {scale}")),
    )
    names: dict[str, Any] = {"print": lambda *_: None}
    kept = (line for line in source.split("\n") if not line.startswith("import "))
    exec(compile("\n".join(kept), "<model>", "exec"), names)
    names.update(jnp=Functions("jnp"), dist=Functions("dist"), numpyro=numpyro)
    found["returned"] = repr(names["model"](**given))
    return found
