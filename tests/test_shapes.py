"""Shapes that models come in: each is rewritten and executed, or refused with a true reason.

A shape is a small plain model, a config and the arguments of one call. Where it can be rewritten,
the generated model must have the density of the plain one (`assert_equivalent`), each child must
have become deterministic beside its `<child>_base`, and where the shape says what the offset of a
child is in terms of the values of other sites and coefficients, it must be just that. Where it
can't, the shape has the first line of every refusal, without the place.
"""

from __future__ import annotations

import textwrap
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro
import pytest

from tests.support.shapes import A_BY_MU, Shape, assert_shape

IMPORTS = {
    "numpyro under another name": Shape(
        """
        import numpyro as npy
        import numpyro.distributions as dists

        def model(n):
            mu = npy.sample("mu", dists.Normal(0, 1))
            with npy.plate("n", n):
                a = npy.sample("a", dists.Normal(0, 1))
        """,
        whole=True,
        offsets={"a": "xi_a_mu * mu"},
    ),
    "primitives by name": Shape(
        """
        from numpyro import plate, sample, param
        from numpyro import distributions as dist

        def model(n):
            s = param("s", 1.0)
            mu = sample("mu", dist.Normal(s, 1))
            with plate("n", n):
                a = sample("a", dist.Normal(0, 1))
        """,
        whole=True,
    ),
    "primitives by name, renamed": Shape(
        """
        from numpyro import plate as Plate, sample as S
        from numpyro.distributions import Normal as N

        def model(n):
            mu = S("mu", N(0, 1))
            with Plate("n", n):
                a = S("a", N(0, 1))
        """,
        whole=True,
    ),
    "from numpyro.primitives": Shape(
        """
        from numpyro.primitives import plate, sample
        from numpyro.distributions import Normal

        def model(n):
            mu = sample("mu", Normal(0, 1))
            with plate("n", n):
                a = sample("a", Normal(0, 1))
        """,
        whole=True,
    ),
    "imported inside the function": Shape(
        """
        def model(n):
            import numpyro
            import numpyro.distributions as dist

            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        whole=True,
    ),
    "imported inside the function, below its docstring and a site": Shape(
        """
        from numpyro import sample
        from numpyro.distributions import Normal

        def model(n):
            '''A model.'''
            mu = sample("mu", Normal(0, 1))
            from numpyro import plate
            with plate("n", n):
                a = sample("a", Normal(0, 1))
        """,
        whole=True,
    ),
    "a star import": Shape(
        """
        from numpyro import *
        from numpyro.distributions import *

        def model(n):
            mu = sample("mu", Normal(0, 1))
            with plate("n", n):
                a = sample("a", Normal(0, 1))
        """,
        whole=True,
    ),
    "handlers imported by name": Shape(
        """
        import numpyro
        from numpyro import handlers
        import numpyro.distributions as dist

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        whole=True,
    ),
    "a local variable called handlers": Shape(
        """
        import numpyro
        from numpyro import handlers
        import numpyro.distributions as dist

        def model(n, handlers=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        whole=True,
    ),
    "jax.numpy as np": Shape(
        """
        import jax.numpy as np
        import numpyro
        import numpyro.distributions as dist

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(np.zeros(2), 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        whole=True,
        offsets={"a": "xi_a_mu * jnp.mean(mu)"},
    ),
    "plain numpy as np": Shape(
        """
        import numpy as np
        import numpyro
        import numpyro.distributions as dist

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(np.zeros(2), 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(np.zeros(()), 1))
        """,
        whole=True,
        offsets={"a": "xi_a_mu * jnp.mean(mu)"},
    ),
    "plain numpy as jnp": Shape(
        """
        import numpy as jnp
        import numpyro
        import numpyro.distributions as dist

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(jnp.zeros(2), 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        whole=True,
        offsets={"a": "xi_a_mu * jnp.mean(mu)"},
    ),
    "jax only": Shape(
        """
        import jax
        import numpyro
        import numpyro.distributions as dist

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(jax.numpy.zeros(2), 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        whole=True,
    ),
    "from jax import numpy": Shape(
        """
        from jax import numpy as jnp
        import numpyro
        import numpyro.distributions as dist

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(jnp.zeros(2), 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        whole=True,
    ),
    "jnp is an argument": Shape(
        """
        import numpyro
        import numpyro.distributions as dist

        def model(n, jnp=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        whole=True,
    ),
    "jnp becomes a local variable after the child": Shape(
        """
        import jax.numpy as jnp
        import numpyro
        import numpyro.distributions as dist

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            jnp = 3
        """,
        whole=True,
    ),
    "jnp and AffineTransform are globals of another meaning": Shape(
        """
        import numpyro
        import numpyro.distributions as dist

        jnp = "a string"
        AffineTransform = 3

        def ExplicitReparam():
            pass

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        whole=True,
    ),
    "a module-level function named sample": Shape(
        """
        import numpyro
        import numpyro.distributions as dist

        def sample(name, d):
            return 0.5

        def model(n):
            nu = sample("nu", None)
            mu = numpyro.sample("mu", dist.Normal(nu, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        whole=True,
    ),
    "a module-level function named sample hides the import": Shape(
        """
        import numpyro
        from numpyro import sample
        import numpyro.distributions as dist

        def sample(name, d):
            return numpyro.sample(name + "_x", d)

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = sample("a", dist.Normal(0, 1))
        """,
        whole=True,
        refused=["'model' samples no site 'a'"],
    ),
    "dist is an argument": Shape(
        """
        import numpyro
        import numpyro.distributions as dist
        from numpyro.distributions import HalfNormal

        def model(n, dist=dist):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        whole=True,
    ),
    "dist is the local distribution": Shape(
        """
        import numpyro
        import numpyro.distributions as dists

        def model(n):
            mu = numpyro.sample("mu", dists.Normal(0, 1))
            dist = dists.HalfNormal(1)
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist)
        """,
        whole=True,
    ),
    "Normal is something else": Shape(
        """
        import numpyro
        import numpyro.distributions as dist

        def Normal(loc, scale):
            return dist.HalfNormal(scale).expand([2])

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", Normal(0, 1))
        """,
        whole=True,
    ),
    "imports in a try": Shape(
        """
        try:
            import numpyro
            import numpyro.distributions as dist
        except ImportError:
            numpyro = None

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        whole=True,
    ),
    "jnp is imported for type checking only": Shape(
        """
        from __future__ import annotations
        from typing import TYPE_CHECKING

        import numpyro
        import numpyro.distributions as dist

        if TYPE_CHECKING:
            import jax.numpy as jnp
            from numpyro.distributions.transforms import AffineTransform
            from numpyro.infer.reparam import ExplicitReparam

        def model(n: int) -> jnp.ndarray:
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """,
        whole=True,
    ),
    "jnp is imported in another function": Shape(
        """
        import numpyro
        import numpyro.distributions as dist

        def helper():
            import jax.numpy as jnp
            return jnp.zeros(2)

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(helper(), 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        whole=True,
        fails="can't be lined up",
    ),
    "jnp is imported after the child": Shape(
        """
        import numpyro
        import numpyro.distributions as dist

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
            import jax.numpy as jnp
            return jnp.sum(a)
        """,
        whole=True,
    ),
    "imports below the function": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))

        import numpyro
        import numpyro.distributions as dist
        """,
        whole=True,
    ),
    "imports and code on one line": Shape(
        """
        import numpyro; import numpyro.distributions as dist
        N = dist.Normal(0, 1); M = 2
        def model(n):
            mu = numpyro.sample("mu", N)
            with numpyro.plate("n", n): a = numpyro.sample("a", N)
        """,
        whole=True,
        refused=["'a' shares its line with another statement"],
    ),
    "docstring and future import only before numpyro": Shape(
        '''
        #!/usr/bin/env python
        """Docstring; with a semicolon.
        """; from __future__ import annotations
        from numpyro import sample
        from numpyro.distributions import Normal

        def model(n):
            mu = sample("mu", Normal(0, 1))
            a = sample("a", Normal(0, 1))
        ''',
        whole=True,
    ),
    "the model in an if at module level": Shape(
        """
        import numpyro
        import numpyro.distributions as dist

        if True:
            def model(n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with numpyro.plate("n", n):
                    a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        whole=True,
    ),
    "numpyro imported by its submodule only": Shape(
        """
        import numpyro.distributions
        from numpyro.distributions.continuous import Normal

        def model(n):
            mu = numpyro.sample("mu", numpyro.distributions.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", Normal(0, 1))
        """,
        whole=True,
    ),
    "numpyro.sample under a name of the module": Shape(
        """
        import numpyro
        import numpyro.distributions as dist

        sample = numpyro.sample
        N = dist.Normal

        def model(n):
            mu = sample("mu", N(0, 1))
            with numpyro.plate("n", n):
                a = sample("a", N(0, 1))
        """,
        whole=True,
    ),
}

NAMES = {
    "the site's name is not the variable's": Shape(
        """
        def model(n):
            m = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("m", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                mu = numpyro.sample("a", dist.Normal(0, 1))
        """,
        config='[sites.a]\noffset = ["mu", "m"]',
        offsets={"a": "xi_a_mu * mu + xi_a_m * m"},
    ),
    "variables swapped against the sites": Shape(
        """
        def model(n):
            b = numpyro.sample("a", dist.Normal(0, 1))
            a = numpyro.sample("b", dist.Normal(5, 1))
            c = numpyro.sample("c", dist.Normal(0, 1))
        """,
        config='[sites.c]\noffset = "a"',
        offsets={"c": "xi_c_a * a"},
    ),
    "a name with a space, quotes, unicode and a dot": Shape(
        """
        def model(n):
            mu = numpyro.sample("the mu's \\"mean\\"", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample('é."x" 1\\'', dist.Normal(0, 1))
        """,
        config='[sites."é.\\"x\\" 1\'".offset]\n"the mu\'s \\"mean\\"" = {}',
        children=['é."x" 1\''],
    ),
    "names that are keywords or begin with a digit": Shape(
        """
        def model(n):
            mu = numpyro.sample("class", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("2nd", dist.Normal(0, 1))
                b = numpyro.sample("lambda", dist.Normal(0, 1))
        """,
        config='chain = ["class", "2nd", "lambda"]',
        children=["2nd", "lambda"],
    ),
    "a name with a slash, a brace and a newline": Shape(
        """
        def model(n):
            mu = numpyro.sample("g/mu{x}", dist.Normal(0, 1))
            a = numpyro.sample("g/a\\n{y}%s\\\\", dist.Normal(0, 1))
        """,
        config='[sites."g/a\\n{y}%s\\\\"]\noffset = "g/mu{x}"',
    ),
    "implicitly concatenated, raw and single-quoted names": Shape(
        """
        def model(n):
            mu = numpyro.sample("m" "u", dist.Normal(0, 1))
            b = numpyro.sample('b', dist.Normal(0, 1))
            c = numpyro.sample(r"c\\d", dist.Normal(0, 1))
            a = numpyro.sample(('''a'''), dist.Normal(0, 1))
        """,
        config="[sites.a]\noffset = ['mu', 'b', 'c\\d']",
    ),
    "a bytes-like prefix and an escape in the name": Shape(
        """
        def model(n):
            mu = numpyro.sample(u"mu", dist.Normal(0, 1))
            a = numpyro.sample("\\x61", dist.Normal(0, 1))
        """,
    ),
    "an f-string without fields": Shape(
        """
        def model(n):
            mu = numpyro.sample(f"mu", dist.Normal(0, 1))
            a = numpyro.sample(f"a", dist.Normal(0, 1))
        """,
        offsets={"a": "xi_a_mu * mu"},
    ),
    "name in a variable": Shape(
        """
        NAME = "a"

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample(NAME, dist.Normal(0, 1))
        """,
        refused=["'model' samples no site 'a'"],
    ),
    "name from a loop": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            for k in range(n):
                a = numpyro.sample(f"a_{k}", dist.Normal(0, 1))
        """,
        config='[sites.a_0]\noffset = "mu"',
        refused=["'model' samples no site 'a_0'"],
    ),
    "keywords in any order": Shape(
        """
        def model(n):
            mu = numpyro.sample(fn=dist.Normal(0, 1), name="mu")
            with numpyro.plate(size=n, name="n"):
                a = numpyro.sample(rng_key=None, fn=dist.Normal(0, 1), obs=None, name="a")
        """,
    ),
    "arguments from a dict": Shape(
        """
        def model(n):
            kw = {"fn": dist.Normal(0, 1).expand([2])}
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", **kw)
        """,
        refused=["'a' is sampled with * or ** arguments"],
    ),
    "starred arguments": Shape(
        """
        def model(n):
            args = ("a", dist.Normal(0, 1).expand([2]))
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample(*args)
        """,
        refused=["'model' samples no site 'a'"],
    ),
    "generated names are taken": Shape(
        """
        a_reparam = 7

        def model(n, a_loc=2.0):
            xi_a_mu = 1.0
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(a_loc, xi_a_mu))
            numpyro.deterministic("d", a * a_loc * xi_a_mu * a_reparam)
        """,
    ),
    "generated names are taken by a nested function and a comprehension": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            def f():
                nonlocal mu
                return a_loc
            a_loc = 2.0
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(f(), 1))
            return [a_reparam for a_reparam in range(3)], f()
        """,
    ),
    "the new param has the name of a param of the model": Shape(
        """
        def model(n):
            s = numpyro.param("xi_a_mu", 1.0)
            mu = numpyro.sample("mu", dist.Normal(0, s))
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=[
            "the coefficient of 'mu' in 'a' would be named 'xi_a_mu', which the model has already"
        ],
    ),
    "the new param has the name of a site": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
            b = numpyro.deterministic("xi_a_mu", a)
        """,
        refused=[
            "the coefficient of 'mu' in 'a' would be named 'xi_a_mu', which the model has already"
        ],
    ),
    "the new param has the name of a plate": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("xi_a_mu", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=[
            "the coefficient of 'mu' in 'a' would be named 'xi_a_mu', which the model has already"
        ],
    ),
    "the base site's name is taken": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            b = numpyro.sample("a_base", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=["'a' would be sampled as 'a_base', which the model has already"],
    ),
    "two coefficients by one name": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
            b = numpyro.sample("b", dist.Normal(0, 1))
        """,
        config='chain = ["mu", "a", "b"]\n[defaults]\nname = "xi_{parent}"',
        refused=[
            "the coefficient of 'mu' in 'b' would be named 'xi_mu', as that of 'mu' in 'a' is"
        ],
    ),
    "two pairs whose templates give one name": Shape(
        """
        def model(n):
            mu = numpyro.sample("b_c", dist.Normal(0, 1))
            nu = numpyro.sample("c", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
            ab = numpyro.sample("a_b", dist.Normal(0, 1))
        """,
        config='[sites.a]\noffset = "b_c"\n[sites.a_b]\noffset = "c"',
        refused=[
            "the coefficient of 'c' in 'a_b' would be named 'xi_a_b_c', as that of 'b_c' in 'a' is"
        ],
    ),
    "a param template with braces and quotes": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        config="[sites.a]\noffset = 'mu'\nname = '{{\"{child}\\{parent}}}'",
        coefficients=['{"a\\mu}'],
    ),
    "sites that differ in case and in unicode form": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            Mu = numpyro.sample("Mu", dist.Normal(3, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
            A = numpyro.sample("A", dist.Normal(0, 1))
        """,
        config='[sites.a]\noffset = "Mu"\n[sites.A]\noffset = ["mu", "a"]',
        offsets={"a": "xi_a_Mu * Mu", "A": "xi_A_mu * mu + xi_A_a * a"},
    ),
    "children whose identifiers collide": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a-b", dist.Normal(0, 1))
            b = numpyro.sample("a b", dist.Normal(0, 1))
        """,
        config='chain = ["mu", "a-b", "a b"]',
        children=["a-b", "a b"],
    ),
}

REASSIGNED = {
    f"parent: {what}": Shape(
        "def model(n):\n"
        '    mu = numpyro.sample("mu", dist.Normal(0, 1))\n'
        + textwrap.indent(textwrap.dedent(code).strip("\n"), "    ")
        + '\n    with numpyro.plate("n", n):\n'
        '        a = numpyro.sample("a", dist.Normal(0, 1))\n',
        refused=None,
        offsets={"a": "xi_a_mu * mu"},
    )
    for what, code in {
        "kept": "m = mu",
        "mu = mu + 1": "mu = mu + 1",
        "mu += 1": "mu += 1",
        "in a branch": "if n > 2:\n    mu = 2.0",
        "in a branch that is not taken": "if n > 20:\n    mu = 2.0\nelse:\n    pass",
        "in a loop": "for i in range(2):\n    mu = mu * 2",
        "in a with": "with numpyro.plate('p', 2):\n    mu = mu * 2",
        "deleted": "m = mu\ndel mu",
        "by a walrus": "m = (mu := 3.0)",
        "by a walrus in a comprehension": "m = [(mu := k) for k in range(3)]",
        "swapped": "nu = 2.0\nmu, nu = nu, mu",
        "by a for target": "for mu in range(3):\n    pass",
        "a comprehension's own name": "m = [mu for mu in range(3)]",
        "by with-as": "import contextlib\nwith contextlib.nullcontext(4.0) as mu:\n    pass",
        "by except-as": "m = mu\ntry:\n    1 / 0\nexcept ZeroDivisionError as mu:\n    pass",
        "by an import": "import math as mu",
        "by a def": "def mu():\n    pass",
        "by a class": "class mu:\n    pass",
        "by nonlocal": "def f():\n    nonlocal mu\n    mu = 3.0\nf()",
        "by a match": "match n:\n    case mu:\n        pass",
        "starred": "*mu, nu = 1, 2, 3",
        "annotated": "mu: float = 2.0",
        "annotated without a value": "mu: float",
        "in a try": "try:\n    mu = mu + 1\nfinally:\n    pass",
        "an item of it": "m = {0: 1}\nm[0] = mu",
        "another site in its variable": "mu = numpyro.sample('nu', dist.Normal(5, 1))",
        "in a nested function of its own": "def f(mu):\n    mu = 2\n    return mu\nf(3)",
        "in a lambda": "f = lambda mu: mu\nf(2)",
        "an attribute of something": "class C: pass\nc = C()\nc.mu = 2",
    }.items()
}

REASSIGNED |= {
    "child in the parent's variable": Shape(
        """
        def model(n):
            x = numpyro.sample("mu", dist.Normal(0, 1))
            x = numpyro.sample("a", dist.Normal(x, 1))
            x = numpyro.sample("b", dist.Normal(0, 1))
        """,
        offsets={"a": "xi_a_mu * mu"},
    ),
    "grandchild of a variable that is reused": Shape(
        """
        def model(n):
            x = numpyro.sample("mu", dist.Normal(0, 1))
            x = numpyro.sample("a", dist.Normal(x, 1))
            x = numpyro.sample("b", dist.Normal(0, 1))
        """,
        config='[sites.b]\noffset = "mu"',
        offsets={"b": "xi_b_mu * mu"},
    ),
    "transformed where it is sampled": Shape(
        """
        def model(n):
            mu = 2 * numpyro.sample("mu", dist.Normal(0, 1)) + 1
            a = numpyro.sample("a", dist.Normal(mu, 1))
        """,
        offsets={"a": "xi_a_mu * mu"},
    ),
    "never bound": Shape(
        """
        def model(n):
            numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        offsets={"a": "xi_a_mu * mu"},
    ),
    "two names at once": Shape(
        """
        def model(n):
            mu = nu = numpyro.sample("mu", dist.Normal(0, 1))
            mu = mu + 1
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        offsets={"a": "xi_a_mu * mu"},
    ),
    "an alias taken before": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            m = mu
            mu = mu + 1
            a = numpyro.sample("a", dist.Normal(m, 1))
        """,
        offsets={"a": "xi_a_mu * mu"},
    ),
    "a global statement": Shape(
        """
        def model(n):
            global mu
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        offsets={"a": "xi_a_mu * mu"},
    ),
    "reassigned between the with and the child": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                mu = mu * jnp.ones(n)
                a = numpyro.sample("a", dist.Normal(mu, 1))
        """,
        offsets={"a": "xi_a_mu * mu"},
    ),
    "reassigned in the header of the with": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", (mu := n)):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=["the size of a plate of 'a' isn't known before its outermost with"],
    ),
    "reassigned in the child's own arguments": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal((mu := 3.0), 1))
        """,
        offsets={"a": "xi_a_mu * mu"},
    ),
    "a loop reassigns it after the child": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            for k in range(1):
                a = numpyro.sample("a", dist.Normal(0, 1))
                mu = mu + 1
        """,
        refused=["'a' is sampled in a loop (line 9)"],
    ),
    "parent sampled in a loop before": Shape(
        """
        def model(n):
            for k in range(1):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=[
            "'mu' is sampled in another branch than 'a' (for in line 8): it may have no value there"
        ],
    ),
    "parent in both branches": Shape(
        """
        def model(n):
            if n > 2:
                mu = numpyro.sample("mu", dist.Normal(0, 1))
            else:
                mu = numpyro.sample("mu", dist.Normal(0, 2))
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
    ),
    "parent in one branch only": Shape(
        """
        def model(n):
            if n > 2:
                mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=[
            "'mu' is sampled in another branch than 'a' (if in line 8): it may have no value there"
        ],
    ),
    "an array changed in place through a method": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1).expand([2]))
            mu = mu.at[0].set(0.0)
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        offsets={"a": "xi_a_mu * jnp.mean(mu)"},
    ),
}

