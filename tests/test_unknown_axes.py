"""Axes that the source doesn't show or shows in another way, and what may do more than it seems.

Each shape is rewritten and executed, or refused with the reason; see `tests/test_shapes.py`.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpyro.distributions.transforms import ExpTransform

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.rewriting import rewrite
from reparam_rewrite.source.encoding import decode
from tests.support.shapes import HEAD, Shape, assert_shape, rewritten

UNKNOWN_DIM = (
    "the shape of 'a' can't be told: the with in line {} holds something that isn't a plate with a "
    "known dim"
)
UNFIT = "can't be lined up with"


def prior_helper(body: str) -> str:
    return f"def prior(*sizes):\n    return {body}\n\n\n"


#: Calls and objects that look as if they did nothing but compute.
NOT_PURE = {
    "a sampling property": Shape(
        """
        class M:
            @property
            def loc(self):
                return numpyro.sample("loc", dist.Normal(0, 1))

            def model(self, n, q):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with numpyro.plate("i", n):
                    a = numpyro.sample("a", dist.Normal(self.loc * q, 1))
        """,
        args=(3, np.ones(3)),
        function="M.model",
    ),
    "a sampling cached property of another object": Shape(
        """
        import functools

        class Loc:
            @functools.cached_property
            def value(self):
                return numpyro.sample("loc", dist.Normal(0, 1))

        def model(n, q):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            loc = Loc()
            with numpyro.plate("i", n):
                a = numpyro.sample("a", dist.Normal(loc.value * q, 1))
        """,
        args=(3, np.ones(3)),
    ),
    "a dictionary that samples what is missing": Shape(
        """
        class Params(dict):
            def __missing__(self, key):
                return numpyro.sample(key, dist.Normal(0, 1))

        def model(n, q):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            p = Params()
            with numpyro.plate("i", n):
                a = numpyro.sample("a", dist.Normal(p["loc"] * q, 1))
        """,
        args=(3, np.ones(3)),
    ),
    "a mean of an own class": Shape(
        """
        class Sampled:
            def mean(self):
                return numpyro.sample("loc", dist.Normal(0, 1))

        def model(n, q):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            p = Sampled()
            with numpyro.plate("i", n):
                a = numpyro.sample("a", dist.Normal(p.mean() * q, 1))
        """,
        args=(3, np.ones(3)),
    ),
    "an operator that samples": Shape(
        """
        class Sampled:
            def __mul__(self, other):
                return numpyro.sample("loc", dist.Normal(0, 1)) * other

        def model(n, q):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            p = Sampled()
            with numpyro.plate("i", n):
                a = numpyro.sample("a", dist.Normal(p * q, 1))
        """,
        args=(3, np.ones(3)),
    ),
    "an own function named like a builtin": Shape(
        """
        def sum(x):
            return numpyro.sample("loc", dist.Normal(0, 1)) * x

        def model(n, q):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n):
                a = numpyro.sample("a", dist.Normal(sum(q), 1))
        """,
        args=(3, np.ones(3)),
    ),
    "an own float": Shape(
        """
        def float(x):
            return jnp.ones(3) * x

        def model(s):
            a = numpyro.sample("a", dist.Normal(float(s), 1))
            c = numpyro.sample("c", dist.Normal(0, 1))
        """,
        args=(1.0,),
        config='[sites.c]\noffset = "a"',
        offsets={"c": "xi_c_a * jnp.mean(a)"},
    ),
    "an own float, bound at module level": Shape(
        """
        float = jnp.atleast_1d

        def model(s):
            a = numpyro.sample("a", dist.Normal(float(s), 1))
            c = numpyro.sample("c", dist.Normal(0, 1))
        """,
        args=(np.ones(3),),
        config='[sites.c]\noffset = "a"',
        offsets={"c": "xi_c_a * jnp.mean(a)"},
    ),
    "a parameter called len": Shape(
        """
        def model(len, s):
            a = numpyro.sample("a", dist.Normal(len(s), 1))
            c = numpyro.sample("c", dist.Normal(0, 1))
        """,
        args=(np.asarray, np.ones(3)),
        config='[sites.c]\noffset = "a"',
        offsets={"c": "xi_c_a * jnp.mean(a)"},
    ),
    "a range of one's own takes more than numbers": Shape(
        """
        def range(x):
            return x

        def model(s):
            range(s)
            a = numpyro.sample("a", dist.Normal(s, 1))
            c = numpyro.sample("c", dist.Normal(0, 1))
        """,
        args=(np.ones(3),),
        config='[sites.c]\noffset = "a"',
        offsets={"c": "xi_c_a * jnp.mean(a)"},
    ),
    "draws of numpy are no powers": Shape(
        """
        import numpy as np

        def model(n):
            np.random.seed(0)
            a = numpyro.sample("a", dist.Normal(np.random.power(5.0, n), 1))
            c = numpyro.sample("c", dist.Normal(0, 1))
        """,
        config='[sites.c]\noffset = "a"',
        offsets={"c": "xi_c_a * jnp.mean(a)"},
    ),
}

#: What `**kw` may hold.
STARRED = {
    "the dim of a plate": Shape(
        """
        def model(n, kw):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n, **kw):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=[UNKNOWN_DIM.format(9)],
    ),
    "the dim of a plate that is bound to a name": Shape(
        """
        def model(n, kw):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            rows = numpyro.plate("i", n, **kw)
            with rows:
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=[UNKNOWN_DIM.format(10)],
    ),
    "the dim of a stack of plates": Shape(
        """
        def model(n, kw):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate_stack("i", [n, 2], **kw):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=[UNKNOWN_DIM.format(9)],
    ),
    "the dim of the parent's plate": Shape(
        """
        def model(n, kw):
            with numpyro.plate("i", n, **kw):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n, **kw):
                y = numpyro.sample("y", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1).expand([n]))
        """,
        args=(3, {"dim": -2}),
        fails=UNFIT,
    ),
    "the subsample of a plate": Shape(
        """
        def model(n, kw):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n, **kw):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        config='[sites.a]\noffset = "mu"\nscale = 2.0\ncoefficient = "shared"',
        refused=[
            "'a' has a scale, and the with in line 9 would weigh the determinant of its map too: "
            "the posterior would change"
        ],
    ),
    "the values of a parent": Shape(
        """
        def model(kw):
            mu = numpyro.sample("mu", dist.Normal(0, 1), **kw)
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=({"obs": np.ones(3)},),
        offsets={"a": "xi_a_mu * jnp.mean(mu)"},
    ),
    "the sample shape of a parent": Shape(
        """
        def model(kw):
            mu = numpyro.sample("mu", dist.Normal(0, 1), **kw)
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=({"sample_shape": (3,)},),
        offsets={"a": "xi_a_mu * jnp.mean(mu)"},
    ),
    "the values of the child": Shape(
        """
        def model(kw):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1), **kw)
        """,
        refused=["'a' is sampled with * or ** arguments"],
    ),
    "the scale of a parent": Shape(
        """
        def model(kw):
            mu = numpyro.sample("mu", dist.Normal(0, **kw))
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=({"scale": np.ones(3)},),
        offsets={"a": "xi_a_mu * jnp.mean(mu)"},
    ),
    "the shape of an expansion": Shape(
        """
        def model(kw):
            mu = numpyro.sample("mu", dist.Normal(0, 1).expand(**kw))
            a = numpyro.sample("a", dist.Normal(0, 1).expand([2]).to_event(**kw2))

        kw2 = {"reinterpreted_batch_ndims": 1}
        """,
        args=({"batch_shape": (2,)},),
        offsets={"a": "xi_a_mu * mu"},
    ),
}

