"""Models that are made to be misread.

Whatever is done with one of them must be right: a model that is rewritten is the plain one in other
coordinates, its children have the base sites and offsets that they should, nothing else of its text
has changed and a second pass changes nothing. A refusal will do as well, and nothing else will: no
other exception, and no generated model that raises.
"""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pytest
from numpyro import handlers
from numpyro.distributions import biject_to

from reparam_rewrite.messages import Refusal
from tests.support.executed import executed
from tests.support.execution import (
    assert_equivalent,
    cheap_key,
    compiled,
    double_precision,
    free_values,
    is_latent,
    load_model,
    structure,
    traced,
)
from tests.support.shapes import (
    A_BY_MU,
    HEAD,
    Shape,
    assert_kept,
    assert_offsets,
    rewritten,
)

OFFSET = "xi_a_mu * mu"
BY_MU = {"a": OFFSET}


@dataclass
class Hostile(Shape):
    """expected: "rewritten", "refused", or "either" where one is as good as the other."""

    expected: str = "either"


def by_mu(source: str | bytes, **settings: Any) -> Hostile:
    """`a` is offset by `mu`, a scalar or something of the shape of `a`."""
    return Hostile(source, **{"offsets": BY_MU, **settings})


def chained(source: str | bytes, **settings: Any) -> Hostile:
    """`mu`, `a` and `b` are a chain: `a` is a child and a parent."""
    defaults: dict[str, Any] = {
        "config": 'chain = ["mu", "a", "b"]\n',
        "children": ["a", "b"],
        "offsets": {"a": OFFSET, "b": "xi_b_mu * mu + xi_b_a * a"},
    }
    return Hostile(source, **{**defaults, **settings})


def method(source: str, **settings: Any) -> Hostile:
    return by_mu(source, **{"function": "M.model", **settings})


#: Nothing shows that there is a plate around: a coefficient has the shape that does show.
OUT_OF_SIGHT: dict[str, Any] = {"children": [], "offsets": {}}

