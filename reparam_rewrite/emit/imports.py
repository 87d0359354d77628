"""Where does a new import go? Into the statement or the sorted block that already has its kind."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from reparam_rewrite.emit import layout

ImportStatement = cst.Import | cst.ImportFrom


def add_imports(module: cst.Module, new: dict[str, str], width: int) -> cst.Module:
    """The module with imports for `new`: dotted names, each with the name to import it as."""
    body: list[cst.BaseStatement] = list(module.body)
    for dotted, name in sorted(new.items()):
        package, _, last = dotted.rpartition(".")
        if dotted in ("jax.numpy", "numpyro"):
            body = insert(
                body, f"import {dotted}" + (f" as {name}" if name != dotted else ""), module
            )
            continue
        alias = last if last == name else f"{last} as {name}"
        extended = extend(body, package, alias, width)
        body = extended or insert(body, f"from {package} import {alias}", module)
    return module.with_changes(body=body)


def import_of(statement: cst.BaseStatement) -> ImportStatement | None:
    """The import that a line consists of, if it is one."""
    if isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1:
        small = statement.body[0]
        if isinstance(small, (cst.Import, cst.ImportFrom)):
            return small
    return None


def dotted_of(node: cst.BaseExpression | None) -> str:
    if isinstance(node, cst.Attribute):
        return f"{dotted_of(node.value)}.{node.attr.value}"
    return node.value if isinstance(node, cst.Name) else ""


# -- one more name in an import that is there ----------------------------------------------------


def extend(
    body: Sequence[cst.BaseStatement], package: str, alias: str, width: int
) -> list[cst.BaseStatement] | None:
    """``from package import a, b`` with one more name; None if there is no such statement."""
    for position, statement in enumerate(body):
        found = import_of(statement)
        if not isinstance(found, cst.ImportFrom) or found.relative:
            continue
        if dotted_of(found.module) != package or isinstance(found.names, cst.ImportStar):
            continue
        assert isinstance(statement, cst.SimpleStatementLine)
        code = cst.Module([]).code_for_node(found)
        if "#" in code or "\\" in code:
            continue  # comments belong to names: leave them where they are
        texts = [alias_text(name) for name in found.names]
        if texts == sorted(texts, key=member_key):
            texts = sorted([*texts, alias], key=member_key)
        else:
            texts.append(alias)
        exploded = "\n" in code
        line = f"from {package} import {', '.join(texts)}"
        if exploded or len(line) > width:
            indent = " " * layout.STEP
            line = "\n".join(
                [f"from {package} import (", *(f"{indent}{text}," for text in texts), ")"]
            )
        new = cst.parse_statement(line)
        assert isinstance(new, cst.SimpleStatementLine)
        changed = statement.with_changes(body=new.body)
        return [*body[:position], changed, *body[position + 1 :]]
    return None


def alias_text(alias: cst.ImportAlias) -> str:
    name = dotted_of(alias.name)
    if alias.asname is None:
        return name
    assert isinstance(alias.asname.name, cst.Name)
    return f"{name} as {alias.asname.name.value}"


def member_key(text: str) -> tuple[int, str, str]:
    """isort's order of names: constants, classes, the rest; each without regard to case."""
    name = text.partition(" ")[0]
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name.lower(), name


# -- one more import -----------------------------------------------------------------------------


def insert(body: list[cst.BaseStatement], line: str, module: cst.Module) -> list[cst.BaseStatement]:
    """The new import in the block of imports that has NumPyro or JAX, where sorting puts it."""
    new = cst.parse_statement(line, config=module.config_for_parsing)
    assert isinstance(new, cst.SimpleStatementLine)
    block = third_party_block(body)
    if block is None:
        return insert_first(body, new)
    start, end = block
    keys = [sort_key(import_of(body[position])) for position in range(start, end)]
    own = sort_key(import_of(new))
    for key_of in (straight_first, by_module):
        ordered = [key_of(key) for key in keys]
        if ordered == sorted(ordered):
            later = [at for at, key in enumerate(ordered) if key > key_of(own)]
            position = start + later[0] if later else end
            return insert_at(body, new, position, start)
    return insert_at(body, new, end, start)


Key = tuple[bool, str]


def sort_key(node: ImportStatement | None) -> Key:
    """Is it a ``from`` import, and of which module?"""
    if isinstance(node, cst.ImportFrom):
        return True, "." * len(node.relative) + dotted_of(node.module).lower()
    assert isinstance(node, cst.Import)
    return False, dotted_of(node.names[0].name).lower()


def straight_first(key: Key) -> tuple[bool, str]:
    """isort's order: ``import x`` before ``from x import y``."""
    return key


def by_module(key: Key) -> tuple[str, bool]:
    """The other order in use: by module, whatever the form."""
    return key[1], key[0]


def third_party_block(body: Sequence[cst.BaseStatement]) -> tuple[int, int] | None:
    """The run of imports without blank lines that has NumPyro's first, or else JAX's, or any."""
    blocks: list[tuple[int, int]] = []
    start: int | None = None
    for position, statement in enumerate(body):
        is_import = import_of(statement) is not None and not is_future(statement)
        if is_import and start is not None and has_blank_line(statement):
            blocks.append((start, position))
            start = position
        elif is_import and start is None:
            start = position
        elif not is_import and start is not None:
            blocks.append((start, position))
            start = None
    if start is not None:
        blocks.append((start, len(body)))
    for wanted in ("numpyro", "jax", ""):
        for first, end in blocks:
            names = [sort_key(import_of(body[at]))[1] for at in range(first, end)]
            if any(not wanted or name.partition(".")[0] == wanted for name in names):
                return first, end
    return None


def is_future(statement: cst.BaseStatement) -> bool:
    found = import_of(statement)
    return isinstance(found, cst.ImportFrom) and dotted_of(found.module) == "__future__"


def has_blank_line(statement: cst.BaseStatement) -> bool:
    lines = getattr(statement, "leading_lines", ())
    return any(line.comment is None for line in lines)


def insert_at(
    body: list[cst.BaseStatement], new: cst.SimpleStatementLine, position: int, start: int
) -> list[cst.BaseStatement]:
    """A new first line of a block takes the blank lines above it; comments stay with theirs."""
    if position == start and position < len(body):
        old = body[position]
        assert isinstance(old, cst.SimpleStatementLine)
        blank = 0
        while blank < len(old.leading_lines) and old.leading_lines[blank].comment is None:
            blank += 1
        new = new.with_changes(leading_lines=old.leading_lines[:blank])
        rest = old.with_changes(leading_lines=old.leading_lines[blank:])
        return [*body[:position], new, rest, *body[position + 1 :]]
    return [*body[:position], new, *body[position:]]


def insert_first(
    body: list[cst.BaseStatement], new: cst.SimpleStatementLine
) -> list[cst.BaseStatement]:
    """A file without imports: behind its docstring and ``from __future__`` imports."""
    position = 0
    while position < len(body) and (is_docstring(body[position]) or is_future(body[position])):
        position += 1
    blank = cst.EmptyLine(indent=False)
    if position:
        new = new.with_changes(leading_lines=[blank])
    rest = list(body[position:])
    if rest and not has_blank_line(rest[0]):
        first = rest[0]
        lines = getattr(first, "leading_lines", ())
        rest[0] = first.with_changes(leading_lines=[blank, *lines])
    return [*body[:position], new, *rest]


def is_docstring(statement: cst.BaseStatement) -> bool:
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return False
    small = statement.body[0]
    return isinstance(small, cst.Expr) and isinstance(
        small.value, (cst.SimpleString, cst.ConcatenatedString)
    )
