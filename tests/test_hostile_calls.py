"""Models that are made to be misread, where calls, branches, plates and handlers of others matter.

What is asked of them is what `tests.test_hostile` asks.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from reparam_rewrite.messages import Refusal
from tests.support.execution import assert_infers, load_model
from tests.support.shapes import assert_shape, rewritten
from tests.test_hostile import OFFSET, Hostile, by_mu, chained, check, method

MU = 'mu = numpyro.sample("mu", dist.Normal(0, 1))\n'
A = 'numpyro.sample("a", dist.Normal(0, 1))'
B = 'numpyro.sample("b", dist.Normal(0, 1))'

PRIOR = """
def prior(name, n, scale=1.0):
    with numpyro.plate(f"{name}_plate", n):
        return numpyro.sample(name, dist.Normal(0, scale))
"""


def called(helpers: str, code: str, **k: Any) -> Hostile:
    """A model of these statements, below `mu` and functions that they call; `n` is 3."""
    body = textwrap.indent(textwrap.dedent(code).strip("\n"), "    ")
    source = f"def model(n):\n    {MU}{body}\n"
    return by_mu(f"{textwrap.dedent(helpers).strip()}\n\n\n{source}", **k)


def flow(code: str, **k: Any) -> Hostile:
    return called("", code, **k)


#: The child goes by another name.
AX: dict[str, Any] = {
    "config": '[sites.a_x]\noffset = "mu"',
    "offsets": {"a_x": "xi_a_x_mu * mu"},
}
LOOPED: dict[str, Any] = {
    "config": '[sites."a_*"]\noffset = "mu"',
    "children": ["a_0", "a_1"],
    "offsets": {"a_0": "xi_a_0_mu * mu", "a_1": "xi_a_1_mu * mu"},
}
BY_V: dict[str, Any] = {"config": '[sites.a]\noffset = "v"', "offsets": {"a": "xi_a_v * v"}}
BY_MEAN_V: dict[str, Any] = {**BY_V, "offsets": {"a": "xi_a_v * v.mean()"}}
AB: dict[str, Any] = {
    "config": '[sites.a]\noffset = "mu"\n[sites.b]\noffset = "mu"',
    "offsets": {"a": "xi_a_mu * mu", "b": "xi_b_mu * mu"},
}

ARGUMENTS = {
    "a size that the helper rebinds to 1": called(
        """
        def prior(name, n):
            n = min(n, 1)
            with numpyro.plate("i", n):
                return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'a = prior("a", n)',
    ),
    "a size that the helper rebinds after the plate": called(
        """
        def prior(name, n):
            with numpyro.plate("i", n):
                a = numpyro.sample(name, dist.Normal(0, 1))
            n = 1
            return a * n
        """,
        'a = prior("a", n)',
    ),
    "a size that is counted down": called(
        """
        def prior(name, n):
            n -= 2
            with numpyro.plate("i", n):
                return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'a = prior("a", n)',
    ),
    "a size by a walrus in the helper": called(
        """
        def prior(name, n):
            if (n := n - 2) > 5:
                return 0.0
            with numpyro.plate("i", n):
                return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'a = prior("a", n)',
    ),
    "a size by a loop's variable in the helper": called(
        """
        def prior(name, n):
            for n in [2, 1]:
                pass
            with numpyro.plate("i", n):
                return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'a = prior("a", n)',
    ),
    "a name that the helper rebinds": called(
        """
        def prior(name, n):
            name = name + "_x"
            with numpyro.plate("i", n):
                return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'a = prior("a", n)',
        **AX,
    ),
    "a name that the helper rebinds, without a site of the first": called(
        """
        def prior(name, n):
            name = name + "_x"
            with numpyro.plate("i", n):
                return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'a = prior("a", n)',
    ),
    "a name that is augmented": called(
        """
        def prior(name, n):
            name += "_x"
            return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))
        """,
        'a = prior("a", n)',
        **AX,
    ),
    "a name in a local of the helper": called(
        """
        def prior(name, n):
            full = f"{name}_x"
            return numpyro.sample(full, dist.Normal(jnp.zeros(n), 1))
        """,
        'a = prior("a", n)',
        **AX,
    ),
    "a name as a keyword-only argument": called(
        """
        def prior(n, *, name="a", suffix="_x"):
            return numpyro.sample(name + suffix, dist.Normal(jnp.zeros(n), 1))
        """,
        "a = prior(n)",
        **AX,
    ),
    "a name by the default, without a keyword": called(
        """
        def prior(n, name="a"):
            return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))
        """,
        "a = prior(n)",
    ),
    "a default that is a global that changes": called(
        """
        NAME = "a"

        def prior(n, name=NAME):
            return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

        NAME = "b"
        """,
        "a = prior(n)",
    ),
    "a name that is a global that changes": called(
        """
        NAME = "a"

        def prior(n):
            return numpyro.sample(NAME, dist.Normal(jnp.zeros(n), 1))

        NAME = "b"
        """,
        "a = prior(n)",
        config='[sites.b]\noffset = "mu"',
        offsets={"b": "xi_b_mu * mu"},
    ),
    "a default size that the helper's name shadows": called(
        """
        n = 1

        def prior(name, size=n):
            with numpyro.plate("i", size):
                return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'a = prior("a")',
    ),
    "a size by a global that the caller has too": called(
        """
        n = 1

        def prior(name):
            with numpyro.plate("i", n):
                return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'a = prior("a")',
    ),
    "a size by a global that the call changes": called(
        """
        SIZE = 3

        def prior(name):
            global SIZE
            SIZE = 1
            with numpyro.plate("i", SIZE):
                return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'a = prior("a")',
    ),
    "a default mutable argument": called(
        """
        def prior(name, n, sizes=[3]):
            sizes[0] = 1
            with numpyro.plate("i", sizes[0]):
                return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'a = prior("a", n)',
    ),
    "an argument that is mutated": called(
        """
        def prior(name, sizes):
            sizes["i"] = 1
            with numpyro.plate("i", sizes["i"]):
                return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'a = prior("a", {"i": 3})',
    ),
    "an argument that is mutated, of the caller": called(
        """
        def prior(name, sizes):
            sizes.append(1)
            with numpyro.plate("i", sizes[-1]):
                return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'sizes = [n]\na = prior("a", sizes)',
    ),
    "an argument that has an effect": called(
        PRIOR,
        'sizes = [1, 2, 3]\na = prior("a", sizes.pop())\nreturn len(sizes)',
    ),
    "an argument by next": called(PRIOR, 'sizes = iter([3, 1])\na = prior("a", next(sizes))'),
    "an argument that is a walrus": called(PRIOR, 'a = prior("a", (m := n + 1))\nreturn m'),
    "an argument that is a walrus over another": called(
        PRIOR, 'a = prior("a", n - (n := 1))\nreturn n'
    ),
    "an argument that an argument before rebinds": called(
        """
        def prior(x, n, name):
            with numpyro.plate("i", n):
                return numpyro.sample(name, dist.Normal(x, 1))
        """,
        'a = prior((n := 1), n, "a")',
    ),
    "an argument that is evaluated in another order": called(
        """
        def prior(n, x, name):
            with numpyro.plate("i", n):
                return numpyro.sample(name, dist.Normal(x, 1))
        """,
        'a = prior(name="a", x=(n := 1), n=n)',
    ),
    "arguments by two stars": called(PRIOR, 'kw = {"name": "a"}\na = prior(n=n, **kw)'),
    "arguments collected by a star": called(
        """
        def prior(*args):
            name, n = args
            return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))
        """,
        'a = prior("a", n)',
    ),
    "arguments collected by two stars": called(
        """
        def prior(name, **kw):
            return numpyro.sample(name, dist.Normal(jnp.zeros(kw["n"]), kw.get("scale", 1)))
        """,
        'a = prior("a", n=n)',
    ),
    "arguments by position only": called(
        """
        def prior(name, n, /, **kw):
            return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1), **kw)
        """,
        'a = prior("a", n)',
    ),
    "a parameter called like the distributions": called(
        """
        class Fake:
            @staticmethod
            def Normal(*a):
                return numpyro.distributions.Normal(jnp.zeros(1), 1)

        def prior(name, dist, n):
            return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))
        """,
        'a = prior("a", Fake, n)',
    ),
    "a parameter called like NumPyro": called(
        """
        class Fake:
            @staticmethod
            def sample(name, d):
                return 17.0

        def prior(name, numpyro):
            return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'prior("a", Fake)\na = numpyro.sample("a", dist.Normal(0, 1))',
    ),
    "a parameter called like the arrays": called(
        """
        import types

        def prior(name, n, jnp):
            return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))
        """,
        'a = prior("a", n, types.SimpleNamespace(zeros=lambda n: jnp.zeros(1)))',
    ),
    "a caller's name like the arrays": called(
        """
        def prior(name, n):
            return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))
        """,
        'jnp = None\na = prior("a", n)',
    ),
    "a caller's name like the distributions": by_mu(
        """
        def prior(name, n):
            return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

        def model(n):
            dist = 3.0
            mu = numpyro.sample("mu", numpyro.distributions.Normal(0, 1))
            a = prior("a", n)
            return dist * a
        """
    ),
    "a prior that is an argument that widens": called(
        """
        def draw(name, d, n):
            with numpyro.plate("i", n):
                return numpyro.sample(name, d)
        """,
        'a = draw("a", dist.Normal(jnp.zeros(1), 1), n)',
    ),
    "a prior that is an argument, rebound": called(
        """
        def draw(name, d):
            d = dist.HalfNormal(1)
            return numpyro.sample(name, d)
        """,
        'a = draw("a", dist.Normal(jnp.zeros(3), 1))',
    ),
    "a class of prior as an argument": called(
        """
        def draw(name, d, *args):
            return numpyro.sample(name, d(*args))
        """,
        'a = draw("a", dist.Normal, jnp.zeros(n), 1)',
    ),
    "a prior expanded in the helper": called(
        """
        def draw(name, d, shape):
            return numpyro.sample(name, d.expand(shape).to_event(1))
        """,
        'a = draw("a", dist.Gamma(2, 1), (2, n))',
    ),
    "an observed value by an argument": called(
        """
        def draw(name, obs=None):
            return numpyro.sample(name, dist.Normal(0, 1), obs=obs)
        """,
        'a = draw("a")\ny = draw("y", 1.0)',
    ),
    "an observed value by an argument, given": called(
        """
        def draw(name, obs=None):
            return numpyro.sample(name, dist.Normal(0, 1), obs=obs)
        """,
        'a = draw("a", 1.0)',
        expected="refused",
    ),
    "an argument of the same name as the parent": called(
        """
        def prior(name, mu):
            return numpyro.sample(name, dist.Normal(mu, 1))
        """,
        'a = prior("a", 5.0 + mu)',
        expected="rewritten",
    ),
    "an argument that is the helper's other argument": called(
        """
        def prior(n, name):
            return numpyro.sample(n, dist.Normal(jnp.zeros(name), 1))
        """,
        'name, n = "x", n\na = prior("a", n)',
    ),
    "arguments swapped by a helper": called(
        PRIOR + "\n\ndef swapped(n, name):\n    return prior(n, name)\n",
        'a = swapped("a", n)',
    ),
    "arguments swapped at once in the helper": called(
        """
        def prior(name, n):
            name, n = n, name
            return numpyro.sample(n, dist.Normal(jnp.zeros(name), 1))
        """,
        'a = prior("a", n)',
    ),
    "a formatted name": called(
        """
        def prior(name, k, n):
            return numpyro.sample("{}_{}".format(name, k), dist.Normal(jnp.zeros(n), 1))
        """,
        'a = prior("a", "x", n)',
        **AX,
    ),
    "a name with a conversion": called(
        """
        def prior(name, n):
            return numpyro.sample(f"{name!s}_x", dist.Normal(jnp.zeros(n), 1))
        """,
        'a = prior("a", n)',
        **AX,
    ),
    "a name with a width": called(
        """
        def prior(name, n):
            return numpyro.sample(f"{name:_<2}x", dist.Normal(jnp.zeros(n), 1))
        """,
        'a = prior("a", n)',
        **AX,
    ),
    "a name with braces": called(
        """
        def prior(name, n):
            return numpyro.sample(f"{{{name}}}", dist.Normal(jnp.zeros(n), 1))
        """,
        'a = prior("a", n)',
        config='[sites."{a}"]\noffset = "mu"',
        offsets={},
        children=["{a}"],
        coefficients=None,
    ),
    "a name through str's methods": called(
        """
        def prior(name, n):
            return numpyro.sample(name.lower(), dist.Normal(jnp.zeros(n), 1))
        """,
        'a = prior("A", n)',
    ),
}

