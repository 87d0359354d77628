"""One function is read from top to bottom, statement by statement, for what its names stand for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial

from msgspec.structs import replace

from reparam_rewrite.survey.calls import argument, assignment, is_none
from reparam_rewrite.survey.contexts import items_of
from reparam_rewrite.survey.data import data_in
from reparam_rewrite.survey.index import blocks_of
from reparam_rewrite.survey.names import bound_by
from reparam_rewrite.survey.nodes import FunctionNode, copied, walk
from reparam_rewrite.survey.plates import entered_in, held_by, part_of
from reparam_rewrite.survey.priors import prior_of
from reparam_rewrite.survey.purity import is_fixed, is_opaque, only_computes, reads_of
from reparam_rewrite.survey.scans import bind_outputs, outputs_given, sites_in
from reparam_rewrite.survey.scopes import bound_names
from reparam_rewrite.survey.shapes import seen_of
from reparam_rewrite.survey.sites import read_calls, samples_in
from reparam_rewrite.survey.state import Condition, State
from reparam_rewrite.survey.timeline import (
    Binding,
    Either,
    Element,
    Ended,
    Repeated,
    RightSide,
)
from reparam_rewrite.survey.values import REST, UNKNOWN_PRIOR, Frame, Handler, Plate, Site, closed

#: How much deeper a part of a conditional expression will stand, in a statement of its own.
STEP = 4

#: Statements after which what follows may not be come to.
LEAVING = (ast.Assert, ast.Break, ast.Continue, ast.Raise, ast.Return)

#: What a condition may be made of to be the same as long as its names stand for the same.
PLAIN = (ast.BoolOp, ast.Compare, ast.Constant, ast.Name, ast.UnaryOp)

OPPOSITES = {ast.IsNot: ast.Is, ast.NotEq: ast.Eq}

Value = RightSide | None

#: Blocks of which one runs, each with the condition under which it does, if that can be told.
Branches = list[tuple[list[ast.stmt], Condition | None]]


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
        case ast.If(test=test):
            data = read_head(state, node, test)
            blocks = [(node.body, condition(state, test, holds=True))]
            blocks.append((node.orelse, condition(state, test, holds=False)))
            read_branches(state, node, blocks, data, exhaustive=True)
        case ast.Match():
            read_match(state, node)
        case ast.For() | ast.AsyncFor():
            read_calls(state, node, node.iter, header=True)
            read_loop(state, node, "for")
        case ast.While():
            read_calls(state, node, node.test, header=True)
            state.evaluated(node.test)
            read_loop(state, node, "while")
        case ast.Try() | ast.TryStar():
            read_loop(state, node, "try")
        case ast.Import() | ast.ImportFrom():
            for name, imported in bound_by(node):
                state.bind(name, state.number(node), qualified=imported)
                state.function.imports.add(name)
        case _:
            split = as_if(state, node)
            if split is None:
                read_simple(state, node)
            else:
                read_statement(state, split)


def read_head(state: State, node: ast.stmt, head: ast.expr) -> frozenset[str]:
    """Read what decides between the blocks of a statement, and tell what that is computed of."""
    read_calls(state, node, head, header=True)
    state.evaluated(head)
    state.forget_inside(head, state.number(node))
    return data_in(state, head)


def as_if(state: State, node: ast.stmt) -> ast.If | None:
    """``x = sample(...) if c else 0.0`` as the ``if`` statement that does the same.

    Both have one number. Only where a statement of its own can be made of either part.
    """
    if not isinstance(node, (ast.Assign, ast.Return, ast.Expr)):
        return None
    value = node.value
    if not isinstance(value, ast.IfExp) or not state.text.stands_alone(node):
        return None
    if samples_in(state, value.test) or not samples_in(state, value.body, value.orelse):
        return None
    if bound_names(value.test):
        return None  # what is bound there means something else in either part
    text = state.text.segment(node).text
    if "\n" in text and any(mark in text for mark in ("#", "\\", '"""', "'''")):
        return None
    fields, chosen = dict(ast.iter_fields(node)), state.choices.get(node, ())
    blocks: list[list[ast.stmt]] = []
    for choice in ("body", "orelse"):
        part = type(node)(**{**fields, "value": getattr(value, choice)})
        state.choices[part] = (*chosen, choice)
        blocks.append([ast.copy_location(part, node)])
    found = ast.copy_location(ast.If(value.test, *blocks), node)
    found.col_offset += STEP * (1 + len(chosen))
    for made in (found, blocks[0][0], blocks[1][0]):
        state.index.numbers[made] = state.number(node)
    return found