#: Shapes that were not read, or axes that were not lined up.
SEEN = {
    "a random walk of one step in a plate": Shape(
        """
        def model(n):
            with numpyro.plate("items", n):
                s = numpyro.sample("s", dist.Normal(0, 1))
                walk = numpyro.sample("walk", dist.GaussianRandomWalk(scale=2.0))
        """,
        config='[sites.walk]\noffset = "s"',
        offsets={"walk": "xi_walk_s * s[:, None]"},
    ),
    "an ordered parent": Shape(
        """
        from numpyro.distributions.transforms import OrderedTransform

        def model(n, k):
            base = dist.Normal(1.0).expand([n])
            cut = numpyro.sample("cut", dist.TransformedDistribution(base, OrderedTransform()))
            rest = numpyro.sample("rest", dist.Normal().expand([n, k]))
        """,
        args=(3, 3),
        config='[sites.rest]\noffset = "cut"',
        offsets={"rest": "xi_rest_cut * cut[:, None]"},
    ),
    "a parent that a transform broadcasts": Shape(
        """
        def model(n, k):
            p = dist.TransformedDistribution(
                dist.Normal().expand([n]),
                [dist.transforms.AffineTransform(0.0, jnp.ones((k, 1)))],
            )
            w = numpyro.sample("w", p)
            a = numpyro.sample("a", dist.Normal().expand([n, k]))
        """,
        args=(3, 2),
        config='[sites.a]\noffset = "w"',
        offsets={"a": "xi_a_w * w.T"},
    ),
    "a correlation matrix": Shape(
        """
        def model(d):
            corr = numpyro.sample("corr", dist.LKJ(d, 2))
            a = numpyro.sample("a", dist.Normal().expand([d]))
            both = numpyro.sample("both", dist.Normal(0, 1).expand([2]))
        """,
        config='[sites.both]\noffset = "corr"',
        offsets={"both": "xi_both_corr * jnp.mean(corr)"},
    ),
    "a correlation matrix over the child's axis": Shape(
        """
        def model(d):
            corr = numpyro.sample("corr", dist.LKJ(d, 2))
            a = numpyro.sample("a", dist.Normal().expand([d]))
        """,
        config='[sites.a]\noffset = "corr"',
        refused=[
            "'corr' can't be lined up with 'a': two of its axes would be the same axis of the child"
        ],
    ),
    "a normal vector whose covariance isn't read, in a plate": Shape(
        """
        def model(n, K):
            with numpyro.plate("g", n):
                u = numpyro.sample("u", dist.Normal(0, 5))
                f = numpyro.sample("f", dist.MultivariateNormal(jnp.zeros(4), K))
        """,
        args=(4, np.eye(4)),
        config='[sites.f]\noffset = "u"',
        offsets={"f": "xi_f_u * u[:, None]"},
    ),
    "a normal vector of which nothing is read but that it is one, in a plate": Shape(
        """
        def model(n, m, K):
            with numpyro.plate("g", n):
                u = numpyro.sample("u", dist.Normal(0, 5))
                f = numpyro.sample("f", dist.MultivariateNormal(m, covariance_matrix=K))
        """,
        args=(2, np.zeros(2), np.eye(2)),
        config='[sites.f]\noffset = "u"',
        offsets={"f": "xi_f_u * u[:, None]"},
    ),
    "axes on the left that have a name": Shape(
        """
        def model(batch, k, m):
            w = numpyro.sample("w", dist.Normal(jnp.zeros(batch + (k,)), 1))
            v = numpyro.sample("v", dist.Normal(jnp.zeros(batch + (m, 2 * m)), 1))
        """,
        args=((2,), 3, 2),
        config='[sites.v]\noffset = "w"',
        offsets={"v": "xi_v_w * jnp.mean(w, axis=-1)[..., None, None]"},
    ),
    "axes on the left that have two names": Shape(
        """
        def model(some, more, k, m):
            w = numpyro.sample("w", dist.Normal(jnp.zeros((*some, k)), 1))
            v = numpyro.sample("v", dist.Normal(0, 1).expand(more + (k, m)))
        """,
        args=((), (2,), 3, 2),
        config='[sites.v]\noffset = "w"',
        offsets={"v": "xi_v_w * w[..., None]"},
    ),
    "axes on the left that don't fit": Shape(
        """
        def model(some, more, k, m):
            w = numpyro.sample("w", dist.Normal(jnp.zeros((*some, k)), 1))
            v = numpyro.sample("v", dist.Normal(0, 1).expand(more + (k, m)))
        """,
        args=((2,), (), 3, 2),
        config='[sites.v]\noffset = "w"',
        fails=UNFIT,
    ),
    "an unknown parent that happens to have the size of the last axis": Shape(
        prior_helper("dist.Normal(jnp.zeros(sizes), 1)")
        + """\
def model(n):
    w = numpyro.sample("w", prior(n))
    v = numpyro.sample("v", dist.Normal().expand([n, 3]))
""",
        config='[sites.v]\noffset = "w"',
        fails=UNFIT,
    ),
}