CALLS = {
    "two calls in one statement": called(
        PRIOR, 'x = prior("a", n) + mu * prior("b", n)', **AB, expected="rewritten"
    ),
    "a call in the arguments of a call": called(
        """
        def prior(name, loc, n):
            with numpyro.plate("i", n):
                return numpyro.sample(name, dist.Normal(loc, 1))
        """,
        'x = prior("a", prior("b", 0.0, 1), n)',
        **AB,
    ),
    "a call in the prior of another": called(
        PRIOR,
        'x = numpyro.sample("b", dist.Normal(prior("a", n), 1))',
        **AB,
    ),
    "a call in a comprehension": called(
        PRIOR, 'x = [prior(name, n) for name in ["a", "b"]]\nreturn x', **AB
    ),
    "a call in a comprehension with a loop's name": called(
        PRIOR, 'x = [prior(f"a_{k}", n) for k in range(2)]\nreturn x', **LOOPED
    ),
    "a call in a dictionary's comprehension, of one": called(
        PRIOR, 'x = {k: prior("a", n) for k in range(1)}\nreturn x'
    ),
    "a call in a loop, of other sizes": called(
        PRIOR, 'for k in range(2):\n    n = 3 - 2 * k\n    prior(f"a_{k}", n)', **LOOPED
    ),
    "a call in a loop, of a size that the loop changes after": called(
        PRIOR, 'for k in range(2):\n    prior(f"a_{k}", n)\n    n = 1', **LOOPED
    ),
    "a call in a loop over names": called(
        PRIOR, 'for name in ["a", "b"]:\n    x = prior(name, n)', **AB
    ),
    "a call in a loop of one": called(PRIOR, 'for _ in range(1):\n    prior("a", n)'),
    "a call in a lambda": called(PRIOR, 'f = lambda: prior("a", n)\na = f()'),
    "a call in a nested function": called(
        PRIOR, 'def inner():\n    return prior("a", n)\na = inner()\nn = 1'
    ),
    "a call in an if's test": called(PRIOR, 'if prior("a", n) is not None:\n    b = 1'),
    "a call in a conditional expression": called(PRIOR, 'a = prior("a", n) if n > 2 else 0.0'),
    "a call in both parts of a conditional expression": called(
        PRIOR, 'a = prior("a", n) if n < 2 else prior("a", n, 2.0)'
    ),
    "a call in parts of other sizes": called(
        PRIOR, 'a = prior("a", n) if n < 2 else prior("a", 1, 2.0)'
    ),
    "a call in a boolean operator": called(PRIOR, 'a = n > 2 and prior("a", n)'),
    "a call in a with's header": called(
        PRIOR,
        'import contextlib\nwith contextlib.nullcontext(prior("a", n)) as a:\n    b = a + mu\n'
        "return b",
    ),
    "a call in a for's header": called(PRIOR, 'for x in prior("a", n):\n    mu = x'),
    "a call in an assert": called(PRIOR, 'assert prior("a", n) is not None'),
    "a call in a subscript": called(PRIOR, 'a = prior("a", n)[0] ** 2'),
    "a call in a subscript of the target": called(
        """
        def key():
            numpyro.sample("a", dist.Normal(0, 1))
            return "a"
        """,
        "d = {}\nd[key()] = mu",
    ),
    "a call in a return with arithmetic": called(PRIOR, 'return mu * prior("a", n) - 1'),
    "a call in a plate's size": called(
        """
        def size(n):
            numpyro.sample("a", dist.Normal(0, 1))
            return n
        """,
        'with numpyro.plate("i", size(n)):\n    b = numpyro.sample("b", dist.Normal(0, 1))',
    ),
    "a call under a plate": called(
        """
        def noise(name):
            return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'with numpyro.plate("i", n):\n    a = noise("a")',
        expected="rewritten",
    ),
    "a call under a plate of the same dim": called(
        """
        def noise(name, n):
            with numpyro.plate("j", n, dim=-1):
                return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'with numpyro.plate("i", 2, dim=-3):\n    a = noise("a", n)',
    ),
    "a call under a plate whose size is the argument's name": called(
        """
        def noise(name, n):
            with numpyro.plate("j", n):
                return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'with numpyro.plate("i", n, dim=-2):\n    a = noise("a", 2)',
    ),
    "a call under a mask": called(
        PRIOR,
        'with numpyro.handlers.mask(mask=jnp.arange(3) < n - 1):\n    a = prior("a", n)',
    ),
    "a call under a scale": called(
        """
        def noise(name, n):
            with numpyro.plate("j", n):
                return numpyro.sample(name, dist.HalfNormal(1))
        """,
        'with numpyro.handlers.scale(scale=3.0):\n    a = noise("a", n)',
    ),
    "a scale inside of the helper": called(
        """
        def noise(name, n):
            with numpyro.handlers.scale(scale=3.0):
                return numpyro.sample(name, dist.HalfNormal(jnp.ones(n)))
        """,
        'a = noise("a", n)',
    ),
    "a mask inside of the helper": called(
        """
        def noise(name, n):
            with numpyro.handlers.mask(mask=False):
                return numpyro.sample(name, dist.HalfNormal(jnp.ones(n)))
        """,
        'a = noise("a", n)',
    ),
    "a subsampled plate around the call": called(
        """
        def noise(name):
            return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'with numpyro.plate("i", n, subsample_size=2):\n    a = noise("a")',
        full_size=(3,),
        offsets={},
    ),
    "a subsample by an argument": called(
        """
        def noise(name, n, size=None):
            with numpyro.plate("i", n, subsample_size=size):
                return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'a = noise("a", n, 2)',
        full_size=(3,),
    ),
    "a lift inside of the helper": called(
        """
        def noise(name):
            with numpyro.handlers.scope(prefix=name):
                return numpyro.sample("a", dist.Normal(0, 1))
        """,
        'a = noise("s")',
        children=["s/a"],
        offsets={},
    ),
    "a reparam inside of the helper": called(
        """
        from numpyro.infer.reparam import LocScaleReparam

        def noise(name):
            with numpyro.handlers.reparam(config={"a": LocScaleReparam(0.0)}):
                return numpyro.sample(name, dist.Normal(2.0, 3.0))
        """,
        'a = noise("a")',
        children=[],
        offsets={},
    ),
    "a reparam of an argument inside of the helper": called(
        """
        from numpyro.infer.reparam import LocScaleReparam

        def noise(name):
            with numpyro.handlers.reparam(config={name: LocScaleReparam(0.0)}):
                return numpyro.sample(name, dist.Normal(2.0, 3.0))
        """,
        'a = noise("a")',
        children=[],
        offsets={},
    ),
    "a condition inside of the helper": called(
        """
        def noise(name, value):
            with numpyro.handlers.condition(data={name: value}):
                return numpyro.sample(name, dist.Normal(2.0, 3.0))
        """,
        'a = noise("a", 1.0)',
        expected="refused",
    ),
    "a substitute inside of the helper": called(
        """
        def noise(name, value):
            return numpyro.handlers.substitute(draw, data={name: value})(name)

        def draw(name):
            return numpyro.sample(name, dist.Normal(2.0, 3.0))
        """,
        'a = noise("a", 1.0)',
        expected="refused",
    ),
    "a block inside of the helper": called(
        """
        def noise(name):
            with numpyro.handlers.block():
                return numpyro.sample(name, dist.Normal(2.0, 3.0))
        """,
        'noise("a")\na = numpyro.sample("a", dist.Normal(0, 1))',
    ),
    "the same site by a helper and directly, in branches": called(
        PRIOR, f'if n > 5:\n    a = prior("a", n)\nelse:\n    a = {A}'
    ),
    "the same site by a helper and directly, under blocks": called(
        PRIOR,
        f'with numpyro.handlers.block():\n    x = prior("a", n)\na = {A}\nreturn x.shape',
    ),
    "the same site by a helper in two scopes": called(
        PRIOR,
        'with numpyro.handlers.scope(prefix="s"):\n    a = prior("a", n)\n'
        'with numpyro.handlers.scope(prefix="t"):\n    a = prior("a", n)',
        children=["s/a", "t/a"],
        offsets={},
    ),
    "a call in a try": called(PRIOR, 'try:\n    a = prior("a", n)\nexcept KeyError:\n    a = 1'),
    "a call in an except": called(
        PRIOR,
        'try:\n    {}["a"]\nexcept KeyError:\n    a = prior("a", n)',
    ),
    "a call that is caught when the parent isn't": called(
        """
        def bad(name):
            v = numpyro.sample(name, dist.Normal(0, 1))
            raise KeyError(v)
        """,
        f'v = 100.0\ntry:\n    v = bad("v")\nexcept KeyError:\n    pass\na = {A}',
        **BY_V,
    ),
    "one line of calls": called(PRIOR, 'a = prior("a", n); b = prior("b", n); n = 1', **AB),
    "a one-line if of a call": called(PRIOR, 'if n: a = prior("a", n)  # one'),
    "a call over lines": called(
        PRIOR,
        """
        x = (
            prior(  # one
                "a",  # two

                n,  # three
            )
            # four
            * 2
        )  # five
        """,
        expected="rewritten",
    ),
    "a call with a continuation": called(PRIOR, 'a = \\\n    prior( \\\n"a", n) \\\n    + mu'),
    "a call with a string over lines": called(
        PRIOR, 'a = prior("a", n); t = """\n  x\n"""\nreturn t'
    ),
    "a starred target of a call": called(PRIOR, 'a, *b = prior("a", n)\nreturn b'),
    "a chained target of a call": called(PRIOR, 'd = {}\na = d["a"] = b = prior("a", n)\nreturn d'),
    "an augmented target of a call": called(PRIOR, 'x = jnp.ones(n)\nx += prior("a", n)\nreturn x'),
    "an annotated target of a call": called(PRIOR, 'a: "jax.Array" = prior("a", n)'),
    "a walrus of a call": called(PRIOR, 'b = 2 * (a := prior("a", n)) + a\nreturn b'),
    "a call that another call's argument makes": called(
        PRIOR, 'x = jnp.stack([prior("a", n), prior("b", n)])\nreturn x', **AB
    ),
    "a keyword in a keyword": called(PRIOR, 'x = dict(a=prior(name="a", n=n))\nreturn x'),
}

SHADOWS = {
    "a helper that a local hides": called(
        PRIOR,
        "prior = lambda name, n: numpyro.sample(name, dist.Normal(0, 1))\nx = prior('a', n)",
    ),
    "a helper that an argument hides": by_mu(
        PRIOR
        + """

def other(name, n):
    return numpyro.sample(name, dist.Normal(0, 1))

def inner(n, prior):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    a = prior("a", n)
    return a

def model(n):
    return inner(n, other)
""",
        config='functions = ["inner"]\n[sites.a]\noffset = "mu"',
    ),
    "a helper that is defined twice": called(
        PRIOR + "\n\ndef prior(name, n):\n    return numpyro.sample(name, dist.Normal(0, 1))\n",
        'a = prior("a", n)',
    ),
    "a helper that is defined again below": by_mu(
        PRIOR
        + """

def model(n):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    a = prior("a", n)

def prior(name, n):
    return numpyro.sample(name, dist.Normal(0, 1))
"""
    ),
    "a helper that is defined if": called(
        """
        if jax.__version__ < "0":
            def prior(name, n):
                return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))
        else:
            def prior(name, n):
                return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'a = prior("a", n)',
    ),
    "a helper that is assigned anew": called(
        PRIOR + "\n\nprior = lambda name, n: numpyro.sample(name, dist.Normal(0, 1))\n",
        'a = prior("a", n)',
    ),
    "a helper that is wrapped": called(
        PRIOR + "\n\nprior = numpyro.handlers.mask(prior, mask=True)\n",
        'a = prior("a", n)',
    ),
    "a helper that is wrapped in a lambda": called(
        PRIOR + "\n\nold = prior\nprior = lambda name, n: old(name + '_x', 1)\n",
        'a = prior("a", n)',
    ),
    "a helper that a class replaces": called(
        PRIOR
        + "\n\nclass prior:\n    def __init__(self, name, n):\n"
        + "        self.a = numpyro.sample(name, dist.Normal(0, 1))\n",
        'a = prior("a", n)',
    ),
    "a helper that an import replaces": called(
        PRIOR + "\n\nfrom jax.numpy import exp as prior\n",
        f"prior(n * 1.0)\na = {A}",
    ),
    "a helper that a loop replaces": called(
        PRIOR
        + "\n\nfor prior in [lambda name, n: numpyro.sample(name, dist.Normal(0, 1))]:\n    pass\n",
        'a = prior("a", n)',
    ),
    "a helper that globals replace": called(
        PRIOR
        + "\n\nglobals()['prior'] = lambda name, n: numpyro.sample(name, dist.Normal(0, 1))\n",
        'a = prior("a", n)',
    ),
    "a helper that another function replaces": called(
        PRIOR
        + "\n\ndef patch():\n    global prior\n"
        + "    prior = lambda name, n: numpyro.sample(name, dist.Normal(0, 1))\n",
        'patch()\na = prior("a", n)',
    ),
    "a helper that is patched by its code": called(
        PRIOR
        + "\n\ndef other(name, n, scale=1.0):\n    return numpyro.sample(name, dist.Normal(0, 1))\n"
        + "\n\nprior.__code__ = other.__code__\n",
        'a = prior("a", n)',
    ),
    "a helper whose defaults are patched": called(
        """
        def prior(name, n=3):
            return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

        prior.__defaults__ = (1,)
        """,
        'a = prior("a")',
    ),
    "a helper by another name": called(PRIOR, 'p = prior\na = p("a", n)'),
    "a helper by another name, globally": called(
        PRIOR + "\n\nnoise = prior\n", 'a = noise("a", n)'
    ),
    "a helper by a partial": called(
        "import functools\n" + PRIOR, 'p = functools.partial(prior, "a")\na = p(n)'
    ),
    "a helper of a dictionary": called(PRIOR, 'a = {"p": prior}["p"]("a", n)'),
    "a helper that deletes": called(
        """
        def prior(name, n):
            del n
            n = 1
            return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))
        """,
        'a = prior("a", n)',
    ),
    "a helper that is a generator": called(
        """
        def prior(name, n):
            yield numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))
        """,
        'a = next(prior("a", n))',
    ),
    "a helper that is a generator, run later": called(
        """
        def prior(name, n):
            yield numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))
        """,
        'g = prior("a", n)\na = next(g)',
    ),
    "a helper that is a context": called(
        """
        import contextlib

        @contextlib.contextmanager
        def prior(name, n):
            yield numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))
        """,
        'with prior("a", n) as a:\n    b = 1.0',
    ),
    "a helper that returns a function that samples": called(
        """
        def prior(name, n):
            def draw():
                return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))
            return draw
        """,
        'a = prior("a", n)()',
    ),
    "a helper that returns a function that samples, run later": called(
        """
        def prior(name, n):
            return lambda: numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))
        """,
        'draw = prior("a", n)\na = draw()',
    ),
    "a helper that changes a local of a closure": by_mu(
        """
        def model(n):
            size = n
            def prior(name):
                nonlocal size
                size = 1
                return numpyro.sample(name, dist.Normal(jnp.zeros(size), 1))
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = prior("a")
            return a * size
        """
    ),
    "a nested helper with a size of the caller's that changes": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            def prior(name):
                return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))
            n = 1
            a = prior("a")
            return a
        """
    ),
    "a nested helper that hides one of the file": called(
        PRIOR,
        """
        def prior(name, n):
            return numpyro.sample(name, dist.Normal(0, 1))
        a = prior("a", n)
        """,
    ),
    "a helper that hides itself in itself": called(
        """
        def prior(name, n):
            def prior(name, n):
                return numpyro.sample(name, dist.Normal(0, 1))
            return prior(name, n)
        """,
        'a = prior("a", n)',
    ),
    "helpers that call each other": called(
        """
        def one(name, n):
            return two(name, n - 1) if n > 2 else numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

        def two(name, n):
            return one(name, n - 1)
        """,
        'a = one("a", n)',
    ),
    "a helper that calls the model": called(
        """
        def again(n):
            return model(n - 3) if n > 3 else 0.0
        """,
        f"again(n)\na = {A}",
    ),
    "a helper three deep with names crossed": called(
        """
        def one(name, n):
            return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

        def two(n, name):
            return one(name=n, n=name)

        def three(m):
            name = m
            return two("a", name)
        """,
        "a = three(n)",
    ),
    "a helper whose local is the caller's argument": called(
        """
        def prior(name, m):
            n = 1
            with numpyro.plate("i", m):
                return numpyro.sample(name, dist.Normal(n, 1))
        """,
        'a = prior("a", n)',
        expected="rewritten",
    ),
    "a helper whose local is in the prior's size": called(
        """
        def prior(name, m):
            n = 1
            return numpyro.sample(name, dist.Normal(jnp.zeros(n), m))
        """,
        'a = prior("a", n)',
    ),
    "a helper whose import hides the file's": called(
        """
        def prior(name, n):
            import types
            jnp = types.SimpleNamespace(zeros=lambda n: 0.0)
            return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))
        """,
        'a = prior("a", n)',
    ),
}

HYPER = """
def hyper(k):
    with numpyro.plate("k", k):
        v = numpyro.sample("v", dist.Normal(0, 1))
    w = numpyro.sample("w", dist.HalfNormal(1))