VALUES = {
    "returned": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                return numpyro.sample("a", dist.Normal(0, 1))
        """
    ),
    "returned in arithmetic": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                return mu - 2 * numpyro.sample("a", dist.Normal(0, 1)) ** 2
        """
    ),
    "returned in a tuple with the parent": by_mu(
        """
        def model():
            return (
                numpyro.sample("mu", dist.Normal(0, 1)),  # first
                numpyro.sample("a", dist.Normal(0, 1)),  # second
            )
        """,
        args=(),
    ),
    "bare expressions": by_mu(
        """
        def model(n):
            numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                numpyro.sample("a", dist.Normal(0, 1))
        """
    ),
    "entries of a dictionary": chained(
        """
        def model(n):
            p = {}
            p["mu"] = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                p["a"] = numpyro.sample("a", dist.Normal(0, 1))
                p["b"] = numpyro.sample("b", dist.Normal(p["a"], 1))
            return p
        """
    ),
    "entries of a dictionary under one key": chained(
        """
        def model(n):
            p = {}
            p["x"] = numpyro.sample("mu", dist.Normal(0, 1))
            p["x"] = numpyro.sample("a", dist.Normal(0, 1))
            p["x"] = numpyro.sample("b", dist.Normal(0, 1))
            return p["x"]
        """
    ),
    "an entry whose key is a variable that changes": by_mu(
        """
        def model(n):
            p, k = {}, "mu"
            p[k] = numpyro.sample("mu", dist.Normal(0, 1))
            k = "a"
            p["a"] = 17.0
            with numpyro.plate("n", n):
                p[k] = numpyro.sample("a", dist.Normal(0, 1))
            return p["a"]
        """
    ),
    "entries with keys that have effects": by_mu(
        """
        def model(n):
            p, keys = {"x": 3.0}, ["a", "x", "mu"]
            p[keys.pop()] = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                p[keys.pop()] = numpyro.sample("a", dist.Normal(0, 1))
            return len(keys), p["x"]
        """
    ),
    "an entry of a mapping that rounds": by_mu(
        """
        class Doubling(dict):
            def __setitem__(self, key, value):
                super().__setitem__(key, 2 * value)

        def model(n):
            p = Doubling()
            p["mu"] = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                p["a"] = numpyro.sample("a", dist.Normal(0, 1))
            return p["a"]
        """
    ),
    "attributes of self": method(
        """
        class M:
            def model(self, n):
                self.mu = numpyro.sample("mu", dist.Normal(0, 1))
                with numpyro.plate("n", n):
                    self.a = numpyro.sample("a", dist.Normal(0, 1))
                return self.a
        """
    ),
    "attributes with a setter": method(
        """
        class M:
            @property
            def mu(self):
                return self._mu

            @mu.setter
            def mu(self, value):
                self._mu = jnp.stack([value, value])

            def model(self, n):
                self.mu = numpyro.sample("mu", dist.Normal(0, 1))
                with numpyro.plate("n", n):
                    self.a = numpyro.sample("a", dist.Normal(0, 1))
                return self.a, self.mu
        """
    ),
    "annotated": chained(
        """
        def model(n):
            mu: jax.Array = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a: "jax.Array" = numpyro.sample("a", dist.Normal(0, 1))
                b: jax.Array = numpyro.sample("b", dist.Normal(0, 1))
        """
    ),
    "annotated in brackets": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                (a): jax.Array = numpyro.sample("a", dist.Normal(0, 1))
        """
    ),
    "annotated attribute and entry": method(
        """
        class M:
            def model(self, n):
                p = {}
                p["mu"]: float = numpyro.sample("mu", dist.Normal(0, 1))
                with numpyro.plate("n", n):
                    self.a: jax.Array = numpyro.sample("a", dist.Normal(0, 1))
                return self.a
        """
    ),
    "walrus in an if": chained(
        """
        def model(n):
            if (mu := numpyro.sample("mu", dist.Normal(0, 1))) is not None:
                pass
            with numpyro.plate("n", n):
                if (a := numpyro.sample("a", dist.Normal(0, 1))) is None:
                    return None
                (b := numpyro.sample("b", dist.Normal(0, 1)))
            return a + b
        """
    ),
    "walrus with another value": by_mu(
        """
        def model(n):
            (mu := 3 * numpyro.sample("mu", dist.Normal(0, 1)))
            with numpyro.plate("n", n):
                y = 1 + (a := numpyro.sample("a", dist.Normal(0, 1)))
            return y, a
        """
    ),
    "walrus after its use in one statement": by_mu(
        """
        def model(n):
            mu = 100.0
            total = mu + (mu := numpyro.sample("mu", dist.Normal(0, 1)))
            x = total, (a := numpyro.sample("a", dist.Normal(0, 1))), (mu := 7.0)
            return x
        """
    ),
    "walrus that is not reached": by_mu(
        """
        def model(n):
            mu = 5.0
            numpyro.sample("mu", dist.Normal(0, 1))
            n > 100 and (mu := numpyro.sample("mu2", dist.Normal(0, 1)))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(mu, 1))
        """
    ),
    "walrus in a comprehension": by_mu(
        """
        def model(n):
            [mu := numpyro.sample("mu", dist.Normal(0, 1)) for _ in range(1)]
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """
    ),
    "targets of a tuple": chained(
        """
        def model(n):
            mu, k = numpyro.sample("mu", dist.Normal(0, 1)), 3
            with numpyro.plate("n", n):
                a, j = numpyro.sample("a", dist.Normal(0, 1)), k
                (i, (b, h)) = (0, (numpyro.sample("b", dist.Normal(a, 1)), 5))
            return a * k + b
        """
    ),
    "parent and child in one tuple": by_mu(
        """
        def model(n):
            mu, a = numpyro.sample("mu", dist.Normal(0, 1)), numpyro.sample("a", dist.Normal(0, 1))
            return mu * a
        """
    ),
    "parent and child swapped in one tuple": by_mu(
        """
        def model(n):
            a, mu = numpyro.sample("mu", dist.Normal(0, 1)), numpyro.sample("a", dist.Normal(0, 1))
            return mu - a
        """
    ),
    "a starred target": by_mu(
        """
        def model(n):
            mu, *rest = numpyro.sample("mu", dist.Normal(jnp.zeros(3), 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
            return mu, rest
        """,
        offsets={"a": "xi_a_mu * jnp.mean(mu)"},
    ),
    "a starred target after": by_mu(
        """
        def model(n):
            *rest, mu = 1.0, 2.0, numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                *a, b = numpyro.sample("a", dist.Normal(0, 1)), 7.0
            return a[0], rest
        """
    ),
    "an iterated value": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a, b = numpyro.sample("a", dist.Normal(jnp.zeros(2), 1))
            return a - b
        """
    ),
    "a list of one target": by_mu(
        """
        def model(n):
            [mu] = numpyro.sample("mu", dist.Normal(jnp.zeros(1), 1))
            a, = numpyro.sample("a", dist.Normal(jnp.zeros(1), 1))
            return a
        """
    ),
    "arithmetic": chained(
        """
        def model(n):
            mu = 2 * numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = 1 + numpyro.sample("a", dist.Normal(mu, 1)) * 2
                b = -numpyro.sample("b", dist.Normal(0, 1))
            return a + b
        """
    ),
    "a method of the value": chained(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(jnp.zeros((2, 2)), 1)).sum()
            a = numpyro.sample("a", dist.Normal(jnp.zeros(3), 1))[::-1]
            b = numpyro.sample("b", dist.Normal(jnp.zeros(3), 1)).reshape(3, 1)
            return a + b
        """,
        offsets={
            "a": "xi_a_mu * jnp.mean(mu)",
            # Two literal sizes are no axis that the two have in common.
            "b": "xi_b_mu * jnp.mean(mu) + xi_b_a * jnp.mean(a)",
        },
    ),
    "an argument of a call": chained(
        """
        def model(n):
            mu = jnp.exp(numpyro.sample("mu", dist.Normal(0, 1)))
            with numpyro.plate("n", n):
                a = numpyro.deterministic("c", jnp.exp(numpyro.sample("a", dist.Normal(0, 1))))
                b = dict(x=numpyro.sample("b", dist.Normal(0, 1)), y=a)["x"]
            return b
        """
    ),
    "an argument beside one that samples": by_mu(
        """
        def model(n):
            mu = jnp.add(
                numpyro.sample("mu", dist.Normal(0, 1)), numpyro.sample("a", dist.Normal(0, 1))
            )
            return mu
        """
    ),
    "a prior inside the prior": by_mu(
        """
        def model(n):
            a = numpyro.sample("a", dist.Normal(numpyro.sample("mu", dist.Normal(0, 1)), 1))
            return a
        """
    ),
    "the parent in the plate's size": by_mu(
        """
        def model(n):
            with numpyro.plate("n", n + 0 * len([mu := numpyro.sample("mu", dist.Normal(0, 1))])):
                a = numpyro.sample("a", dist.Normal(mu, 1))
        """
    ),
    "elements of a list and of a dictionary": chained(
        """
        def model(n):
            p = [numpyro.sample("mu", dist.Normal(0, 1)), 2.0]
            with numpyro.plate("n", n):
                p += [numpyro.sample("a", dist.Normal(p[0], 1))]
                q = {"b": numpyro.sample("b", dist.Normal(0, 1)), **{"c": 1.0}}
            return p[-1] + q["b"]
        """
    ),
    "all of them in one dictionary": chained(
        """
        def model(n):
            p = {
                "mu": numpyro.sample("mu", dist.Normal(0, 1)),  # mu
                "a": numpyro.sample("a", dist.Normal(0, 1)),  # a
                "b": numpyro.sample("b", dist.Normal(0, 1)),  # b
            }
            return p
        """
    ),
    "conditional expressions": chained(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1)) if n else 0.0
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1)) if n > 1 else 0.0
                b = 0.0 if not n else numpyro.sample("b", dist.Normal(0, 1))
            return a + b
        """
    ),
    "a conditional expression that takes the other": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1)) if n else jnp.zeros(7)
            a = numpyro.sample("a", dist.Normal(0, 1)) if n > 5 else 1.0
            b = numpyro.sample("b", dist.Normal(0, 1))
            return mu, a, b
        """,
        config=A_BY_MU,
        children=[],
        offsets={},
        matter=False,
        args=(3,),
    ),
    "both in a conditional expression": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = (
                    numpyro.sample("a", dist.Normal(0, 1))
                    if n > 5
                    else numpyro.sample("a", dist.HalfNormal(1))
                )
            return a
        """
    ),
    "and, or": by_mu(
        """
        def model(n):
            mu = n and numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = None or numpyro.sample("a", dist.Normal(0, 1))
            return a
        """
    ),
    "in an f-string": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            text = f"{n!r:>{4}} {numpyro.sample('a', dist.Normal(0, 1))} {{}}"
            return len(text) > 0
        """
    ),
    "the parent in an f-string": by_mu(
        """
        def model(n):
            text = f"{(mu := numpyro.sample('mu', dist.Normal(0, 1)))!s}"
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return text != ""
        """
    ),
    "in a subscript": by_mu(
        """
        def model(n):
            x = jnp.arange(3.0)
            m = x[(numpyro.sample("mu", dist.Normal(0, 1)) > 0).astype(int)]
            return x[(numpyro.sample("a", dist.Normal(0, 1)) > m).astype(int)]
        """
    ),
    "in an assert": by_mu(
        """
        def model(n):
            assert (mu := numpyro.sample("mu", dist.Normal(0, 1))) is not None, "mu"
            with numpyro.plate("n", n):
                assert numpyro.sample("a", dist.Normal(0, 1)) is not None, f"{mu} of 'a'"
        """
    ),
    "in the message of an assert": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            assert n, numpyro.sample("a", dist.Normal(0, 1))
            return mu
        """,
        children=[],
        offsets={},
        matter=False,
    ),
    "deleted": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            y = mu + 1
            del mu
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(y, 1))
            del a
        """
    ),
    "deleted and bound again": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            del mu
            mu = jnp.zeros((2, n))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return mu
        """
    ),
    "deleted in a for's else": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            for _ in range(n):
                pass
            else:
                del mu
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """
    ),
    "deleted by an except": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            try:
                raise ValueError
            except ValueError as mu:
                pass
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """
    ),
    "augmented assignments": chained(
        """
        def model(n):
            mu, a = 1.0, 2.0
            mu += numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a -= numpyro.sample("a", dist.Normal(mu, 1))
                b = numpyro.sample("b", dist.Normal(0, 1))
                b *= 3
            return a + b
        """
    ),
    "augmented in another name": by_mu(
        """
        def model(n):
            mu = m = numpyro.sample("mu", dist.Normal(np.zeros(3), 1))
            m += 1
            a = numpyro.sample("a", dist.Normal(m, 1))
            return mu, m
        """.replace("np.", "jnp.")
    ),
    "several targets": chained(
        """
        def model(n):
            p = {}
            p["m"] = mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                p["a"] = p["x"] = numpyro.sample("a", dist.Normal(0, 1))
                x = (b, p["b"]) = (numpyro.sample("b", dist.Normal(0, 1)), 2.0)
            return p["x"] + x[0]
        """
    ),
    "starred in a display": by_mu(
        """
        def model(n):
            mu = [*numpyro.sample("mu", dist.Normal(jnp.zeros(2), 1))]
            a = [*numpyro.sample("a", dist.Normal(jnp.zeros(3), 1)), *mu]
            return a
        """,
        offsets={"a": "xi_a_mu * jnp.mean(mu)"},
    ),
    "starred arguments": by_mu(
        """
        def model(n):
            mu = max(*[numpyro.sample("mu", dist.Normal(0, 1))], key=id, default=0) if False else 0
            mu = jnp.add(*[numpyro.sample("mu", dist.Normal(0, 1)), 1])
            return dict(**{"a": numpyro.sample("a", dist.Normal(mu, 1))})
        """
    ),
    "defaults of a lambda and of a nested function": by_mu(
        """
        def model(n):
            f = lambda v=numpyro.sample("mu", dist.Normal(0, 1)): v

            def g(v=numpyro.sample("a", dist.Normal(f(), 1))):
                return v

            return g()
        """
    ),
    "the body of a lambda": by_mu(
        """
        def model(n):
            draw_mu = lambda: numpyro.sample("mu", dist.Normal(0, 1))
            draw = lambda: numpyro.sample("a", dist.Normal(0, 1))
            mu = draw_mu()
            with numpyro.plate("n", n):
                return draw()
        """
    ),
    "compared": by_mu(
        """
        def model(n):
            up = 0 < numpyro.sample("mu", dist.Normal(0, 1)) < 1
            return up
        """.replace("0 < ", "")
        .replace(" < 1", " > 0")
        .replace("return up", 'return up, numpyro.sample("a", dist.Normal(0, 1)) < 1')
    ),
    "a slice is assigned": by_mu(
        """
        def model(n):
            p = [1.0, 2.0]
            p[0:1] = [numpyro.sample("mu", dist.Normal(0, 1))]
            with numpyro.plate("n", n):
                p[1:] = numpyro.sample("a", dist.Normal(p[0], 1)), 3.0
            return p[1]
        """
    ),
    "a slice takes the rows of the value": by_mu(
        """
        def model(n):
            p = [1.0, 2.0]
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                p[:] = numpyro.sample("a", dist.Normal(0, 1))
            return len(p)
        """
    ),
    "a class body in the model": by_mu(
        """
        def model(n):
            class Latent:
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = numpyro.sample("a", dist.Normal(mu, 1))

            return Latent.a
        """
    ),
    "the parent in a class body of the model": by_mu(
        """
        def model(n):
            mu = jnp.zeros((4, n))

            class Latent:
                mu = numpyro.sample("mu", dist.Normal(0, 1))

            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return mu
        """
    ),
    "arguments of a decorator": by_mu(
        """
        def keep(value):
            return lambda f: lambda: value

        def model(n):
            @keep(numpyro.sample("mu", dist.Normal(0, 1)))
            def mu():
                return None

            @keep(numpyro.sample("a", dist.Normal(0, 1)))
            def a():
                return None

            return a() - mu()
        """
    ),
    "bound by a with": by_mu(
        """
        import contextlib

        def model(n):
            with contextlib.nullcontext(numpyro.sample("mu", dist.Normal(0, 1))) as mu:
                with numpyro.plate("n", n):
                    with contextlib.nullcontext(numpyro.sample("a", dist.Normal(mu, 1))) as a:
                        return a
        """
    ),
    "bound by a for": by_mu(
        """
        def model(n):
            for mu in [numpyro.sample("mu", dist.Normal(0, 1))]:
                pass
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            for x in a:
                pass
            return x
        """
    ),
    "iterated by a for": by_mu(
        """
        def model(n):
            for mu in numpyro.sample("mu", dist.Normal(jnp.zeros(2), 1)):
                pass
            total = 0.0
            for x in numpyro.sample("a", dist.Normal(jnp.zeros(3), mu)) if False else [mu]:
                total += x
            for x in numpyro.sample("a", dist.Normal(jnp.zeros(3), 1)):
                total += x
            return total
        """,
        offsets={"a": "xi_a_mu * jnp.mean(mu)"},
    ),
    "bound by a match": by_mu(
        """
        def model(n):
            match numpyro.sample("mu", dist.Normal(0, 1)):
                case mu:
                    pass
            with numpyro.plate("n", n):
                match n, numpyro.sample("a", dist.Normal(0, 1)):
                    case 3, a:
                        return a
        """
    ),
    "rebound by a match": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            match {"k": jnp.zeros((5, 1))}:
                case {"k": mu}:
                    pass
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return mu
        """
    ),
    "setattr and globals": by_mu(
        """
        def model(n):
            globals()["mu"] = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                setattr(model, "a", numpyro.sample("a", dist.Normal(0, 1)))
            return model.a - mu
        """
    ),
    "a global": by_mu(
        """
        mu = 3.0

        def model(n):
            global mu, a
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            spoil()
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return a

        def spoil():
            global mu
            mu = jnp.zeros((6, 1))
        """
    ),
    "a nonlocal that a call changes": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))

            def spoil():
                nonlocal mu
                mu = jnp.zeros((6, 1))

            spoil()
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return mu
        """
    ),
    "a nonlocal that the plate's size changes": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))

            def size():
                nonlocal mu
                mu = 2.0 * mu
                return n

            with numpyro.plate("n", size()):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return mu
        """
    ),
    "updated in place": by_mu(
        """
        import numpy as np

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(jnp.zeros(3), 1))
            box = [mu]
            box[0] = mu = mu.at[0].set(9.0)
            a = numpyro.sample("a", dist.Normal(0, 1))
            return mu
        """,
        offsets={"a": "xi_a_mu * jnp.mean(mu)"},
    ),
    "deleted from a dictionary": by_mu(
        """
        def model(n):
            p = {}
            p["mu"] = numpyro.sample("mu", dist.Normal(0, 1))
            p.pop("mu")
            with numpyro.plate("n", n):
                p["a"] = numpyro.sample("a", dist.Normal(0, 1))
            return sorted(p)
        """
    ),
    "the parent is None at first": by_mu(
        """
        def model(n):
            mu = None
            if n:
                mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return mu
        """
    ),
    "await": by_mu(
        """
        import asyncio

        async def same(value):
            return value

        async def run(n):
            mu = await same(numpyro.sample("mu", dist.Normal(0, 1)))
            with numpyro.plate("n", n):
                a = await same(numpyro.sample("a", dist.Normal(0, 1)))
            return a - mu

        def model(n):
            return asyncio.run(run(n))
        """
    ),
    "yielded": by_mu(
        """
        def parts(n):
            mu = yield numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = yield numpyro.sample("a", dist.Normal(0, 1))

        def model(n):
            return list(parts(n))
        """
    ),
}


def child(lines: str, **settings: Any) -> Hostile:
    """`a` is sampled in these lines, below a `mu` as plain as can be; `n` is 3."""
    mu = 'mu = numpyro.sample("mu", dist.Normal(0, 1))\n'
    body = textwrap.indent(mu + textwrap.dedent(lines).strip("\n"), "    ")
    return by_mu(f"def model(n):\n{body}\n", **settings)


SAMPLE = 'numpyro.sample("a", dist.Normal(0, 1))'
VECTOR = 'numpyro.sample("a", dist.Normal(jnp.zeros(3), 1))'
CHILDREN = {
    name: child(lines.replace("SAMPLE", SAMPLE).replace("VECTOR", VECTOR))
    for name, lines in {
        "an entry": "p = {}\np['a'] = SAMPLE\nreturn p",
        "an entry whose key has effects": (
            "k, p = ['b', 'a'], {}\np[k.pop()] = VECTOR\nreturn p, len(k)"
        ),
        "an attribute": "model.a = VECTOR\nreturn model.a",
        "a walrus": "(a := VECTOR)\nreturn a",
        "a walrus in arithmetic": "b = 1 + (a := VECTOR) * 2\nreturn a, b",
        "a walrus that changes the parent": "b = (mu := 2 * mu) + VECTOR\nreturn mu, b",
        "its own prior changes the parent": (
            "a = numpyro.sample('a', dist.Normal(mu := 3 * mu, 1))\nreturn mu, a"
        ),
        "its value replaces the parent": "mu = VECTOR\nreturn mu",
        "its value is added to the parent": "mu += VECTOR\nreturn mu",
        "its value is multiplied with the parent": "mu = mu * VECTOR + mu\nreturn mu",
        "a target of a tuple": "a, (k, mu) = VECTOR, (2, 7.0)\nreturn a, k, mu",
        "a starred target": "a, *mu = VECTOR\nreturn a, mu",
        "an argument": "return jnp.exp(VECTOR)",
        "an argument after one with effects": "p = [1.0]\nreturn dict(x=p.pop(), a=VECTOR), p",
        "an argument before one with effects": "p = [1.0]\nreturn dict(a=VECTOR, x=p.pop()), p",
        "an argument behind a site": (
            "return dict(b=numpyro.sample('b', dist.HalfNormal(1)), a=VECTOR)"
        ),
        "in a list": "return [1.0, VECTOR, *[2.0]]",
        "in a dictionary": "return {'b': 1.0, 'a': VECTOR}",
        "indexed": "return VECTOR[::-1][0]",
        "called upon": "return VECTOR.sum().astype(float)",
        "a subscript": "return jnp.arange(3)[(SAMPLE > 0).astype(int)]",
        "a slice": "return [1, 2][: len(VECTOR)]",
        "negated": "return -VECTOR",
        "compared": "return VECTOR > 0",
        "asserted": "assert VECTOR is not None, 'a'",
        "deleted": "del [VECTOR][0]",
        "formatted": "x = f'{len(VECTOR):>{n}}'\nreturn len(x)",
        "raised": (
            "try:\n    raise KeyError(VECTOR)\nexcept KeyError as e:\n    a = e.args[0]\nreturn a"
        ),
        "augmented": "x = 1.0\nx -= VECTOR\nreturn x",
        "an augmented entry": "x = {'a': 1.0}\nx['a'] *= VECTOR\nreturn x",
        "in both operands of a comparison": "return mu < VECTOR",
        "in a chained comparison": "return n < 2 < len(VECTOR) if n > 5 else 1.0",
        "a default": "def f(v=VECTOR):\n    return v\nreturn f()",
        "a lambda called at once": "return (lambda: VECTOR)()",
        "a comprehension's first iterable": "return [x for x in VECTOR]",
        "a comprehension's condition": "return [x for x in [1.0] if len(VECTOR)]",
        "a set's comprehension": "return len({len(VECTOR) for x in [1.0]})",
        "a for's iterable": "t = 0.0\nfor x in VECTOR:\n    t += x\nreturn t",
        "a while's test": "k = 0\nwhile k < 1 and len(VECTOR):\n    k += 1\nreturn k",
        "an if's test": "if len(VECTOR) > 2:\n    mu = 2 * mu\nreturn mu",
        "an elif's test": "if n > 5:\n    pass\nelif len(VECTOR) > 2:\n    mu = 2 * mu\nreturn mu",
        "a with's item": (
            "import contextlib\nwith contextlib.nullcontext(VECTOR) as a:\n    return a"
        ),
        "a finally": "try:\n    pass\nfinally:\n    a = VECTOR\nreturn a",
        "a try's else": (
            "try:\n    pass\nexcept KeyError:\n    pass\nelse:\n    a = VECTOR\nreturn a"
        ),
        "an except": "try:\n    {}['a']\nexcept KeyError:\n    a = VECTOR\nreturn a",
        "a with that swallows": (
            "import contextlib\nwith contextlib.suppress(KeyError):\n    a = VECTOR\nreturn a"
        ),
        "a nested with": (
            "with numpyro.plate('n', n):\n    with numpyro.handlers.scale(scale=1.0):\n"
            "        a = SAMPLE\nreturn a"
        ),
        "a type alias": "a: list[int]\na = VECTOR\nreturn a",
        "a global": "global a\na = VECTOR\nreturn a",
        "a nonlocal": "a = 0\ndef f():\n    nonlocal a\n    a = VECTOR\nf()\nreturn a",
        "a generator's value": "def f():\n    yield VECTOR\nreturn next(f())",
        "a generator that is not run": "def f():\n    yield VECTOR\nf()\na = VECTOR\nreturn a",
        "a starred expression": "return (*VECTOR, 1.0)",
        "a keyword by two stars": "return dict(**{'x': VECTOR})",
        "a last expression in brackets": "(\n    VECTOR\n    # kept\n)",
        "a statement behind a string": "'numpyro.sample(\\'a\\')'; ('x', VECTOR)",
        "an ellipsis's neighbour": "... ; a = VECTOR ; ...\nreturn a",
        "a plate as a parameter": (
            "def draw(p):\n    with p:\n        return SAMPLE\nreturn draw(numpyro.plate('n', n))"
        ),
        "a helper that is told its plate": (
            "def draw(m):\n    with numpyro.plate('n', m):\n        return SAMPLE\nreturn draw(n)"
        ),
        "a scaled helper": (
            "def draw():\n    return numpyro.sample('a', dist.HalfNormal(1))\n"
            "with numpyro.handlers.scale(scale=2.0):\n    return draw()"
        ),
        "a constrained vector": "return numpyro.sample('a', dist.Dirichlet(jnp.ones(n)))",
        "a prior with a call in the name's place": (
            "return numpyro.sample(str('a'), dist.Normal(0, 1))"
        ),
        "an attribute of the sample": "return VECTOR.at[0].set(mu)",
        "an operator on the left of the parent": "return mu @ VECTOR if n > 5 else 1.0",
    }.items()
}

NAMES = {
    "an attribute": method(
        """
        class M:
            name = "a"

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with numpyro.plate("n", n):
                    return numpyro.sample(self.name, dist.Normal(0, 1))
        """
    ),
    "a variable of the function": by_mu(
        """
        def model(n):
            name = "mu"
            mu = numpyro.sample(name, dist.Normal(0, 1))
            name = "a"
            with numpyro.plate("n", n):
                a = numpyro.sample(name, dist.Normal(0, 1))
        """
    ),
    "a constant of the file": by_mu(
        """
        A, MU = "a", "mu"
        NAME = A

        def model(n):
            mu = numpyro.sample(MU, dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample(NAME, dist.Normal(0, 1))
        """
    ),
    "a constant that changes between the calls": by_mu(
        """
        NAME = "mu"

        def draw(width):
            return numpyro.sample(NAME, dist.Normal(0, width))

        def model(n):
            global NAME
            NAME = "mu"
            mu = draw(1)
            NAME = "a"
            with numpyro.plate("n", n):
                return draw(2)
        """
    ),
    "f-strings": by_mu(
        """
        def model(n):
            mu = numpyro.sample(f"mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample(f"{'a'}", dist.Normal(0, 1))
        """
    ),
    "an f-string that only looks like it": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                b = numpyro.sample(f"{'a'}_{n}", dist.Normal(0, 1))
                a = numpyro.sample("a" "", dist.Normal(0, 1))
        """
    ),
    "format, concatenation and percent": chained(
        """
        def model(n):
            mu = numpyro.sample("{}".format("mu"), dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("" + "a", dist.Normal(0, 1))
                b = numpyro.sample("%s" % "b", dist.Normal(0, 1))
        """
    ),
    "adjacent strings, raw and escaped": chained(
        """
        def model(n):
            mu = numpyro.sample("m" 'u', dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample(r"a", dist.Normal(0, 1))
                b = numpyro.sample("\\x62", dist.Normal(0, 1))
        """
    ),
    "triple quotes and brackets": chained(
        '''
        def model(n):
            mu = numpyro.sample("""mu""", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample(("a"), dist.Normal(0, 1))
                b = numpyro.sample(((
                    """b"""
                )), (dist.Normal(0, 1)))
        '''
    ),
    "a space in the name": by_mu(
        """
        def model(n):
            mu = numpyro.sample("m u", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a b", dist.Normal(0, 1))
        """,
        config='[sites."a b"]\noffset = "m u"\n',
        offsets={"a b": 'globals()["xi_a b_m u"] * globals()["m u"]'},
    ),
    "a greek name": by_mu(
        """
        def model(n):
            µ = numpyro.sample("μ", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                λ = numpyro.sample("π", dist.Normal(µ, 1))
        """,
        config='[sites."π"]\noffset = "μ"\n',
        offsets={"π": "xi_π_μ * μ"},
    ),
    "a decomposed name": by_mu(
        """
        def model(n):
            e\u0301 = numpyro.sample("mu", dist.Normal(0, 1))
            \u00e9 = e\u0301 + 1
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(\u00e9, 1))
        """
    ),
    "a variable spelt in two ways": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            \uff4d\uff55 = jnp.zeros((5, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return mu
        """
    ),
    "quotes, backslashes and braces": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample('a"\\\\{}{0}\\'', dist.Normal(0, 1))
        """,
        config="""[sites."a\\"\\\\{}{0}'"]\noffset = "mu"\n""",
        offsets={"a\"\\{}{0}'": """globals()["xi_a\\"\\\\{}{0}'_mu"] * mu"""},
    ),
    "a newline and a tab in the name": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a\\n\\t", dist.Normal(0, 1))
        """,
        config='[sites."a\\n\\t"]\noffset = "mu"\n',
        offsets={"a\n\t": 'globals()["xi_a\\n\\t_mu"] * mu'},
    ),
    "keywords and builtins": by_mu(
        """
        def model(n):
            class_ = numpyro.sample("None", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                list = numpyro.sample("class", dist.Normal(0, 1))
        """,
        config='[sites.class]\noffset = "None"\n',
        offsets={"class": "xi_class_None * globals()['None']"},
    ),
    "a digit and a slash": by_mu(
        """
        def model(n):
            mu = numpyro.sample("0", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("g/1.a", dist.Normal(0, 1))
        """,
        config='[sites."g/1.a"]\noffset = "0"\n',
        offsets={"g/1.a": "globals()['xi_g/1.a_0'] * globals()['0']"},
    ),
    "an empty name": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("", dist.Normal(0, 1))
        """,
        config='[sites.""]\noffset = "mu"\n',
        offsets={"": "globals()['xi__mu'] * mu"},
    ),
    "variables called jnp, dist and numpyro": by_mu(
        """
        def model(n):
            from numpyro import sample, plate
            from numpyro.distributions import Normal
            jnp = sample("mu", Normal(0, 1))
            with plate("n", n):
                dist = numpyro = sample("a", Normal(0, 1))
            return dist
        """
    ),
    "a parameter called numpyro": by_mu(
        """
        def model(n, numpyro=numpyro, jnp=None, jax=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """
    ),
    "the function is called jnp": by_mu(
        """
        import numpyro
        import numpyro.distributions as dist

        def jnp(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))

        model = jnp
        """,
        whole=True,
    ),
    "all imports inside": by_mu(
        """
        def model(n):
            import numpyro as np, numpyro.distributions as d
            import jax.numpy as numpyro
            mu = np.sample("mu", d.Normal(numpyro.zeros(()), 1))
            with np.plate("n", n):
                a = np.sample("a", d.Normal(0, 1))
        """,
        whole=True,
    ),
    "numpy of jax by assignment": by_mu(
        """
        import jax, numpyro
        import numpyro.distributions as dist
        np = jax.numpy
        sample, Normal = numpyro.sample, dist.Normal

        def model(n):
            mu = sample("mu", Normal(np.zeros(2), 1))
            with numpyro.plate("n", n):
                a = sample("a", Normal(0, 1))
        """,
        whole=True,
        offsets={"a": "xi_a_mu * jnp.mean(mu)"},
    ),
    "jnp is numpy in the function": by_mu(
        """
        def model(n):
            import numpy as jnp
            mu = numpyro.sample("mu", dist.Normal(jnp.zeros(2), 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        offsets={"a": "xi_a_mu * jnp.mean(mu)"},
    ),
    "jnp is bound to something else later in the function": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            for jnp in range(2):
                pass
            return jnp
        """
    ),
    "a local dist that is another module": by_mu(
        """
        import types

        def model(n):
            dist = types.SimpleNamespace(Normal=numpyro.distributions.HalfNormal)
            mu = numpyro.sample("mu", dist.Normal(1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(2))
        """
    ),
    "dist is a class of the file": by_mu(
        """
        class dist(dist.Distribution):
            Normal = dist.HalfNormal
            HalfNormal = dist.Normal

        def model(n):
            mu = numpyro.sample("mu", dist.HalfNormal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(1))
        """
    ),
    "sample is another function now": by_mu(
        """
        from numpyro import sample

        def model(n):
            sample = lambda name, d: 2 * numpyro.sample(name, d)
            mu = sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = sample("a", dist.Normal(0, 1))
            return a
        """
    ),
    "sample doubles": by_mu(
        """
        from numpyro import sample as draw

        def sample(name, d):
            return 2 * draw(name + "_raw", d)

        def model(n):
            mu = sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = sample("a", dist.Normal(0, 1))
            return a
        """,
        children=[],
        offsets={},
    ),
    "plate and sample change roles": by_mu(
        """
        import numpyro
        from numpyro import plate as sample, sample as plate
        from numpyro.distributions import Normal as HalfNormal, HalfNormal as Normal

        def model(n):
            mu = plate("mu", Normal(1))
            with sample("n", n):
                a = plate("a", Normal(1))
        """,
        whole=True,
    ),
    "variables like those of generated code": chained(
        """
        from numpyro.infer.reparam import ExplicitReparam as AffineTransform

        def model(n, a_loc=1.0, a_reparam=2.0, xi_a_mu=3.0, ExplicitReparam=4.0):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a_base = b_loc = 5.0
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(a_loc, a_reparam))
                b = numpyro.sample("b", dist.Normal(0, 1))
            return a_loc + a_reparam + xi_a_mu + ExplicitReparam + a_base + b_loc
        """
    ),
    "a keyword of the call": by_mu(
        """
        def model(n):
            mu = numpyro.sample(fn=dist.Normal(0, 1), name="mu")
            with numpyro.plate(size=n, name="n"):
                a = numpyro.sample(obs=None, fn=dist.Normal(scale=1, loc=0), name="a")
        """
    ),
    "the name has effects": by_mu(
        """
        def model(n):
            names = ["a", "mu"]
            mu = numpyro.sample(names.pop(), dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample(names.pop(), dist.Normal(0, 1))
            return len(names)
        """
    ),
    "private names of a class": method(
        """
        class M:
            def model(self, n):
                __mu = numpyro.sample("mu", dist.Normal(0, 1))
                self.__n = n
                with numpyro.plate("n", self.__n):
                    __a = numpyro.sample("a", dist.Normal(0, 1))
        """
    ),
    "one name at two places that exclude each other": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            if n > 5:
                return numpyro.sample("a", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                return numpyro.sample("a", dist.Normal(0, 1))
        """
    ),
    "text that looks like a site": by_mu(
        """
        def model(n):
            'mu = numpyro.sample("mu", dist.Normal(0, 1))'
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            doc = 'a = numpyro.sample("a", dist.HalfNormal(0))'  # numpyro.sample("a", 1)
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return len(doc)
        """
    ),
    "exec": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            scope = dict(globals(), mu=mu)
            exec('a = numpyro.sample("a", dist.Normal(mu, 1))', scope)
            return scope["a"]
        """
    ),
}

HELPERS = {
    "the child behind an argument": by_mu(
        """
        def prior(name, n):
            with numpyro.plate("n", n):
                return numpyro.sample(name, dist.Normal(0, 1))

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = prior("a", n)
            return a
        """
    ),
    "the parent behind an argument": by_mu(
        """
        def prior(name, d=dist.Normal(0, 1)):
            return numpyro.sample(name, d)

        def model(n):
            mu = prior("mu")
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """
    ),
    "the parents returned": chained(
        """
        def hyper():
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
            return a, mu

        def model(n):
            mu, a = hyper()
            b = numpyro.sample("b", dist.Normal(mu, 1))
            return a - mu
        """
    ),
    "the parents returned, of a chain that the helper is a part of": chained(
        """
        def hyper():
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
            return a, mu

        def model(n):
            mu, a = hyper()
            b = numpyro.sample("b", dist.Normal(mu, 1))
            return a - mu
        """,
        config='functions = ["hyper", "model"]\nchain = ["mu", "a", "b"]\n',
        expected="rewritten",
    ),
    "the parents in a returned dictionary": chained(
        """
        def hyper(n):
            p = {"mu": numpyro.sample("mu", dist.Normal(0, 1))}
            with numpyro.plate("n", n):
                p["a"] = numpyro.sample("a", dist.Normal(0, 1))
            return p

        def model(n):
            p = hyper(n)
            with numpyro.plate("n", n):
                b = numpyro.sample("b", dist.Normal(p["a"], 1))
            return b
        """
    ),
    "the parent in a function under the plate": by_mu(
        """
        def hyper():
            return numpyro.sample("mu", dist.Normal(0, 1))

        def model(n):
            with numpyro.plate("n", n):
                mu = hyper()
            a = numpyro.sample("a", dist.Normal(0, 1))
            return mu
        """,
        offsets={"a": "xi_a_mu * jnp.mean(mu)"},
    ),
    "the child in a function under the plate": by_mu(
        """
        def effect(mu):
            a = numpyro.sample("a", dist.Normal(0, 1))
            return a

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                return effect(mu)
        """
    ),
    "both in a function under the plate by another name": by_mu(
        """
        def effect():
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
            return a

        alias = effect

        def model(n):
            with numpyro.plate("n", n):
                return alias()
        """,
        **OUT_OF_SIGHT,
    ),
    "both in a function of a dictionary under the plate": by_mu(
        """
        def effect():
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
            return a

        PARTS = {"effect": effect}

        def model(n):
            with numpyro.plate("n", n):
                return PARTS["effect"]()
        """,
        **OUT_OF_SIGHT,
    ),
    "both in a partial under the plate": by_mu(
        """
        from functools import partial

        def effect(width):
            mu = numpyro.sample("mu", dist.Normal(0, width))
            a = numpyro.sample("a", dist.Normal(0, width))
            return a

        effect_1 = partial(effect, 1)

        def model(n):
            with numpyro.plate("n", n):
                return effect_1()
        """,
        loud=True,
    ),
    "both in a callback that is called under the plate": by_mu(
        """
        def in_plate(n, f):
            with numpyro.plate("n", n):
                return f()

        def effect():
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
            return a

        def model(n):
            return in_plate(n, effect)
        """,
        **OUT_OF_SIGHT,
    ),
    "both in a decorated function that opens a plate": by_mu(
        """
        def in_plate(f):
            def inner(n):
                with numpyro.plate("n", n):
                    return f(n)
            return inner

        @in_plate
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """,
        **OUT_OF_SIGHT,
    ),
    "a decorator that calls twice, in scopes": by_mu(
        """
        def twice(f):
            def inner(n):
                for prefix in "xy":
                    with numpyro.handlers.scope(prefix=prefix):
                        f(n)
            return inner

        @twice
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """,
        children=["x/a", "y/a"],
        offsets={
            "x/a": "globals()['x/xi_a_mu'] * globals()['x/mu']",
            "y/a": "globals()['y/xi_a_mu'] * globals()['y/mu']",
        },
    ),
    "a decorator of the library": by_mu(
        """
        import functools

        @functools.lru_cache(None)
        def sizes(n):
            return n

        @functools.wraps(sizes)
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", sizes(n)):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """
    ),
    "a decorator that scales": by_mu(
        """
        @numpyro.handlers.scale(scale=0.5)
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.HalfNormal(1))
            return a
        """.replace("@numpyro.handlers.scale(scale=0.5)\n        def model", "def plain")
        + """
        model = numpyro.handlers.scale(plain, scale=0.5)
        """
    ),
    "a decorator that conditions": by_mu(
        """
        def fixed(f):
            return numpyro.handlers.condition(f, data={"a": jnp.ones(3)})

        @fixed
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(mu, 1))
            return a
        """,
        children=[],
        offsets={},
    ),
    "conditioned by a name that is put together": by_mu(
        """
        DATA = {"".join(["a"]): jnp.ones(3)}

        def inner(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(mu, 1))
            return a

        model = numpyro.handlers.condition(inner, data=DATA)
        """,
        children=[],
        offsets={},
    ),
    "reparameterized at the end of the file": by_mu(
        """
        from numpyro.infer.reparam import LocScaleReparam

        def inner(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(mu, 1))
            return a

        def choose(site):
            if site["type"] == "sample" and site["name"].endswith("a"):
                return LocScaleReparam(0)

        model = numpyro.handlers.reparam(inner, config=choose)
        """,
        children=[],
        offsets={},
    ),
    "inheritance": method(
        """
        class Base:
            def hyper(self):
                self.mu = numpyro.sample("mu", dist.Normal(0, 1))

            def effect(self, n):
                self.a = numpyro.sample("a", dist.Normal(0, 1))

        class M(Base):
            def model(self, n):
                self.hyper()
                with numpyro.plate("n", n):
                    self.effect(n)
                return self.a
        """
    ),
    "an overridden method under a plate": method(
        """
        class Base:
            def model(self, n):
                mu = self.mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self.a = numpyro.sample("a", dist.Normal(0, 1))

        class M(Base):
            def model(self, n):
                with numpyro.plate("n", n):
                    super().model(n)
                return self.a
        """
    ),
    "a method called by getattr under a plate": method(
        """
        class M:
            def part(self):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = numpyro.sample("a", dist.Normal(0, 1))
                return a

            def model(self, n):
                with numpyro.plate("n", n):
                    return getattr(self, "pa" + "rt")()
        """,
        **OUT_OF_SIGHT,
    ),
    "a property under a plate": method(
        """
        class M:
            @property
            def part(self):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = numpyro.sample("a", dist.Normal(0, 1))
                return a

            def model(self, n):
                with numpyro.plate("n", n):
                    return self.part
        """
    ),
    "an object that is called under a plate": method(
        """
        class M:
            def __call__(self):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = numpyro.sample("a", dist.Normal(0, 1))
                return a

            def model(self, n):
                with numpyro.plate("n", n):
                    return self()
        """,
        **OUT_OF_SIGHT,
    ),
    "an operator under a plate": method(
        """
        class M:
            def __add__(self, other):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = numpyro.sample("a", dist.Normal(0, 1))
                return a + other

            def model(self, n):
                with numpyro.plate("n", n):
                    return self + 1
        """,
        **OUT_OF_SIGHT,
    ),
    "an initializer under a plate": by_mu(
        """
        class Effects:
            def __init__(self):
                self.mu = numpyro.sample("mu", dist.Normal(0, 1))
                self.a = numpyro.sample("a", dist.Normal(0, 1))

        def model(n):
            with numpyro.plate("n", n):
                return Effects().a
        """
    ),
    "a context manager under a plate": by_mu(
        """
        import contextlib

        @contextlib.contextmanager
        def effects():
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
            yield a

        def model(n):
            with numpyro.plate("n", n), effects() as a:
                return a
        """
    ),
    "a generator under a plate": by_mu(
        """
        def parts():
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            yield mu
            a = numpyro.sample("a", dist.Normal(0, 1))
            yield a

        def model(n):
            draws = parts()
            mu = next(draws)
            with numpyro.plate("n", n):
                return next(draws)
        """,
        **OUT_OF_SIGHT,
    ),
    "a generator that opens a plate around its caller": by_mu(
        """
        def rows(n):
            with numpyro.plate("n", n) as i:
                yield i

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            for _ in rows(n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """
    ),
    "entered by a helper": by_mu(
        """
        def open_plate(n):
            p = numpyro.plate("n", n)
            p.__enter__()
            return p

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            p = open_plate(n)
            a = numpyro.sample("a", dist.Normal(0, 1))
            p.__exit__(None, None, None)
            return a
        """
    ),
    "recursion": by_mu(
        """
        def draw(depth, n):
            if depth:
                return draw(depth - 1, n)
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return a

        def model(n):
            return draw(2, n)
        """
    ),
    "recursion into plates": by_mu(
        """
        def model(*sizes):
            if sizes:
                with numpyro.plate(f"p{len(sizes)}", sizes[0]):
                    return model(*sizes[1:])
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """,
        args=(2, 3),
    ),
    "a closure over the parent": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))

            def effect():
                with numpyro.plate("n", n):
                    a = numpyro.sample("a", dist.Normal(mu, 1))
                return a

            return effect()
        """
    ),
    "a closure whose parent is changed before the call": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))

            def effect():
                with numpyro.plate("n", n):
                    a = numpyro.sample("a", dist.Normal(0, 1))
                return a

            mu = jnp.zeros((4, 1))
            return effect(), mu
        """
    ),
    "a closure that is called under a plate": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))

            def effect():
                a = numpyro.sample("a", dist.Normal(mu, 1))
                return a

            run = [effect]
            with numpyro.plate("n", n):
                return run[0]()
        """
    ),
    "the parent in a closure": by_mu(
        """
        def model(n):
            mu = jnp.zeros((3, 1))

            def hyper():
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                return mu

            m = hyper()
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(m, 1))
            return mu
        """
    ),
    "a factory of models": by_mu(
        """
        def make(n_default):
            def model(n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with numpyro.plate("n", n or n_default):
                    a = numpyro.sample("a", dist.Normal(0, 1))
                return a
            return model

        model = make(4)
        """
    ),
    "a dispatching method": method(
        """
        import functools

        class M:
            @staticmethod
            def hyper():
                return numpyro.sample("mu", dist.Normal(0, 1))

            @classmethod
            def effect(cls, n):
                with numpyro.plate("n", n):
                    a = numpyro.sample("a", dist.Normal(0, 1))
                return a

            @functools.cached_property
            def mu(self):
                return self.hyper()

            def model(self, n):
                return self.mu + self.effect(n)
        """
    ),
    "a cached helper": by_mu(
        """
        import functools

        def model(n):
            @functools.cache
            def mu():
                return numpyro.sample("mu", dist.Normal(0, 1))

            @functools.cache
            def a():
                with numpyro.plate("n", n):
                    return numpyro.sample("a", dist.Normal(mu(), 1))

            return a() + mu() + a()
        """
    ),
    "mapped": by_mu(
        """
        def draw(name):
            return numpyro.sample(name, dist.Normal(0, 1))

        def model(n):
            mu, a = map(draw, ["mu", "a"])
            return mu - a
        """
    ),
    "shadowed by a second definition": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.HalfNormal(1))
            return a

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """
    ),
    "a model under vmap": by_mu(
        """
        def effect(x):
            mu = numpyro.sample("mu", dist.Normal(0, 1), rng_key=jax.random.PRNGKey(0))
            a = numpyro.sample("a", dist.Normal(x, 1), rng_key=jax.random.PRNGKey(1))
            return a

        def model(n):
            with numpyro.handlers.block():
                y = jax.vmap(effect)(jnp.arange(3.0))
            c = numpyro.sample("c", dist.Normal(0, 1))
            return y + c
        """,
        children=[],
        offsets={},
        matter=False,
    ),
    "a dataclass": method(
        """
        import dataclasses

        @dataclasses.dataclass
        class M:
            n: int = 3
            loc: float = 0.0
            prior: object = dataclasses.field(default_factory=lambda: dist.Normal(jnp.zeros(2), 1))

            def model(self):
                mu = numpyro.sample("mu", dist.Normal(self.loc, 1))
                a = numpyro.sample("a", self.prior)
                return a
        """,
        args=(),
    ),
}

