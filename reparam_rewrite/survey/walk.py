"""One function, read from top to bottom: its sites, its plates, what its names stand for."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.survey.imports import bound_by, canonical
from reparam_rewrite.survey.index import FunctionNode, Index, Scoped, blocks_of
from reparam_rewrite.survey.priors import prior_of
from reparam_rewrite.survey.shapes import (
    axis_of,
    broadcast,
    is_repeatable,
    reads_of,
    shape_of,
)
from reparam_rewrite.survey.text import Text
from reparam_rewrite.survey.timeline import Timeline
from reparam_rewrite.survey.values import (
    UNIT,
    UNKNOWN_PRIOR,
    Binding,
    Frame,
    Function,
    Handler,
    Plate,
    Shape,
    Site,
)

ADDRESSING = ("reparam", "condition", "substitute", "do")


class FoundCall(Struct, frozen=True):
    """A call inside a statement, and whether it is sure to run exactly once, now."""

    node: ast.Call
    conditional: bool
    deferred: bool


def calls_in(root: ast.AST) -> Iterator[FoundCall]:
    """All calls of an expression, with what decides whether they run."""
    stack: list[tuple[ast.AST, bool, bool]] = [(root, False, False)]
    while stack:
        node, conditional, deferred = stack.pop()
        if isinstance(node, ast.Call):
            yield FoundCall(node, conditional, deferred)
        if isinstance(node, ast.Lambda):
            stack += [(default, conditional, deferred) for default in node.args.defaults]
            stack.append((node.body, conditional, True))
        elif isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            stack += [(child, conditional, True) for child in ast.iter_child_nodes(node)]
        elif isinstance(node, ast.IfExp):
            stack.append((node.test, conditional, deferred))
            stack += [(part, True, deferred) for part in (node.body, node.orelse)]
        elif isinstance(node, ast.BoolOp):
            stack.append((node.values[0], conditional, deferred))
            stack += [(value, True, deferred) for value in node.values[1:]]
        else:
            stack += [
                (child, conditional, deferred)
                for child in ast.iter_child_nodes(node)
                if not isinstance(child, ast.stmt)
            ]


def argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    if len(call.args) > position:
        return call.args[position]
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def is_none(node: ast.expr | None) -> bool:
    return node is None or (isinstance(node, ast.Constant) and node.value is None)


def bound_names(node: ast.AST) -> set[str]:
    """The names that a statement and all in it may bind in its own scope."""
    found: set[str] = set()
    stack: list[ast.AST] = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, ast.Name):
            if isinstance(part.ctx, (ast.Store, ast.Del)):
                found.add(part.id)
        elif isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(part.name)
            stack += part.decorator_list
            continue
        elif isinstance(part, ast.Lambda):
            continue
        elif isinstance(part, (ast.Import, ast.ImportFrom)):
            found.update(name for name, _ in bound_by(part))
        elif isinstance(part, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and part.name:
            found.add(part.name)
        elif isinstance(part, ast.MatchMapping) and part.rest:
            found.add(part.rest)
        elif isinstance(part, (ast.Attribute, ast.Subscript)) and not isinstance(
            part.ctx, ast.Load
        ):
            # `self.n = 3` changes what `self.n` means.
            root: ast.expr = part
            while isinstance(root, (ast.Attribute, ast.Subscript)):
                root = root.value
            if isinstance(root, ast.Name):
                found.add(root.id)
        stack += ast.iter_child_nodes(part)
    return found


def own_names(node: FunctionNode) -> set[str]:
    """The local names of a function: its arguments and all that it binds."""
    names = {part.arg for part in ast.walk(node.args) if isinstance(part, ast.arg)}
    stores: set[str] = set()
    outer: set[str] = set()
    for statement in node.body:
        stores |= bound_names(statement)
        for part in ast.walk(statement):
            if isinstance(part, (ast.Global, ast.Nonlocal)):
                outer.update(part.names)
    # `x.y = 1` alone doesn't make x local, but it does change what x stands for, so it stays.
    return names | stores - outer


class Walk:
    """Reads one function; also the `Scope` that expressions are read in."""

    def __init__(self, index: Index, text: Text, scoped: Scoped) -> None:
        self._index = index
        self._text = text
        self._node = scoped.node
        self._locals = own_names(scoped.node)
        self._outer = [own_names(node) for node in reversed(scoped.around)]
        self._outer_imports = [imports_of(node) for node in reversed(scoped.around)]
        self._timeline = Timeline()
        self._frames: list[Frame] = []
        self._blocks = 0
        visible = {*index.module_names, *dir(builtins)}.union(*self._outer)
        self.function = Function(
            name=scoped.name,
            place=text.place(scoped.node),
            timeline=self._timeline,
            visible=frozenset(visible),
            hidden=frozenset(self._locals.union(*self._outer)),
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
        return self._timeline.now(name) if name in self._locals else None

    def is_constant(self, name: str) -> bool:
        hidden = name in self._locals or any(name in names for names in self._outer)
        return name in self._index.constants and not hidden

    def literal_key(self, node: ast.expr) -> str:
        return f"literal {node.lineno}:{node.col_offset}"

    # -- statements ----------------------------------------------------------------------------

    def run(self) -> Function:
        arguments = self._node.args
        for part in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
            self._bind(part.arg, self.function.first)
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
                self._branches(node, "if", [node.body, node.orelse], exhaustive=True)
            case ast.Match():
                self._calls(node, node.subject, header=True)
                for case in node.cases:
                    self._timeline.forget(bound_names(case.pattern), self._number(node))
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
                self._simple(node)

    def _definition(self, node: FunctionNode | ast.ClassDef) -> None:
        number = self._number(node)
        for decorator in node.decorator_list:
            self._calls(node, decorator, header=True)
        if not isinstance(node, ast.ClassDef):
            for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
                self._calls(node, default, header=True)
        self._bind(node.name, number)
        for part in ast.walk(node):
            if isinstance(part, ast.Nonlocal):
                # Any later call may rebind these; nothing stays known of them.
                self._timeline.forget(set(part.names) & self._locals, self._index.last_of(node))

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
        moment = self._number(node)
        for block in blocks_of(node):
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
        frame = Frame("with", number, node.lineno, node.col_offset, sole=sole)
        self._frames.append(frame)
        for item in node.items:
            self._calls(node, item.context_expr, header=True)
            found = self._item(item.context_expr)
            self._frames[-1] = replace(self._frames[-1], items=(*self._frames[-1].items, found))
            if item.optional_vars is not None:
                self._forget(bound_names(item.optional_vars), number)
                if isinstance(item.optional_vars, ast.Name):
                    self._bind(item.optional_vars.id, number)
        self._block(body)
        self._frames.pop()

    def _item(self, node: ast.expr) -> Plate | Handler:
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
            return Handler(dotted, ast.unparse(node), addressed)
        return Handler(None, ast.unparse(node))

    def _plate(self, call: ast.Call) -> Plate | None:
        """``numpyro.plate("n_a", n_a, dim=-2)``; its dim is taken here, where it is made."""
        if self.resolve(call.func) != "numpyro.plate":
            return None
        name, size = argument(call, 0, "name"), argument(call, 1, "size")
        if name is None or size is None or any(isinstance(a, ast.Starred) for a in call.args):
            return None
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            label, identity = name.value, repr(name.value)
            self.function.named.add(label)
        else:
            reads = reads_of(self, name)
            versions = ",".join(sorted(f"{read.name}@{read.version}" for read in reads))
            label, identity = ast.unparse(name), f"{ast.unparse(name)} {versions}"
        axis = axis_of(self, size, self._text.segment(size).text, identity)
        if isinstance(size, ast.Name):
            self._is_scalar(size.id)
        return Plate(
            axis=axis,
            name=label,
            dim=self._plate_dim(argument(call, 3, "dim")),
            subsampled=not is_none(argument(call, 2, "subsample_size")),
            place=self._text.place(call),
        )

    def _is_scalar(self, name: str) -> None:
        """A plate's size is a number, whatever is known of the name otherwise."""
        binding = self.binding(name)
        if binding is not None and binding.shape is None:
            number = self._frames[-1].statement if self._frames else self.function.first
            self._timeline.bind(name, number, replace(binding, shape=()))

    def _plate_dim(self, given: ast.expr | None) -> int | None:
        if given is not None and not is_none(given):
            try:
                dim = ast.literal_eval(given)
            except ValueError:
                return None
            return dim if type(dim) is int and dim < 0 else None
        occupied = set()
        for frame in self._frames:
            for item in frame.items:
                if isinstance(item, Handler) and item.opaque:
                    return None
                if isinstance(item, Plate):
                    if item.dim is None:
                        return None
                    occupied.add(item.dim)
        return next(-d for d in range(1, len(occupied) + 2) if -d not in occupied)

    def _plate_shape(self) -> Shape | None:
        """The batch shape that the plates around this statement ask for."""
        axes: dict[int, Plate] = {}
        for frame in self._frames:
            for item in frame.items:
                if isinstance(item, Handler) and item.opaque:
                    return None
                if isinstance(item, Plate):
                    if item.dim is None or item.dim in axes:
                        return None
                    axes[item.dim] = item
        if not axes:
            return ()
        return tuple(axes[d].axis if d in axes else UNIT for d in range(min(axes), 0))

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

    def _unpack(self, target: ast.Tuple | ast.List, value: ast.expr, number: int) -> None:
        """``n, k = X.shape`` binds numbers."""
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
        return Binding(version, shape=shape_of(self, value))

    # -- sites ---------------------------------------------------------------------------------

    def _calls(
        self, statement: ast.stmt, root: ast.AST, *, header: bool = False
    ) -> dict[ast.Call, Site]:
        """Record the sites and the params of one expression or simple statement."""
        found: dict[ast.Call, Site] = {}
        calls = sorted(calls_in(root), key=lambda c: (c.node.lineno, c.node.col_offset))
        for call in calls:
            dotted = self.resolve(call.node.func)
            if dotted == "numpyro.sample":
                site = self._site(statement, call, header)
                if site is not None:
                    found[call.node] = site
            elif dotted in ("numpyro.param", "numpyro.deterministic", "numpyro.module"):
                name = argument(call.node, 0, "name")
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    if dotted == "numpyro.param":
                        self.function.params.append(name.value)
                    else:
                        self.function.named.add(name.value)
        return found

    def _site(self, statement: ast.stmt, call: FoundCall, header: bool) -> Site | None:
        node = call.node
        name, prior_node = argument(node, 0, "name"), argument(node, 1, "fn")
        if not (isinstance(name, ast.Constant) and isinstance(name.value, str)):
            self.function.unreadable.append(self._text.place(node))
            return None
        prior = UNKNOWN_PRIOR if prior_node is None else prior_of(self, prior_node)
        observed = not is_none(argument(node, 2, "obs"))
        plates = self._plate_shape()
        batch = None if observed else broadcast(plates, prior.batch)
        shape = None if batch is None or prior.event is None else (*batch, *prior.event)
        site = Site(
            index=len(self.function.sites),
            name=name.value,
            name_segment=self._text.segment(name),
            prior_segment=None if prior_node is None else self._text.segment(prior_node),
            prior=prior,
            prior_reads=frozenset() if prior_node is None else reads_of(self, prior_node),
            prior_is_pure=prior_node is not None and is_repeatable(self, prior_node),
            place=self._text.place(node),
            statement=self._number(statement),
            statement_segment=self._text.segment(statement),
            alone=header or self._text.stands_alone(statement),
            frames=tuple(self._frames),
            variable=variable_of(statement, node),
            observed=observed,
            shape=shape,
            batch=batch,
            plate_shape=plates,
            obstacles=tuple(obstacles(call, header)),
        )
        self.function.sites.append(site)
        return site