X3 = np.array([0, 1, 2, 1])
Y23 = np.arange(6.0).reshape(2, 3)
MU_VECTOR = '[sites.a]\noffset = ["mu", "v"]'

PLATES = {
    "nested, child in both": Shape(
        """
        def model(n, m):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                b = numpyro.sample("b", dist.Normal(0, 1))
                with numpyro.plate("m", m):
                    a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(2, 3),
        config='chain = ["mu", "b", "a"]',
        children=["b", "a"],
        offsets={"b": "xi_b_mu * mu", "a": "xi_a_mu * mu + xi_a_b * b"},
    ),
    "nested, outer parent sampled on its own, sizes equal": Shape(
        """
        def model(n):
            with numpyro.plate("i", n):
                b = numpyro.sample("b", dist.Normal(0, 1))
            with numpyro.plate("j", n):
                with numpyro.plate("i", n):
                    a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(2,),
        config='[sites.a]\noffset = "b"',
        offsets={"a": "xi_a_b * b[:, None]"},
    ),
    "several in one with, parent transposed": Shape(
        """
        def model(n, m):
            with numpyro.plate("i", n), numpyro.plate("j", m):
                p = numpyro.sample("p", dist.Normal(0, 1))
            with numpyro.plate("j", m), numpyro.plate("i", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(2, 3),
        config='[sites.a]\noffset = "p"',
        offsets={"a": "xi_a_p * p.T"},
    ),
    "parenthesised and exploded": Shape(
        """
        def model(n, m):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with (  # all of it
                numpyro.plate("i", n),  # rows
                numpyro.plate(
                    "j",
                    m,
                ),
            ):  # done
                # the child
                a = numpyro.sample(
                    "a",
                    dist.Normal(0, 1),  # standard
                )
        """,
        args=(2, 3),
    ),
    "backslashes in the with": Shape(
        """
        def model(n, m):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n), \\
                    numpyro.plate("j", m):
                a = numpyro.sample("a", \\
                    dist.Normal(0, 1))
        """,
        args=(2, 3),
    ),
    "held in a variable": Shape(
        """
        def model(n, m):
            p = numpyro.plate("i", n)
            q = numpyro.plate("j", m)
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with p:
                v = numpyro.sample("v", dist.Normal(0, 1))
            with p, q:
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(2, 3),
        config=MU_VECTOR,
        refused=[
            "the shape of 'a' can't be told: the with in line 13 holds something that "
            "isn't a plate with a known dim"
        ],
    ),
    "held in a variable with dims": Shape(
        """
        def model(n, m):
            p = numpyro.plate("i", n, dim=-2)
            q = numpyro.plate("j", m, dim=-1)
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with p:
                v = numpyro.sample("v", dist.Normal(0, 1))
            with q, p:
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(2, 3),
        config=MU_VECTOR,
        offsets={"a": "xi_a_mu * mu + xi_a_v * v"},
    ),
    "made while another plate is open": Shape(
        """
        def model(n, m):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n):
                q = numpyro.plate("j", m)
                v = numpyro.sample("v", dist.Normal(0, 1))
            with q:
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(2, 3),
        config=MU_VECTOR,
        offsets={"a": "xi_a_mu * mu + xi_a_v * jnp.mean(v)"},
    ),
    "made while another plate is open, used in a third": Shape(
        """
        def model(n, m):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n):
                q = numpyro.plate("j", m)
            with numpyro.plate("k", n):
                v = numpyro.sample("v", dist.Normal(0, 1))
                with q:
                    a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(2, 3),
        config=MU_VECTOR,
        offsets={"a": "xi_a_mu * mu + xi_a_v * v"},
    ),
    "the list of plates": Shape(
        """
        def model(n, m):
            plates = [numpyro.plate("i", n, dim=-1), numpyro.plate("j", m, dim=-2)]
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with plates[0], plates[1]:
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(2, 3),
        refused=[
            "the shape of 'a' can't be told: the with in line 10 holds something that "
            "isn't a plate with a known dim"
        ],
    ),
    "a plate from a helper": Shape(
        """
        def rows(n):
            return numpyro.plate("i", n)

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with rows(n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
    ),
    "a plate as an argument": Shape(
        """
        def model(n, rows=None):
            rows = rows or numpyro.plate("i", n)
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with rows:
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=[
            "the shape of 'a' can't be told: the with in line 10 holds something that "
            "isn't a plate with a known dim"
        ],
    ),
    "a plate chosen by a conditional expression": Shape(
        """
        def model(n):
            p = numpyro.plate("i", n) if n > 3 else numpyro.plate("j", n, dim=-2)
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with p:
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=[
            "the shape of 'a' can't be told: the with in line 10 holds something that "
            "isn't a plate with a known dim"
        ],
    ),
    "plate_stack with a dim, and a parent of one of its plates": Shape(
        """
        def model(n):
            v = numpyro.sample("v", dist.Normal(jnp.zeros(n), 1).to_event(1))
            with numpyro.plate("p_0", n, dim=-2):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate_stack("p", [2, n], -2):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        offsets={"a": "xi_a_mu * mu"},
    ),
    "plate_stack of sizes that don't show": Shape(
        """
        def model(sizes):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate_stack("p", sizes):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=([2, 3],),
        offsets={"a": "xi_a_mu * mu"},
    ),
    "plate_stack of sizes that don't show, beside a plate": Shape(
        """
        def model(n, sizes):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n), numpyro.plate_stack("p", sizes, rightmost_dim=-3):
                a = numpyro.sample("a", dist.HalfNormal(1))
        """,
        args=(4, (2, 3)),
        offsets={"a": "xi_a_mu * mu"},
    ),
    "plate_stack of sizes that don't show, to the right of a plate": Shape(
        """
        def model(n, sizes):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n, dim=-3), numpyro.plate_stack("p", sizes):
                a = numpyro.sample("a", dist.HalfNormal(1))
        """,
        args=(4, (2, 3)),
        refused=[
            "the shape of 'a' can't be told: the with in line 9 holds something that isn't a plate "
            "with a known dim"
        ],
    ),
    "a plate from a helper with arguments by name and a default": Shape(
        """
        def rows(*, size, name="i", dim=-1):
            "The rows."
            return numpyro.plate(name, size + 1, dim=dim)

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with rows(size=n, dim=-2), rows(size=2 * n, name="j"):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        offsets={"a": "xi_a_mu * mu"},
    ),
    "a plate from a helper whose global is hidden": Shape(
        """
        size = 2

        def rows():
            return numpyro.plate("i", size)

        def model(n):
            size = 5
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with rows():
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=[
            "the shape of 'a' can't be told: the with in line 15 holds something that "
            "isn't a plate with a known dim"
        ],
    ),
    "a plate from a helper that is decorated, or defined twice": Shape(
        """
        import contextlib

        @contextlib.contextmanager
        def rows(n):
            yield

        def columns(n):
            return numpyro.plate("i", n)

        def columns(n):
            return numpyro.plate("i", n, dim=-2)

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with rows(n), columns(n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=[
            "the shape of 'a' can't be told: the with in line 21 holds something that "
            "isn't a plate with a known dim"
        ],
    ),
    "plates that are attributes, properties and made by methods": Shape(
        """
        class Model:
            def __init__(self, n):
                self.n = n
                self.rows = numpyro.plate("i", n, dim=-1)

            @property
            def columns(self):
                return numpyro.plate("j", self.n + 1, dim=-2)

            def slices(self, k):
                return numpyro.plate("k", k, dim=-3)

            def model(self):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with self.columns:
                    v = numpyro.sample("v", dist.Normal(0, 1))
                with self.rows, self.columns, self.slices(2):
                    a = numpyro.sample("a", dist.Normal(0, 1))

        def model(n):
            return Model(n).model()
        """,
        config=f'functions = ["Model.model"]\n{MU_VECTOR}',
        offsets={"a": "xi_a_mu * mu + xi_a_v * v"},
    ),
    "a plate in an attribute that another method sets": Shape(
        """
        class Model:
            def __init__(self, n):
                self.rows = numpyro.plate("i", n)

            def wide(self):
                self.rows = numpyro.plate("i", 7, dim=-2)

            def model(self):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with self.rows:
                    a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        config=f'functions = ["Model.model"]\n{A_BY_MU}',
        refused=[
            "the shape of 'a' can't be told: the with in line 16 holds something that "
            "isn't a plate with a known dim"
        ],
    ),
    "plate_stack": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate_stack("p", [2, n]):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
    ),
    "dims mixed with none": Shape(
        """
        def model(n, m):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n, dim=-2):
                v = numpyro.sample("v", dist.Normal(0, 1))
                with numpyro.plate("j", m):
                    a = numpyro.sample("a", dist.Normal(0, 1))
                    with numpyro.plate("k", 2):
                        b = numpyro.sample("b", dist.Normal(0, 1))
        """,
        args=(2, 3),
        config='chain = ["mu", "v", "a", "b"]',
        children=["v", "a", "b"],
        offsets={"b": "xi_b_mu * mu + xi_b_v * v + xi_b_a * a"},
    ),
    "inner plate without dim below an outer at -1": Shape(
        """
        def model(n, m):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n, dim=-1):
                v = numpyro.sample("v", dist.Normal(0, 1))
            with numpyro.plate("j", m):
                with numpyro.plate("i", n, dim=-2):
                    a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(2, 3),
        config=MU_VECTOR,
        offsets={"a": "xi_a_mu * mu + xi_a_v * v[:, None]"},
    ),
    "dims leave a gap": Shape(
        """
        def model(n, m):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n, dim=-3):
                v = numpyro.sample("v", dist.Normal(0, 1))
                with numpyro.plate("j", m, dim=-1):
                    a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(2, 3),
        config=MU_VECTOR,
        offsets={"a": "xi_a_mu * mu + xi_a_v * v"},
    ),
    "a dim that is a variable": Shape(
        """
        def model(n, d):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n, dim=d):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(3, -2),
        refused=[
            "the shape of 'a' can't be told: the with in line 9 holds something that "
            "isn't a plate with a known dim"
        ],
    ),
    "a dim that is a sum": Shape(
        """
        def model(n, d):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n, dim=-1 - 1):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(3, -2),
        refused=[
            "the shape of 'a' can't be told: the with in line 9 holds something that "
            "isn't a plate with a known dim"
        ],
    ),
    "the same plate twice": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n):
                v = numpyro.sample("v", dist.Normal(0, 1))
            with numpyro.plate("i", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        config=MU_VECTOR,
        offsets={"a": "xi_a_mu * mu + xi_a_v * v"},
    ),
    "one plate name with two sizes": Shape(
        """
        def model(n, m):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n):
                v = numpyro.sample("v", dist.Normal(0, 1))
            with numpyro.plate("i", m):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(2, 3),
        config=MU_VECTOR,
        loud=True,
    ),
    "different names, one size": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n):
                v = numpyro.sample("v", dist.Normal(0, 1))
            with numpyro.plate("j", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        config=MU_VECTOR,
        offsets={"a": "xi_a_mu * mu + xi_a_v * jnp.mean(v)"},
    ),
    "the plate's index": Shape(
        """
        def model(n, s):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n) as idx:
                a = numpyro.sample("a", dist.Normal(s[idx], 1))
        """,
        args=(3, jnp.zeros(3)),
    ),
    "the plate's index is the parent's variable": Shape(
        """
        def model(n):
            idx = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n) as idx:
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        offsets={"a": "xi_a_mu * mu"},
    ),
    "the plate's index is its size": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n) as n:
                a = numpyro.sample("a", dist.Normal(0, 1))
                b = numpyro.sample("b", dist.Normal(0, 1))
        """,
        config='chain = ["mu", "a", "b"]',
        children=["a", "b"],
    ),
    "a literal size": Shape(
        """
        def model():
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", 2), numpyro.plate("j", 1):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(),
    ),
    "literal sizes that agree by accident": Shape(
        """
        def model():
            v = numpyro.sample("v", dist.Normal(0, 1).expand([2]))
            with numpyro.plate("i", 2):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(),
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * jnp.mean(v)"},
    ),
    "sizes from data": Shape(
        """
        def model(y, x):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", y.shape[0]):
                with numpyro.plate("j", len(x)):
                    a = numpyro.sample("a", dist.Normal(0, 1))
                with numpyro.plate("k", max(x) + 1):
                    b = numpyro.sample("b", dist.Normal(0, 1))
        """,
        args=(Y23, X3),
        config='chain = ["mu", "a", "b"]',
        children=["a", "b"],
    ),
    "a size with a side effect": Shape(
        """
        def model(sizes):
            sizes = iter(sizes)
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", next(sizes)):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=([2, 3],),
        refused=["the size of a plate of 'a' isn't known before its outermost with"],
    ),
    "a size that is popped": Shape(
        """
        def model(sizes):
            sizes = list(sizes)
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            p = numpyro.plate("i", sizes.pop())
            with p:
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=([2, 3],),
        refused=["the size of a plate of 'a' isn't known before its outermost with"],
    ),
    "a size assigned anew between plate and child": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            p = numpyro.plate("i", n)
            n = 5
            with p:
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=["the size of a plate of 'a' isn't known before its outermost with"],
    ),
    "a size assigned anew between parent and child": Shape(
        """
        def model(n):
            with numpyro.plate("i", n):
                v = numpyro.sample("v", dist.Normal(0, 1))
            n = 2
            with numpyro.plate("j", n):
                a = numpyro.sample("a", dist.Normal(0, 1).expand([n]))
        """,
        args=(3,),
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * jnp.mean(v)"},
    ),
    "an event size assigned anew": Shape(
        """
        def model(n):
            v = numpyro.sample("v", dist.Normal(0, 1).expand([n]).to_event(1))
            n = 2
            a = numpyro.sample("a", dist.Normal(0, 1).expand([n]).to_event(1))
        """,
        args=(3,),
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * jnp.mean(v)"},
    ),
    "a plate in an if": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            if n > 2:
                with numpyro.plate("i", n):
                    a = numpyro.sample("a", dist.Normal(0, 1))
            else:
                b = 1
        """,
    ),
    "a plate that is chosen": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            if n > 2:
                p = numpyro.plate("i", n)
            else:
                p = numpyro.plate("j", 2)
            with p:
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=[
            "the shape of 'a' can't be told: the with in line 13 holds something that "
            "isn't a plate with a known dim"
        ],
    ),
    "size-1 dims of the distribution in plates": Shape(
        """
        def model(n, m):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n), numpyro.plate("j", m):
                a = numpyro.sample("a", dist.Normal(jnp.zeros((m, 1)), jnp.ones((1, n))))
                b = numpyro.sample("b", dist.Normal(jnp.zeros(n), 1))
        """,
        args=(2, 3),
        config='chain = ["mu", "a", "b"]',
        children=["a", "b"],
        offsets={"b": "xi_b_mu * mu + xi_b_a * a"},
    ),
    "batch dims to the left of the plates": Shape(
        """
        def model(n, m):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            v = numpyro.sample("v", dist.Normal(jnp.zeros(n), 1))
            with numpyro.plate("i", n):
                a = numpyro.sample("a", dist.Normal(jnp.zeros((m, n)), 1))
        """,
        args=(2, 3),
        config=MU_VECTOR,
    ),
    "a batch dim where no plate is": Shape(
        """
        def model(n, m):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n, dim=-2):
                a = numpyro.sample("a", dist.Normal(jnp.zeros(m), 1))
        """,
        args=(2, 3),
    ),
    "scale beside the plate": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.handlers.scale(scale=2.0), numpyro.plate("i", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
    ),
    "mask around the child": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n), numpyro.handlers.mask(mask=jnp.array([True, False, True])):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=[
            "the shape of 'a' can't be told: the with in line 9 holds something that "
            "isn't a plate with a known dim"
        ],
    ),
    "a masked distribution": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n):
                a = numpyro.sample("a", dist.Normal(0, 1).mask(jnp.array([True, False, True])))
        """,
    ),
    "scope around the child": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.handlers.scope(prefix="g"):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        children=["g/a"],
    ),
    "scope beside the plate": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.handlers.scope(prefix="g"), numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        children=["g/a"],
    ),
    "seed and trace around the child": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.handlers.trace() as tr, numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
    ),
    "condition around the child": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.handlers.condition(data={"a": jnp.zeros(n)}), numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=[
            "this condition handler addresses 'a' by name and would no longer find "
            "it, as 'a_base' is sampled instead"
        ],
    ),
    "substitute outside": Shape(
        """
        def inner(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
            return a

        def model(n):
            return numpyro.handlers.substitute(inner, data={"a": 1.0})(n)
        """,
        refused=[
            "this substitute handler addresses 'a' by name and would no longer find "
            "it, as 'a_base' is sampled instead"
        ],
    ),
    "a reparam handler is there": Shape(
        """
        from numpyro.infer.reparam import LocScaleReparam

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.handlers.reparam(config={"a": LocScaleReparam(0)}):
                a = numpyro.sample("a", dist.Normal(0, 2))
        """,
        refused=["'a' already has a reparam handler (line 11)"],
    ),
    "a reparam handler as a decorator": Shape(
        """
        from numpyro.handlers import reparam
        from numpyro.infer.reparam import LocScaleReparam

        @reparam(config={"a": LocScaleReparam(0)})
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 2))
        """,
        refused=["'a' already has a reparam handler"],
    ),
    "a reparam handler of another site": Shape(
        """
        from numpyro.infer.reparam import LocScaleReparam

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.handlers.reparam(config={"mu": LocScaleReparam(0)}):
                a = numpyro.sample("a", dist.Normal(0, 2))
        """,
    ),
    "parent and child inside the plate with others": Shape(
        """
        def model(n):
            with numpyro.plate("n", n):
                v = numpyro.sample("v", dist.Normal(0, 1))
                s = numpyro.sample("s", dist.HalfNormal(1))
                if n > 1:
                    a = numpyro.sample("a", dist.Normal(v, s))
                numpyro.sample("y", dist.Normal(a, s), obs=jnp.zeros(n))
        """,
        config='[sites.a]\noffset = ["v", "s"]',
        offsets={"a": "xi_a_v * v + xi_a_s * s"},
    ),
    "a subsampled plate": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n, subsample_size=2):
                v = numpyro.sample("v", dist.Normal(0, 1))
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        config=MU_VECTOR,
        full_size=(3,),
    ),
    "a subsampled plate beside a full one": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("m", 2):
                with numpyro.plate("n", n, subsample_size=2):
                    a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        full_size=(3, 2),
    ),
    "a subsampled plate by positional argument": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n, 2):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        full_size=(3,),
    ),
    "a parent from a subsampled plate": Shape(
        """
        def model(n):
            with numpyro.plate("n", n, subsample_size=2):
                v = numpyro.sample("v", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        config='[sites.a]\noffset = "v"',
        refused=[
            "'v' is in the subsampled plate 'n' (line 8) and 'a' isn't: it would be offset by what "
            "was drawn this time"
        ],
    ),
    "subsample_size=None from an argument": Shape(
        """
        def model(n, k=None):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n, subsample_size=k):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
    ),
    "keyword size, and dim by position": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n, None, -2):
                v = numpyro.sample("v", dist.Normal(0, 1))
                with numpyro.plate(dim=-1, size=2, name="j"):
                    a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        config=MU_VECTOR,
        offsets={"a": "xi_a_mu * mu + xi_a_v * v"},
    ),
    "a prior made of what is bound in nested plates": Shape(
        """
        def model(n, s):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n) as i:
                t = s[i]
                with numpyro.plate("j", 2) as j:
                    u = jnp.log1p(jnp.arange(2.0))[j]
                    a = numpyro.sample("a", dist.Gamma(t + u[:, None], 1))
        """,
        args=(3, jnp.ones(3)),
        offsets={"a": "xi_a_mu * mu"},
    ),
    "a prior made by a helper that samples, in a plate": Shape(
        """
        def make(name, x):
            return dist.Normal(x, numpyro.sample(name, dist.HalfNormal(1)))

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", n) as i:
                a = numpyro.sample("a", make("s", mu))
        """,
        offsets={"a": "xi_a_mu * mu"},
    ),
    "a plate as a decorator": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))

            @numpyro.plate("n", n)
            def inner():
                return numpyro.sample("a", dist.Normal(0, 1))

            return inner()
        """,
        refused=["'model.inner' samples no site 'mu'"],
    ),
    "a function that a scope hands on and calls, beside a plate": Shape(
        """
        def inner(k):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            return numpyro.sample("a", dist.Normal(jnp.zeros(k), 1))

        def model(n):
            a = numpyro.handlers.scope(inner, "s")(2)
            with numpyro.plate("n", n):
                b = numpyro.sample("b", dist.Normal(a.sum(), 1))
        """,
        function="model",
        children=["s/a"],
        coefficients=["s/xi_a_mu"],
    ),
    "a function that a scope hands on and calls, under a plate": Shape(
        """
        def inner():
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            return numpyro.sample("a", dist.Normal(0, 1))

        def model(n):
            with numpyro.plate("n", n):
                a = numpyro.handlers.scope(inner, "s")()
        """,
        refused=[
            "'a' is sampled in 'inner', which is called under a plate (line 13): it has axes that "
            "don't show here"
        ],
    ),
    "a plate around a called function": Shape(
        """
        def inner():
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            return numpyro.sample("a", dist.Normal(0, 1))

        def model(n):
            with numpyro.plate("n", n):
                return inner()
        """,
        config='[sites.a]\noffset = "mu"\ncoefficient = "shared"',
        refused=[
            "'a' is sampled in 'inner', which is called under a plate (line 13): it has axes that "
            "don't show here"
        ],
    ),
    "a plate name made from an f-string": Shape(
        """
        def model(n):
            g = "g"
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate(f"{g}_x", n):
                v = numpyro.sample("v", dist.Normal(0, 1))
            with numpyro.plate(f"{g}_x", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        config=MU_VECTOR,
    ),
    "an ExitStack": Shape(
        """
        import contextlib

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with contextlib.ExitStack() as stack:
                stack.enter_context(numpyro.plate("n", n))
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=[
            "'a' is sampled after a context was entered without a with (line 12): its plates and "
            "handlers can't be told"
        ],
    ),
    "plate.__enter__ by hand": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            p = numpyro.plate("n", n)
            p.__enter__()
            a = numpyro.sample("a", dist.Normal(0, 1))
            p.__exit__(None, None, None)
        """,
        refused=[
            "'a' is sampled after a context was entered without a with (line 10): its plates and "
            "handlers can't be told"
        ],
    ),
    "zero and one sized plates": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("i", 1):
                v = numpyro.sample("v", dist.Normal(0, 1))
                with numpyro.plate("j", n):
                    a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        config=MU_VECTOR,
        offsets={"a": "xi_a_mu * mu + xi_a_v * v"},
    ),
}


