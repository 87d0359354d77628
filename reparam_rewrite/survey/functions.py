"""What a survey says of each function of a file, and of the file as a whole."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TypeVar

from msgspec import Struct

from reparam_rewrite.messages import Diagnostic, Place, Refusal
from reparam_rewrite.survey.effects import FileFacts
from reparam_rewrite.survey.nodes import walk
from reparam_rewrite.survey.timeline import Assigned, RightSide, Timeline
from reparam_rewrite.survey.values import Comment, Site

Value = TypeVar("Value")

#: The callee where anything that another module hands in may be called.
ANY = "*"


class Call(Struct, frozen=True):
    """A call that `caller` may make of `callee`, both by their dotted names.

    Beside functions, what calls and is called may be a lambda, a handler that holds a function, or
    the module, called "". `plated` is the line of the `with`, or of the call, if it may be made in
    a plate, and `weighed` that of what may weigh the log density of what it samples, else 0.
    `handed`: another module may make it, which is given the callee or inherited by its class.
    """

    caller: str
    callee: str
    line: int
    plated: int = 0
    weighed: int = 0
    handed: bool = False

    @property
    def in_with(self) -> bool:
        """Is it a `with` that weighs, and no handler that is called?"""
        return not self.caller.startswith("<handler")


class Addressed(Struct, frozen=True):
    """A handler such as `condition(model, {"a": 0.0})`, called or in a `with`.

    `sites` is None where its dictionary can't be read, and it is `displayed` if it stands in the
    file. `targets` are the functions, lambdas and handlers that it is given and that its blocks
    call. `chooses` is the argument by which it chooses in a way that can't be read, if any.
    `blocks` are the lines of the blocks that it is around, `unseen` those where the `with` doesn't
    show it: ``with known():``. `decorates` is the function that it is a decorator of, and
    `reparams` are as those of a `Handler`.
    """

    handler: str
    sites: frozenset[str] | None
    targets: frozenset[str]
    place: Place
    displayed: bool = False
    chooses: str = ""
    blocks: tuple[tuple[int, int], ...] = ()
    unseen: tuple[tuple[int, int], ...] = ()
    decorates: str = ""
    reparams: tuple[tuple[str, str], ...] = ()


class Hidden(Struct, frozen=True):
    """Module-level names that the names of a function, or of one around it, hide.

    Not one set of them: of those around it, all functions inside share theirs.
    """

    by: tuple[frozenset[str], ...]

    def __contains__(self, name: object) -> bool:
        return any(name in names for names in self.by)


#: What a ``return`` gives back, and the choices that lead there, each with the position taken.
Returned = tuple[RightSide | None, tuple[tuple[int, int], ...]]


class Function(Struct, dict=True):
    """A function, method or nested function; `name` is dotted ("Forecaster.model").

    `visible` are the names of the scopes around it, the module and builtins, and `hidden` the
    module-level ones that its own or those around it hide. `taken` are the names of sites of every
    kind: latent, param, plate, deterministic. `entered` is the statement and the line of the first
    context that is entered by hand.

    What its values are made of is told by `steps`, the expressions of its statements in their
    order, `returned`, those that it gives back, `sampled`, the calls of `sample` with the index of
    their site, and `followed`, what the helpers give back whose bodies are read as its own.
    """

    name: str
    place: Place
    node: ast.FunctionDef | ast.AsyncFunctionDef
    timeline: Timeline
    visible: tuple[frozenset[str], ...]
    hidden: Hidden
    unstable: frozenset[str]  # names that other functions may bind anew
    captured: frozenset[str]  # names of functions around it, but for what these import
    first: int  # its own `def` statement
    sites: list[Site] = []
    params: set[str] = set()
    taken: set[str] = set()
    imports: set[str] = set()  # names that its own imports bind
    roots: set[str] = set()  # names through which it calls NumPyro
    entered: tuple[int, int] | None = None
    unreadable: list[Place] = []  # samples whose name isn't a literal
    commented: set[Comment] = set()  # those on statements that sample
    runner: str = ""  # the function whose scan runs this one
    run_at: int = 0  # the statement of that scan
    steps: list[Assigned] = []
    returned: list[Returned] = []
    sampled: dict[ast.Call, int] = {}
    followed: dict[ast.Call, list[Returned]] = {}

    @cached_property
    def by_name(self) -> dict[str, list[Site]]:
        """Its sites by their names, in the order in which they are written, once all are read."""
        return grouped((site.name, site) for site in self.sites)

    @cached_property
    def ends_last(self) -> bool:
        """Does it return in its last statement only, having come to all that always runs?"""
        before = (part for statement in self.node.body[:-1] for part in walk(statement))
        return not any(isinstance(part, ast.Return) for part in before)

    def find(self, name: str) -> list[Site]:
        """The sites of that name, in the order in which they are written."""
        return self.by_name.get(name, [])

    def add(self, site: Site) -> None:
        self.sites.append(site)
        self.taken.add(site.name)

    def amend(self, site: Site) -> None:
        """Put `site` in the place of the one with its index."""
        self.sites[site.index] = site


class Elsewhere(Struct, frozen=True):
    """Another file that was read, whose lines stand below those of the model, from `first` on.

    Its names have its `number`; sentences call it by its `name`.
    """

    first: int
    path: str
    number: int
    name: str


class Missing(Struct, frozen=True):
    """An imported name of which nothing is known, and why: it may be a function that samples.

    `root` is what is imported, and `name` all that is read of that: ``parts.effect``. `problem` is
    what is wrong with the file that it is of.
    """

    root: str
    name: str
    module: str
    why: str
    problem: Diagnostic | None = None


class Linked(Struct, frozen=True):
    """A model with what it calls of other files, in a tree that was made of the model's.

    `spelt` has for names of other modules how the model can read them.
    """

    text: str
    tree: ast.Module
    files: tuple[Elsewhere, ...] = ()
    missing: tuple[Missing, ...] = ()
    read: tuple[bytes, ...] = ()
    spelt: dict[str, str] = {}


class Survey(Struct, frozen=True, dict=True):
    """All that was read from a file; its functions are in its order, by their dotted names.

    `edges` are all calls that may be made. What is asked of them for every site of every function
    is worked out once. Of other files there is what the model calls, as if it stood below.
    """

    edges: tuple[Call, ...]
    path: str
    functions: dict[str, Function]
    identifiers: frozenset[str]  # every name used anywhere in the file
    aliases: dict[str, str]  # module-level name -> dotted name it was imported as
    certain: frozenset[str]  # those of them that are imported whatever happens
    constants: frozenset[str]  # module-level names that are one number
    redefined: dict[str, list[int]]  # functions that are defined at several lines
    enclosed: dict[str, int]  # functions that are given to scan, cond, vmap..., with the line
    backwards: frozenset[str]  # those that a scan of NumPyro's runs from the last step on
    addressed: tuple[Addressed, ...]
    densities: frozenset[str]  # classes of the file that say their own log_prob
    statements: tuple[ast.stmt, ...]  # by number, as they are read
    written: tuple[ast.stmt, ...]  # the same as they are written
    classes: frozenset[str] = frozenset()  # by their dotted names
    patched: bool = False  # it sets what functions are made of
    stray: tuple[Comment, ...] = ()  # for the rewriter, on no statement that is known to sample
    lines: tuple[str, ...] = ()
    facts: FileFacts = FileFacts()
    imported: dict[str, str] = {}  # the aliases, with those of other files
    elsewhere: tuple[Elsewhere, ...] = ()
    missing: tuple[Missing, ...] = ()
    read: tuple[bytes, ...] = ()  # the other files

    @cached_property
    def own(self) -> dict[str, Function]:
        """The functions of the file itself, which can be changed."""
        return {name: f for name, f in self.functions.items() if "@" not in name}

    @cached_property
    def guides(self) -> list[Function]:
        """The functions that are called a guide."""
        return [f for f in self.functions.values() if "guide" in f.name.lower()]

    @cached_property
    def scopes(self) -> bool:
        """May a `scope` put something before the names of sites?"""
        return any("scope" in line for line in self.lines)

    @cached_property
    def entering(self) -> bool:
        """Does any function enter a context without a `with`?"""
        return any(function.entered is not None for function in self.functions.values())

    @cached_property
    def calls(self) -> dict[str, list[str]]:
        """For each function, lambda and handler those that it may call."""
        return grouped((call.caller, call.callee) for call in self.edges)

    @cached_property
    def callers(self) -> dict[str, list[str]]:
        """For each function, lambda and handler those that may call it."""
        return grouped((call.callee, call.caller) for call in self.edges)

    @cached_property
    def plated(self) -> list[Call]:
        """The calls under what may be a plate."""
        return [call for call in self.edges if call.plated]

    @cached_property
    def weighed(self) -> list[Call]:
        """The calls under what may weigh a log density."""
        return [call for call in self.edges if call.weighed]

    def may_reach(self, call: Call, function: Function, site: Site) -> bool:
        """May a call that runs `function` come to its `site`?

        What another module might do isn't known; but it doesn't run what would sample, by the same
        name, what the caller has sampled before the call: NumPyro has no such models.
        """
        caller = self.functions.get(call.caller)
        if call.caller == function.name and (call.handed or call.callee != function.name):
            # It would come back to itself, and sample all of its sites again.
            own = self.lines[: self.elsewhere[0].first - 1] if self.elsewhere else self.lines
            scoped = any("scope" in line for line in own)
            if not scoped and function.ends_last and any(map(self.sure, function.sites)):
                return False
        if not call.handed or caller is None:
            return True
        before = {one.name for one in caller.sites if one.place.line < call.line and self.sure(one)}
        there = (one for one in function.sites if one.order <= site.order)
        return before.isdisjoint(one.name for one in there if self.sure(one, one is site))

    def sure(self, site: Site, reached: bool = False) -> bool:
        """Is the site sampled whatever branch is taken, unless it is reached, by one name ever?"""
        named = all(not read.version and read.name in self.aliases for read in site.call.name_reads)
        return named and (reached or not (site.path or site.choices or site.through))

    def running(self, function: str) -> set[str]:
        """All that may run a function, with itself: functions, lambdas and handlers."""
        return reached(self.callers, {function})

    def together(self, function: str) -> set[str]:
        """All that a model may run that runs this function: what may call it, and their calls.

        Such functions share one space of site names.
        """
        return reached(self.calls, self.running(function))

    def place(self, place: Place) -> Place:
        """Where a user finds a place: those of other files are below the model's lines here."""
        before = [one for one in self.elsewhere if one.first <= place.line]
        if place.path != self.path or not before:
            return place
        path, line = before[-1].path, place.line - before[-1].first + 1
        return Place(path, line, place.column, path.rpartition("/")[2])

    def spelt(self, text: str) -> str:
        """A text in which the names of other files are as sentences have them: ``parts.effect``."""
        for other in self.elsewhere:
            text = re.sub(rf"([^\W\d]\w*)@{other.number}\b", rf"{other.name}.\1", text)
        return text

    def located(self, refusal: Refusal) -> Refusal:
        """A refusal with its places, and the names of other files, as a user finds them."""
        told = refusal.diagnostics if self.elsewhere else ()
        moved = [one.moved(self.place, one.source, self.spelt) for one in told]
        return Refusal(moved) if moved else refusal

    def line(self, place: Place) -> str:
        """The source line at a place, for a message."""
        return self.lines[place.line - 1] if place.line <= len(self.lines) else ""


def grouped(pairs: Iterable[tuple[str, Value]]) -> dict[str, list[Value]]:
    """All values of the pairs by their keys."""
    found: dict[str, list[Value]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def reached(graph: Mapping[str, Iterable[str]], start: set[str]) -> set[str]:
    """All that can be reached from `start`, with itself."""
    found, waiting = set(start), list(start)
    while waiting:
        new = {*graph.get(waiting.pop(), ())} - found
        found |= new
        waiting += new
    return found
