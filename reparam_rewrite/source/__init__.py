"""Files as bytes, text and modules: the way in, and the way back."""

from __future__ import annotations

#: The path that stands for standard input.
STDIN = "-"


def is_notebook(path: str) -> bool:
    """Does a path name a Jupyter notebook?"""
    return path.lower().endswith(".ipynb")
