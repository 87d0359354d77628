"""Children in the body of a scan: moved by their `loc`, or refused with the reason."""

from __future__ import annotations

import textwrap
from typing import Any

import black
import numpy as np
import pytest

from tests.support.rewrites import rewritten
from tests.support.shapes import HEAD, Shape, assert_shape

HEAD = HEAD.replace("import numpyro\n", "import numpyro\n", 1).rstrip("\n") + (
    "\nfrom numpyro.contrib.control_flow import scan\n\n\n"
)

Z_BY_MU = '[sites.z]\noffset = "mu"\n'
BY_STEP = "xi_z_mu * mu"


def scanned(
    sample: str = 'z = numpyro.sample("z", dist.Normal(z_prev, 1))',
    call: str = "scan(step, 0.0, None, length=n)",
    *,
    step: str = "step(z_prev, _)",
    before: str = "",
    after: str = "",
    result: str = "z, z",
    config: str = Z_BY_MU,
    bind: str = "_, z = ",
    args: tuple[Any, ...] = (3,),
    **k: Any,
) -> Shape:
    """A model of which `step` samples z; `before` and `after` stand around the scan."""
    lines = [
        "def model(n):" if len(args) == 1 else "def model(n, x):",
        '    mu = numpyro.sample("mu", dist.Normal(0, 1))',
        textwrap.indent(before, "    "),
        "",
        f"    def {step}:",
        textwrap.indent(sample, "        "),
        f"        return {result}",
        "",
        f"    {bind}{call}",
        textwrap.indent(after, "    "),
    ]
    source = HEAD + "\n".join(lines).rstrip("\n") + "\n"
    return Shape(source, whole=True, config=config, args=args, **k)


A_PLATE = 'with numpyro.plate("i", n):\n    a = numpyro.sample("a", dist.Normal(0, 1))'
V = 'v = numpyro.sample("v", dist.GaussianRandomWalk(1.0, num_steps=n))'

