"""Which sites does a call of a handler address by name? ``condition(model, {"a": 0.0})``

Only dictionaries and lists that are written in the file count: a handler that gets its names from
elsewhere can't be judged here.
"""

from __future__ import annotations

import ast

from reparam_rewrite.survey.calls import argument, is_none
from reparam_rewrite.survey.index import Index, dotted_name
from reparam_rewrite.survey.naming import is_computed, template_of

#: Handlers that give sites or params another meaning, each with the argument that says by a
#: function, or by types, of which.
ADDRESSING: dict[str, tuple[str, ...]] = {
    "reparam": (),
    "condition": ("condition_fn",),
    "substitute": ("substitute_fn",),
    "do": (),
    "block": ("hide_fn", "expose_types", "hide_types"),
    "lift": (),
    "Messenger": (),
}


def chooses(handler: str, call: ast.Call) -> str:
    """The argument by which a handler chooses in a way that can't be read; empty if there is none.

    ``block(hide_fn=...)``, ``condition(condition_fn=...)``, ``lift(prior=dist.Normal(0, 1))``
    """
    if handler == "Messenger":
        return "process_message"
    if handler == "lift":
        prior = argument(call, 1, "prior")
        return "" if prior is not None and keys_of(prior) is not None else "prior"
    names = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    places = {"condition": 2, "substitute": 2, "block": 1}
    if handler in places and len(call.args) > places[handler]:
        names.setdefault(ADDRESSING[handler][0], call.args[places[handler]])
    if handler == "block" and len(call.args) > 3:
        names.setdefault("expose_types", call.args[3])
    return next((n for n in ADDRESSING[handler] if n in names and not is_none(names[n])), "")


def is_displayed(index: Index, call: ast.Call) -> bool:
    """``condition(model, data=DATA)`` where ``DATA = {...}`` stands in the file."""
    data = argument(call, 1, "data")
    values = index.dictionaries.get(data.id, []) if isinstance(data, ast.Name) else [data]
    return any(isinstance(value, (ast.Dict, ast.DictComp)) for value in values)


def addressed_sites(index: Index, dotted: str | None, call: ast.Call) -> frozenset[str] | None:
    """The site names in the dictionary of a handler; None if it can't be read."""
    if dotted is None or not dotted.startswith("numpyro.handlers."):
        return frozenset()
    handler = dotted.rpartition(".")[2]
    if handler not in ADDRESSING:
        return frozenset()
    if chooses(handler, call) or any(keyword.arg is None for keyword in call.keywords):
        return None
    if handler == "block":
        given = [argument(call, 2, "hide"), argument(call, 4, "expose")]
        lists = [part.elts for part in given if isinstance(part, (ast.List, ast.Tuple, ast.Set))]
        return frozenset(
            item.value
            for items in lists
            for item in items
            if isinstance(item, ast.Constant) and isinstance(item.value, str)
        )
    keyword = {"reparam": "config", "lift": "prior"}.get(handler, "data")
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
