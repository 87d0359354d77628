"""Functions of other files that a model calls, brought to where the survey reads them as its own.

What they need of their modules is put below the module of the model, as if it stood there: in a
text of all of them, so that every line has one number, and in a tree in which each name of another
module is ``name@1``, with the number of that module. No name of Python is like that, so none can
be taken for one of the model's, or be written into it.

Only what is sure is linked: a name that one definition binds, in a module that one file is. What
isn't is left as it is, a function of which nothing is known, and `Missing` says why.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from reparam_rewrite.messages import Diagnostic, Refusal
from reparam_rewrite.source.encoding import Source, physical_lines
from reparam_rewrite.source.project import INIT, Project
from reparam_rewrite.survey.effects import words
from reparam_rewrite.survey.functions import Elsewhere, Linked, Missing
from reparam_rewrite.survey.joining import put, rename
from reparam_rewrite.survey.modules import (
    Imported,
    Module,
    Read,
    dotted_of,
    is_package,
    name_in,
    names_in,
    reads_in,
)
from reparam_rewrite.survey.names import STAR
from reparam_rewrite.survey.nodes import DEFINITIONS, walk
from reparam_rewrite.survey.text import parse

#: All names of a module, as those that are bound anew.
ALL = "*"

#: How many statements of other files are read: the time grows faster than they do.
LARGEST = 1_500

#: What a function reads that samples, or says how others do: not all of `numpyro.infer` does.
SAMPLING = (
    *(f"numpyro.{name}" for name in words("deterministic factor module param plate plate_stack")),
    *("numpyro.sample", "numpyro.handlers", "numpyro.distributions", "numpyro.contrib"),
    *("numpyro.primitives", "numpyro.infer.reparam"),
)

#: What a function reads that draws from a posterior: it is no part of a model, though it may name
#: classes that are.
RUNNING = tuple(
    f"numpyro.infer.{name}" for name in words("ELBO MCMC NUTS Predictive SVI Trace_ELBO")
)

#: What sets an attribute by its name: ``setattr``, ``patch.object``.
SETTING = words("delattr object patch setattr")


class Defined(NamedTuple):
    """A name of a module that nothing else binds there."""

    module: Module
    name: str

    @property
    def statement(self) -> ast.stmt | None:
        """The function or the class that it is."""
        return next(iter(self.module.names.definitions.get(self.name, [])), None)


class Unsure(NamedTuple):
    """Why nothing can be said of a name: a sentence about it."""

    why: str
    problem: Diagnostic | None = None


Target = Module | Defined | Unsure


def linked(path: str, text: str, tree: ast.Module) -> Linked:
    """A model's file, with the functions of other files of its project that it calls."""
    return Linker(path, text, tree).linked()


