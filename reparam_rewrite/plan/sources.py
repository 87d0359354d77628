"""What does a term of an offset read: a site's value, or an expression of the config?"""

from __future__ import annotations

import ast

from msgspec import Struct

from reparam_rewrite.messages import Filler, Place, listed, nearest
from reparam_rewrite.plan.alternatives import is_read
from reparam_rewrite.plan.asking_prior import unsettled
from reparam_rewrite.plan.children import Pair, Snippet
from reparam_rewrite.plan.context import Context, Stop, stop
from reparam_rewrite.survey.data import data_in
from reparam_rewrite.survey.purity import effect_in, only_computes, reads_of
from reparam_rewrite.survey.scopes import Moment
from reparam_rewrite.survey.shapes import shape_of
from reparam_rewrite.survey.values import Shape, Site, Use


class Source(Struct, frozen=True):
    """What one term is made of before its place is known."""

    pair: Pair
    reads: frozenset[Use]
    expression: str = ""  # of a `value`
    shape: Shape | None = None
    center: str = ""
    center_shape: Shape | None = ()
    movable: bool = True  # it may be computed before the statement, if its names allow
    data: frozenset[str] = frozenset()  # the arguments of the call that it is computed of


def source_of(context: Context, site: Site, pair: Pair) -> Source:
    """Read the parent: its names, its shape, its centre."""
    moment = Moment(context.survey, context.function, site.statement)
    reads: frozenset[Use] = frozenset()
    expression, shape = "", pair.site.shape if pair.site else None
    if pair.value is not None:
        expression, place = pair.value.text, pair.value.place
        reads |= read_names(moment, expression, pair, place, site)
        shape = shape_of(moment, parsed(expression))
    center, center_shape = "", ()
    if isinstance(pair.center, Snippet):
        center = one_line(pair.center.text)
        reads |= read_names(moment, center, pair, pair.center.place, site)
        center_shape = shape_of(moment, parsed(center))  # type: ignore[assignment]
    elif pair.center:
        center = repr(pair.center)
    texts = [text for text in (expression, center) if text]
    if site.unsettled and reads:
        raise unsettled(site, f"what '{texts[0]}' reads")
    movable = all(only_computes(moment, parsed(text)) for text in texts)
    given = pair.site.data.observations if pair.site is not None else None
    data = given.data if given is not None else frozenset()
    data = data.union(*(data_in(moment, parsed(text)) for text in texts))
    return Source(pair, reads, one_line(expression), shape, center, center_shape, movable, data)


def parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def one_line(text: str) -> str:
    """An expression as it is written, if it is written on one line; else in one."""
    return ast.unparse(parsed(text)) if "\n" in text or "#" in text else text


def read_names(moment: Moment, text: str, pair: Pair, place: Place, site: Site) -> frozenset[Use]:
    """The local names that an expression of the config reads before the child's statement.

    Raises `Stop` for a name that isn't bound there, and for a call that samples.
    """
    tree = parsed(text)
    own = {
        part.id
        for part in ast.walk(tree)
        if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load)
    } | {part.arg for part in ast.walk(tree) if isinstance(part, ast.arg)}
    for part in ast.walk(tree):
        dotted = sampled_by(moment, part)
        if dotted:
            message, hint = "an offset can't call {called}", "use what the model samples."
            parts = {"called": dotted}
            raise stop(pair, "value-samples", message, hint, place, **parts)
        changing = changed_by(moment, part)
        if changing:
            message = "an offset can't call {called}, which changes what the model reads later"
            hint = "bind its value to a name in the model, and use that name."
            parts = {"called": changing}
            raise stop(pair, "value-changes-others", message, hint, place, **parts)
        if not isinstance(part, ast.Name) or part.id in own:
            continue
        binding = moment.binding(part.id)
        read = binding is not None and is_read(site, part.id, binding.version)
        if not moment.is_bound(part.id) and not read:
            raise unbound(moment, part.id, pair, place, site)
    return frozenset(read for read in reads_of(moment, tree) if read.name not in own)


def sampled_by(moment: Moment, part: ast.AST) -> str:
    """What an expression calls that samples: numpyro's, a function of the file, a property."""
    node = part.func if isinstance(part, ast.Call) else part
    dotted = moment.resolve(node) if isinstance(node, ast.expr) else None
    if dotted in ("numpyro.sample", "numpyro.param", "numpyro.plate"):
        return dotted if isinstance(part, ast.Call) else ""
    if isinstance(part, ast.Call) and isinstance(node, ast.Name):
        own = moment.survey.functions.get(node.id)
        return f"'{node.id}', which samples" if own is not None and own.sites else ""
    if not isinstance(part, ast.Attribute) or dotted is not None:
        return ""
    for name, function in moment.survey.functions.items():
        around, _, last = name.rpartition(".")
        if around and last == part.attr and function.sites:
            return f"'{last}', which samples"
    return ""


def changed_by(moment: Moment, part: ast.AST) -> str:
    """The call in an expression that changes something for those who read it later."""
    if not isinstance(part, ast.Call) or not effect_in(moment, part).mutates:
        return ""
    called = part.func
    last = called.attr if isinstance(called, ast.Attribute) else ast.unparse(called)
    return moment.resolve(called) or last


def unbound(moment: Moment, name: str, pair: Pair, place: Place, site: Site) -> Stop:
    parts: dict[str, Filler] = {"name": name, "at": site.place}
    if name in moment.function.timeline:
        return stop(
            pair,
            "name-without-a-value",
            "'{name}' has no value where '{child}' is sampled ({at:path}), or may have none",
            "bind {name} before that, in every branch that leads there.",
            place,
            **parts,
        )
    known = [
        known
        for known in moment.function.timeline.names()
        if known.isidentifier() and moment.is_bound(known)
    ]
    near = nearest(name, [*known, *moment.survey.aliases])
    text = "there is no name '{name}' where '{child}' is sampled ({at:path})"
    hint = "did you mean {near}?" if near else "known there: {known}."
    names = {"near": listed(near, last="or"), "known": listed(sorted(known))}
    return stop(pair, "no-such-name", text, hint, place, **({**parts, **names}))