def imports_of(node: FunctionNode) -> dict[str, str]:
    """The imports in a function's own body."""
    found: dict[str, str] = {}
    for statement in ast.walk(node):
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            found.update(bound_by(statement))
    return found


def assignment(node: ast.stmt) -> tuple[list[ast.expr], ast.expr | None]:
    """The targets and the value of a statement that binds names to a value."""
    if isinstance(node, ast.Assign):
        return node.targets, node.value
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return [node.target], node.value
    return [], None


def variable_of(statement: ast.stmt, call: ast.Call) -> str | None:
    """The name that ``a = numpyro.sample(...)`` binds to just the sampled value."""
    targets, value = assignment(statement)
    if value is not call:
        return None
    return next((target.id for target in targets if isinstance(target, ast.Name)), None)


def obstacles(call: FoundCall, header: bool) -> Iterator[tuple[str, str]]:
    """Why a call can't be reparameterized where it stands, each with the way out."""
    given = {keyword.arg for keyword in call.node.keywords}
    if len(call.node.args) > 3:
        given |= set(("rng_key", "sample_shape", "infer", "obs_mask")[: len(call.node.args) - 3])
    own_line = "give it a statement of its own."
    if None in given or any(isinstance(arg, ast.Starred) for arg in call.node.args):
        yield "is sampled with * or ** arguments", "write the arguments out."
    if header:
        yield "is sampled in the header of a statement", own_line
    if call.deferred:
        yield "is sampled in a lambda or a comprehension", own_line
    if call.conditional:
        yield "is sampled in a conditional expression", own_line
    if "infer" in given:
        yield (
            "has infer=, which ExplicitReparam doesn't hand on",
            "remove infer= or leave this site as it is.",
        )
    if "obs_mask" in given:
        yield (
            "has obs_mask=, which splits the site in two",
            "leave this site as it is.",
        )
    if "sample_shape" in given:
        yield (
            "has sample_shape=, which ExplicitReparam drops",
            "use .expand_by(sample_shape) on the distribution.",
        )