def read_definition(state: State, node: FunctionNode | ast.ClassDef) -> None:
    number, value = state.number(node), None
    heads = [*node.decorator_list]
    if not isinstance(node, ast.ClassDef):
        value = f"{state.function.name}.{node.name}"
        heads += [*node.args.defaults, *filter(None, node.args.kw_defaults)]
    for head in heads:
        read_calls(state, node, head, header=True)
    state.bind(node.name, number, data=data_in(state, node), value=value)
    if isinstance(node, ast.ClassDef):
        state.timeline.act(number)


def condition(state: State, test: ast.expr, *, holds: bool) -> Condition | None:
    """Under which a later branch is taken as this one is: what is bound here is bound there.

    None if calls or changes of objects may change it: ``self.flag``, ``ready()``.
    """
    while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, holds = test.operand, not holds
    opposite = OPPOSITES.get(type(test.ops[0])) if isinstance(test, ast.Compare) else None
    if isinstance(test, ast.Compare) and opposite is not None and len(test.ops) == 1:
        test, holds = ast.Compare(test.left, [opposite()], test.comparators), not holds
    parts = walk(test)
    if not all(isinstance(part, PLAIN) for part in parts):
        return None
    if any(isinstance(part, ast.Name) and state.is_unstable(part.id) for part in parts):
        return None
    return ast.unparse(test), holds, reads_of(state, test)


def read_match(state: State, node: ast.Match) -> None:
    """The first cases are as ``if subject == value``, up to one that isn't as simple."""
    data = read_head(state, node, node.subject)
    for case in node.cases:
        state.timeline.forget(bound_names(case.pattern), state.number(node))
        if case.guard is not None:
            state.forget_inside(case.guard, state.number(node))
        data |= data_in(state, case.guard)
    blocks: Branches = []
    plain = True
    for case in node.cases:
        value = case.pattern.value if isinstance(case.pattern, ast.MatchValue) else None
        plain = plain and isinstance(value, ast.Constant) and case.guard is None
        test = ast.Compare(node.subject, [ast.Eq()], [value]) if plain and value else None
        blocks.append((case.body, condition(state, test, holds=True) if test else None))
    last, guard = node.cases[-1].pattern, node.cases[-1].guard  # ``case _:``, ``case other:``
    exhaustive = isinstance(last, ast.MatchAs) and last.pattern is None and guard is None
    read_branches(state, node, blocks, data, exhaustive)


def read_branches(
    state: State, node: ast.If | ast.Match, blocks: Branches, data: frozenset[str], exhaustive: bool
) -> None:
    """Blocks of which one runs, as `data` decides; without `exhaustive` perhaps none does."""
    timeline = state.timeline
    kind = "if" if isinstance(node, ast.If) else "match"
    start, moment, choice = timeline.mark(), state.number(node), state.blocks
    ends: list[dict[str, Binding | None]] = []
    positions: list[int] = []
    taken: list[tuple[Ended, dict[str, Binding | None]]] = []
    for position, (block, known) in enumerate(blocks):
        timeline.restore(start, moment)
        mark = timeline.mark()
        ended: Ended = {} if known is None else state.ended.setdefault(known, {})
        timeline.enter(moment, ended)
        state.chosen.append((choice, position))
        leaves = read_branch(state, node, kind, block)
        state.chosen.pop()
        end = timeline.since(mark)
        moment = last_of(state, block, moment)
        timeline.leave(moment)
        if not leaves:
            ends.append(end)
            positions.append(position)
            if known is not None:
                taken.append((ended, end))
    kept: dict[str, Binding | None] = {}
    if not exhaustive:
        ends.append({})
        positions.append(len(blocks))
    elif len(ends) == 1 and taken:  # the others leave: what is bound there stays so
        ended, end = taken[0]
        kept = {n: b for n, b in timeline.kept(start, ended).items() if n not in end}
    name_of = lambda index: state.function.sites[index].name  # noqa: E731
    timeline.join(start, ends, moment, data, name_of, choice, positions)
    for name, binding in kept.items():
        timeline.bind(name, moment, binding)
    for ended, end in taken:
        for name, before in timeline.meant_before(start):
            then, since = end.get(name, before), timeline.now(name)
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
    timeline, number, repeats = state.timeline, state.number(node), kind != "try"

    def since(
        values: dict[str, RightSide | None],
    ) -> Iterator[tuple[str, RightSide | None, RightSide | None]]:
        """The names that stand for something else now, with that and what they stood for."""
        return ((n, now, was) for n, was in values.items() if (now := timeline.value(n)) is not was)

    changed = bound_names(node)
    if repeats and state.acts(node):
        timeline.act(number)  # a step before may have done it
    unbinding = (part for part in walk(node) if isinstance(part, (ast.Delete, ast.ExceptHandler)))
    unbound = {name for part in unbinding for name in bound_names(part)}
    bound = {n for n in changed & state.locals - unbound if timeline.is_certain(n)}
    before = {name: timeline.value(name) for name in changed if name in timeline}
    if repeats:
        state.forget(changed, number, bound)
    if isinstance(node, (ast.For, ast.AsyncFor)):
        values = dict(state.stored(node.target, Element(state.evaluated(node.iter))))
        for name in bound_names(node.target) & state.locals:
            state.bind(name, number, data=data_in(state, node.iter), value=values.get(name))
    moment = number
    caught = [handler.body for handler in getattr(node, "handlers", ())]
    for position, block in enumerate(blocks_of(node)):
        if repeats and position:
            kind = "else"  # of a loop: it runs once, if at all
        if not repeats and moment != number:
            state.forget(changed, moment, bound)
        choice, at_start = state.blocks, {name: timeline.value(name) for name in changed}
        state.chosen += [(choice, 0)] * (block in caught)
        read_branch(state, node, kind, block)
        moment = last_of(state, block, moment)
        if block in caught:
            state.chosen.pop()
            ran = {n: Either(choice, ((0, now), (1, was))) for n, now, was in since(at_start)}
            state.forget(changed, moment, bound, ran)
    after = {name: Repeated(now, was) for name, now, was in since(before)}
    state.forget(changed, moment, bound, after if repeats else {})


