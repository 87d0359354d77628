"""Models at random that do something *between* an offset, its plates and its site, or around.

    case = random_surroundings(random.Random(7))
    case.model, case.config         # two texts
    case.looking                    # the model again: it notes what the config reads, and when
    case.runs                       # the arguments of a few calls
    case.entry                      # what is called: the model, or what the file makes of it

A state is something that a prior, a plate's size or the config reads and that the model changes in
one of the many ways of Python: by a call, an alias, in place, by a walrus in the statement itself.
`python -m tests.support.random_surroundings 7` prints a case.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np

HEAD = """\
import functools

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro import handlers

"""

LOOK = """\
def look(values, prior):
    for name, value in zip(("value", "center", "scale"), values):
        numpyro.deterministic(f"seen {name}", jnp.array(value, float))
    return prior


"""


@dataclass
class State:
    """What may change. `{v}` in a text is a number.

    top: lines of the module. start: lines of the model that set it up. read: an expression.
    changes: blocks of statements that change it. within: expressions that do.
    size: the number of elements that it surely has, 0 for a scalar, None where that changes too.
    """

    start: str
    read: str
    changes: list[str]
    within: list[str] = field(default_factory=list)
    top: str = ""
    size: int | None = 0
    scalar: str = ""  # the same as one number, if `read` isn't
    sizes: list[str] = field(default_factory=list)  # it, as the size of a plate

    @property
    def number(self) -> str:
        return self.scalar or self.read


BOX = """\
class Box:
    m = 1.0

    def set(self, v):
        self.m = v
        return v

    def __call__(self, v):
        self.m = v
