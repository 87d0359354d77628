"""Small questions about Python expressions given as text."""

from __future__ import annotations

import ast
import keyword
import re

from reparam_rewrite.survey.nodes import kinds

ATOMS = tuple(kinds("Attribute Call Constant Dict JoinedStr List Name Subscript"))

BITWISE = tuple(kinds("BitAnd BitOr BitXor LShift RShift"))


def parsed(text: str) -> ast.expr:
    return ast.parse(text.strip(), mode="eval").body


def is_atom(text: str) -> bool:
    """Can anything be put before or behind the expression without changing how it groups?"""
    return isinstance(parsed(text), ATOMS)


def is_arithmetic(text: str) -> bool:
    """Is it a sum or tighter, so that ``text - center`` and ``text + x`` group as written?"""
    match parsed(text):
        case ast.UnaryOp(op=op):
            return not isinstance(op, ast.Not)
        case ast.BinOp(op=op):
            return not isinstance(op, BITWISE)
        case node:
            return isinstance(node, ATOMS)


def grouped(text: str) -> str:
    """The expression, in parentheses unless it is an atom."""
    return text if is_atom(f"({text})") else f"({text})"  # it may have several lines


def ungrouped(text: str) -> str:
    """The expression without the parentheses that hold all of it."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    try:
        inner = parsed(text[1:-1])
    except SyntaxError:
        return text  # ``(a) * (b)``
    needed = isinstance(inner, (ast.Tuple, ast.NamedExpr, ast.Yield, ast.Starred))
    return text if needed else text[1:-1].strip()


def identifier(name: str) -> str:
    """A Python identifier that recalls a site's name: ``"a b"`` gives ``a_b``."""
    found = re.sub(r"\W+", "_", name).strip("_") or "site"
    if "{" in name:  # f"beta_{k}" gives beta_k
        found = re.sub("__+", "_", found)
    if found[0].isdigit():
        found = f"site_{found}"
    if keyword.iskeyword(found) or not found.isidentifier():
        found = f"{found}_" if f"{found}_".isidentifier() else "site"
    return found
