"""What a name was imported as: `npy.sample`, `sample` and `numpyro.sample` are one function."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from reparam_rewrite.survey.families import FAMILIES

# What `from numpyro import *` binds that matters here.
STAR: dict[str, tuple[str, ...] | None] = {
    "numpyro": ("deterministic", "handlers", "param", "plate", "plate_stack", "sample"),
    "numpyro.distributions": None,
    "numpyro.handlers": (
        "block",
        "condition",
        "do",
        "lift",
        "mask",
        "reparam",
        "replay",
        "scale",
        "scope",
        "seed",
        "substitute",
        "trace",
        "uncondition",
    ),
}

# The same object under the module it is defined in.
DEFINED_IN = {
    "numpyro.primitives.": "numpyro.",
    "numpyro.distributions.distribution.": "numpyro.distributions.",
    "numpyro.distributions.continuous.": "numpyro.distributions.",
    "numpyro.distributions.discrete.": "numpyro.distributions.",
    "numpyro.distributions.directional.": "numpyro.distributions.",
    "numpyro.distributions.truncated.": "numpyro.distributions.",
    "numpyro.distributions.mixtures.": "numpyro.distributions.",
}


#: What they begin with: most names don't.
MODULES = tuple(DEFINED_IN)


def canonical(dotted: str) -> str:
    """The name under which NumPyro's documentation has it."""
    if not dotted.startswith(MODULES):
        return dotted
    for prefix, short in DEFINED_IN.items():
        if dotted.startswith(prefix):
            return short + dotted[len(prefix) :]
    return dotted


def dotted(node: ast.expr, meaning: Callable[[str], str | None]) -> str | None:
    """The dotted name that ``a.b.c`` stands for, where `meaning` says what the name `a` does."""
    if isinstance(node, ast.Attribute):
        base = dotted(node.value, meaning)
        return canonical(f"{base}.{node.attr}") if base else None
    return meaning(node.id) if isinstance(node, ast.Name) else None


def bound_by(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """The names that an import binds, each with its dotted name.

    ``import numpyro.distributions as dist`` binds dist; ``import numpyro.distributions`` binds
    numpyro.
    """
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            if alias.asname:
                yield alias.asname, canonical(alias.name)
            else:
                top = alias.name.partition(".")[0]
                yield top, top
        return
    if statement.level or statement.module is None:
        for alias in statement.names:
            yield alias.asname or alias.name, f".{statement.module or ''}.{alias.name}"
        return
    for alias in statement.names:
        if alias.name == "*":
            yield from star(statement.module)
        else:
            yield alias.asname or alias.name, canonical(f"{statement.module}.{alias.name}")


def is_star_of_unknown(node: ast.AST) -> bool:
    """``from mylib import *``, which may bind any name"""
    return (
        isinstance(node, ast.ImportFrom)
        and any(alias.name == "*" for alias in node.names)
        and (node.level > 0 or node.module not in STAR)
    )


def star(module: str) -> Iterator[tuple[str, str]]:
    """The names that ``from module import *`` binds, as far as they matter."""
    if module not in STAR:
        return
    names = STAR[module]
    if names is None:
        names = tuple(FAMILIES)
    for name in names:
        yield name, f"{module}.{name}"
