"""Which functions JAX compiles or transforms: what they sample NumPyro's handlers don't see.

``@jax.jit``, ``@functools.partial(jax.jit, static_argnums=1)``, or ``model = jax.jit(model)``
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from reparam_rewrite.survey.effects import words
from reparam_rewrite.survey.functions import Function, Survey
from reparam_rewrite.survey.index import dotted_name

#: Of JAX, or by the names that other packages have for them.
TRANSFORMING = words(
    """jit pjit pmap vmap shard_map checkpoint remat grad value_and_grad jacfwd jacrev jacobian
    hessian linearize custom_jvp custom_vjp filter_jit filter_vmap filter_grad filter_pmap"""
)


def transformed_by(survey: Survey, function: Function) -> tuple[str, int] | None:
    """The dotted name of what transforms a function, and its line; None if nothing does."""
    for node in transformers(survey, function):
        called: ast.expr = node
        while isinstance(called, ast.Call):  # ``partial(jax.jit, ...)``, ``jax.jit(inline=True)``
            dotted = dotted_name(survey.aliases, called.func) or ""
            partial = dotted == "functools.partial" and called.args
            called = called.args[0] if partial else called.func
        dotted = dotted_name(survey.aliases, called) or ""
        package, _, _ = dotted.partition(".")
        if package in ("jax", "equinox") and dotted.rpartition(".")[2] in TRANSFORMING:
            return dotted, node.lineno
    return None


def transformers(survey: Survey, function: Function) -> Iterator[ast.expr]:
    """Its decorators, and what it is called anew by: ``model = jax.jit(model)``."""
    yield from function.node.decorator_list
    for statement in survey.statements:
        match statement:
            case ast.Assign([ast.Name(target)], ast.Call(args=[ast.Name(given), *_]) as call):
                if target == given == function.name:
                    yield call
