"""What is a site called whose name is put together when the model runs?"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from string import Formatter

from reparam_rewrite.survey.nodes import walk

NONE: Mapping[str, ast.expr] = {}


def template_of(node: ast.expr | None) -> str | None:
    """The name as a template: what is computed stands in braces. None where it can't be told.

    ========================  ==================
    ``"beta"``                ``beta``
    ``f"beta_{k}"``           ``beta_{k}``
    ``self.name + "_scale"``  ``{self.name}_scale``
    ``"{}_b".format(name)``   ``{name}_b``
    ``"%s_b" % name``         ``{name}_b``
    ``name``                  ``{name}``
    ========================  ==================
    """
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return joined([template_of_part(part) for part in parts])
        case ast.Name() | ast.Attribute():
            return braced(node)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return joined([template_of_part(left), template_of_part(right)])
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod(), right=right):
            arguments = right.elts if isinstance(right, ast.Tuple) else [right]
            if text.replace("%s", "").count("%") or set(text) & set("{}"):
                return None
            return formatted(text.replace("%s", "{}"), arguments)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
            keywords = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
            return (
                None if len(keywords) < len(node.keywords) else formatted(text, node.args, keywords)
            )
    return None


def template_of_part(node: ast.expr) -> str | None:
    """A part of an f-string or a sum; text with braces of its own would be taken for one."""
    if isinstance(node, ast.Constant):
        text = node.value if isinstance(node.value, str) else "{"
        return None if set(text) & set("{}") else text
    if isinstance(node, ast.FormattedValue) and is_text(node.value):
        return template_of_part(node.value)
    if isinstance(node, ast.FormattedValue):
        plain = node.conversion == -1 and node.format_spec is None
        return braced(node.value) if plain else None
    return template_of(node)


def braced(node: ast.expr) -> str | None:
    """``{name}``; not what has quotes or braces of its own, which no f-string takes everywhere."""
    text = ast.unparse(node)
    return None if set(text) & set("\"'{}\\\n") else f"{{{text}}}"


def joined(parts: list[str | None]) -> str | None:
    """The parts as one template; None if one of them can't be told."""
    known = [part for part in parts if part is not None]
    return "".join(known) if len(known) == len(parts) else None


def formatted(
    text: str, arguments: list[ast.expr], keywords: Mapping[str, ast.expr] = NONE
) -> str | None:
    """``"{}_{}".format(a, b)`` and ``"{0}_{k}".format(a, k=b)``, with nothing but plain fields."""
    parts: list[str | None] = []
    given = {str(at): argument for at, argument in enumerate(arguments)} | dict(keywords)
    read: list[str] = []
    try:
        fields = list(Formatter().parse(text))
    except ValueError:
        return None
    for before, field, spec, conversion in fields:
        parts.append(before)
        if field is not None:
            key = field or str(len(read))
            if spec or conversion or key not in given:
                return None
            read.append(key)
            argument = given[key]
            parts.append(template_of_part(argument) if is_text(argument) else braced(argument))
    return joined(parts) if {*read} == {*given} else None


def is_computed(node: ast.expr | None) -> bool:
    """Is anything of the name computed?"""
    for part in walk(node) if node is not None else ():
        if isinstance(part, ast.Name):
            return True
        if isinstance(part, ast.FormattedValue) and not is_text(part.value):
            return True
    return False


def is_text(node: ast.expr) -> bool:
    """Is it a text that is written out?"""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def may_be(name: str, others: Iterable[str]) -> bool:
    """May a site be one of the others, where either is a template? ``beta_{k}`` and ``beta_0``"""
    own = pattern(name)
    return any(
        name == other or own.fullmatch(other) or pattern(other).fullmatch(name) for other in others
    )


def pattern(template: str) -> re.Pattern[str]:
    """What the names match that a template stands for."""
    pieces = re.split(r"\{[^{}]*\}", template)
    return re.compile(".*".join(map(re.escape, pieces)), re.DOTALL)
