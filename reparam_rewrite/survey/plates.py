"""Which plates does an expression stand for, or hold, and what is known of their dims and sizes?

A plate is what a call of `numpyro.plate` makes, wherever it stands: in the `with` itself, behind a
name, in a tuple or a dictionary, or in a helper of the file.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from reparam_rewrite.survey.calls import assignment, given, is_none
from reparam_rewrite.survey.effects import MUTATING_METHODS
from reparam_rewrite.survey.expressions import grouped
from reparam_rewrite.survey.helpers import matched, self_of, substituted
from reparam_rewrite.survey.nodes import walk
from reparam_rewrite.survey.purity import is_repeatable, reads_of
from reparam_rewrite.survey.scopes import is_read
from reparam_rewrite.survey.shapes import axis_of
from reparam_rewrite.survey.state import State
from reparam_rewrite.survey.timeline import Assigned
from reparam_rewrite.survey.values import GIVING, Axis, Frame, Handler, Held, Plate, Use

PLATE = ("name", "size", "subsample_size", "dim")
PLATE_STACK = ("prefix", "sizes", "rightmost_dim")

#: What a dim is computed with.
ARITHMETIC: Mapping[type[ast.AST], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


def plates_of(state: State, node: ast.expr, *, made: bool = False) -> tuple[Plate, ...]:
    """The plates that an item of a `with` enters; none if they don't show."""
    held = held_by(state, node, made=made)
    return held if isinstance(held, tuple) else ()


def held_by(state: State, node: ast.expr, *, made: bool = False) -> Held | None:
    """The plates that an expression stands for, or those that it holds, by their keys.

    `made`: it stands in a helper, which makes them.
    """
    match node:
        case ast.Name(id=name):
            binding = state.binding(name)
            held = binding.plates if binding is not None else None
            return held if isinstance(held, tuple) or is_only_read(state, name) else None
        case ast.Subscript(value=holder, slice=key):
            try:
                return part_of(held_by(state, holder, made=made), repr(ast.literal_eval(key)))
            except ValueError:
                return None
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            if any(isinstance(part, ast.Starred) for part in parts):
                return None
            inside = [held_by(state, part, made=made) for part in parts]
            numbered = {**dict(enumerate(inside)), **dict(enumerate(inside, -len(inside)))}
            return known({repr(at): held for at, held in numbered.items()})
        case ast.Dict(keys=keys, values=values) if all(isinstance(k, ast.Constant) for k in keys):
            pairs = zip(map(ast.unparse, filter(None, keys)), values, strict=True)
            return known({key: held_by(state, value, made=made) for key, value in pairs})
        case ast.DictComp(key=ast.Name(id=key), generators=[loop]) if not loop.ifs:
            listed = loop.iter.elts if isinstance(loop.iter, (ast.List, ast.Tuple)) else []
            if not isinstance(loop.target, ast.Name) or loop.target.id != key:
                return None
            if not all(isinstance(part, ast.Constant) for part in listed):
                return None
            made_of = {ast.unparse(part): substituted(node.value, {key: part}) for part in listed}
            return known({at: held_by(state, value, made=True) for at, value in made_of.items()})
    own = made_elsewhere(state, node) if isinstance(node, (ast.Attribute, ast.Call)) else None
    if own is not None or not isinstance(node, (ast.Attribute, ast.Call)):
        return own
    if isinstance(node, ast.Attribute):
        return part_of(held_by(state, node.value, made=made), f".{node.attr}")
    helped = made or bool(state.following)
    plate = plate_of(state, node, state.frames, made=helped)
    found = stack_of(state, node) if plate is None else (plate,)
    state.function.taken.update(plate.name for plate in found if plate.literal)
    return found or known(dict(fields_of(state, node, made=made)))


def made_elsewhere(state: State, node: ast.expr) -> Held | None:
    """The plates that a helper of the file makes, or that an attribute of `self` is."""
    helped = state.made_by(node)
    if helped is not None:
        return held_by(state, helped, made=True)
    if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
        return None
    stored = state.index.attributes.get(node.attr, [])
    if node.value.id != self_of(state.index, state.function) or len(stored) != 1:
        return None
    plate = plate_of(state, stored[0], ()) if isinstance(stored[0], ast.Call) else None
    if plate is None or not plate.literal:
        return None  # what a name is made of may be another thing here
    size, reads = f"{ast.unparse(node)}.size", reads_of(state, node)
    return (replace(plate, axis=Axis(size, under(size, reads), plate.axis.plate, reads)),)