#: Plates of one size under two names.
NAMES = {
    "a table's plates are called otherwise": Shape(
        """
        def model(n, m):
            with numpyro.plate("shop", n):
                s = numpyro.sample("s", dist.Normal(0, 1))
            with numpyro.plate("item", m):
                t = numpyro.sample("t", dist.Normal(0, 1))
            with numpyro.plate("pair_shop", n, dim=-2), numpyro.plate("pair_item", m, dim=-1):
                c = numpyro.sample("c", dist.Normal(0, 0.5))
        """,
        args=(3, 2),
        config='chain = ["s", "t", "c"]',
        children=["t", "c"],
        offsets={
            "t": "xi_t_s * jnp.mean(s)",
            "c": "xi_c_s * s[:, None] + xi_c_t * t",
        },
    ),
    "both axes of the table have the size": Shape(
        """
        def model(n):
            with numpyro.plate("i", n):
                s = numpyro.sample("s", dist.Normal(0, 1))
            with numpyro.plate("rows", n, dim=-2), numpyro.plate("columns", n, dim=-1):
                c = numpyro.sample("c", dist.Normal(0, 0.5))
        """,
        config='[sites.c]\noffset = "s"',
        offsets={"c": "xi_c_s * jnp.mean(s)"},
    ),
    "another site shows that the size is of two groups": Shape(
        """
        def model(n):
            with numpyro.plate("i", n, dim=-2):
                s = numpyro.sample("s", dist.Normal(0, 1))
            with numpyro.plate("j", n):
                r = numpyro.sample("r", dist.Normal(0, 1))
            with numpyro.plate("rows", n, dim=-2), numpyro.plate("columns", n, dim=-1):
                c = numpyro.sample("c", dist.Normal(0, 0.5))
        """,
        config='[sites.r]\noffset = "s"',
        offsets={"r": "xi_r_s * jnp.mean(s)"},
    ),
    "two names at one dim are two groups": Shape(
        """
        def model(n):
            with numpyro.plate("senders", n):
                s = numpyro.sample("s", dist.Normal(0, 1))
            with numpyro.plate("receivers", n):
                r = numpyro.sample("r", dist.Normal(0, 1))
        """,
        config='[sites.r]\noffset = "s"',
        offsets={"r": "xi_r_s * jnp.mean(s)"},
    ),
    "one axis by its name, the other by its size": Shape(
        """
        def model(n, m):
            with numpyro.plate("i", n, dim=-2), numpyro.plate("j", m, dim=-1):
                c = numpyro.sample("c", dist.Normal(0, 1))
            with numpyro.plate("steps", m, dim=-2), numpyro.plate("i_too", n, dim=-1):
                d = numpyro.sample("d", dist.Normal(0, 1))
        """,
        args=(3, 2),
        config='[sites.d]\noffset = "c"',
        offsets={"d": "xi_d_c * c.T"},
    ),
    "two literals are never one axis": Shape(
        """
        def model():
            with numpyro.plate("i", 3, dim=-2):
                s = numpyro.sample("s", dist.Normal(0, 1))
            with numpyro.plate("k", 3):
                r = numpyro.sample("r", dist.Normal(0, 1))
        """,
        args=(),
        config='[sites.r]\noffset = "s"',
        offsets={"r": "xi_r_s * jnp.mean(s)"},
    ),
}