def prior(text: str, *args: Any, plate: str = "", parent: str = "dist.Normal(0, 1)", **k: Any):
    """A child with this prior below a scalar parent; x, y and z are arguments."""
    names = ", ".join("xyz"[: len(args)])
    indent = f"    with {plate}:\n        " if plate else "    "
    source = (
        f"def model({names}):\n"
        f'    mu = numpyro.sample("mu", {parent})\n'
        f'{indent}a = numpyro.sample("a", {text})\n'
    )
    return Shape(source, args=args, **k)


N_PLATE = 'numpyro.plate("n", 2)'
SHAPES_OF_PRIORS = {
    "a vector of zeros": prior(
        "dist.Normal(jnp.zeros(x), 1)",
        3,
    ),
    "a literal vector": prior(
        "dist.Normal(jnp.zeros(3), jnp.ones(3))",
    ),
    "a matrix": prior(
        "dist.Normal(jnp.zeros((x, 2)), 1)",
        3,
    ),
    "a list": prior(
        "dist.Normal(jnp.array([0.0, 1.0, 2.0]), 1)",
    ),
    "a nested list": prior(
        "dist.Normal(jnp.array([[0.0], [1.0]]), jnp.array([1.0, 2.0, 1.0]))",
    ),
    "broadcast loc and scale": prior(
        "dist.Normal(jnp.zeros((2, 1)), jnp.ones((1, 3)))",
    ),
    "expand": prior(
        "dist.Normal(0, 1).expand([x, 2])",
        3,
    ),
    "expand with a tuple": prior(
        "dist.Normal(0, 1).expand((x,))",
        3,
    ),
    "expand by a variable": prior(
        "dist.Normal(0, 1).expand(x)",
        (3, 2),
    ),
    "expand by a list and more": prior(
        "dist.Normal(0, 1).expand([*x, 2])",
        (3,),
    ),
    "expand by a sum": prior(
        "dist.Normal(0, 1).expand((2,) + x)",
        (3,),
    ),
    "expand_by": prior(
        "dist.Normal(jnp.zeros(2), 1).expand_by([x])",
        3,
    ),
    "expand of a vector": prior(
        "dist.Normal(jnp.zeros(2), 1).expand([x, 2])",
        3,
    ),
    "expand over size 1": prior(
        "dist.Normal(jnp.zeros(1), 1).expand([x])",
        3,
    ),
    "to_event": prior(
        "dist.Normal(jnp.zeros((x, 2)), 1).to_event()",
        3,
    ),
    "to_event(1)": prior(
        "dist.Normal(jnp.zeros((x, 2)), 1).to_event(1)",
        3,
    ),
    "to_event in a plate": prior(
        "dist.Normal(jnp.zeros(3), 1).to_event(1)",
        plate=N_PLATE,
    ),
    "to_event(0)": prior(
        "dist.Normal(jnp.zeros(x), 1).to_event(0)",
        3,
    ),
    "to_event by keyword": prior(
        "dist.Normal(jnp.zeros((2, 3)), 1).to_event(reinterpreted_batch_ndims=1)",
        plate=N_PLATE,
    ),
    "expand then to_event in a plate": prior(
        "dist.Normal(0, 1).expand([3]).to_event(1)",
        plate=N_PLATE,
    ),
    "to_event by a variable": prior(
        "dist.Normal(jnp.zeros((2, 3)), 1).to_event(x)",
        1,
    ),
    "to_event then expand": prior(
        "dist.Normal(jnp.zeros(3), 1).to_event(1).expand([x])",
        2,
    ),
    "Independent": prior(
        "dist.Independent(dist.Normal(jnp.zeros((2, 3)), 1), 1)",
    ),
    "ExpandedDistribution": prior(
        "dist.ExpandedDistribution(dist.Normal(0, 1), (2, 3))",
    ),
    "sample_shape": prior(
        "dist.Normal(0, 1), sample_shape=(3,)",
        offsets={"a": "xi_a_mu * mu"},
    ),
    "an argument of unknown shape": prior(
        "dist.Normal(x, 1)",
        np.zeros((2, 3)),
    ),
    "an argument that is a scalar": prior(
        "dist.Normal(x, 1)",
        0.0,
    ),
    "an argument of unknown shape in a plate": prior(
        "dist.Normal(x, 1)",
        np.zeros((3, 2)),
        plate=N_PLATE,
    ),
    "an argument with a size-1 dim in a plate": prior(
        "dist.Normal(x, 1)",
        np.zeros((3, 1)),
        plate=N_PLATE,
    ),
    "an expression of an argument": prior(
        "dist.Normal(x @ y, 1)",
        np.ones((2, 3)),
        np.ones(3),
    ),
    "zeros_like": prior(
        "dist.Normal(jnp.zeros_like(x), 1)",
        np.ones((2, 3)),
    ),
    "zeros of a shape": prior(
        "dist.Normal(jnp.zeros(x.shape), 1)",
        np.ones((2, 3)),
    ),
    "zeros of a shape in a variable": prior(
        "dist.Normal(jnp.zeros(x), 1)",
        (2, 3),
    ),
    "zeros with dtype and keyword": prior(
        "dist.Normal(jnp.zeros(shape=(x,), dtype=float), 1)",
        3,
    ),
    "full": prior(
        "dist.Normal(jnp.full((x,), 0.5), jnp.full(x, 2.0))",
        3,
    ),
    "arange": prior(
        "dist.Normal(jnp.arange(x), 1)",
        3,
    ),
    "linspace": prior(
        "dist.Normal(jnp.linspace(0, 1, x), 1)",
        3,
    ),
    "eye": prior(
        "dist.Normal(jnp.eye(x), 1)",
        3,
    ),
    "an array of arrays": prior(
        "dist.Normal(jnp.array([x, x]), 1)",
        np.zeros(3),
    ),
    "an array of an array": prior(
        "dist.Normal(jnp.array(x), 1)",
        np.zeros((2, 3)),
    ),
    "array with ndmin": prior(
        "dist.Normal(jnp.array(0.0, ndmin=2), jnp.array([1.0, 2.0]))",
    ),
    "indexing": prior(
        "dist.Normal(jnp.zeros((2, 3))[0], 1)",
    ),
    "reshaped": prior(
        "dist.Normal(jnp.zeros(6).reshape(2, 3), 1)",
    ),
    "transposed": prior(
        "dist.Normal(jnp.zeros((2, 3)).T, 1)",
    ),
    "a sum of shapes": prior(
        "dist.Normal(jnp.zeros((2, 1)) + jnp.zeros(3), 1)",
    ),
    "scale is a vector": prior(
        "dist.Normal(scale=jnp.ones(x))",
        3,
    ),
    "no arguments": prior(
        "dist.Normal()",
    ),
    "a conditional expression": prior(
        "dist.Normal(x if y else 0.0, 1)",
        np.zeros(3),
        True,
    ),
    "a chosen distribution": prior(
        "dist.Normal(0, 1) if y else dist.Normal(x, 1)",
        np.zeros(3),
        False,
    ),
    "a helper's": Shape(
        """
        def make(k):
            return dist.Normal(jnp.zeros(k), 1)

        def model(n):
            mu = numpyro.sample("mu", make(2))
            a = numpyro.sample("a", make(n))
        """,
        fails="can't be lined up",
    ),
    "in a variable": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            prior = dist.Normal(jnp.zeros(n), 1)
            a = numpyro.sample("a", prior)
        """,
    ),
    "in a variable that is reused": Shape(
        """
        def model(n):
            prior = dist.Normal(0, 1)
            mu = numpyro.sample("mu", prior)
            prior = dist.HalfNormal(jnp.ones(n))
            a = numpyro.sample("a", prior)
        """,
    ),
    "in a variable that is chosen": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            if n > 2:
                prior = dist.HalfNormal(jnp.ones(n))
            else:
                prior = dist.Normal(0, 1)
            a = numpyro.sample("a", prior)
        """,
    ),
    "in a dict": Shape(
        """
        PRIORS = {"a": dist.HalfNormal(jnp.ones((2, 3)))}

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", PRIORS["a"])
        """,
    ),
    "in a dict, in a plate": Shape(
        """
        PRIORS = {"a": dist.HalfNormal(jnp.ones((2, 1)))}

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", PRIORS["a"])
        """,
    ),
    "a prior with a side effect": Shape(
        """
        def model(n):
            priors = iter([dist.Normal(0, 1), dist.Normal(jnp.zeros(n), 1), dist.HalfNormal(1)])
            mu = numpyro.sample("mu", next(priors))
            a = numpyro.sample("a", next(priors))
            b = numpyro.sample("b", next(priors))
        """,
    ),
    "a prior that samples": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(numpyro.sample("b", dist.Normal(0, 1)), 1))
        """,
    ),
    "its own prior depends on the parent, a vector": Shape(
        """
        def model(n):
            v = numpyro.sample("v", dist.Normal(0, 1).expand([n]))
            a = numpyro.sample("a", dist.Normal(v, 1))
        """,
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * v"},
    ),
    "its own prior depends on another site, a vector": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            v = numpyro.sample("v", dist.Normal(jnp.zeros(n), 1))
            a = numpyro.sample("a", dist.Normal(v, 1))
        """,
        config=MU_VECTOR,
        offsets={"a": "xi_a_mu * mu + xi_a_v * v"},
    ),
    "its own prior indexes the parent": Shape(
        """
        def model(x):
            v = numpyro.sample("v", dist.Normal(jnp.zeros(3), 1))
            with numpyro.plate("i", len(x)):
                a = numpyro.sample("a", dist.Normal(v[x], 1))
        """,
        args=(X3,),
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * jnp.mean(v)"},
    ),
    "an indexed parent": Shape(
        """
        def model(x):
            v = numpyro.sample("v", dist.Normal(jnp.zeros(3), 1))
            with numpyro.plate("i", len(x)):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(X3,),
        config='[sites.a.offset]\nv = { value = "v[x]" }',
        offsets={"a": "xi_a_v * v[args[0]]"},
    ),
    "a parent with more dims": Shape(
        """
        def model(n):
            v = numpyro.sample("v", dist.Normal(jnp.zeros((2, n)), 1))
            a = numpyro.sample("a", dist.Normal(0, 1).expand([n]))
        """,
        config='[sites.a]\noffset = "v"\nreduce = "sum"',
        offsets={"a": "xi_a_v * v.sum(0)"},
    ),
    "two axes of one size in the parent": Shape(
        """
        def model(n):
            v = numpyro.sample("v", dist.Normal(jnp.zeros((n, n)), 1))
            a = numpyro.sample("a", dist.Normal(0, 1).expand([n]))
        """,
        config='[sites.a]\noffset = "v"',
        refused=[
            "'v' can't be lined up with 'a': two of its axes would be the same axis of the child"
        ],
    ),
    "two axes of one size in the child": Shape(
        """
        def model(n):
            v = numpyro.sample("v", dist.Normal(jnp.zeros(n), 1))
            a = numpyro.sample("a", dist.Normal(0, 1).expand([n, n]))
        """,
        config='[sites.a]\noffset = "v"',
        refused=[
            "'v' can't be lined up with 'a': the child has 2 axes that could be its axis of size n"
        ],
    ),
    "an axis of a Dirichlet that to_event made": Shape(
        """
        def model(n, m):
            with numpyro.plate("i", n):
                v = numpyro.sample("v", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Dirichlet(jnp.ones(3)).expand([m, 1, n]).to_event(1))
        """,
        args=(2, 4),
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * v[:, None]"},
    ),
    "a Dirichlet whose to_event hides all axes": Shape(
        """
        def model(n, m):
            with numpyro.plate("i", n):
                v = numpyro.sample("v", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Dirichlet(jnp.ones(3)).expand([m, n]).to_event())
        """,
        args=(2, 4),
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * v[:, None]"},
    ),
    "a scale by a site whose offset has a matrix of weights": Shape(
        """
        def model(n):
            v = numpyro.sample("v", dist.HalfNormal(1).expand([n]).to_event(1))
            with numpyro.plate("i", 2):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(3,),
        config=(
            '[sites.a]\noffset = "v"\ncoefficient = "matrix"\nscale = { by = "v", power = 1.0 }'
        ),
        full_size=(2, 3),
        offsets={"a": "xi_a_v @ v + a / jnp.mean(v) - a"},
    ),
    "a parent of unknown shape in another plate": Shape(
        """
        def model(n, x):
            with numpyro.plate("i", n):
                v = numpyro.sample("v", dist.Normal(x, 1))
            with numpyro.plate("j", 2):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(2, np.zeros(2)),
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * jnp.mean(v)"},
    ),
    "a random walk of unknown scale, of another size": Shape(
        """
        def model(n, x):
            v = numpyro.sample("v", dist.GaussianRandomWalk(x, num_steps=n))
            a = numpyro.sample("a", dist.Normal(0, 1).expand([2]))
        """,
        args=(2, 1.0),
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * jnp.mean(v)"},
    ),
    "a parent of unknown shape and a child without axes": Shape(
        """
        def model(n, x):
            v = numpyro.sample("v", dist.Normal(x, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(2, np.zeros(2)),
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * jnp.mean(v)"},
    ),
    "a parent of unknown shape with one of the child's plates": Shape(
        """
        def model(n, x):
            with numpyro.plate("i", n):
                v = numpyro.sample("v", dist.Normal(x, 1))
                with numpyro.plate("j", 3):
                    w = numpyro.sample("w", dist.Normal(x, 1))
                    a = numpyro.sample("a", dist.Normal(0, 1).expand([4, 1, 1]))
                    b = numpyro.sample("b", dist.Normal(0, 1).expand([n]).to_event(0))
            c = numpyro.sample("c", dist.GaussianRandomWalk(1.0, num_steps=n))
        """,
        args=(2, np.zeros(2)),
        config='[sites.a]\noffset = ["v", "w"]\n[sites.c]\noffset = ["v", "w"]',
        offsets={
            "a": "xi_a_v * v + xi_a_w * w",
            "c": "xi_c_v * v + xi_c_w * jnp.mean(w, 0)",
        },
    ),
    "a parent with an axis more than shows": Shape(
        """
        def model(n, x):
            with numpyro.plate("i", n):
                v = numpyro.sample("v", dist.Normal(x, 1))
            with numpyro.plate("i", n):
                a = numpyro.sample("a", dist.Normal(0, 1).expand([3, n]))
        """,
        args=(2, np.zeros((3, 2))),
        config='[sites.a]\noffset = "v"',
        fails="can't be lined up",
    ),
    "a parent of unknown shape that fills a free dim": Shape(
        """
        def model(n, x):
            with numpyro.plate("i", n, dim=-2):
                v = numpyro.sample("v", dist.Normal(x, 1))
            with numpyro.plate("i", n, dim=-2), numpyro.plate("j", 3, dim=-1):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(2, np.zeros((2, 3))),
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * jnp.mean(v, -1, keepdims=True)"},
    ),
    "a parent of unknown shape in the same plate": Shape(
        """
        def model(n, x):
            with numpyro.plate("i", n):
                v = numpyro.sample("v", dist.Normal(x, 1))
            with numpyro.plate("i", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(2, np.zeros(2)),
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * v"},
    ),
    "an event dim matches a plate by its size": Shape(
        """
        def model(n, m):
            with numpyro.plate("i", n):
                v = numpyro.sample("v", dist.Normal(0, 1))
            with numpyro.plate("j", m):
                a = numpyro.sample("a", dist.GaussianRandomWalk(1.0, num_steps=n))
        """,
        args=(2, 3),
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * v"},
    ),
    "a random walk with a vector of scales": Shape(
        """
        def model(n, m):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            s = numpyro.sample("s", dist.HalfNormal(jnp.ones(n)))
            with numpyro.plate("i", n):
                a = numpyro.sample("a", dist.GaussianRandomWalk(s, num_steps=m))
        """,
        args=(2, 3),
        config='[sites.a]\noffset = ["mu", "s"]',
    ),
    "a random walk with one step": prior(
        "dist.GaussianRandomWalk(x, 1)",
        1.0,
    ),
    "a random walk of default length": prior(
        "dist.GaussianRandomWalk(jnp.ones(3))",
    ),
    "a random walk with the keyword first": prior(
        "dist.GaussianRandomWalk(num_steps=x, scale=jnp.ones(2))",
        3,
    ),
    "a multivariate normal": prior(
        "dist.MultivariateNormal(jnp.zeros(x), jnp.eye(x))",
        3,
    ),
    "a multivariate normal with scalar loc": prior(
        "dist.MultivariateNormal(0.0, scale_tril=jnp.eye(x))",
        3,
    ),
    "a multivariate normal of unknown size in a plate": prior(
        "dist.MultivariateNormal(x, covariance_matrix=y)",
        np.zeros(3),
        np.eye(3),
        plate=N_PLATE,
    ),
    "a multivariate normal with a batch": prior(
        "dist.MultivariateNormal(jnp.zeros((2, 3)), precision_matrix=jnp.eye(3))",
    ),
    "a multivariate normal whose matrix has the batch": prior(
        "dist.MultivariateNormal(jnp.zeros(3), jnp.broadcast_to(jnp.eye(3), (2, 3, 3)))",
    ),
    "a low rank normal": prior(
        "dist.LowRankMultivariateNormal(jnp.zeros(3), jnp.ones((3, 1)), jnp.ones(3))",
    ),
    "a student t": prior(
        "dist.StudentT(jnp.array([3.0, 4.0]), 0, 1)",
    ),
    "matrix normal": prior(
        "dist.MatrixNormal(jnp.zeros((2, 3)), jnp.eye(2), jnp.eye(3))",
    ),
    "a GaussianStateSpace": prior(
        "dist.GaussianStateSpace(3, jnp.eye(2), covariance_matrix=jnp.eye(2))",
    ),
    "a CAR": prior(
        "dist.CAR(jnp.zeros(3), 0.5, 1.0, jnp.ones((3, 3)) - jnp.eye(3))",
    ),
    "an AsymmetricLaplace, Cauchy-like": prior(
        "dist.AsymmetricLaplace(0.0, jnp.ones(2), 1.0)",
    ),
    "a vector parent of a vector child of literal size": Shape(
        """
        def model():
            v = numpyro.sample("v", dist.Normal(jnp.zeros(3), 1))
            a = numpyro.sample("a", dist.Normal(jnp.zeros(3), 1))
        """,
        args=(),
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * jnp.mean(v)"},
    ),
    "an unknown parent of a scalar child": Shape(
        """
        def model(x):
            v = numpyro.sample("v", dist.Normal(x, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(np.zeros((2, 3)),),
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * jnp.mean(v)"},
    ),
    "an unknown parent of a child in its plate": Shape(
        """
        def model(x):
            with numpyro.plate("n", 3):
                v = numpyro.sample("v", dist.Normal(x, 1))
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(np.zeros((2, 3)),),
        config='[sites.a]\noffset = "v"',
        fails="can't be lined up",
    ),
    "parent and child of one unknown shape": Shape(
        """
        def model(x):
            v = numpyro.sample("v", dist.Normal(x, 1))
            a = numpyro.sample("a", dist.Normal(x, 1))
        """,
        args=(np.zeros((2, 3)),),
        config='[sites.a]\noffset = "v"',
    ),
    "a size-1 axis in parent and child": Shape(
        """
        def model(n):
            v = numpyro.sample("v", dist.Normal(0, 1).expand([n, 1]))
            a = numpyro.sample("a", dist.Normal(0, 1).expand([1, n]))
        """,
        config='[sites.a]\noffset = "v"',
    ),
    "a size that may be a tuple, right of one that shows": Shape(
        """
        def model(n, m):
            v = numpyro.sample("v", dist.Normal(0, 1).expand([n]))
            a = numpyro.sample("a", dist.Normal(jnp.zeros((n, 1)), jnp.ones(m)))
        """,
        args=(3, 2),
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * v[:, None]"},
    ),
    "sizes that look alike": Shape(
        """
        def model(n, m):
            v = numpyro.sample("v", dist.Normal(0, 1).expand([n + 1]))
            a = numpyro.sample("a", dist.Normal(0, 1).expand([n+1, 1+n]))
        """,
        args=(2, 3),
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * v[:, None]"},
    ),
    "a shadowed zeros": Shape(
        """
        class jnp:
            @staticmethod
            def zeros(k):
                return jax.numpy.zeros((k, 2))

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(jnp.zeros(n), 1))
        """,
    ),
    "a parent that's a scalar array and a child of size 1": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(jnp.zeros(()), 1))
            a = numpyro.sample("a", dist.Normal(jnp.zeros((1,)), 1))
        """,
    ),
}

FAMILIES = {
    "HalfNormal": prior(
        "dist.HalfNormal(1.0)",
        offsets={"a": "xi_a_mu * mu"},
    ),
    "HalfNormal in a plate": prior(
        "dist.HalfNormal(1.0)",
        plate=N_PLATE,
    ),
    "Exponential": prior(
        "dist.Exponential()",
    ),
    "Gamma": prior(
        "dist.Gamma(2.0, jnp.ones(2))",
    ),
    "LogNormal": prior(
        "dist.LogNormal(0, 1)",
        offsets={"a": "xi_a_mu * mu"},
    ),
    "Beta": prior(
        "dist.Beta(2, jnp.ones(2))",
    ),
    "Uniform": prior(
        "dist.Uniform()",
    ),
    "Uniform with bounds": prior(
        "dist.Uniform(-1, 2).expand([2])",
    ),
    "Uniform with vector bounds": prior(
        "dist.Uniform(jnp.array([0.0, 1.0]), 3.0)",
    ),
    "Uniform with bounds from arguments": prior(
        "dist.Uniform(x, high=x + 1)",
        np.zeros(2),
    ),
    "Uniform with a bound that is a site": prior(
        "dist.Uniform(mu, mu + 1)",
    ),
    "Uniform in a plate with a bound per element": prior(
        "dist.Uniform(x, 3.0)",
        np.zeros(2),
        plate=N_PLATE,
    ),
    "TruncatedNormal": prior(
        "dist.TruncatedNormal(0, 1, low=0.0)",
    ),
    "TruncatedNormal above": prior(
        "dist.TruncatedNormal(0, 1, high=x)",
        np.ones(2),
    ),
    "TruncatedNormal both": prior(
        "dist.TruncatedNormal(low=-1.0, high=2.0)",
    ),
    "TruncatedNormal free": prior(
        "dist.TruncatedNormal(0.0, 1.0)",
    ),
    "TruncatedNormal low None": prior(
        "dist.TruncatedNormal(0.0, 1.0, low=None)",
    ),
    "LeftTruncatedDistribution": prior(
        "dist.LeftTruncatedDistribution(dist.Normal(), low=1.0)",
    ),
    "Pareto": prior(
        "dist.Pareto(1.5, 3.0)",
    ),
    "HalfCauchy": prior(
        "dist.HalfCauchy(1.0)",
    ),
    "InverseGamma": prior(
        "dist.InverseGamma(2.0, 1.0)",
    ),
    "VonMises": prior(
        "dist.VonMises(0.0, 1.0)",
    ),
    "Dirichlet": prior(
        "dist.Dirichlet(jnp.ones(3))",
    ),
    "Dirichlet in a plate": prior(
        "dist.Dirichlet(jnp.ones(3))",
        plate=N_PLATE,
    ),
    "Dirichlet of an argument": prior(
        "dist.Dirichlet(x)",
        np.ones(3),
    ),
    "LKJCholesky": prior(
        "dist.LKJCholesky(3, 1.0)",
    ),
    "LKJ": prior(
        "dist.LKJ(3, 1.0)",
    ),
    "ZeroSumNormal": prior(
        "dist.ZeroSumNormal(1.0, event_shape=(3,))",
        refused=["'a' sums to zero (ZeroSumNormal): an offset would break that"],
    ),
    "TransformedDistribution": prior(
        "dist.TransformedDistribution(dist.Normal(0, 1), dist.transforms.ExpTransform())",
    ),
    "TransformedDistribution to the reals": prior(
        "dist.TransformedDistribution(dist.Normal(0, 1).expand([2]), "
        "[dist.transforms.AffineTransform(1.0, jnp.array([2.0, 3.0]))])",
    ),
    "a mixture": prior(
        "dist.MixtureSameFamily(dist.Categorical(jnp.ones(2) / 2), dist.Normal(jnp.zeros(2), 1))",
    ),
    "Delta": prior(
        "dist.Delta(1.0)",
        refused=["'a' has a Delta prior, which isn't a density: it can't be shifted"],
    ),
    "Bernoulli": prior(
        "dist.Bernoulli(0.5)",
        refused=["'a' is discrete (Bernoulli): it can't be shifted"],
    ),
    "an unknown distribution": prior(
        "x",
        numpyro.distributions.HalfNormal(np.ones(2)),
    ),
    "Unit": prior(
        "dist.Unit(0.0)",
        refused=["'a' has a Unit prior, which isn't a density: it can't be shifted"],
    ),
    "HalfNormal to_event in a plate": prior(
        "dist.HalfNormal(jnp.ones(3)).to_event(1)",
        plate=N_PLATE,
    ),
    "Gamma with a vector in a plate": prior(
        "dist.Gamma(2.0, x)",
        np.ones(2),
        plate=N_PLATE,
    ),
    "Wishart": prior(
        "dist.Wishart(4.0, jnp.eye(2))",
    ),
    "a constrained parent": prior(
        "dist.Normal(jnp.zeros(2), 1)",
        parent="dist.HalfNormal(1)",
        offsets={"a": "xi_a_mu * mu"},
    ),
    "a simplex parent": prior(
        "dist.Normal(jnp.zeros(3), 1)",
        parent="dist.Dirichlet(jnp.ones(3))",
        offsets={"a": "xi_a_mu * jnp.mean(mu)"},
    ),
    "a discrete parent": prior(
        "dist.Normal(0, 1)",
        parent="dist.Bernoulli(0.5)",
        refused=[
            "'mu' is discrete (Bernoulli): when NumPyro enumerates it, its value has "
            "more dims than the model shows"
        ],
    ),
    "an observed parent": prior(
        "dist.Normal(0, 1)",
        parent="dist.Normal(0, 1), obs=1.0",
    ),
}

PLAIN = """
def model(n):
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    nu = numpyro.sample("nu", dist.Normal(0, 1))
    v = numpyro.sample("v", dist.Normal(jnp.zeros(4), 1))
    x, i, f = 2.0, 1, jnp.sin
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
"""


def configured(text: str, source: str = PLAIN, **k: Any) -> Shape:
    return Shape(source, config=text, **k)


def value(text: str, **k: Any) -> Shape:
    """The offset of `a` is an expression."""
    return configured(f"[sites.a.offset]\np = {{ value = '''{text}''' }}", **k)


def offset(settings: str, expected: str, **k: Any) -> Shape:
    """The offset of `a` by `mu` with these settings is as expected."""
    return configured(
        f"[sites.a.offset]\nmu = {{ {settings} }}", offsets={"a": f"{expected} + 0 * mu"}, **k
    )


CONFIGS = {
    "shared": offset(
        'coefficient = "shared"',
        "xi_a_mu * mu",
    ),
    "init": offset(
        "init = 0.5",
        "xi_a_mu * mu",
    ),
    "shared init": offset(
        'init = -1e-7, coefficient = "shared"',
        "xi_a_mu * mu",
    ),
    "fixed at 1": offset(
        "init = 1, learn = false",
        "mu",
        coefficients=[],
    ),
    "fixed at -1": offset(
        "init = -1, learn = false",
        "-mu",
        coefficients=[],
    ),
    "fixed at 0.5": offset(
        "init = 0.5, learn = false",
        "0.5 * mu",
        coefficients=[],
    ),
    "fixed at -0.5": offset(
        "init = -0.5, learn = false",
        "-0.5 * mu",
        coefficients=[],
    ),
    "fixed at 1e300": offset(
        "init = 1e-30, learn = false",
        "1e-30 * mu",
        coefficients=[],
    ),
    "fixed at 0": offset(
        "init = 0, learn = false",
        "0.0 * mu",
        coefficients=[],
    ),
    "centered": offset(
        "center = 20.0",
        "xi_a_mu * (mu - 20)",
    ),
    "centered negative": offset(
        "center = -2",
        "xi_a_mu * (mu + 2)",
    ),
    "centered fixed": offset(
        "center = -2, init = -1, learn = false",
        "-(mu + 2)",
    ),
    "centered by an expression": offset(
        'center = "x - 1"',
        "xi_a_mu * (mu - 1)",
    ),
    "centered by a conditional": offset(
        'center = "1 if n else 2"',
        "xi_a_mu * (mu - 1)",
    ),
    "centered by a vector": offset(
        'center = "v"',
        "xi_a_mu * (mu - v)",
        fails=".",
    ),
    "centered at zero": offset(
        "center = 0",
        "xi_a_mu * mu",
    ),
    "fixed between others": configured(
        "[sites.a.offset]\nmu = { learn = false, init = -1 }\n"
        "nu = { learn = false, init = -0.5 }\nv = { learn = false, init = 1 }",
        offsets={"a": "-mu - 0.5 * nu + jnp.mean(v)"},
    ),
    "fixed constrained child": configured(
        '[sites.a]\noffset = "mu"\nlearn = false\ninit = -1',
        prior("dist.HalfNormal(jnp.ones(2))").source,
        args=(),
        offsets={"a": "-mu"},
    ),
    "sum of a vector": configured(
        '[sites.a]\noffset = "v"\nreduce = "sum"',
        offsets={"a": "xi_a_v * v.sum()"},
    ),
    "error for a vector": configured(
        '[sites.a]\noffset = "v"\nreduce = "error"',
        refused=[
            "'v' can't be lined up with 'a': the child has no axis of size 4, "
            'and reduce is "error"'
        ],
    ),
    "error where nothing is reduced": configured(
        '[sites.a]\noffset = "mu"\nreduce = "error"',
        offsets={"a": "xi_a_mu * mu"},
    ),
    "error for an unknown shape": configured(
        '[sites.a]\noffset = "v"\nreduce = "error"',
        """
        def model(x):
            v = numpyro.sample("v", dist.Normal(x, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(np.zeros(2),),
        refused=[
            "'v' can't be lined up with 'a': its shape can't be read, and reduce is \"error\""
        ],
    ),
    "several chains": configured(
        'chain = [["mu", "a"], ["nu", "v", "a"]]',
        children=["a", "v"],
    ),
    "one of the chain dropped": configured(
        'chain = ["mu", "nu", "a"]\n[sites.a.offset]\nnu = false\n',
        children=["a", "nu"],
        coefficients=["xi_a_mu", "xi_nu_mu"],
    ),
    "a chain in another order": configured(
        'chain = ["a", "nu", "mu"]',
        children=["a", "nu"],
    ),
    "an unknown site": configured(
        '[sites.a]\noffset = "mo"',
        refused=["'model' samples no site 'mo'"],
    ),
    "an unknown child": configured(
        '[sites.aa]\noffset = "mu"',
        refused=["'model' samples no site 'aa'"],
    ),
    "value: a product": value(
        "x * mu",
        offsets={"a": "xi_a_p * 2 * mu"},
    ),
    "value: a sum": value(
        "mu + nu",
        offsets={"a": "xi_a_p * (mu + nu)"},
    ),
    "value: a comparison": value(
        "mu > nu",
        offsets={"a": "xi_a_p * (mu > nu)"},
        matter=False,
    ),
    "value: a conditional": value(
        "mu if x else nu",
        offsets={"a": "xi_a_p * mu"},
    ),
    "value: an index": value(
        "v[i]",
        offsets={"a": "xi_a_p * v[1]"},
    ),
    "value: a lambda": value(
        "(lambda k: k * mu)(x)",
        offsets={"a": "xi_a_p * 2 * mu"},
    ),
    "value: a bare lambda": value(
        "lambda: mu",
        fails=".",
    ),
    "value: a comprehension": value(
        "sum(k * mu for k in range(3))",
        offsets={"a": "xi_a_p * 3 * mu"},
    ),
    "value: a list": value(
        "[mu, nu, 1.0]",
        fails=".",
    ),
    "value: a string": value(
        '"mu"',
        fails=".",
    ),
    "value: a call": value(
        "f(mu)",
        offsets={"a": "xi_a_p * jnp.sin(mu)"},
    ),
    "value: a number": value(
        "-1",
    ),
    "value: an exponent": value(
        "mu ** 2",
        offsets={"a": "xi_a_p * mu**2"},
    ),
    "value: a negative": value(
        "-mu",
        offsets={"a": "xi_a_p * -mu"},
    ),
    "value: a not": value(
        "not x",
        matter=False,
    ),
    "value: an or": value(
        "mu or nu",
        fails=".",
    ),
    "value: a comment": value(
        "(mu # a comment\n + nu)",
        offsets={"a": "xi_a_p * (mu + nu)"},
    ),
    "value: a string with a hash and quotes": value(
        "mu * {'#\"': 2}['#\"']",
        offsets={"a": "xi_a_p * 2 * mu"},
    ),
    "value: the child itself": value(
        "a",
        refused=["'a' has no value where 'a' is sampled (model.py:13), or may have none"],
    ),
    "value: a name that isn't there": value(
        "nowhere",
        refused=["there is no name 'nowhere' where 'a' is sampled (model.py:13)"],
    ),
    "value: a name that comes later": value(
        "w",
        source=PLAIN + "    w = 3\n",
        refused=["'w' has no value where 'a' is sampled (model.py:13), or may have none"],
    ),
    "value: a vector that would widen": value(
        "v",
        fails="roadcast",
    ),
    "value: a matrix that would widen": value(
        "jnp.ones((2, n))",
        fails="roadcast",
    ),
    "value: a column that would widen": value(
        "jnp.ones((n, 1))",
        fails="roadcast",
    ),
    "value: an argument that would widen": Shape(
        """
        def model(x):
            with numpyro.plate("n", 1):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(np.ones(3),),
        config='[sites.a.offset]\np = { value = "x", learn = false, init = 1 }',
        fails="roadcast",
    ),
    "value: an argument of more dims": Shape(
        """
        def model(x):
            a = numpyro.sample("a", dist.HalfNormal(1))
        """,
        args=(np.ones(3),),
        config='[sites.a.offset]\np = { value = "x", coefficient = "shared" }',
        fails="roadcast",
    ),
    "value: the child's shape": value(
        "jnp.arange(n) + 1.0",
    ),
    "value: a vector for a scalar child": value(
        "v",
        source="def model():\n"
        '    v = numpyro.sample("v", dist.Normal(jnp.zeros(4), 1))\n'
        '    a = numpyro.sample("a", dist.Normal(0, 1))\n',
        args=(),
        fails="roadcast",
    ),
    "value: a vector for a scalar child, shared": configured(
        '[sites.a.offset]\nv = { value = "v", coefficient = "shared" }',
        "def model():\n"
        '    v = numpyro.sample("v", dist.Normal(jnp.zeros(4), 1))\n'
        '    a = numpyro.sample("a", dist.Normal(0, 1))\n',
        args=(),
        fails="roadcast",
    ),
    "value: a vector for a positive child, fixed": configured(
        '[sites.a.offset]\nv = { value = "v", init = 1, learn = false }',
        "def model():\n"
        '    v = numpyro.sample("v", dist.Normal(jnp.zeros(4), 1))\n'
        '    a = numpyro.sample("a", dist.HalfNormal(1))\n',
        args=(),
        fails="roadcast",
    ),
    "value: a vector for a child of size 1": configured(
        '[sites.a.offset]\nv = { value = "v", coefficient = "shared" }',
        "def model():\n"
        '    v = numpyro.sample("v", dist.Normal(jnp.zeros(4), 1))\n'
        '    a = numpyro.sample("a", dist.Normal(jnp.zeros(1), 1))\n',
        args=(),
        fails="roadcast",
    ),
    "value: a vector for an event": configured(
        '[sites.a.offset]\nv = { value = "v[:, None]", coefficient = "shared" }',
        "def model():\n"
        '    v = numpyro.sample("v", dist.Normal(jnp.zeros(4), 1))\n'
        '    a = numpyro.sample("a", dist.Normal(jnp.zeros(4), 1).to_event(1))\n',
        args=(),
        fails="roadcast",
    ),
    "center: a vector for a scalar child": configured(
        '[sites.a.offset]\nmu = { center = "v", coefficient = "shared" }',
        "def model():\n"
        '    mu = numpyro.sample("mu", dist.Normal(0, 1))\n'
        '    v = numpyro.sample("v", dist.Normal(jnp.zeros(4), 1))\n'
        '    a = numpyro.sample("a", dist.Normal(0, 1))\n',
        args=(),
        fails=".",
    ),
    "the function is not named": Shape(
        """
        def guide(n):
            numpyro.sample("mu", dist.Normal(0, 1))
            numpyro.sample("a", dist.Normal(0, 1))

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=["both 'guide' and 'model' sample the configured sites (model.py:7, model.py:11)"],
    ),
    "the model beside its guide": Shape(
        """
        def guide(n):
            numpyro.sample("mu", dist.Normal(0, 1))
            numpyro.sample("a", dist.Normal(0, 1))

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        config='functions = ["model"]\n' + A_BY_MU,
        refused=["the guide 'guide' samples 'a' too, which the model would sample as 'a_base'"],
    ),
    "two functions": Shape(
        """
        def other(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.HalfNormal(jnp.ones(n)))

        def model(n):
            a_loc = other
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        config='functions = ["other", "model"]\n' + A_BY_MU,
    ),
    "a method": Shape(
        """
        class Model:
            n = 3
            a_loc = 2

            def __call__(self, y=None):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with numpyro.plate("n", self.n):
                    a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(),
        function="Model.__call__",
        config='functions = ["Model.__call__"]\n' + A_BY_MU,
    ),
    "values on self": Shape(
        """
        class Model:
            n = 3

            def model(self):
                self.mu = numpyro.sample("mu", dist.Normal(0, 1))
                with numpyro.plate("n", self.n):
                    self.a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(),
        function="Model.model",
        offsets={"a": "xi_a_mu * mu"},
    ),
    "values on self that change": Shape(
        """
        class Model:
            n = 3

            def shift(self):
                self.mu = self.mu + 1

            def model(self):
                self.mu = numpyro.sample("mu", dist.Normal(0, 1))
                self.shift()
                with numpyro.plate("n", self.n):
                    self.a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(),
        function="Model.model",
        offsets={"a": "xi_a_mu * mu"},
    ),
    "sizes on self that change": Shape(
        """
        class Model:
            def model(self):
                self.n = 3
                v = numpyro.sample("v", dist.Normal(jnp.zeros(self.n), 1))
                self.n = 2
                a = numpyro.sample("a", dist.Normal(jnp.zeros(self.n), 1))
        """,
        args=(),
        function="Model.model",
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * v.mean()"},
        loud=True,
    ),
    "sizes on self that a call changes": Shape(
        """
        class Model:
            def grow(self):
                self.n = 2

            def model(self):
                self.n = 3
                v = numpyro.sample("v", dist.Normal(jnp.zeros(self.n), 1))
                self.grow()
                a = numpyro.sample("a", dist.Normal(jnp.zeros(self.n), 1))
        """,
        args=(),
        function="Model.model",
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * v.mean()"},
        loud=True,
    ),
    "a nested function": Shape(
        """
        def make(n=3):
            mu = 7.0
            def model():
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with numpyro.plate("n", n):
                    a = numpyro.sample("a", dist.Normal(0, 1))
            return model
        """,
        args=(),
        function="make.model",
        config='functions = ["make.model"]\n' + A_BY_MU,
    ),
    "a parent in the enclosing function": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))

            def inner():
                with numpyro.plate("n", n):
                    return numpyro.sample("a", dist.Normal(0, 1))

            return inner()
        """,
        refused=["'model.inner' samples no site 'mu'"],
    ),
    "a parent in another function": Shape(
        """
        def other():
            return numpyro.sample("mu", dist.Normal(0, 1))

        def model(n):
            m = other()
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        offsets={"a": "xi_a_mu * mu"},
    ),
    "a generator": Shape(
        """
        def inner(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            yield mu
            a = numpyro.sample("a", dist.Normal(0, 1))
            yield a

        def model(n):
            return list(inner(n))
        """,
    ),
    "async": Shape(
        """
        async def inner(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))

        def model(n):
            try:
                inner(n).send(None)
            except StopIteration:
                pass
        """,
    ),
    "decorated": Shape(
        """
        import functools

        def twice(f):
            @functools.wraps(f)
            def g(*args):
                return f(*args)
            return g

        @twice
        @functools.lru_cache(maxsize=None) if False else twice
        def model(n: int = 3, /, *args: float, mu: float = 3, **kwargs) -> None:
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a: jax.Array = numpyro.sample("a", dist.Normal(0, 1))
        """,
    ),
    "the model is a module": Shape(
        """
        def model(n):
            return inner(n)

        class Holder:
            class Deep:
                @staticmethod
                def inner(n):
                    mu = numpyro.sample("mu", dist.Normal(0, 1))
                    a = numpyro.sample("a", dist.Normal(0, 1))

        inner = Holder.Deep.inner
        """,
    ),
    "a function defined twice": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(jnp.zeros(n), 1))
        """,
        refused=["'model' is defined in more than one place (lines 7 and 11)"],
    ),
    "class-private names": Shape(
        """
        class Model:
            __n = 3

            def model(self):
                __mu = numpyro.sample("mu", dist.Normal(0, 1))
                with numpyro.plate("n", self.__n):
                    a = numpyro.sample("__a", dist.Normal(0, 1))
        """,
        args=(),
        function="Model.model",
        config='[sites.__a]\noffset = "mu"',
    ),
    "infer on the child": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1), infer={"x": 1})
        """,
        refused=["'a' has infer=, which ExplicitReparam doesn't hand on"],
    ),
    "obs_mask on the child": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1), obs_mask=None)
        """,
        refused=["'a' has obs_mask=, which splits the site in two"],
    ),
    "an observed child": Shape(
        """
        def model(n, a=1.0):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1), obs=a)
        """,
        refused=["'a' is observed: there is nothing to reparameterize"],
    ),
    "an observed child by position": Shape(
        """
        def model(n, a=1.0):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1), a)
        """,
        refused=["'a' is observed: there is nothing to reparameterize"],
    ),
    "obs=None": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1), None)
        """,
    ),
    "a cycle": configured(
        '[sites.a]\noffset = "v"\n[sites.v]\noffset = "a"',
        refused=["'v' and 'a' would each be offset by the other"],
    ),
}


def flow(code: str, **k: Any) -> Shape:
    """The child `a` in these statements, below `mu`; `n` is 3."""
    body = textwrap.indent(textwrap.dedent(code).strip("\n"), "    ")
    source = f'def model(n):\n    mu = numpyro.sample("mu", dist.Normal(0, 1))\n{body}\n'
    return Shape(source, **k)


S = 'numpyro.sample("a", dist.Normal(0, 1))'
B = 'numpyro.sample("b", dist.Normal(0, 1))'


def called(helpers: str, code: str, **k: Any) -> Shape:
    """The child `a` in what these statements call, below `mu`; `n` is 3."""
    body = textwrap.indent(textwrap.dedent(code).strip("\n"), "    ")
    source = f'def model(n):\n    mu = numpyro.sample("mu", dist.Normal(0, 1))\n{body}\n'
    k.setdefault("offsets", {"a": "xi_a_mu * mu"})
    return Shape(f"{textwrap.dedent(helpers).strip()}\n\n\n{source}", **k)


PRIOR = """
def prior(name, n, scale=1.0):
    with numpyro.plate(f"{name}_plate", n):
        return numpyro.sample(name, dist.Normal(0, scale))
