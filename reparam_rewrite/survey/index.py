"""One look at the whole tree: statement numbers, functions, imports, names in use."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

from msgspec import Struct

from reparam_rewrite.survey.calls import is_none
from reparam_rewrite.survey.imports import bound_by, dotted, is_star_of_unknown
from reparam_rewrite.survey.nodes import FunctionNode, kinds, parts_of, walk
from reparam_rewrite.survey.scopes import bound_in, own_names
from reparam_rewrite.survey.values import Handler, Plate

IMPORTS = (ast.Import, ast.ImportFrom)

#: Most statements that hold no others.
SIMPLE = frozenset([ast.AnnAssign, ast.Assign, ast.AugAssign, ast.Expr, ast.Return, *IMPORTS])

#: What pauses a function.
YIELDS = (ast.Yield, ast.YieldFrom)

#: What says a name, beside `ast.Name`, or something else that `read_names` notes.
NAMING = kinds(
    """Assign AsyncFunctionDef Attribute AugAssign ClassDef ExceptHandler FunctionDef GeneratorExp
    Global Import ImportFrom MatchAs MatchMapping MatchStar Nonlocal Yield YieldFrom arg"""
)


class Scoped(Struct, eq=False, dict=True):
    """A function's node with its dotted name and the functions around it, outermost first.

    `parts` is the node with all that is in it, for those who look through it.
    """

    name: str
    node: FunctionNode
    around: tuple[Scoped, ...]
    parts: list[ast.AST]

    @cached_property
    def holds(self) -> set[type[ast.AST]]:
        """The classes of nodes that are in it."""
        return set(map(type, self.parts))

    @cached_property
    def names(self) -> frozenset[str]:
        """Its local names."""
        return frozenset(own_names(self.node))

    @cached_property
    def rebound_inside(self) -> set[str]:
        """The names that functions inside of it declare `nonlocal`: any call may bind them."""
        if ast.Nonlocal not in self.holds:
            return set()
        return {n for part in self.parts if isinstance(part, ast.Nonlocal) for n in part.names}

    @cached_property
    def imports(self) -> dict[str, str]:
        """The imports in its own body."""
        if self.holds.isdisjoint(IMPORTS):
            return {}
        found: dict[str, str] = {}
        for statement in self.parts:
            if isinstance(statement, IMPORTS):
                found.update(bound_by(statement))
        return found

    @cached_property
    def mentioned(self) -> Counter[str]:
        """How often each name is written in it."""
        return Counter(part.id for part in self.parts if isinstance(part, ast.Name))


class Index(Struct):
    """What is known of a tree before any function is read."""

    numbers: dict[ast.stmt, int] = {}
    statements: list[ast.stmt] = []
    functions: list[Scoped] = []
    by_last: dict[str, list[Scoped]] = {}  # functions by the last of their names
    classes: dict[str, ast.ClassDef] = {}
    attributes: dict[str, list[ast.expr | None]] = {}  # x.name = value, by the name
    stored: dict[ast.expr, ast.expr] = {}  # the target of an assignment -> the value
    aliases: dict[str, str] = {}
    certain: set[str] = set()  # names that the head of the module imports, whatever happens
    redefined: dict[str, list[int]] = {}  # functions by name, with the lines of all definitions
    constants: set[str] = set()
    globals: set[str] = set()  # names that some function declares global
    rebound: set[str] = set()  # module-level names that are bound more than once
    module_names: set[str] = set()
    identifiers: set[str] = set()
    samplers: set[str] = set()  # functions that may sample, by the last of their names
    dictionaries: dict[str, list[ast.expr]] = {}
    keys: dict[str, set[str]] = {}  # name["key"] = ...
    lazy: bool = False  # something in it may run when it is iterated over
    implicit: set[str] = set()  # functions that run without a call: `__add__`, generators
    hooks: set[str] = set()  # the last names of these, and of properties
    densities: set[str] = set()  # classes that inherit a density and define another
    items: dict[ast.stmt, tuple[Plate | Handler, ...]] = {}  # those of each `with` that was read
    holds: set[type[ast.AST]] = set()  # the classes of nodes that are in it
    starred: bool = False  # ``from mylib import *``: any name may mean something else

    def last_of(self, node: ast.stmt) -> int:
        """The number of the last statement inside `node`, or its own."""
        last = node
        while blocks := blocks_of(last):
            last = blocks[-1][-1]
        return self.numbers[last]


def blocks_of(node: ast.AST) -> list[list[ast.stmt]]:
    """The statement lists of a compound statement, in the order in which they are written."""
    if type(node) in SIMPLE:
        return []
    found: list[list[ast.stmt]] = []
    for name in ("body", "handlers", "cases", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if not isinstance(block, list) or not block:
            continue
        if name in ("handlers", "cases"):
            found += [part.body for part in block]
        else:
            found.append(block)
    return found


def index(tree: ast.Module) -> Index:
    found = Index()
    number_block(found, tree.body, "", ())
    parts = walk(tree)
    found.holds = set(map(type, parts))
    read_module(found, tree, parts)
    read_names(found, parts)
    lines: dict[str, list[int]] = {}
    for scoped in found.functions:
        found.by_last.setdefault(scoped.node.name, []).append(scoped)
        lines.setdefault(scoped.name, []).append(scoped.node.lineno)
    found.samplers = samplers_of(found)
    implicit = [scoped for scoped in found.functions if is_implicit(scoped)]
    found.implicit = {scoped.name for scoped in implicit}
    properties = [scoped for scoped in found.functions if is_property(scoped)]
    found.hooks = {scoped.node.name for scoped in (*implicit, *properties)}
    found.redefined = {name: where for name, where in lines.items() if len(where) > 1}
    return found


def is_implicit(scoped: Scoped) -> bool:
    """May it run where nothing that shows calls it: for an operator, or in a loop?"""
    node = scoped.node
    if node.name.startswith("__") and node.name.endswith("__"):
        return node.name not in ("__call__", "__init__", "__new__", "__post_init__")
    decorators = [ast.unparse(part) for part in node.decorator_list]
    if any(part.endswith(("setter", "deleter")) for part in decorators):
        return True
    if any(part.endswith("contextmanager") for part in decorators):
        return False  # a `with` shows where
    return not scoped.holds.isdisjoint(YIELDS)


def is_property(scoped: Scoped) -> bool:
    decorators = [ast.unparse(part) for part in scoped.node.decorator_list]
    return any(part.endswith("property") for part in decorators)


def samplers_of(found: Index) -> set[str]:
    """The functions that call something called sample, or such a function."""
    sampling = {name for name, dotted in found.aliases.items() if dotted == "numpyro.sample"}
    sampling.add("sample")
    calls = {
        scoped.node.name: {
            getattr(node.func, "attr", None) or getattr(node.func, "id", None)
            for node in scoped.parts
            if isinstance(node, ast.Call)
        }
        for scoped in found.functions
    }
    samplers: set[str] = set()
    while more := {
        name for name, called in calls.items() if name not in samplers and called & sampling
    }:
        samplers |= more
        sampling |= more
    return samplers


def number_block(
    found: Index, block: list[ast.stmt], prefix: str, around: tuple[Scoped, ...]
) -> None:
    """Number the statements of a block and all below, and note the functions among them."""
    for node in block:
        found.numbers[node] = len(found.statements)
        found.statements.append(node)
        inner_prefix, inner_around = prefix, around
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            scoped = Scoped(prefix + node.name, node, around, walk(node))
            found.functions.append(scoped)
            inner_prefix, inner_around = f"{prefix}{node.name}.", (*around, scoped)
        elif isinstance(node, ast.ClassDef):
            found.classes[prefix + node.name] = node
            inner_prefix = f"{prefix}{node.name}."
        for inner in blocks_of(node):
            number_block(found, inner, inner_prefix, inner_around)
        bound_in(node)  # from the inside out


def read_names(found: Index, parts: list[ast.AST]) -> None:
    """Every identifier of the file, and the dictionaries that are written in it."""
    names = found.identifiers
    names.update([part.id for part in parts if isinstance(part, ast.Name)])
    found.lazy = not names.isdisjoint(("filter", "iter", "map"))
    for node in parts:
        if type(node) not in NAMING:
            continue
        if isinstance(node, ast.Attribute):
            if not isinstance(node.ctx, ast.Load):
                found.attributes.setdefault(node.attr, []).append(found.stored.get(node))
        elif isinstance(node, (ast.GeneratorExp, ast.Yield, ast.YieldFrom)):
            found.lazy = True
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
            if isinstance(node, ast.ClassDef) and has_own_density(node):
                found.densities.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update(name for name, _ in bound_by(node))
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            names.update(node.names)
        elif isinstance(node, ast.Assign):
            found.stored.update((target, node.value) for target in node.targets)
            read_dictionary(found, node)
        elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.BitOr):
            if isinstance(node.target, ast.Name):  # data |= {"a": 1.0}
                found.dictionaries.setdefault(node.target.id, []).append(node.value)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            names.add(node.rest)
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            names.add(node.name)


def has_own_density(node: ast.ClassDef) -> bool:
    """``class Tilted(dist.LogNormal)`` with a `log_prob`; a plain `Distribution` keeps its own."""
    if all(ast.unparse(base).rpartition(".")[2] == "Distribution" for base in node.bases):
        return False
    return any(isinstance(part, ast.FunctionDef) and part.name == "log_prob" for part in node.body)


def read_dictionary(found: Index, node: ast.Assign) -> None:
    """``data = {"a": 1.0}`` and ``data["a"] = 1.0``"""
    for target in node.targets:
        value = node.value
        if isinstance(value, ast.IfExp) and is_none(value.orelse):
            value = value.body  # ``ExplicitReparam(...) if y is not None else None``
        if isinstance(target, ast.Name) and isinstance(value, (ast.Dict, ast.DictComp, ast.Call)):
            found.dictionaries.setdefault(target.id, []).append(value)
        elif (
            isinstance(target, ast.Subscript)
            and isinstance(target.value, ast.Name)
            and isinstance(target.slice, ast.Constant)
            and isinstance(target.slice.value, str)
        ):
            found.keys.setdefault(target.value.id, set()).add(target.slice.value)


def read_module(found: Index, tree: ast.Module, parts: list[ast.AST]) -> None:
    """What the names of the module stand for: imports, and numbers that are bound once."""
    imported: dict[str, set[str]] = {}
    numbers: dict[str, int] = {}
    bound: dict[str, int] = {}
    renamed: list[tuple[str, ast.expr]] = []
    stack: list[ast.AST] = list(reversed(tree.body))
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for name, dotted in bound_by(node):
                imported.setdefault(name, set()).add(dotted)
            continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound[node.name] = bound.get(node.name, 0) + 1
            continue
        if isinstance(node, ast.Try):
            # ``except ImportError: numpyro = None``: where the name is used it is the module.
            stack += [*node.body, *node.orelse, *node.finalbody]
            found.rebound.update(names_stored_in(node.handlers))
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
            bound[node.id] = bound.get(node.id, 0) + 1
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if not isinstance(target, ast.Name):
                    continue
                if isinstance(node.value, ast.Constant):
                    if type(node.value.value) in (int, float):
                        numbers[target.id] = numbers.get(target.id, 0) + 1
                else:
                    renamed.append((target.id, node.value))
        stack.extend(reversed(parts_of(node)))
    for node in parts if {ast.Global, ast.ImportFrom} & found.holds else ():
        if type(node) is ast.ImportFrom:
            found.starred = found.starred or is_star_of_unknown(node)
        elif isinstance(node, ast.Global):
            found.globals.update(node.names)
            for name in node.names:
                bound[name] = bound.get(name, 0) + 2
    found.module_names = {*imported, *bound}
    found.rebound |= {name for name in bound if bound[name] > 1 or name in imported}
    found.aliases = {
        name: next(iter(dotted))
        for name, dotted in imported.items()
        if len(dotted) == 1 and name not in bound
    }
    for name, value in renamed:
        dotted_value = dotted_name(found.aliases, value)
        if bound.get(name) == 1 and name not in imported and dotted_value is not None:
            found.aliases[name] = dotted_value  # sample = numpyro.sample
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            break  # what is imported below may come after the first call
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            found.certain.update(name for name, _ in bound_by(statement))
    if not found.starred:
        found.constants = {name for name in numbers if bound.get(name) == 1}


def names_stored_in(nodes: Sequence[ast.AST]) -> set[str]:
    parts = (part for node in nodes for part in walk(node))
    return {p.id for p in parts if isinstance(p, ast.Name) and not isinstance(p.ctx, ast.Load)}


def dotted_name(aliases: dict[str, str], node: ast.expr) -> str | None:
    """The dotted name of an expression by the module's imports alone."""
    return dotted(node, aliases.get)
