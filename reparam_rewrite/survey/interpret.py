"""One function is read from top to bottom, statement by statement, for what its names stand for."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import zip_longest

from msgspec.structs import replace

from reparam_rewrite.survey.calls import argument, assignment, is_none
from reparam_rewrite.survey.data import data_in, is_computed
from reparam_rewrite.survey.flags import Condition, conditions, takes_all
from reparam_rewrite.survey.imports import bound_by
from reparam_rewrite.survey.index import blocks_of
from reparam_rewrite.survey.nodes import FunctionNode, copied, walk
from reparam_rewrite.survey.outputs import (
    bind_outputs,
    outputs_given,
    outputs_of,
    sites_in,
)
from reparam_rewrite.survey.plates import items_of, may_break_off, plate_at
from reparam_rewrite.survey.priors import prior_of
from reparam_rewrite.survey.purity import is_fixed, is_opaque, only_computes
from reparam_rewrite.survey.scopes import bound_names
from reparam_rewrite.survey.shapes import seen_of
from reparam_rewrite.survey.sites import read_calls, samples_in
from reparam_rewrite.survey.state import State
from reparam_rewrite.survey.timeline import (
    NO_VALUES,
    Assigned,
    Binding,
    Either,
    Element,
    Repeated,
    RightSide,
)
from reparam_rewrite.survey.values import REST, UNKNOWN_PRIOR, Frame, Handler, Plate, Site, closed

#: How much deeper a part of a conditional expression will stand, in a statement of its own.
STEP = 4

#: Statements after which what follows may not be come to.
LEAVING = (ast.Assert, ast.Break, ast.Continue, ast.Raise, ast.Return)


def read_block(state: State, block: list[ast.stmt]) -> bool:
    """Read a block; True if it surely leaves the function or the loop."""
    for node in block:
        if isinstance(node, LEAVING) and not state.following:
            state.timeline.guard(state.number(node))
        read_statement(state, node)
    return bool(block) and isinstance(block[-1], (ast.Return, ast.Raise, ast.Continue, ast.Break))


def read_statement(state: State, node: ast.stmt) -> None:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            read_definition(state, node)
        case ast.With() | ast.AsyncWith():
            read_with(state, node)
        case ast.If():
            read_calls(state, node, node.test, header=True)
            state.evaluated(node.test)
            state.forget_inside(node.test, state.number(node))
            data = data_in(state, node.test)
            read_branches(state, node, "if", [node.body, node.orelse], data, exhaustive=True)
        case ast.Match():
            read_calls(state, node, node.subject, header=True)
            state.evaluated(node.subject)
            state.forget_inside(node.subject, state.number(node))
            data = data_in(state, node.subject)
            for case in node.cases:
                state.timeline.forget(bound_names(case.pattern), state.number(node))
                if case.guard is not None:
                    state.forget_inside(case.guard, state.number(node))
                data |= data_in(state, case.guard)
            blocks = [case.body for case in node.cases]
            read_branches(state, node, "match", blocks, data, exhaustive=takes_all(node.cases[-1]))
        case ast.For() | ast.AsyncFor():
            read_calls(state, node, node.iter, header=True)
            read_loop(state, node, "for")
        case ast.While():
            read_calls(state, node, node.test, header=True)
            state.evaluated(node.test)
            read_loop(state, node, "while")
        case ast.Try() | ast.TryStar():
            read_loop(state, node, "try")
        case _:
            split = as_if(state, node)
            if split is None:
                read_simple(state, node)
            else:
                read_statement(state, split)


def as_if(state: State, node: ast.stmt) -> ast.If | None:
    """``x = sample(...) if c else 0.0`` as the ``if`` statement that does the same.

    Both have one number. Only where a statement of its own can be made of either part.
    """
    if not isinstance(node, (ast.Assign, ast.Return, ast.Expr)):
        return None
    value = node.value
    if not isinstance(value, ast.IfExp) or not state.text.stands_alone(node):
        return None
    if samples_in(state, value.test) or not (samples_in(state, value.body, value.orelse)):
        return None
    if bound_names(value.test):
        return None  # what is bound there means something else in either part
    text = state.text.segment(node).text
    if "\n" in text and any(mark in text for mark in ("#", "\\", '"""', "'''")):
        return None
    fields = dict(ast.iter_fields(node))
    blocks: list[list[ast.stmt]] = []
    for choice, chosen in (("body", value.body), ("orelse", value.orelse)):
        part = ast.copy_location(type(node)(**{**fields, "value": chosen}), node)
        state.index.numbers[part] = state.number(node)
        state.choices[part] = (*state.choices.get(node, ()), choice)
        blocks.append([part])
    found = ast.copy_location(ast.If(value.test, *blocks), node)
    found.col_offset += STEP * (1 + len(state.choices.get(node, ())))
    state.index.numbers[found] = state.number(node)
    return found