"""
VW: dict[str, Any] = {
    "config": '[sites.a]\noffset = ["v", "w"]',
    "offsets": {"a": "xi_a_v * v.mean() + xi_a_w * w"},
}
V = 'v = numpyro.sample("v", dist.Normal(0, 1))'


def gives(body: str, code: str, **k: Any) -> Hostile:
    """A helper `hyper` of these lines, that samples `v`, for these statements and then `a`."""
    text = textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
    code = textwrap.dedent(code).strip("\n")
    return called(f"def hyper(n):\n{text}\n", f"{code}\na = {A}\nreturn a", **{**BY_V, **k})


PARENTS = {
    "a tuple in another order": called(
        HYPER + "    return w, v\n", f"v, w = hyper(2)\na = {A}\nreturn v, w", **VW
    ),
    "a tuple that is kept": called(HYPER + "    return w, v\n", f"p = hyper(2)\na = {A}", **VW),
    "a tuple in a tuple": called(
        HYPER + "    return 1.0, (w, [v])\n", f"one, (x, (y,)) = hyper(2)\na = {A}", **VW
    ),
    "a tuple with a star": called(
        HYPER + "    return 1.0, w, v\n", f"one, *rest = hyper(2)\na = {A}\nreturn rest", **VW
    ),
    "a tuple that is swapped after": called(
        HYPER + "    return v, w\n", f"v, w = hyper(2)\nv, w = w, v\na = {A}", **VW
    ),
    "a tuple that is unpacked into one name": called(
        HYPER + "    return v, w\n", f"x, x = hyper(2)\na = {A}\nreturn x", **VW
    ),
    "a tuple, indexed": called(
        HYPER + "    return v, w\n", f"x = hyper(2)[1]\na = {A}\nreturn x", **VW
    ),
    "a dictionary with an entry replaced": called(
        HYPER + "    return dict(v=v, w=w)\n", f'p = hyper(2)\np["w"] = 9.0\na = {A}', **VW
    ),
    "a dictionary that is updated": called(
        HYPER + "    return {'v': v, 'w': w}\n", f"p = hyper(2)\np.update(w=9.0)\na = {A}", **VW
    ),
    "a dictionary that is popped": called(
        HYPER + "    return {'v': v, 'w': w}\n", f"p = hyper(2)\nw = p.pop('w')\na = {A}", **VW
    ),
    "a dictionary under another name, changed": called(
        HYPER + "    return {'v': v, 'w': w}\n", f"p = hyper(2)\nq = p\nq['w'] = 9.0\na = {A}", **VW
    ),
    "a dictionary that a call changes": called(
        "def spoil(p):\n    p['w'] = 9.0\n\n" + HYPER + "    return {'v': v, 'w': w}\n",
        f"p = hyper(2)\nspoil(p)\na = {A}",
        **VW,
    ),
    "a dictionary with a key twice": called(
        HYPER + "    return {'v': v, 'w': w, 'v': 9.0}\n", f"p = hyper(2)\na = {A}", **VW
    ),
    "a dictionary with another unpacked before": called(
        HYPER + "    return {**{'w': 9.0}, 'v': v, 'w': w}\n",
        f"p = hyper(2)\na = {A}",
        **VW,
        expected="rewritten",
    ),
    "a dictionary with another unpacked": called(
        HYPER + "    return {'v': v, 'w': w, **{'w': 9.0}}\n", f"p = hyper(2)\na = {A}", **VW
    ),
    "a dictionary under keys of others": called(
        HYPER + "    return {'v': w, 'w': v}\n", f"p = hyper(2)\na = {A}", **VW
    ),
    "a dictionary under keys in variables": called(
        HYPER + "    v_, w_ = 'w', 'v'\n    return {v_: v, w_: w}\n", f"p = hyper(2)\na = {A}", **VW
    ),
    "a dictionary that is merged": called(
        HYPER + "    return {'v': v, 'w': w}\n",
        f"p = {{'w': 9.0}} | hyper(2) | {{'v': 9.0}}\na = {A}",
        **VW,
    ),
    "a dictionary put together in the helper": called(
        HYPER + "    p = {}\n    p['v'] = v\n    p['w'] = w\n    p['w'] = 9.0\n    return p\n",
        f"p = hyper(2)\na = {A}",
        **VW,
    ),
    "a dictionary that is the caller's": called(
        """
        def hyper(p):
            p["v"] = numpyro.sample("v", dist.Normal(0, 1))
            p["v2"] = 2 * p["v"]
        """,
        f"p = {{}}\nhyper(p)\na = {A}",
        **BY_V,
    ),
    "a dictionary of a class that changes what it gets": called(
        """
        class Double(dict):
            def __getitem__(self, key):
                return 2 * super().__getitem__(key)

        def hyper():
            return Double(v=numpyro.sample("v", dist.Normal(0, 1)))
        """,
        f"p = hyper()\na = {A}\nreturn p['v']",
        **BY_V,
    ),
    "a dictionary by locals": called(
        HYPER + "    return locals()\n", f"p = hyper(2)\na = {A}\nreturn p['w']", **VW
    ),
    "a named tuple": called(
        "import typing\n\nclass P(typing.NamedTuple):\n    w: object\n    v: object\n\n"
        + HYPER
        + "    return P(v=v, w=w)\n",
        f"p = hyper(2)\na = {A}\nreturn p.v",
        **VW,
    ),
    "changed in the helper": gives(V + "\nv = 2 * v\nreturn v", "v = hyper(n)"),
    "changed in the helper by an augmented assignment": gives(
        V + "\nv += 2.0\nreturn v", "v = hyper(n)"
    ),
    "changed in the helper, returned before": gives(
        f"{V}\nif n > 2:\n    return v\nv = 2 * v\nreturn v", "v = hyper(n)"
    ),
    "returned in one of two branches": gives(
        f"{V}\nif n > 2:\n    return 2 * v\nelse:\n    return v", "v = hyper(n)"
    ),
    "returned by a finally": gives(
        f"{V}\ntry:\n    return v\nfinally:\n    return 2 * v", "v = hyper(n)"
    ),
    "returned with a try that changes": gives(
        f"{V}\ntry:\n    v = 2 * v\n    {{}}['x']\nexcept KeyError:\n    pass\nreturn v",
        "v = hyper(n)",
    ),
    "returned from a loop": gives(f"{V}\nfor v in [2 * v]:\n    pass\nreturn v", "v = hyper(n)"),
    "returned from a loop, at first": gives(
        f"for _ in range(2):\n    {V}\n    return v", "v = hyper(n)"
    ),
    "returned by a comprehension with its name": gives(
        f"{V}\nx = [v for v in (1, 2)]\nreturn v", "v = hyper(n)"
    ),
    "returned after a walrus in a comprehension": gives(
        f"{V}\nx = [(v := k) for k in (1, 2)]\nreturn v", "v = hyper(n)"
    ),
    "returned after a nested function changes it": gives(
        f"{V}\ndef twice():\n    nonlocal v\n    v = 2 * v\ntwice()\nreturn v", "v = hyper(n)"
    ),
    "returned after an import of its name": gives(
        f"{V}\nimport math as v\nv = v.pi\nreturn v", "v = hyper(n)"
    ),
    "returned after an import": gives(f"{V}\nimport math as v\nreturn v.pi", "v = hyper(n)"),
    "returned after a with of its name": gives(
        f"import contextlib\n{V}\nwith contextlib.nullcontext(2 * v) as v:\n    pass\nreturn v",
        "v = hyper(n)",
    ),
    "returned after a match of its name": gives(
        f"{V}\nmatch 2 * v:\n    case v:\n        pass\nreturn v", "v = hyper(n)"
    ),
    "returned after an except of its name": gives(
        f"x = {V[4:]}\ntry:\n    1 / 0\nexcept ZeroDivisionError as v:\n"
        f"    pass\nv = 2 * x\nreturn v",
        "v = hyper(n)",
    ),
    "returned or something else": gives(V + "\nreturn v if n > 5 else 0.0", "v = hyper(n)"),
    "returned or, by an or": gives(V + "\nreturn n and 2.0 or v", "v = hyper(n)"),
    "returned, changed by the caller": gives(V + "\nreturn v", "v = 2 * hyper(n)"),
    "returned, changed by the caller after": gives(V + "\nreturn v", "v = hyper(n)\nv = 2 * v"),
    "returned, changed in a loop after": gives(
        V + "\nreturn v", "v = hyper(n)\nfor k in range(2):\n    v = v + k"
    ),
    "returned, deleted after": gives(V + "\nreturn v", "v = hyper(n)\ndel v"),
    "returned, in an if that isn't reached": gives(
        V + "\nreturn v", "v = 5.0\nif n > 5:\n    v = hyper(n)", children=[], offsets={}
    ),
    "returned, in one branch": gives(
        V + "\nreturn v", "if n < 5:\n    v = hyper(n)\nelse:\n    v = 1.0"
    ),
    "returned, by a conditional expression": gives(
        V + "\nreturn v", "v = hyper(n) if n < 5 else 1.0"
    ),
    "returned, by two calls in branches": gives(
        V + "\nreturn v", "if n > 5:\n    v = hyper(n)\nelse:\n    v = 2 * hyper(n)"
    ),
    "returned, by a call in two scopes": gives(
        V + "\nreturn v",
        """
        with numpyro.handlers.scope(prefix="s"):
            v = hyper(n)
        with numpyro.handlers.scope(prefix="t"):
            u = hyper(n)
        v = hyper(n)
        """,
    ),
    "returned in a list's element": gives(V + "\nreturn v", "p = [hyper(n), 1.0]\np[0] = 3.0"),
    "returned with an in-place change": gives(
        V + "\nreturn v[None]", "v = hyper(n)\nv = v.at[0].set(3.0)"
    ),
    "returned through a helper that changes it": called(
        """
        def inner():
            return numpyro.sample("v", dist.Normal(0, 1))

        def hyper():
            return 2 * inner()
        """,
        f"v = hyper()\na = {A}",
        **BY_V,
    ),
    "returned through a helper that names it": called(
        """
        def inner():
            return numpyro.sample("v", dist.Normal(0, 1))

        def hyper():
            x = inner()
            return 1.0, x
        """,
        f"u, v = hyper()\na = {A}\nreturn u",
        **BY_V,
    ),
    "returned through a helper that crosses": called(
        """
        def inner():
            v = numpyro.sample("v", dist.Normal(0, 1))
            w = numpyro.sample("w", dist.HalfNormal(1))
            return v, w

        def hyper():
            w, v = inner()
            return w, v
        """,
        f"w, v = hyper()\na = {A}\nreturn w",
        **BY_V,
    ),
    "returned by its argument": called(
        """
        def hyper(v):
            numpyro.sample("v", dist.Normal(0, 1))
            return v
        """,
        f"v = hyper(7.0)\na = {A}\nreturn v",
        **BY_V,
    ),
    "returned as a deterministic": called(
        """
        def hyper():
            x = numpyro.sample("x", dist.Normal(0, 1))
            return numpyro.deterministic("v", 2 * x)
        """,
        f"v = hyper()\na = {A}",
        **BY_V,
    ),
    "returned with other axes": called(
        """
        def hyper(n):
            with numpyro.plate("i", n):
                v = numpyro.sample("v", dist.Normal(0, 1))
            return v[:, None]
        """,
        f'v = hyper(n)\nwith numpyro.plate("i", n):\n    a = {A}',
        **BY_V,
    ),
    "returned by a transposing tuple": called(
        """
        def hyper(n):
            with numpyro.plate("i", n), numpyro.plate("j", n):
                v = numpyro.sample("v", dist.Normal(0, 1))
            return v, v.T
        """,
        f'u, v = hyper(n)\nwith numpyro.plate("i", n), numpyro.plate("j", n):\n    a = {A}\n'
        "return u",
        **BY_V,
    ),
    "in a plate of the helper, of the size of the child's": called(
        """
        def hyper(m):
            with numpyro.plate("i", m):
                return numpyro.sample("v", dist.Normal(0, 1))
        """,
        f'v = hyper(n)\nwith numpyro.plate("i", n):\n    a = {A}',
        **BY_V,
        expected="rewritten",
    ),
    "in a plate of the helper, of a size that the caller rebinds": called(
        """
        def hyper(m):
            with numpyro.plate("i", m):
                return numpyro.sample("v", dist.Normal(0, 1))
        """,
        f'v = hyper(n)\nn = 1\nwith numpyro.plate("j", n):\n    a = {A}',
        **BY_MEAN_V,
    ),
    "with an event size that the caller rebinds": called(
        """
        def hyper(m):
            return numpyro.sample("v", dist.Normal(jnp.zeros(m), 1).to_event(1))
        """,
        'v = hyper(n)\nn = 1\na = numpyro.sample("a", dist.Normal(jnp.zeros(n), 1).to_event(1))',
        **BY_MEAN_V,
    ),
    "with an event size of the helper's": called(
        """
        def hyper(n):
            n = n - 2
            return numpyro.sample("v", dist.Normal(jnp.zeros(n), 1).to_event(1))
        """,
        'v = hyper(n)\na = numpyro.sample("a", dist.Normal(jnp.zeros(n), 1).to_event(1))',
        **BY_V,
    ),
    "of size 1 against the child's": called(
        """
        def hyper(name, n):
            return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))
        """,
        'v = hyper("v", n)\na = hyper("a", 1)',
        **BY_MEAN_V,
        loud=True,
        fails="can't be lined up",
    ),
    "of a size against the child's, by one helper": called(
        """
        def hyper(name, n):
            return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))
        """,
        'v = hyper("v", n)\nn = 1\na = hyper("a", n)\nreturn v',
        **BY_MEAN_V,
        loud=True,
        fails="can't be lined up",
    ),
    "in a plate of one name, of another size": called(
        """
        def hyper(n):
            with numpyro.plate("i", n):
                return numpyro.sample("v", dist.Normal(0, 1))
        """,
        'v = hyper(n)\nwith numpyro.plate("i2", 1):\n'
        '    a = numpyro.sample("a", dist.Normal(0, 1))',
        **BY_MEAN_V,
    ),
    "with a dim of an argument": called(
        """
        def hyper(n, dim):
            with numpyro.plate("i", n, dim=dim):
                return numpyro.sample("v", dist.Normal(0, 1))
        """,
        f'v = hyper(n, -2)\nwith numpyro.plate("i", n, dim=-1):\n    a = {A}',
        **BY_V,
        children=[],
    ),
    "with a dim, lined up": called(
        """
        def hyper(n):
            with numpyro.plate("i", n, dim=-2):
                return numpyro.sample("v", dist.Normal(0, 1))
        """,
        f'v = hyper(n)\nwith numpyro.plate("i", n, dim=-2), numpyro.plate("j", n, dim=-1):\n'
        f"    a = {A}",
        **BY_V,
    ),
    "under the plate of the caller": called(
        """
        def hyper():
            return numpyro.sample("v", dist.Normal(0, 1))
        """,
        f'with numpyro.plate("j", 2):\n    v = hyper()\nwith numpyro.plate("i", n):\n    a = {A}',
        **BY_MEAN_V,
    ),
    "under a plate that stays open": called(
        """
        def hyper():
            return numpyro.sample("v", dist.Normal(0, 1))
        """,
        f'p = numpyro.plate("j", n)\np.__enter__()\nv = hyper()\n'
        f"p.__exit__(None, None, None)\na = {A}",
        **BY_MEAN_V,
    ),
    "an array's name of the caller": called(
        """
        def hyper():
            return numpyro.sample("v", dist.Normal(0, 1))
        """,
        f"jnp = 1.0\nv = hyper()\na = {A}\nreturn jnp",
        **BY_V,
    ),
    "kept by a global": called(
        """
        STATE = {}

        def hyper():
            STATE["v"] = numpyro.sample("v", dist.Normal(0, 1))

        def use():
            return STATE["v"]
        """,
        f"hyper()\na = {A}\nreturn use()",
        **BY_V,
    ),
    "kept by a global name": called(
        """
        v = 3.0

        def hyper():
            global v
            v = numpyro.sample("v", dist.Normal(0, 1))
        """,
        f"hyper()\na = {A}\nreturn v",
        **BY_V,
    ),
    "a chain of helpers": chained(
        PRIOR
        + """

