"""What the reader of a function knows wherever it is: the scope of an expression."""

from __future__ import annotations

import ast
from collections.abc import Container
from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.survey.effects import FileFacts
from reparam_rewrite.survey.flags import Condition
from reparam_rewrite.survey.helpers import made_by
from reparam_rewrite.survey.imports import dotted
from reparam_rewrite.survey.index import Index, Scoped
from reparam_rewrite.survey.nodes import walk
from reparam_rewrite.survey.purity import ACTING, acts, touched_by
from reparam_rewrite.survey.scans import Outputs
from reparam_rewrite.survey.shapes import shape_of
from reparam_rewrite.survey.text import Text
from reparam_rewrite.survey.timeline import Ended, Timeline
from reparam_rewrite.survey.values import Binding, Frame, Function, Hidden, Shape


class Followed(Struct):
    """A call of a helper that is being read.

    `name` is the helper's, `statement` and `call` are those of the function that is read itself,
    `returned` is the helper's only ``return``, at its end, and `outputs` the sites in what that
    gives back. `era` is when it was called: see `Read`.
    """

    name: str
    statement: ast.stmt
    call: ast.Call
    returned: ast.Return | None
    era: int
    outputs: Outputs = None


class Reader:
    """The `Scope` that expressions of one function are read in, and what is being read."""

    def __init__(
        self,
        index: Index,
        text: Text,
        scoped: Scoped,
        shared: tuple[frozenset[str], ...],
        facts: FileFacts,
        runner: Reader | None = None,
    ) -> None:
        """`runner` has just come to a scan whose body this function is."""
        self._shared = shared
        # What expressions stand for that no statement here can change.
        self._resolved: dict[ast.expr, str | None] = {}
        self.facts = facts
        self._runner = runner
        self._scans: dict[ast.Call, Outputs] = {}
        self._returned: tuple[Outputs, Outputs] = (None, None)
        #: The bodies of the scans that were followed, read.
        self.bodies: dict[str, Function] = {}
        self._index = index
        self._text = text
        self._scoped = scoped
        self._node = scoped.node
        self._locals = set(scoped.names)
        self._outer = [outer.names for outer in reversed(scoped.around)]
        self._outer_imports = [outer.imports for outer in reversed(scoped.around)]
        siblings = set().union(*(outer.rebound_inside for outer in scoped.around))
        unstable = frozenset(index.globals | scoped.rebound_inside | (siblings - scoped.names))
        self._timeline: Timeline = Timeline(unstable, runner._timeline.versions if runner else None)
        self._frames: list[Frame] = []
        #: The shapes of what is sampled by a name that can't be told.
        self._nameless: dict[ast.Call, Shape | None] = {}
        self._ended: dict[Condition, Ended] = {}
        self._choices: dict[ast.stmt, tuple[str, ...]] = {}
        #: The calls that are being followed, from the outermost to the innermost.
        self._following: list[Followed] = []
        self._followed: dict[ast.Call, Outputs] = {}
        self._blocks: int = runner._blocks if runner else 0
        self.function = Function(
            name=scoped.name,
            place=text.place(scoped.node),
            timeline=self._timeline,
            visible=(*shared, *self._outer),
            hidden=Hidden((scoped.names, *self._outer)),
            unstable=unstable,
            first=index.numbers[scoped.node],
            last=index.last_of(scoped.node),
        )

    def resolve(self, node: ast.expr) -> str | None:
        if node in self._resolved:
            return self._resolved[node]
        found = dotted(node, self._imported)
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name) and root.id not in self._locals:
            self._resolved[node] = found
        return found

    def _imported(self, name: str) -> str | None:
        if name in self._locals:
            binding = self._timeline.now(name)
            return binding.qualified if binding else None
        for names, imports in zip(self._outer, self._outer_imports, strict=True):
            if name in names:
                return imports.get(name)
        return self._index.aliases.get(name)

    def binding(self, name: str) -> Binding | None:
        if name in self._locals:
            return self._timeline.now(name)
        found = self._runner.binding(name) if self._runner else None
        # Sites are numbered function by function.
        return replace(found, site=None) if found is not None else None

    @property
    def era(self) -> int:
        return self._timeline.era

    def is_builtin(self, name: str) -> bool:
        hidden = name in self._locals or any(name in names for names in self._outer)
        return name in self.facts.builtins and not hidden

    def is_constant(self, name: str) -> bool:
        hidden = name in self._locals or any(name in names for names in self._outer)
        return name in self._index.constants and not hidden

    def is_unstable(self, name: str) -> bool:
        return name in self.function.unstable

    def is_enclosed(self, name: str) -> bool:
        if name in self._locals:
            return False
        around = zip(self._outer, self._outer_imports, strict=True)
        return next((name not in own for names, own in around if name in names), False)

    def literal_key(self, node: ast.expr) -> str:
        return f"literal {node.lineno}:{node.col_offset}"

    def _number(self, node: ast.stmt) -> int:
        return self._index.numbers[node]

    def _bind(self, name: str, statement: int, **what: object) -> None:
        self._timeline.bind(
            name,
            statement,
            Binding(self._timeline.version(), **{"era": self.era, **what}),  # type: ignore[arg-type]
        )

    def _acts(self, *nodes: ast.AST) -> bool:
        """May what is evaluated in these nodes change something in place?"""
        return any(
            self._is_act(part) for node in nodes for part in walk(node) if type(part) in ACTING
        )

    def _is_act(self, part: ast.AST) -> bool:
        if part in self._followed or not acts(self, part):
            return False
        made = self._made_by(part) if isinstance(part, (ast.Attribute, ast.Call)) else None
        parts = walk(made) if made is not None else [part]
        return any(acts(self, inside) for inside in parts)

    def _forget(
        self, names: AbstractSet[str], moment: int, bound: Container[str] = frozenset()
    ) -> None:
        """Nothing is known of `names` from then on, but that those of them in `bound` are bound."""
        if not names:
            return
        own = {name for name in names if name in self._locals}
        self._timeline.forget({name for name in own if name not in bound}, moment)
        self._timeline.forget({name for name in own if name in bound}, moment, certain=True)

    def _parts(self, node: ast.expr) -> tuple[Shape | None, ...] | None:
        """The shapes of the elements of a tuple."""
        if isinstance(node, ast.Tuple):
            if any(isinstance(part, ast.Starred) for part in node.elts):
                return None
            return tuple(shape_of(self, part) for part in node.elts)
        binding = self.binding(node.id) if isinstance(node, ast.Name) else None
        return None if binding is None else binding.parts

    def _made_by(self, node: ast.expr) -> ast.expr | None:
        return made_by(self._index, self.function.name, self.function.hidden, node)

    def _touched_by(self, call: ast.Call) -> set[str]:
        touched = touched_by(self, call)
        if not touched:
            return touched
        made = self._made_by(call)
        if made is None:
            return touched
        parts = [part for part in walk(made) if isinstance(part, ast.Call)]
        return set().union(*(touched_by(self, part) for part in parts))

    def run(self, **given: Binding) -> Function:
        """Read the function; `given`: what arguments are known to stand for."""
        raise NotImplementedError

    def _block(self, block: list[ast.stmt]) -> bool:
        """Read a block; True if it surely leaves the function or the loop."""
        raise NotImplementedError
