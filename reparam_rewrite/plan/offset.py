"""One child's offset: where it is computed, from what, and in which shape."""

from __future__ import annotations

import ast

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.diagnostics import Place, listed, nearest
from reparam_rewrite.expressions import identifier
from reparam_rewrite.plan.align import Unaligned, align
from reparam_rewrite.plan.checks import Problem, is_before
from reparam_rewrite.plan.names import Names
from reparam_rewrite.plan.pairs import Child, Pair
from reparam_rewrite.plan.values import Coefficient, Keep, Rewrite, Runtime, Term, Value
from reparam_rewrite.survey.moment import Moment
from reparam_rewrite.survey.shapes import broadcast, shape_of
from reparam_rewrite.survey.values import Axis, Function, Handler, Read, Shape, Site, Survey


class Stop(Exception):
    """A child can't be rewritten; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Context(Struct):
    """What the offsets of one function share: names in use, and values that must be kept."""

    survey: Survey
    function: Function
    names: Names
    keeps: dict[int, Keep] = {}  # by the index of the site

    def keep(self, site: Site) -> Keep:
        assert site.variable is not None
        if site.index not in self.keeps:
            name = self.names.new(f"{site.variable}_site")
            self.keeps[site.index] = Keep(site.statement, name, site.variable)
        return self.keeps[site.index]


class Source(Struct, frozen=True):
    """What one term is made of before its place is known."""

    pair: Pair
    reads: frozenset[Read]
    expression: str = ""  # of a `value`
    shape: Shape | None = None
    center: str = ""
    center_shape: Shape | None = ()


def offset(context: Context, child: Child) -> Rewrite:
    """The rewrite of one child whose site and parents have passed their checks.

    Raises `Stop`, before any name is taken.
    """
    site = child.site
    sources = [source_of(context, site, pair) for pair in child.pairs]
    declare, moments = candidates(site)
    shift, kept = place_offset(context, site, sources, moments)
    shape, sizes = known_shape(context, site, declare)
    values = [value_of(source, shape) for source in sources]
    asks_shape = sizes is None and any(
        value.guarded or is_elementwise(source.pair)
        for value, source in zip(values, sources, strict=True)
    )
    bijects = site.prior.support.kind == "runtime"
    prior_at = declare if asks_shape else shift
    if asks_shape:
        check_shape_can_be_asked(context, site, declare, child)
    if asks_shape or bijects:
        check_prior_can_move(context, site, prior_at, child)

    # Nothing can fail from here on: names may be taken.
    names, base, support = context.names, identifier(site.name), site.prior.support
    runtime = None
    if asks_shape or bijects:
        runtime = ask(names, base, site, bijects=bijects, shape=asks_shape)
    terms = []
    for source, value in zip(sources, values, strict=True):
        if source.pair.site is not None:
            parent = source.pair.site
            named = context.keep(parent).name if parent.index in kept else parent.variable
            value = replace(value, expression=named or "")
        coefficient = coefficient_of(source.pair, sizes if is_elementwise(source.pair) else ())
        if coefficient.param:
            coefficient = replace(coefficient, variable=names.new(identifier(coefficient.param)))
        terms.append(Term(source.pair.parent, coefficient, value))
    return Rewrite(
        site=site,
        function=context.function.name,
        terms=tuple(terms),
        sizes=sizes,
        declare=declare,
        shift=shift,
        join=joinable(site, shift),
        loc=names.new(f"{base}_loc"),
        reparam=names.new(f"{base}_reparam"),
        constraint=support.constraint if support.kind == "fixed" else "",
        runtime=runtime,
    )


def is_elementwise(pair: Pair) -> bool:
    return pair.settings.learn and pair.settings.coefficient == "elementwise"


def coefficient_of(pair: Pair, sizes: tuple[str, ...] | None) -> Coefficient:
    settings = pair.settings
    if not settings.learn:
        return Coefficient(settings.init)
    return Coefficient(settings.init, param_name(pair), sizes)


def param_name(pair: Pair) -> str:
    """The coefficient's `numpyro.param` site, empty for a literal."""
    if not pair.settings.learn:
        return ""
    return pair.settings.name.format(child=pair.child, parent=pair.parent)


# -- where -------------------------------------------------------------------------------------


def candidates(site: Site) -> tuple[int, list[int]]:
    """Before which statement params are declared, and before which the offset may be computed.

    Params go before the outermost `with` that is, or may be, a plate; without one, to the
    offset. The offset goes as far out as its parents allow, between there and the statement::

        xi_a_mu = numpyro.param("xi_a_mu", jnp.zeros(n))     # declare
        with numpyro.plate("n", n):
            mu = numpyro.sample("mu", dist.Normal(0, 1))
            a_loc = xi_a_mu * mu                             # shift
            ...
    """
    outermost = next(
        (
            position
            for position, frame in enumerate(site.frames)
            if frame.plates or any(isinstance(i, Handler) and i.opaque for i in frame.items)
        ),
        None,
    )
    if outermost is None:
        return site.statement, [site.statement]
    inside = [frame.statement for frame in site.frames[outermost:] if frame.kind == "with"]
    return inside[0], [*inside, site.statement]


