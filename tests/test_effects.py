"""What a call may change in place: the table against NumPy, and offsets of what calls change."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

from reparam_rewrite.messages import Refusal
from reparam_rewrite.survey.effects import OUT, OUT_OF_SPECIAL, effect_of, effect_of_call
from tests.support.shapes import Shape, assert_shape, rewritten

HEAD = """\
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import numpyro.util


def model(n):
"""

BUMP = """
def bump(*given):
    x[0] = 5.0
    return jnp.ones(3)
"""


def changing(setup: str, change: str, expected: str, value: str = "x[0]") -> Shape:
    """The offset of `a` reads something before a plate's statement, which the plate changes."""
    plate = f"""
mu = numpyro.sample("mu", dist.Normal(0, 1))
with numpyro.plate("i", n):
{textwrap.indent(change, "    ")}
    a = numpyro.sample("a", dist.Normal(0, 1))
"""
    return Shape(
        HEAD + textwrap.indent(setup + plate, "    "),
        config=f'[sites.a.offset]\nmu = {{ value = "{value} * mu" }}\n',
        offsets={"a": f"xi_a_mu * {expected} * mu"},
        whole=True,
    )


X = "x = np.zeros(3)"
X_AND_BUMP = X + BUMP
LAZY = X_AND_BUMP + "g = (bump(v)[0] for v in [2.0])"

#: What is set up, what the plate does, and what `x[0]`, or the third, is afterwards.
CHANGES = {
    "a function of one array that is given two": changing(X, "np.exp(x, x)", "1.0"),
    "a value that is kept beside": changing(X, "k = np.cos(x, x)", "1.0"),
    "a view as the second": changing(f"{X}\ny = x[:2]", "np.exp(y, y)", "1.0"),
    "a median that sorts": changing(
        "x = np.array([3.0, 1.0, 2.0])", "k = np.median(x, overwrite_input=True)", "1.0"
    ),
    "a method that is told where to": changing(
        f"{X}\ny = np.ones(3)", "y.cumsum(0, None, x)", "1.0"
    ),
    "a maximum that is told where to": changing(
        f"{X}\ny = np.ones(3)", "y.max(0, x[0:1].reshape(()))", "1.0"
    ),
    "rounding into another": changing(f"{X}\ny = np.ones(3)", "y.round(2, x)", "1.0"),
    "options that say where to": changing(
        f'{X}\no = {{"out": x}}', "np.exp(np.zeros(3), **o)", "1.0"
    ),
    "a key that does more": changing(X_AND_BUMP, "k = max([2.0], key=bump)", "5.0"),
    "an order by a key that does more": changing(X_AND_BUMP, "k = sorted([2.0], key=bump)", "5.0"),
    "a function of indices": changing(X_AND_BUMP, "k = jnp.fromfunction(bump, (2,))", "5.0"),
    "a function of the platform": changing(
        X_AND_BUMP, "k = jax.lax.platform_dependent(2.0, default=bump)", "5.0"
    ),
    "a solver of a function": changing(
        X_AND_BUMP, "k = jax.scipy.sparse.linalg.cg(bump, jnp.ones(3))", "5.0"
    ),
    "a loop of NumPyro's": changing(
        X_AND_BUMP, "k = numpyro.util.fori_loop(0, 1, bump, jnp.ones(3))", "5.0"
    ),
    "a generator in zip": changing(LAZY, "for _ in zip(g):\n    pass", "5.0"),
    "a generator in enumerate": changing(LAZY, "k = list(enumerate(g))", "5.0"),
    "a generator of texts": changing(
        f'{X_AND_BUMP}g = (str(bump(v)) for v in "ab")', 'k = "".join(g)', "5.0"
    ),
    "a view that jax.numpy gives": changing(
        f"{X}\ny = jnp.reshape(x, (3,))", "x[0] = 7.0", "7.0", "y[0]"
    ),
}


@pytest.mark.parametrize("shape", CHANGES.values(), ids=CHANGES)
def test_an_offset_reads_what_a_call_has_changed(shape: Shape) -> None:
    assert_shape(shape)


#: The same where the model can't be compiled, or isn't whole.
BEYOND = {
    "an imported array": ("from tables import TABLE", "", "TABLE.fill(3.0)", "TABLE"),
    "an array of a module": ("import tables", "", "tables.ROWS[0] = 3.0", "tables.ROWS"),
    "a list of an array": ("", "y = jnp.zeros(3).tolist()\nz = y", "z[0] = 7.0", "y[0]"),
}


