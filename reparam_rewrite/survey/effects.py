"""What may run, and do more than compute, where an expression shows no call of it?

A property, ``p["loc"]`` of a dictionary with a `__missing__`, an operator of the file's own class.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from msgspec import Struct

from reparam_rewrite.survey.index import Index, Scoped, dotted_name

#: Calls that give the same value each time, whatever else the program does.
PURE_BUILTINS = frozenset(
    ["abs", "bool", "float", "int", "len", "max", "min", "range", "round", "sum", "tuple", "list"]
)

#: Methods of distributions and arrays that do so.
PURE_METHODS = frozenset(
    ["expand", "expand_by", "mask", "max", "mean", "min", "reshape", "sum", "to_event"]
)

#: Modules whose functions only compute.
ARRAY_MODULES = (
    "jax.numpy.",
    "numpy.",
    "jax.nn.",
    "jax.scipy.special.",
    "scipy.special.",
    "jax.lax.",
)

#: Those of them that call what they are given, change it, or read what is elsewhere.
NOT_PURE = frozenset(
    [
        "apply_along_axis",
        "apply_over_axes",
        "associative_scan",
        "cond",
        "copyto",
        "custom_root",
        "fill_diagonal",
        "fori_loop",
        "fromfunction",
        "frompyfunc",
        "load",
        "map",
        "piecewise",
        "place",
        "put",
        "put_along_axis",
        "putmask",
        "reduce",
        "save",
        "scan",
        "switch",
        "vectorize",
        "while_loop",
    ]
)

#: Other harmless calls, in what is looked through for its effects.
QUIET = frozenset(["format", "get", "getattr", "hasattr", "isinstance", "items", "keys", "str"])

#: Special methods that run where a call or a statement shows it, and those that make texts.
SHOWN = frozenset(
    [
        "__aenter__",
        "__aexit__",
        "__call__",
        "__del__",
        "__delattr__",
        "__delitem__",
        "__enter__",
        "__exit__",
        "__init__",
        "__init_subclass__",
        "__new__",
        "__post_init__",
        "__repr__",
        "__set__",
        "__set_name__",
        "__setattr__",
        "__setitem__",
        "__setstate__",
        "__str__",
    ]
)


class Effects(Struct, frozen=True):
    """What is known of the names of a file, whatever function they are read in.

    `builtins` are those that mean what Python has them for. `own` are the names of all functions
    of the file, and `impure` those of them that may do more than compute. `fields` are attributes
    that the file sets or declares. `hooked`: an operator or the like of the file's own may do more
    than compute.
    """

    builtins: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    impure: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    hooked: bool = False


def effects_of(index: Index) -> Effects:
    given = frozenset(dir(builtins))
    patched = index.starred or "builtins" in index.aliases.values()
    patched = patched or not index.identifiers.isdisjoint(("__builtins__", "globals"))
    kept = frozenset() if patched else given - index.module_names - index.globals
    impure = {s.node.name for s in index.functions if not only_computes(index, kept, s)}
    while more := {
        scoped.node.name
        for scoped in index.functions
        if scoped.node.name not in impure and not impure.isdisjoint(mentioned(scoped))
    }:
        impure |= more
    special = {name for name in impure if name.startswith("__") and name.endswith("__")}
    declared = {
        part.target.id
        for node in index.classes.values()
        for part in node.body
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
    }
    return Effects(
        builtins=kept,
        own=frozenset(index.by_last),
        impure=frozenset(impure),
        fields=frozenset(index.attributes) | declared,
        hooked=bool(special - SHOWN),
    )


def mentioned(scoped: Scoped) -> Iterator[str]:
    """The names and attributes that a function reads."""
    for part in scoped.parts:
        if isinstance(part, ast.Attribute):
            yield part.attr
        elif isinstance(part, ast.Name):
            yield part.id


def only_computes(index: Index, kept: frozenset[str], scoped: Scoped) -> bool:
    """Does a function, but for the file's own functions in it, nothing but compute?"""
    for part in scoped.parts:
        if isinstance(part, (ast.Global, ast.Nonlocal, ast.Await, ast.Yield, ast.YieldFrom)):
            return False
        if isinstance(part, (ast.Attribute, ast.Subscript)) and not isinstance(part.ctx, ast.Load):
            return False
        if isinstance(part, ast.Call) and not is_quiet(index, kept, part):
            return False
    return True


def is_quiet(index: Index, kept: frozenset[str], call: ast.Call) -> bool:
    """A call of a builtin, an array function, a distribution or a function of the file."""
    called = call.func
    dotted = dotted_name(index.aliases, called)
    if dotted is not None:
        return is_pure_function(dotted)
    last = getattr(called, "attr", None) or getattr(called, "id", "")
    if last in index.by_last:
        return True  # it is looked through itself
    if isinstance(called, ast.Name):
        return last in kept and last in PURE_BUILTINS | QUIET
    return last in PURE_METHODS | QUIET


def is_pure_function(dotted: str) -> bool:
    """Does the function of that dotted name only compute?"""
    if dotted.startswith("numpy.random.") or dotted.rpartition(".")[2] in NOT_PURE:
        return False
    return dotted.startswith((*ARRAY_MODULES, "numpyro.distributions.", "math."))