def path_before(site: Site, statement: int) -> tuple[int, ...]:
    """The branches that have been taken when `statement`, which holds the site, starts."""
    return tuple(
        frame.block
        for frame in site.frames
        if frame.block is not None and frame.statement < statement
    )


def place_offset(
    context: Context, site: Site, sources: list[Source], moments: list[int]
) -> tuple[int, set[int]]:
    """The outermost moment at which all that the offset reads is there.

    Also the parents, by index, that are read under another name since their variable is bound to
    something else by then.
    """
    timeline = context.function.timeline
    for may_keep in (False, True):
        for moment in moments:
            kept = set()
            for source in sources:
                if not timeline.holds(source.reads, moment):
                    break
                parent = source.pair.site
                if parent is None or holds_site(context, parent, moment):
                    continue
                if not may_keep or not can_keep(parent, site, moment):
                    break
                kept.add(parent.index)
            else:
                return moment, kept
    pair = next(
        (
            source.pair
            for source in sources
            if source.pair.site is not None and not can_keep(source.pair.site, site, moments[-1])
        ),
        sources[0].pair,
    )
    raise Stop(
        Problem(
            pair.place,
            f"'{pair.parent}' shares its line with another statement, so its value can't be kept "
            f"for the offset of '{site.name}'",
            "give it a line of its own.",
        )
    )


def holds_site(context: Context, parent: Site, moment: int) -> bool:
    """Is the parent's variable still just its value when `moment` comes?"""
    assert parent.variable is not None
    binding = context.function.timeline.before(parent.variable, moment)
    return binding is not None and binding.certain and binding.site == parent.index


def can_keep(parent: Site, child: Site, moment: int) -> bool:
    before = parent.statement < moment and is_before(parent.path, path_before(child, moment))
    return before and parent.alone


def joinable(site: Site, shift: int) -> int | None:
    """The `with` whose first item the handler can be: it holds this statement and plates only.

    The handler would be outside of any other item of that `with`, a scope for instance.
    """
    if not site.frames:
        return None
    last = site.frames[-1]
    fits = last.kind == "with" and last.sole and len(last.plates) == len(last.items)
    return last.statement if fits and last.items and shift <= last.statement else None


# -- what --------------------------------------------------------------------------------------


def source_of(context: Context, site: Site, pair: Pair) -> Source:
    """Read the parent: its names, its shape, its centre."""
    moment = Moment(context.survey, context.function, site.statement)
    rule = pair.rule
    reads: frozenset[Read] = frozenset()
    expression, shape = "", pair.site.shape if pair.site else None
    if rule is not None and rule.value is not None:
        expression = rule.value
        place = rule.value_place or rule.place
        reads |= read_names(moment, expression, place, site)
        shape = shape_of(moment, parsed(expression))
    center, center_shape = "", ()
    if rule is not None and rule.center is not None:
        if isinstance(rule.center, str):
            center = one_line(rule.center)
            reads |= read_names(moment, center, rule.center_place or rule.place, site)
            center_shape = shape_of(moment, parsed(center))  # type: ignore[assignment]
        elif rule.center:
            center = repr(rule.center)
    return Source(pair, reads, one_line(expression), shape, center, center_shape)


def parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def one_line(text: str) -> str:
    """An expression as it is written, if it is written on one line; else in one."""
    return ast.unparse(parsed(text)) if "\n" in text or "#" in text else text


def read_names(moment: Moment, text: str, place: Place, site: Site) -> frozenset[Read]:
    """The local names that an expression of the config reads before the child's statement.

    Raises `Stop` for a name that isn't bound there, and for a call that samples.
    """
    tree = parsed(text)
    own = {
        part.id
        for part in ast.walk(tree)
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load)
    } | {part.arg for part in ast.walk(tree) if isinstance(part, ast.arg)}
    reads = set()
    for part in ast.walk(tree):
        if isinstance(part, ast.Call):
            dotted = moment.resolve(part.func)
            if dotted in ("numpyro.sample", "numpyro.param", "numpyro.plate"):
                raise Stop(
                    Problem(place, f"an offset can't call {dotted}", "use what the model samples.")
                )
        if not isinstance(part, ast.Name) or part.id in own:
            continue
        if not moment.is_bound(part.id):
            raise Stop(unbound(moment, part.id, place, site))
        binding = moment.binding(part.id)
        if binding is not None:
            reads.add(Read(part.id, binding.version))
    return frozenset(reads)


