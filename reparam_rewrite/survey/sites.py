"""The calls of an expression: what they sample, themselves or in the functions that they call."""

from __future__ import annotations

import ast

from msgspec.structs import replace

from reparam_rewrite.survey.aliases import ENTERING
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
from reparam_rewrite.survey.data import bounds_in, data_in, observations
from reparam_rewrite.survey.expressions import grouped
from reparam_rewrite.survey.helpers import returned_at_end, sampled_by
from reparam_rewrite.survey.naming import is_computed, template_of
from reparam_rewrite.survey.nodes import walk
from reparam_rewrite.survey.plates import plate_shape, stacked_shape
from reparam_rewrite.survey.priors import prior_of
from reparam_rewrite.survey.purity import (
    ACTING,
    before,
    bindings_in,
    is_repeatable,
    read_again,
    reads_of,
)
from reparam_rewrite.survey.scans import SCAN, is_located, read_scan
from reparam_rewrite.survey.shapes import broadcast, broadcast_open, opened
from reparam_rewrite.survey.state import Followed, State
from reparam_rewrite.survey.values import (
    UNKNOWN_PRIOR,
    Comment,
    Data,
    Extent,
    Handler,
    SampleCall,
    Site,
)


def read_calls(
    state: State, statement: ast.stmt, root: ast.AST, *, header: bool = False
) -> dict[ast.Call, Site]:
    """Record the sites and the params of one expression or simple statement."""
    found: dict[ast.Call, Site] = {}
    touched: set[str] = set()
    inside = walk(root)
    calls = calls_in(inside)
    for call in calls:
        dotted = state.resolve(call.node.func)
        parts = call.node.func
        if dotted is not None and dotted.startswith("numpyro."):
            while isinstance(parts, ast.Attribute):
                parts = parts.value
            if isinstance(parts, ast.Name):
                state.function.roots.add(parts.id)
        runs_now = not (header or call.conditional or call.deferred)
        if dotted is None and runs_now and read_helper(state, statement, root, call.node):
            continue
        touched |= state.touched_by(call.node)
        if dotted == "numpyro.sample":
            site = read_site(state, statement, root, call, header)
            if site is not None:
                found[call.node] = site
        elif dotted in SCAN and not (call.conditional or call.deferred or state.following):
            read_scan(state, statement, call.node, header)
        elif dotted in ("numpyro.param", "numpyro.deterministic", "numpyro.module"):
            name = argument(call.node, 0, "name")
            template = template_of(name)
            if template is not None:
                state.function.taken.add(template)
                if dotted == "numpyro.param":
                    state.function.params.add(template)
                if dotted == "numpyro.deterministic" and state.runner:
                    shifted = read_shifted(state, statement, call.node, template)
                    if shifted is not None:
                        found[call.node] = shifted
    for part in inside if state.function.entered is None else ():
        if isinstance(part, (ast.Name, ast.Attribute)):
            last = part.id if isinstance(part, ast.Name) else part.attr
            if last in ENTERING:
                state.function.entered = state.number(statement), part.lineno
                break
    if any(state.is_act(part) for part in inside if type(part) in ACTING):
        state.timeline.act(state.number(statement))
    data = data_in(state, root) if touched else frozenset()
    for changed in sorted(touched & state.locals):
        state.timeline.touch(changed, state.number(statement), data)
    return found


def samples_in(state: State, *nodes: ast.expr) -> bool:
    """Does an expression sample?"""
    calls = (part for node in nodes for part in walk(node) if isinstance(part, ast.Call))
    return any(state.resolve(call.func) == "numpyro.sample" for call in calls)


def read_site(
    state: State, statement: ast.stmt, root: ast.AST, call: FoundCall, header: bool
) -> Site | None:
    node = call.node
    comments = comments_on(state, statement)
    name, prior_node = argument(node, 0, "name"), argument(node, 1, "fn")
    template = template_of(name)
    computed = is_computed(name)
    unclear = name is None or template is None or (computed and not is_repeatable(state, name))
    era = state.following[0].era if state.following else state.era
    come_to(state, statement, root, prior_node or node)
    unsettled = state.era != era
    if prior_node is not None:
        if state.acts(prior_node):
            state.timeline.act(state.number(statement))
        state.forget(read_again(prior_node), state.number(statement))
    segment = None if prior_node is None else state.text.segment(prior_node)
    asked = shape_asked(node)
    expands = asked is not None and prior_node is not None and segment is not None
    if asked is not None and prior_node is not None and segment is not None:
        spread = f"{grouped(segment.text)}.expand_by({state.text.segment(asked).text})"
        segment = replace(segment, text=spread)
        prior_node = expanded(prior_node, asked)
    prior = UNKNOWN_PRIOR if prior_node is None else prior_of(state, prior_node)
    observed = not is_none(argument(node, 2, "obs"))
    plates = plate_shape(state.frames, template)
    told = not observed and not is_starred(node)
    batch = broadcast(plates, prior.batch) if told else None
    shape = None if batch is None or prior.event is None else (*batch, *prior.event)
    if name is None or template is None or unclear:
        state.function.unreadable.append(state.text.place(node))
        state.nameless[node] = shape
        return None
    seen = None
    if told and prior.event is not None:
        prior_seen = prior.batch if prior.batch is not None else prior.seen
        seen = (*broadcast_open(opened(plates), prior_seen), *prior.event)
    site = Site(
        index=len(state.function.sites),
        name=template,
        call=SampleCall(
            name=state.text.segment(name),
            computed=computed,
            name_reads=reads_of(state, name, whole=False) if computed else frozenset(),
            prior=segment,
            prior_reads=frozenset() if prior_node is None else reads_of(state, prior_node),
            obstacles=tuple(obstacles(call, header)),
            assigns=is_assignment(statement, node),
            expands=expands,
            nameable=is_nameable(statement, call, header) and state.text.stands_alone(statement),
            located=prior_node is not None
            and is_located(state, prior_node, in_plate=plates is None or bool(state.frames)),
        ),
        prior=prior,
        extent=Extent(
            shape=shape,
            batch=batch,
            plates=plates,
            stack=stacked_shape(state.frames, template) if plates is None else None,
            seen=seen,
        ),
        data=Data(
            prior=data_in(state, prior_node),
            bounds=bounds_in(state, prior.family, prior_node),
            observations=observations(state, argument(node, 2, "obs")),
        ),
        place=state.text.place(node),
        statement=state.number(statement),
        indent=statement.col_offset,
        alone=header or state.text.stands_alone(statement),
        frames=tuple(state.frames),
        variable=variable_of(statement, node),
        observed=observed,
        choices=state.choices.get(statement, ()),
        unsettled=unsettled,
        comments=comments,
    )
    if state.following:
        site = seen_from_outside(state, site, name, statement, node)
    state.function.add(site)
    state.function.evaluated.sampled[node] = site.index
    return site