def fields_of(state: State, call: ast.Call, *, made: bool) -> list[tuple[str, Held | None]]:
    """What a dictionary or a dataclass holds that a call makes: ``dict(i=plate)``, ``Plates(i)``"""
    named = [keyword.arg for keyword in call.keywords]
    if not isinstance(call.func, ast.Name) or None in named:
        return []
    if state.is_builtin(call.func.id) and call.func.id == "dict" and not call.args:
        pairs = [(repr(keyword.arg), keyword.value) for keyword in call.keywords]
        return [(name, held_by(state, value, made=made)) for name, value in pairs]
    declared = state.index.classes.get(call.func.id)
    if declared is None or call.func.id in state.function.hidden or not is_record(declared):
        return []
    fields = [part for part in declared.body if isinstance(part, ast.AnnAssign)]
    names = [part.target.id for part in fields if isinstance(part.target, ast.Name)]
    signature = ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])
    values = matched(signature, call) or {}
    set_anew = state.index.attributes
    shown = [(name, value) for name, value in values.items() if value and name not in set_anew]
    return [(f".{name}", held_by(state, value, made=made)) for name, value in shown]


def is_record(node: ast.ClassDef) -> bool:
    """Is it a dataclass or a named tuple that does nothing of its own?"""
    decorators = [ast.unparse(part).partition("(")[0] for part in node.decorator_list]
    bases = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
    plain = all(isinstance(part, (ast.AnnAssign, ast.Expr)) for part in node.body)
    of_data = [name.rpartition(".")[2] for name in decorators] == ["dataclass"] and not bases
    return plain and (of_data or (bases == ["NamedTuple"] and not decorators))


def known(parts: Mapping[str, Held | None]) -> Held | None:
    """Those of the parts that are plates; None if none is."""
    return {key: held for key, held in parts.items() if held and isinstance(held, tuple)} or None


def part_of(held: Held | None, key: str) -> tuple[Plate, ...] | None:
    return held.get(key) if isinstance(held, dict) else None


def is_only_read(state: State, name: str) -> bool:
    """Is nothing done to what a name holds but to take parts of it, or to unpack it?"""
    parts = state.scoped.parts
    read = [p for p in parts if isinstance(p, ast.Name) and p.id == name]
    loads = sum(map(is_read, read))
    taken = [part.value for part in parts if is_taken(part)]  # type: ignore[attr-defined]
    parts_taken = sum(isinstance(part, ast.Name) and part.id == name for part in taken)
    return name in state.scoped.names and loads == parts_taken


def is_taken(node: ast.AST) -> bool:
    """``plates["i"]``, ``plates.i`` and the right-hand side of ``p, q = plates``"""
    match node:
        case ast.Subscript(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()):
            return not isinstance(node, ast.Attribute) or node.attr not in MUTATING_METHODS
        case ast.Assign(targets=[ast.Tuple() | ast.List()]):
            return True
    return False


def plate_of(
    state: State, call: ast.Call, frames: Sequence[Frame], *, made: bool = False
) -> Plate | None:
    """``numpyro.plate("n_a", n_a, dim=-2)``, made inside `frames`; None for any other call."""
    if state.resolve(call.func) != "numpyro.plate":
        return None
    asked = given(call, PLATE)
    name, size, asked_dim = asked.get("name"), asked.get("size"), asked.get("dim")
    if "*" in asked or name is None or size is None:
        return None
    label, identity, literal = named(state, name)
    dim = dim_of(state, asked_dim, frames)
    written = state.text.unparsed(size) if made else state.text.segment(size).text
    shown = asked_dim if dim is None and not made else None
    if shown is not None and not is_repeatable(state, shown):
        shown = None
    axis = axis_of(state, size, ast.unparse(size) if "\n" in written else written, identity)
    if made and isinstance(size, ast.Constant):  # all that a helper makes is at one place
        axis = replace(axis, size_key=f"{axis.size_key} {identity}")
    return Plate(
        axis=axis,
        name=label,
        literal=literal,
        dim=dim,
        subsampled=not is_none(asked.get("subsample_size")),
        place=state.text.place(call),
        dim_text="" if shown is None else ast.unparse(shown),
        dim_reads=frozenset() if shown is None else reads_of(state, shown),
    )


def named(state: State, name: ast.expr) -> tuple[str, str, bool]:
    """What a plate is called, its identity, and whether its name is literal."""
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        return name.value, repr(name.value), True
    text = ast.unparse(name)
    return text, under(text, reads_of(state, name, whole=False)), False


def under(text: str, reads: frozenset[Use]) -> str:
    """An expression together with the bindings of what it reads."""
    return f"{text} {','.join(sorted(f'{read.name}@{read.version}' for read in reads))}"


