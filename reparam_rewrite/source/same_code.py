"""Do two texts differ in their layout alone, as formatters and sorters of imports change it?"""

from __future__ import annotations

import ast
import re

#: What formatters put in, take out and change: blanks, trailing commas, parentheses, quotes.
LAYOUT = re.compile(r"""[\s,;()'"\\]+""")


def same_code(one: str, other: str) -> bool:
    """Have they the same statements and comments, but for the order of the imports?

    Text that isn't Python, such as a cell with a magic, is compared without what is layout.
    """
    return one == other or essence(one) == essence(other)


def essence(text: str) -> tuple[object, ...]:
    """What no formatter changes: the imports, the other statements, and all that is written."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return (LAYOUT.sub("", text),)
    imports: set[tuple[object, ...]] = set()
    lines = text.split("\n")
    body = []
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            module = (node.module, node.level) if isinstance(node, ast.ImportFrom) else ()
            imports.update((*module, alias.name, alias.asname) for alias in node.names)
            first, last = node.lineno - 1, node.end_lineno or node.lineno
            lines[first:last] = [""] * (last - first)
        else:
            body.append(node)
    for part in ast.walk(tree):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            part.value = LAYOUT.sub("", part.value)  # docstrings are indented anew
    written = LAYOUT.sub("", "\n".join(lines))
    return frozenset(imports), tuple(map(ast.dump, body)), written