FLOWS = {
    "both branches": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                if n > 2:
                    a = numpyro.sample("a", dist.Normal(0, 1))
                else:
                    a = numpyro.sample("a", dist.HalfNormal(1))
            return a
        """
    ),
    "both branches of the parent": by_mu(
        """
        def model(n):
            if n > 2:
                mu = numpyro.sample("mu", dist.Normal(0, 1))
            else:
                mu = numpyro.sample("mu", dist.Normal(jnp.zeros(4), 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """
    ),
    "a parent that may be something else": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            if n == 3:
                mu = jnp.zeros((4, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return mu
        """
    ),
    "for over names": by_mu(
        """
        def model(n):
            p = {}
            for name in ("mu", "a", "b"):
                p[name] = numpyro.sample(name, dist.Normal(0, 1))
            return p["a"]
        """
    ),
    "for over one": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            for _ in range(1):
                with numpyro.plate("n", n):
                    a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """
    ),
    "a parent changed at the end of a loop": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            for i in range(2):
                if i == 1:
                    with numpyro.plate("n", n):
                        a = numpyro.sample("a", dist.Normal(0, 1))
                mu = jnp.zeros((3, 1))
            return a
        """
    ),
    "a for's else": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            for _ in ():
                break
            else:
                with numpyro.plate("n", n):
                    a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """
    ),
    "comprehensions": by_mu(
        """
        def model(n):
            mu = [numpyro.sample(f"{x}u", dist.Normal(0, 1)) for x in "m"][0]
            a = {k: numpyro.sample("a", dist.Normal(0, 1)) for k in "a"}
            return a["a"]
        """
    ),
    "the parent is a comprehension's variable": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            mus = [mu for mu in range(3)]
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return mus
        """
    ),
    "a generator expression that is run late": by_mu(
        """
        def model(n):
            draws = (numpyro.sample(name, dist.Normal(0, 1)) for name in ["mu", "a"])
            mu = next(draws)
            with numpyro.plate("n", n):
                a = next(draws)
            return a
        """
    ),
    "mask": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n), numpyro.handlers.mask(mask=jnp.arange(3) > 0):
                a = numpyro.sample("a", dist.HalfNormal(1))
            return a
        """
    ),
    "a mask called something else": by_mu(
        """
        from numpyro.handlers import mask as block

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n), block(mask=False):
                a = numpyro.sample("a", dist.HalfNormal(1))
            return a
        """
    ),
    "a mask in a variable": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            quiet = numpyro.handlers.mask(mask=False)
            with quiet:
                a = numpyro.sample("a", dist.HalfNormal(1))
            return a
        """
    ),
    "a mask of a called function": by_mu(
        """
        def effect():
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.HalfNormal(1))
            return a

        def model(n):
            return numpyro.handlers.mask(effect, mask=False)()
        """
    ),
    "a scale of a called function": by_mu(
        """
        def effect():
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.HalfNormal(1))
            return a

        def model(n):
            with numpyro.handlers.scale(scale=2.0):
                return effect()
        """
    ),
    "scale with real values": by_mu(
        """
        def model(n):
            with numpyro.handlers.scale(scale=0.5):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with numpyro.plate("n", n):
                    a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """
    ),
    "scale with positive values": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.handlers.scale(scale=0.5), numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Exponential(1))
            return a
        """
    ),
    "scope": by_mu(
        """
        def model(n):
            with numpyro.handlers.scope(prefix="g"):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with numpyro.plate("n", n):
                    a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """,
        children=["g/a"],
        offsets={"g/a": "globals()['g/xi_a_mu'] * globals()['g/mu']"},
    ),
    "scope around the child only": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n), numpyro.handlers.scope(prefix="g", divider="."):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """,
        children=["g.a"],
        offsets={},
    ),
    "seed": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.handlers.seed(rng_seed=0):
                with numpyro.plate("n", n):
                    a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """
    ),
    "block that hides all": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.handlers.block():
                a = numpyro.sample("a", dist.Normal(0, 1))
            return mu
        """,
        children=[],
        offsets={},
        matter=False,
    ),
    "block that hides by a function": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.handlers.block(hide_fn=lambda site: site.get("name") == "a_base"):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return mu
        """
    ),
    "block that exposes a type": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.handlers.block(expose_types=["sample"]):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """
    ),
    "block that hides params": by_mu(
        """
        def inner(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return a

        model = numpyro.handlers.block(inner, hide_fn=lambda site: site["type"] == "param")
        """,
        offsets={},
    ),
    "a mask given by position": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.handlers.mask(None, False), numpyro.plate("n", n):
                a = numpyro.sample("a", dist.HalfNormal(1))
            return a
        """
    ),
    "a mask around the plate's with, in a list": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            quiet = [numpyro.handlers.mask(mask=False)]
            quiet[0].__enter__()
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.HalfNormal(1))
            quiet[0].__exit__(None, None, None)
            return a
        """
    ),
    "a substituted param": by_mu(
        """
        def inner(n):
            s = numpyro.param("s", 1.0)
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(s, 1))
            return a

        model = numpyro.handlers.substitute(inner, data={"s": jnp.array(2.0)})
        """
    ),
    "a model that the file only conditions": by_mu(
        """
        KNOWN = dict(a=jnp.ones(3))

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.handlers.condition(data=KNOWN):
                with numpyro.plate("n", n):
                    a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """,
        children=[],
        offsets={},
    ),
    "substitute by a function": by_mu(
        """
        def fix(site):
            return jnp.ones(3) if site["name"][0] == "a" else None

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.handlers.substitute(substitute_fn=fix), numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(mu, 1))
            return a
        """,
        children=[],
        offsets={},
    ),
    "a trace in the model": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.handlers.trace() as trace, numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return trace["a"]["fn"].log_prob(a)
        """,
        loud=True,
        fails="fn",
    ),
    "lift": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.handlers.lift(prior={"s": dist.HalfNormal(1)}):
                s = numpyro.param("s", 1.0)
                with numpyro.plate("n", n):
                    a = numpyro.sample("a", dist.Normal(0, s))
            return a
        """
    ),
    "lift of every param": by_mu(
        """
        def model(n):
            with numpyro.handlers.lift(prior=dist.Normal(0, 1)):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with numpyro.plate("n", n):
                    a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """
    ),
    "infer_config": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.handlers.infer_config(config_fn=lambda site: {}), numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """
    ),
    "module level": by_mu(
        """
        with numpyro.handlers.seed(rng_seed=0):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", 3):
                a = numpyro.sample("a", dist.Normal(0, 1))

        def model(n):
            return numpyro.sample("b", dist.Normal(mu, 1))
        """,
        children=[],
        offsets={},
    ),
    "the parent at module level": by_mu(
        """
        with numpyro.handlers.seed(rng_seed=0):
            mu = numpyro.sample("mu", dist.Normal(0, 1))

        def model(n):
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(mu, 1))
            return a
        """,
        offsets={},
    ),
    "try": by_mu(
        """
        def model(n):
            try:
                mu = numpyro.sample("mu", dist.Normal(0, 1))
            except KeyError:
                mu = 0.0
            try:
                with numpyro.plate("n", n):
                    a = numpyro.sample("a", dist.Normal(0, 1))
            finally:
                pass
            return a
        """
    ),
    "a try that swallows the child's failure": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(jnp.zeros(n), 1))
            try:
                a = numpyro.sample("a", dist.Normal(jnp.zeros(2), 1))
            except Exception:
                a = None
            return a
        """,
        offsets={"a": "xi_a_mu * jnp.mean(mu)"},
    ),
    "a suppressed exception between": by_mu(
        """
        import contextlib

        def model(n):
            with contextlib.suppress(ZeroDivisionError):
                mu = jnp.zeros((4, 1))
                1 / 0
                mu = numpyro.sample("mu", dist.Normal(0, 1))
            numpyro.sample("c", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """,
        children=[],
        offsets={},
        matter=False,
    ),
    "while": by_mu(
        """
        def model(n):
            while True:
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                break
            while (a := numpyro.sample("a", dist.Normal(0, 1))) is None:
                pass
            return a
        """
    ),
    "early return": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            if n > 10:
                return mu
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """
    ),
    "the parent may be unbound": by_mu(
        """
        def model(n):
            if n > 10:
                mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """,
        children=[],
        offsets={},
        matter=False,
    ),
    "dead code": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                return numpyro.sample("b", dist.Normal(0, 1))
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        children=[],
        offsets={},
        matter=False,
    ),
    "cases of a match": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            match n:
                case 3:
                    with numpyro.plate("n", n):
                        a = numpyro.sample("a", dist.Normal(0, 1))
                case _:
                    pass
            return a
        """
    ),
    "an if that guards parent and child": by_mu(
        """
        def model(n):
            if n > 0:
                mu = numpyro.sample("mu", dist.Normal(0, 1))
            if n > 1:
                with numpyro.plate("n", n):
                    a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """
    ),
    "a plate in one branch, its size in the other": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            if n > 1:
                p = numpyro.plate("n", n)
            else:
                p = numpyro.plate("m", 7)
            with p:
                a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """
    ),
    "cond": by_mu(
        """
        from numpyro.contrib.control_flow import cond

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
            return jax.lax.cond(True, lambda x: x + mu, lambda x: x, a)
        """
    ),
}

PRIORS = {
    "in a variable": chained(
        """
        def model(n):
            prior = dist.Normal(0, 1)
            mu = numpyro.sample("mu", prior)
            prior = prior.expand([n])
            a = numpyro.sample("a", prior)
            with numpyro.plate("n", n):
                b = numpyro.sample("b", dist.Normal(0, 1))
        """,
        offsets={"a": OFFSET},
    ),
    "a variable of the file": by_mu(
        """
        PRIOR = dist.Normal(jnp.zeros(3), 1)

        def model(n):
            mu = numpyro.sample("mu", PRIOR)
            a = numpyro.sample("a", PRIOR)
        """
    ),
    "a default argument": by_mu(
        """
        def model(n, prior=dist.Normal(0, 1), prior_a=dist.HalfNormal(jnp.ones(2))):
            mu = numpyro.sample("mu", prior)
            a = numpyro.sample("a", prior_a)
        """
    ),
    "built by a helper": by_mu(
        """
        def make(n, width=1):
            return dist.LogNormal(jnp.zeros(n), width)

        def model(n):
            mu = numpyro.sample("mu", make(n))
            a = numpyro.sample("a", make(n))
        """,
        offsets={},
    ),
    "built by a helper with effects": by_mu(
        """
        def model(n):
            widths = [4.0, 3.0, 2.0, 1.0]

            def make():
                return dist.Normal(jnp.zeros(2), widths.pop())

            mu = numpyro.sample("mu", make())
            a = numpyro.sample("a", make())
            return len(widths)
        """,
        offsets={"a": OFFSET},
    ),
    "arguments with effects": by_mu(
        """
        def model(n):
            locs = iter([jnp.zeros(2), jnp.ones(2), 2.0, 3.0])
            mu = numpyro.sample("mu", dist.Normal(next(locs), 1))
            a = numpyro.sample("a", dist.Normal(next(locs), 1))
            return next(locs)
        """
    ),
    "arguments with effects, in a plate": by_mu(
        """
        def model(n):
            locs = [1.0, 2.0, 3.0]
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(locs.pop(), 1))
            return len(locs)
        """
    ),
    "a size with effects": by_mu(
        """
        def model(n):
            sizes = [5, 4, n]
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1).expand([sizes.pop()]))
            with numpyro.plate("n", sizes.pop()):
                b = numpyro.sample("b", dist.Normal(0, 1))
            return len(sizes)
        """,
        config='chain = ["mu", ["a", "b"]]\n'
        if False
        else '[sites.a]\noffset = "mu"\n[sites.b]\noffset = "mu"\n',
        offsets={"a": OFFSET, "b": "xi_b_mu * mu"},
    ),
    "a walrus in the prior": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(loc := jnp.zeros(3), 1))
            return loc
        """
    ),
    "looked up": by_mu(
        """
        PRIORS = {"mu": dist.Normal(0, 1), "a": dist.Gamma(jnp.ones(3), 2)}

        def model(n):
            mu = numpyro.sample("mu", PRIORS["mu"])
            a = numpyro.sample("a", PRIORS["a"])
        """
    ),
    "looked up and left over": by_mu(
        """
        def model(n):
            priors = {"mu": dist.Normal(0, 1), "a": dist.Normal(jnp.ones(3), 2)}
            mu = numpyro.sample("mu", priors.pop("mu"))
            a = numpyro.sample("a", priors.pop("a"))
            return len(priors)
        """
    ),
    "chosen": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.HalfNormal(1) if n == 3 else dist.Normal(0, 1))
                b = numpyro.sample("b", (dist.HalfNormal if n == 3 else dist.Laplace)(1))
        """
    ),
    "by getattr, by partial and by type": chained(
        """
        from functools import partial

        def model(n):
            mu = numpyro.sample("mu", getattr(dist, "Normal")(0, 1))
            a = numpyro.sample("a", partial(dist.HalfNormal)(jnp.ones(3)))
            b = numpyro.sample("b", type(dist.HalfNormal(1))(jnp.ones(3)))
        """
    ),
    "a class of the file": by_mu(
        """
        class Wide(dist.Normal):
            def __init__(self, loc):
                super().__init__(jnp.array([loc, loc, loc]), 5)

        def model(n):
            mu = numpyro.sample("mu", Wide(0.0))
            a = numpyro.sample("a", Wide(1.0))
        """
    ),
    "a class of the file that has a known name": by_mu(
        """
        class Normal(dist.HalfNormal):
            def __init__(self, loc, scale):
                super().__init__(scale * jnp.ones(3))

        def model(n):
            mu = numpyro.sample("mu", Normal(0, 1))
            a = numpyro.sample("a", Normal(0, 1))
        """
    ),
    "a function that has a known name": by_mu(
        """
        from numpyro.distributions import Normal

        def Normal(loc, scale):
            return dist.Exponential(scale * jnp.ones(3))

        def model(n):
            mu = numpyro.sample("mu", Normal(0, 1))
            a = numpyro.sample("a", Normal(0, 1))
        """
    ),
    "known names rebound in a loop": by_mu(
        """
        from numpyro.distributions import Normal, HalfNormal

        for Normal in [Normal, HalfNormal]:
            pass

        def model(n):
            mu = numpyro.sample("mu", Normal(1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", Normal(1))
        """
    ),
    "a subclass with another support": by_mu(
        """
        class Folded(dist.Normal):
            support = dist.constraints.positive

            def sample(self, key, sample_shape=()):
                return abs(super().sample(key, sample_shape))

            def log_prob(self, value):
                return super().log_prob(value) + jnp.log(2.0)

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", Folded(0, 1))
        """
    ),
    "a lambda": by_mu(
        """
        Normal = lambda loc, *rest: dist.Normal(loc + jnp.zeros(3), *rest)

        def model(n):
            mu = numpyro.sample("mu", Normal(0, 1))
            a = numpyro.sample("a", Normal(0, 1))
        """
    ),
    "starred arguments": by_mu(
        """
        def model(n):
            args, kwargs = (jnp.zeros(3),), {"scale": jnp.ones((2, 1))}
            mu = numpyro.sample("mu", dist.Normal(*args))
            a = numpyro.sample("a", dist.Normal(*args, **kwargs))
        """,
        loud=True,
        fails="'mu' can't be lined up with 'a': name the axes of both",
    ),
    "expand and expand_by": chained(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1).expand_by([n]))
            a = numpyro.sample("a", dist.HalfNormal(jnp.ones(n)).expand_by((2,)))
            b = numpyro.sample("b", dist.Normal(0, 1).expand((2, n)).to_event(1).expand([2]))
        """,
        offsets={},
    ),
    "to_event in a plate": chained(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("m", 2):
                a = numpyro.sample("a", dist.Normal(jnp.zeros(n), 1).to_event())
                b = numpyro.sample("b", dist.Normal(jnp.zeros((n, 4)), 1).to_event(2))
        """,
        offsets={"a": OFFSET},
    ),
    "to_event of the plate's own axis": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(jnp.zeros((n, n)), 1).to_event(1))
        """
    ),
    "a masked prior": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1).expand([3]).mask(jnp.arange(3) > 0))
        """
    ),
    "a masked positive prior": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.HalfNormal(1).expand([3]).mask(jnp.arange(3) > 0))
        """
    ),
    "a masked positive prior in a variable": by_mu(
        """
        def model(n):
            prior = dist.Gamma(2, jnp.ones(3)).mask(False)
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", prior)
        """
    ),
    "a masked positive prior from a helper": by_mu(
        """
        def make(n):
            return dist.HalfNormal(1).expand([n]).mask(jnp.arange(n) < 1)

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", make(n))
        """
    ),
    "a masked positive prior from the library": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.MaskedDistribution(dist.HalfNormal(jnp.ones(3)), False))
        """
    ),
    "sample_shape": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1), sample_shape=(n,))
            a = numpyro.sample("a", dist.Normal(0, 1), sample_shape=())
            return a
        """,
        offsets={"a": "xi_a_mu * jnp.mean(mu)"},
    ),
    "all arguments by position": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1), None, None, (n,))
            a = numpyro.sample("a", dist.Normal(0, 1), None, None, (n,), None)
            return a
        """
    ),
    "arguments in a dictionary": by_mu(
        """
        def model(n):
            how = {"sample_shape": (n,)}
            mu = numpyro.sample("mu", dist.Normal(0, 1), **how)
            a = numpyro.sample("a", dist.Normal(0, 1), **how)
            return a
        """
    ),
    "observed by an argument": by_mu(
        """
        def model(n, a_obs=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1), obs=a_obs)
            return a
        """
    ),
    "independent and expanded by hand": chained(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.ExpandedDistribution(dist.Normal(0, 1), (n,)))
            a = numpyro.sample("a", dist.Independent(dist.Normal(jnp.zeros(n), 1), 1))
            b = numpyro.sample("b", dist.Independent(dist.HalfNormal(jnp.ones((2, n))), 1))
        """,
        loud=True,
        fails="'mu' can't be lined up with 'b': name the axes of both",
    ),
    "truncated": chained(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.LeftTruncatedDistribution(dist.Normal(0, 1), low=-1.0))
            low, high = jnp.zeros(3), jnp.ones(3)
            a = numpyro.sample("a", dist.TruncatedDistribution(dist.Normal(0, 1), low, high))
            b = numpyro.sample("b", dist.TruncatedNormal(mu, 1, low=-high, high=high))
        """,
        offsets={},
    ),
    "a mixture": by_mu(
        """
        def model(n):
            mix = dist.Categorical(jnp.array([0.2, 0.8]))
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.MixtureSameFamily(mix, dist.Normal(jnp.zeros(2), 1)))
        """
    ),
    "folded": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.FoldedDistribution(dist.Normal(jnp.zeros(3), 1)))
        """
    ),
    "a transformed prior with a density of its own": by_mu(
        """
        class Tilted(dist.LogNormal):
            def log_prob(self, value):
                return super().log_prob(value) - value

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", Tilted(jnp.zeros(3), 1))
        """
    ),
    "a sum of steps with a density of its own": by_mu(
        """
        class Tilted(dist.TransformedDistribution):
            def __init__(self, width):
                super().__init__(dist.Normal(0, width), [dist.transforms.AffineTransform(1, 2)])

            def log_prob(self, value):
                return super().log_prob(value) - value**4

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", Tilted(jnp.ones(3)))
        """
    ),
    "a transformed prior": by_mu(
        """
        T, CONE = dist.transforms, dist.constraints.positive

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            base = dist.Normal(jnp.zeros(2), 1)
            a = numpyro.sample(
                "a",
                dist.TransformedDistribution(
                    base, [T.ExpTransform(), T.AffineTransform(1, 2, CONE)]
                ),
            )
        """
    ),
    "bounds from sites": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.HalfNormal(1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Uniform(-mu, jnp.exp(mu)))
        """
    ),
    "a vector of widths hidden in a site": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            s = numpyro.sample("s", dist.HalfNormal(1).expand([4, 1]))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, s))
        """
    ),
    "a singular shape": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(jnp.zeros((3, 1)), 1))
            a = numpyro.sample("a", dist.Normal(jnp.zeros(3), 1))
        """,
        offsets={},
    ),
    "an empty axis": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """,
        args=(1,),
    ),
    "broadcast by the plate": by_mu(
        """
        def model(n):
            with numpyro.plate("n", n):
                mu = numpyro.sample("mu", dist.Normal(jnp.zeros((4, 1)), 1))
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        offsets={"a": "xi_a_mu * jnp.mean(mu, 0)"},
    ),
    "a prior's shape by a literal that is the plate's size": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(jnp.zeros(3), 1))
            with numpyro.plate("n", 3):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        offsets={"a": "xi_a_mu * jnp.mean(mu)"},
    ),
    "zeros of something else": by_mu(
        """
        import types
        jnp = types.SimpleNamespace(zeros=lambda n: jax.numpy.zeros((n, n)), ones=jnp.ones)

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(jnp.zeros(3), 1))
        """
    ),
}

PLATES = {
    "a stack": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate_stack("p", [2, n]):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """
    ),
    "a stack at dim -2": chained(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate_stack("p", (2, n), rightmost_dim=-2):
                a = numpyro.sample("a", dist.Normal(0, 1))
                with numpyro.plate("q", 4):
                    b = numpyro.sample("b", dist.Normal(0, 1))
        """
    ),
    "a helper": by_mu(
        """
        def rows(n):
            return numpyro.plate("n", n)

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with rows(n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """
    ),
    "a helper with a subsample": by_mu(
        """
        def rows(n):
            return numpyro.plate("n", n, subsample_size=2)

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with rows(n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        offsets={},
        full_size=(3,),
    ),
    "an attribute": method(
        """
        class M:
            def __init__(self, n=3):
                self.rows = numpyro.plate("n", n, dim=-2)

            def model(self, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with self.rows:
                    a = numpyro.sample("a", dist.Normal(0, 1))
        """
    ),
    "an exit stack": by_mu(
        """
        import contextlib

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with contextlib.ExitStack() as stack:
                stack.enter_context(numpyro.plate("n", n))
                a = numpyro.sample("a", dist.Normal(0, 1))
        """
    ),
    "an exit stack that holds more than the with": by_mu(
        """
        import contextlib

        def model(n):
            stack = contextlib.ExitStack()
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            stack.enter_context(numpyro.plate("n", n))
            with numpyro.plate("m", 2):
                a = numpyro.sample("a", dist.Normal(0, 1))
            stack.close()
            return a
        """
    ),
    "an exit stack that takes the parent's axis": by_mu(
        """
        import contextlib

        def model(n):
            with numpyro.plate("m", n, dim=-1):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
            stack = contextlib.ExitStack()
            stack.enter_context(numpyro.plate("n", n))
            with numpyro.plate("m", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            stack.close()
            return a
        """,
        offsets={"a": "xi_a_mu * mu[:, None]"},
    ),
    "entered by hand, takes the parent's axis": by_mu(
        """
        def model(n):
            with numpyro.plate("m", n, dim=-1):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
            enter, p = numpyro.plate.__enter__, numpyro.plate("n", n)
            enter(p)
            with numpyro.plate("m", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            p.__exit__(None, None, None)
            return a
        """,
        offsets={"a": "xi_a_mu * mu[:, None]"},
    ),
    "a context manager of the file": by_mu(
        """
        import contextlib

        @contextlib.contextmanager
        def plate(name, size):
            with numpyro.plate(name, size), numpyro.plate("hidden", 2):
                yield

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """
    ),
    "the indices are used": by_mu(
        """
        def model(n):
            x = jnp.arange(12.0).reshape(4, 3)
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n) as idx:
                a = numpyro.sample("a", dist.Normal(x[:, idx], 1 + idx))
            return idx
        """
    ),
    "the indices have the parent's name": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n) as mu:
                a = numpyro.sample("a", dist.Normal(0, 1))
            return mu
        """
    ),
    "the indices have the size's name": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n) as n, numpyro.plate("m", len(n)):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return n
        """
    ),
    "dims that cross": by_mu(
        """
        def model(n):
            with numpyro.plate("n", n, dim=-1):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("m", 2, dim=-3), numpyro.plate("n", n, dim=-1):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """
    ),
    "a dim that leaves its place to an inner plate": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n, dim=-2):
                with numpyro.plate("m", 2):
                    a = numpyro.sample("a", dist.Normal(0, 1))
        """
    ),
    "a dim in a variable": by_mu(
        """
        DIM = -2

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n, dim=DIM), numpyro.plate("m", 2, None, -3):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """
    ),
    "parenthesised": chained(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with (
                numpyro.plate("n", n) as i,  # first
                numpyro.plate("m", 2),  # second
            ):
                a = numpyro.sample("a", dist.Normal(0, 1))  # a
                b = numpyro.sample("b", dist.Normal(0, 1))  # b
            return i
        """
    ),
    "parenthesised around one": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with (numpyro.plate("n", n)), ((numpyro.plate("m", (2)))):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """
    ),
    "a plate made before and entered twice": chained(
        """
        def model(n):
            p = numpyro.plate("n", n)
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with p:
                a = numpyro.sample("a", dist.Normal(0, 1))
            with numpyro.plate("m", 2, dim=-2), p:
                b = numpyro.sample("b", dist.Normal(0, 1))
        """
    ),
    "a plate made inside of another": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("m", 2):
                p = numpyro.plate("n", n)
            with p:
                a = numpyro.sample("a", dist.Normal(0, 1))
        """
    ),
    "a plate in a list": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            plates = [numpyro.plate("n", n, dim=-1), numpyro.plate("m", 2, dim=-2)]
            with plates[0], plates[1]:
                a = numpyro.sample("a", dist.Normal(0, 1))
        """
    ),
    "a plate that is bound in the with": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with (p := numpyro.plate("n", n)):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return p.size
        """
    ),
    "one plate for parent and child, in two withs": chained(
        """
        def model(n):
            with numpyro.plate("n", n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("m", 4, dim=-1):
                a = numpyro.sample("a", dist.Normal(0, 1))
            with numpyro.plate("n", n, dim=-1), numpyro.plate("m", 4, dim=-2):
                b = numpyro.sample("b", dist.Normal(0, 1))
        """,
        offsets={
            "a": "xi_a_mu * jnp.mean(mu)",
            "b": "xi_b_mu * mu + xi_b_a * a[:, None]",
        },
    ),
    "two sizes by one expression that changes": by_mu(
        """
        def model(n):
            n_t = 3
            with numpyro.plate("s", n_t):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
            n_t = 4
            a = numpyro.sample("a", dist.GaussianRandomWalk(1.0, num_steps=n_t))
        """,
        offsets={"a": "xi_a_mu * jnp.mean(mu)"},
    ),
    "subsampled with the child's prior": by_mu(
        """
        def model(n):
            s = jnp.arange(1.0, 7.0)
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", 6, subsample_size=n) as i:
                a = numpyro.sample("a", dist.Normal(0, s[i]))
        """,
        offsets={},
        full_size=(6,),
    ),
    "subsampled parent and child": by_mu(
        """
        def model(n):
            with numpyro.plate("n", 6, n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = numpyro.sample("a", dist.HalfNormal(1))
        """,
        offsets={},
        full_size=(6,),
    ),
    "a subsample that may be the whole": by_mu(
        """
        def model(n, batch=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n, subsample_size=batch or n), numpyro.plate("m", 2):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        offsets={},
        full_size=(2, 3),
    ),
    "a plate in a conditional expression": by_mu(
        """
        import contextlib

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n) if n > 5 else contextlib.nullcontext():
                a = numpyro.sample("a", dist.Normal(0, 1))
        """
    ),
    "a statement between the plate and the child": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                # scaled
                mu = jnp.zeros(3) + 2 * mu
                a = numpyro.sample("a", dist.Normal(0, 1))
            return mu
        """
    ),
    "a size that is sampled from": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(jnp.zeros(4), 1))
            with numpyro.plate("n", len(mu)), numpyro.plate("m", mu.shape[0]):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        offsets={"a": "xi_a_mu * jnp.mean(mu)"},
    ),
}


