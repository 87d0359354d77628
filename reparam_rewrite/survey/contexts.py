"""The items of ``with`` statements: plates, where they are made, and handlers."""

from __future__ import annotations

import ast

from reparam_rewrite.survey.addressing import addressed_sites, is_explicit
from reparam_rewrite.survey.helpers import self_of
from reparam_rewrite.survey.plates import plate_held, plate_of, stack_of
from reparam_rewrite.survey.reader import Reader
from reparam_rewrite.survey.values import Handler, Plate


def is_plate(item: Plate | Handler) -> bool:
    """Is it, or may it be, a plate?"""
    if isinstance(item, Plate):
        return True
    return item.qualified is None or (item.opaque and "numpyro.handlers." not in item.qualified)


class Contexts(Reader):
    """Reads the items of ``with`` statements."""

    def _may_break_off(self, node: ast.expr) -> bool:
        """``with contextlib.suppress(ValueError):``"""
        dotted = self.resolve(node.func) if isinstance(node, ast.Call) else None
        return dotted in ("contextlib.suppress", "pytest.raises")

    def _items(self, node: ast.expr) -> tuple[Plate | Handler, ...]:
        if isinstance(node, ast.Call):
            stack = stack_of(self, self._text, node)
            if stack:
                self.function.taken.update(plate.name for plate in stack if plate.literal)
                return stack
        return (self._item(node),)

    def _item(self, node: ast.expr) -> Plate | Handler:
        plate = self._plate_elsewhere(node)
        if plate is not None:
            return plate
        if isinstance(node, ast.Name):
            binding = self.binding(node.id)
            if binding is not None and binding.plate is not None:
                return binding.plate
        if isinstance(node, ast.Call):
            plate = self._plate(node)
            if plate is not None:
                return plate
            dotted = self.resolve(node.func)
            addressed = addressed_sites(self._index, dotted, node)
            return Handler(dotted, ast.unparse(node), addressed, is_explicit(self._index, node))
        return Handler(None, ast.unparse(node))

    def _plate_elsewhere(self, node: ast.expr) -> Plate | None:
        """The plate that a helper of the file makes, or that an attribute of `self` is."""
        made = self._made_by(node)
        if isinstance(made, ast.Call):
            return self._plate(made, made=True)
        if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
            return None
        stored = self._index.attributes.get(node.attr, [])
        if node.value.id != self_of(self._index, self.function.name) or len(stored) != 1:
            return None
        value = stored[0]
        return plate_held(self, self._text, value, node) if isinstance(value, ast.Call) else None

    def _plate(self, call: ast.Call, *, made: bool = False) -> Plate | None:
        made = made or bool(self._following)
        plate = plate_of(self, self._text, call, self._frames, made=made)
        if plate is None:
            return None
        if plate.literal:
            self.function.taken.add(plate.name)
        return plate