REWRITTEN = {
    "a local level": scanned(offsets={"z": BY_STEP}),
    "one coefficient": scanned(config=Z_BY_MU + 'coefficient = "shared"', offsets={"z": BY_STEP}),
    "a literal coefficient": scanned(
        config=Z_BY_MU + "init = 1.0\nlearn = false", offsets={"z": "mu"}, coefficients=[]
    ),
    "a parameter that isn't called _": scanned(step="step(z_prev, t)", offsets={"z": BY_STEP}),
    "a parameter that is read, though nothing comes in it": scanned(
        'assert t is None\nz = numpyro.sample("z", dist.Normal(z_prev, 1))',
        step="step(z_prev, t)",
        offsets={"z": BY_STEP},
    ),
    "slices": scanned(
        'z = numpyro.sample("z", dist.Normal(z_prev + t, 1))',
        "scan(step, 0.0, jnp.arange(n))",
        step="step(z_prev, t)",
        offsets={"z": BY_STEP},
    ),
    "slices of data, which have the length": scanned(
        'z = numpyro.sample("z", dist.Normal(z_prev + t, 1))',
        "scan(step, 0.0, x)",
        step="step(z_prev, t)",
        args=(3, np.arange(4.0)),
        offsets={"z": BY_STEP},
    ),
    "slices in a tuple": scanned(
        't, u = xs\nz = numpyro.sample("z", dist.Normal(z_prev + t * u, 1))',
        "scan(step, 0.0, (jnp.arange(n), x))",
        step="step(z_prev, xs)",
        args=(3, np.arange(3.0)),
        offsets={"z": BY_STEP},
    ),
    "arguments by name": scanned(
        call="scan(f=step, init=0.0, xs=None, length=n)", offsets={"z": BY_STEP}
    ),
    "a docstring": scanned(
        '"""One step."""\nz = numpyro.sample("z", dist.Normal(z_prev, 1))',
        config='[sites.z]\noffset = ["mu", "v"]',
        before=V,
        offsets={"z": "xi_z_mu * mu + xi_z_v * v"},
    ),
    "no loc": scanned(
        'z = numpyro.sample("z", dist.Normal())',
        offsets={"z": BY_STEP},
    ),
    "a loc by name": scanned(
        'z = numpyro.sample("z", dist.Normal(scale=1.0, loc=z_prev))',
        offsets={"z": BY_STEP},
    ),
    "a scale by name and no loc": scanned(
        'z = numpyro.sample("z", dist.Normal(scale=2.0))',
        offsets={"z": BY_STEP},
    ),
    "a loc of zero": scanned(
        'z = numpyro.sample("z", dist.Normal(0, 2.0))',
        offsets={"z": BY_STEP},
    ),
    "a loc that is a choice": scanned(
        'z = numpyro.sample("z", dist.Normal(z_prev if n else 0.0, 2.0))',
        offsets={"z": BY_STEP},
    ),
    "a loc over several lines": scanned(
        'z = numpyro.sample(\n    "z",\n    dist.Normal(\n        z_prev  # the last\n'
        "        * 0.5,\n        1,\n    ),\n)",
        offsets={"z": BY_STEP},
    ),
    "arguments of sample by name": scanned(
        'z = numpyro.sample(name="z", fn=dist.Normal(z_prev, 1))',
        offsets={"z": BY_STEP},
    ),
    "StudentT": scanned(
        'z = numpyro.sample("z", dist.StudentT(4.0, z_prev, 1.0))',
        offsets={"z": BY_STEP},
    ),
    "Laplace": scanned(
        'z = numpyro.sample("z", dist.Laplace(z_prev, 1.0))', offsets={"z": BY_STEP}
    ),
    "Cauchy": scanned('z = numpyro.sample("z", dist.Cauchy(z_prev))', offsets={"z": BY_STEP}),
    "a vector": scanned(call="scan(step, jnp.zeros(2), None, length=n)", offsets={"z": BY_STEP}),
    "a vector as an event": scanned(
        'z = numpyro.sample("z", dist.Normal(z_prev, 1).to_event(1))',
        "scan(step, jnp.zeros(2), None, length=n)",
        offsets={"z": BY_STEP},
    ),
    "a vector by expand": scanned(
        'z = numpyro.sample("z", dist.Normal(0, 1).expand([n]))',
        "scan(step, jnp.zeros((n,)), None, length=4)",
        offsets={"z": BY_STEP},
    ),
    "MultivariateNormal": scanned(
        'z = numpyro.sample("z", dist.MultivariateNormal(z_prev, jnp.eye(n)))',
        "scan(step, jnp.zeros((n,)), None, length=4)",
        offsets={"z": BY_STEP},
    ),
    "a plate in the body": scanned(
        'with numpyro.plate("i", n):\n    z = numpyro.sample("z", dist.Normal(z_prev, 1))',
        "scan(step, jnp.zeros((n,)), None, length=4)",
        config='[sites.z]\noffset = ["mu", "a"]',
        before=A_PLATE,
        offsets={"z": "xi_z_mu * mu + xi_z_a * a"},
    ),
    "a parent with axes, averaged in every step": scanned(
        before=A_PLATE,
        config='[sites.z]\noffset = "a"',
        call="scan(step, 0.0, None, length=4)",
        offsets={"z": "xi_z_a * jnp.mean(a)"},
    ),
    "a parent with the axis of the state": scanned(
        before=A_PLATE,
        config='[sites.z]\noffset = "a"',
        call="scan(step, jnp.zeros((n,)), None, length=4)",
        offsets={"z": "xi_z_a * a"},
    ),
    "a parent with the axis of the steps": scanned(
        before=V, config='[sites.z]\noffset = "v"', offsets={"z": "xi_z_v * v"}
    ),
    "a parent whose second axis is that of the steps": scanned(
        before=(
            'with numpyro.plate("i", 2):\n'
            '    v = numpyro.sample("v", dist.GaussianRandomWalk(1.0, num_steps=n))'
        ),
        config='[sites.z]\noffset = "v"',
        offsets={"z": "xi_z_v * jnp.mean(v, 0)"},
    ),
    "a parent of an earlier scan": scanned(
        before=(
            "def first(v_prev, _):\n"
            '    v = numpyro.sample("v", dist.Normal(v_prev, 1))\n'
            "    return v, v\n\n"
            "_, v = scan(first, 0.0, None, length=n)"
        ),
        config='chain = ["mu", "v", "z"]\n[sites.v]\n[sites.z]',
        offsets={"v": "xi_v_mu * mu", "z": "xi_z_mu * mu + xi_z_v * v"},
    ),
    "two children, the second by the first": scanned(
        'z = numpyro.sample("z", dist.Normal(state[0], 1))\n'
        'w = numpyro.sample("w", dist.Normal(state[1], 1))',
        "scan(step, (0.0, jnp.zeros(2)), None, length=n)",
        step="step(state, _)",
        result="(z, w), (z, w)",
        bind="_, (z, w) = ",
        config='chain = ["mu", "z"]\n[sites.z]',
        offsets={"z": BY_STEP},
        loud=True,
    ),
    "two children of a state that is unpacked": scanned(
        "z_prev, w_prev = state\n"
        'z = numpyro.sample("z", dist.Normal(z_prev, 1))\n'
        'w = numpyro.sample("w", dist.Normal(w_prev, 1))',
        "scan(step, (0.0, jnp.zeros(2)), None, length=n)",
        step="step(state, _)",
        result="(z, w), (z, w)",
        bind="_, (z, w) = ",
        config='chain = ["mu", "z", "w"]\n[sites.z]\n[sites.w]',
        offsets={
            "z": BY_STEP,
            "w": "xi_w_mu * mu + xi_w_z * z[:, None]",
        },
    ),
    "a child after the scan by what it sampled": scanned(
        after='b = numpyro.sample("b", dist.Normal(0, 1).expand([2]))',
        config='chain = ["mu", "z", "b"]\n[sites.z]\n[sites.b]',
        offsets={"z": BY_STEP, "b": "xi_b_mu * mu + xi_b_z * jnp.mean(z)"},
    ),
    "what is given back by index": scanned(
        bind="z = ",
        call="scan(step, 0.0, None, length=n)[1]",
        after='b = numpyro.sample("b", dist.Normal(0, 1))',
        config='[sites.b]\noffset = "z"',
        offsets={"b": "xi_b_z * jnp.mean(z)"},
    ),
    "the carry as a value": scanned(
        config='[sites.z.offset]\nbefore = { value = "z_prev" }',
        offsets={"z": "xi_z_before * jnp.concatenate([jnp.zeros(1), z[:-1]])"},
        matter=False,  # the first step's carry is zero
    ),
    "a value of the function outside": scanned(
        before="k = 2.0",
        config='[sites.z.offset]\nx = { value = "k * mu", center = "k" }',
        offsets={"z": "xi_z_x * (2.0 * mu - 2.0)"},
    ),
    "a coefficient for every step": scanned(
        call="scan(step, jnp.zeros(2), None, length=n)",
        config=Z_BY_MU + 'coefficient = ["n"]',
        offsets={"z": "xi_z_mu * mu"},
        full_size=(3, 1),
    ),
    "a coefficient for every element of the state": scanned(
        call="scan(step, jnp.zeros((n,)), None, length=4)",
        config=Z_BY_MU + 'coefficient = ["n"]',
        offsets={"z": "xi_z_mu * mu"},
        full_size=(3,),
    ),
    "a matrix of weights for every step": scanned(
        before=A_PLATE,
        call="scan(step, 0.0, None, length=4)",
        config='[sites.z]\noffset = "a"\ncoefficient = "matrix"',
        offsets={"z": "xi_z_a @ a"},
        full_size=(4, 3),
    ),
    "a matrix of weights for all steps": scanned(
        "v_prev, z_prev = state\n"
        'v = numpyro.sample("v", dist.Normal(v_prev, 1))\n'
        'z = numpyro.sample("z", dist.Normal(z_prev, 1))',
        "scan(step, (jnp.zeros(2), jnp.zeros((n,))), None, length=4)",
        step="step(state, _)",
        result="(v, z), (v, z)",
        bind="_, (v, z) = ",
        config='[sites.z]\noffset = "v"\ncoefficient = "matrix"',
        offsets={"z": "v @ xi_z_v.T"},
        full_size=(3, 2),
    ),
    "the sum over an axis": scanned(
        before=A_PLATE,
        call="scan(step, 0.0, None, length=4)",
        config='[sites.z]\noffset = "a"\nreduce = "sum"',
        offsets={"z": "xi_z_a * jnp.sum(a)"},
    ),
    "axes called by the config": scanned(
        call="scan(step, jnp.zeros(2), None, length=n)",
        before='with numpyro.plate("k", 2):\n    a = numpyro.sample("a", dist.Normal(0, 1))',
        config='axes = { z = ["n", "k"] }\n[sites.z]\noffset = "a"',
        offsets={"z": "xi_z_a * a"},
    ),
    "a parent that is bound anew": scanned(
        before="level = mu\nmu = 3.0 * mu",
        offsets={"z": BY_STEP},
    ),
    "a parent whose name is another's in the body": scanned(
        'mu = 2.0\nz = numpyro.sample("z", dist.Normal(z_prev * mu, 1))',
        offsets={"z": BY_STEP},
    ),
    "a parent that the body binds anew": scanned(
        'w = numpyro.sample("w", dist.Normal(0, 1))\nw = w + 1\n'
        'z = numpyro.sample("z", dist.Normal(z_prev + w, 1))',
        config='[sites.z]\noffset = "w"',
        offsets={"z": "xi_z_w * w"},
    ),
    "names that are taken": scanned(
        "xi_z_mu_t, z_loc, z_base = 1.0, 2.0, 3.0\n"
        'z = numpyro.sample("z", dist.Normal(z_prev * xi_z_mu_t + z_loc - z_base, 1))',
        before="xi_z_mu = 4.0",
        offsets={"z": BY_STEP},
    ),
    "a site called otherwise than its variable": scanned(
        'level = numpyro.sample("a b", dist.Normal(z_prev, 1))',
        result="level, level",
        config='[sites."a b"]\noffset = "mu"',
        coefficients=["xi_a b_mu"],
    ),
    "in a method": Shape(
        HEAD
        + """class Forecaster:
    def model(self, n):
        mu = numpyro.sample("mu", dist.Normal(0, 1))

        def step(z_prev, _):
            z = numpyro.sample("z", dist.Normal(z_prev, 1))
            return z, None

        scan(step, mu, None, length=n)
""",
        whole=True,
        function="Forecaster.model",
        config=Z_BY_MU,
        offsets={"z": BY_STEP},
    ),
    "a parent whose shape isn't told": scanned(
        before='v = numpyro.sample("v", dist.Normal(x, 1))',
        args=(3, np.arange(4.0)),
        config='[sites.z]\noffset = "v"',
        offsets={"z": "xi_z_v * jnp.mean(v)"},
    ),
    "an observed site beside": scanned(
        'z = numpyro.sample("z", dist.Normal(z_prev, 1))\n'
        'numpyro.sample("y", dist.Normal(z, 1), obs=y)',
        "scan(step, 0.0, x)",
        step="step(z_prev, y)",
        args=(3, np.arange(4.0)),
        offsets={"z": BY_STEP},
    ),
    "under a handler in the body": scanned(
        "with numpyro.handlers.mask(mask=True):\n"
        '    z = numpyro.sample("z", dist.Normal(z_prev, 1))',
        loud=True,
    ),
    "tabs": Shape(
        scanned(before=V, config='[sites.z]\noffset = ["mu", "v"]').source.replace("    ", "\t"),
        whole=True,
        config='[sites.z]\noffset = ["mu", "v"]',
        offsets={"z": "xi_z_mu * mu + xi_z_v * v"},
    ),
    "CRLF": Shape(
        scanned().source.replace("\n", "\r\n").encode(),
        config=Z_BY_MU,
        offsets={"z": BY_STEP},
    ),
    "a module for the scan": Shape(
        scanned()
        .source.replace(
            "from numpyro.contrib.control_flow import scan",
            "from numpyro.contrib import control_flow",
        )
        .replace("= scan(", "= control_flow.scan("),
        whole=True,
        config=Z_BY_MU,
        offsets={"z": BY_STEP},
    ),
    "sample by its name": Shape(
        scanned()
        .source.replace("import numpyro\n", "from numpyro import sample\n")
        .replace("numpyro.sample", "sample"),
        whole=True,
        config=Z_BY_MU,
        offsets={"z": BY_STEP},
    ),
}