"""

STATES = {
    "a global dictionary": State(
        'S["m"] = 1.0',
        'S["m"]',
        [
            "set_m({v})",
            'S["m"] = {v}',
            "S.update(m={v})",
            't = S\nt["m"] = {v}',
            'globals()["S"]["m"] = {v}',
            "for setter in [set_m]:\n    setter({v})",
            "done = [set_m(v) for v in [{v}]]",
            "functools.partial(set_m, {v})()",
        ],
        ["set_m({v})", "S.update(m={v})", '(S.pop("m"), S.setdefault("m", {v}))'],
        'S = {"m": 1.0}\n\n\ndef set_m(v):\n    S["m"] = v\n',
    ),
    "a global number": State(
        "set_g(1.0)",
        "G",
        ["set_g({v})", "other = set_g\nother({v})", 'globals()["G"] = {v}'],
        ["set_g({v})"],
        "G = 1.0\n\n\ndef set_g(v):\n    global G\n    G = v\n",
    ),
    "a dictionary of the model": State(
        's = {"m": 1.0}\n\ndef bump(v):\n    s["m"] = v\n',
        's["m"]',
        [
            "bump({v})",
            's["m"] = {v}',
            't = s\nt["m"] = {v}',
            "step = bump\nstep({v})",
            's |= {"m": {v}}',
            "s.update(m={v})",
            's = {"m": {v}}',
            'with numpyro.handlers.block():\n    s["m"] = {v}',
            "list(map(bump, [{v}]))",
        ],
        ["bump({v})", "s.update(m={v})", '(s := {"m": {v}})', 's.__setitem__("m", {v})'],
    ),
    "a number of the model": State(
        "k = 1.0\n\ndef bump(v):\n    nonlocal k\n    k = v\n",
        "k",
        ["bump({v})", "k = {v}", "k += {v}", "step = bump\nstep({v})"],
        ["bump({v})", "(k := {v})"],
    ),
    "a name": State(
        "k = 1.0",
        "k",
        [
            "k = {v}",
            "k += {v}",
            "for k in [{v}]:\n    pass",
            "k, z = {v}, 0.0",
            "if flag:\n    k = {v}",
        ],
        ["(k := {v})", "(k := k + {v})"],
    ),
    "an object": State(
        "box = Box()",
        "box.m",
        [
            "box.set({v})",
            "step = box.set\nstep({v})",
            "me = box\nme.m = {v}",
            'setattr(box, "m", {v})',
            'vars(box)["m"] = {v}',
            "box({v})",
            "Box.set(box, {v})",
            "box = Box()\nbox.m = {v}",
            "for thing in [box]:\n    thing.m = {v}",
        ],
        ["box.set({v})", 'setattr(box, "m", {v})', "box({v})", "Box.set(box, {v})"],
        BOX,
    ),
    "a list": State(
        "xs = [1.0, 2.0]",
        "sum(xs)",
        [
            "xs.append({v})",
            "xs.pop()",
            "ys = xs\nys.append({v})",
            "xs += [{v}]",
            "xs[0] = {v}",
            "for row in [xs]:\n    row[0] = {v}",
            "del xs[0]",
            "xs[:] = [{v}]",
            "first = [xs][0]\nfirst.insert(0, {v})",
        ],
        ["xs.append({v})", "xs.pop()", "xs.insert(0, {v})"],
    ),
    "an array of NumPy": State(
        "x = np.zeros(3)",
        "x",
        [
            "x.fill({v})",
            "np.add(x, {v}, out=x)",
            "np.add(x, {v}, x)",
            "x += {v}",
            "x[0] = {v}",
            "y = x\ny[:] = {v}",
            "np.copyto(x, {v})",
            "x.put(0, {v})",
            "np.add.at(x, 0, {v})",
            "for row in [x]:\n    row.fill({v})",
            "x = x + {v}",
            "np.put(x, [0], {v})",
            "x[1:].fill({v})",
            "view = x.reshape(3)\nview.fill({v})",
        ],
        ["x.fill({v})", "np.copyto(x, {v})", "np.add(x, {v}, out=x).sum()", "(x := x + {v}).sum()"],
        size=3,
        scalar="x.sum()",
    ),
    "an array of NumPy of another shape": State(
        "x = np.zeros(3)",
        "x",
        [
            "x.resize((3, 1), refcheck=False)",
            "x.shape = (3, 1)",
            "y = x\ny.shape = (3, 1)",
            "np.ndarray.resize(x, (3, 1), refcheck=False)",
            "x = x[:, None]",
            'setattr(x, "shape", (3, 1))',
        ],
        ["x.resize((3, 1), refcheck=False)", "(x := x[:, None]).sum()"],
        size=None,
        scalar="x.ndim",
    ),
    "an array of JAX": State(
        "x = jnp.zeros(3)\n\ndef bump(v):\n    nonlocal x\n    x = jnp.full((3, 1), v)\n",
        "x",
        ["bump({v})", "x = x + {v}", "x = x[:, None]", "x += {v}", "x = x.at[0].set({v})"],
        ["bump({v})", "(x := jnp.full((3, 1), {v})).sum()", "(x := x + {v}).sum()"],
        size=None,
        scalar="x.sum()",
    ),
    "an iterator": State(
        "it = iter([0.5 + k for k in range(20)])",
        "next(it)",
        [
            "next(it)",
            "it = iter([{v}] * 20)",
            "turn = it.__next__\nturn()",
            "for k in it:\n    break",
        ],
        ["next(it)", "(it := iter([{v}] * 20))"],
        size=None,
        scalar="float(n)",
    ),
    "a dictionary of sizes": State(
        'SIZES["i"] = 3',
        'jnp.zeros(SIZES["i"])',
        ["set_size(1)", 'SIZES["i"] = 1', "SIZES.update(i=1)", 't = SIZES\nt["i"] = 1'],
        ["set_size(1)", "SIZES.update(i=1)", 'SIZES.__setitem__("i", 1)'],
        'SIZES = {"i": 3}\n\n\ndef set_size(v):\n    SIZES["i"] = v\n',
        size=None,
        scalar='SIZES["i"]',
        sizes=['SIZES["i"]', 'SIZES["i"]', 'int(SIZES["i"])'],
    ),
    "a list of some length": State(
        "xs = [1.0, 2.0, 3.0]",
        "np.array(xs)",
        [
            "xs[1:] = []",
            "ys = xs\ndel ys[1:]",
            "xs[:] = [{v}]",
            "xs = xs[:1]",
            "list.clear(xs)\nxs += [{v}]",
        ],
        ["xs.__delitem__(slice(1, None))", "(xs := xs[:1])"],
        size=None,
        scalar="len(xs)",
        sizes=["len(xs)"],
    ),
}

GUARDS = [
    "if q is None:\n    return mu",
    "if not flag:\n    return mu",
    "assert flag",
    'if not flag:\n    raise ValueError("no")',
    "while not flag:\n    return mu",
    "if q is None:\n    return None\nelif not flag:\n    return mu",
]

#: What stands between and changes nothing that is read.
QUIET = [
    "w = jnp.zeros(2)",
    'numpyro.deterministic("w", 2 * mu)',
    "w = float(n) + 1",
    "print(end='')",
    "other = {'m': 2.0}\nother['m'] = 3.0",
]

#: What the file makes of the model, as what is called and what is said above its definition.
HALF = "with handlers.scale(scale=0.5):\n        return"
WRAPPERS = [
    ("", "entry = model"),
    ("", "entry = handlers.scale(model, scale=0.5)"),
    ("", "entry = handlers.scale(scale=0.5)(model)"),
    ("", "halved = handlers.scale(scale=0.5)\nentry = halved(model)"),
    ("", "entry = functools.partial(handlers.scale, scale=0.5)(model)"),
    ("", "half = functools.partial(handlers.scale, scale=0.5)\nentry = half(model)"),
    ("", "alias = model\nentry = handlers.scale(alias, scale=0.5)"),
    ("", "entry = handlers.scale(lambda *args: model(*args), scale=0.5)"),
    ("", f"def entry(*args):\n    {HALF} model(*args)"),
    ("", f"def entry(*args):\n    run = model\n    {HALF} run(*args)"),
    ("", f"def run(f, *args):\n    {HALF} f(*args)\n\n\nentry = functools.partial(run, model)"),
    ("@handlers.scale(scale=0.5)", "entry = model"),
    ("@halved", "entry = model"),
    ("@functools.partial(handlers.scale, scale=0.5)", "entry = model"),
    ("", "entry = handlers.mask(model, mask=False)"),
    ("", "entry = handlers.mask(mask=False)(model)"),
    ("", "entry = handlers.seed(model, 0)"),
    ("", "entry = handlers.seed(rng_seed=0)(model)"),
    ("", "entry = lambda *args: model(*args)"),
    ("", "models = {'it': model}\nentry = handlers.scale(models['it'], scale=0.5)"),
]

DECORATORS = {
    "@halved": "def halved(f):\n    return handlers.scale(f, scale=0.5)\n\n\n",
}


@dataclass
class Case:
    model: str
    looking: str
    config: str
    runs: list[tuple[Any, ...]]
    coefficient: str
    scaled: bool
    says: str  # "mu", "value" or "center": what the offset is made of

    def __str__(self) -> str:
        return f"{self.model}\n--- offsets.toml\n{self.config}\n--- runs\n{self.runs}"


def indented(block: str, depth: int) -> list[str]:
    return [f"{'    ' * depth}{line}" if line else "" for line in block.split("\n")]


class Surroundings:
    """Writes one case."""

    def __init__(self, rng: random.Random, *, around: bool) -> None:
        self.rng = rng
        self.around = around
        self.state = STATES[rng.choice(list(STATES))]
        self.numbers = iter(range(2, 100))
        self.lines: list[str] = []
        self.depth = 1
        self.plates: list[str] = []
        self.guarded = False
        self.ends: list[str] = []  # of blocks, innermost first

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def write(self, block: str) -> None:
        self.lines += indented(block, self.depth)

    def text(self, template: str) -> str:
        return template.replace("{v}", f"{next(self.numbers)}.0")

    def change(self, probability: float) -> None:
        if self.chance(probability):
            self.write(self.text(self.rng.choice(self.state.changes)))

    def between(self, change: float, guard: float) -> None:
        """A few statements."""
        if self.chance(0.3):
            self.write(self.rng.choice(QUIET[:1] + QUIET[2:]))
        self.change(change)
        if self.chance(guard):
            self.write(self.rng.choice(GUARDS))
            self.guarded = True
        self.change(0.1)

    def prior(self) -> str:
        state, read = self.state, self.state.read
        number = state.number
        if state.size != 0 and self.chance(0.8):
            forms = [
                "dist.Normal({r}, 1)",
                "dist.Normal({r} * q, 1)",
                "dist.Normal(0, 1 + abs({r}))",
            ]
            return self.rng.choice(forms).replace("{r}", read)
        forms = [
            "dist.Normal({r} * q, 1)",
            "dist.Normal({r} * q, 1)",
            "dist.Normal({r}, 1)",
            "dist.Normal(0, 1 + abs({r}))",
            "dist.Uniform({r}, {r} + 3)",
            "dist.TruncatedNormal({r}, 1.0, low={r} - 1)",
            "dist.Pareto(1.0 + abs({r}), 3.0)",
            "dist.HalfNormal(1 + abs({r}))",
            "dist.Exponential(1 + abs({r}))",
            "dist.Normal(0, 1)",
            "make_prior({r}, q)",
            "dist.Normal(loc={r}, scale=q ** 2 + 1)",
        ]
        return self.rng.choice(forms).replace("{r}", number)

    def plate(self, name: str) -> None:
        size = {"i": "n", "j": "2"}[name]
        if name == "i":
            size = self.rng.choice(
                self.state.sizes or ["n", "n", "n", "len(data)", "data.shape[0]"]
            )
        header = f'numpyro.plate("{name}", {size})'
        if self.chance(0.15):
            self.write(f"plate_{name} = {header}")
            self.change(0.3)
            header = f"plate_{name}"
        self.write(f"with {header}:")
        self.depth += 1

    def block(self) -> None:
        """A block that the child is sampled in, at most once."""
        header = self.rng.choice(["if flag:", "for _ in [0]:", "while True:", "try:", "match n:"])
        self.write(header)
        self.depth += 1
        if header == "match n:":
            self.write("case 3:")
            self.depth += 1
        end = {"while True:": "break", "try:": "finally:\n    pass"}.get(header, "")
        if end:
            depth = self.depth - (header == "try:")
            self.ends.insert(0, "\n".join(indented(end, depth)))
        self.change(0.5)

    def build(self) -> Case:
        rng, state = self.rng, self.state
        value = self.config()
        self.write(state.start)
        self.change(0.2)
        self.write('mu = numpyro.sample("mu", dist.Normal(0, 1))')
        self.between(0.3, 0.1)
        for name in rng.choice([[], ["i"], ["i"], ["i"], ["i", "j"]]):
            self.plate(name)
            self.between(0.6, 0.2)
            if self.chance(0.15):
                self.block()
        prior = self.prior()
        if self.chance(0.1):
            self.write(f"d = {prior}")
            self.change(0.7)
            prior = "d"
        self.statement(prior, value)
        if self.chance(0.2):
            self.change(1.0)
        for end in self.ends:
            self.lines += end.split("\n")
        self.depth = 1
        self.write(f'numpyro.sample("y", dist.Normal(mu, 1.0), obs=jnp.array({state.number}))')
        self.write(f"return {state.number}")
        return self.case(value)

    def config(self) -> str:
        """The config, and what it reads as a tuple of value, center and scale."""
        number = self.state.number
        self.coefficient = self.rng.choice(["elementwise", "elementwise", "shared"])
        self.says = self.rng.choice(["mu", "mu", "mu", "value", "center"])
        self.scaled = self.chance(0.2)
        value, center, scale = "mu", "0.0", "1.0"
        if self.says == "value":
            value = f"{number} * 0.5 + mu"
        if self.says == "center":
            center = number
        if self.scaled:
            scale = f"1 + abs({number})"
        settings = [f'coefficient = "{self.coefficient}"']
        if self.says == "value":
            settings.append(f"value = '''{value}'''")
        if self.says == "center":
            settings.append(f"center = '''{center}'''")
        self.toml = f"[sites.a.offset]\nmu = {{ {', '.join(settings)} }}\n"
        if self.scaled:
            self.toml = f"[sites.a]\nscale = '''{scale}'''\n\n{self.toml}"
        return f"({value}, {center}, {scale})"

    def statement(self, prior: str, value: str) -> None:
        """The statement that samples the child, also with a look at what the config reads."""
        forms = ["a = {a}"] * 8 + [
            "y = 2.0 * {a}",
            "y = [{a}, {w}]",
            "found = {}\nfound['a'] = {a}",
        ]
        forms += [
            "y = [{w}, {a}]",
            "y = dict(b={w}, a={a})",
            "y = ({w}, {a})[1]",
            "y = ['', {a}][1]",
        ]
        form = self.rng.choice(forms)
        if "{w}" in form:
            form = form.replace("{w}", self.text(self.rng.choice(self.state.within)))
        sample = f'numpyro.sample("a", {prior})'
        if self.chance(0.1):
            sample = f'numpyro.sample(fn={prior}, name="a")'
        looking = sample.replace(prior, f"look({value}, {prior})")
        self.at = len(self.lines)
        self.write(form.replace("{a}", sample))
        self.seen = indented(form.replace("{a}", looking), self.depth)

    def case(self, value: str) -> Case:
        rng = self.rng
        above, below = rng.choice(WRAPPERS) if self.around else ("", "entry = model")
        top = self.state.top
        top += "\n\n" if top else ""
        top += "def make_prior(m, q):\n    return dist.Normal(m * q, 1)\n\n\n"
        top += DECORATORS.get(above, "")
        head = "def model(n, q, data, flag):"
        definition = f"{above}\n{head}\n" if above else f"{head}\n"
        body = "\n".join(self.lines)
        seen = self.lines[: self.at] + self.seen + self.lines[self.at + len(self.seen) :]
        end = f"\n\n\n{below}\n"
        plain = f"{HEAD}\n{top}{definition}{body}{end}"
        looking = f"{HEAD}\n{LOOK}{top}{definition}" + "\n".join(seen) + end
        q: Any = rng.choice([0.7, np.array([0.5, 1.0, 1.5])])
        data = np.arange(3.0)
        runs: list[tuple[Any, ...]] = [(3, q, data, True)]
        if self.guarded:
            runs.append((3, q, data, False))
            runs.append((3, None, data, True))
        return Case(plain, looking, self.toml, runs, self.coefficient, self.scaled, self.says)


def random_surroundings(rng: random.Random, *, around: bool = False) -> Case:
    """A model that does something between; `around`: that the file does something with, too."""
    return Surroundings(rng, around=around).build()


if __name__ == "__main__":
    print(random_surroundings(random.Random(int(sys.argv[1])), around="around" in sys.argv))
