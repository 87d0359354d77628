"""What may be another after a file was rewritten, found by `ast` alone, and a check of the rest.

Nothing here asks the rewriter what it did: what it takes for a site, a statement or a line may be
wrong, and is not to be believed.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from collections import Counter
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from typing import TypeVar

T = TypeVar("T")

#: The comments that say what the map of a child depends on, and what is standard normal.
WARNING = re.compile(
    rb"^[ \t]*# How (?:.*\n)*?.*\bcount\.\r?\n"
    rb"|^[ \t]*# Standard normal given .*\n(?:[ \t]*#.*\n)*",
    re.MULTILINE,
)

LINE_END = re.compile(rb"\r\n|\r|\n")


def assert_only_sites_changed(
    before: bytes, after: bytes, sites: Collection[str], moves: bool = False
) -> None:
    """Assert that a rewritten file has all of its source but for what belongs to `sites`.

    before, after: Python files. sites: the names, or patterns of names, in the config. Others may
    be the statements that mention one of them, the headers of what is around those, imports, and
    the calls of a scan. All other lines must be there, in order and byte for byte, and so must all
    comments, all strings, and the meaning of what is elsewhere at the top level. With `moves` they
    must be there as often, in any order: what is needed earlier goes up.
    Lines that were added must end as those of the file do.
    """
    tree, new_tree = parsed(before), parsed(after)
    if compiles(before):
        assert compiles(after)
    lines = before.splitlines(keepends=True)  # of bytes: only at \n, \r\n and \r
    new_lines = after.splitlines(keepends=True)
    free = lines_of_sites(tree, lines, sites)
    kept = [line for number, line in enumerate(lines, 1) if number not in free]
    ends = set(LINE_END.findall(before)) or {b"\n"}
    if moves:
        assert Counter(kept) <= Counter(new_lines), "lines are gone, or are others"
        added = list((Counter(new_lines) - Counter(kept)).elements())
        if {b"\r", b"\n"} <= ends:  # a line that ends in the one, and then a blank one
            ends.add(b"\r\n")
    else:
        added = without(new_lines, kept)
    assert_ends(added, ends, before, after)
    kept_comments = comments(before)
    assert kept_comments in (None, comments(WARNING.sub(b"", after))), (
        "comments are gone, or are others"
    )
    assert strings(tree) <= strings(new_tree), "a string is another"
    whole = [ast.dump(node) for node in tree.body if free.isdisjoint(span(node))]
    without([ast.dump(node) for node in new_tree.body], whole)


def parsed(data: bytes) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes such as "\d"
        return ast.parse(data)


def compiles(data: bytes) -> bool:
    """Not all that `ast` reads does: a keyword may be repeated, say."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(data, "model.py", "exec")
        except (SyntaxError, ValueError):
            return False
    return True


def without(whole: list[T], part: list[T]) -> list[T]:
    """What is left of a list without another, whose elements must be in it in order."""
    left = iter(whole)
    added = []
    for wanted in part:
        for found in left:
            if found == wanted:
                break
            added.append(found)
        else:
            raise AssertionError(f"{wanted!r} is gone, or has moved")
    return [*added, *left]


def assert_ends(added: list[bytes], ends: set[bytes], before: bytes, after: bytes) -> None:
    for line in added:
        found = LINE_END.findall(line)
        if not found:  # the last line of the file
            assert after.endswith(line) and not before.endswith((b"\n", b"\r")), line
        else:
            assert found[0] in ends, f"{line!r} doesn't end as the file's lines do"


def comments(data: bytes) -> Counter[str] | None:
    """All comments; those of a statement that is taken apart may change places.

    None where `tokenize` stumbles over what Python itself reads, as over a margin with a backslash.
    """
    data = data.replace(b"\r\n", b"\n")
    try:
        tokens = list(tokenize.tokenize(io.BytesIO(data).readline))
    except (SyntaxError, tokenize.TokenError):
        return None
    return Counter(token.string for token in tokens if token.type == tokenize.COMMENT)


def strings(tree: ast.Module) -> Counter[str | bytes]:
    values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return Counter(value for value in values if isinstance(value, (str, bytes)))


def lines_of_sites(tree: ast.Module, lines: list[bytes], sites: Collection[str]) -> set[int]:
    """The numbers of the lines that a rewriter of these sites may change."""
    free: set[int] = set()
    bodies = {name for node in ast.walk(tree) for name in functions_of_scan(node)}

    def visit(node: ast.stmt, around: list[ast.stmt]) -> None:
        inner = list(blocks_of(node))
        if not inner:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                free.update(span(node))
            elif mentions(node, sites) or any(map(is_scan, ast.walk(node))):
                free.update(span(node))
                for outer in around:
                    if isinstance(outer, (ast.With, ast.AsyncWith)):
                        free.update(header_of(outer, lines))
            return
        if isinstance(node, ast.FunctionDef) and node.name in bodies:
            free.update(header_of(node, lines))
        for child in inner:
            visit(child, [*around, node])

    for statement in tree.body:
        visit(statement, [])
    return free


def blocks_of(node: ast.AST) -> Iterator[ast.stmt]:
    """The statements that are directly inside of one."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        elif isinstance(child, (ast.ExceptHandler, ast.match_case)):
            yield from blocks_of(child)


def span(node: ast.stmt) -> range:
    start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    return range(start, (node.end_lineno or 0) + 1)


def header_of(node: ast.With | ast.AsyncWith | ast.FunctionDef, lines: list[bytes]) -> range:
    """The lines up to its colon: comments and blank lines above the body are not of it."""
    end = node.body[0].lineno - 1
    while end > node.lineno and lines[end - 1].strip(b" \t\f\r\n")[:1] in (b"", b"#"):
        end -= 1
    return range(node.lineno, end + 1)


def mentions(node: ast.stmt, sites: Collection[str]) -> bool:
    """Has a statement a call with the name of one of the sites, or a sample whose name is none?"""
    for call in ast.walk(node):
        if not isinstance(call, ast.Call):
            continue
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        texts = [value.value for value in given if isinstance(value, ast.Constant)]
        if any(
            fnmatchcase(text, site) for text in texts if isinstance(text, str) for site in sites
        ):
            return True
        if named(call).endswith("sample") and not any(isinstance(text, str) for text in texts):
            return True  # it is put together, or held by a variable
    return False


def is_scan(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and named(node).endswith("scan")


def functions_of_scan(node: ast.AST) -> list[str]:
    if not isinstance(node, ast.Call) or not is_scan(node):
        return []
    return [argument.id for argument in node.args if isinstance(argument, ast.Name)]


def named(call: ast.Call) -> str:
    return ast.unparse(call.func)
