"""Calls of `numpyro.contrib.control_flow.scan`: their bodies, their steps, what they give back."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from msgspec.structs import replace

from reparam_rewrite.survey.calls import argument, is_none
from reparam_rewrite.survey.data import data_in
from reparam_rewrite.survey.families import FAMILIES
from reparam_rewrite.survey.index import Index, Scoped
from reparam_rewrite.survey.nodes import FunctionNode, walk
from reparam_rewrite.survey.outputs import numbered
from reparam_rewrite.survey.priors import DISTRIBUTIONS
from reparam_rewrite.survey.scopes import Scope
from reparam_rewrite.survey.shapes import axis_of, shape_of
from reparam_rewrite.survey.state import Outputs, State
from reparam_rewrite.survey.timeline import Binding
from reparam_rewrite.survey.values import Axis, Scan, Shape, Site

SCAN = ("numpyro.contrib.control_flow.scan", "numpyro.contrib.control_flow.scan.scan")

#: Families that are only moved by an addition to their `loc`.
LOCATED = frozenset(
    [
        "AsymmetricLaplace",
        "Cauchy",
        "Gumbel",
        "Laplace",
        "Logistic",
        "LowRankMultivariateNormal",
        "MultivariateNormal",
        "MultivariateStudentT",
        "Normal",
        "SoftLaplace",
        "StudentT",
    ]
)


def body_of(index: Index, outer: Scoped, call: ast.Call) -> Scoped | None:
    """The function that a scan in `outer` runs; None if it can't be followed.

    It must be a plain ``def step(carry, x)`` in `outer`, defined once and used nowhere else.
    """
    given = argument(call, 0, "f")
    if not isinstance(given, ast.Name) or not is_plain(call):
        return None
    found = [
        scoped
        for scoped in index.by_last.get(given.id, ())
        if scoped.name == f"{outer.name}.{given.id}" and scoped.around[-1:] == (outer,)
    ]
    if len(found) != 1 or outer.mentioned[given.id] != 1:
        return None
    (scoped,) = found
    body = scoped.node
    arguments = body.args
    plain = not (arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.defaults)
    count = len(arguments.posonlyargs) + len(arguments.args)
    if not isinstance(body, ast.FunctionDef) or body.decorator_list or not plain or count != 2:
        return None
    if any(isinstance(part, (ast.Yield, ast.YieldFrom)) for part in walk(body)):
        return None
    return scoped


def is_plain(call: ast.Call) -> bool:
    """Are all arguments written out, and those of scan that can be followed?

    With `history` it calls the body otherwise. With `reverse` NumPyro gives the steps the values
    of a sample site in one order, and records those of a deterministic one in the other.
    """
    names = {keyword.arg for keyword in call.keywords}
    starred = any(isinstance(part, ast.Starred) for part in call.args)
    return len(call.args) <= 4 and not starred and names <= {"f", "init", "xs", "length"}


def reads_argument(node: FunctionNode) -> bool:
    """Does a body do anything with its slices?"""
    slices = parameters(node)[1]
    return any(isinstance(part, ast.Name) and part.id == slices for part in walk(node))


def parameters(node: FunctionNode) -> tuple[str, str]:
    """The names of a body's carry and of its slices."""
    first, second = [*node.args.posonlyargs, *node.args.args]
    return first.arg, second.arg


def first_of(node: FunctionNode) -> ast.stmt:
    """The first statement of a body that isn't its docstring."""
    first = node.body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return node.body[1] if is_text and len(node.body) > 1 else first


def returns_once(node: FunctionNode) -> bool:
    return sum(isinstance(part, ast.Return) for part in walk(node)) == 1


def length_of(scope: Scope, call: ast.Call) -> Axis:
    """How many steps a scan makes: its `length`, else that of its `xs`."""
    given = argument(call, 3, "length")
    if given is not None and not is_none(given):
        return axis_of(scope, given, ast.unparse(given))
    xs = argument(call, 2, "xs")
    while isinstance(xs, (ast.Tuple, ast.List)) and xs.elts:
        xs = xs.elts[0]
    if xs is None or is_none(xs):
        return Axis(None)
    shape = shape_of(scope, xs)
    if shape:
        return shape[0]
    if isinstance(xs, ast.Name) and shape is None:
        size = ast.parse(f"{xs.id}.shape[0]", mode="eval").body
        return axis_of(scope, size, ast.unparse(size))
    return Axis(None)


