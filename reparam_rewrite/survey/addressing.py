"""Which sites do handlers address by name? ``condition(model, {"a": 0.0})``

Only dictionaries and lists that are written in the file count: a handler that gets its names from
elsewhere can't be judged here.
"""

from __future__ import annotations

import ast

from reparam_rewrite.survey.calls import argument, is_none
from reparam_rewrite.survey.effects import PURE_METHODS
from reparam_rewrite.survey.index import Index, dotted_name
from reparam_rewrite.survey.naming import is_computed, template_of
from reparam_rewrite.survey.nodes import walk
from reparam_rewrite.survey.text import Text
from reparam_rewrite.survey.values import Addressed

WEIGHING = ("numpyro.handlers.mask", "numpyro.handlers.scale")

ADDRESSING = ("reparam", "condition", "substitute", "do", "block")


def addressed(found: Index, source: Text) -> list[Addressed]:
    """The calls outside a `with` that address sites of a function by name."""
    calls = []
    for node in found.handler_calls:
        dotted = dotted_name(found.aliases, node.func)
        if dotted is None or dotted.rpartition(".")[2] not in ADDRESSING:
            continue
        first = argument(node, 0, "fn")
        target = first.id if isinstance(first, ast.Name) else found.decorated.get(node)
        block = found.entered.get(node, [])
        calls.append(
            Addressed(
                dotted.rpartition(".")[2],
                addressed_sites(found, dotted, node),
                target,
                source.place(node),
                is_displayed(found, node),
                run_by(found, block),
                (block[0].lineno, block[-1].end_lineno or 0) if block else (0, 0),
            )
        )
    return calls


#: What runs nothing of the file: distributions, arrays, and sites themselves.
QUIET = ("jax.", "numpy.", "math.", "numpyro.distributions.")
PRIMITIVES = frozenset(["deterministic", "factor", "param", "plate", "sample", "subsample"])


def run_by(index: Index, block: list[ast.stmt]) -> frozenset[str] | None:
    """The last names of the functions that a block may run; None if it may run any.

    ``with reparam(config=config): theta = sample("theta", Normal(mu, tau))`` runs none.
    """
    if not block:
        return None
    defined = {scoped.node.name for scoped in index.functions}
    called: list[str] = []
    mentioned: list[str] = []
    for node in (part for statement in block for part in walk(statement)):
        if isinstance(node, (ast.Await, ast.Yield, ast.YieldFrom)):
            return None  # meanwhile others run
        name = getattr(node, "id", None) or getattr(node, "attr", None)
        if name in defined:
            mentioned.append(name)
        if not isinstance(node, ast.Call):
            continue
        dotted = dotted_name(index.aliases, node.func)
        quiet = dotted is not None and dotted.startswith(QUIET)
        if quiet or (dotted or "").removeprefix("numpyro.") in PRIMITIVES:
            continue
        if isinstance(node.func, ast.Attribute) and node.func.attr in PURE_METHODS:
            continue
        if dotted is not None or not isinstance(node.func, ast.Name):
            return None
        if node.func.id not in defined:
            return None  # an argument, for all that is known
        called.append(node.func.id)
    # What is named more often than called is handed on. What runs without a call runs anywhere.
    return frozenset(called) | index.implicit if len(mentioned) == len(called) else None


def is_displayed(index: Index, call: ast.Call) -> bool:
    """``condition(model, data=DATA)`` where ``DATA = {...}`` stands in the file."""
    data = argument(call, 1, "data")
    values = index.dictionaries.get(data.id, []) if isinstance(data, ast.Name) else [data]
    return any(isinstance(value, (ast.Dict, ast.DictComp)) for value in values)


def weighed(found: Index, source: Text) -> list[Addressed]:
    """``handlers.scale(model, scale=0.5)``: the calls that weigh all that a function samples."""
    calls = []
    for node in found.handler_calls:
        dotted = dotted_name(found.aliases, node.func) or ""
        first = argument(node, 0, "fn")
        decorates = found.decorated.get(node)
        if dotted not in WEIGHING or (is_none(first) and decorates is None):
            continue
        target = first.id if isinstance(first, ast.Name) else decorates
        calls.append(Addressed(dotted.rpartition(".")[2], frozenset(), target, source.place(node)))
    return calls


def addressed_sites(index: Index, dotted: str | None, call: ast.Call) -> frozenset[str] | None:
    """The site names in the dictionary of a handler; None if it can't be read."""
    if dotted is None or not dotted.startswith("numpyro.handlers."):
        return frozenset()
    handler = dotted.rpartition(".")[2]
    if handler not in ADDRESSING:
        return frozenset()
    if handler == "block":
        given = [argument(call, 2, "hide"), argument(call, 4, "expose")]
        lists = [part.elts for part in given if isinstance(part, (ast.List, ast.Tuple, ast.Set))]
        return frozenset(
            item.value
            for items in lists
            for item in items
            if isinstance(item, ast.Constant) and isinstance(item.value, str)
        )
    keyword = "config" if handler == "reparam" else "data"
    data = argument(call, 1, keyword)
    if data is None:
        return None
    candidates = [data]
    names: set[str] = set()
    if isinstance(data, ast.Name):
        candidates = index.dictionaries.get(data.id, [])
        names |= index.keys.get(data.id, set())
        if not candidates and not names:
            return None
    for candidate in candidates:
        # Of a reparam handler in the same function, a key is called as a site is.
        keys = keys_of(candidate, computed=handler == "reparam")
        if keys is None:
            return None
        names |= keys
    return frozenset(names)


def keys_of(node: ast.expr, *, computed: bool = False) -> set[str] | None:
    """The keys of ``{"a": 1}``, ``dict(a=1)`` or ``{name: f(name) for name in ["a", "b"]}``.

    `computed`: also those that are put together, as templates.
    """
    if isinstance(node, ast.Dict):
        keys = node.keys
    elif isinstance(node, ast.DictComp):
        loop = node.generators[0]
        if len(node.generators) > 1 or not isinstance(loop.iter, (ast.List, ast.Tuple)):
            return None
        if ast.unparse(node.key) != ast.unparse(loop.target):
            return None
        keys = list(loop.iter.elts)
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "dict" and not node.args:
        named = {keyword.arg for keyword in node.keywords}
        return None if None in named else {name for name in named if name}
    else:
        return None
    names = set()
    for key in keys:
        template = template_of(key)
        if template is None or (is_computed(key) and not computed):
            return None
        names.add(template)
    return names


def is_explicit(index: Index, call: ast.Call) -> bool:
    """``reparam(config={"a": a_reparam})`` where ``a_reparam = ExplicitReparam(...)``"""
    config = argument(call, 1, "config")
    values = config.values if isinstance(config, ast.Dict) else []
    made = [
        node
        for value in values
        for node in (
            index.dictionaries.get(value.id, []) if isinstance(value, ast.Name) else [value]
        )
    ]
    return any(
        isinstance(node, ast.Call)
        and (dotted_name(index.aliases, node.func) or ast.unparse(node.func)).endswith(
            "ExplicitReparam"
        )
        for node in made
    )
