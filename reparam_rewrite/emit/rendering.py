"""The code of a module, of which a statement that isn't edited is rendered just once.

To render takes a third as long as to parse, and there is twice to render: before the edits, to see
that LibCST gives a file back as it is, and after them.
"""

from __future__ import annotations

import libcst as cst


class Rendering:
    """Renders a module and what edits make of it."""

    def __init__(self) -> None:
        #: The statements at the top, by identity, each with its code.
        self._known: dict[int, tuple[cst.CSTNode, str]] = {}

    def bytes_of(self, module: cst.Module) -> bytes:
        """The same as `module.bytes`."""
        if not module.body or not module.has_trailing_newline:
            return module.bytes  # which takes the last line end away
        parts = [*module.header, *module.body, *module.footer]
        return "".join(self._code(part, module) for part in parts).encode(module.encoding)

    def _code(self, node: cst.CSTNode, module: cst.Module) -> str:
        if id(node) not in self._known:
            self._known[id(node)] = node, module.code_for_node(node)
        return self._known[id(node)][1]