def stacked(outer: Site, site: Site, scan: Scan) -> Site:
    """All that a scan samples of a site; `outer` is the site as it stands where the scan does."""
    extent = replace(
        site.extent,
        shape=None if site.shape is None else (scan.length, *site.shape),
        batch=None if site.extent.batch is None else (scan.length, *site.extent.batch),
        plates=None,
    )
    return replace(outer, extent=extent, scan=scan, step=site)


def is_located(scope: Scope, node: ast.expr, *, in_plate: bool) -> bool:
    """May an offset be added to the `loc` of a distribution expression, and shift just that?

    ``dist.Normal(z, 1)``, also with ``.to_event(1)`` and, outside of plates, ``.expand([n])``,
    since either leaves room for a `loc` of the shape of the site.
    """
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        methods = {"to_event"} if in_plate else {"to_event", "expand"}
        if not isinstance(node.func.value, ast.Call) or node.func.attr not in methods:
            break
        node = node.func.value
    if not isinstance(node, ast.Call):
        return False
    dotted = scope.resolve(node.func) or ""
    name = dotted[len(DISTRIBUTIONS) :]
    if not dotted.startswith(DISTRIBUTIONS) or name not in LOCATED:
        return False
    unclear = any(isinstance(part, ast.Starred) for part in node.args)
    return not unclear and all(keyword.arg is not None for keyword in node.keywords)


def loc_position(family: str) -> int:
    """Which argument of a family's constructor is its `loc`."""
    return [name for name, _ in FAMILIES[family].arguments].index("loc")


def read_scan(state: State, statement: ast.stmt, call: ast.Call, header: bool) -> None:
    """Read the body of a scan, if it can be followed, and add what it samples."""
    scoped = body_of(state.index, state.scoped, call)
    if scoped is None or state.runner is not None:
        return
    xs, init = argument(call, 2, "xs"), argument(call, 1, "init")
    scan = Scan(
        body=scoped.name,
        statement=state.number(statement),
        indent=statement.col_offset,
        place=state.text.place(call),
        length=length_of(state, call),
        definition=state.number(scoped.node),
        first=state.number(first_of(scoped.node)),
        inner_indent=first_of(scoped.node).col_offset,
        argument=parameters(scoped.node)[1],
        passes=not is_none(xs) or reads_argument(scoped.node),
    )
    inner = State(
        state.index, state.text, scoped, state.shared, state.facts, state.read_block, state
    )
    carry, slices = parameters(scoped.node)
    data = data_in(state, xs).union(*(data_in(state, part) for part in scoped.node.body))
    body = inner.run(
        **{
            carry: parameter_of(state, init, data, sliced=False),
            slices: parameter_of(state, xs, sliced=True),
        }
    )
    body.runner, body.run_at = state.function.name, scan.statement
    state.blocks = inner.blocks
    state.bodies[scoped.name] = body
    carried, outputs = inner.returned if returns_once(scoped.node) else (None, None)
    for index, shape in carried_on(state, carried, init):
        if body.sites[index].shape is None:
            known = body.sites[index]
            body.amend(replace(known, extent=replace(known.extent, shape=shape)))
    indices = {}
    around = state.text.comments_on(statement)
    state.function.commented.update(around if body.sites else ())
    for site in body.sites:
        indices[site.index] = len(state.function.sites)
        own = replace(
            site,
            index=len(state.function.sites),
            statement=scan.statement,
            indent=statement.col_offset,
            alone=header or state.text.stands_alone(statement),
            frames=tuple(state.frames),
            variable=None,
            comments=(*site.comments, *around),
        )
        state.function.add(stacked(own, site, scan))
    state.function.taken |= body.taken
    state.function.params |= body.params
    state.scans[call] = numbered(outputs, indices)


def carried_on(
    state: State, carried: Outputs, init: ast.expr | None
) -> Iterator[tuple[int, Shape | None]]:
    """The sites that a body hands on have the shapes of the `init` in their place."""
    if isinstance(carried, int) and init is not None:
        yield carried, shape_of(state, init)
    parts = state.parts(init) if isinstance(carried, tuple) and init is not None else None
    if isinstance(carried, tuple) and parts is not None and len(parts) == len(carried):
        for site, shape in zip(carried, parts, strict=True):
            if isinstance(site, int):
                yield site, shape


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
