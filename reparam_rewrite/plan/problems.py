"""A reason to refuse, before it is a message."""

from __future__ import annotations

from msgspec import Struct

from reparam_rewrite.messages import Place


class Problem(Struct, frozen=True):
    """A reason to refuse; `place` is in the model or in the config."""

    place: Place
    message: str
    hint: str
