"""How are the items of ``with`` read, and which batch shape do plates give?

An item is a plate or a handler. Of a handler it matters which sites it addresses by name, as
``condition(model, {"a": 0.0})`` does. Only dictionaries and lists that are written in the file
count: a handler that gets its names from elsewhere can't be judged here.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from msgspec.structs import replace

from reparam_rewrite.survey.calls import argument, given, is_none
from reparam_rewrite.survey.index import Index, dotted_name
from reparam_rewrite.survey.names import is_computed, template_of
from reparam_rewrite.survey.plates import plates_by_dim, plates_of
from reparam_rewrite.survey.state import State
from reparam_rewrite.survey.values import UNIT, Frame, Handler, Plate, Shape

#: Handlers that give sites or params another meaning, with their parameters: of most the second
#: has the names of those.
ADDRESSING: dict[str, tuple[str, ...]] = {
    "reparam": ("fn", "config"),
    "condition": ("fn", "data", "condition_fn"),
    "substitute": ("fn", "data", "substitute_fn"),
    "do": ("fn", "data"),
    "block": ("fn", "hide_fn", "hide", "expose_types", "expose", "hide_types"),
    "lift": ("fn", "prior"),
    "Messenger": (),
}

LISTS = (ast.List, ast.Tuple, ast.Set)

#: The parameters that say by a function, or by types, which sites are meant.
CHOOSING = ("condition_fn", "substitute_fn", "hide_fn", "expose_types", "hide_types")


# Plates


def items_of(state: State, node: ast.expr) -> tuple[Plate | Handler, ...]:
    """The plates that an item of a `with` makes, or the handler that it is."""
    plates = plates_of(state, node)
    if plates:
        return plates
    if not isinstance(node, ast.Call):
        return (Handler(None, ast.unparse(node)),)
    dotted = state.resolve(node.func)
    if isinstance(node.func, ast.Name) and state.is_builtin(node.func.id):
        dotted = f"builtins.{node.func.id}"  # ``with open(path) as file:``
    text, made = ast.unparse(node), with_config(state, node)
    addressed, explicit = addressed_sites(state.index, dotted, made), is_explicit(state.index, made)
    return (Handler(dotted, text, addressed, explicit, reparams_of(state.index, dotted, made)),)


def with_config(state: State, call: ast.Call) -> ast.Call:
    """``reparam(config=self.config())`` with what that method returns, if it is an expression."""
    given = {keyword.arg: state.made_by(keyword.value) for keyword in call.keywords}
    keywords = [ast.keyword(one.arg, given[one.arg] or one.value) for one in call.keywords]
    if not any(given.values()):
        return call
    return ast.copy_location(ast.Call(call.func, call.args, keywords), call)


def plate_shape(frames: Sequence[Frame], site: str | None, *, stack: bool = False) -> Shape | None:
    """The batch shape that the plates around a site ask for; None if it can't be told.

    `stack`: where a `plate_stack` of unknown sizes is to the left of the others.
    """
    plates = plates_by_dim(frames, site)
    if plates is None:
        return None
    leftmost = min(plates, default=0)
    if [dim for dim, plate in plates.items() if plate.several] != [leftmost] * stack:
        return None
    axes = {d: p.axis if p.several else replace(p.axis, dim=d) for d, p in plates.items()}
    return tuple(axes.get(dim, UNIT) for dim in range(leftmost, 0))


def is_plate(item: Plate | Handler) -> bool:
    """Is it, or may it be, a plate?"""
    if isinstance(item, Plate):
        return True
    return item.qualified is None or (item.opaque and "numpyro.handlers." not in item.qualified)


# Handlers


def chooses(index: Index, handler: str, call: ast.Call) -> str:
    """The argument by which a handler chooses in a way that can't be read; empty if there is none.

    ``block(hide_fn=...)``, ``condition(condition_fn=...)``, ``lift(prior=dist.Normal(0, 1))``
    """
    asked = given(call, ADDRESSING[handler])
    if handler == "Messenger":
        return "process_message"
    if handler == "lift":
        return "prior" if keys_of(index, asked.get("prior")) is None else ""
    return next((name for name in CHOOSING if not is_none(asked.get(name))), "")


def addressed_sites(index: Index, dotted: str | None, call: ast.Call) -> frozenset[str] | None:
    """The site names in the dictionary of a handler; None if it can't be read."""
    module, _, handler = (dotted or "").rpartition(".")
    if module != "numpyro.handlers" or handler not in ADDRESSING:
        return frozenset()
    asked = given(call, ADDRESSING[handler])
    if chooses(index, handler, call) or any(keyword.arg is None for keyword in call.keywords):
        return None
    if handler == "block":
        lists = (asked.get("hide"), asked.get("expose"))
        listed = [part for one in lists if isinstance(one, LISTS) for part in one.elts]
        texts = (part.value for part in listed if isinstance(part, ast.Constant))
        return frozenset(text for text in texts if isinstance(text, str))
    data = asked.get(ADDRESSING[handler][1])
    # Of a reparam handler in the same function, a key is called as a site is.
    keys = keys_of(index, data, computed=handler == "reparam")
    return None if keys is None else frozenset(keys)


