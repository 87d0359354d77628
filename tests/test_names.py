"""Names that are put together when the model runs, and globs: matched or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.shapes import HEAD, Shape, assert_shape


def named(body: str, config: str, *, args: tuple[Any, ...] = ("p",), **k: Any) -> Shape:
    """A model of `x`, below its first site."""
    lines = ["def model(x):", '    mu = numpyro.sample("mu", dist.Normal(0, 1))']
    lines += [f"    {line}" for line in body.split("\n")]
    k.setdefault("matter", True)
    return Shape(HEAD + "\n".join(lines) + "\n", whole=True, config=config, args=args, **k)


A = "numpyro.sample({}, dist.Normal(0, 1))"


def child(name: str, key: str, *actual: str, **k: Any) -> Shape:
    """A child whose name is written `name`, called `actual` when the model runs."""
    return named(
        f"a = {A.format(name)}",
        f"[sites.'{key}']\noffset = \"mu\"",
        children=list(actual),
        offsets={one: f"xi_{one}_mu * mu" for one in actual},
        **k,
    )


REWRITTEN = {
    "an f-string": child('f"a_{x}"', "a_{x}", "a_p"),
    "an f-string by a glob": child('f"a_{x}"', "a_*", "a_p"),
    "an f-string by its source": child('f"a_{x}"', 'f"a_{x}"', "a_p"),
    "an f-string in single quotes": child("f'a_{x}'", "a_{x}", "a_p"),
    "an f-string without anything in it": child('f"a"', "a", "a"),
    "a variable": child("x", "x", "p"),
    "a variable as a template": child("x", "{x}", "p"),
    "a sum": child('x + "_a"', "{x}_a", "p_a"),
    "format": child('"{}_{}".format(x, x)', "{x}_{x}", "p_p"),
    "a literal by a glob": child('"a_1"', "a_?", "a_1"),
    "several by one glob": named(
        f"a = {A.format(chr(34) + 'b_1' + chr(34))}\nb = {A.format(chr(34) + 'b_2' + chr(34))}",
        '[sites."b_*"]\noffset = "mu"',
        children=["b_1", "b_2"],
        offsets={"b_1": "xi_b_1_mu * mu", "b_2": "xi_b_2_mu * mu"},
    ),
    "a name bound inside of the plate": named(
        'with numpyro.plate("n", 3):\n    k = x\n    b = numpyro.sample(f"b_{k}", '
        "dist.Normal(0, 1))",
        '[sites."b_*"]\noffset = "mu"',
        children=["b_p"],
        offsets={"b_p": "xi_b_p_mu * mu"},
    ),
    "a loop inside of the plate": named(
        'with numpyro.plate("n", 3):\n    for k in range(2):\n'
        '        b = numpyro.sample(f"b_{k}", dist.Normal(0, 1))',
        '[sites."b_*"]\noffset = "mu"',
        children=["b_0", "b_1"],
        offsets={"b_0": "xi_b_0_mu * mu", "b_1": "xi_b_1_mu * mu"},
    ),
    "a table of its own before a glob": named(
        f"a = {A.format(chr(34) + 'b_1' + chr(34))}\nb = {A.format(chr(34) + 'b_2' + chr(34))}",
        '[sites."b_*"]\noffset = "mu"\n[sites.b_2]\noffset = "b_1"',
        children=["b_1", "b_2"],
        offsets={"b_1": "xi_b_1_mu * mu", "b_2": "xi_b_2_b_1 * b_1"},
    ),
    "a glob that means the parent too": named(
        f"a = {A.format(chr(34) + 'ma' + chr(34))}",
        '[sites."m*"]\noffset = "mu"',
        children=["ma"],
        offsets={"ma": "xi_ma_mu * mu"},
    ),
    "a parent whose name is put together": named(
        f"nu = {A.format('f' + chr(34) + 'nu_{x}' + chr(34))}\n"
        f"a = {A.format(chr(34) + 'a' + chr(34))}",
        '[sites.a]\noffset = "nu_{x}"',
        offsets={"a": "xi_a_nu_p * nu_p"},
    ),
    "in a loop": named(
        'for k in range(2):\n    with numpyro.plate(f"plate_{k}", 2 + k):\n'
        '        b = numpyro.sample(f"b_{k}", dist.HalfNormal(1))',
        '[sites."b_*"]\noffset = "mu"',
        children=["b_0", "b_1"],
        offsets={"b_0": "xi_b_0_mu * mu", "b_1": "xi_b_1_mu * mu"},
    ),
    "parent and child in a loop": named(
        'for k in range(2):\n    v = numpyro.sample(f"v_{k}", dist.Normal(0, 1))\n'
        '    b = numpyro.sample(f"b_{k}", dist.Normal(v, 1))',
        '[sites."b_*"]\noffset = ["mu", "v_{k}"]',
        children=["b_0", "b_1"],
        offsets={"b_0": "xi_b_0_mu * mu + xi_b_0_v_0 * v_0"},
    ),
    "a loop over names": named(
        'for name in ["b", "c"]:\n    numpyro.sample(name, dist.Normal(0, 1))',
        '[sites.name]\noffset = "mu"',
        children=["b", "c"],
        offsets={"b": "xi_b_mu * mu", "c": "xi_c_mu * mu"},
    ),
    "a parent that the loop binds anew": named(
        "nu = mu\nfor k in range(2):\n"
        '    b = numpyro.sample(f"b_{k}", dist.Normal(0, 1))\n    mu = mu + b',
        '[sites."b_*"]\noffset = "mu"',
        children=["b_0", "b_1"],
        offsets={"b_0": "xi_b_0_mu * mu", "b_1": "xi_b_1_mu * mu"},
    ),
    "learned scales": named(
        'for k in range(2):\n    b = numpyro.sample(f"b_{k}", dist.Normal(0, 1))',
        '[sites."b_*"]\noffset = "mu"\nscale = { init = 2.0 }',
        children=["b_0", "b_1"],
    ),
    "in a plate": named(
        'with numpyro.plate("n", 3):\n    b = numpyro.sample(f"b_{x}", dist.Normal(0, 1))',
        '[sites."b_*"]\noffset = "mu"',
        children=["b_p"],
        offsets={"b_p": "xi_b_p_mu * mu"},
    ),
    "another reparameterizer": named(
        'for k in range(2):\n    b = numpyro.sample(f"b_{k}", dist.Normal(mu, 2))',
        '[sites."b_*"]\nreparam = "TransformReparam"',
        children=[],
        loud=True,
    ),
    "a shape that is asked": named(
        'prior = dist.Normal(x, 1)\nb = numpyro.sample(f"b_{1}", prior)',
        '[sites."b_*"]\noffset = "mu"',
        args=(np.zeros(3),),
        children=["b_1"],
        offsets={"b_1": "xi_b_1_mu * mu"},
    ),
}

REFUSED = {
    "one template at two places": named(
        'a = numpyro.sample(f"b_{x}", dist.Normal(0, 1))\nx = "q"\n'
        'b = numpyro.sample(f"b_{x}", dist.Normal(0, 1))',
        '[sites."b_*"]\noffset = "mu"',
        refused=["'b_{x}' is sampled in more than one place (lines 9 and 11)"],
    ),
    "text in the name that an f-string would read otherwise": named(
        r'b = numpyro.sample(f"b\\{x}", dist.Normal(0, 1))',
        '[sites."b*"]\noffset = "mu"',
        refused=["'xi_b\\{x}_mu' can't be put together as the name of a param"],
    ),
    "a parent with braces in its name": named(
        'nu = numpyro.sample("nu{1}", dist.Normal(0, 1))\n'
        'b = numpyro.sample(f"b_{x}", dist.Normal(0, 1))',
        '[sites."b_*"]\noffset = "nu{1}"',
        refused=["'xi_b_{x}_nu{1}' can't be put together as the name of a param"],
    ),
    "a while": named(
        'k = 0\nwhile k < 2:\n    b = numpyro.sample(f"b_{k}", dist.Normal(0, 1))\n    k += 1',
        '[sites."b_*"]\noffset = "mu"',
        refused=["'b_{k}' is sampled in a loop (line 10)"],
    ),
    "a literal in a loop": named(
        'for k in range(1):\n    b = numpyro.sample("b", dist.Normal(0, 1))',
        '[sites."b*"]\noffset = "mu"',
        refused=["'b' is sampled in a loop (line 9)"],
    ),
    "a name with a format": named(
        'b = numpyro.sample(f"b_{x!r}", dist.Normal(0, 1))',
        '[sites."b_*"]\noffset = "mu"',
        refused=["'model' samples no site 'b_*'"],
    ),
    "a name that is computed by a call": named(
        "b = numpyro.sample(x.upper(), dist.Normal(0, 1))",
        "[sites.'x.upper()']\noffset = \"mu\"",
        refused=["'model' samples no site 'x.upper()'"],
    ),
    "a glob that means nothing": named(
        f"a = {A.format(chr(34) + 'a' + chr(34))}",
        '[sites."b_*"]\noffset = "mu"',
        refused=["'model' samples no site 'b_*'"],
    ),
    "conditioned by the name that it has then": named(
        'for k in range(2):\n    b = numpyro.sample(f"b_{k}", dist.Normal(0, 1))\n\n'
        'conditioned = numpyro.handlers.condition(model, {"b_0": 0.0})'.replace(
            "\n    conditioned", "\nconditioned"
        ),
        '[sites."b_*"]\noffset = "mu"',
        refused=[
            "this condition handler addresses 'b_{k}' by name and would no longer find it, as "
            "'b_{k}_base' is sampled instead"
        ],
    ),
    "a reparam handler that may be its own": named(
        'with numpyro.handlers.reparam(config={f"b_{x}": numpyro.infer.reparam.TransformReparam()'
        '}):\n    b = numpyro.sample("b_p", dist.Normal(0, 1))',
        '[sites.b_p]\noffset = "mu"',
        refused=["'b_p' already has a reparam handler (line 9)"],
    ),
}


@pytest.mark.parametrize("shape", REWRITTEN.values(), ids=REWRITTEN)
def test_rewritten(shape: Shape) -> None:
    assert_shape(shape)


@pytest.mark.parametrize("shape", REFUSED.values(), ids=REFUSED)
def test_refused(shape: Shape) -> None:
    assert_shape(shape)
