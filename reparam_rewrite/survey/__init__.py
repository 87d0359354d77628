"""Source text in, `Survey` out: what the file's functions sample, and under which plates.

The file is read with `ast`, which is fast and knows every position; LibCST comes in only where
code is written. Statement numbers are what the two have in common.
"""

from __future__ import annotations

import ast
import builtins

from msgspec.structs import replace

from reparam_rewrite.survey.functions import Function, Linked, Survey
from reparam_rewrite.survey.helpers import is_patched
from reparam_rewrite.survey.index import IMPORTS, index, index_as_written
from reparam_rewrite.survey.interpret import read_block
from reparam_rewrite.survey.names import is_of_project
from reparam_rewrite.survey.nodes import walk
from reparam_rewrite.survey.purity import facts_of
from reparam_rewrite.survey.references import References
from reparam_rewrite.survey.state import State
from reparam_rewrite.survey.surroundings import addressed, calls_of
from reparam_rewrite.survey.text import Text, parse

__all__ = ["survey"]


def survey(path: str, text: str) -> Survey:
    """Read a file's models, and what they call of other files of the project.

    `path` is for messages, and tells where the others are; `text` is the decoded file without a
    byte order mark. Raises `Refusal` if the text is not Python.
    """
    project = with_other_files(path, text, parse(path, text))
    source, tree = Text(path, project.text), project.tree
    found = index(tree)
    own = index_as_written(parse(path, text)) if project.files else found
    functions: dict[str, Function] = {}
    spelt = project.spelt.items()
    seen = {name: text for name, text in spelt if text.partition(".")[0] in found.certain}
    facts = replace(facts_of(found), spelt=seen)
    shared = frozenset(found.module_names), frozenset(dir(builtins))
    for scoped in found.functions:
        # A name that is defined twice stands for the last definition, as in Python.
        if scoped.name in functions and functions[scoped.name].runner:
            continue  # it was read where it is run
        state = State(found, source, scoped, shared, facts, read_block)
        functions[scoped.name] = state.run()
        functions.update(state.bodies)
    references = References(found, tree)
    end = project.files[0].first if project.files else len(source.lines) + 1
    statements = tuple(node for node in found.statements if node.lineno < end)
    said = {comment for function in functions.values() for comment in function.commented}
    return Survey(
        path=path,
        functions=functions,
        edges=tuple(calls_of(found, references, functions)),
        identifiers=frozenset(own.identifiers),
        aliases={name: dotted for name, dotted in found.aliases.items() if "@" not in name},
        imported=found.aliases,
        certain=frozenset(found.certain),
        redefined=found.redefined,
        enclosed=references.aliases.enclosed,
        backwards=frozenset(references.aliases.backwards),
        constants=frozenset(found.constants),
        addressed=tuple(addressed(found, references, source)),
        densities=frozenset(found.densities),
        statements=statements,
        written=tuple(own.statements),
        classes=frozenset(found.classes),
        patched=is_patched(found),
        stray=tuple(
            comment
            for line, comment in source.comments.items()
            if line < end and comment not in said and comment.kind != "unknown"
        ),
        facts=facts,
        lines=tuple(line.rstrip("\r\0") for line in source.lines),
        elsewhere=project.files,
        missing=project.missing,
        read=project.read,
    )


def with_other_files(path: str, text: str, tree: ast.Module) -> Linked:
    """A model's file, with what it calls of other files if it may import any of its project."""
    if not any(isinstance(node, IMPORTS) and is_of_project(node) for node in walk(tree)):
        return Linked(text, tree)
    from reparam_rewrite.survey.linking import linked  # most models need nothing of it

    return linked(path, text, tree)
