"""Is a generated model of a shape the plain one in the coordinates that the shape names?

Importing this module imports jax and numpyro.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.distributions import biject_to

from reparam_rewrite.config.reading import read_config
from tests.support.conditional import fitted, without_places
from tests.support.execution import (
    assert_equivalent,
    assert_infers,
    cheap_key,
    compiled,
    double_precision,
    free_values,
    is_latent,
    load_model,
    structure,
    traced,
)
from tests.support.shapes import Shape
from tests.support.spread import spread

#: What the arguments of a call are made of.
NAMES = {"jax": jax, "jnp": jnp, "np": np, "numpyro": numpyro, "dist": dist}


def arguments(shape: Shape) -> tuple[Any, ...]:
    return eval(shape.call, dict(NAMES))  # type: ignore[no-any-return]


def assert_runs(shape: Shape) -> None:
    """Assert that the plain model runs, so that a refusal is one of something that is a model."""
    with double_precision():
        plain = load_model(shape.source, shape.expected.function)
        args = arguments(shape)
        jax.eval_shape(lambda: traced(plain, args, {}, key=cheap_key(0)) and None)


def assert_executes(shape: Shape, generated: bytes) -> None:
    """Assert that both models have the same density, and children the offsets that are expected."""
    if "conditional" in tomllib.loads(shape.config):
        assert_fitted(shape, generated)
        return
    expected, args = shape.expected, arguments(shape)
    with double_precision():
        plain = load_model(shape.source, expected.function)
        model = load_model(generated, expected.function)
    if expected.fails:
        assert_fails(model, args, expected.fails)
        return
    assert_equivalent(
        plain,
        model,
        args,
        points=5,
        coefficients=expected.coefficients,
        coefficients_matter=expected.matter,
        anew=True,
    )
    if "scale" not in shape.config:
        assert_potentials(plain, model, args)
    if expected.children != []:
        assert_offsets(shape, plain, model, args)
    if expected.infers:
        assert_infers(model, args, nuts=False)


def assert_fitted(shape: Shape, generated: bytes) -> None:
    """Assert that `fit` writes what a shape's config says, and that its model is the plain one."""
    with TemporaryDirectory() as folder:
        found = fitted(Path(folder), shape.source, shape.config, shape.call)
        asked = read_config(shape.config.encode(), "offsets.toml")
        assert without_places(found.config) == without_places(asked)
        assert found.generated.read_bytes() == generated
        plain, model = (load_model(path, shape.expected.function) for path in found[:2])
        args, kwargs = found.call.args, dict(found.call.kwargs)
        assert_equivalent(plain, model, args, kwargs, points=5, offsets=False, anew=True)
        sampled = structure(model, args, kwargs)
        assert asked.conditional is not None
        assert {f"{one.name}_base" for one in asked.conditional.order} <= sampled.keys()
        if shape.expected.exact:
            assert spread(model, args, kwargs) < 1e-8


def assert_fails(model: Any, args: tuple[Any, ...], pattern: str) -> None:
    try:
        with double_precision():
            jax.eval_shape(lambda: traced(model, args, {}, key=cheap_key(0)) and None)
    except Exception as error:
        assert re.search(pattern, str(error)), error
    else:
        raise AssertionError("the generated model runs")


def assert_potentials(plain: Any, generated: Any, args: tuple[Any, ...]) -> None:
    """Assert that potentials agree, with what scales multiply: an oracle apart from `verify`'s.

    A shift in the unconstrained space has determinant one.
    """

    def coefficients(site: dict[str, Any]) -> Any:
        if site["type"] == "param" and "xi_" in site["name"]:
            return jnp.full(jnp.shape(site["args"][0]), 0.7)
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

    model = numpyro.handlers.substitute(generated, substitute_fn=coefficients)

    def potentials() -> tuple[Any, Any]:
        trace = traced(model, args, {}, key=cheap_key(2), **free)
        values = {n: s["value"] for n, s in trace.items() if s["type"] != "return"}
        return potential(traced(plain, args, {}, values, key=cheap_key(2))), potential(trace)

    with double_precision():
        free = free_values(model, args, 2)
        wanted, found = compiled(potentials)()
    np.testing.assert_allclose(found, wanted, rtol=1e-8, err_msg="the potential differs")


def assert_offsets(shape: Shape, plain: Any, generated: Any, args: tuple[Any, ...]) -> None:
    """Assert that each child has a base site, which is shifted by what the shape says.

    Coefficients have a shape of their own only if the config says "shared".
    """

    def coefficients(site: dict[str, Any]) -> Any:
        if site["type"] != "param" or not site["name"].startswith("xi"):
            return None
        size = jnp.shape(site["args"][0])
        return 0.1 + np.random.default_rng(len(site["name"])).uniform(size=size)

    model = numpyro.handlers.substitute(generated, substitute_fn=coefficients)
    types: dict[str, str] = {}
    sampled: set[str] = set()

    def run_plain() -> None:
        sampled.update(traced(plain, args, {}, key=cheap_key(1)))

    def run() -> dict[str, Any]:
        trace = traced(model, args, {}, key=cheap_key(1), **free)
        types.update({name: site["type"] for name, site in trace.items()})
        return {n: site["value"] for n, site in trace.items() if site["type"] != "return"}

    def differences() -> dict[str, Any]:
        values = run()
        data = {name: value for name, value in values.items() if types[name] != "plate"}
        trace = traced(plain, args, {}, data, key=cheap_key(1))
        found = {}
        for child, expected in shape.expected.offsets.items():
            if child not in sampled:
                continue
            u = biject_to(trace[child]["fn"].support).inv(values[child])
            wanted = eval(expected, {**values, "args": args, "jnp": jnp})
            found[child] = values[f"{child}_base"] - u, jnp.broadcast_to(wanted, jnp.shape(u))
        return found

    with double_precision():
        free = free_values(model, args, 1)
        values = jax.eval_shape(run)
        jax.eval_shape(run_plain)
        for child in shape.expected.children or tomllib.loads(shape.config)["sites"]:
            base = f"{child}_base"
            if child not in sampled:
                assert base not in types
                continue  # it is in a branch that doesn't run
            assert types.get(base) == "sample", f"{child!r} has no base site"
            for name, kind in types.items():
                if kind == "param" and name.startswith(f"xi_{child}_"):
                    own = jnp.shape(values[base])
                    wanted = () if '"shared"' in shape.config else own
                    if shape.expected.full_size:
                        wanted = tuple(shape.expected.full_size)
                    assert jnp.shape(values[name]) == wanted, f"{name!r} is not of this shape"
        offsets = compiled(differences)() if shape.expected.offsets else {}
    for child, (found, wanted) in offsets.items():
        message = f"the offset of {child!r}"
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-9, err_msg=message)
