"""What scans and helpers give back: which sites are the values that names are bound to?"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from msgspec.structs import replace

from reparam_rewrite.survey.state import Outputs, State
from reparam_rewrite.survey.values import Site

NO_SITES: Mapping[ast.Call, Site] = {}


def outputs_of(state: State, node: ast.expr | None) -> tuple[Outputs, Outputs]:
    """The sites that a body hands on, and those that it gives back."""
    if not isinstance(node, ast.Tuple) or len(node.elts) != 2:
        return None, None
    first, second = node.elts
    return sites_in(state, first), sites_in(state, second)


def sites_in(
    state: State, node: ast.expr | None, sites: Mapping[ast.Call, Site] = NO_SITES
) -> Outputs:
    """The sites that a value is made of; `sites` are what it samples itself."""
    if isinstance(node, ast.Dict):
        entries: dict[str, Outputs] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if not isinstance(key, ast.Constant):
                entries.clear()  # it may have any key, in the place of one before
            elif isinstance(key.value, str):
                entries[key.value] = sites_in(state, value, sites)
        return entries
    if isinstance(node, ast.Tuple):
        return tuple(sites_in(state, part, sites) for part in node.elts)
    if isinstance(node, ast.Call) and node in sites:
        return sites[node].index
    if isinstance(node, ast.Call) and node in state.followed:
        return state.followed[node]
    binding = state.binding(node.id) if isinstance(node, ast.Name) else None
    own = isinstance(node, ast.Name) and node.id in state.locals
    return binding.site if binding is not None and own else None


def outputs_given(state: State, value: ast.expr) -> Outputs:
    """What ``scan(...)``, ``scan(...)[1]`` or a helper that was followed gives back."""
    if isinstance(value, ast.Call) and value in state.followed:
        return state.followed[value]
    if isinstance(value, ast.Call) and value in state.scans:
        return None, state.scans[value]
    second = isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Constant)
    if isinstance(value, ast.Subscript) and isinstance(value.value, ast.Call) and second:
        found = isinstance(value.slice, ast.Constant) and value.slice.value == 1
        return state.scans.get(value.value) if found else None
    return None


def bind_outputs(state: State, target: ast.expr, outputs: Outputs, number: int) -> None:
    """Let the names of a target stand for the stacked sites that they are bound to."""
    if isinstance(target, (ast.Tuple, ast.List)) and isinstance(outputs, tuple):
        if len(target.elts) == len(outputs):
            for part, output in zip(target.elts, outputs, strict=True):
                bind_outputs(state, part, output, number)
    elif isinstance(target, ast.Name) and isinstance(outputs, dict):
        for key, output in outputs.items():
            if isinstance(output, int) and not state.following:
                site = state.function.sites[output]
                held = f'{target.id}["{key}"]' if key.isidentifier() else None
                state.function.amend(replace(site, variable=held if site.through else None))
    elif isinstance(target, ast.Name) and isinstance(outputs, int):
        site = state.function.sites[outputs]
        if target.id in state.locals:
            value = state.timeline.value(target.id)
            state.bind(target.id, number, site=site.index, shape=site.shape, value=value)
            if not state.following:
                state.function.amend(replace(site, variable=target.id))


def numbered(outputs: Outputs, indices: dict[int, int]) -> Outputs:
    """Outputs by the indices that the sites have in the function that calls scan."""
    if isinstance(outputs, tuple):
        return tuple(numbered(output, indices) for output in outputs)
    return indices[outputs] if isinstance(outputs, int) else None
