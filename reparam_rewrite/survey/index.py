"""One look at the whole tree: statement numbers, functions, imports, names in use."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cached_property

from msgspec import Struct

from reparam_rewrite.survey.calls import assignment, is_none
from reparam_rewrite.survey.effects import MUTATING_METHODS
from reparam_rewrite.survey.functions import reached
from reparam_rewrite.survey.names import bound_by, dotted, is_star_of_unknown, template_of
from reparam_rewrite.survey.nodes import DEFINITIONS, NAMED, FunctionNode, kinds, parts_of, walk
from reparam_rewrite.survey.scopes import bound_in, is_read, own_names
from reparam_rewrite.survey.values import Handler, Plate

IMPORTS = (ast.Import, ast.ImportFrom)

#: Most statements that hold no others.
SIMPLE = kinds("AnnAssign Assign AugAssign Expr Import ImportFrom Return")

#: What pauses a function.
YIELDS = (ast.Yield, ast.YieldFrom)

#: What `read_names` notes, beside `ast.Name`.
NOTED = NAMED.keys() | kinds(
    """Assign Attribute AugAssign GeneratorExp Global Import ImportFrom Nonlocal Yield YieldFrom
    arg"""
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
    def decorators(self) -> list[str]:
        return [ast.unparse(part) for part in self.node.decorator_list]

    @cached_property
    def rebound_inside(self) -> set[str]:
        """The names that functions inside of it declare `nonlocal`: any call may bind them."""
        parts = self.parts if ast.Nonlocal in self.holds else ()
        return {n for part in parts if isinstance(part, ast.Nonlocal) for n in part.names}

    @cached_property
    def imports(self) -> dict[str, str]:
        """The imports in its own body."""
        parts = () if self.holds.isdisjoint(IMPORTS) else self.parts
        return dict(pair for part in parts if isinstance(part, IMPORTS) for pair in bound_by(part))

    @cached_property
    def inner(self) -> frozenset[str]:
        """The names that functions inside of it see, but for what it and those around it import."""
        outer: frozenset[str] = self.around[-1].inner if self.around else frozenset()
        return (outer | self.names) - self.imports.keys()

    @cached_property
    def mentioned(self) -> Counter[str]:
        """How often each name is written in it."""
        return Counter(part.id for part in self.parts if isinstance(part, ast.Name))

    @property
    def is_implicit(self) -> bool:
        """May it run where nothing that shows calls it: for an operator, or in a loop?"""
        name = self.node.name
        if name.startswith("__") and name.endswith("__"):
            return name not in ("__call__", "__init__", "__new__", "__post_init__")
        if any(part.endswith(("setter", "deleter")) for part in self.decorators):
            return True
        if any(part.endswith("contextmanager") for part in self.decorators):
            return False  # a `with` shows where
        return not self.holds.isdisjoint(YIELDS)


class Index(Struct):
    """What is known of a tree before any function is read."""

    numbers: dict[ast.stmt, int] = {}
    statements: list[ast.stmt] = []
    functions: list[Scoped] = []
    named: dict[ast.AST, str] = {}  # functions and classes, with their dotted names
    by_last: dict[str, list[Scoped]] = {}  # functions by the last of their names
    classes: dict[str, ast.ClassDef] = {}
    attributes: dict[str, list[ast.expr | None]] = {}  # x.name = value, by the name
    aliases: dict[str, str] = {}
    certain: set[str] = set()  # names that the head of the module imports, whatever happens
    redefined: dict[str, list[int]] = {}  # functions by name, with the lines of all definitions
    constants: dict[str, float] = {}  # names of the module that are one number
    globals: set[str] = set()  # names that some function declares global
    rebound: set[str] = set()  # module-level names that are bound more than once
    module_names: set[str] = set()
    identifiers: set[str] = set()
    mentions: dict[str, int] = {}  # how often each name is written
    stores: dict[str, int] = {}  # and how often it is bound, other than as a parameter
    changed: set[str] = set()  # names of lists and dictionaries that are changed in place
    samplers: set[str] = set()  # functions that may sample, by the last of their names
    dictionaries: dict[str, list[ast.expr]] = {}
    keys: dict[str, dict[str, ast.expr]] = {}  # name["key"] = value; of templates, too
    lazy: bool = False  # something in it may run when it is iterated over
    implicit: set[str] = set()  # functions that run without a call: `__add__`, generators
    hooks: set[str] = set()  # the last names of these, and of properties
    densities: set[str] = set()  # classes that inherit a density and define another
    items: dict[ast.stmt, tuple[Plate | Handler, ...]] = {}  # those of each `with` that was read
    holds: set[type[ast.AST]] = set()  # the classes of nodes that are in it
    starred: bool = False  # ``from mylib import *``: any name may mean something else

    def last_of(self, node: ast.stmt) -> int:
        """The number of the last statement inside `node`, or its own."""
        while blocks := blocks_of(node):
            node = blocks[-1][-1]
        return self.numbers[node]


def blocks_of(node: ast.AST) -> list[list[ast.stmt]]:
    """The statement lists of a compound statement, in the order in which they are written."""
    if type(node) in SIMPLE:
        return []
    found: list[list[ast.stmt]] = []
    for name in ("body", "handlers", "cases", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list) and block:
            several = name in ("handlers", "cases")
            found += [part.body for part in block] if several else [block]
    return found


def index(tree: ast.Module) -> Index:
    """Look through a module."""
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
        implicit = scoped.is_implicit
        if implicit:
            found.implicit.add(scoped.name)
        if implicit or any(part.endswith("property") for part in scoped.decorators):
            found.hooks.add(scoped.node.name)
    found.samplers = samplers_of(found)
    found.redefined = {name: where for name, where in lines.items() if len(where) > 1}
    return found


def index_as_written(tree: ast.Module) -> Index:
    """An index that knows the statements and the identifiers of a module, and nothing else."""
    found = Index()
    number_block(found, tree.body, "", ())
    read_names(found, walk(tree))
    return found


def number_block(
    found: Index, block: list[ast.stmt], prefix: str, around: tuple[Scoped, ...]
) -> None:
    """Number the statements of a block and all below, and note the functions among them."""
    for node in block:
        found.numbers[node] = len(found.statements)
        found.statements.append(node)
        inner_prefix, inner_around = prefix, around
        if isinstance(node, DEFINITIONS):
            name = found.named[node] = prefix + node.name
            inner_prefix = f"{name}."
            if isinstance(node, ast.ClassDef):
                found.classes[name] = node
            else:
                inner_around = (*around, Scoped(name, node, around, walk(node)))
                found.functions.append(inner_around[-1])
        for inner in blocks_of(node):
            number_block(found, inner, inner_prefix, inner_around)
        bound_in(node)  # from the inside out


def samplers_of(found: Index) -> set[str]:
    """The functions that call something called sample, or such a function."""
    calls = {
        scoped.node.name: {
            getattr(node.func, "attr", "") or getattr(node.func, "id", "")
            for node in scoped.parts
            if isinstance(node, ast.Call)
        }
        for scoped in found.functions
    }
    callers: dict[str, set[str]] = {}
    for name, called in calls.items():
        for one in called:
            callers.setdefault(one, set()).add(name)
    imported = {name for name, dotted in found.aliases.items() if dotted == "numpyro.sample"}
    sampling = reached(callers, {"sample", *imported})
    return {name for name, called in calls.items() if not sampling.isdisjoint(called)}


def read_names(found: Index, parts: list[ast.AST]) -> None:
    """Every identifier of the file, and the dictionaries that are written in it."""
    names = found.identifiers
    found.mentions = Counter(part.id for part in parts if isinstance(part, ast.Name))
    found.stores = Counter(
        part.id for part in parts if isinstance(part, ast.Name) and not is_read(part)
    )
    found.changed = set(changed_in(parts))
    names.update(found.mentions)
    found.lazy = not names.isdisjoint(("filter", "iter", "map"))
    stored: dict[ast.expr, ast.expr] = {}  # the target of an assignment -> the value
    for node in parts:
        kind = type(node)
        if kind not in NOTED or (isinstance(node, ast.Attribute) and type(node.ctx) is ast.Load):
            continue
        if kind in NAMED and getattr(node, NAMED[kind]):
            names.add(getattr(node, NAMED[kind]))
        match node:
            case ast.Attribute(attr=attribute):
                found.attributes.setdefault(attribute, []).append(stored.get(node))
            case ast.arg(arg=name):
                names.add(name)
            case ast.ClassDef() if has_own_density(node):
                found.densities.add(node.name)
            case ast.Assign(targets=targets, value=value):
                stored.update((target, value) for target in targets)
                read_dictionary(found, node)
            case ast.AugAssign(target=ast.Name(id=name), op=ast.BitOr(), value=value):
                found.dictionaries.setdefault(name, []).append(value)  # data |= {"a": 1.0}
            case ast.Import() | ast.ImportFrom():
                names.update(name for name, _ in bound_by(node))
            case ast.Global() | ast.Nonlocal():
                names.update(node.names)
            case ast.GeneratorExp() | ast.Yield() | ast.YieldFrom():
                found.lazy = True


def changed_in(parts: list[ast.AST]) -> Iterator[str]:
    """The names in ``names.append("a")``, ``names[0] = "b"`` and ``del names[0]``."""
    for part in parts:
        match part:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if (
                attribute in MUTATING_METHODS
            ):
                yield name
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                yield name


def has_own_density(node: ast.ClassDef) -> bool:
    """``class Tilted(dist.LogNormal)`` with a `log_prob`; a plain `Distribution` keeps its own."""
    if all(ast.unparse(base).rpartition(".")[2] == "Distribution" for base in node.bases):
        return False
    return any(isinstance(part, ast.FunctionDef) and part.name == "log_prob" for part in node.body)


def read_dictionary(found: Index, node: ast.Assign) -> None:
    """``data = {"a": 1.0}`` and ``data["a"] = 1.0``"""
    value = node.value
    if isinstance(value, ast.IfExp) and is_none(value.orelse):
        value = value.body  # ``ExplicitReparam(...) if y is not None else None``
    for target in node.targets:
        match target:
            case ast.Name(id=name) if isinstance(value, (ast.Dict, ast.DictComp, ast.Call)):
                found.dictionaries.setdefault(name, []).append(value)
            case ast.Subscript(value=ast.Name(id=name), slice=key) if value is not None:
                template = template_of(key)
                if template is not None:
                    found.keys.setdefault(name, {})[template] = value


def read_module(found: Index, tree: ast.Module, parts: list[ast.AST]) -> None:
    """What the names of the module stand for: imports, and numbers that are bound once."""
    imported: dict[str, set[str]] = {}
    bound: defaultdict[str, int] = defaultdict(int)
    numbers: dict[str, float] = {}
    renamed: list[tuple[str, ast.expr]] = []
    stack: list[ast.AST] = list(reversed(tree.body))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name):
            if not is_read(node):
                bound[node.id] += 1
            continue
        if isinstance(node, IMPORTS):
            for name, dotted in bound_by(node):
                imported.setdefault(name, set()).add(dotted)
            continue
        if isinstance(node, DEFINITIONS):
            bound[node.name] += 1
            continue
        if isinstance(node, ast.Try):
            # ``except ImportError: numpyro = None``: where the name is used it is the module.
            stack += [*node.body, *node.orelse, *node.finalbody]
            caught = (part for handler in node.handlers for part in walk(handler))
            found.rebound |= {p.id for p in caught if isinstance(p, ast.Name) and not is_read(p)}
            continue
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets, value = assignment(node)
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            number = number_in(value)
            if number is not None:
                numbers.update(dict.fromkeys(names, number))
            elif value is not None:
                renamed += [(name, value) for name in names]
        stack.extend(reversed(parts_of(node)))
    for part in parts if {ast.Global, ast.ImportFrom} & found.holds else ():
        if isinstance(part, ast.Global):
            found.globals.update(part.names)
        elif type(part) is ast.ImportFrom:
            found.starred = found.starred or is_star_of_unknown(part)
    for name in found.globals:
        bound[name] += 2
    found.module_names = {*imported, *bound}
    found.rebound |= {name for name in bound if bound[name] > 1 or name in imported}
    found.aliases = {
        name: next(iter(dotted))
        for name, dotted in imported.items()
        if len(dotted) == 1 and name not in bound
    }
    for name, value in renamed:
        dotted_value = dotted_name(found.aliases, value)
        if bound[name] == 1 and name not in imported and dotted_value is not None:
            found.aliases[name] = dotted_value  # sample = numpyro.sample
    for statement in tree.body:
        if isinstance(statement, DEFINITIONS):
            break  # what is imported below may come after the first call
        if isinstance(statement, IMPORTS):
            found.certain.update(name for name, _ in bound_by(statement))
    if not found.starred:
        once = {name for name in numbers if bound[name] == 1} - found.rebound
        found.constants = {name: numbers[name] for name in once}


def number_in(node: ast.expr | None) -> float | None:
    """The number that is written there, perhaps with a minus."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant() as inner):
            number = number_in(inner)
            return None if number is None else -number
    return None


def dotted_name(aliases: dict[str, str], node: ast.expr) -> str | None:
    """The dotted name of an expression by the module's imports alone."""
    return dotted(node, aliases.get)
