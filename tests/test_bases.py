"""Bases over several axes, and over those of plates: what is written, and whether it is the same.

A basis over a plate mixes elements that NumPyro holds to be independent. Their density is right in
any case; draws of the prior are so only where that has its whole shape before it is mixed.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reparam_rewrite.messages import Refusal
from tests.support.cases import FIXTURES, rewritten, rewritten_case
from tests.support.execution import assert_checked, load_model

HEAD = """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


"""

BODY = """\
def model(n_i, n_j, v, y=None):
    mu = numpyro.sample("mu", dist.Normal(1, 2))
    s = numpyro.sample("s", dist.HalfNormal(1))
    {}
    numpyro.sample("y", dist.Normal(mu + a.sum(), 1), obs=1.0)
"""

ARGS = "(4, 3, jnp.array([0.5, 1.0, 2.0, 0.7]))"
DCT = '[sites.a]\noffset = "mu"\nbasis = "dct"\n'


def model(*lines: str) -> str:
    return HEAD + BODY.format("\n    ".join(lines))


def both(*lines: str) -> str:
    """A site in two plates."""
    return model(
        'with numpyro.plate("i", n_i, dim=-2), numpyro.plate("j", n_j, dim=-1):',
        *(f"    {line}" for line in lines),
    )


PLATE_I = 'with numpyro.plate("i", n_i):'
NORMAL = 'a = numpyro.sample("a", dist.Normal(0, s))'

#: A model, and what is said of its site a.
SAME = {
    "one plate": (model(PLATE_I, f"    {NORMAL}"), DCT),
    "haar, flipped": (
        model(PLATE_I, f"    {NORMAL}"),
        '[sites.a]\noffset = "mu"\nbasis = { kind = "haar", flip = true }',
    ),
    "without an offset": (model(PLATE_I, f"    {NORMAL}"), '[sites.a]\nbasis = "dct"'),
    "an element each in scale": (
        model(PLATE_I, '    a = numpyro.sample("a", dist.Normal(mu, s * v))'),
        DCT,
    ),
    "not normal, smooth": (
        model(PLATE_I, '    a = numpyro.sample("a", dist.StudentT(4, mu, s))'),
        '[sites.a]\noffset = "mu"\nbasis = { kind = "dct", smooth = 1.0 }',
    ),
    "a prior of unknown shape": (
        model("t = v[:1].cumsum()", PLATE_I, '    a = numpyro.sample("a", dist.Laplace(0, t))'),
        '[sites.a]\nbasis = "dct"',
    ),
    "a prior with a unit axis": (
        model("t = jnp.ones(1)", PLATE_I, '    a = numpyro.sample("a", dist.Laplace(mu, t))'),
        '[sites.a]\nbasis = "dct"',
    ),
    "a prior with a unit axis, inside": (
        model(
            "t = jnp.ones(1)",
            PLATE_I,
            "    numpyro.deterministic('t', t)",
            '    a = numpyro.sample("a", dist.Laplace(mu, t))',
        ),
        '[sites.a]\nbasis = "dct"',
    ),
    "a scale": (
        model(PLATE_I, f"    {NORMAL}"),
        '[sites.a]\nbasis = "dct"\nscale = { by = "s", power = 0.5 }\noffset = "mu"',
    ),
    "the left one of two plates": (both(NORMAL), DCT.replace('"dct"', '{kind="dct", dim=-2}')),
    "both plates": (both(NORMAL), DCT.replace('"dct"', '{kind="dct", dim=[-1, -2]}')),
    "both plates, one number": (
        both(NORMAL),
        '[sites.a]\noffset = "mu"\ninit = 0.7\nlearn = false\nbasis = {kind="dct", dim=[-1, -2]}',
    ),
    "an offset with a unit axis": (
        both('a = numpyro.sample("a", dist.Normal(mu, s))').replace(
            "    with numpyro.plate",
            '    with numpyro.plate("i", n_i, dim=-2):\n'
            '        b = numpyro.sample("b", dist.Normal(0, 1))\n    with numpyro.plate',
            1,
        ),
        '[sites.a]\noffset = "b"\ninit = 0.7\nlearn = false\nbasis = "dct"',
    ),
    "an offset with a unit axis, inside": (
        both(
            'numpyro.deterministic("t", s)', 'a = numpyro.sample("a", dist.Normal(mu, s))'
        ).replace(
            "    with numpyro.plate",
            '    with numpyro.plate("i", n_i, dim=-2):\n'
            '        b = numpyro.sample("b", dist.Normal(0, 1))\n    with numpyro.plate',
            1,
        ),
        '[sites.a]\noffset = "b"\ninit = 0.7\nlearn = false\nbasis = "dct"',
    ),
    "a prior with a unit axis among two": (
        both('a = numpyro.sample("a", dist.Laplace(mu, v[:, None]))'),
        DCT.replace('"mu"', '"s"').replace('"dct"', '{kind="haar", dim=[-2, -1]}'),
    ),
    "a scale with a unit axis": (
        both('a = numpyro.sample("a", dist.Normal(mu, s))'),
        '[sites.a]\nbasis = "dct"\nscale = "1 + v[:, None]"',
    ),
    "an event in a plate": (
        model(PLATE_I, '    a = numpyro.sample("a", dist.GaussianRandomWalk(s, num_steps=n_j))'),
        DCT.replace('"dct"', '{kind="dct", dim=[-1, -2]}'),
    ),
    "the plate of an event": (
        model(PLATE_I, '    a = numpyro.sample("a", dist.GaussianRandomWalk(s, num_steps=n_j))'),
        '[sites.a]\noffset = "mu"\ninit = 0.5\nlearn = false\nbasis = {kind="haar", dim=-2}',
    ),
    "two event axes": (
        model('a = numpyro.sample("a", dist.Normal(mu, s).expand([n_i, n_j]).to_event(2))'),
        DCT.replace('"dct"', '{kind="dct", dim=[-2, -1]}'),
    ),
    "a batch without a plate": (
        model('a = numpyro.sample("a", dist.Normal(mu, s).expand([n_i]))'),
        DCT,
    ),
}

SKIP = ("jit", "data", "AutoNormal", "AutoDiagonalNormal", "NUTS")


def arguments() -> tuple[tuple[object, ...], dict[str, object]]:
    import jax.numpy as jnp

    return eval(ARGS, {"jnp": jnp}), {}


@pytest.mark.parametrize("case", SAME)
def test_same_density_and_draws(case: str) -> None:
    plain, config = SAME[case]
    code = rewritten(plain, config).data.decode()
    compile(code, "code.py", "exec")
    args, kwargs = arguments()
    assert_checked(
        load_model(plain), load_model(code), args, kwargs, points=5, skip=SKIP, base_name="{}_base"
    )


@pytest.mark.parametrize(
    "case", ["a prior with a unit axis, inside", "an offset with a unit axis, inside"]
)
def test_without_its_whole_shape_the_draws_are_others(case: str) -> None:
    """What the rewriter puts in for the draws' sake: the checks see it where it is left out."""
    plain, config = SAME[case]
    code = rewritten(plain, config).data.decode()
    whole = re.compile(r"jnp\.(?:broadcast_to\((\w+), .*?\)|zeros\(.*?\))(?=, 1\))")
    bare, count = whole.subn(lambda found: found[1] or "0", code)
    assert count == 1
    args, kwargs = arguments()
    with pytest.raises(AssertionError, match=r"^draws of 'a' from the prior are .* apart"):
        assert_checked(load_model(plain), load_model(bare), args, kwargs, points=2, skip=SKIP)