def read_definition(state: State, node: FunctionNode | ast.ClassDef) -> None:
    number = state.number(node)
    for decorator in node.decorator_list:
        read_calls(state, node, decorator, header=True)
    if not isinstance(node, ast.ClassDef):
        for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
            read_calls(state, node, default, header=True)
    value = None if isinstance(node, ast.ClassDef) else f"{state.function.name}.{node.name}"
    state.bind(node.name, number, data=data_in(state, node), value=value)
    if isinstance(node, ast.ClassDef):
        state.timeline.act(number)


def read_branches(
    state: State,
    node: ast.stmt,
    kind: str,
    blocks: list[list[ast.stmt]],
    data: frozenset[str],
    *,
    exhaustive: bool,
) -> None:
    """Blocks of which one runs, as `data` decides; without `exhaustive` perhaps none does."""
    start = state.timeline.mark()
    moment = state.number(node)
    ends = []
    taken: list[tuple[Condition, dict[str, Binding | None]]] = []
    known = conditions(state, node) if isinstance(node, (ast.If, ast.Match)) else ()
    choice, positions = state.blocks, list(range(len(blocks)))
    for position, (block, condition) in enumerate(zip_longest(blocks, tuple(known))):
        state.timeline.restore(start, moment)
        mark = state.timeline.mark()
        ended = {} if condition is None else state.ended.setdefault(condition, {})
        state.timeline.enter(moment, ended)
        state.chosen.append((choice, position))
        leaves = read_branch(state, node, kind, block)
        state.chosen.pop()
        end = state.timeline.since(mark)
        moment = last_of(state, block, moment)
        state.timeline.leave(moment)
        if leaves:
            positions.remove(position)
            continue
        if condition is not None:
            taken.append((condition, end))
        ends.append(end)
    kept: dict[str, Binding | None] = {}
    if not exhaustive:
        ends.append({})
        positions.append(len(blocks))
    elif len(ends) == 1 and taken:  # the others leave: what is bound there stays so
        condition, end = taken[0]
        kept = state.timeline.kept(start, state.ended[condition])
        kept = {name: binding for name, binding in kept.items() if name not in end}
    sites = state.function.sites
    names = lambda index: sites[index].name  # noqa: E731
    state.timeline.join(start, ends, moment, data, names, choice, positions)
    for name, binding in kept.items():
        state.timeline.bind(name, moment, binding)
    for condition, end in taken:
        ended = state.ended[condition]
        for name, before in state.timeline.meant_before(start):
            then, since = end.get(name, before), state.timeline.now(name)
            if since is not None and (then is None or then.version != since.version):
                ended[name, since.version] = then


def last_of(state: State, block: list[ast.stmt], otherwise: int) -> int:
    return state.index.last_of(block[-1]) if block else otherwise


def read_branch(state: State, node: ast.stmt, kind: str, block: list[ast.stmt]) -> bool:
    state.blocks += 1
    state.frames.append(Frame(kind, state.number(node), node.lineno, node.col_offset, state.blocks))
    leaves = read_block(state, block)
    state.frames.pop()
    return leaves


