"""What a text of Python is, whatever its layout: a digest that no formatter changes.

It is of the syntax tree, of the words of the comments, and of each block's imports as a set, as
sorters split, join and move these. So blanks, line ends, parentheses without need, quotes, trailing
commas and the way a number is written don't count, and neither does the indent of lines in a string
that is a statement, such as a docstring.

`ast.dump` would not do: what it gives depends on the version of Python.
"""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

#: Fields of nodes that follow from where a node stands, or that say how something was written.
IGNORED = frozenset(["ctx", "kind", "type_comment", "type_ignores"])

IMPORTS = (ast.Import, ast.ImportFrom)


def fingerprint(text: str) -> str:
    """16 hexadecimal digits. A text that isn't Python is taken as it is written."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        parts = [*comments(text, tree), *canonical(tree)]
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        parts = ["text", *(line.rstrip() for line in text.rstrip().split("\n"))]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def fingerprint_of_file(data: bytes) -> str:
    """The fingerprint of a Python file."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return fingerprint(data.decode(encoding))
    except (SyntaxError, UnicodeError):
        return hashlib.sha256(data).hexdigest()[:16]


def comments(text: str, tree: ast.Module) -> Iterator[str]:
    """The words of each comment, in order; those among the imports at the head as a set.

    There they move with the imports, are doubled when an import is split, and joined by semicolons.
    """
    head = 0
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            break
        if isinstance(node, IMPORTS):
            head = node.end_lineno or head
    above: set[str] = set()
    below: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            said = [" ".join(part.split()) for part in token.string[1:].split(";")]
            if token.start[0] <= head:
                above.update(said)
            else:
                below.append("; ".join(said))
    yield from (*sorted(above), "code", *below)


def canonical(tree: ast.Module) -> Iterator[str]:
    """The tree as words, without recursion: a sum may have hundreds of terms."""
    stack: list[Any] = [tree]
    while stack:
        part = stack.pop()
        if isinstance(part, ast.AST):
            node = normalized(part)
            yield type(node).__name__
            stack.append(")")
            for name, value in reversed(list(ast.iter_fields(node))):
                if name not in IGNORED and value is not None and value != []:
                    stack += (as_word(value), name)
        elif isinstance(part, list):
            yield "["
            stack += reversed([*arranged(part), "]"])
        else:
            yield part


def as_word(value: Any) -> Any:
    """A value that isn't a node, with its type; the same in all versions of Python."""
    if isinstance(value, (ast.AST, list)):
        return value
    return f"{type(value).__name__} {hex(value) if type(value) is int else ascii(value)}"


def arranged(parts: Sequence[Any]) -> list[Any]:
    """A list of a node's parts; of a block, the imports come first."""
    imported: set[str] = set()
    for node in parts:
        if isinstance(node, IMPORTS):
            source = (node.module, node.level) if isinstance(node, ast.ImportFrom) else ()
            for alias in node.names:
                renamed = alias.asname if alias.asname != alias.name else None
                imported.add(ascii(("import", *source, alias.name, renamed)))
    return [*sorted(imported), *(as_word(part) for part in parts if not isinstance(part, IMPORTS))]


def normalized(node: ast.AST) -> ast.AST:
    """A node without what layout may change in the tree."""
    match node:
        case ast.Expr(ast.Constant(str() as text)):  # a docstring, or another string for people
            lines = [line.strip() for line in text.strip().split("\n")]
            return ast.Expr(ast.Constant("\n".join(lines)))
        case ast.Delete(targets):  # del (a, b)
            return ast.Delete(list(flattened(targets)))
        case ast.FormattedValue(format_spec=ast.JoinedStr([])):
            return ast.FormattedValue(node.value, node.conversion, None)
        case ast.JoinedStr(values):
            return joined(values)
    return node


def flattened(targets: Sequence[ast.expr]) -> Iterator[ast.expr]:
    for target in targets:
        yield from flattened(target.elts) if isinstance(target, ast.Tuple) else [target]


def joined(values: Sequence[ast.expr]) -> ast.expr:
    """An f-string with strings next to each other as one; a plain string if it is all text."""
    parts: list[ast.expr] = []
    text = ""
    for value in [*values, None]:
        if isinstance(value, ast.Constant):
            text += str(value.value)
            continue
        parts += ([ast.Constant(text)] if text else []) + ([value] if value else [])
        text = "" if value else text
    is_text = all(isinstance(part, ast.Constant) for part in parts)
    return ast.Constant(text) if is_text else ast.JoinedStr(parts)