def stack_of(state: State, call: ast.Call) -> tuple[Plate, ...]:
    """``numpyro.plate_stack("p", [n, m])``: plates "p_1" of n and "p_0" of m; () if it isn't one.

    Where the sizes aren't written out, one that stands for several.
    """
    if state.resolve(call.func) != "numpyro.plate_stack":
        return ()
    asked = given(call, PLATE_STACK)
    prefix, sizes = asked.get("prefix"), asked.get("sizes")
    rightmost = dim_of(state, asked.get("rightmost_dim"), ())
    if "*" in asked or prefix is None or sizes is None or rightmost is None:
        return ()
    place = state.text.place(call)
    parts = sizes.elts if isinstance(sizes, (ast.List, ast.Tuple)) else None
    if parts is None or any(isinstance(part, ast.Starred) for part in parts):
        read = [p.value if isinstance(p, ast.Starred) else p for p in parts or [sizes]]
        again = all(is_repeatable(state, part) for part in read)
        written = f"*{grouped(ast.unparse(sizes))}" if again else None
        axis = Axis(written, reads=reads_of(state, sizes))
        return (Plate(axis, ast.unparse(prefix), False, rightmost, False, place, several=True),)
    label, identity, literal = named(state, prefix)
    found = []
    for position, size in enumerate(reversed(parts)):
        name = f"{label}_{position}"
        plate = repr(name) if literal else f"{identity} stack {position}"
        axis = axis_of(state, size, ast.unparse(size), plate)
        found.append(Plate(axis, name, literal, rightmost - position, False, place))
    return tuple(found)


def dim_of(state: State, asked: ast.expr | None, frames: Sequence[Frame]) -> int | None:
    """The dim that is asked for, else the rightmost that no plate around has; None if unknown.

    NumPyro takes it when the plate is made, not when it is entered.
    """
    if asked is not None and not is_none(asked):
        dim = number_of(state, asked)
        return dim if dim is not None and dim < 0 else None
    plates = plates_by_dim(frames)  # whatever is given a value there, no plate is
    if plates is None or any(plate.several for plate in plates.values()):
        return None
    return next(-d for d in range(1, len(plates) + 2) if -d not in plates)


def number_of(state: State, node: ast.expr, *, own: bool = True) -> int | None:
    """The whole number that an expression is: ``-2``, ``-1 - K``; None if it isn't known.

    `own`: names of the function itself are looked up, too, where these are bound to such a number.
    """
    match node:
        case ast.Constant(value=value):
            return value if type(value) is int else None
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            number = number_of(state, inner, own=own)
            return None if number is None else -number
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            first, second = number_of(state, left, own=own), number_of(state, right, own=own)
            return None if first is None or second is None else ARITHMETIC[type(op)](first, second)
        case ast.Name(id=name):
            binding = state.binding(name)
            if binding is None:
                value = state.index.constants.get(name) if state.is_constant(name) else None
                return value if type(value) is int else None
            if own and isinstance(binding.value, Assigned) and is_bound_once(state, name):
                return number_of(state, binding.value.node, own=False)
    return None


def is_bound_once(state: State, name: str) -> bool:
    """Does one statement of the function alone bind a name, whatever its loops and calls do?"""
    parts = (part for part in state.scoped.parts if isinstance(part, ast.Name))
    stores = sum(part.id == name and not is_read(part) for part in parts)
    return stores == 1 and not state.is_unstable(name)


def plates_by_dim(frames: Sequence[Frame], site: str | None = None) -> dict[int, Plate] | None:
    """The plates of the frames by their dims; None where something may be an unknown plate.

    With `site` also where something may give the site a value of another shape.
    """
    found: dict[int, Plate] = {}
    for item in (item for frame in frames for item in frame.items):
        if isinstance(item, Handler):
            leaves = item.qualified in GIVING if site is None else item.leaves(site)
            if item.opaque and not leaves:
                return None
        elif item.dim is None or item.dim in found:
            return None
        else:
            found[item.dim] = item
    return found


def entered_in(state: State, node: ast.With | ast.AsyncWith) -> set[ast.stmt]:
    """The statements ``stack.enter_context(numpyro.plate("n", n))`` of a ``with ExitStack()``.

    None of them unless these are all that is done with the stack, and they always run.
    """
    item = node.items[-1]
    stack = item.optional_vars
    made = item.context_expr.func if isinstance(item.context_expr, ast.Call) else None
    if made is None or state.resolve(made) != "contextlib.ExitStack" or len(node.items) > 1:
        return set()
    if not isinstance(stack, ast.Name) or state.following:
        return set()
    entering: set[ast.stmt] = set()
    for statement in node.body:
        _, value = assignment(statement)
        match value or getattr(statement, "value", None):
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=stack.id), attr="enter_context"),
                args=[context],
                keywords=[],
            ) if plates_of(state, context):
                entering.add(statement)
    uses = [part for part in walk(node) if isinstance(part, ast.Name) and part.id == stack.id]
    return entering if len(uses) == len(entering) + 1 else set()
