"""One function, read from top to bottom: its sites, its plates, what its names stand for."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from itertools import zip_longest

from msgspec.structs import replace

from reparam_rewrite.survey.bindings import bound_names, sizes_in
from reparam_rewrite.survey.calls import argument, assignment, is_none
from reparam_rewrite.survey.data import data_in, is_computed
from reparam_rewrite.survey.effects import ARRAY_MODULES
from reparam_rewrite.survey.flags import Condition, conditions, takes_all
from reparam_rewrite.survey.imports import bound_by, dotted
from reparam_rewrite.survey.index import FunctionNode, blocks_of
from reparam_rewrite.survey.nodes import walk
from reparam_rewrite.survey.priors import prior_of
from reparam_rewrite.survey.purity import is_fixed, is_opaque, only_computes
from reparam_rewrite.survey.sampling import Sampling
from reparam_rewrite.survey.shapes import seen_of
from reparam_rewrite.survey.values import (
    REST,
    UNKNOWN_PRIOR,
    Binding,
    Frame,
    Function,
    Handler,
    Plate,
    Site,
    closed,
)

#: How much deeper a part of a conditional expression will stand, in a statement of its own.
STEP = 4

#: Statements after which what follows may not be come to.
LEAVING = (ast.Assert, ast.Break, ast.Continue, ast.Raise, ast.Return)


class Walk(Sampling):
    """Reads one function; also the `Scope` that expressions are read in."""

    def run(self, **given: Binding) -> Function:
        """`given`: what arguments are known to stand for."""
        arguments = self._node.args
        numbers = sizes_in(self._scoped, self._called)
        for part in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
            shape = () if part.arg in numbers else None
            if part.arg in given:
                self._timeline.bind(part.arg, self.function.first, given[part.arg])
            else:
                own, era = frozenset([part.arg]), None if shape == () else 0
                self._bind(
                    part.arg, self.function.first, shape=shape, data=own, era=era, computed=True
                )
        for extra in (arguments.vararg, arguments.kwarg):
            if extra:
                self._bind(extra.arg, self.function.first, data=frozenset([extra.arg]))
        self._block(self._node.body)
        return self.function

    def _called(self, node: ast.expr) -> str:
        """What a call anywhere in the function calls; empty if it may be the file's own."""
        imports = self._scoped.imports
        found = dotted(node, lambda name: imports.get(name) or self._imported(name))
        if found is not None:
            known = found.startswith((*ARRAY_MODULES, "numpyro."))
            return found if known else ""
        if isinstance(node, ast.Name):
            return f"builtins.{node.id}" if self.is_builtin(node.id) else ""
        own = self.facts.own
        return f".{node.attr}" if isinstance(node, ast.Attribute) and node.attr not in own else ""

    def _block(self, block: list[ast.stmt]) -> bool:
        """Read a block; True if it surely leaves the function or the loop."""
        for node in block:
            if isinstance(node, LEAVING) and not self._following:
                self._timeline.guard(self._number(node))
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
                data = data_in(self, node.test)
                self._branches(node, "if", [node.body, node.orelse], data, exhaustive=True)
            case ast.Match():
                self._calls(node, node.subject, header=True)
                self._forget(bound_names(node.subject), self._number(node))
                data = data_in(self, node.subject)
                for case in node.cases:
                    self._timeline.forget(bound_names(case.pattern), self._number(node))
                    if case.guard is not None:
                        self._forget(bound_names(case.guard), self._number(node))
                    data |= data_in(self, case.guard)
                blocks = [case.body for case in node.cases]
                self._branches(node, "match", blocks, data, exhaustive=takes_all(node.cases[-1]))
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
        fields = dict(ast.iter_fields(node))
        blocks: list[list[ast.stmt]] = []
        for choice, chosen in (("body", value.body), ("orelse", value.orelse)):
            part = ast.copy_location(type(node)(**{**fields, "value": chosen}), node)
            self._index.numbers[part] = self._number(node)
            self._choices[part] = (*self._choices.get(node, ()), choice)
            blocks.append([part])
        found = ast.copy_location(ast.If(value.test, *blocks), node)
        found.col_offset += STEP * (1 + len(self._choices.get(node, ())))
        self._index.numbers[found] = self._number(node)
        return found

    def _definition(self, node: FunctionNode | ast.ClassDef) -> None:
        number = self._number(node)
        for decorator in node.decorator_list:
            self._calls(node, decorator, header=True)
        if not isinstance(node, ast.ClassDef):
            for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
                self._calls(node, default, header=True)
        self._bind(node.name, number, data=data_in(self, node))
        if isinstance(node, ast.ClassDef):
            self._timeline.act(number)

    def _branches(
        self,
        node: ast.stmt,
        kind: str,
        blocks: list[list[ast.stmt]],
        data: frozenset[str],
        *,
        exhaustive: bool,
    ) -> None:
        """Blocks of which one runs, as `data` decides; without `exhaustive` perhaps none does."""
        start = self._timeline.mark()
        moment = self._number(node)
        ends = []
        taken: list[tuple[Condition, dict[str, Binding | None]]] = []
        known = conditions(self, node) if isinstance(node, (ast.If, ast.Match)) else ()
        for block, condition in zip_longest(blocks, tuple(known)):
            self._timeline.restore(start, moment)
            mark = self._timeline.mark()
            ended = {} if condition is None else self._ended.setdefault(condition, {})
            self._timeline.enter(moment, ended)
            leaves = self._branch(node, kind, block)
            end = self._timeline.since(mark)
            moment = self._last(block, moment)
            self._timeline.leave(moment)
            if leaves:
                continue
            if condition is not None:
                taken.append((condition, end))
            ends.append(end)
        kept: dict[str, Binding | None] = {}
        if not exhaustive:
            ends.append({})
        elif len(ends) == 1 and taken:  # the others leave: what is bound there stays so
            condition, end = taken[0]
            kept = self._timeline.kept(start, self._ended[condition])
            kept = {name: binding for name, binding in kept.items() if name not in end}
        sites = self.function.sites
        self._timeline.join(start, ends, moment, data, lambda index: sites[index].name)
        for name, binding in kept.items():
            self._timeline.bind(name, moment, binding)
        for condition, end in taken:
            ended = self._ended[condition]
            for name, before in self._timeline.meant_before(start):
                then, since = end.get(name, before), self._timeline.now(name)
                if since is not None and (then is None or then.version != since.version):
                    ended[name, since.version] = then

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
        if kind != "try" and self._acts(node):
            self._timeline.act(self._number(node))  # a step before may have done it
        unbound = {
            name
            for part in walk(node)
            if isinstance(part, (ast.Delete, ast.ExceptHandler))
            for name in bound_names(part)
        }
        bound = {n for n in changed & self._locals - unbound if self._timeline.is_certain(n)}
        if kind != "try":
            self._forget(changed, self._number(node), bound)
        if isinstance(node, (ast.For, ast.AsyncFor)):
            for name in bound_names(node.target) & self._locals:
                self._bind(name, self._number(node), data=data_in(self, node.iter))
        moment = self._number(node)
        for position, block in enumerate(blocks_of(node)):
            if kind != "try" and position:
                kind = "else"  # of a loop: it runs once, if at all
            if kind == "try" and moment != self._number(node):
                self._forget(changed, moment, bound)
            self._branch(node, kind, block)
            moment = self._last(block, moment)
        self._forget(changed, moment, bound)

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
        unknown = False
        for item in node.items:
            self._calls(node, item.context_expr, header=True)
            found = self._items(item.context_expr)
            if any(isinstance(i, Handler) and not i.harmless for i in found):
                self._timeline.act(number)
                unknown = True
            self._forget(bound_names(item.context_expr), number)
            self._frames[-1] = replace(self._frames[-1], items=(*self._frames[-1].items, *found))
            if item.optional_vars is not None:
                self._forget(bound_names(item.optional_vars), number)
                if isinstance(item.optional_vars, ast.Name):
                    self._bind(item.optional_vars.id, number, data=self._entered(item, found))
        self._index.items[node] = self._frames[-1].items
        self._block(body)
        self._frames.pop()
        if unknown:
            self._timeline.act(self._index.last_of(node))
        if block is not None:
            self._forget(bound_names(node), self._index.last_of(node))

    def _entered(self, item: ast.withitem, found: Sequence[Plate | Handler]) -> frozenset[str]:
        """What the name that a context is bound to is computed of: indices, if that is a plate."""
        if found and all(isinstance(part, Plate) and not part.subsampled for part in found):
            return frozenset()
        return data_in(self, item.context_expr) | bound_names(item)

    def _simple(self, node: ast.stmt) -> None:
        number = self._number(node)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for name, imported in bound_by(node):
                self._bind(name, number, qualified=imported)
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
            known = {name: self.binding(name) for name in bound_names(node) & self._locals}
            data = data_in(self, node)
            self._forget(bound_names(node), number)
            if isinstance(node, (ast.AugAssign, ast.Delete)):
                for name, old in known.items():
                    before = old.data if old is not None else frozenset()
                    self._bind(name, number, data=data | before)
            if isinstance(node, ast.Delete):
                for name in bound_names(node, in_place=False) & self._locals:
                    self._timeline.bind(name, number, None)
            return
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        meaning = self._meaning(value, sites)
        others = bound_names(node) - set(names)
        data = data_in(self, node)
        self._forget(others, number)
        for name in others & self._locals:
            self._bind(name, number, data=data)
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
            for part in walk(target)
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
        ]
        if len(set(stores)) < len(stores):
            return  # ``_, _ = hyper()``: which of both is it?
        for target in targets if outputs is not None else []:
            self._bind_outputs(target, outputs, number)

    def _unpack(self, target: ast.Tuple | ast.List, value: ast.expr, number: int) -> None:
        """``n, k = X.shape`` binds numbers."""
        data = data_in(self, value)
        parts = self._parts(value)
        if parts is not None and len(parts) == len(target.elts):
            for name, shape in zip(target.elts, parts, strict=True):
                if isinstance(name, ast.Name) and name.id in self._locals:
                    self._bind(name.id, number, shape=shape, data=data)
        if isinstance(value, ast.Attribute) and value.attr == "shape":
            for name in target.elts:
                if isinstance(name, ast.Name) and name.id in self._locals:
                    self._bind(name.id, number, shape=(), data=data, era=None)

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
                given = site.observations
                data = given.data if given is not None else frozenset()
                tail = site.seen or (REST,)
                return Binding(version, site=site.index, shape=site.shape, tail=tail, data=data)
            if value in self._nameless and is_none(argument(value, 2, "obs")):
                return Binding(version, shape=self._nameless[value])
            plate = self._plate(value)
            if plate is not None:
                return Binding(version, plate=plate)
            prior = prior_of(self, value)
            if prior is not UNKNOWN_PRIOR:
                return Binding(version, prior=prior, era=self.era, data=data_in(self, value))
        qualified = self.resolve(value)
        if qualified is not None and qualified.startswith("numpyro"):
            return Binding(version, qualified=qualified)  # sample = numpyro.sample
        seen = seen_of(self, value)
        return Binding(
            version,
            shape=closed(seen),
            tail=seen,
            parts=self._parts(value),
            opaque=is_opaque(self, value) or not only_computes(self, value),
            computed=is_computed(self, value),
            era=None if is_fixed(self, value) else self.era,
            data=data_in(self, value),
        )
