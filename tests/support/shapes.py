"""Shapes that models come in, and the proof that one is rewritten or refused as it should be."""

from __future__ import annotations

import ast
import io
import itertools
import re
import textwrap
import tokenize
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pytest
from numpyro.distributions import biject_to

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.messages import Refusal
from reparam_rewrite.rewriting import rewrite
from reparam_rewrite.source.encoding import decode
from tests.support.executed import digest_of, executed
from tests.support.execution import (
    assert_equivalent,
    cheap_key,
    compiled,
    double_precision,
    free_values,
    load_model,
    traced,
)

HEAD = """\
import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist


"""

A_BY_MU = '[sites.a]\noffset = "mu"\n'


@dataclass
class Shape:
    """source: the model, below `HEAD` unless it has imports of its own (`whole`).

    args: of one call. refused: the messages of the refusals, if it is to be refused.
    offsets: by child, what `<child>_base - child` is (for a constrained child, of its value in the
    unconstrained space): an expression of sites, coefficients, `args` and jnp.
    children: those that must have a base site, if not all that the config has as [sites.<child>].
    fails: what the generated model must raise when it runs, as a pattern.
    full_size: the shape of the coefficients, where a plate takes its part of them.
    loud: a refusal and an error at run time will do too; only another density will not.
    """

    source: str | bytes
    args: tuple[Any, ...] = (3,)
    config: str = A_BY_MU
    refused: list[str] = field(default_factory=list)
    offsets: Mapping[str, str] = field(default_factory=dict)
    children: list[str] | None = None
    whole: bool = False
    function: str = "model"
    coefficients: list[str] | None = None
    matter: bool = True
    fails: str = ""
    loud: bool = False
    full_size: tuple[int, ...] = ()

    @property
    def plain(self) -> bytes:
        if isinstance(self.source, bytes):
            return self.source
        text = textwrap.dedent(self.source).lstrip("\n")
        return (text if self.whole else HEAD + text).encode()

    def comparison(self, generated: bytes) -> str | None:
        """The digest of all that decides whether the two models are found equal."""
        return digest_of(generated, *(getattr(self, field.name) for field in fields(self)))

    @property
    def children_of_config(self) -> list[str]:
        config = tomllib.loads(self.config)
        chains = [[entry] if isinstance(entry, str) else entry for entry in config.get("chain", [])]
        return [*config.get("sites", {}), *itertools.chain(*chains)]


def rewritten(source: bytes, config: str) -> bytes:
    read = read_config(config.encode(), "offsets.toml")
    return rewrite(decode("model.py", source), read, 88).data


def assert_shape(shape: Shape) -> None:
    """Assert that a shape is rewritten into an equivalent model, or refused as it says."""
    if shape.refused:
        with pytest.raises(Refusal) as refusal:
            rewritten(shape.plain, shape.config)
        assert [d.message for d in refusal.value.diagnostics] == shape.refused
        return
    try:
        generated = rewritten(shape.plain, shape.config)
    except Refusal:
        if shape.loud:
            return
        raise
    assert_kept(shape, generated)
    assert rewritten(generated, shape.config) == generated
    comparison = shape.comparison(generated)
    if comparison not in executed:
        assert_executes(shape, generated)
        executed.add(comparison)


def assert_executes(shape: Shape, generated: bytes) -> None:
    """Assert that the generated model is the plain one in the coordinates that the shape names."""
    model = load_model(generated, shape.function)
    if shape.fails or shape.loud:
        try:
            with double_precision():
                jax.eval_shape(lambda: traced(model, shape.args, {}, key=cheap_key(0)) and None)
        except Exception as error:
            assert re.search(shape.fails, str(error)), error
            return
        assert shape.loud, "the generated model runs"
    plain = load_model(shape.plain, shape.function)
    new = shape.coefficients
    assert_equivalent(
        plain, model, shape.args, points=5, coefficients=new, coefficients_matter=shape.matter
    )
    assert_offsets(shape, plain, model)


#: The comment that says what the map of a child depends on.
WARNING = re.compile(rb"^ *# How (?:.*\n)*?.*\bmodel\.\r?\n", re.MULTILINE)


def assert_kept(shape: Shape, generated: bytes) -> None:
    """Assert that all comments are there, and all statements but those that sample a child."""
    assert sorted(comments(WARNING.sub(b"", generated))) == sorted(comments(shape.plain))
    lost = Counter(statements(shape.plain, shape.children_of_config))
    lost.subtract(statements(generated, shape.children_of_config))
    assert not [statement for statement, count in lost.items() if count > 0]


def comments(source: bytes) -> list[str]:
    tokens = tokenize.tokenize(io.BytesIO(source).readline)
    return [token.string.strip() for token in tokens if token.type == tokenize.COMMENT]


def statements(source: bytes, children: list[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        simple = not hasattr(node, "body") and not hasattr(node, "cases")
        if isinstance(node, ast.stmt) and simple and not isinstance(node, ast.ImportFrom):
            if re.search(r"\bscan\(", ast.unparse(node)):
                continue  # coefficients go through it
            texts = {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}
            if texts.isdisjoint(children):
                yield ast.dump(without_names(node))


class WithoutNames(ast.NodeTransformer):
    """What samples a parent may give its value a name: ``x = 2 * (mu := sample("mu", ...))``."""

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.AST:
        return self.visit(node.value)  # type: ignore[no-any-return]

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        return ast.Expr(self.visit(node.value))


def without_names(node: ast.stmt) -> ast.stmt:
    """A statement that samples, without the names that it binds."""
    if "sample(" not in ast.unparse(node):
        return node
    return WithoutNames().visit(node)  # type: ignore[no-any-return]


def assert_offsets(shape: Shape, plain: Any, generated: Any) -> None:
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
        sampled.update(traced(plain, shape.args, {}, key=cheap_key(1)))

    def run() -> dict[str, Any]:
        trace = traced(model, shape.args, {}, key=cheap_key(1), **free)
        types.update({name: site["type"] for name, site in trace.items()})
        return {n: site["value"] for n, site in trace.items() if site["type"] != "return"}

    def differences() -> dict[str, Any]:
        values = run()
        data = {name: value for name, value in values.items() if types[name] != "plate"}
        trace = traced(plain, shape.args, {}, data, key=cheap_key(1))
        found = {}
        for child, expected in shape.offsets.items():
            if child not in sampled:
                continue
            u = biject_to(trace[child]["fn"].support).inv(values[child])
            wanted = eval(expected, {**values, "args": shape.args, "jnp": jnp})
            found[child] = values[f"{child}_base"] - u, jnp.broadcast_to(wanted, jnp.shape(u))
        return found

    with double_precision():
        free = free_values(model, shape.args, 1)
        values = jax.eval_shape(run)
        jax.eval_shape(run_plain)
        for child in shape.children or tomllib.loads(shape.config)["sites"]:
            base = f"{child}_base"
            if child not in sampled:
                assert base not in types
                continue  # it is in a branch that doesn't run
            assert types.get(base) == "sample", f"{child!r} has no base site"
            for name, kind in types.items():
                if kind == "param" and name.startswith(f"xi_{child}_"):
                    own = jnp.shape(values[base])
                    wanted = () if '"shared"' in shape.config else own
                    if shape.full_size:
                        wanted = shape.full_size
                    assert jnp.shape(values[name]) == wanted, f"{name!r} is not of this shape"
        offsets = compiled(differences)() if shape.offsets else {}
    for child, (found, wanted) in offsets.items():
        message = f"the offset of {child!r}"
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-9, err_msg=message)
