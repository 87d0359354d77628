"""Source text in, `Survey` out: what the file's functions sample, and under which plates.

The file is read with `ast`, which is fast and knows every position; LibCST comes in only where
code is written. Statement numbers are what the two have in common.
"""

from __future__ import annotations

import ast
import builtins
import warnings

from reparam_rewrite.messages import Diagnostic, Place, Refusal
from reparam_rewrite.survey.functions import Function, Survey
from reparam_rewrite.survey.helpers import is_patched
from reparam_rewrite.survey.index import index
from reparam_rewrite.survey.interpret import read_block
from reparam_rewrite.survey.purity import facts_of
from reparam_rewrite.survey.references import References
from reparam_rewrite.survey.state import State
from reparam_rewrite.survey.surroundings import addressed, calls_of
from reparam_rewrite.survey.text import Text

__all__ = ["survey"]


def survey(path: str, text: str) -> Survey:
    """Read a file's models.

    `path` is only for messages; `text` is the decoded file without a byte order mark.

    Raises `Refusal` if the text is not Python.
    """
    source = Text(path, text)
    tree = parse(path, text)
    found = index(tree)
    functions: dict[str, Function] = {}
    facts = facts_of(found)
    shared = frozenset(found.module_names), frozenset(dir(builtins))
    for scoped in found.functions:
        # A name that is defined twice stands for the last definition, as in Python.
        if scoped.name in functions and functions[scoped.name].runner:
            continue  # it was read where it is run
        state = State(found, source, scoped, shared, facts, read_block)
        functions[scoped.name] = state.run()
        functions.update(state.bodies)
    references = References(found, tree)
    said = {comment for function in functions.values() for comment in function.commented}
    return Survey(
        path=path,
        functions=functions,
        edges=tuple(calls_of(found, references, functions)),
        identifiers=frozenset(found.identifiers),
        aliases=found.aliases,
        certain=frozenset(found.certain),
        redefined=found.redefined,
        enclosed=references.aliases.enclosed,
        backwards=frozenset(references.aliases.backwards),
        constants=frozenset(found.constants),
        addressed=tuple(addressed(found, references, source)),
        densities=frozenset(found.densities),
        statements=tuple(found.statements),
        classes=frozenset(found.classes),
        patched=is_patched(found),
        stray=tuple(c for c in source.comments.values() if c not in said and c.kind != "unknown"),
        facts=facts,
        lines=tuple(line.rstrip("\r\0") for line in source.lines),
    )


def parse(path: str, text: str) -> ast.Module:
    """The tree of a file. Raises `Refusal` with the position that Python gives."""
    try:
        with warnings.catch_warnings():
            # An invalid escape in the model is the model's own business.
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        place = Place(path, error.lineno or 1, max(1, error.offset or 1))
        hint = "the model must parse before it can be rewritten."
        shown = (error.text or "").rstrip("\r\n")
        raise Refusal(Diagnostic(place, f"not valid Python: {error.msg}", hint, shown)) from None
    except (RecursionError, MemoryError, ValueError) as error:
        raise Refusal(Diagnostic(path, f"Python can't parse this file: {error}")) from None