def values_of(index: Index, node: ast.expr | None) -> list[ast.expr]:
    """An expression, or the dictionaries and calls that the file binds its name to."""
    if isinstance(node, ast.Name):
        return index.dictionaries.get(node.id, [])
    return [] if node is None else [node]


def keys_of(
    index: Index, node: ast.expr | None, *, computed: bool = False, within: tuple[str, ...] = ()
) -> set[str] | None:
    """The keys of ``{"a": 1}``, ``dict(a=1)`` or ``{name: f(name) for name in ["a", "b"]}``.

    `computed`: also those that are put together, as templates. `within`: the names that led here.
    """
    found: set[str] | None
    match node:
        case ast.Name(id=name):
            parts = [] if name in within else values_of(index, node)
            found = {*index.keys.get(name, {})}
            if not (parts or found):
                return None
        case ast.Dict():
            parts = [value for key, value in zip(node.keys, node.values, strict=True) if not key]
            keys = [key for key in node.keys if key is not None]
            found = templates_of(keys, computed)
        case ast.DictComp(generators=[ast.comprehension(iter=ast.List() | ast.Tuple() as over)]):
            if ast.unparse(node.key) != ast.unparse(node.generators[0].target):
                return None
            parts, found = [], templates_of(over.elts, computed)
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
            names = {keyword.arg for keyword in keywords if keyword.arg}
            return names if len(names) == len(keywords) else None
        case _:
            return None
    within = (*within, node.id) if isinstance(node, ast.Name) else within
    inner = [keys_of(index, part, computed=computed, within=within) for part in parts]
    if found is None or None in inner:
        return None
    return found.union(*filter(None, inner))


def templates_of(keys: list[ast.expr], computed: bool) -> set[str] | None:
    templates = [None if is_computed(key) and not computed else template_of(key) for key in keys]
    return None if None in templates else {name for name in templates if name is not None}


def is_displayed(index: Index, call: ast.Call) -> bool:
    """``condition(model, data=DATA)`` where ``DATA = {...}`` stands in the file."""
    values = values_of(index, argument(call, 1, "data"))
    return any(isinstance(value, (ast.Dict, ast.DictComp)) for value in values)


def reparams_of(index: Index, dotted: str | None, call: ast.Call) -> tuple[tuple[str, str], ...]:
    """By site, the classes in ``reparam(config={"a": LocScaleReparam(0)})`` that are sure to act.

    Of ``centered=c`` that can't be told.
    """
    config = argument(call, 1, "config") if dotted == "numpyro.handlers.reparam" else None
    match shown(index, config):
        case ast.Dict(keys=keys, values=values):
            pairs = [(template_of(key), value) for key, value in zip(keys, values, strict=True)]
        case ast.DictComp(value=ast.Call() as value) as node:  # the same for each key
            pairs = [(name, value) for name in keys_of(index, node) or ()]
        case _:
            return ()
    return tuple(
        (name, kind)
        for name, value in pairs
        if name is not None and (kind := reparameterizer_of(index, value))
    )


def reparameterizer_of(index: Index, node: ast.expr) -> str:
    """The class in ``LocScaleReparam(0)``; empty if what it does can't be told of that alone."""
    made = shown(index, node)
    if not isinstance(made, ast.Call):
        return ""
    module, _, last = (dotted_name(index.aliases, made.func) or "").rpartition(".")
    centered = argument(made, 0, "centered")
    number = centered.value if isinstance(centered, ast.Constant) else None
    decenters = is_none(centered) or (isinstance(number, (int, float)) and number < 1)
    given = len(made.args) + len(made.keywords)
    does = not given or (last == "LocScaleReparam" and given == 1 and centered and decenters)
    return last if does and module == "numpyro.infer.reparam" else ""


def shown(index: Index, node: ast.expr | None) -> ast.expr | None:
    """An expression, or the only one that its name stands for, which nothing else speaks of."""
    if not isinstance(node, ast.Name):
        return node
    values = index.dictionaries.get(node.id, [])
    return values[0] if len(values) == 1 and index.mentions[node.id] == 2 else None


def is_explicit(index: Index, call: ast.Call) -> bool:
    """``reparam(config={"a": a_reparam})`` where ``a_reparam = ExplicitReparam(...)``

    That may be given to a function: ``by_name(ExplicitReparam(...))``
    """
    config = argument(call, 1, "config")
    values = [*config.values] if isinstance(config, ast.Dict) else []
    values += index.keys.get(config.id, {}).values() if isinstance(config, ast.Name) else []
    calls = [node for v in values for node in values_of(index, v) if isinstance(node, ast.Call)]
    inner = [part for node in calls for part in node.args if isinstance(part, ast.Call)]
    made = (node.func for node in (*calls, *inner))
    names = (dotted_name(index.aliases, called) or ast.unparse(called) for called in made)
    return any(name.endswith("ExplicitReparam") for name in names)
