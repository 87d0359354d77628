"""Examples in docstrings, `>>>`, as blocks of code: an extension of griffe."""

from __future__ import annotations

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"(^>>> .*\n(?:.+\n)*)", re.MULTILINE)


class Examples(griffe.Extension):
    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            text = EXAMPLE.sub(r"```pycon\n\1```\n", obj.docstring.value + "\n")
            obj.docstring.value = text.rstrip()
