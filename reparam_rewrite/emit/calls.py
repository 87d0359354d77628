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


def is_called(arg: cst.Arg, name: str) -> bool:
    return arg.keyword is not None and arg.keyword.value == name


def distribution_of(call: cst.Call) -> list[cst.BaseExpression]:
    """The second argument of a call, or the one called fn."""
    second = [arg.value for arg in call.args[1:2] if arg.keyword is None]
    return second or [a.value for a in call.args if a.keyword and a.keyword.value == "fn"]


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
