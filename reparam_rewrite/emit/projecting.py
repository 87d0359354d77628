"""What a child can make up for of a parent, as code: where both meet in the data.

::

    county_count = jnp.maximum(jnp.zeros(n).at[county].add(1), 1)
    county_s = jnp.zeros(n).at[county].add(s[state]) / county_count
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from reparam_rewrite.plan.values import Projection
from reparam_rewrite.survey.expressions import grouped, parsed

#: How a function of jax.numpy is called.
Spelled = Callable[[str], str]


def statements(made: Projection, shape: str, jnp: Spelled, divided: set[str]) -> Iterator[str]:
    """The statements that project a parent on a child of that `shape`.

    `divided` are the sums of squares that earlier ones have computed, and that these compute.
    """
    added = [(one.index, times(one.weight, one.added)) for one in made.seen if one.added]
    if not made.squares:
        yield f"{made.variable} = {added_up(added, shape, jnp)}"
        return
    if made.squares not in divided:
        divided.add(made.squares)
        squares = added_up([(one.index, square_of(one.weight)) for one in made.seen], shape, jnp)
        # An element that no observation has, or whose weights are all 0, is divided by 1.
        if any(one.weight for one in made.seen):
            yield f"{made.squares} = {squares}"
            squares = f"{jnp('where')}({made.squares} > 0, {made.squares}, 1)"
        else:
            squares = f"{jnp('maximum')}({squares}, 1)"
        yield f"{made.squares} = {squares}"
    yield f"{made.variable} = {added_up(added, shape, jnp)} / {made.squares}"


def added_up(parts: list[tuple[str, str]], shape: str, jnp: Spelled) -> str:
    """What observations give to each element, by their indices; the mean for one number."""
    if not parts[0][0]:
        return f"{jnp('mean')}({parts[0][1]})"
    added = "".join(f".at[{index}].add({text})" for index, text in parts)
    return f"{jnp('zeros')}({shape}){added}"


def square_of(weight: str) -> str:
    """``x**2.0``; 1 without a weight. Black hugs names and numbers only.

    The square of a whole number may be larger than such numbers can be.
    """
    hugged = f"_{weight}".replace(".", "").isidentifier()
    return f"{grouped(weight)}{'**' if hugged else ' ** '}2.0" if weight else "1"


def times(weight: str, added: str) -> str:
    """``x * s[state]``; of a product the weight is the last factor, lest it meets whole numbers."""
    if not weight:
        return added
    node, weight = parsed(added), grouped(weight)
    product = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div)
    return f"{added} * {weight}" if product else f"{weight} * {grouped(added)}"
