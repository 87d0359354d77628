"""Python sources below some folders; a notebook is its code cells, joined."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reparam_rewrite.source.magics import heading, hide


@dataclass(frozen=True)
class Source:
    """`name` is the path below the folder that was asked for, with that folder's name."""

    name: str
    data: bytes
    tree: ast.Module

    @property
    def module(self) -> str:
        """The path in messages: what is read of a notebook is a module."""
        return self.name.removesuffix(".ipynb") + ".py" * self.name.endswith(".ipynb")


def sources(roots: Iterable[Path]) -> Iterator[Source | str]:
    """Every source that speaks of numpyro, each content once; a str is one that can't be parsed."""
    seen: set[bytes] = set()
    for root in roots:
        paths = [root] if root.is_file() else sorted(root.rglob("*"))
        for path in paths:
            if path.suffix not in (".py", ".ipynb") or not path.is_file():
                continue
            data = notebook(path) if path.suffix == ".ipynb" else path.read_bytes()
            if b"numpyro" not in data or data in seen:
                continue
            seen.add(data)
            name = str(path.relative_to(root.parent))
            tree = parsed(data)
            yield name if tree is None else Source(name, data, tree)


def parsed(data: bytes) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes
        try:
            return ast.parse(data)
        except (SyntaxError, ValueError):
            return None


def notebook(path: Path) -> bytes:
    """The code cells that hold Python."""
    try:
        cells = json.loads(path.read_bytes()).get("cells", [])
    except ValueError:
        return b""
    texts = [cell_text(cell) for cell in cells if cell.get("cell_type") == "code"]
    return told_apart("\n\n".join(text for text in texts if text).encode())


def told_apart(data: bytes) -> bytes:
    """The second ``model`` of a notebook, which replaces the first, becomes ``model_2``.

    So are the uses of it, up to the third. Who moves a model out of a notebook takes one of them.
    """
    tree = parsed(data)
    if tree is None:
        return data
    definitions: dict[str, list[int]] = {}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            definitions.setdefault(node.name, []).append(node.lineno)
    places: list[tuple[int, int, str]] = []
    lines = data.split(b"\n")
    for part in ast.walk(tree):
        if isinstance(part, ast.Name):
            places.append((part.lineno, part.col_offset, part.id))
        elif part in tree.body and isinstance(part, (ast.FunctionDef, ast.ClassDef)):
            column = lines[part.lineno - 1].index(part.name.encode(), 4)
            places.append((part.lineno, column, part.name))
    for line, column, name in sorted(places, reverse=True):
        count = sum(first <= line for first in definitions.get(name, []))
        if count > 1:
            text, end = lines[line - 1], column + len(name.encode())
            lines[line - 1] = text[:end] + b"_%d" % count + text[end:]
    return b"\n".join(lines)


def cell_text(cell: dict[str, object]) -> str:
    """The Python of a cell: ``%time mcmc.run(key)`` is a call of something else."""
    source = cell.get("source", "")
    text = source if isinstance(source, str) else "".join(source)  # type: ignore[arg-type]
    head = heading(text)
    if head is None:
        return ""
    for code in (text[len(head) :], hide(text[len(head) :]).text):
        if parsed(code.encode("utf-8", "replace")) is not None:
            return code if code.endswith("\n") else f"{code}\n"
    return ""
