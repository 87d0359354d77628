"""Small pieces of the generated code: tuples, lists, indices, powers, and what it says."""

from __future__ import annotations

from reparam_rewrite.plan import values as plan
from reparam_rewrite.survey.expressions import grouped

#: What the generated code says of a parent whose shape turns out not to fit.
UNFIT = "'{parent}' can't be lined up with '{child}': "
NAME = "name the axes of both in the config"
NAMED = "they don't have the axes that the config names"
NO_MATRIX = "the {parent} of '{child}' must be one matrix"


def unfit(parent: str, child: str, value: plan.Value) -> str:
    """What the generated code says where the checks of a parent's value fail."""
    claimed = any(isinstance(check, plan.Claim) for check in value.checks)
    words = UNFIT + (NAMED if claimed else NAME)
    if plan.Claim("matrix", 2) in value.checks:
        words = NO_MATRIX
    return words.format(parent=parent, child=child)


def to_power(text: str, power: str) -> str:
    """``sigma**-power``, ``sigma[0] ** -power``: black hugs between names and numbers only."""
    hugged = text.replace(".", "").isidentifier()
    return f"{grouped(text)}{'**' if hugged else ' ** '}-{power}"


def index_of(part: plan.Part) -> str:
    """``[0]``, ``[:-1]``; empty for all of a shape"""
    if not isinstance(part, plan.Span):
        return f"[{part}]"
    ends = ["" if end is None else str(end) for end in (part.start, part.end)]
    return "" if part == plan.WHOLE else f"[{':'.join(ends)}]"


def tuple_of(sizes: tuple[str, ...]) -> str:
    """``()``, ``(n,)``, ``(n, m)``"""
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def listed(rows: object) -> str:
    """``[[0.5, 1.0], [0.0, 2.0]]``"""
    return f"[{', '.join(map(listed, rows))}]" if isinstance(rows, tuple) else repr(rows)


def filled(jnp: str, shape: str, number: float) -> str:
    """``jnp.zeros(n)``, ``jnp.full((n, m), 0.5)``"""
    if number in (0, 1):
        return f"{jnp}.{'ones' if number else 'zeros'}({shape})"
    return f"{jnp}.full({shape}, {number!r})"


def inserted(text: str, more: str) -> str:
    """A string literal with more at its end: ``f"b_{k}_decentered"``"""
    bare = text.rstrip(text[-1])
    return f"{bare}{more}{text[len(bare) :]}"
