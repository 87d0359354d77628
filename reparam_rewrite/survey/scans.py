"""Calls of `numpyro.contrib.control_flow.scan`, and what they and helpers give back.

The body of a scan is read as a function whose parameters are known; its sites are those of the
function that calls scan, stacked.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from reparam_rewrite.survey.calls import argument, given, is_none, is_reversed
from reparam_rewrite.survey.carried import data_carried
from reparam_rewrite.survey.data import data_in
from reparam_rewrite.survey.expressions import parsed
from reparam_rewrite.survey.index import Index, Scoped
from reparam_rewrite.survey.nodes import FunctionNode, walk
from reparam_rewrite.survey.shapes import axis_of, shape_of
from reparam_rewrite.survey.state import Outputs, State
from reparam_rewrite.survey.timeline import Assigned, Binding
from reparam_rewrite.survey.values import Axis, Handler, Scan, Shape, Site

SCAN = ("numpyro.contrib.control_flow.scan", "numpyro.contrib.control_flow.scan.scan")

#: The parameters of a scan that can be followed. With `history` it calls the body otherwise. With
#: `reverse` NumPyro gives the first step that it runs the first one of a site's values, and records
#: it as the last one: draws of the model aren't read as they were written.
PARAMETERS = ("f", "init", "xs", "length", "reverse")

NO_SITES: Mapping[ast.Call, Site] = {}


def body_of(index: Index, outer: Scoped, call: ast.Call) -> Scoped | None:
    """The function that a scan in `outer` runs; None if it can't be followed.

    It must be a plain ``def step(carry, x)`` in `outer`, defined once and used nowhere else.
    """
    asked = given(call, PARAMETERS)
    body, known = asked.get("f"), asked.keys() <= {*PARAMETERS}
    if len(call.args) > len(PARAMETERS) or not known or is_reversed(call):
        return None
    if not isinstance(body, ast.Name) or outer.mentioned[body.id] != 1:
        return None
    beside = (s for s in index.by_last.get(body.id, ()) if s.around[-1:] == (outer,))
    found = [scoped for scoped in beside if scoped.name == f"{outer.name}.{body.id}"]
    return found[0] if len(found) == 1 and is_step(found[0].node) else None


def is_step(node: FunctionNode) -> bool:
    """``def step(carry, x):``, with no other parameters, and no generator."""
    match node:
        case ast.FunctionDef(
            args=ast.arguments(vararg=None, kwonlyargs=[], kwarg=None, defaults=[]),
            decorator_list=[],
        ):
            yields = any(isinstance(part, (ast.Yield, ast.YieldFrom)) for part in walk(node))
            return len(parameters(node)) == 2 and not yields
    return False


def parameters(node: FunctionNode) -> list[str]:
    """The names of a body's carry and of its slices."""
    return [part.arg for part in [*node.args.posonlyargs, *node.args.args]]


def first_of(node: FunctionNode) -> ast.stmt:
    """The first statement of a body that isn't its docstring."""
    first = node.body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return node.body[1] if is_text and len(node.body) > 1 else first


def length_of(state: State, call: ast.Call) -> Axis:
    """How many steps a scan makes: its `length`, else that of its `xs`."""
    length, xs = argument(call, 3, "length"), argument(call, 2, "xs")
    if length is not None and not is_none(length):
        return axis_of(state, length, ast.unparse(length))
    for leaf in leaves_of(xs):
        parts = state.parts(leaf)
        known = [part[0] for part in ([shape_of(state, leaf)] if parts is None else parts) if part]
        if known:
            return known[0]
        if parts is None and isinstance(leaf, (ast.Name, ast.Attribute, ast.Subscript, ast.Call)):
            size = parsed(f"{ast.unparse(leaf)}.shape[0]")
            return axis_of(state, size, ast.unparse(size))
    return Axis(None)


def leaves_of(xs: ast.expr | None) -> Iterator[ast.expr]:
    """The arrays that a scan runs along, as far as they are written in its call."""
    match xs:
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Dict(values=parts):
            for part in parts:
                yield from leaves_of(part)
        case ast.expr() if not is_none(xs) and not isinstance(xs, ast.Starred):
            yield xs


