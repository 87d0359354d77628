"""What a name was imported as: `npy.sample`, `sample` and `numpyro.sample` are one function."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from reparam_rewrite.survey.effects import words
from reparam_rewrite.survey.families import FAMILIES

#: What `from module import *` binds that matters here.
STAR: dict[str, list[str]] = {
    "numpyro": sorted(words("deterministic handlers param plate plate_stack sample")),
    "numpyro.distributions": list(FAMILIES),
    "numpyro.handlers": sorted(
        words(
            """block condition do lift mask reparam replay scale scope seed substitute trace
            uncondition"""
        )
    ),
}

#: Modules of distributions, which NumPyro's documentation doesn't tell apart.
KINDS = words("distribution continuous discrete directional truncated mixtures")

#: Where the documentation has the names that are defined in a module.
DOCUMENTED = {f"numpyro.distributions.{kind}": "numpyro.distributions" for kind in KINDS}
DOCUMENTED["numpyro.primitives"] = "numpyro"


def canonical(dotted: str) -> str:
    """The name under which NumPyro's documentation has it."""
    module, _, name = dotted.rpartition(".")
    return f"{DOCUMENTED[module]}.{name}" if module in DOCUMENTED else dotted


def dotted(node: ast.expr, meaning: Callable[[str], str | None]) -> str | None:
    """The dotted name that ``a.b.c`` stands for, where `meaning` says what the name `a` does."""
    if isinstance(node, ast.Attribute):
        base = dotted(node.value, meaning)
        return canonical(f"{base}.{node.attr}") if base else None
    return meaning(node.id) if isinstance(node, ast.Name) else None


def bound_by(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """The names that an import binds, each with its dotted name.

    ``import numpyro.distributions as dist`` binds dist; ``import numpyro.distributions`` binds
    numpyro. Of ``from module import *`` those that matter.
    """
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            top = alias.name.partition(".")[0]
            yield (alias.asname, canonical(alias.name)) if alias.asname else (top, top)
        return
    module = statement.module or ""
    relative = bool(statement.level) or not module
    for alias in statement.names:
        if relative:
            yield alias.asname or alias.name, f".{module}.{alias.name}"
        elif alias.name == "*":
            yield from ((name, f"{module}.{name}") for name in STAR.get(module, ()))
        else:
            yield alias.asname or alias.name, canonical(f"{module}.{alias.name}")


def is_star_of_unknown(node: ast.ImportFrom) -> bool:
    """``from mylib import *``, which may bind any name"""
    star = any(alias.name == "*" for alias in node.names)
    return star and (node.level > 0 or node.module not in STAR)