def addressed_sites(index: Index, dotted: str | None, call: ast.Call) -> frozenset[str] | None:
    """The site names in the dictionary of a handler; None if it can't be read."""
    if dotted is None or not dotted.startswith("numpyro.handlers."):
        return frozenset()
    handler = dotted.rpartition(".")[2]
    if handler not in ADDRESSING:
        return frozenset()
    keyword = "config" if handler == "reparam" else "data"
    data = argument(call, 1, keyword)
    if data is None:
        return None
    candidates = [data]
    if isinstance(data, ast.Name):
        candidates = index.dictionaries.get(data.id, [])
        if not candidates:
            return None
    names: set[str] = set()
    for candidate in candidates:
        keys = keys_of(candidate)
        if keys is None:
            return None
        names |= keys
    return frozenset(names)


def keys_of(node: ast.expr) -> set[str] | None:
    """The keys of ``{"a": 1}``, ``dict(a=1)`` or ``{name: f(name) for name in ["a", "b"]}``."""
    if isinstance(node, ast.Dict):
        keys = node.keys
    elif isinstance(node, ast.DictComp):
        loop = node.generators[0]
        if len(node.generators) > 1 or not isinstance(loop.iter, (ast.List, ast.Tuple)):
            return None
        if ast.unparse(node.key) != ast.unparse(loop.target):
            return None
        keys = list(loop.iter.elts)
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "dict" and not node.args:
        named = {keyword.arg for keyword in node.keywords}
        return None if None in named else {name for name in named if name}
    else:
        return None
    names = set()
    for key in keys:
        if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
            return None
        names.add(key.value)
    return names
