"""Random locations: what is told of what they add up to must be what the model does."""

from __future__ import annotations

import random

import pytest

from tests.support.sums import Case, sums_in, wrong

#: What there is of each shape in the model of the cases, sites first.
LEAVES = {
    (): ["mu", "tau", "scale", "0.5", "mu"],
    (2,): ["b"],
    (3,): ["a", "u", "a"],
    (4,): ["s"],
    (5,): ["v"],
    (3, 5): ["A", "W", "A"],
    (7,): ["x", "(mask * 1.0)"],
}

INDICES = {3: "county", 4: "state", 5: "time"}

Shape = tuple[int, ...]


class Maker:
    """Makes statements, and expressions of a shape, out of what it has made."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.names: dict[str, Shape] = {}
        self.lines: list[str] = []

    def choice(self, options: list[str]) -> str:
        return self.random.choice(options)

    def indices(self, size: int) -> list[str]:
        """What picks from an axis of that size for each observation."""
        index = INDICES[size]
        found = [index, f"({index} + 1) % {size}", f"{index}[{index}]", "county % 2"]
        found += ['data["county"]'] if size == 3 else []
        return [*found, *(n for n, s in self.names.items() if n.startswith(f"i{size}_"))]

    def leaf(self, shape: Shape) -> str:
        options = [n for n, s in self.names.items() if s == shape and n.startswith("t")]
        options += LEAVES.get(shape, [])
        if options:
            return self.choice(options)
        if len(shape) == 2 and shape[::-1] in LEAVES:
            return f"{self.leaf(shape[::-1])}.T"
        return "mu"

    def make(self, shape: Shape, depth: int) -> str:
        if depth <= 0 or self.random.random() < 0.1:
            return self.leaf(shape)
        kinds = ["add", "add", "sub", "times", "negative", "half", "move"]
        kinds += ["pick"] * 5 if shape == (7,) else []
        kinds += ["widen"] * 3 if len(shape) == 2 else []
        kinds += ["row"] * 2 if shape in [(3,), (5,)] else []
        kinds += ["wrap"] * 2
        return str(getattr(self, self.choice(kinds))(shape, depth - 1))

    def part_of(self, shape: Shape) -> Shape:
        """A shape that broadcasts to it."""
        options = [shape, shape, (), shape[1:]]
        options += [(shape[0], 1)] if len(shape) == 2 else []
        return self.random.choice(options)

    def broadcast(self, shape: Shape, depth: int) -> str:
        part = self.part_of(shape)
        if len(part) == 2 and part[1] == 1:
            return f"{self.make(part[:1], depth)}[:, None]"
        return self.make(part, depth)

    def add(self, shape: Shape, depth: int) -> str:
        both = [self.make(shape, depth), self.broadcast(shape, depth)]
        self.random.shuffle(both)
        form = self.choice(["({} + {})", "({} + {})", "jnp.add({}, {})", "sum([{}, {}])"])
        return form.format(*both)

    def sub(self, shape: Shape, depth: int) -> str:
        both = [self.make(shape, depth), self.broadcast(shape, depth)]
        self.random.shuffle(both)
        return "({} - {})".format(*both)

    def data(self, shape: Shape) -> str:
        options = {(3,): ["u"], (5,): ["v"], (3, 5): ["W"], (7,): ["x", "(1 - mask)"], (): ["2.0"]}
        return self.choice([*options.get(shape, ["scale"]), "scale"])

    def times(self, shape: Shape, depth: int) -> str:
        data, other = self.data(self.part_of(shape)), self.make(shape, depth)
        form = self.choice(["({1} * {0})", "({0} * {1})", "({1} / (1.5 + {0} ** 2))"])
        return form.format(data, other)

    def negative(self, shape: Shape, depth: int) -> str:
        return f"(-{self.make(shape, depth)})"

    def half(self, shape: Shape, depth: int) -> str:
        return f"({self.make(shape, depth)} / 2)"

    def move(self, shape: Shape, depth: int) -> str:
        inner = self.make(shape, depth)
        if len(shape) == 1:
            options = ["({})[:, None][:, 0]", "jnp.squeeze(({})[:, None])", "({})[None][0]"]
            options += ["jnp.expand_dims({}, 0)[0]", "({}).reshape(-1)", "jnp.flip({})", "({})[:]"]
            options += ["jnp.reshape({}, (-1, 1))[:, 0]", "({}).ravel()", "jnp.roll({}, 1)"]
            return self.choice(options).format(inner)
        if len(shape) == 2:
            options = ["({}).T.T", "jnp.transpose({}).T", "({})[..., None][:, :, 0]", "({})[::-1]"]
            return self.choice(options).format(inner)
        return inner

    def pick(self, shape: Shape, depth: int) -> str:
        size = self.random.choice([3, 4, 5, 35, 35])
        if size == 35:
            table = self.make((3, 5), depth)
            i, t = self.choice(self.indices(3)), self.choice(self.indices(5))
            forms = ["({0})[{1}, {2}]", "({0}).T[{2}, {1}]", "({0})[..., {2}][({1})[0]]"]
            forms += ["({0})[0][{2}]", "({0})[{1}, 1]", "jnp.take({0}, {1}, axis=0)[:, 0]"]
            forms += ["vmap(lambda i, t: ({0})[i, t])({1}, {2})"]
            return self.choice(forms).format(table, i, t)
        inner, index = self.make((size,), depth), self.choice(self.indices(size))
        forms = ["({0})[{1}]"] * 4 + ["jnp.take({0}, {1})", "({0}).at[{1}].get()"]
        other = f"({self.make((4,), depth - 1)}, state)"
        forms += [f"sum(e[i] for e, i in [(({{0}}), {{1}}), {other}])"]
        forms += [f"sum({{{{'p': ({{0}})[{{1}}], 'q': {self.leaf((7,))}}}}}.values())"]
        forms += [f"sum(e[i] for e, i in zip([{{0}}, {self.leaf((4,))}], [{{1}}, state]))"]
        forms += ["{{k: e for k, e in [('p', {0})]}}['p'][{1}]", "[{0}, mu][0][{1}]"]
        forms += [f"jax.nn.one_hot({{1}}, {size}) @ ({{0}})", "({0})[{1}][:, None][:, 0]"]
        forms += ["({0})[None, {1}][0]", "vmap(lambda i: ({0})[i])({1})", "({0})[..., {1}]"]
        return self.choice(forms).format(inner, index)

    def widen(self, shape: Shape, depth: int) -> str:
        rows, columns = shape
        forms = [
            f"({self.make((rows,), depth)})[:, None]",
            f"({self.make((columns,), depth)})[None]",
        ]
        forms += [f"jnp.expand_dims({self.make((rows,), depth)}, -1)"]
        forms += [f"jnp.broadcast_to({self.make((columns,), depth)}, {shape})"]
        return f"(jnp.zeros({shape}) + {self.choice(forms)})"

    def row(self, shape: Shape, depth: int) -> str:
        table = self.make((3, 5), depth)
        forms = {
            (3,): ["({})[:, 2]", "({}).sum(-1)", "({}) @ jnp.ones(5)", "jnp.mean({}, axis=1)"],
            (5,): ["({})[1]", "({})[-1, :]", "({}).sum(0)", "u @ ({})", "({})[u.argmax()]"],
        }
        return self.choice(forms[shape]).format(table)

    def wrap(self, shape: Shape, depth: int) -> str:
        inner = self.make(shape, depth)
        kind = self.random.random()
        if kind < 0.25 and shape == (7,):
            return f"jnp.where(mask, {inner}, 0.0)"
        if kind < 0.4:
            return f"(lambda e: e * 2.0)({inner})"
        if kind < 0.5:
            return f'numpyro.deterministic("d{len(self.lines)}_{self.random.random()}", {inner})'
        if kind < 0.6:
            return f"helper({inner}, {self.data(shape)})"
        if kind < 0.7:
            return f"({inner} if scale > 1 else {self.leaf(shape)})"
        if kind < 0.8 and shape and "deterministic" not in inner:
            return f"({inner} - jnp.mean({inner}))"
        if kind < 0.9 and shape:
            return f"({inner}).at[0].add({self.leaf(())})"
        return inner

    def statement(self) -> None:
        kind = self.random.random()
        if kind < 0.25:
            size = self.random.choice([3, 4, 5])
            name = f"i{size}_{self.random.randrange(2)}"
            line, shape = f"{name} = {self.choice(self.indices(size))}", (7,)
        else:
            shape = self.random.choice([*LEAVES])
            name = f"t{len(shape)}{shape[0] if shape else ''}_{self.random.randrange(2)}"
            line = f"{name} = {self.make(shape, 2)}"
            if kind < 0.4 and name in self.names:
                line = f"{name} += {self.leaf(shape)}"
            elif kind < 0.5:
                test, other = f"scale > {self.random.choice([1, 2])}", self.leaf(shape)
                line = f"if {test}:\n    {line}\nelse:\n    {name} = {other}"
            elif kind < 0.55 and name in self.names:
                line = f"for k in range(2):\n    {name} = {name} + {self.leaf(shape)}"
            elif kind < 0.6:
                key = self.choice(["'p'", "'q'", "key"])
                line = f"key = {self.choice(['p', 'q'])!r}\nheld[{key}] = {self.make(shape, 1)}"
                line += f"\nheld['q'] = {self.leaf(shape)}\n{name} = held[{key}]"
            elif kind < 0.65:
                added = f"parts.append({self.make(shape, 1)})\nparts.append({self.leaf(shape)})"
                line = f"parts = []\n{added}\n{name} = sum(parts)"
            elif kind < 0.7:
                line = f"held['{name}'] = {self.make(shape, 1)}\n{name} = held['{name}']"
        self.lines.append(line)
        self.names[name] = shape

    def case(self) -> Case:
        self.lines.append("held = {}")
        for _ in range(self.random.randrange(6)):
            self.statement()
        shape = self.random.choice([(7,), (7,), (7,), (3, 5)])
        self.lines.append(f"loc = {self.make(shape, 4)}")
        return Case(
            "random", "\n".join(self.lines), "def helper(e, w):\n    x = w\n    return e * x"
        )


def told(case: Case) -> tuple[int, int]:
    terms = [t for o in sums_in(case.source).observed for t in o.location.terms]
    return sum(bool(t.contribution("v")) for t in terms), len(terms)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(40))
def test_random_locations(seed: int) -> None:
    for part in range(25):
        case = Maker(1000 * seed + part).case()
        assert wrong(case, sums_in(case.source)) == [], case.body
