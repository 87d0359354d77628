"""What does a term of an offset read: a site's value, or an expression of the config?"""

from __future__ import annotations

import ast

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.messages import Place, listed, nearest
from reparam_rewrite.plan.alternatives import is_read
from reparam_rewrite.plan.asking_prior import unsettled
from reparam_rewrite.plan.children import Pair, Snippet, Stop
from reparam_rewrite.plan.context import Context
from reparam_rewrite.plan.meetings import Meeting, meeting_of
from reparam_rewrite.plan.seen import check_seen
from reparam_rewrite.plan.values import Projection, Seen
from reparam_rewrite.survey.data import data_in
from reparam_rewrite.survey.purity import effect_in, only_computes, reads_of
from reparam_rewrite.survey.scopes import Moment
from reparam_rewrite.survey.shapes import shape_of
from reparam_rewrite.survey.values import Shape, Site, Use


class Source(Struct, frozen=True):
    """What one term is made of before its place is known."""

    pair: Pair
    reads: frozenset[Use]
    expression: str  # of a `value`
    shape: Shape | None
    center: str
    center_shape: Shape | None
    movable: bool  # it may be computed before the statement, if its names allow
    data: frozenset[str]  # the arguments of the call that it is computed of
    meeting: Meeting | None = None  # how the two meet in the data

    @property
    def is_projected(self) -> bool:
        return self.pair.is_frozen or bool(self.meeting and self.meeting.projected)


def source_of(context: Context, site: Site, pair: Pair) -> Source:
    """Read the parent: its names, its shape, its centre. Raises `Stop`."""
    moment = Moment(context.survey, context.function, site.statement)
    reads, data, movable = frozenset[Use](), frozenset[str](), True

    def read(snippet: Snippet) -> tuple[str, Shape | None]:
        """The expression as it is written, but on one line, and its shape."""
        nonlocal reads, data, movable
        text, tree = snippet.text, ast.parse(snippet.text, mode="eval").body
        reads |= read_names(moment, tree, pair, snippet.place, site)
        data |= data_in(moment, tree)
        movable = movable and only_computes(moment, tree)
        return ast.unparse(tree) if "\n" in text or "#" in text else text, shape_of(moment, tree)

    expression, shape = "", pair.site.shape if pair.site is not None else None
    meeting = None
    if pair.value is not None:
        expression, shape = read(pair.value)
    if pair.value is not None and not pair.is_frozen and (pair.per or pair.weight):
        texts = ["", ""]
        for at, said in enumerate((pair.per, pair.weight)):
            if said is not None:
                texts[at], own = read(said)
                check_seen(moment, pair, said, own, shape, site)
        seen = Projection((Seen(texts[0], texts[1], expression),))
        meeting = Meeting(0, (), lambda _: seen)
    center = repr(pair.center) if pair.center else ""
    center_shape: Shape | None = ()
    if isinstance(pair.center, Snippet):
        center, center_shape = read(pair.center)
    if site.unsettled and reads:
        first = pair.value.text if pair.value is not None else center
        raise unsettled(site, f"what '{first}' reads")
    if pair.site is not None:
        data |= pair.site.data.observations
    return Source(pair, reads, expression, shape, center, center_shape, movable, data, meeting)


def as_they_meet(context: Context, site: Site, source: Source, *, projected: bool = True) -> Source:
    """The source of a parent with how it meets its child in a sum of the model, if that shows.

    What the config says of it goes before. Not `projected`: by the axes that they share alone.
    """
    pair, support = source.pair, site.prior.support
    told = pair.value is not None or pair.per is not None or pair.has_named_axes
    if pair.site is None or told or support.reshapes or pair.reduce == "sum":
        return source
    meeting = meeting_of(context, site, pair.site)
    if meeting is None or not meeting.reads:
        return replace(source, meeting=meeting)
    moved = support.kind in ("real", "runtime") and not pair.coefficient.kind.contracted
    if not projected or not moved or site.subsampled or site.unsettled:
        return source
    moment = Moment(context.survey, context.function, site.statement)
    reads = source.reads.union(*(reads_of(moment, tree) for tree in meeting.reads))
    own = {read for read in reads if read.name == pair.site.variable}
    data = source.data.union(*(data_in(moment, tree) for tree in meeting.reads))
    return replace(source, meeting=meeting, reads=reads - own, data=data)