def unbound(moment: Moment, name: str, place: Place, site: Site) -> Problem:
    where = f"where '{site.name}' is sampled ({site.place.path}:{site.place.line})"
    if name in moment.function.timeline:
        return Problem(
            place,
            f"'{name}' has no value {where}, or may have none",
            "it is bound later, or elsewhere.",
        )
    known = [known for known in moment.function.timeline.names() if moment.is_bound(known)]
    near = nearest(name, [*known, *moment.survey.aliases])
    hint = (
        f"did you mean {listed(near, last='or')}?"
        if near
        else f"known there: {listed(sorted(known))}."
    )
    return Problem(place, f"there is no name '{name}' {where}", hint)


def known_shape(
    context: Context, site: Site, declare: int
) -> tuple[Shape | None, tuple[str, ...] | None]:
    """The child's axes, and its sizes as they can be written before `declare`; None: not known."""
    support = site.prior.support
    if support.reshapes:
        # In unconstrained space all event dims are one vector, of a length only the prior knows.
        if not support.constraint or site.batch is None:
            return None, None
        return (*site.batch, Axis(None)), None
    if site.shape is None:
        return None, None
    return site.shape, written(context, site.shape, declare)


def written(context: Context, shape: Shape, moment: int) -> tuple[str, ...] | None:
    """The sizes of a shape as expressions that hold at `moment`."""
    sizes = []
    for axis in shape:
        if axis.size is None or not context.function.timeline.holds(axis.reads, moment):
            return None
        sizes.append(axis.size)
    return tuple(sizes)


def value_of(source: Source, child: Shape | None) -> Value:
    """The parent's value in the child's axes; what can't be told is left to run time."""
    expression, shape = source.expression, source.shape
    if source.pair.site is not None:
        expression = source.pair.site.variable or ""
    if shape is None or (child is None and shape != ()):
        return Value(expression, center=source.center, guarded=True)
    if child is None:
        value = Value(expression)
    else:
        try:
            value = align(expression, shape, child, source.pair.settings.reduce)
        except Unaligned as error:
            raise Stop(
                Problem(
                    source.pair.place,
                    f"'{source.pair.parent}' can't be lined up with '{source.pair.child}': {error}",
                    "say how: "
                    f'{source.pair.parent} = {{ value = "jnp.mean({expression})" }}, for example.',
                )
            ) from None
    guarded = source.center_shape != () and not fits(source.center_shape, child)
    return replace(value, center=source.center, guarded=guarded)


def fits(shape: Shape | None, child: Shape | None) -> bool:
    """Is broadcasting against the child sure not to widen it?"""
    if shape is None or child is None or len(shape) > len(child):
        return False
    return broadcast(shape, child) == child


# -- run time ----------------------------------------------------------------------------------


def check_shape_can_be_asked(context: Context, site: Site, declare: int, child: Child) -> None:
    """The plates' part of the shape must be known; the prior tells the rest."""
    way_out = 'use coefficient = "shared" and parents that are scalars.'
    if site.plate_shape is None:
        frame = next(frame for frame in site.frames if frame.kind == "with")
        raise Stop(
            Problem(
                site.place,
                f"the shape of '{site.name}' can't be told: the with in line {frame.line} holds "
                "something that isn't a plate with a known dim",
                way_out,
            )
        )
    if written(context, site.plate_shape, declare) is None:
        raise Stop(
            Problem(
                site.place,
                f"the size of a plate of '{site.name}' isn't known before its outermost with",
                f"bind the size to a name first, or {way_out}",
            )
        )


def check_prior_can_move(context: Context, site: Site, moment: int, child: Child) -> None:
    """The prior is made before `moment` instead of in the statement; that must change nothing."""
    moves = moment != site.statement
    if moves and not context.function.timeline.holds(site.prior_reads, moment):
        raise Stop(
            Problem(
                site.place,
                f"the shape or support of '{site.name}' can't be read from the source, and its "
                "prior can't be made before its plate: it uses names that are bound inside",
                "bind those names before the plate, or use a prior whose shape and support show.",
            )
        )
    if moves and not site.prior_is_pure:
        raise Stop(
            Problem(
                site.place,
                f"the shape or support of '{site.name}' can't be read from the source, and its "
                "prior can't be made before its plate: it makes calls that may sample",
                "bind the prior to a name before the plate.",
            )
        )


def ask(names: Names, base: str, site: Site, *, bijects: bool, shape: bool) -> Runtime:
    """The variables that hold what only the prior can tell."""
    assert site.prior_segment is not None
    text = site.prior_segment.text
    hoisted = not text.isidentifier()
    plates: tuple[str, ...] = ()
    if site.plate_shape:
        plates = tuple(axis.size or "" for axis in site.plate_shape)
    reshapes = site.prior.support.reshapes and bijects
    return Runtime(
        prior=names.new(f"{base}_prior") if hoisted else text,
        hoisted=hoisted,
        bijects=bijects,
        asks_shape=shape,
        bijector=names.new(f"{base}_bijector") if reshapes and shape else "",
        shape=names.new(f"{base}_shape") if shape and (plates or reshapes) else "",
        plates=plates,
    )