def read_loop(state: State, node: ast.stmt, kind: str) -> None:
    """Blocks that may run any number of times or break off anywhere: loops and `try`."""
    changed = bound_names(node)
    if kind != "try" and state.acts(node):
        state.timeline.act(state.number(node))  # a step before may have done it
    unbound = {
        name
        for part in walk(node)
        if isinstance(part, (ast.Delete, ast.ExceptHandler))
        for name in bound_names(part)
    }
    bound = {n for n in changed & state.locals - unbound if state.timeline.is_certain(n)}
    before = {name: state.timeline.value(name) for name in changed if name in state.timeline}
    if kind != "try":
        state.forget(changed, state.number(node), bound)
    if isinstance(node, (ast.For, ast.AsyncFor)):
        values = dict(state.stored(node.target, Element(state.evaluated(node.iter))))
        for name in bound_names(node.target) & state.locals:
            data = data_in(state, node.iter)
            state.bind(name, state.number(node), data=data, value=values.get(name))
    moment = state.number(node)
    for position, block in enumerate(blocks_of(node)):
        if kind != "try" and position:
            kind = "else"  # of a loop: it runs once, if at all
        if kind == "try" and moment != state.number(node):
            state.forget(changed, moment, bound)
        choice, at_start = state.blocks, {name: state.timeline.value(name) for name in changed}
        caught = kind == "try" and block in [h.body for h in getattr(node, "handlers", ())]
        if caught:
            state.chosen.append((choice, 0))
        read_branch(state, node, kind, block)
        moment = last_of(state, block, moment)
        if caught:
            state.chosen.pop()
            after = {
                name: Either(choice, ((0, now), (1, was))) if now is not was else now
                for name, was in at_start.items()
                for now in [state.timeline.value(name)]
            }
            state.forget(changed, moment, bound, after)
    after = {
        name: Repeated(now, was)
        for name, was in before.items()
        if (now := state.timeline.value(name)) is not was
    }
    state.forget(changed, moment, bound, NO_VALUES if kind == "try" else after)


def read_with(state: State, node: ast.With | ast.AsyncWith) -> None:
    number = state.number(node)
    body = node.body
    sole = len(body) == 1 and not any(blocks_of(body[0])) and state.text.stands_alone(body[0])
    sole = sole and isinstance(node, ast.With)
    block = None
    if any(may_break_off(state, item.context_expr) for item in node.items):
        state.blocks += 1
        block = state.blocks
    frame = Frame("with", number, node.lineno, node.col_offset, block, sole=sole)
    state.frames.append(frame)
    unknown = False
    for item in node.items:
        read_calls(state, node, item.context_expr, header=True)
        found = items_of(state, item.context_expr)
        if any(isinstance(i, Handler) and not i.harmless for i in found):
            state.timeline.act(number)
            unknown = True
        value = state.evaluated(item.context_expr)
        state.forget_inside(item.context_expr, number)
        state.frames[-1] = replace(state.frames[-1], items=(*state.frames[-1].items, *found))
        if item.optional_vars is not None:
            state.forget(bound_names(item.optional_vars), number)
            if isinstance(item.optional_vars, ast.Name):
                data = data_entered(state, item, found)
                state.bind(item.optional_vars.id, number, data=data, value=value)
    state.index.items[node] = state.frames[-1].items
    read_block(state, body)
    state.frames.pop()
    if unknown:
        state.timeline.act(state.index.last_of(node))
    if block is not None:
        state.forget(bound_names(node), state.index.last_of(node))


def data_entered(
    state: State, item: ast.withitem, found: Sequence[Plate | Handler]
) -> frozenset[str]:
    """What the name that a context is bound to is computed of: indices, if that is a plate."""
    if found and all(isinstance(part, Plate) and not part.subsampled for part in found):
        return frozenset()
    return data_in(state, item.context_expr) | bound_names(item)


