"""What keeps the statement of a parent from being moved up above that of its child?

What isn't surely harmless does: the statements that move only sample and compute, and what they are
moved over neither leaves the function, nor binds or reads a name that they bind, nor changes what
they read.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import NamedTuple, NoReturn

from msgspec import Struct

from reparam_rewrite.messages import Filler, Place
from reparam_rewrite.plan.alternatives import are_alternatives
from reparam_rewrite.plan.children import Bound, Child, Need, Pair
from reparam_rewrite.survey.functions import Survey
from reparam_rewrite.survey.index import blocks_of
from reparam_rewrite.survey.nodes import DEFINITIONS, kinds, parts_of, walk
from reparam_rewrite.survey.purity import is_pure_call, only_computes, reads_in_order
from reparam_rewrite.survey.scopes import Moment, bound_in, bound_names
from reparam_rewrite.survey.text import lines_of
from reparam_rewrite.survey.values import Site, Use

#: The pairs of a function's children, by the names of the child and the parent.
Wanted = Mapping[str, Mapping[str, Pair]]

#: What may be moved, as it does nothing but what shows: what it gives has a name for good.
SAMPLING = frozenset(
    f"numpyro.{name}"
    for name in ("deterministic", "factor", "param", "plate", "plate_stack", "sample")
)

PLATES = ("numpyro.plate", "numpyro.plate_stack")

#: Expressions in which what is sampled is computed with.
COMPUTING = kinds("Attribute BinOp Call IfExp Subscript Tuple UnaryOp")

#: Builtins that see the names of the function.
SEEING = frozenset(["dir", "eval", "exec", "locals", "vars"])

#: What may set how everything after it is computed.
SETTING = ("jax.config.", "numpyro.enable_", "numpyro.set_")

PAUSES = kinds("Await Yield YieldFrom")
LOOPS = kinds("AsyncFor For While")
#: What runs later, and elsewhere, than where it is written.
LATER = kinds("AsyncFunctionDef FunctionDef GeneratorExp Lambda")

BLOCKS = {"For": "for", "AsyncFor": "for", "If": "if", "Match": "match", "While": "while"}


#: What is said of a parent that is sampled after its child, by what that needs it for.
LATE: Mapping[Need, str] = {
    "offset": "'{parent}' is sampled after '{child}' ({parent_at}, after {child_at})",
    "order": "'{parent}' is to be sampled before '{child}', but is after it ({parent_at}, after "
    "{child_at})",
    "scale": "'{parent}', of which a scale is made, must be known where '{child}', the first of "
    "'conditional', is sampled ({parent_at}, after {child_at})",
    "given": "'{parent}', which is in 'given', must be known where '{child}', the first of "
    "'conditional', is sampled ({parent_at}, after {child_at})",
}

WAYS_OUT: Mapping[Need, str] = {
    "offset": "an offset can only use what was sampled before; swap the two or drop one.",
    "order": "list the sites of 'conditional' in the order in which the model samples them.",
    "scale": "write it above that, with what it is computed of.",
    "given": "write it above that, with what it is computed of.",
}


class Move(Struct, frozen=True):
    """Statements that go up, in their order, above another of their block.

    `lines` are the first and last lines of each, with the comments that belong to it, and `line` is
    that which they go above, or the first comment of `above`. `at` is where the parent is sampled,
    and `others` are the statements that move with its own. `pair` says who wants it.
    """

    lines: tuple[tuple[int, int], ...]
    line: int
    above: Place
    at: Place
    others: tuple[Place, ...]
    function: str
    pair: Pair


class Piece(NamedTuple):
    """An expression of a statement that is moved, and the number of its own statement."""

    node: ast.expr
    number: int


class Moving:
    """One parent on its way up: the block, from the child's statement down to the parent's.

    `function` is the body of the scan, if both are sampled in one.
    """

    def __init__(
        self, survey: Survey, child: Child, pair: Pair, parent: Site | Bound, wanted: Wanted
    ) -> None:
        self.survey, self.pair, self.wanted = survey, pair, wanted
        self.function, self.child = child.function, child.site
        self.parent: Site | Bound = parent
        self.child_at = child.site.place
        self.numbers = {node: at for at, node in enumerate(survey.statements)}
        step, own = parent.step, child.site.step
        if step is not None and own is not None and parent.statement == child.site.statement:
            assert parent.scan is not None
            self.function = survey.functions[parent.scan.body]
            self.parent, self.child = step, own
        self.around: list[ast.stmt] = []
        self.block, self.first, self.last = self.shared_block()
        self.start = self.numbers[self.block[self.first]]

    # -- where -------------------------------------------------------------------------------------

    def shared_block(self) -> tuple[list[ast.stmt], int, int]:
        """The innermost block that both stand in, and which of its statements hold them."""
        block = self.function.node.body
        while True:
            held = [self.holding(block, site.statement) for site in (self.child, self.parent)]
            if held[0] != held[1]:
                return block, held[0], held[1]
            node = block[held[0]]
            inner = (
                inside
                for inside in blocks_of(node)
                if all(
                    self.numbers[inside[0]] <= site.statement <= self.end_of(inside[-1])
                    for site in (self.child, self.parent)
                )
            )
            found = next(inner, None)
            if found is None:  # ``for ...: a = ...``, and ``else: s = ...``
                self.stop("it is in another branch of {line}", line=self.at(node))
            self.around.append(node)
            block = found

    def holding(self, block: list[ast.stmt], number: int) -> int:
        """Which statement of a block has that of the number in it?"""
        return max(at for at, node in enumerate(block) if self.numbers[node] <= number)

    def end_of(self, node: ast.stmt) -> int:
        """The number of the last statement in `node`, or its own."""
        while blocks := blocks_of(node):
            node = blocks[-1][-1]
        return self.numbers[node]

    def at(self, node: ast.stmt | ast.expr) -> Place:
        return self.child_at.at(node.lineno)

    # -- what is in the way ------------------------------------------------------------------------

    def stop(self, reason: str, **parts: Filler) -> NoReturn:
        at: dict[str, Filler] = {"parent_at": self.parent.place, "child_at": self.child_at}
        text = f"{LATE[self.pair.need]} and can't be moved up: {reason}"
        hint = WAYS_OUT[self.pair.need]
        raise self.pair.stop("parent-after-child", text, hint, None, **at, **parts)

    def move(self) -> Move:
        """The statements that go up. Raises `Stop` where something keeps them from it."""
        self.check_surroundings()
        members = self.gather()
        passed = [at for at in range(self.first, self.last) if at not in members]
        for at in passed:
            self.check_passed(self.block[at], [m for m in members if m > at])
        above = self.block[self.first]
        self.check_lines(above, begins=True)
        return Move(
            lines=tuple(map(self.lines_at, members)),
            line=self.lines_at(self.first)[0],
            above=self.at(above),
            at=self.parent.place,
            others=tuple(self.at(self.block[at]) for at in members if at != self.last),
            function=self.function.name,
            pair=self.pair,
        )

    def check_surroundings(self) -> None:
        """What is around both, wherever they stand in it."""
        places = self.function.find(self.parent.name)
        if len(places) > 1 and not are_alternatives(places):
            self.stop("it is sampled in more than one place")
        for node in walk(self.function.node):
            if type(node) in PAUSES:
                self.stop("'{function}' pauses", function=self.function.name)
        entered = self.function.entered
        if entered is not None or self.survey.entering:
            self.stop("a context is entered without a with")
        broken = {frame.statement for frame in self.parent.frames if frame.block is not None}
        for node in self.around:
            catches = isinstance(node, (ast.Try, ast.TryStar))
            suppresses = isinstance(node, ast.With) and self.numbers[node] in broken
            if catches or suppresses:
                self.stop("what is sampled in {line} may break off", line=self.at(node))

    def sites_in(self, node: ast.stmt) -> list[Site]:
        start, end = self.numbers[node], self.end_of(node)
        return [site for site in self.function.sites if start <= site.statement <= end]

    def gather(self) -> list[int]:
        """Which statements of the block move: the parent's and what it needs of those between."""
        members = {self.last}
        for at in range(self.last, self.first, -1):
            if at in members:
                for needed, name, reader in self.needs(at):
                    if needed == self.first:
                        self.stop(
                            "{line} needs '{name}' of {binder}",
                            line=reader,
                            name=name,
                            binder=self.at(self.block[needed]),
                        )
                    members.add(needed)
        return sorted(members)

    def needs(self, at: int) -> Iterator[tuple[int, str, Place]]:
        """What a statement that moves needs of those between: which it is, why, and who does."""
        node, timeline = self.block[at], self.function.timeline
        self.check_lines(node)
        for read, number, line in self.reads(node):
            before = timeline.before(read.name, self.numbers[node])
            if read.version and (before is None or before.version != read.version):
                continue  # it is bound in the statement itself
            between = range(self.first, at)
            binders = [i for i in between if read.name in bound_names(self.block[i])]
            if not binders:
                if not timeline.holds([read], self.start):
                    self.stop_at_change(self.start, number, read.name)
                continue
            since = self.end_of(self.block[binders[-1]]) + 1
            era = timeline.era_before(since)
            if read.era not in (None, era) or timeline.is_unstable(read.name):
                self.stop_at_change(since, number, read.name)
            yield from ((i, read.name, line) for i in binders)
        for site in self.sites_in(node):
            for name in self.wanted.get(site.name, ()):
                for other in self.function.find(name):
                    if self.start <= other.statement < self.numbers[node]:
                        yield self.holding(self.block, other.statement), name, site.place

    def stop_at_change(self, start: int, end: int, name: str) -> NoReturn:
        changing = self.function.timeline.act_between(start, end)
        if changing is None:
            self.stop("it can't be told what '{name}' stands for before that", name=name)
        node = self.survey.statements[changing]
        self.stop("{line} may change '{name}', which it needs", line=self.at(node), name=name)

    # -- what moves --------------------------------------------------------------------------------

    def reads(self, node: ast.stmt) -> Iterator[tuple[Use, int, Place]]:
        """What a statement that moves reads, before which statement, and where."""
        for piece in self.pieces(node):
            scope = Moment(self.survey, self.function, piece.number)
            if not self.only_samples(scope, piece.node):
                self.stop("{line} does more than sample and compute", line=self.at(piece.node))
            for call in calls_in(piece.node):
                if self.is_helper(scope, call):  # what that reads isn't among what is read here
                    yield Use(ast.unparse(call.func), 0, scope.era), piece.number, self.at(call)
            for read in reads_in_order(scope, piece.node):
                binding = scope.binding(read.name)
                plate = binding is not None and bool(binding.plates)
                use = Use(read.name, read.version) if plate else read
                yield use, piece.number, self.at(piece.node)

    def pieces(self, node: ast.stmt) -> Iterator[Piece]:
        """The expressions of a statement. Raises `Stop` if it isn't one that can be moved."""
        number, scope = self.numbers[node], Moment(self.survey, self.function, self.numbers[node])
        match node:
            case ast.With(items=items, body=body):
                for item in items:
                    given, target = item.context_expr, item.optional_vars
                    binding = scope.binding(given.id) if isinstance(given, ast.Name) else None
                    held = binding is not None and bool(binding.plates)
                    called = isinstance(given, ast.Call) and scope.resolve(given.func)
                    if not (held or called in PLATES) or not is_plain(target):
                        self.stop("the with in {line} has more than plates", line=self.at(node))
                    yield Piece(given, number)
                for inside in body:
                    yield from self.pieces(inside)
            case ast.Assign(targets=targets, value=value) if all(map(is_plain, targets)):
                yield Piece(value, number)
            case ast.AnnAssign(target=ast.Name(), value=ast.expr() as value):
                yield Piece(value, number)
            case ast.Expr(value=value):
                yield Piece(value, number)
            case _:
                kind = BLOCKS.get(type(node).__name__)
                if kind is not None:
                    self.stop(f"the {kind} in {{line}} stays where it is", line=self.at(node))
                self.stop("{line} does more than sample and compute", line=self.at(node))

    def only_samples(self, scope: Moment, node: ast.AST) -> bool:
        """Does an expression sample and compute, and nothing else?"""
        known = {
            call
            for call in calls_in(node)
            if scope.resolve(call.func) in SAMPLING or self.is_helper(scope, call)
        }
        if not known:
            return only_computes(scope, node)
        if isinstance(node, ast.Call):
            if node not in known and not is_pure_call(scope, node):
                return False
            given = (*node.args, *(keyword.value for keyword in node.keywords))
            held = [] if node in known else [node.func]
            return all(self.only_samples(scope, part) for part in (*held, *given))
        parts = parts_of(node)
        return type(node) in COMPUTING and all(self.only_samples(scope, part) for part in parts)

    def is_helper(self, scope: Moment, call: ast.Call) -> bool:
        """Does it call a function of the file that only computes: ``spread(n)``?"""
        match call.func:
            case ast.Name(id=name):
                found = self.survey.functions.get(name)
                known = found is not None and not found.node.decorator_list
                other = name in self.function.hidden or name in self.survey.redefined
                other = other or bool(self.function.unstable)  # which it may read
                return known and not other and name not in scope.facts.impure
        return False

    # -- what they are moved over ------------------------------------------------------------------

    def check_passed(self, node: ast.stmt, members: list[int]) -> None:
        """A statement that others go above: it must be come through, and not care for what they do.

        `members` are those that go above it.
        """
        if not members:
            return
        leaving = leaves(node)
        if leaving is not None:
            self.stop("{line} may leave before that", line=self.at(leaving))
        scope = Moment(self.survey, self.function, self.numbers[node])
        for call in calls_in(node):
            if (scope.resolve(call.func) or "").startswith(SETTING):
                self.stop("{line} may change how it is computed", line=self.at(call))
        heads: list[ast.AST] = [node]
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):  # its body runs later
            heads = [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]
        used = {part.id for head in heads for part in walk(head) if isinstance(part, ast.Name)}
        used |= set().union(*bound_in(node))
        if not used.isdisjoint(SEEING):
            self.stop("{line} sees all names", line=self.at(node))
        for at in members:
            for name in sorted(bound_names(self.block[at])):
                if self.function.timeline.is_unstable(name):
                    self.stop("'{name}' may be bound anew elsewhere", name=name)
                if name in used:
                    self.stop(
                        "{line} uses the name '{name}', which would be bound before that",
                        line=self.at(node),
                        name=name,
                    )
                if name in self.captured() and self.function.timeline.before(name, self.start):
                    self.stop("a function inside may read '{name}' before that", name=name)

    def captured(self) -> set[str]:
        """The names that functions inside of this one read."""
        own = self.function.node
        inner = (part for node in own.body for part in walk(node) if type(part) in LATER)
        return {name.id for part in inner for name in walk(part) if isinstance(name, ast.Name)}

    # -- lines -------------------------------------------------------------------------------------

    def check_lines(self, node: ast.stmt, *, begins: bool = False) -> None:
        """A statement must have its lines to itself, or if it only `begins`, what is above it."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        lines = self.survey.lines
        first, last = lines[node.lineno - 1].encode(), lines[node.end_lineno - 1].encode()
        above = lines[node.lineno - 2] if node.lineno > 1 else ""
        continued = above.endswith("\\") and not above.lstrip().startswith("#")
        alone = not first[: node.col_offset].strip(b" \t\f") and not continued
        if not begins:
            after = last[node.end_col_offset :].strip()
            alone = alone and after[:1] in (b"", b"#")
        if not alone:
            self.stop("{line} shares its line with another statement", line=self.at(node))

    def lines_at(self, at: int) -> tuple[int, int]:
        """The first and the last line of a statement of the block, with its own comments.

        These are the ones right above it, and deeper ones below a `with`.
        """
        node, lines = self.block[at], self.survey.lines
        assert node.end_lineno is not None
        decorators = getattr(node, "decorator_list", ())
        first = min([node.lineno, *(part.lineno for part in decorators)])
        indent = lines[node.lineno - 1][: node.col_offset]
        floor = 0
        if at:
            floor = self.block[at - 1].end_lineno or 0
        elif self.around:
            floor = lines_of(self.around[-1])[-1]
        while first - 1 > floor and is_comment(lines[first - 2], indent):
            first -= 1
        last = node.end_lineno
        for number in range(last, len(lines) if blocks_of(node) else 0):
            code = lines[number].lstrip(" \t\f")
            if code.startswith("#") and len(lines[number]) - len(code) > len(indent):
                last = number + 1
            elif code:
                break
        return first, last


def is_plain(target: ast.expr | None) -> bool:
    """Is it a name that is bound, or several, and no part of an object?"""
    if isinstance(target, (ast.Tuple, ast.List)):
        return all(map(is_plain, target.elts))
    return target is None or isinstance(target, ast.Name)


def calls_in(node: ast.AST) -> list[ast.Call]:
    return [part for part in walk(node) if isinstance(part, ast.Call)]


def is_comment(line: str, indent: str) -> bool:
    return line.startswith(f"{indent}#")


def leaves(node: ast.stmt) -> ast.stmt | None:
    """The statement in `node` that may keep what is below from being come to, if there is one."""
    inside = [node] if isinstance(node, ast.stmt) else []
    loops: set[ast.stmt] = set()
    for part in inside:  # which grows meanwhile
        if isinstance(part, (ast.Assert, ast.Raise, ast.Return)):
            return part
        if isinstance(part, (ast.Break, ast.Continue)) and part not in loops:
            return part
        if isinstance(part, DEFINITIONS):
            continue
        for at, block in enumerate(blocks_of(part)):
            inside += block
            if part in loops or (type(part) in LOOPS and not at):
                loops.update(block)
    return None
