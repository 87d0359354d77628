"""Where a generated notebook comes from, in its metadata: what `stamp` is for Python files.

::

    "metadata": {
     "reparam_rewrite": {
      "generated_by": "reparam-rewrite 0.2.0: edit its sources, not this file",
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
from typing import Any

from reparam_rewrite.source.json_text import after_blank, joined, parts
from reparam_rewrite.source.up_to_date import Origin, Stamp, digest

KEY = "reparam_rewrite"


def read_stamp(data: bytes) -> Stamp | None:
    """The stamp of a notebook, None if it has none or is none."""
    notebook = loaded(data)
    metadata = notebook.get("metadata")
    said = metadata.get(KEY) if isinstance(metadata, dict) else None
    if not isinstance(said, dict):
        return None
    first, sources, body = (str(said.get(key)) for key in ("generated_by", "sources", "body"))
    lines, code = json.dumps(said, sort_keys=True).encode(), str(said.get("code", ""))
    return Stamp(
        lines, first, paths_of(said), sources, body, code, body_of(notebook), code_of, told
    )


def told(body: bytes, made_from: Origin) -> tuple[str, str]:
    """What the stamp of a notebook says of the version, and of the sources."""
    said = table(body, made_from)
    return said["generated_by"], paths_of(said)


def paths_of(said: dict[str, Any]) -> str:
    return json.dumps([said.get("model"), said.get("config")])


def loaded(data: bytes) -> dict[str, Any]:
    """The notebook in `data`, empty if it is none."""
    try:
        notebook = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return notebook if isinstance(notebook, dict) else {}


def cells_of(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """The cells of what may be no notebook."""
    cells = notebook.get("cells")
    return [cell for cell in cells if isinstance(cell, dict)] if isinstance(cells, list) else []


def body_of(notebook: dict[str, Any]) -> bytes:
    """The kinds and sources of all cells, in one form."""
    cells = cells_of(notebook)
    return json.dumps(
        [[cell.get("cell_type"), joined(cell.get("source"))] for cell in cells]
    ).encode()


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


def table(body: bytes, made_from: Origin) -> dict[str, str]:
    return {
        "generated_by": f"reparam-rewrite {made_from.version}: edit its sources, not this file",
        "sources": made_from.sources,
        "body": digest(body),
        "code": code_of(body),
        "model": made_from.model,
        "config": made_from.config,
    }


def stamped(data: bytes, made_from: Origin) -> bytes:
    """`data`, the JSON of a notebook, with a stamp in the place of one that it may have.

    Nothing else of the text changes.
    """
    text = data.decode()
    said = table(body_of(json.loads(text)), made_from)
    start = after_blank(text)
    metadata = dict(parts(text, start)).get("metadata")
    if metadata is None:
        return inserted(text, start, "metadata", {KEY: said}).encode()
    old = dict(parts(text, metadata.start)).get(KEY)
    if old is None:
        return inserted(text, metadata.start, KEY, said).encode()
    return f"{text[: old.start]}{written(said, text[: old.start])}{text[old.end :]}".encode()


def inserted(text: str, start: int, key: str, value: Any) -> str:
    """The object at `start` with a first member more."""
    above, rest = text[: start + 1], text[after_blank(text, start + 1) :]
    blank = text[start + 1 : len(text) - len(rest)]
    if rest.startswith("}") or "\n" not in blank:
        comma = "" if rest.startswith("}") else ", "
        return f"{above}{json.dumps(key)}: {json.dumps(value)}{comma}{rest}"
    above += blank
    return f"{above}{json.dumps(key)}: {written(value, above)},{blank}{rest}"


def written(value: Any, above: str) -> str:
    """JSON over several lines, each indented one space more than the line that it begins in."""
    before, newline, line = above.rpartition("\n")
    if not newline:
        return json.dumps(value)
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    newline = "\r\n" if before.endswith("\r") else "\n"
    return json.dumps(value, indent=1).replace("\n", newline + indent)