def read_names(
    moment: Moment, tree: ast.expr, pair: Pair, place: Place, site: Site
) -> frozenset[Use]:
    """The local names that an expression of the config reads before the child's statement.

    Raises `Stop` for a name that isn't bound there, and for a call that samples.
    """
    own = {
        part.id
        for part in ast.walk(tree)
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load)
    } | {part.arg for part in ast.walk(tree) if isinstance(part, ast.arg)}
    for part in ast.walk(tree):
        called = sampled_by(moment, part)
        if called:
            text, hint = "an offset can't call {called}", "use what the model samples."
            raise pair.stop("value-samples", text, hint, place, called=called)
        called = changed_by(moment, part)
        if called:
            text = "an offset can't call {called}, which changes what the model reads later"
            hint = "bind its value to a name in the model, and use that name."
            raise pair.stop("value-changes-others", text, hint, place, called=called)
        if isinstance(part, ast.Name) and part.id not in own and not moment.is_bound(part.id):
            binding = moment.binding(part.id)
            if binding is None or not is_read(site, part.id, binding.version):
                raise unbound(moment, part.id, pair, place, site)
    return frozenset(read for read in reads_of(moment, tree) if read.name not in own)


def sampled_by(moment: Moment, part: ast.AST) -> str:
    """What an expression calls that samples: numpyro's, a function of the file, a property."""
    node = part.func if isinstance(part, ast.Call) else part
    dotted = moment.resolve(node) if isinstance(node, ast.expr) else None
    if dotted in ("numpyro.sample", "numpyro.param", "numpyro.plate"):
        return dotted if isinstance(part, ast.Call) else ""
    functions = moment.survey.functions
    if isinstance(part, ast.Call) and isinstance(node, ast.Name):
        own = functions.get(node.id)
        return f"'{node.id}', which samples" if own is not None and own.sites else ""
    if not isinstance(part, ast.Attribute) or dotted is not None:
        return ""
    methods = (name.rpartition(".") for name, function in functions.items() if function.sites)
    named = any(around and last == part.attr for around, _, last in methods)
    return f"'{part.attr}', which samples" if named else ""


def changed_by(moment: Moment, part: ast.AST) -> str:
    """The call in an expression that changes something for those who read it later."""
    if not isinstance(part, ast.Call) or not effect_in(moment, part).mutates:
        return ""
    called = part.func
    last = called.attr if isinstance(called, ast.Attribute) else ast.unparse(called)
    return moment.resolve(called) or last


def unbound(moment: Moment, name: str, pair: Pair, place: Place, site: Site) -> Stop:
    """``value = "x_baar * beta"``, where nothing has that name, or not yet."""
    timeline = moment.function.timeline
    if name in timeline:
        return pair.stop(
            "name-without-a-value",
            "'{name}' has no value where '{child}' is sampled ({at:path}), or may have none",
            "bind {name} before that, in every branch that leads there.",
            place,
            name=name,
            at=site.place,
        )
    known = [known for known in timeline.names() if known.isidentifier() and moment.is_bound(known)]
    near = nearest(name, [*known, *moment.survey.aliases])
    return pair.stop(
        "no-such-name",
        "there is no name '{name}' where '{child}' is sampled ({at:path})",
        "did you mean {near}?" if near else "known there: {known}.",
        place,
        name=name,
        at=site.place,
        near=listed(near, last="or"),
        known=listed(sorted(known)),
    )