def forecasts(state: State, length: Axis) -> bool:
    """May a scan be asked for more steps than there are draws of?

    It may if its sites are conditioned on data, or if its length is a sum, ``T + future``.
    """
    items = (item for frame in state.frames for item in frame.items)
    names = {item.qualified for item in items if isinstance(item, Handler)}
    if length.size is None or length.size.isdecimal():
        return False
    return "numpyro.handlers.condition" in names or is_sum(state, parsed(length.size))


def is_sum(state: State, size: ast.AST) -> bool:
    """``T + future``, or a name of that."""
    if isinstance(size, ast.Name) and size.id in state.locals:
        value = state.timeline.value(size.id)
        return isinstance(value, Assigned) and is_sum(state, value.node)
    adds = (part for part in walk(size) if isinstance(part, ast.BinOp))
    return any(isinstance(part.op, ast.Add) for part in adds)


def read_scan(state: State, statement: ast.stmt, call: ast.Call, header: bool) -> None:
    """Read the body of a scan, if it can be followed, and add what it samples."""
    scoped = body_of(state.index, state.scoped, call)
    if scoped is None or state.runner is not None:
        return
    xs, init = argument(call, 2, "xs"), argument(call, 1, "init")
    (carry, slices), parts = parameters(scoped.node), walk(scoped.node)
    first, number, length = first_of(scoped.node), state.number(statement), length_of(state, call)
    scan = Scan(
        body=scoped.name,
        statement=number,
        indent=statement.col_offset,
        place=state.text.place(call),
        length=length,
        forecasts=forecasts(state, length),
        definition=state.number(scoped.node),
        first=state.number(first),
        inner_indent=first.col_offset,
        argument=slices,
        passes=not is_none(xs)
        or any(isinstance(part, ast.Name) and part.id == slices for part in parts),
    )
    before = parameter_of(
        state, init, data_carried(state, scoped.node, (carry, slices), xs), sliced=False
    )
    inner = state.inside(scoped)
    body = inner.run(**{carry: before, slices: parameter_of(state, xs, sliced=True)})
    body.runner, body.run_at = state.function.name, number
    state.blocks = inner.blocks
    state.bodies[scoped.name] = body
    returns = sum(isinstance(part, ast.Return) for part in parts)
    carried, outputs = inner.returned if returns == 1 else (None, None)
    for index, shape in carried_on(state, carried, init):
        if isinstance(index, int) and body.sites[index].shape is None:
            site = body.sites[index]
            body.amend(replace(site, extent=replace(site.extent, shape=shape)))
    names = names_of_carry(scoped.node)
    carries = carried if isinstance(carried, tuple) else (carried,)
    if len(carries) == len(names):
        found = zip(carries, names, strict=True)
        last = ((body.sites[at].name, name) for at, name in found if isinstance(at, int) and name)
        scan = replace(scan, last=tuple(last))
    around = state.text.comments_on(statement)
    state.function.commented.update(around if body.sites else ())
    alone, indices = header or state.text.stands_alone(statement), {}
    for step in body.sites:
        indices[step.index] = len(state.function.sites)
        shape, batch = step.extent.shape, step.extent.batch
        shape = None if shape is None else (scan.length, *shape)
        batch = None if batch is None else (scan.length, *batch)
        site = replace(
            step,
            index=len(state.function.sites),
            extent=replace(step.extent, shape=shape, batch=batch, plates=None),
            statement=number,
            indent=statement.col_offset,
            alone=alone,
            frames=tuple(state.frames),
            variable=None,
            comments=(*step.comments, *around),
            scan=scan,
            step=step,
        )
        state.function.add(site)
    state.function.taken |= body.taken
    state.function.params |= body.params
    state.scans[call] = numbered(outputs, indices)


def names_of_carry(body: FunctionNode) -> tuple[str, ...]:
    """The names of what a body is carried, which are bound once; "" where there is none."""
    carry = parameters(body)[0]
    bound = Counter(
        part.id
        for part in walk(body)
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load)
    )
    for statement in body.body:
        match statement:
            case ast.Assign(targets=[ast.Tuple(elts=parts)], value=ast.Name(id=name)):
                if name == carry and not bound[carry]:
                    names = [part.id if isinstance(part, ast.Name) else "" for part in parts]
                    starred = any(isinstance(part, ast.Starred) for part in parts)
                    return () if starred else tuple(n if bound[n] == 1 else "" for n in names)
    return () if bound[carry] else (carry,)