def text(source: str, **settings: Any) -> Hostile:
    """The lines below `HEAD` as they stand, without taking their indent away."""
    return by_mu((HEAD + source).encode(settings.pop("encoding", "utf-8")), **settings)


MU = '    mu = numpyro.sample("mu", dist.Normal(0, 1))\n'
PLAIN = (
    "def model(n):\n"
    + MU
    + '    with numpyro.plate("n", n):\n'
    + '        a = numpyro.sample("a", dist.Normal(0, 1))\n'
)

TEXTS = {
    "one line of a function": by_mu(
        """
        def model(n): mu = numpyro.sample("mu", dist.Normal(0, 1)); a = numpyro.sample("a", dist.Normal(0, 1)); return a
        """  # noqa: E501
    ),
    "one line of an if": by_mu(
        """
        def model(n):
            if n: mu = numpyro.sample("mu", dist.Normal(0, 1))
            if n: a = numpyro.sample("a", dist.Normal(0, 1))
            else: a = 2.0
            return a
        """
    ),
    "one line of a with": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n): a = numpyro.sample("a", dist.Normal(0, 1))  # here
            return a
        """
    ),
    "one line of a with, two statements": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n): a = numpyro.sample("a", dist.Normal(0, 1)); b = 2 * a;
            return b
        """
    ),
    "semicolons": by_mu(
        """
        def model(n):
            k = 1; mu = numpyro.sample("mu", dist.Normal(0, 1)); k += 1  # two
            with numpyro.plate("n", n):
                k += 1; a = numpyro.sample("a", dist.Normal(0, 1)); a = a * k;
            return a
        """
    ),
    "a semicolon at the end": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1));
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1)) ;  # a
            return a;
        """
    ),
    "backslashes": by_mu(
        """
        def model(n):
            mu = \\
                numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n), \\
                    numpyro.plate("m", 2):
                a \\
                  = numpyro \\
                    .sample("a", dist.Normal(0, \\
                    1))
            return a
        """
    ),
    "tabs": text(PLAIN.replace("    ", "\t")),
    "mixed indents": text(
        "def model(n):\n"
        " mu = numpyro.sample('mu', dist.Normal(0, 1))\n"
        " if n:\n"
        " \twith numpyro.plate('n', n):\n"
        " \t     a = numpyro.sample('a', dist.Normal(0, 1))\n"
        " \treturn a\n"
    ),
    "nested quotes": by_mu(
        """
        def model(n):
            mu = numpyro.sample('''mu''', dist.Normal(0, {"a": 1, 'a"': 2}["a"]))
            with numpyro.plate('n', {"'": n}['\\'']):
                a = numpyro.sample('a', dist.Normal(len(''' # "a" ''') * 0, 1))
        """
    ),
    "comments in the call": chained(
        """
        def model(n):  # m
            # before mu
            mu = numpyro.sample(  # 1
                "mu",  # 2
                # 3
                dist.Normal(0, 1),  # 4
            )  # 5

            # before the plate
            with numpyro.plate(  # 6
                "n",  # 7
                n,
            ):  # 8
                # before a
                a = numpyro.sample(  # 9
                    # 10
                    "a",
                    dist.Normal(  # 11
                        0, 1
                        # 12
                    ),
                )  # 13
                # after a
                b = (  # 14
                    numpyro.sample("b", dist.Normal(0, 1))
                    # 15
                )
                # after b
            # after all
        """
    ),
    "a comment less indented": text(
        "def model(n):\n"
        + MU
        + "# at the margin\n"
        + '    with numpyro.plate("n", n):\n'
        + "# at the margin again\n"
        + '        a = numpyro.sample("a", dist.Normal(0, 1))\n'
        + "# and again\n"
        + "        # deep\n"
        + "    return a\n"
    ),
    "CRLF": text((HEAD + PLAIN).replace(HEAD, "").replace("\n", "\r\n")),
    "CRLF here and there": text(PLAIN.replace(":\n", ":\r\n") + "\r\n\n\r\n"),
    "BOM": by_mu(b"\xef\xbb\xbf" + (HEAD + PLAIN).encode()),
    "BOM and CRLF": by_mu(b"\xef\xbb\xbf" + (HEAD + PLAIN).replace("\n", "\r\n").encode()),
    "form feeds": text("\f\n" + PLAIN.replace("    with", "\f\n    with") + "\f"),
    "a form feed in an indent": text(PLAIN.replace("    with", "\f    with")),
    "latin-1": by_mu(
        ("# -*- coding: latin-1 -*-\n" + HEAD + PLAIN + "    é = 'ü'  # ß\n").encode("latin-1")
    ),
    "a euro in cp1252": by_mu(
        ("#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\n" + HEAD + PLAIN + "# 5 €\n").encode(
            "cp1252"
        )
    ),
    "utf-8 by two cookies": by_mu(
        ("# coding: utf-8\n# coding: latin-1\n" + HEAD + PLAIN + "# €\n").encode()
    ),
    "no newline at the end": text(PLAIN.rstrip("\n")),
    "no newline after a comment": text(PLAIN + "# the end"),
    "no newline after spaces": text(PLAIN + "    "),
    "docstrings that hold code": by_mu(
        '''
        """
        >>> a = numpyro.sample("a", dist.Normal(0, 1))
            with numpyro.plate("n", n):
        """

        def model(n):
            """with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        '''
    ),
    "a string across the lines of a child": by_mu(
        '''
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0 * len("""
          x
        y"""), 1)), """
            z
        """
            return len(a[1])
        '''
    ),
    "fmt: off": by_mu(
        """
        # fmt: off
        def model( n ):
            mu   = numpyro.sample( "mu" , dist.Normal( 0,1 ) )
            with numpyro . plate( 'n',n ) :
                a=numpyro.sample( 'a'
                   , dist.Normal(0,1) )
        # fmt: on
        """
    ),
    "type comments": by_mu(
        """
        def model(n):
            # type: (int) -> None
            mu = numpyro.sample("mu", dist.Normal(0, 1))  # type: jax.Array
            with numpyro.plate("n", n):  # type: ignore[attr-defined]
                a = numpyro.sample("a", dist.Normal(0, 1))  # type: jax.Array  # noqa
            return a  # pragma: no cover
        """
    ),
    "a very long line": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(LOC, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(LOC, 1))
        """.replace("LOC", " + ".join(["0.0"] * 300))
    ),
    "a statement after the plate's line": by_mu(
        """
        class Plate:
            def model(self, n): pass

        def model(n):


            mu = numpyro.sample("mu", dist.Normal(0, 1))


            with numpyro.plate("n", n):

                a = numpyro.sample("a", dist.Normal(0, 1))

                # tail


            return a
        """
    ),
    "imports with comments and continuation": by_mu(
        """
        #!/usr/bin/env python
        from __future__ import annotations; import sys  # why not
        import numpyro, \\
            numpyro.distributions as dist
        from numpyro.infer.reparam import (  # kept
            LocScaleReparam,
            # nothing
        )
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        whole=True,
    ),
    "all on one line with the imports": by_mu(
        """
        import numpyro; from numpyro import sample, distributions as dist
        def model(n): return [sample("mu", dist.Normal(0, 1)), sample("a", dist.Normal(0, 1))]
        """,
        whole=True,
    ),
    "null, control characters and odd spaces": text(
        PLAIN + "    x = '\x1b\u2028\u00a0\ufeff'  # \u2028 \x85\n    return len(x)\n"
    ),
    "line separators in a comment": text(
        PLAIN.replace("    with", "    # one\u2028        # two\x0b\x1c\x85\n    with")
    ),
    "an indented block of one comment": by_mu(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            if n:
                # nothing
                pass
            with numpyro.plate("n", n):  # the plate
                a = numpyro.sample("a", dist.Normal(0, 1))  # a; with ("a")
                ...
            return a  # 'a'
        """
    ),
    "parenthesised over lines": by_mu(
        """
        def model(n):
            (
                mu
            ) = (numpyro
                 .sample("mu",
                         (dist
                          .Normal(0, 1))))
            with numpyro.plate("n", n):
                (a) = ((numpyro.sample)("a", (dist.Normal)(0, 1)))
            return (a)
        """
    ),
    "a lone CR": by_mu((HEAD + PLAIN).replace("\n", "\r").encode()),
}

SHARED = A_BY_MU + 'coefficient = "shared"\n'
WITH_SHARED = {
    **{
        name: dataclasses.replace(shapes[name], config=SHARED, full_size=())
        for shapes, names in (
            (
                FLOWS,
                ["a mask in a variable", "substitute by a function", "a mask of a called function"],
            ),
            (PLATES, [name for name in PLATES if "parent's axis" not in name]),
            (CHILDREN, ["a with that swallows"]),
            (HELPERS, [name for name in HELPERS if "under a plate" in name]),
        )
        for name in names
        if shapes[name].config == A_BY_MU
    },
    "a helper that masks": by_mu(
        """
        def quiet():
            return numpyro.handlers.mask(mask=False)

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with quiet():
                a = numpyro.sample("a", dist.HalfNormal(1))
            return a
        """,
        config=SHARED,
    ),
    "a context manager of the file that scales": by_mu(
        """
        import contextlib

        @contextlib.contextmanager
        def weighted(size):
            with numpyro.plate("n", size), numpyro.handlers.scale(scale=2.0):
                yield

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with weighted(n):
                a = numpyro.sample("a", dist.Exponential(1))
            return a
        """,
        config=SHARED,
    ),
    "a helper with a subsample of positive values": by_mu(
        """
        def rows(n):
            return numpyro.plate("n", n, subsample_size=2)

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with rows(n):
                a = numpyro.sample("a", dist.HalfNormal(1))
        """,
        config=SHARED,
    ),
    "an exit stack of a mask": by_mu(
        """
        import contextlib

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with contextlib.ExitStack() as stack:
                stack.enter_context(numpyro.handlers.mask(mask=False))
                a = numpyro.sample("a", dist.HalfNormal(1))
            return a
        """,
        config=SHARED,
    ),
    "a conditioned block that is put together": by_mu(
        """
        def known(**values):
            return numpyro.handlers.condition(data=values)

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with known(a=jnp.ones(())):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """,
        config=SHARED,
        children=[],
        offsets={},
    ),
}

SHAPES = {
    f"{area}: {name}": shape
    for area, shapes in {
        "values": VALUES,
        "children": CHILDREN,
        "names": NAMES,
        "helpers": HELPERS,
        "flow": FLOWS,
        "priors": PRIORS,
        "plates": PLATES,
        "text": TEXTS,
        "shared": WITH_SHARED,
    }.items()
    for name, shape in shapes.items()
}


def check(shape: Hostile) -> list[str]:
    """Assert that a shape is rewritten right or refused; return the messages of the refusal."""
    runs = shape.comparison(b"")
    if runs not in executed:
        with double_precision():
            plain = load_model(shape.plain, shape.function)
            jax.eval_shape(lambda: structure(plain, shape.args, {}) and None)
        executed.add(runs)
    try:
        generated = rewritten(shape.plain, shape.config)
    except Refusal as refusal:
        assert shape.expected != "rewritten", refusal.diagnostics
        return [diagnostic.message for diagnostic in refusal.diagnostics]
    assert shape.expected != "refused", generated.decode()
    compile(generated, "model_reparam.py", "exec")
    assert_kept(shape, generated)
    assert shape.loud or rewritten(generated, shape.config) == generated, "a second pass changes it"
    comparison = shape.comparison(generated)
    if comparison not in executed:
        assert_right(shape, generated)
        executed.add(comparison)
    return []


def assert_right(shape: Hostile, generated: bytes) -> None:
    """Assert that the generated model is the plain one, or fails as the shape says."""
    with double_precision():
        plain = load_model(shape.plain, shape.function)
        model = load_model(generated, shape.function)
    if shape.loud:
        with pytest.raises(Exception, match=shape.fails):
            traced(model, shape.args, {}, key=cheap_key(0))
        return
    assert_equivalent(plain, model, shape.args, points=3, coefficients_matter=shape.matter)
    assert_posterior(plain, model, shape.args)
    if shape.children != []:
        assert_offsets(shape, plain, model)


def assert_posterior(plain: Any, generated: Any, args: tuple[Any, ...]) -> None:
    """Assert that potentials agree, with what scales multiply: an oracle apart from `verify`'s.

    A shift in the unconstrained space has determinant one.
    """

    def coefficients(site: dict[str, Any]) -> Any:
        if site["type"] == "param" and "xi_" in site["name"]:
            return jax.numpy.full(jax.numpy.shape(site["args"][0]), 0.7)
        return None

    def potential(trace: Any) -> Any:
        total: Any = 0.0
        for site in trace.values():
            if site["type"] != "sample":
                continue
            value, scale = site["value"], site["scale"]
            total += (1.0 if scale is None else scale) * site["fn"].log_prob(value).sum()
            if is_latent(site) and not site["fn"].support.is_discrete:
                to_support = biject_to(site["fn"].support)
                total += to_support.log_abs_det_jacobian(to_support.inv(value), value).sum()
        return total

    model = handlers.substitute(generated, substitute_fn=coefficients)

    def potentials() -> tuple[Any, Any]:
        trace = traced(model, args, {}, key=cheap_key(2), **free)
        values = {n: s["value"] for n, s in trace.items() if s["type"] != "return"}
        return potential(traced(plain, args, {}, values, key=cheap_key(2))), potential(trace)

    with double_precision():
        free = free_values(model, args, 2)
        wanted, found = compiled(potentials)()
    np.testing.assert_allclose(found, wanted, rtol=1e-8, err_msg="the potential differs")


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_hostile(shape: Hostile, record_property: Callable[[str, object], None]) -> None:
    for message in check(shape):
        record_property("refused", message)


def test_names_are_unlike() -> None:
    assert len(SHAPES) >= 70
    assert len({(shape.plain, shape.config) for shape in SHAPES.values()}) == len(SHAPES)
