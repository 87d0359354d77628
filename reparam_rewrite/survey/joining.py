"""A module as it is in the tree of several: every name that it binds has its number."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from reparam_rewrite.survey.modules import IMPORTS, Module, name_in
from reparam_rewrite.survey.names import STAR
from reparam_rewrite.survey.nodes import DEFINITIONS


def put(code: list[ast.stmt], instead: dict[ast.AST, ast.AST]) -> None:
    """Put other nodes in the places of some, and forget what was found out about those around."""
    for node in (part for statement in code for part in ast.walk(statement)):
        for known in [name for name in vars(node) if name.startswith("_known")]:
            delattr(node, known)
        for field, value in ast.iter_fields(node):
            if isinstance(value, list):
                value[:] = [instead.get(part, part) for part in value]
            elif isinstance(value, ast.AST) and value in instead:
                setattr(node, field, instead[value])


def rename(node: ast.stmt, module: Module) -> None:
    """Give what a statement of a module binds there the number of that module."""
    stack: list[tuple[ast.AST, bool]] = [(node, True)]
    while stack:
        part, outermost = stack.pop()
        if isinstance(part, ast.Global):
            part.names = [name_in(module, name) for name in part.names]
        if outermost and isinstance(part, DEFINITIONS):
            part.name = name_in(module, part.name)
        if outermost and isinstance(part, IMPORTS):
            part.names = list(renamed_imports(part, module))
        inside = outermost and not isinstance(part, DEFINITIONS)
        stack += [(inner, inside) for inner in ast.iter_child_nodes(part)]


def renamed_imports(node: ast.Import | ast.ImportFrom, module: Module) -> Iterator[ast.alias]:
    for alias in node.names:
        if alias.name == "*" and isinstance(node, ast.ImportFrom):
            known = STAR.get(node.module or "") if not node.level else None
            names = known if known is not None else []
            yield from (ast.alias(name, name_in(module, name)) for name in names)
            continue
        top = alias.name
        if isinstance(node, ast.Import) and alias.asname is None:
            top = alias.name.partition(".")[0]
        yield ast.alias(top, name_in(module, alias.asname or top))