def read_simple(state: State, node: ast.stmt) -> None:
    number = state.number(node)
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        for name, imported in bound_by(node):
            state.bind(name, number, qualified=imported)
            state.function.imports.add(name)
        return
    targets, value = assignment(node)
    sites = read_calls(state, node, node)
    if state.following:
        if isinstance(node, ast.Return) and node is state.following[-1].returned:
            state.following[-1].outputs = sites_in(state, node.value, sites)
    elif isinstance(node, ast.Return):
        sure = node not in state.choices
        state.returned = outputs_of(state, node.value) if sure else (None, None)
    if isinstance(node, ast.Return):
        state.give_back(node.value)
    if value is None:
        values = dict(values_bound(state, node))
        known = {name: state.binding(name) for name in bound_names(node) & state.locals}
        data = data_in(state, node)
        state.forget(bound_names(node), number, values=values)
        if isinstance(node, (ast.AugAssign, ast.Delete)):
            for name, old in known.items():
                before = old.data if old is not None else frozenset()
                value_ = state.timeline.value(name)
                state.bind(name, number, data=data | before, value=value_)
        if isinstance(node, ast.Delete):
            for name in bound_names(node, in_place=False) & state.locals:
                state.timeline.bind(name, number, None)
        return
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    step = state.evaluated(value)
    meaning = meaning_of(state, value, step, sites)
    others = bound_names(node) - set(names)
    data = data_in(state, node)
    if others:
        stored = [pair for target in targets for pair in state.stored(target, step)]
        values = {**dict(stored), **state.bound_inside(value)}
        state.forget(others, number, values=values)
    for name in others & state.locals:
        state.bind(name, number, data=data, value=state.timeline.value(name))
    for target in targets:
        if isinstance(target, (ast.Tuple, ast.List)):
            bind_parts(state, target, value, number)
    for name in names:
        if name in state.locals:
            state.timeline.bind(name, number, meaning)
    outputs = outputs_given(state, value)
    stores = [
        part.id
        for target in targets
        for part in walk(target)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    ]
    if len(set(stores)) < len(stores):
        return  # ``_, _ = hyper()``: which of both is it?
    for target in targets if outputs is not None else []:
        bind_outputs(state, target, outputs, number)


def bind_parts(state: State, target: ast.Tuple | ast.List, value: ast.expr, number: int) -> None:
    """``n, k = X.shape`` binds numbers."""
    data = data_in(state, value)
    parts = state.parts(value)
    if parts is not None and len(parts) == len(target.elts):
        for name, shape in zip(target.elts, parts, strict=True):
            if isinstance(name, ast.Name) and name.id in state.locals:
                known = state.timeline.value(name.id)
                state.bind(name.id, number, shape=shape, data=data, value=known)
    if isinstance(value, ast.Attribute) and value.attr == "shape":
        for name in target.elts:
            if isinstance(name, ast.Name) and name.id in state.locals:
                known = state.timeline.value(name.id)
                state.bind(name.id, number, shape=(), data=data, era=None, value=known)


def values_bound(state: State, node: ast.stmt) -> Iterator[tuple[str, RightSide]]:
    """The right-hand sides of the names that a statement other than an assignment binds."""
    if isinstance(node, ast.Return):
        return
    if isinstance(node, ast.AugAssign):
        loaded = copied(node.target)
        loaded.ctx = ast.Load()
        added = ast.copy_location(ast.BinOp(loaded, node.op, node.value), node)
        yield from state.stored(node.target, state.evaluated(added))
        return
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.expr):
            state.evaluated(part)
            yield from state.bound_inside(part).items()


def meaning_of(
    state: State, value: ast.expr, step: Assigned, sites: dict[ast.Call, Site]
) -> Binding:
    """What a name stands for that is bound to `value`."""
    made = partial(Binding, state.timeline.version(), value=step)
    if isinstance(value, ast.Name):
        binding = state.binding(value.id)
        if binding is not None:
            return replace(binding, value=step)
    if isinstance(value, ast.Call):
        if value in sites:
            site = sites[value]
            given = site.data.observations
            data = given.data if given is not None else frozenset()
            tail = site.extent.seen or (REST,)
            return made(site=site.index, shape=site.shape, tail=tail, data=data)
        if value in state.nameless and is_none(argument(value, 2, "obs")):
            return made(shape=state.nameless[value])
        plate = plate_at(state, value)
        if plate is not None:
            return made(plate=plate)
        prior = prior_of(state, value)
        if prior is not UNKNOWN_PRIOR:
            return made(prior=prior, era=state.era, data=data_in(state, value))
    qualified = state.resolve(value)
    if qualified is not None and qualified.startswith("numpyro"):
        return made(qualified=qualified)  # sample = numpyro.sample
    seen = seen_of(state, value)
    return made(
        shape=closed(seen),
        tail=seen,
        parts=state.parts(value),
        opaque=is_opaque(state, value) or not only_computes(state, value),
        computed=is_computed(state, value),
        era=None if is_fixed(state, value) else state.era,
        data=data_in(state, value),
    )