def read_with(state: State, node: ast.With | ast.AsyncWith) -> None:
    number, last, body = state.number(node), state.index.last_of(node), node.body
    sole = len(body) == 1 and not any(blocks_of(body[0])) and state.text.stands_alone(body[0])
    called = [i.context_expr.func for i in node.items if isinstance(i.context_expr, ast.Call)]
    breaks = any(state.resolve(f) in ("contextlib.suppress", "pytest.raises") for f in called)
    state.blocks += breaks
    block = state.blocks if breaks else None
    sole = sole and isinstance(node, ast.With)
    frame = Frame("with", number, node.lineno, node.col_offset, block, sole=sole)
    state.frames.append(frame)
    for item in node.items:
        context, names = item.context_expr, item.optional_vars
        read_calls(state, node, context, header=True)
        found = items_of(state, context)
        if any(isinstance(i, Handler) and not i.harmless for i in found):
            state.timeline.act(number)
        value = state.evaluated(context)
        state.forget_inside(context, number)
        frame = state.frames[-1] = replace(frame, items=(*frame.items, *found))
        if names is not None:
            state.forget(bound_names(names), number)
        if isinstance(names, ast.Name):
            # Of a plate it is bound to indices.
            plates = [i for i in found if isinstance(i, Plate)]
            told = found and not any(i.subsampled for i in plates) and len(plates) == len(found)
            data = frozenset() if told else data_in(state, context) | bound_names(item)
            anew = any(i.subsampled for i in plates)
            state.bind(names.id, number, data=data, value=value, anew=anew)
    state.index.items[node] = frame.items
    state.entering |= entered_in(state, node)
    read_block(state, body)
    state.frames.pop()
    if any(isinstance(item, Handler) and not item.harmless for item in frame.items):
        state.timeline.act(last)
    if breaks:
        state.forget(bound_names(node), last)


def read_entering(state: State, node: ast.stmt) -> None:
    """From here on the plate is one of the `with` around it."""
    call = node.value  # type: ignore[attr-defined]
    frame, found = state.frames[-1], items_of(state, call.args[0])
    state.frames[-1] = replace(frame, items=(*frame.items, *found))


def read_simple(state: State, node: ast.stmt) -> None:
    number = state.number(node)
    targets, value = assignment(node)
    sites = read_calls(state, node, node)
    if node in state.entering:
        read_entering(state, node)
    if isinstance(node, ast.Return):
        read_return(state, node, sites)
    if value is None:
        rebind(state, node)
        state.alter(node)
        return
    step = state.evaluated(value)
    meaning, data = meaning_of(state, value, step, sites), data_in(state, node)
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    others = bound_names(node) - {*names}
    if others:
        stored = [pair for target in targets for pair in state.stored(target, step)]
        state.forget(others, number, values={**dict(stored), **state.bound_inside(value)})
    for name in others & state.locals:
        state.bind(name, number, data=data, value=state.timeline.value(name))
    for target in targets:
        if isinstance(target, (ast.Tuple, ast.List)):
            bind_parts(state, target, value, number)
            bind_plates(state, target, value, number)
    for name in names:
        if name in state.locals:
            state.timeline.bind(name, number, meaning)
    parts = (part for target in targets for part in walk(target) if isinstance(part, ast.Name))
    stores = [part.id for part in parts if isinstance(part.ctx, ast.Store)]
    outputs = outputs_given(state, value)
    if outputs is not None and len({*stores}) == len(stores):
        for target in targets:  # not ``_, _ = hyper()``: which of both is it?
            bind_outputs(state, target, outputs, number)