def model(n):
    mu = prior("mu", 1)
    n = n + 1
    a = prior("a", n)
    n = n - 2
    b = prior("b", n)
    return b
""",
        offsets={"a": "xi_a_mu * mu.mean()", "b": "xi_b_mu * mu.mean() + xi_b_a * a.mean()"},
    ),
    "a chain of helpers in one statement": chained(
        PRIOR + '\n\ndef model(n):\n    return prior("mu", n), prior("a", n), prior("b", n)\n',
    ),
    "a chain of helpers in the reverse order of evaluation": chained(
        PRIOR
        + '\n\ndef model(n):\n    x = dict(b=prior("b", n), a=prior("a", n), mu=prior("mu", n))\n'
        "    return x\n",
        children=[],
        offsets={},
    ),
    "a chain in one helper, of arguments": chained(
        """
        def pair(one, two, n):
            x = numpyro.sample(one, dist.Normal(jnp.zeros(n), 1))
            y = numpyro.sample(two, dist.Normal(jnp.zeros(n), 1))
            return x, y

        def model(n):
            mu, a = pair("mu", "a", n)
            b = numpyro.sample("b", dist.Normal(jnp.zeros(n), 1))
        """,
    ),
    "a chain in one helper, of which the child is the first": by_mu(
        """
        def pair(one, two, n):
            x = numpyro.sample(one, dist.Normal(jnp.zeros(n), 1))
            y = numpyro.sample(two, dist.Normal(jnp.zeros(n), 1))
            return x, y

        def model(n):
            mu, x = pair("mu", "c", n)
            a, x = pair("a", "d", n)
            return mu, x
        """,
    ),
    "an observed parent by an argument": called(
        """
        def hyper(obs=None):
            return numpyro.sample("v", dist.Normal(jnp.zeros(3), 1), obs=obs)
        """,
        f"v = hyper(jnp.ones((2, 3)))\na = {A}",
        **BY_V,
        children=[],
        matter=False,
    ),
}

METHODS = {
    "overridden in a subclass": by_mu(
        """
        class M:
            def noise(self, name, n):
                return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self.noise("a", n)
                return a

        class N(M):
            def noise(self, name, n):
                return super().noise(name, 1)

        def model(n):
            return N().model(n)
        """,
        config='functions = ["M.model"]\n' + '[sites.a]\noffset = "mu"',
    ),
    "overridden in the instance": by_mu(
        """
        class M:
            def noise(self, name, n):
                return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self.noise("a", n)
                return a

        def model(n):
            m = M()
            m.noise = lambda name, n: numpyro.sample(name, dist.Normal(0, 1))
            return m.model(n)
        """,
        config='functions = ["M.model"]\n' + '[sites.a]\noffset = "mu"',
    ),
    "overridden in init": method(
        """
        class M:
            def __init__(self):
                self.noise = lambda name, n: numpyro.sample(name, dist.Normal(0, 1))

            def noise(self, name, n):
                return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self.noise("a", n)
                return a
        """
    ),
    "overridden by setattr": method(
        """
        class M:
            def noise(self, name, n):
                return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self.noise("a", n)
                return a

        setattr(M, "noise", lambda self, name, n: numpyro.sample(name, dist.Normal(0, 1)))
        """
    ),
    "overridden on the class": method(
        """
        class M:
            def noise(self, name, n):
                return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self.noise("a", n)
                return a

        M.noise = lambda self, name, n: numpyro.sample(name, dist.Normal(0, 1))
        """
    ),
    "by a property of the class": method(
        """
        class M:
            size = 3

            def noise(self, name):
                self.size = 1
                return numpyro.sample(name, dist.Normal(jnp.zeros(self.size), 1))

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self.noise("a")
                return a
        """
    ),
    "by a property that changes": method(
        """
        class M:
            calls = 0

            @property
            def size(self):
                self.calls += 1
                return 3 if self.calls < 2 else 1

            def noise(self, name):
                return numpyro.sample(name, dist.Normal(jnp.zeros(self.size), 1))

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self.noise("a")
                return a
        """
    ),
    "by a size that the method sets": method(
        """
        class M:
            def noise(self, name, n):
                self.n = n - 2
                with numpyro.plate("i", self.n):
                    return numpyro.sample(name, dist.Normal(0, 1))

            def model(self, n):
                self.n = n
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self.noise("a", n)
                return a
        """
    ),
    "by a size that another method sets": method(
        """
        class M:
            def shrink(self):
                self.n = 1

            def noise(self, name):
                self.shrink()
                with numpyro.plate("i", self.n):
                    return numpyro.sample(name, dist.Normal(0, 1))

            def model(self, n):
                self.n = n
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self.noise("a")
                return a
        """
    ),
    "static": method(
        """
        class M:
            @staticmethod
            def noise(name, n):
                return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self.noise("a", n)
                return a
        """
    ),
    "of the class": method(
        """
        class M:
            n = 3

            @classmethod
            def noise(cls, name):
                return numpyro.sample(name, dist.Normal(jnp.zeros(cls.n), 1))

            def model(self, n):
                self.n = 1
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self.noise("a")
                return a
        """
    ),
    "through super": method(
        """
        class Base:
            def noise(self, name, n):
                return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

        class M(Base):
            def noise(self, name, n):
                return super().noise(name + "_x", 1)

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = super().noise("a", n)
                b = self.noise("a", n)
                return a
        """
    ),
    "of a self that is another": method(
        """
        class Other:
            def noise(self, name, n):
                return numpyro.sample(name, dist.Normal(0, 1))

        class M:
            def noise(self, name, n):
                return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

            def model(self, n):
                self = Other()
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self.noise("a", n)
                return a
        """
    ),
    "with a self under another name": method(
        """
        class M:
            def noise(this, self, n):
                return numpyro.sample(self, dist.Normal(jnp.zeros(n), 1))

            def model(me, self):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = me.noise("a", self)
                return a
        """
    ),
    "with a self under the caller's name of another": method(
        """
        class M:
            n = 3

            def noise(this, name):
                self = 1
                return numpyro.sample(name, dist.Normal(jnp.zeros(this.n), self))

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self.noise("a")
                return a
        """
    ),
    "of a metaclass": method(
        """
        class Meta(type):
            def __getattribute__(cls, name):
                return super().__getattribute__(name)

        class M(metaclass=Meta):
            def __getattribute__(self, name):
                if name == "noise":
                    return lambda name, n: numpyro.sample(name, dist.Normal(0, 1))
                return super().__getattribute__(name)

            def noise(self, name, n):
                return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self.noise("a", n)
                return a
        """
    ),
    "of a class that is decorated": by_mu(
        """
        def spoil(cls):
            cls.noise = lambda self, name, n: numpyro.sample(name, dist.Normal(0, 1))
            return cls

        @spoil
        class M:
            def noise(self, name, n):
                return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self.noise("a", n)
                return a

        def model(n):
            return M().model(n)
        """,
        config='functions = ["M.model"]\n' + '[sites.a]\noffset = "mu"',
    ),
    "private to the class": method(
        """
        class Base:
            def __noise(self, name, n):
                return numpyro.sample(name, dist.Normal(0, 1))

        class M(Base):
            def __noise(self, name, n):
                return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self.__noise("a", n)
                return a
        """
    ),
    "private to a base, by its private name": by_mu(
        """
        class Base:
            def __noise(self, name, n):
                return numpyro.sample(name, dist.Normal(0, 1))

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self.__noise("a", n)
                return a

        class M(Base):
            def __noise(self, name, n):
                return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

        def model(n):
            return M().model(n)
        """,
        config='functions = ["Base.model"]\n' + '[sites.a]\noffset = "mu"',
    ),
    "of two bases": by_mu(
        """
        class One:
            def noise(self, name, n):
                return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

        class Two:
            def noise(self, name, n):
                return numpyro.sample(name, dist.Normal(0, 1))

        class M(One):
            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self.noise("a", n)
                return a

        class Mixed(Two, M):
            pass

        def model(n):
            return Mixed().model(n)
        """,
        config='functions = ["M.model"]\n' + '[sites.a]\noffset = "mu"',
    ),
    "of a base that is out of sight": method(
        """
        import types

        Hidden = type("Hidden", (), {
            "noise": lambda self, name, n: numpyro.sample(name, dist.Normal(0, 1))
        })

        class Base:
            def noise(self, name, n):
                return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

        class M(Hidden, Base):
            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self.noise("a", n)
                return a
        """
    ),
    "with an attribute overwritten by a second method": method(
        """
        class M:
            def hyper(self):
                self.mu = numpyro.sample("mu", dist.Normal(0, 1))

            def spoil(self):
                self.mu = 100.0

            def model(self, n):
                self.hyper()
                self.spoil()
                a = numpyro.sample("a", dist.Normal(0, 1))
                return self.mu
        """
    ),
    "with an attribute overwritten by a function": method(
        """
        def spoil(m):
            m.mu = 100.0

        class M:
            def hyper(self):
                self.mu = numpyro.sample("mu", dist.Normal(0, 1))

            def model(self, n):
                self.hyper()
                spoil(self)
                a = numpyro.sample("a", dist.Normal(0, 1))
                return self.mu
        """
    ),
    "with an attribute overwritten by the method itself": method(
        """
        class M:
            def hyper(self):
                self.mu = numpyro.sample("mu", dist.Normal(0, 1))
                self.mu = 2 * self.mu

            def model(self, n):
                self.hyper()
                a = numpyro.sample("a", dist.Normal(0, 1))
                return self.mu
        """
    ),
    "with an attribute augmented by the caller": method(
        """
        class M:
            def hyper(self):
                self.mu = numpyro.sample("mu", dist.Normal(0, 1))

            def model(self, n):
                self.hyper()
                self.mu += 2
                a = numpyro.sample("a", dist.Normal(0, 1))
                return self.mu
        """
    ),
    "with an attribute that has a setter": method(
        """
        class M:
            @property
            def mu(self):
                return 2 * self._mu

            @mu.setter
            def mu(self, value):
                self._mu = value

            def hyper(self):
                self.mu = numpyro.sample("mu", dist.Normal(0, 1))

            def model(self, n):
                self.hyper()
                a = numpyro.sample("a", dist.Normal(0, 1))
                return self.mu
        """
    ),
    "with a setter in a subclass": by_mu(
        """
        class M:
            def hyper(self):
                self.mu = numpyro.sample("mu", dist.Normal(0, 1))

            def model(self, n):
                self.hyper()
                a = numpyro.sample("a", dist.Normal(0, 1))
                return self.mu

        class N(M):
            def __setattr__(self, name, value):
                super().__setattr__(name, 2 * value)

        def model(n):
            return N().model(n)
        """,
        config='functions = ["M.model"]\n' + '[sites.a]\noffset = "mu"',
        children=[],
        offsets={},
    ),
    "with an attribute through a dictionary": method(
        """
        class M:
            def hyper(self):
                self.mu = numpyro.sample("mu", dist.Normal(0, 1))

            def model(self, n):
                self.hyper()
                self.__dict__["mu"] = 100.0
                a = numpyro.sample("a", dist.Normal(0, 1))
                return self.mu
        """
    ),
    "with an attribute through vars and another name": method(
        """
        class M:
            def hyper(self):
                self.mu = numpyro.sample("mu", dist.Normal(0, 1))

            def model(self, n):
                me = self
                self.hyper()
                me.mu = 100.0
                a = numpyro.sample("a", dist.Normal(0, 1))
                return self.mu
        """
    ),
    "with an attribute in one branch of the method": method(
        """
        class M:
            mu = 7.0

            def hyper(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                if n > 5:
                    self.mu = mu

            def model(self, n):
                self.hyper(n)
                a = numpyro.sample("a", dist.Normal(0, 1))
                return self.mu
        """
    ),
    "with an attribute of an attribute": method(
        """
        import types

        class M:
            def __init__(self):
                self.p = types.SimpleNamespace()
                self.q = self.p

            def hyper(self):
                self.p.mu = numpyro.sample("mu", dist.Normal(0, 1))
                self.q.mu = 5.0

            def model(self, n):
                self.hyper()
                a = numpyro.sample("a", dist.Normal(0, 1))
                return self.p.mu
        """
    ),
    "with two instances": by_mu(
        """
        class M:
            def __init__(self, other=None):
                self.other = other

            def hyper(self):
                self.mu = numpyro.sample("mu", dist.Normal(0, 1))

            def model(self, n):
                self.mu = 50.0
                self.other.hyper()
                a = numpyro.sample("a", dist.Normal(0, 1))
                return self.mu

        def model(n):
            return M(M()).model(n)
        """,
        config='functions = ["M.model"]\n' + '[sites.a]\noffset = "mu"',
    ),
    "that are called by the class": method(
        """
        class M:
            def noise(self, name, n):
                return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = M.noise(self, "a", n)
                return a
        """
    ),
    "that are called": method(
        """
        class M:
            def __call__(self, name, n):
                return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self("a", n)
                return a
        """
    ),
    "that are hidden by a local function": method(
        """
        class M:
            def noise(self, name, n):
                return numpyro.sample(name, dist.Normal(jnp.zeros(n), 1))

            def model(self, n):
                def noise(name, n):
                    return numpyro.sample(name, dist.Normal(0, 1))
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = noise("a", n)
                return a
        """
    ),
    "whose names are in an attribute": method(
        """
        class M:
            def __init__(self, name="a"):
                self.name = name

            def noise(self, n):
                return numpyro.sample(f"{self.name}_x", dist.Normal(jnp.zeros(n), 1))

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                x = self.noise(n)
                return x
        """,
        config='[sites."{self.name}_x"]\noffset = "mu"',
        children=["a_x"],
        offsets={"a_x": "xi_a_x_mu * mu"},
    ),
    "whose names are in an attribute that the method changes": method(
        """
        class M:
            name = "b"

            def noise(self, n):
                self.name = "a"
                return numpyro.sample(f"{self.name}_x", dist.Normal(jnp.zeros(n), 1))

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                x = self.noise(n)
                return x
        """,
        config='[sites."{self.name}_x"]\noffset = "mu"',
        children=["a_x"],
        offsets={"a_x": "xi_a_x_mu * mu"},
    ),
    "whose names are made of a self that is another's": by_mu(
        """
        class Part:
            def __init__(self, name):
                self.name = name

            def noise(self, n):
                return numpyro.sample(self.name + "_x", dist.Normal(jnp.zeros(n), 1))

        class M:
            def __init__(self):
                self.name = "z"
                self.part = Part("a")

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                x = self.part.noise(n)
                return x

        def model(n):
            return M().model(n)
        """,
        config='functions = ["M.model"]\n[sites."{self.name}_x"]\noffset = "mu"',
        children=["a_x"],
        offsets={"a_x": "xi_a_x_mu * mu"},
    ),
}

BRANCHES = {
    "both, of other sizes": flow(
        f'if n > 5:\n    a = {A}\nelse:\n    a = numpyro.sample("a", dist.Normal(jnp.zeros(n), 1))'
    ),
    "both, of supports that differ": flow(
        f'if n > 5:\n    a = {A}\nelse:\n    a = numpyro.sample("a", dist.Beta(2, 2))\nreturn a'
    ),
    "both, of names that differ": flow(
        f"if n > 5:\n    x = {A}\nelse:\n    y = 2 * {A} + mu\nreturn mu"
    ),
    "both, with the parent changed in one": flow(
        f"if n > 5:\n    a = {A}\nelse:\n    mu = 2 * mu\n    a = {A}\nreturn mu"
    ),
    "both, with the size changed in one": flow(
        f"if n > 5:\n    a = {A}\nelse:\n    n = 1\n"
        f'    with numpyro.plate("i", n):\n        a = {A}\n'
        "return n"
    ),
    "both, and a third after a return": flow(
        f"if n > 5:\n    return {A}\nelif n > 4:\n    return 2 * {A}\nreturn mu * {A}"
    ),
    "both, and one without": flow(
        f"if n > 5:\n    a = {A}\nelif n > 2:\n    a = mu\nelse:\n    a = {A}\nreturn a"
    ),
    "two ifs of one test": flow(f"if n > 5:\n    a = {A}\nif n <= 5:\n    a = {A}\nreturn a"),
    "two ifs, of which both run": flow(f"if n > 5:\n    a = {A}\nif n > 2:\n    a = {A}\nreturn a"),
    "nested": flow(
        f"""
        if n > 5:
            if n > 6:
                a = {A}
            else:
                a = 1.0
        else:
            if n > 4:
                a = {A}
            else:  # here
                with numpyro.plate("i", n):
                    a = {A}  # now
        return a
        """
    ),
    "an elif after a nested if": flow(
        f"if n > 5:\n    if n > 6:\n        a = {A}\nelif n > 2:\n    a = {A}\nelse:\n    pass"
    ),
    "with observed in one, of another shape": flow(
        f"if n > 5:\n    a = {A}\nelse:\n"
        '    a = numpyro.sample("a", dist.Normal(0, 1), obs=jnp.ones(3))',
        children=[],
        offsets={},
        matter=False,
    ),
    "with obs that may be None": by_mu(
        """
        def model(n, y=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            if y is None:
                a = numpyro.sample("a", dist.Normal(0, 1))
            else:
                a = numpyro.sample("a", dist.Normal(0, 1), obs=y)
            return a
        """,
        args=(3, 1.0),
        children=[],
        offsets={},
        matter=False,
    ),
    "with obs that may be None, which it is": by_mu(
        """
        def model(n, y=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            if y is None:
                a = numpyro.sample("a", dist.Normal(0, 1))
            else:
                a = numpyro.sample("a", dist.Normal(0, 1), obs=y)
            return a
        """,
    ),
    "of a match with captures": flow(
        f"match [n, 2]:\n    case [5, mu]:\n        a = {A}\n    case [3, n]:\n        with "
        f'numpyro.plate("i", n):\n            a = {A}\n    case _:\n        a = {A}\nreturn n'
    ),
    "of a match that captures the parent": flow(
        f"match [n, 2.0]:\n    case [5, mu]:\n        a = {A}\n    case [3, mu]:\n        a = {A}\n"
        "return mu"
    ),
    "of a match with a guard": flow(
        f"match n:\n    case m if m > 5:\n        a = {A}\n    case n if (mu := 2.0) and n > 2:\n"
        f"        a = {A}\nreturn mu"
    ),
    "of a try's handlers": flow(
        f"try:\n    {{}}[n]\nexcept ValueError:\n    a = {A}\nexcept KeyError:\n"
        f"    a = {A}\nreturn a"
    ),
    "of a try and its else": flow(
        f"try:\n    n + 1\nexcept ValueError:\n    a = {A}\nelse:\n    a = {A}\nreturn a"
    ),
    "of a for and its else": flow(f"for k in range(0):\n    a = {A}\nelse:\n    a = {A}\nreturn a"),
    "of a while and its else": flow(
        f"while n > 5:\n    a = {A}\n    break\nelse:\n    a = {A}\nreturn a"
    ),
    "in a loop that ends at once": flow(
        f"for k in range(2):\n    if k > 0:\n        a = {A}\n        break\n    else:\n"
        f"        a = mu\nelse:\n    a = {A}\nreturn a"
    ),
    "of the parent, in both": flow(
        f"if n > 5:\n    b = {B}\nelse:\n    b = {B}\na = {A}",
        config='[sites.a]\noffset = "b"',
        offsets={"a": "xi_a_b * b"},
    ),
    "of the parent, in both, of other shapes": flow(
        f'if n > 5:\n    b = {B}\nelse:\n    with numpyro.plate("i", n):\n        b = {B}\na = {A}',
        config='[sites.a]\noffset = "b"',
        offsets={"a": "xi_a_b * b.mean()"},
    ),
    "of the parent, in both, of shapes in another order": flow(
        f"""
        if n > 5:
            with numpyro.plate("i", n), numpyro.plate("j", 2):
                b = {B}
        else:
            with numpyro.plate("j", 2), numpyro.plate("i", n):
                b = {B}
        with numpyro.plate("i", n), numpyro.plate("j", 2):
            a = {A}
        """,
        config='[sites.a]\noffset = "b"',
        offsets={"a": "xi_a_b * b.T"},
    ),
    "of the parent, in both, changed in one": flow(
        f"if n > 5:\n    b = {B}\nelse:\n    b = {B}\n    b = b * 2\na = {A}",
        config='[sites.a]\noffset = "b"',
        offsets={"a": "xi_a_b * b"},
    ),
    "of the parent, in one": flow(
        f"if n < 5:\n    b = {B}\nelse:\n    b = 0.0\na = {A}",
        config='[sites.a]\noffset = "b"',
        offsets={"a": "xi_a_b * b"},
    ),
    "of the parent, in one, bound before": flow(
        f"b = 10.0\nif n > 5:\n    b = {B}\na = {A}",
        config='[sites.a]\noffset = "b"',
        children=[],
        offsets={},
        matter=False,
    ),
    "of the parent, in one, of the child in the other": flow(
        f"b = 10.0\nif n > 5:\n    b = {B}\nelse:\n    a = {A}",
        config='[sites.a]\noffset = "b"',
        children=[],
        offsets={},
        matter=False,
    ),
    "of the parent, in a conditional expression": flow(
        f"b = {B} if n < 5 else 0.0\na = {A}",
        config='[sites.a]\noffset = "b"',
        offsets={"a": "xi_a_b * b"},
    ),
    "of the parent, in a conditional expression with a factor": flow(
        f"b = 3.0 * ({B} if n < 5 else 0.0)\na = {A}",
        config='[sites.a]\noffset = "b"',
        offsets={"a": "xi_a_b * b"},
    ),
    "of parent and child, in one test": flow(
        f"if n < 5:\n    b = {B}\nmu2 = mu\nif n < 5:\n    a = {A}",
        config='[sites.a]\noffset = "b"',
        offsets={"a": "xi_a_b * b"},
    ),
    "of the parent, in both parts of a conditional expression": flow(
        f"b = {B} if n > 5 else 2 * {B}\na = {A}",
        config='[sites.a]\noffset = "b"',
        offsets={"a": "xi_a_b * b"},
    ),
    "of the parent, each changed in the other's": flow(
        f"b = c = 1.0\nif n > 5:\n    b = {B}\n    c = 2 * b\nelse:\n"
        f"    c = {B}\n    b = 2 * c\na = {A}",
        config='[sites.a]\noffset = "b"',
        offsets={"a": "xi_a_b * b"},
    ),
    "of parent and child, where the parent is in both": flow(
        f"""
        if n > 5:
            b = {B}
            a = {A}
        else:
            with numpyro.plate("i", n):
                b = {B}
                b2 = b
                b = 5.0
                a = {A}
        return b
        """,
        config='[sites.a]\noffset = "b"',
        offsets={"a": "xi_a_b * b"},
    ),
    "of a chain": chained(
        f"""
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            if n > 5:
                a = {A}
                b = {B}
            elif n > 2:
                with numpyro.plate("i", n):
                    b = {B}
                    a = {A}
            else:
                b = {B}
            return mu
        """,
        children=[],
        offsets={},
    ),
    "of a chain in another order": chained(
        f"""
        def model(n):
            if n > 5:
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = {A}
            else:
                a = {A}
                mu = numpyro.sample("mu", dist.Normal(0, 1))
            b = {B}
            return mu
        """,
        children=[],
        offsets={},
        matter=False,
    ),
    "of a helper": called(
        """
        def noise(name, n):
            if n > 5:
                return numpyro.sample(name, dist.Normal(0, 1))
            elif n > 2:
                with numpyro.plate("i", n):
                    return numpyro.sample(name, dist.Normal(0, 1))
            return 0.0
        """,
        'a = noise("a", n)',
    ),
    "of a helper with other supports": called(
        """
        def noise(name, n):
            if n > 5:
                d = dist.Normal(0, 1)
            else:
                d = dist.HalfNormal(1)
            return numpyro.sample(name, d)
        """,
        'a = noise("a", n)',
    ),
    "of a helper with a prior by a conditional expression": called(
        """
        def noise(name, n):
            d = dist.Normal(0, 1) if n > 5 else dist.HalfNormal(1)
            return numpyro.sample(name, d)
        """,
        'a = noise("a", n)',
    ),
    "in a scan's body": by_mu(
        """
        from numpyro.contrib.control_flow import scan

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))

            def step(z, x):
                if n > 5:
                    a = numpyro.sample("a", dist.Normal(z, 1))
                else:
                    a = numpyro.sample("a", dist.Normal(2 * z, 1))
                return a, a

            _, zs = scan(step, 0.0, jnp.arange(n))
            return zs
        """,
        children=[],
        offsets={},
    ),
    "in a scan's body by a conditional expression": by_mu(
        """
        from numpyro.contrib.control_flow import scan

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))

            def step(z, x):
                a = numpyro.sample("a", dist.Normal(z, 1)) if n < 5 else z
                return a, a

            _, zs = scan(step, 0.0, jnp.arange(n))
            return zs
        """,
        children=[],
        offsets={},
    ),
}


def conditional(code: str, **k: Any) -> Hostile:
    return flow(code, **k)


CONDITIONALS = {
    "of a tuple": conditional(f"a, b = ({A}, 1) if n > 2 else (0, 1)\nreturn a * b"),
    "in a tuple": conditional(f"a, b = ({A} if n > 2 else 0), mu * 2\nreturn a * b"),
    "in a tuple after an effect": conditional(
        f"p = [1, 2]\nb, a = p.pop(), ({A} if p.pop() > 0 else 0)\nreturn a, b"
    ),
    "with chained targets": conditional(
        f"d = {{}}\na = d['a'] = c = {A} if n > 2 else 0.0\nreturn d, c"
    ),
    "with targets that have effects": conditional(
        f"d, k = {{}}, ['x', 'a']\nd[k.pop()] = {A} if len(k) == 2 else 0.0\nreturn len(k)"
    ),
    "with a walrus in the test": conditional(f"a = {A} if (m := n) > 2 else 0.0\nreturn m * a"),
    "with a walrus of the parent in the test": conditional(
        f"a = {A} if (mu := 2.0) and n > 2 else 0.0\nreturn mu * a"
    ),
    "with a walrus of the size in the test": conditional(
        'a = numpyro.sample("a", dist.Normal(jnp.zeros(n), 1)) if (n := n - 2) < 2 else 0.0\n'
        "return a"
    ),
    "with a walrus in the part": conditional(
        f"b = 2 * ((a := {A}) if n > 2 else 0.0) + a\nreturn b"
    ),
    "with a test that has effects": conditional(
        f"p = [1, 0]\na = {A} if p.pop() else 2 * {A}\nreturn len(p)"
    ),
    "with a test that raises": conditional(
        f"try:\n    a = {A} if {{}}['x'] else 0.0\nexcept KeyError:\n    a = mu\nreturn a"
    ),
    "in a lambda": conditional(f"f = lambda: {A} if n > 2 else 0.0\na = f()"),
    "in a comprehension": conditional(f"a = [{A} if n > 2 else 0.0 for _ in range(1)]\nreturn a"),
    "in a default": conditional(f"def f(a={A} if n > 2 else 0.0):\n    return a\nreturn f()"),
    "in an argument": conditional(f"a = jnp.exp({A} if n > 2 else 0.0) + mu\nreturn a"),
    "in an argument after another with an effect": conditional(
        f"p = [3, 4]\na = dict(x=p.pop(), y={A} if p.pop() == 3 else 0.0)\nreturn a['x']"
    ),
    "in a prior": conditional(
        f'b = numpyro.sample("b", dist.Normal({A} if n > 2 else 0.0, 1))\nreturn b'
    ),
    "in a prior of the plate": conditional(
        f'with numpyro.plate("i", n):\n'
        f'    b = numpyro.sample("b", dist.Normal({A} if n > 2 else 0.0, 1))\nreturn b'
    ),
    "in an augmented assignment": conditional(f"b = mu\nb += {A} if n > 2 else 0.0\nreturn b"),
    "in an annotated assignment": conditional(f"a: jax.Array = {A} if n > 2 else 0.0\nreturn a"),
    "in a return of a tuple": conditional(f"return ({A} if n > 2 else 0.0), mu, n"),
    "in a yield": by_mu(
        f"""
        def draws(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            yield {A} if n > 2 else 0.0

        def model(n):
            return next(draws(n))
        """,
    ),
    "in an await": by_mu(
        f"""
        import asyncio

        async def draw(x):
            return x

        async def inner(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = await draw({A} if n > 2 else 0.0)
            return a

        def model(n):
            try:
                inner(n).send(None)
            except StopIteration as stop:
                return stop.value
        """,
    ),
    "in an await, of the test": by_mu(
        f"""
        async def draw(x):
            return x

        async def inner(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = {A} if await draw(n) > 2 else 0.0
            return a

        def model(n):
            try:
                inner(n).send(None)
            except StopIteration as stop:
                return stop.value
        """,
    ),
    "in an assert": conditional(f"assert ({A} if n > 2 else 1) is not None"),
    "in a raise that is not reached": conditional(
        f"if n > 5:\n    raise ValueError({A} if n > 2 else 1)\na = {A}"
    ),
    "in a test": conditional(f"if ({A} if n > 2 else None) is not None:\n    b = 1"),
    "in a with's header": conditional(
        f"import contextlib\nwith contextlib.nullcontext({A} if n > 2 else 0.0) as a:\n    b = a"
    ),
    "in a loop": conditional(f"for k in range(2):\n    a = {A} if k == 1 else mu\nreturn a"),
    "on one line with others": conditional(
        f"b = 1; a = {A} if n > 2 else 0.0; c = mu * a  # one\nreturn c"
    ),
    "on one line with an if": conditional(f"if n: a = {A} if n > 2 else 0.0\nreturn a"),
    "on one line with a with": conditional(
        f'with numpyro.plate("i", n): a = {A} if n > 2 else 0.0\nreturn a'
    ),
    "with a type comment": conditional(f"a = {A} if n > 2 else 0.0  # type: float\nreturn a"),
    "over lines": conditional(
        """
        a = (
            numpyro.sample(
                "a",
                dist.Normal(0, 1),
            )
            if n > 2
            else mu * 3
        )
        return a
        """,
        expected="rewritten",
    ),
    "over lines with comments everywhere": conditional(
        """
        a = (  # one
            # two
            numpyro.sample("a", dist.Normal(0, 1))
            # three
            if n > 2  # four
            else mu * 3  # five
            # six
        )  # seven
        return a
        """
    ),
    "over lines with continuations": conditional(
        f"a = {A} \\\n        if n > 2 \\\n  else 0.0\nreturn a"
    ),
    "with strings over lines": conditional(f'a = {A} if """\n  x""" else """\n y\n"""\nreturn a'),
    "inside of each other, in the test": conditional(
        f"a = {A} if (1 if n > 2 else 0) else 0.0\nreturn a"
    ),
    "inside of each other, thrice": conditional(
        f"a = ({A} if n > 5 else ({A} if n > 4 else (2.0 if n > 3 else {A}))) + 1\nreturn a"
    ),
    "inside of each other, in the first part": conditional(
        f"a = ({A} if n > 2 else 1.0) if n > 1 else 2 * {A}\nreturn a"
    ),
    "two in one statement": conditional(
        f"x = ({A} if n > 2 else 1.0) + ({B} if n > 2 else 1.0)\nreturn x", **AB
    ),
    "two in one statement, of one site": conditional(
        f"x = ({A} if n > 2 else 1.0) + ({A} if n < 2 else 1.0)\nreturn x"
    ),
    "one for each": conditional(
        f'x = {A} if n > 2 else numpyro.sample("b", dist.Normal(jnp.zeros(n), 1))\nreturn x', **AB
    ),
    "one for each, with the part as the prior": conditional(
        'x = numpyro.sample("a", dist.Normal(0, 1) if n > 5 else dist.HalfNormal(1))\nreturn x'
    ),
    "with the name in it": conditional(
        'x = numpyro.sample("a" if n > 2 else "b", dist.Normal(0, 1))\nreturn x'
    ),
    "with parent and child": conditional(
        f'x = numpyro.sample("v", dist.Normal(0, 1)) if n > 5 else {A}\nreturn x',
        config='[sites.a]\noffset = ["v", "mu"]',
        children=[],
        offsets={},
        matter=False,
    ),
    "after a semicolon with tabs": by_mu(
        b"import numpyro\r\nimport numpyro.distributions as dist\r\n\r\ndef model(n):\r\n"
        b'\tmu = numpyro.sample("mu", dist.Normal(0, 1))\r\n'
        b"\tif n:\r\n"
        b'\t\tb = 1; a = numpyro.sample("a", dist.Normal(0, 1)) if n > 2 else 0.0 # x\r\n'
        b"\t\treturn a\r\n",
    ),
    "over lines with tabs": by_mu(
        b"import numpyro\r\nimport numpyro.distributions as dist\r\n\r\ndef model(n):\r\n"
        b'\tmu = numpyro.sample("mu", dist.Normal(0, 1))\r\n'
        b'\ta = (\r\n\t\tnumpyro.sample(\r\n\t\t\t"a", dist.Normal(0, 1)\r\n'
        b"\t\t)\r\n\t\tif n > 2\r\n"
        b"\t\telse 0.0\r\n\t)\r\n\treturn a",
    ),
    "in the last line without its end": by_mu(
        b"import numpyro\nimport numpyro.distributions as dist\n\ndef model(n):\n"
        b'  mu = numpyro.sample("mu", dist.Normal(0, 1))\n'
        b'  return numpyro.sample("a", dist.Normal(0, 1)) if n > 2 else 0.0',
    ),
    "in a decorated function of one line": by_mu(
        f"""
        def inner(mu, n): return {A} if n > 2 else 0.0

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            return inner(mu, n)
        """
    ),
    "in a subsampled plate": conditional(
        f'with numpyro.plate("i", n, subsample_size=2):\n    a = {A} if n > 2 else 0.0\nreturn a',
        full_size=(3,),
        offsets={},
    ),
    "with a shared coefficient": conditional(
        f"a = {A} if n > 5 else 3 * {A}\nreturn a",
        config='[sites.a]\noffset = "mu"\ncoefficient = "shared"',
    ),
    "with a scale": conditional(
        f"a = {A} if n > 2 else 0.0\nreturn a",
        config='[sites.a]\noffset = "mu"\nscale = { init = 2.0 }',
        offsets={},
    ),
    "of an observed part": by_mu(
        """
        def model(n, y=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1)) if y is None else numpyro.sample(
                "a", dist.Normal(0, 1), obs=y
            )
            return a
        """,
    ),
}

PLATES = {
    "from a helper": called(
        'def rows(n):\n    return numpyro.plate("i", n)\n',
        f"with rows(n):\n    a = {A}",
    ),
    "from a helper with a size of its own": called(
        'def rows(n):\n    n = 1\n    return numpyro.plate("i", n)\n',
        f"with rows(n):\n    a = {A}",
    ),
    "from a helper with two": called(
        """
        def plates(n):
            return numpyro.plate("i", n, dim=-1), numpyro.plate("j", 2, dim=-2)
        """,
        f"i, j = plates(n)\nwith i:\n    v = {V[4:]}\nwith i, j:\n    a = {A}",
        **BY_V,
    ),
    "from a helper with two, crossed": called(
        """
        def plates(n):
            return numpyro.plate("i", n, dim=-1), numpyro.plate("j", n, dim=-2)
        """,
        f"j, i = plates(n)\nwith i:\n    v = {V[4:]}\nwith i, j:\n    a = {A}",
        **BY_V,
    ),
    "from a helper in a dictionary": called(
        """
        def plates(n):
            return {"i": numpyro.plate("i", n, dim=-1), "j": numpyro.plate("j", n, dim=-2)}
        """,
        f'p = plates(n)\np["i"], p["j"] = p["j"], p["i"]\nwith p["j"]:\n    v = {V[4:]}\n'
        f'with p["i"], p["j"]:\n    a = {A}',
        **BY_V,
    ),
    "of a dictionary": flow(
        f'p = {{"i": numpyro.plate("i", n, dim=-1), "j": numpyro.plate("j", 2, dim=-2)}}\n'
        f'with p["i"], p["j"]:\n    a = {A}'
    ),
    "in variables that are rebound": flow(
        f'i = numpyro.plate("i", n, dim=-1)\nj = numpyro.plate("j", n, dim=-2)\n'
        f"with i:\n    v = {V[4:]}\ni, j = j, i\nwith i:\n    a = {A}",
        **BY_V,
        children=[],
        matter=False,
    ),
    "in variables whose size is rebound": flow(
        f'i = numpyro.plate("i", n)\nn = 1\nwith i:\n    a = {A}'
    ),
    "in variables, entered as another": flow(
        f'i = numpyro.plate("i", n)\nwith i as k:\n    a = {A}\nreturn k.shape'
    ),
    "in a conditional expression": flow(
        f'with numpyro.plate("i", n) if n > 2 else numpyro.plate("i", 1):\n    a = {A}'
    ),
    "in a conditional expression, one": flow(
        f'with numpyro.plate("i", n) if n < 2 else numpyro.plate("i", 1):\n    a = {A}'
    ),
    "in a loop over plates": flow(
        f'for p in [numpyro.plate("i", n)]:\n    with p:\n        v = {V[4:]}\na = {A}',
        **BY_MEAN_V,
    ),
    "of an attribute": method(
        """
        class M:
            def __init__(self, n=3):
                self.plate = numpyro.plate("i", n)

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with self.plate:
                    a = numpyro.sample("a", dist.Normal(0, 1))
                return a
        """
    ),
    "of an attribute whose size changes": method(
        """
        class M:
            def __init__(self, n=3):
                self.n = n
                self.plate = numpyro.plate("i", self.n)
                self.n = 1

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with self.plate:
                    a = numpyro.sample("a", dist.Normal(0, 1))
                return a
        """
    ),
    "of an attribute whose size differs": method(
        """
        class M:
            def __init__(self, n=1):
                self.plate = numpyro.plate("i", n)

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with self.plate:
                    a = numpyro.sample("a", dist.Normal(0, 1))
                return a
        """
    ),
    "of an attribute that another method replaces": method(
        """
        class M:
            def __init__(self, n=3):
                self.n = n
                self.plate = numpyro.plate("i", self.n)

            def narrow(self):
                self.plate = numpyro.plate("i", 1)

            def model(self, n):
                self.narrow()
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with self.plate:
                    a = numpyro.sample("a", dist.Normal(0, 1))
                return a
        """
    ),
    "of an attribute with a subsample": method(
        """
        class M:
            def model(self, n):
                self.plate = numpyro.plate("i", n, subsample_size=2)
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with self.plate:
                    a = numpyro.sample("a", dist.Normal(0, 1))
                return a
        """,
        full_size=(3,),
        offsets={},
    ),
    "of a property": method(
        """
        class M:
            n = 3

            @property
            def plate(self):
                return numpyro.plate("i", self.n)

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                self.n = 1
                with self.plate:
                    a = numpyro.sample("a", dist.Normal(0, 1))
                return a
        """
    ),
    "of a property that a subclass overrides": by_mu(
        """
        class M:
            n = 3

            @property
            def plate(self):
                return numpyro.plate("i", self.n)

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with self.plate:
                    a = numpyro.sample("a", dist.Normal(0, 1))
                return a

        class N(M):
            @property
            def plate(self):
                return numpyro.plate("i", 1)

        def model(n):
            return N().model(n)
        """,
        config='functions = ["M.model"]\n' + '[sites.a]\noffset = "mu"',
    ),
    "of a method": method(
        """
        class M:
            def rows(self, n, dim=None):
                return numpyro.plate("i", n, dim=dim)

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with self.rows(n), self.rows2(2):
                    a = numpyro.sample("a", dist.Normal(0, 1))
                return a

            def rows2(self, n):
                return numpyro.plate("j", n)
        """
    ),
    "of a cached property": by_mu(
        """
        import functools

        class M:
            @functools.cached_property
            def plate(self):
                return numpyro.plate("i", 3)

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with self.plate:
                    a = numpyro.sample("a", dist.Normal(0, 1))
                return a

        def model(n):
            return M().model(n)
        """,
        config='functions = ["M.model"]\n[sites.a]\noffset = "mu"',
    ),
    "of a stack": flow(f'with numpyro.plate_stack("s", [2, n]):\n    a = {A}'),
    "of a stack, of a variable": flow(
        f'sizes = [2, n]\nwith numpyro.plate_stack("s", sizes):\n    a = {A}'
    ),
    "of a stack, of a variable that is changed": flow(
        f'sizes = [2, n]\nsizes[1] = 1\nwith numpyro.plate_stack("s", sizes):\n    a = {A}'
    ),
    "of a stack, of a variable that grows": flow(
        f'sizes = [n]\nsizes.append(2)\nwith numpyro.plate_stack("s", sizes):\n    a = {A}'
    ),
    "of a stack, of a sum": flow(
        f'sizes = [n]\nwith numpyro.plate_stack("s", [2] + sizes):\n    a = {A}'
    ),
    "of a stack, of a shape": by_mu(
        f"""
        def model(x):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate_stack("s", x.shape):
                a = {A}
            return a
        """,
        args=(np.ones((2, 3)),),
    ),
    "of a stack, to the left": flow(
        f'with numpyro.plate_stack("s", [2, n], rightmost_dim=-2):\n    a = {A}'
    ),
    "of a stack, to the left of a plate": flow(
        f'with numpyro.plate("i", 4), numpyro.plate_stack("s", [2, n], rightmost_dim=-2):\n'
        f"    a = {A}"
    ),
    "of a stack, with a parent in a part": flow(
        f'with numpyro.plate_stack("s", [n]):\n    v = {V[4:]}\n'
        f'with numpyro.plate_stack("t", [n, n]):\n    a = {A}',
        **BY_V,
        children=[],
    ),
    "of a stack, with a parent in the same": flow(
        f'with numpyro.plate_stack("s", [2, n]):\n    v = {V[4:]}\n'
        f'with numpyro.plate_stack("s", [2, n]):\n    a = {A}',
        **BY_V,
    ),
    "of a stack, with a parent in one of other sizes": flow(
        f'with numpyro.plate_stack("s", [2, n]):\n    v = {V[4:]}\n'
        f'with numpyro.plate_stack("u", [1, n]):\n    a = {A}',
        **{**BY_V, "offsets": {"a": "xi_a_v * v.mean(0)"}},
        children=[],
    ),
    "of a stack, over a plate of one of its names": flow(
        f'with numpyro.plate("s_0", n):\n    v = {V[4:]}\n'
        f'with numpyro.plate_stack("s", [2, n]):\n    a = {A}',
        **{**BY_V, "offsets": {}},
        children=[],
    ),
    "of a stack from a helper": called(
        'def grid(*sizes):\n    return numpyro.plate_stack("s", sizes)\n',
        f"with grid(2, n):\n    a = {A}",
    ),
    "with dims in another order": flow(
        f'with numpyro.plate("i", n, dim=-3), numpyro.plate("j", 2):\n    v = {V[4:]}\n'
        f'with numpyro.plate("j", 2), numpyro.plate("i", n, dim=-3):\n    a = {A}',
        **BY_V,
    ),
    "with dims that a free one fills": flow(
        f'with numpyro.plate("i", n, dim=-2), numpyro.plate("j", 2):\n    v = {V[4:]}\n'
        f'with numpyro.plate("i", n, dim=-1), numpyro.plate("j", 2):\n    a = {A}',
        **{**BY_V, "offsets": {"a": "xi_a_v * v.T"}},
        children=[],
    ),
    "with a dim in a variable": flow(f'd = -2\nwith numpyro.plate("i", n, dim=d):\n    a = {A}'),
    "with a dim in a variable, of size 1": flow(
        f'd = -2\nwith numpyro.plate("i", n, dim=d), numpyro.plate("j", 1):\n    a = {A}'
    ),
    "with a dim by position": flow(f'with numpyro.plate("i", n, None, -2):\n    a = {A}'),
    "with a subsample by position": flow(
        f'with numpyro.plate("i", n, 2, -2):\n    a = {A}', full_size=(3, 1), offsets={}
    ),
    "a helper's plate twice": called(
        """
        def both(n):
            with numpyro.plate("i", n):
                v = numpyro.sample("v", dist.Normal(0, 1))
                a = numpyro.sample("a", dist.Normal(v, 1))
            return v, a
        """,
        "v, a = both(n)",
    ),
    "a class that is a plate": called(
        """
        class Rows(numpyro.plate):
            def __init__(self, n):
                super().__init__("i", 1)
        """,
        f"with Rows(n):\n    a = {A}",
    ),
    "another function called plate": called(
        """
        def plate(name, size):
            return numpyro.plate(name, 1)
        """,
        f'with plate("i", n):\n    a = {A}',
    ),
    "NumPyro's plate, replaced": called(
        """
        class fake(numpyro.plate):
            pass

        numpyro_plate = numpyro.plate
        """,
        f'with numpyro_plate("i", n):\n    a = {A}',
    ),
    "a plate of size 1 around a vector prior": called(
        PRIOR,
        'x = jnp.zeros(n)\nwith numpyro.plate("i", n):\n'
        '    a = numpyro.sample("a", dist.Normal(x, 1))',
    ),
}

COEFFICIENTS = {
    "a prior bound in the plate": flow(
        """
        with numpyro.plate("i", n) as i:
            loc = 1.0 * i
            a = numpyro.sample("a", dist.Normal(loc, 1))
        return a
        """
    ),
    "a prior bound in the plate of a vector": flow(
        """
        with numpyro.plate("i", n) as i:
            d = dist.Normal(jnp.zeros(n) + i, 1)
            a = numpyro.sample("a", d)
        return a
        """
    ),
    "a prior bound in the plate, wider": flow(
        """
        with numpyro.plate("i", n):
            loc = jnp.zeros((2, n))
            a = numpyro.sample("a", dist.Normal(loc, 1))
        return a
        """
    ),
    "a prior bound in the plate, an event": flow(
        """
        with numpyro.plate("i", n):
            loc = jnp.zeros((n, 2))
            a = numpyro.sample("a", dist.Normal(loc, 1).to_event(1))
        return a
        """
    ),
    "a name bound in the plate": flow(
        """
        with numpyro.plate("i", n):
            name = "a"
            a = numpyro.sample(f"{name}_x", dist.Normal(0, 1))
        return a
        """,
        config='[sites."{name}_x"]\noffset = "mu"',
        children=["a_x"],
        offsets={"a_x": "xi_a_x_mu * mu"},
    ),
    "a name bound in the plate, in a loop": flow(
        """
        with numpyro.plate("i", n):
            for k in range(2):
                name = f"a_{k}"
                a = numpyro.sample(name, dist.Normal(0, 1))
        return a
        """,
        **LOOPED,
    ),
    "a name bound in the plate, in a loop, with an f-string": flow(
        """
        with numpyro.plate("i", n):
            for k in range(2):
                a = numpyro.sample(f"a_{k}", dist.Normal(0, 1))
        return a
        """,
        **LOOPED,
        expected="rewritten",
    ),
    "a prior of a parent of the plate": flow(
        """
        with numpyro.plate("i", n):
            v = numpyro.sample("v", dist.Normal(0, 1))
            w = jnp.exp(v)
            a = numpyro.sample("a", dist.Normal(w, 1))
        return a
        """,
        **BY_V,
    ),
    "a prior of a parent of the plate, wider": flow(
        """
        with numpyro.plate("i", n):
            v = numpyro.sample("v", dist.Normal(jnp.zeros((2, n)), 1))
            w = v[0]
            a = numpyro.sample("a", dist.Normal(w, 1))
        return a
        """,
        **{**BY_V, "offsets": {"a": "xi_a_v * v.mean(0)"}},
        children=[],
    ),
    "nested plates with a prior of the outer's": flow(
        """
        with numpyro.plate("i", n) as i:
            s = 1.0 + i
            with numpyro.plate("j", 2):
                t = s * 2
                a = numpyro.sample("a", dist.Normal(t, s))
        return a
        """
    ),
    "nested plates with a parent of the inner": flow(
        """
        with numpyro.plate("i", n) as i:
            with numpyro.plate("j", 2) as j:
                v = numpyro.sample("v", dist.Normal(0, 1))
                t = j * 1.0
            a = numpyro.sample("a", dist.Normal(t[0], 1))
        return a
        """,
        **{**BY_V, "offsets": {"a": "xi_a_v * v.mean(0)"}},
    ),
    "nested plates with a parent of the outer": flow(
        """
        with numpyro.plate("i", n, dim=-2) as i:
            v = numpyro.sample("v", dist.Normal(0, 1))
            with numpyro.plate("j", 2) as j:
                t = j * 1.0
                a = numpyro.sample("a", dist.Normal(t, 1))
        return a
        """,
        **BY_V,
    ),
    "in a subsampled plate": flow(
        """
        with numpyro.plate("i", n, subsample_size=2) as i:
            t = i * 1.0
            a = numpyro.sample("a", dist.Normal(t, 1))
        return a
        """,
        full_size=(3,),
    ),
    "in a subsampled plate, an event": flow(
        """
        with numpyro.plate("i", n, subsample_size=2) as i:
            t = jnp.stack([i, i, i, i], -1) * 1.0
            a = numpyro.sample("a", dist.Normal(t, 1).to_event(1))
        return a
        """,
        full_size=(3, 4),
    ),
    "in a subsampled plate and another": flow(
        """
        with numpyro.plate("j", 4, dim=-2), numpyro.plate("i", n, subsample_size=2) as i:
            t = i * 1.0
            a = numpyro.sample("a", dist.Normal(t, 1))
        return a
        """,
        full_size=(4, 3),
    ),
    "in a subsampled plate under another": flow(
        """
        with numpyro.plate("i", n, subsample_size=2, dim=-2) as i:
            with numpyro.plate("j", 4) as j:
                t = i[:, None] * 1.0
                a = numpyro.sample("a", dist.Normal(t, 1))
        return a
        """,
        full_size=(3, 4),
    ),
    "in a subsampled plate with a parent of it": flow(
        """
        with numpyro.plate("i", n, subsample_size=2) as i:
            v = numpyro.sample("v", dist.Normal(0, 1))
            t = i * 1.0
            a = numpyro.sample("a", dist.Normal(t + v, 1))
        return a
        """,
        **BY_V,
        full_size=(3,),
    ),
    "in a subsampled plate with a vector parent": flow(
        """
        v = numpyro.sample("v", dist.Normal(jnp.zeros(2), 1))
        with numpyro.plate("i", n, subsample_size=2) as i:
            t = i * 1.0
            a = numpyro.sample("a", dist.Normal(t, 1))
        return a
        """,
        **{**BY_MEAN_V, "offsets": {}},
        full_size=(3,),
        children=[],
    ),
    "with a guard, of a parent's shape that isn't shown": by_mu(
        """
        def model(x):
            mu = numpyro.sample("mu", dist.Normal(x, 1))
            with numpyro.plate("i", 3):
                t = x + 1.0
                a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """,
        args=(1.0,),
    ),
    "with a guard, wider": by_mu(
        """
        import numpy as np

        def model(x):
            x = np.zeros(x)
            mu = numpyro.sample("mu", dist.Normal(x, 1))
            with numpyro.plate("i", 1) as i:
                t = 1.0 * i
                a = numpyro.sample("a", dist.Normal(t, 1))
            return a
        """,
        args=(3,),
        offsets={"a": "xi_a_mu * mu.mean()"},
        loud=True,
        fails="can't be lined up",
        children=[],
    ),
    "with a scale of the plate": flow(
        """
        with numpyro.plate("i", n) as i:
            s = 1.0 + i
            a = numpyro.sample("a", dist.Normal(0, s))
        return a
        """,
        config='[sites.a]\noffset = "mu"\nscale = "1 / s"',
        offsets={},
    ),
    "with a scale of the plate by a site": flow(
        """
        with numpyro.plate("i", n) as i:
            s = numpyro.sample("s", dist.HalfNormal(1.0 + i))
            t = 2 * s
            a = numpyro.sample("a", dist.Normal(0, t))
        return a
        """,
        config='[sites.a]\noffset = "mu"\nscale = { by = "s", power = 0.5 }',
        offsets={},
    ),
    "with a learned power in the plate": flow(
        """
        with numpyro.plate("i", n) as i:
            s = numpyro.sample("s", dist.HalfNormal(1.0 + i))
            t = 2 * s
            a = numpyro.sample("a", dist.Normal(0, t))
        return a
        """,
        config='[sites.a]\noffset = "mu"\nscale = { by = "s", power = {} }',
        offsets={},
    ),
    "with a learned scale in the plate": flow(
        """
        with numpyro.plate("i", n) as i:
            t = 1.0 + i
            a = numpyro.sample("a", dist.Normal(0, t))
        return a
        """,
        config='[sites.a]\noffset = "mu"\nscale = { init = 2.0 }',
        offsets={},
    ),
    "with a basis in the plate": flow(
        """
        with numpyro.plate("i", n) as i:
            t = jnp.stack([i, i, i, i], -1) * 1.0
            a = numpyro.sample("a", dist.Normal(t, 1).to_event(1))
        return a
        """,
        config='[sites.a]\noffset = "mu"\nbasis = "dct"',
        offsets={},
    ),
    "with a coefficient per plate": flow(
        """
        with numpyro.plate("i", n, dim=-1) as i, numpyro.plate("j", 2, dim=-2):
            t = 1.0 + i
            a = numpyro.sample("a", dist.Normal(0, t))
        return a
        """,
        config='[sites.a]\noffset = "mu"\ncoefficient = ["i"]',
        children=[],
        offsets={},
    ),
    "with a matrix": flow(
        """
        with numpyro.plate("k", 4):
            v = numpyro.sample("v", dist.Normal(0, 1))
        with numpyro.plate("i", n) as i:
            t = 1.0 + i
            a = numpyro.sample("a", dist.Normal(0, t))
        return a
        """,
        config='[sites.a]\noffset = "v"\ncoefficient = "matrix"',
        children=[],
        offsets={"a": "xi_a_v @ v"},
    ),
    "with a value of the plate": flow(
        """
        with numpyro.plate("i", n) as i:
            t = 1.0 + i
            a = numpyro.sample("a", dist.Normal(0, t))
        return a
        """,
        config='[sites.a.offset]\nx = { value = "mu * t" }',
        offsets={"a": "xi_a_x * mu * (1.0 + jnp.arange(3))"},
    ),
    "with a helper in the plate": called(
        """
        def noise(name, t):
            return numpyro.sample(name, dist.Normal(0, t))
        """,
        """
        with numpyro.plate("i", n) as i:
            t = 1.0 + i
            a = noise("a", t)
        return a
        """,
    ),
    "with a helper in the plate, that has another": called(
        """
        def noise(name, t):
            with numpyro.plate("j", 2):
                u = 2 * t
                return numpyro.sample(name, dist.Normal(0, u))
        """,
        """
        with numpyro.plate("i", n) as i:
            t = 1.0 + i
            a = noise("a", t)
        return a
        """,
    ),
    "in a branch in the plate": flow(
        """
        with numpyro.plate("i", n) as i:
            if n > 5:
                t = 1.0 + i
                a = numpyro.sample("a", dist.Normal(0, t))
            else:
                t = 2.0 + i
                a = numpyro.sample("a", dist.HalfNormal(t))
        return a
        """
    ),
    "in a conditional expression in the plate": flow(
        """
        with numpyro.plate("i", n) as i:
            t = 1.0 + i
            a = numpyro.sample("a", dist.Normal(0, t)) if n > 2 else 0.0
        return a
        """
    ),
}

HANDLED = """
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    a = numpyro.sample("a", dist.Normal(0, 1))
    return a
"""


def conditioned(source: str, **k: Any) -> Hostile:
    """`inner` is the model, which is to be run with `a` conditioned, out of sight perhaps."""
    k = {"config": 'functions = ["inner"]\n[sites.a]\noffset = "mu"', **k}
    text = textwrap.dedent(source).strip("\n")
    return by_mu(f"def inner(n):{HANDLED}\n\n{text}\n", **{"children": [], "offsets": {}, **k})


COND = 'numpyro.handlers.condition(data={"a": jnp.ones(())})'
HANDLERS = {
    "around a call": conditioned(f"def model(n):\n    with {COND}:\n        return inner(n)"),
    "around a call of an argument": conditioned(
        f"def run(f, n):\n    with {COND}:\n        return f(n)\n\n"
        "def model(n):\n    return run(inner, n)"
    ),
    "around a call of a lambda's": conditioned(
        f"def run(f):\n    with {COND}:\n        return f()\n\n"
        "def model(n):\n    return run(lambda: inner(n))"
    ),
    "around a call of a partial": conditioned(
        "import functools\n"
        f"def run(f):\n    with {COND}:\n        return f()\n\n"
        "def model(n):\n    return run(functools.partial(inner, n))"
    ),
    "around a call of a dictionary's": conditioned(
        f'MODELS = {{"one": inner}}\ndef model(n):\n    with {COND}:\n'
        '        return MODELS["one"](n)'
    ),
    "around a call of globals": conditioned(
        f'def model(n):\n    with {COND}:\n        return globals()["in" + "ner"](n)'
    ),
    "around a call of an attribute": conditioned(
        "import types\nM = types.SimpleNamespace(f=inner)\n"
        f"def model(n):\n    with {COND}:\n        return M.f(n)"
    ),
    "around a call of a method": conditioned(
        "class M:\n    def f(self, n):\n        return inner(n)\n"
        f"def model(n):\n    m = M()\n    with {COND}:\n        return m.f(n)"
    ),
    "around a call of a property": conditioned(
        "class M:\n    @property\n    def f(self):\n        return inner(3)\n"
        f"def model(n):\n    m = M()\n    with {COND}:\n        return m.f"
    ),
    "around an operator": conditioned(
        "class M:\n    def __add__(self, n):\n        return inner(n)\n"
        f"def model(n):\n    m = M()\n    with {COND}:\n        return m + n"
    ),
    "around an index": conditioned(
        "class M:\n    def __getitem__(self, n):\n        return inner(n)\n"
        f"def model(n):\n    m = M()\n    with {COND}:\n        a = m[n]\n    return a"
    ),
    "around a loop": conditioned(
        "def each(n):\n    yield inner(n)\n"
        f"def model(n):\n    g = each(n)\n    with {COND}:\n        for a in g:\n            pass\n"
        "    return a"
    ),
    "around an unpacking": conditioned(
        "def each(n):\n    yield inner(n)\n"
        f"def model(n):\n    g = each(n)\n    with {COND}:\n        (a,) = g\n    return a"
    ),
    "around a setting of an attribute": conditioned(
        "class M:\n    @property\n    def f(self):\n        return 1\n\n    @f.setter\n"
        "    def f(self, n):\n        inner(n)\n"
        f"def model(n):\n    m = M()\n    with {COND}:\n        m.f = n"
    ),
    "around a with": conditioned(
        "class M:\n    def __enter__(self):\n        return inner(3)\n\n"
        "    def __exit__(self, *a):\n"
        "        pass\n"
        f"def model(n):\n    m = M()\n    with {COND}:\n        with m as a:\n            pass\n"
        "    return a"
    ),
    "in one header with another": conditioned(
        "class M:\n    def __enter__(self):\n        return inner(3)\n\n"
        "    def __exit__(self, *a):\n"
        "        pass\n"
        f"def model(n):\n    m = M()\n    with {COND}, m as a:\n        pass\n    return a"
    ),
    "around an f-string": conditioned(
        "class M:\n    def __str__(self):\n        inner(3)\n        return ''\n"
        f"def model(n):\n    m = M()\n    with {COND}:\n        f'{{m}}'"
    ),
    "around a yield": conditioned(
        "import contextlib\n@contextlib.contextmanager\ndef given():\n"
        f"    with {COND}:\n        yield\n"
        "def model(n):\n    with given():\n        return inner(n)"
    ),
    "around a yield of a generator": conditioned(
        f"def given():\n    with {COND}:\n        yield\n"
        "def model(n):\n    for _ in given():\n        a = inner(n)\n    return a"
    ),
    "around an await": conditioned(
        "async def run(f, n):\n"
        f"    with {COND}:\n        return await f(n)\n"
        "async def wrap(n):\n    return inner(n)\n"
        "def model(n):\n    try:\n        run(wrap, n).send(None)\n    except StopIteration as s:\n"
        "        return s.value"
    ),
    "in a decorator": conditioned(
        "def given(f):\n    def wrapped(n):\n"
        f"        with {COND}:\n            return f(n)\n    return wrapped\n"
        "model = given(inner)"
    ),
    "in a decorator with an at": by_mu(
        "def given(f):\n    def wrapped(n):\n"
        f"        with {COND}:\n            return f(n)\n    return wrapped\n\n"
        f"@given\ndef model(n):{HANDLED}",
        children=[],
        offsets={},
    ),
    "in an exit stack": conditioned(
        f"import contextlib\ndef model(n):\n    with contextlib.ExitStack() as s:\n"
        f"        s.enter_context({COND})\n        return inner(n)"
    ),
    "in a class's enter": conditioned(
        "class G:\n    def __enter__(self):\n"
        f"        self.h = {COND}\n        self.h.__enter__()\n"
        "    def __exit__(self, *a):\n        self.h.__exit__(*a)\n"
        "def model(n):\n    with G():\n        return inner(n)"
    ),
    "in a variable": conditioned(
        f"H = {COND}\ndef model(n):\n    with H:\n        return inner(n)"
    ),
    "in a variable, entered by another": conditioned(
        f"def make():\n    return {COND}\ndef model(n):\n    with make():\n        return inner(n)"
    ),
    "as a function": conditioned(
        'def model(n):\n    return numpyro.handlers.condition(inner, data={"a": jnp.ones(())})(n)'
    ),
    "as a partial": conditioned(
        "import functools\n"
        'given = functools.partial(numpyro.handlers.condition, data={"a": jnp.ones(())})\n'
        "model = given(inner)"
    ),
    "by an alias": conditioned(
        "from numpyro.handlers import condition as c\n"
        'def model(n):\n    with c(data={"a": jnp.ones(())}):\n        return inner(n)'
    ),
    "by getattr": conditioned(
        'c = getattr(numpyro.handlers, "condition")\n'
        'def model(n):\n    with c(data={"a": jnp.ones(())}):\n        return inner(n)'
    ),
    "by data of two dictionaries": conditioned(
        'DATA = {"b": 1.0}\nDATA |= dict(a=jnp.ones(()))\n'
        "def model(n):\n    with numpyro.handlers.condition(data=DATA):\n        return inner(n)"
    ),
    "around another model": conditioned(
        "def other(n):\n"
        '    return numpyro.sample("a", dist.Normal(0, 1))\n\n'
        f"def spare(n):\n    with {COND}:\n        return other(n)\n\n"
        "def model(n):\n    return inner(n)",
        children=["a"],
        offsets={"a": OFFSET},
    ),
    "around what the model is made of": by_mu(
        f"""
        def part(n):
            return {A}

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with {COND}:
                a = part(n)
            return a
        """,
        children=[],
        offsets={},
        config='functions = ["model"]\n[sites.a]\noffset = "mu"',
    ),
    "around a nested function of the model": conditioned(
        f"""
        def model(n):
            def run():
                return inner(n)
            with {COND}:
                return run()
        """
    ),
    "around a method that a subclass makes the model": by_mu(
        f"""
        class Base:
            def run(self, n):
                with {COND}:
                    return self.forward(n)

            def forward(self, n):
                return 0.0

        class M(Base):
            def forward(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = numpyro.sample("a", dist.Normal(0, 1))
                return a

        def model(n):
            return M().run(n)
        """,
        config='functions = ["M.forward"]\n[sites.a]\noffset = "mu"',
        children=[],
        offsets={},
    ),
    "a reparam around a call of an argument": conditioned(
        "from numpyro.infer.reparam import LocScaleReparam\n"
        "def run(f, n):\n"
        '    with numpyro.handlers.reparam(config={"a": LocScaleReparam(0.5)}):\n'
        "        return f(n)\n\n"
        "def model(n):\n    return run(inner, n)"
    ),
    "a reparam around a log density": conditioned(
        "from numpyro.infer.reparam import LocScaleReparam\n"
        "from numpyro.infer.util import log_density\n"
        "def spare(n):\n"
        '    with numpyro.handlers.reparam(config={"a": LocScaleReparam(0.5)}):\n'
        "        return log_density(inner, (n,), {}, {})\n\n"
        "def model(n):\n    return inner(n)"
    ),
    "a substitute around a call of an argument": conditioned(
        "def run(f, n):\n"
        '    with numpyro.handlers.substitute(data={"a": 1.0 * jnp.ones(())}):\n'
        "        return f(n)\n\n"
        "def model(n):\n    return run(inner, n)"
    ),
    "a do around a call of an argument": conditioned(
        "def run(f, n):\n"
        '    return numpyro.handlers.do(f, data={"a": 1.0 * jnp.ones(())})(n)\n\n'
        "def model(n):\n    return run(inner, n)"
    ),
    "a block around a call of an argument": conditioned(
        "def run(f, n):\n"
        '    with numpyro.handlers.block(hide=["a"]):\n'
        "        return f(n)\n\n"
        "def model(n):\n    return run(inner, n)"
    ),
    "a block of all but around a call of an argument": conditioned(
        "def run(f, n):\n"
        '    with numpyro.handlers.block(expose=["mu", "a"]):\n'
        "        return f(n)\n\n"
        "def model(n):\n    return run(inner, n)"
    ),
    "a mask around a call of an argument": conditioned(
        "def run(f, n):\n"
        "    with numpyro.handlers.mask(mask=False):\n"
        "        return f(n)\n\n"
        "def model(n):\n    return run(inner, n)"
    ),
    "a scale of a constrained site around a call of an argument": by_mu(
        """
        def inner(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.HalfNormal(1))
            return a

        def run(f, n):
            with numpyro.handlers.scale(scale=3.0):
                return f(n)

        def model(n):
            return run(inner, n)
        """,
        config='functions = ["inner"]\n[sites.a]\noffset = "mu"',
    ),
}

SHAPES = {
    f"{area}: {name}": shape
    for area, shapes in {
        "arguments": ARGUMENTS,
        "calls": CALLS,
        "shadows": SHADOWS,
        "parents": PARENTS,
        "methods": METHODS,
        "branches": BRANCHES,
        "conditionals": CONDITIONALS,
        "plates": PLATES,
        "coefficients": COEFFICIENTS,
        "handlers": HANDLERS,
    }.items()
    for name, shape in shapes.items()
}


def examine(shape: Hostile) -> list[str]:
    """`check`, of a shift: potentials of what is scaled differ by the determinant of its map."""
    if "scale" not in shape.config:
        return check(shape)
    try:
        assert_shape(shape)
    except Refusal as refusal:
        return [diagnostic.message for diagnostic in refusal.diagnostics]
    return []


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_hostile_calls(shape: Hostile, record_property: Callable[[str, object], None]) -> None:
    for message in examine(shape):
        record_property("refused", message)


INFERRED = [
    name for name, shape in SHAPES.items() if name.startswith("coefficients: ") and not shape.loud
]


@pytest.mark.parametrize("name", INFERRED)
def test_coefficients_in_plates_are_inferred(name: str) -> None:
    shape = SHAPES[name]
    try:
        generated = rewritten(shape.plain, shape.config)
    except Refusal:
        return
    assert_infers(load_model(generated, shape.function), shape.args, nuts=False)


def test_shapes_are_unlike() -> None:
    shapes = SHAPES.values()
    assert len({(shape.plain, shape.config, str(shape.args)) for shape in shapes}) == len(shapes)
