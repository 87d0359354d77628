"""A function as it stands before one statement: what an expression written there would mean."""

from __future__ import annotations

import ast

from msgspec import Struct

from reparam_rewrite.survey.effects import FileFacts
from reparam_rewrite.survey.imports import dotted
from reparam_rewrite.survey.values import Binding, Function, Survey

#: By this name an expression of the config may use jax.numpy, whether the file imports it or not.
JNP = "jnp"


class Moment(Struct, frozen=True):
    """The `Scope` of an expression that would be evaluated before `statement`."""

    survey: Survey
    function: Function
    statement: int

    def resolve(self, node: ast.expr) -> str | None:
        return dotted(node, self._meaning)

    def _meaning(self, name: str) -> str | None:
        if name in self.function.hidden:
            binding = self.binding(name)
            return binding.qualified if binding else None
        if name == JNP and self.may_import_jnp:
            return "jax.numpy"
        return self.survey.aliases.get(name)

    @property
    def may_import_jnp(self) -> bool:
        """The generated code has jax.numpy as jnp, unless the file has it, or the name, already."""
        return (
            JNP not in self.survey.identifiers and "jax.numpy" not in self.survey.aliases.values()
        )

    def binding(self, name: str) -> Binding | None:
        if name not in self.function.timeline and self.function.runner:
            return self.runner.timeline.before(name, self.function.run_at)
        return self.function.timeline.before(name, self.statement)

    @property
    def era(self) -> int:
        return self.function.timeline.era_before(self.statement)

    @property
    def runner(self) -> Function:
        """The function whose scan runs this one."""
        return self.survey.functions[self.function.runner]

    @property
    def facts(self) -> FileFacts:
        return self.survey.facts

    def is_builtin(self, name: str) -> bool:
        hidden = name in self.function.hidden or name in self.function.timeline
        return name in self.facts.builtins and not hidden

    def is_constant(self, name: str) -> bool:
        return name in self.survey.constants and name not in self.function.hidden

    def is_enclosed(self, name: str) -> bool:
        if name not in self.function.hidden or name in self.function.timeline:
            return False
        around = self.function.name.rpartition(".")[0]
        while around:
            outer = self.survey.functions.get(around)
            if outer is not None and name in outer.timeline:
                return name not in outer.imports
            around = around.rpartition(".")[0]
        return True

    def literal_key(self, node: ast.expr) -> str:
        return f"literal in the config {node.lineno}:{node.col_offset}"

    def is_bound(self, name: str) -> bool:
        """Can `name` be read here without a NameError?"""
        if name in self.function.timeline:
            binding = self.binding(name)
            return binding is not None and binding.certain
        if self.function.runner and name in self.runner.timeline:
            binding = self.binding(name)
            return binding is not None and binding.certain
        if any(name in names for names in self.function.visible):
            return True
        return name == JNP and self.may_import_jnp

    def is_unstable(self, name: str) -> bool:
        return name in self.function.unstable