def read_return(state: State, node: ast.Return, sites: dict[ast.Call, Site]) -> None:
    """What a function returns, or the helper that is followed."""
    if state.following:
        if node is state.following[-1].returned:
            state.following[-1].outputs = sites_in(state, node.value, sites)
    else:
        state.returned = (None, None)
        match node.value:
            case ast.Tuple(elts=[first, second]) if node not in state.choices:
                state.returned = sites_in(state, first), sites_in(state, second)
    state.give_back(node.value)


def rebind(state: State, node: ast.stmt) -> None:
    """A statement other than an assignment binds names, or changes what they stand for."""
    number, values = state.number(node), dict(values_bound(state, node))
    names = bound_names(node)
    known = {name: state.binding(name) for name in names & state.locals}
    data = data_in(state, node)
    state.forget(names, number, values=values)
    if isinstance(node, (ast.AugAssign, ast.Delete)):
        for name, old in known.items():
            before = frozenset() if old is None else old.data
            state.bind(name, number, data=data | before, value=state.timeline.value(name))
    if isinstance(node, ast.Delete):
        for name in bound_names(node, in_place=False) & state.locals:
            state.timeline.bind(name, number, None)


def values_bound(state: State, node: ast.stmt) -> Iterator[tuple[str, RightSide]]:
    """The right-hand sides of the names that a statement other than an assignment binds."""
    if isinstance(node, ast.AugAssign):
        loaded = copied(node.target)
        loaded.ctx = ast.Load()
        added = ast.copy_location(ast.BinOp(loaded, node.op, node.value), node)
        yield from state.stored(node.target, state.evaluated(added))
    elif not isinstance(node, ast.Return):
        for part in ast.iter_child_nodes(node):
            if isinstance(part, ast.expr):
                state.evaluated(part)
                yield from state.bound_inside(part).items()


def bind_parts(state: State, target: ast.Tuple | ast.List, value: ast.expr, number: int) -> None:
    """``n, k = X.shape`` binds numbers, and ``a, b = x, y`` what has the shapes of these."""
    parts, data = state.parts(value), data_in(state, value)
    numbers = isinstance(value, ast.Attribute) and value.attr == "shape"
    era = None if numbers else state.era
    if numbers:
        parts = ((),) * len(target.elts)
    if parts is not None and len(parts) == len(target.elts):
        for part, shape in zip(target.elts, parts, strict=True):
            if isinstance(part, ast.Name) and part.id in state.locals:
                known = state.timeline.value(part.id)
                state.bind(part.id, number, shape=shape, data=data, era=era, value=known)


def bind_plates(state: State, target: ast.Tuple | ast.List, value: ast.expr, number: int) -> None:
    """``rows, columns = numpyro.plate("i", n, dim=-2), numpyro.plate("j", m, dim=-1)``"""
    held = held_by(state, value)
    plates = {place: part_of(held, str(place)) for place in range(len(target.elts))}
    for place, part in enumerate(target.elts):
        if isinstance(part, ast.Starred):
            return
        if isinstance(part, ast.Name) and part.id in state.locals and plates[place]:
            known = state.timeline.value(part.id)
            state.bind(part.id, number, plates=plates[place], value=known)


def meaning_of(
    state: State, value: ast.expr, step: RightSide, sites: dict[ast.Call, Site]
) -> Binding:
    """What a name stands for that is bound to `value`."""
    made = partial(Binding, state.timeline.version(), value=step)
    if isinstance(value, ast.Name):
        binding = state.binding(value.id)
        if binding is not None:
            changed = isinstance(binding.plates, dict)  # perhaps, by the other name
            return replace(binding, value=step, plates=None if changed else binding.plates)
    if isinstance(value, ast.Call):
        if value in sites:
            site = sites[value]
            data, tail = site.data.observations, site.extent.seen or (REST,)
            return made(site=site.index, shape=site.shape, tail=tail, data=data)
        if value in state.nameless and is_none(argument(value, 2, "obs")):
            return made(shape=state.nameless[value])
        held = held_by(state, value)
        if held is not None:
            return made(plates=held)
        prior = prior_of(state, value)
        if prior is not UNKNOWN_PRIOR:
            return made(prior=prior, era=state.era, data=data_in(state, value))
    elif isinstance(value, (ast.Dict, ast.DictComp, ast.List, ast.Subscript, ast.Tuple)):
        held = held_by(state, value)
        if held is not None:
            return made(plates=held)
    qualified = state.resolve(value)
    if qualified is not None and qualified.startswith("numpyro"):
        return made(qualified=qualified)  # sample = numpyro.sample
    seen = seen_of(state, value)
    return made(
        shape=closed(seen),
        tail=seen,
        parts=state.parts(value),
        opaque=is_opaque(state, value) or not only_computes(state, value),
        era=None if is_fixed(state, value) else state.era,
        data=data_in(state, value),
    )