REFUSED = {
    "a scalar": (
        model("a = numpyro.sample('a', dist.Normal(0, s))"),
        '"dct"',
        "'a' has no axis at dim -1 (line 9), and a basis needs one",
    ),
    "an axis too many": (
        model(PLATE_I, f"    {NORMAL}"),
        '{ kind = "dct", dim = [-1, -2] }',
        "'a' has no axis at dim -2 (line 10), and a basis needs one",
    ),
    "a unit axis": (
        model('with numpyro.plate("i", n_i, dim=-2):', f"    {NORMAL}"),
        '"dct"',
        "'a' has no axis at dim -1 (line 10), and a basis needs one",
    ),
    "a subsample": (
        model('with numpyro.plate("i", n_i, subsample_size=2):', f"    {NORMAL}"),
        '"dct"',
        "'a' is in a subsampled plate (line 10), and a basis needs all its elements",
    ),
    "a mask, which may broadcast": (
        model(f"with numpyro.handlers.mask(mask=v > 0.6), {PLATE_I[5:]}", f"    {NORMAL}"),
        '"dct"',
        "the source doesn't tell whether 'a' has an axis at dim -1 (line 10)",
    ),
    "an unknown plate": (
        model("with some_plate():", f"    {NORMAL}"),
        '"dct"',
        "the source doesn't tell whether 'a' has an axis at dim -1 (line 10)",
    ),
    "an event that doesn't show": (
        model(PLATE_I, '    a = numpyro.sample("a", dist.Normal(0, s).expand(v).to_event(n_j))'),
        '"dct"',
        "the source doesn't tell whether 'a' has an axis at dim -1 (line 10)",
    ),
    "a positive site": (
        model(PLATE_I, '    a = numpyro.sample("a", dist.LogNormal(0, s))'),
        '"dct"',
        "'a' isn't known to be real-valued (line 10): it can't be sampled in the dct basis",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    plain, basis, message = REFUSED[case]
    with pytest.raises(Refusal) as caught:
        rewritten(plain, f"[sites.a]\nbasis = {basis}")
    assert [diagnostic.message for diagnostic in caught.value.diagnostics] == [message]
    assert all(diagnostic.hint for diagnostic in caught.value.diagnostics)


CLASS = """\
class PlateDCT(DiscreteCosineTransform):
    \"\"\"Mixes the elements of a plate: all of them must be there.\"\"\"

    domain = codomain = constraints.real

    def forward_shape(self, shape):
        return shape

    inverse_shape = forward_shape

    def log_abs_det_jacobian(self, x, y, intermediates=None):
        return jnp.zeros_like(x)
"""


def test_the_class_stands_above_the_first_function_that_needs_it_once() -> None:
    other = BODY.format(f"{PLATE_I}\n        {NORMAL}")
    text = HEAD + "def helper():\n    return 1\n\n\n# The model.\n" + other
    text += "\n\n" + other.replace("def model", "def again")
    code = rewritten(text, 'functions = ["model", "again"]\n' + DCT).data.decode()
    assert code.count("class PlateDCT") == 1
    expected = "def helper():\n    return 1\n\n\n" + CLASS + "\n\n# The model.\ndef model("
    assert expected in code
    assert code.count("PlateDCT(dim=-1)") == 2


def test_the_class_of_a_method_stands_above_its_class() -> None:
    body = BODY.format(f"{PLATE_I}\n        {NORMAL}").replace("def model(", "def model(self, ")
    indented = "".join(f"    {line}" if line.strip() else line for line in body.splitlines(True))
    code = rewritten(HEAD + "class Forecaster:\n" + indented, DCT).data.decode()
    assert f"\n\n\n{CLASS}\n\nclass Forecaster:\n    def model(" in code


def test_the_file_s_own_names() -> None:
    """Imports under other names, a class of that name, tabs and Windows' line ends."""
    text = """\
import jax.numpy as np
import numpyro as npr
from numpyro import distributions as d
from numpyro.distributions import constraints as c, transforms

class PlateDCT:
\tpass

def model(n):
\tmu = npr.sample("mu", d.Normal(0, 1))
\twith npr.plate("i", n):
\t\ta = npr.sample("a", d.Normal(0, 1))
\tnpr.sample("y", d.Normal(mu + a.sum(), 1), obs=1.0)
""".replace("\n", "\r\n")
    code = rewritten(text, DCT).data.decode()
    assert code.count("\r\n") == code.count("\n")
    assert "class PlateDCT_2(DiscreteCosineTransform):\r\n\t" in code
    assert "\tdomain = codomain = c.real\r\n" in code
    assert "\t\treturn np.zeros_like(x)\r\n" in code
    assert_checked(load_model(text), load_model(code), (3,), {}, points=3, skip=SKIP)


def test_imports_that_only_the_function_has_are_made_anew() -> None:
    text = """\
def model(n):
    import jax.numpy as jnp
    import numpyro
    import numpyro.distributions as dist
    from numpyro.distributions import constraints

    mu = numpyro.sample("mu", dist.Normal(0, 1))
    with numpyro.plate("i", n):
        a = numpyro.sample("a", dist.Normal(jnp.zeros(n), 1))
    numpyro.sample("y", dist.Normal(mu + a.sum(), 1), obs=1.0)
"""
    code = rewritten(text, DCT).data.decode()
    head = code[: code.index("def model")]
    assert re.search(r"^from numpyro.distributions import constraints", head, re.MULTILINE)
    assert_checked(load_model(text), load_model(code), (3,), {}, points=3, skip=SKIP)


def test_a_second_pass_changes_nothing() -> None:
    code = rewritten(*SAME["both plates"])
    assert rewritten(code.data, SAME["both plates"][1]).already


def test_one_event_axis_needs_no_class() -> None:
    code = rewritten_case(FIXTURES / "random_walks").data.decode()
    assert "class " not in code


def test_cells_of_a_notebook(tmp_path: Path) -> None:
    """The class goes into the cell of the model, below the imports that it gets."""
    import json

    from tests.support.cli import run

    cells = [HEAD.strip(), "print(1)", BODY.format(f"{PLATE_I}\n        {NORMAL}").strip()]
    made = [
        {
            "cell_type": "code",
            "id": f"c{at}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": text.splitlines(True),
        }
        for at, text in enumerate(cells)
    ]
    book = {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "m.ipynb").write_text(json.dumps(book))
    (tmp_path / "o.toml").write_text(DCT)
    assert run(tmp_path, "m.ipynb", "--config", "o.toml", "-o", "out.ipynb").status == 0
    found = [
        "".join(cell["source"])
        for cell in json.loads((tmp_path / "out.ipynb").read_text())["cells"]
    ]
    assert [text for text in found if "print" in text] == ["print(1)"]
    (last,) = [text for text in found if "def model" in text]
    assert last.index("class PlateDCT") < last.index("def model")
    plain, code = ("\n\n".join(texts) + "\n" for texts in (cells, found))
    args, kwargs = arguments()
    assert_checked(load_model(plain), load_model(code), args, kwargs, points=2, skip=SKIP)
