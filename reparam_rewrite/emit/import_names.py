"""One more name in a ``from`` import that is there."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from reparam_rewrite.emit import wrap


def dotted_of(node: cst.BaseExpression | None) -> str:
    if isinstance(node, cst.Attribute):
        return f"{dotted_of(node.value)}.{node.attr.value}"
    return node.value if isinstance(node, cst.Name) else ""


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


def is_welcome(alias: str, names: Sequence[cst.ImportAlias]) -> bool:
    """Would a sorter leave the name among these? It gives each ``x as y`` a line of its own."""
    renamed = [name.asname is not None for name in names]
    if any(renamed):
        return len(names) > 1
    return " as " not in alias


def with_name(
    statement: cst.SimpleStatementLine, alias: str, module: cst.Module, width: int
) -> cst.SimpleStatementLine | None:
    """``from package import a, b`` with one more name, in its place if they are sorted.

    None if it is written in a way that takes no more, such as with a backslash.
    """
    (found,) = statement.body
    assert isinstance(found, cst.ImportFrom) and not isinstance(found.names, cst.ImportStar)
    texts = [alias_text(name) for name in found.names]
    position = len(texts)
    if texts == sorted(texts, key=member_key):
        position = sum(member_key(text) < member_key(alias) for text in texts)
    code = module.code_for_node(found)
    if "\\" in code:
        return None
    if "#" in code:
        changed = among_comments(found, alias, position)
        return None if changed is None else statement.with_changes(body=[changed])
    texts.insert(position, alias)
    comment = len(module.code_for_node(statement.trailing_whitespace).rstrip())
    room = 0 if "\n" in code else width - comment
    line = import_from(dotted_of(found.module), texts, module, room)
    new = cst.parse_statement(line, config=module.config_for_parsing)
    assert isinstance(new, cst.SimpleStatementLine)
    return statement.with_changes(body=new.body)


def import_from(package: str, texts: Sequence[str], module: cst.Module, width: int) -> str:
    """``from package import a, b``, with a name a line if that is too long."""
    line = f"from {package} import {', '.join(texts)}"
    if len(line) <= width:
        return line
    indent = " " * wrap.STEP if not module.default_indent else module.default_indent
    lines = [f"from {package} import (", *(f"{indent}{text}," for text in texts), ")"]
    return module.default_newline.join(lines)


def among_comments(found: cst.ImportFrom, alias: str, position: int) -> cst.ImportFrom | None:
    """One name a line, one more; comments stay above or behind the names they are about.

    None if the names are written in another way.
    """
    assert not isinstance(found.names, cst.ImportStar)
    names = list(found.names)
    if found.lpar is None:
        return None
    gaps = [found.lpar.whitespace_after]
    for name in names:
        if not isinstance(name.comma, cst.Comma):
            return None
        gaps.append(name.comma.whitespace_after)
    spaces = [gap for gap in gaps if isinstance(gap, cst.ParenthesizedWhitespace)]
    if len(spaces) != len(gaps):
        return None
    # The gap before the new name keeps the comment behind the old one; what is above the next
    # name stays above it.
    before = spaces[position]
    plain = cst.TrailingWhitespace(newline=before.first_line.newline)
    after = before.with_changes(first_line=plain)
    first = before.with_changes(
        empty_lines=[], indent=spaces[0].indent, last_line=spaces[0].last_line
    )
    module, _, renamed = alias.partition(" as ")
    new = cst.ImportAlias(
        cst.Name(module),
        asname=cst.AsName(cst.Name(renamed)) if renamed else None,
        comma=cst.Comma(whitespace_after=after),
    )
    if position == 0:
        lpar = found.lpar.with_changes(whitespace_after=first)
        return found.with_changes(lpar=lpar, names=[new, *names])
    previous = names[position - 1]
    names[position - 1] = previous.with_changes(comma=cst.Comma(whitespace_after=first))
    names.insert(position, new)
    return found.with_changes(names=names)
