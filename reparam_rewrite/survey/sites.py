"""The calls of an expression: what they sample, themselves or in the functions that they call."""

from __future__ import annotations

import ast

from msgspec.structs import replace

from reparam_rewrite.survey.calls import argument, assignment, calls_in, given, is_none, variable_of
from reparam_rewrite.survey.contexts import plate_shape
from reparam_rewrite.survey.data import bounds_in, data_in
from reparam_rewrite.survey.expressions import grouped
from reparam_rewrite.survey.helpers import returned_at_end, sampled_by
from reparam_rewrite.survey.known_names import bound_by_loops, known_names
from reparam_rewrite.survey.names import is_computed, is_of_module, is_written, template_of
from reparam_rewrite.survey.nodes import root_of, walk
from reparam_rewrite.survey.points_to import ENTERING
from reparam_rewrite.survey.priors import is_located, prior_of
from reparam_rewrite.survey.purity import is_repeatable, read_again, reads_of
from reparam_rewrite.survey.rounds import rounds_of
from reparam_rewrite.survey.scans import SCAN, read_scan
from reparam_rewrite.survey.shapes import broadcast_open, opened
from reparam_rewrite.survey.state import Followed, State
from reparam_rewrite.survey.values import Data, Extent, Handler, Plate, SampleCall, Site, closed

#: The parameters of `numpyro.sample`.
SAMPLE = ("name", "fn", "obs", "rng_key", "sample_shape", "infer", "obs_mask")


def read_calls(
    state: State, statement: ast.stmt, root: ast.AST, *, header: bool = False
) -> dict[ast.Call, Site]:
    """Record the sites and the params of one expression or simple statement."""
    found: dict[ast.Call, Site] = {}
    touched: set[str] = set()
    function, number, inside = state.function, state.number(statement), walk(root)
    for call, reasons in calls_in(inside):
        dotted, owner = state.resolve(call.func), root_of(call.func)
        if dotted is not None and dotted.startswith("numpyro.") and isinstance(owner, ast.Name):
            function.roots.add(owner.id)
        later = ["header", *reasons] if header else reasons
        if dotted is None and not later and read_helper(state, statement, root, call):
            continue
        touched |= state.touched_by(call)
        site = None
        if dotted == "numpyro.sample":
            site = read_site(state, statement, root, call, later)
        elif dotted in SCAN and not (reasons or state.following):
            read_scan(state, statement, call, header)
        elif dotted in ("numpyro.param", "numpyro.deterministic", "numpyro.module"):
            template = template_of(argument(call, 0, "name"))
            if template is not None:
                function.taken.add(template)
                if dotted == "numpyro.param":
                    function.params.add(template)
                if dotted == "numpyro.deterministic" and state.runner:
                    site = read_shifted(state, statement, call, template)
        if site is not None:
            found[call] = site
    if function.entered is None and statement not in state.entering:
        entering = (p for p in inside if getattr(p, "attr", getattr(p, "id", "")) in ENTERING)
        for part in entering:
            function.entered = number, part.lineno  # type: ignore[attr-defined]
            break
    if state.acts(root):
        state.timeline.act(number)
    data = data_in(state, root) if touched else frozenset()
    for changed in sorted(touched & state.locals):
        state.timeline.touch(changed, number, data)
    return found


def samples_in(state: State, *nodes: ast.expr) -> bool:
    """Does an expression sample?"""
    calls = (part for node in nodes for part in walk(node) if isinstance(part, ast.Call))
    return any(state.resolve(call.func) == "numpyro.sample" for call in calls)


