"""Can this be an index, or a weight, of each observation, and of which elements of a child?

What the source shows speaks against it. What it doesn't show fails when the model runs, or is as
good as any other offset.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from reparam_rewrite.plan.children import Pair, Snippet
from reparam_rewrite.survey.effects import ARRAY_MODULES
from reparam_rewrite.survey.expressions import parsed
from reparam_rewrite.survey.scopes import Moment
from reparam_rewrite.survey.timeline import Assigned
from reparam_rewrite.survey.values import Shape, Site

#: What is no array, by what it is called in a message.
NO_ARRAYS: dict[type[ast.expr], str] = {
    ast.List: "a list",
    ast.ListComp: "a list",
    ast.Set: "a set",
    ast.SetComp: "a set",
    ast.Dict: "a dictionary",
    ast.DictComp: "a dictionary",
    ast.GeneratorExp: "a generator",
    ast.Lambda: "a function",
    ast.JoinedStr: "a string",
}


A_NUMBER = 'offset it by a number: {parent} = {{ value = "jnp.mean({expression})" }}, for example.'


def check_seen(
    moment: Moment, pair: Pair, said: Snippet, shape: Shape | None, value: Shape | None, site: Site
) -> None:
    """An index, or a weight, has an entry for each observation, and so may the value.

    Raises `Stop` where the source shows that it isn't so.
    """
    is_index = said is pair.per
    tree = parsed(said.text)
    problems = index_problems if is_index else weight_problems
    wrong = next(problems(moment, tree, shape, site), "") or length_problem(shape, value)
    if wrong:
        hint = "give what picks an element of '{child}' for each observation, as county does in "
        hint += "{child}[county]."
        if not is_index:
            hint = "give what '{child}' is multiplied by in each observation, in their order."
        elif site.shape == ():
            hint = A_NUMBER
        parts = {"what": "'per'" if is_index else "'weight'", "wrong": wrong}
        parts["expression"] = pair.value.text if pair.value is not None else ""
        text = "{what} of '{parent}' in '{child}' {wrong}"
        raise pair.stop("not-seen", text, hint, said.place, **parts)


def check_elements(pair: Pair, site: Site, expression: str) -> None:
    """Raise `Stop` where the child's elements aren't those that observations pick."""
    hint = A_NUMBER
    plates = [p for frame in site.all_frames for p in frame.plates if p.subsampled]
    if pair.coefficient.kind.contracted:
        reason, hint = "a matrix of weights has its elements meet as it likes", "leave 'per' out."
    elif site.prior.support.reshapes:
        reason = "its elements aren't those that it is sampled by"
        if not site.prior.support.constraint:
            reason = "what it is sampled from doesn't show"
    elif plates:
        reason = f"plate '{plates[0].name}' has a part of its elements at a time"
    else:
        return
    raise pair.stop(
        "projected-on-no-elements",
        "'{parent}' can't be projected on '{child}': {reason}",
        hint,
        (pair.per or pair.weight or pair).place,
        reason=reason,
        expression=expression,
    )


def index_problems(
    moment: Moment, tree: ast.expr, shape: Shape | None, site: Site
) -> Iterator[str]:
    """What is wrong with an index, ``county`` or ``i, t``, as the rest of a sentence."""
    items = tree.elts if isinstance(tree, ast.Tuple) else [tree]
    if not items:
        yield "picks nothing"
    axes = site.shape
    if axes == ():
        yield "is an index, and the site is one number"
    if axes and len(items) > len(axes):
        has = "one axis" if len(axes) == 1 else f"{len(axes)} axes"
        yield f"has {len(items)} indices, and the site {has}"
    for at, item in enumerate(items):
        if what := no_array(item):
            yield f"is {what}, and no index"
        if isinstance(item, ast.Compare) or is_not(item):
            yield "is true or false, and no index"
        if is_float(item):
            yield "has floats, which are no index"
        binding = moment.binding(item.id) if isinstance(item, ast.Name) else None
        drawn = [moment.function.sites[one] for one in binding.drawn] if binding else []
        if any(one.prior.support.kind != "discrete" for one in drawn):
            yield "is sampled, and no index"
        size = axes[at].size if axes and at < len(axes) else None
        yield from number_problems(numbers_in(moment, item), size or "")
    if shape == () and site.shape != ():
        yield "is one number, and no index of each observation"


def number_problems(numbers: list[object], size: str) -> Iterator[str]:
    """What is wrong with the numbers of an index, along an axis of a size."""
    for number in numbers:
        if isinstance(number, bool):
            yield f"has {number}, which is no index"
        elif isinstance(number, float | complex):
            yield "has floats, which are no index"
        elif isinstance(number, int) and number < 0:
            yield f"has {number}, and indices begin with 0"
        elif isinstance(number, int) and size.isdigit() and number >= int(size):
            yield f"has {number}, and the last index is {int(size) - 1}"


def weight_problems(
    moment: Moment, tree: ast.expr, shape: Shape | None, site: Site
) -> Iterator[str]:
    """What is wrong with a weight, as the rest of a sentence."""
    if what := no_array(tree):
        yield f"is {what}, and no number"


def length_problem(shape: Shape | None, value: Shape | None) -> str:
    """That there are more or fewer entries than values, where both numbers show."""
    if not shape or not value or not len(shape) == len(value) == 1:
        return ""
    sizes = [axis.size or "" for axis in (shape[0], value[0])]
    if sizes[0] == sizes[1] or "1" in sizes or not all(map(str.isdigit, sizes)):
        return ""
    return f"has {sizes[0]} entries, and the value has {sizes[1]}"


def no_array(node: ast.expr) -> str:
    """What an expression is that can be no array, or number; "" if it may be one."""
    if isinstance(node, ast.Constant) and not isinstance(node.value, int | float | complex):
        return "a string" if isinstance(node.value, str | bytes) else str(node.value)
    return NO_ARRAYS.get(type(node), "")


def is_not(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)


def is_float(node: ast.expr) -> bool:
    """``x * 0.5``, ``x / 2``"""
    if isinstance(node, ast.BinOp):
        both = is_float(node.left) or is_float(node.right)
        return both or isinstance(node.op, ast.Div)
    return isinstance(node, ast.Constant) and isinstance(node.value, float)


def numbers_in(moment: Moment, node: ast.expr) -> list[object]:
    """The numbers of an array that is written out, ``jnp.array([0, 0, 1])``; empty for any other.

    A name that is bound to such an array counts, if nothing changes that in place.
    """
    if isinstance(node, ast.Name):
        binding = moment.binding(node.id)
        known = binding is not None and binding.certain and binding.era is None
        bound = binding.value if binding is not None and known else None
        if not isinstance(bound, Assigned) or not isinstance(bound.node, ast.Call):
            return []
        node = bound.node
    if not isinstance(node, ast.Call) or node.keywords or len(node.args) != 1:
        return []
    module, _, function = (moment.resolve(node.func) or "").rpartition(".")
    if f"{module}." not in ARRAY_MODULES or function not in ("array", "asarray"):
        return []
    try:
        return [*flat(ast.literal_eval(node.args[0]))]
    except ValueError:  # it isn't written out
        return []


def flat(value: object) -> Iterator[object]:
    """The numbers of nested lists."""
    if isinstance(value, list | tuple):
        for one in value:
            yield from flat(one)
    else:
        yield value
