"""What a survey says of each function of a file, and of the file as a whole."""

from __future__ import annotations

import ast
from functools import cached_property

from msgspec import Struct

from reparam_rewrite.messages import Place
from reparam_rewrite.survey.callgraph import Callgraph
from reparam_rewrite.survey.effects import FileFacts
from reparam_rewrite.survey.timeline import Assigned, RightSide, Timeline
from reparam_rewrite.survey.values import Comment, Site


class Addressed(Struct, frozen=True):
    """A handler such as `condition(model, {"a": 0.0})`, called or in a `with`.

    `sites` is None where the dictionary can't be read. `targets` are the functions, lambdas and
    handlers that it is given and that its blocks call. `displayed`: the dictionary stands in the
    file, with keys that are put together. `chooses` is the argument by which it chooses in a way
    that can't be read, if it has one. `blocks` are the lines of the blocks that it is around, and
    `unseen` those of them where the `with` doesn't show it: ``with known():``.
    """

    handler: str
    sites: frozenset[str] | None
    targets: frozenset[str]
    place: Place
    displayed: bool = False
    chooses: str = ""
    blocks: tuple[tuple[int, int], ...] = ()
    unseen: tuple[tuple[int, int], ...] = ()


class Hidden(Struct, frozen=True):
    """Module-level names that the names of a function, or of one around it, hide.

    Not one set of them: of those around it, all functions inside share theirs.
    """

    by: tuple[frozenset[str], ...]

    def __contains__(self, name: object) -> bool:
        return any(name in names for names in self.by)


class Evaluated(Struct):
    """What a function evaluates: for those who ask what its values are made of.

    `steps` are the expressions of its statements, in their order, and `returned` those that it
    gives back, each with the branches that lead there. `sampled` are the calls of `sample` by the
    index of their site, and `followed` what the helpers give back whose bodies are read as its own.
    """

    node: ast.FunctionDef | ast.AsyncFunctionDef
    steps: list[Assigned] = []
    returned: list[Returned] = []
    sampled: dict[ast.Call, int] = {}
    followed: dict[ast.Call, list[Returned]] = {}


#: What a ``return`` gives back, and the choices that lead there, each with the position taken.
Returned = tuple[RightSide | None, tuple[tuple[int, int], ...]]


class Function(Struct):
    """A function, method or nested function; `name` is dotted ("Forecaster.model")."""

    name: str
    place: Place
    timeline: Timeline
    visible: tuple[frozenset[str], ...]  # names of enclosing scopes, the module and builtins
    hidden: Hidden  # module-level names that its own or enclosing names hide
    unstable: frozenset[str]  # names that other functions may bind anew
    first: int  # its own `def` statement
    last: int  # the last statement of its body
    evaluated: Evaluated
    sites: list[Site] = []
    by_name: dict[str, list[Site]] = {}
    params: set[str] = set()
    taken: set[str] = set()  # names of sites of every kind: latent, param, plate, deterministic
    imports: set[str] = set()  # names that its own imports bind
    roots: set[str] = set()  # names through which it calls NumPyro
    entered: tuple[int, int] | None = None  # statement and line of the first context by hand
    unreadable: list[Place] = []  # samples whose name isn't a literal
    commented: set[Comment] = set()  # those on statements that sample
    runner: str = ""  # the function whose scan runs this one
    run_at: int = 0  # the statement of that scan

    def find(self, name: str) -> list[Site]:
        """The sites of that name, in the order in which they are written."""
        return self.by_name.get(name, [])

    def add(self, site: Site) -> None:
        self.sites.append(site)
        self.by_name.setdefault(site.name, []).append(site)
        self.taken.add(site.name)

    def amend(self, site: Site) -> None:
        """Put `site` in the place of the one with its index."""
        old = self.sites[site.index]
        self.sites[site.index] = site
        if site.name == old.name:
            called = self.by_name[site.name]
            called[[known.index for known in called].index(site.index)] = site
            return
        self.by_name.clear()
        for known in self.sites:
            self.by_name.setdefault(known.name, []).append(known)


class Survey(Callgraph, frozen=True):
    """All that was read from a file; its functions are in its order, by their dotted names."""

    path: str
    functions: dict[str, Function]
    identifiers: frozenset[str]  # every name used anywhere in the file
    aliases: dict[str, str]  # module-level name -> dotted name it was imported as
    certain: frozenset[str]  # those of them that are imported whatever happens
    constants: frozenset[str]  # module-level names that are one number
    redefined: dict[str, list[int]]  # functions that are defined at several lines
    enclosed: dict[str, int]  # functions that are given to scan, cond, vmap..., with the line
    addressed: tuple[Addressed, ...]
    densities: frozenset[str]  # classes of the file that say their own log_prob
    statements: tuple[ast.stmt, ...]  # by number
    classes: frozenset[str] = frozenset()  # by their dotted names
    patched: bool = False  # it sets what functions are made of
    stray: tuple[Comment, ...] = ()  # comments for the rewriter, on no statement that samples
    lines: tuple[str, ...] = ()
    facts: FileFacts = FileFacts()

    @cached_property
    def guides(self) -> list[Function]:
        """The functions that are called a guide."""
        return [f for f in self.functions.values() if "guide" in f.name.lower()]

    @cached_property
    def entering(self) -> bool:
        """Does any function enter a context without a `with`?"""
        return any(function.entered is not None for function in self.functions.values())

    def line(self, place: Place) -> str:
        """The source line at a place, for a message."""
        return self.lines[place.line - 1] if place.line <= len(self.lines) else ""