"""

HYPER = """
def hyper(k):
    with numpyro.plate("k", k):
        v = numpyro.sample("v", dist.Normal(0, 1))
    w = numpyro.sample("w", dist.HalfNormal(1))
    return v, w
"""

BY_V_AND_W = '[sites.a]\noffset = ["v", "w"]'

HELPERS = {
    "a child by its name": called(PRIOR, 'a = prior("a", n)\nb = prior("b", n)'),
    "a child by keywords": called(PRIOR, 'a = 2 * prior(scale=2.0, n=n, name="a") + mu'),
    "a child of a computed size": called(PRIOR, 'a = prior("a", 2 * n)'),
    "a child of a size that is bound in the helper": called(
        """
        def prior(name, n):
            m = 2 * n
            with numpyro.plate("i", m):
                return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'a = prior("a", n)',
        offsets={},
        refused=[
            "the shape or support of 'a' can't be read from the source, and its prior is made by "
            "'prior'"
        ],
    ),
    "a child of a size that has a call": called(PRIOR, 'a = prior("a", int(n))'),
    "a child in a plate": called(
        PRIOR, 'with numpyro.plate("j", 2, dim=-2):\n    a = prior("a", n)'
    ),
    "a child as a statement": called(PRIOR, 'prior("a", n)'),
    "a child that is returned": called(PRIOR, 'return prior("a", n)'),
    "a child in a loop, by a name that is put together": called(
        PRIOR,
        'for k in range(2):\n    prior(f"a_{k}", n)',
        config='[sites."a_*"]\noffset = "mu"',
        children=["a_0", "a_1"],
        offsets={"a_0": "xi_a_0_mu * mu", "a_1": "xi_a_1_mu * mu"},
    ),
    "a child whose name the helper puts together": called(
        """
        def prior(group, n):
            return numpyro.sample(group + "_effect", dist.Normal(0, jnp.ones((n,))))
        """,
        'x = prior("a", n)',
        config='[sites.a_effect]\noffset = "mu"',
        offsets={"a_effect": "xi_a_effect_mu * mu"},
    ),
    "a child whose name the helper puts in an f-string": called(
        """
        def prior(group, n):
            return numpyro.sample(f"{group}_effect", dist.Normal(0, 1).expand([n]))
        """,
        'x = prior("a", n)',
        config='[sites.a_effect]\noffset = "mu"',
        offsets={"a_effect": "xi_a_effect_mu * mu"},
    ),
    "a child with a prior that is an argument": called(
        "def draw(name, prior):\n    return numpyro.sample(name, prior)\n",
        'a = draw("a", dist.HalfNormal(jnp.ones((n,))))',
    ),
    "a child with a prior that is an argument of any shape": called(
        "def draw(name, prior):\n    return numpyro.sample(name, prior)\n",
        'p = [dist.HalfNormal(jnp.ones(n))]\na = draw("a", p[0])',
        offsets={},
        refused=[
            "the shape or support of 'a' can't be read from the source, and its prior is made by "
            "'draw'"
        ],
    ),
    "a child of a helper of a helper": called(
        PRIOR + "\n\ndef both(n):\n    prior('b', n)\n    return prior('a', n)\n", "x = both(n)"
    ),
    "a child that the helper may not sample": called(
        """
        def maybe(name, n):
            if n > 2:
                return numpyro.sample(name, dist.Normal(0, 1))
            return 0.0
        """,
        'a = maybe("a", n)',
    ),
    "a child in one of two branches, by calls": called(
        PRIOR, 'if n > 5:\n    a = prior("a", n)\nelse:\n    a = prior("a", n, 2.0)'
    ),
    "a child in both branches of the helper": called(
        """
        def noise(n):
            if n > 2:
                return numpyro.sample("a", dist.Normal(0, 1))
            else:
                return numpyro.sample("a", dist.Normal(0, 2))
        """,
        "a = noise(n)",
        offsets={},
        refused=["'a' is sampled in more than one place (lines 16 and 16)"],
        config='functions = ["model"]\n[sites.a]\noffset = "mu"',
    ),
    "a child in a loop of the helper": called(
        """
        def noise(n):
            for _ in range(1):
                a = numpyro.sample("a", dist.Normal(0, 1))
            return a
        """,
        "a = noise(n)",
        offsets={},
        refused=["'a' is sampled in a loop (line 8)"],
        config='functions = ["model"]\n[sites.a]\noffset = "mu"',
    ),
    "a child with a sample_shape": called(
        """
        def noise(name, n):
            return numpyro.sample(name, dist.Normal(0, 1), sample_shape=(n,))
        """,
        'a = noise("a", n)',
        offsets={},
        refused=[
            "'a' is sampled by 'noise' with a sample_shape, which ExplicitReparam drops",
        ],
    ),
    "a child in a scope of the helper": called(
        """
        def noise(name):
            with numpyro.handlers.scope(prefix="s"):
                return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'a = noise("a")',
        offsets={},
        refused=["'a' is sampled by 'noise' inside of a handler of its own"],
    ),
    "a child in a subsampled plate of the helper": called(
        """
        def noise(name, n):
            with numpyro.plate("n", n, subsample_size=2):
                return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'a = noise("a", n)',
        offsets={},
        refused=["'a' is sampled by 'noise' in a subsampled plate"],
    ),
    "a child in a scope around the call": called(
        PRIOR,
        'with numpyro.handlers.scope(prefix="s"):\n    a = prior("a", n)',
        children=["s/a"],
        offsets={},
        coefficients=["s/xi_a_mu"],
    ),
    "a helper with a name of the model's": called(
        """
        def prior(name, mu):
            a = 2.0
            n = mu + a
            return numpyro.sample(name, dist.Normal(n, 1))
        """,
        'a = prior("a", 1.0)',
    ),
    "a helper whose global the model hides": called(
        "size = 2\n\n\ndef prior(name):\n"
        "    return numpyro.sample(name, dist.Normal(jnp.zeros(size), 1))\n",
        'size = 5\na = prior("a")',
        offsets={},
        refused=["'model' samples no site 'a'"],
    ),
    "a helper with arguments that aren't written out": called(
        PRIOR,
        'a = prior(*["a", n])',
        offsets={},
        refused=["'model' samples no site 'a'"],
    ),
    "a helper that is decorated": called(
        "import functools\n\n\ndef twice(f):\n    return lambda *a: 2 * f(*a)\n\n\n@twice\n"
        + PRIOR.strip(),
        'a = prior("a", n)',
        offsets={},
        refused=["'model' samples no site 'a'"],
    ),
    "a helper that calls itself": called(
        """
        def prior(name, n):
            if n > 5:
                return prior(name, n - 1)
            return numpyro.sample(name, dist.Normal(0, 1))
        """,
        'a = prior("a", n)',
    ),
    "a helper that is sampled itself": called(
        PRIOR, 'a = prior("a", n)\nb = numpyro.sample("b", dist.Normal(prior("c", n), 1))'
    ),
    "parents in a tuple": called(
        HYPER,
        f"x, y = hyper(2)\na = {S}",
        config=BY_V_AND_W,
        offsets={"a": "xi_a_v * v.mean() + xi_a_w * w"},
    ),
    "parents in a tuple, lined up": called(
        HYPER,
        f'x, y = hyper(n)\nwith numpyro.plate("n", 2):\n    with numpyro.plate("k", n):\n'
        f"        a = {S}",
        config=BY_V_AND_W,
        offsets={"a": "xi_a_v * v[:, None] + xi_a_w * w"},
    ),
    "a parent that is returned": called(
        "def hyper():\n    return numpyro.sample('v', dist.Normal(0, 1))\n",
        f"x = hyper()\na = {S}",
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * v"},
    ),
    "a parent that is changed before it is returned": called(
        "def hyper():\n    return 2 * numpyro.sample('v', dist.Normal(0, 1))\n",
        f"x = hyper()\na = {S}",
        config='[sites.a]\noffset = "v"',
        offsets={},
        refused=["'v' is sampled by 'hyper', and no name is bound to its value here (line 13)"],
    ),
    "a parent whose name is bound anew": called(
        HYPER,
        f"x, y = hyper(2)\ny = 5.0\na = {S}",
        config=BY_V_AND_W,
        offsets={"a": "xi_a_v * v.mean() + xi_a_w * w"},
    ),
    "parents in a dictionary": called(
        HYPER.replace("return v, w", 'return {"v": v, "w": w}'),
        f'x = hyper(2)\na = {S}\nx["w"] = 3.0',
        config=BY_V_AND_W,
        offsets={"a": "xi_a_v * v.mean() + xi_a_w * w"},
    ),
    "parents and child in one helper": called(
        PRIOR + "\n\ndef both(n):\n    v = prior('v', n)\n    return prior('a', n)\n",
        "x = both(n)",
        config='functions = ["model"]\n[sites.a]\noffset = "v"',
        offsets={},
        refused=["'v' and 'a' are both sampled by what is called in line 19"],
    ),
    "a helper that returns early": called(
        HYPER.replace("    with", "    if k > 5:\n        return 0.0, 0.0\n    with"),
        f"x, y = hyper(2)\na = {S}",
        config=BY_V_AND_W,
        offsets={},
        refused=[
            "'v' is sampled by 'hyper', and no name is bound to its value here (line 18)",
            "'w' is sampled by 'hyper', and no name is bound to its value here (line 18)",
        ],
    ),
    "parents that a method of a base class holds": Shape(
        """
        class Base:
            def __init__(self, n):
                self.n = n

            def hyper(self):
                self.mu = numpyro.sample("mu", dist.Normal(0, 1))

            def noise(self, name):
                with numpyro.plate("n", self.n):
                    return numpyro.sample(name, dist.Normal(0, 1))

        class Model(Base):
            def model(self):
                self.hyper()
                a = self.noise("a")
                b = self.noise("b")
                return a + b

        def model(n):
            return Model(n).model()
        """,
        config='functions = ["Model.model"]\n[sites.a]\noffset = "mu"\n[sites.b]\noffset = "mu"',
        offsets={"a": "xi_a_mu * mu", "b": "xi_b_mu * mu"},
    ),
    "a method that two classes have": Shape(
        """
        class One:
            def noise(self, name):
                return numpyro.sample(name, dist.Normal(0, 1))

            def model(self):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = self.noise("a")

        class Two(One):
            def noise(self, name):
                return numpyro.sample(name, dist.Normal(jnp.zeros(3), 1))

        def model(n):
            return Two().model()
        """,
        config='functions = ["One.model"]\n[sites.a]\noffset = "mu"',
        refused=["'One.model' samples no site 'a'"],
    ),
}

