"""What the reader of an expression must know of the place where it stands."""

from __future__ import annotations

import ast
from typing import Protocol

from reparam_rewrite.survey.effects import FileFacts
from reparam_rewrite.survey.values import Binding


class Scope(Protocol):
    """What the reader of an expression must know of the place where it stands."""

    @property
    def facts(self) -> FileFacts:
        """What the file's own functions may do."""

    def is_builtin(self, name: str) -> bool:
        """Does a name mean here what Python has it for?"""

    def resolve(self, node: ast.expr) -> str | None:
        """The dotted name that an expression was imported as."""

    def binding(self, name: str) -> Binding | None:
        """What a local name stands for here."""

    @property
    def era(self) -> int:
        """How many statements may have changed something in place until here."""

    def is_constant(self, name: str) -> bool:
        """Is this a module-level name bound once, to a number?"""

    def is_enclosed(self, name: str) -> bool:
        """Is this a name of a function around this one, other than of what that imports?"""

    def literal_key(self, node: ast.expr) -> str:
        """A key that no other literal has."""

    def is_unstable(self, name: str) -> bool:
        """May any call bind this name anew: is it `nonlocal` or `global` in some function?"""
