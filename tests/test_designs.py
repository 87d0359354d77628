"""What effects add to observations, and what doesn't add up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reparam_rewrite.fitting.conditional import conditional_arrays
from reparam_rewrite.messages import Refusal
from reparam_rewrite.running.call import Call, called
from reparam_rewrite.running.designs import Probe
from reparam_rewrite.running.summing import summed
from tests.support.execution import double_precision

pytestmark = pytest.mark.concerns("fitting", "running")

HEAD = """\
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist


def normal(name, *args):
    return numpyro.sample(name, dist.Normal(*args))


def many(name, n, *args):
    return numpyro.sample(name, dist.Normal(*args).expand([n]).to_event(1))


def seen(loc, y, scale=1.0):
    numpyro.sample("y", dist.Normal(loc, scale), obs=y)


I, J, X = np.arange(20) % 4, np.arange(20) % 3, np.linspace(-1, 2, 20)
Y = np.random.default_rng(0).normal(size=20)
"""


def call_of(folder: Path, body: str) -> Call:
    """A call of a model with this body, which knows i and j (20,), x and y."""
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    path = folder / "model.py"
    path.write_text(f"{HEAD}\n\ndef model(i, j, x, y):\n{lines}\n")
    return called(str(path), [], "(I, J, X, Y)", None, "fit")


X = np.linspace(-1, 2, 20)
OF_I, OF_J = np.eye(4)[np.arange(20) % 4], np.eye(4)[np.arange(20) % 3]

ADDED = {
    "one for all": ("a = normal('a', 0, 1)\nseen(2 * a, y)", np.full((20, 1), 2.0)),
    "an element": ("a = many('a', 4, 0, 1)\nseen(a[i], y)", OF_I),
    "an element with a weight": (
        "a = many('a', 4, 0, 1)\nseen(a[i] * x, y)", OF_I * X[:, None],
    ),
    "a row with its columns": (
        "a = numpyro.sample('a', dist.Normal(jnp.zeros((4, 2)), 1).to_event(2))\n"
        "seen(a[i, 0] + a[i, 1] * x, y)",
        np.stack([OF_I, OF_I * X[:, None]], -1).reshape(20, 8),
    ),
    "all elements": (
        "a = many('a', 3, 0, 1)\nseen(jnp.stack([x, x**2, x**3], 1) @ a, y)",
        X[:, None] ** [1, 2, 3],
    ),
    "two elements": ("a = many('a', 4, 0, 1)\nseen(a[i] - a[j], y)", OF_I - OF_J),
    "steps": ("a = many('a', 20, 0, 1)\nseen(jnp.cumsum(a), y)", np.tril(np.ones((20, 20)))),
    "by another's prior": (
        "a = normal('a', 0, 1)\nb = many('b', 4, 3 * a, 1)\nseen(b[i] + a, y)",
        np.full((20, 1), 4.0),
    ),
    "in a logarithm": (
        "a = many('a', 4, 0, 1)\n"
        "numpyro.sample('y', dist.Poisson(2 * jnp.exp(a[i] * x)), obs=jnp.arange(20))",
        OF_I * X[:, None],
    ),
    "in chances": (
        "a = many('a', 4, 0, 1)\n"
        "numpyro.sample('y', dist.Bernoulli(probs=jax.nn.sigmoid(a[i])), obs=jnp.ones(20))",
        OF_I,
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", ADDED)
def test_what_is_added(shape: str, tmp_path: Path) -> None:
    body, expected = ADDED[shape]
    call = call_of(tmp_path, body)
    with double_precision():
        probe = Probe(call, [name for name in ("a", "b") if name in call.latents])
        sums = summed(probe)
        design = probe.design(probe.typical, "a")["y"].toarray()
    np.testing.assert_allclose(design, expected, atol=1e-9)
    assert not sums.linked


REFUSED = {
    "a product": (
        "a = many('a', 4, 0, 1)\nb = many('b', 3, 0, 1)\nseen(a[i] * b[j], y)",
        "ab",
        "what 'a' adds to the observations depends on 'b'",
    ),
    "a product with a scale": (
        "tau = numpyro.sample('tau', dist.HalfNormal(1))\n"
        "a = many('a', 4, 0, 1)\nseen(tau * a[i], y)",
        "a",
        "what 'a' adds to the observations depends on 'tau'",
    ),
    "a square": (
        "m = normal('m', 0, 1)\na = many('a', 4, 0, 1)\nseen(m + a[i]**2, y)",
        "ma",
        "what 'a' adds to the observations isn't linear in it",
    ),
    "two elements of one": (
        "a = many('a', 4, 0, 1)\nseen(a[i] * a[j], y)",
        "a",
        "what 'a' adds to the observations isn't linear in it",
    ),
    "an effect in the noise": (
        "a = many('a', 4, 0, 1)\nb = many('b', 4, 0, 1)\nseen(a[i], y, jnp.exp(b[i]))",
        "ab",
        "'b' moves more than the location of 'y'",
    ),
    "an effect in a scale": (
        "m = normal('m', 0, 1)\na = many('a', 4, 0, jnp.exp(m))\nseen(m + a[i], y)",
        "ma",
        "the prior of 'a' is wider or narrower by 'm'",
    ),
    "the wrong order": (
        "m = normal('m', 0, 1)\na = many('a', 4, m, 1)\nseen(a[i], y)",
        "am",
        "'a' has to be sampled after 'm', around which its prior is",
    ),
    "no summand": (
        "m = normal('m', 0, 1)\na = many('a', 4, m, 1)\nseen(a[i], y)",
        "m",
        "'m' adds to no observation that this call of the model has",
    ),
    "a family": (
        "a = many('a', 4, 0, 1)\n"
        "numpyro.sample('y', dist.Beta(jnp.exp(a[i]), 1.0), obs=jnp.full(20, 0.5))",
        "a",
        "'y' is a Beta, of which no predictor is known that effects add up to",
    ),
    "not real": (
        "a = numpyro.sample('a', dist.LogNormal(0, 1))\nseen(a, y)",
        "a",
        "the prior of 'a', a LogNormal, has no location from which it deviates",
    ),
    "picked by a discrete site": (
        "k = numpyro.sample('k', dist.Bernoulli(0.5))\n"
        "a = many('a', 4, 0, 1)\nseen(a[(i + k) % 4], y)",
        "a",
        "what 'a' adds to the observations depends on 'k'",
    ),
    "in a scan": (
        "from numpyro.contrib.control_flow import scan\n"
        "def step(z, t):\n"
        "    z = normal('z', z, 1)\n"
        "    return z, z\n"
        "seen(scan(step, 0.0, jnp.arange(20))[1], y)",
        "z",
        "'z' is sampled in a scan or the like, where it can't be moved from outside",
    ),
    "twice": ("a = normal('a', 0, 1)\nseen(a, y)", "aa", "'a' is in the order twice"),
    "impossible values": (
        "a = many('a', 4, 0, 1)\n"
        "numpyro.sample('y', dist.Poisson(jnp.exp(a[i])), obs=jnp.arange(20) - 1)",
        "a",
        "what 'y' tells of the effects isn't a number, or isn't finite",
    ),
    "no site": (
        "a = normal('a', 0, 1)\nseen(a, y)",
        "q",
        "'q' isn't a site that this call of the model samples with real values",
    ),
}


@pytest.mark.parametrize("shape", REFUSED)
def test_what_does_not_add_up(shape: str, tmp_path: Path) -> None:
    body, order, message = REFUSED[shape]
    with pytest.raises(Refusal) as caught:
        conditional_arrays(call_of(tmp_path, body), list(order))
    assert caught.value.diagnostics[0].message == message
