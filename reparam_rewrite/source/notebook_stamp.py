"""Where a generated notebook comes from, in its metadata: what `source.stamp` is for Python files.

::

    "metadata": {
     "reparam_rewrite": {
      "generated_by": "reparam-rewrite 0.1.0: edit its sources, not this file",
      "sources": "5a1f09c2d7e84b36",
      "body": "90cd35bb1e6f7a42",
      "code": "7d1c03b7a9e2f845",
      "model": "model.ipynb",
      "config": "offsets.toml"
     },

The body is what a person writes, the cells' kinds and sources: a notebook that was run and saved
is still what was generated. So is one whose cells a formatter has changed: `code` is a digest of
the fingerprint of each.
"""

from __future__ import annotations

import json
import re
from typing import Any

from reparam_rewrite.source.json_text import after_blank, members, whole
from reparam_rewrite.source.stamp import Origin, Stamp, digest

KEY = "reparam_rewrite"


def read_stamp(data: bytes) -> Stamp | None:
    """The stamp of a notebook, None if it has none or is none."""
    notebook = loaded(data)
    said = notebook.get("metadata")
    said = said.get(KEY) if isinstance(said, dict) else None
    if not isinstance(said, dict):
        return None
    first, sources, body = (str(said.get(key)) for key in ("generated_by", "sources", "body"))
    lines = json.dumps(said, sort_keys=True).encode()
    code = str(said.get("code", ""))
    return Stamp(lines, first, paths_of(said), sources, body, code, body_of(notebook), code_of)


def paths_of(said: dict[str, Any]) -> str:
    return json.dumps([said.get("model"), said.get("config")])


def loaded(data: bytes) -> dict[str, Any]:
    try:
        notebook = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return notebook if isinstance(notebook, dict) else {}


def body_of(notebook: dict[str, Any]) -> bytes:
    """The kinds and sources of all cells, in one form."""
    cells = notebook.get("cells")
    found = [
        [cell.get("cell_type"), joined(cell.get("source"))]
        for cell in (cells if isinstance(cells, list) else [])
        if isinstance(cell, dict)
    ]
    return json.dumps(found).encode()


def code_of(body: bytes) -> str:
    """The digest of what the cells say."""
    from reparam_rewrite.source.cells import cell_of
    from reparam_rewrite.source.fingerprint import fingerprint

    found: list[Any] = []
    for kind, text in json.loads(body):
        cell = cell_of(text, "", "", 0) if kind == "code" and isinstance(text, str) else None
        if cell is None:
            found.append([kind, text])
            continue
        magics = [magic.rstrip() for _, magic in cell.hidden.magics]
        found.append([kind, cell.head.rstrip(), fingerprint(cell.hidden.text), magics])
    return digest(json.dumps(found).encode())


def joined(source: Any) -> Any:
    """nbformat allows a string and a list of lines."""
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        return "".join(source)
    return source


def table(body: bytes, made_from: Origin) -> dict[str, str]:
    return {
        "generated_by": f"reparam-rewrite {made_from.version}: edit its sources, not this file",
        "sources": made_from.sources,
        "body": digest(body),
        "code": code_of(body),
        "model": made_from.model,
        "config": made_from.config,
    }


def is_fresh(data: bytes, made_from: Origin) -> bool:
    """Is a generated notebook what its sources give now, for all that the digests can tell?"""
    stamp = read_stamp(data)
    if stamp is None or stamp.sources != made_from.sources:
        return False
    expected = table(b"[]", made_from)
    told = expected["generated_by"], paths_of(expected)
    return (stamp.first, stamp.paths) == told and not stamp.edited


def stamped(data: bytes, made_from: Origin) -> bytes:
    """`data`, the JSON of a notebook, with a stamp in the place of one that it may have.

    Nothing else of the text changes.
    """
    text = data.decode()
    said = table(body_of(json.loads(text)), made_from)
    top = whole(text)
    found = members(text, top.start)
    if "metadata" not in found:
        return inserted(text, top.start, "metadata", {KEY: said}).encode()
    inside = found["metadata"]
    old = members(text, inside.start).get(KEY)
    if old is None:
        return inserted(text, inside.start, KEY, said).encode()
    blank = blank_before(text, old.start)
    return (text[: old.start] + written(said, blank) + text[old.end :]).encode()


def inserted(text: str, start: int, key: str, value: Any) -> str:
    """The object at `start` with a first member more."""
    first = after_blank(text, start + 1)
    blank = text[start + 1 : first]
    empty = text[first] == "}"
    if empty or "\n" not in blank:
        member = f"{json.dumps(key)}: {json.dumps(value)}"
        return text[: start + 1] + member + ("" if empty else ", ") + text[first:]
    member = f"{json.dumps(key)}: {written(value, blank)}"
    return text[: start + 1] + blank + member + "," + text[start + 1 :]


def blank_before(text: str, at: int) -> str:
    """The line end and the indent of the line that `at` is in, "" in the first line."""
    start = text.rfind("\n", 0, at)
    found = re.compile(r"\n[ \t]*").match(text, max(start, 0))
    if start < 0 or found is None:
        return ""
    return ("\r" if text[start - 1 : start] == "\r" else "") + found[0]


def written(value: Any, blank: str) -> str:
    """JSON over several lines, each indented one space more than the line that it begins in."""
    found = re.search(r"\r?\n[ \t]*\Z", blank)
    if found is None:
        return json.dumps(value)
    return json.dumps(value, indent=1).replace("\n", found[0])