def carried_on(
    state: State, carried: Outputs, init: ast.expr | None
) -> Iterable[tuple[Outputs, Shape | None]]:
    """The sites that a body hands on have the shapes of the `init` in their place."""
    if init is None:
        return []
    parts = state.parts(init)
    if isinstance(carried, tuple):
        same = parts is not None and len(parts) == len(carried)
        return zip(carried, parts or (), strict=True) if same else []
    return [(carried, shape_of(state, init))]


def parameter_of(
    state: State, node: ast.expr | None, more: frozenset[str] = frozenset(), *, sliced: bool
) -> Binding:
    """What a body's parameter stands for, given the scan's `init`, or else its `xs`.

    `more` is the data that earlier steps may have put into it.
    """

    def one(whole: Shape | None) -> Shape | None:
        return whole[1:] if whole and sliced else None if sliced else whole

    version, data = state.timeline.version(), data_in(state, node) | more
    if node is None or is_none(node):
        return Binding(version, data=data)
    parts = state.parts(node)
    if parts is not None:
        return Binding(version, parts=tuple(map(one, parts)), data=data)
    return Binding(version, shape=one(shape_of(state, node)), data=data)


# What scans and helpers give back


def sites_in(
    state: State, node: ast.expr | None, sites: Mapping[ast.Call, Site] = NO_SITES
) -> Outputs:
    """The sites that a value is made of; `sites` are what it samples itself."""
    match node:
        case ast.Dict():
            entries: dict[str, Outputs] = {}
            for key, value in zip(node.keys, node.values, strict=True):
                if not isinstance(key, ast.Constant):
                    entries.clear()  # it may have any key, in the place of one before
                elif isinstance(key.value, str):
                    entries[key.value] = sites_in(state, value, sites)
            return entries
        case ast.Tuple(elts=parts):
            return tuple(sites_in(state, part, sites) for part in parts)
        case ast.Call():
            return sites[node].index if node in sites else state.followed.get(node)
        case ast.Name(id=name) if name in state.locals:
            binding = state.binding(name)
            return None if binding is None else binding.site
    return None


def outputs_given(state: State, value: ast.expr) -> Outputs:
    """What ``scan(...)``, ``scan(...)[1]`` or a helper that was followed gives back."""
    match value:
        case ast.Call() if value in state.scans:
            return None, state.scans[value]
        case ast.Call():
            return state.followed.get(value)
        case ast.Subscript(value=ast.Call() as call, slice=ast.Constant(value=1)):
            return state.scans.get(call)
    return None


def bind_outputs(state: State, target: ast.expr, outputs: Outputs, number: int) -> None:
    """Let the names of a target stand for the stacked sites that they are bound to."""
    function = state.function
    match target, outputs:
        case ((ast.Tuple(elts=parts) | ast.List(elts=parts)), tuple()):
            if len(parts) == len(outputs):
                for part, output in zip(parts, outputs, strict=True):
                    bind_outputs(state, part, output, number)
        case ast.Name(id=name), dict() if not state.following:
            for key, output in outputs.items():
                if isinstance(output, int):
                    site = function.sites[output]
                    held = f'{name}["{key}"]' if key.isidentifier() and site.through else None
                    function.amend(replace(site, variable=held))
        case ast.Name(id=name), int() if name in state.locals:
            site, value = function.sites[outputs], state.timeline.value(name)
            state.bind(name, number, site=site.index, shape=site.shape, value=value)
            if not state.following:
                function.amend(replace(site, variable=name))


def numbered(outputs: Outputs, indices: dict[int, int]) -> Outputs:
    """Outputs by the indices that the sites have in the function that calls scan."""
    if isinstance(outputs, tuple):
        return tuple(numbered(output, indices) for output in outputs)
    return indices[outputs] if isinstance(outputs, int) else None