UNFOLLOWED = "'z' is sampled in 'step', which is given to scan, cond or the like (line 16)"

REFUSED = {
    "backwards": scanned(
        call="scan(step, 0.0, None, length=n, reverse=True)", refused=[UNFOLLOWED]
    ),
    "with a history": scanned(call="scan(step, 0.0, None, n, False, 2)", refused=[UNFOLLOWED]),
    "a scan that may not run": scanned(
        call="scan(step, 0.0, None, length=n) if n else (None, None)", refused=[UNFOLLOWED]
    ),
    "a scan of jax": scanned(call="jax.lax.scan(step, 0.0, None, length=n)", refused=[UNFOLLOWED]),
    "two scans with one body": scanned(
        call="scan(step, scan(step, 0.0, None, length=n)[0], None, length=n)",
        refused=[UNFOLLOWED],
    ),
    "a body with a default": scanned(step="step(z_prev, _=None)", refused=[UNFOLLOWED]),
    "a body that is called as well": scanned(
        after="step(0.0, None)",
        refused=[UNFOLLOWED],
    ),
    "LogNormal": scanned(
        'z = numpyro.sample("z", dist.LogNormal(z_prev, 1))',
        refused=[
            "'z' is sampled by a scan (line 16): an offset is added to the loc of its prior there, "
            "and its prior has none that can be told to shift it and nothing else"
        ],
    ),
    "a prior held in a variable": scanned(
        'prior = dist.Normal(z_prev, 1)\nz = numpyro.sample("z", prior)',
        refused=[
            "'z' is sampled by a scan (line 17): an offset is added to the loc of its prior there, "
            "and its prior has none that can be told to shift it and nothing else"
        ],
    ),
    "expand in a plate": scanned(
        'with numpyro.plate("i", 2):\n    z = numpyro.sample("z", dist.Normal(0.0, 1).expand([2]))',
        refused=[
            "'z' is sampled by a scan (line 17): an offset is added to the loc of its prior there, "
            "and its prior has none that can be told to shift it and nothing else"
        ],
    ),
    "a child that is returned at once": scanned(
        'z = numpyro.sample("z", dist.Normal(z_prev, 1)) + 0',
        refused=["'z' is sampled by a scan (line 16): it isn't a statement of its own there"],
    ),
    "two targets": scanned(
        'z = w = numpyro.sample("z", dist.Normal(z_prev, 1))',
        refused=["'z' is sampled by a scan (line 16): it isn't a statement of its own there"],
    ),
    "a subsampled plate in the body": scanned(
        'with numpyro.plate("i", 4, subsample_size=2):\n'
        '    z = numpyro.sample("z", dist.Normal(z_prev, 1))',
        "scan(step, jnp.zeros(2), None, length=n)",
        refused=["'z' is sampled by a scan (line 17): a subsampled plate stands around it there"],
    ),
    "a scale": scanned(
        config=Z_BY_MU + "scale = 2.0",
        refused=["'z' is sampled by a scan (line 16): only offsets are written there"],
    ),
    "a scan under a plate": Shape(
        HEAD
        + """def model(n):
    mu = numpyro.sample("mu", dist.Normal(0, 1))

    def step(z_prev, _):
        z = numpyro.sample("z", dist.Normal(z_prev, 1))
        return z, z

    with numpyro.plate("i", n):
        scan(step, jnp.zeros(n), None, length=4)
""",
        whole=True,
        config=Z_BY_MU,
        refused=[
            "'z' is sampled by a scan (line 16): the scan stands in a with, whose plates or "
            "handlers reach into it"
        ],
    ),
    "a shape that isn't told": scanned(
        'z = numpyro.sample("z", dist.Normal(t, 1))',
        "scan(step, 0.0, x)",
        step="step(z_prev, t)",
        result="0.0, z",
        args=(3, np.arange(4.0)),
        refused=[
            "the shape of 'z', which a scan samples (line 16), can't be written before that, for "
            "its coefficients of 'mu'"
        ],
    ),
    "a parent that the scan doesn't give back": scanned(
        bind="",
        after='b = numpyro.sample("b", dist.Normal(0, 1))',
        config='[sites.b]\noffset = "z"',
        refused=["the value of 'z' isn't bound to a name: nothing can be offset by it"],
    ),
    "a parent that only some steps give back": scanned(
        'z = numpyro.sample("z", dist.Normal(z_prev, 1))\nif n > 1:\n    return z, z',
        result="z, 2 * z",
        after='b = numpyro.sample("b", dist.Normal(0, 1))',
        config='[sites.b]\noffset = "z"',
        refused=["the value of 'z' isn't bound to a name: nothing can be offset by it"],
    ),
    "a parent of a later step": scanned(
        'z = numpyro.sample("z", dist.Normal(z_prev, 1))\n'
        'w = numpyro.sample("w", dist.Normal(0, 1))',
        config='[sites.z]\noffset = "w"',
        refused=["'w' is sampled after 'z' (line 14, after line 13)"],
    ),
    "a parent after the scan": scanned(
        after='b = numpyro.sample("b", dist.Normal(0, 1))',
        config='[sites.z]\noffset = "b"',
        refused=["'b' is sampled after 'z' (line 17, after line 13)"],
    ),
    "a loop in the body": scanned(
        'for _ in range(2):\n    z = numpyro.sample("z", dist.Normal(z_prev, 1))',
        refused=["'z' is sampled in a loop (line 13)"],
    ),
    "a discrete site": scanned(
        'z = numpyro.sample("z", dist.Poisson(3.0))',
        refused=["'z' is discrete (Poisson): it can't be shifted"],
    ),
    "a base that is there": scanned(
        after='numpyro.sample("z_base", dist.Normal(0, 1))',
        refused=["'z' would be sampled as 'z_base', which the model has already"],
    ),
    "a coefficient called as a site of the body": scanned(
        'z = numpyro.sample("z", dist.Normal(z_prev, 1))\n'
        'w = numpyro.sample("xi_z_mu", dist.Normal(0, 1))',
        refused=[
            "the coefficient of 'mu' in 'z' would be named 'xi_z_mu', which the model has already"
        ],
    ),
}


@pytest.mark.parametrize("shape", REFUSED.values(), ids=REFUSED)
def test_refused(shape: Shape) -> None:
    assert_shape(shape)


@pytest.mark.parametrize("name", [n for n, s in REWRITTEN.items() if isinstance(s.source, str)])
def test_stable_under_black(name: str) -> None:
    """Where the model is as black has it, so is what is generated, at any line length."""
    shape = REWRITTEN[name]
    for width in (60, 72, 88, 100):
        mode = black.Mode(line_length=width)
        plain = black.format_str(shape.plain.decode(), mode=mode)
        generated = rewritten(plain, shape.config, width)
        assert black.format_str(generated, mode=mode) == generated


@pytest.mark.parametrize("shape", REWRITTEN.values(), ids=REWRITTEN)
def test_rewritten(shape: Shape) -> None:
    assert_shape(shape)
