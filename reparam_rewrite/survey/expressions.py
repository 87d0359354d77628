"""Small questions about Python expressions given as text."""

from __future__ import annotations

import ast
import keyword
import re

ATOMS = (
    ast.Name,
    ast.Attribute,
    ast.Call,
    ast.Subscript,
    ast.Constant,
    ast.List,
    ast.Dict,
    ast.JoinedStr,
)


def is_atom(text: str) -> bool:
    """Can anything be put before or behind the expression without changing how it groups?"""
    node = ast.parse(text.strip(), mode="eval").body
    return isinstance(node, ATOMS)


BITWISE = (ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift)


def is_arithmetic(text: str) -> bool:
    """Is it a sum or tighter, so that ``text - center`` and ``text + x`` group as written?"""
    node = ast.parse(text.strip(), mode="eval").body
    if isinstance(node, ast.UnaryOp):
        return not isinstance(node.op, ast.Not)
    if isinstance(node, ast.BinOp):
        return not isinstance(node.op, BITWISE)
    return isinstance(node, ATOMS)


def grouped(text: str) -> str:
    """The expression, in parentheses unless it is an atom."""
    return text if is_atom(text) else f"({text})"


def ungrouped(text: str) -> str:
    """The expression without the parentheses that hold all of it."""
    if not text.startswith("(") or not text.endswith(")"):
        return text
    try:
        inner = ast.parse(text[1:-1].strip(), mode="eval").body
    except SyntaxError:
        return text  # ``(a) * (b)``
    same = not isinstance(inner, (ast.Tuple, ast.NamedExpr, ast.Yield, ast.Starred))
    return text[1:-1].strip() if same else text


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
