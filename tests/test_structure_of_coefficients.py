"""Coefficients for some axes, matrices of weights, and axes by other names."""

from __future__ import annotations

import pytest

from reparam_rewrite.messages import Refusal
from tests.support.cases import FIXTURES, rewritten, rewritten_case
from tests.support.execution import assert_equivalent, load_model

TENSOR = FIXTURES / "tensor"
BROADCAST = FIXTURES / "tensor_broadcast"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ('[sites.A.offset]\nmu = { coefficient = ["i"] }', 'param("xi_A_mu", jnp.zeros((n_i, 1)))'),
        ('[sites.A.offset]\nmu = { coefficient = ["n_t"] }', 'param("xi_A_mu", jnp.zeros(n_t))'),
        ('[sites.A.offset]\nz = { coefficient = ["i", "n_t"] }', "jnp.zeros((n_i, n_t))) * z"),
        ('[sites.b.offset]\na = { coefficient = "matrix" }', "jnp.zeros((n_j, n_i))) @ a\n"),
        (
            '[sites.b.offset]\na = { coefficient = "matrix", center = 1.0 }',
            "jnp.zeros((n_j, n_i))) @ (a - 1.0)\n",
        ),
        (
            '[sites.B.offset]\nA = { coefficient = "matrix", init = 0.5 }',
            'jnp.einsum("ac,cb->ab", xi_B_A, A)',
        ),
        ('[sites.A]\noffset = "b"\nreduce = "sum"', "* jnp.sum(b)\n"),
    ],
)
def test_tensor(config: str, expected: str) -> None:
    generated = rewritten_case(TENSOR, config).data.decode()
    assert expected in generated
    args, kwargs = load_model(TENSOR / "example.py", "example_args")()
    plain = load_model(TENSOR / "model.py")
    assert_equivalent(plain, load_model(generated), args, kwargs, points=3)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ('[sites.C.offset]\nmu = { coefficient = ["j"] }', "jnp.zeros((n_j, 1))) * mu"),
        ('[sites.C.offset]\na = { coefficient = ["i"] }', "jnp.zeros((n_i, 1, 1))) * a"),
    ],
)
def test_dims_of_size_1(config: str, expected: str) -> None:
    generated = rewritten_case(BROADCAST, config).data.decode()
    assert expected in generated
    args, kwargs = load_model(BROADCAST / "example.py", "example_args")()
    plain = load_model(BROADCAST / "model.py")
    assert_equivalent(plain, load_model(generated), args, kwargs, points=3)


OTHERWISE = """\
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


def model():
    a = numpyro.sample("a", dist.Normal(jnp.zeros(3), 1))
    b = numpyro.sample("b", dist.Normal(jnp.zeros((3, 2)), 1))
"""


def test_axes_that_the_source_does_not_tell() -> None:
    """Two literal sizes are two axes, unless the config says that they are one."""
    offset = '[sites.b]\noffset = "a"\n'
    assert "* jnp.mean(a)" in rewritten(OTHERWISE, offset).data.decode()
    named = rewritten(OTHERWISE, 'axes = { a = ["i"], b = ["i", "k"] }\n' + offset).data
    assert "* a[:, None]" in named.decode()
    assert_equivalent(load_model(OTHERWISE), load_model(named), points=3)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            '[sites.A.offset]\nmu = { coefficient = ["j"] }',
            "the coefficient of 'mu' in 'A' can't have this structure: "
            "'A' has no axis 'j': its axes are of plate 'i', of size n_t",
        ),
        (
            '[sites.A.offset]\na = { coefficient = "matrix" }',
            "the coefficient of 'a' in 'A' can't have this structure: "
            "'a' has no axis that 'A' lacks",
        ),
        (
            '[sites.b.offset]\na = { coefficient = "matrix", learn = false }',
            "the coefficient of 'a' in 'b' can't have this structure: "
            "a matrix of weights is learned, one number isn't a matrix",
        ),
        (
            'axes = { A = ["i"] }\n[sites.A]\noffset = "mu"',
            "'A' has 2 axes (line 28), not 1",
        ),
        (
            'axes = { D = ["i"] }\n[sites.A]\noffset = "mu"',
            "'model' samples no site 'D'",
        ),
    ],
)
def test_refused(config: str, message: str) -> None:
    with pytest.raises(Refusal) as caught:
        rewritten_case(TENSOR, config)
    assert [diagnostic.message for diagnostic in caught.value.diagnostics] == [message]
