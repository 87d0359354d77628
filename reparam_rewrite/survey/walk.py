"""One function, read from top to bottom: its sites, its plates, what its names stand for."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.expressions import grouped
from reparam_rewrite.survey.addressing import addressed_sites, is_explicit
from reparam_rewrite.survey.bindings import (
    bound_names,
    imports_of,
    own_names,
    rebound_inside,
    sizes_in,
)
from reparam_rewrite.survey.calls import (
    FoundCall,
    argument,
    assignment,
    calls_in,
    expanded,
    is_assignment,
    is_nameable,
    is_none,
    is_starred,
    obstacles,
    shape_asked,
    variable_of,
)
from reparam_rewrite.survey.helpers import made_by, returned_at_end, sampled_by, self_of
from reparam_rewrite.survey.imports import bound_by, canonical
from reparam_rewrite.survey.index import FunctionNode, Index, Scoped, blocks_of
from reparam_rewrite.survey.naming import is_computed, template_of
from reparam_rewrite.survey.plates import (
    plate_held,
    plate_of,
    plate_shape,
    stack_of,
    stacked_shape,
)
from reparam_rewrite.survey.priors import prior_of
from reparam_rewrite.survey.purity import is_repeatable, reads_of, touched_by
from reparam_rewrite.survey.scans import (
    SCAN,
    Outputs,
    body_of,
    first_of,
    is_located,
    length_of,
    numbered,
    parameters,
    reads_argument,
    returns_once,
    stacked,
)
from reparam_rewrite.survey.shapes import broadcast, shape_of
from reparam_rewrite.survey.text import Text
from reparam_rewrite.survey.timeline import Timeline
from reparam_rewrite.survey.values import (
    UNKNOWN_PRIOR,
    Binding,
    Frame,
    Function,
    Handler,
    Plate,
    Scan,
    Shape,
    Site,
    weighs,
)


def is_plate(item: Plate | Handler) -> bool:
    """Is it, or may it be, a plate?"""
    if isinstance(item, Plate):
        return True
    return item.qualified is None or (item.opaque and "numpyro.handlers." not in item.qualified)


#: What enters a context without a `with`, so that nothing shows where it ends.
ENTERING = frozenset(["__enter__", "__aenter__", "enter_context", "enter_async_context"])


#: How much deeper a part of a conditional expression will stand, in a statement of its own.
STEP = 4


NO_SITES: Mapping[ast.Call, Site] = {}


class Followed(Struct):
    """A call of a helper that is being read.

    `name` is the helper's, `statement` and `call` are those of the function that is read itself,
    `returned` is the helper's only ``return``, at its end, and `outputs` the sites in what that
    gives back.
    """

    name: str
    statement: ast.stmt
    call: ast.Call
    returned: ast.Return | None
    outputs: Outputs = None


class Walk:
    """Reads one function; also the `Scope` that expressions are read in."""

    def __init__(
        self,
        index: Index,
        text: Text,
        scoped: Scoped,
        shared: tuple[frozenset[str], ...],
        runner: Walk | None = None,
    ) -> None:
        """`runner` has just come to a scan whose body this function is."""
        self._shared = shared
        self._runner = runner
        self._scans: dict[ast.Call, Outputs] = {}
        self._returned: tuple[Outputs, Outputs] = (None, None)
        #: The bodies of the scans that were followed, read.
        self.bodies: dict[str, Function] = {}
        self._index = index
        self._text = text
        self._node = scoped.node
        self._locals = own_names(scoped.node)
        self._outer = [own_names(node) for node in reversed(scoped.around)]
        self._outer_imports = [imports_of(node) for node in reversed(scoped.around)]
        unstable = frozenset(index.globals | rebound_inside(scoped.node))
        self._timeline: Timeline = Timeline(unstable, runner._timeline.versions if runner else None)
        self._frames: list[Frame] = []
        self._choices: dict[ast.stmt, tuple[str, ...]] = {}
        #: The calls that are being followed, from the outermost to the innermost.
        self._following: list[Followed] = []
        self._followed: dict[ast.Call, Outputs] = {}
        self._blocks: int = runner._blocks if runner else 0
        self.function = Function(
            name=scoped.name,
            place=text.place(scoped.node),
            timeline=self._timeline,
            visible=(*shared, *map(frozenset, self._outer)),
            hidden=frozenset(self._locals.union(*self._outer)),
            unstable=unstable,
            first=index.numbers[scoped.node],
            last=index.last_of(scoped.node),
        )

    # -- the scope of an expression ------------------------------------------------------------

    def resolve(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Attribute):
            base = self.resolve(node.value)
            return canonical(f"{base}.{node.attr}") if base else None
        if not isinstance(node, ast.Name):
            return None
        if node.id in self._locals:
            binding = self._timeline.now(node.id)
            return binding.qualified if binding else None
        for names, imports in zip(self._outer, self._outer_imports, strict=True):
            if node.id in names:
                return imports.get(node.id)
        return self._index.aliases.get(node.id)

    def binding(self, name: str) -> Binding | None:
        if name in self._locals:
            return self._timeline.now(name)
        found = self._runner.binding(name) if self._runner else None
        # Sites are numbered function by function.
        return replace(found, site=None) if found is not None else None

    def is_constant(self, name: str) -> bool:
        hidden = name in self._locals or any(name in names for names in self._outer)
        return name in self._index.constants and not hidden

    def is_unstable(self, name: str) -> bool:
        return name in self.function.unstable

    def literal_key(self, node: ast.expr) -> str:
        return f"literal {node.lineno}:{node.col_offset}"

    # -- statements ----------------------------------------------------------------------------

    def run(self, **given: Binding) -> Function:
        """`given`: what arguments are known to stand for."""
        arguments = self._node.args
        numbers = sizes_in(self._node)
        for part in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
            shape = () if part.arg in numbers else None
            if part.arg in given:
                self._timeline.bind(part.arg, self.function.first, given[part.arg])
            else:
                self._bind(part.arg, self.function.first, shape=shape)
        for extra in (arguments.vararg, arguments.kwarg):
            if extra:
                self._bind(extra.arg, self.function.first)
        self._block(self._node.body)
        return self.function

    def _number(self, node: ast.stmt) -> int:
        return self._index.numbers[node]

    def _bind(self, name: str, statement: int, **what: object) -> None:
        self._timeline.bind(
            name,
            statement,
            Binding(self._timeline.version(), **what),  # type: ignore[arg-type]
        )

    def _block(self, block: list[ast.stmt]) -> bool:
        """Read a block; True if it surely leaves the function or the loop."""
        for node in block:
            self._statement(node)
        return bool(block) and isinstance(
            block[-1], (ast.Return, ast.Raise, ast.Continue, ast.Break)
        )

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self._definition(node)
            case ast.With() | ast.AsyncWith():
                self._with(node)
            case ast.If():
                self._calls(node, node.test, header=True)
                self._forget(bound_names(node.test), self._number(node))
                self._branches(node, "if", [node.body, node.orelse], exhaustive=True)
            case ast.Match():
                self._calls(node, node.subject, header=True)
                self._forget(bound_names(node.subject), self._number(node))
                for case in node.cases:
                    self._timeline.forget(bound_names(case.pattern), self._number(node))
                    if case.guard is not None:
                        self._forget(bound_names(case.guard), self._number(node))
                self._branches(node, "match", [case.body for case in node.cases], exhaustive=False)
            case ast.For() | ast.AsyncFor():
                self._calls(node, node.iter, header=True)
                self._loop(node, "for")
            case ast.While():
                self._calls(node, node.test, header=True)
                self._loop(node, "while")
            case ast.Try() | ast.TryStar():
                self._loop(node, "try")
            case _:
                split = self._split(node)
                if split is None:
                    self._simple(node)
                else:
                    self._statement(split)

    def _split(self, node: ast.stmt) -> ast.If | None:
        """``x = sample(...) if c else 0.0`` as the ``if`` statement that does the same.

        Both have one number. Only where a statement of its own can be made of either part.
        """
        if not isinstance(node, (ast.Assign, ast.Return, ast.Expr)):
            return None
        value = node.value
        if not isinstance(value, ast.IfExp) or not self._text.stands_alone(node):
            return None
        if self._samples(value.test) or not (self._samples(value.body, value.orelse)):
            return None
        if bound_names(value.test):
            return None  # what is bound there means something else in either part
        text = self._text.segment(node).text
        if "\n" in text and any(mark in text for mark in ("#", "\\", '"""', "'''")):
            return None
        blocks: list[list[ast.stmt]] = []
        for choice, chosen in (("body", value.body), ("orelse", value.orelse)):
            part = copy.copy(node)
            part.value = chosen
            self._index.numbers[part] = self._number(node)
            self._choices[part] = (*self._choices.get(node, ()), choice)
            blocks.append([part])
        found = ast.copy_location(ast.If(value.test, *blocks), node)
        found.col_offset += STEP * (1 + len(self._choices.get(node, ())))
        self._index.numbers[found] = self._number(node)
        return found

    def _samples(self, *nodes: ast.expr) -> bool:
        """Does an expression sample?"""
        calls = (part for node in nodes for part in ast.walk(node) if isinstance(part, ast.Call))
        return any(self.resolve(call.func) == "numpyro.sample" for call in calls)

    def _definition(self, node: FunctionNode | ast.ClassDef) -> None:
        number = self._number(node)
        for decorator in node.decorator_list:
            self._calls(node, decorator, header=True)
        if not isinstance(node, ast.ClassDef):
            for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
                self._calls(node, default, header=True)
        self._bind(node.name, number)
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and self._plate(decorator):
                self.function.calls_in_plates.setdefault(node.name, decorator.lineno)

    def _branches(
        self, node: ast.stmt, kind: str, blocks: list[list[ast.stmt]], *, exhaustive: bool
    ) -> None:
        """Blocks of which one runs; without `exhaustive` perhaps none does."""
        start = self._timeline.snapshot()
        moment = self._number(node)
        ends = []
        for block in blocks:
            self._timeline.restore(start, moment)
            leaves = self._branch(node, kind, block)
            if not leaves:
                ends.append(self._timeline.snapshot())
            moment = self._last(block, moment)
        if not exhaustive:
            ends.append(start)
        self._timeline.join(ends, moment)

    def _last(self, block: list[ast.stmt], otherwise: int) -> int:
        return self._index.last_of(block[-1]) if block else otherwise

    def _branch(self, node: ast.stmt, kind: str, block: list[ast.stmt]) -> bool:
        self._blocks += 1
        self._frames.append(
            Frame(kind, self._number(node), node.lineno, node.col_offset, self._blocks)
        )
        leaves = self._block(block)
        self._frames.pop()
        return leaves

    def _loop(self, node: ast.stmt, kind: str) -> None:
        """Blocks that may run any number of times or break off anywhere: loops and `try`."""
        changed = bound_names(node)
        if kind != "try":
            self._forget(changed, self._number(node))
        if isinstance(node, (ast.For, ast.AsyncFor)):
            for name in bound_names(node.target) & self._locals:
                self._bind(name, self._number(node))
        moment = self._number(node)
        for position, block in enumerate(blocks_of(node)):
            if kind != "try" and position:
                kind = "else"  # of a loop: it runs once, if at all
            if kind == "try" and moment != self._number(node):
                self._forget(changed, moment)
            self._branch(node, kind, block)
            moment = self._last(block, moment)
        self._forget(changed, moment)

    def _forget(self, names: set[str], moment: int) -> None:
        self._timeline.forget({name for name in names if name in self._locals}, moment)

    # -- with ----------------------------------------------------------------------------------

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        number = self._number(node)
        body = node.body
        sole = len(body) == 1 and not any(blocks_of(body[0])) and self._text.stands_alone(body[0])
        sole = sole and isinstance(node, ast.With)
        block = None
        if any(self._may_break_off(item.context_expr) for item in node.items):
            self._blocks += 1
            block = self._blocks
        frame = Frame("with", number, node.lineno, node.col_offset, block, sole=sole)
        self._frames.append(frame)
        for item in node.items:
            self._calls(node, item.context_expr, header=True)
            found = self._items(item.context_expr)
            self._forget(bound_names(item.context_expr), number)
            self._frames[-1] = replace(self._frames[-1], items=(*self._frames[-1].items, *found))
            if item.optional_vars is not None:
                self._forget(bound_names(item.optional_vars), number)
                if isinstance(item.optional_vars, ast.Name):
                    self._bind(item.optional_vars.id, number)
        self._block(body)
        self._frames.pop()
        if block is not None:
            self._forget(bound_names(node), self._index.last_of(node))

    def _may_break_off(self, node: ast.expr) -> bool:
        """``with contextlib.suppress(ValueError):``"""
        dotted = self.resolve(node.func) if isinstance(node, ast.Call) else None
        return dotted in ("contextlib.suppress", "pytest.raises")

    def _items(self, node: ast.expr) -> tuple[Plate | Handler, ...]:
        if isinstance(node, ast.Call):
            stack = stack_of(self, self._text, node)
            if stack:
                self.function.has_plates = True
                self.function.taken.update(plate.name for plate in stack if plate.literal)
                return stack
        return (self._item(node),)

    def _item(self, node: ast.expr) -> Plate | Handler:
        plate = self._plate_elsewhere(node)
        if plate is not None:
            return plate
        if isinstance(node, ast.Name):
            binding = self.binding(node.id)
            if binding is not None and binding.plate is not None:
                return binding.plate
        if isinstance(node, ast.Call):
            plate = self._plate(node)
            if plate is not None:
                return plate
            dotted = self.resolve(node.func)
            addressed = addressed_sites(self._index, dotted, node)
            return Handler(dotted, ast.unparse(node), addressed, is_explicit(self._index, node))
        return Handler(None, ast.unparse(node))

    def _plate_elsewhere(self, node: ast.expr) -> Plate | None:
        """The plate that a helper of the file makes, or that an attribute of `self` is."""
        made = self._made_by(node)
        if isinstance(made, ast.Call):
            return self._plate(made, made=True)
        if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
            return None
        stored = self._index.attributes.get(node.attr, [])
        if node.value.id != self_of(self._index, self.function.name) or len(stored) != 1:
            return None
        value = stored[0]
        return plate_held(self, self._text, value, node) if isinstance(value, ast.Call) else None

    def _plate(self, call: ast.Call, *, made: bool = False) -> Plate | None:
        made = made or bool(self._following)
        plate = plate_of(self, self._text, call, self._frames, made=made)
        if plate is None:
            return None
        self.function.has_plates = True
        if plate.literal:
            self.function.taken.add(plate.name)
        return plate

    # -- simple statements ---------------------------------------------------------------------

    def _simple(self, node: ast.stmt) -> None:
        number = self._number(node)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for name, dotted in bound_by(node):
                self._bind(name, number, qualified=dotted)
                self.function.imports.add(name)
            return
        targets, value = assignment(node)
        sites = self._calls(node, node)
        if self._following:
            if isinstance(node, ast.Return) and node is self._following[-1].returned:
                self._following[-1].outputs = self._structure(node.value, sites)
        elif isinstance(node, ast.Return):
            sure = node not in self._choices
            self._returned = self._outputs(node.value) if sure else (None, None)
        if value is None:
            self._forget(bound_names(node), number)
            if isinstance(node, ast.Delete):
                for name in bound_names(node) & self._locals:
                    self._timeline.bind(name, number, None)
            return
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        meaning = self._meaning(value, sites)
        others = bound_names(node) - set(names)
        self._forget(others, number)
        for name in others & self._locals:
            self._bind(name, number)
        for target in targets:
            if isinstance(target, (ast.Tuple, ast.List)):
                self._unpack(target, value, number)
        for name in names:
            if name in self._locals:
                self._timeline.bind(name, number, meaning)
        outputs = self._scan_outputs(value)
        stores = [
            part.id
            for target in targets
            for part in ast.walk(target)
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
        ]
        if len(set(stores)) < len(stores):
            return  # ``_, _ = hyper()``: which of both is it?
        for target in targets if outputs is not None else []:
            self._bind_outputs(target, outputs, number)

    def _unpack(self, target: ast.Tuple | ast.List, value: ast.expr, number: int) -> None:
        """``n, k = X.shape`` binds numbers."""
        parts = self._parts(value)
        if parts is not None and len(parts) == len(target.elts):
            for name, shape in zip(target.elts, parts, strict=True):
                if isinstance(name, ast.Name) and name.id in self._locals:
                    self._bind(name.id, number, shape=shape)
        if isinstance(value, ast.Attribute) and value.attr == "shape":
            for name in target.elts:
                if isinstance(name, ast.Name) and name.id in self._locals:
                    self._bind(name.id, number, shape=())

    def _meaning(self, value: ast.expr, sites: dict[ast.Call, Site]) -> Binding:
        """What a name stands for that is bound to `value`."""
        version = self._timeline.version()
        if isinstance(value, ast.Name):
            binding = self.binding(value.id)
            if binding is not None:
                return binding
        if isinstance(value, ast.Call):
            if value in sites:
                site = sites[value]
                return Binding(version, site=site.index, shape=site.shape)
            plate = self._plate(value)
            if plate is not None:
                return Binding(version, plate=plate)
            prior = prior_of(self, value)
            if prior is not UNKNOWN_PRIOR:
                return Binding(version, prior=prior)
        dotted = self.resolve(value)
        if dotted is not None and dotted.startswith("numpyro"):
            return Binding(version, qualified=dotted)  # sample = numpyro.sample
        return Binding(version, shape=shape_of(self, value), parts=self._parts(value))

    # -- sites ---------------------------------------------------------------------------------

    def _calls(
        self, statement: ast.stmt, root: ast.AST, *, header: bool = False
    ) -> dict[ast.Call, Site]:
        """Record the sites and the params of one expression or simple statement."""
        found: dict[ast.Call, Site] = {}
        touched: set[str] = set()
        calls = sorted(calls_in(root), key=lambda c: (c.node.lineno, c.node.col_offset))
        for call in calls:
            dotted = self.resolve(call.node.func)
            parts = call.node.func
            if isinstance(parts, (ast.Name, ast.Attribute)):
                last = self._note_call(parts, call.node.lineno)
                if last in ENTERING and self.function.entered is None:
                    self.function.entered = self._number(statement), call.node.lineno
            if dotted is not None and dotted.startswith("numpyro."):
                while isinstance(parts, ast.Attribute):
                    parts = parts.value
                if isinstance(parts, ast.Name):
                    self.function.roots.add(parts.id)
            runs_now = not (header or call.conditional or call.deferred)
            if dotted is None and runs_now and self._follow(statement, call.node):
                continue
            touched |= self._touched_by(call.node)
            if dotted == "numpyro.sample":
                site = self._site(statement, call, header)
                if site is not None:
                    found[call.node] = site
            elif dotted in SCAN and not (call.conditional or call.deferred or self._following):
                self._scan(statement, call.node, header)
            elif dotted in ("numpyro.param", "numpyro.deterministic", "numpyro.module"):
                name = argument(call.node, 0, "name")
                template = template_of(name)
                if template is not None:
                    self.function.taken.add(template)
                    if dotted == "numpyro.param":
                        self.function.params.add(template)
                    if dotted == "numpyro.deterministic" and self._runner:
                        shifted = self._shifted(statement, call.node, template)
                        if shifted is not None:
                            found[call.node] = shifted
        called: set[ast.AST] = {call.node.func for call in calls}
        for call in calls:
            if isinstance(call.node.func, ast.Call):  # scope(effect, "g")(n) calls it right here
                called.update(call.node.func.args)
                for given in call.node.func.args:
                    if isinstance(given, (ast.Name, ast.Attribute)):
                        self._note_call(given, call.node.lineno)
        for part in ast.walk(root):
            if isinstance(part, (ast.Name, ast.Attribute)) and part not in called:
                last = part.id if isinstance(part, ast.Name) else part.attr
                self.function.mentions.setdefault(last, part.lineno)
                if last in ENTERING and self.function.entered is None:
                    self.function.entered = self._number(statement), part.lineno
        for changed in sorted(touched & self._locals):
            self._timeline.touch(changed, self._number(statement))
        return found

    def _note_call(self, called: ast.Name | ast.Attribute, line: int) -> str:
        """Record a call by the last of its names, and what it is under."""
        last = called.id if isinstance(called, ast.Name) else called.attr
        self.function.calls.add(last)
        items = [item for frame in self._frames for item in frame.items]
        if any(map(is_plate, items)):
            self.function.calls_in_plates.setdefault(last, line)
        if any(map(weighs, items)):
            self.function.calls_weighed.setdefault(last, line)
        return last

    def _made_by(self, node: ast.expr) -> ast.expr | None:
        return made_by(self._index, self.function.name, self.function.hidden, node)

    def _touched_by(self, call: ast.Call) -> set[str]:
        touched = touched_by(self, call)
        if not touched:
            return touched
        made = self._made_by(call)
        if made is None:
            return touched
        parts = [part for part in ast.walk(made) if isinstance(part, ast.Call)]
        return set().union(*(touched_by(self, part) for part in parts))

    def _site(self, statement: ast.stmt, call: FoundCall, header: bool) -> Site | None:
        node = call.node
        name, prior_node = argument(node, 0, "name"), argument(node, 1, "fn")
        template = template_of(name)
        computed = is_computed(name)
        unclear = name is None or template is None or (computed and not is_repeatable(self, name))
        if name is None or template is None or unclear:
            self.function.unreadable.append(self._text.place(node))
            return None
        segment = None if prior_node is None else self._text.segment(prior_node)
        asked = shape_asked(node)
        expands = asked is not None and prior_node is not None and segment is not None
        if asked is not None and prior_node is not None and segment is not None:
            spread = f"{grouped(segment.text)}.expand_by({self._text.segment(asked).text})"
            segment = replace(segment, text=spread)
            prior_node = expanded(prior_node, asked)
        prior = UNKNOWN_PRIOR if prior_node is None else prior_of(self, prior_node)
        observed = not is_none(argument(node, 2, "obs"))
        plates = plate_shape(self._frames)
        told = not observed and not is_starred(node)
        batch = broadcast(plates, prior.batch) if told else None
        shape = None if batch is None or prior.event is None else (*batch, *prior.event)
        site = Site(
            index=len(self.function.sites),
            name=template,
            name_segment=self._text.segment(name),
            prior_segment=segment,
            prior=prior,
            prior_reads=frozenset() if prior_node is None else reads_of(self, prior_node),
            prior_is_pure=prior_node is not None and is_repeatable(self, prior_node),
            place=self._text.place(node),
            statement=self._number(statement),
            indent=statement.col_offset,
            alone=header or self._text.stands_alone(statement),
            frames=tuple(self._frames),
            variable=variable_of(statement, node),
            observed=observed,
            shape=shape,
            batch=batch,
            plate_shape=plates,
            stacked=stacked_shape(self._frames) if plates is None else None,
            told=told,
            obstacles=tuple(obstacles(call, header)),
            assigns=is_assignment(statement, node),
            computed=computed,
            name_reads=reads_of(self, name) if computed else frozenset(),
            expands=expands,
            nameable=is_nameable(statement, call, header) and self._text.stands_alone(statement),
            choices=self._choices.get(statement, ()),
            located=prior_node is not None
            and is_located(self, prior_node, in_plate=plates is None or bool(self._frames)),
        )
        if self._following:
            site = self._seen_from_outside(site, name, statement, node)
        self.function.add(site)
        return site

    def _follow(self, statement: ast.stmt, call: ast.Call) -> bool:
        """Read the body of a function that is called, if it can be followed and may sample."""
        name = self.function.name
        found = sampled_by(self._index, name, self.function.hidden, call)
        running = [name, *(other.name for other in self._following)]
        if found is None or found[0] in running:
            return False
        helper, body = found
        outer = self._following[0] if self._following else None
        number = self._number(statement)
        for part in (part for node in body for part in ast.walk(node)):
            if isinstance(part, ast.stmt):
                self._index.numbers[part] = number
            if isinstance(part, ast.Name) and "@" in part.id:
                self._locals.add(part.id)
        self._following.append(
            Followed(
                helper,
                outer.statement if outer else statement,
                outer.call if outer else call,
                returned_at_end(body),
            )
        )
        self._block(body)
        self._followed[call] = self._following.pop().outputs
        return True

    def _seen_from_outside(
        self, site: Site, name: ast.expr, statement: ast.stmt, call: ast.Call
    ) -> Site:
        """A site that a helper samples, as what its call does."""
        outer, node = self._following[0], self._following[0].statement
        text = f'"{site.name}"' if not site.computed else ast.unparse(name)
        if not site.computed and set(site.name) & set('"\\\n\r\t{}'):
            text = repr(site.name)
        frames = [frame for frame in site.frames if frame.statement == site.statement]
        obstacles = list(site.obstacles)
        if any(isinstance(item, Handler) for frame in frames for item in frame.items):
            obstacles.append(
                (
                    f"is sampled by '{outer.name}' inside of a handler of its own",
                    "that handler would come before the one around the call.",
                )
            )
        if any(plate.subsampled for frame in frames for plate in frame.plates):
            obstacles.append(
                (f"is sampled by '{outer.name}' in a subsampled plate", "sample it here.")
            )
        if site.expands:
            obstacles.append(
                (
                    f"is sampled by '{outer.name}' with a sample_shape, which ExplicitReparam "
                    "drops",
                    "use .expand_by(sample_shape) on the distribution.",
                )
            )
        return replace(
            site,
            name_segment=replace(site.name_segment, text=text),
            place=self._text.place(outer.call),
            indent=node.col_offset,
            alone=self._text.stands_alone(node),
            variable=self._attribute_of(statement, call),
            obstacles=tuple(obstacles),
            assigns=False,
            nameable=False,
            expands=False,
            located=False,
            through=outer.name,
        )

    def _attribute_of(self, statement: ast.stmt, call: ast.Call) -> str | None:
        """``self.mu`` for ``self.mu = numpyro.sample(...)``, if nothing else sets it."""
        targets, value = assignment(statement)
        for target in targets if value is call else []:
            if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
                stores = self._index.attributes.get(target.attr, [])
                if self._index.by_last.keys() & {target.attr, "__setattr__", "__getattribute__"}:
                    continue  # what is read may be another value than what was set
                if len(stores) == 1 and "@" not in target.value.id:
                    return ast.unparse(target)
        return None

    # -- scans ---------------------------------------------------------------------------------

    def _scan(self, statement: ast.stmt, call: ast.Call, header: bool) -> None:
        """Read the body of a scan, if it can be followed, and add what it samples."""
        scoped = body_of(self._index, self._node, self.function.name, call)
        if scoped is None or self._runner is not None:
            return
        xs, init = argument(call, 2, "xs"), argument(call, 1, "init")
        scan = Scan(
            body=scoped.name,
            statement=self._number(statement),
            indent=statement.col_offset,
            place=self._text.place(call),
            length=length_of(self, call),
            definition=self._number(scoped.node),
            first=self._number(first_of(scoped.node)),
            inner_indent=first_of(scoped.node).col_offset,
            argument=parameters(scoped.node)[1],
            passes=not is_none(xs) or reads_argument(scoped.node),
        )
        walk = Walk(self._index, self._text, scoped, self._shared, self)
        carry, slices = parameters(scoped.node)
        body = walk.run(
            **{carry: self._parameter(init, sliced=False), slices: self._parameter(xs, sliced=True)}
        )
        body.runner, body.run_at = self.function.name, scan.statement
        self._blocks = walk._blocks
        self.bodies[scoped.name] = body
        carried, outputs = walk._returned if returns_once(scoped.node) else (None, None)
        for index, shape in self._carried(carried, init):
            if body.sites[index].shape is None:
                body.amend(replace(body.sites[index], shape=shape))
        indices = {}
        for site in body.sites:
            indices[site.index] = len(self.function.sites)
            own = replace(
                site,
                index=len(self.function.sites),
                statement=scan.statement,
                indent=statement.col_offset,
                alone=header or self._text.stands_alone(statement),
                frames=tuple(self._frames),
                variable=None,
                plate_shape=None,
            )
            self.function.add(stacked(own, site, scan))
        self.function.taken |= body.taken
        self.function.params |= body.params
        self._scans[call] = numbered(outputs, indices)

    def _carried(
        self, carried: Outputs, init: ast.expr | None
    ) -> Iterator[tuple[int, Shape | None]]:
        """The sites that a body hands on have the shapes of the `init` in their place."""
        if isinstance(carried, int) and init is not None:
            yield carried, shape_of(self, init)
        parts = self._parts(init) if isinstance(carried, tuple) and init is not None else None
        if isinstance(carried, tuple) and parts is not None and len(parts) == len(carried):
            for site, shape in zip(carried, parts, strict=True):
                if isinstance(site, int):
                    yield site, shape

    def _parameter(self, node: ast.expr | None, *, sliced: bool) -> Binding:
        """What a body's parameter stands for, given the scan's `init`, or else its `xs`."""

        def one(whole: Shape | None) -> Shape | None:
            return whole[1:] if whole and sliced else None if sliced else whole

        version = self._timeline.version()
        if node is None or is_none(node):
            return Binding(version)
        parts = self._parts(node)
        if parts is not None:
            return Binding(version, parts=tuple(map(one, parts)))
        return Binding(version, shape=one(shape_of(self, node)))

    def _parts(self, node: ast.expr) -> tuple[Shape | None, ...] | None:
        """The shapes of the elements of a tuple."""
        if isinstance(node, ast.Tuple):
            if any(isinstance(part, ast.Starred) for part in node.elts):
                return None
            return tuple(shape_of(self, part) for part in node.elts)
        binding = self.binding(node.id) if isinstance(node, ast.Name) else None
        return None if binding is None else binding.parts

    def _outputs(self, node: ast.expr | None) -> tuple[Outputs, Outputs]:
        """The sites that a body hands on, and those that it gives back."""
        if not isinstance(node, ast.Tuple) or len(node.elts) != 2:
            return None, None
        first, second = node.elts
        return self._structure(first), self._structure(second)

    def _structure(
        self, node: ast.expr | None, sites: Mapping[ast.Call, Site] = NO_SITES
    ) -> Outputs:
        """The sites that a value is made of; `sites` are what it samples itself."""
        if isinstance(node, ast.Dict):
            entries: dict[str, Outputs] = {}
            for key, value in zip(node.keys, node.values, strict=True):
                if not isinstance(key, ast.Constant):
                    entries.clear()  # it may have any key, in the place of one before
                elif isinstance(key.value, str):
                    entries[key.value] = self._structure(value, sites)
            return entries
        if isinstance(node, ast.Tuple):
            return tuple(self._structure(part, sites) for part in node.elts)
        if isinstance(node, ast.Call) and node in sites:
            return sites[node].index
        if isinstance(node, ast.Call) and node in self._followed:
            return self._followed[node]
        binding = self.binding(node.id) if isinstance(node, ast.Name) else None
        own = isinstance(node, ast.Name) and node.id in self._locals
        return binding.site if binding is not None and own else None

    def _scan_outputs(self, value: ast.expr) -> Outputs:
        """What ``scan(...)``, ``scan(...)[1]`` or a helper that was followed gives back."""
        if isinstance(value, ast.Call) and value in self._followed:
            return self._followed[value]
        if isinstance(value, ast.Call) and value in self._scans:
            return None, self._scans[value]
        second = isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Constant)
        if isinstance(value, ast.Subscript) and isinstance(value.value, ast.Call) and second:
            found = isinstance(value.slice, ast.Constant) and value.slice.value == 1
            return self._scans.get(value.value) if found else None
        return None

    def _bind_outputs(self, target: ast.expr, outputs: Outputs, number: int) -> None:
        """Let the names of a target stand for the stacked sites that they are bound to."""
        if isinstance(target, (ast.Tuple, ast.List)) and isinstance(outputs, tuple):
            if len(target.elts) == len(outputs):
                for part, output in zip(target.elts, outputs, strict=True):
                    self._bind_outputs(part, output, number)
        elif isinstance(target, ast.Name) and isinstance(outputs, dict):
            for key, output in outputs.items():
                if isinstance(output, int) and not self._following:
                    site = self.function.sites[output]
                    held = f'{target.id}["{key}"]' if key.isidentifier() else None
                    self.function.amend(replace(site, variable=held if site.through else None))
        elif isinstance(target, ast.Name) and isinstance(outputs, int):
            site = self.function.sites[outputs]
            if target.id in self._locals:
                self._bind(target.id, number, site=site.index, shape=site.shape)
                if not self._following:
                    self.function.amend(replace(site, variable=target.id))

    def _shifted(self, statement: ast.stmt, call: ast.Call, name: str) -> Site | None:
        """``z = deterministic("z", z_base - z_loc)`` after ``z_base = sample("z_base", ...)``."""
        value = argument(call, 1, "value")
        if not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Sub):
            return None
        binding = self.binding(value.left.id) if isinstance(value.left, ast.Name) else None
        if binding is None or binding.site is None:
            return None
        site = self.function.sites[binding.site]
        if site.name != f"{name}_base":
            return None
        site = replace(site, name=name, shifted=True, variable=variable_of(statement, call))
        self.function.amend(site)
        return site
