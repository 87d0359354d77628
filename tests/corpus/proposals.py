"""What `suggest` proposes for the models below some folders, each proposal tried on the rewriter.

    python -m tests.corpus.proposals FOLDER...

Every Python file and notebook in which a function samples a site is asked for once. A proposal that
the rewriter refuses, that changes nothing, or whose result isn't Python is an error; so is any
exception. The head of `tests.corpus` lists public sources.
"""

from __future__ import annotations

import argparse
import ast
from collections import Counter
from pathlib import Path

from reparam_rewrite.config.reading import read_config
from reparam_rewrite.messages import Refusal
from reparam_rewrite.rewriting import rewrite
from reparam_rewrite.source.reading import read
from reparam_rewrite.suggesting import suggest, to_text
from reparam_rewrite.suggesting.conditional import as_if_fitted


def outcome(path: Path) -> str:
    """What became of a file, in a few words."""
    try:
        source = read(str(path))
        found = suggest(source)
    except Refusal as refusal:
        return f"no model: {refusal.diagnostics[0].message}"
    except Exception as error:
        return f"ERROR: {type(error).__name__} of suggest"
    try:
        config = as_if_fitted(read_config(to_text(found).encode(), "<proposed>"))
        result = rewrite(source, config, 88)
    except Refusal as refusal:
        return f"ERROR: refused: {refusal.diagnostics[0].message}"
    except Exception as error:
        return f"ERROR: {type(error).__name__} of the rewriter"
    if found.is_empty:
        return "nothing proposed" if result.data == source.data else "ERROR: changed by nothing"
    if result.data == source.data:
        return "ERROR: unchanged"
    if path.suffix == ".py":
        try:
            ast.parse(result.data)
        except SyntaxError:
            return "ERROR: not Python any more"
    return "proposed and rewritten"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="+", type=Path)
    paths = [
        path
        for folder in parser.parse_args().folders
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".py", ".ipynb") and path.is_file() and b"numpyro" in path.read_bytes()
    ]
    counts: Counter[str] = Counter()
    for path in paths:
        became = outcome(path)
        counts[became if not became.startswith("no model") else "no model"] += 1
        if became.startswith("ERROR"):
            print(f"{path}: {became}")
    for what, count in counts.most_common():
        print(f"{count:6} {what}")


if __name__ == "__main__":
    main()
