"""Executes the notebooks in place, each in a folder of its own: ``python -m gallery [NAME...]``.

They run as for somebody who has installed reparam-rewrite[gallery] and opened one. What a run
leaves in a notebook is its outputs alone.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent


def executed(path: Path) -> nbformat.NotebookNode:
    """The notebook with new outputs. Raises `CellExecutionError` where a cell raises."""
    notebook = nbformat.read(path, as_version=4)
    scripts = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([scripts, os.environ["PATH"]])
    os.environ["PYTHONWARNINGS"] = "ignore::FutureWarning"  # of arviz: once a day, that it changes
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        client = NotebookClient(notebook, timeout=900, resources=resources, kernel_name="python3")
        client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def main(names: list[str]) -> None:
    paths = [HERE / f"{name}.ipynb" for name in names] or sorted(HERE.glob("*.ipynb"))
    for path in paths:
        start = time.monotonic()
        nbformat.write(executed(path), path)
        print(f"{path.stem}: {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
