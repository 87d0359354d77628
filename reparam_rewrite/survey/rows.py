"""Does a function that is mapped over arrays make one number of each row?

``vmap(lambda i, t, w: mu + a[i] + A[i, t] * w)(county, time, x)`` is ``mu + a[county] + ...`` then:
its parameters can stand for the arrays.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from reparam_rewrite.survey.effects import ARRAY_MODULES
from reparam_rewrite.survey.shapes import ELEMENTWISE
from reparam_rewrite.survey.terms import Form


class Reader(Protocol):
    """Tells what expressions are where the mapped function is called."""

    def form(self, node: ast.expr) -> Form: ...
    def resolve(self, node: ast.expr) -> str | None: ...
    def is_number(self, node: ast.expr) -> bool: ...


def mapped_along(axes: ast.expr | None, count: int) -> list[bool] | None:
    """Which of so many arguments are mapped along their first axis; None if that can't be told."""
    match axes:
        case None | ast.Constant(value=0):
            return [True] * count
        case ast.Tuple(elts=parts) | ast.List(elts=parts) if len(parts) == count:
            values = [part.value if isinstance(part, ast.Constant) else "" for part in parts]
            known = all(value is None or value == 0 for value in values)
            return [value is not None for value in values] if known else None
    return None


class Rows(Struct):
    """The names in the body of a mapped function: its parameters, those `mapped`, and others.

    An array that is mapped is taken to have one axis, as is what picks from others, unless it is
    used in another way. `sees_names`: others mean in it what they do where it is called.
    """

    reader: Reader
    mapped: set[str]
    given: Mapping[str, Form]
    sees_names: bool

    def is_number(self, node: ast.expr) -> bool:
        """Is it one number in each row, and what it is made of too?"""
        match node:
            case ast.Constant(value=int() | float()):
                return True
            case ast.Name(id=name) if name in self.given:
                form = self.given[name]
                if name not in self.mapped:
                    return has_axes(form, 0)
                return form.is_data or has_axes(form, 1)
            case ast.Name() if self.sees_names:
                return self.reader.is_number(node) or has_axes(self.reader.form(node), 0)
            case ast.UnaryOp(operand=operand):
                return self.is_number(operand)
            case ast.BinOp(left=left, op=ast.MatMult(), right=right):
                return self.is_product(left, right)
            case ast.BinOp(left=left, right=right):
                return self.is_number(left) and self.is_number(right)
            case ast.Subscript(value=value, slice=index):
                items = index.elts if isinstance(index, ast.Tuple) else [index]
                while isinstance(value, ast.Subscript):
                    inner = value.slice
                    items = [*(inner.elts if isinstance(inner, ast.Tuple) else [inner]), *items]
                    value = value.value
                return self.is_picked(value, items)
            case ast.Call(func=function, args=args, keywords=[]):
                name = self.reader.resolve(function) or ""
                last = name.rpartition(".")[2]
                if not name.startswith(ARRAY_MODULES):
                    return False
                if last in ("dot", "matmul") and len(args) == 2:
                    return self.is_product(*args)
                return last in ELEMENTWISE - {"array", "asarray"} and all(map(self.is_number, args))
        return False

    def is_product(self, left: ast.expr, right: ast.expr) -> bool:
        """``row @ b``: of a row of a table and of what has one axis in all rows."""
        if not (
            isinstance(left, ast.Name) and left.id in self.mapped and isinstance(right, ast.Name)
        ):
            return False
        known = right.id not in self.given and has_axes(self.reader.form(right), 1)
        return known and self.given[left.id].is_data

    def is_picked(self, value: ast.expr, items: list[ast.expr]) -> bool:
        """``A[i, t]``: an element of what is whole in each row."""
        if not (isinstance(value, ast.Name) and all(map(self.is_number, items))):
            return False
        if value.id in self.given or not self.sees_names:
            return False
        form = self.reader.form(value)
        return form.is_data or has_axes(form, len(items))


def has_axes(form: Form, count: int) -> bool:
    """Is it made of sites alone, all with so many axes?"""
    layouts = [term.layout for term in form.terms]
    known = all(layout is not None and len(layout) == count for layout in layouts)
    return bool(layouts) and known and not form.loose