def read_site(
    state: State, statement: ast.stmt, root: ast.AST, call: ast.Call, reasons: list[str]
) -> Site | None:
    """Add what a call samples to the function's sites; None if its name can't be told."""
    asked, number, text = given(call, SAMPLE), state.number(statement), state.text
    name, prior_node, obs = asked.get("name"), asked.get("fn"), asked.get("obs")
    starred, alone = "*" in asked, text.stands_alone(statement)
    lines = [statement, *(followed.statement for followed in state.following[:1])]
    comments = tuple(comment for where in lines for comment in text.comments_on(where))
    state.function.commented.update(comments)
    template, computed = template_of(name), is_computed(name)
    if name is not None and computed and not (is_written(name) and is_repeatable(state, name)):
        template = None
    era = state.following[0].era if state.following else state.era
    state.come_to(statement, root, prior_node or call)
    unsettled = state.era != era
    segment = shape = None
    if prior_node is not None:
        if state.acts(prior_node):
            state.timeline.act(number)
        state.forget(read_again(prior_node), number)
        segment = text.segment(prior_node)
        shape = None if starred else asked.get("sample_shape")
        if shape is not None:
            spread = f"{grouped(segment.text)}.expand_by({text.segment(shape).text})"
            segment = replace(segment, text=spread)
            method = ast.Attribute(prior_node, "expand_by", ast.Load())
            made = ast.Call(ast.copy_location(method, prior_node), [shape], [])
            prior_node = ast.copy_location(made, prior_node)
    prior = prior_of(state, prior_node)
    plates = plate_shape(state.frames, template)
    batch = seen = axes = None
    observed = not is_none(obs)
    if not observed and not starred:
        around = broadcast_open(opened(plates), prior.seen)
        batch = closed(around)
        if prior.event is not None:
            seen = (*around, *prior.event)
            axes = closed(seen)
    if name is None or template is None:
        state.function.unreadable.append(text.place(call))
        state.nameless[call] = axes
        return None
    variable = variable_of(statement, call)
    simple = isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr))
    single = isinstance(statement, ast.Assign) and len(statement.targets) == 1
    in_plate = plates is None or bool(state.frames)
    stack = plate_shape(state.frames, template, stack=True) if plates is None else None
    bounds = bounds_in(state, prior.family, prior_node)
    names = known_names(state, name, root, call) if computed and not state.following else None
    deferred = "deferred" in reasons and computed and not state.following
    again = deferred and prior_node is not None and is_repeatable(state, prior_node)
    rounds = rounds_of(state, root, call) if again else None
    obstacles = [why for why in reasons if why != "deferred" or not rounds]
    more = [str(why) for why in ("infer", "obs_mask") if why in asked]
    more += ["chosen"] * isinstance(name, ast.IfExp)
    site = Site(
        index=len(state.function.sites),
        name=template,
        call=SampleCall(
            name=text.segment(name),
            computed=computed,
            name_reads=reads_of(state, name, whole=False) if computed else frozenset(),
            prior=segment,
            prior_reads=frozenset() if prior_node is None else reads_of(state, prior_node),
            obstacles=(*["starred"] * starred, *obstacles, *more),
            rounds=rounds or (),
            names=names,
            bound=bound_by_loops(state, root, call) if computed else frozenset(),
            assigns=variable is not None and single,
            expands=shape is not None,
            nameable=simple and not reasons and alone,
            located=prior_node is not None and is_located(state, prior_node, in_plate=in_plate),
        ),
        prior=prior,
        extent=Extent(axes, batch, plates, stack, seen),
        data=Data(data_in(state, prior_node), bounds, data_in(state, obs)),
        place=text.place(call),
        statement=number,
        indent=statement.col_offset,
        alone="header" in reasons or alone,
        frames=tuple(state.frames),
        variable=variable,
        observed=observed,
        choices=state.choices.get(statement, ()),
        unsettled=unsettled,
        comments=comments,
    )
    if state.following:
        site = seen_from_outside(state, site, name, statement, call)
    state.function.add(site)
    state.function.sampled[call] = site.index
    return site


