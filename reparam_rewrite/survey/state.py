"""What is known of a function while it is read: the scope of its expressions, its sites so far."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.survey.effects import ARRAY_MODULES, MUTATING_METHODS, FileFacts
from reparam_rewrite.survey.functions import Function, Hidden, Returned
from reparam_rewrite.survey.helpers import made_by
from reparam_rewrite.survey.index import Index, Scoped
from reparam_rewrite.survey.names import dotted
from reparam_rewrite.survey.nodes import root_of, walk
from reparam_rewrite.survey.points_to import parameters
from reparam_rewrite.survey.purity import ACTING, acts, before, bindings_in, touched_by
from reparam_rewrite.survey.scopes import Scope, bound_names, sizes_in
from reparam_rewrite.survey.shapes import shape_of
from reparam_rewrite.survey.text import Text
from reparam_rewrite.survey.timeline import (
    NO_VALUES,
    Altered,
    Argument,
    Assigned,
    Binding,
    Ended,
    Part,
    RightSide,
    Timeline,
)
from reparam_rewrite.survey.values import Frame, Shape, Use

#: Which sites a value is made of: one, by its index, or several in a tuple or a dictionary.
Outputs = int | tuple["Outputs", ...] | dict[str, "Outputs"] | None


#: A test that holds, or doesn't, with the bindings that it was read under.
Condition = tuple[str, bool, frozenset[Use]]


class Followed(Struct):
    """A call of a helper that is being read.

    `name` is the helper's, `statement` and `call` are those of the function that is read itself,
    `returned` is the helper's only ``return``, at its end, and `outputs` the sites in what that
    gives back. `era` is when it was called: see `Use`; `chosen` how many branches led there.
    `given_back` is all that it returns.
    """

    name: str
    statement: ast.stmt
    call: ast.Call
    returned: ast.Return | None
    era: int
    chosen: int
    outputs: Outputs = None
    given_back: list[Returned] = []


class State(Scope):
    """One function as far as it was read; also the `Scope` that its expressions are read in.

    `read_block` reads statements, as those of a helper or a scan are come to in an expression.
    It tells whether they surely leave the function or the loop.
    """

    def __init__(
        self,
        index: Index,
        text: Text,
        scoped: Scoped,
        shared: tuple[frozenset[str], ...],
        facts: FileFacts,
        read_block: Callable[[State, list[ast.stmt]], bool],
        runner: State | None = None,
    ) -> None:
        """`runner` has just come to a scan whose body this function is."""
        self.index, self.text, self.scoped, self.shared = index, text, scoped, shared
        self.facts, self.constants = facts, index.constants
        self.read_block, self.runner = read_block, runner
        # What expressions stand for that no statement here can change.
        self._resolved: dict[ast.expr, str | None] = {}
        self._around = [(outer.names, outer.imports) for outer in reversed(scoped.around)]
        names = [own for own, _ in self._around]
        siblings = set().union(*(outer.rebound_inside for outer in scoped.around))
        unstable = frozenset(index.globals | scoped.rebound_inside | (siblings - scoped.names))
        #: Its local names, and those of the helpers that are followed.
        self.locals = set(scoped.names)
        self.timeline: Timeline = Timeline(unstable, runner.timeline.versions if runner else None)
        self.frames: list[Frame] = []
        self.blocks: int = runner.blocks if runner else 0
        #: The statements that enter a context which ends where the innermost `with` does.
        self.entering: set[ast.stmt] = set()
        #: The branches that what is read stands in: each choice, and which position is taken.
        self.chosen: list[tuple[int, int]] = []
        self.ended: dict[Condition, Ended] = {}
        #: Of a statement that is read as an ``if``, which parts lead to each of its own parts.
        self.choices: dict[ast.stmt, tuple[str, ...]] = {}
        #: The shapes of what is sampled by a name that can't be told.
        self.nameless: dict[ast.Call, Shape | None] = {}
        #: The bodies of the scans that were followed, read, and what these scans give back.
        self.bodies: dict[str, Function] = {}
        self.scans: dict[ast.Call, Outputs] = {}
        #: The sites that the body of a scan hands on, and those that it gives back.
        self.returned: tuple[Outputs, Outputs] = (None, None)
        #: The calls that are being followed, from the outermost to the innermost.
        self.following: list[Followed] = []
        self.followed: dict[ast.Call, Outputs] = {}
        self.function = Function(
            name=scoped.name,
            place=text.place(scoped.node),
            timeline=self.timeline,
            visible=(*shared, *names),
            hidden=Hidden((scoped.names, *names)),
            unstable=unstable,
            captured=scoped.around[-1].inner if scoped.around else frozenset(),
            first=index.numbers[scoped.node],
            node=scoped.node,
        )

    def inside(self, scoped: Scoped) -> State:
        """The state of the body of a scan that has just been come to."""
        return State(self.index, self.text, scoped, self.shared, self.facts, self.read_block, self)

    def resolve(self, node: ast.expr) -> str | None:
        if node in self._resolved:
            return self._resolved[node]
        found, root = dotted(node, self._imported), root_of(node)
        if isinstance(root, ast.Name) and root.id not in self.locals:
            self._resolved[node] = found
        return found

    def _imported(self, name: str) -> str | None:
        if name in self.locals:
            binding = self.timeline.now(name)
            return binding.qualified if binding else None
        for names, imports in self._around:
            if name in names:
                return imports.get(name)
        return self.index.aliases.get(name)

    def binding(self, name: str) -> Binding | None:
        if name in self.locals:
            return self.timeline.now(name)
        found = self.runner.binding(name) if self.runner else None
        # Sites are numbered function by function.
        return replace(found, site=None) if found is not None else None

    @property
    def era(self) -> int:
        return self.timeline.era

    def literal_key(self, node: ast.expr) -> str:
        return f"literal {node.lineno}:{node.col_offset}"

    def number(self, node: ast.stmt) -> int:
        return self.index.numbers[node]

    def bind(self, name: str, statement: int, **what: object) -> None:
        binding = Binding(self.timeline.version(), **{"era": self.era, **what})  # type: ignore
        self.timeline.bind(name, statement, binding)

    def acts(self, *nodes: ast.AST) -> bool:
        """May what is evaluated in these nodes change something in place?"""
        return any(
            self.is_act(part) for node in nodes for part in walk(node) if type(part) in ACTING
        )

    def come_to(self, statement: ast.stmt, root: ast.AST, node: ast.AST) -> None:
        """Carry out what a statement does, and binds, before it comes to `node` in it."""
        parts = before(root, node)
        bound = {binding.target.id for part in parts for binding in bindings_in(part)}
        if bound or self.acts(*parts):
            self.timeline.act(self.number(statement))
            self.forget(bound, self.number(statement))

    def is_act(self, part: ast.AST) -> bool:
        if part in self.followed or not acts(self, part):
            return False
        return any(acts(self, inside) for inside in self.made_in(part))

    def forget(
        self,
        names: AbstractSet[str],
        moment: int,
        bound: AbstractSet[str] = frozenset(),
        values: Mapping[str, RightSide | None] = NO_VALUES,
    ) -> None:
        """Nothing is known of `names` from then on, but that those of them in `bound` are bound."""
        if names:
            own = names & self.locals
            self.timeline.forget(own - bound, moment, values)
            self.timeline.forget(own & bound, moment, values, certain=True)

    def forget_inside(self, node: ast.expr, moment: int) -> None:
        """What an expression binds, ``(n := len(y))``, stands for something else from then on."""
        self.forget(bound_names(node), moment, values=self.bound_inside(node))

    def bound_inside(self, node: ast.expr) -> dict[str, RightSide]:
        """The right-hand sides of the names that an expression binds."""
        named = bindings_in(node) if bound_names(node) else ()
        return {part.target.id: self.evaluated(part.value) for part in named}

    def evaluated(self, node: ast.expr) -> Assigned:
        """The value of an expression that is evaluated now."""
        step = Assigned(node, self.timeline.mark(), len(self.following))
        self.function.steps.append(step)
        return step

    def give_back(self, node: ast.expr | None) -> None:
        """The function, or the helper that is followed, returns the value of an expression."""
        value = None if node is None else self.evaluated(node)
        if self.following:
            helper = self.following[-1]
            helper.given_back.append((value, tuple(self.chosen[helper.chosen :])))
        else:
            self.function.returned.append((value, tuple(self.chosen)))

    def stored(self, target: ast.expr, value: RightSide) -> Iterator[tuple[str, RightSide]]:
        """The names whose right-hand sides change where `target` is assigned a value."""
        match target:
            case ast.Name(id=name):
                yield name, value
            case ast.Starred(value=inner):
                yield from self.stored(inner, value)
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                starred = any(isinstance(part, ast.Starred) for part in targets)
                for place, inner in enumerate(targets):
                    part = Part(value, place, 0 if starred else len(targets))
                    yield from self.stored(inner, part)
            case ast.Attribute(value=holder) | ast.Subscript(value=holder):
                root = root_of(holder)
                if isinstance(root, ast.Name):
                    before = self.timeline.value(root.id)
                    yield root.id, Altered(before, ast.unparse(target), value, root is holder)

    def alter(self, node: ast.stmt) -> None:
        """``effects.append(a)``: the name stands for an object that has something else in it."""
        match node:
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=holder, attr=method)) as call):
                root = root_of(holder)
                if method not in MUTATING_METHODS or not isinstance(root, ast.Name):
                    return
                given = [*call.args, *(keyword.value for keyword in call.keywords)]
                # Their values are among the steps of the function already.
                held = ast.copy_location(ast.Tuple(given, ast.Load()), call)
                stored = Assigned(held, self.timeline.mark(), len(self.following))
                before, key = self.timeline.value(root.id), f"{ast.unparse(call.func)}()"
                altered = Altered(before, key, stored, root is holder)
                self.timeline.revalue(root.id, self.number(node), altered)

    def parts(self, node: ast.expr) -> tuple[Shape | None, ...] | None:
        """The shapes of the elements of a tuple."""
        if isinstance(node, ast.Tuple):
            if any(isinstance(part, ast.Starred) for part in node.elts):
                return None
            return tuple(shape_of(self, part) for part in node.elts)
        binding = self.binding(node.id) if isinstance(node, ast.Name) else None
        return None if binding is None else binding.parts

    def made_by(self, node: ast.expr) -> ast.expr | None:
        """What a call of a helper, or a property of `self`, stands for; None for all else."""
        return made_by(self.index, self.function, node)

    def made_in(self, node: ast.AST) -> list[ast.AST]:
        """The parts of what a node stands for if that is what a helper makes, else itself."""
        made = self.made_by(node) if isinstance(node, (ast.Attribute, ast.Call)) else None
        return [node] if made is None else walk(made)

    def touched_by(self, call: ast.Call) -> set[str]:
        """The names of the values that a call may change, itself or in what its helper makes."""
        if not touched_by(self, call):
            return set()
        parts = (part for part in self.made_in(call) if isinstance(part, ast.Call))
        return set().union(*(touched_by(self, part) for part in parts))

    def run(self, **given: Binding) -> Function:
        """Read the function; `given`: what arguments are known to stand for."""
        declared, first = self.scoped.node.args, self.function.first
        numbers = sizes_in(self.scoped.parts, self._called)
        for part in parameters(declared):
            name, value = part.arg, Argument(part.arg)
            extra = part in (declared.vararg, declared.kwarg)
            if name in given:
                self.timeline.bind(name, first, replace(given[name], value=value))
                continue
            what = {"data": frozenset([name]), "value": value}
            if name in numbers and not extra:
                what |= {"shape": (), "era": None}
            self.bind(name, first, **what)
        self.read_block(self, self.scoped.node.body)
        return self.function

    def _called(self, node: ast.expr) -> str:
        """What a call anywhere in the function calls; empty if it may be the file's own."""
        imports = self.scoped.imports
        found = dotted(node, lambda name: imports.get(name) or self._imported(name))
        if found is not None:
            known = found.startswith((*ARRAY_MODULES, "numpyro."))
            return found if known else ""
        if isinstance(node, ast.Name):
            return f"builtins.{node.id}" if self.is_builtin(node.id) else ""
        own = self.facts.own
        return f".{node.attr}" if isinstance(node, ast.Attribute) and node.attr not in own else ""
