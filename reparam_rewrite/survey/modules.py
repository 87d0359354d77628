"""What binds the names of a module, and which of them does a piece of its code read?"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from reparam_rewrite.source.encoding import Source
from reparam_rewrite.source.project import INIT
from reparam_rewrite.survey.names import LIBRARIES
from reparam_rewrite.survey.nodes import DEFINITIONS, NAMED, FunctionNode, parts_of, walk
from reparam_rewrite.survey.scopes import bound_names, names_of

IMPORTS = (ast.Import, ast.ImportFrom)

COMPREHENSIONS = (ast.DictComp, ast.GeneratorExp, ast.ListComp, ast.SetComp)


class Imported(NamedTuple):
    """What an import binds a name to: a module, or what has a `name` there; `level` counts dots."""

    level: int
    module: str
    name: str = ""

    def __str__(self) -> str:
        return f"{'.' * self.level}{self.module}"

    @property
    def is_of_project(self) -> bool:
        return self.level > 0 or self.module.partition(".")[0] not in LIBRARIES


#: Of names of functions around: which import binds it there, None if something else does.
Local = Mapping[str, Imported | None]


class Names(Struct):
    """What binds each name of a module: imports, definitions, and how many other statements.

    `stars` are the modules of which it imports all names, and `public` what it has in `__all__`:
    None without, and where it can't be told which these are.
    """

    imports: dict[str, set[Imported]] = {}
    definitions: dict[str, list[ast.stmt]] = {}
    others: dict[str, int] = {}
    stars: list[Imported] = []
    public: frozenset[str] | None = None

    def __contains__(self, name: object) -> bool:
        return name in self.imports or name in self.definitions or name in self.others


def imported_by(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Imported]]:
    """The names that an import binds, "*" for all that a module has."""
    for alias in statement.names:
        if isinstance(statement, ast.ImportFrom):
            found = Imported(statement.level, statement.module or "", alias.name)
            yield alias.asname or alias.name, found
        else:
            top = alias.name.partition(".")[0]
            yield alias.asname or top, Imported(0, alias.name if alias.asname else top)


def names_in(tree: ast.Module) -> Names:
    """What binds the names of a module, wherever in its statements."""
    found, caught = Names(), set[ast.AST]()
    stack: list[ast.AST] = list(tree.body)
    for node in stack:  # which grows meanwhile
        if isinstance(node, IMPORTS):
            for name, imported in imported_by(node):
                if name == "*":
                    found.stars.append(imported)
                else:
                    found.imports.setdefault(name, set()).add(imported)
            continue
        if isinstance(node, DEFINITIONS):
            found.definitions.setdefault(node.name, []).append(node)
            continue
        if isinstance(node, ast.Assign):
            if node in caught and isinstance(node.value, ast.Constant) and node.value.value is None:
                continue  # ``except ImportError: effect = None``: where it is called it is no None
            if [ast.unparse(target) for target in node.targets] == ["__all__"]:
                found.public = written_out(node.value)
        if isinstance(node, ast.ExceptHandler):
            caught.update(node.body)
        for bound in bound_by_node(node):
            found.others[bound] = found.others.get(bound, 0) + 1
        stack += parts_of(node)
    for part in walk(tree):
        for name in part.names if isinstance(part, ast.Global) else ():
            found.others[name] = found.others.get(name, 0) + 2
    return found


def bound_by_node(node: ast.AST) -> Iterator[str]:
    """The name that a node by itself binds: ``x`` where it is stored, ``except E as x``."""
    if isinstance(node, ast.Name):
        if not isinstance(node.ctx, ast.Load):
            yield node.id
    elif type(node) in NAMED and getattr(node, NAMED[type(node)]):
        yield getattr(node, NAMED[type(node)])


def written_out(node: ast.expr) -> frozenset[str] | None:
    try:
        return frozenset(ast.literal_eval(node))
    except (ValueError, TypeError):
        return None


class Module(Struct, eq=False):
    """A file as it was read: the model's own has the number 0."""

    file: Path | None
    source: Source
    tree: ast.Module
    names: Names
    number: int = 0
    changed: set[str] = set()  # its names that are bound anew from elsewhere


