"""Which function of a file is the model: by its source, without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from msgspec import Struct

from reparam_rewrite.messages import Diagnostic, Refusal, listed


class Function(Struct, frozen=True):
    """A function or method: its dotted name, whether it samples, and the names that it calls."""

    name: str
    samples: bool
    calls: frozenset[str]


def entry(source: bytes, path: str, asked: str | None, rewritten: Sequence[str] = ()) -> str:
    """The dotted name of the model: `asked`, or the one function that samples, itself or in what
    it calls, and that no other function calls. With `rewritten`, it must be or call one of those.

    Raises `Refusal` if there is no such function, or several of which none is called "model".
    """
    if asked:
        return asked
    functions = {function.name: function for function in functions_of(ast.parse(source))}
    sampling = (
        {name for name in functions if name in rewritten}
        if rewritten
        else {name for name, function in functions.items() if function.samples}
    )
    grown = True
    while grown:
        callers = {
            name
            for name, function in functions.items()
            if function.calls & {one.rpartition(".")[2] for one in sampling}
        }
        grown = not callers <= sampling
        sampling |= callers
    called = {
        name
        for name in sampling
        for other, function in functions.items()
        if other != name and name.rpartition(".")[2] in function.calls
    }
    found = sorted(sampling - called) or sorted(sampling)
    if len(found) > 1 and "model" in found:
        return "model"
    if len(found) == 1:
        return found[0]
    if not found:
        message = "no function of the model file samples a site"
        raise Refusal(Diagnostic(path, message, "name the model's function: --function NAME."))
    message = f"several functions may be the model: {listed(found)}"
    raise Refusal(Diagnostic(path, message, f"name one of them: --function {found[0]}."))


def functions_of(tree: ast.AST, prefix: str = "") -> Iterator[Function]:
    """The functions of a file: at its top, methods, and functions in functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from functions_of(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            calls = frozenset(called_names(node))
            yield Function(f"{prefix}{node.name}", "sample" in calls, calls)
            yield from functions_of(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.stmt):
            yield from functions_of(node, prefix)


def called_names(node: ast.AST) -> Iterator[str]:
    """Names that are called, or given to something that may call them, but for those of functions
    inside.
    """
    for inner in ast.iter_child_nodes(node):
        if not isinstance(inner, ast.FunctionDef | ast.ClassDef):
            yield from called_names(inner)
        if isinstance(inner, ast.Call):
            for one in (inner.func, *inner.args, *(k.value for k in inner.keywords)):
                if isinstance(one, ast.Attribute):
                    yield one.attr
                elif isinstance(one, ast.Name):
                    yield one.id