@pytest.mark.parametrize(("imports", "setup", "change", "value"), BEYOND.values(), ids=BEYOND)
def test_an_offset_stands_below_what_may_change_it(
    imports: str, setup: str, change: str, value: str
) -> None:
    shape = changing(setup, change, "1.0", value)
    text = rewritten(f"{imports}\n".encode() + shape.plain, shape.config).decode()
    assert text.index(change) < text.index("a_loc = ")


def test_a_property_that_records_a_value_is_read_once_where_it_was() -> None:
    shape = changing("", "pass", "1.0", "self.rate")
    body = textwrap.indent(shape.plain.decode().partition("def model(n):\n")[2], "    ")
    source = f"""{HEAD.partition("def model")[0]}class M:
    @property
    def rate(self):
        return numpyro.deterministic("rate", 1.0)

    def model(self, n):
{body}"""
    text = rewritten(source.encode(), shape.config).decode()
    assert text.index("with numpyro.plate") < text.index("a_loc = ")


def test_an_offset_is_computed_early_of_what_nothing_changes() -> None:
    shape = changing(X, "k = np.exp(x).clip(0.0, 1.0)", "0.0")
    text = rewritten(shape.plain, shape.config).decode()
    assert text.index("a_loc = ") < text.index("k = np.exp")


#: Expressions that an offset can't have, and what they call.
WRITING = {
    "np.exp(x, out=x)[0]": "numpy.exp",
    "np.exp(x, x)[0]": "numpy.exp",
    "np.median(x, overwrite_input=True)": "numpy.median",
    "np.nan_to_num(x, copy=False)[0]": "numpy.nan_to_num",
    "(np.put(x, 0, 1.0) or 1.0)": "numpy.put",
    "(np.add.at(x, 0, 1.0) or 1.0)": "numpy.add.at",
    "x.clip(1.0, 2.0, x)[0]": "clip",
    "x.round(out=x)[0]": "round",
    "(x.__setitem__(0, 1.0) or 1.0)": "__setitem__",
}


@pytest.mark.parametrize(("value", "called"), WRITING.items(), ids=WRITING)
def test_an_offset_writes_into_no_array(value: str, called: str) -> None:
    shape = changing(X, "pass", "1.0", value)
    with pytest.raises(Refusal) as refusal:
        rewritten(shape.plain, shape.config)
    (problem,) = refusal.value.diagnostics
    assert problem.message == (
        f"an offset can't call {called}, which changes what the model reads later"
    )


@pytest.mark.parametrize(
    "value",
    ["jnp.put(jnp.zeros(3), 0, 1.0, inplace=False)[0]", "jnp.zeros(3).at[0].add(1.0)[0]"],
)
def test_an_offset_may_be_of_a_changed_copy(value: str) -> None:
    assert_shape(changing("x = 1.0", "pass", "1.0", value))


# -- the table ------------------------------------------------------------------------------------


def position_of_out(function: Callable[..., Any]) -> int | None:
    """Which argument a function of NumPy writes into, by position."""
    if isinstance(function, np.ufunc):
        return function.nin
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:
        return None
    for position, part in enumerate(parameters):
        if part.name == "out" and part.kind != part.KEYWORD_ONLY:
            return position
    return None


def functions_of(module: Any) -> dict[str, Callable[..., Any]]:
    found = {name: getattr(module, name) for name in dir(module) if not name.startswith("_")}
    return {n: f for n, f in found.items() if callable(f) and not inspect.isclass(f)}


def test_it_knows_where_numpy_writes() -> None:
    positions = {name: position_of_out(f) for name, f in functions_of(np).items()}
    assert {n: p for n, p in positions.items() if p not in (None, OUT.get(n))} == {}


def test_it_knows_which_special_functions_take_several_arrays() -> None:
    """What isn't known is taken to write into its second argument."""
    for name, position in OUT_OF_SPECIAL.items():
        assert getattr(scipy.special, name).nin == position


def arguments_of(count: int) -> list[np.ndarray]:
    return [np.array([0.25, 0.75, 0.5]) for _ in range(count)]


def test_numpy_changes_nothing_of_what_is_said_to_be_quiet() -> None:
    """Each function is called with several arrays, as many as it is said to leave alone."""
    for name, function in functions_of(np).items():
        effect = effect_of(f"numpy.{name}")
        if name in ("info", "show_config", "show_runtime", "test"):
            continue  # they print, or take long
        for count in range(1, 4):
            call = ast.parse(f"f({', '.join('x' * count)})", mode="eval").body
            assert isinstance(call, ast.Call)
            if not effect.quiet or not effect_of_call(call, f"numpy.{name}").quiet:
                continue
            given = arguments_of(count)
            try:
                function(*given)
            except Exception:
                continue
            for before, after in zip(arguments_of(count), given, strict=True):
                np.testing.assert_array_equal(before, after, err_msg=f"np.{name} of {count}")
