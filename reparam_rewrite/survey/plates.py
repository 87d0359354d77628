"""How are the items of ``with`` read, plates and handlers, and which batch shape do plates give?"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from msgspec.structs import replace

from reparam_rewrite.survey.calls import argument, is_none, is_starred
from reparam_rewrite.survey.expressions import grouped
from reparam_rewrite.survey.handlers import addressed_sites, is_explicit
from reparam_rewrite.survey.helpers import self_of
from reparam_rewrite.survey.purity import is_repeatable, reads_of
from reparam_rewrite.survey.scopes import Scope
from reparam_rewrite.survey.shapes import axis_of
from reparam_rewrite.survey.state import State
from reparam_rewrite.survey.text import Text
from reparam_rewrite.survey.values import GIVING, UNIT, Axis, Frame, Handler, Plate, Shape


def plate_of(
    scope: Scope, text: Text, call: ast.Call, frames: Sequence[Frame], *, made: bool = False
) -> Plate | None:
    """``numpyro.plate("n_a", n_a, dim=-2)``, made inside `frames`; None for any other call.

    `made`: the call doesn't stand there, but is what a helper makes.
    """
    if scope.resolve(call.func) != "numpyro.plate":
        return None
    name, size = argument(call, 0, "name"), argument(call, 1, "size")
    if name is None or size is None or is_starred(call):
        return None
    label, identity, literal = named(scope, name)
    given = argument(call, 3, "dim")
    dim = dim_of(given, frames)
    shown = given is not None and dim is None and not made and is_repeatable(scope, given)
    written = "\n" if made else text.segment(size).text
    return Plate(
        axis=axis_of(scope, size, ast.unparse(size) if "\n" in written else written, identity),
        name=label,
        literal=literal,
        dim=dim,
        subsampled=not is_none(argument(call, 2, "subsample_size")),
        place=text.place(call),
        dim_text=ast.unparse(given) if shown and given is not None else "",
        dim_reads=reads_of(scope, given) if shown and given is not None else frozenset(),
    )


def named(scope: Scope, name: ast.expr) -> tuple[str, str, bool]:
    """What a plate is called, its identity, and whether its name is literal."""
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        return name.value, repr(name.value), True
    versions = ",".join(sorted(f"{r.name}@{r.version}" for r in reads_of(scope, name, whole=False)))
    return ast.unparse(name), f"{ast.unparse(name)} {versions}", False


def stack_of(scope: Scope, text: Text, call: ast.Call) -> tuple[Plate, ...]:
    """``numpyro.plate_stack("p", [n, m])``: plates "p_1" of n and "p_0" of m; () if it isn't one.

    Where the sizes aren't written out, one that stands for several.
    """
    if scope.resolve(call.func) != "numpyro.plate_stack":
        return ()
    prefix, sizes = argument(call, 0, "prefix"), argument(call, 1, "sizes")
    given = argument(call, 2, "rightmost_dim")
    rightmost = -1 if given is None else dim_of(given, ())
    if prefix is None or sizes is None or rightmost is None:
        return ()
    if is_starred(call):
        return ()
    if not isinstance(sizes, (ast.List, ast.Tuple)):
        written = f"*{grouped(ast.unparse(sizes))}" if is_repeatable(scope, sizes) else None
        axis, name = Axis(written, reads=reads_of(scope, sizes)), ast.unparse(prefix)
        return (Plate(axis, name, False, rightmost, False, text.place(call), several=True),)
    if any(isinstance(part, ast.Starred) for part in sizes.elts):
        return ()
    found = []
    for position, size in enumerate(reversed(sizes.elts)):
        label, identity, literal = named(scope, prefix)
        axis = axis_of(scope, size, ast.unparse(size), f"{identity} stack {position}")
        name = f"{label}_{position}"
        if literal:
            axis = replace(axis, plate=repr(name))
        found.append(Plate(axis, name, literal, rightmost - position, False, text.place(call)))
    return tuple(found)


def plate_held(scope: Scope, text: Text, made: ast.Call, node: ast.Attribute) -> Plate | None:
    """The plate that ``self.rows`` is, where ``self.rows = numpyro.plate("i", n)``, at rest."""
    if scope.resolve(made.func) != "numpyro.plate":
        return None
    plate = plate_of(scope, text, made, ())
    name = argument(made, 0, "name")
    if plate is None or not isinstance(name, ast.Constant):
        return None  # what a name is made of may be another thing here
    size, reads = f"{ast.unparse(node)}.size", reads_of(scope, node)
    versions = ",".join(sorted(f"{read.name}@{read.version}" for read in reads))
    return replace(plate, axis=Axis(size, f"{size} {versions}", plate.axis.plate, reads))


def dim_of(given: ast.expr | None, frames: Sequence[Frame]) -> int | None:
    """The dim that is asked for, else the rightmost that no plate around has; None if unknown.

    NumPyro takes it when the plate is made, not when it is entered.
    """
    if given is not None and not is_none(given):
        try:
            dim = ast.literal_eval(given)
        except ValueError:
            return None
        return dim if type(dim) is int and dim < 0 else None
    plates = plates_by_dim(frames)  # whatever is given a value there, no plate is
    if plates is None:
        return None
    return next(-d for d in range(1, len(plates) + 2) if -d not in plates)


def plate_shape(frames: Sequence[Frame], site: str | None) -> Shape | None:
    """The batch shape that the plates around a site ask for; None if it can't be told."""
    plates = plates_by_dim(frames, site)
    if plates is None:
        return None
    dims = range(min(plates, default=0), 0)
    return tuple(replace(plates[d].axis, dim=d) if d in plates else UNIT for d in dims)


