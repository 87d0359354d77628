"""Which function of a file is the model: by its source, without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from reparam_rewrite.messages import Diagnostic, Refusal, listed

#: What draws from the posterior or the prior of a model, or computes its density: a function that
#: calls one of these is given a model, and is none.
RUNNING = frozenset(
    [
        *("HMC", "MCMC", "NUTS", "NestedSampler", "Predictive", "SVI", "SteinVI"),
        *("Trace_ELBO", "TraceMeanField_ELBO", "get_trace", "initialize_model", "log_density"),
        *("log_likelihood", "potential_energy", "render_model"),
    ]
)


def entry(source: bytes, path: str, asked: str | None, rewritten: Sequence[str] = ()) -> str:
    """The dotted name of the model: `asked`, or the one function that samples, itself or in what
    it calls, and that no other function calls. With `rewritten`, it must be or call one of those.

    Raises `Refusal` if there is no such function, or several of which none is called "model".
    """
    if asked:
        return asked
    found = candidates(source, path, rewritten)
    if len(found) > 1 and "model" in found:
        return "model"
    if not found:
        message = "no function of the model file samples a site"
        raise Refusal(Diagnostic(path, message, "name the model's function: --function NAME."))
    if len(found) > 1:
        message = f"several functions may be the model: {listed(found)}"
        raise Refusal(Diagnostic(path, message, f"name one of them: --function {found[0]}."))
    return found[0]


def candidates(source: bytes, path: str, rewritten: Sequence[str] = ()) -> list[str]:
    """The functions that may be the model: those that sample and that no other function calls."""
    calls = dict(calls_of_functions(ast.parse(source, path)))
    calls = without_runs(calls) or calls
    sampling = {n for n in calls if (n in rewritten if rewritten else "sample" in calls[n])}
    while callers := {name for name in calls if calls[name] & set(map(last, sampling))} - sampling:
        sampling |= callers
    called = {n for n in sampling for other in calls if other != n and last(n) in calls[other]}
    return sorted(sampling - called) or sorted(sampling)


def without_runs(calls: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """The functions that don't run a model, nor call one that does, as ``main`` may."""
    runs = {name for name, called in calls.items() if called & RUNNING}
    while more := {n for n in calls if calls[n] & set(map(last, runs))} - runs:
        runs |= more
    return {name: called for name, called in calls.items() if name not in runs}


def last(name: str) -> str:
    """The last part of a dotted name: what a function is called by where it is called."""
    return name.rpartition(".")[2]


def calls_of_functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, frozenset[str]]]:
    """By dotted name what each function calls: those at the top, methods, and functions inside."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield f"{prefix}{node.name}", frozenset(called_names(node))
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield from calls_of_functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.stmt):
            yield from calls_of_functions(node, prefix)


def called_names(node: ast.AST) -> Iterator[str]:
    """Names that are called, or given to what may call them; not those of functions inside."""
    for inner in ast.iter_child_nodes(node):
        if not isinstance(inner, ast.FunctionDef | ast.ClassDef):
            yield from called_names(inner)
        if isinstance(inner, ast.Call):
            for one in (inner.func, *inner.args, *(k.value for k in inner.keywords)):
                if isinstance(one, ast.Attribute | ast.Name):
                    yield one.attr if isinstance(one, ast.Attribute) else one.id