FLOWS = {
    "in an if": flow(
        f"if n:\n    a = {S}\nelse:\n    a = 0",
    ),
    "in an else": flow(
        f"if not n:\n    a = 0\nelse:\n    a = {S}",
    ),
    "in both branches": flow(
        f"if n:\n    a = {S}\nelse:\n    a = {S}",
        offsets={"a": "xi_a_mu * mu"},
    ),
    "in elif": flow(
        f"if not n:\n    a = 0\nelif n:\n    a = {S}",
    ),
    "in an elif's test": flow(
        f"if not n:\n    a = 0\nelif {S} is not None:\n    a = 1",
        refused=["'a' is sampled in the header of a statement"],
    ),
    "in an if's test": flow(
        f"if {S} is not None:\n    a = 1",
        refused=["'a' is sampled in the header of a statement"],
    ),
    "in a match": flow(
        f"match n:\n    case 3:\n        a = {S}\n    case _:\n        a = 1",
    ),
    "in a try": flow(
        f"try:\n    a = {S}\nfinally:\n    b = 1",
    ),
    "in a finally": flow(
        f"try:\n    b = 1\nfinally:\n    a = {S}",
    ),
    "in an except": flow(
        f"try:\n    1 / 0\nexcept ZeroDivisionError:\n    a = {S}",
    ),
    "in a while": flow(
        f"while True:\n    a = {S}\n    break",
        refused=["'a' is sampled in a loop (line 9)"],
    ),
    "in a while's test": flow(
        f"while {S} is None:\n    pass",
        refused=["'a' is sampled in the header of a statement"],
    ),
    "in a for": flow(
        f"for k in range(1):\n    a = {S}",
        refused=["'a' is sampled in a loop (line 9)"],
    ),
    "in a for's iterable": flow(
        f"for k in [{S}]:\n    pass",
        refused=["'a' is sampled in the header of a statement"],
    ),
    "in a for's else": flow(
        f"for k in []:\n    pass\nelse:\n    a = {S}",
        offsets={"a": "xi_a_mu * mu"},
    ),
    "in a with suppress": flow(
        f"import contextlib\nwith contextlib.suppress(ValueError):\n    a = {S}",
        refused=[
            "the shape of 'a' can't be told: the with in line 10 holds something that "
            "isn't a plate with a known dim"
        ],
    ),
    "in a with suppress, with the parent": flow(
        "import contextlib\n"
        "with contextlib.suppress(ValueError):\n"
        '    nu = numpyro.sample("nu", dist.Normal(0, 1))\n'
        f"    a = {S}",
        config='[sites.a]\noffset = "nu"',
        refused=[
            "the shape of 'a' can't be told: the with in line 10 holds something that "
            "isn't a plate with a known dim"
        ],
    ),
    "parent in a with suppress": flow(
        "import contextlib\n"
        "with contextlib.suppress(ValueError):\n"
        '    nu = numpyro.sample("nu", dist.Normal(0, 1))\n'
        f"a = {S}",
        config='[sites.a]\noffset = "nu"',
        refused=[
            "'nu' is sampled in another branch than 'a' (with in line 10): it may have no value "
            "there"
        ],
    ),
    "after an early return": flow(
        f"if not n:\n    return None\na = {S}\nreturn a",
    ),
    "a one-line if": flow(
        f"if n: a = {S}",
        refused=["'a' shares its line with another statement"],
    ),
    "a one-line if with two": flow(
        f"if n: b = {B}; a = {S}; c = a + b",
        refused=["'a' shares its line with another statement"],
    ),
    "a one-line with": flow(
        f'with numpyro.plate("n", n): a = {S}',
        refused=["'a' shares its line with another statement"],
    ),
    "a one-line with that also uses it": flow(
        f'with numpyro.plate("n", n): a = {S}; b = {B}; numpyro.deterministic("d", a + b)',
        refused=["'a' shares its line with another statement"],
    ),
    "a one-line for": flow(
        f"for k in range(1): a = {S}; k",
        refused=["'a' is sampled in a loop (line 9)", "'a' shares its line with another statement"],
    ),
    "semicolons": flow(
        f"x = 1; a = {S}; y = a + x;  # comment",
        refused=["'a' shares its line with another statement"],
    ),
    "semicolons with the parent": flow(
        f'nu = numpyro.sample("nu", dist.Normal(0, 1)); a = {S}',
        config='[sites.a]\noffset = "nu"',
        refused=["'a' shares its line with another statement"],
    ),
    "semicolons with the parent reassigned": flow(
        f'nu = numpyro.sample("nu", dist.Normal(0, 1)); m = nu; nu = 0; a = {S}',
        config='[sites.a]\noffset = "nu"',
        refused=["'a' shares its line with another statement"],
    ),
    "line continuations": flow(
        f"a = \\\n    {S} \\\n    + 0",
    ),
    "in a lambda": flow(
        f"f = lambda: {S}\na = f()",
        refused=["'a' is sampled in a lambda or a comprehension"],
    ),
    "in a comprehension": flow(
        f"a = [{S} for k in range(1)]",
        refused=["'a' is sampled in a lambda or a comprehension"],
    ),
    "in a conditional expression": flow(
        f"a = {S} if n else 0",
        offsets={"a": "xi_a_mu * mu"},
    ),
    "in the other part of a conditional expression": flow(
        f"a = 0 if not n else {S}",
        offsets={"a": "xi_a_mu * mu"},
    ),
    "in the part of a conditional expression that is not taken": flow(
        f'a = numpyro.sample("a", dist.Normal(n["a"], 1)) if "a" in n else 0.0\nb = {B}',
        args=({},),
        config='[sites.a]\noffset = "mu"\n[sites.b]\noffset = "mu"',
        children=["b"],
        offsets={"b": "xi_b_mu * mu"},
    ),
    "in both parts of a conditional expression": flow(
        f'a = {S} if n > 5 else numpyro.sample("a", dist.Normal(1, 2))',
        offsets={"a": "xi_a_mu * mu"},
    ),
    "in conditional expressions inside of each other": flow(
        f'a = {S} if n > 5 else numpyro.sample("a", dist.Normal(1, 2)) if n > 2 else 0.0',
        offsets={"a": "xi_a_mu * mu"},
    ),
    "in a conditional expression that is returned": flow(
        f"return {S} if n else 0.0",
        offsets={"a": "xi_a_mu * mu"},
    ),
    "in a conditional expression over lines, with a comment behind": flow(
        f"d = {{}}\nd['a'] = (\n    2 * {S}\n    if n\n    else 0.0\n)  # one",
        offsets={"a": "xi_a_mu * mu"},
    ),
    "in a conditional expression with a comment inside": flow(
        f"a = (\n    {S}  # one\n    if n\n    else 0.0\n)",
        refused=["'a' is sampled in a conditional expression"],
    ),
    "in a conditional expression, with a test that samples": flow(
        f"a = {S} if {B} is not None else 0.0",
        refused=["'a' is sampled in a conditional expression"],
    ),
    "in a conditional expression in a plate": flow(
        f'with numpyro.plate("n", n):\n    a = {S} if n > 2 else mu',
        offsets={"a": "xi_a_mu * mu"},
    ),
    "in a conditional expression, with a prior that only the branch can make": flow(
        'p = {"a": dist.Normal(jnp.zeros(n), 1)}\nwith numpyro.plate("n", n):\n'
        '    a = numpyro.sample("a", p["a"]) if "a" in p else mu',
        offsets={"a": "xi_a_mu * mu"},
    ),
    "a child and a parent in one conditional expression": flow(
        f"c = {S} if n else {B}",
        config='chain = ["mu", "a", "b"]',
        children=["a"],
        offsets={"a": "xi_a_mu * mu"},
    ),
    "in both branches, of a plate": flow(
        f'with numpyro.plate("n", n):\n    if n > 5:\n        a = {S}\n    else:\n'
        '        a = numpyro.sample("a", dist.HalfNormal(1))',
        offsets={"a": "xi_a_mu * mu"},
    ),
    "in both branches, with the parent": flow(
        f"if n > 5:\n    c = {B}\n    a = {S}\nelse:\n    c = 2 * {B}\n    a = {S}",
        config='[sites.a]\noffset = "b"',
        offsets={"a": "xi_a_b * b"},
    ),
    "the parent in both branches, changed": flow(
        f"if n > 5:\n    b = {B}\nelse:\n    b = {B}\nb = 2 * b\na = {S}",
        config='[sites.a]\noffset = "b"',
        refused=["'b' is sampled in more than one place (lines 10 and 12)"],
    ),
    "the parent in both branches, by two names": flow(
        f"if n > 5:\n    b = {B}\nelse:\n    c = {B}\na = {S}",
        config='[sites.a]\noffset = "b"',
        refused=["'b' is sampled in more than one place (lines 10 and 12)"],
    ),
    "observed in one of two branches": flow(
        f'if n > 5:\n    a = numpyro.sample("a", dist.Normal(0, 1), obs=1.0)\nelse:\n    a = {S}',
        offsets={"a": "xi_a_mu * mu"},
    ),
    "in three cases": flow(
        f"match n:\n    case 1:\n        a = {S}\n    case 2:\n        a = {S}\n    case _:\n"
        '        a = numpyro.sample("a", dist.Normal(1, 2))',
        offsets={"a": "xi_a_mu * mu"},
    ),
    "in both branches of a loop": flow(
        f"for k in range(1):\n    if n > 5:\n        a = {S}\n    else:\n        a = {S}",
        refused=["'a' is sampled in a loop (line 9)"] * 2,
    ),
    "in a branch and in a try": flow(
        f"try:\n    a = {S}\nexcept ValueError:\n    a = {S}",
        refused=["'a' is sampled in more than one place (lines 10 and 12)"],
    ),
    "in a boolean operator": flow(
        f"a = n and {S}",
        refused=["'a' is sampled in a conditional expression"],
    ),
    "in arithmetic": flow(
        f"b = 2 * {S} + mu",
        offsets={"a": "xi_a_mu * mu"},
    ),
    "in a call": flow(
        f"b = jnp.sin({S})",
    ),
    "two in one statement": flow(
        f"b = {S} * {B}",
        config='chain = ["mu", "a", "b"]',
        children=["a", "b"],
    ),
    "two in one statement, from mu": flow(
        f"c = {S} * {B}",
        config='[sites.a]\noffset = "mu"\n[sites.b]\noffset = "mu"',
    ),
    "in a tuple with another": flow(
        f"a, b = {S}, {B}",
        config='[sites.b]\noffset = "mu"\n[sites.a]\noffset = "mu"',
    ),
    "in a tuple after its parent": flow(
        f"b, a = {B}, {S}",
        config='[sites.a]\noffset = "b"',
        refused=["'b' is sampled in the same statement as 'a' (line 9)"],
    ),
    "a return": flow(
        f"return {S}",
    ),
    "a return in arithmetic": flow(
        f"return mu + {S}",
    ),
    "bare": flow(
        S,
    ),
    "a subscript target": flow(
        f'd = {{}}\nd["a"] = {S}\nnumpyro.deterministic("e", d["a"])',
    ),
    "parent and child in a dict": flow(
        f'd = {{}}\nd["nu"] = numpyro.sample("nu", dist.Normal(0, 1))\nd["a"] = {S}',
        config='[sites.a]\noffset = "nu"',
        offsets={"a": "xi_a_nu * nu"},
    ),
    "parent in a dict that is emptied": flow(
        f'd = {{}}\nd["nu"] = numpyro.sample("nu", dist.Normal(0, 1))\nd.clear()\nd["a"] = {S}',
        config='[sites.a]\noffset = "nu"',
        offsets={"a": "xi_a_nu * nu"},
    ),
    "parent in a dict whose key changes": flow(
        'd = {}\nk = "nu"\nd[k] = numpyro.sample("nu", dist.Normal(0, 1))\n'
        f'k = "x"\nd[k] = 3.0\na = {S}',
        config='[sites.a]\noffset = "nu"',
        offsets={"a": "xi_a_nu * nu"},
    ),
    "parent in a dict that is reassigned": flow(
        'd = {}\nd["nu"] = numpyro.sample("nu", dist.Normal(0, 1))\n'
        f"d = {{'nu': 5.0}}\na = {S}",
        config='[sites.a]\noffset = "nu"',
        offsets={"a": "xi_a_nu * nu"},
    ),
    "parent in a dict that is updated": flow(
        f'd = {{}}\nd["nu"] = numpyro.sample("nu", dist.Normal(0, 1))\nd[\'nu\'] += 1\na = {S}',
        config='[sites.a]\noffset = "nu"',
        offsets={"a": "xi_a_nu * nu"},
    ),
    "an attribute target": flow(
        f"class C: pass\nc = C()\nc.a = {S}",
    ),
    "a tuple target": flow(
        f"(a, b) = ({S}, 1)",
    ),
    "a tuple target from a vector": flow(
        'a, b = numpyro.sample("a", dist.Normal(jnp.zeros(2), 1))',
    ),
    "parent unpacked from a vector": flow(
        f'v, w = numpyro.sample("v", dist.Normal(jnp.zeros(2), 1))\na = {S}',
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * jnp.mean(v)"},
    ),
    "a starred target": flow(
        'a, *b = numpyro.sample("a", dist.Normal(jnp.zeros(3), 1))',
    ),
    "a chained assignment": flow(
        f"a = b = c = {S}",
    ),
    "annotated": flow(
        f'a: "a type" = {S}',
    ),
    "augmented": flow(
        f"b = 1\nb += {S}",
    ),
    "a walrus": flow(
        f"if (a := {S}) is not None:\n    b = a",
        refused=["'a' is sampled in the header of a statement"],
    ),
    "an f-string": flow(
        f"b = f'{{{S!s}}}'",
    ),
    "a default argument": flow(
        f"def f(a={S}):\n    return a\nf()",
        refused=["'a' is sampled in the header of a statement"],
    ),
    "a decorator argument": flow(
        f"def deco(x):\n    return lambda f: f\n@deco({S})\ndef f(): pass",
        refused=["'a' is sampled in the header of a statement"],
    ),
    "an assert": flow(
        f"assert {S} is not None",
    ),
    "an index": flow(
        f"b = jnp.zeros(3)[{S}.astype(int)]",
        matter=True,
    ),
    "a method of the value": flow(
        f"b = {S}.reshape(1)",
    ),
    "a with's header": flow(
        f"import contextlib\nwith contextlib.nullcontext({S}) as a:\n    b = a",
        refused=["'a' is sampled in the header of a statement"],
    ),
    "a with's header beside a plate": flow(
        "import contextlib\n"
        f'with contextlib.nullcontext({S}) as a, numpyro.plate("n", n):\n    b = {B}',
        config='[sites.b]\noffset = "a"',
        refused=["the value of 'a' isn't bound to a name: nothing can be offset by it"],
    ),
    "after a docstring": Shape(
        """
        def inner(mu):
            '''Docstring.'''
            a = numpyro.sample("a", dist.Normal(0, 1))

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            inner(mu)
        """,
        config="[sites.a.offset]\nmu = { value = 'mu' }",
        offsets={"a": "xi_a_mu * mu"},
    ),
    "a function on one line": Shape(
        f'def model(n): mu = numpyro.sample("mu", dist.Normal(0, 1)); a = {S}; return a\n',
        refused=["'a' shares its line with another statement"],
    ),
    "deleted in its statement": flow(
        f"a = {S}; del mu, a",
        refused=["'a' shares its line with another statement"],
    ),
    "await and yield": Shape(
        f"""
        def inner(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            b = yield {S}

        def model(n):
            list(inner(n))
        """,
    ),
    "sampled twice under control flow with other shapes": flow(
        f'if n > 5:\n    a = {S}\nelse:\n    a = numpyro.sample("a", dist.HalfNormal(jnp.ones(n)))',
        offsets={"a": "xi_a_mu * mu"},
    ),
    "sampled by a with inside a with": flow(
        f'with numpyro.plate("i", 2):\n    x = 1\n    with numpyro.plate("j", n):\n        a = {S}',
    ),
    "a with whose only statement is a one-line with": flow(
        f'with numpyro.plate("i", 2):\n    with numpyro.plate("j", n): a = {S}',
        refused=["'a' shares its line with another statement"],
    ),
    "two children in one with": flow(
        f'with numpyro.plate("n", n):\n    a = {S}\n    b = {B}',
        config='chain = ["mu", "a", "b"]',
        children=["a", "b"],
        offsets={"b": "xi_b_mu * mu + xi_b_a * a"},
    ),
    "a comment before the with and after the child": flow(
        '# one\nwith numpyro.plate("n", n):\n    # two\n'
        f"    a = {S}  # three\n    # four\n# five\nb = 1",
    ),
    "an f-string with nested quotes": flow(
        """c = f"{'x'}", numpyro.sample("a", dist.Normal(len(f"{'x' + 'y'!r:>3}"), 1))"""
    ),
    "a triple-quoted string in the statement": flow(
        'with numpyro.plate("n", n):\n'
        '    a, b = numpyro.sample("a", dist.Normal(0, 1)), """\n'
        "  two\n"
        '\tthree\n"""\n'
        "    c = b",
    ),
    "a triple-quoted string in the statement, returned": flow(
        'a, b = numpyro.sample("a", dist.Normal(0, 1)), """\n'
        "  two\n"
        "    three\n"
        '        four"""\n'
        "return jnp.array([ord(c) for c in b])",
    ),
    "a continuation inside the statement": flow(
        'a = numpyro.sample(\n  "a",\ndist.Normal(\n0, 1))\nb = 1',
    ),
    "global name used inside": flow(
        f"global G\nG = {S}",
    ),
    "a type comment": flow(
        f"a = {S}  # type: ignore[x]",
    ),
    "fmt: off": flow(
        f"# fmt: off\na   =   {S}\n# fmt: on",
    ),
    "a bare with numpyro.handlers.block of another": flow(
        f'with numpyro.handlers.block(hide=["zz"]):\n    a = {S}',
    ),
    "del parent after the child": flow(
        f"a = {S}\ndel mu",
    ),
    "a loop that samples by index": flow(
        'for k in range(2):\n    a = numpyro.sample("a" + str(k), dist.Normal(0, 1))',
        config='[sites.a0]\noffset = "mu"',
        refused=["'model' samples no site 'a0'"],
    ),
    "recursion": flow(
        f"if n > 3:\n    return model(n - 1)\na = {S}",
    ),
}