OWN = prior_helper("dist.Normal(jnp.zeros(sizes), 1)")

#: `axes` says what the source doesn't.
CLAIMED = {
    "of parent and child": Shape(
        OWN
        + """\
def model(n, k):
    w = numpyro.sample("w", prior(n, k))
    v = numpyro.sample("v", prior(k, n))
""",
        args=(3, 2),
        config='axes = { w = ["i", "k"], v = ["k", "i"] }\n[sites.v]\noffset = "w"',
        offsets={"v": "xi_v_w * w.T"},
    ),
    "of the parent": Shape(
        OWN
        + """\
def model(n, k):
    w = numpyro.sample("w", prior(n))
    with numpyro.plate("i", n, dim=-2):
        v = numpyro.sample("v", dist.Normal(0, 1).expand([n, k]))
""",
        args=(3, 3),
        config='axes = { w = ["i"] }\n[sites.v]\noffset = "w"',
        offsets={"v": "xi_v_w * w[:, None]"},
    ),
    "of the parent, and wrong": Shape(
        OWN
        + """\
def model(n, k):
    w = numpyro.sample("w", prior(k, n))
    with numpyro.plate("i", n, dim=-2):
        v = numpyro.sample("v", dist.Normal(0, 1).expand([n, k]))
""",
        args=(3, 3),
        config='axes = { w = ["i"] }\n[sites.v]\noffset = "w"',
        fails=UNFIT,
    ),
    "of the child, and wrong": Shape(
        OWN
        + """\
def model(n, k):
    with numpyro.plate("i", n):
        w = numpyro.sample("w", dist.Normal(0, 1))
    v = numpyro.sample("v", prior(n))
""",
        args=(3, 3),
        config='axes = { v = ["i", "k"] }\n[sites.v]\noffset = "w"\ncoefficient = "shared"',
        fails=UNFIT,
    ),
    "of a normal vector whose covariance isn't read": Shape(
        """
        def model(n, K):
            u = numpyro.sample("u", dist.Normal(0, 5).expand([n]))
            with numpyro.plate("g", n):
                f = numpyro.sample("f", dist.MultivariateNormal(jnp.zeros(4), K))
        """,
        args=(4, np.eye(4)),
        config='axes = { u = ["g"], f = ["g", "k"] }\n[sites.f]\noffset = "u"',
        offsets={"f": "xi_f_u * u[:, None]"},
    ),
    "of a transformed distribution": Shape(
        """
        def model(n, k, t):
            d = dist.TransformedDistribution(dist.Normal().expand([n, k]), t)
            w = numpyro.sample("w", d)
            v = numpyro.sample("v", dist.Normal().expand([k]))
        """,
        args=(3, 2, ExpTransform()),
        config='axes = { w = ["n", "k"], v = ["k"] }\n[sites.v]\noffset = "w"',
        offsets={"v": "xi_v_w * jnp.mean(w, axis=0)"},
    ),
    "of a correlation matrix": Shape(
        """
        def model(d):
            corr = numpyro.sample("corr", dist.LKJ(d, 2))
            a = numpyro.sample("a", dist.Normal().expand([d]))
        """,
        config='axes = { corr = ["row", "d"], a = ["d"] }\n[sites.a]\noffset = "corr"',
        offsets={"a": "xi_a_corr * jnp.mean(corr, axis=0)"},
    ),
    "of a parent with starred arguments": Shape(
        """
        def model(n, kw):
            mu = numpyro.sample("mu", dist.Normal(0, 1), **kw)
            a = numpyro.sample("a", dist.Normal(0, 1).expand([n, 3]))
        """,
        args=(3, {"sample_shape": (3,)}),
        config='axes = { mu = ["i"], a = ["i", "k"] }\n[sites.a]\noffset = "mu"',
        offsets={"a": "xi_a_mu * mu[:, None]"},
    ),
    "of plates whose dim depends": Shape(
        """
        def model(x):
            with numpyro.plate("rows", x.shape[1], dim=-2 if x.ndim == 3 else -1):
                top = numpyro.sample("top", dist.Normal(0, 1))
                if x.ndim == 3:
                    with numpyro.plate("cols", x.shape[2], dim=-1):
                        low = numpyro.sample("low", dist.Normal(top, 1))
        """,
        args=(np.zeros((2, 3, 3)),),
        config='axes = { top = ["rows", "one"], low = ["rows", "cols"] }\n'
        '[sites.low]\noffset = "top"',
        offsets={"low": "xi_low_top * top"},
    ),
    "of plates whose dim is another": Shape(
        """
        def model(n, k, dim):
            with numpyro.plate("rows", n, dim=dim):
                a = numpyro.sample("a", dist.Normal(0, 1))
                b = numpyro.sample("b", dist.Normal(0, 1))
        """,
        args=(3, 2, -2),
        config='axes = { a = ["rows"], b = ["rows"] }\n[sites.b]\noffset = "a"',
        fails="they don't have the axes that the config names",
    ),
    "of a plate whose dim depends, without a name": Shape(
        """
        def model(n, dim):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("rows", n, dim=dim):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=[UNKNOWN_DIM.format(9)],
    ),
    "too few": Shape(
        """
        def model(n, K):
            with numpyro.plate("g", n):
                u = numpyro.sample("u", dist.Normal(0, 5))
                f = numpyro.sample("f", dist.MultivariateNormal(jnp.zeros(4), K))
        """,
        config='axes = { f = ["g"] }\n[sites.f]\noffset = "u"',
        refused=["'f' has at least 2 axes (line 10), not 1"],
    ),
}

ALL = {
    f"{label}: {name}": shape
    for label, shapes in {
        "not pure": NOT_PURE,
        "starred": STARRED,
        "seen": SEEN,
        "names": NAMES,
        "claimed": CLAIMED,
    }.items()
    for name, shape in shapes.items()
}


#: What takes longest, or has a shorter relative.
LENGTHY = (
    "not pure: a parameter called len",
    "not pure: an own float, bound at module level",
    "not pure: a mean of an own class",
    "not pure: a sampling cached property of another object",
    "not pure: draws of numpy are no powers",
    "starred: the scale of a parent",
    "starred: the sample shape of a parent",
    "seen: a correlation matrix",
    "seen: a normal vector of which nothing is read but that it is one, in a plate",
    "seen: a parent that a transform broadcasts",
    "claimed: of a correlation matrix",
    "claimed: of a normal vector whose covariance isn't read",
    "names: two literals are never one axis",
    "names: another site shows that the size is of two groups",
)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] * (name in LENGTHY)) for name in ALL]
)
def test_shape(name: str) -> None:
    assert_shape(ALL[name])


def test_what_fails_at_run_time_says_what_to_do() -> None:
    generated = rewritten(SEEN["axes on the left that don't fit"].plain, '[sites.v]\noffset = "w"')
    assert (
        b"    if jnp.shape(w)[:-1] not in ((), v_prior.shape()[:-2]):\n"
        b"        raise ValueError(\n"
        b"            \"'w' can't be lined up with 'v': name the axes of both in the config\"\n"
        b"        )\n"
    ) in generated


TWO_SIZES = """\
def model(n, m):
    with numpyro.plate("i", n):
        v = numpyro.sample("v", dist.Normal(0, 1))
    with numpyro.plate("i", m):
        a = numpyro.sample("a", dist.Normal(0, 1))
"""


@pytest.mark.parametrize(
    ("source", "untold"),
    [
        (TWO_SIZES, "that their sizes fit"),
        (TWO_SIZES.replace("dist.Normal(0, 1)", "prior()"), "both shapes"),
    ],
)
def test_the_note_says_what_the_source_does_not_tell(source: str, untold: str) -> None:
    text = (HEAD + source).encode()
    done = rewrite(decode("m.py", text), read_config(b'[sites.a]\noffset = "v"', "o.toml"), 88)
    (account,) = done.accounts
    assert account.notes == (
        f"'v' must broadcast to 'a' when the model runs: the source doesn't tell {untold}",
    )