class Linker:
    """Finds what the names of modules stand for, and joins the modules of those that matter."""

    def __init__(self, path: str, text: str, tree: ast.Module) -> None:
        self.project = Project(path)
        self.model = Module(
            self.project.file, Source(path, b"", "utf-8", text), tree, names_in(tree)
        )
        self.modules: dict[Path, Module | Unsure] = {}
        if self.project.file is not None:
            self.modules[self.project.file] = self.model
        self.missing: dict[tuple[int, str], Missing] = {}
        self.changed: set[str] = set()  # attributes that anything is given
        self._packages: set[Module] = set()
        self.kept: set[Defined] = set()
        self.leads: dict[Defined, set[Defined]] = {}
        self._reads: dict[ast.stmt, list[Read]] = {}
        self._asked: set[tuple[Module, str]] = set()

    # What names stand for

    def load(self, file: Path | None) -> Module | Unsure:
        """The module of a file, read once."""
        if file is None:
            return Unsure("no file of the project is found for it")
        if file not in self.modules:
            try:
                source = self.project.read(file)
                tree = parse(source.path, source.text)
                self.modules[file] = Module(file, source, tree, names_in(tree))
            except Refusal as refusal:
                hint = "what the model calls of it can be told once that is right."
                problem = replace(refusal.diagnostics[0], hint=hint)
                self.modules[file] = Unsure("its file has an error", problem)
        return self.modules[file]

    def imported(self, imported: Imported, at: Module) -> Target:
        """What an import binds a name to."""
        if not imported.is_of_project:
            return Unsure("it is no file of the project")
        module = self._module(imported, at)
        if not imported.name:
            return module
        inner = f"{imported.module}.{imported.name}".lstrip(".")
        if isinstance(module, Module):
            return self.member(module, imported.name)
        if module.problem is None:
            below = self._module(Imported(imported.level, inner), at)  # of a folder
            if isinstance(below, Module):
                return below
        return module

    def _module(self, imported: Imported, at: Module) -> Module | Unsure:
        if imported.level:
            file = at.file
            found = file and self.project.relative(file, imported.level, imported.module)
            return self.load(found or None)
        files = self.project.absolute(imported.module)
        if len(files) > 1:
            paths = " or ".join(map(self.project.shown, files))
            return Unsure(f"it may be {paths}, depending on how it is run")
        return self.load(next(iter(files), None))

    def member(self, module: Module, name: str) -> Target:
        """What an attribute of a module stands for."""
        if name not in module.names and is_package(module) and module.file is not None:
            found = self.project.relative(module.file, 1, name)
            if found is not None:
                return self.load(found)
        return self.named(module, name)

    def named(self, module: Module, name: str) -> Target:
        """What a name of a module stands for."""
        if (module, name) in self._asked:
            return Unsure("its imports go in a circle")
        defined = name in self.changed and name in module.names.definitions
        if defined or not module.changed.isdisjoint((name, ALL)):
            return Unsure("it is set anew from another place")
        self._asked.add((module, name))
        try:
            return self._named(module, name)
        finally:
            self._asked.discard((module, name))

    def _named(self, module: Module, name: str) -> Target:
        names = module.names
        definitions = names.definitions.get(name, [])
        count = len(definitions) + names.others.get(name, 0)
        if name in names.imports:
            found = {self.imported(one, module) for one in names.imports[name]}
            return (
                found.pop()
                if len(found) == 1 and not count
                else Unsure("it is bound more than once")
            )
        if count:
            return Defined(module, name) if count == 1 else Unsure("it is bound more than once")
        stars = [self._starred(star, module, name) for star in names.stars]
        sure = {one for one in stars if not isinstance(one, Unsure)}
        doubtful = any(isinstance(one, Unsure) and one.why for one in stars)
        if len(sure) == 1 and not doubtful:
            return sure.pop()
        return Unsure("its module has no such name")

    def _starred(self, star: Imported, at: Module, name: str) -> Target:
        """What ``from module import *`` binds a name to."""
        if not star.is_of_project:
            known = STAR.get(star.module)
            return Unsure("" if known is not None and name not in known else "it may have it")
        module = self._module(star, at)
        if not isinstance(module, Module):
            return Unsure("it may have it")
        public = module.names.public
        if "__all__" in module.names and public is None:
            return Unsure("it may have it")
        if name.startswith("_") if public is None else name not in public:
            return Unsure("")
        found = self.named(module, name)
        absent = isinstance(found, Unsure) and name not in module.names and not module.names.stars
        return Unsure("") if absent else found

    def target(self, read: Read, module: Module) -> tuple[Target, int]:
        """What ``a.b.c`` stands for in a module, and how much of it does: the rest is of that."""
        root = read.root.id
        found: Target
        found = (
            self.named(module, root)
            if read.imported is None
            else self.imported(read.imported, module)
        )
        used = 1
        while isinstance(found, Module) and used < len(read.chain):
            found = self.member(found, read.chain[used].attr)  # type: ignore[union-attr]
            used += 1
        return found, used

    def reads(self, code: list[ast.stmt]) -> Iterator[Read]:
        """What some statements read, found once."""
        for node in code:
            if node not in self._reads:
                self._reads[node] = [*reads_in(node)]
            yield from self._reads[node]

    # What a model needs

    def linked(self) -> Linked:
        model = self.model
        self.note_changes(model)
        wanted = self.wanted(model, model.tree.body)
        modules, reached = self.reached(wanted)
        kept = self.kept = self.that_matter(reached)
        modules = [module for module in modules if any(one.module is module for one in kept)]
        for number, module in enumerate(modules, 1):
            module.number = number
        if not kept:
            return Linked(model.source.text, model.tree, missing=self.told())
        parts = (part for one in kept if one.statement for part in walk(one.statement))
        if sum(isinstance(part, ast.stmt) for part in parts) > LARGEST:
            self.note_all(Unsure("more of the project is behind it than is read"))
            return Linked(model.source.text, model.tree, missing=self.told())
        body = [*model.tree.body]
        put(body, self.replacements(model, body, own=False))
        text, files = model.source.text, list[Elsewhere]()
        for module in modules:
            text += "\n"
            first = len(physical_lines(text))
            files.append(Elsewhere(first, module.source.path, module.number, dotted_of(module)))
            body += self.renamed(module, kept, first - 1)
            text += module.source.text
        tree = ast.Module(body, type_ignores=[])
        read = tuple(module.source.data for module in modules)
        return Linked(text, tree, tuple(files), self.told(), read, dict(self.spelt()))

    def spelt(self) -> Iterator[tuple[str, str]]:
        """Names of other modules that matter, and how the model can read them."""
        for alias in self.model.names.imports:
            found = self.named(self.model, alias)
            if isinstance(found, Module) and found.number:
                for name in found.names.others:
                    yield name_in(found, name), f"{alias}.{name}"
            elif isinstance(found, Defined) and found.module.number:
                yield name_in(found.module, found.name), alias

    def told(self) -> tuple[Missing, ...]:
        return tuple(self.missing.values())

    def wanted(self, module: Module, code: list[ast.stmt]) -> Iterator[Defined]:
        """What of other modules, and of its own, a piece of a module reads."""
        for read in self.reads(code):
            root = read.root.id
            known = root in module.names or read.imported is not None or module.names.stars
            if not known or (module is self.model and not self.is_from_elsewhere(read)):
                continue
            found, used = self.target(read, module)
            if isinstance(found, Defined):
                yield found
            elif isinstance(found, Unsure):
                self.note(read, used, found, module)

    def is_from_elsewhere(self, read: Read) -> bool:
        names, root = self.model.names, read.root.id
        if read.imported is not None:
            return read.imported.is_of_project
        if root in names.imports:
            return any(one.is_of_project for one in names.imports[root])
        return bool(names.stars) and root not in names

    def note(self, read: Read, used: int, found: Unsure, module: Module) -> None:
        """Keep why a name of the model stands for nothing that is known."""
        imports = module.names.imports.get(read.root.id, set())
        ones = [read.imported] if read.imported is not None else sorted(imports)
        if ones and ones[0].is_of_project:
            name = ".".join(
                part.attr if isinstance(part, ast.Attribute) else part.id for part in read.chain
            )
            root = name_in(module, read.root.id)
            told = Missing(root, name, str(ones[0]), found.why, found.problem)
            self.missing.setdefault((module.number, name), told)

    def note_all(self, why: Unsure) -> None:
        """Keep why nothing is known of all that the model reads of other files."""
        for read in self.reads(self.model.tree.body):
            if self.is_from_elsewhere(read):
                self.note(read, len(read.chain), why, self.model)

    def note_changes(self, module: Module) -> None:
        """``parts.effect = other``, ``setattr(parts, "effect", other)``: not what was defined."""
        handed: dict[ast.AST, Module] = {}
        for read in self.reads(module.tree.body):
            *holder, last = read.chain
            found, used = self.target(read, module)
            if isinstance(found, Module) and used == len(read.chain):
                handed[last] = found
            held, _ = self.target(Read(holder, read.imported), module) if holder else (None, 0)
            if isinstance(held, Module) and getattr(last, "attr", "") == "__dict__":
                held.changed.add(ALL)
        for part in walk(module.tree):
            match part:
                case ast.Attribute(value=holds, attr=name, ctx=ast.Store() | ast.Del()):
                    if getattr(holds, "id", "") not in ("self", "cls"):
                        self.changed.add(name)
                case ast.Call(func=called, args=args):
                    texts = (str(one.value) for one in args if isinstance(one, ast.Constant))
                    names = {text.rpartition(".")[2] for text in texts}
                    if (getattr(called, "attr", "") or getattr(called, "id", "")) in SETTING:
                        self.changed |= names
                    for held in (handed[one] for one in args if one in handed):
                        held.changed |= names or {ALL}

    def note_packages(self, file: Path | None) -> None:
        """What the packages around a file change when it is imported."""
        while file is not None:
            folder = file.parent.parent if file.name == INIT else file.parent
            file = folder / INIT if (folder / INIT).is_file() else None
            package = None if file is None else self.load(file)
            if isinstance(package, Module) and package not in self._packages:
                self._packages.add(package)
                self.note_changes(package)

    def reached(self, wanted: Iterator[Defined]) -> tuple[list[Module], set[Defined]]:
        """The other modules that matter, numbered, and the functions and classes of them."""
        modules, kept = list[Module](), set[Defined]()
        waiting = [one for one in wanted if one.statement is not None]
        while waiting:
            one = waiting.pop()
            if one in kept or one.module is self.model or one.statement is None:
                continue
            kept.add(one)
            code = [one.statement]
            if one.module not in modules:
                modules.append(one.module)
                code += [node for node in one.module.tree.body if is_kept(node)]
                self.note_changes(one.module)
                self.note_packages(one.module.file)
            self.leads[one] = {*self.wanted(one.module, [one.statement])}
            waiting += self.wanted(one.module, code)
        return modules, kept

    def that_matter(self, reached: set[Defined]) -> set[Defined]:
        """Those that sample, or lead there, and what only computes: none that runs a model."""
        reached = {one for one in reached if not self.mentions(one, RUNNING)}
        found = {o for o in reached if self.mentions(o, SAMPLING) or self.reads_model(o)}
        waiting = reached - found
        while more := {one for one in waiting if not self.leads[one].isdisjoint(found)}:
            found |= more
            waiting -= more
        plain = {
            one for one in waiting if not self.mentions(one, ("numpyro",)) and not has_with(one)
        }
        return found | plain if found else found

    def mentions(self, one: Defined, modules: tuple[str, ...]) -> bool:
        """Does a function or a class read something of these modules?"""
        names = one.module.names
        for read in self.reads([one.statement] if one.statement is not None else []):
            ones = names.imports.get(read.root.id, set())
            ones = ones if read.imported is None else {read.imported}
            path = [getattr(part, "attr", "") for part in read.chain[1:]]
            stars = [] if read.root.id in names else names.stars
            ones = {*ones, *(star._replace(name=read.root.id) for star in stars)}
            for known in ones:
                dotted = ".".join([known.module, *filter(None, [known.name, *path])])
                if f"{dotted}.".startswith(tuple(f"{module}." for module in modules)):
                    return True
        return False

    def reads_model(self, one: Defined) -> bool:
        """Does a function or a class read something of the model's own file?"""
        reads = self.reads([one.statement] if one.statement is not None else [])
        found = (self.target(read, one.module)[0] for read in reads)
        return any(isinstance(it, Defined) and it.module is self.model for it in found)

    # The joined tree

    def replacements(
        self, module: Module, code: list[ast.stmt], *, own: bool
    ) -> dict[ast.AST, ast.AST]:
        """The names of other modules in a piece of code, as they are in the joined tree.

        `own`: those of the module itself, too. Of the model only functions and classes, as what
        else it reads may have to be written again.
        """
        found: dict[ast.AST, ast.AST] = {}
        for read in self.reads(code):
            root = read.root
            if module is self.model and not self.is_from_elsewhere(read):
                continue
            target, used = self.target(read, module)
            if isinstance(target, Unsure) and module is self.model:
                self.note(read, used, target, module)
            if isinstance(target, Defined) and isinstance(read.chain[used - 1].ctx, ast.Load):
                known = target.module.number or target.module is self.model
                if target.statement is not None:
                    known = target.module is self.model or target in self.kept
                if known and (own or target.statement is not None):
                    last = read.chain[used - 1]
                    name = name_in(target.module, target.name)
                    found[last] = ast.copy_location(ast.Name(name, last.ctx), last)
                    continue
            builtin = is_builtin(root) and root.id not in self.model.names
            if own and read.imported is None and (root.id in module.names or not builtin):
                name = name_in(module, root.id)
                found[root] = ast.copy_location(ast.Name(name, root.ctx), root)
        return found

    def renamed(self, module: Module, kept: set[Defined], above: int) -> list[ast.stmt]:
        """What is needed of a module, each of its names with its number, `above` lines lower."""
        code = [
            node
            for node in module.tree.body
            if (
                is_kept(node)
                if not isinstance(node, DEFINITIONS)
                else Defined(module, node.name) in kept
            )
        ]
        put(code, self.replacements(module, code, own=True))
        for node in code:
            rename(node, module)
        bound = module.names.definitions.keys() | module.names.others.keys()
        left = {name for name in module.names.definitions if Defined(module, name) not in kept}
        for name in sorted(module.changed | (self.changed & bound) | left):
            anew = ast.Assign([ast.Name(name_in(module, name), ast.Store())], ast.Constant(None))
            code.append(ast.fix_missing_locations(ast.copy_location(anew, module.tree.body[-1])))
        for node in code:
            ast.increment_lineno(node, above)
        return code


def is_builtin(root: ast.Name) -> bool:
    return hasattr(builtins, root.id)


def has_with(one: Defined) -> bool:
    parts = walk(one.statement) if one.statement is not None else []
    return any(isinstance(part, (ast.With, ast.AsyncWith)) for part in parts)


def is_kept(node: ast.stmt) -> bool:
    """Is it a statement of a module that runs when it is imported, other than a definition?"""
    if isinstance(node, ast.If):
        return "__name__" not in {
            part.id for part in ast.walk(node.test) if isinstance(part, ast.Name)
        }
    return not isinstance(node, DEFINITIONS)
