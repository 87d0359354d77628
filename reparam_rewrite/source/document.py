"""What is rewritten, as a document: the text of one module, and the way back to what holds it.

Three kinds of things hold a module, and all of them take the same steps: a Python file is one, the
cells of a notebook are joined to one (`source.notebook`), and so is a cell that IPython is about to
run, together with what it finds there (`source.session`).
"""

from __future__ import annotations

from typing import ClassVar

from reparam_rewrite.messages import Place, Refusal
from reparam_rewrite.source.encoding import Source


class Document(Source, frozen=True):
    """A Python file. The other kinds of documents derive from it.

    It is what was read, and `module` what of that is Python: for a Python file all. What needs
    more than decoding, as a notebook does, is done when `module` is first asked for.
    """

    #: Does the code know the folder of its file, from which arrays can be loaded?
    knows_folder: ClassVar[bool] = True

    @property
    def module(self) -> Source:
        """The text of the module. Raises `Refusal` if what was read holds none."""
        return self

    @property
    def first_line(self) -> int:
        """The line of the module from which on it may be changed."""
        return 1

    def place(self, place: Place) -> Place:
        """Where a user finds a place of the module; places in other files stay what they are."""
        return place

    def located(self, refusal: Refusal) -> Refusal:
        """A refusal of the module with its places as a user finds them."""
        return refusal

    def border(self, line: int) -> str:
        """The statement at which a part begins that imports may not leave; "" if there is none."""
        return ""

    def imported_before(self, line: int) -> frozenset[str] | None:
        """What is surely imported when a function in `line` is called, if one can't see it."""
        return None

    def refuse_elsewhere(self, place: Place, site: str, function: str) -> None:
        """Refuse to change a place, as `place` gives it, that is not to be touched."""

    def with_module(self, data: bytes) -> bytes:
        """What was read with another module, of which these are the bytes."""
        return data
