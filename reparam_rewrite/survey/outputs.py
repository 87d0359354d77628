"""What scans and helpers give back: which sites are the values that names are bound to?"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from msgspec.structs import replace

from reparam_rewrite.survey.calls import argument, variable_of
from reparam_rewrite.survey.contexts import Contexts
from reparam_rewrite.survey.scans import Outputs
from reparam_rewrite.survey.values import Site

NO_SITES: Mapping[ast.Call, Site] = {}


class Results(Contexts):
    """Reads what scans and helpers give back, and binds it."""

    def _outputs(self, node: ast.expr | None) -> tuple[Outputs, Outputs]:
        """The sites that a body hands on, and those that it gives back."""
        if not isinstance(node, ast.Tuple) or len(node.elts) != 2:
            return None, None
        first, second = node.elts
        return self._structure(first), self._structure(second)

    def _structure(
        self, node: ast.expr | None, sites: Mapping[ast.Call, Site] = NO_SITES
    ) -> Outputs:
        """The sites that a value is made of; `sites` are what it samples itself."""
        if isinstance(node, ast.Dict):
            entries: dict[str, Outputs] = {}
            for key, value in zip(node.keys, node.values, strict=True):
                if not isinstance(key, ast.Constant):
                    entries.clear()  # it may have any key, in the place of one before
                elif isinstance(key.value, str):
                    entries[key.value] = self._structure(value, sites)
            return entries
        if isinstance(node, ast.Tuple):
            return tuple(self._structure(part, sites) for part in node.elts)
        if isinstance(node, ast.Call) and node in sites:
            return sites[node].index
        if isinstance(node, ast.Call) and node in self._followed:
            return self._followed[node]
        binding = self.binding(node.id) if isinstance(node, ast.Name) else None
        own = isinstance(node, ast.Name) and node.id in self._locals
        return binding.site if binding is not None and own else None

    def _scan_outputs(self, value: ast.expr) -> Outputs:
        """What ``scan(...)``, ``scan(...)[1]`` or a helper that was followed gives back."""
        if isinstance(value, ast.Call) and value in self._followed:
            return self._followed[value]
        if isinstance(value, ast.Call) and value in self._scans:
            return None, self._scans[value]
        second = isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Constant)
        if isinstance(value, ast.Subscript) and isinstance(value.value, ast.Call) and second:
            found = isinstance(value.slice, ast.Constant) and value.slice.value == 1
            return self._scans.get(value.value) if found else None
        return None

    def _bind_outputs(self, target: ast.expr, outputs: Outputs, number: int) -> None:
        """Let the names of a target stand for the stacked sites that they are bound to."""
        if isinstance(target, (ast.Tuple, ast.List)) and isinstance(outputs, tuple):
            if len(target.elts) == len(outputs):
                for part, output in zip(target.elts, outputs, strict=True):
                    self._bind_outputs(part, output, number)
        elif isinstance(target, ast.Name) and isinstance(outputs, dict):
            for key, output in outputs.items():
                if isinstance(output, int) and not self._following:
                    site = self.function.sites[output]
                    held = f'{target.id}["{key}"]' if key.isidentifier() else None
                    self.function.amend(replace(site, variable=held if site.through else None))
        elif isinstance(target, ast.Name) and isinstance(outputs, int):
            site = self.function.sites[outputs]
            if target.id in self._locals:
                self._bind(target.id, number, site=site.index, shape=site.shape)
                if not self._following:
                    self.function.amend(replace(site, variable=target.id))

    def _shifted(self, statement: ast.stmt, call: ast.Call, name: str) -> Site | None:
        """``z = deterministic("z", z_base - z_loc)`` after ``z_base = sample("z_base", ...)``."""
        value = argument(call, 1, "value")
        if not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Sub):
            return None
        binding = self.binding(value.left.id) if isinstance(value.left, ast.Name) else None
        if binding is None or binding.site is None:
            return None
        site = self.function.sites[binding.site]
        if site.name != f"{name}_base":
            return None
        site = replace(site, name=name, shifted=True, variable=variable_of(statement, call))
        self.function.amend(site)
        return site