BASE_TEXT = (
    '"""Head."""\n\nimport numpyro\nimport numpyro.distributions as dist\n\n\n'
    "def model(n):\n"
    '    mu = numpyro.sample("mu", dist.Normal(0, 1))\n'
    '    with numpyro.plate("n", n):\n'
    '        a = numpyro.sample("a", dist.Normal(0, 1))  # é\n'
    "    return a\n"
)
BYTES = {
    "CRLF": Shape(
        BASE_TEXT.replace("\n", "\r\n").encode(),
    ),
    "a byte order mark": Shape(
        b"\xef\xbb\xbf" + BASE_TEXT.encode(),
    ),
    "BOM and CRLF": Shape(
        b"\xef\xbb\xbf" + BASE_TEXT.replace("\n", "\r\n").encode(),
    ),
    "mixed line ends": Shape(
        BASE_TEXT.replace("\n    ", "\r\n    ").encode(),
    ),
    "CR only": Shape(
        BASE_TEXT.replace("\n", "\r").encode(),
        refused=["a carriage return ends this line alone, which can't be kept as it is"],
    ),
    "tabs": Shape(
        BASE_TEXT.replace("    ", "\t").encode(),
    ),
    "tabs and spaces": Shape(
        BASE_TEXT.replace("        ", "\t\t")
        .encode()
        .replace(b"    mu", b"\tmu")
        .replace(b"    with", b"\twith")
        .replace(b"    return", b"\treturn"),
    ),
    "two spaces": Shape(
        BASE_TEXT.replace("    ", "  ").encode(),
    ),
    "an odd indent inside": Shape(
        BASE_TEXT.replace("        a", "         a").encode(),
    ),
    "no final newline": Shape(
        BASE_TEXT.rstrip("\n").encode(),
    ),
    "no final newline after the child": Shape(
        BASE_TEXT.replace("    return a\n", "").rstrip("\n").encode(),
    ),
    "no final newline after the child, no comment": Shape(
        BASE_TEXT.replace("  # é\n    return a\n", "").encode(),
    ),
    "form feeds": Shape(
        BASE_TEXT.replace("\n\n\ndef", "\n\x0c\n\ndef").encode(),
    ),
    "a form feed before code": Shape(
        BASE_TEXT.replace("def", "\x0cdef").encode(),
        refused=["LibCST would not give this file back unchanged from this line on"],
    ),
    "latin-1": Shape(
        b"# -*- coding: latin-1 -*-\n" + BASE_TEXT.encode("latin-1"),
    ),
    "latin-1 and CRLF": Shape(
        b"#!/usr/bin/python\r\n# vim: set fileencoding=latin-1 :\r\n"
        + BASE_TEXT.replace("\n", "\r\n").encode("latin-1"),
    ),
    "trailing spaces and blank lines": Shape(
        BASE_TEXT.replace("\n    with", "   \n\n \n    with").replace("):\n", "):   \n").encode(),
    ),
    "a backslash at the end of a comment": Shape(
        BASE_TEXT.replace("# é", "# \\").encode(),
    ),
    "only a docstring": Shape(
        b'"""x"""\nfrom numpyro import sample as s\nfrom numpyro.distributions import Normal as N\n'
        b'def model(n):\n    """y"""\n    mu = s("mu", N(0, 1))\n    a = s("a", N(0, 1))',
    ),
    "a comment as head": Shape(
        b"# comment\n" + BASE_TEXT.split("\n\n", 1)[1].encode(),
    ),
    "future import": Shape(
        BASE_TEXT.replace(
            "import numpyro\n", "from __future__ import annotations\nimport numpyro\n"
        ).encode(),
    ),
    "an indented continuation comment": Shape(
        BASE_TEXT.replace(
            "    return", "            # deep\n  # shallow\n# left\n    return"
        ).encode(),
    ),
}