class Read(NamedTuple):
    """``a``, ``a.b`` or ``a.b.c`` in a piece of code, from the name outwards.

    `imported` is what the name is if a function around imports it, None if the module binds it.
    """

    chain: list[ast.Name | ast.Attribute]
    imported: Imported | None

    @property
    def root(self) -> ast.Name:
        assert isinstance(self.chain[0], ast.Name)
        return self.chain[0]


def reads_in(node: ast.AST) -> Iterator[Read]:
    """All names in a piece of a module's own code that aren't local to a function or a class."""
    stack: list[tuple[ast.AST, Local, frozenset[str]]] = [(node, {}, frozenset())]
    while stack:
        node, around, own = stack.pop()
        match node:
            case ast.Name() | ast.Attribute():
                chain = chain_of(node)
                if chain is None:
                    stack += [(part, around, own) for part in parts_of(node)]
                elif isinstance(chain[0], ast.Name) and chain[0].id not in own:
                    known = around.get(chain[0].id)
                    if known is not None or chain[0].id not in around:
                        yield Read(chain, known)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                heads = [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]
                stack += [(head, around, own) for head in heads]
                inner = inside(node, around)
                stack += [(part, inner, frozenset()) for part in node.body]
            case ast.Lambda(args=arguments, body=body):
                stack.append((arguments, around, own))
                names = (part.arg for part in walk(arguments) if isinstance(part, ast.arg))
                stack.append((body, {**around, **dict.fromkeys(names)}, frozenset()))
            case ast.ClassDef():
                heads = [*node.decorator_list, *node.bases, *node.keywords]
                stack += [(head, around, own) for head in heads]
                names_here = frozenset(names_of(node.body))
                stack += [(part, around, names_here) for part in node.body]
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                targets = [bound_names(loop.target, in_place=False) for loop in node.generators]
                local = {**around, **dict.fromkeys(frozenset().union(*targets))}
                first = node.generators[0]
                stack.append((first.iter, around, own))
                parts = [*parts_of(node), *parts_of(first)]
                kept = [part for part in parts if part not in (first, first.iter)]
                stack += [(part, local, own) for part in kept]
            case _:
                stack += [(part, around, own) for part in parts_of(node)]


def chain_of(node: ast.expr) -> list[ast.Name | ast.Attribute] | None:
    """The parts of ``a.b.c`` from the name outwards; None if it begins with something else."""
    found: list[ast.Name | ast.Attribute] = []
    while isinstance(node, ast.Attribute):
        found.append(node)
        node = node.value
    return [node, *reversed(found)] if isinstance(node, ast.Name) else None


def inside(node: FunctionNode, around: Local) -> Local:
    """What the names of a function are that those around it don't share."""
    parts = [part for statement in node.body for part in scope_of(statement)]
    imported: dict[str, set[Imported]] = {}
    for part in parts:
        for name, one in imported_by(part) if isinstance(part, IMPORTS) else ():
            imported.setdefault(name, set()).add(one)
    arguments = {part.arg for part in walk(node.args) if isinstance(part, ast.arg)}
    bound = arguments.union(*(bound_by_node(part) for part in parts))
    found = {**around, **dict.fromkeys(arguments | names_of(node.body))}
    for name, ones in imported.items():
        found[name] = next(iter(ones)) if len(ones) == 1 and name not in bound else None
    for part in parts:
        for name in part.names if isinstance(part, ast.Global) else ():
            found.pop(name, None)
    return found


def scope_of(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all in it that is in the same scope, and the heads of other scopes."""
    stack = [node]
    for part in stack:  # which grows meanwhile
        yield part
        if not isinstance(part, (*DEFINITIONS, ast.Lambda)):
            stack += parts_of(part)


def name_in(module: Module, name: str) -> str:
    """A name of a module in the joined tree."""
    return f"{name}@{module.number}" if module.number else name


def is_package(module: Module) -> bool:
    return module.file is not None and module.file.name == INIT


def dotted_of(module: Module) -> str:
    """What sentences call a module."""
    assert module.file is not None
    return module.file.parent.name if is_package(module) else module.file.stem