def stacked_shape(frames: Sequence[Frame], site: str) -> Shape | None:
    """The batch shape of plates with a `plate_stack` of unknown sizes to their left."""
    plates = [item for frame in frames for item in frame.items if isinstance(item, Plate)]
    several = [plate for plate in plates if plate.several]
    others = [
        replace(
            frame, items=tuple(i for i in frame.items if not (isinstance(i, Plate) and i.several))
        )
        for frame in frames
    ]
    right = plate_shape(others, site)
    if len(several) != 1 or right is None or several[0].dim is None:
        return None
    between = -1 - several[0].dim - len(right)
    return (several[0].axis, *[UNIT] * between, *right) if between >= 0 else None


def plates_by_dim(frames: Sequence[Frame], site: str | None = None) -> dict[int, Plate] | None:
    """The plates of the frames by their dims; None where something may be an unknown plate.

    With `site` also where something may give the site a value of another shape.
    """
    found: dict[int, Plate] = {}
    for frame in frames:
        for item in frame.items:
            if isinstance(item, Handler):
                is_given = item.qualified in GIVING and site is None
                if item.opaque and not (is_given or (site is not None and item.leaves(site))):
                    return None
            elif item.several or item.dim is None or item.dim in found:
                return None
            else:
                found[item.dim] = item
    return found


def is_plate(item: Plate | Handler) -> bool:
    """Is it, or may it be, a plate?"""
    if isinstance(item, Plate):
        return True
    return item.qualified is None or (item.opaque and "numpyro.handlers." not in item.qualified)


def may_break_off(state: State, node: ast.expr) -> bool:
    """``with contextlib.suppress(ValueError):``"""
    dotted = state.resolve(node.func) if isinstance(node, ast.Call) else None
    return dotted in ("contextlib.suppress", "pytest.raises")


def items_of(state: State, node: ast.expr) -> tuple[Plate | Handler, ...]:
    if isinstance(node, ast.Call):
        stack = stack_of(state, state.text, node)
        if stack:
            state.function.taken.update(plate.name for plate in stack if plate.literal)
            return stack
    return (item_of(state, node),)


def item_of(state: State, node: ast.expr) -> Plate | Handler:
    plate = plate_elsewhere(state, node)
    if plate is not None:
        return plate
    if isinstance(node, ast.Name):
        binding = state.binding(node.id)
        if binding is not None and binding.plate is not None:
            return binding.plate
    if isinstance(node, ast.Call):
        plate = plate_at(state, node)
        if plate is not None:
            return plate
        dotted = state.resolve(node.func)
        addressed = addressed_sites(state.index, dotted, node)
        return Handler(dotted, ast.unparse(node), addressed, is_explicit(state.index, node))
    return Handler(None, ast.unparse(node))


def plate_elsewhere(state: State, node: ast.expr) -> Plate | None:
    """The plate that a helper of the file makes, or that an attribute of `self` is."""
    made = state.made_by(node)
    if isinstance(made, ast.Call):
        return plate_at(state, made, made=True)
    if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
        return None
    stored = state.index.attributes.get(node.attr, [])
    if node.value.id != self_of(state.index, state.function.name) or len(stored) != 1:
        return None
    value = stored[0]
    return plate_held(state, state.text, value, node) if isinstance(value, ast.Call) else None


def plate_at(state: State, call: ast.Call, *, made: bool = False) -> Plate | None:
    made = made or bool(state.following)
    plate = plate_of(state, state.text, call, state.frames, made=made)
    if plate is None:
        return None
    if plate.literal:
        state.function.taken.add(plate.name)
    return plate
