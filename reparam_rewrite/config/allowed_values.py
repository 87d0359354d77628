"""What one value of the config may be, and the words that say why it may not.

Every check takes the key and a value of the key's type, and returns the value to use or raises
`Wrong`; where the value stands is the reader's business.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable
from keyword import iskeyword
from math import isfinite
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from reparam_rewrite.messages import nearest
from reparam_rewrite.reparameterizers import REFUSED, REPARAMETERIZERS
from reparam_rewrite.structures import STRUCTURES

if TYPE_CHECKING:
    import ast


class Wrong(ValueError):
    """A value that may not stand where it stands: `message` and `hint` as in a `Diagnostic`."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


_TOML_WORDS = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a float",
    list: "an array",
    dict: "a table",
}


def found(value: object) -> str:
    """What `value` is in TOML's words; the remaining types are dates and times."""
    return _TOML_WORDS.get(type(value), "a date or a time")


def expected(kind: Any) -> str:
    """What values of the type `kind` are in TOML's words."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return expected(args[0])
    if origin is Literal:
        return _or([f"'{choice}'" for choice in args])
    if origin in (Union, UnionType):
        return _or([expected(one) for one in args])
    if origin is dict:
        return "a table"
    if origin is list:
        return f"{_TOML_WORDS[list]} of {expected(args[0]).partition(' ')[2]}s"
    return "a number" if kind is float else _TOML_WORDS[kind]


def _or(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def meant(wrong: str, known: Iterable[str]) -> str:
    """The hint that names what is spelt nearly so, "" if there is nothing."""
    like = nearest(wrong, known)
    return f"did you mean '{like[0]}'?" if like else ""


def checked(key: str, kind: Any, raw: object) -> Any:
    """The value of `key`, whose type is declared as `kind`, as the program uses it."""
    declared, *said = get_args(kind) if get_origin(kind) is Annotated else (kind,)
    check: Callable[[str, Any], Any] | None = next(filter(callable, said), None)
    if check in (structure, initial):  # which look at values of any type
        return check(key, raw)
    try:
        value = msgspec.convert(raw, declared)
    except msgspec.ValidationError:
        raise _mistyped(key, declared, raw) from None
    return check(key, value) if check else value


def _mistyped(key: str, declared: Any, raw: object) -> Wrong:
    if isinstance(raw, str) and get_origin(declared) is Literal:
        hint = meant(raw, get_args(declared))
        return Wrong(f"'{key}' must be {expected(declared)}, not '{raw}'", hint)
    if type(raw) is int and "a number" in expected(declared):
        return Wrong(f"'{key}' is too large for a float")
    return Wrong(f"'{key}' must be {expected(declared)}, not {found(raw)}")


def structure(key: str, raw: object) -> str | list[str]:
    """``"elementwise"``, ``"shared"``, ``"matrix"`` or ``["i"]``"""
    if isinstance(raw, list):
        if not raw or not all(isinstance(axis, str) and axis for axis in raw):
            raise Wrong(f"'{key}' must name axes of the child: plates, or sizes as written")
        if len(set(raw)) < len(raw):
            raise Wrong(f"'{key}' names an axis twice")
        return raw
    if isinstance(raw, str) and raw in STRUCTURES:
        return raw
    known = _or([*(f"'{name}'" for name in STRUCTURES), "an array of axes"])
    if isinstance(raw, str):
        raise Wrong(f"'{key}' must be {known}, not '{raw}'", meant(raw, STRUCTURES))
    raise Wrong(f"'{key}' must be {known}, not {found(raw)}")


def initial(key: str, raw: object) -> Any:
    """A number, nested arrays of numbers as tuples, or the name of an .npz."""
    if isinstance(raw, str):
        return arrays(key, raw, "an index or " if key == "per" else "a number, an array or ")
    if isinstance(raw, list):
        return _array(key, raw)[0]
    return finite(key, checked(key, float, raw))


def arrays(key: str, raw: str, else_: str = "") -> str:
    """The name of an .npz."""
    if not raw.endswith(".npz") or raw == ".npz" or set(raw) & set("/\\"):
        hint = "name an .npz that is beside the generated file, such as 'offsets.npz'."
        raise Wrong(f"'{key}' must be {else_}the name of an .npz", hint)
    if not raw.isprintable() or set(raw) & set("{}"):
        raise Wrong(f"'{key}' names a file whose name can't stand in code")
    return raw


def _array(key: str, raw: list[Any]) -> tuple[tuple[Any, ...], tuple[int, ...]]:
    """A rectangle of numbers, and its shape."""
    rows = [isinstance(one, list) for one in raw]
    if not raw or any(rows) != all(rows):
        what = "is empty" if not raw else "mixes numbers and arrays"
        raise Wrong(f"'{key}' {what}", "give a number for every element of the child.")
    if not rows[0]:
        return tuple(finite(key, checked(key, float, one)) for one in raw), (len(raw),)
    parts, shapes = zip(*(_array(key, one) for one in raw), strict=True)
    if len(set(shapes)) > 1:
        raise Wrong(f"'{key}' has rows of different lengths")
    return parts, (len(raw), *shapes[0])


def finite(key: str, value: float) -> float:
    if not isfinite(value):
        raise Wrong(f"'{key}' must be a finite number, not {value}")
    return value


def power(key: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise Wrong(f"a power must be from 0 to 1, not {value}")
    return value


def power_start(key: str, value: float) -> float:
    return power(key, finite(key, value))


def centered(key: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise Wrong(f"'{key}' must be from 0 to 1, not {value}")
    return value


def centered_start(key: str, value: float) -> float:
    if not 0 < value < 1:
        hint = "a learned centring starts between 0, non-centred, and 1, as written: 0.5."
        raise Wrong(f"'{key}' must be between 0 and 1, not {value}", hint)
    return value


def center(key: str, value: float | str) -> float | str:
    return expression(key, value) if isinstance(value, str) else finite(key, value)


def factor(key: str, value: float | str) -> float | str:
    """What a site is multiplied by."""
    if isinstance(value, str):
        return expression(key, value)
    if finite(key, value) <= 0:
        raise Wrong(f"'{key}' must be above 0, not {value}")
    return value


def tril(key: str, value: bool | str) -> bool | str:
    """``true``, or the expression of a matrix."""
    if isinstance(value, str):
        return expression(key, value)
    if not value:
        raise Wrong(f"'{key}' must be true or an expression", "leave it out.")
    return value


def dims(key: str, value: int | list[int]) -> int | list[int]:
    axes = value if isinstance(value, list) else [value]
    if not axes or len(set(axes)) < len(axes):
        raise Wrong(f"'{key}' must name at least one axis, and each once")
    for dim in axes:
        if dim >= 0:
            raise Wrong(f"'{key}' counts from the right: -1 is the last axis, not {dim}")
    return value


def template(key: str, value: str) -> str:
    """A name made from `{child}` and `{parent}`, with no formatting of them."""
    if not value:
        raise Wrong(f"'{key}' is empty", "a name is needed, such as 'xi_{child}_{parent}'.")
    only = "only {child} and {parent} can be filled in; a literal brace is doubled."
    try:
        fields = list(string.Formatter().parse(value))
    except ValueError as error:
        raise Wrong(f"'{key}' is not a template: {_lowered(str(error))}", only) from None
    for _, field, spec, conversion in fields:
        if field is not None and (field not in ("child", "parent") or spec or conversion):
            suffix = (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            raise Wrong(f"'{key}' cannot fill in '{{{field}{suffix}}}'", only)
    return value


def per(key: str, value: str) -> str:
    """An index, ``county`` or ``i, t``, or the name of an .npz."""
    return initial(key, value) if value.endswith(".npz") else expression(key, value, tuples=True)


def expression(key: str, value: str, *, tuples: bool = False) -> str:
    """Python source that can be put in parentheses wherever the child is sampled."""
    # Most configs have no expression, and ast takes a while to import.
    import ast

    source = value.strip()
    if not source:
        raise Wrong(f"'{key}' is empty", "a Python expression is needed, such as 'x_bar * beta'.")
    try:
        tree = _quietly_parsed(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = _lowered(error.msg if isinstance(error, SyntaxError) else str(error))
        said = f"'{key}' is not a Python expression: {reason or 'too deep'}"
        hint = "write one as it could stand in the model, such as 'x_bar * beta'."
        raise Wrong(said, hint) from None
    refused = {
        ast.NamedExpr: "an assignment (':=')",
        ast.Yield: "'yield'",
        ast.YieldFrom: "'yield'",
        ast.Await: "'await'",
        ast.Starred: "a starred expression",
    }
    for node in ast.walk(tree):
        if type(node) in refused:
            raise Wrong(f"'{key}' may not hold {refused[type(node)]}")
        if isinstance(node, ast.comprehension) and node.is_async:
            raise Wrong(f"'{key}' may not hold 'async for'")
    if isinstance(tree.body, ast.Tuple) and not tuples:
        raise Wrong(f"'{key}' is a tuple, not a number or an array")
    try:
        _quietly_parsed(f"({source})")
    except SyntaxError:  # the comment swallowed the parenthesis
        raise Wrong(f"'{key}' may not end in a comment") from None
    return source


def _quietly_parsed(source: str) -> ast.Expression:
    """The tree of an expression, without Python's warnings of what is doubtful in it.

    They would name no place in the config, and turn into errors under `python -W error`.
    """
    import ast
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source, mode="eval")


def reparameterizer(key: str, value: str) -> str:
    if value in REFUSED:
        raise Wrong(f"{value} can't be used: {REFUSED[value]}")
    if value not in REPARAMETERIZERS:
        known = f"there are {', '.join(REPARAMETERIZERS)}."
        raise Wrong(
            f"there is no reparameterizer '{value}'", meant(value, REPARAMETERIZERS) or known
        )
    return value


def reparam_argument(name: str, key: str) -> str:
    """The name of an argument of a reparameterizer."""
    known = REPARAMETERIZERS[name].arguments
    if key not in known:
        hint = f"it takes {' and '.join(known)}." if known else "it takes none."
        raise Wrong(f"{name} has no argument '{key}'", hint)
    return key


def site_key(name: str) -> str:
    """The name of a site, or a glob of several."""
    if not name:
        raise Wrong("the name of a site is empty")
    return name


def site_name(name: str) -> str:
    """The name of one site, which may have brackets: ``b[0]``."""
    if set(site_key(name)) & set("*?"):
        hint = f"only [sites.<site>] takes a glob; name each of the sites that '{name}' is for."
        raise Wrong(f"'{name}' is a glob, and one site must be named here", hint)
    return name


def function_name(name: str) -> str:
    """`model`, `Forecaster.model` for a method, `outer.inner` for a nested function."""
    if not name:
        raise Wrong("the name of a function is empty")
    if not all(part.isidentifier() and not iskeyword(part) for part in name.split(".")):
        hint = "write 'model', 'Class.method' or 'outer.inner'."
        raise Wrong(f"'{name}' is not the name of a function", hint)
    return name


def _lowered(sentence: str) -> str:
    """`sentence` as part of another one."""
    return sentence[:1].lower() + sentence[1:]