def read_helper(state: State, statement: ast.stmt, root: ast.AST, call: ast.Call) -> bool:
    """Read the body of a function that is called, if it can be followed and may sample."""
    found = sampled_by(state.index, state.function, call, state.evaluated)
    running = [state.function.name, *(other.name for other in state.following)]
    if found is None or found[0] in running:
        return False
    name, body = found
    era = state.era
    state.come_to(statement, root, call)
    for part in (part for node in body for part in walk(node)):
        if isinstance(part, ast.stmt):
            state.index.numbers[part] = state.number(statement)
        if isinstance(part, ast.Name) and "@" in part.id and not is_of_module(part.id):
            state.locals.add(part.id)
    last = returned_at_end(body)
    state.following.append(Followed(name, statement, call, last, era, len(state.chosen)))
    state.read_block(state, body)
    done = state.following.pop()
    state.followed[call] = done.outputs
    state.function.followed[call] = done.given_back
    return True


def seen_from_outside(
    state: State, site: Site, name: ast.expr, statement: ast.stmt, sampled: ast.Call
) -> Site:
    """A site that a helper samples, as what its call does."""
    outer, quoted = state.following[0], f'"{site.name}"'
    if set(site.name) & set('"\\\n\r\t{}'):
        quoted = repr(site.name)
    items = [item for f in site.frames if f.statement == site.statement for item in f.items]
    checks = {
        "handler": any(isinstance(item, Handler) for item in items),
        "subsampled": any(isinstance(item, Plate) and item.subsampled for item in items),
        "sample_shape": site.call.expands,
    }
    text = ast.unparse(name) if site.call.computed else quoted
    call = replace(
        site.call,
        name=replace(site.call.name, text=text),
        obstacles=(*site.call.obstacles, *(why for why, holds in checks.items() if holds)),
        assigns=False,
        nameable=False,
        expands=False,
        located=False,
        outside=distribution_outside(state, sampled),
    )
    return replace(
        site,
        call=call,
        place=state.text.place(outer.call),
        indent=outer.statement.col_offset,
        alone=state.text.stands_alone(outer.statement),
        variable=attribute_of(state, statement, sampled),
        through=outer.name,
        sampled=site.place,
    )


def distribution_outside(state: State, sampled: ast.Call) -> str:
    """The distribution of a site that a helper samples, in the caller's names.

    Its family is written with its whole name, whatever that is imported as. "" where the family
    doesn't show, or where names of the helper are left.
    """
    prior = node = argument(sampled, 1, "fn")
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if not isinstance(node.func.value, ast.Call):
            break
        node = node.func.value
    family = state.resolve(node.func) if isinstance(node, ast.Call) else None
    if prior is None or family is None or not isinstance(node, ast.Call):
        return ""
    text = family + ast.unparse(prior).removeprefix(ast.unparse(node.func))
    return "" if "@" in text else text


def attribute_of(state: State, statement: ast.stmt, call: ast.Call) -> str | None:
    """``self.mu`` for ``self.mu = numpyro.sample(...)``, if nothing else sets it."""
    targets, value = assignment(statement)
    hooks = {"__setattr__", "__getattribute__"}  # what is read may be another value than was set
    for target in targets if value is call else []:
        match target:
            case ast.Attribute(value=ast.Name(id=holder), attr=name) if "@" not in holder:
                stores = state.index.attributes.get(name, [])
                if len(stores) == 1 and state.index.by_last.keys().isdisjoint({name, *hooks}):
                    return ast.unparse(target)
    return None


def read_shifted(state: State, statement: ast.stmt, call: ast.Call, name: str) -> Site | None:
    """``z = deterministic("z", z_base - z_loc)`` after ``z_base = sample("z_base", ...)``."""
    value = argument(call, 1, "value")
    base = value.left if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Sub) else None
    binding = state.binding(base.id) if isinstance(base, ast.Name) else None
    site = None if binding is None or binding.site is None else state.function.sites[binding.site]
    if site is None or site.name != f"{name}_base":
        return None
    variable = variable_of(statement, call)
    site = replace(site, name=name, call=replace(site.call, shifted=True), variable=variable)
    state.function.amend(site)
    return site