def come_to(state: State, statement: ast.stmt, root: ast.AST, node: ast.AST) -> None:
    """Carry out what a statement does, and binds, before it comes to `node` in it."""
    parts = before(root, node)
    bound = {binding.target.id for part in parts for binding in bindings_in(part)}
    if bound or state.acts(*parts):
        state.timeline.act(state.number(statement))
        state.forget(bound, state.number(statement))


def comments_on(state: State, statement: ast.stmt) -> tuple[Comment, ...]:
    """What is said to the rewriter where a statement samples, or calls what does."""
    statements = [statement, *(followed.statement for followed in state.following[:1])]
    comments = tuple(c for where in statements for c in state.text.comments_on(where))
    state.function.commented.update(comments)
    return comments


def read_helper(state: State, statement: ast.stmt, root: ast.AST, call: ast.Call) -> bool:
    """Read the body of a function that is called, if it can be followed and may sample."""
    name = state.function.name
    found = sampled_by(state.index, name, state.function.hidden, call, state.evaluated)
    running = [name, *(other.name for other in state.following)]
    if found is None or found[0] in running:
        return False
    helper, body = found
    outer = state.following[0] if state.following else None
    number, era = state.number(statement), state.era
    come_to(state, statement, root, call)
    for part in (part for node in body for part in walk(node)):
        if isinstance(part, ast.stmt):
            state.index.numbers[part] = number
        if isinstance(part, ast.Name) and "@" in part.id:
            state.locals.add(part.id)
    state.following.append(
        Followed(
            helper,
            outer.statement if outer else statement,
            outer.call if outer else call,
            returned_at_end(body),
            era,
            len(state.chosen),
        )
    )
    state.read_block(state, body)
    done = state.following.pop()
    state.followed[call] = done.outputs
    state.function.evaluated.followed[call] = done.given_back
    return True


def seen_from_outside(
    state: State, site: Site, name: ast.expr, statement: ast.stmt, sampled: ast.Call
) -> Site:
    """A site that a helper samples, as what its call does."""
    outer, node = state.following[0], state.following[0].statement
    variable = attribute_of(state, statement, sampled)
    text = f'"{site.name}"' if not site.call.computed else ast.unparse(name)
    if not site.call.computed and set(site.name) & set('"\\\n\r\t{}'):
        text = repr(site.name)
    frames = [frame for frame in site.frames if frame.statement == site.statement]
    obstacles = list(site.call.obstacles)
    if any(isinstance(item, Handler) for frame in frames for item in frame.items):
        obstacles.append("handler")
    if any(plate.subsampled for frame in frames for plate in frame.plates):
        obstacles.append("subsampled")
    if site.call.expands:
        obstacles.append("sample_shape")
    call = replace(
        site.call,
        name=replace(site.call.name, text=text),
        obstacles=tuple(obstacles),
        assigns=False,
        nameable=False,
        expands=False,
        located=False,
    )
    return replace(
        site,
        call=call,
        place=state.text.place(outer.call),
        indent=node.col_offset,
        alone=state.text.stands_alone(node),
        variable=variable,
        through=outer.name,
    )


def attribute_of(state: State, statement: ast.stmt, call: ast.Call) -> str | None:
    """``self.mu`` for ``self.mu = numpyro.sample(...)``, if nothing else sets it."""
    targets, value = assignment(statement)
    for target in targets if value is call else []:
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            stores = state.index.attributes.get(target.attr, [])
            if state.index.by_last.keys() & {target.attr, "__setattr__", "__getattribute__"}:
                continue  # what is read may be another value than what was set
            if len(stores) == 1 and "@" not in target.value.id:
                return ast.unparse(target)
    return None


def read_shifted(state: State, statement: ast.stmt, call: ast.Call, name: str) -> Site | None:
    """``z = deterministic("z", z_base - z_loc)`` after ``z_base = sample("z_base", ...)``."""
    value = argument(call, 1, "value")
    if not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Sub):
        return None
    binding = state.binding(value.left.id) if isinstance(value.left, ast.Name) else None
    if binding is None or binding.site is None:
        return None
    site = state.function.sites[binding.site]
    if site.name != f"{name}_base":
        return None
    shifted = replace(site.call, shifted=True)
    variable = variable_of(statement, call)
    site = replace(site, name=name, call=shifted, variable=variable)
    state.function.amend(site)
    return site
