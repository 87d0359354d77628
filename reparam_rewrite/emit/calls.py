"""Calls in the concrete tree, and the code of their parts."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst


def is_sole_item(node: cst.CSTNode, value: cst.BaseExpression) -> bool:
    """``[value]`` somewhere in a statement"""
    stack = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, cst.List) and len(part.elements) == 1:
            (item,) = part.elements
            if isinstance(item, cst.Element) and item.value is value:
                return True
        stack += part.children
    return False


def read_name(node: cst.Name) -> str:
    """A name as Python reads it, which takes ``ﬁt`` for ``fit``: so `ast` and the survey say it."""
    if node.value.isascii():
        return node.value
    from unicodedata import normalize

    return normalize("NFKC", node.value)


def keyword_of(arg: cst.Arg) -> str | None:
    return None if arg.keyword is None else read_name(arg.keyword)


def is_called(arg: cst.Arg, name: str) -> bool:
    return keyword_of(arg) == name


def distribution_of(call: cst.Call) -> list[cst.BaseExpression]:
    """The second argument of a call, or the one called fn."""
    second = [arg.value for arg in call.args[1:2] if arg.keyword is None]
    return second or [arg.value for arg in call.args if is_called(arg, "fn")]


def squeezed(code: str) -> str:
    """Code without its blanks and line ends, which depend on where it stands."""
    return "".join(code.split())


def calls_in(node: cst.CSTNode) -> Iterator[cst.Call]:
    stack = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, cst.Call):
            yield part
        stack += part.children