TRICKS = {
    "self.n falls to 1": Shape(
        """
        class Model:
            def model(self):
                self.n = 3
                v = numpyro.sample("v", dist.Normal(jnp.zeros((self.n,)), 1))
                self.n = 1
                a = numpyro.sample("a", dist.Normal(jnp.zeros((self.n,)), 1))
        """,
        args=(),
        function="Model.model",
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * v.mean()"},
        loud=True,
    ),
    "self.n falls to 1 in a call": Shape(
        """
        class Model:
            n = 3
            def shrink(self):
                self.n = 1

            def model(self):
                self.n = 3
                with numpyro.plate("i", self.n):
                    v = numpyro.sample("v", dist.Normal(0, 1))
                self.shrink()
                with numpyro.plate("j", self.n):
                    a = numpyro.sample("a", dist.Normal(0, 1).expand([self.n]))
                b = numpyro.sample("b", dist.Normal(0, 1).expand([self.n]))
        """,
        args=(),
        function="Model.model",
        config='[sites.b]\noffset = "v"',
        offsets={"b": "xi_b_v * v.mean()"},
        loud=True,
    ),
    "a list grows shorter": Shape(
        """
        def model(xs):
            xs = list(xs)
            v = numpyro.sample("v", dist.Normal(0, 1).expand([len(xs)]))
            xs.pop()
            xs.pop()
            a = numpyro.sample("a", dist.Normal(0, 1).expand([len(xs)]))
        """,
        args=([1, 2, 3],),
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * v.mean()"},
        loud=True,
    ),
    "a dict's size changes": Shape(
        """
        def model(n):
            d = {"n": n}
            v = numpyro.sample("v", dist.Normal(0, 1).expand([d["n"]]))
            d["n"] = 1
            a = numpyro.sample("a", dist.Normal(0, 1).expand([d["n"]]))
        """,
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * v.mean()"},
        loud=True,
    ),
    "one plate name, then size 1": Shape(
        """
        def model(n, m):
            with numpyro.plate("i", n):
                v = numpyro.sample("v", dist.Normal(0, 1))
            with numpyro.plate("i", m):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(3, 1),
        config='[sites.a]\noffset = "v"',
        loud=True,
    ),
    "a plate of size 1 around a vector": Shape(
        """
        def model():
            with numpyro.plate("i", 1):
                v = numpyro.sample("v", dist.Normal(jnp.zeros(3), 1))
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(),
        config='[sites.a]\noffset = "v"',
        loud=True,
    ),
    "a plate of size n = 1 around a vector": Shape(
        """
        def model(n):
            with numpyro.plate("i", n):
                v = numpyro.sample("v", dist.Normal(jnp.zeros(3), 1))
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(1,),
        config='[sites.a]\noffset = "v"',
        loud=True,
    ),
    "a parent with sample_shape": Shape(
        """
        def model(n):
            v = numpyro.sample("v", dist.Normal(0, 1), sample_shape=(3,))
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * v.mean()"},
        loud=True,
    ),
    "a child with sample_shape by position": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1), None, None, (n, 2))
        """,
        offsets={"a": "xi_a_mu * mu"},
    ),
    "a child with an empty infer after its sample_shape": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1), None, None, (n,), None)
        """,
        refused=["'a' has infer=, which ExplicitReparam doesn't hand on"],
    ),
    "at module level": Shape(
        """
        with numpyro.handlers.seed(rng_seed=0):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=["the model samples no site in any function"],
    ),
    "a name that is a constant of the file": Shape(
        """
        EFFECT = "a"

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                x = numpyro.sample(EFFECT, dist.Normal(0, 1))
        """,
        config='[sites.EFFECT]\noffset = "mu"',
        children=["a"],
        offsets={"a": "xi_a_mu * mu"},
    ),
    "a prior of a class of the file": Shape(
        """
        class Wide(dist.Distribution):
            support = dist.constraints.real

            def __init__(self, scale):
                self.scale = scale
                super().__init__(jnp.shape(scale))

            def sample(self, key, sample_shape=()):
                return self.scale * jax.random.normal(key, sample_shape + self.batch_shape)

            def log_prob(self, value):
                return dist.Normal(0, self.scale).log_prob(value)

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", Wide(2.0))
        """,
        offsets={"a": "xi_a_mu * mu"},
    ),
    "a parent with sample_shape by position": Shape(
        """
        def model(n):
            v = numpyro.sample("v", dist.Normal(0, 1), None, None, (3,))
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * v.mean()"},
        loud=True,
    ),
    "a parent observed with more dims": Shape(
        """
        def model(y):
            v = numpyro.sample("v", dist.Normal(0, 1), obs=y)
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(np.ones(3),),
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * jnp.mean(v)"},
    ),
    "a parent observed with more dims, in a sum": Shape(
        """
        def model(y):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            v = numpyro.sample("v", dist.Normal(mu, 1), obs=y)
            with numpyro.plate("n", 1):
                a = numpyro.sample("a", dist.HalfNormal(1))
        """,
        args=(np.ones(3),),
        config='[sites.a]\noffset = ["mu", "v"]\nlearn = false\ninit = 1',
        fails="can't be lined up",
    ),
    "a parent substituted by a vector": Shape(
        """
        def model(n):
            with numpyro.handlers.substitute(data={"v": jnp.ones(3)}):
                v = numpyro.sample("v", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        config='[sites.a]\noffset = "v"',
        loud=True,
    ),
    "a prior from self, set in the plate": Shape(
        """
        class Model:
            s = 5.0
            def model(self, n):
                self.s = 5.0
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                with numpyro.plate("n", n):
                    self.s = numpyro.sample("s", dist.HalfNormal(1))
                    a = numpyro.sample("a", dist.Normal(0, self.s))
        """,
        function="Model.model",
        offsets={"a": "xi_a_mu * mu"},
        loud=True,
    ),
    "a prior from a dict, set in the plate": Shape(
        """
        def model(n):
            d = {"s": 5.0}
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                d["s"] = numpyro.sample("s", dist.HalfNormal(1))
                a = numpyro.sample("a", dist.Normal(0, d["s"]))
        """,
        offsets={"a": "xi_a_mu * mu"},
        loud=True,
    ),
    "a prior from a list, appended in the plate": Shape(
        """
        def model(n):
            d = [5.0]
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                d.append(numpyro.sample("s", dist.HalfNormal(1)))
                a = numpyro.sample("a", dist.Normal(0, d[-1]))
        """,
        offsets={"a": "xi_a_mu * mu"},
        loud=True,
    ),
    "a prior from a dict, updated in the plate": Shape(
        """
        def model(n):
            d = {"s": 5.0}
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                d.update(s=numpyro.sample("s", dist.HalfNormal(1)))
                a = numpyro.sample("a", dist.Uniform(-d["s"], d["s"]))
        """,
        offsets={"a": "xi_a_mu * mu"},
        loud=True,
    ),
    "a value from a dict, set in the plate": Shape(
        """
        def model(n):
            d = {"s": 5.0}
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                d["s"] = numpyro.sample("s", dist.HalfNormal(1))
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        config="[sites.a.offset]\np = { value = \"d['s']\" }",
        offsets={"a": "xi_a_p * s"},
        loud=True,
    ),
    "a value on self, set in the plate": Shape(
        """
        class Model:
            m = 5.0
            def model(self, n):
                self.m = 5.0
                with numpyro.plate("n", n):
                    self.m = numpyro.sample("mu", dist.Normal(0, 1))
                    a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        function="Model.model",
        config='[sites.a.offset]\np = { value = "self.m" }',
        offsets={"a": "xi_a_p * mu"},
        loud=True,
    ),
    "a value through a closure": Shape(
        """
        def model(n):
            k = 1.0
            def f():
                return k
            with numpyro.plate("n", n):
                k = numpyro.sample("mu", dist.Normal(0, 1))
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        config='[sites.a.offset]\np = { value = "f()" }',
        offsets={"a": "xi_a_p * mu"},
        loud=True,
    ),
    "a prior through a closure": Shape(
        """
        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            k = 1.0
            f = lambda: k
            with numpyro.plate("n", n):
                k = numpyro.sample("k", dist.HalfNormal(1))
                a = numpyro.sample("a", dist.Normal(0, f()))
        """,
    ),
    "the index of the plate in a value": Shape(
        """
        def model(s):
            with numpyro.plate("n", 3) as idx:
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        args=(np.arange(4.0) + 1,),
        config='[sites.a.offset]\np = { value = "jnp.asarray(s)[idx]" }',
        offsets={"a": "xi_a_p * args[0][:3]"},
    ),
    "nonlocal in a function defined before the parent": Shape(
        """
        def model(n):
            mu = 0.0
            def f():
                nonlocal mu
                mu = 5.0
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            f()
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        offsets={"a": "xi_a_mu * mu"},
        loud=True,
    ),
    "nonlocal size in a function defined before": Shape(
        """
        def model(n):
            def f():
                nonlocal n
                n = 1
            n = 3
            v = numpyro.sample("v", dist.Normal(0, 1).expand([n]))
            f()
            a = numpyro.sample("a", dist.Normal(0, 1).expand([n]))
        """,
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * v.mean()"},
        loud=True,
    ),
    "a global size that a call changes": Shape(
        """
        N = 3

        def shrink():
            global N
            N = 4 - N

        def model():
            v = numpyro.sample("v", dist.Normal(0, 1).expand([N]))
            shrink()
            a = numpyro.sample("a", dist.Normal(0, 1).expand([N]))
            shrink()
        """,
        args=(),
        config='[sites.a]\noffset = "v"',
        offsets={"a": "xi_a_v * v.mean()"},
        loud=True,
    ),
    "one coefficient's name in two functions": Shape(
        """
        def one(mu):
            numpyro.sample("a", dist.Normal(0, 1))

        def two(mu):
            numpyro.sample("b", dist.Normal(0, 1))

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            one(mu)
            two(mu)
        """,
        config='functions = ["one", "two"]\n'
        '[sites.a.offset]\nmu = { value = "mu", name = "xi" }\n'
        '[sites.b.offset]\nmu = { value = "mu", name = "xi" }\n',
        refused=["the coefficient of 'mu' in 'b' would be named 'xi', as that of 'mu' in 'a' is"],
    ),
    "the coefficient's name in a helper": Shape(
        """
        def helper():
            return numpyro.param("xi_a_mu", 3.0)

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(helper(), 1))
            a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        refused=[
            "the coefficient of 'mu' in 'a' would be named 'xi_a_mu', which the model has already"
        ],
    ),
    "either of two definitions": Shape(
        """
        FLAG = True

        if FLAG:
            def model(n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = numpyro.sample("a", dist.Normal(0, 1))
        else:
            def model(n):
                mu = numpyro.sample("mu", dist.Normal(0, 1))
                a = numpyro.sample("a", dist.Normal(0, 2))
        """,
        refused=["'model' is defined in more than one place (lines 10 and 14)"],
    ),
    "condition under another name": Shape(
        """
        from numpyro.handlers import condition as given

        def inner(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))

        def model(n):
            given(inner, data={"a": 1.0})(n)
        """,
        refused=[
            "this condition handler addresses 'a' by name and would no longer find "
            "it, as 'a_base' is sampled instead"
        ],
    ),
    "condition with data in a variable": Shape(
        """
        from numpyro.handlers import condition

        def inner(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))

        def model(n):
            data = {}
            data["a"] = 1.0
            condition(inner, data=data)(n)
        """,
        refused=[
            "this condition handler addresses 'a' by name and would no longer find "
            "it, as 'a_base' is sampled instead"
        ],
    ),
    "condition in a with, above a call": Shape(
        """
        def inner(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(0, 1))

        def model(n):
            with numpyro.handlers.condition(data={"a": 1.0}):
                inner(n)
        """,
        refused=[
            "this condition handler addresses 'a' by name and would no longer find "
            "it, as 'a_base' is sampled instead"
        ],
    ),
    "low rank normal with keywords in another order": prior(
        "dist.LowRankMultivariateNormal("
        "jnp.zeros(3), cov_diag=jnp.ones(3), cov_factor=jnp.ones((3, 1)))",
    ),
    "multivariate normal with a loc of size 1 last": prior(
        "dist.MultivariateNormal(covariance_matrix=jnp.eye(3), loc=jnp.zeros(1))",
    ),
    "ordered vector": prior(
        "dist.TransformedDistribution(dist.Normal(jnp.zeros(3), 1), "
        "dist.transforms.OrderedTransform())",
    ),
    "log uniform": prior(
        "dist.LogUniform(1.0, jnp.array([2.0, 3.0]))",
    ),
    "power law": prior(
        "dist.DoublyTruncatedPowerLaw(-1.5, 1.0, jnp.array([2.0, 3.0]))",
    ),
    "a scale that's a method's result": prior(
        "dist.Normal(x.mean(), jnp.exp(x).sum() + 1)",
        np.ones(2),
        plate=N_PLATE,
    ),
    "a scale from jax.nn": prior(
        "dist.Normal(0, jax.nn.softplus(x))",
        np.ones(2),
        plate=N_PLATE,
    ),
    "a scale from the math module": prior(
        "dist.Normal(0, x ** 0.5 * float(x) * len(y))",
        2.0,
        (1,),
        plate=N_PLATE,
    ),
    "an argument repeated over an axis": prior(
        "dist.Normal(jnp.repeat(x, 2), 1)",
        np.zeros(2),
    ),
    "a parenthesised prior": prior(
        "((dist.Normal(x, 1)))",
        np.zeros(2),
    ),
    "a prior with a walrus": Shape(
        """
        def model(x):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", 2):
                a = numpyro.sample("a", (d := dist.Normal(x, 1)))
                b = numpyro.sample("b", d)
        """,
        args=(np.zeros(2),),
        refused=[
            "the shape or support of 'a' can't be read from the source, and its prior binds a name"
        ],
    ),
    "a prior over lines with comments": Shape(
        """
        def model(x):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", 2):
                a = numpyro.sample(
                    # the name
                    "a",  # é
                    # the prior
                    dist.Normal(
                        x,  # loc ü
                        # scale
                        1,
                    ),  # done
                    # end
                )  # all
        """,
        args=(np.zeros(2),),
    ),
    "a prior with a string of several lines": Shape(
        '''
        def model(x):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist.Normal(x, len("""é
          two
              three""")))
        ''',
        args=(np.zeros(2),),
    ),
    "a prior with a continuation": Shape(
        """
        def model(x):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a = numpyro.sample("a", dist \\
                .Normal(x, \\
        1))
        """,
        args=(np.zeros(2),),
    ),
    "wide characters before the child": Shape(
        """
        def model(é):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            ü = {"日本": numpyro.sample("a", dist.Normal(é, 1)), "💥": "x"}["日本"]; "💥"
        """.replace('; "💥"', ""),
        args=(np.zeros(2),),
    ),
    "line separators that Python doesn't know": Shape(
        """
        def model(x):
            s = "\x1c \x1d \x85 \u2028 \u2029 \x0b \x0c"  # \x1c \x85 \u2028 \x0c
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            b, a = "\u2028 \x85", numpyro.sample("a", dist.Normal(x, len("\u2028")))
            return jnp.array([ord(c) for c in s + b])
        """,
        args=(np.zeros(2),),
    ),
    "an identifier that is normalised": Shape(
        """
        def model(n):
            µ = numpyro.sample("mu", dist.Normal(0, 1))
            ﬁ = 2.0
            a = numpyro.sample("a", dist.Normal(ﬁ, 1))
        """,
        offsets={"a": "xi_a_mu * mu"},
    ),
    "a long statement with everything in it": Shape(
        "def model(n):\n"
        '    mu = numpyro.sample("mu", dist.Normal(0, 1))\n'
        "    if n:\n"
        "        if n:\n"
        '            a = {"k # no comment": (lambda q, *r, s=2: q)(numpyro.sample("a", '
        """dist.Normal(0, 1)))}['k # no comment'], [f"{n!r:>{n}}", 'x' "y", b"\\n", r"\\d", """
        "not n, {**{}}, *[1][0:1:1]]\n",
    ),
    "a long statement with strings side by side": Shape(
        "def model(n):\n"
        '    mu = numpyro.sample("mu", dist.Normal(0, 1))\n'
        '    with numpyro.plate("n", n):\n'
        "        x = 1\n"
        "        if n:\n"
        '            a = numpyro.sample("a", dist.Normal(len("some words that are rather long" '
        """' and "quoted"' f"{n}"), 1)) + (1 if "," in "(" else 0)\n""",
    ),
    "parent and child in a try": flow(
        'try:\n    nu = numpyro.sample("nu", dist.Normal(0, 1))\n'
        f"    a = {S}\nexcept ValueError:\n    raise",
        config='[sites.a]\noffset = "nu"',
    ),
    "parent in a try, child in its else": flow(
        'try:\n    nu = numpyro.sample("nu", dist.Normal(0, 1))\n'
        f"except ValueError:\n    raise\nelse:\n    a = {S}",
        config='[sites.a]\noffset = "nu"',
        refused=[
            "'nu' is sampled in another branch than 'a' (try in line 9): it may have no value there"
        ],
    ),
    "parent by an annotated assignment": flow(
        f'nu: "x" = numpyro.sample("nu", dist.Normal(0, 1))\na = {S}',
        config='[sites.a]\noffset = "nu"',
        offsets={"a": "xi_a_nu * nu"},
    ),
    "parent by a bare walrus": flow(
        f'(nu := numpyro.sample("nu", dist.Normal(0, 1)))\na = {S}',
        config='[sites.a]\noffset = "nu"',
        offsets={"a": "xi_a_nu * nu"},
    ),
    "parent by an augmented assignment": flow(
        f'nu = 3.0\nnu += numpyro.sample("nu", dist.Normal(0, 1))\na = {S}',
        config='[sites.a]\noffset = "nu"',
        offsets={"a": "xi_a_nu * nu"},
    ),
    "parent bound to an attribute and a name": flow(
        f'class C: pass\nc = C()\nc.nu = nu = numpyro.sample("nu", dist.Normal(0, 1))\na = {S}',
        config='[sites.a]\noffset = "nu"',
        offsets={"a": "xi_a_nu * nu"},
    ),
    "three children in one statement": flow(
        f"x = [{S}, {B}, numpyro.sample('c', dist.HalfNormal(1))]",
        config='[defaults]\n[sites.a]\noffset="mu"\n[sites.b]\noffset="mu"\n[sites.c]\noffset="mu"',
    ),
    "two children in one statement of a with": flow(
        f'with numpyro.plate("n", n):\n    x = {S} + {B}',
        config='[sites.a]\noffset="mu"\n[sites.b]\noffset="mu"',
    ),
    "two children, one in the other's prior": flow(
        'a = numpyro.sample("a", dist.Normal(numpyro.sample("b", dist.Normal(0, 1)), 1))',
        config='[sites.a]\noffset="mu"\n[sites.b]\noffset="mu"',
        refused=[
            "'a' shares its statement with another rewritten site, and its prior would have to move"
        ],
    ),
    "a child in the prior of its parent": flow(
        'b = numpyro.sample("b", dist.Normal(numpyro.sample("a", dist.Normal(0, 1)), 1))',
        config='[sites.b]\noffset="a"',
        refused=["'a' is sampled in the same statement as 'b' (line 9)"],
    ),
    "two children of a with of one statement, one on its own": flow(
        f'with numpyro.plate("n", n):\n    a = {S}\nwith numpyro.plate("n", n):\n    b = {B}',
        config='chain = ["mu", "a", "b"]',
        children=["a", "b"],
        offsets={"b": "xi_b_mu * mu + xi_b_a * a"},
    ),
    "jnp under an if": Shape(
        """
        import sys
        import numpyro
        import numpyro.distributions as dist
        if sys.version_info > (99,):
            import jax.numpy as jnp

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        whole=True,
    ),
    "AffineTransform in a try": Shape(
        """
        import numpyro
        import numpyro.distributions as dist
        try:
            import nowhere
            import jax.numpy as jnp
            from numpyro.infer.reparam import ExplicitReparam
        except ImportError:
            pass

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        whole=True,
    ),
    "numpyro imported in a try": Shape(
        """
        try:
            import numpyro
            import numpyro.distributions as dist
        except ImportError:
            raise

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        whole=True,
    ),
    "imports of the names deleted again": Shape(
        """
        import jax.numpy as jnp
        import numpyro
        import numpyro.distributions as dist
        del jnp

        def model(n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            with numpyro.plate("n", n):
                a = numpyro.sample("a", dist.Normal(0, 1))
        """,
        whole=True,
    ),
    "CRLF and a prior over lines": Shape(
        (
            "import numpyro\nimport numpyro.distributions as dist\n\ndef model(x):\n"
            '    mu = numpyro.sample("mu", dist.Normal(0, 1))\n'
            '    with numpyro.plate("n", 2):\n'
            '        b, a = """x\n  y""", numpyro.sample(\n'
            '            "a",\n            dist.Normal(\n'
            "                x,\n                1,  # é\n            ),\n        )\n"
            "    return len(b)\n"
        )
        .replace("\n", "\r\n")
        .encode(),
        args=(np.zeros(2),),
    ),
}

SHAPES = {
    f"{area}: {name}": shape
    for area, shapes in {
        "imports": IMPORTS,
        "names": NAMES,
        "reassigned": REASSIGNED,
        "plates": PLATES,
        "shapes": SHAPES_OF_PRIORS,
        "families": FAMILIES,
        "config": CONFIGS,
        "helpers": HELPERS,
        "flow": FLOWS,
        "bytes": BYTES,
        "tricks": TRICKS,
    }.items()
    for name, shape in shapes.items()
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_shape(shape: Shape) -> None:
    assert_shape(shape)
